// SPDX-License-Identifier: MIT
// kill -9 of the bridge, of one of two scorers and of PostgreSQL in the middle of promotions, rollbacks, splits and
// shadows, while requests flow. Afterwards the registry, model_routes, model_events and what scorers serve agree, and
// no version ever served that the history did not name by then.
//
// Changes come through three doors: this process, the command line (a relay of its own, which is killed as well) and
// REST. Each has a reason of its own, by which it is found in the history: once when it was acknowledged, at most once
// else. PostgreSQL is the test's own. The seed is printed.
#include "integration/rollout_fixture.h"
#include "support/postgres_server.h"

#include "base/rng.h"
#include "http/client.h"
#include "records/model_event.h"
#include "records/model_route.h"

enum {
    VERSIONS = 6,
    CHAOS_MS = 40000,
    CHANGES_MAX = 400,
    USERS = 200,
    TURN_REQUESTS = 3,
    UNANSWERED_MAX = 600,
    CLOCK_SLACK_MS = 10, // both clocks are this machine's, in milliseconds
    EVENTS_MAX = 100000,
    ROUTE_WORDS = 1024,
};

static struct postgres_server database;
static struct cluster_worker other; // the second scorer
static char other_directory[320];
static struct gw_rng rng;

static void run_score(void)
{
    rollout.score = cluster_run(&rollout.cluster, "score", NULL);
}

static void run_other(void)
{
    const char *const sets[] = {"worker.instance=other", other_directory, NULL};
    other = cluster_run(&rollout.cluster, "score", sets);
}

static int setup(void **state)
{
    (void)state;
    static const char *const sets[] = {"score.sync_deadline=5s", "redis.timeout=5s", "score.commit_interval=50ms",
                                       "postgres.timeout=3s", NULL};
    postgres_server_begin(&database);
    assert_int_equal(setenv("GODWIT_POSTGRES_URI", database.uri, 1), 0); // of the cluster's schema
    rollout_begin(sets);
    snprintf(other_directory, sizeof other_directory, "score.model_directory=%s/other", rollout.cluster.directory);
    run_other();
    cluster_wait_ready(&other);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (other.proc != NULL) {
        cluster_stop(&other);
    }
    gw_postgres_free(rollout.cluster.registry.postgres); // the schema goes with its server
    rollout.cluster.registry.postgres = NULL;
    rollout_end();
    postgres_server_end(&database);
    return 0;
}

// ---- changes --------------------------------------------------------------------------------------------------------

enum verb { VERB_PROMOTE, VERB_ROLLBACK, VERB_SPLIT, VERB_SHADOW, VERBS };

struct attempt {
    enum verb verb;
    int32_t version;
    uint32_t weight; // 0: end
    bool acknowledged;
    int64_t sequence; // 0: not known
};

static struct attempt attempts[CHANGES_MAX];
static size_t attempt_count;

static void reason_of(size_t number, char ret_reason[16])
{
    snprintf(ret_reason, 16, "c%zu", number);
}

static size_t draw_attempt(void)
{
    static const enum verb verbs[] = {VERB_PROMOTE, VERB_PROMOTE, VERB_PROMOTE, VERB_SPLIT, VERB_ROLLBACK, VERB_SHADOW};
    assert_true(attempt_count < CHANGES_MAX);
    attempts[attempt_count] = (struct attempt){.verb = verbs[gw_rng_below(&rng, GW_COUNT_OF(verbs))],
                                               .version = 1 + (int32_t)gw_rng_below(&rng, VERSIONS),
                                               .weight = (uint32_t)gw_rng_below(&rng, 4) * 1500};
    return attempt_count++;
}

// Refused for what it is, or not decided: both are answers. Anything else is not.
static void assert_plausible(gw_status status, const gw_err *err)
{
    if (status != GW_OK && status != GW_E_CONFLICT && status != GW_E_UNAVAILABLE && status != GW_E_TIMEOUT) {
        fail_msg("a change: %s: %s", gw_status_name(status), err->message);
    }
}

