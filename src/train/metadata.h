// SPDX-License-Identifier: MIT
// What a bundle says of its training: lineage, options, and how its heads did on the examples held out.
#pragma once

#include "train/head.h"
#include "train/options.h"
#include "train/reference.h"
#include "train/rows.h"

// Appends the JSON object. Nothing here depends on when or where a run takes place: equal input gives an equal digest.
// `results` are those of options->heads. GW_E_MEMORY.
GW_CHECK gw_status gw_train_metadata_write(const struct gw_train_options *options, const struct gw_rows *rows,
                                           const struct gw_head_result *results, const struct gw_reference *reference,
                                           struct gw_buf *out, gw_err *err);
