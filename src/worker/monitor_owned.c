// SPDX-License-Identifier: MIT
// Partitions of monitor, and their state in the changelog.
//
// The partitions of both inputs and of the changelog have one numbering. A partition of an input takes over the entries
// of its own topic and no others; so the changelog's partition is read once for each input, and neither input waits for
// the other.
#include "worker/monitor_internal.h"

#include "avro/framing.h"
#include "base/check.h"
#include "base/log.h"
#include "records/monitor_state.h"
#include "worker/monitor_changelog.h"

enum { TAKEOVER_BUDGET_MS = 20 };

const char *gw_monitor_source_topic(const struct gw_monitor_lane *lane, enum gw_monitor_source source)
{
    return gw_runtime_topic(lane->runtime,
                            source == GW_MONITOR_LABELS ? GW_TOPIC_LABEL_SAMPLES : GW_TOPIC_FEATURE_SAMPLES);
}

// The versions that are watched over this input.
static struct gw_monitor_watches *watches_of(const struct gw_monitor_owned *owned)
{
    return owned->features != NULL ? gw_monitor_features_watches(owned->features)
                                   : gw_monitor_concept_watches(owned->concept);
}

// ---- flush ----------------------------------------------------------------------------------------------------------

struct flush {
    struct gw_monitor_lane *lane;
    enum gw_monitor_source source;
    int32_t partition;
};

static gw_status encode_state(struct gw_monitor_lane *lane, const struct gw_monitor_state *record, gw_err *err)
{
    const struct gw_monitor_key key = {
        .model = record->model_name, .topic = record->topic, .detector = record->detector};
    gw_buf_clear(&lane->key);
    gw_buf_clear(&lane->value);
    GW_TRY(gw_monitor_key_write(&key, &lane->key, err));
    if (record->state.data != NULL &&
        (gw_avro_frame_begin(&lane->value, gw_runtime_schema_id(lane->runtime, GW_TOPIC_MONITOR_STATE)) != GW_OK ||
         gw_monitor_state_encode(record, &lane->value) != GW_OK)) {
        return gw_fail(err, GW_E_MEMORY, "no memory to encode state");
    }
    return GW_OK;
}

static gw_status emit_state(void *context, struct gw_slice model, struct gw_slice detector, struct gw_slice state,
                            gw_err *err)
{
    const struct flush *flush = context;
    struct gw_monitor_lane *lane = flush->lane;
    const struct gw_monitor_state record = {.model_name = model,
                                            .topic = gw_slice_text(gw_monitor_source_topic(lane, flush->source)),
                                            .detector = detector,
                                            .state = state,
                                            .offset = lane->owned[flush->source][flush->partition].offset};
    GW_TRY(encode_state(lane, &record, err));
    const struct gw_kafka_output output = {.topic = gw_runtime_topic(lane->runtime, GW_TOPIC_MONITOR_STATE),
                                           .partition = flush->partition,
                                           .key = gw_buf_slice(&lane->key),
                                           .value =
                                               state.data != NULL ? gw_buf_slice(&lane->value) : (struct gw_slice){0}};
    lane->counts.state_entries++;
    lane->counts.state_bytes += lane->key.size + lane->value.size;
    return gw_loop_emit(lane->loop, &output, err);
}

gw_status gw_monitor_flush(void *worker, struct gw_loop *loop, gw_err *err)
{
    struct gw_monitor_lane *lane = worker;
    lane->loop = loop;
    for (int s = 0; s < GW_MONITOR_SOURCES; s++) {
        for (int32_t p = 0; p < lane->partition_count; p++) {
            const struct gw_monitor_owned *owned = &lane->owned[s][p];
            struct flush flush = {.lane = lane, .source = (enum gw_monitor_source)s, .partition = p};
            if (!owned->held) {
                continue;
            }
            if (owned->quality != NULL) {
                GW_TRY(gw_monitor_quality_flush(owned->quality, emit_state, &flush, err));
            }
            GW_TRY(gw_monitor_watches_flush(watches_of(owned), emit_state, &flush, err));
        }
    }
    return GW_OK;
}

// ---- takeover -------------------------------------------------------------------------------------------------------

static void free_owned(struct gw_monitor_owned *owned)
{
    gw_monitor_quality_free(owned->quality);
    gw_monitor_concept_free(owned->concept);
    gw_monitor_features_free(owned->features);
    *owned = (struct gw_monitor_owned){.offset = -1};
}

void gw_monitor_release(void *worker, uint32_t source, int32_t partition)
{
    struct gw_monitor_lane *lane = worker;
    if (partition < lane->partition_count) {
        if (gw_state_reader_partition(lane->reader) == partition && lane->reading == source) {
            gw_state_reader_cancel(lane->reader);
        }
        free_owned(&lane->owned[source][partition]);
    }
}

static gw_status hold(struct gw_monitor_lane *lane, enum gw_monitor_source source, struct gw_monitor_owned *owned,
                      gw_err *err)
{
    bool made = true;
    owned->held = true;
    owned->offset = -1;
    if (source == GW_MONITOR_LABELS) {
        owned->quality = gw_monitor_quality_new(&lane->quality_options);
        owned->concept = gw_monitor_concept_new(&lane->concept_options);
        made = owned->quality != NULL && owned->concept != NULL;
    } else {
        owned->features = gw_monitor_features_new(&lane->features_options);
        made = owned->features != NULL;
    }
    return made ? GW_OK : gw_fail(err, GW_E_MEMORY, "no memory for a partition's state");
}

