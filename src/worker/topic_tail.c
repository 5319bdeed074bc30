// SPDX-License-Identifier: MIT
#include "worker/topic_tail.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "kafka/consumer.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    TICK_MS = 50, // how long the thread waits before it looks at `closing`
    END_TIMEOUT_MS = 1000,
    PARTITIONS_MAX = 64,
    ARENA_BLOCK_BYTES = 16 << 10,
    ARENA_LIMIT_BYTES = 4 << 20,
};

struct gw_topic_tail {
    struct gw_topic_tail_options options;
    const char *topic;                  // full name
    struct gw_kafka_consumer *consumer; // the thread's, as all up to the lock
    struct gw_arena arena;
    struct gw_buf scratch;
    bool standing;                      // the consumer is where it should be
    int64_t first_ends[PARTITIONS_MAX]; // where each partition ended then; -1: read to there
    uint32_t behind;                    // partitions that are not
    uint64_t refused;                   // records passed over

    pthread_mutex_t lock; // guards what follows, and what the visitor fills
    pthread_cond_t caught_up_now;
    bool caught_up;
    char why[160]; // cannot read

    atomic_bool closing;
    pthread_t thread;
    bool started;
};

// ---- the thread -----------------------------------------------------------------------------------------------------

static gw_status stand(struct gw_topic_tail *tail, gw_err *err)
{
    struct gw_kafka_position positions[PARTITIONS_MAX];
    uint32_t count =
        GW_MIN(gw_runtime_partitions(tail->options.runtime, tail->options.topic), (uint32_t)PARTITIONS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        int64_t low = 0;
        int64_t high = 0;
        GW_TRY(gw_kafka_consumer_watermarks(tail->consumer, tail->topic, (int32_t)i, END_TIMEOUT_MS, &low, &high, err));
        positions[i] = (struct gw_kafka_position){
            .topic = tail->topic, .partition = (int32_t)i, .offset = GW_MAX(low, high - tail->options.records_max)};
        tail->first_ends[i] = high;
    }
    tail->behind = count;
    return gw_kafka_consumer_assign(tail->consumer, positions, count, err);
}

static void note_end(struct gw_topic_tail *tail, int32_t partition, int64_t offset)
{
    if (partition < PARTITIONS_MAX && tail->first_ends[partition] >= 0 && offset >= tail->first_ends[partition]) {
        tail->first_ends[partition] = -1;
        tail->behind--;
    }
    if (tail->behind == 0) {
        gw_topic_tail_lock(tail);
        tail->caught_up = true;
        pthread_cond_broadcast(&tail->caught_up_now);
        gw_topic_tail_unlock(tail);
    }
}

static gw_status open_record(struct gw_topic_tail *tail, struct gw_slice value, gw_err *err)
{
    struct gw_slice body;
    const struct gw_schema_gate *gate = gw_runtime_gate(tail->options.runtime, tail->options.topic);
    gw_arena_clear(&tail->arena);
    GW_TRY(gw_schema_gate_open(gate, value, &tail->scratch, &tail->arena, &body, err));
    gw_topic_tail_lock(tail);
    gw_status status = tail->options.visit(tail->options.context, body, &tail->arena, err);
    gw_topic_tail_unlock(tail);
    return status;
}

static void take_record(struct gw_topic_tail *tail, const struct gw_kafka_record *record)
{
    gw_err err = {0};
    if (record->value.data != NULL && open_record(tail, record->value, &err) != GW_OK && tail->refused++ == 0) {
        gw_log_warn("tail.record_passed_over", "topic=%s partition=%d offset=%lld reason='%s'", tail->topic,
                    record->partition, (long long)record->offset, err.message);
    }
}

static gw_status follow(struct gw_topic_tail *tail, gw_err *err)
{
    struct gw_kafka_record record;
    bool got = false;
    if (!tail->standing) {
        GW_TRY(stand(tail, err));
        tail->standing = true;
    }
    gw_status status = gw_kafka_consumer_poll(tail->consumer, TICK_MS, &record, &got, err);
    if (status == GW_E_MISMATCH) { // retention took what stood there, or the topic is a new one
        tail->standing = false;
    }
    if (status == GW_OK && got) {
        if (record.partition_end) {
            note_end(tail, record.partition, record.offset);
        } else {
            take_record(tail, &record);
        }
        gw_kafka_message_free(record.message);
    }
    return status;
}

