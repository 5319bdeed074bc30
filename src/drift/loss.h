// SPDX-License-Identifier: MIT
// The watch over one head's loss: labelled rows go in, an episode's alarms come out.
//
// Evidence is concept.h's, the episode's rules are episode.h's. How much worse the model has become is the mean clipped
// loss over the newest rows, from the change on where that is known, against the baseline's mean: in its deviations
// (effect_sigma), and as a share of it (harm). Alarms are those of a bank (bank.h) with the kind GW_DRIFT_OF_CONCEPT,
// the head's name as stream, and NaN where a field has no meaning for a loss.
//
// Row times are record times; a row older than the one before counts as at that one's time. The same rows from the same
// state give the same alarms and the same bytes.
//
// One owner, one thread. The baseline is borrowed for the watch's life.
#pragma once

#include "drift/bank.h"

struct gw_drift_loss;

struct gw_drift_loss_options {
    double threshold; // c: rows between false alarms; over 1, at most GW_DRIFT_THRESHOLD_MAX
    struct gw_drift_episode_options episode;
};

// Gives a watch at its start, freed by gw_drift_loss_free. GW_E_INVALID: the baseline has too few rows or no loss that
// could rise (concept.h), or an option is out of range. GW_E_MEMORY.
GW_CHECK gw_status gw_drift_loss_new(const struct gw_drift_baseline *baseline,
                                     const struct gw_drift_loss_options *options, struct gw_drift_loss **ret_loss,
                                     gw_err *err);
void gw_drift_loss_free(struct gw_drift_loss *loss); // NULL is legal

// Takes in one row with a final label. GW_E_INVALID, nothing changed: a probability that is NaN or outside [0, 1], a
// time outside +-2^53 ms. A failure of the sink's alarm is returned; the row has been taken in.
GW_CHECK gw_status gw_drift_loss_feed(struct gw_drift_loss *loss, float probability, bool label, int64_t now_ms,
                                      const struct gw_drift_sink *sink, gw_err *err);

// Closes an open episode, as gw_drift_bank_retire does.
GW_CHECK gw_status gw_drift_loss_retire(struct gw_drift_loss *loss, const struct gw_drift_sink *sink, gw_err *err);

bool gw_drift_loss_changed(const struct gw_drift_loss *loss);   // rows came in since the last save
bool gw_drift_loss_open(const struct gw_drift_loss *loss);      // an episode is open
int64_t gw_drift_loss_now_ms(const struct gw_drift_loss *loss); // of the newest row; before all times without rows

// Appends the state's bytes, and reads them into a new watch. GW_E_MALFORMED; GW_E_MISMATCH: of another baseline.
GW_CHECK gw_status gw_drift_loss_save(struct gw_drift_loss *loss, struct gw_buf *out, gw_err *err);
GW_CHECK gw_status gw_drift_loss_load(struct gw_drift_loss *loss, struct gw_slice bytes, gw_err *err);

// As it stands, for display.
struct gw_drift_loss_view {
    const char *head;
    double e;
    enum gw_drift_episode_state state;
    double mean;                     // of the clipped loss, over the window; NaN without rows
    double reference_mean;           // of the baseline
    uint64_t window_count;           // rows of the window
    uint64_t rows;                   // taken in
    double rate_per_s;               // lately; 0 while no time has passed
    struct gw_drift_promise promise; // shifts are rises of the loss in deviations
};
void gw_drift_loss_view(const struct gw_drift_loss *loss, struct gw_drift_loss_view *ret_view);
