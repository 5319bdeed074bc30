// SPDX-License-Identifier: MIT
// What a scoring lane writes about a request: the prediction for whoever asked, and the records that are kept beside
// it.
//
// Knows records, topics and headers, not batches or lanes. One owning thread.
#pragma once

#include "base/arena.h"
#include "records/prediction.h"
#include "records/prediction_request.h"
#include "worker/loop.h"
#include "worker/runtime.h"
#include "worker/score_pass.h"
#include "worker/score_sample.h"

// Where a lane's records go.
struct gw_score_writer {
    const struct gw_runtime *runtime; // borrowed
    bool sync;                        // predictions are replies
    struct gw_kafka_producer *side;   // borrowed; takes what nobody waits for. NULL: the loop takes everything
    float served_weight;              // inverse of the share of requests whose candidates are kept
    uint64_t side_lost;               // records that the side producer would not take
    struct gw_buf value;              // scratch
};
void gw_score_writer_deinit(struct gw_score_writer *writer);

// One request and how it ended. Borrows everything.
struct gw_score_answer {
    const struct gw_prediction_request *request;
    const struct gw_kafka_message *source; // its headers say where a reply goes
    enum gw_prediction_status status;
    const char *message;                  // why, when not OK; "": nothing to say
    const struct gw_score_model *model;   // NULL: none was chosen
    const char *variant;                  // of the route; "" when refused
    const struct gw_score_result *result; // NULL: refused
    const uint32_t *order;                // of a result: its candidates, best first
    int64_t now_ms;
    size_t batch_rows; // of a result: what it took part in, and what that took
    uint64_t hydrate_us;
    uint64_t score_us;
};

// The prediction, or reply. `arena` gives scratch. A reply that cannot be delivered is logged: whoever waits gets a
// time-out, others must not.
GW_CHECK gw_status gw_score_write_prediction(struct gw_score_writer *writer, struct gw_loop *loop,
                                             const struct gw_score_answer *answer, struct gw_arena *arena, gw_err *err);

// One served candidate for each; the result must have vectors.
GW_CHECK gw_status gw_score_write_served(struct gw_score_writer *writer, struct gw_loop *loop,
                                         const struct gw_score_answer *answer, gw_err *err);

// The feature sample of this candidate; the result must have its vector.
GW_CHECK gw_status gw_score_write_sample(struct gw_score_writer *writer, struct gw_loop *loop,
                                         const struct gw_score_answer *answer, const struct gw_score_sample *sample,
                                         gw_err *err);

// One flat prediction for each candidate.
GW_CHECK gw_status gw_score_write_flat(struct gw_score_writer *writer, struct gw_loop *loop,
                                       const struct gw_score_answer *answer, gw_err *err);
