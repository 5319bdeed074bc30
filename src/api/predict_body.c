// SPDX-License-Identifier: MIT
#include "api/predict_body.h"

#include "api/exchange.h"
#include "base/check.h"
#include "base/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

// X(suffix, key): members of the body, each at most once.
#define MEMBER_MAP(X)                                                                                                  \
    X(USER_ID, "userId")                                                                                               \
    X(CANDIDATES, "candidateTweets")                                                                                   \
    X(VALUE_NAMES, "valueNames")                                                                                       \
    X(CONTEXT, "context")                                                                                              \
    X(MODEL, "model")                                                                                                  \
    X(VERSION, "version")                                                                                              \
    X(TIMEOUT_MS, "timeoutMs")

enum member {
#define X(suffix, key) MEMBER_##suffix,
    MEMBER_MAP(X)
#undef X
        MEMBER_COUNT
};

static const char *const member_keys[MEMBER_COUNT] = {
#define X(suffix, key) [MEMBER_##suffix] = key,
    MEMBER_MAP(X)
#undef X
};

enum candidate_member { CANDIDATE_TWEET_ID, CANDIDATE_AUTHOR_ID, CANDIDATE_VALUES, CANDIDATE_MEMBER_COUNT };
static const char *const candidate_keys[CANDIDATE_MEMBER_COUNT] = {"tweetId", "authorId", "values"};

struct parser {
    struct gw_json json;
    gw_err json_err;
    const struct gw_api_predict_limits *limits;
    struct gw_api_predict_body *body;
    struct gw_api_body_error *error;
    uint32_t candidate_count;
    size_t value_width; // values of the first candidate; each other brings as many
};

// ---------------------------------------------------------------- refusals

GW_PRINTF(4, 5)
static gw_status refuse(struct parser *parser, enum gw_api_problem_kind kind, const char *pointer, const char *format,
                        ...)
{
    struct gw_api_body_error *error = parser->error;
    error->kind = kind;
    snprintf(error->pointer, sizeof error->pointer, "%s", pointer);
    va_list args;
    va_start(args, format);
    vsnprintf(error->detail, sizeof error->detail, format, args);
    va_end(args);
    return kind == GW_API_PROBLEM_MALFORMED_BODY ? GW_E_MALFORMED : GW_E_INVALID;
}

// What the JSON reader found: not JSON at all, or a value of the wrong kind at `pointer`.
static gw_status json_failed(struct parser *parser, gw_status status, const char *pointer)
{
    if (status == GW_E_MALFORMED) {
        return refuse(parser, GW_API_PROBLEM_MALFORMED_BODY, "", "%s", parser->json_err.message);
    }
    return refuse(parser, GW_API_PROBLEM_INVALID_FIELD, pointer, "%s", parser->json_err.message);
}

#define JSON_TRY(parser, expression, pointer)                                                                          \
    do {                                                                                                               \
        gw_status json_status = (expression);                                                                          \
        if (GW_UNLIKELY(json_status != GW_OK)) {                                                                       \
            return json_failed(parser, json_status, pointer);                                                          \
        }                                                                                                              \
    } while (0)

static gw_status out_of_memory(struct parser *parser)
{
    (void)refuse(parser, GW_API_PROBLEM_INTERNAL, "", "no memory for the request");
    return GW_E_MEMORY;
}

static gw_status append(struct parser *parser, struct gw_buf *to, const void *item, size_t size)
{
    return GW_LIKELY(gw_buf_append(to, item, size) == GW_OK) ? GW_OK : out_of_memory(parser);
}

// ---------------------------------------------------------------- values

// Writes the JSON pointer to a candidate, or to a member of it.
static void candidate_pointer(const struct parser *parser, const char *member, char *pointer, size_t size)
{
    snprintf(pointer, size, "/candidateTweets/%u%s%s", parser->candidate_count, member[0] != '\0' ? "/" : "", member);
}

static gw_status refuse_member(struct parser *parser, const char *const *keys, struct gw_slice key, const char *format)
{
    char name[65];
    char detail[128];
    char pointer[160];
    snprintf(name, sizeof name, "%.*s", (int)GW_MIN(key.size, sizeof name - 1), (const char *)key.data);
    snprintf(detail, sizeof detail, format, name);
    if (keys == candidate_keys) {
        candidate_pointer(parser, name, pointer, sizeof pointer);
    } else {
        snprintf(pointer, sizeof pointer, "/%s", name);
    }
    return refuse(parser, GW_API_PROBLEM_INVALID_FIELD, pointer, "%s", detail);
}

