// SPDX-License-Identifier: MIT
// A change under way: what all verbs have in common. For this folder only.
//
// A verb looks (revision and idempotency key, outside any transaction), decides and moves versions inside one, and
// finishes. The transaction's first statement takes the row of registry_clock, so that changes come one after the other
// and the numbers of their events without gaps; what was seen before is then read again and must be the same, unless the
// verb decides nothing by it (follows_any). Moves stand in memory until gw_change_finish writes them: versions, events, the
// new route on the last event, the model's revision, the answer to a repeated request. Any failure rolls all of it back.
#pragma once

#include "registry/registry_internal.h"

#define GW_CHANGE_VERSIONS_MAX 32 // a route's versions, and those that a verb names
#define GW_CHANGE_EVENTS_MAX   40
#define GW_CHANGE_REASON_BYTES 1001
#define GW_CHANGE_TEXT_BYTES   1024

struct gw_change_version {
    int32_t version;
    enum gw_rollout_state state;
    bool archived;
    bool changed;                         // to be written
    char variant[GW_ROUTE_VARIANT_BYTES]; // of a canary
    uint32_t weight;                      // of a canary
    int32_t parent_version;
    char digest[GW_ROUTE_DIGEST_BYTES];
};

struct gw_change_event {
    int32_t version; // 0: of the model
    const char *transition;
    const char *from_state;
    const char *to_state;
    const char *digest;
    int32_t parent_version;
    char reason[GW_CHANGE_REASON_BYTES];
};

struct gw_change {
    struct gw_registry *registry;
    const char *model;
    const struct gw_registry_change *said;
    char request[GW_CHANGE_TEXT_BYTES]; // verb, model and arguments: what an idempotency key stands for
    bool follows_any; // what others changed between the look and the lock does not matter to it
    bool exists;
    bool answered;    // the idempotency key was seen before: outcome is the answer
    int64_t revision; // as it was looked at
    int32_t last_version;
    char salt[GW_ROUTE_SALT_BYTES];
    int64_t sequence; // of the first event
    int64_t at_ms;
    struct gw_route before;
    size_t version_count;
    struct gw_change_version versions[GW_CHANGE_VERSIONS_MAX];
    size_t event_count;
    struct gw_change_event *events; // GW_CHANGE_EVENTS_MAX
    struct gw_registry_outcome outcome;
};

// What a verb does between the lock and the end. `context` is the verb's.
typedef gw_status (*gw_change_apply)(struct gw_change *change, const void *context, gw_err *err);

// Checks the caller's words and the name. `format` is the request in canonical words.
GW_CHECK gw_status gw_change_init(struct gw_change *change, struct gw_registry *registry, const char *model,
                                  const struct gw_registry_change *said, gw_err *err, const char *format, ...)
    GW_PRINTF(6, 7);

// Reads revision and idempotency key. `answered` says that there is nothing left to do.
GW_CHECK gw_status gw_change_look(struct gw_change *change, gw_err *err);

// The model must exist and be at the revision that the caller named.
GW_CHECK gw_status gw_change_require(const struct gw_change *change, gw_err *err);

// Runs `apply` in the transaction. Nothing appended: nothing was to be done, the outcome is `repeated`.
GW_CHECK gw_status gw_change_make(struct gw_change *change, gw_change_apply apply, const void *context,
                                  struct gw_registry_outcome *ret_outcome, gw_err *err);

// gw_change_look, gw_change_require and gw_change_make of an existing model.
GW_CHECK gw_status gw_change_run(struct gw_change *change, gw_change_apply apply, const void *context,
                                 struct gw_registry_outcome *ret_outcome, gw_err *err);

// ---- inside gw_change_apply

// Gives the version, 0: the newest; valid as long as the change. GW_E_NOT_FOUND.
GW_CHECK gw_status gw_change_find(struct gw_change *change, int32_t version, struct gw_change_version **ret_version,
                                  gw_err *err);

// The version in this state, the one with the lowest number of several; NULL: none.
struct gw_change_version *gw_change_in_state(struct gw_change *change, enum gw_rollout_state state);

// Adds a version that `apply` has inserted itself.
GW_CHECK gw_status gw_change_add(struct gw_change *change, const struct gw_change_version *version,
                                 struct gw_change_version **ret_version, gw_err *err);

// Moves the version as the verb says and appends the event. Roles end with their states: variant and weight are
// cleared, a split sets them afterwards. `reason` NULL: the caller's.
GW_CHECK gw_status gw_change_move(struct gw_change *change, struct gw_change_version *version,
                                  enum gw_rollout_verb verb, const char *reason, gw_err *err);

// The same without asking whether it is legal: the state is given.
GW_CHECK gw_status gw_change_set(struct gw_change *change, struct gw_change_version *version, const char *transition,
                                 enum gw_rollout_state state, const char *reason, gw_err *err);

GW_CHECK gw_status gw_change_append(struct gw_change *change, const struct gw_change_event *event, const char *reason,
                                    gw_err *err);
