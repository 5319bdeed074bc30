// SPDX-License-Identifier: MIT
// Records in and out of a cluster: framed and keyed as producers of the platform do it, read back committed.
#pragma once

#include "support/cluster.h"

#include "avro/framing.h"
#include "base/arena.h"
#include "kafka/consumer.h"
#include "records/entity_event.h"
#include "records/feature_update.h"
#include "records/prediction.h"
#include "records/prediction_request.h"
#include "records/served_candidate.h"
#include "records/social_graph_event.h"
#include "records/tweet_event.h"
#include "records/user_action.h"
#include "records/user_profile.h"

// Encodes `record` under the topic's schema and sends it to the partition of `key_id`.
#define RECORDS_SEND(cluster, topic, encode, record, key_id)                                                           \
    do {                                                                                                               \
        RECORDS_ENCODE(cluster, topic, encode, record);                                                                \
        records_put(cluster, topic, -1, key_id, gw_buf_slice(&(cluster)->value), NULL, 0);                             \
    } while (0)

// Leaves the framed record in cluster->value.
#define RECORDS_ENCODE(cluster, topic, encode, record)                                                                 \
    do {                                                                                                               \
        gw_buf_clear(&(cluster)->value);                                                                               \
        assert_ok(gw_avro_frame_begin(&(cluster)->value, gw_runtime_schema_id(&(cluster)->runtime, topic)));           \
        assert_ok(encode(record, &(cluster)->value));                                                                  \
    } while (0)

// Sends bytes as they are; partition -1: that of key_id. value.data NULL: a tombstone.
void records_put(struct cluster *cluster, enum gw_topic topic, int32_t partition, int64_t key_id, struct gw_slice value,
                 const struct gw_kafka_header *headers, size_t header_count);
void records_flush(struct cluster *cluster);

// An id of 16 bytes that tells `number` apart.
void records_id(uint8_t id[16], uint64_t family, uint64_t number);

// Called for each record; it is gone afterwards. Log ids and the like are not filtered.
typedef void (*records_visit)(void *context, const struct gw_kafka_record *record);

// Reads all partitions of a topic from their starts to their ends as of now, committed records only; open transactions
// below those ends are waited for.
void records_read(struct cluster *cluster, const char *full_topic, int32_t partition_count, records_visit visit,
                  void *context);

size_t records_count(struct cluster *cluster, const char *full_topic, int32_t partition_count);

// A reader that follows a topic from its start.
struct tail;
struct tail *tail_open(struct cluster *cluster, enum gw_topic topic, bool uncommitted);
void tail_close(struct tail *tail);
// Visits what is at hand.
void tail_drain(struct tail *tail, records_visit visit, void *context);

// The Avro body; fails the test when the value is not framed under the topic's own schema.
struct gw_slice records_body(struct cluster *cluster, enum gw_topic topic, const struct gw_kafka_record *record);

// A header's value as text, or "" when absent.
void records_header(const struct gw_kafka_record *record, const char *name, char *text, size_t size);
