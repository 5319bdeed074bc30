// SPDX-License-Identifier: MIT
#include "support/testkit.h"

#include "worker/entity.h"

#include <math.h>
#include <string.h>

static const struct gw_entity_origin origin = {.topic = 2, .partition = 5, .offset = 77, .append_time_ms = 123};
static struct gw_entity_event events[GW_ENTITY_EVENTS_MAX];
static double statics[GW_STATIC_ATTRIBUTES];
static size_t count;

// An entity event's side and whom it is about, in order.
struct side {
    enum gw_entity_side side;
    int64_t entity_id;
};

static void assert_sides(const struct side *sides, size_t expected)
{
    assert_int_equal(count, expected);
    for (size_t i = 0; i < expected; i++) {
        assert_int_equal(events[i].side, sides[i].side);
        assert_int_equal(events[i].entity_id, sides[i].entity_id);
        assert_int_equal(events[i].source_topic, origin.topic);
        assert_int_equal(events[i].source_partition, origin.partition);
        assert_int_equal(events[i].source_offset, origin.offset);
        assert_int_equal(events[i].source_append_time_ms, origin.append_time_ms);
    }
}
#define ASSERT_SIDES(...)                                                                                              \
    assert_sides((const struct side[]){__VA_ARGS__}, sizeof((const struct side[]){__VA_ARGS__}) / sizeof(struct side))

static struct gw_user_action fav(void)
{
    return (struct gw_user_action){.event_id = {1, 2, 3},
                                   .event_time_ms = 1000,
                                   .user_id = 10,
                                   .action_type = GW_ACTION_TYPE_CLIENT_TWEET_FAV,
                                   .has_tweet_id = true,
                                   .tweet_id = 20,
                                   .has_author_id = true,
                                   .author_id = 30};
}

static void an_action_has_an_actor_a_tweet_and_an_author_side(void **state)
{
    (void)state;
    struct gw_user_action action = fav();
    action.has_position = true;
    action.position = 4;
    action.has_dwell_time_ms = true;
    action.dwell_time_ms = 900;
    action.surface = GW_PRODUCT_SURFACE_SEARCH_RESULTS_PAGE;
    action.has_request_join_id = true;
    action.request_join_id = 55;
    assert_ok(gw_entity_from_action(&action, &origin, events, &count, NULL));
    ASSERT_SIDES({GW_ENTITY_SIDE_ACTOR, 10}, {GW_ENTITY_SIDE_TWEET, 20}, {GW_ENTITY_SIDE_AUTHOR, 30});
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(events[i].kind, GW_ENTITY_EVENT_KIND_ACTION);
        assert_int_equal(events[i].action_type, GW_ACTION_TYPE_CLIENT_TWEET_FAV);
        assert_memory_equal(events[i].event_id, action.event_id, sizeof action.event_id);
        assert_int_equal(events[i].event_time_ms, 1000);
        assert_int_equal(events[i].user_id, 10);
        assert_int_equal(events[i].tweet_id, 20);
        assert_int_equal(events[i].author_id, 30);
        assert_int_equal(events[i].position, 4);
        assert_int_equal(events[i].dwell_time_ms, 900);
        assert_int_equal(events[i].surface, GW_PRODUCT_SURFACE_SEARCH_RESULTS_PAGE);
        assert_int_equal(events[i].request_join_id, 55);
    }
}

static void an_action_without_author_has_no_author_side(void **state)
{
    (void)state;
    struct gw_user_action action = fav();
    action.has_author_id = false;
    assert_ok(gw_entity_from_action(&action, &origin, events, &count, NULL));
    ASSERT_SIDES({GW_ENTITY_SIDE_ACTOR, 10}, {GW_ENTITY_SIDE_TWEET, 20});
    assert_int_equal(events[0].author_id, 0); // what stands behind an absent field is not read
    assert_int_equal(events[0].position, -1);
    assert_int_equal(events[0].dwell_time_ms, -1);
}

