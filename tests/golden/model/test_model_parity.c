// SPDX-License-Identifier: MIT
// The scorer against XGBoost itself, on models that XGBoost has just trained: every margin and probability must have
// the same bits. Rows are random, with missing values, infinities, values equal to thresholds and next to them.
#include "base/mem.h"
#include "base/rng.h"
#include "model/calibration.h"
#include "model/forest.h"
#include "model/plan.h"
#include "model/xgboost.h"
#include "support/testkit.h"
#include "train/booster.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TRAIN_ROWS 2000
#define TEST_ROWS  20000
#define COLUMNS    12
#define SEED       20240601u

struct setting {
    int trees;
    const char *depth;
    const char *base_score; // NULL: XGBoost's own choice
    const char *objective;
};

static float random_value(struct gw_rng *rng)
{
    switch (gw_rng_below(rng, 16)) {
    case 0:
        return NAN;
    case 1:
        return 0.0f;
    case 2:
        return -0.0f;
    case 3:
        return (float)gw_rng_below(rng, 5);
    default:
        return (float)gw_rng_normal(rng);
    }
}

static void train(const struct setting *setting, struct gw_booster **ret_booster)
{
    struct gw_rng rng;
    gw_rng_init(&rng, SEED);
    float *rows = gw_mem_calloc(TRAIN_ROWS * COLUMNS, sizeof *rows);
    float *labels = gw_mem_calloc(TRAIN_ROWS, sizeof *labels);
    assert_true(rows != NULL && labels != NULL);
    for (size_t r = 0; r < TRAIN_ROWS; r++) {
        float *row = rows + r * COLUMNS;
        for (size_t c = 0; c < COLUMNS; c++) {
            row[c] = random_value(&rng);
        }
        float signal = (isnan(row[0]) ? 1.0f : row[0]) * (isnan(row[1]) ? -1.0f : row[1]) + row[2] * 0.0f;
        labels[r] = (isnan(signal) ? 0.3f : signal) + (float)gw_rng_normal(&rng) * 0.5f > 0.2f ? 1.0f : 0.0f;
    }
    const struct gw_matrix_data data = {
        .rows = rows, .row_count = TRAIN_ROWS, .column_count = COLUMNS, .labels = labels};
    struct gw_matrix *matrix = NULL;
    gw_err err = {0};
    assert_ok_err(gw_matrix_new(&data, &matrix, &err), &err);
    const struct gw_booster_param params[] = {{"objective", setting->objective},
                                              {"max_depth", setting->depth},
                                              {"tree_method", "hist"},
                                              {"min_child_weight", "0.1"},
                                              {"nthread", "1"},
                                              {"base_score", setting->base_score}};
    size_t param_count = GW_COUNT_OF(params) - (setting->base_score == NULL ? 1 : 0);
    assert_ok_err(gw_booster_new(&matrix, 1, params, param_count, ret_booster, &err), &err);
    for (int t = 0; t < setting->trees; t++) {
        assert_ok_err(gw_booster_update(*ret_booster, t, matrix, &err), &err);
    }
    // The booster's cache refers to the matrix no more once it is saved and loaded.
    GW_CLEANUP(gw_buf_deinit) struct gw_buf json = {0};
    assert_ok_err(gw_booster_save(*ret_booster, &json, &err), &err);
    gw_booster_free(*ret_booster);
    gw_matrix_free(matrix);
    assert_ok_err(gw_booster_load(gw_buf_slice(&json), ret_booster, &err), &err);
    gw_mem_free(rows);
    gw_mem_free(labels);
}

// A threshold of a random node that splits by `column`, or any value.
static float threshold_of(struct gw_rng *rng, const struct gw_forest *forest, uint32_t column)
{
    uint32_t start = (uint32_t)gw_rng_below(rng, forest->node_count);
    for (uint32_t i = 0; i < forest->node_count; i++) {
        const struct gw_forest_node *node = &forest->nodes[(start + i) % forest->node_count];
        if (node->left != 0 && node->feature == column) {
            return node->value;
        }
    }
    return 0.5f;
}

static void fill_test_rows(const struct gw_forest *forest, float *rows)
{
    struct gw_rng rng;
    gw_rng_init(&rng, SEED + 1);
    for (size_t i = 0; i < (size_t)TEST_ROWS * COLUMNS; i++) {
        uint32_t column = (uint32_t)(i % COLUMNS);
        switch (gw_rng_below(&rng, 10)) {
        case 0:
            rows[i] = INFINITY;
            break;
        case 1:
            rows[i] = -INFINITY;
            break;
        case 2:
            rows[i] = threshold_of(&rng, forest, column);
            break;
        case 3:
            rows[i] = nextafterf(threshold_of(&rng, forest, column), -INFINITY);
            break;
        case 4:
            rows[i] = nextafterf(threshold_of(&rng, forest, column), INFINITY);
            break;
        default:
            rows[i] = random_value(&rng);
        }
    }
    for (size_t c = 0; c < COLUMNS; c++) {
        rows[c] = NAN;
        rows[COLUMNS + c] = INFINITY;
        rows[2 * COLUMNS + c] = -INFINITY;
    }
}

