// SPDX-License-Identifier: MIT
#include "worker/retrain_runs.h"

#include "base/clock.h"
#include "base/faults.h"
#include "base/log.h"
#include "base/mem.h"
#include "label/bits.h"
#include "registry/artefacts.h"
#include "registry/runs.h"
#include "registry/views.h"
#include "worker/relay_options.h"
#include "worker/retrain_dataset.h"
#include "worker/retrain_gate.h"
#include "worker/retrain_manifest.h"
#include "worker/retrain_train.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

enum {
    TICK_MS = 50,
    LOOK_MS = 200,
    AWAY_MS = 1000,
    CLAIMS_MAX = 64,
    TRAININGS_MAX = 5, // of one run: kills and crashes, not rounds
    PATH_BYTES = 4096,
    ARENA_LIMIT_BYTES = 64 << 20,
    SCHEDULE_US = 1000000,
};

#define ACTOR "retrain"

// A run that this process drives.
struct claim {
    char id[GW_RUN_ID_BYTES]; // "" free
    int32_t attempt;
    bool has_files; // data set and bundle in its directory are of this claim
    struct gw_retrain_dataset dataset;
};

struct gw_retrain_runs {
    const struct gw_runtime *runtime;
    struct gw_registry_settings settings;
    struct gw_registry *registry;
    struct gw_kafka_consumer *consumer; // for offsets only
    char directory[PATH_BYTES / 2];
    const char *cache; // of artefacts
    struct gw_arena arena;
    struct claim claims[CLAIMS_MAX];
    struct gw_metric *ended[GW_RUN_STATE_COUNT];
    struct gw_metric *training;
    uint64_t schedule_at_us;
    bool away; // said so
    atomic_bool closing;
    pthread_t thread;
    bool started;
};

// One step of one run.
struct step {
    struct gw_retrain_runs *self;
    struct gw_run *run; // as it was looked at; attempt is the claim's
    struct claim *claim;
    struct gw_retrain_manifest *manifest; // on the heap: it is large
    char directory[PATH_BYTES];
    char train_path[PATH_BYTES + 16];
    char gate_path[PATH_BYTES + 16];
    char bundle_path[PATH_BYTES + 16];
    char log_path[PATH_BYTES + 16];
};

static bool is_closing(const struct gw_retrain_runs *self)
{
    return atomic_load(&self->closing) || atomic_load(self->runtime->stop);
}

static void pause_ms(const struct gw_retrain_runs *self, uint64_t ms)
{
    for (uint64_t waited = 0; waited < ms && !is_closing(self); waited += TICK_MS) {
        const struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
        nanosleep(&tick, NULL);
    }
}

// ---- files ----------------------------------------------------------------------------------------------------------

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void remove_tree(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static gw_status make_directory(const char *path, gw_err *err)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return gw_fail(err, GW_E_IO, "cannot make '%.200s': %s", path, strerror(errno));
    }
    return GW_OK;
}

static void name_files(struct step *step)
{
    snprintf(step->directory, sizeof step->directory, "%s/%s", step->self->directory, step->run->id);
    snprintf(step->train_path, sizeof step->train_path, "%s/train.gwex", step->directory);
    snprintf(step->gate_path, sizeof step->gate_path, "%s/gate.gwex", step->directory);
    snprintf(step->bundle_path, sizeof step->bundle_path, "%s/bundle", step->directory);
    snprintf(step->log_path, sizeof step->log_path, "%s/train.log", step->directory);
}

// ---- moves ----------------------------------------------------------------------------------------------------------

static gw_status move(struct step *step, enum gw_run_state state, const struct gw_run_change *change, gw_err *err)
{
    struct gw_retrain_runs *self = step->self;
    GW_TRY(gw_runs_move(self->registry, step->run, state, change, err));
    gw_log_info("retrain.moved", "run=%s model=%s from=%s to=%s verdict='%s'", step->run->id, step->run->model,
                gw_run_state_name(step->run->state), gw_run_state_name(state),
                change->verdict != NULL ? change->verdict : "");
    step->run->state = state;
    if (!gw_run_state_is_active(state)) {
        gw_metric_add(self->ended[state], 1);
        remove_tree(step->directory);
        *step->claim = (struct claim){.id = ""};
    }
    return GW_OK;
}

