// SPDX-License-Identifier: MIT
// May the candidate take the champion's place? Both score the same later rows; src/quality decides on what they lose.
//
// Heads are compared by name; a champion without the candidate's primary head (such as a baseline) answers with its own
// primary one. The primary head must PASS: worse by more than the margin is ruled out, at alpha. Of the others each may
// be INCONCLUSIVE, but must not FAIL: worse by more than the margin is proven, at alpha divided by the number of heads,
// so that with many heads no more good candidates are refused.
//
// How many rows a PASS takes depends on how large a loss one row can have (quality/paired.h), so losses are clipped as
// far as is sound: at one twentieth of the head's positive rate, which the models were trained on (nothing of these
// rows), and no more than 1 %. Answers below that count as being there: calibrated, they hold at most a twentieth of
// the positives. With the defaults, of candidates that are better by 0.015 nats 96 % pass on 5,000 rows at a positive
// rate of 2 %, of those better by 0.006 nats 98 % on 10,000; one that is no better takes over 20,000.
//
// Beside the bounds there are sanity checks on the primary head: the candidate must inform (a model that always answers
// the base rate does not), give numbers, be calibrated, and the share of positives must be what was learned and what
// the champion was trained on. Its scores must be distributed like the champion's, but widely (a stability index of 2
// is another distribution altogether), and not at all once it is proven better: after a change of concept other scores
// are what was wanted. The index is recorded in any case. Where the champion ranks much worse than at its training (a
// fifth of its area over 1/2 is gone, 95 % sure), the candidate must rank better than it does: else it has learned but
// to be less sure, of labels that are noisier. Whether the world is or the labels are broken, people must say. And the
// registry must have room for the bundle.
// That served margins are the trainer's, bit by bit, gw_bundle_load has proven.
#pragma once

#include "base/bytes.h"
#include "model/bundle.h"

struct gw_retrain_gate_options {
    struct gw_bundle *candidate;
    struct gw_bundle *champion;      // its features must be among the candidate's
    const char *candidate_directory; // whose size is checked
    const char *gate_path;
    double train_rate; // of positives of the primary head among the rows that the candidate learned from
    float weight_max;  // of the gate's rows
    double margin;     // nats
    double alpha;
};

struct gw_retrain_verdict {
    bool passed;
    char reason[512];   // in words, whatever it is
    struct gw_buf json; // verdict, numbers and checks; a NUL behind, not counted. Free with gw_buf_deinit
};

// GW_E_MISMATCH: names do not fit. GW_E_INVALID, GW_E_IO, GW_E_MEMORY and others of the files.
GW_CHECK gw_status gw_retrain_gate(const struct gw_retrain_gate_options *options,
                                   struct gw_retrain_verdict *ret_verdict, gw_err *err);
