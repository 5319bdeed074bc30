// SPDX-License-Identifier: MIT
// Deciding about runs and driving them: every function is one statement or one transaction.
#include "registry/runs.h"

#include "registry/registry_internal.h"
#include "registry/runs_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NUMBER_BYTES = 24 };

// After a data set that was refused: it would be read whole again, and nothing has changed yet.
#define GW_RUNS_REREAD_S "60"

static const struct {
    const char *name;
    bool active;
} states[GW_RUN_STATE_COUNT] = {
#define X(suffix, active) [GW_RUN_##suffix] = {#suffix, active},
    GW_RUN_STATE_MAP(X)
#undef X
};

const char *gw_run_state_name(enum gw_run_state state)
{
    return states[state].name;
}

bool gw_run_state_is_active(enum gw_run_state state)
{
    return states[state].active;
}

void gw_run_id(const char *topic, int32_t partition, int64_t offset, char ret_id[GW_RUN_ID_BYTES])
{
    snprintf(ret_id, GW_RUN_ID_BYTES, "%.160s-%d-%" PRId64, topic, partition, offset);
}

// ---- deciding -------------------------------------------------------------------------------------------------------

GW_PRINTF(2, 3)
static void say(char to[GW_RUN_TEXT_BYTES], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(to, GW_RUN_TEXT_BYTES, format, arguments);
    va_end(arguments);
}

// Leaves `refusal` empty when the model may be trained now.
static gw_status decide(struct gw_registry *registry, const struct gw_run_request *request,
                        const struct gw_run_rules *rules, char refusal[GW_RUN_TEXT_BYTES], gw_err *err)
{
    char cooldown[NUMBER_BYTES];
    snprintf(cooldown, sizeof cooldown, "%" PRId64, rules->cooldown_s);
    const char *const parameters[] = {request->model, cooldown};
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    refusal[0] = '\0';
    if (request->refusal != NULL) {
        say(refusal, "%s", request->refusal);
        return GW_OK;
    }
    if (!rules->enabled) {
        say(refusal, "retraining is switched off (retrain.enabled)");
        return GW_OK;
    }
    GW_TRY(gw_registry_exec(registry,
                            "SELECT (SELECT name FROM registry_models WHERE name = $1),"
                            " (SELECT id FROM registry_runs WHERE model = $1 AND state IN " GW_RUNS_ACTIVE " LIMIT 1),"
                            " (SELECT id FROM registry_runs WHERE model = $1 AND manifest <> '' AND changed_at > now()"
                            "  - make_interval(secs => CASE WHEN trainings > 0 THEN $2::bigint"
                            "                          ELSE least($2::bigint, " GW_RUNS_REREAD_S ") END)"
                            "  ORDER BY changed_at DESC LIMIT 1)",
                            parameters, 2, &rows, err));
    const char *active = gw_postgres_rows_text(rows, 0, 1);
    const char *recent = gw_postgres_rows_text(rows, 0, 2);
    if (gw_postgres_rows_text(rows, 0, 0) == NULL) {
        say(refusal, "there is no model '%s'", request->model);
    } else if (active != NULL) {
        say(refusal, "run '%s' of this model is under way", active);
    } else if (recent != NULL) {
        say(refusal,
            "run '%s' of this model has just ended: the next one may begin %" PRId64
            " s after a training (retrain.cooldown), " GW_RUNS_REREAD_S " s after a data set that was refused",
            recent, rules->cooldown_s);
    }
    return GW_OK;
}

