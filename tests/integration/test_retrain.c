// SPDX-License-Identifier: MIT
// retrain on the real services: from a request to a version that serves, or to a reason why not; killed at its steps,
// it ends in the same state with the same digest.
#include "support/model.h"
#include "support/records.h"

#include "base/clock.h"
#include "base/rng.h"
#include "label/bits.h"
#include "model/bundle.h"
#include "records/labeled_example.h"
#include "records/retrain_request.h"
#include "registry/registry.h"
#include "registry/runs.h"
#include "registry/views.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { REQUESTS = 1500, CANDIDATES = 2, RUN_MS = 90000 };

// What the labels of a data set are.
enum labels {
    TRUE_LABELS,     // follow from two features
    POISONED_LABELS, // follow from nothing
    NO_FEATURES,     // nothing to learn from: all values missing
};

static struct cluster cluster;
static struct gw_registry *registry;
static struct gw_arena arena;
static struct cluster_worker worker;

static const char *const settings[] = {
    "retrain.rows_min=500", "retrain.positives_min=20", "retrain.trees=12", "retrain.depth=3", "retrain.eta=0.3",
    "retrain.memory=0",     "retrain.cooldown=0s",      "retrain.shadow=200ms", NULL};

static void begin(const char *const *more)
{
    const char *all[24];
    size_t count = 0;
    gw_err err = {0};
    for (size_t i = 0; settings[i] != NULL; i++) {
        all[count++] = settings[i];
    }
    for (size_t i = 0; more != NULL && more[i] != NULL; i++) {
        all[count++] = more[i];
    }
    all[count] = NULL;
    cluster_begin(&cluster, "retrain", all);
    const struct gw_registry_options options = {
        .uri = cluster.registry.uri, .application = "godwit-test", .timeout_ms = 30000};
    assert_ok_err(gw_registry_new(&options, &registry, &err), &err);
    gw_arena_init(&arena, 1 << 16, 64 << 20);
}

static void end(void)
{
    gw_registry_free(registry);
    gw_arena_deinit(&arena);
    cluster_end(&cluster);
}

// ---- examples and requests ------------------------------------------------------------------------------------------

static uint64_t layout_of_test_model(void)
{
    struct gw_bundle *bundle = NULL;
    gw_err err = {0};
    assert_ok_err(gw_bundle_load(cluster.bundle, &bundle, &err), &err);
    uint64_t layout = gw_bundle_layout(gw_bundle_info(bundle));
    gw_bundle_unref(bundle);
    return layout;
}

static void put_example(struct gw_rng *rng, uint64_t layout, enum labels labels, int64_t request, int64_t candidate,
                        int64_t time_ms)
{
    float features[16];
    for (size_t f = 0; f < test_model_feature_count; f++) {
        features[f] = labels == NO_FEATURES ? NAN : (float)(gw_rng_double(rng) * 10);
    }
    double logit = labels == TRUE_LABELS ? -2.5 + 0.5 * (double)features[3] - (features[5] > 5 ? 2 : 0) : -1.5;
    bool positive = gw_rng_double(rng) < 1 / (1 + exp(-logit));
    bool retweeted = gw_rng_double(rng) < 0.1;
    const struct gw_labeled_example example = {
        .request_join_id = request + 1,
        .user_id = request % 97 + 1,
        .tweet_id = request * 100 + candidate,
        .layout = (int64_t)layout,
        .features = gw_slice_make(features, test_model_feature_count * sizeof(float)),
        .label_bits = (positive ? GW_LABEL_BIT(FAVORITED) : 0) | (retweeted ? GW_LABEL_BIT(RETWEETED) : 0),
        .kind = GW_EXAMPLE_KIND_WINDOW_CLOSED,
        .weight = 1,
        .served_at_ms = time_ms,
    };
    RECORDS_SEND(&cluster, GW_TOPIC_TRAINING_EXAMPLES, gw_labeled_example_encode, &example, example.user_id);
}

