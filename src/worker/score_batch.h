// SPDX-License-Identifier: MIT
// The rows of a poll: all its requests, and each stored row that they need, fetched once, whichever models score them.
//
// A batch knows requests and rows, not models' outputs: a pass (score_pass.h) scores some of its requests with one
// model, and several passes over one batch read the same rows at the same moment. Not Kafka either. Memory grows to the
// largest batch seen, bounded by rows_max, and is then reused: the hot path allocates nothing. One owning thread.
#pragma once

#include "base/bytes.h"
#include "store/rows.h"
#include "worker/score_model.h"

// One candidate as it came: which tweet, of whom (0: not said), and its request values.
struct gw_score_candidate {
    int64_t tweet_id;
    int64_t author_id;
    const float *values; // value_count floats, or NULL; borrowed until the batch is cleared
    uint32_t value_count;
};

// A request's own values for all its candidates, by name.
struct gw_score_value {
    struct gw_slice name;
    double value;
};

// One request. Names and context are borrowed until the batch is cleared.
struct gw_score_request {
    int64_t user_id;
    const struct gw_slice *value_names; // of the columns of each candidate's values
    uint32_t value_name_count;
    const struct gw_score_value *context;
    uint32_t context_count;
    bool keep_vectors; // passes keep the vectors of all its candidates
    bool keep_sample;  // passes keep that of its candidate `sample`, when it has as many
    uint32_t sample;
    uint32_t reads; // gw_score_batch_reads of the models that will score it: these rows are fetched
};

struct gw_score_batch;

GW_CHECK gw_status gw_score_batch_new(const struct gw_feature_set *set, struct gw_store *store, size_t rows_max,
                                      struct gw_score_batch **ret_batch, gw_err *err);
void gw_score_batch_free(struct gw_score_batch *batch);
void gw_score_batch_clear(struct gw_score_batch *batch);
size_t gw_score_batch_rows(const struct gw_score_batch *batch);

// Adds the rows that this model reads to a request's `reads`. A view that a request has no entity for is GW_E_CONFIG.
GW_CHECK gw_status gw_score_batch_reads(const struct gw_score_batch *batch, const struct gw_score_model *model,
                                        uint32_t *reads, gw_err *err);

// Opens a request, to which the candidates that follow belong. GW_E_MEMORY only.
GW_CHECK gw_status gw_score_batch_add_request(struct gw_score_batch *batch, const struct gw_score_request *request,
                                              uint32_t *ret_index, gw_err *err);
// GW_E_TOO_LARGE past rows_max.
GW_CHECK gw_status gw_score_batch_add_candidate(struct gw_score_batch *batch,
                                                const struct gw_score_candidate *candidate, gw_err *err);

// Fetches the rows, once, in one moment as far as time-dependent features go (`now` of the batch). Redis away: GW_OK
// with rows missing when `tolerate_missing`, else the RETRY status. deadline_us (monotonic) bounds it. The rows stay in
// the store's memory: nobody else may read by this store until the batch is cleared.
GW_CHECK gw_status gw_score_batch_hydrate(struct gw_score_batch *batch, uint64_t deadline_us, bool tolerate_missing,
                                          gw_err *err);

struct gw_score_costs {
    uint64_t hydrate_us;
    uint64_t rows_read;
    uint64_t rows_found;
};
const struct gw_score_costs *gw_score_batch_costs(const struct gw_score_batch *batch); // of the last hydration
