// SPDX-License-Identifier: MIT
// xoshiro256** (Blackman and Vigna, ACM TOMS 47(4), 2021), seeded by splitmix64. Not for secrets.
#pragma once

#include <stdint.h>

struct gw_rng {
    uint64_t s[4];
};

void gw_rng_init(struct gw_rng *rng, uint64_t seed);
uint64_t gw_rng_next(struct gw_rng *rng);

// Uniform in [0, bound), bound > 0, without modulo bias.
uint64_t gw_rng_below(struct gw_rng *rng, uint64_t bound);

// Uniform in [0, 1), 53 bits.
double gw_rng_double(struct gw_rng *rng);

// Standard normal by Box and Muller (Annals of Mathematical Statistics 29, 1958), one value a call.
double gw_rng_normal(struct gw_rng *rng);
