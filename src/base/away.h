// SPDX-License-Identifier: MIT
// When to try a lost dependency again: after a growing, jittered pause, and until then every caller is told at once.
//
// The pause is a floor plus base/backoff's full jitter, so that one failure never leads straight into the next wait.
// Time is passed in. One owner; no lock.
#pragma once

#include "base/backoff.h"
#include "base/err.h"
#include "base/rng.h"

#include <stdint.h>

struct gw_away {
    struct gw_backoff backoff;
    struct gw_rng rng;
    uint32_t floor_ms;
    uint64_t retry_at_us; // monotonic; no try before
    char why[GW_ERR_MESSAGE_BYTES];
};

// Pauses are floor_ms + [0, min(cap_ms, base_ms * 2^n)]; 0 < base_ms <= cap_ms.
void gw_away_init(struct gw_away *away, uint32_t floor_ms, uint32_t base_ms, uint32_t cap_ms, uint64_t seed);

// GW_OK when it may be tried at now_us, else GW_E_UNAVAILABLE: "<name>: away, next try in N ms: <why>".
GW_CHECK gw_status gw_away_check(const struct gw_away *away, const char *name, uint64_t now_us, gw_err *err);

// A try, or the use of what a try gave, failed: starts a pause. `why` is copied.
void gw_away_failed(struct gw_away *away, uint64_t now_us, const char *why);

// It works: the next pause is the shortest again.
void gw_away_works(struct gw_away *away);