static void put_examples(enum labels labels)
{
    uint64_t layout = layout_of_test_model();
    int64_t now_ms = gw_clock_wall_ms();
    struct gw_rng rng;
    gw_rng_init(&rng, 7);
    for (int64_t r = 0; r < REQUESTS; r++) {
        for (int64_t c = 0; c < CANDIDATES; c++) {
            put_example(&rng, layout, labels, r, c, now_ms - (REQUESTS - r) * 100);
        }
    }
    records_flush(&cluster);
}

static void ask(const char *model, const char *reason)
{
    const struct gw_retrain_request request = {.model_name = gw_slice_text(model),
                                               .reason = gw_slice_text(reason),
                                               .actor = gw_slice_text("tester"),
                                               .at_ms = gw_clock_wall_ms(),
                                               .options = gw_slice_text("{}")};
    RECORDS_ENCODE(&cluster, GW_TOPIC_RETRAIN_REQUESTS, gw_retrain_request_encode, &request);
    records_put(&cluster, GW_TOPIC_RETRAIN_REQUESTS, 0, 0, gw_buf_slice(&cluster.value), NULL, 0);
    records_flush(&cluster);
}

// ---- waiting --------------------------------------------------------------------------------------------------------

struct wanted {
    const char *id;
    enum gw_run_state state;
    struct gw_run run;
};

static bool has_come(void *context)
{
    struct wanted *wanted = context;
    gw_arena_clear(&arena);
    if (gw_runs_get(registry, wanted->id, &arena, &wanted->run, NULL) != GW_OK) {
        return false;
    }
    return !gw_run_state_is_active(wanted->run.state) || wanted->run.state == wanted->state;
}

// Waits until the run is in this state; another end fails the test.
static struct gw_run wait_for(const char *id, enum gw_run_state state)
{
    struct wanted wanted = {.id = id, .state = state};
    wait_until(has_come, &wanted, RUN_MS, gw_run_state_name(state));
    if (wanted.run.state != state) {
        proc_print_log(worker.proc);
        print_error("run %s is %s: %s\n", id, gw_run_state_name(wanted.run.state), wanted.run.verdict);
        assert_int_equal(wanted.run.state, state);
    }
    return wanted.run;
}

static int32_t champion(void)
{
    struct gw_registry_model model;
    struct gw_arena mine;
    gw_err err = {0};
    gw_arena_init(&mine, 4096, 1 << 20);
    assert_ok_err(gw_registry_get_model(registry, TEST_MODEL_NAME, &mine, &model, &err), &err);
    gw_arena_deinit(&mine);
    return model.champion;
}

static bool says(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        print_error("'%s' does not contain '%s'\n", text, part);
        return false;
    }
    return true;
}

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
    begin(NULL);
    put_examples(TRUE_LABELS);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    ask(TEST_MODEL_NAME, "because");
    struct gw_run run = wait_for("retrain_requests-0-0", GW_RUN_PROMOTED);
    assert_int_equal(run.rows, REQUESTS * CANDIDATES);
    assert_int_equal(run.parent_version, TEST_MODEL_VERSION);
    assert_int_equal(run.version, 2);
    assert_string_equal(run.reason, "because");
    assert_string_equal(run.actor, "tester");
    assert_int_equal(strlen(run.manifest_hash), 64);
    assert_true(says(run.gate_json, "\"PASS\""));
    char hash[GW_BUNDLE_DIGEST_BYTES];
    snprintf(hash, sizeof hash, "%s", run.manifest_hash);
    assert_int_equal(champion(), 2);

    assert_ok_err(gw_registry_get_version(registry, TEST_MODEL_NAME, 2, &arena, &version, &err), &err);
    assert_true(says(version.lineage_json, hash));
    assert_true(says(version.lineage_json, "retrain_requests-0-0"));
    assert_true(says(version.metrics_json, "\"gate\""));
    assert_int_equal(version.parent_version, TEST_MODEL_VERSION);
    assert_ok_err(gw_runs_curve(registry, "retrain_requests-0-0", &arena, &points, &point_count, &err), &err);
    assert_true(point_count > 2);
    assert_true(points[point_count - 1].log_loss < points[0].log_loss);

    // The same rows again: the trainer is deterministic, and there is nothing to gain.
    ask(TEST_MODEL_NAME, "again");
    run = wait_for("retrain_requests-0-1", GW_RUN_REFUSED);
    assert_true(says(run.verdict, "byte by byte"));

    assert_ok_err(gw_registry_rollback(registry, TEST_MODEL_NAME, 0, &change, &outcome, &err), &err);
    assert_int_equal(champion(), TEST_MODEL_VERSION);
    cluster_stop(&worker);
    end();
}

