// SPDX-License-Identifier: MIT
// Final labels as they come: follows training_examples from given offsets on and gives the first row of each request.
//
// Candidates of one request are no independent draws. label closes the windows of a request at one moment, in the order
// of a hash of their keys, into one partition: so the first one in the log is a choice by hash, without waiting for the
// others, and the same after a restart. Requests are remembered for the last 65,536 of them.
//
// One owning thread.
#pragma once

#include "records/labeled_example.h"
#include "worker/runtime.h"

#define GW_GUARD_PARTITIONS_MAX 512

struct gw_guard_rows;

// Next offsets by partition; those of partitions that are not here are 0.
struct gw_guard_offsets {
    size_t count;
    int64_t items[GW_GUARD_PARTITIONS_MAX];
};

struct gw_guard_row {
    int32_t partition;
    int64_t offset;
    struct gw_labeled_example example; // valid until the next call
};

GW_CHECK gw_status gw_guard_rows_new(const struct gw_runtime *runtime, struct gw_guard_rows **ret_rows, gw_err *err);
void gw_guard_rows_free(struct gw_guard_rows *rows); // NULL is legal

// Where what was appended from since_ms on begins. GW_E_UNAVAILABLE, GW_E_TIMEOUT; GW_E_EXHAUSTED: more partitions than
// there is room for.
GW_CHECK gw_status gw_guard_rows_find(struct gw_guard_rows *rows, int64_t since_ms,
                                      struct gw_guard_offsets *ret_offsets, gw_err *err);

// Reads on from there and forgets which requests it has seen.
GW_CHECK gw_status gw_guard_rows_start(struct gw_guard_rows *rows, const struct gw_guard_offsets *offsets, gw_err *err);

// Where it reads on; all that is before was given or passed over.
const struct gw_guard_offsets *gw_guard_rows_at(const struct gw_guard_rows *rows);

// The next row. *ret_got false: a record was passed over (*ret_more), or none came within timeout_ms. Records that are
// gone are jumped over, with a word in the log; ones that cannot be read are passed over. Else as
// gw_kafka_consumer_poll.
GW_CHECK gw_status gw_guard_rows_next(struct gw_guard_rows *rows, uint32_t timeout_ms, struct gw_guard_row *ret_row,
                                      bool *ret_got, bool *ret_more, gw_err *err);
