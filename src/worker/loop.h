// SPDX-License-Identifier: MIT
// The loop that every stream worker runs on: poll a bounded batch, decode, process, commit outputs, state and offsets.
//
// A worker is a table of functions over its own context; it never sees librdkafka, offsets of others, or transactions.
// The loop owns the consumer, the positions, the dead letters, the four error classes, rewinding, rebalances, waiting
// and draining. src/worker/README.md tells the life of a batch; STREAMS rules 5-13 are kept here.
//
// One thread runs one loop. Fields readable by other threads are atomics in gw_loop_status.
#pragma once

#include "base/arena.h"
#include "worker/commit.h"

#include <stdatomic.h>

#define GW_LOOP_INPUTS_MAX     8
#define GW_LOOP_PARTITIONS_MAX 512

struct gw_loop;
struct gw_schema_gate;

// One record as decode sees it. Bytes are valid until the process (or discard) that follows.
struct gw_input {
    uint32_t source; // index in the definition's inputs
    int32_t partition;
    int64_t offset;
    int64_t append_time_ms;
    struct gw_slice key;
    struct gw_slice body;                   // Avro body in our own schema, framing removed; data NULL: tombstone
    uint32_t slot;                          // for gw_loop_settle
    const struct gw_kafka_message *message; // for headers
};

struct gw_loop_ops {
    // Reads one record into the worker's batch. A RECORD status dead-letters it; the others rewind the batch.
    gw_status (*decode)(void *worker, struct gw_loop *loop, const struct gw_input *input, gw_err *err);
    // Handles everything decoded since the last call: emits outputs and settles each record exactly once.
    gw_status (*process)(void *worker, struct gw_loop *loop, gw_err *err);
    // After a commit: live metrics advance here and nowhere else.
    void (*report)(void *worker, struct gw_loop *loop);
    // Forgets what was decoded but not processed; when the transaction was aborted, also what was counted for a report.
    void (*discard)(void *worker, bool aborted);
};

// For workers that keep state per input partition. All optional as a whole (NULL), none optional alone.
struct gw_loop_state_ops {
    // Rebuilds the state of a partition that starts at `offset`; called again until *ret_done. Must not block for long:
    // the inputs stay paused and polled meanwhile. RETRY is tried again after a wait.
    gw_status (*takeover)(void *worker, uint32_t source, int32_t partition, int64_t offset, bool *ret_done,
                          gw_err *err);
    // Emits what the state owes to its changelog, inside the transaction that is about to commit.
    gw_status (*flush)(void *worker, struct gw_loop *loop, gw_err *err);
    // The transaction committed: what was flushed is now true.
    void (*committed)(void *worker);
    // The partition is ours no longer (or is taken over again after an abort): drops its state.
    void (*release)(void *worker, uint32_t source, int32_t partition);
};

struct gw_loop_input {
    const char *topic;                 // full name; borrowed for the loop's life
    const char *dlq_topic;             // full name, NULL: the input has no dead-letter topic (our own topics' tails)
    int32_t partition_count;           // what topics.ini says, checked at start; 0: any
    bool has_log_id;                   // offset 0 of each partition holds the log's id, which is not data
    const struct gw_schema_gate *gate; // which schema ids are known; borrowed
};

// Written by the loop, read by anyone.
struct gw_loop_status {
    atomic_bool running;          // the loop is inside gw_loop_run
    atomic_bool member;           // the group has said what is ours, if anything; false again during a rebalance
    atomic_uint assigned;         // input partitions held
    atomic_uint ready;            // of those, how many are being read
    atomic_uint without_position; // held, but nobody ever wrote a starting offset (STREAMS 6)
    atomic_ullong records;        // settled and committed
    atomic_ullong outcomes[GW_OUTCOME_COUNT];
    atomic_ullong commits;
    atomic_ullong aborts;
    atomic_ullong retries;
    atomic_llong lag;             // records between positions and the last known ends
    atomic_llong time_lag_ms;     // age of the last record processed when it was processed
    atomic_ullong last_commit_us; // monotonic
};

struct gw_loop_options {
    const char *name; // worker and lane, such as "score-bulk-0": in logs
    const struct gw_loop_ops *ops;
    const struct gw_loop_state_ops *state; // NULL: no state
    void *worker;
    struct gw_commit *commit; // takes: freed with the loop
    const struct gw_kafka_options *client;
    const char *group;
    const struct gw_loop_input *inputs;
    size_t input_count;
    bool low_latency;
    uint32_t poll_wait_ms;
    uint32_t records_max;          // bound of a batch
    uint64_t weight_max;           // bound of the sum of what decode reports by gw_loop_add_weight; 0: none
    uint32_t commit_interval_ms;   // a transaction is committed when it is this old,
    uint64_t commit_records;       // or has so many records; 0: no such bound
    bool commits_when_idle;        // commit once a second also without records: the state has something to say (marks)
    bool end_events;               // notice ends of partitions: gw_loop_each_partition then sees past commit markers
    uint32_t retry_max;            // RETRY attempts over the same batch before the loop gives up
    const atomic_bool *stop;       // set by the signal thread: drain and return
    struct gw_loop_status *status; // borrowed for the loop's life
};

GW_CHECK gw_status gw_loop_new(const struct gw_loop_options *options, struct gw_loop **ret_loop, gw_err *err);
void gw_loop_free(struct gw_loop *loop);

// Runs until *stop is set (drains, commits, leaves the group: GW_OK) or something FATAL happens.
GW_CHECK gw_status gw_loop_run(struct gw_loop *loop, gw_err *err);

// For workers, inside decode, process and flush:
GW_CHECK gw_status gw_loop_emit(struct gw_loop *loop, const struct gw_kafka_output *output, gw_err *err);
void gw_loop_settle(struct gw_loop *loop, uint32_t slot, enum gw_outcome outcome);
// Settles a record as dead letter and emits it with its reason. For refusals found in process.
GW_CHECK gw_status gw_loop_dead_letter(struct gw_loop *loop, uint32_t slot, gw_status status, const char *reason,
                                       gw_err *err);
void gw_loop_add_weight(struct gw_loop *loop, uint64_t weight);
// Bounds the weight of the batches from the next one on, at most the options' weight_max; for workers that know how long a
// unit of it takes.
void gw_loop_bound_weight(struct gw_loop *loop, uint64_t weight_max);
// Commits behind this batch, however young the transaction is: somebody waits for what it brings.
void gw_loop_commit_soon(struct gw_loop *loop);
struct gw_commit *gw_loop_commit(struct gw_loop *loop);
bool gw_loop_owns(const struct gw_loop *loop, uint32_t source, int32_t partition);
uint64_t gw_loop_polled_us(const struct gw_loop *loop); // monotonic time at which the first record of the batch came

// The state changes without an input: the open transaction, or a new one, belongs to it, so that a failure rewinds.
void gw_loop_touch(struct gw_loop *loop);

// Stops reading a partition that is being read, or goes on. What is already polled still comes. A hold ends by itself
// when the partition's state is released; holding what is not being read does nothing.
void gw_loop_hold(struct gw_loop *loop, uint32_t source, int32_t partition, bool hold);

// Calls visit for every partition that is being read. next_offset: the next record to process stands there or behind.
void gw_loop_each_partition(struct gw_loop *loop,
                            void (*visit)(void *context, uint32_t source, int32_t partition, int64_t next_offset,
                                          int64_t last_append_time_ms),
                            void *context);
