// SPDX-License-Identifier: MIT
// Views against a real PostgreSQL (GODWIT_POSTGRES_URI), over rows that SQL made.
#include "base/arena.h"
#include "registry/views.h"
#include "integration/registry_fixture.h"

struct views {
    struct registry_fixture fixture;
    struct gw_registry *registry;
    struct gw_arena arena;
};

static struct gw_registry *open_handle(const struct registry_fixture *fixture)
{
    struct gw_registry *registry = NULL;
    gw_err err = {0};
    const struct gw_registry_options options = {.uri = fixture->uri, .application = "godwit-test", .timeout_ms = 30000};
    assert_ok_err(gw_registry_new(&options, &registry, &err), &err);
    return registry;
}

static void open_views(struct views *views)
{
    registry_open(&views->fixture);
    views->registry = open_handle(&views->fixture);
    gw_arena_init(&views->arena, 64 << 10, 64 << 20);
}

static void close_views(struct views *views)
{
    gw_arena_deinit(&views->arena);
    gw_registry_free(views->registry);
    registry_close(&views->fixture);
}

#define ROUTE(sequence, version)                                                                                       \
    "'{\"model\": \"m\", \"salt\": \"s\", \"sequence\": " sequence                                                     \
    ", \"atMs\": 5, \"targets\": [{\"version\": " version                                                              \
    ", \"variant\": \"champion\", \"weight\": 10000, \"digest\": \"' || repeat('a', 64) || '\"}], \"shadows\": []}'"

// Model 'm' with four versions (1 RETIRED and archived, 2 CHAMPION, 3 CANARY of 5 %, 4 SHADOW) and a history in which 1
// served from 10:00, 2 from 11:00; model 'empty' without anything.
static const char rows[] =
    "INSERT INTO registry_models VALUES ('m', 'main', 'salt', 7, 4, '2025-01-01 09:00:00.5+00'),"
    " ('empty', '', 'salt', 1, 0, '2025-01-01 08:00+00');"
    "INSERT INTO registry_artefacts (digest) VALUES (repeat('a', 64));"
    "INSERT INTO registry_versions (model, version, digest, artefact, state, variant, weight, description, tags, "
    "signature, metrics, lineage, parent_version, rejected_because, created_at, created_by) VALUES"
    " ('m', 1, repeat('b', 64), NULL, 'RETIRED', 'old', 77, '', '{}', '{}', '{}', '{}', 0, '', '2025-01-01 09:00+00', "
    "'ann'),"
    " ('m', 2, repeat('a', 64), repeat('a', 64), 'CHAMPION', '', 0, 'd''2', '{\"team\": \"feed\"}', '{\"features\": "
    "[\"f\"]}', '{\"auc\": 0.75}', '{\"git\": \"abc\"}', 1, '', '2025-01-01 09:01:00.0019+00', 'ann'),"
    " ('m', 3, repeat('a', 64), repeat('a', 64), 'CANARY', 'canary', 500, '', '{}', '{}', '{}', '{}', 2, '', "
    "'2025-01-01 09:02+00', 'bob'),"
    " ('m', 4, repeat('a', 64), repeat('a', 64), 'SHADOW', '', 0, '', '{}', '{}', '{}', '{}', 2, '', '2025-01-01 "
    "09:03+00', 'bob');"
    "INSERT INTO registry_events VALUES"
    " (1, 'm', 0, 'create', '', '', '', 0, 'ann', '', '2025-01-01 09:00+00', NULL),"
    " (2, 'm', 1, 'register', '', 'VERIFIED', repeat('b', 64), 0, 'ann', '', '2025-01-01 09:00+00', NULL),"
    " (3, 'm', 1, 'promote', 'VERIFIED', 'CHAMPION', repeat('b', 64), 0, 'ann', 'first', '2025-01-01 10:00:00.0004+00',"
    " (" ROUTE("3", "1") ")::jsonb),"
                         " (4, 'empty', 0, 'create', '', '', '', 0, 'ann', '', '2025-01-01 10:30+00', NULL),"
                         " (5, 'm', 1, 'demote', 'CHAMPION', 'RETIRED', repeat('b', 64), 0, 'bob', '', '2025-01-01 "
                         "11:00+00', NULL),"
                         " (6, 'm', 2, 'promote', 'VERIFIED', 'CHAMPION', repeat('a', 64), 1, 'bob', 'it''s better', "
                         "'2025-01-01 11:00+00',"
                         " (" ROUTE("6", "2") ")::jsonb),"
                                              " (7, 'm', 1, 'archive', 'RETIRED', 'RETIRED', repeat('b', 64), 0, "
                                              "'bob', '', '2025-01-01 12:00+00', NULL);";

