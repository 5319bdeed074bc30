// SPDX-License-Identifier: MIT
// The side thread: reads routes, lets score_follow.c decide, counts, and gives old tables back.
#include "worker/score_models.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "kafka/consumer.h"
#include "worker/score_follow.h"
#include "worker/score_load.h"
#include "worker/score_recent.h"
#include "worker/score_route.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    TICK_MS = 50, // how long it waits for a route before it looks at everything else
    RECORDS_A_TURN = 64,
    ASK_TIMEOUT_MS = 1000,
    SAY_EVERY_US = 5000000,
    WAIT_MS = 100,
    ARENA_BLOCK_BYTES = 16 << 10,
    ARENA_LIMIT_BYTES = 1 << 20, // of one record: routes are a few kilobytes
    NICE = 10, // a load yields to lanes about ten to one (each step of nice is a factor of 1.25, sched(7)), and ends
               // nevertheless on a machine that is always busy
};

struct counters {
    struct gw_metric *swaps;
    struct gw_metric *loaded;
    struct gw_metric *ignored[GW_SCORE_IGNORED_COUNT];
};

struct gw_score_models {
    const struct gw_runtime *runtime;
    const char *default_model;
    struct gw_score_tables tables;
    struct gw_score_recent *recent;

    // the side thread's
    struct gw_kafka_consumer *consumer;
    struct gw_score_loader *loader;
    struct gw_score_follow *follow;
    bool standing; // the consumer is where it should be
    bool ended;    // all routes that were there have been read
    struct gw_buf scratch;
    struct gw_arena arena;
    struct counters counters;
    struct gw_score_follow_totals counted;
    char failed[GW_ERR_MESSAGE_BYTES]; // why reading failed last time; "": it did not

    pthread_mutex_t lock; // guards what follows
    pthread_cond_t changed;
    bool settled;
    gw_err fatal;                       // status GW_OK: none
    char waiting[GW_ERR_MESSAGE_BYTES]; // for what, while not settled

    atomic_bool closing;
    pthread_t thread;
    bool started;
};

// ---- reading routes -------------------------------------------------------------------------------------------------

static gw_status stand_at_start(struct gw_score_models *models, gw_err *err)
{
    const char *topic = gw_runtime_topic(models->runtime, GW_TOPIC_MODEL_ROUTES);
    int32_t count = 0;
    GW_TRY(gw_kafka_consumer_partition_count(models->consumer, topic, ASK_TIMEOUT_MS, &count, err));
    if (count != 1) {
        gw_status status = gw_fail(err, GW_E_MISMATCH, "topic '%s' has %d partitions, must have 1", topic, count);
        pthread_mutex_lock(&models->lock);
        models->fatal = *err;
        pthread_cond_broadcast(&models->changed);
        pthread_mutex_unlock(&models->lock);
        return status;
    }
    const struct gw_kafka_position start = {.topic = topic, .partition = 0, .offset = GW_KAFKA_OFFSET_START};
    return gw_kafka_consumer_assign(models->consumer, &start, 1, err);
}

static gw_status note_route(struct gw_score_models *models, const struct gw_kafka_record *record, gw_err *err)
{
    struct gw_slice body;
    struct gw_route route;
    const struct gw_schema_gate *gate = gw_runtime_gate(models->runtime, GW_TOPIC_MODEL_ROUTES);
    gw_arena_clear(&models->arena);
    gw_status status = gw_schema_gate_open(gate, record->value, &models->scratch, &models->arena, &body, err);
    if (status == GW_OK) {
        status = gw_score_route_read(body, &models->arena, &route, err);
    }
    if (status == GW_OK && !gw_slice_is(record->key, route.model)) {
        status = gw_fail(err, GW_E_INVALID, "route of '%s' under another key", route.model);
    }
    if (status != GW_OK) {
        gw_score_follow_note_bad(models->follow);
        return status;
    }
    return gw_score_follow_note(models->follow, &route, err);
}

static void take_record(struct gw_score_models *models, const struct gw_kafka_record *record)
{
    gw_err err = {0};
    if (record->partition_end) {
        if (!models->ended) {
            gw_score_follow_began(models->follow);
        }
        models->ended = true;
    } else if (record->value.data == NULL) {
        gw_score_follow_forget(models->follow, record->key);
    } else {
        gw_status status = note_route(models, record, &err);
        if (status != GW_OK && status != GW_E_STALE) { // compaction leaves old ones
            gw_log_error("route.ignored", "topic='%s' offset=%lld status=%s reason='%s'", record->topic,
                         (long long)record->offset, gw_status_name(status), err.message);
        }
    }
}

