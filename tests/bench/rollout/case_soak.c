// SPDX-License-Identifier: MIT
// soak: swaps one after the other, each as soon as the one before is in force, and what they leave in the scorer's
// memory. There are more versions than the scorer keeps, so that each swap loads a model and frees one; a light load
// holds tables and gives the warm-up real requests.
#include "rollout/rollout.h"

#include "base/clock.h"
#include "kafka/consumer.h"
#include "support/backlog.h"
#include "support/report.h"
#include "support/schedule.h"
#include "worker/score_follow.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum {
    VERSIONS = GW_SCORE_SPARE_MODELS + 3,
    SETTLED = 100, // swaps after which memory is looked at first
    ASK_EVERY_US = 2000,
    NOTE_EVERY = 100,
    SEED = 5,
    LOAD_PER_S = 50,
    LEAD_US = 100000,
};

struct load {
    struct rollout *rollout;
    struct gw_kafka_consumer *replies;
    atomic_bool stop;
    double failed;
    double requests;
    gw_status status;
    gw_err err;
};

static gw_status send_second(struct load *load, struct bench_requests *requests)
{
    struct bench_schedule schedule;
    struct bench_latency latency;
    GW_TRY(bench_schedule_init(&schedule, LOAD_PER_S, 0, 1, gw_clock_mono_us() + LEAD_US, &load->err));
    gw_status status = bench_drive_kafka(load->rollout->session, load->replies, requests, &schedule, &load->err);
    if (status == GW_OK) {
        status = bench_schedule_judge(&schedule, &latency, &load->err);
    }
    bench_schedule_deinit(&schedule);
    GW_TRY(status);
    load->failed += latency.failed;
    load->requests += latency.requests;
    return GW_OK;
}

static void *send_all(void *argument)
{
    struct load *load = argument;
    struct bench_requests requests = {0};
    load->status = bench_requests_init(&requests, load->rollout->world, (uint32_t)load->rollout->settings->candidates,
                                       SEED, &load->err);
    while (load->status == GW_OK && !atomic_load(&load->stop)) {
        load->status = send_second(load, &requests);
    }
    bench_requests_deinit(&requests);
    return NULL;
}

// Resident memory of a process now.
static gw_status resident_mib(pid_t pid, double *ret_mib, gw_err *err)
{
    char path[64];
    char line[256];
    unsigned long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && kib == 0 && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "VmRSS: %lu kB", &kib) != 1) {
            kib = 0;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    *ret_mib = (double)kib / 1024;
    return kib > 0 ? GW_OK : gw_fail(err, GW_E_IO, "no VmRSS in '%s'", path);
}

static gw_status swap(struct rollout *rollout, int32_t version, gw_err *err)
{
    char prefix[160];
    int64_t wanted = 0;
    double sequence = 0;
    uint64_t until_us = gw_clock_mono_us() + ROLLOUT_PATIENCE_S * 1000000ULL;
    snprintf(prefix, sizeof prefix, "godwit_score_route_sequence{model=\"%s\"}", rollout->settings->model);
    GW_TRY(rollout_promote(rollout, version, &wanted, err));
    while (sequence < (double)wanted) {
        if (gw_clock_mono_us() > until_us) {
            return gw_fail(err, GW_E_TIMEOUT, "route %lld is not in force, see '%s'", (long long)wanted,
                           rollout->scorers[0].log);
        }
        bench_sleep_until(gw_clock_mono_us() + ASK_EVERY_US);
        GW_TRY(rollout_metric(rollout, 0, prefix, &sequence, err));
    }
    return rollout_check(rollout, err);
}

static gw_status swap_all(struct rollout *rollout, const int32_t *versions, gw_err *err)
{
    size_t count = (size_t)rollout->settings->swaps;
    double before_mib = 0;
    double after_mib = 0;
    uint64_t began_us = gw_clock_mono_us();
    for (size_t i = 0; i < count; i++) {
        GW_TRY(swap(rollout, versions[i % VERSIONS], err));
        if ((i + 1) % NOTE_EVERY == 0) {
            GW_TRY(resident_mib(rollout->scorers[0].pid, &after_mib, err));
            bench_note("%zu swaps, %.1f MiB", i + 1, after_mib);
        }
        if (i + 1 == SETTLED) {
            before_mib = after_mib;
        }
    }
    double seconds = (double)(gw_clock_mono_us() - began_us) / 1e6;
    GW_TRY(resident_mib(rollout->scorers[0].pid, &after_mib, err));
    rollout_report(rollout, "rss_after_100_mib", before_mib, "MiB");
    rollout_report(rollout, "rss_at_end_mib", after_mib, "MiB");
    rollout_report(rollout, "rss_growth_mib", after_mib - before_mib, "MiB");
    rollout_report(rollout, "swaps_per_s", (double)count / seconds, "1/s");
    rollout_report(rollout, "n", (double)count, "swaps");
    return rollout_report_loads(rollout, err);
}

static gw_status measure(struct rollout *rollout, struct load *load, const int32_t *versions, gw_err *err)
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, send_all, load);
    if (error != 0) {
        return gw_fail(err, GW_E_INTERNAL, "cannot start a thread: %s", strerror(error));
    }
    gw_status status = swap_all(rollout, versions, err);
    atomic_store(&load->stop, true);
    pthread_join(thread, NULL);
    if (status == GW_OK && load->status != GW_OK) {
        *err = load->err;
        status = load->status;
    }
    GW_TRY(status);
    rollout_report(rollout, "failed", load->failed, "requests");
    rollout_report(rollout, "requests", load->requests, "requests");
    return GW_OK;
}

gw_status rollout_soak(struct rollout *rollout, gw_err *err)
{
    int32_t versions[VERSIONS];
    struct load load = {.rollout = rollout};
    if (rollout->settings->swaps <= SETTLED) {
        return gw_fail(err, GW_E_INVALID, "over %d swaps", SETTLED);
    }
    GW_TRY(rollout_register(rollout, VERSIONS, versions, err));
    GW_TRY(bench_backlog_skip(rollout->session, err));
    GW_TRY(bench_replies_open(rollout->session, &load.replies, err));
    gw_status status = rollout_start(rollout, 1, err);
    if (status == GW_OK) {
        status = measure(rollout, &load, versions, err);
    }
    gw_kafka_consumer_free(load.replies);
    return status;
}
