// SPDX-License-Identifier: MIT
#include "label/coverage.h"
#include "support/testkit.h"

#include <math.h>

static void coverage_is_the_share_that_found_its_window(void **state)
{
    (void)state;
    struct gw_label_counts counts = {0};
    assert_true(isnan(gw_label_coverage(&counts, true)));
    counts.actions[1][GW_LABEL_ACTION_OUTCOME_JOINED] = 6;
    counts.actions[1][GW_LABEL_ACTION_OUTCOME_NO_SERVED] = 1;
    counts.actions[1][GW_LABEL_ACTION_OUTCOME_LATE] = 1;
    counts.actions[1][GW_LABEL_ACTION_OUTCOME_WAITED] = 8;
    counts.actions[1][GW_LABEL_ACTION_OUTCOME_IRRELEVANT] = 50;
    counts.actions[0][GW_LABEL_ACTION_OUTCOME_NO_SERVED] = 8;
    assert_true(gw_label_coverage(&counts, true) == 0.75);
    assert_true(gw_label_coverage(&counts, false) == 0.375);
}

static void delays_fall_into_powers_of_two(void **state)
{
    (void)state;
    assert_int_equal(gw_label_delay_bucket(INT64_MIN), 0);
    assert_int_equal(gw_label_delay_bucket(1), 0);
    assert_int_equal(gw_label_delay_bucket(2), 1);
    assert_int_equal(gw_label_delay_bucket(3), 2);
    assert_int_equal(gw_label_delay_bucket(1024), 10);
    assert_int_equal(gw_label_delay_bucket(1025), 11);
    assert_int_equal(gw_label_delay_bucket(INT64_MAX), GW_LABEL_DELAY_BUCKETS - 1);
    assert_int_equal(gw_label_delay_bound_ms(10), 1024);
    assert_int_equal(gw_label_delay_bound_ms(GW_LABEL_DELAY_BUCKETS - 1), INT64_MAX);
}

static void quantile_lies_inside_its_bucket(void **state)
{
    (void)state;
    struct gw_label_delays delays = {0};
    assert_true(isnan(gw_label_delays_quantile_ms(&delays, 0.5)));
    struct gw_label_example example = {.kind = GW_LABEL_INITIAL_NEGATIVE, .engaged_at_ms = GW_LABEL_NEVER};
    gw_label_delays_observe(&delays, &example);
    assert_true(isnan(gw_label_delays_quantile_ms(&delays, 0.5)));
    example.kind = GW_LABEL_POSITIVE_REPLAY;
    example.impressed_at_ms = 1000;
    for (int i = 0; i < 9; i++) {
        example.engaged_at_ms = 1000 + 100;
        gw_label_delays_observe(&delays, &example);
    }
    example.engaged_at_ms = 1000 + 5000;
    gw_label_delays_observe(&delays, &example);
    double median_ms = gw_label_delays_quantile_ms(&delays, 0.5);
    assert_true(median_ms > 64 && median_ms <= 128);
    double most_ms = gw_label_delays_quantile_ms(&delays, 0.99);
    assert_true(most_ms > 4096 && most_ms <= 8192);
}

GW_TESTS(coverage_is_the_share_that_found_its_window, delays_fall_into_powers_of_two, quantile_lies_inside_its_bucket)
