// SPDX-License-Identifier: MIT
// A partition of label is a partition of both inputs. The range assignor gives them to the same member, but one after
// the other and each with a life of its own in the loop: the state is taken over once, when the positions of both are
// known, and is dropped when neither is held any more, or when a transaction that has changed it was aborted.
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "worker/label_internal.h"

enum { TAKEOVER_BUDGET_MS = 20, COUNT_TIMEOUT_MS = 3000, RECOUNT_US = 30 * 1000 * 1000 };

static const enum gw_topic event_topics[GW_LABEL_EVENT_TOPICS] = { // as EntityEvent.source_topic numbers them
    GW_TOPIC_UNIFIED_USER_ACTIONS, GW_TOPIC_TWEET_EVENTS, GW_TOPIC_SOCIAL_WRITE_EVENT, GW_TOPIC_USER_MODIFICATIONS};

// ---- which source partitions must have a mark -----------------------------------------------------------------------

static gw_status require_all(const struct gw_label_lane *lane, struct gw_label_join *join, gw_err *err)
{
    for (int32_t t = 0; t < GW_LABEL_EVENT_TOPICS; t++) {
        for (int32_t p = 0; p < lane->event_partitions[t]; p++) {
            GW_TRY(gw_label_join_require(join, t, p, err));
        }
    }
    return GW_OK;
}

static gw_status count_one(struct gw_label_lane *lane, int topic, bool *ret_more, gw_err *err)
{
    const char *name = gw_runtime_topic(lane->runtime, event_topics[topic]);
    struct gw_kafka_topic_state state = {0};
    GW_TRY(gw_kafka_admin_topic_describe(lane->admin, name, COUNT_TIMEOUT_MS, &state, err));
    int32_t count = state.exists ? state.partition_count : 0;
    gw_kafka_topic_state_deinit(&state);
    if (count == 0) {
        return gw_fail(err, GW_E_UNAVAILABLE, "topic '%s' does not exist (yet)", name);
    }
    *ret_more |= count > lane->event_partitions[topic];
    lane->event_partitions[topic] = GW_MAX(lane->event_partitions[topic], count);
    return GW_OK;
}

gw_status gw_label_count_sources(struct gw_label_lane *lane, gw_err *err)
{
    uint64_t now_us = gw_clock_mono_us();
    if (lane->counted_us != 0 && now_us - lane->counted_us < RECOUNT_US) {
        return GW_OK;
    }
    bool more = false;
    for (int t = 0; t < GW_LABEL_EVENT_TOPICS; t++) {
        GW_TRY(count_one(lane, t, &more, err));
    }
    lane->counted_us = now_us;
    for (int32_t p = 0; more && p < lane->partition_count; p++) {
        if (lane->partitions[p].ready) {
            lane->partitions[p].touched = true;
            GW_TRY(require_all(lane, lane->partitions[p].join, err));
        }
    }
    return GW_OK;
}

// ---- takeover -------------------------------------------------------------------------------------------------------

struct restore {
    struct gw_label_lane *lane;
    struct gw_label_join *join;
};

static gw_status restore_entry(void *context, const struct gw_kafka_record *record, gw_err *err)
{
    struct restore *restore = context;
    struct gw_label_lane *lane = restore->lane;
    struct gw_label_window window;
    struct gw_label_entry entry;
    struct gw_slice body;
    bool tombstone = record->value.data == NULL;
    gw_status status = GW_OK;
    if (!tombstone) {
        status = gw_schema_gate_open(gw_runtime_gate(lane->runtime, GW_TOPIC_LABEL_WINDOWS), record->value,
                                     &lane->scratch, &lane->output_arena, &body, err);
        if (status == GW_OK) {
            status = gw_label_window_decode(body, &lane->output_arena, &window, err);
        }
    }
    if (status == GW_OK) {
        status = gw_label_read_entry(record->key, tombstone ? NULL : &window, &entry, err);
    }
    if (status == GW_OK) {
        status = gw_label_join_restore(restore->join, &entry, err);
    }
    gw_arena_clear(&lane->output_arena);
    if (status == GW_OK) {
        return GW_OK;
    }
    gw_status blame = gw_status_class(status) == GW_CLASS_RECORD ? GW_E_MISMATCH : status;
    return gw_fail_context(err, blame, "state of partition %d at offset %lld", record->partition,
                           (long long)record->offset);
}

