// SPDX-License-Identifier: MIT
// What the page shows: speeds from the serving_metrics topic, lag and growth from offsets. Two threads measure; readers
// copy under a lock.
//
//   tail     reads serving_metrics from its end on; knows within a second whether scorers are alive
//   sampler  every 2 s: ends of all topics in one request a broker, committed offsets, members, Redis's positions
#pragma once

#include "api/api.h"
#include "worker/runtime.h"

struct gw_bridge_watch;

// Starts the threads.
GW_CHECK gw_status gw_bridge_watch_start(const struct gw_runtime *runtime, struct gw_bridge_watch **ret_watch,
                                         gw_err *err);
// Joins the threads and frees. NULL is legal.
void gw_bridge_watch_stop(struct gw_bridge_watch *watch);

// The port. Any thread.
void gw_bridge_watch_overview(struct gw_bridge_watch *watch, struct gw_api_overview *ret_overview);

// Whether a scorer of the synchronous lane reported in the last seconds, for /health. Any thread.
void gw_bridge_watch_health(struct gw_bridge_watch *watch, struct gw_api_dependency *ret_health);

// Digest of the bundle that scorers use, "" when not known. Any thread.
#define GW_BRIDGE_DIGEST_BYTES 72
void gw_bridge_watch_digest(struct gw_bridge_watch *watch, char digest[GW_BRIDGE_DIGEST_BYTES]);
