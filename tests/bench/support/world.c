// SPDX-License-Identifier: MIT
#include "support/world.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "worker/entity.h"

#include <math.h>
#include <string.h>

#define DAY_MS 86400000LL

enum {
    ACTIONS_MIN = 3, // of a row
    ACTIONS_MORE = 6,
    RECENT_MS = 3 * 3600 * 1000, // actions are as old as this
};

const char *const bench_view_names[BENCH_VIEWS] = {"user", "tweet", "author"};

const char *const bench_features[BENCH_FEATURES] = {
    "user.favs_30m",
    "user.favs_48h",
    "user.retweets_48h",
    "user.replies_48h",
    "user.clicks_30m",
    "user.impressions_30m",
    "user.dwells_48h",
    "user.fav_rate_50d",
    "user.retweet_rate_50d",
    "user.click_rate_50d",
    "user.dwell_ms_mean_48h",
    "user.last_action_age_s",
    "user.follower_count",
    "user.following_count",
    "user.account_age_s",
    "tweet.favs_30m",
    "tweet.retweets_30m",
    "tweet.replies_30m",
    "tweet.impressions_30m",
    "tweet.fav_rate_30m",
    "tweet.last_fav_age_s",
    "tweet.favs_total",
    "tweet.retweets_total",
    "tweet.impressions_total",
    "tweet.fav_rate",
    "tweet.retweet_rate",
    "tweet.click_rate",
    "tweet.dwell_ms_mean",
    "tweet.age_s",
    "tweet.text_length",
    "tweet.num_hashtags",
    "tweet.link_count",
    "tweet.has_image",
    "tweet.has_video",
    "author.favs_24h",
    "author.impressions_24h",
    "author.tweets_24h",
    "author.fav_rate_24h",
    "author.fav_rate_50d",
    "author.negative_rate_50d",
    "author.follower_count",
    "author.account_age_s",
    "author.follower_following_ratio",
    "request.in_network",
    "request.source_score",
    "request.hour",
    "cross.follower_ratio",
    "cross.fav_propensity",
};

// What happens to a row's entity: the shares are not Twitter's, so that a few events already give every column a value.
static const struct {
    enum gw_action_type type;
    uint32_t until; // percent, cumulative
} actions[] = {
    {GW_ACTION_TYPE_CLIENT_TWEET_RENDER_IMPRESSION, 50},
    {GW_ACTION_TYPE_CLIENT_TWEET_LINGER_IMPRESSION, 62},
    {GW_ACTION_TYPE_CLIENT_TWEET_FAV, 76},
    {GW_ACTION_TYPE_CLIENT_TWEET_CLICK, 86},
    {GW_ACTION_TYPE_CLIENT_TWEET_RETWEET, 92},
    {GW_ACTION_TYPE_CLIENT_TWEET_REPLY, 97},
    {GW_ACTION_TYPE_CLIENT_TWEET_NOT_INTERESTED_IN, 100},
};

gw_status bench_world_init(struct bench_world *world, double users, double tweets, double authors, gw_err *err)
{
    *world = (struct bench_world){
        .user_count = (uint32_t)users, .tweet_count = (uint32_t)tweets, .author_count = (uint32_t)authors};
    if (authors < 1 || users < authors || tweets < 1 || users > 1e9 || tweets > 1e9) {
        return gw_fail(err, GW_E_INVALID, "a world needs a tweet and at least as many users as authors");
    }
    world->author_of = gw_mem_calloc(world->tweet_count, sizeof *world->author_of);
    if (world->author_of == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for %u tweets", world->tweet_count);
    }
    bench_zipf_init(&world->users, world->user_count);
    bench_zipf_init(&world->tweets, world->tweet_count);
    struct bench_zipf by_output;
    bench_zipf_init(&by_output, world->author_count);
    struct gw_rng rng;
    gw_rng_init(&rng, 1);
    for (uint32_t t = 0; t < world->tweet_count; t++) {
        world->author_of[t] = bench_zipf_draw(&by_output, &rng);
    }
    return GW_OK;
}

void bench_world_deinit(struct bench_world *world)
{
    gw_mem_free(world->author_of);
}

int64_t bench_world_user_id(uint32_t rank)
{
    return INT64_C(1400000000000000000) + (int64_t)rank * 1000003;
}

int64_t bench_world_tweet_id(uint32_t rank)
{
    return INT64_C(1900000000000000000) + (int64_t)rank * 2000003;
}

int64_t bench_world_author_id(const struct bench_world *world, uint32_t rank)
{
    return bench_world_user_id(rank * (world->user_count / world->author_count));
}

// ---- rows -----------------------------------------------------------------------------------------------------------

struct maker {
    const struct gw_feature_set *set;
    size_t view_index;
    uint8_t *row;
    struct gw_rng rng;
    int64_t now_ms;
    int64_t offset; // of the next event
};

// Heavy-tailed counts such as followers.
static int64_t heavy(struct maker *maker, double median, double sigma)
{
    return (int64_t)(median * exp(sigma * gw_rng_normal(&maker->rng)));
}

// Applies what concerns the view among the entity events of one source event.
static void apply(struct maker *maker, const struct gw_entity_event *events, size_t count)
{
    const struct gw_feature_view *view = gw_feature_set_view(maker->set, maker->view_index);
    for (size_t i = 0; i < count; i++) {
        double attributes[GW_ATTRIBUTE_COUNT];
        struct gw_feature_event event;
        gw_entity_to_feature_event(&events[i], 0, maker->offset, attributes, &event);
        if ((view->side_mask >> event.side & 1) != 0) {
            gw_row_apply(maker->set, maker->view_index, maker->row, &event);
            maker->offset++;
            return;
        }
    }
}

