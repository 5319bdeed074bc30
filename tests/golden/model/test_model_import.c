// SPDX-License-Identifier: MIT
// Model files that LightGBM and XGBoost have written (make_fixtures.py), scored on rows of which they said the margins:
// missing values, infinities, zeros of every kind, values at thresholds and next to them.
#include "base/ini.h"
#include "base/mem.h"
#include "model/model_file.h"
#include "model/plan.h"
#include "support/testkit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIXTURES GW_SOURCE_DIR "/tests/golden/model/fixtures/"
#define WIDTH    4
#define ROWS_MAX 1000

// What the library said: features, then the raw score.
struct rows {
    size_t count;
    float features[ROWS_MAX * WIDTH];
    double scores[ROWS_MAX];
};

static char *read_file(const char *name, size_t *ret_size)
{
    char path[512];
    char *text = NULL;
    gw_err err = {0};
    snprintf(path, sizeof path, FIXTURES "%s", name);
    assert_ok_err(gw_file_read(path, 1 << 20, &text, ret_size, &err), &err);
    return text;
}

static struct gw_forest *load(const char *name)
{
    struct gw_forest *forest = NULL;
    size_t size = 0;
    char *text = read_file(name, &size);
    gw_err err = {0};
    assert_ok_err(gw_model_parse(gw_slice_make(text, size), &forest, &err), &err);
    gw_mem_free(text);
    return forest;
}

static struct rows *load_rows(const char *name)
{
    struct rows *rows = gw_mem_calloc(1, sizeof *rows);
    size_t size = 0;
    char *text = read_file(name, &size);
    assert_non_null(rows);
    for (char *at = text; *at != '\0';) {
        assert_true(rows->count < ROWS_MAX);
        for (size_t f = 0; f < WIDTH; f++) {
            rows->features[rows->count * WIDTH + f] = strtof(at, &at);
        }
        rows->scores[rows->count++] = strtod(at, &at);
        at += strspn(at, "\n");
    }
    gw_mem_free(text);
    assert_true(rows->count >= 100);
    return rows;
}

// Sum of the sizes of the leaves that a row reaches.
static double leaf_size_of(const struct gw_forest *forest, const float *row)
{
    double size = 0;
    for (uint32_t t = 0; t < forest->tree_count; t++) {
        const struct gw_forest_node *nodes = forest->nodes + forest->trees[t].first_node;
        uint32_t at = 0;
        while (nodes[at].left != 0) {
            float x = row[nodes[at].feature];
            at = nodes[at].left + ((isnan(x) ? nodes[at].default_left != 0 : x < nodes[at].value) ? 0 : 1);
        }
        size += fabs((double)nodes[at].value);
    }
    return size;
}

// By the bound that lightgbm.h states.
static void margins_are_lightgbms(const char *name, double sigmoid)
{
    char file[64];
    snprintf(file, sizeof file, "%s.txt", name);
    struct gw_forest *forest = load(file);
    snprintf(file, sizeof file, "%s.rows", name);
    struct rows *rows = load_rows(file);
    struct gw_plan *plan = NULL;
    const uint32_t columns[WIDTH] = {0, 1, 2, 3};
    float margins[ROWS_MAX];
    assert_int_equal(forest->feature_count, WIDTH);
    assert_ok(gw_plan_new(&forest, 1, columns, WIDTH, &plan, NULL));
    gw_plan_margins(plan, rows->features, WIDTH, rows->count, margins);
    for (size_t r = 0; r < rows->count; r++) {
        const float *row = rows->features + r * WIDTH;
        double tolerance = (forest->tree_count + 1) * 0x1p-24 * leaf_size_of(forest, row);
        double expected = rows->scores[r] * sigmoid;
        if (!(fabs((double)margins[r] - expected) <= tolerance)) {
            print_error("%s: row %zu: %.9g, lightgbm %.17g, tolerance %g\n", name, r, (double)margins[r], expected,
                        tolerance);
            fail();
        }
        float walked = gw_forest_margin(forest, row);
        assert_memory_equal(&walked, &margins[r], sizeof walked);
    }
    gw_plan_free(plan);
    gw_mem_free(rows);
    gw_forest_free(forest);
}

