// SPDX-License-Identifier: MIT
// Sampling from a fixed discrete distribution in constant time: the alias method (Walker, ACM TOMS 3(3), 1977) with
// Vose's linear-time set-up (IEEE TSE 17(9), 1991). Internal to simulator/.
#pragma once

#include "base/err.h"
#include "base/rng.h"

#include <stdint.h>

// Zero-initialised is empty and valid for deinit.
struct gw_sim_alias {
    float *accept;   // chance to keep the slot drawn
    uint32_t *other; // else this one
    uint32_t *work;  // of the set-up
    double *weights; // filled by the caller before gw_sim_alias_build
    uint32_t capacity;
    uint32_t count;
};

GW_CHECK gw_status gw_sim_alias_init(struct gw_sim_alias *alias, uint32_t capacity, gw_err *err);
void gw_sim_alias_deinit(struct gw_sim_alias *alias);

// From weights[0..count), none negative, some positive; they are used up.
void gw_sim_alias_build(struct gw_sim_alias *alias, uint32_t count);

// count > 0.
static inline uint32_t gw_sim_alias_pick(const struct gw_sim_alias *alias, struct gw_rng *rng)
{
    uint64_t random = gw_rng_next(rng);
    uint32_t slot = (uint32_t)(((random >> 32) * alias->count) >> 32);
    float coin = (float)(random & 0xffffff) * 0x1.0p-24f;
    return coin < alias->accept[slot] ? slot : alias->other[slot];
}
