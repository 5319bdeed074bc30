// SPDX-License-Identifier: MIT
// Takes back what turned out to be a mistake: a champion that is worse than the one it replaced, a canary that is worse
// than the champion, whoever put it there.
//
// On a thread of its own, so that no training holds it up; one guard at a time (a lock in PostgreSQL, as of runs). For
// each model it looks at the route and its history: a champion within retrain.probation of its promotion stands against
// the champion before it, a canary against the champion. Both versions score the same rows: final examples served since
// then, one of each request, by the features that were served, so nobody has to serve them twice. quality/worse.h is the
// evidence; once it is proven, a rollback (or the end of the split, and a rejection of the canary) is recorded with the
// evidence as its reason.
//
// What it knows is made anew from the log after a restart: the same rows in the same order give the same verdict. The
// registry's verb has an idempotency key of model and route sequence, so nothing is taken back twice. A pair that cannot
// be compared (no head in common, features that the rows lack, an artefact that is gone) is logged once and counted.
#pragma once

#include "worker/runtime.h"

struct gw_retrain_guard;

// Starts the thread. With retrain.rollback = false it starts none.
GW_CHECK gw_status gw_retrain_guard_start(const struct gw_runtime *runtime, struct gw_retrain_guard **ret_guard,
                                          gw_err *err);
void gw_retrain_guard_join(struct gw_retrain_guard *guard); // NULL is legal
void gw_retrain_guard_free(struct gw_retrain_guard *guard);
