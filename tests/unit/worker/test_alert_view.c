// SPDX-License-Identifier: MIT
#include "worker/alert_view.h"

#include "base/mem.h"
#include "support/testkit.h"
#include "worker/monitor_alert.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MODELS_MAX = 2, ALERTS_MAX = 3, STALE_MS = 10000 };

static struct gw_alert_view *view;
static struct gw_api_alerts found;

static int setup(void **state)
{
    (void)state;
    const struct gw_alert_view_options options = {
        .models_max = MODELS_MAX, .alerts_max = ALERTS_MAX, .stale_ms = STALE_MS};
    view = gw_alert_view_new(&options);
    assert_non_null(view);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gw_mem_free(found.alerts);
    found = (struct gw_api_alerts){0};
    gw_alert_view_free(view);
    return 0;
}

static struct gw_drift_alert record_of(const char *model, const char *id, const char *said, int64_t at_ms)
{
    return (struct gw_drift_alert){.alert_id = gw_slice_text(id),
                                   .model_name = gw_slice_text(model),
                                   .model_version = 3,
                                   .state = gw_slice_text(said),
                                   .kind = gw_slice_text("feature"),
                                   .stream = gw_slice_text("user.age"),
                                   .severity = gw_slice_text("high"),
                                   .statistic = 1e9,
                                   .has_psi = true,
                                   .psi = 0.25,
                                   .from_ms = at_ms - 500,
                                   .at_ms = at_ms};
}

static void hear(const char *model, const char *id, const char *said, int64_t at_ms)
{
    const struct gw_drift_alert record = record_of(model, id, said, at_ms);
    assert_ok(gw_alert_view_note(view, &record, NULL));
}

// The ids found, with a space behind each.
static const char *ids(const char *model, bool open_only, uint32_t limit)
{
    static char text[512];
    const struct gw_api_alerts_ask ask = {.model = gw_slice_text(model), .open_only = open_only, .limit = limit};
    gw_mem_free(found.alerts);
    assert_ok(gw_alert_view_ask(view, &ask, &found, NULL));
    text[0] = '\0';
    for (uint32_t i = 0; i < found.count; i++) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s ", found.alerts[i].id);
    }
    return text;
}

static void open_alerts_come_first_then_the_newest(void **state)
{
    (void)state;
    hear("m", "a", "open", 1000);
    hear("m", "b", "open", 2000);
    hear("n", "c", "open", 3000);
    hear("n", "c", "close", 9000);
    hear("n", "d", "update", 500);
    assert_string_equal(ids("", false, 10), "b a d c ");
    assert_string_equal(ids("", true, 10), "b a d ");
    assert_string_equal(ids("n", false, 10), "d c ");
    assert_string_equal(ids("", false, 2), "b a ");
    assert_string_equal(ids("o", false, 2), "");
}

static void the_last_that_was_said_of_an_alert_counts(void **state)
{
    (void)state;
    hear("m", "a", "open", 1000);
    hear("m", "a", "update", 2000);
    assert_string_equal(ids("m", true, 10), "a ");
    assert_int_equal(found.alerts[0].at_ms, 2000);
    assert_int_equal(found.alerts[0].from_ms, 1500);
    assert_string_equal(found.alerts[0].severity, "high");
    assert_true(found.alerts[0].psi == 0.25);
    assert_true(isnan(found.alerts[0].harm)); // null in the record
    hear("m", "a", "close", 3000);
    assert_string_equal(ids("m", true, 10), "");
    assert_string_equal(ids("m", false, 10), "a ");
}

