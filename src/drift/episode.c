// SPDX-License-Identifier: MIT
#include "drift/episode.h"

#include "base/check.h"
#include "drift/window.h"

#include <math.h>

#define CALM_NEVER INT64_MAX

enum gw_drift_severity gw_drift_severity_of(double effect_sigma, double harm)
{
    double effect = fabs(effect_sigma);
    enum gw_drift_severity severity = GW_DRIFT_LOW;
    if (effect >= 0.5) {
        severity = GW_DRIFT_HIGH;
    } else if (effect >= 0.1) {
        severity = GW_DRIFT_MEDIUM;
    }
    if (harm >= 0.2) {
        return GW_DRIFT_CRITICAL;
    }
    if (harm >= 0.05) {
        return GW_DRIFT_HIGH;
    }
    if (harm >= 0.01) {
        return GW_MAX(severity, GW_DRIFT_MEDIUM);
    }
    return isnan(harm) ? severity : GW_MIN(severity, GW_DRIFT_MEDIUM);
}

const char *gw_drift_severity_name(enum gw_drift_severity severity)
{
    switch (severity) {
#define X(value, name)                                                                                                 \
    case GW_DRIFT_##value:                                                                                             \
        return name;
        GW_DRIFT_SEVERITY_MAP(X)
#undef X
    }
    return "?";
}

const char *gw_drift_episode_state_name(enum gw_drift_episode_state state)
{
    switch (state) {
#define X(value, name)                                                                                                 \
    case GW_DRIFT_##value:                                                                                             \
        return name;
        GW_DRIFT_EPISODE_MAP(X)
#undef X
    }
    return "?";
}

gw_status gw_drift_episode_check(const struct gw_drift_episode_options *options, gw_err *err)
{
    if (options->rearm_ms <= 0 || options->cooldown_ms < 0 || options->update_ms <= 0 || !(options->calm_e > 1.0)) {
        return gw_fail(err, GW_E_INVALID, "an episode's spans must be positive and calm evidence over 1");
    }
    return GW_OK;
}

static enum gw_drift_move open_episode(struct gw_drift_episode *episode, const struct gw_drift_signal *signal)
{
    *episode = (struct gw_drift_episode){
        .state = GW_DRIFT_OPEN,
        .severity = gw_drift_severity_of(signal->effect_sigma, signal->harm),
        .number = episode->number + 1,
        .from_ms = signal->from_ms,
        .opened_ms = signal->now_ms,
        .said_ms = signal->now_ms,
        .calm_ms = CALM_NEVER,
        .peak_e = signal->e,
    };
    return GW_DRIFT_SAY_OPEN;
}

static enum gw_drift_move follow_episode(struct gw_drift_episode *episode,
                                         const struct gw_drift_episode_options *options,
                                         const struct gw_drift_signal *signal)
{
    episode->sample_count += signal->sample_count;
    episode->peak_e = fmax(episode->peak_e, signal->e);
    if (!(signal->e < options->calm_e)) {
        episode->calm_ms = CALM_NEVER;
    } else if (episode->calm_ms == CALM_NEVER) {
        episode->calm_ms = signal->now_ms;
    }
    if (episode->calm_ms != CALM_NEVER && signal->now_ms - episode->calm_ms >= options->rearm_ms) {
        episode->state = GW_DRIFT_COOLING;
        episode->said_ms = signal->now_ms;
        return GW_DRIFT_SAY_CLOSE;
    }
    // While calm, what the window shows is chance; it neither raises the severity nor deserves an update.
    if (episode->calm_ms != CALM_NEVER) {
        return GW_DRIFT_SAY_NOTHING;
    }
    enum gw_drift_severity severity = gw_drift_severity_of(signal->effect_sigma, signal->harm);
    bool graver = severity > episode->severity;
    if (graver || signal->now_ms - episode->said_ms >= options->update_ms) {
        episode->severity = GW_MAX(severity, episode->severity);
        episode->said_ms = signal->now_ms;
        return GW_DRIFT_SAY_UPDATE;
    }
    return GW_DRIFT_SAY_NOTHING;
}

enum gw_drift_move gw_drift_episode_step(struct gw_drift_episode *episode,
                                         const struct gw_drift_episode_options *options,
                                         const struct gw_drift_signal *signal)
{
    GW_ASSERT(options->rearm_ms > 0 && options->cooldown_ms >= 0 && options->update_ms > 0 && options->calm_e > 1.0);
    switch (episode->state) {
    case GW_DRIFT_COOLING:
        if (signal->now_ms - episode->said_ms < options->cooldown_ms) {
            return GW_DRIFT_SAY_NOTHING;
        }
        episode->state = GW_DRIFT_QUIET;
        return GW_DRIFT_SAY_NOTHING; // the owner restarts the lanes; old evidence opens nothing
    case GW_DRIFT_QUIET:
        return signal->alarm ? open_episode(episode, signal) : GW_DRIFT_SAY_NOTHING;
    case GW_DRIFT_OPEN:
        return follow_episode(episode, options, signal);
    }
    return GW_DRIFT_SAY_NOTHING;
}

void gw_drift_episode_save(const struct gw_drift_episode *episode, uint8_t *to)
{
    gw_store_le32(to, (uint32_t)episode->state);
    gw_store_le32(to + 4, (uint32_t)episode->severity);
    gw_store_le64(to + 8, episode->number);
    gw_store_le64(to + 16, episode->sample_count);
    gw_store_le64(to + 24, (uint64_t)episode->from_ms);
    gw_store_le64(to + 32, (uint64_t)episode->opened_ms);
    gw_store_le64(to + 40, (uint64_t)episode->said_ms);
    gw_store_le64(to + 48, (uint64_t)episode->calm_ms);
    memcpy(to + 56, &episode->peak_e, sizeof episode->peak_e);
}

gw_status gw_drift_episode_load(struct gw_drift_episode *episode, const uint8_t *from, gw_err *err)
{
    uint32_t state = gw_load_le32(from);
    uint32_t severity = gw_load_le32(from + 4);
    struct gw_drift_episode read = {
        .state = (enum gw_drift_episode_state)state,
        .severity = (enum gw_drift_severity)severity,
        .number = gw_load_le64(from + 8),
        .sample_count = gw_load_le64(from + 16),
        .from_ms = (int64_t)gw_load_le64(from + 24),
        .opened_ms = (int64_t)gw_load_le64(from + 32),
        .said_ms = (int64_t)gw_load_le64(from + 40),
        .calm_ms = (int64_t)gw_load_le64(from + 48),
    };
    memcpy(&read.peak_e, from + 56, sizeof read.peak_e);
    // Times are bounded so that their differences are defined.
    bool times = gw_drift_kept_time_valid(read.from_ms) && gw_drift_kept_time_valid(read.opened_ms) &&
                 gw_drift_kept_time_valid(read.said_ms) &&
                 (gw_drift_kept_time_valid(read.calm_ms) || read.calm_ms == CALM_NEVER);
    if (state > GW_DRIFT_COOLING || severity > GW_DRIFT_CRITICAL || !times || !(read.peak_e >= 0.0)) {
        return gw_fail(err, GW_E_MALFORMED, "bytes that are no episode");
    }
    *episode = read;
    return GW_OK;
}
