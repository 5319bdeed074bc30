// SPDX-License-Identifier: MIT
#include "worker/retrain_guard_rows.h"

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "kafka/consumer.h"

enum { ASK_TIMEOUT_MS = 10000, SEEN_MAX = 65536, ARENA_LIMIT_BYTES = 16 << 20 };

struct gw_guard_rows {
    const struct gw_runtime *runtime;
    const char *topic;
    struct gw_kafka_consumer *consumer;
    struct gw_guard_offsets at;
    struct gw_kafka_message *held; // of the row given last
    struct gw_arena arena;
    struct gw_buf scratch;
    struct gw_map seen;
    int64_t *recent; // ring of SEEN_MAX requests, in the order in which they were seen
    uint64_t seen_count;
};

// ---- life -----------------------------------------------------------------------------------------------------------

gw_status gw_guard_rows_new(const struct gw_runtime *runtime, struct gw_guard_rows **ret_rows, gw_err *err)
{
    const struct gw_kafka_consumer_options options = {.client = &runtime->kafka};
    struct gw_guard_rows *rows = gw_mem_calloc(1, sizeof *rows);
    if (rows == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory to follow examples");
    }
    rows->runtime = runtime;
    rows->topic = gw_runtime_topic(runtime, GW_TOPIC_TRAINING_EXAMPLES);
    rows->recent = gw_mem_calloc(SEEN_MAX, sizeof *rows->recent);
    gw_arena_init(&rows->arena, 1 << 16, ARENA_LIMIT_BYTES);
    gw_status status = rows->recent == NULL || gw_map_reserve(&rows->seen, SEEN_MAX) != GW_OK
                           ? gw_fail(err, GW_E_MEMORY, "no memory to follow examples")
                           : gw_kafka_consumer_new(&options, &rows->consumer, err);
    if (status != GW_OK) {
        gw_guard_rows_free(rows);
        return status;
    }
    *ret_rows = rows;
    return GW_OK;
}

void gw_guard_rows_free(struct gw_guard_rows *rows)
{
    if (rows == NULL) {
        return;
    }
    gw_kafka_message_free(rows->held);
    gw_kafka_consumer_free(rows->consumer);
    gw_map_deinit(&rows->seen);
    gw_mem_free(rows->recent);
    gw_buf_deinit(&rows->scratch);
    gw_arena_deinit(&rows->arena);
    gw_mem_free(rows);
}

// ---- offsets --------------------------------------------------------------------------------------------------------

gw_status gw_guard_rows_find(struct gw_guard_rows *rows, int64_t since_ms, struct gw_guard_offsets *ret_offsets,
                             gw_err *err)
{
    int32_t count = 0;
    GW_TRY(gw_kafka_consumer_partition_count(rows->consumer, rows->topic, ASK_TIMEOUT_MS, &count, err));
    if (count > GW_GUARD_PARTITIONS_MAX) {
        return gw_fail(err, GW_E_EXHAUSTED, "'%s' has %d partitions, at most %d are read", rows->topic, count,
                       GW_GUARD_PARTITIONS_MAX);
    }
    *ret_offsets = (struct gw_guard_offsets){.count = (size_t)count};
    for (int32_t p = 0; p < count; p++) {
        GW_TRY(gw_kafka_consumer_offset_at(rows->consumer, rows->topic, p, since_ms, ASK_TIMEOUT_MS,
                                           &ret_offsets->items[p], err));
    }
    return GW_OK;
}

gw_status gw_guard_rows_start(struct gw_guard_rows *rows, const struct gw_guard_offsets *offsets, gw_err *err)
{
    struct gw_kafka_position positions[GW_GUARD_PARTITIONS_MAX];
    for (size_t p = 0; p < offsets->count; p++) {
        positions[p] =
            (struct gw_kafka_position){.topic = rows->topic, .partition = (int32_t)p, .offset = offsets->items[p]};
    }
    GW_TRY(gw_kafka_consumer_assign(rows->consumer, positions, offsets->count, err));
    rows->at = *offsets;
    rows->seen_count = 0;
    gw_map_clear(&rows->seen);
    return GW_OK;
}

