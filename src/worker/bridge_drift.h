// SPDX-License-Identifier: MIT
// What the bridge knows of drift: the alerts, by following drift_alerts into a view (alert_view.h), and pictures of how
// the detectors of a model stand (drift_view.h). The command line reads alerts through it too.
#pragma once

#include "api/api.h"
#include "worker/runtime.h"

struct gw_bridge_drift;

// Starts the thread that follows. `runtime` has GW_RUNTIME_SCHEMAS.
GW_CHECK gw_status gw_bridge_drift_start(const struct gw_runtime *runtime, struct gw_bridge_drift **ret_drift,
                                         gw_err *err);
// Joins it and frees. No call is under way. NULL is legal.
void gw_bridge_drift_stop(struct gw_bridge_drift *drift);

// Waits until the alerts that were there at the start have been read. GW_E_TIMEOUT.
GW_CHECK gw_status gw_bridge_drift_wait(struct gw_bridge_drift *drift, uint32_t timeout_ms, gw_err *err);

// The port of alerts: what has been read so far. Any thread, does not block. GW_E_MEMORY.
GW_CHECK gw_status gw_bridge_drift_alerts(struct gw_bridge_drift *drift, const struct gw_api_alerts_ask *ask,
                                          struct gw_api_alerts *ret_alerts, gw_err *err);

// The port of pictures. Any thread; blocks as gw_drift_view_ask. One picture is made at a time: who waits for another
// one for over a second gets GW_E_EXHAUSTED. A picture of the last two seconds is given again.
GW_CHECK gw_status gw_bridge_drift_picture(struct gw_bridge_drift *drift, const struct gw_api_drift_ask *ask,
                                           struct gw_api_drift *ret_drift, gw_err *err);
