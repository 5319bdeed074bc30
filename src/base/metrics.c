// SPDX-License-Identifier: MIT
// The registry is a list sorted by name and labels, so that the text has each family in one piece, as the format wants.
#include "base/metrics.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/number.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum kind { KIND_COUNTER, KIND_GAUGE, KIND_HISTOGRAM };

static const char *const kind_names[] = {"counter", "gauge", "histogram"};

// Each metric has cache lines of its own: two threads that count different things do not slow each other down.
struct gw_metric {
    _Atomic uint64_t value; // counter, or the bits of a gauge's double
    _Atomic uint64_t sum_us;
    _Atomic uint64_t counts[GW_HISTOGRAM_BUCKETS];
    enum kind kind;
    char *name;
    char *labels;
    char *help;
    struct gw_metric *next;
};

struct gw_metrics {
    pthread_mutex_t lock; // guards the list, not the values
    struct gw_metric *first;
};

gw_status gw_metrics_new(struct gw_metrics **ret_metrics, gw_err *err)
{
    struct gw_metrics *metrics = gw_mem_calloc(1, sizeof *metrics);
    if (metrics == NULL || pthread_mutex_init(&metrics->lock, NULL) != 0) {
        gw_mem_free(metrics);
        return gw_fail(err, GW_E_MEMORY, "no memory for metrics");
    }
    *ret_metrics = metrics;
    return GW_OK;
}

static void metric_free(struct gw_metric *metric)
{
    if (metric != NULL) {
        gw_mem_free(metric->help);
        gw_mem_free(metric->labels);
        gw_mem_free(metric->name);
        gw_mem_free(metric);
    }
}

void gw_metrics_free(struct gw_metrics *metrics)
{
    if (metrics == NULL) {
        return;
    }
    while (metrics->first != NULL) {
        struct gw_metric *next = metrics->first->next;
        metric_free(metrics->first);
        metrics->first = next;
    }
    pthread_mutex_destroy(&metrics->lock);
    gw_mem_free(metrics);
}

static struct gw_metric *metric_new(enum kind kind, const char *name, const char *labels, const char *help)
{
    struct gw_metric *metric = gw_mem_aligned(GW_CACHE_LINE_BYTES, sizeof *metric);
    if (metric == NULL) {
        return NULL;
    }
    metric->kind = kind;
    metric->name = gw_mem_strdup(name);
    metric->labels = gw_mem_strdup(labels);
    metric->help = gw_mem_strdup(help);
    if (metric->name == NULL || metric->labels == NULL || metric->help == NULL) {
        metric_free(metric);
        return NULL;
    }
    return metric;
}

static int compare(const struct gw_metric *metric, const char *name, const char *labels)
{
    int order = strcmp(metric->name, name);
    return order != 0 ? order : strcmp(metric->labels, labels);
}

static struct gw_metric *find_or_add(struct gw_metrics *metrics, enum kind kind, const char *name, const char *labels,
                                     const char *help)
{
    pthread_mutex_lock(&metrics->lock);
    struct gw_metric **place = &metrics->first;
    while (*place != NULL && compare(*place, name, labels) < 0) {
        place = &(*place)->next;
    }
    struct gw_metric *metric = *place;
    if (metric == NULL || compare(metric, name, labels) != 0) {
        metric = metric_new(kind, name, labels, help);
        if (metric != NULL) {
            metric->next = *place;
            *place = metric;
        }
    }
    pthread_mutex_unlock(&metrics->lock);
    GW_ASSERT(metric == NULL || metric->kind == kind);
    return metric;
}

struct gw_metric *gw_metrics_counter(struct gw_metrics *metrics, const char *name, const char *labels, const char *help)
{
    return find_or_add(metrics, KIND_COUNTER, name, labels, help);
}

struct gw_metric *gw_metrics_gauge(struct gw_metrics *metrics, const char *name, const char *labels, const char *help)
{
    return find_or_add(metrics, KIND_GAUGE, name, labels, help);
}

struct gw_metric *gw_metrics_histogram(struct gw_metrics *metrics, const char *name, const char *labels,
                                       const char *help)
{
    return find_or_add(metrics, KIND_HISTOGRAM, name, labels, help);
}

// Values are independent of each other and of other memory, so relaxed order is enough everywhere.
static void add(_Atomic uint64_t *to, uint64_t n)
{
    atomic_fetch_add_explicit(to, n, memory_order_relaxed);
}

static uint64_t load(const _Atomic uint64_t *from)
{
    return atomic_load_explicit(from, memory_order_relaxed);
}

void gw_metric_add(struct gw_metric *counter, uint64_t n)
{
    GW_ASSERT(counter->kind == KIND_COUNTER);
    add(&counter->value, n);
}

void gw_metric_set(struct gw_metric *gauge, double value)
{
    GW_ASSERT(gauge->kind == KIND_GAUGE);
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    atomic_store_explicit(&gauge->value, bits, memory_order_relaxed);
}

void gw_metric_observe_us(struct gw_metric *histogram, uint64_t us)
{
    gw_metric_observe_us_n(histogram, us, 1);
}

void gw_metric_observe_us_n(struct gw_metric *histogram, uint64_t us, uint64_t n)
{
    GW_ASSERT(histogram->kind == KIND_HISTOGRAM);
    add(&histogram->counts[gw_histogram_bucket(us)], n);
    add(&histogram->sum_us, us * n);
}

