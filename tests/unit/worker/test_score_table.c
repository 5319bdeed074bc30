// SPDX-License-Identifier: MIT
// Several threads use tables while another one swaps them; every model must be let go of exactly once.
#include "support/testkit.h"

#include "base/mem.h"
#include "worker/score_recent.h"
#include "worker/score_table.h"

#include <pthread.h>

enum { LANES = 4, SWAPS = 10000, VERSIONS = 5 };

static struct gw_score_model *make_model(int32_t version)
{
    struct gw_score_model *model = gw_mem_calloc(1, sizeof *model);
    assert_non_null(model);
    model->version = version;
    atomic_init(&model->refs, 1);
    return model;
}

struct race {
    struct gw_score_tables tables;
    struct gw_score_recent *recent;
    atomic_bool done;
    atomic_uint lanes;  // that have begun
    atomic_ulong turns; // of all lanes
    atomic_ulong torn;  // tables that were not whole
};

static void *run_lane(void *argument)
{
    struct race *race = argument;
    atomic_fetch_add(&race->lanes, 1);
    while (!atomic_load(&race->done)) {
        struct gw_score_table *table = gw_score_tables_acquire(&race->tables);
        const struct gw_score_route *route = gw_score_table_find(table, (struct gw_slice){0});
        if (route != NULL) {
            // What freed memory would not say: all parts of a table are of one sequence.
            int64_t sequence = route->route.sequence;
            bool whole = route->targets[0]->version == sequence % VERSIONS &&
                         route->shadows[0]->version == (sequence + 1) % VERSIONS && table->route_count == 1;
            atomic_fetch_add(&race->torn, !whole);
            gw_score_recent_add(race->recent, gw_slice_make(&sequence, sizeof sequence), (uint64_t)sequence * 100000);
        }
        gw_score_table_unref(table);
        atomic_fetch_add(&race->turns, 1);
    }
    return NULL;
}

static void tables_are_swapped_under_lanes_and_freed_once(void **state)
{
    (void)state;
    struct race race = {.done = false};
    pthread_t lanes[LANES];
    struct gw_score_model *models[VERSIONS];
    struct gw_buf copy = {0};
    assert_ok(gw_score_tables_init(&race.tables, NULL));
    assert_ok(gw_score_recent_new(&race.recent, NULL));
    for (int32_t i = 0; i < VERSIONS; i++) {
        models[i] = make_model(i);
    }
    for (size_t i = 0; i < LANES; i++) {
        assert_int_equal(pthread_create(&lanes[i], NULL, run_lane, &race), 0);
    }
    while (atomic_load(&race.lanes) < LANES) {
    }
    for (int64_t sequence = 1; sequence <= SWAPS; sequence++) {
        struct gw_score_route route = {.route = {.model = "m", .sequence = sequence, .target_count = 1}};
        const struct gw_score_route *routes[] = {&route};
        struct gw_score_table *table = NULL;
        bool found = false;
        route.route.shadow_count = 2; // the second one is left out
        route.targets[0] = models[sequence % VERSIONS];
        route.shadows[0] = models[(sequence + 1) % VERSIONS];
        assert_ok(gw_score_table_new(&race.tables, routes, 1, "m", &table, NULL));
        gw_score_tables_swap(&race.tables, table);
        if (sequence % 3 == 0) {
            gw_score_tables_reclaim(&race.tables);
            assert_ok(gw_score_recent_copy(race.recent, (size_t)sequence % 64, &copy, &found));
        }
    }
    for (unsigned long turns = atomic_load(&race.turns); atomic_load(&race.turns) < turns + LANES;) {
    }
    atomic_store(&race.done, true);
    for (size_t i = 0; i < LANES; i++) {
        assert_int_equal(pthread_join(lanes[i], NULL), 0);
    }
    gw_score_tables_deinit(&race.tables);
    gw_score_recent_free(race.recent);
    gw_buf_deinit(&copy);
    assert_int_equal(atomic_load(&race.torn), 0);
    for (int32_t i = 0; i < VERSIONS; i++) {
        assert_int_equal(atomic_load(&models[i]->refs), 1); // each table gave back what it took
        gw_score_model_unref(models[i]);
    }
}

static void an_empty_table_has_no_route(void **state)
{
    (void)state;
    struct gw_score_tables tables;
    assert_ok(gw_score_tables_init(&tables, NULL));
    struct gw_score_table *table = gw_score_tables_acquire(&tables);
    assert_null(gw_score_table_find(table, gw_slice_text("")));
    assert_null(gw_score_table_find(table, gw_slice_text("m")));
    gw_score_table_unref(table);
    gw_score_tables_deinit(&tables);
}

GW_TESTS(tables_are_swapped_under_lanes_and_freed_once, an_empty_table_has_no_route)
