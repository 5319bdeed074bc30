// SPDX-License-Identifier: MIT
// How the detectors of a model stand: the references from the registry, their states from the changelog of monitor, put
// together anew on each call. For REST and the command line; monitor is not asked.
//
// Blocks for as long as a round trip to the registry and reading one partition of monitor_state take: some 100 ms, at
// most their time-outs. Any thread, several calls at once.
#pragma once

#include "api/drift.h"
#include "worker/runtime.h"

// `runtime` has GW_RUNTIME_SCHEMAS. GW_E_NOT_FOUND: no such model or version, or no champion. GW_E_UNAVAILABLE,
// GW_E_TIMEOUT: registry or Kafka is away. GW_E_MISMATCH: states that are not of this version's reference. Free
// ret_drift->streams.
GW_CHECK gw_status gw_drift_view_ask(const struct gw_runtime *runtime, const struct gw_api_drift_ask *ask,
                                     struct gw_api_drift *ret_drift, gw_err *err);
