// SPDX-License-Identifier: MIT
// From a request to a bundle: REQUESTED, DATASET, TRAINING.
#include "worker/retrain_internal.h"

#include "base/faults.h"
#include "base/log.h"
#include "label/bits.h"
#include "registry/artefacts.h"
#include "worker/retrain_train.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRAININGS_MAX = 5 }; // of one run: kills and crashes, not rounds

// ---- files ----------------------------------------------------------------------------------------------------------

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

void gw_retrain_remove_tree(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

gw_status gw_retrain_make_directory(const char *path, gw_err *err)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return gw_fail(err, GW_E_IO, "cannot make '%.200s': %s", path, strerror(errno));
    }
    return GW_OK;
}

// ---- moves ----------------------------------------------------------------------------------------------------------

gw_status gw_retrain_move(struct gw_retrain_step *step, enum gw_run_state state, const struct gw_run_change *change,
                          gw_err *err)
{
    struct gw_retrain_runs *self = step->self;
    GW_TRY(gw_runs_move(self->registry, step->run, state, change, err));
    gw_log_info("retrain.moved", "run=%s model=%s from=%s to=%s verdict='%s'", step->run->id, step->run->model,
                gw_run_state_name(step->run->state), gw_run_state_name(state),
                change->verdict != NULL ? change->verdict : "");
    step->run->state = state;
    if (!gw_run_state_is_active(state)) {
        gw_metric_add(self->ended[state], 1);
        gw_retrain_remove_tree(step->directory);
        *step->claim = (struct gw_retrain_claim){.id = ""};
    }
    return GW_OK;
}

gw_status gw_retrain_end(struct gw_retrain_step *step, enum gw_run_state state, const char *verdict, gw_err *err)
{
    const struct gw_run_change change = {.verdict = verdict, .shadow_ms = -1};
    return gw_retrain_move(step, state, &change, err);
}

// ---- REQUESTED ------------------------------------------------------------------------------------------------------

gw_status gw_retrain_load_version(struct gw_retrain_step *step, const char *digest, struct gw_bundle **ret_bundle,
                                  gw_err *err)
{
    char path[GW_RETRAIN_PATH_BYTES];
    GW_TRY(gw_artefacts_fetch(step->self->registry, step->self->cache, digest, path, sizeof path, err));
    int held = gw_artefacts_hold(step->self->cache, digest);
    gw_status status = gw_bundle_load(path, ret_bundle, err);
    if (status == GW_E_MISMATCH || status == GW_E_MALFORMED || status == GW_E_NOT_FOUND) {
        gw_artefacts_forget_held(step->self->cache, digest, held); // damaged: the next attempt fetches it anew
        status = gw_fail(err, GW_E_BEHIND, "the champion's cached artefact is damaged");
    }
    if (held >= 0) {
        close(held);
    }
    return status;
}

static gw_status find_champion(struct gw_retrain_step *step, struct gw_registry_version *ret_champion, gw_err *err)
{
    struct gw_registry_model model;
    struct gw_retrain_runs *self = step->self;
    GW_TRY(gw_registry_get_model(self->registry, step->run->model, &self->arena, &model, err));
    if (model.champion == 0) {
        *ret_champion = (struct gw_registry_version){0};
        return GW_OK;
    }
    return gw_registry_get_version(self->registry, step->run->model, model.champion, &self->arena, ret_champion, err);
}

static gw_status write_manifest(struct gw_retrain_step *step, const struct gw_registry_version *champion,
                                const struct gw_bundle *bundle, gw_err *err)
{
    GW_CLEANUP(gw_buf_deinit) struct gw_buf text = {0};
    char hash[GW_SHA256_HEX_BYTES];
    GW_TRY(gw_retrain_manifest_make(step->self->runtime, step->self->consumer, step->run->model, champion->version,
                                    bundle, step->manifest, err));
    GW_TRY(gw_retrain_manifest_write(step->manifest, &text, hash, err));
    const struct gw_run_change change = {.manifest = (const char *)text.data,
                                         .manifest_hash = hash,
                                         .parent_version = champion->version,
                                         .shadow_ms = -1};
    return gw_retrain_move(step, GW_RUN_DATASET, &change, err);
}

gw_status gw_retrain_step_requested(struct gw_retrain_step *step, gw_err *err)
{
    struct gw_registry_version champion;
    struct gw_bundle *bundle = NULL;
    GW_TRY(find_champion(step, &champion, err));
    if (champion.version == 0) {
        return gw_retrain_end(
            step, GW_RUN_REFUSED,
            "the model has no champion, so nothing says which features to learn from: promote a version", err);
    }
    GW_TRY(gw_retrain_load_version(step, champion.digest, &bundle, err));
    gw_status status = write_manifest(step, &champion, bundle, err);
    gw_bundle_unref(bundle);
    return status;
}

// ---- DATASET --------------------------------------------------------------------------------------------------------

// The run as others may have changed it meanwhile: GW_E_ABORTED to end what is under way.
static gw_status watch(void *context, gw_err *err)
{
    struct gw_retrain_step *step = context;
    struct gw_run now;
    if (gw_retrain_is_closing(step->self)) {
        return gw_fail(err, GW_E_ABORTED, "stopped");
    }
    gw_arena_clear(&step->self->arena);
    gw_status status = gw_runs_get(step->self->registry, step->run->id, &step->self->arena, &now, err);
    if (status != GW_OK) {
        return gw_status_class(status) == GW_CLASS_RETRY ? GW_OK : status; // the database is away: go on meanwhile
    }
    if (now.attempt != step->run->attempt || now.state != step->run->state) {
        return gw_fail(err, GW_E_STALE, "run '%.100s' is driven by another worker", step->claim->id);
    }
    return now.cancel_by[0] == '\0' ? GW_OK : gw_fail(err, GW_E_ABORTED, "cancelled");
}

