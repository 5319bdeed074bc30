// SPDX-License-Identifier: MIT
#include "base/mem.h"
#include "base/rng.h"
#include "quality/auc.h"
#include "quality/head_quality.h"
#include "support/testkit.h"

#include <math.h>

static const uint64_t seed = 20240917;

static struct gw_head_quality *new_quality(void)
{
    struct gw_head_quality *quality = gw_head_quality_new();
    assert_non_null(quality);
    return quality;
}

static void add(struct gw_head_quality *quality, double prediction, bool positive, double weight)
{
    const struct gw_head_row row = {.prediction = prediction, .positive = positive, .weight = weight};
    assert_ok(gw_head_quality_add(quality, &row, NULL));
}

static struct gw_head_measures measure(const struct gw_head_quality *quality)
{
    struct gw_head_measures measures;
    gw_head_quality_measure(quality, &measures);
    return measures;
}

static void assert_same(const struct gw_head_quality *a, const struct gw_head_quality *b)
{
    struct gw_buf bytes_a = {0};
    struct gw_buf bytes_b = {0};
    assert_ok(gw_head_quality_encode(a, &bytes_a));
    assert_ok(gw_head_quality_encode(b, &bytes_b));
    assert_true(gw_slice_equal(gw_buf_slice(&bytes_a), gw_buf_slice(&bytes_b)));
    gw_buf_deinit(&bytes_a);
    gw_buf_deinit(&bytes_b);
}

static double normal_logit(struct gw_rng *rng, double mean)
{
    return 1.0 / (1.0 + exp(-(mean + gw_rng_normal(rng))));
}

static struct gw_head_row random_row(struct gw_rng *rng)
{
    static const double weights[] = {1.0, 1.0, 2.5, 0.01, 250.0};
    double p = normal_logit(rng, -2.0);
    return (struct gw_head_row){
        .prediction = p, .positive = gw_rng_double(rng) < p, .weight = weights[gw_rng_below(rng, 5)]};
}

static void measures_equal_hand_computation(void **state)
{
    (void)state;
    struct gw_head_quality *quality = new_quality();
    add(quality, 0.8, true, 1.0);
    add(quality, 0.6, true, 1.0);
    add(quality, 0.7, false, 1.0);
    add(quality, 0.1, false, 1.0);
    struct gw_head_measures m = measure(quality);
    double loss = -(log(0.8) + log(0.6) + log(0.3) + log(0.9)) / 4.0;
    assert_int_equal(m.rows, 4);
    assert_int_equal(m.positive_rows, 2);
    assert_true(m.examples == 4.0 && m.positives == 2.0);
    assert_true(m.effective_positives == 2.0 && m.effective_negatives == 2.0);
    assert_true(fabs(m.log_loss - loss) < 1e-9);
    assert_true(fabs(m.base_entropy - log(2.0)) < 1e-15);
    assert_true(fabs(m.normalised_entropy - loss / log(2.0)) < 1e-9);
    assert_true(fabs(m.rce - 100.0 * (1.0 - loss / log(2.0))) < 1e-7);
    assert_true(fabs(m.calibration - 2.2 / 2.0) < 1e-9);
    assert_true(fabs(m.brier - (0.04 + 0.16 + 0.49 + 0.01) / 4.0) < 1e-9);
    // Logits 1.39, 0.41, 0.85, -2.20 are in groups of their own, or alone: |p - y| summed.
    assert_true(fabs(m.calibration_error - (0.2 + 0.4 + 0.7 + 0.1) / 4.0) < 1e-9);
    assert_true(m.auc == 0.75);
    assert_true(m.auc_tie_share == 0.0);
    assert_true(m.maturity == 1.0);
    // Sample standard deviation of the four losses over 2, times 1.96.
    double squares = 0.0;
    const double losses[] = {-log(0.8), -log(0.6), -log(0.3), -log(0.9)};
    for (size_t i = 0; i < 4; i++) {
        squares += (losses[i] - loss) * (losses[i] - loss);
    }
    double half = 1.959963984540054 * sqrt(squares / 3.0) / 2.0;
    assert_true(fabs(m.log_loss_interval.low - (loss - half)) < 1e-8);
    assert_true(fabs(m.log_loss_interval.high - (loss + half)) < 1e-8);
    gw_head_quality_free(quality);
}

static void a_weight_counts_as_so_many_rows(void **state)
{
    (void)state;
    struct gw_head_quality *once = new_quality();
    struct gw_head_quality *thrice = new_quality();
    add(once, 0.8, true, 3.0);
    add(once, 0.4, false, 3.0);
    for (int i = 0; i < 3; i++) {
        add(thrice, 0.8, true, 1.0);
        add(thrice, 0.4, false, 1.0);
    }
    struct gw_head_measures a = measure(once);
    struct gw_head_measures b = measure(thrice);
    assert_true(a.examples == b.examples && a.auc == b.auc);
    assert_true(fabs(a.log_loss - b.log_loss) < 1e-9 && fabs(a.calibration - b.calibration) < 1e-9);
    assert_true(a.effective_positives == 1.0 && b.effective_positives == 3.0); // but not as evidence
    gw_head_quality_free(once);
    gw_head_quality_free(thrice);
}

