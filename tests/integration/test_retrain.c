// SPDX-License-Identifier: MIT
// retrain on the real services: from a request to a version that serves, or to a reason why not; killed at its steps,
// it ends in the same state with the same digest.
#include "integration/retrain_fixture.h"

#include "base/hash.h"
#include "records/drift_alert.h"
#include "records/feature_sample.h"
#include "records/model_quality.h"

#include <signal.h>

enum { SAMPLES = 1500 };

// ---- tests ----------------------------------------------------------------------------------------------------------

static void a_request_ends_in_a_better_champion_that_can_be_rolled_back(void **state)
{
    (void)state;
    const struct gw_registry_change change = {.actor = "tester", .reason = "a test"};
    struct gw_registry_outcome outcome;
    struct gw_registry_version version;
    const struct gw_run_point *points = NULL;
    size_t point_count = 0;
    gw_err err = {0};
    retrain_begin(NULL);
    retrain_put_examples(TRUE_LABELS);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    retrain_send(TEST_MODEL_NAME, "because");
    struct gw_run run = retrain_wait_for("retrain_requests-0-0", GW_RUN_PROMOTED);
    assert_int_equal(run.rows, RETRAIN_REQUESTS * RETRAIN_CANDIDATES);
    assert_int_equal(run.parent_version, TEST_MODEL_VERSION);
    assert_int_equal(run.version, 2);
    assert_string_equal(run.reason, "because");
    assert_string_equal(run.actor, "tester");
    assert_int_equal(strlen(run.manifest_hash), 64);
    assert_true(retrain_says(run.gate_json, "\"PASS\""));
    char hash[GW_BUNDLE_DIGEST_BYTES];
    snprintf(hash, sizeof hash, "%s", run.manifest_hash);
    assert_int_equal(retrain_champion(), 2);

    assert_ok_err(gw_registry_get_version(registry, TEST_MODEL_NAME, 2, &arena, &version, &err), &err);
    assert_true(retrain_says(version.lineage_json, hash));
    assert_true(retrain_says(version.lineage_json, "retrain_requests-0-0"));
    assert_true(retrain_says(version.metrics_json, "\"gate\""));
    assert_int_equal(version.parent_version, TEST_MODEL_VERSION);
    assert_ok_err(gw_runs_curve(registry, "retrain_requests-0-0", &arena, &points, &point_count, &err), &err);
    assert_true(point_count > 2);
    assert_true(points[point_count - 1].log_loss < points[0].log_loss);

    // The same rows again: the trainer is deterministic, and there is nothing to gain.
    retrain_send(TEST_MODEL_NAME, "again");
    run = retrain_wait_for("retrain_requests-0-1", GW_RUN_REFUSED);
    assert_true(retrain_says(run.verdict, "byte by byte"));

    assert_ok_err(gw_registry_rollback(registry, TEST_MODEL_NAME, 0, &change, &outcome, &err), &err);
    assert_int_equal(retrain_champion(), TEST_MODEL_VERSION);
    cluster_stop(&worker);
    retrain_end();
}

static void poisoned_labels_promote_nothing(void **state)
{
    (void)state;
    retrain_begin(NULL);
    retrain_put_examples(POISONED_LABELS);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    retrain_send(TEST_MODEL_NAME, "poison");
    struct gw_run run = retrain_wait_for("retrain_requests-0-0", GW_RUN_REFUSED);
    assert_true(retrain_says(run.verdict, "failed"));
    assert_int_equal(run.version, 0);
    assert_int_equal(retrain_champion(), TEST_MODEL_VERSION);
    cluster_stop(&worker);
    retrain_end();
}

static void send_alert_of(int32_t version, const char *kind, const char *state, int64_t at_ms)
{
    const struct gw_drift_alert alert = {.alert_id = gw_slice_text("a1"),
                                         .model_name = gw_slice_text(TEST_MODEL_NAME),
                                         .model_version = version,
                                         .state = gw_slice_text(state),
                                         .kind = gw_slice_text(kind),
                                         .stream = gw_slice_text("is_favorited"),
                                         .severity = gw_slice_text("high"),
                                         .at_ms = at_ms};
    RECORDS_ENCODE(&cluster, GW_TOPIC_DRIFT_ALERTS, gw_drift_alert_encode, &alert);
    records_put(&cluster, GW_TOPIC_DRIFT_ALERTS, 0, 0, gw_buf_slice(&cluster.value), NULL, 0);
    records_flush(&cluster);
}

