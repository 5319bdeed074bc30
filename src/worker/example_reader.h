// SPDX-License-Identifier: MIT
// Final labels of training_examples, as the log holds them: a range of offsets of each partition, read in the order of
// partition and offset. The same ranges give the same examples as long as the topic keeps them.
#pragma once

#include "records/labeled_example.h"
#include "worker/range_reader.h"

#define GW_EXAMPLE_PARTITIONS_MAX 512

struct gw_example_ranges {
    struct gw_offset_range items[GW_EXAMPLE_PARTITIONS_MAX];
    size_t count;
};

// What was appended from since_ms on (0: all) and is committed now. GW_E_UNAVAILABLE, GW_E_TIMEOUT; GW_E_EXHAUSTED:
// more partitions than there is room for.
GW_CHECK gw_status gw_example_ranges_ask(const struct gw_runtime *runtime, int64_t since_ms,
                                         struct gw_example_ranges *ret_ranges, gw_err *err);

// Strings and features are valid during the call. An error stops the reading and is returned.
typedef gw_status (*gw_example_visit)(void *context, const struct gw_labeled_example *example, gw_err *err);

// Visits each WINDOW_CLOSED of the ranges. GW_E_NOT_FOUND: records of the ranges are gone. GW_E_ABORTED: *runtime->stop
// was set. GW_E_TIMEOUT: the broker sends nothing. GW_E_MALFORMED and the like name the record.
GW_CHECK gw_status gw_example_read(const struct gw_runtime *runtime, const struct gw_example_ranges *ranges,
                                   gw_example_visit visit, void *context, gw_err *err);

struct gw_example_reading {
    const struct gw_example_ranges *ranges;
    gw_example_visit visit;
    bool (*stop)(void *context); // asked about ten times a second; NULL: *runtime->stop
    void *context;               // of both
    uint64_t *damaged;           // counts records that cannot be read, instead of ending at them; NULL: ends
};

// The same with more to say. GW_E_ABORTED: `stop` said so.
GW_CHECK gw_status gw_example_read_with(const struct gw_runtime *runtime, const struct gw_example_reading *reading,
                                        gw_err *err);
