// SPDX-License-Identifier: MIT
#include "base/arena.h"
#include "base/mem.h"
#include "support/testkit.h"

#include <string.h>

static void pieces_are_aligned_and_apart(void **state)
{
    (void)state;
    struct gw_arena arena;
    uint8_t *pieces[100];
    gw_arena_init(&arena, 256, 1 << 20);
    for (size_t i = 0; i < GW_COUNT_OF(pieces); i++) {
        pieces[i] = gw_arena_alloc(&arena, i + 1);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        memset(pieces[i], (int)i, i + 1);
    }
    for (size_t i = 0; i < GW_COUNT_OF(pieces); i++) {
        for (size_t j = 0; j <= i; j++) {
            assert_int_equal(pieces[i][j], i);
        }
    }
    gw_arena_deinit(&arena);
}

static void limit_bounds_the_sum_of_blocks(void **state)
{
    (void)state;
    struct gw_arena arena;
    gw_arena_init(&arena, 64, 200);
    assert_null(gw_arena_alloc(&arena, 201));
    assert_non_null(gw_arena_alloc(&arena, 64));
    assert_non_null(gw_arena_alloc(&arena, 64));
    assert_non_null(gw_arena_alloc(&arena, 64));
    assert_null(gw_arena_alloc(&arena, 16));
    gw_arena_clear(&arena);
    assert_int_equal(arena.total_bytes, 64); // one block is kept
    assert_non_null(gw_arena_alloc(&arena, 128));
    gw_arena_deinit(&arena);
}

static void large_piece_gets_a_block_of_its_own(void **state)
{
    (void)state;
    struct gw_arena arena;
    gw_arena_init(&arena, 64, 1 << 20);
    uint8_t *large = gw_arena_alloc(&arena, 100000);
    assert_non_null(large);
    memset(large, 1, 100000);
    gw_arena_clear(&arena);
    assert_int_equal(arena.total_bytes, 0);
    gw_arena_deinit(&arena);
}

static void overflow_and_short_memory_give_null(void **state)
{
    (void)state;
    struct gw_arena arena;
    gw_arena_init(&arena, 64, SIZE_MAX);
    assert_null(gw_arena_alloc(&arena, SIZE_MAX));
    assert_null(gw_arena_array(&arena, SIZE_MAX / 2, 3));
    gw_mem_fail_nth(1);
    assert_null(gw_arena_alloc(&arena, 8));
    gw_mem_fail_nth(0);
    assert_non_null(gw_arena_array(&arena, 4, 8));
    gw_arena_deinit(&arena);
}

GW_TESTS(pieces_are_aligned_and_apart, limit_bounds_the_sum_of_blocks, large_piece_gets_a_block_of_its_own,
         overflow_and_short_memory_give_null)
