// SPDX-License-Identifier: MIT
// A bundle: what a model is on disk and in memory. A directory with bundle.json, one model file per head
// (model_file.h), golden.json (rows with their margins, rescored at every load) and manifest of digests.
//
// Loaded bundles are immutable and shared by reference count. `score` of a row is the sum over heads of
// weight * calibrated probability; `confidence` is the calibrated probability of the primary head.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define GW_BUNDLE_HEADS_MAX         16
#define GW_BUNDLE_FEATURES_MAX      4096
#define GW_BUNDLE_DIGEST_BYTES      65 // 64 lower-case hex digits and a NUL
#define GW_BUNDLE_PROFILE_BYTES_MAX ((size_t)64 << 20)

struct gw_bundle;

// Strings live as long as the bundle.
struct gw_bundle_head {
    const char *name; // such as is_favorited
    double weight;    // in the combined score
    uint32_t tree_count;
    uint32_t depth_max;
    const char *objective;
};

struct gw_bundle_info {
    const char *model_name;
    int32_t version;    // 0 until a registry gives one
    const char *digest; // SHA-256 of bundle.json, which holds the digests of all other files; lower-case hex
    size_t feature_count;
    const char *const *feature_names; // order of the training matrix
    size_t head_count;
    const struct gw_bundle_head *heads;
    size_t primary_head;
    size_t golden_row_count;
    const char *metadata_json; // lineage and training metrics as the trainer wrote them; "{}" when absent
    struct gw_slice profile;   // the drift reference as drift/profile.h writes it, not looked into; empty when absent
};

// Reads, checks and compiles a bundle directory, then rescores its golden rows: any margin that differs by one bit from
// the recorded one refuses the bundle (GW_E_MISMATCH naming head, row, both values). GW_E_NOT_FOUND, GW_E_MALFORMED,
// GW_E_TOO_LARGE, GW_E_UNSUPPORTED-like refusals are GW_E_INVALID with the reason.
GW_CHECK gw_status gw_bundle_load(const char *directory, struct gw_bundle **ret_bundle, gw_err *err);

// A bare model file, in any format of model_file.h, as a one-head bundle named score, without golden rows. Feature
// names come from the file, else from `names` (may be NULL, count 0). A bundle's directory or its bundle.json is loaded
// as gw_bundle_load does. GW_E_MALFORMED "is not a model file: ..." for anything else; GW_E_TOO_LARGE before reading.
GW_CHECK gw_status gw_bundle_load_file(const char *file, const char *const *names, size_t count,
                                       struct gw_bundle **ret_bundle, gw_err *err);

struct gw_bundle *gw_bundle_ref(struct gw_bundle *bundle);
void gw_bundle_unref(struct gw_bundle *bundle); // NULL is legal

const struct gw_bundle_info *gw_bundle_info(const struct gw_bundle *bundle);

// Fingerprint of the feature names in their order: what a vector of this model means.
uint64_t gw_bundle_layout(const struct gw_bundle_info *info);
