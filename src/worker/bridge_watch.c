// SPDX-License-Identifier: MIT
#include "worker/bridge_watch.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "kafka/consumer.h"
#include "worker/bridge_lag.h"
#include "worker/overview.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    TICK_MS = 50, // how long a thread waits before it looks at `closing`
    LOOK_EVERY_US = 2000000,
    GAUGES_EVERY_US = 1000000,
    END_TIMEOUT_MS = 1000,
    PARTITIONS_MAX = 64, // of serving_metrics
    ARENA_BLOCK_BYTES = 16 << 10,
    ARENA_LIMIT_BYTES = 4 << 20,
};

static const char *const lane_names[] = {"bulk", "sync"};
enum { LANES = GW_COUNT_OF(lane_names) };

struct lane_gauges {
    struct gw_metric *requests_per_s;
    struct gw_metric *predictions_per_s;
    struct gw_metric *p50, *p95, *p99;
};

struct gw_bridge_watch {
    const struct gw_runtime *runtime;
    struct gw_kafka_consumer *consumer; // the tail's
    struct gw_bridge_lag *lag;          // the sampler's

    pthread_mutex_t lock; // guards what follows
    struct gw_overview speeds;
    struct gw_bridge_look look;
    int64_t looked_ms;  // wall; 0: never
    char tail_why[160]; // the tail cannot read

    atomic_bool closing;
    pthread_t threads[2];
    size_t thread_count;

    struct lane_gauges lanes[LANES];
    struct gw_metric *events_per_s;
    struct gw_metric *dead_letters;
    struct gw_metric *hit_ratio;
    struct gw_metric *group_lag[GW_BRIDGE_GROUPS_MAX]; // made when a group is first seen; the sampler's
    struct gw_metric *group_rate[GW_BRIDGE_GROUPS_MAX];
};

static void pause_a_tick(void)
{
    const struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
    nanosleep(&tick, NULL);
}

// ---- the tail of serving_metrics ------------------------------------------------------------------------------------

static gw_status stand_at_ends(struct gw_bridge_watch *watch, gw_err *err)
{
    const char *topic = gw_runtime_topic(watch->runtime, GW_TOPIC_SERVING_METRICS);
    struct gw_kafka_position positions[PARTITIONS_MAX];
    size_t count = GW_MIN(gw_runtime_partitions(watch->runtime, GW_TOPIC_SERVING_METRICS), PARTITIONS_MAX);
    for (size_t i = 0; i < count; i++) {
        int64_t low = 0;
        int64_t high = 0;
        GW_TRY(gw_kafka_consumer_watermarks(watch->consumer, topic, (int32_t)i, END_TIMEOUT_MS, &low, &high, err));
        positions[i] = (struct gw_kafka_position){.topic = topic, .partition = (int32_t)i, .offset = high};
    }
    return gw_kafka_consumer_assign(watch->consumer, positions, count, err);
}

static void publish_speeds(struct gw_bridge_watch *watch, uint64_t now_us)
{
    struct gw_overview_lane lanes[LANES];
    pthread_mutex_lock(&watch->lock);
    for (size_t i = 0; i < LANES; i++) {
        gw_overview_lane(&watch->speeds, lane_names[i], now_us, &lanes[i]);
    }
    double hit_ratio = gw_overview_hit_ratio(&watch->speeds, now_us);
    pthread_mutex_unlock(&watch->lock);
    for (size_t i = 0; i < LANES; i++) {
        gw_metric_set(watch->lanes[i].requests_per_s, lanes[i].requests_per_s);
        gw_metric_set(watch->lanes[i].predictions_per_s, lanes[i].predictions_per_s);
        gw_metric_set(watch->lanes[i].p50, lanes[i].p50_ms / 1e3);
        gw_metric_set(watch->lanes[i].p95, lanes[i].p95_ms / 1e3);
        gw_metric_set(watch->lanes[i].p99, lanes[i].p99_ms / 1e3);
    }
    gw_metric_set(watch->hit_ratio, hit_ratio);
}

