// SPDX-License-Identifier: MIT
// What godwit-train, run as a program, puts beside its models: the drift reference and the calibration. Both are made
// again here, from the files and the bundle as it is served, and have to agree.
#include "base/mem.h"
#include "base/rng.h"
#include "drift/concept.h"
#include "drift/profile.h"
#include "model/bundle.h"
#include "model/examples.h"
#include "model/scorer.h"
#include "support/testkit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FEATURES 4
#define HEADS    2

static char folder[64];

static const char *const feature_names[] = {"a", "b", "sometimes_infinite", "kind"};
static const char *const label_names[HEADS] = {"is_favorited", "is_retweeted"};

static const char *path_of(const char *name)
{
    static char paths[2][128];
    static size_t turn;
    char *path = paths[turn++ % 2];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

struct recipe {
    const char *name;
    const char *const *features;
    size_t count;
    uint64_t seed;
    double negatives;      // share of rows without is_favorited that are written
    float positive_weight; // of rows with is_favorited; others have 1
};

// is_favorited follows a - b, is_retweeted follows b. Times are in no order.
static void write_examples(const struct recipe *recipe)
{
    const struct gw_examples_header header = {.feature_count = FEATURES,
                                              .feature_names = recipe->features,
                                              .label_count = HEADS,
                                              .label_names = label_names,
                                              .layout = "00c0ffee"};
    struct gw_rng rng;
    struct gw_examples_writer *writer = NULL;
    gw_err err = {0};
    gw_rng_init(&rng, recipe->seed);
    assert_ok_err(gw_examples_writer_new(path_of(recipe->name), &header, &writer, &err), &err);
    for (size_t written = 0; written < recipe->count;) {
        float features[FEATURES];
        for (size_t f = 0; f < 3; f++) {
            features[f] = gw_rng_below(&rng, 20) == 0 ? NAN : (float)gw_rng_normal(&rng);
        }
        features[2] = gw_rng_below(&rng, 50) == 0 ? INFINITY : features[2];
        features[3] = (float)gw_rng_below(&rng, 5);
        double a = isnan(features[0]) ? 0 : (double)features[0];
        double b = isnan(features[1]) ? 0 : (double)features[1];
        uint64_t bits = gw_rng_double(&rng) < 1 / (1 + exp(-(a - b - 1))) ? 1 : 0;
        bits |= gw_rng_double(&rng) < 1 / (1 + exp(-(b - 1))) ? 2 : 0;
        const struct gw_example example = {
            .time_ms = 1700000000000 + (int64_t)gw_rng_below(&rng, 1000000),
            .label_bits = bits,
            .weight = (bits & 1) != 0 ? recipe->positive_weight : 1,
            .features = features,
        };
        if ((bits & 1) != 0 || gw_rng_double(&rng) < recipe->negatives) {
            assert_ok_err(gw_examples_append(writer, &example, &err), &err);
            written++;
        }
    }
    assert_ok_err(gw_examples_finish(writer, &err), &err);
    gw_examples_writer_free(writer);
}

static void write_plain(const char *name, size_t count, uint64_t seed)
{
    write_examples(&(struct recipe){
        .name = name, .features = feature_names, .count = count, .seed = seed, .negatives = 1, .positive_weight = 1});
}

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
    char content[65536];
    FILE *stream = fopen(path_of(file), "r");
    assert_non_null(stream);
    size_t size = fread(content, 1, sizeof content - 1, stream);
    fclose(stream);
    content[size] = '\0';
    return strstr(content, text) != NULL;
}

static struct gw_bundle *load_bundle(const char *name)
{
    struct gw_bundle *bundle = NULL;
    gw_err err = {0};
    assert_ok_err(gw_bundle_load(path_of(name), &bundle, &err), &err);
    return bundle;
}