static void an_open_alert_without_updates_is_stale_until_heard_of_again(void **state)
{
    (void)state;
    hear("m", "a", "open", 1000);
    hear("m", "b", "close", 1000);
    hear("n", "c", "open", 1000 + STALE_MS);
    assert_string_equal(ids("", true, 10), "c a ");
    hear("n", "c", "update", 1001 + STALE_MS);
    assert_string_equal(ids("", true, 10), "c ");
    assert_string_equal(ids("m", false, 10), "a b ");
    assert_string_equal(gw_api_alert_state(&found.alerts[0]), "stale");
    assert_string_equal(gw_api_alert_state(&found.alerts[1]), "closed");
    hear("m", "a", "update", 1002 + STALE_MS);
    assert_string_equal(ids("m", true, 10), "a ");
    assert_string_equal(gw_api_alert_state(&found.alerts[0]), "open");
}

static void what_was_not_heard_of_for_longest_makes_room(void **state)
{
    (void)state;
    hear("m", "a", "open", 1000);
    hear("m", "b", "open", 2000);
    hear("m", "c", "open", 3000);
    hear("m", "a", "update", 4000);
    hear("m", "d", "open", 5000);
    assert_string_equal(ids("m", false, 10), "d a c ");
    hear("n", "e", "open", 6000);
    hear("o", "f", "open", 7000); // m was not heard of for longest
    assert_string_equal(ids("", false, 10), "f e ");
    hear("n", "e", "close", 8000);
    hear("p", "g", "open", 9000);
    assert_string_equal(ids("", false, 10), "g e ");
}

static gw_status hear_said(void *context, const struct gw_drift_alert *alert, gw_err *err)
{
    (void)context;
    return gw_alert_view_note(view, alert, err);
}

static void an_alert_of_the_longest_names_is_shown(void **state)
{
    (void)state;
    static char model[129]; // rollout/route.h allows 128 bytes
    static char stream[GW_DRIFT_NAME_BYTES_MAX + 1];
    memset(model, 'm', sizeof model - 1);
    memset(stream, 's', sizeof stream - 1);
    struct gw_monitor_alert_to to = {.model = gw_slice_text(model), .version = INT32_MAX, .sink = hear_said};
    const struct gw_drift_alarm alarm = {.move = GW_DRIFT_SAY_OPEN,
                                         .kind = GW_DRIFT_OF_FEATURE,
                                         .stream = stream,
                                         .episode = UINT64_MAX,
                                         .from_ms = INT64_MIN};
    assert_ok(gw_monitor_alert_say(&to, &alarm, NULL));
    assert_non_null(strstr(ids(model, true, 10), "-18446744073709551615--9223372036854775808 "));
    assert_string_equal(found.alerts[0].stream, stream);
}

static void a_record_that_is_no_alert_changes_nothing(void **state)
{
    (void)state;
    static char too_long[GW_API_ALERT_ID_BYTES + 1];
    memset(too_long, 'x', sizeof too_long - 1);
    struct gw_drift_alert record = record_of("m", too_long, "open", 1000);
    assert_fails(gw_alert_view_note(view, &record, NULL), GW_E_INVALID);
    record = record_of(too_long, "a", "open", 1000);
    assert_fails(gw_alert_view_note(view, &record, NULL), GW_E_INVALID);
    record = record_of("m", "a", "opened", 1000);
    assert_fails(gw_alert_view_note(view, &record, NULL), GW_E_INVALID);
    record = record_of("m", "", "open", 1000);
    assert_fails(gw_alert_view_note(view, &record, NULL), GW_E_INVALID);
    record = record_of("m", "a", "open", 1000);
    record.stream = gw_slice_make("a\0b", 3);
    assert_fails(gw_alert_view_note(view, &record, NULL), GW_E_INVALID);
    assert_string_equal(ids("", false, 10), "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(open_alerts_come_first_then_the_newest),
        TEST(the_last_that_was_said_of_an_alert_counts),
        TEST(an_open_alert_without_updates_is_stale_until_heard_of_again),
        TEST(what_was_not_heard_of_for_longest_makes_room),
        TEST(an_alert_of_the_longest_names_is_shown),
        TEST(a_record_that_is_no_alert_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
