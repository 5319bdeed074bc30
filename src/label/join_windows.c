// SPDX-License-Identifier: MIT
// Open windows: their payload cells, and the three ways to find them.
#include "label/join_internal.h"

#include "base/check.h"
#include "base/hash.h"

#include <string.h>

uint32_t gw_label_hash3(int64_t a, int64_t b, int64_t c)
{
    uint64_t hash = gw_hash_mix((uint64_t)a + 0x9e3779b97f4a7c15u);
    hash = gw_hash_mix(hash ^ ((uint64_t)b + 0x9e3779b97f4a7c15u));
    return (uint32_t)(gw_hash_mix(hash ^ (uint64_t)c) >> 32);
}

static uint32_t exact_hash(int64_t user_id, int64_t join_id, int64_t tweet_id)
{
    return gw_label_hash3(user_id, join_id, tweet_id);
}

static uint32_t pair_hash(int64_t user_id, int64_t other_id)
{
    return gw_label_hash3(user_id, other_id, 0);
}

uint32_t gw_label_window_tie(const struct gw_label_window *window)
{
    return window->exact.hash;
}

// ---- payloads -------------------------------------------------------------------------------------------------------

size_t gw_label_cells_for(size_t payload_bytes)
{
    return payload_bytes / GW_LABEL_CELL_DATA + (payload_bytes % GW_LABEL_CELL_DATA != 0);
}

static struct gw_label_cell *cell_at(const struct gw_label_join *join, uint32_t index)
{
    return gw_label_slab_at(&join->cells, index);
}

static void free_cells(struct gw_label_join *join, uint32_t first)
{
    while (first != GW_LABEL_NONE) {
        uint32_t next = cell_at(join, first)->next;
        gw_label_slab_give_back(&join->cells, first);
        first = next;
    }
}

static gw_status store_payload(struct gw_label_join *join, struct gw_slice payload, uint32_t *ret_first, gw_err *err)
{
    uint32_t first = GW_LABEL_NONE;
    uint32_t last = GW_LABEL_NONE;
    for (size_t at = 0; at < payload.size; at += GW_LABEL_CELL_DATA) {
        uint32_t cell = GW_LABEL_NONE;
        gw_status status = gw_label_slab_take(&join->cells, &cell, err);
        if (status != GW_OK) {
            free_cells(join, first);
            return status;
        }
        cell_at(join, cell)->next = GW_LABEL_NONE;
        memcpy(cell_at(join, cell)->data, payload.data + at, GW_MIN(payload.size - at, (size_t)GW_LABEL_CELL_DATA));
        if (last == GW_LABEL_NONE) {
            first = cell;
        } else {
            cell_at(join, last)->next = cell;
        }
        last = cell;
    }
    *ret_first = first;
    return GW_OK;
}

gw_status gw_label_window_payload(const struct gw_label_join *join, const struct gw_label_window *window,
                                  struct gw_buf *out)
{
    GW_TRY(gw_buf_reserve(out, window->payload_bytes));
    size_t left = window->payload_bytes;
    for (uint32_t cell = window->cell; cell != GW_LABEL_NONE; cell = cell_at(join, cell)->next) {
        size_t bytes = GW_MIN(left, (size_t)GW_LABEL_CELL_DATA);
        GW_TRY(gw_buf_append(out, cell_at(join, cell)->data, bytes));
        left -= bytes;
    }
    return GW_OK;
}

// ---- groups: the windows of one user and tweet, the latest first ----------------------------------------------------

static bool is_later(const struct gw_label_window *a, const struct gw_label_window *b)
{
    return a->served_at_ms != b->served_at_ms ? a->served_at_ms > b->served_at_ms : a->join_id > b->join_id;
}

uint32_t gw_label_window_find_latest(const struct gw_label_join *join, int64_t user_id, int64_t tweet_id)
{
    uint32_t i = gw_label_index_first(&join->groups, pair_hash(user_id, tweet_id));
    for (; i != GW_LABEL_NONE; i = gw_label_index_next(&join->groups, i)) {
        const struct gw_label_window *window = gw_label_window_at(join, i);
        if (window->user_id == user_id && window->tweet_id == tweet_id) {
            break;
        }
    }
    return i;
}

// Candidates are served nearly in order of time, so the place is near the front.
static void join_group(struct gw_label_join *join, uint32_t index)
{
    struct gw_label_window *window = gw_label_window_at(join, index);
    uint32_t hash = pair_hash(window->user_id, window->tweet_id);
    uint32_t head = gw_label_window_find_latest(join, window->user_id, window->tweet_id);
    uint32_t newer = GW_LABEL_NONE;
    uint32_t older = head;
    while (older != GW_LABEL_NONE && !is_later(window, gw_label_window_at(join, older))) {
        newer = older;
        older = gw_label_window_at(join, older)->older;
    }
    window->older = older;
    window->newer = newer;
    if (older != GW_LABEL_NONE) {
        gw_label_window_at(join, older)->newer = index;
    }
    if (newer != GW_LABEL_NONE) {
        gw_label_window_at(join, newer)->older = index;
        return;
    }
    if (head != GW_LABEL_NONE) {
        gw_label_index_remove(&join->groups, head);
    }
    gw_label_index_insert(&join->groups, index, hash);
}

