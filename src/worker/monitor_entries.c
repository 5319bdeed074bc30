// SPDX-License-Identifier: MIT
#include "worker/monitor_entries.h"

#include "base/mem.h"

enum { ENTRIES_MAX = 1 << 20 };

static void free_entry(struct gw_monitor_entry *entry)
{
    gw_mem_free((void *)(uintptr_t)entry->model.data); // one block holds all of it
}

void gw_monitor_entries_clear(struct gw_monitor_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        free_entry(&entries->items[i]);
    }
    gw_mem_free(entries->items);
    *entries = (struct gw_monitor_entries){0};
}

int gw_monitor_compare(struct gw_slice model_a, int32_t version_a, struct gw_slice model_b, int32_t version_b)
{
    size_t common = GW_MIN(model_a.size, model_b.size);
    int order = common > 0 ? memcmp(model_a.data, model_b.data, common) : 0;
    if (order == 0) {
        order = (model_a.size > model_b.size) - (model_a.size < model_b.size);
    }
    return order != 0 ? order : (version_a > version_b) - (version_a < version_b);
}

static int compare(const struct gw_monitor_entry *a, const struct gw_monitor_entry *b)
{
    int order = gw_monitor_compare(a->model, a->version, b->model, b->version);
    return order != 0 ? order : strcmp(a->name, b->name);
}

static size_t place_of(const struct gw_monitor_entries *entries, const struct gw_monitor_entry *entry)
{
    size_t low = 0;
    size_t high = entries->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&entries->items[middle], entry) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static gw_status no_memory(gw_err *err)
{
    return gw_fail(err, GW_E_MEMORY, "no memory for entries of state");
}

static gw_status copy_entry(const struct gw_monitor_entry *entry, struct gw_monitor_entry *ret_copy, gw_err *err)
{
    size_t name_size = strlen(entry->name) + 1;
    uint8_t *block = gw_mem_calloc(entry->model.size + name_size + entry->state.size, 1);
    if (block == NULL) {
        return no_memory(err);
    }
    uint8_t *name = block + entry->model.size;
    memcpy(block, entry->model.data, entry->model.size);
    memcpy(name, entry->name, name_size);
    if (entry->state.size > 0) {
        memcpy(name + name_size, entry->state.data, entry->state.size);
    }
    *ret_copy = (struct gw_monitor_entry){.model = gw_slice_make(block, entry->model.size),
                                          .version = entry->version,
                                          .name = (const char *)name,
                                          .state = gw_slice_make(name + name_size, entry->state.size)};
    return GW_OK;
}

static gw_status make_room(struct gw_monitor_entries *entries, gw_err *err)
{
    if (entries->count < entries->capacity) {
        return GW_OK;
    }
    size_t capacity = entries->capacity * 2 + 64;
    if (capacity > ENTRIES_MAX) {
        return gw_fail(err, GW_E_TOO_LARGE, "over %d entries of state in a partition", ENTRIES_MAX);
    }
    struct gw_monitor_entry *items = gw_mem_realloc(entries->items, capacity, sizeof *items);
    if (items == NULL) {
        return no_memory(err);
    }
    entries->items = items;
    entries->capacity = capacity;
    return GW_OK;
}

gw_status gw_monitor_entries_put(struct gw_monitor_entries *entries, const struct gw_monitor_entry *entry, gw_err *err)
{
    size_t place = place_of(entries, entry);
    struct gw_monitor_entry *at = &entries->items[place];
    bool known = place < entries->count && compare(at, entry) == 0;
    if (entry->state.data == NULL) {
        if (known) {
            free_entry(at);
            memmove(at, at + 1, (entries->count - place - 1) * sizeof *at);
            entries->count--;
        }
        return GW_OK;
    }
    struct gw_monitor_entry copy;
    if (known) {
        GW_TRY(copy_entry(entry, &copy, err));
        free_entry(at);
        *at = copy;
        return GW_OK;
    }
    GW_TRY(make_room(entries, err));
    GW_TRY(copy_entry(entry, &copy, err));
    at = &entries->items[place];
    memmove(at + 1, at, (entries->count - place) * sizeof *at);
    *at = copy;
    entries->count++;
    return GW_OK;
}

size_t gw_monitor_entries_span(const struct gw_monitor_entries *entries, size_t from)
{
    const struct gw_monitor_entry *first = &entries->items[from];
    size_t span = 1;
    while (from + span < entries->count &&
           gw_monitor_compare(entries->items[from + span].model, entries->items[from + span].version, first->model,
                              first->version) == 0) {
        span++;
    }
    return span;
}
