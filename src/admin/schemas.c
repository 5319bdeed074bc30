// SPDX-License-Identifier: MIT
#include "admin/schemas.h"

#include "admin/schemas_internal.h"

#include "base/json.h"
#include "base/mem.h"
#include "http/client.h"

#include <stdio.h>
#include <string.h>

#define TEXT_BYTES_MAX   (1u << 20)
#define CONTENT_TYPE     "application/vnd.schemaregistry.v1+json"
#define CODE_NO_SUBJECT  40401
#define CODE_NO_VERSION  40402
#define REASON_BYTES_MAX 200

struct gw_schemas {
    struct gw_http_client *http;
    struct gw_schemas_cache cache;
    struct gw_buf answer; // of the last request
};

gw_status gw_schemas_new(const struct gw_schemas_options *options, struct gw_schemas **ret_schemas, gw_err *err)
{
    struct gw_schemas *schemas = gw_mem_calloc(1, sizeof *schemas);
    if (schemas == NULL) {
        return gw_fail(err, GW_E_MEMORY, "schemas: out of memory");
    }
    const struct gw_http_client_options http = {.urls = options->urls,
                                                .user = options->user,
                                                .password = options->password,
                                                .ca_file = options->ca_file,
                                                .timeout_ms = options->timeout_ms};
    gw_status status = gw_http_client_new(&http, &schemas->http, err);
    if (status == GW_OK) {
        status = gw_schemas_cache_init(&schemas->cache, options->cache_directory, options->urls, err);
    }
    if (status != GW_OK) {
        gw_schemas_free(schemas);
        return gw_fail_context(err, status, "schema registry");
    }
    *ret_schemas = schemas;
    return GW_OK;
}

void gw_schemas_free(struct gw_schemas *schemas)
{
    if (schemas == NULL) {
        return;
    }
    gw_http_client_free(schemas->http);
    gw_schemas_cache_deinit(&schemas->cache);
    gw_buf_deinit(&schemas->answer);
    gw_mem_free(schemas);
}

const struct gw_schemas_cache *gw_schemas_cache_of(const struct gw_schemas *schemas)
{
    return &schemas->cache;
}

// ---- requests
// ----------------------------------------------------------------------------------------------------------

// Reads {"error_code": N, "message": "..."}; an answer of another form leaves the code 0 and shows its first bytes.
static int read_refusal(const struct gw_buf *answer, struct gw_buf *reason)
{
    struct gw_json json;
    gw_json_init(&json, gw_buf_slice(answer));
    int64_t code = 0;
    gw_status status = gw_json_enter(&json, GW_JSON_OBJECT, NULL);
    bool more = true;
    bool told = false;
    while (status == GW_OK && (status = gw_json_next(&json, &more, NULL)) == GW_OK && more) {
        struct gw_slice key;
        status = gw_json_key(&json, &key, NULL);
        if (status == GW_OK && gw_slice_is(key, "error_code")) {
            status = gw_json_i64(&json, &code, NULL);
        } else if (status == GW_OK && gw_slice_is(key, "message")) {
            status = gw_json_string(&json, reason, TEXT_BYTES_MAX, NULL);
            told = status == GW_OK;
        } else if (status == GW_OK) {
            status = gw_json_skip(&json, NULL);
        }
    }
    if (!told) {
        gw_buf_clear(reason);
        // Only for a message: without memory it is shorter.
        (void)!gw_buf_append(reason, answer->data, GW_MIN(answer->size, (size_t)REASON_BYTES_MAX));
    }
    return (int)code;
}

// Makes a request and takes 2xx for an answer. *ret_code: the registry's error code (or HTTP status) of a refusal.
static gw_status request(struct gw_schemas *schemas, const char *method, const char *path, struct gw_slice body,
                         int *ret_code, gw_err *err)
{
    const struct gw_http_call call = {.method = method, .path = path, .content_type = CONTENT_TYPE, .body = body};
    int http_code = 0;
    *ret_code = 0;
    gw_status status = gw_http_client_call(schemas->http, &call, &schemas->answer, &http_code, err);
    if (status != GW_OK) {
        return gw_fail_context(err, status, "schema registry");
    }
    if (http_code >= 200 && http_code < 300) {
        return GW_OK;
    }
    struct gw_buf reason = {0};
    int code = read_refusal(&schemas->answer, &reason);
    *ret_code = code != 0 ? code : http_code;
    // A registry in trouble is tried again; one that says no needs a person.
    status = http_code >= 500 || http_code == 429 ? GW_E_UNAVAILABLE : http_code == 404 ? GW_E_NOT_FOUND : GW_E_CONFIG;
    gw_fail(err, status, "schema registry: %s %s: HTTP %d: %.*s", method, path, http_code,
            (int)GW_MIN(reason.size, (size_t)REASON_BYTES_MAX), reason.data != NULL ? (const char *)reason.data : "");
    gw_buf_deinit(&reason);
    return status;
}

