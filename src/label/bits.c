// SPDX-License-Identifier: MIT
#include "label/bits.h"

#include "base/check.h"

#include <string.h>

#define DETAIL_STAY_MS 15000
#define LONG_STAY_MS   120000

enum { UNDO_FAV = 1, UNDO_RETWEET, UNDO_NOT_INTERESTED }; // 1 + index in gw_label_facts.latest

enum { SERVER_NUMBERS = 64, CLIENT_BASE = 1000, CLIENT_NUMBERS = 128 };

const char *const gw_label_names[GW_LABEL_COUNT] = {
#define X(suffix, name) [GW_LABEL_##suffix] = name,
    GW_LABEL_MAP(X)
#undef X
};

int gw_label_find(const char *name, size_t size)
{
    for (int i = 0; i < GW_LABEL_COUNT; i++) {
        if (strlen(gw_label_names[i]) == size && memcmp(gw_label_names[i], name, size) == 0) {
            return i;
        }
    }
    return -1;
}

static const uint32_t undoable_bits[GW_LABEL_UNDOABLE_COUNT] = {
    [UNDO_FAV - 1] = GW_LABEL_BIT(FAVORITED),
    [UNDO_RETWEET - 1] = GW_LABEL_BIT(RETWEETED),
    [UNDO_NOT_INTERESTED - 1] = GW_LABEL_BIT(NEGATIVE),
};

#define SERVER(symbol) [GW_LABEL_ACTION_SERVER_##symbol]
#define CLIENT(symbol) [GW_LABEL_ACTION_CLIENT_##symbol - CLIENT_BASE]
#define SETS(suffix)                                                                                                   \
    {                                                                                                                  \
        .sets = GW_LABEL_BIT(suffix), .engagement = true                                                               \
    }
#define DOES(what)                                                                                                     \
    {                                                                                                                  \
        .does = (what), .engagement = true                                                                             \
    }
#define UNDOES(what)                                                                                                   \
    {                                                                                                                  \
        .undoes = (what)                                                                                               \
    }
#define ENGAGES (GW_LABEL_ROLE_ENGAGES_TWEET | GW_LABEL_ROLE_ENGAGES_AUTHOR)
#define FAVORITES                                                                                                      \
    {                                                                                                                  \
        .does = UNDO_FAV, .roles = ENGAGES, .engagement = true                                                         \
    }
#define REPLIES                                                                                                        \
    {                                                                                                                  \
        .sets = GW_LABEL_BIT(REPLIED), .roles = ENGAGES, .engagement = true                                            \
    }
#define FOLLOWS                                                                                                        \
    {                                                                                                                  \
        .roles = GW_LABEL_ROLE_ENGAGES_AUTHOR                                                                          \
    }

static const struct gw_label_effect server_effects[SERVER_NUMBERS] = {
    SERVER(TWEET_FAV) = FAVORITES,
    SERVER(TWEET_UNFAV) = UNDOES(UNDO_FAV),
    SERVER(TWEET_REPLY) = REPLIES,
    SERVER(TWEET_QUOTE) = SETS(QUOTED),
    SERVER(TWEET_RETWEET) = DOES(UNDO_RETWEET),
    SERVER(TWEET_UNRETWEET) = UNDOES(UNDO_RETWEET),
    SERVER(TWEET_REPORT) = SETS(REPORTED),
    SERVER(PROFILE_FOLLOW) = FOLLOWS,
};

static const struct gw_label_effect client_effects[CLIENT_NUMBERS] = {
    CLIENT(TWEET_FAV) = FAVORITES,
    CLIENT(TWEET_UNFAV) = UNDOES(UNDO_FAV),
    CLIENT(TWEET_LINGER_IMPRESSION) = SETS(DWELLED), // more below, by surface and time
    CLIENT(TWEET_RENDER_IMPRESSION) = {.roles = GW_LABEL_ROLE_IMPRESSION},
    CLIENT(TWEET_REPLY) = REPLIES,
    CLIENT(TWEET_QUOTE) = SETS(QUOTED),
    CLIENT(TWEET_RETWEET) = DOES(UNDO_RETWEET),
    CLIENT(TWEET_UNRETWEET) = UNDOES(UNDO_RETWEET),
    CLIENT(TWEET_VIDEO_PLAYBACK50) = SETS(VIDEO_PLAYBACK_50),
    CLIENT(TWEET_REPORT) = SETS(REPORTED),
    CLIENT(TWEET_NOT_INTERESTED_IN) = DOES(UNDO_NOT_INTERESTED),
    CLIENT(TWEET_UNDO_NOT_INTERESTED_IN) = UNDOES(UNDO_NOT_INTERESTED),
    CLIENT(TWEET_SEE_FEWER) = SETS(NEGATIVE),
    CLIENT(TWEET_FOLLOW_AUTHOR) = FOLLOWS,
    CLIENT(TWEET_BLOCK_AUTHOR) = SETS(NEGATIVE),
    CLIENT(TWEET_MUTE_AUTHOR) = SETS(NEGATIVE),
    CLIENT(TWEET_CLICK) = {.sets = GW_LABEL_BIT(CLICKED), .roles = GW_LABEL_ROLE_CLICK, .engagement = true},
    CLIENT(TWEET_CLICK_PROFILE) = {.roles = GW_LABEL_ROLE_PROFILE_CLICK, .engagement = true},
    CLIENT(TWEET_SHARE_VIA_COPY_LINK) = SETS(SHARED),
    CLIENT(TWEET_CLICK_SEND_VIA_DIRECT_MESSAGE) = SETS(SHARED),
    CLIENT(TWEET_BOOKMARK) = SETS(BOOKMARKED),
};

