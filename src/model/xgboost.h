// SPDX-License-Identifier: MIT
// Import of XGBoost's JSON model files (written by 1.0 and later) into a forest.
//
// Taken: booster gbtree with one output and numerical splits, objectives of GW_OBJECTIVE_MAP, base_score as "5E-1" and
// as "[5E-1]" (3.1 and later), default_left as numbers or booleans. Refused with the reason: dart, gblinear, several
// classes or targets, vector leaves, categorical splits, other objectives. All trees are used, as Booster.predict does;
// a best_iteration attribute is ignored.
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "model/forest.h"

// Gives *ret_forest, to be freed with gw_forest_free. `text` is borrowed. Memory is bounded by a small multiple of the
// text's size and by the bounds of forest.h.
// GW_E_MALFORMED: not JSON, a key twice, arrays of unequal length. GW_E_INVALID: refused, with the reason.
// GW_E_TOO_LARGE: over a bound. GW_E_MEMORY.
GW_CHECK gw_status gw_xgboost_parse(struct gw_slice text, struct gw_forest **ret_forest, gw_err *err);
