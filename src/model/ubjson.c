// SPDX-License-Identifier: MIT
#include "model/ubjson.h"

#include "base/json.h"
#include "base/utf8.h"

#include <math.h>

#define KEY_BYTES_MAX 256 // with its NUL

struct reader {
    struct gw_slice bytes;
    size_t at;
    uint32_t depth;
    uint32_t skipping; // members that are being skipped, one in the other
    const struct gw_ubjson_options *options;
    struct gw_json_writer writer;
    gw_err *err;
};

static gw_status read_value(struct reader *in, uint8_t tag);

static gw_status malformed(const struct reader *in, size_t at, const char *what)
{
    return gw_fail(in->err, GW_E_MALFORMED, "ubjson byte %zu: %s", at, what);
}

static size_t remaining(const struct reader *in)
{
    return in->bytes.size - in->at;
}

static gw_status take(struct reader *in, uint64_t size, const uint8_t **ret_bytes)
{
    if (size > remaining(in)) {
        return gw_fail(in->err, GW_E_MALFORMED, "ubjson byte %zu: expected %llu more bytes, %zu are left", in->at,
                       (unsigned long long)size, remaining(in));
    }
    *ret_bytes = in->bytes.data + in->at;
    in->at += (size_t)size;
    return GW_OK;
}

static gw_status take_tag(struct reader *in, uint8_t *ret_tag)
{
    const uint8_t *byte = NULL;
    GW_TRY(take(in, 1, &byte));
    *ret_tag = *byte;
    return GW_OK;
}

// Bytes of a number of this type, 0 when it is none.
static size_t number_size(uint8_t tag)
{
    switch (tag) {
    case 'i':
    case 'U':
        return 1;
    case 'I':
        return 2;
    case 'l':
    case 'd':
        return 4;
    case 'L':
    case 'D':
        return 8;
    default:
        return 0;
    }
}

static bool is_float(uint8_t tag)
{
    return tag == 'd' || tag == 'D';
}

static int64_t load_integer(uint8_t tag, const uint8_t *from)
{
    switch (tag) {
    case 'i':
        return (int8_t)from[0];
    case 'U':
        return from[0];
    case 'I':
        return (int16_t)(uint16_t)(from[0] << 8 | from[1]);
    case 'l':
        return (int32_t)gw_load_be32(from);
    default:
        return (int64_t)gw_load_be64(from);
    }
}