static void drop_join(struct gw_label_lane *lane, int32_t partition)
{
    struct gw_label_partition *owned = &lane->partitions[partition];
    if (gw_state_reader_partition(lane->reader) == partition) {
        gw_state_reader_cancel(lane->reader);
    }
    gw_label_join_free(owned->join);
    owned->join = NULL;
    owned->ready = false;
    owned->touched = false;
    owned->reported = (struct gw_label_counts){0};
}

static gw_status restore_join(struct gw_label_lane *lane, int32_t partition, gw_err *err)
{
    struct gw_label_partition *owned = &lane->partitions[partition];
    if (owned->join == NULL) {
        if (gw_state_reader_partition(lane->reader) >= 0) {
            return GW_OK; // one at a time
        }
        GW_TRY(gw_label_count_sources(lane, err));
        GW_TRY(gw_label_join_new(&lane->join_options, &owned->join, err));
        GW_TRY(gw_state_reader_begin(lane->reader, partition, 0, err));
    }
    if (gw_state_reader_partition(lane->reader) != partition) {
        return GW_OK;
    }
    struct restore restore = {.lane = lane, .join = owned->join};
    bool done = false;
    GW_TRY(gw_state_reader_step(lane->reader, TAKEOVER_BUDGET_MS, restore_entry, &restore, &done, err));
    if (done) {
        GW_TRY(require_all(lane, owned->join, err));
        struct gw_label_join_stats stats;
        gw_label_join_stats(owned->join, &stats);
        gw_log_info("label.taken_over", "partition=%d windows=%u actions=%u", partition, stats.windows, stats.actions);
        owned->ready = true;
    }
    return GW_OK;
}

gw_status gw_label_takeover(void *worker, uint32_t source, int32_t partition, int64_t offset, bool *ret_done,
                            gw_err *err)
{
    struct gw_label_lane *lane = worker;
    (void)offset;
    *ret_done = false;
    GW_ASSERT(partition < lane->partition_count); // the loop has compared the counts
    struct gw_label_partition *owned = &lane->partitions[partition];
    if (!owned->sides[source].claimed) {
        owned->sides[source] = (struct gw_label_side){.claimed = true, .read_to_ms = GW_LABEL_NEVER, .asked_end = -1};
    }
    if (!owned->ready && owned->sides[GW_LABEL_SERVED].claimed && owned->sides[GW_LABEL_ACTIONS].claimed) {
        gw_status status = restore_join(lane, partition, err);
        if (status != GW_OK) { // from the start again: an entry may be missing now
            drop_join(lane, partition);
            return status;
        }
    }
    *ret_done = owned->ready;
    return GW_OK;
}

void gw_label_release(void *worker, uint32_t source, int32_t partition)
{
    struct gw_label_lane *lane = worker;
    if (partition >= lane->partition_count) {
        return;
    }
    struct gw_label_partition *owned = &lane->partitions[partition];
    owned->sides[source] = (struct gw_label_side){.read_to_ms = GW_LABEL_NEVER, .asked_end = -1};
    bool other_held = owned->sides[source == GW_LABEL_SERVED ? GW_LABEL_ACTIONS : GW_LABEL_SERVED].claimed;
    if (!other_held || !owned->ready) { // the other side may go on alone when this one has lost its position
        drop_join(lane, partition);
    }
}

void gw_label_drop_touched(struct gw_label_lane *lane)
{
    for (int32_t p = 0; p < lane->partition_count; p++) {
        if (lane->partitions[p].touched) {
            drop_join(lane, p);
        }
    }
}
