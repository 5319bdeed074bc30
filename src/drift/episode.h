// SPDX-License-Identifier: MIT
// One alert a drift: a state machine between evidence and people, one for each (stream, reference, kind).
//
//   QUIET --alarm--> OPEN --calm for rearm_ms--> COOLING --cooldown_ms--> QUIET
//                    OPEN: an update when severity rises, and every update_ms
//
// Calm is evidence under calm_e. Lanes start at 1 and wander above it without any drift, exceeding x for about 1 / x of
// the time, so calm_e is well above 1. Evidence saturates while a drift lasts; the owner restarts its lanes at each
// update, so that the next one, or calm, speaks of rows since then.
//
// Plain data, and time only by argument: the same calls give the same moves.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

// X(state, name)
#define GW_DRIFT_EPISODE_MAP(X)                                                                                        \
    X(QUIET, "quiet")                                                                                                  \
    X(OPEN, "open")                                                                                                    \
    X(COOLING, "cooling")

enum gw_drift_episode_state {
#define X(state, name) GW_DRIFT_##state,
    GW_DRIFT_EPISODE_MAP(X)
#undef X
};

// What to tell people.
enum gw_drift_move { GW_DRIFT_SAY_NOTHING, GW_DRIFT_SAY_OPEN, GW_DRIFT_SAY_UPDATE, GW_DRIFT_SAY_CLOSE };

// By effect: low under 0.1 sigma, medium under 0.5, high from there. Where harm is known, which is of a loss only
// (loss.h: its rise over the reference's), by that too: medium from 1 %, high from 5 %, critical from 20 %. The graver
// counts; what is known to do no harm is at most medium. Features and scores do not know it: theirs is by effect.
// X(severity, name), in rising order
#define GW_DRIFT_SEVERITY_MAP(X)                                                                                       \
    X(LOW, "low")                                                                                                      \
    X(MEDIUM, "medium")                                                                                                \
    X(HIGH, "high")                                                                                                    \
    X(CRITICAL, "critical")

enum gw_drift_severity {
#define X(severity, name) GW_DRIFT_##severity,
    GW_DRIFT_SEVERITY_MAP(X)
#undef X
};

struct gw_drift_episode_options {
    int64_t rearm_ms;    // calm for so long closes, > 0
    int64_t cooldown_ms; // after closing nothing opens for so long, >= 0
    int64_t update_ms;   // between updates, > 0
    double calm_e;       // evidence under this is calm, > 1
};

struct gw_drift_episode {
    enum gw_drift_episode_state state;
    enum gw_drift_severity severity; // the gravest so far
    uint64_t number;                 // of this or the last episode; 0 before the first
    uint64_t sample_count;           // rows since it opened
    int64_t from_ms;                 // when the drift began, estimated
    int64_t opened_ms;               //
    int64_t said_ms;                 // last open, update or close
    int64_t calm_ms;                 // calm since; INT64_MAX while not calm
    double peak_e;                   // largest evidence so far
};

struct gw_drift_signal {
    bool alarm; // evidence has passed what was promised
    double e;
    double effect_sigma;   // size of the change; the sign does not matter
    double harm;           // (loss - reference loss) / reference loss; NaN while unknown
    int64_t now_ms;        // record time, never decreasing
    int64_t from_ms;       // estimated start, read at opening
    uint64_t sample_count; // rows since the last call
};

// GW_E_INVALID: a span or the calm evidence out of range.
GW_CHECK gw_status gw_drift_episode_check(const struct gw_drift_episode_options *options, gw_err *err);

// Zero is a valid quiet episode.
enum gw_drift_move gw_drift_episode_step(struct gw_drift_episode *episode,
                                         const struct gw_drift_episode_options *options,
                                         const struct gw_drift_signal *signal);

enum gw_drift_severity gw_drift_severity_of(double effect_sigma, double harm);
const char *gw_drift_severity_name(enum gw_drift_severity severity);
const char *gw_drift_episode_state_name(enum gw_drift_episode_state state);

// The state's bytes: fixed size. _load: GW_E_MALFORMED when they are none.
#define GW_DRIFT_EPISODE_BYTES 64
void gw_drift_episode_save(const struct gw_drift_episode *episode, uint8_t *to);
GW_CHECK gw_status gw_drift_episode_load(struct gw_drift_episode *episode, const uint8_t *from, gw_err *err);
