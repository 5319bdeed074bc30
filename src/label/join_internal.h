// SPDX-License-Identifier: MIT
// What the files of the join share: its items and the steps on them. Not for other folders.
#pragma once

#include "label/bits.h"
#include "label/heap.h"
#include "label/index.h"
#include "label/join.h"
#include "label/slab.h"

#include "base/map.h"

enum { GW_LABEL_CELL_DATA = 124 };

// Payloads lie in chains of cells of one size: no holes, whatever their sizes.
struct gw_label_cell {
    uint32_t next;
    uint8_t data[GW_LABEL_CELL_DATA];
};

// Of a slab item. Not LIVE and not DEAD: the slot is free.
enum {
    GW_LABEL_LIVE = 1,
    GW_LABEL_DEAD = 2,      // gone, the slot waits for the flush
    GW_LABEL_DIRTY = 4,     // in the list of dirty items
    GW_LABEL_PERSISTED = 8, // the changelog has its key
    // windows
    GW_LABEL_INITIAL_SENT = 16,
    GW_LABEL_CLICKED_LINKED = 32, // in the index of windows with a profile click
    // actions
    GW_LABEL_WAITING = 16, // not decided
    GW_LABEL_ENGAGED = 32, // kept for bit 5 of windows of its author
};

struct gw_label_window {
    uint32_t dirty_next; // first: free slots chain here
    uint32_t flags;
    int64_t user_id;
    int64_t join_id;
    int64_t tweet_id;
    int64_t author_id;
    int64_t served_at_ms;
    int64_t appended_ms; // at least the progress when it was given
    struct gw_label_facts facts;
    uint32_t impressed; // first moment, 0 never
    uint32_t engaged;   // first moment, 0 never
    int32_t position;
    uint32_t replayed; // bits given in a POSITIVE_REPLAY
    uint32_t cell;     // first of the payload
    uint32_t payload_bytes;
    struct gw_label_link exact;   // user, join id, tweet
    struct gw_label_link group;   // user, tweet: only the latest window of each pair is in the index
    struct gw_label_link clicked; // user, author: windows with a profile click
    uint32_t older;               // of the same user and tweet, by served_at, then join id
    uint32_t newer;
};

struct gw_label_held {
    uint32_t dirty_next;
    uint32_t flags;
    struct gw_label_action action;
    int64_t arrival_ms; // the clock when it was read
    struct gw_label_link by_id;
    struct gw_label_link pair; // user, author: ENGAGED ones
};

// First in, first out: a key's tombstone comes before its next life.
struct gw_label_dirty {
    uint32_t head;
    uint32_t tail;
};

struct gw_label_mark {
    int32_t topic;
    int32_t partition;
    int64_t time_ms; // GW_LABEL_NEVER: required, none seen
    bool dirty;
};

struct gw_label_join {
    struct gw_label_join_options options;
    struct gw_label_counts counts;

    struct gw_label_slab windows;
    struct gw_label_slab cells;
    struct gw_label_index exact;
    struct gw_label_index groups;
    struct gw_label_index clicked;
    struct gw_label_heap closing; // open windows by served_at
    struct gw_label_dirty dirty_windows;
    uint32_t window_count; // open

    struct gw_label_slab held;
    struct gw_label_index by_id;
    struct gw_label_index pairs;
    struct gw_label_heap waiting; // WAITING ones by event time
    struct gw_label_heap engaged; // ENGAGED ones by event time
    struct gw_label_dirty dirty_held;
    uint32_t held_count;

    struct gw_label_mark *marks;
    uint32_t mark_count;
    uint32_t mark_capacity;
    struct gw_map mark_index; // topic, partition -> place in marks
    int64_t clock_ms;
    int64_t progress_ms;
    bool clock_dirty;
    bool progress_dirty;

    bool heaps_stale;      // restored since they were built
    struct gw_buf scratch; // payload of the example or entry being given
};

static inline struct gw_label_window *gw_label_window_at(const struct gw_label_join *join, uint32_t index)
{
    return gw_label_slab_at(&join->windows, index);
}

static inline struct gw_label_held *gw_label_held_at(const struct gw_label_join *join, uint32_t index)
{
    return gw_label_slab_at(&join->held, index);
}