static gw_status try_here(size_t number)
{
    struct attempt *attempt = &attempts[number];
    char reason[16];
    reason_of(number, reason);
    const struct gw_registry_change change = {.actor = "here", .reason = reason, .idempotency_key = reason};
    const struct gw_registry_share share = {.version = attempt->version, .weight = attempt->weight};
    struct gw_registry_outcome outcome = {0};
    gw_err err = {0};
    gw_status status = GW_E_INTERNAL;
    switch (attempt->verb) {
    case VERB_PROMOTE:
        status = gw_registry_promote(rollout.registry, TEST_MODEL_NAME, attempt->version, &change, &outcome, &err);
        break;
    case VERB_ROLLBACK:
        status = gw_registry_rollback(rollout.registry, TEST_MODEL_NAME, 0, &change, &outcome, &err);
        break;
    case VERB_SPLIT:
        status =
            gw_registry_split(rollout.registry, TEST_MODEL_NAME, &share, attempt->weight > 0, &change, &outcome, &err);
        break;
    case VERB_SHADOW:
        status = gw_registry_shadow(rollout.registry, TEST_MODEL_NAME, attempt->version, attempt->weight > 0, &change,
                                    &outcome, &err);
        break;
    case VERBS:
        break;
    }
    assert_plausible(status, &err);
    if (status == GW_OK && !outcome.repeated) {
        attempt->acknowledged = true;
        attempt->sequence = outcome.sequence;
    }
    return status;
}

// It is open whether it happened: asked again with the same key, until that is settled.
static bool is_settled(void *context)
{
    gw_status status = try_here(*(const size_t *)context);
    return status == GW_OK || status == GW_E_CONFLICT;
}

static size_t undecided;
static bool has_undecided;

static void change_here(void)
{
    size_t number = has_undecided ? undecided : draw_attempt();
    gw_status status = try_here(number);
    has_undecided = status == GW_E_UNAVAILABLE || status == GW_E_TIMEOUT;
    undecided = number;
}

static struct proc *cli;
static size_t cli_attempt;

static void end_cli(bool patient)
{
    if (cli == NULL) {
        return;
    }
    if (proc_running(cli) && !patient) {
        proc_kill(cli);
    } else {
        attempts[cli_attempt].acknowledged = proc_wait(cli, CLUSTER_WAIT_MS) == 0;
    }
    cli = NULL;
}

static void change_by_cli(void)
{
    const char *argv[128];
    size_t count = 0;
    char program[300];
    char version[16];
    char share[32];
    char reason[16];
    char log[300];
    end_cli(gw_rng_below(&rng, 2) == 0);
    cli_attempt = draw_attempt();
    const struct attempt *attempt = &attempts[cli_attempt];
    reason_of(cli_attempt, reason);
    snprintf(program, sizeof program, "%s/godwit", getenv("GODWIT_BINARY_DIR"));
    snprintf(version, sizeof version, "%d", attempt->version);
    snprintf(share, sizeof share, "%d=%u%%", attempt->version, attempt->weight / 100);
    snprintf(log, sizeof log, "%s/cli.log", rollout.cluster.directory);
    argv[count++] = program;
    argv[count++] = "models";
    switch (attempt->verb) {
    case VERB_PROMOTE:
        argv[count++] = "promote";
        argv[count++] = TEST_MODEL_NAME;
        argv[count++] = version;
        break;
    case VERB_ROLLBACK:
        argv[count++] = "rollback";
        argv[count++] = TEST_MODEL_NAME;
        break;
    case VERB_SPLIT:
        argv[count++] = "split";
        argv[count++] = TEST_MODEL_NAME;
        argv[count++] = attempt->weight > 0 ? share : "--off";
        break;
    case VERB_SHADOW:
        argv[count++] = "shadow";
        argv[count++] = TEST_MODEL_NAME;
        argv[count++] = version;
        break;
    case VERBS:
        break;
    }
    const char *const words[] = {"--actor", "cli", "--reason", reason, "--idempotency-key", reason};
    for (size_t i = 0; i < GW_COUNT_OF(words); i++) {
        argv[count++] = words[i];
    }
    for (size_t i = 0; i < rollout.cluster.set_count; i++) {
        argv[count++] = "--set";
        argv[count++] = rollout.cluster.sets[i];
    }
    argv[count] = NULL;
    cli = proc_start("cli", argv, log);
}