// Takes note of the routes that came; waits for the first one up to wait_ms.
static gw_status read_routes(struct gw_score_models *models, uint32_t wait_ms, gw_err *err)
{
    if (!models->standing) {
        GW_TRY(stand_at_start(models, err));
        models->standing = true;
    }
    for (int i = 0; i < RECORDS_A_TURN; i++) {
        struct gw_kafka_record record;
        bool got = false;
        gw_status status = gw_kafka_consumer_poll(models->consumer, i == 0 ? wait_ms : 0, &record, &got, err);
        if (status == GW_E_MISMATCH) { // the topic is a new one: read it all, what is known is ignored
            models->standing = false;
        }
        if (status != GW_OK || !got) {
            return status;
        }
        take_record(models, &record);
        gw_kafka_message_free(record.message);
    }
    return GW_OK;
}

static void note_reading(struct gw_score_models *models, const char *why)
{
    if (why[0] != '\0' && strcmp(models->failed, why) != 0) {
        gw_log_warn("routes.not_read", "reason='%s'", why);
    }
    snprintf(models->failed, sizeof models->failed, "%s", why);
}

// ---- the thread -----------------------------------------------------------------------------------------------------

static void count(struct gw_score_models *models)
{
    struct gw_score_follow_totals now;
    gw_score_follow_totals(models->follow, &now);
    gw_metric_add(models->counters.swaps, now.swaps - models->counted.swaps);
    gw_metric_set(models->counters.loaded, (double)now.loaded);
    for (int i = 0; i < GW_SCORE_IGNORED_COUNT; i++) {
        gw_metric_add(models->counters.ignored[i], now.ignored[i] - models->counted.ignored[i]);
    }
    if (now.swaps != models->counted.swaps) {
        struct gw_score_table *table = gw_score_tables_acquire(&models->tables);
        for (size_t i = 0; i < table->route_count; i++) {
            char labels[GW_ROUTE_NAME_BYTES + 16];
            snprintf(labels, sizeof labels, "model=\"%s\"", table->routes[i].route.model);
            struct gw_metric *sequence =
                gw_metrics_gauge(models->runtime->metrics, "godwit_score_route_sequence", labels,
                                 "Number of the registry's event that made the route in force.");
            if (sequence != NULL) {
                gw_metric_set(sequence, (double)table->routes[i].route.sequence);
            }
        }
        gw_score_table_unref(table);
    }
    models->counted = now;
}

// A default model that was in service before this process and names features that this process does not have: the fault
// lies here, and there is nothing to serve. (Other models: score_follow.h.)
static gw_status load(void *context, const char *model, const struct gw_route_version *version,
                      struct gw_score_model **ret_model, gw_err *err)
{
    struct gw_score_models *models = context;
    gw_err cause = {0};
    gw_status status = gw_score_loader_load(models->loader, model, version, ret_model, &cause);
    if (status != GW_E_CONFIG || models->settled || strcmp(model, models->default_model) != 0) {
        return status == GW_OK ? GW_OK : gw_fail(err, status, "%s", cause.message);
    }
    pthread_mutex_lock(&models->lock);
    models->fatal = cause;
    pthread_cond_broadcast(&models->changed);
    pthread_mutex_unlock(&models->lock);
    return gw_fail(err, GW_E_UNAVAILABLE, "%s", cause.message);
}

static gw_status reject(void *context, const char *model, int32_t version, const char *reason, gw_err *err)
{
    struct gw_score_models *models = context;
    return gw_score_loader_reject(models->loader, model, version, reason, err);
}

static void tell_start(struct gw_score_models *models)
{
    char waiting[GW_ERR_MESSAGE_BYTES] = "the end of model_routes";
    bool settled = models->ended && gw_score_follow_is_settled(models->follow, waiting, sizeof waiting);
    pthread_mutex_lock(&models->lock);
    snprintf(models->waiting, sizeof models->waiting, "%s", models->failed[0] != '\0' ? models->failed : waiting);
    if (settled && !models->settled) {
        models->settled = true;
        pthread_cond_broadcast(&models->changed);
    }
    pthread_mutex_unlock(&models->lock);
}

static void pause_a_tick(void)
{
    const struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
    nanosleep(&tick, NULL);
}

static void *run(void *argument)
{
    struct gw_score_models *models = argument;
    bool worked = false;
    if (setpriority(PRIO_PROCESS, (id_t)gettid(), NICE) != 0) {
        gw_log_warn("models.priority", "reason='loads compete with lanes for the processor'");
    }
    while (!atomic_load(&models->closing)) {
        gw_err err = {0};
        gw_status status = read_routes(models, worked ? 0 : TICK_MS, &err);
        note_reading(models, status == GW_OK ? "" : err.message);
        if (status != GW_OK && !worked) {
            pause_a_tick();
        }
        // Not before the end was seen once: what compaction has not removed yet would be loaded for nothing.
        worked = models->ended && gw_score_follow_step(models->follow, gw_clock_mono_us());
        gw_score_tables_reclaim(&models->tables);
        count(models);
        tell_start(models);
    }
    return NULL;
}

// ---- life -----------------------------------------------------------------------------------------------------------

