// SPDX-License-Identifier: MIT
// Offline examples against independent recounts of the same small world.
#include "worker/simulate.h"

#include "base/ini.h"
#include "base/mem.h"
#include "feature/plan.h"
#include "label/bits.h"
#include "model/examples.h"
#include "support/testkit.h"
#include "worker/score_sample.h"
#include "worker/simulate_records.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define END_MS     1750000000123LL
#define HISTORY_US (8LL * 3600 * 1000000)
#define WARM_UP_US (2LL * 3600 * 1000000)
#define HOUR_MS    3600000LL

struct fixture {
    struct gw_entity_vocabulary vocabulary;
    struct gw_runtime runtime;
    atomic_bool stop;
    char directory[64];
    char path[96];
    char reference[96];
};

static void set_up(struct fixture *f)
{
    char *text = NULL;
    size_t size = 0;
    gw_err err = {0};
    *f = (struct fixture){.directory = "/tmp/gw-simulate-XXXXXX"};
    gw_entity_vocabulary_init(&f->vocabulary);
    assert_ok_err(gw_file_read(GW_SOURCE_DIR "/schemas/features.ini", 1 << 20, &text, &size, &err), &err);
    assert_ok_err(
        gw_feature_set_compile("features.ini", text, size, &f->vocabulary.vocabulary, &f->runtime.features, &err),
        &err);
    gw_mem_free(text);
    f->runtime.stop = &f->stop;
    assert_non_null(mkdtemp(f->directory));
    snprintf(f->path, sizeof f->path, "%s/examples", f->directory);
    snprintf(f->reference, sizeof f->reference, "%s/reference", f->directory);
}

static void tear_down(struct fixture *f)
{
    unlink(f->path);
    unlink(f->reference);
    assert_int_equal(rmdir(f->directory), 0); // nothing else was left there
    gw_feature_set_free(f->runtime.features);
}

static struct gw_examples_run small_run(const struct fixture *f)
{
    return (struct gw_examples_run){.world = {.seed = 11,
                                              .user_count = 300,
                                              .author_count = 40,
                                              .tweets_alive = 500,
                                              .candidates_mean = 20,
                                              .requests_per_s = 0.1,
                                              .history_us = HISTORY_US},
                                    .path = f->path,
                                    .warm_up_us = WARM_UP_US,
                                    .end_ms = END_MS};
}

static struct gw_examples_report run_ok(const struct fixture *f, const struct gw_examples_run *run)
{
    struct gw_examples_report report = {0};
    gw_err err = {0};
    assert_ok_err(gw_simulate_examples(&f->runtime, run, &report, &err), &err);
    return report;
}

static struct gw_slice read_path(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    assert_ok(gw_file_read(path, 256 << 20, &text, &size, NULL));
    return gw_slice_make(text, size);
}

static struct gw_slice read_file(const struct fixture *f)
{
    return read_path(f->path);
}

static void free_file(struct gw_slice file)
{
    gw_mem_free((void *)(uintptr_t)file.data);
}

// ---- the world again, whole, in memory

// What a request offered, which outlives the simulator's own memory.
struct offer {
    struct gw_sim_candidate candidates[64];
    double truth[64];
};

struct event {
    struct gw_sim_event said;
    struct offer *offer; // of a request
};

struct world {
    struct event *events;
    size_t count;
};

static void free_world(struct world *world)
{
    for (size_t i = 0; i < world->count; i++) {
        gw_mem_free(world->events[i].offer);
    }
    gw_mem_free(world->events);
}

