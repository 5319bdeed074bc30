// SPDX-License-Identifier: MIT
#include "worker/monitor_features.h"

#include "monitor_fixture.h"

enum { IDLE_MS = 60000, AHEAD_MS = 1000, QUIET_ROWS = 20000, DETECTORS = 2 * (WORLD_FEATURES + 1) };

static const double threshold = 1e8;

static struct gw_drift_profile *profile; // made once, read only
static struct gw_drift_profile *other_profile;
static struct world_registry registry;
static struct world_alerts alerts;
static struct world_log changes; // the changelog
static struct gw_monitor_features *features;

static struct gw_monitor_features_options options_for(uint32_t versions_max)
{
    return (struct gw_monitor_features_options){
        .bank = {.threshold = threshold,
                 .alpha = 0.01,
                 .episode = {.rearm_ms = 10000, .cooldown_ms = 60000, .update_ms = 20000, .calm_e = 100}},
        .reference = world_reference,
        .reference_context = &registry,
        .versions_max = versions_max,
        .idle_ms = IDLE_MS,
        .ahead_ms = AHEAD_MS,
    };
}

static void begin(uint32_t versions_max)
{
    const struct gw_monitor_features_options options = options_for(versions_max);
    features = gw_monitor_features_new(&options);
    assert_non_null(features);
}

static int setup(void **state)
{
    (void)state;
    if (profile == NULL) {
        profile = world_profile(1, WORLD_ROWS);
        other_profile = world_profile(2, WORLD_ROWS);
    }
    registry = (struct world_registry){0};
    world_register(&registry, "m", 1, GW_MONITOR_REFERENCE_READY, profile);
    world_register(&registry, "m", 2, GW_MONITOR_REFERENCE_READY, profile);
    world_register(&registry, "m", 3, GW_MONITOR_REFERENCE_NONE, NULL);
    world_register(&registry, "m", 4, GW_MONITOR_REFERENCE_DAMAGED, NULL);
    world_register(&registry, "n", 1, GW_MONITOR_REFERENCE_READY, other_profile);
    begin(8);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gw_monitor_features_free(features);
    gw_monitor_entries_clear(&changes.entries);
    gw_buf_deinit(&alerts.bytes);
    alerts = (struct world_alerts){0};
    changes = (struct world_log){0};
    return 0;
}

static int free_profiles(void **state)
{
    (void)state;
    gw_drift_profile_free(profile);
    gw_drift_profile_free(other_profile);
    return 0;
}

// ---- rows -----------------------------------------------------------------------------------------------------------

static struct gw_feature_sample sample_of(const struct world *world, const char *model, int32_t version)
{
    return (struct gw_feature_sample){.model_name = gw_slice_text(model),
                                      .model_version = version,
                                      .layout = WORLD_LAYOUT,
                                      .features = gw_slice_make(world->row, sizeof world->row),
                                      .score = world->score,
                                      .served_at_ms = world->now_ms - 5,
                                      .weight = 1};
}

static enum gw_monitor_fed add(const struct gw_feature_sample *sample, int64_t append_time_ms)
{
    enum gw_monitor_fed fed = GW_MONITOR_FED_COUNT;
    gw_err err = {0};
    assert_ok_err(gw_monitor_features_add(features, sample, append_time_ms, world_hear, &alerts, &fed, &err), &err);
    return fed;
}

static void feed(struct world *world, const char *model, int32_t version, size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        world_next(world);
        const struct gw_feature_sample sample = sample_of(world, model, version);
        assert_int_equal(add(&sample, world->now_ms), GW_MONITOR_FED_WATCHED);
    }
}

static void flush(void)
{
    gw_err err = {0};
    assert_ok_err(gw_monitor_watches_flush(gw_monitor_features_watches(features), world_keep, &changes, &err), &err);
}

static void restart(uint32_t versions_max)
{
    gw_err err = {0};
    gw_monitor_features_free(features);
    begin(versions_max);
    world_restore(&changes, gw_monitor_features_watches(features));
    assert_ok_err(gw_monitor_watches_restored(gw_monitor_features_watches(features), &err), &err);
}

static struct gw_monitor_watches_stats stats(void)
{
    return gw_monitor_watches_stats(gw_monitor_features_watches(features));
}

