// SPDX-License-Identifier: MIT
#include "kafka/handle.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define LOG_WINDOW_US        10000000u
#define LOG_LINES_PER_WINDOW 10u
#define COMPLAINT_US         1000000u
#define PROBE_MS_MAX         200u

static const struct gw_kafka_property common_properties[] = {
    {"socket.nagle.disable", "true"},
    {"socket.keepalive.enable", "true"},
    {"reconnect.backoff.ms", "50"},
    {"reconnect.backoff.max.ms", "2000"},
    {"topic.metadata.refresh.interval.ms", "10000"},
    {"allow.auto.create.topics", "false"},
    {"log.connection.close", "false"},
};

// What the guarantees rest on; an operator who changes one of these would lose records or read aborted ones.
static const char *const own_properties[] = {
    "bootstrap.servers",
    "group.id",
    "transactional.id",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "auto.offset.reset",
    "isolation.level",
    "partition.assignment.strategy",
    "enable.idempotence",
    "enable.partition.eof",
    "delivery.report.only.error",
};

// Counts a line and says whether it may be written; *ret_dropped: lines that the window before had too many.
static bool may_log(struct gw_kafka_handle *handle, uint32_t *ret_dropped)
{
    uint64_t window = gw_clock_mono_us() / LOG_WINDOW_US;
    uint64_t old = atomic_load_explicit(&handle->log_window, memory_order_relaxed);
    for (;;) {
        bool same = old >> 32 == (window & UINT32_MAX);
        uint32_t lines = same ? (uint32_t)old : 0;
        if (lines == UINT32_MAX) {
            return false;
        }
        uint64_t next = (window & UINT32_MAX) << 32 | (lines + 1);
        if (atomic_compare_exchange_weak_explicit(&handle->log_window, &old, next, memory_order_relaxed,
                                                  memory_order_relaxed)) {
            *ret_dropped = !same && (uint32_t)old > LOG_LINES_PER_WINDOW ? (uint32_t)old - LOG_LINES_PER_WINDOW : 0;
            return lines < LOG_LINES_PER_WINDOW;
        }
    }
}

// Any thread of librdkafka. Its "error" is mostly a connection that it will make again: a warning for our operator.
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    struct gw_kafka_handle *handle = rk != NULL ? rd_kafka_opaque(rk) : NULL;
    uint32_t dropped = 0;
    if (handle == NULL || !may_log(handle, &dropped)) {
        return;
    }
    if (dropped > 0) {
        gw_log_warn("kafka.log_suppressed", "lines=%u", dropped);
    }
    enum gw_log_level mapped = level <= 2 ? GW_LOG_ERROR : level <= 4 ? GW_LOG_WARN : GW_LOG_DEBUG;
    gw_log(mapped, "kafka.client", "facility=%s message='%s'", facility, text);
}

// The owner's thread, inside poll: record and return.
static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    (void)rk;
    struct gw_kafka_handle *handle = opaque;
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        handle->brokers_down = true;
    } else {
        snprintf(handle->reason, sizeof handle->reason, "%s", reason);
    }
}

static gw_status conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, gw_err *err)
{
    char reason[GW_ERR_MESSAGE_BYTES];
    if (rd_kafka_conf_set(conf, name, value, reason, sizeof reason) != RD_KAFKA_CONF_OK) {
        return gw_fail(err, GW_E_CONFIG, "kafka.%s: %s", name, reason);
    }
    return GW_OK;
}

rd_kafka_conf_t *gw_kafka_conf_new(struct gw_kafka_handle *handle, const struct gw_kafka_options *client)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_opaque(conf, handle);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    gw_err err = {0};
    gw_status status = gw_kafka_conf_set_all(conf, common_properties, GW_COUNT_OF(common_properties), &err);
    GW_ASSERT(status == GW_OK); // known to every librdkafka since 2.0
    if (client->client_id != NULL) {
        // librdkafka takes any text here; a bad one is found by the broker.
        (void)rd_kafka_conf_set(conf, "client.id", client->client_id, NULL, 0);
    }
    return conf;
}

