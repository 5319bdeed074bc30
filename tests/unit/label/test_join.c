// SPDX-License-Identifier: MIT
#include "fixture.h"

#define W           INT64_C(3600000)
#define MINUTE      INT64_C(60000)
#define START       INT64_C(1700000000000)
#define N(symbol)   GW_LABEL_ACTION_CLIENT_TWEET_##symbol
#define BIT(suffix) GW_LABEL_BIT(suffix)

struct world {
    struct gw_label_join *join;
    struct examples out;
    struct gw_label_sink sink;
    uint64_t events;
};

static struct world *new_world(const struct gw_label_join_options *options)
{
    struct world *w = gw_mem_calloc(1, sizeof *w);
    assert_non_null(w);
    gw_err err = {0};
    assert_ok_err(gw_label_join_new(options, &w->join, &err), &err);
    w->sink = (struct gw_label_sink){.example = collect_example, .context = &w->out};
    return w;
}

static void free_world(struct world *w)
{
    gw_label_join_free(w->join);
    gw_mem_free(w->out.items);
    gw_mem_free(w);
}

static const struct gw_label_join_options hour = {.window_ms = W};

// Of user 1 and author 9, with the times since START.
static gw_status try_serve(struct world *w, int64_t join_id, int64_t tweet_id, int64_t at_ms, gw_err *err)
{
    uint8_t payload[300];
    fill_payload(payload, sizeof payload, (uint64_t)join_id);
    struct gw_label_served served = {.user_id = 1,
                                     .join_id = join_id,
                                     .tweet_id = tweet_id,
                                     .author_id = 9,
                                     .served_at_ms = START + at_ms,
                                     .appended_ms = START + at_ms + 5,
                                     .position = 3,
                                     .payload = gw_slice_make(payload, sizeof payload)};
    return gw_label_join_serve(w->join, &served, err);
}

static void serve(struct world *w, int64_t join_id, int64_t tweet_id, int64_t at_ms)
{
    gw_err err = {0};
    assert_ok_err(try_serve(w, join_id, tweet_id, at_ms, &err), &err);
}

static struct gw_label_action action_of(struct world *w, int32_t number, int64_t join_id, int64_t tweet_id,
                                        int64_t at_ms)
{
    struct gw_label_action action = {.user_id = 1,
                                     .tweet_id = tweet_id,
                                     .author_id = 9,
                                     .join_id = join_id,
                                     .number = number,
                                     .dwell_ms = -1,
                                     .time_ms = START + at_ms,
                                     .appended_ms = START + at_ms + 20};
    w->events++;
    memcpy(action.event_id, &w->events, sizeof w->events);
    return action;
}

static gw_status try_act(struct world *w, int32_t number, int64_t join_id, int64_t tweet_id, int64_t at_ms, gw_err *err)
{
    const struct gw_label_action action = action_of(w, number, join_id, tweet_id, at_ms);
    return gw_label_join_act(w->join, &action, &w->sink, err);
}

static void act(struct world *w, int32_t number, int64_t join_id, int64_t tweet_id, int64_t at_ms)
{
    gw_err err = {0};
    assert_ok_err(try_act(w, number, join_id, tweet_id, at_ms, &err), &err);
}

static void advance(struct world *w)
{
    bool more = true;
    while (more) {
        assert_ok(gw_label_join_advance(w->join, 3, &w->sink, &more, NULL));
    }
}

static void progress(struct world *w, int64_t at_ms)
{
    assert_ok(gw_label_join_progress(w->join, START + at_ms, NULL));
    advance(w);
}

static void mark(struct world *w, int32_t partition, int64_t at_ms)
{
    assert_ok(gw_label_join_mark(w->join, 0, partition, START + at_ms, NULL));
    advance(w);
}

static uint64_t acted(const struct world *w, enum gw_label_action_outcome outcome)
{
    const struct gw_label_counts *counts = gw_label_join_counts(w->join);
    return counts->actions[0][outcome] + counts->actions[1][outcome];
}

static uint64_t served(const struct world *w, enum gw_label_served_outcome outcome)
{
    return gw_label_join_counts(w->join)->served[outcome];
}

static const struct seen *last(const struct world *w, enum gw_label_kind kind)
{
    for (size_t i = w->out.count; i > 0; i--) {
        if (w->out.items[i - 1].example.kind == kind) {
            return &w->out.items[i - 1];
        }
    }
    return NULL;
}

