// SPDX-License-Identifier: MIT
// The order of events: second by second, what is born in it and what falls due in it, merged by time.
#include "simulator/simulator.h"

#include "base/check.h"
#include "base/mem.h"
#include "simulator/pending.h"
#include "simulator/regime.h"
#include "simulator/request.h"
#include "simulator/tweets.h"
#include "simulator/world.h"

#include <stdlib.h>
#include <string.h>

#define SLOT_MS            1000
#define SESSION_MS         (30 * 60 * 1000)
#define TIME_MIN_MS        1300000000000LL // 2011: snowflakes begin in November 2010
#define TIME_MAX_MS        4102444800000LL // 2100
#define SNOWFLAKE_EPOCH_MS 1288834974657LL
#define RATE_MAX_PER_S     100000.0
#define PROFILE_PERIOD_S   (7.0 * 86400.0) // a user's profile changes once in so long
#define DELETE_CHANCE      0.01

// Born by itself in the second at hand.
struct arrival {
    int64_t time_ms;
    uint32_t sequence; // in its second and kind
    uint8_t kind;      // enum gw_sim_kind
};

struct gw_simulator {
    struct gw_simulator_options options;
    struct gw_sim_regime regime;
    int64_t now_ms;   // of the last event
    int64_t begin_ms; // first profiles and tweets; start of a second
    struct gw_sim_world world;
    struct gw_sim_tweets tweets;
    struct gw_sim_heap heap;
    struct gw_sim_draw draw;
    uint32_t *last_seen_s; // per user: seconds since begin of the last request, plus 1; 0 none
    uint32_t profiles_due; // of the beginning
    int64_t slot_ms;       // the second at hand; begin_ms - SLOT_MS before the first
    struct arrival *arrivals;
    size_t arrival_count;
    size_t arrival_next;
    size_t arrival_capacity;
};

static const char *const action_symbols[GW_SIM_ACTION_COUNT] = {
#define X(name, symbol, share) [GW_SIM_##name] = symbol,
    GW_SIM_HEAD_MAP(X)
#undef X
#define X(name, symbol) [GW_SIM_ACTION_##name] = symbol,
        GW_SIM_ACTION_MAP(X)
#undef X
};

const char *gw_sim_action_symbol(int action)
{
    GW_ASSERT(action >= 0 && action < GW_SIM_ACTION_COUNT);
    return action_symbols[action];
}

struct gw_simulator_options gw_simulator_options_default(void)
{
    return (struct gw_simulator_options){.user_count = 20000,
                                         .author_count = 2000,
                                         .tweets_alive = 20000,
                                         .candidates_mean = 100,
                                         .shown_mean = 10,
                                         .requests_per_s = 10.0,
                                         .pace = 1.0,
                                         .end_ms = INT64_MAX};
}

static gw_status check_options(const struct gw_simulator_options *o, gw_err *err)
{
    if (o->user_count < 1) {
        return gw_fail(err, GW_E_CONFIG, "simulator: no users");
    }
    if (o->author_count < 1 || o->author_count > o->user_count) {
        return gw_fail(err, GW_E_CONFIG, "simulator: %u authors, must be 1..%u, the users", o->author_count,
                       o->user_count);
    }
    if (o->tweets_alive < 1 || o->tweets_alive > 100000000) {
        return gw_fail(err, GW_E_CONFIG, "simulator: %u living tweets, must be 1..100000000", o->tweets_alive);
    }
    if (o->candidates_mean < 1 || o->candidates_mean > GW_SIM_CANDIDATES_MAX / 2) {
        return gw_fail(err, GW_E_CONFIG, "simulator: %u candidates, must be 1..%d", o->candidates_mean,
                       GW_SIM_CANDIDATES_MAX / 2);
    }
    if (o->shown_mean < 1 || o->shown_mean > GW_SIM_SHOWN_MAX) {
        return gw_fail(err, GW_E_CONFIG, "simulator: %u shown, must be 1..%u", o->shown_mean, GW_SIM_SHOWN_MAX);
    }
    if (!(o->requests_per_s > 0.0) || o->requests_per_s > RATE_MAX_PER_S) {
        return gw_fail(err, GW_E_CONFIG, "simulator: %g requests per second, must be over 0, at most %g",
                       o->requests_per_s, RATE_MAX_PER_S);
    }
    if (!(o->pace >= 1.0 && o->pace <= GW_SIM_PACE_MAX)) {
        return gw_fail(err, GW_E_CONFIG, "simulator: pace %g, must be 1..%g", o->pace, GW_SIM_PACE_MAX);
    }
    if (o->start_ms < TIME_MIN_MS || o->start_ms > TIME_MAX_MS) {
        return gw_fail(err, GW_E_CONFIG, "simulator: start at %lld ms, must be in 2011..2100", (long long)o->start_ms);
    }
    for (size_t i = 1; i < o->epoch_count; i++) {
        if (o->epochs[i].from_ms <= o->epochs[i - 1].from_ms) {
            return gw_fail(err, GW_E_CONFIG, "simulator: epoch %zu does not begin after the one before", i);
        }
    }
    return GW_OK;
}