struct gw_label_effect gw_label_effect_of(int32_t number, int32_t surface, int64_t dwell_ms)
{
    struct gw_label_effect effect = {0};
    if (number >= 0 && number < SERVER_NUMBERS) {
        effect = server_effects[number];
    } else if (number >= CLIENT_BASE && number < CLIENT_BASE + CLIENT_NUMBERS) {
        effect = client_effects[number - CLIENT_BASE];
    }
    if (number == GW_LABEL_ACTION_CLIENT_TWEET_LINGER_IMPRESSION) {
        if (surface != GW_LABEL_SURFACE_DETAILS) { // the details page is only seen by who was shown the tweet before
            effect.roles |= GW_LABEL_ROLE_IMPRESSION;
        } else {
            effect.sets |= dwell_ms >= DETAIL_STAY_MS ? GW_LABEL_BIT(DETAIL_DWELLED) : 0;
            effect.sets |= dwell_ms >= LONG_STAY_MS ? GW_LABEL_LONG_STAY : 0;
        }
    }
    return effect;
}

bool gw_label_effect_is_none(const struct gw_label_effect *effect)
{
    return effect->sets == 0 && effect->does == 0 && effect->undoes == 0 && effect->roles == 0;
}

uint32_t gw_label_moment(int64_t after_served_ms)
{
    int64_t bound = GW_LABEL_MOMENT_LIMIT_MS - 1;
    int64_t cut = after_served_ms > bound ? bound : after_served_ms < -bound ? -bound : after_served_ms;
    return (uint32_t)(cut + GW_LABEL_MOMENT_LIMIT_MS);
}

int64_t gw_label_moment_after_ms(uint32_t moment)
{
    GW_ASSERT(moment > 0);
    return (int64_t)moment - GW_LABEL_MOMENT_LIMIT_MS;
}

static bool set_earliest(uint32_t *first, uint32_t moment)
{
    bool earlier = *first == 0 || moment < *first;
    *first = earlier ? moment : *first;
    return earlier;
}

static bool set_latest(uint32_t *last, uint32_t moment)
{
    bool later = moment > *last;
    *last = later ? moment : *last;
    return later;
}

bool gw_label_facts_add(struct gw_label_facts *facts, const struct gw_label_effect *effect, uint32_t moment)
{
    bool changed = (effect->sets & ~facts->kept) != 0;
    facts->kept |= effect->sets;
    if (effect->does != 0) {
        changed |= set_latest(&facts->latest[effect->does - 1], 2 * moment);
    }
    if (effect->undoes != 0) {
        changed |= set_latest(&facts->latest[effect->undoes - 1], 2 * moment + 1);
    }
    if (effect->roles & GW_LABEL_ROLE_CLICK) {
        changed |= set_earliest(&facts->clicked, moment);
    }
    if (effect->roles & GW_LABEL_ROLE_PROFILE_CLICK) {
        changed |= set_earliest(&facts->profile_clicked, moment);
    }
    if (effect->roles & GW_LABEL_ROLE_ENGAGES_TWEET) {
        changed |= set_latest(&facts->engaged_tweet, moment);
    }
    if (effect->roles & GW_LABEL_ROLE_ENGAGES_AUTHOR) {
        changed |= set_latest(&facts->engaged_author, moment);
    }
    return changed;
}

bool gw_label_facts_add_author(struct gw_label_facts *facts, uint32_t moment)
{
    return set_latest(&facts->engaged_author, moment);
}

uint32_t gw_label_facts_bits(const struct gw_label_facts *facts)
{
    uint32_t bits = facts->kept & (GW_LABEL_LONG_STAY - 1);
    for (size_t i = 0; i < GW_LABEL_UNDOABLE_COUNT; i++) {
        bits |= facts->latest[i] != 0 && facts->latest[i] % 2 == 0 ? undoable_bits[i] : 0;
    }
    if (facts->profile_clicked != 0 && facts->engaged_author >= facts->profile_clicked) {
        bits |= GW_LABEL_BIT(PROFILE_ENGAGED);
    }
    if (facts->clicked != 0 && facts->engaged_tweet >= facts->clicked) {
        bits |= GW_LABEL_BIT(GOOD_CLICKED);
    }
    if (facts->clicked != 0 && (facts->kept & GW_LABEL_LONG_STAY)) {
        bits |= GW_LABEL_BIT(GOOD_CLICKED_V2);
    }
    return bits;
}