static void impression_gives_a_negative_and_engagement_only_new_bits(void **state)
{
    (void)state;
    struct world *w = new_world(&hour);
    serve(w, 7, 100, 0);
    act(w, N(RENDER_IMPRESSION), 7, 100, 2000);
    assert_int_equal(w->out.count, 1);
    assert_int_equal(w->out.items[0].example.kind, GW_LABEL_INITIAL_NEGATIVE);
    assert_int_equal(w->out.items[0].example.impressed_at_ms, START + 2000);
    assert_int_equal(w->out.items[0].example.position, 3);
    assert_int_equal(w->out.items[0].payload, 7);
    assert_int_equal(w->out.items[0].example.payload.size, 300);
    act(w, N(FAV), 7, 100, 3000);
    act(w, N(RETWEET), 7, 100, 4000);
    act(w, N(FAV), 7, 100, 5000); // nothing new
    assert_int_equal(w->out.count, 3);
    assert_int_equal(w->out.items[1].example.kind, GW_LABEL_POSITIVE_REPLAY);
    assert_int_equal(w->out.items[1].example.bits, BIT(FAVORITED));
    assert_int_equal(w->out.items[2].example.bits, BIT(RETWEETED));
    assert_int_equal(w->out.items[2].example.engaged_at_ms, START + 4000);
    progress(w, W);
    mark(w, 0, W);
    assert_int_equal(w->out.count, 4);
    const struct gw_label_example *closed = &w->out.items[3].example;
    assert_int_equal(closed->kind, GW_LABEL_WINDOW_CLOSED);
    assert_int_equal(closed->bits, BIT(FAVORITED) | BIT(RETWEETED));
    assert_int_equal(closed->engaged_at_ms, START + 3000);
    assert_int_equal(acted(w, GW_LABEL_ACTION_OUTCOME_JOINED), 4);
    free_world(w);
}

static void candidate_never_shown_gives_no_example(void **state)
{
    (void)state;
    struct world *w = new_world(&hour);
    serve(w, 7, 100, 0);
    act(w, N(FAV), 0, 100, 1000); // seen somewhere else
    progress(w, 2 * W);
    mark(w, 0, 2 * W);
    assert_int_equal(w->out.count, 0);
    assert_int_equal(served(w, GW_LABEL_SERVED_NEVER_SHOWN), 1);
    free_world(w);
}

static void engagement_before_the_impression_is_replayed_with_it(void **state)
{
    (void)state;
    struct world *w = new_world(&hour);
    serve(w, 7, 100, 0);
    act(w, N(FAV), 7, 100, 3000);
    assert_int_equal(w->out.count, 0);
    act(w, N(RENDER_IMPRESSION), 7, 100, 2000);
    assert_int_equal(w->out.count, 2);
    assert_int_equal(w->out.items[1].example.bits, BIT(FAVORITED));
    assert_int_equal(w->out.items[1].example.engaged_at_ms, START + 3000);
    free_world(w);
}

static void undone_favourite_is_no_label_at_the_end(void **state)
{
    (void)state;
    struct world *w = new_world(&hour);
    serve(w, 7, 100, 0);
    act(w, N(RENDER_IMPRESSION), 7, 100, 1000);
    act(w, N(FAV), 7, 100, 2000);
    act(w, N(UNFAV), 7, 100, 3000);
    progress(w, W);
    mark(w, 0, W);
    assert_int_equal(last(w, GW_LABEL_WINDOW_CLOSED)->example.bits, 0);
    assert_int_equal(last(w, GW_LABEL_WINDOW_CLOSED)->example.engaged_at_ms, GW_LABEL_NEVER);
    free_world(w);
}

static void action_read_before_its_served_record_waits_for_it(void **state)
{
    (void)state;
    struct world *w = new_world(&hour);
    act(w, N(RENDER_IMPRESSION), 7, 100, 1000);
    act(w, N(FAV), 0, 100, 2000);
    assert_int_equal(acted(w, GW_LABEL_ACTION_OUTCOME_WAITED), 2);
    serve(w, 7, 100, 500);
    advance(w);
    assert_int_equal(w->out.count, 0); // a later record of that tweet may still come
    progress(w, 2000 + MINUTE);
    assert_int_equal(w->out.count, 1); // the impression
    progress(w, 2001 + MINUTE);
    assert_int_equal(w->out.count, 2);
    assert_int_equal(last(w, GW_LABEL_POSITIVE_REPLAY)->example.bits, BIT(FAVORITED));
    free_world(w);
}

