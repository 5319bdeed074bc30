// SPDX-License-Identifier: MIT
// A backlog of requests for the bulk lane, read again and again: the group is put back to its start before each run.
#pragma once

#include "support/session.h"
#include "support/world.h"

enum { BENCH_PARTITIONS_MAX = 256 };

struct bench_backlog {
    struct gw_kafka_position start[BENCH_PARTITIONS_MAX]; // of prediction_requests
    size_t count;
    uint64_t requests;
    uint64_t predictions;
};

// Appends `requests` requests of world and candidate count to prediction_requests.
GW_CHECK gw_status bench_backlog_fill(const struct bench_session *session, const struct bench_world *world,
                                      uint32_t candidates, uint64_t requests, struct bench_backlog *ret_backlog,
                                      gw_err *err);
// Puts the group at the end of the topic, so that the bulk lane has nothing to do.
GW_CHECK gw_status bench_backlog_skip(const struct bench_session *session, gw_err *err);
