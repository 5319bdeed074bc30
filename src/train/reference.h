// SPDX-License-Identifier: MIT
// The drift reference of a bundle (drift/profile.h): what its features, its score and its loss look like where nothing
// has drifted.
//
// Features and score: of the vectors of --reference, sampled as live ones are; else features of the examples that were
// learned from, and the score of those held out, because a model's scores of what it has learned are not those it will
// give. Losses: of the examples held out. Probabilities and scores are the finished bundle's own (model/scorer.h), so
// they are those that will be served, bit by bit.
//
// Vectors have their infinities, not what XGBoost is given for them: live ones come with infinities, which a profile
// counts as unseen, and clamped ones would lie in the outermost bin. The profile counts no weights, so where those of
// the examples differ, some are left out (gw_rows_thin); of the loss's not with `--baseline as-sampled`.
#pragma once

#include "base/bytes.h"
#include "model/bundle_write.h"
#include "train/options.h"
#include "train/rows.h"

struct gw_reference {
    struct gw_buf profile;              // bytes; empty when there is none
    char reason[200];                   // why there is none, else ""
    const char *source;                 // "reference" or "training"
    size_t row_count;                   // vectors
    size_t labelled_count;              // examples behind the losses
    double losses[GW_BUNDLE_HEADS_MAX]; // the heads' baselines: mean clipped log loss, nats
};

// Whether --reference, if given, is a file of these features: before hours of training. GW_E_MISMATCH names the first
// feature that differs; otherwise as gw_examples_reader_new.
GW_CHECK gw_status gw_reference_check(const struct gw_train_options *options, const struct gw_examples_header *header,
                                      gw_err *err);

// After training: `draft` has models and calibrations, `rows` are used up (thinned, vectors freed). Too few rows are no
// failure but a reason. Free with gw_reference_deinit, also after a failure.
GW_CHECK gw_status gw_reference_build(const struct gw_train_options *options, const struct gw_bundle_draft *draft,
                                      struct gw_rows *rows, struct gw_reference *reference, gw_err *err);
void gw_reference_deinit(struct gw_reference *reference);
