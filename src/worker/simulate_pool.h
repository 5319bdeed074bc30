// SPDX-License-Identifier: MIT
// Encoded prediction requests to be sent again and again, each time under new ids: load without the cost of a world.
//
// A PredictionRequest begins with its ids and its time; all that follows is kept encoded, so that writing one is a few
// varints and a copy. Immutable once made.
#pragma once

#include "base/bytes.h"
#include "simulator/simulator.h"

struct gw_simulate_pool;

// What changes from one sending to the next.
struct gw_simulate_stamp {
    uint8_t request_id[16];
    int64_t join_id;
    int64_t enqueued_at_ms;
};

// The first `count` requests of the world from its start_ms on, fewer when they fill bytes_max; at least one.
// GW_E_MEMORY, GW_E_CONFIG, GW_E_INVALID: the world ends without a request.
GW_CHECK gw_status gw_simulate_pool_new(const struct gw_simulator_options *world, size_t count, size_t bytes_max,
                                        struct gw_simulate_pool **ret_pool, gw_err *err);
void gw_simulate_pool_free(struct gw_simulate_pool *pool);

size_t gw_simulate_pool_count(const struct gw_simulate_pool *pool);
int64_t gw_simulate_pool_user(const struct gw_simulate_pool *pool, size_t index);
uint32_t gw_simulate_pool_candidates(const struct gw_simulate_pool *pool, size_t index); // how many

// Replaces the content of *out by the framed record. GW_E_MEMORY.
GW_CHECK gw_status gw_simulate_pool_write(const struct gw_simulate_pool *pool, size_t index, uint32_t schema_id,
                                          const struct gw_simulate_stamp *stamp, struct gw_buf *out, gw_err *err);
