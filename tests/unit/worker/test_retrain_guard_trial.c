// SPDX-License-Identifier: MIT
// A trial on rows whose labels are drawn from a known model: a worse version is found out, an equal and a better one
// never, whichever layout the rows have and whatever they weigh.
#include "support/model.h"
#include "support/testkit.h"

#include "base/rng.h"
#include "label/bits.h"
#include "model/scorer.h"
#include "worker/retrain_guard_trial.h"

#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 3000, SINCE_MS = 1000000, UNTIL_MS = 2000000, FEW_FEATURES = 8 };

static char directory[64];
static struct gw_bundle *truth;    // labels are drawn from it
static struct gw_bundle *twin;     // says the same in other bytes
static struct gw_bundle *reversed; // believes the opposite
static struct gw_bundle *narrow;   // as reversed, of fewer features
static struct gw_bundle *foreign;  // of a feature that the others lack
static struct gw_scorer *scorer;   // of the truth

static struct gw_bundle *make_bundle(const char *name, float factor, double weight, const char *const *features,
                                     size_t feature_count)
{
    char path[128];
    struct gw_bundle *bundle = NULL;
    gw_err err = {0};
    snprintf(path, sizeof path, "%s/%s", directory, name);
    test_model_write_variant(path, &(struct test_model_variant){.name = name,
                                                                .version = 1,
                                                                .features = features,
                                                                .feature_count = feature_count,
                                                                .metadata_json = "{}",
                                                                .factor = factor,
                                                                .weight = weight});
    assert_ok_err(gw_bundle_load(path, &bundle, &err), &err);
    return bundle;
}

