// SPDX-License-Identifier: MIT
// online: a pure sink of the changelog. Rows go to Redis together with the offset they stand for.
//
//   feature_updates ──► Redis
//
// Redis says where to start; an empty one is read from the beginning, which is how it is rebuilt.
#include "base/mem.h"
#include "records/feature_update.h"
#include "worker/lane.h"
#include "worker/worker.h"

enum { ARENA_LIMIT_BYTES = 512 << 20 };

struct pending {
    struct gw_row_key key;
    struct gw_slice row; // data NULL: tombstone
    int32_t partition;
    int64_t offset;
    uint32_t slot;
};

struct online {
    struct gw_arena arena;
    struct pending *batch;
    uint32_t batch_count;
    uint32_t batch_capacity;
    struct gw_metric *rows_total;
    uint64_t rows_pending;
};

static gw_status decode(void *worker, struct gw_loop *loop, const struct gw_input *input, gw_err *err)
{
    struct online *self = worker;
    (void)loop;
    if (self->batch_count == self->batch_capacity) {
        uint32_t capacity = self->batch_capacity > 0 ? self->batch_capacity * 2 : 4096;
        struct pending *batch = gw_mem_realloc(self->batch, capacity, sizeof *batch);
        if (batch == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for a batch of rows");
        }
        self->batch = batch;
        self->batch_capacity = capacity;
    }
    struct pending *pending = &self->batch[self->batch_count];
    *pending = (struct pending){.partition = input->partition, .offset = input->offset, .slot = input->slot};
    if (gw_row_key_parse(input->key, &pending->key) != GW_OK) {
        return gw_fail(err, GW_E_MALFORMED, "a key of %zu bytes is no row's key", input->key.size);
    }
    if (input->body.data != NULL) {
        struct gw_feature_update update;
        GW_TRY(gw_feature_update_decode(input->body, &self->arena, &update, err));
        if (update.row.size == 0 || update.row.size > GW_FEATURE_ROW_BYTES_MAX) {
            return gw_fail(err, GW_E_INVALID, "a row of %zu bytes", update.row.size);
        }
        pending->row = update.row;
    }
    self->batch_count++;
    return GW_OK;
}

static void discard(void *worker, bool aborted)
{
    struct online *self = worker;
    self->batch_count = 0;
    self->rows_pending = aborted ? 0 : self->rows_pending;
    gw_arena_clear(&self->arena);
}

static gw_status process(void *worker, struct gw_loop *loop, gw_err *err)
{
    struct online *self = worker;
    for (uint32_t i = 0; i < self->batch_count; i++) {
        const struct pending *pending = &self->batch[i];
        const struct gw_store_write write = {.key = pending->key, .row = pending->row};
        GW_TRY(gw_commit_redis_write(gw_loop_commit(loop), pending->partition, pending->offset, &write, err));
        gw_loop_settle(loop, pending->slot, GW_OUTCOME_OUTPUT);
    }
    self->rows_pending += self->batch_count;
    discard(self, false);
    return GW_OK;
}

static void report(void *worker, struct gw_loop *loop)
{
    struct online *self = worker;
    (void)loop;
    gw_metric_add(self->rows_total, self->rows_pending);
    self->rows_pending = 0;
}

static const struct gw_loop_ops ops = {.decode = decode, .process = process, .report = report, .discard = discard};

static void free_online(void *worker)
{
    struct online *self = worker;
    gw_arena_deinit(&self->arena);
    gw_mem_free(self->batch);
    gw_mem_free(self);
}

static gw_status make_lane(const struct gw_runtime *runtime, uint32_t slot, struct gw_lane *lane, gw_err *err)
{
    static const enum gw_topic inputs[] = {GW_TOPIC_FEATURE_UPDATES};
    struct gw_store *store = NULL;
    uint8_t log_id[GW_LOG_ID_BYTES];
    GW_TRY(gw_runtime_store(runtime, &store, err));
    gw_status status = gw_runtime_log_id(runtime, log_id, err);
    if (status == GW_OK) {
        status = gw_store_check(store, log_id, err);
    }
    struct online *self = gw_mem_calloc(1, sizeof *self);
    if (status != GW_OK || self == NULL) {
        gw_store_free(store);
        gw_mem_free(self);
        return status != GW_OK ? status : gw_fail(err, GW_E_MEMORY, "no memory for online");
    }
    gw_arena_init(&self->arena, 1 << 20, ARENA_LIMIT_BYTES);
    self->rows_total =
        gw_metrics_counter(runtime->metrics, "godwit_online_rows_total", "", "Rows written to Redis and committed.");
    const struct gw_lane_options options = {
        .worker = "online",
        .slot = slot,
        .group = "online",
        .commit = GW_LANE_REDIS,
        .inputs = inputs,
        .input_count = GW_COUNT_OF(inputs),
        .ops = &ops,
        .context = self,
        .free_context = free_online,
        .store = store,
        .commit_interval_us = gw_config_duration_us(runtime->config, GW_OPT_ONLINE_COMMIT_INTERVAL),
    };
    return gw_lane_init(lane, runtime, &options, err);
}

gw_status gw_online_lanes(const struct gw_runtime *runtime, struct gw_lanes *lanes, struct gw_worker_state *ret_state,
                          gw_err *err)
{
    (void)ret_state;
    return gw_lanes_add(lanes, runtime, 1, make_lane, err);
}