static float load_float(uint8_t tag, const uint8_t *from)
{
    if (tag == 'd') {
        uint32_t bits = gw_load_be32(from);
        float value = 0;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    uint64_t bits = gw_load_be64(from);
    double value = 0;
    memcpy(&value, &bits, sizeof value);
    return (float)value;
}

static void write_number(struct reader *in, uint8_t tag, const uint8_t *from)
{
    if (!is_float(tag)) {
        gw_json_write_i64(&in->writer, load_integer(tag, from));
        return;
    }
    float value = load_float(tag, from);
    if (isfinite(value)) {
        gw_json_write_float(&in->writer, value);
    } else {
        gw_json_write_raw(&in->writer, gw_slice_text(isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity"));
    }
}

static gw_status check_size(const struct reader *in)
{
    if (in->writer.status != GW_OK) {
        return gw_fail(in->err, in->writer.status, "no memory for the text of a model");
    }
    if (in->writer.out->size > in->options->limit_bytes) {
        return gw_fail(in->err, GW_E_TOO_LARGE, "over %zu bytes as text", in->options->limit_bytes);
    }
    return GW_OK;
}

// A length or count, with its own type in front.
static gw_status read_count(struct reader *in, uint8_t tag, uint64_t *ret_count)
{
    size_t start = in->at - 1;
    size_t size = number_size(tag);
    if (size == 0 || is_float(tag)) {
        return malformed(in, start, "expected a length");
    }
    const uint8_t *from = NULL;
    GW_TRY(take(in, size, &from));
    int64_t count = load_integer(tag, from);
    if (count < 0) {
        return malformed(in, start, "a length is negative");
    }
    *ret_count = (uint64_t)count;
    return GW_OK;
}

// Length and bytes; `tag` is the length's type.
static gw_status read_text(struct reader *in, uint8_t tag, struct gw_slice *ret_text)
{
    uint64_t size = 0;
    const uint8_t *data = NULL;
    GW_TRY(read_count(in, tag, &size));
    GW_TRY(take(in, size, &data));
    if (!gw_utf8_valid(data, (size_t)size)) {
        return malformed(in, in->at - (size_t)size, "text is not UTF-8");
    }
    *ret_text = gw_slice_make(data, (size_t)size);
    return GW_OK;
}

static gw_status read_string(struct reader *in)
{
    uint8_t tag = 0;
    struct gw_slice text = {0};
    GW_TRY(take_tag(in, &tag));
    GW_TRY(read_text(in, tag, &text));
    if (in->skipping == 0) {
        gw_json_write_string(&in->writer, text);
    }
    return check_size(in);
}

static gw_status enter(struct reader *in)
{
    if (++in->depth > GW_UBJSON_DEPTH_MAX) {
        return gw_fail(in->err, GW_E_TOO_LARGE, "ubjson byte %zu: deeper than %d", in->at, GW_UBJSON_DEPTH_MAX);
    }
    return GW_OK;
}

static gw_status write_key(struct reader *in, struct gw_slice key)
{
    char text[KEY_BYTES_MAX];
    if (key.size >= sizeof text) {
        return malformed(in, in->at, "a key is too long");
    }
    for (size_t i = 0; i < key.size; i++) {
        if (key.data[i] < 0x20 || key.data[i] == '"' || key.data[i] == '\\') {
            return malformed(in, in->at, "a key has a quote, a backslash or a control character");
        }
        text[i] = (char)key.data[i];
    }
    text[key.size] = '\0';
    gw_json_write_key(&in->writer, text);
    return GW_OK;
}

static bool is_skipped(const struct reader *in, struct gw_slice key)
{
    for (size_t i = 0; i < in->options->skipped_count; i++) {
        if (gw_slice_is(key, in->options->skipped[i])) {
            return true;
        }
    }
    return false;
}

static gw_status read_member(struct reader *in, uint8_t tag)
{
    struct gw_slice key = {0};
    GW_TRY(read_text(in, tag, &key));
    bool skipped = is_skipped(in, key);
    in->skipping += skipped;
    if (in->skipping == 0) {
        GW_TRY(write_key(in, key));
    }
    GW_TRY(take_tag(in, &tag));
    GW_TRY(read_value(in, tag));
    in->skipping -= skipped;
    return GW_OK;
}

static gw_status read_object(struct reader *in)
{
    GW_TRY(enter(in));
    if (in->skipping == 0) {
        gw_json_object_begin(&in->writer);
    }
    for (;;) {
        uint8_t tag = 0;
        GW_TRY(take_tag(in, &tag));
        if (tag == '}') {
            break;
        }
        GW_TRY(read_member(in, tag));
    }
    if (in->skipping == 0) {
        gw_json_object_end(&in->writer);
    }
    in->depth--;
    return GW_OK;
}

// "[$" has been read.
static gw_status read_typed_items(struct reader *in)
{
    uint8_t type = 0;
    uint8_t tag = 0;
    uint64_t count = 0;
    GW_TRY(take_tag(in, &type));
    size_t size = number_size(type);
    if (size == 0) {
        return malformed(in, in->at - 1, "expected a type of numbers");
    }
    GW_TRY(take_tag(in, &tag));
    if (tag != '#') {
        return malformed(in, in->at - 1, "expected '#'");
    }
    GW_TRY(take_tag(in, &tag));
    GW_TRY(read_count(in, tag, &count));
    if (count > remaining(in) / size) {
        return malformed(in, in->at, "an array is longer than the file");
    }
    const uint8_t *items = in->bytes.data + in->at;
    in->at += (size_t)count * size;
    for (uint64_t i = 0; in->skipping == 0 && i < count; i++) {
        write_number(in, type, items + i * size);
        GW_TRY(check_size(in));
    }
    return GW_OK;
}

// "[#" has been read. An item takes at least a byte, so a false count ends at the file's end.
static gw_status read_counted_items(struct reader *in)
{
    uint8_t tag = 0;
    uint64_t count = 0;
    GW_TRY(take_tag(in, &tag));
    GW_TRY(read_count(in, tag, &count));
    for (uint64_t i = 0; i < count; i++) {
        GW_TRY(take_tag(in, &tag));
        GW_TRY(read_value(in, tag));
    }
    return GW_OK;
}

static gw_status read_array(struct reader *in)
{
    GW_TRY(enter(in));
    if (in->skipping == 0) {
        gw_json_array_begin(&in->writer);
    }
    uint8_t tag = 0;
    GW_TRY(take_tag(in, &tag));
    if (tag == '$') {
        GW_TRY(read_typed_items(in));
    } else if (tag == '#') {
        GW_TRY(read_counted_items(in));
    } else {
        while (tag != ']') {
            GW_TRY(read_value(in, tag));
            GW_TRY(take_tag(in, &tag));
        }
    }
    if (in->skipping == 0) {
        gw_json_array_end(&in->writer);
    }
    in->depth--;
    return GW_OK;
}

static gw_status read_scalar(struct reader *in, uint8_t tag)
{
    size_t size = number_size(tag);
    const uint8_t *from = NULL;
    if (size == 0 && tag != 'T' && tag != 'F' && tag != 'Z') {
        return gw_fail(in->err, GW_E_MALFORMED, "ubjson byte %zu: expected a value, found byte 0x%02x", in->at - 1,
                       tag);
    }
    GW_TRY(take(in, size, &from));
    if (in->skipping > 0) {
        return GW_OK;
    }
    if (size > 0) {
        write_number(in, tag, from);
    } else if (tag == 'Z') {
        gw_json_write_null(&in->writer);
    } else {
        gw_json_write_bool(&in->writer, tag == 'T');
    }
    return check_size(in);
}

// Recursion is bounded by enter().
static gw_status read_value(struct reader *in, uint8_t tag)
{
    switch (tag) {
    case '{':
        return read_object(in);
    case '[':
        return read_array(in);
    case 'S':
        return read_string(in);
    default:
        return read_scalar(in, tag);
    }
}

gw_status gw_ubjson_to_json(struct gw_slice bytes, const struct gw_ubjson_options *options, struct gw_buf *out,
                            gw_err *err)
{
    struct reader in = {.bytes = bytes, .options = options, .err = err};
    uint8_t tag = 0;
    gw_json_writer_init(&in.writer, out);
    GW_TRY(take_tag(&in, &tag));
    GW_TRY(read_value(&in, tag));
    if (remaining(&in) > 0) {
        return malformed(&in, in.at, "expected the end");
    }
    return gw_json_writer_finish(&in.writer, err);
}
