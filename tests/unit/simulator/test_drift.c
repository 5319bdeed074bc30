// SPDX-License-Identifier: MIT
// Each drift against the same world without it: equal before it begins, moved as said behind it, all else equal.
#include "simulator/drift.h"

#include "base/map.h"
#include "base/mem.h"
#include "quality/auc.h"
#include "simulator/simulator.h"
#include "support/testkit.h"

#include <math.h>
#include <string.h>

#define START_MS  1700000000000LL
#define MINUTE_MS 60000LL
#define FROM_MS   (START_MS + MINUTE_MS)
#define END_MS    (START_MS + 4 * MINUTE_MS)

static struct gw_simulator_options small_world(void)
{
    struct gw_simulator_options options = gw_simulator_options_default();
    options.seed = 42;
    options.user_count = 2000;
    options.author_count = 200;
    options.tweets_alive = 3000;
    options.candidates_mean = 30;
    options.requests_per_s = 2.0;
    options.start_ms = START_MS;
    options.end_ms = END_MS;
    return options;
}

static struct gw_sim_event next(struct gw_simulator *simulator)
{
    struct gw_sim_event event;
    assert_ok(gw_simulator_next(simulator, &event, NULL));
    return event;
}

// ---- a world with and without a drift

struct pair {
    struct gw_simulator *plain;
    struct gw_simulator *drifted;
    struct gw_sim_event a; // of the plain one
    struct gw_sim_event b;
    size_t backfilled_profiles;
    size_t backfilled_tweets;
    int64_t last_backfill_ms;
};

static void set_up(struct pair *pair, const struct gw_sim_drift *drifts, size_t count)
{
    struct gw_simulator_options options = small_world();
    *pair = (struct pair){0};
    assert_ok(gw_simulator_new(&options, &pair->plain, NULL));
    options.drifts = drifts;
    options.drift_count = count;
    assert_ok(gw_simulator_new(&options, &pair->drifted, NULL));
}

static void tear_down(struct pair *pair)
{
    gw_simulator_free(pair->plain);
    gw_simulator_free(pair->drifted);
}

static bool same_id(const struct pair *pair)
{
    return memcmp(pair->a.event_id, pair->b.event_id, sizeof pair->a.event_id) == 0;
}

// The next event of both worlds, without what the backfill alone says. False at the end.
static bool next_pair(struct pair *pair)
{
    pair->a = next(pair->plain);
    pair->b = next(pair->drifted);
    while (pair->b.kind != GW_SIM_END && !same_id(pair)) {
        bool is_profile = pair->b.kind == GW_SIM_PROFILE;
        assert_true(is_profile || (pair->b.kind == GW_SIM_TWEET && pair->b.tweet.is_edit));
        pair->backfilled_profiles += is_profile ? 1 : 0;
        pair->backfilled_tweets += is_profile ? 0 : 1;
        pair->last_backfill_ms = pair->b.time_ms;
        pair->b = next(pair->drifted);
    }
    assert_int_equal(pair->a.kind, pair->b.kind);
    assert_true(pair->a.time_ms == pair->b.time_ms);
    return pair->a.kind != GW_SIM_END;
}

static void assert_same_request(const struct pair *pair)
{
    const struct gw_sim_request *a = &pair->a.request;
    const struct gw_sim_request *b = &pair->b.request;
    assert_true(a->join_id == b->join_id && a->user_id == b->user_id && a->is_session_start == b->is_session_start);
    assert_int_equal(a->candidate_count, b->candidate_count);
    for (size_t i = 0; i < a->candidate_count; i++) {
        assert_true(a->candidates[i].tweet_id == b->candidates[i].tweet_id);
        assert_true(a->candidates[i].author_id == b->candidates[i].author_id);
        assert_true(a->candidates[i].in_network == b->candidates[i].in_network);
    }
}

static void assert_same_truth(const struct pair *pair)
{
    for (size_t i = 0; i < pair->a.request.candidate_count; i++) {
        for (int head = 0; head < GW_SIM_HEAD_COUNT; head++) {
            assert_true(gw_simulator_probability(pair->plain, i, (enum gw_sim_head)head) ==
                        gw_simulator_probability(pair->drifted, i, (enum gw_sim_head)head));
        }
    }
}

