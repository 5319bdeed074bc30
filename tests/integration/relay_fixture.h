// SPDX-License-Identifier: MIT
// What the relay's tests share: a registry in a schema of its own whose history is written by SQL, two topics, relays
// in this process and in children, and what the topics must hold in the end.
#pragma once

#include "integration/kafka_fixture.h"
#include "support/proc.h"

#include "avro/framing.h"
#include "base/faults.h"
#include "base/json.h"
#include "postgres/postgres.h"
#include "records/model_event.h"
#include "records/model_route.h"
#include "registry/documents.h"
#include "registry/migrate.h"
#include "registry/relay.h"

enum { FIXTURE_EVENTS_SCHEMA = 41, FIXTURE_ROUTES_SCHEMA = 42, FIXTURE_MODELS = 3 };

struct relay_fixture {
    char schema[64];
    char uri[512];
    const char *events_topic;
    const char *routes_topic;
    const char *transactional_id;
    char log_path[128];
    struct gw_postgres *postgres;
    int64_t last; // sequence
    const atomic_bool *stop; // of relays that are opened from now on; NULL: none
};

// ---- history --------------------------------------------------------------------------------------------------------

static inline void fixture_sql(struct gw_postgres *postgres, const char *sql, const char *const *parameters,
                               size_t count)
{
    gw_err err = {0};
    assert_ok_err(gw_postgres_exec(postgres, sql, parameters, count, NULL, &err), &err);
}

static inline int64_t fixture_number(struct gw_postgres *postgres, const char *sql)
{
    struct gw_postgres_rows *rows = NULL;
    int64_t value = 0;
    gw_err err = {0};
    assert_ok_err(gw_postgres_exec(postgres, sql, NULL, 0, &rows, &err), &err);
    assert_int_equal(gw_postgres_rows_count(rows), 1);
    assert_ok_err(gw_postgres_rows_int64(rows, 0, 0, &value, &err), &err);
    gw_postgres_rows_free(rows);
    return value;
}

// Adds search_path to a URI that may have parameters.
static inline void fixture_uri(char *to, size_t size, const char *search_path)
{
    const char *base = getenv("GODWIT_POSTGRES_URI");
    if (base == NULL || base[0] == '\0') {
        fail_msg("GODWIT_POSTGRES_URI is not set: start services with tests/stack up, or run tests/run");
    }
    snprintf(to, size, "%s%coptions=-csearch_path%%3D%s", base, strchr(base, '?') != NULL ? '&' : '?', search_path);
}

static inline void relay_begin(struct relay_fixture *fixture)
{
    gw_err err = {0};
    *fixture = (struct relay_fixture){.events_topic = fixture_topic("events", 1),
                                      .routes_topic = fixture_topic("routes", 1),
                                      .transactional_id = fixture_name("relay")};
    static unsigned used;
    snprintf(fixture->schema, sizeof fixture->schema, "relay_%d_%llx_%u", (int)getpid(),
             (unsigned long long)gw_clock_wall_us(), ++used);
    snprintf(fixture->log_path, sizeof fixture->log_path, "/tmp/godwit-%s.log", fixture->schema);
    fixture_uri(fixture->uri, sizeof fixture->uri, fixture->schema);
    const struct gw_postgres_options options = {
        .uri = fixture->uri, .application = "godwit-test", .timeout_ms = FIXTURE_MS};
    assert_ok_err(gw_postgres_new(&options, &fixture->postgres, &err), &err);
    char sql[96];
    snprintf(sql, sizeof sql, "create schema %s", fixture->schema);
    fixture_sql(fixture->postgres, sql, NULL, 0);
    assert_ok_err(gw_registry_migrate(fixture->postgres, GW_SOURCE_DIR "/deploy/postgres", NULL, NULL, &err), &err);
}

static inline void relay_end(struct relay_fixture *fixture)
{
    proc_forget_all();
    char sql[96];
    snprintf(sql, sizeof sql, "drop schema %s cascade", fixture->schema);
    fixture_sql(fixture->postgres, sql, NULL, 0);
    gw_postgres_free(fixture->postgres);
    unlink(fixture->log_path);
}

// All of an event follows from its sequence.

static inline const char *fixture_model(int64_t sequence)
{
    static const char *const names[FIXTURE_MODELS] = {"ranker", "m.2", "other_model"};
    return names[sequence % FIXTURE_MODELS];
}

static inline bool fixture_has_route(int64_t sequence)
{
    return sequence % 4 != 1;
}

