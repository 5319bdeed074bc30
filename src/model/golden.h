// SPDX-License-Identifier: MIT
// golden.json: feature vectors with the margins that the trainer's library computed for them. A bundle is only loaded
// when this scorer gives the same bits. JSON numbers with nine digits carry a float exactly; as in XGBoost's own files,
// NaN, Infinity and -Infinity are written as such.
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "model/manifest.h"

#define GW_GOLDEN_ROWS_MAX  4096
#define GW_GOLDEN_BYTES_MAX ((size_t)256 << 20)

struct gw_golden {
    size_t row_count;
    size_t feature_count;
    size_t head_count;
    float *rows;    // row_count * feature_count, row-major
    float *margins; // head_count * row_count: margins[h * row_count + r]
};

// Parses against the manifest's features and heads: every head has one margin a row, at least one row.
// GW_E_MALFORMED, GW_E_INVALID, GW_E_TOO_LARGE, GW_E_MEMORY. Free with gw_golden_deinit.
GW_CHECK gw_status gw_golden_parse(struct gw_slice text, const struct gw_manifest *manifest,
                                   struct gw_golden *ret_golden, gw_err *err);
void gw_golden_deinit(struct gw_golden *golden);

// Appends the text. `head_names` has head_count names.
GW_CHECK gw_status gw_golden_write(const struct gw_golden *golden, const char *const *head_names, struct gw_buf *out,
                                   gw_err *err);
