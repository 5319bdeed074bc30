// SPDX-License-Identifier: MIT
// The loop with SIGKILL at each of its steps, and with a database that dies under it: the end is the same as without.
// One alert, one training's version, one promotion. Whenever retrain has to make its files again it compares the digest
// with what it had, and a run of which that is not the same has failed.
#include "integration/loop_fixture.h"

#include <signal.h>

enum {
    QUIET_ROWS = 4000,
    FEW_ROWS = 6, // evidence, but too little
    EVENTS_MAX = 100,
};

static struct loop_life life;

// Until it ends; then by SIGKILL.
static bool has_ended(void *context)
{
    loop_live(&life);
    return !proc_running(context);
}

static void expect_killed(void)
{
    wait_until(has_ended, loop.retrain.proc, LOOP_WAIT_MS, "the end of retrain");
    assert_int_equal(proc_wait(loop.retrain.proc, LOOP_WAIT_MS), -1);
}

static void run_retrain(const char *faults)
{
    if (faults != NULL) {
        setenv("GODWIT_FAULTS", faults, 1);
    }
    loop.retrain = cluster_run(&loop.cluster, "retrain", NULL);
    unsetenv("GODWIT_FAULTS");
}

static void killed_at(const char *point)
{
    char fault[64];
    snprintf(fault, sizeof fault, "retrain.%s", point);
    run_retrain(fault);
    expect_killed();
}

// ---- waiting for the run --------------------------------------------------------------------------------------------

// The run that trains; NULL: none yet, or the database is away.
static const struct gw_run *find_run(void)
{
    size_t count = 0;
    const struct gw_run *runs = loop_runs(&count);
    for (size_t i = 0; i < count; i++) {
        if (runs[i].state != GW_RUN_REFUSED) {
            return &runs[i];
        }
    }
    return NULL;
}

// States come in this order.
static bool has_reached(void *context)
{
    loop_live(&life);
    const struct gw_run *run = find_run();
    return run != NULL && run->state >= *(const enum gw_run_state *)context;
}

static void wait_for_state(enum gw_run_state state)
{
    wait_until(has_reached, &state, LOOP_WAIT_MS, gw_run_state_name(state));
}

static bool has_trainer(void *context)
{
    long *trainer = context;
    *trainer = proc_child(loop.retrain.proc);
    return *trainer != 0;
}

static long wait_for_trainer(void)
{
    long trainer = 0;
    wait_until(has_trainer, &trainer, LOOP_WAIT_MS, "the trainer to start");
    return trainer;
}

static bool is_alarmed(void *context)
{
    const struct loop_alert *alert = NULL;
    (void)context;
    loop_live(&life);
    return loop_count_alerts("concept", "open", &alert) > 0;
}

// ---- the same beginning and end -------------------------------------------------------------------------------------

// Rows enough for a training of the new law, of which monitor has seen none yet.
static void begin(const char *const *more)
{
    loop_begin(more);
    loop.monitor = cluster_run_ready(&loop.cluster, "monitor", NULL);
    loop_serve_past(QUIET_ROWS);
    for (int rows = 0; rows < LOOP_ROWS_MIN + LOOP_PORTION; rows += LOOP_PORTION) {
        loop_serve_now(LOOP_LAW_B, LOOP_PORTION, 0);
    }
    loop_settle();
    life = (struct loop_life){.law = LOOP_LAW_B};
}

static void expect_one_of_each(void)
{
    const struct gw_registry_event *events = NULL;
    struct gw_registry_version version;
    const struct loop_alert *alert = NULL;
    size_t count = 0;
    size_t promotions = 0;
    size_t registrations = 0;
    gw_err err = {0};
    const struct gw_run *runs = loop_runs(&count);
    size_t promoted = 0;
    char digest[GW_BUNDLE_DIGEST_BYTES] = "";
    for (size_t i = 0; i < count; i++) {
        assert_true(runs[i].state == GW_RUN_PROMOTED || (runs[i].state == GW_RUN_REFUSED && runs[i].trainings == 0));
        if (runs[i].state == GW_RUN_PROMOTED) {
            promoted++;
            assert_int_equal(runs[i].version, 2);
            snprintf(digest, sizeof digest, "%s", runs[i].digest);
        }
    }
    assert_int_equal(promoted, 1);
    assert_int_equal(loop_champion(), 2);
    assert_ok_err(gw_registry_get_version(loop.registry, LOOP_MODEL, 0, &loop.arena, &version, &err), &err);
    assert_int_equal(version.version, 2); // the newest one
    assert_string_equal(version.digest, digest);
    assert_ok_err(gw_registry_history(loop.registry, LOOP_MODEL, 0, EVENTS_MAX, &loop.arena, &events, &count, &err),
                  &err);
    for (size_t i = 0; i < count; i++) {
        promotions += strcmp(events[i].transition, "promote") == 0 && events[i].version == 2;
        registrations += strcmp(events[i].transition, "register") == 0 && events[i].version == 2;
    }
    assert_int_equal(promotions, 1);
    assert_int_equal(registrations, 1);
    assert_int_equal(loop_count_alerts("concept", "open", &alert), 1);
    for (size_t i = 0; i < loop.alert_count; i++) {
        assert_true(strcmp(loop.alerts[i].kind, "concept") == 0 && strcmp(loop.alerts[i].id, alert->id) == 0);
    }
}