static struct world recount(const struct gw_examples_run *run)
{
    struct gw_simulator_options options = gw_simulate_world(&run->world, run->end_ms - run->world.history_us / 1000);
    struct gw_simulator *simulator = NULL;
    struct world world = {0};
    size_t capacity = 1 << 16;
    options.end_ms = run->end_ms;
    assert_ok(gw_simulator_new(&options, &simulator, NULL));
    world.events = gw_mem_calloc(capacity, sizeof *world.events);
    assert_non_null(world.events);
    for (;;) {
        if (world.count == capacity) {
            capacity *= 2;
            world.events = gw_mem_realloc(world.events, capacity, sizeof *world.events);
            assert_non_null(world.events);
        }
        struct event *event = &world.events[world.count];
        event->offer = NULL;
        assert_ok(gw_simulator_next(simulator, &event->said, NULL));
        if (event->said.kind == GW_SIM_END) {
            break;
        }
        if (event->said.kind == GW_SIM_REQUEST) {
            event->offer = gw_mem_calloc(1, sizeof *event->offer);
            assert_non_null(event->offer);
            assert_true(event->said.request.candidate_count <= GW_COUNT_OF(event->offer->candidates));
            memcpy(event->offer->candidates, event->said.request.candidates,
                   event->said.request.candidate_count * sizeof event->offer->candidates[0]);
            for (size_t i = 0; i < event->said.request.candidate_count; i++) {
                event->offer->truth[i] = gw_simulator_probability(simulator, i, GW_SIM_FAV);
            }
        }
        world.count++;
    }
    gw_simulator_free(simulator);
    return world;
}

// The label of what an impression shows, by looking through all later actions.
static uint64_t label_of(const struct world *world, size_t impression, int64_t served_ms)
{
    static const int bit_of[GW_SIM_HEAD_COUNT] = {
        [GW_SIM_FAV] = -1,          [GW_SIM_RETWEET] = 1,          [GW_SIM_REPLY] = 2,     [GW_SIM_QUOTE] = 3,
        [GW_SIM_CLICK] = 4,         [GW_SIM_PROFILE_CLICK] = -1,   [GW_SIM_BOOKMARK] = 10, [GW_SIM_SHARE] = 11,
        [GW_SIM_PHOTO_EXPAND] = -1, [GW_SIM_VIDEO_PLAYBACK50] = 8, [GW_SIM_DWELL] = 12,    [GW_SIM_NEGATIVE] = 14,
        [GW_SIM_REPORT] = 15};
    const struct gw_sim_action *shown = &world->events[impression].said.action;
    int64_t faved_ms = -1;
    int64_t unfaved_ms = -1;
    int64_t engaged_ms = -1;        // favourite or reply of this tweet, last
    int64_t engaged_author_ms = -1; // of any tweet of the author
    int64_t clicked_ms = INT64_MAX; // first
    int64_t visited_ms = INT64_MAX;
    uint64_t bits = 0;
    for (size_t i = impression + 1; i < world->count; i++) {
        const struct gw_sim_event *event = &world->events[i].said;
        if (event->time_ms - served_ms >= GW_SIMULATE_LABEL_WINDOW_MS) {
            break;
        }
        if (event->kind != GW_SIM_ACTION || event->action.user_id != shown->user_id) {
            continue;
        }
        int action = event->action.action;
        bool engages = action == GW_SIM_FAV || action == GW_SIM_REPLY;
        if (engages && event->action.author_id == shown->author_id) {
            engaged_author_ms = event->time_ms;
        }
        if (event->action.join_id != shown->join_id || event->action.tweet_id != shown->tweet_id) {
            continue;
        }
        engaged_ms = engages ? event->time_ms : engaged_ms;
        faved_ms = action == GW_SIM_FAV ? event->time_ms : faved_ms;
        unfaved_ms = action == GW_SIM_ACTION_UNFAV ? event->time_ms : unfaved_ms;
        clicked_ms = action == GW_SIM_CLICK ? GW_MIN(clicked_ms, event->time_ms) : clicked_ms;
        visited_ms = action == GW_SIM_PROFILE_CLICK ? GW_MIN(visited_ms, event->time_ms) : visited_ms;
        if (action >= GW_SIM_HEAD_COUNT) {
            bits |= action == GW_SIM_ACTION_IMPRESSION || action == GW_SIM_ACTION_UNFAV ? 0 : UINT64_C(1) << 14;
        } else if (bit_of[action] >= 0) {
            bits |= UINT64_C(1) << bit_of[action];
        }
    }
    bits |= faved_ms > unfaved_ms ? UINT64_C(1) : 0;
    bits |= engaged_author_ms >= visited_ms ? UINT64_C(1) << 5 : 0;
    bits |= engaged_ms >= clicked_ms ? UINT64_C(1) << 6 : 0;
    return bits;
}

