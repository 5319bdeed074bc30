// SPDX-License-Identifier: MIT
// From training_examples to the files that the trainer and the gate read: bench_retrain --bundle DIR --rows FILE
// --examples N --directory DIR --runs N. The vectors are those of FILE, again and again; ten candidates a request, a
// millisecond a request, newest now. Each run makes a manifest of all that is there and builds its data set.
#include "support/report.h"
#include "support/session.h"

#include "avro/framing.h"
#include "base/clock.h"
#include "base/mem.h"
#include "kafka/consumer.h"
#include "kafka/producer.h"
#include "label/bits.h"
#include "model/examples.h"
#include "worker/retrain_dataset.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { RUNS_MAX = 100, CANDIDATES = 10, FLUSH_MS = 120000, PATH_BYTES = 4096 };

static const char bench_name[] = "retrain";
static const char case_name[] = "topic_to_matrix";

struct settings {
    const char *bundle;
    const char *rows;
    const char *directory;
    double examples;
    double runs;
};

// ---- filling the topic ----------------------------------------------------------------------------------------------

struct filler {
    const struct bench_session *session;
    struct gw_kafka_producer *producer;
    struct gw_buf value;
    uint64_t layout;
    size_t width;
    int64_t now_ms;
    uint64_t count;
    uint64_t made;
};

static gw_status put(struct filler *filler, const struct gw_example *row, gw_err *err)
{
    const struct gw_runtime *runtime = &filler->session->runtime;
    const int64_t request = (int64_t)(filler->made / CANDIDATES);
    const struct gw_labeled_example example = {
        .request_join_id = request + 1,
        .user_id = request % 100000 + 1,
        .tweet_id = (int64_t)filler->made + 1,
        .layout = (int64_t)filler->layout,
        .features = gw_slice_make(row->features, filler->width * sizeof(float)),
        .label_bits = (int64_t)row->label_bits,
        .kind = GW_EXAMPLE_KIND_WINDOW_CLOSED,
        .weight = 1,
        .served_at_ms = filler->now_ms - (int64_t)(filler->count / CANDIDATES) + request,
    };
    gw_buf_clear(&filler->value);
    GW_TRY(gw_avro_frame_begin(&filler->value, gw_runtime_schema_id(runtime, GW_TOPIC_TRAINING_EXAMPLES)));
    GW_TRY(gw_labeled_example_encode(&example, &filler->value));
    uint8_t key[8];
    gw_store_be64(key, (uint64_t)example.user_id);
    const struct gw_kafka_output output = {
        .topic = gw_runtime_topic(runtime, GW_TOPIC_TRAINING_EXAMPLES),
        .partition = (int32_t)((uint64_t)request % gw_runtime_partitions(runtime, GW_TOPIC_TRAINING_EXAMPLES)),
        .key = gw_slice_make(key, sizeof key),
        .value = gw_buf_slice(&filler->value)};
    filler->made++;
    return gw_kafka_produce(filler->producer, &output, err);
}

// Once through the file.
static gw_status put_file(struct filler *filler, const char *path, gw_err *err)
{
    struct gw_examples_reader *reader = NULL;
    GW_TRY(gw_examples_reader_new(path, &reader, err));
    gw_status status = gw_examples_header(reader)->feature_count == filler->width && gw_examples_count(reader) > 0
                           ? GW_OK
                           : gw_fail(err, GW_E_MISMATCH, "'%s' does not have the bundle's features", path);
    bool more = true;
    while (status == GW_OK && more && filler->made < filler->count) {
        struct gw_example row = {0};
        status = gw_examples_next(reader, &row, &more, err);
        if (status == GW_OK && more) {
            status = put(filler, &row, err);
        }
    }
    gw_examples_reader_free(reader);
    return status;
}

static gw_status fill(const struct bench_session *session, const struct settings *s, const struct gw_bundle_info *info,
                      gw_err *err)
{
    const struct gw_kafka_producer_options options = {.client = &session->runtime.kafka,
                                                      .kind = GW_KAFKA_PRODUCER_BULK};
    struct filler filler = {.session = session,
                            .layout = gw_bundle_layout(info),
                            .width = info->feature_count,
                            .now_ms = gw_clock_wall_ms(),
                            .count = (uint64_t)s->examples};
    GW_TRY(gw_kafka_producer_new(&options, &filler.producer, err));
    gw_status status = GW_OK;
    while (status == GW_OK && filler.made < filler.count) {
        status = put_file(&filler, s->rows, err);
    }
    if (status == GW_OK) {
        status = gw_kafka_producer_flush(filler.producer, FLUSH_MS, err);
    }
    gw_kafka_producer_free(filler.producer);
    gw_buf_deinit(&filler.value);
    bench_note("%" PRIu64 " examples of %zu features in training_examples", filler.made, filler.width);
    return status;
}

// ---- reading it back ------------------------------------------------------------------------------------------------

