// SPDX-License-Identifier: MIT
// The scoring worker's own parts: what its lanes share and count. Lanes never wait for each other.
#pragma once

#include "base/metrics.h"
#include "worker/lane.h"
#include "worker/score_cache.h"
#include "worker/score_models.h"
#include "worker/score_shadow.h"

#include <pthread.h>

// What one version served. Of so many a lane keeps counts; the oldest makes room for a new one.
enum { GW_SCORE_SERVED_MAX = 32 };

struct gw_score_served {
    char model[GW_ROUTE_NAME_BYTES];
    int32_t version;
    char variant[GW_ROUTE_VARIANT_BYTES];
    uint64_t requests;
    uint64_t predictions;
};

// Cumulative totals of one lane. The lane adds after each commit; the reporter takes a copy each second.
struct gw_score_totals {
    uint64_t requests;
    uint64_t predictions;
    uint64_t partial;
    uint64_t deadline_exceeded;
    uint64_t refused;
    uint64_t dead_letters;
    uint64_t rows_wanted;
    uint64_t rows_found;
    uint64_t batches;
    uint64_t hydrate_us;
    uint64_t score_us;
    uint64_t cpu_us; // of the lane's thread, since its start
    uint64_t served_candidates;
    uint64_t feature_samples;
    uint64_t feature_samples_partial; // of requests that were chosen, but answered PARTIAL: not written
    struct gw_histogram latency;
    struct gw_score_cache_totals cache; // all zero without one
    size_t served_count;
    struct gw_score_served served[GW_SCORE_SERVED_MAX];
    size_t shadowed_count;
    struct gw_score_shadowed shadowed[GW_SCORE_SHADOWED_MAX];
};

// score_totals.c: adding up.
void gw_score_totals_add(struct gw_score_totals *to, const struct gw_score_totals *more); // all but cache and shadows
void gw_score_totals_served(struct gw_score_totals *to, const struct gw_score_served *more);
void gw_score_totals_shadowed(struct gw_score_totals *to, const struct gw_score_shadowed *more, size_t count);

struct gw_score_stats {
    pthread_mutex_t lock; // guards totals
    struct gw_score_totals totals;
    const struct gw_loop_status *loop; // for the lag
    bool sync;
};

enum { GW_SCORE_LANES_MAX = 65 };

// One process's scorer.
struct gw_score {
    const struct gw_runtime *runtime;
    struct gw_score_models *models;
    struct gw_score_stats stats[GW_SCORE_LANES_MAX];
    size_t lane_count;
    pthread_t reporter;
    bool reporter_started;
};

// score_lane.c: makes lane number `slot`, the synchronous one when stats->sync.
GW_CHECK gw_status gw_score_lane_make(struct gw_score *score, uint32_t slot, struct gw_score_stats *stats,
                                      struct gw_lane *lane, gw_err *err);

// score_metrics.c: adds what a lane did since `before` to Prometheus, by version and by shadow. The reporter's thread.
void gw_score_metrics_publish(struct gw_metrics *metrics, const char *lane, size_t slot,
                              const struct gw_score_totals *before, const struct gw_score_totals *now);

// score_report.c: a thread that writes serving_metrics once a second until *runtime->stop.
GW_CHECK gw_status gw_score_report_start(struct gw_score *score, gw_err *err);
void gw_score_report_join(struct gw_score *score);
