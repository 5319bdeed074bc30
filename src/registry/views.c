// SPDX-License-Identifier: MIT
// A view of one model joins what it shows to the model's row, so that no row is an unknown model and a row of nulls a
// model that has none.
#include "registry/views.h"

#include "registry/documents.h"
#include "registry/registry_internal.h"

#include <inttypes.h>
#include <stdio.h>

#define MILLISECONDS(column) "floor(extract(epoch FROM " column ") * 1000)::bigint"

// Champion and shadows have the variant of their state; the champion serves what the canaries leave.
#define VERSION_COLUMNS                                                                                                \
    "v.model, v.version, v.digest, v.state, (v.artefact IS NULL)::int, "                                               \
    "CASE v.state WHEN 'CHAMPION' THEN 'champion' WHEN 'SHADOW' THEN 'shadow' WHEN 'CANARY' THEN v.variant ELSE '' "   \
    "END, "                                                                                                            \
    "CASE v.state WHEN 'CHAMPION' THEN 10000 - (SELECT coalesce(sum(c.weight), 0) FROM registry_versions c WHERE "     \
    "c.model = v.model AND c.state = 'CANARY') WHEN 'CANARY' THEN v.weight ELSE 0 END, "                               \
    "v.description, v.tags, v.signature, v.metrics, v.lineage, v.parent_version, v.rejected_because, " MILLISECONDS(   \
        "v.created_at") ", v.created_by, "                                                                             \
                        "CASE v.state WHEN 'CHAMPION' THEN coalesce((SELECT " MILLISECONDS(                            \
                            "e.at") " FROM registry_events e WHERE e.model = v.model AND e.version = v.version AND "   \
                                    "e.to_state = 'CHAMPION' ORDER BY e.sequence DESC LIMIT 1), 0) ELSE 0 END"

#define MODEL_COLUMNS                                                                                                  \
    "m.name, m.description, m.revision, coalesce((SELECT v.version FROM registry_versions v WHERE v.model = m.name "   \
    "AND v.state = 'CHAMPION'), 0), m.last_version, " MILLISECONDS("m.created_at")

#define EVENT_COLUMNS                                                                                                  \
    "e.sequence, e.model, e.version, e.transition, e.from_state, e.to_state, e.digest, e.parent_version, e.actor, "    \
    "e.reason, " MILLISECONDS("e.at") ", e.route"

enum { NUMBER_BYTES = 24 };

// Reads one row's columns from left to right into the arena; the first failure stays.
struct cursor {
    const struct gw_postgres_rows *rows;
    size_t row;
    size_t column;
    struct gw_arena *arena;
    gw_err *err;
    gw_status status;
};

static void *allocate(struct cursor *cursor, size_t count, size_t size)
{
    void *memory = gw_arena_array(cursor->arena, count, size);
    if (memory == NULL) {
        cursor->status = gw_fail(cursor->err, GW_E_MEMORY, "no memory for a view of the registry");
    }
    return memory;
}

