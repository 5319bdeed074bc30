// SPDX-License-Identifier: MIT
// Thins a stream of samples to a rate: a hash of the sample's key chooses, so that the choice does not depend on the
// outcome, and the weight 1 / share keeps sums unbiased.
//
// The share is a power of two. It is halved as soon as a second has given `rate` samples and doubled after a second
// that gave less than half of them, so one second gives at most rate * (1 + log2(offered / rate)).
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Zero with rate_per_s set is valid: a share of 1. All zero gives nothing.
struct gw_sampler {
    uint64_t rate_per_s;
    uint32_t halvings;   // the share is 2^-halvings
    uint64_t second;     // monotonic
    uint64_t given;      // in this second
    uint64_t since_half; // since the share was last halved in this second
};

// Whether the sample with this key hash is given, and the factor of its weight.
bool gw_sampler_take(struct gw_sampler *sampler, uint64_t hash, uint64_t now_us, float *ret_factor);
