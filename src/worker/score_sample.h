// SPDX-License-Identifier: MIT
// Which candidate of which request is sampled for drift detection, and what it stands for.
//
// One candidate of a chosen request: candidates of one request share its user and its moment, so more of them would
// look like more evidence than there is. A hash of the request's id chooses, with a salt of its own: neither values nor
// scores have a part in it, and it is not the choice of the served sample, a route or the label sampler. The weight,
// the sampler's factor times the candidates, keeps sums over candidates unbiased.
#pragma once

#include "records/prediction_request.h"
#include "worker/sampler.h"

struct gw_score_sample {
    uint32_t candidate; // index in the request
    float weight;       // candidates that it stands for; 0: the request was not chosen
};

// Of a request that will be scored. `sampler` thins requests; now_us: monotonic.
struct gw_score_sample gw_score_sample_choose(struct gw_sampler *sampler, const struct gw_prediction_request *request,
                                              uint64_t now_us);
