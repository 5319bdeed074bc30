// SPDX-License-Identifier: MIT
// Throughput of the bulk lane, Kafka to Kafka, everything on this machine: bench_throughput --case NAME --candidates N
// ...
//
// A backlog is written once. Each run puts the group back to its start, starts a scorer, warms up and counts for a
// window what a read-committed consumer of `predictions` gets, by decoding every answer. The CPU of scorer, broker and
// Redis is taken over the same window; the lane's own account of its stages comes from serving_metrics. A backlog that
// does not outlast the window fails the run rather than flattering it.
//
// Another program that reads the same group and topics may stand in for godwit: the peer of throughput/peer, which is
// told by GODWIT_TEST_PEER_* variables what godwit finds in its configuration, and writes no serving_metrics.
#include "support/backlog.h"
#include "support/report.h"
#include "support/scorer.h"
#include "support/session.h"

#include "base/clock.h"
#include "kafka/consumer.h"
#include "records/prediction.h"
#include "records/serving_metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RUNS_MAX = 32, START_MS = 60000, POLL_MS = 100, ARENA_BYTES = 4 << 20, SCRATCH_MAX = 64 };

static const char bench_name[] = "throughput";

// One line of output each, from all runs.  X(field, metric, unit)
#define FIGURES(X)                                                                                                     \
    X(predictions_per_s, "predictions_per_s", "1/s")                                                                   \
    X(requests_per_s, "requests_per_s", "1/s")                                                                         \
    X(cpu_ns, "cpu_ns_per_prediction", "ns")                                                                           \
    X(broker_cpu_ns, "broker_cpu_ns_per_prediction", "ns")                                                             \
    X(redis_cpu_ns, "redis_cpu_ns_per_prediction", "ns")                                                               \
    X(counter_cpu_ns, "counter_cpu_ns_per_prediction", "ns")                                                           \
    X(not_ok, "answers_not_ok", "answers")                                                                             \
    X(foreign_cores, "foreign_cores", "cores")                                                                         \
    X(stolen_cores, "stolen_cores", "cores")

// The lanes' own account of stages.
#define STAGES(X)                                                                                                      \
    X(lane_cpu_ns, "lane_cpu_ns_per_prediction", "ns")                                                                 \
    X(hydrate_ns, "hydrate_ns_per_prediction", "ns")                                                                   \
    X(score_ns, "score_ns_per_prediction", "ns")                                                                       \
    X(rows_per_prediction, "rows_read_per_prediction", "rows")                                                         \
    X(rows_found_share, "rows_found_share", "share")                                                                   \
    X(batch_rows, "batch_rows_mean", "rows")

struct figures {
#define X(field, metric, unit) double field;
    FIGURES(X)
    STAGES(X)
#undef X
    bool told; // there are stages
};

struct settings {
    const char *program;
    const char *case_name;
    const char *model;
    const char *log;
    double users;
    double tweets;
    double authors;
    double candidates;
    double expected_per_s; // no faster than this: sizes the backlog
    double threads;
    double runs;
    double warm_up_s;
    double window_s;
    double broker_pid;
    double redis_pid;
};

// What the window has seen.
struct counts {
    uint64_t requests;
    uint64_t predictions;
    uint64_t not_ok;
    uint64_t metrics_seconds;
    struct gw_serving_metrics sums; // of the bulk lanes
    double batch_rows;
};

struct reader {
    const struct bench_session *session;
    struct gw_kafka_consumer *consumer;
    struct gw_arena arena;
    struct gw_buf scratch;
    struct counts counts;
    uint64_t seen; // predictions since the run began
};

static gw_status count_prediction(struct reader *reader, struct gw_slice body, gw_err *err)
{
    struct gw_prediction prediction;
    GW_TRY(gw_prediction_decode(body, &reader->arena, &prediction, err));
    reader->counts.requests++;
    reader->counts.predictions += prediction.ranked.count;
    reader->counts.not_ok += prediction.status != GW_PREDICTION_STATUS_OK;
    reader->seen += prediction.ranked.count;
    return GW_OK;
}

