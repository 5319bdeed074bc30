// SPDX-License-Identifier: MIT
#include "drift/profile.h"
#include "support/testkit.h"
#include "unit/drift/sim.h"

#include <string.h>

enum { ROWS = 2000, FEATURES = 4 };

static const char *const names[FEATURES] = {"normal", "category", "holes", "constant"};
static const char *const heads[1] = {"is_favorited"};

// A normal, one of 5 categories, a normal with 20 % missing, a constant; scores, and labels that follow them.
struct example {
    float values[ROWS * FEATURES];
    float scores[ROWS];
    uint8_t labels[ROWS];
    struct gw_drift_rows rows;
};

static void draw(struct example *example)
{
    struct gw_rng rng;
    gw_rng_init(&rng, 11);
    for (size_t i = 0; i < ROWS; i++) {
        float *row = example->values + i * FEATURES;
        row[0] = (float)gw_rng_normal(&rng);
        row[1] = (float)gw_rng_below(&rng, 5);
        row[2] = i % 5 == 0 ? NAN : (float)gw_rng_normal(&rng);
        row[3] = 7.0f;
        example->scores[i] = (float)gw_rng_double(&rng);
        example->labels[i] = gw_rng_double(&rng) < (double)example->scores[i] ? 1 : 0;
    }
    example->rows = (struct gw_drift_rows){.values = example->values,
                                           .row_count = ROWS,
                                           .feature_count = FEATURES,
                                           .names = names,
                                           .score_count = ROWS,
                                           .labelled_count = ROWS,
                                           .scores = example->scores,
                                           .probabilities = example->scores,
                                           .labels = example->labels,
                                           .head_count = 1,
                                           .head_names = heads};
}

static const struct gw_drift_build_options independent = {.independent = true};

static struct gw_drift_profile *build(const struct gw_drift_rows *rows)
{
    struct gw_drift_profile *profile = NULL;
    gw_err err = {0};
    assert_ok_err(gw_drift_profile_build(rows, &independent, &profile, &err), &err);
    return profile;
}

static void bins_have_equal_mass_and_rare_rows_a_share(void **state)
{
    (void)state;
    struct example example;
    draw(&example);
    struct gw_drift_profile *profile = build(&example.rows);
    const struct gw_drift_feature *normal = &profile->features[0];
    const struct gw_drift_feature *category = &profile->features[1];
    const struct gw_drift_feature *holes = &profile->features[2];
    assert_int_equal(normal->kind, GW_DRIFT_NUMERIC);
    assert_int_equal(normal->bin_count, 31);
    for (uint32_t b = 0; b < normal->bin_count; b++) {
        assert_true(fabs(normal->share[b] - 1.0 / 31) < 1.0 / ROWS);
    }
    assert_true(fabs(normal->share[31] - 1.0 / (ROWS + 1)) < 1e-12); // never missing
    assert_true(fabs(normal->share[32] - 1.0 / (ROWS + 1)) < 1e-12); // never unseen
    assert_int_equal(category->kind, GW_DRIFT_CATEGORICAL);
    assert_int_equal(category->bin_count, 5);
    assert_true(fabs(holes->share[holes->bin_count] - 0.2) < 1e-3);
    assert_int_equal(profile->features[3].bin_count, 1);
    assert_int_equal(profile->score->bin_count, ROWS / GW_DRIFT_BIN_ROWS_MIN);
    gw_drift_profile_free(profile);
}

