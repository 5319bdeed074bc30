// SPDX-License-Identifier: MIT
// One request of librdkafka's admin API at a time: options with a deadline, a queue, an event. Private to this folder.
#pragma once

#include "kafka/admin.h"
#include "kafka/handle.h"

struct gw_kafka_admin {
    struct gw_kafka_handle handle; // first: it is librdkafka's opaque
    rd_kafka_queue_t *queue;       // answers
};

// Gives options with the request's time limit. Free with rd_kafka_AdminOptions_destroy.
rd_kafka_AdminOptions_t *gw_kafka_admin_options(struct gw_kafka_admin *admin, rd_kafka_admin_op_t op,
                                                uint32_t timeout_ms);

// Waits for the answer to the one request under way. Gives an event whose own error is clear; free with
// rd_kafka_event_destroy. An answer that comes after the time limit is dropped by the next wait.
GW_CHECK gw_status gw_kafka_admin_wait(struct gw_kafka_admin *admin, rd_kafka_event_type_t type, uint32_t timeout_ms,
                                       const char *what, rd_kafka_event_t **ret_event, gw_err *err);
