// SPDX-License-Identifier: MIT
// From a head's margin to the probability that leaves the model.
//
// identity: the objective's own transformation, with XGBoost's float formula, so that it equals XGBoost's prediction
// bit for bit. platt: sigmoid(a * margin + b) in double (Platt, "Probabilistic Outputs for Support Vector Machines",
// 1999). Both are then corrected for sampled negatives: trained where only a share w of the negatives was kept, a model
// says p, and the true probability is p / (p + (1 - p) / w) (He et al., "Practical Lessons from Predicting Clicks on
// Ads at Facebook", ADKDD 2014, section 6.3).
#pragma once

#include "model/forest.h"

enum gw_calibration_kind { GW_CALIBRATION_IDENTITY, GW_CALIBRATION_PLATT };

struct gw_calibration {
    enum gw_calibration_kind kind;
    double a;             // platt: slope
    double b;             // platt: intercept
    double negative_rate; // w in (0, 1]; 1 = all negatives were kept
};

// In [0, 1] for the logistic objectives. The margin is finite or infinite, not NaN.
float gw_calibration_apply(const struct gw_calibration *calibration, enum gw_objective objective, float margin);
