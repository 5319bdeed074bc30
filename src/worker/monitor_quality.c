// SPDX-License-Identifier: MIT
#include "base/check.h"
#include "base/mem.h"
#include "label/bits.h"
#include "worker/monitor_quality_internal.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

// Of a window, in place of the variant: the label of each head, one byte each, then the variant's text.
struct mark {
    uint8_t bytes[GW_QUALITY_VARIANT_BYTES_MAX];
    size_t size;
};

static const char *const outcome_names[] = {
#define X(suffix, name) name,
    GW_MONITOR_OUTCOME_MAP(X)
#undef X
};

const char *gw_monitor_outcome_name(enum gw_monitor_outcome outcome)
{
    GW_ASSERT((size_t)outcome < GW_MONITOR_OUTCOME_COUNT);
    return outcome_names[outcome];
}

// ---- life -----------------------------------------------------------------------------------------------------------

struct gw_monitor_quality *gw_monitor_quality_new(const struct gw_monitor_quality_options *options)
{
    struct gw_monitor_quality *quality = gw_mem_calloc(1, sizeof *quality);
    if (quality != NULL) {
        quality->options = *options;
        quality->watermark_ms = INT64_MIN;
    }
    return quality;
}

void gw_monitor_quality_free(struct gw_monitor_quality *quality)
{
    if (quality == NULL) {
        return;
    }
    for (uint32_t i = 0; i < quality->model_count; i++) {
        gw_quality_windows_free(quality->models[i]->windows);
        gw_mem_free(quality->models[i]);
    }
    gw_mem_free(quality->models);
    gw_mem_free(quality->stale);
    gw_mem_free(quality);
}

// ---- models ---------------------------------------------------------------------------------------------------------

