// SPDX-License-Identifier: MIT
// The detectors of one stream of values: has it left its reference?
//
//   tilt     16 lanes for shifts and changes of spread (lanes.h); categorical streams also have learned lanes
//   absence  16 lanes for missing and unseen values
//
// A learned lane knows no direction: q = 0.9 EWMA + 0.1 p0 of the rows before this one, L = q(b) / p0(b), so its mean
// under the reference is exactly 1 whatever it has learned. Three EWMAs (rates 2^-8, 2^-11, 2^-14) are kept as weights
// times a common scale, so that a row touches one weight each. chi^2(q, p0) = sum q^2 / p0 - 1 follows by recursion,
// and with it the same room for the reference's error as in lanes.h; dependence takes roots of the factor.
//
// Evidence is the mean over lanes, at most GW_DRIFT_E_MAX. A detector is plain data: one owner, copied and compared as
// bytes, deterministic to the bit.
#pragma once

#include "drift/profile.h"

enum { GW_DRIFT_LEARNED = 3 };

struct gw_drift_detector {
    struct gw_drift_lanes tilt;
    struct gw_drift_lanes absence;
};

struct gw_drift_learned {
    float m[GW_DRIFT_LEARNED];
    float scale[GW_DRIFT_LEARNED];  // EWMA of bin b = scale * weight[b]
    float excess[GW_DRIFT_LEARNED]; // sum EWMA^2 / p0 - 1, kept so because float32 has no small steps near 1
    float weight[GW_DRIFT_LEARNED][GW_DRIFT_CATEGORIES_MAX + 2];
};

struct gw_drift_evidence {
    float tilt;
    float absence;
};

void gw_drift_detector_init(struct gw_drift_detector *detector);
void gw_drift_learned_init(struct gw_drift_learned *learned, const struct gw_drift_feature *feature);

// Puts the evidence of the tilt lanes back to its start and keeps what was learned. `learned` may be NULL.
void gw_drift_detector_restart_tilt(struct gw_drift_detector *detector, struct gw_drift_learned *learned);
void gw_drift_detector_restart_absence(struct gw_drift_detector *detector);

// Takes in a value by its row of the feature's tables (gw_drift_feature_row). `learned` is NULL for numeric features.
struct gw_drift_evidence gw_drift_detector_feed(struct gw_drift_detector *detector, struct gw_drift_learned *learned,
                                                const struct gw_drift_feature *feature, uint32_t row);

// Whether bytes read as state can be one.
bool gw_drift_detector_valid(const struct gw_drift_detector *detector);
bool gw_drift_learned_valid(const struct gw_drift_learned *learned);
