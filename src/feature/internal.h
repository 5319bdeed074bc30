// SPDX-License-Identifier: MIT
// What a compiled set is made of. For this folder only.
#pragma once

#include "base/arena.h"
#include "feature/aggregate.h"
#include "feature/filter.h"
#include "feature/segment.h"
#include "feature/set.h"

#define GW_FEATURE_COUNT_MAX      1024
#define GW_FEATURE_COLUMNS_MAX    64 // of a view: the bits of the null bitmap
#define GW_FEATURE_HALF_LIVES_MAX 16 // distinct ones of a view
#define GW_FEATURE_NAME_BYTES_MAX 96

// The first member is what callers see, so that a pointer to it is a pointer to this.
struct gw_view {
    struct gw_feature_view seen;
    uint64_t column_mask; // bits of the columns there are
    uint32_t column_count;
    uint32_t filter_count;
    uint32_t half_life_count;
    struct gw_column columns[GW_FEATURE_COLUMNS_MAX]; // by name
    struct gw_filter filters[GW_FEATURE_COLUMNS_MAX]; // distinct
    uint32_t clock_offsets[GW_FEATURE_COLUMNS_MAX];   // by filter; 0: no clock
    double half_lives_us[GW_FEATURE_HALF_LIVES_MAX];
    struct gw_segment explained; // every feature of the view
};

enum gw_feature_kind { GW_FEATURE_ROW, GW_FEATURE_DERIVED, GW_FEATURE_REQUEST };
enum gw_feature_state { GW_FEATURE_RAW, GW_FEATURE_COMPILING, GW_FEATURE_COMPILED };

struct gw_feature {
    const char *name;
    const char *help;
    enum gw_feature_kind kind;
    enum gw_value_type type;
    enum gw_feature_state state; // COMPILED after gw_feature_set_compile
    bool hidden;                 // not for models
    bool missing_zero;           // missing reads as 0
    bool uses_request;           // depends on a value that the caller sends
    uint32_t view_mask;          // views that it depends on
    uint32_t view;               // ROW: its view and column
    uint32_t column;
    const char *request_name; // REQUEST: the name that callers send
    struct gw_expr expr;      // DERIVED: LOAD indices are features
};

struct gw_feature_set {
    struct gw_arena arena; // everything below
    struct gw_view *views;
    size_t view_count;
    struct gw_feature *features;
    size_t feature_count;
};

// Index of a feature by name (not NUL-terminated); GW_E_CONFIG naming it and the nearest one.
GW_CHECK gw_status gw_feature_find(const struct gw_feature_set *set, const char *name, size_t length,
                                   uint32_t *ret_index, gw_err *err);

// Gives offsets to the columns and fills row_bytes, fingerprint, never_expires and layout_json of a view whose columns
// are known. `sides` are the vocabulary's.
GW_CHECK gw_status gw_view_lay_out(struct gw_view *view, const struct gw_feature_vocabulary *vocabulary,
                                   struct gw_arena *arena, gw_err *err);

// A copy of a text in the arena; NULL when memory is short.
GW_CHECK char *gw_feature_strdup(struct gw_arena *arena, const char *text);
