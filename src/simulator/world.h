// SPDX-License-Identifier: MIT
// Users and authors: fixed properties, whom they follow, when they are awake. Internal to simulator/.
//
// Users are numbered from 0; the first author_count of them write. An id is the number times an odd constant in 63
// bits: scattered, unique, positive.
#pragma once

#include "simulator/alias.h"
#include "simulator/draw.h"
#include "simulator/simulator.h"

#define GW_SIM_TASTES       8
#define GW_SIM_FOLLOWS_MAX  32 // of the simulated authors, before those added in the simulation
#define GW_SIM_FOLLOWS_MORE 4  // the newest added ones that count

struct gw_sim_user {
    float taste[GW_SIM_TASTES]; // unit vector; what an author likes is also what the author writes about
    float propensity;           // N(0,1)
    float author_quality;       // N(0,1)
    uint8_t country;            // index of the country table
    uint8_t state;
    bool is_verified;
    uint8_t follow_count; // 1..GW_SIM_FOLLOWS_MAX
    int64_t created_ms;
    double followers; // at the beginning
    double tweets;
    double tweets_per_day; // real for authors
    int32_t following;
    uint32_t more_count;                // follows added so far
    uint32_t more[GW_SIM_FOLLOWS_MORE]; // newest ones, a ring
};

struct gw_sim_world {
    uint64_t seed;
    uint32_t user_count;
    uint32_t author_count;
    int64_t begin_ms;
    struct gw_sim_user *users;
    struct gw_sim_alias by_activity; // users, by how often they ask
    struct gw_sim_alias by_output;   // authors, by how often they write
    struct gw_sim_alias by_fame;     // authors, by followers
    double user_zone_share[24];      // share of activity by offset from UTC, hours + 12
    double author_zone_share[24];
};

GW_CHECK gw_status gw_sim_world_init(struct gw_sim_world *world, const struct gw_simulator_options *options,
                                     int64_t begin_ms, gw_err *err);
void gw_sim_world_deinit(struct gw_sim_world *world);

int64_t gw_sim_user_id(uint32_t index);
const char *gw_sim_country_code(const struct gw_sim_user *user);
const char *gw_sim_language(const struct gw_sim_user *user);

// Hour of the day where the user lives, [0, 24).
double gw_sim_local_hour(const struct gw_sim_user *user, int64_t time_ms);

// How many times its daily mean a rate has at this time, by where the users (or authors) live. Mean 1 over a day.
double gw_sim_world_user_rhythm(const struct gw_sim_world *world, int64_t time_ms);
double gw_sim_world_author_rhythm(const struct gw_sim_world *world, int64_t time_ms);

// Somebody who is awake, by activity or by output.
uint32_t gw_sim_world_pick_user(const struct gw_sim_world *world, struct gw_rng *rng, int64_t time_ms);
uint32_t gw_sim_world_pick_author(const struct gw_sim_world *world, struct gw_rng *rng, int64_t time_ms);

// The k-th author whom the user has followed for ever, k < follow_count: famous ones, the better of two by taste. The
// same author may come twice.
uint32_t gw_sim_world_followee(const struct gw_sim_world *world, uint32_t user, uint32_t k);

void gw_sim_world_add_follow(struct gw_sim_world *world, uint32_t user, uint32_t author);

struct gw_sim_profile gw_sim_world_profile(const struct gw_sim_world *world, uint32_t user, int64_t time_ms);

static inline double gw_sim_dot(const float *a, const float *b)
{
    float sum = 0.0f;
    for (int i = 0; i < GW_SIM_TASTES; i++) {
        sum += a[i] * b[i];
    }
    return (double)sum;
}

// Draws a unit vector near `centre` (NULL: anywhere); `spread` is the length of the noise against 1.
void gw_sim_unit_vector(struct gw_rng *rng, const float *centre, double spread, float *ret_vector);
