// SPDX-License-Identifier: MIT
// Everything that a read-committed consumer of `predictions` gets while a backlog is worked off: from which scorer, by
// which version, and whether each request has exactly one answer.
//
// A request's number gives its partition (bench_backlog_fill goes round), and the range assignor gives each of two
// members of the group one half of the partitions, so that the number also tells the scorers apart.
#pragma once

#include "rollout/rollout.h"
#include "support/backlog.h"

#include "base/arena.h"
#include "kafka/consumer.h"

struct rollout_answers {
    const struct bench_session *session;
    const struct bench_backlog *backlog;
    struct gw_kafka_consumer *consumer;
    struct gw_arena arena;
    struct gw_buf scratch;
    uint8_t *counts;      // answers of each request of the backlog, at most UINT8_MAX
    uint64_t answered;    // requests with at least one
    uint64_t not_ok;      // answers that are neither OK nor PARTIAL
    uint64_t predictions; // candidates in all
};

struct rollout_answer {
    size_t scorer; // 0 or 1
    int32_t version;
    int64_t scored_at_ms;
    uint64_t seen_us; // monotonic
};

GW_CHECK gw_status rollout_answers_open(struct rollout_answers *answers, const struct bench_session *session,
                                        const struct bench_backlog *backlog, gw_err *err);
void rollout_answers_close(struct rollout_answers *answers); // zeroed is legal

// Reads one, if one comes within 100 ms.
GW_CHECK gw_status rollout_answers_next(struct rollout_answers *answers, struct rollout_answer *ret_answer,
                                        bool *ret_got, gw_err *err);

// The group has ended: reads the rest of what it has committed, and counts the requests below its positions without
// exactly one answer, and those behind them with any. GW_E_EXHAUSTED: the backlog did not last.
GW_CHECK gw_status rollout_answers_settle(struct rollout_answers *answers, uint64_t *ret_dropped, gw_err *err);
