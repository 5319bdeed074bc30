// SPDX-License-Identifier: MIT
#include "base/rng.h"
#include "quality/paired.h"
#include "support/testkit.h"

#include <math.h>

static const uint64_t seed = 31337;

static const struct gw_paired_options defaults = {
    .clip = 0.01, .gain_limit = 2.0, .weight_limit = 1.0, .alpha = 0.05, .rows_expected = 0};

static struct gw_paired new_paired(const struct gw_paired_options *options)
{
    struct gw_paired paired;
    assert_ok(gw_paired_init(options, &paired, NULL));
    return paired;
}

static struct gw_paired_bounds bounds_of(const struct gw_paired *paired, double alpha)
{
    struct gw_paired_bounds bounds;
    gw_paired_bounds_at(paired, alpha, &bounds);
    return bounds;
}

static void difference_is_of_clipped_log_losses(void **state)
{
    (void)state;
    assert_true(fabs(gw_paired_difference(1e-7, 0.5, 0.25, true) + log(2.0)) < 1e-15);
    assert_true(fabs(gw_paired_difference(1e-7, 0.5, 0.25, false) - log(1.5)) < 1e-15);
    double h = log((1.0 - 1e-7) / 1e-7);
    assert_true(fabs(gw_paired_difference(1e-7, 0.0, 1.0, true) - h) < 1e-9);
    assert_true(fabs(gw_paired_difference(1e-7, 0.0, 1.0, false) + h) < 1e-9);
}

static void mean_and_normal_interval_equal_hand_computation(void **state)
{
    (void)state;
    struct gw_paired paired = new_paired(&defaults);
    static const double candidate[] = {0.5, 0.5, 0.2};
    static const double champion[] = {0.25, 0.4, 0.2};
    static const bool positive[] = {true, false, true};
    const double d[] = {-log(2.0), log(0.6 / 0.5), 0.0};
    for (size_t i = 0; i < 3; i++) {
        assert_ok(gw_paired_add(&paired, candidate[i], champion[i], positive[i], 1.0, NULL));
    }
    double mean = (d[0] + d[1] + d[2]) / 3.0;
    double squares = 0.0;
    for (size_t i = 0; i < 3; i++) {
        squares += (d[i] - mean) * (d[i] - mean);
    }
    double half = 1.959963984540054 * sqrt(squares / 2.0 / 3.0);
    struct gw_paired_bounds bounds = bounds_of(&paired, 0.05);
    assert_true(fabs(bounds.mean - mean) < 1e-12);
    assert_true(fabs(bounds.clt.low - (mean - half)) < 1e-12 && fabs(bounds.clt.high - (mean + half)) < 1e-12);
}

static void nothing_is_known_without_rows(void **state)
{
    (void)state;
    struct gw_paired paired = new_paired(&defaults);
    struct gw_paired_bounds bounds = bounds_of(&paired, 0.05);
    assert_true(isnan(bounds.mean) && isnan(bounds.clt.low));
    assert_true(bounds.low == -2.0 && fabs(bounds.high - log(99.0)) < 1e-12);
}

