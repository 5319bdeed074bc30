// SPDX-License-Identifier: MIT
#include "support/testkit.h"

#include "base/rng.h"
#include "worker/score_rank.h"

#include <math.h>
#include <string.h>

enum { COUNT_MAX = 3000 };

static const float *compared;

// By value, NaN last, then by place: what a stable sort gives.
static int by_score(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    float x = compared[a];
    float y = compared[b];
    if (isnan(x) != isnan(y)) {
        return isnan(x) ? 1 : -1;
    }
    if (!isnan(x) && x != y) {
        return x > y ? -1 : 1;
    }
    return a < b ? -1 : a > b;
}

static void assert_ranked(const float *scores, uint32_t count)
{
    static uint32_t order[COUNT_MAX];
    static uint32_t expected[COUNT_MAX];
    static uint64_t scratch[2 * COUNT_MAX];
    for (uint32_t i = 0; i < count; i++) {
        expected[i] = i;
    }
    compared = scores;
    qsort(expected, count, sizeof *expected, by_score);
    gw_score_rank(scores, count, order, scratch);
    assert_memory_equal(order, expected, count * sizeof *order);
}

static void order_equals_qsort_for_any_bits(void **state)
{
    (void)state;
    static float scores[COUNT_MAX];
    struct gw_rng rng;
    gw_rng_init(&rng, 31);
    for (uint32_t count = 1; count <= COUNT_MAX; count += count < 60 ? 1 : 489) { // both sides of the small sort
        for (uint32_t i = 0; i < count; i++) {
            uint32_t bits = (uint32_t)gw_rng_next(&rng); // NaN, infinities and denormals among them
            memcpy(&scores[i], &bits, sizeof bits);
        }
        assert_ranked(scores, count);
    }
}

static void equal_scores_keep_their_order(void **state)
{
    (void)state;
    static float scores[COUNT_MAX];
    struct gw_rng rng;
    gw_rng_init(&rng, 32);
    for (uint32_t i = 0; i < COUNT_MAX; i++) {
        scores[i] = (float)gw_rng_below(&rng, 5) / 4;
    }
    assert_ranked(scores, COUNT_MAX);
    assert_ranked(scores, 20);
}

static void zeros_of_both_signs_are_equal(void **state)
{
    (void)state;
    static const float scores[] = {-0.0f, 0.0f, -0.0f, 1e-45f, -1e-45f, 0.0f};
    assert_ranked(scores, GW_COUNT_OF(scores));
    static float many[40];
    for (size_t i = 0; i < GW_COUNT_OF(many); i++) {
        many[i] = i % 3 == 0 ? -0.0f : 0.0f;
    }
    assert_ranked(many, GW_COUNT_OF(many));
}

static void nan_comes_last_whatever_its_sign(void **state)
{
    (void)state;
    static const float scores[] = {NAN, -INFINITY, -NAN, 3, INFINITY, NAN};
    uint32_t order[GW_COUNT_OF(scores)];
    uint64_t scratch[2 * GW_COUNT_OF(scores)];
    gw_score_rank(scores, GW_COUNT_OF(scores), order, scratch);
    static const uint32_t expected[] = {4, 3, 1, 0, 2, 5};
    assert_memory_equal(order, expected, sizeof order);
}

static void nothing_is_ranked_as_nothing(void **state)
{
    (void)state;
    gw_score_rank(NULL, 0, NULL, NULL);
}

GW_TESTS(order_equals_qsort_for_any_bits, equal_scores_keep_their_order, zeros_of_both_signs_are_equal,
         nan_comes_last_whatever_its_sign, nothing_is_ranked_as_nothing)
