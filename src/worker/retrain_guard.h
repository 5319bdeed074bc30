// SPDX-License-Identifier: MIT
// Takes back what turned out to be a mistake: a champion that is worse than the one it replaced, a canary that is worse
// than the champion, whoever put it there.
//
// On a thread of its own, so that no training holds it up; one guard at a time (a lock in PostgreSQL, as of runs). For
// each model it looks at the history: a champion within retrain.probation of its promotion stands against the champion
// before it, a canary against the champion. Both versions score the same rows: final examples served since then, one of
// each request, by the features that were served, so nobody has to serve them twice. quality/worse.h is the evidence;
// once it is proven, a rollback (or the rejection of the canary, whose share goes back to the champion with it) is
// recorded with the evidence as its reason. A champion that came back by a rollback stands on no trial.
//
//   history ──► retrain_guard_plan (who) ─┐
//   training_examples ──► .._rows (which) ─┴─► retrain_guard_trial (both score, evidence) ──► registry's verb
//
// What it knows is made anew from the log after a restart. Rows of different partitions may then come in another order;
// evidence is a product over rows, so at the end of the same rows it is the same (but for rounding), and only the row
// at which it was proven may be another. The registry's verb has an idempotency key of model and sequence, so nothing
// is taken back twice. A pair that cannot be compared (no head in common, features that the rows lack, an artefact that
// is gone) is logged once and counted, a row that cannot be used is counted.
//
// What it cannot know: an example does not say which model served it, so rows of another model with the same layout
// count too. And what is shown was chosen by the version that served, whose overestimates are shown more often than the
// other's: it is judged a little more strictly than it deserves, which retrain.worse_margin has to cover.
#pragma once

#include "worker/runtime.h"

struct gw_retrain_guard;

// Starts the thread. With retrain.rollback = false it starts none.
GW_CHECK gw_status gw_retrain_guard_start(const struct gw_runtime *runtime, struct gw_retrain_guard **ret_guard,
                                          gw_err *err);
void gw_retrain_guard_join(struct gw_retrain_guard *guard); // NULL is legal
void gw_retrain_guard_free(struct gw_retrain_guard *guard);
