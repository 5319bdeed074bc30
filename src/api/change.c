// SPDX-License-Identifier: MIT
#include "api/change.h"

#include "base/check.h"
#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

// ---------------------------------------------------------------- headers

static bool parse_digits(const char *text, size_t length, int64_t *ret_value)
{
    int64_t value = 0;
    if (length == 0 || length > 18 || (text[0] == '0' && length > 1)) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        value = value * 10 + (text[i] - '0');
    }
    *ret_value = value;
    return true;
}

// Behind an entity tag, NULL: there is none. Strong tags that name a revision are added; others match no model, for
// If-Match compares strongly (RFC 9110, 13.1.1).
static const char *take_tag(const char *at, struct gw_api_revisions *revisions)
{
    bool weak = strncmp(at, "W/", 2) == 0;
    const char *tag = weak ? at + 2 : at;
    const char *end = tag[0] == '"' ? strchr(tag + 1, '"') : NULL;
    int64_t revision = 0;
    if (end == NULL) {
        return NULL;
    }
    for (at = tag + 1; at < end; at++) {
        if ((unsigned char)*at <= 0x20 || *at == 0x7f) {
            return NULL;
        }
    }
    if (!weak && parse_digits(tag + 1, (size_t)(end - tag) - 1, &revision) && revision != 0) {
        if (revisions->count == GW_API_REVISIONS_MAX) {
            return NULL;
        }
        revisions->revision[revisions->count++] = revision;
    }
    return end + 1;
}

enum gw_api_condition gw_api_parse_if_match(const char *value, struct gw_api_revisions *ret_revisions)
{
    *ret_revisions = (struct gw_api_revisions){.count = 0};
    if (value == NULL) {
        return GW_API_IF_NOTHING;
    }
    if (strcmp(value, "*") == 0) {
        return GW_API_IF_EXISTS;
    }
    bool any = false;
    for (const char *at = value; *at != '\0';) {
        at += strspn(at, " \t");
        if (*at != ',' && *at != '\0') { // a list may have empty members (RFC 9110, 5.6.1.2)
            at = take_tag(at, ret_revisions);
            if (at == NULL) {
                return GW_API_IF_MALFORMED;
            }
            any = true;
            at += strspn(at, " \t");
        }
        if (*at != ',' && *at != '\0') {
            return GW_API_IF_MALFORMED;
        }
        at += *at == ',' ? 1 : 0;
    }
    if (!any) {
        return GW_API_IF_MALFORMED;
    }
    return ret_revisions->count > 0 ? GW_API_IF_REVISION : GW_API_IF_NEVER;
}

void gw_api_revision_etag(int64_t revision, char ret_etag[GW_API_ETAG_BYTES])
{
    snprintf(ret_etag, GW_API_ETAG_BYTES, "\"%" PRId64 "\"", revision);
}

bool gw_api_parse_idempotency_key(const char *value, char ret_key[GW_API_KEY_BYTES])
{
    size_t length = strlen(value);
    if (length >= 2 && value[0] == '"' && value[length - 1] == '"') {
        value++;
        length -= 2;
    }
    if (length == 0 || length >= GW_API_KEY_BYTES) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (value[i] <= 0x20 || value[i] >= 0x7f || value[i] == '"' || value[i] == '\\') {
            return false;
        }
    }
    memcpy(ret_key, value, length);
    ret_key[length] = '\0';
    return true;
}

bool gw_api_parse_version(struct gw_slice text, int32_t *ret_version)
{
    int64_t value = 0;
    if (gw_slice_is(text, "latest")) {
        *ret_version = 0;
        return true;
    }
    if (!parse_digits((const char *)text.data, text.size, &value) || value < 1 || value > INT32_MAX) {
        return false;
    }
    *ret_version = (int32_t)value;
    return true;
}

bool gw_api_parse_count(const char *text, int64_t max, int64_t *ret_count)
{
    int64_t value = 0;
    if (!parse_digits(text, strlen(text), &value) || value < 1 || value > max) {
        return false;
    }
    *ret_count = value;
    return true;
}

// "+hh:mm", "-hh:mm" or "Z" as minutes. A '+' that the caller did not escape arrives as a blank.
static bool parse_offset(const char *text, int *ret_minutes)
{
    int hours = 0;
    int minutes = 0;
    if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0) {
        *ret_minutes = 0;
        return true;
    }
    bool shaped = strlen(text) == 6 && (text[0] == '+' || text[0] == '-' || text[0] == ' ') && text[3] == ':' &&
                  strspn(text + 1, "0123456789") == 2 && strspn(text + 4, "0123456789") == 2;
    if (!shaped || sscanf(text + 1, "%2d:%2d", &hours, &minutes) != 2 || hours > 23 || minutes > 59) {
        return false;
    }
    *ret_minutes = (text[0] == '-' ? -1 : 1) * (hours * 60 + minutes);
    return true;
}