static void assert_same_action(const struct pair *pair)
{
    const struct gw_sim_action *a = &pair->a.action;
    const struct gw_sim_action *b = &pair->b.action;
    assert_true(a->action == b->action && a->user_id == b->user_id && a->tweet_id == b->tweet_id);
    assert_true(a->author_id == b->author_id && a->join_id == b->join_id && a->position == b->position);
    assert_true(a->dwell_ms == b->dwell_ms);
}

// All but what the four kinds of drifting records may change.
static void assert_same_but_reports(const struct pair *pair)
{
    const struct gw_sim_tweet *a = &pair->a.tweet;
    const struct gw_sim_tweet *b = &pair->b.tweet;
    switch (pair->a.kind) {
    case GW_SIM_PROFILE:
        assert_true(pair->a.profile.user_id == pair->b.profile.user_id);
        assert_true(pair->a.profile.following_count == pair->b.profile.following_count);
        assert_true(pair->a.profile.tweet_count == pair->b.profile.tweet_count);
        assert_true(pair->a.profile.is_verified == pair->b.profile.is_verified);
        break;
    case GW_SIM_TWEET:
        assert_true(a->tweet_id == b->tweet_id && a->author_id == b->author_id && a->is_deleted == b->is_deleted);
        assert_true(a->num_hashtags == b->num_hashtags && a->num_mentions == b->num_mentions);
        assert_true(a->link_count == b->link_count && a->has_image == b->has_image && a->has_video == b->has_video);
        assert_true(a->is_sensitive == b->is_sensitive && !b->is_edit);
        break;
    case GW_SIM_SOCIAL:
        assert_true(pair->a.social.src_id == pair->b.social.src_id && pair->a.social.dst_id == pair->b.social.dst_id);
        break;
    case GW_SIM_REQUEST:
        assert_same_request(pair);
        assert_same_truth(pair);
        break;
    case GW_SIM_ACTION:
        assert_same_action(pair);
        break;
    case GW_SIM_END:
        break;
    }
}

static void assert_same_reports(const struct pair *pair)
{
    if (pair->a.kind == GW_SIM_PROFILE) {
        assert_true(pair->a.profile.follower_count == pair->b.profile.follower_count);
        assert_true(pair->a.profile.created_ms == pair->b.profile.created_ms);
        assert_int_equal(pair->a.profile.user_state, pair->b.profile.user_state);
    } else if (pair->a.kind == GW_SIM_TWEET) {
        assert_int_equal(pair->a.tweet.text_length, pair->b.tweet.text_length);
        assert_true(pair->a.tweet.video_duration_ms == pair->b.tweet.video_duration_ms);
        assert_false(pair->b.tweet.is_retweet);
    } else if (pair->a.kind == GW_SIM_REQUEST) {
        for (size_t i = 0; i < pair->a.request.candidate_count; i++) {
            assert_true(pair->a.request.candidates[i].source_score == pair->b.request.candidates[i].source_score);
        }
    }
}

// ---- texts

static void texts_give_kind_amount_and_offset(void **state)
{
    (void)state;
    struct gw_sim_drift drift;
    assert_ok(gw_sim_drift_parse("shift", &drift, NULL));
    assert_true(drift.kind == GW_SIM_DRIFT_SHIFT && drift.amount == 0.5 && drift.from_ms == 0);
    assert_ok(gw_sim_drift_parse("shift=0.25@30s", &drift, NULL));
    assert_true(drift.kind == GW_SIM_DRIFT_SHIFT && drift.amount == 0.25 && drift.from_ms == 30000);
    assert_ok(gw_sim_drift_parse("concept@2m", &drift, NULL));
    assert_true(drift.kind == GW_SIM_DRIFT_CONCEPT && drift.amount == 1.0 && drift.from_ms == 120000);
    for (int kind = 0; kind < GW_SIM_DRIFT_COUNT; kind++) {
        assert_ok(gw_sim_drift_parse(gw_sim_drift_name((enum gw_sim_drift_kind)kind), &drift, NULL));
        assert_int_equal(drift.kind, kind);
    }
}

