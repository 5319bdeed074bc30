// SPDX-License-Identifier: MIT
#include "worker/lane.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct lane_thread {
    struct gw_lane *lane;
    atomic_bool *stop;
};

// One process a slot: two with the same transactional id would fence each other for ever.
static gw_status lock_slot(struct gw_lane *lane, const struct gw_runtime *runtime, const char *id, gw_err *err)
{
    const char *directory = gw_config_text(runtime->config, GW_OPT_WORKER_STATE_DIRECTORY);
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.lock", directory, id);
    lane->lock = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (lane->lock < 0) {
        return gw_fail(err, GW_E_IO, "cannot open lock file '%s': %s", path, strerror(errno));
    }
    if (flock(lane->lock, LOCK_EX | LOCK_NB) != 0) {
        return gw_fail(err, GW_E_CONFIG,
                       "slot '%s' is in use by another process: give this one another worker.instance", id);
    }
    return GW_OK;
}

static gw_status make_commit(struct gw_lane *lane, const struct gw_runtime *runtime,
                             const struct gw_lane_options *options, struct gw_commit **ret_commit, gw_err *err)
{
    switch (options->commit) {
    case GW_LANE_TRANSACTIONS: {
        char id[256];
        snprintf(id, sizeof id, "%s.%s.%s.%u", gw_config_text(runtime->config, GW_OPT_TOPICS_TRANSACTIONAL_PREFIX),
                 options->group, runtime->instance, options->slot);
        GW_TRY(lock_slot(lane, runtime, id, err));
        const struct gw_commit_kafka_options kafka = {.client = &runtime->kafka,
                                                      .transactional_id = id,
                                                      .delivered = options->delivered,
                                                      .context = options->context};
        return gw_commit_kafka_new(&kafka, ret_commit, err);
    }
    case GW_LANE_REDIS:
        return gw_commit_redis_new(&runtime->kafka, lane->store, ret_commit, err);
    default:
        return gw_commit_direct_new(&runtime->kafka, ret_commit, err);
    }
}

static void deinit(struct gw_lane *lane)
{
    gw_loop_free(lane->loop);
    if (lane->free_context != NULL) {
        lane->free_context(lane->context);
    }
    gw_store_free(lane->store);
    if (lane->lock >= 0) {
        close(lane->lock);
    }
}

gw_status gw_lane_init(struct gw_lane *lane, const struct gw_runtime *runtime, const struct gw_lane_options *options,
                       gw_err *err)
{
    *lane = (struct gw_lane){
        .store = options->store, .context = options->context, .free_context = options->free_context, .lock = -1};
    snprintf(lane->name, sizeof lane->name, "%s-%u", options->group, options->slot);
    struct gw_commit *commit = NULL;
    gw_status status = make_commit(lane, runtime, options, &commit, err);
    if (status != GW_OK) {
        return status;
    }

    struct gw_loop_input inputs[GW_LOOP_INPUTS_MAX];
    GW_ASSERT(options->input_count <= GW_LOOP_INPUTS_MAX);
    for (size_t i = 0; i < options->input_count; i++) {
        enum gw_topic topic = options->inputs[i];
        inputs[i] = (struct gw_loop_input){.topic = gw_runtime_topic(runtime, topic),
                                           .dlq_topic = gw_runtime_dlq(runtime, topic),
                                           .partition_count = gw_runtime_count_is_fixed(runtime, topic)
                                                                  ? (int32_t)gw_runtime_partitions(runtime, topic)
                                                                  : 0,
                                           .has_log_id = runtime->defs[topic]->log_id,
                                           .gate = gw_runtime_gate(runtime, topic)};
    }
    const struct gw_loop_options loop = {
        .name = lane->name,
        .ops = options->ops,
        .state = options->state,
        .worker = options->context,
        .commit = commit,
        .client = &runtime->kafka,
        .group = gw_runtime_group(runtime, options->group),
        .inputs = inputs,
        .input_count = options->input_count,
        .low_latency = options->low_latency,
        .poll_wait_ms = (uint32_t)(gw_config_duration_us(runtime->config, GW_OPT_WORKER_POLL_WAIT) / 1000),
        .records_max = options->records_max > 0 ? options->records_max
                                                : (uint32_t)gw_config_u64(runtime->config, GW_OPT_WORKER_POLL_RECORDS),
        .weight_max = options->weight_max,
        .commit_interval_ms = (uint32_t)(options->commit_interval_us / 1000),
        .commit_records = options->commit_records,
        .commits_when_idle = options->commits_when_idle,
        .end_events = options->end_events,
        .retry_max = (uint32_t)gw_config_u64(runtime->config, GW_OPT_WORKER_RETRY_MAX),
        .stop = runtime->stop,
        .status = &lane->status,
    };
    status = gw_loop_new(&loop, &lane->loop, err);
    if (status != GW_OK) {
        commit->ops->free(commit);
    }
    return status;
}

