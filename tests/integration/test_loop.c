// SPDX-License-Identifier: MIT
// Does the loop close? A world whose law turns round, and nobody who does anything about it: monitor must notice, a
// training must follow, and its version must pass the gate, the shadow and the canary. Labels of which nothing can be
// learned must lead nowhere, and what is forced upon users must be taken back.
#include "integration/loop_fixture.h"

enum {
    QUIET_ROWS = 8000,
    FRESH_ROWS = 30000,
    GUARD_PORTION = 50,
    LATE_ROWS = 1000,
    LATE_MS = 3000,      // longer than between updates of an alert
    ENTROPY_PERCENT = 2, // over what a model has that knew nothing but the new law
};

static double seconds_since(uint64_t start_us)
{
    return (double)(gw_clock_mono_us() - start_us) / 1e6;
}

static void run_workers(void)
{
    loop.monitor = cluster_run(&loop.cluster, "monitor", NULL);
    loop.retrain = cluster_run(&loop.cluster, "retrain", NULL);
    cluster_wait_ready(&loop.monitor);
    cluster_wait_ready(&loop.retrain);
}

static void stop_workers(void)
{
    cluster_stop(&loop.retrain);
    cluster_stop(&loop.monitor);
}

static void begin(const char *const *more)
{
    loop_begin(more);
    run_workers();
}

static void end(void)
{
    stop_workers();
    loop_end();
}

// Champion 1 among rows that are as those that it was trained on.
static void expect_quiet(void)
{
    loop_serve_past(QUIET_ROWS);
    loop_settle();
    loop_read_alerts();
    assert_int_equal(loop.alert_count, 0);
}

static bool is_promoted(void *context)
{
    loop_live(context);
    return loop_run_in(GW_RUN_PROMOTED) != NULL;
}

// ---- concept drift --------------------------------------------------------------------------------------------------

static void expect_alert_in_reason(const char *reason)
{
    const struct loop_alert *alert = NULL;
    assert_int_equal(loop_count_alerts("concept", "open", &alert), 1);
    assert_int_equal(alert->version, 1);
    assert_int_equal(loop_count_alerts("feature", "open", &alert), 0);
    if (strstr(reason, alert->id) == NULL || strstr(reason, "concept drift of '" LOOP_HEAD "'") == NULL) {
        fail_msg("'%s' does not name alert %s", reason, alert->id);
    }
}

static bool is_updated(void *context)
{
    const struct loop_alert *alert = NULL;
    return loop_count_alerts("concept", "update", &alert) > *(const size_t *)context;
}

static bool has_heard_all(void *context)
{
    struct gw_ledger ledger = cluster_ledger_sum(&loop.cluster, "retrain", GW_TOPIC_DRIFT_ALERTS);
    (void)context;
    return gw_ledger_total(&ledger) >= loop.alert_count;
}

// Labels become final long after their rows were served: the alert of the former champion goes on for a while. It says
// nothing about the new one.
static void expect_no_training_for_late_labels(void)
{
    const struct loop_alert *alert = NULL;
    const int64_t trainings =
        registry_number(loop.cluster.registry.postgres, "SELECT count(*) FROM registry_runs WHERE trainings > 0");
    size_t updates = loop_count_alerts("concept", "update", &alert);
    assert_true(loop_use(1));
    loop_serve(LOOP_LAW_B, LATE_ROWS, LATE_ROWS, loop.served_ms, loop.served_ms + LATE_MS);
    wait_until(is_updated, &updates, LOOP_WAIT_MS, "an update of the alert");
    wait_until(has_heard_all, NULL, LOOP_WAIT_MS, "retrain to read the update");
    assert_int_equal(registry_number(loop.cluster.registry.postgres,
                                     "SELECT count(*) FROM registry_runs WHERE state IN ('REQUESTED', 'DATASET',"
                                     " 'TRAINING', 'GATING', 'REGISTERED', 'SHADOW', 'CANARY')"),
                     0);
    assert_int_equal(
        registry_number(loop.cluster.registry.postgres, "SELECT count(*) FROM registry_runs WHERE trainings > 0"),
        trainings);
}

