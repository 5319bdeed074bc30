// SPDX-License-Identifier: MIT
#include "worker/retrain_guard.h"

#include "base/clock.h"
#include "base/faults.h"
#include "base/log.h"
#include "base/mem.h"
#include "registry/runs.h"
#include "worker/bundle_fetch.h"
#include "worker/relay_options.h"
#include "worker/retrain_guard_rows.h"
#include "worker/retrain_guard_trial.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ACTOR "retrain.guard" // in the registry's history

enum {
    MODELS_MAX = 64,   // guarded at once
    TRIALS_MAX = 32,   // at once, of all models: each holds two bundles
    EVENTS_MAX = 1000, // of a model's history: a promotion must not be further back
    TICK_MS = 50,
    LOOK_MS = 1000,
    POLL_MS = 100,
    READ_US = 1000000,  // reading in one look, so that a trial that is over is seen soon
    SLACK_MS = 10000,   // between the clocks of scorers and brokers
    GRACE_MS = 3600000, // for labels that come later than their window
    ARENA_LIMIT_BYTES = 64 << 20,
    KEY_BYTES = 200,
    REASON_BYTES = 600,
};

enum trial_state {
    TRIAL_FREE,
    TRIAL_NEW,  // not read for yet
    TRIAL_RUNS, // gets rows
    TRIAL_OVER, // cannot be held, or its verdict is spoken: stays until the route changes
};

struct trial {
    enum trial_state state;
    struct gw_retrain_duel duel;
    struct gw_retrain_trial *evidence; // NULL unless it runs
    struct gw_guard_offsets next;      // rows before these were taken, or came before the trial
    int64_t expires_ms;                // of a champion; INT64_MAX of a canary
    struct gw_metric *gauge;
};

struct model {
    char name[GW_ROUTE_NAME_BYTES]; // "" free
    int64_t revision;               // whose trials stand; 0 none yet
    bool crowded;                   // not all of them found room
};

struct gw_retrain_guard {
    const struct gw_runtime *runtime;
    struct gw_registry_settings settings;
    struct gw_registry *registry;
    const char *cache; // of artefacts
    double margin;
    double alpha;
    double weight_max;
    int64_t probation_ms;
    int64_t labels_ms; // until labels of a row are final, at most
    struct gw_arena arena;
    struct gw_guard_rows *rows; // NULL: made when there is a trial
    bool rereads;               // a trial wants rows from before where the reading is
    struct model models[MODELS_MAX];
    struct trial trials[TRIALS_MAX];
    bool crowded;                   // said so
    bool away;                      // said so
    struct gw_metric *rollbacks[2]; // champion, canary
    struct gw_metric *rows_total;
    struct gw_metric *incomparable;
    atomic_bool closing;
    pthread_t thread;
    bool started;
};

static bool is_closing(const struct gw_retrain_guard *self)
{
    return atomic_load(&self->closing) || atomic_load(self->runtime->stop);
}

static const char *kind_of(const struct gw_retrain_duel *duel)
{
    return duel->canary ? "canary" : "champion";
}

// ---- trials ---------------------------------------------------------------------------------------------------------

static void end_trial(struct trial *trial, enum trial_state state, const char *why)
{
    if (trial->state == TRIAL_NEW || trial->state == TRIAL_RUNS) {
        struct gw_retrain_trial_counts counts = {0};
        if (trial->evidence != NULL) {
            gw_retrain_trial_count(trial->evidence, &counts);
        }
        gw_log_info("retrain.guard_ends",
                    "model=%s what=%s version=%d former=%d why='%s' rows=%" PRIu64 " unusable=%" PRIu64
                    " heavy=%" PRIu64 " difference=%.6f log_evidence=%.3f",
                    trial->duel.model, kind_of(&trial->duel), trial->duel.version, trial->duel.former, why, counts.rows,
                    counts.unusable, counts.heavy, counts.difference, counts.log_evidence);
        gw_metric_set(trial->gauge, 0);
    }
    gw_retrain_trial_free(trial->evidence);
    trial->evidence = NULL;
    trial->state = state;
}