static void poisoned_labels_promote_nothing(void **state)
{
    (void)state;
    begin(NULL);
    put_examples(POISONED_LABELS);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    ask(TEST_MODEL_NAME, "poison");
    struct gw_run run = wait_for("retrain_requests-0-0", GW_RUN_REFUSED);
    assert_true(says(run.verdict, "failed"));
    assert_int_equal(run.version, 0);
    assert_int_equal(champion(), TEST_MODEL_VERSION);
    cluster_stop(&worker);
    end();
}

// Its log loss is better than that of a champion who knows nothing of these labels: only the checks stop it.
static void a_model_that_answers_the_base_rate_fails_the_gate(void **state)
{
    (void)state;
    begin(NULL);
    put_examples(NO_FEATURES);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    ask(TEST_MODEL_NAME, "constant");
    struct gw_run run = wait_for("retrain_requests-0-0", GW_RUN_REFUSED);
    assert_true(says(run.verdict, "gate PASS"));
    assert_true(says(run.verdict, "check auc"));
    assert_int_equal(champion(), TEST_MODEL_VERSION);
    cluster_stop(&worker);
    end();
}

static void decisions_not_to_train_are_recorded(void **state)
{
    (void)state;
    begin((const char *const[]){"retrain.shadow=1h", NULL});
    put_examples(TRUE_LABELS);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    ask(TEST_MODEL_NAME, "first");
    ask("no-such-model", "unknown");
    struct gw_run run = wait_for("retrain_requests-0-1", GW_RUN_REFUSED);
    assert_true(says(run.verdict, "no model"));
    (void)wait_for("retrain_requests-0-0", GW_RUN_SHADOW);
    ask(TEST_MODEL_NAME, "second");
    run = wait_for("retrain_requests-0-2", GW_RUN_REFUSED);
    assert_true(says(run.verdict, "under way"));

    // Cancelled in the shadow: the version stays, and serves nobody.
    struct gw_registry_version version;
    gw_err err = {0};
    assert_ok_err(gw_runs_cancel(registry, "retrain_requests-0-0", "tester", &err), &err);
    run = wait_for("retrain_requests-0-0", GW_RUN_CANCELLED);
    assert_true(says(run.verdict, "tester"));
    assert_ok_err(gw_registry_get_version(registry, TEST_MODEL_NAME, 2, &arena, &version, &err), &err);
    assert_int_equal(version.state, GW_ROLLOUT_VERIFIED);
    assert_fails(gw_runs_cancel(registry, "retrain_requests-0-0", "tester", &err), GW_E_CONFLICT);
    assert_fails(gw_runs_cancel(registry, "retrain_requests-0-77", "tester", &err), GW_E_NOT_FOUND);
    cluster_stop(&worker);

    worker = cluster_run_ready(&cluster, "retrain", (const char *const[]){"retrain.cooldown=1h", NULL});
    ask(TEST_MODEL_NAME, "third");
    run = wait_for("retrain_requests-0-3", GW_RUN_REFUSED);
    assert_true(says(run.verdict, "cooldown"));
    cluster_stop(&worker);

    worker = cluster_run_ready(&cluster, "retrain", (const char *const[]){"retrain.enabled=false", NULL});
    ask(TEST_MODEL_NAME, "fourth");
    run = wait_for("retrain_requests-0-4", GW_RUN_REFUSED);
    assert_true(says(run.verdict, "switched off"));
    cluster_stop(&worker);

    worker = cluster_run_ready(&cluster, "retrain", (const char *const[]){"retrain.rows_min=1000000", NULL});
    ask(TEST_MODEL_NAME, "fifth");
    run = wait_for("retrain_requests-0-5", GW_RUN_REFUSED);
    assert_true(says(run.verdict, "rows_min"));
    assert_int_equal(champion(), TEST_MODEL_VERSION);
    cluster_stop(&worker);
    end();
}

