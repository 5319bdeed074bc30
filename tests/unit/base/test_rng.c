// SPDX-License-Identifier: MIT
#include "base/rng.h"
#include "support/testkit.h"

#include <math.h>

static const uint64_t seed = 20240607;

static void same_seed_gives_the_same_numbers(void **state)
{
    (void)state;
    struct gw_rng a;
    struct gw_rng b;
    struct gw_rng c;
    gw_rng_init(&a, seed);
    gw_rng_init(&b, seed);
    gw_rng_init(&c, seed + 1);
    bool differs = false;
    for (int i = 0; i < 100; i++) {
        uint64_t x = gw_rng_next(&a);
        assert_true(x == gw_rng_next(&b));
        differs |= x != gw_rng_next(&c);
    }
    assert_true(differs);
}

// The reference implementation's output for the state {1, 2, 3, 4}.
static void generator_matches_the_reference(void **state)
{
    (void)state;
    struct gw_rng rng = {.s = {1, 2, 3, 4}};
    static const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240};
    for (size_t i = 0; i < GW_COUNT_OF(expected); i++) {
        assert_true(gw_rng_next(&rng) == expected[i]);
    }
}

static void below_is_even_over_its_range(void **state)
{
    (void)state;
    enum { BOUND = 7, DRAWS = 70000 };
    unsigned counts[BOUND] = {0};
    struct gw_rng rng;
    gw_rng_init(&rng, seed);
    for (int i = 0; i < DRAWS; i++) {
        uint64_t x = gw_rng_below(&rng, BOUND);
        assert_true(x < BOUND);
        counts[x]++;
    }
    double chi_square = 0;
    for (int i = 0; i < BOUND; i++) {
        double off = counts[i] - (double)DRAWS / BOUND;
        chi_square += off * off / ((double)DRAWS / BOUND);
    }
    assert_true(chi_square < 22.5); // 6 degrees of freedom: one seed in a thousand is above
    assert_int_equal(gw_rng_below(&rng, 1), 0);
}

static void moments_are_those_of_the_distributions(void **state)
{
    (void)state;
    enum { DRAWS = 40000 };
    struct gw_rng rng;
    double uniform = 0;
    double normal = 0;
    double square = 0;
    gw_rng_init(&rng, seed);
    for (int i = 0; i < DRAWS; i++) {
        double u = gw_rng_double(&rng);
        double x = gw_rng_normal(&rng);
        assert_true(u >= 0 && u < 1 && isfinite(x));
        uniform += u;
        normal += x;
        square += x * x;
    }
    assert_true(fabs(uniform / DRAWS - 0.5) < 0.01);
    assert_true(fabs(normal / DRAWS) < 0.02);
    assert_true(fabs(square / DRAWS - 1) < 0.03);
}

GW_TESTS(same_seed_gives_the_same_numbers, generator_matches_the_reference, below_is_even_over_its_range,
         moments_are_those_of_the_distributions)
