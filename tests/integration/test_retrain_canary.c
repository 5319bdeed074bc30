// SPDX-License-Identifier: MIT
// A run's version serves a share of users before it is promoted; whoever takes it back meanwhile has the last word.
#include "integration/retrain_fixture.h"

#define RUN "retrain_requests-0-0"

static const char *const long_canary[] = {"retrain.canary=1h", "retrain.canary_share=0.2", NULL};

static struct gw_registry_version version_of(int32_t number)
{
    struct gw_registry_version version;
    gw_err err = {0};
    gw_arena_clear(&arena);
    assert_ok_err(gw_registry_get_version(registry, TEST_MODEL_NAME, number, &arena, &version, &err), &err);
    return version;
}

static uint32_t champion_share(void)
{
    struct gw_route route;
    gw_err err = {0};
    assert_ok_err(gw_registry_route(registry, TEST_MODEL_NAME, &route, &err), &err);
    return route.targets[0].weight;
}

static int64_t events(const char *transition)
{
    char sql[200];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM registry_events WHERE transition = '%s'", transition);
    return registry_number(cluster.registry.postgres, sql);
}

// Runs until version 2 is a canary.
static void begin_canary(const char *const *settings)
{
    retrain_begin(settings);
    retrain_put_examples(TRUE_LABELS);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    retrain_send(TEST_MODEL_NAME, "with a canary");
    struct gw_run run = retrain_wait_for(RUN, GW_RUN_CANARY);
    assert_int_equal(run.version, 2);
    assert_true(run.canary_until_ms > run.shadow_until_ms);
}

static void end(void)
{
    cluster_stop(&worker);
    retrain_end();
}

static void a_version_shadows_serves_a_share_and_is_promoted(void **state)
{
    (void)state;
    begin_canary((const char *const[]){"retrain.canary=3s", "retrain.canary_share=0.2", NULL});
    assert_int_equal(version_of(2).state, GW_ROLLOUT_CANARY);
    assert_int_equal(version_of(2).weight, 2000);
    assert_int_equal(champion_share(), 8000);
    assert_int_equal(retrain_champion(), TEST_MODEL_VERSION);
    struct gw_run run = retrain_wait_for(RUN, GW_RUN_PROMOTED);
    assert_true(retrain_says(run.verdict, "version 2 promoted"));
    assert_int_equal(retrain_champion(), 2);
    assert_int_equal(champion_share(), GW_ROUTE_BUCKETS);
    assert_int_equal(events("shadow"), 1);
    assert_int_equal(events("split"), 1);
    end();
}

static void a_canary_that_is_rejected_ends_the_run_with_the_reason(void **state)
{
    (void)state;
    const struct gw_registry_change change = {.actor = "tester", .reason = "it smells"};
    struct gw_registry_outcome outcome;
    gw_err err = {0};
    begin_canary(long_canary);
    assert_ok_err(gw_registry_reject(registry, TEST_MODEL_NAME, 2, &change, &outcome, &err), &err);
    struct gw_run run = retrain_wait_for(RUN, GW_RUN_REFUSED);
    assert_true(retrain_says(run.verdict, "it smells"));
    assert_int_equal(champion_share(), GW_ROUTE_BUCKETS);
    end();
}

static void a_split_that_somebody_ends_ends_the_run_with_the_reason(void **state)
{
    (void)state;
    const struct gw_registry_change change = {.actor = "tester", .reason = "not today"};
    struct gw_registry_outcome outcome;
    gw_err err = {0};
    begin_canary(long_canary);
    assert_ok_err(gw_registry_split(registry, TEST_MODEL_NAME, NULL, 0, &change, &outcome, &err), &err);
    struct gw_run run = retrain_wait_for(RUN, GW_RUN_REFUSED);
    assert_true(retrain_says(run.verdict, "taken back"));
    assert_true(retrain_says(run.verdict, "tester: not today"));
    assert_int_equal(retrain_champion(), TEST_MODEL_VERSION);
    end();
}

