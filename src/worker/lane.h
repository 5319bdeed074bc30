// SPDX-License-Identifier: MIT
// A lane: one loop with its commit strategy on a thread of its own. A worker is one or more lanes in one process.
#pragma once

#include "worker/loop.h"
#include "worker/runtime.h"

#include <pthread.h>

#define GW_LANES_MAX 32

enum gw_lane_commit { GW_LANE_TRANSACTIONS, GW_LANE_REDIS, GW_LANE_DIRECT };

struct gw_lane {
    char name[48];
    struct gw_loop *loop;
    struct gw_loop_status status;
    struct gw_store *store; // of a GW_LANE_REDIS
    void *context;
    void (*free_context)(void *context);
    int lock; // file descriptor of the slot's lock; -1: none
    pthread_t thread;
    bool started;
    gw_status result;
    gw_err err;
};

struct gw_lane_options {
    const char *worker; // such as "score"
    uint32_t slot;      // number of the lane within the worker's process
    const char *group;  // without prefix
    enum gw_lane_commit commit;
    const enum gw_topic *inputs;
    size_t input_count;
    const struct gw_loop_ops *ops;
    const struct gw_loop_state_ops *state;
    void *context; // takes, also when gw_lane_init fails
    void (*free_context)(void *context);
    struct gw_store *store; // takes; for GW_LANE_REDIS
    int64_t commit_interval_us;
    uint64_t commit_records;
    uint64_t weight_max;
    uint32_t records_max; // 0: worker.poll_records
    bool low_latency;
    bool commits_when_idle;
    bool end_events;
    void (*delivered)(void *context, uint64_t tag, const char *topic, int32_t partition, int64_t offset);
};

GW_CHECK gw_status gw_lane_init(struct gw_lane *lane, const struct gw_runtime *runtime,
                                const struct gw_lane_options *options, gw_err *err);

struct gw_lanes {
    struct gw_lane *items[GW_LANES_MAX];
    size_t count;
};

// Makes `count` lanes with slots that go on from those already there.
typedef gw_status (*gw_lane_make)(const struct gw_runtime *runtime, uint32_t slot, struct gw_lane *lane, gw_err *err);
GW_CHECK gw_status gw_lanes_add(struct gw_lanes *lanes, const struct gw_runtime *runtime, uint32_t count,
                                gw_lane_make make, gw_err *err);
void gw_lanes_free(struct gw_lanes *lanes);

// Starts every lane's thread. When one fails, *runtime->stop is set so that the others drain.
GW_CHECK gw_status gw_lanes_start(struct gw_lanes *lanes, const struct gw_runtime *runtime, gw_err *err);

// Waits for all of them; the first failure is returned.
GW_CHECK gw_status gw_lanes_join(struct gw_lanes *lanes, gw_err *err);

// Every lane runs and reads every partition it holds. `detail` gets a few words when not.
bool gw_lanes_ready(const struct gw_lanes *lanes, char *detail, size_t size);
