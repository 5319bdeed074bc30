// SPDX-License-Identifier: MIT
#include "support/testkit.h"

#include "base/mem.h"
#include "worker/score_cache.h"

#include <malloc.h>
#include <string.h>

enum { MIB = 1 << 20, MAX_AGE_US = 1000000, FLOATS = 50 };

static struct gw_score_cache *new_cache(size_t bytes)
{
    struct gw_score_cache *cache = NULL;
    const struct gw_score_cache_options options = {.bytes = bytes, .max_age_us = MAX_AGE_US};
    assert_ok(gw_score_cache_new(&options, &cache, NULL));
    return cache;
}

static struct gw_score_key key_of(uint64_t number)
{
    struct gw_score_key key = {0, 0};
    gw_score_key_fold(&key, number);
    return key;
}

static void offer(struct gw_score_cache *cache, uint64_t number, size_t floats)
{
    float payload[4 * FLOATS];
    for (size_t i = 0; i < floats; i++) {
        payload[i] = (float)(number * 100 + i);
    }
    gw_score_cache_offer(cache, key_of(number), payload);
}

static bool finds(struct gw_score_cache *cache, uint64_t number, size_t floats)
{
    const float *payload = gw_score_cache_find(cache, key_of(number));
    for (size_t i = 0; payload != NULL && i < floats; i++) {
        assert_true(payload[i] == (float)(number * 100 + i));
    }
    return payload != NULL;
}

static void found_after_the_second_offer_not_after_the_first(void **state)
{
    (void)state;
    struct gw_score_cache *cache = new_cache(MIB);
    assert_true(gw_score_cache_begin(cache, FLOATS, 1));
    assert_false(finds(cache, 7, FLOATS));
    offer(cache, 7, FLOATS);
    assert_false(finds(cache, 7, FLOATS));
    offer(cache, 7, FLOATS);
    assert_true(finds(cache, 7, FLOATS));
    const struct gw_score_cache_totals *totals = gw_score_cache_totals(cache);
    assert_int_equal(totals->lookups, 3);
    assert_int_equal(totals->hits, 1);
    assert_int_equal(totals->refused, 1);
    assert_int_equal(totals->admitted, 1);
    gw_score_cache_free(cache);
}

static void another_key_is_never_found(void **state)
{
    (void)state;
    enum { KEYS = 200000 };
    struct gw_score_cache *cache = new_cache(MIB);
    assert_true(gw_score_cache_begin(cache, 1, 1));
    for (uint64_t i = 0; i < KEYS; i++) {
        offer(cache, i, 1);
        offer(cache, i, 1);
    }
    for (uint64_t i = KEYS; i < 3 * (uint64_t)KEYS; i++) {
        assert_false(finds(cache, i, 1));
    }
    for (uint64_t i = 0; i < KEYS; i++) { // half a key does not do
        struct gw_score_key key = key_of(i);
        assert_null(gw_score_cache_find(cache, (struct gw_score_key){.low = key.low ^ 1, .high = key.high}));
        (void)finds(cache, i, 1); // what is found is its own
    }
    assert_true(gw_score_cache_totals(cache)->hits > KEYS / 20);
    gw_score_cache_free(cache);
}

static int compare_keys(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct gw_score_key));
}

static void keys_of_different_sequences_differ(void **state)
{
    (void)state;
    enum { SIDE = 300, COUNT = SIDE * SIDE + SIDE };
    struct gw_score_key *keys = gw_mem_calloc(COUNT, sizeof *keys);
    assert_non_null(keys);
    size_t count = 0;
    for (uint64_t i = 0; i < SIDE; i++) {
        keys[count++] = key_of(i); // {i} is not {0, i} nor {i, 0}
        for (uint64_t j = 0; j < SIDE; j++) {
            keys[count] = key_of(i);
            gw_score_key_fold(&keys[count++], j);
        }
    }
    qsort(keys, count, sizeof *keys, compare_keys);
    for (size_t i = 1; i < count; i++) {
        assert_true(keys[i].low != keys[i - 1].low && keys[i].high != keys[i - 1].high);
    }
    gw_mem_free(keys);
}

static void an_entry_ends_at_its_age(void **state)
{
    (void)state;
    struct gw_score_cache *cache = new_cache(MIB);
    assert_true(gw_score_cache_begin(cache, FLOATS, 1));
    offer(cache, 7, FLOATS);
    offer(cache, 7, FLOATS);
    assert_true(gw_score_cache_begin(cache, FLOATS, MAX_AGE_US));
    assert_true(finds(cache, 7, FLOATS));
    assert_true(gw_score_cache_begin(cache, FLOATS, 1 + MAX_AGE_US));
    assert_false(finds(cache, 7, FLOATS));
    offer(cache, 7, FLOATS); // it was admitted before
    assert_true(finds(cache, 7, FLOATS));
    gw_score_cache_free(cache);
}

