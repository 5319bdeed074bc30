// SPDX-License-Identifier: MIT
// What the rollout tests share: bridge and scorer as processes of the real binary, the registry changed in the test's
// own, and requests through both lanes of which each must be answered once and rightly. Header only.
#pragma once

#include "support/model.h"
#include "support/traffic.h"

#include "base/clock.h"
#include "registry/registry.h"
#include "registry/views.h"

#include <stdio.h>
#include <string.h>

enum {
    ROLLOUT_REQUESTS_MAX = 40000,
    ROLLOUT_VERSIONS_MAX = 24,
    ROLLOUT_SAME_AFTER = 20, // answers of one version in a row in each lane: it has taken over
    ROLLOUT_PUMP_USERS = 50,
    ROLLOUT_UNANSWERED_MAX = 200,
};

// One a program.
struct rollout {
    struct cluster cluster;
    struct cluster_worker score;
    struct cluster_worker bridge;
    struct gw_registry *registry;
    struct gw_store *store;
    struct offline_rows rows;
    struct traffic traffic;
    struct gw_arena arena;                             // of views, until the next one
    struct offline_model models[ROLLOUT_VERSIONS_MAX]; // of the test model, by version
    bool opened[ROLLOUT_VERSIONS_MAX];
    int32_t champion;
    uint16_t bridge_port;
};
static struct rollout rollout;

static const struct gw_registry_change rollout_change = {.actor = "tester", .reason = "a test of rollouts"};
static const struct traffic_ask rollout_anybody = {.user = OFFLINE_USER}; // who has a row

// ---- the rollout.registry
// ---------------------------------------------------------------------------------------------------

static inline void rollout_write_bundle(const char *directory, float factor, double weight)
{
    test_model_write_variant(directory, &(struct test_model_variant){.name = "some",
                                                                     .version = 1,
                                                                     .features = test_model_features,
                                                                     .feature_count = test_model_feature_count,
                                                                     .metadata_json = "{}",
                                                                     .factor = factor,
                                                                     .weight = weight});
}

// The next version of a model, whose leaves are those of the test model times `factor`.
static inline int32_t rollout_add_version(const char *model, float factor)
{
    static int serial;
    char directory[300];
    struct gw_registry_outcome outcome;
    gw_err err = {0};
    snprintf(directory, sizeof directory, "%s/made-%d", rollout.cluster.directory, ++serial);
    rollout_write_bundle(directory, factor, 1);
    const struct gw_registry_register registration = {
        .model = model, .directory = directory, .description = "", .features = rollout.cluster.runtime.features};
    assert_ok_err(gw_registry_register(rollout.registry, &registration, &rollout_change, &outcome, &err), &err);
    if (strcmp(model, TEST_MODEL_NAME) == 0) {
        assert_in_range(outcome.version, 1, ROLLOUT_VERSIONS_MAX - 1);
        offline_model_open(&rollout.models[outcome.version], &rollout.cluster, directory);
        rollout.opened[outcome.version] = true;
    }
    return outcome.version;
}

struct rollout_following {
    const char *model;
    int64_t sequence;
};

static inline bool rollout_follows(void *context)
{
    const struct rollout_following *following = context;
    char name[128];
    snprintf(name, sizeof name, "godwit_score_route_sequence{model=\"%s\"}", following->model);
    traffic_drain(&rollout.traffic);
    return cluster_metric(&rollout.score, name) >= (double)following->sequence;
}

static inline void rollout_wait_followed(const char *model, int64_t sequence)
{
    struct rollout_following following = {model, sequence};
    wait_until(rollout_follows, &following, CLUSTER_WAIT_MS, "score to follow a route");
}

static inline int64_t rollout_promote(int32_t version)
{
    struct gw_registry_outcome outcome;
    gw_err err = {0};
    assert_ok_err(gw_registry_promote(rollout.registry, TEST_MODEL_NAME, version, &rollout_change, &outcome, &err),
                  &err);
    assert_int_equal(outcome.previous_version, rollout.champion);
    rollout.champion = version;
    return outcome.sequence;
}

static inline struct gw_route rollout_route(const char *model)
{
    struct gw_route route;
    gw_err err = {0};
    assert_ok_err(gw_registry_route(rollout.registry, model, &route, &err), &err);
    return route;
}

static inline void rollout_split(int32_t version, uint32_t weight)
{
    const struct gw_registry_share share = {.version = version, .weight = weight};
    struct gw_registry_outcome outcome;
    gw_err err = {0};
    assert_ok_err(gw_registry_split(rollout.registry, TEST_MODEL_NAME, &share, 1, &rollout_change, &outcome, &err),
                  &err);
    rollout_wait_followed(TEST_MODEL_NAME, outcome.sequence);
}

static inline void rollout_shadow(int32_t version, bool on)
{
    struct gw_registry_outcome outcome;
    gw_err err = {0};
    assert_ok_err(gw_registry_shadow(rollout.registry, TEST_MODEL_NAME, version, on, &rollout_change, &outcome, &err),
                  &err);
    rollout_wait_followed(TEST_MODEL_NAME, outcome.sequence);
}

static inline struct gw_registry_version rollout_version(const char *model, int32_t version)
{
    struct gw_registry_version found;
    gw_err err = {0};
    gw_arena_clear(&rollout.arena);
    assert_ok_err(gw_registry_get_version(rollout.registry, model, version, &rollout.arena, &found, &err), &err);
    return found;
}

// ---- traffic --------------------------------------------------------------------------------------------------------

