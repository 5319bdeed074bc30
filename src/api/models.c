// SPDX-License-Identifier: MIT
#include "api/models.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "registry/documents.h"

#include <inttypes.h>
#include <stdio.h>

#define ARENA_BLOCK_BYTES  (64u * 1024)
#define ARENA_LIMIT_BYTES  (32u * 1024 * 1024)
#define DEFAULT_ACTOR      "rest"
#define BUSY               "too many calls for the registry are waiting"
#define NO_SUCH_MODEL_NAME "no model can have this name"

// ---------------------------------------------------------------- on a loop thread

void gw_api_models_input_free(struct gw_api_models_input *input)
{
    if (input != NULL) {
        gw_mem_free(input->upload.features);
        gw_mem_free(input->upload.tags);
        gw_mem_free(input);
    }
}

struct gw_api_models_input *gw_api_models_input_new(struct gw_api_exchange *exchange, bool has_model,
                                                    gw_api_models_do act)
{
    if (exchange->api->registry.uri == NULL) {
        gw_api_reply_problem(exchange, GW_API_PROBLEM_UNAVAILABLE, NULL, "this service has no model registry");
        return NULL;
    }
    struct gw_api_models_input *input = gw_mem_calloc(1, sizeof *input);
    if (input == NULL) {
        gw_api_reply_problem(exchange, GW_API_PROBLEM_INTERNAL, NULL, "no memory for the request");
        return NULL;
    }
    input->act = act;
    if (!has_model) {
        return input;
    }
    struct gw_slice name = exchange->params[0];
    if (name.size < sizeof input->model && memchr(name.data, '\0', name.size) == NULL) {
        memcpy(input->model, name.data, name.size);
    }
    if (!gw_route_name_is_valid(input->model, sizeof input->model)) {
        gw_api_models_input_free(input);
        gw_api_reply_problem(exchange, GW_API_PROBLEM_MODEL_NOT_FOUND, NULL, NO_SUCH_MODEL_NAME);
        return NULL;
    }
    return input;
}

void gw_api_models_refuse(struct gw_api_exchange *exchange, struct gw_api_models_input *input, const char *detail)
{
    gw_api_models_input_free(input);
    gw_api_reply_problem(exchange, GW_API_PROBLEM_BAD_REQUEST, NULL, detail);
}

bool gw_api_models_take_change(struct gw_api_exchange *exchange, struct gw_api_models_input *input)
{
    const char *if_match = gw_http_request_header(exchange->request, "If-Match");
    const char *key = gw_http_request_header(exchange->request, "Idempotency-Key");
    const char *actor = gw_http_request_header(exchange->request, "Godwit-Actor");
    input->condition = gw_api_parse_if_match(if_match, &input->if_revisions);
    if (input->condition == GW_API_IF_MALFORMED) {
        gw_api_models_refuse(exchange, input,
                             "If-Match takes \"*\" or up to 8 entity tags, such as \"17\" with its quotes");
        return false;
    }
    if (key != NULL && !gw_api_parse_idempotency_key(key, input->idempotency_key)) {
        gw_api_models_refuse(exchange, input, "Idempotency-Key takes 1 to 200 visible ASCII characters");
        return false;
    }
    if (actor != NULL && (actor[0] == '\0' || strlen(actor) >= sizeof input->actor)) {
        gw_api_models_refuse(exchange, input, "Godwit-Actor takes 1 to 128 bytes");
        return false;
    }
    snprintf(input->actor, sizeof input->actor, "%s", actor != NULL ? actor : DEFAULT_ACTOR);
    return true;
}

// ---------------------------------------------------------------- on a compute thread

gw_status gw_api_models_problem(struct gw_api_models_work *work, enum gw_api_problem_kind kind, const char *pointer,
                                const char *detail)
{
    work->refused = true;
    work->refusal.kind = kind;
    snprintf(work->refusal.pointer, sizeof work->refusal.pointer, "%s", pointer);
    snprintf(work->refusal.detail, sizeof work->refusal.detail, "%s", detail);
    return GW_E_INVALID;
}

