// SPDX-License-Identifier: MIT
// The part of XGBoost's C interface that booster.c calls, as libxgboost 1.7 to 3.x export it. Declared here because the
// library also comes from its Python wheel, which carries no header.
#pragma once

#include <stdint.h>

const char *XGBGetLastError(void);
void XGBoostVersion(int *major, int *minor, int *patch);
int XGBSetGlobalConfig(const char *json);
int XGDMatrixCreateFromMat(const float *data, uint64_t row_count, uint64_t column_count, float missing, void **out);
int XGDMatrixSetFloatInfo(void *matrix, const char *field, const float *values, uint64_t count);
int XGDMatrixFree(void *matrix);
int XGBoosterCreate(void *const matrices[], uint64_t count, void **out);
int XGBoosterFree(void *booster);
int XGBoosterSetParam(void *booster, const char *name, const char *value);
int XGBoosterSetStrFeatureInfo(void *booster, const char *field, const char **values, uint64_t count);
int XGBoosterUpdateOneIter(void *booster, int round, void *matrix);
int XGBoosterSlice(void *booster, int begin, int end, int step, void **out);
int XGBoosterLoadModelFromBuffer(void *booster, const void *bytes, uint64_t size);
int XGBoosterSaveModelToBuffer(void *booster, const char *config, uint64_t *ret_size, const char **ret_bytes);
int XGBoosterPredictFromDMatrix(void *booster, void *matrix, const char *config, const uint64_t **ret_shape,
                                uint64_t *ret_dimensions, const float **ret_values);
int XGBoosterPredictFromDense(void *booster, const char *values, const char *config, void *matrix,
                              const uint64_t **ret_shape, uint64_t *ret_dimensions, const float **ret_values);
