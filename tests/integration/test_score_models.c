// SPDX-License-Identifier: MIT
// Following model_routes on a real broker. With PostgreSQL away models come from the disk cache, what is not there is
// waited for, and what cannot serve changes nothing; with PostgreSQL a damaged copy is made anew, and a version that
// cannot serve is rejected.
#include "support/model.h"
#include "support/records.h"

#include "model/bundle.h"
#include "records/model_route.h"
#include "worker/score_models.h"

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MODEL "test-ranker"

static struct cluster cluster;
static char cache[64];

struct version {
    int32_t number;
    char digest[GW_ROUTE_DIGEST_BYTES];
    char kept[128]; // directory outside of the cache
};

// Writes a bundle aside; put_into_cache makes it known.
static struct version make_version(int32_t number, const char *feature)
{
    struct version version = {.number = number};
    struct gw_bundle *bundle = NULL;
    gw_err err = {0};
    snprintf(version.kept, sizeof version.kept, "%s/aside-%d", cache, number);
    test_model_write_of(version.kept, MODEL, number, &feature, 1);
    assert_ok_err(gw_bundle_load(version.kept, &bundle, &err), &err);
    snprintf(version.digest, sizeof version.digest, "%s", gw_bundle_info(bundle)->digest);
    gw_bundle_unref(bundle);
    return version;
}

static void put_into_cache(const struct version *version)
{
    char path[192];
    snprintf(path, sizeof path, "%s/%s", cache, version->digest);
    assert_int_equal(rename(version->kept, path), 0);
}