static void action_nobody_served_for_is_counted_when_the_served_side_has_passed(void **state)
{
    (void)state;
    struct world *w = new_world(&hour);
    act(w, N(FAV), 7, 100, 1000);
    progress(w, 1000 + MINUTE);
    assert_int_equal(acted(w, GW_LABEL_ACTION_OUTCOME_NO_SERVED), 0);
    progress(w, 1001 + MINUTE);
    assert_int_equal(acted(w, GW_LABEL_ACTION_OUTCOME_NO_SERVED), 1);
    act(w, N(FAV), 8, 100, 1000); // at once now
    assert_int_equal(acted(w, GW_LABEL_ACTION_OUTCOME_NO_SERVED), 2);
    free_world(w);
}

static void action_without_join_id_takes_the_latest_record_before_it(void **state)
{
    (void)state;
    struct world *w = new_world(&hour);
    serve(w, 1, 100, 0);
    serve(w, 3, 100, 20000);
    serve(w, 2, 100, 10000);
    serve(w, 4, 100, 30000);
    serve(w, 5, 200, 25000); // another tweet
    for (int64_t join_id = 1; join_id <= 4; join_id++) {
        act(w, N(RENDER_IMPRESSION), join_id, 100, 31000);
    }
    progress(w, 25001 + MINUTE);
    act(w, N(FAV), 0, 100, 25000);
    assert_int_equal(last(w, GW_LABEL_POSITIVE_REPLAY)->example.join_id, 3);
    act(w, N(FAV), 0, 100, 9999);
    assert_int_equal(last(w, GW_LABEL_POSITIVE_REPLAY)->example.join_id, 1);
    act(w, N(FAV), 0, 100, -1);
    assert_int_equal(acted(w, GW_LABEL_ACTION_OUTCOME_NO_SERVED), 1);
    free_world(w);
}

static void below_full_sampling_an_action_without_join_id_is_only_counted(void **state)
{
    (void)state;
    struct world *w = new_world(&(struct gw_label_join_options){.window_ms = W, .sampled = true});
    serve(w, 7, 100, 0);
    progress(w, 10 * MINUTE);
    act(w, N(RENDER_IMPRESSION), 0, 100, 1000);
    assert_int_equal(w->out.count, 0);
    assert_int_equal(acted(w, GW_LABEL_ACTION_OUTCOME_UNSAMPLED), 1);
    act(w, N(RENDER_IMPRESSION), 7, 100, 1000);
    assert_int_equal(w->out.count, 1);
    free_world(w);
}

static void window_waits_for_the_slowest_source_partition(void **state)
{
    (void)state;
    struct world *w = new_world(&hour);
    assert_ok(gw_label_join_require(w->join, 0, 0, NULL));
    assert_ok(gw_label_join_require(w->join, 2, 5, NULL));
    serve(w, 7, 100, 0);
    act(w, N(RENDER_IMPRESSION), 7, 100, 1000);
    progress(w, 3 * W);
    mark(w, 0, 2 * W);
    assert_null(last(w, GW_LABEL_WINDOW_CLOSED)); // 2/5 has none
    assert_ok(gw_label_join_mark(w->join, 2, 5, START + W - 1, NULL));
    advance(w);
    assert_null(last(w, GW_LABEL_WINDOW_CLOSED));
    assert_ok(gw_label_join_mark(w->join, 2, 5, START + W, NULL));
    advance(w);
    assert_non_null(last(w, GW_LABEL_WINDOW_CLOSED));
    free_world(w);
}

static void new_source_partition_holds_the_clock_but_does_not_turn_it_back(void **state)
{
    (void)state;
    struct world *w = new_world(&hour);
    struct gw_label_join_stats stats;
    mark(w, 0, 1000);
    assert_ok(gw_label_join_require(w->join, 0, 1, NULL));
    mark(w, 0, 9000);
    gw_label_join_stats(w->join, &stats);
    assert_int_equal(stats.clock_ms, START + 1000);
    mark(w, 1, 500);
    gw_label_join_stats(w->join, &stats);
    assert_int_equal(stats.clock_ms, START + 1000);
    mark(w, 1, 8000);
    mark(w, 1, 2000); // an older one changes nothing
    gw_label_join_stats(w->join, &stats);
    assert_int_equal(stats.clock_ms, START + 8000);
    free_world(w);
}