// Calls for each expected example, in the order of the file.
static size_t each_expected(const struct world *world, const struct gw_examples_run *run,
                            void (*take)(void *context, const struct world *world, size_t request, size_t impression),
                            void *context)
{
    int64_t first_ms = run->end_ms - run->world.history_us / 1000 + run->warm_up_us / 1000;
    size_t count = 0;
    for (size_t r = 0; r < world->count; r++) {
        const struct gw_sim_event *request = &world->events[r].said;
        if (request->kind != GW_SIM_REQUEST || request->time_ms < first_ms ||
            request->time_ms >= run->end_ms - GW_SIMULATE_LABEL_WINDOW_MS) {
            continue;
        }
        for (size_t i = r + 1;
             i < world->count && world->events[i].said.time_ms < request->time_ms + GW_SIMULATE_LABEL_WINDOW_MS; i++) {
            const struct gw_sim_event *event = &world->events[i].said;
            if (event->kind == GW_SIM_ACTION && event->action.action == GW_SIM_ACTION_IMPRESSION &&
                event->action.join_id == request->request.join_id) {
                take(context, world, r, i);
                count++;
            }
        }
    }
    return count;
}

struct reading {
    struct gw_examples_reader *reader;
    struct gw_feature_set *set;
    struct gw_feature_plan *plan;
    size_t index;
};

static struct gw_example next_example(struct reading *reading)
{
    struct gw_example example = {0};
    bool more = false;
    assert_ok(gw_examples_next(reading->reader, &example, &more, NULL));
    assert_true(more);
    reading->index++;
    return example;
}

// ---- tests

static double value_of(const struct reading *reading, const struct gw_example *example, const char *name)
{
    const struct gw_examples_header *header = gw_examples_header(reading->reader);
    for (size_t i = 0; i < header->feature_count; i++) {
        if (strcmp(header->feature_names[i], name) == 0) {
            return (double)example->features[i];
        }
    }
    fail_msg("no feature '%s'", name);
    return NAN;
}

// What can be counted by hand, from the events before the request alone.
static void check_counts(const struct reading *reading, const struct gw_example *example, const struct world *world,
                         size_t request, const struct gw_sim_candidate *candidate, bool is_session_start)
{
    double impressions = 0;
    double favs = 0;
    const struct gw_sim_tweet *tweet = NULL;
    for (size_t i = 0; i < request; i++) {
        const struct gw_sim_event *event = &world->events[i].said;
        if (event->kind == GW_SIM_TWEET && event->tweet.tweet_id == candidate->tweet_id) {
            tweet = &event->tweet;
        }
        if (event->kind == GW_SIM_ACTION && event->action.tweet_id == candidate->tweet_id) {
            impressions += event->action.action == GW_SIM_ACTION_IMPRESSION;
            favs += event->action.action == GW_SIM_FAV;
        }
    }
    assert_non_null(tweet);
    assert_true(value_of(reading, example, "tweet.impressions_total") == impressions);
    assert_true(value_of(reading, example, "tweet.favs_total") == favs);
    assert_true(value_of(reading, example, "tweet.text_length") == tweet->text_length);
    assert_true(value_of(reading, example, "request.in_network") == (double)candidate->in_network);
    assert_true(value_of(reading, example, "request.source_score") == (double)candidate->source_score);
    assert_true(value_of(reading, example, "request.is_session_start") == is_session_start);
}

