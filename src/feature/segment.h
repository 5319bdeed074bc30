// SPDX-License-Identifier: MIT
// A straight-line program that computes some features from rows, request values and now: first every needed column is
// read into a slot, then derived features are computed into slots, each once, in the order of their dependencies.
#pragma once

#include "base/arena.h"
#include "feature/expr.h"
#include "feature/set.h"

struct gw_segment_load {
    uint32_t slot;
    uint32_t column;
    bool missing_zero;
};

// The columns needed of one view.
struct gw_segment_view {
    uint32_t view;
    uint32_t half_life_mask; // bit i: half-life i of the view is needed
    uint32_t load_count;
    const struct gw_segment_load *loads;
};

struct gw_segment_request {
    uint32_t slot;
    uint32_t feature;
    uint32_t value_index; // which request value; set by the plan
};

struct gw_segment {
    const struct gw_segment_view *views;
    struct gw_segment_request *requests;
    const struct gw_expr_op *ops;
    const uint32_t *output_slots;    // one per output
    const uint32_t *output_features; // likewise
    uint32_t view_count;
    uint32_t request_count;
    uint32_t op_count;
    uint32_t output_count;
    uint32_t slot_count; // at most GW_FEATURE_COUNT_MAX
};

// Compiles the segment whose outputs are the features with wanted[feature], in feature order. Arena memory.
GW_CHECK gw_status gw_segment_build(const struct gw_feature_set *set, const bool *wanted, struct gw_arena *arena,
                                    struct gw_segment *ret_segment, gw_err *err);

// Fills slots[slot_count]. rows[v] may be NULL or DELETED: missing. `request_values` may be NULL without requests.
void gw_segment_run(const struct gw_segment *segment, const struct gw_feature_set *set, const uint8_t *const *rows,
                    const float *request_values, int64_t now_us, double *slots);

// A slot as a float of a vector: NaN when missing or beyond float's range, always the same NaN, never -0.
float gw_segment_float(double value);
