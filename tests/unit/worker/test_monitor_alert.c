// SPDX-License-Identifier: MIT
#include "worker/monitor_alert.h"

#include "monitor_fixture.h"

static struct world_alerts alerts;

static const struct gw_drift_alarm an_alarm = {
    .move = GW_DRIFT_SAY_UPDATE,
    .kind = GW_DRIFT_OF_SCORE,
    .severity = GW_DRIFT_HIGH,
    .stream = "score",
    .episode = 4,
    .e = 12345,
    .threshold = 1000,
    .effect_sigma = -0.75,
    .spread_ratio = 1.25,
    .harm = (double)NAN,
    .psi = 0.5,
    .psi_by_chance = 0.125,
    .jensen_shannon = 0.25,
    .jensen_shannon_by_chance = 0.0625,
    .sample_count = 678,
    .rate_per_s = 1000,
    .promise = {.false_alarm_days = 30, .smallest_shift_10s = 0.0625, .smallest_shift_5min = 0.03125},
    .from_ms = 1111,
    .at_ms = 2222,
};

static void say(const struct gw_drift_alarm *alarm)
{
    struct gw_monitor_alert_to to = {.model = gw_slice_text("home"),
                                     .version = 7,
                                     .threshold = 10000,
                                     .at_ms = 3333,
                                     .sink = world_hear,
                                     .context = &alerts};
    gw_buf_deinit(&alerts.bytes);
    alerts = (struct world_alerts){0};
    assert_ok(gw_monitor_alert_say(&to, alarm, NULL));
    gw_buf_deinit(&alerts.bytes);
    assert_int_equal(alerts.count, 1);
}

static void an_alarm_becomes_a_record(void **state)
{
    (void)state;
    say(&an_alarm);
    const struct gw_drift_alert *alert = &alerts.last;
    assert_string_equal(alerts.id, "home-7-score-score-4-1111");
    assert_string_equal(alerts.state, "update");
    assert_string_equal(alerts.kind, "score");
    assert_string_equal(alerts.stream, "score");
    assert_int_equal(alert->model_version, 7);
    assert_true(alert->statistic == 12345 && alert->threshold == 10000 && alert->effect_sigma == -0.75);
    assert_true(alert->has_psi && alert->psi == 0.5 && alert->has_psi_by_chance && alert->psi_by_chance == 0.125);
    assert_true(alert->has_jensen_shannon && alert->jensen_shannon == 0.25);
    assert_true(alert->has_jensen_shannon_by_chance && alert->jensen_shannon_by_chance == 0.0625);
    assert_true(alert->has_spread_ratio && alert->spread_ratio == 1.25);
    assert_true(alert->has_rate_per_s && alert->rate_per_s == 1000);
    assert_true(alert->false_alarm_days == 30 && alert->smallest_shift_10s == 0.0625);
    assert_int_equal(alert->samples, 678);
    assert_int_equal(alert->from_ms, 1111);
    assert_int_equal(alert->at_ms, 3333); // of the record that decided, not of the row
}

static void what_is_not_known_is_null(void **state)
{
    (void)state;
    struct gw_drift_alarm alarm = an_alarm;
    alarm.psi = (double)NAN;
    alarm.psi_by_chance = (double)NAN;
    alarm.jensen_shannon = (double)NAN;
    alarm.jensen_shannon_by_chance = (double)NAN;
    alarm.rate_per_s = 0;
    alarm.kind = GW_DRIFT_OF_CONCEPT;
    alarm.harm = 0.25;
    say(&alarm);
    const struct gw_drift_alert *alert = &alerts.last;
    assert_false(alert->has_psi || alert->has_psi_by_chance || alert->has_jensen_shannon ||
                 alert->has_jensen_shannon_by_chance || alert->has_rate_per_s || alert->has_spread_ratio ||
                 alert->has_share || alert->has_reference_share);
    assert_true(alert->has_harm && alert->harm == 0.25);
}

static void an_alert_keeps_its_id_when_more_is_unseen_than_missing(void **state)
{
    (void)state;
    struct gw_drift_alarm alarm = an_alarm;
    char id[sizeof alerts.id];
    alarm.kind = GW_DRIFT_OF_MISSING;
    alarm.stream = "age";
    alarm.share = 0.5;
    alarm.reference_share = 0.125;
    alarm.move = GW_DRIFT_SAY_OPEN;
    say(&alarm);
    assert_string_equal(alerts.kind, "missing");
    assert_string_equal(alerts.state, "open");
    assert_true(alerts.last.has_share && alerts.last.share == 0.5 && alerts.last.reference_share == 0.125);
    memcpy(id, alerts.id, sizeof id);
    alarm.kind = GW_DRIFT_OF_UNSEEN;
    alarm.move = GW_DRIFT_SAY_CLOSE;
    say(&alarm);
    assert_string_equal(alerts.kind, "unseen");
    assert_string_equal(alerts.state, "close");
    assert_string_equal(alerts.id, id);
}

GW_TESTS(an_alarm_becomes_a_record, what_is_not_known_is_null, an_alert_keeps_its_id_when_more_is_unseen_than_missing)
