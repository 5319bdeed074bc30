// SPDX-License-Identifier: MIT
#include "model/scorer.h"

#include "base/check.h"
#include "base/mem.h"
#include "model/bundle_impl.h"
#include "model/plan.h"

struct gw_scorer {
    struct gw_bundle *bundle;
    struct gw_plan *plan;
    size_t width;
};

static gw_status check_columns(const struct gw_bundle_info *info, const uint32_t *columns, size_t width, gw_err *err)
{
    for (size_t f = 0; f < info->feature_count; f++) {
        size_t column = columns != NULL ? columns[f] : f;
        if (column >= width) {
            return gw_fail(err, GW_E_INVALID, "model '%.64s': feature '%.64s' is in column %zu of vectors of %zu",
                           info->model_name, info->feature_names[f], column, width);
        }
    }
    return GW_OK;
}

gw_status gw_scorer_new(struct gw_bundle *bundle, const uint32_t *columns, size_t width, struct gw_scorer **ret_scorer,
                        gw_err *err)
{
    const struct gw_bundle_info *info = &bundle->info;
    GW_TRY(check_columns(info, columns, width, err));
    GW_CLEANUP(gw_mem_cleanup) uint32_t *identity = gw_mem_calloc(info->feature_count, sizeof *identity);
    struct gw_scorer *scorer = gw_mem_calloc(1, sizeof *scorer);
    if (identity == NULL || scorer == NULL) {
        gw_mem_free(scorer);
        return gw_fail(err, GW_E_MEMORY, "no memory for a scorer");
    }
    for (size_t f = 0; f < info->feature_count; f++) {
        identity[f] = (uint32_t)f;
    }
    gw_status status =
        gw_plan_new(bundle->forests, info->head_count, columns != NULL ? columns : identity, width, &scorer->plan, err);
    if (status != GW_OK) {
        gw_mem_free(scorer);
        return status;
    }
    scorer->bundle = gw_bundle_ref(bundle);
    scorer->width = width;
    *ret_scorer = scorer;
    return GW_OK;
}

void gw_scorer_free(struct gw_scorer *scorer)
{
    if (scorer == NULL) {
        return;
    }
    gw_plan_free(scorer->plan);
    gw_bundle_unref(scorer->bundle);
    gw_mem_free(scorer);
}

const struct gw_bundle *gw_scorer_bundle(const struct gw_scorer *scorer)
{
    return scorer->bundle;
}

void gw_scorer_margins(const struct gw_scorer *scorer, const float *rows, size_t stride, size_t row_count,
                       float *margins)
{
    GW_ASSERT(stride >= scorer->width);
    gw_plan_margins(scorer->plan, rows, stride, row_count, margins);
}

void gw_scorer_finish(const struct gw_scorer *scorer, const float *margins, size_t row_count, float *probabilities,
                      float *scores, float *confidences)
{
    const struct gw_bundle *bundle = scorer->bundle;
    const size_t head_count = bundle->info.head_count;
    for (size_t r = 0; r < row_count; r++) {
        double score = 0;
        float *row = probabilities + r * head_count;
        for (size_t h = 0; h < head_count; h++) {
            row[h] = gw_calibration_apply(&bundle->calibrations[h], bundle->forests[h]->objective,
                                          margins[h * row_count + r]);
            score += bundle->heads[h].weight * (double)row[h];
        }
        if (scores != NULL) {
            scores[r] = (float)score;
        }
        if (confidences != NULL) {
            confidences[r] = row[bundle->info.primary_head];
        }
    }
}