static void what_is_not_defined_is_nan(void **state)
{
    (void)state;
    struct gw_head_quality *quality = new_quality();
    struct gw_head_measures m = measure(quality);
    assert_true(isnan(m.log_loss) && isnan(m.auc) && isnan(m.calibration) && isnan(m.maturity) && isnan(m.brier));
    add(quality, 0.2, false, 1.0);
    m = measure(quality);
    assert_true(m.log_loss > 0.0 && m.base_entropy == 0.0);
    assert_true(isnan(m.normalised_entropy) && isnan(m.rce) && isnan(m.calibration) && isnan(m.auc));
    assert_true(isnan(m.log_loss_interval.low) && isnan(m.auc_interval.low) && isnan(m.calibration_interval.high));
    gw_head_quality_free(quality);
}

static void certain_and_wrong_costs_the_clip(void **state)
{
    (void)state;
    struct gw_head_quality *quality = new_quality();
    add(quality, 0.0, true, 1.0);
    add(quality, 1.0, false, 1.0);
    struct gw_head_measures m = measure(quality);
    assert_true(fabs(m.log_loss + log(GW_HEAD_QUALITY_CLIP)) < 1e-6);
    assert_true(m.auc == 0.0 && m.brier == 1.0 && m.calibration == 1.0);
    gw_head_quality_free(quality);
}

static void refuses_what_is_no_probability_or_weight(void **state)
{
    (void)state;
    static const struct gw_head_row bad[] = {
        {.prediction = (double)NAN, .weight = 1.0},   {.prediction = -1e-9, .weight = 1.0},
        {.prediction = 1.0000001, .weight = 1.0},     {.prediction = 0.5, .weight = 0.0},
        {.prediction = 0.5, .weight = (double)NAN},   {.prediction = 0.5, .weight = (double)INFINITY},
        {.prediction = 0.5, .weight = 131072.000001}, {.prediction = 0.5, .weight = -1.0},
    };
    struct gw_head_quality *quality = new_quality();
    struct gw_head_quality *empty = new_quality();
    for (size_t i = 0; i < GW_COUNT_OF(bad); i++) {
        assert_fails(gw_head_quality_add(quality, &bad[i], NULL), GW_E_INVALID);
    }
    assert_fails(gw_head_quality_announce(quality, 0.0, NULL), GW_E_INVALID);
    assert_same(quality, empty);
    gw_head_quality_free(quality);
    gw_head_quality_free(empty);
}

static void any_order_of_merging_gives_the_same_bytes(void **state)
{
    (void)state;
    enum { PARTS = 7, ROWS = 4000 };
    print_message("seed %llu\n", (unsigned long long)seed);
    struct gw_rng rng;
    gw_rng_init(&rng, seed);
    struct gw_head_quality *parts[PARTS];
    for (size_t i = 0; i < PARTS; i++) {
        parts[i] = new_quality();
    }
    struct gw_head_quality *whole = new_quality();
    for (size_t i = 0; i < ROWS; i++) {
        struct gw_head_row row = random_row(&rng);
        assert_ok(gw_head_quality_add(whole, &row, NULL));
        assert_ok(gw_head_quality_add(parts[gw_rng_below(&rng, PARTS)], &row, NULL));
    }
    struct gw_head_quality *up = new_quality();
    struct gw_head_quality *down = new_quality();
    for (size_t i = 0; i < PARTS; i++) {
        assert_ok(gw_head_quality_merge(up, parts[i], NULL));
        assert_ok(gw_head_quality_merge(down, parts[PARTS - 1 - i], NULL));
    }
    assert_same(up, whole);
    assert_same(down, whole);

    for (size_t i = 0; i < PARTS - 1; i++) {
        assert_ok(gw_head_quality_subtract(whole, parts[i], NULL));
    }
    assert_same(whole, parts[PARTS - 1]);
    assert_fails(gw_head_quality_subtract(whole, parts[0], NULL), GW_E_INVALID);
    assert_same(whole, parts[PARTS - 1]);
    gw_head_quality_clear(down);
    assert_ok(gw_head_quality_subtract(whole, parts[PARTS - 1], NULL));
    assert_same(whole, down);
    for (size_t i = 0; i < PARTS; i++) {
        gw_head_quality_free(parts[i]);
    }
    gw_head_quality_free(whole);
    gw_head_quality_free(up);
    gw_head_quality_free(down);
}

