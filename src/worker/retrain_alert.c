// SPDX-License-Identifier: MIT
#include "worker/retrain_alert.h"

#include <stdio.h>

static int shown(struct gw_slice text)
{
    return (int)(text.size < 80 ? text.size : 80);
}

void gw_retrain_alert_decide(const struct gw_drift_alert *alert, int64_t now_ms,
                             struct gw_retrain_alert_decision *ret_decision)
{
    struct gw_retrain_alert_decision *decision = ret_decision;
    *decision = (struct gw_retrain_alert_decision){
        .asks = gw_slice_is(alert->state, "open") || gw_slice_is(alert->state, "update"),
        .repeats = gw_slice_is(alert->state, "update"),
    };
    snprintf(decision->reason, sizeof decision->reason,
             "alert %.*s: %.*s drift of '%.*s' under version %d, severity %.*s", shown(alert->alert_id),
             (const char *)alert->alert_id.data, shown(alert->kind), (const char *)alert->kind.data,
             shown(alert->stream), (const char *)alert->stream.data, alert->model_version, shown(alert->severity),
             (const char *)alert->severity.data);
    if (!gw_slice_is(alert->kind, "concept")) {
        decision->refusal = "this drift is not known to do harm: only a change of concept asks for a training";
    } else if (now_ms - alert->at_ms > GW_RETRAIN_ALERT_AGE_MS) {
        decision->refusal = "the alert is over an hour old";
    }
}
