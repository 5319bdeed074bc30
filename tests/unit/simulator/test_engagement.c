// SPDX-License-Identifier: MIT
// What viewers do: shares near the documented ones, calibrated to the truth, heavy-tailed, delayed, tied to what was
// shown.
#include "base/map.h"
#include "base/mem.h"
#include "quality/auc.h"
#include "simulator/simulator.h"
#include "support/testkit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define START_MS   1700000000000LL
#define HOUR_MS    3600000LL
#define ROWS_MAX   400000
#define TWEETS_MAX 20000

// Everything the tests ask about one run, gathered once.
struct history {
    size_t impressions;
    size_t requests;
    size_t candidates;
    size_t in_network;
    size_t actions[GW_SIM_ACTION_COUNT];
    size_t us_hours[24];  // impressions in the US by hour of the day, UTC
    double expected_favs; // sum of the true probability over what was shown
    size_t delays_over_1h;
    size_t delays_under_30s;
    size_t delays;
    int64_t longest_delay_ms;
    double *truth; // P(fav) of candidates, a sample
    size_t truth_count;
    size_t *tweet_impressions; // by tweet, in order of the first one
    size_t tweet_count;
    double *followers; // by user
    size_t user_count;
};

static struct history history;

// A shown candidate: by (join id, tweet).
struct shown {
    int64_t user_id;
    int64_t author_id;
    double fav_probability;
    int64_t impressed_ms; // 0: not yet
    int32_t position;
    uint32_t done; // bit per action
};

static void take_request(const struct gw_simulator *simulator, const struct gw_sim_event *event, struct gw_map *served,
                         struct shown **shown, size_t *count, size_t *capacity)
{
    history.requests++;
    history.candidates += event->request.candidate_count;
    if (*count + event->request.candidate_count > *capacity) {
        *capacity = (*capacity + event->request.candidate_count) * 2;
        *shown = gw_mem_realloc(*shown, *capacity, sizeof **shown);
        assert_non_null(*shown);
    }
    for (size_t i = 0; i < event->request.candidate_count; i++) {
        const struct gw_sim_candidate *candidate = &event->request.candidates[i];
        double p = gw_simulator_probability(simulator, i, GW_SIM_FAV);
        uint64_t *value = NULL;
        history.in_network += candidate->in_network > 0.0f ? 1 : 0;
        if (history.truth_count < ROWS_MAX) {
            history.truth[history.truth_count++] = p;
        }
        assert_ok(gw_map_put(served, (uint64_t)event->request.join_id, (uint64_t)candidate->tweet_id, &value, NULL));
        *value = *count;
        (*shown)[(*count)++] =
            (struct shown){.user_id = event->request.user_id, .author_id = candidate->author_id, .fav_probability = p};
    }
}

static void take_impression(const struct gw_sim_event *event, struct shown *shown, struct gw_map *tweets)
{
    uint64_t *value = NULL;
    bool inserted = false;
    shown->impressed_ms = event->time_ms;
    shown->position = event->action.position;
    history.impressions++;
    if (strcmp(event->action.country_code, "US") == 0) {
        history.us_hours[event->time_ms / HOUR_MS % 24]++;
    }
    history.expected_favs += shown->fav_probability;
    assert_ok(gw_map_put(tweets, (uint64_t)event->action.tweet_id, 0, &value, &inserted));
    if (inserted) {
        assert_true(history.tweet_count < TWEETS_MAX);
        *value = history.tweet_count++;
    }
    history.tweet_impressions[*value]++;
}

