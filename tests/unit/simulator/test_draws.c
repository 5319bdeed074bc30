// SPDX-License-Identifier: MIT
// The parts below the simulator: sampling, the heap of pending events, the formula of the truth.
#include "base/mem.h"
#include "simulator/alias.h"
#include "simulator/draw.h"
#include "simulator/pending.h"
#include "simulator/world.h"
#include "support/testkit.h"

#include <math.h>
#include <string.h>

static void alias_draws_in_proportion_to_the_weights(void **state)
{
    (void)state;
    static const double weights[] = {0.0, 5.0, 1.0, 0.0, 94.0, 0.001, 20.0};
    struct gw_sim_alias alias;
    struct gw_rng rng;
    uint32_t counts[GW_COUNT_OF(weights)] = {0};
    gw_rng_init(&rng, 11);
    assert_ok(gw_sim_alias_init(&alias, GW_COUNT_OF(weights), NULL));
    memcpy(alias.weights, weights, sizeof weights);
    gw_sim_alias_build(&alias, GW_COUNT_OF(weights));
    for (int i = 0; i < 1200010; i++) {
        counts[gw_sim_alias_pick(&alias, &rng)]++;
    }
    assert_int_equal(counts[0] + counts[3], 0);
    for (size_t i = 0; i < GW_COUNT_OF(weights); i++) {
        double expected = weights[i] * 10000.0;
        assert_true(fabs(counts[i] - expected) <= 5.0 * sqrt(expected) + 10.0);
    }
    gw_sim_alias_deinit(&alias);
}

static void alias_of_one_item_always_draws_it(void **state)
{
    (void)state;
    struct gw_sim_alias alias;
    struct gw_rng rng;
    gw_rng_init(&rng, 1);
    assert_ok(gw_sim_alias_init(&alias, 1, NULL));
    alias.weights[0] = 1e-30;
    gw_sim_alias_build(&alias, 1);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(gw_sim_alias_pick(&alias, &rng), 0);
    }
    gw_sim_alias_deinit(&alias);
}

static void heap_gives_back_by_time_and_equal_times_in_order(void **state)
{
    (void)state;
    struct gw_sim_heap heap = {0};
    struct gw_rng rng;
    gw_rng_init(&rng, 5);
    for (uint32_t i = 0; i < 5000; i++) {
        struct gw_sim_pending item = {.time_ms = (int64_t)gw_rng_below(&rng, 300), .user = i};
        assert_ok(gw_sim_heap_push(&heap, item, NULL));
    }
    struct gw_sim_pending last = {.time_ms = -1};
    for (uint32_t i = 0; i < 5000; i++) {
        struct gw_sim_pending item = gw_sim_heap_pop(&heap);
        assert_true(item.time_ms > last.time_ms || (item.time_ms == last.time_ms && item.user > last.user));
        last = item;
    }
    assert_int_equal(heap.count, 0);
    gw_sim_heap_deinit(&heap);
}

static void heap_out_of_memory_is_a_status(void **state)
{
    (void)state;
    struct gw_sim_heap heap = {0};
    gw_mem_fail_nth(1);
    assert_fails(gw_sim_heap_push(&heap, (struct gw_sim_pending){0}, NULL), GW_E_MEMORY);
    gw_mem_fail_nth(0);
    assert_int_equal(heap.count, 0);
    gw_sim_heap_deinit(&heap);
}

static void poisson_has_its_mean_and_variance(void **state)
{
    (void)state;
    static const double means[] = {0.01, 0.5, 4.0, 29.9, 30.0, 2000.0};
    struct gw_rng rng;
    gw_rng_init(&rng, 3);
    for (size_t i = 0; i < GW_COUNT_OF(means); i++) {
        double sum = 0.0;
        double squares = 0.0;
        for (int n = 0; n < 50000; n++) {
            double value = gw_sim_poisson(&rng, means[i]);
            sum += value;
            squares += value * value;
        }
        double mean = sum / 50000.0;
        double variance = squares / 50000.0 - mean * mean;
        assert_true(fabs(mean - means[i]) < 5.0 * sqrt(means[i] / 50000.0));
        assert_true(fabs(variance / means[i] - 1.0) < 0.25);
    }
}

static void truth_is_the_documented_formula(void **state)
{
    (void)state;
    struct gw_sim_weights w = {.bias = -2.0,
                               .propensity = 0.5,
                               .tilt = 0.25,
                               .author = 0.125,
                               .quality = 1.0,
                               .content = 2.0,
                               .match = 3.0,
                               .age = 0.5,
                               .in_network = 0.75,
                               .evening = 0.1};
    struct gw_sim_factors f = {.propensity = 1.0,
                               .tilt = -1.0,
                               .author = 2.0,
                               .quality = -0.5,
                               .content = 0.25,
                               .match = 0.5,
                               .age_hours = 3.0,
                               .in_network = 1.0,
                               .local_hour = 9.0};
    double z = -2.0 + 0.5 - 0.25 + 0.25 - 0.5 + 0.5 + 1.5 - 0.5 * log(2.0) + 0.75 - 0.1;
    assert_true(fabs(gw_sim_truth_probability(&w, &f) - 1.0 / (1.0 + exp(-z))) < 1e-12);
}

static void user_ids_are_positive_and_distinct(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2000; i++) {
        assert_true(gw_sim_user_id(i) > 0);
        for (uint32_t j = 0; j < i; j += 37) {
            assert_true(gw_sim_user_id(i) != gw_sim_user_id(j));
        }
    }
    assert_true(gw_sim_user_id(UINT32_MAX) > 0);
}

static void rhythm_has_mean_one_over_a_day(void **state)
{
    (void)state;
    struct gw_sim_world world;
    struct gw_simulator_options options = gw_simulator_options_default();
    options.user_count = 300;
    options.author_count = 30;
    assert_ok(gw_sim_world_init(&world, &options, 1700000000000, NULL));
    double sum = 0.0;
    double least = 9.0;
    double most = 0.0;
    for (int64_t minute = 0; minute < 1440; minute++) {
        double rhythm = gw_sim_world_user_rhythm(&world, 1700000000000 + minute * 60000);
        sum += rhythm;
        least = GW_MIN(least, rhythm);
        most = GW_MAX(most, rhythm);
    }
    assert_true(fabs(sum / 1440.0 - 1.0) < 1e-6);
    assert_true(least > 0.1 && most < 1.86 && most / least > 1.2);
    gw_sim_world_deinit(&world);
}

GW_TESTS(alias_draws_in_proportion_to_the_weights, alias_of_one_item_always_draws_it,
         heap_gives_back_by_time_and_equal_times_in_order, heap_out_of_memory_is_a_status,
         poisson_has_its_mean_and_variance, truth_is_the_documented_formula, user_ids_are_positive_and_distinct,
         rhythm_has_mean_one_over_a_day)
