// SPDX-License-Identifier: MIT
// The buckets of metrics.h: the preferred numbers 10, 16, 25, 40, 63 (ISO 3, R5), so five a decade and round in print.
#include "base/metrics.h"

#include "base/check.h"

static const uint64_t bounds_us[GW_HISTOGRAM_BUCKETS] = {
    1,         2,          3,        4,        6,        //
    10,        16,         25,       40,       63,       //
    100,       160,        250,      400,      630,      //
    1000,      1600,       2500,     4000,     6300,     //
    10000,     16000,      25000,    40000,    63000,    //
    100000,    160000,     250000,   400000,   630000,   //
    1000000,   1600000,    2500000,  4000000,  6300000,  //
    10000000,  16000000,   25000000, 40000000, 63000000, //
    100000000, UINT64_MAX,
};

uint32_t gw_histogram_bucket(uint64_t us)
{
    uint32_t low = 0; // first bucket whose bound is not below us
    uint32_t high = GW_HISTOGRAM_BUCKETS - 1;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (bounds_us[middle] < us) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void gw_histogram_observe_us(struct gw_histogram *histogram, uint64_t us, uint64_t n)
{
    histogram->counts[gw_histogram_bucket(us)] += n;
    histogram->sum_us += us * n;
}

uint64_t gw_histogram_bound_us(uint32_t bucket)
{
    GW_ASSERT(bucket < GW_HISTOGRAM_BUCKETS);
    return bounds_us[bucket];
}

uint64_t gw_histogram_total(const struct gw_histogram *histogram)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < GW_HISTOGRAM_BUCKETS; i++) {
        total += histogram->counts[i];
    }
    return total;
}

double gw_histogram_quantile_us(const struct gw_histogram *histogram, double q)
{
    GW_ASSERT(q >= 0 && q <= 1);
    const double rank = q * (double)gw_histogram_total(histogram);
    double below = 0;
    double lower_us = 0;
    double quantile_us = 0;
    for (uint32_t i = 0; i < GW_HISTOGRAM_BUCKETS; i++) {
        double count = (double)histogram->counts[i];
        // Nothing is known about values above the last bound, so they count as that bound.
        double upper_us = i + 1 < GW_HISTOGRAM_BUCKETS ? (double)bounds_us[i] : lower_us;
        if (count > 0) {
            double share = rank > below ? (rank - below) / count : 0;
            quantile_us = lower_us + (upper_us - lower_us) * GW_MIN(share, 1.0);
            if (below + count >= rank) {
                return quantile_us;
            }
        }
        below += count;
        lower_us = upper_us;
    }
    return quantile_us;
}
