// SPDX-License-Identifier: MIT
// Bundles on disk: written, loaded, scored, and refused after one change.
#include <math.h>

#include "base/hash.h"
#include "fixture.h"
#include "model/bundle.h"
#include "model/bundle_write.h"
#include "model/scorer.h"
#include "model/sha256.h"

#include <sys/stat.h>
#include <unistd.h>

static const char *const features[] = {"likes", "age", "length", "hour"};

static char folder[64]; // of one test
static char bundle_path[80];
static struct gw_slice profile; // of the bundles that are written

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/godwit-bundle-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(bundle_path, sizeof bundle_path, "%s/bundle", folder);
    profile = (struct gw_slice){0};
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

// Two heads of the same model, the second calibrated.
static gw_status write_two_heads(const float *golden_margins, char *digest, gw_err *err)
{
    char *model = read_fixture("xgboost_3_2.json");
    float margins[6];
    float rows[12];
    memcpy(margins, golden_margins, 3 * sizeof(float));
    memcpy(margins + 3, golden_margins, 3 * sizeof(float));
    memcpy(rows, fixture_rows, sizeof rows);
    struct gw_bundle_draft draft = {
        .manifest =
            {.model_name = "ranker",
             .version = 7,
             .feature_count = 4,
             .feature_names = features,
             .head_count = 2,
             .heads = {{.name = "first", .weight = 2, .calibration = {.negative_rate = 0.5}},
                       {.name = "second",
                        .weight = -0.5,
                        .objective = "binary:logistic",
                        .calibration = {.kind = GW_CALIBRATION_PLATT, .a = 0.5, .b = 0.25, .negative_rate = 1}}},
             .primary_head = 1,
             .metadata_json = "{\"rows\": 3}"},
        .models = {gw_slice_text(model), gw_slice_text(model)},
        .golden = {.row_count = 3, .feature_count = 4, .head_count = 2, .rows = rows, .margins = margins},
        .profile = profile,
    };
    gw_status status = gw_bundle_write(&draft, bundle_path, digest, err);
    gw_mem_free(model);
    return status;
}

static void write_ok(void)
{
    gw_err err = {0};
    assert_ok_err(write_two_heads(fixture_margins, NULL, &err), &err);
}

static void a_written_bundle_loads(void **state)
{
    (void)state;
    char digest[GW_BUNDLE_DIGEST_BYTES];
    struct gw_bundle *bundle = NULL;
    gw_err err = {0};
    assert_ok_err(write_two_heads(fixture_margins, digest, &err), &err);
    assert_ok_err(gw_bundle_load(bundle_path, &bundle, &err), &err);
    const struct gw_bundle_info *info = gw_bundle_info(bundle);
    assert_string_equal(info->model_name, "ranker");
    assert_int_equal(info->version, 7);
    assert_string_equal(info->digest, digest);
    assert_int_equal(info->feature_count, 4);
    assert_string_equal(info->feature_names[2], "length");
    assert_int_equal(info->head_count, 2);
    assert_int_equal(info->primary_head, 1);
    assert_int_equal(info->golden_row_count, 3);
    assert_string_equal(info->metadata_json, "{\"rows\": 3}");
    assert_string_equal(info->heads[1].name, "second");
    assert_true(info->heads[1].weight == -0.5);
    assert_int_equal(info->heads[1].tree_count, 3);
    assert_int_equal(info->heads[1].depth_max, 2);
    assert_string_equal(info->heads[0].objective, "binary:logistic");
    assert_int_equal(info->profile.size, 0);
    assert_ptr_equal(gw_bundle_ref(bundle), bundle);
    gw_bundle_unref(bundle);
    gw_bundle_unref(bundle);
}

static void a_layout_is_the_names_in_their_order(void **state)
{
    (void)state;
    const char *const names[] = {"a", "bc"};
    const char *const swapped[] = {"bc", "a"};
    const char *const shifted[] = {"ab", "c"};
    uint64_t layout = gw_bundle_layout(&(struct gw_bundle_info){.feature_count = 2, .feature_names = names});
    // FNV-1a of "a\0bc\0": stored in signatures and training manifests, so it never changes.
    assert_true(layout == gw_hash_fnv1a(GW_HASH_FNV_START, "a\0bc", 5));
    assert_true(layout != gw_bundle_layout(&(struct gw_bundle_info){.feature_count = 2, .feature_names = swapped}));
    assert_true(layout != gw_bundle_layout(&(struct gw_bundle_info){.feature_count = 2, .feature_names = shifted}));
    assert_true(layout != gw_bundle_layout(&(struct gw_bundle_info){.feature_count = 1, .feature_names = names}));
}

