// SPDX-License-Identifier: MIT
#include "rollout/state.h"
#include "support/testkit.h"

#include <stdio.h>
#include <string.h>

// What is legal, written down a second time and by state, as the error names it.
static const struct {
    enum gw_rollout_state from;
    const char *legal;
    const char *moves; // the state each leads to, in the same order
} rows[] = {
    {GW_ROLLOUT_REGISTERED, "verify, archive, reject", "VERIFIED, RETIRED, REJECTED"},
    {GW_ROLLOUT_VERIFIED, "shadow, split, promote, archive, reject", "SHADOW, CANARY, CHAMPION, RETIRED, REJECTED"},
    {GW_ROLLOUT_SHADOW, "unshadow, split, promote, reject", "VERIFIED, CANARY, CHAMPION, REJECTED"},
    {GW_ROLLOUT_CANARY, "shadow, split, promote, demote, reject", "SHADOW, CANARY, CHAMPION, RETIRED, REJECTED"},
    {GW_ROLLOUT_CHAMPION, "demote, reject", "RETIRED, REJECTED"},
    {GW_ROLLOUT_RETIRED, "shadow, split, promote, rollback, archive, reject",
     "SHADOW, CANARY, CHAMPION, CHAMPION, RETIRED, REJECTED"},
    {GW_ROLLOUT_REJECTED, "archive", "REJECTED"},
};

// Index of a name in a list with commas, or -1.
static int index_in(const char *list, const char *name)
{
    char copy[128];
    char *rest = copy;
    int index = 0;
    snprintf(copy, sizeof copy, "%s", list);
    for (const char *word; (word = strsep(&rest, ",")) != NULL; index++) {
        if (strcmp(word + strspn(word, " "), name) == 0) {
            return index;
        }
    }
    return -1;
}

static void only_legal_moves_are_made_and_others_name_the_legal_ones(void **state)
{
    (void)state;
    assert_int_equal(GW_COUNT_OF(rows), GW_ROLLOUT_STATE_COUNT);
    for (size_t r = 0; r < GW_COUNT_OF(rows); r++) {
        for (int v = 0; v < GW_ROLLOUT_VERB_COUNT; v++) {
            enum gw_rollout_verb verb = (enum gw_rollout_verb)v;
            enum gw_rollout_state to = GW_ROLLOUT_STATE_COUNT;
            gw_err err = {0};
            gw_status status = gw_rollout_move(rows[r].from, verb, &to, &err);
            int legal = index_in(rows[r].legal, gw_rollout_verb_name(verb));
            if (legal >= 0) {
                assert_ok_err(status, &err);
                int index = index_in(rows[r].moves, gw_rollout_state_name(to));
                // Two verbs of RETIRED lead to CHAMPION, next to each other.
                assert_true(index == legal || (verb == GW_ROLLOUT_VERB_ROLLBACK && index == legal - 1));
                continue;
            }
            char expected[GW_ERR_MESSAGE_BYTES];
            snprintf(expected, sizeof expected, "version is %s: cannot %s it, legal %s %s",
                     gw_rollout_state_name(rows[r].from), gw_rollout_verb_name(verb),
                     strchr(rows[r].legal, ',') != NULL ? "are" : "is", rows[r].legal);
            assert_fails(status, GW_E_CONFLICT);
            assert_int_equal(to, GW_ROLLOUT_STATE_COUNT);
            assert_string_equal(err.message, expected);
        }
    }
}

static void archiving_the_champion_says_what_may_be_done_instead(void **state)
{
    (void)state;
    enum gw_rollout_state to = GW_ROLLOUT_CHAMPION;
    gw_err err = {0};
    assert_fails(gw_rollout_move(GW_ROLLOUT_CHAMPION, GW_ROLLOUT_VERB_ARCHIVE, &to, &err), GW_E_CONFLICT);
    assert_string_equal(err.message, "version is CHAMPION: cannot archive it, legal are demote, reject");
}

static void only_promotion_and_rollback_make_a_champion(void **state)
{
    (void)state;
    for (int s = 0; s < GW_ROLLOUT_STATE_COUNT; s++) {
        for (int v = 0; v < GW_ROLLOUT_VERB_COUNT; v++) {
            enum gw_rollout_state to = GW_ROLLOUT_STATE_COUNT;
            if (gw_rollout_move((enum gw_rollout_state)s, (enum gw_rollout_verb)v, &to, NULL) == GW_OK &&
                to == GW_ROLLOUT_CHAMPION) {
                assert_true(v == GW_ROLLOUT_VERB_PROMOTE || v == GW_ROLLOUT_VERB_ROLLBACK);
            }
        }
    }
}

static void states_parse_by_their_names(void **state)
{
    (void)state;
    for (int s = 0; s < GW_ROLLOUT_STATE_COUNT; s++) {
        enum gw_rollout_state parsed = GW_ROLLOUT_STATE_COUNT;
        assert_ok(gw_rollout_state_parse(gw_rollout_state_name((enum gw_rollout_state)s), &parsed, NULL));
        assert_int_equal(parsed, s);
    }
}

static void unknown_state_is_refused_with_the_list(void **state)
{
    (void)state;
    const char *const wrong[] = {"", "champion", "CHAMPIO", "CHAMPIONS"};
    for (size_t i = 0; i < GW_COUNT_OF(wrong); i++) {
        enum gw_rollout_state parsed = GW_ROLLOUT_STATE_COUNT;
        gw_err err = {0};
        assert_fails(gw_rollout_state_parse(wrong[i], &parsed, &err), GW_E_MALFORMED);
        assert_int_equal(parsed, GW_ROLLOUT_STATE_COUNT);
        assert_non_null(strstr(err.message, "REGISTERED, VERIFIED, SHADOW, CANARY, CHAMPION, RETIRED, REJECTED"));
    }
}

GW_TESTS(only_legal_moves_are_made_and_others_name_the_legal_ones, archiving_the_champion_says_what_may_be_done_instead,
         only_promotion_and_rollback_make_a_champion, states_parse_by_their_names,
         unknown_state_is_refused_with_the_list)