// One row of each view, built from the events before the request and nothing else, then the plan.
static void check_vector(const struct reading *reading, const struct gw_example *example, const struct world *world,
                         size_t request, const struct gw_sim_candidate *candidate)
{
    const struct gw_sim_event *asked = &world->events[request].said;
    const struct gw_feature_set *set = reading->set;
    const char *const names[] = {"user", "tweet", "author", "pair"};
    const int64_t ids[][2] = {{asked->request.user_id, 0},
                              {candidate->tweet_id, 0},
                              {candidate->author_id, 0},
                              {asked->request.user_id, candidate->author_id}};
    static uint8_t rows[4][GW_FEATURE_ROW_BYTES_MAX];
    const uint8_t *found[GW_FEATURE_VIEWS_MAX] = {0};
    struct gw_simulate_converter *converter = NULL;
    assert_ok(gw_simulate_converter_new(&converter, NULL));
    for (size_t i = 0; i < request; i++) {
        struct gw_simulate_record record;
        double statics[GW_STATIC_ATTRIBUTES];
        double attributes[GW_ATTRIBUTE_COUNT];
        struct gw_entity_event events[GW_ENTITY_EVENTS_MAX];
        size_t count = 0;
        if (world->events[i].said.kind == GW_SIM_REQUEST) {
            continue;
        }
        gw_simulate_convert(converter, &world->events[i].said, 0, &record);
        assert_ok(gw_simulate_entities(&record, &(struct gw_entity_origin){0}, statics, events, &count, NULL));
        for (size_t e = 0; e < count; e++) {
            struct gw_feature_event event;
            gw_entity_to_feature_event(&events[e], 0, (int64_t)i, attributes, &event);
            for (size_t k = 0; k < GW_COUNT_OF(names); k++) {
                int v = gw_feature_set_find_view(set, names[k]);
                const struct gw_feature_view *view = gw_feature_set_view(set, (size_t)v);
                int64_t id[2];
                if ((view->side_mask >> event.side & 1) == 0 || !gw_entity_row_ids(&events[e], view->key_count, id) ||
                    memcmp(id, ids[k], sizeof id) != 0) {
                    continue;
                }
                if (found[v] == NULL) {
                    gw_row_init(view, rows[k]);
                }
                if (gw_row_apply(set, (size_t)v, rows[k], &event) || found[v] != NULL) {
                    found[v] = rows[k];
                }
            }
        }
    }
    gw_simulate_converter_free(converter);

    float vector[512] = {0};
    const char *const *values = NULL;
    uint32_t start = 0;
    assert_true(gw_feature_plan_width(reading->plan) <= GW_COUNT_OF(vector));
    for (size_t v = 0; v < gw_feature_set_view_count(set); v++) {
        uint32_t width = 0;
        gw_feature_plan_view_segment(reading->plan, v, &start, &width);
        if (width > 0) {
            gw_feature_plan_eval_view(reading->plan, v, found[v], asked->time_ms * 1000, vector + start);
        }
    }
    size_t value_count = gw_feature_plan_request_names(reading->plan, &values, &start);
    for (size_t i = 0; i < value_count; i++) {
        vector[start + i] = strcmp(values[i], "in_network") == 0     ? candidate->in_network
                            : strcmp(values[i], "source_score") == 0 ? candidate->source_score
                                                                     : (float)asked->request.is_session_start;
    }
    gw_feature_plan_eval_cross(reading->plan, found, asked->time_ms * 1000, vector);
    const struct gw_examples_header *header = gw_examples_header(reading->reader);
    for (size_t i = 0; i < header->feature_count; i++) {
        float expected = vector[gw_feature_plan_columns(reading->plan)[i]];
        if (memcmp(&expected, &example->features[i], sizeof expected) != 0) {
            fail_msg("%s is %g, expected %g", header->feature_names[i], (double)example->features[i], (double)expected);
        }
    }
}

static void check_example(void *context, const struct world *world, size_t request, size_t impression)
{
    struct reading *reading = context;
    struct gw_example example = next_example(reading);
    assert_int_equal(example.time_ms, world->events[request].said.time_ms);
    assert_int_equal(example.label_bits, label_of(world, impression, world->events[request].said.time_ms));
    assert_true(example.weight == 1.0f);
    if (reading->index % 499 != 1) {
        return;
    }
    const struct event *asked = &world->events[request];
    const struct gw_sim_candidate *candidate = NULL;
    for (size_t i = 0; i < asked->said.request.candidate_count; i++) {
        if (asked->offer->candidates[i].tweet_id == world->events[impression].said.action.tweet_id) {
            candidate = &asked->offer->candidates[i];
        }
    }
    assert_non_null(candidate);
    check_counts(reading, &example, world, request, candidate, asked->said.request.is_session_start);
    check_vector(reading, &example, world, request, candidate);
}

