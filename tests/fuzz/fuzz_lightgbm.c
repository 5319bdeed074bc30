// SPDX-License-Identifier: MIT
// The input as LightGBM's text. A model that is accepted walks to a leaf for every row, and its margin is finite unless
// its leaves are too large to add up.
#include "base/check.h"
#include "base/mem.h"
#include "model/lightgbm.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const float values[] = {0, -0.0f, 1e-36f, 1, NAN, INFINITY, -INFINITY};
    struct gw_forest *forest = NULL;
    gw_err err = {0};
    if (gw_lightgbm_parse(gw_slice_make(data, size), &forest, &err) != GW_OK) {
        GW_ASSERT(err.message[0] != '\0');
        return 0;
    }
    float *row = gw_mem_calloc(forest->feature_count, sizeof *row);
    GW_ASSERT(row != NULL);
    for (size_t v = 0; v < GW_COUNT_OF(values); v++) {
        for (uint32_t f = 0; f < forest->feature_count; f++) {
            row[f] = values[(v + f) % GW_COUNT_OF(values)];
        }
        float margin = gw_forest_margin(forest, row);
        GW_ASSERT(isfinite(margin) || gw_forest_margin_bound(forest) > 1e38);
    }
    gw_mem_free(row);
    gw_forest_free(forest);
    return 0;
}
