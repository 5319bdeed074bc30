// SPDX-License-Identifier: MIT
#include "worker/monitor_concept.h"

#include "label/bits.h"
#include "monitor_fixture.h"

enum { IDLE_MS = 60000, AHEAD_MS = 1000, WINDOW_MS = 1800000, BASELINES = WORLD_HEADS };

static const double threshold = 1e6;

static struct gw_drift_profile *profile; // made once, read only
static struct gw_drift_profile *poor_profile;
static struct world_registry registry;
static struct world_alerts alerts;
static struct world_log changes; // the changelog
static struct gw_monitor_concept *concept;
static uint64_t counts[GW_MONITOR_HEARD_COUNT];

static void begin(void)
{
    const struct gw_monitor_concept_options options = {
        .loss = {.threshold = threshold,
                 .episode = {.rearm_ms = 10000, .cooldown_ms = 60000, .update_ms = 20000, .calm_e = 100}},
        .reference = world_reference,
        .reference_context = &registry,
        .versions_max = 8,
        .idle_ms = IDLE_MS,
        .ahead_ms = AHEAD_MS,
    };
    concept = gw_monitor_concept_new(&options);
    assert_non_null(concept);
}

static int setup(void **state)
{
    (void)state;
    if (profile == NULL) {
        profile = world_profile(1, WORLD_ROWS);
        poor_profile = world_profile(2, GW_DRIFT_BASELINE_ROWS_MIN - 1);
    }
    registry = (struct world_registry){0};
    world_register(&registry, "m", 1, GW_MONITOR_REFERENCE_READY, profile);
    world_register(&registry, "m", 2, GW_MONITOR_REFERENCE_READY, profile);
    world_register(&registry, "m", 3, GW_MONITOR_REFERENCE_NONE, NULL);
    world_register(&registry, "m", 4, GW_MONITOR_REFERENCE_DAMAGED, NULL);
    world_register(&registry, "poor", 1, GW_MONITOR_REFERENCE_READY, poor_profile);
    memset(counts, 0, sizeof counts);
    begin();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gw_monitor_concept_free(concept);
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
    gw_drift_profile_free(poor_profile);
    return 0;
}

// ---- rows -----------------------------------------------------------------------------------------------------------

static struct gw_slice head_names[WORLD_HEADS];

static struct gw_label_sample sample_of(struct world *world, const char *model, int32_t version)
{
    struct gw_label_sample sample = {.model_name = gw_slice_text(model),
                                     .model_version = version,
                                     .label_bits = (world->labels[0] ? GW_LABEL_BIT(FAVORITED) : 0) |
                                                   (world->labels[1] ? GW_LABEL_BIT(REPLIED) : 0),
                                     .kind = GW_EXAMPLE_KIND_WINDOW_CLOSED,
                                     .weight = 3,
                                     .served_at_ms = world->now_ms};
    for (int h = 0; h < WORLD_HEADS; h++) {
        head_names[h] = gw_slice_text(world_heads[h]);
    }
    sample.heads.items = world->probabilities;
    sample.heads.count = WORLD_HEADS;
    sample.head_names.items = head_names;
    sample.head_names.count = WORLD_HEADS;
    return sample;
}

static void add(const struct gw_label_sample *sample, int64_t append_time_ms)
{
    gw_err err = {0};
    assert_ok_err(gw_monitor_concept_add(concept, sample, append_time_ms, world_hear, &alerts, counts, &err), &err);
}

static void feed(struct world *world, const char *model, int32_t version, size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        world_next(world);
        const struct gw_label_sample sample = sample_of(world, model, version);
        add(&sample, world->now_ms + WINDOW_MS);
    }
}

static void flush(void)
{
    gw_err err = {0};
    assert_ok_err(gw_monitor_watches_flush(gw_monitor_concept_watches(concept), world_keep, &changes, &err), &err);
}

static void restart(void)
{
    gw_err err = {0};
    gw_monitor_concept_free(concept);
    begin();
    world_restore(&changes, gw_monitor_concept_watches(concept));
    assert_ok_err(gw_monitor_watches_restored(gw_monitor_concept_watches(concept), &err), &err);
}

static struct gw_monitor_watches_stats stats(void)
{
    return gw_monitor_watches_stats(gw_monitor_concept_watches(concept));
}

// ---- tests ----------------------------------------------------------------------------------------------------------

static void labels_that_follow_the_predictions_raise_nothing(void **state)
{
    (void)state;
    struct world world = world_begin(31);
    feed(&world, "m", 1, 20000);
    assert_int_equal(alerts.count, 0);
    assert_int_equal(counts[GW_MONITOR_HEARD_WATCHED], 20000 * WORLD_HEADS);
    assert_int_equal(registry.asked, 1);
}

