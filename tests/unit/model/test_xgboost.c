// SPDX-License-Identifier: MIT
#include <math.h>

#include "fixture.h"
#include "model/xgboost.h"

static gw_status parse(const char *text, struct gw_forest **ret_forest, gw_err *err)
{
    return gw_xgboost_parse(gw_slice_text(text), ret_forest, err);
}

static void files_of_old_and_new_versions_give_their_margins(void **state)
{
    (void)state;
    static const char *const names[] = {"xgboost_1_7.json", "xgboost_1_7_bracketed.json", "xgboost_3_2.json"};
    for (size_t i = 0; i < GW_COUNT_OF(names); i++) {
        char *text = read_fixture(names[i]);
        struct gw_forest *forest = NULL;
        gw_err err = {0};
        assert_ok_err(parse(text, &forest, &err), &err);
        assert_int_equal(forest->tree_count, 3);
        assert_int_equal(forest->depth_max, 2);
        assert_int_equal(forest->feature_count, 4);
        assert_string_equal(forest->feature_names[3], "hour");
        for (size_t r = 0; r < 3; r++) {
            float margin = gw_forest_margin(forest, fixture_rows[r]);
            assert_memory_equal(&margin, &fixture_margins[r], sizeof margin);
        }
        gw_forest_free(forest);
        gw_mem_free(text);
    }
}

// The first tree of the fixture has seven nodes, children {1,3,5} and {2,4,6}.
static void apply(const struct model_edit *edits, size_t count)
{
    char *text = read_fixture("xgboost_1_7.json");
    check_edits(text, gw_xgboost_parse, edits, count);
    gw_mem_free(text);
}

static void unsupported_models_are_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct model_edit edits[] = {
        {"\"name\":\"gbtree\"", "\"name\":\"dart\"", GW_E_INVALID, "booster 'dart' is not supported, only gbtree"},
        {"\"model\":{", "\"gbtree\":{", GW_E_INVALID, "no trees"},
        {"\"name\":\"gbtree\"", "\"name\":\"gblinear\"", GW_E_INVALID, "booster 'gblinear' is not supported"},
        {"\"name\":\"gbtree\"", "\"other\":\"gbtree\"", GW_E_INVALID, "booster '' is not supported"},
        {"\"num_class\":\"0\"", "\"num_class\":\"3\"", GW_E_INVALID, "several outputs are not supported"},
        {"\"num_target\":\"1\"", "\"num_target\":\"2\"", GW_E_INVALID, "several outputs are not supported"},
        {"binary:logistic", "multi:softprob", GW_E_INVALID, "objective 'multi:softprob' is not supported"},
        {"binary:logistic", "rank:pairwise", GW_E_INVALID, "objective 'rank:pairwise' is not supported"},
        {"\"size_leaf_vector\":\"0\"", "\"size_leaf_vector\":\"2\"", GW_E_INVALID, "several outputs"},
        {"\"7\",\"size_leaf_vector\":\"0\"", "\"7\",\"size_leaf_vector\":\"2\"", GW_E_INVALID, "tree 0: vector leaves"},
        {"\"categories_nodes\":[]", "\"categories_nodes\":[0]", GW_E_INVALID, "tree 0: categorical splits"},
        {"\"split_type\":[0,", "\"split_type\":[1,", GW_E_INVALID, "tree 0: categorical splits"},
    };
    apply(edits, GW_COUNT_OF(edits));
}

