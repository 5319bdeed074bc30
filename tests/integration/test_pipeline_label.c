// SPDX-License-Identifier: MIT
// Labels, exactly once: served records and actions with known ids while label and rekey are killed with SIGKILL, and an
// independent recount of what every label must be, from the records as the log holds them.
#include "support/model.h"
#include "support/records.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/rng.h"
#include "model/examples.h"
#include "records/label_sample.h"
#include "records/labeled_example.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
    WINDOW_MS = 8000,
    SETTLE_MS = 3000,
    ROUNDS = 4,
    REQUESTS = 12, // a round
    CANDIDATES = 4,
    SERVED_MAX = 1024,
    ACTIONS_MAX = 8192,
    USERS = 16,
    TWEETS = 25,
    AUTHORS = 5,
    EVENT_FAMILY = 501,
};

struct served {
    int64_t user;
    int64_t join;
    int64_t tweet;
    int64_t served_ms;
    int64_t appended_ms; // read back; 0 not yet
    bool repeated;       // a later record of the same key
};

struct action {
    enum gw_action_type type;
    int64_t user;
    int64_t join; // 0 none
    int64_t tweet;
    int64_t author;
    int64_t time_ms;
    enum gw_product_surface surface;
    int64_t dwell_ms;
    uint64_t event;
};

static struct cluster cluster;
static struct gw_rng rng;
static struct served served[SERVED_MAX];
static size_t served_count;
static struct action actions[ACTIONS_MAX];
static size_t action_count;
static int64_t next_join = 1000;

static int setup(void **state)
{
    (void)state;
    // Small batches and slow commits: a transaction is open most of the time, over several batches.
    static const char *const sets[] = {"label.window=8s",
                                       "label.settle=3s",
                                       "label.commit_interval=150ms",
                                       "rekey.commit_interval=100ms",
                                       "rekey.mark_interval=200ms",
                                       "worker.poll_records=25",
                                       "score.served_sample=1",
                                       "score.served_sample_sync=1",
                                       NULL};
    const char *chosen = getenv("GODWIT_TEST_SEED");
    uint64_t seed = chosen != NULL ? strtoull(chosen, NULL, 10) : (uint64_t)gw_clock_wall_us();
    print_message("GODWIT_TEST_SEED=%llu\n", (unsigned long long)seed);
    gw_rng_init(&rng, seed);
    cluster_begin(&cluster, "label", sets);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cluster_end(&cluster);
    return 0;
}

static int64_t author_of(int64_t tweet)
{
    return 500 + tweet % AUTHORS;
}

// ---- sending --------------------------------------------------------------------------------------------------------

// As score computes it from the names.
static int64_t layout(void)
{
    uint64_t hash = GW_HASH_FNV_START;
    for (size_t i = 0; i < test_model_feature_count; i++) {
        hash = gw_hash_fnv1a(hash, test_model_features[i], strlen(test_model_features[i]) + 1);
    }
    return (int64_t)hash;
}

static void features_of(const struct served *one, float features[TEST_MODEL_FEATURES_MAX])
{
    for (size_t i = 0; i < test_model_feature_count; i++) {
        features[i] = i == 0 ? (float)one->join : i == 1 ? (float)one->tweet : 0.5f;
    }
}

static void send_served(const struct served *one)
{
    float features[TEST_MODEL_FEATURES_MAX];
    float heads[1] = {0.25f};
    struct gw_slice head_names[1] = {gw_slice_text("is_favorited")};
    features_of(one, features);
    struct gw_served_candidate record = {.request_join_id = one->join,
                                         .user_id = one->user,
                                         .tweet_id = one->tweet,
                                         .author_id = author_of(one->tweet),
                                         .model_name = gw_slice_text("m"),
                                         .model_version = 3,
                                         .variant = gw_slice_text("champion"),
                                         .layout = layout(),
                                         .features =
                                             gw_slice_make(features, test_model_feature_count * sizeof features[0]),
                                         .score = 0.5f,
                                         .served_at_ms = one->served_ms,
                                         .sample_weight = 2.0f};
    record.heads.items = heads;
    record.heads.count = 1;
    record.head_names.items = head_names;
    record.head_names.count = 1;
    RECORDS_SEND(&cluster, GW_TOPIC_SERVED_CANDIDATES, gw_served_candidate_encode, &record, one->user);
}

static void send_action(const struct action *one)
{
    struct gw_user_action record = {.event_time_ms = one->time_ms,
                                    .user_id = one->user,
                                    .action_type = one->type,
                                    .has_tweet_id = one->tweet != 0,
                                    .tweet_id = one->tweet,
                                    .has_author_id = one->author != 0,
                                    .author_id = one->author,
                                    .surface = one->surface,
                                    .has_dwell_time_ms = one->dwell_ms >= 0,
                                    .dwell_time_ms = one->dwell_ms,
                                    .has_request_join_id = one->join != 0,
                                    .request_join_id = one->join};
    records_id(record.event_id, EVENT_FAMILY, one->event);
    RECORDS_SEND(&cluster, GW_TOPIC_UNIFIED_USER_ACTIONS, gw_user_action_encode, &record, one->user);
}

static const struct served *add_served(int64_t user, int64_t join, int64_t tweet, int64_t served_ms, bool repeated)
{
    assert_true(served_count < SERVED_MAX);
    served[served_count] =
        (struct served){.user = user, .join = join, .tweet = tweet, .served_ms = served_ms, .repeated = repeated};
    return &served[served_count++];
}

