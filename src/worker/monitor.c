// SPDX-License-Identifier: MIT
// monitor: live quality of what is served, and whether the world is still what models were trained on.
//
//   label_samples ───┬──► model_quality      windows of live quality        monitor_quality.h
//                    └──► drift_alerts       the loss of each head          monitor_concept.h
//   feature_samples ─────► drift_alerts      each feature and the score     monitor_features.h
//                                            state: monitor_state, at the input's partition number
//
// A model's samples are in one partition of each input, so its windows and watches are one member's. Here samples are
// read, what they say becomes records, and the state goes to the changelog (monitor_owned.c), all in the transaction
// that commits the offsets. Nothing asks the clock: the same log and the same references give the same bytes.
#include "worker/monitor_internal.h"

#include "avro/framing.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/monitor_options.h"
#include "worker/worker.h"

#include <string.h>

enum { ARENA_LIMIT_BYTES = 256 << 20 };

// ---- decode ---------------------------------------------------------------------------------------------------------

static gw_status make_room(struct gw_monitor_lane *lane, gw_err *err)
{
    if (lane->batch_count < lane->batch_capacity) {
        return GW_OK;
    }
    uint32_t capacity = lane->batch_capacity > 0 ? lane->batch_capacity * 2 : 1024;
    struct gw_monitor_pending *batch = gw_mem_realloc(lane->batch, capacity, sizeof *batch);
    if (batch == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a batch of samples");
    }
    lane->batch = batch;
    lane->batch_capacity = capacity;
    return GW_OK;
}

static gw_status decode(void *worker, struct gw_loop *loop, const struct gw_input *input, gw_err *err)
{
    struct gw_monitor_lane *lane = worker;
    (void)loop;
    if (input->body.data == NULL) {
        return gw_fail(err, GW_E_INVALID, "a tombstone is no sample");
    }
    GW_TRY(make_room(lane, err));
    struct gw_monitor_pending *pending = &lane->batch[lane->batch_count];
    *pending = (struct gw_monitor_pending){.source = (enum gw_monitor_source)input->source,
                                           .partition = input->partition,
                                           .offset = input->offset,
                                           .append_time_ms = input->append_time_ms,
                                           .slot = input->slot};
    GW_TRY(pending->source == GW_MONITOR_LABELS
               ? gw_label_sample_decode(input->body, &lane->arena, &pending->label, err)
               : gw_feature_sample_decode(input->body, &lane->arena, &pending->features, err));
    lane->batch_count++;
    return GW_OK;
}

static void discard(void *worker, bool aborted)
{
    struct gw_monitor_lane *lane = worker;
    lane->batch_count = 0;
    gw_arena_clear(&lane->arena);
    if (aborted) {
        lane->counts = (struct gw_monitor_counts){0};
    }
}

// ---- outputs --------------------------------------------------------------------------------------------------------

static gw_status emit(struct gw_monitor_lane *lane, enum gw_topic topic, struct gw_slice model, gw_err *err)
{
    uint32_t count = gw_runtime_partitions(lane->runtime, topic);
    const struct gw_kafka_output output = {.topic = gw_runtime_topic(lane->runtime, topic),
                                           .partition = (int32_t)gw_hash_partition(model.data, model.size, count),
                                           .key = model,
                                           .value = gw_buf_slice(&lane->value)};
    return gw_loop_emit(lane->loop, &output, err);
}

static gw_status emit_quality(void *context, const struct gw_model_quality *record, gw_err *err)
{
    struct gw_monitor_lane *lane = context;
    gw_buf_clear(&lane->value);
    if (gw_avro_frame_begin(&lane->value, gw_runtime_schema_id(lane->runtime, GW_TOPIC_MODEL_QUALITY)) != GW_OK ||
        gw_model_quality_encode(record, &lane->value) != GW_OK) {
        return gw_fail(err, GW_E_MEMORY, "no memory to encode a model's quality");
    }
    lane->counts.records++;
    return emit(lane, GW_TOPIC_MODEL_QUALITY, record->model_name, err);
}

static gw_status emit_alert(void *context, const struct gw_drift_alert *alert, gw_err *err)
{
    struct gw_monitor_lane *lane = context;
    gw_buf_clear(&lane->value);
    if (gw_avro_frame_begin(&lane->value, gw_runtime_schema_id(lane->runtime, GW_TOPIC_DRIFT_ALERTS)) != GW_OK ||
        gw_drift_alert_encode(alert, &lane->value) != GW_OK) {
        return gw_fail(err, GW_E_MEMORY, "no memory to encode an alert");
    }
    lane->counts.alerts++;
    gw_loop_commit_soon(lane->loop); // somebody waits for it
    return emit(lane, GW_TOPIC_DRIFT_ALERTS, alert->model_name, err);
}

// ---- process --------------------------------------------------------------------------------------------------------