static gw_status end_run(struct step *step, enum gw_run_state state, const char *verdict, gw_err *err)
{
    const struct gw_run_change change = {.verdict = verdict, .shadow_ms = -1};
    return move(step, state, &change, err);
}

// ---- REQUESTED ------------------------------------------------------------------------------------------------------

static gw_status load_version(struct step *step, const char *digest, struct gw_bundle **ret_bundle, gw_err *err)
{
    char path[PATH_BYTES];
    GW_TRY(gw_artefacts_fetch(step->self->registry, step->self->cache, digest, path, sizeof path, err));
    gw_status status = gw_bundle_load(path, ret_bundle, err);
    if (status == GW_E_MISMATCH || status == GW_E_MALFORMED || status == GW_E_NOT_FOUND) {
        gw_artefacts_forget(step->self->cache, digest); // a damaged cache; the next attempt fetches it anew
        return gw_fail(err, GW_E_BEHIND, "the champion's cached artefact is damaged");
    }
    return status;
}

static gw_status find_champion(struct step *step, struct gw_registry_version *ret_champion, gw_err *err)
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

static gw_status write_manifest(struct step *step, const struct gw_registry_version *champion,
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
    return move(step, GW_RUN_DATASET, &change, err);
}

static gw_status step_requested(struct step *step, gw_err *err)
{
    struct gw_registry_version champion;
    struct gw_bundle *bundle = NULL;
    GW_TRY(find_champion(step, &champion, err));
    if (champion.version == 0) {
        return end_run(step, GW_RUN_REFUSED,
                       "the model has no champion, so nothing says which features to learn from: promote a version",
                       err);
    }
    GW_TRY(load_version(step, champion.digest, &bundle, err));
    gw_status status = write_manifest(step, &champion, bundle, err);
    gw_bundle_unref(bundle);
    return status;
}

// ---- DATASET --------------------------------------------------------------------------------------------------------