static void free_simulator(struct gw_simulator **simulator)
{
    gw_simulator_free(*simulator);
}

gw_status gw_simulator_new(const struct gw_simulator_options *options, struct gw_simulator **ret_simulator, gw_err *err)
{
    GW_TRY(check_options(options, err));
    GW_CLEANUP(free_simulator) struct gw_simulator *simulator = gw_mem_calloc(1, sizeof *simulator);
    if (simulator == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a simulator");
    }
    simulator->options = *options;
    simulator->begin_ms = options->start_ms - GW_SIM_HORIZON_MS;
    simulator->begin_ms -= simulator->begin_ms % SLOT_MS;
    simulator->slot_ms = simulator->begin_ms - SLOT_MS;
    GW_TRY(gw_sim_regime_init(&simulator->regime, options, err));
    simulator->options.epochs = NULL; // both were borrowed
    simulator->options.drifts = NULL;
    GW_TRY(gw_sim_world_init(&simulator->world, options, simulator->begin_ms, err));
    GW_TRY(gw_sim_tweets_init(&simulator->tweets, options->tweets_alive, options->author_count, err));
    simulator->draw.pace = options->pace;
    GW_TRY(gw_sim_draw_init(&simulator->draw, options->seed, options->author_count, simulator->tweets.capacity, err));
    simulator->last_seen_s = gw_mem_calloc(options->user_count, sizeof *simulator->last_seen_s);
    if (simulator->last_seen_s == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for %u users", options->user_count);
    }
    for (size_t i = 0; i < options->drift_count; i++) {
        GW_TRY(gw_simulator_add_drift(simulator, &options->drifts[i], err));
    }
    *ret_simulator = simulator;
    simulator = NULL;
    return GW_OK;
}

void gw_simulator_free(struct gw_simulator *simulator)
{
    if (simulator == NULL) {
        return;
    }
    gw_mem_free(simulator->arrivals);
    gw_mem_free(simulator->last_seen_s);
    gw_sim_draw_deinit(&simulator->draw);
    gw_sim_heap_deinit(&simulator->heap);
    gw_sim_tweets_deinit(&simulator->tweets);
    gw_sim_world_deinit(&simulator->world);
    gw_sim_regime_deinit(&simulator->regime);
    gw_mem_free(simulator);
}

gw_status gw_simulator_add_drift(struct gw_simulator *simulator, const struct gw_sim_drift *drift, gw_err *err)
{
    return gw_sim_regime_add(&simulator->regime, drift, simulator->slot_ms + SLOT_MS, err);
}

bool gw_simulator_next_switch(struct gw_simulator *simulator, struct gw_sim_switch *ret_switch)
{
    return gw_sim_regime_next_switch(&simulator->regime, simulator->now_ms, ret_switch);
}

// ---- seconds