static gw_status load(struct gw_retrain_guard *self, struct trial *trial, gw_err *err)
{
    struct gw_bundle *version = NULL;
    struct gw_bundle *former = NULL;
    gw_status status = gw_bundle_fetch(self->registry, self->cache, trial->duel.digest, &version, err);
    if (status == GW_OK) {
        status = gw_bundle_fetch(self->registry, self->cache, trial->duel.former_digest, &former, err);
    }
    if (status == GW_OK) {
        const struct gw_retrain_trial_options options = {
            .duel = trial->duel,
            .until_ms = trial->duel.canary ? INT64_MAX : trial->duel.since_ms + self->probation_ms,
            .version = version,
            .former = former,
            .margin = self->margin,
            .alpha = self->alpha,
            .weight_max = self->weight_max};
        status = gw_retrain_trial_new(&options, &trial->evidence, err);
    }
    gw_bundle_unref(version);
    gw_bundle_unref(former);
    return status;
}

static gw_status make_gauge(struct gw_retrain_guard *self, struct trial *trial, gw_err *err)
{
    char labels[GW_ROUTE_NAME_BYTES + 40];
    snprintf(labels, sizeof labels, "model=\"%s\",what=\"%s\"", trial->duel.model, kind_of(&trial->duel));
    trial->gauge = gw_metrics_gauge(
        self->runtime->metrics, "godwit_retrain_guard_log_evidence", labels,
        "Natural logarithm of the evidence that a version is worse than what it replaced; ln(1 / worse_alpha) proves.");
    return trial->gauge != NULL ? GW_OK : gw_fail(err, GW_E_MEMORY, "no memory for metrics");
}

static gw_status begin_trial(struct gw_retrain_guard *self, const struct gw_retrain_duel *duel, struct trial *trial,
                             gw_err *err)
{
    struct trial begun = {.state = TRIAL_NEW, .duel = *duel, .expires_ms = INT64_MAX};
    if (!duel->canary) {
        begun.expires_ms = duel->since_ms + self->probation_ms + self->labels_ms;
        if (gw_clock_wall_ms() > begun.expires_ms) {
            return GW_OK;
        }
    }
    GW_TRY(make_gauge(self, &begun, err));
    gw_status status = load(self, &begun, err);
    if (status != GW_OK && gw_status_class(status) == GW_CLASS_RETRY) {
        return status;
    }
    if (status != GW_OK) {
        begun.state = TRIAL_OVER;
        gw_metric_add(self->incomparable, 1);
        gw_log_warn("retrain.guard_cannot_compare", "model=%s what=%s version=%d former=%d status=%s reason='%s'",
                    duel->model, kind_of(duel), duel->version, duel->former, gw_status_name(status), err->message);
    } else {
        gw_log_info("retrain.guard_begins", "model=%s what=%s version=%d former=%d since_ms=%" PRId64, duel->model,
                    kind_of(duel), duel->version, duel->former, duel->since_ms);
    }
    *trial = begun;
    return GW_OK;
}

static struct trial *find_trial(struct gw_retrain_guard *self, const struct gw_retrain_duel *duel)
{
    for (size_t i = 0; i < TRIALS_MAX; i++) {
        if (self->trials[i].state != TRIAL_FREE && gw_retrain_duel_is(&self->trials[i].duel, duel)) {
            return &self->trials[i];
        }
    }
    return NULL;
}

static struct trial *find_free(struct gw_retrain_guard *self)
{
    for (size_t i = 0; i < TRIALS_MAX; i++) {
        if (self->trials[i].state == TRIAL_FREE) {
            return &self->trials[i];
        }
    }
    if (!self->crowded) {
        self->crowded = true;
        gw_log_warn("retrain.guard_crowded", "trials=%d: further promotions stand unguarded meanwhile", TRIALS_MAX);
    }
    return NULL;
}

static bool is_among(const struct gw_retrain_duel *duel, const struct gw_retrain_duel *duels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (gw_retrain_duel_is(duel, &duels[i])) {
            return true;
        }
    }
    return false;
}

// ---- what the registry says -----------------------------------------------------------------------------------------

