// SPDX-License-Identifier: MIT
#include "worker/bridge_predict.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/queue.h"
#include "kafka/consumer.h"
#include "kafka/producer.h"
#include "worker/bridge_codec.h"
#include "worker/bridge_flights.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum {
    WAIT_MS = 50,          // how long a thread waits before it looks at `closing`
    END_TIMEOUT_MS = 1000, // of one question for the end of the reply partition
    ALIVE_US = 5000000,
    COMPLAIN_US = 5000000, // bad replies are logged at most this often
    ARENA_BLOCK_BYTES = 256 << 10,
    ARENA_LIMIT_BYTES = 64 << 20,
    QUEUED_BYTES_MAX = 64 << 20, // encoded requests on their way to the sender
    PRODUCER_BYTES_MAX = 64 << 20,
    WHY_BYTES = 160,
};

// An encoded request on its way to the sender.
struct outgoing {
    uint8_t request_id[GW_FLIGHT_ID_BYTES];
    int64_t user_id;
    uint64_t deadline_us;
    char traceparent[56];
    struct gw_buf value;
};

struct gw_bridge_predict {
    const struct gw_runtime *runtime;
    int32_t reply_partition;

    pthread_mutex_t lock;       // guards flights, failure and why
    pthread_cond_t timer_wakes; // an earlier deadline, or closing; monotonic clock
    struct gw_flights *flights;
    gw_err failure;
    char why[WHY_BYTES]; // answers cannot be received

    struct gw_queue *queue; // struct outgoing
    atomic_size_t queued_bytes;
    struct gw_kafka_producer *producer; // the sender's
    struct gw_kafka_consumer *consumer; // the receiver's

    atomic_bool closing;
    atomic_bool draining;
    atomic_bool ready; // the receiver stands at an end it has asked for
    atomic_bool kafka_up;
    atomic_ullong turned_us; // monotonic: the receiver's last turn
    pthread_t threads[3];
    size_t thread_count;

    struct gw_metric *outcomes[GW_API_OUTCOME_COUNT];
    struct gw_metric *inflight;
    struct gw_metric *unknown;
    struct gw_metric *bad;
    struct gw_metric *latency;
};

// ---- answering ------------------------------------------------------------------------------------------------------

// Takes the flight, which is out of the table.
static void answer(struct gw_bridge_predict *predict, const struct gw_flight *flight,
                   const struct gw_api_prediction *prediction)
{
    gw_metric_add(predict->outcomes[prediction->outcome], 1);
    gw_metric_observe_us(predict->latency, gw_clock_mono_us() - flight->start_us);
    gw_api_predict_done(flight->call, prediction);
}

static void answer_failure(struct gw_bridge_predict *predict, const struct gw_flight *flight,
                           enum gw_api_outcome outcome, const char *detail)
{
    const struct gw_api_prediction prediction = {
        .outcome = outcome, .detail = detail, .request_join_id = flight->request_join_id};
    answer(predict, flight, &prediction);
}

static bool take(struct gw_bridge_predict *predict, const uint8_t *request_id, struct gw_flight *ret_flight)
{
    pthread_mutex_lock(&predict->lock);
    bool taken = gw_flights_take(predict->flights, request_id, ret_flight);
    gw_metric_set(predict->inflight, (double)gw_flights_count(predict->flights));
    pthread_mutex_unlock(&predict->lock);
    return taken;
}

// Gives up on what is past its deadline; waits for the next one.
static void *run_timer(void *argument)
{
    struct gw_bridge_predict *predict = argument;
    pthread_mutex_lock(&predict->lock);
    while (!atomic_load(&predict->closing)) {
        struct gw_flight flight;
        if (gw_flights_take_expired(predict->flights, gw_clock_mono_us(), &flight)) {
            gw_metric_set(predict->inflight, (double)gw_flights_count(predict->flights));
            pthread_mutex_unlock(&predict->lock);
            answer_failure(predict, &flight, GW_API_DEADLINE_EXCEEDED, "no answer came in time");
            pthread_mutex_lock(&predict->lock);
            continue;
        }
        uint64_t next_us = gw_flights_next_deadline_us(predict->flights);
        if (next_us == UINT64_MAX) {
            pthread_cond_wait(&predict->timer_wakes, &predict->lock);
        } else {
            const struct timespec until = {.tv_sec = (time_t)(next_us / 1000000),
                                           .tv_nsec = (long)(next_us % 1000000) * 1000};
            pthread_cond_timedwait(&predict->timer_wakes, &predict->lock, &until);
        }
    }
    pthread_mutex_unlock(&predict->lock);
    return NULL;
}

