// SPDX-License-Identifier: MIT
// The life of a model by the command line alone, on a real PostgreSQL and a real Kafka: what the verbs say, what stands
// in model_routes afterwards, and what is refused.
#include "component/cli_run.h"
#include "support/model.h"
#include "support/records.h"

#include "base/clock.h"
#include "records/model_event.h"
#include "records/model_route.h"
#include "registry/relay.h"
#include "worker/relay_options.h"

#include <pthread.h>
#include <sys/stat.h>

#define MODEL "cli-ranker"
#define BARE  "tests/unit/model/fixtures/xgboost_1_7.json" // features that the plan lacks

static struct cluster cluster;
static char bundle[512];
static char other[512];   // with other features
static char damaged[512]; // whose manifest is cut

// `last_set` (may be NULL) wins over the cluster's settings.
static const struct cli_result *run_words(const char *last_set, const char *const *words)
{
    const char *argv[64];
    size_t count = 0;
    argv[count++] = "models";
    for (; *words != NULL; words++) {
        argv[count++] = *words;
    }
    for (size_t i = 0; i < cluster.set_count + (last_set != NULL); i++) {
        assert_true(count + 5 < GW_COUNT_OF(argv)); // cli_run_with takes no more
        argv[count++] = "--set";
        argv[count++] = i < cluster.set_count ? cluster.sets[i] : last_set;
    }
    argv[count] = NULL;
    return cli_run_with(NULL, NULL, argv);
}

#define models(...)           run_words(NULL, (const char *const[]){__VA_ARGS__, NULL})
#define models_with(set, ...) run_words(set, (const char *const[]){__VA_ARGS__, NULL})

static const char *succeed(const struct cli_result *result, const char *part)
{
    cli_assert_exit(result, 0);
    cli_assert_contains(result->out, part);
    assert_string_equal(result->err, "");
    return result->out;
}

static void begin(void)
{
    static const char *const features[] = {"tweet.favs_total", "user.follower_count"};
    char path[600];
    cluster_begin(&cluster, "cli", NULL);
    snprintf(bundle, sizeof bundle, "%s/good", cluster.directory);
    snprintf(other, sizeof other, "%s/other", cluster.directory);
    snprintf(damaged, sizeof damaged, "%s/damaged", cluster.directory);
    test_model_write(bundle);
    test_model_write_of(other, MODEL, 1, features, GW_COUNT_OF(features));
    test_model_write(damaged);
    snprintf(path, sizeof path, "%s/bundle.json", damaged);
    assert_int_equal(truncate(path, 40), 0);
}

// ---- what Kafka has -------------------------------------------------------------------------------------------------

struct published {
    int64_t sequence;
    size_t targets;
    int32_t versions[GW_ROUTE_TARGETS_MAX];
    int32_t weights[GW_ROUTE_TARGETS_MAX];
    char variants[GW_ROUTE_TARGETS_MAX][GW_ROUTE_VARIANT_BYTES];
    size_t shadows;
};

static void take_route(void *context, const struct gw_kafka_record *record)
{
    struct published *published = context;
    struct gw_arena arena;
    struct gw_model_route route;
    gw_err err = {0};
    gw_arena_init(&arena, 4096, 1 << 20);
    struct gw_slice body = records_body(&cluster, GW_TOPIC_MODEL_ROUTES, record);
    assert_ok_err(gw_model_route_decode(body, &arena, &route, &err), &err);
    if (gw_slice_is(route.model_name, MODEL)) {
        *published = (struct published){.sequence = route.sequence, .targets = route.targets.count};
        assert_in_range(route.targets.count, 0, GW_ROUTE_TARGETS_MAX);
        for (size_t i = 0; i < route.targets.count; i++) {
            published->versions[i] = route.targets.items[i].version;
            published->weights[i] = route.targets.items[i].weight;
            snprintf(published->variants[i], sizeof published->variants[i], "%.*s",
                     (int)route.targets.items[i].variant.size, (const char *)route.targets.items[i].variant.data);
        }
        published->shadows = route.shadows.count;
    }
    gw_arena_deinit(&arena);
}

