// SPDX-License-Identifier: MIT
#include "simulator/world.h"

#include "base/mem.h"

#define DAY_MS         86400000LL
#define ID_MULTIPLIER  0x5851f42d4c957f2du // odd, so it is a bijection modulo 2^63
#define RHYTHM_MAX     1.85
#define ZONES          24
#define PICK_TRIES_MAX 16
#define FOLLOWERS_MAX  2e8

static const struct {
    char code[3];
    char language[3];
    int zone; // hours from UTC, without summer time
    double share;
} countries[] = {
    {"US", "en", -6, 0.34}, {"JP", "ja", 9, 0.18}, {"BR", "pt", -3, 0.12}, {"IN", "en", 5, 0.10},
    {"GB", "en", 0, 0.09},  {"ID", "id", 7, 0.07}, {"TR", "tr", 3, 0.06},  {"DE", "de", 1, 0.04},
};

int64_t gw_sim_user_id(uint32_t index)
{
    return (int64_t)((((uint64_t)index + 1) * ID_MULTIPLIER) & INT64_MAX);
}

const char *gw_sim_country_code(const struct gw_sim_user *user)
{
    return countries[user->country].code;
}

const char *gw_sim_language(const struct gw_sim_user *user)
{
    return countries[user->country].language;
}

// Activity by local hour, mean 1: lowest (0.15) before dawn, highest in the evening.
static double rhythm(double hour)
{
    const double turn = 2.0 * 3.14159265358979323846 / 24.0;
    return 1.0 + 0.65 * cos(turn * (hour - 19.0)) + 0.2 * cos(2.0 * turn * (hour - 13.0));
}

static double hour_in_zone(int zone, int64_t time_ms)
{
    return (double)((time_ms + zone * 3600000LL) % DAY_MS) / 3600000.0;
}

double gw_sim_local_hour(const struct gw_sim_user *user, int64_t time_ms)
{
    return hour_in_zone(countries[user->country].zone, time_ms);
}

static double zones_rhythm(const double *shares, int64_t time_ms)
{
    double sum = 0.0;
    for (int zone = 0; zone < ZONES; zone++) {
        if (shares[zone] > 0.0) {
            sum += shares[zone] * rhythm(hour_in_zone(zone - 12, time_ms));
        }
    }
    return sum;
}

double gw_sim_world_user_rhythm(const struct gw_sim_world *world, int64_t time_ms)
{
    return zones_rhythm(world->user_zone_share, time_ms);
}

double gw_sim_world_author_rhythm(const struct gw_sim_world *world, int64_t time_ms)
{
    return zones_rhythm(world->author_zone_share, time_ms);
}

void gw_sim_unit_vector(struct gw_rng *rng, const float *centre, double spread, float *ret_vector)
{
    double vector[GW_SIM_TASTES];
    double square = 0.0;
    for (int i = 0; i < GW_SIM_TASTES; i++) {
        double noise = gw_rng_normal(rng);
        vector[i] = centre == NULL ? noise : (double)centre[i] + spread * noise / sqrt(GW_SIM_TASTES);
        square += vector[i] * vector[i];
    }
    double scale = 1.0 / sqrt(square + 1e-12);
    for (int i = 0; i < GW_SIM_TASTES; i++) {
        ret_vector[i] = (float)(vector[i] * scale);
    }
}

static uint8_t draw_country(struct gw_rng *rng)
{
    double random = gw_rng_double(rng);
    uint8_t country = 0;
    while ((size_t)country + 1 < GW_COUNT_OF(countries) && random >= countries[country].share) {
        random -= countries[country].share;
        country++;
    }
    return country;
}

// The UserState symbol that fits how often somebody asks and writes; numbers as in the schema.
static uint8_t state_of(const struct gw_sim_user *user, double activity, bool writes, int64_t begin_ms)
{
    if (begin_ms - user->created_ms < 30 * DAY_MS) {
        return 1; // NEW
    }
    if (activity < 0.1) {
        return 2; // NEAR_ZERO
    }
    if (activity < 0.4) {
        return 3; // VERY_LIGHT
    }
    if (activity < 1.0) {
        return 4; // LIGHT
    }
    if (activity < 3.0) {
        return writes ? 5 : 6; // MEDIUM_TWEETER, MEDIUM_NON_TWEETER
    }
    return writes ? 8 : 7; // HEAVY_TWEETER, HEAVY_NON_TWEETER
}

