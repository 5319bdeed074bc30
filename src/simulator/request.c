// SPDX-License-Identifier: MIT
#include "simulator/request.h"

#include "base/mem.h"

#include <string.h>

#define IN_NETWORK_SHARE_MAX 0.5
#define FRESH_SHARE          0.2
#define REDRAWS_MAX          3    // of a candidate that is there already
#define FOLLOW_CHANCE        0.04 // after a favorite of somebody not followed
#define UNFAV_CHANCE         0.02
#define FIRST_SHOWN_MS       250.0

gw_status gw_sim_draw_init(struct gw_sim_draw *draw, uint64_t seed, uint32_t author_count, uint32_t tweet_capacity,
                           gw_err *err)
{
    draw->seed = seed;
    draw->author_stamp = gw_mem_calloc(author_count, sizeof *draw->author_stamp);
    draw->tweet_stamp = gw_mem_calloc(tweet_capacity, sizeof *draw->tweet_stamp);
    if (draw->author_stamp == NULL || draw->tweet_stamp == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for the simulator's requests");
    }
    return GW_OK;
}

void gw_sim_draw_deinit(struct gw_sim_draw *draw)
{
    gw_mem_free(draw->tweet_stamp);
    gw_mem_free(draw->author_stamp);
}

// ---- candidates

static void next_stamp(struct gw_sim_draw *draw, const struct gw_sim_world *world, const struct gw_sim_tweets *tweets)
{
    if (++draw->stamp == 0) { // stamps of 2^32 requests ago would count again
        memset(draw->author_stamp, 0, world->author_count * sizeof *draw->author_stamp);
        memset(draw->tweet_stamp, 0, tweets->capacity * sizeof *draw->tweet_stamp);
        draw->stamp = 1;
    }
}

static bool add_candidate(struct gw_sim_draw *draw, const struct gw_sim_world *world,
                          const struct gw_sim_tweets *tweets, const struct gw_sim_alive *alive, struct gw_rng *rng)
{
    if (alive == NULL || !gw_sim_alive_at(alive, draw->time_ms)) {
        return false;
    }
    uint32_t *stamp = &draw->tweet_stamp[alive - tweets->ring];
    if (*stamp == draw->stamp) {
        return false;
    }
    *stamp = draw->stamp;
    double match = gw_sim_dot(world->users[draw->user].taste, alive->topic);
    double in_network = draw->author_stamp[alive->author] == draw->stamp ? 1.0 : 0.0;
    double age_hours = (double)(draw->time_ms - alive->created_ms) / 3600000.0;
    double score =
        match + 0.15 * (double)alive->popularity + 0.5 * in_network - 0.2 * log1p(age_hours) + 0.5 * gw_rng_normal(rng);
    size_t at = draw->count++;
    draw->tweets[at] = alive;
    draw->match[at] = (float)match;
    draw->display[at] = score + 0.5 * gw_rng_normal(rng);
    draw->candidates[at] = (struct gw_sim_candidate){.tweet_id = alive->tweet.tweet_id,
                                                     .author_id = alive->tweet.author_id,
                                                     .in_network = (float)in_network,
                                                     .source_score = (float)score};
    return true;
}

// Marks whom the viewer follows, then takes their newest tweets in turns.
static void add_in_network(struct gw_sim_draw *draw, const struct gw_sim_world *world,
                           const struct gw_sim_tweets *tweets, uint32_t wanted, struct gw_rng *rng)
{
    const struct gw_sim_user *user = &world->users[draw->user];
    uint32_t followed[GW_SIM_FOLLOWS_MAX + GW_SIM_FOLLOWS_MORE];
    uint32_t count = 0;
    for (uint32_t k = 0; k < user->follow_count; k++) {
        followed[count++] = gw_sim_world_followee(world, draw->user, k);
    }
    for (uint32_t k = 0; k < GW_MIN(user->more_count, (uint32_t)GW_SIM_FOLLOWS_MORE); k++) {
        followed[count++] = user->more[k];
    }
    for (uint32_t i = 0; i < count; i++) {
        draw->author_stamp[followed[i]] = draw->stamp;
    }
    for (uint32_t n = 0; n < GW_SIM_AUTHOR_TWEETS; n++) {
        for (uint32_t i = 0; i < count && draw->count < wanted; i++) {
            (void)add_candidate(draw, world, tweets, gw_sim_tweets_of_author(tweets, followed[i], n), rng);
        }
    }
}

