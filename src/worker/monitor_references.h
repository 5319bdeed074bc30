// SPDX-License-Identifier: MIT
// The references that came with versions (drift/profile.h), fetched from the registry once and kept: a version never
// changes. The cache on disk is the scorers' (score.model_directory).
//
// One owning thread. Memory: some 150 KiB for each 48 features of a version that is watched, and of the eight others
// asked for last. What cannot be watched takes next to nothing, and of that only so much is remembered.
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
    uint32_t *watch_count;                  // of the watches that borrow it, kept by them; NULL: it stays anyway
};

// How watches ask for a version's reference, so that tests can give their own. *ret_reference is valid
// until the next call, and while a watch is counted in it. RETRY class: it cannot be said now.
typedef gw_status (*gw_monitor_reference_get)(void *context, struct gw_slice model, int32_t version,
                                              const struct gw_monitor_reference **ret_reference, gw_err *err);

GW_CHECK gw_status gw_monitor_references_new(const struct gw_runtime *runtime, const char *application,
                                             struct gw_monitor_references **ret_references, gw_err *err);
void gw_monitor_references_free(struct gw_monitor_references *references);

// Of a struct gw_monitor_references. GW_E_UNAVAILABLE, GW_E_TIMEOUT: the registry is away or not usable, and nothing is
// remembered.
GW_CHECK gw_status gw_monitor_references_get(void *references, struct gw_slice model, int32_t version,
                                             const struct gw_monitor_reference **ret_reference, gw_err *err);