static void another_law_of_labels_opens_one_alert_that_names_the_head(void **state)
{
    (void)state;
    struct world world = world_begin(32);
    feed(&world, "m", 1, 1000);
    int64_t changed_ms = world.now_ms;
    world.worse = 2.0;
    while (alerts.count == 0) {
        feed(&world, "m", 1, 1);
        assert_true(world.now_ms < changed_ms + 2000 * WORLD_STEP_MS);
    }
    assert_string_equal(alerts.state, "open");
    assert_string_equal(alerts.kind, "concept");
    assert_string_equal(alerts.stream, "is_favorited");
    assert_true(alerts.last.threshold == threshold && alerts.last.statistic >= threshold);
    assert_true(alerts.last.has_harm && alerts.last.harm > 0.1);
    assert_true(alerts.last.effect_sigma > 0);
    assert_false(alerts.last.has_psi || alerts.last.has_jensen_shannon || alerts.last.has_share ||
                 alerts.last.has_spread_ratio || alerts.last.has_psi_by_chance);
    // Said when the label was final, about when the predictions were served.
    assert_int_equal(alerts.last.at_ms, world.now_ms + WINDOW_MS);
    assert_in_range(alerts.last.from_ms, changed_ms - 500 * WORLD_STEP_MS, world.now_ms);
    feed(&world, "m", 1, 1000);
    assert_int_equal(alerts.opened, 1);
    assert_int_equal(stats().open_alerts, 1);
}

static void laws_come_and_go(uint64_t seed, uint64_t restart_every)
{
    struct world world = world_begin(seed);
    struct gw_rng moments;
    gw_rng_init(&moments, seed + restart_every);
    for (int i = 0; i < 12000; i++) {
        world.worse = i / 3000 % 2 == 1 ? 2.0 : 0.0;
        feed(&world, "m", i % 3 == 0 ? 2 : 1, 1);
        if (restart_every > 0 && gw_rng_below(&moments, restart_every) == 0) {
            flush();
            restart();
        }
    }
}

static void a_restart_at_any_row_changes_no_byte(void **state)
{
    (void)state;
    laws_come_and_go(33, 0);
    struct gw_buf undisturbed = alerts.bytes;
    assert_true(alerts.opened >= 2 && alerts.closed >= 1);
    alerts = (struct world_alerts){0};
    gw_monitor_concept_free(concept);
    begin();
    laws_come_and_go(33, 150);
    assert_true(gw_slice_equal(gw_buf_slice(&undisturbed), gw_buf_slice(&alerts.bytes)));
    gw_buf_deinit(&undisturbed);
}

static void heads_without_rows_write_no_state(void **state)
{
    (void)state;
    struct world world = world_begin(34);
    feed(&world, "m", 1, 10);
    flush();
    assert_int_equal(changes.written, BASELINES);
    flush();
    assert_int_equal(changes.written, BASELINES);
    world_next(&world);
    struct gw_label_sample sample = sample_of(&world, "m", 1);
    sample.heads.count = 1;
    sample.head_names.count = 1;
    add(&sample, world.now_ms + WINDOW_MS);
    flush();
    assert_int_equal(changes.written, BASELINES + 1);
}

static void a_version_served_no_more_closes_its_alerts_and_leaves_nothing(void **state)
{
    (void)state;
    struct world world = world_begin(35);
    world.worse = 2.5;
    feed(&world, "m", 1, 1500);
    assert_int_equal(alerts.opened, 1);
    flush();
    world.now_ms += IDLE_MS;
    feed(&world, "m", 2, 1);
    assert_int_equal(alerts.closed, 1);
    assert_int_equal(alerts.last.model_version, 1);
    assert_int_equal(alerts.last.at_ms, world.now_ms + WINDOW_MS);
    flush();
    assert_int_equal(changes.tombstones, BASELINES);
    restart();
    assert_int_equal(stats().versions, 1);
    assert_int_equal(stats().open_alerts, 0);
}

static void rows_from_far_behind_bring_no_retired_version_back(void **state)
{
    (void)state;
    struct world world = world_begin(39);
    feed(&world, "m", 1, 10);
    struct world behind = world;
    world.now_ms += 2 * (int64_t)IDLE_MS;
    for (int i = 0; i < 10; i++) {
        feed(&world, "m", 2, 1);
        feed(&behind, "m", 1, 1);
    }
    assert_int_equal(stats().retired, 1);
    assert_int_equal(stats().versions, 1);
    assert_int_equal(counts[GW_MONITOR_HEARD_LATE], 10 * WORLD_HEADS);
}

