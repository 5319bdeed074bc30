// SPDX-License-Identifier: MIT
// When margins are recalibrated, and to what.
#include "train/calibrate.h"

#include "base/mem.h"
#include "base/rng.h"
#include "support/testkit.h"
#include "train/measure.h"

#include <math.h>

#define ROWS 8000

static float margins[ROWS];
static float labels[ROWS];
static float weights[ROWS];

// Labels of true logits, and a model that says `slope * logit + offset`.
static struct gw_train_margins make_rows(double slope, double offset, double base, uint64_t seed)
{
    struct gw_rng rng;
    gw_rng_init(&rng, seed);
    for (size_t i = 0; i < ROWS; i++) {
        double logit = base + gw_rng_normal(&rng);
        margins[i] = (float)(slope * logit + offset);
        labels[i] = gw_rng_double(&rng) < 1 / (1 + exp(-logit)) ? 1.0f : 0.0f;
        weights[i] = 1;
    }
    return (struct gw_train_margins){.margins = margins, .labels = labels, .weights = weights, .count = ROWS};
}

static struct gw_calibration calibrate(const struct gw_train_margins *rows, double negative_rate)
{
    struct gw_calibration calibration = {0};
    gw_err err = {0};
    assert_ok_err(gw_train_calibrate(rows, negative_rate, &calibration, &err), &err);
    return calibration;
}

static void margins_that_are_right_stay_as_they_are(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        const struct gw_train_margins rows = make_rows(1, 0, -1, seed);
        assert_int_equal(calibrate(&rows, 1).kind, GW_CALIBRATION_IDENTITY);
    }
}

static void overconfident_margins_are_drawn_in(void **state)
{
    (void)state;
    const struct gw_train_margins rows = make_rows(2, 1, -1, 1);
    const struct gw_calibration calibration = calibrate(&rows, 1);
    assert_int_equal(calibration.kind, GW_CALIBRATION_PLATT);
    assert_true(fabs(calibration.a - 0.5) < 0.03);
    assert_true(fabs(calibration.b + 0.5) < 0.06);
    double before = gw_measure_log_loss(margins, labels, weights, ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        float calibrated = gw_train_calibrated_margin(&calibration, margins[i]);
        double served = (double)gw_calibration_apply(&calibration, GW_OBJECTIVE_BINARY_LOGISTIC, margins[i]);
        assert_true(fabs(1 / (1 + exp(-(double)calibrated)) - served) < 1e-6);
        margins[i] = calibrated;
    }
    assert_true(gw_measure_log_loss(margins, labels, weights, ROWS) < before - 0.05);
}

static void a_wrong_level_alone_is_corrected(void **state)
{
    (void)state;
    const struct gw_train_margins rows = make_rows(1, 0.4, -2, 3);
    const struct gw_calibration calibration = calibrate(&rows, 1);
    assert_int_equal(calibration.kind, GW_CALIBRATION_PLATT);
    assert_true(fabs(calibration.b + 0.4 * calibration.a) < 0.1);
}

static void a_ranking_the_wrong_way_round_is_not_turned(void **state)
{
    (void)state;
    const struct gw_train_margins rows = make_rows(-1, 0, 0, 1);
    assert_int_equal(calibrate(&rows, 1).kind, GW_CALIBRATION_IDENTITY);
}

// What only the first half shows is not believed.
static void the_second_half_decides(void **state)
{
    (void)state;
    const struct gw_train_margins rows = make_rows(1, 0, -1, 5);
    for (size_t i = 0; i < ROWS / 2; i++) {
        margins[i] = 3 * margins[i] + 2;
    }
    assert_int_equal(calibrate(&rows, 1).kind, GW_CALIBRATION_IDENTITY);
}

static void a_half_of_one_class_leaves_the_margins(void **state)
{
    (void)state;
    struct gw_train_margins rows = make_rows(2, 1, -1, 1);
    for (size_t i = ROWS / 2; i < ROWS; i++) {
        labels[i] = 0;
    }
    assert_int_equal(calibrate(&rows, 1).kind, GW_CALIBRATION_IDENTITY);
    rows.count = 1;
    assert_int_equal(calibrate(&rows, 1).kind, GW_CALIBRATION_IDENTITY);
}

// A row that stands for many is one row all the same: little is known where few weights count.
static void evidence_is_counted_in_effective_rows(void **state)
{
    (void)state;
    const struct gw_train_margins rows = make_rows(2, 1, -1, 1);
    for (size_t i = 0; i < ROWS; i++) {
        weights[i] = i % (ROWS / 8) == 7 ? 1e6f : 1e-3f;
    }
    assert_int_equal(calibrate(&rows, 1).kind, GW_CALIBRATION_IDENTITY);
}

static void the_share_of_negatives_is_carried_and_applied(void **state)
{
    (void)state;
    struct gw_train_margins rows = make_rows(1, 0, -1, 2);
    struct gw_calibration calibration = calibrate(&rows, 0.25);
    assert_int_equal(calibration.kind, GW_CALIBRATION_IDENTITY);
    assert_true(calibration.negative_rate == 0.25);
    rows = make_rows(2, 1, -1, 2);
    calibration = calibrate(&rows, 0.25);
    assert_int_equal(calibration.kind, GW_CALIBRATION_PLATT);
    for (size_t i = 0; i < 100; i++) {
        double served = (double)gw_calibration_apply(&calibration, GW_OBJECTIVE_BINARY_LOGISTIC, margins[i]);
        double margin = (double)gw_train_calibrated_margin(&calibration, margins[i]);
        assert_true(fabs(1 / (1 + exp(-margin)) - served) < 1e-6);
    }
    assert_true(gw_train_population_weight(2, true, 0.25) == 2);
    assert_true(gw_train_population_weight(2, false, 0.25) == 8);
}

static void calibrating_survives_every_failed_allocation(void **state)
{
    (void)state;
    const struct gw_train_margins rows = make_rows(2, 1, -1, 1);
    gw_status status = GW_E_MEMORY;
    for (unsigned long n = 1; status != GW_OK; n++) {
        struct gw_calibration calibration = {0};
        gw_mem_fail_nth(n);
        status = gw_train_calibrate(&rows, 1, &calibration, NULL);
        gw_mem_fail_nth(0);
        assert_true(status == GW_OK || status == GW_E_MEMORY);
        assert_true(n < 100);
    }
}

GW_TESTS(margins_that_are_right_stay_as_they_are, overconfident_margins_are_drawn_in, a_wrong_level_alone_is_corrected,
         a_ranking_the_wrong_way_round_is_not_turned, the_second_half_decides, a_half_of_one_class_leaves_the_margins,
         evidence_is_counted_in_effective_rows, the_share_of_negatives_is_carried_and_applied,
         calibrating_survives_every_failed_allocation)
