// SPDX-License-Identifier: MIT
#include "worker/quality_view.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct series {
    struct gw_api_quality_window *windows; // by start, the newest last
    uint32_t count;
};

struct model {
    char name[256];
    struct series *series;
    uint32_t series_count;
};

struct gw_quality_view {
    struct gw_quality_view_options options;
    struct model *models;
    uint32_t model_count;
};

// ---- life -----------------------------------------------------------------------------------------------------------

struct gw_quality_view *gw_quality_view_new(const struct gw_quality_view_options *options)
{
    struct gw_quality_view *view = gw_mem_calloc(1, sizeof *view);
    if (view == NULL) {
        return NULL;
    }
    view->options = *options;
    view->models = gw_mem_calloc(options->models_max, sizeof *view->models);
    if (view->models == NULL) {
        gw_mem_free(view);
        return NULL;
    }
    return view;
}

static void model_deinit(struct model *model)
{
    for (uint32_t i = 0; i < model->series_count; i++) {
        gw_mem_free(model->series[i].windows);
    }
    gw_mem_free(model->series);
    *model = (struct model){0};
}

void gw_quality_view_free(struct gw_quality_view *view)
{
    if (view != NULL) {
        for (uint32_t i = 0; i < view->model_count; i++) {
            model_deinit(&view->models[i]);
        }
        gw_mem_free(view->models);
        gw_mem_free(view);
    }
}

// ---- places ---------------------------------------------------------------------------------------------------------

static int64_t newest_of_series(const struct series *series)
{
    return series->windows[series->count - 1].start_ms; // none is kept empty
}

static int64_t newest_of_model(const struct model *model)
{
    int64_t newest_ms = INT64_MIN;
    for (uint32_t i = 0; i < model->series_count; i++) {
        newest_ms = GW_MAX(newest_ms, newest_of_series(&model->series[i]));
    }
    return newest_ms;
}

static struct model *find_model(const struct gw_quality_view *view, struct gw_slice name)
{
    for (uint32_t i = 0; i < view->model_count; i++) {
        if (gw_slice_is(name, view->models[i].name)) {
            return &view->models[i];
        }
    }
    return NULL;
}

// A free place, made by leaving out the model that was quiet for longest.
static struct model *model_place(struct gw_quality_view *view)
{
    if (view->model_count < view->options.models_max) {
        return &view->models[view->model_count++];
    }
    struct model *oldest = &view->models[0];
    for (uint32_t i = 1; i < view->model_count; i++) {
        if (newest_of_model(&view->models[i]) < newest_of_model(oldest)) {
            oldest = &view->models[i];
        }
    }
    model_deinit(oldest);
    return oldest;
}

static bool same_series(const struct gw_api_quality_window *a, const struct gw_api_quality_window *b)
{
    return a->version == b->version && strcmp(a->variant, b->variant) == 0 && strcmp(a->head, b->head) == 0;
}

static struct series *find_series(const struct model *model, const struct gw_api_quality_window *window)
{
    for (uint32_t i = 0; i < model->series_count; i++) {
        if (same_series(&model->series[i].windows[0], window)) {
            return &model->series[i];
        }
    }
    return NULL;
}

static struct series *series_place(const struct gw_quality_view *view, struct model *model)
{
    if (model->series_count < view->options.series_max) {
        return &model->series[model->series_count++];
    }
    struct series *oldest = &model->series[0];
    for (uint32_t i = 1; i < model->series_count; i++) {
        if (newest_of_series(&model->series[i]) < newest_of_series(oldest)) {
            oldest = &model->series[i];
        }
    }
    gw_mem_free(oldest->windows);
    return oldest;
}

// ---- noting ---------------------------------------------------------------------------------------------------------

static bool take_name(struct gw_slice from, char *to, size_t size)
{
    if (from.size >= size || memchr(from.data, '\0', from.size) != NULL) {
        return false;
    }
    memcpy(to, from.data, from.size);
    to[from.size] = '\0';
    return true;
}

