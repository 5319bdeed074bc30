// SPDX-License-Identifier: MIT
// Hash index over slab items through a link inside each item: eight bytes an item and four a bucket, many items a key.
//
// The index knows hashes only; the caller compares keys. Items of equal hash come in the reverse order of their
// insertion.
#pragma once

#include "label/slab.h"

struct gw_label_link {
    uint32_t next;
    uint32_t hash;
};

struct gw_label_index {
    const struct gw_label_slab *slab;
    size_t link_offset; // of the gw_label_link in the item
    uint32_t *heads;
    uint32_t mask;  // bucket count - 1
    uint32_t count; // items held
};

void gw_label_index_init(struct gw_label_index *index, const struct gw_label_slab *slab, size_t link_offset);
void gw_label_index_deinit(struct gw_label_index *index);

// Makes room for one more item, so that the next insert cannot fail.
GW_CHECK gw_status gw_label_index_reserve(struct gw_label_index *index, gw_err *err);
void gw_label_index_insert(struct gw_label_index *index, uint32_t item, uint32_t hash);
void gw_label_index_remove(struct gw_label_index *index, uint32_t item); // it is in the index

// Items of one hash: first, then next until GW_LABEL_NONE.
uint32_t gw_label_index_first(const struct gw_label_index *index, uint32_t hash);
uint32_t gw_label_index_next(const struct gw_label_index *index, uint32_t item);

size_t gw_label_index_bytes(const struct gw_label_index *index);
