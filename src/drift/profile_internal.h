// SPDX-License-Identifier: MIT
// How a profile is put together, from rows or from bytes.
#pragma once

#include "drift/profile.h"

// Gives an empty profile with room for so many; NULL when memory is short.
GW_CHECK struct gw_drift_profile *gw_drift_profile_new(uint32_t feature_count, bool has_score, uint32_t head_count);

// Sets bin_count and row_count and gives the feature its tilt table, zeroed. GW_E_MEMORY.
GW_CHECK gw_status gw_drift_feature_size(struct gw_drift_feature *feature, uint32_t bin_count, gw_err *err);

// Edges that the search looks at: one fewer than bins for numeric features.
uint32_t gw_drift_feature_edges(const struct gw_drift_feature *feature);

// Sets what follows from the rest: padding of edges, share32, inverse, the learned lane's constants.
void gw_drift_feature_derive(struct gw_drift_feature *feature);

// The profile's features and, last, its score.
static inline uint32_t gw_drift_profile_streams(const struct gw_drift_profile *profile)
{
    return profile->feature_count + (profile->has_score ? 1 : 0);
}
