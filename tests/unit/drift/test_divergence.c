// SPDX-License-Identifier: MIT
#include "base/rng.h"
#include "drift/divergence.h"
#include "drift/normal.h"
#include "support/testkit.h"

#include <math.h>

static void assert_near(double value, double expected, double within)
{
    if (!(fabs(value - expected) <= within)) {
        print_error("%.17g is not %.17g within %g\n", value, expected, within);
    }
    assert_true(fabs(value - expected) <= within);
}

// a 50, b 30, c 20 against a 40, b 30, d 30.
static const double reference[] = {50, 30, 20, 0};
static const double current[] = {40, 30, 0, 30};

static void categorical_values_are_evidentlys_and_nannymls_to_the_digit(void **state)
{
    (void)state;
    assert_near(gw_drift_psi(reference, current, 4), 3.9428443903321924, 1e-14);
    assert_near(gw_drift_jensen_shannon(reference, current, 4, GW_DRIFT_EVIDENTLY), 0.41960733659358984, 1e-15);
    assert_near(gw_drift_jensen_shannon(reference, current, 4, GW_DRIFT_NANNYML), 0.5039997748737592, 1e-15);
    assert_near(gw_drift_jensen_shannon(reference, current, 4, GW_DRIFT_TFDV), 0.2540157730728, 1e-12);
    assert_near(gw_drift_l_infinity(reference, current, 4), 0.3, 1e-15);
}

static void histograms_give_tfdvs_values(void **state)
{
    (void)state;
    // metrics_test.cc of TensorFlow Data Validation, on the union of the buckets' bounds.
    static const double bounds_a[] = {0.5, 0.5, 0, 0};
    static const double bounds_b[] = {0, 0.25, 0.25, 0.5};
    static const double nan_a[] = {1, 3};
    static const double nan_b[] = {0, 4};
    static const double apart_a[] = {2, 2, 0, 0};
    static const double apart_b[] = {0, 0, 2, 2};
    static const double names_a[] = {0, 0.9, 0.1};
    static const double names_b[] = {0.3, 0.7, 0};
    assert_near(gw_drift_jensen_shannon(bounds_a, bounds_b, 4, GW_DRIFT_TFDV), 0.65563906222, 2e-11);
    assert_near(gw_drift_jensen_shannon(nan_a, nan_b, 2, GW_DRIFT_TFDV), 0.13792538096, 2e-11);
    assert_near(gw_drift_jensen_shannon(apart_a, apart_b, 4, GW_DRIFT_TFDV), 1.0, 1e-15);
    assert_near(gw_drift_l_infinity(names_a, names_b, 3), 0.3, 1e-15);
}

static void numeric_bins_give_evidentlys_psi_and_distance(void **state)
{
    (void)state;
    // 1..100 against 11..110 in the 9 bins that Sturges' rule gives them together.
    double a[9] = {0};
    double b[9] = {0};
    for (int x = 1; x <= 110; x++) {
        int bin = GW_MIN((int)((x - 1) * 9.0 / 109.0), 8);
        a[bin] += x <= 100 ? 1 : 0;
        b[bin] += x >= 11 ? 1 : 0;
    }
    assert_near(gw_drift_psi(a, b, 9), 0.2932674137586854, 1e-14);
    assert_near(gw_drift_jensen_shannon(a, b, 9, GW_DRIFT_EVIDENTLY), 0.18355145998130695, 1e-14);
}

static void equal_histograms_are_not_apart_and_empty_ones_have_no_divergence(void **state)
{
    (void)state;
    static const double none[] = {0, 0, 0, 0};
    assert_true(gw_drift_psi(reference, reference, 4) == 0.0);
    assert_true(gw_drift_jensen_shannon(reference, reference, 4, GW_DRIFT_TFDV) == 0.0);
    assert_true(isnan(gw_drift_psi(reference, none, 4)));
    assert_true(isnan(gw_drift_jensen_shannon(none, current, 4, GW_DRIFT_TFDV)));
    assert_true(isnan(gw_drift_l_infinity(reference, none, 4)));
}

static void a_tiny_share_shrinks_the_filler(void **state)
{
    (void)state;
    // The smallest share is 5e-5, so an empty bin counts as 5e-11.
    static const double a[] = {19999, 1};
    static const double b[] = {20000, 0};
    double c = 1e-4;
    double expected = (0.99995 - 1.0) * log(0.99995) + (5e-5 - c) * log(5e-5 / c);
    assert_near(gw_drift_psi(a, b, 2), expected, 1e-12); // b's smallest share is 1: filler 1e-4
    double tiny = 5e-11;
    static const double reversed_a[] = {19999, 1, 0};
    static const double reversed_b[] = {10000, 5000, 5000};
    expected =
        (0.99995 - 0.5) * log(0.99995 / 0.5) + (5e-5 - 0.25) * log(5e-5 / 0.25) + (tiny - 0.25) * log(tiny / 0.25);
    assert_near(gw_drift_psi(reversed_a, reversed_b, 3), expected, 1e-9);
}

static void quantiles_are_those_of_the_tables(void **state)
{
    (void)state;
    assert_near(gw_drift_normal_quantile(0.975), 1.9599639845400545, 1e-12);
    assert_near(gw_drift_normal_quantile(1e-12), -7.034483825301132, 1e-8);
    assert_true(isinf(gw_drift_normal_quantile(0.0)) && isinf(gw_drift_normal_quantile(1.0)));
    assert_near(gw_drift_chi_square_quantile(10, 0.99), 23.209251, 0.1);
    assert_near(gw_drift_chi_square_quantile(30, 0.95), 43.772972, 0.1);
    assert_true(gw_drift_chi_square_quantile(0, 0.99) == 0.0);
}

static void chance_stays_under_its_bound_as_often_as_stated(void **state)
{
    (void)state;
    enum { BINS = 20, N = 2000, M = 1000, REPEATS = 1000 };
    struct gw_rng rng;
    gw_rng_init(&rng, 5);
    double psi_bound = gw_drift_psi_by_chance(BINS, N, M, 1.0, 0.95);
    double js_bound = gw_drift_jensen_shannon_by_chance(BINS, N, M, 1.0, 0.95, GW_DRIFT_NANNYML);
    int psi_under = 0;
    int js_under = 0;
    for (int i = 0; i < REPEATS; i++) {
        double a[BINS] = {0};
        double b[BINS] = {0};
        for (int k = 0; k < N; k++) {
            a[gw_rng_below(&rng, BINS)]++;
        }
        for (int k = 0; k < M; k++) {
            b[gw_rng_below(&rng, BINS)]++;
        }
        psi_under += gw_drift_psi(a, b, BINS) <= psi_bound ? 1 : 0;
        js_under += gw_drift_jensen_shannon(a, b, BINS, GW_DRIFT_NANNYML) <= js_bound ? 1 : 0;
    }
    assert_in_range(psi_under, 925, 975);
    assert_in_range(js_under, 925, 975);
}

GW_TESTS(categorical_values_are_evidentlys_and_nannymls_to_the_digit, histograms_give_tfdvs_values,
         numeric_bins_give_evidentlys_psi_and_distance,
         equal_histograms_are_not_apart_and_empty_ones_have_no_divergence, a_tiny_share_shrinks_the_filler,
         quantiles_are_those_of_the_tables, chance_stays_under_its_bound_as_often_as_stated)
