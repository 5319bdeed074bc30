// SPDX-License-Identifier: MIT
// How good the labels are: the share of actions that found what was served, and how long engagements take.
#pragma once

#include "label/join.h"

// Joined actions over all that could have been: joined, no_served and late. Of actions with a join id, which says that
// the candidate came from here, or of all. NaN before there is any. Where served records are sampled, it approaches the
// sampling rate: divide by it.
double gw_label_coverage(const struct gw_label_counts *counts, bool with_join_id_only);

// Delays from impression to engagement. Bucket 0 holds up to 1 ms and negative ones (clocks differ), bucket i up to
// 2^i ms, the last everything above 2^29 ms, 6.2 days. Add the arrays to merge.
enum { GW_LABEL_DELAY_BUCKETS = 31 };

struct gw_label_delays {
    uint64_t counts[GW_LABEL_DELAY_BUCKETS];
};

uint32_t gw_label_delay_bucket(int64_t delay_ms);
int64_t gw_label_delay_bound_ms(uint32_t bucket); // inclusive upper bound; INT64_MAX for the last

// Counts POSITIVE_REPLAY examples; others say nothing about a delay.
void gw_label_delays_observe(struct gw_label_delays *delays, const struct gw_label_example *example);

// The q-quantile in ms, interpolated inside its bucket; NaN when empty. The last bucket answers its lower bound.
double gw_label_delays_quantile_ms(const struct gw_label_delays *delays, double q);
