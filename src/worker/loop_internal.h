// SPDX-License-Identifier: MIT
// The loop's own state, shared by its three files: loop.c (batches), loop_partitions.c (who owns what, from where) and
// loop_faults.c (the error classes). Nobody else includes this.
#pragma once

#include "base/backoff.h"
#include "base/log.h"
#include "base/rng.h"
#include "worker/loop.h"

// Life of an input partition in our hands. Assigned partitions are paused until RUNNING.
// X(suffix, name)
#define GW_PARTITION_STATE_MAP(X)                                                                                      \
    X(ASSIGNED, "assigned")       /* the store of positions has not been asked yet */                                 \
    X(HOMELESS, "without-position") /* it was asked and has none: paused until somebody runs topics apply */          \
    X(TAKEOVER, "takeover")       /* state is being rebuilt */                                                         \
    X(SEEKING, "seeking")         /* position known, the consumer has to be moved there */                            \
    X(RUNNING, "running")

enum gw_partition_state {
#define X(suffix, name) GW_PARTITION_##suffix,
    GW_PARTITION_STATE_MAP(X)
#undef X
        GW_PARTITION_STATE_COUNT
};

struct gw_loop_partition {
    enum gw_partition_state state;
    struct gw_commit_position at;
    int64_t last_append_time_ms;
    int64_t end_offset;   // end of the partition as reached last, past commit markers; below next_offset: not known
    bool held;            // the worker does not want more of it for now
    int64_t lost_offset;  // a position that turned out to be gone; -1: none. Going back there needs another answer
    uint64_t retry_at_us; // next attempt of the step that the state asks for
};

// A record of the batch between poll and settle.
struct gw_loop_slot {
    struct gw_kafka_record record;
    struct gw_loop_partition *partition;
    uint32_t source;
    bool settled;
    bool decoded;
};

// Where a record stands.
struct gw_loop_place {
    bool set;
    uint32_t source;
    int32_t partition;
    int64_t offset;
};

struct gw_loop {
    struct gw_loop_options options;
    struct gw_loop_input inputs[GW_LOOP_INPUTS_MAX];
    struct gw_kafka_consumer *consumer;
    struct gw_loop_partition partitions[GW_LOOP_PARTITIONS_MAX];
    size_t partition_count;
    uint32_t epoch; // changes with every rebalance

    struct gw_loop_slot *slots; // records_max of them
    uint32_t slot_count;
    uint64_t batch_weight;
    uint64_t weight_bound; // of a batch; 0: none
    uint64_t polled_us;
    struct gw_buf transcoded; // body of a record written under another schema, one batch
    struct gw_arena bodies;

    bool txn_dirty;       // something was settled or emitted since the last commit
    uint64_t txn_since_us;
    uint64_t txn_records;
    struct gw_ledger txn_outcomes;
    bool commit_wanted; // by the worker, before the interval is over

    // Faults (loop_faults.c)
    struct gw_backoff backoff;
    struct gw_rng rng;
    uint64_t failed_us;         // when the last failure came
    uint64_t wait_until_us;     // RETRY: inputs stand still until then
    bool waiting;
    bool abort_owed;            // the last abort did not come through: nothing is processed until it does
    uint32_t abort_streak;      // transactions aborted in a row
    uint32_t suspect_records;   // 0: no suspicion; else at most so many records a transaction
    bool probe_due;             // commit an empty transaction before condemning a record
    bool probe_passed;
    struct gw_loop_place alone;   // the record of the transaction, when it has one only under suspicion
    struct gw_loop_place suspect; // aborted alone
    bool condemned;               // `suspect` is dead-lettered unseen
    uint32_t condemned_aborts;    // transactions that its dead letter did not survive either
    gw_err last_abort;
    gw_status fatal;            // set inside callbacks
    gw_err fatal_err;
    uint64_t health_logged_us;
};

// loop_partitions.c
void gw_loop_assigned(void *context, struct gw_kafka_position *positions, bool *paused, size_t count);
void gw_loop_revoked(void *context, const struct gw_kafka_position *positions, size_t count, bool lost);
struct gw_loop_partition *gw_loop_find(struct gw_loop *loop, uint32_t source, int32_t partition);
gw_status gw_loop_advance_partitions(struct gw_loop *loop, gw_err *err); // moves each one step nearer to RUNNING
void gw_loop_rewind(struct gw_loop *loop, bool drop_state);              // every partition back to its committed offset
bool gw_loop_takes_over(const struct gw_loop *loop); // a takeover is under way and wants its turn soon
void gw_loop_end_reached(struct gw_loop *loop, const struct gw_kafka_record *end);
GW_CHECK gw_status gw_loop_position_lost(struct gw_loop *loop, const struct gw_kafka_record *where, const char *reason,
                                         gw_err *err);
void gw_loop_update_lag(struct gw_loop *loop);

// loop.c
void gw_loop_drop_batch(struct gw_loop *loop, bool aborted);
gw_status gw_loop_process(struct gw_loop *loop, gw_err *err); // the batch in hand; empty afterwards when it succeeds
gw_status gw_loop_commit_now(struct gw_loop *loop, gw_err *err);

// loop_faults.c
gw_status gw_loop_handle_failure(struct gw_loop *loop, gw_status status, const gw_err *cause, gw_err *err);
void gw_loop_note_commit(struct gw_loop *loop);
void gw_loop_forget_suspicion(struct gw_loop *loop);
uint32_t gw_loop_batch_limit(const struct gw_loop *loop);
bool gw_loop_is_condemned(const struct gw_loop *loop, uint32_t source, int32_t partition, int64_t offset);
gw_status gw_loop_run_probe(struct gw_loop *loop, gw_err *err);
