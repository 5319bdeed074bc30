// SPDX-License-Identifier: MIT
// Edits of a small model text. Files that LightGBM wrote, with its margins: tests/golden/model/test_model_import.c.
#include <math.h>

#include "fixture.h"
#include "model/lightgbm.h"

// The first tree: node 0 by likes at 0.5 to node 1 and leaf 2, node 1 by age at 3 to leaves 0 and 1; missing types NaN.
static const char model[] = "tree\n"
                            "version=v4\n"
                            "num_class=1\n"
                            "num_tree_per_iteration=1\n"
                            "label_index=0\n"
                            "max_feature_idx=1\n"
                            "objective=binary sigmoid:1\n"
                            "feature_names=likes age\n"
                            "feature_infos=[0:1] none\n"
                            "tree_sizes=100 100\n"
                            "\n"
                            "Tree=0\n"
                            "num_leaves=3\n"
                            "num_cat=0\n"
                            "split_feature=0 1\n"
                            "split_gain=5 4\n"
                            "threshold=0.5 3\n"
                            "decision_type=10 8\n"
                            "left_child=1 -1\n"
                            "right_child=-3 -2\n"
                            "leaf_value=0.25 -0.5 2\n"
                            "leaf_count=1 1 1\n"
                            "is_linear=0\n"
                            "shrinkage=1\n"
                            "\n"
                            "Tree=1\n"
                            "num_leaves=1\n"
                            "num_cat=0\n"
                            "split_feature=\n"
                            "threshold=\n"
                            "decision_type=\n"
                            "left_child=\n"
                            "right_child=\n"
                            "leaf_value=0.125\n"
                            "\n"
                            "end of trees\n"
                            "\n"
                            "feature_importances:\n"
                            "num_class=7\n";

static struct gw_forest *parse_ok(const char *text)
{
    struct gw_forest *forest = NULL;
    gw_err err = {0};
    assert_ok_err(gw_lightgbm_parse(gw_slice_text(text), &forest, &err), &err);
    return forest;
}

static float margin_of(const struct gw_forest *forest, float likes, float age)
{
    const float row[] = {likes, age};
    return gw_forest_margin(forest, row);
}

static void a_value_at_the_threshold_goes_left(void **state)
{
    (void)state;
    struct gw_forest *forest = parse_ok(model);
    assert_int_equal(forest->tree_count, 2);
    assert_int_equal(forest->objective, GW_OBJECTIVE_BINARY_LOGISTIC);
    assert_string_equal(forest->feature_names[1], "age");
    assert_true(margin_of(forest, 0.5f, 3) == 0.375f);
    assert_true(margin_of(forest, 0.5f, nextafterf(3, 4)) == -0.375f);
    assert_true(margin_of(forest, nextafterf(0.5f, 1), 3) == 2.125f);
    assert_true(margin_of(forest, NAN, 3) == 0.375f);  // default left
    assert_true(margin_of(forest, 0, NAN) == -0.375f); // default right
    assert_true(margin_of(forest, INFINITY, 3) == 2.125f);
    gw_forest_free(forest);
}

static void a_double_threshold_between_floats_is_exact(void **state)
{
    (void)state;
    char *text = replace(model, "threshold=0.5 ", "threshold=0.50000001 "); // next float: 0.50000006
    struct gw_forest *forest = parse_ok(text);
    assert_true(margin_of(forest, 0.5f, 3) == 0.375f);
    assert_true(margin_of(forest, nextafterf(0.5f, 1), 3) == 2.125f);
    gw_forest_free(forest);
    gw_mem_free(text);
}

static void a_missing_value_without_missing_type_counts_as_zero(void **state)
{
    (void)state;
    char *right = replace(model, "decision_type=10 8", "decision_type=0 0");
    char *both = replace(right, "threshold=0.5 3", "threshold=-0.5 3");
    struct gw_forest *forest = parse_ok(right);
    assert_true(margin_of(forest, NAN, NAN) == 0.375f);
    gw_forest_free(forest);
    forest = parse_ok(both);
    assert_true(margin_of(forest, NAN, NAN) == 2.125f);
    gw_forest_free(forest);
    gw_mem_free(both);
    gw_mem_free(right);
}

