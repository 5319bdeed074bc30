// SPDX-License-Identifier: MIT
// The newest state of each alert of drift, as one asks for them.
//
// Bounded: so many models, so many alerts of each. What was heard of least recently makes room. Hearing is by the order
// of calls: an alert that stays open is heard of at each of its updates. Where these stop without a close, because its
// watch was lost, it is stale in the end: by the times in records, so not before a newer alert is heard of.
//
// Plain state, no clock; not for more than one thread.
#pragma once

#include "api/drift.h"
#include "records/drift_alert.h"

struct gw_alert_view;

struct gw_alert_view_options {
    uint32_t models_max; // > 0
    uint32_t alerts_max; // > 0, of a model
    int64_t stale_ms;    // > 0; an open alert that was last heard of so long before the newest record is stale
};

// NULL without memory.
GW_CHECK struct gw_alert_view *gw_alert_view_new(const struct gw_alert_view_options *options);
void gw_alert_view_free(struct gw_alert_view *view);

// GW_E_INVALID: a text that is too long to be one, or no state of an alert; nothing is changed. GW_E_MEMORY: the same.
GW_CHECK gw_status gw_alert_view_note(struct gw_alert_view *view, const struct gw_drift_alert *record, gw_err *err);

// Gives (gw_mem_free(ret_alerts->alerts)) up to ask->limit alerts, the open ones first, then the newest first.
// caught_up is left false. GW_E_MEMORY.
GW_CHECK gw_status gw_alert_view_ask(struct gw_alert_view *view, const struct gw_api_alerts_ask *ask,
                                     struct gw_api_alerts *ret_alerts, gw_err *err);
