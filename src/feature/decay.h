// SPDX-License-Identifier: MIT
// 2^-(elapsed / half-life), the same bits on every machine.
//
// Row bytes must be a function of the log, so decay does not use libm: glibc picks exp2 variants with and without fused
// multiply-add by CPU, and they differ in the last bit. Here x = n - f, |f| <= 1/2, and 2^f = e^(f ln 2) is its Taylor
// polynomial of degree 13 (remainder below 5e-18), built from multiplications and additions that are never contracted.
#pragma once

#include <stdint.h>
#include <string.h>

// A counter below this reads as 0 and is set to 0 when its row moves on in time.
#define GW_DECAY_EPSILON 1e-6

// `half_life_us` > 0. Exactly 1 at 0 and 1/2 at a half-life; 0 past 1000 half-lives.
static inline double gw_decay(uint64_t elapsed_us, double half_life_us)
{
    double x = (double)elapsed_us / half_life_us;
    if (!(x < 1000)) {
        return 0;
    }
    uint64_t n = (uint64_t)(x + 0.5);
    double z = ((double)n - x) * 0.69314718055994530942;
    double p = 1.0 / 6227020800.0;
    p = p * z + 1.0 / 479001600.0;
    p = p * z + 1.0 / 39916800.0;
    p = p * z + 1.0 / 3628800.0;
    p = p * z + 1.0 / 362880.0;
    p = p * z + 1.0 / 40320.0;
    p = p * z + 1.0 / 5040.0;
    p = p * z + 1.0 / 720.0;
    p = p * z + 1.0 / 120.0;
    p = p * z + 1.0 / 24.0;
    p = p * z + 1.0 / 6.0;
    p = p * z + 0.5;
    p = p * z + 1.0;
    p = p * z + 1.0;
    uint64_t scale_bits = (1023 - n) << 52;
    double scale = 0;
    memcpy(&scale, &scale_bits, sizeof scale);
    return p * scale;
}

// Microseconds from `from_us` to `to_us`, 0 when that is in the past; any two int64 are fine.
static inline uint64_t gw_elapsed_us(int64_t from_us, int64_t to_us)
{
    return to_us > from_us ? (uint64_t)to_us - (uint64_t)from_us : 0;
}