static struct gw_drift_profile *read_profile(const struct gw_bundle *bundle)
{
    struct gw_drift_profile *profile = NULL;
    gw_err err = {0};
    assert_ok_err(gw_drift_profile_read(gw_bundle_info(bundle)->profile, &profile, &err), &err);
    return profile;
}

// A number of the bundle's metadata, behind `key` after `from`.
static double metadata(const struct gw_bundle *bundle, const char *from, const char *key)
{
    const char *at = strstr(gw_bundle_info(bundle)->metadata_json, from);
    assert_non_null(at);
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    at = strstr(at, quoted);
    assert_non_null(at);
    return strtod(at + strlen(quoted), NULL);
}

// ---- the same again, by hand

struct row {
    int64_t time_ms;
    size_t index;
    uint64_t bits;
    float features[FEATURES];
};

static int compare_rows(const void *a, const void *b)
{
    const struct row *x = a;
    const struct row *y = b;
    if (x->time_ms != y->time_ms) {
        return x->time_ms < y->time_ms ? -1 : 1;
    }
    return (x->index > y->index) - (x->index < y->index);
}

struct table {
    size_t count;
    float *features; // [count][FEATURES]
    uint64_t *bits;
};

static struct table read_table(const char *name)
{
    struct gw_examples_reader *reader = NULL;
    gw_err err = {0};
    assert_ok_err(gw_examples_reader_new(path_of(name), &reader, &err), &err);
    struct table table = {.count = gw_examples_count(reader)};
    struct row *rows = gw_mem_calloc(table.count, sizeof *rows);
    table.features = gw_mem_calloc(table.count * FEATURES, sizeof(float));
    table.bits = gw_mem_calloc(table.count, sizeof *table.bits);
    assert_true(rows != NULL && table.features != NULL && table.bits != NULL);
    for (size_t i = 0; i < table.count; i++) {
        struct gw_example example = {0};
        bool more = false;
        assert_ok(gw_examples_next(reader, &example, &more, NULL));
        rows[i] = (struct row){.time_ms = example.time_ms, .index = i, .bits = example.label_bits};
        memcpy(rows[i].features, example.features, sizeof rows[i].features);
    }
    gw_examples_reader_free(reader);
    qsort(rows, table.count, sizeof *rows, compare_rows);
    for (size_t i = 0; i < table.count; i++) {
        memcpy(table.features + i * FEATURES, rows[i].features, sizeof rows[i].features);
        table.bits[i] = rows[i].bits;
    }
    gw_mem_free(rows);
    return table;
}

static void free_table(struct table *table)
{
    gw_mem_free(table->features);
    gw_mem_free(table->bits);
}

struct scored {
    float *probabilities; // [count][HEADS]
    float *scores;
};

static struct scored score_table(struct gw_bundle *bundle, const float *features, size_t count)
{
    struct gw_scorer *scorer = NULL;
    gw_err err = {0};
    assert_ok_err(gw_scorer_new(bundle, NULL, FEATURES, &scorer, &err), &err);
    float *margins = gw_mem_calloc(count * HEADS, sizeof *margins);
    struct scored scored = {.probabilities = gw_mem_calloc(count * HEADS, sizeof(float)),
                            .scores = gw_mem_calloc(count, sizeof(float))};
    assert_true(margins != NULL && scored.probabilities != NULL && scored.scores != NULL);
    gw_scorer_margins(scorer, features, FEATURES, count, margins);
    gw_scorer_finish(scorer, margins, count, scored.probabilities, scored.scores, NULL);
    gw_scorer_free(scorer);
    gw_mem_free(margins);
    return scored;
}

static void free_scored(struct scored *scored)
{
    gw_mem_free(scored->probabilities);
    gw_mem_free(scored->scores);
}

