// SPDX-License-Identifier: MIT
// retrain: requests to versions that serve. The lane records what was asked, keyed by the record's position; the rest
// is the runs' (retrain_runs.c).
//
//   model_quality ──────┐
//   drift_alerts ───────┤
//   retrain_requests ──► runs (PostgreSQL) ──► godwit-train ──► gate ──► registry ──► model_events, model_routes
//   training_examples ──────────────────────────┘
//
// A record is applied before its offset is committed: after a crash it is read again and changes nothing. Whatever else
// asks for a training some day calls gw_runs_ask with its own record's position, as the schedule does.
#include "base/clock.h"
#include "base/faults.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "records/retrain_request.h"
#include "registry/runs.h"
#include "worker/relay_options.h"
#include "worker/retrain_alert.h"
#include "worker/retrain_champions.h"
#include "worker/retrain_labels.h"
#include "worker/retrain_guard.h"
#include "worker/retrain_runs.h"
#include "worker/worker.h"

#include <stdio.h>

enum {
    ARENA_LIMIT_BYTES = 16 << 20,
    BATCH_MAX = 64,
    ACTOR_BYTES = 129,
};

enum { SOURCE_REQUESTS, SOURCE_ALERTS, SOURCE_QUALITY }; // in the order of the inputs

struct asked {
    enum gw_topic topic;
    char model[GW_ROUTE_NAME_BYTES];
    char reason[GW_RUN_TEXT_BYTES];
    char actor[ACTOR_BYTES];
    int64_t at_ms;
    int32_t partition;
    int64_t offset;
    uint32_t slot;
    bool ignored; // says nothing about training
    bool repeats;
    const char *refusal;                   // static, or NULL
    int32_t alert_version;                 // that the alert is about; 0: no alert
    bool has_window;                       // whether it asks is seen when the champion is known
    struct gw_retrain_decay_window window; // when has_window
};

struct retrain {
    const struct gw_runtime *runtime;
    struct gw_registry_settings settings;
    struct gw_registry *registry;
    struct gw_run_rules rules;
    double decay;
    struct gw_retrain_champions *champions;
    struct gw_arena arena;
    struct asked batch[BATCH_MAX];
    uint32_t batch_count;
    struct gw_metric *started_total;
    struct gw_metric *refused_total;
    uint64_t started_pending;
    uint64_t refused_pending;
};

static gw_status take_text(const char *field, struct gw_slice text, char *to, size_t size, gw_err *err)
{
    if (text.size >= size) {
        return gw_fail(err, GW_E_TOO_LARGE, "'%s' has %zu bytes, at most %zu", field, text.size, size - 1);
    }
    if (text.size > 0 && memchr(text.data, '\0', text.size) != NULL) {
        return gw_fail(err, GW_E_INVALID, "'%s' holds a NUL", field);
    }
    if (text.size > 0) {
        memcpy(to, text.data, text.size);
    }
    to[text.size] = '\0';
    return GW_OK;
}

// There are none yet: an empty text or object.
static gw_status check_options(struct gw_slice options, gw_err *err)
{
    struct gw_json json;
    bool more = false;
    if (options.size == 0) {
        return GW_OK;
    }
    gw_json_init(&json, options);
    GW_TRY(gw_json_enter(&json, GW_JSON_OBJECT, err));
    GW_TRY(gw_json_next(&json, &more, err));
    return more ? gw_fail(err, GW_E_INVALID, "a request has no options, expected {}") : gw_json_end(&json, err);
}

static gw_status take_request(struct retrain *self, struct gw_slice body, struct asked *asked, gw_err *err)
{
    struct gw_retrain_request request;
    GW_TRY(gw_retrain_request_decode(body, &self->arena, &request, err));
    asked->topic = GW_TOPIC_RETRAIN_REQUESTS;
    asked->at_ms = request.at_ms;
    GW_TRY(take_text("model_name", request.model_name, asked->model, sizeof asked->model, err));
    GW_TRY(take_text("reason", request.reason, asked->reason, sizeof asked->reason, err));
    GW_TRY(take_text("actor", request.actor, asked->actor, sizeof asked->actor, err));
    return check_options(request.options, err);
}

