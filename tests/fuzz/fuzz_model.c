// SPDX-License-Identifier: MIT
// The input as a model file of any format, as bundle.json and as golden.json. A model that is accepted is compiled, and
// the plan must give the same finite bits as the plain walk.
#include "base/arena.h"
#include "base/check.h"
#include "base/mem.h"
#include "model/golden.h"
#include "model/manifest.h"
#include "model/model_file.h"
#include "model/plan.h"

#include <math.h>
#include <string.h>

#define ROWS 9

static void score(struct gw_forest *forest)
{
    static const float values[] = {0, 1, -1, 0.25f, NAN, INFINITY, -INFINITY};
    const size_t width = forest->feature_count;
    uint32_t *columns = gw_mem_calloc(width, sizeof *columns);
    float *rows = gw_mem_calloc(ROWS * width, sizeof *rows);
    GW_ASSERT(columns != NULL && rows != NULL);
    for (size_t f = 0; f < width; f++) {
        columns[f] = (uint32_t)f;
    }
    for (size_t i = 0; i < ROWS * width; i++) {
        rows[i] = values[i % GW_COUNT_OF(values)];
    }
    struct gw_plan *plan = NULL;
    gw_status status = gw_plan_new(&forest, 1, columns, width, &plan, NULL);
    GW_ASSERT(status == GW_OK);
    float margins[ROWS];
    gw_plan_margins(plan, rows, width, ROWS, margins);
    for (size_t r = 0; r < ROWS; r++) {
        float expected = gw_forest_margin(forest, rows + r * width);
        GW_ASSERT(memcmp(&expected, &margins[r], sizeof expected) == 0 && isfinite(expected));
    }
    gw_plan_free(plan);
    gw_mem_free(rows);
    gw_mem_free(columns);
}

static void read_bundle_files(struct gw_slice text)
{
    struct gw_arena arena;
    struct gw_manifest manifest;
    gw_err err = {0};
    gw_arena_init(&arena, (size_t)16 << 10, (size_t)8 << 20);
    if (gw_manifest_parse(text, &arena, &manifest, &err) == GW_OK) {
        GW_CLEANUP(gw_buf_deinit) struct gw_buf written = {0};
        struct gw_manifest again;
        gw_status status = gw_manifest_write(&manifest, &written, &err);
        GW_ASSERT(status == GW_OK);
        status = gw_manifest_parse(gw_buf_slice(&written), &arena, &again, &err);
        GW_ASSERT(status == GW_OK && again.head_count == manifest.head_count);
        GW_ASSERT((again.profile_file == NULL) == (manifest.profile_file == NULL));
    }
    gw_arena_deinit(&arena);

    static const char *const features[] = {"a", "b", "c", "d"};
    const struct gw_manifest two_heads = {.feature_count = 4,
                                          .feature_names = features,
                                          .head_count = 2,
                                          .heads = {{.name = "first"}, {.name = "second"}}};
    struct gw_golden golden = {0};
    if (gw_golden_parse(text, &two_heads, &golden, &err) == GW_OK) {
        gw_golden_deinit(&golden);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gw_slice text = gw_slice_make(data, size);
    struct gw_forest *forest = NULL;
    gw_err err = {0};
    if (gw_model_parse(text, &forest, &err) == GW_OK) {
        score(forest);
        gw_forest_free(forest);
    }
    read_bundle_files(text);
    return 0;
}
