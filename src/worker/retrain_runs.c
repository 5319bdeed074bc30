// SPDX-License-Identifier: MIT
#include "worker/retrain_runs.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/retrain_internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    TICK_MS = 50,
    LOOK_MS = 200,
    AWAY_MS = 1000,
    ARENA_LIMIT_BYTES = 64 << 20,
    SCHEDULE_US = 1000000,
};

bool gw_retrain_is_closing(const struct gw_retrain_runs *self)
{
    return atomic_load(&self->closing) || atomic_load(self->runtime->stop);
}

static void pause_ms(const struct gw_retrain_runs *self, uint64_t ms)
{
    for (uint64_t waited = 0; waited < ms && !gw_retrain_is_closing(self); waited += TICK_MS) {
        const struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
        nanosleep(&tick, NULL);
    }
}

// ---- a step ---------------------------------------------------------------------------------------------------------

static gw_status take_step(struct gw_retrain_step *step, gw_err *err)
{
    if (step->run->cancel_by[0] != '\0') {
        return gw_retrain_cancel(step, err);
    }
    if (step->run->state != GW_RUN_REQUESTED) {
        GW_TRY(gw_retrain_manifest_parse(gw_slice_text(step->run->manifest), step->manifest, err));
    }
    switch (step->run->state) {
    case GW_RUN_REQUESTED:
        return gw_retrain_step_requested(step, err);
    case GW_RUN_DATASET:
        return gw_retrain_step_dataset(step, err);
    case GW_RUN_TRAINING:
        return gw_retrain_step_training(step, err);
    case GW_RUN_GATING:
        return gw_retrain_step_gating(step, err);
    case GW_RUN_REGISTERED:
        return gw_retrain_step_registered(step, err);
    case GW_RUN_SHADOW:
        return gw_retrain_step_shadow(step, err);
    case GW_RUN_CANARY:
        return gw_retrain_step_canary(step, err);
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

static void drive(struct gw_retrain_step *step)
{
    gw_err err = {0};
    gw_status status = take_step(step, &err);
    if (status == GW_OK) {
        return;
    }
    gw_log_warn("retrain.step_failed", "run=%s state=%s status=%s reason='%s'", step->run->id,
                gw_run_state_name(step->run->state), gw_status_name(status), err.message);
    if (status == GW_E_STALE && step->run->state != GW_RUN_SHADOW && step->run->state != GW_RUN_CANARY) {
        *step->claim = (struct gw_retrain_claim){.id = ""}; // somebody else's by now
    }
    if (is_passing(status) || gw_retrain_is_closing(step->self)) {
        pause_ms(step->self, status == GW_E_ABORTED ? 0 : AWAY_MS);
        return;
    }
    char verdict[GW_ERR_MESSAGE_BYTES];
    snprintf(verdict, sizeof verdict, "%s", err.message);
    if (gw_retrain_fail(step, verdict, &err) != GW_OK) {
        gw_log_warn("retrain.not_recorded", "run=%s reason='%s'", step->claim->id, err.message);
    }
}

static void name_files(struct gw_retrain_step *step)
{
    snprintf(step->directory, sizeof step->directory, "%s/%s", step->self->directory, step->run->id);
    snprintf(step->train_path, sizeof step->train_path, "%s/train.gwex", step->directory);
    snprintf(step->gate_path, sizeof step->gate_path, "%s/gate.gwex", step->directory);
    snprintf(step->bundle_path, sizeof step->bundle_path, "%s/bundle", step->directory);
    snprintf(step->log_path, sizeof step->log_path, "%s/train.log", step->directory);
}

// ---- looking --------------------------------------------------------------------------------------------------------

static struct gw_retrain_claim *find_claim(struct gw_retrain_runs *self, const char *id)
{
    struct gw_retrain_claim *unused = NULL;
    for (size_t i = 0; i < GW_RETRAIN_CLAIMS_MAX; i++) {
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
    struct gw_retrain_claim *claim = find_claim(self, id);
    if (claim == NULL) {
        return GW_OK; // more models at once than there is room for: in a later round
    }
    gw_arena_clear(&self->arena);
    GW_TRY(gw_runs_get(self->registry, id, &self->arena, &run, err));
    if (claim->id[0] == '\0' || claim->attempt != run.attempt) {
        *claim = (struct gw_retrain_claim){.id = ""};
        GW_TRY(gw_runs_claim(self->registry, id, &claim->attempt, err));
        snprintf(claim->id, sizeof claim->id, "%s", id);
        gw_log_info("retrain.claimed", "run=%s model=%s state=%s attempt=%d", id, run.model,
                    gw_run_state_name(run.state), claim->attempt);
    }
    run.attempt = claim->attempt;
    struct gw_retrain_step *step = gw_mem_calloc(1, sizeof *step);
    struct gw_retrain_manifest *manifest = gw_mem_calloc(1, sizeof *manifest);
    // A step clears the arena while it watches: what it needs of the run is its own.
    struct gw_arena arena;
    gw_arena_init(&arena, 1 << 16, ARENA_LIMIT_BYTES);
    gw_status status = step == NULL || manifest == NULL ? gw_fail(err, GW_E_MEMORY, "no memory for a run")
                                                        : gw_runs_get(self->registry, id, &arena, &run, err);
    if (status == GW_OK) {
        run.attempt = claim->attempt;
        *step = (struct gw_retrain_step){.self = self, .run = &run, .claim = claim, .manifest = manifest};
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
    char ids[GW_RETRAIN_CLAIMS_MAX][GW_RUN_ID_BYTES];
    const struct gw_run *runs = NULL;
    size_t count = 0;
    gw_arena_clear(&self->arena);
    GW_TRY(gw_runs_list_active(self->registry, &self->arena, &runs, &count, err));
    count = GW_MIN(count, (size_t)GW_RETRAIN_CLAIMS_MAX);
    for (size_t i = 0; i < count; i++) {
        snprintf(ids[i], sizeof ids[i], "%s", runs[i].id);
    }
    for (size_t i = 0; i < count && !gw_retrain_is_closing(self); i++) {
        gw_status status = take_run(self, ids[i], err);
        if (status != GW_OK && status != GW_E_STALE) {
            return status;
        }
    }
    return GW_OK;
}

// One request a model and span of retrain.interval: the span's number is its offset, so that whoever asks again asks
// for the same run.
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
    GW_TRY(gw_runs_lock(self->registry, GW_RUNS_LOCK_RUNS, &held, err));
    if (!held) {
        return GW_OK; // another worker drives them
    }
    GW_TRY(ask_by_schedule(self, err));
    return look_at_runs(self, err);
}

static void *run(void *argument)
{
    struct gw_retrain_runs *self = argument;
    while (!gw_retrain_is_closing(self)) {
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
            self->ended[i] = gw_metrics_counter(metrics, "godwit_retrain_runs_total", label,
                                                "Runs that this worker brought to an end.");
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
    snprintf(self->directory, sizeof self->directory, "%s/retrain-%s",
             gw_config_text(config, GW_OPT_WORKER_STATE_DIRECTORY), self->runtime->instance);
    self->cache = gw_config_text(config, GW_OPT_SCORE_MODEL_DIRECTORY);
    gw_retrain_remove_tree(self->directory); // what a killed process has left
    GW_TRY(gw_retrain_make_directory(self->directory, err));
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
