// SPDX-License-Identifier: MIT
// From rows in time order to a profile: bins, shares, scores, dependence, tables, loss baselines.
#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "drift/concept.h"
#include "drift/normal.h"
#include "drift/profile_internal.h"

#include <stdlib.h>
#include <string.h>

// The share of references in which the tolerance is too small for some stream.
static const double beyond_tolerance = 0.01;

// Buffers for one stream at a time.
struct scratch {
    double errors;  // standard errors that the tolerance covers
    float *sorted;  // finite values
    uint8_t *row;   // table row of each value, in time order
    double *series; // what dependence is measured on; one longer than there are rows
};

static void scratch_deinit(struct scratch *scratch)
{
    gw_mem_free(scratch->sorted);
    gw_mem_free(scratch->row);
    gw_mem_free(scratch->series);
}

static gw_status scratch_init(struct scratch *scratch, size_t rows, gw_err *err)
{
    scratch->sorted = gw_mem_calloc(rows, sizeof *scratch->sorted);
    scratch->row = gw_mem_calloc(rows, sizeof *scratch->row);
    scratch->series = gw_mem_calloc(rows + 1, sizeof *scratch->series);
    if (scratch->sorted == NULL || scratch->row == NULL || scratch->series == NULL) {
        scratch_deinit(scratch);
        return gw_fail(err, GW_E_MEMORY, "no memory for a profile of %zu rows", rows);
    }
    return GW_OK;
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a;
    float y = *(const float *)b;
    return (x > y) - (x < y);
}

// Long-run variance over marginal variance of series[0..count), at least 1. Overwrites the series with prefix sums.
static double dependence(double *series, size_t count)
{
    double mean = 0.0;
    for (size_t i = 0; i < count; i++) {
        mean += series[i];
    }
    mean /= (double)count;
    double variance = 0.0;
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        double centred = series[i] - mean;
        variance += centred * centred;
        series[i] = sum;
        sum += centred;
    }
    series[count] = sum;
    variance /= (double)count;
    size_t batch = (size_t)sqrt((double)count);
    if (!(variance > 0.0) || batch < 2) {
        return 1.0;
    }
    double squares = 0.0;
    for (size_t i = 0; i + batch <= count; i++) {
        double of_batch = series[i + batch] - series[i];
        squares += of_batch * of_batch;
    }
    // The factor that makes the estimate unbiased for independent rows.
    double batches = (double)(count - batch + 1) * (1.0 - (double)batch / (double)count);
    return fmax(squares / (batches * (double)batch) / variance, 1.0);
}

// The end of the run of values that are equal to the one at i.
static size_t run_end(const float *sorted, size_t count, size_t i)
{
    size_t end = i + 1;
    while (end < count && sorted[end] == sorted[i]) {
        end++;
    }
    return end;
}

// Sets kind, bins and edges from the sorted finite values.
static gw_status choose_bins(struct gw_drift_feature *feature, const float *sorted, size_t count, uint32_t bins_max,
                             gw_err *err)
{
    size_t distinct = 0;
    size_t rare = 0; // rows of values with too few rows for a bin
    uint32_t kept = 0;
    for (size_t i = 0; i < count && distinct <= GW_DRIFT_CATEGORIES_MAX; distinct++) {
        size_t end = run_end(sorted, count, i);
        if (end - i < GW_DRIFT_BIN_ROWS_MIN) {
            rare += end - i;
        } else if (distinct < GW_DRIFT_CATEGORIES_MAX) {
            feature->edges[kept++] = sorted[i];
        }
        i = end;
    }
    if (distinct <= GW_DRIFT_CATEGORIES_MAX && rare * 10 <= count) {
        feature->kind = GW_DRIFT_CATEGORICAL;
        return gw_drift_feature_size(feature, kept, err);
    }

    // Runs of equal values stay together; a bin ends where its mass is nearest to an equal part of what is left.
    feature->kind = GW_DRIFT_NUMERIC;
    uint32_t bins = 0;
    size_t left = count;
    size_t filled = 0;
    for (size_t i = 0; i < count;) {
        size_t end = run_end(sorted, count, i);
        double part = (double)left / (double)(bins_max - bins);
        bool fuller = (double)(filled + end - i) - part > part - (double)filled;
        bool enough = filled >= GW_DRIFT_BIN_ROWS_MIN && left - filled >= GW_DRIFT_BIN_ROWS_MIN;
        if (enough && fuller && bins + 1 < bins_max) {
            feature->edges[bins++] = sorted[i - 1];
            left -= filled;
            filled = 0;
        }
        filled += end - i;
        i = end;
    }
    return gw_drift_feature_size(feature, bins + 1, err);
}