// ---- sending --------------------------------------------------------------------------------------------------------

static void outgoing_free(struct outgoing *outgoing)
{
    if (outgoing != NULL) {
        gw_buf_deinit(&outgoing->value);
        gw_mem_free(outgoing);
    }
}

// Spring's header names: any service that answers Spring's requests answers ours.
static gw_status send(struct gw_bridge_predict *predict, const struct outgoing *outgoing, gw_err *err)
{
    const struct gw_runtime *runtime = predict->runtime;
    uint8_t key[8];
    uint8_t partition[4];
    gw_store_be64(key, (uint64_t)outgoing->user_id);
    gw_store_be32(partition, (uint32_t)predict->reply_partition);
    const struct gw_kafka_header headers[] = {
        {"kafka_correlationId", gw_slice_make(outgoing->request_id, sizeof outgoing->request_id)},
        {"kafka_replyTopic", gw_slice_text(gw_runtime_topic(runtime, GW_TOPIC_PREDICTION_REPLIES))},
        {"kafka_replyPartition", gw_slice_make(partition, sizeof partition)},
        {"traceparent", gw_slice_text(outgoing->traceparent)},
    };
    uint32_t partitions = gw_runtime_partitions(runtime, GW_TOPIC_PREDICTION_REQUESTS_SYNC);
    const struct gw_kafka_output output = {
        .topic = gw_runtime_topic(runtime, GW_TOPIC_PREDICTION_REQUESTS_SYNC),
        .partition = (int32_t)gw_hash_partition_of_id(outgoing->user_id, partitions),
        .key = gw_slice_make(key, sizeof key),
        .value = gw_buf_slice(&outgoing->value),
        .headers = headers,
        .header_count = GW_COUNT_OF(headers) - (outgoing->traceparent[0] == '\0'),
    };
    return gw_kafka_produce(predict->producer, &output, err);
}

static void send_or_refuse(struct gw_bridge_predict *predict, const struct outgoing *outgoing)
{
    if (gw_clock_mono_us() >= outgoing->deadline_us) {
        return; // the timer has told the caller; a scorer would refuse it anyway
    }
    gw_err err = {0};
    struct gw_flight flight;
    gw_status status = send(predict, outgoing, &err);
    if (status != GW_OK && take(predict, outgoing->request_id, &flight)) {
        answer_failure(predict, &flight, status == GW_E_TOO_LARGE ? GW_API_INVALID : GW_API_UNAVAILABLE, err.message);
    }
}

static void *run_sender(void *argument)
{
    struct gw_bridge_predict *predict = argument;
    while (!atomic_load(&predict->closing)) {
        struct outgoing *outgoing = gw_queue_pop(predict->queue, WAIT_MS);
        if (outgoing != NULL) {
            atomic_fetch_sub(&predict->queued_bytes, outgoing->value.size);
            send_or_refuse(predict, outgoing);
            outgoing_free(outgoing);
        }
        gw_kafka_producer_poll(predict->producer, 0);
    }
    return NULL;
}

static void make_ids(struct gw_bridge_ids *ids)
{
    uint8_t bytes[24];
    for (size_t have = 0; have < sizeof bytes;) {
        ssize_t got = getrandom(bytes + have, sizeof bytes - have, 0);
        GW_ASSERT(got > 0 || errno == EINTR); // 24 bytes of the kernel's pool cannot fail otherwise
        have += got > 0 ? (size_t)got : 0;
    }
    memcpy(ids->request_id, bytes, sizeof ids->request_id);
    ids->request_join_id = (int64_t)(gw_load_be64(bytes + 16) >> 1);
    ids->request_join_id += ids->request_join_id == 0; // 0 means none
}

static gw_status check_open(struct gw_bridge_predict *predict, gw_err *err)
{
    if (atomic_load(&predict->draining)) {
        return gw_fail(err, GW_E_UNAVAILABLE, "the service is stopping");
    }
    if (!atomic_load(&predict->kafka_up)) {
        return gw_fail(err, GW_E_UNAVAILABLE, "Kafka is away");
    }
    return atomic_load(&predict->ready) ? GW_OK : gw_fail(err, GW_E_UNAVAILABLE, "answers cannot be received yet");
}