static enum gw_api_problem_kind problem_of(gw_status status)
{
    switch (status) {
    case GW_E_NOT_FOUND:
        return GW_API_PROBLEM_MODEL_NOT_FOUND;
    case GW_E_CONFLICT:
        return GW_API_PROBLEM_CONFLICT;
    case GW_E_STALE:
        return GW_API_PROBLEM_PRECONDITION_FAILED;
    case GW_E_INVALID:
    case GW_E_MALFORMED:
        return GW_API_PROBLEM_INVALID_REQUEST;
    case GW_E_TOO_LARGE:
        return GW_API_PROBLEM_BODY_TOO_LARGE;
    case GW_E_MISMATCH: // the database is not migrated: the message says so
    case GW_E_CONFIG:
    case GW_E_TIMEOUT:
    case GW_E_UNAVAILABLE:
    case GW_E_IO: // the disk is full, for one
        return GW_API_PROBLEM_UNAVAILABLE;
    default:
        return GW_API_PROBLEM_INTERNAL;
    }
}

// Where the database is and what it was asked is for who runs this, not for callers.
static const char *without_database(char *message)
{
    char *database = strstr(message, "postgres '");
    if (database == NULL) {
        return message;
    }
    gw_log_warn("registry.call_failed", "reason='%s'", message);
    if (database == message) {
        return "the registry's database refuses or cannot be reached";
    }
    while (database > message && (database[-1] == ' ' || database[-1] == ':')) {
        database--;
    }
    *database = '\0';
    return message;
}

static void reply_failure(struct gw_api_models_work *work, gw_status status)
{
    struct gw_api_exchange *exchange = &work->call->exchange;
    if (work->refused) {
        gw_api_reply_problem(exchange, work->refusal.kind, work->refusal.pointer, work->refusal.detail);
    } else {
        gw_api_reply_problem(exchange, problem_of(status), NULL, without_database(work->err.message));
    }
}

static void reply_success(struct gw_api_models_work *work)
{
    struct gw_http_header headers[3];
    char etag[GW_API_ETAG_BYTES];
    size_t count = 0;
    if (work->revision > 0) {
        gw_api_revision_etag(work->revision, etag);
        headers[count++] = (struct gw_http_header){"ETag", etag};
    }
    if (work->location[0] != '\0') {
        headers[count++] = (struct gw_http_header){"Location", work->location};
    }
    if (work->repeated) {
        headers[count++] = (struct gw_http_header){"Idempotency-Replayed", "true"};
    }
    gw_api_reply_json_with(&work->call->exchange, work->status, &work->writer, headers, count);
}

static void run(struct gw_api_compute *compute, struct gw_api_call *call)
{
    struct gw_buf text = {0};
    struct gw_api_models_work work = {.call = call, .input = call->input, .status = 200};
    call->input = NULL;
    gw_json_writer_init(&work.writer, &text);
    gw_arena_init(&work.arena, ARENA_BLOCK_BYTES, ARENA_LIMIT_BYTES);
    gw_status status = gw_api_compute_registry(compute, &work.registry, &work.err);
    if (status == GW_OK) {
        status = work.input->act(&work);
    }
    if (status == GW_OK) {
        reply_success(&work);
    } else {
        reply_failure(&work, status);
    }
    gw_arena_deinit(&work.arena);
    gw_buf_deinit(&text);
    gw_api_models_input_free(work.input);
}

void gw_api_models_submit(struct gw_api_exchange *exchange, struct gw_api_models_input *input)
{
    struct gw_api_call *call = gw_api_call_new(exchange);
    if (call == NULL) {
        gw_api_models_input_free(input);
        gw_api_reply_problem(exchange, GW_API_PROBLEM_INTERNAL, NULL, "no memory for the request");
        return;
    }
    call->input = input;
    gw_api_compute_submit(call, run, BUSY);
}

gw_status gw_api_models_look(struct gw_api_models_work *work, struct gw_registry_model *ret_model)
{
    GW_TRY(gw_registry_get_model(work->registry, work->input->model, &work->arena, ret_model, &work->err));
    work->revision = ret_model->revision;
    return GW_OK;
}

// ---------------------------------------------------------------- documents

// The raw text of a member of a JSON object, or `otherwise`.
static struct gw_slice member_text(const char *object, const char *name, const char *otherwise)
{
    struct gw_json json;
    bool more = false;
    gw_json_init(&json, gw_slice_text(object));
    if (gw_json_enter(&json, GW_JSON_OBJECT, NULL) != GW_OK) {
        return gw_slice_text(otherwise);
    }
    while (gw_json_next(&json, &more, NULL) == GW_OK && more) {
        struct gw_slice key = {0};
        enum gw_json_kind kind = GW_JSON_NULL;
        if (gw_json_key(&json, &key, NULL) != GW_OK || gw_json_peek(&json, &kind, NULL) != GW_OK) {
            break;
        }
        size_t start = json.at;
        if (gw_json_skip(&json, NULL) != GW_OK) {
            break;
        }
        if (gw_slice_is(key, name)) {
            return gw_slice_make(json.data + start, json.at - start);
        }
    }
    return gw_slice_text(otherwise);
}

