// SPDX-License-Identifier: MIT
#include "quality/auc.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

struct item {
    double score;
    double positive; // weight
    double negative;
};

static int by_score(const void *a, const void *b)
{
    double x = ((const struct item *)a)->score;
    double y = ((const struct item *)b)->score;
    return (x > y) - (x < y);
}

static gw_status new_items(const double *scores, size_t count, struct item **ret_items, gw_err *err)
{
    struct item *items = gw_mem_calloc(count, sizeof *items);
    if (items == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory to sort %zu scores", count);
    }
    for (size_t i = 0; i < count; i++) {
        if (isnan(scores[i])) {
            gw_mem_free(items);
            return gw_fail(err, GW_E_INVALID, "score %zu is not a number", i);
        }
        items[i].score = scores[i];
    }
    *ret_items = items;
    return GW_OK;
}

// Sorts the items.
static double area(struct item *items, size_t count)
{
    qsort(items, count, sizeof *items, by_score);
    double negatives_below = 0.0;
    double positives = 0.0;
    double sum = 0.0;
    for (size_t from = 0; from < count;) {
        double group_positive = 0.0;
        double group_negative = 0.0;
        size_t to = from;
        while (to < count && items[to].score == items[from].score) {
            group_positive += items[to].positive;
            group_negative += items[to].negative;
            to++;
        }
        sum += group_positive * (negatives_below + group_negative / 2.0);
        positives += group_positive;
        negatives_below += group_negative;
        from = to;
    }
    return positives > 0.0 && negatives_below > 0.0 ? sum / (positives * negatives_below) : (double)NAN;
}

gw_status gw_quality_auc(const double *scores, const bool *labels, const double *weights, size_t count, double *ret_auc,
                         gw_err *err)
{
    struct item *items = NULL;
    GW_TRY(new_items(scores, count, &items, err));
    for (size_t i = 0; i < count; i++) {
        double weight = weights != NULL ? weights[i] : 1.0;
        if (!(weight >= 0.0) || isinf(weight)) {
            gw_mem_free(items);
            return gw_fail(err, GW_E_INVALID, "weight %zu is %g, must be finite and not negative", i, weight);
        }
        items[i].positive = labels[i] ? weight : 0.0;
        items[i].negative = labels[i] ? 0.0 : weight;
    }
    *ret_auc = area(items, count);
    gw_mem_free(items);
    return GW_OK;
}

gw_status gw_quality_expected_auc(const double *scores, const double *truth, size_t count, double *ret_auc, gw_err *err)
{
    struct item *items = NULL;
    GW_TRY(new_items(scores, count, &items, err));
    for (size_t i = 0; i < count; i++) {
        if (!(truth[i] >= 0.0 && truth[i] <= 1.0)) {
            gw_mem_free(items);
            return gw_fail(err, GW_E_INVALID, "probability %zu is %g", i, truth[i]);
        }
        items[i].positive = truth[i];
        items[i].negative = 1.0 - truth[i];
    }
    *ret_auc = area(items, count);
    gw_mem_free(items);
    return GW_OK;
}