// Puts the flight into the table and its request into the queue. Takes `outgoing` when GW_OK.
static gw_status launch(struct gw_bridge_predict *predict, const struct gw_flight *flight, struct outgoing *outgoing,
                        gw_err *err)
{
    size_t size = outgoing->value.size;
    if (atomic_load(&predict->queued_bytes) + size > QUEUED_BYTES_MAX) {
        return gw_fail(err, GW_E_EXHAUSTED, "%d MiB of requests wait to be sent", QUEUED_BYTES_MAX >> 20);
    }
    bool earliest = false;
    pthread_mutex_lock(&predict->lock);
    gw_status status = gw_flights_add(predict->flights, flight, &earliest, err);
    gw_metric_set(predict->inflight, (double)gw_flights_count(predict->flights));
    if (earliest) {
        pthread_cond_signal(&predict->timer_wakes);
    }
    pthread_mutex_unlock(&predict->lock);
    if (status != GW_OK) {
        return status;
    }
    atomic_fetch_add(&predict->queued_bytes, size); // before the sender can subtract it
    if (gw_queue_try_push(predict->queue, outgoing)) {
        return GW_OK;
    }
    atomic_fetch_sub(&predict->queued_bytes, size);
    struct gw_flight taken;
    if (take(predict, flight->request_id, &taken)) {
        return gw_fail(err, GW_E_EXHAUSTED, "too many requests wait to be sent");
    }
    outgoing_free(outgoing); // the timer was faster: the caller is answered
    return GW_OK;
}

static gw_status submit(struct gw_bridge_predict *predict, const struct gw_api_predict *request,
                        struct gw_api_call *call, gw_err *err)
{
    struct gw_bridge_ids ids;
    GW_TRY(check_open(predict, err));
    struct outgoing *outgoing = gw_mem_calloc(1, sizeof *outgoing);
    if (outgoing == NULL) {
        return gw_fail(err, GW_E_EXHAUSTED, "no memory for a request");
    }
    make_ids(&ids);
    const uint64_t now_us = gw_clock_mono_us();
    struct gw_flight flight = {.request_join_id = ids.request_join_id,
                               .call = call,
                               .start_us = now_us,
                               .deadline_us = now_us + (uint64_t)request->timeout_ms * 1000};
    memcpy(flight.request_id, ids.request_id, sizeof flight.request_id);
    memcpy(outgoing->request_id, ids.request_id, sizeof outgoing->request_id);
    memcpy(outgoing->traceparent, request->traceparent, sizeof outgoing->traceparent);
    outgoing->user_id = request->user_id;
    outgoing->deadline_us = flight.deadline_us;

    uint32_t schema_id = gw_runtime_schema_id(predict->runtime, GW_TOPIC_PREDICTION_REQUESTS_SYNC);
    gw_status status = gw_bridge_encode(request, &ids, schema_id, gw_clock_wall_ms(), &outgoing->value, err);
    if (status == GW_OK) {
        status = launch(predict, &flight, outgoing, err);
    }
    if (status != GW_OK) {
        outgoing_free(outgoing);
    }
    return status;
}

gw_status gw_bridge_predict_submit(struct gw_bridge_predict *predict, const struct gw_api_predict *request,
                                   struct gw_api_call *call, gw_err *err)
{
    gw_status status = submit(predict, request, call, err);
    if (status != GW_OK) {
        gw_metric_add(predict->outcomes[status == GW_E_EXHAUSTED ? GW_API_OVERLOADED : GW_API_UNAVAILABLE], 1);
    }
    return status;
}

// ---- receiving ------------------------------------------------------------------------------------------------------

static void set_why(struct gw_bridge_predict *predict, const char *why)
{
    pthread_mutex_lock(&predict->lock);
    bool news = strcmp(predict->why, why) != 0;
    snprintf(predict->why, sizeof predict->why, "%.*s", WHY_BYTES - 1, why);
    pthread_mutex_unlock(&predict->lock);
    if (news) {
        gw_log_warn("replies.not_received", "reason='%s'", why);
    }
}