static void placeholder_names_count_as_no_names(void **state)
{
    (void)state;
    char *text = replace(model, "likes age", "Column_0 Column_1");
    struct gw_forest *forest = parse_ok(text);
    assert_null(forest->feature_names);
    gw_forest_free(forest);
    gw_mem_free(text);
    text = replace(model, "likes age", "Column_0 age");
    forest = parse_ok(text);
    assert_string_equal(forest->feature_names[0], "Column_0");
    gw_forest_free(forest);
    gw_mem_free(text);
}

static void the_sigmoid_parameter_scales_leaves(void **state)
{
    (void)state;
    char *text = replace(model, "sigmoid:1", "sigmoid:0.5");
    struct gw_forest *forest = parse_ok(text);
    assert_true(margin_of(forest, 1, 3) == 1.0625f);
    gw_forest_free(forest);
    gw_mem_free(text);
}

static void objectives_become_ours(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum gw_objective objective;
    } known[] = {{"regression", GW_OBJECTIVE_REG_SQUARED_ERROR},
                 {"quantile", GW_OBJECTIVE_REG_SQUARED_ERROR},
                 {"cross_entropy", GW_OBJECTIVE_REG_LOGISTIC},
                 {"binary", GW_OBJECTIVE_BINARY_LOGISTIC}};
    for (size_t i = 0; i < GW_COUNT_OF(known); i++) {
        char *text = replace(model, "binary sigmoid:1", known[i].name);
        struct gw_forest *forest = parse_ok(text);
        assert_int_equal(forest->objective, known[i].objective);
        gw_forest_free(forest);
        gw_mem_free(text);
    }
}

static void unsupported_models_are_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct model_edit edits[] = {
        {"version=v4", "version=v2", GW_E_INVALID, "version: 'v2' is not supported, only v3 and v4"},
        {"version=v4", "version=v3", GW_OK, ""},
        {"num_class=1", "num_class=3", GW_E_INVALID, "num_class: 3: several classes are not supported"},
        {"iteration=1", "iteration=3", GW_E_INVALID, "num_tree_per_iteration: 3: several outputs"},
        {"label_index=0", "average_output", GW_E_INVALID, "average_output (boosting rf) is not supported"},
        {"objective=binary sigmoid:1\n", "", GW_E_INVALID, "no objective: custom objectives are not supported"},
        {"binary sigmoid:1", "lambdarank", GW_E_INVALID, "objective: 'lambdarank' is not supported"},
        {"binary sigmoid:1", "poisson", GW_E_INVALID, "objective: 'poisson' is not supported"},
        {"binary sigmoid:1", "", GW_E_INVALID, "objective: '' is not supported"},
        {"binary sigmoid:1", "regression sqrt", GW_E_INVALID, "'regression' with 'sqrt' is not supported"},
        {"sigmoid:1", "sigmoid:0", GW_E_INVALID, "sigmoid 0, expected over 0"},
        {"sigmoid:1", "sigmoid:x", GW_E_MALFORMED, "'x' is not a number"},
        {"sigmoid:1", "other", GW_E_INVALID, "parameter 'other' is not supported"},
        {"num_cat=0", "num_cat=1", GW_E_INVALID, "tree 0: num_cat: 1: categorical splits are not supported"},
        {"decision_type=10", "decision_type=1", GW_E_INVALID, "tree 0: node 0: categorical splits"},
        {"decision_type=10", "decision_type=12", GW_E_INVALID, "node 0: decision_type 12 is unknown"},
        {"decision_type=10", "decision_type=-1", GW_E_INVALID, "node 0: decision_type -1 is unknown"},
        {"decision_type=10", "decision_type=16", GW_E_INVALID, "node 0: decision_type 16 is unknown"},
        {"decision_type=10", "decision_type=4", GW_E_INVALID,
         "node 0: missing type zero that sends zeros right at threshold 0.5 is not supported"},
        {"decision_type=10", "decision_type=6", GW_OK, ""},
        {"is_linear=0", "is_linear=1", GW_E_INVALID, "tree 0: is_linear: 1: linear trees are not supported"},
    };
    check_edits(model, gw_lightgbm_parse, edits, GW_COUNT_OF(edits));
}

