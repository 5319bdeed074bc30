// SPDX-License-Identifier: MIT
// Bare files of every format: loaded, and made bundles of.
#include <math.h>

#include "fixture.h"
#include "folder.h"
#include "model/bundle_import.h"
#include "model/golden_own.h"
#include "model/model_file.h"
#include "model/scorer.h"

#include <fcntl.h>
#include <sys/stat.h>

#define LIGHTGBM GW_SOURCE_DIR "/tests/golden/model/fixtures/lightgbm_v3.txt"
#define NAMELESS GW_SOURCE_DIR "/tests/golden/model/fixtures/lightgbm_sigmoid.txt"

static const char *const features[] = {"likes", "age", "length", "hour"};

static struct gw_bundle_import import_of(const char *file)
{
    return (struct gw_bundle_import){.file = file, .model_name = "ranker", .head_name = "liked", .weight = 2};
}

static gw_status make(const struct gw_bundle_import *import, char *digest, gw_err *err)
{
    return gw_bundle_from_file(import, path_in_folder("bundle"), digest, err);
}

static void assert_refused(const struct gw_bundle_import *import, gw_status status, const char *message)
{
    gw_err err = {0};
    assert_fails(make(import, NULL, &err), status);
    if (strstr(err.message, message) == NULL) {
        print_error("'%s', expected '%s'\n", err.message, message);
        fail();
    }
    assert_int_equal(access(path_in_folder("bundle"), F_OK), -1);
}

static void a_file_of_each_format_becomes_a_bundle(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *kept;
        const char *format;
        const char *objective;
    } formats[] = {
        {FIXTURES "xgboost_3_2.json", "head_liked.json", "xgboost-json", "binary:logistic"},
        {FIXTURES "xgboost_3_2.ubj", "head_liked.ubj", "xgboost-ubjson", "binary:logistic"},
        {LIGHTGBM, "head_liked.txt", "lightgbm-text", "reg:logistic"},
    };
    for (size_t i = 0; i < GW_COUNT_OF(formats); i++) {
        char digest[GW_BUNDLE_DIGEST_BYTES];
        char kept[64];
        char name[32];
        char metadata[128];
        struct gw_bundle_import import = import_of(formats[i].file);
        import.metadata_json = "{\"by\": [1, \"x\"]}";
        gw_err err = {0};
        snprintf(name, sizeof name, "bundle%zu", i);
        assert_ok_err(gw_bundle_from_file(&import, path_in_folder(name), digest, &err), &err);

        struct gw_bundle *bundle = NULL;
        assert_ok_err(gw_bundle_load(path_in_folder(name), &bundle, &err), &err);
        const struct gw_bundle_info *info = gw_bundle_info(bundle);
        assert_string_equal(info->digest, digest);
        assert_string_equal(info->model_name, "ranker");
        assert_string_equal(info->feature_names[3], "hour");
        assert_string_equal(info->heads[0].name, "liked");
        assert_string_equal(info->heads[0].objective, formats[i].objective);
        assert_true(info->heads[0].weight == 2);
        assert_int_equal(info->golden_row_count, GW_GOLDEN_OWN_ROWS);
        snprintf(metadata, sizeof metadata, "{\"golden\":\"own\",\"format\":\"%s\",\"by\":[1, \"x\"]}",
                 formats[i].format);
        assert_string_equal(info->metadata_json, metadata);
        gw_bundle_unref(bundle);

        // The file is kept byte by byte.
        char *original = NULL;
        size_t original_size = 0;
        size_t kept_size = 0;
        snprintf(kept, sizeof kept, "%s/%s", name, formats[i].kept);
        char *copy = read_in_folder(kept, &kept_size);
        assert_ok(gw_file_read(formats[i].file, 1 << 20, &original, &original_size, NULL));
        assert_int_equal(kept_size, original_size);
        assert_memory_equal(copy, original, kept_size);
        gw_mem_free(copy);
        gw_mem_free(original);
    }
}

static void the_same_import_gives_the_same_digest(void **state)
{
    (void)state;
    char first[GW_BUNDLE_DIGEST_BYTES];
    char second[GW_BUNDLE_DIGEST_BYTES];
    char *text = NULL;
    size_t size = 0;
    struct gw_bundle_import import = import_of(LIGHTGBM);
    assert_ok(make(&import, first, NULL));
    assert_ok(gw_file_read(LIGHTGBM, 1 << 20, &text, &size, NULL));
    import.file = NULL;
    import.content = gw_slice_make(text, size);
    assert_ok(gw_bundle_from_file(&import, path_in_folder("again"), second, NULL));
    assert_string_equal(first, second);
    gw_err err = {0};
    assert_fails(make(&import, NULL, &err), GW_E_CONFLICT);
    gw_mem_free(text);
}

