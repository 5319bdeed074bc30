// SPDX-License-Identifier: MIT
// What the bridge knows of the live quality of models: one thread follows model_quality into a view (quality_view.h).
// It begins some records before the end, so that a bridge that was started again knows what it knew.
#pragma once

#include "api/api.h"
#include "worker/runtime.h"

struct gw_bridge_quality;

// Starts the thread.
GW_CHECK gw_status gw_bridge_quality_start(const struct gw_runtime *runtime, struct gw_bridge_quality **ret_quality,
                                           gw_err *err);
// Joins it and frees. NULL is legal.
void gw_bridge_quality_stop(struct gw_bridge_quality *quality);

// The port. Any thread. GW_E_UNAVAILABLE: what was there at the start is not read yet.
GW_CHECK gw_status gw_bridge_quality_ask(struct gw_bridge_quality *quality, struct gw_slice model, uint32_t windows,
                                         struct gw_api_quality *ret_quality, gw_err *err);