static const struct action *add_action(const struct served *of, enum gw_action_type type, int64_t time_ms, bool with_id)
{
    assert_true(action_count < ACTIONS_MAX);
    actions[action_count] = (struct action){.type = type,
                                            .user = of->user,
                                            .join = with_id ? of->join : 0,
                                            .tweet = of->tweet,
                                            .author = author_of(of->tweet),
                                            .time_ms = time_ms,
                                            .dwell_ms = -1,
                                            .event = action_count + 1};
    return &actions[action_count++];
}

static void add_random_action(const struct served *of)
{
    static const enum gw_action_type types[] = {GW_ACTION_TYPE_CLIENT_TWEET_FAV,
                                                GW_ACTION_TYPE_SERVER_TWEET_FAV,
                                                GW_ACTION_TYPE_CLIENT_TWEET_UNFAV,
                                                GW_ACTION_TYPE_CLIENT_TWEET_REPLY,
                                                GW_ACTION_TYPE_CLIENT_TWEET_RETWEET,
                                                GW_ACTION_TYPE_SERVER_TWEET_UNRETWEET,
                                                GW_ACTION_TYPE_CLIENT_TWEET_CLICK,
                                                GW_ACTION_TYPE_CLIENT_TWEET_CLICK,
                                                GW_ACTION_TYPE_CLIENT_TWEET_CLICK_PROFILE,
                                                GW_ACTION_TYPE_CLIENT_TWEET_CLICK_PROFILE,
                                                GW_ACTION_TYPE_CLIENT_TWEET_FOLLOW_AUTHOR,
                                                GW_ACTION_TYPE_CLIENT_TWEET_LINGER_IMPRESSION,
                                                GW_ACTION_TYPE_CLIENT_TWEET_LINGER_IMPRESSION,
                                                GW_ACTION_TYPE_CLIENT_TWEET_BOOKMARK,
                                                GW_ACTION_TYPE_CLIENT_TWEET_SHARE_VIA_COPY_LINK,
                                                GW_ACTION_TYPE_CLIENT_TWEET_VIDEO_PLAYBACK50,
                                                GW_ACTION_TYPE_CLIENT_TWEET_NOT_INTERESTED_IN,
                                                GW_ACTION_TYPE_CLIENT_TWEET_UNDO_NOT_INTERESTED_IN,
                                                GW_ACTION_TYPE_CLIENT_TWEET_SEE_FEWER,
                                                GW_ACTION_TYPE_CLIENT_TWEET_REPORT,
                                                GW_ACTION_TYPE_CLIENT_TWEET_OPEN_LINK,
                                                GW_ACTION_TYPE_SERVER_PROFILE_FOLLOW};
    enum gw_action_type type = types[gw_rng_below(&rng, GW_COUNT_OF(types))];
    // Some happen after the window.
    int64_t time_ms = of->served_ms + (int64_t)gw_rng_below(&rng, WINDOW_MS + 1000);
    add_action(of, type, time_ms, gw_rng_below(&rng, 4) != 0);
    struct action *added = &actions[action_count - 1];
    if (type == GW_ACTION_TYPE_CLIENT_TWEET_LINGER_IMPRESSION) {
        static const int64_t stays[] = {500, 16000, 130000};
        added->surface =
            gw_rng_below(&rng, 3) == 0 ? GW_PRODUCT_SURFACE_HOME_TIMELINE : GW_PRODUCT_SURFACE_TWEET_DETAILS_PAGE;
        added->dwell_ms = stays[gw_rng_below(&rng, GW_COUNT_OF(stays))];
    }
}

// A request's candidates and what follows; either side may be first in the logs.
static void send_request(void)
{
    int64_t user = 1 + (int64_t)gw_rng_below(&rng, USERS);
    int64_t join = next_join++;
    int64_t now_ms = gw_clock_wall_ms();
    int64_t first_tweet = 1 + (int64_t)gw_rng_below(&rng, TWEETS);
    size_t served_from = served_count;
    size_t actions_from = action_count;
    for (int c = 0; c < CANDIDATES; c++) {
        struct served one = *add_served(user, join, first_tweet + c, now_ms, false);
        if (gw_rng_below(&rng, 8) == 0) {
            add_served(user, join, first_tweet + c, now_ms + 1, true);
        }
        if (gw_rng_below(&rng, 6) != 0) { // shown; the viewer's clock may be behind
            add_action(&one, GW_ACTION_TYPE_CLIENT_TWEET_RENDER_IMPRESSION,
                       now_ms - 300 + (int64_t)gw_rng_below(&rng, 600), true);
        }
        for (uint64_t n = gw_rng_below(&rng, 7); n > 0; n--) {
            add_random_action(&one);
        }
    }
    bool served_first = gw_rng_below(&rng, 2) == 0;
    for (int side = 0; side < 2; side++) {
        if ((side == 0) == served_first) {
            for (size_t i = served_from; i < served_count; i++) {
                send_served(&served[i]);
            }
        } else {
            for (size_t i = actions_from; i < action_count; i++) {
                send_action(&actions[i]);
                if (gw_rng_below(&rng, 10) == 0) {
                    send_action(&actions[i]); // the platform's producers repeat themselves
                }
            }
        }
        records_flush(&cluster);
    }
    assert_true(gw_clock_wall_ms() < now_ms + SETTLE_MS); // else the machine is too slow for these windows
}

// ---- the recount ----------------------------------------------------------------------------------------------------

