// SPDX-License-Identifier: MIT
#include "registry/registry_change.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "registry/documents.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACTOR_BYTES_MAX 128
#define KEY_BYTES_MAX   200
#define REPEATS_KEPT    "7 days" // repeated requests are answered so long
#define NUMBER_BYTES    24

static void number_text(char to[NUMBER_BYTES], int64_t value)
{
    snprintf(to, NUMBER_BYTES, "%" PRId64, value);
}

// ---- what the caller said -------------------------------------------------------------------------------------------

static gw_status check_text(const char *what, const char *text, size_t least, size_t most, gw_err *err)
{
    size_t size = strlen(text);
    if (size < least || size > most) {
        return gw_fail(err, GW_E_INVALID, "%s has %zu bytes, must have %zu to %zu", what, size, least, most);
    }
    return gw_utf8_valid(text, size) ? GW_OK : gw_fail(err, GW_E_INVALID, "%s is not UTF-8", what);
}

gw_status gw_change_init(struct gw_change *change, struct gw_registry *registry, const char *model,
                         const struct gw_registry_change *said, gw_err *err, const char *format, ...)
{
    *change = (struct gw_change){.registry = registry, .model = model, .said = said};
    if (!gw_route_name_is_valid(model, GW_ROUTE_NAME_BYTES)) {
        return gw_fail(err, GW_E_INVALID, "'%.140s' is no model name: 1 to 128 of A-Z a-z 0-9 . _ -, not '.' or '..'",
                       model);
    }
    GW_TRY(check_text("actor", said->actor, 1, ACTOR_BYTES_MAX, err));
    GW_TRY(check_text("reason", said->reason, 0, GW_CHANGE_REASON_BYTES - 1, err));
    if (said->idempotency_key != NULL) {
        GW_TRY(check_text("idempotency key", said->idempotency_key, 1, KEY_BYTES_MAX, err));
    }
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(change->request, sizeof change->request, format, arguments);
    va_end(arguments);
    GW_ASSERT(size > 0 && (size_t)size < sizeof change->request);
    return GW_OK;
}

// ---- looking --------------------------------------------------------------------------------------------------------

// What the first request of this key came to, from the history: a champion is demoted only in the transaction that
// makes the next one, so the demotion before this event, when no other champion's event stands between, is this one's.
// The event is of another version when there was nothing to do.
static gw_status recall(struct gw_change *change, int32_t version, int64_t sequence, gw_err *err)
{
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    char number[NUMBER_BYTES];
    char of[NUMBER_BYTES];
    number_text(number, sequence);
    number_text(of, version);
    const char *const parameters[] = {change->model, number, of};
    GW_TRY(gw_registry_exec(change->registry,
                            "SELECT CASE WHEN former.transition = 'demote' THEN former.version ELSE 0 END "
                            "FROM registry_events e, LATERAL (SELECT f.version, f.transition FROM registry_events f "
                            "WHERE f.model = e.model AND f.sequence < e.sequence AND "
                            "'CHAMPION' IN (f.from_state, f.to_state) ORDER BY f.sequence DESC LIMIT 1) former "
                            "WHERE e.model = $1 AND e.sequence = $2::bigint AND e.version = $3::integer AND "
                            "e.to_state = 'CHAMPION' AND e.transition IN ('promote', 'rollback')",
                            parameters, GW_COUNT_OF(parameters), &rows, err));
    int64_t previous = 0;
    if (gw_postgres_rows_count(rows) > 0) {
        GW_TRY(gw_postgres_rows_int64(rows, 0, 0, &previous, err));
    }
    change->outcome = (struct gw_registry_outcome){.version = version,
                                                   .previous_version = (int32_t)previous,
                                                   .sequence = sequence,
                                                   .revision = sequence,
                                                   .repeated = true};
    change->answered = true;
    return GW_OK;
}