static gw_status take_alert(struct retrain *self, struct gw_slice body, struct asked *asked, gw_err *err)
{
    struct gw_drift_alert alert;
    struct gw_retrain_alert_decision decision;
    GW_TRY(gw_drift_alert_decode(body, &self->arena, &alert, err));
    gw_retrain_alert_decide(&alert, gw_clock_wall_ms(), &decision);
    asked->topic = GW_TOPIC_DRIFT_ALERTS;
    asked->at_ms = alert.at_ms;
    asked->ignored = !decision.asks;
    asked->repeats = decision.repeats;
    asked->refusal = decision.refusal;
    asked->alert_version = alert.model_version;
    snprintf(asked->actor, sizeof asked->actor, "monitor");
    snprintf(asked->reason, sizeof asked->reason, "%s", decision.reason);
    return take_text("model_name", alert.model_name, asked->model, sizeof asked->model, err);
}

static gw_status take_window(struct retrain *self, struct gw_slice body, struct asked *asked, gw_err *err)
{
    struct gw_model_quality quality;
    GW_TRY(gw_model_quality_decode(body, &self->arena, &quality, err));
    asked->topic = GW_TOPIC_MODEL_QUALITY;
    asked->at_ms = quality.computed_at_ms;
    asked->has_window = gw_retrain_decay_read(&quality, gw_clock_wall_ms(), &asked->window);
    asked->ignored = !asked->has_window;
    snprintf(asked->actor, sizeof asked->actor, "monitor");
    return take_text("model_name", quality.model_name, asked->model, sizeof asked->model, err);
}

static gw_status take(struct retrain *self, const struct gw_input *input, struct asked *asked, gw_err *err)
{
    switch (input->source) {
    case SOURCE_ALERTS:
        return take_alert(self, input->body, asked, err);
    case SOURCE_QUALITY:
        return take_window(self, input->body, asked, err);
    default:
        return take_request(self, input->body, asked, err);
    }
}

static gw_status decode(void *worker, struct gw_loop *loop, const struct gw_input *input, gw_err *err)
{
    struct retrain *self = worker;
    (void)loop;
    if (input->body.data == NULL) {
        return gw_fail(err, GW_E_MALFORMED, "a record without a value");
    }
    gw_arena_clear(&self->arena);
    struct asked *asked = &self->batch[self->batch_count];
    *asked = (struct asked){.partition = input->partition, .offset = input->offset, .slot = input->slot};
    GW_TRY(take(self, input, asked, err));
    if (!gw_route_name_is_valid(asked->model, sizeof asked->model)) {
        return gw_fail(err, GW_E_INVALID, "no model can have the name '%.60s'", asked->model);
    }
    self->batch_count++;
    return GW_OK;
}

static void discard(void *worker, bool aborted)
{
    struct retrain *self = worker;
    self->batch_count = 0;
    if (aborted) {
        self->started_pending = 0;
        self->refused_pending = 0;
    }
}

// A record that says no more than this.
static gw_status ignore(struct gw_loop *loop, const struct asked *asked)
{
    gw_loop_settle(loop, asked->slot, GW_OUTCOME_IGNORED);
    return GW_OK;
}

