// SPDX-License-Identifier: MIT
// The reader. json_write.c has the writer.
#include "base/json.h"

#include "base/check.h"
#include "base/number.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>

// Of the bytes in `stack`, one for each open container.
enum { LEVEL_OBJECT = 1, LEVEL_COMMA_DUE = 2 };

static const char *const kind_names[] = {
    [GW_JSON_NULL] = "null",     [GW_JSON_BOOL] = "bool",   [GW_JSON_NUMBER] = "number",
    [GW_JSON_STRING] = "string", [GW_JSON_ARRAY] = "array", [GW_JSON_OBJECT] = "object",
};

void gw_json_init(struct gw_json *json, struct gw_slice text)
{
    *json = (struct gw_json){.data = text.data, .size = text.size};
}

static void skip_space(struct gw_json *json)
{
    while (json->at < json->size) {
        uint8_t c = json->data[json->at];
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t') {
            return;
        }
        json->at++;
    }
}

static gw_status unexpected(const struct gw_json *json, const char *expected, gw_err *err)
{
    if (json->at >= json->size) {
        return gw_fail(err, GW_E_MALFORMED, "json byte %zu: expected %s, found the end", json->at, expected);
    }
    uint8_t c = json->data[json->at];
    if (c >= 0x21 && c < 0x7f) {
        return gw_fail(err, GW_E_MALFORMED, "json byte %zu: expected %s, found '%c'", json->at, expected, c);
    }
    return gw_fail(err, GW_E_MALFORMED, "json byte %zu: expected %s, found byte 0x%02x", json->at, expected, c);
}

gw_status gw_json_peek(struct gw_json *json, enum gw_json_kind *ret_kind, gw_err *err)
{
    skip_space(json);
    if (json->at >= json->size) {
        return unexpected(json, "a value", err);
    }
    switch (json->data[json->at]) {
    case '{':
        *ret_kind = GW_JSON_OBJECT;
        return GW_OK;
    case '[':
        *ret_kind = GW_JSON_ARRAY;
        return GW_OK;
    case '"':
        *ret_kind = GW_JSON_STRING;
        return GW_OK;
    case 't':
    case 'f':
        *ret_kind = GW_JSON_BOOL;
        return GW_OK;
    case 'n':
        *ret_kind = GW_JSON_NULL;
        return GW_OK;
    case 'N':
    case 'I':
        if (json->lenient_numbers) {
            *ret_kind = GW_JSON_NUMBER;
            return GW_OK;
        }
        return unexpected(json, "a value", err);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        *ret_kind = GW_JSON_NUMBER;
        return GW_OK;
    default:
        return unexpected(json, "a value", err);
    }
}

static gw_status expect_kind(struct gw_json *json, enum gw_json_kind kind, gw_err *err)
{
    enum gw_json_kind found = GW_JSON_NULL;
    GW_TRY(gw_json_peek(json, &found, err));
    if (found != kind) {
        return gw_fail(err, GW_E_INVALID, "json byte %zu: expected %s, found %s", json->at, kind_names[kind],
                       kind_names[found]);
    }
    return GW_OK;
}

gw_status gw_json_enter(struct gw_json *json, enum gw_json_kind kind, gw_err *err)
{
    GW_ASSERT(kind == GW_JSON_ARRAY || kind == GW_JSON_OBJECT);
    GW_TRY(expect_kind(json, kind, err));
    if (json->depth >= GW_JSON_DEPTH_MAX) {
        return gw_fail(err, GW_E_TOO_LARGE, "json byte %zu: nested deeper than %d", json->at, GW_JSON_DEPTH_MAX);
    }
    json->stack[json->depth++] = kind == GW_JSON_OBJECT ? LEVEL_OBJECT : 0;
    json->at++;
    return GW_OK;
}

gw_status gw_json_next(struct gw_json *json, bool *ret_more, gw_err *err)
{
    GW_ASSERT(json->depth > 0);
    uint8_t *level = &json->stack[json->depth - 1];
    bool object = (*level & LEVEL_OBJECT) != 0;
    skip_space(json);

    if (json->at < json->size && json->data[json->at] == (object ? '}' : ']')) {
        json->at++;
        json->depth--;
        *ret_more = false;
        return GW_OK;
    }
    if ((*level & LEVEL_COMMA_DUE) != 0) {
        if (json->at >= json->size || json->data[json->at] != ',') {
            return unexpected(json, object ? "',' or '}'" : "',' or ']'", err);
        }
        json->at++;
    }
    *level |= LEVEL_COMMA_DUE;
    *ret_more = true;
    return GW_OK;
}

