// SPDX-License-Identifier: MIT
// A caller over the synchronous topics: one thread sends when due, this one reads its own reply partition.
#include "support/schedule.h"

#include "avro/framing.h"
#include "base/clock.h"
#include "base/hash.h"
#include "kafka/consumer.h"
#include "kafka/producer.h"
#include "records/prediction.h"
#include "support/session.h"
#include "support/world.h"

#include <pthread.h>
#include <string.h>

enum {
    REPLY_PARTITION = 0,
    POLL_MS = 50,
    FLUSH_MS = 5000,
    CALL_MS = 20000,
    ARENA_BYTES = 1 << 20,
    ARENA_LIMIT_BYTES = 64 << 20,
};

struct sender {
    const struct bench_session *session;
    struct bench_requests *requests;
    struct bench_schedule *schedule;
    gw_status status;
    gw_err err;
};

static gw_status send_one(struct sender *sender, struct gw_kafka_producer *producer, struct gw_buf *value,
                          struct bench_due *due)
{
    const struct gw_runtime *runtime = &sender->session->runtime;
    gw_err *err = &sender->err;
    struct gw_prediction_request request;
    int64_t early_us = (int64_t)(due->due_us - gw_clock_mono_us()); // negative: late
    bench_requests_next(sender->requests, (gw_clock_wall_us() + early_us) / 1000, &request);
    gw_buf_clear(value);
    GW_TRY(gw_avro_frame_begin(value, gw_runtime_schema_id(runtime, GW_TOPIC_PREDICTION_REQUESTS_SYNC)));
    GW_TRY(gw_prediction_request_encode(&request, value));
    bench_sleep_until(due->due_us);
    due->sent_us = gw_clock_mono_us();
    uint8_t key[8];
    uint8_t reply_partition[4];
    gw_store_be64(key, (uint64_t)request.user_id);
    gw_store_be32(reply_partition, REPLY_PARTITION);
    const char *reply_topic = gw_runtime_topic(runtime, GW_TOPIC_PREDICTION_REPLIES);
    const struct gw_kafka_header headers[] = {
        {"kafka_correlationId", gw_slice_make(request.request_id, sizeof request.request_id)},
        {"kafka_replyTopic", gw_slice_text(reply_topic)},
        {"kafka_replyPartition", gw_slice_make(reply_partition, sizeof reply_partition)}};
    uint32_t partitions = gw_runtime_partitions(runtime, GW_TOPIC_PREDICTION_REQUESTS_SYNC);
    const struct gw_kafka_output output = {.topic = gw_runtime_topic(runtime, GW_TOPIC_PREDICTION_REQUESTS_SYNC),
                                           .partition = (int32_t)gw_hash_partition_of_id(request.user_id, partitions),
                                           .key = gw_slice_make(key, sizeof key),
                                           .value = gw_buf_slice(value),
                                           .headers = headers,
                                           .header_count = GW_COUNT_OF(headers)};
    GW_TRY(gw_kafka_produce(producer, &output, err));
    gw_kafka_producer_poll(producer, 0);
    return GW_OK;
}

static void *send_all(void *argument)
{
    struct sender *sender = argument;
    struct gw_kafka_producer *producer = NULL;
    struct gw_buf value = {0};
    const struct gw_kafka_producer_options options = {.client = &sender->session->runtime.kafka,
                                                      .kind = GW_KAFKA_PRODUCER_LATENCY};
    sender->status = gw_kafka_producer_new(&options, &producer, &sender->err);
    for (uint64_t i = 0; i < sender->schedule->count && sender->status == GW_OK; i++) {
        sender->status = send_one(sender, producer, &value, &sender->schedule->items[i]);
    }
    if (sender->status == GW_OK) {
        sender->status = gw_kafka_producer_flush(producer, FLUSH_MS, &sender->err);
    }
    gw_kafka_producer_free(producer);
    gw_buf_deinit(&value);
    return NULL;
}

