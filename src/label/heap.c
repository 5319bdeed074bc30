// SPDX-License-Identifier: MIT
#include "label/heap.h"

#include "base/check.h"
#include "base/macros.h"
#include "base/mem.h"

#include <stdbool.h>

enum { WAYS = 4, CAPACITY_MIN = 256 };

void gw_label_heap_deinit(struct gw_label_heap *heap)
{
    gw_mem_free(heap->entries);
    *heap = (struct gw_label_heap){0};
}

gw_status gw_label_heap_reserve(struct gw_label_heap *heap, gw_err *err)
{
    if (heap->count < heap->capacity) {
        return GW_OK;
    }
    uint32_t capacity = heap->capacity == 0 ? CAPACITY_MIN : heap->capacity * 2;
    struct gw_label_heap_entry *entries = gw_mem_realloc(heap->entries, capacity, sizeof *entries);
    if (entries == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a queue of %u", capacity);
    }
    heap->entries = entries;
    heap->capacity = capacity;
    return GW_OK;
}

static bool before(const struct gw_label_heap_entry *a, const struct gw_label_heap_entry *b)
{
    return a->time_ms != b->time_ms ? a->time_ms < b->time_ms : a->tie < b->tie;
}

void gw_label_heap_push(struct gw_label_heap *heap, struct gw_label_heap_entry entry)
{
    GW_ASSERT(heap->count < heap->capacity);
    uint32_t at = heap->count++;
    while (at > 0 && before(&entry, &heap->entries[(at - 1) / WAYS])) {
        heap->entries[at] = heap->entries[(at - 1) / WAYS];
        at = (at - 1) / WAYS;
    }
    heap->entries[at] = entry;
}

void gw_label_heap_pop(struct gw_label_heap *heap)
{
    GW_ASSERT(heap->count > 0);
    const struct gw_label_heap_entry last = heap->entries[--heap->count];
    size_t at = 0;
    for (;;) {
        size_t first = WAYS * at + 1;
        if (first >= heap->count) {
            break;
        }
        size_t least = first;
        for (size_t child = first + 1; child < GW_MIN(first + WAYS, (size_t)heap->count); child++) {
            least = before(&heap->entries[child], &heap->entries[least]) ? child : least;
        }
        if (!before(&heap->entries[least], &last)) {
            break;
        }
        heap->entries[at] = heap->entries[least];
        at = least;
    }
    heap->entries[at] = last;
}
