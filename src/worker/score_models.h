// SPDX-License-Identifier: MIT
// Which models serve: follows model_routes, loads what they name on a side thread of low priority, and offers the lanes
// one immutable table of routes and models that is swapped between batches.
//
//   new route ──► fetch (disk cache, else PostgreSQL) ──► verify (digest, golden rows, features) ──► warm up on recent
//   requests and their rows ──► swap the table ──► the old one is freed when the last batch that uses it ends
//
// A route takes effect whole or not at all: until each of its targets is loaded the former one goes on. A version that
// cannot be loaded, or that answers NaN in the warm-up, is rejected in the registry with the reason, from which a new
// route follows; a database or disk that is away is tried again. Shadows join when they are loaded; one that cannot be
// loaded is rejected and left out. The models used last stay loaded (GW_SCORE_SPARE_MODELS), so that a rollback needs no
// loading.
//
//   score_models.c  the thread        score_table.c   the table and its swap    score_load.c    fetch, verify, reject
//   score_follow.c  what to do next   score_recent.c  requests to warm up by    score_warm.c    warm-up
#pragma once

#include "worker/runtime.h"
#include "worker/score_table.h"

struct gw_score_models;

// Starts the thread and waits until the routes that are in the topic now have been read and, for the default model,
// loaded. Kafka, PostgreSQL or a disk that is away is waited for, and `models.waiting` says so. A default model without a
// route is no error: its requests are MODEL_NOT_READY until one comes. GW_E_UNAVAILABLE: `*runtime->stop` was set
// meanwhile; GW_E_MISMATCH: model_routes is not what it should be; GW_E_CONFIG: a version of the default model
// that serves already names a feature that this process does not know; GW_E_MEMORY, GW_E_INTERNAL.
GW_CHECK gw_status gw_score_models_start(const struct gw_runtime *runtime, struct gw_score_models **ret_models,
                                         gw_err *err);
void gw_score_models_stop(struct gw_score_models *models); // joins and frees; lanes must have ended

// The table in force, with a reference: hold it for one batch, then gw_score_table_unref. Any thread. Never NULL.
struct gw_score_table *gw_score_models_acquire(struct gw_score_models *models);

// Remembers a request for warm-ups: the Avro body, copied. Cheap when called too often (it keeps a few a second). Any
// thread.
void gw_score_models_remember(struct gw_score_models *models, struct gw_slice body);
