// SPDX-License-Identifier: MIT
#include "base/ini.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/macros.h"
#include "label/bits.h"
#include "support/testkit.h"

#include <stdio.h>
#include <string.h>

struct act {
    int32_t number;
    int64_t at_ms;
    int32_t surface;
    int64_t dwell_ms;
};

static uint32_t bits_of(const struct act *acts, size_t count)
{
    struct gw_label_facts facts = {0};
    for (size_t i = 0; i < count; i++) {
        struct gw_label_effect effect = gw_label_effect_of(acts[i].number, acts[i].surface, acts[i].dwell_ms);
        gw_label_facts_add(&facts, &effect, gw_label_moment(acts[i].at_ms));
    }
    return gw_label_facts_bits(&facts);
}

#define BITS(...)                                                                                                      \
    bits_of((const struct act[]){__VA_ARGS__}, sizeof((const struct act[]){__VA_ARGS__}) / sizeof(struct act))
#define AT(what, time)                                                                                                 \
    {                                                                                                                  \
        .number = (what), .at_ms = (time), .dwell_ms = -1                                                              \
    }
#define ACTION(symbol) GW_LABEL_ACTION_##symbol
#define BIT(suffix)    GW_LABEL_BIT(suffix)

static void bits_stand_in_the_order_of_the_table(void **state)
{
    (void)state;
    assert_int_equal(GW_LABEL_COUNT, 16);
    assert_string_equal(gw_label_names[0], "is_favorited");
    assert_string_equal(gw_label_names[5], "is_profile_clicked_and_profile_engaged");
    assert_string_equal(gw_label_names[9], "is_replied_reply_engaged_by_author");
    assert_string_equal(gw_label_names[13], "is_tweet_detail_dwelled_15_sec");
    assert_string_equal(gw_label_names[15], "is_report_tweet_clicked");
}

static void single_actions_set_their_bit(void **state)
{
    (void)state;
    static const struct {
        int32_t number;
        uint32_t bits;
    } cases[] = {
        {ACTION(SERVER_TWEET_FAV), BIT(FAVORITED)},
        {ACTION(CLIENT_TWEET_FAV), BIT(FAVORITED)},
        {ACTION(SERVER_TWEET_RETWEET), BIT(RETWEETED)},
        {ACTION(CLIENT_TWEET_RETWEET), BIT(RETWEETED)},
        {ACTION(SERVER_TWEET_REPLY), BIT(REPLIED)},
        {ACTION(CLIENT_TWEET_REPLY), BIT(REPLIED)},
        {ACTION(SERVER_TWEET_QUOTE), BIT(QUOTED)},
        {ACTION(CLIENT_TWEET_QUOTE), BIT(QUOTED)},
        {ACTION(CLIENT_TWEET_CLICK), BIT(CLICKED)},
        {ACTION(CLIENT_TWEET_CLICK_PROFILE), 0},
        {ACTION(CLIENT_TWEET_VIDEO_PLAYBACK50), BIT(VIDEO_PLAYBACK_50)},
        {ACTION(CLIENT_TWEET_BOOKMARK), BIT(BOOKMARKED)},
        {ACTION(CLIENT_TWEET_SHARE_VIA_COPY_LINK), BIT(SHARED)},
        {ACTION(CLIENT_TWEET_CLICK_SEND_VIA_DIRECT_MESSAGE), BIT(SHARED)},
        {ACTION(CLIENT_TWEET_LINGER_IMPRESSION), BIT(DWELLED)},
        {ACTION(CLIENT_TWEET_NOT_INTERESTED_IN), BIT(NEGATIVE)},
        {ACTION(CLIENT_TWEET_SEE_FEWER), BIT(NEGATIVE)},
        {ACTION(CLIENT_TWEET_MUTE_AUTHOR), BIT(NEGATIVE)},
        {ACTION(CLIENT_TWEET_BLOCK_AUTHOR), BIT(NEGATIVE)},
        {ACTION(SERVER_TWEET_REPORT), BIT(REPORTED)},
        {ACTION(CLIENT_TWEET_REPORT), BIT(REPORTED)},
        {ACTION(CLIENT_TWEET_RENDER_IMPRESSION), 0},
        {ACTION(CLIENT_TWEET_FOLLOW_AUTHOR), 0},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        assert_int_equal(BITS({.number = cases[i].number, .dwell_ms = -1}), cases[i].bits);
    }
}

static void other_numbers_say_nothing(void **state)
{
    (void)state;
    static const int32_t numbers[] = {-1, 2, 17, 63, 64, 999, 1011, 1023, 1073, 1090, 1127, 1128, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < GW_COUNT_OF(numbers); i++) {
        struct gw_label_effect effect = gw_label_effect_of(numbers[i], 0, -1);
        assert_true(gw_label_effect_is_none(&effect));
    }
}

