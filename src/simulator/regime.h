// SPDX-License-Identifier: MIT
// Which rules hold when: the epochs of the truth and the drifts, with how far each has come. Internal to simulator/.
//
// Drifts begin at whole seconds. A change of concept is worked out before the first request that it concerns, with the
// tweets which that request sees; the other kinds need no preparation.
#pragma once

#include "simulator/backfill.h"
#include "simulator/concept.h"
#include "simulator/report.h"

// A drift's progress.
struct gw_sim_drift_state {
    struct gw_sim_backfill backfill;
    struct gw_sim_truth truth; // of a concept, once is_turned
    bool is_turned;
    bool is_told;
};

struct gw_sim_regime {
    struct gw_sim_epoch *epochs; // never empty: the default truth has always been
    size_t epoch_count;
    struct gw_sim_drift drifts[GW_SIM_DRIFTS_MAX]; // by rising from_ms
    struct gw_sim_drift_state states[GW_SIM_DRIFTS_MAX];
    size_t drift_count;
    struct gw_sim_report report; // points into this struct: do not move
    struct gw_sim_sample sample; // of the last change of concept
};

// Without the drifts of the options: add them.
GW_CHECK gw_status gw_sim_regime_init(struct gw_sim_regime *regime, const struct gw_simulator_options *options,
                                      gw_err *err);
void gw_sim_regime_deinit(struct gw_sim_regime *regime); // of a zeroed one too

// The drift begins at earliest_ms, a whole second, or later.
GW_CHECK gw_status gw_sim_regime_add(struct gw_sim_regime *regime, const struct gw_sim_drift *drift,
                                     int64_t earliest_ms, gw_err *err);

// Pushes what backfills have due before until_ms, second by second.
GW_CHECK gw_status gw_sim_regime_backfill(struct gw_sim_regime *regime, uint32_t user_count,
                                          const struct gw_sim_tweets *tweets, int64_t until_ms,
                                          struct gw_sim_heap *heap, gw_err *err);

// Works out the changes of concept that have begun by time_ms. What `draw` held is lost if there is one.
GW_CHECK gw_status gw_sim_regime_turn(struct gw_sim_regime *regime, int64_t time_ms, struct gw_sim_draw *draw,
                                      const struct gw_sim_world *world, const struct gw_sim_tweets *tweets,
                                      const struct gw_simulator_options *options, gw_err *err);

// Sets truth, delay and poison of a request at draw->time_ms.
void gw_sim_regime_set(const struct gw_sim_regime *regime, struct gw_sim_draw *draw);

bool gw_sim_regime_next_switch(struct gw_sim_regime *regime, int64_t now_ms, struct gw_sim_switch *ret_switch);
