// SPDX-License-Identifier: MIT
// The model that a system serves before anything is trained: a bundle that ranks by popularity, by one feature, which
// is a count.
//
// It is a staircase over the logarithm of the count c, of one tree, monotone:
//   t(i) = 10^(i / 9), i = 0 to 63: 64 geometric steps from 1 to 10^7
//   l(c) = number of i with t(i) <= c; 0 when c is missing
//   probability(c) = prior + (1 - prior) / 2 * l(c) / 64
// So whatever was never counted gets the prior rate, and from 10^7 on nothing changes any more. The probability orders
// by popularity and is NOT calibrated: only its value at 0 has been observed.
#pragma once

#include "model/bundle.h"

#define GW_BASELINE_STEPS 64

// Of a new model's baseline, whoever makes it. Nothing of its outcome has been seen yet: the prior is a guess, and only
// the order says something.
#define GW_BASELINE_HEAD  "popularity"
#define GW_BASELINE_PRIOR 0.01

// Borrowed for the call.
struct gw_baseline {
    const char *model_name;
    const char *feature_name; // of the count: >= 0, NaN = missing
    const char *head_name;
    double prior_rate; // of positives, in (0, 1)
};

// Writes the bundle, of XGBoost's JSON, with metadata {"golden": "own", "format": ..., "baseline": "popularity"}. The
// same baseline gives the same bytes. `directory`, ret_digest and statuses are gw_bundle_from_file's; GW_E_INVALID also
// for a prior out of range.
GW_CHECK gw_status gw_baseline_write(const struct gw_baseline *baseline, const char *directory,
                                     char ret_digest[GW_BUNDLE_DIGEST_BYTES], gw_err *err);