gw_status gw_kafka_conf_set_all(rd_kafka_conf_t *conf, const struct gw_kafka_property *properties, size_t count,
                                gw_err *err)
{
    for (size_t i = 0; i < count; i++) {
        GW_TRY(conf_set(conf, properties[i].name, properties[i].value, err));
    }
    return GW_OK;
}

gw_status gw_kafka_conf_set_u64(rd_kafka_conf_t *conf, const char *name, uint64_t value, gw_err *err)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return conf_set(conf, name, text, err);
}

static gw_status apply_operator(rd_kafka_conf_t *conf, const struct gw_kafka_options *client, gw_err *err)
{
    if (client->bootstrap_servers == NULL || client->bootstrap_servers[0] == '\0') {
        return gw_fail(err, GW_E_CONFIG, "kafka.bootstrap.servers is empty");
    }
    GW_TRY(conf_set(conf, "bootstrap.servers", client->bootstrap_servers, err));
    for (size_t i = 0; i < client->property_count; i++) {
        const struct gw_kafka_property *property = &client->properties[i];
        for (size_t k = 0; k < GW_COUNT_OF(own_properties); k++) {
            if (strcmp(property->name, own_properties[k]) == 0) {
                return gw_fail(err, GW_E_CONFIG, "kafka.%s: is set by godwit and cannot be passed through",
                               property->name);
            }
        }
        GW_TRY(conf_set(conf, property->name, property->value, err));
    }
    return GW_OK;
}

gw_status gw_kafka_handle_open(struct gw_kafka_handle *handle, rd_kafka_type_t type, rd_kafka_conf_t *conf,
                               const struct gw_kafka_options *client, gw_err *err)
{
    gw_status status = apply_operator(conf, client, err);
    if (status != GW_OK) {
        rd_kafka_conf_destroy(conf);
        return status;
    }
    char reason[GW_ERR_MESSAGE_BYTES];
    handle->rk = rd_kafka_new(type, conf, reason, sizeof reason);
    if (handle->rk == NULL) { // rd_kafka_new takes the configuration only when it succeeds
        rd_kafka_conf_destroy(conf);
        return gw_fail(err, GW_E_CONFIG, "kafka: %s", reason);
    }
    return GW_OK;
}

// rd_kafka_destroy has no timeout and has hung before (facts/kafka.md 3.5), so it runs aside. Shared by two threads;
// the last one frees it.
struct closing {
    rd_kafka_t *rk;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool done;
    bool abandoned;
};

static void closing_free(struct closing *closing)
{
    pthread_cond_destroy(&closing->changed);
    pthread_mutex_destroy(&closing->mutex);
    gw_mem_free(closing);
}