static gw_status make_counters(struct gw_score_models *models, gw_err *err)
{
    struct gw_metrics *metrics = models->runtime->metrics;
    struct counters *counters = &models->counters;
    counters->swaps = gw_metrics_counter(metrics, "godwit_score_table_swaps_total", "",
                                         "Tables of routes and models that were put in force.");
    counters->loaded =
        gw_metrics_gauge(metrics, "godwit_score_models_loaded", "", "Models in memory, spare ones included.");
    bool made = counters->swaps != NULL && counters->loaded != NULL;
    for (int i = 0; i < GW_SCORE_IGNORED_COUNT; i++) {
        char labels[64];
        snprintf(labels, sizeof labels, "reason=\"%s\"", gw_score_ignored_name((enum gw_score_ignored)i));
        counters->ignored[i] = gw_metrics_counter(metrics, "godwit_score_routes_ignored_total", labels,
                                                  "Records of model_routes that changed nothing.");
        made = made && counters->ignored[i] != NULL;
    }
    return made ? GW_OK : gw_fail(err, GW_E_MEMORY, "no memory for metrics");
}

static gw_status init(struct gw_score_models *models, gw_err *err)
{
    const struct gw_runtime *runtime = models->runtime;
    GW_TRY(gw_score_tables_init(&models->tables, err));
    GW_TRY(gw_score_recent_new(&models->recent, err));
    GW_TRY(make_counters(models, err));
    GW_TRY(gw_score_loader_new(runtime, models->recent, &models->loader, err));
    const struct gw_score_follow_ops ops = {.load = load, .reject = reject, .context = models};
    GW_TRY(gw_score_follow_new(&ops, &models->tables, models->default_model, &models->follow, err));
    const struct gw_kafka_consumer_options consumer = {
        .client = &runtime->kafka, .end_events = true, .low_latency = true};
    GW_TRY(gw_kafka_consumer_new(&consumer, &models->consumer, err));
    int error = pthread_create(&models->thread, NULL, run, models);
    if (error != 0) {
        return gw_fail(err, GW_E_INTERNAL, "cannot start a thread: %s", strerror(error));
    }
    models->started = true;
    return GW_OK;
}

// Waits until the thread says that lanes may begin.
static gw_status wait_settled(struct gw_score_models *models, gw_err *err)
{
    gw_status status = GW_OK;
    uint64_t said_us = gw_clock_mono_us();
    pthread_mutex_lock(&models->lock);
    while (!models->settled && status == GW_OK) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += WAIT_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        (void)pthread_cond_timedwait(&models->changed, &models->lock, &until);
        if (models->fatal.status != GW_OK) {
            status = gw_fail(err, models->fatal.status, "%s", models->fatal.message);
        } else if (atomic_load(models->runtime->stop)) {
            status = gw_fail(err, GW_E_UNAVAILABLE, "stopped while waiting for %s", models->waiting);
        } else if (!models->settled && gw_clock_mono_us() - said_us >= SAY_EVERY_US) {
            said_us = gw_clock_mono_us();
            gw_log_warn("models.waiting", "for='%s'", models->waiting);
        }
    }
    pthread_mutex_unlock(&models->lock);
    return status;
}

gw_status gw_score_models_start(const struct gw_runtime *runtime, struct gw_score_models **ret_models, gw_err *err)
{
    struct gw_score_models *models = gw_mem_calloc(1, sizeof *models);
    if (models == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for models");
    }
    pthread_condattr_t monotonic;
    models->runtime = runtime;
    models->default_model = gw_config_text(runtime->config, GW_OPT_SCORE_DEFAULT_MODEL);
    snprintf(models->waiting, sizeof models->waiting, "the side thread");
    gw_arena_init(&models->arena, ARENA_BLOCK_BYTES, ARENA_LIMIT_BYTES);
    pthread_mutex_init(&models->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&models->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    gw_status status = init(models, err);
    if (status == GW_OK) {
        status = wait_settled(models, err);
    }
    if (status != GW_OK) {
        gw_score_models_stop(models);
        return status;
    }
    *ret_models = models;
    return GW_OK;
}

void gw_score_models_stop(struct gw_score_models *models)
{
    if (models == NULL) {
        return;
    }
    atomic_store(&models->closing, true);
    if (models->started) {
        pthread_join(models->thread, NULL);
    }
    gw_kafka_consumer_free(models->consumer);
    gw_score_follow_free(models->follow);
    gw_score_loader_free(models->loader);
    gw_score_tables_deinit(&models->tables);
    gw_score_recent_free(models->recent);
    gw_buf_deinit(&models->scratch);
    gw_arena_deinit(&models->arena);
    pthread_cond_destroy(&models->changed);
    pthread_mutex_destroy(&models->lock);
    gw_mem_free(models);
}

struct gw_score_table *gw_score_models_acquire(struct gw_score_models *models)
{
    return gw_score_tables_acquire(&models->tables);
}

void gw_score_models_remember(struct gw_score_models *models, struct gw_slice body)
{
    gw_score_recent_add(models->recent, body, gw_clock_mono_us());
}
