// SPDX-License-Identifier: MIT
// `where` of a feature: a conjunction of simple tests over an event's attributes.
//
//   where := test { "and" test }
//   test  := attribute "in" "(" value {"," value} ")" | attribute ("=" | "!=" | "<" | "<=" | ">" | ">=") value
//          | attribute "present"
//   value := ["-"] number | symbol of the attribute
// A test of an absent attribute is false, whatever it asks.
#pragma once

#include "base/arena.h"
#include "feature/set.h"

#define GW_FILTER_TESTS_MAX  8
#define GW_FILTER_VALUES_MAX 64

enum gw_filter_op {
    GW_FILTER_IN,
    GW_FILTER_NOT_EQUAL,
    GW_FILTER_LESS,
    GW_FILTER_LESS_EQUAL,
    GW_FILTER_GREATER,
    GW_FILTER_GREATER_EQUAL,
    GW_FILTER_PRESENT,
};

struct gw_filter_test {
    uint32_t attribute;
    enum gw_filter_op op;
    uint32_t value_count; // of `values`: any for IN, 0 for PRESENT, else 1
    const double *values;
};

struct gw_filter {
    const char *text; // canonical spelling: equal texts are equal filters
    const struct gw_filter_test *tests;
    uint32_t test_count; // 0: every event passes
};

// Compiles `text` (NULL: every event passes) into arena memory. GW_E_CONFIG says what is wrong.
GW_CHECK gw_status gw_filter_compile(const char *text, const struct gw_feature_vocabulary *vocabulary,
                                     struct gw_arena *arena, struct gw_filter *ret_filter, gw_err *err);

bool gw_filter_passes(const struct gw_filter *filter, const double *attributes);

// Index of an attribute by name; GW_E_CONFIG naming it and the nearest one.
GW_CHECK gw_status gw_filter_attribute(const struct gw_feature_vocabulary *vocabulary, const char *name, size_t length,
                                       uint32_t *ret_index, gw_err *err);
