// SPDX-License-Identifier: MIT
// Golden rows for a model whose trainer left none: made from its own thresholds, with margins of the plain walk over
// its trees. They prove that every machine, build and kernel computes the same, not that the trainer's library does;
// bundles say so by "golden": "own" in their metadata.
#pragma once

#include "model/forest.h"
#include "model/golden.h"

#define GW_GOLDEN_OWN_ROWS 128

// The same forest gives the same rows: one with all values missing, one below and one above all thresholds, then each
// feature just below, at or just above one of its thresholds, or missing. Free with gw_golden_deinit. GW_E_MEMORY.
GW_CHECK gw_status gw_golden_own(const struct gw_forest *forest, struct gw_golden *ret_golden, gw_err *err);
