// SPDX-License-Identifier: MIT
// A change of who likes what that leaves every head as frequent as it was. Internal to simulator/.
//
// The weights of the new truth are given by the old ones (drift.h); its biases are solved for on a sample of what is
// shown at the time of the change, drawn like any request: the sum of new probabilities is the sum of old ones.
#pragma once

#include "simulator/request.h"

// Something shown, with all that its probabilities are made of but the tilt, which depends on the head.
struct gw_sim_sample_row {
    struct gw_sim_factors factors;
    uint32_t user;
    bool possible[GW_SIM_HEAD_COUNT];
};

struct gw_sim_sample {
    uint64_t seed;
    struct gw_sim_sample_row *rows;
    double *before; // P(FAV) of each row by the old truth
    double *after;  // by the new one
    size_t count;
};

void gw_sim_sample_deinit(struct gw_sim_sample *sample); // of a zeroed one too

// Draws a sample at draw->time_ms in place of the one before. What `draw` held is lost. The count is 0 when no tweet
// lives.
GW_CHECK gw_status gw_sim_sample_take(struct gw_sim_sample *sample, struct gw_sim_draw *draw,
                                      const struct gw_sim_world *world, const struct gw_sim_tweets *tweets,
                                      const struct gw_simulator_options *options, gw_err *err);

// The new truth, and `before` and `after` of the sample by it.
struct gw_sim_truth gw_sim_concept_turn(struct gw_sim_sample *sample, const struct gw_sim_truth *old, double amount);
