// SPDX-License-Identifier: MIT
// Drift of the features and scores of one input partition: feature samples in, alerts out.
//
// Each version of a model that is sampled has a bank of detectors (drift/bank.h) over the reference that came with it,
// as monitor_watches.h says; its state is in the changelog as drift/VERSION/... A row's time is its append time.
// Weights are not used: which rows are sampled is chosen by a hash in which their values have no part.
//
// Only record times count and only this topic is read, so what is said follows from the log and the references alone.
//
// One owning thread.
#pragma once

#include "records/feature_sample.h"
#include "worker/monitor_watches.h"

struct gw_monitor_features;

struct gw_monitor_features_options {
    struct gw_drift_bank_options bank;
    gw_monitor_reference_get reference;
    void *reference_context; // borrowed
    uint32_t versions_max;   // > 0
    int64_t idle_ms;         // > 0
    int64_t ahead_ms;        // >= 0: as of gw_monitor_quality_options
};

// What became of a sample.  X(suffix, name)
#define GW_MONITOR_FED_MAP(X)                                                                                          \
    X(WATCHED, "watched")                                                                                              \
    X(UNKNOWN, "unknown_model")  /* no such version in the registry */                                                 \
    X(NO_PROFILE, "no_profile")  /* its version came without a reference: baselines, imported models */                \
    X(STALE, "stale_profile")    /* its reference is of other features than the sample: renamed, or damaged */         \
    X(BLIND, "promise_too_long") /* so few false alarms over so many features leave no room for evidence */            \
    X(AHEAD, "ahead")            /* served after it was appended */                                                    \
    X(INVALID, "invalid")        /* a name, number or time out of its range, or not one value a feature */

enum gw_monitor_fed {
#define X(suffix, name) GW_MONITOR_FED_##suffix,
    GW_MONITOR_FED_MAP(X)
#undef X
        GW_MONITOR_FED_COUNT
};

const char *gw_monitor_fed_name(enum gw_monitor_fed fed);

// NULL without memory.
GW_CHECK struct gw_monitor_features *gw_monitor_features_new(const struct gw_monitor_features_options *options);
void gw_monitor_features_free(struct gw_monitor_features *features);

// Takes a sample that was appended to the log at append_time_ms. When it fails (the sink's status; GW_E_MEMORY; RETRY
// class: the registry is away) the state is to be thrown away.
GW_CHECK gw_status gw_monitor_features_add(struct gw_monitor_features *features, const struct gw_feature_sample *sample,
                                           int64_t append_time_ms, gw_monitor_alert_sink sink, void *context,
                                           enum gw_monitor_fed *ret_fed, gw_err *err);

// The watched versions: their flush, restore and stats are those of monitor_watches.h. Lives as long as `features`.
struct gw_monitor_watches *gw_monitor_features_watches(struct gw_monitor_features *features);
