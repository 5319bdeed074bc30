// SPDX-License-Identifier: MIT
// Has the model become worse? Betting on the clipped loss of labelled rows, one-sided.
//
// y = min(loss, clip) / clip is in [0, 1]; mu is its upper mean on the reference. A lane stakes lambda on "larger":
//
//   M <- max(M, 1) * (1 + lambda (y - mu)) * keep
//
// A factor's mean is at most 1 whenever the mean of y is at most mu, for any distribution of y (Waudby-Smith and
// Ramdas, "Estimating means of bounded random variables by betting", JRSS-B 86(1), 2024; as an e-detector: lanes.h).
// keep = exp(-(tau - 1) lambda^2 var / 2) makes room for dependent rows, to second order. What is better than the
// reference only lowers the evidence. mu is the mean plus two standard errors, so a baseline needs at least
// GW_DRIFT_BASELINE_ROWS_MIN rows: with fewer, the room for error hides what should be seen.
//
// Which rows: those of final labels only. A half-ripe label is a negative that may yet become a positive.
#pragma once

#include "base/bytes.h"
#include "drift/profile.h"

// All the state: 64 bytes. One owner.
struct gw_drift_concept {
    struct gw_drift_lanes m;
};

// -ln of the probability given to what happened; probabilities under 1e-7 count as that, as float32 has no more near 1.
double gw_drift_log_loss(float probability, bool label);

// Sets upper, lambda and keep from sample_count, clip, mean, deviation and tau.
void gw_drift_baseline_derive(struct gw_drift_baseline *baseline);

// GW_E_INVALID when the baseline has too few rows, or no loss that could rise.
GW_CHECK gw_status gw_drift_concept_init(struct gw_drift_concept *concept, const struct gw_drift_baseline *baseline,
                                         gw_err *err);

// Takes in the loss of one row. `weight` in (0, 1] stands for the row's sampling weight over the largest there is.
// *ret_e is the evidence after it, at most GW_DRIFT_E_MAX. GW_E_INVALID, and nothing changed: a loss that is NaN or
// negative, a weight out of range.
GW_CHECK gw_status gw_drift_concept_feed(struct gw_drift_concept *concept, const struct gw_drift_baseline *baseline,
                                         double loss, double weight, double *ret_e, gw_err *err);