// The profile that belongs into the bundle, byte by byte. `reference` NULL: of the examples.
static void check_profile(struct gw_bundle *bundle, const char *examples, const char *reference, double tolerance)
{
    struct table rows = read_table(examples);
    struct table other = reference != NULL ? read_table(reference) : (struct table){0};
    const size_t held_out = (size_t)((double)rows.count * 0.2);
    const size_t first = rows.count - held_out;
    struct scored holdout = score_table(bundle, rows.features + first * FEATURES, held_out);
    struct scored scored = reference != NULL ? score_table(bundle, other.features, other.count) : (struct scored){0};
    uint8_t *labels = gw_mem_calloc(held_out * HEADS, 1);
    assert_non_null(labels);
    for (size_t i = 0; i < held_out; i++) {
        labels[i * HEADS] = (uint8_t)(rows.bits[first + i] & 1);
        labels[i * HEADS + 1] = (uint8_t)(rows.bits[first + i] >> 1 & 1);
    }
    const struct gw_drift_rows in = {
        .values = reference != NULL ? other.features : rows.features,
        .row_count = reference != NULL ? other.count : first,
        .feature_count = FEATURES,
        .names = feature_names,
        .scores = reference != NULL ? scored.scores : holdout.scores,
        .score_count = reference != NULL ? other.count : held_out,
        .labelled_count = held_out,
        .probabilities = holdout.probabilities,
        .labels = labels,
        .head_count = HEADS,
        .head_names = label_names,
    };
    const struct gw_drift_build_options options = {.tolerance_min = tolerance};
    struct gw_drift_profile *profile = NULL;
    struct gw_buf bytes = {0};
    gw_err err = {0};
    assert_ok_err(gw_drift_profile_build(&in, &options, &profile, &err), &err);
    assert_ok_err(gw_drift_profile_write(profile, &bytes, &err), &err);
    const struct gw_slice found = gw_bundle_info(bundle)->profile;
    assert_int_equal(found.size, bytes.size);
    assert_memory_equal(found.data, bytes.data, bytes.size);

    // The metadata tells the same.
    for (size_t h = 0; h < HEADS; h++) {
        char head[64];
        double loss = 0;
        snprintf(head, sizeof head, "\"%s\":{\"trees\"", label_names[h]);
        for (size_t i = 0; i < held_out; i++) {
            loss += gw_drift_log_loss(holdout.probabilities[i * HEADS + h], labels[i * HEADS + h] == 1);
        }
        loss /= (double)held_out;
        assert_true(fabs(metadata(bundle, head, "log_loss") - loss) < 1e-5);
        assert_true(metadata(bundle, head, "baseline_loss") == profile->heads[h].mean);
        assert_true(profile->heads[h].mean <= loss && profile->heads[h].mean > loss - 0.01); // it is clipped
    }
    assert_true(metadata(bundle, "\"reference\":{", "rows") == (double)in.row_count);
    assert_true(metadata(bundle, "\"reference\":{", "tolerance") == tolerance);
    gw_buf_deinit(&bytes);
    gw_drift_profile_free(profile);
    free_scored(&holdout);
    free_scored(&scored);
    free_table(&rows);
    free_table(&other);
    gw_mem_free(labels);
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/godwit-reference-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    write_plain("rows.gwex", 4000, 7);
    write_plain("live.gwex", 1500, 8);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

#define TRAIN "--rows rows.gwex --model m --trees 12 --depth 3 --heads is_favorited,is_retweeted:0.5 "

static void a_reference_file_becomes_the_profile(void **state)
{
    (void)state;
    assert_int_equal(run_train(TRAIN "--reference live.gwex --out live"), 0);
    struct gw_bundle *bundle = load_bundle("live");
    check_profile(bundle, "rows.gwex", "live.gwex", 0);
    assert_non_null(strstr(gw_bundle_info(bundle)->metadata_json, "\"source\":\"reference\""));

    struct gw_drift_profile *profile = read_profile(bundle);
    assert_int_equal(profile->feature_count, FEATURES);
    for (size_t f = 0; f < FEATURES; f++) {
        assert_string_equal(profile->features[f].name, feature_names[f]);
        assert_int_equal(profile->features[f].sample_count, 1500);
    }
    assert_true(profile->has_score);
    assert_int_equal(profile->score->sample_count, 1500);
    assert_int_equal(profile->head_count, HEADS);
    assert_string_equal(profile->heads[1].name, "is_retweeted");
    assert_int_equal(profile->heads[1].sample_count, 800);
    // An infinity is as unseen in the reference as it is when served.
    const struct gw_drift_feature *infinite = &profile->features[2];
    assert_true(fabs(infinite->share[infinite->bin_count + 1] - 0.02) < 0.015);
    gw_drift_profile_free(profile);
    gw_bundle_unref(bundle);
}

static void without_a_file_the_examples_are_the_reference(void **state)
{
    (void)state;
    assert_int_equal(run_train(TRAIN "--out own"), 0);
    assert_true(output_contains("stderr.txt", "drift reference: 3200 vectors (training), losses of 800 held-out"));
    assert_true(output_contains("stderr.txt", "concept drift will not be watched: that takes 10000 held-out examples, "
                                              "about 50000 in all"));
    struct gw_bundle *bundle = load_bundle("own");
    check_profile(bundle, "rows.gwex", NULL, 0);
    assert_non_null(strstr(gw_bundle_info(bundle)->metadata_json, "\"source\":\"training\""));
    gw_bundle_unref(bundle);
}

static void the_tolerance_is_the_least_of_every_stream(void **state)
{
    (void)state;
    assert_int_equal(run_train(TRAIN "--drift-tolerance 0.3 --out tolerant"), 0);
    struct gw_bundle *bundle = load_bundle("tolerant");
    check_profile(bundle, "rows.gwex", NULL, 0.3);
    struct gw_drift_profile *profile = read_profile(bundle);
    assert_true(profile->features[0].tolerance == 0.3);
    assert_true(profile->score->tolerance == 0.3);
    gw_drift_profile_free(profile);
    gw_bundle_unref(bundle);
}

static void the_same_reference_gives_the_same_digest_and_another_one_another(void **state)
{
    (void)state;
    static const char *const runs[] = {TRAIN "--reference live.gwex --out first",
                                       TRAIN "--reference live.gwex --out second", TRAIN "--out third"};
    static const char *const names[] = {"first", "second", "third"};
    char digests[3][GW_BUNDLE_DIGEST_BYTES];
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(run_train(runs[i]), 0);
        struct gw_bundle *bundle = load_bundle(names[i]);
        memcpy(digests[i], gw_bundle_info(bundle)->digest, sizeof digests[i]);
        gw_bundle_unref(bundle);
    }
    assert_string_equal(digests[0], digests[1]);
    assert_string_not_equal(digests[0], digests[2]);
}

