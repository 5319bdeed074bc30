// SPDX-License-Identifier: MIT
// The one table of routes, and the search in it. openapi.json describes the same routes; a test compares the two.
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

struct gw_api_exchange;

// On which listeners a route answers (bit = enum gw_api_listener).
enum { GW_API_ON_API = 1, GW_API_ON_UI = 2, GW_API_ON_OPS = 4 };
#define GW_API_ON_BOTH (GW_API_ON_API | GW_API_ON_UI)
#define GW_API_ON_ALL  (GW_API_ON_API | GW_API_ON_UI | GW_API_ON_OPS)

enum { GW_API_OPEN, GW_API_TOKEN }; // does it ask for the token, when one is configured (the ops listener never does)

// X(handler, method, pattern, listeners, token). A pattern segment ":name" takes any one segment, in order of
// appearance; of several that fit a path the first counts. GET answers HEAD too. The pattern is the metrics' route
// label.
#define GW_API_ROUTE_MAP(X)                                                                                            \
    X(predict, "POST", "/predict", GW_API_ON_BOTH, GW_API_TOKEN)                                                       \
    X(compute_user, "POST", "/features/user/:userId/compute", GW_API_ON_BOTH, GW_API_TOKEN)                            \
    X(compute_tweet, "POST", "/features/tweet/:tweetId/compute", GW_API_ON_BOTH, GW_API_TOKEN)                         \
    X(models, "GET", "/models", GW_API_ON_BOTH, GW_API_TOKEN)                                                          \
    X(models_production, "GET", "/models/production", GW_API_ON_BOTH, GW_API_TOKEN)                                    \
    X(model_create, "POST", "/models", GW_API_ON_BOTH, GW_API_TOKEN)                                                   \
    X(model, "GET", "/models/:id", GW_API_ON_BOTH, GW_API_TOKEN)                                                       \
    X(model_versions, "GET", "/models/:id/versions", GW_API_ON_BOTH, GW_API_TOKEN)                                     \
    X(model_register, "POST", "/models/:id/versions", GW_API_ON_BOTH, GW_API_TOKEN)                                    \
    X(model_compare, "GET", "/models/:id/compare", GW_API_ON_BOTH, GW_API_TOKEN)                                       \
    X(model_history, "GET", "/models/:id/history", GW_API_ON_BOTH, GW_API_TOKEN)                                       \
    X(model_rollback, "POST", "/models/:id/rollback", GW_API_ON_BOTH, GW_API_TOKEN)                                    \
    X(model_split, "POST", "/models/:id/split", GW_API_ON_BOTH, GW_API_TOKEN)                                          \
    X(model_version, "GET", "/models/:id/:version", GW_API_ON_BOTH, GW_API_TOKEN)                                      \
    X(model_promote, "POST", "/models/:id/:version/promote", GW_API_ON_BOTH, GW_API_TOKEN)                             \
    X(model_shadow, "POST", "/models/:id/:version/shadow", GW_API_ON_BOTH, GW_API_TOKEN)                               \
    X(model_unshadow, "POST", "/models/:id/:version/unshadow", GW_API_ON_BOTH, GW_API_TOKEN)                           \
    X(model_archive, "POST", "/models/:id/:version/archive", GW_API_ON_BOTH, GW_API_TOKEN)                             \
    X(model_reject, "POST", "/models/:id/:version/reject", GW_API_ON_BOTH, GW_API_TOKEN)                               \
    X(performance, "GET", "/metrics/performance/:modelId", GW_API_ON_BOTH, GW_API_TOKEN)                               \
    X(drift, "GET", "/drift", GW_API_ON_BOTH, GW_API_TOKEN)                                                            \
    X(drift_model, "GET", "/drift/:modelId", GW_API_ON_BOTH, GW_API_TOKEN)                                             \
    X(retrain, "POST", "/retrain", GW_API_ON_BOTH, GW_API_TOKEN)                                                       \
    X(jobs, "GET", "/jobs", GW_API_ON_BOTH, GW_API_TOKEN)                                                              \
    X(job, "GET", "/jobs/:id", GW_API_ON_BOTH, GW_API_TOKEN)                                                           \
    X(job_cancel, "POST", "/jobs/:id/cancel", GW_API_ON_BOTH, GW_API_TOKEN)                                            \
    X(overview, "GET", "/api/overview", GW_API_ON_BOTH, GW_API_TOKEN)                                                  \
    X(health, "GET", "/health", GW_API_ON_BOTH, GW_API_TOKEN)                                                          \
    X(livez, "GET", "/livez", GW_API_ON_ALL, GW_API_OPEN)                                                              \
    X(readyz, "GET", "/readyz", GW_API_ON_ALL, GW_API_OPEN)                                                            \
    X(metrics, "GET", "/metrics", GW_API_ON_ALL, GW_API_TOKEN)                                                         \
    X(version, "GET", "/version", GW_API_ON_BOTH, GW_API_OPEN)                                                         \
    X(openapi, "GET", "/openapi.json", GW_API_ON_BOTH, GW_API_OPEN)                                                    \
    X(problem, "GET", "/problems/:slug", GW_API_ON_BOTH, GW_API_OPEN)                                                  \
    X(page, "GET", "/", GW_API_ON_UI, GW_API_OPEN)                                                                     \
    X(asset, "GET", "/ui/:file", GW_API_ON_UI, GW_API_OPEN)

#define GW_API_PARAMS_MAX 4

struct gw_api_route {
    void (*handler)(struct gw_api_exchange *exchange);
    const char *method;
    const char *pattern;
    uint8_t listeners;
    bool needs_token;
};

extern const struct gw_api_route gw_api_routes[];
extern const size_t gw_api_route_count;

// True when path has the pattern's form; params (GW_API_PARAMS_MAX of them) then point into path. Empty segments never
// match a parameter.
bool gw_api_route_matches(const char *pattern, const char *path, struct gw_slice *params);

// Searches the routes of a listener (its bit). Returns the route, or NULL; *ret_allow then lists the methods that the
// path does take ("" when there is no such path).
const struct gw_api_route *gw_api_route_find(uint8_t listener, const char *method, const char *path,
                                             struct gw_slice *params, char *ret_allow, size_t allow_bytes);