static void a_scorer_finds_features_in_any_columns(void **state)
{
    (void)state;
    write_ok();
    struct gw_bundle *bundle = NULL;
    struct gw_scorer *scorer = NULL;
    gw_err err = {0};
    assert_ok_err(gw_bundle_load(bundle_path, &bundle, &err), &err);
    const uint32_t columns[] = {5, 0, 3, 1};
    assert_fails(gw_scorer_new(bundle, columns, 5, &scorer, &err), GW_E_INVALID);
    assert_string_equal(err.message, "model 'ranker': feature 'likes' is in column 5 of vectors of 5");
    assert_fails(gw_scorer_new(bundle, NULL, 3, &scorer, &err), GW_E_INVALID);
    assert_ok_err(gw_scorer_new(bundle, columns, 6, &scorer, &err), &err);
    assert_ptr_equal(gw_scorer_bundle(scorer), bundle);
    gw_bundle_unref(bundle); // the scorer has its own reference

    float rows[3 * 6];
    for (size_t r = 0; r < 3; r++) {
        for (size_t f = 0; f < 4; f++) {
            rows[r * 6 + columns[f]] = fixture_rows[r][f];
        }
        rows[r * 6 + 2] = rows[r * 6 + 4] = NAN;
    }
    float margins[6];
    float probabilities[6];
    float scores[3];
    float confidences[3];
    gw_scorer_margins(scorer, rows, 6, 3, margins);
    assert_memory_equal(margins, fixture_margins, sizeof fixture_margins);
    assert_memory_equal(margins + 3, fixture_margins, sizeof fixture_margins);
    gw_scorer_finish(scorer, margins, 3, probabilities, scores, confidences);
    for (size_t r = 0; r < 3; r++) {
        double margin = (double)fixture_margins[r];
        double raw = 1 / (1 + exp(-margin));
        double first = raw / (raw + (1 - raw) / 0.5);
        double second = 1 / (1 + exp(-(0.5 * margin + 0.25)));
        assert_true(fabs((double)probabilities[2 * r] - first) < 1e-6);
        assert_true(fabs((double)confidences[r] - second) < 1e-6);
        assert_true(fabs((double)scores[r] - (2 * first - 0.5 * second)) < 1e-6);
    }
    float again[6];
    gw_scorer_finish(scorer, margins, 3, again, NULL, NULL);
    assert_memory_equal(again, probabilities, sizeof again);
    gw_scorer_free(scorer);
}

// Its strings are its own: the draft's are overwritten.
static void a_draft_in_memory_scores_as_the_bundle_written(void **state)
{
    (void)state;
    char *model = read_fixture("xgboost_3_2.json");
    char name[] = "ranker";
    char head[] = "first";
    struct gw_bundle_draft draft = {
        .manifest =
            {.model_name = name,
             .feature_count = 4,
             .feature_names = features,
             .head_count = 1,
             .heads = {{.name = head,
                        .weight = 3,
                        .calibration = {.kind = GW_CALIBRATION_PLATT, .a = 0.5, .b = 0.25, .negative_rate = 0.5}}}},
        .models = {gw_slice_text(model)},
    };
    struct gw_bundle *bundle = NULL;
    struct gw_scorer *scorer = NULL;
    gw_err err = {0};
    assert_ok_err(gw_bundle_of_draft(&draft, &bundle, &err), &err);
    memset(name, 'x', sizeof name - 1);
    memset(head, 'x', sizeof head - 1);
    memset(model, 'x', strlen(model));
    const struct gw_bundle_info *info = gw_bundle_info(bundle);
    assert_string_equal(info->model_name, "ranker");
    assert_string_equal(info->heads[0].name, "first");
    assert_string_equal(info->digest, "");
    assert_string_equal(info->metadata_json, "{}");
    assert_string_equal(info->feature_names[3], "hour");
    assert_ok_err(gw_scorer_new(bundle, NULL, 4, &scorer, &err), &err);
    gw_bundle_unref(bundle);
    float margins[3];
    float probabilities[3];
    float scores[3];
    gw_scorer_margins(scorer, fixture_rows[0], 4, 3, margins);
    assert_memory_equal(margins, fixture_margins, sizeof fixture_margins);
    gw_scorer_finish(scorer, margins, 3, probabilities, scores, NULL);
    for (size_t r = 0; r < 3; r++) {
        double raw = 1 / (1 + exp(-(0.5 * (double)margins[r] + 0.25)));
        assert_true(fabs((double)probabilities[r] - raw / (raw + (1 - raw) / 0.5)) < 1e-6);
        assert_true(scores[r] == 3 * probabilities[r]);
    }
    gw_scorer_free(scorer);
    draft.manifest.model_name = "ranker";
    draft.manifest.heads[0].name = "first";
    assert_fails(gw_bundle_of_draft(&draft, &bundle, &err), GW_E_MALFORMED);
    assert_non_null(strstr(err.message, "head 'first'"));
    gw_mem_free(model);
}

