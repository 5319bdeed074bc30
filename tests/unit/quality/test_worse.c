// SPDX-License-Identifier: MIT
#include "base/rng.h"
#include "quality/worse.h"
#include "support/testkit.h"

#include <math.h>

static const uint64_t seed = 4242;

static struct gw_worse new_watch(double margin, double alpha)
{
    const struct gw_worse_options options = {
        .clip = 0.01, .gain_limit = (double)INFINITY, .weight_limit = 1.0, .margin = margin, .alpha = alpha};
    struct gw_worse worse;
    assert_ok(gw_worse_init(&options, &worse, NULL));
    return worse;
}

static void wealth_equals_hand_computation(void **state)
{
    (void)state;
    struct gw_worse worse = new_watch(0.1, 0.01);
    assert_true(gw_worse_log_wealth(&worse) == 0.0);
    assert_ok(gw_worse_add(&worse, 0.2, 0.4, true, 1.0, NULL));
    assert_ok(gw_worse_add(&worse, 0.2, 0.4, false, 0.5, NULL));
    double first = (log(2.0) - 0.1) / (log(99.0) + 0.1);
    double second = 0.5 * (log(0.6 / 0.8) - 0.1) / (log(99.0) + 0.1);
    double wealth = 0.0;
    for (int i = 0; i < 8; i++) {
        double l = 0.9 / (double)(1 << i);
        wealth += (1.0 + l * first) * (1.0 + l * second) / 8.0;
    }
    assert_true(fabs(gw_worse_log_wealth(&worse) - log(wealth)) < 1e-14);
}

// Truth p; the former model says p and the promoted one q.
static uint64_t rows_until_proven(struct gw_rng *rng, double p, double q, double margin, double alpha, uint64_t most)
{
    struct gw_worse worse = new_watch(margin, alpha);
    while (worse.rows < most && !gw_worse_is_proven(&worse)) {
        assert_ok(gw_worse_add(&worse, q, p, gw_rng_double(rng) < p, 1.0, NULL));
    }
    return worse.crossed_row;
}

static double divergence(double p, double q)
{
    return p * log(p / q) + (1.0 - p) * log((1.0 - p) / (1.0 - q));
}

static void false_alarms_are_no_oftener_than_alpha(void **state)
{
    (void)state;
    enum { ROUNDS = 300, ROWS = 2000 };
    print_message("seed %llu\n", (unsigned long long)seed);
    struct gw_rng rng;
    gw_rng_init(&rng, seed);
    int alarms = 0;
    for (int round = 0; round < ROUNDS; round++) {
        // Worse by exactly the margin is the hardest case that is tolerated.
        alarms += rows_until_proven(&rng, 0.2, 0.35, divergence(0.2, 0.35), 0.05, ROWS) > 0;
    }
    print_message("%d alarms in %d rounds of %d rows\n", alarms, ROUNDS, ROWS);
    assert_true(alarms <= 0.05 * ROUNDS);
}

static void a_worse_model_is_proven_soon(void **state)
{
    (void)state;
    struct gw_rng rng;
    gw_rng_init(&rng, seed + 1);
    uint64_t sum = 0;
    for (int round = 0; round < 20; round++) {
        uint64_t rows = rows_until_proven(&rng, 0.1, 0.5, 0.01, 0.001, 5000);
        assert_true(rows > 0);
        sum += rows;
    }
    print_message("mean rows to prove 0.37 nats at 0.001: %llu\n", (unsigned long long)sum / 20);
    assert_true(sum / 20 < 300);
}

static void once_proven_it_stays_proven(void **state)
{
    (void)state;
    struct gw_worse worse = new_watch(0.0, 0.05);
    while (!gw_worse_is_proven(&worse)) {
        assert_ok(gw_worse_add(&worse, 0.1, 0.5, true, 1.0, NULL));
        assert_true(worse.rows < 100);
    }
    uint64_t row = worse.crossed_row;
    assert_int_equal(row, worse.rows);
    for (int i = 0; i < 200; i++) {
        assert_ok(gw_worse_add(&worse, 0.5, 0.1, true, 1.0, NULL));
    }
    assert_true(gw_worse_log_wealth(&worse) < 0.0);
    assert_true(gw_worse_is_proven(&worse));
    assert_int_equal(worse.crossed_row, row);
}

static void state_restored_from_bytes_goes_on_the_same(void **state)
{
    (void)state;
    struct gw_rng rng;
    gw_rng_init(&rng, seed + 2);
    struct gw_worse original = new_watch(0.01, 0.01);
    struct gw_worse copy;
    struct gw_buf buf = {0};
    struct gw_buf again = {0};
    for (int i = 0; i < 300; i++) {
        assert_ok(gw_worse_add(&original, gw_rng_double(&rng), gw_rng_double(&rng), true, 0.7, NULL));
        if (i == 150) {
            assert_ok(gw_worse_encode(&original, &buf));
            assert_ok(gw_worse_decode(gw_buf_slice(&buf), &copy, NULL));
            assert_fails(gw_worse_decode(gw_slice_make(buf.data, buf.size - 1), &copy, NULL), GW_E_MALFORMED);
            buf.data[24] = 0xff; // the clip
            buf.data[23] = 0xff;
            assert_fails(gw_worse_decode(gw_buf_slice(&buf), &copy, NULL), GW_E_MALFORMED);
            gw_rng_init(&rng, seed + 3);
        }
    }
    gw_rng_init(&rng, seed + 3);
    for (int i = 151; i < 300; i++) {
        assert_ok(gw_worse_add(&copy, gw_rng_double(&rng), gw_rng_double(&rng), true, 0.7, NULL));
    }
    gw_buf_clear(&buf);
    assert_ok(gw_worse_encode(&original, &buf));
    assert_ok(gw_worse_encode(&copy, &again));
    assert_true(gw_slice_equal(gw_buf_slice(&buf), gw_buf_slice(&again)));
    gw_buf_deinit(&buf);
    gw_buf_deinit(&again);
}

static void values_out_of_range_are_refused(void **state)
{
    (void)state;
    struct gw_worse worse = new_watch(0.0, 0.05);
    struct gw_worse_options options = worse.options;
    options.margin = -0.1;
    assert_fails(gw_worse_init(&options, &worse, NULL), GW_E_INVALID);
    options.margin = 0.0;
    options.alpha = 0.0;
    assert_fails(gw_worse_init(&options, &worse, NULL), GW_E_INVALID);
    assert_fails(gw_worse_add(&worse, (double)NAN, 0.5, true, 1.0, NULL), GW_E_INVALID);
    assert_fails(gw_worse_add(&worse, 0.5, -0.5, true, 1.0, NULL), GW_E_INVALID);
    assert_fails(gw_worse_add(&worse, 0.5, 0.5, true, 2.0, NULL), GW_E_INVALID);
    assert_int_equal(worse.rows, 0);
}

GW_TESTS(wealth_equals_hand_computation, false_alarms_are_no_oftener_than_alpha, a_worse_model_is_proven_soon,
         once_proven_it_stays_proven, state_restored_from_bytes_goes_on_the_same, values_out_of_range_are_refused)
