// SPDX-License-Identifier: MIT
// The join's state as changelog entries. Payloads are little-endian:
//
//   window  u8 version, u8 1 = initial negative sent, u16 replayed bits, i32 position, i64 served_at, i64 appended,
//           i64 author, u32 impressed, u32 engaged, u32 facts[8], then the served payload
//   action  u8 version, u8 1 = waiting | 2 = kept for bit 5, u16 0, i32 number, i32 surface, u32 0, i64 user, tweet,
//           author, join id, dwell, time, appended, arrival
//   mark    u8 version, 7 zero bytes, i64 time
#include "label/join_internal.h"

#include "base/check.h"

#include <stddef.h>
#include <string.h>

enum {
    VERSION = 1,
    FACT_WORDS = sizeof(struct gw_label_facts) / sizeof(uint32_t),
    WINDOW_BYTES = 40 + 4 * FACT_WORDS,
    ACTION_BYTES = 80,
    MARK_BYTES = 16,
    WINDOW_KEY_BYTES = 25,
    ACTION_KEY_BYTES = 17,
    MARK_KEY_BYTES = 9,
    TOPIC_PROGRESS = -1,
    TOPIC_CLOCK = -2,
};
_Static_assert(sizeof(struct gw_label_facts) == 32, "facts are words, in the order of the struct");

static void store_i64(uint8_t *to, int64_t value)
{
    gw_store_le64(to, (uint64_t)value);
}

static int64_t load_i64(const uint8_t *from)
{
    return (int64_t)gw_load_le64(from);
}

// ---- flush ----------------------------------------------------------------------------------------------------------

static void start_entry(struct gw_label_entry *entry, enum gw_label_entry_kind kind, uint8_t key_bytes)
{
    *entry = (struct gw_label_entry){.kind = kind, .key_bytes = key_bytes};
    entry->key[0] = (uint8_t)kind;
}

static void start_window_entry(struct gw_label_entry *entry, const struct gw_label_window *window)
{
    start_entry(entry, GW_LABEL_ENTRY_WINDOW, WINDOW_KEY_BYTES);
    gw_store_be64(entry->key + 1, (uint64_t)window->user_id);
    gw_store_be64(entry->key + 9, (uint64_t)window->join_id);
    gw_store_be64(entry->key + 17, (uint64_t)window->tweet_id);
}

static gw_status give_window(struct gw_label_join *join, const struct gw_label_window *window,
                             const struct gw_label_state_sink *sink, gw_err *err)
{
    struct gw_label_entry entry;
    start_window_entry(&entry, window);
    uint8_t head[WINDOW_BYTES] = {VERSION, (window->flags & GW_LABEL_INITIAL_SENT) != 0, (uint8_t)window->replayed,
                                  (uint8_t)(window->replayed >> 8)};
    gw_store_le32(head + 4, (uint32_t)window->position);
    store_i64(head + 8, window->served_at_ms);
    store_i64(head + 16, window->appended_ms);
    store_i64(head + 24, window->author_id);
    gw_store_le32(head + 32, window->impressed);
    gw_store_le32(head + 36, window->engaged);
    uint32_t facts[FACT_WORDS];
    memcpy(facts, &window->facts, sizeof facts);
    for (size_t i = 0; i < FACT_WORDS; i++) {
        gw_store_le32(head + 40 + 4 * i, facts[i]);
    }
    gw_buf_clear(&join->scratch);
    if (gw_buf_append(&join->scratch, head, sizeof head) != GW_OK ||
        gw_label_window_payload(join, window, &join->scratch) != GW_OK) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a state entry of %u bytes", window->payload_bytes);
    }
    entry.user_id = window->user_id;
    entry.join_id = window->join_id;
    entry.tweet_id = window->tweet_id;
    entry.bits = gw_label_facts_bits(&window->facts);
    entry.served_at_ms = window->served_at_ms;
    entry.impressed_at_ms =
        window->impressed == 0 ? 0 : window->served_at_ms + gw_label_moment_after_ms(window->impressed);
    entry.payload = gw_buf_slice(&join->scratch);
    return sink->entry(sink->context, &entry, err);
}

static void start_action_entry(struct gw_label_entry *entry, const struct gw_label_held *held)
{
    start_entry(entry, GW_LABEL_ENTRY_ACTION, ACTION_KEY_BYTES);
    memcpy(entry->key + 1, held->action.event_id, sizeof held->action.event_id);
}