static void too_few_rows_make_a_bundle_without_a_profile(void **state)
{
    (void)state;
    write_plain("few.gwex", 99, 9);
    write_plain("none.gwex", 0, 9);
    static const char *const runs[] = {TRAIN "--reference few.gwex --out few", TRAIN "--reference none.gwex --out none",
                                       "--rows few.gwex --model m --trees 2 --heads is_favorited --out tiny"};
    static const char *const names[] = {"few", "none", "tiny"};
    static const char *const reasons[] = {
        "no drift reference: 99 vectors, 99 scores and 800 held-out examples, of each at least 100 are needed",
        "no drift reference: 0 vectors, 0 scores and 800 held-out examples",
        "no drift reference: 80 vectors, 19 scores and 19 held-out examples"};
    for (size_t i = 0; i < GW_COUNT_OF(runs); i++) {
        assert_int_equal(run_train(runs[i]), 0);
        assert_true(output_contains("stderr.txt", reasons[i]));
        struct gw_bundle *bundle = load_bundle(names[i]);
        assert_int_equal(gw_bundle_info(bundle)->profile.size, 0);
        assert_null(strstr(gw_bundle_info(bundle)->metadata_json, "\"reference\""));
        assert_null(strstr(gw_bundle_info(bundle)->metadata_json, "\"baseline_loss\""));
        gw_bundle_unref(bundle);
    }
}

