// SPDX-License-Identifier: MIT
// Counters, gauges and histograms of one process, and their Prometheus text (format 0.0.4).
//
// Names are `godwit_<area>_<noun>_<unit>[_total]`, seconds and bytes. Metrics are made at start and live as long as the
// registry. Updates are relaxed atomics: any thread, no lock. Histograms have fixed log-spaced buckets (5 per decade,
// 1 us to 100 s) and are also read back as quantiles by the dashboard. The same name with another kind is a bug: asserted.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stdatomic.h>
#include <stdint.h>

struct gw_metrics;
struct gw_metric;

GW_CHECK gw_status gw_metrics_new(struct gw_metrics **ret_metrics, gw_err *err);
void gw_metrics_free(struct gw_metrics *metrics);

// Registers, or finds the one registered under the same name and labels. `labels` is `lane="bulk",topic="x"` or "".
// Strings are copied. Gives a handle owned by the registry; NULL when memory is short. Not for the hot path.
GW_CHECK struct gw_metric *gw_metrics_counter(struct gw_metrics *metrics, const char *name, const char *labels,
                                              const char *help);
GW_CHECK struct gw_metric *gw_metrics_gauge(struct gw_metrics *metrics, const char *name, const char *labels,
                                            const char *help);
GW_CHECK struct gw_metric *gw_metrics_histogram(struct gw_metrics *metrics, const char *name, const char *labels,
                                                const char *help);

void gw_metric_add(struct gw_metric *counter, uint64_t n);
void gw_metric_set(struct gw_metric *gauge, double value);
void gw_metric_observe_us(struct gw_metric *histogram, uint64_t us);
void gw_metric_observe_us_n(struct gw_metric *histogram, uint64_t us, uint64_t n); // n equal observations

uint64_t gw_metric_count(const struct gw_metric *metric); // counter value or number of observations
double gw_metric_value(const struct gw_metric *gauge);

// Appends the whole exposition text. Thread-safe against updates and registrations.
GW_CHECK gw_status gw_metrics_write(struct gw_metrics *metrics, struct gw_buf *out);

// Histogram as plain data, for windows: take two snapshots and subtract.
#define GW_HISTOGRAM_BUCKETS 42
struct gw_histogram {
    uint64_t counts[GW_HISTOGRAM_BUCKETS]; // last bucket: above the last bound
    uint64_t sum_us;
};
uint32_t gw_histogram_bucket(uint64_t us); // the bucket that counts this value
void gw_histogram_observe_us(struct gw_histogram *histogram, uint64_t us, uint64_t n);
uint64_t gw_histogram_bound_us(uint32_t bucket); // inclusive upper bound; UINT64_MAX for the last
uint64_t gw_histogram_total(const struct gw_histogram *histogram);
// The q-quantile, interpolated inside its bucket, in microseconds; 0 when empty.
double gw_histogram_quantile_us(const struct gw_histogram *histogram, double q);
void gw_metric_snapshot(const struct gw_metric *metric, struct gw_histogram *ret_histogram);