// Normal scores: the mean of a standard normal over the bin's share of its mass, then made mean 0, variance 1.
static void score_bins(struct gw_drift_feature *feature)
{
    double finite = 0.0;
    for (uint32_t b = 0; b < feature->bin_count; b++) {
        finite += feature->share[b];
    }
    double z[GW_DRIFT_BINS_MAX];
    double mean = 0.0;
    double square = 0.0;
    double below = 0.0;
    double density = 0.0;
    for (uint32_t b = 0; b < feature->bin_count; b++) {
        double share = feature->share[b] / finite;
        below += share;
        double next = b + 1 < feature->bin_count ? gw_drift_normal_density(gw_drift_normal_quantile(below)) : 0.0;
        z[b] = (density - next) / share;
        density = next;
        mean += share * z[b];
        square += share * z[b] * z[b];
    }
    double deviation = sqrt(fmax(square - mean * mean, 0.0));
    for (uint32_t b = 0; b < feature->bin_count; b++) {
        feature->z[b] = deviation > 1e-9 ? (float)((z[b] - mean) / deviation) : 0.0f;
    }
}

static void share_rows(struct gw_drift_feature *feature, const uint64_t *counts, size_t total)
{
    // With this floor, what was never observed has share 1 / (n + 1) when both missing and unseen were not.
    double floor_count = (double)total / ((double)total - 1.0);
    double weight[GW_DRIFT_ROWS_MAX];
    double sum = 0.0;
    for (uint32_t b = 0; b < feature->row_count; b++) {
        weight[b] = b < feature->bin_count ? (double)counts[b] : fmax((double)counts[b], floor_count);
        sum += weight[b];
    }
    for (uint32_t b = 0; b < feature->row_count; b++) {
        feature->share[b] = weight[b] / sum;
    }
}

static void measure_dependence(struct gw_drift_feature *feature, const struct scratch *scratch, size_t count,
                               bool independent)
{
    feature->tau_location = 1.0;
    feature->tau_spread = 1.0;
    feature->tau_absence = 1.0;
    if (independent) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t row = scratch->row[i];
        scratch->series[i] = row < feature->bin_count ? (double)feature->z[row] : 0.0;
    }
    feature->tau_location = dependence(scratch->series, count);
    for (size_t i = 0; i < count; i++) {
        uint32_t row = scratch->row[i];
        double z = row < feature->bin_count && feature->bin_count > 1 ? (double)feature->z[row] : 1.0;
        scratch->series[i] = z * z - 1.0;
    }
    feature->tau_spread = dependence(scratch->series, count);
    for (uint32_t row = feature->bin_count; row < feature->row_count; row++) {
        for (size_t i = 0; i < count; i++) {
            scratch->series[i] = scratch->row[i] == row ? 1.0 : 0.0;
        }
        feature->tau_absence = fmax(feature->tau_absence, dependence(scratch->series, count));
    }
}