static void broken_trees_are_refused_with_the_place(void **state)
{
    (void)state;
    static const struct model_edit edits[] = {
        {"\"left_children\":[1,", "\"left_children\":[7,", GW_E_INVALID, "tree 0: node 0: child 7, expected 1 to 6"},
        {"\"left_children\":[1,", "\"left_children\":[-2,", GW_E_INVALID, "node 0: child -2"},
        {"\"left_children\":[1,", "\"left_children\":[0,", GW_E_INVALID, "node 0: child 0"},
        {"\"left_children\":[1,", "\"left_children\":[-1,", GW_E_INVALID, "node 0: child -1"},
        {"\"right_children\":[2,", "\"right_children\":[1,", GW_E_INVALID, "node 0: child 1 is reached twice"},
        {"\"left_children\":[1,3,", "\"left_children\":[1,2,", GW_E_INVALID, "child 2 is reached twice"},
        {"\"left_children\":[1,", "\"left_children\":[2147483648,", GW_E_INVALID, "item 0 out of range"},
        {"\"left_children\":[1,", "\"left_children\":[1.5,", GW_E_INVALID, "left_children"},
        {"\"left_children\":[1,", "\"left_children\":[", GW_E_MALFORMED, "7 items, left_children has 6"},
        {"\"split_indices\":[0,", "\"split_indices\":[4,", GW_E_INVALID, "split feature 4, expected below 4"},
        {"\"split_indices\":[0,", "\"split_indices\":[-1,", GW_E_INVALID, "split feature -1"},
        {"\"split_conditions\":[", "\"split_conditions\":[NaN,", GW_E_MALFORMED, "split_conditions has 8 items"},
        {"\"split_conditions\":[2.2492073E-1", "\"split_conditions\":[NaN", GW_E_INVALID, "threshold is NaN"},
        {"\"default_left\":[1,0,1,0,0,0,0]", "\"default_left\":[true,false,true,false,false,false,false]", GW_OK, ""},
        {"\"default_left\":[1,", "\"default_left\":[\"1\",", GW_E_INVALID, "default_left"},
        {"\"num_nodes\":\"7\"", "\"num_nodes\":\"9\"", GW_E_MALFORMED, "num_nodes is 9, left_children has 7"},
        {"\"num_trees\":\"3\"", "\"num_trees\":\"4\"", GW_E_MALFORMED, "num_trees is 4, the file has 3"},
    };
    apply(edits, GW_COUNT_OF(edits));
}

static void wrong_parameters_are_refused(void **state)
{
    (void)state;
    static const struct model_edit edits[] = {
        {"2.5E-1", "0", GW_E_INVALID, "base_score '0': expected between 0 and 1"},
        {"2.5E-1", "1", GW_E_INVALID, "expected between 0 and 1"},
        {"2.5E-1", "[2.5E-1,2.5E-1]", GW_E_INVALID, "several values are not supported"},
        {"2.5E-1", "[]", GW_E_INVALID, "no value"},
        {"2.5E-1", "", GW_E_MALFORMED, "base_score ''"},
        {"2.5E-1", "[[1]]", GW_E_INVALID, "base_score"},
        {"2.5E-1", "0.25x", GW_E_MALFORMED, "base_score"},
        {"\"likes\",", "", GW_E_INVALID, "3 feature names, num_feature is 4"},
        {"\"likes\"", "7", GW_E_INVALID, "feature name 0"},
        {"\"num_class\":\"0\"", "\"num_class\":\"-1\"", GW_E_INVALID, "num_class -1 out of range"},
        {"\"num_class\":\"0\"", "\"num_class\":\"x\"", GW_E_MALFORMED, "num_class"},
        {"\"num_class\":\"0\"", "\"num_class\":\"0\",\"num_class\":\"0\"", GW_E_MALFORMED, "key 'num_class' twice"},
        {"\"version\"", "\"new\":{\"deep\":[1]},\"version\"", GW_OK, ""},
    };
    apply(edits, GW_COUNT_OF(edits));
}

static void the_learners_feature_count_is_bounded(void **state)
{
    (void)state;
    static const struct model_edit edits[] = {
        {"\"num_feature\":\"4\",\"num_target\"", "\"num_feature\":\"0\",\"num_target\"", GW_E_INVALID,
         "num_feature is 0"},
        {"\"num_feature\":\"4\",\"num_target\"", "\"num_feature\":\"4097\",\"num_target\"", GW_E_INVALID, "1 to 4096"},
        {"\"num_feature\":\"4\",\"num_target\"", "\"num_feature\":\"2\",\"num_target\"", GW_E_INVALID,
         "4 feature names"},
        {"\"num_feature\":\"4\",\"num_target\"", "\"num_feature\":\"1\",\"num_target\"", GW_E_INVALID,
         "expected below 1"},
    };
    apply(edits, GW_COUNT_OF(edits));
}

static void every_cut_text_is_refused(void **state)
{
    (void)state;
    char *text = read_fixture("xgboost_3_2.json");
    size_t size = strlen(text) - 1; // without the newline
    for (size_t cut = 0; cut < size; cut++) {
        struct gw_forest *forest = NULL;
        assert_fails(gw_xgboost_parse(gw_slice_make(text, cut), &forest, NULL), GW_E_MALFORMED);
    }
    gw_mem_free(text);
}