static void bad_texts_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "@30s",
                                        "=1",
                                        "shif",
                                        "shiftt",
                                        "Shift",
                                        "shift=",
                                        "shift=x",
                                        "shift=1x",
                                        "shift=-1",
                                        "shift=0",
                                        "shift=11",
                                        "shift=nan",
                                        "shift@",
                                        "shift@30",
                                        "shift@x",
                                        "shift@-3s",
                                        "shift@3s=1",
                                        "missing=2",
                                        "delay=0.5",
                                        "concept=1.5",
                                        "poison=1.1",
                                        "category=-1",
                                        "shift=1=2",
                                        "shift=1@1s@2s",
                                        "shift=0.00000000000000000000000000000000000001"};
    for (size_t i = 0; i < GW_COUNT_OF(texts); i++) {
        struct gw_sim_drift drift = {.amount = 7.0};
        gw_err err = {0};
        assert_fails(gw_sim_drift_parse(texts[i], &drift, &err), GW_E_CONFIG);
        assert_true(drift.amount == 7.0 && strstr(err.message, "drift '") != NULL);
    }
}

// ---- before

static void nothing_differs_before_a_drift_begins(void **state)
{
    (void)state;
    struct gw_sim_drift drifts[GW_SIM_DRIFT_COUNT];
    struct pair pair;
    size_t requests = 0;
    for (int kind = 0; kind < GW_SIM_DRIFT_COUNT; kind++) {
        drifts[kind] = (struct gw_sim_drift){.kind = (enum gw_sim_drift_kind)kind, .amount = 1.0, .from_ms = FROM_MS};
    }
    set_up(&pair, drifts, GW_COUNT_OF(drifts)); // all kinds in one world
    while (next_pair(&pair) && pair.a.time_ms < FROM_MS) {
        assert_same_but_reports(&pair);
        assert_same_reports(&pair);
        requests += pair.a.kind == GW_SIM_REQUEST;
    }
    assert_true(requests > 80);
    assert_true(pair.last_backfill_ms == 0 || pair.last_backfill_ms >= FROM_MS);
    tear_down(&pair);
}

// ---- records

struct moments {
    double count;
    double sum;
    double squares;
};

static void add(struct moments *moments, double value)
{
    moments->count++;
    moments->sum += value;
    moments->squares += value * value;
}

static double mean(const struct moments *moments)
{
    return moments->sum / moments->count;
}

static double deviation(const struct moments *moments)
{
    return sqrt(moments->squares / moments->count - mean(moments) * mean(moments));
}

// What records say without [0] and with [1] the drift, behind its beginning, profiles and tweets as of the backfill.
struct said {
    struct moments score[2];
    struct moments followers[2]; // logarithms
    struct moments length[2];    // logarithm of what is over 4.5
    size_t candidates;
    size_t scores_missing;
    size_t profiles;
    size_t profiles_missing;
    size_t tweets;
    size_t retweets;
    size_t videos;
    size_t videos_missing;
};

static void say_profile(struct said *said, int which, const struct gw_sim_profile *profile)
{
    add(&said->followers[which], log((double)profile->follower_count));
    if (which == 1) {
        said->profiles++;
        assert_int_equal(profile->user_state == 0, profile->created_ms == 0);
        said->profiles_missing += profile->user_state == 0;
    }
}

static void say_tweet(struct said *said, int which, const struct gw_sim_tweet *tweet)
{
    add(&said->length[which], log(tweet->text_length - 4.5));
    if (which == 1) {
        said->tweets++;
        said->retweets += tweet->is_retweet;
        said->videos += tweet->has_video;
        said->videos_missing += tweet->has_video && tweet->video_duration_ms == 0;
    }
}

static void say_request(struct said *said, const struct pair *pair)
{
    for (size_t i = 0; i < pair->a.request.candidate_count; i++) {
        double score = (double)pair->b.request.candidates[i].source_score;
        add(&said->score[0], (double)pair->a.request.candidates[i].source_score);
        said->candidates++;
        said->scores_missing += isnan(score);
        if (!isnan(score)) {
            add(&said->score[1], score);
        }
    }
}

// The profiles and tweets that the drift meets, as they were: those of the plain world before it, the same every time.
static void gather_plain(struct said *said)
{
    static struct said plain;
    if (plain.followers[0].count > 0.0) {
        said->followers[0] = plain.followers[0];
        said->length[0] = plain.length[0];
        return;
    }
    struct gw_simulator_options options = small_world();
    struct gw_simulator *simulator = NULL;
    options.end_ms = FROM_MS;
    assert_ok(gw_simulator_new(&options, &simulator, NULL));
    for (;;) {
        struct gw_sim_event event = next(simulator);
        if (event.kind == GW_SIM_END) {
            break;
        }
        if (event.kind == GW_SIM_PROFILE && said->followers[0].count < options.user_count) {
            say_profile(said, 0, &event.profile);
        } else if (event.kind == GW_SIM_TWEET && !event.tweet.is_deleted) {
            say_tweet(said, 0, &event.tweet);
        }
    }
    plain = *said;
    gw_simulator_free(simulator);
}

