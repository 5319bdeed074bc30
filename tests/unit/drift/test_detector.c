// SPDX-License-Identifier: MIT
// The detectors against streams with known truth. Long simulations are in tests/bench/drift; these are their small
// form.
#include "drift/promise.h"
#include "support/testkit.h"
#include "unit/drift/sim.h"

#include <string.h>

static struct gw_drift_profile *exact; // N(0, 1) without sampling error

static const struct gw_drift_feature *normal(void)
{
    if (exact == NULL) {
        exact = sim_exact(200000);
    }
    return &exact->features[0];
}

static struct sim_source source_of(uint64_t seed, double rho, double shift, double spread)
{
    struct sim_source source = {.rho = rho, .shift = shift, .spread = spread};
    gw_rng_init(&source.rng, seed);
    return source;
}

static void assert_between(double value, double low, double high)
{
    if (!(value >= low && value <= high)) {
        print_error("%g is not within %g and %g\n", value, low, high);
    }
    assert_true(value >= low && value <= high);
}

static void a_step_is_plain_float_arithmetic_to_the_bit(void **state)
{
    (void)state;
    struct gw_rng rng;
    struct gw_drift_lanes lanes;
    float plain[GW_DRIFT_LANES];
    gw_rng_init(&rng, 1);
    gw_drift_lanes_reset(&lanes);
    for (size_t j = 0; j < GW_DRIFT_LANES; j++) {
        plain[j] = 1.0f;
    }
    for (int i = 0; i < 2000; i++) {
        struct gw_drift_lanes row;
        for (size_t j = 0; j < GW_DRIFT_LANES; j++) {
            row.lane[j] = (float)(gw_rng_double(&rng) * (j == 3 ? 4.0 : 2.0)); // lane 3 runs into the maximum
            float m = plain[j] > 1.0f ? plain[j] : 1.0f;
            m = m * row.lane[j];
            plain[j] = m < GW_DRIFT_E_MAX ? m : GW_DRIFT_E_MAX;
        }
        float four[4];
        for (size_t j = 0; j < 4; j++) {
            four[j] = (plain[j] + plain[j + 8]) + (plain[j + 4] + plain[j + 12]);
        }
        float sum = (four[0] + four[2]) + (four[1] + four[3]);
        float stepped = gw_drift_lanes_step(&lanes, &row);
        assert_memory_equal(&stepped, &sum, sizeof sum);
        assert_memory_equal(lanes.lane, plain, sizeof plain);
    }
}

static void edges_below_counts_like_a_loop(void **state)
{
    (void)state;
    const struct gw_drift_feature *feature = normal();
    struct gw_rng rng;
    gw_rng_init(&rng, 2);
    for (int i = 0; i < 2000; i++) {
        float value = i < 30 ? feature->edges[i] : (float)(2.0 * gw_rng_normal(&rng));
        uint32_t below = 0;
        for (uint32_t k = 0; k < 30; k++) {
            below += feature->edges[k] < value ? 1 : 0;
        }
        assert_int_equal(gw_drift_edges_below(feature->edges, feature->search_count, value), below);
    }
}

// The promise: at least c rows between false alarms on average. The expectation is about thirty times that.
static void independent_rows_alarm_no_more_often_than_promised(void **state)
{
    (void)state;
    const double threshold = 1e4;
    const uint64_t rows = 2000000;
    uint64_t alarms = sim_alarms(normal(), source_of(21, 0.0, 0.0, 1.0), threshold, rows);
    assert_between((double)alarms, 0.0, (double)rows / threshold);
    alarms = sim_alarms(normal(), source_of(22, 0.0, 0.0, 1.0), 300.0, 500000);
    assert_between((double)alarms, 5.0, 500000 / 300.0); // and the detector is alive
}

static void dependent_rows_alarm_no_more_often_than_promised(void **state)
{
    (void)state;
    const double threshold = 1e4;
    const uint64_t rows = 2000000;
    struct gw_drift_profile *profile = sim_drawn(source_of(31, 0.5, 0.0, 1.0), 100000, 0.0);
    uint64_t alarms = sim_alarms(&profile->features[0], source_of(32, 0.5, 0.0, 1.0), threshold, rows);
    assert_between((double)alarms, 0.0, (double)rows / threshold);

    // Taking the same rows for independent breaks it: tau is what keeps the promise.
    struct gw_drift_profile *naive = sim_exact(100000);
    alarms = sim_alarms(&naive->features[0], source_of(32, 0.5, 0.0, 1.0), threshold, 500000);
    assert_true((double)alarms > 500000 / threshold);
    gw_drift_profile_free(naive);
    gw_drift_profile_free(profile);
}

