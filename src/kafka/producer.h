// SPDX-License-Identifier: MIT
// A producer: transactional (bulk lanes), idempotent (events), or low-latency (synchronous lane). Never chooses a
// partition by itself unless asked: the caller passes murmur2(key) mod count.
//
// One owning thread. Failed deliveries of a transactional producer surface at commit as GW_E_ABORTED; those of others are
// counted and reported by gw_kafka_producer_flush and _failed.
#pragma once

#include "kafka/client.h"
#include "kafka/consumer.h"

struct gw_kafka_producer;

enum gw_kafka_producer_kind { GW_KAFKA_PRODUCER_BULK, GW_KAFKA_PRODUCER_LATENCY };

struct gw_kafka_producer_options {
    const struct gw_kafka_options *client; // borrowed for the call
    enum gw_kafka_producer_kind kind;      // BULK: lz4, linger 50 ms, which a commit or flush does not wait for; LATENCY: linger 0, no compression
    const char *transactional_id;          // NULL: idempotent, no transactions
    uint32_t transaction_timeout_ms;       // 0 = 15,000
    size_t queue_bytes_max;                // memory bound of the local queue; 0 = 256 MiB
    // Optional: called from gw_kafka_producer_poll/flush/commit for each delivered record that was produced with a
    // non-zero `tag`, on the owning thread.
    void (*delivered)(void *context, uint64_t tag, const char *topic, int32_t partition, int64_t offset);
    void *context;
};

// A record to produce. Everything is borrowed for the call and copied.
struct gw_kafka_output {
    const char *topic;     // any string; handles are cached per distinct pointer or text
    int32_t partition;     // -1: librdkafka's murmur2_random partitioner by key
    struct gw_slice key;   // data NULL: no key
    struct gw_slice value; // data NULL: tombstone
    int64_t timestamp_ms;  // 0: now
    const struct gw_kafka_header *headers;
    size_t header_count;
    uint64_t tag; // passed to `delivered`; 0: no delivery report is asked for
};

GW_CHECK gw_status gw_kafka_producer_new(const struct gw_kafka_producer_options *options,
                                         struct gw_kafka_producer **ret_producer, gw_err *err);

// Flushes nothing: an open transaction is left to the coordinator or the successor. NULL is legal.
void gw_kafka_producer_free(struct gw_kafka_producer *producer);

// Queues a record. When the local queue is full it serves the producer and tries again for up to 5 s: then GW_E_TIMEOUT.
// GW_E_TOO_LARGE (RECORD) when over the producer's message limit; GW_E_MISMATCH when the partition does not exist.
GW_CHECK gw_status gw_kafka_produce(struct gw_kafka_producer *producer, const struct gw_kafka_output *output,
                                    gw_err *err);

// Serves delivery reports for up to timeout_ms.
void gw_kafka_producer_poll(struct gw_kafka_producer *producer, uint32_t timeout_ms);

// Waits until everything queued is acknowledged. GW_E_TIMEOUT, or GW_E_UNAVAILABLE when deliveries failed since the last
// call (the message carries the first reason).
GW_CHECK gw_status gw_kafka_producer_flush(struct gw_kafka_producer *producer, uint32_t timeout_ms, gw_err *err);
uint64_t gw_kafka_producer_failed(const struct gw_kafka_producer *producer); // deliveries failed since _new
size_t gw_kafka_producer_queued(const struct gw_kafka_producer *producer);   // records not yet acknowledged

// Transactions. init fences and aborts a predecessor of the same id. Retriable errors are retried inside until the
// timeout; the rest comes out as GW_E_ABORTED (abort, rewind), GW_E_FENCED or another FATAL.
GW_CHECK gw_status gw_kafka_txn_init(struct gw_kafka_producer *producer, uint32_t timeout_ms, gw_err *err);
GW_CHECK gw_status gw_kafka_txn_begin(struct gw_kafka_producer *producer, gw_err *err);
GW_CHECK gw_status gw_kafka_txn_send_offsets(struct gw_kafka_producer *producer, struct gw_kafka_consumer *consumer,
                                             const struct gw_kafka_position *positions, size_t count,
                                             uint32_t timeout_ms, gw_err *err);
GW_CHECK gw_status gw_kafka_txn_commit(struct gw_kafka_producer *producer, uint32_t timeout_ms, gw_err *err);
GW_CHECK gw_status gw_kafka_txn_abort(struct gw_kafka_producer *producer, uint32_t timeout_ms, gw_err *err);
