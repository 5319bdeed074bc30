// SPDX-License-Identifier: MIT
// How well margins predict labels: weighted, over a held-out set.
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct gw_measure {
    double weight_sum;
    double positive_weight;
    double auc;      // probability that a positive outranks a negative, ties count half; NaN with one class
    double log_loss; // mean -log p of what happened, natural logarithm
    double
        normalised_entropy; // log_loss / entropy of the positive rate: 1 = no better than the rate; NaN with one class
    double calibration_ratio; // sum of predicted probabilities / sum of positives; NaN without positives
};

// Mean log loss alone, from margins: log(1 + exp(-m)) for a positive, log(1 + exp(m)) for a negative.
double gw_measure_log_loss(const float *margins, const float *labels, const float *weights, size_t count);

// labels are 0 or 1, weights > 0, count > 0. GW_E_MEMORY.
GW_CHECK gw_status gw_measure_all(const float *margins, const float *labels, const float *weights, size_t count,
                                  struct gw_measure *ret_measure, gw_err *err);
