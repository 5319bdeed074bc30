// SPDX-License-Identifier: MIT
// The references that came with versions (drift/profile.h), fetched from the registry once and kept: a version never
// changes. The cache on disk is the scorers' (score.model_directory).
//
// One owning thread. Memory: some 150 KiB for each 48 features of a version asked for, until the process ends.
#pragma once

#include "drift/profile.h"
#include "worker/runtime.h"

struct gw_monitor_references;

enum gw_monitor_reference_state {
    GW_MONITOR_REFERENCE_READY,
    GW_MONITOR_REFERENCE_UNKNOWN, // no such version
    GW_MONITOR_REFERENCE_NONE,    // it came without one
    GW_MONITOR_REFERENCE_DAMAGED, // it is none, or not of the version's features
};

struct gw_monitor_reference {
    enum gw_monitor_reference_state state;
    const struct gw_drift_profile *profile; // READY only
    uint64_t layout;                        // fingerprint of the version's feature names; 0 when unknown
};

GW_CHECK gw_status gw_monitor_references_new(const struct gw_runtime *runtime, const char *application,
                                             struct gw_monitor_references **ret_references, gw_err *err);
void gw_monitor_references_free(struct gw_monitor_references *references);

// *ret_reference lives as long as `references`. RETRY class: the registry is away, nothing is remembered.
GW_CHECK gw_status gw_monitor_references_get(struct gw_monitor_references *references, struct gw_slice model,
                                             int32_t version, const struct gw_monitor_reference **ret_reference,
                                             gw_err *err);