static gw_status apply_profile(struct maker *maker, int64_t user_id, gw_err *err)
{
    const struct gw_user_profile profile = {
        .event_time_ms = maker->now_ms - RECENT_MS,
        .kind = GW_USER_PROFILE_KIND_UPDATE,
        .user_id = user_id,
        .created_at_ms = maker->now_ms - (int64_t)gw_rng_below(&maker->rng, 3000 * DAY_MS),
        .follower_count = heavy(maker, 150, 1.8),
        .following_count = heavy(maker, 200, 1.2),
        .tweet_count = heavy(maker, 400, 2),
        .is_verified = gw_rng_below(&maker->rng, 50) == 0,
        .user_state = (enum gw_user_state)(1 + gw_rng_below(&maker->rng, GW_USER_STATE_COUNT - 1)),
    };
    double statics[GW_STATIC_ATTRIBUTES];
    struct gw_entity_event events[GW_ENTITY_EVENTS_MAX];
    size_t count = 0;
    GW_TRY(gw_entity_from_profile(&profile, &(struct gw_entity_origin){0}, statics, events, &count, err));
    apply(maker, events, count);
    return GW_OK;
}

static gw_status apply_tweet(struct maker *maker, int64_t tweet_id, int64_t author_id, gw_err *err)
{
    const struct gw_tweet_event tweet = {
        .event_time_ms = maker->now_ms - RECENT_MS - (int64_t)gw_rng_below(&maker->rng, 2 * DAY_MS),
        .kind = GW_TWEET_EVENT_KIND_CREATE,
        .tweet_id = tweet_id,
        .author_id = author_id,
        .text_length = (int32_t)gw_rng_below(&maker->rng, 281),
        .num_hashtags = (int32_t)gw_rng_below(&maker->rng, 4),
        .num_mentions = (int32_t)gw_rng_below(&maker->rng, 3),
        .link_count = (int32_t)gw_rng_below(&maker->rng, 2),
        .has_image = gw_rng_below(&maker->rng, 4) == 0,
        .has_video = gw_rng_below(&maker->rng, 10) == 0,
    };
    double statics[GW_STATIC_ATTRIBUTES];
    struct gw_entity_event events[GW_ENTITY_EVENTS_MAX];
    size_t count = 0;
    GW_TRY(gw_entity_from_tweet(&tweet, &(struct gw_entity_origin){0}, statics, events, &count, err));
    apply(maker, events, count);
    return GW_OK;
}

static gw_status apply_action(struct maker *maker, int64_t user_id, int64_t tweet_id, int64_t author_id, gw_err *err)
{
    uint64_t percent = gw_rng_below(&maker->rng, 100);
    size_t a = 0;
    while (percent >= actions[a].until) {
        a++;
    }
    const struct gw_user_action action = {
        .event_time_ms = maker->now_ms - (int64_t)gw_rng_below(&maker->rng, RECENT_MS),
        .user_id = user_id,
        .action_type = actions[a].type,
        .has_tweet_id = true,
        .tweet_id = tweet_id,
        .has_author_id = true,
        .author_id = author_id,
        .surface = GW_PRODUCT_SURFACE_HOME_TIMELINE,
        .has_dwell_time_ms = actions[a].type == GW_ACTION_TYPE_CLIENT_TWEET_LINGER_IMPRESSION,
        .dwell_time_ms = heavy(maker, 3000, 0.8),
    };
    struct gw_entity_event events[GW_ENTITY_EVENTS_MAX];
    size_t count = 0;
    GW_TRY(gw_entity_from_action(&action, &(struct gw_entity_origin){0}, events, &count, err));
    apply(maker, events, count);
    return GW_OK;
}

gw_status bench_world_row(const struct bench_world *world, const struct gw_feature_set *set, enum bench_view view,
                          uint32_t rank, int64_t now_ms, uint8_t *row, gw_err *err)
{
    int index = gw_feature_set_find_view(set, bench_view_names[view]);
    if (index < 0) {
        return gw_fail(err, GW_E_CONFIG, "the features have no view '%s'", bench_view_names[view]);
    }
    struct maker maker = {.set = set, .view_index = (size_t)index, .row = row, .now_ms = now_ms};
    gw_rng_init(&maker.rng, (uint64_t)view << 32 | rank);
    gw_row_init(gw_feature_set_view(set, maker.view_index), row);
    // Whoever is not the row's own entity is anybody.
    int64_t user_id = bench_world_user_id(view == BENCH_USER ? rank : 0);
    int64_t tweet_id = bench_world_tweet_id(view == BENCH_TWEET ? rank : 0);
    int64_t author_id =
        bench_world_author_id(world, view == BENCH_AUTHOR ? rank : world->author_of[view == BENCH_TWEET ? rank : 0]);
    if (view == BENCH_TWEET) {
        GW_TRY(apply_tweet(&maker, tweet_id, author_id, err));
    } else {
        GW_TRY(apply_profile(&maker, view == BENCH_USER ? user_id : author_id, err));
    }
    if (view == BENCH_AUTHOR) {
        GW_TRY(apply_tweet(&maker, tweet_id, author_id, err));
    }
    uint64_t count = ACTIONS_MIN + gw_rng_below(&maker.rng, ACTIONS_MORE);
    for (uint64_t i = 0; i < count; i++) {
        GW_TRY(apply_action(&maker, user_id, tweet_id, author_id, err));
    }
    return GW_OK;
}