// What few rows have shown is no bin: rare categories are unseen, rare tails stay with their neighbours.
static void no_bin_has_few_rows(void **state)
{
    (void)state;
    enum { COUNT = 4000, STREAMS = 3 };
    static float values[COUNT * STREAMS];
    static const char *const three[] = {"flag", "tail", "ids"};
    for (size_t i = 0; i < COUNT; i++) {
        values[STREAMS * i] = i % 400 == 7 ? 1.0f : 0.0f;               // 10 rows of 4,000
        values[STREAMS * i + 1] = i % 40 == 0 ? (float)(i + 1) : 0.0f;  // 100 values beside zero
        values[STREAMS * i + 2] = (float)(i % 4 == 0 ? i % 30 : i % 2); // mostly two, the rest rare
    }
    const struct gw_drift_rows rows = {.values = values, .row_count = COUNT, .feature_count = 3, .names = three};
    struct gw_drift_profile *profile = build(&rows);
    const struct gw_drift_feature *flag = &profile->features[0];
    assert_int_equal(flag->kind, GW_DRIFT_CATEGORICAL);
    assert_int_equal(flag->bin_count, 1);
    assert_int_equal(gw_drift_feature_row(flag, 1.0f), 2);
    assert_true(fabs(flag->share[2] - 10.0 / COUNT) < 1e-5);
    assert_true((double)flag->inverse[2] < 0.5 / flag->share[2]); // as much as ten rows leave open
    for (int f = 0; f < STREAMS; f++) {
        const struct gw_drift_feature *feature = &profile->features[f];
        for (uint32_t b = 0; b < feature->bin_count; b++) {
            assert_true(feature->share[b] * COUNT > GW_DRIFT_BIN_ROWS_MIN - 0.5);
        }
    }
    assert_int_equal(profile->features[1].kind, GW_DRIFT_NUMERIC);
    assert_int_equal(profile->features[1].bin_count, 4);
    gw_drift_profile_free(profile);

    // So rare a value that its score is far out: the profile is read again as it was written.
    static float rare[1000000];
    for (size_t i = 0; i < GW_COUNT_OF(rare); i++) {
        rare[i] = i % 30000 == 0 ? 1.0f : 0.0f;
    }
    const struct gw_drift_rows many = {
        .values = rare, .row_count = GW_COUNT_OF(rare), .feature_count = 1, .names = three};
    struct gw_drift_profile *read = NULL;
    struct gw_buf bytes = {0};
    assert_ok(gw_drift_profile_build(&many, &(struct gw_drift_build_options){.independent = true}, &profile, NULL));
    assert_int_equal(profile->features[0].bin_count, 2);
    assert_true(profile->features[0].z[1] > 100.0f);
    assert_ok(gw_drift_profile_write(profile, &bytes, NULL));
    assert_ok(gw_drift_profile_read(gw_buf_slice(&bytes), &read, NULL));
    gw_buf_deinit(&bytes);
    gw_drift_profile_free(read);
    gw_drift_profile_free(profile);
}

static void values_find_their_bins(void **state)
{
    (void)state;
    struct example example;
    draw(&example);
    struct gw_drift_profile *profile = build(&example.rows);
    const struct gw_drift_feature *normal = &profile->features[0];
    const struct gw_drift_feature *category = &profile->features[1];
    assert_int_equal(gw_drift_feature_row(normal, -1e30f), 0);
    assert_int_equal(gw_drift_feature_row(normal, normal->edges[4]), 4); // upper ends belong to their bin
    assert_int_equal(gw_drift_feature_row(normal, nextafterf(normal->edges[4], INFINITY)), 5);
    assert_int_equal(gw_drift_feature_row(normal, 1e30f), 30);
    assert_int_equal(gw_drift_feature_row(normal, NAN), 31);
    assert_int_equal(gw_drift_feature_row(normal, INFINITY), 32);
    assert_int_equal(gw_drift_feature_row(normal, -INFINITY), 32);
    assert_int_equal(gw_drift_feature_row(category, 3.0f), 3);
    assert_int_equal(gw_drift_feature_row(category, 2.5f), 6);
    assert_int_equal(gw_drift_feature_row(category, 5.0f), 6);
    assert_int_equal(gw_drift_feature_row(category, -1.0f), 6);
    assert_int_equal(gw_drift_feature_row(category, NAN), 5);
    gw_drift_profile_free(profile);
}

