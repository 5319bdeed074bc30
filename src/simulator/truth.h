// SPDX-License-Identifier: MIT
// The ground truth of engagement: what makes a viewer act on a tweet that is shown. A plain logistic model per head.
//
//   p(head) = 1 / (1 + exp(-z)),
//   z = bias
//     + propensity * a_u          a_u ~ N(0,1): how readily the viewer acts at all
//     + tilt       * b_{u,head}   b ~ N(0,1): the viewer's liking for this kind of action
//     + author     * q_A          q_A ~ N(0,1): quality of the author
//     + quality    * q_T          q_T ~ N(0,1): quality of the tweet
//     + content    * c_T          static attributes of the tweet, see gw_sim_content
//     + match      * <u, t>       unit taste vector of the viewer times unit topic vector of the tweet, in [-1, 1]
//     - age        * ln(1 + age_hours / 3)
//     + in_network * [u follows A]
//     + evening    * cos(2 pi (local_hour - 21) / 24)
//
// Heads are independent given these. A head that needs a picture or a video is 0 without one. Features see a_u, b, q_A
// and q_T only through what viewers, tweets and authors did before, and <u, t> hardly at all: a model cannot reach the
// truth's own AUC.
#pragma once

#include <stddef.h>
#include <stdint.h>

// X(name, symbol of the action in the UserAction schema, documented share of impressions)
// Shares are those of the label table that the product was planned with (Twitter's published sampling rates, 2023).
#define GW_SIM_HEAD_MAP(X)                                                                                             \
    X(FAV, "CLIENT_TWEET_FAV", 0.012)                                                                                  \
    X(RETWEET, "CLIENT_TWEET_RETWEET", 0.0042)                                                                         \
    X(REPLY, "CLIENT_TWEET_REPLY", 0.002)                                                                              \
    X(QUOTE, "CLIENT_TWEET_QUOTE", 0.0005)                                                                             \
    X(CLICK, "CLIENT_TWEET_CLICK", 0.03)                                                                               \
    X(PROFILE_CLICK, "CLIENT_TWEET_CLICK_PROFILE", 0.0015)                                                             \
    X(BOOKMARK, "CLIENT_TWEET_BOOKMARK", 0.001)                                                                        \
    X(SHARE, "CLIENT_TWEET_SHARE_VIA_COPY_LINK", 0.001)                                                                \
    X(PHOTO_EXPAND, "CLIENT_TWEET_PHOTO_EXPAND", 0.02)                                                                 \
    X(VIDEO_PLAYBACK50, "CLIENT_TWEET_VIDEO_PLAYBACK50", 0.0043)                                                       \
    X(DWELL, "CLIENT_TWEET_LINGER_IMPRESSION", 0.30)                                                                   \
    X(NEGATIVE, "CLIENT_TWEET_NOT_INTERESTED_IN", 0.0005)                                                              \
    X(REPORT, "CLIENT_TWEET_REPORT", 0.000014)

enum gw_sim_head {
#define X(name, symbol, share) GW_SIM_##name,
    GW_SIM_HEAD_MAP(X)
#undef X
        GW_SIM_HEAD_COUNT
};

const char *gw_sim_head_symbol(enum gw_sim_head head);
double gw_sim_head_share(enum gw_sim_head head);

struct gw_sim_weights {
    double bias;
    double propensity;
    double tilt;
    double author;
    double quality;
    double content;
    double match;
    double age;
    double in_network;
    double evening;
};

struct gw_sim_truth {
    struct gw_sim_weights heads[GW_SIM_HEAD_COUNT];
};

// From this event time on, `truth` holds: the one way in which the world changes its rules.
struct gw_sim_epoch {
    int64_t from_ms;
    struct gw_sim_truth truth;
};

// The documented world: shares of impressions near gw_sim_head_share.
struct gw_sim_truth gw_sim_truth_default(void);

// What z is made of besides the weights, as defined above.
struct gw_sim_factors {
    double propensity;
    double tilt;
    double author;
    double quality;
    double content;
    double match;
    double age_hours;
    double in_network; // 0 or 1
    double local_hour; // [0, 24)
};

double gw_sim_truth_probability(const struct gw_sim_weights *weights, const struct gw_sim_factors *factors);