static void send_alert(const char *kind, const char *state, int64_t at_ms)
{
    send_alert_of(retrain_champion(), kind, state, at_ms);
}

// By hand, or else by an alert.
static struct gw_run refused_for(enum retrain_labels labels, int64_t newest_ms, bool by_hand)
{
    retrain_begin(NULL);
    retrain_put_examples_of(labels, newest_ms);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    if (by_hand) {
        retrain_send(TEST_MODEL_NAME, "broken");
    } else {
        send_alert("concept", "open", gw_clock_wall_ms());
    }
    struct gw_run run = retrain_wait_for(by_hand ? "retrain_requests-0-0" : "drift_alerts-0-0", GW_RUN_REFUSED);
    assert_true(retrain_says(run.verdict, "labels look broken"));
    assert_int_equal(run.trainings, 0);
    assert_int_equal(retrain_champion(), TEST_MODEL_VERSION);
    cluster_stop(&worker);
    return run;
}

static void broken_labels_disconnect_the_trainer(void **state)
{
    (void)state;
    const int64_t now_ms = gw_clock_wall_ms();
    assert_true(
        retrain_says(refused_for(TRUE_LABELS, now_ms - 4 * 60 * 60 * 1000, false).verdict, "older than it should be"));
    retrain_end();
    assert_true(retrain_says(refused_for(NO_POSITIVES, now_ms, true).verdict, "none of 3000 examples is positive"));
    retrain_end();
    assert_true(retrain_says(refused_for(LOST_ACTIONS, now_ms, true).verdict, "of the newest 300 examples"));
    retrain_end();
}

// Its log loss is better than that of a champion who knows nothing of these labels: only the checks stop it.
static void a_model_that_answers_the_base_rate_fails_the_gate(void **state)
{
    (void)state;
    retrain_begin(NULL);
    retrain_put_examples(NO_FEATURES);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    retrain_send(TEST_MODEL_NAME, "constant");
    struct gw_run run = retrain_wait_for("retrain_requests-0-0", GW_RUN_REFUSED);
    assert_true(retrain_says(run.verdict, "gate PASS"));
    assert_true(retrain_says(run.verdict, "check auc"));
    assert_int_equal(retrain_champion(), TEST_MODEL_VERSION);
    cluster_stop(&worker);
    retrain_end();
}

static void decisions_not_to_train_are_recorded(void **state)
{
    (void)state;
    retrain_begin((const char *const[]){"retrain.shadow=1h", NULL});
    retrain_put_examples(TRUE_LABELS);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    retrain_send(TEST_MODEL_NAME, "first");
    retrain_send("no-such-model", "unknown");
    struct gw_run run = retrain_wait_for("retrain_requests-0-1", GW_RUN_REFUSED);
    assert_true(retrain_says(run.verdict, "no model"));
    (void)retrain_wait_for("retrain_requests-0-0", GW_RUN_SHADOW);
    retrain_send(TEST_MODEL_NAME, "second");
    run = retrain_wait_for("retrain_requests-0-2", GW_RUN_REFUSED);
    assert_true(retrain_says(run.verdict, "under way"));

    // Cancelled in the shadow: the version stays, and serves nobody.
    struct gw_registry_version version;
    gw_err err = {0};
    assert_ok_err(gw_runs_cancel(registry, "retrain_requests-0-0", "tester", &err), &err);
    run = retrain_wait_for("retrain_requests-0-0", GW_RUN_CANCELLED);
    assert_true(retrain_says(run.verdict, "tester"));
    assert_ok_err(gw_registry_get_version(registry, TEST_MODEL_NAME, 2, &arena, &version, &err), &err);
    assert_int_equal(version.state, GW_ROLLOUT_VERIFIED);
    assert_fails(gw_runs_cancel(registry, "retrain_requests-0-0", "tester", &err), GW_E_CONFLICT);
    assert_fails(gw_runs_cancel(registry, "retrain_requests-0-77", "tester", &err), GW_E_NOT_FOUND);
    cluster_stop(&worker);

    worker = cluster_run_ready(&cluster, "retrain", (const char *const[]){"retrain.cooldown=1h", NULL});
    retrain_send(TEST_MODEL_NAME, "third");
    run = retrain_wait_for("retrain_requests-0-3", GW_RUN_REFUSED);
    assert_true(retrain_says(run.verdict, "cooldown"));
    cluster_stop(&worker);

    worker = cluster_run_ready(&cluster, "retrain", (const char *const[]){"retrain.enabled=false", NULL});
    retrain_send(TEST_MODEL_NAME, "fourth");
    run = retrain_wait_for("retrain_requests-0-4", GW_RUN_REFUSED);
    assert_true(retrain_says(run.verdict, "switched off"));
    cluster_stop(&worker);

    worker = cluster_run_ready(&cluster, "retrain", (const char *const[]){"retrain.rows_min=1000000", NULL});
    retrain_send(TEST_MODEL_NAME, "fifth");
    run = retrain_wait_for("retrain_requests-0-5", GW_RUN_REFUSED);
    assert_true(retrain_says(run.verdict, "rows_min"));
    assert_int_equal(retrain_champion(), TEST_MODEL_VERSION);
    cluster_stop(&worker);
    retrain_end();
}