enum { HOUR_MS = 3600000 };
static const int64_t ten_ms = INT64_C(1735725600000); // 2025-01-01 10:00 UTC

static void models_are_listed_with_their_champions(void **state)
{
    (void)state;
    struct views views;
    const struct gw_registry_model *models = NULL;
    size_t count = 9;
    gw_err err = {0};
    open_views(&views);
    assert_ok_err(gw_registry_list_models(views.registry, &views.arena, &models, &count, &err), &err);
    assert_int_equal(count, 0);
    registry_run(views.fixture.postgres, rows);
    assert_ok_err(gw_registry_list_models(views.registry, &views.arena, &models, &count, &err), &err);
    assert_int_equal(count, 2);
    assert_string_equal(models[0].name, "empty");
    assert_int_equal(models[0].champion, 0);
    assert_string_equal(models[1].name, "m");
    assert_string_equal(models[1].description, "main");
    assert_int_equal(models[1].champion, 2);
    assert_int_equal(models[1].last_version, 4);
    assert_int_equal(models[1].revision, 7);
    assert_int_equal(models[1].created_ms, ten_ms - HOUR_MS + 500);

    struct gw_registry_model model = {0};
    assert_ok_err(gw_registry_get_model(views.registry, "m", &views.arena, &model, &err), &err);
    assert_string_equal(model.name, "m");
    assert_int_equal(model.champion, 2);
    close_views(&views);
}

static void versions_come_newest_first_and_in_pages(void **state)
{
    (void)state;
    struct views views;
    const struct gw_registry_version *versions = NULL;
    size_t count = 0;
    gw_err err = {0};
    open_views(&views);
    registry_run(views.fixture.postgres, rows);
    assert_ok_err(gw_registry_list_versions(views.registry, "m", 0, 100, &views.arena, &versions, &count, &err), &err);
    assert_int_equal(count, 4);
    static const struct {
        enum gw_rollout_state state;
        const char *variant;
        uint32_t weight;
        bool archived;
    } expected[] = {{GW_ROLLOUT_SHADOW, "shadow", 0, false},
                    {GW_ROLLOUT_CANARY, "canary", 500, false},
                    {GW_ROLLOUT_CHAMPION, "champion", 9500, false},
                    {GW_ROLLOUT_RETIRED, "", 0, true}};
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(versions[i].version, 4 - (int)i);
        assert_int_equal(versions[i].state, expected[i].state);
        assert_string_equal(versions[i].variant, expected[i].variant);
        assert_int_equal(versions[i].weight, expected[i].weight);
        assert_int_equal(versions[i].archived, expected[i].archived);
    }
    assert_ok_err(gw_registry_list_versions(views.registry, "m", 4, 2, &views.arena, &versions, &count, &err), &err);
    assert_int_equal(count, 2);
    assert_int_equal(versions[0].version, 3);
    assert_int_equal(versions[1].version, 2);
    assert_ok_err(gw_registry_list_versions(views.registry, "m", 1, 2, &views.arena, &versions, &count, &err), &err);
    assert_int_equal(count, 0);
    assert_ok_err(gw_registry_list_versions(views.registry, "empty", 0, 2, &views.arena, &versions, &count, &err),
                  &err);
    assert_int_equal(count, 0);
    close_views(&views);
}

