// SPDX-License-Identifier: MIT
// May the candidate take the champion's place? Both score the same later rows; src/quality decides on what they lose.
//
// Beside the paired bound there are sanity checks: the candidate must inform (a model that always answers the base rate
// does not), give numbers, be calibrated, and the share of positives must be what was learned and what the champion was
// trained on. Heads are compared by name; a champion without the candidate's primary head (such as a baseline) answers
// with its own primary one.
#pragma once

#include "base/bytes.h"
#include "model/bundle.h"

struct gw_retrain_gate_options {
    struct gw_bundle *candidate;
    struct gw_bundle *champion; // its features must be among the candidate's
    const char *gate_path;
    double train_rate; // of positives among the rows that the candidate learned from
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
