// SPDX-License-Identifier: MIT
// What stands in the registry, as values. Reads only; each function is one statement, so what it gives is of one moment.
#pragma once

#include "base/arena.h"
#include "registry/registry.h"

struct gw_registry_model {
    const char *name;
    const char *description;
    int64_t revision;
    int32_t champion; // version, 0 none
    int32_t last_version;
    int64_t created_ms;
};

struct gw_registry_version {
    const char *model;
    int32_t version;
    const char *digest;
    enum gw_rollout_state state;
    bool archived;
    const char *variant; // when it serves or shadows, else ""
    uint32_t weight;     // of GW_ROUTE_BUCKETS: share of users it serves now
    const char *description;
    const char *tags_json;
    const char *signature_json; // {"features": [...], "layout": "<16 hex>", "heads": [{name, weight, ...}], "primary": ...}
    const char *metrics_json;
    const char *lineage_json;
    int32_t parent_version;
    const char *rejected_because; // "" unless REJECTED
    int64_t created_ms;
    const char *created_by;
    int64_t champion_since_ms; // of the present champion, else 0
};

struct gw_registry_event {
    int64_t sequence;
    const char *model;
    int32_t version; // 0: of the model
    const char *transition;
    const char *from_state; // "" for none
    const char *to_state;
    const char *digest;
    int32_t parent_version;
    const char *actor;
    const char *reason;
    int64_t at_ms;
    const struct gw_route *route; // NULL: it did not change the route
};

// All strings and arrays are the arena's. An unknown model is GW_E_NOT_FOUND.

GW_CHECK gw_status gw_registry_list_models(struct gw_registry *registry, struct gw_arena *arena,
                                           const struct gw_registry_model **ret_models, size_t *ret_count,
                                           gw_err *err);
// Newest first, at most `limit`, versions below `before` (0: all).
GW_CHECK gw_status gw_registry_list_versions(struct gw_registry *registry, const char *model, int32_t before,
                                             size_t limit, struct gw_arena *arena,
                                             const struct gw_registry_version **ret_versions, size_t *ret_count,
                                             gw_err *err);
GW_CHECK gw_status gw_registry_get_model(struct gw_registry *registry, const char *model, struct gw_arena *arena,
                                         struct gw_registry_model *ret_model, gw_err *err);
// version 0: the newest.
GW_CHECK gw_status gw_registry_get_version(struct gw_registry *registry, const char *model, int32_t version,
                                           struct gw_arena *arena, struct gw_registry_version *ret_version,
                                           gw_err *err);
// Champions of all models.
GW_CHECK gw_status gw_registry_champions(struct gw_registry *registry, struct gw_arena *arena,
                                         const struct gw_registry_version **ret_versions, size_t *ret_count,
                                         gw_err *err);

// Events of a model (NULL: of all), newest first, at most `limit`, below sequence `before` (0: all).
GW_CHECK gw_status gw_registry_history(struct gw_registry *registry, const char *model, int64_t before, size_t limit,
                                       struct gw_arena *arena, const struct gw_registry_event **ret_events,
                                       size_t *ret_count, gw_err *err);

// The event whose route was in force at the moment: who served whom, decided by whom and why. GW_E_NOT_FOUND when
// nothing was routed yet.
GW_CHECK gw_status gw_registry_at(struct gw_registry *registry, const char *model, int64_t at_ms,
                                  struct gw_arena *arena, struct gw_registry_event *ret_event, gw_err *err);

// Events above a sequence, oldest first: what the relay publishes.
GW_CHECK gw_status gw_registry_events_after(struct gw_registry *registry, int64_t sequence, size_t limit,
                                            struct gw_arena *arena, const struct gw_registry_event **ret_events,
                                            size_t *ret_count, gw_err *err);

// The route as it stands now in the history. GW_E_NOT_FOUND: none.
GW_CHECK gw_status gw_registry_route(struct gw_registry *registry, const char *model, struct gw_route *ret_route,
                                     gw_err *err);
