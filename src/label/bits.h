// SPDX-License-Identifier: MIT
// The 16 bits of a label, and what each action of a viewer says about them.
//
// Most bits follow from one action. Undoing takes a bit back: of a favourite and its undo the later one by event time
// counts, the undo when both carry the same millisecond. Some bits need more than one action; they are decided thus:
//
//   5  is_profile_clicked_and_profile_engaged: a click on the author's profile, and at the same time or later a
//      favourite or reply on any tweet of that author, or a follow of the author. The surface is not asked: tweets
//      opened from a profile have their own pages, and it is often unknown.
//   6  is_good_clicked_convo_desc_favorited_or_replied: a click, and at the same time or later a favourite or reply on
//      the same tweet. Answers further down the conversation are other tweets, and no record here names a tweet's
//      conversation: what happens on them does not count.
//   7  is_good_clicked_convo_desc_v2: a click, and a stay of 120 s on the details page, in any order (the time of a
//   stay
//      may be its begin or its end).
//   9  is_replied_reply_engaged_by_author: always 0. It happens to another user's tweet (the reply) in another
//      partition, and no record says which tweet that reply answered. A guess would poison the heaviest head.
//   13 is_tweet_detail_dwelled_15_sec: a stay of 15 s on the details page; 0 while the surface is not known.
//   14 is_negative_feedback_v2: undoing takes back "not interested" only; fewer, mute and block stand.
//
// An undo does not take back bits 5 and 6: the act has happened. So what is kept of a window's actions is a set of ORs,
// minima and maxima: adding actions in any order, or twice, gives the same bits. The join relies on it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// In the order of the bits: append only.  X(suffix, name)
#define GW_LABEL_MAP(X)                                                                                                \
    X(FAVORITED, "is_favorited")                                                                                       \
    X(RETWEETED, "is_retweeted")                                                                                       \
    X(REPLIED, "is_replied")                                                                                           \
    X(QUOTED, "is_quoted")                                                                                             \
    X(CLICKED, "is_clicked")                                                                                           \
    X(PROFILE_ENGAGED, "is_profile_clicked_and_profile_engaged")                                                       \
    X(GOOD_CLICKED, "is_good_clicked_convo_desc_favorited_or_replied")                                                 \
    X(GOOD_CLICKED_V2, "is_good_clicked_convo_desc_v2")                                                                \
    X(VIDEO_PLAYBACK_50, "is_video_playback_50")                                                                       \
    X(REPLY_ENGAGED, "is_replied_reply_engaged_by_author")                                                             \
    X(BOOKMARKED, "is_bookmarked")                                                                                     \
    X(SHARED, "is_shared")                                                                                             \
    X(DWELLED, "is_dwelled")                                                                                           \
    X(DETAIL_DWELLED, "is_tweet_detail_dwelled_15_sec")                                                                \
    X(NEGATIVE, "is_negative_feedback_v2")                                                                             \
    X(REPORTED, "is_report_tweet_clicked")

enum gw_label {
#define X(suffix, name) GW_LABEL_##suffix,
    GW_LABEL_MAP(X)
#undef X
        GW_LABEL_COUNT
};

#define GW_LABEL_BIT(suffix) (UINT32_C(1) << GW_LABEL_##suffix)

extern const char *const gw_label_names[GW_LABEL_COUNT];

// The label of this name; -1: it is none.
int gw_label_find(const char *name, size_t size);

