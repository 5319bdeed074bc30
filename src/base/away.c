// SPDX-License-Identifier: MIT
#include "base/away.h"

#include <stdio.h>

void gw_away_init(struct gw_away *away, uint32_t floor_ms, uint32_t base_ms, uint32_t cap_ms, uint64_t seed)
{
    *away = (struct gw_away){.backoff = {.base_ms = base_ms, .cap_ms = cap_ms, .attempts_max = UINT32_MAX},
                             .floor_ms = floor_ms};
    gw_rng_init(&away->rng, seed);
}

gw_status gw_away_check(const struct gw_away *away, const char *name, uint64_t now_us, gw_err *err)
{
    if (now_us >= away->retry_at_us) {
        return GW_OK;
    }
    return gw_fail(err, GW_E_UNAVAILABLE, "%s: away, next try in %llu ms: %s", name,
                   (unsigned long long)(away->retry_at_us - now_us) / 1000 + 1, away->why);
}

void gw_away_failed(struct gw_away *away, uint64_t now_us, const char *why)
{
    uint32_t delay_ms = away->backoff.cap_ms; // stays when, after 2^32 failures, backoff gives no more
    uint32_t random = (uint32_t)(gw_rng_next(&away->rng) >> 32);
    if (gw_backoff_next(&away->backoff, random, &delay_ms, NULL) != GW_OK) {
        gw_backoff_reset(&away->backoff);
    }
    away->retry_at_us = now_us + ((uint64_t)away->floor_ms + delay_ms) * 1000;
    snprintf(away->why, sizeof away->why, "%s", why);
}

void gw_away_works(struct gw_away *away)
{
    gw_backoff_reset(&away->backoff);
}