static int64_t array_length(struct gw_slice text)
{
    struct gw_json json;
    bool more = false;
    int64_t count = 0;
    gw_json_init(&json, text);
    if (gw_json_enter(&json, GW_JSON_ARRAY, NULL) != GW_OK) {
        return 0;
    }
    while (gw_json_next(&json, &more, NULL) == GW_OK && more && gw_json_skip(&json, NULL) == GW_OK) {
        count++;
    }
    return count;
}

static void write_champion(struct gw_json_writer *writer, const struct gw_registry_version *champion,
                           bool with_features)
{
    struct gw_slice features = member_text(champion->signature_json, "features", "[]");
    gw_json_write_key(writer, "version");
    gw_json_write_i64(writer, champion->version);
    gw_json_write_key(writer, "state");
    gw_json_write_text(writer, gw_rollout_state_name(champion->state));
    gw_json_write_key(writer, "production");
    gw_json_write_bool(writer, true);
    gw_json_write_key(writer, "digest");
    gw_json_write_text(writer, champion->digest);
    gw_api_write_time(writer, "since", champion->champion_since_ms);
    gw_json_write_key(writer, "featureCount");
    gw_json_write_i64(writer, array_length(features));
    gw_json_write_key(writer, "heads");
    gw_json_write_raw(writer, member_text(champion->signature_json, "heads", "[]"));
    if (with_features) {
        gw_json_write_key(writer, "features");
        gw_json_write_raw(writer, features);
        gw_json_write_key(writer, "metrics");
        gw_json_write_raw(writer, gw_slice_text(champion->metrics_json));
        gw_json_write_key(writer, "metadata");
        gw_json_write_raw(writer, gw_slice_text(champion->lineage_json));
    }
}

// A model with what serves; `champion` NULL: nothing does.
static void write_model(struct gw_json_writer *writer, const struct gw_registry_model *model,
                        const struct gw_registry_version *champion)
{
    gw_json_write_key(writer, "name");
    gw_json_write_text(writer, model->name);
    if (champion != NULL) {
        write_champion(writer, champion, false);
    } else {
        gw_json_write_key(writer, "version");
        gw_json_write_null(writer);
        gw_json_write_key(writer, "production");
        gw_json_write_bool(writer, false);
    }
    gw_json_write_key(writer, "model");
    gw_registry_write_model(writer, model);
}

static const struct gw_registry_version *champion_of(const struct gw_registry_version *champions, size_t count,
                                                     const char *model)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(champions[i].model, model) == 0) {
            return &champions[i];
        }
    }
    return NULL;
}

// ---------------------------------------------------------------- GET /models

static gw_status do_list(struct gw_api_models_work *work)
{
    const struct gw_registry_model *models = NULL;
    const struct gw_registry_version *champions = NULL;
    size_t model_count = 0;
    size_t champion_count = 0;
    GW_TRY(gw_registry_list_models(work->registry, &work->arena, &models, &model_count, &work->err));
    GW_TRY(gw_registry_champions(work->registry, &work->arena, &champions, &champion_count, &work->err));
    gw_json_object_begin(&work->writer);
    gw_json_write_key(&work->writer, "models");
    gw_json_array_begin(&work->writer);
    for (size_t i = 0; i < model_count; i++) {
        gw_json_object_begin(&work->writer);
        write_model(&work->writer, &models[i], champion_of(champions, champion_count, models[i].name));
        gw_json_object_end(&work->writer);
    }
    gw_json_array_end(&work->writer);
    gw_json_object_end(&work->writer);
    return GW_OK;
}

void gw_api_handle_models(struct gw_api_exchange *exchange)
{
    struct gw_api_models_input *input = gw_api_models_input_new(exchange, false, do_list);
    if (input != NULL) {
        gw_api_models_submit(exchange, input);
    }
}

// ---------------------------------------------------------------- GET /models/production