static void a_reference_of_1000_rows_keeps_the_promise_by_its_tolerance(void **state)
{
    (void)state;
    const uint64_t rows = 300000;
    uint64_t alarms = 0;
    for (uint64_t i = 0; i < 6; i++) {
        struct gw_drift_profile *profile = sim_drawn(source_of(40 + i, 0.0, 0.0, 1.0), 1000, 0.0);
        alarms += sim_alarms(&profile->features[0], source_of(60 + i, 0.0, 0.0, 1.0), 1e4, rows);
        gw_drift_profile_free(profile);
    }
    assert_between((double)alarms, 0.0, 6.0 * rows / 1e4);
}

// Facts, c = 1e4, with an exact reference: 1976 rows at 0.1 sd, 321 at 0.25, 87 at 0.5, 25 at 1; 82 at a spread of 1.5.
static void drifts_are_seen_as_soon_as_measured_before(void **state)
{
    (void)state;
    assert_between(sim_delay(normal(), source_of(71, 0.0, 0.25, 1.0), 1e4, 2000, 100000, 100), 321 * 0.8, 321 * 1.25);
    assert_between(sim_delay(normal(), source_of(72, 0.0, -0.25, 1.0), 1e4, 2000, 100000, 100), 321 * 0.8, 321 * 1.25);
    assert_between(sim_delay(normal(), source_of(73, 0.0, 0.1, 1.0), 1e4, 2000, 100000, 40), 1976 * 0.75, 1976 * 1.35);
    assert_between(sim_delay(normal(), source_of(74, 0.0, 1.0, 1.0), 1e4, 2000, 100000, 100), 25 * 0.8, 25 * 1.25);
    assert_between(sim_delay(normal(), source_of(75, 0.0, 0.0, 1.5), 1e4, 2000, 100000, 100), 82 * 0.8, 82 * 1.25);
    assert_between(sim_delay(normal(), source_of(76, 0.0, 0.0, 0.6), 1e4, 2000, 100000, 40), 20, 100);
}

static void the_promised_delay_is_the_simulated_one(void **state)
{
    (void)state;
    static const struct {
        double threshold;
        double shift;
        uint32_t runs;
    } cases[] = {{1e4, 0.25, 100}, {1e6, 0.25, 60}, {30.0 * 86400 * 1000, 0.25, 40}, {1e6, -0.5, 100}, {1e6, 0.1, 20}};
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        double promised = gw_drift_promise_delay(normal(), cases[i].threshold, cases[i].shift);
        double simulated = sim_delay(normal(), source_of(81 + i, 0.0, cases[i].shift, 1.0), cases[i].threshold, 2000,
                                     200000, cases[i].runs);
        print_message("c %g, shift %g: promised %.0f, simulated %.0f\n", cases[i].threshold, cases[i].shift, promised,
                      simulated);
        assert_between(simulated / promised, 0.75, 1.15);
    }
}

static void the_smallest_shift_is_where_the_delay_meets_the_time(void **state)
{
    (void)state;
    double threshold = gw_drift_promise_threshold(30.0, 1000.0);
    assert_true(threshold == 30.0 * 86400 * 1000);
    assert_true(gw_drift_promise_days(threshold, 1000.0) == 30.0);
    assert_true(isinf(gw_drift_promise_days(threshold, 0.0)));
    double in_10s = gw_drift_promise_shift(normal(), threshold, 10.0 * 1000.0);
    double in_5min = gw_drift_promise_shift(normal(), threshold, 300.0 * 1000.0);
    assert_between(in_10s, 0.05, 0.1);
    assert_true(in_5min < in_10s);
    assert_between(gw_drift_promise_delay(normal(), threshold, in_10s), 9000, 10001);
    // Ten rows a second see 0.1 sd in more than five minutes, and a tenth of a row a second sees nothing in ten
    // seconds.
    assert_between(gw_drift_promise_shift(normal(), gw_drift_promise_threshold(30.0, 10.0), 3000.0), 0.1, 0.13);
    assert_true(isinf(gw_drift_promise_shift(normal(), threshold, 1.0)));
    // A tolerance of 0.1 never sees a twentieth of a deviation.
    struct gw_drift_profile *tolerant = sim_drawn(source_of(5, 0.0, 0.0, 1.0), 20000, 0.1);
    assert_true(isinf(gw_drift_promise_delay(&tolerant->features[0], threshold, 0.05)));
    gw_drift_profile_free(tolerant);
}