static void a_training_is_cancelled(void **state)
{
    (void)state;
    gw_err err = {0};
    retrain_begin((const char *const[]){"retrain.trees=10000", "retrain.eta=0.00001", NULL});
    retrain_put_examples(TRUE_LABELS);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    retrain_send(TEST_MODEL_NAME, "long");
    (void)retrain_wait_for("retrain_requests-0-0", GW_RUN_TRAINING);
    assert_ok_err(gw_runs_cancel(registry, "retrain_requests-0-0", "tester", &err), &err);
    struct gw_run run = retrain_wait_for("retrain_requests-0-0", GW_RUN_CANCELLED);
    assert_int_equal(run.version, 0);
    cluster_stop(&worker);
    retrain_end();
}

static void an_alert_of_harmful_drift_asks_and_others_do_not(void **state)
{
    (void)state;
    int64_t now_ms = gw_clock_wall_ms();
    retrain_begin((const char *const[]){"retrain.cooldown=1h", NULL});
    retrain_put_examples(TRUE_LABELS);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    send_alert("feature", "open", now_ms);
    send_alert("feature", "update", now_ms);                    // no row
    send_alert("concept", "open", now_ms - 2 * 60 * 60 * 1000); // stale
    send_alert("concept", "update", now_ms);
    struct gw_run run = retrain_wait_for("drift_alerts-0-3", GW_RUN_PROMOTED);
    assert_true(retrain_says(run.reason, "concept drift of 'is_favorited'"));
    assert_int_equal(retrain_champion(), 2);
    run = retrain_wait_for("drift_alerts-0-0", GW_RUN_REFUSED);
    assert_true(retrain_says(run.verdict, "harm"));
    run = retrain_wait_for("drift_alerts-0-2", GW_RUN_REFUSED);
    assert_true(retrain_says(run.verdict, "old"));
    send_alert("concept", "update", now_ms); // cool-down: no row
    send_alert("concept", "close", now_ms);  // no row
    send_alert("concept", "open", now_ms);
    run = retrain_wait_for("drift_alerts-0-6", GW_RUN_REFUSED);
    assert_true(retrain_says(run.verdict, "cooldown"));
    send_alert_of(1, "concept", "update", now_ms); // of a former champion: no row
    send_alert_of(1, "concept", "open", now_ms);
    run = retrain_wait_for("drift_alerts-0-8", GW_RUN_REFUSED);
    assert_true(retrain_says(run.verdict, "not the champion"));
    assert_int_equal(registry_number(cluster.registry.postgres, "SELECT count(*) FROM registry_runs"), 5);
    cluster_stop(&worker);
    retrain_end();
}

static void send_quality(int index, double entropy)
{
    const int64_t start_ms = gw_clock_wall_ms() / 300000 * 300000 + index * 300000;
    const struct gw_model_quality quality = {.model_name = gw_slice_text(TEST_MODEL_NAME),
                                             .model_version = 2,
                                             .variant = gw_slice_text("champion"),
                                             .head = gw_slice_text("is_favorited"),
                                             .window_start_ms = start_ms,
                                             .window_end_ms = start_ms + 300000,
                                             .examples = 5000,
                                             .positives = 900,
                                             .normalised_entropy = entropy,
                                             .has_normalised_entropy_low = true,
                                             .normalised_entropy_low = entropy - 0.01,
                                             .has_normalised_entropy_high = true,
                                             .normalised_entropy_high = entropy + 0.01,
                                             .maturity = 1,
                                             .computed_at_ms = gw_clock_wall_ms()};
    RECORDS_ENCODE(&cluster, GW_TOPIC_MODEL_QUALITY, gw_model_quality_encode, &quality);
    records_put(&cluster, GW_TOPIC_MODEL_QUALITY, 0, 0, gw_buf_slice(&cluster.value), NULL, 0);
    records_flush(&cluster);
}

