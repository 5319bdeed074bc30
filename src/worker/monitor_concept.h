// SPDX-License-Identifier: MIT
// Change of the labels' law, by input partition: label samples in, alerts out.
//
// Each head that predicts a label, of each version that is sampled, has a watch over its loss (drift/loss.h) against
// the baseline of the same name in the version's reference. Versions are kept as monitor_watches.h says, with the state
// in the changelog as concept/VERSION/HEAD. A row's time is when its prediction was served: label hands samples over in
// that order but for seconds, and an alert then says since when predictions have been worse. Rows that come more than
// idle_ms behind (partitions of label were that far apart) are left out.
//
// Only final labels count: one that is not may yet become a positive. Weights are not used: which rows are sampled
// is chosen by hashes in which the outcome has no part. Lanes have shares of their own (served_sample and
// served_sample_sync of score), so rows are a mix of them; retrain's baselines are of the same mix (`--baseline
// as-sampled` of godwit-train). A lasting change of the mix, such as another share, looks like a change of concept where
// the lanes' traffic differs in how hard it is to predict; the next training takes it in.
//
// Only record times count and only this topic is read, so what is said follows from the log and the references alone.
//
// One owning thread.
#pragma once

#include "drift/loss.h"
#include "records/label_sample.h"
#include "worker/monitor_watches.h"

struct gw_monitor_concept;

struct gw_monitor_concept_options {
    struct gw_drift_loss_options loss;
    gw_monitor_reference_get reference;
    void *reference_context; // borrowed
    uint32_t versions_max;   // > 0
    int64_t idle_ms;         // > 0
    int64_t ahead_ms;        // >= 0: as of gw_monitor_quality_options
};

// What became of a head of a sample.  X(suffix, name)
#define GW_MONITOR_HEARD_MAP(X)                                                                                        \
    X(WATCHED, "watched")                                                                                              \
    X(NOT_FINAL, "not_final")     /* its label may still change */                                                     \
    X(UNNAMED, "unnamed")         /* its heads have no names: written before records had them */                       \
    X(NO_LABEL, "no_label")       /* it predicts no label */                                                           \
    X(UNKNOWN, "unknown_model")   /* no such version in the registry */                                                \
    X(NO_PROFILE, "no_profile")   /* its version came without a reference */                                           \
    X(STALE, "stale_profile")     /* its version's reference is damaged */                                             \
    X(NO_BASELINE, "no_baseline") /* the reference has none of this head, or of too few rows */                        \
    X(AHEAD, "ahead")             /* served after it was appended */                                                   \
    X(LATE, "late")               /* served so long before others of its model that it speaks of the past */           \
    X(INVALID, "invalid")         /* a name, number or time out of its range */

enum gw_monitor_heard {
#define X(suffix, name) GW_MONITOR_HEARD_##suffix,
    GW_MONITOR_HEARD_MAP(X)
#undef X
        GW_MONITOR_HEARD_COUNT
};

const char *gw_monitor_heard_name(enum gw_monitor_heard heard);

// NULL without memory.
GW_CHECK struct gw_monitor_concept *gw_monitor_concept_new(const struct gw_monitor_concept_options *options);
void gw_monitor_concept_free(struct gw_monitor_concept *concept);

// Takes a sample that was appended to the log at append_time_ms, and adds to `counts` what became of each of its heads;
// a sample without any counts once. When it fails (the sink's status; GW_E_MEMORY; RETRY class: the registry is away)
// the state is to be thrown away.
GW_CHECK gw_status gw_monitor_concept_add(struct gw_monitor_concept *concept, const struct gw_label_sample *sample,
                                          int64_t append_time_ms, gw_monitor_alert_sink sink, void *context,
                                          uint64_t counts[GW_MONITOR_HEARD_COUNT], gw_err *err);

// The watched versions: their flush, restore and stats are those of monitor_watches.h. Lives as long as `concept`.
struct gw_monitor_watches *gw_monitor_concept_watches(struct gw_monitor_concept *concept);
