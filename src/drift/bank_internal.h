// SPDX-License-Identifier: MIT
// What the parts of the bank share: bank.c feeds and looks, bank_explain.c says how large, bank_state.c keeps.
#pragma once

#include "drift/bank.h"
#include "drift/detector.h"
#include "drift/window.h"

enum { BANK_TILT, BANK_ABSENCE, BANK_KINDS };
_Static_assert(BANK_KINDS == GW_DRIFT_STREAM_DETECTORS, "bank.h says how many detectors a stream has");

struct bank_stream {
    struct gw_drift_detector detector;
    float quiet[BANK_KINDS];       // 1 when the episode is quiet, else 0: who counts for the alarm
    float e[BANK_KINDS];           // evidence after the last row
    uint64_t calm_row[BANK_KINDS]; // last row after which there was next to no evidence
    int64_t calm_ms[BANK_KINDS];
    const struct gw_drift_feature *feature;
    struct gw_drift_learned *learned; // categorical features, else NULL
    uint8_t *counts;                  // [GW_DRIFT_BLOCKS][row_count]: rows of the window by block
    struct gw_drift_episode episode[BANK_KINDS];
    uint64_t restored_rows; // rows that the restored state stands for
    bool restored;
};

struct gw_drift_bank {
    const struct gw_drift_profile *profile; // borrowed
    struct gw_drift_bank_options options;
    struct bank_stream *streams; // [stream_count], the score last
    uint32_t stream_count;
    double *evidence;    // [2 * stream_count], scratch of a look
    uint32_t *culprits;  // the same
    struct gw_buf bytes; // scratch of a flush
    uint64_t rows;       // taken in
    uint64_t looked_row; // at the last look
    uint64_t flushed_row;
    struct gw_drift_blocks blocks;
    int64_t now_ms;
    double mean;   // of the quiet streams after the last row
    uint32_t busy; // episodes that are not quiet
    bool restored; // the bank's own record was
};

// Sets quiet and busy from the episodes' states.
void gw_drift_bank_count_busy(struct gw_drift_bank *bank);

// The window's counts by table row, from the change on where that is known. Returns their sum.
uint64_t gw_drift_bank_window(const struct gw_drift_bank *bank, const struct bank_stream *stream, int kind,
                              double *counts);

// Fills kind, effect, shares, divergences and rate.
void gw_drift_bank_explain(const struct gw_drift_bank *bank, const struct bank_stream *stream, int kind,
                           struct gw_drift_alarm *alarm);

// What is promised for one detector at the present rate: some 100 us of arithmetic, for alarms and people only.
void gw_drift_bank_promise(const struct gw_drift_bank *bank, const struct bank_stream *stream, int kind,
                           struct gw_drift_promise *ret_promise);