static void take_action(const struct gw_sim_event *event, const struct gw_map *served, struct shown *all,
                        struct gw_map *tweets)
{
    const uint64_t *index = gw_map_find(served, (uint64_t)event->action.join_id, (uint64_t)event->action.tweet_id);
    assert_non_null(index); // refers to a candidate that was served
    struct shown *shown = &all[*index];
    uint32_t bit = 1u << event->action.action;
    history.actions[event->action.action]++;
    assert_true(shown->user_id == event->action.user_id && shown->author_id == event->action.author_id);
    assert_true((shown->done & bit) == 0);
    shown->done |= bit;
    if (event->action.action == GW_SIM_ACTION_IMPRESSION) {
        take_impression(event, shown, tweets);
        return;
    }
    assert_true(shown->impressed_ms > 0 && event->time_ms >= shown->impressed_ms);
    assert_int_equal(shown->position, event->action.position);
    assert_true((event->action.action == GW_SIM_DWELL) == (event->action.dwell_ms > 0));
    if (event->action.action != GW_SIM_DWELL && event->action.action != GW_SIM_ACTION_UNFAV) {
        int64_t delay_ms = event->time_ms - shown->impressed_ms;
        history.delays++;
        history.delays_over_1h += delay_ms > HOUR_MS ? 1 : 0;
        history.delays_under_30s += delay_ms < 30000 ? 1 : 0;
        history.longest_delay_ms = GW_MAX(history.longest_delay_ms, delay_ms);
    }
}

static int gather(void **state)
{
    (void)state;
    struct gw_simulator_options options = gw_simulator_options_default();
    options.seed = 7;
    options.user_count = 3000;
    options.author_count = 400;
    options.tweets_alive = 3000;
    options.candidates_mean = 25;
    options.shown_mean = 8;
    options.requests_per_s = 0.15;
    options.start_ms = START_MS;
    options.end_ms = START_MS + 24 * HOUR_MS;

    struct gw_simulator *simulator = NULL;
    struct gw_map served = {0};
    struct gw_map tweets = {0};
    struct shown *shown = NULL;
    size_t count = 0;
    size_t capacity = 0;
    history.truth = gw_mem_calloc(ROWS_MAX, sizeof *history.truth);
    history.tweet_impressions = gw_mem_calloc(TWEETS_MAX, sizeof *history.tweet_impressions);
    history.followers = gw_mem_calloc(options.user_count, sizeof *history.followers);
    assert_ok(gw_simulator_new(&options, &simulator, NULL));
    for (;;) {
        struct gw_sim_event event;
        assert_ok(gw_simulator_next(simulator, &event, NULL));
        if (event.kind == GW_SIM_END) {
            break;
        }
        if (event.kind == GW_SIM_PROFILE && history.user_count < options.user_count) {
            history.followers[history.user_count++] = (double)event.profile.follower_count;
        } else if (event.kind == GW_SIM_REQUEST) {
            take_request(simulator, &event, &served, &shown, &count, &capacity);
        } else if (event.kind == GW_SIM_ACTION) {
            take_action(&event, &served, shown, &tweets);
        }
    }
    gw_simulator_free(simulator);
    gw_mem_free(shown);
    gw_map_deinit(&tweets);
    gw_map_deinit(&served);
    return 0;
}

static int release(void **state)
{
    (void)state;
    gw_mem_free(history.followers);
    gw_mem_free(history.tweet_impressions);
    gw_mem_free(history.truth);
    return 0;
}

static size_t negatives(void)
{
    return history.actions[GW_SIM_NEGATIVE] + history.actions[GW_SIM_ACTION_SEE_FEWER] +
           history.actions[GW_SIM_ACTION_MUTE_AUTHOR] + history.actions[GW_SIM_ACTION_BLOCK_AUTHOR];
}

static void shares_of_impressions_are_near_the_documented_ones(void **state)
{
    (void)state;
    assert_true(history.impressions > 50000);
    for (int head = 0; head < GW_SIM_HEAD_COUNT; head++) {
        double expected = gw_sim_head_share((enum gw_sim_head)head) * (double)history.impressions;
        double seen = (double)(head == GW_SIM_NEGATIVE ? negatives() : history.actions[head]);
        double noise = 4.0 * sqrt(expected);
        if (seen < expected / 2.0 - noise || seen > expected * 2.0 + noise) {
            print_error("%s: %g of %zu, expected %g\n", gw_sim_head_symbol((enum gw_sim_head)head), seen,
                        history.impressions, expected);
            fail();
        }
    }
}

