// SPDX-License-Identifier: MIT
#include "simulator/tweets.h"

#include "base/mem.h"

#define SNOWFLAKE_EPOCH_MS   1288834974657LL
#define POPULAR_HALF_LIFE_MS (4.0 * 3600000.0)
#define REFRESH_MS           60000
#define REFRESH_TWEETS       50000 // so many more tweets make the draw be renewed a minute less often

gw_status gw_sim_tweets_init(struct gw_sim_tweets *tweets, uint32_t alive, uint32_t author_count, gw_err *err)
{
    // The daily rhythm makes the number that lives swing around its mean.
    uint32_t capacity = alive + alive / 2 + 16;
    *tweets = (struct gw_sim_tweets){.capacity = capacity, .popular_from_ms = INT64_MIN};
    tweets->refresh_ms = REFRESH_MS * (1 + (int64_t)capacity / REFRESH_TWEETS);
    tweets->ring = gw_mem_calloc(capacity, sizeof *tweets->ring);
    tweets->by_author = gw_mem_calloc(author_count, sizeof *tweets->by_author);
    tweets->author_count = gw_mem_calloc(author_count, sizeof *tweets->author_count);
    tweets->popular_slots = gw_mem_calloc(capacity, sizeof *tweets->popular_slots);
    if (tweets->ring == NULL || tweets->by_author == NULL || tweets->author_count == NULL ||
        tweets->popular_slots == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for %u tweets", capacity);
    }
    return gw_sim_alias_init(&tweets->popular, capacity, err);
}

void gw_sim_tweets_deinit(struct gw_sim_tweets *tweets)
{
    gw_sim_alias_deinit(&tweets->popular);
    gw_mem_free(tweets->popular_slots);
    gw_mem_free(tweets->author_count);
    gw_mem_free(tweets->by_author);
    gw_mem_free(tweets->ring);
    *tweets = (struct gw_sim_tweets){0};
}

static void draw_attributes(const struct gw_sim_world *world, struct gw_rng *rng, struct gw_sim_tweet *tweet)
{
    double length = 5.0 + gw_sim_lognormal(rng, 80.0, 0.7);
    tweet->text_length = (int32_t)GW_MIN(280.0, length);
    tweet->num_hashtags = (int32_t)gw_sim_poisson(rng, 0.3);
    tweet->num_mentions = (int32_t)gw_sim_poisson(rng, 0.4);
    tweet->link_count = gw_rng_double(rng) < 0.2 ? 1 : 0;
    tweet->has_video = gw_rng_double(rng) < 0.12;
    tweet->has_image = !tweet->has_video && gw_rng_double(rng) < 0.3;
    tweet->is_sensitive = gw_rng_double(rng) < 0.02;
    tweet->video_duration_ms = tweet->has_video ? (int64_t)gw_sim_lognormal(rng, 25000.0, 0.9) + 1000 : 0;
    double form = gw_rng_double(rng);
    uint32_t other = gw_sim_alias_pick(&world->by_fame, rng);
    tweet->in_reply_to_author_id = form < 0.2 ? gw_sim_user_id(other) : 0;
    tweet->quoted_author_id = form >= 0.2 && form < 0.25 ? gw_sim_user_id(other) : 0;
    tweet->num_mentions += form < 0.2 ? 1 : 0;
}

// c_T of truth.h: what everybody likes or dislikes about the form.
static double content_of(const struct gw_sim_tweet *tweet)
{
    return (tweet->has_image ? 0.3 : 0.0) + (tweet->has_video ? 0.4 : 0.0) - (tweet->link_count > 0 ? 0.25 : 0.0) -
           (tweet->in_reply_to_author_id != 0 ? 0.5 : 0.0) - (tweet->is_sensitive ? 0.4 : 0.0) -
           0.15 * GW_MAX(0, tweet->num_hashtags - 1) + 0.2 * ((double)tweet->text_length / 140.0 - 1.0);
}