static void decay_of_the_champions_quality_asks_once(void **state)
{
    (void)state;
    retrain_begin(NULL);
    retrain_put_examples(TRUE_LABELS);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    send_quality(0, 1.2); // version 2 is none yet
    retrain_send(TEST_MODEL_NAME, "first");
    (void)retrain_wait_for("retrain_requests-0-0", GW_RUN_PROMOTED);
    cluster_stop(&worker);
    worker = cluster_run_ready(&cluster, "retrain", (const char *const[]){"retrain.cooldown=1h", NULL});
    send_quality(1, 0.1); // better than ever
    send_quality(2, 1.2);
    send_quality(3, 1.3); // no row: it goes on
    send_quality(4, 0.1);
    send_quality(5, 1.2);
    struct gw_run run = retrain_wait_for("model_quality-0-5", GW_RUN_REFUSED);
    assert_true(retrain_says(run.verdict, "cooldown"));
    run = retrain_wait_for("model_quality-0-2", GW_RUN_REFUSED);
    assert_true(
        retrain_says(run.reason, "quality decay: normalised entropy 1.2000 (1.1900 to 1.2100) of 'is_favorited'"));
    assert_string_equal(run.actor, "monitor");
    assert_int_equal(registry_number(cluster.registry.postgres, "SELECT count(*) FROM registry_runs"), 3);
    cluster_stop(&worker);

    worker = cluster_run_ready(&cluster, "retrain", NULL);
    send_quality(6, 1.2); // another process: it has seen none before
    run = retrain_wait_for("model_quality-0-6", GW_RUN_REFUSED);
    assert_true(retrain_says(run.verdict, "byte by byte")); // it did train
    cluster_stop(&worker);
    retrain_end();
}

static bool has_trainer(void *context)
{
    return proc_child(context) != 0;
}

// False also for one that is dead and that nobody has reaped: its parent is dead, too.
static bool is_alive(pid_t pid)
{
    char path[64];
    char kind = 'X';
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    bool read = fscanf(file, "%*d (%*[^)]) %c", &kind) == 1;
    fclose(file);
    return read && kind != 'Z' && kind != 'X';
}

static void a_killed_trainer_is_started_again(void **state)
{
    (void)state;
    retrain_begin((const char *const[]){"retrain.trees=400", "retrain.eta=0.05", NULL});
    retrain_put_examples(TRUE_LABELS);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    retrain_send(TEST_MODEL_NAME, "killed");
    wait_until(has_trainer, worker.proc, RETRAIN_WAIT_MS, "the trainer to start");
    long trainer = proc_child(worker.proc);
    assert_true(trainer > 0);
    kill((pid_t)trainer, SIGKILL);
    struct gw_run run = retrain_wait_for("retrain_requests-0-0", GW_RUN_PROMOTED);
    assert_true(run.trainings >= 2);
    assert_int_equal(run.version, 2);
    cluster_stop(&worker);
    retrain_end();
}

static void another_worker_takes_over_what_a_killed_one_drove(void **state)
{
    (void)state;
    retrain_begin((const char *const[]){"retrain.trees=400", "retrain.eta=0.05", NULL});
    retrain_put_examples(TRUE_LABELS);
    struct cluster_worker first =
        cluster_run_ready(&cluster, "retrain", (const char *const[]){"worker.instance=a", NULL});
    retrain_send(TEST_MODEL_NAME, "taken over");
    wait_until(has_trainer, first.proc, RETRAIN_WAIT_MS, "the trainer to start");
    worker = cluster_run(&cluster, "retrain", (const char *const[]){"worker.instance=b", NULL});
    pid_t trainer = (pid_t)proc_child(first.proc);
    proc_kill(first.proc);
    struct gw_run run = retrain_wait_for("retrain_requests-0-0", GW_RUN_PROMOTED);
    assert_int_equal(run.attempt, 2);
    assert_int_equal(run.version, 2);
    assert_false(is_alive(trainer)); // it went with its worker
    cluster_stop(&worker);
    retrain_end();
}

