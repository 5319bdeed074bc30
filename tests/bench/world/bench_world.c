// SPDX-License-Identifier: MIT
// Fills the stack with the world of the reference workload, and writes examples to train its model on.
//
//   bench_world rows     --users N --tweets N --authors N    rows to feature_updates; waits until `online` has brought
//                                                            Redis to the end of the topic
//   bench_world examples --users N --tweets N --authors N --rows N --out FILE
#include "support/report.h"
#include "support/session.h"
#include "support/world.h"

#include "avro/framing.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "feature/plan.h"
#include "kafka/admin.h"
#include "kafka/producer.h"
#include "model/examples.h"
#include "records/feature_update.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    CALL_MS = 20000,
    POLL_MS = 100,
    WAIT_MS = 300000,
    NOTE_EVERY = 250000,
};

static const char bench_name[] = "world";
static const char case_name[] = "reference";

// ---- rows -----------------------------------------------------------------------------------------------------------

struct writer {
    const struct bench_session *session;
    struct gw_kafka_producer *producer;
    struct gw_buf value;
    uint64_t written;
};

static gw_status write_row(struct writer *writer, const struct gw_feature_view *view, int64_t id, const uint8_t *row,
                           gw_err *err)
{
    const struct gw_runtime *runtime = &writer->session->runtime;
    const struct gw_feature_update update = {.view = view->code,
                                             .id1 = id,
                                             .row = gw_slice_make(row, view->row_bytes),
                                             .layout = (int64_t)view->fingerprint,
                                             .event_time_us = gw_row_event_time_us(row)};
    const struct gw_row_key key = {.view = view->code, .id_count = 1, .id = {id, 0}};
    uint8_t key_bytes[GW_ROW_KEY_BYTES_MAX];
    size_t key_size = gw_row_key_bytes(&key, key_bytes);
    gw_buf_clear(&writer->value);
    GW_TRY(gw_avro_frame_begin(&writer->value, gw_runtime_schema_id(runtime, GW_TOPIC_FEATURE_UPDATES)));
    GW_TRY(gw_feature_update_encode(&update, &writer->value));
    const struct gw_kafka_output output = {
        .topic = gw_runtime_topic(runtime, GW_TOPIC_FEATURE_UPDATES),
        .partition = (int32_t)gw_hash_partition_of_id(id, gw_runtime_partitions(runtime, GW_TOPIC_FEATURE_UPDATES)),
        .key = gw_slice_make(key_bytes, key_size),
        .value = gw_buf_slice(&writer->value)};
    GW_TRY(gw_kafka_produce(writer->producer, &output, err));
    if (++writer->written % NOTE_EVERY == 0) {
        bench_note("%llu rows written", (unsigned long long)writer->written);
    }
    return GW_OK;
}

static gw_status write_view(struct writer *writer, const struct bench_world *world, enum bench_view view,
                            uint32_t count, gw_err *err)
{
    const struct gw_feature_set *set = writer->session->runtime.features;
    uint8_t row[GW_FEATURE_ROW_BYTES_MAX];
    int64_t now_ms = gw_clock_wall_ms();
    for (uint32_t rank = 0; rank < count; rank++) {
        GW_TRY(bench_world_row(world, set, view, rank, now_ms, row, err));
        int64_t id = view == BENCH_USER    ? bench_world_user_id(rank)
                     : view == BENCH_TWEET ? bench_world_tweet_id(rank)
                                           : bench_world_author_id(world, rank);
        int index = gw_feature_set_find_view(set, bench_view_names[view]);
        GW_TRY(write_row(writer, gw_feature_set_view(set, (size_t)index), id, row, err));
    }
    return GW_OK;
}

// Rows of the topic that Redis does not have yet.
static gw_status missing_rows(const struct bench_session *session, struct gw_kafka_admin *admin, struct gw_store *store,
                              uint64_t *ret_missing, gw_err *err)
{
    *ret_missing = 0;
    uint32_t partitions = gw_runtime_partitions(&session->runtime, GW_TOPIC_FEATURE_UPDATES);
    for (uint32_t p = 0; p < partitions; p++) {
        int64_t low = 0;
        int64_t high = 0;
        struct gw_store_position position;
        GW_TRY(gw_kafka_admin_watermarks(admin, gw_runtime_topic(&session->runtime, GW_TOPIC_FEATURE_UPDATES),
                                         (int32_t)p, CALL_MS, &low, &high, err));
        GW_TRY(gw_store_position(store, (int32_t)p, &position, err));
        *ret_missing += (uint64_t)GW_MAX(high - position.next_offset, 0);
    }
    return GW_OK;
}

