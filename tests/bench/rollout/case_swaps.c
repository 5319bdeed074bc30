// SPDX-License-Identifier: MIT
// promote, rollback: from the call until each of two scorers, which work off a backlog flat out, has committed a
// prediction by the new version.
//
// promote: every version is new to the scorers, so each has to fetch, load and warm it up. rollback: the former
// champion is still loaded. Between two swaps the answers are read on for a random time, so that calls meet the relay's
// and the lanes' intervals at any point. An answer counts when it was scored after the call, as its own time says.
#include "rollout/answers.h"
#include "rollout/rollout.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "support/report.h"

enum { SWAPS_MAX = 1000, PAUSE_MS = 400, WARM_UP_US = 3000000, SEED = 17 };

// Times of one swap from its call, in milliseconds; of the later scorer.
struct swap {
    double called;
    double scored;
    double seen;
};

struct run {
    struct rollout *rollout;
    struct rollout_answers answers;
    struct gw_rng rng;
    struct swap swaps[SWAPS_MAX];
    size_t count;
};

static gw_status read_for(struct run *run, uint64_t us, gw_err *err)
{
    uint64_t until_us = gw_clock_mono_us() + us;
    while (gw_clock_mono_us() < until_us) {
        struct rollout_answer answer;
        bool got = false;
        GW_TRY(rollout_answers_next(&run->answers, &answer, &got, err));
    }
    return rollout_check(run->rollout, err);
}

// Reads until each scorer has answered by the version (0: by any), scored after that wall time.
static gw_status wait_for(struct run *run, int32_t version, int64_t after_ms, struct rollout_answer *last, gw_err *err)
{
    bool seen[ROLLOUT_SCORERS_MAX] = {false};
    uint64_t until_us = gw_clock_mono_us() + ROLLOUT_PATIENCE_S * 1000000ULL;
    while (!seen[0] || !seen[1]) {
        struct rollout_answer answer;
        bool got = false;
        GW_TRY(rollout_answers_next(&run->answers, &answer, &got, err));
        if (got && !seen[answer.scorer] && (version == 0 || answer.version == version) &&
            answer.scored_at_ms > after_ms) {
            seen[answer.scorer] = true;
            last->seen_us = answer.seen_us;
            last->scored_at_ms = GW_MAX(last->scored_at_ms, answer.scored_at_ms);
        }
        if (gw_clock_mono_us() > until_us) {
            return gw_fail(err, GW_E_TIMEOUT, "version %d does not answer on each scorer, see '%s'", version,
                           run->rollout->scorers[0].log);
        }
    }
    return rollout_check(run->rollout, err);
}

// version 0: rolls back.
static gw_status change(struct run *run, int32_t version, int32_t *ret_version, gw_err *err)
{
    int64_t sequence = 0;
    *ret_version = version;
    if (version != 0) {
        return rollout_promote(run->rollout, version, &sequence, err);
    }
    const struct gw_registry_change why = {.actor = "bench", .reason = "rollback"};
    struct gw_registry_outcome outcome;
    GW_TRY(gw_registry_rollback(run->rollout->registry, run->rollout->settings->model, 0, &why, &outcome, err));
    *ret_version = outcome.version;
    return GW_OK;
}

static gw_status swap(struct run *run, int32_t version, struct swap *ret_swap, gw_err *err)
{
    struct rollout_answer last = {0};
    GW_TRY(read_for(run, gw_rng_below(&run->rng, PAUSE_MS) * 1000, err));
    int64_t wall_ms = gw_clock_wall_ms();
    uint64_t began_us = gw_clock_mono_us();
    GW_TRY(change(run, version, &version, err));
    uint64_t called_us = gw_clock_mono_us();
    GW_TRY(wait_for(run, version, wall_ms, &last, err));
    *ret_swap = (struct swap){.called = (double)(called_us - began_us) / 1e3,
                              .scored = (double)(last.scored_at_ms - wall_ms),
                              .seen = (double)(last.seen_us - began_us) / 1e3};
    return GW_OK;
}