// The bound is where E(m), computed row by row, crosses 1 / alpha: on the first rows of a fixed bet.
static void upper_bound_is_the_root_of_the_e_process(void **state)
{
    (void)state;
    struct gw_paired_options options = defaults;
    options.rows_expected = 400;
    struct gw_paired paired = new_paired(&options);
    struct gw_rng rng;
    gw_rng_init(&rng, seed);
    double d[400];
    double bets[400];
    double scale = log(99.0) + 1.0;
    double sum = 0.0;
    double squares = 0.0;
    for (size_t i = 0; i < 400; i++) {
        double champion = 0.1 + 0.2 * gw_rng_double(&rng);
        double candidate = champion + 0.05 * gw_rng_double(&rng);
        bool positive = gw_rng_below(&rng, 4) == 0;
        double n = (double)i;
        double variance = (0.25 + (i > 0 ? squares - sum * sum / n : 0.0)) / (n + 1.0);
        bets[i] = fmin(0.5, scale * sqrt(2.0 * log(20.0) / (variance * 400.0)));
        d[i] = gw_paired_difference(0.01, candidate, champion, positive);
        sum += d[i];
        squares += d[i] * d[i];
        assert_ok(gw_paired_add(&paired, candidate, champion, positive, 1.0, NULL));
    }
    double high = bounds_of(&paired, 0.05).high;
    assert_true(high < 1.0);
    double log_e = 0.0;
    for (size_t i = 0; i < 400; i++) {
        double xi = (high - d[i]) / scale;
        log_e += bets[i] * xi - (-log1p(-bets[i]) - bets[i]) * xi * xi;
    }
    assert_true(fabs(log_e - log(20.0)) < 1e-9);
}

// Rows of a champion that knows the truth and a candidate whose logit is off by `shift`.
static double draw(struct gw_rng *rng, double shift, struct gw_paired *paired)
{
    double logit = -1.5 + gw_rng_normal(rng);
    double p = 1.0 / (1.0 + exp(-logit));
    double q = 1.0 / (1.0 + exp(-(logit + shift)));
    bool positive = gw_rng_double(rng) < p;
    double weight = gw_rng_below(rng, 2) == 0 ? 1.0 : 0.5;
    if (paired != NULL) {
        assert_ok(gw_paired_add(paired, q, p, positive, weight, NULL));
    }
    return weight * gw_paired_difference(0.01, q, p, positive) / 0.75;
}

static void bounds_hold_at_every_moment(void **state)
{
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    struct gw_rng rng;
    gw_rng_init(&rng, seed);
    double truth = 0.0;
    for (int i = 0; i < 200000; i++) {
        truth += draw(&rng, 0.5, NULL) / 200000.0;
    }
    struct gw_paired_options options = defaults;
    options.gain_limit = (double)INFINITY;
    int wrong = 0;
    int touched = 0; // an ordinary 95 % interval looked at as often
    double width = 0.0;
    enum { ROUNDS = 200, ROWS = 1500 };
    for (int round = 0; round < ROUNDS; round++) {
        struct gw_paired paired = new_paired(&options);
        bool round_wrong = false;
        bool round_touched = false;
        for (int i = 1; i <= ROWS; i++) {
            (void)draw(&rng, 0.5, &paired);
            struct gw_paired_bounds bounds = bounds_of(&paired, 0.05);
            round_wrong = round_wrong || truth < bounds.low || truth > bounds.high;
            round_touched = round_touched || (i >= 30 && (truth < bounds.clt.low || truth > bounds.clt.high));
            width += i == ROWS ? (bounds.high - bounds.low) / ROUNDS : 0.0;
        }
        wrong += round_wrong;
        touched += round_touched;
    }
    print_message("wrong ever: %d of %d, an ordinary interval %d; width at the end %.3f\n", wrong, ROUNDS, touched,
                  width);
    assert_true(wrong <= ROUNDS / 10); // two sides of 5 % each
    assert_true(touched > ROUNDS / 5); // why the ordinary interval does not decide
    assert_true(width < 0.25);
}

static void clipped_gains_raise_the_mean_and_are_counted(void **state)
{
    (void)state;
    struct gw_paired_options options = defaults;
    options.gain_limit = 0.5;
    struct gw_paired clipped = new_paired(&options);
    struct gw_paired whole = new_paired(&defaults);
    for (int i = 0; i < 2000; i++) {
        double candidate = i % 10 == 0 ? 0.9 : 0.1;
        assert_ok(gw_paired_add(&clipped, candidate, 0.3, i % 10 == 0, 1.0, NULL));
        assert_ok(gw_paired_add(&whole, candidate, 0.3, i % 10 == 0, 1.0, NULL));
    }
    assert_int_equal(clipped.clipped_rows, 200);
    assert_int_equal(whole.clipped_rows, 0);
    struct gw_paired_bounds bounds = bounds_of(&clipped, 0.05);
    assert_true(bounds.mean == bounds_of(&whole, 0.05).mean);
    assert_true(bounds.high > bounds.mean && bounds.high < 0.0);
}

