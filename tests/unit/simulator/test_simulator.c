// SPDX-License-Identifier: MIT
// The stream of events: order, identity, repeatability, bounds.
#include "base/bytes.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "simulator/simulator.h"
#include "support/testkit.h"

#include <math.h>
#include <string.h>

#define START_MS 1700000000000LL
#define HOUR_MS  3600000LL

static struct gw_simulator_options small_world(void)
{
    struct gw_simulator_options options = gw_simulator_options_default();
    options.seed = 42;
    options.user_count = 400;
    options.author_count = 60;
    options.tweets_alive = 500;
    options.candidates_mean = 20;
    options.shown_mean = 5;
    options.requests_per_s = 0.5;
    options.start_ms = START_MS;
    options.end_ms = START_MS + HOUR_MS;
    return options;
}

static struct gw_simulator *new_simulator(const struct gw_simulator_options *options)
{
    struct gw_simulator *simulator = NULL;
    gw_err err = {0};
    assert_ok_err(gw_simulator_new(options, &simulator, &err), &err);
    return simulator;
}

static struct gw_sim_event next(struct gw_simulator *simulator)
{
    struct gw_sim_event event;
    assert_ok(gw_simulator_next(simulator, &event, NULL));
    return event;
}

#define HASH(h, value) gw_hash_fnv1a((h), &(value), sizeof(value))

static uint64_t hash_event(uint64_t h, const struct gw_simulator *simulator, const struct gw_sim_event *e)
{
    h = HASH(h, e->kind);
    h = HASH(h, e->time_ms);
    h = HASH(h, e->event_id);
    switch (e->kind) {
    case GW_SIM_END:
        break;
    case GW_SIM_PROFILE:
        h = HASH(h, e->profile.user_id);
        h = HASH(h, e->profile.created_ms);
        h = HASH(h, e->profile.follower_count);
        h = HASH(h, e->profile.user_state);
        h = gw_hash_fnv1a(h, e->profile.country_code, 2);
        break;
    case GW_SIM_TWEET:
        h = HASH(h, e->tweet.tweet_id);
        h = HASH(h, e->tweet.author_id);
        h = HASH(h, e->tweet.text_length);
        h = HASH(h, e->tweet.video_duration_ms);
        h = HASH(h, e->tweet.is_deleted);
        break;
    case GW_SIM_SOCIAL:
        h = HASH(h, e->social.src_id);
        h = HASH(h, e->social.dst_id);
        break;
    case GW_SIM_REQUEST:
        h = HASH(h, e->request.join_id);
        h = HASH(h, e->request.user_id);
        for (size_t i = 0; i < e->request.candidate_count; i++) {
            double p = gw_simulator_probability(simulator, i, GW_SIM_FAV);
            h = HASH(h, e->request.candidates[i]);
            h = HASH(h, p);
        }
        break;
    case GW_SIM_ACTION:
        h = HASH(h, e->action.action);
        h = HASH(h, e->action.user_id);
        h = HASH(h, e->action.tweet_id);
        h = HASH(h, e->action.join_id);
        h = HASH(h, e->action.dwell_ms);
        break;
    }
    return h;
}

static uint64_t hash_world(const struct gw_simulator_options *options, size_t *ret_count)
{
    struct gw_simulator *simulator = new_simulator(options);
    uint64_t h = GW_HASH_FNV_START;
    *ret_count = 0;
    for (;;) {
        struct gw_sim_event event = next(simulator);
        if (event.kind == GW_SIM_END) {
            break;
        }
        h = hash_event(h, simulator, &event);
        (*ret_count)++;
    }
    gw_simulator_free(simulator);
    return h;
}

static void same_seed_gives_the_same_bytes_and_another_does_not(void **state)
{
    (void)state;
    struct gw_simulator_options options = small_world();
    size_t count_a = 0;
    size_t count_b = 0;
    uint64_t a = hash_world(&options, &count_a);
    uint64_t b = hash_world(&options, &count_b);
    assert_true(count_a > 10000);
    assert_int_equal(count_a, count_b);
    assert_true(a == b);
    options.seed++;
    assert_true(hash_world(&options, &count_b) != a);
}

static void time_never_goes_back_and_the_end_is_the_end(void **state)
{
    (void)state;
    struct gw_simulator_options options = small_world();
    struct gw_simulator *simulator = new_simulator(&options);
    int64_t last_ms = START_MS - GW_SIM_HORIZON_MS - 1000;
    size_t kinds[GW_SIM_ACTION + 1] = {0};
    struct gw_sim_event event = {.kind = GW_SIM_PROFILE};
    while (event.kind != GW_SIM_END) {
        event = next(simulator);
        assert_true(event.time_ms >= last_ms);
        assert_true(event.kind == GW_SIM_END || event.time_ms < options.end_ms);
        assert_true(event.kind != GW_SIM_REQUEST || event.time_ms >= START_MS);
        last_ms = event.time_ms;
        kinds[event.kind]++;
    }
    assert_true(kinds[GW_SIM_PROFILE] >= options.user_count);
    assert_true(kinds[GW_SIM_TWEET] > 400 && kinds[GW_SIM_TWEET] < 650);
    assert_true(kinds[GW_SIM_REQUEST] > 700);
    assert_int_equal(next(simulator).kind, GW_SIM_END);
    gw_simulator_free(simulator);
}

