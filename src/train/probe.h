// SPDX-License-Identifier: MIT
// The rows on which a bundle proves itself at every load: all missing, all +-infinity, then rows of the holdout, half
// of them as they are, half with values at the models' thresholds, next to them, missing or infinite.
#pragma once

#include "base/err.h"
#include "model/forest.h"
#include "train/rows.h"

#define GW_PROBE_ROWS 96

// Fills GW_PROBE_ROWS rows of rows->header->feature_count values. The same seed gives the same rows.
void gw_probe_fill(const struct gw_rows *rows, struct gw_forest *const *forests, size_t forest_count, uint32_t seed,
                   float *ret_rows);