static void making_a_bundle_of_a_draft_survives_every_failed_allocation(void **state)
{
    (void)state;
    char *model = read_fixture("xgboost_3_2.json");
    const struct gw_bundle_draft draft = {
        .manifest = {.model_name = "ranker",
                     .feature_count = 4,
                     .feature_names = features,
                     .head_count = 1,
                     .heads = {{.name = "first", .weight = 1, .calibration = {.negative_rate = 1}}}},
        .models = {gw_slice_text(model)},
    };
    struct gw_bundle *bundle = NULL;
    gw_status status = GW_E_MEMORY;
    for (unsigned long n = 1; status != GW_OK; n++) {
        gw_mem_fail_nth(n);
        status = gw_bundle_of_draft(&draft, &bundle, NULL);
        gw_mem_fail_nth(0);
        assert_true(status == GW_OK || status == GW_E_MEMORY);
        assert_true(n < 1000);
    }
    gw_bundle_unref(bundle);
    gw_mem_free(model);
}

static void a_margin_off_by_one_bit_refuses_the_bundle(void **state)
{
    (void)state;
    float margins[3];
    gw_err err = {0};
    memcpy(margins, fixture_margins, sizeof margins);
    margins[1] = nextafterf(margins[1], 10);
    assert_fails(write_two_heads(margins, NULL, &err), GW_E_MISMATCH);
    assert_non_null(strstr(err.message, "head 'first': golden row 1 has margin 0.796"));
    assert_int_equal(access(bundle_path, F_OK), -1);
}

static void an_existing_directory_is_not_replaced(void **state)
{
    (void)state;
    gw_err err = {0};
    write_ok();
    assert_fails(write_two_heads(fixture_margins, NULL, &err), GW_E_CONFLICT);
}

// Replaces `from` in a file of the bundle; a changed listed file gets its digest in bundle.json when `sign`.
static void edit_file(const char *name, const char *from, const char *to, bool sign)
{
    char path[160];
    char *text = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "%s/%s", bundle_path, name);
    assert_ok(gw_file_read(path, 1 << 20, &text, &size, NULL));
    char *edited = replace(text, from, to);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(edited, 1, strlen(edited), file), strlen(edited));
    fclose(file);
    if (sign) {
        char before[GW_SHA256_HEX_BYTES];
        char after[GW_SHA256_HEX_BYTES];
        gw_sha256_hex(text, size, before);
        gw_sha256_hex(edited, strlen(edited), after);
        // The two heads are the same file twice; the one that stands first is replaced first.
        edit_file("bundle.json", before, after, false);
    }
    gw_mem_free(edited);
    gw_mem_free(text);
}

struct edit {
    const char *file;
    const char *from;
    const char *to;
    gw_status status;
    const char *message;
};

static void refuse(const struct edit *edits, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct gw_bundle *bundle = NULL;
        gw_err err = {0};
        char command[96];
        write_ok();
        edit_file(edits[i].file, edits[i].from, edits[i].to, strcmp(edits[i].file, "bundle.json") != 0);
        gw_status status = gw_bundle_load(bundle_path, &bundle, &err);
        gw_bundle_unref(bundle);
        if (status != edits[i].status || strstr(err.message, edits[i].message) == NULL) {
            print_error("%s: %s -> %s: %s: %s\n", edits[i].file, edits[i].from, edits[i].to, gw_status_name(status),
                        err.message);
            fail();
        }
        snprintf(command, sizeof command, "rm -r '%s'", bundle_path);
        assert_int_equal(system(command), 0);
    }
}