gw_status gw_change_look(struct gw_change *change, gw_err *err)
{
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    const char *const parameters[] = {change->model, change->said->idempotency_key};
    GW_TRY(gw_registry_exec(change->registry,
                            "SELECT coalesce(m.revision, 0), coalesce(m.last_version, 0), coalesce(m.salt, ''), "
                            "r.request, coalesce(r.version, 0), coalesce(r.sequence, 0) FROM (SELECT 1) AS one "
                            "LEFT JOIN registry_models m ON m.name = $1 "
                            "LEFT JOIN registry_repeats r ON r.key = $2::text",
                            parameters, 2, &rows, err));
    int64_t last_version = 0;
    int64_t version = 0;
    int64_t sequence = 0;
    GW_TRY(gw_postgres_rows_int64(rows, 0, 0, &change->revision, err));
    GW_TRY(gw_postgres_rows_int64(rows, 0, 1, &last_version, err));
    GW_TRY(gw_postgres_rows_int64(rows, 0, 4, &version, err));
    GW_TRY(gw_postgres_rows_int64(rows, 0, 5, &sequence, err));
    change->exists = change->revision > 0;
    change->last_version = (int32_t)last_version;
    snprintf(change->salt, sizeof change->salt, "%s", gw_postgres_rows_text(rows, 0, 2));
    const char *request = gw_postgres_rows_text(rows, 0, 3);
    if (request == NULL) {
        return GW_OK;
    }
    if (strcmp(request, change->request) != 0) {
        return gw_fail(err, GW_E_INVALID, "idempotency key '%.40s' was used for '%.80s', this is '%.80s'",
                       change->said->idempotency_key, request, change->request);
    }
    return recall(change, (int32_t)version, sequence, err);
}

gw_status gw_change_require(const struct gw_change *change, gw_err *err)
{
    if (!change->exists) {
        return gw_fail(err, GW_E_NOT_FOUND, "no model '%s'", change->model);
    }
    if (change->said->if_revision != 0 && change->said->if_revision != change->revision) {
        return gw_fail(err, GW_E_STALE, "model '%s' is at revision %" PRId64 ", not at %" PRId64, change->model,
                       change->revision, change->said->if_revision);
    }
    return GW_OK;
}

// ---- the lock and what it protects ----------------------------------------------------------------------------------

// A caller that hangs with the lock loses it: other changes wait for it no longer than that.
static gw_status take_clock(struct gw_change *change, gw_err *err)
{
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    GW_TRY(gw_registry_exec(change->registry,
                            "WITH bounded AS MATERIALIZED "
                            "(SELECT set_config('idle_in_transaction_session_timeout', '30s', true)) "
                            "UPDATE registry_clock SET sequence = sequence + 1, "
                            "at = greatest(at, date_trunc('milliseconds', clock_timestamp())) FROM bounded "
                            "RETURNING sequence, (extract(epoch FROM at) * 1000)::bigint",
                            NULL, 0, &rows, err));
    if (gw_postgres_rows_count(rows) != 1) {
        return gw_fail(err, GW_E_MISMATCH, "registry_clock has %zu rows, must have 1", gw_postgres_rows_count(rows));
    }
    GW_TRY(gw_postgres_rows_int64(rows, 0, 0, &change->sequence, err));
    return gw_postgres_rows_int64(rows, 0, 1, &change->at_ms, err);
}

static gw_status meanwhile(const struct gw_change *change, gw_err *err)
{
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    char revision[NUMBER_BYTES];
    number_text(revision, change->revision);
    const char *const parameters[] = {revision};
    GW_TRY(gw_registry_exec(change->registry,
                            "SELECT transition, version, actor FROM registry_events WHERE sequence = $1::bigint",
                            parameters, 1, &rows, err));
    if (gw_postgres_rows_count(rows) == 0) {
        return gw_fail(err, GW_E_CONFLICT, "model '%s' changed meanwhile", change->model);
    }
    return gw_fail(err, GW_E_CONFLICT, "model '%s' changed meanwhile: %s of version %s by '%s'", change->model,
                   gw_postgres_rows_text(rows, 0, 0), gw_postgres_rows_text(rows, 0, 1),
                   gw_postgres_rows_text(rows, 0, 2));
}

// Under the lock: the answer to a repeated request, else the model as it was when it was looked at, or as it
// is now for a change that follows any.
static gw_status look_again(struct gw_change *change, gw_err *err)
{
    const bool existed = change->exists;
    const int64_t revision = change->revision;
    GW_TRY(gw_change_look(change, err));
    if (change->answered) {
        return GW_OK;
    }
    if (existed) {
        GW_TRY(gw_change_require(change, err));
    }
    if (change->revision != revision && !change->follows_any) {
        return meanwhile(change, err);
    }
    return GW_OK;
}

// ---- versions -------------------------------------------------------------------------------------------------------

