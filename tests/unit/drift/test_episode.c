// SPDX-License-Identifier: MIT
#include "drift/episode.h"
#include "support/testkit.h"

#include <math.h>
#include <string.h>

static const struct gw_drift_episode_options options = {
    .rearm_ms = 1000, .cooldown_ms = 5000, .update_ms = 3000, .calm_e = 100.0};

static enum gw_drift_move step(struct gw_drift_episode *episode, int64_t now_ms, bool alarm, double e, double effect)
{
    const struct gw_drift_signal signal = {.alarm = alarm,
                                           .e = e,
                                           .effect_sigma = effect,
                                           .harm = NAN,
                                           .now_ms = now_ms,
                                           .from_ms = now_ms - 7,
                                           .sample_count = 10};
    return gw_drift_episode_step(episode, &options, &signal);
}

static void one_drift_is_opened_updated_and_closed_once(void **state)
{
    (void)state;
    struct gw_drift_episode episode = {0};
    assert_int_equal(step(&episode, 0, false, 50.0, 0.0), GW_DRIFT_SAY_NOTHING);
    assert_int_equal(step(&episode, 100, true, 1e9, 0.2), GW_DRIFT_SAY_OPEN);
    assert_int_equal(episode.number, 1);
    assert_int_equal(episode.from_ms, 93);
    assert_int_equal(step(&episode, 200, true, 1e10, 0.2), GW_DRIFT_SAY_NOTHING);
    assert_int_equal(step(&episode, 3100, true, 1e10, 0.2), GW_DRIFT_SAY_UPDATE);
    assert_int_equal(step(&episode, 3200, false, 5.0, 0.0), GW_DRIFT_SAY_NOTHING);
    assert_int_equal(step(&episode, 4199, false, 5.0, 0.0), GW_DRIFT_SAY_NOTHING);
    assert_int_equal(step(&episode, 4200, false, 5.0, 0.0), GW_DRIFT_SAY_CLOSE);
    assert_int_equal(episode.sample_count, 50);
    assert_true(episode.peak_e == 1e10);
}

static void evidence_returning_starts_the_calm_anew(void **state)
{
    (void)state;
    struct gw_drift_episode episode = {0};
    assert_int_equal(step(&episode, 0, true, 1e9, 0.2), GW_DRIFT_SAY_OPEN);
    assert_int_equal(step(&episode, 100, false, 5.0, 0.0), GW_DRIFT_SAY_NOTHING);
    assert_int_equal(step(&episode, 900, false, 200.0, 0.1), GW_DRIFT_SAY_NOTHING);
    assert_int_equal(step(&episode, 1200, false, 5.0, 0.0), GW_DRIFT_SAY_NOTHING);
    assert_int_equal(step(&episode, 2100, false, 5.0, 0.0), GW_DRIFT_SAY_NOTHING);
    assert_int_equal(step(&episode, 2200, false, 5.0, 0.0), GW_DRIFT_SAY_CLOSE);
}

static void nothing_opens_in_the_cool_down_and_the_next_has_the_next_number(void **state)
{
    (void)state;
    struct gw_drift_episode episode = {0};
    step(&episode, 0, true, 1e9, 0.2);
    step(&episode, 100, false, 5.0, 0.0);
    assert_int_equal(step(&episode, 1100, false, 5.0, 0.0), GW_DRIFT_SAY_CLOSE);
    assert_int_equal(step(&episode, 6099, true, 1e9, 0.2), GW_DRIFT_SAY_NOTHING);
    assert_int_equal(step(&episode, 6100, true, 1e9, 0.2), GW_DRIFT_SAY_NOTHING);
    assert_int_equal(episode.state, GW_DRIFT_QUIET);
    assert_int_equal(step(&episode, 6101, true, 1e9, 0.2), GW_DRIFT_SAY_OPEN);
    assert_int_equal(episode.number, 2);
}

static void a_rising_severity_is_said_at_once_and_never_taken_back(void **state)
{
    (void)state;
    struct gw_drift_episode episode = {0};
    step(&episode, 0, true, 1e9, 0.05);
    assert_int_equal(episode.severity, GW_DRIFT_LOW);
    assert_int_equal(step(&episode, 10, true, 1e9, -0.3), GW_DRIFT_SAY_UPDATE);
    assert_int_equal(episode.severity, GW_DRIFT_MEDIUM);
    assert_int_equal(step(&episode, 3010, true, 1e9, 0.05), GW_DRIFT_SAY_UPDATE);
    assert_int_equal(episode.severity, GW_DRIFT_MEDIUM);
}

static void harm_decides_over_effect(void **state)
{
    (void)state;
    assert_int_equal(gw_drift_severity_of(0.05, NAN), GW_DRIFT_LOW);
    assert_int_equal(gw_drift_severity_of(0.6, NAN), GW_DRIFT_HIGH);
    assert_int_equal(gw_drift_severity_of(0.6, 0.0), GW_DRIFT_MEDIUM);
    assert_int_equal(gw_drift_severity_of(0.6, -0.5), GW_DRIFT_MEDIUM);
    assert_int_equal(gw_drift_severity_of(0.01, 0.02), GW_DRIFT_MEDIUM);
    assert_int_equal(gw_drift_severity_of(0.01, 0.05), GW_DRIFT_HIGH);
    assert_int_equal(gw_drift_severity_of(0.01, 0.3), GW_DRIFT_CRITICAL);
    assert_string_equal(gw_drift_severity_name(GW_DRIFT_CRITICAL), "critical");
    assert_string_equal(gw_drift_episode_state_name(GW_DRIFT_COOLING), "cooling");
}

static void saved_state_goes_on_where_it_was(void **state)
{
    (void)state;
    struct gw_drift_episode episode = {0};
    struct gw_drift_episode again = {0};
    uint8_t bytes[GW_DRIFT_EPISODE_BYTES];
    uint8_t bytes_again[GW_DRIFT_EPISODE_BYTES];
    step(&episode, 100, true, 1e9, 0.2);
    gw_drift_episode_save(&episode, bytes);
    assert_ok(gw_drift_episode_load(&again, bytes, NULL));
    assert_int_equal(step(&episode, 3100, true, 1e10, 0.2), step(&again, 3100, true, 1e10, 0.2));
    gw_drift_episode_save(&episode, bytes);
    gw_drift_episode_save(&again, bytes_again);
    assert_memory_equal(bytes, bytes_again, sizeof bytes);
}

static void bytes_that_are_no_state_are_refused(void **state)
{
    (void)state;
    struct gw_drift_episode episode = {0};
    uint8_t bytes[GW_DRIFT_EPISODE_BYTES];
    gw_drift_episode_save(&episode, bytes);
    bytes[0] = 9;
    assert_fails(gw_drift_episode_load(&episode, bytes, NULL), GW_E_MALFORMED);
    bytes[0] = 0;
    bytes[47] = 0x7f; // said_ms beyond all times
    assert_fails(gw_drift_episode_load(&episode, bytes, NULL), GW_E_MALFORMED);
    bytes[47] = 0;
    memset(bytes + 56, 0xff, 8); // NaN
    assert_fails(gw_drift_episode_load(&episode, bytes, NULL), GW_E_MALFORMED);
}

GW_TESTS(one_drift_is_opened_updated_and_closed_once, evidence_returning_starts_the_calm_anew,
         nothing_opens_in_the_cool_down_and_the_next_has_the_next_number,
         a_rising_severity_is_said_at_once_and_never_taken_back, harm_decides_over_effect,
         saved_state_goes_on_where_it_was, bytes_that_are_no_state_are_refused)