// Looks a key up and marks it as seen. An unknown or repeated one is refused.
static gw_status find_member(struct parser *parser, const char *const *keys, size_t count, struct gw_slice key,
                             uint32_t *seen, size_t *ret_member)
{
    for (size_t i = 0; i < count; i++) {
        if (!gw_slice_is(key, keys[i])) {
            continue;
        }
        if ((*seen & 1u << i) != 0) {
            return refuse_member(parser, keys, key, "'%s' is given twice");
        }
        *seen |= 1u << i;
        *ret_member = i;
        return GW_OK;
    }
    return refuse_member(parser, keys, key, "unknown field '%s'");
}

// A decimal int64 as a string or as an integer. The pointer is built by the caller only when this fails.
static gw_status read_id(struct gw_json *json, int64_t *ret_id, gw_err *err)
{
    enum gw_json_kind kind = GW_JSON_NULL;
    GW_TRY(gw_json_peek(json, &kind, err));
    if (kind == GW_JSON_NUMBER) {
        return gw_json_i64(json, ret_id, err);
    }
    if (kind != GW_JSON_STRING) {
        return gw_fail(err, GW_E_INVALID, "expected an id: a string of decimal digits or an integer");
    }
    struct gw_slice raw = {0};
    GW_TRY(gw_json_raw(json, &raw, err));
    if (!gw_api_parse_id(raw, ret_id)) {
        return gw_fail(err, GW_E_INVALID, "expected an id: a decimal 64-bit integer");
    }
    return GW_OK;
}

// A name between its quotes, without escapes.
static gw_status read_name(struct parser *parser, const char *pointer, struct gw_slice *ret_name)
{
    struct gw_slice name = {0};
    enum gw_json_kind kind = GW_JSON_NULL;
    JSON_TRY(parser, gw_json_peek(&parser->json, &kind, &parser->json_err), pointer);
    if (kind != GW_JSON_STRING) {
        return refuse(parser, GW_API_PROBLEM_INVALID_FIELD, pointer, "expected a name");
    }
    JSON_TRY(parser, gw_json_raw(&parser->json, &name, &parser->json_err), pointer);
    if (name.size == 0 || name.size > GW_API_NAME_BYTES_MAX || memchr(name.data, '\\', name.size) != NULL) {
        return refuse(parser, GW_API_PROBLEM_INVALID_REQUEST, pointer, "a name has 1 to %d bytes and no escapes",
                      GW_API_NAME_BYTES_MAX);
    }
    *ret_name = name;
    return GW_OK;
}

static bool has_name(const struct gw_buf *names, struct gw_slice name)
{
    const struct gw_slice *known = (const struct gw_slice *)(const void *)names->data;
    for (size_t i = 0; i < names->size / sizeof *known; i++) {
        if (gw_slice_equal(known[i], name)) {
            return true;
        }
    }
    return false;
}

static gw_status read_integer(struct parser *parser, const char *pointer, int64_t max, int64_t *ret_value)
{
    int64_t value = 0;
    JSON_TRY(parser, gw_json_i64(&parser->json, &value, &parser->json_err), pointer);
    if (value < 1 || value > max) {
        return refuse(parser, GW_API_PROBLEM_INVALID_REQUEST, pointer, "%lld is not between 1 and %lld",
                      (long long)value, (long long)max);
    }
    *ret_value = value;
    return GW_OK;
}

// ---------------------------------------------------------------- candidates

static gw_status candidate_json_failed(struct parser *parser, gw_status status, const char *member)
{
    char pointer[64];
    candidate_pointer(parser, member, pointer, sizeof pointer);
    return json_failed(parser, status, pointer);
}

#define CANDIDATE_TRY(parser, expression, member)                                                                      \
    do {                                                                                                               \
        gw_status json_status = (expression);                                                                          \
        if (GW_UNLIKELY(json_status != GW_OK)) {                                                                       \
            return candidate_json_failed(parser, json_status, member);                                                 \
        }                                                                                                              \
    } while (0)