gw_status gw_change_add(struct gw_change *change, const struct gw_change_version *version,
                        struct gw_change_version **ret_version, gw_err *err)
{
    if (change->version_count == GW_CHANGE_VERSIONS_MAX) {
        return gw_fail(err, GW_E_TOO_LARGE, "a change is about %d versions at most", GW_CHANGE_VERSIONS_MAX);
    }
    change->versions[change->version_count] = *version;
    *ret_version = &change->versions[change->version_count++];
    return GW_OK;
}

static gw_status read_version(const struct gw_postgres_rows *rows, size_t row, struct gw_change_version *ret_version,
                              gw_err *err)
{
    int64_t numbers[4];
    for (size_t i = 0; i < GW_COUNT_OF(numbers); i++) {
        GW_TRY(gw_postgres_rows_int64(rows, row, i, &numbers[i], err));
    }
    *ret_version = (struct gw_change_version){.version = (int32_t)numbers[0],
                                              .archived = numbers[1] != 0,
                                              .weight = (uint32_t)numbers[2],
                                              .parent_version = (int32_t)numbers[3]};
    GW_TRY(gw_rollout_state_parse(gw_postgres_rows_text(rows, row, 4), &ret_version->state, err));
    snprintf(ret_version->variant, sizeof ret_version->variant, "%s", gw_postgres_rows_text(rows, row, 5));
    snprintf(ret_version->digest, sizeof ret_version->digest, "%s", gw_postgres_rows_text(rows, row, 6));
    return GW_OK;
}

#define READ_VERSIONS                                                                                                  \
    "SELECT version, (artefact IS NULL)::int, weight, parent_version, state, variant, digest FROM registry_versions "  \
    "WHERE model = $1 AND "

// Versions in a role: all that the route is made of.
static gw_status read_roles(struct gw_change *change, gw_err *err)
{
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    GW_TRY(gw_registry_exec(change->registry,
                            READ_VERSIONS "state IN ('SHADOW', 'CANARY', 'CHAMPION') ORDER BY version", &change->model,
                            1, &rows, err));
    for (size_t i = 0; i < gw_postgres_rows_count(rows); i++) {
        struct gw_change_version version;
        struct gw_change_version *added = NULL;
        GW_TRY(read_version(rows, i, &version, err));
        GW_TRY(gw_change_add(change, &version, &added, err));
    }
    return GW_OK;
}

gw_status gw_change_find(struct gw_change *change, int32_t version, struct gw_change_version **ret_version, gw_err *err)
{
    if (version == 0 && change->last_version == 0) {
        return gw_fail(err, GW_E_NOT_FOUND, "model '%s' has no version yet", change->model);
    }
    const int32_t wanted = version == 0 ? change->last_version : version;
    for (size_t i = 0; i < change->version_count; i++) {
        if (change->versions[i].version == wanted) {
            *ret_version = &change->versions[i];
            return GW_OK;
        }
    }
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    char number[NUMBER_BYTES];
    number_text(number, wanted);
    const char *const parameters[] = {change->model, number};
    GW_TRY(gw_registry_exec(change->registry, READ_VERSIONS "version = $2::integer", parameters, 2, &rows, err));
    if (gw_postgres_rows_count(rows) == 0) {
        return gw_fail(err, GW_E_NOT_FOUND, "model '%s' has no version %d", change->model, wanted);
    }
    struct gw_change_version read;
    GW_TRY(read_version(rows, 0, &read, err));
    return gw_change_add(change, &read, ret_version, err);
}

struct gw_change_version *gw_change_in_state(struct gw_change *change, enum gw_rollout_state state)
{
    struct gw_change_version *lowest = NULL;
    for (size_t i = 0; i < change->version_count; i++) {
        struct gw_change_version *version = &change->versions[i];
        if (version->state == state && (lowest == NULL || version->version < lowest->version)) {
            lowest = version;
        }
    }
    return lowest;
}

gw_status gw_change_append(struct gw_change *change, const struct gw_change_event *event, const char *reason,
                           gw_err *err)
{
    if (change->event_count == GW_CHANGE_EVENTS_MAX) {
        return gw_fail(err, GW_E_TOO_LARGE, "a change appends %d events at most", GW_CHANGE_EVENTS_MAX);
    }
    struct gw_change_event *to = &change->events[change->event_count++];
    *to = *event;
    const char *text = reason != NULL ? reason : change->said->reason;
    size_t size = gw_utf8_fit(text, sizeof to->reason - 1);
    memcpy(to->reason, text, size);
    to->reason[size] = '\0';
    return GW_OK;
}