// Ends the session that drives the runs, which holds the advisory lock.
static void end_session(void)
{
    char sql[512];
    snprintf(sql, sizeof sql,
             "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND granted"
             " AND classid = hashtext('godwit.retrain')::oid AND objid = hashtext('%s')::oid",
             cluster.registry.schema);
    assert_int_equal(registry_number(cluster.registry.postgres, sql), 1);
}

static void a_lost_session_of_the_database_loses_nothing(void **state)
{
    (void)state;
    retrain_begin((const char *const[]){"retrain.trees=400", "retrain.eta=0.05", "retrain.shadow=2s", NULL});
    retrain_put_examples(TRUE_LABELS);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    retrain_send(TEST_MODEL_NAME, "without a database");
    wait_until(has_trainer, worker.proc, RETRAIN_WAIT_MS, "the trainer to start");
    end_session();
    (void)retrain_wait_for("retrain_requests-0-0", GW_RUN_SHADOW);
    end_session();
    struct gw_run run = retrain_wait_for("retrain_requests-0-0", GW_RUN_PROMOTED);
    assert_int_equal(run.version, 2);
    assert_int_equal(retrain_champion(), 2);
    cluster_stop(&worker);
    retrain_end();
}

static bool was_scheduled(void *context)
{
    const struct gw_run **runs = context;
    size_t count = 0;
    gw_arena_clear(&arena);
    return gw_runs_list(registry, TEST_MODEL_NAME, 1, &arena, runs, &count, NULL) == GW_OK && count == 1 &&
           !gw_run_state_is_active((*runs)->state);
}

static void a_schedule_asks_once_in_each_span(void **state)
{
    (void)state;
    const struct gw_run *runs = NULL;
    retrain_begin(NULL);
    worker = cluster_run_ready(&cluster, "retrain", (const char *const[]){"retrain.interval=365d", NULL});
    wait_until(was_scheduled, &runs, RETRAIN_WAIT_MS, "a run by schedule");
    assert_int_equal(runs->state, GW_RUN_REFUSED); // there are no examples
    assert_string_equal(runs->actor, "schedule");
    cluster_stop(&worker);
    worker = cluster_run_ready(&cluster, "retrain", (const char *const[]){"retrain.interval=365d", NULL});
    retrain_send(TEST_MODEL_NAME, "behind the schedule's look");
    (void)retrain_wait_for("retrain_requests-0-0", GW_RUN_REFUSED);
    assert_int_equal(registry_number(cluster.registry.postgres, "SELECT count(*) FROM registry_runs"), 2);
    cluster_stop(&worker);
    retrain_end();
}

// Runs until the fault kills the worker, then lets another one finish.
static struct gw_run killed_at(const char *fault, const char *id)
{
    setenv("GODWIT_FAULTS", fault, 1);
    worker = cluster_run(&cluster, "retrain", NULL);
    unsetenv("GODWIT_FAULTS");
    retrain_send(TEST_MODEL_NAME, fault);
    assert_int_equal(proc_wait(worker.proc, RETRAIN_WAIT_MS), -1);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    struct gw_run run = retrain_wait_for(id, GW_RUN_PROMOTED);
    cluster_stop(&worker);
    return run;
}

static void killed_anywhere_it_ends_in_the_same_state_with_the_same_digest(void **state)
{
    (void)state;
    static const char *const faults[] = {"retrain.asked:kill",  "retrain.dataset:kill",    "retrain.training:kill:3",
                                         "retrain.gating:kill", "retrain.registered:kill", "retrain.promoted:kill"};
    const struct gw_registry_change change = {.actor = "tester", .reason = "a test"};
    struct gw_registry_outcome outcome;
    char digest[GW_BUNDLE_DIGEST_BYTES];
    gw_err err = {0};
    retrain_begin(NULL);
    retrain_put_examples(TRUE_LABELS);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    retrain_send(TEST_MODEL_NAME, "undisturbed");
    snprintf(digest, sizeof digest, "%s", retrain_wait_for("retrain_requests-0-0", GW_RUN_PROMOTED).digest);
    cluster_stop(&worker);
    for (size_t i = 0; i < GW_COUNT_OF(faults); i++) {
        char id[64];
        snprintf(id, sizeof id, "retrain_requests-0-%zu", i + 1);
        assert_ok_err(gw_registry_rollback(registry, TEST_MODEL_NAME, TEST_MODEL_VERSION, &change, &outcome, &err),
                      &err);
        struct gw_run run = killed_at(faults[i], id);
        assert_string_equal(run.digest, digest);
        assert_int_equal(run.version, (int)i + 3); // none registered twice
        assert_int_equal(retrain_champion(), run.version);
    }
    retrain_end();
}