static gw_status read_values(struct parser *parser, size_t *ret_count)
{
    struct gw_json *json = &parser->json;
    gw_err *err = &parser->json_err;
    size_t count = 0;
    bool more = false;

    CANDIDATE_TRY(parser, gw_json_enter(json, GW_JSON_ARRAY, err), "values");
    for (;;) {
        CANDIDATE_TRY(parser, gw_json_next(json, &more, err), "values");
        if (!more) {
            break;
        }
        if (count == parser->limits->value_names_max) {
            char pointer[64];
            candidate_pointer(parser, "values", pointer, sizeof pointer);
            return refuse(parser, GW_API_PROBLEM_INVALID_REQUEST, pointer, "more than %u values",
                          parser->limits->value_names_max);
        }
        float value = NAN;
        enum gw_json_kind kind = GW_JSON_NULL;
        CANDIDATE_TRY(parser, gw_json_peek(json, &kind, err), "values");
        if (kind == GW_JSON_NULL) {
            CANDIDATE_TRY(parser, gw_json_null(json, err), "values");
        } else {
            CANDIDATE_TRY(parser, gw_json_float(json, &value, err), "values");
        }
        GW_TRY(append(parser, &parser->body->values, &value, sizeof value));
        count++;
    }
    *ret_count = count;
    return GW_OK;
}

static gw_status read_candidate_object(struct parser *parser, struct gw_api_candidate *ret_candidate,
                                       size_t *ret_value_count)
{
    struct gw_json *json = &parser->json;
    gw_err *err = &parser->json_err;
    uint32_t seen = 0;

    CANDIDATE_TRY(parser, gw_json_enter(json, GW_JSON_OBJECT, err), "");
    for (;;) {
        bool more = false;
        struct gw_slice key = {0};
        size_t member = 0;
        CANDIDATE_TRY(parser, gw_json_next(json, &more, err), "");
        if (!more) {
            break;
        }
        CANDIDATE_TRY(parser, gw_json_key(json, &key, err), "");
        GW_TRY(find_member(parser, candidate_keys, CANDIDATE_MEMBER_COUNT, key, &seen, &member));
        switch ((enum candidate_member)member) {
        case CANDIDATE_TWEET_ID:
            CANDIDATE_TRY(parser, read_id(json, &ret_candidate->tweet_id, err), "tweetId");
            break;
        case CANDIDATE_AUTHOR_ID:
            CANDIDATE_TRY(parser, read_id(json, &ret_candidate->author_id, err), "authorId");
            break;
        case CANDIDATE_VALUES:
            GW_TRY(read_values(parser, ret_value_count));
            break;
        case CANDIDATE_MEMBER_COUNT:
            break;
        }
    }
    if ((seen & 1u << CANDIDATE_TWEET_ID) == 0) {
        char pointer[64];
        candidate_pointer(parser, "tweetId", pointer, sizeof pointer);
        return refuse(parser, GW_API_PROBLEM_INVALID_FIELD, pointer, "'tweetId' is missing");
    }
    return GW_OK;
}

static gw_status read_candidate(struct parser *parser)
{
    struct gw_api_candidate candidate = {0};
    size_t value_count = 0;
    enum gw_json_kind kind = GW_JSON_NULL;
    CANDIDATE_TRY(parser, gw_json_peek(&parser->json, &kind, &parser->json_err), "");
    if (kind == GW_JSON_OBJECT) {
        GW_TRY(read_candidate_object(parser, &candidate, &value_count));
    } else {
        CANDIDATE_TRY(parser, read_id(&parser->json, &candidate.tweet_id, &parser->json_err), "");
    }
    if (parser->candidate_count == 0) {
        parser->value_width = value_count;
    } else if (value_count != parser->value_width) {
        char pointer[64];
        candidate_pointer(parser, "values", pointer, sizeof pointer);
        return refuse(parser, GW_API_PROBLEM_INVALID_REQUEST, pointer, "%zu values, but the first candidate has %zu",
                      value_count, parser->value_width);
    }
    GW_TRY(append(parser, &parser->body->candidates, &candidate, sizeof candidate));
    parser->candidate_count++;
    return GW_OK;
}