static void wrong_manifests_are_refused(void **state)
{
    (void)state;
    static const struct edit edits[] = {
        {"bundle.json", "\"format\":1", "\"format\":2", GW_E_INVALID, "format 2, expected 1"},
        {"bundle.json", "\"format\":1,", "", GW_E_INVALID, "key 'format' is missing"},
        {"bundle.json", "\"format\":1,", "\"format\":1,\"format\":1,", GW_E_MALFORMED, "key 'format' twice"},
        {"bundle.json", "\"model\":\"ranker\"", "\"model\":\"../x\"", GW_E_INVALID, "model name '../x'"},
        {"bundle.json", "\"model\":\"ranker\"", "\"model\":\"\"", GW_E_INVALID, "model name ''"},
        {"bundle.json", "\"version\":7", "\"version\":-1", GW_E_INVALID, "version -1 out of range"},
        {"bundle.json", "\"likes\",\"age\"", "\"likes\",\"likes\"", GW_E_INVALID, "feature 'likes' twice"},
        {"bundle.json", "\"likes\",\"age\"", "\"age\",\"likes\"", GW_E_MISMATCH, "feature 0 is 'likes'"},
        {"bundle.json", "\"likes\",", "", GW_E_MISMATCH, "feature count 4, bundle.json has 3"},
        {"bundle.json", "[\"likes\",\"age\",\"length\",\"hour\"]", "[]", GW_E_INVALID, "no features"},
        {"bundle.json", "\"primary\":\"second\"", "\"primary\":\"third\"", GW_E_INVALID, "primary head 'third'"},
        {"bundle.json", "\"name\":\"first\"", "\"name\":\"second\"", GW_E_INVALID, "head 'second' twice"},
        {"bundle.json", "\"name\":\"first\",", "", GW_E_INVALID, "key 'name' is missing"},
        {"bundle.json", "\"file\":\"head_first.json\"", "\"file\":\"/etc/passwd\"", GW_E_INVALID, "head file"},
        {"bundle.json", "\"file\":\"head_first.json\"", "\"file\":\"..\"", GW_E_INVALID, "head file '..'"},
        {"bundle.json", "\"file\":\"head_first.json\"", "\"file\":\"x.json\"", GW_E_INVALID, "'x.json' has 0 digests"},
        {"bundle.json", "\"weight\":2", "\"weight\":1e999", GW_E_INVALID, "head weight"},
        {"bundle.json", "\"objective\":\"binary:logistic\"", "\"objective\":\"reg:logistic\"", GW_E_MISMATCH,
         "objective"},
        {"bundle.json", "\"kind\":\"platt\"", "\"kind\":\"beta\"", GW_E_INVALID, "calibration kind 'beta'"},
        {"bundle.json", "\"a\":0.5,", "", GW_E_INVALID, "key 'a' is missing"},
        {"bundle.json", "\"negative_rate\":0.5", "\"negative_rate\":0", GW_E_INVALID, "negative_rate 0"},
        {"bundle.json", "\"negative_rate\":0.5", "\"negative_rate\":1.5", GW_E_INVALID, "negative_rate 1.5"},
        {"bundle.json", "\"files\":{", "\"files\":{\"x\":\"00\",", GW_E_INVALID, "digest is not 64"},
        {"bundle.json", "\"golden\":\"golden.json\"", "\"golden\":\"other.json\"", GW_E_INVALID, "0 digests"},
        {"bundle.json", "}}", "}}}", GW_E_MALFORMED, "bundle.json"},
    };
    refuse(edits, GW_COUNT_OF(edits));
}

static void wrong_golden_rows_are_refused(void **state)
{
    (void)state;
    static const struct edit edits[] = {
        {"golden.json", "[1,-1,0,0]", "[1,-1,0]", GW_E_INVALID, "row 1: fewer than 4 values"},
        {"golden.json", "[1,-1,0,0]", "[1,-1,0,0,0]", GW_E_INVALID, "row 1: more than 4 values"},
        {"golden.json", ",\n[1,-1,0,0]", "", GW_E_INVALID, "head 'first': 3 margins for 2 golden rows"},
        {"golden.json", "[1,-1,0,0]", "[-1,1,0,0]", GW_E_MISMATCH, "golden row 1"},
        {"golden.json", "\"first\":", "\"fist\":", GW_E_INVALID, "key 'first' is missing"},
        {"golden.json", "\"rows\":", "\"lines\":", GW_E_INVALID, "key 'rows' is missing"},
        {"golden.json", "NaN", "Nan", GW_E_MALFORMED, "golden.json"},
    };
    refuse(edits, GW_COUNT_OF(edits));
}

