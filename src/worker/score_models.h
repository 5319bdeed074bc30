// SPDX-License-Identifier: MIT
// Which models serve: follows model_routes, loads what they name on a side thread of low priority, and offers the lanes
// one immutable table of routes and models that is swapped between batches.
//
//   new route ──► fetch (disk cache, else PostgreSQL) ──► verify (digest, golden rows, features) ──► warm up on recent
//   requests and their rows ──► swap the table ──► the old one is freed when the last batch that uses it ends
//
// A route takes effect whole or not at all: until each of its targets is loaded the former one goes on. A version that
// cannot be loaded, or that answers NaN in the warm-up, is rejected in the registry with the reason, from which a new
// route follows; a database or disk that is away is tried again. A shadow that cannot be loaded is rejected and left out.
// Models that a table let go stay loaded for a while (GW_SCORE_SPARE_MODELS), so that a rollback needs no loading.
#pragma once

#include "worker/runtime.h"
#include "worker/score_model.h"

enum { GW_SCORE_ROUTES_MAX = 16, GW_SCORE_SPARE_MODELS = 3, GW_SCORE_RECENT_REQUESTS = 64 };

// One model's route with its models loaded.
struct gw_score_route {
    struct gw_route route;
    struct gw_score_model *targets[GW_ROUTE_TARGETS_MAX]; // as in route.targets
    struct gw_score_model *shadows[GW_ROUTE_SHADOWS_MAX]; // as in route.shadows; NULL: left out
};

// Immutable. Shared by reference count.
struct gw_score_table {
    atomic_uint refs;
    size_t route_count;
    struct gw_score_route *default_route; // into routes; NULL: no route of the default model
    struct gw_score_route routes[];
};

struct gw_score_models;

// Starts the thread and waits until the routes that are in the topic now have been read and, for the default model,
// loaded, or `*runtime->stop`. A default model without a route is no error: its requests are MODEL_NOT_READY until one
// comes.
GW_CHECK gw_status gw_score_models_start(const struct gw_runtime *runtime, struct gw_score_models **ret_models,
                                         gw_err *err);
void gw_score_models_stop(struct gw_score_models *models); // joins and frees; lanes must have ended

// The table in force, with a reference: hold it for one batch. Any thread. Never NULL.
struct gw_score_table *gw_score_models_acquire(struct gw_score_models *models);
void gw_score_table_unref(struct gw_score_table *table);

// The route of a model by name, empty: the default one; NULL.
const struct gw_score_route *gw_score_table_find(const struct gw_score_table *table, struct gw_slice name);

// Remembers a request for warm-ups: the Avro body, copied. Cheap when called too often (it keeps a few a second). Any
// thread.
void gw_score_models_remember(struct gw_score_models *models, struct gw_slice body);
