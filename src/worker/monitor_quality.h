// SPDX-License-Identifier: MIT
// Live quality of the models of one input partition: label samples in, records of model_quality out.
//
// Each model has windows of its own (quality/windows.h); all of a partition share one watermark. It follows the time at
// which final samples were served: label hands them over in that order but for the seconds by which its partitions
// differ, which the lateness covers. A model that is served no more has its last windows closed by the others. Only
// times in records count, so what is written follows from the log alone.
//
// A head is known by its name, which is the label it predicts (label/bits.h): what a window is of (its version, variant
// and heads) stands in its key, so no other source is asked and none must be remembered. Heads that are no label cannot
// be judged; they are left out and counted.
//
// One owning thread. Memory: as quality/windows.h, for `models_max` models.
#pragma once

#include "quality/windows.h"
#include "records/label_sample.h"
#include "records/model_quality.h"

struct gw_monitor_quality;

struct gw_monitor_quality_options {
    int64_t width_ms;     // > 0
    int64_t lateness_ms;  // >= 0: how long past its end a window stays open
    int64_t ahead_ms;     // >= 0: samples served further past their own append time are dropped
    uint32_t windows_max; // > 0: open windows of a model
    uint32_t models_max;  // > 0
};

// What became of a sample.  X(suffix, name)
#define GW_MONITOR_OUTCOME_MAP(X)                                                                                      \
    X(ADDED, "added")                                                                                                  \
    X(LATE, "late")           /* its window was closed */                                                              \
    X(AHEAD, "ahead")         /* served after it was appended */                                                       \
    X(FULL, "full")           /* too many models or windows, or the window has as many rows as it can */               \
    X(INVALID, "invalid")     /* a number, name or time out of its range, or not one name a head */                    \
    X(NOT_FINAL, "not_final") /* its label may still change */                                                         \
    X(UNNAMED, "unnamed")     /* its heads have no names: written before records had them */                           \
    X(NO_LABEL, "no_label")   /* none of its heads predicts a label */

enum gw_monitor_outcome {
#define X(suffix, name) GW_MONITOR_##suffix,
    GW_MONITOR_OUTCOME_MAP(X)
#undef X
        GW_MONITOR_OUTCOME_COUNT
};

const char *gw_monitor_outcome_name(enum gw_monitor_outcome outcome);

// A head of a window that was closed; borrowed for the call.
typedef gw_status (*gw_monitor_quality_sink)(void *context, const struct gw_model_quality *record, gw_err *err);

// An entry of the changelog, borrowed for the call. `detector` is text and names the entry among those of its model;
// state.data is NULL for a tombstone.
typedef gw_status (*gw_monitor_state_sink)(void *context, struct gw_slice model, struct gw_slice detector,
                                           struct gw_slice state, gw_err *err);

// NULL without memory.
GW_CHECK struct gw_monitor_quality *gw_monitor_quality_new(const struct gw_monitor_quality_options *options);
void gw_monitor_quality_free(struct gw_monitor_quality *quality);

// Takes a sample that was appended to the log at append_time_ms, and hands the heads of windows that it closes to the
// sink, by model, then as in quality/windows.h. *ret_unknown_heads: how many of its heads are no label. When the sink
// fails its status is returned and the state is to be thrown away. GW_E_MEMORY: the same.
GW_CHECK gw_status gw_monitor_quality_add(struct gw_monitor_quality *quality, const struct gw_label_sample *sample,
                                          int64_t append_time_ms, gw_monitor_quality_sink sink, void *context,
                                          enum gw_monitor_outcome *ret_outcome, uint32_t *ret_unknown_heads,
                                          gw_err *err);

// Hands over what changed since the last flush.
GW_CHECK gw_status gw_monitor_quality_flush(struct gw_monitor_quality *quality, gw_monitor_state_sink sink,
                                            void *context, gw_err *err);

// Whether the name of an entry is one of ours; others share the changelog.
bool gw_monitor_quality_owns(struct gw_slice detector);

// Puts an entry back (as gw_quality_windows_restore). Entries of windows of another width are left out, and the next
// flush takes them out of the changelog: who changes the width starts anew. GW_E_MALFORMED, GW_E_TOO_LARGE,
// GW_E_MEMORY.
GW_CHECK gw_status gw_monitor_quality_restore(struct gw_monitor_quality *quality, struct gw_slice model,
                                              struct gw_slice detector, struct gw_slice state, gw_err *err);

// After the last entry: how many windows are open, and how many entries were of another width.
struct gw_monitor_quality_stats {
    uint32_t models;
    uint32_t open_windows;
    uint32_t stale_entries;
};
GW_CHECK gw_status gw_monitor_quality_restored(struct gw_monitor_quality *quality, gw_err *err);
struct gw_monitor_quality_stats gw_monitor_quality_stats(const struct gw_monitor_quality *quality);
