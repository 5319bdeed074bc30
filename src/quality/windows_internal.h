// SPDX-License-Identifier: MIT
// The set of open windows. For windows*.c only.
#pragma once

#include "quality/windows.h"

struct gw_open_key {
    int64_t start_ms;
    int32_t model_version;
    uint8_t head_count;
    uint8_t variant_bytes;
    uint8_t variant[GW_QUALITY_VARIANT_BYTES_MAX];
};

struct gw_open_window {
    struct gw_open_key key;
    bool changed;  // since the last flush
    bool recorded; // the changelog has it: closing wants tombstones
    bool closed;   // the sink had it; heads are freed; kept until the watermark has moved and the tombstones are out
    struct gw_head_quality *heads[GW_QUALITY_HEADS_MAX];
};

struct gw_quality_windows {
    struct gw_quality_windows_options options;
    int64_t watermark_ms;
    uint64_t counts[GW_QUALITY_OUTCOME_COUNT];
    bool changed;                 // watermark or counts, since the last flush
    struct gw_open_window **open; // sorted by key; closed ones too
    size_t size;
    size_t capacity;
    size_t open_count; // without the closed ones
};

// The window of the key, made when there is none. GW_E_MEMORY changes nothing.
GW_CHECK gw_status gw_open_window_get(struct gw_quality_windows *windows, const struct gw_open_key *key,
                                      struct gw_open_window **ret_window, gw_err *err);
struct gw_open_window *gw_open_window_find(const struct gw_quality_windows *windows, const struct gw_open_key *key);

// Takes an open window out, if there is one.
void gw_open_window_remove(struct gw_quality_windows *windows, const struct gw_open_key *key);

// Frees closed windows that the watermark has passed, without tombstones left to write.
void gw_open_windows_sweep(struct gw_quality_windows *windows);