static void note_append_time(void *context, const struct gw_kafka_record *record)
{
    struct gw_arena arena;
    struct gw_served_candidate one;
    gw_err err = {0};
    (void)context;
    gw_arena_init(&arena, 4096, 1 << 20);
    assert_ok_err(
        gw_served_candidate_decode(records_body(&cluster, GW_TOPIC_SERVED_CANDIDATES, record), &arena, &one, &err),
        &err);
    for (size_t i = 0; i < served_count; i++) {
        if (served[i].join == one.request_join_id && served[i].tweet == one.tweet_id && served[i].appended_ms == 0) {
            served[i].appended_ms = record->timestamp_ms;
            break;
        }
    }
    gw_arena_deinit(&arena);
}

static bool within(const struct served *window, int64_t time_ms, int64_t early_ms)
{
    return time_ms >= window->served_ms - early_ms && time_ms < window->served_ms + WINDOW_MS &&
           window->appended_ms <= time_ms + SETTLE_MS;
}

// The window that an action is about.
static const struct served *window_of(const struct action *action)
{
    const struct served *found = NULL;
    for (size_t i = 0; i < served_count; i++) {
        const struct served *window = &served[i];
        if (window->repeated || window->user != action->user || window->tweet != action->tweet) {
            continue;
        }
        if (action->join != 0) {
            if (window->join == action->join) {
                return within(window, action->time_ms, SETTLE_MS) ? window : NULL;
            }
        } else if (within(window, action->time_ms, 0) &&
                   (found == NULL || window->served_ms > found->served_ms ||
                    (window->served_ms == found->served_ms && window->join > found->join))) {
            found = window;
        }
    }
    return found;
}

static bool is_favorite(enum gw_action_type type)
{
    return type == GW_ACTION_TYPE_CLIENT_TWEET_FAV || type == GW_ACTION_TYPE_SERVER_TWEET_FAV;
}

// Favourite, reply or follow.
static bool is_for_author(enum gw_action_type type)
{
    return is_favorite(type) || type == GW_ACTION_TYPE_CLIENT_TWEET_REPLY ||
           type == GW_ACTION_TYPE_CLIENT_TWEET_FOLLOW_AUTHOR || type == GW_ACTION_TYPE_SERVER_PROFILE_FOLLOW;
}

// Whether what is done was done last, and not undone in the same millisecond or later.
static bool stands(const struct action *const *of, size_t count, bool (*does)(enum gw_action_type),
                   enum gw_action_type undo_client, enum gw_action_type undo_server)
{
    int64_t done_ms = -1;
    int64_t undone_ms = -1;
    for (size_t i = 0; i < count; i++) {
        if (does(of[i]->type)) {
            done_ms = GW_MAX(done_ms, of[i]->time_ms);
        } else if (of[i]->type == undo_client || of[i]->type == undo_server) {
            undone_ms = GW_MAX(undone_ms, of[i]->time_ms);
        }
    }
    return done_ms >= 0 && done_ms > undone_ms;
}

static bool is_retweet(enum gw_action_type type)
{
    return type == GW_ACTION_TYPE_CLIENT_TWEET_RETWEET;
}

static bool is_not_interested(enum gw_action_type type)
{
    return type == GW_ACTION_TYPE_CLIENT_TWEET_NOT_INTERESTED_IN;
}

// Whether the viewer did something for the author in the window at or after the first click on the author's profile.
static bool engaged_after_profile(const struct served *window, const struct action *const *of, size_t count)
{
    int64_t clicked_ms = INT64_MAX;
    for (size_t i = 0; i < count; i++) {
        if (of[i]->type == GW_ACTION_TYPE_CLIENT_TWEET_CLICK_PROFILE) {
            clicked_ms = GW_MIN(clicked_ms, of[i]->time_ms);
        }
    }
    for (size_t i = 0; i < action_count; i++) {
        if (is_for_author(actions[i].type) && actions[i].user == window->user &&
            actions[i].author == author_of(window->tweet) && within(window, actions[i].time_ms, 0) &&
            actions[i].time_ms >= clicked_ms) {
            return true;
        }
    }
    return false;
}