static void outcomes_are_calibrated_to_the_truth(void **state)
{
    (void)state;
    double seen = (double)history.actions[GW_SIM_FAV];
    assert_true(seen > 300.0);
    // Some of the last favorites lie behind the end.
    assert_true(fabs(seen - history.expected_favs) < 4.0 * sqrt(history.expected_favs) + 0.01 * history.expected_favs);
}

static void truth_separates_outcomes_well_but_not_fully(void **state)
{
    (void)state;
    double auc = 0.0;
    assert_ok(gw_quality_expected_auc(history.truth, history.truth, history.truth_count, &auc, NULL));
    assert_true(auc > 0.75 && auc < 0.95);
}

static int descending(const void *a, const void *b)
{
    size_t x = *(const size_t *)a;
    size_t y = *(const size_t *)b;
    return (x < y) - (x > y);
}

static int descending_double(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x < y) - (x > y);
}

static void popularity_and_followers_are_heavy_tailed(void **state)
{
    (void)state;
    qsort(history.tweet_impressions, history.tweet_count, sizeof(size_t), descending);
    size_t top = 0;
    for (size_t i = 0; i < history.tweet_count / 100; i++) {
        top += history.tweet_impressions[i];
    }
    assert_true((double)top > 0.10 * (double)history.impressions);

    qsort(history.followers, history.user_count, sizeof(double), descending_double);
    double all = 0.0;
    double first = 0.0;
    for (size_t i = 0; i < history.user_count; i++) {
        all += history.followers[i];
        first += i < history.user_count / 100 ? history.followers[i] : 0.0;
    }
    assert_true(first > 0.3 * all);
}

static void delays_are_seconds_mostly_and_hours_at_times(void **state)
{
    (void)state;
    assert_true(history.delays > 3000);
    assert_true((double)history.delays_under_30s > 0.7 * (double)history.delays);
    assert_true((double)history.delays_over_1h > 0.002 * (double)history.delays);
    assert_true(history.longest_delay_ms <= GW_SIM_DELAY_MAX_MS + 1);
}

static void a_country_sleeps_and_the_mean_rate_holds(void **state)
{
    (void)state;
    size_t least = SIZE_MAX;
    size_t most = 0;
    for (int hour = 0; hour < 24; hour++) {
        least = GW_MIN(least, history.us_hours[hour]);
        most = GW_MAX(most, history.us_hours[hour]);
    }
    assert_true((double)most > 4.0 * (double)least);
    double expected = 0.15 * 86400.0;
    assert_true(fabs((double)history.requests - expected) < 0.05 * expected);
}

static void candidates_come_from_inside_and_outside_the_network(void **state)
{
    (void)state;
    double share = (double)history.in_network / (double)history.candidates;
    assert_true(share > 0.1 && share < 0.8);
    assert_true(fabs((double)history.candidates / (double)history.requests - 25.0) < 2.0);
}

static void epoch_changes_the_rules_from_its_time_on(void **state)
{
    (void)state;
    struct gw_sim_epoch epoch = {.from_ms = START_MS + HOUR_MS, .truth = gw_sim_truth_default()};
    epoch.truth.heads[GW_SIM_FAV].bias += 3.0;
    epoch.truth.heads[GW_SIM_CLICK].bias = -60.0;
    struct gw_simulator_options options = gw_simulator_options_default();
    options.user_count = 500;
    options.author_count = 50;
    options.tweets_alive = 500;
    options.candidates_mean = 10;
    options.start_ms = START_MS;
    options.end_ms = START_MS + 2 * HOUR_MS;
    options.requests_per_s = 0.3;
    options.epochs = &epoch;
    options.epoch_count = 1;
    struct gw_simulator *simulator = NULL;
    double fav[2] = {0.0};
    double click[2] = {0.0};
    assert_ok(gw_simulator_new(&options, &simulator, NULL));
    for (;;) {
        struct gw_sim_event event;
        assert_ok(gw_simulator_next(simulator, &event, NULL));
        if (event.kind == GW_SIM_END) {
            break;
        }
        if (event.kind == GW_SIM_REQUEST) {
            size_t half = event.time_ms < epoch.from_ms ? 0 : 1;
            fav[half] += gw_simulator_probability(simulator, 0, GW_SIM_FAV);
            click[half] += gw_simulator_probability(simulator, 0, GW_SIM_CLICK);
        }
    }
    assert_true(fav[1] > 5.0 * fav[0]);
    assert_true(click[0] > 0.1 && click[1] < 1e-9);
    gw_simulator_free(simulator);
}