static void an_action_on_a_third_user_has_a_target_side(void **state)
{
    (void)state;
    struct gw_user_action action = fav();
    action.has_target_user_id = true;
    action.target_user_id = 40;
    assert_ok(gw_entity_from_action(&action, &origin, events, &count, NULL));
    ASSERT_SIDES({GW_ENTITY_SIDE_ACTOR, 10}, {GW_ENTITY_SIDE_TWEET, 20}, {GW_ENTITY_SIDE_AUTHOR, 30},
                 {GW_ENTITY_SIDE_TARGET, 40});
    action.target_user_id = 30; // the author: counted once
    assert_ok(gw_entity_from_action(&action, &origin, events, &count, NULL));
    assert_int_equal(count, 3);
    action = (struct gw_user_action){.user_id = 10,
                                     .action_type = GW_ACTION_TYPE_SERVER_PROFILE_FOLLOW,
                                     .has_target_user_id = true,
                                     .target_user_id = 40}; // a profile action: no tweet
    assert_ok(gw_entity_from_action(&action, &origin, events, &count, NULL));
    ASSERT_SIDES({GW_ENTITY_SIDE_ACTOR, 10}, {GW_ENTITY_SIDE_TARGET, 40});
}

static void actions_that_break_a_rule_are_refused(void **state)
{
    (void)state;
    gw_err err = {0};
    struct gw_user_action action = fav();
    action.user_id = 0;
    assert_fails(gw_entity_from_action(&action, &origin, events, &count, &err), GW_E_INVALID);
    assert_non_null(strstr(err.message, "user_id"));
    action = fav();
    action.action_type = GW_ACTION_TYPE_UNKNOWN;
    assert_fails(gw_entity_from_action(&action, &origin, events, &count, &err), GW_E_INVALID);
    assert_non_null(strstr(err.message, "action_type"));
    action = fav();
    action.has_tweet_id = false;
    assert_fails(gw_entity_from_action(&action, &origin, events, &count, &err), GW_E_INVALID);
    assert_non_null(strstr(err.message, "tweet_id"));
}

static double static_of(enum gw_attribute attribute)
{
    assert_int_equal(events[0].attributes.count, GW_STATIC_ATTRIBUTES);
    return events[0].attributes.items[attribute - GW_ATTRIBUTE_CREATED_AT_MS];
}

static struct gw_tweet_event tweet_event(enum gw_tweet_event_kind kind)
{
    return (struct gw_tweet_event){.event_time_ms = 2000,
                                   .kind = kind,
                                   .tweet_id = 20,
                                   .author_id = 30,
                                   .text_length = 140,
                                   .num_hashtags = 2,
                                   .has_image = true};
}

static void a_new_tweet_tells_its_author_and_whom_it_answers(void **state)
{
    (void)state;
    struct gw_tweet_event tweet = tweet_event(GW_TWEET_EVENT_KIND_CREATE);
    assert_ok(gw_entity_from_tweet(&tweet, &origin, statics, events, &count, NULL));
    ASSERT_SIDES({GW_ENTITY_SIDE_TWEET, 20}, {GW_ENTITY_SIDE_AUTHOR, 30});
    assert_int_equal(events[0].kind, GW_ENTITY_EVENT_KIND_TWEET_CREATE);
    assert_true(static_of(GW_ATTRIBUTE_CREATED_AT_MS) == 2000);
    assert_true(static_of(GW_ATTRIBUTE_TEXT_LENGTH) == 140);
    assert_true(static_of(GW_ATTRIBUTE_NUM_HASHTAGS) == 2);
    assert_true(static_of(GW_ATTRIBUTE_HAS_IMAGE) == 1);
    assert_true(static_of(GW_ATTRIBUTE_HAS_VIDEO) == 0);
    assert_true(isnan(static_of(GW_ATTRIBUTE_VIDEO_DURATION_MS)));
    assert_true(isnan(static_of(GW_ATTRIBUTE_FOLLOWER_COUNT))); // a profile's

    tweet.has_in_reply_to_author_id = true;
    tweet.in_reply_to_author_id = 41;
    tweet.has_quoted_author_id = true;
    tweet.quoted_author_id = 42;
    assert_ok(gw_entity_from_tweet(&tweet, &origin, statics, events, &count, NULL));
    ASSERT_SIDES({GW_ENTITY_SIDE_TWEET, 20}, {GW_ENTITY_SIDE_AUTHOR, 30}, {GW_ENTITY_SIDE_TARGET, 41});
}

