// SPDX-License-Identifier: MIT
// windows: what a caller who waits notices of a swap. Windows in which a version is promoted that the scorer has never
// seen alternate with windows in which nothing happens, under one open-loop load.
#include "rollout/rollout.h"

#include "base/clock.h"
#include "base/mem.h"
#include "kafka/consumer.h"
#include "support/backlog.h"
#include "support/report.h"
#include "support/schedule.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

enum { WINDOWS_MAX = 500, SEED = 5, LEAD_US = 300000, INTO_WINDOW_US = 100000 };

struct promoter {
    struct rollout *rollout;
    const int32_t *versions;
    size_t count;
    uint64_t first_us; // start of the first window
    uint64_t window_us;
    gw_status status;
    gw_err err;
};

// Promotes early in every other window.
static void *promote_all(void *argument)
{
    struct promoter *promoter = argument;
    for (size_t i = 0; i < promoter->count && promoter->status == GW_OK; i++) {
        int64_t sequence = 0;
        bench_sleep_until(promoter->first_us + (2 * i + 1) * promoter->window_us + INTO_WINDOW_US);
        promoter->status = rollout_promote(promoter->rollout, promoter->versions[i], &sequence, &promoter->err);
    }
    return NULL;
}

struct totals {
    double failed;
    double took_effect; // windows in which the promoted version has answered
};

// The p99 of the requests that were due in the window.
static double judge(const struct bench_schedule *schedule, uint64_t *next, uint64_t end_us, int32_t version,
                    double *scratch, struct totals *totals)
{
    size_t count = 0;
    bool new_version = false;
    for (; *next < schedule->count && schedule->items[*next].due_us < end_us; ++*next) {
        const struct bench_due *due = &schedule->items[*next];
        bool answered = due->outcome == BENCH_OK || due->outcome == BENCH_PARTIAL;
        scratch[count++] = answered ? (double)(due->done_us - due->due_us) / 1e3 : INFINITY;
        totals->failed += !answered;
        new_version = new_version || (answered && due->version == version);
    }
    totals->took_effect += new_version && version != 0;
    bench_sort(scratch, count);
    return count > 0 ? bench_quantile(scratch, count, 0.99) : INFINITY;
}

static double median(double *values, size_t count)
{
    bench_sort(values, count);
    return bench_quantile(values, count, 0.50);
}

// How far the medians of every other calm window and of the rest lie apart, >= 1: what the machine does by itself.
static double noise_ratio(const double *calm, size_t count)
{
    double halves[2][WINDOWS_MAX];
    size_t counts[2] = {0};
    for (size_t i = 0; i < count; i++) {
        halves[i % 2][counts[i % 2]++] = calm[i];
    }
    if (counts[1] == 0) {
        return INFINITY;
    }
    double ratio = median(halves[0], counts[0]) / median(halves[1], counts[1]);
    return GW_MAX(ratio, 1 / ratio);
}

static gw_status report(const struct promoter *promoter, const struct bench_schedule *schedule, gw_err *err)
{
    double with[WINDOWS_MAX];
    double without[WINDOWS_MAX];
    struct totals totals = {0};
    uint64_t next = 0;
    double *scratch = gw_mem_calloc(schedule->count, sizeof *scratch);
    if (scratch == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for latencies");
    }
    while (schedule->items[next].due_us < promoter->first_us) {
        next++;
    }
    for (size_t w = 0; w < 2 * promoter->count; w++) {
        bool swaps = w % 2 == 1;
        double *to = swaps ? &with[w / 2] : &without[w / 2];
        *to = judge(schedule, &next, promoter->first_us + (w + 1) * promoter->window_us,
                    swaps ? promoter->versions[w / 2] : 0, scratch, &totals);
        bench_note("window %zu %s: p99 %.2f ms", w, swaps ? "with a swap" : "without", *to);
    }
    gw_mem_free(scratch);
    const struct rollout *rollout = promoter->rollout;
    double noise = noise_ratio(without, promoter->count);
    double swapped_ms = median(with, promoter->count);
    double calm_ms = median(without, promoter->count);
    rollout_report(rollout, "median_p99_with_swap_ms", swapped_ms, "ms");
    rollout_report(rollout, "median_p99_without_ms", calm_ms, "ms");
    rollout_report(rollout, "ratio_of_median_p99", swapped_ms / calm_ms, "");
    rollout_report(rollout, "noise_ratio", noise, "");
    rollout_report(rollout, "worst_p99_with_swap_ms", with[promoter->count - 1], "ms");
    rollout_report(rollout, "worst_p99_without_ms", without[promoter->count - 1], "ms");
    rollout_report(rollout, "failed", totals.failed, "requests");
    rollout_report(rollout, "windows_with_swap", totals.took_effect, "windows");
    rollout_report(rollout, "windows", (double)(2 * promoter->count), "windows");
    return rollout_report_loads(rollout, err);
}

static gw_status drive(struct promoter *promoter, struct gw_kafka_consumer *replies, struct bench_requests *requests,
                       struct bench_schedule *schedule, gw_err *err)
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, promote_all, promoter);
    if (error != 0) {
        return gw_fail(err, GW_E_INTERNAL, "cannot start a thread: %s", strerror(error));
    }
    gw_status status = bench_drive_kafka(promoter->rollout->session, replies, requests, schedule, err);
    pthread_join(thread, NULL);
    if (status == GW_OK && promoter->status != GW_OK) {
        *err = promoter->err;
        status = promoter->status;
    }
    return status;
}

static gw_status measure(struct rollout *rollout, const int32_t *versions, struct gw_kafka_consumer *replies,
                         gw_err *err)
{
    const struct rollout_settings *s = rollout->settings;
    struct bench_requests requests = {0};
    struct bench_schedule schedule = {0};
    uint64_t start_us = gw_clock_mono_us() + LEAD_US;
    struct promoter promoter = {.rollout = rollout,
                                .versions = versions,
                                .count = (size_t)s->windows,
                                .first_us = start_us + (uint64_t)(s->warm_up_s * 1e6),
                                .window_us = (uint64_t)(s->window_s * 1e6)};
    gw_status status = bench_requests_init(&requests, rollout->world, (uint32_t)s->candidates, SEED, err);
    if (status == GW_OK) {
        // A little longer than the windows: the schedule is a random one of so many requests.
        status = bench_schedule_init(&schedule, s->rate, s->warm_up_s, 2 * s->windows * s->window_s + s->window_s,
                                     start_us, err);
    }
    if (status == GW_OK) {
        status = drive(&promoter, replies, &requests, &schedule, err);
    }
    if (status == GW_OK) {
        status = rollout_check(rollout, err);
    }
    if (status == GW_OK) {
        status = report(&promoter, &schedule, err);
    }
    bench_schedule_deinit(&schedule);
    bench_requests_deinit(&requests);
    return status;
}

gw_status rollout_windows(struct rollout *rollout, gw_err *err)
{
    static int32_t versions[WINDOWS_MAX];
    size_t count = (size_t)rollout->settings->windows;
    if (count < 1 || count > WINDOWS_MAX) {
        return gw_fail(err, GW_E_INVALID, "1 to %d windows of each kind", WINDOWS_MAX);
    }
    struct gw_kafka_consumer *replies = NULL;
    GW_TRY(rollout_register(rollout, count, versions, err));
    GW_TRY(bench_backlog_skip(rollout->session, err));
    GW_TRY(bench_replies_open(rollout->session, &replies, err));
    gw_status status = rollout_start(rollout, 1, err);
    if (status == GW_OK) {
        status = measure(rollout, versions, replies, err);
    }
    gw_kafka_consumer_free(replies);
    return status;
}
