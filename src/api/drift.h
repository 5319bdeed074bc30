// SPDX-License-Identifier: MIT
// What the interface shows of drift: alerts that were raised, and how the detectors of one model version stand. The
// documents are the same for REST and for the command line's --json.
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "base/json.h"

#include <stdbool.h>
#include <stdint.h>

#define GW_API_ALERTS_MAX     500 // of one answer
#define GW_API_STREAM_BYTES   129
#define GW_API_ALERT_ID_BYTES 512 // names of a model and a stream, and numbers
#define GW_API_DRIFT_RATE_MAX 1e9 // samples a second that may be asked for

// In sigma; INFINITY: none is seen in that time (null in JSON).
struct gw_api_promise {
    double false_alarm_days;
    double smallest_shift_10s;
    double smallest_shift_5min;
};

// The newest of what was said of an alert, as schemas/drift_alert.avsc. NaN: has no meaning here.
struct gw_api_alert {
    char id[GW_API_ALERT_ID_BYTES];
    char model[161];
    int32_t version;
    bool open;
    bool stale; // and not open: its last word was no close, but nothing was heard of it since for long
    char kind[17];
    char stream[GW_API_STREAM_BYTES];
    char severity[17];
    double evidence, threshold;
    double effect_sigma;
    double harm; // rise of the loss as a share of the reference's
    double psi, psi_by_chance, jensen_shannon, jensen_shannon_by_chance;
    double share, reference_share; // of missing or unseen values
    double rate_per_s;             // for which the promise holds
    struct gw_api_promise promise;
    int64_t samples; // since it opened
    int64_t from_ms; // estimated start of the drift
    int64_t at_ms;   // when this was said
};

struct gw_api_alerts_ask {
    struct gw_slice model; // empty: of all
    bool open_only;
    uint32_t limit;
};

struct gw_api_alerts {
    struct gw_api_alert *alerts; // open ones first, then the newest first; gw_mem_free
    uint32_t count;
    bool caught_up; // what was there at the start has been read
};

// One stream as its detectors stand.
struct gw_api_drift_stream {
    char stream[GW_API_STREAM_BYTES];
    const char *kind;      // "feature", "score" or "concept"
    const char *state;     // of its gravest episode: quiet, open, cooling
    double evidence;       // of the larger of its detectors
    double threshold;      // what evidence raises an alarm when no other stream has any
    double effect_sigma;   // shift now, in sigma; concept: rise of the loss in deviations. NaN: nothing was seen
    double psi;            // NaN: concept
    double missing_share;  // NaN: concept
    uint64_t window_count; // rows that these speak of
    double rate_per_s;     // of samples, lately
    struct gw_api_promise promise;
};

struct gw_api_drift {
    char model[256];
    int32_t version;
    bool has_reference;                  // else there are no streams,
    char why[160];                       // and this says why: no reference, a damaged one, or a promise it cannot keep
    uint64_t sample_count;               // feature samples taken in
    struct gw_api_drift_stream *streams; // score first, then concepts, then features; gw_mem_free
    uint32_t stream_count;
};

// What to ask of drift.
struct gw_api_drift_ask {
    const char *model;
    int32_t version;   // 0: the champion
    double rate_per_s; // > 0: promise for this rate instead of the present one
};

// A rate in a query: a decimal number over 0, at most GW_API_DRIFT_RATE_MAX. False otherwise.
bool gw_api_parse_rate(const char *text, double *ret_rate_per_s);

const char *gw_api_alert_state(const struct gw_api_alert *alert); // open, stale or closed

// One JSON value each.
void gw_api_write_alert(struct gw_json_writer *writer, const struct gw_api_alert *alert);
void gw_api_write_alerts(struct gw_json_writer *writer, const struct gw_api_alerts *alerts);
// With the alerts of the model; `alerts` may be NULL.
void gw_api_write_drift(struct gw_json_writer *writer, const struct gw_api_drift *drift,
                        const struct gw_api_alerts *alerts);