static gw_status wait_for_redis(const struct bench_session *session, gw_err *err)
{
    struct gw_kafka_admin *admin = NULL;
    struct gw_store *store = NULL;
    uint64_t until_us = gw_clock_mono_us() + WAIT_MS * 1000ULL;
    uint64_t missing = 0;
    gw_status status = gw_kafka_admin_new(&session->runtime.kafka, &admin, err);
    if (status == GW_OK) {
        status = gw_runtime_store(&session->runtime, &store, err);
    }
    while (status == GW_OK) {
        status = missing_rows(session, admin, store, &missing, err);
        if (status != GW_OK || missing == 0) {
            break;
        }
        if (gw_clock_mono_us() > until_us) {
            status = gw_fail(err, GW_E_TIMEOUT, "redis lacks %llu rows: does 'godwit run online' run?",
                             (unsigned long long)missing);
            break;
        }
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
    }
    gw_store_free(store);
    gw_kafka_admin_free(admin);
    return status;
}

static gw_status load_rows(const struct bench_session *session, const struct bench_world *world, gw_err *err)
{
    struct writer writer = {.session = session};
    const struct gw_kafka_producer_options options = {.client = &session->runtime.kafka,
                                                      .kind = GW_KAFKA_PRODUCER_BULK};
    uint64_t started_us = gw_clock_mono_us();
    gw_status status = gw_kafka_producer_new(&options, &writer.producer, err);
    const uint32_t counts[BENCH_VIEWS] = {world->user_count, world->tweet_count, world->author_count};
    for (int view = 0; view < BENCH_VIEWS && status == GW_OK; view++) {
        status = write_view(&writer, world, (enum bench_view)view, counts[view], err);
    }
    if (status == GW_OK) {
        status = gw_kafka_producer_flush(writer.producer, WAIT_MS, err);
    }
    gw_kafka_producer_free(writer.producer);
    gw_buf_deinit(&writer.value);
    uint64_t produced_us = gw_clock_mono_us();
    GW_TRY(status);
    bench_note("%llu rows written, waiting for Redis", (unsigned long long)writer.written);
    GW_TRY(wait_for_redis(session, err));
    double seconds = (double)(gw_clock_mono_us() - started_us) / 1e6;
    bench_report(bench_name, case_name, "rows_loaded", (double)writer.written, "rows");
    bench_report(bench_name, case_name, "produce_seconds", (double)(produced_us - started_us) / 1e6, "s");
    bench_report(bench_name, case_name, "load_seconds", seconds, "s");
    return GW_OK;
}

// ---- examples -------------------------------------------------------------------------------------------------------

static const char *const labels[] = {"is_favorited", "is_retweeted", "is_replied"};

struct assembler {
    const struct bench_world *world;
    const struct gw_feature_set *set;
    struct gw_feature_plan *plan;
    float *vector; // in the plan's order
    uint8_t rows[BENCH_VIEWS][GW_FEATURE_ROW_BYTES_MAX];
};

static gw_status assemble(struct assembler *a, struct gw_rng *rng, int64_t now_ms, gw_err *err)
{
    const uint8_t *by_view[GW_FEATURE_VIEWS_MAX] = {NULL};
    uint32_t tweet = bench_zipf_draw(&a->world->tweets, rng);
    const uint32_t ranks[BENCH_VIEWS] = {bench_zipf_draw(&a->world->users, rng), tweet, a->world->author_of[tweet]};
    for (int view = 0; view < BENCH_VIEWS; view++) {
        GW_TRY(bench_world_row(a->world, a->set, (enum bench_view)view, ranks[view], now_ms, a->rows[view], err));
        size_t index = (size_t)gw_feature_set_find_view(a->set, bench_view_names[view]);
        uint32_t start = 0;
        uint32_t width = 0;
        gw_feature_plan_view_segment(a->plan, index, &start, &width);
        gw_feature_plan_eval_view(a->plan, index, a->rows[view], now_ms * 1000, a->vector + start);
        by_view[index] = a->rows[view];
    }
    const char *const *names = NULL;
    uint32_t start = 0;
    size_t count = gw_feature_plan_request_names(a->plan, &names, &start);
    for (size_t i = 0; i < count; i++) {
        a->vector[start + i] =
            strcmp(names[i], "in_network") == 0 ? (float)gw_rng_below(rng, 2) : (float)gw_rng_double(rng);
    }
    gw_feature_plan_eval_cross(a->plan, by_view, now_ms * 1000, a->vector);
    return GW_OK;
}

