// SPDX-License-Identifier: MIT
// From the first drifted record produced to the alert consumed: bench_detect --make-rows DIR, then
// bench_detect --program GODWIT --log FILE --models N ...
//
// The whole way is real: requests of one candidate with 48 values of its own go to prediction_requests at a steady rate,
// `score` samples them, `monitor` watches them against the reference that came with the model, and a read-committed
// consumer of drift_alerts waits. A trial is a model of its own: calm for a while, then one feature moves by a share of
// its standard deviation, and the clock runs from the moment at which the first such record is given to the producer. An
// alert before that is a false alarm and is reported as one; a trial without an alert counts as its time-out.
#include "support/report.h"
#include "support/scorer.h"
#include "support/session.h"

#include "avro/framing.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/rng.h"
#include "kafka/consumer.h"
#include "kafka/producer.h"
#include "model/examples.h"
#include "records/drift_alert.h"
#include "records/prediction_request.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FEATURES = 48,
    TRIALS_MAX = 64,
    ROWS = 250000, // of the model: a fifth is held out, the rest is its reference
    TIMEOUT_S = 60,
    
    DRIFTED = 7, // the feature that moves
    SCRATCH_BYTES = 64 << 10,
    ALERT_PARTITIONS_MAX = 64,
};

static const char bench_name[] = "drift";
static const char case_name[] = "detect_025sigma";

struct settings {
    const char *rows_directory;
    const char *program;
    const char *log;
    double models;
    double rate;
    double calm_s;
    double shift;
};

static void name_feature(size_t index, char ret_name[16])
{
    snprintf(ret_name, 16, "bench.x%02zu", index);
}

// ---- the model ------------------------------------------------------------------------------------------------------

static void draw(struct gw_rng *rng, double shift, float values[FEATURES])
{
    for (size_t i = 0; i < FEATURES; i++) {
        values[i] = (float)(gw_rng_normal(rng) + (i == DRIFTED ? shift : 0.0));
    }
}

static gw_status append_features(const char *directory, gw_err *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/features.ini", directory);
    FILE *file = fopen(path, "ae");
    if (file == NULL) {
        return gw_fail(err, GW_E_IO, "cannot write '%s'", path);
    }
    for (size_t i = 0; i < FEATURES; i++) {
        char name[16];
        name_feature(i, name);
        fprintf(file, "\n[feature %s]\nsource = request\n", name);
    }
    return fclose(file) == 0 ? GW_OK : gw_fail(err, GW_E_IO, "cannot write '%s'", path);
}

// Labelled rows, and the features they consist of appended to DIR/features.ini, a copy of the usual ones.
static gw_status make_rows(const char *directory, gw_err *err)
{
    char names[FEATURES][16];
    const char *pointers[FEATURES];
    const char *labels[] = {"is_favorited"};
    char path[4096];
    struct gw_rng rng;
    struct gw_examples_writer *writer = NULL;
    for (size_t i = 0; i < FEATURES; i++) {
        name_feature(i, names[i]);
        pointers[i] = names[i];
    }
    const struct gw_examples_header header = {
        .feature_count = FEATURES, .feature_names = pointers, .label_count = 1, .label_names = labels, .layout = ""};
    GW_TRY(append_features(directory, err));
    snprintf(path, sizeof path, "%s/rows.gwex", directory);
    GW_TRY(gw_examples_writer_new(path, &header, &writer, err));
    gw_rng_init(&rng, 1);
    gw_status status = GW_OK;
    for (int64_t i = 0; i < ROWS && status == GW_OK; i++) {
        float values[FEATURES];
        draw(&rng, 0.0, values);
        double logit = -2.0 + (double)values[0] + 0.5 * (double)values[1];
        struct gw_example example = {.time_ms = i, .weight = 1.0f, .features = values};
        example.label_bits = gw_rng_double(&rng) < 1.0 / (1.0 + exp(-logit)) ? 1 : 0;
        status = gw_examples_append(writer, &example, err);
    }
    if (status == GW_OK) {
        status = gw_examples_finish(writer, err);
    }
    gw_examples_writer_free(writer);
    return status;
}

// ---- traffic --------------------------------------------------------------------------------------------------------

struct run {
    const struct settings *settings;
    struct bench_session *session;
    struct bench_child score;
    struct bench_child monitor;
    struct gw_kafka_producer *producer;
    struct gw_kafka_consumer *alerts;
    struct gw_rng rng;
    struct gw_arena arena;
    struct gw_buf value;
    struct gw_buf scratch;
    char model[16];
    uint64_t made;
    bool alerted; // about the model of this trial
    char stream[64];
};

