// SPDX-License-Identifier: MIT
#include "worker/bridge_flights.h"

#include "base/mem.h"
#include "base/rng.h"
#include "support/testkit.h"

#include <string.h>

static struct gw_flight flight_of(uint64_t number, uint64_t deadline_us)
{
    struct gw_flight flight = {.request_join_id = (int64_t)number, .deadline_us = deadline_us};
    memcpy(flight.request_id, &number, sizeof number);
    return flight;
}

static struct gw_flights *table_of(size_t capacity)
{
    struct gw_flights *flights = NULL;
    gw_err err = {0};
    assert_ok_err(gw_flights_new(capacity, &flights, &err), &err);
    return flights;
}

static bool add(struct gw_flights *flights, uint64_t number, uint64_t deadline_us)
{
    bool earliest = false;
    const struct gw_flight flight = flight_of(number, deadline_us);
    assert_ok(gw_flights_add(flights, &flight, &earliest, NULL));
    return earliest;
}

static bool take(struct gw_flights *flights, uint64_t number)
{
    const struct gw_flight wanted = flight_of(number, 0);
    struct gw_flight taken;
    if (!gw_flights_take(flights, wanted.request_id, &taken)) {
        return false;
    }
    assert_int_equal(taken.request_join_id, number);
    return true;
}

static void a_flight_is_taken_once_by_its_id(void **state)
{
    (void)state;
    struct gw_flights *flights = table_of(4);

    add(flights, 7, 100);

    assert_false(take(flights, 8));
    assert_true(take(flights, 7));
    assert_false(take(flights, 7));
    struct gw_flight expired;
    assert_false(gw_flights_take_expired(flights, UINT64_MAX, &expired));
    gw_flights_free(flights);
}

static void expiry_takes_the_nearest_deadline_first_and_nothing_early(void **state)
{
    (void)state;
    struct gw_flights *flights = table_of(8);
    struct gw_flight expired;
    add(flights, 1, 300);
    add(flights, 2, 100);
    add(flights, 3, 200);

    assert_int_equal(gw_flights_next_deadline_us(flights), 100);
    assert_false(gw_flights_take_expired(flights, 99, &expired));
    assert_true(gw_flights_take_expired(flights, 200, &expired));
    assert_int_equal(expired.request_join_id, 2);
    assert_true(gw_flights_take_expired(flights, 200, &expired));
    assert_int_equal(expired.request_join_id, 3);
    assert_false(gw_flights_take_expired(flights, 200, &expired));
    assert_false(take(flights, 2));
    assert_true(take(flights, 1));
    assert_true(gw_flights_next_deadline_us(flights) == UINT64_MAX);
    gw_flights_free(flights);
}

static void add_says_when_the_timer_must_wake_earlier(void **state)
{
    (void)state;
    struct gw_flights *flights = table_of(4);

    assert_true(add(flights, 1, 300));
    assert_false(add(flights, 2, 400));
    assert_true(add(flights, 3, 200));

    struct gw_flight expired;
    while (gw_flights_take_expired(flights, UINT64_MAX, &expired)) {
    }
    assert_int_equal(gw_flights_count(flights), 0);
    gw_flights_free(flights);
}

static void a_full_table_refuses_and_takes_again_after_a_take(void **state)
{
    (void)state;
    struct gw_flights *flights = table_of(2);
    bool earliest = false;
    gw_err err = {0};
    const struct gw_flight third = flight_of(3, 1);
    add(flights, 1, 10);
    add(flights, 2, 20);

    assert_fails(gw_flights_add(flights, &third, &earliest, &err), GW_E_EXHAUSTED);
    assert_true(take(flights, 1));
    assert_true(add(flights, 3, 1));

    assert_true(take(flights, 2));
    assert_true(take(flights, 3));
    gw_flights_free(flights);
}

static void an_id_under_way_is_refused(void **state)
{
    (void)state;
    struct gw_flights *flights = table_of(2);
    bool earliest = false;
    const struct gw_flight again = flight_of(1, 5);
    add(flights, 1, 10);

    assert_fails(gw_flights_add(flights, &again, &earliest, NULL), GW_E_CONFLICT);

    assert_int_equal(gw_flights_count(flights), 1);
    assert_true(take(flights, 1));
    gw_flights_free(flights);
}

// Against a plain array: random adds, takes and expiries leave the same flights and expire in the same order.
static void random_use_agrees_with_a_plain_list(void **state)
{
    (void)state;
    enum { CAPACITY = 64, STEPS = 20000 };
    const uint64_t seed = 20260727;
    print_message("seed %llu\n", (unsigned long long)seed);
    struct gw_rng rng;
    gw_rng_init(&rng, seed);
    struct gw_flights *flights = table_of(CAPACITY);
    uint64_t deadlines[STEPS] = {0}; // by number, 0: not under way
    size_t count = 0;
    uint64_t now_us = 1;
    for (uint64_t number = 0; number < STEPS; number++) {
        uint64_t dice = gw_rng_below(&rng, 4);
        if (dice < 2 && count < CAPACITY) {
            deadlines[number] = now_us + 1 + gw_rng_below(&rng, 200);
            add(flights, number, deadlines[number]);
            count++;
        } else if (dice == 2 && number > 0) {
            uint64_t other = gw_rng_below(&rng, number);
            assert_int_equal(take(flights, other), deadlines[other] != 0);
            count -= deadlines[other] != 0;
            deadlines[other] = 0;
        } else {
            struct gw_flight expired;
            uint64_t last_us = 0;
            now_us += gw_rng_below(&rng, 10);
            while (gw_flights_take_expired(flights, now_us, &expired)) {
                assert_true(expired.deadline_us >= last_us && expired.deadline_us <= now_us);
                assert_int_equal(deadlines[expired.request_join_id], expired.deadline_us);
                last_us = expired.deadline_us;
                deadlines[expired.request_join_id] = 0;
                count--;
            }
            assert_true(gw_flights_next_deadline_us(flights) > now_us);
        }
        assert_int_equal(gw_flights_count(flights), count);
    }
    struct gw_flight rest;
    while (gw_flights_take_expired(flights, UINT64_MAX, &rest)) {
    }
    gw_flights_free(flights);
}

static void making_a_table_survives_each_failed_allocation(void **state)
{
    (void)state;
    struct gw_flights *flights = NULL;
    for (unsigned long n = 1; flights == NULL; n++) {
        gw_mem_fail_nth(n);
        gw_status status = gw_flights_new(16, &flights, NULL);
        gw_mem_fail_nth(0);
        assert_true(status == GW_OK || (status == GW_E_MEMORY && flights == NULL));
    }
    gw_flights_free(flights);
}

GW_TESTS(a_flight_is_taken_once_by_its_id, expiry_takes_the_nearest_deadline_first_and_nothing_early,
         add_says_when_the_timer_must_wake_earlier, a_full_table_refuses_and_takes_again_after_a_take,
         an_id_under_way_is_refused, random_use_agrees_with_a_plain_list,
         making_a_table_survives_each_failed_allocation)
