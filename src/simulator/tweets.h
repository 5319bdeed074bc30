// SPDX-License-Identifier: MIT
// The tweets that can be candidates: a ring of the newest, and ways to draw from it. Internal to simulator/.
#pragma once

#include "simulator/world.h"

#define GW_SIM_AUTHOR_TWEETS 4 // newest ones that can be found by author

struct gw_sim_alive {
    struct gw_sim_tweet tweet;
    uint64_t serial; // counts tweets from 1; 0: the slot is empty
    int64_t created_ms;
    uint32_t author;
    float topic[GW_SIM_TASTES]; // unit vector
    float quality;              // N(0,1)
    float content;              // what the static attributes do for engagement
    float popularity;           // natural logarithm of the weight in the draw of popular tweets
};

struct gw_sim_tweets {
    struct gw_sim_alive *ring;
    uint32_t capacity;
    uint64_t serial;                             // of the newest
    uint64_t (*by_author)[GW_SIM_AUTHOR_TWEETS]; // serials, a ring per author
    uint32_t *author_count;                      // tweets written, per author
    struct gw_sim_alias popular;
    uint32_t *popular_slots; // ring slot of each item of `popular`
    int64_t popular_from_ms; // the refresh that `popular` shows
    int64_t refresh_ms;      // how often it is made anew
};

GW_CHECK gw_status gw_sim_tweets_init(struct gw_sim_tweets *tweets, uint32_t alive, uint32_t author_count, gw_err *err);
void gw_sim_tweets_deinit(struct gw_sim_tweets *tweets);

// Writes a new tweet over the oldest one. `sequence` is unique in its second.
const struct gw_sim_alive *gw_sim_tweets_add(struct gw_sim_tweets *tweets, const struct gw_sim_world *world,
                                             struct gw_rng *rng, int64_t created_ms, uint32_t sequence);

// The tweet, or NULL when it has left the ring.
struct gw_sim_alive *gw_sim_tweets_find(const struct gw_sim_tweets *tweets, uint64_t serial);

bool gw_sim_alive_at(const struct gw_sim_alive *tweet, int64_t time_ms);

// Makes the draw of popular tweets anew when it is due: at multiples of refresh_ms, so that it depends on time alone.
void gw_sim_tweets_refresh(struct gw_sim_tweets *tweets, int64_t time_ms);

// A popular tweet (heavy-tailed); one of the newest tenth; the n-th newest of an author. NULL: none.
const struct gw_sim_alive *gw_sim_tweets_pick_popular(const struct gw_sim_tweets *tweets, struct gw_rng *rng);
const struct gw_sim_alive *gw_sim_tweets_pick_fresh(const struct gw_sim_tweets *tweets, struct gw_rng *rng);
const struct gw_sim_alive *gw_sim_tweets_of_author(const struct gw_sim_tweets *tweets, uint32_t author, uint32_t n);
