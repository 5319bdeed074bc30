// SPDX-License-Identifier: MIT
// Probes what the service leans on, one after the other, every 2 s, each with a limit of 1 s, on a thread of its own;
// readers copy the last results.
//
//   required    kafka, replies, score (a scorer of the synchronous lane reports), model
//   not         redis (answers become PARTIAL), postgres and the registry's relay (what serves goes on serving), schema
//               registry (ids are known since the start)
#pragma once

#include "worker/bridge_predict.h"
#include "worker/bridge_registry.h"
#include "worker/bridge_watch.h"

struct gw_bridge_health;

// All are borrowed until stop.
struct gw_bridge_health_options {
    const struct gw_runtime *runtime;
    struct gw_bridge_registry *registry;
    struct gw_bridge_predict *predict; // told whether Kafka is away
    struct gw_bridge_watch *watch;
};

// Starts the thread.
GW_CHECK gw_status gw_bridge_health_start(const struct gw_bridge_health_options *options,
                                          struct gw_bridge_health **ret_health, gw_err *err);
// Joins the thread and frees. NULL is legal.
void gw_bridge_health_stop(struct gw_bridge_health *health);

// The port. Any thread.
void gw_bridge_health_show(struct gw_bridge_health *health, struct gw_api_health *ret_health);
