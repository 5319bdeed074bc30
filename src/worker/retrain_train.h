// SPDX-License-Identifier: MIT
// The trainer as a child process: with limits, watched line by line, ended when told to, and gone when we are.
//
// The child leads a process group of its own, so that everything it starts ends with it. It dies with the thread that
// started it (parent-death signal): a killed worker leaves no trainer behind.
#pragma once

#include "model/bundle.h"
#include "worker/retrain_manifest.h"

struct gw_retrain_train_options {
    const struct gw_retrain_manifest *manifest;
    const char *train_path;
    const char *reference_path; // NULL: none, the rows of train_path are the reference
    const char *out_directory;  // must not exist
    const char *log_path;       // gets the trainer's stderr; its last line explains a failure
    uint64_t memory_bytes;      // of address space; 0: no limit
    uint64_t time_limit_ms;
    // Told about each round. A failure ends the trainer and is returned.
    gw_status (*round)(void *context, const char *head, int32_t round, double log_loss, gw_err *err);
    // Asked about five times a second: GW_OK to go on; anything else ends the trainer and is returned.
    gw_status (*watch)(void *context, gw_err *err);
    void *context;
};

// Runs it to its end; ret_digest is the bundle's as the trainer said. GW_E_INVALID: it refused, with its last words;
// GW_E_EXHAUSTED: over the time; GW_E_BEHIND: a signal that is not ours ended it, so that trying again may help;
// GW_E_NOT_FOUND: there is no trainer; what round and watch return.
GW_CHECK gw_status gw_retrain_train(const struct gw_retrain_train_options *options,
                                    char ret_digest[GW_BUNDLE_DIGEST_BYTES], gw_err *err);