static int32_t samples_partition(void)
{
    return (int32_t)gw_hash_partition(TEST_MODEL_NAME, strlen(TEST_MODEL_NAME),
                                      gw_runtime_partitions(&cluster.runtime, GW_TOPIC_FEATURE_SAMPLES));
}

static void put_samples(int count)
{
    uint64_t layout = retrain_layout();
    struct gw_rng rng;
    float features[16];
    float head = 0.5f;
    gw_rng_init(&rng, 11);
    for (int i = 0; i < count; i++) {
        for (size_t f = 0; f < test_model_feature_count; f++) {
            features[f] = (float)(gw_rng_double(&rng) * 10);
        }
        const struct gw_feature_sample sample = {.model_name = gw_slice_text(TEST_MODEL_NAME),
                                                 .model_version = TEST_MODEL_VERSION,
                                                 .variant = gw_slice_text("champion"),
                                                 .layout = (int64_t)layout,
                                                 .features =
                                                     gw_slice_make(features, test_model_feature_count * sizeof(float)),
                                                 .heads = {.items = &head, .count = 1},
                                                 .score = 0.5f,
                                                 .served_at_ms = gw_clock_wall_ms() - 1000,
                                                 .weight = 1};
        RECORDS_ENCODE(&cluster, GW_TOPIC_FEATURE_SAMPLES, gw_feature_sample_encode, &sample);
        records_put(&cluster, GW_TOPIC_FEATURE_SAMPLES, samples_partition(), 0, gw_buf_slice(&cluster.value), NULL, 0);
    }
    records_flush(&cluster);
}

// The reference is part of the bundle, and so of its digest: with samples it is another one than without, and after a
// kill it is made again to the byte.
static void samples_of_live_vectors_become_the_drift_reference(void **state)
{
    (void)state;
    const struct gw_registry_change change = {.actor = "tester", .reason = "a test"};
    struct gw_registry_outcome outcome;
    char digest[GW_BUNDLE_DIGEST_BYTES];
    gw_err err = {0};
    retrain_begin(NULL);
    retrain_put_examples(TRUE_LABELS);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    retrain_send(TEST_MODEL_NAME, "without samples");
    snprintf(digest, sizeof digest, "%s", retrain_wait_for("retrain_requests-0-0", GW_RUN_PROMOTED).digest);
    cluster_stop(&worker);
    assert_ok_err(gw_registry_rollback(registry, TEST_MODEL_NAME, TEST_MODEL_VERSION, &change, &outcome, &err), &err);
    put_samples(SAMPLES);
    struct gw_run run = killed_at("retrain.gating:kill", "retrain_requests-0-1");
    assert_string_not_equal(run.digest, digest);
    assert_int_equal(run.trainings, 2);
    char samples[64];
    snprintf(samples, sizeof samples, "\"samples\":[%d,0,%d]", samples_partition(), SAMPLES);
    assert_true(retrain_says(run.manifest, samples));
    retrain_end();
}

GW_TESTS(a_request_ends_in_a_better_champion_that_can_be_rolled_back, poisoned_labels_promote_nothing,
         broken_labels_disconnect_the_trainer, decay_of_the_champions_quality_asks_once,
         samples_of_live_vectors_become_the_drift_reference, a_model_that_answers_the_base_rate_fails_the_gate,
         decisions_not_to_train_are_recorded, a_training_is_cancelled, an_alert_of_harmful_drift_asks_and_others_do_not,
         a_killed_trainer_is_started_again, another_worker_takes_over_what_a_killed_one_drove,
         a_lost_session_of_the_database_loses_nothing, a_schedule_asks_once_in_each_span,
         killed_anywhere_it_ends_in_the_same_state_with_the_same_digest)
