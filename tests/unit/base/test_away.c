// SPDX-License-Identifier: MIT
#include "base/away.h"
#include "support/testkit.h"

#include <string.h>

static void untried_is_tried_at_once(void **state)
{
    (void)state;
    struct gw_away away;
    gw_away_init(&away, 20, 50, 1000, 1);
    assert_ok(gw_away_check(&away, "it", 0, NULL));
}

static void failure_refuses_until_a_pause_between_floor_and_bound_is_over(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct gw_away away;
        gw_err err = {0};
        gw_away_init(&away, 20, 50, 1000, seed);
        gw_away_failed(&away, 1000, "gone");
        assert_fails(gw_away_check(&away, "it", 1000 + 19999, &err), GW_E_UNAVAILABLE);
        assert_non_null(strstr(err.message, "it: away, next try in "));
        assert_non_null(strstr(err.message, " ms: gone"));
        assert_ok(gw_away_check(&away, "it", 1000 + 70000, NULL));
    }
}

static void pauses_grow_to_the_cap_and_shrink_when_it_works(void **state)
{
    (void)state;
    struct gw_away away;
    uint64_t longest_us = 0;
    gw_away_init(&away, 20, 50, 1000, 7);
    for (int i = 0; i < 100; i++) {
        gw_away_failed(&away, 0, "gone");
        longest_us = GW_MAX(longest_us, away.retry_at_us);
        assert_true(away.retry_at_us <= 1020000);
    }
    assert_true(longest_us > 900000);
    gw_away_works(&away);
    gw_away_failed(&away, 0, "gone");
    assert_true(away.retry_at_us <= 70000);
}

GW_TESTS(untried_is_tried_at_once, failure_refuses_until_a_pause_between_floor_and_bound_is_over,
         pauses_grow_to_the_cap_and_shrink_when_it_works)
