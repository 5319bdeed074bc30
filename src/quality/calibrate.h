// SPDX-License-Identifier: MIT
// Fitting what model/calibration.h applies: probability = sigmoid(a * margin + b), then the correction for sampled
// negatives.
//
// Platt ("Probabilistic Outputs for Support Vector Machines", 1999) fits a and b by maximum likelihood to targets that
// are drawn in from 0 and 1, t = (N+ + 1) / (N+ + 2) for positives and 1 / (N- + 2) for negatives, so that margins
// which separate the classes still give a finite slope. The problem is convex; Newton's method with backtracking, in
// terms that neither overflow nor cancel, after Lin, Lin and Weng ("A Note on Platt's Probabilistic Outputs for Support
// Vector Machines", Machine Learning 68, 2007). Their A and B are -a and -b.
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct gw_platt {
    double a;            // slope; negative when margins rank the wrong way round
    double b;            // intercept
    double loss;         // mean over weights of the cross entropy to the targets, nats
    uint32_t iterations; // Newton steps taken
};

// Margins are finite, labels 0 or 1, weights positive and finite or NULL for all 1. Fit on rows that did not train the
// model. GW_E_INVALID, *ret_platt untouched: a value out of its range, or rows of one class only. Deterministic.
GW_CHECK gw_status gw_calibrate_platt(const float *margins, const float *labels, const float *weights, size_t count,
                                      struct gw_platt *ret_platt, gw_err *err);

// The probability among all rows of a model that says p and was trained with a share `rate` in (0, 1] of the negatives:
// p / (p + (1 - p) / rate), that is logit(p) + ln(rate) (He et al., ADKDD 2014, section 6.3). p in [0, 1].
double gw_calibrate_sampled(double p, double rate);
