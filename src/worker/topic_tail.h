// SPDX-License-Identifier: MIT
// The newest records of a topic, as they come: one thread reads all partitions (of more than 64 the first 64, which is
// logged), each from some records before its end, and hands the bodies to a visitor. For views in memory, which a
// restart fills anew.
//
// Committed records only. What cannot be read is passed over, the first with its reason in the log. Kafka away, or a
// topic made anew: the thread tries again, and says why meanwhile.
#pragma once

#include "base/arena.h"
#include "worker/runtime.h"

struct gw_topic_tail;

struct gw_topic_tail_options {
    const struct gw_runtime *runtime; // borrowed for the tail's life; has GW_RUNTIME_SCHEMAS
    enum gw_topic topic;
    int64_t records_max; // how far before the end of each partition it begins

    // Takes in a body, on the tail's thread and under its lock. What is decoded into `arena` lives until it returns. A
    // failure passes the record over.
    gw_status (*visit)(void *context, struct gw_slice body, struct gw_arena *arena, gw_err *err);
    void *context;
};

// Starts the thread. GW_E_MEMORY, GW_E_INTERNAL, and what making a consumer gives.
GW_CHECK gw_status gw_topic_tail_start(const struct gw_topic_tail_options *options, struct gw_topic_tail **ret_tail,
                                       gw_err *err);
// Joins it and frees. NULL is legal.
void gw_topic_tail_stop(struct gw_topic_tail *tail);

// The visitor does not run between these. Any thread.
void gw_topic_tail_lock(struct gw_topic_tail *tail);
void gw_topic_tail_unlock(struct gw_topic_tail *tail);

// Under the lock: whether all that was there at the start has been read. *ret_why, borrowed until the lock is given
// back: why nothing can be read now, or "".
bool gw_topic_tail_caught_up(const struct gw_topic_tail *tail, const char **ret_why);

// Waits until it has caught up; not under the lock. GW_E_TIMEOUT says why.
GW_CHECK gw_status gw_topic_tail_wait(struct gw_topic_tail *tail, uint32_t timeout_ms, gw_err *err);
