// SPDX-License-Identifier: MIT
// A consumer: a member of a group, or hand-assigned partitions. Always reads committed unless asked otherwise, never
// commits by itself, never invents a starting position (auto.offset.reset=error): the owner assigns explicit offsets.
//
// One owning thread. Rebalances happen inside gw_kafka_consumer_poll through the two callbacks. Each record comes from a
// partition that is assigned at the moment poll returns it (records are polled one by one because librdkafka 2.0's batch
// call may return records of revoked partitions, facts/kafka.md 3.5).
#pragma once

#include "kafka/client.h"

#include <stdbool.h>

struct gw_kafka_consumer;
struct gw_kafka_message; // librdkafka's message, opaque; keeps the record's bytes alive

// A record as polled. Key, value and headers point into `message` and are valid until gw_kafka_message_free.
struct gw_kafka_record {
    struct gw_kafka_message *message;
    const char *topic; // one of the strings passed at subscribe or assign
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; // append time where the topic says LogAppendTime, else create time; -1 when absent
    struct gw_slice key;  // size 0 and data NULL: no key
    struct gw_slice value; // data NULL: tombstone
    bool partition_end;   // no record: end of partition `partition` reached at `offset` (only when end_events is set)
};

struct gw_kafka_consumer_options {
    const struct gw_kafka_options *client; // borrowed for the call
    const char *group;                     // NULL: hand assignment only, no group traffic
    bool read_uncommitted;
    bool end_events;        // report ends of partitions as records with partition_end
    bool low_latency;       // small fetch waits; default is tuned for bulk (facts/kafka.md 3.2)
    uint32_t session_timeout_ms; // 0 = 10,000
    uint32_t max_poll_interval_ms; // 0 = 300,000
    // Called on the polling thread, inside poll or close. `assigned`: must fill in positions[i].offset for each
    // partition (GW_KAFKA_OFFSET_NONE leaves the partition assigned but paused: it has no position) and may pause others
    // by setting it in `paused`. `revoked`: commit or abort before returning; `lost` says that the partitions already
    // belong to somebody else. Eager protocol: revoked names all partitions of the member.
    void (*assigned)(void *context, struct gw_kafka_position *positions, bool *paused, size_t count);
    void (*revoked)(void *context, const struct gw_kafka_position *positions, size_t count, bool lost);
    void *context;
};

GW_CHECK gw_status gw_kafka_consumer_new(const struct gw_kafka_consumer_options *options,
                                         struct gw_kafka_consumer **ret_consumer, gw_err *err);

// Leaves the group cleanly (revoked is called when partitions are held) and frees the handle. NULL is legal.
void gw_kafka_consumer_free(struct gw_kafka_consumer *consumer);

// Joins the group for these topics (strings must outlive the consumer). Range assignor: equal counts co-partition.
GW_CHECK gw_status gw_kafka_consumer_subscribe(struct gw_kafka_consumer *consumer, const char *const *topics,
                                               size_t count, gw_err *err);

// Replaces the hand assignment with these explicit positions (offset may be _END or _START).
GW_CHECK gw_status gw_kafka_consumer_assign(struct gw_kafka_consumer *consumer,
                                            const struct gw_kafka_position *positions, size_t count, gw_err *err);

// Waits up to timeout_ms for one record. *ret_got false: nothing came. Serves rebalances. GW_E_UNAVAILABLE: brokers away;
// GW_E_MISMATCH: a position is out of range (*ret_record names topic, partition and offset; the partition is then paused
// until a seek);
// GW_E_FENCED and other fatal errors as FATAL.
GW_CHECK gw_status gw_kafka_consumer_poll(struct gw_kafka_consumer *consumer, uint32_t timeout_ms,
                                          struct gw_kafka_record *ret_record, bool *ret_got, gw_err *err);

// Gives back the memory of a polled record. NULL is legal.
void gw_kafka_message_free(struct gw_kafka_message *message);

// Headers of a record, in order, at most `capacity`; borrowed from the message. Parses on demand.
size_t gw_kafka_message_headers(const struct gw_kafka_message *message, struct gw_kafka_header *headers,
                                size_t capacity);

// Moves positions of assigned partitions; records of the old position that are still queued are not returned.
GW_CHECK gw_status gw_kafka_consumer_seek(struct gw_kafka_consumer *consumer,
                                          const struct gw_kafka_position *positions, size_t count, gw_err *err);

GW_CHECK gw_status gw_kafka_consumer_pause(struct gw_kafka_consumer *consumer,
                                           const struct gw_kafka_position *positions, size_t count, gw_err *err);
GW_CHECK gw_status gw_kafka_consumer_resume(struct gw_kafka_consumer *consumer,
                                            const struct gw_kafka_position *positions, size_t count, gw_err *err);

// Committed offsets of the group, stable (an open transaction on them is waited for). Fills offset (NONE when absent) and
// copies the metadata of positions[i] into metadata[i] when `metadata` is not NULL.
GW_CHECK gw_status gw_kafka_consumer_committed(struct gw_kafka_consumer *consumer, struct gw_kafka_position *positions,
                                               char (*metadata)[GW_KAFKA_METADATA_BYTES_MAX], size_t count,
                                               uint32_t timeout_ms, gw_err *err);

// Low and high watermark, asked from the broker now. With read_uncommitted the high one is the log end, else the last
// stable offset.
GW_CHECK gw_status gw_kafka_consumer_watermarks(struct gw_kafka_consumer *consumer, const char *topic,
                                                int32_t partition, uint32_t timeout_ms, int64_t *ret_low,
                                                int64_t *ret_high, gw_err *err);

// The first offset whose record was appended at or after time_ms; the partition's end when there is none.
GW_CHECK gw_status gw_kafka_consumer_offset_at(struct gw_kafka_consumer *consumer, const char *topic,
                                               int32_t partition, int64_t time_ms, uint32_t timeout_ms,
                                               int64_t *ret_offset, gw_err *err);

// The high watermark that the last fetch answer carried; -1 when not yet known. Costs nothing.
int64_t gw_kafka_consumer_cached_high(struct gw_kafka_consumer *consumer, const char *topic, int32_t partition);

// Commits without waiting, for lag displays and at-least-once lanes only.
GW_CHECK gw_status gw_kafka_consumer_commit_async(struct gw_kafka_consumer *consumer,
                                                  const struct gw_kafka_position *positions, size_t count, gw_err *err);

// Number of partitions of a topic, from metadata. GW_E_UNAVAILABLE when unknown (class RETRY: metadata may be late).
GW_CHECK gw_status gw_kafka_consumer_partition_count(struct gw_kafka_consumer *consumer, const char *topic,
                                                     uint32_t timeout_ms, int32_t *ret_count, gw_err *err);
