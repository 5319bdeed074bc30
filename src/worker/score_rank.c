// SPDX-License-Identifier: MIT
#include "worker/score_rank.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum { SMALL = 24 };

// Larger scores give smaller keys; NaN gives the largest.
static uint32_t descending_key(float score)
{
    uint32_t bits = 0;
    memcpy(&bits, &score, sizeof bits);
    if (isnan(score)) {
        return UINT32_MAX;
    }
    if (score == 0.0f) {
        bits = 0; // -0 and 0 are equal
    }
    uint32_t ascending = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return ~ascending;
}

static void insertion_sort(uint64_t *keys, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        uint64_t key = keys[i];
        uint32_t at = i;
        for (; at > 0 && keys[at - 1] > key; at--) {
            keys[at] = keys[at - 1];
        }
        keys[at] = key;
    }
}

// Four stable passes over the score's 32 bits, which stand in the upper half.
static uint64_t *radix_sort(uint64_t *keys, uint64_t *other, uint32_t count)
{
    for (uint32_t shift = 32; shift < 64; shift += 8) {
        uint32_t starts[257] = {0};
        for (uint32_t i = 0; i < count; i++) {
            starts[(keys[i] >> shift & 255) + 1]++;
        }
        for (uint32_t d = 0; d < 256; d++) {
            starts[d + 1] += starts[d];
        }
        for (uint32_t i = 0; i < count; i++) {
            other[starts[keys[i] >> shift & 255]++] = keys[i];
        }
        uint64_t *swap = keys;
        keys = other;
        other = swap;
    }
    return keys;
}

void gw_score_rank(const float *scores, uint32_t count, uint32_t *order, uint64_t *scratch)
{
    uint64_t *keys = scratch;
    for (uint32_t i = 0; i < count; i++) {
        keys[i] = (uint64_t)descending_key(scores[i]) << 32 | i;
    }
    if (count <= SMALL) {
        insertion_sort(keys, count);
    } else {
        keys = radix_sort(keys, scratch + count, count);
    }
    for (uint32_t i = 0; i < count; i++) {
        order[i] = (uint32_t)keys[i];
    }
}