static gw_status count_metrics(struct reader *reader, struct gw_slice body, gw_err *err)
{
    struct gw_serving_metrics second;
    GW_TRY(gw_serving_metrics_decode(body, &reader->arena, &second, err));
    if (gw_slice_is(second.lane, "bulk") && second.predictions > 0) {
        struct gw_serving_metrics *sums = &reader->counts.sums;
        sums->predictions += second.predictions;
        sums->hydrate_us += second.hydrate_us;
        sums->score_us += second.score_us;
        sums->cpu_us += second.cpu_us;
        sums->rows_wanted += second.rows_wanted;
        sums->rows_found += second.rows_found;
        reader->counts.batch_rows += second.batch_rows_mean;
        reader->counts.metrics_seconds++;
    }
    return GW_OK;
}

// Reads one record, if one comes.
static gw_status read_one(struct reader *reader, gw_err *err)
{
    struct gw_kafka_record record;
    bool got = false;
    GW_TRY(gw_kafka_consumer_poll(reader->consumer, POLL_MS, &record, &got, err));
    if (!got) {
        return GW_OK;
    }
    const struct gw_runtime *runtime = &reader->session->runtime;
    bool is_prediction = record.topic == gw_runtime_topic(runtime, GW_TOPIC_PREDICTIONS);
    enum gw_topic topic = is_prediction ? GW_TOPIC_PREDICTIONS : GW_TOPIC_SERVING_METRICS;
    struct gw_slice body;
    gw_arena_clear(&reader->arena);
    gw_status status = gw_schema_gate_open(gw_runtime_gate(runtime, topic), record.value, &reader->scratch,
                                           &reader->arena, &body, err);
    if (status == GW_OK) {
        status = is_prediction ? count_prediction(reader, body, err) : count_metrics(reader, body, err);
    }
    gw_kafka_message_free(record.message);
    return status;
}

static gw_status reader_open(struct reader *reader, const struct bench_session *session, gw_err *err)
{
    *reader = (struct reader){.session = session};
    gw_arena_init(&reader->arena, ARENA_BYTES, SCRATCH_MAX * (size_t)ARENA_BYTES);
    const struct gw_kafka_consumer_options options = {.client = &session->runtime.kafka};
    struct gw_kafka_position positions[BENCH_PARTITIONS_MAX];
    size_t count = 0;
    GW_TRY(gw_kafka_consumer_new(&options, &reader->consumer, err));
    GW_TRY(bench_positions(session, GW_TOPIC_PREDICTIONS, GW_KAFKA_OFFSET_END, positions, BENCH_PARTITIONS_MAX, &count,
                           err));
    GW_TRY(bench_positions(session, GW_TOPIC_SERVING_METRICS, GW_KAFKA_OFFSET_END, positions, BENCH_PARTITIONS_MAX,
                           &count, err));
    return gw_kafka_consumer_assign(reader->consumer, positions, count, err);
}

static void reader_close(struct reader *reader)
{
    gw_kafka_consumer_free(reader->consumer);
    gw_arena_deinit(&reader->arena);
    gw_buf_deinit(&reader->scratch);
}

static gw_status read_until(struct reader *reader, struct bench_child *scorer, uint64_t until_us, gw_err *err)
{
    while (gw_clock_mono_us() < until_us) {
        GW_TRY(read_one(reader, err));
        GW_TRY(bench_child_check(scorer, err));
    }
    return GW_OK;
}

static gw_status wait_for_first(struct reader *reader, struct bench_child *scorer, gw_err *err)
{
    uint64_t until_us = gw_clock_mono_us() + START_MS * 1000ULL;
    while (reader->seen == 0) {
        if (gw_clock_mono_us() > until_us) {
            return gw_fail(err, GW_E_TIMEOUT, "no prediction within %d s, see '%s'", START_MS / 1000, scorer->log);
        }
        GW_TRY(read_one(reader, err));
        GW_TRY(bench_child_check(scorer, err));
    }
    return GW_OK;
}

struct cpu {
    double scorer_ns;
    double broker_ns;
    double redis_ns;
    double counter_ns;
    struct bench_machine machine;
};

static gw_status read_cpu(const struct settings *settings, const struct bench_child *scorer, struct cpu *cpu,
                          gw_err *err)
{
    GW_TRY(bench_cpu_ns(scorer->pid, &cpu->scorer_ns, err));
    GW_TRY(bench_cpu_ns((pid_t)settings->broker_pid, &cpu->broker_ns, err));
    GW_TRY(bench_cpu_ns((pid_t)settings->redis_pid, &cpu->redis_ns, err));
    GW_TRY(bench_cpu_ns(getpid(), &cpu->counter_ns, err));
    return bench_machine_cpu(&cpu->machine, err);
}

