// SPDX-License-Identifier: MIT
#include "drift/profile.h"

#include "base/check.h"
#include "base/mem.h"
#include "drift/profile_internal.h"

struct gw_drift_profile *gw_drift_profile_new(uint32_t feature_count, bool has_score, uint32_t head_count)
{
    struct gw_drift_profile *profile = gw_mem_calloc(1, sizeof *profile);
    if (profile == NULL) {
        return NULL;
    }
    profile->feature_count = feature_count;
    profile->has_score = has_score;
    profile->head_count = head_count;
    size_t streams = (size_t)feature_count + (has_score ? 1 : 0);
    profile->features = gw_mem_aligned(64, GW_MAX(streams, 1) * sizeof *profile->features);
    profile->heads = gw_mem_aligned(64, GW_MAX(head_count, 1) * sizeof *profile->heads);
    if (profile->features == NULL || profile->heads == NULL) {
        gw_mem_free(profile->features);
        gw_mem_free(profile->heads);
        gw_mem_free(profile);
        return NULL;
    }
    profile->score = has_score ? &profile->features[feature_count] : NULL;
    return profile;
}

void gw_drift_profile_free(struct gw_drift_profile *profile)
{
    if (profile == NULL) {
        return;
    }
    for (uint32_t i = 0; i < gw_drift_profile_streams(profile); i++) {
        gw_mem_free(profile->features[i].tilt);
    }
    gw_mem_free(profile->features);
    gw_mem_free(profile->heads);
    gw_mem_free(profile);
}

gw_status gw_drift_feature_size(struct gw_drift_feature *feature, uint32_t bin_count, gw_err *err)
{
    GW_ASSERT(bin_count <= GW_DRIFT_BINS_MAX && feature->tilt == NULL);
    feature->tilt = gw_mem_aligned(64, (bin_count + 2) * sizeof *feature->tilt);
    if (feature->tilt == NULL) {
        return gw_fail(err, GW_E_MEMORY, "feature '%s': no memory for its table", feature->name);
    }
    feature->bin_count = bin_count;
    feature->row_count = bin_count + 2;
    return GW_OK;
}

uint32_t gw_drift_feature_edges(const struct gw_drift_feature *feature)
{
    bool open_ended = feature->kind == GW_DRIFT_NUMERIC && feature->bin_count > 0;
    return feature->bin_count - (open_ended ? 1 : 0);
}

void gw_drift_feature_derive(struct gw_drift_feature *feature)
{
    uint32_t edges = gw_drift_feature_edges(feature);
    for (uint32_t i = edges; i < GW_DRIFT_BINS_MAX; i++) {
        feature->edges[i] = INFINITY;
    }
    feature->search_count = (edges + 7) / 8 * 8;
    for (uint32_t b = 0; b < feature->row_count; b++) {
        feature->share32[b] = (float)feature->share[b];
        feature->inverse[b] = (float)(1.0 / feature->share[b]);
    }

    // What few rows have shown may be as much as the reference leaves open.
    double of_values = fmax(feature->tau_location, feature->tau_spread);
    double open = feature->tolerance * sqrt(feature->tau_absence / of_values);
    for (uint32_t b = feature->bin_count; b < feature->row_count; b++) {
        if (feature->share[b] * (double)feature->sample_count < GW_DRIFT_BIN_ROWS_MIN) {
            feature->inverse[b] = (float)(1.0 / gw_drift_lanes_share_high(feature->share[b], open));
        }
    }

    // Only square roots are the same on every machine, so the power is 2^-learned_roots. A factor is over-damped up to
    // two-fold; an estimate of up to 1.25 is what independent rows give by chance.
    double tau = fmax(of_values, feature->tau_absence);
    feature->learned_roots = 0;
    for (double power = 1.0; power < 0.8 * tau && feature->learned_roots < 30; power *= 2.0) {
        feature->learned_roots++;
    }
    double sampling = sqrt(2.0 * feature->row_count * tau / (double)feature->sample_count);
    feature->learned_tolerance = (float)fmax(sampling, feature->tolerance);
}
