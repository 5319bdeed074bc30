// SPDX-License-Identifier: MIT
#include "kafka/producer_internal.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define QUEUE_FULL_MS      5000u
#define QUEUE_FULL_POLL_MS 10u
#define METADATA_MS        2000u
#define METADATA_AGAIN_US  1000000u // a partition beyond the known count asks again, at most this often

// ---- deliveries, on the owner's thread inside poll, flush and commit
// ---------------------------------------------------

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    struct gw_kafka_producer *producer = opaque;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        bool given_up = message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
                        message->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT || producer->aborting;
        if (!given_up) {
            producer->failed++;
            if (producer->first_failure.status == GW_OK) {
                gw_kafka_fail_code(&producer->first_failure, message->err, "%s [%d]: delivery",
                                   rd_kafka_topic_name(message->rkt), message->partition);
            }
        }
    } else if (producer->delivered != NULL && message->_private != NULL) {
        producer->delivered(producer->context, (uint64_t)(uintptr_t)message->_private,
                            rd_kafka_topic_name(message->rkt), message->partition, message->offset);
    }
}

// ---- life cycle
// --------------------------------------------------------------------------------------------------------

// A dead letter is a whole record of the input with headers of ours: as large as topics.ini lets its topic be. What a
// topic with a smaller bound refuses, the broker refuses.
#define MESSAGE_BYTES_MAX "2097152"

static const struct gw_kafka_property bulk_profile[] = {
    {"enable.idempotence", "true"}, // acks=all, order kept across retries
    {"compression.codec", "lz4"},   {"linger.ms", "50"}, {"queue.buffering.max.messages", "1000000"},
    {"message.max.bytes", MESSAGE_BYTES_MAX},
    {"retry.backoff.ms", "5"}, // AddOffsetsToTxn after a commit waits this long (facts/kafka.md 3.3)
};
// Answers to waiting callers: the leader's acknowledgement is enough, because the lane is at-least-once by design and a
// lost answer is a timeout that the caller sees. Without idempotence a retry cannot stop the producer.
static const struct gw_kafka_property latency_profile[] = {
    {"enable.idempotence", "false"}, {"acks", "1"},
    {"compression.codec", "none"},   {"linger.ms", "0"},
    {"retry.backoff.ms", "5"},       {"message.timeout.ms", "5000"},
    {"message.max.bytes", MESSAGE_BYTES_MAX},
};

static gw_status configure(const struct gw_kafka_producer_options *options, rd_kafka_conf_t *conf, gw_err *err)
{
    if (options->kind == GW_KAFKA_PRODUCER_LATENCY) {
        if (options->transactional_id != NULL) {
            return gw_fail(err, GW_E_CONFIG, "kafka producer '%s': a low-latency producer has no transactions",
                           options->transactional_id);
        }
        GW_TRY(gw_kafka_conf_set_all(conf, latency_profile, GW_COUNT_OF(latency_profile), err));
    } else {
        GW_TRY(gw_kafka_conf_set_all(conf, bulk_profile, GW_COUNT_OF(bulk_profile), err));
    }
    if (options->transactional_id != NULL) {
        uint64_t transaction_ms = options->transaction_timeout_ms != 0 ? options->transaction_timeout_ms : 15000;
        const struct gw_kafka_property id = {"transactional.id", options->transactional_id};
        GW_TRY(gw_kafka_conf_set_all(conf, &id, 1, err));
        GW_TRY(gw_kafka_conf_set_u64(conf, "transaction.timeout.ms", transaction_ms, err));
        // A record that cannot be delivered fails while the transaction can still be aborted in order.
        GW_TRY(gw_kafka_conf_set_u64(conf, "message.timeout.ms", transaction_ms * 2 / 3, err));
    }
    size_t queue_bytes = options->queue_bytes_max != 0 ? options->queue_bytes_max : (size_t)256 << 20;
    GW_TRY(gw_kafka_conf_set_u64(conf, "queue.buffering.max.kbytes", GW_MAX(queue_bytes >> 10, 1u), err));
    // Without a listener only failures are worth a report.
    const struct gw_kafka_property reports = {"delivery.report.only.error",
                                              options->delivered == NULL ? "true" : "false"};
    return gw_kafka_conf_set_all(conf, &reports, 1, err);
}

gw_status gw_kafka_producer_new(const struct gw_kafka_producer_options *options,
                                struct gw_kafka_producer **ret_producer, gw_err *err)
{
    struct gw_kafka_producer *producer = gw_mem_calloc(1, sizeof *producer);
    if (producer == NULL) {
        return gw_fail(err, GW_E_MEMORY, "kafka producer: out of memory");
    }
    producer->delivered = options->delivered;
    producer->context = options->context;
    producer->transactional = options->transactional_id != NULL;

