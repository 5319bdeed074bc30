// SPDX-License-Identifier: MIT
// A model version bound to the feature set: bundle, column plan, scorer. Immutable; shared by lanes by reference count,
// and freed by whoever lets the last reference go.
#pragma once

#include "feature/plan.h"
#include "model/scorer.h"
#include "rollout/route.h"

#include <stdatomic.h>

struct gw_score_model {
    char name[GW_ROUTE_NAME_BYTES]; // of the registry: what the bundle calls itself does not matter
    int32_t version;
    char digest[GW_ROUTE_DIGEST_BYTES];
    const struct gw_feature_set *set; // borrowed
    struct gw_bundle *bundle;
    struct gw_feature_plan *plan;
    struct gw_scorer *scorer;
    uint64_t layout;   // fingerprint of the feature names: what a served vector means
    uint64_t identity; // hash of name, version and digest: part of the prediction cache's key
    atomic_uint refs;
};

// Loads and binds the bundle in `directory` as version `version` of `name` (NULL: as the bundle calls itself, by the
// bundle's version). A feature that the set does not have is GW_E_CONFIG naming it; a bundle whose digest is not
// `digest` (NULL: any) is GW_E_MISMATCH. Gives one reference.
GW_CHECK gw_status gw_score_model_load(const char *directory, const char *name, int32_t version, const char *digest,
                                       const struct gw_feature_set *set, struct gw_score_model **ret_model,
                                       gw_err *err);
struct gw_score_model *gw_score_model_ref(struct gw_score_model *model);
void gw_score_model_unref(struct gw_score_model *model); // NULL is legal
