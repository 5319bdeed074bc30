// SPDX-License-Identifier: MIT
// Commit strategies: how outputs, state and input offsets change together. The loop drives one of them and does not know
// which. All calls come from the loop's thread.
//
//   commit_kafka   one Kafka transaction: outputs, state changelog, offsets                     rekey aggregate score
//   commit_redis   one script per partition: compare the stored offset, write rows and offset   online
//   commit_direct  at-least-once, because a caller waits: offsets are only for lag displays     score (synchronous lane)
#pragma once

#include "kafka/consumer.h"
#include "kafka/producer.h"
#include "store/rows.h"
#include "worker/ledger.h"

// One input partition as the loop and a strategy pass it to each other.
struct gw_commit_position {
    uint32_t source;           // index of the input topic in the worker's definition
    const char *topic;         // full name
    int32_t partition;
    int64_t committed_offset;  // as of the last commit; GW_KAFKA_OFFSET_NONE: the partition has no position
    struct gw_ledger committed_ledger; // counts up to committed_offset
    int64_t next_offset;       // what this commit shall store
    struct gw_ledger ledger;   // counts up to next_offset
    bool moved;                // out: the store holds another offset; committed_offset and _ledger say which
};

struct gw_commit;

struct gw_commit_ops {
    // Where each partition starts: fills committed_offset and committed_ledger. RETRY while the store is away.
    gw_status (*positions)(struct gw_commit *commit, struct gw_kafka_consumer *consumer,
                           struct gw_commit_position *positions, size_t count, gw_err *err);
    // Queues an output record (dead letters included); opens the transaction when there is none.
    gw_status (*emit)(struct gw_commit *commit, const struct gw_kafka_output *output, gw_err *err);
    // Makes everything emitted and all positions durable together.
    gw_status (*commit)(struct gw_commit *commit, struct gw_kafka_consumer *consumer,
                        struct gw_commit_position *positions, size_t count, gw_err *err);
    // Forgets everything since the last commit.
    gw_status (*abort)(struct gw_commit *commit, gw_err *err);
    void (*free)(struct gw_commit *commit);
    bool commits_when_idle; // ask the store each second, so that an idle partition notices a change under it
};

// First member of every strategy.
struct gw_commit {
    const struct gw_commit_ops *ops;
};

struct gw_commit_kafka_options {
    const struct gw_kafka_options *client;
    const char *transactional_id;
    // Called when a transaction that carried tagged outputs is committed, once per delivered record (see producer.h).
    void (*delivered)(void *context, uint64_t tag, const char *topic, int32_t partition, int64_t offset);
    void *context;
};
GW_CHECK gw_status gw_commit_kafka_new(const struct gw_commit_kafka_options *options, struct gw_commit **ret_commit,
                                       gw_err *err);

// `store` is borrowed for the strategy's life; `client` is for dead letters.
GW_CHECK gw_status gw_commit_redis_new(const struct gw_kafka_options *client, struct gw_store *store,
                                       struct gw_commit **ret_commit, gw_err *err);

// Queues a row write that came from the record at (partition, offset). Copies the row. Only for a commit_redis.
GW_CHECK gw_status gw_commit_redis_write(struct gw_commit *commit, int32_t partition, int64_t offset,
                                         const struct gw_store_write *write, gw_err *err);

GW_CHECK gw_status gw_commit_direct_new(const struct gw_kafka_options *client, struct gw_commit **ret_commit,
                                        gw_err *err);