static void labels_and_vectors_agree_with_a_recount(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    struct gw_examples_run run = small_run(&f);
    struct gw_examples_report report = run_ok(&f, &run);
    struct world world = recount(&run);
    struct reading reading = {.set = f.runtime.features};
    assert_ok(gw_examples_reader_new(f.path, &reading.reader, NULL));
    const struct gw_examples_header *header = gw_examples_header(reading.reader);
    assert_ok(
        gw_feature_plan_new(f.runtime.features, header->feature_names, header->feature_count, &reading.plan, NULL));

    size_t expected = each_expected(&world, &run, check_example, &reading);

    assert_int_equal(report.examples, expected);
    assert_int_equal(gw_examples_count(reading.reader), expected);
    assert_true(expected > 5000);
    assert_int_equal(header->label_count, GW_LABEL_COUNT);

    gw_feature_plan_free(reading.plan);
    gw_examples_reader_free(reading.reader);
    free_world(&world);
    tear_down(&f);
}

static void same_run_gives_the_same_bytes(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    struct gw_examples_run run = small_run(&f);
    run_ok(&f, &run);
    struct gw_slice first = read_file(&f);
    run_ok(&f, &run);
    struct gw_slice second = read_file(&f);
    assert_true(gw_slice_equal(first, second));
    free_file(first);
    free_file(second);
    tear_down(&f);
}

// A world that ends two hours sooner knows nothing of those hours: its examples are the first ones of the longer world.
static void later_events_do_not_change_earlier_examples(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    struct gw_examples_run run = small_run(&f);
    run_ok(&f, &run);
    struct gw_slice longer = read_file(&f);
    run.end_ms -= 2 * HOUR_MS;
    run.world.history_us -= 2 * HOUR_MS * 1000;
    run_ok(&f, &run);
    struct gw_slice shorter = read_file(&f);
    assert_true(shorter.size < longer.size);
    assert_memory_equal(shorter.data, longer.data, shorter.size);
    free_file(longer);
    free_file(shorter);
    tear_down(&f);
}

static void shares_of_positives_are_near_the_documented_ones(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    struct gw_examples_run run = small_run(&f);
    run.world.user_count = 3000;
    run.world.author_count = 300;
    run.world.tweets_alive = 3000;
    run.world.requests_per_s = 0.4;
    run.world.history_us = 5 * HOUR_MS * 1000;
    run.warm_up_us = HOUR_MS * 1000 / 2;
    struct gw_examples_report report = run_ok(&f, &run);
    double n = (double)report.examples;
    assert_true(n > 10000);
    assert_true((double)report.positives[GW_LABEL_FAVORITED] / n > 0.004);
    assert_true((double)report.positives[GW_LABEL_FAVORITED] / n < 0.036);
    assert_true((double)report.positives[GW_LABEL_CLICKED] / n > 0.01);
    assert_true((double)report.positives[GW_LABEL_CLICKED] / n < 0.09);
    assert_true((double)report.positives[GW_LABEL_DWELLED] / n > 0.15);
    assert_true((double)report.positives[GW_LABEL_DWELLED] / n < 0.50);
    assert_true(report.positives[GW_LABEL_GOOD_CLICKED] <= report.positives[GW_LABEL_CLICKED]);
    assert_int_equal(report.positives[GW_LABEL_REPLY_ENGAGED], 0);
    assert_true(report.auc_truth > 0.7 && report.auc_truth < 1.0);
    assert_true(fabs(report.auc_truth - report.auc_expected) < 0.08);
    tear_down(&f);
}