static gw_status read_candidates(struct parser *parser)
{
    static const char pointer[] = "/candidateTweets";
    JSON_TRY(parser, gw_json_enter(&parser->json, GW_JSON_ARRAY, &parser->json_err), pointer);
    for (;;) {
        bool more = false;
        JSON_TRY(parser, gw_json_next(&parser->json, &more, &parser->json_err), pointer);
        if (!more) {
            break;
        }
        if (parser->candidate_count == parser->limits->candidates_max) {
            return refuse(parser, GW_API_PROBLEM_TOO_MANY_CANDIDATES, pointer, "more than %u candidates",
                          parser->limits->candidates_max);
        }
        GW_TRY(read_candidate(parser));
    }
    if (parser->candidate_count == 0) {
        return refuse(parser, GW_API_PROBLEM_NO_CANDIDATES, pointer, "the list is empty");
    }
    return GW_OK;
}

// ---------------------------------------------------------------- the other members

static gw_status read_value_names(struct parser *parser)
{
    struct gw_buf *names = &parser->body->value_names;
    uint32_t count = 0;
    JSON_TRY(parser, gw_json_enter(&parser->json, GW_JSON_ARRAY, &parser->json_err), "/valueNames");
    for (;;) {
        bool more = false;
        JSON_TRY(parser, gw_json_next(&parser->json, &more, &parser->json_err), "/valueNames");
        if (!more) {
            break;
        }
        char pointer[64];
        snprintf(pointer, sizeof pointer, "/valueNames/%u", count);
        if (count == parser->limits->value_names_max) {
            return refuse(parser, GW_API_PROBLEM_INVALID_REQUEST, pointer, "more than %u names",
                          parser->limits->value_names_max);
        }
        struct gw_slice name = {0};
        GW_TRY(read_name(parser, pointer, &name));
        if (has_name(names, name)) {
            return refuse(parser, GW_API_PROBLEM_INVALID_REQUEST, pointer, "'%.*s' is given twice", (int)name.size,
                          (const char *)name.data);
        }
        GW_TRY(append(parser, names, &name, sizeof name));
        count++;
    }
    parser->body->predict.value_name_count = count;
    return GW_OK;
}

static gw_status read_context(struct parser *parser)
{
    struct gw_api_predict_body *body = parser->body;
    uint32_t count = 0;
    JSON_TRY(parser, gw_json_enter(&parser->json, GW_JSON_OBJECT, &parser->json_err), "/context");
    for (;;) {
        bool more = false;
        struct gw_slice key = {0};
        double value = 0;
        JSON_TRY(parser, gw_json_next(&parser->json, &more, &parser->json_err), "/context");
        if (!more) {
            break;
        }
        JSON_TRY(parser, gw_json_key(&parser->json, &key, &parser->json_err), "/context");
        char pointer[160];
        snprintf(pointer, sizeof pointer, "/context/%.*s", (int)GW_MIN(key.size, 64), (const char *)key.data);
        if (key.size == 0 || key.size > GW_API_NAME_BYTES_MAX) {
            return refuse(parser, GW_API_PROBLEM_INVALID_REQUEST, pointer, "a name has 1 to %d bytes",
                          GW_API_NAME_BYTES_MAX);
        }
        if (has_name(&body->context_names, key)) {
            return refuse(parser, GW_API_PROBLEM_INVALID_FIELD, pointer, "the name is given twice");
        }
        if (count == parser->limits->context_max) {
            return refuse(parser, GW_API_PROBLEM_INVALID_REQUEST, "/context", "more than %u values",
                          parser->limits->context_max);
        }
        JSON_TRY(parser, gw_json_double(&parser->json, &value, &parser->json_err), pointer);
        GW_TRY(append(parser, &body->context_names, &key, sizeof key));
        GW_TRY(append(parser, &body->context_values, &value, sizeof value));
        count++;
    }
    body->predict.context_count = count;
    return GW_OK;
}

