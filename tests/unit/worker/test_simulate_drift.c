// SPDX-License-Identifier: MIT
// Drifts in example files: equal before, moved as said behind, in the features that they name.
#include "worker/simulate_drift.h"

#include "base/ini.h"
#include "base/mem.h"
#include "model/examples.h"
#include "support/testkit.h"
#include "worker/entity.h"
#include "worker/simulate_records.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define END_MS     1750000000000LL
#define HISTORY_US (6LL * 3600 * 1000000)
#define WARM_UP_US (1LL * 3600 * 1000000)
#define START_MS   (END_MS - HISTORY_US / 1000)
#define OFFSET_MS  (2LL * 3600 * 1000)
#define SETTLED_MS (START_MS + OFFSET_MS + GW_SIM_BACKFILL_MS)

static const char *const features[] = {"request.source_score", "author.follower_count", "user.state",
                                       "user.follower_count",  "author.account_age_s",  "tweet.text_length",
                                       "tweet.is_retweet",     "request.in_network"};
enum { SCORE, AUTHOR_FOLLOWERS, STATE, FOLLOWERS, AUTHOR_AGE, LENGTH, RETWEET, IN_NETWORK };

struct fixture {
    struct gw_entity_vocabulary vocabulary;
    struct gw_runtime runtime;
    atomic_bool stop;
    char directory[64];
    char paths[2][96];
};

static void set_up(struct fixture *f)
{
    char *text = NULL;
    size_t size = 0;
    *f = (struct fixture){.directory = "/tmp/gw-drift-XXXXXX"};
    gw_entity_vocabulary_init(&f->vocabulary);
    assert_ok(gw_file_read(GW_SOURCE_DIR "/schemas/features.ini", 1 << 20, &text, &size, NULL));
    assert_ok(
        gw_feature_set_compile("features.ini", text, size, &f->vocabulary.vocabulary, &f->runtime.features, NULL));
    gw_mem_free(text);
    f->runtime.stop = &f->stop;
    assert_non_null(mkdtemp(f->directory));
    for (int i = 0; i < 2; i++) {
        snprintf(f->paths[i], sizeof f->paths[i], "%s/%d", f->directory, i);
    }
}

static void tear_down(struct fixture *f)
{
    unlink(f->paths[0]);
    unlink(f->paths[1]);
    assert_int_equal(rmdir(f->directory), 0);
    gw_feature_set_free(f->runtime.features);
}

// Writes the small world with the drift, or without one when it is NULL.
static struct gw_examples_report write_examples(const struct fixture *f, int which, const struct gw_sim_drift *drift)
{
    struct gw_examples_run run = {.world = {.seed = 11,
                                            .user_count = 300,
                                            .author_count = 40,
                                            .tweets_alive = 500,
                                            .candidates_mean = 20,
                                            .requests_per_s = 0.2,
                                            .history_us = HISTORY_US},
                                  .path = f->paths[which],
                                  .feature_names = features,
                                  .feature_count = GW_COUNT_OF(features),
                                  .warm_up_us = WARM_UP_US,
                                  .end_ms = END_MS};
    struct gw_examples_report report = {0};
    gw_err err = {0};
    if (drift != NULL) {
        run.world.drifts[0] = *drift;
        run.world.drift_count = 1;
    }
    assert_ok_err(gw_simulate_examples(&f->runtime, &run, &report, &err), &err);
    return report;
}

// Means over the examples behind the switch that have the value, and the share that has none.
struct behind {
    double count;
    double mean[GW_COUNT_OF(features)];
    double missing[GW_COUNT_OF(features)];
};