static void check_truth(void *context, const struct world *world, size_t request, size_t impression)
{
    struct gw_example negative = next_example(context);
    assert_int_equal(negative.label_bits, 0);
    struct gw_example positive = next_example(context);
    assert_int_equal(positive.label_bits, 1);
    const struct event *asked = &world->events[request];
    for (size_t i = 0; i < asked->said.request.candidate_count; i++) {
        if (asked->offer->candidates[i].tweet_id == world->events[impression].said.action.tweet_id) {
            assert_true(positive.weight == (float)asked->offer->truth[i]);
            assert_true(negative.weight == (float)(1.0 - asked->offer->truth[i]));
        }
    }
}

static void truth_splits_each_vector_by_its_true_probability(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    struct gw_examples_run run = small_run(&f);
    run.truth = true;
    struct gw_examples_report report = run_ok(&f, &run);
    struct world world = recount(&run);
    struct reading reading = {0};
    assert_ok(gw_examples_reader_new(f.path, &reading.reader, NULL));

    size_t expected = each_expected(&world, &run, check_truth, &reading);

    assert_int_equal(report.examples, expected);
    assert_int_equal(gw_examples_count(reading.reader), 2 * expected);
    assert_int_equal(gw_examples_header(reading.reader)->label_count, 1);
    assert_string_equal(gw_examples_header(reading.reader)->label_names[0], "is_favorited");
    gw_examples_reader_free(reading.reader);
    free_world(&world);
    tear_down(&f);
}

static void named_features_come_in_their_order_and_up_to_the_bound(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    static const char *const names[] = {"request.source_score", "user.follower_count", "tweet.age_s"};
    struct gw_examples_run run = small_run(&f);
    run.feature_names = names;
    run.feature_count = GW_COUNT_OF(names);
    run.examples_max = 7;
    struct gw_examples_report report = run_ok(&f, &run);
    struct reading reading = {0};
    assert_ok(gw_examples_reader_new(f.path, &reading.reader, NULL));
    assert_int_equal(report.examples, 7);
    assert_int_equal(gw_examples_count(reading.reader), 7);
    assert_int_equal(gw_examples_header(reading.reader)->feature_count, GW_COUNT_OF(names));
    struct gw_example example = next_example(&reading);
    assert_true(example.features[1] >= 0.0f);
    assert_true(example.features[2] >= 0.0f && example.features[2] <= 48.0f * 3600.0f);
    gw_examples_reader_free(reading.reader);
    tear_down(&f);
}

// One vector a request after the warm-up, of any of its candidates, and the examples are as without it.
static void a_reference_samples_one_candidate_of_each_request(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    struct gw_examples_run run = small_run(&f);
    run_ok(&f, &run);
    struct gw_slice alone = read_file(&f);
    run.reference_path = f.reference;
    struct gw_examples_report report = run_ok(&f, &run);
    struct gw_slice beside = read_file(&f);
    assert_true(gw_slice_equal(alone, beside));
    struct gw_slice first = read_path(f.reference);
    run_ok(&f, &run);
    struct gw_slice second = read_path(f.reference);
    assert_true(gw_slice_equal(first, second));

    struct world world = recount(&run);
    struct reading reading = {.set = f.runtime.features};
    assert_ok(gw_examples_reader_new(f.reference, &reading.reader, NULL));
    const struct gw_examples_header *header = gw_examples_header(reading.reader);
    assert_ok(
        gw_feature_plan_new(f.runtime.features, header->feature_names, header->feature_count, &reading.plan, NULL));
    const int64_t first_ms = run.end_ms - HISTORY_US / 1000 + WARM_UP_US / 1000;
    size_t places[2] = {0, 0}; // chosen in the first half of the request's candidates, in the second
    size_t requests = 0;
    for (size_t r = 0; r < world.count; r++) {
        const struct gw_sim_event *asked = &world.events[r].said;
        if (asked->kind != GW_SIM_REQUEST || asked->time_ms < first_ms ||
            asked->time_ms >= run.end_ms - GW_SIMULATE_LABEL_WINDOW_MS) {
            continue;
        }
        struct gw_sampler every = {.rate_per_s = UINT64_MAX};
        struct gw_prediction_request request = {.candidates.count = asked->request.candidate_count};
        memcpy(request.request_id, asked->event_id, sizeof asked->event_id);
        const struct gw_score_sample sample = gw_score_sample_choose(&every, &request, 0);
        struct gw_example example = next_example(&reading);
        assert_int_equal(example.time_ms, asked->time_ms);
        assert_int_equal(example.label_bits, 0);
        assert_true(example.weight == 1.0f);
        places[sample.candidate >= asked->request.candidate_count / 2]++;
        const struct gw_sim_candidate *candidate = &world.events[r].offer->candidates[sample.candidate];
        assert_true(value_of(&reading, &example, "request.source_score") == (double)candidate->source_score);
        if (requests++ % 99 == 0) {
            check_vector(&reading, &example, &world, r, candidate);
        }
    }
    assert_int_equal(report.references, requests);
    assert_int_equal(gw_examples_count(reading.reader), requests);
    assert_true(requests > 500);
    assert_true(places[0] > requests / 3 && places[1] > requests / 3);
    gw_feature_plan_free(reading.plan);
    gw_examples_reader_free(reading.reader);
    free_world(&world);
    free_file(alone);
    free_file(beside);
    free_file(first);
    free_file(second);
    tear_down(&f);
}

