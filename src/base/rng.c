// SPDX-License-Identifier: MIT
#include "base/rng.h"

#include "base/check.h"
#include "base/hash.h"

#include <math.h>

__extension__ typedef unsigned __int128 gw_u128;

static uint64_t rotate_left(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

void gw_rng_init(struct gw_rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += 0x9e3779b97f4a7c15u;
        rng->s[i] = gw_hash_mix(seed);
    }
}

uint64_t gw_rng_next(struct gw_rng *rng)
{
    uint64_t *s = rng->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

// Lemire, "Fast Random Integer Generation in an Interval", ACM TOMACS 29(1), 2019.
uint64_t gw_rng_below(struct gw_rng *rng, uint64_t bound)
{
    GW_ASSERT(bound > 0);
    gw_u128 product = (gw_u128)gw_rng_next(rng) * bound;
    if ((uint64_t)product < bound) {
        uint64_t floor = -bound % bound;
        while ((uint64_t)product < floor) {
            product = (gw_u128)gw_rng_next(rng) * bound;
        }
    }
    return (uint64_t)(product >> 64);
}

double gw_rng_double(struct gw_rng *rng)
{
    return (double)(gw_rng_next(rng) >> 11) * 0x1.0p-53;
}

double gw_rng_normal(struct gw_rng *rng)
{
    double u = 1.0 - gw_rng_double(rng); // in (0, 1], so the logarithm is finite
    double v = gw_rng_double(rng);
    return sqrt(-2.0 * log(u)) * cos(2.0 * 3.14159265358979323846 * v);
}