static void gather_backfill(struct said *said, enum gw_sim_drift_kind kind, double amount)
{
    const struct gw_sim_drift drift = {.kind = kind, .amount = amount, .from_ms = FROM_MS};
    struct gw_simulator_options options = small_world();
    struct gw_simulator *simulator = NULL;
    options.drifts = &drift;
    options.drift_count = 1;
    options.end_ms = FROM_MS + GW_SIM_BACKFILL_MS;
    assert_ok(gw_simulator_new(&options, &simulator, NULL));
    for (;;) {
        struct gw_sim_event event = next(simulator);
        if (event.kind == GW_SIM_END) {
            break;
        }
        if (event.kind == GW_SIM_PROFILE && event.time_ms >= FROM_MS) {
            say_profile(said, 1, &event.profile);
        } else if (event.kind == GW_SIM_TWEET && event.time_ms >= FROM_MS && !event.tweet.is_deleted) {
            say_tweet(said, 1, &event.tweet);
        }
    }
    gw_simulator_free(simulator);
}

// Gathers what records say, and asserts that nothing else differs.
static struct said gather(enum gw_sim_drift_kind kind, double amount)
{
    struct said said = {0};
    struct pair pair;
    const struct gw_sim_drift drift = {.kind = kind, .amount = amount, .from_ms = FROM_MS};
    set_up(&pair, &drift, 1);
    while (next_pair(&pair)) {
        assert_same_but_reports(&pair);
        if (pair.a.kind == GW_SIM_REQUEST && pair.a.time_ms >= FROM_MS) {
            say_request(&said, &pair);
        }
    }
    bool both = kind != GW_SIM_DRIFT_CATEGORY;
    assert_int_equal(pair.backfilled_profiles, both ? small_world().user_count : 0);
    assert_true(pair.backfilled_tweets > 2500 && pair.backfilled_tweets < 3500);
    assert_true(pair.last_backfill_ms < FROM_MS + GW_SIM_BACKFILL_MS);
    tear_down(&pair);
    gather_plain(&said);
    gather_backfill(&said, kind, amount);
    return said;
}

