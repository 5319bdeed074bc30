// SPDX-License-Identifier: MIT
#include "worker/monitor_internal.h"

#include <stdio.h>

static struct gw_metric *counter_of(struct gw_metrics *metrics, const char *name, const char *outcome, const char *help)
{
    char labels[48];
    snprintf(labels, sizeof labels, "outcome=\"%s\"", outcome);
    return gw_metrics_counter(metrics, name, labels, help);
}

static bool make_outcomes(struct gw_monitor_metrics *to, struct gw_metrics *metrics)
{
    bool made = true;
    for (int i = 0; i < GW_MONITOR_OUTCOME_COUNT; i++) {
        to->samples[i] =
            counter_of(metrics, "godwit_monitor_samples_total", gw_monitor_outcome_name((enum gw_monitor_outcome)i),
                       "Label samples: added to a window, or why not.");
        made = made && to->samples[i] != NULL;
    }
    for (int i = 0; i < GW_MONITOR_HEARD_COUNT; i++) {
        to->heard[i] =
            counter_of(metrics, "godwit_monitor_concept_rows_total", gw_monitor_heard_name((enum gw_monitor_heard)i),
                       "Heads of label samples: watched for a change of concept, or why not.");
        made = made && to->heard[i] != NULL;
    }
    for (int i = 0; i < GW_MONITOR_FED_COUNT; i++) {
        to->fed[i] =
            counter_of(metrics, "godwit_monitor_feature_samples_total", gw_monitor_fed_name((enum gw_monitor_fed)i),
                       "Feature samples: watched for drift, or why not.");
        made = made && to->fed[i] != NULL;
    }
    return made;
}

// By lane: lanes count into the same counters, but would set each other's gauges.
static bool make_gauges(struct gw_monitor_metrics *to, struct gw_metrics *metrics, uint32_t slot)
{
    char lane[32];
    char of_features[64];
    char of_concept[64];
    snprintf(lane, sizeof lane, "lane=\"%u\"", slot);
    snprintf(of_features, sizeof of_features, "%s,watch=\"features\"", lane);
    snprintf(of_concept, sizeof of_concept, "%s,watch=\"concept\"", lane);
    to->open_windows = gw_metrics_gauge(metrics, "godwit_monitor_open_windows", lane, "Quality windows that are open.");
    to->watched_features = gw_metrics_gauge(metrics, "godwit_monitor_watched_versions", of_features,
                                            "Versions that are watched for drift.");
    to->watched_concept = gw_metrics_gauge(metrics, "godwit_monitor_watched_versions", of_concept,
                                           "Versions that are watched for drift.");
    to->open_alerts = gw_metrics_gauge(metrics, "godwit_monitor_open_alerts", lane, "Alerts that are open.");
    return to->open_windows != NULL && to->watched_features != NULL && to->watched_concept != NULL &&
           to->open_alerts != NULL;
}

gw_status gw_monitor_metrics_init(struct gw_monitor_lane *lane, gw_err *err)
{
    struct gw_metrics *metrics = lane->runtime->metrics;
    struct gw_monitor_metrics *to = &lane->metrics;
    bool made = make_outcomes(to, metrics);
    to->unknown_heads = gw_metrics_counter(metrics, "godwit_monitor_unknown_heads_total", "",
                                           "Heads of samples whose name is no label: nobody can judge them.");
    to->records = gw_metrics_counter(metrics, "godwit_monitor_quality_records_total", "",
                                     "Records of model_quality written and committed.");
    to->alerts = gw_metrics_counter(metrics, "godwit_monitor_alerts_total", "",
                                    "Records of drift_alerts written and committed.");
    to->state_entries = gw_metrics_counter(metrics, "godwit_monitor_state_entries_total", "",
                                           "Entries of monitor_state written and committed.");
    to->state_bytes =
        gw_metrics_counter(metrics, "godwit_monitor_state_bytes_total", "", "Bytes of these, keys included.");
    made = make_gauges(to, metrics, lane->slot) && made;
    made = made && to->unknown_heads != NULL && to->records != NULL && to->alerts != NULL &&
           to->state_entries != NULL && to->state_bytes != NULL;
    return made ? GW_OK : gw_fail(err, GW_E_MEMORY, "no memory for metrics");
}

void gw_monitor_metrics_report(struct gw_monitor_lane *lane)
{
    const struct gw_monitor_counts *counts = &lane->counts;
    const struct gw_monitor_metrics *metrics = &lane->metrics;
    for (int i = 0; i < GW_MONITOR_OUTCOME_COUNT; i++) {
        gw_metric_add(metrics->samples[i], counts->samples[i]);
    }
    for (int i = 0; i < GW_MONITOR_HEARD_COUNT; i++) {
        gw_metric_add(metrics->heard[i], counts->heard[i]);
    }
    for (int i = 0; i < GW_MONITOR_FED_COUNT; i++) {
        gw_metric_add(metrics->fed[i], counts->fed[i]);
    }
    gw_metric_add(metrics->unknown_heads, counts->unknown_heads);
    gw_metric_add(metrics->records, counts->records);
    gw_metric_add(metrics->alerts, counts->alerts);
    gw_metric_add(metrics->state_entries, counts->state_entries);
    gw_metric_add(metrics->state_bytes, counts->state_bytes);
    lane->counts = (struct gw_monitor_counts){0};
}

void gw_monitor_metrics_measure(struct gw_monitor_lane *lane)
{
    uint64_t windows = 0;
    uint64_t features = 0;
    uint64_t concept = 0;
    uint64_t alerts = 0;
    for (int32_t p = 0; p < lane->partition_count; p++) {
        const struct gw_monitor_owned *labels = &lane->owned[GW_MONITOR_LABELS][p];
        if (labels->held) {
            struct gw_monitor_watches_stats stats =
                gw_monitor_watches_stats(gw_monitor_concept_watches(labels->concept));
            windows += gw_monitor_quality_stats(labels->quality).open_windows;
            concept += stats.versions;
            alerts += stats.open_alerts;
        }
        const struct gw_monitor_owned *samples = &lane->owned[GW_MONITOR_FEATURES][p];
        if (samples->held) {
            struct gw_monitor_watches_stats stats =
                gw_monitor_watches_stats(gw_monitor_features_watches(samples->features));
            features += stats.versions;
            alerts += stats.open_alerts;
        }
    }
    gw_metric_set(lane->metrics.open_windows, (double)windows);
    gw_metric_set(lane->metrics.watched_features, (double)features);
    gw_metric_set(lane->metrics.watched_concept, (double)concept);
    gw_metric_set(lane->metrics.open_alerts, (double)alerts);
}