// The label of a window; *ret_shown: there was an impression.
static uint32_t recount(const struct served *window, bool *ret_shown)
{
    const struct action *of[256];
    size_t count = 0;
    int64_t clicked_ms = INT64_MAX;
    int64_t engaged_ms = -1;
    uint32_t bits = 0;
    bool long_stay = false;
    *ret_shown = false;
    for (size_t i = 0; i < action_count; i++) {
        if (window_of(&actions[i]) == window) {
            assert_true(count < GW_COUNT_OF(of));
            of[count++] = &actions[i];
        }
    }
    for (size_t i = 0; i < count; i++) {
        bool details = of[i]->surface == GW_PRODUCT_SURFACE_TWEET_DETAILS_PAGE;
        if (is_favorite(of[i]->type) || of[i]->type == GW_ACTION_TYPE_CLIENT_TWEET_REPLY) {
            engaged_ms = GW_MAX(engaged_ms, of[i]->time_ms);
        }
        switch (of[i]->type) {
        case GW_ACTION_TYPE_CLIENT_TWEET_RENDER_IMPRESSION:
            *ret_shown = true;
            break;
        case GW_ACTION_TYPE_CLIENT_TWEET_LINGER_IMPRESSION:
            *ret_shown |= !details;
            bits |= 1u << 12 | (details && of[i]->dwell_ms >= 15000 ? 1u << 13 : 0);
            long_stay |= details && of[i]->dwell_ms >= 120000;
            break;
        case GW_ACTION_TYPE_CLIENT_TWEET_REPLY:
            bits |= 1u << 2;
            break;
        case GW_ACTION_TYPE_CLIENT_TWEET_CLICK:
            bits |= 1u << 4;
            clicked_ms = GW_MIN(clicked_ms, of[i]->time_ms);
            break;
        case GW_ACTION_TYPE_CLIENT_TWEET_VIDEO_PLAYBACK50:
            bits |= 1u << 8;
            break;
        case GW_ACTION_TYPE_CLIENT_TWEET_BOOKMARK:
            bits |= 1u << 10;
            break;
        case GW_ACTION_TYPE_CLIENT_TWEET_SHARE_VIA_COPY_LINK:
            bits |= 1u << 11;
            break;
        case GW_ACTION_TYPE_CLIENT_TWEET_SEE_FEWER:
            bits |= 1u << 14;
            break;
        case GW_ACTION_TYPE_CLIENT_TWEET_REPORT:
            bits |= 1u << 15;
            break;
        default:
            break;
        }
    }
    bits |= stands(of, count, is_favorite, GW_ACTION_TYPE_CLIENT_TWEET_UNFAV, GW_ACTION_TYPE_SERVER_TWEET_UNFAV);
    bits |= (uint32_t)stands(of, count, is_retweet, GW_ACTION_TYPE_CLIENT_TWEET_UNRETWEET,
                             GW_ACTION_TYPE_SERVER_TWEET_UNRETWEET)
            << 1;
    bits |= (uint32_t)stands(of, count, is_not_interested, GW_ACTION_TYPE_CLIENT_TWEET_UNDO_NOT_INTERESTED_IN,
                             GW_ACTION_TYPE_CLIENT_TWEET_UNDO_NOT_INTERESTED_IN)
            << 14;
    bits |= engaged_after_profile(window, of, count) ? 1u << 5 : 0;
    bits |= engaged_ms >= clicked_ms ? 1u << 6 : 0;
    bits |= clicked_ms < INT64_MAX && long_stay ? 1u << 7 : 0;
    return bits;
}

// ---- what came out --------------------------------------------------------------------------------------------------

struct outcome {
    uint32_t closed;
    uint32_t closed_bits;
    uint32_t initial;
    uint32_t replays;
    uint32_t replayed_twice;
    uint32_t replayed;
};

struct outcomes {
    struct outcome of[SERVED_MAX];
    uint64_t closed;
    uint64_t records;
};

static size_t find_served(int64_t user, int64_t join, int64_t tweet)
{
    for (size_t i = 0; i < served_count; i++) {
        if (served[i].user == user && served[i].join == join && served[i].tweet == tweet) {
            return i;
        }
    }
    fail_msg("example of join id %lld, tweet %lld, which nobody served", (long long)join, (long long)tweet);
    return 0;
}

static void take_example(void *context, const struct gw_kafka_record *record)
{
    struct outcomes *outcomes = context;
    struct gw_arena arena;
    struct gw_labeled_example example;
    gw_err err = {0};
    gw_arena_init(&arena, 4096, 1 << 20);
    assert_ok_err(
        gw_labeled_example_decode(records_body(&cluster, GW_TOPIC_TRAINING_EXAMPLES, record), &arena, &example, &err),
        &err);
    size_t i = find_served(example.user_id, example.request_join_id, example.tweet_id);
    float features[TEST_MODEL_FEATURES_MAX];
    features_of(&served[i], features);
    assert_int_equal(example.features.size, test_model_feature_count * sizeof features[0]);
    assert_memory_equal(example.features.data, features, example.features.size);
    assert_int_equal(example.layout, layout());
    assert_int_equal(example.served_at_ms, served[i].served_ms);
    assert_true(example.weight == 2.0f);
    assert_true(example.has_impressed_at_ms);
    struct outcome *outcome = &outcomes->of[i];
    uint32_t bits = (uint32_t)example.label_bits;
    outcomes->records++;
    switch (example.kind) {
    case GW_EXAMPLE_KIND_INITIAL_NEGATIVE:
        assert_int_equal(bits, 0);
        outcome->initial++;
        break;
    case GW_EXAMPLE_KIND_POSITIVE_REPLAY:
        outcome->replays++;
        outcome->replayed_twice |= outcome->replayed & bits;
        outcome->replayed |= bits;
        break;
    default:
        assert_int_equal(example.kind, GW_EXAMPLE_KIND_WINDOW_CLOSED);
        outcome->closed++;
        outcome->closed_bits = bits;
        outcomes->closed++;
        break;
    }
    gw_arena_deinit(&arena);
}

// Counts the committed examples again, from the start.
static void read_outcomes(struct outcomes *outcomes)
{
    *outcomes = (struct outcomes){0};
    records_read(&cluster, gw_runtime_topic(&cluster.runtime, GW_TOPIC_TRAINING_EXAMPLES), CLUSTER_PARTITIONS,
                 take_example, outcomes);
}

static void count_record(void *context, const struct gw_kafka_record *record)
{
    (void)record;
    ++*(uint64_t *)context;
}

struct moment {
    struct tail *tail;
    uint64_t count;
    uint64_t target;
};

static bool reached(void *context)
{
    struct moment *moment = context;
    tail_drain(moment->tail, count_record, &moment->count);
    return moment->count >= moment->target;
}

struct completion {
    struct tail *tail;
    struct outcomes *outcomes;
    uint64_t closed;
};