struct restore {
    struct gw_monitor_lane *lane;
    enum gw_monitor_source source;
    struct gw_monitor_owned *owned;
};

static gw_status restore_entry(const struct restore *restore, const struct gw_kafka_record *record, gw_err *err)
{
    struct gw_monitor_lane *lane = restore->lane;
    struct gw_monitor_owned *owned = restore->owned;
    struct gw_monitor_key key;
    struct gw_monitor_state state = {0};
    bool is_watch = false;
    GW_TRY(gw_monitor_key_read(record->key, &key, err));
    if (!gw_slice_is(key.topic, gw_monitor_source_topic(lane, restore->source))) {
        return GW_OK; // the other input's
    }
    if (record->value.data != NULL) {
        struct gw_slice body;
        GW_TRY(gw_schema_gate_open(gw_runtime_gate(lane->runtime, GW_TOPIC_MONITOR_STATE), record->value,
                                   &lane->scratch, &lane->arena, &body, err));
        GW_TRY(gw_monitor_state_decode(body, &lane->arena, &state, err));
        owned->offset = GW_MAX(owned->offset, state.offset);
    }
    if (owned->quality != NULL && gw_monitor_quality_owns(key.detector)) {
        return gw_monitor_quality_restore(owned->quality, key.model, key.detector, state.state, err);
    }
    return gw_monitor_watches_restore(watches_of(owned), key.model, key.detector, state.state, &is_watch, err);
}

static gw_status visit_state(void *context, const struct gw_kafka_record *record, gw_err *err)
{
    const struct restore *restore = context;
    gw_status status = restore_entry(restore, record, err);
    gw_arena_clear(&restore->lane->arena);
    if (status == GW_OK) {
        return GW_OK;
    }
    gw_status blame = gw_status_class(status) == GW_CLASS_RECORD ? GW_E_MISMATCH : status;
    return gw_fail_context(err, blame, "state of partition %d at offset %lld", record->partition,
                           (long long)record->offset);
}

static gw_status read_changelog(struct gw_monitor_lane *lane, enum gw_monitor_source source, int32_t partition,
                                gw_err *err)
{
    struct gw_monitor_owned *owned = &lane->owned[source][partition];
    bool idle = gw_state_reader_partition(lane->reader) < 0;
    if (!owned->held) {
        if (!idle) {
            return GW_OK; // one at a time
        }
        GW_TRY(hold(lane, source, owned, err));
        lane->reading = source;
        GW_TRY(gw_state_reader_begin(lane->reader, partition, 0, err));
    } else if (idle || lane->reading != source || gw_state_reader_partition(lane->reader) != partition) {
        return GW_OK;
    }
    struct restore restore = {.lane = lane, .source = source, .owned = owned};
    return gw_state_reader_step(lane->reader, TAKEOVER_BUDGET_MS, visit_state, &restore, &owned->read, err);
}

static gw_status end_takeover(const struct gw_monitor_lane *lane, enum gw_monitor_source source, int32_t partition,
                              gw_err *err)
{
    const struct gw_monitor_owned *owned = &lane->owned[source][partition];
    struct gw_monitor_quality_stats quality = {0};
    if (owned->quality != NULL) {
        GW_TRY(gw_monitor_quality_restored(owned->quality, err));
        quality = gw_monitor_quality_stats(owned->quality);
    }
    struct gw_monitor_watches_stats watches = gw_monitor_watches_stats(watches_of(owned));
    gw_log_info("monitor.taken_over", "topic=%s partition=%d models=%u windows=%u watched=%u open_alerts=%u",
                gw_monitor_source_topic(lane, source), partition, quality.models, quality.open_windows,
                watches.versions, watches.open_alerts);
    if (quality.stale_entries > 0) {
        gw_log_warn("monitor.window_changed", "partition=%d entries=%u action='open windows start anew'", partition,
                    quality.stale_entries);
    }
    return GW_OK;
}

gw_status gw_monitor_takeover(void *worker, uint32_t source, int32_t partition, int64_t offset, bool *ret_done,
                              gw_err *err)
{
    struct gw_monitor_lane *lane = worker;
    struct gw_monitor_owned *owned = &lane->owned[source][partition];
    gw_status status = GW_OK;
    (void)offset;
    *ret_done = false;
    GW_ASSERT(partition < lane->partition_count); // the loop has compared the counts
    if (!owned->read) {
        status = read_changelog(lane, source, partition, err);
    }
    if (status == GW_OK && owned->read) {
        status = gw_monitor_watches_restored(watches_of(owned), err);
        if (gw_status_class(status) == GW_CLASS_RETRY) {
            return status; // the registry is away: what was read stays, and only this is tried again
        }
        if (status == GW_OK) {
            status = end_takeover(lane, source, partition, err);
        }
        *ret_done = status == GW_OK;
    }
    if (status != GW_OK) { // from the start again: an entry may be missing now
        gw_monitor_release(lane, source, partition);
    }
    return status;
}
