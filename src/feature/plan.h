// SPDX-License-Identifier: MIT
// The column plan of one model: which features, in which internal order, from which rows, request values and expressions.
//
// A vector is a concatenation of segments, so that what depends on one row only is computed once per row of a batch and
// copied: one segment per view, one for request values, one for expressions over several segments:
//     [view 0][view 1]...[request][cross]
// Missing is NaN. `now` is passed in: the same rows, values and time give the same floats.
#pragma once

#include "feature/row.h"

struct gw_feature_plan;

// Binds `names` (a model's features, in the model's order). A name that does not exist is GW_E_CONFIG naming it and,
// when close, the name that was meant; so is a hidden one. Borrows the set, which must outlive the plan.
GW_CHECK gw_status gw_feature_plan_new(const struct gw_feature_set *set, const char *const *names, size_t count,
                                       struct gw_feature_plan **ret_plan, gw_err *err);
void gw_feature_plan_free(struct gw_feature_plan *plan);

size_t gw_feature_plan_width(const struct gw_feature_plan *plan); // floats of a whole vector

// Position inside the vector of the model's i-th feature.
const uint32_t *gw_feature_plan_columns(const struct gw_feature_plan *plan);

// Segment of a view: first float and number of floats (0: the model needs nothing of that view).
void gw_feature_plan_view_segment(const struct gw_feature_plan *plan, size_t view_index, uint32_t *ret_start,
                                  uint32_t *ret_width);

// Bit v: the plan reads rows of view v, for its segment or for the cross segment. What is not in the mask need not be
// fetched, even though a view of width 0 may be in it.
uint32_t gw_feature_plan_row_mask(const struct gw_feature_plan *plan);

// Fills the view's segment from a row valid for the view (NULL or DELETED: every column by its missing rule).
void gw_feature_plan_eval_view(const struct gw_feature_plan *plan, size_t view_index, const uint8_t *row,
                               int64_t now_us, float *segment);

// Request values that the plan wants: names in segment order. Their floats start at *ret_start of the vector; the caller
// stores each value (NaN: not sent) at ret_start + i. Context values (one per request) are resolved by name too.
size_t gw_feature_plan_request_names(const struct gw_feature_plan *plan, const char *const **ret_names,
                                     uint32_t *ret_start);

// Computes the cross segment of a vector whose other segments are filled. `rows[v]` is the row of view v or NULL.
void gw_feature_plan_eval_cross(const struct gw_feature_plan *plan, const uint8_t *const *rows, int64_t now_us,
                                float *vector);
bool gw_feature_plan_has_cross(const struct gw_feature_plan *plan);

// For people: value, age and source of each feature of one view from one row (compute endpoints).
struct gw_feature_value {
    const char *name;
    double value;      // NaN: missing; a time is in seconds since the epoch
    int64_t age_us;    // now - event time of the row, at least 0; -1 when there is no row
    const char *source; // "row" or "derived"
};

// Fills at most `capacity` values of all features of the view (not only a model's, hidden ones too); returns how many
// there are.
size_t gw_feature_explain(const struct gw_feature_set *set, size_t view_index, const uint8_t *row, int64_t now_us,
                          struct gw_feature_value *values, size_t capacity);
