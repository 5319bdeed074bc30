// SPDX-License-Identifier: MIT
// What the registry wants to know of a bundle before a version names it. For this folder only.
#pragma once

#include "base/bytes.h"
#include "feature/set.h"
#include "model/bundle.h"

struct gw_registry_bundle {
    char digest[GW_BUNDLE_DIGEST_BYTES];
    // JSON texts, each with a NUL behind.
    struct gw_buf signature;
    struct gw_buf metrics;
    struct gw_buf lineage;
};

// Loads the bundle, which rescores its golden rows; asks for each of its features in `features` (NULL: not); and scores
// rows that no training set has: nothing known, zeros, huge numbers. GW_E_INVALID: an answer that is no finite number,
// or a feature that does not exist. Else what gw_bundle_load says. Free with gw_registry_bundle_deinit, zeroed is
// valid.
GW_CHECK gw_status gw_registry_bundle_read(const char *directory, const struct gw_feature_set *features,
                                           struct gw_registry_bundle *ret_bundle, gw_err *err);
void gw_registry_bundle_deinit(struct gw_registry_bundle *bundle);
