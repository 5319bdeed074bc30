// SPDX-License-Identifier: MIT
#include "kafka/consumer_internal.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <string.h>

#define CLOSE_POLL_MS  50
#define STALE_PER_POLL 100000u // bound of one poll's loop over records that are no longer ours

rd_kafka_t *gw_kafka_consumer_rk(struct gw_kafka_consumer *consumer)
{
    return consumer->handle.rk;
}

// ---- life cycle
// ------------------------------------------------------------------------------------------------------

static const struct gw_kafka_property all_profile[] = {
    {"enable.auto.commit", "false"},         {"enable.auto.offset.store", "false"},
    {"auto.offset.reset", "error"},          {"partition.assignment.strategy", "range"},
    {"fetch.error.backoff.ms", "100"},       {"queued.min.messages", "100000"},
    {"queued.max.messages.kbytes", "65536"},
};
// Fewer, fuller answers: a record waits at most fetch.wait.max.ms for company.
static const struct gw_kafka_property bulk_profile[] = {
    {"fetch.min.bytes", "65536"},
    {"fetch.wait.max.ms", "20"},
};
// The broker answers as soon as there is a byte; the wait only bounds how long a fetch hides a partition that is
// resumed.
static const struct gw_kafka_property latency_profile[] = {
    {"fetch.min.bytes", "1"},
    {"fetch.wait.max.ms", "50"},
};

static gw_status configure(const struct gw_kafka_consumer_options *options, rd_kafka_conf_t *conf, gw_err *err)
{
    GW_TRY(gw_kafka_conf_set_all(conf, all_profile, GW_COUNT_OF(all_profile), err));
    if (options->low_latency) {
        GW_TRY(gw_kafka_conf_set_all(conf, latency_profile, GW_COUNT_OF(latency_profile), err));
    } else {
        GW_TRY(gw_kafka_conf_set_all(conf, bulk_profile, GW_COUNT_OF(bulk_profile), err));
    }
    // librdkafka wants a group to assign by hand, too; this one is never joined and never committed to.
    const struct gw_kafka_property chosen[] = {
        {"group.id", options->group != NULL ? options->group : "godwit-unjoined"},
        {"isolation.level", options->read_uncommitted ? "read_uncommitted" : "read_committed"},
        {"enable.partition.eof", options->end_events ? "true" : "false"},
    };
    GW_TRY(gw_kafka_conf_set_all(conf, chosen, GW_COUNT_OF(chosen), err));
    GW_TRY(gw_kafka_conf_set_u64(conf, "session.timeout.ms",
                                 options->session_timeout_ms != 0 ? options->session_timeout_ms : 10000, err));
    return gw_kafka_conf_set_u64(conf, "max.poll.interval.ms",
                                 options->max_poll_interval_ms != 0 ? options->max_poll_interval_ms : 300000, err);
}

static void forget(struct gw_kafka_consumer *consumer)
{
    gw_kafka_table_deinit(consumer);
    gw_mem_free(consumer);
}

gw_status gw_kafka_consumer_new(const struct gw_kafka_consumer_options *options,
                                struct gw_kafka_consumer **ret_consumer, gw_err *err)
{
    GW_ASSERT(options->group == NULL || (options->assigned != NULL && options->revoked != NULL));
    struct gw_kafka_consumer *consumer = gw_mem_calloc(1, sizeof *consumer);
    if (consumer == NULL) {
        return gw_fail(err, GW_E_MEMORY, "kafka consumer: out of memory");
    }
    consumer->assigned = options->assigned;
    consumer->revoked = options->revoked;
    consumer->context = options->context;

    rd_kafka_conf_t *conf = gw_kafka_conf_new(&consumer->handle, options->client);
    rd_kafka_conf_set_rebalance_cb(conf, gw_kafka_on_rebalance);
    gw_status status = configure(options, conf, err);
    if (status != GW_OK) {
        rd_kafka_conf_destroy(conf);
    } else {
        status = gw_kafka_handle_open(&consumer->handle, RD_KAFKA_CONSUMER, conf, options->client, err);
    }
    if (status != GW_OK) {
        forget(consumer);
        return status;
    }
    rd_kafka_poll_set_consumer(consumer->handle.rk);
    *ret_consumer = consumer;
    return GW_OK;
}