    rd_kafka_conf_t *conf = gw_kafka_conf_new(&producer->handle, options->client);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    gw_status status = configure(options, conf, err);
    if (status != GW_OK) {
        rd_kafka_conf_destroy(conf);
    } else {
        status = gw_kafka_handle_open(&producer->handle, RD_KAFKA_PRODUCER, conf, options->client, err);
    }
    if (status != GW_OK) {
        gw_mem_free(producer);
        return status;
    }
    *ret_producer = producer;
    return GW_OK;
}

void gw_kafka_producer_free(struct gw_kafka_producer *producer)
{
    if (producer == NULL) {
        return;
    }
    rd_kafka_purge(producer->handle.rk,
                   RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    for (size_t i = 0; i < producer->topic_count; i++) {
        rd_kafka_topic_destroy(producer->topics[i].rkt); // before the handle, which else waits for them
        gw_mem_free(producer->topics[i].name);
    }
    gw_mem_free(producer->topics);
    if (gw_kafka_handle_close(&producer->handle)) {
        gw_mem_free(producer);
    }
}

// ---- producing
// ---------------------------------------------------------------------------------------------------------

static gw_status topic_open(struct gw_kafka_producer *producer, const char *name, gw_err *err)
{
    struct gw_kafka_produced_topic *grown = gw_mem_realloc(producer->topics, producer->topic_count + 1, sizeof *grown);
    if (grown == NULL) {
        return gw_fail(err, GW_E_MEMORY, "topic '%s': out of memory", name);
    }
    producer->topics = grown;
    struct gw_kafka_produced_topic topic = {.name = gw_mem_strdup(name)};
    if (topic.name == NULL) {
        return gw_fail(err, GW_E_MEMORY, "topic '%s': out of memory", name);
    }
    topic.rkt = rd_kafka_topic_new(producer->handle.rk, name, NULL);
    if (topic.rkt == NULL) {
        gw_mem_free(topic.name);
        return gw_kafka_fail_code(err, rd_kafka_last_error(), "topic '%s'", name);
    }
    producer->last_topic = producer->topic_count;
    grown[producer->topic_count++] = topic;
    return GW_OK;
}

// Finds or opens the topic. By text, not by pointer: a caller's buffer may hold another name tomorrow.
static gw_status topic_get(struct gw_kafka_producer *producer, const char *name,
                           struct gw_kafka_produced_topic **ret_topic, gw_err *err)
{
    if (producer->topic_count == 0 || strcmp(producer->topics[producer->last_topic].name, name) != 0) {
        size_t i = 0;
        while (i < producer->topic_count && strcmp(producer->topics[i].name, name) != 0) {
            i++;
        }
        if (i < producer->topic_count) {
            producer->last_topic = i;
        } else {
            GW_TRY(topic_open(producer, name, err));
        }
    }
    *ret_topic = &producer->topics[producer->last_topic];
    return GW_OK;
}

// librdkafka 2.0 frees headers twice when the partition does not exist (facts/kafka.md 3.5), and would hold a record
// for an unknown topic back for half a minute: so both are known before it is asked.
static gw_status check_partition(struct gw_kafka_producer *producer, struct gw_kafka_produced_topic *topic,
                                 int32_t partition, gw_err *err)
{
    uint64_t now_us = gw_clock_mono_us();
    if (topic->asked_us == 0 || now_us - topic->asked_us >= METADATA_AGAIN_US) {
        topic->asked_us = now_us;
        GW_TRY(gw_kafka_partition_count(producer->handle.rk, topic->name, METADATA_MS, &topic->partition_count, err));
    }
    if (topic->partition_count == 0) {
        return gw_fail(err, GW_E_UNAVAILABLE, "topic '%s' is not known yet", topic->name);
    }
    if (partition >= topic->partition_count) {
        return gw_fail(err, GW_E_MISMATCH, "topic '%s' has %d partitions, record is for partition %d", topic->name,
                       topic->partition_count, partition);
    }
    return GW_OK;
}

static rd_kafka_resp_err_t enqueue_full(struct gw_kafka_producer *producer, rd_kafka_topic_t *rkt,
                                        const struct gw_kafka_output *output)
{
    enum { FIELDS = 7, HEADERS_MAX = 32 };
    GW_ASSERT(output->header_count <= HEADERS_MAX);
    rd_kafka_vu_t fields[FIELDS + HEADERS_MAX];
    size_t count = 0;
    fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = rkt};
    fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = output->partition};
    fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY};
    fields[count++] =
        (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_VALUE,
                        .u.mem = {.ptr = (void *)(uintptr_t)output->value.data, .size = output->value.size}};
    fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_KEY,
                                      .u.mem = {.ptr = (void *)(uintptr_t)output->key.data, .size = output->key.size}};
    fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)(uintptr_t)output->tag};
    fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = output->timestamp_ms};
    for (size_t i = 0; i < output->header_count; i++) {
        fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_HEADER,
                                          .u.header = {.name = output->headers[i].name,
                                                       .val = output->headers[i].value.data,
                                                       .size = (ssize_t)output->headers[i].value.size}};
    }
    rd_kafka_error_t *error = rd_kafka_produceva(producer->handle.rk, fields, count);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (error != NULL) {
        code = rd_kafka_error_code(error);
        rd_kafka_error_destroy(error);
    }
    return code;
}

