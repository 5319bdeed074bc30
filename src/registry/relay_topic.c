// SPDX-License-Identifier: MIT
// Two consumers, because they answer two questions. The end is asked uncommitted: it is the end of everything. Records
// are read committed up to that end, so a transaction of somebody else that is still open is waited for, and what a
// former relay's aborted transaction left is passed over.
#include "registry/relay_topic.h"

#include "avro/framing.h"
#include "avro/wire.h"
#include "base/clock.h"
#include "kafka/consumer.h"

enum { WINDOW_FIRST = 16, WINDOW_GROWTH = 16, POLL_MS = 100 }; // windows in offsets: records and transactions' markers

gw_status gw_relay_sequence_of_event(struct gw_slice value, int64_t *ret_sequence, gw_err *err)
{
    uint32_t schema_id = 0;
    struct gw_slice body;
    GW_TRY(gw_avro_unframe(value, &schema_id, &body, err));
    struct gw_avro_reader reader = gw_avro_reader_make(body);
    struct gw_slice model;
    int32_t version = 0;
    if (gw_avro_read_bytes(&reader, &model) != GW_OK || gw_avro_read_int(&reader, &version) != GW_OK ||
        gw_avro_read_long(&reader, ret_sequence) != GW_OK) {
        return gw_fail(err, GW_E_MALFORMED, "no ModelEvent of schema %u", schema_id);
    }
    return GW_OK;
}

gw_status gw_relay_sequence_of_route(struct gw_slice value, int64_t *ret_sequence, gw_err *err)
{
    uint32_t schema_id = 0;
    struct gw_slice body;
    GW_TRY(gw_avro_unframe(value, &schema_id, &body, err));
    struct gw_avro_reader reader = gw_avro_reader_make(body);
    struct gw_slice model;
    if (gw_avro_read_bytes(&reader, &model) != GW_OK || gw_avro_read_long(&reader, ret_sequence) != GW_OK) {
        return gw_fail(err, GW_E_MALFORMED, "no ModelRoute of schema %u", schema_id);
    }
    return GW_OK;
}

static void free_consumer(struct gw_kafka_consumer **consumer)
{
    gw_kafka_consumer_free(*consumer);
}

static gw_status left(uint64_t deadline_us, const char *topic, uint32_t *ret_left_ms, gw_err *err)
{
    uint64_t now_us = gw_clock_mono_us();
    if (now_us >= deadline_us) {
        return gw_fail(err, GW_E_TIMEOUT, "topic '%s': its end could not be read in time", topic);
    }
    *ret_left_ms = (uint32_t)GW_MAX((deadline_us - now_us) / 1000, 1u);
    return GW_OK;
}

static gw_status ask_end(const struct gw_kafka_options *kafka, const char *topic, uint64_t deadline_us,
                         int64_t *ret_low, int64_t *ret_high, gw_err *err)
{
    GW_CLEANUP(free_consumer) struct gw_kafka_consumer *consumer = NULL;
    const struct gw_kafka_consumer_options options = {.client = kafka, .read_uncommitted = true};
    uint32_t left_ms = 0;
    int32_t partitions = 0;
    GW_TRY(gw_kafka_consumer_new(&options, &consumer, err));
    GW_TRY(left(deadline_us, topic, &left_ms, err));
    GW_TRY(gw_kafka_consumer_partition_count(consumer, topic, left_ms, &partitions, err));
    if (partitions != 1) {
        return gw_fail(err, GW_E_MISMATCH, "topic '%s' has %d partitions: only one keeps the history's order", topic,
                       partitions);
    }
    GW_TRY(left(deadline_us, topic, &left_ms, err));
    return gw_kafka_consumer_watermarks(consumer, topic, 0, left_ms, ret_low, ret_high, err);
}

// Reads from `from` to `high` and gives the last record's sequence.
static gw_status read_window(struct gw_kafka_consumer *consumer, const char *topic, int64_t from, int64_t high,
                             gw_relay_sequence_fn sequence_of, uint64_t deadline_us, struct gw_relay_end *ret_end,
                             gw_err *err)
{
    const struct gw_kafka_position position = {.topic = topic, .offset = from};
    GW_TRY(gw_kafka_consumer_assign(consumer, &position, 1, err));
    for (;;) {
        struct gw_kafka_record record = {0};
        bool got = false;
        uint32_t left_ms = 0;
        GW_TRY(left(deadline_us, topic, &left_ms, err));
        gw_status status = gw_kafka_consumer_poll(consumer, GW_MIN(left_ms, (uint32_t)POLL_MS), &record, &got, err);
        if (status == GW_E_MISMATCH) { // retention was faster: the next look sees a later beginning
            return gw_fail_context(err, GW_E_UNAVAILABLE, "topic '%s' was cut while its end was read", topic);
        }
        GW_TRY(status);
        if (got && record.partition_end && record.offset >= high) {
            return GW_OK;
        }
        if (got && !record.partition_end) {
            if (record.value.data != NULL) {
                status = sequence_of(record.value, &ret_end->sequence, err);
                ret_end->found = true;
            }
            gw_kafka_message_free(record.message);
            if (status != GW_OK) {
                return gw_fail_context(err, status, "topic '%s', offset %lld", topic, (long long)record.offset);
            }
            if (record.offset >= high - 1) {
                return GW_OK;
            }
        }
    }
}

gw_status gw_relay_topic_end(const struct gw_kafka_options *kafka, const char *topic, gw_relay_sequence_fn sequence_of,
                             uint64_t deadline_us, struct gw_relay_end *ret_end, gw_err *err)
{
    int64_t low = 0;
    int64_t high = 0;
    GW_TRY(ask_end(kafka, topic, deadline_us, &low, &high, err));
    struct gw_relay_end end = {.sequence = 0};
    if (low < high) {
        GW_CLEANUP(free_consumer) struct gw_kafka_consumer *consumer = NULL;
        const struct gw_kafka_consumer_options options = {.client = kafka, .end_events = true, .low_latency = true};
        GW_TRY(gw_kafka_consumer_new(&options, &consumer, err));
        int64_t from = high;
        for (int64_t window = WINDOW_FIRST; !end.found && from > low; window *= WINDOW_GROWTH) {
            from = window < high - low ? high - window : low; // a window's size stays below `high` * WINDOW_GROWTH
            GW_TRY(read_window(consumer, topic, from, high, sequence_of, deadline_us, &end, err));
        }
    }
    end.emptied = !end.found && low > 0;
    *ret_end = end;
    return GW_OK;
}
