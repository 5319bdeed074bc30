// SPDX-License-Identifier: MIT
// godwit-train as a program: examples with a known signal in, a bundle out that loads, ranks and comes out the same
// twice.
#include "base/rng.h"
#include "model/bundle.h"
#include "model/examples.h"
#include "model/scorer.h"
#include "support/testkit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FEATURES 6
#define EXAMPLES 4000

static char folder[64];

static const char *const feature_names[FEATURES] = {"a", "b", "c", "d", "e", "f"};
static const char *const label_names[] = {"is_favorited", "is_retweeted", "is_never"};

static void path_of(const char *name, char *to, size_t size)
{
    snprintf(to, size, "%s/%s", folder, name);
}

// is_favorited follows a - b, is_retweeted follows c, is_never does not happen.
static void write_examples(const char *path)
{
    const struct gw_examples_header header = {.feature_count = FEATURES,
                                              .feature_names = feature_names,
                                              .label_count = GW_COUNT_OF(label_names),
                                              .label_names = label_names,
                                              .layout = "00c0ffee"};
    struct gw_rng rng;
    gw_rng_init(&rng, 7);
    struct gw_examples_writer *writer = NULL;
    gw_err err = {0};
    assert_ok_err(gw_examples_writer_new(path, &header, &writer, &err), &err);
    for (int i = 0; i < EXAMPLES; i++) {
        float features[FEATURES];
        for (size_t f = 0; f < FEATURES; f++) {
            features[f] = gw_rng_below(&rng, 20) == 0 ? NAN : (float)gw_rng_normal(&rng);
        }
        features[5] = gw_rng_below(&rng, 50) == 0 ? INFINITY : features[5];
        float signal = (isnan(features[0]) ? 0 : features[0]) - (isnan(features[1]) ? 0 : features[1]);
        uint64_t bits = (double)signal + 0.5 * gw_rng_normal(&rng) > 0.8 ? 1 : 0;
        bits |= (isnan(features[2]) ? 0.0 : (double)features[2]) + gw_rng_normal(&rng) > 1.0 ? 2 : 0;
        const struct gw_example example = {
            .time_ms = 1700000000000 + (int64_t)gw_rng_below(&rng, 1000000),
            .label_bits = bits,
            .weight = 1.0f + (float)(i % 2),
            .features = features,
        };
        assert_ok_err(gw_examples_append(writer, &example, &err), &err);
    }
    assert_ok_err(gw_examples_finish(writer, &err), &err);
    gw_examples_writer_free(writer);
}

// Runs godwit-train in the test's folder; output goes to files there. Gives the exit code.
static int run_train(const char *arguments)
{
    char command[1024];
    snprintf(command, sizeof command, "cd '%s' && '%s/godwit-train' %s >stdout.txt 2>stderr.txt", folder, GW_BINARY_DIR,
             arguments);
    int result = system(command);
    assert_true(WIFEXITED(result));
    return WEXITSTATUS(result);
}

