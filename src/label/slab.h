// SPDX-License-Identifier: MIT
// Items of one size by 32-bit index, in pages that never move: growth copies nothing, and a freed item is used again
// before a new page is taken. One owning thread.
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define GW_LABEL_NONE UINT32_MAX

enum { GW_LABEL_PAGE_SHIFT = 10, GW_LABEL_PAGE_ITEMS = 1 << GW_LABEL_PAGE_SHIFT };

struct gw_label_slab {
    uint8_t **pages;
    size_t item_bytes; // at least 8, a multiple of 8
    uint32_t page_count;
    uint32_t page_capacity;
    uint32_t free_head; // chained through the first four bytes of freed items
    uint32_t high;      // indices below were in use at some time
    uint32_t used;      // items in use
};

void gw_label_slab_init(struct gw_label_slab *slab, size_t item_bytes);
void gw_label_slab_deinit(struct gw_label_slab *slab);

// Gives a zeroed item. GW_E_MEMORY leaves the slab as it was.
GW_CHECK gw_status gw_label_slab_take(struct gw_label_slab *slab, uint32_t *ret_index, gw_err *err);
// Zeroes the item and takes it back.
void gw_label_slab_give_back(struct gw_label_slab *slab, uint32_t index);

size_t gw_label_slab_bytes(const struct gw_label_slab *slab);

// The item; valid until it is given back.
static inline void *gw_label_slab_at(const struct gw_label_slab *slab, uint32_t index)
{
    return slab->pages[index >> GW_LABEL_PAGE_SHIFT] + (index & (GW_LABEL_PAGE_ITEMS - 1)) * slab->item_bytes;
}