// Gives "/subjects/<subject><tail>" or another path with one escaped part, NUL-terminated.
static gw_status make_path(struct gw_buf *path, const char *head, const char *part, const char *tail, gw_err *err)
{
    gw_buf_clear(path);
    bool failed = gw_buf_append_text(path, head) != GW_OK || gw_http_escape(part, path) != GW_OK ||
                  gw_buf_append_text(path, tail) != GW_OK || gw_buf_append(path, "", 1) != GW_OK;
    return failed ? gw_fail(err, GW_E_MEMORY, "schema registry: out of memory") : GW_OK;
}

// What an answer object may carry; members that are not there keep their value.
struct answer {
    int64_t id;      // -1: absent
    bool has_text;   // "schema"
    bool compatible; // "is_compatible"
    bool avro;       // no "schemaType", or AVRO
};

static gw_status read_member(struct gw_json *json, struct gw_slice key, struct answer *answer, struct gw_buf *text,
                             gw_err *err)
{
    if (gw_slice_is(key, "id")) {
        return gw_json_i64(json, &answer->id, err);
    }
    if (gw_slice_is(key, "is_compatible")) {
        return gw_json_bool(json, &answer->compatible, err);
    }
    if (gw_slice_is(key, "schema") && text != NULL) {
        answer->has_text = true;
        return gw_json_string(json, text, TEXT_BYTES_MAX, err);
    }
    if (gw_slice_is(key, "schemaType")) {
        struct gw_slice type;
        GW_TRY(gw_json_raw(json, &type, err));
        answer->avro = gw_slice_is(type, "AVRO");
        return GW_OK;
    }
    return gw_json_skip(json, err);
}

static gw_status read_object(struct gw_schemas *schemas, struct answer *answer, struct gw_buf *text, gw_err *err)
{
    struct gw_json json;
    gw_json_init(&json, gw_buf_slice(&schemas->answer));
    *answer = (struct answer){.id = -1, .avro = true};
    GW_TRY(gw_json_enter(&json, GW_JSON_OBJECT, err));
    for (;;) {
        bool more = false;
        struct gw_slice key;
        GW_TRY(gw_json_next(&json, &more, err));
        if (!more) {
            return gw_json_end(&json, err);
        }
        GW_TRY(gw_json_key(&json, &key, err));
        GW_TRY(read_member(&json, key, answer, text, err));
    }
}

// What a registry answers in another form than its API says is a wrong URL or a broken server: no retry helps.
static gw_status not_its_api(gw_err *err)
{
    return gw_fail_context(err, GW_E_CONFIG, "schema registry: unexpected answer");
}

static gw_status schema_body(struct gw_slice text, struct gw_buf *body, gw_err *err)
{
    struct gw_json_writer writer;
    gw_json_writer_init(&writer, body);
    gw_json_object_begin(&writer);
    gw_json_write_key(&writer, "schema");
    gw_json_write_string(&writer, text);
    gw_json_object_end(&writer);
    return gw_json_writer_finish(&writer, err);
}

// Posts {"schema": text}.
static gw_status post_schema(struct gw_schemas *schemas, const char *head, const char *subject, const char *tail,
                             struct gw_slice text, int *ret_code, gw_err *err)
{
    struct gw_buf path = {0};
    struct gw_buf body = {0};
    *ret_code = 0;
    gw_status status = make_path(&path, head, subject, tail, err);
    if (status == GW_OK) {
        status = schema_body(text, &body, err);
    }
    if (status == GW_OK) {
        status = request(schemas, "POST", (const char *)path.data, gw_buf_slice(&body), ret_code, err);
    }
    gw_buf_deinit(&body);
    gw_buf_deinit(&path);
    return status;
}

gw_status gw_schemas_register(struct gw_schemas *schemas, const char *subject, struct gw_slice text, uint32_t *ret_id,
                              gw_err *err)
{
    int code = 0;
    struct answer answer;
    gw_status status = post_schema(schemas, "/subjects/", subject, "/versions", text, &code, err);
    if (status == GW_E_NOT_FOUND) { // registering makes the subject: so it is the URL that is wrong
        return gw_fail_context(err, GW_E_CONFIG, "subject '%s'", subject);
    }
    GW_TRY(status);
    status = read_object(schemas, &answer, NULL, err);
    if (status != GW_OK) {
        return not_its_api(err);
    }
    if (answer.id < 0 || answer.id > UINT32_MAX) {
        return gw_fail(err, GW_E_CONFIG, "schema registry: no id for subject '%s'", subject);
    }
    gw_schemas_cache_put_text(&schemas->cache, (uint32_t)answer.id, text);
    *ret_id = (uint32_t)answer.id;
    return GW_OK;
}

