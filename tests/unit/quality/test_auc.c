// SPDX-License-Identifier: MIT
#include "base/mem.h"
#include "base/rng.h"
#include "quality/auc.h"
#include "support/testkit.h"

#include <math.h>

static double auc_of(const double *scores, const bool *labels, const double *weights, size_t count)
{
    double auc = -1.0;
    assert_ok(gw_quality_auc(scores, labels, weights, count, &auc, NULL));
    return auc;
}

static void order_decides(void **state)
{
    (void)state;
    static const double scores[] = {-INFINITY, 0.2, 0.3, INFINITY};
    static const bool right[] = {false, false, true, true};
    static const bool wrong[] = {true, true, false, false};
    static const bool mixed[] = {false, true, false, true};
    assert_true(auc_of(scores, right, NULL, 4) == 1.0);
    assert_true(auc_of(scores, wrong, NULL, 4) == 0.0);
    assert_true(auc_of(scores, mixed, NULL, 4) == 0.75);
}

static void ties_count_half(void **state)
{
    (void)state;
    static const double same[] = {0.5, 0.5, 0.5, 0.5, 0.5};
    static const bool labels[] = {true, false, false, true, false};
    static const double zeros[] = {0.0, -0.0};
    static const bool two[] = {true, false};
    static const double some[] = {1.0, 1.0, 2.0};
    static const bool three[] = {true, false, true};
    assert_true(auc_of(same, labels, NULL, 5) == 0.5);
    assert_true(auc_of(zeros, two, NULL, 2) == 0.5);
    assert_true(auc_of(some, three, NULL, 3) == 0.75);
}

static void one_class_has_no_auc(void **state)
{
    (void)state;
    static const double scores[] = {1.0, 2.0};
    static const bool positives[] = {true, true};
    static const bool both[] = {true, false};
    static const double none[] = {1.0, 0.0};
    assert_true(isnan(auc_of(scores, positives, NULL, 2)));
    assert_true(isnan(auc_of(scores, both, none, 2)));
    assert_true(isnan(auc_of(NULL, NULL, NULL, 0)));
}

static void equals_the_count_of_pairs_on_random_data(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    struct gw_rng rng;
    double scores[COUNT];
    double weights[COUNT];
    bool labels[COUNT];
    gw_rng_init(&rng, 99);
    for (int round = 0; round < 20; round++) {
        double won = 0.0;
        double pairs = 0.0;
        for (int i = 0; i < COUNT; i++) {
            scores[i] = (double)gw_rng_below(&rng, 40);
            labels[i] = gw_rng_below(&rng, 4) == 0;
            weights[i] = (double)gw_rng_below(&rng, 3);
        }
        for (int i = 0; i < COUNT; i++) {
            for (int j = 0; j < COUNT; j++) {
                if (labels[i] && !labels[j]) {
                    double weight = weights[i] * weights[j];
                    pairs += weight;
                    won += scores[i] > scores[j] ? weight : scores[i] == scores[j] ? weight / 2.0 : 0.0;
                }
            }
        }
        assert_true(fabs(auc_of(scores, labels, weights, COUNT) - won / pairs) < 1e-12);
    }
}

static void expected_auc_is_the_mean_over_drawn_labels(void **state)
{
    (void)state;
    enum { COUNT = 4000 };
    struct gw_rng rng;
    static double truth[COUNT];
    static bool labels[COUNT];
    double expected = 0.0;
    double sum = 0.0;
    gw_rng_init(&rng, 4);
    for (int i = 0; i < COUNT; i++) {
        truth[i] = gw_rng_double(&rng) * 0.5;
    }
    assert_ok(gw_quality_expected_auc(truth, truth, COUNT, &expected, NULL));
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < COUNT; i++) {
            labels[i] = gw_rng_double(&rng) < truth[i];
        }
        sum += auc_of(truth, labels, NULL, COUNT);
    }
    assert_true(fabs(sum / 50.0 - expected) < 0.005);
}

static void what_is_no_number_is_refused(void **state)
{
    (void)state;
    static const double nan_score[] = {1.0, (double)NAN};
    static const double fine[] = {0.5, 0.25};
    static const double bad[][2] = {{1.0, -1.0}, {(double)NAN, 1.0}, {(double)INFINITY, 1.0}};
    static const bool labels[] = {true, false};
    double auc = 7.0;
    assert_fails(gw_quality_auc(nan_score, labels, NULL, 2, &auc, NULL), GW_E_INVALID);
    for (size_t i = 0; i < GW_COUNT_OF(bad); i++) {
        assert_fails(gw_quality_auc(fine, labels, bad[i], 2, &auc, NULL), GW_E_INVALID);
        assert_fails(gw_quality_expected_auc(fine, bad[i], 2, &auc, NULL), GW_E_INVALID);
    }
    assert_true(auc == 7.0);
}

static void out_of_memory_is_a_status(void **state)
{
    (void)state;
    static const double scores[] = {0.5, 0.25};
    static const bool labels[] = {true, false};
    double auc = 7.0;
    gw_mem_fail_nth(1);
    assert_fails(gw_quality_auc(scores, labels, NULL, 2, &auc, NULL), GW_E_MEMORY);
    gw_mem_fail_nth(1);
    assert_fails(gw_quality_expected_auc(scores, scores, 2, &auc, NULL), GW_E_MEMORY);
    gw_mem_fail_nth(0);
}

GW_TESTS(order_decides, ties_count_half, one_class_has_no_auc, equals_the_count_of_pairs_on_random_data,
         expected_auc_is_the_mean_over_drawn_labels, what_is_no_number_is_refused, out_of_memory_is_a_status)