static gw_status measure(const struct settings *settings, struct reader *reader, struct bench_child *scorer,
                         uint64_t backlog, struct figures *ret_figures, gw_err *err)
{
    GW_TRY(wait_for_first(reader, scorer, err));
    GW_TRY(read_until(reader, scorer, gw_clock_mono_us() + (uint64_t)(settings->warm_up_s * 1e6), err));

    struct cpu before;
    struct cpu after;
    GW_TRY(read_cpu(settings, scorer, &before, err));
    reader->counts = (struct counts){0};
    uint64_t started_us = gw_clock_mono_us();
    GW_TRY(read_until(reader, scorer, started_us + (uint64_t)(settings->window_s * 1e6), err));
    double seconds = (double)(gw_clock_mono_us() - started_us) / 1e6;
    GW_TRY(read_cpu(settings, scorer, &after, err));

    const struct counts *counts = &reader->counts;
    if (reader->seen >= backlog || counts->predictions == 0) {
        return gw_fail(err, GW_E_EXHAUSTED, "the backlog of %llu predictions does not outlast the window",
                       (unsigned long long)backlog);
    }
    double n = (double)counts->predictions;
    double ours_ns = after.scorer_ns - before.scorer_ns + after.broker_ns - before.broker_ns + after.redis_ns -
                     before.redis_ns + after.counter_ns - before.counter_ns;
    double busy_ns = after.machine.busy_ns - before.machine.busy_ns;
    double stolen_ns = after.machine.stolen_ns - before.machine.stolen_ns;
    const struct gw_serving_metrics *told = &counts->sums;
    double told_n = (double)GW_MAX(told->predictions, 1);
    *ret_figures = (struct figures){
        .predictions_per_s = n / seconds,
        .requests_per_s = (double)counts->requests / seconds,
        .cpu_ns = (after.scorer_ns - before.scorer_ns) / n,
        .broker_cpu_ns = (after.broker_ns - before.broker_ns) / n,
        .redis_cpu_ns = (after.redis_ns - before.redis_ns) / n,
        .counter_cpu_ns = (after.counter_ns - before.counter_ns) / n,
        .not_ok = (double)counts->not_ok,
        .foreign_cores = GW_MAX(busy_ns - ours_ns, 0) / 1e9 / seconds,
        .stolen_cores = stolen_ns / 1e9 / seconds,
        .lane_cpu_ns = (double)told->cpu_us * 1e3 / told_n,
        .hydrate_ns = (double)told->hydrate_us * 1e3 / told_n,
        .score_ns = (double)told->score_us * 1e3 / told_n,
        .rows_per_prediction = (double)told->rows_wanted / told_n,
        .rows_found_share = (double)told->rows_found / (double)GW_MAX(told->rows_wanted, 1),
        .batch_rows = counts->batch_rows / (double)GW_MAX(counts->metrics_seconds, 1),
        .told = told->predictions > 0,
    };
    return GW_OK;
}

static gw_status run_once(const struct settings *settings, const struct bench_session *session,
                          const struct bench_backlog *backlog, struct figures *ret_figures, gw_err *err)
{
    char model[160];
    char threads[64];
    snprintf(model, sizeof model, "score.default_model=%s", settings->model);
    snprintf(threads, sizeof threads, "score.bulk_threads=%.0f", settings->threads);
    const char *const sets[] = {model, threads, NULL};
    GW_TRY(bench_rewind(session, backlog->start, backlog->count, err));
    struct reader reader;
    struct bench_child scorer = {0};
    gw_status status = reader_open(&reader, session, err);
    if (status == GW_OK) {
        status = bench_child_start(settings->program, "score", sets, settings->log, &scorer, err);
    }
    if (status == GW_OK) {
        status = measure(settings, &reader, &scorer, backlog->predictions, ret_figures, err);
    }
    bench_child_stop(&scorer);
    reader_close(&reader);
    return status;
}

static void report(const struct settings *settings, const struct figures *figures, size_t runs)
{
    double values[RUNS_MAX];
#define X(field, metric, unit)                                                                                         \
    for (size_t r = 0; r < runs; r++) {                                                                                \
        values[r] = figures[r].field;                                                                                  \
    }                                                                                                                  \
    bench_report_runs(bench_name, settings->case_name, metric, values, runs, unit);
    FIGURES(X)
    if (figures[0].told) {
        STAGES(X)
    }
#undef X
    bench_report(bench_name, settings->case_name, "bulk_threads", settings->threads, "threads");
}

