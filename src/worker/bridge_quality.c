// SPDX-License-Identifier: MIT
#include "worker/bridge_quality.h"

#include "base/log.h"
#include "base/mem.h"
#include "kafka/consumer.h"
#include "worker/quality_view.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    TICK_MS = 50, // how long the thread waits before it looks at `closing`
    LOOK_BACK_RECORDS = 20000,
    MODELS_MAX = 64,
    SERIES_MAX = 128,
    END_TIMEOUT_MS = 1000,
    PARTITIONS_MAX = 64,
    ARENA_BLOCK_BYTES = 16 << 10,
    ARENA_LIMIT_BYTES = 4 << 20,
};

struct gw_bridge_quality {
    const struct gw_runtime *runtime;
    struct gw_kafka_consumer *consumer; // the thread's, as all up to the lock
    struct gw_arena arena;
    struct gw_buf scratch;
    bool standing;                      // the consumer is where it should be
    int64_t first_ends[PARTITIONS_MAX]; // where each partition ended then; -1: read to there
    uint32_t behind;                    // partitions that are not
    uint64_t refused;                   // records that say nothing we can show

    pthread_mutex_t lock; // guards what follows
    struct gw_quality_view *view;
    bool caught_up;
    char why[160]; // cannot read

    atomic_bool closing;
    pthread_t thread;
    bool started;
};

static uint32_t partition_count(const struct gw_bridge_quality *quality)
{
    return GW_MIN(gw_runtime_partitions(quality->runtime, GW_TOPIC_MODEL_QUALITY), (uint32_t)PARTITIONS_MAX);
}

static gw_status stand(struct gw_bridge_quality *quality, gw_err *err)
{
    const char *topic = gw_runtime_topic(quality->runtime, GW_TOPIC_MODEL_QUALITY);
    struct gw_kafka_position positions[PARTITIONS_MAX];
    uint32_t count = partition_count(quality);
    for (uint32_t i = 0; i < count; i++) {
        int64_t low = 0;
        int64_t high = 0;
        GW_TRY(gw_kafka_consumer_watermarks(quality->consumer, topic, (int32_t)i, END_TIMEOUT_MS, &low, &high, err));
        positions[i] = (struct gw_kafka_position){
            .topic = topic, .partition = (int32_t)i, .offset = GW_MAX(low, high - LOOK_BACK_RECORDS)};
        quality->first_ends[i] = high;
    }
    quality->behind = count;
    return gw_kafka_consumer_assign(quality->consumer, positions, count, err);
}

static void note_end(struct gw_bridge_quality *quality, int32_t partition, int64_t offset)
{
    if (partition < PARTITIONS_MAX && quality->first_ends[partition] >= 0 && offset >= quality->first_ends[partition]) {
        quality->first_ends[partition] = -1;
        quality->behind--;
    }
    if (quality->behind == 0) {
        pthread_mutex_lock(&quality->lock);
        quality->caught_up = true;
        pthread_mutex_unlock(&quality->lock);
    }
}

static gw_status note_record(struct gw_bridge_quality *quality, struct gw_slice value, gw_err *err)
{
    struct gw_slice body;
    struct gw_model_quality record;
    const struct gw_schema_gate *gate = gw_runtime_gate(quality->runtime, GW_TOPIC_MODEL_QUALITY);
    gw_arena_clear(&quality->arena);
    GW_TRY(gw_schema_gate_open(gate, value, &quality->scratch, &quality->arena, &body, err));
    GW_TRY(gw_model_quality_decode(body, &quality->arena, &record, err));
    pthread_mutex_lock(&quality->lock);
    gw_status status = gw_quality_view_note(quality->view, &record, err);
    pthread_mutex_unlock(&quality->lock);
    return status;
}

// A record that cannot be read is passed over, once with its reason in the log.
static void take_record(struct gw_bridge_quality *quality, const struct gw_kafka_record *record)
{
    gw_err err = {0};
    if (record->value.data != NULL && note_record(quality, record->value, &err) != GW_OK && quality->refused++ == 0) {
        gw_log_warn("model_quality.record_passed_over", "partition=%d offset=%lld reason='%s'", record->partition,
                    (long long)record->offset, err.message);
    }
}

