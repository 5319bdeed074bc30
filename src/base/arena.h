// SPDX-License-Identifier: MIT
// Bump allocation for the lifetime of a batch: many small pieces, freed together, bounded in total.
#pragma once

#include "base/err.h"

#include <stddef.h>

struct gw_arena_block;

// Zero-initialised is not valid: call gw_arena_init. One thread at a time.
struct gw_arena {
    struct gw_arena_block *blocks; // newest first
    size_t block_bytes;            // size of an ordinary block
    size_t limit_bytes;            // bound on the sum of all blocks; over it allocation fails
    size_t total_bytes;            // sum of the blocks held now
};

// `block_bytes` > 0 is the granularity, `limit_bytes` the bound. Allocates nothing yet.
void gw_arena_init(struct gw_arena *arena, size_t block_bytes, size_t limit_bytes);
void gw_arena_deinit(struct gw_arena *arena);

// Takes back everything at once; keeps one ordinary block for reuse.
void gw_arena_clear(struct gw_arena *arena);

// Gives `size` bytes, uninitialised, aligned to 16, valid until clear or deinit; NULL when over the limit or short.
GW_CHECK void *gw_arena_alloc(struct gw_arena *arena, size_t size);

// The same for `count` items of `size`, with overflow check.
GW_CHECK void *gw_arena_array(struct gw_arena *arena, size_t count, size_t size);