// Stands the receiver at the end of its partition. Until this has worked no request is taken.
static gw_status stand_at_end(struct gw_bridge_predict *predict, gw_err *err)
{
    const char *topic = gw_runtime_topic(predict->runtime, GW_TOPIC_PREDICTION_REPLIES);
    int64_t low = 0;
    int64_t high = 0;
    GW_TRY(gw_kafka_consumer_watermarks(predict->consumer, topic, predict->reply_partition, END_TIMEOUT_MS, &low, &high,
                                        err));
    const struct gw_kafka_position position = {.topic = topic, .partition = predict->reply_partition, .offset = high};
    GW_TRY(gw_kafka_consumer_assign(predict->consumer, &position, 1, err));
    gw_log_info("replies.assigned", "topic=%s partition=%d offset=%lld", topic, predict->reply_partition,
                (long long)high);
    return GW_OK;
}

static gw_status receive(struct gw_bridge_predict *predict, struct gw_slice value, struct gw_buf *scratch,
                         struct gw_arena *arena, gw_err *err)
{
    struct gw_slice body;
    struct gw_prediction prediction;
    struct gw_flight flight;
    const struct gw_schema_gate *gate = gw_runtime_gate(predict->runtime, GW_TOPIC_PREDICTION_REPLIES);
    GW_TRY(gw_schema_gate_open(gate, value, scratch, arena, &body, err));
    GW_TRY(gw_prediction_decode(body, arena, &prediction, err));
    if (!take(predict, prediction.request_id, &flight)) {
        gw_metric_add(predict->unknown, 1); // given up, of an earlier run, or another bridge's on a shared partition
        return GW_OK;
    }
    struct gw_api_prediction shown;
    gw_status status = gw_bridge_answer(&prediction, arena, &shown, err);
    if (status != GW_OK) {
        answer_failure(predict, &flight, GW_API_INTERNAL, err->message);
        return status;
    }
    shown.request_join_id = flight.request_join_id;
    answer(predict, &flight, &shown);
    return GW_OK;
}

struct receiver {
    struct gw_buf scratch;
    struct gw_arena arena;
    uint64_t complained_us;
};

static void handle(struct gw_bridge_predict *predict, struct receiver *receiver, const struct gw_kafka_record *record)
{
    gw_err err = {0};
    gw_arena_clear(&receiver->arena);
    if (receive(predict, record->value, &receiver->scratch, &receiver->arena, &err) == GW_OK) {
        return;
    }
    gw_metric_add(predict->bad, 1);
    uint64_t now_us = gw_clock_mono_us();
    if (now_us - receiver->complained_us >= COMPLAIN_US) {
        receiver->complained_us = now_us;
        gw_log_warn("reply.unreadable", "partition=%d offset=%lld reason='%s'", record->partition,
                    (long long)record->offset, err.message);
    }
}

// One turn of the receiver: stands where it must, waits for one record, handles it.
static gw_status turn(struct gw_bridge_predict *predict, struct receiver *receiver, gw_err *err)
{
    if (!atomic_load(&predict->ready)) {
        GW_TRY(stand_at_end(predict, err));
        atomic_store(&predict->ready, true);
        set_why(predict, "");
    }
    struct gw_kafka_record record;
    bool got = false;
    GW_TRY(gw_kafka_consumer_poll(predict->consumer, WAIT_MS, &record, &got, err));
    if (got) {
        if (!record.partition_end && record.value.data != NULL) {
            handle(predict, receiver, &record);
        }
        gw_kafka_message_free(record.message);
    }
    return GW_OK;
}

static void fail_for_good(struct gw_bridge_predict *predict, const gw_err *err)
{
    atomic_store(&predict->ready, false);
    pthread_mutex_lock(&predict->lock);
    predict->failure = *err;
    pthread_mutex_unlock(&predict->lock);
}

static void *run_receiver(void *argument)
{
    struct gw_bridge_predict *predict = argument;
    struct receiver receiver = {0};
    gw_arena_init(&receiver.arena, ARENA_BLOCK_BYTES, ARENA_LIMIT_BYTES);
    while (!atomic_load(&predict->closing)) {
        gw_err err = {0};
        atomic_store_explicit(&predict->turned_us, gw_clock_mono_us(), memory_order_relaxed);
        gw_status status = turn(predict, &receiver, &err);
        if (status == GW_OK) {
            continue;
        }
        // What stood at our position is gone (retention, or a topic made anew): go to the end again.
        bool moved = status == GW_E_MISMATCH && atomic_exchange(&predict->ready, false);
        if (!atomic_load(&predict->ready)) {
            set_why(predict, err.message);
        }
        if (!moved && gw_status_class(status) == GW_CLASS_FATAL) {
            fail_for_good(predict, &err);
            break;
        }
        const struct timespec pause = {.tv_nsec = WAIT_MS * 1000000L};
        nanosleep(&pause, NULL);
    }
    gw_arena_deinit(&receiver.arena);
    gw_buf_deinit(&receiver.scratch);
    return NULL;
}

