// SPDX-License-Identifier: MIT
#include "label/slab.h"

#include "base/check.h"
#include "base/mem.h"

#include <string.h>

void gw_label_slab_init(struct gw_label_slab *slab, size_t item_bytes)
{
    GW_ASSERT(item_bytes >= 8 && item_bytes % 8 == 0);
    *slab = (struct gw_label_slab){.item_bytes = item_bytes, .free_head = GW_LABEL_NONE};
}

void gw_label_slab_deinit(struct gw_label_slab *slab)
{
    for (uint32_t i = 0; i < slab->page_count; i++) {
        gw_mem_free(slab->pages[i]);
    }
    gw_mem_free(slab->pages);
    gw_label_slab_init(slab, slab->item_bytes);
}

static gw_status add_page(struct gw_label_slab *slab, gw_err *err)
{
    if (slab->page_count == slab->page_capacity) {
        uint32_t capacity = slab->page_capacity == 0 ? 16 : slab->page_capacity * 2;
        uint8_t **pages = gw_mem_realloc(slab->pages, capacity, sizeof *pages);
        if (pages == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for %u pages", capacity);
        }
        slab->pages = pages;
        slab->page_capacity = capacity;
    }
    uint8_t *page = gw_mem_calloc(GW_LABEL_PAGE_ITEMS, slab->item_bytes);
    if (page == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a page of %zu-byte items", slab->item_bytes);
    }
    slab->pages[slab->page_count++] = page;
    return GW_OK;
}

gw_status gw_label_slab_take(struct gw_label_slab *slab, uint32_t *ret_index, gw_err *err)
{
    uint32_t index = slab->free_head;
    if (index != GW_LABEL_NONE) {
        uint8_t *item = gw_label_slab_at(slab, index);
        memcpy(&slab->free_head, item, sizeof slab->free_head);
        memset(item, 0, sizeof slab->free_head);
    } else {
        index = slab->high;
        if (index >> GW_LABEL_PAGE_SHIFT == slab->page_count) {
            GW_TRY(add_page(slab, err));
        }
        slab->high++;
    }
    slab->used++;
    *ret_index = index;
    return GW_OK;
}

void gw_label_slab_give_back(struct gw_label_slab *slab, uint32_t index)
{
    uint8_t *item = gw_label_slab_at(slab, index);
    memset(item, 0, slab->item_bytes);
    memcpy(item, &slab->free_head, sizeof slab->free_head);
    slab->free_head = index;
    slab->used--;
}

size_t gw_label_slab_bytes(const struct gw_label_slab *slab)
{
    return slab->page_count * (slab->item_bytes * GW_LABEL_PAGE_ITEMS) + slab->page_capacity * sizeof *slab->pages;
}