static void a_law_that_turns_round_ends_in_a_champion_of_the_new_law(void **state)
{
    (void)state;
    struct loop_life life = {.law = LOOP_LAW_B, .enough = LOOP_ROWS_MIN + LOOP_PORTION};
    char directory[96];
    struct gw_bundle *bundles[2];
    double entropies[2];
    gw_err err = {0};
    begin(NULL);
    expect_quiet();
    const uint64_t start_us = gw_clock_mono_us();
    wait_until(is_promoted, &life, LOOP_WAIT_MS, "a promotion");
    const double took_s = seconds_since(start_us);
    const struct gw_run *run = loop_run_in(GW_RUN_PROMOTED);
    const int64_t rows = run->rows;
    assert_int_equal(run->version, 2);
    assert_int_equal(run->parent_version, 1);
    assert_string_equal(run->actor, "monitor");
    expect_alert_in_reason(run->reason);
    loop_print_runs();
    assert_int_equal(loop_champion(), 2);

    loop_train("direct", LOOP_LAW_B, (size_t)rows, directory);
    expect_no_training_for_late_labels();
    loop_follow();
    assert_int_equal(loop.champion, 2);
    bundles[0] = loop.bundle;
    assert_ok_err(gw_bundle_load(directory, &bundles[1], &err), &err);
    loop_measure(bundles, LOOP_LAW_B, FRESH_ROWS, entropies);
    gw_bundle_unref(bundles[1]);
    print_message("%.1f s from the first row of the new law to the promotion, after %" PRId64 " rows; normalised "
                  "entropy %.4f, of a model of %" PRId64 " rows of that law alone %.4f\n",
                  took_s, life.rows, entropies[0], rows, entropies[1]);
    assert_true(entropies[0] <= entropies[1] * (1 + ENTROPY_PERCENT / 100.0));
    end();
}

// ---- labels of which nothing can be learned -------------------------------------------------------------------------

static bool has_ended_in_vain(void *context)
{
    size_t count = 0;
    loop_live(context);
    const struct gw_run *runs = loop_runs(&count);
    for (size_t i = 0; i < count; i++) {
        if (runs[i].trainings > 0 && !gw_run_state_is_active(runs[i].state)) {
            return true;
        }
    }
    return false;
}

static void promotes_nothing(enum loop_law law)
{
    struct loop_life life = {.law = law, .enough = LOOP_ROWS_MIN + LOOP_PORTION};
    size_t count = 0;
    begin(NULL);
    wait_until(has_ended_in_vain, &life, LOOP_WAIT_MS, "a training that ends in vain");
    loop_print_runs();
    stop_workers();
    const struct gw_run *runs = loop_runs(&count);
    for (size_t i = 0; i < count; i++) {
        assert_true(gw_run_state_is_active(runs[i].state) || runs[i].state == GW_RUN_REFUSED);
        assert_true(gw_run_state_is_active(runs[i].state) || runs[i].verdict[0] != '\0');
        assert_int_equal(runs[i].version, 0);
    }
    assert_int_equal(loop_champion(), 1);
    loop_end();
}

static void labels_of_noise_promote_nothing(void **state)
{
    (void)state;
    promotes_nothing(LOOP_NOISE);
}

static void labels_turned_round_by_a_coin_promote_nothing(void **state)
{
    (void)state;
    promotes_nothing(LOOP_COIN);
}

static void half_of_the_labels_noise_promotes_nothing(void **state)
{
    (void)state;
    promotes_nothing(LOOP_HALF_NOISE);
}

// ---- a promotion that was a mistake ---------------------------------------------------------------------------------

static bool is_taken_back(void *context)
{
    struct loop_life *life = context;
    if (gw_clock_mono_us() - loop.put_us > (uint64_t)LOOP_PAUSE_MS * 1000) {
        loop_serve_now(life->law, GUARD_PORTION, GUARD_PORTION);
        life->rows += GUARD_PORTION;
    }
    return loop_champion() == 1;
}

static void a_worse_champion_is_taken_back(void **state)
{
    (void)state;
    struct loop_life life = {.law = LOOP_LAW_A};
    char directory[96];
    const struct gw_registry_event *history = NULL;
    size_t count = 0;
    gw_err err = {0};
    loop_train("worse", LOOP_LAW_B, LOOP_TRAINED_ROWS, directory);
    begin(NULL);
    expect_quiet();
    const int32_t worse = loop_register(directory);
    loop_promote(worse);
    const uint64_t start_us = gw_clock_mono_us();
    wait_until(is_taken_back, &life, LOOP_WAIT_MS, "the rollback");
    const double took_s = seconds_since(start_us);
    gw_arena_clear(&loop.arena);
    assert_ok_err(gw_registry_history(loop.registry, LOOP_MODEL, 0, 1, &loop.arena, &history, &count, &err), &err);
    assert_int_equal(count, 1);
    assert_string_equal(history[0].transition, "rollback");
    assert_string_equal(history[0].actor, "retrain.guard");
    print_message("taken back %.1f s after the first row was served by version %d, %" PRId64 " rows in the log: %s\n",
                  took_s, worse, life.rows, history[0].reason);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_law_that_turns_round_ends_in_a_champion_of_the_new_law),
        cmocka_unit_test(labels_of_noise_promote_nothing),
        cmocka_unit_test(labels_turned_round_by_a_coin_promote_nothing),
        cmocka_unit_test(half_of_the_labels_noise_promotes_nothing),
        cmocka_unit_test(a_worse_champion_is_taken_back),
    };
    return cmocka_run_group_tests(tests, loop_setup, loop_teardown);
}