// The model's last route in the topic.
static struct published read_route(void)
{
    struct published published = {0};
    records_read(&cluster, gw_runtime_topic(&cluster.runtime, GW_TOPIC_MODEL_ROUTES), 1, take_route, &published);
    return published;
}

static void take_event(void *context, const struct gw_kafka_record *record)
{
    int64_t *last = context;
    struct gw_arena arena;
    struct gw_model_event event;
    gw_err err = {0};
    gw_arena_init(&arena, 4096, 1 << 20);
    struct gw_slice body = records_body(&cluster, GW_TOPIC_MODEL_EVENTS, record);
    assert_ok_err(gw_model_event_decode(body, &arena, &event, &err), &err);
    assert_int_equal(event.sequence, *last + 1);
    *last = event.sequence;
    gw_arena_deinit(&arena);
}

// Sequence of the last event in the topic; on the way it checks that none is missing, double or out of order.
static int64_t last_event(void)
{
    int64_t last = 0;
    records_read(&cluster, gw_runtime_topic(&cluster.runtime, GW_TOPIC_MODEL_EVENTS), 1, take_event, &last);
    return last;
}

static int64_t in_history(void)
{
    return registry_number(cluster.registry.postgres, "SELECT sequence FROM registry_clock");
}

static void assert_serves(int32_t version)
{
    struct published route = read_route();
    assert_int_equal(route.targets, 1);
    assert_int_equal(route.versions[0], version);
    assert_int_equal(route.weights[0], GW_ROUTE_BUCKETS);
    assert_int_equal(last_event(), in_history());
}

// ---- the life of a model --------------------------------------------------------------------------------------------

// Steps of one life: each goes on where the one before it ended.

static void a_new_model_serves_its_baseline(void)
{
    const char *said = succeed(models("create", MODEL, "--actor", "ana", "--reason", "a start", "--description", "x"),
                               MODEL " version 1 is CHAMPION; route ");
    cli_assert_contains(said, " published\n");
    assert_serves(1);
    cli_assert_refused(models("create", MODEL), 4, "exists");
    cli_assert_contains(succeed(models("list"), MODEL), TEST_MODEL_NAME);
    cli_assert_contains(succeed(models("show", MODEL), "champion    version 1, 100%\n"), "revision");
}

static void a_bundle_becomes_the_next_version_and_does_not_serve(void)
{
    succeed(models("register", MODEL, bundle, "--tag", "from=test", "--tag", "kind=stumps", "--description", "first"),
            MODEL " version 2 is VERIFIED; event ");
    assert_serves(1);
    const char *said = succeed(models("show", MODEL, "latest"), "version     2\nstate       VERIFIED\n");
    cli_assert_contains(said, "kind                            stumps\n");
    cli_assert_contains(said, "is_retweeted");
    cli_assert_contains(said, "parent      version 1\n");
    said = succeed(models("show", MODEL, "2", "--json"), "\"version\":2");
    cli_assert_contains(said, "\"tags\":{\"from\": \"test\", \"kind\": \"stumps\"}");
}

static void what_is_no_model_is_refused_and_changes_nothing(void)
{
    int64_t before = in_history();
    cli_assert_refused(models("register", MODEL, "README.md"), 2, "not a model file");
    cli_assert_refused(models("register", MODEL, damaged), 2, "bundle.json");
    cli_assert_refused(models("register", MODEL, "/no/such/bundle"), 1, "/no/such/bundle");
    cli_assert_refused(models("register", "nobody", bundle), 1, "nobody");
    assert_int_not_equal(models("register", MODEL, BARE, "--head", "is_favorited")->exit_code, 0);
    cli_assert_refused(models("promote", MODEL, "99"), 1, "99");
    cli_assert_refused(models("show", "nobody", "latest"), 1, "nobody");
    cli_assert_refused(models("promote", MODEL, "1"), 4, "CHAMPION");
    cli_assert_refused(models("archive", MODEL, "1"), 4, "legal are");
    cli_assert_refused(models("rollback", MODEL), 4, "");
    cli_assert_refused(models("promote", MODEL, "2", "--if-revision", "1"), 4, "revision");
    cli_assert_refused(models("split", MODEL, "2=100%"), 2, "");
    assert_int_equal(in_history(), before);
    assert_serves(1);
}