static void state_restored_from_bytes_goes_on_the_same(void **state)
{
    (void)state;
    struct gw_rng rng;
    gw_rng_init(&rng, seed + 1);
    struct gw_paired original = new_paired(&defaults);
    for (int i = 0; i < 100; i++) {
        (void)draw(&rng, 0.3, &original);
    }
    struct gw_buf buf = {0};
    struct gw_paired copy;
    assert_ok(gw_paired_encode(&original, &buf));
    assert_ok(gw_paired_decode(gw_buf_slice(&buf), &copy, NULL));
    struct gw_rng same = rng;
    for (int i = 0; i < 100; i++) {
        (void)draw(&rng, 0.3, &original);
        (void)draw(&same, 0.3, &copy);
    }
    struct gw_buf again = {0};
    gw_buf_clear(&buf);
    assert_ok(gw_paired_encode(&original, &buf));
    assert_ok(gw_paired_encode(&copy, &again));
    assert_true(gw_slice_equal(gw_buf_slice(&buf), gw_buf_slice(&again)));

    assert_fails(gw_paired_decode(gw_slice_make(buf.data, buf.size - 1), &copy, NULL), GW_E_MALFORMED);
    assert_fails(gw_paired_decode(gw_slice_make(NULL, 0), &copy, NULL), GW_E_MALFORMED);
    buf.data[0] ^= 1;
    assert_fails(gw_paired_decode(gw_buf_slice(&buf), &copy, NULL), GW_E_MALFORMED);
    buf.data[0] ^= 1;
    memset(buf.data + buf.size - 8, 0xff, 8); // a NaN
    assert_fails(gw_paired_decode(gw_buf_slice(&buf), &copy, NULL), GW_E_MALFORMED);
    gw_buf_deinit(&buf);
    gw_buf_deinit(&again);
}

static void values_out_of_range_are_refused(void **state)
{
    (void)state;
    struct gw_paired paired;
    struct gw_paired_options bad[6];
    for (size_t i = 0; i < GW_COUNT_OF(bad); i++) {
        bad[i] = defaults;
    }
    bad[0].clip = 0.0;
    bad[1].gain_limit = 0.0;
    bad[2].weight_limit = (double)INFINITY;
    bad[3].alpha = 1.0;
    bad[4].alpha = (double)NAN;
    bad[5].clip = 0.2;
    for (size_t i = 0; i < GW_COUNT_OF(bad); i++) {
        assert_fails(gw_paired_init(&bad[i], &paired, NULL), GW_E_INVALID);
    }
    paired = new_paired(&defaults);
    assert_fails(gw_paired_add(&paired, (double)NAN, 0.5, true, 1.0, NULL), GW_E_INVALID);
    assert_fails(gw_paired_add(&paired, 0.5, 1.5, true, 1.0, NULL), GW_E_INVALID);
    assert_fails(gw_paired_add(&paired, 0.5, 0.5, true, 1.5, NULL), GW_E_INVALID);
    assert_fails(gw_paired_add(&paired, 0.5, 0.5, true, 0.0, NULL), GW_E_INVALID);
    assert_int_equal(paired.rows, 0);
}

GW_TESTS(difference_is_of_clipped_log_losses, mean_and_normal_interval_equal_hand_computation,
         nothing_is_known_without_rows, upper_bound_is_the_root_of_the_e_process, bounds_hold_at_every_moment,
         clipped_gains_raise_the_mean_and_are_counted, state_restored_from_bytes_goes_on_the_same,
         values_out_of_range_are_refused)
