// SPDX-License-Identifier: MIT
// Entries of monitor_state kept aside, by version and name, in order: those that were read and are not put back yet,
// and those that are to be taken out.
//
// One owning thread.
#pragma once

#include "base/bytes.h"

struct gw_monitor_entry {
    struct gw_slice model;
    int32_t version;
    const char *name; // the rest of the detector's name
    struct gw_slice state;
};

// Zero is a valid empty one.
struct gw_monitor_entries {
    struct gw_monitor_entry *items; // sorted by model, version, name
    size_t count;
    size_t capacity;
};

void gw_monitor_entries_clear(struct gw_monitor_entries *entries); // gives its memory back, too

// Order of versions: by name, then by number.
int gw_monitor_compare(struct gw_slice model_a, int32_t version_a, struct gw_slice model_b, int32_t version_b);

// Copies the entry to its place, in place of an older one; without a state (data NULL) only the older one goes.
// GW_E_TOO_LARGE: more than a partition can have. GW_E_MEMORY.
GW_CHECK gw_status gw_monitor_entries_put(struct gw_monitor_entries *entries, const struct gw_monitor_entry *entry,
                                          gw_err *err);

// How many entries from `from` on are of one version.
size_t gw_monitor_entries_span(const struct gw_monitor_entries *entries, size_t from);
