// SPDX-License-Identifier: MIT
// Sixteen lanes of evidence, side by side in one cache line, and the tables they are multiplied by.
//
// A lane j is a CUSUM of likelihood ratios: M <- max(M, 1) * L_j(bin). As each L_j has mean at most 1 under the
// reference, the mean of the lanes reaches c after c rows at the earliest on average, whatever the lanes are: the
// "e-detector" of Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change detection",
// 2022. A table has one row of 16 factors a bin, so a value costs one row load.
//
// Tilt lanes, for a score s of the bins: the normal score z with mean 0 and variance 1 for location, z^2 - 1 for
// spread:
//
//   L(b) = exp(t s_b) / S^tau / room,   t = theta / tau,   S = sum p0 exp(t s)
//   room = 1 + r b + sqrt(eps^2 chi^2 + (r b)^2),   r = eps^2 / 2,   chi^2 = sum p0 (l - 1)^2,   b = max l
//
// with l = exp(t s) / S. tau, the long-run variance of s over its variance, makes room for dependent rows: log S^tau is
// about t^2 tau / 2, half the growth of the variance of the sum. Dividing theta by tau keeps the lanes tuned to the
// same shifts. eps makes room for the reference's own error, k standard errors of a mean of n rows being
// eps = k sqrt(tau / n): E_p[l] <= 1 + eps chi for every p with chi(p, p0) <= eps, by Cauchy and Schwarz; the terms in
// b are for what few rows carry, as in Bernstein's inequality.
//
// Absence lanes: (q / p)^(1 / tau) for a value that is missing (or unseen), ((1 - q) / (1 - p))^(1 / tau) for one that
// is not. p is the end of what the reference leaves open in the direction of q: for N of n rows the count that N lies
// k standard errors from, by Chernoff's bound N + k^2 / 2 + sqrt(k^2 N + k^4 / 4), and its mirror image below. The mean
// is then at most 1 for every share up to it. By Hoelder's inequality that holds for blocks of up to tau rows that
// depend in any way, which the quadratic form above does not for ratios this far from 1: missing values come in runs.
#pragma once

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum {
    GW_DRIFT_LANES = 16,
    GW_DRIFT_LOCATION_LANES = 10, // the first; the rest are spread
    GW_DRIFT_BINS_MAX = 64,       // finite values of a stream fall into so many
    GW_DRIFT_ROWS_MAX = GW_DRIFT_BINS_MAX + 2
};

// Rows of an absence table.
enum { GW_DRIFT_PRESENT, GW_DRIFT_MISSING, GW_DRIFT_UNSEEN, GW_DRIFT_ABSENCE_ROWS };

// A lane goes no higher. It keeps an alarm from outliving its cause, and what it cuts off can only delay an alarm.
#define GW_DRIFT_E_MAX         0x1p47f
#define GW_DRIFT_THRESHOLD_MAX 0x1p43 // one lane of 16 at its maximum still reaches it

// Either a table's row or the state of 16 lanes.
struct gw_drift_lanes {
    alignas(64) float lane[GW_DRIFT_LANES];
};

// The evidence before the first row.
static inline void gw_drift_lanes_reset(struct gw_drift_lanes *lanes)
{
    for (size_t j = 0; j < GW_DRIFT_LANES; j++) {
        lanes->lane[j] = 1.0f;
    }
}

// Takes one row in and returns the sum of the lanes after it: lanes j, j + 4, j + 8 and j + 12 first, in pairs 8 apart,
// then (0 + 2) + (1 + 3). Both versions do the same operations in the same order, so their results are equal to the
// bit; compilers find no max and min in the plain one without leave to forget about NaN, which costs half the time.
#if defined(__SSE2__)
static inline float gw_drift_lanes_step(struct gw_drift_lanes *restrict state,
                                        const struct gw_drift_lanes *restrict row)
{
    const __m128 one = _mm_set1_ps(1.0f);
    const __m128 most = _mm_set1_ps(GW_DRIFT_E_MAX);
    __m128 m[4];
    for (size_t i = 0; i < 4; i++) {
        m[i] = _mm_mul_ps(_mm_max_ps(_mm_load_ps(state->lane + 4 * i), one), _mm_load_ps(row->lane + 4 * i));
        m[i] = _mm_min_ps(m[i], most);
        _mm_store_ps(state->lane + 4 * i, m[i]);
    }
    __m128 four = _mm_add_ps(_mm_add_ps(m[0], m[2]), _mm_add_ps(m[1], m[3]));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

// How many of the edges are below the value; `count` is a multiple of 8. NaN and -infinity have none below.
static inline uint32_t gw_drift_edges_below(const float *edges, uint32_t count, float value)
{
    const __m128 wanted = _mm_set1_ps(value);
    __m128i below = _mm_setzero_si128();
    for (uint32_t i = 0; i < count; i += 8) {
        __m128i first = _mm_castps_si128(_mm_cmplt_ps(_mm_load_ps(edges + i), wanted));
        __m128i second = _mm_castps_si128(_mm_cmplt_ps(_mm_load_ps(edges + i + 4), wanted));
        below = _mm_sub_epi32(below, _mm_add_epi32(first, second)); // true is -1
    }
    below = _mm_add_epi32(below, _mm_shuffle_epi32(below, 0x4e));
    below = _mm_add_epi32(below, _mm_shuffle_epi32(below, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(below);
}
#else
static inline float gw_drift_lanes_step(struct gw_drift_lanes *restrict state,
                                        const struct gw_drift_lanes *restrict row)
{
    float m[GW_DRIFT_LANES];
    float four[4];
    for (size_t j = 0; j < GW_DRIFT_LANES; j++) {
        m[j] = (state->lane[j] > 1.0f ? state->lane[j] : 1.0f) * row->lane[j];
        m[j] = m[j] < GW_DRIFT_E_MAX ? m[j] : GW_DRIFT_E_MAX;
        state->lane[j] = m[j];
    }
    for (size_t j = 0; j < 4; j++) {
        four[j] = (m[j] + m[j + 8]) + (m[j + 4] + m[j + 12]);
    }
    return (four[0] + four[2]) + (four[1] + four[3]);
}

static inline uint32_t gw_drift_edges_below(const float *edges, uint32_t count, float value)
{
    uint32_t below = 0;
    for (uint32_t i = 0; i < count; i++) {
        below += edges[i] < value ? 1 : 0;
    }
    return below;
}
#endif

// Whether bytes read as state can be one: every lane in [0, GW_DRIFT_E_MAX].
bool gw_drift_lanes_valid(const struct gw_drift_lanes *lanes);

// The reference of a tilt table.
struct gw_drift_tilt {
    const double *share; // [row_count], sum 1, all > 0
    const float *z;      // [bin_count], the score; rows past the bins have score 0
    uint32_t bin_count;
    uint32_t row_count;
    double tau_location; // >= 1
    double tau_spread;   // >= 1
    double tolerance;    // eps >= 0
};

// Fills table[row_count]. Factors are rounded down.
void gw_drift_lanes_tilt(const struct gw_drift_tilt *tilt, struct gw_drift_lanes *table);

// The largest share that an observed one leaves open; only arithmetic and roots, the same on every machine.
double gw_drift_lanes_share_high(double share, double tolerance);

struct gw_drift_absence {
    double missing; // share, in (0, 1)
    double unseen;  // share, in (0, 1)
    double tau;     // >= 1
    double tolerance;
};

// Fills table[GW_DRIFT_ABSENCE_ROWS]: seven lanes for more missing values, four for fewer, five for more unseen ones.
void gw_drift_lanes_absence(const struct gw_drift_absence *absence, struct gw_drift_lanes *table);
