// SPDX-License-Identifier: MIT
#include "support/testkit.h"

#include "base/mem.h"
#include "worker/score_follow.h"

#include <stdio.h>
#include <string.h>

enum { MODELS_MAX = 64, S = 1000000 };

// Loads what it is told to; keeps one reference of every model that it gave, so that at the end each must be the last
// one.
struct fake {
    struct gw_score_model *models[MODELS_MAX];
    size_t count;
    char loads[512];   // versions in the order of their loads
    char rejects[512]; // "version:reason;" in their order
    int32_t bad_version;
    gw_status bad_status;
    gw_status reject_status;
    struct gw_score_tables tables;
    struct gw_score_follow *follow;
    uint64_t now_us;
};

static void append(char *text, size_t size, const char *format, int32_t version, const char *reason)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, format, version, reason);
}

static gw_status fake_load(void *context, const char *model, const struct gw_route_version *version,
                           struct gw_score_model **ret_model, gw_err *err)
{
    struct fake *fake = context;
    append(fake->loads, sizeof fake->loads, "%d%s", version->version, ";");
    if (version->version == fake->bad_version) {
        return gw_fail(err, fake->bad_status, "version %d is bad", version->version);
    }
    struct gw_score_model *loaded = gw_mem_calloc(1, sizeof *loaded);
    assert_non_null(loaded);
    snprintf(loaded->name, sizeof loaded->name, "%s", model);
    snprintf(loaded->digest, sizeof loaded->digest, "%s", version->digest);
    loaded->version = version->version;
    atomic_init(&loaded->refs, 1);
    assert_true(fake->count < MODELS_MAX);
    fake->models[fake->count++] = gw_score_model_ref(loaded);
    *ret_model = loaded;
    return GW_OK;
}

static gw_status fake_reject(void *context, const char *model, int32_t version, const char *reason, gw_err *err)
{
    struct fake *fake = context;
    (void)model;
    append(fake->rejects, sizeof fake->rejects, "%d:%s;", version, reason);
    return fake->reject_status == GW_OK ? GW_OK : gw_fail(err, fake->reject_status, "the registry says no");
}

static void begin(struct fake *fake)
{
    *fake = (struct fake){.now_us = S};
    const struct gw_score_follow_ops ops = {.load = fake_load, .reject = fake_reject, .context = fake};
    assert_ok(gw_score_tables_init(&fake->tables, NULL));
    assert_ok(gw_score_follow_new(&ops, &fake->tables, "m", &fake->follow, NULL));
}

static void end(struct fake *fake)
{
    gw_score_follow_free(fake->follow);
    gw_score_tables_deinit(&fake->tables);
    for (size_t i = 0; i < fake->count; i++) {
        assert_int_equal(atomic_load(&fake->models[i]->refs), 1);
        gw_score_model_unref(fake->models[i]);
    }
}

static struct gw_route_version make_version(int32_t version, uint32_t weight)
{
    struct gw_route_version made = {.version = version, .weight = weight};
    snprintf(made.variant, sizeof made.variant, "%s", weight > 0 ? "champion" : "shadow");
    snprintf(made.digest, sizeof made.digest, "%064x", (unsigned)version);
    return made;
}

// A route with one target, and a shadow unless 0.
static struct gw_route make_route(const char *model, int64_t sequence, int32_t target, int32_t shadow)
{
    struct gw_route route = {.sequence = sequence, .salt = "s"};
    snprintf(route.model, sizeof route.model, "%s", model);
    if (target != 0) {
        route.targets[route.target_count++] = make_version(target, GW_ROUTE_BUCKETS);
    }
    if (shadow != 0) {
        route.shadows[route.shadow_count++] = make_version(shadow, 0);
    }
    return route;
}

static gw_status note(struct fake *fake, const char *model, int64_t sequence, int32_t target, int32_t shadow)
{
    const struct gw_route route = make_route(model, sequence, target, shadow);
    return gw_score_follow_note(fake->follow, &route, NULL);
}

static void run(struct fake *fake)
{
    int steps = 0;
    while (gw_score_follow_step(fake->follow, fake->now_us)) {
        gw_score_tables_reclaim(&fake->tables);
        assert_true(++steps < 1000);
    }
}

static bool settled(const struct fake *fake)
{
    char why[256];
    return gw_score_follow_is_settled(fake->follow, why, sizeof why);
}