static gw_status produce(struct run *run, double shift, gw_err *err)
{
    const struct gw_runtime *runtime = &run->session->runtime;
    static char names[FEATURES][16];
    struct gw_slice slices[FEATURES];
    float values[FEATURES];
    uint8_t key[8];
    for (size_t i = 0; i < FEATURES; i++) {
        name_feature(i, names[i]);
        slices[i] = gw_slice_text(names[i]);
    }
    draw(&run->rng, shift, values);
    struct gw_candidate candidate = {.tweet_id = (int64_t)run->made + 1, .author_id = 1};
    candidate.values.items = values;
    candidate.values.count = FEATURES;
    struct gw_prediction_request request = {.user_id = (int64_t)(run->made % 100000) + 1,
                                            .request_join_id = (int64_t)run->made + 1,
                                            .enqueued_at_ms = gw_clock_wall_ms(),
                                            .model_name = gw_slice_text(run->model)};
    gw_store_be64(request.request_id, gw_rng_next(&run->rng));
    gw_store_be64(request.request_id + 8, ++run->made);
    request.value_names.items = slices;
    request.value_names.count = FEATURES;
    request.candidates.items = &candidate;
    request.candidates.count = 1;
    gw_buf_clear(&run->value);
    GW_TRY(gw_avro_frame_begin(&run->value, gw_runtime_schema_id(runtime, GW_TOPIC_PREDICTION_REQUESTS)));
    GW_TRY(gw_prediction_request_encode(&request, &run->value));
    gw_store_be64(key, (uint64_t)request.user_id);
    uint32_t partitions = gw_runtime_partitions(runtime, GW_TOPIC_PREDICTION_REQUESTS);
    const struct gw_kafka_output output = {.topic = gw_runtime_topic(runtime, GW_TOPIC_PREDICTION_REQUESTS),
                                           .partition = (int32_t)gw_hash_partition(key, sizeof key, partitions),
                                           .key = gw_slice_make(key, sizeof key),
                                           .value = gw_buf_slice(&run->value)};
    return gw_kafka_produce(run->producer, &output, err);
}

// ---- alerts ---------------------------------------------------------------------------------------------------------

static gw_status take_alert(struct run *run, struct gw_slice value, gw_err *err)
{
    struct gw_slice body;
    struct gw_drift_alert alert;
    const struct gw_schema_gate *gate = gw_runtime_gate(&run->session->runtime, GW_TOPIC_DRIFT_ALERTS);
    gw_arena_clear(&run->arena);
    GW_TRY(gw_schema_gate_open(gate, value, &run->scratch, &run->arena, &body, err));
    GW_TRY(gw_drift_alert_decode(body, &run->arena, &alert, err));
    if (!run->alerted && gw_slice_is(alert.model_name, run->model) && gw_slice_is(alert.state, "open")) {
        run->alerted = true;
        snprintf(run->stream, sizeof run->stream, "%.*s", (int)GW_MIN(alert.stream.size, 60u),
                 (const char *)alert.stream.data);
    }
    return GW_OK;
}

static gw_status poll_alerts(struct run *run, uint32_t timeout_ms, gw_err *err)
{
    struct gw_kafka_record record;
    bool got = false;
    GW_TRY(gw_kafka_consumer_poll(run->alerts, timeout_ms, &record, &got, err));
    gw_status status = got && record.value.data != NULL ? take_alert(run, record.value, err) : GW_OK;
    if (got) {
        gw_kafka_message_free(record.message);
    }
    return status;
}

// ---- a trial --------------------------------------------------------------------------------------------------------

// Sends at the rate until an alert comes or the time is over.
static gw_status send(struct run *run, double shift, double seconds, gw_err *err)
{
    uint64_t start_us = gw_clock_mono_us();
    uint64_t end_us = start_us + (uint64_t)(seconds * 1e6);
    uint64_t sent = 0;
    while (!run->alerted) {
        uint64_t now_us = gw_clock_mono_us();
        if (now_us >= end_us) {
            return GW_OK;
        }
        uint64_t due = 1 + (uint64_t)((double)(now_us - start_us) * run->settings->rate / 1e6);
        for (; sent < due; sent++) {
            GW_TRY(produce(run, shift, err));
        }
        gw_kafka_producer_poll(run->producer, 0);
        GW_TRY(poll_alerts(run, 1, err));
        GW_TRY(bench_child_check(&run->score, err));
        GW_TRY(bench_child_check(&run->monitor, err));
    }
    return GW_OK;
}

static gw_status take_trial(struct run *run, size_t number, double *ret_seconds, bool *ret_false_alarm, gw_err *err)
{
    snprintf(run->model, sizeof run->model, "detect%02zu", number);
    run->alerted = false;
    GW_TRY(send(run, 0.0, run->settings->calm_s, err));
    *ret_false_alarm = run->alerted;
    uint64_t start_us = gw_clock_mono_us();
    GW_TRY(send(run, run->settings->shift, TIMEOUT_S, err));
    *ret_seconds = (double)(gw_clock_mono_us() - start_us) / 1e6;
    bench_note("%s: %s '%s' after %.2f s", run->model, run->alerted ? "alert of" : "no alert", run->stream,
               *ret_seconds);
    return GW_OK;
}