// Rows until the absence lanes reach the threshold, at most `limit`: the mean of `runs`.
static double absence_delay(const struct gw_drift_feature *feature, struct sim_source source, double threshold,
                            uint32_t limit, uint32_t runs)
{
    double sum = 0.0;
    for (uint32_t run = 0; run < runs; run++) {
        struct gw_drift_detector detector;
        gw_drift_detector_init(&detector);
        uint32_t rows = 0;
        float e = 0.0f;
        while ((double)e < threshold && rows < limit) {
            e = gw_drift_detector_feed(&detector, NULL, feature, gw_drift_feature_row(feature, sim_next(&source)))
                    .absence;
            rows++;
        }
        sum += rows;
    }
    return sum / runs;
}

static void missing_values_alarm_by_rate_up_and_down(void **state)
{
    (void)state;
    struct sim_source source = source_of(91, 0.0, 0.0, 1.0);
    source.missing = 0.2;
    struct gw_drift_profile *profile = sim_drawn(source, 20000, 0.0);
    const struct gw_drift_feature *feature = &profile->features[0];
    assert_true(absence_delay(feature, source, 1e6, 200000, 1) == 200000); // nothing has changed
    static const double shares[] = {0.4, 0.25, 0.1, 0.99};
    for (size_t i = 0; i < GW_COUNT_OF(shares); i++) {
        source.missing = shares[i];
        double promised = gw_drift_promise_missing_delay(feature, 1e6, shares[i]);
        double simulated = absence_delay(feature, source, 1e6, 200000, 40);
        print_message("share %g: promised %.0f, simulated %.0f\n", shares[i], promised, simulated);
        assert_between(simulated / promised, 0.7, 1.3);
    }
    double smallest = gw_drift_promise_missing(feature, 1e6, 10000);
    assert_between(smallest, 0.01, 0.1);
    gw_drift_profile_free(profile);
}

static void a_feature_that_was_never_missing_alarms_at_its_first_holes(void **state)
{
    (void)state;
    struct gw_drift_detector detector;
    gw_drift_detector_init(&detector);
    struct gw_drift_evidence evidence = {0};
    for (uint32_t i = 0; i < 4; i++) {
        evidence = gw_drift_detector_feed(&detector, NULL, normal(), gw_drift_feature_row(normal(), NAN));
    }
    assert_true((double)evidence.absence > 1e9);
    assert_true((double)evidence.tilt < 2.0);
}

static void a_new_category_alarms_and_a_reordering_is_learned(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct gw_rng rng;
    float *values = gw_mem_calloc(COUNT, sizeof *values);
    assert_non_null(values);
    gw_rng_init(&rng, 6);
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = (float)gw_rng_below(&rng, 8);
    }
    struct gw_drift_profile *profile = sim_profile_of(values, COUNT, true, 0.0);
    const struct gw_drift_feature *feature = &profile->features[0];
    struct gw_drift_detector detector;
    struct gw_drift_learned learned;
    gw_drift_detector_init(&detector);
    gw_drift_learned_init(&learned, feature);
    struct gw_drift_evidence evidence = {0};
    double most = 0.0;
    for (uint32_t i = 0; i < 200000; i++) {
        evidence = gw_drift_detector_feed(&detector, &learned, feature,
                                          gw_drift_feature_row(feature, (float)gw_rng_below(&rng, 8)));
        most = fmax(most, (double)evidence.tilt);
    }
    assert_true(most < 1e4);
    // One value in a hundred is new.
    uint32_t rows = 0;
    while ((double)evidence.absence < 1e6 && rows < 10000) {
        float value = gw_rng_below(&rng, 100) == 0 ? 8.0f : (float)gw_rng_below(&rng, 8);
        evidence = gw_drift_detector_feed(&detector, &learned, feature, gw_drift_feature_row(feature, value));
        rows++;
    }
    assert_between(rows, 10, 1000);
    // Odd categories lose half their mass to even ones: neither mean nor spread moves much, the learned lanes see it.
    gw_drift_detector_init(&detector);
    rows = 0;
    do {
        uint64_t drawn = gw_rng_below(&rng, 8);
        if (drawn % 2 == 1 && gw_rng_below(&rng, 2) == 0) {
            drawn = drawn == 7 ? 0 : drawn + 1;
        }
        evidence = gw_drift_detector_feed(&detector, &learned, feature, gw_drift_feature_row(feature, (float)drawn));
        rows++;
    } while ((double)evidence.tilt < 1e6 && rows < 10000);
    assert_between(rows, 50, 1500);
    assert_true(learned.m[0] > detector.tilt.lane[0]);
    assert_true(gw_drift_learned_valid(&learned) && gw_drift_detector_valid(&detector));
    gw_drift_profile_free(profile);
    gw_mem_free(values);
}