static bool complete(void *context)
{
    struct completion *completion = context;
    tail_drain(completion->tail, take_example, completion->outcomes);
    return completion->outcomes->closed >= completion->closed;
}

static size_t shown_windows(void)
{
    size_t count = 0;
    for (size_t i = 0; i < served_count; i++) {
        bool shown = false;
        if (!served[i].repeated) {
            recount(&served[i], &shown);
        }
        count += shown;
    }
    return count;
}

static void count_sample(void *context, const struct gw_kafka_record *record)
{
    uint64_t *count = context;
    struct gw_arena arena;
    struct gw_label_sample sample;
    gw_err err = {0};
    gw_arena_init(&arena, 4096, 1 << 20);
    assert_ok_err(gw_label_sample_decode(records_body(&cluster, GW_TOPIC_LABEL_SAMPLES, record), &arena, &sample, &err),
                  &err);
    assert_true(gw_slice_is(sample.model_name, "m"));
    assert_int_equal(sample.model_version, 3);
    assert_int_equal(sample.kind, GW_EXAMPLE_KIND_WINDOW_CLOSED);
    assert_int_equal(sample.heads.count, 1);
    assert_true(sample.heads.items[0] == 0.25f);
    assert_int_equal(sample.head_names.count, 1);
    assert_true(gw_slice_is(sample.head_names.items[0], "is_favorited"));
    assert_true(sample.weight == 2.0f);
    assert_int_equal(sample.closed_at_ms, sample.served_at_ms + WINDOW_MS);
    ++*count;
    gw_arena_deinit(&arena);
}

static void assert_exactly_once(void)
{
    static struct outcomes outcomes;
    size_t wrong = 0;
    uint64_t samples = 0;
    read_outcomes(&outcomes);
    for (size_t i = 0; i < served_count; i++) {
        const struct outcome *outcome = &outcomes.of[i];
        bool shown = false;
        uint32_t bits = served[i].repeated ? 0 : recount(&served[i], &shown);
        bool right = outcome->closed == shown && outcome->initial == shown && outcome->replayed_twice == 0 &&
                     (!shown || outcome->closed_bits == bits);
        if (!right) {
            wrong++;
            print_error("join %lld tweet %lld: closed %u bits %04x, expected %d %04x; initial %u, twice %04x\n",
                        (long long)served[i].join, (long long)served[i].tweet, outcome->closed, outcome->closed_bits,
                        shown, bits, outcome->initial, outcome->replayed_twice);
        }
    }
    assert_int_equal(wrong, 0);
    records_read(&cluster, gw_runtime_topic(&cluster.runtime, GW_TOPIC_LABEL_SAMPLES), CLUSTER_PARTITIONS, count_sample,
                 &samples);
    assert_int_equal(samples, outcomes.closed);
}

// Offsets and the counts stored with them cover every record of both inputs.
static void assert_ledgers(void)
{
    static const enum gw_topic inputs[] = {GW_TOPIC_SERVED_CANDIDATES, GW_TOPIC_ENTITY_EVENTS};
    for (size_t t = 0; t < GW_COUNT_OF(inputs); t++) {
        struct gw_ledger ledger = cluster_ledger_sum(&cluster, "label", inputs[t]);
        size_t records = records_count(&cluster, gw_runtime_topic(&cluster.runtime, inputs[t]), CLUSTER_ENTITIES);
        assert_int_equal(gw_ledger_total(&ledger), records);
        assert_int_equal(ledger.counts[GW_OUTCOME_ERROR_OUTPUT], 0);
    }
    struct gw_ledger ledger = cluster_ledger_sum(&cluster, "label", GW_TOPIC_SERVED_CANDIDATES);
    size_t opened = 0;
    for (size_t i = 0; i < served_count; i++) {
        opened += !served[i].repeated;
    }
    assert_int_equal(ledger.counts[GW_OUTCOME_OUTPUT], opened);
    assert_int_equal(ledger.counts[GW_OUTCOME_DEAD_LETTER], 0);
}

// ---- tests ----------------------------------------------------------------------------------------------------------

static struct cluster_worker run_faulty_label(const char *fault)
{
    assert_int_equal(setenv("GODWIT_FAULTS", fault, 1), 0);
    struct cluster_worker label = cluster_run(&cluster, "label", NULL);
    assert_int_equal(unsetenv("GODWIT_FAULTS"), 0);
    return label;
}

static bool has_aborted(void *context)
{
    const struct cluster_worker *worker = context;
    return proc_logged(worker->proc, "transaction.aborted");
}

