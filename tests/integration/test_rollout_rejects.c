// SPDX-License-Identifier: MIT
// Versions that cannot serve: their promotion changes nothing for callers, is undone in the registry with the reason,
// and says so in model_events.
#include "integration/rollout_fixture.h"

#include "records/model_event.h"
#include "registry/artefacts.h"

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

// ---- what makes a version bad ---------------------------------------------------------------------------------------

static void run_on_version(const char *sql, const char *model, int32_t version)
{
    char text[512];
    int size = snprintf(text, sizeof text, "%s v.model = '%s' AND v.version = %d", sql, model, version);
    assert_in_range(size, 1, sizeof text - 1);
    registry_run(rollout.cluster.registry.postgres, text);
}

// One byte of its bundle.json in the database: other files may be those of other versions, too.
static void damage(const char *model, int32_t version)
{
    run_on_version("UPDATE registry_blob_pieces p SET bytes = set_byte(bytes, 0, get_byte(bytes, 0) # 1) FROM "
                   "registry_artefact_files f, registry_versions v WHERE p.digest = f.blob AND f.artefact = v.artefact "
                   "AND f.name = 'bundle.json' AND",
                   model, version);
}

// Such a bundle is refused by every door, so it takes the place of a good one behind them.
static void make_infinite(int32_t version)
{
    char directory[300];
    char digest[GW_ROUTE_DIGEST_BYTES];
    char sql[256];
    gw_err err = {0};
    snprintf(directory, sizeof directory, "%s/infinite", rollout.cluster.directory);
    rollout_write_bundle(directory, 1, 1e300);
    assert_ok_err(gw_artefacts_store(rollout.registry, directory, digest, &err), &err);
    snprintf(sql, sizeof sql, "UPDATE registry_versions v SET digest = '%s', artefact = '%s' WHERE", digest, digest);
    run_on_version(sql, TEST_MODEL_NAME, version);
}

// ---- what follows ---------------------------------------------------------------------------------------------------

struct rejection {
    const char *model;
    int32_t version;
    const char *from; // state
    bool in_registry;
    bool in_topic;
    char reason[512];
    struct tail *tail;
    struct gw_arena arena;
};

static void see_event(void *context, const struct gw_kafka_record *record)
{
    struct rejection *rejection = context;
    struct gw_model_event event;
    gw_err err = {0};
    gw_arena_clear(&rejection->arena);
    assert_ok_err(gw_model_event_decode(records_body(&rollout.cluster, GW_TOPIC_MODEL_EVENTS, record),
                                        &rejection->arena, &event, &err),
                  &err);
    if (gw_slice_is(event.model_name, rejection->model) && event.version == rejection->version &&
        gw_slice_is(event.to_state, "REJECTED")) {
        assert_false(rejection->in_topic);
        rejection->in_topic = true;
        assert_true(gw_slice_is(event.transition, "reject"));
        assert_true(gw_slice_is(event.from_state, rejection->from));
        assert_true(event.actor.size > 6 && memcmp(event.actor.data, "score@", 6) == 0);
        assert_true(gw_slice_is(event.reason, rejection->reason));
    }
}

// Keeps both lanes busy meanwhile.
static bool is_rejected(void *context)
{
    struct rejection *rejection = context;
    struct rollout_pump pump = {.version = rollout.champion, .first = rollout.traffic.sent};
    (void)rollout_pumped(&pump);
    if (!rejection->in_registry) {
        const struct gw_registry_version now = rollout_version(rejection->model, rejection->version);
        rejection->in_registry = now.state == GW_ROLLOUT_REJECTED;
        snprintf(rejection->reason, sizeof rejection->reason, "%s", now.rejected_because);
        return false;
    }
    tail_drain(rejection->tail, see_event, rejection);
    return rejection->in_topic;
}

static void wait_rejected(const char *model, int32_t version, const char *from, const char *because)
{
    struct rejection rejection = {.model = model,
                                  .version = version,
                                  .from = from,
                                  .tail = tail_open(&rollout.cluster, GW_TOPIC_MODEL_EVENTS, false)};
    gw_arena_init(&rejection.arena, 1 << 14, 1 << 20);
    wait_until(is_rejected, &rejection, CLUSTER_WAIT_MS, "a rejection in registry and topic");
    print_message("version %d: %s\n", version, rejection.reason);
    assert_non_null(strstr(rejection.reason, because));
    gw_arena_deinit(&rejection.arena);
    tail_close(rejection.tail);
}