// The run as others may have changed it meanwhile: GW_E_ABORTED to end what is under way.
static gw_status watch(void *context, gw_err *err)
{
    struct step *step = context;
    struct gw_run now;
    if (is_closing(step->self)) {
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

static gw_status read_dataset(struct step *step, gw_err *err)
{
    struct gw_bundle *champion = NULL;
    remove_tree(step->directory);
    GW_TRY(make_directory(step->directory, err));
    GW_TRY(load_version(step, step->manifest->champion_digest, &champion, err));
    const struct gw_retrain_dataset_options options = {.runtime = step->self->runtime,
                                                       .manifest = step->manifest,
                                                       .champion = gw_bundle_info(champion),
                                                       .train_path = step->train_path,
                                                       .gate_path = step->gate_path,
                                                       .stop = stop_reading,
                                                       .context = step};
    gw_status status = gw_retrain_dataset_build(&options, &step->claim->dataset, err);
    gw_bundle_unref(champion);
    step->claim->has_files = status == GW_OK;
    return status;
}

static gw_status refuse_small(struct step *step, const struct gw_retrain_dataset *dataset, bool *ret_refused,
                              gw_err *err)
{
    const struct gw_config *config = step->self->runtime->config;
    uint64_t rows_min = gw_config_u64(config, GW_OPT_RETRAIN_ROWS_MIN);
    uint64_t positives_min = gw_config_u64(config, GW_OPT_RETRAIN_POSITIVES_MIN);
    char verdict[300];
    *ret_refused = dataset->rows < rows_min || dataset->scarce_rows < positives_min;
    if (dataset->rows < rows_min) {
        snprintf(verdict, sizeof verdict,
                 "%" PRIu64 " examples of the champion's layout, fewer than %" PRIu64
                 " (retrain.rows_min); %" PRIu64 " could not be used",
                 dataset->rows, rows_min, dataset->unusable);
    } else {
        snprintf(verdict, sizeof verdict,
                 "%" PRIu64 " examples of the rarer class of '%s' to learn from, fewer than %" PRIu64
                 " (retrain.positives_min)",
                 dataset->scarce_rows, gw_label_names[dataset->scarce_label], positives_min);
    }
    return *ret_refused ? end_run(step, GW_RUN_REFUSED, verdict, err) : GW_OK;
}

static gw_status step_dataset(struct step *step, gw_err *err)
{
    bool refused = false;
    (void)gw_fault_hit("retrain.dataset");
    gw_status status = read_dataset(step, err);
    if (status == GW_E_INVALID) { // too few, or all of one moment
        char verdict[GW_ERR_MESSAGE_BYTES];
        snprintf(verdict, sizeof verdict, "%s", err->message);
        return end_run(step, GW_RUN_REFUSED, verdict, err);
    }
    GW_TRY(status);
    GW_TRY(refuse_small(step, &step->claim->dataset, &refused, err));
    const struct gw_run_change change = {.rows = (int64_t)step->claim->dataset.rows, .shadow_ms = -1};
    return refused ? GW_OK : move(step, GW_RUN_TRAINING, &change, err);
}

// ---- TRAINING -------------------------------------------------------------------------------------------------------

static gw_status note_round(void *context, const char *head, int32_t round, double log_loss, gw_err *err)
{
    struct step *step = context;
    const struct gw_run_point point = {.head = head, .round = round, .log_loss = log_loss};
    gw_status status = gw_runs_add_point(step->self->registry, step->run, &point, err);
    (void)gw_fault_hit("retrain.training");
    return gw_status_class(status) == GW_CLASS_RETRY ? GW_OK : status; // a point is not worth a training
}

static gw_status train(struct step *step, char ret_digest[GW_BUNDLE_DIGEST_BYTES], gw_err *err)
{
    const struct gw_config *config = step->self->runtime->config;
    int32_t trainings = 0;
    if (!step->claim->has_files) {
        GW_TRY(read_dataset(step, err));
    }
    remove_tree(step->bundle_path);
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
    return status;
}

static gw_status step_training(struct step *step, gw_err *err)
{
    char digest[GW_BUNDLE_DIGEST_BYTES] = "";
    gw_status status = train(step, digest, err);
    if (status == GW_E_TIMEOUT && err->status == GW_E_TIMEOUT && strstr(err->message, "time_limit") != NULL) {
        return gw_fail(err, GW_E_INVALID, "the training took longer than retrain.time_limit");
    }
    GW_TRY(status);
    const struct gw_run_change change = {.digest = digest, .shadow_ms = -1};
    return move(step, GW_RUN_GATING, &change, err);
}

// ---- GATING ---------------------------------------------------------------------------------------------------------

// After a restart data set and bundle are made again: they must be what they were.
static gw_status make_files_again(struct step *step, gw_err *err)
{
    char digest[GW_BUNDLE_DIGEST_BYTES] = "";
    GW_TRY(train(step, digest, err));
    if (strcmp(digest, step->run->digest) != 0) {
        return gw_fail(err, GW_E_INVALID, "not reproducible: trained again, the bundle is %.12s and not %.12s", digest,
                       step->run->digest);
    }
    return GW_OK;
}

static gw_status write_lineage(const struct step *step, struct gw_buf *out, gw_err *err)
{
    struct gw_json_writer to;
    gw_json_writer_init(&to, out);
    gw_json_object_begin(&to);
    gw_json_write_key(&to, "run");
    gw_json_write_text(&to, step->run->id);
    gw_json_write_key(&to, "reason");
    gw_json_write_text(&to, step->run->reason);
    gw_json_write_key(&to, "parentVersion");
    gw_json_write_i64(&to, step->manifest->champion_version);
    gw_json_write_key(&to, "codeRevision");
    gw_json_write_text(&to, GW_VERSION);
    gw_json_write_key(&to, "manifestHash");
    gw_json_write_text(&to, step->run->manifest_hash);
    gw_json_write_key(&to, "manifest");
    gw_json_write_raw(&to, gw_slice_text(step->run->manifest));
    gw_json_object_end(&to);
    GW_TRY(gw_json_writer_finish(&to, err));
    return gw_buf_append(out, "", 1) == GW_OK ? GW_OK : gw_fail(err, GW_E_MEMORY, "no memory for the lineage");
}

// {"gate": ..., "training": what the trainer measured}
static gw_status write_metrics(const struct gw_bundle *candidate, const struct gw_retrain_verdict *verdict,
                               struct gw_buf *out, gw_err *err)
{
    struct gw_json_writer to;
    gw_json_writer_init(&to, out);
    gw_json_object_begin(&to);
    gw_json_write_key(&to, "gate");
    gw_json_write_raw(&to, gw_buf_slice(&verdict->json));
    gw_json_write_key(&to, "training");
    gw_json_write_raw(&to, gw_slice_text(gw_bundle_info(candidate)->metadata_json));
    gw_json_object_end(&to);
    GW_TRY(gw_json_writer_finish(&to, err));
    return gw_buf_append(out, "", 1) == GW_OK ? GW_OK : gw_fail(err, GW_E_MEMORY, "no memory for the metrics");
}

static gw_status register_candidate(struct step *step, const struct gw_bundle *candidate,
                                    const struct gw_retrain_verdict *verdict, int32_t *ret_version, gw_err *err)
{
    GW_CLEANUP(gw_buf_deinit) struct gw_buf lineage = {0};
    GW_CLEANUP(gw_buf_deinit) struct gw_buf metrics = {0};
    char key[GW_RUN_ID_BYTES + 16];
    struct gw_registry_outcome outcome = {0};
    GW_TRY(write_lineage(step, &lineage, err));
    GW_TRY(write_metrics(candidate, verdict, &metrics, err));
    snprintf(key, sizeof key, "register:%s", step->run->id);
    const struct gw_registry_register request = {.model = step->run->model,
                                                 .directory = step->bundle_path,
                                                 .description = "retrained",
                                                 .parent_version = step->manifest->champion_version,
                                                 .features = step->self->runtime->features,
                                                 .metrics_json = (const char *)metrics.data,
                                                 .lineage_json = (const char *)lineage.data};
    const struct gw_registry_change change = {.actor = ACTOR, .reason = step->run->reason, .idempotency_key = key};
    GW_TRY(gw_registry_register(step->self->registry, &request, &change, &outcome, err));
    *ret_version = outcome.version;
    return GW_OK;
}

static gw_status act_on_verdict(struct step *step, const struct gw_bundle *candidate,
                                const struct gw_retrain_verdict *verdict, gw_err *err)
{
    struct gw_run_change change = {
        .verdict = verdict->reason, .gate_json = (const char *)verdict->json.data, .shadow_ms = -1};
    if (!verdict->passed) {
        return move(step, GW_RUN_REFUSED, &change, err);
    }
    GW_TRY(register_candidate(step, candidate, verdict, &change.version, err));
    (void)gw_fault_hit("retrain.registered");
    return move(step, GW_RUN_REGISTERED, &change, err);
}

static gw_status compare(struct step *step, struct gw_bundle *candidate, struct gw_bundle *champion, gw_err *err)
{
    const struct gw_config *config = step->self->runtime->config;
    struct gw_retrain_verdict verdict = {.reason = ""};
    const struct gw_retrain_gate_options options = {.candidate = candidate,
                                                    .champion = champion,
                                                    .gate_path = step->gate_path,
                                                    .train_rate = step->claim->dataset.train_rate,
                                                    .weight_max = step->claim->dataset.gate_weight_max,
                                                    .margin = gw_config_double(config, GW_OPT_RETRAIN_MARGIN),
                                                    .alpha = gw_config_double(config, GW_OPT_RETRAIN_ALPHA)};
    GW_TRY(gw_retrain_gate(&options, &verdict, err));
    gw_status status = act_on_verdict(step, candidate, &verdict, err);
    gw_buf_deinit(&verdict.json);
    return status;
}

static gw_status step_gating(struct step *step, gw_err *err)
{
    struct gw_bundle *candidate = NULL;
    struct gw_bundle *champion = NULL;
    (void)gw_fault_hit("retrain.gating");
    if (!step->claim->has_files) {
        GW_TRY(make_files_again(step, err));
    }
    GW_TRY(gw_bundle_load(step->bundle_path, &candidate, err));
    gw_status status = load_version(step, step->manifest->champion_digest, &champion, err);
    if (status == GW_OK && strcmp(gw_bundle_info(candidate)->digest, step->manifest->champion_digest) == 0) {
        status = end_run(step, GW_RUN_REFUSED, "the candidate is the champion, byte by byte", err);
    } else if (status == GW_OK) {
        status = compare(step, candidate, champion, err);
    }
    gw_bundle_unref(candidate);
    gw_bundle_unref(champion);
    return status;
}

// ---- REGISTERED, SHADOW ---------------------------------------------------------------------------------------------

static gw_status step_registered(struct step *step, gw_err *err)
{
    char key[GW_RUN_ID_BYTES + 16];
    struct gw_registry_outcome outcome = {0};
    int64_t shadow_ms = gw_config_duration_us(step->self->runtime->config, GW_OPT_RETRAIN_SHADOW) / 1000;
    snprintf(key, sizeof key, "shadow:%s", step->run->id);
    const struct gw_registry_change change = {.actor = ACTOR, .reason = step->run->id, .idempotency_key = key};
    if (shadow_ms > 0) {
        GW_TRY(gw_registry_shadow(step->self->registry, step->run->model, step->run->version, true, &change, &outcome,
                                  err));
    }
    const struct gw_run_change moved = {.shadow_ms = shadow_ms};
    return move(step, GW_RUN_SHADOW, &moved, err);
}

static gw_status promote(struct step *step, const struct gw_registry_model *model, gw_err *err)
{
    char key[GW_RUN_ID_BYTES + 16];
    char reason[GW_RUN_TEXT_BYTES];
    char verdict[GW_RUN_TEXT_BYTES];
    struct gw_registry_outcome outcome = {0};
    snprintf(key, sizeof key, "promote:%s", step->run->id);
    snprintf(reason, sizeof reason, "run %s passed its gate (%.600s)", step->run->id, step->run->reason);
    snprintf(verdict, sizeof verdict, "version %d promoted; %.900s", step->run->version, step->run->verdict);
    const struct gw_registry_change change = {
        .actor = ACTOR, .reason = reason, .if_revision = model->revision, .idempotency_key = key};
    GW_TRY(gw_registry_promote(step->self->registry, step->run->model, step->run->version, &change, &outcome, err));
    (void)gw_fault_hit("retrain.promoted");
    return end_run(step, GW_RUN_PROMOTED, verdict, err);
}

// Ends the shadow as far as there is one.
static gw_status withdraw(struct step *step, gw_err *err)
{
    struct gw_registry_version version;
    struct gw_registry_outcome outcome = {0};
    const struct gw_registry_change change = {.actor = ACTOR, .reason = step->run->id};
    if (step->run->version == 0) {
        return GW_OK;
    }
    GW_TRY(gw_registry_get_version(step->self->registry, step->run->model, step->run->version, &step->self->arena,
                                   &version, err));
    return version.state == GW_ROLLOUT_SHADOW
               ? gw_registry_shadow(step->self->registry, step->run->model, step->run->version, false, &change,
                                    &outcome, err)
               : GW_OK;
}

static gw_status step_shadow(struct step *step, gw_err *err)
{
    struct gw_registry_model model;
    struct gw_registry_version version;
    struct gw_retrain_runs *self = step->self;
    char verdict[GW_RUN_TEXT_BYTES];
    bool over = false;
    GW_TRY(gw_registry_get_model(self->registry, step->run->model, &self->arena, &model, err));
    GW_TRY(gw_registry_get_version(self->registry, step->run->model, step->run->version, &self->arena, &version, err));
    if (model.champion == step->run->version) { // promoted before a kill, or by hand
        snprintf(verdict, sizeof verdict, "version %d promoted; %.900s", step->run->version, step->run->verdict);
        return end_run(step, GW_RUN_PROMOTED, verdict, err);
    }
    if (version.state == GW_ROLLOUT_REJECTED) {
        snprintf(verdict, sizeof verdict, "version %d was rejected: %.900s", version.version, version.rejected_because);
        return end_run(step, GW_RUN_REFUSED, verdict, err);
    }
    if (model.champion != step->run->parent_version) {
        snprintf(verdict, sizeof verdict, "compared with version %d, but the champion is version %d by now",
                 step->run->parent_version, model.champion);
        GW_TRY(withdraw(step, err));
        return end_run(step, GW_RUN_REFUSED, verdict, err);
    }
    GW_TRY(gw_runs_shadow_is_over(self->registry, step->run->id, &over, err));
    return over ? promote(step, &model, err) : GW_OK;
}

// ---- a step ---------------------------------------------------------------------------------------------------------

static gw_status cancel(struct step *step, gw_err *err)
{
    char verdict[200];
    snprintf(verdict, sizeof verdict, "cancelled by %.128s", step->run->cancel_by);
    GW_TRY(withdraw(step, err));
    return end_run(step, GW_RUN_CANCELLED, verdict, err);
}

static gw_status take_step(struct step *step, gw_err *err)
{
    if (step->run->cancel_by[0] != '\0') {
        return cancel(step, err);
    }
    if (step->run->state != GW_RUN_REQUESTED) {
        GW_TRY(gw_retrain_manifest_parse(gw_slice_text(step->run->manifest), step->manifest, err));
    }
    switch (step->run->state) {
    case GW_RUN_REQUESTED:
        return step_requested(step, err);
    case GW_RUN_DATASET:
        return step_dataset(step, err);
    case GW_RUN_TRAINING:
        return step_training(step, err);
    case GW_RUN_GATING:
        return step_gating(step, err);
    case GW_RUN_REGISTERED:
        return step_registered(step, err);
    case GW_RUN_SHADOW:
        return step_shadow(step, err);
    case GW_RUN_PROMOTED:
    case GW_RUN_REFUSED:
    case GW_RUN_FAILED:
    case GW_RUN_CANCELLED:
    case GW_RUN_STATE_COUNT:
        break;
    }
    return GW_OK;
}

// What the next look repairs by itself.
static bool is_passing(gw_status status)
{
    return status == GW_E_STALE || status == GW_E_ABORTED || gw_status_class(status) == GW_CLASS_RETRY;
}

static void drive(struct step *step)
{
    gw_err err = {0};
    gw_status status = take_step(step, &err);
    if (status == GW_OK) {
        return;
    }
    gw_log_warn("retrain.step_failed", "run=%s state=%s status=%s reason='%s'", step->run->id,
                gw_run_state_name(step->run->state), gw_status_name(status), err.message);
    if (status == GW_E_STALE && step->run->state != GW_RUN_SHADOW) {
        *step->claim = (struct claim){.id = ""}; // somebody else's by now
    }
    if (is_passing(status) || is_closing(step->self)) {
        pause_ms(step->self, status == GW_E_ABORTED ? 0 : AWAY_MS);
        return;
    }
    char verdict[GW_ERR_MESSAGE_BYTES];
    snprintf(verdict, sizeof verdict, "%s", err.message);
    if (end_run(step, GW_RUN_FAILED, verdict, &err) != GW_OK) {
        gw_log_warn("retrain.not_recorded", "run=%s reason='%s'", step->claim->id, err.message);
    }
}

// ---- looking --------------------------------------------------------------------------------------------------------

static struct claim *find_claim(struct gw_retrain_runs *self, const char *id)
{
    struct claim *unused = NULL;
    for (size_t i = 0; i < CLAIMS_MAX; i++) {
        if (strcmp(self->claims[i].id, id) == 0) {
            return &self->claims[i];
        }
        unused = unused == NULL && self->claims[i].id[0] == '\0' ? &self->claims[i] : unused;
    }
    return unused;
}

static gw_status take_run(struct gw_retrain_runs *self, const char *id, gw_err *err)
{
    struct gw_run run;
    struct claim *claim = find_claim(self, id);
    if (claim == NULL) {
        return GW_OK; // more models at once than there is room for: in a later round
    }
    gw_arena_clear(&self->arena);
    GW_TRY(gw_runs_get(self->registry, id, &self->arena, &run, err));
    if (claim->id[0] == '\0' || claim->attempt != run.attempt) {
        *claim = (struct claim){.id = ""};
        GW_TRY(gw_runs_claim(self->registry, id, &claim->attempt, err));
        snprintf(claim->id, sizeof claim->id, "%s", id);
        gw_log_info("retrain.claimed", "run=%s model=%s state=%s attempt=%d", id, run.model,
                    gw_run_state_name(run.state), claim->attempt);
    }
    run.attempt = claim->attempt;
    struct step *step = gw_mem_calloc(1, sizeof *step);
    struct gw_retrain_manifest *manifest = gw_mem_calloc(1, sizeof *manifest);
    // A step clears the arena while it watches: what it needs of the run is its own.
    struct gw_arena arena;
    gw_arena_init(&arena, 1 << 16, ARENA_LIMIT_BYTES);
    gw_status status = step == NULL || manifest == NULL ? gw_fail(err, GW_E_MEMORY, "no memory for a run")
                                                        : gw_runs_get(self->registry, id, &arena, &run, err);
    if (status == GW_OK) {
        run.attempt = claim->attempt;
        *step = (struct step){.self = self, .run = &run, .claim = claim, .manifest = manifest};
        name_files(step);
        drive(step);
    }
    gw_arena_deinit(&arena);
    gw_mem_free(manifest);
    gw_mem_free(step);
    return status;
}

static gw_status look_at_runs(struct gw_retrain_runs *self, gw_err *err)
{
    char ids[CLAIMS_MAX][GW_RUN_ID_BYTES];
    const struct gw_run *runs = NULL;
    size_t count = 0;
    gw_arena_clear(&self->arena);
    GW_TRY(gw_runs_list_active(self->registry, &self->arena, &runs, &count, err));
    count = GW_MIN(count, (size_t)CLAIMS_MAX);
    for (size_t i = 0; i < count; i++) {
        snprintf(ids[i], sizeof ids[i], "%s", runs[i].id);
    }
    for (size_t i = 0; i < count && !is_closing(self); i++) {
        gw_status status = take_run(self, ids[i], err);
        if (status != GW_OK && status != GW_E_STALE) {
            return status;
        }
    }
    return GW_OK;
}

// One request a model and span of retrain.interval: the span's number is its offset, so that whoever asks again asks for
// the same run.
static gw_status ask_by_schedule(struct gw_retrain_runs *self, gw_err *err)
{
    const struct gw_config *config = self->runtime->config;
    int64_t interval_ms = gw_config_duration_us(config, GW_OPT_RETRAIN_INTERVAL) / 1000;
    const struct gw_registry_version *champions = NULL;
    size_t count = 0;
    if (interval_ms == 0 || gw_clock_mono_us() < self->schedule_at_us) {
        return GW_OK;
    }
    self->schedule_at_us = gw_clock_mono_us() + SCHEDULE_US;
    gw_arena_clear(&self->arena);
    GW_TRY(gw_registry_champions(self->registry, &self->arena, &champions, &count, err));
    const struct gw_run_rules rules = {.enabled = gw_config_bool(config, GW_OPT_RETRAIN_ENABLED),
                                       .cooldown_s = gw_config_duration_us(config, GW_OPT_RETRAIN_COOLDOWN) / 1000000};
    for (size_t i = 0; i < count; i++) {
        char topic[GW_ROUTE_NAME_BYTES + 16];
        struct gw_run run;
        int64_t now_ms = gw_clock_wall_ms();
        snprintf(topic, sizeof topic, "schedule.%s", champions[i].model);
        const struct gw_run_request request = {.topic = topic,
                                               .offset = now_ms / interval_ms,
                                               .model = champions[i].model,
                                               .reason = "schedule (retrain.interval)",
                                               .actor = "schedule",
                                               .requested_ms = now_ms};
        GW_TRY(gw_runs_ask(self->registry, &request, &rules, &self->arena, &run, err));
    }
    return GW_OK;
}

static gw_status look(struct gw_retrain_runs *self, gw_err *err)
{
    bool held = false;
    GW_TRY(gw_runs_lock(self->registry, &held, err));
    if (!held) {
        return GW_OK; // another worker drives them
    }
    GW_TRY(ask_by_schedule(self, err));
    return look_at_runs(self, err);
}

static void *run(void *argument)
{
    struct gw_retrain_runs *self = argument;
    while (!is_closing(self)) {
        gw_err err = {0};
        gw_status status = look(self, &err);
        if (status != GW_OK && !self->away) {
            gw_log_warn("retrain.cannot_look", "status=%s reason='%s'", gw_status_name(status), err.message);
        }
        self->away = status != GW_OK;
        pause_ms(self, status == GW_OK ? LOOK_MS : AWAY_MS);
    }
    return NULL;
}

// ---- life -----------------------------------------------------------------------------------------------------------

static gw_status make_metrics(struct gw_retrain_runs *self, gw_err *err)
{
    struct gw_metrics *metrics = self->runtime->metrics;
    bool made = true;
    for (int i = 0; i < GW_RUN_STATE_COUNT; i++) {
        if (!gw_run_state_is_active((enum gw_run_state)i)) {
            char label[48];
            snprintf(label, sizeof label, "state=\"%s\"", gw_run_state_name((enum gw_run_state)i));
            self->ended[i] =
                gw_metrics_counter(metrics, "godwit_retrain_runs_total", label, "Runs that this worker brought to an end.");
            made = made && self->ended[i] != NULL;
        }
    }
    self->training = gw_metrics_gauge(metrics, "godwit_retrain_training", "", "1 while the trainer runs.");
    return made && self->training != NULL ? GW_OK : gw_fail(err, GW_E_MEMORY, "no memory for metrics");
}

static gw_status start(struct gw_retrain_runs *self, gw_err *err)
{
    const struct gw_config *config = self->runtime->config;
    const struct gw_kafka_consumer_options consumer = {.client = &self->runtime->kafka};
    snprintf(self->directory, sizeof self->directory, "%s/retrain",
             gw_config_text(config, GW_OPT_WORKER_STATE_DIRECTORY));
    self->cache = gw_config_text(config, GW_OPT_SCORE_MODEL_DIRECTORY);
    GW_TRY(make_directory(self->directory, err));
    GW_TRY(make_metrics(self, err));
    GW_TRY(gw_registry_settings_init(&self->settings, config, "godwit retrain", err));
    GW_TRY(gw_registry_new(&self->settings.options, &self->registry, err));
    GW_TRY(gw_kafka_consumer_new(&consumer, &self->consumer, err));
    int error = pthread_create(&self->thread, NULL, run, self);
    if (error != 0) {
        return gw_fail(err, GW_E_INTERNAL, "cannot start a thread: %s", strerror(error));
    }
    self->started = true;
    return GW_OK;
}

gw_status gw_retrain_runs_start(const struct gw_runtime *runtime, struct gw_retrain_runs **ret_runs, gw_err *err)
{
    struct gw_retrain_runs *self = gw_mem_calloc(1, sizeof *self);
    if (self == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for runs");
    }
    self->runtime = runtime;
    gw_arena_init(&self->arena, 1 << 16, ARENA_LIMIT_BYTES);
    gw_status status = start(self, err);
    if (status != GW_OK) {
        gw_retrain_runs_free(self);
        return status;
    }
    *ret_runs = self;
    return GW_OK;
}

void gw_retrain_runs_join(struct gw_retrain_runs *self)
{
    if (self != NULL && self->started) {
        atomic_store(&self->closing, true);
        pthread_join(self->thread, NULL);
        self->started = false;
    }
}

void gw_retrain_runs_free(struct gw_retrain_runs *self)
{
    if (self == NULL) {
        return;
    }
    gw_retrain_runs_join(self);
    gw_kafka_consumer_free(self->consumer);
    gw_registry_free(self->registry);
    gw_registry_settings_deinit(&self->settings);
    gw_arena_deinit(&self->arena);
    gw_mem_free(self);
}