static void every_user_has_a_profile_before_anything_else(void **state)
{
    (void)state;
    struct gw_simulator_options options = small_world();
    struct gw_simulator *simulator = new_simulator(&options);
    struct gw_map seen = {0};
    for (uint32_t i = 0; i < options.user_count; i++) {
        struct gw_sim_event event = next(simulator);
        bool inserted = false;
        uint64_t *value = NULL;
        assert_int_equal(event.kind, GW_SIM_PROFILE);
        assert_true(event.profile.user_state >= 1 && event.profile.user_state <= 8);
        assert_true(event.profile.created_ms < event.time_ms);
        assert_ok(gw_map_put(&seen, (uint64_t)event.profile.user_id, 0, &value, &inserted));
        assert_true(inserted);
    }
    gw_map_deinit(&seen);
    gw_simulator_free(simulator);
}

static void event_ids_are_unique(void **state)
{
    (void)state;
    struct gw_simulator_options options = small_world();
    struct gw_simulator *simulator = new_simulator(&options);
    struct gw_map seen = {0};
    for (;;) {
        struct gw_sim_event event = next(simulator);
        bool inserted = false;
        uint64_t *value = NULL;
        if (event.kind == GW_SIM_END) {
            break;
        }
        assert_ok(gw_map_put(&seen, gw_load_le64(event.event_id), gw_load_le64(event.event_id + 8), &value, &inserted));
        assert_true(inserted);
    }
    gw_map_deinit(&seen);
    gw_simulator_free(simulator);
}

static void tweet_ids_are_snowflakes_of_their_creation(void **state)
{
    (void)state;
    struct gw_simulator_options options = small_world();
    struct gw_simulator *simulator = new_simulator(&options);
    size_t deleted = 0;
    for (;;) {
        struct gw_sim_event event = next(simulator);
        if (event.kind == GW_SIM_END) {
            break;
        }
        if (event.kind == GW_SIM_TWEET) {
            int64_t created_ms = (event.tweet.tweet_id >> 22) + 1288834974657LL;
            assert_true(event.tweet.is_deleted ? event.time_ms > created_ms : event.time_ms == created_ms);
            assert_true(event.tweet.text_length > 0 && event.tweet.text_length <= 280);
            assert_true(event.tweet.has_video == (event.tweet.video_duration_ms > 0));
            deleted += event.tweet.is_deleted ? 1 : 0;
        }
    }
    assert_true(deleted > 0 && deleted < 30);
    gw_simulator_free(simulator);
}

static void candidates_are_distinct_living_and_within_bounds(void **state)
{
    (void)state;
    struct gw_simulator_options options = small_world();
    struct gw_simulator *simulator = new_simulator(&options);
    struct gw_map deleted = {0};
    for (;;) {
        struct gw_sim_event event = next(simulator);
        uint64_t *value = NULL;
        if (event.kind == GW_SIM_END) {
            break;
        }
        if (event.kind == GW_SIM_TWEET && event.tweet.is_deleted) {
            assert_ok(gw_map_put(&deleted, (uint64_t)event.tweet.tweet_id, 0, &value, NULL));
        }
        if (event.kind != GW_SIM_REQUEST) {
            continue;
        }
        assert_true(event.request.join_id > 0);
        assert_true(event.request.candidate_count >= 1 && event.request.candidate_count <= 30);
        for (size_t i = 0; i < event.request.candidate_count; i++) {
            const struct gw_sim_candidate *candidate = &event.request.candidates[i];
            int64_t created_ms = (candidate->tweet_id >> 22) + 1288834974657LL;
            assert_true(created_ms <= event.time_ms && created_ms > event.time_ms - GW_SIM_HORIZON_MS);
            assert_null(gw_map_find(&deleted, (uint64_t)candidate->tweet_id, 0));
            for (size_t j = 0; j < i; j++) {
                assert_true(candidate->tweet_id != event.request.candidates[j].tweet_id);
            }
        }
    }
    gw_map_deinit(&deleted);
    gw_simulator_free(simulator);
}

static struct gw_sim_event next_of(struct gw_simulator *simulator, int64_t from_ms, enum gw_sim_kind kind)
{
    struct gw_sim_event event = next(simulator);
    while (event.kind != GW_SIM_END && (event.kind != kind || event.time_ms < from_ms)) {
        event = next(simulator);
    }
    return event;
}

