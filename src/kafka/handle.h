// SPDX-License-Identifier: MIT
// What consumer, producer and admin handles share: how they are configured, how they log, how they learn that the
// brokers are away, how they end. Private to this folder.
#pragma once

#include "kafka/client.h"
#include "kafka/errors.h"

#include <librdkafka/rdkafka.h>

#include <stdatomic.h>
#include <stdbool.h>

// The first member of each handle, and librdkafka's opaque. At a fixed address for the handle's life.
struct gw_kafka_handle {
    rd_kafka_t *rk;
    atomic_uint_least64_t log_window; // librdkafka's threads: window number << 32 | lines in it
    // Owning thread only (librdkafka calls error_cb from the poll that the owner makes).
    bool brokers_down;                 // all of them, until one answers again
    uint64_t unavailable_said_us;      // monotonic; 0 = never
    char reason[GW_ERR_MESSAGE_BYTES]; // why the last connection failed
};

// A configuration with the properties that every handle has. NULL when memory is short.
rd_kafka_conf_t *gw_kafka_conf_new(struct gw_kafka_handle *handle, const struct gw_kafka_options *client);

// Sets a table of properties of our own; an unknown one is a bug in the table or a library too old: GW_E_CONFIG.
GW_CHECK gw_status gw_kafka_conf_set_all(rd_kafka_conf_t *conf, const struct gw_kafka_property *properties,
                                         size_t count, gw_err *err);
GW_CHECK gw_status gw_kafka_conf_set_u64(rd_kafka_conf_t *conf, const char *name, uint64_t value, gw_err *err);

// Takes `conf`, on failure too: applies the operator's properties and starts librdkafka's threads.
GW_CHECK gw_status gw_kafka_handle_open(struct gw_kafka_handle *handle, rd_kafka_type_t type, rd_kafka_conf_t *conf,
                                        const struct gw_kafka_options *client, gw_err *err);

// Ends librdkafka's threads within GW_KAFKA_CLOSE_MS. False: they hang; handle->rk and whatever holds the handle must
// then stay allocated, because they still log through it.
#define GW_KAFKA_CLOSE_MS 10000
bool gw_kafka_handle_close(struct gw_kafka_handle *handle);

// While all brokers are away: GW_E_UNAVAILABLE at most once a second, after a probe of at most wait_ms. GW_OK
// otherwise.
GW_CHECK gw_status gw_kafka_handle_check(struct gw_kafka_handle *handle, uint32_t wait_ms, gw_err *err);

// True when GW_E_UNAVAILABLE may be said now; then not again for a second.
bool gw_kafka_handle_may_complain(struct gw_kafka_handle *handle);

// Gives a list of these positions, with their offsets and metadata.
rd_kafka_topic_partition_list_t *gw_kafka_list_new(const struct gw_kafka_position *positions, size_t count);

// Asks for the partition count of a topic. GW_E_UNAVAILABLE when the cluster does not know it (yet).
GW_CHECK gw_status gw_kafka_partition_count(rd_kafka_t *rk, const char *topic, uint32_t timeout_ms, int32_t *ret_count,
                                            gw_err *err);

// Asks the partition's leader for the low watermark and the log end (or the last stable offset, by the handle's
// isolation).
GW_CHECK gw_status gw_kafka_watermarks(rd_kafka_t *rk, const char *topic, int32_t partition, uint32_t timeout_ms,
                                       int64_t *ret_low, int64_t *ret_high, gw_err *err);

// Milliseconds left until a monotonic deadline, 0 when past.
uint32_t gw_kafka_left_ms(uint64_t deadline_us);