static int compare_names(struct gw_slice a, struct gw_slice b)
{
    int order = memcmp(a.data, b.data, GW_MIN(a.size, b.size));
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static uint32_t place_of(const struct gw_monitor_quality *quality, struct gw_slice name)
{
    uint32_t low = 0;
    uint32_t high = quality->model_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare_names(quality->models[middle]->name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static gw_status no_memory(gw_err *err)
{
    return gw_fail(err, GW_E_MEMORY, "no memory for live quality");
}

static gw_status no_window_closes(void *context, const struct gw_quality_window *window, gw_err *err)
{
    (void)context;
    return gw_fail(err, GW_E_MISMATCH, "a quality window at %" PRId64 " is open that its watermark has passed",
                   window->start_ms);
}

gw_status gw_monitor_model_align(struct gw_monitor_model *model, int64_t watermark_ms, gw_err *err)
{
    return gw_quality_windows_advance(model->windows, watermark_ms, no_window_closes, NULL, err);
}

static gw_status add_model(struct gw_monitor_quality *quality, uint32_t place, struct gw_slice name,
                           struct gw_monitor_model **ret_model, gw_err *err)
{
    if (quality->model_count == quality->model_capacity) {
        uint32_t capacity = quality->model_capacity * 2 + 8;
        struct gw_monitor_model **models = gw_mem_realloc(quality->models, capacity, sizeof *models);
        if (models == NULL) {
            return no_memory(err);
        }
        quality->models = models;
        quality->model_capacity = capacity;
    }
    const struct gw_quality_windows_options options = {
        .width_ms = quality->options.width_ms,
        .lateness_ms = quality->options.lateness_ms,
        .ahead_ms = INT64_MAX, // judged by the append time: after a pause the next sample is far ahead of the last
        .open_max = quality->options.windows_max,
    };
    struct gw_monitor_model *model = gw_mem_calloc(1, sizeof *model);
    struct gw_quality_windows *windows = gw_quality_windows_new(&options);
    if (model == NULL || windows == NULL) {
        gw_quality_windows_free(windows);
        gw_mem_free(model);
        return no_memory(err);
    }
    memcpy(model->text, name.data, name.size);
    model->name = gw_slice_make(model->text, name.size);
    model->windows = windows;
    memmove(&quality->models[place + 1], &quality->models[place],
            (quality->model_count - place) * sizeof *quality->models);
    quality->models[place] = model;
    quality->model_count++;
    *ret_model = model;
    return gw_monitor_model_align(model, quality->watermark_ms, err);
}

gw_status gw_monitor_model_get(struct gw_monitor_quality *quality, struct gw_slice name,
                               struct gw_monitor_model **ret_model, gw_err *err)
{
    uint32_t place = place_of(quality, name);
    *ret_model = NULL;
    if (place < quality->model_count && gw_slice_equal(quality->models[place]->name, name)) {
        *ret_model = quality->models[place];
        return GW_OK;
    }
    return quality->model_count < quality->options.models_max ? add_model(quality, place, name, ret_model, err) : GW_OK;
}

// ---- closing --------------------------------------------------------------------------------------------------------

struct closing {
    const struct gw_monitor_model *model;
    int64_t computed_at_ms;
    gw_monitor_quality_sink sink;
    void *context;
};

static void fill_measures(const struct gw_head_quality *head, struct gw_model_quality *record)
{
    struct gw_head_measures measures;
    gw_head_quality_measure(head, &measures);
    record->examples = measures.examples;
    record->positives = measures.positives;
    record->log_loss = measures.log_loss;
    record->normalised_entropy = measures.normalised_entropy;
    record->rce = measures.rce;
    record->calibration = measures.calibration;
    record->auc = measures.auc;
    record->auc_low = measures.auc_interval.low;
    record->auc_high = measures.auc_interval.high;
    record->maturity = measures.maturity;
#define INTERVAL(name)                                                                                                 \
    do {                                                                                                               \
        record->has_##name##_low = !isnan(measures.name##_interval.low);                                               \
        record->name##_low = measures.name##_interval.low;                                                             \
        record->has_##name##_high = !isnan(measures.name##_interval.high);                                             \
        record->name##_high = measures.name##_interval.high;                                                           \
    } while (0)
    INTERVAL(log_loss);
    INTERVAL(normalised_entropy);
    INTERVAL(calibration);
#undef INTERVAL
}

static gw_status close_window(void *context, const struct gw_quality_window *window, gw_err *err)
{
    const struct closing *closing = context;
    const uint8_t *labels = window->variant.data;
    GW_ASSERT(window->variant.size >= window->head_count); // restore has checked those that others may have written
    for (size_t h = 0; h < window->head_count; h++) {
        struct gw_model_quality record = {
            .model_name = closing->model->name,
            .model_version = window->model_version,
            .variant = gw_slice_make(labels + window->head_count, window->variant.size - window->head_count),
            .head = gw_slice_text(gw_label_names[labels[h]]),
            .window_start_ms = window->start_ms,
            .window_end_ms = window->end_ms,
            .computed_at_ms = closing->computed_at_ms,
        };
        fill_measures(window->heads[h], &record);
        GW_TRY(closing->sink(closing->context, &record, err));
    }
    return GW_OK;
}

// The watermark moves in steps of the width, so that state changes when windows close and not with each sample.
static gw_status advance(struct gw_monitor_quality *quality, int64_t served_at_ms, struct closing *closing, gw_err *err)
{
    int64_t settled_ms = served_at_ms - quality->options.lateness_ms;
    if (settled_ms < 0) {
        return GW_OK;
    }
    int64_t watermark_ms = settled_ms - settled_ms % quality->options.width_ms + quality->options.lateness_ms;
    if (watermark_ms <= quality->watermark_ms) {
        return GW_OK;
    }
    for (uint32_t i = 0; i < quality->model_count; i++) {
        closing->model = quality->models[i];
        GW_TRY(gw_quality_windows_advance(quality->models[i]->windows, watermark_ms, close_window, closing, err));
    }
    quality->watermark_ms = watermark_ms;
    return GW_OK;
}

// ---- samples --------------------------------------------------------------------------------------------------------

struct judged {
    float predictions[GW_LABEL_COUNT];
    uint32_t positives;
    struct mark mark;
    size_t count;
};

// Keeps the heads that are labels. INVALID: a label twice, or a mark that is too long; NO_LABEL; else ADDED.
static enum gw_monitor_outcome judge_heads(const struct gw_label_sample *sample, struct judged *judged,
                                           uint32_t *ret_unknown_heads)
{
    uint32_t seen = 0;
    for (uint32_t h = 0; h < sample->heads.count; h++) {
        struct gw_slice head = sample->head_names.items[h];
        int label = gw_label_find((const char *)head.data, head.size);
        if (label < 0) {
            ++*ret_unknown_heads;
            continue;
        }
        if ((seen >> label & 1) != 0) {
            return GW_MONITOR_INVALID;
        }
        seen |= UINT32_C(1) << label;
        judged->positives |= (uint32_t)((uint64_t)sample->label_bits >> label & 1) << judged->count;
        judged->predictions[judged->count] = sample->heads.items[h];
        judged->mark.bytes[judged->count++] = (uint8_t)label;
    }
    if (judged->count == 0) {
        return GW_MONITOR_NO_LABEL;
    }
    if (sample->variant.size > sizeof judged->mark.bytes - judged->count) {
        return GW_MONITOR_INVALID;
    }
    if (sample->variant.size > 0) {
        memcpy(judged->mark.bytes + judged->count, sample->variant.data, sample->variant.size);
    }
    judged->mark.size = judged->count + sample->variant.size;
    return GW_MONITOR_ADDED;
}

static enum gw_monitor_outcome judge(const struct gw_monitor_quality *quality, const struct gw_label_sample *sample,
                                     int64_t append_time_ms, struct judged *judged, uint32_t *ret_unknown_heads)
{
    if (sample->kind != GW_EXAMPLE_KIND_WINDOW_CLOSED) {
        return GW_MONITOR_NOT_FINAL;
    }
    if (sample->head_names.count == 0 && sample->heads.count > 0) {
        return GW_MONITOR_UNNAMED;
    }
    if (sample->head_names.count != sample->heads.count || sample->model_name.size == 0 ||
        sample->model_name.size > GW_MONITOR_MODEL_BYTES_MAX || sample->served_at_ms < 0) {
        return GW_MONITOR_INVALID;
    }
    if (sample->served_at_ms - append_time_ms > quality->options.ahead_ms) {
        return GW_MONITOR_AHEAD;
    }
    return judge_heads(sample, judged, ret_unknown_heads);
}

static enum gw_monitor_outcome outcome_of(enum gw_quality_outcome outcome)
{
    switch (outcome) {
    case GW_QUALITY_ADDED:
        return GW_MONITOR_ADDED;
    case GW_QUALITY_LATE:
        return GW_MONITOR_LATE;
    case GW_QUALITY_AHEAD:
        return GW_MONITOR_AHEAD;
    case GW_QUALITY_FULL:
        return GW_MONITOR_FULL;
    default:
        return GW_MONITOR_INVALID;
    }
}

gw_status gw_monitor_quality_add(struct gw_monitor_quality *quality, const struct gw_label_sample *sample,
                                 int64_t append_time_ms, gw_monitor_quality_sink sink, void *context,
                                 enum gw_monitor_outcome *ret_outcome, uint32_t *ret_unknown_heads, gw_err *err)
{
    struct judged judged = {0};
    struct gw_monitor_model *model = NULL;
    *ret_unknown_heads = 0;
    *ret_outcome = judge(quality, sample, append_time_ms, &judged, ret_unknown_heads);
    if (*ret_outcome != GW_MONITOR_ADDED) {
        return GW_OK;
    }
    GW_TRY(gw_monitor_model_get(quality, sample->model_name, &model, err));
    if (model == NULL) {
        *ret_outcome = GW_MONITOR_FULL;
        return GW_OK;
    }
    const struct gw_quality_sample row = {
        .model_version = sample->model_version,
        .variant = gw_slice_make(judged.mark.bytes, judged.mark.size),
        .predictions = judged.predictions,
        .head_count = judged.count,
        .positives = judged.positives,
        .weight = (double)sample->weight,
        .served_at_ms = sample->served_at_ms,
        .final = true,
    };
    enum gw_quality_outcome outcome = GW_QUALITY_INVALID;
    GW_TRY(gw_quality_windows_add(model->windows, &row, &outcome, err));
    *ret_outcome = outcome_of(outcome);
    if (outcome != GW_QUALITY_ADDED) {
        return GW_OK;
    }
    struct closing closing = {.computed_at_ms = append_time_ms, .sink = sink, .context = context};
    return advance(quality, sample->served_at_ms, &closing, err);
}

struct gw_monitor_quality_stats gw_monitor_quality_stats(const struct gw_monitor_quality *quality)
{
    struct gw_monitor_quality_stats stats = {.models = quality->model_count,
                                             .stale_entries = (uint32_t)quality->stale_count};
    for (uint32_t i = 0; i < quality->model_count; i++) {
        stats.open_windows += (uint32_t)gw_quality_windows_open_count(quality->models[i]->windows);
    }
    return stats;
}