static void area_is_within_half_the_ties_of_the_exact_one(void **state)
{
    (void)state;
    enum { ROWS = 3000 };
    static double scores[ROWS];
    static double weights[ROWS];
    static bool labels[ROWS];
    struct gw_rng rng;
    gw_rng_init(&rng, seed + 1);
    for (int spread = 0; spread < 4; spread++) {
        struct gw_head_quality *quality = new_quality();
        for (size_t i = 0; i < ROWS; i++) {
            double narrow = pow(10.0, -spread); // the narrower, the more pairs share a bin
            double x = gw_rng_normal(&rng);
            scores[i] = 1.0 / (1.0 + exp(2.0 - narrow * x));
            labels[i] = gw_rng_double(&rng) < 1.0 / (1.0 + exp(2.0 - x));
            weights[i] = gw_rng_below(&rng, 2) == 0 ? 1.0 : 3.0;
            add(quality, scores[i], labels[i], weights[i]);
        }
        double exact = 0.0;
        assert_ok(gw_quality_auc(scores, labels, weights, ROWS, &exact, NULL));
        struct gw_head_measures m = measure(quality);
        assert_true(fabs(m.auc - exact) <= m.auc_tie_share / 2.0 + 1e-12);
        if (spread == 0) {
            assert_true(m.auc_tie_share < 0.01 && fabs(m.auc - exact) < 1e-4);
        }
        gw_head_quality_free(quality);
    }
}

static void maturity_is_the_share_of_announced_rows_with_a_label(void **state)
{
    (void)state;
    struct gw_head_quality *quality = new_quality();
    for (int i = 0; i < 4; i++) {
        assert_ok(gw_head_quality_announce(quality, 2.0, NULL));
    }
    struct gw_head_measures m = measure(quality);
    assert_true(m.maturity == 0.0 && isnan(m.log_loss));
    add(quality, 0.5, true, 2.0);
    assert_true(measure(quality).maturity == 0.25);
    for (int i = 0; i < 4; i++) {
        add(quality, 0.5, false, 2.0);
    }
    assert_true(measure(quality).maturity == 1.0);
    gw_head_quality_free(quality);
}

// One simulated set of rows; what intervals should cover is known from the drawn distribution.
static void coverage(size_t rows, double mean, double lift, size_t rounds, double least, double truth_auc)
{
    struct gw_rng rng;
    gw_rng_init(&rng, seed + rows);
    struct gw_head_quality *quality = new_quality();
    struct gw_head_quality *all = new_quality();
    // The truth by a large sample of the same distribution: its own error is a tenth of an interval.
    for (size_t i = 0; i < 100000; i++) {
        bool positive = gw_rng_double(&rng) < 1.0 / (1.0 + exp(-mean));
        add(all, normal_logit(&rng, mean + (positive ? lift : 0.0)), positive, gw_rng_below(&rng, 2) == 0 ? 1.0 : 2.0);
    }
    struct gw_head_measures truth = measure(all);
    size_t in_loss = 0;
    size_t in_entropy = 0;
    size_t in_calibration = 0;
    size_t in_auc = 0;
    for (size_t round = 0; round < rounds; round++) {
        gw_head_quality_clear(quality);
        for (size_t i = 0; i < rows; i++) {
            bool positive = gw_rng_double(&rng) < 1.0 / (1.0 + exp(-mean));
            double p = normal_logit(&rng, mean + (positive ? lift : 0.0));
            add(quality, p, positive, gw_rng_below(&rng, 2) == 0 ? 1.0 : 2.0);
        }
        struct gw_head_measures m = measure(quality);
        in_loss += m.log_loss_interval.low <= truth.log_loss && truth.log_loss <= m.log_loss_interval.high;
        in_entropy += m.normalised_entropy_interval.low <= truth.normalised_entropy &&
                      truth.normalised_entropy <= m.normalised_entropy_interval.high;
        in_calibration +=
            m.calibration_interval.low <= truth.calibration && truth.calibration <= m.calibration_interval.high;
        in_auc += m.auc_interval.low <= truth_auc && truth_auc <= m.auc_interval.high;
    }
    print_message("%zu rows: covered loss %zu entropy %zu calibration %zu auc %zu of %zu\n", rows, in_loss, in_entropy,
                  in_calibration, in_auc, rounds);
    double bound = least * (double)rounds;
    assert_true((double)in_loss >= bound && (double)in_entropy >= bound);
    assert_true((double)in_calibration >= bound && (double)in_auc >= bound);
    assert_true(in_loss < rounds && in_entropy < rounds && in_calibration < rounds && in_auc < rounds); // not too wide
    gw_head_quality_free(quality);
    gw_head_quality_free(all);
}