// Version of the first target of a model's route in force; 0: no route, -1: a route without targets.
static int32_t serving(struct fake *fake, const char *model)
{
    struct gw_score_table *table = gw_score_tables_acquire(&fake->tables);
    const struct gw_score_route *route = gw_score_table_find(table, gw_slice_text(model));
    int32_t version = 0;
    if (route != NULL) {
        version = route->route.target_count > 0 ? route->targets[0]->version : -1;
        assert_true(version < 0 || version == route->route.targets[0].version);
    }
    gw_score_table_unref(table);
    return version;
}

static int32_t shadowing(struct fake *fake, const char *model)
{
    struct gw_score_table *table = gw_score_tables_acquire(&fake->tables);
    const struct gw_score_route *route = gw_score_table_find(table, gw_slice_text(model));
    int32_t version = route != NULL && route->shadows[0] != NULL ? route->shadows[0]->version : 0;
    gw_score_table_unref(table);
    return version;
}

static uint64_t ignored(const struct fake *fake, enum gw_score_ignored why)
{
    struct gw_score_follow_totals totals;
    gw_score_follow_totals(fake->follow, &totals);
    return totals.ignored[why];
}

static void the_newest_route_takes_effect(void **state)
{
    (void)state;
    struct fake fake;
    begin(&fake);
    assert_true(settled(&fake)); // no route of the default model is no reason to wait
    assert_int_equal(serving(&fake, ""), 0);
    assert_ok(note(&fake, "m", 10, 1, 0));
    assert_false(settled(&fake));
    run(&fake);
    assert_true(settled(&fake));
    assert_int_equal(serving(&fake, ""), 1);
    assert_int_equal(serving(&fake, "m"), 1);
    assert_int_equal(serving(&fake, "other"), 0);
    assert_fails(note(&fake, "m", 10, 2, 0), GW_E_STALE);
    assert_fails(note(&fake, "m", 9, 3, 0), GW_E_STALE);
    run(&fake);
    assert_int_equal(serving(&fake, "m"), 1);
    assert_int_equal(ignored(&fake, GW_SCORE_IGNORED_OLD), 2);
    assert_string_equal(fake.loads, "1;");
    end(&fake);
}

static void routes_in_between_are_skipped(void **state)
{
    (void)state;
    struct fake fake;
    begin(&fake);
    assert_ok(note(&fake, "m", 1, 1, 0));
    assert_ok(note(&fake, "m", 2, 2, 0));
    assert_ok(note(&fake, "m", 3, 3, 4));
    assert_true(gw_score_follow_step(fake.follow, fake.now_us)); // loads 3
    assert_ok(note(&fake, "m", 4, 5, 0));
    run(&fake);
    assert_string_equal(fake.loads, "3;5;");
    assert_int_equal(serving(&fake, "m"), 5);
    end(&fake);
}

static void the_former_route_goes_on_until_all_targets_are_loaded(void **state)
{
    (void)state;
    struct fake fake;
    begin(&fake);
    assert_ok(note(&fake, "m", 1, 1, 0));
    run(&fake);
    struct gw_route split = make_route("m", 2, 0, 0);
    split.targets[split.target_count++] = make_version(2, 9000);
    split.targets[split.target_count++] = make_version(3, 1000);
    snprintf(split.targets[1].variant, sizeof split.targets[1].variant, "canary");
    fake.bad_version = 3;
    fake.bad_status = GW_E_UNAVAILABLE;
    assert_ok(gw_score_follow_note(fake.follow, &split, NULL));
    run(&fake);
    assert_int_equal(serving(&fake, "m"), 1);
    assert_false(settled(&fake));
    assert_string_equal(fake.loads, "1;2;3;"); // and a pause
    run(&fake);
    assert_string_equal(fake.loads, "1;2;3;");
    fake.bad_version = 0;
    fake.now_us += 10 * S;
    run(&fake);
    assert_string_equal(fake.loads, "1;2;3;3;");
    assert_int_equal(serving(&fake, "m"), 2);
    assert_string_equal(fake.rejects, "");
    end(&fake);
}

static void a_newer_route_does_not_wait_for_the_pause_of_the_former(void **state)
{
    (void)state;
    struct fake fake;
    begin(&fake);
    fake.bad_version = 1;
    fake.bad_status = GW_E_TIMEOUT;
    assert_ok(note(&fake, "m", 1, 1, 0));
    run(&fake);
    assert_ok(note(&fake, "m", 2, 2, 0));
    run(&fake);
    assert_int_equal(serving(&fake, "m"), 2);
    end(&fake);
}

