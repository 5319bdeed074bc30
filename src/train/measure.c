// SPDX-License-Identifier: MIT
#include "train/measure.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

struct ranked {
    float margin;
    float label;
    float weight;
};

static int compare_margins(const void *a, const void *b)
{
    float x = ((const struct ranked *)a)->margin;
    float y = ((const struct ranked *)b)->margin;
    return (x > y) - (x < y);
}

// log(1 + exp(x)) without overflow.
static double softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

double gw_measure_log_loss(const float *margins, const float *labels, const float *weights, size_t count)
{
    double loss = 0;
    double weight_sum = 0;
    for (size_t i = 0; i < count; i++) {
        double margin = (double)margins[i];
        loss += (double)weights[i] * softplus(labels[i] > 0.5f ? -margin : margin);
        weight_sum += (double)weights[i];
    }
    return loss / weight_sum;
}

// The weighted Mann-Whitney statistic: walk up the margins; a positive beats all negative weight below, and half of the
// negative weight of its own tie.
static double auc_of_sorted(const struct ranked *ranked, size_t count)
{
    double negatives_below = 0;
    double positives = 0;
    double wins = 0;
    for (size_t start = 0; start < count;) {
        size_t end = start;
        double tie_positives = 0;
        double tie_negatives = 0;
        while (end < count && ranked[end].margin == ranked[start].margin) {
            *(ranked[end].label > 0.5f ? &tie_positives : &tie_negatives) += (double)ranked[end].weight;
            end++;
        }
        wins += tie_positives * (negatives_below + tie_negatives / 2);
        negatives_below += tie_negatives;
        positives += tie_positives;
        start = end;
    }
    return wins / (positives * negatives_below); // 0/0 with one class
}

gw_status gw_measure_all(const float *margins, const float *labels, const float *weights, size_t count,
                         struct gw_measure *ret_measure, gw_err *err)
{
    GW_CLEANUP(gw_mem_cleanup) struct ranked *ranked = gw_mem_calloc(count, sizeof *ranked);
    if (ranked == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory to rank %zu margins", count);
    }
    struct gw_measure measure = {0};
    double predicted = 0;
    for (size_t i = 0; i < count; i++) {
        ranked[i] = (struct ranked){.margin = margins[i], .label = labels[i], .weight = weights[i]};
        measure.weight_sum += (double)weights[i];
        measure.positive_weight += labels[i] > 0.5f ? (double)weights[i] : 0;
        predicted += (double)weights[i] / (1 + exp(-(double)margins[i]));
    }
    qsort(ranked, count, sizeof *ranked, compare_margins);
    double rate = measure.positive_weight / measure.weight_sum;
    measure.auc = auc_of_sorted(ranked, count);
    measure.log_loss = gw_measure_log_loss(margins, labels, weights, count);
    measure.normalised_entropy = measure.log_loss / -(rate * log(rate) + (1 - rate) * log1p(-rate));
    measure.calibration_ratio = predicted / measure.positive_weight;
    if (!(rate > 0 && rate < 1)) {
        measure.normalised_entropy = (double)NAN;
    }
    *ret_measure = measure;
    return GW_OK;
}
