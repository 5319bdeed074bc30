// SPDX-License-Identifier: MIT
// A world of users, authors, tweets and engagement with known truth, as events in time order.
//
// What is born by itself (profiles, tweets, requests) is drawn from a hash of the seed and its second, so it is a
// function of (seed, time) alone: two simulators of the same options whose spans overlap give the same tweets and
// requests there, down to the ids. Candidates alone may differ, where a viewer follows since before one of them began.
// So a restarted simulator repeats event ids instead of inventing a second history. What viewers do follows from their
// requests by truth.h.
//
// Heavy tails: followers and activity of users (Pareto, lognormal), tweets per author, popularity of tweets (with a
// half-life), delays of actions. Daily rhythm: by the local hour of eight countries.
//
// Life: _new, then _next until GW_SIM_END or for ever, _free. Pure: no I/O, no clock, no thread; one owner.
#pragma once

#include "base/err.h"
#include "simulator/drift.h"
#include "simulator/truth.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GW_SIM_CANDIDATES_MAX 4096
#define GW_SIM_HORIZON_MS     (48LL * 3600 * 1000) // a tweet is a candidate for so long
#define GW_SIM_PACE_MAX       1000.0
#define GW_SIM_DELAY_MAX_MS   (12LL * 3600 * 1000) // no action comes later after its impression

// Memory: 128 bytes a user, 80 more an author, 250 a living tweet, all from the start; and 48 for each action that is
// decided but not yet due (some 15 a request, for a minute on average).
struct gw_simulator_options {
    uint64_t seed;
    uint32_t user_count;               // >= 1
    uint32_t author_count;             // 1..user_count: that many of the users write
    uint32_t tweets_alive;             // >= 1: how many tweets are candidates at a time, on average
    uint32_t candidates_mean;          // 1..GW_SIM_CANDIDATES_MAX / 2: per request, uniform in [0.5, 1.5] times this
    uint32_t shown_mean;               // >= 1: how many of them the viewer sees, geometric
    double requests_per_s;             // > 0: mean over a day
    double pace;                       // 1..1000: viewers look and act so many times as fast as people do
    int64_t start_ms;                  // first request; profiles and tweets begin GW_SIM_HORIZON_MS before
    int64_t end_ms;                    // no event from here on; INT64_MAX: never ends
    const struct gw_sim_epoch *epochs; // by rising from_ms; borrowed for the call; NULL: the default truth throughout
    size_t epoch_count;
    const struct gw_sim_drift *drifts; // in any order, at most GW_SIM_DRIFTS_MAX; borrowed for the call
    size_t drift_count;
};

// 20,000 users, 2,000 authors, 20,000 tweets, 100 candidates, 10 shown, 10 requests/s, pace 1, no end. Set seed and
// start_ms.
struct gw_simulator_options gw_simulator_options_default(void);

enum gw_sim_kind {
    GW_SIM_END,     // the end was reached: no event
    GW_SIM_PROFILE, // every user once at the beginning, later about once a week, and in a backfill
    GW_SIM_TWEET,
    GW_SIM_SOCIAL, // a viewer follows an author
    GW_SIM_REQUEST,
    GW_SIM_ACTION,
};

// X(name, symbol of the UserAction schema); the first ones are the heads, in their order.
#define GW_SIM_ACTION_MAP(X)                                                                                           \
    X(IMPRESSION, "CLIENT_TWEET_RENDER_IMPRESSION")                                                                    \
    X(UNFAV, "CLIENT_TWEET_UNFAV")                                                                                     \
    X(SEE_FEWER, "CLIENT_TWEET_SEE_FEWER")                                                                             \
    X(MUTE_AUTHOR, "CLIENT_TWEET_MUTE_AUTHOR")                                                                         \
    X(BLOCK_AUTHOR, "CLIENT_TWEET_BLOCK_AUTHOR")

// Values below GW_SIM_HEAD_COUNT are heads (enum gw_sim_head): the head came true.
enum gw_sim_action_kind {
    GW_SIM_ACTION_BEFORE_FIRST = GW_SIM_HEAD_COUNT - 1,
#define X(name, symbol) GW_SIM_ACTION_##name,
    GW_SIM_ACTION_MAP(X)
#undef X
        GW_SIM_ACTION_COUNT
};

// Name in the UserAction schema. The head NEGATIVE appears as one of NOT_INTERESTED_IN, SEE_FEWER, MUTE and BLOCK.
const char *gw_sim_action_symbol(int action);