// By join id and tweet: when it was shown and when it was favorited, 0 for never.
static void gather_favs(double pace, struct gw_map *index, int64_t (*times)[2], size_t *ret_count)
{
    struct gw_simulator_options options = gw_simulator_options_default();
    options.seed = 11;
    options.user_count = 500;
    options.author_count = 50;
    options.tweets_alive = 500;
    options.candidates_mean = 20;
    options.requests_per_s = 0.3;
    options.pace = pace;
    options.start_ms = START_MS;
    options.end_ms = START_MS + HOUR_MS;
    struct gw_simulator *simulator = NULL;
    assert_ok(gw_simulator_new(&options, &simulator, NULL));
    for (;;) {
        struct gw_sim_event event;
        assert_ok(gw_simulator_next(simulator, &event, NULL));
        if (event.kind == GW_SIM_END) {
            break;
        }
        if (event.kind == GW_SIM_ACTION &&
            (event.action.action == GW_SIM_ACTION_IMPRESSION || event.action.action == GW_SIM_FAV)) {
            uint64_t *value = NULL;
            bool inserted = false;
            assert_ok(
                gw_map_put(index, (uint64_t)event.action.join_id, (uint64_t)event.action.tweet_id, &value, &inserted));
            if (inserted) {
                assert_true(*ret_count < ROWS_MAX);
                *value = (*ret_count)++;
            }
            times[*value][event.action.action == GW_SIM_FAV] = event.time_ms;
        }
    }
    gw_simulator_free(simulator);
}

static void pace_brings_the_same_outcomes_sooner(void **state)
{
    (void)state;
    struct gw_map index = {0};
    int64_t(*slow)[2] = gw_mem_calloc(ROWS_MAX, sizeof *slow);
    int64_t(*fast)[2] = gw_mem_calloc(ROWS_MAX, sizeof *fast);
    size_t count = 0;
    size_t both = 0;
    size_t favs = 0;
    assert_non_null(slow);
    assert_non_null(fast);
    gather_favs(1.0, &index, slow, &count);
    gather_favs(20.0, &index, fast, &count); // of what both show; a follow that came sooner changes some candidates
    for (size_t i = 0; i < count; i++) {
        both += slow[i][0] != 0 && fast[i][0] != 0;
        if (slow[i][0] == 0 || slow[i][1] == 0 || fast[i][0] == 0) {
            continue;
        }
        assert_true(fast[i][0] <= slow[i][0]);
        assert_true(fast[i][1] != 0);
        double expected_ms = (double)(slow[i][1] - slow[i][0]) / 20.0;
        assert_true(fabs((double)(fast[i][1] - fast[i][0]) - expected_ms) < 2.0);
        favs++;
    }
    assert_true((double)both > 0.9 * (double)count);
    assert_true(favs > 50);
    gw_map_deinit(&index);
    gw_mem_free(slow);
    gw_mem_free(fast);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_of_impressions_are_near_the_documented_ones),
        cmocka_unit_test(outcomes_are_calibrated_to_the_truth),
        cmocka_unit_test(truth_separates_outcomes_well_but_not_fully),
        cmocka_unit_test(popularity_and_followers_are_heavy_tailed),
        cmocka_unit_test(delays_are_seconds_mostly_and_hours_at_times),
        cmocka_unit_test(a_country_sleeps_and_the_mean_rate_holds),
        cmocka_unit_test(candidates_come_from_inside_and_outside_the_network),
        cmocka_unit_test(epoch_changes_the_rules_from_its_time_on),
        cmocka_unit_test(pace_brings_the_same_outcomes_sooner),
    };
    return cmocka_run_group_tests(tests, gather, release);
}
