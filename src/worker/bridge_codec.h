// SPDX-License-Identifier: MIT
// Between the REST interface's shapes and the records: a predict call to a PredictionRequest, a Prediction to an
// answer. Pure functions.
#pragma once

#include "api/api.h"
#include "base/arena.h"
#include "records/prediction.h"

// What identifies a request. The join id is what the caller puts into UserAction.request_join_id.
struct gw_bridge_ids {
    uint8_t request_id[16];
    int64_t request_join_id; // > 0
};

// Appends the framed PredictionRequest to *out. now_ms is wall time: the request's own time, and the deadline is
// predict->timeout_ms later. GW_E_MEMORY only.
GW_CHECK gw_status gw_bridge_encode(const struct gw_api_predict *predict, const struct gw_bridge_ids *ids,
                                    uint32_t schema_id, int64_t now_ms, struct gw_buf *out, gw_err *err);

enum gw_api_outcome gw_bridge_outcome(enum gw_prediction_status status);

// The answer as the caller sees it; borrows from `prediction` and `arena`. A confidence is NaN where the record has no
// probability of its primary head. GW_E_MEMORY: the arena is full.
GW_CHECK gw_status gw_bridge_answer(const struct gw_prediction *prediction, struct gw_arena *arena,
                                    struct gw_api_prediction *ret_answer, gw_err *err);

// The bridge's own partition of the reply topic: the configured one, or (-1) the instance's number, or the hash of its
// name, modulo count. GW_E_CONFIG: the configured one does not exist.
GW_CHECK gw_status gw_bridge_reply_partition(int64_t configured, const char *instance, uint32_t count,
                                             int32_t *ret_partition, gw_err *err);
