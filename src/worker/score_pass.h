// SPDX-License-Identifier: MIT
// One model over some requests of a hydrated batch: evaluate each row's features once, assemble vectors, score.
//
// A pass is reused from poll to poll and may be used with another model each time; its memory grows to the largest
// seen. One owning thread, the batch's. Results are valid until the next run of the pass or the batch is cleared.
#pragma once

#include "worker/score_batch.h"

struct gw_score_cache;
struct gw_score_pass;

GW_CHECK gw_status gw_score_pass_new(struct gw_score_pass **ret_pass, gw_err *err);
void gw_score_pass_free(struct gw_score_pass *pass);

// Scores `requests` (indexes into the batch, ascending). `cache` may be NULL; it is neither asked nor filled for a
// batch whose hydration failed. The model must have been wanted before the candidates were added. GW_E_MEMORY only.
GW_CHECK gw_status gw_score_pass_run(struct gw_score_pass *pass, const struct gw_score_batch *batch,
                                     const struct gw_score_model *model, const uint32_t *requests, size_t count,
                                     struct gw_score_cache *cache, gw_err *err);

// Of the i-th request of the last run.
struct gw_score_result {
    uint32_t count;
    uint32_t head_count;
    const int64_t *tweet_ids;
    const int64_t *author_ids;   // as given, or as found in the tweet's row; 0 when neither knew
    const float *scores;         // weighted sum over heads
    const float *probabilities;  // count x head_count, row-major
    const uint8_t *missing_rows; // stored rows that were wanted and absent, per candidate
    const float *vectors;        // count x feature_count in the bundle's order, or NULL when not kept
    const float *sample_vector;  // of the request's `sample`, or NULL when not kept
    uint32_t cache_hits;         // candidates whose score came from the cache
    bool hydration_failed;       // Redis did not answer: values are missing, not absent
};
void gw_score_pass_result(const struct gw_score_pass *pass, size_t index, struct gw_score_result *ret_result);

uint64_t gw_score_pass_us(const struct gw_score_pass *pass); // assembly and scoring of the last run
