// SPDX-License-Identifier: MIT
// Area under the ROC curve, exact, with ties and weights.
//
// AUC = P(score of a positive > score of a negative) + P(equal) / 2: the Mann-Whitney statistic (Hanley and McNeil,
// Radiology 143(1), 1982; Fawcett, Pattern Recognition Letters 27(8), 2006). With the scores sorted, groups of equal
// score g with weights P_g and N_g give
//
//   AUC = sum over g of P_g * (N_below(g) + N_g / 2) / (P * N).
//
// A constant score has 0.5. Without a positive or without a negative the area is not defined: NaN, which no caller
// should print as a number.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

// scores[i] is not NaN (GW_E_INVALID); labels[i] tells positives; weights[i] >= 0, NULL for all 1. *ret_auc is in [0,
// 1], or NaN when one class has no weight. O(n log n), one allocation (GW_E_MEMORY).
GW_CHECK gw_status gw_quality_auc(const double *scores, const bool *labels, const double *weights, size_t count,
                                  double *ret_auc, gw_err *err);

// The expected AUC of `scores` when label i is drawn with probability truth[i]: each row is a positive of weight
// truth[i] and a negative of weight 1 - truth[i]. With scores = truth it is the ceiling that no model can pass. It
// differs from the expectation over drawn labels by O(1/count). truth[i] outside [0, 1] is GW_E_INVALID.
GW_CHECK gw_status gw_quality_expected_auc(const double *scores, const double *truth, size_t count, double *ret_auc,
                                           gw_err *err);
