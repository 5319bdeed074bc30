// SPDX-License-Identifier: MIT
#include "base/map.h"
#include "base/mem.h"
#include "base/rng.h"
#include "support/testkit.h"

#include <string.h>

static void empty_map_finds_removes_and_iterates_nothing(void **state)
{
    (void)state;
    struct gw_map map = {0};
    size_t cursor = 0;
    uint64_t a = 0;
    uint64_t b = 0;
    uint64_t *value = NULL;
    assert_null(gw_map_find(&map, 0, 0));
    assert_false(gw_map_remove(&map, 0, 0));
    assert_false(gw_map_next(&map, &cursor, &a, &b, &value));
    gw_map_clear(&map);
    gw_map_deinit(&map);
}

static void put_finds_the_value_it_inserted(void **state)
{
    (void)state;
    struct gw_map map = {0};
    uint64_t *value = NULL;
    bool inserted = false;
    assert_ok(gw_map_put(&map, 0, 0, &value, &inserted)); // the zero key is a key like any other
    assert_true(inserted);
    assert_int_equal(*value, 0);
    *value = 5;
    assert_ok(gw_map_put(&map, 0, 0, &value, &inserted));
    assert_false(inserted);
    assert_int_equal(*value, 5);
    assert_null(gw_map_find(&map, 0, 1));
    assert_null(gw_map_find(&map, 1, 0));
    assert_int_equal(map.count, 1);
    gw_map_deinit(&map);
}

// Against the plainest model there is: an array of what should be in the map.
static void random_puts_and_removes_match_a_model(void **state)
{
    (void)state;
    enum { KEYS = 512 };
    uint64_t expected[KEYS] = {0}; // 0: absent
    struct gw_map map = {0};
    struct gw_rng rng;
    gw_rng_init(&rng, 42);

    for (uint64_t step = 1; step <= 40000; step++) {
        uint64_t key = gw_rng_below(&rng, KEYS);
        uint64_t *value = NULL;
        if (gw_rng_below(&rng, 100) < (step % 8000 < 4000 ? 60u : 40u)) {
            assert_ok(gw_map_put(&map, key / 8, key % 8, &value, NULL));
            assert_true(*value == expected[key]);
            *value = step;
            expected[key] = step;
        } else {
            assert_int_equal(gw_map_remove(&map, key / 8, key % 8), expected[key] != 0);
            expected[key] = 0;
        }
        if (step % 1000 == 0) {
            size_t count = 0;
            size_t cursor = 0;
            uint64_t a = 0;
            uint64_t b = 0;
            for (size_t i = 0; i < KEYS; i++) {
                value = gw_map_find(&map, i / 8, i % 8);
                assert_true((value != NULL ? *value : 0) == expected[i]);
                count += expected[i] != 0;
            }
            assert_int_equal(map.count, count);
            while (gw_map_next(&map, &cursor, &a, &b, &value)) {
                assert_true(expected[a * 8 + b] == *value);
                count--;
            }
            assert_int_equal(count, 0);
        }
    }
    gw_map_clear(&map);
    assert_null(gw_map_find(&map, 1, 1));
    gw_map_deinit(&map);
}

static void failed_allocation_leaves_the_map_as_it_was(void **state)
{
    (void)state;
    struct gw_map map = {0};
    uint64_t *value = NULL;
    uint64_t put = 0;
    gw_mem_fail_nth(1);
    assert_fails(gw_map_put(&map, 1, 1, &value, NULL), GW_E_MEMORY);
    gw_mem_fail_nth(2);
    while (gw_map_put(&map, put, 0, &value, NULL) == GW_OK) {
        *value = put++;
    }
    gw_mem_fail_nth(0);
    assert_true(put > 0);
    assert_int_equal(map.count, put);
    for (uint64_t i = 0; i < put; i++) {
        assert_true(*gw_map_find(&map, i, 0) == i);
    }
    assert_ok(gw_map_put(&map, put, 0, &value, NULL));
    gw_map_deinit(&map);
}

static void reserved_room_needs_no_allocation(void **state)
{
    (void)state;
    struct gw_map map = {0};
    assert_ok(gw_map_reserve(&map, 1000));
    gw_mem_fail_nth(1);
    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t *value = NULL;
        assert_ok(gw_map_put(&map, i, i, &value, NULL));
    }
    assert_fails(gw_map_reserve(&map, 100000), GW_E_MEMORY);
    gw_mem_fail_nth(0);
    assert_fails(gw_map_reserve(&map, SIZE_MAX), GW_E_MEMORY);
    assert_true((double)map.count <= 0.7 * (double)(map.mask + 1));
    gw_map_deinit(&map);
}

GW_TESTS(empty_map_finds_removes_and_iterates_nothing, put_finds_the_value_it_inserted,
         random_puts_and_removes_match_a_model, failed_allocation_leaves_the_map_as_it_was,
         reserved_room_needs_no_allocation)
