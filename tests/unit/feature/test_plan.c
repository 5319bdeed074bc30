// SPDX-License-Identifier: MIT
#include "base/rng.h"
#include "unit/feature/vocabulary.h"

#define BUYER 0
#define SHOP  1

static const char text[] =
    VIEWS "[feature shop.buys]\nview = shop\naggregate = decayed_count\nhalf_life = 30m\nwhere = act = BUY\n"
          "[feature shop.spent_1d]\nview = shop\naggregate = decayed_count\nhalf_life = 1d\nvalue = price\n"
          "where = act = BUY\n"
          "[feature shop.views]\nview = shop\naggregate = total\nwhere = act = VIEW\n"
          "[feature shop.price]\nview = shop\naggregate = last\nvalue = price\nwhere = act = VIEW\nmissing = zero\n"
          "[feature shop.touched]\nview = shop\naggregate = last_time\nhidden = true\n"
          "[feature shop.rate]\nderive = rate(shop.buys, shop.views, 0.1, 10)\n"
          "[feature shop.idle_s]\nderive = age_s(shop.touched)\n"
          "[feature buyer.buys]\nview = buyer\naggregate = total\nwhere = act = BUY\n"
          "[feature both]\nderive = shop.rate * buyer.buys\n"
          "[feature sent]\nsource = request\n"
          "[feature alias]\nsource = request\nvalue = sent\n"
          "[feature other]\nsource = request\nhidden = true\n"
          "[feature sent_or_7]\nderive = coalesce(other, 7)\n"
          "[feature hour]\nderive = hour()\n";

static void vector_is_views_then_request_then_cross(void **state)
{
    (void)state;
    struct gw_feature_set *set = test_set(text);
    const char *const names[] = {"both", "sent", "shop.rate", "buyer.buys", "hour", "alias", "sent_or_7", "shop.buys"};
    struct gw_feature_plan *plan = test_plan(set, names, GW_COUNT_OF(names));

    uint32_t start = 99;
    uint32_t width = 99;
    gw_feature_plan_view_segment(plan, BUYER, &start, &width);
    assert_true(start == 0 && width == 1);
    gw_feature_plan_view_segment(plan, SHOP, &start, &width);
    assert_true(start == 1 && width == 2);
    const char *const *wanted = NULL;
    assert_int_equal(gw_feature_plan_request_names(plan, &wanted, &start), 2);
    assert_int_equal(start, 3);
    assert_string_equal(wanted[0], "sent");
    assert_string_equal(wanted[1], "other");
    assert_int_equal(gw_feature_plan_width(plan), 8);
    assert_true(gw_feature_plan_has_cross(plan));
    assert_int_equal(gw_feature_plan_row_mask(plan), 1u << BUYER | 1u << SHOP);
    const uint32_t columns[] = {5, 3, 2, 0, 7, 3, 6, 1};
    assert_memory_equal(gw_feature_plan_columns(plan), columns, sizeof columns);
    gw_feature_plan_free(plan);
    gw_feature_set_free(set);
}

static void view_that_no_feature_needs_has_width_0(void **state)
{
    (void)state;
    struct gw_feature_set *set = test_set(text);
    const char *const only_buyer[] = {"buyer.buys"};
    const char *const only_cross[] = {"both"};
    uint32_t start = 0;
    uint32_t width = 99;

    struct gw_feature_plan *plan = test_plan(set, only_buyer, 1);
    gw_feature_plan_view_segment(plan, SHOP, &start, &width);
    assert_int_equal(width, 0);
    assert_int_equal(gw_feature_plan_row_mask(plan), 1u << BUYER);
    assert_false(gw_feature_plan_has_cross(plan));
    gw_feature_plan_free(plan);

    plan = test_plan(set, only_cross, 1);
    gw_feature_plan_view_segment(plan, SHOP, &start, &width);
    assert_int_equal(width, 0);
    assert_int_equal(gw_feature_plan_row_mask(plan), 1u << BUYER | 1u << SHOP); // the expression reads both
    gw_feature_plan_free(plan);

    plan = test_plan(set, NULL, 0);
    assert_int_equal(gw_feature_plan_width(plan), 0);
    gw_feature_plan_free(plan);
    gw_feature_plan_free(NULL);
    gw_feature_set_free(set);
}

