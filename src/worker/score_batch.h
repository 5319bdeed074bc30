// SPDX-License-Identifier: MIT
// A scoring batch: all requests of one poll. Hydrate each distinct row once, assemble vectors by the model's plan, score.
//
// Knows requests and rows, not Kafka. Memory grows to the largest batch seen, bounded by rows_max, and is then reused: the
// hot path allocates nothing. One owning thread; the model inside is immutable and may be shared by threads.
#pragma once

#include "feature/plan.h"
#include "model/scorer.h"
#include "store/rows.h"

// A model bound to the feature set: bundle, column plan, scorer. Immutable; shared by lanes.
struct gw_score_model {
    const struct gw_feature_set *set; // borrowed
    struct gw_bundle *bundle;
    struct gw_feature_plan *plan;
    struct gw_scorer *scorer;
    uint64_t layout; // fingerprint of the feature names: what a served vector means
};

// Loads and binds the bundle in `directory`. A feature that the set does not have is GW_E_CONFIG naming it.
GW_CHECK gw_status gw_score_model_load(const char *directory, const struct gw_feature_set *set,
                                       struct gw_score_model **ret_model, gw_err *err);
void gw_score_model_free(struct gw_score_model *model);

// One candidate as it came: which tweet, of whom (0: not said), and its request values.
struct gw_score_candidate {
    int64_t tweet_id;
    int64_t author_id;
    const float *values; // value_count floats, or NULL
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
    bool keep_vectors; // the vectors are asked for afterwards
};

struct gw_score_batch;

GW_CHECK gw_status gw_score_batch_new(const struct gw_score_model *model, struct gw_store *store, size_t rows_max,
                                      struct gw_score_batch **ret_batch, gw_err *err);
void gw_score_batch_free(struct gw_score_batch *batch);
void gw_score_batch_clear(struct gw_score_batch *batch);
size_t gw_score_batch_rows(const struct gw_score_batch *batch);

// Opens a request, to which the candidates that follow belong. GW_E_MEMORY only.
GW_CHECK gw_status gw_score_batch_add_request(struct gw_score_batch *batch, const struct gw_score_request *request,
                                              uint32_t *ret_index, gw_err *err);
// GW_E_TOO_LARGE past rows_max.
GW_CHECK gw_status gw_score_batch_add_candidate(struct gw_score_batch *batch,
                                                const struct gw_score_candidate *candidate, gw_err *err);

// Scores everything added. Redis away: GW_OK with rows missing when `tolerate_missing`, else the RETRY status.
// deadline_us (monotonic) bounds hydration.
GW_CHECK gw_status gw_score_batch_run(struct gw_score_batch *batch, uint64_t deadline_us, bool tolerate_missing,
                                      gw_err *err);

// Results of one request, valid until clear.
struct gw_score_result {
    uint32_t count;
    const int64_t *tweet_ids;
    const int64_t *author_ids;      // as given, or as found in the tweet's row; 0 when neither knew
    const float *scores;            // weighted sum over heads
    const float *probabilities;     // count x head_count, row-major
    const uint8_t *missing_rows;    // stored rows that were wanted and absent, per candidate
    const float *vectors;           // count x feature_count in the bundle's order, or NULL when not kept
    bool hydration_failed;          // Redis did not answer: values are missing, not absent
};
void gw_score_batch_result(const struct gw_score_batch *batch, uint32_t index, struct gw_score_result *ret_result);

struct gw_score_costs {
    uint64_t hydrate_us;
    uint64_t score_us; // assembly and scoring
    uint64_t rows_read;
    uint64_t rows_found;
};
const struct gw_score_costs *gw_score_batch_costs(const struct gw_score_batch *batch); // of the last run