static void version_shows_all_that_is_stored(void **state)
{
    (void)state;
    struct views views;
    struct gw_registry_version version = {0};
    gw_err err = {0};
    open_views(&views);
    registry_run(views.fixture.postgres, rows);
    assert_ok_err(gw_registry_get_version(views.registry, "m", 2, &views.arena, &version, &err), &err);
    assert_string_equal(version.model, "m");
    assert_int_equal(strlen(version.digest), 64);
    assert_string_equal(version.description, "d'2");
    assert_string_equal(version.tags_json, "{\"team\": \"feed\"}");
    assert_string_equal(version.signature_json, "{\"features\": [\"f\"]}");
    assert_string_equal(version.metrics_json, "{\"auc\": 0.75}");
    assert_string_equal(version.lineage_json, "{\"git\": \"abc\"}");
    assert_int_equal(version.parent_version, 1);
    assert_string_equal(version.rejected_because, "");
    assert_int_equal(version.created_ms, ten_ms - HOUR_MS + 60001); // floor of 1.9 ms
    assert_string_equal(version.created_by, "ann");
    assert_int_equal(version.champion_since_ms, ten_ms + HOUR_MS);

    assert_ok_err(gw_registry_get_version(views.registry, "m", 0, &views.arena, &version, &err), &err);
    assert_int_equal(version.version, 4);
    assert_int_equal(version.champion_since_ms, 0);

    const struct gw_registry_version *champions = NULL;
    size_t count = 0;
    assert_ok_err(gw_registry_champions(views.registry, &views.arena, &champions, &count, &err), &err);
    assert_int_equal(count, 1);
    assert_int_equal(champions[0].version, 2);
    assert_int_equal(champions[0].weight, 9500);
    close_views(&views);
}

static void what_is_not_there_is_not_found_and_named(void **state)
{
    (void)state;
    struct views views;
    struct gw_registry_version version = {.version = 77};
    struct gw_registry_model model = {0};
    struct gw_registry_event event = {0};
    const struct gw_registry_version *versions = NULL;
    const struct gw_registry_event *events = NULL;
    struct gw_route route = {0};
    size_t count = 0;
    gw_err err = {0};
    open_views(&views);
    registry_run(views.fixture.postgres, rows);
    struct gw_registry *registry = views.registry;
    struct gw_arena *arena = &views.arena;
    assert_fails(gw_registry_get_model(registry, "no'ne", arena, &model, &err), GW_E_NOT_FOUND);
    assert_string_equal(err.message, "no model 'no'ne'");
    assert_fails(gw_registry_get_version(registry, "none", 0, arena, &version, &err), GW_E_NOT_FOUND);
    assert_string_equal(err.message, "no model 'none'");
    assert_fails(gw_registry_get_version(registry, "m", 5, arena, &version, &err), GW_E_NOT_FOUND);
    assert_string_equal(err.message, "model 'm' has no version 5");
    assert_fails(gw_registry_get_version(registry, "m", -1, arena, &version, &err), GW_E_NOT_FOUND);
    assert_fails(gw_registry_get_version(registry, "empty", 0, arena, &version, &err), GW_E_NOT_FOUND);
    assert_string_equal(err.message, "model 'empty' has no version");
    assert_int_equal(version.version, 77);
    assert_fails(gw_registry_list_versions(registry, "none", 0, 9, arena, &versions, &count, &err), GW_E_NOT_FOUND);
    assert_fails(gw_registry_history(registry, "none", 0, 9, arena, &events, &count, &err), GW_E_NOT_FOUND);
    assert_fails(gw_registry_at(registry, "none", ten_ms, arena, &event, &err), GW_E_NOT_FOUND);
    assert_fails(gw_registry_at(registry, "empty", INT64_MAX, arena, &event, &err), GW_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "not routed yet"));
    assert_fails(gw_registry_route(registry, "none", &route, &err), GW_E_NOT_FOUND);
    assert_fails(gw_registry_route(registry, "empty", &route, &err), GW_E_NOT_FOUND);
    close_views(&views);
}

