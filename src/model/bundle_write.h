// SPDX-License-Identifier: MIT
// Writes a bundle directory: all files aside, loaded and rescored there, then one rename. A directory of the wanted
// name is therefore a bundle that loads, or not there at all.
#pragma once

#include "model/golden.h"
#include "model/manifest.h"

// The same draft gives the same bytes, and so the same digest.
struct gw_bundle_draft {
    // Without files, head files and profile file: those are named and digested here. Heads need name, weight,
    // calibration.
    struct gw_manifest manifest;
    struct gw_slice models[GW_BUNDLE_HEADS_MAX]; // file of each head, in any format of model_file.h
    struct gw_golden golden;                     // margins by the library that trained, or golden_own.h
    struct gw_slice profile;                     // the drift reference, or empty; GW_BUNDLE_PROFILE_BYTES_MAX
};

// The bundle that this draft makes, in memory: to score with before it is written. Its digest is "", and golden rows
// and profile are not looked at. Borrows the draft; gives the bundle, freed by gw_bundle_unref. GW_E_MEMORY, and
// whatever gw_bundle_load finds wrong with a model.
GW_CHECK gw_status gw_bundle_of_draft(const struct gw_bundle_draft *draft, struct gw_bundle **ret_bundle, gw_err *err);

// `directory` must not exist (or be empty); its parent must. Borrows everything. GW_E_CONFLICT when it exists,
// GW_E_IO, GW_E_MEMORY, and whatever gw_bundle_load finds wrong. ret_digest (may be NULL) is the bundle's digest.
GW_CHECK gw_status gw_bundle_write(const struct gw_bundle_draft *draft, const char *directory,
                                   char ret_digest[GW_BUNDLE_DIGEST_BYTES], gw_err *err);
