// SPDX-License-Identifier: MIT
// The references that were asked for (monitor_references.h), by model and version. Bounded: those that are watched, the
// few newest others, and so many versions that have none.
//
// One owning thread.
#pragma once

#include "worker/monitor_changelog.h"
#include "worker/monitor_references.h"

#define GW_MONITOR_SPARES_MAX   8   // references that nobody watches: one has 150 KiB for each 48 features
#define GW_MONITOR_REFUSALS_MAX 256 // versions remembered to have no reference

struct gw_monitor_remembered;

// NULL without memory.
GW_CHECK struct gw_monitor_remembered *gw_monitor_remembered_new(void);
void gw_monitor_remembered_free(struct gw_monitor_remembered *remembered);

// NULL: not remembered (any more). Valid until the next keep; with watch_count, until that is 0 and the next keep.
const struct gw_monitor_reference *gw_monitor_remembered_find(struct gw_monitor_remembered *remembered,
                                                              struct gw_slice model, int32_t version);

// Remembers what is not: takes `profile` on success, which is NULL unless the state is READY. *ret_reference as of
// find. GW_E_MEMORY.
GW_CHECK gw_status gw_monitor_remembered_keep(struct gw_monitor_remembered *remembered, struct gw_slice model,
                                              int32_t version, const struct gw_monitor_reference *reference,
                                              struct gw_drift_profile *profile,
                                              const struct gw_monitor_reference **ret_reference, gw_err *err);