static void history_comes_newest_first_and_in_pages(void **state)
{
    (void)state;
    struct views views;
    const struct gw_registry_event *events = NULL;
    size_t count = 0;
    gw_err err = {0};
    open_views(&views);
    registry_run(views.fixture.postgres, rows);
    assert_ok_err(gw_registry_history(views.registry, NULL, 0, 100, &views.arena, &events, &count, &err), &err);
    assert_int_equal(count, 7);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(events[i].sequence, 7 - (int)i);
    }
    assert_string_equal(events[1].transition, "promote");
    assert_string_equal(events[1].from_state, "VERIFIED");
    assert_string_equal(events[1].to_state, "CHAMPION");
    assert_string_equal(events[1].actor, "bob");
    assert_string_equal(events[1].reason, "it's better");
    assert_int_equal(events[1].parent_version, 1);
    assert_int_equal(events[1].at_ms, ten_ms + HOUR_MS);
    assert_int_equal(events[1].route->targets[0].version, 2);
    assert_int_equal(events[1].route->sequence, 6);
    assert_null(events[0].route);

    assert_ok_err(gw_registry_history(views.registry, "m", 6, 2, &views.arena, &events, &count, &err), &err);
    assert_int_equal(count, 2);
    assert_int_equal(events[0].sequence, 5);
    assert_int_equal(events[1].sequence, 3); // 4 is another model's
    assert_ok_err(gw_registry_history(views.registry, "m", 1, 2, &views.arena, &events, &count, &err), &err);
    assert_int_equal(count, 0);
    close_views(&views);
}

static void who_served_at_a_time_is_the_last_route_before_it(void **state)
{
    (void)state;
    struct views views;
    struct gw_registry_event event = {0};
    gw_err err = {0};
    open_views(&views);
    registry_run(views.fixture.postgres, rows);
    assert_fails(gw_registry_at(views.registry, "m", ten_ms - 1, &views.arena, &event, &err), GW_E_NOT_FOUND);
    assert_fails(gw_registry_at(views.registry, "m", INT64_MIN, &views.arena, &event, &err), GW_E_NOT_FOUND);
    static const struct {
        int64_t after_ms;
        int64_t sequence;
    } cases[] = {{0, 3}, {HOUR_MS - 1, 3}, {HOUR_MS, 6}, {HOUR_MS + 1, 6}, {100 * (int64_t)HOUR_MS, 6}};
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        assert_ok_err(gw_registry_at(views.registry, "m", ten_ms + cases[i].after_ms, &views.arena, &event, &err),
                      &err);
        assert_int_equal(event.sequence, cases[i].sequence);
        assert_non_null(event.route);
    }
    assert_ok_err(gw_registry_at(views.registry, "m", INT64_MAX, &views.arena, &event, &err), &err);
    assert_int_equal(event.sequence, 6);

    struct gw_route route = {0};
    assert_ok_err(gw_registry_route(views.registry, "m", &route, &err), &err);
    assert_int_equal(route.sequence, 6);
    assert_int_equal(route.targets[0].weight, GW_ROUTE_BUCKETS);
    close_views(&views);
}

static void events_after_a_sequence_come_oldest_first(void **state)
{
    (void)state;
    struct views views;
    const struct gw_registry_event *events = NULL;
    size_t count = 0;
    gw_err err = {0};
    open_views(&views);
    registry_run(views.fixture.postgres, rows);
    assert_ok_err(gw_registry_events_after(views.registry, 2, 3, &views.arena, &events, &count, &err), &err);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(events[i].sequence, 3 + (int)i);
    }
    assert_int_equal(events[0].route->targets[0].version, 1);
    assert_ok_err(gw_registry_events_after(views.registry, 7, 3, &views.arena, &events, &count, &err), &err);
    assert_int_equal(count, 0);
    close_views(&views);
}