static inline struct gw_route fixture_route(int64_t sequence)
{
    struct gw_route route = {
        .sequence = sequence, .salt = "salt", .target_count = 1, .at_ms = 1700000000000 + sequence};
    snprintf(route.model, sizeof route.model, "%s", fixture_model(sequence));
    route.targets[0] =
        (struct gw_route_version){.version = (int32_t)sequence, .variant = "champion", .weight = GW_ROUTE_BUCKETS};
    snprintf(route.targets[0].digest, sizeof route.targets[0].digest, "%064llx", (unsigned long long)sequence);
    if (sequence % 2 == 0) {
        route.targets[0].weight = GW_ROUTE_BUCKETS - 100;
        route.targets[1] = route.targets[0];
        route.targets[1].version++;
        route.targets[1].weight = 100;
        snprintf(route.targets[1].variant, sizeof route.targets[1].variant, "canary");
        route.target_count = 2;
        route.shadows[0] = (struct gw_route_version){.version = (int32_t)sequence + 2, .variant = "shadow"};
        memcpy(route.shadows[0].digest, route.targets[0].digest, sizeof route.shadows[0].digest);
        route.shadow_count = 1;
    }
    return route;
}

// Appends `count` events, each in a transaction of its own.
static inline void relay_append(struct relay_fixture *fixture, size_t count)
{
    struct gw_buf json = {0};
    for (size_t i = 0; i < count; i++) {
        char sequence[24];
        snprintf(sequence, sizeof sequence, "%lld", (long long)++fixture->last);
        gw_buf_clear(&json);
        if (fixture_has_route(fixture->last)) {
            struct gw_route route = fixture_route(fixture->last);
            struct gw_json_writer writer;
            gw_json_writer_init(&writer, &json);
            gw_registry_write_route(&writer, &route);
            assert_ok(gw_buf_append(&json, "", 1));
        }
        const char *const parameters[] = {sequence, fixture_model(fixture->last),
                                          json.size > 0 ? (const char *)json.data : NULL};
        fixture_sql(fixture->postgres,
                    "with c as (update registry_clock set sequence = $1::bigint, at = clock_timestamp())"
                    " insert into registry_events (sequence, model, version, transition, from_state, to_state, digest,"
                    " parent_version, actor, reason, at, route) values ($1::bigint, $2, $1::bigint, 'promote',"
                    " 'VERIFIED', 'CHAMPION', repeat('a', 64), 1, 'tester', 'because ' || $1, clock_timestamp(),"
                    " $3::jsonb)",
                    parameters, 3);
    }
    gw_buf_deinit(&json);
}

// ---- relays ---------------------------------------------------------------------------------------------------------

// In this process. `uri` NULL: the fixture's.
static inline struct gw_relay *relay_open(const struct relay_fixture *fixture, const char *uri)
{
    static struct gw_kafka_options kafka;
    kafka = fixture_options();
    const struct gw_registry_options registry = {
        .uri = uri != NULL ? uri : fixture->uri, .application = "godwit-relay", .timeout_ms = 5000};
    const struct gw_relay_options options = {
        .registry = &registry,
        .kafka = &kafka,
        .events_topic = fixture->events_topic,
        .routes_topic = fixture->routes_topic,
        .events_schema_id = FIXTURE_EVENTS_SCHEMA,
        .routes_schema_id = FIXTURE_ROUTES_SCHEMA,
        .transactional_id = fixture->transactional_id,
        .stop = fixture->stop,
    };
    struct gw_relay *relay = NULL;
    gw_err err = {0};
    assert_ok_err(gw_relay_new(&options, &relay, &err), &err);
    return relay;
}

struct fixture_goal {
    struct gw_relay *relay;
    int64_t sequence;
};

static inline bool fixture_is_reached(void *context)
{
    const struct fixture_goal *goal = context;
    enum gw_relay_state state = GW_RELAY_WAITING;
    int64_t published = 0;
    gw_err err = {0}; // failures on the way are what the test makes
    return gw_relay_run(goal->relay, &state, &published, &err) == GW_OK && state == GW_RELAY_CAUGHT_UP &&
           published >= goal->sequence;
}

// Runs it until everything up to `sequence` is published.
static inline void relay_catch_up(struct gw_relay *relay, int64_t sequence)
{
    struct fixture_goal goal = {.relay = relay, .sequence = sequence};
    wait_until(fixture_is_reached, &goal, FIXTURE_MS, "the relay has published");
}

// A child that runs a relay until it is killed, as the bridge does. `uri` NULL: the fixture's.
static inline struct proc *relay_child(const struct relay_fixture *fixture, const char *uri, const char *faults)
{
    const char *const argv[] = {"/proc/self/exe",
                                "relay",
                                uri != NULL ? uri : fixture->uri,
                                fixture->events_topic,
                                fixture->routes_topic,
                                fixture->transactional_id,
                                faults,
                                NULL};
    return proc_start("relay", argv, fixture->log_path);
}

// ---- what the topics hold -------------------------------------------------------------------------------------------

typedef void (*fixture_see)(void *context, const struct gw_kafka_record *record, struct gw_slice body);

