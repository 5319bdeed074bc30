// SPDX-License-Identifier: MIT
#include "support/testkit.h"
#include "train/measure.h"

#include <math.h>

static void assert_near(double found, double expected)
{
    if (!(fabs(found - expected) < 1e-9)) {
        print_error("%.12g, expected %.12g\n", found, expected);
        fail();
    }
}

static struct gw_measure measure(const float *margins, const float *labels, const float *weights, size_t count)
{
    struct gw_measure result = {0};
    assert_ok(gw_measure_all(margins, labels, weights, count, &result, NULL));
    return result;
}

// Pairs of a positive and a negative: (2,1) (2,0) (1,0) won, (1,1) tied.
static void ties_count_half_in_the_auc(void **state)
{
    (void)state;
    const float margins[] = {2, 1, 1, 0};
    const float labels[] = {1, 1, 0, 0};
    const float weights[] = {1, 1, 1, 1};
    assert_near(measure(margins, labels, weights, 4).auc, 3.5 / 4);
}

static void a_weight_of_two_is_an_example_twice(void **state)
{
    (void)state;
    const float once_margins[] = {0.5f, -1, 0.25f, 0.5f};
    const float once_labels[] = {1, 0, 0, 0};
    const float once_weights[] = {1, 2, 1, 1};
    const float twice_margins[] = {0.5f, -1, -1, 0.25f, 0.5f};
    const float twice_labels[] = {1, 0, 0, 0, 0};
    const float twice_weights[] = {1, 1, 1, 1, 1};
    struct gw_measure once = measure(once_margins, once_labels, once_weights, 4);
    struct gw_measure twice = measure(twice_margins, twice_labels, twice_weights, 5);
    assert_near(once.auc, twice.auc);
    assert_near(once.log_loss, twice.log_loss);
    assert_near(once.normalised_entropy, twice.normalised_entropy);
    assert_near(once.calibration_ratio, twice.calibration_ratio);
    assert_near(once.weight_sum, 5);
}

static void predicting_the_rate_has_normalised_entropy_one(void **state)
{
    (void)state;
    const float margin = logf(1.0f / 3); // probability 1/4
    const float margins[] = {margin, margin, margin, margin};
    const float labels[] = {1, 0, 0, 0};
    const float weights[] = {1, 1, 1, 1};
    struct gw_measure found = measure(margins, labels, weights, 4);
    assert_true(fabs(found.normalised_entropy - 1) < 1e-6);
    assert_true(fabs(found.calibration_ratio - 1) < 1e-6);
    assert_near(found.auc, 0.5);
}

static void huge_margins_give_a_finite_loss(void **state)
{
    (void)state;
    const float margins[] = {1000, -1000};
    const float labels[] = {0, 0};
    const float weights[] = {1, 1};
    assert_near(gw_measure_log_loss(margins, labels, weights, 2), 500);
}

static void one_class_has_neither_auc_nor_entropy(void **state)
{
    (void)state;
    const float margins[] = {1, 2};
    const float labels[] = {1, 1};
    const float weights[] = {1, 1};
    struct gw_measure found = measure(margins, labels, weights, 2);
    assert_true(isnan(found.auc));
    assert_true(isnan(found.normalised_entropy));
    assert_true(isfinite(found.log_loss));
}

GW_TESTS(ties_count_half_in_the_auc, a_weight_of_two_is_an_example_twice,
         predicting_the_rate_has_normalised_entropy_one, huge_margins_give_a_finite_loss,
         one_class_has_neither_auc_nor_entropy)