static gw_status do_production(struct gw_api_models_work *work)
{
    const struct gw_registry_version *champions = NULL;
    size_t count = 0;
    if (work->input->model[0] != '\0') {
        struct gw_registry_model model = {0};
        GW_TRY(gw_api_models_look(work, &model));
    }
    GW_TRY(gw_registry_champions(work->registry, &work->arena, &champions, &count, &work->err));
    const struct gw_registry_version *champion = count > 0 ? &champions[0] : NULL;
    if (work->input->model[0] != '\0') {
        champion = champion_of(champions, count, work->input->model);
    }
    if (champion == NULL) {
        return gw_api_models_problem(work, GW_API_PROBLEM_MODEL_NOT_FOUND, "", "no version is in production");
    }
    gw_json_object_begin(&work->writer);
    gw_json_write_key(&work->writer, "name");
    gw_json_write_text(&work->writer, champion->model);
    write_champion(&work->writer, champion, true);
    gw_json_object_end(&work->writer);
    return GW_OK;
}

void gw_api_handle_models_production(struct gw_api_exchange *exchange)
{
    const char *asked = gw_http_request_query(exchange->request, "model");
    const char *model = asked != NULL ? asked : exchange->api->options.default_model;
    struct gw_api_models_input *input = gw_api_models_input_new(exchange, false, do_production);
    if (input == NULL) {
        return;
    }
    if (model != NULL && !gw_route_name_is_valid(model, sizeof input->model)) {
        gw_api_models_input_free(input);
        gw_api_reply_problem(exchange, GW_API_PROBLEM_MODEL_NOT_FOUND, NULL, NO_SUCH_MODEL_NAME);
        return;
    }
    snprintf(input->model, sizeof input->model, "%s", model != NULL ? model : "");
    gw_api_models_submit(exchange, input);
}

// ---------------------------------------------------------------- GET /models/:id

static gw_status do_show(struct gw_api_models_work *work)
{
    struct gw_registry_model model = {0};
    struct gw_registry_version champion = {0};
    GW_TRY(gw_api_models_look(work, &model));
    if (model.champion > 0) {
        GW_TRY(
            gw_registry_get_version(work->registry, model.name, model.champion, &work->arena, &champion, &work->err));
    }
    struct gw_registry_event routed_by = {0};
    gw_status routed =
        gw_registry_at(work->registry, model.name, GW_API_TIME_MAX_MS, &work->arena, &routed_by, &work->err);
    if (routed != GW_OK && routed != GW_E_NOT_FOUND) {
        return routed;
    }
    gw_json_object_begin(&work->writer);
    write_model(&work->writer, &model, model.champion > 0 ? &champion : NULL);
    gw_json_write_key(&work->writer, "routedBy");
    if (routed == GW_OK) {
        gw_registry_write_event(&work->writer, &routed_by);
    } else {
        gw_json_write_null(&work->writer);
    }
    gw_json_object_end(&work->writer);
    return GW_OK;
}

void gw_api_handle_model(struct gw_api_exchange *exchange)
{
    struct gw_api_models_input *input = gw_api_models_input_new(exchange, true, do_show);
    if (input != NULL) {
        gw_api_models_submit(exchange, input);
    }
}

// ---------------------------------------------------------------- versions

// ?before= and ?limit=. False: answered.
static bool take_page(struct gw_api_exchange *exchange, struct gw_api_models_input *input, int64_t before_max)
{
    enum { LIMIT = 50, LIMIT_MAX = 500 };
    const char *before = gw_http_request_query(exchange->request, "before");
    const char *limit = gw_http_request_query(exchange->request, "limit");
    input->limit = LIMIT;
    if (before != NULL && !gw_api_parse_count(before, before_max, &input->before)) {
        gw_api_models_refuse(exchange, input, "'before' is no positive number");
        return false;
    }
    if (limit != NULL && !gw_api_parse_count(limit, LIMIT_MAX, &input->limit)) {
        gw_api_models_refuse(exchange, input, "'limit' is not between 1 and 500");
        return false;
    }
    return true;
}

static gw_status do_versions(struct gw_api_models_work *work)
{
    const struct gw_registry_version *versions = NULL;
    size_t count = 0;
    struct gw_registry_model model = {0};
    GW_TRY(gw_api_models_look(work, &model));
    GW_TRY(gw_registry_list_versions(work->registry, model.name, (int32_t)work->input->before,
                                     (size_t)work->input->limit, &work->arena, &versions, &count, &work->err));
    gw_json_object_begin(&work->writer);
    gw_json_write_key(&work->writer, "versions");
    gw_json_array_begin(&work->writer);
    for (size_t i = 0; i < count; i++) {
        gw_registry_write_version(&work->writer, &versions[i], false);
    }
    gw_json_array_end(&work->writer);
    gw_json_object_end(&work->writer);
    return GW_OK;
}