static gw_status process_label(struct gw_monitor_lane *lane, const struct gw_monitor_pending *pending,
                               enum gw_outcome *ret_outcome, gw_err *err)
{
    const struct gw_monitor_owned *owned = &lane->owned[GW_MONITOR_LABELS][pending->partition];
    uint64_t *watched = &lane->counts.heard[GW_MONITOR_HEARD_WATCHED];
    uint64_t watched_before = *watched;
    enum gw_monitor_outcome outcome = GW_MONITOR_INVALID;
    uint32_t unknown_heads = 0;
    GW_TRY(gw_monitor_quality_add(owned->quality, &pending->label, pending->append_time_ms, emit_quality, lane,
                                  &outcome, &unknown_heads, err));
    GW_TRY(gw_monitor_concept_add(owned->concept, &pending->label, pending->append_time_ms, emit_alert, lane,
                                  lane->counts.heard, err));
    lane->counts.samples[outcome]++;
    lane->counts.unknown_heads += unknown_heads;
    *ret_outcome = outcome == GW_MONITOR_ADDED || *watched > watched_before ? GW_OUTCOME_OUTPUT : GW_OUTCOME_IGNORED;
    return GW_OK;
}

static gw_status process_features(struct gw_monitor_lane *lane, const struct gw_monitor_pending *pending,
                                  enum gw_outcome *ret_outcome, gw_err *err)
{
    const struct gw_monitor_owned *owned = &lane->owned[GW_MONITOR_FEATURES][pending->partition];
    enum gw_monitor_fed fed = GW_MONITOR_FED_INVALID;
    GW_TRY(gw_monitor_features_add(owned->features, &pending->features, pending->append_time_ms, emit_alert, lane, &fed,
                                   err));
    lane->counts.fed[fed]++;
    *ret_outcome = fed == GW_MONITOR_FED_WATCHED ? GW_OUTCOME_OUTPUT : GW_OUTCOME_IGNORED;
    return GW_OK;
}

static gw_status process(void *worker, struct gw_loop *loop, gw_err *err)
{
    struct gw_monitor_lane *lane = worker;
    lane->loop = loop;
    for (uint32_t i = 0; i < lane->batch_count; i++) {
        const struct gw_monitor_pending *pending = &lane->batch[i];
        enum gw_outcome outcome = GW_OUTCOME_IGNORED;
        GW_TRY(pending->source == GW_MONITOR_LABELS ? process_label(lane, pending, &outcome, err)
                                                    : process_features(lane, pending, &outcome, err));
        lane->owned[pending->source][pending->partition].offset = pending->offset;
        gw_loop_settle(loop, pending->slot, outcome);
    }
    discard(lane, false);
    return GW_OK;
}

static void committed(void *worker)
{
    gw_monitor_metrics_measure(worker);
}

static void report(void *worker, struct gw_loop *loop)
{
    (void)loop;
    gw_monitor_metrics_report(worker);
}

// ---- the lane -------------------------------------------------------------------------------------------------------

static const struct gw_loop_ops ops = {.decode = decode, .process = process, .report = report, .discard = discard};

static const struct gw_loop_state_ops state_ops = {
    .takeover = gw_monitor_takeover, .flush = gw_monitor_flush, .committed = committed, .release = gw_monitor_release};

static void free_lane(void *context)
{
    struct gw_monitor_lane *lane = context;
    if (lane == NULL) {
        return;
    }
    if (lane->reader != NULL) {
        for (int32_t p = 0; p < lane->partition_count; p++) {
            gw_monitor_release(lane, GW_MONITOR_LABELS, p);
            gw_monitor_release(lane, GW_MONITOR_FEATURES, p);
        }
    }
    gw_state_reader_free(lane->reader);
    gw_monitor_references_free(lane->references);
    gw_arena_deinit(&lane->arena);
    gw_buf_deinit(&lane->key);
    gw_buf_deinit(&lane->value);
    gw_buf_deinit(&lane->scratch);
    gw_mem_free(lane->batch);
    gw_mem_free(lane);
}

static gw_status check_counts(struct gw_monitor_lane *lane, gw_err *err)
{
    uint32_t states = gw_runtime_partitions(lane->runtime, GW_TOPIC_MONITOR_STATE);
    static const enum gw_topic inputs[] = {GW_TOPIC_LABEL_SAMPLES, GW_TOPIC_FEATURE_SAMPLES};
    for (size_t i = 0; i < GW_COUNT_OF(inputs); i++) {
        uint32_t samples = gw_runtime_partitions(lane->runtime, inputs[i]);
        if (samples != states || samples > GW_MONITOR_PARTITIONS_MAX) {
            return gw_fail(
                err, GW_E_CONFIG, "'%s' and '%s' have %u and %u partitions: give them one count of at most %d",
                gw_runtime_topic(lane->runtime, inputs[i]), gw_runtime_topic(lane->runtime, GW_TOPIC_MONITOR_STATE),
                samples, states, GW_MONITOR_PARTITIONS_MAX);
        }
    }
    lane->partition_count = (int32_t)states;
    return GW_OK;
}

