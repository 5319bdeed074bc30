// SPDX-License-Identifier: MIT
// From a manifest to two files of examples: what the trainer learns from, and later rows that only the gate sees. What
// live vectors look like is a third one (retrain_reference.h).
//
// Of training_examples the closed windows of the manifest's layout count, served in its span, the newest rows_max of
// them. They are ordered by time served, then partition and offset, so the same manifest gives the same bytes. All
// rows for the gate were served later than all rows for the trainer. Candidates of one request are no independent
// draws, so the gate gets one of each request, chosen by a hash.
#pragma once

#include "worker/retrain_labels.h"
#include "worker/retrain_manifest.h"

struct gw_retrain_dataset {
    uint64_t rows; // kept, before they were divided
    uint64_t train_rows;
    uint64_t gate_rows;
    int scarce_label;        // of the heads' labels the one with the fewest examples of its rarer class to learn from
    uint64_t scarce_rows;    // how many those are
    uint64_t reference_rows; // 0: no file
    double champion_rate;    // positives of the primary head that the champion was trained on; NaN: not known
    double train_rate;       // weighted share of positives of the primary head
    float gate_weight_max;
    struct gw_retrain_labels labels; // of the primary head, over all rows
    uint64_t unusable; // records that are damaged, and closed windows that could not be used: of another layout, wrong
                       // size, wrong weight
};

struct gw_retrain_dataset_options {
    const struct gw_runtime *runtime;
    const struct gw_retrain_manifest *manifest;
    const struct gw_bundle_info *champion; // whose feature names the layout stands for
    const char *train_path;                // made anew
    const char *gate_path;
    const char *reference_path;  // made when there are samples enough (retrain_reference.h)
    bool (*stop)(void *context); // asked about ten times a second; NULL: never
    void *context;
};

// GW_E_NOT_FOUND: records of the manifest are gone. GW_E_INVALID: the rows cannot be divided, or a head is no label.
// GW_E_ABORTED: stopped. GW_E_MEMORY, GW_E_IO, GW_E_UNAVAILABLE, GW_E_TIMEOUT. All files are there, or none counts.
GW_CHECK gw_status gw_retrain_dataset_build(const struct gw_retrain_dataset_options *options,
                                            struct gw_retrain_dataset *ret_dataset, gw_err *err);