static void report(const struct run *run)
{
    double values[SWAPS_MAX];
#define REPORT(field, prefix)                                                                                          \
    for (size_t i = 0; i < run->count; i++) {                                                                          \
        values[i] = run->swaps[i].field;                                                                               \
    }                                                                                                                  \
    bench_sort(values, run->count);                                                                                    \
    rollout_report(run->rollout, prefix "p50_ms", bench_quantile(values, run->count, 0.50), "ms");                     \
    rollout_report(run->rollout, prefix "p99_ms", bench_quantile(values, run->count, 0.99), "ms");                     \
    rollout_report(run->rollout, prefix "max_ms", values[run->count - 1], "ms");
    REPORT(seen, "")
    REPORT(called, "call_")
    REPORT(scored, "scored_")
#undef REPORT
    rollout_report(run->rollout, "n", (double)run->count, "swaps");
}

static gw_status measure(struct run *run, const int32_t *versions, bool back, gw_err *err)
{
    struct rollout_answer any = {0};
    struct bench_machine before = {0};
    struct bench_machine after = {0};
    uint64_t dropped = 0;
    GW_TRY(wait_for(run, 0, 0, &any, err));
    GW_TRY(read_for(run, WARM_UP_US, err));
    GW_TRY(bench_machine_cpu(&before, err));
    uint64_t predictions = run->answers.predictions;
    uint64_t began_us = gw_clock_mono_us();
    for (size_t i = 0; i < run->count; i++) {
        if (back) {
            struct swap forward;
            GW_TRY(swap(run, versions[i % 2], &forward, err));
        }
        GW_TRY(swap(run, back ? 0 : versions[i], &run->swaps[i], err));
    }
    double seconds = (double)(gw_clock_mono_us() - began_us) / 1e6;
    double per_s = (double)(run->answers.predictions - predictions) / seconds;
    GW_TRY(bench_machine_cpu(&after, err));
    GW_TRY(rollout_report_loads(run->rollout, err));
    rollout_stop_scorers(run->rollout);
    GW_TRY(rollout_answers_settle(&run->answers, &dropped, err));
    report(run);
    rollout_report(run->rollout, "dropped", (double)(dropped + run->answers.not_ok), "requests");
    rollout_report(run->rollout, "requests", (double)run->answers.answered, "requests");
    rollout_report(run->rollout, "predictions_per_s", per_s, "1/s");
    rollout_report(run->rollout, "busy_cores", (after.busy_ns - before.busy_ns) / 1e9 / seconds, "cores");
    rollout_report(run->rollout, "stolen_cores", (after.stolen_ns - before.stolen_ns) / 1e9 / seconds, "cores");
    return GW_OK;
}

static gw_status run_case(struct rollout *rollout, bool back, gw_err *err)
{
    static struct run run;
    static struct bench_backlog backlog;
    static int32_t versions[SWAPS_MAX];
    const struct rollout_settings *s = rollout->settings;
    if (s->swaps < 1 || s->swaps > SWAPS_MAX) {
        return gw_fail(err, GW_E_INVALID, "1 to %d swaps", SWAPS_MAX);
    }
    run.rollout = rollout;
    run.count = (size_t)s->swaps;
    gw_rng_init(&run.rng, SEED);
    GW_TRY(rollout_register(rollout, back ? 2 : run.count, versions, err));
    GW_TRY(bench_backlog_fill(rollout->session, rollout->world, (uint32_t)s->candidates,
                              (uint64_t)(s->expected_per_s * s->seconds / s->candidates), &backlog, err));
    GW_TRY(bench_rewind(rollout->session, backlog.start, backlog.count, err));
    gw_status status = rollout_answers_open(&run.answers, rollout->session, &backlog, err);
    if (status == GW_OK) {
        status = rollout_start(rollout, ROLLOUT_SCORERS_MAX, err);
    }
    if (status == GW_OK) {
        status = measure(&run, versions, back, err);
    }
    rollout_answers_close(&run.answers);
    return status;
}

gw_status rollout_promotions(struct rollout *rollout, gw_err *err)
{
    return run_case(rollout, false, err);
}

gw_status rollout_rollbacks(struct rollout *rollout, gw_err *err)
{
    return run_case(rollout, true, err);
}
