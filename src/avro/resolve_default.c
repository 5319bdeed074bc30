// SPDX-License-Identifier: MIT
// A field's default, JSON in the schema, as the bytes that stand for it on the wire.
#include "avro/resolve_internal.h"

#include "avro/wire.h"
#include "base/json.h"

static gw_status encode(const struct gw_avro_type *type, struct gw_json *json, struct gw_buf *out, gw_err *err);

static gw_status no_memory(gw_err *err)
{
    return gw_fail(err, GW_E_MEMORY, "default: no memory");
}

static gw_status put_long(struct gw_buf *out, int64_t value, gw_err *err)
{
    if (gw_buf_reserve(out, GW_AVRO_LONG_BYTES_MAX) != GW_OK) {
        return no_memory(err);
    }
    gw_avro_put_long(out, value);
    return GW_OK;
}

static gw_status put_raw(struct gw_buf *out, const void *from, size_t size, gw_err *err)
{
    return gw_buf_append(out, from, size) == GW_OK ? GW_OK : no_memory(err);
}

static gw_status encode_integer(const struct gw_avro_type *type, struct gw_json *json, struct gw_buf *out, gw_err *err)
{
    int64_t value = 0;
    GW_TRY(gw_json_i64(json, &value, err));
    if (type->kind == GW_AVRO_INT && (value < INT32_MIN || value > INT32_MAX)) {
        return gw_fail(err, GW_E_INVALID, "default %lld is no int", (long long)value);
    }
    return put_long(out, value, err);
}

static gw_status encode_real(const struct gw_avro_type *type, struct gw_json *json, struct gw_buf *out, gw_err *err)
{
    float real = 0;
    double wide = 0;
    if (type->kind == GW_AVRO_FLOAT) {
        GW_TRY(gw_json_float(json, &real, err));
        return put_raw(out, &real, sizeof real, err);
    }
    GW_TRY(gw_json_double(json, &wide, err));
    return put_raw(out, &wide, sizeof wide, err);
}

static gw_status encode_string(struct gw_json *json, struct gw_buf *out, gw_err *err)
{
    struct gw_buf text = {0};
    gw_status status = gw_json_string(json, &text, GW_AVRO_SCHEMA_BYTES_MAX, err);
    if (status == GW_OK) {
        status = put_long(out, (int64_t)text.size, err);
    }
    if (status == GW_OK) {
        status = put_raw(out, text.data, text.size, err);
    }
    gw_buf_deinit(&text);
    return status;
}

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; // the JSON reader has checked that it is one
}

// Decodes one character of a bytes or fixed default: code points 0 to 255 stand for the bytes. Returns its length in
// the text, 0 when it is above. The JSON reader has checked escapes and UTF-8.
static size_t decode_byte(const uint8_t *at, uint8_t *ret_byte)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    if (at[0] < 0x80 && at[0] != '\\') {
        *ret_byte = at[0];
        return 1;
    }
    if (at[0] == 0xc2 || at[0] == 0xc3) {
        *ret_byte = (uint8_t)((at[0] & 3) << 6 | (at[1] & 0x3f));
        return 2;
    }
    if (at[0] != '\\') {
        return 0;
    }
    if (at[1] != 'u') {
        *ret_byte = (uint8_t)meanings[strchr(letters, at[1]) - letters];
        return 2;
    }
    if (at[2] != '0' || at[3] != '0') {
        return 0;
    }
    *ret_byte = (uint8_t)(hex_digit(at[4]) << 4 | hex_digit(at[5]));
    return 6;
}

static gw_status encode_bytes(const struct gw_avro_type *type, struct gw_json *json, struct gw_buf *out, gw_err *err)
{
    enum gw_json_kind kind = GW_JSON_NULL;
    struct gw_slice raw = {0};
    struct gw_buf bytes = {0};
    GW_TRY(gw_json_peek(json, &kind, err));
    if (kind != GW_JSON_STRING) {
        return gw_fail(err, GW_E_INVALID, "default of %s is not a string", gw_avro_kind_name(type->kind));
    }
    GW_TRY(gw_json_raw(json, &raw, err));
    if (gw_buf_reserve(&bytes, raw.size) != GW_OK) {
        return no_memory(err);
    }
    gw_status status = GW_OK;
    for (size_t at = 0; at < raw.size && status == GW_OK;) {
        size_t length = decode_byte(raw.data + at, &bytes.data[bytes.size]);
        if (length == 0) {
            status =
                gw_fail(err, GW_E_INVALID, "default of %s has a character above U+00FF", gw_avro_kind_name(type->kind));
        }
        bytes.size++;
        at += length;
    }
    if (status == GW_OK && type->kind == GW_AVRO_FIXED && bytes.size != type->size) {
        status = gw_fail(err, GW_E_INVALID, "default of %zu bytes for a fixed of %u", bytes.size, type->size);
    }
    if (status == GW_OK && type->kind == GW_AVRO_BYTES) {
        status = put_long(out, (int64_t)bytes.size, err);
    }
    if (status == GW_OK) {
        status = put_raw(out, bytes.data, bytes.size, err);
    }
    gw_buf_deinit(&bytes);
    return status;
}