// ---- tests ----------------------------------------------------------------------------------------------------------

static void rows_like_the_reference_raise_nothing(void **state)
{
    (void)state;
    struct world world = world_begin(11);
    feed(&world, "m", 1, QUIET_ROWS);
    assert_int_equal(alerts.count, 0);
    assert_int_equal(stats().versions, 1);
    assert_int_equal(registry.asked, 1); // a watched version's reference is not asked for again
}

static void a_shifted_feature_opens_one_alert_that_names_it(void **state)
{
    (void)state;
    struct world world = world_begin(12);
    feed(&world, "m", 1, 1000);
    int64_t changed_ms = world.now_ms;
    world.shift = 0.8;
    while (alerts.count == 0) {
        feed(&world, "m", 1, 1);
        assert_true(world.now_ms < changed_ms + 1000 * WORLD_STEP_MS);
    }
    assert_int_equal(alerts.count, 1);
    assert_string_equal(alerts.state, "open");
    assert_string_equal(alerts.kind, "feature");
    assert_string_equal(alerts.stream, "age");
    assert_true(alerts.last.effect_sigma > 0.4 && alerts.last.effect_sigma < 1.2);
    assert_true(alerts.last.threshold == threshold * DETECTORS);
    assert_true(alerts.last.statistic > alerts.last.threshold * 0.99);
    assert_true(alerts.last.has_psi && alerts.last.psi > alerts.last.psi_by_chance);
    assert_true(alerts.last.has_jensen_shannon && alerts.last.has_spread_ratio && alerts.last.has_rate_per_s);
    assert_false(alerts.last.has_share || alerts.last.has_harm);
    assert_true(alerts.last.false_alarm_days > 0 && alerts.last.smallest_shift_5min < 0.5);
    assert_int_equal(alerts.last.at_ms, world.now_ms);
    assert_in_range(alerts.last.from_ms, changed_ms - 100 * WORLD_STEP_MS, world.now_ms);
    feed(&world, "m", 1, 500);
    assert_int_equal(alerts.opened, 1);
    assert_int_equal(stats().open_alerts, 1);
}

static void an_alert_closes_when_the_rows_are_as_before(void **state)
{
    (void)state;
    struct world world = world_begin(13);
    world.shift = 1.5;
    feed(&world, "m", 1, 500);
    assert_int_equal(alerts.opened, 1);
    char id[sizeof alerts.id];
    memcpy(id, alerts.id, sizeof id);
    world.shift = 0;
    feed(&world, "m", 1, 12000);
    assert_int_equal(alerts.closed, 1);
    assert_string_equal(alerts.id, id);
    assert_string_equal(alerts.state, "close");
    assert_int_equal(stats().open_alerts, 0);
}

static void values_that_go_missing_are_an_alert_of_their_own_kind(void **state)
{
    (void)state;
    struct world world = world_begin(14);
    feed(&world, "m", 1, 500);
    world.missing = 0.5;
    feed(&world, "m", 1, 500);
    assert_int_equal(alerts.opened, 1);
    assert_string_equal(alerts.kind, "missing");
    assert_string_equal(alerts.stream, "holes");
    assert_non_null(strstr(alerts.id, "-absence-holes-"));
    assert_true(alerts.last.has_share && alerts.last.share > 0.3 && alerts.last.has_reference_share);
    assert_true(fabs(alerts.last.reference_share - 0.1) < 0.02);
    assert_false(alerts.last.has_spread_ratio);
}

// Drifts that come and go, of two versions at once; with the state taken out and put back between some rows.
static void drifts_come_and_go(uint64_t seed, uint64_t restart_every)
{
    struct world world = world_begin(seed);
    struct gw_rng moments;
    gw_rng_init(&moments, seed + restart_every);
    for (int i = 0; i < 9000; i++) {
        world.shift = i / 1500 % 2 == 1 ? 1.0 : 0.0;
        world.missing = i / 2500 % 2 == 1 ? 0.4 : 0.0;
        feed(&world, "m", i % 3 == 0 ? 2 : 1, 1);
        if (restart_every > 0 && gw_rng_below(&moments, restart_every) == 0) {
            flush();
            restart(8);
        }
    }
}

