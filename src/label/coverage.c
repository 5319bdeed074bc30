// SPDX-License-Identifier: MIT
#include "label/coverage.h"

#include "base/check.h"

#include <math.h>

double gw_label_coverage(const struct gw_label_counts *counts, bool with_join_id_only)
{
    uint64_t joined = 0;
    uint64_t missed = 0;
    for (int with_id = with_join_id_only; with_id <= 1; with_id++) {
        const uint64_t *of = counts->actions[with_id];
        joined += of[GW_LABEL_ACTION_OUTCOME_JOINED];
        missed += of[GW_LABEL_ACTION_OUTCOME_NO_SERVED] + of[GW_LABEL_ACTION_OUTCOME_LATE];
    }
    return joined + missed == 0 ? (double)NAN : (double)joined / (double)(joined + missed);
}

uint32_t gw_label_delay_bucket(int64_t delay_ms)
{
    uint32_t bucket = 0;
    while (bucket + 1 < GW_LABEL_DELAY_BUCKETS && delay_ms > INT64_C(1) << bucket) {
        bucket++;
    }
    return bucket;
}

int64_t gw_label_delay_bound_ms(uint32_t bucket)
{
    GW_ASSERT(bucket < GW_LABEL_DELAY_BUCKETS);
    return bucket + 1 == GW_LABEL_DELAY_BUCKETS ? INT64_MAX : INT64_C(1) << bucket;
}

void gw_label_delays_observe(struct gw_label_delays *delays, const struct gw_label_example *example)
{
    if (example->kind == GW_LABEL_POSITIVE_REPLAY && example->engaged_at_ms != GW_LABEL_NEVER) {
        delays->counts[gw_label_delay_bucket(example->engaged_at_ms - example->impressed_at_ms)]++;
    }
}

double gw_label_delays_quantile_ms(const struct gw_label_delays *delays, double q)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < GW_LABEL_DELAY_BUCKETS; i++) {
        total += delays->counts[i];
    }
    if (total == 0) {
        return (double)NAN;
    }
    double rank = q * (double)total;
    double below = 0;
    for (uint32_t i = 0;; i++) {
        double low = i == 0 ? 0 : (double)gw_label_delay_bound_ms(i - 1);
        double here = (double)delays->counts[i];
        if (i + 1 == GW_LABEL_DELAY_BUCKETS) {
            return low;
        }
        if (here > 0 && below + here >= rank) {
            return low + (rank - below) / here * ((double)gw_label_delay_bound_ms(i) - low);
        }
        below += here;
    }
}