static gw_status note_record(struct gw_bridge_watch *watch, struct gw_slice value, struct gw_buf *scratch,
                             struct gw_arena *arena, gw_err *err)
{
    struct gw_slice body;
    struct gw_serving_metrics record;
    gw_arena_clear(arena);
    const struct gw_schema_gate *gate = gw_runtime_gate(watch->runtime, GW_TOPIC_SERVING_METRICS);
    GW_TRY(gw_schema_gate_open(gate, value, scratch, arena, &body, err));
    GW_TRY(gw_serving_metrics_decode(body, arena, &record, err));
    pthread_mutex_lock(&watch->lock);
    gw_overview_note(&watch->speeds, &record, gw_clock_mono_us());
    pthread_mutex_unlock(&watch->lock);
    return GW_OK;
}

// Reads one record, if there is one; *standing says whether the consumer is where it should be.
static gw_status tail(struct gw_bridge_watch *watch, bool *standing, struct gw_buf *scratch, struct gw_arena *arena,
                      gw_err *err)
{
    struct gw_kafka_record record;
    bool got = false;
    if (!*standing) {
        GW_TRY(stand_at_ends(watch, err));
        *standing = true;
    }
    gw_status status = gw_kafka_consumer_poll(watch->consumer, TICK_MS, &record, &got, err);
    if (status == GW_E_MISMATCH) { // retention took what stood there, or the topic is a new one
        *standing = false;
    }
    if (status == GW_OK && got) {
        if (!record.partition_end && record.value.data != NULL) {
            status = note_record(watch, record.value, scratch, arena, err);
        }
        gw_kafka_message_free(record.message);
    }
    return status;
}

static void note_tail(struct gw_bridge_watch *watch, const char *why)
{
    pthread_mutex_lock(&watch->lock);
    bool news = strcmp(watch->tail_why, why) != 0 && why[0] != '\0';
    snprintf(watch->tail_why, sizeof watch->tail_why, "%s", why);
    pthread_mutex_unlock(&watch->lock);
    if (news) {
        gw_log_warn("serving_metrics.not_read", "reason='%s'", why);
    }
}

static void *run_tail(void *argument)
{
    struct gw_bridge_watch *watch = argument;
    struct gw_buf scratch = {0};
    struct gw_arena arena;
    bool standing = false;
    uint64_t gauges_us = 0;
    gw_arena_init(&arena, ARENA_BLOCK_BYTES, ARENA_LIMIT_BYTES);
    while (!atomic_load(&watch->closing)) {
        gw_err err = {0};
        gw_status status = tail(watch, &standing, &scratch, &arena, &err);
        note_tail(watch, status == GW_OK ? "" : err.message);
        if (status != GW_OK) {
            pause_a_tick();
        }
        uint64_t now_us = gw_clock_mono_us();
        if (now_us - gauges_us >= GAUGES_EVERY_US) {
            gauges_us = now_us;
            publish_speeds(watch, now_us);
        }
    }
    gw_arena_deinit(&arena);
    gw_buf_deinit(&scratch);
    return NULL;
}

// ---- the sampler ----------------------------------------------------------------------------------------------------

// What scorers say about their own lag and speed stands in for offsets that mean nothing.
static void fill_from_speeds(struct gw_bridge_watch *watch, struct gw_bridge_group *group, uint64_t now_us)
{
    struct gw_overview_lane lane;
    gw_overview_lane(&watch->speeds, "sync", now_us, &lane);
    group->lag_records = lane.lag;
    group->records_per_s = lane.requests_per_s;
}