void gw_sim_draw_candidates(struct gw_sim_draw *draw, const struct gw_sim_world *world,
                            const struct gw_sim_tweets *tweets, uint32_t wanted, struct gw_rng *rng)
{
    draw->count = 0;
    draw->local_hour = gw_sim_local_hour(&world->users[draw->user], draw->time_ms);
    for (uint32_t head = 0; head < GW_SIM_HEAD_COUNT; head++) {
        draw->tilts[head] = gw_sim_hash_normal(gw_sim_hash(draw->seed, GW_SIM_STREAM_TILT, draw->user, head));
    }
    next_stamp(draw, world, tweets);
    add_in_network(draw, world, tweets, (uint32_t)(IN_NETWORK_SHARE_MAX * wanted), rng);
    while (draw->count < wanted) {
        bool added = false;
        for (int tries = 0; tries <= REDRAWS_MAX && !added; tries++) {
            bool fresh = gw_rng_double(rng) < FRESH_SHARE;
            added = add_candidate(
                draw, world, tweets,
                fresh ? gw_sim_tweets_pick_fresh(tweets, rng) : gw_sim_tweets_pick_popular(tweets, rng), rng);
        }
        if (!added) {
            break; // there are hardly more tweets than candidates
        }
    }
}

// ---- truth

struct gw_sim_factors gw_sim_draw_factors(const struct gw_sim_draw *draw, const struct gw_sim_world *world,
                                          size_t index)
{
    const struct gw_sim_alive *alive = draw->tweets[index];
    return (struct gw_sim_factors){
        .propensity = (double)world->users[draw->user].propensity,
        .author = (double)world->users[alive->author].author_quality,
        .quality = (double)alive->quality,
        .content = (double)alive->content,
        .match = (double)draw->match[index],
        .age_hours = (double)(draw->time_ms - alive->created_ms) / 3600000.0,
        .in_network = (double)draw->candidates[index].in_network,
        .local_hour = draw->local_hour,
    };
}

bool gw_sim_draw_is_possible(const struct gw_sim_draw *draw, size_t index, enum gw_sim_head head)
{
    const struct gw_sim_tweet *tweet = &draw->tweets[index]->tweet;
    return (head != GW_SIM_PHOTO_EXPAND || tweet->has_image) && (head != GW_SIM_VIDEO_PLAYBACK50 || tweet->has_video);
}

static double probability(const struct gw_sim_draw *draw, size_t index, struct gw_sim_factors *factors,
                          enum gw_sim_head head)
{
    if (!gw_sim_draw_is_possible(draw, index, head)) {
        return 0.0;
    }
    factors->tilt = draw->tilts[head];
    return gw_sim_truth_probability(&draw->truth->heads[head], factors);
}

double gw_sim_draw_probability(const struct gw_sim_draw *draw, const struct gw_sim_world *world, size_t index,
                               enum gw_sim_head head)
{
    struct gw_sim_factors factors = gw_sim_draw_factors(draw, world, index);
    return probability(draw, index, &factors, head);
}

// ---- outcome

// From the impression to an action: seconds mostly, minutes for some, hours for a few; never over the bound.
static int64_t draw_delay_ms(struct gw_rng *rng)
{
    double kind = gw_rng_double(rng);
    double delay_ms = 0.0;
    if (kind < 0.85) {
        delay_ms = gw_sim_lognormal(rng, 5000.0, 0.9);
    } else if (kind < 0.97) {
        delay_ms = gw_sim_lognormal(rng, 180000.0, 1.0);
    } else {
        delay_ms = 900000.0 * gw_sim_pareto(rng, 1.0);
    }
    return (int64_t)GW_MIN(delay_ms, (double)GW_SIM_DELAY_MAX_MS);
}

static double draw_stay_ms(struct gw_rng *rng)
{
    double stay_ms = 2000.0 + gw_sim_lognormal(rng, 2500.0, 1.0);
    return GW_MIN(stay_ms, 600000.0);
}