static gw_status plan(struct gw_retrain_guard *self, struct model *model, int64_t revision, gw_err *err)
{
    struct gw_retrain_duel duels[GW_RETRAIN_DUELS_MAX];
    const struct gw_registry_event *events = NULL;
    size_t count = 0;
    bool all = true;
    GW_TRY(gw_registry_history(self->registry, model->name, 0, EVENTS_MAX, &self->arena, &events, &count, err));
    count = gw_retrain_guard_plan(events, count, duels);
    for (size_t i = 0; i < TRIALS_MAX; i++) {
        struct trial *trial = &self->trials[i];
        if (trial->state != TRIAL_FREE && strcmp(trial->duel.model, model->name) == 0 &&
            !is_among(&trial->duel, duels, count)) {
            end_trial(trial, TRIAL_FREE, "the route changed");
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (find_trial(self, &duels[i]) == NULL) {
            struct trial *trial = find_free(self);
            all = all && trial != NULL;
            GW_TRY(trial != NULL ? begin_trial(self, &duels[i], trial, err) : GW_OK);
        }
    }
    model->revision = revision;
    model->crowded = !all;
    return GW_OK;
}

// What no later look repairs is left until the model changes, so that it holds up no other model. Trials of before must
// not judge what they do not know.
static gw_status plan_or_leave(struct gw_retrain_guard *self, struct model *model, int64_t revision, gw_err *err)
{
    gw_status status = plan(self, model, revision, err);
    if (status == GW_OK || gw_status_class(status) == GW_CLASS_RETRY) {
        return status;
    }
    gw_log_warn("retrain.guard_cannot_plan", "model=%s status=%s reason='%s'", model->name, gw_status_name(status),
                err->message);
    gw_metric_add(self->incomparable, 1);
    for (size_t i = 0; i < TRIALS_MAX; i++) {
        if (self->trials[i].state != TRIAL_FREE && strcmp(self->trials[i].duel.model, model->name) == 0) {
            end_trial(&self->trials[i], TRIAL_FREE, "the model's history cannot be read");
        }
    }
    model->revision = revision;
    model->crowded = false;
    return GW_OK;
}

static struct model *find_model(struct gw_retrain_guard *self, const char *name)
{
    struct model *unused = NULL;
    for (size_t i = 0; i < MODELS_MAX; i++) {
        struct model *model = &self->models[i];
        if (strcmp(model->name, name) == 0) {
            return model;
        }
        unused = unused == NULL && model->name[0] == '\0' ? model : unused;
    }
    if (unused != NULL) {
        snprintf(unused->name, sizeof unused->name, "%s", name);
    }
    return unused;
}

static gw_status look_at_registry(struct gw_retrain_guard *self, gw_err *err)
{
    const struct gw_registry_model *models = NULL;
    size_t count = 0;
    gw_arena_clear(&self->arena);
    GW_TRY(gw_registry_list_models(self->registry, &self->arena, &models, &count, err));
    for (size_t i = 0; i < count && !is_closing(self); i++) {
        struct model *model = models[i].champion > 0 ? find_model(self, models[i].name) : NULL;
        if (models[i].champion > 0 && model == NULL && !self->crowded) {
            self->crowded = true;
            gw_log_warn("retrain.guard_crowded", "models=%d: further ones stand unguarded", MODELS_MAX);
        }
        if (model != NULL && (model->revision != models[i].revision || model->crowded)) {
            GW_TRY(plan_or_leave(self, model, models[i].revision, err));
        }
    }
    return GW_OK;
}

static void end_expired(struct gw_retrain_guard *self)
{
    const int64_t now_ms = gw_clock_wall_ms();
    for (size_t i = 0; i < TRIALS_MAX; i++) {
        struct trial *trial = &self->trials[i];
        if (trial->state != TRIAL_FREE && now_ms > trial->expires_ms) {
            end_trial(trial, TRIAL_FREE, "the probation is over");
        }
    }
}

// ---- rows -----------------------------------------------------------------------------------------------------------

// Forgets how far the reading was, not what the trials have seen.
static void stop_reading(struct gw_retrain_guard *self)
{
    gw_guard_rows_free(self->rows);
    self->rows = NULL;
    self->rereads = true;
}

static size_t count_running(const struct gw_retrain_guard *self)
{
    size_t count = 0;
    for (size_t i = 0; i < TRIALS_MAX; i++) {
        count += self->trials[i].state == TRIAL_RUNS;
    }
    return count;
}

static gw_status admit_new(struct gw_retrain_guard *self, gw_err *err)
{
    for (size_t i = 0; i < TRIALS_MAX; i++) {
        struct trial *trial = &self->trials[i];
        if (trial->state != TRIAL_NEW) {
            continue;
        }
        if (self->rows == NULL) {
            GW_TRY(gw_guard_rows_new(self->runtime, &self->rows, err));
        }
        GW_TRY(gw_guard_rows_find(self->rows, trial->duel.since_ms - SLACK_MS, &trial->next, err));
        trial->state = TRIAL_RUNS;
        self->rereads = true;
    }
    return GW_OK;
}

// From the smallest offset that any trial wants.
static gw_status reread(struct gw_retrain_guard *self, gw_err *err)
{
    struct gw_guard_offsets from = {0};
    for (size_t i = 0; i < TRIALS_MAX; i++) {
        const struct trial *trial = &self->trials[i];
        for (size_t p = 0; trial->state == TRIAL_RUNS && p < GW_MAX(from.count, trial->next.count); p++) {
            int64_t next = p < trial->next.count ? trial->next.items[p] : 0;
            from.items[p] = p < from.count ? GW_MIN(from.items[p], next) : next;
        }
        from.count = trial->state == TRIAL_RUNS ? GW_MAX(from.count, trial->next.count) : from.count;
    }
    if (self->rows == NULL) {
        GW_TRY(gw_guard_rows_new(self->runtime, &self->rows, err));
    }
    GW_TRY(gw_guard_rows_start(self->rows, &from, err));
    self->rereads = false;
    return GW_OK;
}

static gw_status give(struct gw_retrain_guard *self, const struct gw_guard_row *row, gw_err *err)
{
    for (size_t i = 0; i < TRIALS_MAX; i++) {
        struct trial *trial = &self->trials[i];
        const size_t p = (size_t)row->partition;
        if (trial->state != TRIAL_RUNS || (p < trial->next.count && row->offset < trial->next.items[p])) {
            continue;
        }
        bool used = false;
        GW_TRY(gw_retrain_trial_add(trial->evidence, &row->example, &used, err));
        gw_metric_add(self->rows_total, used);
        if (p < trial->next.count) {
            trial->next.items[p] = row->offset + 1;
        }
    }
    return GW_OK;
}

// What was passed over is behind the trials too.
static void advance(struct gw_retrain_guard *self)
{
    const struct gw_guard_offsets *at = gw_guard_rows_at(self->rows);
    for (size_t i = 0; i < TRIALS_MAX; i++) {
        struct trial *trial = &self->trials[i];
        for (size_t p = 0; trial->state == TRIAL_RUNS && p < at->count; p++) {
            trial->next.items[p] = p < trial->next.count ? GW_MAX(trial->next.items[p], at->items[p]) : at->items[p];
        }
        trial->next.count = GW_MAX(trial->next.count, at->count);
    }
}

// Reads for a while. *ret_more: there is more at hand.
static gw_status read_rows(struct gw_retrain_guard *self, bool *ret_more, gw_err *err)
{
    const uint64_t end_us = gw_clock_mono_us() + READ_US;
    GW_TRY(admit_new(self, err));
    if (count_running(self) == 0) {
        stop_reading(self);
        return GW_OK;
    }
    if (self->rereads) {
        GW_TRY(reread(self, err));
    }
    *ret_more = true;
    while (*ret_more && gw_clock_mono_us() < end_us && !is_closing(self)) {
        struct gw_guard_row row;
        bool got = false;
        GW_TRY(gw_guard_rows_next(self->rows, POLL_MS, &row, &got, ret_more, err));
        GW_TRY(got ? give(self, &row, err) : GW_OK);
    }
    return GW_OK;
}

static gw_status follow(struct gw_retrain_guard *self, bool *ret_more, gw_err *err)
{
    *ret_more = false;
    gw_status status = read_rows(self, ret_more, err);
    if (self->rows != NULL && !self->rereads) {
        advance(self);
    }
    if (status != GW_OK && gw_status_class(status) != GW_CLASS_RETRY) {
        stop_reading(self); // begins anew behind what the trials have
    }
    return status;
}

// ---- verdicts -------------------------------------------------------------------------------------------------------

static int64_t revision_of(struct gw_retrain_guard *self, const char *name)
{
    for (size_t i = 0; i < MODELS_MAX; i++) {
        if (strcmp(self->models[i].name, name) == 0) {
            return self->models[i].revision;
        }
    }
    return 0;
}

// A canary's share goes back to the champion in the same transaction.
static gw_status take_back(struct gw_retrain_guard *self, struct trial *trial, gw_err *err)
{
    char reason[REASON_BYTES];
    char key[KEY_BYTES];
    struct gw_registry_outcome outcome = {0};
    const struct gw_retrain_duel *duel = &trial->duel;
    gw_retrain_trial_say(trial->evidence, reason, sizeof reason);
    snprintf(key, sizeof key, "guard:%s:%" PRId64, duel->model, duel->sequence);
    const struct gw_registry_change change = {
        .actor = ACTOR, .reason = reason, .if_revision = revision_of(self, duel->model), .idempotency_key = key};
    (void)gw_fault_hit("retrain.guard");
    if (duel->canary) {
        GW_TRY(gw_registry_reject(self->registry, duel->model, duel->version, &change, &outcome, err));
    } else {
        GW_TRY(gw_registry_rollback(self->registry, duel->model, duel->former, &change, &outcome, err));
    }
    (void)gw_fault_hit("retrain.guarded");
    gw_log_warn("retrain.taken_back", "model=%s what=%s version=%d serves=%d reason='%s'", duel->model, kind_of(duel),
                duel->version, duel->former, reason);
    gw_metric_add(self->rollbacks[duel->canary], 1);
    return GW_OK;
}

static gw_status judge(struct gw_retrain_guard *self, gw_err *err)
{
    for (size_t i = 0; i < TRIALS_MAX; i++) {
        struct trial *trial = &self->trials[i];
        struct gw_retrain_trial_counts counts;
        if (trial->state != TRIAL_RUNS) {
            continue;
        }
        gw_retrain_trial_count(trial->evidence, &counts);
        gw_metric_set(trial->gauge, counts.log_evidence);
        if (!counts.proven) {
            continue;
        }
        gw_status status = take_back(self, trial, err);
        if (status == GW_OK) {
            end_trial(trial, TRIAL_OVER, "taken back");
        } else if (status == GW_E_STALE || gw_status_class(status) == GW_CLASS_RETRY) {
            return status; // looks at the registry again, then tries again
        } else {
            gw_log_error("retrain.guard_cannot_take_back",
                         "model=%s what=%s version=%d former=%d status=%s reason='%s'; take it back by hand",
                         trial->duel.model, kind_of(&trial->duel), trial->duel.version, trial->duel.former,
                         gw_status_name(status), err->message);
            end_trial(trial, TRIAL_OVER, "cannot be taken back");
        }
    }
    return GW_OK;
}

// ---- the thread -----------------------------------------------------------------------------------------------------

static void forget_all(struct gw_retrain_guard *self)
{
    for (size_t i = 0; i < TRIALS_MAX; i++) {
        if (self->trials[i].state != TRIAL_FREE) {
            end_trial(&self->trials[i], TRIAL_FREE, "no guard any more");
        }
    }
    memset(self->models, 0, sizeof self->models);
    stop_reading(self);
}

// *ret_soon: there is more to do at once.
static gw_status look(struct gw_retrain_guard *self, bool *ret_soon, gw_err *err)
{
    bool held = false;
    GW_TRY(gw_runs_lock(self->registry, GW_RUNS_LOCK_GUARD, &held, err));
    if (!held) {
        forget_all(self); // another worker is the guard
        return GW_OK;
    }
    GW_TRY(look_at_registry(self, err));
    end_expired(self);
    GW_TRY(follow(self, ret_soon, err));
    return judge(self, err);
}

static void pause_ms(const struct gw_retrain_guard *self, uint64_t ms)
{
    for (uint64_t waited = 0; waited < ms && !is_closing(self); waited += TICK_MS) {
        const struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
        nanosleep(&tick, NULL);
    }
}

static void *run(void *argument)
{
    struct gw_retrain_guard *self = argument;
    while (!is_closing(self)) {
        gw_err err = {0};
        bool soon = false;
        gw_status status = look(self, &soon, &err);
        if (status != GW_OK && status != GW_E_STALE && !self->away) {
            gw_log_warn("retrain.guard_cannot_look", "status=%s reason='%s'", gw_status_name(status), err.message);
        }
        self->away = status != GW_OK && status != GW_E_STALE;
        pause_ms(self, status == GW_OK && soon ? 0 : LOOK_MS);
    }
    return NULL;
}

// ---- life -----------------------------------------------------------------------------------------------------------

static gw_status make_metrics(struct gw_retrain_guard *self, gw_err *err)
{
    struct gw_metrics *metrics = self->runtime->metrics;
    static const char help[] = "Versions that the guard has taken back.";
    self->rollbacks[false] = gw_metrics_counter(metrics, "godwit_retrain_rollbacks_total", "what=\"champion\"", help);
    self->rollbacks[true] = gw_metrics_counter(metrics, "godwit_retrain_rollbacks_total", "what=\"canary\"", help);
    self->rows_total = gw_metrics_counter(metrics, "godwit_retrain_guard_rows_total", "",
                                          "Rows that both versions of a trial have scored.");
    self->incomparable = gw_metrics_counter(metrics, "godwit_retrain_guard_incomparable_total", "",
                                            "Versions that could not be compared with what they replaced.");
    return self->rollbacks[false] != NULL && self->rollbacks[true] != NULL && self->rows_total != NULL &&
                   self->incomparable != NULL
               ? GW_OK
               : gw_fail(err, GW_E_MEMORY, "no memory for metrics");
}

// The heaviest weight that sampling alone gives.
static double weight_of(const struct gw_config *config)
{
    double weight = 1;
    const double shares[] = {gw_config_double(config, GW_OPT_SCORE_SERVED_SAMPLE),
                             gw_config_double(config, GW_OPT_SCORE_SERVED_SAMPLE_SYNC)};
    for (size_t i = 0; i < GW_COUNT_OF(shares); i++) {
        weight = shares[i] > 0 ? fmax(weight, 1 / shares[i]) : weight;
    }
    return weight;
}

static gw_status start(struct gw_retrain_guard *self, gw_err *err)
{
    const struct gw_config *config = self->runtime->config;
    self->cache = gw_config_text(config, GW_OPT_SCORE_MODEL_DIRECTORY);
    self->margin = gw_config_double(config, GW_OPT_RETRAIN_WORSE_MARGIN);
    self->alpha = gw_config_double(config, GW_OPT_RETRAIN_WORSE_ALPHA);
    self->weight_max = weight_of(config);
    self->probation_ms = gw_config_duration_us(config, GW_OPT_RETRAIN_PROBATION) / 1000;
    self->labels_ms =
        (gw_config_duration_us(config, GW_OPT_LABEL_WINDOW) + gw_config_duration_us(config, GW_OPT_LABEL_SETTLE)) /
            1000 +
        GRACE_MS;
    GW_TRY(make_metrics(self, err));
    GW_TRY(gw_registry_settings_init(&self->settings, config, "godwit retrain guard", err));
    GW_TRY(gw_registry_new(&self->settings.options, &self->registry, err));
    int error = pthread_create(&self->thread, NULL, run, self);
    if (error != 0) {
        return gw_fail(err, GW_E_INTERNAL, "cannot start a thread: %s", strerror(error));
    }
    self->started = true;
    return GW_OK;
}

gw_status gw_retrain_guard_start(const struct gw_runtime *runtime, struct gw_retrain_guard **ret_guard, gw_err *err)
{
    if (!gw_config_bool(runtime->config, GW_OPT_RETRAIN_ROLLBACK)) {
        *ret_guard = NULL;
        return GW_OK;
    }
    struct gw_retrain_guard *self = gw_mem_calloc(1, sizeof *self);
    if (self == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for the guard");
    }
    self->runtime = runtime;
    gw_arena_init(&self->arena, 1 << 16, ARENA_LIMIT_BYTES);
    gw_status status = start(self, err);
    if (status != GW_OK) {
        gw_retrain_guard_free(self);
        return status;
    }
    *ret_guard = self;
    return GW_OK;
}

void gw_retrain_guard_join(struct gw_retrain_guard *self)
{
    if (self != NULL && self->started) {
        atomic_store(&self->closing, true);
        pthread_join(self->thread, NULL);
        self->started = false;
    }
}

void gw_retrain_guard_free(struct gw_retrain_guard *self)
{
    if (self == NULL) {
        return;
    }
    gw_retrain_guard_join(self);
    for (size_t i = 0; i < TRIALS_MAX; i++) {
        gw_retrain_trial_free(self->trials[i].evidence);
    }
    gw_guard_rows_free(self->rows);
    gw_registry_free(self->registry);
    gw_registry_settings_deinit(&self->settings);
    gw_arena_deinit(&self->arena);
    gw_mem_free(self);
}
