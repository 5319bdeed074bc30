// SPDX-License-Identifier: MIT
#include "quality/head_quality.h"

#include "base/check.h"
#include "base/mem.h"
#include "quality/head_internal.h"

#include <math.h>

_Static_assert(GW_HEAD_QUALITY_BINS % GW_HEAD_QUALITY_GROUPS == 0, "a group is whole bins");

struct gw_head_quality *gw_head_quality_new(void)
{
    // 128-bit integers want 16 bytes.
    return gw_mem_aligned(GW_CACHE_LINE_BYTES, sizeof(struct gw_head_quality));
}

void gw_head_quality_free(struct gw_head_quality *quality)
{
    gw_mem_free(quality);
}

void gw_head_quality_clear(struct gw_head_quality *quality)
{
    *quality = (struct gw_head_quality){0};
}

static gw_status check_weight(double weight, gw_err *err)
{
    if (!(weight > 0.0 && weight <= GW_HEAD_QUALITY_WEIGHT_MAX)) {
        return gw_fail(err, GW_E_INVALID, "weight %g is not in (0, %g]", weight, GW_HEAD_QUALITY_WEIGHT_MAX);
    }
    return GW_OK;
}

gw_status gw_head_row_check(const struct gw_head_row *row, gw_err *err)
{
    if (!(row->prediction >= 0.0 && row->prediction <= 1.0)) {
        return gw_fail(err, GW_E_INVALID, "prediction %g is not in [0, 1]", row->prediction);
    }
    return check_weight(row->weight, err);
}

static gw_status check_room(const struct gw_head_quality *quality, uint64_t rows, uint64_t announced, gw_err *err)
{
    if (quality->counts[GW_HEAD_COUNT_ROWS] + rows > GW_HEAD_QUALITY_ROWS_MAX ||
        quality->counts[GW_HEAD_COUNT_ANNOUNCED_ROWS] + announced > GW_HEAD_QUALITY_ROWS_MAX) {
        return gw_fail(err, GW_E_TOO_LARGE, "more than %llu rows in one accumulator",
                       (unsigned long long)GW_HEAD_QUALITY_ROWS_MAX);
    }
    return GW_OK;
}

static uint64_t weight_units(double weight)
{
    double units = rint(weight * GW_HEAD_WEIGHT_ONE);
    return units >= 1.0 ? (uint64_t)units : 1;
}

static gw_i128 sum_units(double value)
{
    return (gw_i128)rint(value * GW_HEAD_SUM_ONE);
}

static size_t bin_of(double log_of_prediction, double log_of_rest)
{
    static const double span = 32.24; // a little over 2 ln((1 - 1e-7) / 1e-7), so that both clips have a bin
    double place = ((log_of_prediction - log_of_rest) / span + 0.5) * GW_HEAD_QUALITY_BINS;
    GW_ASSERT(place >= 0.0 && place < GW_HEAD_QUALITY_BINS);
    return (size_t)place;
}

gw_status gw_head_quality_add(struct gw_head_quality *quality, const struct gw_head_row *row, gw_err *err)
{
    GW_TRY(gw_head_row_check(row, err));
    GW_TRY(check_room(quality, 1, 0, err));
    double p = row->prediction;
    double clipped = fmin(fmax(p, GW_HEAD_QUALITY_CLIP), 1.0 - GW_HEAD_QUALITY_CLIP);
    double log_of_prediction = log(clipped);
    double log_of_rest = log1p(-clipped);
    double loss = row->positive ? -log_of_prediction : -log_of_rest;
    double y = row->positive ? 1.0 : 0.0;
    uint64_t units = weight_units(row->weight);
    double w = (double)units / GW_HEAD_WEIGHT_ONE;
    double w2 = w * w;
    size_t bin = bin_of(log_of_prediction, log_of_rest);

    quality->counts[GW_HEAD_COUNT_ROWS]++;
    quality->counts[GW_HEAD_COUNT_POSITIVE_ROWS] += row->positive;
    quality->bins[row->positive][bin] += units;
    quality->predicted[bin / (GW_HEAD_QUALITY_BINS / GW_HEAD_QUALITY_GROUPS)] += sum_units(w * p);

    gw_i128 *sums = quality->sums;
    sums[GW_HEAD_SUM_WL] += sum_units(w * loss);
    sums[GW_HEAD_SUM_WP] += sum_units(w * p);
    sums[GW_HEAD_SUM_WB] += sum_units(w * (p - y) * (p - y));
    sums[GW_HEAD_SUM_W2] += sum_units(w2);
    sums[GW_HEAD_SUM_W2Y] += sum_units(w2 * y);
    sums[GW_HEAD_SUM_W2L] += sum_units(w2 * loss);
    sums[GW_HEAD_SUM_W2LY] += sum_units(w2 * loss * y);
    sums[GW_HEAD_SUM_W2LL] += sum_units(w2 * loss * loss);
    sums[GW_HEAD_SUM_W2PY] += sum_units(w2 * p * y);
    sums[GW_HEAD_SUM_W2PP] += sum_units(w2 * p * p);
    return GW_OK;
}

