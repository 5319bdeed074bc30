// SPDX-License-Identifier: MIT
// The guard on the real services: what is forced upon users and proves worse is taken back without anybody's help,
// once, whatever is killed meanwhile; what is no worse stays.
#include "integration/retrain_fixture.h"
#include "support/postgres_server.h"

#include "model/scorer.h"

#include <sys/stat.h>

enum { ROWS_WAIT_MS = 60000, REQUESTS = 800 };

#define WORSE  (-3.0f) // factor of a version that believes the opposite
#define BETTER 3.0f    // of the model that labels are drawn from
#define EQUAL  1.0f    // of version 1

static struct gw_bundle *truth;
static struct gw_scorer *scorer;
static struct gw_rng rng;
static int64_t next_request;

// ---- versions -------------------------------------------------------------------------------------------------------

static void write_bundle(const char *name, float factor, char ret_path[400])
{
    snprintf(ret_path, 400, "%s/%s", cluster.directory, name);
    test_model_write_variant(ret_path, &(struct test_model_variant){.name = TEST_MODEL_NAME,
                                                                    .features = test_model_features,
                                                                    .feature_count = test_model_feature_count,
                                                                    .metadata_json = "{}",
                                                                    .factor = factor,
                                                                    .weight = 1 + (double)strlen(name)});
}

static int32_t register_version(const char *name, float factor)
{
    char path[400];
    gw_err err = {0};
    struct gw_registry_outcome outcome;
    const struct gw_registry_change change = {.actor = "tester", .reason = name};
    write_bundle(name, factor, path);
    const struct gw_registry_register request = {
        .model = TEST_MODEL_NAME, .directory = path, .description = "", .features = cluster.runtime.features};
    assert_ok_err(gw_registry_register(registry, &request, &change, &outcome, &err), &err);
    return outcome.version;
}

static void promote(int32_t version)
{
    gw_err err = {0};
    struct gw_registry_outcome outcome;
    const struct gw_registry_change change = {.actor = "tester", .reason = "because I say so"};
    assert_ok_err(gw_registry_promote(registry, TEST_MODEL_NAME, version, &change, &outcome, &err), &err);
}

static struct gw_registry_version version_of(int32_t number)
{
    struct gw_registry_version version;
    gw_err err = {0};
    gw_arena_clear(&arena);
    assert_ok_err(gw_registry_get_version(registry, TEST_MODEL_NAME, number, &arena, &version, &err), &err);
    return version;
}

static int64_t events(const char *transition)
{
    char sql[200];
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM registry_events WHERE actor = 'retrain.guard' AND transition = '%s'", transition);
    return registry_number(cluster.registry.postgres, sql);
}

// ---- rows -----------------------------------------------------------------------------------------------------------

// Rows of two candidates a request, served at time_ms, with labels of the truth or, `lying`, of its opposite.
static void put_rows(int requests, int64_t time_ms, bool lying)
{
    const uint64_t layout = gw_bundle_layout(gw_bundle_info(truth));
    for (int i = 0; i < 2 * requests; i++) {
        float row[16];
        float margins[GW_BUNDLE_HEADS_MAX];
        float probabilities[GW_BUNDLE_HEADS_MAX];
        for (size_t f = 0; f < test_model_feature_count; f++) {
            row[f] = gw_rng_double(&rng) < 0.5 ? 0.0f : 1000.0f; // on either side of every threshold
        }
        gw_scorer_margins(scorer, row, test_model_feature_count, 1, margins);
        gw_scorer_finish(scorer, margins, 1, probabilities, NULL, NULL);
        const bool positive = (gw_rng_double(&rng) < (double)probabilities[0]) != lying;
        const struct gw_labeled_example example = {
            .request_join_id = next_request + i / 2 + 1,
            .user_id = next_request + i / 2,
            .tweet_id = i,
            .layout = (int64_t)layout,
            .features = gw_slice_make(row, test_model_feature_count * sizeof(float)),
            .label_bits = positive ? GW_LABEL_BIT(FAVORITED) : 0,
            .kind = GW_EXAMPLE_KIND_WINDOW_CLOSED,
            .weight = 1,
            .served_at_ms = time_ms,
        };
        RECORDS_SEND(&cluster, GW_TOPIC_TRAINING_EXAMPLES, gw_labeled_example_encode, &example, example.user_id);
    }
    next_request += requests;
    records_flush(&cluster);
}

