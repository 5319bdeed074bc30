// SPDX-License-Identifier: MIT
// Actions that are kept: waiting to be decided, or for bit 5 of windows of their author.
#include "label/join_internal.h"

#include "base/bytes.h"

#include <string.h>

static uint32_t id_hash(const uint8_t event_id[16])
{
    return gw_label_hash3((int64_t)gw_load_le64(event_id), (int64_t)gw_load_le64(event_id + 8), 0);
}

uint32_t gw_label_held_tie(const struct gw_label_held *held)
{
    return held->by_id.hash;
}

uint32_t gw_label_held_find(const struct gw_label_join *join, const uint8_t event_id[16])
{
    uint32_t i = gw_label_index_first(&join->by_id, id_hash(event_id));
    while (i != GW_LABEL_NONE && memcmp(gw_label_held_at(join, i)->action.event_id, event_id, 16) != 0) {
        i = gw_label_index_next(&join->by_id, i);
    }
    return i;
}

gw_status gw_label_held_add(struct gw_label_join *join, const struct gw_label_action *action, int64_t arrival_ms,
                            uint32_t flags, uint32_t *ret_index, gw_err *err)
{
    uint32_t index = GW_LABEL_NONE;
    GW_TRY(gw_label_index_reserve(&join->by_id, err));
    GW_TRY(gw_label_index_reserve(&join->pairs, err));
    GW_TRY(gw_label_slab_take(&join->held, &index, err));
    *gw_label_held_at(join, index) = (struct gw_label_held){
        .dirty_next = GW_LABEL_NONE, .flags = GW_LABEL_LIVE | flags, .action = *action, .arrival_ms = arrival_ms};
    gw_label_index_insert(&join->by_id, index, id_hash(action->event_id));
    if (flags & GW_LABEL_ENGAGED) {
        gw_label_index_insert(&join->pairs, index, gw_label_hash3(action->user_id, action->author_id, 0));
    }
    join->held_count++;
    *ret_index = index;
    return GW_OK;
}

void gw_label_held_unlink(struct gw_label_join *join, uint32_t index)
{
    struct gw_label_held *held = gw_label_held_at(join, index);
    if (held->flags & GW_LABEL_ENGAGED) {
        gw_label_index_remove(&join->pairs, index);
        held->flags &= ~(uint32_t)GW_LABEL_ENGAGED;
    }
    gw_label_index_remove(&join->by_id, index);
    join->held_count--;
}

void gw_label_held_drop(struct gw_label_join *join, uint32_t index, uint32_t flag)
{
    struct gw_label_held *held = gw_label_held_at(join, index);
    if (flag == GW_LABEL_ENGAGED) {
        gw_label_index_remove(&join->pairs, index);
    }
    held->flags &= ~flag;
    if (!(held->flags & (GW_LABEL_WAITING | GW_LABEL_ENGAGED))) {
        gw_label_held_unlink(join, index);
        held->flags = (held->flags & ~(uint32_t)GW_LABEL_LIVE) | GW_LABEL_DEAD;
    }
    gw_label_held_touch(join, index);
}

void gw_label_held_touch(struct gw_label_join *join, uint32_t index)
{
    struct gw_label_held *held = gw_label_held_at(join, index);
    if (held->flags & GW_LABEL_DIRTY) {
        return;
    }
    held->flags |= GW_LABEL_DIRTY;
    held->dirty_next = GW_LABEL_NONE;
    if (join->dirty_held.head == GW_LABEL_NONE) {
        join->dirty_held.head = index;
    } else {
        gw_label_held_at(join, join->dirty_held.tail)->dirty_next = index;
    }
    join->dirty_held.tail = index;
}