static gw_status encode_enum(const struct gw_avro_type *type, struct gw_json *json, struct gw_buf *out, gw_err *err)
{
    struct gw_slice symbol = {0};
    GW_TRY(gw_json_raw(json, &symbol, err));
    for (uint32_t i = 0; i < type->symbols.count; i++) {
        if (gw_slice_is(symbol, type->symbols.items[i])) {
            return put_long(out, i, err);
        }
    }
    return gw_fail(err, GW_E_INVALID, "default is no symbol of '%s'", type->name);
}

// Each item or entry is a block of its own, so that they need not be counted first.
static gw_status encode_items(const struct gw_avro_type *type, struct gw_json *json, struct gw_buf *out, gw_err *err)
{
    bool map = type->kind == GW_AVRO_MAP;
    GW_TRY(gw_json_enter(json, map ? GW_JSON_OBJECT : GW_JSON_ARRAY, err));
    for (;;) {
        bool more = false;
        GW_TRY(gw_json_next(json, &more, err));
        if (!more) {
            return put_long(out, 0, err);
        }
        GW_TRY(put_long(out, 1, err));
        if (map) {
            struct gw_slice key = {0};
            GW_TRY(gw_json_key(json, &key, err));
            GW_TRY(put_long(out, (int64_t)key.size, err));
            GW_TRY(put_raw(out, key.data, key.size, err));
        }
        GW_TRY(encode(type->item, json, out, err));
    }
}

// Moves a copy of the reader to the value of `name`.
static gw_status find_member(struct gw_json *json, const char *name, bool *ret_found, gw_err *err)
{
    GW_TRY(gw_json_enter(json, GW_JSON_OBJECT, err));
    for (;;) {
        bool more = false;
        struct gw_slice key = {0};
        GW_TRY(gw_json_next(json, &more, err));
        if (!more) {
            *ret_found = false;
            return GW_OK;
        }
        GW_TRY(gw_json_key(json, &key, err));
        if (gw_slice_is(key, name)) {
            *ret_found = true;
            return GW_OK;
        }
        GW_TRY(gw_json_skip(json, err));
    }
}

static gw_status encode_record(const struct gw_avro_type *type, struct gw_json *json, struct gw_buf *out, gw_err *err)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct gw_avro_field *field = &type->fields[i];
        struct gw_json at = *json;
        bool found = false;
        GW_TRY(find_member(&at, field->name, &found, err));
        if (found) {
            GW_TRY(encode(field->type, &at, out, err));
        } else if (field->default_value.size > 0) {
            GW_TRY(gw_avro_encode_default(field->type, field->default_value, out, err));
        } else {
            return gw_fail(err, GW_E_INVALID, "default of '%s' lacks field '%s'", type->name, field->name);
        }
    }
    return gw_json_skip(json, err);
}

static gw_status encode(const struct gw_avro_type *type, struct gw_json *json, struct gw_buf *out, gw_err *err)
{
    bool flag = false;
    switch (type->kind) {
    case GW_AVRO_NULL:
        return gw_json_null(json, err);
    case GW_AVRO_BOOLEAN:
        GW_TRY(gw_json_bool(json, &flag, err));
        return put_raw(out, flag ? "\1" : "\0", 1, err);
    case GW_AVRO_INT:
    case GW_AVRO_LONG:
        return encode_integer(type, json, out, err);
    case GW_AVRO_FLOAT:
    case GW_AVRO_DOUBLE:
        return encode_real(type, json, out, err);
    case GW_AVRO_STRING:
        return encode_string(json, out, err);
    case GW_AVRO_BYTES:
    case GW_AVRO_FIXED:
        return encode_bytes(type, json, out, err);
    case GW_AVRO_ENUM:
        return encode_enum(type, json, out, err);
    case GW_AVRO_RECORD:
        return encode_record(type, json, out, err);
    case GW_AVRO_ARRAY:
    case GW_AVRO_MAP:
        return encode_items(type, json, out, err);
    case GW_AVRO_OPTIONAL: // a union's default is of its first branch
        GW_TRY(gw_json_null(json, err));
        return put_long(out, 0, err);
    }
    return gw_fail(err, GW_E_INTERNAL, "default of unknown kind %d", (int)type->kind);
}

gw_status gw_avro_encode_default(const struct gw_avro_type *type, struct gw_slice json, struct gw_buf *out, gw_err *err)
{
    struct gw_json reader;
    gw_json_init(&reader, json);
    return encode(type, &reader, out, err);
}