gw_status gw_schemas_compatible(struct gw_schemas *schemas, const char *subject, struct gw_slice text,
                                bool *ret_compatible, gw_err *err)
{
    int code = 0;
    struct answer answer;
    gw_status status = post_schema(schemas, "/compatibility/subjects/", subject, "/versions/latest", text, &code, err);
    if (status == GW_E_NOT_FOUND && (code == CODE_NO_SUBJECT || code == CODE_NO_VERSION)) {
        *ret_compatible = true;
        return GW_OK;
    }
    GW_TRY(status);
    if (read_object(schemas, &answer, NULL, err) != GW_OK) {
        return not_its_api(err);
    }
    *ret_compatible = answer.compatible;
    return GW_OK;
}

gw_status gw_schemas_text(struct gw_schemas *schemas, uint32_t id, struct gw_buf *out, gw_err *err)
{
    if (gw_schemas_cache_text(&schemas->cache, id, out)) {
        return GW_OK;
    }
    char path[64];
    int code = 0;
    struct answer answer;
    snprintf(path, sizeof path, "/schemas/ids/%u", id);
    gw_status status = request(schemas, "GET", path, (struct gw_slice){0}, &code, err);
    if (status == GW_E_NOT_FOUND) {
        return gw_fail(err, GW_E_UNKNOWN_SCHEMA, "schema %u is not registered", id);
    }
    GW_TRY(status);
    if (read_object(schemas, &answer, out, err) != GW_OK) {
        return not_its_api(err);
    }
    if (!answer.has_text || !answer.avro) {
        return gw_fail(err, GW_E_UNKNOWN_SCHEMA, "schema %u is not an Avro schema", id);
    }
    gw_schemas_cache_put_text(&schemas->cache, id, gw_buf_slice(out));
    return GW_OK;
}

// [1,2,5]: version numbers into `versions`.
static gw_status read_versions(struct gw_schemas *schemas, int64_t *versions, size_t capacity, size_t *ret_count,
                               gw_err *err)
{
    struct gw_json json;
    gw_json_init(&json, gw_buf_slice(&schemas->answer));
    GW_TRY(gw_json_enter(&json, GW_JSON_ARRAY, err));
    for (size_t count = 0;; count++) {
        bool more = false;
        GW_TRY(gw_json_next(&json, &more, err));
        if (!more) {
            *ret_count = count;
            return gw_json_end(&json, err);
        }
        if (count == capacity) {
            return gw_fail(err, GW_E_TOO_LARGE, "more than %zu versions", capacity);
        }
        GW_TRY(gw_json_i64(&json, &versions[count], err));
    }
}

// Asks for one version: its id, and keeps its text on disk.
static gw_status version_id(struct gw_schemas *schemas, const char *subject, int64_t version, uint32_t *ret_id,
                            gw_err *err)
{
    struct gw_buf path = {0};
    struct gw_buf text = {0};
    struct answer answer = {.id = -1};
    char tail[48];
    int code = 0;
    snprintf(tail, sizeof tail, "/versions/%lld", (long long)version);
    gw_status status = make_path(&path, "/subjects/", subject, tail, err);
    if (status == GW_OK) {
        status = request(schemas, "GET", (const char *)path.data, (struct gw_slice){0}, &code, err);
    }
    if (status == GW_OK &&
        (read_object(schemas, &answer, &text, err) != GW_OK || answer.id < 0 || answer.id > UINT32_MAX)) {
        status =
            gw_fail(err, GW_E_CONFIG, "schema registry: version %lld of '%s' has no id", (long long)version, subject);
    }
    if (status == GW_OK) {
        *ret_id = (uint32_t)answer.id;
        if (answer.has_text && answer.avro) {
            gw_schemas_cache_put_text(&schemas->cache, *ret_id, gw_buf_slice(&text));
        }
    }
    gw_buf_deinit(&text);
    gw_buf_deinit(&path);
    return status;
}

gw_status gw_schemas_versions(struct gw_schemas *schemas, const char *subject, uint32_t *ids, size_t capacity,
                              size_t *ret_count, gw_err *err)
{
    struct gw_buf path = {0};
    int code = 0;
    size_t count = 0;
    int64_t *versions GW_CLEANUP(gw_mem_cleanup) = gw_mem_calloc(capacity, sizeof *versions);
    if (versions == NULL) {
        return gw_fail(err, GW_E_MEMORY, "schema registry: out of memory");
    }
    gw_status status = make_path(&path, "/subjects/", subject, "/versions", err);
    if (status == GW_OK) {
        status = request(schemas, "GET", (const char *)path.data, (struct gw_slice){0}, &code, err);
    }
    gw_buf_deinit(&path);
    GW_TRY(status);
    status = read_versions(schemas, versions, capacity, &count, err);
    if (status != GW_OK) {
        return status == GW_E_TOO_LARGE ? gw_fail_context(err, status, "subject '%s'", subject) : not_its_api(err);
    }
    for (size_t i = 0; i < count; i++) {
        GW_TRY(version_id(schemas, subject, versions[i], &ids[i], err));
    }
    *ret_count = count;
    return GW_OK;
}
