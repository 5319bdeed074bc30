// SPDX-License-Identifier: MIT
// What the serving_metrics stream and successive counts say about the pipeline's speed. Pure: records and times come
// in.
//
// Each scoring process writes one record a second per lane thread. A lane's figures are those of each process's last
// whole second, summed; a latency is the worst process's, because an average of percentiles hides the one that hurts.
#pragma once

#include "records/serving_metrics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GW_OVERVIEW_SERIES_MAX 64 // (instance, lane); past it the one that was silent longest is forgotten

// One second of one (instance, lane): its threads' records share their start and are summed up.
struct gw_overview_window {
    int64_t start_ms; // wall; 0: none yet
    int64_t length_ms;
    uint64_t first_us; // monotonic arrival of the first and the last record
    uint64_t last_us;
    int64_t requests;
    int64_t predictions;
    int64_t rows_wanted;
    int64_t rows_found;
    int64_t lag;
    double p50_us, p95_us, p99_us; // worst of those that answered anything; 0: none did
};

struct gw_overview_series {
    char instance[64];
    char lane[16];
    char digest[72]; // of the bundle that scores
    struct gw_overview_window newest;
    struct gw_overview_window whole; // the one before it
};

struct gw_overview {
    struct gw_overview_series series[GW_OVERVIEW_SERIES_MAX];
    size_t count;
};

// Takes one record in at now_us (monotonic).
void gw_overview_note(struct gw_overview *overview, const struct gw_serving_metrics *record, uint64_t now_us);

// Figures of a lane; NaN where nothing was measured.
struct gw_overview_lane {
    uint32_t processes; // that reported in the last seconds; 0: all else is NaN or -1
    double requests_per_s;
    double predictions_per_s;
    double p50_ms, p95_ms, p99_ms;
    int64_t lag; // -1: unknown
    int64_t rows_wanted;
    int64_t rows_found;
    const char *digest; // of the process that reported last, "" when none; lives as long as the overview is unchanged
};
void gw_overview_lane(const struct gw_overview *overview, const char *lane, uint64_t now_us,
                      struct gw_overview_lane *ret_lane);

// Rows found of rows wanted by all lanes; NaN when none were wanted.
double gw_overview_hit_ratio(const struct gw_overview *overview, uint64_t now_us);

// A count that only grows, looked at now and then.
struct gw_overview_count {
    bool known;
    int64_t value;
    uint64_t at_us;
};

// Growth a second since the last look; NaN at the first one, and after a count went back or was unknown (`known`
// false).
double gw_overview_rate(struct gw_overview_count *count, bool known, int64_t value, uint64_t now_us);
