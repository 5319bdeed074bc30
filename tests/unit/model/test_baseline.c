// SPDX-License-Identifier: MIT
#include <math.h>

#include "folder.h"
#include "model/baseline.h"
#include "model/scorer.h"

static struct gw_baseline baseline = {
    .model_name = "ranker", .feature_name = "item.likes", .head_name = "liked", .prior_rate = 0.04};

static float probability_of(const struct gw_scorer *scorer, float count)
{
    float margin = 0;
    float probability = 0;
    gw_scorer_margins(scorer, &count, 1, 1, &margin);
    gw_scorer_finish(scorer, &margin, 1, &probability, NULL, NULL);
    return probability;
}

static struct gw_scorer *load_scorer(const char *directory)
{
    struct gw_bundle *bundle = NULL;
    struct gw_scorer *scorer = NULL;
    gw_err err = {0};
    assert_ok_err(gw_bundle_load(directory, &bundle, &err), &err);
    assert_ok_err(gw_scorer_new(bundle, NULL, 1, &scorer, &err), &err);
    gw_bundle_unref(bundle);
    return scorer;
}

static void the_baseline_is_a_whole_bundle(void **state)
{
    (void)state;
    char digest[GW_BUNDLE_DIGEST_BYTES];
    gw_err err = {0};
    assert_ok_err(gw_baseline_write(&baseline, path_in_folder("baseline"), digest, &err), &err);
    struct gw_scorer *scorer = load_scorer(path_in_folder("baseline"));
    const struct gw_bundle_info *info = gw_bundle_info(gw_scorer_bundle(scorer));
    assert_string_equal(info->digest, digest);
    assert_string_equal(info->model_name, "ranker");
    assert_int_equal(info->feature_count, 1);
    assert_string_equal(info->feature_names[0], "item.likes");
    assert_string_equal(info->heads[0].name, "liked");
    assert_int_equal(info->heads[0].depth_max, 7);
    assert_true(info->golden_row_count > 0);
    assert_non_null(strstr(info->metadata_json, "\"baseline\":\"popularity\""));
    gw_scorer_free(scorer);
}

static void the_probability_follows_the_formula(void **state)
{
    (void)state;
    assert_ok(gw_baseline_write(&baseline, path_in_folder("baseline"), NULL, NULL));
    struct gw_scorer *scorer = load_scorer(path_in_folder("baseline"));
    static const struct {
        float count;
        int steps;
    } cases[] = {{0, 0},   {NAN, 0},  {-5, 0},       {1, 1},     {2, 3},
                 {10, 10}, {100, 19}, {9999999, 63}, {1e7f, 64}, {1e20f, 64}};
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        double expected = 0.04 + 0.96 / 2 * cases[i].steps / 64;
        if (!(fabs((double)probability_of(scorer, cases[i].count) - expected) < 1e-6)) {
            print_error("count %g: %g, expected %g\n", (double)cases[i].count,
                        (double)probability_of(scorer, cases[i].count), expected);
            fail();
        }
    }
    gw_scorer_free(scorer);
}

static void the_probability_grows_with_the_count(void **state)
{
    (void)state;
    assert_ok(gw_baseline_write(&baseline, path_in_folder("baseline"), NULL, NULL));
    struct gw_scorer *scorer = load_scorer(path_in_folder("baseline"));
    float last = probability_of(scorer, 0);
    int steps = 0;
    for (float count = 0.9f; count < 2e7f; count *= 1.01f) {
        float now = probability_of(scorer, count);
        assert_true(now >= last);
        steps += now > last;
        last = now;
    }
    assert_int_equal(steps, GW_BASELINE_STEPS);
    gw_scorer_free(scorer);
}

// The bytes are part of what is promised: a change of them is a change of every new model's version 1.
static void the_same_baseline_gives_the_same_bytes(void **state)
{
    (void)state;
    char digest[GW_BUNDLE_DIGEST_BYTES];
    char again[GW_BUNDLE_DIGEST_BYTES];
    assert_ok(gw_baseline_write(&baseline, path_in_folder("one"), digest, NULL));
    assert_ok(gw_baseline_write(&baseline, path_in_folder("two"), again, NULL));
    assert_string_equal(digest, again);
    assert_string_equal(digest, "00142bde0076423cebd16bf48795e638b5d94c9e24e2d07ccdb950f69779e315");
}

static void impossible_priors_and_names_are_refused(void **state)
{
    (void)state;
    static const double priors[] = {0, 1, -0.5, 1.5, (double)NAN};
    for (size_t i = 0; i < GW_COUNT_OF(priors); i++) {
        struct gw_baseline bad = baseline;
        bad.prior_rate = priors[i];
        assert_fails(gw_baseline_write(&bad, path_in_folder("bad"), NULL, NULL), GW_E_INVALID);
    }
    struct gw_baseline bad = baseline;
    bad.head_name = "..//x";
    assert_fails(gw_baseline_write(&bad, path_in_folder("bad"), NULL, NULL), GW_E_INVALID);
    bad = baseline;
    bad.feature_name = "";
    assert_fails(gw_baseline_write(&bad, path_in_folder("bad"), NULL, NULL), GW_E_INVALID);
    assert_int_equal(access(path_in_folder("bad"), F_OK), -1);
}

static void extreme_priors_stay_finite_and_monotone(void **state)
{
    (void)state;
    static const double priors[] = {1e-300, 1e-9, 0.999, 1 - 1e-12};
    for (size_t i = 0; i < GW_COUNT_OF(priors); i++) {
        char name[16];
        struct gw_baseline extreme = baseline;
        gw_err err = {0};
        extreme.prior_rate = priors[i];
        snprintf(name, sizeof name, "extreme%zu", i);
        assert_ok_err(gw_baseline_write(&extreme, path_in_folder(name), NULL, &err), &err);
        struct gw_scorer *scorer = load_scorer(path_in_folder(name));
        float low = 0;
        float high = 0;
        gw_scorer_margins(scorer, &(float){0}, 1, 1, &low);
        gw_scorer_margins(scorer, &(float){1e7f}, 1, 1, &high);
        assert_true(isfinite(low) && isfinite(high) && high > low);
        gw_scorer_free(scorer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(the_baseline_is_a_whole_bundle),          FOLDER_TEST(the_probability_follows_the_formula),
        FOLDER_TEST(the_probability_grows_with_the_count),    FOLDER_TEST(the_same_baseline_gives_the_same_bytes),
        FOLDER_TEST(impossible_priors_and_names_are_refused), FOLDER_TEST(extreme_priors_stay_finite_and_monotone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
