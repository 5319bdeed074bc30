// SPDX-License-Identifier: MIT
#include "worker/monitor_alert.h"

#include "base/check.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MODEL_SHOWN_BYTES = 255 };

static const char *state_of(enum gw_drift_move move)
{
    switch (move) {
    case GW_DRIFT_SAY_OPEN:
        return "open";
    case GW_DRIFT_SAY_UPDATE:
        return "update";
    case GW_DRIFT_SAY_CLOSE:
        return "close";
    case GW_DRIFT_SAY_NOTHING:
        break;
    }
    GW_ASSERT(!"an alarm says something");
    return "";
}

static bool is_of_absence(enum gw_drift_alarm_kind kind)
{
    return kind == GW_DRIFT_OF_MISSING || kind == GW_DRIFT_OF_UNSEEN;
}

static void write_id(const struct gw_monitor_alert_to *to, const struct gw_drift_alarm *alarm,
                     char id[GW_MONITOR_ALERT_ID_BYTES])
{
    const char *detector = is_of_absence(alarm->kind) ? "absence" : gw_drift_alarm_kind_name(alarm->kind);
    snprintf(id, GW_MONITOR_ALERT_ID_BYTES, "%.*s-%" PRId32 "-%s-%s-%" PRIu64 "-%" PRId64,
             (int)GW_MIN(to->model.size, (size_t)MODEL_SHOWN_BYTES), (const char *)to->model.data, to->version,
             detector, alarm->stream, alarm->episode, alarm->from_ms);
}

gw_status gw_monitor_alert_say(void *alert_to, const struct gw_drift_alarm *alarm, gw_err *err)
{
    const struct gw_monitor_alert_to *to = alert_to;
    char id[GW_MONITOR_ALERT_ID_BYTES];
    write_id(to, alarm, id);
    bool of_values = alarm->kind == GW_DRIFT_OF_FEATURE || alarm->kind == GW_DRIFT_OF_SCORE;
    bool of_absence = is_of_absence(alarm->kind);
    const struct gw_drift_alert alert = {
        .alert_id = gw_slice_text(id),
        .model_name = to->model,
        .model_version = to->version,
        .state = gw_slice_text(state_of(alarm->move)),
        .kind = gw_slice_text(gw_drift_alarm_kind_name(alarm->kind)),
        .stream = gw_slice_text(alarm->stream),
        .severity = gw_slice_text(gw_drift_severity_name(alarm->severity)),
        .statistic = alarm->e,
        .threshold = to->threshold,
        .effect_sigma = alarm->effect_sigma,
        .has_psi = !isnan(alarm->psi),
        .psi = alarm->psi,
        .has_jensen_shannon = !isnan(alarm->jensen_shannon),
        .jensen_shannon = alarm->jensen_shannon,
        .false_alarm_days = alarm->promise.false_alarm_days,
        .smallest_shift_10s = alarm->promise.smallest_shift_10s,
        .smallest_shift_5min = alarm->promise.smallest_shift_5min,
        .samples = (int64_t)alarm->sample_count,
        .from_ms = alarm->from_ms,
        .at_ms = to->at_ms,
        .has_harm = !isnan(alarm->harm),
        .harm = alarm->harm,
        .has_spread_ratio = of_values,
        .spread_ratio = alarm->spread_ratio,
        .has_psi_by_chance = !isnan(alarm->psi_by_chance),
        .psi_by_chance = alarm->psi_by_chance,
        .has_jensen_shannon_by_chance = !isnan(alarm->jensen_shannon_by_chance),
        .jensen_shannon_by_chance = alarm->jensen_shannon_by_chance,
        .has_share = of_absence,
        .share = alarm->share,
        .has_reference_share = of_absence,
        .reference_share = alarm->reference_share,
        .has_rate_per_s = alarm->rate_per_s > 0.0,
        .rate_per_s = alarm->rate_per_s,
    };
    return to->sink(to->context, &alert, err);
}
