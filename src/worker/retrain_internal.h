// SPDX-License-Identifier: MIT
// The inside of retrain's runs, for src/worker/retrain_*.c only: a step is one look at one run, and takes it to its
// next state or leaves it where it is.
#pragma once

#include "registry/runs.h"
#include "registry/views.h"
#include "worker/relay_options.h"
#include "worker/retrain_dataset.h"
#include "worker/retrain_manifest.h"
#include "worker/retrain_runs.h"

#include <pthread.h>

#define GW_RETRAIN_ACTOR      "retrain" // in the registry's history
#define GW_RETRAIN_CLAIMS_MAX 64        // runs under way at once: one a model
#define GW_RETRAIN_PATH_BYTES 4096

// A run that this process drives.
struct gw_retrain_claim {
    char id[GW_RUN_ID_BYTES]; // "" free
    int32_t attempt;
    bool has_rows;                     // the data set in its directory is of this claim,
    bool has_bundle;                   // and so is the bundle
    struct gw_retrain_dataset dataset; // when has_rows
};

struct gw_retrain_runs {
    const struct gw_runtime *runtime;
    struct gw_registry_settings settings;
    struct gw_registry *registry;
    struct gw_kafka_consumer *consumer; // for offsets only
    char directory[GW_RETRAIN_PATH_BYTES / 2];
    const char *cache; // of artefacts
    struct gw_arena arena;
    struct gw_retrain_claim claims[GW_RETRAIN_CLAIMS_MAX];
    struct gw_metric *ended[GW_RUN_STATE_COUNT];
    struct gw_metric *training;
    uint64_t schedule_at_us;
    bool away; // said so
    atomic_bool closing;
    pthread_t thread;
    bool started;
};

// One step of one run.
struct gw_retrain_step {
    struct gw_retrain_runs *self;
    struct gw_run *run; // as it was looked at; attempt is the claim's
    struct gw_retrain_claim *claim;
    struct gw_retrain_manifest *manifest; // on the heap: it is large
    char directory[GW_RETRAIN_PATH_BYTES];
    char train_path[GW_RETRAIN_PATH_BYTES + 16];
    char gate_path[GW_RETRAIN_PATH_BYTES + 16];
    char bundle_path[GW_RETRAIN_PATH_BYTES + 16];
    char log_path[GW_RETRAIN_PATH_BYTES + 16];
};

bool gw_retrain_is_closing(const struct gw_retrain_runs *runs);

// Moves the run on; an end removes its files and frees its claim. As gw_runs_move.
GW_CHECK gw_status gw_retrain_move(struct gw_retrain_step *step, enum gw_run_state state,
                                   const struct gw_run_change *change, gw_err *err);
GW_CHECK gw_status gw_retrain_end(struct gw_retrain_step *step, enum gw_run_state state, const char *verdict,
                                  gw_err *err);

// Loads a version of the registry through the cache, as gw_retrain_load_artefact.
GW_CHECK gw_status gw_retrain_load_version(struct gw_retrain_step *step, const char *digest,
                                           struct gw_bundle **ret_bundle, gw_err *err);

// Makes data set and bundle of the manifest, as far as this claim has not made them. GW_E_ABORTED: stopped or
// cancelled; GW_E_STALE: another worker's by now; else as gw_retrain_dataset_build and gw_retrain_train.
GW_CHECK gw_status gw_retrain_make_bundle(struct gw_retrain_step *step, char ret_digest[GW_BUNDLE_DIGEST_BYTES],
                                          gw_err *err);

// The steps, by state. Refusals are moves, and so GW_OK; what is not, the caller judges.
GW_CHECK gw_status gw_retrain_step_requested(struct gw_retrain_step *step, gw_err *err);
GW_CHECK gw_status gw_retrain_step_dataset(struct gw_retrain_step *step, gw_err *err);
GW_CHECK gw_status gw_retrain_step_training(struct gw_retrain_step *step, gw_err *err);
GW_CHECK gw_status gw_retrain_step_gating(struct gw_retrain_step *step, gw_err *err);
GW_CHECK gw_status gw_retrain_step_registered(struct gw_retrain_step *step, gw_err *err);
GW_CHECK gw_status gw_retrain_step_shadow(struct gw_retrain_step *step, gw_err *err);
GW_CHECK gw_status gw_retrain_step_canary(struct gw_retrain_step *step, gw_err *err);

// Ends shadow or split as far as there is one, and the run as CANCELLED; as PROMOTED when its version is the champion.
GW_CHECK gw_status gw_retrain_cancel(struct gw_retrain_step *step, gw_err *err);
// The same for a run that cannot go on.
GW_CHECK gw_status gw_retrain_fail(struct gw_retrain_step *step, const char *verdict, gw_err *err);

void gw_retrain_remove_tree(const char *path);
GW_CHECK gw_status gw_retrain_make_directory(const char *path, gw_err *err);