gw_status gw_change_set(struct gw_change *change, struct gw_change_version *version, const char *transition,
                        enum gw_rollout_state state, const char *reason, gw_err *err)
{
    const struct gw_change_event event = {.version = version->version,
                                          .transition = transition,
                                          .from_state = gw_rollout_state_name(version->state),
                                          .to_state = gw_rollout_state_name(state),
                                          .digest = version->digest,
                                          .parent_version = version->parent_version};
    GW_TRY(gw_change_append(change, &event, reason, err));
    version->state = state;
    version->variant[0] = '\0';
    version->weight = 0;
    version->changed = true;
    return GW_OK;
}

gw_status gw_change_move(struct gw_change *change, struct gw_change_version *version, enum gw_rollout_verb verb,
                         const char *reason, gw_err *err)
{
    enum gw_rollout_state to = version->state;
    gw_status status = gw_rollout_move(version->state, verb, &to, err);
    if (status != GW_OK) {
        return gw_fail_context(err, status, "model '%s' version %d", change->model, version->version);
    }
    return gw_change_set(change, version, gw_rollout_verb_name(verb), to, reason, err);
}

// ---- the route ------------------------------------------------------------------------------------------------------

static void add_role(struct gw_route_version *to, const struct gw_change_version *version, const char *variant,
                     uint32_t weight)
{
    *to = (struct gw_route_version){.version = version->version, .weight = weight};
    snprintf(to->variant, sizeof to->variant, "%s", variant);
    memcpy(to->digest, version->digest, sizeof to->digest);
}

static int by_version(const void *left, const void *right)
{
    const struct gw_route_version *a = left;
    const struct gw_route_version *b = right;
    return (a->version > b->version) - (a->version < b->version);
}

// The route that the versions' states make: champion first, canaries by version, shadows by version.
static gw_status make_route(struct gw_change *change, struct gw_route *ret_route, gw_err *err)
{
    struct gw_route route = {.sequence = 0};
    uint32_t shares = 0;
    snprintf(route.model, sizeof route.model, "%s", change->model);
    memcpy(route.salt, change->salt, sizeof route.salt);
    const struct gw_change_version *champion = gw_change_in_state(change, GW_ROLLOUT_CHAMPION);
    if (champion != NULL) {
        route.target_count = 1;
    }
    for (size_t i = 0; i < change->version_count; i++) {
        const struct gw_change_version *version = &change->versions[i];
        if (version->state == GW_ROLLOUT_CANARY) {
            if (champion == NULL || route.target_count == GW_ROUTE_TARGETS_MAX) {
                return gw_fail(err, GW_E_CONFLICT, "model '%s' version %d cannot be a canary: %s", change->model,
                               version->version, champion == NULL ? "there is no champion" : "there are too many");
            }
            add_role(&route.targets[route.target_count++], version, version->variant, version->weight);
            shares += version->weight;
        } else if (version->state == GW_ROLLOUT_SHADOW) {
            if (route.shadow_count == GW_ROUTE_SHADOWS_MAX) {
                return gw_fail(err, GW_E_CONFLICT, "model '%s' has %d shadows, which is the most", change->model,
                               GW_ROUTE_SHADOWS_MAX);
            }
            add_role(&route.shadows[route.shadow_count++], version, "shadow", 0);
        }
    }
    if (champion != NULL) {
        if (shares >= GW_ROUTE_BUCKETS) {
            return gw_fail(err, GW_E_INVALID,
                           "canaries of model '%s' have %u of %u buckets, nothing is left for the champion",
                           change->model, shares, GW_ROUTE_BUCKETS);
        }
        add_role(&route.targets[0], champion, "champion", GW_ROUTE_BUCKETS - shares);
        qsort(&route.targets[1], route.target_count - 1, sizeof route.targets[0], by_version);
    }
    qsort(route.shadows, route.shadow_count, sizeof route.shadows[0], by_version);
    *ret_route = route;
    return GW_OK;
}

static bool same_versions(const struct gw_route_version *a, const struct gw_route_version *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (a[i].version != b[i].version || a[i].weight != b[i].weight || strcmp(a[i].variant, b[i].variant) != 0) {
            return false;
        }
    }
    return true;
}