struct reading {
    const struct bench_session *session;
    const struct settings *settings;
    struct gw_bundle *bundle;
    struct gw_kafka_consumer *consumer;
    struct gw_retrain_manifest *manifest;
    char train_path[PATH_BYTES];
    char gate_path[PATH_BYTES];
    char reference_path[PATH_BYTES];
};

static gw_status read_once(struct reading *reading, struct gw_retrain_dataset *ret_dataset, double *ret_seconds,
                           gw_err *err)
{
    const struct gw_bundle_info *info = gw_bundle_info(reading->bundle);
    const uint64_t begun_us = gw_clock_mono_us();
    GW_TRY(gw_retrain_manifest_make(&reading->session->runtime, reading->consumer, info->model_name, 1, reading->bundle,
                                    reading->manifest, err));
    const struct gw_retrain_dataset_options options = {.runtime = &reading->session->runtime,
                                                       .manifest = reading->manifest,
                                                       .champion = info,
                                                       .train_path = reading->train_path,
                                                       .gate_path = reading->gate_path,
                                                       .reference_path = reading->reference_path};
    GW_TRY(gw_retrain_dataset_build(&options, ret_dataset, err));
    *ret_seconds = (double)(gw_clock_mono_us() - begun_us) / 1e6;
    return GW_OK;
}

static gw_status measure(struct reading *reading, gw_err *err)
{
    double rows_per_s[RUNS_MAX];
    double seconds[RUNS_MAX];
    struct gw_retrain_dataset dataset = {0};
    const size_t runs = (size_t)reading->settings->runs;
    for (size_t i = 0; i < runs; i++) {
        GW_TRY(read_once(reading, &dataset, &seconds[i], err));
        rows_per_s[i] = (double)dataset.rows / seconds[i];
    }
    bench_report_runs(bench_name, case_name, "rows_per_s", rows_per_s, runs, "rows/s");
    bench_report_runs(bench_name, case_name, "seconds", seconds, runs, "s");
    bench_report(bench_name, case_name, "rows", (double)dataset.rows, "rows");
    bench_report(bench_name, case_name, "rows_to_learn_from", (double)dataset.train_rows, "rows");
    bench_report(bench_name, case_name, "rows_of_gate", (double)dataset.gate_rows, "rows");
    return GW_OK;
}

static gw_status read_back(const struct bench_session *session, const struct settings *s, struct gw_bundle *bundle,
                           gw_err *err)
{
    const struct gw_kafka_consumer_options options = {.client = &session->runtime.kafka};
    struct reading *reading = gw_mem_calloc(1, sizeof *reading);
    struct gw_retrain_manifest *manifest = gw_mem_calloc(1, sizeof *manifest);
    gw_status status = reading != NULL && manifest != NULL ? GW_OK : gw_fail(err, GW_E_MEMORY, "no memory");
    if (status == GW_OK) {
        *reading = (struct reading){.session = session, .settings = s, .bundle = bundle, .manifest = manifest};
        snprintf(reading->train_path, PATH_BYTES, "%s/train.gwex", s->directory);
        snprintf(reading->gate_path, PATH_BYTES, "%s/gate.gwex", s->directory);
        snprintf(reading->reference_path, PATH_BYTES, "%s/reference.gwex", s->directory);
        status = gw_kafka_consumer_new(&options, &reading->consumer, err);
    }
    if (status == GW_OK) {
        status = measure(reading, err);
        gw_kafka_consumer_free(reading->consumer);
    }
    gw_mem_free(manifest);
    gw_mem_free(reading);
    return status;
}

static gw_status run(const struct settings *s, gw_err *err)
{
    struct bench_session session;
    struct gw_bundle *bundle = NULL;
    GW_TRY(bench_session_init(&session, err));
    gw_status status = gw_bundle_load(s->bundle, &bundle, err);
    if (status == GW_OK) {
        status = fill(&session, s, gw_bundle_info(bundle), err);
    }
    if (status == GW_OK) {
        status = read_back(&session, s, bundle, err);
    }
    gw_bundle_unref(bundle);
    bench_session_deinit(&session);
    return status;
}

int main(int argc, char **argv)
{
    struct settings s = {.examples = 500000, .runs = 5};
    const struct bench_option options[] = {
        {"--bundle", &s.bundle, NULL},     {"--rows", &s.rows, NULL}, {"--directory", &s.directory, NULL},
        {"--examples", NULL, &s.examples}, {"--runs", NULL, &s.runs},
    };
    gw_err err = {0};
    gw_status status = bench_options_parse(argc - 1, argv + 1, options, GW_COUNT_OF(options), &err);
    if (status != GW_OK || s.bundle == NULL || s.rows == NULL || s.directory == NULL || s.examples < CANDIDATES ||
        s.runs < 1 || s.runs > RUNS_MAX) {
        fprintf(stderr, "usage: bench_retrain --bundle DIR --rows FILE --directory DIR [--examples N] [--runs N]: %s\n",
                err.message);
        return 2;
    }
    if (run(&s, &err) != GW_OK) {
        fprintf(stderr, "bench_retrain: %s\n", err.message);
        return 1;
    }
    return 0;
}
