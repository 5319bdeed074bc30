// SPDX-License-Identifier: MIT
#include "worker/range_reader.h"

#include "base/clock.h"
#include "worker/state.h"

enum { ASK_TIMEOUT_MS = 10000, STEP_MS = 100, IDLE_US = 60 * 1000 * 1000 };

gw_status gw_offset_range_ask(struct gw_kafka_consumer *consumer, const char *topic, int32_t partition,
                              int64_t since_ms, struct gw_offset_range *ret_range, gw_err *err)
{
    // A handle that reads committed: the high watermark is the last stable offset.
    struct gw_offset_range range = {.partition = partition};
    GW_TRY(gw_kafka_consumer_watermarks(consumer, topic, partition, ASK_TIMEOUT_MS, &range.first, &range.last, err));
    if (since_ms > 0) {
        int64_t from = 0;
        GW_TRY(gw_kafka_consumer_offset_at(consumer, topic, partition, since_ms, ASK_TIMEOUT_MS, &from, err));
        range.first = GW_MIN(GW_MAX(range.first, from), range.last);
    }
    *ret_range = range;
    return GW_OK;
}

struct state {
    const struct gw_runtime *runtime;
    const struct gw_range_reading *reading;
    struct gw_buf scratch;
    uint64_t heard_us;
};

static gw_status take(void *context, const struct gw_kafka_record *record, gw_err *err)
{
    struct state *state = context;
    const struct gw_range_reading *reading = state->reading;
    struct gw_slice body = {0};
    gw_err reason = {0};
    state->heard_us = gw_clock_mono_us();
    if (record->value.data == NULL) {
        return GW_OK; // nobody of ours writes one
    }
    gw_arena_clear(reading->arena);
    gw_status opened = gw_schema_gate_open(gw_runtime_gate(state->runtime, reading->topic), record->value,
                                           &state->scratch, reading->arena, &body, &reason);
    if (opened != GW_OK && err != NULL) {
        *err = reason;
    }
    return reading->visit(reading->context, record, body, opened, err);
}

static gw_status check_there(struct gw_kafka_consumer *consumer, const char *topic, const struct gw_offset_range *range,
                             gw_err *err)
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

static bool is_stopped(const struct state *state)
{
    const struct gw_range_reading *reading = state->reading;
    if (reading->stop != NULL) {
        return reading->stop(reading->context);
    }
    return state->runtime->stop != NULL && atomic_load(state->runtime->stop);
}

static gw_status read_range(struct state *state, const struct gw_offset_range *range, struct gw_state_reader *reader,
                            gw_err *err)
{
    bool done = false;
    GW_TRY(gw_state_reader_begin_until(reader, range->partition, range->first, range->last, err));
    state->heard_us = gw_clock_mono_us();
    while (!done) {
        gw_status status = gw_state_reader_step(reader, STEP_MS, take, state, &done, err);
        bool waits = status != GW_OK && gw_status_class(status) == GW_CLASS_RETRY && status != GW_E_MEMORY;
        if (status != GW_OK && !waits) {
            return status;
        }
        if (is_stopped(state)) {
            return gw_fail(err, GW_E_ABORTED, "stopped");
        }
        if (!done && gw_clock_mono_us() - state->heard_us > IDLE_US) {
            return gw_fail(err, GW_E_TIMEOUT, "nothing was read for %d s", IDLE_US / 1000000);
        }
    }
    return GW_OK;
}

static gw_status read_ranges(struct state *state, struct gw_kafka_consumer *asker, struct gw_state_reader *reader,
                             gw_err *err)
{
    const char *topic = gw_runtime_topic(state->runtime, state->reading->topic);
    for (size_t i = 0; i < state->reading->range_count; i++) {
        const struct gw_offset_range *range = &state->reading->ranges[i];
        if (range->first < range->last) {
            GW_TRY(check_there(asker, topic, range, err));
            GW_TRY(read_range(state, range, reader, err));
        }
    }
    return GW_OK;
}

gw_status gw_range_read(const struct gw_runtime *runtime, const struct gw_range_reading *reading, gw_err *err)
{
    const struct gw_kafka_consumer_options options = {.client = &runtime->kafka};
    struct gw_kafka_consumer *asker = NULL;
    struct gw_state_reader *reader = NULL;
    struct state state = {.runtime = runtime, .reading = reading};
    GW_TRY(gw_kafka_consumer_new(&options, &asker, err));
    gw_status status = gw_state_reader_new(&runtime->kafka, gw_runtime_topic(runtime, reading->topic), &reader, err);
    if (status == GW_OK) {
        status = read_ranges(&state, asker, reader, err);
    }
    gw_state_reader_free(reader);
    gw_kafka_consumer_free(asker);
    gw_buf_deinit(&state.scratch);
    return status;
}
