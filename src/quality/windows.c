// SPDX-License-Identifier: MIT
#include "quality/windows.h"

#include "base/check.h"
#include "base/mem.h"
#include "quality/windows_internal.h"

static const char *const outcome_names[] = {
#define X(suffix, name) name,
    GW_QUALITY_OUTCOME_MAP(X)
#undef X
};

const char *gw_quality_outcome_name(enum gw_quality_outcome outcome)
{
    GW_ASSERT((size_t)outcome < GW_QUALITY_OUTCOME_COUNT);
    return outcome_names[outcome];
}

struct gw_quality_windows *gw_quality_windows_new(const struct gw_quality_windows_options *options)
{
    GW_ASSERT(options->width_ms > 0 && options->lateness_ms >= 0 && options->ahead_ms >= 0 && options->open_max > 0);
    GW_ASSERT(options->width_ms <= INT64_MAX / 4 && options->lateness_ms <= INT64_MAX / 4);
    struct gw_quality_windows *windows = gw_mem_calloc(1, sizeof *windows);
    if (windows != NULL) {
        windows->options = *options;
        windows->watermark_ms = INT64_MIN;
    }
    return windows;
}

static void free_heads(struct gw_open_window *window)
{
    for (size_t i = 0; i < window->key.head_count; i++) {
        gw_head_quality_free(window->heads[i]);
        window->heads[i] = NULL;
    }
}

void gw_quality_windows_free(struct gw_quality_windows *windows)
{
    if (windows == NULL) {
        return;
    }
    for (size_t i = 0; i < windows->size; i++) {
        free_heads(windows->open[i]);
        gw_mem_free(windows->open[i]);
    }
    gw_mem_free(windows->open);
    gw_mem_free(windows);
}

static int compare_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_keys(const struct gw_open_key *a, const struct gw_open_key *b)
{
    int order = compare_numbers(a->start_ms, b->start_ms);
    if (order == 0) {
        order = compare_numbers(a->model_version, b->model_version);
    }
    if (order == 0) {
        order = memcmp(a->variant, b->variant, GW_MIN(a->variant_bytes, b->variant_bytes));
    }
    if (order == 0) {
        order = compare_numbers(a->variant_bytes, b->variant_bytes);
    }
    return order != 0 ? order : compare_numbers(a->head_count, b->head_count);
}