static bool same_roles(const struct gw_route *a, const struct gw_route *b)
{
    return a->target_count == b->target_count && a->shadow_count == b->shadow_count &&
           same_versions(a->targets, b->targets, a->target_count) &&
           same_versions(a->shadows, b->shadows, a->shadow_count);
}

// ---- writing --------------------------------------------------------------------------------------------------------

static gw_status write_version(struct gw_change *change, const struct gw_change_version *version, gw_err *err)
{
    char number[NUMBER_BYTES];
    char weight[NUMBER_BYTES];
    number_text(number, version->version);
    number_text(weight, version->weight);
    const char *because = change->said->reason[0] != '\0' ? change->said->reason : "no reason given";
    const char *const parameters[] = {change->model,
                                      number,
                                      gw_rollout_state_name(version->state),
                                      version->variant,
                                      weight,
                                      version->archived ? "t" : "f",
                                      version->state == GW_ROLLOUT_REJECTED ? because : ""};
    return gw_registry_exec(change->registry,
                            "UPDATE registry_versions SET state = $3, variant = $4, weight = $5::integer, "
                            "artefact = CASE WHEN $6::boolean THEN NULL ELSE artefact END, "
                            "rejected_because = CASE WHEN state = 'REJECTED' THEN rejected_because ELSE $7 END "
                            "WHERE model = $1 AND version = $2::integer",
                            parameters, GW_COUNT_OF(parameters), NULL, err);
}

// The champion last: there is never more than one.
static gw_status write_versions(struct gw_change *change, gw_err *err)
{
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < change->version_count; i++) {
            const struct gw_change_version *version = &change->versions[i];
            if (version->changed && (version->state == GW_ROLLOUT_CHAMPION) == (pass == 1)) {
                GW_TRY(write_version(change, version, err));
            }
        }
    }
    return GW_OK;
}

static gw_status write_event(struct gw_change *change, const struct gw_change_event *event, int64_t sequence,
                             const char *route, gw_err *err)
{
    char number[NUMBER_BYTES];
    char version[NUMBER_BYTES];
    char parent[NUMBER_BYTES];
    number_text(number, sequence);
    number_text(version, event->version);
    number_text(parent, event->parent_version);
    const char *const parameters[] = {number,
                                      change->model,
                                      version,
                                      event->transition,
                                      event->from_state,
                                      event->to_state,
                                      event->digest,
                                      parent,
                                      change->said->actor,
                                      event->reason,
                                      route};
    return gw_registry_exec(change->registry,
                            "INSERT INTO registry_events (sequence, model, version, transition, from_state, to_state, "
                            "digest, parent_version, actor, reason, at, route) "
                            "SELECT $1::bigint, $2, $3::integer, $4, $5, $6, $7, $8::integer, $9, $10, c.at, "
                            "$11::jsonb FROM registry_clock c",
                            parameters, GW_COUNT_OF(parameters), NULL, err);
}

// Appends the route's JSON and a NUL when the versions' roles are not what they were.
static gw_status write_route(struct gw_change *change, int64_t sequence, struct gw_buf *text, gw_err *err)
{
    struct gw_route route;
    GW_TRY(make_route(change, &route, err));
    if (same_roles(&route, &change->before)) {
        return GW_OK;
    }
    route.sequence = sequence;
    route.at_ms = change->at_ms;
    GW_TRY(gw_route_check(&route, err));
    struct gw_json_writer writer;
    gw_json_writer_init(&writer, text);
    gw_registry_write_route(&writer, &route);
    GW_TRY(gw_json_writer_finish(&writer, err));
    return gw_buf_append(text, "", 1) == GW_OK ? GW_OK : gw_fail(err, GW_E_MEMORY, "no memory for a route");
}

static gw_status write_events(struct gw_change *change, int64_t last, gw_err *err)
{
    struct gw_buf route = {0};
    gw_status status = write_route(change, last, &route, err);
    for (size_t i = 0; i < change->event_count && status == GW_OK; i++) {
        const int64_t sequence = change->sequence + (int64_t)i;
        const bool carries = sequence == last && route.size > 0;
        status = write_event(change, &change->events[i], sequence, carries ? (const char *)route.data : NULL, err);
    }
    gw_buf_deinit(&route);
    return status;
}

