// SPDX-License-Identifier: MIT
// Training of one head: boosting rounds with early stopping by the holdout's log loss, cut back to the best round, then
// calibrated.
#pragma once

#include "model/calibration.h"
#include "train/booster.h"
#include "train/measure.h"
#include "train/options.h"
#include "train/rows.h"

struct gw_head_result {
    struct gw_booster *booster; // free with gw_booster_free
    uint32_t tree_count;
    uint64_t train_positives; // examples with the label, unweighted
    uint64_t holdout_positives;
    double base_score; // weighted positive rate of the training part
    struct gw_calibration calibration;
    struct gw_measure holdout; // of the calibrated probabilities
};

// Called after every round.
typedef void (*gw_head_progress)(void *context, const char *head, uint32_t round, double holdout_log_loss);

// The rows are clamped while they are copied. GW_E_NOT_FOUND: no such label. GW_E_INVALID: the training part has one
// class only, or XGBoost refuses.
GW_CHECK gw_status gw_head_train(struct gw_rows *rows, const struct gw_train_options *options, const char *label,
                                 gw_head_progress progress, void *context, struct gw_head_result *ret_result,
                                 gw_err *err);
