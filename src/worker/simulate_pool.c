// SPDX-License-Identifier: MIT
#include "worker/simulate_pool.h"

#include "avro/framing.h"
#include "avro/wire.h"
#include "base/check.h"
#include "base/mem.h"
#include "worker/simulate_records.h"

enum { REQUEST_ID_BYTES = 16, VARYING_LONGS = 3 }; // request_join_id, user_id, enqueued_at_ms

struct pooled {
    size_t at; // of the unchanging rest
    size_t size;
    int64_t user_id;
    uint32_t candidate_count;
};

struct gw_simulate_pool {
    struct pooled *requests;
    size_t count;
    struct gw_buf rest;
};

// Keeps what follows the fields that vary.
static gw_status keep(struct gw_simulate_pool *pool, const struct gw_prediction_request *request, struct gw_slice value,
                      gw_err *err)
{
    struct gw_avro_reader reader = gw_avro_reader_make(value);
    uint8_t fixed[GW_AVRO_FRAME_BYTES + REQUEST_ID_BYTES];
    int64_t varying = 0;
    gw_status status = gw_avro_read_raw(&reader, fixed, sizeof fixed);
    for (int i = 0; status == GW_OK && i < VARYING_LONGS; i++) {
        status = gw_avro_read_long(&reader, &varying);
    }
    GW_ASSERT(status == GW_OK && varying == request->enqueued_at_ms); // we have just written it
    pool->requests[pool->count] = (struct pooled){.at = pool->rest.size,
                                                  .size = gw_avro_left(&reader),
                                                  .user_id = request->user_id,
                                                  .candidate_count = request->candidates.count};
    if (gw_buf_append(&pool->rest, reader.at, gw_avro_left(&reader)) != GW_OK) {
        return gw_fail(err, GW_E_MEMORY, "no memory for %zu pooled requests", pool->count + 1);
    }
    pool->count++;
    return GW_OK;
}

static gw_status fill(struct gw_simulate_pool *pool, struct gw_simulator *simulator,
                      struct gw_simulate_converter *converter, struct gw_buf *value, size_t count, size_t bytes_max,
                      gw_err *err)
{
    struct gw_sim_event event;
    while (pool->count < count && (pool->count == 0 || pool->rest.size < bytes_max)) {
        GW_TRY(gw_simulator_next(simulator, &event, err));
        if (event.kind == GW_SIM_END) {
            break;
        }
        if (event.kind == GW_SIM_REQUEST) {
            struct gw_simulate_record record;
            gw_simulate_convert(converter, &event, event.time_ms, &record);
            GW_TRY(gw_simulate_encode(&record, 0, value, err));
            GW_TRY(keep(pool, &record.request, gw_buf_slice(value), err));
        }
    }
    return pool->count > 0 ? GW_OK : gw_fail(err, GW_E_INVALID, "the simulated world makes no request");
}

gw_status gw_simulate_pool_new(const struct gw_simulator_options *world, size_t count, size_t bytes_max,
                               struct gw_simulate_pool **ret_pool, gw_err *err)
{
    struct gw_simulator *simulator = NULL;
    struct gw_simulate_converter *converter = NULL;
    struct gw_buf value = {0};
    struct gw_simulate_pool *pool = gw_mem_calloc(1, sizeof *pool);
    if (pool != NULL) {
        pool->requests = gw_mem_calloc(GW_MAX(count, 1), sizeof *pool->requests);
    }
    gw_status status = pool != NULL && pool->requests != NULL
                           ? gw_simulator_new(world, &simulator, err)
                           : gw_fail(err, GW_E_MEMORY, "no memory for %zu pooled requests", count);
    if (status == GW_OK) {
        status = gw_simulate_converter_new(&converter, err);
    }
    if (status == GW_OK) {
        status = fill(pool, simulator, converter, &value, GW_MAX(count, 1), bytes_max, err);
    }
    gw_buf_deinit(&value);
    gw_simulate_converter_free(converter);
    gw_simulator_free(simulator);
    if (status != GW_OK) {
        gw_simulate_pool_free(pool);
        return status;
    }
    *ret_pool = pool;
    return GW_OK;
}

void gw_simulate_pool_free(struct gw_simulate_pool *pool)
{
    if (pool != NULL) {
        gw_buf_deinit(&pool->rest);
        gw_mem_free(pool->requests);
        gw_mem_free(pool);
    }
}

size_t gw_simulate_pool_count(const struct gw_simulate_pool *pool)
{
    return pool->count;
}

int64_t gw_simulate_pool_user(const struct gw_simulate_pool *pool, size_t index)
{
    GW_ASSERT(index < pool->count);
    return pool->requests[index].user_id;
}

uint32_t gw_simulate_pool_candidates(const struct gw_simulate_pool *pool, size_t index)
{
    GW_ASSERT(index < pool->count);
    return pool->requests[index].candidate_count;
}

gw_status gw_simulate_pool_write(const struct gw_simulate_pool *pool, size_t index, uint32_t schema_id,
                                 const struct gw_simulate_stamp *stamp, struct gw_buf *out, gw_err *err)
{
    GW_ASSERT(index < pool->count);
    const struct pooled *request = &pool->requests[index];
    gw_buf_clear(out);
    if (gw_avro_frame_begin(out, schema_id) != GW_OK ||
        gw_buf_reserve(out, REQUEST_ID_BYTES + VARYING_LONGS * GW_AVRO_LONG_BYTES_MAX + request->size) != GW_OK) {
        return gw_fail(err, GW_E_MEMORY, "no memory to encode a request");
    }
    gw_avro_put_raw(out, stamp->request_id, REQUEST_ID_BYTES);
    gw_avro_put_long(out, stamp->join_id);
    gw_avro_put_long(out, request->user_id);
    gw_avro_put_long(out, stamp->enqueued_at_ms);
    gw_avro_put_raw(out, pool->rest.data + request->at, request->size);
    return GW_OK;
}