static void *close_main(void *argument)
{
    struct closing *closing = argument;
    // The consumer was closed before, with a deadline of its own: do not close it a second time without one.
    rd_kafka_destroy_flags(closing->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    pthread_mutex_lock(&closing->mutex);
    closing->done = true;
    bool abandoned = closing->abandoned;
    pthread_cond_signal(&closing->changed);
    pthread_mutex_unlock(&closing->mutex);
    if (abandoned) {
        closing_free(closing);
    }
    return NULL;
}

bool gw_kafka_handle_close(struct gw_kafka_handle *handle)
{
    if (handle->rk == NULL) {
        return true;
    }
    struct closing *closing = gw_mem_calloc(1, sizeof *closing);
    pthread_t thread;
    if (closing == NULL) {
        rd_kafka_destroy_flags(handle->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
        return true;
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    closing->rk = handle->rk;
    pthread_mutex_init(&closing->mutex, NULL);
    pthread_cond_init(&closing->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&thread, NULL, close_main, closing) != 0) {
        closing_free(closing);
        rd_kafka_destroy_flags(handle->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
        return true;
    }

    uint64_t until_us = gw_clock_mono_us() + (uint64_t)GW_KAFKA_CLOSE_MS * 1000;
    struct timespec until = {.tv_sec = (time_t)(until_us / 1000000), .tv_nsec = (long)(until_us % 1000000) * 1000};
    pthread_mutex_lock(&closing->mutex);
    while (!closing->done && pthread_cond_timedwait(&closing->changed, &closing->mutex, &until) == 0) {
    }
    bool done = closing->done;
    closing->abandoned = !done;
    pthread_mutex_unlock(&closing->mutex);
    if (!done) {
        pthread_detach(thread);
        gw_log_error("kafka.close_hangs", "after_ms=%d action='the process must end soon, memory is held'",
                     GW_KAFKA_CLOSE_MS);
        return false;
    }
    pthread_join(thread, NULL);
    closing_free(closing);
    handle->rk = NULL;
    return true;
}

bool gw_kafka_handle_may_complain(struct gw_kafka_handle *handle)
{
    uint64_t now_us = gw_clock_mono_us();
    if (handle->unavailable_said_us != 0 && now_us - handle->unavailable_said_us < COMPLAINT_US) {
        return false;
    }
    handle->unavailable_said_us = now_us;
    return true;
}

gw_status gw_kafka_handle_check(struct gw_kafka_handle *handle, uint32_t wait_ms, gw_err *err)
{
    if (GW_LIKELY(!handle->brokers_down) || !gw_kafka_handle_may_complain(handle)) {
        return GW_OK;
    }
    // librdkafka says when the last connection is lost, but not when one is back: ask.
    const struct rd_kafka_metadata *metadata = NULL;
    if (rd_kafka_metadata(handle->rk, 0, NULL, &metadata, (int)GW_MIN(GW_MAX(wait_ms, 1u), PROBE_MS_MAX)) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_metadata_destroy(metadata);
        handle->brokers_down = false;
        return GW_OK;
    }
    return gw_fail(err, GW_E_UNAVAILABLE, "kafka: no broker answers: %s",
                   handle->reason[0] != '\0' ? handle->reason : "all connections are down");
}

rd_kafka_topic_partition_list_t *gw_kafka_list_new(const struct gw_kafka_position *positions, size_t count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_t *element =
            rd_kafka_topic_partition_list_add(list, positions[i].topic, positions[i].partition);
        element->offset = positions[i].offset;
        if (positions[i].metadata != NULL) {
            element->metadata = strdup(positions[i].metadata); // librdkafka frees it with the list, by free()
            element->metadata_size = element->metadata != NULL ? strlen(positions[i].metadata) : 0;
        }
    }
    return list;
}

gw_status gw_kafka_partition_count(rd_kafka_t *rk, const char *topic, uint32_t timeout_ms, int32_t *ret_count,
                                   gw_err *err)
{
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
    if (rkt == NULL) {
        return gw_kafka_fail_code(err, rd_kafka_last_error(), "topic '%s'", topic);
    }
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 0, rkt, &metadata, (int)timeout_ms);
    rd_kafka_topic_destroy(rkt);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return gw_kafka_fail_code(err, code, "topic '%s': metadata", topic);
    }
    gw_status status = GW_OK;
    if (metadata->topic_cnt != 1 || metadata->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR ||
        metadata->topics[0].partition_cnt == 0) {
        status = gw_kafka_fail_code(err,
                                    metadata->topic_cnt == 1 && metadata->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR
                                        ? metadata->topics[0].err
                                        : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
                                    "topic '%s'", topic);
    } else {
        *ret_count = metadata->topics[0].partition_cnt;
    }
    rd_kafka_metadata_destroy(metadata);
    return status;
}

gw_status gw_kafka_watermarks(rd_kafka_t *rk, const char *topic, int32_t partition, uint32_t timeout_ms,
                              int64_t *ret_low, int64_t *ret_high, gw_err *err)
{
    int64_t low = -1;
    int64_t high = -1;
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(rk, topic, partition, &low, &high, (int)timeout_ms);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return gw_kafka_fail_code(err, code, "%s [%d]: watermarks", topic, partition);
    }
    *ret_low = low;
    *ret_high = high;
    return GW_OK;
}

uint32_t gw_kafka_left_ms(uint64_t deadline_us)
{
    uint64_t now_us = gw_clock_mono_us();
    return deadline_us > now_us ? (uint32_t)GW_MIN((deadline_us - now_us) / 1000, (uint64_t)INT32_MAX) : 0;
}