static void intervals_cover_the_truth_19_times_in_20(void **state)
{
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    // Two normals a distance d apart: area Phi(d / sqrt 2).
    coverage(400, -1.5, 1.0, 300, 0.92, 0.5 * erfc(-1.0 / 2.0));
    coverage(100, -1.5, 2.0, 400, 0.90, 0.5 * erfc(-2.0 / 2.0));
}

static void perfect_order_has_an_interval_below_one(void **state)
{
    (void)state;
    struct gw_head_quality *quality = new_quality();
    for (int i = 0; i < 30; i++) {
        add(quality, i < 5 ? 0.9 : 0.1, i < 5, 1.0);
    }
    struct gw_head_measures m = measure(quality);
    assert_true(m.auc == 1.0 && m.auc_interval.high == 1.0);
    assert_true(m.auc_interval.low > 0.5 && m.auc_interval.low < 0.95);
    gw_head_quality_free(quality);
}

static void stability_index_is_small_for_the_same_and_large_for_shifted_scores(void **state)
{
    (void)state;
    struct gw_rng rng;
    gw_rng_init(&rng, seed + 2);
    struct gw_head_quality *a = new_quality();
    struct gw_head_quality *same = new_quality();
    struct gw_head_quality *shifted = new_quality();
    struct gw_head_quality *constant = new_quality();
    assert_true(isnan(gw_head_quality_psi(a, same)));
    for (int i = 0; i < 5000; i++) {
        add(a, normal_logit(&rng, -2.0), false, 1.0);
        add(same, normal_logit(&rng, -2.0), false, 1.0);
        add(shifted, normal_logit(&rng, -1.0), false, 1.0);
        add(constant, 0.1, false, 1.0);
    }
    assert_true(gw_head_quality_psi(a, a) == 0.0);
    assert_true(gw_head_quality_psi(a, same) < 0.01); // 9 * 2 / 5000 expected
    double psi = gw_head_quality_psi(a, shifted);
    assert_true(psi > 0.7 && psi < 1.1); // 1 for two normals one apart, less what ten bins lose
    assert_true(gw_head_quality_psi(a, constant) > 5.0);
    assert_true(gw_head_quality_psi(constant, constant) == 0.0);
    gw_head_quality_free(a);
    gw_head_quality_free(same);
    gw_head_quality_free(shifted);
    gw_head_quality_free(constant);
}

static void bytes_give_the_state_back_and_every_damage_is_refused_or_canonical(void **state)
{
    (void)state;
    struct gw_rng rng;
    gw_rng_init(&rng, seed + 3);
    struct gw_head_quality *quality = new_quality();
    struct gw_head_quality *copy = new_quality();
    for (int i = 0; i < 40; i++) {
        struct gw_head_row row = random_row(&rng);
        assert_ok(gw_head_quality_add(quality, &row, NULL));
    }
    assert_ok(gw_head_quality_announce(quality, 1.0, NULL));
    struct gw_buf buf = {0};
    assert_ok(gw_head_quality_encode(quality, &buf));
    assert_ok(gw_head_quality_decode(copy, gw_buf_slice(&buf), NULL));
    assert_same(copy, quality);

    for (size_t size = 0; size < buf.size; size++) {
        assert_fails(gw_head_quality_decode(copy, gw_slice_make(buf.data, size), NULL), GW_E_MALFORMED);
    }
    assert_same(copy, quality);
    struct gw_buf again = {0};
    for (size_t i = 0; i < buf.size; i++) {
        for (uint8_t bit = 0; bit < 8; bit += 7) {
            buf.data[i] ^= (uint8_t)(1u << bit);
            if (gw_head_quality_decode(copy, gw_buf_slice(&buf), NULL) == GW_OK) {
                gw_buf_clear(&again);
                assert_ok(gw_head_quality_encode(copy, &again));
                assert_true(gw_slice_equal(gw_buf_slice(&again), gw_buf_slice(&buf)));
                (void)measure(copy);
            }
            buf.data[i] ^= (uint8_t)(1u << bit);
        }
    }
    gw_buf_deinit(&buf);
    gw_buf_deinit(&again);
    gw_head_quality_free(quality);
    gw_head_quality_free(copy);
}

GW_TESTS(measures_equal_hand_computation, a_weight_counts_as_so_many_rows, what_is_not_defined_is_nan,
         certain_and_wrong_costs_the_clip, refuses_what_is_no_probability_or_weight,
         any_order_of_merging_gives_the_same_bytes, area_is_within_half_the_ties_of_the_exact_one,
         maturity_is_the_share_of_announced_rows_with_a_label, intervals_cover_the_truth_19_times_in_20,
         perfect_order_has_an_interval_below_one, stability_index_is_small_for_the_same_and_large_for_shifted_scores,
         bytes_give_the_state_back_and_every_damage_is_refused_or_canonical)
