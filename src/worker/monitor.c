// SPDX-License-Identifier: MIT
// monitor: live quality of what is served, from predictions whose outcome is final.
//
//   label_samples ──► model_quality        state: monitor_state, at the input's partition number
//
// A model's samples are in one partition, so its windows are one member's. What they say is in monitor_quality.h; here
// samples are read, closed windows become records, and the state goes to the changelog, all in the transaction that
// commits the offsets. Nothing asks the clock: the same log gives the same bytes.
//
// An entry of the changelog has the key (model, topic, detector), so that what watches another topic of the same
// partition keeps its entries beside ours; whoever takes over a partition reads those of its own topic.
#include "avro/framing.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "records/monitor_state.h"
#include "worker/lane.h"
#include "worker/monitor_changelog.h"
#include "worker/monitor_quality.h"
#include "worker/state.h"
#include "worker/worker.h"

#include <stdio.h>
#include <string.h>

enum {
    PARTITIONS_MAX = 256,
    ARENA_LIMIT_BYTES = 256 << 20,
    TAKEOVER_BUDGET_MS = 20,
};

struct owned {
    struct gw_monitor_quality *quality; // NULL: not held
    int64_t offset;                     // of the last sample
};

// A sample between decode and process.
struct pending {
    struct gw_label_sample sample;
    int32_t partition;
    int64_t offset;
    int64_t append_time_ms;
    uint32_t slot;
};

struct monitor {
    const struct gw_runtime *runtime;
    struct gw_monitor_quality_options quality_options;
    struct gw_state_reader *reader;
    struct owned owned[PARTITIONS_MAX];
    int32_t partition_count;
    struct gw_arena arena; // one batch
    struct pending *batch;
    uint32_t batch_count;
    uint32_t batch_capacity;
    struct gw_loop *loop; // while a hook runs, for the sinks
    struct gw_buf key;
    struct gw_buf value;
    struct gw_buf scratch;

    struct gw_metric *samples[GW_MONITOR_OUTCOME_COUNT];
    struct gw_metric *unknown_heads;
    struct gw_metric *records;
    struct gw_metric *open_windows;
    uint64_t samples_pending[GW_MONITOR_OUTCOME_COUNT]; // counted when they are committed
    uint64_t unknown_heads_pending;
    uint64_t records_pending;
};

// ---- decode ---------------------------------------------------------------------------------------------------------

static gw_status decode(void *worker, struct gw_loop *loop, const struct gw_input *input, gw_err *err)
{
    struct monitor *self = worker;
    (void)loop;
    if (input->body.data == NULL) {
        return gw_fail(err, GW_E_INVALID, "a tombstone is no sample");
    }
    if (self->batch_count == self->batch_capacity) {
        uint32_t capacity = self->batch_capacity > 0 ? self->batch_capacity * 2 : 1024;
        struct pending *batch = gw_mem_realloc(self->batch, capacity, sizeof *batch);
        if (batch == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for a batch of samples");
        }
        self->batch = batch;
        self->batch_capacity = capacity;
    }
    struct pending *pending = &self->batch[self->batch_count];
    *pending = (struct pending){.partition = input->partition,
                                .offset = input->offset,
                                .append_time_ms = input->append_time_ms,
                                .slot = input->slot};
    GW_TRY(gw_label_sample_decode(input->body, &self->arena, &pending->sample, err));
    self->batch_count++;
    return GW_OK;
}

static void discard(void *worker, bool aborted)
{
    struct monitor *self = worker;
    self->batch_count = 0;
    gw_arena_clear(&self->arena);
    if (aborted) {
        memset(self->samples_pending, 0, sizeof self->samples_pending);
        self->unknown_heads_pending = 0;
        self->records_pending = 0;
    }
}

// ---- process --------------------------------------------------------------------------------------------------------

static gw_status emit_quality(void *context, const struct gw_model_quality *record, gw_err *err)
{
    struct monitor *self = context;
    gw_buf_clear(&self->value);
    if (gw_avro_frame_begin(&self->value, gw_runtime_schema_id(self->runtime, GW_TOPIC_MODEL_QUALITY)) != GW_OK ||
        gw_model_quality_encode(record, &self->value) != GW_OK) {
        return gw_fail(err, GW_E_MEMORY, "no memory to encode a model's quality");
    }
    const struct gw_slice key = record->model_name;
    uint32_t count = gw_runtime_partitions(self->runtime, GW_TOPIC_MODEL_QUALITY);
    const struct gw_kafka_output output = {.topic = gw_runtime_topic(self->runtime, GW_TOPIC_MODEL_QUALITY),
                                           .partition = (int32_t)gw_hash_partition(key.data, key.size, count),
                                           .key = key,
                                           .value = gw_buf_slice(&self->value)};
    self->records_pending++;
    return gw_loop_emit(self->loop, &output, err);
}

