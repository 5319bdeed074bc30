// SPDX-License-Identifier: MIT
#include "rollout/shadow.h"
#include "support/testkit.h"

#include <math.h>
#include <string.h>

enum { COUNT_MAX = 1000 };

static float scratch[4 * COUNT_MAX];

// One request whose probabilities are its scores.
static struct gw_shadow_tally note(const float *served, const float *shadow, uint32_t count)
{
    struct gw_shadow_tally tally = {0};
    gw_shadow_note(&tally, served, shadow, served, shadow, count, scratch);
    return tally;
}

static void assert_near(double value, double expected)
{
    if (fabs(value - expected) > 1e-12) {
        print_error("%.15g is not %.15g\n", value, expected);
    }
    assert_true(fabs(value - expected) <= 1e-12);
}

static void correlation_of_the_same_order_is_one_and_of_the_reverse_minus_one(void **state)
{
    (void)state;
    const float served[] = {0.1f, 0.5f, 0.2f, 0.9f};
    const float same[] = {1, 3, 2, 100};
    const float reverse[] = {4, 2, 3, 1};
    struct gw_shadow_tally tally = note(served, same, 4);
    assert_int_equal(tally.correlations, 1);
    assert_near(tally.correlation_sum, 1);
    tally = note(served, reverse, 4);
    assert_near(tally.correlation_sum, -1);
}

static void correlation_without_ties_is_spearmans_formula(void **state)
{
    (void)state;
    // Ranks 1 2 3 4 5 against 2 1 4 3 5: squared distances 1 1 1 1 0, rho = 1 - 6 * 4 / (5 * 24) = 0.8.
    const float served[] = {1, 2, 3, 4, 5};
    const float shadow[] = {20, 10, 40, 30, 50};
    assert_near(note(served, shadow, 5).correlation_sum, 0.8);
}

static void ties_share_their_mean_rank(void **state)
{
    (void)state;
    // Served ranks 1 2.5 2.5 4, shadow ranks 1 3 2 4. Distances from 2.5: -1.5 0 0 1.5 and -1.5 .5 -.5 1.5, so
    // rho = 4.5 / sqrt(4.5 * 5) = sqrt(0.9).
    const float served[] = {1, 2, 2, 3};
    const float shadow[] = {1, 3, 2, 4};
    assert_near(note(served, shadow, 4).correlation_sum, sqrt(0.9));

    // Ranks 2 2 2 4.5 4.5 against 4.5 2 2 2 4.5; mean 3; products -1.5 1 1 -1.5 2.25 = 1.25, squares 3 + 4.5 each.
    const float three[] = {0, 0, 0, 1, 1};
    const float other[] = {7, 5, 5, 5, 7};
    assert_near(note(three, other, 5).correlation_sum, 1.25 / 7.5);
}

static void equal_scores_on_one_side_have_no_correlation(void **state)
{
    (void)state;
    const float served[] = {1, 1, 1};
    const float shadow[] = {1, 2, 3};
    struct gw_shadow_tally tally = note(served, shadow, 3);
    assert_int_equal(tally.correlations, 0);
    tally = note(shadow, served, 3);
    assert_int_equal(tally.correlations, 0);
    tally = note(shadow, shadow, 1);
    assert_int_equal(tally.correlations, 0);
    assert_int_equal(tally.requests, 1);
    tally = note(shadow, shadow, 0);
    assert_int_equal(tally.requests, 1);
    assert_int_equal(tally.candidates, 0);
}

static void flip_is_another_best_candidate(void **state)
{
    (void)state;
    const float served[] = {0.1f, 0.9f, 0.3f};
    const float scaled[] = {0.2f, 0.3f, 0.25f};
    const float flipped[] = {0.1f, 0.4f, 0.5f};
    const float equal[] = {0.9f, 0.9f, 0.3f};
    assert_int_equal(note(served, scaled, 3).flips, 0);
    assert_int_equal(note(served, flipped, 3).flips, 1);
    assert_int_equal(note(equal, equal, 3).flips, 0);
    assert_int_equal(note(served, equal, 3).flips, 1); // the first of equals
}