gw_status gw_head_quality_announce(struct gw_head_quality *quality, double weight, gw_err *err)
{
    GW_TRY(check_weight(weight, err));
    GW_TRY(check_room(quality, 0, 1, err));
    quality->counts[GW_HEAD_COUNT_ANNOUNCED_ROWS]++;
    quality->counts[GW_HEAD_COUNT_ANNOUNCED_WEIGHT] += weight_units(weight);
    return GW_OK;
}

gw_status gw_head_quality_merge(struct gw_head_quality *quality, const struct gw_head_quality *other, gw_err *err)
{
    GW_TRY(check_room(quality, other->counts[GW_HEAD_COUNT_ROWS], other->counts[GW_HEAD_COUNT_ANNOUNCED_ROWS], err));
    for (size_t i = 0; i < GW_HEAD_COUNT_COUNT; i++) {
        quality->counts[i] += other->counts[i];
    }
    for (size_t i = 0; i < GW_HEAD_SUM_COUNT; i++) {
        quality->sums[i] += other->sums[i];
    }
    for (size_t i = 0; i < GW_HEAD_QUALITY_GROUPS; i++) {
        quality->predicted[i] += other->predicted[i];
    }
    for (size_t i = 0; i < GW_HEAD_QUALITY_BINS; i++) {
        quality->bins[0][i] += other->bins[0][i];
        quality->bins[1][i] += other->bins[1][i];
    }
    return GW_OK;
}

static bool contains(const struct gw_head_quality *whole, const struct gw_head_quality *part)
{
    bool all = true;
    for (size_t i = 0; i < GW_HEAD_COUNT_COUNT; i++) {
        all = all && part->counts[i] <= whole->counts[i];
    }
    for (size_t i = 0; i < GW_HEAD_SUM_COUNT; i++) {
        all = all && part->sums[i] <= whole->sums[i];
    }
    for (size_t i = 0; i < GW_HEAD_QUALITY_GROUPS; i++) {
        all = all && part->predicted[i] <= whole->predicted[i];
    }
    for (size_t i = 0; i < GW_HEAD_QUALITY_BINS; i++) {
        all = all && part->bins[0][i] <= whole->bins[0][i] && part->bins[1][i] <= whole->bins[1][i];
    }
    return all;
}

gw_status gw_head_quality_subtract(struct gw_head_quality *quality, const struct gw_head_quality *part, gw_err *err)
{
    if (!contains(quality, part)) {
        return gw_fail(err, GW_E_INVALID, "cannot take back rows that were not added");
    }
    for (size_t i = 0; i < GW_HEAD_COUNT_COUNT; i++) {
        quality->counts[i] -= part->counts[i];
    }
    for (size_t i = 0; i < GW_HEAD_SUM_COUNT; i++) {
        quality->sums[i] -= part->sums[i];
    }
    for (size_t i = 0; i < GW_HEAD_QUALITY_GROUPS; i++) {
        quality->predicted[i] -= part->predicted[i];
    }
    for (size_t i = 0; i < GW_HEAD_QUALITY_BINS; i++) {
        quality->bins[0][i] -= part->bins[0][i];
        quality->bins[1][i] -= part->bins[1][i];
    }
    return GW_OK;
}