static void killed_label_and_rekey_give_each_label_exactly_once(void **state)
{
    (void)state;
    static const char *const other[] = {"worker.instance=other", NULL};
    static struct outcomes outcomes;
    struct moment states = {.tail = tail_open(&cluster, GW_TOPIC_LABEL_WINDOWS, true)};
    struct completion committed = {.tail = tail_open(&cluster, GW_TOPIC_TRAINING_EXAMPLES, false),
                                   .outcomes = &outcomes};
    struct cluster_worker rekey = cluster_run_ready(&cluster, "rekey", NULL);
    struct cluster_worker label = cluster_run_ready(&cluster, "label", NULL);
    struct cluster_worker second = {0};

    for (int round = 0; round < ROUNDS; round++) {
        for (int r = 0; r < REQUESTS; r++) {
            send_request();
        }
        reached(&states); // state entries of an open transaction come before its commit
        states.target = states.count + 1 + gw_rng_below(&rng, REQUESTS * CANDIDATES);
        wait_until(reached, &states, CLUSTER_WAIT_MS, "state in an open transaction");
        if (round % 2 == 0) {
            proc_kill(label.proc);
            label = run_faulty_label(round == 0 ? "commit.before:fail:3" : "commit.after:kill:3");
        } else {
            proc_kill(rekey.proc);
            rekey = cluster_run(&cluster, "rekey", NULL);
        }
        if (round == 0) { // an abort under way: the state is dropped and taken over again
            wait_until(has_aborted, &label, CLUSTER_WAIT_MS, "an aborted transaction");
        } else if (round == 1) { // partitions are handed over in the middle of windows, and back
            second = cluster_run(&cluster, "label", other);
        } else if (round == 3) {
            cluster_stop(&second);
        } else if (round == 2) { // its third commit is done, and nobody was told
            assert_int_equal(proc_wait(label.proc, CLUSTER_WAIT_MS), -1);
            label = cluster_run(&cluster, "label", NULL);
        }
    }
    records_read(&cluster, gw_runtime_topic(&cluster.runtime, GW_TOPIC_SERVED_CANDIDATES), CLUSTER_ENTITIES,
                 note_append_time, NULL);
    size_t shown = shown_windows();
    assert_true(shown > 20);
    committed.closed = 1 + gw_rng_below(&rng, shown / 2); // and once while windows close
    wait_until(complete, &committed, CLUSTER_WAIT_MS, "the first closed windows");
    proc_kill(label.proc);
    label = cluster_run(&cluster, "label", NULL);
    committed.closed = shown;
    wait_until(complete, &committed, CLUSTER_WAIT_MS, "an end of every window");
    cluster_stop(&rekey);
    cluster_stop(&label);
    tail_close(states.tail);
    tail_close(committed.tail);
    assert_exactly_once();
    assert_ledgers();
}

// Runs `godwit examples export` and waits for its end.
static int export_examples(const char *path, const char *option, const char *value)
{
    const char *argv[80];
    size_t count = 0;
    char program[512];
    char log[512];
    snprintf(program, sizeof program, "%s/godwit", getenv("GODWIT_BINARY_DIR"));
    snprintf(log, sizeof log, "%s/export.log", cluster.directory);
    argv[count++] = program;
    argv[count++] = "examples";
    argv[count++] = "export";
    argv[count++] = "--out";
    argv[count++] = path;
    if (option != NULL) {
        argv[count++] = option;
        argv[count++] = value;
    }
    for (size_t i = 0; i < cluster.set_count; i++) {
        argv[count++] = "--set";
        argv[count++] = cluster.sets[i];
    }
    argv[count] = NULL;
    return proc_wait(proc_start("export", argv, log), CLUSTER_WAIT_MS);
}

// Every example of the file is the label of what was served; gives their number.
static size_t check_file(const char *path, int64_t *ret_oldest_ms)
{
    struct gw_examples_reader *reader = NULL;
    struct gw_example example;
    bool more = true;
    size_t count = 0;
    gw_err err = {0};
    *ret_oldest_ms = INT64_MAX;
    assert_ok_err(gw_examples_reader_new(path, &reader, &err), &err);
    const struct gw_examples_header *header = gw_examples_header(reader);
    char text[17];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)layout());
    assert_string_equal(header->layout, text);
    assert_int_equal(header->feature_count, test_model_feature_count);
    for (size_t i = 0; i < test_model_feature_count; i++) {
        assert_string_equal(header->feature_names[i], test_model_features[i]);
    }
    assert_int_equal(header->label_count, 16);
    assert_string_equal(header->label_names[0], "is_favorited");
    for (;; count++) {
        assert_ok_err(gw_examples_next(reader, &example, &more, &err), &err);
        if (!more) {
            break;
        }
        size_t i = 0;
        while (served[i].join != (int64_t)example.features[0] || served[i].tweet != (int64_t)example.features[1]) {
            i++;
            assert_true(i < served_count);
        }
        bool shown = false;
        assert_int_equal(example.label_bits, recount(&served[i], &shown));
        assert_true(shown);
        assert_int_equal(example.time_ms, served[i].served_ms);
        assert_true(example.weight == 2.0f);
        *ret_oldest_ms = GW_MIN(*ret_oldest_ms, example.time_ms);
    }
    gw_examples_reader_free(reader);
    return count;
}

static void export_writes_final_labels_with_names(void **state)
{
    (void)state;
    char path[300];
    char text[32];
    int64_t oldest_ms = 0;
    int64_t newest_ms = 0;
    size_t shown = shown_windows();
    size_t newer = 0;
    snprintf(path, sizeof path, "%s/examples.gwex", cluster.directory);
    assert_int_equal(export_examples(path, NULL, NULL), 0);
    assert_int_equal(check_file(path, &oldest_ms), shown);
    assert_int_equal(export_examples(path, "--max", "10"), 0);
    assert_int_equal(check_file(path, &newest_ms), 10);
    for (size_t i = 0; i < served_count; i++) { // they are the newest: fewer than that many are newer than the oldest
        bool is_shown = false;
        if (!served[i].repeated && served[i].served_ms > newest_ms) {
            recount(&served[i], &is_shown);
        }
        newer += is_shown;
    }
    assert_in_range(newer, 0, 9);
    snprintf(text, sizeof text, "%lld", (long long)oldest_ms + 1);
    assert_int_equal(export_examples(path, "--since", text), 0);
    assert_true(check_file(path, &newest_ms) < shown);
    assert_true(newest_ms > oldest_ms);
    assert_int_equal(export_examples(path, "--layout", "0000000000000001"), 1);
    snprintf(text, sizeof text, "%lld", (long long)oldest_ms);
    assert_int_equal(export_examples(path, "--until", text), 1);
}

