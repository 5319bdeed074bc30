// SPDX-License-Identifier: MIT
// What every Kafka handle needs to know, and how librdkafka's errors become statuses. The only folder that includes
// librdkafka's header; nothing of it leaks.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

// A property passed through to librdkafka as it is (`kafka.<property>` in the configuration: TLS, SASL, tuning).
struct gw_kafka_property {
    const char *name;
    const char *value;
};

// Borrowed by each _new call.
struct gw_kafka_options {
    const char *bootstrap_servers;
    const char *client_id;
    const struct gw_kafka_property *properties; // applied last, so that an operator wins
    size_t property_count;
};

// One header of a record; borrowed.
struct gw_kafka_header {
    const char *name;
    struct gw_slice value;
};

// One (topic, partition) with an offset. `topic` is borrowed from the caller's topic table and lives for ever.
struct gw_kafka_position {
    const char *topic;
    int32_t partition;
    int64_t offset;       // next offset to read; GW_KAFKA_OFFSET_NONE when there is none
    const char *metadata; // offset metadata, NULL for none; borrowed
};

#define GW_KAFKA_OFFSET_NONE (-1001) // no committed offset
#define GW_KAFKA_OFFSET_END  (-1)
#define GW_KAFKA_OFFSET_START (-2)
#define GW_KAFKA_METADATA_BYTES_MAX 1024 // of offset metadata that we write; the broker's limit is 4,096
