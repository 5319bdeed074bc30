// SPDX-License-Identifier: MIT
// XGBoost behind statuses: data matrices and boosters. The only user of libxgboost; one thread at a time.
// Every failure of the library is GW_E_INVALID with the first line of its message.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stddef.h>

struct gw_matrix;
struct gw_booster;

// What gw_booster_predict gives: sigmoid(margin) for the logistic objectives, or the margin.
enum gw_booster_output { GW_BOOSTER_VALUE = 0, GW_BOOSTER_MARGIN = 1 };

struct gw_matrix_data {
    const float *rows; // row-major; NaN = missing; no infinities, XGBoost refuses to train on them
    size_t row_count;
    size_t column_count;
    const float *labels;
    const float *weights; // NULL: all 1
};

// Copies the data. Free with gw_matrix_free.
GW_CHECK gw_status gw_matrix_new(const struct gw_matrix_data *data, struct gw_matrix **ret_matrix, gw_err *err);
void gw_matrix_free(struct gw_matrix *matrix);

struct gw_booster_param {
    const char *name;
    const char *value;
};

// A booster to be trained; predictions of `matrices` are cached round by round. The matrices must outlive it.
GW_CHECK gw_status gw_booster_new(struct gw_matrix *const *matrices, size_t matrix_count,
                                  const struct gw_booster_param *params, size_t param_count,
                                  struct gw_booster **ret_booster, gw_err *err);
void gw_booster_free(struct gw_booster *booster);

// One more tree, learned from `matrix`.
GW_CHECK gw_status gw_booster_update(struct gw_booster *booster, int round, struct gw_matrix *matrix, gw_err *err);

// A booster of the first `round_count` rounds.
GW_CHECK gw_status gw_booster_slice(struct gw_booster *booster, int round_count, struct gw_booster **ret_booster,
                                    gw_err *err);

// Puts the features' names into the model, so that its file is complete without the bundle.
GW_CHECK gw_status gw_booster_name_features(struct gw_booster *booster, const char *const *names, size_t count,
                                            gw_err *err);

// Model as JSON, appended to *out; and a booster from it.
GW_CHECK gw_status gw_booster_save(struct gw_booster *booster, struct gw_buf *out, gw_err *err);
GW_CHECK gw_status gw_booster_load(struct gw_slice json, struct gw_booster **ret_booster, gw_err *err);

// Margins of a matrix given to gw_booster_new, one a row, valid until the next call on this booster.
GW_CHECK gw_status gw_booster_margins(struct gw_booster *booster, struct gw_matrix *matrix, const float **ret_margins,
                                      gw_err *err);

// Predicts plain rows, infinities included, into values[row_count].
GW_CHECK gw_status gw_booster_predict(struct gw_booster *booster, const float *rows, size_t row_count,
                                      size_t column_count, enum gw_booster_output output, float *values, gw_err *err);

// "3.2.0" into `to`.
#define GW_BOOSTER_VERSION_BYTES 40
void gw_booster_version(char to[GW_BOOSTER_VERSION_BYTES]);
