// SPDX-License-Identifier: MIT
// The gate before a promotion: a verdict on the paired loss difference, and sanity checks with the numbers they saw.
//
// The verdict alone is not enough: against a champion that the world has left behind, a model that always answers the
// base rate is an improvement. The checks are what stops it.
#pragma once

#include "quality/head_quality.h"
#include "quality/paired.h"

// X(suffix, name)
#define GW_GATE_VERDICT_MAP(X)                                                                                         \
    X(PASS, "PASS")                 /* worse by more than the margin is ruled out */                                   \
    X(FAIL, "FAIL")                 /* worse by more than the margin is proven */                                      \
    X(INCONCLUSIVE, "INCONCLUSIVE") /* too few rows to say; does not promote */

enum gw_gate_verdict {
#define X(suffix, name) GW_GATE_##suffix,
    GW_GATE_VERDICT_MAP(X)
#undef X
        GW_GATE_VERDICT_COUNT
};

const char *gw_gate_verdict_name(enum gw_gate_verdict verdict);

struct gw_gate_decision {
    enum gw_gate_verdict verdict;
    double margin; // nats
    double alpha;
    uint64_t rows;
    double clipped_share; // of rows, gains over the limit
    struct gw_paired_bounds bounds;
};

// PASS when bounds.high < margin, FAIL when bounds.low > margin. A candidate worse by the margin or more passes with
// probability <= alpha, at whatever row one looks, and however often. margin >= 0; alpha in (0, 1).
void gw_gate_decide(const struct gw_paired *paired, double margin, double alpha, struct gw_gate_decision *ret_decision);

// A check: what was seen and what was allowed, for the record. NaN fails.
struct gw_gate_check {
    const char *name; // static
    bool passed;
    double value;
    double low;  // allowed, inclusive
    double high; // allowed, inclusive
};

// The candidate ranks and informs: 95 % sure of an area over 1/2 and of a normalised entropy below 1. Two checks, in
// ret_checks[0] and [1]. A constant predictor has 1/2 and at least 1, and fails both.
void gw_gate_check_informs(const struct gw_head_measures *candidate, struct gw_gate_check ret_checks[2]);

// The share of positives on the hold-out is within a factor (> 1) of what is expected of the labels: outside, the
// labels are broken or the hold-out is not what the model will meet.
struct gw_gate_check gw_gate_check_prior(const struct gw_head_measures *holdout, double expected_rate, double factor);

// Mean prediction over mean label of the candidate is within a factor (> 1) of 1.
struct gw_gate_check gw_gate_check_calibration(const struct gw_head_measures *candidate, double factor);

// At most this share of the rows had no number for a prediction. No rows fails.
struct gw_gate_check gw_gate_check_missing(uint64_t missing_rows, uint64_t rows, double share_max);

// The scores are distributed like the champion's: population stability index at most `psi_max` plus what chance gives
// at these numbers of rows, 9 (1 / n + 1 / m).
struct gw_gate_check gw_gate_check_scores(const struct gw_head_quality *champion,
                                          const struct gw_head_quality *candidate, double psi_max);
