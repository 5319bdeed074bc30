// SPDX-License-Identifier: MIT
// Records to Kafka in order, through a broker that may be slow or away, with counts, progress and a summary.
//
// One owning thread. Producing waits and tries again on every failure of the class RETRY until *runtime->stop: nothing
// is skipped, nothing overtakes.
#pragma once

#include "kafka/producer.h"
#include "worker/runtime.h"

#include <stdio.h>

struct gw_simulate_counts {
    uint64_t records[GW_TOPIC_COUNT]; // given to Kafka, by topic
    uint64_t candidates;              // of the requests among them: predictions asked for
    uint64_t bytes;                   // of values
};

struct gw_simulate_sender {
    const struct gw_runtime *runtime; // borrowed
    struct gw_kafka_producer *producer;
    struct gw_simulate_counts counts;
    const char *phase;     // shown in progress
    int64_t behind_ms;     // of the record at hand: now - its time; shown in progress
    int64_t behind_max_ms; // in this phase
    uint64_t phase_us;     // monotonic time at which the phase began
    struct gw_simulate_counts phase_counts;
    uint64_t shown_us; // of the last progress line
    struct gw_simulate_counts shown_counts;
    struct gw_buf line;
};

GW_CHECK gw_status gw_simulate_sender_init(struct gw_simulate_sender *sender, const struct gw_runtime *runtime,
                                           size_t queue_bytes_max, gw_err *err);
void gw_simulate_sender_deinit(struct gw_simulate_sender *sender); // of a zeroed one too

bool gw_simulate_sender_stopped(const struct gw_simulate_sender *sender);

// Begins a phase (a static text): counts and time of the summary are from here on.
void gw_simulate_sender_begin(struct gw_simulate_sender *sender, const char *phase);

// Sends a framed record under the key `key`. `candidates` is 0 but for a request. Without an error the record is
// queued, or the run was stopped while the broker was away.
GW_CHECK gw_status gw_simulate_sender_send(struct gw_simulate_sender *sender, enum gw_topic topic, int64_t key,
                                           struct gw_slice value, size_t candidates, gw_err *err);

// Serves Kafka for up to timeout_ms and shows progress when a second has passed.
void gw_simulate_sender_serve(struct gw_simulate_sender *sender, uint32_t timeout_ms);

// Waits until everything is acknowledged, a minute at most, 10 s once stopped. GW_E_UNAVAILABLE: some of it never was.
GW_CHECK gw_status gw_simulate_sender_finish(struct gw_simulate_sender *sender, gw_err *err);

// One JSON object on a line: what was sent since the phase began, how fast, and how much of all failed or
// is not acknowledged.
GW_CHECK gw_status gw_simulate_sender_summary(struct gw_simulate_sender *sender, FILE *to, gw_err *err);