static void publish_group(struct gw_bridge_watch *watch, size_t index, const struct gw_bridge_group *group)
{
    if (watch->group_lag[index] == NULL || watch->group_rate[index] == NULL) {
        char labels[64];
        snprintf(labels, sizeof labels, "group=\"%s\"", group->name);
        watch->group_lag[index] = gw_metrics_gauge(watch->runtime->metrics, "godwit_pipeline_lag_records", labels,
                                                   "Records between a group's position and the end of its topics.");
        watch->group_rate[index] = gw_metrics_gauge(watch->runtime->metrics, "godwit_pipeline_records_per_second",
                                                    labels, "Growth of a group's position.");
    }
    if (watch->group_lag[index] != NULL && watch->group_rate[index] != NULL) {
        gw_metric_set(watch->group_lag[index], group->lag_records >= 0 ? (double)group->lag_records : (double)NAN);
        gw_metric_set(watch->group_rate[index], group->records_per_s);
    }
}

static void unknown_look(struct gw_bridge_look *look)
{
    look->events_per_s = NAN;
    look->dead_letter_count = -1;
    for (size_t i = 0; i < look->group_count; i++) {
        look->groups[i].lag_records = -1;
        look->groups[i].records_per_s = NAN;
        look->groups[i].members = -1;
    }
}

static void look_once(struct gw_bridge_watch *watch)
{
    gw_err err = {0};
    struct gw_bridge_look look = {0};
    gw_status status = gw_bridge_lag_look(watch->lag, &look, &err);
    pthread_mutex_lock(&watch->lock);
    if (status == GW_OK) {
        for (size_t i = 0; i < look.group_count; i++) {
            if (!look.groups[i].measured_lag) {
                fill_from_speeds(watch, &look.groups[i], gw_clock_mono_us());
            }
        }
        watch->look = look;
        watch->looked_ms = gw_clock_wall_ms();
    } else {
        unknown_look(&watch->look);
    }
    look = watch->look;
    pthread_mutex_unlock(&watch->lock);
    gw_metric_set(watch->events_per_s, look.events_per_s);
    gw_metric_set(watch->dead_letters, look.dead_letter_count >= 0 ? (double)look.dead_letter_count : (double)NAN);
    for (size_t i = 0; i < look.group_count; i++) {
        publish_group(watch, i, &look.groups[i]);
    }
}

static void *run_sampler(void *argument)
{
    struct gw_bridge_watch *watch = argument;
    uint64_t next_us = 0;
    while (!atomic_load(&watch->closing)) {
        uint64_t now_us = gw_clock_mono_us();
        if (now_us >= next_us) {
            next_us = now_us + LOOK_EVERY_US;
            look_once(watch);
        }
        pause_a_tick();
    }
    return NULL;
}

// ---- what others ask ------------------------------------------------------------------------------------------------

static void show_lane(const struct gw_overview_lane *lane, const char *name, struct gw_api_lane *ret_lane)
{
    *ret_lane = (struct gw_api_lane){.requests_per_s = lane->requests_per_s,
                                     .predictions_per_s = lane->predictions_per_s,
                                     .p50_ms = lane->p50_ms,
                                     .p95_ms = lane->p95_ms,
                                     .p99_ms = lane->p99_ms};
    snprintf(ret_lane->name, sizeof ret_lane->name, "%s", name);
}

static struct gw_api_worker *add_worker(struct gw_api_overview *overview, const char *name, enum gw_api_state state)
{
    struct gw_api_worker *worker = &overview->workers[overview->worker_count++];
    snprintf(worker->name, sizeof worker->name, "%s", name);
    worker->state = state;
    return worker;
}