// Leaves the group by polling, with a deadline: rd_kafka_consumer_close waits for ever when a reference is lost (3.5).
static void leave(struct gw_kafka_consumer *consumer)
{
    rd_kafka_t *rk = consumer->handle.rk;
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(rk, queue);
    if (error != NULL) {
        gw_log_warn("kafka.leave_failed", "reason='%s'", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
    } else {
        uint64_t deadline_us = gw_clock_mono_us() + (uint64_t)GW_KAFKA_CLOSE_MS * 1000;
        while (!rd_kafka_consumer_closed(rk) && gw_kafka_left_ms(deadline_us) > 0) {
            rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, CLOSE_POLL_MS);
            if (message != NULL) {
                rd_kafka_message_destroy(message);
            }
        }
        if (!rd_kafka_consumer_closed(rk)) {
            gw_log_warn("kafka.leave_timeout", "after_ms=%d skipped='the group notices by session timeout'",
                        GW_KAFKA_CLOSE_MS);
        }
    }
    rd_kafka_queue_destroy(queue);
}

void gw_kafka_consumer_free(struct gw_kafka_consumer *consumer)
{
    if (consumer == NULL) {
        return;
    }
    leave(consumer);
    if (gw_kafka_handle_close(&consumer->handle)) {
        forget(consumer);
    }
}

// ---- what to read
// ----------------------------------------------------------------------------------------------------

gw_status gw_kafka_consumer_subscribe(struct gw_kafka_consumer *consumer, const char *const *topics, size_t count,
                                      gw_err *err)
{
    GW_ASSERT(consumer->assigned != NULL && consumer->revoked != NULL);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    gw_status status = GW_OK;
    for (size_t i = 0; i < count && status == GW_OK; i++) {
        rd_kafka_topic_partition_list_add(list, topics[i], RD_KAFKA_PARTITION_UA);
        status = gw_kafka_topic_put(consumer, topics[i]) != NULL
                     ? GW_OK
                     : gw_fail(err, GW_E_MEMORY, "subscribe: out of memory");
    }
    if (status == GW_OK) {
        rd_kafka_resp_err_t code = rd_kafka_subscribe(consumer->handle.rk, list);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            status = gw_kafka_fail_code(err, code, "subscribe");
        }
    }
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

gw_status gw_kafka_consumer_assign(struct gw_kafka_consumer *consumer, const struct gw_kafka_position *positions,
                                   size_t count, gw_err *err)
{
    return gw_kafka_install(consumer, positions, NULL, count, err);
}

// ---- polling
// ---------------------------------------------------------------------------------------------------------

static struct gw_kafka_held_topic *topic_of_message(struct gw_kafka_consumer *consumer,
                                                    const rd_kafka_message_t *message)
{
    if (GW_LIKELY(consumer->last_topic != NULL && consumer->last_topic->rkt == message->rkt)) {
        return consumer->last_topic;
    }
    struct gw_kafka_held_topic *found = NULL;
    for (size_t i = 0; i < consumer->topic_count && found == NULL; i++) {
        found = consumer->topics[i].rkt == message->rkt ? &consumer->topics[i] : NULL;
    }
    if (found == NULL) {
        found = gw_kafka_topic_find(consumer, rd_kafka_topic_name(message->rkt));
        if (found != NULL) {
            found->rkt = message->rkt;
        }
    }
    consumer->last_topic = found;
    return found;
}

// A record or an end of partition; *ret_got false when it is not ours any more. Does not keep `message` then.
static void take_record(struct gw_kafka_consumer *consumer, rd_kafka_message_t *message,
                        struct gw_kafka_record *ret_record, bool *ret_got)
{
    struct gw_kafka_held_topic *topic = topic_of_message(consumer, message);
    struct gw_kafka_slot *slot = topic != NULL && message->partition >= 0 && message->partition < topic->slot_count
                                     ? &topic->slots[message->partition]
                                     : NULL;
    bool end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
    *ret_got = slot != NULL && slot->assigned && !slot->positionless && message->offset >= slot->next_offset;
    if (GW_UNLIKELY(!*ret_got)) {
        rd_kafka_message_destroy(message);
        return;
    }
    *ret_record = (struct gw_kafka_record){
        .topic = topic->name,
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = -1,
        .partition_end = end,
    };
    if (end) { // the next record may be at this offset, or past markers behind it
        slot->next_offset = message->offset;
        rd_kafka_message_destroy(message);
        return;
    }
    slot->next_offset = message->offset + 1;
    ret_record->message = (struct gw_kafka_message *)message;
    ret_record->timestamp_ms = rd_kafka_message_timestamp(message, NULL);
    ret_record->key = gw_slice_make(message->key, message->key_len);
    ret_record->value = gw_slice_make(message->payload, message->len);
}