// ---- waiting --------------------------------------------------------------------------------------------------------

static bool has_used(void *context)
{
    return cluster_metric(&worker, "godwit_retrain_guard_rows_total") >= *(const double *)context;
}

static void wait_for_rows(double rows)
{
    wait_until(has_used, &rows, ROWS_WAIT_MS, "the guard to use the rows");
    assert_int_equal((int64_t)cluster_metric(&worker, "godwit_retrain_guard_rows_total"), (int64_t)rows);
}

// False also while the database is away.
static bool is_champion(void *context)
{
    struct gw_registry_model model;
    gw_arena_clear(&arena);
    return gw_registry_get_model(registry, TEST_MODEL_NAME, &arena, &model, NULL) == GW_OK &&
           model.champion == *(const int32_t *)context;
}

static void wait_for_champion(int32_t version)
{
    wait_until(is_champion, &version, ROWS_WAIT_MS, "the rollback");
}

static bool speaks_for_it(void *context)
{
    (void)context;
    return cluster_metric(&worker, "godwit_retrain_guard_log_evidence") < 0;
}

static bool is_rejected(void *context)
{
    return version_of(*(const int32_t *)context).state == GW_ROLLOUT_REJECTED;
}

// ---- life -----------------------------------------------------------------------------------------------------------

static void prepare(void)
{
    char path[400];
    gw_err err = {0};
    write_bundle("truth", BETTER, path);
    assert_ok_err(gw_bundle_load(path, &truth, &err), &err);
    assert_ok_err(gw_scorer_new(truth, NULL, test_model_feature_count, &scorer, &err), &err);
    gw_rng_init(&rng, 11);
    next_request = 0;
}

static void begin(const char *const *more)
{
    retrain_begin(more);
    prepare();
}

static void end(void)
{
    gw_scorer_free(scorer);
    gw_bundle_unref(truth);
    retrain_end();
}

// ---- tests ----------------------------------------------------------------------------------------------------------

static void a_worse_champion_is_taken_back_and_nothing_flips_again(void **state)
{
    (void)state;
    const struct gw_registry_event *history = NULL;
    size_t count = 0;
    gw_err err = {0};
    begin(NULL);
    assert_int_equal(register_version("worse", WORSE), 2);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    put_rows(REQUESTS, gw_clock_wall_ms() - 5000, true); // served before: they would speak for it
    promote(2);
    const uint64_t put_us = gw_clock_mono_us();
    put_rows(REQUESTS, gw_clock_wall_ms(), false);
    const uint64_t there_us = gw_clock_mono_us();
    wait_for_champion(1);
    print_message("taken back %.2f s after the last of %d rows was in the log (sent within %.2f s)\n",
                  (double)(gw_clock_mono_us() - there_us) / 1e6, 2 * REQUESTS, (double)(there_us - put_us) / 1e6);
    assert_int_equal(version_of(2).state, GW_ROLLOUT_RETIRED);
    assert_int_equal(events("rollback"), 1);
    assert_ok_err(gw_registry_history(registry, TEST_MODEL_NAME, 0, 1, &arena, &history, &count, &err), &err);
    print_message("%s\n", history[0].reason);
    assert_true(retrain_says(history[0].reason, "automatic: log loss worse than version 1 by more than 0.005 nats"));
    assert_string_equal(history[0].actor, "retrain.guard");
    const double used = cluster_metric(&worker, "godwit_retrain_guard_rows_total");
    assert_true(used > 10 && used <= REQUESTS); // one a request

    // Rows that speak for version 2 now: version 1 came back by a rollback and stands on no trial. The canary's trial
    // shows when they were read.
    assert_int_equal(register_version("equal", EQUAL), 3);
    const struct gw_registry_change change = {.actor = "tester", .reason = "a witness"};
    const struct gw_registry_share share = {.version = 3, .weight = 100};
    struct gw_registry_outcome outcome;
    assert_ok_err(gw_registry_split(registry, TEST_MODEL_NAME, &share, 1, &change, &outcome, &err), &err);
    put_rows(REQUESTS, gw_clock_wall_ms(), true);
    wait_for_rows(used + REQUESTS);
    assert_int_equal(retrain_champion(), 1);
    assert_int_equal(version_of(3).state, GW_ROLLOUT_CANARY);
    assert_int_equal(events("rollback"), 1);
    assert_true(cluster_metric(&worker, "godwit_retrain_rollbacks_total{what=\"champion\"}") == 1);
    cluster_stop(&worker);
    end();
}