static void a_model_that_cannot_be_imported_is_named(void **state)
{
    (void)state;
    static const struct edit edits[] = {
        {"head_first.json", "\"name\":\"gbtree\"", "\"name\":\"dart\"", GW_E_INVALID,
         "file 'head_first.json': booster 'dart'"},
    };
    refuse(edits, GW_COUNT_OF(edits));
}

static void a_changed_or_missing_file_is_noticed(void **state)
{
    (void)state;
    struct gw_bundle *bundle = NULL;
    gw_err err = {0};
    char path[160];
    write_ok();
    edit_file("head_first.json", "\"likes\"", "\"liked\"", false);
    assert_fails(gw_bundle_load(bundle_path, &bundle, &err), GW_E_MISMATCH);
    assert_non_null(strstr(err.message, "file 'head_first.json': its digest is "));
    snprintf(path, sizeof path, "%s/head_first.json", bundle_path);
    assert_int_equal(unlink(path), 0);
    assert_fails(gw_bundle_load(bundle_path, &bundle, &err), GW_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "head_first.json"));
    assert_fails(gw_bundle_load("/tmp/godwit-no-such-bundle", &bundle, &err), GW_E_NOT_FOUND);
}

static void write_profile_file(const void *bytes, size_t size)
{
    char path[160];
    snprintf(path, sizeof path, "%s/profile.bin", bundle_path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void a_profile_is_kept_byte_by_byte_and_is_part_of_the_digest(void **state)
{
    (void)state;
    static const char bytes[] = "any\0bytes\xff\n";
    char without[GW_BUNDLE_DIGEST_BYTES];
    char with[GW_BUNDLE_DIGEST_BYTES];
    char other[GW_BUNDLE_DIGEST_BYTES];
    char *const digests[] = {without, with, other};
    const struct gw_slice profiles[] = {{0}, gw_slice_make(bytes, sizeof bytes), gw_slice_make(bytes, 3)};
    for (size_t i = 0; i < GW_COUNT_OF(profiles); i++) {
        struct gw_bundle *bundle = NULL;
        gw_err err = {0};
        profile = profiles[i];
        snprintf(bundle_path, sizeof bundle_path, "%s/bundle_%zu", folder, i);
        assert_ok_err(write_two_heads(fixture_margins, digests[i], &err), &err);
        assert_ok_err(gw_bundle_load(bundle_path, &bundle, &err), &err);
        const struct gw_slice kept = gw_bundle_info(bundle)->profile;
        assert_int_equal(kept.size, profile.size);
        assert_true(kept.size == 0 || memcmp(kept.data, profile.data, kept.size) == 0);
        gw_bundle_unref(bundle);
    }
    assert_string_not_equal(with, without);
    assert_string_not_equal(with, other);
}

static void a_damaged_profile_refuses_the_bundle(void **state)
{
    (void)state;
    struct gw_bundle *bundle = NULL;
    gw_err err = {0};
    char path[160];
    profile = gw_slice_text("a reference");
    write_ok();
    write_profile_file("a Reference", 11);
    assert_fails(gw_bundle_load(bundle_path, &bundle, &err), GW_E_MISMATCH);
    assert_non_null(strstr(err.message, "file 'profile.bin': its digest is "));
    snprintf(path, sizeof path, "%s/profile.bin", bundle_path);
    assert_int_equal(truncate(path, (off_t)GW_BUNDLE_PROFILE_BYTES_MAX + 1), 0);
    assert_fails(gw_bundle_load(bundle_path, &bundle, &err), GW_E_TOO_LARGE);
    assert_int_equal(unlink(path), 0);
    assert_fails(gw_bundle_load(bundle_path, &bundle, &err), GW_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "profile.bin"));
}

static void wrong_profiles_in_manifests_are_refused(void **state)
{
    (void)state;
    static const struct edit edits[] = {
        {"bundle.json", "\"profile\":\"profile.bin\"", "\"profile\":\"../x\"", GW_E_INVALID, "profile file '../x'"},
        {"bundle.json", "\"profile\":\"profile.bin\"", "\"profile\":\"x\"", GW_E_INVALID, "'x' has 0 digests"},
        {"bundle.json", "\"profile\":\"profile.bin\"", "\"profile\":3", GW_E_INVALID, "profile file"},
        {"bundle.json", "\"profile\":\"profile.bin\",", "", GW_E_INVALID, "'profile.bin' is neither"},
        {"profile.bin", "reference", "", GW_E_INVALID, "file 'profile.bin' is empty"},
    };
    profile = gw_slice_text("reference");
    refuse(edits, GW_COUNT_OF(edits));
}

static void a_bare_file_is_a_bundle_of_one_head(void **state)
{
    (void)state;
    struct gw_bundle *bundle = NULL;
    gw_err err = {0};
    assert_ok_err(gw_bundle_load_file(FIXTURES "xgboost_3_2.json", NULL, 0, &bundle, &err), &err);
    const struct gw_bundle_info *info = gw_bundle_info(bundle);
    assert_string_equal(info->model_name, "xgboost_3_2");
    assert_string_equal(info->feature_names[0], "likes");
    assert_int_equal(info->head_count, 1);
    assert_int_equal(info->golden_row_count, 0);
    assert_int_equal(info->profile.size, 0);
    assert_int_equal(strlen(info->digest), 64);
    gw_bundle_unref(bundle);
}

static void names_of_a_bare_file_can_be_given(void **state)
{
    (void)state;
    static const char *const given[] = {"p", "q", "r", "s"};
    char path[160];
    struct gw_bundle *bundle = NULL;
    gw_err err = {0};
    char *text = read_fixture("xgboost_3_2.json");
    char *nameless = replace(text, "[\"likes\",\"age\",\"length\",\"hour\"]", "[]");
    snprintf(path, sizeof path, "%s/bare.json", folder);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(nameless, 1, strlen(nameless), file), strlen(nameless));
    fclose(file);
    gw_mem_free(nameless);
    gw_mem_free(text);
    assert_fails(gw_bundle_load_file(path, NULL, 0, &bundle, &err), GW_E_INVALID);
    assert_non_null(strstr(err.message, "no feature names"));
    assert_fails(gw_bundle_load_file(path, given, 3, &bundle, &err), GW_E_MISMATCH);
    assert_ok_err(gw_bundle_load_file(path, given, 4, &bundle, &err), &err);
    assert_string_equal(gw_bundle_info(bundle)->feature_names[3], "s");
    gw_bundle_unref(bundle);
}

