// SPDX-License-Identifier: MIT
// A lane of monitor: what it holds of each partition of its inputs, and what it counts. For monitor*.c only.
#pragma once

#include "worker/lane.h"
#include "worker/monitor_concept.h"
#include "worker/monitor_features.h"
#include "worker/monitor_quality.h"
#include "worker/state.h"

enum { GW_MONITOR_PARTITIONS_MAX = 256 };

enum gw_monitor_source { GW_MONITOR_LABELS, GW_MONITOR_FEATURES, GW_MONITOR_SOURCES };

// What is known of a partition of one input. Each input takes over, changes and flushes its own state, whatever becomes
// of the other one's partition of the same number.
struct gw_monitor_owned {
    bool held;
    bool read;                            // the changelog's entries
    struct gw_monitor_quality *quality;   // labels
    struct gw_monitor_concept *concept;   // labels
    struct gw_monitor_features *features; // features
    int64_t offset;                       // of the last sample
};

// Counted when they are committed.
struct gw_monitor_counts {
    uint64_t samples[GW_MONITOR_OUTCOME_COUNT];
    uint64_t unknown_heads;
    uint64_t records;
    uint64_t heard[GW_MONITOR_HEARD_COUNT];
    uint64_t fed[GW_MONITOR_FED_COUNT];
    uint64_t alerts;
    uint64_t state_entries;
    uint64_t state_bytes;
};

struct gw_monitor_metrics {
    struct gw_metric *samples[GW_MONITOR_OUTCOME_COUNT];
    struct gw_metric *unknown_heads;
    struct gw_metric *records;
    struct gw_metric *heard[GW_MONITOR_HEARD_COUNT];
    struct gw_metric *fed[GW_MONITOR_FED_COUNT];
    struct gw_metric *alerts;
    struct gw_metric *state_entries;
    struct gw_metric *state_bytes;
    struct gw_metric *open_windows;
    struct gw_metric *watched_features;
    struct gw_metric *watched_concept;
    struct gw_metric *open_alerts;
};

// A sample between decode and process.
struct gw_monitor_pending {
    enum gw_monitor_source source;
    union {
        struct gw_label_sample label;
        struct gw_feature_sample features;
    };
    int32_t partition;
    int64_t offset;
    int64_t append_time_ms;
    uint32_t slot;
};

struct gw_monitor_lane {
    const struct gw_runtime *runtime;
    uint32_t slot;
    struct gw_monitor_quality_options quality_options;
    struct gw_monitor_concept_options concept_options;
    struct gw_monitor_features_options features_options;
    struct gw_monitor_references *references;
    struct gw_state_reader *reader;
    enum gw_monitor_source reading; // whose partition the reader reads
    struct gw_monitor_owned owned[GW_MONITOR_SOURCES][GW_MONITOR_PARTITIONS_MAX];
    int32_t partition_count;
    struct gw_arena arena; // one batch, or one entry of state
    struct gw_monitor_pending *batch;
    uint32_t batch_count;
    uint32_t batch_capacity;
    struct gw_loop *loop; // while a hook runs, for the sinks
    struct gw_buf key;
    struct gw_buf value;
    struct gw_buf scratch;
    struct gw_monitor_counts counts;
    struct gw_monitor_metrics metrics;
};

// ---- monitor_owned.c: partitions and their changelog. The functions of gw_loop_state_ops.
gw_status gw_monitor_takeover(void *lane, uint32_t source, int32_t partition, int64_t offset, bool *ret_done,
                              gw_err *err);
void gw_monitor_release(void *lane, uint32_t source, int32_t partition);
gw_status gw_monitor_flush(void *lane, struct gw_loop *loop, gw_err *err);
const char *gw_monitor_source_topic(const struct gw_monitor_lane *lane, enum gw_monitor_source source);

// ---- monitor_metrics.c
GW_CHECK gw_status gw_monitor_metrics_init(struct gw_monitor_lane *lane, gw_err *err);
void gw_monitor_metrics_report(struct gw_monitor_lane *lane);  // adds what was counted, and forgets it
void gw_monitor_metrics_measure(struct gw_monitor_lane *lane); // what is held now
