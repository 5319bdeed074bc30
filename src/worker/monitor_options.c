// SPDX-License-Identifier: MIT
#include "worker/monitor_options.h"

#include "base/macros.h"
#include "drift/culprits.h"

// Evidence under this is calm (episode.h). Lanes wander above it for about 1 % of the time without any drift.
#define CALM_E 100.0

enum { DETECTORS_MAX = GW_DRIFT_STREAM_DETECTORS * (GW_DRIFT_FEATURES_MAX + 1) };

static int64_t milliseconds(const struct gw_config *config, enum gw_config_option option)
{
    return gw_config_duration_us(config, option) / 1000;
}

struct gw_monitor_drift_options gw_monitor_drift_options(const struct gw_config *config)
{
    const struct gw_drift_episode_options episode = {
        .rearm_ms = milliseconds(config, GW_OPT_MONITOR_DRIFT_CALM),
        .cooldown_ms = milliseconds(config, GW_OPT_MONITOR_DRIFT_COOLDOWN),
        .update_ms = milliseconds(config, GW_OPT_MONITOR_DRIFT_UPDATE),
        .calm_e = CALM_E,
    };
    double alpha = gw_config_double(config, GW_OPT_MONITOR_DRIFT_NAMES);
    double threshold = gw_drift_promise_threshold(gw_config_double(config, GW_OPT_MONITOR_DRIFT_DAYS),
                                                  gw_config_double(config, GW_OPT_MONITOR_DRIFT_RATE));
    threshold = GW_MIN(threshold, (double)GW_DRIFT_THRESHOLD_MAX);
    double least = gw_drift_culprits_certain(DETECTORS_MAX, alpha);
    return (struct gw_monitor_drift_options){
        .bank = {.threshold = GW_MAX(threshold, least), .alpha = alpha, .episode = episode},
        .loss = {.threshold = GW_MAX(threshold, CALM_E), .episode = episode},
    };
}
