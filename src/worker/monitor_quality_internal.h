// SPDX-License-Identifier: MIT
// The models of a partition with their windows. For monitor_quality*.c only.
#pragma once

#include "worker/monitor_changelog.h"
#include "worker/monitor_quality.h"

enum {
    GW_MONITOR_KEY_BYTES_MAX = 96, // of quality/windows.h
    GW_MONITOR_DETECTOR_BYTES_MAX = 32 + 2 * GW_MONITOR_KEY_BYTES_MAX,
};

struct gw_monitor_model {
    struct gw_slice name; // of `text`
    struct gw_quality_windows *windows;
    char text[GW_MONITOR_MODEL_BYTES_MAX];
};

// An entry of windows of another width.
struct gw_monitor_stale {
    struct gw_monitor_model *model;
    char detector[GW_MONITOR_DETECTOR_BYTES_MAX];
    uint32_t size;
};

struct gw_monitor_quality {
    struct gw_monitor_quality_options options;
    int64_t watermark_ms;             // a multiple of the width, plus the lateness: windows close at these only
    struct gw_monitor_model **models; // sorted by name
    uint32_t model_count;
    uint32_t model_capacity;
    struct gw_monitor_stale *stale; // to be taken out of the changelog
    size_t stale_count;
    size_t stale_capacity;
};

// Finds the model, or makes one that stands at the watermark. *ret_model NULL: there is no room for another one.
GW_CHECK gw_status gw_monitor_model_get(struct gw_monitor_quality *quality, struct gw_slice name,
                                        struct gw_monitor_model **ret_model, gw_err *err);

// Moves a model's windows to a watermark that none of the open ones has passed; GW_E_MISMATCH otherwise.
GW_CHECK gw_status gw_monitor_model_align(struct gw_monitor_model *model, int64_t watermark_ms, gw_err *err);
