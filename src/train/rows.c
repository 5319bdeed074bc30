// SPDX-License-Identifier: MIT
#include "train/rows.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/rng.h"

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

static gw_status read_all(struct gw_rows *rows, struct place *places, gw_err *err)
{
    const size_t feature_count = rows->header->feature_count;
    for (size_t i = 0; i < rows->count; i++) {
        struct gw_example example = {0};
        bool more = false;
        GW_TRY(gw_examples_next(rows->reader, &example, &more, err));
        memcpy(rows->features + i * feature_count, example.features, feature_count * sizeof *rows->features);
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

static gw_status open_file(const char *path, struct gw_rows *rows, gw_err *err)
{
    *rows = (struct gw_rows){0};
    GW_TRY(gw_examples_reader_new(path, &rows->reader, err));
    rows->header = gw_examples_header(rows->reader);
    rows->count = gw_examples_count(rows->reader);
    rows->train_count = rows->count;
    return GW_OK;
}

static gw_status load(struct gw_rows *rows, gw_err *err)
{
    GW_TRY(allocate(rows, rows->header->feature_count, err));
    GW_CLEANUP(gw_mem_cleanup) struct place *places = gw_mem_calloc(rows->count, sizeof *places);
    if (places == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for %zu examples", rows->count);
    }
    GW_TRY(read_all(rows, places, err));
    return sort(rows, places, err);
}

static gw_status find_infinities(struct gw_rows *rows, gw_err *err)
{
    const size_t value_count = rows->count * rows->header->feature_count;
    for (size_t i = 0; i < value_count; i++) {
        rows->infinite_count += isinf(rows->features[i]) ? 1 : 0;
    }
    if (rows->infinite_count == 0) {
        return GW_OK;
    }
    rows->infinite = gw_mem_calloc(rows->infinite_count, sizeof *rows->infinite);
    if (rows->infinite == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for the places of %zu infinities", (size_t)rows->infinite_count);
    }
    for (size_t i = 0, found = 0; i < value_count; i++) {
        if (isinf(rows->features[i])) {
            rows->infinite[found++] = i;
        }
    }
    return GW_OK;
}

gw_status gw_rows_load(const char *path, double holdout, struct gw_rows *rows, gw_err *err)
{
    GW_TRY(open_file(path, rows, err));
    rows->train_count = rows->count - (size_t)((double)rows->count * holdout);
    if (rows->train_count == 0 || rows->train_count >= rows->count) {
        return gw_fail(err, GW_E_INVALID, "examples '%.100s': %zu examples are too few to hold out a share of %g", path,
                       rows->count, holdout);
    }
    GW_TRY(load(rows, err));
    return find_infinities(rows, err);
}

gw_status gw_rows_load_whole(const char *path, struct gw_rows *rows, gw_err *err)
{
    GW_TRY(open_file(path, rows, err));
    return rows->count > 0 ? load(rows, err) : GW_OK;
}

void gw_rows_deinit(struct gw_rows *rows)
{
    gw_examples_reader_free(rows->reader);
    gw_mem_free(rows->features);
    gw_mem_free(rows->label_bits);
    gw_mem_free(rows->weights);
    gw_mem_free(rows->infinite);
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

static void replace_infinities(struct gw_rows *rows, float by)
{
    for (size_t i = 0; i < rows->infinite_count; i++) {
        float *value = &rows->features[rows->infinite[i]];
        *value = copysignf(by, *value);
    }
}

void gw_rows_clamp(struct gw_rows *rows)
{
    GW_ASSERT(!rows->is_clamped && (rows->infinite != NULL || rows->infinite_count == 0));
    replace_infinities(rows, FLT_MAX);
    rows->is_clamped = true;
}

void gw_rows_unclamp(struct gw_rows *rows)
{
    GW_ASSERT(rows->is_clamped);
    replace_infinities(rows, INFINITY);
    rows->is_clamped = false;
}

void gw_rows_release_features(struct gw_rows *rows)
{
    gw_mem_free(rows->features);
    gw_mem_free(rows->infinite);
    rows->features = NULL;
    rows->infinite = NULL;
}

size_t gw_rows_thin(struct gw_rows *rows, size_t first, size_t count, uint64_t seed)
{
    GW_ASSERT(!rows->is_clamped && first + count <= rows->count);
    const size_t width = rows->header->feature_count;
    float largest = 0;
    float smallest = INFINITY;
    for (size_t i = first; i < first + count; i++) {
        largest = fmaxf(largest, rows->weights[i]);
        smallest = fminf(smallest, rows->weights[i]);
    }
    if (smallest >= largest) {
        return count;
    }
    gw_mem_free(rows->infinite); // rows move
    rows->infinite = NULL;
    struct gw_rng rng;
    gw_rng_init(&rng, seed);
    size_t to = first;
    for (size_t from = first; from < first + count; from++) {
        if (!(gw_rng_double(&rng) * (double)largest < (double)rows->weights[from])) {
            continue;
        }
        memmove(rows->features + to * width, rows->features + from * width, width * sizeof *rows->features);
        rows->label_bits[to] = rows->label_bits[from];
        rows->weights[to] = rows->weights[from];
        to++;
    }
    return to - first;
}