static void leave_group(struct gw_label_join *join, uint32_t index)
{
    const struct gw_label_window *window = gw_label_window_at(join, index);
    if (window->older != GW_LABEL_NONE) {
        gw_label_window_at(join, window->older)->newer = window->newer;
    }
    if (window->newer != GW_LABEL_NONE) {
        gw_label_window_at(join, window->newer)->older = window->older;
        return;
    }
    gw_label_index_remove(&join->groups, index);
    if (window->older != GW_LABEL_NONE) {
        gw_label_index_insert(&join->groups, window->older, window->group.hash);
    }
}

// ---- windows --------------------------------------------------------------------------------------------------------

uint32_t gw_label_window_find(const struct gw_label_join *join, int64_t user_id, int64_t join_id, int64_t tweet_id)
{
    uint32_t i = gw_label_index_first(&join->exact, exact_hash(user_id, join_id, tweet_id));
    for (; i != GW_LABEL_NONE; i = gw_label_index_next(&join->exact, i)) {
        const struct gw_label_window *window = gw_label_window_at(join, i);
        if (window->user_id == user_id && window->join_id == join_id && window->tweet_id == tweet_id) {
            break;
        }
    }
    return i;
}

gw_status gw_label_window_open(struct gw_label_join *join, const struct gw_label_served *served, uint32_t *ret_index,
                               gw_err *err)
{
    uint32_t cell = GW_LABEL_NONE;
    uint32_t index = GW_LABEL_NONE;
    GW_TRY(gw_label_index_reserve(&join->exact, err));
    GW_TRY(gw_label_index_reserve(&join->groups, err));
    GW_TRY(store_payload(join, served->payload, &cell, err));
    gw_status status = gw_label_slab_take(&join->windows, &index, err);
    if (status != GW_OK) {
        free_cells(join, cell);
        return status;
    }
    *gw_label_window_at(join, index) = (struct gw_label_window){.dirty_next = GW_LABEL_NONE,
                                                                .flags = GW_LABEL_LIVE,
                                                                .user_id = served->user_id,
                                                                .join_id = served->join_id,
                                                                .tweet_id = served->tweet_id,
                                                                .author_id = served->author_id,
                                                                .served_at_ms = served->served_at_ms,
                                                                .appended_ms = served->appended_ms,
                                                                .position = served->position,
                                                                .cell = cell,
                                                                .payload_bytes = (uint32_t)served->payload.size};
    gw_label_index_insert(&join->exact, index, exact_hash(served->user_id, served->join_id, served->tweet_id));
    join_group(join, index);
    join->window_count++;
    *ret_index = index;
    return GW_OK;
}

void gw_label_window_unlink(struct gw_label_join *join, uint32_t index)
{
    struct gw_label_window *window = gw_label_window_at(join, index);
    leave_group(join, index);
    gw_label_index_remove(&join->exact, index);
    if (window->flags & GW_LABEL_CLICKED_LINKED) {
        gw_label_index_remove(&join->clicked, index);
        window->flags &= ~(uint32_t)GW_LABEL_CLICKED_LINKED;
    }
    free_cells(join, window->cell);
    window->cell = GW_LABEL_NONE;
    window->payload_bytes = 0;
    join->window_count--;
}

void gw_label_window_link_clicked(struct gw_label_join *join, uint32_t index)
{
    struct gw_label_window *window = gw_label_window_at(join, index);
    if (window->author_id != 0 && !(window->flags & GW_LABEL_CLICKED_LINKED)) {
        gw_label_index_insert(&join->clicked, index, pair_hash(window->user_id, window->author_id));
        window->flags |= GW_LABEL_CLICKED_LINKED;
    }
}

void gw_label_window_touch(struct gw_label_join *join, uint32_t index)
{
    struct gw_label_window *window = gw_label_window_at(join, index);
    if (window->flags & GW_LABEL_DIRTY) {
        return;
    }
    window->flags |= GW_LABEL_DIRTY;
    window->dirty_next = GW_LABEL_NONE;
    if (join->dirty_windows.head == GW_LABEL_NONE) {
        join->dirty_windows.head = index;
    } else {
        gw_label_window_at(join, join->dirty_windows.tail)->dirty_next = index;
    }
    join->dirty_windows.tail = index;
}