const struct gw_sim_alive *gw_sim_tweets_add(struct gw_sim_tweets *tweets, const struct gw_sim_world *world,
                                             struct gw_rng *rng, int64_t created_ms, uint32_t sequence)
{
    uint64_t serial = ++tweets->serial;
    uint32_t author = gw_sim_world_pick_author(world, rng, created_ms);
    const struct gw_sim_user *writer = &world->users[author];
    struct gw_sim_alive *alive = &tweets->ring[serial % tweets->capacity];
    *alive = (struct gw_sim_alive){.serial = serial, .created_ms = created_ms, .author = author};
    alive->tweet.tweet_id = (created_ms - SNOWFLAKE_EPOCH_MS) << 22 | sequence;
    alive->tweet.author_id = gw_sim_user_id(author);
    alive->tweet.language = gw_sim_language(writer);
    draw_attributes(world, rng, &alive->tweet);
    gw_sim_unit_vector(rng, writer->taste, 1.0, alive->topic);
    alive->quality = (float)gw_rng_normal(rng);
    alive->content = (float)content_of(&alive->tweet);
    alive->popularity = (float)(0.45 * log(writer->followers) + 0.8 * (double)alive->quality +
                                0.3 * (double)writer->author_quality + 0.8 * gw_rng_normal(rng));
    tweets->by_author[author][tweets->author_count[author] % GW_SIM_AUTHOR_TWEETS] = serial;
    tweets->author_count[author]++;
    return alive;
}

struct gw_sim_alive *gw_sim_tweets_find(const struct gw_sim_tweets *tweets, uint64_t serial)
{
    struct gw_sim_alive *alive = &tweets->ring[serial % tweets->capacity];
    return serial != 0 && alive->serial == serial ? alive : NULL;
}

bool gw_sim_alive_at(const struct gw_sim_alive *tweet, int64_t time_ms)
{
    return tweet->serial != 0 && !tweet->tweet.is_deleted && time_ms - tweet->created_ms < GW_SIM_HORIZON_MS;
}

void gw_sim_tweets_refresh(struct gw_sim_tweets *tweets, int64_t time_ms)
{
    int64_t from_ms = time_ms - time_ms % tweets->refresh_ms;
    if (from_ms == tweets->popular_from_ms) {
        return;
    }
    tweets->popular_from_ms = from_ms;
    uint32_t count = 0;
    // From the oldest on, so that the order of items does not depend on where in the ring they lie.
    uint64_t oldest = tweets->serial < tweets->capacity ? 1 : tweets->serial - tweets->capacity + 1;
    for (uint64_t serial = oldest; serial <= tweets->serial; serial++) {
        uint32_t slot = (uint32_t)(serial % tweets->capacity);
        const struct gw_sim_alive *alive = &tweets->ring[slot];
        if (alive->created_ms < from_ms && gw_sim_alive_at(alive, from_ms)) {
            double halvings = (double)(from_ms - alive->created_ms) / POPULAR_HALF_LIFE_MS;
            tweets->popular.weights[count] = exp((double)alive->popularity - 0.6931471805599453 * halvings);
            tweets->popular_slots[count++] = slot;
        }
    }
    gw_sim_alias_build(&tweets->popular, count);
}

const struct gw_sim_alive *gw_sim_tweets_pick_popular(const struct gw_sim_tweets *tweets, struct gw_rng *rng)
{
    if (tweets->popular.count == 0) {
        return NULL;
    }
    return &tweets->ring[tweets->popular_slots[gw_sim_alias_pick(&tweets->popular, rng)]];
}

const struct gw_sim_alive *gw_sim_tweets_pick_fresh(const struct gw_sim_tweets *tweets, struct gw_rng *rng)
{
    uint64_t newest = GW_MIN(tweets->serial, (uint64_t)tweets->capacity / 10 + 1);
    return newest == 0 ? NULL : gw_sim_tweets_find(tweets, tweets->serial - gw_rng_below(rng, newest));
}

const struct gw_sim_alive *gw_sim_tweets_of_author(const struct gw_sim_tweets *tweets, uint32_t author, uint32_t n)
{
    uint32_t written = tweets->author_count[author];
    if (n >= written || n >= GW_SIM_AUTHOR_TWEETS) {
        return NULL;
    }
    return gw_sim_tweets_find(tweets, tweets->by_author[author][(written - 1 - n) % GW_SIM_AUTHOR_TWEETS]);
}