// ---- what others ask ------------------------------------------------------------------------------------------------

void gw_bridge_predict_set_kafka(struct gw_bridge_predict *predict, bool up)
{
    atomic_store(&predict->kafka_up, up);
}

bool gw_bridge_predict_alive(const struct gw_bridge_predict *predict)
{
    return gw_clock_mono_us() - atomic_load_explicit(&predict->turned_us, memory_order_relaxed) < ALIVE_US;
}

void gw_bridge_predict_health(struct gw_bridge_predict *predict, struct gw_api_dependency *ret_health)
{
    bool ready = atomic_load(&predict->ready);
    *ret_health = (struct gw_api_dependency){
        .name = "replies", .required = true, .latency_ms = NAN, .state = ready ? GW_API_STATE_UP : GW_API_STATE_DOWN};
    if (!ready) {
        pthread_mutex_lock(&predict->lock);
        snprintf(ret_health->detail, sizeof ret_health->detail, "%s",
                 predict->why[0] != '\0' ? predict->why : "not positioned yet");
        pthread_mutex_unlock(&predict->lock);
    }
}

gw_status gw_bridge_predict_failure(struct gw_bridge_predict *predict, gw_err *err)
{
    pthread_mutex_lock(&predict->lock);
    gw_err failure = predict->failure;
    pthread_mutex_unlock(&predict->lock);
    return failure.status == GW_OK ? GW_OK : gw_fail(err, failure.status, "replies: %s", failure.message);
}

int32_t gw_bridge_predict_partition(const struct gw_bridge_predict *predict)
{
    return predict->reply_partition;
}

// ---- life -----------------------------------------------------------------------------------------------------------

static const char *const outcome_names[] = {
#define X(suffix) [GW_API_##suffix] = #suffix,
    GW_API_OUTCOME_MAP(X)
#undef X
};

static gw_status make_metrics(struct gw_bridge_predict *predict, gw_err *err)
{
    struct gw_metrics *metrics = predict->runtime->metrics;
    bool made = true;
    for (int i = 0; i < GW_API_OUTCOME_COUNT; i++) {
        char labels[48];
        snprintf(labels, sizeof labels, "outcome=\"%s\"", outcome_names[i]);
        predict->outcomes[i] = gw_metrics_counter(metrics, "godwit_bridge_predictions_total", labels,
                                                  "Prediction requests of callers, by how they ended.");
        made = made && predict->outcomes[i] != NULL;
    }
    predict->inflight =
        gw_metrics_gauge(metrics, "godwit_bridge_inflight_requests", "", "Callers who wait for a prediction.");
    predict->unknown = gw_metrics_counter(metrics, "godwit_bridge_unknown_replies_total", "",
                                          "Replies nobody waits for: late, of an earlier run, or another bridge's.");
    predict->bad =
        gw_metrics_counter(metrics, "godwit_bridge_unreadable_replies_total", "", "Replies that could not be decoded.");
    predict->latency = gw_metrics_histogram(metrics, "godwit_bridge_latency_seconds", "",
                                            "From a request's acceptance to its answer, whatever the outcome.");
    made = made && predict->inflight != NULL && predict->unknown != NULL && predict->bad != NULL &&
           predict->latency != NULL;
    return made ? GW_OK : gw_fail(err, GW_E_MEMORY, "no memory for metrics");
}