static void window_stays_open_while_an_action_of_its_time_waits(void **state)
{
    (void)state;
    struct world *w = new_world(&hour);
    serve(w, 7, 100, 0);
    act(w, N(RENDER_IMPRESSION), 7, 100, 1000);
    progress(w, W + 10);
    act(w, N(FAV), 0, 100, W - 1);
    mark(w, 0, 2 * W);
    assert_null(last(w, GW_LABEL_WINDOW_CLOSED));
    progress(w, W + MINUTE);
    assert_int_equal(last(w, GW_LABEL_WINDOW_CLOSED)->example.bits, BIT(FAVORITED));
    free_world(w);
}

static void window_stays_open_until_the_served_side_has_passed_it(void **state)
{
    (void)state;
    struct world *w = new_world(&hour);
    serve(w, 7, 100, 0);
    mark(w, 0, 5 * W);
    serve(w, 7, 100, W - 10);
    assert_int_equal(served(w, GW_LABEL_SERVED_DUPLICATE), 1); // however far the action side was read
    progress(w, W);
    assert_int_equal(served(w, GW_LABEL_SERVED_NEVER_SHOWN), 1);
    free_world(w);
}

static void actions_outside_the_window_are_late(void **state)
{
    (void)state;
    struct world *w = new_world(&hour);
    serve(w, 7, 100, 0);
    act(w, N(RENDER_IMPRESSION), 7, 100, W); // happened after it
    mark(w, 0, W);
    act(w, N(RENDER_IMPRESSION), 7, 100, W - 1); // read when the clock had passed it
    assert_int_equal(w->out.count, 0);
    assert_int_equal(acted(w, GW_LABEL_ACTION_OUTCOME_LATE), 2);
    free_world(w);
}

static void action_with_join_id_may_be_a_little_before_its_window(void **state)
{
    (void)state;
    struct world *w = new_world(&hour);
    serve(w, 7, 100, 100000);
    act(w, N(RENDER_IMPRESSION), 7, 100, 100000 - MINUTE + 5);
    assert_int_equal(w->out.count, 1);
    serve(w, 8, 100, 100000);
    act(w, N(RENDER_IMPRESSION), 8, 100, 100000 - MINUTE + 4); // the record was appended more than a minute after it
    assert_int_equal(w->out.count, 1);
    free_world(w);
}

static void first_served_record_of_a_key_counts(void **state)
{
    (void)state;
    struct world *w = new_world(&hour);
    serve(w, 7, 100, 0);
    serve(w, 7, 100, 50);
    assert_int_equal(served(w, GW_LABEL_SERVED_DUPLICATE), 1);
    act(w, N(RENDER_IMPRESSION), 7, 100, 100);
    assert_int_equal(w->out.items[0].example.served_at_ms, START);
    free_world(w);
}

static void times_in_the_future_are_counted_not_joined(void **state)
{
    (void)state;
    struct world *w = new_world(&hour);
    struct gw_label_served record = {
        .user_id = 1, .tweet_id = 100, .join_id = 7, .served_at_ms = START + 300001, .appended_ms = START};
    assert_ok(gw_label_join_serve(w->join, &record, NULL));
    assert_int_equal(served(w, GW_LABEL_SERVED_FUTURE), 1);
    struct gw_label_action action = action_of(w, N(FAV), 7, 100, 300001);
    action.appended_ms = START;
    assert_ok(gw_label_join_act(w->join, &action, &w->sink, NULL));
    assert_int_equal(acted(w, GW_LABEL_ACTION_OUTCOME_FUTURE), 1);
    free_world(w);
}

static void broken_records_are_refused_by_name(void **state)
{
    (void)state;
    struct world *w = new_world(&hour);
    gw_err err = {0};
    struct gw_label_served record = {.user_id = 1, .join_id = 7, .served_at_ms = START, .appended_ms = START};
    assert_fails(gw_label_join_serve(w->join, &record, &err), GW_E_INVALID);
    assert_string_equal(err.message, "tweet_id is 0");
    record.tweet_id = 100;
    record.appended_ms = INT64_MAX;
    assert_fails(gw_label_join_serve(w->join, &record, &err), GW_E_INVALID);
    struct gw_label_action action = action_of(w, N(FAV), 7, 100, 0);
    action.time_ms = -1;
    assert_fails(gw_label_join_act(w->join, &action, &w->sink, &err), GW_E_INVALID);
    action = action_of(w, N(FAV), 7, 100, 0);
    action.user_id = 0;
    assert_fails(gw_label_join_act(w->join, &action, &w->sink, &err), GW_E_INVALID);
    assert_fails(gw_label_join_mark(w->join, -1, 0, START, &err), GW_E_INVALID);
    assert_fails(gw_label_join_progress(w->join, INT64_MIN, &err), GW_E_INVALID);
    free_world(w);
}