static void assert_same_bits(const float *found, const float *expected, size_t count, const char *what)
{
    for (size_t i = 0; i < count; i++) {
        if (memcmp(&found[i], &expected[i], sizeof(float)) != 0) {
            print_error("%s: row %zu: %a, xgboost %a (seed %u)\n", what, i, (double)found[i], (double)expected[i],
                        SEED);
            fail();
        }
    }
}

static void compare(const struct setting *setting)
{
    struct gw_booster *booster = NULL;
    struct gw_forest *forest = NULL;
    struct gw_plan *plan = NULL;
    gw_err err = {0};
    uint32_t columns[COLUMNS];
    for (uint32_t c = 0; c < COLUMNS; c++) {
        columns[c] = c;
    }
    train(setting, &booster);
    GW_CLEANUP(gw_buf_deinit) struct gw_buf json = {0};
    assert_ok_err(gw_booster_save(booster, &json, &err), &err);
    assert_ok_err(gw_xgboost_parse(gw_buf_slice(&json), &forest, &err), &err);
    assert_int_equal(forest->tree_count, setting->trees);
    assert_ok_err(gw_plan_new(&forest, 1, columns, COLUMNS, &plan, &err), &err);

    float *rows = gw_mem_calloc((size_t)TEST_ROWS * COLUMNS, sizeof *rows);
    float *expected = gw_mem_calloc(TEST_ROWS, sizeof *expected);
    float *found = gw_mem_calloc(TEST_ROWS, sizeof *found);
    assert_true(rows != NULL && expected != NULL && found != NULL);
    fill_test_rows(forest, rows);
    assert_ok_err(gw_booster_predict(booster, rows, TEST_ROWS, COLUMNS, GW_BOOSTER_MARGIN, expected, &err), &err);
    gw_plan_margins(plan, rows, COLUMNS, TEST_ROWS, found);
    assert_same_bits(found, expected, TEST_ROWS, "plan");
    for (size_t r = 0; r < TEST_ROWS; r++) {
        found[r] = gw_forest_margin(forest, rows + r * COLUMNS);
    }
    assert_same_bits(found, expected, TEST_ROWS, "walk");

    const struct gw_calibration identity = {.negative_rate = 1};
    for (size_t r = 0; r < TEST_ROWS; r++) {
        found[r] = gw_calibration_apply(&identity, forest->objective, expected[r]);
    }
    assert_ok_err(gw_booster_predict(booster, rows, TEST_ROWS, COLUMNS, GW_BOOSTER_VALUE, expected, &err), &err);
    assert_same_bits(found, expected, TEST_ROWS, "probability");

    gw_mem_free(rows);
    gw_mem_free(expected);
    gw_mem_free(found);
    gw_plan_free(plan);
    gw_forest_free(forest);
    gw_booster_free(booster);
}

static void margins_equal_xgboost_at_every_depth(void **state)
{
    (void)state;
    static const char *const depths[] = {"1", "2", "3", "4", "5", "6", "7", "8"};
    for (size_t d = 0; d < GW_COUNT_OF(depths); d++) {
        compare(
            &(struct setting){.trees = 11, .depth = depths[d], .base_score = "0.5", .objective = "binary:logistic"});
    }
}

static void margins_equal_xgboost_for_deep_trees(void **state)
{
    (void)state;
    compare(&(struct setting){.trees = 9, .depth = "14", .base_score = "0.01", .objective = "binary:logistic"});
}

static void margins_equal_xgboost_for_one_and_for_many_trees(void **state)
{
    (void)state;
    compare(&(struct setting){.trees = 1, .depth = "6", .base_score = "0.01", .objective = "binary:logistic"});
    compare(&(struct setting){.trees = 200, .depth = "6", .base_score = "0.01", .objective = "binary:logistic"});
    compare(&(struct setting){.trees = 60, .depth = "4", .base_score = NULL, .objective = "binary:logistic"});
}

static void margins_equal_xgboost_for_regression(void **state)
{
    (void)state;
    compare(&(struct setting){.trees = 20, .depth = "5", .base_score = "0.25", .objective = "reg:squarederror"});
    compare(&(struct setting){.trees = 20, .depth = "5", .base_score = "0.3", .objective = "reg:logistic"});
}

GW_TESTS(margins_equal_xgboost_at_every_depth, margins_equal_xgboost_for_deep_trees,
         margins_equal_xgboost_for_one_and_for_many_trees, margins_equal_xgboost_for_regression)