static int32_t register_another(void)
{
    char path[400];
    gw_err err = {0};
    struct gw_registry_outcome outcome;
    const struct gw_registry_change change = {.actor = "tester", .reason = "another"};
    snprintf(path, sizeof path, "%s/another", cluster.directory);
    test_model_write_variant(path, &(struct test_model_variant){.name = TEST_MODEL_NAME,
                                                                .features = test_model_features,
                                                                .feature_count = test_model_feature_count,
                                                                .metadata_json = "{}",
                                                                .factor = 0.5f});
    const struct gw_registry_register request = {
        .model = TEST_MODEL_NAME, .directory = path, .description = "", .features = cluster.runtime.features};
    assert_ok_err(gw_registry_register(registry, &request, &change, &outcome, &err), &err);
    return outcome.version;
}

static void another_champion_refuses_the_run(void **state)
{
    (void)state;
    const struct gw_registry_change change = {.actor = "tester", .reason = "mine is better"};
    struct gw_registry_outcome outcome;
    gw_err err = {0};
    begin_canary(long_canary);
    assert_int_equal(register_another(), 3);
    assert_ok_err(gw_registry_promote(registry, TEST_MODEL_NAME, 3, &change, &outcome, &err), &err);
    struct gw_run run = retrain_wait_for(RUN, GW_RUN_REFUSED);
    assert_true(retrain_says(run.verdict, "the champion is version 3"));
    assert_int_equal(version_of(2).state, GW_ROLLOUT_RETIRED);
    assert_int_equal(champion_share(), GW_ROUTE_BUCKETS);
    end();
}

static void a_cancelled_run_gives_its_share_back_and_leaves_other_canaries_theirs(void **state)
{
    (void)state;
    const struct gw_registry_change change = {.actor = "tester", .reason = "both"};
    const struct gw_registry_share shares[] = {{.version = 2, .weight = 2000, .variant = "canary"},
                                               {.version = 3, .weight = 500, .variant = "mine"}};
    struct gw_registry_outcome outcome;
    gw_err err = {0};
    begin_canary(long_canary);
    assert_int_equal(register_another(), 3);
    assert_ok_err(gw_registry_split(registry, TEST_MODEL_NAME, shares, 2, &change, &outcome, &err), &err);
    assert_ok_err(gw_runs_cancel(registry, RUN, "tester", &err), &err);
    (void)retrain_wait_for(RUN, GW_RUN_CANCELLED);
    assert_int_equal(version_of(2).state, GW_ROLLOUT_RETIRED);
    assert_int_equal(version_of(3).state, GW_ROLLOUT_CANARY);
    assert_string_equal(version_of(3).variant, "mine");
    assert_int_equal(champion_share(), GW_ROUTE_BUCKETS - 500);
    end();
}

// Version 2, by somebody's hand.
static void put_another_canary(uint32_t weight)
{
    const struct gw_registry_change change = {.actor = "tester", .reason = "an experiment"};
    const struct gw_registry_share share = {.version = 2, .weight = weight, .variant = "mine"};
    struct gw_registry_outcome outcome;
    gw_err err = {0};
    assert_int_equal(register_another(), 2);
    assert_ok_err(gw_registry_split(registry, TEST_MODEL_NAME, &share, 1, &change, &outcome, &err), &err);
}

static void ask_for_a_run(const char *reason)
{
    retrain_put_examples(TRUE_LABELS);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    retrain_send(TEST_MODEL_NAME, reason);
}

static void canaries_of_others_keep_their_shares_beside_it(void **state)
{
    (void)state;
    retrain_begin(long_canary);
    put_another_canary(500);
    ask_for_a_run("beside another one");
    struct gw_run run = retrain_wait_for(RUN, GW_RUN_CANARY);
    assert_int_equal(run.version, 3);
    assert_int_equal(version_of(3).weight, 2000);
    assert_int_equal(version_of(2).state, GW_ROLLOUT_CANARY);
    assert_int_equal(version_of(2).weight, 500);
    assert_string_equal(version_of(2).variant, "mine");
    assert_int_equal(champion_share(), GW_ROUTE_BUCKETS - 2500);
    end();
}