static void an_equal_or_better_champion_stays(void **state)
{
    (void)state;
    static const float factors[] = {EQUAL, BETTER};
    for (size_t i = 0; i < GW_COUNT_OF(factors); i++) {
        begin(NULL);
        assert_int_equal(register_version("no worse", factors[i]), 2);
        worker = cluster_run_ready(&cluster, "retrain", NULL);
        promote(2);
        put_rows(REQUESTS, gw_clock_wall_ms(), false);
        wait_for_rows(REQUESTS);
        wait_until(speaks_for_it, NULL, ROWS_WAIT_MS, "a verdict");
        put_rows(REQUESTS, gw_clock_wall_ms(), false);
        wait_for_rows(2 * REQUESTS);
        assert_int_equal(retrain_champion(), 2);
        cluster_stop(&worker);
        end();
    }
}

static void a_worse_canary_gives_its_share_back_and_is_rejected(void **state)
{
    (void)state;
    struct gw_route route;
    int32_t canary = 2;
    gw_err err = {0};
    begin(NULL);
    assert_int_equal(register_version("worse", WORSE), 2);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    const struct gw_registry_change change = {.actor = "tester", .reason = "a try"};
    const struct gw_registry_share share = {.version = 2, .weight = 1000};
    struct gw_registry_outcome outcome;
    assert_ok_err(gw_registry_split(registry, TEST_MODEL_NAME, &share, 1, &change, &outcome, &err), &err);
    put_rows(REQUESTS, gw_clock_wall_ms(), false);
    wait_until(is_rejected, &canary, ROWS_WAIT_MS, "the canary's end");
    assert_true(retrain_says(version_of(2).rejected_because, "automatic: log loss worse than version 1"));
    assert_int_equal(retrain_champion(), 1);
    assert_ok_err(gw_registry_route(registry, TEST_MODEL_NAME, &route, &err), &err);
    assert_int_equal(route.target_count, 1);
    assert_int_equal(route.targets[0].weight, GW_ROUTE_BUCKETS);
    assert_int_equal(events("reject"), 1);
    cluster_stop(&worker);
    end();
}

// Killed before the verb, behind it, and with half of the evidence.
static void killed_anywhere_it_is_taken_back_once(void **state)
{
    (void)state;
    static const char *const faults[] = {"retrain.guard:kill", "retrain.guarded:kill", NULL};
    for (size_t i = 0; i < GW_COUNT_OF(faults); i++) {
        begin(NULL);
        assert_int_equal(register_version("worse", WORSE), 2);
        promote(2);
        if (faults[i] != NULL) {
            put_rows(REQUESTS, gw_clock_wall_ms(), false);
            setenv("GODWIT_FAULTS", faults[i], 1);
            worker = cluster_run(&cluster, "retrain", NULL);
            unsetenv("GODWIT_FAULTS");
            assert_int_equal(proc_wait(worker.proc, ROWS_WAIT_MS), -1);
            assert_int_equal(events("rollback"), i); // not yet, and already
        } else {
            worker = cluster_run_ready(&cluster, "retrain", NULL);
            put_rows(20, gw_clock_wall_ms(), false);
            wait_for_rows(20);
            assert_int_equal(retrain_champion(), 2);
            proc_kill(worker.proc);
            put_rows(REQUESTS, gw_clock_wall_ms(), false);
        }
        worker = cluster_run_ready(&cluster, "retrain", NULL);
        wait_for_champion(1);
        assert_int_equal(version_of(2).state, GW_ROLLOUT_RETIRED);
        assert_int_equal(events("rollback"), 1);
        cluster_stop(&worker);
        end();
    }
}