static bool output_contains(const char *file, const char *text)
{
    char path[128];
    char content[65536];
    path_of(file, path, sizeof path);
    FILE *stream = fopen(path, "r");
    assert_non_null(stream);
    size_t size = fread(content, 1, sizeof content - 1, stream);
    fclose(stream);
    content[size] = '\0';
    return strstr(content, text) != NULL;
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/godwit-train-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    char path[128];
    path_of("rows.gwex", path, sizeof path);
    write_examples(path);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

#define SMALL "--rows rows.gwex --model m --trees 30 --depth 4 "

static void bundle_of_two_heads_loads_and_ranks(void **state)
{
    (void)state;
    assert_int_equal(run_train(SMALL "--heads is_favorited,is_retweeted:0.5 --out two"), 0);
    char path[128];
    path_of("two", path, sizeof path);
    struct gw_bundle *bundle = NULL;
    struct gw_scorer *scorer = NULL;
    gw_err err = {0};
    assert_ok_err(gw_bundle_load(path, &bundle, &err), &err);
    const struct gw_bundle_info *info = gw_bundle_info(bundle);
    assert_string_equal(info->model_name, "m");
    assert_int_equal(info->head_count, 2);
    assert_int_equal(info->primary_head, 0);
    assert_string_equal(info->heads[1].name, "is_retweeted");
    assert_true(info->heads[1].weight == 0.5);
    assert_true(info->golden_row_count >= 64);
    assert_int_equal(info->feature_count, FEATURES);
    assert_non_null(strstr(info->metadata_json, "\"normalised_entropy\":0."));
    assert_non_null(strstr(info->metadata_json, "\"layout\":\"00c0ffee\""));

    const float rows[2 * FEATURES] = {2, -2, 0, 0, 0, 0, -2, 2, 0, 0, 0, 0};
    float margins[4];
    float probabilities[4];
    float scores[2];
    float confidences[2];
    assert_ok_err(gw_scorer_new(bundle, NULL, FEATURES, &scorer, &err), &err);
    gw_scorer_margins(scorer, rows, FEATURES, 2, margins);
    gw_scorer_finish(scorer, margins, 2, probabilities, scores, confidences);
    assert_true(confidences[0] > 0.8f && confidences[1] < 0.2f);
    assert_true(confidences[0] == probabilities[0]);
    assert_true(fabsf(scores[0] - (probabilities[0] + 0.5f * probabilities[1])) < 1e-6f);
    gw_scorer_free(scorer);
    gw_bundle_unref(bundle);
}

static void same_seed_and_threads_give_the_same_digest(void **state)
{
    (void)state;
    char digests[2][GW_BUNDLE_DIGEST_BYTES];
    const char *const runs[] = {SMALL "--heads is_favorited --out first", SMALL "--heads is_favorited --out second"};
    for (size_t i = 0; i < 2; i++) {
        char path[128];
        struct gw_bundle *bundle = NULL;
        gw_err err = {0};
        assert_int_equal(run_train(runs[i]), 0);
        path_of(i == 0 ? "first" : "second", path, sizeof path);
        assert_ok_err(gw_bundle_load(path, &bundle, &err), &err);
        memcpy(digests[i], gw_bundle_info(bundle)->digest, sizeof digests[i]);
        assert_true(output_contains("stdout.txt", digests[i]));
        gw_bundle_unref(bundle);
    }
    assert_string_equal(digests[0], digests[1]);
}

static void progress_json_reports_rounds_and_the_end(void **state)
{
    (void)state;
    assert_int_equal(run_train(SMALL "--heads is_favorited --out lines --progress json --early-stopping 0"), 0);
    assert_true(output_contains("stdout.txt", "{\"event\":\"round\",\"head\":\"is_favorited\",\"round\":29,"));
    assert_true(output_contains("stdout.txt", "{\"event\":\"done\",\"digest\":\""));
    assert_true(output_contains("stdout.txt", "\"trees\":30,"));
}

static void early_stopping_keeps_the_best_round(void **state)
{
    (void)state;
    assert_int_equal(run_train("--rows rows.gwex --model m --trees 400 --depth 8 --eta 0.5 --early-stopping 3 "
                               "--heads is_retweeted --out early --progress json"),
                     0);
    assert_false(output_contains("stdout.txt", "\"round\":399,"));
    assert_false(output_contains("stdout.txt", "\"trees\":400,"));
}

static void failures_say_why_and_leave_nothing(void **state)
{
    (void)state;
    assert_int_equal(run_train(SMALL "--heads is_clicked --out none"), 1);
    assert_true(output_contains("stderr.txt", "no label 'is_clicked'"));
    assert_int_equal(run_train(SMALL "--heads is_never --out none"), 1);
    assert_true(output_contains("stderr.txt", "head 'is_never': 0 of 3200 training examples are positive"));
    assert_int_equal(run_train("--rows absent.gwex --model m --heads is_favorited --out none"), 1);
    assert_true(output_contains("stderr.txt", "no file 'absent.gwex'"));
    assert_int_equal(run_train("--rows rows.gwex --model 'a b' --trees 2 --heads is_favorited --out none"), 1);
    assert_true(output_contains("stderr.txt", "model name 'a b' is not a legal name"));
    char path[128];
    path_of("none", path, sizeof path);
    assert_int_equal(access(path, F_OK), -1);
    char command[160];
    snprintf(command, sizeof command, "ls '%s' | grep -q aside", folder);
    assert_int_not_equal(system(command), 0);
}

static void an_existing_bundle_is_not_replaced(void **state)
{
    (void)state;
    assert_int_equal(run_train(SMALL "--heads is_favorited --out taken"), 0);
    assert_int_equal(run_train(SMALL "--heads is_favorited --seed 2 --out taken"), 1);
    assert_true(output_contains("stderr.txt", "cannot rename to 'taken'"));
}

static void wrong_usage_exits_with_two(void **state)
{
    (void)state;
    assert_int_equal(run_train(""), 2);
    assert_int_equal(run_train(SMALL "--heads a --out x --depth 99"), 2);
    assert_true(output_contains("stderr.txt", "--depth '99', expected 1 to 16"));
    assert_int_equal(run_train(SMALL "--heads a,a --out x"), 2);
    assert_int_equal(run_train(SMALL "--heads a: --out x"), 2);
    assert_int_equal(run_train(SMALL "--heads a --out x --sedd 1"), 2);
    assert_true(output_contains("stderr.txt", "unknown option '--sedd'"));
    assert_int_equal(run_train(SMALL "--heads a --out"), 2);
    assert_int_equal(run_train("--help"), 0);
    assert_true(output_contains("stdout.txt", "usage: godwit-train"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bundle_of_two_heads_loads_and_ranks),
        cmocka_unit_test(same_seed_and_threads_give_the_same_digest),
        cmocka_unit_test(progress_json_reports_rounds_and_the_end),
        cmocka_unit_test(early_stopping_keeps_the_best_round),
        cmocka_unit_test(failures_say_why_and_leave_nothing),
        cmocka_unit_test(an_existing_bundle_is_not_replaced),
        cmocka_unit_test(wrong_usage_exits_with_two),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