static gw_status init(struct gw_bridge_predict *predict, gw_err *err)
{
    const struct gw_runtime *runtime = predict->runtime;
    const struct gw_config *config = runtime->config;
    size_t capacity = gw_config_u64(config, GW_OPT_BRIDGE_MAX_IN_FLIGHT);
    GW_TRY(gw_bridge_reply_partition(gw_config_i64(config, GW_OPT_BRIDGE_REPLY_PARTITION), runtime->instance,
                                     gw_runtime_partitions(runtime, GW_TOPIC_PREDICTION_REPLIES),
                                     &predict->reply_partition, err));
    GW_TRY(make_metrics(predict, err));
    GW_TRY(gw_flights_new(capacity, &predict->flights, err));
    GW_TRY(gw_queue_new(capacity, &predict->queue, err));
    const struct gw_kafka_producer_options producer = {
        .client = &runtime->kafka, .kind = GW_KAFKA_PRODUCER_LATENCY, .queue_bytes_max = PRODUCER_BYTES_MAX};
    GW_TRY(gw_kafka_producer_new(&producer, &predict->producer, err));
    // Uncommitted, so that a stranger's open transaction in the topic cannot hold answers back.
    const struct gw_kafka_consumer_options consumer = {
        .client = &runtime->kafka, .read_uncommitted = true, .low_latency = true};
    return gw_kafka_consumer_new(&consumer, &predict->consumer, err);
}

static gw_status start_threads(struct gw_bridge_predict *predict, gw_err *err)
{
    void *(*const runs[])(void *) = {run_receiver, run_sender, run_timer};
    _Static_assert(GW_COUNT_OF(runs) == GW_COUNT_OF(predict->threads), "a thread for each");
    for (size_t i = 0; i < GW_COUNT_OF(runs); i++) {
        int error = pthread_create(&predict->threads[i], NULL, runs[i], predict);
        if (error != 0) {
            return gw_fail(err, GW_E_INTERNAL, "cannot start a thread: %s", strerror(error));
        }
        predict->thread_count++;
    }
    return GW_OK;
}

gw_status gw_bridge_predict_start(const struct gw_runtime *runtime, struct gw_bridge_predict **ret_predict, gw_err *err)
{
    struct gw_bridge_predict *predict = gw_mem_calloc(1, sizeof *predict);
    if (predict == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for the prediction path");
    }
    predict->runtime = runtime;
    atomic_store(&predict->kafka_up, true); // until a probe says otherwise
    atomic_store(&predict->turned_us, gw_clock_mono_us());
    pthread_mutex_init(&predict->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&predict->timer_wakes, &attributes);
    pthread_condattr_destroy(&attributes);
    gw_status status = init(predict, err);
    if (status == GW_OK) {
        status = start_threads(predict, err);
    }
    if (status != GW_OK) {
        gw_bridge_predict_stop(predict);
        return status;
    }
    *ret_predict = predict;
    return GW_OK;
}

void gw_bridge_predict_drain(struct gw_bridge_predict *predict, uint32_t timeout_ms)
{
    const uint64_t deadline_us = gw_clock_mono_us() + (uint64_t)timeout_ms * 1000;
    atomic_store(&predict->draining, true);
    for (size_t left = 1; left > 0 && gw_clock_mono_us() < deadline_us;) {
        pthread_mutex_lock(&predict->lock);
        left = gw_flights_count(predict->flights);
        pthread_mutex_unlock(&predict->lock);
        if (left > 0) {
            const struct timespec pause = {.tv_nsec = 5000000L};
            nanosleep(&pause, NULL);
        }
    }
}

void gw_bridge_predict_stop(struct gw_bridge_predict *predict)
{
    if (predict == NULL) {
        return;
    }
    pthread_mutex_lock(&predict->lock);
    atomic_store(&predict->closing, true);
    pthread_cond_broadcast(&predict->timer_wakes);
    pthread_mutex_unlock(&predict->lock);
    for (size_t i = 0; i < predict->thread_count; i++) {
        pthread_join(predict->threads[i], NULL);
    }
    struct outgoing *outgoing;
    while (predict->queue != NULL && (outgoing = gw_queue_pop(predict->queue, 0)) != NULL) {
        outgoing_free(outgoing);
    }
    struct gw_flight flight;
    while (predict->flights != NULL && gw_flights_take_expired(predict->flights, UINT64_MAX, &flight)) {
        answer_failure(predict, &flight, GW_API_UNAVAILABLE, "the service is stopping");
    }
    gw_kafka_consumer_free(predict->consumer);
    gw_kafka_producer_free(predict->producer);
    gw_queue_free(predict->queue);
    gw_flights_free(predict->flights);
    pthread_cond_destroy(&predict->timer_wakes);
    pthread_mutex_destroy(&predict->lock);
    gw_mem_free(predict);
}