static gw_status process(void *worker, struct gw_loop *loop, gw_err *err)
{
    struct monitor *self = worker;
    self->loop = loop;
    for (uint32_t i = 0; i < self->batch_count; i++) {
        const struct pending *pending = &self->batch[i];
        struct owned *owned = &self->owned[pending->partition];
        enum gw_monitor_outcome outcome = GW_MONITOR_INVALID;
        uint32_t unknown_heads = 0;
        GW_TRY(gw_monitor_quality_add(owned->quality, &pending->sample, pending->append_time_ms, emit_quality, self,
                                      &outcome, &unknown_heads, err));
        owned->offset = pending->offset;
        self->samples_pending[outcome]++;
        self->unknown_heads_pending += unknown_heads;
        gw_loop_settle(loop, pending->slot, outcome == GW_MONITOR_ADDED ? GW_OUTCOME_OUTPUT : GW_OUTCOME_IGNORED);
    }
    discard(self, false);
    return GW_OK;
}

// ---- the changelog --------------------------------------------------------------------------------------------------

struct flush {
    struct monitor *self;
    int32_t partition;
};

static gw_status emit_state(void *context, struct gw_slice model, struct gw_slice detector, struct gw_slice state,
                            gw_err *err)
{
    const struct flush *flush = context;
    struct monitor *self = flush->self;
    const struct gw_slice topic = gw_slice_text(gw_runtime_topic(self->runtime, GW_TOPIC_LABEL_SAMPLES));
    gw_buf_clear(&self->key);
    gw_buf_clear(&self->value);
    const struct gw_monitor_key key = {.model = model, .topic = topic, .detector = detector};
    bool made = true;
    GW_TRY(gw_monitor_key_write(&key, &self->key, err));
    if (state.data != NULL) {
        const struct gw_monitor_state record = {.model_name = model,
                                                .topic = topic,
                                                .detector = detector,
                                                .state = state,
                                                .offset = self->owned[flush->partition].offset};
        made =
            gw_avro_frame_begin(&self->value, gw_runtime_schema_id(self->runtime, GW_TOPIC_MONITOR_STATE)) == GW_OK &&
            gw_monitor_state_encode(&record, &self->value) == GW_OK;
    }
    if (!made) {
        return gw_fail(err, GW_E_MEMORY, "no memory to encode state");
    }
    const struct gw_kafka_output output = {.topic = gw_runtime_topic(self->runtime, GW_TOPIC_MONITOR_STATE),
                                           .partition = flush->partition,
                                           .key = gw_buf_slice(&self->key),
                                           .value =
                                               state.data != NULL ? gw_buf_slice(&self->value) : (struct gw_slice){0}};
    return gw_loop_emit(self->loop, &output, err);
}

static gw_status flush(void *worker, struct gw_loop *loop, gw_err *err)
{
    struct monitor *self = worker;
    self->loop = loop;
    for (int32_t p = 0; p < self->partition_count; p++) {
        struct flush context = {.self = self, .partition = p};
        if (self->owned[p].quality != NULL) {
            GW_TRY(gw_monitor_quality_flush(self->owned[p].quality, emit_state, &context, err));
        }
    }
    return GW_OK;
}

static void committed(void *worker)
{
    struct monitor *self = worker;
    uint64_t open = 0;
    for (int32_t p = 0; p < self->partition_count; p++) {
        if (self->owned[p].quality != NULL) {
            open += gw_monitor_quality_stats(self->owned[p].quality).open_windows;
        }
    }
    gw_metric_set(self->open_windows, (double)open);
}

static void report(void *worker, struct gw_loop *loop)
{
    struct monitor *self = worker;
    (void)loop;
    for (int i = 0; i < GW_MONITOR_OUTCOME_COUNT; i++) {
        gw_metric_add(self->samples[i], self->samples_pending[i]);
        self->samples_pending[i] = 0;
    }
    gw_metric_add(self->unknown_heads, self->unknown_heads_pending);
    gw_metric_add(self->records, self->records_pending);
    self->unknown_heads_pending = 0;
    self->records_pending = 0;
}

// ---- takeover -------------------------------------------------------------------------------------------------------

struct restore {
    struct monitor *self;
    struct owned *owned;
};

