// SPDX-License-Identifier: MIT
// Feature rows in memory, fed by source records as rekey and aggregate would feed them, and vectors assembled from them
// as score would assemble them.
//
// Holds the rows that the plan reads and no others. The row of a tweet goes once no request can name it any more; rows
// of users, authors and pairs stay, as they do live. One owner.
#pragma once

#include "feature/plan.h"
#include "worker/simulate_records.h"

struct gw_simulate_rows;

// Borrows set and plan; `feature_count` is how many names the plan was made of. GW_E_CONFIG: the plan reads a view that
// is neither user, tweet, author nor pair.
GW_CHECK gw_status gw_simulate_rows_new(const struct gw_feature_set *set, const struct gw_feature_plan *plan,
                                        size_t feature_count, struct gw_simulate_rows **ret_rows, gw_err *err);
void gw_simulate_rows_free(struct gw_simulate_rows *rows);

// Applies a source record; a request changes nothing. GW_E_MEMORY, GW_E_INVALID.
GW_CHECK gw_status gw_simulate_rows_apply(struct gw_simulate_rows *rows, const struct gw_simulate_record *record,
                                          gw_err *err);

// The vector of one candidate of the request, from the rows as they are, at now_us, in the model's order.
void gw_simulate_rows_vector(struct gw_simulate_rows *rows, const struct gw_prediction_request *request,
                             size_t candidate, int64_t now_us, float *features);

size_t gw_simulate_rows_bytes(const struct gw_simulate_rows *rows); // memory held by rows, about
