// SPDX-License-Identifier: MIT
#include "model/calibration.h"

#include <math.h>

// xgboost, src/common/math.h: the cap keeps expf finite, 1e-16 vanishes in float but is part of the formula.
static float sigmoid(float margin)
{
    const float epsilon = 1e-16f;
    float x = -margin < 88.7f ? -margin : 88.7f;
    float denominator = expf(x) + 1.0f + epsilon;
    return 1.0f / denominator;
}

float gw_calibration_apply(const struct gw_calibration *calibration, enum gw_objective objective, float margin)
{
    float probability = margin;
    if (calibration->kind == GW_CALIBRATION_PLATT) {
        probability = (float)(1.0 / (1.0 + exp(-(calibration->a * (double)margin + calibration->b))));
    } else if (objective != GW_OBJECTIVE_REG_SQUARED_ERROR) {
        probability = sigmoid(margin);
    }
    if (calibration->negative_rate < 1.0) {
        double p = (double)probability;
        probability = (float)(p / (p + (1.0 - p) / calibration->negative_rate));
    }
    return probability;
}
