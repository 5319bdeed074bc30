// SPDX-License-Identifier: MIT
// One look at offsets: how far each group is behind, how fast it and the sources move, how many dead letters lie there.
//
// A look costs a handful of requests: ends and starts of all watched partitions (one request a broker each), committed
// offsets of each group, members of each group, and the positions in Redis. One owning thread; blocks, with deadlines.
#pragma once

#include "worker/runtime.h"

struct gw_bridge_lag;

#define GW_BRIDGE_GROUPS_MAX 8

struct gw_bridge_group {
    const char *name;     // without prefix; lives as long as the process
    bool measured_lag;    // false: this look does not tell lag and speed of this group
    int64_t lag_records;  // -1: unknown. Transaction markers on the way count
    double records_per_s; // NaN: unknown
    int32_t members;      // -1: unknown
};

struct gw_bridge_look {
    double events_per_s;       // NaN: unknown
    int64_t dead_letter_count; // on all dead-letter topics now; -1: unknown
    struct gw_bridge_group groups[GW_BRIDGE_GROUPS_MAX];
    size_t group_count;
};

GW_CHECK gw_status gw_bridge_lag_new(const struct gw_runtime *runtime, struct gw_bridge_lag **ret_lag, gw_err *err);
void gw_bridge_lag_free(struct gw_bridge_lag *lag);

// Looks. Fails only when the brokers do not tell where logs end; what else cannot be learned is unknown.
GW_CHECK gw_status gw_bridge_lag_look(struct gw_bridge_lag *lag, struct gw_bridge_look *ret_look, gw_err *err);
