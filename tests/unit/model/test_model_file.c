// SPDX-License-Identifier: MIT
#include <math.h>

#include "fixture.h"
#include "model/model_file.h"

// Any format; free with gw_mem_free.
static struct gw_slice read_bytes(const char *name, char **ret_text)
{
    char path[512];
    size_t size = 0;
    gw_err err = {0};
    snprintf(path, sizeof path, FIXTURES "%s", name);
    assert_ok_err(gw_file_read(path, 1 << 20, ret_text, &size, &err), &err);
    return gw_slice_make(*ret_text, size);
}

static enum gw_model_format sniff(struct gw_slice content)
{
    enum gw_model_format format = GW_MODEL_FORMAT_COUNT;
    gw_err err = {0};
    assert_ok_err(gw_model_sniff(content, &format, &err), &err);
    return format;
}

static void the_format_is_found_by_content(void **state)
{
    (void)state;
    char *text = NULL;
    assert_int_equal(sniff(read_bytes("xgboost_3_2.json", &text)), GW_MODEL_FORMAT_XGBOOST_JSON);
    gw_mem_free(text);
    assert_int_equal(sniff(read_bytes("xgboost_3_2.ubj", &text)), GW_MODEL_FORMAT_XGBOOST_UBJSON);
    gw_mem_free(text);
    assert_int_equal(sniff(gw_slice_text("tree\nversion=v4\n")), GW_MODEL_FORMAT_LIGHTGBM_TEXT);
    assert_int_equal(sniff(gw_slice_text("tree\r\nversion=v4\r\n")), GW_MODEL_FORMAT_LIGHTGBM_TEXT);
    assert_int_equal(sniff(gw_slice_text(" \n{ \"version\":[NaN], \"learner\":")), GW_MODEL_FORMAT_XGBOOST_JSON);
    assert_int_equal(sniff(gw_slice_text("{\"format\":1,\"heads\":[")), GW_MODEL_FORMAT_BUNDLE_MANIFEST);
    assert_string_equal(gw_model_format_name(GW_MODEL_FORMAT_LIGHTGBM_TEXT), "lightgbm-text");
    assert_string_equal(gw_model_format_extension(GW_MODEL_FORMAT_XGBOOST_UBJSON), "ubj");
}

static void what_is_not_a_model_is_refused_by_what_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *content;
        size_t size;
        const char *message;
    } others[] = {
        {"", 0, "is not a model file: expected XGBoost's JSON or UBJSON or LightGBM's text, found nothing"},
        {"\x80\x04\x95", 3, "found a Python pickle"},
        {"PK\x03\x04", 4, "found a zip archive"},
        {"\x1f\x8b\x08", 3, "found gzip"},
        {"binf....", 8, "save as .json or .ubj"},
        {"hello", 5, "found something else"},
        {"   ", 3, "found something else"},
        {"{", 1, "is not a model file: json byte 1"},
        {"{}", 2, "is not a model file: no key 'learner'"},
        {"{\0", 2, "is not a model file: json byte 1"},
        {"{\"trees\":[1,2]}", 15, "is not a model file: no key 'learner'"},
        {"[1]", 3, "found something else"},
        {"tree", 4, "found something else"},
    };
    for (size_t i = 0; i < GW_COUNT_OF(others); i++) {
        struct gw_forest *forest = NULL;
        gw_err err = {0};
        assert_fails(gw_model_parse(gw_slice_make(others[i].content, others[i].size), &forest, &err), GW_E_MALFORMED);
        if (strstr(err.message, others[i].message) == NULL) {
            print_error("%zu: %s\n", i, err.message);
            fail();
        }
    }
    struct gw_forest *forest = NULL;
    gw_err err = {0};
    assert_fails(gw_model_parse(gw_slice_text("{\"heads\":[]}"), &forest, &err), GW_E_INVALID);
    assert_non_null(strstr(err.message, "name the bundle's directory"));
}

static void binary_files_of_old_and_new_versions_give_their_margins(void **state)
{
    (void)state;
    static const char *const names[] = {"xgboost_1_7.ubj", "xgboost_3_2.ubj"};
    for (size_t i = 0; i < GW_COUNT_OF(names); i++) {
        char *text = NULL;
        struct gw_forest *forest = NULL;
        gw_err err = {0};
        struct gw_slice content = read_bytes(names[i], &text);
        assert_ok_err(gw_model_parse(content, &forest, &err), &err);
        assert_string_equal(forest->feature_names[3], "hour");
        for (size_t r = 0; r < 3; r++) {
            float margin = gw_forest_margin(forest, fixture_rows[r]);
            assert_memory_equal(&margin, &fixture_margins[r], sizeof margin);
        }
        gw_forest_free(forest);
        gw_mem_free(text);
    }
}

static void every_cut_binary_file_is_refused(void **state)
{
    (void)state;
    char *text = NULL;
    struct gw_slice content = read_bytes("xgboost_3_2.ubj", &text);
    for (size_t cut = 0; cut < content.size; cut++) {
        struct gw_forest *forest = NULL;
        assert_fails(gw_model_parse(gw_slice_make(content.data, cut), &forest, NULL), GW_E_MALFORMED);
    }
    gw_mem_free(text);
}

static void leaves_that_can_add_up_beyond_float_are_refused(void **state)
{
    (void)state;
    static const char model[] = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=0\n"
                                "objective=regression\nfeature_names=a\ntree_sizes=1 1\n"
                                "Tree=0\nnum_leaves=1\nleaf_value=1e38\nTree=1\nnum_leaves=1\nleaf_value=-1e38\n"
                                "end of trees\n";
    struct gw_forest *forest = NULL;
    gw_err err = {0};
    assert_fails(gw_model_parse(gw_slice_text(model), &forest, &err), GW_E_INVALID);
    assert_string_equal(err.message, "leaves add up to as much as 2e+38, too much for a float32 margin");
    char *less = replace(model, "leaf_value=-1e38", "leaf_value=-1e37");
    assert_ok_err(gw_model_parse(gw_slice_text(less), &forest, &err), &err);
    assert_true(gw_forest_margin_bound(forest) > 1.09e38 && gw_forest_margin_bound(forest) < 1.11e38);
    gw_forest_free(forest);
    gw_mem_free(less);
}

static void parsing_survives_every_failed_allocation(void **state)
{
    (void)state;
    char *text = NULL;
    check_failed_allocations(read_bytes("xgboost_3_2.ubj", &text), gw_model_parse);
    gw_mem_free(text);
}

GW_TESTS(the_format_is_found_by_content, what_is_not_a_model_is_refused_by_what_it_is,
         binary_files_of_old_and_new_versions_give_their_margins, every_cut_binary_file_is_refused,
         leaves_that_can_add_up_beyond_float_are_refused, parsing_survives_every_failed_allocation)