static struct behind read_behind(const struct fixture *f, int which)
{
    struct gw_examples_reader *reader = NULL;
    struct gw_example example;
    struct behind behind = {0};
    bool more = true;
    assert_ok(gw_examples_reader_new(f->paths[which], &reader, NULL));
    for (;;) {
        assert_ok(gw_examples_next(reader, &example, &more, NULL));
        if (!more) {
            break;
        }
        if (example.time_ms < SETTLED_MS) {
            continue;
        }
        behind.count++;
        for (size_t i = 0; i < GW_COUNT_OF(features); i++) {
            double value = (double)example.features[i];
            behind.missing[i] += isnan(value);
            behind.mean[i] += isnan(value) ? 0.0 : value;
        }
    }
    gw_examples_reader_free(reader);
    assert_true(behind.count > 1000);
    for (size_t i = 0; i < GW_COUNT_OF(features); i++) {
        behind.mean[i] /= behind.count - behind.missing[i];
        behind.missing[i] /= behind.count;
    }
    return behind;
}

static void examples_are_the_same_until_the_offset(void **state)
{
    (void)state;
    const struct gw_sim_drift drift = {.kind = GW_SIM_DRIFT_SHIFT, .amount = 1.0, .from_ms = OFFSET_MS};
    struct fixture f;
    struct gw_examples_reader *readers[2] = {NULL};
    size_t same = 0;
    set_up(&f);
    struct gw_examples_report plain = write_examples(&f, 0, NULL);
    struct gw_examples_report drifted = write_examples(&f, 1, &drift);
    assert_int_equal(plain.examples, drifted.examples);
    assert_memory_equal(plain.positives, drifted.positives, sizeof plain.positives);
    assert_true(plain.auc_truth == drifted.auc_truth); // what viewers do is no matter of records
    for (int i = 0; i < 2; i++) {
        assert_ok(gw_examples_reader_new(f.paths[i], &readers[i], NULL));
    }
    for (size_t n = 0; n < plain.examples; n++) {
        struct gw_example examples[2];
        bool more = false;
        for (int i = 0; i < 2; i++) {
            assert_ok(gw_examples_next(readers[i], &examples[i], &more, NULL));
            assert_true(more);
        }
        assert_true(examples[0].time_ms == examples[1].time_ms && examples[0].label_bits == examples[1].label_bits);
        bool is_same = memcmp(examples[0].features, examples[1].features, sizeof(float) * GW_COUNT_OF(features)) == 0;
        assert_int_equal(is_same, examples[0].time_ms < START_MS + OFFSET_MS);
        same += is_same;
    }
    assert_true(same > 500 && same < plain.examples);
    gw_examples_reader_free(readers[0]);
    gw_examples_reader_free(readers[1]);
    tear_down(&f);
}

static void drifts_reach_the_features_that_they_name(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    struct gw_sim_drift drift = {.kind = GW_SIM_DRIFT_SHIFT, .amount = 1.0, .from_ms = OFFSET_MS};
    (void)write_examples(&f, 0, NULL);
    struct behind plain = read_behind(&f, 0);
    (void)write_examples(&f, 1, &drift);
    struct behind shifted = read_behind(&f, 1);
    assert_true(fabs(shifted.mean[SCORE] - plain.mean[SCORE] - 0.71) < 1e-4);
    assert_true(fabs(shifted.mean[FOLLOWERS] / plain.mean[FOLLOWERS] / exp(1.0 / 1.1) - 1.0) < 0.01);
    assert_true(fabs(shifted.mean[AUTHOR_FOLLOWERS] / plain.mean[AUTHOR_FOLLOWERS] / exp(1.0 / 1.1) - 1.0) < 0.01);
    assert_true(fabs((shifted.mean[LENGTH] - 5.0) / (plain.mean[LENGTH] - 5.0) / exp(0.67) - 1.0) < 0.02);
    assert_true(shifted.mean[IN_NETWORK] == plain.mean[IN_NETWORK] && shifted.mean[STATE] == plain.mean[STATE]);

    drift = (struct gw_sim_drift){.kind = GW_SIM_DRIFT_MISSING, .amount = 0.5, .from_ms = OFFSET_MS};
    (void)write_examples(&f, 1, &drift);
    struct behind missing = read_behind(&f, 1);
    assert_true(plain.missing[SCORE] + plain.missing[STATE] + plain.missing[AUTHOR_AGE] == 0.0);
    assert_true(fabs(missing.missing[SCORE] - 0.5) < 0.05);
    assert_true(missing.missing[STATE] > 0.2 && missing.missing[STATE] < 0.8); // few users ask often
    assert_true(missing.missing[AUTHOR_AGE] > 0.2 && missing.missing[AUTHOR_AGE] < 0.8);
    assert_true(missing.missing[IN_NETWORK] == 0.0 && missing.missing[FOLLOWERS] == 0.0);

    drift = (struct gw_sim_drift){.kind = GW_SIM_DRIFT_CATEGORY, .amount = 0.3, .from_ms = OFFSET_MS};
    (void)write_examples(&f, 1, &drift);
    assert_true(plain.mean[RETWEET] == 0.0);
    assert_true(fabs(read_behind(&f, 1).mean[RETWEET] - 0.3) < 0.15);
    tear_down(&f);
}