static void switched_off_it_takes_nothing_back(void **state)
{
    (void)state;
    begin((const char *const[]){"retrain.rollback=false", NULL});
    assert_int_equal(register_version("worse", WORSE), 2);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    promote(2);
    put_rows(REQUESTS, gw_clock_wall_ms(), false);
    retrain_send(TEST_MODEL_NAME, "reads the same rows"); // and finds that all are of one moment
    (void)retrain_wait_for("retrain_requests-0-0", GW_RUN_REFUSED);
    assert_int_equal(retrain_champion(), 2);
    assert_true(cluster_metric(&worker, "godwit_retrain_guard_rows_total") < 0); // there is no such metric
    assert_int_equal(events("rollback"), 0);
    cluster_stop(&worker);
    end();
}

static void a_worse_canary_of_a_run_ends_the_run(void **state)
{
    (void)state;
    begin((const char *const[]){"retrain.canary=1h", NULL});
    retrain_put_examples(TRUE_LABELS);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    retrain_send(TEST_MODEL_NAME, "to be regretted");
    (void)retrain_wait_for("retrain_requests-0-0", GW_RUN_CANARY);
    put_rows(2 * REQUESTS, gw_clock_wall_ms(), false); // a world in which version 1 is right
    struct gw_run run = retrain_wait_for("retrain_requests-0-0", GW_RUN_REFUSED);
    assert_true(retrain_says(run.verdict, "version 2 was rejected: automatic: log loss worse than version 1"));
    assert_int_equal(retrain_champion(), 1);
    cluster_stop(&worker);
    end();
}

static void a_damaged_copy_of_a_version_is_fetched_anew(void **state)
{
    (void)state;
    char path[512];
    begin(NULL);
    assert_int_equal(register_version("worse", WORSE), 2);
    promote(2);
    snprintf(path, sizeof path, "%s/models", cluster.directory);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/models/%s", cluster.directory, version_of(2).digest);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/models/%s/bundle.json", cluster.directory, version_of(2).digest);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("{}", file);
    fclose(file);
    put_rows(REQUESTS, gw_clock_wall_ms(), false);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    wait_for_champion(1);
    assert_true(cluster_metric(&worker, "godwit_retrain_guard_incomparable_total") == 0);
    cluster_stop(&worker);
    end();
}

static bool answers(void *context)
{
    return postgres_server_answers(context);
}

static void a_database_that_was_away_changes_nothing(void **state)
{
    (void)state;
    struct postgres_server database;
    char *shared = strdup(getenv("GODWIT_POSTGRES_URI") != NULL ? getenv("GODWIT_POSTGRES_URI") : "");
    postgres_server_begin(&database);
    setenv("GODWIT_POSTGRES_URI", database.uri, 1); // of the cluster's schema
    begin((const char *const[]){"postgres.timeout=3s", NULL});
    assert_int_equal(register_version("worse", WORSE), 2);
    promote(2);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    put_rows(20, gw_clock_wall_ms(), false);
    wait_for_rows(20);
    postgres_server_kill(&database);
    put_rows(REQUESTS, gw_clock_wall_ms(), false);
    postgres_server_start(&database);
    wait_until(answers, &database, ROWS_WAIT_MS, "PostgreSQL to recover");
    wait_for_champion(1);
    assert_true(proc_running(worker.proc));
    cluster_stop(&worker);
    gw_postgres_free(cluster.registry.postgres); // the schema goes with its server
    cluster.registry.postgres = NULL;
    end();
    postgres_server_end(&database);
    setenv("GODWIT_POSTGRES_URI", shared, 1);
    free(shared);
}

GW_TESTS(a_worse_champion_is_taken_back_and_nothing_flips_again, an_equal_or_better_champion_stays,
         a_worse_canary_gives_its_share_back_and_is_rejected, killed_anywhere_it_is_taken_back_once,
         switched_off_it_takes_nothing_back, a_worse_canary_of_a_run_ends_the_run,
         a_damaged_copy_of_a_version_is_fetched_anew, a_database_that_was_away_changes_nothing)
