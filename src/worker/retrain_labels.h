// SPDX-License-Identifier: MIT
// Are the labels of a data set fit to learn from? A broken label stream would teach a model nothing, or nonsense, so it
// disconnects the trainer. Pure: of the rows only what is summed here.
//
// What it sees: that examples stopped coming; that all are of one class; that the positive rate is suddenly another
// one. What it cannot see: labels that are wrong at the rate of before. A model that learns from those informs nobody,
// and the gate refuses it (retrain_gate.h).
#pragma once

#include "base/metrics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GW_RETRAIN_LABELS_FACTOR  5.0 // of positive rates; a world that changes by more is for people to judge
#define GW_RETRAIN_LABELS_SIGMAS  6.0 // candidates of one request are no independent draws: a wide margin for that
#define GW_RETRAIN_LABELS_LATE_MS (10 * 60 * 1000)
#define GW_RETRAIN_LABELS_GAPS    20.0 // mean distances between rows: rare traffic may pause for longer

// Rows of the primary head's label.
struct gw_retrain_label_part {
    uint64_t rows;
    uint64_t positive_rows;
    double weights;
    double squares; // of weights
    double positive_weights;
};

struct gw_retrain_labels {
    int64_t oldest_ms; // of all rows, times served
    int64_t newest_ms;
    struct gw_retrain_label_part before; // the older rows,
    struct gw_retrain_label_part newest; // and the newest tenth
};

struct gw_retrain_labels_rules {
    bool by_hand;        // somebody wants these rows learned, however old they are: stale is no fault
    int64_t cutoff_ms;   // when the data set was asked for
    int64_t window_ms;   // label.window: a row is final so long after it was served,
    int64_t settle_ms;   // label.settle: or a little later
    double trained_rate; // positive rate that the champion was trained on; NaN: not known
};

void gw_retrain_labels_add(struct gw_retrain_label_part *part, bool positive, double weight);

// What is broken, in order of the checks.  X(suffix, name)
#define GW_RETRAIN_LABELS_MAP(X)                                                                                       \
    X(FINE, "fine")                                                                                                    \
    X(STALE, "stale")         /* the newest row is older than it should be */                                          \
    X(ONE_CLASS, "one_class") /* no positives, or nothing else */                                                      \
    X(RATE, "rate")           /* the newest rows have another positive rate */

enum gw_retrain_labels_fault {
#define X(suffix, name) GW_RETRAIN_LABELS_##suffix,
    GW_RETRAIN_LABELS_MAP(X)
#undef X
        GW_RETRAIN_LABELS_FAULT_COUNT
};

const char *gw_retrain_labels_fault_name(enum gw_retrain_labels_fault fault);

// godwit_retrain_labels_broken_total of that fault; NULL without memory.
GW_CHECK struct gw_metric *gw_retrain_labels_metric(struct gw_metrics *metrics, enum gw_retrain_labels_fault fault);

// Gives a verdict in words when something is broken. At least one row.
enum gw_retrain_labels_fault gw_retrain_labels_judge(const struct gw_retrain_labels *labels,
                                                     const struct gw_retrain_labels_rules *rules, char *ret_verdict,
                                                     size_t size);