// Shows every committed record of a topic, in order.
static inline void fixture_read(const char *topic, uint32_t schema_id, fixture_see see, void *context)
{
    struct gw_kafka_consumer *consumer = fixture_reader(topic, 0, GW_KAFKA_OFFSET_START, false);
    for (;;) {
        struct gw_kafka_record record = fixture_next(consumer);
        if (record.partition_end) {
            break;
        }
        uint32_t id = 0;
        struct gw_slice body;
        gw_err err = {0};
        assert_ok_err(gw_avro_unframe(record.value, &id, &body, &err), &err);
        assert_int_equal(id, schema_id);
        see(context, &record, body);
        gw_kafka_message_free(record.message);
    }
    gw_kafka_consumer_free(consumer);
}

struct fixture_seen {
    struct gw_arena arena;
    int64_t events;
    int64_t routes; // sequence of the last one
    int64_t newest[FIXTURE_MODELS];
};

static inline void fixture_see_event(void *context, const struct gw_kafka_record *record, struct gw_slice body)
{
    struct fixture_seen *seen = context;
    struct gw_model_event event;
    gw_err err = {0};
    gw_arena_clear(&seen->arena);
    assert_ok_err(gw_model_event_decode(body, &seen->arena, &event, &err), &err);
    assert_int_equal(event.sequence, ++seen->events); // in order, none missing, none twice
    assert_true(gw_slice_is(event.model_name, fixture_model(event.sequence)));
    assert_true(gw_slice_is(record->key, fixture_model(event.sequence)));
    assert_int_equal(event.version, event.sequence);
    assert_int_equal(event.parent_version, 1);
    assert_true(gw_slice_is(event.transition, "promote"));
    assert_true(gw_slice_is(event.from_state, "VERIFIED"));
    assert_true(gw_slice_is(event.to_state, "CHAMPION"));
    assert_int_equal(event.digest.size, 64);
    assert_true(gw_slice_is(event.actor, "tester"));
    char reason[40];
    snprintf(reason, sizeof reason, "because %lld", (long long)event.sequence);
    assert_true(gw_slice_is(event.reason, reason));
    assert_true(event.at_ms > 1700000000000);
}

static inline void fixture_same_version(const struct gw_route_target *target, const struct gw_route_version *expected)
{
    assert_int_equal(target->version, expected->version);
    assert_int_equal(target->weight, expected->weight);
    assert_true(gw_slice_is(target->variant, expected->variant));
    assert_true(gw_slice_is(target->digest, expected->digest));
}

static inline void fixture_see_route(void *context, const struct gw_kafka_record *record, struct gw_slice body)
{
    struct fixture_seen *seen = context;
    struct gw_model_route route;
    gw_err err = {0};
    gw_arena_clear(&seen->arena);
    assert_ok_err(gw_model_route_decode(body, &seen->arena, &route, &err), &err);
    do {
        seen->routes++;
    } while (!fixture_has_route(seen->routes));
    assert_int_equal(route.sequence, seen->routes);
    const struct gw_route expected = fixture_route(route.sequence);
    assert_true(gw_slice_is(route.model_name, expected.model));
    assert_true(gw_slice_is(record->key, expected.model));
    assert_true(gw_slice_is(route.salt, expected.salt));
    assert_int_equal(route.at_ms, expected.at_ms);
    assert_int_equal(route.targets.count, expected.target_count);
    assert_int_equal(route.shadows.count, expected.shadow_count);
    for (uint32_t i = 0; i < route.targets.count; i++) {
        fixture_same_version(&route.targets.items[i], &expected.targets[i]);
    }
    for (uint32_t i = 0; i < route.shadows.count; i++) {
        fixture_same_version(&route.shadows.items[i], &expected.shadows[i]);
    }
    seen->newest[route.sequence % FIXTURE_MODELS] = route.sequence;
}

// Each event of the history once and in order, each of its routes once and in order, and so the newest route of each
// model is that of the last event that has one.
static inline void relay_assert_published(const struct relay_fixture *fixture)
{
    struct fixture_seen seen = {.events = 0};
    int64_t newest[FIXTURE_MODELS] = {0};
    gw_arena_init(&seen.arena, 1 << 16, 1 << 20);
    fixture_read(fixture->events_topic, FIXTURE_EVENTS_SCHEMA, fixture_see_event, &seen);
    fixture_read(fixture->routes_topic, FIXTURE_ROUTES_SCHEMA, fixture_see_route, &seen);
    gw_arena_deinit(&seen.arena);
    assert_int_equal(seen.events, fixture->last);
    for (int64_t sequence = 1; sequence <= fixture->last; sequence++) {
        if (fixture_has_route(sequence)) {
            newest[sequence % FIXTURE_MODELS] = sequence;
        }
    }
    for (size_t i = 0; i < FIXTURE_MODELS; i++) {
        assert_int_equal(seen.newest[i], newest[i]);
    }
}