static gw_status follow(struct gw_bridge_quality *quality, gw_err *err)
{
    struct gw_kafka_record record;
    bool got = false;
    if (!quality->standing) {
        GW_TRY(stand(quality, err));
        quality->standing = true;
    }
    gw_status status = gw_kafka_consumer_poll(quality->consumer, TICK_MS, &record, &got, err);
    if (status == GW_E_MISMATCH) { // retention took what stood there, or the topic is a new one
        quality->standing = false;
    }
    if (status == GW_OK && got) {
        if (record.partition_end) {
            note_end(quality, record.partition, record.offset);
        } else {
            take_record(quality, &record);
        }
        gw_kafka_message_free(record.message);
    }
    return status;
}

static void note_state(struct gw_bridge_quality *quality, const char *why)
{
    pthread_mutex_lock(&quality->lock);
    bool news = strcmp(quality->why, why) != 0 && why[0] != '\0';
    snprintf(quality->why, sizeof quality->why, "%s", why);
    pthread_mutex_unlock(&quality->lock);
    if (news) {
        gw_log_warn("model_quality.not_read", "reason='%s'", why);
    }
}

static void *run(void *argument)
{
    struct gw_bridge_quality *quality = argument;
    while (!atomic_load(&quality->closing)) {
        gw_err err = {0};
        gw_status status = follow(quality, &err);
        note_state(quality, status == GW_OK ? "" : err.message);
        if (status != GW_OK) {
            const struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
            nanosleep(&tick, NULL);
        }
    }
    return NULL;
}

// ---- what others ask ------------------------------------------------------------------------------------------------

gw_status gw_bridge_quality_ask(struct gw_bridge_quality *quality, struct gw_slice model, uint32_t windows,
                                struct gw_api_quality *ret_quality, gw_err *err)
{
    pthread_mutex_lock(&quality->lock);
    gw_status status = gw_quality_view_ask(quality->view, model, windows, ret_quality, err);
    if (status == GW_E_NOT_FOUND && !quality->caught_up) {
        status = gw_fail(err, GW_E_UNAVAILABLE, "live quality is still being read%s%s",
                         quality->why[0] != '\0' ? ": " : "", quality->why);
    }
    pthread_mutex_unlock(&quality->lock);
    return status;
}

// ---- life -----------------------------------------------------------------------------------------------------------

static gw_status init(struct gw_bridge_quality *quality, gw_err *err)
{
    const struct gw_kafka_consumer_options consumer = {.client = &quality->runtime->kafka, .end_events = true};
    const struct gw_quality_view_options view = {
        .models_max = MODELS_MAX, .series_max = SERIES_MAX, .windows_max = GW_API_QUALITY_WINDOWS_MAX};
    quality->view = gw_quality_view_new(&view);
    if (quality->view == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for live quality");
    }
    GW_TRY(gw_kafka_consumer_new(&consumer, &quality->consumer, err));
    int error = pthread_create(&quality->thread, NULL, run, quality);
    if (error != 0) {
        return gw_fail(err, GW_E_INTERNAL, "cannot start a thread: %s", strerror(error));
    }
    quality->started = true;
    return GW_OK;
}

gw_status gw_bridge_quality_start(const struct gw_runtime *runtime, struct gw_bridge_quality **ret_quality, gw_err *err)
{
    struct gw_bridge_quality *quality = gw_mem_calloc(1, sizeof *quality);
    if (quality == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for live quality");
    }
    quality->runtime = runtime;
    pthread_mutex_init(&quality->lock, NULL);
    gw_arena_init(&quality->arena, ARENA_BLOCK_BYTES, ARENA_LIMIT_BYTES);
    gw_status status = init(quality, err);
    if (status != GW_OK) {
        gw_bridge_quality_stop(quality);
        return status;
    }
    *ret_quality = quality;
    return GW_OK;
}

void gw_bridge_quality_stop(struct gw_bridge_quality *quality)
{
    if (quality == NULL) {
        return;
    }
    atomic_store(&quality->closing, true);
    if (quality->started) {
        pthread_join(quality->thread, NULL);
    }
    gw_kafka_consumer_free(quality->consumer);
    gw_quality_view_free(quality->view);
    gw_arena_deinit(&quality->arena);
    gw_buf_deinit(&quality->scratch);
    pthread_mutex_destroy(&quality->lock);
    gw_mem_free(quality);
}
