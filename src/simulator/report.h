// SPDX-License-Identifier: MIT
// What records say of the world under the drifts in force. Internal to simulator/.
//
// Functions of (seed, drifts, time, what is reported): nothing of the world depends on what records say of it.
#pragma once

#include "simulator/simulator.h"

struct gw_sim_report {
    uint64_t seed;
    const struct gw_sim_drift *drifts; // by rising from_ms
    size_t drift_count;
};

// `writes`: the user is an author, who has more followers than others.
void gw_sim_report_profile(const struct gw_sim_report *report, int64_t time_ms, bool writes,
                           struct gw_sim_profile *profile);
void gw_sim_report_tweet(const struct gw_sim_report *report, int64_t time_ms, struct gw_sim_tweet *tweet);
void gw_sim_report_candidates(const struct gw_sim_report *report, int64_t time_ms, int64_t join_id,
                              struct gw_sim_candidate *candidates, size_t count);
