// SPDX-License-Identifier: MIT
// Retraining runs: rows of a state machine, what each decided, and the curves of their trainings.
//
//   REQUESTED → DATASET → TRAINING → GATING → REGISTERED → SHADOW → CANARY → PROMOTED
//   and from each of those                                                  → REFUSED, FAILED, CANCELLED
//
// CANARY may be left out, and SHADOW may take no time
//
// A run is keyed by the record that asked for it: asking again with the same position changes nothing and gives the
// same run. A decision not to train is a run that is REFUSED from the start, with the reason as its verdict. At most
// one run a model is active; a unique index says so, whoever asks.
//
// Whoever drives a run claims it first. A claim takes the run away from earlier claimants: what they try afterwards is
// GW_E_STALE, so a worker that was thought dead changes nothing.
//
// Statuses, beside those named: as in registry.h.
#pragma once

#include "base/arena.h"
#include "base/json.h"
#include "registry/registry.h"

#define GW_RUN_ID_BYTES   201
#define GW_RUN_TEXT_BYTES 1001 // of reason and verdict

// X(suffix, active): its name is the suffix
#define GW_RUN_STATE_MAP(X)                                                                                            \
    X(REQUESTED, true)  /* recorded, nothing done */                                                                   \
    X(DATASET, true)    /* the manifest stands; the data set is being read */                                          \
    X(TRAINING, true)   /* the trainer runs */                                                                         \
    X(GATING, true)     /* a bundle is there, and is compared with the champion */                                     \
    X(REGISTERED, true) /* passed: it is a version */                                                                  \
    X(SHADOW, true)     /* scores unseen until shadow_until */                                                         \
    X(CANARY, true)     /* serves a share of users until canary_until */                                               \
    X(PROMOTED, false)  /* the version became champion */                                                              \
    X(REFUSED, false)   /* decided: not to train, or not to promote */                                                 \
    X(FAILED, false)    /* could not be done */                                                                        \
    X(CANCELLED, false) /* somebody said so */

enum gw_run_state {
#define X(suffix, active) GW_RUN_##suffix,
    GW_RUN_STATE_MAP(X)
#undef X
        GW_RUN_STATE_COUNT
};

const char *gw_run_state_name(enum gw_run_state state);
bool gw_run_state_is_active(enum gw_run_state state);

struct gw_run {
    const char *id; // <topic>-<partition>-<offset>
    const char *topic;
    int32_t partition;
    int64_t offset;
    const char *model;
    enum gw_run_state state;
    const char *reason;
    const char *actor;
    const char *verdict; // why it is in its last state; "" none
    int64_t requested_ms;
    int64_t created_ms;
    int64_t changed_ms;
    int32_t attempt;   // claims so far
    int32_t trainings; // starts of the trainer so far
    int32_t parent_version;
    const char *manifest; // canonical JSON; "" none yet
    const char *manifest_hash;
    int64_t rows;
    const char *digest;      // of the bundle; "" none yet
    const char *gate_json;   // "" none yet
    int32_t version;         // that was registered; 0 none yet
    int64_t shadow_until_ms; // 0 none yet
    int64_t canary_until_ms; // 0 none yet
    const char *cancel_by;   // "" nobody
};

struct gw_run_point {
    const char *head;
    int32_t round;
    double log_loss; // on the trainer's holdout
};

// The id of the run that the record at this position asks for.
void gw_run_id(const char *topic, int32_t partition, int64_t offset, char ret_id[GW_RUN_ID_BYTES]);

// ---- deciding -------------------------------------------------------------------------------------------------------

// What asks for a training, whatever it is: a request, an alert, a schedule. Borrowed.
struct gw_run_request {
    const char *topic; // without the installation's prefix
    int32_t partition;
    int64_t offset;
    const char *model;
    const char *reason; // under GW_RUN_TEXT_BYTES
    const char *actor;
    int64_t requested_ms;
    const char *refusal; // why it is not to be followed, as whoever asks knows already; NULL: nothing speaks against it
    bool repeats; // it was asked before: a refusal leaves no row (*ret_run then says no more than id and verdict)
};

