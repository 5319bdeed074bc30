// SPDX-License-Identifier: MIT
#include "base/clock.h"
#include "worker/label_internal.h"

#include <math.h>
#include <stdio.h>

static const double quantiles[] = {0.5, 0.9, 0.99};
_Static_assert(GW_COUNT_OF(quantiles) == GW_COUNT_OF(((struct gw_label_metrics *)NULL)->delay), "one metric each");

static bool make_counters(struct gw_label_lane *lane)
{
    struct gw_label_metrics *m = &lane->metrics;
    struct gw_metrics *metrics = lane->runtime->metrics;
    char labels[96];
    bool ok = true;
    for (int i = 0; i < GW_LABEL_SERVED_OUTCOME_COUNT; i++) {
        snprintf(labels, sizeof labels, "outcome=\"%s\"", gw_label_served_outcome_names[i]);
        m->served[i] = gw_metrics_counter(metrics, "godwit_label_served_total", labels,
                                          "Served candidates: windows opened, and what became of them.");
        ok = ok && m->served[i] != NULL;
    }
    for (int with_id = 0; with_id < 2; with_id++) {
        for (int i = 0; i < GW_LABEL_ACTION_OUTCOME_COUNT; i++) {
            snprintf(labels, sizeof labels, "outcome=\"%s\",join_id=\"%s\"", gw_label_action_outcome_names[i],
                     with_id ? "yes" : "no");
            m->actions[with_id][i] =
                gw_metrics_counter(metrics, "godwit_label_actions_total", labels, "What became of viewers' actions.");
            ok = ok && m->actions[with_id][i] != NULL;
        }
    }
    for (int i = 0; i < GW_EXAMPLE_KIND_COUNT; i++) {
        snprintf(labels, sizeof labels, "kind=\"%s\"", gw_example_kind_name(i));
        m->examples[i] =
            gw_metrics_counter(metrics, "godwit_label_examples_total", labels, "Examples written and committed.");
        ok = ok && m->examples[i] != NULL;
    }
    m->samples = gw_metrics_counter(metrics, "godwit_label_samples_total", "", "Label samples written and committed.");
    return ok && m->samples != NULL;
}

static bool make_gauges(struct gw_label_lane *lane)
{
    struct gw_label_metrics *m = &lane->metrics;
    struct gw_metrics *metrics = lane->runtime->metrics;
    char labels[64];
    bool ok = true;
    for (size_t i = 0; i < GW_COUNT_OF(quantiles); i++) {
        snprintf(labels, sizeof labels, "lane=\"%u\",quantile=\"%g\"", lane->slot, quantiles[i]);
        m->delay[i] = gw_metrics_gauge(metrics, "godwit_label_delay_seconds", labels,
                                       "From impression to engagement, since the start.");
        ok = ok && m->delay[i] != NULL;
    }
    snprintf(labels, sizeof labels, "lane=\"%u\",of=\"all\"", lane->slot);
    m->coverage = gw_metrics_gauge(metrics, "godwit_label_coverage_ratio", labels,
                                   "Actions that found what was served, of those that could; where served records are "
                                   "sampled it approaches the sampling rate.");
    snprintf(labels, sizeof labels, "lane=\"%u\",of=\"with_join_id\"", lane->slot);
    m->coverage_with_id = gw_metrics_gauge(metrics, "godwit_label_coverage_ratio", labels, "");
    snprintf(labels, sizeof labels, "lane=\"%u\"", lane->slot);
    m->windows = gw_metrics_gauge(metrics, "godwit_label_open_windows", labels, "Windows that are open.");
    m->waiting = gw_metrics_gauge(metrics, "godwit_label_waiting_actions", labels,
                                  "Actions that wait for the served side to pass them.");
    m->memory = gw_metrics_gauge(metrics, "godwit_label_memory_bytes", labels, "Memory of the joins.");
    m->clock_lag = gw_metrics_gauge(metrics, "godwit_label_clock_lag_seconds", labels,
                                    "Age of the oldest clock that closes windows: it stands while rekey does.");
    m->held = gw_metrics_gauge(metrics, "godwit_label_held_inputs", labels,
                               "Input partitions that stand still because they are ahead or the lane is full.");
    return ok && m->coverage != NULL && m->coverage_with_id != NULL && m->windows != NULL && m->waiting != NULL &&
           m->memory != NULL && m->clock_lag != NULL && m->held != NULL;
}

