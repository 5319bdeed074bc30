// SPDX-License-Identifier: MIT
// Drift on demand: what can be made to change in a simulated world, by how much and from when on.
//
// Kinds that change what records say (shift, spread, missing, category) leave the world itself alone: viewers see and
// do bit for bit what they would have done. To reach features soon, such a drift is followed by a backfill: every
// profile and every living tweet is published again, as one would after changing an extractor, within
// GW_SIM_BACKFILL_MS.
//
//   shift     amount in standard deviations: request.source_score rises by it; the logarithms of follower counts and of
//             text lengths do (user.follower_count, author.follower_count, both follower_following_ratio,
//             tweet.text_length)
//   spread    amount is what the standard deviation of the same quantities is multiplied by, at the same mean
//   missing   amount is a share: of candidates without source_score, of profiles without state and age (user.state,
//             user.account_age_s, author.account_age_s), of videos without length (tweet.video_duration_ms)
//   category  amount is the share of tweets that are retweets, of which there is none otherwise (tweet.is_retweet)
//   delay     amount multiplies the time from the impression to each action, up to GW_SIM_DELAY_MAX_MS
//   concept   amount in (0, 1]: the weights of match, content, age and network are multiplied by 1 - 2 amount (1 turns
//             them round), and biases are set so that each head's share of what is shown stays
//   poison    amount is the share of impressions of which every label is the opposite of the true one
#pragma once

#include "base/err.h"

#include <stdint.h>

#define GW_SIM_DRIFTS_MAX  16
#define GW_SIM_BACKFILL_MS 60000LL // authors' profiles first, then everybody's; meanwhile tweets, the newest first

// X(suffix, name, amount when none is given, least, greatest)
#define GW_SIM_DRIFT_MAP(X)                                                                                            \
    X(SHIFT, "shift", 0.5, 0.01, 10.0)                                                                                 \
    X(SPREAD, "spread", 1.5, 0.1, 10.0)                                                                                \
    X(MISSING, "missing", 0.2, 0.001, 1.0)                                                                             \
    X(CATEGORY, "category", 0.1, 0.001, 1.0)                                                                           \
    X(DELAY, "delay", 10.0, 1.0, 1000.0)                                                                               \
    X(CONCEPT, "concept", 1.0, 0.01, 1.0)                                                                              \
    X(POISON, "poison", 0.3, 0.001, 1.0)

enum gw_sim_drift_kind {
#define X(suffix, name, preset, least, greatest) GW_SIM_DRIFT_##suffix,
    GW_SIM_DRIFT_MAP(X)
#undef X
        GW_SIM_DRIFT_COUNT
};

struct gw_sim_drift {
    enum gw_sim_drift_kind kind;
    double amount;
    int64_t from_ms; // event time; from a text: the offset
};

const char *gw_sim_drift_name(enum gw_sim_drift_kind kind);

// Parses `KIND[=AMOUNT][@OFFSET]`, such as "shift", "shift=0.25", "concept@30s". GW_E_CONFIG says what is wrong.
GW_CHECK gw_status gw_sim_drift_parse(const char *text, struct gw_sim_drift *ret_drift, gw_err *err);

// GW_E_CONFIG: the amount is out of its kind's range.
GW_CHECK gw_status gw_sim_drift_check(const struct gw_sim_drift *drift, gw_err *err);
