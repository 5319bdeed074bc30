// SPDX-License-Identifier: MIT
// Drifts of a simulated run: from offsets to times, and a log line when one begins.
#pragma once

#include "simulator/simulator.h"
#include "worker/simulate.h"

// Writes the run's drifts, their offsets counted from start_ms, to ret_drifts; gives their number.
size_t gw_simulate_drifts_from(const struct gw_simulate_options *options, int64_t start_ms,
                               struct gw_sim_drift ret_drifts[GW_SIM_DRIFTS_MAX]);

// Logs `simulate.drift kind=... amount=... at=...` (event time, ms) for each drift that has begun since the last call.
// A change of concept also states what can be reached from now on: the expected AUC of the truth of is_favorited over
// what is shown, before (auc_before) and now (auc_now), and that of the old truth on the new world (auc_old_truth).
GW_CHECK gw_status gw_simulate_drift_tell(struct gw_simulator *simulator, gw_err *err);
