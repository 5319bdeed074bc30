// SPDX-License-Identifier: MIT
#include "train/booster.h"

#include "base/check.h"
#include "base/mem.h"
#include "train/xgboost_api.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define MATRICES_MAX 4

struct gw_matrix {
    void *handle;
    size_t row_count;
};

struct gw_booster {
    void *handle;
};

// Libxgboost's messages begin with a time and a source position: "[12:00:00] file.cc:1: what". The rest of the line
// counts.
static gw_status library_failed(gw_err *err, const char *what)
{
    const char *message = XGBGetLastError();
    if (message[0] == '[') {
        const char *text = strstr(message, ": ");
        message = text != NULL ? text + 2 : message;
    }
    return gw_fail(err, GW_E_INVALID, "%s: xgboost says: %.*s", what, (int)strcspn(message, "\n"), message);
}

static gw_status set_info(struct gw_matrix *matrix, const struct gw_matrix_data *data, gw_err *err)
{
    if (XGDMatrixSetFloatInfo(matrix->handle, "label", data->labels, data->row_count) != 0) {
        return library_failed(err, "labels");
    }
    if (data->weights != NULL && XGDMatrixSetFloatInfo(matrix->handle, "weight", data->weights, data->row_count) != 0) {
        return library_failed(err, "weights");
    }
    return GW_OK;
}

gw_status gw_matrix_new(const struct gw_matrix_data *data, struct gw_matrix **ret_matrix, gw_err *err)
{
    struct gw_matrix *matrix = gw_mem_calloc(1, sizeof *matrix);
    if (matrix == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a matrix");
    }
    matrix->row_count = data->row_count;
    gw_status status = GW_OK;
    if (XGDMatrixCreateFromMat(data->rows, data->row_count, data->column_count, NAN, &matrix->handle) != 0) {
        matrix->handle = NULL;
        status = library_failed(err, "matrix");
    }
    if (status == GW_OK) {
        status = set_info(matrix, data, err);
    }
    if (status != GW_OK) {
        gw_matrix_free(matrix);
        return status;
    }
    *ret_matrix = matrix;
    return GW_OK;
}

void gw_matrix_free(struct gw_matrix *matrix)
{
    if (matrix == NULL) {
        return;
    }
    if (matrix->handle != NULL) {
        XGDMatrixFree(matrix->handle);
    }
    gw_mem_free(matrix);
}

static gw_status create(void *const *handles, size_t count, struct gw_booster **ret_booster, gw_err *err)
{
    if (XGBSetGlobalConfig("{\"verbosity\":0}") != 0) {
        return library_failed(err, "verbosity");
    }
    struct gw_booster *booster = gw_mem_calloc(1, sizeof *booster);
    if (booster == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a booster");
    }
    if (XGBoosterCreate(handles, count, &booster->handle) != 0) {
        gw_mem_free(booster);
        return library_failed(err, "booster");
    }
    *ret_booster = booster;
    return GW_OK;
}

gw_status gw_booster_new(struct gw_matrix *const *matrices, size_t matrix_count, const struct gw_booster_param *params,
                         size_t param_count, struct gw_booster **ret_booster, gw_err *err)
{
    GW_ASSERT(matrix_count <= MATRICES_MAX);
    void *handles[MATRICES_MAX] = {0};
    for (size_t m = 0; m < matrix_count; m++) {
        handles[m] = matrices[m]->handle;
    }
    struct gw_booster *booster = NULL;
    GW_TRY(create(handles, matrix_count, &booster, err));
    for (size_t p = 0; p < param_count; p++) {
        if (XGBoosterSetParam(booster->handle, params[p].name, params[p].value) != 0) {
            gw_booster_free(booster);
            return library_failed(err, params[p].name);
        }
    }
    *ret_booster = booster;
    return GW_OK;
}

void gw_booster_free(struct gw_booster *booster)
{
    if (booster == NULL) {
        return;
    }
    XGBoosterFree(booster->handle);
    gw_mem_free(booster);
}

gw_status gw_booster_update(struct gw_booster *booster, int round, struct gw_matrix *matrix, gw_err *err)
{
    return XGBoosterUpdateOneIter(booster->handle, round, matrix->handle) == 0 ? GW_OK : library_failed(err, "round");
}

