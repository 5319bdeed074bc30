// SPDX-License-Identifier: MIT
#include "unit/feature/vocabulary.h"

// Columns by name: buys (decayed), opened (last), price (last, same filter), spent (total), touched (last_time).
static const char shop_text[] =
    VIEWS "[feature buys]\nview = shop\naggregate = decayed_count\nhalf_life = 30m\nwhere = act = BUY\n"
          "[feature spent]\nview = shop\naggregate = total\nvalue = price\nwhere = act in (BUY, RETURN)\n"
          "[feature price]\nview = shop\naggregate = last\nvalue = price\nwhere = act = VIEW\n"
          "[feature opened]\nview = shop\naggregate = last\nvalue = opened_ms\ntype = time_ms\nwhere = act = VIEW\n"
          "hidden = true\n"
          "[feature touched]\nview = shop\naggregate = last_time\nhidden = true\n";

#define SHOP 1

struct fixture {
    struct gw_feature_set *set;
    const struct gw_feature_view *view;
    uint8_t row[GW_FEATURE_ROW_BYTES_MAX];
};

static struct fixture fixture_make(const char *text)
{
    struct fixture made = {.set = test_set(text)};
    made.view = gw_feature_set_view(made.set, SHOP);
    gw_row_init(made.view, made.row);
    return made;
}

static void golden_bytes_of_a_row(void **state)
{
    (void)state;
    struct fixture f = fixture_make(shop_text);
    assert_true(test_apply(f.set, SHOP, f.row, SIDE_SHOP, START_US, ACT_BUY, 2.5));
    assert_true(test_apply(f.set, SHOP, f.row, SIDE_SHOP, START_US + 30 * MINUTE_US, ACT_VIEW, 4));

    // Five columns and the clock of the two `last` ones. `opened` is null: the event did not say it.
    assert_int_equal(f.view->row_bytes, 40 + 5 * 8 + 8);
    uint8_t expected[88] = {0};
    gw_store_le64(expected, f.view->fingerprint);
    expected[8] = 'S';
    expected[9] = GW_ROW_FORMAT;
    expected[12] = 3;
    expected[16] = 9;
    gw_store_le64(expected + 24, (uint64_t)(START_US + 30 * MINUTE_US));
    expected[32] = 2;
    memcpy(expected + 40, (const uint8_t[]){0, 0, 0, 0, 0, 0, 0xe0, 0x3f}, 8); // buys: 0.5
    memcpy(expected + 56, (const uint8_t[]){0, 0, 0, 0, 0, 0, 0x10, 0x40}, 8); // price: 4
    memcpy(expected + 64, (const uint8_t[]){0, 0, 0, 0, 0, 0, 0x04, 0x40}, 8); // spent: 2.5
    gw_store_le64(expected + 72, (uint64_t)(START_US + 30 * MINUTE_US));       // touched
    gw_store_le64(expected + 80, (uint64_t)(START_US + 30 * MINUTE_US));       // clock
    assert_memory_equal(f.row, expected, sizeof expected);
    assert_int_equal(gw_row_event_time_us(f.row), START_US + 30 * MINUTE_US);
    assert_int_equal(gw_row_source_partition(f.row), 3);
    assert_int_equal(gw_row_source_offset(f.row), 9);
    gw_feature_set_free(f.set);
}

static void fresh_row_is_all_null(void **state)
{
    (void)state;
    struct fixture f = fixture_make(shop_text);
    assert_int_equal(gw_load_le64(f.row + GW_ROW_NULLS_OFFSET), 0x1f);
    assert_int_equal(gw_row_event_time_us(f.row), INT64_MIN);
    assert_int_equal(gw_row_source_offset(f.row), -1);
    assert_ok(gw_row_check(f.view, gw_slice_make(f.row, f.view->row_bytes), NULL));
    gw_feature_set_free(f.set);
}

