// SPDX-License-Identifier: MIT
// Drives runs from state to state on a thread of its own, one at a time; the lane only records what was asked.
//
//   REQUESTED   write the manifest
//   DATASET     read the topic into files; too few rows: REFUSED
//   TRAINING    the trainer, a child
//   GATING      candidate against champion; FAIL or INCONCLUSIVE: REFUSED; PASS: register
//   REGISTERED  start the shadow
//   SHADOW      when its time is over: give it a share of users, unless the champion is another one by now
//   CANARY      when its time is over: promote; taken back by somebody, or by the guard: REFUSED
//
// What a state needs is in the row (the manifest above all), files are only a cache: whoever claims a run makes them
// anew from the manifest, so a kill at any moment ends in the same state with the same digest, which is checked. The
// registry's verbs are called with the run's id as idempotency key.
#pragma once

#include "worker/runtime.h"

struct gw_retrain_runs;

// Starts the thread; asks nobody yet.
GW_CHECK gw_status gw_retrain_runs_start(const struct gw_runtime *runtime, struct gw_retrain_runs **ret_runs,
                                         gw_err *err);
// Ends a training under way, whose run goes on where it stood at the next start. Call join, then free. NULL is legal.
void gw_retrain_runs_join(struct gw_retrain_runs *runs);
void gw_retrain_runs_free(struct gw_retrain_runs *runs);
