// SPDX-License-Identifier: MIT
// The inside of a consumer: a table of what it holds, per partition: whether it is assigned, whether it has a position,
// and the next offset that may be returned. librdkafka drops records that a rebalance, seek or pause has made stale by
// its version barriers; the table is the second line of defence, and it knows the caller's topic strings.
#pragma once

#include "kafka/consumer.h"
#include "kafka/handle.h"

struct gw_kafka_slot {
    bool assigned;
    bool positionless; // held, but paused until a seek gives it a position
    bool stopped;      // librdkafka gave the position up: a seek needs a new assignment
    bool paused;
    int64_t start_offset; // as assigned or sought last; may be START or END
    int64_t next_offset;  // records below are stale
};

struct gw_kafka_held_topic {
    const char *name;            // the caller's string
    const rd_kafka_topic_t *rkt; // cache of the handle seen in records; valid while partitions of it are assigned
    struct gw_kafka_slot *slots; // by partition
    int32_t slot_count;
};

struct gw_kafka_consumer {
    struct gw_kafka_handle handle; // first: it is librdkafka's opaque
    void (*assigned)(void *context, struct gw_kafka_position *positions, bool *paused, size_t count);
    void (*revoked)(void *context, const struct gw_kafka_position *positions, size_t count, bool lost);
    void *context;
    struct gw_kafka_held_topic *topics;
    size_t topic_count;
    struct gw_kafka_held_topic *last_topic; // of the last record; NULL after every change of the assignment
    gw_err deferred;                        // found inside a callback, returned by the poll around it
};

// The table's entry of a topic, or NULL; of a partition, or NULL.
struct gw_kafka_held_topic *gw_kafka_topic_find(struct gw_kafka_consumer *consumer, const char *name);
struct gw_kafka_slot *gw_kafka_slot_find(struct gw_kafka_consumer *consumer, const char *name, int32_t partition);

// Finds or makes a topic's entry; NULL when memory is short. `name` is kept.
struct gw_kafka_held_topic *gw_kafka_topic_put(struct gw_kafka_consumer *consumer, const char *name);
void gw_kafka_table_deinit(struct gw_kafka_consumer *consumer);

// Installs positions as the whole assignment and pauses those without an offset, or flagged in `paused` (may be NULL).
GW_CHECK gw_status gw_kafka_install(struct gw_kafka_consumer *consumer, const struct gw_kafka_position *positions,
                                    const bool *paused, size_t count, gw_err *err);

// Installs what is held once more, pauses kept, with these positions in place of the old ones.
GW_CHECK gw_status gw_kafka_reinstall(struct gw_kafka_consumer *consumer, const struct gw_kafka_position *moved,
                                      size_t count, gw_err *err);

// librdkafka's rebalance callback, for the eager protocol; runs inside poll and close.
void gw_kafka_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list,
                           void *opaque);

// For send_offsets, which belongs to the producer.
rd_kafka_t *gw_kafka_consumer_rk(struct gw_kafka_consumer *consumer);