#define assert_near(value, expected, tolerance)                                                                        \
    do {                                                                                                               \
        double near_value = (value);                                                                                   \
        if (!(fabs(near_value - (expected)) <= (tolerance))) {                                                         \
            fail_msg("%s is %g, expected %g within %g", #value, near_value, (double)(expected), (double)(tolerance));  \
        }                                                                                                              \
    } while (0)

// By how many standard deviations the mean has moved.
static double shift_of(const struct moments moments[2])
{
    return (mean(&moments[1]) - mean(&moments[0])) / deviation(&moments[0]);
}

static double stretch_of(const struct moments moments[2])
{
    return deviation(&moments[1]) / deviation(&moments[0]);
}

// The counts' logarithms have heavier tails than their law's standard deviation tells in a small world.
static void shift_moves_means_by_its_amount(void **state)
{
    (void)state;
    static const double amounts[] = {0.25, 2.0};
    for (size_t i = 0; i < GW_COUNT_OF(amounts); i++) {
        struct said said = gather(GW_SIM_DRIFT_SHIFT, amounts[i]);
        assert_near(shift_of(said.score), amounts[i], 0.05 * amounts[i]);
        assert_near(shift_of(said.length), amounts[i], 0.1 * amounts[i]);
        assert_near((mean(&said.followers[1]) - mean(&said.followers[0])) * 1.1, amounts[i], 0.05 * amounts[i] + 0.02);
        assert_near(stretch_of(said.score), 1.0, 0.01);
        assert_int_equal(said.scores_missing + said.profiles_missing + said.videos_missing + said.retweets, 0);
    }
}

static void spread_stretches_about_the_mean(void **state)
{
    (void)state;
    struct said said = gather(GW_SIM_DRIFT_SPREAD, 1.5);
    assert_near(stretch_of(said.score), 1.5, 0.01);
    assert_near(stretch_of(said.length), 1.5, 0.05);
    assert_near(stretch_of(said.followers), 1.5, 0.25); // readers' and authors' means keep their distance
    assert_near(shift_of(said.score), 0.0, 0.1);
    assert_near(shift_of(said.length), 0.0, 0.05);
    assert_near(shift_of(said.followers), 0.0, 0.05);
}

static void missing_takes_its_share_of_values_away(void **state)
{
    (void)state;
    struct said said = gather(GW_SIM_DRIFT_MISSING, 0.2);
    assert_near((double)said.scores_missing / (double)said.candidates, 0.2, 0.01);
    assert_near((double)said.profiles_missing / (double)said.profiles, 0.2, 0.03);
    assert_near((double)said.videos_missing / (double)said.videos, 0.2, 0.08);
    assert_near(shift_of(said.score), 0.0, 0.02);
    assert_near(shift_of(said.followers), 0.0, 0.02);
    assert_int_equal(said.retweets, 0);
}

static void category_brings_a_value_that_was_never_seen(void **state)
{
    (void)state;
    struct said said = gather(GW_SIM_DRIFT_CATEGORY, 0.1);
    assert_near((double)said.retweets / (double)said.tweets, 0.1, 0.02);
    assert_int_equal(said.scores_missing + said.profiles_missing + said.videos_missing, 0);
    assert_near(shift_of(said.score), 0.0, 0.0);
}

static void backfill_brings_authors_and_new_tweets_first(void **state)
{
    (void)state;
    const struct gw_sim_drift drift = {.kind = GW_SIM_DRIFT_SHIFT, .amount = 1.0, .from_ms = FROM_MS};
    struct gw_simulator_options options = small_world();
    struct gw_simulator *simulator = NULL;
    options.drifts = &drift;
    options.drift_count = 1;
    options.end_ms = FROM_MS + GW_SIM_BACKFILL_MS / 10;
    assert_ok(gw_simulator_new(&options, &simulator, NULL));
    size_t profiles = 0;
    int64_t last_id = INT64_MAX;
    for (;;) {
        struct gw_sim_event event = next(simulator);
        if (event.kind == GW_SIM_END) {
            break;
        }
        profiles += event.kind == GW_SIM_PROFILE && event.time_ms >= FROM_MS;
        if (event.kind == GW_SIM_TWEET && event.tweet.is_edit) {
            int64_t age_ms = FROM_MS - ((event.tweet.tweet_id >> 22) + 1288834974657LL);
            assert_true(event.tweet.tweet_id < last_id && age_ms < GW_SIM_HORIZON_MS / 10);
            last_id = event.tweet.tweet_id;
        }
    }
    assert_true(last_id < INT64_MAX);
    assert_true(profiles >= 200 && profiles < 205); // the tenth that writes, and hardly an ordinary one
    gw_simulator_free(simulator);
}

// ---- actions

// What became of what was shown, by (join id, tweet).
struct outcome {
    double fav_probability;
    int64_t user_id;
    int64_t shown_ms;
    int64_t action_ms[GW_SIM_ACTION_COUNT]; // 0: did not happen
};

struct outcomes {
    struct gw_map index;
    struct outcome *items;
    size_t count;
    size_t capacity;
};

static struct outcome *outcome_of(struct outcomes *outcomes, int64_t join_id, int64_t tweet_id)
{
    uint64_t *value = NULL;
    bool inserted = false;
    assert_ok(gw_map_put(&outcomes->index, (uint64_t)join_id, (uint64_t)tweet_id, &value, &inserted));
    if (inserted) {
        if (outcomes->count == outcomes->capacity) {
            outcomes->capacity = outcomes->capacity > 0 ? outcomes->capacity * 2 : 4096;
            outcomes->items = gw_mem_realloc(outcomes->items, outcomes->capacity, sizeof *outcomes->items);
            assert_non_null(outcomes->items);
        }
        *value = outcomes->count;
        outcomes->items[outcomes->count++] = (struct outcome){0};
    }
    return &outcomes->items[*value];
}

// Runs a world for actions of requests behind the beginning; NULL: without a drift.
static void run(const struct gw_sim_drift *drift, int64_t minutes, struct outcomes *outcomes)
{
    struct gw_simulator_options options = small_world();
    struct gw_simulator *simulator = NULL;
    *outcomes = (struct outcomes){0};
    options.drifts = drift;
    options.drift_count = drift != NULL ? 1 : 0;
    options.end_ms = FROM_MS + minutes * MINUTE_MS;
    assert_ok(gw_simulator_new(&options, &simulator, NULL));
    for (;;) {
        struct gw_sim_event event = next(simulator);
        if (event.kind == GW_SIM_END) {
            break;
        }
        if (event.kind == GW_SIM_REQUEST && event.time_ms >= FROM_MS) {
            for (size_t i = 0; i < event.request.candidate_count; i++) {
                struct outcome *outcome =
                    outcome_of(outcomes, event.request.join_id, event.request.candidates[i].tweet_id);
                outcome->fav_probability = gw_simulator_probability(simulator, i, GW_SIM_FAV);
                outcome->user_id = event.request.user_id;
            }
        }
        if (event.kind == GW_SIM_ACTION &&
            gw_map_find(&outcomes->index, (uint64_t)event.action.join_id, (uint64_t)event.action.tweet_id) != NULL) {
            outcome_of(outcomes, event.action.join_id, event.action.tweet_id)->action_ms[event.action.action] =
                event.time_ms;
        }
    }
    gw_simulator_free(simulator);
    for (size_t i = 0; i < outcomes->count; i++) {
        outcomes->items[i].shown_ms = outcomes->items[i].action_ms[GW_SIM_ACTION_IMPRESSION];
    }
}

static void release(struct outcomes *outcomes)
{
    gw_map_deinit(&outcomes->index);
    gw_mem_free(outcomes->items);
}

static void delay_moves_actions_and_nothing_else(void **state)
{
    (void)state;
    const struct gw_sim_drift drift = {.kind = GW_SIM_DRIFT_DELAY, .amount = 10.0, .from_ms = FROM_MS};
    struct outcomes plain;
    struct outcomes late;
    run(NULL, 8, &plain);
    run(&drift, 40, &late);
    size_t compared = 0;
    for (size_t i = 0; i < plain.count; i++) { // requests come in the same order
        const struct outcome *a = &plain.items[i];
        const struct outcome *b = &late.items[i];
        if (a->shown_ms == 0) {
            continue; // not shown, or not yet
        }
        assert_true(a->shown_ms == b->shown_ms);
        for (int head = 0; head < GW_SIM_HEAD_COUNT; head++) {
            if (a->action_ms[head] == 0 || (a->action_ms[head] - a->shown_ms) * 10 > 30 * MINUTE_MS) {
                continue;
            }
            assert_true(b->action_ms[head] - b->shown_ms == (a->action_ms[head] - a->shown_ms) * 10);
            compared++;
        }
    }
    assert_true(compared > 500);
    release(&plain);
    release(&late);
}

static void concept_turns_likes_round_at_equal_shares(void **state)
{
    (void)state;
    const struct gw_sim_drift drift = {.kind = GW_SIM_DRIFT_CONCEPT, .amount = 1.0, .from_ms = FROM_MS};
    struct outcomes old;
    struct outcomes new;
    run(NULL, 15, &old);
    run(&drift, 15, &new);
    double shown[2] = {0};
    double happened[2][GW_SIM_ACTION_COUNT] = {{0}};
    double *before = gw_mem_calloc(new.count, sizeof *before);
    double *after = gw_mem_calloc(new.count, sizeof *after);
    bool *favs = gw_mem_calloc(new.count, sizeof *favs);
    size_t rows = 0;
    for (int which = 0; which < 2; which++) {
        const struct outcomes *outcomes = which == 0 ? &old : &new;
        for (size_t i = 0; i < outcomes->count; i++) {
            shown[which] += outcomes->items[i].shown_ms != 0;
            for (int action = 0; action < GW_SIM_ACTION_COUNT; action++) {
                happened[which][action] += outcomes->items[i].action_ms[action] != 0;
            }
        }
    }
    assert_true(shown[0] > 12000 && shown[1] > 12000);
    for (int head = 0; head < GW_SIM_HEAD_COUNT; head++) {
        if (happened[0][head] > 100) {
            double noise = 4.0 * sqrt(happened[0][head] + happened[1][head]);
            assert_near(happened[1][head] / shown[1] * shown[0], happened[0][head], noise + 0.05 * happened[0][head]);
        }
    }
    // The old truth of the same candidate is what the plain world says of it.
    for (size_t i = 0; i < old.count && i < new.count; i++) {
        if (old.items[i].user_id == new.items[i].user_id &&new.items[i].shown_ms != 0) {
            before[rows] = old.items[i].fav_probability;
            after[rows] = new.items[i].fav_probability;
            favs[rows++] = new.items[i].action_ms[GW_SIM_FAV] != 0;
        }
    }
    double by_old = 0.0;
    double by_new = 0.0;
    assert_ok(gw_quality_auc(before, favs, NULL, rows, &by_old, NULL));
    assert_ok(gw_quality_auc(after, favs, NULL, rows, &by_new, NULL));
    print_message("AUC on new favorites: of the old truth %.3f, of the new one %.3f\n", by_old, by_new);
    assert_true(by_new > 0.75 && by_old < by_new - 0.15);
    gw_mem_free(before);
    gw_mem_free(after);
    gw_mem_free(favs);
    release(&old);
    release(&new);
}

static void poison_turns_labels_round_and_leaves_the_truth(void **state)
{
    (void)state;
    const struct gw_sim_drift drift = {.kind = GW_SIM_DRIFT_POISON, .amount = 0.3, .from_ms = FROM_MS};
    struct outcomes plain;
    struct outcomes poisoned;
    run(NULL, 25, &plain);
    run(&drift, 25, &poisoned);
    size_t struck = 0;
    size_t checked = 0;
    size_t lies = 0;
    size_t lies_seen = 0; // some come after the end
    for (size_t i = 0; checked < 5000; i++) {
        const struct outcome *a = &plain.items[i];
        const struct outcome *b = &poisoned.items[i];
        assert_true(a->user_id == b->user_id && a->shown_ms == b->shown_ms);
        assert_true(a->fav_probability == b->fav_probability);
        if (a->shown_ms == 0) {
            continue;
        }
        bool is_struck = (a->action_ms[GW_SIM_DWELL] == 0) != (b->action_ms[GW_SIM_DWELL] == 0);
        for (int head = 0; head < GW_SIM_HEAD_COUNT; head++) {
            if (!is_struck) {
                assert_true(a->action_ms[head] == b->action_ms[head]);
            } else if (a->action_ms[head] != 0) {
                assert_true(b->action_ms[head] == 0);
            } else if (head <= GW_SIM_SHARE) { // whatever the tweet, it can happen
                lies++;
                lies_seen += b->action_ms[head] != 0;
            }
        }
        struck += is_struck;
        checked++;
    }
    assert_near((double)struck / (double)checked, 0.3, 0.03);
    assert_true((double)lies_seen > 0.97 * (double)lies);
    release(&plain);
    release(&poisoned);
}

// ---- switches

static void switch_is_told_once_with_the_ceilings_of_a_concept(void **state)
{
    (void)state;
    const struct gw_sim_drift drifts[] = {
        {.kind = GW_SIM_DRIFT_CONCEPT, .amount = 1.0, .from_ms = START_MS + 2 * MINUTE_MS},
        {.kind = GW_SIM_DRIFT_SHIFT, .amount = 1.0, .from_ms = START_MS + MINUTE_MS + 1}};
    struct gw_simulator_options options = small_world();
    struct gw_simulator *simulator = NULL;
    struct gw_sim_switch told = {0};
    size_t count = 0;
    options.drifts = drifts;
    options.drift_count = GW_COUNT_OF(drifts);
    options.end_ms = START_MS + 3 * MINUTE_MS;
    assert_ok(gw_simulator_new(&options, &simulator, NULL));
    while (next(simulator).kind != GW_SIM_END) {
        if (!gw_simulator_next_switch(simulator, &told)) {
            continue;
        }
        if (count++ == 0) {
            assert_int_equal(told.drift.kind, GW_SIM_DRIFT_SHIFT);
            assert_true(told.drift.from_ms == START_MS + MINUTE_MS + 1000 && told.count == 0); // whole seconds
            continue;
        }
        double auc[3] = {0};
        assert_int_equal(told.drift.kind, GW_SIM_DRIFT_CONCEPT);
        assert_true(told.drift.from_ms == START_MS + 2 * MINUTE_MS && told.count >= 10000);
        assert_ok(gw_quality_expected_auc(told.before, told.before, told.count, &auc[0], NULL));
        assert_ok(gw_quality_expected_auc(told.after, told.after, told.count, &auc[1], NULL));
        assert_ok(gw_quality_expected_auc(told.before, told.after, told.count, &auc[2], NULL));
        assert_true(auc[0] > 0.75 && auc[1] > 0.75 && auc[2] < auc[1] - 0.15);
        struct moments before = {0};
        struct moments after = {0};
        for (size_t i = 0; i < told.count; i++) {
            add(&before, told.before[i]);
            add(&after, told.after[i]);
        }
        assert_near(mean(&after) / mean(&before), 1.0, 1e-6); // the biases are solved for
    }
    assert_int_equal(count, 2);
    gw_simulator_free(simulator);
}

static void drift_added_late_begins_with_the_next_second(void **state)
{
    (void)state;
    const struct gw_sim_drift drift = {.kind = GW_SIM_DRIFT_MISSING, .amount = 1.0, .from_ms = START_MS};
    struct gw_simulator_options options = small_world();
    struct gw_simulator *simulator = NULL;
    assert_ok(gw_simulator_new(&options, &simulator, NULL));
    struct gw_sim_event event = next(simulator);
    while (event.time_ms < START_MS + MINUTE_MS) {
        event = next(simulator);
    }
    int64_t begin_ms = (event.time_ms / 1000 + 1) * 1000;
    assert_ok(gw_simulator_add_drift(simulator, &drift, NULL));
    for (size_t i = 0; i < 2000; i++) {
        event = next(simulator);
        if (event.kind == GW_SIM_REQUEST) {
            assert_int_equal(isnan(event.request.candidates[0].source_score), event.time_ms >= begin_ms);
        }
    }
    gw_simulator_free(simulator);
}

static void bad_drifts_are_refused(void **state)
{
    (void)state;
    struct gw_sim_drift drifts[GW_SIM_DRIFTS_MAX + 1];
    struct gw_simulator_options options = small_world();
    struct gw_simulator *simulator = NULL;
    for (size_t i = 0; i < GW_COUNT_OF(drifts); i++) {
        drifts[i] = (struct gw_sim_drift){.kind = GW_SIM_DRIFT_SHIFT, .amount = 1.0};
    }
    options.drifts = drifts;
    options.drift_count = GW_COUNT_OF(drifts);
    assert_fails(gw_simulator_new(&options, &simulator, NULL), GW_E_CONFIG);
    options.drift_count = 1;
    drifts[0].amount = (double)NAN;
    assert_fails(gw_simulator_new(&options, &simulator, NULL), GW_E_CONFIG);
    assert_null(simulator);
}

static void failed_allocation_of_a_switch_is_a_status(void **state)
{
    (void)state;
    const struct gw_sim_drift drift = {.kind = GW_SIM_DRIFT_CONCEPT, .amount = 1.0, .from_ms = FROM_MS};
    struct gw_simulator_options options = small_world();
    options.drifts = &drift;
    options.drift_count = 1;
    options.user_count = 200;
    options.author_count = 20;
    options.tweets_alive = 300;
    gw_status status = GW_E_MEMORY;
    for (unsigned long n = 1; status != GW_OK; n++) {
        struct gw_simulator *simulator = NULL;
        struct gw_sim_event event = {0};
        assert_ok(gw_simulator_new(&options, &simulator, NULL));
        while (event.time_ms < FROM_MS - 2000) {
            event = next(simulator);
        }
        gw_mem_fail_nth(n);
        status = GW_OK;
        while (status == GW_OK && event.time_ms < FROM_MS + 10000) {
            status = gw_simulator_next(simulator, &event, NULL);
        }
        gw_mem_fail_nth(0);
        gw_simulator_free(simulator);
        if (status != GW_OK) {
            assert_fails(status, GW_E_MEMORY);
        } else {
            assert_true(n > 3); // the three arrays of the sample, at least
        }
    }
}

GW_TESTS(texts_give_kind_amount_and_offset, bad_texts_are_refused_with_a_reason, nothing_differs_before_a_drift_begins,
         shift_moves_means_by_its_amount, spread_stretches_about_the_mean, missing_takes_its_share_of_values_away,
         category_brings_a_value_that_was_never_seen, backfill_brings_authors_and_new_tweets_first,
         delay_moves_actions_and_nothing_else, concept_turns_likes_round_at_equal_shares,
         poison_turns_labels_round_and_leaves_the_truth, switch_is_told_once_with_the_ceilings_of_a_concept,
         drift_added_late_begins_with_the_next_second, bad_drifts_are_refused,
         failed_allocation_of_a_switch_is_a_status)