// ---- tests ----------------------------------------------------------------------------------------------------------

static void gather_and_kill_monitor(void)
{
    loop_serve_now(LOOP_LAW_B, FEW_ROWS, FEW_ROWS);
    loop_settle();
    loop_read_alerts();
    assert_int_equal(loop.alert_count, 0);
    proc_kill(loop.monitor.proc);
    loop.monitor = cluster_run_ready(&loop.cluster, "monitor", NULL);
}

static void killed_at_every_step_it_ends_in_one_promotion(void **state)
{
    (void)state;
    begin((const char *const[]){"retrain.shadow=3s", "retrain.canary=3s", NULL});
    gather_and_kill_monitor();
    gather_and_kill_monitor();
    wait_until(is_alarmed, NULL, LOOP_WAIT_MS, "an alert");

    killed_at("asked:kill");
    killed_at("dataset:kill");
    killed_at("training:kill:3");
    run_retrain("retrain.gating:kill");
    kill((pid_t)wait_for_trainer(), SIGKILL);
    expect_killed();
    assert_int_equal(find_run()->state, GW_RUN_GATING);
    killed_at("registered:kill");
    run_retrain(NULL);
    wait_for_state(GW_RUN_SHADOW);
    proc_kill(loop.retrain.proc);
    killed_at("canary:kill");
    run_retrain(NULL);
    wait_for_state(GW_RUN_CANARY);
    proc_kill(loop.retrain.proc);
    killed_at("promoted:kill");
    run_retrain(NULL);
    cluster_wait_ready(&loop.retrain);
    wait_for_state(GW_RUN_PROMOTED);
    print_message("%d claims, %d trainings\n", find_run()->attempt, find_run()->trainings);
    cluster_stop(&loop.retrain);
    cluster_stop(&loop.monitor);
    loop_print_runs();
    expect_one_of_each();
    loop_end();
}

static bool answers(void *context)
{
    return postgres_server_answers(context);
}

// And starts it again.
static void kill_database(struct postgres_server *database)
{
    const struct gw_run *run = find_run();
    assert_non_null(run);
    print_message("PostgreSQL dies in %s\n", gw_run_state_name(run->state));
    postgres_server_kill(database);
    loop_live(&life); // goes on with the champion that it has
    postgres_server_start(database);
    wait_until(answers, database, LOOP_WAIT_MS, "PostgreSQL to recover");
}

static void a_database_that_dies_under_it_changes_nothing(void **state)
{
    (void)state;
    struct postgres_server database;
    const char *uri = getenv("GODWIT_POSTGRES_URI");
    assert_non_null(uri);
    char *shared = strdup(uri);
    postgres_server_begin(&database);
    setenv("GODWIT_POSTGRES_URI", database.uri, 1); // of the cluster's schema
    begin((const char *const[]){"postgres.timeout=3s", NULL});
    run_retrain("retrain.gating:kill");
    cluster_wait_ready(&loop.retrain);
    wait_until(is_alarmed, NULL, LOOP_WAIT_MS, "an alert");
    wait_for_state(GW_RUN_DATASET);
    kill_database(&database);
    wait_for_state(GW_RUN_TRAINING);
    kill_database(&database);
    expect_killed();
    run_retrain(NULL);
    (void)wait_for_trainer(); // that makes the files again
    kill_database(&database);
    wait_for_state(GW_RUN_PROMOTED);
    cluster_stop(&loop.retrain);
    cluster_stop(&loop.monitor);
    expect_one_of_each();
    gw_postgres_free(loop.cluster.registry.postgres); // the schema goes with its server
    loop.cluster.registry.postgres = NULL;
    loop_end();
    postgres_server_end(&database);
    setenv("GODWIT_POSTGRES_URI", shared, 1);
    free(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_every_step_it_ends_in_one_promotion),
        cmocka_unit_test(a_database_that_dies_under_it_changes_nothing),
    };
    return cmocka_run_group_tests(tests, loop_setup, loop_teardown);
}
