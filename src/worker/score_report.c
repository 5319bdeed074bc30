// SPDX-License-Identifier: MIT
// Once a second, one flat record per lane: what the lane committed in that second. Lossy by nature: a second that cannot
// be written is logged and gone.
#include "avro/framing.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "records/serving_metrics.h"
#include "worker/score.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { WINDOW_MS = 1000, TICK_MS = 50 };

static void take(struct gw_score_stats *stats, struct gw_score_totals *ret_totals)
{
    pthread_mutex_lock(&stats->lock);
    *ret_totals = stats->totals;
    pthread_mutex_unlock(&stats->lock);
}

static struct gw_histogram latency_between(const struct gw_score_totals *before, const struct gw_score_totals *now)
{
    struct gw_histogram window = now->latency;
    window.sum_us -= before->latency.sum_us;
    for (int i = 0; i < GW_HISTOGRAM_BUCKETS; i++) {
        window.counts[i] -= before->latency.counts[i];
    }
    return window;
}

// The first shadow of the window.
static void add_shadow(const struct gw_score_totals *before, const struct gw_score_totals *now,
                       struct gw_serving_metrics *record)
{
    for (size_t i = 0; i < now->shadowed_count; i++) {
        const struct gw_score_shadowed *shadow = &now->shadowed[i];
        struct gw_shadow_tally was = {0};
        for (size_t b = 0; b < before->shadowed_count; b++) {
            if (before->shadowed[b].version == shadow->version &&
                strcmp(before->shadowed[b].model, shadow->model) == 0 &&
                before->shadowed[b].tally.requests <= shadow->tally.requests) { // else it began anew
                was = before->shadowed[b].tally;
            }
        }
        uint64_t candidates = shadow->tally.candidates - was.candidates;
        uint64_t correlations = shadow->tally.correlations - was.correlations;
        if (candidates == 0) {
            continue;
        }
        record->shadow_version = shadow->version;
        record->shadow_requests = (int64_t)(shadow->tally.requests - was.requests);
        record->shadow_flips = (int64_t)(shadow->tally.flips - was.flips);
        record->shadow_delta_mean = (shadow->tally.delta_sum - was.delta_sum) / (double)candidates;
        record->shadow_rank_correlation =
            correlations > 0 ? (shadow->tally.correlation_sum - was.correlation_sum) / (double)correlations : 0;
        return;
    }
}

static struct gw_serving_metrics measure(const struct gw_score *score, const struct gw_score_stats *stats,
                                         const struct gw_score_model *champion,
                                         const struct gw_score_totals *before, const struct gw_score_totals *now,
                                         int64_t start_ms, int64_t window_ms)
{
    struct gw_histogram latency = latency_between(before, now);
    uint64_t batches = now->batches - before->batches;
    struct gw_serving_metrics record = {
        .instance = gw_slice_text(score->runtime->instance),
        .lane = gw_slice_text(stats->sync ? "sync" : "bulk"),
        .window_start_ms = start_ms,
        .window_ms = window_ms,
        .requests = (int64_t)(now->requests - before->requests),
        .predictions = (int64_t)(now->predictions - before->predictions),
        .partial = (int64_t)(now->partial - before->partial),
        .deadline_exceeded = (int64_t)(now->deadline_exceeded - before->deadline_exceeded),
        .refused = (int64_t)(now->refused - before->refused),
        .dead_letters = (int64_t)(now->dead_letters - before->dead_letters),
        .rows_wanted = (int64_t)(now->rows_wanted - before->rows_wanted),
        .rows_found = (int64_t)(now->rows_found - before->rows_found),
        .latency_p50_us = gw_histogram_quantile_us(&latency, 0.50),
        .latency_p95_us = gw_histogram_quantile_us(&latency, 0.95),
        .latency_p99_us = gw_histogram_quantile_us(&latency, 0.99),
        .batch_rows_mean = batches > 0 ? (double)(now->predictions - before->predictions) / (double)batches : 0,
        .hydrate_us = (int64_t)(now->hydrate_us - before->hydrate_us),
        .score_us = (int64_t)(now->score_us - before->score_us),
        .cpu_us = (int64_t)(now->cpu_us - before->cpu_us),
        .lag = atomic_load(&stats->loop->lag),
        .served_candidates = (int64_t)(now->served_candidates - before->served_candidates),
        .model_name = gw_slice_text(champion != NULL ? champion->name : ""),
        .model_version = champion != NULL ? champion->version : 0,
        .model_digest = gw_slice_text(champion != NULL ? champion->digest : ""),
        .cache_lookups = (int64_t)(now->cache.lookups - before->cache.lookups),
        .cache_hits = (int64_t)(now->cache.hits - before->cache.hits),
    };
    add_shadow(before, now, &record);
    return record;
}