static bool stop_reading(void *context)
{
    gw_err err = {0};
    return watch(context, &err) != GW_OK;
}

static gw_status read_dataset(struct gw_retrain_step *step, gw_err *err)
{
    struct gw_bundle *champion = NULL;
    gw_retrain_remove_tree(step->directory);
    GW_TRY(gw_retrain_make_directory(step->directory, err));
    GW_TRY(gw_retrain_load_version(step, step->manifest->champion_digest, &champion, err));
    const struct gw_retrain_dataset_options options = {.runtime = step->self->runtime,
                                                       .manifest = step->manifest,
                                                       .champion = gw_bundle_info(champion),
                                                       .train_path = step->train_path,
                                                       .gate_path = step->gate_path,
                                                       .stop = stop_reading,
                                                       .context = step};
    gw_status status = gw_retrain_dataset_build(&options, &step->claim->dataset, err);
    gw_bundle_unref(champion);
    step->claim->has_rows = status == GW_OK;
    return status;
}

static gw_status refuse_small(struct gw_retrain_step *step, const struct gw_retrain_dataset *dataset, bool *ret_refused,
                              gw_err *err)
{
    const struct gw_config *config = step->self->runtime->config;
    uint64_t rows_min = gw_config_u64(config, GW_OPT_RETRAIN_ROWS_MIN);
    uint64_t positives_min = gw_config_u64(config, GW_OPT_RETRAIN_POSITIVES_MIN);
    char verdict[300];
    *ret_refused = dataset->rows < rows_min || dataset->scarce_rows < positives_min;
    if (dataset->rows < rows_min) {
        snprintf(verdict, sizeof verdict,
                 "%" PRIu64 " examples of the champion's layout, fewer than %" PRIu64 " (retrain.rows_min); %" PRIu64
                 " could not be used",
                 dataset->rows, rows_min, dataset->unusable);
    } else {
        snprintf(verdict, sizeof verdict,
                 "%" PRIu64 " examples of the rarer class of '%s' to learn from, fewer than %" PRIu64
                 " (retrain.positives_min)",
                 dataset->scarce_rows, gw_label_names[dataset->scarce_label], positives_min);
    }
    return *ret_refused ? gw_retrain_end(step, GW_RUN_REFUSED, verdict, err) : GW_OK;
}

gw_status gw_retrain_step_dataset(struct gw_retrain_step *step, gw_err *err)
{
    bool refused = false;
    (void)gw_fault_hit("retrain.dataset");
    gw_status status = read_dataset(step, err);
    if (status == GW_E_INVALID) { // too few, or all of one moment
        char verdict[GW_ERR_MESSAGE_BYTES];
        snprintf(verdict, sizeof verdict, "%s", err->message);
        return gw_retrain_end(step, GW_RUN_REFUSED, verdict, err);
    }
    GW_TRY(status);
    GW_TRY(refuse_small(step, &step->claim->dataset, &refused, err));
    const struct gw_run_change change = {.rows = (int64_t)step->claim->dataset.rows, .shadow_ms = -1};
    return refused ? GW_OK : gw_retrain_move(step, GW_RUN_TRAINING, &change, err);
}

// ---- TRAINING -------------------------------------------------------------------------------------------------------

static gw_status note_round(void *context, const char *head, int32_t round, double log_loss, gw_err *err)
{
    struct gw_retrain_step *step = context;
    const struct gw_run_point point = {.head = head, .round = round, .log_loss = log_loss};
    gw_status status = gw_runs_add_point(step->self->registry, step->run, &point, err);
    (void)gw_fault_hit("retrain.training");
    return gw_status_class(status) == GW_CLASS_RETRY ? GW_OK : status; // a point is not worth a training
}

gw_status gw_retrain_make_bundle(struct gw_retrain_step *step, char ret_digest[GW_BUNDLE_DIGEST_BYTES], gw_err *err)
{
    const struct gw_config *config = step->self->runtime->config;
    int32_t trainings = 0;
    if (!step->claim->has_rows) {
        GW_TRY(read_dataset(step, err));
    }
    step->claim->has_bundle = false;
    gw_retrain_remove_tree(step->bundle_path);
    GW_TRY(gw_runs_start_training(step->self->registry, step->run, &trainings, err));
    if (trainings > TRAININGS_MAX) {
        return gw_fail(err, GW_E_INVALID, "the training was begun %d times and never ended", TRAININGS_MAX);
    }
    const struct gw_retrain_train_options options = {
        .manifest = step->manifest,
        .train_path = step->train_path,
        .out_directory = step->bundle_path,
        .log_path = step->log_path,
        .memory_bytes = gw_config_u64(config, GW_OPT_RETRAIN_MEMORY),
        .time_limit_ms = (uint64_t)gw_config_duration_us(config, GW_OPT_RETRAIN_TIME_LIMIT) / 1000,
        .round = note_round,
        .watch = watch,
        .context = step};
    gw_metric_set(step->self->training, 1);
    gw_status status = gw_retrain_train(&options, ret_digest, err);
    gw_metric_set(step->self->training, 0);
    step->claim->has_bundle = status == GW_OK;
    return status;
}

gw_status gw_retrain_step_training(struct gw_retrain_step *step, gw_err *err)
{
    char digest[GW_BUNDLE_DIGEST_BYTES] = "";
    GW_TRY(gw_retrain_make_bundle(step, digest, err));
    const struct gw_run_change change = {.digest = digest, .shadow_ms = -1};
    return gw_retrain_move(step, GW_RUN_GATING, &change, err);
}
