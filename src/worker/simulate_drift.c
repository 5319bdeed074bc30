// SPDX-License-Identifier: MIT
#include "worker/simulate_drift.h"

#include "base/log.h"
#include "quality/auc.h"

#include <inttypes.h>

size_t gw_simulate_drifts_from(const struct gw_simulate_options *options, int64_t start_ms,
                               struct gw_sim_drift ret_drifts[GW_SIM_DRIFTS_MAX])
{
    for (size_t i = 0; i < options->drift_count; i++) {
        ret_drifts[i] = options->drifts[i];
        ret_drifts[i].from_ms += start_ms;
    }
    return options->drift_count;
}

static gw_status tell_concept(const struct gw_sim_switch *began, gw_err *err)
{
    double before = 0.0;
    double now = 0.0;
    double old_truth = 0.0;
    GW_TRY(gw_quality_expected_auc(began->before, began->before, began->count, &before, err));
    GW_TRY(gw_quality_expected_auc(began->after, began->after, began->count, &now, err));
    GW_TRY(gw_quality_expected_auc(began->before, began->after, began->count, &old_truth, err));
    gw_log_info("simulate.drift",
                "kind=%s amount=%g at=%" PRId64 " head=is_favorited auc_before=%.4f auc_now=%.4f auc_old_truth=%.4f",
                gw_sim_drift_name(began->drift.kind), began->drift.amount, began->drift.from_ms, before, now,
                old_truth);
    return GW_OK;
}

gw_status gw_simulate_drift_tell(struct gw_simulator *simulator, gw_err *err)
{
    struct gw_sim_switch began;
    while (gw_simulator_next_switch(simulator, &began)) {
        if (began.count > 0) {
            GW_TRY(tell_concept(&began, err));
        } else {
            gw_log_info("simulate.drift", "kind=%s amount=%g at=%" PRId64, gw_sim_drift_name(began.drift.kind),
                        began.drift.amount, began.drift.from_ms);
        }
    }
    return GW_OK;
}
