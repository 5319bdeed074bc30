// SPDX-License-Identifier: MIT
// The reference: what a model's inputs, its score and its loss looked like at training, made once and never changed.
//
// Each feature has at most 31 bins of about equal mass over its finite values, a bin for missing values (NaN) and one
// for unseen ones. No bin has fewer than GW_DRIFT_BIN_ROWS_MIN rows, but for the only one of a numeric feature with
// fewer finite values: a share that fewer rows have shown may be anything up to a multiple, and is no reference. A
// feature of at most 31 distinct values is categorical: each value with rows enough is a bin, and any other value is
// unseen; when those others are more than a tenth, it is binned as a numeric one. A numeric feature's first and last
// bin take whatever lies beyond the training rows; infinities are unseen. What was never observed has share 1 / (n +
// 1), so a new category is evidence, not a division by zero. The score has up to 64 bins. All tables that live rows are
// multiplied by are in the profile, and in its bytes.
//
// tau is estimated by overlapping batch means (Meketon and Schmeiser, Winter Simulation Conference 1984) with batches
// of sqrt(n) rows in time order, and is never under 1. The tolerance is eps = k sqrt(tau / n), or more when asked. k is
// such that in 99 of 100 references no stream's sampling error is over it in any direction of the tilt: 2.8 for one
// stream, 3.9 for fifty.
//
// A profile is immutable: any thread may read it.
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "drift/lanes.h"

#include <float.h>
#include <math.h>

#define GW_DRIFT_PROFILE_VERSION   1
#define GW_DRIFT_CATEGORIES_MAX    31
#define GW_DRIFT_FEATURES_MAX      4096
#define GW_DRIFT_HEADS_MAX         64
#define GW_DRIFT_NAME_BYTES_MAX    128
#define GW_DRIFT_ROWS_MIN          100   // fewer make no profile
#define GW_DRIFT_BIN_ROWS_MIN      32    // what fewer rows have shown is no bin
#define GW_DRIFT_BASELINE_ROWS_MIN 10000 // fewer make a baseline that no concept detector accepts

enum gw_drift_kind { GW_DRIFT_NUMERIC, GW_DRIFT_CATEGORICAL };

// One stream of values: a feature or the score.
struct gw_drift_feature {
    alignas(64) float edges[GW_DRIFT_BINS_MAX]; // numeric: upper ends of all bins but the last; categorical: the
                                                // values. Ascending, then +infinity
    struct gw_drift_lanes absence[GW_DRIFT_ABSENCE_ROWS];
    struct gw_drift_lanes *tilt; // [row_count]
    enum gw_drift_kind kind;     //
    uint32_t bin_count;          // 0..64 bins of finite values
    uint32_t row_count;          // bin_count + 2
    uint32_t search_count;       // edges to look at: a multiple of 8
    uint32_t learned_roots;      // square roots that the learned lane takes of its factor: 2^learned_roots >= 0.8 tau
    float learned_tolerance;     // eps of the learned lane: sqrt(2 bins tau / n)
    uint64_t sample_count;       // training rows behind it
    double tau_location;         // of z, >= 1
    double tau_spread;           // of z^2 - 1, >= 1
    double tau_absence;          // of "is missing" and "is unseen", the larger, >= 1
    double tolerance;            // eps
    double share[GW_DRIFT_ROWS_MAX]; // p0: bins, missing, unseen; sum 1
    float z[GW_DRIFT_BINS_MAX];      // normal score, mean 0 and variance 1 over the bins
    float share32[GW_DRIFT_ROWS_MAX];
    float inverse[GW_DRIFT_ROWS_MAX]; // 1 / share; of missing and unseen values seen in few rows, of their most
    char name[GW_DRIFT_NAME_BYTES_MAX + 1];
};

