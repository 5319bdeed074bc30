// SPDX-License-Identifier: MIT
// Is a candidate worse than the champion on the same rows? The loss difference d = loss(candidate) - loss(champion) of
// each row, negative is better, its mean, and bounds on the mean that hold at every moment at once.
//
// The loss is log loss with predictions clipped into [c, 1 - c], so |d| <= h = ln((1 - c) / c), 16.1 for c = 1e-7. A
// difference below -gain_limit counts as -gain_limit: fewer rows then suffice, and as clipping gains can only raise the
// mean, an upper bound stays one for the mean without clipping: rare large gains may be missed, never rare large harm.
// The lower bound is one for the mean with clipping.
//
// Bounds: for a claim "the mean is at least m" take xi = v (m - d) / s with v = weight / weight_limit and s = h + 1, so
// that xi >= -1 for every m >= -1. With bets l in [0, 1/2] chosen from earlier rows only,
//
//   E(m) = exp(sum of l xi - psi(l) xi^2),  psi(l) = -ln(1 - l) - l,
//
// is at most product of (1 + l xi) (Fan, Grama and Liu, Electronic Journal of Probability 20, 2015), a supermartingale
// when the claim is true; so it exceeds 1 / alpha ever with probability <= alpha (Ville), and the claim may then be
// dropped. ln E(m) is a quadratic in m, so the bound is a root of it: O(1) a row and O(1) state. The other side is the
// same with -d and s = gain_limit + 1. Bets follow the empirical Bernstein rule of Waudby-Smith and Ramdas (JRSS-B 86,
// 2024), l = s sqrt(2 ln(1 / alpha) / (variance n)); any other would be valid too, only slower.
//
// A bet moves at most l / s a nat, so ruling out harm over a margin takes at least 2 s ln(1 / alpha) / margin rows,
// however alike the models are: 0.002 nats at 5 % and c = 1e-4 take 31,000. A larger c makes s smaller.
//
// What is assumed: given the rows before it, a row's expected weighted difference is the same. Rows that belong
// together (candidates of one request) are not independent draws: sample one of each group, or the bounds are too
// narrow.
//
// Plain values; not for more than one thread.
#pragma once

#include "base/bytes.h"
#include "quality/head_quality.h"

#include <stdbool.h>
#include <stdint.h>

struct gw_paired_options {
    double clip;            // c in (0, 0.1]; GW_HEAD_QUALITY_CLIP unless there is a reason
    double gain_limit;      // > 0, nats; INFINITY clips no gain and becomes h
    double weight_limit;    // > 0, finite; 1 for unweighted rows
    double alpha;           // in (0, 1): what bets are tuned to; bounds may be asked for at any level
    uint64_t rows_expected; // the hold-out's size, tunes the bets to it; 0 when not known
};

// The sums over rows of products of the named factors.  X(field)
#define GW_PAIRED_SUM_MAP(X)                                                                                           \
    X(w)                                                                                                               \
    X(ww)                                                                                                              \
    X(wd)                                                                                                              \
    X(wwd)                                                                                                             \
    X(wwdd)                                                                                                            \
    X(vd)                                                                                                              \
    X(vvdd)                                                                                                            \
    X(upper_l)                                                                                                         \
    X(upper_ld)                                                                                                        \
    X(upper_p)                                                                                                         \
    X(upper_pd)                                                                                                        \
    X(upper_pdd)                                                                                                       \
    X(lower_l)                                                                                                         \
    X(lower_ld)                                                                                                        \
    X(lower_p)                                                                                                         \
    X(lower_pd)                                                                                                        \
    X(lower_pdd)

struct gw_paired {
    struct gw_paired_options options;
    uint64_t rows;
    uint64_t clipped_rows; // gains over gain_limit
#define X(field) double sum_##field;
    GW_PAIRED_SUM_MAP(X)
#undef X
};

struct gw_paired_bounds {
    double mean;            // weighted mean of d, unclipped; NaN without rows
    struct gw_interval clt; // 95 %, by the normal approximation, for one look at the end; NaN below 2 rows
    double low;  // mean with clipped gains >= low, wrong ever with probability <= alpha; -gain_limit if nothing
    double high; // mean <= high, likewise; h if nothing is known. Resolved within [-1, 1] nat only.
};

// d of one row, in [-h, h].
double gw_paired_difference(double clip, double candidate, double champion, bool positive);

// GW_E_INVALID: an option out of its range; *ret_paired is then untouched.
GW_CHECK gw_status gw_paired_init(const struct gw_paired_options *options, struct gw_paired *ret_paired, gw_err *err);

// Adds a row, in the order of the log. GW_E_INVALID, and nothing changed: a prediction outside [0, 1] or NaN, a weight
// outside (0, weight_limit].
GW_CHECK gw_status gw_paired_add(struct gw_paired *paired, double candidate, double champion, bool positive,
                                 double weight, gw_err *err);

// Bounds at this moment; alpha in (0, 1) is the error of each side.
void gw_paired_bounds_at(const struct gw_paired *paired, double alpha, struct gw_paired_bounds *ret_bounds);

// Appends the whole state; decoding it gives the same bounds and the same continuation. GW_E_MEMORY.
GW_CHECK gw_status gw_paired_encode(const struct gw_paired *paired, struct gw_buf *buf);

// GW_E_MALFORMED: not what gw_paired_encode wrote; *ret_paired is then untouched.
GW_CHECK gw_status gw_paired_decode(struct gw_slice bytes, struct gw_paired *ret_paired, gw_err *err);