static void parsing_survives_every_failed_allocation(void **state)
{
    (void)state;
    char *text = read_fixture("xgboost_3_2.json");
    check_failed_allocations(gw_slice_text(text), gw_xgboost_parse);
    gw_mem_free(text);
}

static void nodes_that_the_root_does_not_reach_are_dropped(void **state)
{
    (void)state;
    struct gw_forest *forest = gw_forest_new();
    assert_non_null(forest);
    forest->feature_count = 1;
    const int32_t left[] = {3, -1, 9, -1};
    const int32_t right[] = {1, -1, -7, -1};
    const int32_t feature[] = {0, 0, 99, 0};
    const float value[] = {0.5f, 2, NAN, 1};
    const uint8_t default_left[] = {1, 0, 0, 0};
    gw_err err = {0};
    assert_ok_err(
        gw_forest_add_tree(forest, &(struct gw_forest_source){4, left, right, feature, value, default_left}, &err),
        &err);
    assert_int_equal(forest->node_count, 3);
    const float below = 0.4f;
    const float equal = 0.5f;
    const float missing = NAN;
    assert_true(gw_forest_margin(forest, &below) == 1);
    assert_true(gw_forest_margin(forest, &equal) == 2);
    assert_true(gw_forest_margin(forest, &missing) == 1);
    gw_forest_free(forest);
}

static void leaves_must_be_finite_and_trees_not_empty(void **state)
{
    (void)state;
    struct gw_forest *forest = gw_forest_new();
    assert_non_null(forest);
    forest->feature_count = 1;
    const int32_t none[] = {-1};
    const int32_t feature[] = {0};
    const uint8_t default_left[] = {0};
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    gw_err err = {0};
    for (size_t i = 0; i < GW_COUNT_OF(bad); i++) {
        const struct gw_forest_source source = {1, none, none, feature, &bad[i], default_left};
        assert_fails(gw_forest_add_tree(forest, &source, &err), GW_E_INVALID);
        assert_string_equal(err.message, "node 0: leaf value is not finite");
    }
    assert_fails(gw_forest_add_tree(forest, &(struct gw_forest_source){0}, &err), GW_E_INVALID);
    assert_fails(
        gw_forest_add_tree(forest, &(struct gw_forest_source){.node_count = GW_FOREST_TREE_NODES_MAX + 1}, &err),
        GW_E_TOO_LARGE);
    const float value = 1;
    const struct gw_forest_source leaf = {1, none, none, feature, &value, default_left};
    for (uint32_t t = 0; t < GW_FOREST_TREES_MAX; t++) {
        assert_ok(gw_forest_add_tree(forest, &leaf, NULL));
    }
    assert_fails(gw_forest_add_tree(forest, &leaf, &err), GW_E_TOO_LARGE);
    assert_string_equal(err.message, "more than 10000 trees");
    gw_forest_free(forest);
}

static void a_chain_over_the_depth_bound_is_refused(void **state)
{
    (void)state;
    enum { COUNT = 2 * (GW_FOREST_DEPTH_MAX + 1) + 1 };
    static int32_t left[COUNT];
    static int32_t right[COUNT];
    static int32_t feature[COUNT];
    static float value[COUNT];
    static uint8_t default_left[COUNT];
    for (int32_t n = 0; n < COUNT; n++) {
        bool inner = n % 2 == 0 && n + 2 < COUNT;
        left[n] = inner ? n + 1 : -1;
        right[n] = inner ? n + 2 : -1;
    }
    struct gw_forest *forest = gw_forest_new();
    assert_non_null(forest);
    forest->feature_count = 1;
    gw_err err = {0};
    assert_fails(
        gw_forest_add_tree(forest, &(struct gw_forest_source){COUNT, left, right, feature, value, default_left}, &err),
        GW_E_TOO_LARGE);
    assert_string_equal(err.message, "deeper than 512");
    gw_forest_free(forest);
}

GW_TESTS(files_of_old_and_new_versions_give_their_margins, unsupported_models_are_refused_with_the_reason,
         broken_trees_are_refused_with_the_place, wrong_parameters_are_refused, the_learners_feature_count_is_bounded,
         every_cut_text_is_refused, parsing_survives_every_failed_allocation,
         nodes_that_the_root_does_not_reach_are_dropped, leaves_must_be_finite_and_trees_not_empty,
         a_chain_over_the_depth_bound_is_refused)
