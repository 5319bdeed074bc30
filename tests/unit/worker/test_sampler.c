// SPDX-License-Identifier: MIT
#include "worker/sampler.h"

#include "base/hash.h"
#include "support/testkit.h"

#include <math.h>

enum { RATE = 100 };

// Offers `count` samples within the second; gives how many were taken and the sum of their factors.
static uint64_t offer(struct gw_sampler *sampler, uint64_t second, uint64_t count, double *sum)
{
    uint64_t taken = 0;
    for (uint64_t i = 0; i < count; i++) {
        float factor = 0;
        if (gw_sampler_take(sampler, gw_hash_mix(second * 1000003 + i), second * 1000000, &factor)) {
            taken++;
            *sum += (double)factor;
        }
    }
    return taken;
}

static void everything_passes_below_the_rate(void **state)
{
    (void)state;
    struct gw_sampler sampler = {.rate_per_s = RATE};
    double sum = 0;
    for (uint64_t second = 1; second < 20; second++) {
        assert_int_equal(offer(&sampler, second, RATE, &sum), RATE);
    }
    assert_true(sum == 19.0 * RATE);
}

static void burst_is_bounded_and_its_weight_is_what_was_offered(void **state)
{
    (void)state;
    struct gw_sampler sampler = {.rate_per_s = RATE};
    double sum = 0;
    double offered = 0;
    for (uint64_t second = 1; second <= 50; second++) {
        uint64_t taken = offer(&sampler, second, 20000, &sum);
        assert_true(taken <= RATE * 9); // 1 + log2(200)
        offered += 20000;
    }
    assert_true(fabs(sum / offered - 1) < 0.05);
}

static void share_recovers_when_the_burst_is_over(void **state)
{
    (void)state;
    struct gw_sampler sampler = {.rate_per_s = RATE};
    double sum = 0;
    offer(&sampler, 1, 100000, &sum);
    assert_true(sampler.halvings > 0);
    for (uint64_t second = 2; second < 40; second++) {
        offer(&sampler, second, RATE / 4, &sum);
    }
    assert_int_equal(sampler.halvings, 0);
}

static void share_of_the_smallest_rate_recovers_while_traffic_goes_on(void **state)
{
    (void)state;
    struct gw_sampler sampler = {.rate_per_s = 1};
    double sum = 0;
    offer(&sampler, 1, 1000, &sum);
    assert_true(sampler.halvings > 5);
    for (uint64_t second = 2; second < 100; second++) {
        offer(&sampler, second, 1, &sum);
    }
    assert_in_range(sampler.halvings, 0, 1);
}

static void rate_of_zero_gives_nothing(void **state)
{
    (void)state;
    struct gw_sampler sampler = {0};
    double sum = 0;
    assert_int_equal(offer(&sampler, 1, 1000, &sum), 0);
}

GW_TESTS(everything_passes_below_the_rate, burst_is_bounded_and_its_weight_is_what_was_offered,
         share_recovers_when_the_burst_is_over, share_of_the_smallest_rate_recovers_while_traffic_goes_on,
         rate_of_zero_gives_nothing)
