// SPDX-License-Identifier: MIT
#include "drift/normal.h"

#include <math.h>

static const double sqrt_2 = 1.41421356237309504880;
static const double inverse_sqrt_2pi = 0.39894228040143267794;

double gw_drift_normal_density(double x)
{
    return inverse_sqrt_2pi * exp(-0.5 * x * x);
}

double gw_drift_normal_below(double x)
{
    return 0.5 * erfc(-x / sqrt_2);
}

double gw_drift_normal_quantile(double share)
{
    if (!(share > 0.0)) {
        return -INFINITY;
    }
    if (share >= 1.0) {
        return INFINITY;
    }
    // Below -38.6 a double has no smaller share to offer.
    double low = -39.0;
    double high = 39.0;
    for (int i = 0; i < 60; i++) {
        double middle = 0.5 * (low + high);
        if (gw_drift_normal_below(middle) < share) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return 0.5 * (low + high);
}

double gw_drift_chi_square_quantile(double freedom, double share)
{
    if (!(freedom > 0.0)) {
        return 0.0;
    }
    double part = 2.0 / (9.0 * freedom);
    double root = 1.0 - part + gw_drift_normal_quantile(share) * sqrt(part);
    return root > 0.0 ? freedom * root * root * root : 0.0;
}