// *ret_inserted false: another run of the model became active meanwhile, or the run is there.
static gw_status insert(struct gw_registry *registry, const struct gw_run_request *request, const char *id,
                        const char *refusal, bool *ret_inserted, gw_err *err)
{
    char partition[NUMBER_BYTES];
    char offset[NUMBER_BYTES];
    char requested[NUMBER_BYTES];
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    snprintf(partition, sizeof partition, "%d", request->partition);
    snprintf(offset, sizeof offset, "%" PRId64, request->offset);
    snprintf(requested, sizeof requested, "%" PRId64, request->requested_ms);
    const char *const parameters[] = {id,
                                      request->topic,
                                      partition,
                                      offset,
                                      request->model,
                                      gw_run_state_name(refusal[0] == '\0' ? GW_RUN_REQUESTED : GW_RUN_REFUSED),
                                      request->reason,
                                      request->actor,
                                      refusal,
                                      requested};
    GW_TRY(gw_registry_exec(registry,
                            "INSERT INTO registry_runs (id, topic, partition_id, record_offset, model, state, reason,"
                            " actor, verdict, requested_at) VALUES ($1, $2, $3::integer, $4::bigint, $5, $6, $7, $8,"
                            " $9, to_timestamp($10::bigint / 1000.0)) ON CONFLICT DO NOTHING",
                            parameters, GW_COUNT_OF(parameters), &rows, err));
    *ret_inserted = gw_postgres_rows_affected(rows) == 1;
    return GW_OK;
}

static gw_status copy_text(struct gw_arena *arena, const char *text, const char **ret_copy, gw_err *err)
{
    size_t size = strlen(text) + 1;
    char *copy = gw_arena_alloc(arena, size);
    if (copy == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a run");
    }
    memcpy(copy, text, size);
    *ret_copy = copy;
    return GW_OK;
}

static gw_status tell_refusal(const struct gw_run_request *request, const char *id, const char *refusal,
                              struct gw_arena *arena, struct gw_run *ret_run, gw_err *err)
{
    *ret_run = (struct gw_run){.topic = request->topic,
                               .partition = request->partition,
                               .offset = request->offset,
                               .model = request->model,
                               .state = GW_RUN_REFUSED,
                               .reason = request->reason,
                               .actor = request->actor,
                               .requested_ms = request->requested_ms,
                               .manifest = "",
                               .manifest_hash = "",
                               .digest = "",
                               .gate_json = "",
                               .cancel_by = ""};
    GW_TRY(copy_text(arena, id, &ret_run->id, err));
    return copy_text(arena, refusal, &ret_run->verdict, err);
}

// Records the decision and gives it.
static gw_status ask(struct gw_registry *registry, const struct gw_run_request *request,
                     const struct gw_run_rules *rules, const char *id, struct gw_arena *arena, struct gw_run *ret_run,
                     gw_err *err)
{
    char refusal[GW_RUN_TEXT_BYTES];
    bool inserted = false;
    GW_TRY(decide(registry, request, rules, refusal, err));
    if (refusal[0] != '\0' && request->repeats) {
        return tell_refusal(request, id, refusal, arena, ret_run, err);
    }
    GW_TRY(insert(registry, request, id, refusal, &inserted, err));
    if (!inserted && refusal[0] == '\0') {
        say(refusal, "another run of this model has just begun");
        GW_TRY(insert(registry, request, id, refusal, &inserted, err));
    }
    return gw_runs_get(registry, id, arena, ret_run, err);
}

gw_status gw_runs_ask(struct gw_registry *registry, const struct gw_run_request *request,
                      const struct gw_run_rules *rules, struct gw_arena *arena, struct gw_run *ret_run, gw_err *err)
{
    char id[GW_RUN_ID_BYTES];
    gw_run_id(request->topic, request->partition, request->offset, id);
    gw_status status = gw_runs_get(registry, id, arena, ret_run, err);
    if (status != GW_E_NOT_FOUND) {
        return status;
    }
    return ask(registry, request, rules, id, arena, ret_run, err);
}

// ---- driving --------------------------------------------------------------------------------------------------------

