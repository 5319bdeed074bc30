// SPDX-License-Identifier: MIT
#include "drift/culprits.h"
#include "support/testkit.h"

#include <math.h>

static void names_the_largest_set_that_passes(void **state)
{
    (void)state;
    // m = 5, alpha 0.1: k = 1..5 ask 50, 25, 16.7, 12.5, 10. The third, of 16, fails; the fourth, of 13, passes.
    static const double evidence[] = {1.0, 16.0, 60.0, 13.0, 30.0};
    uint32_t index[5];
    size_t count = 0;
    double asked = gw_drift_culprits(evidence, 5, 0.1, index, &count);
    assert_int_equal(count, 4);
    assert_true(asked == 12.5);
    assert_int_equal(index[0], 2);
    assert_int_equal(index[1], 4);
    assert_int_equal(index[2], 1);
    assert_int_equal(index[3], 3);
}

static void names_nobody_without_evidence(void **state)
{
    (void)state;
    static const double evidence[] = {49.0, 24.0, 1.0, 1.0, 1.0};
    uint32_t index[5];
    size_t count = 9;
    assert_true(isinf(gw_drift_culprits(evidence, 5, 0.1, index, &count)));
    assert_int_equal(count, 0);
    assert_true(isinf(gw_drift_culprits(NULL, 0, 0.1, index, &count)));
}

static void equal_evidence_is_named_in_order(void **state)
{
    (void)state;
    static const double evidence[] = {100.0, 100.0, 100.0};
    uint32_t index[3];
    size_t count = 0;
    gw_drift_culprits(evidence, 3, 0.05, index, &count);
    assert_int_equal(count, 3);
    assert_int_equal(index[0], 0);
    assert_int_equal(index[1], 1);
    assert_int_equal(index[2], 2);
}

static void a_certain_mean_names_somebody_however_it_is_spread(void **state)
{
    (void)state;
    // The worst spread: each stream just misses what its rank is asked.
    enum { COUNT = 100 };
    double evidence[COUNT];
    double sum = 0.0;
    for (int i = 0; i < COUNT; i++) {
        evidence[i] = COUNT / (0.01 * (i + 1)) * 0.999999;
        sum += evidence[i];
    }
    uint32_t index[COUNT];
    size_t count = 0;
    gw_drift_culprits(evidence, COUNT, 0.01, index, &count);
    assert_int_equal(count, 0);
    assert_true(sum / COUNT < gw_drift_culprits_certain(COUNT, 0.01));
}

GW_TESTS(names_the_largest_set_that_passes, names_nobody_without_evidence, equal_evidence_is_named_in_order,
         a_certain_mean_names_somebody_however_it_is_spread)