// A promise that cannot be kept is refused; one that is too weak for the detectors is kept better than asked.
static gw_status check_promise(const struct gw_config *config, const struct gw_monitor_drift_options *drift,
                               gw_err *err)
{
    double days = gw_config_double(config, GW_OPT_MONITOR_DRIFT_DAYS);
    double rate = gw_config_double(config, GW_OPT_MONITOR_DRIFT_RATE);
    double asked = gw_drift_promise_threshold(days, rate);
    if (asked > GW_DRIFT_THRESHOLD_MAX) {
        return gw_fail(
            err, GW_E_CONFIG,
            "monitor.drift_days %g at monitor.drift_rate %g needs a threshold of %.3g rows, at most %.3g can "
            "be had: promise fewer days",
            days, rate, asked, (double)GW_DRIFT_THRESHOLD_MAX);
    }
    if (asked < drift->bank.threshold || asked < drift->loss.threshold) {
        gw_log_warn("monitor.promise_raised",
                    "asked_rows=%.3g features_rows=%.3g concept_rows=%.3g because='detectors need so much evidence to "
                    "name what has drifted (monitor.drift_names)'",
                    asked, drift->bank.threshold, drift->loss.threshold);
    }
    return GW_OK;
}

static gw_status take_options(struct gw_monitor_lane *lane, gw_err *err)
{
    const struct gw_config *config = lane->runtime->config;
    struct gw_monitor_drift_options drift = gw_monitor_drift_options(config);
    int64_t ahead_ms = gw_config_duration_us(config, GW_OPT_MONITOR_AHEAD) / 1000;
    int64_t idle_ms = gw_config_duration_us(config, GW_OPT_MONITOR_VERSION_IDLE) / 1000;
    uint32_t versions_max = (uint32_t)gw_config_u64(config, GW_OPT_MONITOR_VERSIONS_MAX);
    lane->quality_options = (struct gw_monitor_quality_options){
        .width_ms = gw_config_duration_us(config, GW_OPT_MONITOR_WINDOW) / 1000,
        .lateness_ms = gw_config_duration_us(config, GW_OPT_MONITOR_LATENESS) / 1000,
        .ahead_ms = ahead_ms,
        .windows_max = (uint32_t)gw_config_u64(config, GW_OPT_MONITOR_WINDOWS_MAX),
        .models_max = (uint32_t)gw_config_u64(config, GW_OPT_MONITOR_MODELS_MAX),
    };
    lane->concept_options = (struct gw_monitor_concept_options){.loss = drift.loss,
                                                                .reference = gw_monitor_references_get,
                                                                .reference_context = lane->references,
                                                                .versions_max = versions_max,
                                                                .idle_ms = idle_ms,
                                                                .ahead_ms = ahead_ms};
    lane->features_options = (struct gw_monitor_features_options){.bank = drift.bank,
                                                                  .reference = gw_monitor_references_get,
                                                                  .reference_context = lane->references,
                                                                  .versions_max = versions_max,
                                                                  .idle_ms = idle_ms,
                                                                  .ahead_ms = ahead_ms};
    return check_promise(config, &drift, err);
}

static gw_status init(struct gw_monitor_lane *lane, gw_err *err)
{
    const struct gw_runtime *runtime = lane->runtime;
    gw_arena_init(&lane->arena, 1 << 16, ARENA_LIMIT_BYTES);
    GW_TRY(gw_monitor_references_new(runtime, "godwit monitor", &lane->references, err));
    GW_TRY(take_options(lane, err));
    GW_TRY(check_counts(lane, err));
    GW_TRY(gw_monitor_metrics_init(lane, err));
    return gw_state_reader_new(&runtime->kafka, gw_runtime_topic(runtime, GW_TOPIC_MONITOR_STATE), &lane->reader, err);
}

static gw_status make_lane(const struct gw_runtime *runtime, uint32_t slot, struct gw_lane *to, gw_err *err)
{
    static const enum gw_topic inputs[GW_MONITOR_SOURCES] = {
        [GW_MONITOR_LABELS] = GW_TOPIC_LABEL_SAMPLES, [GW_MONITOR_FEATURES] = GW_TOPIC_FEATURE_SAMPLES};
    struct gw_monitor_lane *lane = gw_mem_calloc(1, sizeof *lane);
    if (lane == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for monitor");
    }
    lane->runtime = runtime;
    lane->slot = slot;
    gw_status status = init(lane, err);
    if (status != GW_OK) {
        free_lane(lane);
        return status;
    }
    const struct gw_lane_options options = {
        .worker = "monitor",
        .slot = slot,
        .group = "monitor",
        .commit = GW_LANE_TRANSACTIONS,
        .inputs = inputs,
        .input_count = GW_COUNT_OF(inputs),
        .ops = &ops,
        .state = &state_ops,
        .context = lane,
        .free_context = free_lane,
        .commit_interval_us = gw_config_duration_us(runtime->config, GW_OPT_MONITOR_COMMIT_INTERVAL),
    };
    return gw_lane_init(to, runtime, &options, err);
}

gw_status gw_monitor_lanes(const struct gw_runtime *runtime, struct gw_lanes *lanes, struct gw_worker_state *ret_state,
                           gw_err *err)
{
    (void)ret_state;
    return gw_lanes_add(lanes, runtime, (uint32_t)gw_config_u64(runtime->config, GW_OPT_MONITOR_THREADS), make_lane,
                        err);
}
