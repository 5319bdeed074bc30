// SPDX-License-Identifier: MIT
// How a shadow's scores differ from those that were served, over the same candidates of the same requests.
//
// Additive: two tallies add up to the tally of both. Counts and sums, so that they fit counters.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define GW_SHADOW_DELTA_BUCKETS 12 // |difference of probability| up to 2^-11, 2^-10 ... 1 (the last is everything above)

struct gw_shadow_tally {
    uint64_t requests;
    uint64_t candidates;      // that were compared
    uint64_t flips;           // requests whose best candidate (the first of equals) is another one
    uint64_t not_a_number;    // candidates of which a score or probability is NaN or infinite; in nothing else
    double delta_sum;         // of |served - shadow| of the primary head's probability
    uint64_t delta_counts[GW_SHADOW_DELTA_BUCKETS];
    double correlation_sum;   // of Spearman's rho of each request of at least two candidates with differing scores
    uint64_t correlations;
};

// Adds one request: `served` and `shadow` are scores (ranking), `served_p` and `shadow_p` the primary heads'
// probabilities, each `count` (at most 2^24) long, in the same order of candidates. `scratch` has room for 4 * count
// floats.
// Spearman's rho is Pearson's r of the ranks, ties sharing their mean rank (Spearman, Am. J. Psychology 15(1), 1904).
void gw_shadow_note(struct gw_shadow_tally *tally, const float *served, const float *shadow, const float *served_p,
                    const float *shadow_p, uint32_t count, float *scratch);

void gw_shadow_add(struct gw_shadow_tally *to, const struct gw_shadow_tally *more);

// Upper bound of bucket `index`.
double gw_shadow_delta_bound(size_t index);