static void a_restart_at_any_row_changes_no_byte(void **state)
{
    (void)state;
    drifts_come_and_go(21, 0);
    struct gw_buf undisturbed = alerts.bytes;
    assert_true(alerts.opened >= 2 && alerts.closed >= 1);
    alerts = (struct world_alerts){0};
    gw_monitor_features_free(features);
    begin(8);
    drifts_come_and_go(21, 150);
    assert_true(gw_slice_equal(gw_buf_slice(&undisturbed), gw_buf_slice(&alerts.bytes)));
    gw_buf_deinit(&undisturbed);
}

static void versions_without_rows_write_no_state(void **state)
{
    (void)state;
    struct world world = world_begin(15);
    feed(&world, "m", 1, 100);
    feed(&world, "n", 1, 100);
    flush();
    assert_int_equal(changes.written, 2 * (1 + WORLD_FEATURES + 1)); // the bank, and each stream
    flush();
    assert_int_equal(changes.written, 2 * (1 + WORLD_FEATURES + 1));
    feed(&world, "n", 1, 1);
    flush();
    assert_int_equal(changes.written, 3 * (1 + WORLD_FEATURES + 1));
    restart(8);
    flush();
    assert_int_equal(changes.written, 3 * (1 + WORLD_FEATURES + 1));
}

static void a_version_served_no_more_closes_its_alerts_and_leaves_nothing(void **state)
{
    (void)state;
    struct world world = world_begin(16);
    world.shift = 1.5;
    feed(&world, "m", 1, 300);
    assert_int_equal(alerts.opened, 1);
    flush();
    world.shift = 0;
    world.now_ms += IDLE_MS;
    feed(&world, "n", 1, 1); // another model's says nothing about it
    feed(&world, "m", 2, 1);
    assert_int_equal(alerts.closed, 1);
    assert_string_equal(alerts.state, "close");
    assert_int_equal(alerts.last.model_version, 1);
    assert_int_equal(alerts.last.at_ms, world.now_ms);
    assert_int_equal(stats().versions, 2);
    flush();
    assert_int_equal(changes.tombstones, 1 + WORLD_FEATURES + 1);
    restart(8);
    assert_int_equal(stats().versions, 2);
    assert_int_equal(stats().open_alerts, 0);
}

static void a_version_that_came_back_has_alerts_of_its_own(void **state)
{
    (void)state;
    struct world world = world_begin(17);
    world.shift = 1.5;
    feed(&world, "m", 1, 300);
    char id[sizeof alerts.id];
    memcpy(id, alerts.id, sizeof id);
    flush();
    world.now_ms += 2 * (int64_t)IDLE_MS;
    world.shift = 0;
    const struct gw_feature_sample baseline = sample_of(&world, "m", 3); // without a reference, and yet served
    assert_int_equal(add(&baseline, world.now_ms), GW_MONITOR_FED_NO_PROFILE);
    assert_int_equal(alerts.closed, 1);
    world.shift = 1.5;
    feed(&world, "m", 1, 300); // before the next flush
    assert_int_equal(alerts.opened, 2);
    assert_string_not_equal(alerts.id, id);
    flush();
    restart(8);
    assert_int_equal(stats().versions, 1);
    assert_int_equal(stats().open_alerts, 1);
}

static void too_many_versions_retire_the_one_sampled_longest_ago(void **state)
{
    (void)state;
    gw_monitor_features_free(features);
    begin(2);
    struct world world = world_begin(18);
    feed(&world, "m", 1, 1);
    feed(&world, "n", 1, 1);
    feed(&world, "m", 1, 1);
    feed(&world, "m", 2, 1);
    assert_int_equal(stats().versions, 2);
    assert_int_equal(stats().retired, 1);
    size_t asked = registry.asked;
    feed(&world, "m", 1, 1); // still watched
    assert_int_equal(registry.asked, asked);
}

