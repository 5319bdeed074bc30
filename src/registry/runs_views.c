// SPDX-License-Identifier: MIT
// Runs as values and as JSON.
#include "registry/runs.h"

#include "base/rfc3339.h"
#include "registry/registry_internal.h"
#include "registry/runs_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define MILLISECONDS(column) "floor(extract(epoch FROM " column ") * 1000)::bigint"
// The formatter would move the pieces to the right end of the line.
// clang-format off
#define COLUMNS                                                                                                        \
    "id, topic, partition_id, record_offset, model, state, reason, actor, verdict, " MILLISECONDS("requested_at") ", " \
    MILLISECONDS("created_at") ", " MILLISECONDS("changed_at") ", attempt, trainings, parent_version, manifest,"       \
    " manifest_hash, rows, digest, coalesce(gate::text, ''), version, coalesce(" MILLISECONDS("shadow_until") ", 0),"  \
    " coalesce(" MILLISECONDS("canary_until") ", 0), cancel_by"
// clang-format on

// Reads one row's columns from left to right; the first failure stays.
struct cursor {
    const struct gw_postgres_rows *rows;
    size_t row;
    size_t column;
    struct gw_arena *arena;
    gw_err *err;
    gw_status status;
};

static const char *next_text(struct cursor *cursor)
{
    if (cursor->status != GW_OK) {
        return "";
    }
    size_t column = cursor->column++;
    size_t size = gw_postgres_rows_size(cursor->rows, cursor->row, column);
    char *copy = gw_arena_alloc(cursor->arena, size + 1);
    if (copy == NULL) {
        cursor->status = gw_fail(cursor->err, GW_E_MEMORY, "no memory for a run");
        return "";
    }
    memcpy(copy, gw_postgres_rows_text(cursor->rows, cursor->row, column), size + 1);
    return copy;
}

static int64_t next_i64(struct cursor *cursor)
{
    int64_t value = 0;
    if (cursor->status == GW_OK) {
        cursor->status = gw_postgres_rows_int64(cursor->rows, cursor->row, cursor->column++, &value, cursor->err);
    }
    return value;
}

static enum gw_run_state next_state(struct cursor *cursor)
{
    const char *name = next_text(cursor);
    for (int i = 0; i < GW_RUN_STATE_COUNT; i++) {
        if (strcmp(gw_run_state_name((enum gw_run_state)i), name) == 0) {
            return (enum gw_run_state)i;
        }
    }
    if (cursor->status == GW_OK) {
        cursor->status = gw_fail(cursor->err, GW_E_MISMATCH, "a run is in a state '%.40s' that this build lacks", name);
    }
    return GW_RUN_FAILED;
}

static void read_run(struct cursor *cursor, struct gw_run *run)
{
    run->id = next_text(cursor);
    run->topic = next_text(cursor);
    run->partition = (int32_t)next_i64(cursor);
    run->offset = next_i64(cursor);
    run->model = next_text(cursor);
    run->state = next_state(cursor);
    run->reason = next_text(cursor);
    run->actor = next_text(cursor);
    run->verdict = next_text(cursor);
    run->requested_ms = next_i64(cursor);
    run->created_ms = next_i64(cursor);
    run->changed_ms = next_i64(cursor);
    run->attempt = (int32_t)next_i64(cursor);
    run->trainings = (int32_t)next_i64(cursor);
    run->parent_version = (int32_t)next_i64(cursor);
    run->manifest = next_text(cursor);
    run->manifest_hash = next_text(cursor);
    run->rows = next_i64(cursor);
    run->digest = next_text(cursor);
    run->gate_json = next_text(cursor);
    run->version = (int32_t)next_i64(cursor);
    run->shadow_until_ms = next_i64(cursor);
    run->canary_until_ms = next_i64(cursor);
    run->cancel_by = next_text(cursor);
}

static gw_status list(struct gw_registry *registry, const char *sql, const char *const *parameters, size_t count,
                      struct gw_arena *arena, const struct gw_run **ret_runs, size_t *ret_count, gw_err *err)
{
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    GW_TRY(gw_registry_exec(registry, sql, parameters, count, &rows, err));
    size_t row_count = gw_postgres_rows_count(rows);
    struct gw_run *runs = gw_arena_array(arena, row_count > 0 ? row_count : 1, sizeof *runs);
    if (runs == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for runs");
    }
    for (size_t i = 0; i < row_count; i++) {
        struct cursor cursor = {.rows = rows, .row = i, .arena = arena, .err = err};
        read_run(&cursor, &runs[i]);
        GW_TRY(cursor.status);
    }
    *ret_runs = runs;
    *ret_count = row_count;
    return GW_OK;
}

gw_status gw_runs_get(struct gw_registry *registry, const char *id, struct gw_arena *arena, struct gw_run *ret_run,
                      gw_err *err)
{
    const char *const parameters[] = {id};
    const struct gw_run *runs = NULL;
    size_t count = 0;
    GW_TRY(list(registry, "SELECT " COLUMNS " FROM registry_runs WHERE id = $1", parameters, 1, arena, &runs, &count,
                err));
    if (count == 0) {
        return gw_fail(err, GW_E_NOT_FOUND, "no run '%.100s'", id);
    }
    *ret_run = runs[0];
    return GW_OK;
}