static void a_version_that_cannot_serve_is_rejected_once_and_never_serves(void **state)
{
    (void)state;
    static const gw_status final[] = {GW_E_MISMATCH,  GW_E_MALFORMED, GW_E_INVALID,
                                      GW_E_TOO_LARGE, GW_E_CONFIG,    GW_E_NOT_FOUND};
    for (size_t i = 0; i < GW_COUNT_OF(final); i++) {
        struct fake fake;
        begin(&fake);
        assert_ok(note(&fake, "m", 1, 1, 0));
        run(&fake);
        fake.bad_version = 2;
        fake.bad_status = final[i];
        assert_ok(note(&fake, "m", 2, 2, 3));
        run(&fake);
        fake.now_us += 100 * S;
        run(&fake);
        assert_string_equal(fake.loads, "1;2;"); // a route that is blocked loads no shadow either
        assert_string_equal(fake.rejects, "2:version 2 is bad;");
        assert_int_equal(serving(&fake, "m"), 1);
        assert_ok(note(&fake, "m", 3, 1, 0)); // what the registry makes of it
        run(&fake);
        assert_true(settled(&fake));
        assert_string_equal(fake.loads, "1;2;");
        end(&fake);
    }
}

static void a_version_that_served_before_this_process_is_not_rejected_for_a_feature_missing_here(void **state)
{
    (void)state;
    struct fake fake;
    begin(&fake);
    fake.bad_version = 2;
    fake.bad_status = GW_E_CONFIG;
    assert_ok(note(&fake, "other", 1, 2, 0));
    assert_ok(note(&fake, "m", 2, 1, 0));
    gw_score_follow_began(fake.follow);
    run(&fake);
    assert_true(settled(&fake)); // another model's trouble
    assert_int_equal(serving(&fake, "m"), 1);
    assert_ok(note(&fake, "other", 3, 2, 4)); // still there in a later route
    run(&fake);
    fake.now_us += 100 * S;
    run(&fake);
    assert_string_equal(fake.rejects, "");
    fake.bad_version = 5;
    assert_ok(note(&fake, "other", 4, 5, 0)); // nobody serves this one yet
    run(&fake);
    assert_string_equal(fake.rejects, "5:version 5 is bad;");
    end(&fake);
}

static void a_rejection_is_told_when_the_registry_is_back(void **state)
{
    (void)state;
    struct fake fake;
    begin(&fake);
    fake.bad_version = 1;
    fake.bad_status = GW_E_INVALID;
    fake.reject_status = GW_E_UNAVAILABLE;
    assert_ok(note(&fake, "m", 1, 1, 0));
    run(&fake);
    run(&fake); // within the pause
    assert_string_equal(fake.rejects, "1:version 1 is bad;");
    fake.now_us += 10 * S;
    fake.reject_status = GW_E_CONFLICT; // another change came at the same time
    run(&fake);
    fake.now_us += 10 * S;
    fake.reject_status = GW_OK;
    run(&fake);
    fake.now_us += 10 * S;
    run(&fake);
    assert_string_equal(fake.rejects, "1:version 1 is bad;1:version 1 is bad;1:version 1 is bad;");
    assert_string_equal(fake.loads, "1;");
    end(&fake);
}

static void another_builds_database_makes_the_version_be_tried_again(void **state)
{
    (void)state;
    struct fake fake;
    begin(&fake);
    fake.bad_version = 1;
    fake.bad_status = GW_E_MISMATCH;
    fake.reject_status = GW_E_MISMATCH;
    assert_ok(note(&fake, "m", 1, 1, 0));
    assert_true(gw_score_follow_step(fake.follow, fake.now_us)); // loads
    assert_true(gw_score_follow_step(fake.follow, fake.now_us)); // rejects
    fake.bad_version = 0;
    fake.now_us += 10 * S;
    run(&fake);
    assert_int_equal(serving(&fake, "m"), 1);
    end(&fake);
}