// The actions that say something about a label, by Twitter's numbers (attribute "numbers" of the ActionType enum in
// schemas/user_action.avsc).  X(symbol, number)
#define GW_LABEL_ACTION_MAP(X)                                                                                         \
    X(SERVER_TWEET_FAV, 0)                                                                                             \
    X(SERVER_TWEET_UNFAV, 1)                                                                                           \
    X(SERVER_TWEET_REPLY, 5)                                                                                           \
    X(SERVER_TWEET_QUOTE, 6)                                                                                           \
    X(SERVER_TWEET_RETWEET, 7)                                                                                         \
    X(SERVER_TWEET_UNRETWEET, 8)                                                                                       \
    X(SERVER_TWEET_REPORT, 41)                                                                                         \
    X(SERVER_PROFILE_FOLLOW, 50)                                                                                       \
    X(CLIENT_TWEET_FAV, 1000)                                                                                          \
    X(CLIENT_TWEET_UNFAV, 1001)                                                                                        \
    X(CLIENT_TWEET_LINGER_IMPRESSION, 1002)                                                                            \
    X(CLIENT_TWEET_RENDER_IMPRESSION, 1003)                                                                            \
    X(CLIENT_TWEET_REPLY, 1005)                                                                                        \
    X(CLIENT_TWEET_QUOTE, 1006)                                                                                        \
    X(CLIENT_TWEET_RETWEET, 1007)                                                                                      \
    X(CLIENT_TWEET_UNRETWEET, 1008)                                                                                    \
    X(CLIENT_TWEET_VIDEO_PLAYBACK50, 1012)                                                                             \
    X(CLIENT_TWEET_REPORT, 1041)                                                                                       \
    X(CLIENT_TWEET_NOT_INTERESTED_IN, 1042)                                                                            \
    X(CLIENT_TWEET_UNDO_NOT_INTERESTED_IN, 1043)                                                                       \
    X(CLIENT_TWEET_SEE_FEWER, 1048)                                                                                    \
    X(CLIENT_TWEET_FOLLOW_AUTHOR, 1060)                                                                                \
    X(CLIENT_TWEET_BLOCK_AUTHOR, 1062)                                                                                 \
    X(CLIENT_TWEET_MUTE_AUTHOR, 1064)                                                                                  \
    X(CLIENT_TWEET_CLICK, 1071)                                                                                        \
    X(CLIENT_TWEET_CLICK_PROFILE, 1072)                                                                                \
    X(CLIENT_TWEET_SHARE_VIA_COPY_LINK, 1074)                                                                          \
    X(CLIENT_TWEET_CLICK_SEND_VIA_DIRECT_MESSAGE, 1075)                                                                \
    X(CLIENT_TWEET_BOOKMARK, 1079)

enum gw_label_action_number {
#define X(symbol, number) GW_LABEL_ACTION_##symbol = (number),
    GW_LABEL_ACTION_MAP(X)
#undef X
};

// Index of the symbol in the ProductSurface enum; other surfaces say nothing here.
#define GW_LABEL_SURFACE_DETAILS 2

// What an action does besides setting or clearing bits.
enum {
    GW_LABEL_ROLE_IMPRESSION = 1,     // the tweet was shown
    GW_LABEL_ROLE_CLICK = 2,          //
    GW_LABEL_ROLE_PROFILE_CLICK = 4,  //
    GW_LABEL_ROLE_ENGAGES_TWEET = 8,  // completes bit 6
    GW_LABEL_ROLE_ENGAGES_AUTHOR = 16 // completes bit 5 of every window of that author, whatever tweet it is on
};

struct gw_label_effect {
    uint32_t sets;   // bits for good, plus GW_LABEL_LONG_STAY
    uint8_t undoes;  // 1 + which of the undoable actions it takes back; 0 none
    uint8_t does;    // 1 + which of the undoable actions it is; 0 none
    uint8_t roles;   // GW_LABEL_ROLE_*
    bool engagement; // it counts for an example's engaged_at
};

// The effect of an action. Surface: as GW_LABEL_SURFACE_DETAILS; dwell_ms: negative when unknown. All zero when the
// action says nothing about a label.
struct gw_label_effect gw_label_effect_of(int32_t number, int32_t surface, int64_t dwell_ms);
bool gw_label_effect_is_none(const struct gw_label_effect *effect);

// A moment is a time relative to when the candidate was served, in 31 bits: 0 is never, later is larger.
#define GW_LABEL_MOMENT_LIMIT_MS (INT64_C(1) << 30) // times further away than these 12.4 days are cut
uint32_t gw_label_moment(int64_t after_served_ms);
int64_t gw_label_moment_after_ms(uint32_t moment); // moment > 0

enum { GW_LABEL_UNDOABLE_COUNT = 3 };                      // favourite, retweet, not interested
#define GW_LABEL_LONG_STAY (UINT32_C(1) << GW_LABEL_COUNT) // half of bit 7, not a bit of the label

// What is known of one window. Zero is nothing.
struct gw_label_facts {
    uint32_t kept;                            // bits no action takes back
    uint32_t latest[GW_LABEL_UNDOABLE_COUNT]; // 2 * moment of the last do or undo, + 1 for an undo
    uint32_t clicked;                         // first moment
    uint32_t profile_clicked;                 // first moment
    uint32_t engaged_tweet;                   // last moment
    uint32_t engaged_author;                  // last moment
};

// Adds an action on the window's own tweet. True when anything changed.
bool gw_label_facts_add(struct gw_label_facts *facts, const struct gw_label_effect *effect, uint32_t moment);
// Adds a favourite, reply or follow of the author elsewhere.
bool gw_label_facts_add_author(struct gw_label_facts *facts, uint32_t moment);
// The label so far: bits of enum gw_label.
uint32_t gw_label_facts_bits(const struct gw_label_facts *facts);