static int compare_arrivals(const void *a, const void *b)
{
    const struct arrival *x = a;
    const struct arrival *y = b;
    if (x->time_ms != y->time_ms) {
        return x->time_ms < y->time_ms ? -1 : 1;
    }
    if (x->kind != y->kind) {
        return x->kind < y->kind ? -1 : 1;
    }
    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static gw_status add_arrivals(struct gw_simulator *simulator, enum gw_sim_kind kind, double mean, gw_err *err)
{
    struct gw_rng rng;
    gw_rng_init(&rng, gw_sim_hash(simulator->options.seed, GW_SIM_STREAM_SLOT, (uint64_t)simulator->slot_ms, kind));
    uint32_t count = gw_sim_poisson(&rng, mean);
    if (simulator->arrival_count + count > simulator->arrival_capacity) {
        size_t capacity = (simulator->arrival_count + count) * 2;
        struct arrival *arrivals = gw_mem_realloc(simulator->arrivals, capacity, sizeof *arrivals);
        if (arrivals == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for %zu events of a second", capacity);
        }
        simulator->arrivals = arrivals;
        simulator->arrival_capacity = capacity;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct arrival arrival = {
            .time_ms = simulator->slot_ms + (int64_t)gw_rng_below(&rng, SLOT_MS), .sequence = i, .kind = (uint8_t)kind};
        // The second that holds the start has requests only behind it.
        if (kind != GW_SIM_REQUEST || arrival.time_ms >= simulator->options.start_ms) {
            simulator->arrivals[simulator->arrival_count++] = arrival;
        }
    }
    return GW_OK;
}

static gw_status next_slot(struct gw_simulator *simulator, gw_err *err)
{
    const struct gw_sim_world *world = &simulator->world;
    int64_t slot_ms = simulator->slot_ms + SLOT_MS;
    double tweets_per_s = simulator->options.tweets_alive * 1000.0 / (double)GW_SIM_HORIZON_MS;
    simulator->slot_ms = slot_ms;
    simulator->arrival_count = 0;
    simulator->arrival_next = 0;
    GW_TRY(gw_sim_regime_backfill(&simulator->regime, world->user_count, &simulator->tweets, slot_ms + SLOT_MS,
                                  &simulator->heap, err));
    GW_TRY(add_arrivals(simulator, GW_SIM_TWEET, tweets_per_s * gw_sim_world_author_rhythm(world, slot_ms), err));
    GW_TRY(add_arrivals(simulator, GW_SIM_PROFILE, world->user_count / PROFILE_PERIOD_S, err));
    if (slot_ms + SLOT_MS > simulator->options.start_ms) {
        double rate = simulator->options.requests_per_s * gw_sim_world_user_rhythm(world, slot_ms);
        GW_TRY(add_arrivals(simulator, GW_SIM_REQUEST, rate, err));
    }
    if (simulator->arrival_count > 1) {
        qsort(simulator->arrivals, simulator->arrival_count, sizeof *simulator->arrivals, compare_arrivals);
    }
    return GW_OK;
}

// ---- events

static void set_id(const struct gw_simulator *simulator, struct gw_sim_event *event, enum gw_sim_stream stream,
                   uint64_t a, uint64_t b)
{
    uint64_t high = gw_sim_hash(simulator->options.seed, stream, a, b);
    uint64_t low = gw_sim_hash(~simulator->options.seed, stream, a, b);
    memcpy(event->event_id, &high, sizeof high);
    memcpy(event->event_id + sizeof high, &low, sizeof low);
}

static void make_profile(struct gw_simulator *simulator, uint32_t user, int64_t time_ms, struct gw_sim_event *event)
{
    *event = (struct gw_sim_event){.kind = GW_SIM_PROFILE, .time_ms = time_ms};
    event->profile = gw_sim_world_profile(&simulator->world, user, time_ms);
    gw_sim_report_profile(&simulator->regime.report, time_ms, user < simulator->world.author_count, &event->profile);
    set_id(simulator, event, GW_SIM_STREAM_PROFILE, user, (uint64_t)time_ms);
}

static gw_status make_tweet(struct gw_simulator *simulator, const struct arrival *arrival, struct gw_sim_event *event,
                            gw_err *err)
{
    struct gw_rng rng;
    gw_rng_init(&rng, gw_sim_hash(simulator->options.seed, GW_SIM_STREAM_TWEET, (uint64_t)simulator->slot_ms,
                                  arrival->sequence));
    const struct gw_sim_alive *alive =
        gw_sim_tweets_add(&simulator->tweets, &simulator->world, &rng, arrival->time_ms, arrival->sequence);
    *event = (struct gw_sim_event){.kind = GW_SIM_TWEET, .time_ms = arrival->time_ms, .tweet = alive->tweet};
    gw_sim_report_tweet(&simulator->regime.report, arrival->time_ms, &event->tweet);
    set_id(simulator, event, GW_SIM_STREAM_TWEET, (uint64_t)alive->tweet.tweet_id, 0);
    if (gw_rng_double(&rng) < DELETE_CHANCE) {
        // The serial finds the tweet again; it stands in the field for join ids, which a delete has not.
        struct gw_sim_pending item = {.time_ms = arrival->time_ms + 1 + (int64_t)gw_sim_lognormal(&rng, 3600000.0, 1.5),
                                      .join_id = (int64_t)alive->serial,
                                      .kind = GW_SIM_TWEET};
        return gw_sim_heap_push(&simulator->heap, item, err);
    }
    return GW_OK;
}

static bool starts_session(struct gw_simulator *simulator, uint32_t user, int64_t time_ms)
{
    uint32_t now_s = (uint32_t)((time_ms - simulator->begin_ms) / 1000) + 1;
    uint32_t last_s = simulator->last_seen_s[user];
    simulator->last_seen_s[user] = now_s;
    return last_s == 0 || now_s - last_s >= SESSION_MS / 1000;
}

// *ret_made is false when there is nothing to rank.
static gw_status make_request(struct gw_simulator *simulator, const struct arrival *arrival, struct gw_sim_event *event,
                              bool *ret_made, gw_err *err)
{
    struct gw_sim_draw *draw = &simulator->draw;
    struct gw_rng rng;
    gw_rng_init(&rng, gw_sim_hash(simulator->options.seed, GW_SIM_STREAM_REQUEST, (uint64_t)simulator->slot_ms,
                                  arrival->sequence));
    gw_sim_tweets_refresh(&simulator->tweets, arrival->time_ms);
    GW_TRY(gw_sim_regime_turn(&simulator->regime, arrival->time_ms, draw, &simulator->world, &simulator->tweets,
                              &simulator->options, err));
    draw->time_ms = arrival->time_ms;
    draw->join_id = (arrival->time_ms - SNOWFLAKE_EPOCH_MS) << 22 | arrival->sequence;
    draw->user = gw_sim_world_pick_user(&simulator->world, &rng, arrival->time_ms);
    gw_sim_regime_set(&simulator->regime, draw);
    uint32_t wanted = gw_sim_draw_wanted_count(&rng, simulator->options.candidates_mean);
    gw_sim_draw_candidates(draw, &simulator->world, &simulator->tweets, wanted, &rng);
    *ret_made = draw->count > 0;
    if (!*ret_made) {
        return GW_OK;
    }
    uint32_t shown = gw_sim_draw_shown_count(&rng, simulator->options.shown_mean);
    GW_TRY(gw_sim_draw_outcome(draw, &simulator->world, shown, &rng, &simulator->heap, err));
    gw_sim_report_candidates(&simulator->regime.report, arrival->time_ms, draw->join_id, draw->candidates, draw->count);
    *event = (struct gw_sim_event){.kind = GW_SIM_REQUEST, .time_ms = arrival->time_ms};
    event->request = (struct gw_sim_request){.join_id = draw->join_id,
                                             .user_id = gw_sim_user_id(draw->user),
                                             .is_session_start = starts_session(simulator, draw->user, draw->time_ms),
                                             .candidates = draw->candidates,
                                             .candidate_count = draw->count};
    set_id(simulator, event, GW_SIM_STREAM_REQUEST, (uint64_t)draw->join_id, 0);
    return GW_OK;
}

static gw_status make_arrival(struct gw_simulator *simulator, struct gw_sim_event *event, bool *ret_made, gw_err *err)
{
    const struct arrival *arrival = &simulator->arrivals[simulator->arrival_next++];
    *ret_made = true;
    if (arrival->kind == GW_SIM_TWEET) {
        return make_tweet(simulator, arrival, event, err);
    }
    if (arrival->kind == GW_SIM_REQUEST) {
        return make_request(simulator, arrival, event, ret_made, err);
    }
    uint64_t random =
        gw_sim_hash(simulator->options.seed, GW_SIM_STREAM_PROFILE, (uint64_t)simulator->slot_ms, arrival->sequence);
    make_profile(simulator, (uint32_t)(random % simulator->options.user_count), arrival->time_ms, event);
    return GW_OK;
}

static void make_action(const struct gw_simulator *simulator, const struct gw_sim_pending *item,
                        struct gw_sim_event *event)
{
    event->action = (struct gw_sim_action){
        .action = item->action,
        .user_id = gw_sim_user_id(item->user),
        .tweet_id = item->tweet_id,
        .author_id = gw_sim_user_id(item->author),
        .join_id = item->join_id,
        .position = item->position,
        .dwell_ms = item->dwell_ms,
        .country_code = gw_sim_country_code(&simulator->world.users[item->user]),
    };
    set_id(simulator, event, GW_SIM_STREAM_ACTION, (uint64_t)item->join_id,
           (uint64_t)item->position << 8 | item->action);
}

// A delete or an edit. *ret_made is false when the tweet has gone.
static void make_later_tweet(struct gw_simulator *simulator, const struct gw_sim_pending *item,
                             struct gw_sim_event *event, bool *ret_made)
{
    struct gw_sim_alive *alive = gw_sim_tweets_find(&simulator->tweets, (uint64_t)item->join_id);
    *ret_made = alive != NULL && !(item->is_edit && alive->tweet.is_deleted);
    if (!*ret_made) {
        return;
    }
    alive->tweet.is_deleted = !item->is_edit;
    event->tweet = alive->tweet;
    event->tweet.is_edit = item->is_edit;
    gw_sim_report_tweet(&simulator->regime.report, item->time_ms, &event->tweet);
    uint64_t id = (uint64_t)alive->tweet.tweet_id;
    if (item->is_edit) {
        set_id(simulator, event, GW_SIM_STREAM_BACKFILL, id, (uint64_t)item->time_ms);
    } else {
        set_id(simulator, event, GW_SIM_STREAM_DELETE, id, 0);
    }
}

// *ret_made is false when the thing that was to happen has become void.
static void make_pending(struct gw_simulator *simulator, struct gw_sim_event *event, bool *ret_made)
{
    struct gw_sim_pending item = gw_sim_heap_pop(&simulator->heap);
    *event = (struct gw_sim_event){.kind = (enum gw_sim_kind)item.kind, .time_ms = item.time_ms};
    *ret_made = true;
    if (item.kind == GW_SIM_ACTION) {
        make_action(simulator, &item, event);
    } else if (item.kind == GW_SIM_SOCIAL) {
        gw_sim_world_add_follow(&simulator->world, item.user, item.author);
        event->social =
            (struct gw_sim_social){.src_id = gw_sim_user_id(item.user), .dst_id = gw_sim_user_id(item.author)};
        set_id(simulator, event, GW_SIM_STREAM_SOCIAL, (uint64_t)item.user << 32 | item.author, (uint64_t)item.time_ms);
    } else if (item.kind == GW_SIM_PROFILE) {
        make_profile(simulator, item.user, item.time_ms, event);
        set_id(simulator, event, GW_SIM_STREAM_BACKFILL, item.user, (uint64_t)item.time_ms);
    } else {
        make_later_tweet(simulator, &item, event, ret_made);
    }
}

static gw_status next_event(struct gw_simulator *simulator, struct gw_sim_event *ret_event, gw_err *err)
{
    int64_t end_ms = simulator->options.end_ms;
    if (simulator->profiles_due < simulator->options.user_count && simulator->begin_ms < end_ms) {
        make_profile(simulator, simulator->profiles_due++, simulator->begin_ms, ret_event);
        return GW_OK;
    }
    bool made = false;
    while (!made) {
        bool born = simulator->arrival_next < simulator->arrival_count;
        int64_t born_ms = born ? simulator->arrivals[simulator->arrival_next].time_ms : simulator->slot_ms + SLOT_MS;
        bool due = simulator->heap.count > 0 && simulator->heap.items[0].time_ms < born_ms;
        if ((due ? simulator->heap.items[0].time_ms : born_ms) >= end_ms) {
            *ret_event = (struct gw_sim_event){.kind = GW_SIM_END, .time_ms = end_ms};
            return GW_OK;
        }
        if (due) {
            make_pending(simulator, ret_event, &made);
        } else if (born) {
            GW_TRY(make_arrival(simulator, ret_event, &made, err));
        } else {
            GW_TRY(next_slot(simulator, err));
        }
    }
    return GW_OK;
}

gw_status gw_simulator_next(struct gw_simulator *simulator, struct gw_sim_event *ret_event, gw_err *err)
{
    GW_TRY(next_event(simulator, ret_event, err));
    simulator->now_ms = ret_event->kind != GW_SIM_END ? ret_event->time_ms : simulator->now_ms;
    return GW_OK;
}

double gw_simulator_probability(const struct gw_simulator *simulator, size_t candidate_index, enum gw_sim_head head)
{
    GW_ASSERT(candidate_index < simulator->draw.count && head < GW_SIM_HEAD_COUNT);
    return gw_sim_draw_probability(&simulator->draw, &simulator->world, candidate_index, head);
}

size_t gw_simulator_pending_count(const struct gw_simulator *simulator)
{
    return simulator->heap.count;
}