static void a_shadow_joins_later_and_a_bad_one_is_left_out(void **state)
{
    (void)state;
    struct fake fake;
    begin(&fake);
    assert_ok(note(&fake, "m", 1, 1, 2));
    assert_true(gw_score_follow_step(fake.follow, fake.now_us)); // loads 1
    assert_true(gw_score_follow_step(fake.follow, fake.now_us)); // puts it in force
    assert_int_equal(serving(&fake, "m"), 1);
    assert_int_equal(shadowing(&fake, "m"), 0);
    run(&fake);
    assert_int_equal(shadowing(&fake, "m"), 2);
    fake.bad_version = 3;
    fake.bad_status = GW_E_INVALID;
    assert_ok(note(&fake, "m", 2, 1, 3));
    run(&fake);
    assert_int_equal(serving(&fake, "m"), 1);
    assert_int_equal(shadowing(&fake, "m"), 0);
    assert_string_equal(fake.rejects, "3:version 3 is bad;");
    assert_true(settled(&fake));
    end(&fake);
}

static void a_rollback_needs_no_loading_but_only_the_last_models_are_spared(void **state)
{
    (void)state;
    struct fake fake;
    struct gw_score_follow_totals totals;
    begin(&fake);
    for (int32_t version = 1; version <= 6; version++) {
        assert_ok(note(&fake, "m", version, version, 0));
        run(&fake);
    }
    gw_score_tables_reclaim(&fake.tables);
    gw_score_follow_totals(fake.follow, &totals);
    assert_int_equal(totals.loaded, 1 + GW_SCORE_SPARE_MODELS);
    assert_int_equal(totals.swaps, 6);
    assert_int_equal(atomic_load(&fake.models[1]->refs), 1); // version 2: only the test's
    assert_int_equal(atomic_load(&fake.models[2]->refs), 2); // version 3: a spare one
    assert_ok(note(&fake, "m", 7, 3, 0));
    assert_ok(note(&fake, "m", 8, 5, 0));
    run(&fake);
    assert_string_equal(fake.loads, "1;2;3;4;5;6;");
    assert_ok(note(&fake, "m", 9, 1, 0));
    run(&fake);
    assert_string_equal(fake.loads, "1;2;3;4;5;6;1;");
    end(&fake);
}

static void the_same_version_of_other_bytes_is_another_model(void **state)
{
    (void)state;
    struct fake fake;
    begin(&fake);
    assert_ok(note(&fake, "m", 1, 1, 0));
    run(&fake);
    struct gw_route other = make_route("m", 2, 1, 0);
    other.targets[0].digest[0] = 'f';
    assert_ok(gw_score_follow_note(fake.follow, &other, NULL));
    assert_ok(note(&fake, "n", 3, 1, 0));
    run(&fake);
    assert_string_equal(fake.loads, "1;1;1;");
    end(&fake);
}

static void models_do_not_wait_for_each_other(void **state)
{
    (void)state;
    struct fake fake;
    begin(&fake);
    fake.bad_version = 1;
    fake.bad_status = GW_E_IO;
    assert_ok(note(&fake, "m", 1, 1, 0));
    assert_ok(note(&fake, "n", 2, 2, 0));
    run(&fake);
    assert_int_equal(serving(&fake, "m"), 0);
    assert_int_equal(serving(&fake, "n"), 2);
    assert_int_equal(serving(&fake, ""), 0);
    assert_false(settled(&fake));
    end(&fake);
}

static void a_tombstone_takes_the_model_out(void **state)
{
    (void)state;
    struct fake fake;
    begin(&fake);
    assert_ok(note(&fake, "m", 1, 1, 0));
    assert_ok(note(&fake, "n", 2, 2, 0));
    run(&fake);
    gw_score_follow_forget(fake.follow, gw_slice_text("m"));
    gw_score_follow_forget(fake.follow, gw_slice_text("unknown"));
    run(&fake);
    assert_int_equal(serving(&fake, "m"), 0);
    assert_int_equal(serving(&fake, ""), 0);
    assert_int_equal(serving(&fake, "n"), 2);
    assert_true(settled(&fake));
    assert_ok(note(&fake, "m", 1, 1, 0)); // it is a new one
    run(&fake);
    assert_int_equal(serving(&fake, "m"), 1);
    end(&fake);
}

static void a_route_without_targets_serves_nobody(void **state)
{
    (void)state;
    struct fake fake;
    begin(&fake);
    assert_ok(note(&fake, "m", 1, 1, 0));
    run(&fake);
    assert_ok(note(&fake, "m", 2, 0, 0));
    run(&fake);
    assert_int_equal(serving(&fake, "m"), -1);
    assert_true(settled(&fake));
    end(&fake);
}