bool gw_api_parse_time(const char *text, int64_t *ret_time_ms)
{
    enum { SHAPE_LENGTH = 19 };
    static const char shape[] = "dddd-dd-ddTdd:dd:dd";
    struct tm parts = {0};
    int64_t time_ms = 0;
    if (text[strspn(text, "0123456789")] == '\0') {
        if (!parse_digits(text, strlen(text), &time_ms) || time_ms > GW_API_TIME_MAX_MS) {
            return false;
        }
        *ret_time_ms = time_ms;
        return true;
    }
    for (size_t i = 0; i < SHAPE_LENGTH; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        bool separator = text[i] == shape[i] || (shape[i] == 'T' && text[i] == 't');
        if (shape[i] == 'd' ? !digit : !separator) {
            return false; // at the text's end too
        }
    }
    (void)sscanf(text, "%4d-%2d-%2d", &parts.tm_year, &parts.tm_mon, &parts.tm_mday);
    (void)sscanf(text + 11, "%2d:%2d:%2d", &parts.tm_hour, &parts.tm_min, &parts.tm_sec);
    int64_t fraction_ms = 0;
    const char *rest = text + SHAPE_LENGTH;
    if (*rest == '.') {
        size_t digits = strspn(rest + 1, "0123456789");
        if (digits == 0) {
            return false;
        }
        for (size_t i = 0; i < 3; i++) {
            fraction_ms = fraction_ms * 10 + (i < digits ? rest[1 + i] - '0' : 0);
        }
        rest += 1 + digits;
    }
    int offset_minutes = 0;
    struct tm given = parts;
    given.tm_year -= 1900;
    given.tm_mon -= 1;
    struct tm normal = given;
    if (parts.tm_sec > 59 || !parse_offset(rest, &offset_minutes)) {
        return false;
    }
    time_t seconds = timegm(&normal);
    // timegm makes the 31st of April the 1st of May; such a date is not one.
    if (normal.tm_year != given.tm_year || normal.tm_mon != given.tm_mon || normal.tm_mday != given.tm_mday ||
        normal.tm_hour != given.tm_hour || normal.tm_min != given.tm_min) {
        return false;
    }
    time_ms = ((int64_t)seconds - (int64_t)offset_minutes * 60) * 1000 + fraction_ms;
    if (time_ms < 0 || time_ms > GW_API_TIME_MAX_MS) {
        return false;
    }
    *ret_time_ms = time_ms;
    return true;
}

// ---------------------------------------------------------------- bodies

// X(suffix, key)
#define MEMBER_MAP(X)                                                                                                  \
    X(ACTOR, "actor")                                                                                                  \
    X(REASON, "reason")                                                                                                \
    X(NAME, "name")                                                                                                    \
    X(MODEL, "model")                                                                                                  \
    X(DESCRIPTION, "description")                                                                                      \
    X(BASELINE, "baseline")                                                                                            \
    X(VERSION, "version")                                                                                              \
    X(SHARES, "shares")

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

#define BIT(member) (1u << MEMBER_##member)

static const struct {
    uint32_t allowed;
    uint32_t needed;
} members_of[] = {
    [GW_API_CHANGE_CREATE] = {BIT(ACTOR) | BIT(REASON) | BIT(NAME) | BIT(DESCRIPTION) | BIT(BASELINE), BIT(NAME)},
    [GW_API_CHANGE_RETRAIN] = {BIT(ACTOR) | BIT(REASON) | BIT(MODEL), BIT(MODEL)},
    [GW_API_CHANGE_ROLLBACK] = {BIT(ACTOR) | BIT(REASON) | BIT(VERSION), 0},
    [GW_API_CHANGE_SPLIT] = {BIT(ACTOR) | BIT(REASON) | BIT(SHARES), BIT(SHARES)},
    [GW_API_CHANGE_PLAIN] = {BIT(ACTOR) | BIT(REASON), 0},
};

enum share_member { SHARE_VERSION, SHARE_WEIGHT, SHARE_VARIANT, SHARE_MEMBER_COUNT };
static const char *const share_keys[SHARE_MEMBER_COUNT] = {"version", "weight", "variant"};

struct parser {
    struct gw_json json;
    gw_err err;
    struct gw_api_change_body *body;
    struct gw_api_body_error *error;
    struct gw_buf scratch;
};

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

