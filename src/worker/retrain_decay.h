// SPDX-License-Identifier: MIT
// Does a window of live quality ask for a training? Pure: the same windows in the same order, the same decisions.
//
// A window of the champion's traffic asks when its primary head's normalised entropy is, 95 % sure, higher than at
// training by a share (retrain.decay): normalised entropy, because log loss also moves with the base rate. Windows of
// other versions, variants and heads say nothing, nor do those that are old or whose labels are still open.
//
// Every window of a bad time would ask, so one that follows an asking window repeats it, until a calm one: the estimate
// itself is below the limit again. In between nothing changes.
#pragma once

#include "records/model_quality.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GW_RETRAIN_DECAY_AGE_MS     (60 * 60 * 1000) // an older window speaks of another world
#define GW_RETRAIN_DECAY_MATURITY   0.99             // share of labels that must be final
#define GW_RETRAIN_DECAY_HEAD_BYTES 64

// Of a record what the decision needs.
struct gw_retrain_decay_window {
    int32_t version;
    char head[GW_RETRAIN_DECAY_HEAD_BYTES];
    int64_t start_ms;
    int64_t end_ms;
    double examples;
    double normalised_entropy;
    double low;
    double high;
};

// The champion as it was trained.
struct gw_retrain_decay_reference {
    int32_t version;                        // 0: no champion
    char head[GW_RETRAIN_DECAY_HEAD_BYTES]; // its primary one
    double normalised_entropy;              // NaN: not known
};

// What a model's windows have said so far. Starts as zero; after a restart the next bad window counts as the first one.
struct gw_retrain_decay_mark {
    int32_t version;
    bool decayed;
    int64_t first_ms; // start of the window that asked first
};

struct gw_retrain_decay_decision {
    bool asks;
    bool repeats; // of a window that asked before: a refusal is not worth a record
    char reason[300];
    struct gw_retrain_decay_mark mark; // for the next window, once this decision has been acted on
};

// False: the record says nothing, whoever is champion.
bool gw_retrain_decay_read(const struct gw_model_quality *record, int64_t now_ms,
                           struct gw_retrain_decay_window *ret_window);

// decay > 0. The same window again decides the same, with the mark of before or after it.
void gw_retrain_decay_decide(const struct gw_retrain_decay_window *window,
                             const struct gw_retrain_decay_reference *reference, double decay,
                             const struct gw_retrain_decay_mark *mark, struct gw_retrain_decay_decision *ret_decision);
