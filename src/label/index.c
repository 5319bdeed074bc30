// SPDX-License-Identifier: MIT
#include "label/index.h"

#include "base/check.h"
#include "base/mem.h"

#include <string.h>

enum { BUCKETS_MIN = 256 };

void gw_label_index_init(struct gw_label_index *index, const struct gw_label_slab *slab, size_t link_offset)
{
    *index = (struct gw_label_index){.slab = slab, .link_offset = link_offset};
}

void gw_label_index_deinit(struct gw_label_index *index)
{
    gw_mem_free(index->heads);
    gw_label_index_init(index, index->slab, index->link_offset);
}

static struct gw_label_link *link_of(const struct gw_label_index *index, uint32_t item)
{
    return (struct gw_label_link *)((uint8_t *)gw_label_slab_at(index->slab, item) + index->link_offset);
}

// Each chain is turned round first: insertion at the head then keeps the old order.
static void move_items(struct gw_label_index *to, const struct gw_label_index *from)
{
    for (uint32_t b = 0; from->heads != NULL && b <= from->mask; b++) {
        uint32_t reversed = GW_LABEL_NONE;
        for (uint32_t item = from->heads[b]; item != GW_LABEL_NONE;) {
            struct gw_label_link *link = link_of(from, item);
            uint32_t next = link->next;
            link->next = reversed;
            reversed = item;
            item = next;
        }
        for (uint32_t item = reversed; item != GW_LABEL_NONE;) {
            struct gw_label_link *link = link_of(from, item);
            uint32_t next = link->next;
            link->next = to->heads[link->hash & to->mask];
            to->heads[link->hash & to->mask] = item;
            item = next;
        }
    }
}

gw_status gw_label_index_reserve(struct gw_label_index *index, gw_err *err)
{
    if (index->heads != NULL && index->count <= index->mask) {
        return GW_OK;
    }
    size_t buckets = index->heads == NULL ? BUCKETS_MIN : 2 * ((size_t)index->mask + 1);
    struct gw_label_index larger = *index;
    larger.heads = gw_mem_realloc(NULL, buckets, sizeof *larger.heads);
    if (larger.heads == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for an index of %zu buckets", buckets);
    }
    memset(larger.heads, 0xff, buckets * sizeof *larger.heads); // GW_LABEL_NONE
    larger.mask = (uint32_t)(buckets - 1);
    move_items(&larger, index);
    gw_mem_free(index->heads);
    *index = larger;
    return GW_OK;
}

void gw_label_index_insert(struct gw_label_index *index, uint32_t item, uint32_t hash)
{
    uint32_t *head = &index->heads[hash & index->mask];
    *link_of(index, item) = (struct gw_label_link){.next = *head, .hash = hash};
    *head = item;
    index->count++;
}

void gw_label_index_remove(struct gw_label_index *index, uint32_t item)
{
    struct gw_label_link *link = link_of(index, item);
    uint32_t *at = &index->heads[link->hash & index->mask];
    while (*at != item) {
        GW_ASSERT(*at != GW_LABEL_NONE);
        at = &link_of(index, *at)->next;
    }
    *at = link->next;
    index->count--;
}

static uint32_t skip_others(const struct gw_label_index *index, uint32_t item, uint32_t hash)
{
    while (item != GW_LABEL_NONE && link_of(index, item)->hash != hash) {
        item = link_of(index, item)->next;
    }
    return item;
}

uint32_t gw_label_index_first(const struct gw_label_index *index, uint32_t hash)
{
    return index->heads == NULL ? GW_LABEL_NONE : skip_others(index, index->heads[hash & index->mask], hash);
}

uint32_t gw_label_index_next(const struct gw_label_index *index, uint32_t item)
{
    const struct gw_label_link *link = link_of(index, item);
    return skip_others(index, link->next, link->hash);
}

size_t gw_label_index_bytes(const struct gw_label_index *index)
{
    return index->heads == NULL ? 0 : ((size_t)index->mask + 1) * sizeof *index->heads;
}
