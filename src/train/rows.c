// SPDX-License-Identifier: MIT
#include "train/rows.h"

#include "base/mem.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// Where an example stands in the file, to sort by time.
struct place {
    int64_t time_ms;
    size_t index;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a;
    const struct place *y = b;
    if (x->time_ms != y->time_ms) {
        return x->time_ms < y->time_ms ? -1 : 1;
    }
    return (x->index > y->index) - (x->index < y->index);
}

static gw_status allocate(struct gw_rows *rows, size_t feature_count, gw_err *err)
{
    size_t values = 0;
    if (!__builtin_mul_overflow(rows->count, feature_count, &values)) {
        rows->features = gw_mem_calloc(values, sizeof *rows->features);
        rows->label_bits = gw_mem_calloc(rows->count, sizeof *rows->label_bits);
        rows->weights = gw_mem_calloc(rows->count, sizeof *rows->weights);
    }
    if (rows->features == NULL || rows->label_bits == NULL || rows->weights == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for %zu examples of %zu features", rows->count, feature_count);
    }
    return GW_OK;
}

// XGBoost takes no infinities. The largest float goes the same way at every threshold but itself.
static float clamp(float value, uint64_t *clamped_count)
{
    if (!isinf(value)) {
        return value;
    }
    (*clamped_count)++;
    return value > 0 ? FLT_MAX : -FLT_MAX;
}

static gw_status read_all(struct gw_rows *rows, struct place *places, gw_err *err)
{
    const size_t feature_count = rows->header->feature_count;
    for (size_t i = 0; i < rows->count; i++) {
        struct gw_example example = {0};
        bool more = false;
        GW_TRY(gw_examples_next(rows->reader, &example, &more, err));
        for (size_t f = 0; f < feature_count; f++) {
            rows->features[i * feature_count + f] = clamp(example.features[f], &rows->clamped_count);
        }
        rows->label_bits[i] = example.label_bits;
        rows->weights[i] = example.weight;
        places[i] = (struct place){.time_ms = example.time_ms, .index = i};
    }
    return GW_OK;
}

// Puts `count` items of `size` bytes into the order of places.
static gw_status reorder(void *items, size_t size, const struct place *places, size_t count, gw_err *err)
{
    GW_CLEANUP(gw_mem_cleanup) char *sorted = gw_mem_calloc(count, size);
    if (sorted == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory to sort %zu examples", count);
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(sorted + i * size, (const char *)items + places[i].index * size, size);
    }
    memcpy(items, sorted, count * size);
    return GW_OK;
}

static gw_status sort(struct gw_rows *rows, struct place *places, gw_err *err)
{
    bool sorted = true;
    for (size_t i = 1; i < rows->count; i++) {
        sorted &= places[i - 1].time_ms <= places[i].time_ms;
    }
    if (!sorted) {
        qsort(places, rows->count, sizeof *places, compare_places);
        GW_TRY(reorder(rows->features, rows->header->feature_count * sizeof(float), places, rows->count, err));
        GW_TRY(reorder(rows->label_bits, sizeof *rows->label_bits, places, rows->count, err));
        GW_TRY(reorder(rows->weights, sizeof *rows->weights, places, rows->count, err));
    }
    rows->first_time_ms = places[0].time_ms;
    rows->last_time_ms = places[rows->count - 1].time_ms;
    return GW_OK;
}

gw_status gw_rows_load(const char *path, double holdout, struct gw_rows *rows, gw_err *err)
{
    *rows = (struct gw_rows){0};
    GW_TRY(gw_examples_reader_new(path, &rows->reader, err));
    rows->header = gw_examples_header(rows->reader);
    rows->count = gw_examples_count(rows->reader);
    rows->train_count = rows->count - (size_t)((double)rows->count * holdout);
    if (rows->train_count == 0 || rows->train_count >= rows->count) {
        return gw_fail(err, GW_E_INVALID, "examples '%.100s': %zu examples are too few to hold out a share of %g", path,
                       rows->count, holdout);
    }
    GW_TRY(allocate(rows, rows->header->feature_count, err));
    GW_CLEANUP(gw_mem_cleanup) struct place *places = gw_mem_calloc(rows->count, sizeof *places);
    if (places == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for %zu examples", rows->count);
    }
    GW_TRY(read_all(rows, places, err));
    return sort(rows, places, err);
}

void gw_rows_deinit(struct gw_rows *rows)
{
    gw_examples_reader_free(rows->reader);
    gw_mem_free(rows->features);
    gw_mem_free(rows->label_bits);
    gw_mem_free(rows->weights);
    *rows = (struct gw_rows){0};
}

gw_status gw_rows_label(const struct gw_rows *rows, const char *name, size_t *ret_bit, gw_err *err)
{
    for (size_t i = 0; i < rows->header->label_count; i++) {
        if (strcmp(rows->header->label_names[i], name) == 0) {
            *ret_bit = i;
            return GW_OK;
        }
    }
    return gw_fail(err, GW_E_NOT_FOUND, "the examples have no label '%s'", name);
}