static void no_lane_has_a_mean_over_one_and_scores_are_standard(void **state)
{
    (void)state;
    struct example example;
    draw(&example);
    struct gw_drift_profile *profile = build(&example.rows);
    for (uint32_t f = 0; f <= FEATURES; f++) { // the score is last
        const struct gw_drift_feature *feature = &profile->features[f];
        double finite = 0.0;
        double mean = 0.0;
        double square = 0.0;
        for (uint32_t b = 0; b < feature->bin_count; b++) {
            finite += feature->share[b];
            mean += feature->share[b] * (double)feature->z[b];
            square += feature->share[b] * (double)feature->z[b] * (double)feature->z[b];
        }
        assert_true(fabs(mean / finite) < 1e-6);
        assert_true(feature->bin_count == 1 || fabs(square / finite - 1.0) < 1e-5);
        for (size_t j = 0; j < GW_DRIFT_LANES; j++) {
            double of_lane = 0.0;
            for (uint32_t b = 0; b < feature->row_count; b++) {
                of_lane += feature->share[b] * (double)feature->tilt[b].lane[j];
            }
            assert_true(of_lane <= 1.0 + 1e-12 && of_lane > 0.9);
        }
    }
    gw_drift_profile_free(profile);
}

static void dependence_of_ar1_is_estimated(void **state)
{
    (void)state;
    struct sim_source source = {.rho = 0.5};
    gw_rng_init(&source.rng, 3);
    struct gw_drift_profile *profile = sim_drawn(source, 100000, 0.0);
    const struct gw_drift_feature *feature = &profile->features[0];
    assert_true(feature->tau_location > 2.4 && feature->tau_location < 3.4); // (1 + rho) / (1 - rho) = 3
    assert_true(feature->tau_spread > 1.3 && feature->tau_spread < 2.1);     // (1 + rho^2) / (1 - rho^2) = 1.67
    assert_true(feature->tau_absence == 1.0);
    assert_true(fabs(feature->tolerance - 2.807 * sqrt(feature->tau_location / 100000)) < 1e-6);
    gw_drift_profile_free(profile);

    source.rho = 0.0;
    profile = sim_drawn(source, 100000, 0.0);
    assert_true(profile->features[0].tau_location < 1.25);
    gw_drift_profile_free(profile);
}

static void bytes_read_back_to_the_same_bytes(void **state)
{
    (void)state;
    struct example example;
    draw(&example);
    struct gw_drift_profile *first = build(&example.rows);
    struct gw_drift_profile *second = build(&example.rows);
    struct gw_drift_profile *read = NULL;
    struct gw_buf bytes = {0};
    struct gw_buf twin = {0};
    struct gw_buf again = {0};
    gw_err err = {0};
    assert_ok(gw_drift_profile_write(first, &bytes, NULL));
    assert_ok(gw_drift_profile_write(second, &twin, NULL));
    assert_true(gw_slice_equal(gw_buf_slice(&bytes), gw_buf_slice(&twin)));
    assert_ok_err(gw_drift_profile_read(gw_buf_slice(&bytes), &read, &err), &err);
    assert_ok(gw_drift_profile_write(read, &again, NULL));
    assert_true(gw_slice_equal(gw_buf_slice(&bytes), gw_buf_slice(&again)));
    assert_true(read->fingerprint == first->fingerprint);
    gw_buf_deinit(&bytes);
    gw_buf_deinit(&twin);
    gw_buf_deinit(&again);
    gw_drift_profile_free(first);
    gw_drift_profile_free(second);
    gw_drift_profile_free(read);
}

static void every_cut_of_the_bytes_is_refused(void **state)
{
    (void)state;
    struct example example;
    draw(&example);
    struct gw_drift_profile *profile = build(&example.rows);
    struct gw_drift_profile *read = NULL;
    struct gw_buf bytes = {0};
    assert_ok(gw_drift_profile_write(profile, &bytes, NULL));
    for (size_t size = 0; size < bytes.size; size += size < 64 ? 1 : 97) {
        assert_fails(gw_drift_profile_read(gw_slice_make(bytes.data, size), &read, NULL), GW_E_MALFORMED);
    }
    assert_ok(gw_buf_append(&bytes, "", 1));
    assert_fails(gw_drift_profile_read(gw_buf_slice(&bytes), &read, NULL), GW_E_MALFORMED);
    assert_null(read);
    gw_buf_deinit(&bytes);
    gw_drift_profile_free(profile);
}

