// SPDX-License-Identifier: MIT
// The backfill behind a drift of what records say: every profile and every tweet that lives when it begins is due once
// more within GW_SIM_BACKFILL_MS. Internal to simulator/.
//
// When a thing is due is a function of the drift's time and of its number or age: user i of n after i / n of the time,
// a tweet after the share of the horizon that it had lived through.
#pragma once

#include "simulator/pending.h"
#include "simulator/tweets.h"

struct gw_sim_backfill {
    int64_t from_ms; // a whole second
    bool profiles;
    bool tweets;
    bool begun;
    uint32_t next_user;
    uint64_t next_serial; // 0: no more
};

// Which of profiles and tweets a drift of this kind changes.
struct gw_sim_backfill gw_sim_backfill_of(const struct gw_sim_drift *drift);

// Pushes what falls due before until_ms. Asked for each second from from_ms on, before anything is born in it.
GW_CHECK gw_status gw_sim_backfill_push(struct gw_sim_backfill *backfill, uint32_t user_count,
                                        const struct gw_sim_tweets *tweets, int64_t until_ms, struct gw_sim_heap *heap,
                                        gw_err *err);