gw_status gw_runs_lock(struct gw_registry *registry, const char *name, bool *ret_held, gw_err *err)
{
    const char *const parameters[] = {name};
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    int64_t held = 0;
    // The key is the schema's, so that installations in schemas of one database do not meet. Asked again by the session
    // that holds it, it counts up, so it is asked for only by one that does not.
    GW_TRY(gw_registry_exec(registry,
                            "WITH k AS (SELECT hashtext($1::text) AS a,"
                            "  hashtext(coalesce(current_schema()::text, '')) AS b)"
                            " SELECT (CASE WHEN EXISTS (SELECT 1 FROM pg_locks l, k WHERE l.locktype = 'advisory'"
                            "  AND l.classid = k.a::oid AND l.objid = k.b::oid AND l.pid = pg_backend_pid()"
                            "  AND l.granted AND l.objsubid = 2)"
                            " THEN true ELSE pg_try_advisory_lock(k.a, k.b) END)::int FROM k",
                            parameters, 1, &rows, err));
    GW_TRY(gw_postgres_rows_int64(rows, 0, 0, &held, err));
    *ret_held = held != 0;
    return GW_OK;
}

// Runs a statement that gives one number, or no row when the run is not the claimant's any more.
static gw_status exec_claimed(struct gw_registry *registry, const char *id, const char *sql,
                              const char *const *parameters, size_t count, int64_t *ret_value, gw_err *err)
{
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    GW_TRY(gw_registry_exec(registry, sql, parameters, count, &rows, err));
    if (gw_postgres_rows_count(rows) != 1) {
        return gw_fail(err, GW_E_STALE, "run '%.100s' has ended, moved on, or is driven by another worker", id);
    }
    return gw_postgres_rows_int64(rows, 0, 0, ret_value, err);
}

gw_status gw_runs_claim(struct gw_registry *registry, const char *id, int32_t *ret_attempt, gw_err *err)
{
    const char *const parameters[] = {id};
    int64_t attempt = 0;
    GW_TRY(exec_claimed(registry, id,
                        "UPDATE registry_runs SET attempt = attempt + 1"
                        " WHERE id = $1 AND state IN " GW_RUNS_ACTIVE " RETURNING attempt",
                        parameters, 1, &attempt, err));
    *ret_attempt = (int32_t)attempt;
    return GW_OK;
}

gw_status gw_runs_start_training(struct gw_registry *registry, const struct gw_run *run, int32_t *ret_trainings,
                                 gw_err *err)
{
    char attempt[NUMBER_BYTES];
    int64_t trainings = 0;
    snprintf(attempt, sizeof attempt, "%d", run->attempt);
    const char *const parameters[] = {run->id, attempt};
    GW_TRY(exec_claimed(registry, run->id,
                        "WITH gone AS (DELETE FROM registry_run_curves c USING registry_runs r WHERE c.run = r.id"
                        " AND r.id = $1 AND r.attempt = $2::integer)"
                        " UPDATE registry_runs SET trainings = trainings + 1 WHERE id = $1 AND attempt = $2::integer"
                        " RETURNING trainings",
                        parameters, 2, &trainings, err));
    *ret_trainings = (int32_t)trainings;
    return GW_OK;
}

// NULL when there is nothing to change.
static const char *number_or_null(int64_t value, bool given, char to[NUMBER_BYTES])
{
    snprintf(to, NUMBER_BYTES, "%" PRId64, value);
    return given ? to : NULL;
}