// A NEGATIVE shows itself in one of four ways.
static uint8_t negative_action(struct gw_rng *rng)
{
    double kind = gw_rng_double(rng);
    if (kind < 0.5) {
        return GW_SIM_NEGATIVE;
    }
    return kind < 0.75 ? GW_SIM_ACTION_SEE_FEWER : kind < 0.9 ? GW_SIM_ACTION_MUTE_AUTHOR : GW_SIM_ACTION_BLOCK_AUTHOR;
}

// A tweet in front of the viewer.
struct showing {
    struct gw_sim_pending base; // what its actions have in common
    size_t index;
    int64_t shown_ms;
    bool is_poisoned;
    struct gw_sim_heap *heap;
};

static gw_status push_action(const struct showing *showing, int64_t time_ms, uint8_t action, gw_err *err)
{
    struct gw_sim_pending item = showing->base;
    item.kind = GW_SIM_ACTION;
    item.time_ms = time_ms;
    item.action = action;
    return gw_sim_heap_push(showing->heap, item, err);
}

// `stay_ms` of a DWELL. Random numbers are drawn for true and poisoned showings alike, so that what follows is the
// same.
static gw_status push_head(const struct gw_sim_draw *draw, struct showing *showing, int head, double stay_ms,
                           int64_t *ret_delay_ms, struct gw_rng *rng, bool is_pushed, gw_err *err)
{
    int64_t delay_ms = head == GW_SIM_DWELL ? (int64_t)stay_ms : 1 + draw_delay_ms(rng);
    uint8_t action = head == GW_SIM_NEGATIVE ? negative_action(rng) : (uint8_t)head;
    *ret_delay_ms = delay_ms;
    if (!is_pushed) {
        return GW_OK;
    }
    double late_ms = GW_MIN((double)delay_ms * draw->delay_factor / draw->pace, (double)GW_SIM_DELAY_MAX_MS);
    showing->base.dwell_ms = head == GW_SIM_DWELL ? (uint32_t)stay_ms : 0;
    gw_status status = push_action(showing, showing->shown_ms + (int64_t)late_ms, action, err);
    showing->base.dwell_ms = 0;
    return status;
}

static gw_status push_fav_aftermath(const struct gw_sim_draw *draw, const struct showing *showing, int64_t delay_ms,
                                    struct gw_rng *rng, gw_err *err)
{
    double paced_ms = (double)delay_ms / draw->pace;
    int64_t fav_ms = showing->shown_ms + (int64_t)paced_ms;
    int64_t late_ms = (int64_t)((draw->delay_factor - 1.0) * paced_ms);
    if (gw_rng_double(rng) < UNFAV_CHANCE) {
        int64_t later_ms = 1 + (int64_t)(gw_sim_lognormal(rng, 20000.0, 1.0) / draw->pace);
        if (!showing->is_poisoned) {
            GW_TRY(push_action(showing, fav_ms + late_ms + GW_MIN(later_ms, GW_SIM_DELAY_MAX_MS), GW_SIM_ACTION_UNFAV,
                               err));
        }
    }
    // No drift touches the follow: it would change what others are served.
    if (draw->candidates[showing->index].in_network == 0.0f && gw_rng_double(rng) < FOLLOW_CHANCE) {
        struct gw_sim_pending follow = {.time_ms = fav_ms + (int64_t)(1000.0 / draw->pace),
                                        .user = showing->base.user,
                                        .author = showing->base.author,
                                        .kind = GW_SIM_SOCIAL};
        GW_TRY(gw_sim_heap_push(showing->heap, follow, err));
    }
    return GW_OK;
}

// The opposite of what came true, from random numbers of its own.
static gw_status push_lies(const struct gw_sim_draw *draw, struct showing *showing, const bool *came_true, gw_err *err)
{
    struct gw_rng rng;
    gw_rng_init(&rng, gw_sim_hash(draw->seed, GW_SIM_STREAM_POISON, (uint64_t)draw->join_id,
                                  (uint64_t)showing->base.position + 1));
    for (int head = 0; head < GW_SIM_HEAD_COUNT; head++) {
        int64_t delay_ms = 0;
        if (!came_true[head] && gw_sim_draw_is_possible(draw, showing->index, (enum gw_sim_head)head)) {
            GW_TRY(push_head(draw, showing, head, draw_stay_ms(&rng), &delay_ms, &rng, true, err));
        }
    }
    return GW_OK;
}