static void what_cannot_be_watched_is_counted_by_reason(void **state)
{
    (void)state;
    struct world world = world_begin(19);
    world_next(&world);
    struct gw_feature_sample sample = sample_of(&world, "m", 9);
    assert_int_equal(add(&sample, world.now_ms), GW_MONITOR_FED_UNKNOWN);
    sample.model_version = 3;
    assert_int_equal(add(&sample, world.now_ms), GW_MONITOR_FED_NO_PROFILE);
    sample.model_version = 4;
    assert_int_equal(add(&sample, world.now_ms), GW_MONITOR_FED_STALE);
    sample = sample_of(&world, "m", 1);
    sample.layout++; // names of another set of features
    assert_int_equal(add(&sample, world.now_ms), GW_MONITOR_FED_STALE);
    sample = sample_of(&world, "m", 1);
    sample.features.size -= sizeof(float);
    assert_int_equal(add(&sample, world.now_ms), GW_MONITOR_FED_INVALID);
    sample.features.size = 3;
    assert_int_equal(add(&sample, world.now_ms), GW_MONITOR_FED_INVALID);
    sample = sample_of(&world, "m", 1);
    sample.score = NAN;
    assert_int_equal(add(&sample, world.now_ms), GW_MONITOR_FED_INVALID);
    sample = sample_of(&world, "", 1);
    assert_int_equal(add(&sample, world.now_ms), GW_MONITOR_FED_INVALID);
    sample = sample_of(&world, "m", 0); // the registry would take it for the newest
    assert_int_equal(add(&sample, world.now_ms), GW_MONITOR_FED_INVALID);
    sample = sample_of(&world, "m", 1);
    assert_int_equal(add(&sample, sample.served_at_ms - AHEAD_MS - 1), GW_MONITOR_FED_AHEAD);
    assert_int_equal(add(&sample, INT64_MAX), GW_MONITOR_FED_INVALID);
    assert_int_equal(stats().versions, 0);
    world.row[0] = INFINITY; // a value like another: unseen
    sample = sample_of(&world, "m", 1);
    assert_int_equal(add(&sample, world.now_ms), GW_MONITOR_FED_WATCHED);
    assert_int_equal(alerts.count, 0);
}

static void a_promise_that_leaves_no_room_for_evidence_is_refused(void **state)
{
    (void)state;
    struct gw_monitor_features_options options = options_for(8);
    options.bank.threshold = GW_DRIFT_THRESHOLD_MAX / DETECTORS * 1.01;
    gw_monitor_features_free(features);
    features = gw_monitor_features_new(&options);
    assert_non_null(features);
    struct world world = world_begin(26);
    world_next(&world);
    const struct gw_feature_sample sample = sample_of(&world, "m", 1);
    assert_int_equal(add(&sample, world.now_ms), GW_MONITOR_FED_BLIND);
    assert_int_equal(add(&sample, world.now_ms), GW_MONITOR_FED_BLIND);
    assert_int_equal(stats().versions, 0);
    options.bank.threshold = GW_DRIFT_THRESHOLD_MAX / DETECTORS * 0.99;
    gw_monitor_features_free(features);
    features = gw_monitor_features_new(&options);
    assert_non_null(features);
    world.shift = 2;
    feed(&world, "m", 1, 500);
    assert_int_equal(alerts.opened, 1);
}

static void a_registry_that_is_away_is_asked_again(void **state)
{
    (void)state;
    struct world world = world_begin(20);
    world_next(&world);
    const struct gw_feature_sample sample = sample_of(&world, "m", 1);
    enum gw_monitor_fed fed = GW_MONITOR_FED_COUNT;
    registry.away = true;
    assert_fails(gw_monitor_features_add(features, &sample, world.now_ms, world_hear, &alerts, &fed, NULL),
                 GW_E_UNAVAILABLE);
    registry.away = false;
    assert_int_equal(add(&sample, world.now_ms), GW_MONITOR_FED_WATCHED);
    registry.away = true; // who is watched goes on
    assert_int_equal(add(&sample, world.now_ms), GW_MONITOR_FED_WATCHED);
    feed(&world, "m", 1, 100);
    flush();
    gw_monitor_features_free(features);
    begin(8);
    world_restore(&changes, gw_monitor_features_watches(features));
    assert_fails(gw_monitor_watches_restored(gw_monitor_features_watches(features), NULL), GW_E_UNAVAILABLE);
    registry.away = false;
    assert_ok(gw_monitor_watches_restored(gw_monitor_features_watches(features), NULL));
    assert_int_equal(stats().versions, 1);
}