static void loading_survives_every_failed_allocation(void **state)
{
    (void)state;
    profile = gw_slice_text("reference");
    write_ok();
    struct gw_bundle *bundle = NULL;
    gw_status status = GW_E_MEMORY;
    for (unsigned long n = 1; status != GW_OK; n++) {
        gw_mem_fail_nth(n);
        status = gw_bundle_load(bundle_path, &bundle, NULL);
        gw_mem_fail_nth(0);
        assert_true(status == GW_OK || status == GW_E_MEMORY);
        assert_true(n < 1000);
    }
    gw_bundle_unref(bundle);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_written_bundle_loads),
        TEST(a_layout_is_the_names_in_their_order),
        TEST(a_scorer_finds_features_in_any_columns),
        TEST(a_draft_in_memory_scores_as_the_bundle_written),
        TEST(making_a_bundle_of_a_draft_survives_every_failed_allocation),
        TEST(a_margin_off_by_one_bit_refuses_the_bundle),
        TEST(an_existing_directory_is_not_replaced),
        TEST(wrong_manifests_are_refused),
        TEST(wrong_golden_rows_are_refused),
        TEST(a_model_that_cannot_be_imported_is_named),
        TEST(a_changed_or_missing_file_is_noticed),
        TEST(a_profile_is_kept_byte_by_byte_and_is_part_of_the_digest),
        TEST(a_damaged_profile_refuses_the_bundle),
        TEST(wrong_profiles_in_manifests_are_refused),
        TEST(a_bare_file_is_a_bundle_of_one_head),
        TEST(names_of_a_bare_file_can_be_given),
        TEST(loading_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