// A truth that needs many features, many thresholds and interactions, so that every tree finds something to split on:
// waves over the logarithms of the features, about 10 % positives.
static uint64_t draw_labels(const float *f, struct gw_rng *rng)
{
    uint64_t bits = 0;
    for (size_t label = 0; label < GW_COUNT_OF(labels); label++) {
        double logit = -1.7 - 0.5 * (double)label;
        double last = 0;
        for (size_t i = 0; i < BENCH_FEATURES; i++) {
            double taste = (double)(gw_hash_mix(label * 1000 + i) % 2001) / 1000 - 1;
            double wave = isnan(f[i]) ? 0 : sin(2 * log1p(fabs((double)f[i])));
            logit += taste * (0.25 * wave + 0.25 * wave * last);
            last = wave;
        }
        if (gw_rng_double(rng) < 1 / (1 + exp(-logit))) {
            bits |= 1ULL << label;
        }
    }
    return bits;
}

static gw_status append_examples(struct assembler *a, struct gw_examples_writer *writer, uint64_t count, gw_err *err)
{
    struct gw_rng rng;
    gw_rng_init(&rng, 7);
    int64_t now_ms = gw_clock_wall_ms();
    const uint32_t *columns = gw_feature_plan_columns(a->plan);
    for (uint64_t i = 0; i < count; i++) {
        // Requests come all day: hours and ages are as in serving.
        int64_t time_ms = now_ms + (int64_t)(i * 86400000ULL / count);
        float features[BENCH_FEATURES];
        GW_TRY(assemble(a, &rng, time_ms, err));
        for (size_t f = 0; f < BENCH_FEATURES; f++) {
            features[f] = a->vector[columns[f]];
        }
        const struct gw_example example = {
            .time_ms = time_ms, .label_bits = draw_labels(features, &rng), .weight = 1, .features = features};
        GW_TRY(gw_examples_append(writer, &example, err));
    }
    return gw_examples_finish(writer, err);
}

static gw_status write_examples(const struct bench_session *session, const struct bench_world *world, uint64_t count,
                                const char *path, gw_err *err)
{
    const struct gw_examples_header header = {.feature_count = BENCH_FEATURES,
                                              .feature_names = bench_features,
                                              .label_count = GW_COUNT_OF(labels),
                                              .label_names = labels,
                                              .layout = ""};
    struct assembler *a = gw_mem_calloc(1, sizeof *a);
    struct gw_examples_writer *writer = NULL;
    gw_status status = a != NULL ? GW_OK : gw_fail(err, GW_E_MEMORY, "no memory for examples");
    if (status == GW_OK) {
        a->world = world;
        a->set = session->runtime.features;
        status = gw_feature_plan_new(a->set, bench_features, BENCH_FEATURES, &a->plan, err);
    }
    if (status == GW_OK) {
        a->vector = gw_mem_calloc(gw_feature_plan_width(a->plan), sizeof *a->vector);
        status = a->vector != NULL ? gw_examples_writer_new(path, &header, &writer, err)
                                   : gw_fail(err, GW_E_MEMORY, "no memory for a vector");
    }
    if (status == GW_OK) {
        status = append_examples(a, writer, count, err);
    }
    gw_examples_writer_free(writer);
    if (a != NULL) {
        gw_feature_plan_free(a->plan);
        gw_mem_free(a->vector);
        gw_mem_free(a);
    }
    return status;
}

int main(int argc, char **argv)
{
    double users = 1e6;
    double tweets = 1e6;
    double authors = 1e5;
    double rows = 100000;
    const char *out = NULL;
    const struct bench_option options[] = {{"--users", NULL, &users},
                                           {"--tweets", NULL, &tweets},
                                           {"--authors", NULL, &authors},
                                           {"--rows", NULL, &rows},
                                           {"--out", &out, NULL}};
    gw_err err = {0};
    bool examples = argc > 1 && strcmp(argv[1], "examples") == 0;
    if (argc < 2 || (!examples && strcmp(argv[1], "rows") != 0) ||
        bench_options_parse(argc - 2, argv + 2, options, GW_COUNT_OF(options), &err) != GW_OK ||
        (examples && out == NULL)) {
        fprintf(stderr,
                "usage: bench_world rows|examples [--users N] [--tweets N] [--authors N] [--rows N --out FILE]: "
                "%s\n",
                err.message);
        return 2;
    }
    struct bench_session session;
    struct bench_world world = {0};
    gw_status status = bench_session_init(&session, &err);
    if (status == GW_OK) {
        status = bench_world_init(&world, users, tweets, authors, &err);
    }
    if (status == GW_OK) {
        status =
            examples ? write_examples(&session, &world, (uint64_t)rows, out, &err) : load_rows(&session, &world, &err);
    }
    bench_world_deinit(&world);
    bench_session_deinit(&session);
    if (status != GW_OK) {
        fprintf(stderr, "bench_world: %s\n", err.message);
        return 1;
    }
    return 0;
}
