// SPDX-License-Identifier: MIT
#include "worker/retrain_labels.h"

#include "base/check.h"
#include "base/macros.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static const char *const fault_names[] = {
#define X(suffix, name) name,
    GW_RETRAIN_LABELS_MAP(X)
#undef X
};

const char *gw_retrain_labels_fault_name(enum gw_retrain_labels_fault fault)
{
    GW_ASSERT((size_t)fault < GW_RETRAIN_LABELS_FAULT_COUNT);
    return fault_names[fault];
}

struct gw_metric *gw_retrain_labels_metric(struct gw_metrics *metrics, enum gw_retrain_labels_fault fault)
{
    char label[32];
    snprintf(label, sizeof label, "fault=\"%s\"", gw_retrain_labels_fault_name(fault));
    return gw_metrics_counter(metrics, "godwit_retrain_labels_broken_total", label,
                              "Data sets that were refused because their labels look broken.");
}

void gw_retrain_labels_add(struct gw_retrain_label_part *part, bool positive, double weight)
{
    part->rows++;
    part->positive_rows += positive;
    part->weights += weight;
    part->squares += weight * weight;
    part->positive_weights += positive ? weight : 0;
}

static double rate_of(const struct gw_retrain_label_part *part)
{
    return part->positive_weights / part->weights;
}

// Kish: as many rows of equal weight say as much.
static double effective(const struct gw_retrain_label_part *part)
{
    return part->weights * part->weights / part->squares;
}

// Whether a rate differs from an expected one both much and surely; `variance` is that of the difference.
static bool differs(double rate, double expected, double variance)
{
    bool much = rate > expected * GW_RETRAIN_LABELS_FACTOR || rate * GW_RETRAIN_LABELS_FACTOR < expected;
    return much && fabs(rate - expected) > GW_RETRAIN_LABELS_SIGMAS * sqrt(variance);
}

static bool is_stale(const struct gw_retrain_labels *labels, const struct gw_retrain_labels_rules *rules,
                     int64_t *ret_late_ms)
{
    double rows = (double)(labels->before.rows + labels->newest.rows);
    double gap_ms = (double)(labels->newest_ms - labels->oldest_ms) / rows;
    double patience_ms = fmax(GW_RETRAIN_LABELS_LATE_MS, GW_RETRAIN_LABELS_GAPS * gap_ms);
    *ret_late_ms = rules->cutoff_ms - rules->window_ms - rules->settle_ms - labels->newest_ms;
    return (double)*ret_late_ms > patience_ms;
}

static bool rate_jumps(const struct gw_retrain_labels *labels)
{
    const struct gw_retrain_label_part *a = &labels->before;
    const struct gw_retrain_label_part *b = &labels->newest;
    if (a->rows == 0 || b->rows == 0) {
        return false;
    }
    double pooled = (a->positive_weights + b->positive_weights) / (a->weights + b->weights);
    return differs(rate_of(b), rate_of(a), pooled * (1 - pooled) * (1 / effective(a) + 1 / effective(b)));
}

enum gw_retrain_labels_fault gw_retrain_labels_judge(const struct gw_retrain_labels *labels,
                                                     const struct gw_retrain_labels_rules *rules, char *ret_verdict,
                                                     size_t size)
{
    const uint64_t rows = labels->before.rows + labels->newest.rows;
    const uint64_t positives = labels->before.positive_rows + labels->newest.positive_rows;
    const double expected = rules->trained_rate;
    int64_t late_ms = 0;
    GW_ASSERT(rows > 0);
    if (!rules->by_hand && is_stale(labels, rules, &late_ms)) {
        snprintf(ret_verdict, size,
                 "labels look broken: the newest final example is %" PRId64
                 " s older than it should be: does the label worker run, is anything served",
                 late_ms / 1000);
        return GW_RETRAIN_LABELS_STALE;
    }
    if (positives == 0 || positives == rows) {
        snprintf(ret_verdict, size, "labels look broken: %s of %" PRIu64 " examples %s positive",
                 positives == 0 ? "none" : "all", rows, positives == 0 ? "is" : "are");
        return GW_RETRAIN_LABELS_ONE_CLASS;
    }
    if (rate_jumps(labels)) {
        snprintf(ret_verdict, size,
                 "labels look broken: %.5f of the newest %" PRIu64 " examples are positive, %.5f of the %" PRIu64
                 " before",
                 rate_of(&labels->newest), labels->newest.rows, rate_of(&labels->before), labels->before.rows);
        return GW_RETRAIN_LABELS_RATE;
    }
    if (labels->newest.rows > 0 && expected > 0 && expected < 1 &&
        differs(rate_of(&labels->newest), expected, expected * (1 - expected) / effective(&labels->newest))) {
        snprintf(ret_verdict, size,
                 "labels look broken: %.5f of the newest %" PRIu64
                 " examples are positive, the champion was trained on %.5f",
                 rate_of(&labels->newest), labels->newest.rows, expected);
        return GW_RETRAIN_LABELS_RATE;
    }
    return GW_RETRAIN_LABELS_FINE;
}