static void change_by_rest(void)
{
    struct attempt *attempt = &attempts[draw_attempt()];
    char url[64];
    char path[64];
    char body[64];
    char reason[16];
    struct gw_http_client *client = NULL;
    struct gw_buf answer = {0};
    int code = 0;
    gw_err err = {0};
    attempt->verb = VERB_PROMOTE;
    reason_of((size_t)(attempt - attempts), reason);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", rollout.bridge_port);
    snprintf(path, sizeof path, "/models/%s/%d/promote", TEST_MODEL_NAME, attempt->version);
    snprintf(body, sizeof body, "{\"actor\":\"rest\",\"reason\":\"%s\"}", reason);
    const struct gw_http_client_options options = {.urls = url, .timeout_ms = 3000};
    const struct gw_http_call call = {.method = "POST", .path = path, .body = gw_slice_text(body)};
    assert_ok_err(gw_http_client_new(&options, &client, &err), &err);
    if (gw_http_client_call(client, &call, &answer, &code, &err) == GW_OK) {
        attempt->acknowledged = code == 200;
        assert_true(code == 200 || code == 409); // unavailable is no status of the call's
    }
    gw_buf_deinit(&answer);
    gw_http_client_free(client);
}

static void change_something(void)
{
    switch (gw_rng_below(&rng, 4)) {
    case 0:
        change_by_cli();
        break;
    case 1:
        change_by_rest();
        break;
    default:
        change_here();
        break;
    }
}

// ---- deaths ---------------------------------------------------------------------------------------------------------

static uint64_t database_back_us; // when it is started again; 0: it runs
static size_t deaths[4];

static void kill_something(void)
{
    if (database_back_us != 0 && gw_clock_mono_us() >= database_back_us) {
        postgres_server_start(&database);
        database_back_us = 0;
    }
    switch (gw_rng_below(&rng, 16)) {
    case 0:
        proc_kill(rollout.bridge.proc);
        rollout_run_bridge();
        deaths[0]++;
        break;
    case 1:
        proc_kill(rollout.score.proc);
        run_score();
        deaths[1]++;
        break;
    case 2:
        proc_kill(other.proc);
        run_other();
        deaths[2]++;
        break;
    case 3:
        if (database_back_us == 0) {
            postgres_server_kill(&database);
            database_back_us = gw_clock_mono_us() + gw_rng_below(&rng, 1000000) + 1;
            deaths[3]++;
        }
        break;
    default:
        break;
    }
}

struct flow {
    uint64_t turns;
};

// A few requests at every turn of a wait.
static bool flowed(void *context)
{
    struct flow *flow = context;
    bool behind = traffic_unanswered(&rollout.traffic, TRAFFIC_BULK) > UNANSWERED_MAX;
    for (int i = 0; i < TURN_REQUESTS && !behind; i++) {
        traffic_send(&rollout.traffic, i == 0 ? TRAFFIC_SYNC : TRAFFIC_BULK,
                     &(struct traffic_ask){.user = (int64_t)gw_rng_below(&rng, USERS)});
    }
    traffic_drain(&rollout.traffic);
    return flow->turns-- == 0;
}

// ---- agreement ------------------------------------------------------------------------------------------------------

static const struct gw_registry_event *history; // all of it, oldest first
static size_t history_count;

static bool read_history(void *context)
{
    (void)context;
    gw_arena_clear(&rollout.arena);
    return gw_registry_events_after(rollout.registry, 0, EVENTS_MAX, &rollout.arena, &history, &history_count, NULL) ==
           GW_OK;
}

struct read_topic {
    size_t events; // seen
    char route[ROUTE_WORDS];
    struct gw_arena arena;
};