// Stream workers are alive when their group has members; scorers when they report.
static void show_workers(const struct gw_bridge_watch *watch, uint32_t scorers, struct gw_api_overview *overview)
{
    for (size_t i = 0; i < watch->look.group_count; i++) {
        const struct gw_bridge_group *group = &watch->look.groups[i];
        if (strncmp(group->name, "score", 5) == 0) {
            continue;
        }
        enum gw_api_state state = group->members > 0    ? GW_API_STATE_UP
                                  : group->members == 0 ? GW_API_STATE_DOWN
                                                        : GW_API_STATE_WARN;
        struct gw_api_worker *worker = add_worker(overview, group->name, state);
        if (group->members >= 0) {
            snprintf(worker->detail, sizeof worker->detail, "%d group member%s", group->members,
                     group->members == 1 ? "" : "s");
        } else {
            snprintf(worker->detail, sizeof worker->detail, "group members are not known");
        }
    }
    struct gw_api_worker *score = add_worker(overview, "score", scorers > 0 ? GW_API_STATE_UP : GW_API_STATE_DOWN);
    snprintf(score->detail, sizeof score->detail, "%u lane%s report%s", scorers, scorers == 1 ? "" : "s",
             scorers == 1 ? "s" : "");
    add_worker(overview, "bridge", GW_API_STATE_UP);
}

void gw_bridge_watch_overview(struct gw_bridge_watch *watch, struct gw_api_overview *ret_overview)
{
    uint64_t now_us = gw_clock_mono_us();
    uint32_t scorers = 0;
    pthread_mutex_lock(&watch->lock);
    ret_overview->time_ms = watch->looked_ms;
    ret_overview->events_per_s = watch->looked_ms > 0 ? watch->look.events_per_s : (double)NAN;
    ret_overview->dead_letter_count = watch->looked_ms > 0 ? watch->look.dead_letter_count : -1;
    ret_overview->feature_hit_ratio = gw_overview_hit_ratio(&watch->speeds, now_us);
    for (size_t i = 0; i < LANES; i++) {
        struct gw_overview_lane lane;
        gw_overview_lane(&watch->speeds, lane_names[i], now_us, &lane);
        show_lane(&lane, lane_names[i], &ret_overview->lanes[ret_overview->lane_count++]);
        scorers += lane.processes;
    }
    for (size_t i = 0; i < watch->look.group_count; i++) {
        const struct gw_bridge_group *group = &watch->look.groups[i];
        struct gw_api_group *shown = &ret_overview->groups[ret_overview->group_count++];
        *shown = (struct gw_api_group){.lag_records = group->lag_records, .records_per_s = group->records_per_s};
        snprintf(shown->name, sizeof shown->name, "%s", group->name);
    }
    show_workers(watch, scorers, ret_overview);
    pthread_mutex_unlock(&watch->lock);
}

void gw_bridge_watch_health(struct gw_bridge_watch *watch, struct gw_api_dependency *ret_health)
{
    struct gw_overview_lane lane;
    *ret_health = (struct gw_api_dependency){.name = "score", .required = true, .latency_ms = NAN};
    pthread_mutex_lock(&watch->lock);
    gw_overview_lane(&watch->speeds, "sync", gw_clock_mono_us(), &lane);
    ret_health->state = lane.processes > 0 ? GW_API_STATE_UP : GW_API_STATE_DOWN;
    if (lane.processes == 0) {
        snprintf(ret_health->detail, sizeof ret_health->detail, "%s",
                 watch->tail_why[0] != '\0' ? watch->tail_why : "no scorer of the synchronous lane reports");
    }
    pthread_mutex_unlock(&watch->lock);
}

void gw_bridge_watch_digest(struct gw_bridge_watch *watch, char digest[GW_BRIDGE_DIGEST_BYTES])
{
    struct gw_overview_lane lane;
    pthread_mutex_lock(&watch->lock);
    gw_overview_lane(&watch->speeds, "sync", gw_clock_mono_us(), &lane);
    snprintf(digest, GW_BRIDGE_DIGEST_BYTES, "%s", lane.digest);
    pthread_mutex_unlock(&watch->lock);
}

// ---- life -----------------------------------------------------------------------------------------------------------