static void a_wrong_reference_fails_before_anything_is_trained(void **state)
{
    (void)state;
    static const char *const swapped[] = {"b", "a", "sometimes_infinite", "kind"};
    write_examples(&(struct recipe){
        .name = "swapped.gwex", .features = swapped, .count = 200, .seed = 1, .negatives = 1, .positive_weight = 1});
    assert_int_equal(run_train(TRAIN "--progress json --reference swapped.gwex --out wrong"), 1);
    assert_true(output_contains("stderr.txt", "feature 0 is 'b', in the examples 'a'"));
    assert_false(output_contains("stdout.txt", "round"));
    assert_int_equal(run_train(TRAIN "--progress json --reference absent.gwex --out wrong"), 1);
    assert_true(output_contains("stderr.txt", "no file 'absent.gwex'"));
    assert_false(output_contains("stdout.txt", "round"));
    assert_int_equal(access(path_of("wrong"), F_OK), -1);
}

static void enough_held_out_examples_make_a_baseline_that_is_watched(void **state)
{
    (void)state;
    write_plain("many.gwex", 12600, 3);
    assert_int_equal(run_train("--rows many.gwex --model m --trees 2 --depth 2 --heads is_favorited --holdout 0.8 "
                               "--early-stopping 0 --out many"),
                     0);
    assert_false(output_contains("stderr.txt", "concept drift"));
    struct gw_bundle *bundle = load_bundle("many");
    struct gw_drift_profile *profile = read_profile(bundle);
    struct gw_drift_concept concept;
    gw_err err = {0};
    assert_int_equal(profile->heads[0].sample_count, 10080);
    assert_ok_err(gw_drift_concept_init(&concept, &profile->heads[0], &err), &err);
    gw_drift_profile_free(profile);
    gw_bundle_unref(bundle);
}

static void a_baseline_as_sampled_counts_every_held_out_row(void **state)
{
    (void)state;
    write_examples(&(struct recipe){.name = "mixed.gwex",
                                    .features = feature_names,
                                    .count = 6000,
                                    .seed = 22,
                                    .negatives = 1,
                                    .positive_weight = 0.25f});
    uint64_t counts[2];
    static const char *const kinds[] = {"weighted", "as-sampled"};
    for (size_t i = 0; i < GW_COUNT_OF(kinds); i++) {
        char arguments[300];
        snprintf(arguments, sizeof arguments,
                 "--rows mixed.gwex --model m --trees 2 --depth 2 --heads is_favorited --holdout 0.5 "
                 "--baseline %s --out baseline-%s",
                 kinds[i], kinds[i]);
        assert_int_equal(run_train(arguments), 0);
        snprintf(arguments, sizeof arguments, "baseline-%s", kinds[i]);
        struct gw_bundle *bundle = load_bundle(arguments);
        struct gw_drift_profile *profile = read_profile(bundle);
        counts[i] = profile->heads[0].sample_count;
        gw_drift_profile_free(profile);
        gw_bundle_unref(bundle);
    }
    assert_true(counts[0] < counts[1]);
    assert_int_equal(counts[1], 3000);
    assert_int_equal(run_train(TRAIN "--baseline light --out x"), 2);
}