const struct gw_guard_offsets *gw_guard_rows_at(const struct gw_guard_rows *rows)
{
    return &rows->at;
}

// Retention was faster than the guard: goes on with what is left.
static gw_status jump(struct gw_guard_rows *rows, int32_t partition, gw_err *err)
{
    int64_t low = 0;
    int64_t high = 0;
    GW_TRY(gw_kafka_consumer_watermarks(rows->consumer, rows->topic, partition, ASK_TIMEOUT_MS, &low, &high, err));
    const struct gw_kafka_position position = {.topic = rows->topic, .partition = partition, .offset = low};
    GW_TRY(gw_kafka_consumer_seek(rows->consumer, &position, 1, err));
    gw_log_warn("retrain.guard_gap", "topic=%s partition=%d wanted=%lld begins=%lld", rows->topic, partition,
                (long long)rows->at.items[partition], (long long)low);
    rows->at.items[partition] = low;
    return GW_OK;
}

// ---- rows -----------------------------------------------------------------------------------------------------------

// False for further rows of a request; rows of no request (0) are all their own.
static bool is_first(struct gw_guard_rows *rows, int64_t request, gw_status *ret_status)
{
    bool inserted = false;
    uint64_t *value = NULL;
    *ret_status = GW_OK;
    if (request == 0) {
        return true;
    }
    if (rows->seen_count >= SEEN_MAX && gw_map_find(&rows->seen, (uint64_t)request, 0) == NULL) {
        (void)gw_map_remove(&rows->seen, (uint64_t)rows->recent[rows->seen_count % SEEN_MAX], 0);
    }
    *ret_status = gw_map_put(&rows->seen, (uint64_t)request, 0, &value, &inserted);
    if (inserted) {
        rows->recent[rows->seen_count++ % SEEN_MAX] = request;
    }
    return inserted;
}

static gw_status read_record(struct gw_guard_rows *rows, const struct gw_kafka_record *record, struct gw_guard_row *row,
                             bool *ret_got, gw_err *err)
{
    struct gw_slice body;
    gw_status status = GW_OK;
    row->partition = record->partition;
    row->offset = record->offset;
    gw_arena_clear(&rows->arena);
    if (record->value.data == NULL ||
        gw_schema_gate_open(gw_runtime_gate(rows->runtime, GW_TOPIC_TRAINING_EXAMPLES), record->value, &rows->scratch,
                            &rows->arena, &body, NULL) != GW_OK ||
        gw_labeled_example_decode(body, &rows->arena, &row->example, NULL) != GW_OK ||
        row->example.kind != GW_EXAMPLE_KIND_WINDOW_CLOSED) {
        return GW_OK;
    }
    *ret_got = is_first(rows, row->example.request_join_id, &status);
    return status == GW_OK ? GW_OK : gw_fail(err, status, "no memory to follow examples");
}

gw_status gw_guard_rows_next(struct gw_guard_rows *rows, uint32_t timeout_ms, struct gw_guard_row *ret_row,
                             bool *ret_got, bool *ret_more, gw_err *err)
{
    struct gw_kafka_record record = {.partition = -1};
    bool got = false;
    *ret_got = false;
    *ret_more = false;
    gw_kafka_message_free(rows->held);
    rows->held = NULL;
    gw_status status = gw_kafka_consumer_poll(rows->consumer, timeout_ms, &record, &got, err);
    if (status == GW_E_MISMATCH && record.partition >= 0) {
        *ret_more = true;
        return jump(rows, record.partition, err);
    }
    if (status != GW_OK || !got) {
        return status;
    }
    rows->held = record.message;
    *ret_more = true;
    GW_TRY(read_record(rows, &record, ret_row, ret_got, err));
    rows->at.items[record.partition] = record.offset + 1;
    return GW_OK;
}