static void given_names_fill_or_confirm_the_files(void **state)
{
    (void)state;
    static const char *const others[] = {"likes", "years", "length", "hour"};
    struct gw_bundle_import import = import_of(LIGHTGBM);
    import.feature_names = others;
    import.feature_count = 4;
    assert_refused(&import, GW_E_MISMATCH, "feature 1 is 'age' in the file, 'years' is given");
    import.feature_count = 3;
    assert_refused(&import, GW_E_MISMATCH, "feature count 4, 3 names are given");
    import = import_of(NAMELESS);
    assert_refused(&import, GW_E_INVALID, "no feature names, neither in the file nor given");
    import = import_of(LIGHTGBM);
    import.feature_names = features;
    import.feature_count = 4;
    assert_ok(make(&import, NULL, NULL));
}

static void names_are_given_to_a_file_that_has_none(void **state)
{
    (void)state;
    struct gw_bundle_import import = import_of(NAMELESS);
    struct gw_bundle *bundle = NULL;
    gw_err err = {0};
    import.feature_names = (const char *const[]){"a", "b", "a", "d"};
    import.feature_count = 4;
    assert_refused(&import, GW_E_INVALID, "feature 'a' twice");
    import.feature_names = features;
    assert_ok_err(make(&import, NULL, &err), &err);
    assert_ok_err(gw_bundle_load(path_in_folder("bundle"), &bundle, &err), &err);
    assert_string_equal(gw_bundle_info(bundle)->feature_names[1], "age");
    gw_bundle_unref(bundle);
}

static void illegal_names_weights_and_metadata_are_refused(void **state)
{
    (void)state;
    struct gw_bundle_import import = import_of(LIGHTGBM);
    import.model_name = "../m";
    assert_refused(&import, GW_E_INVALID, "model name '../m' is not a legal name");
    import = import_of(LIGHTGBM);
    import.head_name = "a/b";
    assert_refused(&import, GW_E_INVALID, "head name 'a/b' is not a legal name");
    import.head_name = "";
    assert_refused(&import, GW_E_INVALID, "head name ''");
    import = import_of(LIGHTGBM);
    import.weight = (double)NAN;
    assert_refused(&import, GW_E_INVALID, "head 'liked': weight is not finite");
    import = import_of(LIGHTGBM);
    import.metadata_json = "{\"golden\":\"theirs\"}";
    assert_refused(&import, GW_E_INVALID, "metadata: key 'golden' is not the caller's");
    import.metadata_json = "[1]";
    assert_refused(&import, GW_E_INVALID, "metadata");
    import.metadata_json = "{} x";
    assert_refused(&import, GW_E_MALFORMED, "metadata");
}

static void what_is_no_model_file_is_refused(void **state)
{
    (void)state;
    struct gw_bundle_import import = import_of(write_in_folder("bad", "hello", 5));
    assert_refused(&import, GW_E_MALFORMED, "is not a model file: expected XGBoost's");
    import.file = folder;
    assert_refused(&import, GW_E_INVALID, "is a directory, not a model file");
    import.file = "/tmp/godwit-no-such-model";
    assert_refused(&import, GW_E_NOT_FOUND, "godwit-no-such-model");
}

// A sparse file: it would take minutes and the machine's memory to read.
static void ten_gigabytes_are_refused_before_reading(void **state)
{
    (void)state;
    char path[160];
    struct gw_bundle *bundle = NULL;
    gw_err err = {0};
    snprintf(path, sizeof path, "%s", write_in_folder("huge.json", "{", 1));
    assert_int_equal(truncate(path, (off_t)10 << 30), 0);
    struct gw_bundle_import import = import_of(path);
    assert_refused(&import, GW_E_TOO_LARGE, "over 536870912 bytes");
    assert_fails(gw_bundle_load_file(path, NULL, 0, &bundle, &err), GW_E_TOO_LARGE);
}