struct lag {
    const struct cluster_worker *worker;
    const char *metric;
    double target;
};

static bool metric_reached(void *context)
{
    const struct lag *lag = context;
    return cluster_metric(lag->worker, lag->metric) >= lag->target;
}

static void stopped_rekey_closes_nothing(void **state)
{
    (void)state;
    static struct outcomes outcomes;
    struct completion committed = {.tail = tail_open(&cluster, GW_TOPIC_TRAINING_EXAMPLES, false),
                                   .outcomes = &outcomes};
    struct cluster_worker rekey = cluster_run_ready(&cluster, "rekey", NULL);
    struct cluster_worker label = cluster_run_ready(&cluster, "label", NULL);
    complete(&committed);
    uint64_t closed_before = shown_windows();
    committed.closed = closed_before;
    wait_until(complete, &committed, CLUSTER_WAIT_MS, "the examples of before");

    struct served one = *add_served(USERS + 1, next_join++, 1, gw_clock_wall_ms(), false);
    send_served(&one);
    send_action(add_action(&one, GW_ACTION_TYPE_CLIENT_TWEET_RENDER_IMPRESSION, one.served_ms + 5, true));
    records_flush(&cluster);
    struct lag initial = {
        .worker = &label, .metric = "godwit_label_examples_total{kind=\"INITIAL_NEGATIVE\"}", .target = 1};
    wait_until(metric_reached, &initial, CLUSTER_WAIT_MS, "the first negative");
    cluster_stop(&rekey);

    // The served side goes on, the clock stands: well past the end of the window nothing may close.
    struct served other = *add_served(USERS + 2, next_join++, 1, gw_clock_wall_ms(), false);
    send_served(&other);
    records_flush(&cluster);
    struct lag clock = {
        .worker = &label, .metric = "godwit_label_clock_lag_seconds", .target = 2.5 * WINDOW_MS / 1000.0};
    wait_until(metric_reached, &clock, CLUSTER_WAIT_MS, "time to pass");
    complete(&committed);
    assert_int_equal(outcomes.closed, closed_before);
    assert_true(cluster_metric(&label, "godwit_label_open_windows") >= 2);

    // What comes late to rekey is not late: its append time is inside the window. Then windows close again.
    rekey = cluster_run_ready(&cluster, "rekey", NULL);
    committed.closed = closed_before + 1;
    wait_until(complete, &committed, CLUSTER_WAIT_MS, "the window to close");
    struct lag unseen = {.worker = &label, .metric = "godwit_label_served_total{outcome=\"never_shown\"}", .target = 1};
    wait_until(metric_reached, &unseen, CLUSTER_WAIT_MS, "the other window to go");
    cluster_stop(&rekey);
    cluster_stop(&label);
    tail_close(committed.tail);
    records_read(&cluster, gw_runtime_topic(&cluster.runtime, GW_TOPIC_SERVED_CANDIDATES), CLUSTER_ENTITIES,
                 note_append_time, NULL);
    assert_exactly_once();
}

// Bounds that one round fills: the inputs stand still, and nothing is lost when there is more room.
static void full_label_stops_reading_and_goes_on_with_more_room(void **state)
{
    (void)state;
    static const char *const tight[] = {"label.windows_max=6", "label.actions_max=6", "worker.poll_records=5", NULL};
    static struct outcomes outcomes;
    struct completion committed = {.tail = tail_open(&cluster, GW_TOPIC_TRAINING_EXAMPLES, false),
                                   .outcomes = &outcomes};
    struct cluster_worker rekey = cluster_run_ready(&cluster, "rekey", NULL);
    struct cluster_worker label = cluster_run_ready(&cluster, "label", tight);
    for (int r = 0; r < REQUESTS; r++) {
        send_request();
    }
    struct lag held = {.worker = &label, .metric = "godwit_label_held_inputs", .target = CLUSTER_ENTITIES};
    wait_until(metric_reached, &held, CLUSTER_WAIT_MS, "inputs that stand still");
    assert_true(cluster_metric(&label, "godwit_label_open_windows") <= 6 + 5);
    assert_int_equal(http_get(label.ops_port, "/readyz", NULL, 0), 200); // it works as it was told to
    proc_kill(label.proc);
    label = cluster_run(&cluster, "label", NULL);
    records_read(&cluster, gw_runtime_topic(&cluster.runtime, GW_TOPIC_SERVED_CANDIDATES), CLUSTER_ENTITIES,
                 note_append_time, NULL);
    committed.closed = shown_windows();
    wait_until(complete, &committed, CLUSTER_WAIT_MS, "an end of every window");
    cluster_stop(&rekey);
    cluster_stop(&label);
    tail_close(committed.tail);
    assert_exactly_once();
}

// What waited when the last test ended is decided: a report that came after the first look says that nothing waits.
struct decided {
    const struct cluster_worker *worker;
    double lag_s; // of the first look
};

static bool nothing_waits(void *context)
{
    const struct decided *decided = context;
    return cluster_metric(decided->worker, "godwit_label_clock_lag_seconds") != decided->lag_s &&
           cluster_metric(decided->worker, "godwit_label_waiting_actions") == 0;
}