static void values_that_are_not_finite_are_refused_by_place(void **state)
{
    (void)state;
    static const struct model_edit edits[] = {
        {"threshold=0.5 3", "threshold=0.5 nan", GW_E_INVALID, "tree 0: threshold: item 1: 'nan' is not a finite"},
        {"threshold=0.5 3", "threshold=-inf 3", GW_E_INVALID, "tree 0: threshold: item 0: '-inf' is not a finite"},
        {"threshold=0.5 3", "threshold=1e999 3", GW_E_INVALID, "tree 0: threshold: item 0"},
        {"threshold=0.5 3", "threshold=1e300 -1e300", GW_OK, ""},
        {"leaf_value=0.25 ", "leaf_value=nan ", GW_E_INVALID, "leaf_value: item 0: 'nan' is not a finite number"},
        {"leaf_value=0.25 ", "leaf_value=1e39 ", GW_E_INVALID, "leaf 0: value 1e+39 is not finite as a float32"},
        {"leaf_value=0.25 -0.5", "leaf_value=0.25 -4e38", GW_E_INVALID, "leaf 1: value -4e+38"},
    };
    check_edits(model, gw_lightgbm_parse, edits, GW_COUNT_OF(edits));
}

static void broken_texts_are_refused_with_the_place(void **state)
{
    (void)state;
    static const struct model_edit edits[] = {
        {"tree\n", "three\n", GW_E_MALFORMED, "does not begin with 'tree'"},
        {"version=v4\n", "", GW_E_MALFORMED, "key 'version' is missing"},
        {"max_feature_idx=1\n", "", GW_E_MALFORMED, "key 'max_feature_idx' is missing"},
        {"max_feature_idx=1", "max_feature_idx=-1", GW_E_INVALID, "max_feature_idx: -1, expected 0 to 4095"},
        {"max_feature_idx=1", "max_feature_idx=4096", GW_E_INVALID, "max_feature_idx: 4096"},
        {"max_feature_idx=1", "max_feature_idx=99999999999999999999", GW_E_INVALID, "max_feature_idx"},
        {"max_feature_idx=1", "max_feature_idx=0", GW_E_INVALID, "2 feature names, max_feature_idx is 0"},
        {"likes age", "likes", GW_E_INVALID, "1 feature names, max_feature_idx is 1"},
        {"num_class=1", "num_class=1\nnum_class=1", GW_E_MALFORMED, "key 'num_class' twice"},
        {"tree_sizes=100 100", "tree_sizes=100", GW_E_MALFORMED, "tree_sizes has 1 items, the file has 2 trees"},
        {"Tree=1", "Tree=2", GW_E_MALFORMED, "tree 1: 'Tree=2' stands here"},
        {"Tree=1", "Tree=x", GW_E_MALFORMED, "tree 1: 'x' is not a number"},
        {"num_leaves=3\n", "", GW_E_MALFORMED, "tree 0: key 'num_leaves' is missing"},
        {"num_leaves=3", "num_leaves=0", GW_E_INVALID, "num_leaves: 0, expected at least 1"},
        {"num_leaves=3", "num_leaves=999999999", GW_E_TOO_LARGE, "num_leaves: 999999999, at most 524288"},
        {"num_leaves=3", "num_leaves=4", GW_E_MALFORMED, "split_feature has 2 items, num_leaves is 4"},
        {"leaf_value=0.25 -0.5 2", "leaf_value=0.25 -0.5", GW_E_MALFORMED, "leaf_value has 2 items"},
        {"threshold=0.5 3", "threshold=0.5 3 4", GW_E_MALFORMED, "threshold has 3 items"},
        {"threshold=0.5 3", "threshold=0.5 0x3", GW_E_MALFORMED, "threshold: item 1: '0x3' is not a number"},
        {"split_feature=0 1", "split_feature=0 2", GW_E_INVALID, "node 1: split feature 2, expected below 2"},
        {"split_feature=0 1", "split_feature=0 1.5", GW_E_INVALID, "split_feature: item 1"},
        {"split_feature=0 1", "split_feature=0 9999999999", GW_E_INVALID, "9999999999 is out of range"},
        {"left_child=1 ", "left_child=2 ", GW_E_INVALID, "node 0: left_child 2, expected -3 to 1"},
        {"left_child=1 ", "left_child=0 ", GW_E_INVALID, "node 0: child 0"},
        {"right_child=-3 ", "right_child=-4 ", GW_E_INVALID, "node 0: right_child -4, expected -3 to 1"},
        {"right_child=-3 ", "right_child=-1 ", GW_E_INVALID, "is reached twice"},
        {"right_child=-3 ", "right_child=-2147483648 ", GW_E_INVALID, "node 0: right_child -2147483648"},
        {"\nend of trees", "\nend of", GW_E_MALFORMED, "tree 1: the file ends here, before 'end of trees'"},
    };
    check_edits(model, gw_lightgbm_parse, edits, GW_COUNT_OF(edits));
}