static gw_status apply_request(struct retrain *self, struct gw_loop *loop, const struct asked *asked, gw_err *err)
{
    struct gw_run run;
    const struct gw_run_request request = {.topic = self->runtime->defs[asked->topic]->name,
                                           .partition = asked->partition,
                                           .offset = asked->offset,
                                           .model = asked->model,
                                           .reason = asked->reason,
                                           .actor = asked->actor[0] != '\0' ? asked->actor : "unknown",
                                           .requested_ms = asked->at_ms,
                                           .refusal = asked->refusal,
                                           .repeats = asked->repeats};
    gw_arena_clear(&self->arena);
    gw_status status = gw_runs_ask(self->registry, &request, &self->rules, &self->arena, &run, err);
    if (gw_status_class(status) == GW_CLASS_RECORD) { // such as text that is no UTF-8
        char reason[GW_ERR_MESSAGE_BYTES];
        snprintf(reason, sizeof reason, "%s", err->message);
        return gw_loop_dead_letter(loop, asked->slot, status, reason, err);
    }
    GW_TRY(status);
    (void)gw_fault_hit("retrain.asked");
    bool refused = run.state == GW_RUN_REFUSED;
    gw_log_info("retrain.asked", "run=%s model=%s actor='%s' reason='%s' decision='%s'", run.id, run.model, run.actor,
                run.reason, refused ? run.verdict : "train");
    self->started_pending += !refused;
    self->refused_pending += refused;
    gw_loop_settle(loop, asked->slot, GW_OUTCOME_OUTPUT);
    return GW_OK;
}

// Labels become final long after their rows were served, so the alert of a former champion goes on for a while.
static gw_status apply_alert(struct retrain *self, struct gw_loop *loop, struct asked *asked, gw_err *err)
{
    struct gw_retrain_champion *champion = NULL;
    gw_arena_clear(&self->arena);
    GW_TRY(gw_retrain_champions_get(self->champions, self->registry, asked->model, &self->arena, &champion, err));
    const int32_t version = champion->reference.version;
    if (asked->refusal == NULL && version != 0 && version != asked->alert_version) {
        asked->refusal = "the alert is about a version that is not the champion";
    }
    return apply_request(self, loop, asked, err);
}

static gw_status apply_window(struct retrain *self, struct gw_loop *loop, struct asked *asked, gw_err *err)
{
    struct gw_retrain_champion *champion = NULL;
    struct gw_retrain_decay_decision decision;
    gw_arena_clear(&self->arena);
    GW_TRY(gw_retrain_champions_get(self->champions, self->registry, asked->model, &self->arena, &champion, err));
    gw_retrain_decay_decide(&asked->window, &champion->reference, self->decay, &champion->mark, &decision);
    snprintf(asked->reason, sizeof asked->reason, "%s", decision.reason);
    asked->repeats = decision.repeats;
    GW_TRY(decision.asks ? apply_request(self, loop, asked, err) : ignore(loop, asked));
    champion->mark = decision.mark; // now that it is recorded
    return GW_OK;
}

static gw_status apply(struct retrain *self, struct gw_loop *loop, struct asked *asked, gw_err *err)
{
    if (asked->ignored) {
        return ignore(loop, asked);
    }
    if (asked->alert_version != 0) {
        return apply_alert(self, loop, asked, err);
    }
    return asked->has_window ? apply_window(self, loop, asked, err) : apply_request(self, loop, asked, err);
}

static gw_status process(void *worker, struct gw_loop *loop, gw_err *err)
{
    struct retrain *self = worker;
    for (uint32_t i = 0; i < self->batch_count; i++) {
        GW_TRY(apply(self, loop, &self->batch[i], err));
    }
    discard(self, false);
    return GW_OK;
}

static void report(void *worker, struct gw_loop *loop)
{
    struct retrain *self = worker;
    (void)loop;
    gw_metric_add(self->started_total, self->started_pending);
    gw_metric_add(self->refused_total, self->refused_pending);
    self->started_pending = 0;
    self->refused_pending = 0;
}

static const struct gw_loop_ops ops = {.decode = decode, .process = process, .report = report, .discard = discard};

// ---- life -----------------------------------------------------------------------------------------------------------

static void free_retrain(void *worker)
{
    struct retrain *self = worker;
    gw_retrain_champions_free(self->champions);
    gw_registry_free(self->registry);
    gw_registry_settings_deinit(&self->settings);
    gw_arena_deinit(&self->arena);
    gw_mem_free(self);
}