static gw_status restore_state(struct monitor *self, struct owned *owned, const struct gw_kafka_record *record,
                               gw_err *err)
{
    struct gw_monitor_key key;
    struct gw_monitor_state state = {0};
    GW_TRY(gw_monitor_key_read(record->key, &key, err));
    if (!gw_slice_is(key.topic, gw_runtime_topic(self->runtime, GW_TOPIC_LABEL_SAMPLES)) ||
        !gw_monitor_quality_owns(key.detector)) {
        return GW_OK; // another detector's
    }
    if (record->value.data != NULL) {
        struct gw_slice body;
        GW_TRY(gw_schema_gate_open(gw_runtime_gate(self->runtime, GW_TOPIC_MONITOR_STATE), record->value,
                                   &self->scratch, &self->arena, &body, err));
        GW_TRY(gw_monitor_state_decode(body, &self->arena, &state, err));
        owned->offset = GW_MAX(owned->offset, state.offset);
    }
    return gw_monitor_quality_restore(owned->quality, key.model, key.detector, state.state, err);
}

static gw_status visit_state(void *context, const struct gw_kafka_record *record, gw_err *err)
{
    const struct restore *restore = context;
    gw_status status = restore_state(restore->self, restore->owned, record, err);
    gw_arena_clear(&restore->self->arena);
    if (status == GW_OK) {
        return GW_OK;
    }
    gw_status blame = gw_status_class(status) == GW_CLASS_RECORD ? GW_E_MISMATCH : status;
    return gw_fail_context(err, blame, "state of partition %d at offset %lld", record->partition,
                           (long long)record->offset);
}

static void release(void *worker, uint32_t source, int32_t partition)
{
    struct monitor *self = worker;
    (void)source;
    if (partition < self->partition_count) {
        if (gw_state_reader_partition(self->reader) == partition) {
            gw_state_reader_cancel(self->reader);
        }
        gw_monitor_quality_free(self->owned[partition].quality);
        self->owned[partition] = (struct owned){.offset = -1};
    }
}

static gw_status begin_takeover(struct monitor *self, struct owned *owned, int32_t partition, gw_err *err)
{
    owned->offset = -1;
    owned->quality = gw_monitor_quality_new(&self->quality_options);
    if (owned->quality == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for live quality");
    }
    return gw_state_reader_begin(self->reader, partition, 0, err);
}

static gw_status end_takeover(const struct owned *owned, int32_t partition, gw_err *err)
{
    GW_TRY(gw_monitor_quality_restored(owned->quality, err));
    struct gw_monitor_quality_stats stats = gw_monitor_quality_stats(owned->quality);
    gw_log_info("monitor.taken_over", "partition=%d models=%u windows=%u", partition, stats.models, stats.open_windows);
    if (stats.stale_entries > 0) {
        gw_log_warn("monitor.window_changed", "partition=%d entries=%u action='open windows start anew'", partition,
                    stats.stale_entries);
    }
    return GW_OK;
}

static gw_status takeover(void *worker, uint32_t source, int32_t partition, int64_t offset, bool *ret_done, gw_err *err)
{
    struct monitor *self = worker;
    (void)offset;
    *ret_done = false;
    GW_ASSERT(partition < self->partition_count); // the loop has compared the counts
    struct owned *owned = &self->owned[partition];
    gw_status status = GW_OK;
    if (owned->quality == NULL) {
        if (gw_state_reader_partition(self->reader) >= 0) {
            return GW_OK; // one at a time
        }
        status = begin_takeover(self, owned, partition, err);
    }
    if (status == GW_OK && gw_state_reader_partition(self->reader) == partition) {
        struct restore restore = {.self = self, .owned = owned};
        status = gw_state_reader_step(self->reader, TAKEOVER_BUDGET_MS, visit_state, &restore, ret_done, err);
        if (status == GW_OK && *ret_done) {
            status = end_takeover(owned, partition, err);
        }
    }
    if (status != GW_OK) { // from the start again: an entry may be missing now
        *ret_done = false;
        release(self, source, partition);
    }
    return status;
}

static const struct gw_loop_ops ops = {.decode = decode, .process = process, .report = report, .discard = discard};
static const struct gw_loop_state_ops state_ops = {
    .takeover = takeover, .flush = flush, .committed = committed, .release = release};

// ---- life -----------------------------------------------------------------------------------------------------------

static void free_monitor(void *worker)
{
    struct monitor *self = worker;
    for (int32_t p = 0; p < PARTITIONS_MAX; p++) {
        gw_monitor_quality_free(self->owned[p].quality);
    }
    gw_state_reader_free(self->reader);
    gw_arena_deinit(&self->arena);
    gw_buf_deinit(&self->key);
    gw_buf_deinit(&self->value);
    gw_buf_deinit(&self->scratch);
    gw_mem_free(self->batch);
    gw_mem_free(self);
}