static void a_lane_that_would_raise_false_alarms_is_refused(void **state)
{
    (void)state;
    struct example example;
    draw(&example);
    struct gw_drift_profile *profile = build(&example.rows);
    struct gw_drift_profile *read = NULL;
    struct gw_buf bytes = {0};
    gw_err err = {0};
    profile->features[0].tilt[7].lane[3] *= 1.5f;
    assert_ok(gw_drift_profile_write(profile, &bytes, NULL));
    assert_fails(gw_drift_profile_read(gw_buf_slice(&bytes), &read, &err), GW_E_MALFORMED);
    assert_string_equal(err.message, "drift profile, 'normal': a lane would raise false alarms");
    gw_buf_deinit(&bytes);
    gw_drift_profile_free(profile);
}

static void bad_rows_are_refused_by_name(void **state)
{
    (void)state;
    struct example example;
    draw(&example);
    struct gw_drift_profile *profile = NULL;
    example.rows.row_count = GW_DRIFT_ROWS_MIN - 1;
    assert_fails(gw_drift_profile_build(&example.rows, &independent, &profile, NULL), GW_E_INVALID);
    example.rows.row_count = ROWS;
    example.scores[5] = 1.5f;
    gw_err err = {0};
    assert_fails(gw_drift_profile_build(&example.rows, &independent, &profile, &err), GW_E_INVALID);
    assert_non_null(strstr(err.message, "'is_favorited', row 5"));
    example.scores[5] = 0.5f;
    const char *const unnamed[FEATURES] = {"a", "", "c", "d"};
    example.rows.names = unnamed;
    assert_fails(gw_drift_profile_build(&example.rows, &independent, &profile, NULL), GW_E_INVALID);
    assert_fails(
        gw_drift_profile_build(&example.rows, &(struct gw_drift_build_options){.tolerance_min = NAN}, &profile, NULL),
        GW_E_INVALID);
    assert_null(profile);
}

static void features_of_nothing_or_of_infinities_have_a_profile(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    float values[COUNT * 2];
    static const char *const two[] = {"never", "beyond"};
    for (size_t i = 0; i < COUNT; i++) {
        values[2 * i] = NAN;
        values[2 * i + 1] = i % 2 == 0 ? INFINITY : -INFINITY;
    }
    const struct gw_drift_rows rows = {.values = values, .row_count = COUNT, .feature_count = 2, .names = two};
    struct gw_drift_profile *profile = build(&rows);
    assert_int_equal(profile->features[0].bin_count, 0);
    assert_int_equal(gw_drift_feature_row(&profile->features[0], 1.0f), 1); // unseen
    assert_int_equal(gw_drift_feature_row(&profile->features[0], NAN), 0);
    assert_true(profile->features[0].share[0] > 0.99);
    assert_true(profile->features[1].share[1] > 0.99);
    struct gw_buf bytes = {0};
    struct gw_drift_profile *read = NULL;
    assert_ok(gw_drift_profile_write(profile, &bytes, NULL));
    assert_ok(gw_drift_profile_read(gw_buf_slice(&bytes), &read, NULL));
    gw_buf_deinit(&bytes);
    gw_drift_profile_free(read);
    gw_drift_profile_free(profile);
}

static void every_failed_allocation_is_a_status(void **state)
{
    (void)state;
    struct example example;
    draw(&example);
    gw_status status = GW_E_MEMORY;
    unsigned long n = 0;
    while (status == GW_E_MEMORY) {
        struct gw_drift_profile *profile = NULL;
        gw_mem_fail_nth(++n);
        status = gw_drift_profile_build(&example.rows, &independent, &profile, NULL);
        gw_mem_fail_nth(0);
        assert_true(status == GW_OK || profile == NULL);
        gw_drift_profile_free(profile);
    }
    assert_ok(status);
    assert_true(n > 8);
}

GW_TESTS(bins_have_equal_mass_and_rare_rows_a_share, no_bin_has_few_rows, values_find_their_bins,
         no_lane_has_a_mean_over_one_and_scores_are_standard, dependence_of_ar1_is_estimated,
         bytes_read_back_to_the_same_bytes, every_cut_of_the_bytes_is_refused,
         a_lane_that_would_raise_false_alarms_is_refused, bad_rows_are_refused_by_name,
         features_of_nothing_or_of_infinities_have_a_profile, every_failed_allocation_is_a_status)