static gw_status make_gauges(struct gw_bridge_watch *watch, gw_err *err)
{
    struct gw_metrics *metrics = watch->runtime->metrics;
    bool made = true;
    for (size_t i = 0; i < LANES; i++) {
        char labels[32];
        snprintf(labels, sizeof labels, "lane=\"%s\"", lane_names[i]);
        struct lane_gauges *lane = &watch->lanes[i];
        lane->requests_per_s = gw_metrics_gauge(metrics, "godwit_pipeline_requests_per_second", labels,
                                                "Prediction requests answered, all scorers.");
        lane->predictions_per_s = gw_metrics_gauge(metrics, "godwit_pipeline_predictions_per_second", labels,
                                                   "Candidates scored, all scorers.");
        lane->p50 = gw_metrics_gauge(metrics, "godwit_pipeline_latency_p50_seconds", labels,
                                     "From a request's time to its answer, the slowest scorer's.");
        lane->p95 = gw_metrics_gauge(metrics, "godwit_pipeline_latency_p95_seconds", labels, "As above.");
        lane->p99 = gw_metrics_gauge(metrics, "godwit_pipeline_latency_p99_seconds", labels, "As above.");
        made = made && lane->requests_per_s != NULL && lane->predictions_per_s != NULL && lane->p50 != NULL &&
               lane->p95 != NULL && lane->p99 != NULL;
    }
    watch->events_per_s =
        gw_metrics_gauge(metrics, "godwit_pipeline_events_per_second", "", "Growth of the source topics.");
    watch->dead_letters =
        gw_metrics_gauge(metrics, "godwit_pipeline_dead_letters_records", "", "On all dead-letter topics.");
    watch->hit_ratio = gw_metrics_gauge(metrics, "godwit_pipeline_feature_hit_ratio", "",
                                        "Feature rows found of those wanted, in the last second.");
    made = made && watch->events_per_s != NULL && watch->dead_letters != NULL && watch->hit_ratio != NULL;
    return made ? GW_OK : gw_fail(err, GW_E_MEMORY, "no memory for metrics");
}

static gw_status init(struct gw_bridge_watch *watch, gw_err *err)
{
    // Uncommitted: the records are flat reports, and an open transaction must not hide that scorers live.
    const struct gw_kafka_consumer_options consumer = {.client = &watch->runtime->kafka, .read_uncommitted = true};
    GW_TRY(make_gauges(watch, err));
    GW_TRY(gw_kafka_consumer_new(&consumer, &watch->consumer, err));
    GW_TRY(gw_bridge_lag_new(watch->runtime, &watch->lag, err));
    void *(*const runs[])(void *) = {run_tail, run_sampler};
    _Static_assert(GW_COUNT_OF(runs) == GW_COUNT_OF(watch->threads), "a thread for each");
    for (size_t i = 0; i < GW_COUNT_OF(runs); i++) {
        int error = pthread_create(&watch->threads[i], NULL, runs[i], watch);
        if (error != 0) {
            return gw_fail(err, GW_E_INTERNAL, "cannot start a thread: %s", strerror(error));
        }
        watch->thread_count++;
    }
    return GW_OK;
}

gw_status gw_bridge_watch_start(const struct gw_runtime *runtime, struct gw_bridge_watch **ret_watch, gw_err *err)
{
    struct gw_bridge_watch *watch = gw_mem_calloc(1, sizeof *watch);
    if (watch == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory to watch the pipeline");
    }
    watch->runtime = runtime;
    pthread_mutex_init(&watch->lock, NULL);
    gw_status status = init(watch, err);
    if (status != GW_OK) {
        gw_bridge_watch_stop(watch);
        return status;
    }
    *ret_watch = watch;
    return GW_OK;
}

void gw_bridge_watch_stop(struct gw_bridge_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    atomic_store(&watch->closing, true);
    for (size_t i = 0; i < watch->thread_count; i++) {
        pthread_join(watch->threads[i], NULL);
    }
    gw_bridge_lag_free(watch->lag);
    gw_kafka_consumer_free(watch->consumer);
    pthread_mutex_destroy(&watch->lock);
    gw_mem_free(watch);
}