static void see_event(void *context, const struct gw_kafka_record *record)
{
    struct read_topic *topic = context;
    struct gw_model_event event;
    gw_err err = {0};
    gw_arena_clear(&topic->arena);
    assert_ok_err(gw_model_event_decode(records_body(&rollout.cluster, GW_TOPIC_MODEL_EVENTS, record), &topic->arena,
                                        &event, &err),
                  &err);
    assert_true(topic->events < history_count);
    const struct gw_registry_event *written = &history[topic->events++];
    assert_int_equal(event.sequence, written->sequence);
    assert_int_equal(event.version, written->version);
    assert_true(gw_slice_is(event.model_name, written->model));
    assert_true(gw_slice_is(event.transition, written->transition));
    assert_true(gw_slice_is(event.to_state, written->to_state));
    assert_true(gw_slice_is(event.reason, written->reason));
}

static void say_version(char *text, size_t *used, int32_t version, uint32_t weight, struct gw_slice variant,
                        struct gw_slice digest)
{
    *used += (size_t)snprintf(text + *used, ROUTE_WORDS - *used, " %d:%u:%.*s:%.*s", version, weight, (int)variant.size,
                              (const char *)variant.data, (int)digest.size, (const char *)digest.data);
    assert_true(*used < ROUTE_WORDS);
}

static void see_route(void *context, const struct gw_kafka_record *record)
{
    struct read_topic *topic = context;
    struct gw_model_route route;
    gw_err err = {0};
    gw_arena_clear(&topic->arena);
    assert_ok_err(gw_model_route_decode(records_body(&rollout.cluster, GW_TOPIC_MODEL_ROUTES, record), &topic->arena,
                                        &route, &err),
                  &err);
    assert_true(gw_slice_is(route.model_name, TEST_MODEL_NAME));
    size_t used = (size_t)snprintf(topic->route, ROUTE_WORDS, "%lld %.*s", (long long)route.sequence,
                                   (int)route.salt.size, (const char *)route.salt.data);
    for (uint32_t i = 0; i < route.targets.count + route.shadows.count; i++) {
        const struct gw_route_target *at =
            i < route.targets.count ? &route.targets.items[i] : &route.shadows.items[i - route.targets.count];
        say_version(topic->route, &used, at->version, (uint32_t)at->weight, at->variant, at->digest);
    }
}

static void say_route(const struct gw_route *route, char *text)
{
    size_t used = (size_t)snprintf(text, ROUTE_WORDS, "%lld %s", (long long)route->sequence, route->salt);
    for (uint32_t i = 0; i < route->target_count + route->shadow_count; i++) {
        const struct gw_route_version *at =
            i < route->target_count ? &route->targets[i] : &route->shadows[i - route->target_count];
        say_version(text, &used, at->version, at->weight, gw_slice_text(at->variant), gw_slice_text(at->digest));
    }
}

static void assert_topics_agree(const struct gw_route *route)
{
    struct read_topic topic = {.events = 0};
    char text[ROUTE_WORDS];
    gw_arena_init(&topic.arena, 1 << 14, 1 << 20);
    wait_until(read_history, NULL, CLUSTER_WAIT_MS, "the history");
    records_read(&rollout.cluster, gw_runtime_topic(&rollout.cluster.runtime, GW_TOPIC_MODEL_EVENTS), 1, see_event,
                 &topic);
    assert_int_equal(topic.events, history_count);
    records_read(&rollout.cluster, gw_runtime_topic(&rollout.cluster.runtime, GW_TOPIC_MODEL_ROUTES), 1, see_route,
                 &topic);
    say_route(route, text);
    assert_string_equal(topic.route, text);
    gw_arena_deinit(&topic.arena);
}

static bool other_follows(void *context)
{
    return cluster_metric(&other, "godwit_score_route_sequence{model=\"" TEST_MODEL_NAME "\"}") ==
           (double)*(const int64_t *)context;
}