static void learned_lanes_alarm_no_more_often_than_promised(void **state)
{
    (void)state;
    enum { COUNT = 4000, ROWS = 400000 };
    struct gw_rng rng;
    float *values = gw_mem_calloc(COUNT, sizeof *values);
    assert_non_null(values);
    gw_rng_init(&rng, 8);
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = (float)gw_rng_below(&rng, 12);
    }
    struct gw_drift_profile *profile = sim_profile_of(values, COUNT, true, 0.0);
    const struct gw_drift_feature *feature = &profile->features[0];
    struct gw_drift_detector detector;
    struct gw_drift_learned learned;
    gw_drift_detector_init(&detector);
    gw_drift_learned_init(&learned, feature);
    uint32_t alarms = 0;
    for (uint32_t i = 0; i < ROWS; i++) {
        uint32_t row = gw_drift_feature_row(feature, (float)gw_rng_below(&rng, 12));
        if ((double)gw_drift_detector_feed(&detector, &learned, feature, row).tilt >= 1000.0) {
            alarms++;
            gw_drift_detector_restart_tilt(&detector, &learned);
        }
    }
    assert_between(alarms, 0, ROWS / 1000.0);
    gw_drift_profile_free(profile);
    gw_mem_free(values);
}

// A stream of one value, and one of hardly another: the learned lane must not drift on rounding, nor the spread lanes
// on a dependence that is not theirs.
static void a_constant_and_a_rare_flag_raise_no_alarm(void **state)
{
    (void)state;
    enum { ROWS = 2000, LIVE = 150000 };
    for (uint64_t seed = 1; seed <= 4; seed++) {
        static float values[ROWS * 2];
        static const char *const two[] = {"constant", "flag"};
        struct gw_rng rng;
        gw_rng_init(&rng, seed);
        for (size_t i = 0; i < ROWS; i++) {
            values[2 * i] = NAN;
            values[2 * i + 1] = gw_rng_double(&rng) < 0.01 ? 1.0f : 0.0f;
        }
        const struct gw_drift_rows rows = {.values = values, .row_count = ROWS, .feature_count = 2, .names = two};
        struct gw_drift_profile *profile = NULL;
        assert_ok(gw_drift_profile_build(&rows, &(struct gw_drift_build_options){0}, &profile, NULL));
        for (int f = 0; f < 2; f++) {
            const struct gw_drift_feature *feature = &profile->features[f];
            struct gw_drift_detector detector;
            struct gw_drift_learned learned;
            float most = 0.0f;
            gw_drift_detector_init(&detector);
            gw_drift_learned_init(&learned, feature);
            for (int i = 0; i < LIVE; i++) {
                float value = f == 0 ? NAN : gw_rng_double(&rng) < 0.01 ? 1.0f : 0.0f;
                uint32_t row = gw_drift_feature_row(feature, value);
                struct gw_drift_evidence e = gw_drift_detector_feed(&detector, &learned, feature, row);
                most = fmaxf(most, fmaxf(e.tilt, e.absence));
            }
            assert_true(most < 1e5f);
            assert_true(f == 1 || most < 2.0f);
        }
        gw_drift_profile_free(profile);
    }
}

GW_TESTS(a_step_is_plain_float_arithmetic_to_the_bit, edges_below_counts_like_a_loop,
         independent_rows_alarm_no_more_often_than_promised, dependent_rows_alarm_no_more_often_than_promised,
         a_reference_of_1000_rows_keeps_the_promise_by_its_tolerance, drifts_are_seen_as_soon_as_measured_before,
         the_promised_delay_is_the_simulated_one, the_smallest_shift_is_where_the_delay_meets_the_time,
         missing_values_alarm_by_rate_up_and_down, a_feature_that_was_never_missing_alarms_at_its_first_holes,
         a_new_category_alarms_and_a_reordering_is_learned, learned_lanes_alarm_no_more_often_than_promised,
         a_constant_and_a_rare_flag_raise_no_alarm)