static void not_a_number_is_counted_and_in_nothing_else(void **state)
{
    (void)state;
    const float served[] = {0.25f, 0.75f, 0.5f, 0.125f};
    const float shadow[] = {0.25f, NAN, 0.5f, INFINITY};
    struct gw_shadow_tally tally = note(served, shadow, 4);
    assert_int_equal(tally.not_a_number, 2);
    assert_int_equal(tally.candidates, 2);
    assert_int_equal(tally.flips, 0);
    assert_near(tally.delta_sum, 0);
    assert_near(tally.correlation_sum, 1);

    const float none[] = {NAN, NAN, NAN, NAN};
    tally = note(served, none, 4);
    assert_int_equal(tally.not_a_number, 4);
    assert_int_equal(tally.requests, 1);
    assert_int_equal(tally.flips + tally.candidates + tally.correlations, 0);
}

static void not_a_number_in_a_probability_alone_is_counted(void **state)
{
    (void)state;
    const float scores[] = {1, 2};
    const float p[] = {0.5f, 0.5f};
    const float bad[] = {0.5f, NAN};
    struct gw_shadow_tally tally = {0};
    gw_shadow_note(&tally, scores, scores, p, bad, 2, scratch);
    assert_int_equal(tally.not_a_number, 1);
    assert_near(tally.delta_sum, 0);
}

static void deltas_are_of_the_probabilities_and_fall_into_their_buckets(void **state)
{
    (void)state;
    const float scores[] = {1, 2, 3, 4};
    const float served[] = {0, 1, 0.5f, 0.25f};
    const float shadow[] = {1, 1, 0.375f, 0.251f};
    struct gw_shadow_tally tally = {0};
    gw_shadow_note(&tally, scores, scores, served, shadow, 4, scratch);
    assert_true(gw_shadow_delta_bound(0) == 1.0 / 2048);
    assert_true(gw_shadow_delta_bound(GW_SHADOW_DELTA_BUCKETS - 1) == 1);
    assert_int_equal(tally.delta_counts[11], 1); // 1
    assert_int_equal(tally.delta_counts[0], 1);  // 0
    assert_int_equal(tally.delta_counts[8], 1);  // 2^-3 exactly: bounds are inclusive
    assert_int_equal(tally.delta_counts[2], 1);  // 0.001: above 2^-10, below 2^-9
    assert_true(fabs(tally.delta_sum - 1.126) < 1e-6);
}

static void tallies_add_up(void **state)
{
    (void)state;
    const float a[] = {1, 2, 3};
    const float b[] = {3, NAN, 1};
    struct gw_shadow_tally together = {0};
    gw_shadow_note(&together, a, b, a, b, 3, scratch);
    gw_shadow_note(&together, a, a, a, a, 3, scratch);
    struct gw_shadow_tally sum = note(a, b, 3);
    struct gw_shadow_tally more = note(a, a, 3);
    gw_shadow_add(&sum, &more);
    assert_memory_equal(&sum, &together, sizeof sum);
}

// The definition, quadratic: a rank is the number of smaller ones plus half of the equal ones.
static double slow_rank(const float *values, uint32_t count, uint32_t of)
{
    double less = 0;
    double equal = 0;
    for (uint32_t i = 0; i < count; i++) {
        less += values[i] < values[of];
        equal += values[i] == values[of];
    }
    return less + (equal + 1) / 2;
}

static void correlation_of_many_candidates_follows_the_definition(void **state)
{
    (void)state;
    static float a[COUNT_MAX];
    static float b[COUNT_MAX];
    for (uint32_t i = 0; i < COUNT_MAX; i++) {
        a[i] = (float)(i * 7919 % 101); // many ties
        b[i] = a[i] + (float)(i * 104729 % 53);
    }
    double aa = 0;
    double bb = 0;
    double ab = 0;
    for (uint32_t i = 0; i < COUNT_MAX; i++) {
        double x = slow_rank(a, COUNT_MAX, i) - (COUNT_MAX + 1) / 2.0;
        double y = slow_rank(b, COUNT_MAX, i) - (COUNT_MAX + 1) / 2.0;
        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    assert_near(note(a, b, COUNT_MAX).correlation_sum, ab / sqrt(aa * bb));
}

GW_TESTS(correlation_of_the_same_order_is_one_and_of_the_reverse_minus_one,
         correlation_without_ties_is_spearmans_formula, ties_share_their_mean_rank,
         equal_scores_on_one_side_have_no_correlation, flip_is_another_best_candidate,
         not_a_number_is_counted_and_in_nothing_else, not_a_number_in_a_probability_alone_is_counted,
         deltas_are_of_the_probabilities_and_fall_into_their_buckets, tallies_add_up,
         correlation_of_many_candidates_follows_the_definition)
