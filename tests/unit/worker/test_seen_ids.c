// SPDX-License-Identifier: MIT
#include "support/testkit.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "base/rng.h"
#include "worker/seen_ids.h"

enum { WINDOW_MS = 1000 };

static struct gw_seen_ids *new_ids(void)
{
    struct gw_seen_ids *ids = NULL;
    assert_ok(gw_seen_ids_new(WINDOW_MS, &ids, NULL));
    return ids;
}

static bool add(struct gw_seen_ids *ids, uint64_t number, int64_t time_ms)
{
    uint8_t id[GW_SEEN_ID_BYTES];
    bool duplicate = false;
    gw_store_be64(id, number * 0x9e3779b97f4a7c15u);
    gw_store_be64(id + 8, number);
    assert_ok(gw_seen_ids_add(ids, id, time_ms, &duplicate, NULL));
    return duplicate;
}

static void an_id_within_the_window_is_a_duplicate(void **state)
{
    (void)state;
    struct gw_seen_ids *ids = new_ids();
    assert_false(add(ids, 1, 5000));
    assert_false(add(ids, 2, 5000));
    assert_true(add(ids, 1, 5000));             // in the same millisecond
    assert_true(add(ids, 2, 5000 + WINDOW_MS)); // at its very end
    assert_false(add(ids, 3, 5000 + WINDOW_MS));
    gw_seen_ids_free(ids);
}

static void an_id_past_the_window_is_new_again(void **state)
{
    (void)state;
    struct gw_seen_ids *ids = new_ids();
    assert_false(add(ids, 1, 0));
    assert_false(add(ids, 1, WINDOW_MS + 1));
    gw_seen_ids_free(ids);
}

static void each_occurrence_opens_the_window_anew(void **state)
{
    (void)state;
    struct gw_seen_ids *ids = new_ids();
    assert_false(add(ids, 1, 0));
    for (int64_t time = WINDOW_MS; time < 10 * WINDOW_MS; time += WINDOW_MS) {
        assert_true(add(ids, 1, time));
        gw_seen_ids_trim(ids);
    }
    gw_seen_ids_free(ids);
}

static void trim_forgets_only_what_no_later_record_can_meet(void **state)
{
    (void)state;
    struct gw_seen_ids *ids = new_ids();
    assert_false(add(ids, 1, 0));
    assert_false(add(ids, 2, 1));
    assert_false(add(ids, 3, WINDOW_MS + 1));
    gw_seen_ids_trim(ids);
    assert_int_equal(gw_seen_ids_count(ids), 2); // 2 is exactly a window old
    assert_true(add(ids, 2, WINDOW_MS + 1));
    assert_false(add(ids, 1, WINDOW_MS + 1));
    gw_seen_ids_free(ids);
}

// The definition, by looking at everything there was: the latest occurrence counts.
static void decisions_equal_a_plain_search(void **state)
{
    (void)state;
    enum { STEPS = 20000, IDS = 300 };
    static int64_t latest[IDS];
    struct gw_seen_ids *ids = new_ids();
    struct gw_rng rng;
    int64_t time = 0;
    gw_rng_init(&rng, 20261);
    for (int i = 0; i < IDS; i++) {
        latest[i] = INT64_MIN / 2;
    }
    for (int step = 0; step < STEPS; step++) {
        uint64_t number = gw_rng_below(&rng, IDS);
        time += (int64_t)gw_rng_below(&rng, 12);
        assert_int_equal(add(ids, number, time), time - latest[number] <= WINDOW_MS);
        latest[number] = time;
        if (step % 97 == 0) {
            gw_seen_ids_trim(ids);
        }
    }
    gw_seen_ids_trim(ids);
    assert_true(gw_seen_ids_count(ids) < 400); // about a window's worth: 1000 / 5.5
    gw_seen_ids_free(ids);
}

static void a_window_of_zero_knows_only_the_same_millisecond(void **state)
{
    (void)state;
    struct gw_seen_ids *ids = NULL;
    assert_ok(gw_seen_ids_new(0, &ids, NULL));
    assert_false(add(ids, 1, 7));
    assert_true(add(ids, 1, 7));
    assert_false(add(ids, 1, 8));
    gw_seen_ids_free(ids);
}

static void decisions_survive_the_shrinking_after_a_flood(void **state)
{
    (void)state;
    struct gw_seen_ids *ids = new_ids();
    for (uint64_t i = 1; i <= 50000; i++) {
        assert_false(add(ids, i, 0));
    }
    for (uint64_t i = 1; i <= 100; i++) {
        assert_false(add(ids, 100000 + i, WINDOW_MS + 1));
    }
    gw_seen_ids_trim(ids);
    assert_int_equal(gw_seen_ids_count(ids), 100);
    for (uint64_t i = 1; i <= 100; i++) {
        assert_true(add(ids, 100000 + i, WINDOW_MS + 2));
        assert_false(add(ids, i, WINDOW_MS + 2));
    }
    gw_seen_ids_free(ids);
}

static void a_failed_allocation_is_reported(void **state)
{
    (void)state;
    for (unsigned long n = 1; n <= 2; n++) {
        struct gw_seen_ids *ids = new_ids();
        uint8_t id[GW_SEEN_ID_BYTES] = {1};
        bool duplicate = false;
        gw_mem_fail_nth(n);
        assert_fails(gw_seen_ids_add(ids, id, 0, &duplicate, NULL), GW_E_MEMORY);
        gw_mem_fail_nth(0);
        gw_seen_ids_free(ids);
    }
}

GW_TESTS(an_id_within_the_window_is_a_duplicate, an_id_past_the_window_is_new_again,
         each_occurrence_opens_the_window_anew, trim_forgets_only_what_no_later_record_can_meet,
         decisions_equal_a_plain_search, a_window_of_zero_knows_only_the_same_millisecond,
         decisions_survive_the_shrinking_after_a_flood, a_failed_allocation_is_reported)