gw_status gw_runs_move(struct gw_registry *registry, const struct gw_run *run, enum gw_run_state state,
                       const struct gw_run_change *change, gw_err *err)
{
    char attempt[NUMBER_BYTES];
    char rows[NUMBER_BYTES];
    char parent[NUMBER_BYTES];
    char version[NUMBER_BYTES];
    char shadow[NUMBER_BYTES];
    char canary[NUMBER_BYTES];
    int64_t moved = 0;
    snprintf(attempt, sizeof attempt, "%d", run->attempt);
    const char *const parameters[] = {run->id,
                                      attempt,
                                      gw_run_state_name(run->state),
                                      gw_run_state_name(state),
                                      change->verdict,
                                      change->manifest,
                                      change->manifest_hash,
                                      change->digest,
                                      change->gate_json,
                                      number_or_null(change->rows, change->rows > 0, rows),
                                      number_or_null(change->parent_version, change->parent_version > 0, parent),
                                      number_or_null(change->version, change->version > 0, version),
                                      number_or_null(change->shadow_ms, change->shadow_ms >= 0, shadow),
                                      number_or_null(change->canary_ms, change->canary_ms > 0, canary)};
    return exec_claimed(registry, run->id,
                        "UPDATE registry_runs SET state = $4, changed_at = now(), verdict = coalesce($5, verdict),"
                        " manifest = coalesce($6, manifest), manifest_hash = coalesce($7, manifest_hash),"
                        " digest = coalesce($8, digest), gate = coalesce($9::jsonb, gate),"
                        " rows = coalesce($10::bigint, rows), parent_version = coalesce($11::integer, parent_version),"
                        " version = coalesce($12::integer, version),"
                        " shadow_until = coalesce(now() + $13::bigint * interval '1 millisecond', shadow_until),"
                        " canary_until = coalesce(now() + $14::bigint * interval '1 millisecond', canary_until)"
                        " WHERE id = $1 AND attempt = $2::integer AND state = $3 RETURNING 1",
                        parameters, GW_COUNT_OF(parameters), &moved, err);
}

gw_status gw_runs_add_point(struct gw_registry *registry, const struct gw_run *run, const struct gw_run_point *point,
                            gw_err *err)
{
    char attempt[NUMBER_BYTES];
    char round[NUMBER_BYTES];
    char loss[32];
    int64_t added = 0;
    snprintf(attempt, sizeof attempt, "%d", run->attempt);
    snprintf(round, sizeof round, "%d", point->round);
    snprintf(loss, sizeof loss, "%.17g", point->log_loss);
    const char *const parameters[] = {run->id, attempt, point->head, round, loss};
    return exec_claimed(registry, run->id,
                        "INSERT INTO registry_run_curves (run, head, round, log_loss)"
                        " SELECT id, $3, $4::integer, $5::double precision FROM registry_runs"
                        " WHERE id = $1 AND attempt = $2::integer"
                        " ON CONFLICT (run, head, round) DO UPDATE SET log_loss = EXCLUDED.log_loss RETURNING 1",
                        parameters, GW_COUNT_OF(parameters), &added, err);
}

gw_status gw_runs_time_is_over(struct gw_registry *registry, const char *id, bool *ret_over, gw_err *err)
{
    const char *const parameters[] = {id};
    int64_t over = 0;
    GW_TRY(exec_claimed(registry, id,
                        "SELECT coalesce(CASE state WHEN 'CANARY' THEN canary_until ELSE shadow_until END <= now(),"
                        " true)::int FROM registry_runs WHERE id = $1",
                        parameters, 1, &over, err));
    *ret_over = over != 0;
    return GW_OK;
}

gw_status gw_runs_cancel(struct gw_registry *registry, const char *id, const char *actor, gw_err *err)
{
    const char *const parameters[] = {id, actor};
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *updated = NULL;
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *found = NULL;
    GW_TRY(gw_registry_exec(registry,
                            "UPDATE registry_runs SET cancel_by = CASE cancel_by WHEN '' THEN $2 ELSE cancel_by END"
                            " WHERE id = $1 AND state IN " GW_RUNS_ACTIVE,
                            parameters, 2, &updated, err));
    if (gw_postgres_rows_affected(updated) == 1) {
        return GW_OK;
    }
    GW_TRY(gw_registry_exec(registry, "SELECT state FROM registry_runs WHERE id = $1", parameters, 1, &found, err));
    if (gw_postgres_rows_count(found) == 0) {
        return gw_fail(err, GW_E_NOT_FOUND, "no run '%.100s'", id);
    }
    return gw_fail(err, GW_E_CONFLICT, "run '%.100s' has ended: it is %s", id, gw_postgres_rows_text(found, 0, 0));
}