struct gw_sim_profile {
    int64_t user_id;
    int64_t created_ms; // 0: missing
    int64_t follower_count;
    int64_t following_count;
    int64_t tweet_count;
    bool is_verified;
    uint8_t user_state;       // 1 NEW .. 8 HEAVY_TWEETER, the number of the UserState symbol; 0: missing
    const char *country_code; // ISO 3166-1 alpha-2, static
};

struct gw_sim_tweet {
    int64_t tweet_id; // snowflake: created_ms = (id >> 22) + 1288834974657
    int64_t author_id;
    int64_t in_reply_to_author_id; // 0: no reply
    int64_t quoted_author_id;      // 0: no quote
    int32_t text_length;
    int32_t num_hashtags;
    int32_t num_mentions;
    int32_t link_count;
    int64_t video_duration_ms; // 0: no video
    bool has_image;
    bool has_video;
    bool is_sensitive;
    bool is_retweet;      // in a drift only
    bool is_deleted;      // the event deletes the tweet; the attributes are as before
    bool is_edit;         // the event tells the tweet's attributes anew (backfill)
    const char *language; // BCP 47, static
};

struct gw_sim_social {
    int64_t src_id; // follows
    int64_t dst_id;
};

struct gw_sim_candidate {
    int64_t tweet_id;
    int64_t author_id;
    float in_network;   // 1 when the viewer follows the author, else 0
    float source_score; // what a candidate source would think: a noisy view of match, popularity and age; NaN: missing
};

struct gw_sim_request {
    int64_t join_id; // > 0, unique
    int64_t user_id;
    bool is_session_start;                     // the viewer's first request in 30 min
    const struct gw_sim_candidate *candidates; // distinct tweets, alive; borrowed until the next call of _next
    size_t candidate_count;                    // 1..GW_SIM_CANDIDATES_MAX
};

struct gw_sim_action {
    int action; // enum gw_sim_head or enum gw_sim_action_kind
    int64_t user_id;
    int64_t tweet_id;
    int64_t author_id;
    int64_t join_id;  // of the request that showed the tweet
    int32_t position; // in what was shown, from 0
    int64_t dwell_ms; // of a DWELL, else 0
    const char *country_code;
};

struct gw_sim_event {
    enum gw_sim_kind kind;
    int64_t time_ms;      // never less than that of the event before
    uint8_t event_id[16]; // also fit as the id of a request
    union {
        struct gw_sim_profile profile;
        struct gw_sim_tweet tweet;
        struct gw_sim_social social;
        struct gw_sim_request request;
        struct gw_sim_action action;
    };
};

struct gw_simulator;

// GW_E_CONFIG names an option out of its range. Free with gw_simulator_free.
GW_CHECK gw_status gw_simulator_new(const struct gw_simulator_options *options, struct gw_simulator **ret_simulator,
                                    gw_err *err);
void gw_simulator_free(struct gw_simulator *simulator);

// Gives the next event; GW_SIM_END again and again once the end is reached. GW_E_MEMORY ends the simulation.
GW_CHECK gw_status gw_simulator_next(struct gw_simulator *simulator, struct gw_sim_event *ret_event, gw_err *err);

// True probability of a head for a candidate of the request that _next gave last, were it shown. Only until the next
// call.
double gw_simulator_probability(const struct gw_simulator *simulator, size_t candidate_index, enum gw_sim_head head);

// Adds a drift to a running world. It begins with the second of drift->from_ms, rounded up, or with the next one when
// that has begun already. GW_E_CONFIG: amount out of range, or too many drifts.
GW_CHECK gw_status gw_simulator_add_drift(struct gw_simulator *simulator, const struct gw_sim_drift *drift,
                                          gw_err *err);

// A drift that has begun.
struct gw_sim_switch {
    struct gw_sim_drift drift; // from_ms: when it really began
    // Of a change of concept: P(FAV) of a sample of what viewers are shown at its time, by the truth before and the one
    // now in force. Borrowed until the next change; NULL and 0 for other kinds, which leave the truth as it is.
    const double *before;
    const double *after;
    size_t count;
};

// Gives each drift once, after the first event (of a change of concept: the first request) at or behind its beginning.
// False: none is new.
bool gw_simulator_next_switch(struct gw_simulator *simulator, struct gw_sim_switch *ret_switch);

// Events decided but not yet due: what memory grows with.
size_t gw_simulator_pending_count(const struct gw_simulator *simulator);