struct gw_run_rules {
    bool enabled;       // the kill switch
    int64_t cooldown_s; // since the last training ended; after a data set that was refused a minute at most
};

// Decides whether to train, and records the decision with its reason. The strings of *ret_run are the arena's.
GW_CHECK gw_status gw_runs_ask(struct gw_registry *registry, const struct gw_run_request *request,
                               const struct gw_run_rules *rules, struct gw_arena *arena, struct gw_run *ret_run,
                               gw_err *err);

// ---- driving --------------------------------------------------------------------------------------------------------

// What one connection of an installation does at a time.
#define GW_RUNS_LOCK_RUNS  "godwit.retrain" // drives runs
#define GW_RUNS_LOCK_GUARD "godwit.guard"   // takes back what turned out to be a mistake

// True when this connection holds the lock of this name; it stays so until the connection ends.
GW_CHECK gw_status gw_runs_lock(struct gw_registry *registry, const char *name, bool *ret_held, gw_err *err);

// Takes the run over from whoever drove it. GW_E_STALE: it is not active any more.
GW_CHECK gw_status gw_runs_claim(struct gw_registry *registry, const char *id, int32_t *ret_attempt, gw_err *err);

// Counts a start of the trainer and forgets the curve of the one before. GW_E_STALE: claimed by another.
GW_CHECK gw_status gw_runs_start_training(struct gw_registry *registry, const struct gw_run *run,
                                          int32_t *ret_trainings, gw_err *err);

// What a move changes besides the state. NULL, 0 and negative times leave what is there.
struct gw_run_change {
    const char *verdict;
    const char *manifest;
    const char *manifest_hash;
    const char *digest;
    const char *gate_json;
    int64_t rows;
    int32_t parent_version;
    int32_t version;
    int64_t shadow_ms; // SHADOW lasts so long from now, by the database's clock; -1: not said
    int64_t canary_ms; // CANARY likewise; 0: not said
};

// Moves the run, as claimed (id, attempt) and in the state that `run` says. GW_E_STALE: it is not there any more.
GW_CHECK gw_status gw_runs_move(struct gw_registry *registry, const struct gw_run *run, enum gw_run_state state,
                                const struct gw_run_change *change, gw_err *err);

// Adds a point of a training's curve. GW_E_STALE: claimed by another.
GW_CHECK gw_status gw_runs_add_point(struct gw_registry *registry, const struct gw_run *run,
                                     const struct gw_run_point *point, gw_err *err);

// Whether the time of SHADOW, or of CANARY when the run is there, is over, by the database's clock.
GW_CHECK gw_status gw_runs_time_is_over(struct gw_registry *registry, const char *id, bool *ret_over, gw_err *err);

// Asks for an end. GW_E_NOT_FOUND; GW_E_CONFLICT: it has ended already. The driver acts on it, so it may be too late.
GW_CHECK gw_status gw_runs_cancel(struct gw_registry *registry, const char *id, const char *actor, gw_err *err);

// ---- looking --------------------------------------------------------------------------------------------------------

// GW_E_NOT_FOUND.
GW_CHECK gw_status gw_runs_get(struct gw_registry *registry, const char *id, struct gw_arena *arena,
                               struct gw_run *ret_run, gw_err *err);

// Newest first, at most `limit`; of a model, or of all (NULL).
GW_CHECK gw_status gw_runs_list(struct gw_registry *registry, const char *model, size_t limit, struct gw_arena *arena,
                                const struct gw_run **ret_runs, size_t *ret_count, gw_err *err);

// Oldest first.
GW_CHECK gw_status gw_runs_list_active(struct gw_registry *registry, struct gw_arena *arena,
                                       const struct gw_run **ret_runs, size_t *ret_count, gw_err *err);

// By head, then round.
GW_CHECK gw_status gw_runs_curve(struct gw_registry *registry, const char *id, struct gw_arena *arena,
                                 const struct gw_run_point **ret_points, size_t *ret_count, gw_err *err);

// One object, as REST and --json show it; with manifest and curve when `whole`.
void gw_run_write(struct gw_json_writer *writer, const struct gw_run *run, bool whole,
                  const struct gw_run_point *points, size_t point_count);
