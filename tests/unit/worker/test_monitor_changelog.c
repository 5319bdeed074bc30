// SPDX-License-Identifier: MIT
#include "worker/monitor_changelog.h"

#include "support/testkit.h"
#include "worker/monitor_entries.h"

#include <stdio.h>

static void a_key_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct gw_buf bytes = {0};
    const struct gw_monitor_key key = {
        .model = gw_slice_text("m"), .topic = gw_slice_text("a.topic"), .detector = gw_slice_text("drift/3/bank")};
    struct gw_monitor_key read;
    assert_ok(gw_monitor_key_write(&key, &bytes, NULL));
    assert_ok(gw_monitor_key_read(gw_buf_slice(&bytes), &read, NULL));
    assert_true(gw_slice_equal(read.model, key.model) && gw_slice_equal(read.topic, key.topic) &&
                gw_slice_equal(read.detector, key.detector));
    size_t before_detector = bytes.size - key.detector.size;
    for (size_t size = 0; size < before_detector; size++) {
        assert_fails(gw_monitor_key_read(gw_slice_make(bytes.data, size), &read, NULL), GW_E_MALFORMED);
    }
    memset(bytes.data, 0xff, 4); // a length beyond the end
    assert_fails(gw_monitor_key_read(gw_buf_slice(&bytes), &read, NULL), GW_E_MALFORMED);
    gw_buf_deinit(&bytes);
}

static void a_detector_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct gw_monitor_name name;
    struct gw_slice rest = {0};
    int32_t version = 0;
    bool is = false;
    assert_ok(gw_monitor_name_write(GW_MONITOR_DRIFT, INT32_MAX, "stream/a/b", &name, NULL));
    const struct gw_slice text = gw_slice_make(name.text, name.size);
    assert_true(gw_slice_is(text, "drift/2147483647/stream/a/b"));
    assert_ok(gw_monitor_name_read(text, GW_MONITOR_DRIFT, &is, &version, &rest, NULL));
    assert_true(is && version == INT32_MAX && gw_slice_is(rest, "stream/a/b"));
    assert_ok(gw_monitor_name_read(text, GW_MONITOR_CONCEPT, &is, &version, &rest, NULL));
    assert_false(is);
}

static void names_of_no_detector_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"drift/",
                                      "drift//bank",
                                      "drift/x/bank",
                                      "drift/3",
                                      "drift/3/",
                                      "drift/-1/bank",
                                      "drift/3x",
                                      "drift/2147483648/bank",
                                      "drift/99999999999999999999/bank"};
    struct gw_slice rest = {0};
    int32_t version = 0;
    bool is = false;
    for (size_t i = 0; i < GW_COUNT_OF(bad); i++) {
        assert_fails(gw_monitor_name_read(gw_slice_text(bad[i]), GW_MONITOR_DRIFT, &is, &version, &rest, NULL),
                     GW_E_MALFORMED);
    }
    static const char *const others[] = {"drift", "drifts/3/bank", "quality/1000/00", ""};
    for (size_t i = 0; i < GW_COUNT_OF(others); i++) {
        assert_ok(gw_monitor_name_read(gw_slice_text(others[i]), GW_MONITOR_DRIFT, &is, &version, &rest, NULL));
        assert_false(is);
    }
}

static void a_name_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char longest[GW_MONITOR_NAME_BYTES];
    struct gw_monitor_name name;
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_fails(gw_monitor_name_write(GW_MONITOR_DRIFT, 1, longest, &name, NULL), GW_E_TOO_LARGE);
    longest[sizeof longest - 1 - (sizeof "drift/1/" - 1)] = '\0';
    assert_ok(gw_monitor_name_write(GW_MONITOR_DRIFT, 1, longest, &name, NULL));
}

static void put(struct gw_monitor_entries *entries, const char *model, int32_t version, const char *name,
                const char *state)
{
    const struct gw_monitor_entry entry = {.model = gw_slice_text(model),
                                           .version = version,
                                           .name = name,
                                           .state = state != NULL ? gw_slice_text(state) : (struct gw_slice){0}};
    assert_ok(gw_monitor_entries_put(entries, &entry, NULL));
}

static void entries_stand_in_order_and_the_newest_counts(void **state)
{
    (void)state;
    struct gw_monitor_entries entries = {0};
    put(&entries, "m", 2, "bank", "old");
    put(&entries, "m", 10, "bank", "ten");
    put(&entries, "a", 7, "stream/x", "x");
    put(&entries, "m", 2, "aaa", "first");
    put(&entries, "m", 2, "bank", "new");
    put(&entries, "mm", 1, "gone", "gone");
    put(&entries, "mm", 1, "gone", NULL);
    put(&entries, "never", 1, "there", NULL);
    assert_int_equal(entries.count, 4);
    static const char *const expected[] = {"x", "first", "new", "ten"};
    for (size_t i = 0; i < GW_COUNT_OF(expected); i++) {
        assert_true(gw_slice_is(entries.items[i].state, expected[i]));
    }
    assert_int_equal(gw_monitor_entries_span(&entries, 0), 1);
    assert_int_equal(gw_monitor_entries_span(&entries, 1), 2);
    assert_int_equal(gw_monitor_entries_span(&entries, 3), 1);
    gw_monitor_entries_clear(&entries);
    assert_int_equal(entries.count, 0);
}

static void many_entries_in_any_order_are_all_kept(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    struct gw_monitor_entries entries = {0};
    for (int i = 0; i < COUNT; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d", i * 37 % COUNT);
        put(&entries, i % 2 == 0 ? "b" : "a", i % 3, name, name);
    }
    assert_int_equal(entries.count, COUNT);
    for (size_t i = 1; i < entries.count; i++) {
        const struct gw_monitor_entry *a = &entries.items[i - 1];
        const struct gw_monitor_entry *b = &entries.items[i];
        int order = gw_monitor_compare(a->model, a->version, b->model, b->version);
        assert_true(order < 0 || (order == 0 && strcmp(a->name, b->name) < 0));
        assert_true(gw_slice_is(b->state, b->name));
    }
    gw_monitor_entries_clear(&entries);
}

GW_TESTS(a_key_is_read_as_it_was_written, a_detector_is_read_as_it_was_written, names_of_no_detector_are_refused,
         a_name_that_is_too_long_is_refused, entries_stand_in_order_and_the_newest_counts,
         many_entries_in_any_order_are_all_kept)