static gw_status write_repeat(struct gw_change *change, const char *sequence, gw_err *err)
{
    if (change->said->idempotency_key == NULL) {
        return GW_OK;
    }
    char version[NUMBER_BYTES];
    number_text(version, change->outcome.version);
    const char *const parameters[] = {change->said->idempotency_key, change->request, sequence, version};
    return gw_registry_exec(change->registry,
                            "WITH old AS (DELETE FROM registry_repeats "
                            "WHERE at < now() - interval '" REPEATS_KEPT "' AND key <> $1) "
                            "INSERT INTO registry_repeats (key, request, sequence, version, at) "
                            "VALUES ($1, $2, $3::bigint, $4::integer, now())",
                            parameters, GW_COUNT_OF(parameters), NULL, err);
}

static gw_status write_all(struct gw_change *change, gw_err *err)
{
    const int64_t last = change->sequence + (int64_t)change->event_count - 1;
    char sequence[NUMBER_BYTES];
    char last_version[NUMBER_BYTES];
    number_text(sequence, last);
    number_text(last_version, change->last_version);
    GW_TRY(write_versions(change, err));
    GW_TRY(write_events(change, last, err));
    if (last != change->sequence) {
        const char *const parameters[] = {sequence};
        GW_TRY(gw_registry_exec(change->registry, "UPDATE registry_clock SET sequence = $1::bigint", parameters, 1,
                                NULL, err));
    }
    const char *const parameters[] = {change->model, sequence, last_version};
    GW_TRY(gw_registry_exec(change->registry,
                            "UPDATE registry_models SET revision = $2::bigint, last_version = $3::integer "
                            "WHERE name = $1",
                            parameters, GW_COUNT_OF(parameters), NULL, err));
    change->outcome.sequence = last;
    change->outcome.revision = last;
    return write_repeat(change, sequence, err);
}

// ---- the whole ------------------------------------------------------------------------------------------------------

// Nothing was to be done. A key stands for this answer from now on; the number that the lock took is given back then,
// so that the history has no gap.
static gw_status answer_nothing(struct gw_change *change, gw_err *err)
{
    change->outcome.sequence = change->revision;
    change->outcome.revision = change->revision;
    change->outcome.repeated = true;
    change->answered = change->said->idempotency_key == NULL;
    if (change->answered) {
        return GW_OK;
    }
    char before[NUMBER_BYTES];
    char revision[NUMBER_BYTES];
    number_text(before, change->sequence - 1);
    number_text(revision, change->revision);
    const char *const parameters[] = {before};
    GW_TRY(gw_registry_exec(change->registry, "UPDATE registry_clock SET sequence = $1::bigint", parameters, 1, NULL,
                            err));
    return write_repeat(change, revision, err);
}

// Leaves `answered` behind when there is nothing to commit.
static gw_status run_transaction(struct gw_change *change, gw_change_apply apply, const void *context, gw_err *err)
{
    GW_TRY(take_clock(change, err));
    GW_TRY(look_again(change, err));
    if (change->answered) {
        return GW_OK;
    }
    GW_TRY(read_roles(change, err));
    GW_TRY(make_route(change, &change->before, err));
    GW_TRY(apply(change, context, err));
    return change->event_count > 0 ? write_all(change, err) : answer_nothing(change, err);
}

gw_status gw_change_make(struct gw_change *change, gw_change_apply apply, const void *context,
                         struct gw_registry_outcome *ret_outcome, gw_err *err)
{
    GW_CLEANUP(gw_mem_cleanup)
    struct gw_change_event *events = gw_mem_calloc(GW_CHANGE_EVENTS_MAX, sizeof *events);
    if (events == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a change");
    }
    change->events = events;
    gw_status status = gw_postgres_begin(change->registry->postgres, err);
    if (status == GW_OK) {
        status = run_transaction(change, apply, context, err);
        if (status == GW_OK && !change->answered) {
            status = gw_postgres_commit(change->registry->postgres, err);
        }
        // After a commit there is nothing to roll back, and it does nothing.
        gw_postgres_rollback(change->registry->postgres);
    }
    change->events = NULL;
    if (status == GW_OK) {
        *ret_outcome = change->outcome;
    }
    return status;
}

gw_status gw_change_run(struct gw_change *change, gw_change_apply apply, const void *context,
                        struct gw_registry_outcome *ret_outcome, gw_err *err)
{
    GW_TRY(gw_change_look(change, err));
    if (change->answered) {
        *ret_outcome = change->outcome;
        return GW_OK;
    }
    GW_TRY(gw_change_require(change, err));
    return gw_change_make(change, apply, context, ret_outcome, err);
}