// A permutation of the same events gives the same row up to rounding; `last` and `last_time` exactly.
static void late_events_merge_as_early_ones_would_have(void **state)
{
    (void)state;
    struct fixture f = fixture_make(shop_text);
    uint8_t reversed[GW_FEATURE_ROW_BYTES_MAX];
    gw_row_init(f.view, reversed);
    const double acts[] = {ACT_VIEW, ACT_BUY, ACT_RETURN};
    for (int i = 0; i < 300; i++) {
        int j = 299 - i;
        test_apply(f.set, SHOP, f.row, SIDE_SHOP, START_US + i * 47 * SECOND_US, acts[i % 3], i);
        test_apply(f.set, SHOP, reversed, SIDE_SHOP, START_US + j * 47 * SECOND_US, acts[j % 3], j);
    }
    int64_t now_us = START_US + 5 * HOUR_US;
    assert_int_equal(gw_row_event_time_us(reversed), gw_row_event_time_us(f.row));
    const char *const names[] = {"buys", "spent", "price", "touched"};
    for (size_t i = 0; i < GW_COUNT_OF(names); i++) {
        double early = test_value(f.set, SHOP, f.row, now_us, names[i]);
        double late = test_value(f.set, SHOP, reversed, now_us, names[i]);
        assert_close(late, early, i == 0 ? 1e-12 : 0);
    }
    gw_feature_set_free(f.set);
}

static void replay_gives_the_same_bytes(void **state)
{
    (void)state;
    struct fixture f = fixture_make(shop_text);
    uint8_t again[GW_FEATURE_ROW_BYTES_MAX];
    gw_row_init(f.view, again);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 500; i++) {
            int64_t time_us = START_US + (int64_t)(i * 7919 % 1000) * 1234567;
            test_apply(f.set, SHOP, round == 0 ? f.row : again, SIDE_SHOP, time_us, 1 + i % 2, i * 0.1);
        }
    }
    assert_memory_equal(f.row, again, f.view->row_bytes);
    gw_feature_set_free(f.set);
}

static void newest_event_wins_and_ties_go_to_the_later_offset(void **state)
{
    (void)state;
    struct fixture f = fixture_make(shop_text);
    test_apply(f.set, SHOP, f.row, SIDE_SHOP, START_US, ACT_VIEW, 1);
    test_apply(f.set, SHOP, f.row, SIDE_SHOP, START_US, ACT_VIEW, 2);
    assert_true(test_value(f.set, SHOP, f.row, START_US, "price") == 2);

    uint8_t before[GW_FEATURE_ROW_BYTES_MAX];
    memcpy(before, f.row, sizeof before);
    assert_false(test_apply(f.set, SHOP, f.row, SIDE_SHOP, START_US - 1, ACT_VIEW, 3));
    assert_memory_equal(f.row, before, f.view->row_bytes);

    // A newest event that does not say the value makes it missing: the columns of one filter are one record.
    assert_true(test_apply(f.set, SHOP, f.row, SIDE_SHOP, START_US + 1, ACT_VIEW, NAN));
    assert_true(isnan(test_value(f.set, SHOP, f.row, START_US, "price")));
    gw_feature_set_free(f.set);
}

static void events_of_other_sides_and_filters_change_nothing(void **state)
{
    (void)state;
    static const char text[] = VIEWS "[feature dear]\nview = shop\naggregate = total\nwhere = price >= 100\n";
    struct fixture f = fixture_make(text);
    struct test_event event;
    test_event_make(&event, SIDE_BUYER, START_US, ACT_BUY, 100);
    assert_false(gw_row_wants(f.set, SHOP, &event.event));
    assert_false(gw_row_apply(f.set, SHOP, f.row, &event.event));
    const double prices[] = {99.9, NAN, -INFINITY};
    for (size_t i = 0; i < GW_COUNT_OF(prices); i++) {
        test_event_make(&event, SIDE_REGISTER, START_US, ACT_BUY, prices[i]);
        assert_false(gw_row_wants(f.set, SHOP, &event.event));
        assert_false(gw_row_apply(f.set, SHOP, f.row, &event.event));
    }
    test_event_make(&event, SIDE_REGISTER, START_US, ACT_BUY, 100);
    assert_true(gw_row_wants(f.set, SHOP, &event.event));
    assert_true(gw_row_apply(f.set, SHOP, f.row, &event.event));
    gw_feature_set_free(f.set);
}