static bool read_window(const struct gw_model_quality *record, struct gw_api_quality_window *ret_window)
{
#define ENDS(name)                                                                                                     \
    record->has_##name##_low ? record->name##_low : (double)NAN,                                                       \
        record->has_##name##_high ? record->name##_high : (double)NAN
    *ret_window = (struct gw_api_quality_window){
        .version = record->model_version,
        .start_ms = record->window_start_ms,
        .end_ms = record->window_end_ms,
        .computed_at_ms = record->computed_at_ms,
        .examples = record->examples,
        .positives = record->positives,
        .log_loss = {record->log_loss, ENDS(log_loss)},
        .normalised_entropy = {record->normalised_entropy, ENDS(normalised_entropy)},
        .calibration = {record->calibration, ENDS(calibration)},
        .auc = {record->auc, record->auc_low, record->auc_high},
        .rce = record->rce,
        .maturity = record->maturity,
    };
#undef ENDS
    return record->window_end_ms > record->window_start_ms &&
           take_name(record->variant, ret_window->variant, sizeof ret_window->variant) &&
           take_name(record->head, ret_window->head, sizeof ret_window->head);
}

static void insert_window(struct series *series, uint32_t windows_max, const struct gw_api_quality_window *window)
{
    uint32_t place = series->count;
    while (place > 0 && series->windows[place - 1].start_ms > window->start_ms) {
        place--;
    }
    if (place > 0 && series->windows[place - 1].start_ms == window->start_ms) {
        series->windows[place - 1] = *window;
        return;
    }
    if (series->count < windows_max) {
        memmove(&series->windows[place + 1], &series->windows[place], (series->count - place) * sizeof *window);
        series->windows[place] = *window;
        series->count++;
    } else if (place > 0) { // the oldest goes
        memmove(&series->windows[0], &series->windows[1], (place - 1) * sizeof *window);
        series->windows[place - 1] = *window;
    }
}

gw_status gw_quality_view_note(struct gw_quality_view *view, const struct gw_model_quality *record, gw_err *err)
{
    struct gw_api_quality_window window;
    char name[sizeof((struct model *)NULL)->name];
    if (record->model_name.size == 0 || !take_name(record->model_name, name, sizeof name) ||
        !read_window(record, &window)) {
        return gw_fail(err, GW_E_INVALID, "quality of '%.*s': a name or a time is out of its range",
                       (int)GW_MIN(record->model_name.size, 64u), (const char *)record->model_name.data);
    }
    struct model *model = find_model(view, record->model_name);
    struct series *series = model != NULL ? find_series(model, &window) : NULL;
    if (series != NULL) {
        insert_window(series, view->options.windows_max, &window);
        return GW_OK;
    }
    struct gw_api_quality_window *windows = gw_mem_calloc(view->options.windows_max, sizeof *windows);
    struct series *all = model == NULL ? gw_mem_calloc(view->options.series_max, sizeof *all) : NULL;
    if (windows == NULL || (model == NULL && all == NULL)) {
        gw_mem_free(windows);
        gw_mem_free(all);
        return gw_fail(err, GW_E_MEMORY, "no memory for the quality of a model");
    }
    if (model == NULL) {
        model = model_place(view);
        *model = (struct model){.series = all};
        memcpy(model->name, name, sizeof name);
    }
    series = series_place(view, model);
    *series = (struct series){.windows = windows, .count = 1};
    windows[0] = window;
    return GW_OK;
}

// ---- asking ---------------------------------------------------------------------------------------------------------

static int compare_windows(const void *left, const void *right)
{
    const struct gw_api_quality_window *a = left;
    const struct gw_api_quality_window *b = right;
    if (a->start_ms != b->start_ms) {
        return a->start_ms > b->start_ms ? -1 : 1;
    }
    if (a->version != b->version) {
        return a->version > b->version ? -1 : 1;
    }
    int order = strcmp(a->variant, b->variant);
    return order != 0 ? order : strcmp(a->head, b->head);
}

gw_status gw_quality_view_ask(const struct gw_quality_view *view, struct gw_slice name, uint32_t windows,
                              struct gw_api_quality *ret_quality, gw_err *err)
{
    const struct model *model = find_model(view, name);
    if (model == NULL) {
        return gw_fail(err, GW_E_NOT_FOUND, "no quality was measured of this model");
    }
    size_t count = 0;
    for (uint32_t i = 0; i < model->series_count; i++) {
        count += GW_MIN(model->series[i].count, windows);
    }
    struct gw_api_quality_window *found = gw_mem_calloc(GW_MAX(count, 1u), sizeof *found);
    if (found == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for %zu windows", count);
    }
    size_t used = 0;
    for (uint32_t i = 0; i < model->series_count; i++) {
        const struct series *series = &model->series[i];
        uint32_t some = GW_MIN(series->count, windows);
        memcpy(&found[used], &series->windows[series->count - some], some * sizeof *found);
        used += some;
    }
    qsort(found, count, sizeof *found, compare_windows);
    *ret_quality = (struct gw_api_quality){.windows = found, .count = (uint32_t)count};
    return GW_OK;
}