static void undo_takes_back_what_came_before_it(void **state)
{
    (void)state;
    static const struct {
        int32_t act;
        int32_t undo;
        uint32_t bit;
    } cases[] = {
        {ACTION(CLIENT_TWEET_FAV), ACTION(SERVER_TWEET_UNFAV), BIT(FAVORITED)},
        {ACTION(SERVER_TWEET_RETWEET), ACTION(CLIENT_TWEET_UNRETWEET), BIT(RETWEETED)},
        {ACTION(CLIENT_TWEET_NOT_INTERESTED_IN), ACTION(CLIENT_TWEET_UNDO_NOT_INTERESTED_IN), BIT(NEGATIVE)},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        assert_int_equal(BITS(AT(cases[i].act, 5), AT(cases[i].undo, 6)), 0);
        assert_int_equal(BITS(AT(cases[i].undo, 6), AT(cases[i].act, 5)), 0); // read the other way round
        assert_int_equal(BITS(AT(cases[i].act, 5), AT(cases[i].undo, 5)), 0); // in one millisecond
        assert_int_equal(BITS(AT(cases[i].act, 5), AT(cases[i].undo, 6), AT(cases[i].act, 7)), cases[i].bit);
    }
}

static void undoing_not_interested_leaves_a_mute(void **state)
{
    (void)state;
    assert_int_equal(BITS(AT(ACTION(CLIENT_TWEET_NOT_INTERESTED_IN), 1), AT(ACTION(CLIENT_TWEET_MUTE_AUTHOR), 2),
                          AT(ACTION(CLIENT_TWEET_UNDO_NOT_INTERESTED_IN), 3)),
                     BIT(NEGATIVE));
}

static void profile_engaged_needs_the_click_first(void **state)
{
    (void)state;
    assert_int_equal(BITS(AT(ACTION(CLIENT_TWEET_CLICK_PROFILE), 5), AT(ACTION(CLIENT_TWEET_FOLLOW_AUTHOR), 9)),
                     BIT(PROFILE_ENGAGED));
    assert_int_equal(BITS(AT(ACTION(CLIENT_TWEET_FOLLOW_AUTHOR), 9), AT(ACTION(CLIENT_TWEET_CLICK_PROFILE), 5)),
                     BIT(PROFILE_ENGAGED)); // by event time, not as read
    assert_int_equal(BITS(AT(ACTION(CLIENT_TWEET_FOLLOW_AUTHOR), 4), AT(ACTION(CLIENT_TWEET_CLICK_PROFILE), 5)), 0);
    struct gw_label_facts facts = {0};
    struct gw_label_effect click = gw_label_effect_of(ACTION(CLIENT_TWEET_CLICK_PROFILE), 0, -1);
    gw_label_facts_add(&facts, &click, gw_label_moment(5));
    assert_true(gw_label_facts_add_author(&facts, gw_label_moment(5)));
    assert_false(gw_label_facts_add_author(&facts, gw_label_moment(4)));
    assert_int_equal(gw_label_facts_bits(&facts), BIT(PROFILE_ENGAGED));
}

static void good_click_needs_a_favourite_or_reply_after_it(void **state)
{
    (void)state;
    assert_int_equal(BITS(AT(ACTION(CLIENT_TWEET_CLICK), 5), AT(ACTION(CLIENT_TWEET_REPLY), 6)),
                     BIT(CLICKED) | BIT(REPLIED) | BIT(GOOD_CLICKED));
    assert_int_equal(BITS(AT(ACTION(CLIENT_TWEET_REPLY), 4), AT(ACTION(CLIENT_TWEET_CLICK), 5)),
                     BIT(CLICKED) | BIT(REPLIED));
    assert_int_equal(
        BITS(AT(ACTION(CLIENT_TWEET_CLICK), 5), AT(ACTION(CLIENT_TWEET_FAV), 6), AT(ACTION(CLIENT_TWEET_UNFAV), 7)),
        BIT(CLICKED) | BIT(GOOD_CLICKED)); // the undo takes back the favourite only
}

static void stays_on_the_details_page_count_by_length(void **state)
{
    (void)state;
    const int32_t linger = ACTION(CLIENT_TWEET_LINGER_IMPRESSION);
    const int32_t details = GW_LABEL_SURFACE_DETAILS;
    assert_int_equal(BITS({linger, 1, details, 14999}), BIT(DWELLED));
    assert_int_equal(BITS({linger, 1, details, 15000}), BIT(DWELLED) | BIT(DETAIL_DWELLED));
    assert_int_equal(BITS({linger, 1, 0, 200000}), BIT(DWELLED));                             // surface unknown
    assert_int_equal(BITS({linger, 1, 1, 200000}), BIT(DWELLED));                             // in the timeline
    assert_int_equal(BITS({linger, 1, details, 120000}), BIT(DWELLED) | BIT(DETAIL_DWELLED)); // no click
    assert_int_equal(BITS({linger, 1, details, 120000}, AT(ACTION(CLIENT_TWEET_CLICK), 2)),
                     BIT(DWELLED) | BIT(DETAIL_DWELLED) | BIT(CLICKED) | BIT(GOOD_CLICKED_V2));
    assert_int_equal(BITS({linger, 1, details, 119999}, AT(ACTION(CLIENT_TWEET_CLICK), 2)),
                     BIT(DWELLED) | BIT(DETAIL_DWELLED) | BIT(CLICKED));
}

