// SPDX-License-Identifier: MIT
// Plain linear probing. On removal the run behind the hole is shifted back (Knuth, TAOCP 3, 6.4, algorithm R), so no
// tombstones slow later searches down.
#include "base/map.h"

#include "base/hash.h"
#include "base/mem.h"

#include <string.h>

enum { SLOTS_MIN = 16 };

struct gw_map_slot {
    uint64_t a;
    uint64_t b;
    uint64_t value;
    uint64_t used; // 0 or 1
};

void gw_map_deinit(struct gw_map *map)
{
    gw_mem_free(map->slots);
    *map = (struct gw_map){0};
}

void gw_map_clear(struct gw_map *map)
{
    if (map->slots != NULL) {
        memset(map->slots, 0, (map->mask + 1) * sizeof *map->slots);
    }
    map->count = 0;
}

static size_t home_of(const struct gw_map *map, uint64_t a, uint64_t b)
{
    return (size_t)gw_hash_mix(a ^ gw_hash_mix(b + 0x9e3779b97f4a7c15u)) & map->mask;
}

// The slot of the key, or the free slot where it belongs. The map has at least one free slot.
static struct gw_map_slot *search(const struct gw_map *map, uint64_t a, uint64_t b)
{
    for (size_t i = home_of(map, a, b);; i = (i + 1) & map->mask) {
        struct gw_map_slot *slot = &map->slots[i];
        if (!slot->used || (slot->a == a && slot->b == b)) {
            return slot;
        }
    }
}

static gw_status resize(struct gw_map *map, size_t slot_count)
{
    struct gw_map larger = {.mask = slot_count - 1, .count = map->count};
    larger.slots = gw_mem_calloc(slot_count, sizeof *larger.slots);
    if (larger.slots == NULL) {
        return GW_E_MEMORY;
    }
    for (size_t i = 0; map->slots != NULL && i <= map->mask; i++) {
        if (map->slots[i].used) {
            *search(&larger, map->slots[i].a, map->slots[i].b) = map->slots[i];
        }
    }
    gw_mem_free(map->slots);
    *map = larger;
    return GW_OK;
}

gw_status gw_map_reserve(struct gw_map *map, size_t count)
{
    if (count > SIZE_MAX / 4) {
        return GW_E_MEMORY;
    }
    size_t slot_count = map->slots != NULL ? map->mask + 1 : SLOTS_MIN;
    while (slot_count / 10 * 7 < count) { // at most 0.7 full
        slot_count *= 2;
    }
    return map->slots != NULL && slot_count == map->mask + 1 ? GW_OK : resize(map, slot_count);
}

uint64_t *gw_map_find(const struct gw_map *map, uint64_t a, uint64_t b)
{
    if (map->count == 0) {
        return NULL;
    }
    struct gw_map_slot *slot = search(map, a, b);
    return slot->used ? &slot->value : NULL;
}

gw_status gw_map_put(struct gw_map *map, uint64_t a, uint64_t b, uint64_t **ret_value, bool *ret_inserted)
{
    struct gw_map_slot *slot = map->slots != NULL ? search(map, a, b) : NULL;
    bool inserted = slot == NULL || !slot->used;
    if (inserted) {
        const struct gw_map_slot *slots = map->slots;
        GW_TRY(gw_map_reserve(map, map->count + 1));
        if (slot == NULL || map->slots != slots) {
            slot = search(map, a, b);
        }
        *slot = (struct gw_map_slot){.a = a, .b = b, .used = 1};
        map->count++;
    }
    *ret_value = &slot->value;
    if (ret_inserted != NULL) {
        *ret_inserted = inserted;
    }
    return GW_OK;
}

bool gw_map_remove(struct gw_map *map, uint64_t a, uint64_t b)
{
    if (map->count == 0) {
        return false;
    }
    struct gw_map_slot *found = search(map, a, b);
    if (!found->used) {
        return false;
    }
    size_t hole = (size_t)(found - map->slots);
    for (size_t i = (hole + 1) & map->mask; map->slots[i].used; i = (i + 1) & map->mask) {
        size_t home = home_of(map, map->slots[i].a, map->slots[i].b);
        // The key at i may move into the hole unless its home lies between the two, seen round the ring.
        if (((i - home) & map->mask) >= ((i - hole) & map->mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole] = (struct gw_map_slot){0};
    map->count--;
    return true;
}

bool gw_map_next(const struct gw_map *map, size_t *cursor, uint64_t *ret_a, uint64_t *ret_b, uint64_t **ret_value)
{
    for (; map->slots != NULL && *cursor <= map->mask; (*cursor)++) {
        struct gw_map_slot *slot = &map->slots[*cursor];
        if (slot->used) {
            *ret_a = slot->a;
            *ret_b = slot->b;
            *ret_value = &slot->value;
            (*cursor)++;
            return true;
        }
    }
    return false;
}
