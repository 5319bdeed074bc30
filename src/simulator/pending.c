// SPDX-License-Identifier: MIT
#include "simulator/pending.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdbool.h>

void gw_sim_heap_deinit(struct gw_sim_heap *heap)
{
    gw_mem_free(heap->items);
    *heap = (struct gw_sim_heap){0};
}

static bool before(const struct gw_sim_pending *a, const struct gw_sim_pending *b)
{
    return a->time_ms != b->time_ms ? a->time_ms < b->time_ms : a->order < b->order;
}

gw_status gw_sim_heap_push(struct gw_sim_heap *heap, struct gw_sim_pending item, gw_err *err)
{
    if (heap->count == heap->capacity) {
        size_t capacity = heap->capacity > 0 ? heap->capacity * 2 : 1024;
        struct gw_sim_pending *items = gw_mem_realloc(heap->items, capacity, sizeof *items);
        if (items == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for %zu pending events", capacity);
        }
        heap->items = items;
        heap->capacity = capacity;
    }
    item.order = heap->pushed++;
    size_t at = heap->count++;
    while (at > 0 && before(&item, &heap->items[(at - 1) / 2])) {
        heap->items[at] = heap->items[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap->items[at] = item;
    return GW_OK;
}

struct gw_sim_pending gw_sim_heap_pop(struct gw_sim_heap *heap)
{
    GW_ASSERT(heap->count > 0);
    struct gw_sim_pending first = heap->items[0];
    struct gw_sim_pending last = heap->items[--heap->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= heap->count) {
            break;
        }
        if (child + 1 < heap->count && before(&heap->items[child + 1], &heap->items[child])) {
            child++;
        }
        if (!before(&heap->items[child], &last)) {
            break;
        }
        heap->items[at] = heap->items[child];
        at = child;
    }
    if (heap->count > 0) {
        heap->items[at] = last;
    }
    return first;
}
