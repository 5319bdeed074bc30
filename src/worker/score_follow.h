// SPDX-License-Identifier: MIT
// Decides what to load, what to refuse and when to swap, from the routes that come. Knows neither Kafka nor PostgreSQL:
// two functions load a model and reject a version.
//
//   per model  wanted   the newest route
//              serving  the last route of which all targets were loaded; goes on until `wanted` takes its place
//   pool       every model that is loaded: of a serving or wanted route, and the GW_SCORE_SPARE_MODELS last used others
//   failures   versions that cannot serve, remembered so that they are loaded once and rejected once
//
// A step does one thing, so that a newer route is seen between two loads: what was between is skipped. Targets come before
// shadows: a route takes effect with its targets, and shadows join it when they are loaded. One owning thread.
#pragma once

#include "worker/score_table.h"

enum { GW_SCORE_SPARE_MODELS = 3 };

struct gw_score_follow_ops {
    // Gives a loaded and warmed model with one reference. A status for which gw_score_failure_is_final is true means
    // that the version can never serve here; any other one is tried again.
    gw_status (*load)(void *context, const char *model, const struct gw_route_version *version,
                      struct gw_score_model **ret_model, gw_err *err);
    // Says so in the registry.
    gw_status (*reject)(void *context, const char *model, int32_t version, const char *reason, gw_err *err);
    void *context;
};

bool gw_score_failure_is_final(gw_status status);

struct gw_score_follow;

// Borrows tables and default_model, which must outlive it.
GW_CHECK gw_status gw_score_follow_new(const struct gw_score_follow_ops *ops, struct gw_score_tables *tables,
                                       const char *default_model, struct gw_score_follow **ret_follow, gw_err *err);
void gw_score_follow_free(struct gw_score_follow *follow);

// X(suffix, name): why a route was ignored
#define GW_SCORE_IGNORED_MAP(X)                                                                                        \
    X(OLD, "old")           /* not newer than the one there is */                                                     \
    X(BAD, "bad")           /* not a record, or not a legal route */                                                  \
    X(TOO_MANY, "too-many") /* over GW_SCORE_ROUTES_MAX models, the default one included */

enum gw_score_ignored {
#define X(suffix, name) GW_SCORE_IGNORED_##suffix,
    GW_SCORE_IGNORED_MAP(X)
#undef X
        GW_SCORE_IGNORED_COUNT
};
const char *gw_score_ignored_name(enum gw_score_ignored why);

// Takes note of a route (checked, copied). GW_E_STALE: not newer; GW_E_INVALID: breaks a rule; GW_E_EXHAUSTED: too many
// models. A failure changes nothing and is counted.
GW_CHECK gw_status gw_score_follow_note(struct gw_score_follow *follow, const struct gw_route *route, gw_err *err);

// A record that is no route.
void gw_score_follow_note_bad(struct gw_score_follow *follow);

// The routes noted so far served before this process began. A version of theirs that names a feature which this process
// does not have (GW_E_CONFIG) serves elsewhere: it is tried again, not rejected for all.
void gw_score_follow_began(struct gw_score_follow *follow);

// The model is gone (a tombstone): its route leaves the table in the next step.
void gw_score_follow_forget(struct gw_score_follow *follow, struct gw_slice model);

// Does the next thing that is due: a load, a swap, a rejection. False: there is nothing to do now. now_us: monotonic.
bool gw_score_follow_step(struct gw_score_follow *follow, uint64_t now_us);

// True when the newest route of the default model, if there is one, is in force; else `why` says what it waits for.
bool gw_score_follow_is_settled(const struct gw_score_follow *follow, char *why, size_t size);

// Cumulative.
struct gw_score_follow_totals {
    uint64_t swaps;
    uint64_t loads;
    uint64_t load_retries; // failures that are tried again
    uint64_t refusals;     // versions that cannot serve
    uint64_t ignored[GW_SCORE_IGNORED_COUNT];
    size_t loaded; // models now, spare ones too
};
void gw_score_follow_totals(const struct gw_score_follow *follow, struct gw_score_follow_totals *ret_totals);
