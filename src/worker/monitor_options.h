// SPDX-License-Identifier: MIT
// How drift is watched for, from the configuration: the same for who watches (monitor) and who shows (drift_view.h).
#pragma once

#include "config/config.h"
#include "drift/loss.h"

struct gw_monitor_drift_options {
    struct gw_drift_bank_options bank;
    struct gw_drift_loss_options loss;
};

// monitor.drift_*. Where days and rate make a threshold outside of what the detectors take, the nearest one that they
// take with any number of streams: naming needs some evidence, and float32 ends at some.
struct gw_monitor_drift_options gw_monitor_drift_options(const struct gw_config *config);