static void filters_test_what_they_say(void **state)
{
    (void)state;
    const struct {
        const char *where;
        double act;
        double price;
        bool passes;
    } cases[] = {
        {"act in (BUY, RETURN)", ACT_BUY, NAN, true},
        {"act in (BUY, RETURN)", ACT_VIEW, NAN, false},
        {"act in (BUY, RETURN)", NAN, NAN, false},
        {"act = 2", ACT_BUY, NAN, true},
        {"act != BUY", ACT_VIEW, NAN, true},
        {"act != BUY", NAN, NAN, false},
        {"price < -1.5", ACT_BUY, -2, true},
        {"price < -1.5", ACT_BUY, -1.5, false},
        {"price <= -1.5", ACT_BUY, -1.5, true},
        {"price > 1e3", ACT_BUY, 1000, false},
        {"price > 1e3", ACT_BUY, 1001, true},
        {"price present", ACT_BUY, 0, true},
        {"price present", ACT_BUY, NAN, false},
        {"act = BUY and price > 1", ACT_BUY, 2, true},
        {"act = BUY and price > 1", ACT_VIEW, 2, false},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        char text[512];
        snprintf(text, sizeof text, VIEWS "[feature n]\nview = shop\naggregate = total\nwhere = %s\n", cases[i].where);
        struct fixture f = fixture_make(text);
        bool applied = test_apply(f.set, SHOP, f.row, SIDE_SHOP, START_US, cases[i].act, cases[i].price);
        if (applied != cases[i].passes) {
            fail_msg("'%s' at %g %g: %d", cases[i].where, cases[i].act, cases[i].price, applied);
        }
        gw_feature_set_free(f.set);
    }
}

static void deleted_row_is_a_header_that_ignores_events(void **state)
{
    (void)state;
    struct fixture f = fixture_make(shop_text);
    test_apply(f.set, SHOP, f.row, SIDE_SHOP, START_US, ACT_BUY, 1);
    gw_row_mark_deleted(f.view, f.row, START_US + 5);

    assert_true(gw_row_is_deleted(f.row));
    assert_int_equal(gw_row_event_time_us(f.row), START_US + 5);
    assert_int_equal(gw_row_source_offset(f.row), 9);
    assert_ok(gw_row_check(f.view, gw_slice_make(f.row, GW_ROW_HEADER_BYTES), NULL));
    assert_fails(gw_row_check(f.view, gw_slice_make(f.row, f.view->row_bytes), NULL), GW_E_MALFORMED);
    assert_false(test_apply(f.set, SHOP, f.row, SIDE_SHOP, START_US + 9, ACT_BUY, 1));
    assert_true(isnan(test_value(f.set, SHOP, f.row, START_US, "buys")));
    gw_feature_set_free(f.set);
}

static void check_refuses_what_another_layout_or_no_layout_wrote(void **state)
{
    (void)state;
    struct fixture f = fixture_make(shop_text);
    const struct {
        size_t at;
        uint8_t byte;
        gw_status status;
    } damages[] = {{0, 0xff, GW_E_MISMATCH}, {8, 'X', GW_E_MALFORMED},   {9, 2, GW_E_MALFORMED},
                   {10, 2, GW_E_MALFORMED},  {32, 0x20, GW_E_MALFORMED}, {11, 1, GW_E_MALFORMED}};
    for (size_t i = 0; i < GW_COUNT_OF(damages); i++) {
        uint8_t bytes[GW_FEATURE_ROW_BYTES_MAX];
        memcpy(bytes, f.row, f.view->row_bytes);
        bytes[damages[i].at] ^= damages[i].byte;
        assert_fails(gw_row_check(f.view, gw_slice_make(bytes, f.view->row_bytes), NULL), damages[i].status);
    }
    for (size_t size = 0; size < f.view->row_bytes; size++) {
        assert_fails(gw_row_check(f.view, gw_slice_make(f.row, size), NULL), GW_E_MALFORMED);
    }
    gw_feature_set_free(f.set);
}

static void extreme_times_and_values_stay_defined(void **state)
{
    (void)state;
    struct fixture f = fixture_make(shop_text);
    const int64_t times[] = {INT64_MAX, INT64_MIN, 0, -1, INT64_MAX - 1};
    for (size_t i = 0; i < GW_COUNT_OF(times); i++) {
        test_apply(f.set, SHOP, f.row, SIDE_SHOP, times[i], ACT_BUY, 1e308);
        test_apply(f.set, SHOP, f.row, SIDE_SHOP, times[i], ACT_VIEW, -0.0);
    }
    assert_true(isnan(test_value(f.set, SHOP, f.row, INT64_MIN, "spent"))); // overflowed
    double price = test_value(f.set, SHOP, f.row, INT64_MAX, "price");
    assert_true(price == 0 && !signbit(price));
    gw_feature_set_free(f.set);
}

GW_TESTS(golden_bytes_of_a_row, fresh_row_is_all_null, late_events_merge_as_early_ones_would_have,
         replay_gives_the_same_bytes, newest_event_wins_and_ties_go_to_the_later_offset,
         events_of_other_sides_and_filters_change_nothing, filters_test_what_they_say,
         deleted_row_is_a_header_that_ignores_events, check_refuses_what_another_layout_or_no_layout_wrote,
         extreme_times_and_values_stay_defined)
