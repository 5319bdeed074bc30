// SPDX-License-Identifier: MIT
#include "worker/state.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "kafka/admin.h"

enum { ASK_TIMEOUT_MS = 5000 };

struct gw_state_reader {
    const char *topic;
    struct gw_kafka_consumer *consumer;
    struct gw_kafka_admin *admin; // asks log ends: its watermarks include uncommitted records
    int32_t partition;            // -1: idle
    int64_t end_offset;           // H
    bool bounded;                 // the end was given, records at or past it are not wanted
};

gw_status gw_state_reader_new(const struct gw_kafka_options *client, const char *topic,
                              struct gw_state_reader **ret_reader, gw_err *err)
{
    struct gw_state_reader *reader = gw_mem_calloc(1, sizeof *reader);
    if (reader == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a state reader");
    }
    reader->topic = topic;
    reader->partition = -1;
    const struct gw_kafka_consumer_options options = {.client = client, .end_events = true};
    gw_status status = gw_kafka_consumer_new(&options, &reader->consumer, err);
    if (status == GW_OK) {
        status = gw_kafka_admin_new(client, &reader->admin, err);
    }
    if (status != GW_OK) {
        gw_state_reader_free(reader);
        return status;
    }
    *ret_reader = reader;
    return GW_OK;
}

void gw_state_reader_free(struct gw_state_reader *reader)
{
    if (reader != NULL) {
        gw_kafka_consumer_free(reader->consumer);
        gw_kafka_admin_free(reader->admin);
        gw_mem_free(reader);
    }
}

int32_t gw_state_reader_partition(const struct gw_state_reader *reader)
{
    return reader->partition;
}

static gw_status begin(struct gw_state_reader *reader, int32_t partition, int64_t from_offset, int64_t low,
                       int64_t end_offset, bool bounded, gw_err *err)
{
    const struct gw_kafka_position position = {
        .topic = reader->topic, .partition = partition, .offset = GW_MAX(from_offset, low)};
    GW_TRY(gw_kafka_consumer_assign(reader->consumer, &position, 1, err));
    reader->partition = partition;
    reader->end_offset = end_offset;
    reader->bounded = bounded;
    return GW_OK;
}

gw_status gw_state_reader_begin(struct gw_state_reader *reader, int32_t partition, int64_t from_offset, gw_err *err)
{
    GW_ASSERT(reader->partition < 0);
    int64_t low = 0;
    int64_t high = 0;
    GW_TRY(gw_kafka_admin_watermarks(reader->admin, reader->topic, partition, ASK_TIMEOUT_MS, &low, &high, err));
    return begin(reader, partition, from_offset, low, high, false, err);
}

gw_status gw_state_reader_begin_until(struct gw_state_reader *reader, int32_t partition, int64_t from_offset,
                                      int64_t end_offset, gw_err *err)
{
    GW_ASSERT(reader->partition < 0);
    int64_t low = 0;
    int64_t high = 0;
    GW_TRY(gw_kafka_admin_watermarks(reader->admin, reader->topic, partition, ASK_TIMEOUT_MS, &low, &high, err));
    return begin(reader, partition, from_offset, low, GW_MIN(end_offset, high), true, err);
}

// Append time of the first committed record at or past `offset`; now when there is none.
static gw_status time_at(struct gw_state_reader *reader, int32_t partition, int64_t offset, int64_t *ret_time_ms,
                         gw_err *err)
{
    int64_t low = 0;
    int64_t high = 0;
    GW_TRY(gw_kafka_admin_watermarks(reader->admin, reader->topic, partition, ASK_TIMEOUT_MS, &low, &high, err));
    *ret_time_ms = gw_clock_wall_ms();
    if (offset >= high) {
        return GW_OK;
    }
    const struct gw_kafka_position position = {
        .topic = reader->topic, .partition = partition, .offset = GW_MAX(offset, low)};
    GW_TRY(gw_kafka_consumer_assign(reader->consumer, &position, 1, err));
    uint64_t deadline_us = gw_clock_mono_us() + (uint64_t)ASK_TIMEOUT_MS * 1000;
    gw_status status = GW_OK;
    bool got = false;
    while (status == GW_OK && !got && gw_clock_mono_us() < deadline_us) {
        struct gw_kafka_record record;
        status = gw_kafka_consumer_poll(reader->consumer, 50, &record, &got, err);
        if (status == GW_OK && got) {
            *ret_time_ms = record.partition_end ? *ret_time_ms : record.timestamp_ms;
            gw_kafka_message_free(record.message);
        }
    }
    return status != GW_OK || got ? status
                                  : gw_fail(err, GW_E_TIMEOUT, "no record of '%s' %d at offset %lld", reader->topic,
                                            partition, (long long)offset);
}

gw_status gw_state_reader_offset_before(struct gw_state_reader *reader, int32_t partition, int64_t offset,
                                        int64_t window_ms, int64_t *ret_offset, gw_err *err)
{
    GW_ASSERT(reader->partition < 0);
    int64_t time_ms = 0;
    GW_TRY(time_at(reader, partition, offset, &time_ms, err));
    GW_TRY(gw_kafka_consumer_offset_at(reader->consumer, reader->topic, partition, GW_MAX(time_ms - window_ms, 0),
                                       ASK_TIMEOUT_MS, ret_offset, err));
    *ret_offset = GW_MIN(*ret_offset, offset);
    return GW_OK;
}

void gw_state_reader_cancel(struct gw_state_reader *reader)
{
    if (reader->partition >= 0) {
        gw_err err = {0};
        gw_status status = gw_kafka_consumer_assign(reader->consumer, NULL, 0, &err);
        (void)status; // an assignment that cannot be emptied is replaced at the next begin
        reader->partition = -1;
    }
}

gw_status gw_state_reader_step(struct gw_state_reader *reader, uint32_t budget_ms, gw_state_visit visit, void *context,
                               bool *ret_done, gw_err *err)
{
    GW_ASSERT(reader->partition >= 0);
    uint64_t deadline_us = gw_clock_mono_us() + (uint64_t)budget_ms * 1000;
    do {
        struct gw_kafka_record record;
        bool got = false;
        GW_TRY(gw_kafka_consumer_poll(reader->consumer, 5, &record, &got, err));
        if (!got) {
            continue;
        }
        bool ended = record.partition_end ? record.offset >= reader->end_offset
                                          : reader->bounded && record.offset >= reader->end_offset;
        gw_status status = GW_OK;
        if (!record.partition_end && !ended) {
            status = visit(context, &record, err);
        }
        gw_kafka_message_free(record.message);
        if (status != GW_OK) {
            return status;
        }
        if (ended) {
            gw_state_reader_cancel(reader);
            *ret_done = true;
            return GW_OK;
        }
    } while (gw_clock_mono_us() < deadline_us);
    *ret_done = false;
    return GW_OK;
}