static void a_training_is_cancelled(void **state)
{
    (void)state;
    gw_err err = {0};
    begin((const char *const[]){"retrain.trees=10000", "retrain.eta=0.00001", NULL});
    put_examples(TRUE_LABELS);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    ask(TEST_MODEL_NAME, "long");
    (void)wait_for("retrain_requests-0-0", GW_RUN_TRAINING);
    assert_ok_err(gw_runs_cancel(registry, "retrain_requests-0-0", "tester", &err), &err);
    struct gw_run run = wait_for("retrain_requests-0-0", GW_RUN_CANCELLED);
    assert_int_equal(run.version, 0);
    cluster_stop(&worker);
    end();
}

// Runs until the fault kills the worker, then lets another one finish.
static struct gw_run killed_at(const char *fault, const char *id)
{
    setenv("GODWIT_FAULTS", fault, 1);
    worker = cluster_run(&cluster, "retrain", NULL);
    unsetenv("GODWIT_FAULTS");
    ask(TEST_MODEL_NAME, fault);
    assert_int_equal(proc_wait(worker.proc, RUN_MS), -1);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    struct gw_run run = wait_for(id, GW_RUN_PROMOTED);
    cluster_stop(&worker);
    return run;
}

static void killed_anywhere_it_ends_in_the_same_state_with_the_same_digest(void **state)
{
    (void)state;
    static const char *const faults[] = {"retrain.asked:kill",      "retrain.dataset:kill",    "retrain.training:kill:3",
                                         "retrain.gating:kill",     "retrain.registered:kill", "retrain.promoted:kill"};
    const struct gw_registry_change change = {.actor = "tester", .reason = "a test"};
    struct gw_registry_outcome outcome;
    char digest[GW_BUNDLE_DIGEST_BYTES];
    gw_err err = {0};
    begin(NULL);
    put_examples(TRUE_LABELS);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    ask(TEST_MODEL_NAME, "undisturbed");
    snprintf(digest, sizeof digest, "%s", wait_for("retrain_requests-0-0", GW_RUN_PROMOTED).digest);
    cluster_stop(&worker);
    for (size_t i = 0; i < GW_COUNT_OF(faults); i++) {
        char id[64];
        snprintf(id, sizeof id, "retrain_requests-0-%zu", i + 1);
        assert_ok_err(
            gw_registry_rollback(registry, TEST_MODEL_NAME, TEST_MODEL_VERSION, &change, &outcome, &err), &err);
        struct gw_run run = killed_at(faults[i], id);
        assert_string_equal(run.digest, digest);
        assert_int_equal(run.version, (int)i + 3); // none registered twice
        assert_int_equal(champion(), run.version);
    }
    end();
}

GW_TESTS(a_request_ends_in_a_better_champion_that_can_be_rolled_back, poisoned_labels_promote_nothing,
         a_model_that_answers_the_base_rate_fails_the_gate, decisions_not_to_train_are_recorded,
         a_training_is_cancelled, killed_anywhere_it_ends_in_the_same_state_with_the_same_digest)
