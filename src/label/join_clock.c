// SPDX-License-Identifier: MIT
// How far both sides were read: marks of source partitions, the clock they make, progress of the served side.
#include "label/join_internal.h"

#include "base/mem.h"

enum { MARKS_MAX = 65536, MARKS_MIN = 64 };

bool gw_label_time_ok(int64_t time_ms)
{
    return time_ms >= 0 && time_ms <= INT64_C(1) << 53;
}

static gw_status find_or_add(struct gw_label_join *join, int32_t topic, int32_t partition, uint32_t *ret_place,
                             gw_err *err)
{
    uint64_t *place = gw_map_find(&join->mark_index, (uint32_t)topic, (uint32_t)partition);
    if (place != NULL) {
        *ret_place = (uint32_t)*place;
        return GW_OK;
    }
    if (join->mark_count == MARKS_MAX) {
        return gw_fail(err, GW_E_EXHAUSTED, "more than %d source partitions", MARKS_MAX);
    }
    if (join->mark_count == join->mark_capacity) {
        uint32_t capacity = join->mark_capacity == 0 ? MARKS_MIN : join->mark_capacity * 2;
        struct gw_label_mark *marks = gw_mem_realloc(join->marks, capacity, sizeof *marks);
        if (marks == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for %u marks", capacity);
        }
        join->marks = marks;
        join->mark_capacity = capacity;
    }
    if (gw_map_put(&join->mark_index, (uint32_t)topic, (uint32_t)partition, &place, NULL) != GW_OK) {
        return gw_fail(err, GW_E_MEMORY, "no memory for the index of marks");
    }
    *place = join->mark_count;
    *ret_place = join->mark_count;
    join->marks[join->mark_count++] =
        (struct gw_label_mark){.topic = topic, .partition = partition, .time_ms = GW_LABEL_NEVER, .dirty = true};
    return GW_OK;
}

gw_status gw_label_mark_put(struct gw_label_join *join, int32_t topic, int32_t partition, int64_t time_ms, bool dirty,
                            gw_err *err)
{
    uint32_t place = 0;
    GW_TRY(find_or_add(join, topic, partition, &place, err));
    join->marks[place].time_ms = time_ms;
    join->marks[place].dirty = dirty;
    return GW_OK;
}

static gw_status check_source(int32_t topic, int32_t partition, gw_err *err)
{
    if (topic < 0 || partition < 0) {
        return gw_fail(err, GW_E_INVALID, "mark of source topic %d, partition %d", topic, partition);
    }
    return GW_OK;
}

gw_status gw_label_join_require(struct gw_label_join *join, int32_t topic, int32_t partition, gw_err *err)
{
    uint32_t place = 0;
    GW_TRY(check_source(topic, partition, err));
    return find_or_add(join, topic, partition, &place, err);
}

gw_status gw_label_join_mark(struct gw_label_join *join, int32_t topic, int32_t partition, int64_t time_ms, gw_err *err)
{
    uint32_t place = 0;
    GW_TRY(check_source(topic, partition, err));
    if (!gw_label_time_ok(time_ms)) {
        return gw_fail(err, GW_E_INVALID, "mark of time %lld", (long long)time_ms);
    }
    GW_TRY(find_or_add(join, topic, partition, &place, err));
    if (time_ms <= join->marks[place].time_ms) {
        return GW_OK;
    }
    join->marks[place].time_ms = time_ms;
    join->marks[place].dirty = true;
    int64_t least_ms = time_ms;
    for (uint32_t i = 0; i < join->mark_count; i++) {
        least_ms = GW_MIN(least_ms, join->marks[i].time_ms); // NEVER is the least of all
    }
    if (least_ms > join->clock_ms) {
        join->clock_ms = least_ms;
        join->clock_dirty = true;
    }
    return GW_OK;
}

void gw_label_raise_progress(struct gw_label_join *join, int64_t time_ms)
{
    if (time_ms > join->progress_ms) {
        join->progress_ms = time_ms;
        join->progress_dirty = true;
    }
}

gw_status gw_label_join_progress(struct gw_label_join *join, int64_t time_ms, gw_err *err)
{
    if (!gw_label_time_ok(time_ms)) {
        return gw_fail(err, GW_E_INVALID, "progress of time %lld", (long long)time_ms);
    }
    gw_label_raise_progress(join, time_ms);
    return GW_OK;
}
