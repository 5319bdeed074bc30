// SPDX-License-Identifier: MIT
// Who answers whom: a promotion, a split, and requests that name a version. Every test sends requests through both
// lanes and ends with one answer to each, so nothing that is done here may fail a request.
#include "integration/rollout_fixture.h"

#include <math.h>

enum { USERS = 600 }; // of a split

static int setup(void **state)
{
    (void)state;
    static const char *const sets[] = {"score.sync_deadline=5s", "redis.timeout=5s", "score.commit_interval=50ms",
                                       NULL};
    rollout_begin(sets);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rollout_end();
    return 0;
}

// ---- promotion ------------------------------------------------------------------------------------------------------

static void a_promotion_takes_effect_in_both_lanes_and_fails_no_request(void **state)
{
    (void)state;
    int32_t former = rollout.champion;
    int32_t next = rollout_add_version(TEST_MODEL_NAME, 2);
    struct rollout_pump before = {.version = former, .first = rollout.traffic.sent};
    rollout_pump_until(&before, "answers of the present champion");
    struct rollout_pump after = {.version = next, .first = before.first};
    int64_t sequence = rollout_promote(next);
    rollout_pump_until(&after, "answers of the next champion");
    rollout_assert_taken_over(before.first, former, next);
    rollout_wait_followed(TEST_MODEL_NAME, sequence);
}

// ---- split ----------------------------------------------------------------------------------------------------------

// Asks for USERS users through both lanes: all are answered by whom their bucket says. Gives who was the canary's.
static size_t assert_split(int32_t canary, uint32_t weight, bool *ret_moved)
{
    const struct gw_route route = rollout_route(TEST_MODEL_NAME);
    size_t first = rollout.traffic.sent;
    size_t moved = 0;
    for (int round = 0; round < 2; round++) { // sticky: the second round as the first one
        for (int64_t user = 0; user < USERS; user++) {
            for (int lane = 0; lane < TRAFFIC_LANES; lane++) {
                traffic_send(&rollout.traffic, (enum traffic_lane)lane, &(struct traffic_ask){.user = user});
            }
        }
    }
    traffic_complete(&rollout.traffic);
    for (size_t n = first; n < rollout.traffic.sent; n++) {
        const struct traffic_request *request = &rollout.traffic.requests[n];
        bool is_canary = gw_route_bucket(route.salt, request->user) < weight;
        rollout_assert_served(request, is_canary ? canary : rollout.champion, is_canary ? "canary" : "champion");
        ret_moved[request->user] = is_canary;
    }
    for (size_t user = 0; user < USERS; user++) {
        moved += ret_moved[user];
    }
    return moved;
}

// Five standard deviations of a binomial share.
static void assert_share(size_t moved, double share)
{
    assert_true(fabs((double)moved / USERS - share) < 5 * sqrt(share * (1 - share) / USERS));
}

static void a_split_is_sticky_and_raising_it_moves_only_the_champions_users(void **state)
{
    (void)state;
    static bool at_first[USERS];
    static bool later[USERS];
    int32_t canary = rollout_add_version(TEST_MODEL_NAME, -1);
    rollout_split(canary, 2000);
    assert_share(assert_split(canary, 2000, at_first), 0.2);
    rollout_split(canary, 4000);
    assert_share(assert_split(canary, 4000, later), 0.4);
    for (size_t user = 0; user < USERS; user++) {
        assert_true(later[user] || !at_first[user]);
    }
}

// ---- requests that name a version -----------------------------------------------------------------------------------

static void assert_refused(const char *model, int32_t version, enum gw_prediction_status status)
{
    for (int lane = 0; lane < TRAFFIC_LANES; lane++) {
        const struct traffic_ask ask = {.user = 1, .model = model, .version = version};
        const struct traffic_request *request = traffic_ask(&rollout.traffic, (enum traffic_lane)lane, &ask);
        assert_int_equal(request->status, status);
        assert_int_equal(request->version, 0);
        assert_string_equal(request->variant, "");
    }
}

static void a_request_that_names_a_version_gets_it_while_it_is_in_the_route(void **state)
{
    (void)state;
    int32_t canary = rollout_route(TEST_MODEL_NAME).targets[1].version; // of the test before
    int32_t unseen = rollout_add_version(TEST_MODEL_NAME, 0.5f);
    rollout_shadow(unseen, true);
    const struct {
        int32_t version;
        const char *variant;
    } loaded[] = {{rollout.champion, "champion"}, {canary, "canary"}, {unseen, "shadow"}};
    for (size_t i = 0; i < GW_COUNT_OF(loaded); i++) {
        for (int64_t user = 0; user < 20; user++) { // whosever they are
            for (int lane = 0; lane < TRAFFIC_LANES; lane++) {
                const struct traffic_ask ask = {
                    .user = user, .model = user % 2 == 0 ? TEST_MODEL_NAME : NULL, .version = loaded[i].version};
                rollout_assert_served(traffic_ask(&rollout.traffic, (enum traffic_lane)lane, &ask), loaded[i].version,
                                      loaded[i].variant);
            }
        }
    }
    assert_refused(NULL, TEST_MODEL_VERSION, GW_PREDICTION_STATUS_MODEL_NOT_FOUND); // retired
    assert_refused(NULL, ROLLOUT_VERSIONS_MAX, GW_PREDICTION_STATUS_MODEL_NOT_FOUND);
    assert_refused("nobody", 0, GW_PREDICTION_STATUS_MODEL_NOT_FOUND);
    assert_refused("nobody", 1, GW_PREDICTION_STATUS_MODEL_NOT_FOUND);
    const struct gw_registry_create create = {.model = "bare", .description = ""};
    struct gw_registry_outcome outcome;
    gw_err err = {0};
    assert_ok_err(gw_registry_create(rollout.registry, &create, &rollout_change, &outcome, &err), &err);
    assert_refused("bare", 0, GW_PREDICTION_STATUS_MODEL_NOT_FOUND); // no version, so no route
    rollout_shadow(unseen, false);
    assert_refused(NULL, unseen, GW_PREDICTION_STATUS_MODEL_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_promotion_takes_effect_in_both_lanes_and_fails_no_request),
        cmocka_unit_test(a_split_is_sticky_and_raising_it_moves_only_the_champions_users),
        cmocka_unit_test(a_request_that_names_a_version_gets_it_while_it_is_in_the_route),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