gw_status gw_label_metrics_init(struct gw_label_lane *lane, gw_err *err)
{
    return make_counters(lane) && make_gauges(lane) ? GW_OK : gw_fail(err, GW_E_MEMORY, "no memory for metrics");
}

static void report_counts(struct gw_label_lane *lane, struct gw_label_partition *owned)
{
    const struct gw_label_counts *now = gw_label_join_counts(owned->join);
    for (int i = 0; i < GW_LABEL_SERVED_OUTCOME_COUNT; i++) {
        uint64_t more = now->served[i] - owned->reported.served[i];
        lane->totals.served[i] += more;
        gw_metric_add(lane->metrics.served[i], more);
    }
    for (int with_id = 0; with_id < 2; with_id++) {
        for (int i = 0; i < GW_LABEL_ACTION_OUTCOME_COUNT; i++) {
            uint64_t more = now->actions[with_id][i] - owned->reported.actions[with_id][i];
            lane->totals.actions[with_id][i] += more;
            gw_metric_add(lane->metrics.actions[with_id][i], more);
        }
    }
    owned->reported = *now;
}

static void report_gauges(struct gw_label_lane *lane)
{
    int64_t now_ms = gw_clock_wall_ms();
    uint64_t windows = 0;
    uint64_t waiting = 0;
    uint64_t memory = 0;
    uint64_t held = 0;
    double clock_lag_s = 0;
    for (int32_t p = 0; p < lane->partition_count; p++) {
        struct gw_label_partition *owned = &lane->partitions[p];
        if (!owned->ready) {
            continue;
        }
        struct gw_label_join_stats stats;
        gw_label_join_stats(owned->join, &stats);
        windows += stats.windows;
        waiting += stats.waiting;
        memory += stats.memory_bytes;
        held += (owned->sides[GW_LABEL_SERVED].hold != 0) + (owned->sides[GW_LABEL_ACTIONS].hold != 0);
        double lag_s = stats.clock_ms >= 0 ? (double)(now_ms - stats.clock_ms) / 1000 : (double)INFINITY;
        clock_lag_s = GW_MAX(clock_lag_s, lag_s);
        report_counts(lane, owned);
    }
    gw_metric_set(lane->metrics.windows, (double)windows);
    gw_metric_set(lane->metrics.waiting, (double)waiting);
    gw_metric_set(lane->metrics.memory, (double)memory);
    gw_metric_set(lane->metrics.held, (double)held);
    gw_metric_set(lane->metrics.clock_lag, clock_lag_s);
}

void gw_label_report(struct gw_label_lane *lane)
{
    report_gauges(lane);
    for (int i = 0; i < GW_EXAMPLE_KIND_COUNT; i++) {
        gw_metric_add(lane->metrics.examples[i], lane->examples_pending[i]);
        lane->examples_pending[i] = 0;
    }
    gw_metric_add(lane->metrics.samples, lane->samples_pending);
    lane->samples_pending = 0;
    for (uint32_t i = 0; i < GW_LABEL_DELAY_BUCKETS; i++) {
        lane->delays.counts[i] += lane->delays_pending.counts[i];
    }
    lane->delays_pending = (struct gw_label_delays){0};
    gw_metric_set(lane->metrics.coverage, gw_label_coverage(&lane->totals, false));
    gw_metric_set(lane->metrics.coverage_with_id, gw_label_coverage(&lane->totals, true));
    for (size_t i = 0; i < GW_COUNT_OF(quantiles); i++) {
        gw_metric_set(lane->metrics.delay[i], gw_label_delays_quantile_ms(&lane->delays, quantiles[i]) / 1000);
    }
}