// Promotes a version that cannot serve while traffic flows.
static void assert_never_serves(int32_t bad, const char *because)
{
    int32_t good = rollout.champion;
    size_t first = rollout.traffic.sent;
    (void)rollout_promote(bad);
    rollout.champion = good;
    wait_rejected(TEST_MODEL_NAME, bad, "CHAMPION", because);
    const struct gw_route route = rollout_route(TEST_MODEL_NAME);
    assert_int_equal(route.target_count, 1);
    assert_int_equal(route.targets[0].version, good);
    rollout_wait_followed(TEST_MODEL_NAME, route.sequence);
    traffic_complete(&rollout.traffic);
    for (size_t n = first; n < rollout.traffic.sent; n++) {
        rollout_assert_served(&rollout.traffic.requests[n], good, "champion");
    }
    assert_int_equal(rollout_version(TEST_MODEL_NAME, good).state, GW_ROLLOUT_CHAMPION);
    struct gw_registry_outcome outcome;
    assert_fails(gw_registry_promote(rollout.registry, TEST_MODEL_NAME, bad, &rollout_change, &outcome, NULL),
                 GW_E_CONFLICT);
}

static void a_damaged_artefact_never_serves(void **state)
{
    (void)state;
    int32_t bad = rollout_add_version(TEST_MODEL_NAME, 2);
    damage(TEST_MODEL_NAME, bad);
    assert_never_serves(bad, "damaged");
}

static void a_model_that_answers_infinity_in_the_warm_up_never_serves(void **state)
{
    (void)state;
    int32_t bad = rollout_add_version(TEST_MODEL_NAME, 3);
    make_infinite(bad);
    assert_never_serves(bad, "warm-up: a score is inf");
}

static void a_bad_shadow_is_rejected_and_left_out(void **state)
{
    (void)state;
    int32_t bad = rollout_add_version(TEST_MODEL_NAME, 4);
    size_t first = rollout.traffic.sent;
    struct gw_registry_outcome outcome;
    gw_err err = {0};
    damage(TEST_MODEL_NAME, bad);
    assert_ok_err(gw_registry_shadow(rollout.registry, TEST_MODEL_NAME, bad, true, &rollout_change, &outcome, &err),
                  &err);
    wait_rejected(TEST_MODEL_NAME, bad, "SHADOW", "damaged");
    const struct gw_route route = rollout_route(TEST_MODEL_NAME);
    assert_int_equal(route.shadow_count, 0);
    rollout_wait_followed(TEST_MODEL_NAME, route.sequence);
    traffic_complete(&rollout.traffic);
    for (size_t n = first; n < rollout.traffic.sent; n++) {
        rollout_assert_served(&rollout.traffic.requests[n], rollout.champion, "champion");
    }
}

static void assert_refused(const char *model, enum gw_prediction_status status)
{
    for (int lane = 0; lane < TRAFFIC_LANES; lane++) {
        const struct traffic_ask ask = {.user = 1, .model = model};
        const struct traffic_request *request = traffic_ask(&rollout.traffic, (enum traffic_lane)lane, &ask);
        assert_int_equal(request->status, status);
    }
}

static void a_model_whose_only_version_is_rejected_is_not_ready(void **state)
{
    (void)state;
    const struct gw_registry_create create = {.model = "lone", .description = ""};
    struct gw_registry_outcome outcome;
    gw_err err = {0};
    assert_ok_err(gw_registry_create(rollout.registry, &create, &rollout_change, &outcome, &err), &err);
    int32_t bad = rollout_add_version("lone", 5);
    damage("lone", bad);
    assert_ok_err(gw_registry_promote(rollout.registry, "lone", bad, &rollout_change, &outcome, &err), &err);
    wait_rejected("lone", bad, "CHAMPION", "damaged");
    const struct gw_route route = rollout_route("lone");
    assert_int_equal(route.target_count, 0);
    rollout_wait_followed("lone", route.sequence);
    assert_refused("lone", GW_PREDICTION_STATUS_MODEL_NOT_READY);
    rollout_assert_served(traffic_ask(&rollout.traffic, TRAFFIC_SYNC, &rollout_anybody), rollout.champion, "champion");

    int32_t good = rollout_add_version("lone", 6); // and it recovers by a version that can
    assert_ok_err(gw_registry_promote(rollout.registry, "lone", good, &rollout_change, &outcome, &err), &err);
    rollout_wait_followed("lone", outcome.sequence);
    assert_refused("lone", GW_PREDICTION_STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_damaged_artefact_never_serves),
        cmocka_unit_test(a_model_that_answers_infinity_in_the_warm_up_never_serves),
        cmocka_unit_test(a_bad_shadow_is_rejected_and_left_out),
        cmocka_unit_test(a_model_whose_only_version_is_rejected_is_not_ready),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