static void tell_peer(const struct bench_session *session, const struct settings *settings)
{
    const struct gw_runtime *runtime = &session->runtime;
    char number[32];
    snprintf(number, sizeof number, "%u", gw_runtime_schema_id(runtime, GW_TOPIC_PREDICTIONS));
    setenv("GODWIT_TEST_PEER_SCHEMA_ID", number, 1);
    snprintf(number, sizeof number, "%.0f", settings->threads);
    setenv("GODWIT_TEST_PEER_THREADS", number, 1);
    setenv("GODWIT_TEST_PEER_BOOTSTRAP", runtime->kafka.bootstrap_servers, 1);
    setenv("GODWIT_TEST_PEER_GROUP", gw_runtime_group(runtime, "score"), 1);
    setenv("GODWIT_TEST_PEER_INPUT", gw_runtime_topic(runtime, GW_TOPIC_PREDICTION_REQUESTS), 1);
    setenv("GODWIT_TEST_PEER_OUTPUT", gw_runtime_topic(runtime, GW_TOPIC_PREDICTIONS), 1);
}

static gw_status run_case(const struct settings *settings, const struct bench_session *session, gw_err *err)
{
    struct bench_world world;
    GW_TRY(bench_world_init(&world, settings->users, settings->tweets, settings->authors, err));
    // Three seconds more, for a start that is slow to be seen and for the last transaction.
    double seconds = settings->warm_up_s + settings->window_s + 3;
    struct bench_backlog backlog;
    gw_status status =
        bench_backlog_fill(session, &world, (uint32_t)settings->candidates,
                           (uint64_t)(settings->expected_per_s * seconds / settings->candidates) + 1, &backlog, err);
    bench_world_deinit(&world);
    struct figures figures[RUNS_MAX] = {0};
    size_t runs = (size_t)settings->runs;
    for (size_t r = 0; r < runs && status == GW_OK; r++) {
        status = run_once(settings, session, &backlog, &figures[r], err);
        if (status == GW_OK) {
            bench_note("%s run %zu of %zu: %.0f predictions/s", settings->case_name, r + 1, runs,
                       figures[r].predictions_per_s);
        }
    }
    if (status == GW_OK) {
        report(settings, figures, runs);
    }
    return status;
}

int main(int argc, char **argv)
{
    struct settings s = {.users = 1e6,
                         .tweets = 1e6,
                         .authors = 1e5,
                         .candidates = 100,
                         .expected_per_s = 1e6,
                         .threads = 1,
                         .runs = 5,
                         .warm_up_s = 5,
                         .window_s = 20};
    const struct bench_option options[] = {
        {"--program", &s.program, NULL},       {"--case", &s.case_name, NULL},
        {"--model", &s.model, NULL},           {"--log", &s.log, NULL},
        {"--users", NULL, &s.users},           {"--tweets", NULL, &s.tweets},
        {"--authors", NULL, &s.authors},       {"--runs", NULL, &s.runs},
        {"--candidates", NULL, &s.candidates}, {"--expected", NULL, &s.expected_per_s},
        {"--threads", NULL, &s.threads},       {"--warm-up", NULL, &s.warm_up_s},
        {"--window", NULL, &s.window_s},       {"--broker-pid", NULL, &s.broker_pid},
        {"--redis-pid", NULL, &s.redis_pid},
    };
    gw_err err = {0};
    if (bench_options_parse(argc - 1, argv + 1, options, GW_COUNT_OF(options), &err) != GW_OK || s.program == NULL ||
        s.case_name == NULL || s.model == NULL || s.log == NULL || s.runs < 1 || s.runs > RUNS_MAX) {
        fprintf(stderr,
                "usage: bench_throughput --program GODWIT --case NAME --model NAME --log FILE [OPTION N...]: %s\n",
                err.message);
        return 2;
    }
    struct bench_session session;
    gw_status status = bench_session_init(&session, &err);
    if (status == GW_OK) {
        tell_peer(&session, &s);
        status = run_case(&s, &session, &err);
    }
    bench_session_deinit(&session);
    if (status != GW_OK) {
        fprintf(stderr, "bench_throughput: %s: %s\n", s.case_name, err.message);
        return 1;
    }
    return 0;
}
