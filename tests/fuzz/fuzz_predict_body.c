// SPDX-License-Identifier: MIT
// Any bytes as the body of POST /predict: refused with a reason, or a request within the limits.
#include "api/predict_body.h"
#include "base/check.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gw_api_predict_limits limits = {
        .candidates_max = 16, .value_names_max = 8, .context_max = 8, .timeout_ms_default = 1, .timeout_ms_max = 1000};
    struct gw_api_predict_body body = {0};
    struct gw_api_body_error error = {0};
    gw_status status = gw_api_predict_body_parse(gw_slice_make(data, size), &limits, &body, &error);
    if (status != GW_OK) {
        GW_ASSERT(error.detail[0] != '\0' && gw_api_problem_status(error.kind) < 600);
    } else {
        const struct gw_api_predict *predict = &body.predict;
        GW_ASSERT(predict->candidate_count >= 1 && predict->candidate_count <= limits.candidates_max);
        GW_ASSERT(predict->value_name_count <= limits.value_names_max && predict->context_count <= limits.context_max);
        GW_ASSERT(body.values.size == (size_t)predict->candidate_count * predict->value_name_count * sizeof(float));
        GW_ASSERT(predict->timeout_ms >= 1 && predict->timeout_ms <= limits.timeout_ms_max);
    }
    gw_api_predict_body_deinit(&body);
    return 0;
}
