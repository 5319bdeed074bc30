// SPDX-License-Identifier: MIT
#include "worker/sampler.h"

enum { HALVINGS_MAX = 30 };

static void start_second(struct gw_sampler *sampler, uint64_t second)
{
    if (sampler->halvings > 0 && (second - sampler->second > 1 || 2 * sampler->given < sampler->rate_per_s)) {
        sampler->halvings--;
    }
    sampler->second = second;
    sampler->given = 0;
    sampler->since_half = 0;
}

bool gw_sampler_take(struct gw_sampler *sampler, uint64_t hash, uint64_t now_us, float *ret_factor)
{
    if (sampler->rate_per_s == 0) {
        return false;
    }
    uint64_t second = now_us / 1000000;
    if (second != sampler->second) {
        start_second(sampler, second);
    }
    if (sampler->since_half >= sampler->rate_per_s && sampler->halvings < HALVINGS_MAX) {
        sampler->halvings++;
        sampler->since_half = 0;
    }
    uint64_t mask = (UINT64_C(1) << sampler->halvings) - 1;
    if ((hash & mask) != 0) {
        return false;
    }
    sampler->given++;
    sampler->since_half++;
    *ret_factor = (float)(UINT64_C(1) << sampler->halvings);
    return true;
}