static void margins_of_lightgbm_are_within_the_stated_bound(void **state)
{
    (void)state;
    margins_are_lightgbms("lightgbm_binary", 1);
    margins_are_lightgbms("lightgbm_no_missing", 1); // missing type none: NaN counts as 0
    margins_are_lightgbms("lightgbm_regression", 1);
    margins_are_lightgbms("lightgbm_dart", 1);
    margins_are_lightgbms("lightgbm_many", 1);
    margins_are_lightgbms("lightgbm_v3", 1);
    margins_are_lightgbms("lightgbm_constant", 1); // one tree of one leaf
}

static void the_sigmoid_parameter_is_part_of_the_margin(void **state)
{
    (void)state;
    margins_are_lightgbms("lightgbm_sigmoid", 0.7);
}

static void thresholds_that_count_as_zero_or_leave_float_range_are_exact(void **state)
{
    (void)state;
    margins_are_lightgbms("lightgbm_tiny", 1);
}

static void missing_type_zero_is_taken_where_it_is_exact(void **state)
{
    (void)state;
    margins_are_lightgbms("lightgbm_zero_exact", 1);
}

static void lightgbm_models_that_are_not_supported_are_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *message;
    } refused[] = {
        {"lightgbm_categorical.txt", "num_cat: 1: categorical splits are not supported"},
        {"lightgbm_linear.txt", "tree 0: is_linear: 1: linear trees are not supported"},
        {"lightgbm_rf.txt", "average_output (boosting rf) is not supported"},
        {"lightgbm_zero.txt", "missing type zero that sends zeros"},
    };
    for (size_t i = 0; i < GW_COUNT_OF(refused); i++) {
        struct gw_forest *forest = NULL;
        size_t size = 0;
        char *text = read_file(refused[i].file, &size);
        gw_err err = {0};
        assert_fails(gw_model_parse(gw_slice_make(text, size), &forest, &err), GW_E_INVALID);
        if (strstr(err.message, refused[i].message) == NULL) {
            print_error("%s: %s\n", refused[i].file, err.message);
            fail();
        }
        gw_mem_free(text);
    }
}

static void json_and_ubjson_of_one_booster_give_the_same_bits(void **state)
{
    (void)state;
    struct gw_forest *text = load("xgboost_pair.json");
    struct gw_forest *binary = load("xgboost_pair.ubj");
    struct rows *rows = load_rows("xgboost_pair.rows");
    assert_int_equal(text->node_count, binary->node_count);
    assert_memory_equal(text->nodes, binary->nodes, text->node_count * sizeof *text->nodes);
    assert_memory_equal(text->trees, binary->trees, text->tree_count * sizeof *text->trees);
    assert_memory_equal(&text->base_margin, &binary->base_margin, sizeof(float));
    assert_int_equal(text->objective, binary->objective);
    assert_string_equal(binary->feature_names[3], "hour");
    for (size_t r = 0; r < rows->count; r++) {
        float expected = (float)rows->scores[r];
        float from_text = gw_forest_margin(text, rows->features + r * WIDTH);
        float from_binary = gw_forest_margin(binary, rows->features + r * WIDTH);
        assert_memory_equal(&from_text, &expected, sizeof expected);
        assert_memory_equal(&from_binary, &expected, sizeof expected);
    }
    gw_mem_free(rows);
    gw_forest_free(binary);
    gw_forest_free(text);
}

GW_TESTS(margins_of_lightgbm_are_within_the_stated_bound, the_sigmoid_parameter_is_part_of_the_margin,
         thresholds_that_count_as_zero_or_leave_float_range_are_exact, missing_type_zero_is_taken_where_it_is_exact,
         lightgbm_models_that_are_not_supported_are_refused_with_the_reason,
         json_and_ubjson_of_one_booster_give_the_same_bits)