// ---- windows (join_windows.c) ---------------------------------------------------------------------------------------

uint32_t gw_label_hash3(int64_t a, int64_t b, int64_t c);

// Gives an open window, in all its indexes but not in the heap, not dirty; facts and the like are the caller's to set.
GW_CHECK gw_status gw_label_window_open(struct gw_label_join *join, const struct gw_label_served *served,
                                        uint32_t *ret_index, gw_err *err);
// Out of the indexes, payload freed. The slot and the heap are the caller's.
void gw_label_window_unlink(struct gw_label_join *join, uint32_t index);
// GW_LABEL_NONE when there is none.
uint32_t gw_label_window_find(const struct gw_label_join *join, int64_t user_id, int64_t join_id, int64_t tweet_id);
uint32_t gw_label_window_find_latest(const struct gw_label_join *join, int64_t user_id, int64_t tweet_id);
void gw_label_window_touch(struct gw_label_join *join, uint32_t index);
// Into the index of clicked windows, where its author is known and it is not there yet; room was reserved.
void gw_label_window_link_clicked(struct gw_label_join *join, uint32_t index);
uint32_t gw_label_window_tie(const struct gw_label_window *window);
// Appends the payload to `out`.
GW_CHECK gw_status gw_label_window_payload(const struct gw_label_join *join, const struct gw_label_window *window,
                                           struct gw_buf *out);
size_t gw_label_cells_for(size_t payload_bytes);

// ---- held actions (join_held.c) -------------------------------------------------------------------------------------

// Gives an item for the action with these flags, in its indexes but not in a heap, not dirty.
GW_CHECK gw_status gw_label_held_add(struct gw_label_join *join, const struct gw_label_action *action,
                                     int64_t arrival_ms, uint32_t flags, uint32_t *ret_index, gw_err *err);
uint32_t gw_label_held_find(const struct gw_label_join *join, const uint8_t event_id[16]);
void gw_label_held_touch(struct gw_label_join *join, uint32_t index);
// Drops one reason to keep it, WAITING or ENGAGED; without any it is gone. The heap is the caller's.
void gw_label_held_drop(struct gw_label_join *join, uint32_t index, uint32_t flag);
void gw_label_held_unlink(struct gw_label_join *join, uint32_t index);
uint32_t gw_label_held_tie(const struct gw_label_held *held);

// ---- matching (join_match.c) ----------------------------------------------------------------------------------------

// Gives an example of a window that was shown to the sink.
GW_CHECK gw_status gw_label_send(struct gw_label_join *join, const struct gw_label_window *window,
                                 enum gw_label_kind kind, uint32_t bits, int64_t engaged_at_ms,
                                 const struct gw_label_sink *sink, gw_err *err);
int64_t gw_label_first_engaged_ms(const struct gw_label_window *window);
void gw_label_count_action(struct gw_label_join *join, const struct gw_label_action *action,
                           enum gw_label_action_outcome outcome);
// Joins the action to its window, or counts why there is none.
GW_CHECK gw_status gw_label_decide(struct gw_label_join *join, const struct gw_label_action *action,
                                   const struct gw_label_effect *effect, int64_t arrival_ms,
                                   const struct gw_label_sink *sink, gw_err *err);
// Takes an act towards an author to the windows with a click on that author's profile; *ret_reached when to any.
GW_CHECK gw_status gw_label_engage_author(struct gw_label_join *join, const struct gw_label_action *action,
                                          int64_t arrival_ms, const struct gw_label_sink *sink, bool *ret_reached,
                                          gw_err *err);

// ---- clock (join_clock.c) -------------------------------------------------------------------------------------------

// Sets a mark without looking at the old one, NEVER included; the clock is not moved.
GW_CHECK gw_status gw_label_mark_put(struct gw_label_join *join, int32_t topic, int32_t partition, int64_t time_ms,
                                     bool dirty, gw_err *err);
void gw_label_raise_progress(struct gw_label_join *join, int64_t time_ms);

// ---- state (join_state.c) -------------------------------------------------------------------------------------------

// Builds the heaps when entries were restored since the last time.
GW_CHECK gw_status gw_label_join_ready(struct gw_label_join *join, gw_err *err);

bool gw_label_time_ok(int64_t time_ms);