static void a_reference_has_no_more_vectors_than_examples_are_allowed(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    struct gw_examples_run run = small_run(&f);
    run.examples_max = 7;
    run.reference_path = f.reference;
    struct gw_examples_report report = run_ok(&f, &run);
    assert_int_equal(report.examples, 7);
    assert_in_range(report.references, 1, 7);
    tear_down(&f);
}

static void a_shorter_label_window_leaves_less_of_the_history_open_and_loses_late_outcomes(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    struct gw_examples_run run = small_run(&f);
    const struct gw_examples_report hours = run_ok(&f, &run);
    run.label_window_us = INT64_C(20) * 1000000;
    const struct gw_examples_report seconds = run_ok(&f, &run);
    assert_true(seconds.examples > hours.examples);
    const double before = (double)hours.positives[GW_LABEL_CLICKED] / (double)hours.examples;
    const double now = (double)seconds.positives[GW_LABEL_CLICKED] / (double)seconds.examples;
    assert_true(now > 0.0 && now < 0.9 * before);
    tear_down(&f);
}

static void bad_runs_are_refused_and_leave_no_file(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    struct gw_examples_report report = {.examples = 99};
    struct gw_examples_run run = small_run(&f);
    run.warm_up_us = HISTORY_US - GW_SIMULATE_LABEL_WINDOW_MS * 1000;
    assert_fails(gw_simulate_examples(&f.runtime, &run, &report, NULL), GW_E_INVALID);

    static const char *const names[] = {"user.no_such_feature"};
    run = small_run(&f);
    run.feature_names = names;
    run.feature_count = 1;
    assert_fails(gw_simulate_examples(&f.runtime, &run, &report, NULL), GW_E_CONFIG);

    run = small_run(&f);
    run.reference_path = f.reference;
    atomic_store(&f.stop, true);
    assert_fails(gw_simulate_examples(&f.runtime, &run, &report, NULL), GW_E_ABORTED);
    assert_int_equal(access(f.path, F_OK), -1);
    assert_int_equal(access(f.reference, F_OK), -1);
    assert_int_equal(report.examples, 99);
    tear_down(&f);
}

GW_TESTS(labels_and_vectors_agree_with_a_recount, same_run_gives_the_same_bytes,
         later_events_do_not_change_earlier_examples, shares_of_positives_are_near_the_documented_ones,
         truth_splits_each_vector_by_its_true_probability, named_features_come_in_their_order_and_up_to_the_bound,
         a_reference_samples_one_candidate_of_each_request, a_reference_has_no_more_vectors_than_examples_are_allowed,
         a_shorter_label_window_leaves_less_of_the_history_open_and_loses_late_outcomes,
         bad_runs_are_refused_and_leave_no_file)
