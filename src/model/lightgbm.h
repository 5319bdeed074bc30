// SPDX-License-Identifier: MIT
// Import of LightGBM's text model files (versions v3 and v4) into a forest.
//
// Taken: one output, numerical splits, objectives binary (with its sigmoid parameter), cross_entropy, regression,
// regression_l1, huber, fair, quantile, mape; boosting gbdt, dart and goss, whose files look alike. Refused with the
// reason: average_output (random forests), categorical splits, linear trees, several classes, sqrt targets, other or
// custom objectives, missing type zero where zeros go another way than their neighbours.
//
// Decisions are exact. LightGBM goes left iff x <= threshold, in double. Our inputs are float32, so that is x < t with
// t the smallest float32 above the threshold. LightGBM's prediction takes values of size up to 1e-35 for 0; thresholds
// in that range are moved to its end, so that this too is the same. NaN goes: missing type none: where 0 goes; nan,
// zero: the default way.
//
// Margins are not bit-equal: LightGBM adds double leaves, we add float32 leaves in tree order. With T trees and S the
// sum of the sizes of a row's leaves the difference is at most (T + 1) * 2^-24 * S: a rounding of each leaf and one of
// each partial sum. Margins of objective binary are LightGBM's raw score times `sigmoid`.
//
// Names Column_0, Column_1, ..., which LightGBM gives to columns without names, count as no names.
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "model/forest.h"

// Gives *ret_forest, to be freed with gw_forest_free. `text` is borrowed. Memory is bounded by a small multiple of the
// text's size and by the bounds of forest.h.
// GW_E_MALFORMED: not such a text, or cut. GW_E_INVALID: refused, with the reason. GW_E_TOO_LARGE: over a bound.
// GW_E_MEMORY.
GW_CHECK gw_status gw_lightgbm_parse(struct gw_slice text, struct gw_forest **ret_forest, gw_err *err);
