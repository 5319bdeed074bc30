// SPDX-License-Identifier: MIT
// Reads the input as a state of quality, byte 0 says of which: a paired test, a test for worse, a head's accumulator,
// or records of a windows' changelog, each a key and a value with their sizes before them. What is accepted is written
// as something that is accepted, and goes on.
#include "base/check.h"
#include "quality/paired.h"
#include "quality/windows.h"
#include "quality/worse.h"

static void run_paired(struct gw_slice input)
{
    struct gw_paired paired;
    struct gw_buf again = {0};
    if (gw_paired_decode(input, &paired, NULL) == GW_OK) {
        struct gw_paired twin;
        GW_ASSERT(gw_paired_encode(&paired, &again) == GW_OK);
        GW_ASSERT(gw_paired_decode(gw_buf_slice(&again), &twin, NULL) == GW_OK);
        gw_buf_clear(&again);
        GW_ASSERT(gw_paired_encode(&twin, &again) == GW_OK);
        GW_ASSERT(again.size == input.size);
        GW_ASSERT(gw_paired_add(&paired, 0.3, 0.2, true, paired.options.weight_limit, NULL) == GW_OK);
    }
    gw_buf_deinit(&again);
}

static void run_worse(struct gw_slice input)
{
    struct gw_worse worse;
    struct gw_buf again = {0};
    if (gw_worse_decode(input, &worse, NULL) == GW_OK) {
        struct gw_worse twin;
        GW_ASSERT(gw_worse_encode(&worse, &again) == GW_OK);
        GW_ASSERT(gw_worse_decode(gw_buf_slice(&again), &twin, NULL) == GW_OK);
        gw_buf_clear(&again);
        GW_ASSERT(gw_worse_encode(&twin, &again) == GW_OK);
        GW_ASSERT(again.size == input.size);
        GW_ASSERT(gw_worse_add(&worse, 0.3, 0.2, true, worse.options.weight_limit, NULL) == GW_OK);
        (void)gw_worse_is_proven(&worse);
    }
    gw_buf_deinit(&again);
}

static void run_head(struct gw_slice input)
{
    struct gw_head_quality *quality = gw_head_quality_new();
    struct gw_buf again = {0};
    struct gw_head_measures measures;
    GW_ASSERT(quality != NULL);
    if (gw_head_quality_decode(quality, input, NULL) == GW_OK) {
        GW_ASSERT(gw_head_quality_encode(quality, &again) == GW_OK);
        struct gw_head_quality *twin = gw_head_quality_new();
        GW_ASSERT(twin != NULL && gw_head_quality_decode(twin, gw_buf_slice(&again), NULL) == GW_OK);
        gw_head_quality_free(twin);
        gw_head_quality_measure(quality, &measures);
        const struct gw_head_row row = {.prediction = 0.25, .weight = 1.0, .positive = true};
        gw_status status = gw_head_quality_add(quality, &row, NULL); // an accumulator can be full
        GW_ASSERT(status == GW_OK || status == GW_E_TOO_LARGE);
    }
    gw_buf_deinit(&again);
    gw_head_quality_free(quality);
}

static gw_status ignore_window(void *context, const struct gw_quality_window *window, gw_err *err)
{
    (void)context;
    (void)err;
    GW_ASSERT(window->head_count > 0 && window->start_ms < window->end_ms);
    return GW_OK;
}

static gw_status restore_record(void *context, struct gw_slice key, struct gw_slice value, gw_err *err)
{
    return gw_quality_windows_restore(context, key, value, err);
}

// The next part of the input with its size before it; the rest when there is less.
static struct gw_slice take(struct gw_slice *input)
{
    if (input->size < 2) {
        *input = gw_slice_make(NULL, 0);
        return *input;
    }
    size_t size = GW_MIN((size_t)(input->data[0] | input->data[1] << 8), input->size - 2);
    struct gw_slice part = gw_slice_make(input->data + 2, size);
    *input = gw_slice_make(input->data + 2 + size, input->size - 2 - size);
    return part;
}

static void run_windows(struct gw_slice input)
{
    const struct gw_quality_windows_options options = {
        .width_ms = 60000, .lateness_ms = 1000, .ahead_ms = 600000, .open_max = 8};
    struct gw_quality_windows *windows = gw_quality_windows_new(&options);
    struct gw_quality_windows *twin = gw_quality_windows_new(&options);
    GW_ASSERT(windows != NULL && twin != NULL);
    while (input.size > 0) {
        struct gw_slice key = take(&input);
        struct gw_slice value = take(&input);
        gw_status status =
            gw_quality_windows_restore(windows, key, value.size > 0 ? value : gw_slice_make(NULL, 0), NULL);
        GW_ASSERT(status != GW_E_MEMORY);
    }
    static const float predictions[] = {0.25f, 0.5f};
    const struct gw_quality_sample sample = {.model_version = 1,
                                             .variant = gw_slice_text("champion"),
                                             .predictions = predictions,
                                             .head_count = 2,
                                             .positives = 1,
                                             .weight = 1.0,
                                             .served_at_ms = 61000,
                                             .final = true};
    enum gw_quality_outcome outcome = GW_QUALITY_ADDED;
    GW_ASSERT(gw_quality_windows_add(windows, &sample, &outcome, NULL) == GW_OK);
    GW_ASSERT(gw_quality_windows_flush(windows, restore_record, twin, NULL) == GW_OK);
    GW_ASSERT(gw_quality_windows_visit(windows, ignore_window, NULL, NULL) == GW_OK);
    GW_ASSERT(gw_quality_windows_advance(windows, INT64_MAX, ignore_window, NULL, NULL) == GW_OK);
    GW_ASSERT(gw_quality_windows_open_count(windows) == 0);
    gw_quality_windows_free(twin);
    gw_quality_windows_free(windows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const runs[])(struct gw_slice input) = {run_paired, run_worse, run_head, run_windows};
    if (size > 0) {
        runs[data[0] % GW_COUNT_OF(runs)](gw_slice_make(data + 1, size - 1));
    }
    return 0;
}