// NULL is "".
static const char *next_text(struct cursor *cursor)
{
    if (cursor->status != GW_OK) {
        return "";
    }
    size_t column = cursor->column++;
    const char *text = gw_postgres_rows_text(cursor->rows, cursor->row, column);
    size_t size = text != NULL ? gw_postgres_rows_size(cursor->rows, cursor->row, column) : 0;
    char *copy = allocate(cursor, size + 1, 1);
    if (copy == NULL) {
        return "";
    }
    memcpy(copy, text != NULL ? text : "", size + 1);
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

// All 32-bit columns are of PostgreSQL's type integer.
static int32_t next_i32(struct cursor *cursor)
{
    return (int32_t)next_i64(cursor);
}

static enum gw_rollout_state next_state(struct cursor *cursor)
{
    enum gw_rollout_state state = GW_ROLLOUT_REGISTERED;
    if (cursor->status == GW_OK) {
        const char *name = gw_postgres_rows_text(cursor->rows, cursor->row, cursor->column++);
        cursor->status = gw_rollout_state_parse(name != NULL ? name : "", &state, cursor->err);
    }
    return state;
}

static void read_model(struct cursor *cursor, void *to)
{
    struct gw_registry_model *model = to;
    model->name = next_text(cursor);
    model->description = next_text(cursor);
    model->revision = next_i64(cursor);
    model->champion = next_i32(cursor);
    model->last_version = next_i32(cursor);
    model->created_ms = next_i64(cursor);
}

static void read_version(struct cursor *cursor, void *to)
{
    struct gw_registry_version *version = to;
    version->model = next_text(cursor);
    version->version = next_i32(cursor);
    version->digest = next_text(cursor);
    version->state = next_state(cursor);
    version->archived = next_i64(cursor) != 0;
    version->variant = next_text(cursor);
    version->weight = (uint32_t)next_i64(cursor);
    version->description = next_text(cursor);
    version->tags_json = next_text(cursor);
    version->signature_json = next_text(cursor);
    version->metrics_json = next_text(cursor);
    version->lineage_json = next_text(cursor);
    version->parent_version = next_i32(cursor);
    version->rejected_because = next_text(cursor);
    version->created_ms = next_i64(cursor);
    version->created_by = next_text(cursor);
    version->champion_since_ms = next_i64(cursor);
}

static const struct gw_route *next_route(struct cursor *cursor, int64_t sequence)
{
    size_t column = cursor->column++;
    if (cursor->status != GW_OK || gw_postgres_rows_text(cursor->rows, cursor->row, column) == NULL) {
        return NULL;
    }
    struct gw_route *route = allocate(cursor, 1, sizeof *route);
    if (route == NULL) {
        return NULL;
    }
    struct gw_slice text = gw_slice_make(gw_postgres_rows_text(cursor->rows, cursor->row, column),
                                         gw_postgres_rows_size(cursor->rows, cursor->row, column));
    cursor->status = gw_registry_parse_route(text, route, cursor->err);
    if (cursor->status != GW_OK) {
        cursor->status = gw_fail_context(cursor->err, cursor->status, "event %" PRId64 " of the registry", sequence);
    }
    return route;
}

static void read_event(struct cursor *cursor, void *to)
{
    struct gw_registry_event *event = to;
    event->sequence = next_i64(cursor);
    event->model = next_text(cursor);
    event->version = next_i32(cursor);
    event->transition = next_text(cursor);
    event->from_state = next_text(cursor);
    event->to_state = next_text(cursor);
    event->digest = next_text(cursor);
    event->parent_version = next_i32(cursor);
    event->actor = next_text(cursor);
    event->reason = next_text(cursor);
    event->at_ms = next_i64(cursor);
    event->route = next_route(cursor, event->sequence);
}

typedef void (*row_reader)(struct cursor *cursor, void *to);

static gw_status read_one(const struct gw_postgres_rows *rows, size_t row, struct gw_arena *arena, row_reader read,
                          void *to, gw_err *err)
{
    struct cursor cursor = {.rows = rows, .row = row, .arena = arena, .err = err};
    read(&cursor, to);
    return cursor.status;
}

// All rows as an array of the arena's.
static gw_status read_all(const struct gw_postgres_rows *rows, size_t size, row_reader read, struct gw_arena *arena,
                          const void **ret_items, size_t *ret_count, gw_err *err)
{
    size_t count = gw_postgres_rows_count(rows);
    char *items = gw_arena_array(arena, count, size);
    if (items == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a view of the registry");
    }
    for (size_t i = 0; i < count; i++) {
        GW_TRY(read_one(rows, i, arena, read, items + i * size, err));
    }
    *ret_items = items;
    *ret_count = count;
    return GW_OK;
}

// Of a view that joins to a model: whether there is anything but the model. GW_E_NOT_FOUND without a model.
static gw_status has_rows(const struct gw_postgres_rows *rows, const char *model, bool *ret_has, gw_err *err)
{
    if (gw_postgres_rows_count(rows) == 0) {
        return gw_fail(err, GW_E_NOT_FOUND, "no model '%.128s'", model);
    }
    *ret_has = gw_postgres_rows_text(rows, 0, 0) != NULL;
    return GW_OK;
}

static const char *format(char text[NUMBER_BYTES], int64_t value)
{
    snprintf(text, NUMBER_BYTES, "%" PRId64, value);
    return text;
}

static const char *format_limit(char text[NUMBER_BYTES], size_t limit)
{
    return format(text, (int64_t)GW_MIN(limit, (size_t)INT32_MAX));
}

// ---- models and versions

gw_status gw_registry_list_models(struct gw_registry *registry, struct gw_arena *arena,
                                  const struct gw_registry_model **ret_models, size_t *ret_count, gw_err *err)
{
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    const void *items = NULL;
    GW_TRY(gw_registry_exec(registry, "SELECT " MODEL_COLUMNS " FROM registry_models m ORDER BY m.name", NULL, 0, &rows,
                            err));
    GW_TRY(read_all(rows, sizeof **ret_models, read_model, arena, &items, ret_count, err));
    *ret_models = items;
    return GW_OK;
}

gw_status gw_registry_get_model(struct gw_registry *registry, const char *model, struct gw_arena *arena,
                                struct gw_registry_model *ret_model, gw_err *err)
{
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    struct gw_registry_model found = {0};
    bool has = false;
    GW_TRY(gw_registry_exec(registry, "SELECT " MODEL_COLUMNS " FROM registry_models m WHERE m.name = $1::text", &model,
                            1, &rows, err));
    GW_TRY(has_rows(rows, model, &has, err));
    GW_TRY(read_one(rows, 0, arena, read_model, &found, err));
    *ret_model = found;
    return GW_OK;
}

gw_status gw_registry_list_versions(struct gw_registry *registry, const char *model, int32_t before, size_t limit,
                                    struct gw_arena *arena, const struct gw_registry_version **ret_versions,
                                    size_t *ret_count, gw_err *err)
{
    char below[NUMBER_BYTES];
    char most[NUMBER_BYTES];
    const char *const parameters[] = {model, format(below, before > 0 ? before : INT64_MAX), format_limit(most, limit)};
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    const void *items = NULL;
    bool has = false;
    GW_TRY(gw_registry_exec(registry,
                            "SELECT " VERSION_COLUMNS " FROM registry_models m LEFT JOIN LATERAL (SELECT * FROM "
                            "registry_versions WHERE model = m.name AND version < $2::bigint ORDER BY version DESC "
                            "LIMIT $3::bigint) v ON true WHERE m.name = $1::text ORDER BY v.version DESC",
                            parameters, 3, &rows, err));
    GW_TRY(has_rows(rows, model, &has, err));
    if (!has) {
        *ret_versions = NULL;
        *ret_count = 0;
        return GW_OK;
    }
    GW_TRY(read_all(rows, sizeof **ret_versions, read_version, arena, &items, ret_count, err));
    *ret_versions = items;
    return GW_OK;
}

gw_status gw_registry_get_version(struct gw_registry *registry, const char *model, int32_t version,
                                  struct gw_arena *arena, struct gw_registry_version *ret_version, gw_err *err)
{
    char number[NUMBER_BYTES];
    const char *const parameters[] = {model, format(number, version)};
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    struct gw_registry_version found = {0};
    bool has = false;
    GW_TRY(gw_registry_exec(registry,
                            "SELECT " VERSION_COLUMNS " FROM registry_models m LEFT JOIN LATERAL (SELECT * FROM "
                            "registry_versions WHERE model = m.name AND ($2::bigint = 0 OR version = $2::bigint) ORDER "
                            "BY version DESC LIMIT 1) v ON true WHERE m.name = $1::text",
                            parameters, 2, &rows, err));
    GW_TRY(has_rows(rows, model, &has, err));
    if (!has && version == 0) {
        return gw_fail(err, GW_E_NOT_FOUND, "model '%.128s' has no version", model);
    }
    if (!has) {
        return gw_fail(err, GW_E_NOT_FOUND, "model '%.128s' has no version %d", model, version);
    }
    GW_TRY(read_one(rows, 0, arena, read_version, &found, err));
    *ret_version = found;
    return GW_OK;
}

gw_status gw_registry_champions(struct gw_registry *registry, struct gw_arena *arena,
                                const struct gw_registry_version **ret_versions, size_t *ret_count, gw_err *err)
{
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    const void *items = NULL;
    GW_TRY(gw_registry_exec(
        registry, "SELECT " VERSION_COLUMNS " FROM registry_versions v WHERE v.state = 'CHAMPION' ORDER BY v.model",
        NULL, 0, &rows, err));
    GW_TRY(read_all(rows, sizeof **ret_versions, read_version, arena, &items, ret_count, err));
    *ret_versions = items;
    return GW_OK;
}

// ---- history

gw_status gw_registry_history(struct gw_registry *registry, const char *model, int64_t before, size_t limit,
                              struct gw_arena *arena, const struct gw_registry_event **ret_events, size_t *ret_count,
                              gw_err *err)
{
    char below[NUMBER_BYTES];
    char most[NUMBER_BYTES];
    const char *const parameters[] = {format(below, before > 0 ? before : INT64_MAX), format_limit(most, limit), model};
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    const void *items = NULL;
    bool has = true;
    if (model == NULL) {
        GW_TRY(gw_registry_exec(registry,
                                "SELECT " EVENT_COLUMNS " FROM registry_events e WHERE e.sequence < $1::bigint ORDER "
                                "BY e.sequence DESC LIMIT $2::bigint",
                                parameters, 2, &rows, err));
    } else {
        GW_TRY(gw_registry_exec(registry,
                                "SELECT " EVENT_COLUMNS " FROM registry_models m LEFT JOIN LATERAL (SELECT * FROM "
                                "registry_events WHERE model = m.name AND sequence < $1::bigint ORDER BY sequence DESC "
                                "LIMIT $2::bigint) e ON true WHERE m.name = $3::text ORDER BY e.sequence DESC",
                                parameters, 3, &rows, err));
        GW_TRY(has_rows(rows, model, &has, err));
    }
    if (!has) {
        *ret_events = NULL;
        *ret_count = 0;
        return GW_OK;
    }
    GW_TRY(read_all(rows, sizeof **ret_events, read_event, arena, &items, ret_count, err));
    *ret_events = items;
    return GW_OK;
}

// The model's last event with a route up to a time. `at` never goes back, so it orders as the sequence does and the
// index registry_events_routes gives the row at once.
static gw_status find_route(struct gw_registry *registry, const char *model, int64_t at_ms,
                            struct gw_postgres_rows **ret_rows, gw_err *err)
{
    // An event belongs to its whole millisecond, which is how it is shown. Years have four digits.
    const int64_t end_of_time_ms = INT64_C(253402300799999);
    char end[NUMBER_BYTES];
    const char *const parameters[] = {model, format(end, GW_MAX(GW_MIN(at_ms, end_of_time_ms), 0) + 1)};
    return gw_registry_exec(registry,
                            "SELECT " EVENT_COLUMNS " FROM registry_models m LEFT JOIN LATERAL (SELECT * FROM "
                            "registry_events WHERE model = m.name AND route IS NOT NULL AND at < "
                            "timestamptz 'epoch' + $2::bigint * interval '1 millisecond' ORDER BY at DESC, sequence "
                            "DESC LIMIT 1) e ON true WHERE m.name = $1::text",
                            parameters, 2, ret_rows, err);
}

gw_status gw_registry_at(struct gw_registry *registry, const char *model, int64_t at_ms, struct gw_arena *arena,
                         struct gw_registry_event *ret_event, gw_err *err)
{
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    struct gw_registry_event event = {0};
    bool has = false;
    GW_TRY(find_route(registry, model, at_ms, &rows, err));
    GW_TRY(has_rows(rows, model, &has, err));
    if (!has) {
        return gw_fail(err, GW_E_NOT_FOUND, "model '%.128s' was not routed yet at that time", model);
    }
    GW_TRY(read_one(rows, 0, arena, read_event, &event, err));
    *ret_event = event;
    return GW_OK;
}

gw_status gw_registry_events_after(struct gw_registry *registry, int64_t sequence, size_t limit, struct gw_arena *arena,
                                   const struct gw_registry_event **ret_events, size_t *ret_count, gw_err *err)
{
    char above[NUMBER_BYTES];
    char most[NUMBER_BYTES];
    const char *const parameters[] = {format(above, sequence), format_limit(most, limit)};
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    const void *items = NULL;
    GW_TRY(gw_registry_exec(registry,
                            "SELECT " EVENT_COLUMNS " FROM registry_events e WHERE e.sequence > $1::bigint ORDER BY "
                            "e.sequence LIMIT $2::bigint",
                            parameters, 2, &rows, err));
    GW_TRY(read_all(rows, sizeof **ret_events, read_event, arena, &items, ret_count, err));
    *ret_events = items;
    return GW_OK;
}

gw_status gw_registry_route(struct gw_registry *registry, const char *model, struct gw_route *ret_route, gw_err *err)
{
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    bool has = false;
    GW_TRY(find_route(registry, model, INT64_MAX, &rows, err));
    GW_TRY(has_rows(rows, model, &has, err));
    if (!has) {
        return gw_fail(err, GW_E_NOT_FOUND, "model '%.128s' has no route", model);
    }
    size_t column = gw_postgres_rows_columns(rows) - 1;
    struct gw_slice text =
        gw_slice_make(gw_postgres_rows_text(rows, 0, column), gw_postgres_rows_size(rows, 0, column));
    return gw_registry_parse_route(text, ret_route, err);
}