static void unknown_and_hidden_features_refuse_the_model(void **state)
{
    (void)state;
    struct gw_feature_set *set = test_set(text);
    const struct {
        const char *name;
        const char *message;
    } cases[] = {
        {"shop.buy", "unknown feature 'shop.buy'; the nearest is 'shop.buys'"},
        {"nothing_like_it", "unknown feature 'nothing_like_it'"},
        {"shop.touched", "feature 'shop.touched' is hidden: it only serves others"},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        const char *const names[] = {"sent", cases[i].name};
        struct gw_feature_plan *plan = NULL;
        gw_err err = {0};
        assert_fails(gw_feature_plan_new(set, names, 2, &plan, &err), GW_E_CONFIG);
        assert_string_equal(err.message, cases[i].message);
        assert_null(plan);
    }
    gw_feature_set_free(set);
}

static void missing_rows_and_values_follow_the_missing_rule(void **state)
{
    (void)state;
    struct gw_feature_set *set = test_set(text);
    const char *const names[] = {"shop.buys", "shop.price", "shop.rate", "shop.idle_s"};
    struct gw_feature_plan *plan = test_plan(set, names, GW_COUNT_OF(names));
    uint8_t row[GW_FEATURE_ROW_BYTES_MAX];
    float values[4];

    gw_row_init(gw_feature_set_view(set, SHOP), row);
    gw_row_mark_deleted(gw_feature_set_view(set, SHOP), row, START_US);
    const uint8_t *const absent[] = {NULL, row};
    for (size_t i = 0; i < GW_COUNT_OF(absent); i++) {
        gw_feature_plan_eval_view(plan, SHOP, absent[i], START_US, values);
        assert_true(isnan(values[0]) && values[1] == 0 && isnan(values[2]) && isnan(values[3]));
    }

    // A row that exists: counters that nothing touched are 0, not missing.
    gw_row_init(gw_feature_set_view(set, SHOP), row);
    test_apply(set, SHOP, row, SIDE_SHOP, START_US, ACT_RETURN, NAN);
    gw_feature_plan_eval_view(plan, SHOP, row, START_US + SECOND_US, values);
    assert_true(values[0] == 0 && values[1] == 0 && values[2] == 0.1f && values[3] == 1);
    gw_feature_plan_free(plan);
    gw_feature_set_free(set);
}

static void missing_has_one_bit_pattern_and_zero_one_sign(void **state)
{
    (void)state;
    struct gw_feature_set *set = test_set(
        "[feature x]\nsource = request\nhidden = true\n[feature nan]\nderive = 0 / 0\n"
        "[feature minus]\nderive = -(x / x)\n[feature zero]\nderive = -(x * 0)\n[feature big]\nderive = 1e300\n");
    const char *const names[] = {"nan", "minus", "zero", "big"};
    struct gw_feature_plan *plan = test_plan(set, names, GW_COUNT_OF(names));
    float vector[5] = {0};
    gw_feature_plan_eval_cross(plan, NULL, START_US, vector);
    const uint32_t bits[] = {0x7fc00000, 0x7fc00000, 0, 0x7fc00000};
    assert_memory_equal(vector + 1, bits, sizeof bits);
    gw_feature_plan_free(plan);
    gw_feature_set_free(set);
}

static void cross_reads_rows_and_what_the_caller_sent(void **state)
{
    (void)state;
    struct gw_feature_set *set = test_set(text);
    const char *const names[] = {"both", "sent_or_7", "hour", "sent"};
    struct gw_feature_plan *plan = test_plan(set, names, GW_COUNT_OF(names));
    const uint32_t *columns = gw_feature_plan_columns(plan);
    uint8_t rows[2][GW_FEATURE_ROW_BYTES_MAX];
    for (size_t view = 0; view < 2; view++) {
        gw_row_init(gw_feature_set_view(set, view), rows[view]);
        for (int i = 0; i < 4; i++) {
            test_apply(set, view, rows[view], (uint32_t)view, START_US, ACT_BUY, 1);
        }
    }
    const uint8_t *const both[] = {rows[0], rows[1]};
    const uint8_t *const one[] = {rows[0], NULL};
    const char *const *wanted = NULL;
    uint32_t start = 0;
    assert_int_equal(gw_feature_plan_request_names(plan, &wanted, &start), 2);
    float vector[8];
    vector[start] = 1.5f;
    vector[start + 1] = NAN;

    gw_feature_plan_eval_cross(plan, both, START_US, vector);
    assert_true(vector[columns[0]] == 2.0f); // (4 + 1) / (0 + 10) * 4
    assert_true(vector[columns[1]] == 7);
    assert_true(vector[columns[2]] == 22);
    assert_true(vector[columns[3]] == 1.5f);
    vector[start + 1] = 0;
    gw_feature_plan_eval_cross(plan, one, START_US, vector);
    assert_true(isnan(vector[columns[0]]));
    assert_true(vector[columns[1]] == 0);
    gw_feature_plan_free(plan);
    gw_feature_set_free(set);
}

struct seen {
    int64_t time_us;
    int act;
    double price;
};