static bool hex_value(const uint8_t *digits, uint32_t *ret_value)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = digits[i];
        uint8_t lower = c | 0x20;
        if (c >= '0' && c <= '9') {
            value = value * 16 + (uint32_t)(c - '0');
        } else if (lower >= 'a' && lower <= 'f') {
            value = value * 16 + (uint32_t)(lower - 'a' + 10);
        } else {
            return false;
        }
    }
    *ret_value = value;
    return true;
}

// Decodes the escape at `data` (at its backslash). Returns the bytes it takes, 0 when it is malformed.
static size_t decode_escape(const uint8_t *data, size_t size, uint32_t *ret_code_point)
{
    if (size < 2) {
        return 0;
    }
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    const char *letter = data[1] != '\0' ? strchr(letters, data[1]) : NULL;
    if (letter != NULL) {
        *ret_code_point = (uint32_t)meanings[letter - letters];
        return 2;
    }
    uint32_t high = 0;
    if (data[1] != 'u' || size < 6 || !hex_value(data + 2, &high)) {
        return 0;
    }
    if (high < 0xd800 || high > 0xdfff) {
        *ret_code_point = high;
        return 6;
    }
    uint32_t low = 0;
    if (high > 0xdbff || size < 12 || data[6] != '\\' || data[7] != 'u' || !hex_value(data + 8, &low) || low < 0xdc00 ||
        low > 0xdfff) {
        return 0; // half of a pair
    }
    *ret_code_point = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    return 12;
}

// True when all eight bytes are plain: ASCII, printable, neither quote nor backslash. The usual SWAR tests for a zero
// byte and for a byte below a bound (Bit Twiddling Hacks, S. E. Anderson); a false alarm only costs the slow loop.
static bool eight_are_plain(const uint8_t *data)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t word = gw_load_le64(data);
    uint64_t quote = word ^ (ones * '"');
    uint64_t backslash = word ^ (ones * '\\');
    uint64_t hits = (word - ones * 0x20) | (quote - ones) | (backslash - ones) | word;
    return (hits & (ones * 0x80)) == 0;
}

// Checks the string at the reader's place and passes it. Gives the text between the quotes.
static gw_status scan_string(struct gw_json *json, struct gw_slice *ret_raw, bool *ret_escaped, gw_err *err)
{
    const size_t start = json->at + 1;
    size_t at = start;
    bool escaped = false;

    for (;;) {
        while (json->size - at >= 8 && eight_are_plain(json->data + at)) {
            at += 8;
        }
        if (at >= json->size) {
            json->at = at;
            return unexpected(json, "'\"'", err);
        }
        uint8_t c = json->data[at];
        size_t length = 0;
        if (c == '"') {
            break;
        }
        if (c == '\\') {
            uint32_t code_point = 0;
            length = decode_escape(json->data + at, json->size - at, &code_point);
            escaped = true;
        } else if (c >= 0x20) {
            length = gw_utf8_length(json->data + at, json->size - at);
        }
        if (length == 0) {
            json->at = at;
            return gw_fail(err, GW_E_MALFORMED, "json byte %zu: bad %s in a string", at,
                           c == '\\'  ? "escape"
                           : c < 0x20 ? "control character"
                                      : "UTF-8");
        }
        at += length;
    }
    *ret_raw = gw_slice_make(json->data + start, at - start);
    *ret_escaped = escaped;
    json->at = at + 1;
    return GW_OK;
}

// Reads a key of any kind and its colon.
static gw_status scan_key(struct gw_json *json, struct gw_slice *ret_key, bool *ret_escaped, gw_err *err)
{
    GW_ASSERT(json->depth > 0 && (json->stack[json->depth - 1] & LEVEL_OBJECT) != 0);
    skip_space(json);
    if (json->at >= json->size || json->data[json->at] != '"') {
        return unexpected(json, "a key", err);
    }
    GW_TRY(scan_string(json, ret_key, ret_escaped, err));
    skip_space(json);
    if (json->at >= json->size || json->data[json->at] != ':') {
        return unexpected(json, "':'", err);
    }
    json->at++;
    return GW_OK;
}