static gw_status json_failed(struct parser *parser, gw_status status, const char *pointer)
{
    switch (status) {
    case GW_E_MALFORMED:
        return refuse(parser, GW_API_PROBLEM_MALFORMED_BODY, "", "%s", parser->err.message);
    case GW_E_TOO_LARGE:
        return refuse(parser, GW_API_PROBLEM_INVALID_REQUEST, pointer, "%s", parser->err.message);
    case GW_E_MEMORY:
        (void)refuse(parser, GW_API_PROBLEM_INTERNAL, "", "no memory for the request");
        return status;
    default:
        return refuse(parser, GW_API_PROBLEM_INVALID_FIELD, pointer, "%s", parser->err.message);
    }
}

#define JSON_TRY(parser, expression, pointer)                                                                          \
    do {                                                                                                               \
        gw_status json_status = (expression);                                                                          \
        if (json_status != GW_OK) {                                                                                    \
            return json_failed(parser, json_status, pointer);                                                          \
        }                                                                                                              \
    } while (0)

static gw_status read_text(struct parser *parser, const char *pointer, char *to, size_t size)
{
    JSON_TRY(parser, gw_json_string(&parser->json, &parser->scratch, size - 1, &parser->err), pointer);
    memcpy(to, parser->scratch.data, parser->scratch.size);
    to[parser->scratch.size] = '\0';
    return GW_OK;
}

static gw_status read_version(struct parser *parser, const char *pointer, int32_t *ret_version)
{
    int64_t version = 0;
    JSON_TRY(parser, gw_json_i64(&parser->json, &version, &parser->err), pointer);
    if (version < 1 || version > INT32_MAX) {
        return refuse(parser, GW_API_PROBLEM_INVALID_REQUEST, pointer, "versions count from 1");
    }
    *ret_version = (int32_t)version;
    return GW_OK;
}

// Finds a key among `count` and marks it as seen.
static gw_status find_member(struct parser *parser, const char *const *keys, uint32_t allowed, size_t count,
                             const char *parent, struct gw_slice key, uint32_t *seen, size_t *ret_member)
{
    char pointer[160];
    int shown = (int)GW_MIN(key.size, (size_t)64);
    snprintf(pointer, sizeof pointer, "%s/%.*s", parent, shown, (const char *)key.data);
    for (size_t i = 0; i < count; i++) {
        if ((allowed & 1u << i) == 0 || !gw_slice_is(key, keys[i])) {
            continue;
        }
        if ((*seen & 1u << i) != 0) {
            return refuse(parser, GW_API_PROBLEM_INVALID_FIELD, pointer, "'%s' is given twice", keys[i]);
        }
        *seen |= 1u << i;
        *ret_member = i;
        return GW_OK;
    }
    return refuse(parser, GW_API_PROBLEM_INVALID_FIELD, pointer, "unknown field '%.*s'", shown, (const char *)key.data);
}

// A share of 1 with at most four decimals, as buckets.
static gw_status read_weight(struct parser *parser, const char *pointer, uint32_t *ret_weight)
{
    double share = 0;
    JSON_TRY(parser, gw_json_double(&parser->json, &share, &parser->err), pointer);
    double buckets = share * GW_ROUTE_BUCKETS;
    if (!(share > 0 && share < 1) || fabs(buckets - round(buckets)) > 1e-6) {
        return refuse(parser, GW_API_PROBLEM_INVALID_REQUEST, pointer,
                      "a weight is a share of 1, above 0 and below 1, with at most 4 decimals");
    }
    *ret_weight = (uint32_t)lround(buckets);
    return GW_OK;
}

static gw_status read_share(struct parser *parser, uint32_t index)
{
    struct gw_registry_share *share = &parser->body->shares[index];
    char parent[32];
    char pointer[64];
    uint32_t seen = 0;
    snprintf(parent, sizeof parent, "/shares/%u", index);
    JSON_TRY(parser, gw_json_enter(&parser->json, GW_JSON_OBJECT, &parser->err), parent);
    for (;;) {
        bool more = false;
        struct gw_slice key = {0};
        size_t member = 0;
        JSON_TRY(parser, gw_json_next(&parser->json, &more, &parser->err), parent);
        if (!more) {
            break;
        }
        JSON_TRY(parser, gw_json_key(&parser->json, &key, &parser->err), parent);
        GW_TRY(find_member(parser, share_keys, UINT32_MAX, SHARE_MEMBER_COUNT, parent, key, &seen, &member));
        snprintf(pointer, sizeof pointer, "%s/%s", parent, share_keys[member]);
        switch ((enum share_member)member) {
        case SHARE_VERSION:
            GW_TRY(read_version(parser, pointer, &share->version));
            break;
        case SHARE_WEIGHT:
            GW_TRY(read_weight(parser, pointer, &share->weight));
            break;
        case SHARE_VARIANT:
            GW_TRY(read_text(parser, pointer, parser->body->variants[index], GW_ROUTE_VARIANT_BYTES));
            share->variant = parser->body->variants[index];
            break;
        case SHARE_MEMBER_COUNT:
            break;
        }
    }
    for (size_t i = SHARE_VERSION; i <= SHARE_WEIGHT; i++) {
        if ((seen & 1u << i) == 0) {
            snprintf(pointer, sizeof pointer, "%s/%s", parent, share_keys[i]);
            return refuse(parser, GW_API_PROBLEM_INVALID_FIELD, pointer, "'%s' is missing", share_keys[i]);
        }
    }
    return GW_OK;
}