uint64_t gw_metric_count(const struct gw_metric *metric)
{
    GW_ASSERT(metric->kind != KIND_GAUGE);
    if (metric->kind == KIND_COUNTER) {
        return load(&metric->value);
    }
    uint64_t count = 0;
    for (uint32_t i = 0; i < GW_HISTOGRAM_BUCKETS; i++) {
        count += load(&metric->counts[i]);
    }
    return count;
}

double gw_metric_value(const struct gw_metric *gauge)
{
    GW_ASSERT(gauge->kind == KIND_GAUGE);
    uint64_t bits = load(&gauge->value);
    double value = 0;
    memcpy(&value, &bits, sizeof value);
    return value;
}

void gw_metric_snapshot(const struct gw_metric *metric, struct gw_histogram *ret_histogram)
{
    GW_ASSERT(metric->kind == KIND_HISTOGRAM);
    for (uint32_t i = 0; i < GW_HISTOGRAM_BUCKETS; i++) {
        ret_histogram->counts[i] = load(&metric->counts[i]);
    }
    ret_histogram->sum_us = load(&metric->sum_us);
}

// "{labels}", "{labels,extra}", "{extra}" or nothing.
static gw_status write_labels(const char *labels, const char *extra, struct gw_buf *out)
{
    if (labels[0] == '\0' && extra[0] == '\0') {
        return GW_OK;
    }
    const char *comma = labels[0] != '\0' && extra[0] != '\0' ? "," : "";
    return gw_buf_append_format(out, "{%s%s%s}", labels, comma, extra);
}

static gw_status write_count(const struct gw_metric *metric, const char *suffix, const char *extra, uint64_t value,
                             struct gw_buf *out)
{
    GW_TRY(gw_buf_append_format(out, "%s%s", metric->name, suffix));
    GW_TRY(write_labels(metric->labels, extra, out));
    return gw_buf_append_format(out, " %" PRIu64 "\n", value);
}

static gw_status write_double(const struct gw_metric *metric, const char *suffix, double value, struct gw_buf *out)
{
    char text[GW_NUMBER_FORMAT_BYTES] = "NaN";
    if (isinf(value)) {
        memcpy(text, value > 0 ? "+Inf" : "-Inf", sizeof "+Inf");
    } else if (!isnan(value)) {
        gw_number_format_double(value, text);
    }
    GW_TRY(gw_buf_append_format(out, "%s%s", metric->name, suffix));
    GW_TRY(write_labels(metric->labels, "", out));
    return gw_buf_append_format(out, " %s\n", text);
}

static gw_status write_histogram(const struct gw_metric *metric, struct gw_buf *out)
{
    struct gw_histogram histogram;
    uint64_t below = 0;
    gw_metric_snapshot(metric, &histogram);
    for (uint32_t i = 0; i < GW_HISTOGRAM_BUCKETS; i++) {
        char bound[GW_NUMBER_FORMAT_BYTES] = "+Inf";
        char extra[GW_NUMBER_FORMAT_BYTES + 8];
        if (i + 1 < GW_HISTOGRAM_BUCKETS) {
            gw_number_format_double((double)gw_histogram_bound_us(i) / 1e6, bound);
        }
        snprintf(extra, sizeof extra, "le=\"%s\"", bound);
        below += histogram.counts[i];
        GW_TRY(write_count(metric, "_bucket", extra, below, out));
    }
    GW_TRY(write_double(metric, "_sum", (double)histogram.sum_us / 1e6, out));
    return write_count(metric, "_count", "", below, out);
}

static gw_status write_header(const struct gw_metric *metric, struct gw_buf *out)
{
    GW_TRY(gw_buf_append_format(out, "# HELP %s ", metric->name));
    for (const char *c = metric->help; *c != '\0'; c++) {
        const char plain[] = {*c, '\0'};
        GW_TRY(gw_buf_append_text(out, *c == '\n' ? "\\n" : *c == '\\' ? "\\\\" : plain));
    }
    return gw_buf_append_format(out, "\n# TYPE %s %s\n", metric->name, kind_names[metric->kind]);
}

static gw_status write_metric(const struct gw_metric *metric, struct gw_buf *out)
{
    switch (metric->kind) {
    case KIND_COUNTER:
        return write_count(metric, "", "", load(&metric->value), out);
    case KIND_GAUGE:
        return write_double(metric, "", gw_metric_value(metric), out);
    case KIND_HISTOGRAM:
        return write_histogram(metric, out);
    }
    GW_ASSERT(false);
    return GW_E_INTERNAL;
}

gw_status gw_metrics_write(struct gw_metrics *metrics, struct gw_buf *out)
{
    gw_status status = GW_OK;
    const char *family = "";
    pthread_mutex_lock(&metrics->lock);
    for (const struct gw_metric *metric = metrics->first; metric != NULL && status == GW_OK; metric = metric->next) {
        if (strcmp(metric->name, family) != 0) {
            family = metric->name;
            status = write_header(metric, out);
        }
        if (status == GW_OK) {
            status = write_metric(metric, out);
        }
    }
    pthread_mutex_unlock(&metrics->lock);
    return status;
}