static void a_key_that_comes_back_late_is_not_admitted(void **state)
{
    (void)state;
    struct gw_score_cache *cache = new_cache(MIB);
    for (uint64_t i = 0; i < 10; i++) {
        assert_true(gw_score_cache_begin(cache, FLOATS, 1 + i * 2 * MAX_AGE_US));
        offer(cache, 7, FLOATS);
        assert_true(gw_score_cache_begin(cache, FLOATS, 1 + i * 2 * MAX_AGE_US + MAX_AGE_US));
    }
    assert_int_equal(gw_score_cache_totals(cache)->admitted, 0);
    gw_score_cache_free(cache);
}

static void memory_is_the_bytes_asked_for_and_taken_once(void **state)
{
    (void)state;
    size_t before = mallinfo2().hblkhd + mallinfo2().uordblks;
    struct gw_score_cache *cache = new_cache(4 * MIB);
    size_t after = mallinfo2().hblkhd + mallinfo2().uordblks;
    gw_mem_fail_nth(1); // nothing more is asked for
    for (uint64_t i = 0; i < 100000; i++) {
        assert_true(gw_score_cache_begin(cache, i < 50000 ? FLOATS : 2 * FLOATS, 1 + i));
        offer(cache, i / 2, FLOATS);
    }
    assert_null(gw_mem_calloc(1, 1));
    assert_int_equal(gw_score_cache_totals(cache)->admitted, 50000);
    assert_true(gw_score_cache_totals(cache)->evicted > 0); // more than it can hold; writes past it are ASan's to find
#ifndef __SANITIZE_ADDRESS__
    assert_true(after - before <= 4 * MIB + 8192);
#else
    (void)before;
    (void)after;
#endif
    gw_score_cache_free(cache);
}

static void too_small_a_cache_is_refused_and_too_large_a_payload_is_not_cached(void **state)
{
    (void)state;
    struct gw_score_cache *cache = NULL;
    const struct gw_score_cache_options small = {.bytes = MIB - 1, .max_age_us = 1};
    const struct gw_score_cache_options ageless = {.bytes = MIB};
    assert_fails(gw_score_cache_new(&small, &cache, NULL), GW_E_CONFIG);
    assert_fails(gw_score_cache_new(&ageless, &cache, NULL), GW_E_CONFIG);
    cache = new_cache(MIB);
    assert_true(gw_score_cache_begin(cache, FLOATS, 1));
    offer(cache, 7, FLOATS);
    offer(cache, 7, FLOATS);
    assert_false(gw_score_cache_begin(cache, MIB, 1));
    assert_false(gw_score_cache_begin(cache, SIZE_MAX, 1));
    assert_true(gw_score_cache_begin(cache, FLOATS, 1));
    assert_true(finds(cache, 7, FLOATS));
    gw_score_cache_free(cache);
}

static void models_of_different_sizes_share_the_cache(void **state)
{
    (void)state;
    struct gw_score_cache *cache = new_cache(MIB);
    assert_true(gw_score_cache_begin(cache, 2 * FLOATS, 1));
    offer(cache, 1, 2 * FLOATS);
    offer(cache, 1, 2 * FLOATS);
    assert_true(gw_score_cache_begin(cache, FLOATS, 2));
    offer(cache, 2, FLOATS);
    offer(cache, 2, FLOATS);
    assert_true(finds(cache, 2, FLOATS));
    assert_true(gw_score_cache_begin(cache, 2 * FLOATS, 3));
    assert_true(finds(cache, 1, 2 * FLOATS));
    assert_true(gw_score_cache_begin(cache, 3 * FLOATS, 4)); // a larger one starts over
    assert_false(finds(cache, 1, FLOATS));
    gw_score_cache_free(cache);
}

static void a_scan_does_not_flush_what_is_asked_again(void **state)
{
    (void)state;
    enum { HOT = 500, SCANNED = 100000 };
    struct gw_score_cache *cache = new_cache(MIB); // about 4,000 entries
    assert_true(gw_score_cache_begin(cache, FLOATS, 1));
    for (uint64_t i = 0; i < 2 * HOT; i++) {
        offer(cache, i % HOT, FLOATS);
    }
    for (uint64_t i = 0; i < SCANNED; i++) {
        offer(cache, HOT + i, FLOATS);
        if (!finds(cache, i % HOT, FLOATS)) {
            offer(cache, i % HOT, FLOATS);
        }
    }
    size_t found = 0;
    for (uint64_t i = 0; i < HOT; i++) {
        found += finds(cache, i, FLOATS);
    }
    assert_true(found >= HOT * 85 / 100);
    assert_true(gw_score_cache_totals(cache)->admitted < SCANNED / 10);
    gw_score_cache_free(cache);
}

