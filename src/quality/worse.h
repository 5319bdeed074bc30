// SPDX-License-Identifier: MIT
// Evidence that a promoted model is worse than the one before it by more than a margin: the trigger of the automatic
// rollback.
//
// An e-process: a gambler without knowledge starts with 1 and bets on "worse". With d as in quality/paired.h, both
// models having scored the same rows, and xi = v (d - margin) / s, s = gain_limit + margin, so that xi >= -1, wealth is
//
//   mean over the bets l of product over rows of (1 + l xi),  l = 0.9, 0.45, 0.225, ... (eight of them).
//
// While the new model is not worse than the margin, no bet gains on average, and wealth ever reaches 1 / alpha with
// probability <= alpha (Ville), however often one looks and whenever one stops. The mixture costs at most ln 8 nats of
// wealth against the best of the bets. (Waudby-Smith and Ramdas, JRSS-B 86, 2024; assumptions as in quality/paired.h.)
//
// The claim is about the mean with gains clipped at gain_limit. Clipping hides rare large gains, which here speaks for
// a rollback: gain_limit = h = ln((1 - c) / c) clips nothing, and a larger c brings h down for both models alike.
//
// It answers "was the promotion a mistake", so it starts with a promotion and ends with the probation. It is no drift
// detector: after a long good time the wealth is too small to notice a late change soon.
//
// Plain values; not for more than one thread.
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

#define GW_WORSE_BETS 8

struct gw_worse_options {
    double clip;         // as gw_paired_options
    double gain_limit;   // as gw_paired_options: differences below its negative count as that
    double weight_limit; // as gw_paired_options
    double margin;       // in [0, 1], nats: worse by no more than this is tolerated
    double alpha;        // in (0, 1): chance of a rollback that was not due, over the whole probation
};

struct gw_worse {
    struct gw_worse_options options;
    uint64_t rows;
    uint64_t crossed_row;             // rows when wealth first reached 1 / alpha; 0 = not yet
    double log_wealth[GW_WORSE_BETS]; // of each bet
};

// GW_E_INVALID: an option out of its range; *ret_worse is then untouched.
GW_CHECK gw_status gw_worse_init(const struct gw_worse_options *options, struct gw_worse *ret_worse, gw_err *err);

// Adds a row that both models scored, in the order of the log. GW_E_INVALID, and nothing changed, as gw_paired_add.
GW_CHECK gw_status gw_worse_add(struct gw_worse *worse, double promoted, double former, bool positive, double weight,
                                gw_err *err);

// Natural logarithm of the wealth; 0 at the start.
double gw_worse_log_wealth(const struct gw_worse *worse);

// Whether wealth has ever reached 1 / alpha.
bool gw_worse_is_proven(const struct gw_worse *worse);

// As gw_paired_encode and gw_paired_decode.
GW_CHECK gw_status gw_worse_encode(const struct gw_worse *worse, struct gw_buf *buf);
GW_CHECK gw_status gw_worse_decode(struct gw_slice bytes, struct gw_worse *ret_worse, gw_err *err);
