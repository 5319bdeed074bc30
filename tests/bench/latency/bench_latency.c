// SPDX-License-Identifier: MIT
// Latency of a caller who waits: bench_latency --case NAME --via sync|rest --rate R --bulk idle|busy ...
//
// Each run starts a scorer (and a bridge, for rest), waits until an answer comes, then sends requests by an open-loop
// schedule and measures from the moment each was due. busy: the bulk lane of the same process works off a backlog flat
// out meanwhile.
#include "latency/drive_rest.h"
#include "support/backlog.h"
#include "support/report.h"
#include "support/schedule.h"
#include "support/scorer.h"
#include "support/session.h"
#include "support/world.h"

#include "base/clock.h"
#include "kafka/consumer.h"

#include <stdio.h>
#include <string.h>

enum { RUNS_MAX = 32, READY_S = 60, LEAD_US = 300000, SEED = 5 };

static const char bench_name[] = "latency";

struct settings {
    const char *program;
    const char *case_name;
    const char *model;
    const char *log;
    const char *via;
    const char *bulk;
    double users;
    double tweets;
    double authors;
    double candidates;
    double rate;
    double threads;
    double runs;
    double warm_up_s;
    double window_s;
    double http_port;
    double busy_per_s; // no faster than this works the bulk lane: sizes the backlog
};

struct bench_run {
    const struct settings *settings;
    const struct bench_session *session;
    const struct bench_world *world;
    const struct bench_backlog *backlog; // NULL: idle
    struct bench_requests requests;
    struct gw_kafka_consumer *replies;
    struct bench_child scorer;
    struct bench_child bridge;
};

static gw_status drive(struct bench_run *run, struct bench_schedule *schedule, gw_err *err)
{
    return strcmp(run->settings->via, "rest") == 0
               ? bench_drive_rest((uint16_t)run->settings->http_port, &run->requests, schedule, err)
               : bench_drive_kafka(run->session, run->replies, &run->requests, schedule, err);
}

// One request a second until one is answered.
static gw_status wait_until_ready(struct bench_run *run, gw_err *err)
{
    for (int i = 0; i < READY_S; i++) {
        struct bench_schedule probe;
        struct bench_latency latency = {0};
        GW_TRY(bench_schedule_init(&probe, 1, 0, 1, gw_clock_mono_us() + LEAD_US, err));
        gw_status status = drive(run, &probe, err);
        if (status == GW_OK) {
            status = bench_schedule_judge(&probe, &latency, err);
        }
        bench_schedule_deinit(&probe);
        GW_TRY(status);
        if (latency.failed == 0) {
            return GW_OK;
        }
        GW_TRY(bench_child_check(&run->scorer, err));
        GW_TRY(bench_child_check(&run->bridge, err));
    }
    return gw_fail(err, GW_E_TIMEOUT, "no answer within %d tries, see '%s'", READY_S, run->scorer.log);
}

static gw_status start(struct bench_run *run, gw_err *err)
{
    const struct settings *s = run->settings;
    char model[160];
    char threads[64];
    char log[600];
    snprintf(model, sizeof model, "score.default_model=%s", s->model);
    snprintf(threads, sizeof threads, "score.bulk_threads=%.0f", s->threads);
    const char *const sets[] = {model, threads, NULL};
    GW_TRY(run->backlog != NULL ? bench_rewind(run->session, run->backlog->start, run->backlog->count, err)
                                : bench_backlog_skip(run->session, err));
    GW_TRY(bench_child_start(s->program, "score", sets, s->log, &run->scorer, err));
    if (strcmp(s->via, "rest") == 0) {
        snprintf(log, sizeof log, "%s.bridge", s->log);
        GW_TRY(bench_child_start(s->program, "bridge", sets, log, &run->bridge, err));
    }
    return wait_until_ready(run, err);
}

static gw_status measure(struct bench_run *run, struct bench_latency *ret_latency, gw_err *err)
{
    const struct settings *s = run->settings;
    struct bench_schedule schedule;
    GW_TRY(bench_schedule_init(&schedule, s->rate, s->warm_up_s, s->window_s, gw_clock_mono_us() + LEAD_US, err));
    struct bench_machine before = {0};
    struct bench_machine after = {0};
    gw_status status = bench_machine_cpu(&before, err);
    if (status == GW_OK) {
        status = drive(run, &schedule, err);
    }
    if (status == GW_OK) {
        status = bench_machine_cpu(&after, err);
    }
    if (status == GW_OK) {
        status = bench_schedule_judge(&schedule, ret_latency, err);
    }
    bench_schedule_deinit(&schedule);
    GW_TRY(status);
    ret_latency->stolen_cores = (after.stolen_ns - before.stolen_ns) / 1e9 / (s->warm_up_s + s->window_s);
    return bench_child_check(&run->scorer, err);
}