// The plain call is the cheapest one, but knows neither headers nor time.
static rd_kafka_resp_err_t enqueue(struct gw_kafka_producer *producer, rd_kafka_topic_t *rkt,
                                   const struct gw_kafka_output *output)
{
    if (output->header_count > 0 || output->timestamp_ms != 0) {
        return enqueue_full(producer, rkt, output);
    }
    if (rd_kafka_produce(rkt, output->partition, RD_KAFKA_MSG_F_COPY, (void *)(uintptr_t)output->value.data,
                         output->value.size, output->key.data, output->key.size, (void *)(uintptr_t)output->tag) == 0) {
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    return rd_kafka_last_error();
}

static gw_status refuse(struct gw_kafka_producer *producer, rd_kafka_resp_err_t code,
                        const struct gw_kafka_output *output, gw_err *err)
{
    GW_TRY(gw_kafka_fail_fatal(err, producer->handle.rk, "kafka producer"));
    if (producer->transactional && code == RD_KAFKA_RESP_ERR__STATE) {
        // A transaction that has failed refuses records without saying why: the failed delivery knows.
        return gw_fail(err, GW_E_ABORTED, "%s [%d]: no transaction takes it: %s", output->topic, output->partition,
                       producer->first_failure.status != GW_OK ? producer->first_failure.message
                                                               : rd_kafka_err2str(code));
    }
    return gw_kafka_fail_code(err, code, "%s [%d]: %zu bytes", output->topic, output->partition,
                              output->value.size + output->key.size);
}

gw_status gw_kafka_produce(struct gw_kafka_producer *producer, const struct gw_kafka_output *output, gw_err *err)
{
    struct gw_kafka_produced_topic *topic = NULL;
    GW_TRY(topic_get(producer, output->topic, &topic, err));
    if (GW_UNLIKELY(topic->partition_count == 0 || output->partition >= topic->partition_count)) {
        GW_TRY(check_partition(producer, topic, output->partition, err));
    }
    rd_kafka_resp_err_t code = enqueue(producer, topic->rkt, output);
    if (GW_LIKELY(code == RD_KAFKA_RESP_ERR_NO_ERROR)) {
        return GW_OK;
    }
    uint64_t deadline_us = gw_clock_mono_us() + (uint64_t)QUEUE_FULL_MS * 1000;
    while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && gw_kafka_left_ms(deadline_us) > 0) {
        rd_kafka_poll(producer->handle.rk, QUEUE_FULL_POLL_MS);
        code = enqueue(producer, topic->rkt, output);
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return GW_OK;
    }
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        return gw_fail(err, GW_E_TIMEOUT, "%s [%d]: the local queue has been full for %u ms", output->topic,
                       output->partition, QUEUE_FULL_MS);
    }
    return refuse(producer, code, output, err);
}

void gw_kafka_producer_poll(struct gw_kafka_producer *producer, uint32_t timeout_ms)
{
    rd_kafka_poll(producer->handle.rk, (int)timeout_ms);
}

gw_status gw_kafka_producer_flush(struct gw_kafka_producer *producer, uint32_t timeout_ms, gw_err *err)
{
    rd_kafka_resp_err_t code = rd_kafka_flush(producer->handle.rk, (int)timeout_ms);
    GW_TRY(gw_kafka_fail_fatal(err, producer->handle.rk, "kafka producer"));
    if (producer->failed > producer->failed_known) {
        uint64_t count = producer->failed - producer->failed_known;
        gw_fail(err, GW_E_UNAVAILABLE, "%llu deliveries failed, the first: %s", (unsigned long long)count,
                producer->first_failure.message);
        producer->failed_known = producer->failed;
        producer->first_failure = (gw_err){0};
        return GW_E_UNAVAILABLE;
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return gw_kafka_fail_code(err, code, "flush: %d records left", rd_kafka_outq_len(producer->handle.rk));
    }
    return GW_OK;
}

uint64_t gw_kafka_producer_failed(const struct gw_kafka_producer *producer)
{
    return producer->failed;
}

size_t gw_kafka_producer_queued(const struct gw_kafka_producer *producer)
{
    return (size_t)rd_kafka_outq_len(producer->handle.rk);
}
