// SPDX-License-Identifier: MIT
#include "support/testkit.h"

#include "worker/retrain_guard_plan.h"

#include <stdio.h>
#include <string.h>

enum { EVENTS_MAX = 16 };

// A history, written oldest first and read newest first.
struct history {
    struct gw_registry_event events[EVENTS_MAX];
    struct gw_route routes[EVENTS_MAX];
    size_t count;
};

static const struct gw_registry_event *newest(const struct history *history)
{
    return &history->events[EVENTS_MAX - history->count];
}

static struct gw_registry_event *add(struct history *history, int32_t version, const char *transition, const char *from,
                                     const char *to)
{
    assert_true(history->count < EVENTS_MAX);
    history->count++;
    struct gw_registry_event *event = &history->events[EVENTS_MAX - history->count];
    *event = (struct gw_registry_event){.sequence = (int64_t)history->count,
                                        .model = "m",
                                        .version = version,
                                        .transition = transition,
                                        .from_state = from,
                                        .to_state = to,
                                        .digest = version == 1 ? "one" : "other",
                                        .at_ms = 1000 * (int64_t)history->count};
    return event;
}

// The event carries the route: `champion`, and a canary (0: none).
static void route(struct history *history, int32_t champion, int32_t canary)
{
    struct gw_route *to = &history->routes[history->count - 1];
    *to = (struct gw_route){.model = "m", .target_count = canary != 0 ? 2 : 1};
    to->targets[0] = (struct gw_route_version){.version = champion, .digest = "champion"};
    to->targets[1] = (struct gw_route_version){.version = canary, .digest = "canary"};
    history->events[EVENTS_MAX - history->count].route = to;
}

static void promote(struct history *history, int32_t version, int32_t former)
{
    if (former != 0) {
        (void)add(history, former, "demote", "CHAMPION", "RETIRED");
    }
    (void)add(history, version, "promote", "VERIFIED", "CHAMPION");
    route(history, version, 0);
}

static size_t plan(const struct history *history, struct gw_retrain_duel duels[GW_RETRAIN_DUELS_MAX])
{
    return gw_retrain_guard_plan(newest(history), history->count, duels);
}

static void a_promoted_champion_stands_against_the_one_before(void **state)
{
    (void)state;
    struct history history = {.count = 0};
    struct gw_retrain_duel duels[GW_RETRAIN_DUELS_MAX];
    promote(&history, 1, 0);
    assert_int_equal(plan(&history, duels), 0); // the first replaced nobody
    promote(&history, 2, 1);
    (void)add(&history, 3, "register", "", "REGISTERED");
    assert_int_equal(plan(&history, duels), 1);
    assert_string_equal(duels[0].model, "m");
    assert_false(duels[0].canary);
    assert_int_equal(duels[0].version, 2);
    assert_int_equal(duels[0].former, 1);
    assert_int_equal(duels[0].sequence, 3);
    assert_int_equal(duels[0].since_ms, 3000);
    assert_string_equal(duels[0].digest, "other");
    assert_string_equal(duels[0].former_digest, "one");
}

static void one_that_came_back_stands_on_no_trial(void **state)
{
    (void)state;
    struct history history = {.count = 0};
    struct gw_retrain_duel duels[GW_RETRAIN_DUELS_MAX];
    promote(&history, 1, 0);
    promote(&history, 2, 1);
    (void)add(&history, 2, "demote", "CHAMPION", "RETIRED");
    (void)add(&history, 1, "rollback", "RETIRED", "CHAMPION");
    route(&history, 1, 0);
    assert_int_equal(plan(&history, duels), 0);
    promote(&history, 2, 1); // somebody insists: it is tried again, from then on
    assert_int_equal(plan(&history, duels), 1);
    assert_int_equal(duels[0].sequence, 7);
}

static void one_whose_predecessor_cannot_come_back_stands_on_no_trial(void **state)
{
    (void)state;
    struct gw_retrain_duel duels[GW_RETRAIN_DUELS_MAX];
    struct history rejected = {.count = 0};
    promote(&rejected, 1, 0);
    promote(&rejected, 2, 1);
    (void)add(&rejected, 1, "reject", "RETIRED", "REJECTED");
    assert_int_equal(plan(&rejected, duels), 0);
    struct history archived = {.count = 0};
    promote(&archived, 1, 0);
    promote(&archived, 2, 1);
    (void)add(&archived, 1, "archive", "RETIRED", "RETIRED");
    assert_int_equal(plan(&archived, duels), 0);
}

static void a_history_that_was_read_too_shortly_gives_no_trial(void **state)
{
    (void)state;
    struct history history = {.count = 0};
    struct gw_retrain_duel duels[GW_RETRAIN_DUELS_MAX];
    promote(&history, 1, 0);
    promote(&history, 2, 1);
    assert_int_equal(gw_retrain_guard_plan(newest(&history), 1, duels), 0);
    assert_int_equal(gw_retrain_guard_plan(newest(&history), 0, duels), 0);
}

static void a_canary_stands_against_the_champion_since_it_began_to_serve(void **state)
{
    (void)state;
    struct history history = {.count = 0};
    struct gw_retrain_duel duels[GW_RETRAIN_DUELS_MAX];
    struct gw_retrain_duel later[GW_RETRAIN_DUELS_MAX];
    promote(&history, 1, 0);
    (void)add(&history, 2, "split", "VERIFIED", "CANARY");
    route(&history, 1, 2);
    assert_int_equal(plan(&history, duels), 1);
    assert_true(duels[0].canary);
    assert_int_equal(duels[0].version, 2);
    assert_int_equal(duels[0].former, 1);
    assert_int_equal(duels[0].sequence, 2);
    assert_string_equal(duels[0].digest, "canary");
    assert_string_equal(duels[0].former_digest, "champion");
    (void)add(&history, 2, "split", "CANARY", "CANARY"); // another share
    route(&history, 1, 2);
    assert_int_equal(plan(&history, later), 1);
    assert_true(gw_retrain_duel_is(&duels[0], &later[0]));
    promote(&history, 2, 1);
    assert_int_equal(plan(&history, later), 1);
    assert_false(later[0].canary);
    assert_false(gw_retrain_duel_is(&duels[0], &later[0]));
}

static void a_model_that_serves_nobody_has_no_trial(void **state)
{
    (void)state;
    struct history history = {.count = 0};
    struct gw_retrain_duel duels[GW_RETRAIN_DUELS_MAX];
    promote(&history, 1, 0);
    promote(&history, 2, 1);
    (void)add(&history, 2, "reject", "CHAMPION", "REJECTED");
    route(&history, 2, 0);
    history.routes[history.count - 1].target_count = 0;
    assert_int_equal(plan(&history, duels), 0);
}

GW_TESTS(a_promoted_champion_stands_against_the_one_before, one_that_came_back_stands_on_no_trial,
         one_whose_predecessor_cannot_come_back_stands_on_no_trial, a_history_that_was_read_too_shortly_gives_no_trial,
         a_canary_stands_against_the_champion_since_it_began_to_serve, a_model_that_serves_nobody_has_no_trial)