static gw_status check_counts(struct monitor *self, gw_err *err)
{
    uint32_t samples = gw_runtime_partitions(self->runtime, GW_TOPIC_LABEL_SAMPLES);
    uint32_t states = gw_runtime_partitions(self->runtime, GW_TOPIC_MONITOR_STATE);
    if (samples != states || samples > PARTITIONS_MAX) {
        return gw_fail(err, GW_E_CONFIG, "'%s' and '%s' have %u and %u partitions: give them one count of at most %d",
                       gw_runtime_topic(self->runtime, GW_TOPIC_LABEL_SAMPLES),
                       gw_runtime_topic(self->runtime, GW_TOPIC_MONITOR_STATE), samples, states, PARTITIONS_MAX);
    }
    self->partition_count = (int32_t)samples;
    return GW_OK;
}

static gw_status make_metrics(struct monitor *self, gw_err *err)
{
    struct gw_metrics *metrics = self->runtime->metrics;
    bool ok = true;
    for (int i = 0; i < GW_MONITOR_OUTCOME_COUNT; i++) {
        char labels[48];
        snprintf(labels, sizeof labels, "outcome=\"%s\"", gw_monitor_outcome_name((enum gw_monitor_outcome)i));
        self->samples[i] = gw_metrics_counter(metrics, "godwit_monitor_samples_total", labels,
                                              "Label samples: added to a window, or why not.");
        ok = ok && self->samples[i] != NULL;
    }
    self->unknown_heads = gw_metrics_counter(metrics, "godwit_monitor_unknown_heads_total", "",
                                             "Heads of samples whose name is no label: nobody can judge them.");
    self->records = gw_metrics_counter(metrics, "godwit_monitor_quality_records_total", "",
                                       "Records of model_quality written and committed.");
    self->open_windows = gw_metrics_gauge(metrics, "godwit_monitor_open_windows", "", "Quality windows that are open.");
    ok = ok && self->unknown_heads != NULL && self->records != NULL && self->open_windows != NULL;
    return ok ? GW_OK : gw_fail(err, GW_E_MEMORY, "no memory for metrics");
}

static gw_status init(struct monitor *self, gw_err *err)
{
    const struct gw_runtime *runtime = self->runtime;
    const struct gw_config *config = runtime->config;
    gw_arena_init(&self->arena, 1 << 16, ARENA_LIMIT_BYTES);
    self->quality_options = (struct gw_monitor_quality_options){
        .width_ms = gw_config_duration_us(config, GW_OPT_MONITOR_WINDOW) / 1000,
        .lateness_ms = gw_config_duration_us(config, GW_OPT_MONITOR_LATENESS) / 1000,
        .ahead_ms = gw_config_duration_us(config, GW_OPT_MONITOR_AHEAD) / 1000,
        .windows_max = (uint32_t)gw_config_u64(config, GW_OPT_MONITOR_WINDOWS_MAX),
        .models_max = (uint32_t)gw_config_u64(config, GW_OPT_MONITOR_MODELS_MAX),
    };
    GW_TRY(check_counts(self, err));
    GW_TRY(make_metrics(self, err));
    return gw_state_reader_new(&runtime->kafka, gw_runtime_topic(runtime, GW_TOPIC_MONITOR_STATE), &self->reader, err);
}

static gw_status make_lane(const struct gw_runtime *runtime, uint32_t slot, struct gw_lane *lane, gw_err *err)
{
    static const enum gw_topic inputs[] = {GW_TOPIC_LABEL_SAMPLES};
    struct monitor *self = gw_mem_calloc(1, sizeof *self);
    if (self == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for monitor");
    }
    self->runtime = runtime;
    gw_status status = init(self, err);
    if (status != GW_OK) {
        free_monitor(self);
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
        .context = self,
        .free_context = free_monitor,
        .commit_interval_us = gw_config_duration_us(runtime->config, GW_OPT_MONITOR_COMMIT_INTERVAL),
    };
    return gw_lane_init(lane, runtime, &options, err);
}

gw_status gw_monitor_lanes(const struct gw_runtime *runtime, struct gw_lanes *lanes, struct gw_worker_state *ret_state,
                           gw_err *err)
{
    (void)ret_state;
    return gw_lanes_add(lanes, runtime, (uint32_t)gw_config_u64(runtime->config, GW_OPT_MONITOR_THREADS), make_lane,
                        err);
}