static void what_cannot_be_watched_is_counted_by_reason(void **state)
{
    (void)state;
    struct world world = world_begin(36);
    world_next(&world);
    struct gw_label_sample sample = sample_of(&world, "m", 9);
    add(&sample, world.now_ms);
    assert_int_equal(counts[GW_MONITOR_HEARD_UNKNOWN], WORLD_HEADS);
    sample.model_version = 3;
    add(&sample, world.now_ms);
    assert_int_equal(counts[GW_MONITOR_HEARD_NO_PROFILE], WORLD_HEADS);
    sample.model_version = 4;
    add(&sample, world.now_ms);
    assert_int_equal(counts[GW_MONITOR_HEARD_STALE], WORLD_HEADS);
    sample = sample_of(&world, "poor", 1);
    add(&sample, world.now_ms);
    assert_int_equal(counts[GW_MONITOR_HEARD_NO_BASELINE], WORLD_HEADS);
    sample = sample_of(&world, "m", 1);
    sample.kind = GW_EXAMPLE_KIND_POSITIVE_REPLAY;
    add(&sample, world.now_ms);
    assert_int_equal(counts[GW_MONITOR_HEARD_NOT_FINAL], WORLD_HEADS);
    sample = sample_of(&world, "m", 1);
    sample.head_names.count = 0;
    add(&sample, world.now_ms);
    assert_int_equal(counts[GW_MONITOR_HEARD_UNNAMED], WORLD_HEADS);
    sample = sample_of(&world, "m", 1);
    add(&sample, sample.served_at_ms - AHEAD_MS - 1);
    assert_int_equal(counts[GW_MONITOR_HEARD_AHEAD], WORLD_HEADS);
    sample.heads.count = 0;
    sample.head_names.count = 0;
    add(&sample, world.now_ms);
    assert_int_equal(counts[GW_MONITOR_HEARD_INVALID], 1);
    assert_int_equal(stats().versions, 0);
    sample = sample_of(&world, "m", 1);
    head_names[0] = gw_slice_text("some_score");
    world.probabilities[1] = NAN;
    add(&sample, world.now_ms);
    assert_int_equal(counts[GW_MONITOR_HEARD_NO_LABEL], 1);
    assert_int_equal(counts[GW_MONITOR_HEARD_INVALID], 2);
    sample = sample_of(&world, "m", 1);
    head_names[1] = gw_slice_text("is_bookmarked"); // a label, and the reference has no baseline of it
    world.probabilities[1] = 0.5f;
    add(&sample, world.now_ms);
    assert_int_equal(counts[GW_MONITOR_HEARD_WATCHED], 1);
    assert_int_equal(counts[GW_MONITOR_HEARD_NO_BASELINE], WORLD_HEADS + 1);
    assert_int_equal(alerts.count, 0);
}

static void a_registry_that_is_away_is_asked_again(void **state)
{
    (void)state;
    struct world world = world_begin(37);
    world_next(&world);
    const struct gw_label_sample sample = sample_of(&world, "m", 1);
    registry.away = true;
    assert_fails(gw_monitor_concept_add(concept, &sample, world.now_ms, world_hear, &alerts, counts, NULL),
                 GW_E_UNAVAILABLE);
    registry.away = false;
    add(&sample, world.now_ms);
    assert_int_equal(counts[GW_MONITOR_HEARD_WATCHED], WORLD_HEADS);
}

static void state_of_another_baseline_starts_anew(void **state)
{
    (void)state;
    struct world world = world_begin(38);
    feed(&world, "m", 1, 100);
    flush();
    registry.items[0].reference.profile = poor_profile; // which has no baseline to speak of
    restart();
    assert_int_equal(stats().versions, 0);
    flush();
    assert_int_equal(changes.entries.count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(labels_that_follow_the_predictions_raise_nothing),
        TEST(another_law_of_labels_opens_one_alert_that_names_the_head),
        TEST(a_restart_at_any_row_changes_no_byte),
        TEST(heads_without_rows_write_no_state),
        TEST(a_version_served_no_more_closes_its_alerts_and_leaves_nothing),
        TEST(rows_from_far_behind_bring_no_retired_version_back),
        TEST(what_cannot_be_watched_is_counted_by_reason),
        TEST(a_registry_that_is_away_is_asked_again),
        TEST(state_of_another_baseline_starts_anew),
    };
    return cmocka_run_group_tests(tests, NULL, free_profiles);
}