static void concept_leaves_features_from_records_alone_and_is_repeatable(void **state)
{
    (void)state;
    const struct gw_sim_drift drift = {.kind = GW_SIM_DRIFT_CONCEPT, .amount = 1.0, .from_ms = OFFSET_MS};
    struct fixture f;
    char *texts[2] = {NULL};
    size_t sizes[2] = {0};
    set_up(&f);
    (void)write_examples(&f, 0, &drift);
    (void)write_examples(&f, 1, &drift);
    for (int i = 0; i < 2; i++) {
        assert_ok(gw_file_read(f.paths[i], 256 << 20, &texts[i], &sizes[i], NULL));
    }
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(texts[0], texts[1], sizes[0]);
    gw_mem_free(texts[0]);
    gw_mem_free(texts[1]);
    struct behind turned = read_behind(&f, 1);
    (void)write_examples(&f, 0, NULL);
    struct behind plain = read_behind(&f, 0);
    assert_true(fabs(turned.mean[SCORE] - plain.mean[SCORE]) < 0.03);
    assert_true(fabs(turned.mean[LENGTH] / plain.mean[LENGTH] - 1.0) < 0.03);
    tear_down(&f);
}

static void offsets_count_from_the_start(void **state)
{
    (void)state;
    const struct gw_simulate_options options = {.drifts = {{.kind = GW_SIM_DRIFT_SHIFT, .amount = 1.0, .from_ms = 7},
                                                           {.kind = GW_SIM_DRIFT_DELAY, .amount = 2.0}},
                                                .drift_count = 2};
    struct gw_sim_drift drifts[GW_SIM_DRIFTS_MAX];
    assert_int_equal(gw_simulate_drifts_from(&options, START_MS, drifts), 2);
    assert_true(drifts[0].from_ms == START_MS + 7 && drifts[0].amount == 1.0);
    assert_true(drifts[1].from_ms == START_MS && drifts[1].kind == GW_SIM_DRIFT_DELAY);
}

static void backfill_is_an_edit_and_a_profile_may_lack_its_state(void **state)
{
    (void)state;
    struct gw_simulate_converter *converter = NULL;
    struct gw_simulate_record record;
    assert_ok(gw_simulate_converter_new(&converter, NULL));
    struct gw_sim_event event = {
        .kind = GW_SIM_TWEET,
        .time_ms = START_MS,
        .tweet = {.tweet_id = 5, .author_id = 6, .is_edit = true, .is_retweet = true, .language = "en"}};
    gw_simulate_convert(converter, &event, 0, &record);
    assert_int_equal(record.tweet.kind, GW_TWEET_EVENT_KIND_EDIT);
    assert_true(record.tweet.is_retweet);
    event = (struct gw_sim_event){.kind = GW_SIM_PROFILE, .profile = {.user_id = 5, .country_code = "US"}};
    gw_simulate_convert(converter, &event, 0, &record);
    assert_int_equal(record.profile.user_state, GW_USER_STATE_UNKNOWN);
    gw_simulate_converter_free(converter);
}

GW_TESTS(examples_are_the_same_until_the_offset, drifts_reach_the_features_that_they_name,
         concept_leaves_features_from_records_alone_and_is_repeatable, offsets_count_from_the_start,
         backfill_is_an_edit_and_a_profile_may_lack_its_state)
