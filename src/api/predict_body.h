// SPDX-License-Identifier: MIT
// The body of POST /predict: JSON text to a checked gw_api_predict, in one pass and without a document tree.
//
// {"userId": id, "candidateTweets": [id | {"tweetId": id, "authorId": id, "values": [number | null, ...]}, ...],
//  "valueNames": [name, ...], "context": {name: number, ...}, "model": name, "version": n, "timeoutMs": n}
//
// An id is a decimal int64, as a string or as an integer. userId and candidateTweets are needed, all else may be
// absent. With valueNames, every candidate brings as many values. Unknown and repeated members are refused.
#pragma once

#include "api/api.h"
#include "api/problem.h"

#define GW_API_NAME_BYTES_MAX 128

struct gw_api_predict_limits {
    uint32_t candidates_max;
    uint32_t value_names_max;
    uint32_t context_max;
    uint32_t timeout_ms_default;
    uint32_t timeout_ms_max;
};

// Zero-initialised is empty. Holds the arrays behind `predict`; names and model point into the text.
struct gw_api_predict_body {
    struct gw_api_predict predict;
    struct gw_buf candidates;
    struct gw_buf value_names;
    struct gw_buf values;
    struct gw_buf context_names;
    struct gw_buf context_values;
};

struct gw_api_body_error {
    enum gw_api_problem_kind kind;
    char pointer[160]; // "" for the body as a whole
    char detail[GW_ERR_MESSAGE_BYTES];
};

void gw_api_predict_body_deinit(struct gw_api_predict_body *body);

// Fills body->predict; `text` must live as long as it is used. On any other status *ret_error says what the caller is
// told; GW_E_MEMORY is a problem of kind INTERNAL.
GW_CHECK gw_status gw_api_predict_body_parse(struct gw_slice text, const struct gw_api_predict_limits *limits,
                                             struct gw_api_predict_body *body, struct gw_api_body_error *ret_error);
