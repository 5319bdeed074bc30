// SPDX-License-Identifier: MIT
// The bridge's side of the registry: the relay that publishes the history, and what /health says about the model.
//
// One thread looks every 20 ms for events to publish (one indexed statement when there are none) and every second which
// version of the default model is the champion. Several bridges may run: one relays, the others wait for its lock.
#pragma once

#include "api/api.h"
#include "worker/runtime.h"

struct gw_bridge_registry;

// Starts the thread; asks nobody yet.
GW_CHECK gw_status gw_bridge_registry_start(const struct gw_runtime *runtime,
                                            struct gw_bridge_registry **ret_registry, gw_err *err);
// Joins the thread, which takes ten seconds and a statement or two when Kafka or PostgreSQL hang,
// and frees. NULL is legal.
void gw_bridge_registry_stop(struct gw_bridge_registry *registry);

// Whether changes get published, for /health: not required, because what serves goes on serving. Any thread.
void gw_bridge_registry_health(struct gw_bridge_registry *registry, struct gw_api_dependency *ret_health);

// Whether a scorer has a model (required), and whether it is the champion. scorers_digest: of the bundle that the
// scorers last said they serve by default, "" when they have none. Any thread.
void gw_bridge_registry_model_health(struct gw_bridge_registry *registry, const char *scorers_digest,
                                     struct gw_api_dependency *ret_health);
