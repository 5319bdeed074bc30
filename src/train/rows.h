// SPDX-License-Identifier: MIT
// The examples of a training run in memory, in time order: the earlier ones to learn from, the latest to measure with.
#pragma once

#include "base/err.h"
#include "model/examples.h"

struct gw_rows {
    struct gw_examples_reader *reader; // owns the header's strings
    const struct gw_examples_header *header;
    size_t count;
    size_t train_count; // rows [0, train_count) are learned from, the others are held out
    float *features;    // count * feature_count, as the file has them, and as they are served
    uint64_t *label_bits;
    float *weights;
    int64_t first_time_ms;
    int64_t last_time_ms;
    size_t *infinite; // [infinite_count] indices into features
    uint64_t infinite_count;
    bool is_clamped;
};

// Reads a GWEX file whole. Examples of equal time keep the file's order. GW_E_INVALID when either part would be empty;
// otherwise as gw_examples_reader_new. Free with gw_rows_deinit, also after a failure.
GW_CHECK gw_status gw_rows_load(const char *path, double holdout, struct gw_rows *rows, gw_err *err);

// The same, all of it to learn from; there may be no examples.
GW_CHECK gw_status gw_rows_load_whole(const char *path, struct gw_rows *rows, gw_err *err);

void gw_rows_deinit(struct gw_rows *rows);

// Index of a label's bit. GW_E_NOT_FOUND when the file has no such label.
GW_CHECK gw_status gw_rows_label(const struct gw_rows *rows, const char *name, size_t *ret_bit, gw_err *err);

// XGBoost learns from no infinities: makes them +-FLT_MAX, and infinities again. Not after gw_rows_thin.
void gw_rows_clamp(struct gw_rows *rows);
void gw_rows_unclamp(struct gw_rows *rows);

// Frees the vectors; labels and weights stay.
void gw_rows_release_features(struct gw_rows *rows);

// Thins rows [first, first + count) so that those left count the same: a row stays with the chance weight / largest
// weight, drawn from the seed, and moves up in place. Equal weights keep every row. Gives the number of rows left.
size_t gw_rows_thin(struct gw_rows *rows, size_t first, size_t count, uint64_t seed);