// Whether a route that the history had by then gives this user to this version under this name.
static bool is_named(const struct traffic_request *request)
{
    bool named = false;
    for (size_t i = 0; i < history_count && !named; i++) {
        const struct gw_route *route = history[i].route;
        if (route == NULL || route->target_count == 0 || history[i].at_ms > request->scored_at_ms + CLOCK_SLACK_MS) {
            continue;
        }
        uint32_t bucket = gw_route_bucket(route->salt, request->user);
        const struct gw_route_version *target = &route->targets[gw_route_target_of_bucket(route, bucket)];
        named = target->version == request->version && strcmp(target->variant, request->variant) == 0;
    }
    return named;
}

static size_t checked; // requests of former agreements

static void assert_predictions_are_named(void)
{
    for (; checked < rollout.traffic.sent; checked++) {
        const struct traffic_request *request = &rollout.traffic.requests[checked];
        if (request->answers > 0) {
            assert_int_equal(request->status, GW_PREDICTION_STATUS_OK);
            if (!is_named(request)) {
                fail_msg("request %zu of user %lld: version %d '%s' at %lld is not in the history", checked,
                         (long long)request->user, request->version, request->variant,
                         (long long)request->scored_at_ms);
            }
            traffic_assert_scores(request, &rollout.models[request->version], &rollout.rows);
        }
    }
    assert_int_equal(rollout.traffic.repeated[TRAFFIC_BULK], 0);
}

static double served_in_bulk(const struct cluster_worker *worker)
{
    return cluster_metric(worker, "godwit_score_requests_total{lane=\"bulk\"");
}

struct served {
    double before[2];
};

static bool both_served(void *context)
{
    const struct served *served = context;
    return served_in_bulk(&rollout.score) > served->before[0] && served_in_bulk(&other) > served->before[1];
}

// What they serve now, in both lanes.
static void assert_scorers_agree(const struct gw_route *route)
{
    struct served served = {{served_in_bulk(&rollout.score), served_in_bulk(&other)}};
    size_t first = rollout.traffic.sent;
    for (int64_t user = 0; user < USERS; user++) {
        for (int lane = 0; lane < TRAFFIC_LANES; lane++) {
            traffic_send(&rollout.traffic, (enum traffic_lane)lane, &(struct traffic_ask){.user = user});
        }
    }
    traffic_complete_lane(&rollout.traffic, TRAFFIC_BULK);
    for (size_t n = first; n < rollout.traffic.sent; n++) {
        const struct traffic_request *request = &rollout.traffic.requests[n];
        uint32_t bucket = gw_route_bucket(route->salt, request->user);
        const struct gw_route_version *target = &route->targets[gw_route_target_of_bucket(route, bucket)];
        if (request->answers > 0) {
            assert_int_equal(request->version, target->version);
            assert_string_equal(request->variant, target->variant);
        }
    }
    wait_until(both_served, &served, CLUSTER_WAIT_MS, "answers of both scorers");
}

// Everything is up and nothing changes any more.
static void assert_agreement(void)
{
    wait_until(read_history, NULL, CLUSTER_WAIT_MS, "the registry");
    const struct gw_route route = rollout_route(TEST_MODEL_NAME);
    int64_t sequence = route.sequence;
    rollout.champion = route.targets[0].version;
    cluster_wait_ready(&rollout.bridge);
    cluster_wait_ready(&rollout.score);
    cluster_wait_ready(&other);
    rollout_wait_followed(TEST_MODEL_NAME, sequence);
    wait_until(other_follows, &sequence, CLUSTER_WAIT_MS, "the other scorer to follow");
    traffic_complete_lane(&rollout.traffic, TRAFFIC_BULK);
    assert_scorers_agree(&route);
    assert_topics_agree(&route);
    for (size_t i = 0; i < history_count; i++) { // no death was blamed on a version
        assert_string_not_equal(history[i].to_state, "REJECTED");
    }
    assert_predictions_are_named();
}

