// SPDX-License-Identifier: MIT
// The workers, in the order of the flow, and how one process runs one of them.
#pragma once

#include "worker/lane.h"

// What a worker keeps beside its lanes: threads of its own end before the lanes are freed, memory after them.
struct gw_worker_state {
    void *state;
    void (*join_threads)(void *state); // NULL: none
    void (*free_state)(void *state);
};

GW_CHECK gw_status gw_rekey_lanes(const struct gw_runtime *runtime, struct gw_lanes *lanes,
                                  struct gw_worker_state *ret_state, gw_err *err);
GW_CHECK gw_status gw_aggregate_lanes(const struct gw_runtime *runtime, struct gw_lanes *lanes,
                                      struct gw_worker_state *ret_state, gw_err *err);
GW_CHECK gw_status gw_online_lanes(const struct gw_runtime *runtime, struct gw_lanes *lanes,
                                   struct gw_worker_state *ret_state, gw_err *err);
GW_CHECK gw_status gw_score_lanes(const struct gw_runtime *runtime, struct gw_lanes *lanes,
                                  struct gw_worker_state *ret_state, gw_err *err);
GW_CHECK gw_status gw_label_lanes(const struct gw_runtime *runtime, struct gw_lanes *lanes,
                                  struct gw_worker_state *ret_state, gw_err *err);
GW_CHECK gw_status gw_monitor_lanes(const struct gw_runtime *runtime, struct gw_lanes *lanes,
                                    struct gw_worker_state *ret_state, gw_err *err);
GW_CHECK gw_status gw_retrain_lanes(const struct gw_runtime *runtime, struct gw_lanes *lanes,
                                    struct gw_worker_state *ret_state, gw_err *err);

// The bridge has an event loop of its own instead of lanes: runs until *runtime->stop.
GW_CHECK gw_status gw_bridge_run(const struct gw_runtime *runtime, gw_err *err);

// A row of the table of workers. Exactly one of `lanes` and `run` is set.
struct gw_worker_def {
    const char *name;
    const char *help;
    gw_status (*lanes)(const struct gw_runtime *runtime, struct gw_lanes *lanes, struct gw_worker_state *ret_state,
                       gw_err *err);
    gw_status (*run)(const struct gw_runtime *runtime, gw_err *err);
};

extern const struct gw_worker_def gw_workers[];
extern const size_t gw_worker_count;
int gw_worker_find(const char *name); // index, or -1

// Runs one worker in this process until SIGTERM or SIGINT (a second one exits at once), with an ops port for /livez,
// /readyz and /metrics at worker.ops_port_base + its index. Blocks signals of the calling thread.
GW_CHECK gw_status gw_worker_run(int index, const struct gw_config *config, gw_err *err);

// Process exit code of a status: 0 ok, 1 failure, 2 usage or configuration, 3 not ready, 4 conflict, 5 fenced.
int gw_exit_code(gw_status status);
