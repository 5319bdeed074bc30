// SPDX-License-Identifier: MIT
// The bits of an example's label, and what an action of the viewer does to them.
//
// Bits that one action cannot decide (what happened on the profile, in the conversation or after a reply) are as good
// as the record allows: PROFILE_CLICKED is the click alone; the two GOOD_CLICKED and REPLY_ENGAGED bits stay 0.
#pragma once

#include "records/user_action.h"

#include <stdint.h>

// In the order of the bits: append only.  X(suffix, name)
#define GW_SIMULATE_LABEL_MAP(X)                                                                                       \
    X(FAVORITED, "is_favorited")                                                                                       \
    X(RETWEETED, "is_retweeted")                                                                                       \
    X(REPLIED, "is_replied")                                                                                           \
    X(QUOTED, "is_quoted")                                                                                             \
    X(CLICKED, "is_clicked")                                                                                           \
    X(PROFILE_CLICKED, "is_profile_clicked_and_profile_engaged")                                                       \
    X(GOOD_CLICKED_V1, "is_good_clicked_convo_desc_favorited_or_replied")                                              \
    X(GOOD_CLICKED_V2, "is_good_clicked_convo_desc_v2")                                                                \
    X(VIDEO_PLAYBACK_50, "is_video_playback_50")                                                                       \
    X(REPLY_ENGAGED, "is_replied_reply_engaged_by_author")                                                             \
    X(BOOKMARKED, "is_bookmarked")                                                                                     \
    X(SHARED, "is_shared")                                                                                             \
    X(DWELLED, "is_dwelled")                                                                                           \
    X(DETAIL_DWELLED_15S, "is_tweet_detail_dwelled_15_sec")                                                            \
    X(NEGATIVE, "is_negative_feedback_v2")                                                                             \
    X(REPORTED, "is_report_tweet_clicked")

enum gw_simulate_label {
#define X(suffix, name) GW_SIMULATE_LABEL_##suffix,
    GW_SIMULATE_LABEL_MAP(X)
#undef X
        GW_SIMULATE_LABEL_COUNT
};

extern const char *const gw_simulate_label_names[GW_SIMULATE_LABEL_COUNT];

// The bits after the action: an engagement sets its bit, an undo clears it, anything else changes nothing.
uint64_t gw_simulate_label_apply(uint64_t bits, const struct gw_user_action *action);
