// SPDX-License-Identifier: MIT
// How far in append time each side of a partition was read, and which side has to wait for the other (STREAMS 19, 20).
//
// A side was read up to the append time of its last record; on an idle one, up to the time at which the log's end was
// asked that has since been reached, less a margin for clocks. The served side's time is the join's progress. The side
// that is more than a minute ahead stands still; one at its end is never behind, because asking raises its time. A lane
// that is full stops the input that fills it, until windows close or actions find theirs.
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "worker/label_internal.h"

enum {
    AHEAD_MAX_MS = 60 * 1000,
    AHEAD_RESUME_MS = 30 * 1000,
    IDLE_MARGIN_MS = 5000,
    ASK_TIMEOUT_MS = 1000,
    ASK_INTERVAL_US = 1000 * 1000,
    FULL_LOG_US = 60 * 1000 * 1000,
};

static const enum gw_topic input_topics[GW_LABEL_SOURCES] = {GW_TOPIC_SERVED_CANDIDATES, GW_TOPIC_ENTITY_EVENTS};

// ---- time -----------------------------------------------------------------------------------------------------------

static void visit_reached(void *context, uint32_t source, int32_t partition, int64_t next_offset,
                          int64_t last_append_time_ms)
{
    struct gw_label_lane *lane = context;
    struct gw_label_side *side = &lane->partitions[partition].sides[source];
    (void)last_append_time_ms;
    if (side->asked_end >= 0 && next_offset >= side->asked_end) {
        side->read_to_ms = GW_MAX(side->read_to_ms, side->asked_ms - IDLE_MARGIN_MS);
        side->asked_end = -1;
    }
}

gw_status gw_label_note_progress(struct gw_label_lane *lane, gw_err *err)
{
    gw_loop_each_partition(lane->loop, visit_reached, lane);
    for (int32_t p = 0; p < lane->partition_count; p++) {
        struct gw_label_partition *owned = &lane->partitions[p];
        int64_t time_ms = owned->sides[GW_LABEL_SERVED].read_to_ms;
        if (owned->ready && time_ms >= 0) {
            GW_TRY(gw_label_join_progress(owned->join, time_ms, err));
        }
    }
    return GW_OK;
}

struct asking {
    struct gw_label_lane *lane;
    struct gw_kafka_position positions[GW_LABEL_PARTITIONS_MAX * GW_LABEL_SOURCES];
    struct gw_label_side *sides[GW_LABEL_PARTITIONS_MAX * GW_LABEL_SOURCES];
    size_t count;
};

static void visit_ask(void *context, uint32_t source, int32_t partition, int64_t next_offset,
                      int64_t last_append_time_ms)
{
    struct asking *asking = context;
    struct gw_label_side *side = &asking->lane->partitions[partition].sides[source];
    (void)next_offset;
    (void)last_append_time_ms;
    if (side->asked_end < 0) { // else the last answer has not been reached yet
        asking->sides[asking->count] = side;
        asking->positions[asking->count++] =
            (struct gw_kafka_position){.topic = gw_runtime_topic(asking->lane->runtime, input_topics[source]),
                                       .partition = partition,
                                       .offset = GW_KAFKA_OFFSET_END};
    }
}

void gw_label_ask_ends(struct gw_label_lane *lane)
{
    uint64_t now_us = gw_clock_mono_us();
    if (now_us - lane->asked_us < ASK_INTERVAL_US) {
        return;
    }
    lane->asked_us = now_us;
    struct asking asking;
    asking.lane = lane;
    asking.count = 0;
    gw_loop_each_partition(lane->loop, visit_ask, &asking);
    int64_t asked_ms = gw_clock_wall_ms();
    gw_err err = {0};
    if (gw_kafka_admin_log_offsets(lane->admin, asking.positions, asking.count, ASK_TIMEOUT_MS, &err) != GW_OK) {
        gw_log(GW_LOG_DEBUG, "label.ends_unknown", "reason='%s'", err.message);
        return; // asked again in a second; until then time stands
    }
    for (size_t i = 0; i < asking.count; i++) {
        if (asking.positions[i].offset >= 0) {
            asking.sides[i]->asked_ms = asked_ms;
            asking.sides[i]->asked_end = asking.positions[i].offset;
        }
    }
}