static gw_status give_action(const struct gw_label_held *held, const struct gw_label_state_sink *sink, gw_err *err)
{
    const struct gw_label_action *action = &held->action;
    struct gw_label_entry entry;
    start_action_entry(&entry, held);
    bool waiting = (held->flags & GW_LABEL_WAITING) != 0;
    bool engaged = (held->flags & GW_LABEL_ENGAGED) != 0;
    uint8_t body[ACTION_BYTES] = {VERSION, (uint8_t)(waiting + 2 * engaged)};
    gw_store_le32(body + 4, (uint32_t)action->number);
    gw_store_le32(body + 8, (uint32_t)action->surface);
    store_i64(body + 16, action->user_id);
    store_i64(body + 24, action->tweet_id);
    store_i64(body + 32, action->author_id);
    store_i64(body + 40, action->join_id);
    store_i64(body + 48, action->dwell_ms);
    store_i64(body + 56, action->time_ms);
    store_i64(body + 64, action->appended_ms);
    store_i64(body + 72, held->arrival_ms);
    entry.user_id = action->user_id;
    entry.join_id = action->join_id;
    entry.tweet_id = action->tweet_id;
    entry.payload = gw_slice_make(body, sizeof body);
    return sink->entry(sink->context, &entry, err);
}

static gw_status give_mark(int32_t topic, int32_t partition, int64_t time_ms, const struct gw_label_state_sink *sink,
                           gw_err *err)
{
    struct gw_label_entry entry;
    start_entry(&entry, GW_LABEL_ENTRY_MARK, MARK_KEY_BYTES);
    gw_store_be32(entry.key + 1, (uint32_t)topic);
    gw_store_be32(entry.key + 5, (uint32_t)partition);
    uint8_t body[MARK_BYTES] = {VERSION};
    store_i64(body + 8, time_ms);
    entry.payload = gw_slice_make(body, sizeof body);
    return sink->entry(sink->context, &entry, err);
}

static gw_status give_tombstone(struct gw_label_entry *entry, const struct gw_label_state_sink *sink, gw_err *err)
{
    entry->tombstone = true;
    return sink->entry(sink->context, entry, err);
}

static gw_status flush_windows(struct gw_label_join *join, const struct gw_label_state_sink *sink, gw_err *err)
{
    while (join->dirty_windows.head != GW_LABEL_NONE) {
        uint32_t index = join->dirty_windows.head;
        struct gw_label_window *window = gw_label_window_at(join, index);
        join->dirty_windows.head = window->dirty_next;
        if (window->flags & GW_LABEL_LIVE) {
            window->flags = (window->flags & ~(uint32_t)GW_LABEL_DIRTY) | GW_LABEL_PERSISTED;
            GW_TRY(give_window(join, window, sink, err));
            continue;
        }
        struct gw_label_entry entry;
        start_window_entry(&entry, window);
        bool persisted = (window->flags & GW_LABEL_PERSISTED) != 0;
        gw_label_slab_give_back(&join->windows, index);
        if (persisted) {
            GW_TRY(give_tombstone(&entry, sink, err));
        }
    }
    return GW_OK;
}

static gw_status flush_actions(struct gw_label_join *join, const struct gw_label_state_sink *sink, gw_err *err)
{
    while (join->dirty_held.head != GW_LABEL_NONE) {
        uint32_t index = join->dirty_held.head;
        struct gw_label_held *held = gw_label_held_at(join, index);
        join->dirty_held.head = held->dirty_next;
        if (held->flags & GW_LABEL_LIVE) {
            held->flags = (held->flags & ~(uint32_t)GW_LABEL_DIRTY) | GW_LABEL_PERSISTED;
            GW_TRY(give_action(held, sink, err));
            continue;
        }
        struct gw_label_entry entry;
        start_action_entry(&entry, held);
        bool persisted = (held->flags & GW_LABEL_PERSISTED) != 0;
        gw_label_slab_give_back(&join->held, index);
        if (persisted) {
            GW_TRY(give_tombstone(&entry, sink, err));
        }
    }
    return GW_OK;
}

