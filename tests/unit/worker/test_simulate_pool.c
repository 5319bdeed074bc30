// SPDX-License-Identifier: MIT
#include "worker/simulate_pool.h"

#include "avro/framing.h"
#include "base/arena.h"
#include "support/testkit.h"
#include "worker/simulate_records.h"

#include <string.h>

#define START_MS 1750000000000LL

static struct gw_simulator_options small_world(void)
{
    const struct gw_simulate_options options = {
        .seed = 3, .user_count = 100, .author_count = 20, .tweets_alive = 200, .candidates_mean = 10};
    struct gw_simulator_options world = gw_simulate_world(&options, START_MS);
    world.end_ms = START_MS + 60000;
    return world;
}

static void written_request_is_the_worlds_under_the_new_stamp(void **state)
{
    (void)state;
    struct gw_simulator_options world = small_world();
    struct gw_simulate_pool *pool = NULL;
    struct gw_simulator *simulator = NULL;
    struct gw_simulate_converter *converter = NULL;
    struct gw_arena arena;
    struct gw_buf written = {0};
    struct gw_buf expected = {0};
    gw_arena_init(&arena, 1 << 16, 16 << 20);
    assert_ok(gw_simulate_pool_new(&world, 50, 1 << 20, &pool, NULL));
    assert_ok(gw_simulator_new(&world, &simulator, NULL));
    assert_ok(gw_simulate_converter_new(&converter, NULL));
    assert_int_equal(gw_simulate_pool_count(pool), 50);
    for (size_t i = 0; i < 50; i++) {
        struct gw_sim_event event;
        do {
            assert_ok(gw_simulator_next(simulator, &event, NULL));
        } while (event.kind != GW_SIM_REQUEST);
        struct gw_simulate_stamp stamp = {
            .request_id = {1, 2, (uint8_t)i}, .join_id = (int64_t)1 << i, .enqueued_at_ms = START_MS + (int64_t)i};
        struct gw_simulate_record record;
        gw_simulate_convert(converter, &event, stamp.enqueued_at_ms, &record);
        memcpy(record.request.request_id, stamp.request_id, sizeof stamp.request_id);
        record.request.request_join_id = stamp.join_id;

        assert_ok(gw_simulate_pool_write(pool, i, 42, &stamp, &written, NULL));

        assert_ok(gw_simulate_encode(&record, 42, &expected, NULL));
        assert_true(gw_slice_equal(gw_buf_slice(&written), gw_buf_slice(&expected)));
        assert_int_equal(gw_simulate_pool_user(pool, i), event.request.user_id);
        assert_int_equal(gw_simulate_pool_candidates(pool, i), event.request.candidate_count);
        struct gw_prediction_request decoded;
        struct gw_slice body;
        uint32_t id = 0;
        assert_ok(gw_avro_unframe(gw_buf_slice(&written), &id, &body, NULL));
        assert_ok(gw_prediction_request_decode(body, &arena, &decoded, NULL));
        assert_int_equal(decoded.request_join_id, stamp.join_id);
        assert_int_equal(decoded.enqueued_at_ms, stamp.enqueued_at_ms);
        gw_arena_clear(&arena);
    }
    gw_buf_deinit(&written);
    gw_buf_deinit(&expected);
    gw_arena_deinit(&arena);
    gw_simulate_converter_free(converter);
    gw_simulator_free(simulator);
    gw_simulate_pool_free(pool);
}

static void pool_stops_at_its_bound_of_bytes(void **state)
{
    (void)state;
    struct gw_simulator_options world = small_world();
    struct gw_simulate_pool *pool = NULL;
    assert_ok(gw_simulate_pool_new(&world, 1000, 2000, &pool, NULL));
    assert_true(gw_simulate_pool_count(pool) > 1);
    assert_true(gw_simulate_pool_count(pool) < 30);
    gw_simulate_pool_free(pool);
}

static void world_without_requests_is_refused(void **state)
{
    (void)state;
    struct gw_simulator_options world = small_world();
    struct gw_simulate_pool *pool = NULL;
    world.end_ms = START_MS;
    assert_fails(gw_simulate_pool_new(&world, 10, 2000, &pool, NULL), GW_E_INVALID);
    assert_null(pool);
}

GW_TESTS(written_request_is_the_worlds_under_the_new_stamp, pool_stops_at_its_bound_of_bytes,
         world_without_requests_is_refused)