static void begin(const char *name, bool postgres)
{
    static char directory[128];
    const char *more[] = {directory, "score.default_model=" MODEL, "postgres.timeout=5s",
                          postgres ? NULL : "postgres.uri=postgresql://nobody@127.0.0.1:1/nothing", NULL};
    snprintf(cache, sizeof cache, "/tmp/godwit-test-cache-XXXXXX");
    assert_non_null(mkdtemp(cache));
    snprintf(directory, sizeof directory, "score.model_directory=%s", cache);
    cluster_begin(&cluster, name, more);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void end(void)
{
    cluster_end(&cluster);
    nftw(cache, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void put(struct gw_slice value)
{
    gw_err err = {0};
    const struct gw_kafka_output output = {.topic = gw_runtime_topic(&cluster.runtime, GW_TOPIC_MODEL_ROUTES),
                                           .partition = 0,
                                           .key = gw_slice_text(MODEL),
                                           .value = value};
    assert_ok_err(gw_kafka_produce(cluster.producer, &output, &err), &err);
    records_flush(&cluster);
}

static void put_route(int64_t sequence, const struct version *version)
{
    struct gw_route_target target = {.version = version->number,
                                     .variant = gw_slice_text("champion"),
                                     .weight = (int32_t)GW_ROUTE_BUCKETS,
                                     .digest = gw_slice_text(version->digest)};
    struct gw_model_route route = {
        .model_name = gw_slice_text(MODEL), .sequence = sequence, .salt = gw_slice_text("s"), .at_ms = 1};
    route.targets.items = &target;
    route.targets.count = 1;
    RECORDS_ENCODE(&cluster, GW_TOPIC_MODEL_ROUTES, gw_model_route_encode, &route);
    put(gw_buf_slice(&cluster.value));
}

// ---- waiting --------------------------------------------------------------------------------------------------------

static int32_t serving(struct gw_score_models *models)
{
    struct gw_score_table *table = gw_score_models_acquire(models);
    const struct gw_score_route *route = gw_score_table_find(table, (struct gw_slice){0});
    int32_t version = route != NULL ? route->targets[0]->version : 0;
    gw_score_table_unref(table);
    return version;
}

struct expected {
    struct gw_score_models *models;
    int32_t version;
};

static bool serves(void *context)
{
    const struct expected *expected = context;
    return serving(expected->models) == expected->version;
}

static void wait_serving(struct gw_score_models *models, int32_t version)
{
    struct expected expected = {models, version};
    wait_until(serves, &expected, CLUSTER_WAIT_MS, "another version serves");
}

static uint64_t counter(const char *name, const char *labels)
{
    const struct gw_metric *metric = gw_metrics_counter(cluster.runtime.metrics, name, labels, "");
    assert_non_null(metric);
    return gw_metric_count(metric);
}

static bool counted(void *context)
{
    const char *const *metric = context; // name, labels
    return counter(metric[0], metric[1]) > 0;
}

static void wait_counted(const char *name, const char *labels)
{
    const char *metric[] = {name, labels};
    wait_until(counted, metric, CLUSTER_WAIT_MS, labels);
}

// ---- tests ----------------------------------------------------------------------------------------------------------

static void routes_take_effect_and_bad_ones_change_nothing(void **state)
{
    (void)state;
    struct gw_score_models *models = NULL;
    gw_err err = {0};
    begin("score-models", false);
    struct version one = make_version(1, "user.follower_count");
    struct version two = make_version(2, "tweet.favs_total");
    struct version no_feature = make_version(3, "user.nobody_has_this");
    struct version absent = {.number = 4};
    memset(absent.digest, 'a', GW_ROUTE_DIGEST_BYTES - 1);
    put_into_cache(&one);
    put_into_cache(&two);
    put_into_cache(&no_feature);

    assert_ok_err(gw_score_models_start(&cluster.runtime, &models, &err), &err);
    assert_int_equal(serving(models), 0); // no route yet
    put_route(5, &one);
    wait_serving(models, 1);

    // The second one is warmed up by a request that came meanwhile.
    struct gw_candidate candidate = {.tweet_id = 7};
    struct gw_prediction_request request = {.user_id = 9};
    struct gw_buf body = {0};
    request.candidates.items = &candidate;
    request.candidates.count = 1;
    assert_ok(gw_prediction_request_encode(&request, &body));
    gw_score_models_remember(models, gw_buf_slice(&body));
    gw_buf_deinit(&body);
    struct gw_score_table *held = gw_score_models_acquire(models); // as by a batch under way
    put_route(6, &two);
    wait_serving(models, 2);
    assert_int_equal(held->default_route->targets[0]->version, 1);
    gw_score_table_unref(held);

    put(gw_slice_text("no record"));
    put_route(4, &one); // older than what serves
    wait_counted("godwit_score_routes_ignored_total", "reason=\"bad\"");
    wait_counted("godwit_score_routes_ignored_total", "reason=\"old\"");
    put_route(7, &absent);
    wait_counted("godwit_score_model_loads_total", "result=\"retry\"");
    assert_int_equal(serving(models), 2);
    put_route(8, &no_feature);
    wait_counted("godwit_score_model_loads_total", "result=\"refused\"");
    assert_int_equal(serving(models), 2);
    put_route(9, &one);
    wait_serving(models, 1);
    assert_int_equal(counter("godwit_score_model_loads_total", "result=\"ok\""), 2); // it was still in memory
    put((struct gw_slice){0});
    wait_serving(models, 0);
    gw_score_models_stop(models);
    end();
}

struct starting {
    struct gw_score_models *models;
    gw_status status;
    gw_err err;
};

static void *start(void *argument)
{
    struct starting *starting = argument;
    starting->status = gw_score_models_start(&cluster.runtime, &starting->models, &starting->err);
    return NULL;
}

static void the_start_waits_for_the_default_model(void **state)
{
    (void)state;
    struct starting starting = {.status = GW_E_INTERNAL};
    pthread_t thread;
    begin("score-start", false);
    struct version one = make_version(1, "user.follower_count");
    put_route(5, &one);
    assert_int_equal(pthread_create(&thread, NULL, start, &starting), 0);
    wait_counted("godwit_score_model_loads_total", "result=\"retry\"");
    put_into_cache(&one);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ok_err(starting.status, &starting.err);
    assert_int_equal(serving(starting.models), 1);
    gw_score_models_stop(starting.models);
    end();
}

static void a_stop_ends_the_wait(void **state)
{
    (void)state;
    struct starting starting = {.status = GW_E_INTERNAL};
    pthread_t thread;
    begin("score-stop", false);
    struct version one = make_version(1, "user.follower_count");
    put_route(5, &one);
    assert_int_equal(pthread_create(&thread, NULL, start, &starting), 0);
    wait_counted("godwit_score_model_loads_total", "result=\"retry\"");
    atomic_store(&cluster.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_fails(starting.status, GW_E_UNAVAILABLE);
    end();
}

static bool is_rejected(void *context)
{
    (void)context;
    return registry_number(cluster.registry.postgres,
                           "SELECT count(*) FROM registry_events WHERE to_state = 'REJECTED' "
                           "AND actor LIKE 'score@%' AND reason <> ''") == 1;
}

static int damage_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)walk;
    assert_true(kind != FTW_F || truncate(path, 1) == 0);
    return 0;
}

static void a_damaged_copy_is_made_anew_and_a_version_without_artefact_is_rejected(void **state)
{
    (void)state;
    struct gw_score_models *models = NULL;
    gw_err err = {0};
    begin("score-registry", true); // its champion is in the registry, and its route in the topic
    assert_ok_err(gw_score_models_start(&cluster.runtime, &models, &err), &err);
    assert_int_equal(serving(models), TEST_MODEL_VERSION);
    gw_score_models_stop(models);

    nftw(cache, damage_one, 16, FTW_PHYS);
    assert_ok_err(gw_score_models_start(&cluster.runtime, &models, &err), &err);
    assert_int_equal(serving(models), TEST_MODEL_VERSION);
    assert_int_equal(counter("godwit_score_model_loads_total", "result=\"refused\""), 0);

    struct version other = {.number = TEST_MODEL_VERSION};
    memset(other.digest, 'a', GW_ROUTE_DIGEST_BYTES - 1);
    put_route(1000, &other);
    wait_until(is_rejected, NULL, CLUSTER_WAIT_MS, "a rejection in the history");
    assert_int_equal(serving(models), TEST_MODEL_VERSION); // until a newer route comes
    gw_score_models_stop(models);
    end();
}

GW_TESTS(routes_take_effect_and_bad_ones_change_nothing, the_start_waits_for_the_default_model, a_stop_ends_the_wait,
         a_damaged_copy_is_made_anew_and_a_version_without_artefact_is_rejected)