static gw_status write_record(const struct gw_score *score, struct gw_kafka_producer *producer,
                              const struct gw_serving_metrics *record, struct gw_buf *value, gw_err *err)
{
    const struct gw_runtime *runtime = score->runtime;
    gw_buf_clear(value);
    if (gw_avro_frame_begin(value, gw_runtime_schema_id(runtime, GW_TOPIC_SERVING_METRICS)) != GW_OK ||
        gw_serving_metrics_encode(record, value) != GW_OK) {
        return gw_fail(err, GW_E_MEMORY, "no memory to encode metrics");
    }
    uint32_t partitions = gw_runtime_partitions(runtime, GW_TOPIC_SERVING_METRICS);
    const struct gw_kafka_output output = {
        .topic = gw_runtime_topic(runtime, GW_TOPIC_SERVING_METRICS),
        .partition = (int32_t)gw_hash_partition(runtime->instance, strlen(runtime->instance), partitions),
        .key = gw_slice_text(runtime->instance),
        .value = gw_buf_slice(value)};
    return gw_kafka_produce(producer, &output, err);
}

struct lane_metrics {
    struct gw_metric *predictions;
    struct gw_metric *requests;
    struct gw_metric *lag;
    struct gw_metric *latency_p99;
    struct gw_metric *cache_lookups;
    struct gw_metric *cache_hits;
    struct gw_metric *cache_on;
    struct gw_metric *feature_samples;
    struct gw_metric *feature_samples_partial;
};

// The same numbers for Prometheus, on the ops port.
static void publish(const struct lane_metrics *metrics, const struct gw_serving_metrics *record,
                    const struct gw_score_totals *before, const struct gw_score_totals *now)
{
    gw_metric_add(metrics->predictions, (uint64_t)record->predictions);
    gw_metric_add(metrics->requests, (uint64_t)record->requests);
    gw_metric_set(metrics->lag, (double)record->lag);
    gw_metric_set(metrics->latency_p99, record->latency_p99_us / 1e6);
    gw_metric_add(metrics->cache_lookups, (uint64_t)record->cache_lookups);
    gw_metric_add(metrics->cache_hits, (uint64_t)record->cache_hits);
    gw_metric_set(metrics->cache_on, now->cache.on ? 1 : 0);
    gw_metric_add(metrics->feature_samples, now->feature_samples - before->feature_samples);
    gw_metric_add(metrics->feature_samples_partial, now->feature_samples_partial - before->feature_samples_partial);
}

static bool make_metrics(const struct gw_score *score, struct lane_metrics *metrics)
{
    for (size_t i = 0; i < score->lane_count; i++) {
        char labels[64];
        struct gw_metrics *registry = score->runtime->metrics;
        snprintf(labels, sizeof labels, "lane=\"%s\",slot=\"%zu\"", score->stats[i].sync ? "sync" : "bulk", i);
        metrics[i] = (struct lane_metrics){
            .predictions = gw_metrics_counter(registry, "godwit_score_predictions_total", labels, "Candidates scored."),
            .requests = gw_metrics_counter(registry, "godwit_score_requests_total", labels, "Requests answered."),
            .lag = gw_metrics_gauge(registry, "godwit_score_lag_records", labels, "Records not yet read."),
            .latency_p99 = gw_metrics_gauge(registry, "godwit_score_latency_p99_seconds", labels,
                                            "99th percentile of the last second, from the request's time."),
        };
        metrics[i].cache_lookups = gw_metrics_counter(registry, "godwit_score_cache_lookups_total", labels,
                                                      "Candidates looked up in the prediction cache.");
        metrics[i].cache_hits = gw_metrics_counter(registry, "godwit_score_cache_hits_total", labels,
                                                   "Candidates whose score came from the prediction cache.");
        metrics[i].cache_on = gw_metrics_gauge(registry, "godwit_score_cache_on", labels,
                                               "1 while the prediction cache pays for itself.");
        metrics[i].feature_samples = gw_metrics_counter(registry, "godwit_score_feature_samples_total", labels,
                                                        "Candidates sampled for drift detection.");
        metrics[i].feature_samples_partial = gw_metrics_counter(
            registry, "godwit_score_feature_samples_partial_total", labels,
            "Requests chosen for a sample and left out: their stored features could not be read.");
        if (metrics[i].predictions == NULL || metrics[i].requests == NULL || metrics[i].lag == NULL ||
            metrics[i].latency_p99 == NULL || metrics[i].cache_lookups == NULL || metrics[i].cache_hits == NULL ||
            metrics[i].cache_on == NULL || metrics[i].feature_samples == NULL ||
            metrics[i].feature_samples_partial == NULL) {
            return false;
        }
    }
    return true;
}