static void bad_routes_and_too_many_models_change_nothing(void **state)
{
    (void)state;
    struct fake fake;
    begin(&fake);
    for (int i = 0; i < GW_SCORE_ROUTES_MAX - 1; i++) {
        char name[16];
        snprintf(name, sizeof name, "model-%d", i);
        assert_ok(note(&fake, name, i + 1, 1, 0));
    }
    assert_fails(note(&fake, "another", 99, 1, 0), GW_E_EXHAUSTED);
    assert_ok(note(&fake, "m", 99, 1, 0)); // the default model's place is kept
    assert_fails(note(&fake, "another", 100, 1, 0), GW_E_EXHAUSTED);
    assert_fails(note(&fake, "a/b", 99, 1, 0), GW_E_INVALID);
    struct gw_route light = make_route("model-1", 99, 1, 0);
    light.targets[0].weight = 1;
    assert_fails(gw_score_follow_note(fake.follow, &light, NULL), GW_E_INVALID);
    gw_score_follow_note_bad(fake.follow);
    run(&fake);
    assert_int_equal(ignored(&fake, GW_SCORE_IGNORED_TOO_MANY), 2);
    assert_int_equal(ignored(&fake, GW_SCORE_IGNORED_BAD), 3);
    assert_int_equal(serving(&fake, "model-14"), 1);
    assert_int_equal(serving(&fake, "m"), 1);
    end(&fake);
}

static void a_table_in_use_outlives_its_successor(void **state)
{
    (void)state;
    struct fake fake;
    begin(&fake);
    assert_ok(note(&fake, "m", 1, 1, 0));
    run(&fake);
    struct gw_score_table *held = gw_score_tables_acquire(&fake.tables);
    for (int32_t version = 2; version <= 10; version++) {
        assert_ok(note(&fake, "m", version, version, 0));
        run(&fake);
    }
    gw_score_tables_reclaim(&fake.tables);
    assert_int_equal(held->default_route->targets[0]->version, 1);
    assert_int_equal(atomic_load(&fake.models[0]->refs), 2); // the table's and the test's
    gw_score_table_unref(held);
    assert_int_equal(atomic_load(&fake.models[0]->refs), 2); // no lane frees
    gw_score_tables_reclaim(&fake.tables);
    assert_int_equal(atomic_load(&fake.models[0]->refs), 1);
    end(&fake);
}

static void survives_every_failed_allocation(void **state)
{
    (void)state;
    for (unsigned long nth = 1; nth <= 4; nth++) {
        struct fake fake = {.now_us = S};
        const struct gw_score_follow_ops ops = {.load = fake_load, .reject = fake_reject, .context = &fake};
        gw_mem_fail_nth(nth);
        gw_status status = gw_score_tables_init(&fake.tables, NULL);
        if (status == GW_OK) {
            status = gw_score_follow_new(&ops, &fake.tables, "m", &fake.follow, NULL);
        }
        if (status == GW_OK) {
            assert_ok(note(&fake, "m", 1, nth == 3 ? 0 : 1, 0)); // the fake's own allocation must not be the one
            if (nth == 4) {
                gw_mem_fail_nth(2); // the table, behind the model
            }
            run(&fake);
            assert_int_equal(serving(&fake, "m"), 0);
            fake.now_us += 10 * S;
            run(&fake);
            assert_int_equal(serving(&fake, "m"), nth == 3 ? -1 : 1);
        } else {
            assert_int_equal(status, GW_E_MEMORY);
        }
        gw_mem_fail_nth(0);
        end(&fake);
    }
}

GW_TESTS(the_newest_route_takes_effect, routes_in_between_are_skipped,
         a_version_that_served_before_this_process_is_not_rejected_for_a_feature_missing_here,
         the_former_route_goes_on_until_all_targets_are_loaded, a_newer_route_does_not_wait_for_the_pause_of_the_former,
         a_version_that_cannot_serve_is_rejected_once_and_never_serves, a_rejection_is_told_when_the_registry_is_back,
         another_builds_database_makes_the_version_be_tried_again, a_shadow_joins_later_and_a_bad_one_is_left_out,
         a_rollback_needs_no_loading_but_only_the_last_models_are_spared,
         the_same_version_of_other_bytes_is_another_model, models_do_not_wait_for_each_other,
         a_tombstone_takes_the_model_out, a_route_without_targets_serves_nobody,
         bad_routes_and_too_many_models_change_nothing, a_table_in_use_outlives_its_successor,
         survives_every_failed_allocation)