// The partition's position is gone (retention, or never there): hold it, tell the owner once.
static gw_status position_lost(struct gw_kafka_consumer *consumer, rd_kafka_message_t *message,
                               struct gw_kafka_record *ret_record, gw_err *err)
{
    struct gw_kafka_held_topic *topic = message->rkt != NULL ? topic_of_message(consumer, message) : NULL;
    struct gw_kafka_slot *slot = topic != NULL && message->partition >= 0 && message->partition < topic->slot_count
                                     ? &topic->slots[message->partition]
                                     : NULL;
    if (slot == NULL || !slot->assigned) {
        return GW_OK;
    }
    if (slot->positionless) { // its fetcher ran ahead of the pause: gone, so the seek to come needs a new assignment
        slot->stopped = true;
        return GW_OK;
    }
    *ret_record = (struct gw_kafka_record){
        .topic = topic->name, .partition = message->partition, .offset = slot->next_offset};
    slot->positionless = true;
    slot->stopped = true;
    slot->paused = true;
    struct gw_kafka_position position = {.topic = topic->name, .partition = message->partition};
    rd_kafka_topic_partition_list_t *list = gw_kafka_list_new(&position, 1);
    rd_kafka_pause_partitions(consumer->handle.rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return gw_fail(err, GW_E_MISMATCH, "%s [%d]: no record at offset %lld: %s", topic->name, message->partition,
                   (long long)slot->next_offset, rd_kafka_message_errstr(message));
}

// An error that librdkafka hands out in place of a record.
static gw_status take_error(struct gw_kafka_consumer *consumer, rd_kafka_message_t *message,
                            struct gw_kafka_record *ret_record, gw_err *err)
{
    if (message->err == RD_KAFKA_RESP_ERR__FATAL) {
        return gw_kafka_fail_fatal(err, consumer->handle.rk, "kafka consumer");
    }
    gw_status status = gw_kafka_status_of(message->err);
    if (status == GW_E_MISMATCH) {
        return position_lost(consumer, message, ret_record, err);
    }
    if (message->err == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED) { // the revoke callback with lost = true follows
        gw_log_warn("kafka.poll_too_late", "reason='%s' skipped='membership, the member joins again'",
                    rd_kafka_message_errstr(message));
        return GW_OK;
    }
    if (gw_status_class(status) == GW_CLASS_RETRY && !gw_kafka_handle_may_complain(&consumer->handle)) {
        return GW_OK; // librdkafka goes on trying
    }
    return gw_fail(err, status, "kafka consumer: %s%s%s (%s)",
                   message->rkt != NULL ? rd_kafka_topic_name(message->rkt) : "", message->rkt != NULL ? ": " : "",
                   rd_kafka_message_errstr(message), rd_kafka_err2name(message->err));
}

gw_status gw_kafka_consumer_poll(struct gw_kafka_consumer *consumer, uint32_t timeout_ms,
                                 struct gw_kafka_record *ret_record, bool *ret_got, gw_err *err)
{
    uint64_t deadline_us = 0; // asked for only when the first try gave nothing usable: the clock is off the hot path
    uint32_t wait_ms = timeout_ms;
    for (uint32_t tries = 0; tries < STALE_PER_POLL; tries++) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer->handle.rk, (int)wait_ms);
        if (GW_LIKELY(message != NULL && (message->err == RD_KAFKA_RESP_ERR_NO_ERROR ||
                                          message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF))) {
            bool got = false;
            take_record(consumer, message, ret_record, &got);
            if (GW_LIKELY(got)) {
                *ret_got = true;
                return GW_OK;
            }
        } else if (message != NULL) {
            gw_status status = take_error(consumer, message, ret_record, err);
            rd_kafka_message_destroy(message);
            if (status != GW_OK) {
                return status;
            }
        } else {
            break;
        }
        if (deadline_us == 0) {
            deadline_us = gw_clock_mono_us() + (uint64_t)timeout_ms * 1000;
        }
        wait_ms = gw_kafka_left_ms(deadline_us);
    }
    if (consumer->deferred.status != GW_OK) {
        gw_status status = gw_fail(err, consumer->deferred.status, "%s", consumer->deferred.message);
        consumer->deferred = (gw_err){0};
        return status;
    }
    GW_TRY(gw_kafka_handle_check(&consumer->handle, timeout_ms, err));
    *ret_got = false;
    return GW_OK;
}

void gw_kafka_message_free(struct gw_kafka_message *message)
{
    if (message != NULL) {
        rd_kafka_message_destroy((rd_kafka_message_t *)message);
    }
}

size_t gw_kafka_message_headers(const struct gw_kafka_message *message, struct gw_kafka_header *headers,
                                size_t capacity)
{
    rd_kafka_headers_t *list = NULL;
    if (rd_kafka_message_headers((const rd_kafka_message_t *)message, &list) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return 0; // none, or bytes that do not parse
    }
    size_t count = 0;
    const void *value = NULL;
    size_t size = 0;
    while (count < capacity &&
           rd_kafka_header_get_all(list, count, &headers[count].name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        headers[count].value = gw_slice_make(value, size);
        count++;
    }
    return count;
}
