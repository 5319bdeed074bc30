// SPDX-License-Identifier: MIT
#include "model/calibration.h"
#include "support/testkit.h"

#include <math.h>

static const enum gw_objective logistic = GW_OBJECTIVE_BINARY_LOGISTIC;

static void identity_is_the_objectives_transformation(void **state)
{
    (void)state;
    const struct gw_calibration identity = {.negative_rate = 1};
    assert_true(gw_calibration_apply(&identity, logistic, 0) == 0.5f);
    assert_true(gw_calibration_apply(&identity, logistic, 1000) == 1.0f);
    assert_true(gw_calibration_apply(&identity, logistic, -1000) > 0.0f);
    assert_true(gw_calibration_apply(&identity, logistic, -INFINITY) < 1e-37f);
    assert_true(gw_calibration_apply(&identity, GW_OBJECTIVE_REG_SQUARED_ERROR, -3.5f) == -3.5f);
}

static void platt_scales_and_shifts_the_margin(void **state)
{
    (void)state;
    const struct gw_calibration platt = {.kind = GW_CALIBRATION_PLATT, .a = 2, .b = -1, .negative_rate = 1};
    assert_true(gw_calibration_apply(&platt, logistic, 0.5f) == 0.5f);
    assert_true(fabs((double)gw_calibration_apply(&platt, logistic, 1) - 1 / (1 + exp(-1.0))) < 1e-7);
    assert_true(gw_calibration_apply(&platt, logistic, 1e30f) == 1.0f);
    assert_true(gw_calibration_apply(&platt, logistic, -1e30f) == 0.0f);
}

// Of 10,000 negatives 100 were kept beside 100 positives: the model says 0.5 where the truth is 100 in 10,100.
static void sampled_negatives_are_put_back(void **state)
{
    (void)state;
    const struct gw_calibration sampled = {.negative_rate = 0.01};
    assert_true(fabs((double)gw_calibration_apply(&sampled, logistic, 0) - 100.0 / 10100) < 1e-8);
    assert_true(gw_calibration_apply(&sampled, logistic, 1000) == 1.0f);
}

GW_TESTS(identity_is_the_objectives_transformation, platt_scales_and_shifts_the_margin, sampled_negatives_are_put_back)
