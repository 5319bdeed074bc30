// SPDX-License-Identifier: MIT
// The registry's verbs. Each is one transaction that changes versions and appends to the history, or changes nothing.
//
// Statuses of all verbs, beside what is said at each:
//   GW_E_NOT_FOUND    no such model or version
//   GW_E_CONFLICT     illegal transition (the message names the legal ones), or another change came at the same time
//   GW_E_STALE        `if_revision` is not the model's revision; the message says what is
//   GW_E_INVALID      a value breaks a rule; an idempotency key that was used for something else
//   GW_E_MISMATCH     the database's schema is not this build's: the message names `godwit db migrate`
//   GW_E_UNAVAILABLE, GW_E_TIMEOUT    PostgreSQL is away; it is open whether the change happened
// One thread a handle.
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "feature/set.h"
#include "postgres/postgres.h"
#include "rollout/route.h"
#include "rollout/state.h"

struct gw_registry;

struct gw_registry_options {
    const char *uri;         // of PostgreSQL
    const char *application; // shown in pg_stat_activity
    uint32_t timeout_ms;     // of each statement
};

// Opens lazily. Strings are copied.
GW_CHECK gw_status gw_registry_new(const struct gw_registry_options *options, struct gw_registry **ret_registry,
                                   gw_err *err);
void gw_registry_free(struct gw_registry *registry);

// The connection, for the other files of this folder.
struct gw_postgres *gw_registry_postgres(struct gw_registry *registry);

// Who, why, and on which condition. Borrowed for the call.
struct gw_registry_change {
    const char *actor;           // 1 to 128 bytes
    const char *reason;          // "" none; at most 1,000 bytes
    int64_t if_revision;         // the model must be at this revision; 0: at whatever it is when the verb begins
    const char *idempotency_key; // NULL: none; 1 to 200 bytes. The same key and request again: the first outcome
};

struct gw_registry_outcome {
    int32_t version;          // that the verb was about; 0: the model
    int32_t previous_version; // promote and rollback: the former champion, 0 none
    int64_t sequence;         // of the last event it appended: when the relay has passed it, it is published
    int64_t revision;         // of the model afterwards
    bool repeated;            // by idempotency key: it had been done before
};

// `model` names a model; of versions, 0 in a call means the newest one ("latest"); GW_E_NOT_FOUND when there is none.

struct gw_registry_create {
    const char *model;
    const char *description;    // "" none
    const char *baseline;       // directory of a bundle that becomes version 1 and champion; NULL: none
};

// Makes a model, and its version 1 of `baseline`. GW_E_CONFLICT: it exists.
GW_CHECK gw_status gw_registry_create(struct gw_registry *registry, const struct gw_registry_create *create,
                                      const struct gw_registry_change *change, struct gw_registry_outcome *ret_outcome,
                                      gw_err *err);

struct gw_registry_register {
    const char *model;
    const char *directory;   // of the bundle; it is loaded, and so verified, before anything is stored
    const char *description; // "" none
    const char *tags_json;   // object of strings; NULL: {}
    int32_t parent_version;  // 0: the champion, when there is one
    const struct gw_feature_set *features; // every feature of the bundle must be in it; NULL: not checked (then it stays
                                           // REGISTERED and cannot serve)
    const char *metrics_json; // object, of at most 1 MiB; NULL: from the bundle's metadata
    const char *lineage_json; // the same
};

// Stores a bundle as the model's next version: REGISTERED, and VERIFIED when it could be checked. Lineage and metrics
// come from the bundle's metadata (keys "lineage" and "metrics", objects; the whole metadata else). The artefact is
// stored first, outside the transaction: after a failure it is garbage for gw_artefacts_collect, no version.
GW_CHECK gw_status gw_registry_register(struct gw_registry *registry, const struct gw_registry_register *request,
                                        const struct gw_registry_change *change,
                                        struct gw_registry_outcome *ret_outcome, gw_err *err);

// Makes a version champion with all users; the former champion and canaries retire, shadows stay. Promoting the
// champion is a CONFLICT. GW_E_CONFLICT also for a version whose artefact is archived.
GW_CHECK gw_status gw_registry_promote(struct gw_registry *registry, const char *model, int32_t version,
                                       const struct gw_registry_change *change,
                                       struct gw_registry_outcome *ret_outcome, gw_err *err);

// Makes `version` champion again, 0: the one before the present one (by the history, rejected and archived ones left
// out). GW_E_CONFLICT when there is none.
GW_CHECK gw_status gw_registry_rollback(struct gw_registry *registry, const char *model, int32_t version,
                                        const struct gw_registry_change *change,
                                        struct gw_registry_outcome *ret_outcome, gw_err *err);

// Starts (or ends) scoring in the shadow. At most GW_ROUTE_SHADOWS_MAX at once (GW_E_CONFLICT).
GW_CHECK gw_status gw_registry_shadow(struct gw_registry *registry, const char *model, int32_t version, bool on,
                                      const struct gw_registry_change *change,
                                      struct gw_registry_outcome *ret_outcome, gw_err *err);

struct gw_registry_share {
    int32_t version;
    uint32_t weight;     // of GW_ROUTE_BUCKETS, > 0
    const char *variant; // NULL: "canary" for one, "canary-<version>" for several
};

// Gives these versions their shares of users and the champion the rest (which must be > 0); canaries that are not named
// retire. count 0 ends the split. GW_E_CONFLICT without a champion; GW_E_INVALID for shares that do not fit.
GW_CHECK gw_status gw_registry_split(struct gw_registry *registry, const char *model,
                                     const struct gw_registry_share *shares, size_t count,
                                     const struct gw_registry_change *change, struct gw_registry_outcome *ret_outcome,
                                     gw_err *err);

// Puts a version away that serves nobody; its artefact may be collected and it cannot come back.
GW_CHECK gw_status gw_registry_archive(struct gw_registry *registry, const char *model, int32_t version,
                                       const struct gw_registry_change *change,
                                       struct gw_registry_outcome *ret_outcome, gw_err *err);

// Takes a version out of service for good, with the reason. A champion is replaced by the one before it, as in a
// rollback; without one the route has no target. Rejecting a REJECTED version changes nothing and succeeds (`repeated`),
// because every scorer that cannot load it says so.
GW_CHECK gw_status gw_registry_reject(struct gw_registry *registry, const char *model, int32_t version,
                                      const struct gw_registry_change *change,
                                      struct gw_registry_outcome *ret_outcome, gw_err *err);
