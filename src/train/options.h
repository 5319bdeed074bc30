// SPDX-License-Identifier: MIT
// The command line of godwit-train.
#pragma once

#include "base/err.h"
#include "model/bundle.h"

#include <stdbool.h>
#include <stdint.h>

struct gw_train_head {
    char name[64]; // a label of the examples file
    double weight; // in the bundle's score
};

struct gw_train_options {
    const char *rows_path;
    const char *reference_path; // NULL: the examples that are learned from are the drift reference
    const char *out_directory;
    const char *model_name;
    size_t head_count;
    struct gw_train_head heads[GW_BUNDLE_HEADS_MAX]; // the first is the primary one
    uint32_t tree_count;                             // 1 to 10,000
    uint32_t depth;                                  // 1 to 16
    double eta;                                      // over 0, at most 1
    uint32_t seed;
    uint32_t thread_count;          // 1 to 1024; the same count gives the same model
    double holdout;                 // share of the latest examples kept for measuring, 0.01 to 0.9
    uint32_t early_stopping_rounds; // rounds without a better holdout log loss; 0 = never stop early
    double drift_tolerance;         // at least so much of a drift is ignored (drift/profile.h), 0 to 1
    double negative_rate;           // share of the negatives that the examples still have, over 0, at most 1
    bool progress_json;             // JSON lines on stdout instead of text on stderr
    bool baseline_as_sampled;      // the loss baseline counts held-out rows as they are, whatever their weights
    bool help;                      // print gw_train_usage and stop; nothing else is checked then
};

extern const char gw_train_usage[];

// Parses the arguments (argv[0] is skipped); strings point into argv. GW_E_INVALID with what is wrong.
GW_CHECK gw_status gw_train_options_parse(int argc, char **argv, struct gw_train_options *ret_options, gw_err *err);