static void state_of_another_reference_starts_anew(void **state)
{
    (void)state;
    struct world world = world_begin(22);
    feed(&world, "m", 1, 100);
    feed(&world, "m", 2, 100);
    flush();
    registry.items[0].reference.profile = other_profile; // of version 1
    restart(8);
    assert_int_equal(stats().versions, 1);
    size_t entries = changes.entries.count;
    flush();
    assert_int_equal(changes.entries.count, entries / 2);
    feed(&world, "m", 1, 100);
    flush();
    restart(8);
    assert_int_equal(stats().versions, 2);
}

static void an_incomplete_state_starts_anew(void **state)
{
    (void)state;
    struct world world = world_begin(23);
    feed(&world, "m", 1, 100);
    flush();
    const struct gw_monitor_entry lost = {.model = gw_slice_text("m"), .name = "drift/1/stream/age"};
    assert_ok(gw_monitor_entries_put(&changes.entries, &lost, NULL));
    restart(8);
    assert_int_equal(stats().versions, 0);
    flush();
    assert_int_equal(changes.entries.count, 0);
}

static void a_sink_that_fails_is_heard_of(void **state)
{
    (void)state;
    struct world world = world_begin(24);
    enum gw_monitor_fed fed = GW_MONITOR_FED_COUNT;
    gw_status status = GW_OK;
    alerts.fails = GW_E_ABORTED;
    world.shift = 1.5;
    for (int i = 0; i < 500 && status == GW_OK; i++) {
        world_next(&world);
        const struct gw_feature_sample sample = sample_of(&world, "m", 1);
        status = gw_monitor_features_add(features, &sample, world.now_ms, world_hear, &alerts, &fed, NULL);
    }
    assert_int_equal(status, GW_E_ABORTED);
}

// Makes a watch, feeds, flushes, retires and puts back, until something fails.
static gw_status run_through(gw_err *err)
{
    struct world world = world_begin(25);
    enum gw_monitor_fed fed = GW_MONITOR_FED_COUNT;
    struct gw_monitor_watches *watches = gw_monitor_features_watches(features);
    for (int32_t version = 1; version <= 2; version++) {
        world_next(&world);
        const struct gw_feature_sample sample = sample_of(&world, "m", version);
        GW_TRY(gw_monitor_features_add(features, &sample, world.now_ms, world_hear, &alerts, &fed, err));
        GW_TRY(gw_monitor_watches_flush(watches, world_keep, &changes, err));
        world.now_ms += 2 * (int64_t)IDLE_MS;
    }
    bool is = false;
    for (size_t i = 0; i < changes.entries.count; i++) {
        const struct gw_monitor_entry *entry = &changes.entries.items[i];
        GW_TRY(gw_monitor_watches_restore(watches, gw_slice_text("n"), gw_slice_text(entry->name), entry->state, &is,
                                          err));
    }
    return gw_monitor_watches_restored(watches, err);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    gw_status status = GW_E_MEMORY;
    world_register(&registry, "n", 2, GW_MONITOR_REFERENCE_READY, profile);
    for (unsigned long n = 1; status != GW_OK; n++) {
        teardown(NULL);
        begin(8);
        gw_mem_fail_nth(n);
        status = run_through(NULL);
        gw_mem_fail_nth(0);
        assert_true(status == GW_OK || status == GW_E_MEMORY);
        assert_in_range(n, 1, 1000);
    }
    assert_int_equal(stats().versions, 2); // "m" 2, and the same put back as "n" 2
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_like_the_reference_raise_nothing),
        TEST(a_shifted_feature_opens_one_alert_that_names_it),
        TEST(an_alert_closes_when_the_rows_are_as_before),
        TEST(values_that_go_missing_are_an_alert_of_their_own_kind),
        TEST(a_restart_at_any_row_changes_no_byte),
        TEST(versions_without_rows_write_no_state),
        TEST(a_version_served_no_more_closes_its_alerts_and_leaves_nothing),
        TEST(a_version_that_came_back_has_alerts_of_its_own),
        TEST(too_many_versions_retire_the_one_sampled_longest_ago),
        TEST(what_cannot_be_watched_is_counted_by_reason),
        TEST(a_promise_that_leaves_no_room_for_evidence_is_refused),
        TEST(a_registry_that_is_away_is_asked_again),
        TEST(state_of_another_reference_starts_anew),
        TEST(an_incomplete_state_starts_anew),
        TEST(a_sink_that_fails_is_heard_of),
        TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, free_profiles);
}
