// SPDX-License-Identifier: MIT
// A small vocabulary for the feature tests, and helpers to compile definitions and to make events and rows with it.
#pragma once

#include "feature/plan.h"
#include "support/testkit.h"

#include <math.h>
#include <stdio.h>

enum { SIDE_BUYER, SIDE_SHOP, SIDE_REGISTER };
enum { ATTRIBUTE_ACT, ATTRIBUTE_PRICE, ATTRIBUTE_OPENED_MS, ATTRIBUTE_COUNT };
enum { ACT_VIEW = 1, ACT_BUY = 2, ACT_RETURN = 7 };

#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US   (60 * MINUTE_US)
#define START_US  (INT64_C(1700000000) * SECOND_US) // 2023-11-14, a Tuesday, 22:13:20

static const struct gw_feature_symbol test_acts[] = {{"VIEW", ACT_VIEW}, {"BUY", ACT_BUY}, {"RETURN", ACT_RETURN}};
static const struct gw_feature_attribute test_attributes[] = {
    {"act", test_acts, 3}, {"price", NULL, 0}, {"opened_ms", NULL, 0}};
static const char *const test_sides[] = {"buyer", "shop", "register"};
static const struct gw_feature_vocabulary test_vocabulary = {
    .attributes = test_attributes, .attribute_count = ATTRIBUTE_COUNT, .sides = test_sides, .side_count = 3};

#define VIEWS                                                                                                          \
    "[view buyer]\ncode = B\nkeys = 1\nsides = buyer\n"                                                                \
    "[view shop]\ncode = S\nkeys = 1\nsides = shop, register\n"

static inline gw_status test_compile(const char *text, struct gw_feature_set **ret_set, gw_err *err)
{
    return gw_feature_set_compile("test.ini", text, strlen(text), &test_vocabulary, ret_set, err);
}

static inline struct gw_feature_set *test_set(const char *text)
{
    struct gw_feature_set *set = NULL;
    gw_err err = {0};
    assert_ok_err(test_compile(text, &set, &err), &err);
    return set;
}

static inline struct gw_feature_plan *test_plan(const struct gw_feature_set *set, const char *const *names,
                                                size_t count)
{
    struct gw_feature_plan *plan = NULL;
    gw_err err = {0};
    assert_ok_err(gw_feature_plan_new(set, names, count, &plan, &err), &err);
    return plan;
}

// An event with storage for its attributes.
struct test_event {
    double attributes[ATTRIBUTE_COUNT];
    struct gw_feature_event event;
};

static inline void test_event_make(struct test_event *made, uint32_t side, int64_t time_us, double act, double price)
{
    *made = (struct test_event){.attributes = {act, price, NAN}};
    made->event = (struct gw_feature_event){
        .time_us = time_us, .side = side, .attributes = made->attributes, .source_partition = 3, .source_offset = 9};
}

static inline bool test_apply(const struct gw_feature_set *set, size_t view, uint8_t *row, uint32_t side,
                              int64_t time_us, double act, double price)
{
    struct test_event made;
    test_event_make(&made, side, time_us, act, price);
    return gw_row_apply(set, view, row, &made.event);
}

// The value that one feature of a view has in a row; fails the test when the view has no such feature.
static inline double test_value(const struct gw_feature_set *set, size_t view, const uint8_t *row, int64_t now_us,
                                const char *name)
{
    struct gw_feature_value values[64];
    size_t count = gw_feature_explain(set, view, row, now_us, values, 64);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(values[i].name, name) == 0) {
            return values[i].value;
        }
    }
    fail_msg("no feature '%s'", name);
    return NAN;
}

static inline void assert_close(double value, double expected, double relative)
{
    if (!(fabs(value - expected) <= relative * fabs(expected) + 1e-12)) {
        fail_msg("%.17g is not %.17g", value, expected);
    }
}