gw_status gw_json_key(struct gw_json *json, struct gw_slice *ret_key, gw_err *err)
{
    struct gw_slice key = {0};
    bool escaped = false;
    GW_TRY(scan_key(json, &key, &escaped, err));
    if (escaped) {
        return gw_fail(err, GW_E_INVALID, "json byte %zu: key with an escape", json->at);
    }
    *ret_key = key;
    return GW_OK;
}

static gw_status expect_word(struct gw_json *json, const char *word, gw_err *err)
{
    size_t length = strlen(word);
    if (json->size - json->at < length || memcmp(json->data + json->at, word, length) != 0) {
        return unexpected(json, word, err);
    }
    json->at += length;
    return GW_OK;
}

gw_status gw_json_null(struct gw_json *json, gw_err *err)
{
    GW_TRY(expect_kind(json, GW_JSON_NULL, err));
    return expect_word(json, "null", err);
}

gw_status gw_json_bool(struct gw_json *json, bool *ret_value, gw_err *err)
{
    GW_TRY(expect_kind(json, GW_JSON_BOOL, err));
    bool value = json->data[json->at] == 't';
    GW_TRY(expect_word(json, value ? "true" : "false", err));
    *ret_value = value;
    return GW_OK;
}

// Reads a number by the grammar, or one of the three words when they are allowed; *ret_special is then not 0.
static gw_status scan_number(struct gw_json *json, struct gw_number *ret_number, double *ret_special, gw_err *err)
{
    GW_TRY(expect_kind(json, GW_JSON_NUMBER, err));
    const uint8_t *text = json->data + json->at;
    size_t left = json->size - json->at;
    *ret_special = 0;

    size_t size = gw_number_scan(text, left, ret_number);
    if (GW_LIKELY(size > 0)) {
        json->at += size;
        return GW_OK;
    }
    bool negative = text[0] == '-';
    uint8_t letter = left > 1 ? text[negative ? 1 : 0] : 0;
    if (!json->lenient_numbers || (letter != 'I' && (letter != 'N' || negative))) {
        return unexpected(json, "a number", err);
    }
    if (letter == 'N') {
        GW_TRY(expect_word(json, "NaN", err));
        *ret_special = (double)NAN;
    } else {
        GW_TRY(expect_word(json, negative ? "-Infinity" : "Infinity", err));
        *ret_special = negative ? -(double)INFINITY : (double)INFINITY;
    }
    return GW_OK;
}

// Puts the place in front of what base/number says.
static gw_status number_failed(const struct gw_json *json, gw_status status, gw_err *err)
{
    return gw_fail_context(err, status, "json before byte %zu", json->at);
}

gw_status gw_json_i64(struct gw_json *json, int64_t *ret_value, gw_err *err)
{
    struct gw_number number = {0};
    double special = 0;
    GW_TRY(scan_number(json, &number, &special, err));
    if (special != 0) {
        return gw_fail(err, GW_E_INVALID, "json before byte %zu: expected an integer", json->at);
    }
    gw_status status = gw_number_i64(&number, ret_value, err);
    return GW_LIKELY(status == GW_OK) ? GW_OK : number_failed(json, status, err);
}

gw_status gw_json_double(struct gw_json *json, double *ret_value, gw_err *err)
{
    struct gw_number number = {0};
    double special = 0;
    GW_TRY(scan_number(json, &number, &special, err));
    if (special != 0) {
        *ret_value = special;
        return GW_OK;
    }
    gw_status status = gw_number_double(&number, ret_value, err);
    return GW_LIKELY(status == GW_OK) ? GW_OK : number_failed(json, status, err);
}

gw_status gw_json_float(struct gw_json *json, float *ret_value, gw_err *err)
{
    struct gw_number number = {0};
    double special = 0;
    GW_TRY(scan_number(json, &number, &special, err));
    if (special != 0) {
        *ret_value = (float)special;
        return GW_OK;
    }
    gw_status status = gw_number_float(&number, ret_value, err);
    return GW_LIKELY(status == GW_OK) ? GW_OK : number_failed(json, status, err);
}

