// SPDX-License-Identifier: MIT
// Counters per model version and per shadow. Their labels are made when a version first serves: one set a promotion.
#include "worker/score.h"

#include <stdio.h>
#include <string.h>

enum { LABELS_BYTES = 320 };

static void add(struct gw_metrics *metrics, const char *name, const char *labels, const char *help, uint64_t n)
{
    struct gw_metric *metric = gw_metrics_counter(metrics, name, labels, help);
    if (metric != NULL) { // else memory is short: the second is not counted
        gw_metric_add(metric, n);
    }
}

static void set(struct gw_metrics *metrics, const char *name, const char *labels, const char *help, double value)
{
    struct gw_metric *metric = gw_metrics_gauge(metrics, name, labels, help);
    if (metric != NULL) {
        gw_metric_set(metric, value);
    }
}

static struct gw_score_served served_before(const struct gw_score_totals *before, const struct gw_score_served *now)
{
    for (size_t i = 0; i < before->served_count; i++) {
        const struct gw_score_served *was = &before->served[i];
        if (was->version == now->version && strcmp(was->model, now->model) == 0 &&
            strcmp(was->variant, now->variant) == 0 && was->requests <= now->requests) { // else it began anew
            return *was;
        }
    }
    return (struct gw_score_served){0};
}

static void publish_served(struct gw_metrics *metrics, const char *lane, size_t slot,
                           const struct gw_score_totals *before, const struct gw_score_served *now)
{
    char labels[LABELS_BYTES];
    const struct gw_score_served was = served_before(before, now);
    if (now->requests == was.requests) {
        return;
    }
    snprintf(labels, sizeof labels, "lane=\"%s\",slot=\"%zu\",model=\"%s\",version=\"%d\",variant=\"%s\"", lane, slot,
             now->model, now->version, now->variant);
    add(metrics, "godwit_score_version_requests_total", labels, "Requests scored, by version.",
        now->requests - was.requests);
    add(metrics, "godwit_score_version_predictions_total", labels,
        "Candidates scored, by version.", now->predictions - was.predictions);
}

static struct gw_score_shadowed shadowed_before(const struct gw_score_totals *before,
                                                const struct gw_score_shadowed *now)
{
    for (size_t i = 0; i < before->shadowed_count; i++) {
        const struct gw_score_shadowed *was = &before->shadowed[i];
        if (was->version == now->version && strcmp(was->model, now->model) == 0 &&
            was->tally.requests <= now->tally.requests && was->skipped <= now->skipped) { // else it began anew
            return *was;
        }
    }
    return (struct gw_score_shadowed){0};
}

// The bound below which 99 % of the differences lie.
static double delta_p99(const struct gw_shadow_tally *tally)
{
    uint64_t total = 0;
    uint64_t below = 0;
    for (size_t i = 0; i < GW_SHADOW_DELTA_BUCKETS; i++) {
        total += tally->delta_counts[i];
    }
    for (size_t i = 0; i < GW_SHADOW_DELTA_BUCKETS; i++) {
        below += tally->delta_counts[i];
        if (below * 100 >= total * 99) {
            return gw_shadow_delta_bound(i);
        }
    }
    return gw_shadow_delta_bound(GW_SHADOW_DELTA_BUCKETS - 1);
}

static void publish_shadowed(struct gw_metrics *metrics, const char *lane, size_t slot,
                             const struct gw_score_totals *before, const struct gw_score_shadowed *now)
{
    char labels[LABELS_BYTES];
    const struct gw_shadow_tally *tally = &now->tally;
    const struct gw_score_shadowed was = shadowed_before(before, now);
    snprintf(labels, sizeof labels, "lane=\"%s\",slot=\"%zu\",model=\"%s\",version=\"%d\"", lane, slot, now->model,
             now->version);
    add(metrics, "godwit_score_shadow_requests_total", labels, "Requests that a shadow scored unseen.",
        tally->requests - was.tally.requests);
    add(metrics, "godwit_score_shadow_skipped_total", labels, "Requests that a shadow left out, over its budget.",
        now->skipped - was.skipped);
    add(metrics, "godwit_score_shadow_flips_total", labels, "Requests for which a shadow's best candidate is another.",
        tally->flips - was.tally.flips);
    add(metrics, "godwit_score_shadow_not_a_number_total", labels, "Candidates for which a shadow has no finite score.",
        tally->not_a_number - was.tally.not_a_number);
    if (tally->candidates > 0) {
        set(metrics, "godwit_score_shadow_delta_mean_ratio", labels,
            "Mean absolute difference of the primary head's probability, since the shadow began.",
            tally->delta_sum / (double)tally->candidates);
        set(metrics, "godwit_score_shadow_delta_p99_ratio", labels,
            "Bound that 99 % of these differences keep.", delta_p99(tally));
    }
    if (tally->correlations > 0) {
        set(metrics, "godwit_score_shadow_rank_correlation_ratio", labels,
            "Mean of Spearman's rank correlation with what was served, since the shadow began.",
            tally->correlation_sum / (double)tally->correlations);
    }
}

void gw_score_metrics_publish(struct gw_metrics *metrics, const char *lane, size_t slot,
                              const struct gw_score_totals *before, const struct gw_score_totals *now)
{
    for (size_t i = 0; i < now->served_count; i++) {
        publish_served(metrics, lane, slot, before, &now->served[i]);
    }
    for (size_t i = 0; i < now->shadowed_count; i++) {
        publish_shadowed(metrics, lane, slot, before, &now->shadowed[i]);
    }
}