void gw_api_handle_model_versions(struct gw_api_exchange *exchange)
{
    struct gw_api_models_input *input = gw_api_models_input_new(exchange, true, do_versions);
    if (input != NULL && take_page(exchange, input, INT32_MAX)) {
        gw_api_models_submit(exchange, input);
    }
}

static gw_status do_version(struct gw_api_models_work *work)
{
    struct gw_registry_model model = {0};
    struct gw_registry_version version = {0};
    GW_TRY(gw_api_models_look(work, &model));
    GW_TRY(
        gw_registry_get_version(work->registry, model.name, work->input->version, &work->arena, &version, &work->err));
    gw_registry_write_version(&work->writer, &version, true);
    return GW_OK;
}

void gw_api_handle_model_version(struct gw_api_exchange *exchange)
{
    struct gw_api_models_input *input = gw_api_models_input_new(exchange, true, do_version);
    if (input == NULL) {
        return;
    }
    if (!gw_api_parse_version(exchange->params[1], &input->version)) {
        gw_api_models_refuse(exchange, input, "a version is a number from 1, or 'latest'");
        return;
    }
    gw_api_models_submit(exchange, input);
}

// ---------------------------------------------------------------- comparison

static gw_status do_compare(struct gw_api_models_work *work)
{
    const struct gw_api_models_input *input = work->input;
    struct gw_registry_model model = {0};
    struct gw_registry_version left = {0};
    struct gw_registry_version right = {0};
    GW_TRY(gw_api_models_look(work, &model));
    GW_TRY(gw_registry_get_version(work->registry, model.name, input->version, &work->arena, &left, &work->err));
    GW_TRY(gw_registry_get_version(work->registry, model.name, input->right, &work->arena, &right, &work->err));
    gw_status status = gw_registry_write_comparison(&work->writer, &left, &right, &work->err);
    if (status == GW_E_MALFORMED) { // what is stored, not what was sent
        return gw_api_models_problem(work, GW_API_PROBLEM_INTERNAL, "", work->err.message);
    }
    return status;
}

void gw_api_handle_model_compare(struct gw_api_exchange *exchange)
{
    struct gw_api_models_input *input = gw_api_models_input_new(exchange, true, do_compare);
    if (input == NULL) {
        return;
    }
    const char *left = gw_http_request_query(exchange->request, "left");
    const char *right = gw_http_request_query(exchange->request, "right");
    if (left == NULL || right == NULL || !gw_api_parse_version(gw_slice_text(left), &input->version) ||
        !gw_api_parse_version(gw_slice_text(right), &input->right)) {
        gw_api_models_refuse(exchange, input, "'left' and 'right' take a version each: a number from 1, or 'latest'");
        return;
    }
    gw_api_models_submit(exchange, input);
}

// ---------------------------------------------------------------- history

static gw_status do_at(struct gw_api_models_work *work)
{
    struct gw_registry_model model = {0};
    struct gw_registry_event event = {0};
    GW_TRY(gw_api_models_look(work, &model));
    GW_TRY(gw_registry_at(work->registry, model.name, work->input->time_ms, &work->arena, &event, &work->err));
    gw_registry_write_event(&work->writer, &event);
    return GW_OK;
}

static gw_status do_history(struct gw_api_models_work *work)
{
    const struct gw_registry_event *events = NULL;
    size_t count = 0;
    struct gw_registry_model model = {0};
    GW_TRY(gw_api_models_look(work, &model));
    GW_TRY(gw_registry_history(work->registry, model.name, work->input->before, (size_t)work->input->limit,
                               &work->arena, &events, &count, &work->err));
    gw_json_object_begin(&work->writer);
    gw_json_write_key(&work->writer, "events");
    gw_json_array_begin(&work->writer);
    for (size_t i = 0; i < count; i++) {
        gw_registry_write_event(&work->writer, &events[i]);
    }
    gw_json_array_end(&work->writer);
    gw_json_object_end(&work->writer);
    return GW_OK;
}

void gw_api_handle_model_history(struct gw_api_exchange *exchange)
{
    struct gw_api_models_input *input = gw_api_models_input_new(exchange, true, do_history);
    if (input == NULL) {
        return;
    }
    const char *at = gw_http_request_query(exchange->request, "at");
    if (at != NULL) {
        input->act = do_at;
        if (!gw_api_parse_time(at, &input->time_ms)) {
            gw_api_models_refuse(exchange, input, "'at' takes RFC 3339, or milliseconds since 1970");
            return;
        }
        gw_api_models_submit(exchange, input);
        return;
    }
    if (take_page(exchange, input, INT64_MAX)) {
        gw_api_models_submit(exchange, input);
    }
}
