// SPDX-License-Identifier: MIT
// Hashes and distributions of the simulator. Internal to simulator/.
//
// Whatever has an identity (a user, a second, a request) draws from a generator seeded by a hash of seed and identity,
// so that it comes out the same whenever and after whatever it is asked for.
#pragma once

#include "base/hash.h"
#include "base/rng.h"

#include <math.h>
#include <stdint.h>

// What a hash is for: different streams are independent.
enum gw_sim_stream {
    GW_SIM_STREAM_USER,
    GW_SIM_STREAM_FOLLOW,
    GW_SIM_STREAM_TILT,
    GW_SIM_STREAM_SLOT,
    GW_SIM_STREAM_TWEET,
    GW_SIM_STREAM_PROFILE,
    GW_SIM_STREAM_REQUEST,
    GW_SIM_STREAM_ACTION,
    GW_SIM_STREAM_SOCIAL,
    GW_SIM_STREAM_DELETE,
    GW_SIM_STREAM_STRUCK, // by a drift
    GW_SIM_STREAM_POISON,
    GW_SIM_STREAM_SAMPLE,
    GW_SIM_STREAM_BACKFILL,
};

static inline uint64_t gw_sim_hash(uint64_t seed, enum gw_sim_stream stream, uint64_t a, uint64_t b)
{
    uint64_t h = gw_hash_mix(seed + 0x9e3779b97f4a7c15u * ((uint64_t)stream + 1));
    h = gw_hash_mix(h ^ (a + 0x9e3779b97f4a7c15u));
    return gw_hash_mix(h ^ (b + 0xc2b2ae3d27d4eb4fu));
}

// Nearly standard normal from one hash: the sum of four uniforms (Irwin and Hall), bounded by 3.47.
static inline double gw_sim_hash_normal(uint64_t hash)
{
    uint64_t sum = (hash & 0xffff) + (hash >> 16 & 0xffff) + (hash >> 32 & 0xffff) + (hash >> 48);
    return ((double)sum / 65536.0 - 2.0) * 1.7320508075688772;
}

static inline double gw_sim_lognormal(struct gw_rng *rng, double median, double sigma)
{
    return median * exp(sigma * gw_rng_normal(rng));
}

// Pareto with minimum 1.
static inline double gw_sim_pareto(struct gw_rng *rng, double alpha)
{
    return pow(1.0 - gw_rng_double(rng), -1.0 / alpha);
}

// Knuth's product method for small means, the normal approximation from 30 on, where it errs by less than a percent.
static inline uint32_t gw_sim_poisson(struct gw_rng *rng, double mean)
{
    if (mean >= 30.0) {
        double value = mean + sqrt(mean) * gw_rng_normal(rng) + 0.5;
        return value > 0.0 ? (uint32_t)value : 0;
    }
    double limit = exp(-mean);
    double product = gw_rng_double(rng);
    uint32_t count = 0;
    while (product > limit) {
        product *= gw_rng_double(rng);
        count++;
    }
    return count;
}