static size_t place_of(const struct gw_quality_windows *windows, const struct gw_open_key *key)
{
    size_t low = 0;
    size_t high = windows->size;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_keys(&windows->open[middle]->key, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct gw_open_window *gw_open_window_find(const struct gw_quality_windows *windows, const struct gw_open_key *key)
{
    size_t place = place_of(windows, key);
    bool found = place < windows->size && compare_keys(&windows->open[place]->key, key) == 0;
    return found ? windows->open[place] : NULL;
}

static struct gw_open_window *new_window(const struct gw_open_key *key)
{
    struct gw_open_window *window = gw_mem_calloc(1, sizeof *window);
    if (window == NULL) {
        return NULL;
    }
    window->key = *key;
    for (size_t i = 0; i < key->head_count; i++) {
        window->heads[i] = gw_head_quality_new();
        if (window->heads[i] == NULL) {
            free_heads(window);
            gw_mem_free(window);
            return NULL;
        }
    }
    return window;
}

gw_status gw_open_window_get(struct gw_quality_windows *windows, const struct gw_open_key *key,
                             struct gw_open_window **ret_window, gw_err *err)
{
    struct gw_open_window *window = gw_open_window_find(windows, key);
    if (window == NULL) {
        if (windows->size == windows->capacity) {
            size_t capacity = windows->capacity * 2 + 8;
            struct gw_open_window **open = gw_mem_realloc(windows->open, capacity, sizeof(struct gw_open_window *));
            if (open == NULL) {
                return gw_fail(err, GW_E_MEMORY, "no memory for %zu quality windows", capacity);
            }
            windows->open = open;
            windows->capacity = capacity;
        }
        window = new_window(key);
        if (window == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for a quality window of %u heads", key->head_count);
        }
        size_t place = place_of(windows, key);
        memmove(&windows->open[place + 1], &windows->open[place],
                (windows->size - place) * sizeof(struct gw_open_window *));
        windows->open[place] = window;
        windows->size++;
        windows->open_count++;
    }
    *ret_window = window;
    return GW_OK;
}

void gw_open_window_remove(struct gw_quality_windows *windows, const struct gw_open_key *key)
{
    struct gw_open_window *window = gw_open_window_find(windows, key);
    if (window == NULL) {
        return;
    }
    size_t place = place_of(windows, key);
    windows->size--;
    windows->open_count--;
    memmove(&windows->open[place], &windows->open[place + 1],
            (windows->size - place) * sizeof(struct gw_open_window *));
    free_heads(window);
    gw_mem_free(window);
}

// Whether the watermark has reached the window's end plus the lateness, without overflow: start_ms <= INT64_MAX / 4.
static bool is_over(const struct gw_quality_windows *windows, int64_t start_ms, int64_t watermark_ms)
{
    return watermark_ms >= 0 && watermark_ms - start_ms >= windows->options.width_ms + windows->options.lateness_ms;
}

void gw_open_windows_sweep(struct gw_quality_windows *windows)
{
    size_t kept = 0;
    for (size_t i = 0; i < windows->size; i++) {
        struct gw_open_window *window = windows->open[i];
        if (window->closed && !window->recorded && is_over(windows, window->key.start_ms, windows->watermark_ms)) {
            gw_mem_free(window);
        } else {
            windows->open[kept++] = window;
        }
    }
    windows->size = kept;
}

static bool is_valid(const struct gw_quality_sample *sample)
{
    if (sample->head_count == 0 || sample->head_count > GW_QUALITY_HEADS_MAX || sample->served_at_ms < 0 ||
        sample->served_at_ms > INT64_MAX / 4 || sample->variant.size > GW_QUALITY_VARIANT_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < sample->head_count; i++) {
        const struct gw_head_row row = {.prediction = (double)sample->predictions[i], .weight = sample->weight};
        if (gw_head_row_check(&row, NULL) != GW_OK) {
            return false;
        }
    }
    return true;
}

static struct gw_open_key key_of(const struct gw_quality_windows *windows, const struct gw_quality_sample *sample)
{
    struct gw_open_key key = {
        .start_ms = sample->served_at_ms - sample->served_at_ms % windows->options.width_ms,
        .model_version = sample->model_version,
        .head_count = (uint8_t)sample->head_count,
        .variant_bytes = (uint8_t)sample->variant.size,
    };
    if (sample->variant.size > 0) {
        memcpy(key.variant, sample->variant.data, sample->variant.size);
    }
    return key;
}

// All heads of a window hold the same number of rows, so either all of them take the sample or the first refuses it.
static gw_status add_to(struct gw_open_window *window, const struct gw_quality_sample *sample)
{
    for (size_t i = 0; i < sample->head_count; i++) {
        const struct gw_head_row row = {
            .prediction = (double)sample->predictions[i],
            .weight = sample->weight,
            .positive = (sample->positives >> i & 1) != 0,
        };
        GW_TRY(sample->final ? gw_head_quality_add(window->heads[i], &row, NULL)
                             : gw_head_quality_announce(window->heads[i], sample->weight, NULL));
    }
    window->changed = true;
    return GW_OK;
}

gw_status gw_quality_windows_add(struct gw_quality_windows *windows, const struct gw_quality_sample *sample,
                                 enum gw_quality_outcome *ret_outcome, gw_err *err)
{
    enum gw_quality_outcome outcome = GW_QUALITY_INVALID;
    if (is_valid(sample)) {
        struct gw_open_key key = key_of(windows, sample);
        struct gw_open_window *window = gw_open_window_find(windows, &key);
        if (is_over(windows, key.start_ms, windows->watermark_ms) || (window != NULL && window->closed)) {
            outcome = GW_QUALITY_LATE;
        } else if (windows->watermark_ms >= 0 &&
                   sample->served_at_ms - windows->watermark_ms > windows->options.ahead_ms) {
            outcome = GW_QUALITY_AHEAD;
        } else if (window == NULL && windows->open_count >= windows->options.open_max) {
            outcome = GW_QUALITY_FULL;
        } else {
            GW_TRY(gw_open_window_get(windows, &key, &window, err));
            outcome = add_to(window, sample) == GW_OK ? GW_QUALITY_ADDED : GW_QUALITY_FULL;
        }
    }
    windows->counts[outcome]++;
    windows->changed = true;
    *ret_outcome = outcome;
    return GW_OK;
}

static gw_status show(const struct gw_quality_windows *windows, const struct gw_open_window *window,
                      gw_quality_window_sink sink, void *context, gw_err *err)
{
    const struct gw_head_quality *heads[GW_QUALITY_HEADS_MAX];
    for (size_t i = 0; i < window->key.head_count; i++) {
        heads[i] = window->heads[i];
    }
    const struct gw_quality_window view = {
        .start_ms = window->key.start_ms,
        .end_ms = window->key.start_ms + windows->options.width_ms,
        .model_version = window->key.model_version,
        .variant = gw_slice_make(window->key.variant, window->key.variant_bytes),
        .heads = heads,
        .head_count = window->key.head_count,
    };
    return sink(context, &view, err);
}

gw_status gw_quality_windows_advance(struct gw_quality_windows *windows, int64_t watermark_ms,
                                     gw_quality_window_sink sink, void *context, gw_err *err)
{
    if (watermark_ms <= windows->watermark_ms) {
        return GW_OK;
    }
    gw_status status = GW_OK;
    for (size_t i = 0; i < windows->size && status == GW_OK; i++) {
        struct gw_open_window *window = windows->open[i];
        if (!window->closed && is_over(windows, window->key.start_ms, watermark_ms)) {
            status = show(windows, window, sink, context, err);
            if (status == GW_OK) {
                window->closed = true;
                free_heads(window);
                windows->open_count--;
            }
        }
    }
    if (status == GW_OK) {
        windows->watermark_ms = watermark_ms;
        windows->changed = true;
        gw_open_windows_sweep(windows);
    }
    return status;
}

gw_status gw_quality_windows_visit(const struct gw_quality_windows *windows, gw_quality_window_sink visitor,
                                   void *context, gw_err *err)
{
    for (size_t i = 0; i < windows->size; i++) {
        if (!windows->open[i]->closed) {
            GW_TRY(show(windows, windows->open[i], visitor, context, err));
        }
    }
    return GW_OK;
}

int64_t gw_quality_windows_watermark_ms(const struct gw_quality_windows *windows)
{
    return windows->watermark_ms;
}

size_t gw_quality_windows_open_count(const struct gw_quality_windows *windows)
{
    return windows->open_count;
}

uint64_t gw_quality_windows_count(const struct gw_quality_windows *windows, enum gw_quality_outcome outcome)
{
    GW_ASSERT((size_t)outcome < GW_QUALITY_OUTCOME_COUNT);
    return windows->counts[outcome];
}