static void init_user(struct gw_sim_world *world, uint32_t index)
{
    struct gw_sim_user *user = &world->users[index];
    struct gw_rng rng;
    gw_rng_init(&rng, gw_sim_hash(world->seed, GW_SIM_STREAM_USER, index, 0));
    bool writes = index < world->author_count;
    gw_sim_unit_vector(&rng, NULL, 0.0, user->taste);
    user->propensity = (float)gw_rng_normal(&rng);
    user->author_quality = (float)gw_rng_normal(&rng);
    user->country = draw_country(&rng);
    double age_days = 20.0 + 4000.0 * gw_rng_double(&rng) * gw_rng_double(&rng);
    user->created_ms = world->begin_ms - (int64_t)(age_days * (double)DAY_MS);
    double followers = (writes ? 30.0 : 3.0) * gw_sim_pareto(&rng, 1.1);
    user->followers = floor(GW_MIN(followers, FOLLOWERS_MAX));
    user->following = (int32_t)gw_sim_lognormal(&rng, 120.0, 1.2);
    user->follow_count = (uint8_t)(1 + gw_rng_below(&rng, GW_SIM_FOLLOWS_MAX));
    user->is_verified = writes && gw_rng_double(&rng) < (user->followers > 10000.0 ? 0.6 : 0.03);
    double activity = gw_sim_lognormal(&rng, 0.6, 1.0);
    user->tweets_per_day = writes ? gw_sim_lognormal(&rng, 1.0, 1.0) * pow(user->followers, 0.1) : 0.0;
    user->tweets = floor(user->tweets_per_day * age_days * 0.5);
    user->state = state_of(user, activity, writes, world->begin_ms);

    int zone = countries[user->country].zone + 12;
    world->by_activity.weights[index] = activity;
    world->user_zone_share[zone] += activity;
    if (writes) {
        world->by_output.weights[index] = user->tweets_per_day;
        world->author_zone_share[zone] += user->tweets_per_day;
        world->by_fame.weights[index] = user->followers;
    }
}

static void normalise(double *shares)
{
    double sum = 0.0;
    for (int i = 0; i < ZONES; i++) {
        sum += shares[i];
    }
    for (int i = 0; i < ZONES; i++) {
        shares[i] /= sum;
    }
}

gw_status gw_sim_world_init(struct gw_sim_world *world, const struct gw_simulator_options *options, int64_t begin_ms,
                            gw_err *err)
{
    *world = (struct gw_sim_world){.seed = options->seed,
                                   .user_count = options->user_count,
                                   .author_count = options->author_count,
                                   .begin_ms = begin_ms};
    world->users = gw_mem_calloc(options->user_count, sizeof *world->users);
    if (world->users == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for %u users", options->user_count);
    }
    GW_TRY(gw_sim_alias_init(&world->by_activity, options->user_count, err));
    GW_TRY(gw_sim_alias_init(&world->by_output, options->author_count, err));
    GW_TRY(gw_sim_alias_init(&world->by_fame, options->author_count, err));
    for (uint32_t i = 0; i < options->user_count; i++) {
        init_user(world, i);
    }
    gw_sim_alias_build(&world->by_activity, options->user_count);
    gw_sim_alias_build(&world->by_output, options->author_count);
    gw_sim_alias_build(&world->by_fame, options->author_count);
    normalise(world->user_zone_share);
    normalise(world->author_zone_share);
    return GW_OK;
}

void gw_sim_world_deinit(struct gw_sim_world *world)
{
    gw_sim_alias_deinit(&world->by_fame);
    gw_sim_alias_deinit(&world->by_output);
    gw_sim_alias_deinit(&world->by_activity);
    gw_mem_free(world->users);
    *world = (struct gw_sim_world){0};
}

// Rejection by the local hour; after some tries whoever came last is taken, which bends the night a little.
static uint32_t pick_awake(const struct gw_sim_world *world, const struct gw_sim_alias *alias, struct gw_rng *rng,
                           int64_t time_ms)
{
    uint32_t index = 0;
    for (int tries = 0; tries < PICK_TRIES_MAX; tries++) {
        index = gw_sim_alias_pick(alias, rng);
        if (gw_rng_double(rng) * RHYTHM_MAX < rhythm(gw_sim_local_hour(&world->users[index], time_ms))) {
            break;
        }
    }
    return index;
}

uint32_t gw_sim_world_pick_user(const struct gw_sim_world *world, struct gw_rng *rng, int64_t time_ms)
{
    return pick_awake(world, &world->by_activity, rng, time_ms);
}

uint32_t gw_sim_world_pick_author(const struct gw_sim_world *world, struct gw_rng *rng, int64_t time_ms)
{
    return pick_awake(world, &world->by_output, rng, time_ms);
}

uint32_t gw_sim_world_followee(const struct gw_sim_world *world, uint32_t user, uint32_t k)
{
    struct gw_rng rng;
    gw_rng_init(&rng, gw_sim_hash(world->seed, GW_SIM_STREAM_FOLLOW, user, k));
    uint32_t a = gw_sim_alias_pick(&world->by_fame, &rng);
    uint32_t b = gw_sim_alias_pick(&world->by_fame, &rng);
    const float *taste = world->users[user].taste;
    return gw_sim_dot(taste, world->users[a].taste) >= gw_sim_dot(taste, world->users[b].taste) ? a : b;
}

void gw_sim_world_add_follow(struct gw_sim_world *world, uint32_t user, uint32_t author)
{
    struct gw_sim_user *who = &world->users[user];
    who->more[who->more_count % GW_SIM_FOLLOWS_MORE] = author;
    who->more_count++;
}

struct gw_sim_profile gw_sim_world_profile(const struct gw_sim_world *world, uint32_t user, int64_t time_ms)
{
    const struct gw_sim_user *who = &world->users[user];
    double days = (double)(time_ms - world->begin_ms) / (double)DAY_MS;
    return (struct gw_sim_profile){
        .user_id = gw_sim_user_id(user),
        .created_ms = who->created_ms,
        .follower_count = (int64_t)(who->followers * (1.0 + 0.002 * days)),
        .following_count = who->following + (int64_t)who->more_count,
        .tweet_count = (int64_t)(who->tweets + who->tweets_per_day * days),
        .is_verified = who->is_verified,
        .user_state = who->state,
        .country_code = gw_sim_country_code(who),
    };
}