// ---- pace -----------------------------------------------------------------------------------------------------------

static bool is_ahead(const struct gw_label_side *side, const struct gw_label_side *other)
{
    if (side->read_to_ms == GW_LABEL_NEVER) {
        return false;
    }
    bool waits = (side->hold & GW_LABEL_HOLD_AHEAD) != 0;
    int64_t limit_ms = waits ? AHEAD_RESUME_MS : AHEAD_MAX_MS;
    return other->read_to_ms == GW_LABEL_NEVER || side->read_to_ms - other->read_to_ms > limit_ms;
}

// With hysteresis: full is over when an eighth is free again.
static bool over(uint64_t held, uint64_t bound, bool was_full)
{
    return held >= (was_full ? bound - bound / 8 : bound);
}

static void find_full(const struct gw_label_lane *lane, bool ret_full[GW_LABEL_SOURCES])
{
    uint64_t windows = 0;
    uint64_t bytes = 0;
    uint64_t actions = 0;
    for (int32_t p = 0; p < lane->partition_count; p++) {
        if (lane->partitions[p].ready) {
            struct gw_label_join_stats stats;
            gw_label_join_stats(lane->partitions[p].join, &stats);
            windows += stats.windows;
            bytes += stats.payload_bytes;
            actions += stats.actions;
        }
    }
    bool served_was = lane->full_since_us[GW_LABEL_SERVED] != 0;
    bool actions_was = lane->full_since_us[GW_LABEL_ACTIONS] != 0;
    ret_full[GW_LABEL_SERVED] =
        over(windows, lane->windows_max, served_was) || over(bytes, lane->memory_max, served_was);
    ret_full[GW_LABEL_ACTIONS] = over(actions, lane->actions_max, actions_was);
}

static void note_full(struct gw_label_lane *lane, const bool full[GW_LABEL_SOURCES])
{
    static const char *const options[GW_LABEL_SOURCES] = {"label.windows_max or label.memory", "label.actions_max"};
    uint64_t now_us = gw_clock_mono_us();
    for (int s = 0; s < GW_LABEL_SOURCES; s++) {
        uint64_t since_us = lane->full_since_us[s];
        lane->full_since_us[s] = !full[s] ? 0 : since_us == 0 ? now_us : since_us;
        if (full[s] && since_us != 0 && now_us - since_us > FULL_LOG_US &&
            now_us - lane->full_logged_us > FULL_LOG_US) {
            lane->full_logged_us = now_us;
            gw_log_error("label.full", "input=%s seconds=%llu action='see that the other input moves, or raise %s'",
                         gw_runtime_topic(lane->runtime, input_topics[s]),
                         (unsigned long long)((now_us - since_us) / 1000000), options[s]);
        }
    }
}

void gw_label_pace(struct gw_label_lane *lane)
{
    bool full[GW_LABEL_SOURCES];
    find_full(lane, full);
    note_full(lane, full);
    for (int32_t p = 0; p < lane->partition_count; p++) {
        struct gw_label_partition *owned = &lane->partitions[p];
        for (uint32_t s = 0; owned->ready && s < GW_LABEL_SOURCES; s++) {
            struct gw_label_side *side = &owned->sides[s];
            const struct gw_label_side *other = &owned->sides[GW_LABEL_SOURCES - 1 - s];
            if (!side->claimed) {
                continue;
            }
            uint8_t hold =
                (uint8_t)((is_ahead(side, other) ? GW_LABEL_HOLD_AHEAD : 0) | (full[s] ? GW_LABEL_HOLD_FULL : 0));
            if (hold != side->hold) {
                gw_log(GW_LOG_DEBUG, "label.hold", "source=%u partition=%d hold=%u", s, p, hold);
            }
            side->hold = hold;
            gw_loop_hold(lane->loop, s, p, hold != 0); // each time: one that is not being read yet cannot be held
        }
    }
}
