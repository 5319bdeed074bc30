// SPDX-License-Identifier: MIT
// What the cases of `rollout` share: a registry, scorers and a bridge (which publishes its changes) as children, and
// versions that no scorer has ever seen.
#pragma once

#include "support/scorer.h"
#include "support/session.h"
#include "support/world.h"

#include "registry/registry.h"
#include "worker/relay_options.h"

enum { ROLLOUT_SCORERS_MAX = 2, ROLLOUT_BUNDLES = 2, ROLLOUT_VERSIONS_MAX = 2048, ROLLOUT_PATIENCE_S = 60 };

extern const char rollout_name[];

struct rollout_settings {
    const char *program;
    const char *case_name;
    const char *model;   // in the registry, and it serves
    const char *bundles; // directory with ROLLOUT_BUNDLES copies of bundles, "0" and "1", to be written to
    const char *caches;  // directory for the scorers' caches of artefacts
    const char *log;
    double users;
    double tweets;
    double authors;
    double candidates;
    double ops_port; // of the first scorer
    double swaps;
    double expected_per_s; // predictions: sizes the backlog
    double seconds;        // the backlog must last
    double rate;           // synchronous requests a second
    double windows;        // of each kind
    double window_s;
    double warm_up_s;
    double events;
    double reads;
};

struct rollout {
    const struct rollout_settings *settings;
    const struct bench_session *session;
    const struct bench_world *world;
    struct gw_registry_settings options;
    struct gw_registry *registry;
    struct bench_child scorers[ROLLOUT_SCORERS_MAX];
    size_t scorer_count;
    struct bench_child bridge;
};

GW_CHECK gw_status rollout_init(struct rollout *rollout, gw_err *err);
void rollout_deinit(struct rollout *rollout); // ends the children too

// Starts a bridge and so many scorers, each with one bulk lane, a synchronous lane and an empty cache on disk, and
// waits until they are ready and the group `score` has a member in each.
GW_CHECK gw_status rollout_start(struct rollout *rollout, size_t scorer_count, gw_err *err);
void rollout_stop_scorers(struct rollout *rollout);                     // they finish and commit what they have begun
GW_CHECK gw_status rollout_check(struct rollout *rollout, gw_err *err); // GW_E_UNAVAILABLE: a child has died

// Stores `count` versions of fresh content, by turns of each bundle; versions[] gets their numbers.
GW_CHECK gw_status rollout_register(struct rollout *rollout, size_t count, int32_t *versions, gw_err *err);

GW_CHECK gw_status rollout_promote(struct rollout *rollout, int32_t version, int64_t *ret_sequence, gw_err *err);

// Sum of the values of the scorer's metrics whose lines begin with `prefix`.
GW_CHECK gw_status rollout_metric(const struct rollout *rollout, size_t scorer, const char *prefix, double *ret_value,
                                  gw_err *err);

// Says how many models were loaded since the start and how long a load took on average.
GW_CHECK gw_status rollout_report_loads(const struct rollout *rollout, gw_err *err);

void rollout_report(const struct rollout *rollout, const char *metric, double value, const char *unit);

// The cases.
GW_CHECK gw_status rollout_promotions(struct rollout *rollout, gw_err *err);
GW_CHECK gw_status rollout_rollbacks(struct rollout *rollout, gw_err *err);
GW_CHECK gw_status rollout_windows(struct rollout *rollout, gw_err *err);
GW_CHECK gw_status rollout_soak(struct rollout *rollout, gw_err *err);
GW_CHECK gw_status rollout_history(struct rollout *rollout, gw_err *err);
