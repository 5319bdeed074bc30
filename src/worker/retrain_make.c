// SPDX-License-Identifier: MIT
// From a request to a bundle: REQUESTED, DATASET, TRAINING.
#include "worker/retrain_internal.h"

#include "base/faults.h"
#include "base/log.h"
#include "label/bits.h"
#include "worker/bundle_fetch.h"
#include "worker/retrain_train.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TRAININGS_MAX = 5, // of one run: kills and crashes, not rounds
    REFERENCE_PATH_BYTES = GW_RETRAIN_PATH_BYTES + 16,
    VERDICT_BYTES = 300,
};

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
    return gw_bundle_fetch(step->self->registry, step->self->cache, digest, ret_bundle, err);
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

static void name_reference(const struct gw_retrain_step *step, char ret_path[REFERENCE_PATH_BYTES])
{
    snprintf(ret_path, REFERENCE_PATH_BYTES, "%s/reference.gwex", step->directory);
}

static gw_status read_dataset(struct gw_retrain_step *step, gw_err *err)
{
    char reference_path[REFERENCE_PATH_BYTES];
    struct gw_bundle *champion = NULL;
    name_reference(step, reference_path);
    gw_retrain_remove_tree(step->directory);
    GW_TRY(gw_retrain_make_directory(step->directory, err));
    GW_TRY(gw_retrain_load_version(step, step->manifest->champion_digest, &champion, err));
    const struct gw_retrain_dataset_options options = {.runtime = step->self->runtime,
                                                       .manifest = step->manifest,
                                                       .champion = gw_bundle_info(champion),
                                                       .train_path = step->train_path,
                                                       .gate_path = step->gate_path,
                                                       .reference_path = reference_path,
                                                       .stop = stop_reading,
                                                       .context = step};
    gw_status status = gw_retrain_dataset_build(&options, &step->claim->dataset, err);
    gw_bundle_unref(champion);
    step->claim->has_rows = status == GW_OK;
    return status;
}

// Each of them gives a verdict when the data set is not to be learned from.

static bool is_small(const struct gw_retrain_step *step, char ret_verdict[VERDICT_BYTES])
{
    const struct gw_retrain_dataset *dataset = &step->claim->dataset;
    uint64_t rows_min = gw_config_u64(step->self->runtime->config, GW_OPT_RETRAIN_ROWS_MIN);
    snprintf(ret_verdict, VERDICT_BYTES,
             "%" PRIu64 " examples of the champion's layout, fewer than %" PRIu64 " (retrain.rows_min); %" PRIu64
             " could not be used",
             dataset->rows, rows_min, dataset->unusable);
    return dataset->rows < rows_min;
}

static gw_status are_broken(const struct gw_retrain_step *step, bool *ret_broken, char ret_verdict[VERDICT_BYTES],
                            gw_err *err)
{
    const struct gw_runtime *runtime = step->self->runtime;
    const struct gw_retrain_dataset *dataset = &step->claim->dataset;
    const char *by_hand = runtime->defs[GW_TOPIC_RETRAIN_REQUESTS]->name;
    const struct gw_retrain_labels_rules rules = {
        .by_hand = strcmp(step->run->topic, by_hand) == 0,
        .cutoff_ms = step->manifest->cutoff_ms,
        .window_ms = gw_config_duration_us(runtime->config, GW_OPT_LABEL_WINDOW) / 1000,
        .settle_ms = gw_config_duration_us(runtime->config, GW_OPT_LABEL_SETTLE) / 1000,
        .trained_rate = dataset->champion_rate};
    enum gw_retrain_labels_fault fault = gw_retrain_labels_judge(&dataset->labels, &rules, ret_verdict, VERDICT_BYTES);
    *ret_broken = fault != GW_RETRAIN_LABELS_FINE;
    if (*ret_broken) {
        struct gw_metric *broken = gw_retrain_labels_metric(runtime->metrics, fault);
        if (broken == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for metrics");
        }
        gw_metric_add(broken, 1);
        gw_log_warn("retrain.labels_broken", "run=%s model=%s fault=%s verdict='%s'", step->run->id, step->run->model,
                    gw_retrain_labels_fault_name(fault), ret_verdict);
    }
    return GW_OK;
}

static bool is_scarce(const struct gw_retrain_step *step, char ret_verdict[VERDICT_BYTES])
{
    const struct gw_retrain_dataset *dataset = &step->claim->dataset;
    uint64_t positives_min = gw_config_u64(step->self->runtime->config, GW_OPT_RETRAIN_POSITIVES_MIN);
    snprintf(ret_verdict, VERDICT_BYTES,
             "%" PRIu64 " examples of the rarer class of '%s' to learn from, fewer than %" PRIu64
             " (retrain.positives_min)",
             dataset->scarce_rows, gw_label_names[dataset->scarce_label], positives_min);
    return dataset->scarce_rows < positives_min;
}

gw_status gw_retrain_step_dataset(struct gw_retrain_step *step, gw_err *err)
{
    (void)gw_fault_hit("retrain.dataset");
    gw_status status = read_dataset(step, err);
    if (status == GW_E_INVALID) { // too few, or all of one moment
        char message[GW_ERR_MESSAGE_BYTES];
        snprintf(message, sizeof message, "%s", err->message);
        return gw_retrain_end(step, GW_RUN_REFUSED, message, err);
    }
    GW_TRY(status);
    char verdict[VERDICT_BYTES];
    bool refused = is_small(step, verdict);
    if (!refused) {
        GW_TRY(are_broken(step, &refused, verdict, err));
    }
    if (refused || is_scarce(step, verdict)) {
        return gw_retrain_end(step, GW_RUN_REFUSED, verdict, err);
    }
    const struct gw_run_change change = {.rows = (int64_t)step->claim->dataset.rows, .shadow_ms = -1};
    return gw_retrain_move(step, GW_RUN_TRAINING, &change, err);
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
    char reference_path[REFERENCE_PATH_BYTES];
    name_reference(step, reference_path);
    const struct gw_retrain_train_options options = {
        .manifest = step->manifest,
        .train_path = step->train_path,
        .reference_path = step->claim->dataset.reference_rows > 0 ? reference_path : NULL,
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
