// SPDX-License-Identifier: MIT
#include "worker/quality_view.h"

#include "base/mem.h"
#include "support/testkit.h"

#include <math.h>
#include <string.h>

enum { MINUTE_MS = 60000 };

static struct gw_quality_view *view;
static struct gw_api_quality answer;

static int setup(void **state)
{
    (void)state;
    const struct gw_quality_view_options options = {.models_max = 2, .series_max = 3, .windows_max = 4};
    view = gw_quality_view_new(&options);
    assert_non_null(view);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gw_quality_view_free(view);
    gw_mem_free(answer.windows);
    answer = (struct gw_api_quality){0};
    return 0;
}

static struct gw_model_quality record_of(const char *model, int32_t version, const char *head, int64_t minute)
{
    return (struct gw_model_quality){.model_name = gw_slice_text(model),
                                     .model_version = version,
                                     .variant = gw_slice_text("champion"),
                                     .head = gw_slice_text(head),
                                     .window_start_ms = minute * MINUTE_MS,
                                     .window_end_ms = (minute + 1) * MINUTE_MS,
                                     .examples = 10.0 + (double)minute,
                                     .auc = 0.75,
                                     .auc_low = 0.7,
                                     .auc_high = (double)NAN,
                                     .has_log_loss_low = true,
                                     .log_loss_low = 0.125};
}

static void note(const char *model, int32_t version, const char *head, int64_t minute)
{
    const struct gw_model_quality record = record_of(model, version, head, minute);
    assert_ok(gw_quality_view_note(view, &record, NULL));
}

static gw_status ask(const char *model, uint32_t windows)
{
    gw_mem_free(answer.windows);
    answer = (struct gw_api_quality){0};
    return gw_quality_view_ask(view, gw_slice_text(model), windows, &answer, NULL);
}

static void assert_window(uint32_t index, int32_t version, const char *head, int64_t minute)
{
    assert_true(index < answer.count);
    assert_int_equal(answer.windows[index].version, version);
    assert_string_equal(answer.windows[index].head, head);
    assert_int_equal(answer.windows[index].start_ms, minute * MINUTE_MS);
}

static void windows_come_newest_first_then_by_version_and_head(void **state)
{
    (void)state;
    note("m", 1, "b", 5);
    note("m", 2, "a", 6);
    note("m", 1, "a", 5);
    note("m", 2, "a", 5);
    assert_ok(ask("m", 10));
    assert_int_equal(answer.count, 4);
    assert_window(0, 2, "a", 6);
    assert_window(1, 2, "a", 5);
    assert_window(2, 1, "a", 5);
    assert_window(3, 1, "b", 5);
    assert_ok(ask("m", 1)); // of each series
    assert_int_equal(answer.count, 3);
    assert_window(0, 2, "a", 6);
    assert_window(1, 1, "a", 5);
}

static void a_measure_keeps_its_interval_and_what_is_absent_is_no_number(void **state)
{
    (void)state;
    note("m", 1, "a", 5);
    assert_ok(ask("m", 1));
    assert_true(answer.windows[0].auc.value == 0.75 && answer.windows[0].auc.low == 0.7);
    assert_true(isnan(answer.windows[0].auc.high));
    assert_true(answer.windows[0].log_loss.low == 0.125);
    assert_true(isnan(answer.windows[0].log_loss.high));
    assert_string_equal(answer.windows[0].variant, "champion");
}

static void a_window_that_comes_again_replaces_and_a_late_one_finds_its_place(void **state)
{
    (void)state;
    note("m", 1, "a", 5);
    note("m", 1, "a", 7);
    note("m", 1, "a", 6);
    struct gw_model_quality again = record_of("m", 1, "a", 6);
    again.examples = 99;
    assert_ok(gw_quality_view_note(view, &again, NULL));
    assert_ok(ask("m", 10));
    assert_int_equal(answer.count, 3);
    assert_window(0, 1, "a", 7);
    assert_window(1, 1, "a", 6);
    assert_true(answer.windows[1].examples == 99);
    assert_window(2, 1, "a", 5);
}

static void bounds_keep_what_is_newest(void **state)
{
    (void)state;
    for (int64_t minute = 0; minute < 10; minute++) {
        note("m", 1, "a", minute);
    }
    note("m", 1, "a", 2); // older than all that is kept
    assert_ok(ask("m", 10));
    assert_int_equal(answer.count, 4);
    assert_window(0, 1, "a", 9);
    assert_window(3, 1, "a", 6);
    note("m", 2, "a", 20);
    note("m", 3, "a", 21);
    note("m", 4, "a", 22); // a fourth series: version 1 makes room
    assert_ok(ask("m", 10));
    assert_int_equal(answer.count, 3);
    assert_window(2, 2, "a", 20);
    note("n", 1, "a", 30);
    note("o", 1, "a", 31); // a third model
    assert_int_equal(ask("m", 1), GW_E_NOT_FOUND);
    assert_ok(ask("n", 1));
    assert_ok(ask("o", 1));
}

static void what_cannot_be_shown_is_refused_and_nothing_is_known_of_it(void **state)
{
    (void)state;
    char long_name[300];
    memset(long_name, 'x', sizeof long_name);
    struct gw_model_quality record = record_of("m", 1, "a", 5);
    record.model_name = gw_slice_make(long_name, sizeof long_name);
    assert_int_equal(gw_quality_view_note(view, &record, NULL), GW_E_INVALID);
    record = record_of("", 1, "a", 5);
    assert_int_equal(gw_quality_view_note(view, &record, NULL), GW_E_INVALID);
    record = record_of("m", 1, "a", 5);
    record.variant = gw_slice_make("a\0b", 3);
    assert_int_equal(gw_quality_view_note(view, &record, NULL), GW_E_INVALID);
    record = record_of("m", 1, "a", 5);
    record.window_end_ms = record.window_start_ms;
    assert_int_equal(gw_quality_view_note(view, &record, NULL), GW_E_INVALID);
    assert_int_equal(ask("m", 1), GW_E_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(windows_come_newest_first_then_by_version_and_head, setup, teardown),
        cmocka_unit_test_setup_teardown(a_measure_keeps_its_interval_and_what_is_absent_is_no_number, setup, teardown),
        cmocka_unit_test_setup_teardown(a_window_that_comes_again_replaces_and_a_late_one_finds_its_place, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(bounds_keep_what_is_newest, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_shown_is_refused_and_nothing_is_known_of_it, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
