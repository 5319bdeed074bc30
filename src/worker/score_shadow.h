// SPDX-License-Identifier: MIT
// Scoring in the shadow: after a poll's answers are out, shadows score the same rows, and what they would have said is
// compared with what was served.
//
// On a budget: a lane earns `budget` seconds of it for every second of scoring requests that have a shadow, at most 50 ms
// in hand; requests for which none is left are counted as skipped. Nothing of it reaches a caller. One owning thread, the
// lane's.
#pragma once

#include "rollout/shadow.h"
#include "worker/score_targets.h"

enum { GW_SCORE_SHADOWED_MAX = 16 };

// What is known of one shadow since the last take.
struct gw_score_shadowed {
    char model[GW_ROUTE_NAME_BYTES];
    int32_t version;
    uint64_t skipped; // requests, over the budget
    uint64_t us;      // time it took
    struct gw_shadow_tally tally;
};

struct gw_score_shadow;

// budget: share of the lane's scoring time, 0 to 1; 0 turns shadows off.
GW_CHECK gw_status gw_score_shadow_new(double budget, struct gw_score_shadow **ret_shadow, gw_err *err);
void gw_score_shadow_free(struct gw_score_shadow *shadow); // NULL is legal

// Scores and compares after the targets have run. `scoring_us` is what the lane spent on the poll's own work. Never fails
// the poll: what cannot be done for want of memory is skipped.
void gw_score_shadow_run(struct gw_score_shadow *shadow, const struct gw_score_targets *targets,
                         const struct gw_score_batch *batch, uint64_t scoring_us);

// What was noted since the last clear.
size_t gw_score_shadow_noted(const struct gw_score_shadow *shadow, const struct gw_score_shadowed **ret_shadowed);
void gw_score_shadow_clear(struct gw_score_shadow *shadow);
