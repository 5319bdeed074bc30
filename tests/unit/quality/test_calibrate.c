// SPDX-License-Identifier: MIT
#include "base/rng.h"
#include "quality/calibrate.h"
#include "support/testkit.h"

#include <math.h>

static const uint64_t seed = 5150;

// With margins of two values the fit meets the mean target at each: solved by hand.
static void two_margins_are_fitted_exactly(void **state)
{
    (void)state;
    static const float margins[] = {-1.0f, -1.0f, -1.0f, -1.0f, 1.0f, 1.0f, 1.0f, 1.0f};
    static const float labels[] = {0.0f, 0.0f, 0.0f, 1.0f, 1.0f, 1.0f, 0.0f, 1.0f};
    struct gw_platt platt;
    assert_ok(gw_calibrate_platt(margins, labels, NULL, 8, &platt, NULL));
    // Four of each class: targets 5/6 and 1/6; mean target at -1 is (3/6 + 5/6) / 4 = 1/3, at +1 it is 2/3.
    assert_true(fabs(platt.a - log(2.0)) < 1e-9);
    assert_true(fabs(platt.b) < 1e-9);
    assert_true(platt.iterations < 10);
    // Each side: 3/4 of it with target 1/6 from 1/3 away, 1/4 with 5/6.
    double loss = -(1.0 / 3.0 * log(1.0 / 3.0) + 2.0 / 3.0 * log(2.0 / 3.0));
    assert_true(fabs(platt.loss - loss) < 1e-12);
}

static void weights_count_as_rows(void **state)
{
    (void)state;
    static const float margins[] = {-1.0f, -1.0f, 1.0f, 1.0f};
    static const float labels[] = {0.0f, 1.0f, 1.0f, 0.0f};
    static const float weights[] = {3.0f, 1.0f, 3.0f, 1.0f};
    struct gw_platt platt;
    assert_ok(gw_calibrate_platt(margins, labels, weights, 4, &platt, NULL));
    assert_true(fabs(platt.a - log(2.0)) < 1e-9 && fabs(platt.b) < 1e-9);
}

static void slope_and_intercept_are_found_again(void **state)
{
    (void)state;
    enum { COUNT = 50000 };
    static float margins[COUNT];
    static float labels[COUNT];
    print_message("seed %llu\n", (unsigned long long)seed);
    struct gw_rng rng;
    gw_rng_init(&rng, seed);
    for (size_t i = 0; i < COUNT; i++) {
        double f = -2.0 + 2.0 * gw_rng_normal(&rng);
        margins[i] = (float)f;
        labels[i] = gw_rng_double(&rng) < 1.0 / (1.0 + exp(-(0.6 * f - 0.4))) ? 1.0f : 0.0f;
    }
    struct gw_platt platt;
    assert_ok(gw_calibrate_platt(margins, labels, NULL, COUNT, &platt, NULL));
    assert_true(fabs(platt.a - 0.6) < 0.03 && fabs(platt.b + 0.4) < 0.05);

    // At the minimum the mean prediction is the mean target.
    double predicted = 0.0;
    double positives = 0.0;
    for (size_t i = 0; i < COUNT; i++) {
        predicted += 1.0 / (1.0 + exp(-(platt.a * (double)margins[i] + platt.b)));
        positives += (double)labels[i];
    }
    double negatives = COUNT - positives;
    double targets = positives * (positives + 1.0) / (positives + 2.0) + negatives / (negatives + 2.0);
    assert_true(fabs(predicted - targets) < 1e-4);
}

static void separated_and_extreme_margins_stay_finite(void **state)
{
    (void)state;
    static const float apart[] = {-500.0f, -400.0f, 300.0f, 80000.0f};
    static const float same[] = {2.0f, 2.0f, 2.0f, 2.0f};
    static const float labels[] = {0.0f, 0.0f, 1.0f, 1.0f};
    struct gw_platt platt;
    assert_ok(gw_calibrate_platt(apart, labels, NULL, 4, &platt, NULL));
    assert_true(isfinite(platt.a) && isfinite(platt.b) && platt.a > 0.0);
    assert_ok(gw_calibrate_platt(same, labels, NULL, 4, &platt, NULL));
    assert_true(fabs(platt.a * 2.0 + platt.b) < 1e-9); // one half for all
}

static void bad_rows_are_refused(void **state)
{
    (void)state;
    static const float margins[] = {1.0f, 2.0f};
    static const float infinite[] = {1.0f, (float)INFINITY};
    static const float labels[] = {0.0f, 1.0f};
    static const float ones[] = {1.0f, 1.0f};
    static const float half[] = {0.5f, 1.0f};
    static const float negative[] = {1.0f, -1.0f};
    struct gw_platt platt;
    gw_err err = {0};
    assert_fails(gw_calibrate_platt(infinite, labels, NULL, 2, &platt, NULL), GW_E_INVALID);
    assert_fails(gw_calibrate_platt(margins, half, NULL, 2, &platt, NULL), GW_E_INVALID);
    assert_fails(gw_calibrate_platt(margins, labels, negative, 2, &platt, NULL), GW_E_INVALID);
    assert_fails(gw_calibrate_platt(NULL, NULL, NULL, 0, &platt, NULL), GW_E_INVALID);
    assert_fails(gw_calibrate_platt(margins, ones, NULL, 2, &platt, &err), GW_E_INVALID);
    assert_string_equal(err.message, "2 rows of one class cannot be calibrated on");
}

static void sampled_negatives_are_corrected(void **state)
{
    (void)state;
    assert_true(fabs(gw_calibrate_sampled(0.5, 0.01) - 1.0 / 101.0) < 1e-15);
    assert_true(fabs(gw_calibrate_sampled(0.2, 0.5) - 0.2 / 1.8) < 1e-15);
    assert_true(gw_calibrate_sampled(0.3, 1.0) == 0.3);
    assert_true(gw_calibrate_sampled(0.0, 0.1) == 0.0 && gw_calibrate_sampled(1.0, 0.1) == 1.0);
    // The ranker's own form, r = rate of negatives over rate of positives: p r / (1 - p + r p).
    double p = 0.37;
    double r = 0.025;
    assert_true(fabs(gw_calibrate_sampled(p, r) - p * r / (1.0 - p + r * p)) < 1e-16);
}

GW_TESTS(two_margins_are_fitted_exactly, weights_count_as_rows, slope_and_intercept_are_found_again,
         separated_and_extreme_margins_stay_finite, bad_rows_are_refused, sampled_negatives_are_corrected)
