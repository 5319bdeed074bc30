// SPDX-License-Identifier: MIT
// Committed records of ranges of offsets of a topic, in the order of the ranges and of their offsets. The same ranges
// give the same records as long as the topic keeps them.
#pragma once

#include "kafka/consumer.h"
#include "worker/runtime.h"

struct gw_offset_range {
    int32_t partition;
    int64_t first; // offset of the first record
    int64_t last;  // offset behind the last one
};

// Records that are there now, appended from since_ms on (0: all). GW_E_UNAVAILABLE, GW_E_TIMEOUT.
GW_CHECK gw_status gw_offset_range_ask(struct gw_kafka_consumer *consumer, const char *topic, int32_t partition,
                                       int64_t since_ms, struct gw_offset_range *ret_range, gw_err *err);

struct gw_range_reading {
    enum gw_topic topic;
    const struct gw_offset_range *ranges;
    size_t range_count;
    // The record's value, opened by the topic's gate and valid during the call, or the status that refused it, with its
    // reason in *err. What the visit returns ends the reading unless it is GW_OK.
    gw_status (*visit)(void *context, const struct gw_kafka_record *record, struct gw_slice body, gw_status opened,
                       gw_err *err);
    bool (*stop)(void *context); // asked about ten times a second; NULL: *runtime->stop
    void *context;
    struct gw_arena *arena; // cleared before each record, for it alone
};

// Tombstones are not visited. GW_E_NOT_FOUND: records of the ranges are gone. GW_E_ABORTED: stopped. GW_E_TIMEOUT: the
// broker sends nothing for a minute.
GW_CHECK gw_status gw_range_read(const struct gw_runtime *runtime, const struct gw_range_reading *reading, gw_err *err);