static void an_edit_keeps_the_time_of_creation_and_a_delete_says_nothing(void **state)
{
    (void)state;
    struct gw_tweet_event tweet = tweet_event(GW_TWEET_EVENT_KIND_EDIT);
    assert_ok(gw_entity_from_tweet(&tweet, &origin, statics, events, &count, NULL));
    ASSERT_SIDES({GW_ENTITY_SIDE_TWEET, 20});
    assert_true(isnan(static_of(GW_ATTRIBUTE_CREATED_AT_MS)));
    assert_true(static_of(GW_ATTRIBUTE_TEXT_LENGTH) == 140);
    tweet.kind = GW_TWEET_EVENT_KIND_DELETE;
    assert_ok(gw_entity_from_tweet(&tweet, &origin, statics, events, &count, NULL));
    ASSERT_SIDES({GW_ENTITY_SIDE_TWEET, 20});
    assert_int_equal(events[0].kind, GW_ENTITY_EVENT_KIND_TWEET_DELETE);
    assert_int_equal(events[0].attributes.count, 0);
}

static void tweets_that_break_a_rule_are_refused(void **state)
{
    (void)state;
    struct gw_tweet_event tweet = tweet_event(GW_TWEET_EVENT_KIND_UNKNOWN);
    assert_fails(gw_entity_from_tweet(&tweet, &origin, statics, events, &count, NULL), GW_E_INVALID);
    tweet = tweet_event(GW_TWEET_EVENT_KIND_CREATE);
    tweet.tweet_id = 0;
    assert_fails(gw_entity_from_tweet(&tweet, &origin, statics, events, &count, NULL), GW_E_INVALID);
    tweet = tweet_event(GW_TWEET_EVENT_KIND_CREATE);
    tweet.author_id = 0;
    assert_fails(gw_entity_from_tweet(&tweet, &origin, statics, events, &count, NULL), GW_E_INVALID);
}

static void a_follow_has_two_sides_and_a_pair(void **state)
{
    (void)state;
    struct gw_social_graph_event social = {.op = GW_SOCIAL_OP_FOLLOW, .src_id = 10, .dst_id = 40};
    int64_t id[2];
    assert_ok(gw_entity_from_social(&social, &origin, events, &count, NULL));
    ASSERT_SIDES({GW_ENTITY_SIDE_ACTOR, 10}, {GW_ENTITY_SIDE_TARGET, 40});
    assert_int_equal(events[0].social_op, GW_SOCIAL_OP_FOLLOW);
    assert_true(gw_entity_row_ids(&events[0], 2, id));
    assert_int_equal(id[0], 10);
    assert_int_equal(id[1], 40);
    social.op = GW_SOCIAL_OP_UNKNOWN;
    assert_fails(gw_entity_from_social(&social, &origin, events, &count, NULL), GW_E_INVALID);
    social = (struct gw_social_graph_event){.op = GW_SOCIAL_OP_FOLLOW, .src_id = 10};
    assert_fails(gw_entity_from_social(&social, &origin, events, &count, NULL), GW_E_INVALID);
    social = (struct gw_social_graph_event){.op = GW_SOCIAL_OP_FOLLOW, .dst_id = 10};
    assert_fails(gw_entity_from_social(&social, &origin, events, &count, NULL), GW_E_INVALID);
}

static void a_profile_has_one_side_with_its_attributes(void **state)
{
    (void)state;
    struct gw_user_profile profile = {.kind = GW_USER_PROFILE_KIND_UPDATE,
                                      .user_id = 10,
                                      .follower_count = 5,
                                      .is_verified = true,
                                      .user_state = GW_USER_STATE_UNKNOWN};
    assert_ok(gw_entity_from_profile(&profile, &origin, statics, events, &count, NULL));
    ASSERT_SIDES({GW_ENTITY_SIDE_PROFILE, 10});
    assert_true(static_of(GW_ATTRIBUTE_FOLLOWER_COUNT) == 5);
    assert_true(static_of(GW_ATTRIBUTE_IS_VERIFIED) == 1);
    assert_true(isnan(static_of(GW_ATTRIBUTE_USER_STATE)));
    assert_true(isnan(static_of(GW_ATTRIBUTE_CREATED_AT_MS))); // 0: not known
    profile.kind = GW_USER_PROFILE_KIND_ERASE;
    assert_ok(gw_entity_from_profile(&profile, &origin, statics, events, &count, NULL));
    assert_int_equal(events[0].kind, GW_ENTITY_EVENT_KIND_PROFILE_ERASE);
    assert_int_equal(events[0].attributes.count, 0);
    profile.kind = GW_USER_PROFILE_KIND_UNKNOWN;
    assert_fails(gw_entity_from_profile(&profile, &origin, statics, events, &count, NULL), GW_E_INVALID);
    profile = (struct gw_user_profile){.kind = GW_USER_PROFILE_KIND_UPDATE};
    assert_fails(gw_entity_from_profile(&profile, &origin, statics, events, &count, NULL), GW_E_INVALID);
}

