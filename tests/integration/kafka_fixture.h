// SPDX-License-Identifier: MIT
// What the tests against a real broker share: where it is, fresh names, waiting on a condition with a deadline.
#pragma once

#include "support/testkit.h"

#include "base/clock.h"
#include "kafka/admin.h"
#include "kafka/consumer.h"
#include "kafka/producer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FIXTURE_MS 20000u

// Every test may only begin with this: a missing broker is one clear message and a failed test.
static inline struct gw_kafka_options fixture_options(void)
{
    const char *servers = getenv("GODWIT_KAFKA_BOOTSTRAP_SERVERS");
    if (servers == NULL || servers[0] == '\0') {
        fail_msg("GODWIT_KAFKA_BOOTSTRAP_SERVERS is not set: start services with tests/stack up, or run tests/run");
    }
    return (struct gw_kafka_options){.bootstrap_servers = servers, .client_id = "godwit-test"};
}

// A name that no other run uses; lives as long as the process.
static inline const char *fixture_name(const char *stem)
{
    static char names[256][96];
    static unsigned used;
    assert_true(used < GW_COUNT_OF(names));
    char *name = names[used++];
    snprintf(name, sizeof names[0], "%s-%d-%llx-%u", stem, (int)getpid(), (unsigned long long)gw_clock_wall_us(), used);
    return name;
}

static inline struct gw_kafka_admin *fixture_admin(void)
{
    struct gw_kafka_options options = fixture_options();
    struct gw_kafka_admin *admin = NULL;
    gw_err err = {0};
    assert_ok_err(gw_kafka_admin_new(&options, &admin, &err), &err);
    return admin;
}

// Makes a topic with a fresh name.
static inline const char *fixture_topic(const char *stem, int32_t partition_count)
{
    const char *name = fixture_name(stem);
    struct gw_kafka_admin *admin = fixture_admin();
    struct gw_kafka_topic_spec spec = {.name = name, .partition_count = partition_count, .replication_factor = 1};
    gw_err err = {0};
    assert_ok_err(gw_kafka_admin_topic_create(admin, &spec, FIXTURE_MS, &err), &err);
    gw_kafka_admin_free(admin);
    return name;
}

static inline struct gw_kafka_producer *fixture_producer(const char *transactional_id)
{
    struct gw_kafka_options client = fixture_options();
    struct gw_kafka_producer_options options = {.client = &client, .transactional_id = transactional_id};
    struct gw_kafka_producer *producer = NULL;
    gw_err err = {0};
    assert_ok_err(gw_kafka_producer_new(&options, &producer, &err), &err);
    if (transactional_id != NULL) {
        assert_ok_err(gw_kafka_txn_init(producer, FIXTURE_MS, &err), &err);
    }
    return producer;
}

static inline void fixture_put(struct gw_kafka_producer *producer, const char *topic, int32_t partition,
                               const char *value)
{
    struct gw_kafka_output output = {.topic = topic, .partition = partition, .value = gw_slice_text(value)};
    gw_err err = {0};
    assert_ok_err(gw_kafka_produce(producer, &output, &err), &err);
}

// Produces values "0", "1", ... outside a transaction and waits for them.
static inline void fixture_fill(const char *topic, int32_t partition, unsigned count)
{
    struct gw_kafka_producer *producer = fixture_producer(NULL);
    for (unsigned i = 0; i < count; i++) {
        char value[16];
        snprintf(value, sizeof value, "%u", i);
        fixture_put(producer, topic, partition, value);
    }
    gw_err err = {0};
    assert_ok_err(gw_kafka_producer_flush(producer, FIXTURE_MS, &err), &err);
    gw_kafka_producer_free(producer);
}

// A consumer without a group, at this offset of one partition, that reports ends.
static inline struct gw_kafka_consumer *fixture_reader(const char *topic, int32_t partition, int64_t offset,
                                                       bool read_uncommitted)
{
    struct gw_kafka_options client = fixture_options();
    struct gw_kafka_consumer_options options = {
        .client = &client, .end_events = true, .low_latency = true, .read_uncommitted = read_uncommitted};
    struct gw_kafka_consumer *consumer = NULL;
    gw_err err = {0};
    assert_ok_err(gw_kafka_consumer_new(&options, &consumer, &err), &err);
    struct gw_kafka_position position = {.topic = topic, .partition = partition, .offset = offset};
    assert_ok_err(gw_kafka_consumer_assign(consumer, &position, 1, &err), &err);
    return consumer;
}

// Polls until a record or an end comes; fails after the deadline.
static inline struct gw_kafka_record fixture_next(struct gw_kafka_consumer *consumer)
{
    struct gw_kafka_record record = {0};
    bool got = false;
    gw_err err = {0};
    uint64_t deadline_us = gw_clock_mono_us() + (uint64_t)FIXTURE_MS * 1000;
    while (!got && gw_clock_mono_us() < deadline_us) {
        assert_ok_err(gw_kafka_consumer_poll(consumer, 100, &record, &got, &err), &err);
    }
    assert_true(got);
    return record;
}

// Reads to the end of the partition and gives the number of records.
static inline unsigned fixture_count(const char *topic, int32_t partition, bool read_uncommitted)
{
    struct gw_kafka_consumer *consumer = fixture_reader(topic, partition, GW_KAFKA_OFFSET_START, read_uncommitted);
    unsigned count = 0;
    for (;;) {
        struct gw_kafka_record record = fixture_next(consumer);
        if (record.partition_end) {
            break;
        }
        count++;
        gw_kafka_message_free(record.message);
    }
    gw_kafka_consumer_free(consumer);
    return count;
}
