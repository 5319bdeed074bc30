// SPDX-License-Identifier: MIT
// From an alarm of a detector (drift/bank.h, drift/loss.h) to a record of drift_alerts.
//
// An alert's id is the same in all its records, and in every replay:
//
//   MODEL-VERSION-DETECTOR-STREAM-EPISODE-FROM     FROM: from_ms; numbers of episodes begin again with a new watch
//
// DETECTOR is the kind, but for what is missing or unseen it is "absence": one detector watches both, and what there is
// more of may change while the alert is open. What is not known of a kind is null, never zero.
#pragma once

#include "drift/bank.h"
#include "records/drift_alert.h"

#define GW_MONITOR_ALERT_ID_BYTES 512 // with its NUL: a model's name of 255, a stream's of 128, and numbers

// An alert, borrowed for the call.
typedef gw_status (*gw_monitor_alert_sink)(void *context, const struct gw_drift_alert *alert, gw_err *err);

// Whose alarms they are, and where they go as alerts.
struct gw_monitor_alert_to {
    struct gw_slice model;
    int32_t version;
    double threshold; // what one stream alone must reach
    int64_t at_ms;    // append time of the record that decided
    gw_monitor_alert_sink sink;
    void *context;
};

// `alert_to` is a struct gw_monitor_alert_to: for gw_drift_sink. The sink's status; GW_E_MEMORY.
GW_CHECK gw_status gw_monitor_alert_say(void *alert_to, const struct gw_drift_alarm *alarm, gw_err *err);