static void overlapping_simulators_agree_on_tweets_and_requests(void **state)
{
    (void)state;
    struct gw_simulator_options options = small_world();
    static const enum gw_sim_kind kinds[] = {GW_SIM_TWEET, GW_SIM_REQUEST};
    for (size_t k = 0; k < GW_COUNT_OF(kinds); k++) {
        options.start_ms = START_MS;
        struct gw_simulator *early = new_simulator(&options);
        options.start_ms = START_MS + HOUR_MS / 2;
        struct gw_simulator *late = new_simulator(&options);
        size_t compared = 0;
        for (;;) {
            struct gw_sim_event a = next_of(early, options.start_ms, kinds[k]);
            struct gw_sim_event b = next_of(late, options.start_ms, kinds[k]);
            assert_int_equal(a.kind, b.kind);
            if (a.kind == GW_SIM_END) {
                break;
            }
            assert_memory_equal(a.event_id, b.event_id, sizeof a.event_id);
            assert_true(a.time_ms == b.time_ms);
            if (a.kind == GW_SIM_TWEET) {
                assert_true(a.tweet.tweet_id == b.tweet.tweet_id && a.tweet.author_id == b.tweet.author_id);
            } else {
                assert_true(a.request.join_id == b.request.join_id && a.request.user_id == b.request.user_id);
            }
            compared++;
        }
        assert_true(compared > 3);
        gw_simulator_free(late);
        gw_simulator_free(early);
    }
}

static void pending_events_stay_flat(void **state)
{
    (void)state;
    struct gw_simulator_options options = small_world();
    options.end_ms = START_MS + 24 * HOUR_MS;
    options.requests_per_s = 0.2;
    options.candidates_mean = 5;
    struct gw_simulator *simulator = new_simulator(&options);
    size_t most[2] = {0};
    for (;;) {
        struct gw_sim_event event = next(simulator);
        if (event.kind == GW_SIM_END) {
            break;
        }
        size_t half = event.time_ms < START_MS + 12 * HOUR_MS ? 0 : 1;
        most[half] = GW_MAX(most[half], gw_simulator_pending_count(simulator));
    }
    assert_true(most[0] > 0);
    assert_true(most[1] < 2 * most[0] + 50);
    assert_true(most[1] < 1000);
    gw_simulator_free(simulator);
}

static void options_out_of_range_are_refused_by_name(void **state)
{
    (void)state;
    struct gw_sim_epoch epochs[2] = {{.from_ms = 5}, {.from_ms = 5}};
    struct gw_simulator_options cases[12];
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        cases[i] = small_world();
    }
    cases[0].user_count = 0;
    cases[1].author_count = 0;
    cases[2].author_count = 401;
    cases[3].tweets_alive = 0;
    cases[4].candidates_mean = 0;
    cases[5].candidates_mean = GW_SIM_CANDIDATES_MAX / 2 + 1;
    cases[6].shown_mean = 0;
    cases[7].requests_per_s = 0.0;
    cases[8].requests_per_s = (double)NAN;
    cases[9].start_ms = 0;
    cases[10].start_ms = INT64_MAX;
    cases[11].epochs = epochs;
    cases[11].epoch_count = 2;
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        struct gw_simulator *simulator = NULL;
        gw_err err = {0};
        assert_fails(gw_simulator_new(&cases[i], &simulator, &err), GW_E_CONFIG);
        assert_null(simulator);
        assert_memory_equal(err.message, "simulator: ", 11);
    }
}

static void smallest_world_runs(void **state)
{
    (void)state;
    struct gw_simulator_options options = small_world();
    options.user_count = 1;
    options.author_count = 1;
    options.tweets_alive = 1;
    options.candidates_mean = 1;
    options.shown_mean = 1;
    size_t count = 0;
    (void)hash_world(&options, &count);
    assert_true(count > 1);
}

static void every_failed_allocation_is_a_status(void **state)
{
    (void)state;
    struct gw_simulator_options options = small_world();
    for (unsigned long n = 1;; n++) {
        struct gw_simulator *simulator = NULL;
        gw_mem_fail_nth(n);
        gw_status status = gw_simulator_new(&options, &simulator, NULL);
        gw_mem_fail_nth(0);
        if (status == GW_OK) {
            assert_true(n > 15);
            gw_simulator_free(simulator);
            return;
        }
        assert_fails(status, GW_E_MEMORY);
        assert_null(simulator);
    }
}

GW_TESTS(same_seed_gives_the_same_bytes_and_another_does_not, time_never_goes_back_and_the_end_is_the_end,
         every_user_has_a_profile_before_anything_else, event_ids_are_unique,
         tweet_ids_are_snowflakes_of_their_creation, candidates_are_distinct_living_and_within_bounds,
         overlapping_simulators_agree_on_tweets_and_requests, pending_events_stay_flat,
         options_out_of_range_are_refused_by_name, smallest_world_runs, every_failed_allocation_is_a_status)
