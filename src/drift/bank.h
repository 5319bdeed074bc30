// SPDX-License-Identifier: MIT
// All drift detectors of one model version: a sampled row goes in, alarms and changed states come out.
//
// Streams are the profile's features and its score; each has a tilt and an absence detector, so m = 2 * streams. The
// alarm is one for all: the mean of the evidence of the streams that are quiet, over m, passes the threshold. Its mean
// time between false alarms is the threshold in rows, for all streams together and however they depend. What the alarm
// is about is then named by e-BH (culprits.h), and each stream named opens an episode (episode.h).
//
// Row times are record times; a row older than the one before counts as at that one's time. The same rows from the same
// state give the same alarms and the same bytes.
//
// One owner, one thread. The profile is borrowed for the bank's life.
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "drift/episode.h"
#include "drift/profile.h"
#include "drift/promise.h"

struct gw_drift_bank;

struct gw_drift_bank_options {
    double threshold; // c; at least gw_drift_culprits_certain(m, alpha), at most GW_DRIFT_THRESHOLD_MAX
    double alpha;     // of the names, in (0, 1]
    struct gw_drift_episode_options episode;
};

#define GW_DRIFT_STREAM_DETECTORS 2 // tilt and absence

// Evidence that one detector must reach when no other has any, so that the mean over all m passes `threshold`. More
// than GW_DRIFT_THRESHOLD_MAX: no drift of one stream alone would ever be seen.
double gw_drift_bank_alone(const struct gw_drift_profile *profile, double threshold);

// Days between false alarms 30 at up to 1,000 rows/s; alpha 0.01; close after a minute of calm, cool down for ten,
// update every five.
extern const struct gw_drift_bank_options gw_drift_bank_defaults;

// X(suffix, name). CONCEPT is the loss's (loss.h).
#define GW_DRIFT_ALARM_KIND_MAP(X)                                                                                     \
    X(FEATURE, "feature")                                                                                              \
    X(SCORE, "score")                                                                                                  \
    X(MISSING, "missing")                                                                                              \
    X(UNSEEN, "unseen")                                                                                                \
    X(CONCEPT, "concept")

enum gw_drift_alarm_kind {
#define X(suffix, name) GW_DRIFT_OF_##suffix,
    GW_DRIFT_ALARM_KIND_MAP(X)
#undef X
};
const char *gw_drift_alarm_kind_name(enum gw_drift_alarm_kind kind);

// Valid during the call it is given to.
struct gw_drift_alarm {
    enum gw_drift_move move; // open, update or close
    enum gw_drift_alarm_kind kind;
    enum gw_drift_severity severity;
    const char *stream;  // name of the feature, or "score"
    uint64_t episode;    // number, from 1, of this stream and detector
    double e;            // evidence of the stream
    double asked;        // evidence that e-BH asked of it when it opened; 0 in updates and closes
    double mean_e;       // of the quiet streams, before this look
    double threshold;    // c
    double effect_sigma; // feature, score: shift of the normal score; missing, unseen: standardised rise of the share
    double spread_ratio; // standard deviation of the normal score, 1 on the reference
    double share;        // missing, unseen: share in the window; otherwise 0
    double reference_share; // the same of the reference
    double harm;            // concept: as gw_drift_severity_of takes it; NaN otherwise, as rows do not tell
    double psi;             // evidently's dialect, bins with missing and unseen
    double psi_by_chance;   // 99 % of windows without drift stay under it
    double jensen_shannon;  // evidently's dialect
    double jensen_shannon_by_chance;
    uint64_t window_count;           // rows that effect, share and divergences speak of
    uint64_t sample_count;           // rows since the episode opened
    double rate_per_s;               // of rows, lately; 0 while no time has passed
    struct gw_drift_promise promise; // at this rate
    int64_t from_ms;                 // estimated start of the drift
    int64_t at_ms;
};

struct gw_drift_sink {
    void *context;
    // An alarm; a failure ends the call that it came from. NULL in calls that give none.
    gw_status (*alarm)(void *context, const struct gw_drift_alarm *alarm, gw_err *err);
    // A state to be kept under this name; bytes are borrowed. NULL in calls that give none.
    gw_status (*state)(void *context, const char *name, struct gw_slice bytes, gw_err *err);
};

// Gives a bank at its start, freed by gw_drift_bank_free. GW_E_INVALID: an option out of range; GW_E_MEMORY.
GW_CHECK gw_status gw_drift_bank_new(const struct gw_drift_profile *profile,
                                     const struct gw_drift_bank_options *options, struct gw_drift_bank **ret_bank,
                                     gw_err *err);
void gw_drift_bank_free(struct gw_drift_bank *bank);

// Takes in a row: values[value_count] in the profile's order and the score (ignored without a score in the profile).
// GW_E_MISMATCH, nothing changed: another number of values, or a time outside +-2^53 ms. A failure of the sink is
// returned; the row has been taken in, so the caller must go back to its last flush.
GW_CHECK gw_status gw_drift_bank_feed(struct gw_drift_bank *bank, const float *values, uint32_t value_count,
                                      float score, int64_t now_ms, const struct gw_drift_sink *sink, gw_err *err);

// Ends the watch: a close for each open episode, in the order of streams. The bank is only to be freed afterwards.
GW_CHECK gw_status gw_drift_bank_retire(struct gw_drift_bank *bank, const struct gw_drift_sink *sink, gw_err *err);

// Gives every state that has changed since the last flush to the sink: "bank", then one a stream, named after it with
// "stream/" in front. Nothing when no row came in.
GW_CHECK gw_status gw_drift_bank_flush(struct gw_drift_bank *bank, const struct gw_drift_sink *sink, gw_err *err);

// Takes one flushed state into a new bank, in any order. GW_E_MALFORMED; GW_E_MISMATCH: of another profile;
// GW_E_NOT_FOUND: of no stream here.
GW_CHECK gw_status gw_drift_bank_restore(struct gw_drift_bank *bank, const char *name, struct gw_slice bytes,
                                         gw_err *err);
// After the last, before any row: GW_E_MISMATCH when states are missing or not of the same row.
GW_CHECK gw_status gw_drift_bank_restored(struct gw_drift_bank *bank, gw_err *err);

double gw_drift_bank_rate(const struct gw_drift_bank *bank); // rows a second lately; 0 while no time has passed
uint64_t gw_drift_bank_rows(const struct gw_drift_bank *bank);
int64_t gw_drift_bank_now_ms(const struct gw_drift_bank *bank); // of the newest row; before all times without rows
double gw_drift_bank_mean(const struct gw_drift_bank *bank);    // evidence of the quiet streams over m, now
uint32_t gw_drift_bank_open(const struct gw_drift_bank *bank);  // episodes open now

// One stream as it stands, for display; index below gw_drift_bank_streams.
struct gw_drift_view {
    const char *stream;
    double tilt_e;
    double absence_e;
    enum gw_drift_episode_state tilt_state;
    enum gw_drift_episode_state absence_state;
    double effect_sigma;
    double missing_share;
    double psi;
    uint64_t window_count;
    struct gw_drift_promise promise;
};
uint32_t gw_drift_bank_streams(const struct gw_drift_bank *bank);
void gw_drift_bank_view(const struct gw_drift_bank *bank, uint32_t index, struct gw_drift_view *ret_view);