static gw_status run_once(struct bench_run *run, struct bench_latency *ret_latency, gw_err *err)
{
    GW_TRY(bench_requests_init(&run->requests, run->world, (uint32_t)run->settings->candidates, SEED, err));
    gw_status status = bench_replies_open(run->session, &run->replies, err);
    if (status == GW_OK) {
        status = start(run, err);
    }
    if (status == GW_OK) {
        status = measure(run, ret_latency, err);
    }
    bench_child_stop(&run->bridge);
    bench_child_stop(&run->scorer);
    gw_kafka_consumer_free(run->replies);
    bench_requests_deinit(&run->requests);
    return status;
}

static void report(const char *name, const struct bench_latency *latencies, size_t runs)
{
    double values[RUNS_MAX];
#define REPORT(field, unit)                                                                                            \
    for (size_t r = 0; r < runs; r++) {                                                                                \
        values[r] = latencies[r].field;                                                                                \
    }                                                                                                                  \
    bench_report_runs(bench_name, name, #field, values, runs, unit);
    REPORT(p50_ms, "ms")
    REPORT(p95_ms, "ms")
    REPORT(p99_ms, "ms")
    REPORT(failed, "requests")
    REPORT(partial, "requests")
    REPORT(requests, "requests")
    REPORT(send_late_p99_ms, "ms")
    REPORT(stolen_cores, "cores")
    if (latencies[0].score_p95_ms > 0) { // answers over REST do not tell
        REPORT(queue_p95_ms, "ms")
        REPORT(hydrate_p95_ms, "ms")
        REPORT(score_p95_ms, "ms")
    }
#undef REPORT
}

static gw_status run_case(const struct settings *s, const struct bench_session *session,
                          const struct bench_world *world, gw_err *err)
{
    static struct bench_backlog backlog;
    bool busy = strcmp(s->bulk, "busy") == 0;
    if (busy) {
        double predictions = s->busy_per_s * (s->warm_up_s + s->window_s + 10);
        GW_TRY(bench_backlog_fill(session, world, (uint32_t)s->candidates, (uint64_t)(predictions / s->candidates),
                                  &backlog, err));
    }
    struct bench_latency latencies[RUNS_MAX];
    size_t runs = (size_t)s->runs;
    for (size_t r = 0; r < runs; r++) {
        struct bench_run run = {.settings = s, .session = session, .world = world, .backlog = busy ? &backlog : NULL};
        GW_TRY(run_once(&run, &latencies[r], err));
        bench_note("%s run %zu of %zu: p50 %.2f ms, p95 %.2f ms, p99 %.2f ms, failed %.0f", s->case_name, r + 1, runs,
                   latencies[r].p50_ms, latencies[r].p95_ms, latencies[r].p99_ms, latencies[r].failed);
    }
    report(s->case_name, latencies, runs);
    return GW_OK;
}

int main(int argc, char **argv)
{
    struct settings s = {.via = "sync",
                         .bulk = "idle",
                         .users = 1e6,
                         .tweets = 1e6,
                         .authors = 1e5,
                         .candidates = 100,
                         .rate = 500,
                         .threads = 1,
                         .runs = 5,
                         .warm_up_s = 15, // a broker just started compiles its paths meanwhile
                         .window_s = 20,
                         .http_port = 8080,
                         .busy_per_s = 500000};
    const struct bench_option options[] = {
        {"--program", &s.program, NULL},
        {"--case", &s.case_name, NULL},
        {"--model", &s.model, NULL},
        {"--log", &s.log, NULL},
        {"--via", &s.via, NULL},
        {"--bulk", &s.bulk, NULL},
        {"--users", NULL, &s.users},
        {"--tweets", NULL, &s.tweets},
        {"--authors", NULL, &s.authors},
        {"--runs", NULL, &s.runs},
        {"--candidates", NULL, &s.candidates},
        {"--rate", NULL, &s.rate},
        {"--threads", NULL, &s.threads},
        {"--warm-up", NULL, &s.warm_up_s},
        {"--window", NULL, &s.window_s},
        {"--http-port", NULL, &s.http_port},
    };
    gw_err err = {0};
    if (bench_options_parse(argc - 1, argv + 1, options, GW_COUNT_OF(options), &err) != GW_OK || s.program == NULL ||
        s.case_name == NULL || s.model == NULL || s.log == NULL || s.runs < 1 || s.runs > RUNS_MAX) {
        fprintf(stderr, "usage: bench_latency --program GODWIT --case NAME --model NAME --log FILE [OPTION N...]: %s\n",
                err.message);
        return 2;
    }
    struct bench_session session;
    struct bench_world world = {0};
    gw_status status = bench_session_init(&session, &err);
    if (status == GW_OK) {
        status = bench_world_init(&world, s.users, s.tweets, s.authors, &err);
    }
    if (status == GW_OK) {
        status = run_case(&s, &session, &world, &err);
    }
    bench_world_deinit(&world);
    bench_session_deinit(&session);
    if (status != GW_OK) {
        fprintf(stderr, "bench_latency: %s: %s\n", s.case_name, err.message);
        return 1;
    }
    return 0;
}
