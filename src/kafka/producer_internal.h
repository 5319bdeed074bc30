// SPDX-License-Identifier: MIT
// The inside of a producer. Private to this folder.
#pragma once

#include "kafka/handle.h"
#include "kafka/producer.h"

struct gw_kafka_produced_topic {
    char *name;
    rd_kafka_topic_t *rkt;
    int32_t partition_count; // from metadata; 0 = not known
    uint64_t asked_us;       // when metadata was last asked
};

struct gw_kafka_producer {
    struct gw_kafka_handle handle; // first: it is librdkafka's opaque
    void (*delivered)(void *context, uint64_t tag, const char *topic, int32_t partition, int64_t offset);
    void *context;
    struct gw_kafka_produced_topic *topics;
    size_t topic_count;
    size_t last_topic; // index of the topic of the last record: runs are the rule
    bool transactional;
    bool in_transaction;
    bool aborting;         // deliveries that fail now were given up by us
    uint64_t failed;       // deliveries failed since _new
    uint64_t failed_known; // of those, already reported by flush, or of transactions now over
    gw_err first_failure;  // of those not yet reported
};