static void a_run_that_fails_gives_its_role_back(void **state)
{
    (void)state;
    retrain_begin(long_canary);
    put_another_canary(9000); // a fifth is not left
    ask_for_a_run("finds no room");
    struct gw_run run = retrain_wait_for(RUN, GW_RUN_FAILED);
    assert_true(retrain_says(run.verdict, "shares add up to"));
    assert_int_equal(version_of(3).state, GW_ROLLOUT_VERIFIED);
    assert_int_equal(version_of(2).weight, 9000);
    end();
}

// Cut at some byte on its way into the history, it would be no text any more.
static void a_long_reason_in_another_script_is_no_obstacle(void **state)
{
    (void)state;
    char reason[GW_RUN_TEXT_BYTES] = "x";
    for (size_t i = 1; i + 2 < sizeof reason; i += 2) {
        memcpy(reason + i, "\xd1\x8f", 3);
    }
    retrain_begin(NULL);
    ask_for_a_run(reason);
    (void)retrain_wait_for(RUN, GW_RUN_PROMOTED);
    assert_int_equal(retrain_champion(), 2);
    end();
}

static void a_run_that_is_cancelled_behind_its_promotion_is_promoted(void **state)
{
    (void)state;
    gw_err err = {0};
    retrain_begin(NULL);
    setenv("GODWIT_FAULTS", "retrain.promoted:kill", 1);
    retrain_put_examples(TRUE_LABELS);
    worker = cluster_run(&cluster, "retrain", NULL);
    unsetenv("GODWIT_FAULTS");
    retrain_send(TEST_MODEL_NAME, "too late");
    assert_int_equal(proc_wait(worker.proc, RETRAIN_WAIT_MS), -1);
    assert_ok_err(gw_runs_cancel(registry, RUN, "tester", &err), &err);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    (void)retrain_wait_for(RUN, GW_RUN_PROMOTED);
    assert_int_equal(retrain_champion(), 2);
    end();
}

// Killed between the registry's change and the row of the run.
static void killed_anywhere_it_is_split_and_promoted_once(void **state)
{
    (void)state;
    static const char *const faults[] = {"retrain.canary:kill", "retrain.promoted:kill"};
    for (size_t i = 0; i < GW_COUNT_OF(faults); i++) {
        retrain_begin((const char *const[]){"retrain.canary=1s", "retrain.canary_share=0.2", NULL});
        retrain_put_examples(TRUE_LABELS);
        setenv("GODWIT_FAULTS", faults[i], 1);
        worker = cluster_run(&cluster, "retrain", NULL);
        unsetenv("GODWIT_FAULTS");
        retrain_send(TEST_MODEL_NAME, faults[i]);
        assert_int_equal(proc_wait(worker.proc, RETRAIN_WAIT_MS), -1);
        worker = cluster_run_ready(&cluster, "retrain", NULL);
        struct gw_run run = retrain_wait_for(RUN, GW_RUN_PROMOTED);
        assert_int_equal(run.version, 2);
        assert_int_equal(retrain_champion(), 2);
        assert_int_equal(champion_share(), GW_ROUTE_BUCKETS);
        assert_int_equal(events("split"), 1);
        assert_int_equal(events("promote"), 2); // the first is the cluster's own
        end();
    }
}

GW_TESTS(a_version_shadows_serves_a_share_and_is_promoted, a_canary_that_is_rejected_ends_the_run_with_the_reason,
         a_split_that_somebody_ends_ends_the_run_with_the_reason, another_champion_refuses_the_run,
         a_cancelled_run_gives_its_share_back_and_leaves_other_canaries_theirs,
         canaries_of_others_keep_their_shares_beside_it, a_run_that_fails_gives_its_role_back,
         a_long_reason_in_another_script_is_no_obstacle, a_run_that_is_cancelled_behind_its_promotion_is_promoted,
         killed_anywhere_it_is_split_and_promoted_once)
