// SPDX-License-Identifier: MIT
// Events that are decided but not yet due, by time: a binary heap. Internal to simulator/.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gw_sim_pending {
    int64_t time_ms;
    uint64_t order;   // set by push: equal times leave in the order they came
    int64_t tweet_id; // 0: none
    int64_t join_id;  // 0: none
    uint32_t user;    // index of who acts
    uint32_t author;  // index of the tweet's author, or of who is followed
    uint32_t dwell_ms;
    uint16_t position;
    uint8_t kind;   // enum gw_sim_kind
    uint8_t action; // enum gw_sim_action_kind when kind is an action
    bool is_edit;   // of a tweet; else its delete
};

// Zero-initialised is empty and valid.
struct gw_sim_heap {
    struct gw_sim_pending *items;
    size_t count;
    size_t capacity;
    uint64_t pushed;
};

void gw_sim_heap_deinit(struct gw_sim_heap *heap);
GW_CHECK gw_status gw_sim_heap_push(struct gw_sim_heap *heap, struct gw_sim_pending item, gw_err *err);

// Takes the earliest item away; count > 0.
struct gw_sim_pending gw_sim_heap_pop(struct gw_sim_heap *heap);
