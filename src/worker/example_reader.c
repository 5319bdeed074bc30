// SPDX-License-Identifier: MIT
#include "worker/example_reader.h"

enum { ASK_TIMEOUT_MS = 10000, ARENA_LIMIT_BYTES = 64 << 20 };

// ---- ranges ---------------------------------------------------------------------------------------------------------

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
        GW_TRY(gw_offset_range_ask(consumer, topic, p, since_ms, &ranges->items[p], err));
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

struct examples {
    const struct gw_example_reading *reading;
    struct gw_arena arena;
};

static gw_status take(void *context, const struct gw_kafka_record *record, struct gw_slice body, gw_status opened,
                      gw_err *err)
{
    struct examples *examples = context;
    const struct gw_example_reading *reading = examples->reading;
    struct gw_labeled_example example;
    gw_status status = opened == GW_OK ? gw_labeled_example_decode(body, &examples->arena, &example, err) : opened;
    if (reading->damaged != NULL && gw_status_class(status) == GW_CLASS_RECORD) {
        ++*reading->damaged;
        return GW_OK;
    }
    if (status != GW_OK) {
        return gw_fail_context(err, status, "'%s' partition %d offset %lld", record->topic, record->partition,
                               (long long)record->offset);
    }
    return example.kind == GW_EXAMPLE_KIND_WINDOW_CLOSED ? reading->visit(reading->context, &example, err) : GW_OK;
}

static bool ask_stop(void *context)
{
    const struct gw_example_reading *reading = ((struct examples *)context)->reading;
    return reading->stop(reading->context);
}

gw_status gw_example_read_with(const struct gw_runtime *runtime, const struct gw_example_reading *reading, gw_err *err)
{
    struct examples examples = {.reading = reading};
    const struct gw_range_reading ranges = {.topic = GW_TOPIC_TRAINING_EXAMPLES,
                                            .ranges = reading->ranges->items,
                                            .range_count = reading->ranges->count,
                                            .visit = take,
                                            .stop = reading->stop != NULL ? ask_stop : NULL,
                                            .context = &examples,
                                            .arena = &examples.arena};
    gw_arena_init(&examples.arena, 1 << 16, ARENA_LIMIT_BYTES);
    gw_status status = gw_range_read(runtime, &ranges, err);
    gw_arena_deinit(&examples.arena);
    return status;
}

gw_status gw_example_read(const struct gw_runtime *runtime, const struct gw_example_ranges *ranges,
                          gw_example_visit visit, void *context, gw_err *err)
{
    const struct gw_example_reading reading = {.ranges = ranges, .visit = visit, .context = context};
    return gw_example_read_with(runtime, &reading, err);
}