gw_status gw_lanes_add(struct gw_lanes *lanes, const struct gw_runtime *runtime, uint32_t count, gw_lane_make make,
                       gw_err *err)
{
    for (uint32_t i = 0; i < count; i++) {
        if (lanes->count == GW_LANES_MAX) {
            return gw_fail(err, GW_E_CONFIG, "over %d lanes in one process", GW_LANES_MAX);
        }
        struct gw_lane *lane = gw_mem_calloc(1, sizeof *lane);
        if (lane == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for a lane");
        }
        lane->lock = -1;
        lanes->items[lanes->count++] = lane;
        GW_TRY(make(runtime, (uint32_t)lanes->count - 1, lane, err));
    }
    return GW_OK;
}

void gw_lanes_free(struct gw_lanes *lanes)
{
    for (size_t i = 0; i < lanes->count; i++) {
        deinit(lanes->items[i]);
        gw_mem_free(lanes->items[i]);
    }
    lanes->count = 0;
}

static void *run_lane(void *argument)
{
    struct lane_thread *thread = argument;
    struct gw_lane *lane = thread->lane;
    lane->result = gw_loop_run(lane->loop, &lane->err);
    if (lane->result != GW_OK) {
        if (!atomic_exchange(thread->stop, true)) {
            kill(getpid(), SIGTERM); // wakes the signal thread once: a second signal would cut the others' drain
        }
    }
    gw_mem_free(thread);
    return NULL;
}

gw_status gw_lanes_start(struct gw_lanes *lanes, const struct gw_runtime *runtime, gw_err *err)
{
    for (size_t i = 0; i < lanes->count; i++) {
        struct lane_thread *thread = gw_mem_calloc(1, sizeof *thread);
        if (thread == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for a lane's thread");
        }
        *thread = (struct lane_thread){.lane = lanes->items[i], .stop = runtime->stop};
        int error = pthread_create(&lanes->items[i]->thread, NULL, run_lane, thread);
        if (error != 0) {
            gw_mem_free(thread);
            return gw_fail(err, GW_E_INTERNAL, "cannot start a thread: %s", strerror(error));
        }
        lanes->items[i]->started = true;
    }
    return GW_OK;
}

gw_status gw_lanes_join(struct gw_lanes *lanes, gw_err *err)
{
    gw_status status = GW_OK;
    for (size_t i = 0; i < lanes->count; i++) {
        struct gw_lane *lane = lanes->items[i];
        if (!lane->started) {
            continue;
        }
        pthread_join(lane->thread, NULL);
        lane->started = false;
        if (status == GW_OK && lane->result != GW_OK) {
            status = gw_fail(err, lane->result, "%s: %s", lane->name, lane->err.message);
        }
    }
    return status;
}

bool gw_lanes_ready(const struct gw_lanes *lanes, char *detail, size_t size)
{
    for (size_t i = 0; i < lanes->count; i++) {
        const struct gw_loop_status *status = &lanes->items[i]->status;
        unsigned assigned = atomic_load(&status->assigned);
        unsigned ready = atomic_load(&status->ready);
        unsigned homeless = atomic_load(&status->without_position);
        if (!atomic_load(&status->running)) {
            snprintf(detail, size, "%s is not running", lanes->items[i]->name);
            return false;
        }
        if (!atomic_load(&status->member)) {
            snprintf(detail, size, "%s waits for its group", lanes->items[i]->name);
            return false;
        }
        if (homeless > 0) {
            snprintf(detail, size, "%s: %u partitions without a starting offset: run godwit topics apply",
                     lanes->items[i]->name, homeless);
            return false;
        }
        if (ready < assigned) {
            snprintf(detail, size, "%s reads %u of %u partitions", lanes->items[i]->name, ready, assigned);
            return false;
        }
    }
    snprintf(detail, size, "ok");
    return true;
}
