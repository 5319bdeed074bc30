// SPDX-License-Identifier: MIT
#include "rollout/shadow.h"

#include "base/check.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { EXACT_COUNT_MAX = 1 << 24 }; // positions up to here are exact as floats

double gw_shadow_delta_bound(size_t index)
{
    return ldexp(1.0, (int)index - (GW_SHADOW_DELTA_BUCKETS - 1));
}

static void note_delta(struct gw_shadow_tally *tally, double delta)
{
    size_t bucket = 0;
    while (bucket < GW_SHADOW_DELTA_BUCKETS - 1 && delta > gw_shadow_delta_bound(bucket)) {
        bucket++;
    }
    tally->delta_counts[bucket]++;
    tally->delta_sum += delta;
}

static int compare_positions(const void *a, const void *b, void *values)
{
    float left = ((const float *)values)[(size_t) * (const float *)a];
    float right = ((const float *)values)[(size_t) * (const float *)b];
    return (left > right) - (left < right);
}

// Ranks from 1, equal values sharing the mean of theirs. `order` is room for count positions.
static void rank(float *values, uint32_t count, float *order, float *ret_ranks)
{
    for (uint32_t i = 0; i < count; i++) {
        order[i] = (float)i;
    }
    qsort_r(order, count, sizeof *order, compare_positions, values);
    for (uint32_t i = 0, end = 0; i < count; i = end) {
        for (end = i + 1; end < count && values[(size_t)order[end]] == values[(size_t)order[i]]; end++) {
        }
        for (uint32_t j = i; j < end; j++) {
            ret_ranks[(size_t)order[j]] = (float)(i + 1 + end) / 2;
        }
    }
}

// Pearson's r of ranks, whose mean is known: r = sum(a b) / sqrt(sum(a^2) sum(b^2)) of the distances from the mean.
// False when all are equal on one side.
static bool correlate(const float *a, const float *b, uint32_t count, double *ret_r)
{
    double mean = ((double)count + 1) / 2;
    double aa = 0;
    double bb = 0;
    double ab = 0;
    for (uint32_t i = 0; i < count; i++) {
        double x = (double)a[i] - mean;
        double y = (double)b[i] - mean;
        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    if (aa == 0 || bb == 0) {
        return false;
    }
    *ret_r = ab / sqrt(aa * bb);
    return true;
}

static uint32_t best_of(const float *values, uint32_t count)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++) {
        if (values[i] > values[best]) {
            best = i;
        }
    }
    return best;
}

void gw_shadow_note(struct gw_shadow_tally *tally, const float *served, const float *shadow, const float *served_p,
                    const float *shadow_p, uint32_t count, float *scratch)
{
    GW_ASSERT(count <= EXACT_COUNT_MAX);
    float *a = scratch;
    float *b = scratch + count;
    float *order = scratch + 2 * (size_t)count;
    float *ranks = scratch + 3 * (size_t)count;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!isfinite(served[i]) || !isfinite(shadow[i]) || !isfinite(served_p[i]) || !isfinite(shadow_p[i])) {
            tally->not_a_number++;
            continue;
        }
        note_delta(tally, fabs((double)served_p[i] - (double)shadow_p[i]));
        a[kept] = served[i];
        b[kept++] = shadow[i];
    }
    tally->requests++;
    tally->candidates += kept;
    if (kept == 0) {
        return;
    }
    tally->flips += best_of(a, kept) != best_of(b, kept);
    double rho = 0;
    rank(a, kept, order, ranks);
    rank(b, kept, order, a); // what was in `a` is not needed any more
    if (correlate(ranks, a, kept, &rho)) {
        tally->correlation_sum += rho;
        tally->correlations++;
    }
}

void gw_shadow_add(struct gw_shadow_tally *to, const struct gw_shadow_tally *more)
{
    to->requests += more->requests;
    to->candidates += more->candidates;
    to->flips += more->flips;
    to->not_a_number += more->not_a_number;
    to->delta_sum += more->delta_sum;
    for (size_t i = 0; i < GW_SHADOW_DELTA_BUCKETS; i++) {
        to->delta_counts[i] += more->delta_counts[i];
    }
    to->correlation_sum += more->correlation_sum;
    to->correlations += more->correlations;
}