static void report_window(struct gw_score *score, struct gw_kafka_producer *producer, struct gw_score_totals *before,
                          const struct lane_metrics *metrics, int64_t start_ms, struct gw_buf *value)
{
    struct gw_score_table *table = gw_score_models_acquire(score->models); // names of the champion are its
    const struct gw_score_route *route = table->default_route;
    const struct gw_score_model *champion = route != NULL && route->route.target_count > 0 ? route->targets[0] : NULL;
    for (size_t i = 0; i < score->lane_count; i++) {
        gw_err err = {0};
        struct gw_score_totals now;
        take(&score->stats[i], &now);
        const struct gw_serving_metrics record =
            measure(score, &score->stats[i], champion, &before[i], &now, start_ms, gw_clock_wall_ms() - start_ms);
        publish(&metrics[i], &record, &before[i], &now);
        gw_score_metrics_publish(score->runtime->metrics, score->stats[i].sync ? "sync" : "bulk", i, &before[i], &now);
        if (write_record(score, producer, &record, value, &err) != GW_OK) {
            gw_log_warn("serving_metrics.lost", "reason='%s'", err.message);
        }
        before[i] = now;
    }
    gw_score_table_unref(table);
    gw_kafka_producer_poll(producer, 0);
}

static void *run(void *argument)
{
    struct gw_score *score = argument;
    struct gw_score_totals *before = gw_mem_calloc(score->lane_count, sizeof *before);
    struct lane_metrics metrics[GW_SCORE_LANES_MAX];
    struct gw_kafka_producer *producer = NULL;
    struct gw_buf value = {0};
    gw_err err = {0};
    const struct gw_kafka_producer_options options = {.client = &score->runtime->kafka,
                                                      .kind = GW_KAFKA_PRODUCER_BULK};
    if (before == NULL || !make_metrics(score, metrics) ||
        gw_kafka_producer_new(&options, &producer, &err) != GW_OK) {
        gw_log_error("serving_metrics.off", "reason='%s'", err.message);
        gw_mem_free(before);
        return NULL;
    }
    int64_t start_ms = gw_clock_wall_ms();
    while (!atomic_load_explicit(score->runtime->stop, memory_order_relaxed)) {
        struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
        nanosleep(&tick, NULL);
        int64_t now_ms = gw_clock_wall_ms();
        if (now_ms - start_ms >= WINDOW_MS) {
            report_window(score, producer, before, metrics, start_ms, &value);
            start_ms = now_ms;
        }
    }
    if (gw_kafka_producer_flush(producer, 1000, &err) != GW_OK) {
        gw_log_warn("serving_metrics.lost", "reason='%s'", err.message);
    }
    gw_kafka_producer_free(producer);
    gw_buf_deinit(&value);
    gw_mem_free(before);
    return NULL;
}

gw_status gw_score_report_start(struct gw_score *score, gw_err *err)
{
    int error = pthread_create(&score->reporter, NULL, run, score);
    if (error != 0) {
        return gw_fail(err, GW_E_INTERNAL, "cannot start a thread: %s", strerror(error));
    }
    score->reporter_started = true;
    return GW_OK;
}

void gw_score_report_join(struct gw_score *score)
{
    if (score->reporter_started) {
        pthread_join(score->reporter, NULL);
        score->reporter_started = false;
    }
}