static void feature_events_hold_an_author_of_64_bits_in_two_halves(void **state)
{
    (void)state;
    double attributes[GW_ATTRIBUTE_COUNT];
    struct gw_feature_event event;
    struct gw_user_action action = fav();
    action.author_id = -2; // every bit but one
    assert_ok(gw_entity_from_action(&action, &origin, events, &count, NULL));
    gw_entity_to_feature_event(&events[1], 3, 99, attributes, &event);
    assert_int_equal(event.time_us, 1000000);
    assert_int_equal(event.side, GW_ENTITY_SIDE_TWEET);
    assert_int_equal(event.source_partition, 3);
    assert_int_equal(event.source_offset, 99);
    assert_true(attributes[GW_ATTRIBUTE_AUTHOR_HIGH] == 4294967295.0);
    assert_true(attributes[GW_ATTRIBUTE_AUTHOR_LOW] == 4294967294.0);
    assert_true(attributes[GW_ATTRIBUTE_ACTION] == (double)GW_ACTION_TYPE_CLIENT_TWEET_FAV);
    assert_true(isnan(attributes[GW_ATTRIBUTE_SOCIAL_OP]));
    assert_true(isnan(attributes[GW_ATTRIBUTE_DWELL_MS]));
    assert_true(isnan(attributes[GW_ATTRIBUTE_FOLLOWER_COUNT]));
}

static void attributes_of_a_shorter_or_longer_list_are_read_as_far_as_known(void **state)
{
    (void)state;
    double items[GW_STATIC_ATTRIBUTES + 3];
    double attributes[GW_ATTRIBUTE_COUNT];
    struct gw_feature_event event;
    for (size_t i = 0; i < GW_COUNT_OF(items); i++) {
        items[i] = (double)i;
    }
    struct gw_entity_event from = {.kind = GW_ENTITY_EVENT_KIND_TWEET_CREATE, .side = GW_ENTITY_SIDE_TWEET};
    from.attributes.items = items;
    from.attributes.count = 1; // of an older writer
    gw_entity_to_feature_event(&from, 0, 0, attributes, &event);
    assert_true(attributes[GW_ATTRIBUTE_CREATED_AT_MS] == 0);
    assert_true(isnan(attributes[GW_ATTRIBUTE_TEXT_LENGTH]));
    from.attributes.count = GW_COUNT_OF(items); // of a newer one
    gw_entity_to_feature_event(&from, 0, 0, attributes, &event);
    assert_true(attributes[GW_ATTRIBUTE_COUNT - 1] == GW_STATIC_ATTRIBUTES - 1);
}

static void a_pair_row_needs_an_author(void **state)
{
    (void)state;
    const struct gw_entity_event event = {.entity_id = 10};
    const struct gw_entity_event mark = {.side = GW_ENTITY_SIDE_MARK};
    int64_t id[2];
    assert_true(gw_entity_row_ids(&event, 1, id));
    assert_int_equal(id[1], 0);
    assert_false(gw_entity_row_ids(&event, 2, id));
    assert_false(gw_entity_row_ids(&mark, 1, id));
}

GW_TESTS(an_action_has_an_actor_a_tweet_and_an_author_side, an_action_without_author_has_no_author_side,
         an_action_on_a_third_user_has_a_target_side, actions_that_break_a_rule_are_refused,
         a_new_tweet_tells_its_author_and_whom_it_answers, an_edit_keeps_the_time_of_creation_and_a_delete_says_nothing,
         tweets_that_break_a_rule_are_refused, a_follow_has_two_sides_and_a_pair,
         a_profile_has_one_side_with_its_attributes, feature_events_hold_an_author_of_64_bits_in_two_halves,
         attributes_of_a_shorter_or_longer_list_are_read_as_far_as_known, a_pair_row_needs_an_author)