static gw_status read_shares(struct parser *parser)
{
    uint32_t count = 0;
    JSON_TRY(parser, gw_json_enter(&parser->json, GW_JSON_ARRAY, &parser->err), "/shares");
    for (;;) {
        bool more = false;
        JSON_TRY(parser, gw_json_next(&parser->json, &more, &parser->err), "/shares");
        if (!more) {
            break;
        }
        if (count == GW_API_SHARES_MAX) {
            return refuse(parser, GW_API_PROBLEM_INVALID_REQUEST, "/shares", "more than %d shares", GW_API_SHARES_MAX);
        }
        GW_TRY(read_share(parser, count));
        count++;
    }
    parser->body->share_count = count;
    return GW_OK;
}

static gw_status read_member(struct parser *parser, enum member member)
{
    struct gw_api_change_body *body = parser->body;
    switch (member) {
    case MEMBER_ACTOR:
        return read_text(parser, "/actor", body->actor, sizeof body->actor);
    case MEMBER_REASON:
        return read_text(parser, "/reason", body->reason, sizeof body->reason);
    case MEMBER_NAME:
        return read_text(parser, "/name", body->name, sizeof body->name);
    case MEMBER_MODEL:
        return read_text(parser, "/model", body->name, sizeof body->name);
    case MEMBER_DESCRIPTION:
        return read_text(parser, "/description", body->description, sizeof body->description);
    case MEMBER_BASELINE:
        JSON_TRY(parser, gw_json_bool(&parser->json, &body->baseline, &parser->err), "/baseline");
        return GW_OK;
    case MEMBER_VERSION:
        return read_version(parser, "/version", &body->version);
    case MEMBER_SHARES:
        return read_shares(parser);
    case MEMBER_COUNT:
        break;
    }
    GW_ASSERT(false);
    return GW_E_INTERNAL;
}

static gw_status check_needed(struct parser *parser, uint32_t missing)
{
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        if ((missing & 1u << i) != 0) {
            char pointer[32];
            snprintf(pointer, sizeof pointer, "/%s", member_keys[i]);
            return refuse(parser, GW_API_PROBLEM_INVALID_FIELD, pointer, "'%s' is missing", member_keys[i]);
        }
    }
    return GW_OK;
}

static gw_status parse_object(struct parser *parser, enum gw_api_change_kind kind, uint32_t *seen)
{
    JSON_TRY(parser, gw_json_enter(&parser->json, GW_JSON_OBJECT, &parser->err), "");
    for (;;) {
        bool more = false;
        struct gw_slice key = {0};
        size_t member = 0;
        JSON_TRY(parser, gw_json_next(&parser->json, &more, &parser->err), "");
        if (!more) {
            break;
        }
        JSON_TRY(parser, gw_json_key(&parser->json, &key, &parser->err), "");
        GW_TRY(find_member(parser, member_keys, members_of[kind].allowed, MEMBER_COUNT, "", key, seen, &member));
        GW_TRY(read_member(parser, (enum member)member));
    }
    JSON_TRY(parser, gw_json_end(&parser->json, &parser->err), "");
    return GW_OK;
}

gw_status gw_api_change_body_parse(struct gw_slice text, enum gw_api_change_kind kind, struct gw_api_change_body *body,
                                   struct gw_api_body_error *ret_error)
{
    struct parser parser = {.body = body, .error = ret_error};
    uint32_t seen = 0;
    gw_status status = GW_OK;
    *body = (struct gw_api_change_body){.baseline = true};
    gw_json_init(&parser.json, text);
    if (text.size > 0) {
        status = parse_object(&parser, kind, &seen);
    }
    gw_buf_deinit(&parser.scratch);
    GW_TRY(status);
    return check_needed(&parser, members_of[kind].needed & ~seen);
}