gw_status gw_json_raw(struct gw_json *json, struct gw_slice *ret_raw, gw_err *err)
{
    enum gw_json_kind kind = GW_JSON_NULL;
    GW_TRY(gw_json_peek(json, &kind, err));
    if (kind == GW_JSON_NUMBER) {
        size_t start = json->at;
        struct gw_number number = {0};
        double special = 0;
        GW_TRY(scan_number(json, &number, &special, err));
        *ret_raw = gw_slice_make(json->data + start, json->at - start);
        return GW_OK;
    }
    bool escaped = false;
    GW_TRY(expect_kind(json, GW_JSON_STRING, err));
    return scan_string(json, ret_raw, &escaped, err);
}

static gw_status decode_string(struct gw_slice raw, struct gw_buf *out, size_t limit)
{
    GW_TRY(gw_buf_reserve(out, GW_MIN(raw.size, limit) + 1));
    for (size_t at = 0; at < raw.size;) {
        const uint8_t *escape = memchr(raw.data + at, '\\', raw.size - at);
        size_t plain = escape != NULL ? (size_t)(escape - raw.data) - at : raw.size - at;
        if (plain > limit - out->size) {
            return GW_E_TOO_LARGE;
        }
        memcpy(out->data + out->size, raw.data + at, plain);
        out->size += plain;
        at += plain;
        if (escape == NULL) {
            break;
        }
        uint32_t code_point = 0;
        uint8_t bytes[4];
        at += decode_escape(escape, raw.size - at, &code_point); // scan_string has checked it
        size_t length = gw_utf8_encode(code_point, bytes);
        if (code_point == 0) {
            return GW_E_INVALID;
        }
        if (length > limit - out->size) {
            return GW_E_TOO_LARGE;
        }
        memcpy(out->data + out->size, bytes, length);
        out->size += length;
    }
    out->data[out->size] = '\0';
    return GW_OK;
}

gw_status gw_json_string(struct gw_json *json, struct gw_buf *out, size_t limit, gw_err *err)
{
    struct gw_slice raw = {0};
    bool escaped = false;
    GW_TRY(expect_kind(json, GW_JSON_STRING, err));
    GW_TRY(scan_string(json, &raw, &escaped, err));

    gw_buf_clear(out);
    gw_status status = decode_string(raw, out, limit);
    if (status != GW_OK) {
        gw_buf_clear(out);
    }
    switch ((int)status) {
    case GW_OK:
        return GW_OK;
    case GW_E_TOO_LARGE:
        return gw_fail(err, status, "json before byte %zu: string over %zu bytes", json->at, limit);
    case GW_E_INVALID:
        return gw_fail(err, status, "json before byte %zu: string holds U+0000", json->at);
    default:
        return gw_fail(err, status, "json: no memory for a string of %zu bytes", raw.size);
    }
}

static gw_status skip_scalar(struct gw_json *json, enum gw_json_kind kind, gw_err *err)
{
    struct gw_slice raw = {0};
    bool value = false;
    if (kind == GW_JSON_NULL) {
        return gw_json_null(json, err);
    }
    return kind == GW_JSON_BOOL ? gw_json_bool(json, &value, err) : gw_json_raw(json, &raw, err);
}

gw_status gw_json_skip(struct gw_json *json, gw_err *err)
{
    const uint32_t outside = json->depth;
    do {
        if (json->depth > outside) {
            bool object = (json->stack[json->depth - 1] & LEVEL_OBJECT) != 0;
            bool more = false;
            GW_TRY(gw_json_next(json, &more, err));
            if (!more) {
                continue;
            }
            if (object) {
                struct gw_slice key = {0};
                bool escaped = false;
                GW_TRY(scan_key(json, &key, &escaped, err));
            }
        }
        enum gw_json_kind kind = GW_JSON_NULL;
        GW_TRY(gw_json_peek(json, &kind, err));
        if (kind == GW_JSON_ARRAY || kind == GW_JSON_OBJECT) {
            GW_TRY(gw_json_enter(json, kind, err));
        } else {
            GW_TRY(skip_scalar(json, kind, err));
        }
    } while (json->depth > outside);
    return GW_OK;
}

gw_status gw_json_end(struct gw_json *json, gw_err *err)
{
    GW_ASSERT(json->depth == 0);
    skip_space(json);
    return json->at == json->size ? GW_OK : unexpected(json, "the end", err);
}