gw_status gw_label_join_flush(struct gw_label_join *join, const struct gw_label_state_sink *sink, gw_err *err)
{
    GW_TRY(flush_windows(join, sink, err));
    GW_TRY(flush_actions(join, sink, err));
    for (uint32_t i = 0; i < join->mark_count; i++) {
        struct gw_label_mark *mark = &join->marks[i];
        if (mark->dirty) {
            mark->dirty = false;
            GW_TRY(give_mark(mark->topic, mark->partition, mark->time_ms, sink, err));
        }
    }
    if (join->progress_dirty) {
        join->progress_dirty = false;
        GW_TRY(give_mark(TOPIC_PROGRESS, 0, join->progress_ms, sink, err));
    }
    if (join->clock_dirty) {
        join->clock_dirty = false;
        GW_TRY(give_mark(TOPIC_CLOCK, 0, join->clock_ms, sink, err));
    }
    return GW_OK;
}

// ---- restore --------------------------------------------------------------------------------------------------------

static gw_status restore_window(struct gw_label_join *join, const struct gw_label_entry *entry, gw_err *err)
{
    struct gw_label_served served = {.user_id = (int64_t)gw_load_be64(entry->key + 1),
                                     .join_id = (int64_t)gw_load_be64(entry->key + 9),
                                     .tweet_id = (int64_t)gw_load_be64(entry->key + 17)};
    uint32_t index = gw_label_window_find(join, served.user_id, served.join_id, served.tweet_id);
    if (index != GW_LABEL_NONE) {
        gw_label_window_unlink(join, index);
        gw_label_slab_give_back(&join->windows, index);
    }
    if (entry->tombstone) {
        return GW_OK;
    }
    const uint8_t *head = entry->payload.data;
    served.position = (int32_t)gw_load_le32(head + 4);
    served.served_at_ms = load_i64(head + 8);
    served.appended_ms = load_i64(head + 16);
    served.author_id = load_i64(head + 24);
    served.payload = gw_slice_make(head + WINDOW_BYTES, entry->payload.size - WINDOW_BYTES);
    if (!gw_label_time_ok(served.served_at_ms) || !gw_label_time_ok(served.appended_ms) ||
        served.payload.size > UINT32_MAX) {
        return gw_fail(err, GW_E_MISMATCH, "state of a window with a time or size out of range");
    }
    GW_TRY(gw_label_index_reserve(&join->clicked, err));
    GW_TRY(gw_label_window_open(join, &served, &index, err));
    struct gw_label_window *window = gw_label_window_at(join, index);
    window->flags |= GW_LABEL_PERSISTED | (head[1] != 0 ? GW_LABEL_INITIAL_SENT : 0);
    window->replayed = head[2] | (uint32_t)head[3] << 8;
    window->impressed = gw_load_le32(head + 32);
    window->engaged = gw_load_le32(head + 36);
    uint32_t facts[FACT_WORDS];
    for (size_t i = 0; i < FACT_WORDS; i++) {
        facts[i] = gw_load_le32(head + 40 + 4 * i);
    }
    memcpy(&window->facts, facts, sizeof facts);
    if (window->facts.profile_clicked != 0) {
        gw_label_window_link_clicked(join, index);
    }
    return GW_OK;
}

static gw_status restore_action(struct gw_label_join *join, const struct gw_label_entry *entry, gw_err *err)
{
    uint32_t index = gw_label_held_find(join, entry->key + 1);
    if (index != GW_LABEL_NONE) {
        gw_label_held_unlink(join, index);
        gw_label_slab_give_back(&join->held, index);
    }
    if (entry->tombstone) {
        return GW_OK;
    }
    const uint8_t *body = entry->payload.data;
    struct gw_label_action action = {.number = (int32_t)gw_load_le32(body + 4),
                                     .surface = (int32_t)gw_load_le32(body + 8),
                                     .user_id = load_i64(body + 16),
                                     .tweet_id = load_i64(body + 24),
                                     .author_id = load_i64(body + 32),
                                     .join_id = load_i64(body + 40),
                                     .dwell_ms = load_i64(body + 48),
                                     .time_ms = load_i64(body + 56),
                                     .appended_ms = load_i64(body + 64)};
    memcpy(action.event_id, entry->key + 1, sizeof action.event_id);
    uint32_t flags = (body[1] & 1 ? GW_LABEL_WAITING : 0) | (body[1] & 2 ? GW_LABEL_ENGAGED : 0);
    if (!gw_label_time_ok(action.time_ms) || flags == 0) {
        return gw_fail(err, GW_E_MISMATCH, "state of an action with a time or flags out of range");
    }
    GW_TRY(gw_label_held_add(join, &action, load_i64(body + 72), flags, &index, err));
    gw_label_held_at(join, index)->flags |= GW_LABEL_PERSISTED;
    return GW_OK;
}

