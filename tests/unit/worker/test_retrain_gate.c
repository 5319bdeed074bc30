// SPDX-License-Identifier: MIT
// The gate on labels that are drawn from a known model: the right one passes, a wrong one and a constant one do not.
#include "support/model.h"
#include "support/testkit.h"

#include "base/rng.h"
#include "model/examples.h"
#include "model/scorer.h"
#include "worker/retrain_gate.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 1500 };

static char directory[64];
static char gate_path[128];
static struct gw_bundle *truth;    // labels are drawn from it
static struct gw_bundle *reversed; // believes the opposite
static struct gw_bundle *constant; // always answers one half

static struct gw_bundle *make_bundle(const char *name, float factor, const char *metadata_json)
{
    char path[128];
    struct gw_bundle *bundle = NULL;
    gw_err err = {0};
    snprintf(path, sizeof path, "%s/%s", directory, name);
    test_model_write_variant(path, &(struct test_model_variant){.name = name,
                                                                .version = 1,
                                                                .features = test_model_features,
                                                                .feature_count = test_model_feature_count,
                                                                .metadata_json = metadata_json,
                                                                .factor = factor});
    assert_ok_err(gw_bundle_load(path, &bundle, &err), &err);
    return bundle;
}

static float truth_of(const struct gw_scorer *scorer, const float *row)
{
    float margins[GW_BUNDLE_HEADS_MAX];
    float probabilities[GW_BUNDLE_HEADS_MAX];
    gw_scorer_margins(scorer, row, test_model_feature_count, 1, margins);
    gw_scorer_finish(scorer, margins, 1, probabilities, NULL, NULL);
    return probabilities[0];
}

static void write_rows(void)
{
    static const char *const labels[] = {"is_favorited"};
    const struct gw_examples_header header = {.feature_count = test_model_feature_count,
                                              .feature_names = test_model_features,
                                              .label_count = 1,
                                              .label_names = labels,
                                              .layout = ""};
    struct gw_examples_writer *writer = NULL;
    struct gw_scorer *scorer = NULL;
    struct gw_rng rng;
    gw_err err = {0};
    gw_rng_init(&rng, 3);
    assert_ok_err(gw_scorer_new(truth, NULL, test_model_feature_count, &scorer, &err), &err);
    assert_ok_err(gw_examples_writer_new(gate_path, &header, &writer, &err), &err);
    for (int64_t i = 0; i < ROWS; i++) {
        float row[16];
        for (size_t f = 0; f < test_model_feature_count; f++) {
            row[f] = gw_rng_double(&rng) < 0.5 ? 0.0f : 1000.0f; // on either side of every threshold
        }
        bool positive = gw_rng_double(&rng) < (double)truth_of(scorer, row);
        const struct gw_example example = {.time_ms = i, .label_bits = positive, .weight = 1, .features = row};
        assert_ok_err(gw_examples_append(writer, &example, &err), &err);
    }
    assert_ok_err(gw_examples_finish(writer, &err), &err);
    gw_examples_writer_free(writer);
    gw_scorer_free(scorer);
}

static int begin(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/godwit-gate-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(gate_path, sizeof gate_path, "%s/gate.gwex", directory);
    truth = make_bundle("truth", 3, "{}");
    reversed = make_bundle("reversed", -3, "{}");
    constant = make_bundle("constant", 0, "{}");
    write_rows();
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
    gw_bundle_unref(truth);
    gw_bundle_unref(reversed);
    gw_bundle_unref(constant);
    return nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

// Gives whether it passed, and the reason in `reason`.
static bool decide(struct gw_bundle *candidate, struct gw_bundle *champion, double train_rate, char reason[512])
{
    struct gw_retrain_verdict verdict = {.reason = ""};
    gw_err err = {0};
    const struct gw_retrain_gate_options options = {.candidate = candidate,
                                                    .champion = champion,
                                                    .gate_path = gate_path,
                                                    .train_rate = train_rate,
                                                    .weight_max = 1,
                                                    .margin = 0.002,
                                                    .alpha = 0.05};
    assert_ok_err(gw_retrain_gate(&options, &verdict, &err), &err);
    assert_non_null(strstr((const char *)verdict.json.data, "\"checks\":["));
    snprintf(reason, 512, "%s", verdict.reason);
    gw_buf_deinit(&verdict.json);
    return verdict.passed;
}

static void the_true_model_passes_against_a_wrong_champion(void **state)
{
    (void)state;
    char reason[512];
    bool passed = decide(truth, reversed, 0.6, reason);
    if (!passed) {
        print_error("%s\n", reason);
    }
    assert_true(passed);
}

static void a_worse_candidate_fails(void **state)
{
    (void)state;
    char reason[512];
    assert_false(decide(reversed, truth, 0.6, reason));
    assert_non_null(strstr(reason, "gate FAIL"));
}

static void a_constant_candidate_fails_although_its_loss_is_less(void **state)
{
    (void)state;
    char reason[512];
    assert_false(decide(constant, reversed, 0.6, reason));
    assert_non_null(strstr(reason, "gate PASS"));
    assert_non_null(strstr(reason, "check auc failed"));
}

static void a_prior_that_is_not_what_was_learned_fails(void **state)
{
    (void)state;
    char reason[512];
    assert_false(decide(truth, reversed, 0.02, reason));
    assert_non_null(strstr(reason, "label_prior"));
}

static void a_prior_that_the_champion_never_saw_fails(void **state)
{
    (void)state;
    char reason[512];
    struct gw_bundle *champion =
        make_bundle("champion", -3, "{\"heads\":{\"is_favorited\":{\"trees\":1,\"base_rate\":0.01}}}");
    assert_false(decide(truth, champion, 0.6, reason));
    assert_non_null(strstr(reason, "prior_of_champion"));
    gw_bundle_unref(champion);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_true_model_passes_against_a_wrong_champion),
        cmocka_unit_test(a_worse_candidate_fails),
        cmocka_unit_test(a_constant_candidate_fails_although_its_loss_is_less),
        cmocka_unit_test(a_prior_that_is_not_what_was_learned_fails),
        cmocka_unit_test(a_prior_that_the_champion_never_saw_fails),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
