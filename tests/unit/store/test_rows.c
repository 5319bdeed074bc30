// SPDX-License-Identifier: MIT
#include "base/clock.h"
#include "base/mem.h"
#include "store/rows.h"
#include "support/testkit.h"

static void refuses_options_it_cannot_serve(void **state)
{
    (void)state;
    static const char long_prefix[] = "a-prefix-of-more-than-sixty-four-bytes-is-more-than-any-key-wants:";
    static const struct gw_store_options cases[] = {
        {.address = "127.0.0.1:1", .prefix = "p:", .timeout_ms = 0},
        {.address = "nowhere", .prefix = "p:", .timeout_ms = 10},
        {.address = "127.0.0.1:1", .prefix = long_prefix, .timeout_ms = 10},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        struct gw_store *store = NULL;
        assert_fails(gw_store_new(&cases[i], &store, NULL), GW_E_CONFIG);
        assert_null(store);
    }
}

static void nothing_to_read_asks_nobody(void **state)
{
    (void)state;
    struct gw_store *store = NULL;
    struct gw_store_options options = {.address = "127.0.0.1:1", .prefix = "p:", .timeout_ms = 10};
    assert_ok(gw_store_new(&options, &store, NULL));
    assert_ok(gw_store_read(store, NULL, 0, gw_clock_mono_us(), NULL, NULL));
    gw_store_free(store);
}

static void outputs_stay_untouched_when_redis_is_away(void **state)
{
    (void)state;
    struct gw_store *store = NULL;
    struct gw_store_options options = {.address = "127.0.0.1:1", .prefix = "p:", .timeout_ms = 200};
    assert_ok(gw_store_new(&options, &store, NULL));

    struct gw_row_key key = {.view = 1, .id_count = 1, .id = {5}};
    uint8_t row[1] = {0};
    struct gw_slice rows[1] = {gw_slice_make(row, 1)};
    struct gw_store_position position = {.next_offset = 77};
    bool applied = true;
    uint64_t latency_us = 99;
    struct gw_store_write write = {.key = key, .row = rows[0]};
    assert_fails(gw_store_read(store, &key, 1, UINT64_MAX, rows, NULL), GW_E_UNAVAILABLE);
    assert_fails(gw_store_read_at(store, 0, &key, 1, rows, &position, NULL), GW_E_UNAVAILABLE);
    assert_fails(gw_store_position(store, 0, &position, NULL), GW_E_UNAVAILABLE);
    assert_fails(gw_store_apply(store, 0, 0, &write, 1, 1, "", 0, &applied, &position, NULL), GW_E_UNAVAILABLE);
    assert_fails(gw_store_ping(store, &latency_us, NULL), GW_E_UNAVAILABLE);
    assert_ptr_equal(rows[0].data, row);
    assert_int_equal(position.next_offset, 77);
    assert_true(applied);
    assert_int_equal(latency_us, 99);
    gw_store_free(store);
}

static void every_failed_allocation_is_a_status(void **state)
{
    (void)state;
    struct gw_store_options options = {.address = "127.0.0.1:1", .prefix = "p:", .timeout_ms = 10};
    for (unsigned long n = 1;; n++) {
        struct gw_store *store = NULL;
        gw_mem_fail_nth(n);
        gw_status status = gw_store_new(&options, &store, NULL);
        gw_mem_fail_nth(0);
        if (status == GW_OK) {
            assert_true(n > 3);
            gw_store_free(store);
            return;
        }
        assert_fails(status, GW_E_MEMORY);
    }
}

GW_TESTS(refuses_options_it_cannot_serve, nothing_to_read_asks_nobody, outputs_stay_untouched_when_redis_is_away,
         every_failed_allocation_is_a_status)
