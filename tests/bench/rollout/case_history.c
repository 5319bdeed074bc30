// SPDX-License-Identifier: MIT
// history_at: who served at a moment, asked of a long history. The history is written by SQL into a database of its own
// (no relay looks at it): one model whose two versions take turns every minute, as two events each time, the second
// with the route. What is answered is compared with what was written.
#include "rollout/rollout.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "registry/views.h"
#include "support/report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    EVENTS_MIN = 100,
    READS_MAX = 100000,
    CALLS = 11, // of the command
    MINUTE_MS = 60000,
    FIRST_MINUTE = 3, // of the first promotion
    WRITE_MS = 300000,
    SQL_BYTES = 4096,
    ARENA_BYTES = 64 << 10,
    ARENA_LIMIT_BYTES = 4 << 20,
    SEED = 23,
};

// Minute m holds events 2m - 1 and 2m: creation and registration, then each time a demotion and a promotion.
static gw_status write_history(const struct rollout *rollout, const char *model, int64_t begin_ms, gw_err *err)
{
    static const char format[] =
        "INSERT INTO registry_models SELECT '%s', '', repeat('5a', 16), %lld, 2, to_timestamp(%lld / 1000.0);"
        "INSERT INTO registry_versions (model, version, digest, state, signature, created_at, created_by) SELECT '%s', "
        "v, repeat('0' || v, 32), CASE WHEN v = 2 - %lld / 2 %% 2 THEN 'CHAMPION' ELSE 'RETIRED' END, '{}', "
        "to_timestamp(%lld / 1000.0), 'bench' FROM generate_series(1, 2) v;"
        "WITH numbers AS (SELECT s, (s + 1) / 2 AS minute FROM generate_series(1, %lld) s), events AS (SELECT s, "
        "minute, "
        "CASE WHEN s = 1 THEN 0 WHEN s < 6 THEN 1 + s %% 2 WHEN s %% 2 = 0 THEN 2 - minute %% 2 ELSE 1 + minute %% 2 "
        "END "
        "AS version, to_timestamp(%lld / 1000.0) + minute * interval '1 minute' AS at FROM numbers) "
        "INSERT INTO registry_events SELECT s, '%s', version, "
        "CASE WHEN s = 1 THEN 'create' WHEN s < 4 THEN 'register' WHEN s < 6 THEN 'verify' WHEN s %% 2 = 0 THEN "
        "'promote' "
        "ELSE 'demote' END, "
        "CASE WHEN s < 4 THEN '' WHEN s < 6 THEN 'REGISTERED' WHEN s = 6 THEN 'VERIFIED' WHEN s %% 2 = 0 THEN "
        "'RETIRED' "
        "ELSE 'CHAMPION' END, "
        "CASE WHEN s = 1 THEN '' WHEN s < 4 THEN 'REGISTERED' WHEN s < 6 THEN 'VERIFIED' WHEN s %% 2 = 0 THEN "
        "'CHAMPION' "
        "ELSE 'RETIRED' END, "
        "CASE WHEN s = 1 THEN '' ELSE repeat('0' || version, 32) END, 0, 'bench', 'turn ' || minute, at, "
        "CASE WHEN s >= 6 AND s %% 2 = 0 THEN jsonb_build_object('model', '%s', 'sequence', s, 'salt', repeat('5a', "
        "16), "
        "'targets', jsonb_build_array(jsonb_build_object('version', version, 'variant', 'champion', 'weight', 10000, "
        "'digest', repeat('0' || version, 32))), 'shadows', '[]'::jsonb, 'atMs', "
        "(extract(epoch FROM at) * 1000)::bigint) END FROM events;"
        "UPDATE registry_clock SET sequence = %lld, at = to_timestamp(%lld / 1000.0) + %lld * interval '1 minute';";
    long long events = (long long)rollout->settings->events;
    long long begin = begin_ms;
    char sql[SQL_BYTES];
    snprintf(sql, sizeof sql, format, model, events, begin, model, events, begin, events, begin, model, model, events,
             begin, events / 2);
    const struct gw_postgres_options options = {
        .uri = rollout->options.options.uri, .application = "godwit bench", .timeout_ms = WRITE_MS};
    struct gw_postgres *postgres = NULL;
    GW_TRY(gw_postgres_new(&options, &postgres, err));
    gw_status status = gw_postgres_script(postgres, sql, err);
    gw_postgres_free(postgres);
    return status;
}