static void profile_visit_counts_what_is_done_to_the_author_elsewhere(void **state)
{
    (void)state;
    struct world *w = new_world(&hour);
    serve(w, 7, 100, 0);
    act(w, N(RENDER_IMPRESSION), 7, 100, 1000);
    act(w, N(FAV), 0, 555, 1500); // before the click: no
    act(w, N(CLICK_PROFILE), 7, 100, 2000);
    assert_null(last(w, GW_LABEL_POSITIVE_REPLAY));
    act(w, N(FAV), 0, 777, 3000); // another tweet of author 9, never served
    assert_int_equal(last(w, GW_LABEL_POSITIVE_REPLAY)->example.bits, BIT(PROFILE_ENGAGED));
    assert_int_equal(last(w, GW_LABEL_POSITIVE_REPLAY)->example.tweet_id, 100);
    serve(w, 8, 101, 4000);
    act(w, N(RENDER_IMPRESSION), 8, 101, 5000);
    act(w, GW_LABEL_ACTION_SERVER_PROFILE_FOLLOW, 0, 0, 7000); // read before the click, but later
    act(w, N(CLICK_PROFILE), 8, 101, 6000);
    assert_int_equal(last(w, GW_LABEL_POSITIVE_REPLAY)->example.tweet_id, 101);
    progress(w, 2 * W);
    mark(w, 0, 2 * W);
    assert_int_equal(last(w, GW_LABEL_WINDOW_CLOSED)->example.bits, BIT(PROFILE_ENGAGED));
    struct gw_label_join_stats stats;
    gw_label_join_stats(w->join, &stats);
    assert_int_equal(stats.actions, 0); // nothing kept once the windows are gone
    free_world(w);
}

static void action_held_twice_is_a_duplicate(void **state)
{
    (void)state;
    struct world *w = new_world(&hour);
    const struct gw_label_action action = action_of(w, N(FAV), 7, 100, 1000);
    assert_ok(gw_label_join_act(w->join, &action, &w->sink, NULL));
    assert_ok(gw_label_join_act(w->join, &action, &w->sink, NULL));
    assert_int_equal(acted(w, GW_LABEL_ACTION_OUTCOME_DUPLICATE), 1);
    free_world(w);
}

static void what_says_nothing_about_a_label_is_not_held(void **state)
{
    (void)state;
    struct world *w = new_world(&hour);
    act(w, 1090, 7, 100, 1000);
    act(w, N(CLICK), 0, 0, 1000); // on no tweet
    struct gw_label_join_stats stats;
    gw_label_join_stats(w->join, &stats);
    assert_int_equal(stats.actions, 0);
    assert_int_equal(acted(w, GW_LABEL_ACTION_OUTCOME_IRRELEVANT), 2);
    free_world(w);
}

GW_TESTS(impression_gives_a_negative_and_engagement_only_new_bits, candidate_never_shown_gives_no_example,
         engagement_before_the_impression_is_replayed_with_it, undone_favourite_is_no_label_at_the_end,
         action_read_before_its_served_record_waits_for_it,
         action_nobody_served_for_is_counted_when_the_served_side_has_passed,
         action_without_join_id_takes_the_latest_record_before_it,
         below_full_sampling_an_action_without_join_id_is_only_counted, window_waits_for_the_slowest_source_partition,
         new_source_partition_holds_the_clock_but_does_not_turn_it_back,
         window_stays_open_while_an_action_of_its_time_waits, window_stays_open_until_the_served_side_has_passed_it,
         actions_outside_the_window_are_late, action_with_join_id_may_be_a_little_before_its_window,
         first_served_record_of_a_key_counts, times_in_the_future_are_counted_not_joined,
         broken_records_are_refused_by_name, profile_visit_counts_what_is_done_to_the_author_elsewhere,
         action_held_twice_is_a_duplicate, what_says_nothing_about_a_label_is_not_held)
