// SPDX-License-Identifier: MIT
#include "support/schedule.h"

#include "base/mem.h"
#include "base/rng.h"
#include "support/report.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

gw_status bench_schedule_init(struct bench_schedule *schedule, double rate_per_s, double warm_up_s, double window_s,
                              uint64_t start_us, gw_err *err)
{
    *schedule = (struct bench_schedule){.count = (uint64_t)(rate_per_s * (warm_up_s + window_s)),
                                        .warm_up_count = (uint64_t)(rate_per_s * warm_up_s)};
    schedule->items = gw_mem_calloc(schedule->count, sizeof *schedule->items);
    if (schedule->items == NULL || schedule->count == schedule->warm_up_count) {
        return gw_fail(err, GW_E_INVALID, "no requests, or too many");
    }
    struct gw_rng rng;
    gw_rng_init(&rng, 3);
    double at_us = (double)start_us;
    for (uint64_t i = 0; i < schedule->count; i++) {
        schedule->items[i].due_us = (uint64_t)at_us;
        at_us += -log(1 - gw_rng_double(&rng)) * 1e6 / rate_per_s;
    }
    return GW_OK;
}

void bench_schedule_deinit(struct bench_schedule *schedule)
{
    gw_mem_free(schedule->items);
    *schedule = (struct bench_schedule){0};
}

void bench_sleep_until(uint64_t due_us)
{
    const struct timespec due = {.tv_sec = (time_t)(due_us / 1000000), .tv_nsec = (long)(due_us % 1000000) * 1000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR) {
    }
}

// The q-quantile of a time of each counted request, in milliseconds. `field` is the offset of a uint32_t of
// microseconds.
static double stage_ms(const struct bench_schedule *schedule, size_t field, double q, double *scratch)
{
    uint64_t count = schedule->count - schedule->warm_up_count;
    for (uint64_t i = 0; i < count; i++) {
        uint32_t us = 0;
        memcpy(&us, (const char *)&schedule->items[schedule->warm_up_count + i] + field, sizeof us);
        scratch[i] = us / 1e3;
    }
    bench_sort(scratch, count);
    return bench_quantile(scratch, count, q);
}

gw_status bench_schedule_judge(const struct bench_schedule *schedule, struct bench_latency *ret_latency, gw_err *err)
{
    uint64_t count = schedule->count - schedule->warm_up_count;
    double *latencies = gw_mem_calloc(count, sizeof *latencies);
    double *late = gw_mem_calloc(count, sizeof *late);
    if (latencies == NULL || late == NULL) {
        gw_mem_free(latencies);
        gw_mem_free(late);
        return gw_fail(err, GW_E_MEMORY, "no memory for latencies");
    }
    struct bench_latency latency = {.requests = (double)count};
    for (uint64_t i = 0; i < count; i++) {
        const struct bench_due *due = &schedule->items[schedule->warm_up_count + i];
        bool answered = due->outcome == BENCH_OK || due->outcome == BENCH_PARTIAL;
        latencies[i] = answered ? (double)(due->done_us - due->due_us) / 1e3 : INFINITY;
        late[i] = (double)(due->sent_us - due->due_us) / 1e3;
        latency.failed += !answered;
        latency.partial += due->outcome == BENCH_PARTIAL;
    }
    bench_sort(latencies, count);
    bench_sort(late, count);
    latency.p50_ms = bench_quantile(latencies, count, 0.50);
    latency.p95_ms = bench_quantile(latencies, count, 0.95);
    latency.p99_ms = bench_quantile(latencies, count, 0.99);
    latency.send_late_p99_ms = bench_quantile(late, count, 0.99);
    latency.queue_p95_ms = stage_ms(schedule, offsetof(struct bench_due, queue_us), 0.95, late);
    latency.hydrate_p95_ms = stage_ms(schedule, offsetof(struct bench_due, hydrate_us), 0.95, late);
    latency.score_p95_ms = stage_ms(schedule, offsetof(struct bench_due, score_us), 0.95, late);
    gw_mem_free(latencies);
    gw_mem_free(late);
    *ret_latency = latency;
    return GW_OK;
}