static void bare_files_of_every_format_load(void **state)
{
    (void)state;
    static const char *const files[] = {FIXTURES "xgboost_1_7.json", FIXTURES "xgboost_1_7.ubj", LIGHTGBM};
    for (size_t i = 0; i < GW_COUNT_OF(files); i++) {
        struct gw_bundle *bundle = NULL;
        gw_err err = {0};
        assert_ok_err(gw_bundle_load_file(files[i], NULL, 0, &bundle, &err), &err);
        assert_string_equal(gw_bundle_info(bundle)->feature_names[0], "likes");
        assert_int_equal(gw_bundle_info(bundle)->golden_row_count, 0);
        gw_bundle_unref(bundle);
    }
}

static void a_bundle_is_loaded_by_its_directory_or_manifest(void **state)
{
    (void)state;
    struct gw_bundle_import import = import_of(LIGHTGBM);
    struct gw_bundle *bundle = NULL;
    gw_err err = {0};
    assert_ok(make(&import, NULL, NULL));
    assert_ok_err(gw_bundle_load_file(path_in_folder("bundle"), NULL, 0, &bundle, &err), &err);
    assert_string_equal(gw_bundle_info(bundle)->model_name, "ranker");
    gw_bundle_unref(bundle);
    assert_ok_err(gw_bundle_load_file(path_in_folder("bundle/bundle.json"), NULL, 0, &bundle, &err), &err);
    assert_string_equal(gw_bundle_info(bundle)->model_name, "ranker");
    gw_bundle_unref(bundle);

    size_t size = 0;
    char *manifest = read_in_folder("bundle/bundle.json", &size);
    const char *elsewhere = write_in_folder("elsewhere.json", manifest, size);
    assert_fails(gw_bundle_load_file(elsewhere, NULL, 0, &bundle, &err), GW_E_INVALID);
    assert_non_null(strstr(err.message, "name the bundle's directory"));
    gw_mem_free(manifest);
}

static void golden_rows_stand_on_both_sides_of_thresholds(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    struct gw_forest *forest = NULL;
    struct gw_golden golden = {0};
    assert_ok(gw_file_read(LIGHTGBM, 1 << 20, &text, &size, NULL));
    assert_ok(gw_model_parse(gw_slice_make(text, size), &forest, NULL));
    assert_ok(gw_golden_own(forest, &golden, NULL));
    size_t at = 0;
    size_t below = 0;
    size_t missing = 0;
    for (size_t i = 0; i < golden.row_count * 4; i++) {
        missing += isnan(golden.rows[i]);
        for (uint32_t n = 0; n < forest->node_count; n++) {
            const struct gw_forest_node *node = &forest->nodes[n];
            if (node->left != 0 && node->feature == i % 4) {
                at += golden.rows[i] == node->value;
                below += golden.rows[i] == nextafterf(node->value, -INFINITY);
            }
        }
    }
    assert_true(at > 50 && below > 50 && missing > 20);
    for (size_t f = 0; f < 4; f++) {
        assert_true(isnan(golden.rows[f]));
    }
    gw_golden_deinit(&golden);
    gw_forest_free(forest);
    gw_mem_free(text);
}

static void importing_survives_every_failed_allocation(void **state)
{
    (void)state;
    struct gw_bundle_import import = import_of(LIGHTGBM);
    import.metadata_json = "{\"a\":1}";
    gw_status status = GW_E_MEMORY;
    for (unsigned long n = 1; status != GW_OK; n++) {
        gw_mem_fail_nth(n);
        status = make(&import, NULL, NULL);
        gw_mem_fail_nth(0);
        assert_true(status == GW_OK || status == GW_E_MEMORY);
        assert_int_equal(access(path_in_folder("bundle"), F_OK), status == GW_OK ? 0 : -1);
        assert_true(n < 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(a_file_of_each_format_becomes_a_bundle),
        FOLDER_TEST(the_same_import_gives_the_same_digest),
        FOLDER_TEST(given_names_fill_or_confirm_the_files),
        FOLDER_TEST(names_are_given_to_a_file_that_has_none),
        FOLDER_TEST(illegal_names_weights_and_metadata_are_refused),
        FOLDER_TEST(what_is_no_model_file_is_refused),
        FOLDER_TEST(ten_gigabytes_are_refused_before_reading),
        FOLDER_TEST(bare_files_of_every_format_load),
        FOLDER_TEST(a_bundle_is_loaded_by_its_directory_or_manifest),
        FOLDER_TEST(golden_rows_stand_on_both_sides_of_thresholds),
        FOLDER_TEST(importing_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