// The loss of one head on labelled rows that the model was not trained on; see concept.h.
struct gw_drift_baseline {
    struct gw_drift_lanes lambda; // stakes a unit of loss / clip, ascending
    struct gw_drift_lanes keep;   // what dependence costs a row: exp(-(tau - 1) lambda^2 variance / 2)
    uint64_t sample_count;        // rows behind it
    double base_rate;             // share of positive labels
    double clip;                  // losses count up to this
    double mean;                  // of the clipped loss
    double upper;                 // mean + 2 standard errors: what "not worse" means
    double deviation;             // of the clipped loss
    double tau;                   // of the clipped loss, >= 1
    char name[GW_DRIFT_NAME_BYTES_MAX + 1];
};

struct gw_drift_profile {
    struct gw_drift_feature *features; // [feature_count]
    uint32_t feature_count;
    bool has_score;
    struct gw_drift_feature *score;  // NULL when !has_score
    struct gw_drift_baseline *heads; // [head_count]
    uint32_t head_count;
    uint64_t fingerprint; // FNV-1a of its bytes
};

// Training rows in time order. All borrowed for the call.
struct gw_drift_rows {
    const float *values; // [row_count][feature_count]; NaN is missing
    size_t row_count;    // >= GW_DRIFT_ROWS_MIN
    uint32_t feature_count;
    const char *const *names; // [feature_count], each at most GW_DRIFT_NAME_BYTES_MAX bytes

    // Scores of rows like those that are watched, in time order.
    size_t score_count;  // 0: the score is not watched
    const float *scores; // [score_count]

    // Rows with outcomes, in time order; those of a hold-out, as training rows flatter the loss.
    size_t labelled_count;      // 0: no heads
    const float *probabilities; // [labelled_count][head_count], in [0, 1]
    const uint8_t *labels;      // [labelled_count][head_count], 0 or 1
    uint32_t head_count;
    const char *const *head_names;
};

struct gw_drift_build_options {
    double tolerance_min; // a larger eps ignores drifts of a PSI under about 4 eps^2; 0: only the sampling error
    bool independent;     // rows are known to be independent: tau is 1 and not estimated
};

// Gives the profile, freed by gw_drift_profile_free. The same rows give the same bytes. GW_E_INVALID: too few rows, a
// name too long, a probability or label out of range; GW_E_TOO_LARGE: too many features or heads; GW_E_MEMORY.
GW_CHECK gw_status gw_drift_profile_build(const struct gw_drift_rows *rows,
                                          const struct gw_drift_build_options *options,
                                          struct gw_drift_profile **ret_profile, gw_err *err);
void gw_drift_profile_free(struct gw_drift_profile *profile);

// Appends the profile's bytes: what is stored, hashed and read back. GW_E_MEMORY.
GW_CHECK gw_status gw_drift_profile_write(const struct gw_drift_profile *profile, struct gw_buf *out, gw_err *err);

// Gives the profile of these bytes, freed by gw_drift_profile_free. GW_E_MALFORMED unless they are what _write writes
// and keep the promise: shares sum to 1, edges ascend, no lane has a mean over 1 under the reference.
GW_CHECK gw_status gw_drift_profile_read(struct gw_slice bytes, struct gw_drift_profile **ret_profile, gw_err *err);

// The row of the feature's tables that this value belongs to.
static inline uint32_t gw_drift_feature_row(const struct gw_drift_feature *feature, float value)
{
    uint32_t below = gw_drift_edges_below(feature->edges, feature->search_count, value);
    if (GW_UNLIKELY(!(fabsf(value) <= FLT_MAX))) {
        return feature->bin_count + (isnan(value) ? 0 : 1);
    }
    if (feature->kind == GW_DRIFT_CATEGORICAL && feature->edges[below] != value) {
        return feature->bin_count + 1;
    }
    return below;
}

// The row of the absence table that belongs to a row of the tilt table.
static inline uint32_t gw_drift_feature_absence(const struct gw_drift_feature *feature, uint32_t row)
{
    return row < feature->bin_count ? GW_DRIFT_PRESENT : row - feature->bin_count + GW_DRIFT_MISSING;
}
