// SPDX-License-Identifier: MIT
// Open-addressing hash table from a key of up to 16 bytes (two 64-bit words) to a 64-bit value. Linear probing,
// backward-shift deletion, load at most 0.7. One owning thread.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gw_map_slot;

// Zero-initialised is an empty, valid map.
struct gw_map {
    struct gw_map_slot *slots;
    size_t mask;  // slot count - 1, slot count a power of two
    size_t count; // keys held
};

void gw_map_deinit(struct gw_map *map);
void gw_map_clear(struct gw_map *map); // keeps memory

// Makes room so that `count` keys in total need no further allocation.
GW_CHECK gw_status gw_map_reserve(struct gw_map *map, size_t count);

// Pointer to the value of (a, b), or NULL. Valid until the next put or remove.
uint64_t *gw_map_find(const struct gw_map *map, uint64_t a, uint64_t b);

// Finds or inserts (with value 0). *ret_inserted may be NULL. GW_E_MEMORY leaves the map as it was.
GW_CHECK gw_status gw_map_put(struct gw_map *map, uint64_t a, uint64_t b, uint64_t **ret_value, bool *ret_inserted);

bool gw_map_remove(struct gw_map *map, uint64_t a, uint64_t b);

// Iterates in table order: start with *cursor = 0; false at the end. Do not put or remove while iterating.
bool gw_map_next(const struct gw_map *map, size_t *cursor, uint64_t *ret_a, uint64_t *ret_b, uint64_t **ret_value);
