// SPDX-License-Identifier: MIT
// How a head's margins become probabilities: as they are, or by Platt's two parameters, where those tell more.
//
// Chosen on rows that the trees were not learned from, in time order. Fitted on the first half, Platt has to gain on
// the second one more than the two parameters cost by Schwarz's criterion ("Estimating the Dimension of a Model",
// Annals of Statistics 6(2), 1978): n (L_identity - L_platt) > 2 (ln n) / 2, with L the mean log loss in nats and n the
// effective number of rows, (sum of weights)^2 / sum of squares. Then it is fitted on all of them. A slope that is not
// positive, which would turn the ranking round, and a half of one class leave the margins as they are.
#pragma once

#include "base/err.h"
#include "model/calibration.h"

#include <stdbool.h>
#include <stddef.h>

struct gw_train_margins {
    const float *margins; // finite
    const float *labels;  // 0 or 1
    const float *weights; // positive, finite
    size_t count;
};

// `negative_rate`, the share of negatives that these rows have, becomes the calibration's. GW_E_MEMORY.
GW_CHECK gw_status gw_train_calibrate(const struct gw_train_margins *rows, double negative_rate,
                                      struct gw_calibration *ret_calibration, gw_err *err);

// The margin whose sigmoid is the calibrated probability, up to rounding.
float gw_train_calibrated_margin(const struct gw_calibration *calibration, float margin);

// What a row stands for where all negatives are.
float gw_train_population_weight(float weight, bool positive, double negative_rate);