static int64_t random_minute_ms(struct gw_rng *rng, int64_t begin_ms, double events, int64_t *ret_sequence)
{
    int64_t minute = FIRST_MINUTE + (int64_t)gw_rng_below(rng, (uint64_t)events / 2 - FIRST_MINUTE);
    *ret_sequence = 2 * minute;
    return begin_ms + minute * MINUTE_MS + (int64_t)gw_rng_below(rng, MINUTE_MS);
}

static gw_status read_once(const struct rollout *rollout, struct gw_arena *arena, int64_t at_ms, int64_t expected,
                           double *ret_ms, gw_err *err)
{
    struct gw_registry_event event;
    gw_arena_clear(arena);
    uint64_t began_us = gw_clock_mono_us();
    GW_TRY(gw_registry_at(rollout->registry, rollout->settings->model, at_ms, arena, &event, err));
    *ret_ms = (double)(gw_clock_mono_us() - began_us) / 1e3;
    if (event.sequence != expected) {
        return gw_fail(err, GW_E_INTERNAL, "at %" PRId64 " ms: event %" PRId64 ", expected %" PRId64, at_ms,
                       event.sequence, expected);
    }
    return GW_OK;
}

// Wall time of the command from start to end.
static gw_status call_once(const struct rollout *rollout, int64_t at_ms, double *ret_ms, gw_err *err)
{
    char at[32];
    const char *program = rollout->settings->program;
    const char *const argv[] = {program, "models", "history", rollout->settings->model, "--at", at, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;
    int status = 0;
    snprintf(at, sizeof at, "%" PRId64, at_ms);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    uint64_t began_us = gw_clock_mono_us();
    int error = posix_spawn(&pid, program, &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        return gw_fail(err, GW_E_IO, "cannot start '%s': %s", program, strerror(error));
    }
    waitpid(pid, &status, 0);
    *ret_ms = (double)(gw_clock_mono_us() - began_us) / 1e3;
    return status == 0 ? GW_OK : gw_fail(err, GW_E_UNAVAILABLE, "models history ended with status %d", status);
}

static gw_status read_all(const struct rollout *rollout, int64_t begin_ms, double *times, gw_err *err)
{
    size_t reads = (size_t)rollout->settings->reads;
    double events = rollout->settings->events;
    struct gw_rng rng;
    struct gw_arena arena;
    gw_status status = GW_OK;
    int64_t expected = 0;
    gw_rng_init(&rng, SEED);
    gw_arena_init(&arena, ARENA_BYTES, ARENA_LIMIT_BYTES);
    for (size_t i = 0; i < reads && status == GW_OK; i++) {
        int64_t at_ms = random_minute_ms(&rng, begin_ms, events, &expected);
        status = read_once(rollout, &arena, at_ms, expected, &times[i], err);
    }
    gw_arena_deinit(&arena);
    GW_TRY(status);
    double first_ms = times[0]; // connects
    bench_sort(times, reads);
    rollout_report(rollout, "p50_ms", bench_quantile(times, reads, 0.50), "ms");
    rollout_report(rollout, "p99_ms", bench_quantile(times, reads, 0.99), "ms");
    rollout_report(rollout, "max_ms", times[reads - 1], "ms");
    rollout_report(rollout, "first_ms", first_ms, "ms");
    for (size_t i = 0; i < CALLS; i++) {
        GW_TRY(call_once(rollout, random_minute_ms(&rng, begin_ms, events, &expected), &times[i], err));
    }
    bench_sort(times, CALLS);
    rollout_report(rollout, "command_p50_ms", bench_quantile(times, CALLS, 0.50), "ms");
    rollout_report(rollout, "command_max_ms", times[CALLS - 1], "ms");
    rollout_report(rollout, "events", events, "events");
    return GW_OK;
}

gw_status rollout_history(struct rollout *rollout, gw_err *err)
{
    const struct rollout_settings *s = rollout->settings;
    if (s->events < EVENTS_MIN || s->reads < CALLS || s->reads > READS_MAX) {
        return gw_fail(err, GW_E_INVALID, "at least %d events, and %d to %d reads", EVENTS_MIN, CALLS, READS_MAX);
    }
    int64_t begin_ms = gw_clock_wall_ms() - (int64_t)(s->events / 2 + 1) * MINUTE_MS;
    double *times = gw_mem_calloc((size_t)s->reads, sizeof *times);
    if (times == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for times");
    }
    gw_status status = write_history(rollout, s->model, begin_ms, err);
    if (status == GW_OK) {
        status = read_all(rollout, begin_ms, times, err);
    }
    gw_mem_free(times);
    return status;
}