static void note_state(struct gw_topic_tail *tail, const char *why)
{
    gw_topic_tail_lock(tail);
    bool news = strcmp(tail->why, why) != 0 && why[0] != '\0';
    snprintf(tail->why, sizeof tail->why, "%s", why);
    gw_topic_tail_unlock(tail);
    if (news) {
        gw_log_warn("tail.not_read", "topic=%s reason='%s'", tail->topic, why);
    }
}

static void *run(void *argument)
{
    struct gw_topic_tail *tail = argument;
    while (!atomic_load(&tail->closing)) {
        gw_err err = {0};
        gw_status status = follow(tail, &err);
        note_state(tail, status == GW_OK ? "" : err.message);
        if (status != GW_OK) {
            const struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
            nanosleep(&tick, NULL);
        }
    }
    return NULL;
}

// ---- what others ask ------------------------------------------------------------------------------------------------

void gw_topic_tail_lock(struct gw_topic_tail *tail)
{
    pthread_mutex_lock(&tail->lock);
}

void gw_topic_tail_unlock(struct gw_topic_tail *tail)
{
    pthread_mutex_unlock(&tail->lock);
}

bool gw_topic_tail_caught_up(const struct gw_topic_tail *tail, const char **ret_why)
{
    *ret_why = tail->why;
    return tail->caught_up;
}

gw_status gw_topic_tail_wait(struct gw_topic_tail *tail, uint32_t timeout_ms, gw_err *err)
{
    uint64_t until_us = gw_clock_mono_us() + (uint64_t)timeout_ms * 1000;
    const struct timespec until = {.tv_sec = (time_t)(until_us / 1000000),
                                   .tv_nsec = (long)(until_us % 1000000) * 1000};
    int error = 0;
    gw_status status = GW_OK;
    gw_topic_tail_lock(tail);
    while (!tail->caught_up && error == 0) {
        error = pthread_cond_timedwait(&tail->caught_up_now, &tail->lock, &until);
    }
    if (!tail->caught_up) {
        status = gw_fail(err, GW_E_TIMEOUT, "'%s' is not read to its end after %u ms%s%s", tail->topic, timeout_ms,
                         tail->why[0] != '\0' ? ": " : "", tail->why);
    }
    gw_topic_tail_unlock(tail);
    return status;
}

// ---- life -----------------------------------------------------------------------------------------------------------

static gw_status start(struct gw_topic_tail *tail, gw_err *err)
{
    const struct gw_kafka_consumer_options consumer = {.client = &tail->options.runtime->kafka, .end_events = true};
    GW_TRY(gw_kafka_consumer_new(&consumer, &tail->consumer, err));
    uint32_t partitions = gw_runtime_partitions(tail->options.runtime, tail->options.topic);
    if (partitions > PARTITIONS_MAX) {
        gw_log_warn("tail.partitions_left_out", "topic=%s partitions=%u read=%d", tail->topic, partitions,
                    PARTITIONS_MAX);
    }
    int error = pthread_create(&tail->thread, NULL, run, tail);
    if (error != 0) {
        return gw_fail(err, GW_E_INTERNAL, "cannot start a thread: %s", strerror(error));
    }
    tail->started = true;
    return GW_OK;
}

gw_status gw_topic_tail_start(const struct gw_topic_tail_options *options, struct gw_topic_tail **ret_tail, gw_err *err)
{
    struct gw_topic_tail *tail = gw_mem_calloc(1, sizeof *tail);
    if (tail == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory to follow a topic");
    }
    tail->options = *options;
    tail->topic = gw_runtime_topic(options->runtime, options->topic);
    pthread_mutex_init(&tail->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&tail->caught_up_now, &monotonic);
    pthread_condattr_destroy(&monotonic);
    gw_arena_init(&tail->arena, ARENA_BLOCK_BYTES, ARENA_LIMIT_BYTES);
    gw_status status = start(tail, err);
    if (status != GW_OK) {
        gw_topic_tail_stop(tail);
        return status;
    }
    *ret_tail = tail;
    return GW_OK;
}

void gw_topic_tail_stop(struct gw_topic_tail *tail)
{
    if (tail == NULL) {
        return;
    }
    atomic_store(&tail->closing, true);
    if (tail->started) {
        pthread_join(tail->thread, NULL);
    }
    gw_kafka_consumer_free(tail->consumer);
    gw_arena_deinit(&tail->arena);
    gw_buf_deinit(&tail->scratch);
    pthread_cond_destroy(&tail->caught_up_now);
    pthread_mutex_destroy(&tail->lock);
    gw_mem_free(tail);
}