static int begin(void **state)
{
    (void)state;
    static const char *const other[] = {"tweet.other_feature"};
    gw_err err = {0};
    snprintf(directory, sizeof directory, "/tmp/godwit-trial-XXXXXX");
    assert_non_null(mkdtemp(directory));
    truth = make_bundle("truth", 3, 1, test_model_features, test_model_feature_count);
    twin = make_bundle("twin", 3, 7, test_model_features, test_model_feature_count);
    reversed = make_bundle("reversed", -3, 1, test_model_features, test_model_feature_count);
    narrow = make_bundle("narrow", -3, 1, test_model_features, FEW_FEATURES);
    foreign = make_bundle("foreign", 3, 1, other, 1);
    assert_ok_err(gw_scorer_new(truth, NULL, test_model_feature_count, &scorer, &err), &err);
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

static int end(void **state)
{
    (void)state;
    gw_scorer_free(scorer);
    gw_bundle_unref(truth);
    gw_bundle_unref(twin);
    gw_bundle_unref(reversed);
    gw_bundle_unref(narrow);
    gw_bundle_unref(foreign);
    return nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static gw_status try_begin(struct gw_bundle *version, struct gw_bundle *former, struct gw_retrain_trial **ret_trial)
{
    const struct gw_retrain_trial_options options = {
        .duel = {.model = "m", .version = 2, .former = 1, .sequence = 5, .since_ms = SINCE_MS},
        .until_ms = UNTIL_MS,
        .version = version,
        .former = former,
        .margin = 0.002,
        .alpha = 0.001,
        .weight_max = 100};
    gw_err err = {0};
    return gw_retrain_trial_new(&options, ret_trial, &err);
}

static struct gw_retrain_trial *begin_trial(struct gw_bundle *version, struct gw_bundle *former)
{
    struct gw_retrain_trial *trial = NULL;
    assert_ok(try_begin(version, former, &trial));
    return trial;
}

struct draw {
    const struct gw_bundle *layout;
    float weight;
    int64_t served_at_ms;
};

static bool add(struct gw_retrain_trial *trial, struct gw_rng *rng, const struct draw *draw)
{
    float row[16];
    float margins[GW_BUNDLE_HEADS_MAX];
    float probabilities[GW_BUNDLE_HEADS_MAX];
    gw_err err = {0};
    bool used = false;
    const struct gw_bundle_info *info = gw_bundle_info(draw->layout);
    for (size_t f = 0; f < test_model_feature_count; f++) {
        row[f] = gw_rng_double(rng) < 0.5 ? 0.0f : 1000.0f; // on either side of every threshold
    }
    gw_scorer_margins(scorer, row, test_model_feature_count, 1, margins);
    gw_scorer_finish(scorer, margins, 1, probabilities, NULL, NULL);
    const bool positive = gw_rng_double(rng) < (double)probabilities[0];
    const struct gw_labeled_example example = {
        .request_join_id = 1,
        .layout = (int64_t)gw_bundle_layout(info),
        .features = gw_slice_make(row, info->feature_count * sizeof(float)), // a narrow layout is their beginning
        .label_bits = positive ? GW_LABEL_BIT(FAVORITED) : GW_LABEL_BIT(RETWEETED),
        .kind = GW_EXAMPLE_KIND_WINDOW_CLOSED,
        .weight = draw->weight,
        .served_at_ms = draw->served_at_ms};
    assert_ok_err(gw_retrain_trial_add(trial, &example, &used, &err), &err);
    return used;
}

static struct gw_retrain_trial_counts run(struct gw_retrain_trial *trial, uint64_t seed, const struct draw *draw)
{
    struct gw_retrain_trial_counts counts;
    struct gw_rng rng;
    gw_rng_init(&rng, seed);
    for (int i = 0; i < ROWS; i++) {
        (void)add(trial, &rng, draw);
    }
    gw_retrain_trial_count(trial, &counts);
    return counts;
}

static void a_worse_version_is_found_out_and_the_reason_says_how(void **state)
{
    (void)state;
    char reason[600];
    struct gw_retrain_trial *trial = begin_trial(reversed, truth);
    const struct gw_retrain_trial_counts counts =
        run(trial, 1, &(struct draw){.layout = truth, .weight = 1, .served_at_ms = SINCE_MS});
    assert_true(counts.proven);
    assert_int_equal(counts.rows, ROWS);
    assert_int_equal(counts.unusable, 0);
    assert_true(counts.difference > 0.1);
    gw_retrain_trial_say(trial, reason, sizeof reason);
    print_message("%s\n", reason);
    assert_non_null(strstr(reason, "automatic: log loss worse than version 1 by more than 0.002 nats, evidence e >= "
                                   "1000"));
    assert_non_null(strstr(reason, "on 3000 rows served since 1970-01-01T00:16:40.000Z"));
    gw_retrain_trial_free(trial);
}

static void an_equal_or_better_version_stays(void **state)
{
    (void)state;
    const struct draw draw = {.layout = truth, .weight = 1, .served_at_ms = SINCE_MS};
    struct gw_retrain_trial *trial = begin_trial(twin, truth);
    struct gw_retrain_trial_counts counts = run(trial, 2, &draw);
    assert_false(counts.proven);
    assert_true(counts.log_evidence < 0);
    gw_retrain_trial_free(trial);
    trial = begin_trial(truth, reversed);
    counts = run(trial, 3, &draw);
    assert_false(counts.proven);
    assert_true(counts.difference < -0.1);
    gw_retrain_trial_free(trial);
}

static void rows_count_in_full_whatever_all_of_them_weigh(void **state)
{
    (void)state;
    struct gw_retrain_trial_counts counts[3];
    static const float weights[] = {1, 100, 1000};
    for (size_t i = 0; i < GW_COUNT_OF(weights); i++) {
        struct gw_retrain_trial *trial = begin_trial(reversed, truth);
        counts[i] = run(trial, 4, &(struct draw){.layout = truth, .weight = weights[i], .served_at_ms = SINCE_MS});
        gw_retrain_trial_free(trial);
    }
    assert_true(fabs(counts[0].log_evidence - counts[1].log_evidence) < 1e-6);
    assert_int_equal(counts[1].heavy, 0);
    assert_true(fabs(counts[0].log_evidence - counts[2].log_evidence) < 1e-6);
    assert_int_equal(counts[2].heavy, ROWS); // above weight_max: counted as that
}

static void light_rows_among_heavy_ones_bet_little(void **state)
{
    (void)state;
    struct gw_rng rng;
    struct gw_retrain_trial_counts before;
    struct gw_retrain_trial_counts after;
    struct gw_retrain_trial *trial = begin_trial(twin, truth);
    gw_rng_init(&rng, 5);
    (void)add(trial, &rng, &(struct draw){.layout = truth, .weight = 100, .served_at_ms = SINCE_MS});
    gw_retrain_trial_count(trial, &before); // as a row of weight 1: the limit follows the rows before
    (void)add(trial, &rng, &(struct draw){.layout = truth, .weight = 1, .served_at_ms = SINCE_MS});
    gw_retrain_trial_count(trial, &after);
    const double first = -before.log_evidence;
    const double second = before.log_evidence - after.log_evidence;
    assert_true(first > 0 && fabs(second - first / 100) < first / 1000);
    gw_retrain_trial_free(trial);
}

static void rows_that_only_one_version_can_score_are_no_evidence(void **state)
{
    (void)state;
    struct gw_retrain_trial *trial = begin_trial(narrow, truth);
    // The truth lacks features in the narrow layout, so of the two only its own rows can be scored by both.
    struct gw_retrain_trial_counts counts =
        run(trial, 6, &(struct draw){.layout = truth, .weight = 1, .served_at_ms = SINCE_MS});
    assert_int_equal(counts.rows, ROWS);
    assert_true(counts.proven);
    counts = run(trial, 7, &(struct draw){.layout = narrow, .weight = 1, .served_at_ms = SINCE_MS});
    assert_int_equal(counts.rows, ROWS);
    assert_int_equal(counts.unusable, ROWS);
    gw_retrain_trial_free(trial);
}

static void rows_of_other_times_and_broken_ones_are_no_evidence(void **state)
{
    (void)state;
    struct gw_rng rng;
    struct gw_retrain_trial_counts counts;
    struct gw_retrain_trial *trial = begin_trial(reversed, truth);
    gw_rng_init(&rng, 8);
    assert_false(add(trial, &rng, &(struct draw){.layout = truth, .weight = 1, .served_at_ms = SINCE_MS - 1}));
    assert_false(add(trial, &rng, &(struct draw){.layout = truth, .weight = 1, .served_at_ms = UNTIL_MS + 1}));
    gw_retrain_trial_count(trial, &counts);
    assert_int_equal(counts.unusable, 0);
    assert_false(add(trial, &rng, &(struct draw){.layout = truth, .weight = 0, .served_at_ms = SINCE_MS}));
    assert_false(add(trial, &rng, &(struct draw){.layout = truth, .weight = NAN, .served_at_ms = SINCE_MS}));
    assert_false(add(trial, &rng, &(struct draw){.layout = truth, .weight = INFINITY, .served_at_ms = SINCE_MS}));
    assert_true(add(trial, &rng, &(struct draw){.layout = truth, .weight = 1, .served_at_ms = UNTIL_MS}));
    gw_retrain_trial_count(trial, &counts);
    assert_int_equal(counts.unusable, 3);
    assert_int_equal(counts.rows, 1);
    gw_retrain_trial_free(trial);
}

static void versions_without_common_features_cannot_be_compared(void **state)
{
    (void)state;
    struct gw_retrain_trial *trial = NULL;
    assert_fails(try_begin(foreign, truth, &trial), GW_E_MISMATCH);
    assert_null(trial);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worse_version_is_found_out_and_the_reason_says_how),
        cmocka_unit_test(an_equal_or_better_version_stays),
        cmocka_unit_test(rows_count_in_full_whatever_all_of_them_weigh),
        cmocka_unit_test(light_rows_among_heavy_ones_bet_little),
        cmocka_unit_test(rows_that_only_one_version_can_score_are_no_evidence),
        cmocka_unit_test(rows_of_other_times_and_broken_ones_are_no_evidence),
        cmocka_unit_test(versions_without_common_features_cannot_be_compared),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
