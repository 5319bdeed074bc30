// SPDX-License-Identifier: MIT
// Named fault points, for tests that kill a process or fail a step at an exact place. Compiled in always, off by
// default; when off a point costs one load.
//
//   GODWIT_FAULTS="commit.before:kill:3,redis.write:fail"
//
// is a list of point:action[:n]. `kill` raises SIGKILL, `fail` makes gw_fault_hit true, so that the code there fails as
// it would by itself. n = 1, 2, ...: at the n-th hit only (default 1); n = 0: at every hit.
#pragma once

#include "base/err.h"

#include <stdatomic.h>
#include <stdbool.h>

#define GW_FAULTS_MAX 16 // points in one list

// Replaces the list; NULL or "" switches all off. Called at start with the variable's value, before threads.
// GW_E_CONFIG: not such a list.
GW_CHECK gw_status gw_faults_configure(const char *list, gw_err *err);

// Write through gw_faults_configure only.
extern atomic_bool gw_faults_on;

// Counts a hit of a configured point and acts on it.
bool gw_fault_act(const char *point);

// True when the caller must fail here. Any thread.
static inline bool gw_fault_hit(const char *point)
{
    return GW_UNLIKELY(atomic_load_explicit(&gw_faults_on, memory_order_relaxed)) && gw_fault_act(point);
}