// What the definitions say, computed from all events at once and with libm.
static void naive(const struct seen *events, size_t count, int64_t now_us, double *ret_values)
{
    double buys = 0;
    double spent = 0;
    double views = 0;
    double price = 0;
    int64_t viewed_us = INT64_MIN;
    int64_t touched_us = INT64_MIN;
    for (size_t i = 0; i < count; i++) {
        double age_us = (double)(now_us - events[i].time_us);
        if (events[i].act == ACT_BUY) {
            buys += exp2(-age_us / (30.0 * MINUTE_US));
            spent += events[i].price * exp2(-age_us / (24.0 * HOUR_US));
        }
        if (events[i].act == ACT_VIEW) {
            views += 1;
            if (events[i].time_us >= viewed_us) {
                viewed_us = events[i].time_us;
                price = events[i].price;
            }
        }
        touched_us = GW_MAX(touched_us, events[i].time_us);
    }
    ret_values[0] = buys;
    ret_values[1] = spent;
    ret_values[2] = views;
    ret_values[3] = price;
    ret_values[4] = (buys + 1) / (views + 10);
    ret_values[5] = (double)(now_us - touched_us) / 1e6;
}

static void random_rows_evaluate_as_a_naive_evaluator_does(void **state)
{
    (void)state;
    struct gw_feature_set *set = test_set(text);
    const char *const names[] = {"shop.buys", "shop.spent_1d", "shop.views", "shop.price", "shop.rate", "shop.idle_s"};
    struct gw_feature_plan *plan = test_plan(set, names, GW_COUNT_OF(names));
    const uint32_t *columns = gw_feature_plan_columns(plan);
    struct gw_rng rng;
    gw_rng_init(&rng, 20260821);

    for (int round = 0; round < 200; round++) {
        struct seen events[64];
        uint8_t row[GW_FEATURE_ROW_BYTES_MAX];
        size_t count = 1 + gw_rng_below(&rng, GW_COUNT_OF(events));
        gw_row_init(gw_feature_set_view(set, SHOP), row);
        for (size_t i = 0; i < count; i++) {
            const int acts[] = {ACT_VIEW, ACT_BUY, ACT_RETURN};
            events[i] = (struct seen){
                .time_us = START_US + (int64_t)gw_rng_below(&rng, (uint64_t)(3 * HOUR_US)),
                .act = acts[gw_rng_below(&rng, 3)],
                .price = (double)gw_rng_below(&rng, 1000) / 8,
            };
            test_apply(set, SHOP, row, SIDE_SHOP, events[i].time_us, events[i].act, events[i].price);
        }
        int64_t now_us = START_US + 3 * HOUR_US + (int64_t)gw_rng_below(&rng, (uint64_t)HOUR_US);
        double expected[6];
        float values[6];
        naive(events, count, now_us, expected);
        gw_feature_plan_eval_view(plan, SHOP, row, now_us, values);
        for (size_t i = 0; i < GW_COUNT_OF(names); i++) {
            assert_close((double)values[columns[i]], expected[i], 1e-6);
        }
    }
    gw_feature_plan_free(plan);
    gw_feature_set_free(set);
}

static void explain_shows_hidden_features_age_and_source(void **state)
{
    (void)state;
    struct gw_feature_set *set = test_set(text);
    uint8_t row[GW_FEATURE_ROW_BYTES_MAX];
    struct gw_feature_value values[8];
    gw_row_init(gw_feature_set_view(set, SHOP), row);
    test_apply(set, SHOP, row, SIDE_SHOP, START_US, ACT_VIEW, 6);

    assert_int_equal(gw_feature_explain(set, SHOP, row, START_US + 5, values, 8), 7);
    assert_string_equal(values[4].name, "shop.touched");
    assert_true(values[4].value == (double)START_US / 1e6);
    assert_string_equal(values[4].source, "row");
    assert_string_equal(values[5].name, "shop.rate");
    assert_string_equal(values[5].source, "derived");
    assert_int_equal(values[5].age_us, 5);
    assert_int_equal(gw_feature_explain(set, SHOP, NULL, START_US, values, 1), 7);
    assert_int_equal(values[0].age_us, -1);
    gw_feature_set_free(set);
}

GW_TESTS(vector_is_views_then_request_then_cross, view_that_no_feature_needs_has_width_0,
         unknown_and_hidden_features_refuse_the_model, missing_rows_and_values_follow_the_missing_rule,
         missing_has_one_bit_pattern_and_zero_one_sign, cross_reads_rows_and_what_the_caller_sent,
         random_rows_evaluate_as_a_naive_evaluator_does, explain_shows_hidden_features_age_and_source)
