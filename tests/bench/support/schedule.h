// SPDX-License-Identifier: MIT
// An open-loop schedule: when each request is due, whatever became of the others. Latency counts from there, so that a
// stall that keeps later requests from being sent is in their latency (no coordinated omission).
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum bench_outcome { BENCH_WAITING, BENCH_OK, BENCH_PARTIAL, BENCH_FAILED };

// Poisson arrivals at a mean rate. An entry's `due_us` is written before threads start; the rest by the one thread that
// handles that request, and read when threads have ended.
struct bench_due {
    uint64_t due_us;  // monotonic
    uint64_t sent_us; // when it really was
    uint64_t done_us; // 0: no answer
    // What the answer says about itself; 0 where it does not.
    uint32_t queue_us;
    uint32_t hydrate_us;
    uint32_t score_us;
    int32_t version; // of the model
    enum bench_outcome outcome;
};

struct bench_schedule {
    struct bench_due *items;
    uint64_t count;
    uint64_t warm_up_count; // first ones, not counted
};

// The first request is due at start_us.
GW_CHECK gw_status bench_schedule_init(struct bench_schedule *schedule, double rate_per_s, double warm_up_s,
                                       double window_s, uint64_t start_us, gw_err *err);
void bench_schedule_deinit(struct bench_schedule *schedule);

// Sleeps until a monotonic time.
void bench_sleep_until(uint64_t due_us);

// What a run shows. A request without an OK or PARTIAL answer counts as failed and as infinitely slow.
struct bench_latency {
    double p50_ms;
    double p95_ms;
    double p99_ms;
    double failed;
    double partial;
    double requests;
    double send_late_p99_ms; // how punctual the generator was
    double queue_p95_ms;     // from the request's time (whole milliseconds) to its poll
    double hydrate_p95_ms;   // of the batch it was in
    double score_p95_ms;     // likewise
    double stolen_cores;     // by other machines on the same host, meanwhile; filled in by who measures
};
GW_CHECK gw_status bench_schedule_judge(const struct bench_schedule *schedule, struct bench_latency *ret_latency,
                                        gw_err *err);

// Asks over Kafka: sends every request of the schedule when due, and fills in what became of it.
struct bench_session;
struct bench_requests;
struct gw_kafka_consumer;

// Opens the caller's own partition of prediction_replies at its end; free with gw_kafka_consumer_free.
GW_CHECK gw_status bench_replies_open(const struct bench_session *session, struct gw_kafka_consumer **ret_replies,
                                      gw_err *err);
GW_CHECK gw_status bench_drive_kafka(const struct bench_session *session, struct gw_kafka_consumer *replies,
                                     struct bench_requests *requests, struct bench_schedule *schedule, gw_err *err);

enum { BENCH_GIVE_UP_MS = 2000 }; // after the last request was due