static void damaged_route_names_its_event(void **state)
{
    (void)state;
    struct views views;
    struct gw_registry_event event = {0};
    gw_err err = {0};
    open_views(&views);
    registry_run(views.fixture.postgres, rows);
    registry_run(views.fixture.postgres, "INSERT INTO registry_events VALUES (8, 'm', 2, 'split', '', '', '', 0, 'a', "
                                         "'', '2025-01-02', '{\"model\": \"m\"}')");
    assert_fails(gw_registry_at(views.registry, "m", INT64_MAX, &views.arena, &event, &err), GW_E_INVALID);
    assert_non_null(strstr(err.message, "event 8"));
    close_views(&views);
}

static void view_over_the_arenas_bound_fails_for_memory(void **state)
{
    (void)state;
    struct views views;
    struct gw_arena small;
    const struct gw_registry_event *events = NULL;
    size_t count = 0;
    gw_err err = {0};
    open_views(&views);
    registry_run(views.fixture.postgres, rows);
    gw_arena_init(&small, 256, 1024);
    assert_fails(gw_registry_history(views.registry, NULL, 0, 100, &small, &events, &count, &err), GW_E_MEMORY);
    assert_null(events);
    gw_arena_deinit(&small);
    close_views(&views);
}

static void missing_tables_say_how_to_migrate(void **state)
{
    (void)state;
    struct views views;
    const struct gw_registry_model *models = NULL;
    size_t count = 0;
    gw_err err = {0};
    registry_open_empty(&views.fixture);
    views.registry = open_handle(&views.fixture);
    gw_arena_init(&views.arena, 4096, 1 << 20);
    assert_fails(gw_registry_list_models(views.registry, &views.arena, &models, &count, &err), GW_E_MISMATCH);
    assert_non_null(strstr(err.message, "godwit db migrate"));
    close_views(&views);
}

// A plan that sorted or scanned would take longer with every change ever made.
static void who_served_at_a_time_is_one_look_into_the_index(void **state)
{
    (void)state;
    struct views views;
    struct gw_postgres_rows *plan = NULL;
    gw_err err = {0};
    open_views(&views);
    registry_run(views.fixture.postgres, rows);
    registry_run(views.fixture.postgres,
                 "INSERT INTO registry_events SELECT g, 'm', 2, 'split', 'CANARY', 'CANARY', '', 0, 'ann', '', "
                 "timestamptz '2025-02-01' + g * interval '1 second', CASE WHEN g % 2 = 0 THEN (" ROUTE(
                     "9", "2") ")::jsonb END FROM generate_series(8, 20000) g; ANALYZE registry_events");
    assert_ok_err(gw_postgres_exec(views.fixture.postgres,
                                   "EXPLAIN SELECT * FROM registry_events WHERE model = 'm' AND route IS NOT NULL AND "
                                   "at < '2025-02-01 01:00+00' ORDER BY at DESC, sequence DESC LIMIT 1",
                                   NULL, 0, &plan, &err),
                  &err);
    bool indexed = false;
    for (size_t i = 0; i < gw_postgres_rows_count(plan); i++) {
        const char *line = gw_postgres_rows_text(plan, i, 0);
        indexed |= strstr(line, "registry_events_routes") != NULL;
        assert_null(strstr(line, "Sort"));
    }
    assert_true(indexed);
    gw_postgres_rows_free(plan);
    close_views(&views);
}

GW_TESTS(models_are_listed_with_their_champions, versions_come_newest_first_and_in_pages,
         version_shows_all_that_is_stored, what_is_not_there_is_not_found_and_named,
         history_comes_newest_first_and_in_pages, who_served_at_a_time_is_the_last_route_before_it,
         events_after_a_sequence_come_oldest_first, damaged_route_names_its_event,
         view_over_the_arenas_bound_fails_for_memory, missing_tables_say_how_to_migrate,
         who_served_at_a_time_is_one_look_into_the_index)
