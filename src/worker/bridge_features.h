// SPDX-License-Identifier: MIT
// The features port: one stored row, decayed to now, for people. Blocks for at most redis.timeout a connection.
#pragma once

#include "api/api.h"
#include "worker/runtime.h"

struct gw_bridge_features;

// `threads` callers at once need not wait for each other; more are legal.
GW_CHECK gw_status gw_bridge_features_new(const struct gw_runtime *runtime, size_t threads,
                                          struct gw_bridge_features **ret_features, gw_err *err);
void gw_bridge_features_free(struct gw_bridge_features *features);

// See gw_api_ports.features. Any thread.
GW_CHECK gw_status gw_bridge_features_read(struct gw_bridge_features *features, enum gw_api_entity entity, int64_t id,
                                           struct gw_api_feature_row *ret_row, gw_err *err);
