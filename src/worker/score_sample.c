// SPDX-License-Identifier: MIT
#include "worker/score_sample.h"

#include "base/bytes.h"
#include "base/hash.h"

#define SAMPLE_SALT UINT64_C(0x666561747572655f) // so that the choice is nobody else's

struct gw_score_sample gw_score_sample_choose(struct gw_sampler *sampler, const struct gw_prediction_request *request,
                                              uint64_t now_us)
{
    uint64_t high = gw_load_be64(request->request_id);
    uint64_t low = gw_load_be64(request->request_id + 8);
    uint64_t hash = gw_hash_mix(high ^ gw_hash_mix(low ^ SAMPLE_SALT));
    float factor = 0;
    if (request->candidates.count == 0 || !gw_sampler_take(sampler, hash, now_us, &factor)) {
        return (struct gw_score_sample){0};
    }
    // The sampler looks at the lowest bits; these are the highest.
    return (struct gw_score_sample){.candidate = (uint32_t)((hash >> 32) * request->candidates.count >> 32),
                                    .weight = factor * (float)request->candidates.count};
}