static gw_status restore_mark(struct gw_label_join *join, const struct gw_label_entry *entry, gw_err *err)
{
    int32_t topic = (int32_t)gw_load_be32(entry->key + 1);
    if (entry->tombstone) {
        return gw_fail(err, GW_E_MISMATCH, "state of a mark without a value");
    }
    int64_t time_ms = load_i64(entry->payload.data + 8);
    if (time_ms != GW_LABEL_NEVER && !gw_label_time_ok(time_ms)) {
        return gw_fail(err, GW_E_MISMATCH, "state of a mark with a time out of range");
    }
    if (topic == TOPIC_PROGRESS) {
        join->progress_ms = time_ms;
        return GW_OK;
    }
    if (topic == TOPIC_CLOCK) {
        join->clock_ms = time_ms;
        return GW_OK;
    }
    return gw_label_mark_put(join, topic, (int32_t)gw_load_be32(entry->key + 5), time_ms, false, err);
}

gw_status gw_label_join_restore(struct gw_label_join *join, const struct gw_label_entry *entry, gw_err *err)
{
    static const struct {
        size_t key_bytes;
        size_t payload_min;
        size_t payload_max;
    } shapes[] = {
        [GW_LABEL_ENTRY_WINDOW] = {WINDOW_KEY_BYTES, WINDOW_BYTES, SIZE_MAX},
        [GW_LABEL_ENTRY_ACTION] = {ACTION_KEY_BYTES, ACTION_BYTES, ACTION_BYTES},
        [GW_LABEL_ENTRY_MARK] = {MARK_KEY_BYTES, MARK_BYTES, MARK_BYTES},
    };
    GW_ASSERT(join->dirty_windows.head == GW_LABEL_NONE && join->dirty_held.head == GW_LABEL_NONE);
    if (entry->key_bytes == 0 || entry->key[0] >= GW_COUNT_OF(shapes) ||
        entry->key_bytes != shapes[entry->key[0]].key_bytes) {
        return gw_fail(err, GW_E_MISMATCH, "state key of %u bytes, kind %u", entry->key_bytes, entry->key[0]);
    }
    uint8_t kind = entry->key[0];
    if (!entry->tombstone && (entry->payload.size < shapes[kind].payload_min ||
                              entry->payload.size > shapes[kind].payload_max || entry->payload.data[0] != VERSION)) {
        return gw_fail(err, GW_E_MISMATCH, "state of kind %u: %zu bytes that version %d did not write", kind,
                       entry->payload.size, VERSION);
    }
    join->heaps_stale = true;
    return kind == GW_LABEL_ENTRY_WINDOW   ? restore_window(join, entry, err)
           : kind == GW_LABEL_ENTRY_ACTION ? restore_action(join, entry, err)
                                           : restore_mark(join, entry, err);
}

static gw_status build_closing(struct gw_label_join *join, gw_err *err)
{
    join->closing.count = 0;
    for (uint32_t i = 0; i < join->windows.high; i++) {
        const struct gw_label_window *window = gw_label_window_at(join, i);
        if (window->flags & GW_LABEL_LIVE) {
            GW_TRY(gw_label_heap_reserve(&join->closing, err));
            gw_label_heap_push(&join->closing, (struct gw_label_heap_entry){.time_ms = window->served_at_ms,
                                                                            .tie = gw_label_window_tie(window),
                                                                            .item = i});
        }
    }
    return GW_OK;
}

static gw_status build_actions(struct gw_label_join *join, struct gw_label_heap *heap, uint32_t flag, gw_err *err)
{
    heap->count = 0;
    for (uint32_t i = 0; i < join->held.high; i++) {
        const struct gw_label_held *held = gw_label_held_at(join, i);
        if ((held->flags & GW_LABEL_LIVE) && (held->flags & flag)) {
            GW_TRY(gw_label_heap_reserve(heap, err));
            gw_label_heap_push(heap, (struct gw_label_heap_entry){
                                         .time_ms = held->action.time_ms, .tie = gw_label_held_tie(held), .item = i});
        }
    }
    return GW_OK;
}

gw_status gw_label_join_ready(struct gw_label_join *join, gw_err *err)
{
    if (!join->heaps_stale) {
        return GW_OK;
    }
    GW_TRY(build_closing(join, err));
    GW_TRY(build_actions(join, &join->waiting, GW_LABEL_WAITING, err));
    GW_TRY(build_actions(join, &join->engaged, GW_LABEL_ENGAGED, err));
    join->heaps_stale = false;
    return GW_OK;
}