static void a_promotion_is_published_and_happens_once_a_key(void)
{
    char revision[32];
    snprintf(revision, sizeof revision, "%lld", (long long)in_history());
    const struct cli_result *result = models("promote", MODEL, "2", "--if-revision", revision, "--idempotency-key",
                                             "k1", "--actor", "bo", "--reason", "better");
    cli_assert_contains(succeed(result, MODEL " version 2 is CHAMPION (was version 1); route "), " published\n");
    assert_serves(2);
    int64_t before = in_history();
    succeed(models("promote", MODEL, "2", "--if-revision", revision, "--idempotency-key", "k1"), "(done before)");
    assert_int_equal(in_history(), before);
    cli_assert_refused(models("promote", MODEL, "1", "--idempotency-key", "k1"), 2, "k1");
}

static void canaries_and_shadows_stand_in_the_route(void)
{
    succeed(models("register", MODEL, other), "version 3 is VERIFIED");
    succeed(models("shadow", MODEL, "3"), "version 3 is SHADOW");
    struct published route = read_route();
    assert_int_equal(route.shadows, 1);
    succeed(models("split", MODEL, "latest=5%:blue"), "");
    route = read_route();
    assert_int_equal(route.targets, 2);
    assert_int_equal(route.shadows, 0);
    assert_int_equal(route.versions[0], 2);
    assert_int_equal(route.weights[0], 9500);
    assert_int_equal(route.versions[1], 3);
    assert_int_equal(route.weights[1], 500);
    assert_string_equal(route.variants[1], "blue");
    cli_assert_contains(succeed(models("show", MODEL), "blue        version 3, 5%\n"), "champion    version 2, 95%\n");
    cli_assert_contains(succeed(models("list", MODEL), "CANARY"), "blue");
    succeed(models("split", MODEL, "--off"), "");
    assert_serves(2);
}

static void two_versions_are_compared(void)
{
    const char *said = succeed(models("compare", MODEL, "2", "3"), "feature user.state");
    cli_assert_contains(said, "CHAMPION");
    cli_assert_contains(said, "digest");
    cli_assert_contains(said, "head is_favorited trees");
    succeed(models("compare", MODEL, "2", "3", "--json"), "\"removed\":[\"author.follower_count\"");
}

static void a_rollback_is_one_verb_and_the_history_knows_who_served(void)
{
    char at[32];
    snprintf(at, sizeof at, "%lld", (long long)gw_clock_wall_ms());
    succeed(models("rollback", MODEL, "--reason", "worse after all"), "version 1 is CHAMPION (was version 2); route ");
    assert_serves(1);
    const char *said = succeed(models("history", MODEL, "--at", at), "2        100%   champion");
    cli_assert_contains(said, "since event");
    said = succeed(models("history", MODEL, "--at", at, "--json"), "\"targets\":[{\"version\":2,");
    said = succeed(models("history", MODEL, "--at", "-0s", "--json"), "\"targets\":[{\"version\":1,");
    cli_assert_refused(models("history", MODEL, "--at", "1000"), 1, "");
    said = succeed(models("history", MODEL), "worse after all");
    cli_assert_contains(said, "ana");
    cli_assert_contains(said, "better");
    said = succeed(models("history", MODEL, "--limit", "1"), "worse after all");
    assert_null(strstr(said, "better"));
}

static void an_archived_version_can_be_collected_and_does_not_come_back(void)
{
    char out[600];
    snprintf(out, sizeof out, "%s/exported", cluster.directory);
    succeed(models("export", MODEL, "3", "--out", out), "is in '");
    cli_assert_refused(models("export", MODEL, "3", "--out", out), 4, "exists");
    cli_assert_contains(succeed(cli_run("models", "inspect", out), "2 features:"), "is_favorited");
    succeed(models("gc", "--older-than", "0s"), "0 bytes freed");
    succeed(models("archive", MODEL, "3"), "version 3 is archived");
    cli_assert_contains(succeed(models("gc", "--dry-run", "--older-than", "0s"), "bundle"), "would be freed");
    succeed(models("gc"), "0 bytes freed"); // younger than an hour
    cli_assert_contains(succeed(models("gc", "--older-than", "0s", "--json"), "\"what\":\"bundle\""), "\"bytes\":");
    snprintf(out, sizeof out, "%s/exported-again", cluster.directory);
    cli_assert_refused(models("export", MODEL, "3", "--out", out), 1, "");
    cli_assert_refused(models("promote", MODEL, "3"), 4, "");
    assert_serves(1);
}