static void a_text_without_trees_is_refused(void **state)
{
    (void)state;
    char *text = replace(model, "tree_sizes=100 100\n\nTree=0", "tree_sizes=\nend of trees\nTree=0");
    struct gw_forest *forest = NULL;
    gw_err err = {0};
    assert_fails(gw_lightgbm_parse(gw_slice_text(text), &forest, &err), GW_E_INVALID);
    assert_string_equal(err.message, "no trees");
    gw_mem_free(text);
}

static void lines_may_end_with_carriage_returns(void **state)
{
    (void)state;
    GW_CLEANUP(gw_buf_deinit) struct gw_buf text = {0};
    for (const char *c = model; *c != '\0'; c++) {
        assert_ok(gw_buf_append_text(&text, *c == '\n' ? "\r" : ""));
        assert_ok(gw_buf_append(&text, c, 1));
    }
    struct gw_forest *forest = NULL;
    assert_ok(gw_lightgbm_parse(gw_buf_slice(&text), &forest, NULL));
    assert_string_equal(forest->feature_names[1], "age");
    gw_forest_free(forest);
}

static void every_cut_text_is_refused(void **state)
{
    (void)state;
    size_t whole = (size_t)(strstr(model, "end of trees") - model) + strlen("end of trees");
    for (size_t cut = 0; cut < whole; cut++) {
        struct gw_forest *forest = NULL;
        gw_status status = gw_lightgbm_parse(gw_slice_make(model, cut), &forest, NULL);
        assert_true(status == GW_E_MALFORMED || status == GW_E_INVALID);
    }
}

static void parsing_survives_every_failed_allocation(void **state)
{
    (void)state;
    check_failed_allocations(gw_slice_text(model), gw_lightgbm_parse);
}

GW_TESTS(a_value_at_the_threshold_goes_left, a_double_threshold_between_floats_is_exact,
         a_missing_value_without_missing_type_counts_as_zero, placeholder_names_count_as_no_names,
         the_sigmoid_parameter_scales_leaves, objectives_become_ours, unsupported_models_are_refused_with_the_reason,
         values_that_are_not_finite_are_refused_by_place, broken_texts_are_refused_with_the_place,
         a_text_without_trees_is_refused, lines_may_end_with_carriage_returns, every_cut_text_is_refused,
         parsing_survives_every_failed_allocation)
