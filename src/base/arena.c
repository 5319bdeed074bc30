// SPDX-License-Identifier: MIT
#include "base/arena.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdint.h>

enum { ALIGNMENT = 16 };

struct gw_arena_block {
    struct gw_arena_block *next;
    size_t capacity;
    size_t used;
    size_t padding; // keeps `data` aligned to 16
    uint8_t data[];
};

_Static_assert(sizeof(struct gw_arena_block) % ALIGNMENT == 0, "data must start aligned");

void gw_arena_init(struct gw_arena *arena, size_t block_bytes, size_t limit_bytes)
{
    GW_ASSERT(block_bytes > 0);
    *arena = (struct gw_arena){.block_bytes = block_bytes, .limit_bytes = limit_bytes};
}

void gw_arena_deinit(struct gw_arena *arena)
{
    while (arena->blocks != NULL) {
        struct gw_arena_block *next = arena->blocks->next;
        gw_mem_free(arena->blocks);
        arena->blocks = next;
    }
    arena->total_bytes = 0;
}

void gw_arena_clear(struct gw_arena *arena)
{
    struct gw_arena_block *kept = NULL;
    while (arena->blocks != NULL) {
        struct gw_arena_block *next = arena->blocks->next;
        if (kept == NULL && arena->blocks->capacity == arena->block_bytes) {
            kept = arena->blocks;
        } else {
            gw_mem_free(arena->blocks);
        }
        arena->blocks = next;
    }
    if (kept != NULL) {
        kept->next = NULL;
        kept->used = 0;
    }
    arena->blocks = kept;
    arena->total_bytes = kept != NULL ? kept->capacity : 0;
}

void *gw_arena_alloc(struct gw_arena *arena, size_t size)
{
    size_t rounded = 0;
    if (__builtin_add_overflow(size, (size_t)ALIGNMENT - 1, &rounded)) {
        return NULL;
    }
    rounded &= ~((size_t)ALIGNMENT - 1);

    struct gw_arena_block *block = arena->blocks;
    if (block == NULL || block->capacity - block->used < rounded) {
        size_t capacity = rounded > arena->block_bytes ? rounded : arena->block_bytes;
        if (capacity > arena->limit_bytes || arena->total_bytes > arena->limit_bytes - capacity) {
            return NULL;
        }
        block = gw_mem_realloc(NULL, sizeof *block + capacity, 1);
        if (block == NULL) {
            return NULL;
        }
        *block = (struct gw_arena_block){.next = arena->blocks, .capacity = capacity};
        arena->blocks = block;
        arena->total_bytes += capacity;
    }
    void *memory = block->data + block->used;
    block->used += rounded;
    return memory;
}

void *gw_arena_array(struct gw_arena *arena, size_t count, size_t size)
{
    size_t bytes = 0;
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : gw_arena_alloc(arena, bytes);
}
