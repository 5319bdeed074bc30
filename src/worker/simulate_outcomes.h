// SPDX-License-Identifier: MIT
// What was shown of each request, and the label of each tweet shown, looked up ahead.
//
// A second simulator of the same world runs one label window ahead of the one that feeds the rows. So an example's
// label is known at its request's time, while the rows cannot have seen anything of what came after: no leak by
// construction. Labels are read off the UserAction records as the label worker does, by the same facts (label/bits.h):
// an impression or action counts when it is less than a window after the request. Memory: what is shown in one window,
// 56 bytes a tweet. One owner.
#pragma once

#include "simulator/simulator.h"
#include "worker/simulate_records.h"

struct gw_simulate_shown {
    int64_t tweet_id;
    uint64_t bits; // enum gw_label
};

struct gw_simulate_outcomes;

// `world` is that of the simulator that is followed, except for its end: this one must end a window later.
GW_CHECK gw_status gw_simulate_outcomes_new(const struct gw_simulator_options *world, int64_t window_ms,
                                            struct gw_simulate_outcomes **ret_outcomes, gw_err *err);
void gw_simulate_outcomes_free(struct gw_simulate_outcomes *outcomes);

// The outcome of the next request, which must be `event`: every request in order, none left out. *ret_shown is in the
// order of showing and valid until the next call; what was never shown is not in it.
GW_CHECK gw_status gw_simulate_outcomes_next(struct gw_simulate_outcomes *outcomes, const struct gw_sim_event *event,
                                             const struct gw_simulate_shown **ret_shown, size_t *ret_count,
                                             gw_err *err);