static void order_and_repetition_change_nothing(void **state)
{
    (void)state;
    static const int32_t numbers[] = {
#define X(symbol, number) (number),
        GW_LABEL_ACTION_MAP(X)
#undef X
    };
    const uint64_t seed = 20240611;
    print_message("seed %llu\n", (unsigned long long)seed);
    struct gw_rng rng;
    gw_rng_init(&rng, seed);
    for (int round = 0; round < 2000; round++) {
        struct act acts[24];
        size_t count = 1 + gw_rng_below(&rng, 12);
        for (size_t i = 0; i < count; i++) {
            acts[i] = (struct act){.number = numbers[gw_rng_below(&rng, GW_COUNT_OF(numbers))],
                                   .at_ms = (int64_t)gw_rng_below(&rng, 8) - 2,
                                   .surface = (int32_t)gw_rng_below(&rng, 4),
                                   .dwell_ms = (int64_t)gw_rng_below(&rng, 140000)};
        }
        uint32_t expected = bits_of(acts, count);
        size_t doubled = count;
        for (size_t i = 0; i < count; i++) {
            acts[doubled++] = acts[gw_rng_below(&rng, count)];
        }
        for (size_t i = doubled - 1; i > 0; i--) {
            size_t j = gw_rng_below(&rng, i + 1);
            struct act swap = acts[i];
            acts[i] = acts[j];
            acts[j] = swap;
        }
        assert_int_equal(bits_of(acts, doubled), expected);
    }
}

static void moments_are_cut_at_the_limit_and_never_zero(void **state)
{
    (void)state;
    assert_int_equal(gw_label_moment_after_ms(gw_label_moment(-60000)), -60000);
    assert_int_equal(gw_label_moment_after_ms(gw_label_moment(0)), 0);
    assert_int_equal(gw_label_moment_after_ms(gw_label_moment(INT64_MAX)), GW_LABEL_MOMENT_LIMIT_MS - 1);
    assert_true(gw_label_moment(INT64_MIN) > 0);
}

// Reads "symbols": [...] or "numbers": [...] of ActionType as raw text between brackets.
static const char *list_of(const char *text, const char *name)
{
    const char *type = strstr(text, "\"ActionType\"");
    assert_non_null(type);
    const char *list = strstr(type, name);
    assert_non_null(list);
    return strchr(list, '[') + 1;
}

static void numbers_are_those_of_the_schema(void **state)
{
    (void)state;
    static const struct {
        const char *symbol;
        int number;
    } ours[] = {
#define X(symbol, number) {#symbol, (number)},
        GW_LABEL_ACTION_MAP(X)
#undef X
    };
    char *text = NULL;
    size_t size = 0;
    gw_err err = {0};
    assert_ok_err(gw_file_read(GW_SOURCE_DIR "/schemas/user_action.avsc", 1 << 20, &text, &size, &err), &err);
    for (size_t i = 0; i < GW_COUNT_OF(ours); i++) {
        const char *symbol = list_of(text, "\"symbols\"");
        const char *number = list_of(text, "\"numbers\"");
        char quoted[80];
        snprintf(quoted, sizeof quoted, "\"%s\"", ours[i].symbol);
        size_t place = 0;
        for (; strncmp(symbol, quoted, strlen(quoted)) != 0; place++) {
            symbol = strchr(symbol, ',');
            assert_non_null(symbol);
            symbol += 1 + strspn(symbol + 1, " \n");
        }
        for (; place > 0; place--) {
            number = strchr(number, ',') + 1;
        }
        assert_int_equal(strtol(number, NULL, 10), ours[i].number);
    }
    const char *surface = strstr(text, "\"ProductSurface\"");
    assert_non_null(surface);
    assert_non_null(strstr(surface, "[\"UNKNOWN\", \"HOME_TIMELINE\", \"TWEET_DETAILS_PAGE\"")); // index 2
    gw_mem_free(text);
}

GW_TESTS(bits_stand_in_the_order_of_the_table, single_actions_set_their_bit, other_numbers_say_nothing,
         undo_takes_back_what_came_before_it, undoing_not_interested_leaves_a_mute,
         profile_engaged_needs_the_click_first, good_click_needs_a_favourite_or_reply_after_it,
         stays_on_the_details_page_count_by_length, order_and_repetition_change_nothing,
         moments_are_cut_at_the_limit_and_never_zero, numbers_are_those_of_the_schema)