// ---- break-even -----------------------------------------------------------------------------------------------------

enum { STEP_US = 1000, ROWS = 100 };

// A caller whose row costs 1,000 ns and whose lookup costs 100 ns. `repeat`: keys come again and again.
struct caller {
    struct gw_score_cache *cache;
    uint64_t now_us;
    uint64_t next_key;
    uint64_t asked; // batches that were looked up
};

static void run_batches(struct caller *caller, uint64_t duration_us, bool repeat)
{
    for (uint64_t end_us = caller->now_us + duration_us; caller->now_us < end_us; caller->now_us += STEP_US) {
        if (!gw_score_cache_begin(caller->cache, 1, caller->now_us)) {
            continue;
        }
        uint64_t scored = 0;
        for (uint64_t i = 0; i < ROWS; i++) {
            uint64_t number = repeat ? i : 1000 + caller->next_key++;
            if (!finds(caller->cache, number, 0)) {
                offer(caller->cache, number, 1);
                scored++;
            }
        }
        gw_score_cache_end(caller->cache, 100 * ROWS, scored, 1000 * scored);
        caller->asked++;
    }
}

static void stays_on_while_hits_pay(void **state)
{
    (void)state;
    struct caller caller = {.cache = new_cache(MIB), .now_us = 1};
    run_batches(&caller, 100 * MAX_AGE_US, true);
    assert_true(gw_score_cache_totals(caller.cache)->on);
    assert_int_equal(gw_score_cache_totals(caller.cache)->skipped, 0);
    assert_true(gw_score_cache_totals(caller.cache)->hits > caller.asked * ROWS * 9 / 10);
    gw_score_cache_free(caller.cache);
}

static void switches_itself_off_when_hits_do_not_pay(void **state)
{
    (void)state;
    struct caller caller = {.cache = new_cache(MIB), .now_us = 1};
    run_batches(&caller, 10 * MAX_AGE_US, true);
    run_batches(&caller, MAX_AGE_US, false); // a dip of one life is not enough
    assert_true(gw_score_cache_totals(caller.cache)->on);
    run_batches(&caller, 3 * MAX_AGE_US, false);
    assert_false(gw_score_cache_totals(caller.cache)->on);
    caller.asked = 0;
    run_batches(&caller, 1000 * MAX_AGE_US, false);
    assert_in_range(caller.asked, 1, 1000 * MAX_AGE_US / STEP_US / 20); // tries, but seldom
    gw_score_cache_free(caller.cache);
}

static void switches_itself_on_again_when_hits_would_pay(void **state)
{
    (void)state;
    struct caller caller = {.cache = new_cache(MIB), .now_us = 1};
    run_batches(&caller, 30 * MAX_AGE_US, false);
    uint64_t skipped = gw_score_cache_totals(caller.cache)->skipped;
    assert_true(skipped > 0);
    run_batches(&caller, 100 * MAX_AGE_US, true); // the longest pause is 96 lives
    assert_true(gw_score_cache_totals(caller.cache)->on);
    skipped = gw_score_cache_totals(caller.cache)->skipped;
    run_batches(&caller, 100 * MAX_AGE_US, true);
    assert_int_equal(gw_score_cache_totals(caller.cache)->skipped, skipped);
    gw_score_cache_free(caller.cache);
}

static void an_idle_lane_is_not_judged(void **state)
{
    (void)state;
    struct caller caller = {.cache = new_cache(MIB), .now_us = 1};
    for (int i = 0; i < 40; i++) { // 4,000 lookups of nothing in 400 s
        run_batches(&caller, STEP_US, false);
        caller.now_us += 10 * MAX_AGE_US;
    }
    assert_true(gw_score_cache_totals(caller.cache)->on);
    gw_score_cache_free(caller.cache);
}

GW_TESTS(found_after_the_second_offer_not_after_the_first, another_key_is_never_found,
         keys_of_different_sequences_differ, an_entry_ends_at_its_age, a_key_that_comes_back_late_is_not_admitted,
         memory_is_the_bytes_asked_for_and_taken_once,
         too_small_a_cache_is_refused_and_too_large_a_payload_is_not_cached, models_of_different_sizes_share_the_cache,
         a_scan_does_not_flush_what_is_asked_again, stays_on_while_hits_pay, switches_itself_off_when_hits_do_not_pay,
         switches_itself_on_again_when_hits_would_pay, an_idle_lane_is_not_judged)
