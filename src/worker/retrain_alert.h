// SPDX-License-Identifier: MIT
// Does an alert of drift ask for a training? Pure: the same alert at the same time, the same decision.
//
// Only what does harm asks: a change of the labels' law (kind "concept", which watches the loss). Features may drift
// without any harm, and then retraining helps nobody; that decision is recorded, too. An alert that goes on asks again,
// because there may be too few rows of the new world at first; cool-down and one run at a time bound it. Whether the
// alert is about the champion is for the worker, which asks the registry: others' alerts are refused.
#pragma once

#include "records/drift_alert.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GW_RETRAIN_ALERT_AGE_MS (60 * 60 * 1000) // an older one speaks of another world

struct gw_retrain_alert_decision {
    bool asks;           // false: it says nothing about training (it closes)
    bool repeats;        // of an alert that asked before: a refusal is not worth a record
    char reason[400];    // for the run
    const char *refusal; // why it is not to be followed; NULL: nothing speaks against it. Static
};

void gw_retrain_alert_decide(const struct gw_drift_alert *alert, int64_t now_ms,
                             struct gw_retrain_alert_decision *ret_decision);