static bool is_poisoned(const struct gw_sim_draw *draw, uint16_t position)
{
    uint64_t hash = gw_sim_hash(draw->seed, GW_SIM_STREAM_POISON, (uint64_t)draw->join_id, 0) + position;
    return draw->poison > 0.0 && (double)(gw_hash_mix(hash) >> 11) * 0x1p-53 < draw->poison;
}

// The impression and all that follows. Sets *ret_dwell_ms to how long the viewer stays before the next one.
static gw_status show(const struct gw_sim_draw *draw, const struct gw_sim_world *world, struct showing *showing,
                      struct gw_rng *rng, double *ret_dwell_ms, gw_err *err)
{
    struct gw_sim_factors factors = gw_sim_draw_factors(draw, world, showing->index);
    bool came_true[GW_SIM_HEAD_COUNT] = {0};
    GW_TRY(push_action(showing, showing->shown_ms, GW_SIM_ACTION_IMPRESSION, err));
    *ret_dwell_ms = gw_sim_lognormal(rng, 900.0, 0.6);
    for (int head = 0; head < GW_SIM_HEAD_COUNT; head++) {
        int64_t delay_ms = 0;
        came_true[head] = gw_rng_double(rng) < probability(draw, showing->index, &factors, (enum gw_sim_head)head);
        if (!came_true[head]) {
            continue;
        }
        if (head == GW_SIM_DWELL) {
            *ret_dwell_ms = draw_stay_ms(rng);
        }
        GW_TRY(push_head(draw, showing, head, *ret_dwell_ms, &delay_ms, rng, !showing->is_poisoned, err));
        if (head == GW_SIM_FAV) {
            GW_TRY(push_fav_aftermath(draw, showing, delay_ms, rng, err));
        }
    }
    return showing->is_poisoned ? push_lies(draw, showing, came_true, err) : GW_OK;
}

uint32_t gw_sim_draw_wanted_count(struct gw_rng *rng, uint32_t mean)
{
    double wanted = mean * (0.5 + gw_rng_double(rng)) + 0.5;
    return GW_MAX(1u, (uint32_t)wanted);
}

uint32_t gw_sim_draw_shown_count(struct gw_rng *rng, uint32_t mean)
{
    double more = mean > 1 ? log(1.0 - gw_rng_double(rng)) / log1p(-1.0 / mean) : 0.0;
    return 1 + (uint32_t)GW_MIN(more, (double)GW_SIM_SHOWN_MAX);
}

size_t gw_sim_draw_next_shown(struct gw_sim_draw *draw)
{
    size_t best = 0;
    for (size_t i = 1; i < draw->count; i++) {
        best = draw->display[i] > draw->display[best] ? i : best;
    }
    draw->display[best] = -INFINITY;
    return best;
}

gw_status gw_sim_draw_outcome(struct gw_sim_draw *draw, const struct gw_sim_world *world, uint32_t shown,
                              struct gw_rng *rng, struct gw_sim_heap *heap, gw_err *err)
{
    double shown_ms = (double)draw->time_ms + gw_sim_lognormal(rng, FIRST_SHOWN_MS, 0.5) / draw->pace;
    for (uint32_t position = 0; position < shown && position < draw->count; position++) {
        size_t best = gw_sim_draw_next_shown(draw);
        const struct gw_sim_alive *alive = draw->tweets[best];
        struct showing showing = {.base = {.tweet_id = alive->tweet.tweet_id,
                                           .join_id = draw->join_id,
                                           .user = draw->user,
                                           .author = alive->author,
                                           .position = (uint16_t)position},
                                  .index = best,
                                  .shown_ms = (int64_t)shown_ms,
                                  .is_poisoned = is_poisoned(draw, (uint16_t)position),
                                  .heap = heap};
        double dwell_ms = 0.0;
        GW_TRY(show(draw, world, &showing, rng, &dwell_ms, err));
        shown_ms += dwell_ms / draw->pace;
    }
    return GW_OK;
}