// Deep trees and no early stopping say 0 and 1 where they should say 0.2 and 0.8.
static void an_overconfident_model_is_calibrated(void **state)
{
    (void)state;
    assert_int_equal(run_train("--rows rows.gwex --model m --trees 60 --depth 10 --eta 0.5 --early-stopping 0 "
                               "--heads is_favorited,is_retweeted --out deep"),
                     0);
    struct gw_bundle *bundle = load_bundle("deep");
    const char *said = gw_bundle_info(bundle)->metadata_json;
    assert_non_null(strstr(said, "\"calibration\":\"platt\""));
    assert_null(strstr(said, "\"calibration\":\"identity\""));
    assert_true(output_contains("deep/bundle.json", "\"kind\":\"platt\""));
    assert_true(metadata(bundle, "\"is_favorited\":{\"trees\"", "normalised_entropy") < 1);
    assert_true(fabs(metadata(bundle, "\"is_favorited\":{\"trees\"", "calibration_ratio") - 1) < 0.02);
    check_profile(bundle, "rows.gwex", NULL, 0);
    gw_bundle_unref(bundle);
}

// The share of positives among all rows, by independent draws of the same world.
static double true_rate(void)
{
    write_plain("truth.gwex", 8000, 77);
    struct table table = read_table("truth.gwex");
    size_t positives = 0;
    for (size_t i = 0; i < table.count; i++) {
        positives += table.bits[i] & 1;
    }
    double rate = (double)positives / (double)table.count;
    free_table(&table);
    return rate;
}

static void left_out_negatives_are_made_up_for(void **state)
{
    (void)state;
    const double rate = true_rate();
    write_examples(&(struct recipe){.name = "weighted.gwex",
                                    .features = feature_names,
                                    .count = 6000,
                                    .seed = 21,
                                    .negatives = 0.25,
                                    .positive_weight = 0.25f});
    write_examples(&(struct recipe){.name = "sampled.gwex",
                                    .features = feature_names,
                                    .count = 6000,
                                    .seed = 21,
                                    .negatives = 0.25,
                                    .positive_weight = 1});
    static const char *const runs[] = {
        "--rows weighted.gwex --model m --trees 20 --depth 3 --heads is_favorited --out weighted",
        "--rows sampled.gwex --model m --trees 20 --depth 3 --heads is_favorited --negative-rate 0.25 --out sampled"};
    static const char *const names[] = {"weighted", "sampled"};
    for (size_t i = 0; i < GW_COUNT_OF(runs); i++) {
        assert_int_equal(run_train(runs[i]), 0);
        assert_true(output_contains("stderr.txt", "weights differ: "));
        struct gw_bundle *bundle = load_bundle(names[i]);
        struct gw_drift_profile *profile = read_profile(bundle);
        assert_true(profile->heads[0].sample_count < 1000);
        assert_true(fabs(profile->heads[0].base_rate - rate) < 0.05);
        assert_true(fabs(metadata(bundle, "\"is_favorited\":{\"trees\"", "calibration_ratio") - 1) < 0.1);
        gw_drift_profile_free(profile);
        gw_bundle_unref(bundle);
    }
    assert_true(output_contains("sampled/bundle.json", "\"negative_rate\":0.25"));
    assert_int_equal(run_train(TRAIN "--negative-rate 0.25 --out x"), 2);
    assert_true(output_contains("stderr.txt", "--negative-rate is about the negatives of one head"));
    assert_int_equal(run_train(TRAIN "--drift-tolerance 2 --out x"), 2);
    assert_true(output_contains("stderr.txt", "--drift-tolerance '2', expected 0 to 1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reference_file_becomes_the_profile),
        cmocka_unit_test(without_a_file_the_examples_are_the_reference),
        cmocka_unit_test(the_tolerance_is_the_least_of_every_stream),
        cmocka_unit_test(the_same_reference_gives_the_same_digest_and_another_one_another),
        cmocka_unit_test(too_few_rows_make_a_bundle_without_a_profile),
        cmocka_unit_test(a_wrong_reference_fails_before_anything_is_trained),
        cmocka_unit_test(enough_held_out_examples_make_a_baseline_that_is_watched),
        cmocka_unit_test(a_baseline_as_sampled_counts_every_held_out_row),
        cmocka_unit_test(an_overconfident_model_is_calibrated),
        cmocka_unit_test(left_out_negatives_are_made_up_for),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
