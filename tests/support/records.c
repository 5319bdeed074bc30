// SPDX-License-Identifier: MIT
#include "support/records.h"

#include "base/clock.h"
#include "base/hash.h"

#include <stdio.h>
#include <string.h>

enum { PARTITIONS_MAX = 32, READ_MS = 40000, HEADERS_MAX = 64 };

void records_put(struct cluster *cluster, enum gw_topic topic, int32_t partition, int64_t key_id, struct gw_slice value,
                 const struct gw_kafka_header *headers, size_t header_count)
{
    uint8_t key[8];
    gw_err err = {0};
    gw_store_be64(key, (uint64_t)key_id);
    if (partition < 0) {
        partition = (int32_t)gw_hash_partition_of_id(key_id, gw_runtime_partitions(&cluster->runtime, topic));
    }
    const struct gw_kafka_output output = {.topic = gw_runtime_topic(&cluster->runtime, topic),
                                           .partition = partition,
                                           .key = gw_slice_make(key, sizeof key),
                                           .value = value,
                                           .headers = headers,
                                           .header_count = header_count};
    assert_ok_err(gw_kafka_produce(cluster->producer, &output, &err), &err);
}

void records_flush(struct cluster *cluster)
{
    gw_err err = {0};
    assert_ok_err(gw_kafka_producer_flush(cluster->producer, READ_MS, &err), &err);
}

void records_id(uint8_t id[16], uint64_t family, uint64_t number)
{
    gw_store_be64(id, gw_hash_mix(family));
    gw_store_be64(id + 8, number);
}

static struct gw_kafka_consumer *open_reader(struct cluster *cluster, const char *topic, int32_t partition_count,
                                             bool uncommitted)
{
    const struct gw_kafka_consumer_options options = {.client = &cluster->runtime.kafka,
                                                      .low_latency = true,
                                                      .end_events = !uncommitted,
                                                      .read_uncommitted = uncommitted};
    struct gw_kafka_position positions[PARTITIONS_MAX];
    struct gw_kafka_consumer *consumer = NULL;
    gw_err err = {0};
    assert_true(partition_count <= PARTITIONS_MAX);
    for (int32_t p = 0; p < partition_count; p++) {
        positions[p] = (struct gw_kafka_position){.topic = topic, .partition = p, .offset = GW_KAFKA_OFFSET_START};
    }
    assert_ok_err(gw_kafka_consumer_new(&options, &consumer, &err), &err);
    assert_ok_err(gw_kafka_consumer_assign(consumer, positions, (size_t)partition_count, &err), &err);
    return consumer;
}

void records_read(struct cluster *cluster, const char *full_topic, int32_t partition_count, records_visit visit,
                  void *context)
{
    int64_t ends[PARTITIONS_MAX];
    int32_t left = partition_count;
    gw_err err = {0};
    for (int32_t p = 0; p < partition_count; p++) {
        int64_t low = 0;
        assert_ok_err(gw_kafka_admin_watermarks(cluster->admin, full_topic, p, READ_MS, &low, &ends[p], &err), &err);
    }
    struct gw_kafka_consumer *consumer = open_reader(cluster, full_topic, partition_count, false);
    uint64_t deadline_us = gw_clock_mono_us() + READ_MS * 1000ull;
    while (left > 0) {
        struct gw_kafka_record record;
        bool got = false;
        assert_true(gw_clock_mono_us() < deadline_us);
        assert_ok_err(gw_kafka_consumer_poll(consumer, 50, &record, &got, &err), &err);
        if (got && record.partition_end) { // may come again when more is appended
            if (record.offset >= ends[record.partition]) {
                ends[record.partition] = INT64_MAX;
                left--;
            }
        } else if (got) {
            visit(context, &record);
            gw_kafka_message_free(record.message);
        }
    }
    gw_kafka_consumer_free(consumer);
}

static void count_one(void *context, const struct gw_kafka_record *record)
{
    (void)record;
    ++*(size_t *)context;
}

size_t records_count(struct cluster *cluster, const char *full_topic, int32_t partition_count)
{
    size_t count = 0;
    records_read(cluster, full_topic, partition_count, count_one, &count);
    return count;
}

struct tail {
    struct gw_kafka_consumer *consumer;
};

struct tail *tail_open(struct cluster *cluster, enum gw_topic topic, bool uncommitted)
{
    struct tail *tail = calloc(1, sizeof *tail);
    assert_non_null(tail);
    tail->consumer = open_reader(cluster, gw_runtime_topic(&cluster->runtime, topic),
                                 (int32_t)gw_runtime_partitions(&cluster->runtime, topic), uncommitted);
    return tail;
}

void tail_close(struct tail *tail)
{
    gw_kafka_consumer_free(tail->consumer);
    free(tail);
}

void tail_drain(struct tail *tail, records_visit visit, void *context)
{
    for (;;) {
        struct gw_kafka_record record;
        bool got = false;
        gw_err err = {0};
        assert_ok_err(gw_kafka_consumer_poll(tail->consumer, 0, &record, &got, &err), &err);
        if (!got) {
            return;
        }
        if (!record.partition_end) {
            visit(context, &record);
            gw_kafka_message_free(record.message);
        }
    }
}

struct gw_slice records_body(struct cluster *cluster, enum gw_topic topic, const struct gw_kafka_record *record)
{
    uint32_t id = 0;
    struct gw_slice body = {0};
    gw_err err = {0};
    assert_ok_err(gw_avro_unframe(record->value, &id, &body, &err), &err);
    assert_int_equal(id, gw_runtime_schema_id(&cluster->runtime, topic));
    return body;
}

void records_header(const struct gw_kafka_record *record, const char *name, char *text, size_t size)
{
    struct gw_kafka_header headers[HEADERS_MAX];
    size_t count = gw_kafka_message_headers(record->message, headers, HEADERS_MAX);
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        if (strcmp(headers[i].name, name) == 0) {
            snprintf(text, size, "%.*s", (int)headers[i].value.size, (const char *)headers[i].value.data);
        }
    }
}
