// SPDX-License-Identifier: MIT
// Priority queue by time: a 4-ary heap with its keys inside (LaMarca and Ladner, JEA 1, 1996). Input nearly in order of
// time is pushed in O(1). Equal times leave by the tie, a hash of the item's key, so that the order does not depend on
// where an item happens to live.
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct gw_label_heap_entry {
    int64_t time_ms;
    uint32_t tie;
    uint32_t item;
};

// Zero is an empty heap.
struct gw_label_heap {
    struct gw_label_heap_entry *entries; // entries[0] is the earliest
    uint32_t count;
    uint32_t capacity;
};

void gw_label_heap_deinit(struct gw_label_heap *heap);

// Makes room for one more, so that the next push cannot fail.
GW_CHECK gw_status gw_label_heap_reserve(struct gw_label_heap *heap, gw_err *err);
void gw_label_heap_push(struct gw_label_heap *heap, struct gw_label_heap_entry entry);
void gw_label_heap_pop(struct gw_label_heap *heap); // not empty
