// SPDX-License-Identifier: MIT
#include "worker/example_reader.h"

#include "base/clock.h"
#include "kafka/consumer.h"
#include "worker/state.h"

enum { ASK_TIMEOUT_MS = 10000, STEP_MS = 100, IDLE_US = 60 * 1000 * 1000, ARENA_LIMIT_BYTES = 64 << 20 };

// ---- ranges ---------------------------------------------------------------------------------------------------------

static gw_status ask_range(struct gw_kafka_consumer *consumer, const char *topic, int64_t since_ms,
                           struct gw_example_range *range, gw_err *err)
{
    // This handle reads committed, so the high watermark is the last stable offset.
    GW_TRY(gw_kafka_consumer_watermarks(consumer, topic, range->partition, ASK_TIMEOUT_MS, &range->first, &range->last,
                                        err));
    if (since_ms > 0) {
        int64_t from = 0;
        GW_TRY(gw_kafka_consumer_offset_at(consumer, topic, range->partition, since_ms, ASK_TIMEOUT_MS, &from, err));
        range->first = GW_MIN(GW_MAX(range->first, from), range->last);
    }
    return GW_OK;
}

static gw_status ask_ranges(struct gw_kafka_consumer *consumer, const char *topic, int64_t since_ms,
                            struct gw_example_ranges *ranges, gw_err *err)
{
    int32_t count = 0;
    GW_TRY(gw_kafka_consumer_partition_count(consumer, topic, ASK_TIMEOUT_MS, &count, err));
    if (count > GW_EXAMPLE_PARTITIONS_MAX) {
        return gw_fail(err, GW_E_EXHAUSTED, "'%s' has %d partitions, at most %d are read", topic, count,
                       GW_EXAMPLE_PARTITIONS_MAX);
    }
    ranges->count = (size_t)count;
    for (int32_t p = 0; p < count; p++) {
        ranges->items[p] = (struct gw_example_range){.partition = p};
        GW_TRY(ask_range(consumer, topic, since_ms, &ranges->items[p], err));
    }
    return GW_OK;
}

gw_status gw_example_ranges_ask(const struct gw_runtime *runtime, int64_t since_ms,
                                struct gw_example_ranges *ret_ranges, gw_err *err)
{
    const struct gw_kafka_consumer_options options = {.client = &runtime->kafka};
    struct gw_kafka_consumer *consumer = NULL;
    GW_TRY(gw_kafka_consumer_new(&options, &consumer, err));
    gw_status status =
        ask_ranges(consumer, gw_runtime_topic(runtime, GW_TOPIC_TRAINING_EXAMPLES), since_ms, ret_ranges, err);
    gw_kafka_consumer_free(consumer);
    return status;
}

// ---- reading --------------------------------------------------------------------------------------------------------

struct reading {
    const struct gw_runtime *runtime;
    const struct gw_example_range *range;
    gw_example_visit visit;
    void *context;
    struct gw_arena arena;
    struct gw_buf scratch;
    uint64_t heard_us;
};

static gw_status take(void *context, const struct gw_kafka_record *record, gw_err *err)
{
    struct reading *reading = context;
    struct gw_labeled_example example;
    struct gw_slice body;
    reading->heard_us = gw_clock_mono_us();
    if (record->value.data == NULL) {
        return GW_OK; // nobody of ours writes one
    }
    gw_arena_clear(&reading->arena);
    gw_status status = gw_schema_gate_open(gw_runtime_gate(reading->runtime, GW_TOPIC_TRAINING_EXAMPLES), record->value,
                                           &reading->scratch, &reading->arena, &body, err);
    if (status == GW_OK) {
        status = gw_labeled_example_decode(body, &reading->arena, &example, err);
    }
    if (status != GW_OK) {
        return gw_fail_context(err, status, "'%s' partition %d offset %lld", record->topic, record->partition,
                               (long long)record->offset);
    }
    return example.kind == GW_EXAMPLE_KIND_WINDOW_CLOSED ? reading->visit(reading->context, &example, err) : GW_OK;
}

static gw_status check_there(struct gw_kafka_consumer *consumer, const char *topic,
                             const struct gw_example_range *range, gw_err *err)
{
    int64_t low = 0;
    int64_t high = 0;
    GW_TRY(gw_kafka_consumer_watermarks(consumer, topic, range->partition, ASK_TIMEOUT_MS, &low, &high, err));
    if (low > range->first || high < range->last) {
        return gw_fail(err, GW_E_NOT_FOUND, "'%s' partition %d holds %lld to %lld, wanted are %lld to %lld", topic,
                       range->partition, (long long)low, (long long)high, (long long)range->first,
                       (long long)range->last);
    }
    return GW_OK;
}

static gw_status read_range(struct reading *reading, struct gw_state_reader *reader, gw_err *err)
{
    const struct gw_example_range *range = reading->range;
    bool done = false;
    GW_TRY(gw_state_reader_begin_until(reader, range->partition, range->first, range->last, err));
    reading->heard_us = gw_clock_mono_us();
    while (!done) {
        gw_status status = gw_state_reader_step(reader, STEP_MS, take, reading, &done, err);
        bool waits = status != GW_OK && gw_status_class(status) == GW_CLASS_RETRY && status != GW_E_MEMORY;
        if (status != GW_OK && !waits) {
            return status;
        }
        if (reading->runtime->stop != NULL && atomic_load(reading->runtime->stop)) {
            return gw_fail(err, GW_E_ABORTED, "stopped");
        }
        if (!done && gw_clock_mono_us() - reading->heard_us > IDLE_US) {
            return gw_fail(err, GW_E_TIMEOUT, "nothing was read for %d s", IDLE_US / 1000000);
        }
    }
    return GW_OK;
}

static gw_status read_all(struct reading *reading, const struct gw_example_ranges *ranges,
                          struct gw_kafka_consumer *asker, struct gw_state_reader *reader, gw_err *err)
{
    const char *topic = gw_runtime_topic(reading->runtime, GW_TOPIC_TRAINING_EXAMPLES);
    for (size_t i = 0; i < ranges->count; i++) {
        reading->range = &ranges->items[i];
        if (reading->range->first < reading->range->last) {
            GW_TRY(check_there(asker, topic, reading->range, err));
            GW_TRY(read_range(reading, reader, err));
        }
    }
    return GW_OK;
}

gw_status gw_example_read(const struct gw_runtime *runtime, const struct gw_example_ranges *ranges,
                          gw_example_visit visit, void *context, gw_err *err)
{
    const struct gw_kafka_consumer_options options = {.client = &runtime->kafka};
    struct gw_kafka_consumer *asker = NULL;
    struct gw_state_reader *reader = NULL;
    struct reading reading = {.runtime = runtime, .visit = visit, .context = context};
    GW_TRY(gw_kafka_consumer_new(&options, &asker, err));
    gw_arena_init(&reading.arena, 1 << 16, ARENA_LIMIT_BYTES);
    gw_status status =
        gw_state_reader_new(&runtime->kafka, gw_runtime_topic(runtime, GW_TOPIC_TRAINING_EXAMPLES), &reader, err);
    if (status == GW_OK) {
        status = read_all(&reading, ranges, asker, reader, err);
    }
    gw_state_reader_free(reader);
    gw_kafka_consumer_free(asker);
    gw_arena_deinit(&reading.arena);
    gw_buf_deinit(&reading.scratch);
    return status;
}