static gw_status build_feature(struct gw_drift_feature *feature, const float *values, size_t stride, size_t count,
                               uint32_t bins_max, const struct gw_drift_build_options *options, struct scratch *scratch,
                               gw_err *err)
{
    size_t finite = 0;
    for (size_t i = 0; i < count; i++) {
        float value = values[i * stride];
        if (fabsf(value) <= FLT_MAX) {
            scratch->sorted[finite++] = value;
        }
    }
    qsort(scratch->sorted, finite, sizeof *scratch->sorted, by_value);
    GW_TRY(choose_bins(feature, scratch->sorted, finite, bins_max, err));
    feature->sample_count = count;

    // The search needs its padding, the shares need the search.
    for (uint32_t b = 0; b < feature->row_count; b++) {
        feature->share[b] = 1.0;
    }
    feature->tau_location = feature->tau_spread = feature->tau_absence = 1.0;
    gw_drift_feature_derive(feature);
    uint64_t counts[GW_DRIFT_ROWS_MAX] = {0};
    for (size_t i = 0; i < count; i++) {
        uint32_t row = gw_drift_feature_row(feature, values[i * stride]);
        scratch->row[i] = (uint8_t)row;
        counts[row]++;
    }
    share_rows(feature, counts, count);
    score_bins(feature);
    measure_dependence(feature, scratch, count, options->independent);

    double tau = fmax(feature->tau_location, feature->tau_spread);
    feature->tolerance = fmax(scratch->errors * sqrt(tau / (double)count), options->tolerance_min);
    gw_drift_feature_derive(feature);
    gw_drift_lanes_tilt(&(struct gw_drift_tilt){.share = feature->share,
                                                .z = feature->z,
                                                .bin_count = feature->bin_count,
                                                .row_count = feature->row_count,
                                                .tau_location = feature->tau_location,
                                                .tau_spread = feature->tau_spread,
                                                .tolerance = feature->tolerance},
                        feature->tilt);
    gw_drift_lanes_absence(
        &(struct gw_drift_absence){
            .missing = feature->share[feature->bin_count],
            .unseen = feature->share[feature->bin_count + 1],
            .tau = feature->tau_absence,
            .tolerance = fmax(scratch->errors * sqrt(feature->tau_absence / (double)count), options->tolerance_min)},
        feature->absence);
    return GW_OK;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

// The loss of a head: clipped where only a thousandth of the rows lies above, and stakes tuned to rises from a
// hundredth of its deviation on.
static gw_status build_head(struct gw_drift_baseline *head, const struct gw_drift_rows *rows, uint32_t index,
                            bool independent, struct scratch *scratch, gw_err *err)
{
    size_t count = rows->labelled_count;
    size_t positives = 0;
    for (size_t i = 0; i < count; i++) {
        float probability = rows->probabilities[i * rows->head_count + index];
        uint8_t label = rows->labels[i * rows->head_count + index];
        if (!(probability >= 0.0f && probability <= 1.0f) || label > 1) {
            return gw_fail(err, GW_E_INVALID, "head '%s', row %zu: probability %g and label %u are no prediction",
                           head->name, i, (double)probability, label);
        }
        positives += label;
        scratch->series[i] = gw_drift_log_loss(probability, label == 1);
    }
    qsort(scratch->series, count, sizeof *scratch->series, by_size);
    double clip = scratch->series[(size_t)((double)(count - 1) * 0.999)];
    head->clip = clip > 0.0 ? clip : 1.0;

    double sum = 0.0;
    double square = 0.0;
    for (size_t i = 0; i < count; i++) { // in time order again
        double loss = gw_drift_log_loss(rows->probabilities[i * rows->head_count + index],
                                        rows->labels[i * rows->head_count + index] == 1);
        loss = fmin(loss, head->clip);
        scratch->series[i] = loss;
        sum += loss;
        square += loss * loss;
    }
    head->sample_count = count;
    head->base_rate = (double)positives / (double)count;
    head->mean = sum / (double)count;
    head->deviation = sqrt(fmax(square / (double)count - head->mean * head->mean, 0.0));
    head->tau = independent ? 1.0 : dependence(scratch->series, count);
    gw_drift_baseline_derive(head);
    return GW_OK;
}

static gw_status set_name(char *to, const char *name, gw_err *err)
{
    size_t size = strlen(name);
    if (size == 0 || size > GW_DRIFT_NAME_BYTES_MAX) {
        return gw_fail(err, GW_E_INVALID, "name '%.40s': %zu bytes, allowed are 1 to %d", name, size,
                       GW_DRIFT_NAME_BYTES_MAX);
    }
    memcpy(to, name, size + 1);
    return GW_OK;
}

static gw_status fill(struct gw_drift_profile *profile, const struct gw_drift_rows *rows,
                      const struct gw_drift_build_options *options, struct scratch *scratch, gw_err *err)
{
    for (uint32_t i = 0; i < rows->feature_count; i++) {
        GW_TRY(set_name(profile->features[i].name, rows->names[i], err));
        GW_TRY(build_feature(&profile->features[i], rows->values + i, rows->feature_count, rows->row_count,
                             GW_DRIFT_CATEGORIES_MAX, options, scratch, err));
    }
    if (profile->has_score) {
        GW_TRY(set_name(profile->score->name, "score", err));
        GW_TRY(build_feature(profile->score, rows->scores, 1, rows->score_count, GW_DRIFT_BINS_MAX, options, scratch,
                             err));
    }
    for (uint32_t i = 0; i < profile->head_count; i++) {
        GW_TRY(set_name(profile->heads[i].name, rows->head_names[i], err));
        GW_TRY(build_head(&profile->heads[i], rows, i, options->independent, scratch, err));
    }
    struct gw_buf bytes = {0};
    gw_status status = gw_drift_profile_write(profile, &bytes, err);
    if (status == GW_OK) {
        profile->fingerprint = gw_hash_fnv1a(GW_HASH_FNV_START, bytes.data, bytes.size);
    }
    gw_buf_deinit(&bytes);
    return status;
}

gw_status gw_drift_profile_build(const struct gw_drift_rows *rows, const struct gw_drift_build_options *options,
                                 struct gw_drift_profile **ret_profile, gw_err *err)
{
    GW_ASSERT(rows->head_count == 0 || (rows->probabilities != NULL && rows->labels != NULL));
    bool has_score = rows->score_count > 0;
    bool has_heads = rows->labelled_count > 0 && rows->head_count > 0;
    if (rows->feature_count > GW_DRIFT_FEATURES_MAX || rows->head_count > GW_DRIFT_HEADS_MAX) {
        return gw_fail(err, GW_E_TOO_LARGE, "%u features and %u heads: allowed are %d and %d", rows->feature_count,
                       rows->head_count, GW_DRIFT_FEATURES_MAX, GW_DRIFT_HEADS_MAX);
    }
    if (rows->row_count < GW_DRIFT_ROWS_MIN || (has_score && rows->score_count < GW_DRIFT_ROWS_MIN) ||
        (has_heads && rows->labelled_count < GW_DRIFT_ROWS_MIN)) {
        return gw_fail(err, GW_E_INVALID, "%zu rows, %zu scores, %zu labelled rows: a profile needs %d of each",
                       rows->row_count, rows->score_count, rows->labelled_count, GW_DRIFT_ROWS_MIN);
    }
    if (!(options->tolerance_min >= 0.0 && options->tolerance_min <= 1.0)) {
        return gw_fail(err, GW_E_INVALID, "tolerance %g: must be 0 to 1", options->tolerance_min);
    }
    // A stream can be off in two directions of location and of spread.
    uint32_t streams = rows->feature_count + (has_score ? 1 : 0);
    struct scratch scratch = {.errors = gw_drift_normal_quantile(1.0 - beyond_tolerance / (4.0 * GW_MAX(streams, 1)))};
    GW_TRY(scratch_init(&scratch, GW_MAX(rows->row_count, GW_MAX(rows->score_count, rows->labelled_count)), err));
    struct gw_drift_profile *profile =
        gw_drift_profile_new(rows->feature_count, has_score, has_heads ? rows->head_count : 0);
    gw_status status = profile == NULL ? gw_fail(err, GW_E_MEMORY, "no memory for a profile")
                                       : fill(profile, rows, options, &scratch, err);
    scratch_deinit(&scratch);
    if (status != GW_OK) {
        gw_drift_profile_free(profile);
        return status;
    }
    *ret_profile = profile;
    return GW_OK;
}
