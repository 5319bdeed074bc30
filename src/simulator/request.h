// SPDX-License-Identifier: MIT
// One request: which tweets are candidates, and what comes of it by the truth. Internal to simulator/.
#pragma once

#include "simulator/pending.h"
#include "simulator/tweets.h"

#define GW_SIM_SHOWN_MAX 500u // the mean, and how many more than one a request shows

// Reused from request to request.
struct gw_sim_draw {
    uint64_t seed;
    uint32_t *author_stamp; // per author: `stamp` when the viewer follows the author
    uint32_t *tweet_stamp;  // per ring slot: `stamp` when it is a candidate already
    uint32_t stamp;
    int64_t time_ms;
    int64_t join_id;
    uint32_t user;
    const struct gw_sim_truth *truth;
    double pace;         // viewers look and act so many times as fast as people do
    double delay_factor; // of actions after their impression, besides
    double poison;       // share of impressions whose labels are turned round
    double local_hour;
    double tilts[GW_SIM_HEAD_COUNT];
    size_t count;
    struct gw_sim_candidate candidates[GW_SIM_CANDIDATES_MAX];
    const struct gw_sim_alive *tweets[GW_SIM_CANDIDATES_MAX];
    float match[GW_SIM_CANDIDATES_MAX];    // <u, t> of truth.h
    double display[GW_SIM_CANDIDATES_MAX]; // what the viewer's list is ordered by
};

GW_CHECK gw_status gw_sim_draw_init(struct gw_sim_draw *draw, uint64_t seed, uint32_t author_count,
                                    uint32_t tweet_capacity, gw_err *err);
void gw_sim_draw_deinit(struct gw_sim_draw *draw);

// Draws the candidates of `draw->user` at `draw->time_ms`. draw->count is 0 when no tweet lives.
void gw_sim_draw_candidates(struct gw_sim_draw *draw, const struct gw_sim_world *world,
                            const struct gw_sim_tweets *tweets, uint32_t wanted, struct gw_rng *rng);

// Random numbers of candidates and of tweets shown, at least 1: uniform in [0.5, 1.5] times the mean, and geometric.
uint32_t gw_sim_draw_wanted_count(struct gw_rng *rng, uint32_t mean);
uint32_t gw_sim_draw_shown_count(struct gw_rng *rng, uint32_t mean);

// The candidate that the viewer sees next; at most draw->count times after each draw.
size_t gw_sim_draw_next_shown(struct gw_sim_draw *draw);

// All of the factors but the tilt; and whether the candidate has what the head is about.
struct gw_sim_factors gw_sim_draw_factors(const struct gw_sim_draw *draw, const struct gw_sim_world *world,
                                          size_t index);
bool gw_sim_draw_is_possible(const struct gw_sim_draw *draw, size_t index, enum gw_sim_head head);

double gw_sim_draw_probability(const struct gw_sim_draw *draw, const struct gw_sim_world *world, size_t index,
                               enum gw_sim_head head);

// Shows `shown` of the candidates and pushes what happens. The follows it leads to are pushed, not yet made.
GW_CHECK gw_status gw_sim_draw_outcome(struct gw_sim_draw *draw, const struct gw_sim_world *world, uint32_t shown,
                                       struct gw_rng *rng, struct gw_sim_heap *heap, gw_err *err);
