// SPDX-License-Identifier: MIT
// Live quality as state: entries of the changelog and back.
//
//   quality/WIDTH/HEX    WIDTH of the windows in milliseconds, HEX a key of quality/windows.h in hexadecimal digits
#include "base/check.h"
#include "base/mem.h"
#include "label/bits.h"
#include "worker/monitor_quality_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STALE_MAX = 1 << 20 };

#define DETECTOR_PREFIX "quality/"

struct flush {
    const struct gw_monitor_quality *quality;
    const struct gw_monitor_model *model;
    gw_monitor_state_sink sink;
    void *context;
};

static gw_status flush_entry(void *context, struct gw_slice key, struct gw_slice value, gw_err *err)
{
    static const char digits[] = "0123456789abcdef";
    const struct flush *flush = context;
    char detector[GW_MONITOR_DETECTOR_BYTES_MAX + 1];
    GW_ASSERT(key.size <= GW_MONITOR_KEY_BYTES_MAX);
    size_t used =
        (size_t)snprintf(detector, sizeof detector, DETECTOR_PREFIX "%" PRId64 "/", flush->quality->options.width_ms);
    for (size_t i = 0; i < key.size; i++) {
        detector[used++] = digits[key.data[i] >> 4];
        detector[used++] = digits[key.data[i] & 15];
    }
    return flush->sink(flush->context, flush->model->name, gw_slice_make(detector, used), value, err);
}

gw_status gw_monitor_quality_flush(struct gw_monitor_quality *quality, gw_monitor_state_sink sink, void *context,
                                   gw_err *err)
{
    for (size_t i = 0; i < quality->stale_count; i++) {
        const struct gw_monitor_stale *stale = &quality->stale[i];
        GW_TRY(
            sink(context, stale->model->name, gw_slice_make(stale->detector, stale->size), (struct gw_slice){0}, err));
    }
    quality->stale_count = 0;
    struct flush flush = {.quality = quality, .sink = sink, .context = context};
    for (uint32_t i = 0; i < quality->model_count; i++) {
        flush.model = quality->models[i];
        GW_TRY(gw_quality_windows_flush(quality->models[i]->windows, flush_entry, &flush, err));
    }
    return GW_OK;
}

bool gw_monitor_quality_owns(struct gw_slice detector)
{
    size_t size = sizeof DETECTOR_PREFIX - 1;
    return detector.size >= size && memcmp(detector.data, DETECTOR_PREFIX, size) == 0;
}

static int digit_value(uint8_t digit)
{
    return digit >= '0' && digit <= '9' ? digit - '0' : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

// The key and width of a window's entry.
static gw_status read_detector(struct gw_slice detector, int64_t *ret_width_ms, uint8_t key[GW_MONITOR_KEY_BYTES_MAX],
                               size_t *ret_size, gw_err *err)
{
    char text[GW_MONITOR_DETECTOR_BYTES_MAX + 1];
    if (gw_monitor_quality_owns(detector) && detector.size <= GW_MONITOR_DETECTOR_BYTES_MAX) {
        memcpy(text, detector.data, detector.size);
        text[detector.size] = '\0';
        char *hex = NULL;
        *ret_width_ms = strtoll(text + sizeof DETECTOR_PREFIX - 1, &hex, 10);
        size_t digits = *hex == '/' ? strlen(hex + 1) : 1; // an odd one
        bool good = *ret_width_ms > 0 && digits % 2 == 0 && digits / 2 <= GW_MONITOR_KEY_BYTES_MAX;
        for (size_t i = 0; good && i < digits / 2; i++) {
            int high = digit_value((uint8_t)hex[1 + 2 * i]);
            int low = digit_value((uint8_t)hex[2 + 2 * i]);
            good = high >= 0 && low >= 0;
            key[i] = (uint8_t)((high & 15) << 4 | (low & 15));
        }
        if (good) {
            *ret_size = digits / 2;
            return GW_OK;
        }
    }
    return gw_fail(err, GW_E_MALFORMED, "'%.*s' names no quality window", (int)GW_MIN(detector.size, 200u),
                   (const char *)detector.data);
}

static gw_status note_stale(struct gw_monitor_quality *quality, struct gw_monitor_model *model,
                            struct gw_slice detector, bool gone, gw_err *err)
{
    for (size_t i = quality->stale_count; i > 0; i--) {
        struct gw_monitor_stale *stale = &quality->stale[i - 1];
        if (stale->model == model && gw_slice_equal(gw_slice_make(stale->detector, stale->size), detector)) {
            *stale = gone ? quality->stale[--quality->stale_count] : *stale;
            return GW_OK;
        }
    }
    if (gone) {
        return GW_OK;
    }
    if (quality->stale_count == quality->stale_capacity) {
        size_t capacity = quality->stale_capacity * 2 + 16;
        struct gw_monitor_stale *items =
            capacity <= STALE_MAX ? gw_mem_realloc(quality->stale, capacity, sizeof *items) : NULL;
        if (items == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for entries of another width");
        }
        quality->stale = items;
        quality->stale_capacity = capacity;
    }
    struct gw_monitor_stale *stale = &quality->stale[quality->stale_count++];
    *stale = (struct gw_monitor_stale){.model = model, .size = (uint32_t)detector.size};
    memcpy(stale->detector, detector.data, detector.size);
    return GW_OK;
}

// Where quality/windows_changelog.c has the window's variant: kind, start, version, head count, head, variant.
static bool has_labels(const uint8_t *key, size_t size)
{
    enum { HEADS_AT = 13, MARK_AT = 15 };
    if (size <= 1) { // totals
        return true;
    }
    if (size < MARK_AT || size - MARK_AT < key[HEADS_AT]) {
        return false;
    }
    for (size_t h = 0; h < key[HEADS_AT]; h++) {
        if (key[MARK_AT + h] >= GW_LABEL_COUNT) {
            return false;
        }
    }
    return true;
}

gw_status gw_monitor_quality_restore(struct gw_monitor_quality *quality, struct gw_slice name, struct gw_slice detector,
                                     struct gw_slice state, gw_err *err)
{
    uint8_t key[GW_MONITOR_KEY_BYTES_MAX];
    size_t size = 0;
    int64_t width_ms = 0;
    struct gw_monitor_model *model = NULL;
    GW_TRY(read_detector(detector, &width_ms, key, &size, err));
    if (name.size == 0 || name.size > GW_MONITOR_MODEL_BYTES_MAX || !has_labels(key, size)) {
        return gw_fail(err, GW_E_MALFORMED, "state of a quality window that no monitor wrote");
    }
    GW_TRY(gw_monitor_model_get(quality, name, &model, err));
    if (model == NULL) {
        return gw_fail(err, GW_E_TOO_LARGE, "state of more than %u models", quality->options.models_max);
    }
    if (width_ms != quality->options.width_ms) {
        return note_stale(quality, model, detector, state.data == NULL, err);
    }
    if (size == 1 && state.data == NULL) { // totals are only taken out when the width was another one for a while
        return GW_OK;
    }
    return gw_quality_windows_restore(model->windows, gw_slice_make(key, size), state, err);
}

gw_status gw_monitor_quality_restored(struct gw_monitor_quality *quality, gw_err *err)
{
    for (uint32_t i = 0; i < quality->model_count; i++) {
        quality->watermark_ms =
            GW_MAX(quality->watermark_ms, gw_quality_windows_watermark_ms(quality->models[i]->windows));
    }
    for (uint32_t i = 0; i < quality->model_count; i++) {
        GW_TRY(gw_monitor_model_align(quality->models[i], quality->watermark_ms, err));
    }
    return GW_OK;
}
