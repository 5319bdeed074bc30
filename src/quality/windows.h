// SPDX-License-Identifier: MIT
// Live quality of one model in tumbling windows of event time, one per (window, version, variant, number of heads).
//
// A sample belongs to the window of the time its candidate was served. A window is open from its first sample until the
// watermark reaches its end plus the lateness; it is then handed to the sink once, and samples that still come for it
// are counted as late and dropped. The watermark is told by the caller, who knows how long labels may take.
//
// What happens is a function of the calls alone: no clock, no hash order. gw_quality_windows_flush writes what changed
// since the last flush as key-value records for a compacted changelog; gw_quality_windows_restore of the latest record
// of each key gives a state that continues exactly as the original would have.
//
// One owning thread. Memory: 67 KiB a head of an open window; open windows are bounded.
#pragma once

#include "base/bytes.h"
#include "quality/head_quality.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GW_QUALITY_HEADS_MAX         32
#define GW_QUALITY_VARIANT_BYTES_MAX 64

struct gw_quality_windows;

struct gw_quality_windows_options {
    int64_t width_ms;    // > 0; windows start at multiples of it
    int64_t lateness_ms; // >= 0; how long past its end a window stays open
    int64_t ahead_ms;    // >= 0; samples served further past the watermark (once there is one) are dropped
    uint32_t open_max;   // > 0; windows open at a time
};

struct gw_quality_sample {
    int32_t model_version;
    struct gw_slice variant;  // the route, at most 64 bytes, may be empty
    const float *predictions; // head_count probabilities, borrowed
    size_t head_count;        // 1 to 32
    uint32_t positives;       // bit h: head h's label is positive; bits past head_count are ignored
    double weight;            // as gw_head_row
    int64_t served_at_ms;     // >= 0
    bool final;               // the label is known; else the sample only announces that one will come
};

// What became of a sample.  X(suffix, name)
#define GW_QUALITY_OUTCOME_MAP(X)                                                                                      \
    X(ADDED, "added")                                                                                                  \
    X(LATE, "late")       /* its window was closed */                                                                  \
    X(AHEAD, "ahead")     /* served too far in the future */                                                           \
    X(FULL, "full")       /* open_max windows are open, or its window holds as many rows as it can */                  \
    X(INVALID, "invalid") /* a prediction that is no probability, a weight, time, variant or head count out of range   \
                           */

enum gw_quality_outcome {
#define X(suffix, name) GW_QUALITY_##suffix,
    GW_QUALITY_OUTCOME_MAP(X)
#undef X
        GW_QUALITY_OUTCOME_COUNT
};

const char *gw_quality_outcome_name(enum gw_quality_outcome outcome);

// A window as the sink and the visitor see it; everything is borrowed for the call.
struct gw_quality_window {
    int64_t start_ms;
    int64_t end_ms; // exclusive
    int32_t model_version;
    struct gw_slice variant;
    const struct gw_head_quality *const *heads;
    size_t head_count;
};

typedef gw_status (*gw_quality_window_sink)(void *context, const struct gw_quality_window *window, gw_err *err);

// A record of the changelog; value.data is NULL for a tombstone.
typedef gw_status (*gw_quality_record_sink)(void *context, struct gw_slice key, struct gw_slice value, gw_err *err);

// Gives an empty set of windows, or NULL without memory. Free with gw_quality_windows_free.
GW_CHECK struct gw_quality_windows *gw_quality_windows_new(const struct gw_quality_windows_options *options);
void gw_quality_windows_free(struct gw_quality_windows *windows);

// Adds a sample, or counts why not: *ret_outcome. GW_E_MEMORY changes nothing.
GW_CHECK gw_status gw_quality_windows_add(struct gw_quality_windows *windows, const struct gw_quality_sample *sample,
                                          enum gw_quality_outcome *ret_outcome, gw_err *err);

// Moves the watermark to `watermark_ms` (never back) and hands each window that it closes to the sink, in the order of
// start, version, variant and head count. When the sink fails, its status is returned, that window stays open and the
// watermark stays; the same call again goes on there.
GW_CHECK gw_status gw_quality_windows_advance(struct gw_quality_windows *windows, int64_t watermark_ms,
                                              gw_quality_window_sink sink, void *context, gw_err *err);

// Visits the open windows in the same order, to show quality before its labels are complete.
GW_CHECK gw_status gw_quality_windows_visit(const struct gw_quality_windows *windows, gw_quality_window_sink visitor,
                                            void *context, gw_err *err);

// INT64_MIN before the first gw_quality_windows_advance.
int64_t gw_quality_windows_watermark_ms(const struct gw_quality_windows *windows);
size_t gw_quality_windows_open_count(const struct gw_quality_windows *windows);
uint64_t gw_quality_windows_count(const struct gw_quality_windows *windows, enum gw_quality_outcome outcome);

// Hands the records that changed since the last flush to the sink: tombstones for closed windows, then one for
// watermark and counts, one per head of each changed window. A key has at most 96 bytes, a value at most 160 KiB. When
// the sink fails, its status is returned and the next flush hands over all of them again.
GW_CHECK gw_status gw_quality_windows_flush(struct gw_quality_windows *windows, gw_quality_record_sink sink,
                                            void *context, gw_err *err);

// Puts one record of the changelog back into windows made with the same options and not used otherwise before. Records
// of one key come in the changelog's order; compaction may have left out any that a later one replaces. GW_E_MALFORMED:
// bytes that no flush wrote. GW_E_TOO_LARGE: more windows than open_max. GW_E_MISMATCH: a window of another width.
// GW_E_MEMORY.
GW_CHECK gw_status gw_quality_windows_restore(struct gw_quality_windows *windows, struct gw_slice key,
                                              struct gw_slice value, gw_err *err);
