// SPDX-License-Identifier: MIT
#include "support/testkit.h"

#include "base/mem.h"
#include "worker/score_recent.h"

enum { INTERVAL_US = 50000, START_US = 1000000 };

static void add(struct gw_score_recent *recent, uint32_t number, uint64_t now_us)
{
    gw_score_recent_add(recent, gw_slice_make(&number, sizeof number), now_us);
}

// The number of the index-th newest; 0: there is none.
static uint32_t at(struct gw_score_recent *recent, size_t index)
{
    struct gw_buf copy = {0};
    bool found = false;
    assert_ok(gw_score_recent_copy(recent, index, &copy, &found));
    uint32_t number = found && copy.size == sizeof number ? gw_load_le32(copy.data) : 0;
    gw_buf_deinit(&copy);
    return number;
}

static void the_newest_comes_first(void **state)
{
    (void)state;
    struct gw_score_recent *recent = NULL;
    assert_ok(gw_score_recent_new(&recent, NULL));
    assert_int_equal(at(recent, 0), 0);
    add(recent, 1, START_US);
    add(recent, 2, START_US + INTERVAL_US);
    assert_int_equal(at(recent, 0), 2);
    assert_int_equal(at(recent, 1), 1);
    assert_int_equal(at(recent, 2), 0);
    gw_score_recent_free(recent);
}

static void keeps_a_few_a_second_only(void **state)
{
    (void)state;
    struct gw_score_recent *recent = NULL;
    assert_ok(gw_score_recent_new(&recent, NULL));
    for (uint32_t i = 1; i <= 1000; i++) {
        add(recent, i, START_US + i * 1000); // a second
    }
    size_t count = 0;
    while (at(recent, count) != 0) {
        count++;
    }
    assert_int_equal(count, 20);
    gw_score_recent_free(recent);
}

static void the_oldest_makes_room(void **state)
{
    (void)state;
    struct gw_score_recent *recent = NULL;
    assert_ok(gw_score_recent_new(&recent, NULL));
    for (uint32_t i = 1; i <= 3 * GW_SCORE_RECENT_REQUESTS; i++) {
        add(recent, i, START_US + (uint64_t)i * INTERVAL_US);
    }
    for (uint32_t i = 0; i < GW_SCORE_RECENT_REQUESTS; i++) {
        assert_int_equal(at(recent, i), 3 * GW_SCORE_RECENT_REQUESTS - i);
    }
    assert_int_equal(at(recent, GW_SCORE_RECENT_REQUESTS), 0);
    gw_score_recent_free(recent);
}

static void a_huge_request_is_not_kept(void **state)
{
    (void)state;
    struct gw_score_recent *recent = NULL;
    uint8_t *huge = gw_mem_calloc(1, GW_SCORE_RECENT_BYTES_MAX + 1);
    assert_non_null(huge);
    assert_ok(gw_score_recent_new(&recent, NULL));
    gw_score_recent_add(recent, gw_slice_make(huge, GW_SCORE_RECENT_BYTES_MAX + 1), START_US);
    add(recent, 7, START_US);
    assert_int_equal(at(recent, 0), 7);
    gw_score_recent_free(recent);
    gw_mem_free(huge);
}

GW_TESTS(the_newest_comes_first, keeps_a_few_a_second_only, the_oldest_makes_room, a_huge_request_is_not_kept)