// ---- life -----------------------------------------------------------------------------------------------------------

static gw_status open_alerts(struct run *run, gw_err *err)
{
    struct gw_kafka_position positions[ALERT_PARTITIONS_MAX];
    size_t count = 0;
    const struct gw_kafka_consumer_options options = {.client = &run->session->runtime.kafka, .low_latency = true};
    GW_TRY(gw_kafka_consumer_new(&options, &run->alerts, err));
    GW_TRY(bench_positions(run->session, GW_TOPIC_DRIFT_ALERTS, GW_KAFKA_OFFSET_END, positions,
                           GW_COUNT_OF(positions), &count, err));
    return gw_kafka_consumer_assign(run->alerts, positions, count, err);
}

// The first model's requests are answered, so that all are loaded and every process is warm.
static gw_status start(struct run *run, gw_err *err)
{
    static const char *const score[] = {"score.sync_enabled=false", "score.served_sample=0", NULL};
    static const char *const monitor[] = {"monitor.threads=1", NULL};
    const struct gw_kafka_producer_options options = {.client = &run->session->runtime.kafka,
                                                      .kind = GW_KAFKA_PRODUCER_LATENCY};
    char log[4096];
    snprintf(log, sizeof log, "%s.monitor", run->settings->log);
    GW_TRY(gw_kafka_producer_new(&options, &run->producer, err));
    GW_TRY(open_alerts(run, err));
    GW_TRY(bench_child_start(run->settings->program, "score", score, run->settings->log, &run->score, err));
    GW_TRY(bench_child_start(run->settings->program, "monitor", monitor, log, &run->monitor, err));
    snprintf(run->model, sizeof run->model, "warmup");
    run->alerted = false;
    return send(run, 0.0, run->settings->calm_s, err);
}

static gw_status run_trials(struct run *run, gw_err *err)
{
    double seconds[TRIALS_MAX];
    double false_alarms = 0;
    size_t count = (size_t)run->settings->models;
    size_t right = 0;
    GW_TRY(start(run, err));
    char expected[16];
    name_feature(DRIFTED, expected);
    for (size_t i = 0; i < count; i++) {
        bool false_alarm = false;
        GW_TRY(take_trial(run, i, &seconds[i], &false_alarm, err));
        false_alarms += false_alarm ? 1 : 0;
        right += run->alerted && strcmp(run->stream, expected) == 0 ? 1 : 0;
    }
    bench_sort(seconds, count);
    bench_report(bench_name, case_name, "p90_seconds", bench_quantile(seconds, count, 0.9), "s");
    bench_report_runs(bench_name, case_name, "seconds", seconds, count, "s");
    bench_report(bench_name, case_name, "false_alarms", false_alarms, "trials");
    bench_report(bench_name, case_name, "named_rightly", (double)right / (double)count, "share");
    return GW_OK;
}

static gw_status run_all(const struct settings *settings, struct bench_session *session, gw_err *err)
{
    struct run run = {.settings = settings, .session = session};
    gw_rng_init(&run.rng, 2);
    gw_arena_init(&run.arena, SCRATCH_BYTES, 16 * SCRATCH_BYTES);
    gw_status status = run_trials(&run, err);
    bench_child_stop(&run.score);
    bench_child_stop(&run.monitor);
    gw_kafka_producer_free(run.producer);
    gw_kafka_consumer_free(run.alerts);
    gw_arena_deinit(&run.arena);
    gw_buf_deinit(&run.value);
    gw_buf_deinit(&run.scratch);
    return status;
}

int main(int argc, char **argv)
{
    gw_err err = {0};
    struct settings settings = {.models = 15, .rate = 1000, .calm_s = 10, .shift = 0.25};
    const struct bench_option options[] = {{"--make-rows", &settings.rows_directory, NULL},
                                           {"--program", &settings.program, NULL},
                                           {"--log", &settings.log, NULL},
                                           {"--models", NULL, &settings.models},
                                           {"--rate", NULL, &settings.rate},
                                           {"--calm", NULL, &settings.calm_s},
                                           {"--shift", NULL, &settings.shift}};
    struct bench_session session = {0};
    gw_status status = bench_options_parse(argc - 1, argv + 1, options, GW_COUNT_OF(options), &err);
    if (status == GW_OK && settings.rows_directory != NULL) {
        status = make_rows(settings.rows_directory, &err);
    } else if (status == GW_OK) {
        if (settings.program == NULL || settings.log == NULL || settings.models < 1 || settings.models > TRIALS_MAX) {
            status = gw_fail(&err, GW_E_INVALID, "needs --program, --log and 1 to %d --models", TRIALS_MAX);
        } else {
            status = bench_session_init(&session, &err);
        }
        if (status == GW_OK) {
            status = run_all(&settings, &session, &err);
        }
        bench_session_deinit(&session);
    }
    if (status != GW_OK) {
        fprintf(stderr, "bench_detect: %s\n", err.message);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