// Notes the answer. Requests are known by their numbers, of which `first` is the schedule's first; others are late
// answers to an earlier schedule.
static gw_status take_reply(const struct bench_session *session, struct bench_schedule *schedule, uint64_t first,
                            const struct gw_kafka_record *record, struct gw_arena *arena, struct gw_buf *scratch,
                            uint64_t *answered, gw_err *err)
{
    uint64_t now_us = gw_clock_mono_us();
    struct gw_slice body;
    struct gw_prediction prediction;
    gw_arena_clear(arena);
    GW_TRY(gw_schema_gate_open(gw_runtime_gate(&session->runtime, GW_TOPIC_PREDICTION_REPLIES), record->value, scratch,
                               arena, &body, err));
    GW_TRY(gw_prediction_decode(body, arena, &prediction, err));
    uint64_t number = bench_request_number(prediction.request_id) - first;
    if (number < schedule->count && schedule->items[number].outcome == BENCH_WAITING) {
        struct bench_due *due = &schedule->items[number];
        due->done_us = now_us;
        due->queue_us = (uint32_t)prediction.queue_us;
        due->hydrate_us = (uint32_t)prediction.hydrate_us;
        due->score_us = (uint32_t)prediction.score_us;
        due->version = prediction.model_version;
        due->outcome = prediction.status == GW_PREDICTION_STATUS_OK        ? BENCH_OK
                       : prediction.status == GW_PREDICTION_STATUS_PARTIAL ? BENCH_PARTIAL
                                                                           : BENCH_FAILED;
        ++*answered;
    }
    return GW_OK;
}

static gw_status read_replies(const struct bench_session *session, struct gw_kafka_consumer *consumer,
                              struct bench_schedule *schedule, uint64_t first, gw_err *err)
{
    struct gw_arena arena;
    struct gw_buf scratch = {0};
    gw_arena_init(&arena, ARENA_BYTES, ARENA_LIMIT_BYTES);
    uint64_t until_us = schedule->items[schedule->count - 1].due_us + BENCH_GIVE_UP_MS * 1000ULL;
    uint64_t answered = 0;
    gw_status status = GW_OK;
    while (status == GW_OK && answered < schedule->count && gw_clock_mono_us() < until_us) {
        struct gw_kafka_record record;
        bool got = false;
        status = gw_kafka_consumer_poll(consumer, POLL_MS, &record, &got, err);
        if (status == GW_OK && got) {
            status = take_reply(session, schedule, first, &record, &arena, &scratch, &answered, err);
            gw_kafka_message_free(record.message);
        }
    }
    gw_arena_deinit(&arena);
    gw_buf_deinit(&scratch);
    return status;
}

gw_status bench_replies_open(const struct bench_session *session, struct gw_kafka_consumer **ret_replies, gw_err *err)
{
    const struct gw_kafka_consumer_options options = {.client = &session->runtime.kafka, .low_latency = true};
    struct gw_kafka_consumer *consumer = NULL;
    GW_TRY(gw_kafka_consumer_new(&options, &consumer, err));
    struct gw_kafka_position position = {.topic = gw_runtime_topic(&session->runtime, GW_TOPIC_PREDICTION_REPLIES),
                                         .partition = REPLY_PARTITION};
    int64_t low = 0;
    gw_status status = gw_kafka_consumer_watermarks(consumer, position.topic, position.partition, CALL_MS, &low,
                                                    &position.offset, err);
    if (status == GW_OK) {
        status = gw_kafka_consumer_assign(consumer, &position, 1, err);
    }
    if (status != GW_OK) {
        gw_kafka_consumer_free(consumer);
        return status;
    }
    *ret_replies = consumer;
    return GW_OK;
}

gw_status bench_drive_kafka(const struct bench_session *session, struct gw_kafka_consumer *replies,
                            struct bench_requests *requests, struct bench_schedule *schedule, gw_err *err)
{
    uint64_t first = requests->made; // before the sender starts to draw
    struct sender sender = {.session = session, .requests = requests, .schedule = schedule};
    pthread_t thread;
    int error = pthread_create(&thread, NULL, send_all, &sender);
    if (error != 0) {
        return gw_fail(err, GW_E_INTERNAL, "cannot start a thread: %s", strerror(error));
    }
    gw_status status = read_replies(session, replies, schedule, first, err);
    pthread_join(thread, NULL);
    if (status == GW_OK && sender.status != GW_OK) {
        *err = sender.err;
        status = sender.status;
    }
    return status;
}
