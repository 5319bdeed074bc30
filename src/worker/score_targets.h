// SPDX-License-Identifier: MIT
// Who scores what in one poll: the table of routes in force while it lasts, and for each model version that was chosen
// the requests that it got.
//
// Life of a poll: begin, choose and add for each request, run, then results by target and index, end. The table is held
// from begin to end, so a swap takes effect between polls. One owning thread, the lane's.
#pragma once

#include "records/prediction.h"
#include "records/prediction_request.h"
#include "worker/score_cache.h"
#include "worker/score_pass.h"
#include "worker/score_table.h"

// One model version and its requests of this poll.
struct gw_score_target {
    struct gw_score_model *model; // the table's
    const char *variant;          // its name in predictions
    const struct gw_score_route *route;
    uint32_t reads; // of each of its requests
    struct gw_score_pass *pass;
    uint32_t *requests; // of the batch, ascending: what the pass runs over
    uint32_t count;
    uint32_t capacity;
};

struct gw_score_targets;

GW_CHECK gw_status gw_score_targets_new(struct gw_score_targets **ret_targets, gw_err *err);
void gw_score_targets_free(struct gw_score_targets *targets); // ends the poll if need be; NULL is legal

// Takes the reference on the table. Once a poll, before the first request. `batch` is what the requests will go to,
// borrowed until the end.
void gw_score_targets_begin(struct gw_score_targets *targets, struct gw_score_table *table,
                            const struct gw_score_batch *batch);
bool gw_score_targets_begun(const struct gw_score_targets *targets);

// The target of a request: by name and version when it asks for them, else by its user's bucket. Gives OK and the
// target, or the status for the caller and why (size bytes). GW_E_MEMORY; GW_E_CONFIG: gw_score_batch_reads.
GW_CHECK gw_status gw_score_targets_choose(struct gw_score_targets *targets,
                                           const struct gw_prediction_request *request,
                                           struct gw_score_target **ret_target,
                                           enum gw_prediction_status *ret_status, char *why, size_t size, gw_err *err);

// Gives request `batch_index` to the target; *ret_index is where its result will stand. GW_E_MEMORY only.
GW_CHECK gw_status gw_score_target_add(struct gw_score_target *target, uint32_t batch_index, uint32_t *ret_index,
                                       gw_err *err);

// Scores the hydrated batch, each target its requests. `cache` may be NULL. *ret_us: what it took.
GW_CHECK gw_status gw_score_targets_run(struct gw_score_targets *targets, const struct gw_score_batch *batch,
                                        struct gw_score_cache *cache, uint64_t *ret_us, gw_err *err);

// The targets of this poll.
size_t gw_score_targets_count(const struct gw_score_targets *targets);
const struct gw_score_target *gw_score_targets_at(const struct gw_score_targets *targets, size_t index);

// Forgets the poll and lets the table go.
void gw_score_targets_end(struct gw_score_targets *targets);
