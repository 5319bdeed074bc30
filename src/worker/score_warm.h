// SPDX-License-Identifier: MIT
// The warm-up: a new model scores recent requests and their rows before it serves, so that its memory is touched and a
// model that answers NaN or infinity is found out.
#pragma once

#include "worker/runtime.h"
#include "worker/score_model.h"
#include "worker/score_recent.h"

struct gw_score_warm;

// Has a Redis connection of its own, opened lazily. Borrows both, which must outlive it.
GW_CHECK gw_status gw_score_warm_new(const struct gw_runtime *runtime, struct gw_score_recent *recent,
                                     struct gw_score_warm **ret_warm, gw_err *err);
void gw_score_warm_free(struct gw_score_warm *warm);

// Scores candidates without any stored row, then recent requests from the newest on, until there were enough or time is
// up. Redis away is no failure: rows are then missing, as they would be for callers. GW_E_INVALID: an output is no finite
// number; GW_E_CONFIG: a view that requests have no key for; GW_E_MEMORY.
GW_CHECK gw_status gw_score_warm_up(struct gw_score_warm *warm, const struct gw_score_model *model,
                                    uint64_t *ret_candidates, gw_err *err);
