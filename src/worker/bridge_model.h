// SPDX-License-Identifier: MIT
// The model that the bridge shows: the bundle in score.model_directory, loaded like the scorer loads it. Scores come
// from the scorer; from here come names, heads, and which of them is the confidence.
//
// Loading reads and verifies a whole bundle, so one thread (the health prober) does it aside; readers take a lock for a
// few instructions.
#pragma once

#include "api/api.h"

struct gw_bridge_model;

// `directory` is borrowed for the life of the model. Loads nothing yet.
GW_CHECK gw_status gw_bridge_model_new(const char *directory, struct gw_bridge_model **ret_model, gw_err *err);
void gw_bridge_model_free(struct gw_bridge_model *model);

// Loads the bundle when there is none yet, or when the scorers' digest ("" when not known) is another one. Blocks for a
// load. A bundle that was loaded stays when a newer one does not load. Failures are logged once each.
void gw_bridge_model_refresh(struct gw_bridge_model *model, const char *scorers_digest);

// Any thread. The index of the primary head if this name and version are the loaded model's, else -1.
int gw_bridge_model_primary_head(struct gw_bridge_model *model, struct gw_slice name, int32_t version);

// The port: shows the loaded model, if any.
void gw_bridge_model_show(struct gw_bridge_model *model, gw_api_model_sink each, void *sink);

// State, latency NaN and detail for /health.
void gw_bridge_model_health(struct gw_bridge_model *model, const char *scorers_digest,
                            struct gw_api_dependency *ret_health);
