// SPDX-License-Identifier: MIT
#include "train/probe.h"

#include "base/rng.h"

#include <math.h>
#include <string.h>

#define SPECIAL_ROWS 3

// A value that a random inner node compares with; its feature goes to *ret_feature. False when the forest has no
// inner node near a random place.
static bool pick_threshold(struct gw_rng *rng, const struct gw_forest *forest, uint32_t *ret_feature, float *ret_value)
{
    if (forest->node_count == 0) {
        return false;
    }
    const struct gw_forest_node *node = &forest->nodes[gw_rng_below(rng, forest->node_count)];
    *ret_feature = node->feature;
    *ret_value = node->value;
    return node->left != 0;
}

static void disturb(struct gw_rng *rng, const struct gw_forest *forest, size_t width, float *row)
{
    for (size_t i = 0; i < 2 * width; i++) {
        uint32_t feature = 0;
        float threshold = 0;
        if (!pick_threshold(rng, forest, &feature, &threshold)) {
            continue;
        }
        const float values[] = {threshold, nextafterf(threshold, -INFINITY), nextafterf(threshold, INFINITY),
                                threshold};
        row[feature] = values[gw_rng_below(rng, GW_COUNT_OF(values))];
    }
    row[gw_rng_below(rng, width)] = NAN;
    row[gw_rng_below(rng, width)] = gw_rng_below(rng, 2) == 0 ? INFINITY : -INFINITY;
}

void gw_probe_fill(const struct gw_rows *rows, struct gw_forest *const *forests, size_t forest_count, uint32_t seed,
                   float *ret_rows)
{
    const size_t width = rows->header->feature_count;
    const size_t holdout_count = rows->count - rows->train_count;
    static const float specials[SPECIAL_ROWS] = {NAN, INFINITY, -INFINITY};
    struct gw_rng rng;
    gw_rng_init(&rng, seed);
    for (size_t r = 0; r < GW_PROBE_ROWS; r++) {
        float *row = ret_rows + r * width;
        if (r < SPECIAL_ROWS) {
            for (size_t f = 0; f < width; f++) {
                row[f] = specials[r];
            }
            continue;
        }
        size_t from = rows->train_count + (r - SPECIAL_ROWS) * holdout_count / GW_PROBE_ROWS;
        memcpy(row, rows->features + from * width, width * sizeof *row);
        if (r % 2 == 0) {
            disturb(&rng, forests[r / 2 % forest_count], width, row);
        }
    }
}