static gw_status open_retrain(struct retrain *self, const struct gw_runtime *runtime, gw_err *err)
{
    const struct gw_config *config = runtime->config;
    self->runtime = runtime;
    static const char help[] = "Requests by the decision about them.";
    self->rules = (struct gw_run_rules){.enabled = gw_config_bool(config, GW_OPT_RETRAIN_ENABLED),
                                        .cooldown_s = gw_config_duration_us(config, GW_OPT_RETRAIN_COOLDOWN) / 1000000};
    self->decay = gw_config_double(config, GW_OPT_RETRAIN_DECAY);
    self->champions = gw_retrain_champions_new();
    self->started_total =
        gw_metrics_counter(runtime->metrics, "godwit_retrain_requests_total", "decision=\"train\"", help);
    self->refused_total =
        gw_metrics_counter(runtime->metrics, "godwit_retrain_requests_total", "decision=\"refuse\"", help);
    for (int i = GW_RETRAIN_LABELS_FINE + 1; i < GW_RETRAIN_LABELS_FAULT_COUNT; i++) { // the runs count, this shows 0
        if (gw_retrain_labels_metric(runtime->metrics, (enum gw_retrain_labels_fault)i) == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for metrics");
        }
    }
    if (self->started_total == NULL || self->refused_total == NULL || self->champions == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for retrain");
    }
    GW_TRY(gw_registry_settings_init(&self->settings, config, "godwit retrain requests", err));
    return gw_registry_new(&self->settings.options, &self->registry, err);
}

static gw_status make_lane(const struct gw_runtime *runtime, uint32_t slot, struct gw_lane *lane, gw_err *err)
{
    static const enum gw_topic inputs[] = {
        [SOURCE_REQUESTS] = GW_TOPIC_RETRAIN_REQUESTS,
        [SOURCE_ALERTS] = GW_TOPIC_DRIFT_ALERTS,
        [SOURCE_QUALITY] = GW_TOPIC_MODEL_QUALITY,
    };
    struct retrain *self = gw_mem_calloc(1, sizeof *self);
    if (self == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for retrain");
    }
    gw_arena_init(&self->arena, 1 << 16, ARENA_LIMIT_BYTES);
    gw_status status = open_retrain(self, runtime, err);
    if (status != GW_OK) {
        free_retrain(self);
        return status;
    }
    const struct gw_lane_options options = {
        .worker = "retrain",
        .slot = slot,
        .group = "retrain",
        .commit = GW_LANE_TRANSACTIONS,
        .inputs = inputs,
        .input_count = GW_COUNT_OF(inputs),
        .ops = &ops,
        .context = self,
        .free_context = free_retrain,
        .records_max = BATCH_MAX,
        .commit_interval_us = 50000,
    };
    return gw_lane_init(lane, runtime, &options, err);
}

// What works beside the lane, each on a thread of its own.
struct threads {
    struct gw_retrain_runs *runs;
    struct gw_retrain_guard *guard; // NULL: switched off
};

static void join_threads(void *state)
{
    struct threads *threads = state;
    gw_retrain_guard_join(threads->guard);
    gw_retrain_runs_join(threads->runs);
}

static void free_threads(void *state)
{
    struct threads *threads = state;
    gw_retrain_guard_free(threads->guard);
    gw_retrain_runs_free(threads->runs);
    gw_mem_free(threads);
}

gw_status gw_retrain_lanes(const struct gw_runtime *runtime, struct gw_lanes *lanes, struct gw_worker_state *ret_state,
                           gw_err *err)
{
    GW_TRY(gw_lanes_add(lanes, runtime, 1, make_lane, err));
    struct threads *threads = gw_mem_calloc(1, sizeof *threads);
    if (threads == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for retrain");
    }
    gw_status status = gw_retrain_runs_start(runtime, &threads->runs, err);
    if (status == GW_OK) {
        status = gw_retrain_guard_start(runtime, &threads->guard, err);
    }
    if (status != GW_OK) {
        free_threads(threads);
        return status;
    }
    *ret_state = (struct gw_worker_state){.state = threads, .join_threads = join_threads, .free_state = free_threads};
    return GW_OK;
}