static inline void rollout_assert_served(const struct traffic_request *request, int32_t version, const char *variant)
{
    assert_int_equal(request->answers, 1);
    assert_string_equal(request->model, TEST_MODEL_NAME);
    assert_int_equal(request->version, version);
    assert_string_equal(request->variant, variant);
    traffic_assert_scores(request, &rollout.models[version], &rollout.rows);
}

// Keeps both lanes busy until it may end. True: the last ROLLOUT_SAME_AFTER answers of each lane are of one version,
// `version`.
struct rollout_pump {
    int32_t version;
    size_t first; // request of this pump
};

static inline bool rollout_pumped(void *context)
{
    const struct rollout_pump *pump = context;
    size_t same[TRAFFIC_LANES] = {0};
    bool behind =
        traffic_unanswered(&rollout.traffic, TRAFFIC_BULK) + traffic_unanswered(&rollout.traffic, TRAFFIC_SYNC) >
        ROLLOUT_UNANSWERED_MAX;
    for (int lane = 0; lane < TRAFFIC_LANES && !behind; lane++) {
        traffic_send(&rollout.traffic, (enum traffic_lane)lane,
                     &(struct traffic_ask){.user = (int64_t)rollout.traffic.sent % ROLLOUT_PUMP_USERS});
    }
    traffic_drain(&rollout.traffic);
    for (size_t n = pump->first; n < rollout.traffic.sent; n++) {
        const struct traffic_request *request = &rollout.traffic.requests[n];
        if (request->answers > 0) {
            same[request->lane] = request->version == pump->version ? same[request->lane] + 1 : 0;
        }
    }
    return same[TRAFFIC_BULK] >= ROLLOUT_SAME_AFTER && same[TRAFFIC_SYNC] >= ROLLOUT_SAME_AFTER;
}

static inline void rollout_pump_until(struct rollout_pump *pump, const char *what)
{
    wait_until(rollout_pumped, pump, CLUSTER_WAIT_MS, what);
}

// Each request was answered once, by `from` and later by `to`, and never by `from` again: in every partition of a lane
// answers come in the order in which its one thread made them.
static inline void rollout_assert_taken_over(size_t first, int32_t from, int32_t to)
{
    struct {
        uint64_t last_from;
        uint64_t first_to;
    } seen[TRAFFIC_LANES][CLUSTER_PARTITIONS];
    for (int lane = 0; lane < TRAFFIC_LANES; lane++) {
        for (int p = 0; p < CLUSTER_PARTITIONS; p++) {
            seen[lane][p].last_from = 0;
            seen[lane][p].first_to = UINT64_MAX;
        }
    }
    traffic_complete(&rollout.traffic);
    for (size_t n = first; n < rollout.traffic.sent; n++) {
        const struct traffic_request *request = &rollout.traffic.requests[n];
        assert_true(request->version == from || request->version == to);
        rollout_assert_served(request, request->version, "champion");
        uint64_t *last_from = &seen[request->lane][request->partition].last_from;
        uint64_t *first_to = &seen[request->lane][request->partition].first_to;
        *last_from = request->version == from ? GW_MAX(*last_from, request->order) : *last_from;
        *first_to = request->version == to ? GW_MIN(*first_to, request->order) : *first_to;
    }
    for (int lane = 0; lane < TRAFFIC_LANES; lane++) {
        for (int p = 0; p < CLUSTER_PARTITIONS; p++) {
            assert_true(seen[lane][p].last_from <= seen[lane][p].first_to);
        }
    }
}

// ---- life -----------------------------------------------------------------------------------------------------------

// Starts the bridge (again) on the same port.
static inline void rollout_run_bridge(void)
{
    char port[64];
    snprintf(port, sizeof port, "bridge.port=%u", rollout.bridge_port);
    const char *const sets[] = {port, "bridge.api_port=0", "bridge.predict_timeout=10s", NULL};
    rollout.bridge = cluster_run(&rollout.cluster, "bridge", sets);
}

// `more` (NULL-terminated, or NULL) is for the cluster.
static inline void rollout_begin(const char *const *more)
{
    gw_err err = {0};
    rollout = (struct rollout){.champion = TEST_MODEL_VERSION, .bridge_port = free_port()};
    cluster_begin(&rollout.cluster, "rollout", more);
    gw_arena_init(&rollout.arena, 1 << 16, 64 << 20);
    const struct gw_registry_options options = {
        .uri = rollout.cluster.registry.uri, .application = "godwit-test", .timeout_ms = 30000};
    assert_ok_err(gw_registry_new(&options, &rollout.registry, &err), &err);
    offline_model_open(&rollout.models[TEST_MODEL_VERSION], &rollout.cluster, rollout.cluster.bundle);
    rollout.opened[TEST_MODEL_VERSION] = true;
    rollout.store = cluster_store(&rollout.cluster);
    offline_rows_put(&rollout.rows, &rollout.cluster, rollout.store);
    traffic_open(&rollout.traffic, &rollout.cluster, ROLLOUT_REQUESTS_MAX);
    rollout.score = cluster_run_ready(&rollout.cluster, "score", NULL);
    rollout_run_bridge();
    cluster_wait_ready(&rollout.bridge);
}

static inline void rollout_end(void)
{
    if (rollout.bridge.proc == NULL) { // it did not begin
        cluster_end(&rollout.cluster);
        return;
    }
    cluster_stop(&rollout.bridge);
    cluster_stop(&rollout.score);
    traffic_close(&rollout.traffic);
    for (size_t i = 0; i < ROLLOUT_VERSIONS_MAX; i++) {
        if (rollout.opened[i]) {
            offline_model_close(&rollout.models[i]);
        }
    }
    gw_store_free(rollout.store);
    gw_registry_free(rollout.registry);
    gw_arena_deinit(&rollout.arena);
    cluster_end(&rollout.cluster);
}
