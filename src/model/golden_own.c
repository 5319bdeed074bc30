// SPDX-License-Identifier: MIT
#include "model/golden_own.h"

#include "base/mem.h"
#include "base/rng.h"

#include <math.h>

enum { ROW_MISSING, ROW_BELOW, ROW_ABOVE, ROW_MIXED };

// Thresholds by feature: those of f are values[first[f]] to values[first[f + 1] - 1], in node order.
struct thresholds {
    uint32_t *first; // feature_count + 2: while values are placed, feature f counts in first[f + 2]
    float *values;
};

static void collect(const struct gw_forest *forest, struct thresholds *to)
{
    for (uint32_t n = 0; n < forest->node_count; n++) {
        if (forest->nodes[n].left != 0) {
            to->first[forest->nodes[n].feature + 2]++;
        }
    }
    for (uint32_t f = 0; f < forest->feature_count; f++) {
        to->first[f + 2] += to->first[f + 1];
    }
    for (uint32_t n = 0; n < forest->node_count; n++) {
        if (forest->nodes[n].left != 0) {
            to->values[to->first[forest->nodes[n].feature + 1]++] = forest->nodes[n].value;
        }
    }
}

static float pick(struct gw_rng *rng, const float *values, uint32_t count)
{
    float value = values[gw_rng_below(rng, count)];
    switch (gw_rng_below(rng, 8)) {
    case 0:
        return NAN;
    case 1:
    case 2:
        return value;
    case 3:
    case 4:
        return nextafterf(value, INFINITY);
    default:
        return nextafterf(value, -INFINITY);
    }
}

static float value_of(struct gw_rng *rng, size_t row, const float *values, uint32_t count)
{
    if (row == ROW_MISSING) {
        return NAN;
    }
    if (count == 0) {
        return 0;
    }
    if (row >= ROW_MIXED) {
        return pick(rng, values, count);
    }
    float extreme = values[0];
    for (uint32_t v = 1; v < count; v++) {
        extreme = row == ROW_BELOW ? fminf(extreme, values[v]) : fmaxf(extreme, values[v]);
    }
    return nextafterf(extreme, row == ROW_BELOW ? -INFINITY : INFINITY);
}

gw_status gw_golden_own(const struct gw_forest *forest, struct gw_golden *ret_golden, gw_err *err)
{
    const size_t width = forest->feature_count;
    GW_CLEANUP(gw_mem_cleanup) uint32_t *first = gw_mem_calloc(width + 2, sizeof *first);
    GW_CLEANUP(gw_mem_cleanup) float *values = gw_mem_calloc((size_t)forest->node_count + 1, sizeof *values);
    struct gw_golden golden = {.row_count = GW_GOLDEN_OWN_ROWS, .feature_count = width, .head_count = 1};
    golden.rows = gw_mem_calloc(GW_GOLDEN_OWN_ROWS * width, sizeof *golden.rows);
    golden.margins = gw_mem_calloc(GW_GOLDEN_OWN_ROWS, sizeof *golden.margins);
    if (first == NULL || values == NULL || golden.rows == NULL || golden.margins == NULL) {
        gw_golden_deinit(&golden);
        return gw_fail(err, GW_E_MEMORY, "no memory for golden rows");
    }
    struct thresholds thresholds = {.first = first, .values = values};
    struct gw_rng rng;
    collect(forest, &thresholds);
    gw_rng_init(&rng, 1);
    for (size_t r = 0; r < GW_GOLDEN_OWN_ROWS; r++) {
        float *row = golden.rows + r * width;
        for (size_t f = 0; f < width; f++) {
            row[f] = value_of(&rng, r, values + first[f], first[f + 1] - first[f]);
        }
        golden.margins[r] = gw_forest_margin(forest, row);
    }
    *ret_golden = golden;
    return GW_OK;
}