static gw_status read_member(struct parser *parser, enum member member)
{
    struct gw_api_predict *predict = &parser->body->predict;
    int64_t number = 0;
    switch (member) {
    case MEMBER_USER_ID:
        JSON_TRY(parser, read_id(&parser->json, &predict->user_id, &parser->json_err), "/userId");
        return GW_OK;
    case MEMBER_CANDIDATES:
        return read_candidates(parser);
    case MEMBER_VALUE_NAMES:
        return read_value_names(parser);
    case MEMBER_CONTEXT:
        return read_context(parser);
    case MEMBER_MODEL:
        return read_name(parser, "/model", &predict->model);
    case MEMBER_VERSION:
        GW_TRY(read_integer(parser, "/version", INT32_MAX, &number));
        predict->version = (int32_t)number;
        return GW_OK;
    case MEMBER_TIMEOUT_MS:
        GW_TRY(read_integer(parser, "/timeoutMs", parser->limits->timeout_ms_max, &number));
        predict->timeout_ms = (uint32_t)number;
        return GW_OK;
    case MEMBER_COUNT:
        break;
    }
    GW_ASSERT(false);
    return GW_E_INTERNAL;
}

static gw_status check_whole(struct parser *parser, uint32_t seen)
{
    const enum member needed[] = {MEMBER_USER_ID, MEMBER_CANDIDATES};
    for (size_t i = 0; i < GW_COUNT_OF(needed); i++) {
        if ((seen & 1u << needed[i]) == 0) {
            char pointer[64];
            snprintf(pointer, sizeof pointer, "/%s", member_keys[needed[i]]);
            return refuse(parser, GW_API_PROBLEM_INVALID_FIELD, pointer, "'%s' is missing", member_keys[needed[i]]);
        }
    }
    if (parser->value_width != parser->body->predict.value_name_count) {
        return refuse(parser, GW_API_PROBLEM_INVALID_REQUEST, "/valueNames", "%u names, but candidates have %zu values",
                      parser->body->predict.value_name_count, parser->value_width);
    }
    return GW_OK;
}

static gw_status parse_object(struct parser *parser)
{
    uint32_t seen = 0;
    JSON_TRY(parser, gw_json_enter(&parser->json, GW_JSON_OBJECT, &parser->json_err), "");
    for (;;) {
        bool more = false;
        struct gw_slice key = {0};
        size_t member = 0;
        JSON_TRY(parser, gw_json_next(&parser->json, &more, &parser->json_err), "");
        if (!more) {
            break;
        }
        JSON_TRY(parser, gw_json_key(&parser->json, &key, &parser->json_err), "");
        GW_TRY(find_member(parser, member_keys, MEMBER_COUNT, key, &seen, &member));
        GW_TRY(read_member(parser, (enum member)member));
    }
    JSON_TRY(parser, gw_json_end(&parser->json, &parser->json_err), "");
    return check_whole(parser, seen);
}

// ---------------------------------------------------------------- public

void gw_api_predict_body_deinit(struct gw_api_predict_body *body)
{
    gw_buf_deinit(&body->context_values);
    gw_buf_deinit(&body->context_names);
    gw_buf_deinit(&body->values);
    gw_buf_deinit(&body->value_names);
    gw_buf_deinit(&body->candidates);
}

static void clear(struct gw_api_predict_body *body)
{
    body->predict = (struct gw_api_predict){0};
    gw_buf_clear(&body->candidates);
    gw_buf_clear(&body->value_names);
    gw_buf_clear(&body->values);
    gw_buf_clear(&body->context_names);
    gw_buf_clear(&body->context_values);
}

gw_status gw_api_predict_body_parse(struct gw_slice text, const struct gw_api_predict_limits *limits,
                                    struct gw_api_predict_body *body, struct gw_api_body_error *ret_error)
{
    struct parser parser = {.limits = limits, .body = body, .error = ret_error};
    clear(body);
    gw_json_init(&parser.json, text);
    GW_TRY(parse_object(&parser));

    struct gw_api_predict *predict = &body->predict;
    if (predict->timeout_ms == 0) {
        predict->timeout_ms = limits->timeout_ms_default;
    }
    predict->candidates = (const struct gw_api_candidate *)(const void *)body->candidates.data;
    predict->candidate_count = parser.candidate_count;
    predict->value_names = (const struct gw_slice *)(const void *)body->value_names.data;
    predict->values = (const float *)(const void *)body->values.data;
    predict->context_names = (const struct gw_slice *)(const void *)body->context_names.data;
    predict->context_values = (const double *)(const void *)body->context_values.data;
    return GW_OK;
}