// Events of one change stand together: it happened once.
static void assert_changes_happened_once(void)
{
    size_t happened = 0;
    size_t acknowledged = 0;
    for (size_t number = 0; number < attempt_count; number++) {
        char reason[16];
        size_t events = 0;
        int64_t last = 0;
        reason_of(number, reason);
        for (size_t i = 0; i < history_count; i++) {
            if (strcmp(history[i].reason, reason) == 0) {
                assert_true(events == 0 || history[i].sequence == last + 1);
                last = history[i].sequence;
                events++;
            }
        }
        happened += events > 0;
        acknowledged += attempts[number].acknowledged;
        if (attempts[number].sequence > 0) {
            assert_int_equal(last, attempts[number].sequence);
        }
    }
    print_message(
        "%zu changes tried, %zu acknowledged, %zu happened; %zu deaths of the bridge, %zu and %zu of scorers, "
        "%zu of PostgreSQL; %zu requests\n",
        attempt_count, acknowledged, happened, deaths[0], deaths[1], deaths[2], deaths[3], rollout.traffic.sent);
}

// ---- tests ----------------------------------------------------------------------------------------------------------

static void registry_routes_and_scorers_agree_after_kills(void **state)
{
    (void)state;
    const char *chosen = getenv("GODWIT_TEST_SEED");
    uint64_t seed = chosen != NULL ? strtoull(chosen, NULL, 10) : (uint64_t)gw_clock_wall_us() % 1000000007u;
    print_message("GODWIT_TEST_SEED=%llu\n", (unsigned long long)seed);
    gw_rng_init(&rng, seed);
    for (int32_t version = 2; version <= VERSIONS; version++) {
        assert_int_equal(rollout_add_version(TEST_MODEL_NAME, 0.5f * (float)version), version);
    }
    uint64_t end_us = gw_clock_mono_us() + CHAOS_MS * 1000u;
    while (gw_clock_mono_us() < end_us && attempt_count < CHANGES_MAX - 2) {
        struct flow flow = {.turns = gw_rng_below(&rng, 60)};
        change_something();
        kill_something();
        wait_until(flowed, &flow, CLUSTER_WAIT_MS, "some turns");
    }
    if (database_back_us != 0) {
        postgres_server_start(&database);
        database_back_us = 0;
    }
    end_cli(true);
    if (has_undecided) {
        wait_until(is_settled, &undecided, CLUSTER_WAIT_MS, "a change that was open");
    }
    assert_agreement();
    assert_changes_happened_once();
}

static int32_t next_champion(void)
{
    return rollout.champion % VERSIONS + 1;
}

// The bridge dies at an exact point of publishing a promotion.
static int64_t promote_until_it_dies(const char *fault)
{
    cluster_stop(&rollout.bridge);
    assert_int_equal(setenv("GODWIT_FAULTS", fault, 1), 0);
    rollout_run_bridge();
    assert_int_equal(unsetenv("GODWIT_FAULTS"), 0);
    int64_t sequence = rollout_promote(next_champion());
    assert_int_equal(proc_wait(rollout.bridge.proc, CLUSTER_WAIT_MS), -1);
    return sequence;
}

static void a_bridge_that_dies_before_the_commit_has_published_nothing(void **state)
{
    (void)state;
    int64_t former = rollout_route(TEST_MODEL_NAME).sequence;
    (void)promote_until_it_dies("relay.before_commit:kill");
    assert_true(other_follows(&former));
    rollout_run_bridge();
    assert_agreement();
}

static void a_bridge_that_dies_after_the_commit_has_published_once(void **state)
{
    (void)state;
    int64_t sequence = promote_until_it_dies("relay.after_commit:kill");
    rollout_wait_followed(TEST_MODEL_NAME, sequence); // without a bridge
    rollout_run_bridge();
    assert_agreement();
}

// Both at once: the change is committed, not published, and its database is gone.
static void the_database_dies_with_the_bridge_and_the_change_is_published_later(void **state)
{
    (void)state;
    (void)promote_until_it_dies("relay.before_commit:kill");
    postgres_server_kill(&database);
    rollout_run_bridge();
    postgres_server_start(&database);
    assert_agreement();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registry_routes_and_scorers_agree_after_kills),
        cmocka_unit_test(a_bridge_that_dies_before_the_commit_has_published_nothing),
        cmocka_unit_test(a_bridge_that_dies_after_the_commit_has_published_once),
        cmocka_unit_test(the_database_dies_with_the_bridge_and_the_change_is_published_later),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