static void a_rejected_champion_gives_way(void)
{
    succeed(models("promote", MODEL, "2"), "version 2 is CHAMPION");
    succeed(models("reject", MODEL, "2", "--reason", "answers NaN"), "version 2 is REJECTED");
    assert_serves(1);
    succeed(models("show", MODEL, "2"), "because     answers NaN\n");
    cli_assert_refused(models("promote", MODEL, "2"), 4, "REJECTED");
}

static void a_model_lives_by_its_verbs(void **state)
{
    (void)state;
    begin();
    a_new_model_serves_its_baseline();
    a_bundle_becomes_the_next_version_and_does_not_serve();
    what_is_no_model_is_refused_and_changes_nothing();
    a_promotion_is_published_and_happens_once_a_key();
    canaries_and_shadows_stand_in_the_route();
    two_versions_are_compared();
    a_rollback_is_one_verb_and_the_history_knows_who_served();
    an_archived_version_can_be_collected_and_does_not_come_back();
    a_rejected_champion_gives_way();
    cluster_end(&cluster);
}

// ---- publishing -----------------------------------------------------------------------------------------------------

static void a_change_while_kafka_or_schemas_are_away_is_published_with_the_next_one(void **state)
{
    (void)state;
    begin();
    succeed(models("create", MODEL, "--no-publish"), " recorded\n");
    assert_int_equal(read_route().targets, 0);
    succeed(models("register", MODEL, bundle), "version 2 is VERIFIED");
    assert_serves(1);
    static const char *const away[] = {"kafka.bootstrap_servers=127.0.0.1:1",
                                       "schema.registry_urls=http://127.0.0.1:1"};
    for (int32_t i = 0; i < 2; i++) {
        const struct cli_result *result = models_with(away[i], "promote", MODEL, i == 0 ? "2" : "1", "--json");
        cli_assert_exit(result, 0);
        cli_assert_contains(result->out, "\"published\":false");
        cli_assert_contains(result->err, "recorded; will be published when a bridge runs");
        assert_int_equal(read_route().versions[0], 1);
    }
    succeed(models("promote", MODEL, "2"), "version 2 is CHAMPION (was version 1)");
    assert_serves(2);
    cluster_end(&cluster);
}

// Relays as the bridge does, until told to stop.
static void *relay(void *context)
{
    atomic_bool *stop = context;
    struct gw_relay_settings settings;
    struct gw_relay *relay = NULL;
    gw_err err = {0};
    bool works = gw_relay_settings_init(&settings, &cluster.runtime, "godwit-test", &err) == GW_OK &&
                 gw_relay_new(&settings.options, &relay, &err) == GW_OK;
    while (works && !atomic_load(stop)) {
        enum gw_relay_state state = GW_RELAY_WAITING;
        works = gw_relay_run(relay, &state, NULL, &err) == GW_OK;
    }
    gw_relay_free(relay);
    gw_relay_settings_deinit(&settings);
    return works ? NULL : context;
}

static void a_change_waits_for_the_relay_that_is_at_work(void **state)
{
    (void)state;
    pthread_t thread;
    void *failed = NULL;
    atomic_bool stop = false;
    begin();
    assert_int_equal(pthread_create(&thread, NULL, relay, &stop), 0);
    for (int i = 0; i < 3; i++) {
        const char *const verb = i == 0 ? "create" : i == 1 ? "register" : "promote";
        const char *const word = i == 0 ? "--json" : i == 1 ? bundle : "2";
        cli_assert_contains(succeed(models(verb, MODEL, word), i == 0 ? "\"published\":true" : "published"), MODEL);
        assert_int_equal(last_event(), in_history());
    }
    assert_serves(2);
    atomic_store(&stop, true);
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    cluster_end(&cluster);
}

GW_TESTS(a_model_lives_by_its_verbs, a_change_while_kafka_or_schemas_are_away_is_published_with_the_next_one,
         a_change_waits_for_the_relay_that_is_at_work)
