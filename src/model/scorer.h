// SPDX-License-Identifier: MIT
// Scores batches of float vectors with a bundle, bit-equal to XGBoost's own margins.
//
// A scorer binds a bundle to the column order of whoever assembles the vectors (feature i of the model stands in column
// columns[i]). It is immutable and shared by threads; scratch memory is the caller's, one per thread.
#pragma once

#include "model/bundle.h"

struct gw_scorer;

// `columns` may be NULL: identity. Takes a reference on the bundle. `width` is the number of floats of a vector.
GW_CHECK gw_status gw_scorer_new(struct gw_bundle *bundle, const uint32_t *columns, size_t width,
                                 struct gw_scorer **ret_scorer, gw_err *err);
void gw_scorer_free(struct gw_scorer *scorer);
const struct gw_bundle *gw_scorer_bundle(const struct gw_scorer *scorer);

// margins[h * row_count + r] = float32 margin of head h for row r: base + leaf of tree 0 + leaf of tree 1 ..., in
// order. rows: row-major, `stride` floats apart (>= width). NaN is missing. Never fails, never allocates.
void gw_scorer_margins(const struct gw_scorer *scorer, const float *rows, size_t stride, size_t row_count,
                       float *margins);

// Turns margins into calibrated probabilities: probabilities[r * head_count + h], and scores[r] (may be NULL): the
// weighted sum. confidences[r] (may be NULL): the primary head's probability.
void gw_scorer_finish(const struct gw_scorer *scorer, const float *margins, size_t row_count, float *probabilities,
                      float *scores, float *confidences);