gw_status gw_booster_slice(struct gw_booster *booster, int round_count, struct gw_booster **ret_booster, gw_err *err)
{
    struct gw_booster *slice = gw_mem_calloc(1, sizeof *slice);
    if (slice == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a booster");
    }
    if (XGBoosterSlice(booster->handle, 0, round_count, 1, &slice->handle) != 0) {
        gw_mem_free(slice);
        return library_failed(err, "slice");
    }
    *ret_booster = slice;
    return GW_OK;
}

gw_status gw_booster_name_features(struct gw_booster *booster, const char *const *names, size_t count, gw_err *err)
{
    GW_CLEANUP(gw_mem_cleanup) const char **copy = gw_mem_calloc(count, sizeof *copy);
    if (copy == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for feature names");
    }
    memcpy(copy, names, count * sizeof *copy);
    if (XGBoosterSetStrFeatureInfo(booster->handle, "feature_name", copy, count) != 0) {
        return library_failed(err, "feature names");
    }
    return GW_OK;
}

gw_status gw_booster_save(struct gw_booster *booster, struct gw_buf *out, gw_err *err)
{
    uint64_t size = 0;
    const char *bytes = NULL;
    if (XGBoosterSaveModelToBuffer(booster->handle, "{\"format\":\"json\"}", &size, &bytes) != 0) {
        return library_failed(err, "save");
    }
    gw_status status = gw_buf_append(out, bytes, size);
    return status == GW_OK ? GW_OK : gw_fail(err, status, "no memory for a model");
}

gw_status gw_booster_load(struct gw_slice json, struct gw_booster **ret_booster, gw_err *err)
{
    struct gw_booster *booster = NULL;
    GW_TRY(create(NULL, 0, &booster, err));
    if (XGBoosterLoadModelFromBuffer(booster->handle, json.data, json.size) != 0) {
        gw_booster_free(booster);
        return library_failed(err, "load");
    }
    *ret_booster = booster;
    return GW_OK;
}

gw_status gw_booster_margins(struct gw_booster *booster, struct gw_matrix *matrix, const float **ret_margins,
                             gw_err *err)
{
    static const char config[] = "{\"type\":1,\"training\":false,\"iteration_begin\":0,\"iteration_end\":0,"
                                 "\"strict_shape\":false}";
    const uint64_t *shape = NULL;
    uint64_t dimensions = 0;
    const float *values = NULL;
    if (XGBoosterPredictFromDMatrix(booster->handle, matrix->handle, config, &shape, &dimensions, &values) != 0) {
        return library_failed(err, "predict");
    }
    *ret_margins = values;
    return GW_OK;
}

gw_status gw_booster_predict(struct gw_booster *booster, const float *rows, size_t row_count, size_t column_count,
                             enum gw_booster_output output, float *values, gw_err *err)
{
    char array[160];
    char config[192];
    snprintf(array, sizeof array,
             "{\"data\":[%" PRIuPTR ",true],\"shape\":[%zu,%zu],\"typestr\":\"<f4\",\"version\":3}", (uintptr_t)rows,
             row_count, column_count);
    snprintf(config, sizeof config,
             "{\"type\":%d,\"training\":false,\"iteration_begin\":0,\"iteration_end\":0,\"strict_shape\":false,"
             "\"missing\":NaN,\"cache_id\":0}",
             (int)output);
    const uint64_t *shape = NULL;
    uint64_t dimensions = 0;
    const float *found = NULL;
    if (XGBoosterPredictFromDense(booster->handle, array, config, NULL, &shape, &dimensions, &found) != 0) {
        return library_failed(err, "predict");
    }
    if (dimensions < 1 || shape[0] != row_count) {
        return gw_fail(err, GW_E_INTERNAL, "predict: xgboost gave another shape");
    }
    memcpy(values, found, row_count * sizeof *values);
    return GW_OK;
}

void gw_booster_version(char to[GW_BOOSTER_VERSION_BYTES])
{
    int major = 0;
    int minor = 0;
    int patch = 0;
    XGBoostVersion(&major, &minor, &patch);
    snprintf(to, GW_BOOSTER_VERSION_BYTES, "%d.%d.%d", major, minor, patch);
}
