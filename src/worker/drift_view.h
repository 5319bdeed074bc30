// SPDX-License-Identifier: MIT
// How the detectors of a model stand: the references from the registry, their states from the changelog of monitor, put
// together anew on each call. For REST and the command line; monitor is not asked.
//
// Blocks for as long as reading one partition of monitor_state takes (some 100 ms, at most its time-out). Any thread,
// one call at a time.
#pragma once

#include "drift/loss.h"
#include "worker/runtime.h"

struct gw_drift_picture_stream {
    char stream[GW_DRIFT_NAME_BYTES_MAX + 1];
    const char *kind; // "feature", "score" or "concept"
    const char *state;         // of its gravest episode: quiet, open, cooling
    double evidence;           // of the larger of its detectors
    double threshold;          // that evidence is for when it is alone
    double effect_sigma;       // shift now, in sigma; concept: rise of the loss in deviations
    double psi;                // NaN: concept
    double missing_share;      // NaN: concept
    uint64_t window_count;     // rows that these speak of
    double rate_per_s;         // of samples, lately
    double false_alarm_days;   // promised at that rate; INFINITY at none
    double smallest_shift_10s; // in sigma; INFINITY: none is seen in that time
    double smallest_shift_5min;
};

struct gw_drift_picture {
    char model[256];
    int32_t version;
    bool has_reference;    // else there are no streams,
    char why[160];         // and this says why: no reference, or a damaged one
    uint64_t sample_count; // feature samples taken in
    struct gw_drift_picture_stream *streams; // score first, then concepts, then features; gw_mem_free
    uint32_t stream_count;
};

struct gw_drift_view_ask {
    const char *model;
    int32_t version;   // 0: the champion
    double rate_per_s; // > 0: promise for this rate instead of the present one
};

// GW_E_NOT_FOUND: no such model or version, or no champion. GW_E_UNAVAILABLE, GW_E_TIMEOUT: registry or Kafka is away.
// Free ret_picture->streams.
GW_CHECK gw_status gw_drift_view_ask(const struct gw_runtime *runtime, const struct gw_drift_view_ask *ask,
                                     struct gw_drift_picture *ret_picture, gw_err *err);
