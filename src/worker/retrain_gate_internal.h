// SPDX-License-Identifier: MIT
// The inside of the gate, for src/worker/retrain_gate*.c only: reading rows and scoring them, judging, saying it.
#pragma once

#include "model/examples.h"
#include "quality/gate.h"
#include "worker/retrain_gate.h"

#define GW_RETRAIN_GATE_CHECKS_MAX 12

// A head that both models have.
struct gw_retrain_gate_head {
    const char *name; // the candidate's
    int label;        // bit of the examples
    size_t candidate; // index of the head in its bundle
    size_t champion;
    struct gw_paired paired;
    struct gw_head_quality *candidate_quality;
    struct gw_head_quality *champion_quality;
    struct gw_gate_decision decision; // when all rows are read, as are the measures
    struct gw_head_measures candidate_measures;
    struct gw_head_measures champion_measures;
};

struct gw_retrain_gate {
    const struct gw_retrain_gate_options *options;
    struct gw_retrain_gate_head heads[GW_BUNDLE_HEADS_MAX]; // the primary one first
    size_t head_count;
    uint64_t row_count;
    uint64_t missing; // rows of which a head gave no number; they count for no head
    struct gw_gate_check checks[GW_RETRAIN_GATE_CHECKS_MAX]; // of the primary head and the bundle
    size_t check_count;
};

// Finds the heads, scores all rows of the gate's file by both models and adds them up.
GW_CHECK gw_status gw_retrain_gate_read(struct gw_retrain_gate *gate, gw_err *err);

// Whether the heads other than the primary one allow a promotion, and the checks too: what stands in `passed`.
bool gw_retrain_gate_passes(const struct gw_retrain_gate *gate);

// Fills ret_verdict->passed, reason and json. GW_E_MEMORY; the json is then to be freed all the same.
GW_CHECK gw_status gw_retrain_gate_write(const struct gw_retrain_gate *gate, struct gw_retrain_verdict *ret_verdict,
                                         gw_err *err);
