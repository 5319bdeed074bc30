// SPDX-License-Identifier: MIT
#include "worker/simulate_labels.h"

#define DETAIL_DWELL_MS 15000
#define BIT(suffix)     (UINT64_C(1) << GW_SIMULATE_LABEL_##suffix)

const char *const gw_simulate_label_names[GW_SIMULATE_LABEL_COUNT] = {
#define X(suffix, name) [GW_SIMULATE_LABEL_##suffix] = name,
    GW_SIMULATE_LABEL_MAP(X)
#undef X
};

// What each action sets and clears.
static const struct {
    uint64_t set;
    uint64_t clear;
} effects[GW_ACTION_TYPE_COUNT] = {
    [GW_ACTION_TYPE_SERVER_TWEET_FAV] = {.set = BIT(FAVORITED)},
    [GW_ACTION_TYPE_CLIENT_TWEET_FAV] = {.set = BIT(FAVORITED)},
    [GW_ACTION_TYPE_SERVER_TWEET_UNFAV] = {.clear = BIT(FAVORITED)},
    [GW_ACTION_TYPE_CLIENT_TWEET_UNFAV] = {.clear = BIT(FAVORITED)},
    [GW_ACTION_TYPE_SERVER_TWEET_RETWEET] = {.set = BIT(RETWEETED)},
    [GW_ACTION_TYPE_CLIENT_TWEET_RETWEET] = {.set = BIT(RETWEETED)},
    [GW_ACTION_TYPE_SERVER_TWEET_UNRETWEET] = {.clear = BIT(RETWEETED)},
    [GW_ACTION_TYPE_CLIENT_TWEET_UNRETWEET] = {.clear = BIT(RETWEETED)},
    [GW_ACTION_TYPE_SERVER_TWEET_REPLY] = {.set = BIT(REPLIED)},
    [GW_ACTION_TYPE_CLIENT_TWEET_REPLY] = {.set = BIT(REPLIED)},
    [GW_ACTION_TYPE_SERVER_TWEET_QUOTE] = {.set = BIT(QUOTED)},
    [GW_ACTION_TYPE_CLIENT_TWEET_QUOTE] = {.set = BIT(QUOTED)},
    [GW_ACTION_TYPE_CLIENT_TWEET_CLICK] = {.set = BIT(CLICKED)},
    [GW_ACTION_TYPE_CLIENT_TWEET_CLICK_PROFILE] = {.set = BIT(PROFILE_CLICKED)},
    [GW_ACTION_TYPE_CLIENT_TWEET_VIDEO_PLAYBACK50] = {.set = BIT(VIDEO_PLAYBACK_50)},
    [GW_ACTION_TYPE_CLIENT_TWEET_BOOKMARK] = {.set = BIT(BOOKMARKED)},
    [GW_ACTION_TYPE_CLIENT_TWEET_SHARE_VIA_COPY_LINK] = {.set = BIT(SHARED)},
    [GW_ACTION_TYPE_CLIENT_TWEET_CLICK_SEND_VIA_DIRECT_MESSAGE] = {.set = BIT(SHARED)},
    [GW_ACTION_TYPE_CLIENT_TWEET_LINGER_IMPRESSION] = {.set = BIT(DWELLED)},
    [GW_ACTION_TYPE_CLIENT_TWEET_NOT_INTERESTED_IN] = {.set = BIT(NEGATIVE)},
    [GW_ACTION_TYPE_CLIENT_TWEET_SEE_FEWER] = {.set = BIT(NEGATIVE)},
    [GW_ACTION_TYPE_CLIENT_TWEET_MUTE_AUTHOR] = {.set = BIT(NEGATIVE)},
    [GW_ACTION_TYPE_CLIENT_TWEET_BLOCK_AUTHOR] = {.set = BIT(NEGATIVE)},
    [GW_ACTION_TYPE_CLIENT_TWEET_UNDO_NOT_INTERESTED_IN] = {.clear = BIT(NEGATIVE)},
    [GW_ACTION_TYPE_SERVER_TWEET_REPORT] = {.set = BIT(REPORTED)},
    [GW_ACTION_TYPE_CLIENT_TWEET_REPORT] = {.set = BIT(REPORTED)},
};

uint64_t gw_simulate_label_apply(uint64_t bits, const struct gw_user_action *action)
{
    bits = (bits | effects[action->action_type].set) & ~effects[action->action_type].clear;
    if (action->action_type == GW_ACTION_TYPE_CLIENT_TWEET_LINGER_IMPRESSION &&
        action->surface == GW_PRODUCT_SURFACE_TWEET_DETAILS_PAGE && action->has_dwell_time_ms &&
        action->dwell_time_ms >= DETAIL_DWELL_MS) {
        bits |= BIT(DETAIL_DWELLED_15S);
    }
    return bits;
}