gw_status gw_runs_list(struct gw_registry *registry, const char *model, size_t limit, struct gw_arena *arena,
                       const struct gw_run **ret_runs, size_t *ret_count, gw_err *err)
{
    char count[24];
    snprintf(count, sizeof count, "%zu", limit);
    const char *const parameters[] = {model, count};
    return list(registry,
                "SELECT " COLUMNS " FROM registry_runs WHERE $1::text IS NULL OR model = $1"
                " ORDER BY created_at DESC, id DESC LIMIT $2::bigint",
                parameters, 2, arena, ret_runs, ret_count, err);
}

gw_status gw_runs_list_active(struct gw_registry *registry, struct gw_arena *arena, const struct gw_run **ret_runs,
                              size_t *ret_count, gw_err *err)
{
    return list(registry,
                "SELECT " COLUMNS " FROM registry_runs WHERE state IN " GW_RUNS_ACTIVE " ORDER BY created_at, id", NULL,
                0, arena, ret_runs, ret_count, err);
}

gw_status gw_runs_curve(struct gw_registry *registry, const char *id, struct gw_arena *arena,
                        const struct gw_run_point **ret_points, size_t *ret_count, gw_err *err)
{
    const char *const parameters[] = {id};
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    GW_TRY(gw_registry_exec(registry,
                            "SELECT head, round, log_loss FROM registry_run_curves WHERE run = $1"
                            " ORDER BY head, round",
                            parameters, 1, &rows, err));
    size_t count = gw_postgres_rows_count(rows);
    struct gw_run_point *points = gw_arena_array(arena, count > 0 ? count : 1, sizeof *points);
    if (points == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a curve");
    }
    for (size_t i = 0; i < count; i++) {
        struct cursor cursor = {.rows = rows, .row = i, .arena = arena, .err = err};
        points[i].head = next_text(&cursor);
        points[i].round = (int32_t)next_i64(&cursor);
        GW_TRY(cursor.status);
        points[i].log_loss = strtod(gw_postgres_rows_text(rows, i, 2), NULL);
    }
    *ret_points = points;
    *ret_count = count;
    return GW_OK;
}

// ---- JSON -----------------------------------------------------------------------------------------------------------

static void write_text(struct gw_json_writer *writer, const char *key, const char *text)
{
    gw_json_write_key(writer, key);
    if (text[0] != '\0') {
        gw_json_write_text(writer, text);
    } else {
        gw_json_write_null(writer);
    }
}

// 0 is none.
static void write_number(struct gw_json_writer *writer, const char *key, int64_t value)
{
    gw_json_write_key(writer, key);
    if (value > 0) {
        gw_json_write_i64(writer, value);
    } else {
        gw_json_write_null(writer);
    }
}

// 0 is none.
static void write_time(struct gw_json_writer *writer, const char *key, int64_t time_ms)
{
    char text[GW_RFC3339_BYTES];
    write_text(writer, key, time_ms > 0 && gw_rfc3339_format(time_ms, text) ? text : "");
}

static void write_json(struct gw_json_writer *writer, const char *key, const char *json)
{
    gw_json_write_key(writer, key);
    gw_json_write_raw(writer, gw_slice_text(json[0] != '\0' ? json : "null"));
}

static void write_curve(struct gw_json_writer *writer, const struct gw_run_point *points, size_t count)
{
    gw_json_write_key(writer, "curve");
    gw_json_array_begin(writer);
    for (size_t i = 0; i < count; i++) {
        gw_json_object_begin(writer);
        write_text(writer, "head", points[i].head);
        gw_json_write_key(writer, "round");
        gw_json_write_i64(writer, points[i].round);
        gw_json_write_key(writer, "logLoss");
        gw_json_write_double(writer, points[i].log_loss);
        gw_json_object_end(writer);
    }
    gw_json_array_end(writer);
}

void gw_run_write(struct gw_json_writer *writer, const struct gw_run *run, bool whole,
                  const struct gw_run_point *points, size_t point_count)
{
    gw_json_object_begin(writer);
    write_text(writer, "id", run->id);
    write_text(writer, "model", run->model);
    write_text(writer, "state", gw_run_state_name(run->state));
    gw_json_write_key(writer, "active");
    gw_json_write_bool(writer, gw_run_state_is_active(run->state));
    write_text(writer, "reason", run->reason);
    write_text(writer, "actor", run->actor);
    write_text(writer, "verdict", run->verdict);
    write_time(writer, "requestedAt", run->requested_ms);
    write_time(writer, "createdAt", run->created_ms);
    write_time(writer, "changedAt", run->changed_ms);
    gw_json_write_key(writer, "trainings");
    gw_json_write_i64(writer, run->trainings);
    write_number(writer, "parentVersion", run->parent_version);
    write_text(writer, "manifestHash", run->manifest_hash);
    write_number(writer, "rows", run->rows);
    write_text(writer, "digest", run->digest);
    write_number(writer, "version", run->version);
    write_time(writer, "shadowUntil", run->shadow_until_ms);
    write_time(writer, "canaryUntil", run->canary_until_ms);
    write_text(writer, "cancelBy", run->cancel_by);
    write_json(writer, "gate", run->gate_json);
    if (whole) {
        write_json(writer, "manifest", run->manifest);
        write_curve(writer, points, point_count);
    }
    gw_json_object_end(writer);
}