static void what_cannot_be_joined_ends_in_counted_outcomes(void **state)
{
    (void)state;
    static struct outcomes outcomes;
    read_outcomes(&outcomes);
    uint64_t examples = outcomes.records;
    struct cluster_worker rekey = cluster_run_ready(&cluster, "rekey", NULL);
    struct cluster_worker label = cluster_run_ready(&cluster, "label", NULL);
    struct decided decided = {.worker = &label,
                              .lag_s = cluster_metric(&label, "godwit_label_clock_lag_seconds")};
    wait_until(nothing_waits, &decided, CLUSTER_WAIT_MS, "what waited before to be decided");
    int64_t now_ms = gw_clock_wall_ms();
    struct gw_ledger before = cluster_ledger_sum(&cluster, "label", GW_TOPIC_SERVED_CANDIDATES);
    struct gw_ledger rekey_before = cluster_ledger_sum(&cluster, "rekey", GW_TOPIC_UNIFIED_USER_ACTIONS);

    static const struct {
        const char *metric;
        double count;
    } expected[] = {
        {"godwit_label_actions_total{outcome=\"no_served\",join_id=\"yes\"}", 1},
        {"godwit_label_actions_total{outcome=\"no_served\",join_id=\"no\"}", 1},
        {"godwit_label_actions_total{outcome=\"late\"", 1},
        {"godwit_label_actions_total{outcome=\"irrelevant\"", 1},
        {"godwit_label_actions_total{outcome=\"waited\"", 2},
        {"godwit_label_served_total{outcome=\"future\"}", 1},
    };
    double counted[GW_COUNT_OF(expected)];
    for (size_t i = 0; i < GW_COUNT_OF(expected); i++) {
        counted[i] = cluster_metric(&label, expected[i].metric);
    }

    // Nobody was served these; the events are no longer than settle ago, so they wait first.
    struct action stray = {.type = GW_ACTION_TYPE_CLIENT_TWEET_FAV,
                           .user = 900,
                           .join = 77777,
                           .tweet = 5,
                           .author = 500,
                           .time_ms = now_ms,
                           .dwell_ms = -1,
                           .event = 1 << 20};
    send_action(&stray);
    send_action(&stray); // the same event
    stray.event++;
    stray.join = 0;
    send_action(&stray);
    stray.event++;
    stray.time_ms = now_ms - 10 * WINDOW_MS; // its window, if there was one, is over by any clock
    send_action(&stray);
    stray.event++;
    stray.time_ms = now_ms + 3600 * 1000; // a wild clock
    send_action(&stray);
    stray.event++;
    stray.time_ms = now_ms;
    stray.type = GW_ACTION_TYPE_CLIENT_TWEET_OPEN_LINK; // says nothing about a label
    send_action(&stray);
    // Served by a wild clock, without a tweet, and no record at all.
    struct served wild = {.user = 901, .join = 77778, .tweet = 6, .served_ms = now_ms + 3600 * 1000};
    send_served(&wild);
    wild = (struct served){.user = 901, .join = 77779, .tweet = 0, .served_ms = now_ms};
    send_served(&wild);
    records_put(&cluster, GW_TOPIC_SERVED_CANDIDATES, 0, 901, gw_slice_text("not a record"), NULL, 0);
    records_flush(&cluster);

    for (size_t i = 0; i < GW_COUNT_OF(expected); i++) {
        struct lag lag = {.worker = &label, .metric = expected[i].metric, .target = counted[i] + expected[i].count};
        wait_until(metric_reached, &lag, CLUSTER_WAIT_MS, expected[i].metric);
        double count = cluster_metric(&label, expected[i].metric) - counted[i];
        if (count != expected[i].count) {
            print_error("%s: %g, expected %g\n", expected[i].metric, count, expected[i].count);
        }
        assert_true(count == expected[i].count);
    }
    assert_true(cluster_metric(&label, "godwit_label_coverage_ratio{lane=\"0\",of=\"all\"}") == 0);
    cluster_stop(&rekey);
    cluster_stop(&label);
    struct gw_ledger after = cluster_ledger_sum(&cluster, "label", GW_TOPIC_SERVED_CANDIDATES);
    struct gw_ledger rekey_after = cluster_ledger_sum(&cluster, "rekey", GW_TOPIC_UNIFIED_USER_ACTIONS);
    assert_int_equal(after.counts[GW_OUTCOME_DEAD_LETTER] - before.counts[GW_OUTCOME_DEAD_LETTER], 2);
    assert_int_equal(after.counts[GW_OUTCOME_IGNORED] - before.counts[GW_OUTCOME_IGNORED], 1);
    assert_int_equal(records_count(&cluster, gw_runtime_dlq(&cluster.runtime, GW_TOPIC_SERVED_CANDIDATES), 1), 2);
    assert_int_equal(rekey_after.counts[GW_OUTCOME_DEAD_LETTER] - rekey_before.counts[GW_OUTCOME_DEAD_LETTER], 1);
    assert_int_equal(rekey_after.counts[GW_OUTCOME_IGNORED] - rekey_before.counts[GW_OUTCOME_IGNORED], 1);
    read_outcomes(&outcomes);
    assert_int_equal(outcomes.records, examples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_label_and_rekey_give_each_label_exactly_once),
        cmocka_unit_test(export_writes_final_labels_with_names),
        cmocka_unit_test(stopped_rekey_closes_nothing),
        cmocka_unit_test(full_label_stops_reading_and_goes_on_with_more_room),
        cmocka_unit_test(what_cannot_be_joined_ends_in_counted_outcomes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
