// SPDX-License-Identifier: MIT
// The writer. json.c has the reader.
#include "base/json.h"

#include "base/check.h"
#include "base/number.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

void gw_json_writer_init(struct gw_json_writer *writer, struct gw_buf *out)
{
    *writer = (struct gw_json_writer){.out = out};
}

static void put(struct gw_json_writer *writer, const void *data, size_t size)
{
    if (GW_LIKELY(writer->status == GW_OK)) {
        writer->status = gw_buf_append(writer->out, data, size);
    }
}

static void put_char(struct gw_json_writer *writer, char c)
{
    put(writer, &c, 1);
}

// Writes the comma that separates a value or key from the one before it.
static void begin_item(struct gw_json_writer *writer)
{
    if (writer->after_key) {
        writer->after_key = false;
        return;
    }
    uint8_t *comma_due = &writer->comma_due[writer->depth];
    GW_ASSERT(writer->depth > 0 || !*comma_due); // one value at the top
    if (*comma_due) {
        put_char(writer, ',');
    }
    *comma_due = true;
}

static void begin_container(struct gw_json_writer *writer, char bracket)
{
    begin_item(writer);
    GW_ASSERT(writer->depth + 1 < GW_JSON_DEPTH_MAX);
    writer->comma_due[++writer->depth] = false;
    put_char(writer, bracket);
}

static void end_container(struct gw_json_writer *writer, char bracket)
{
    GW_ASSERT(writer->depth > 0 && !writer->after_key);
    writer->depth--;
    put_char(writer, bracket);
}

void gw_json_object_begin(struct gw_json_writer *writer)
{
    begin_container(writer, '{');
}

void gw_json_object_end(struct gw_json_writer *writer)
{
    end_container(writer, '}');
}

void gw_json_array_begin(struct gw_json_writer *writer)
{
    begin_container(writer, '[');
}

void gw_json_array_end(struct gw_json_writer *writer)
{
    end_container(writer, ']');
}

void gw_json_write_key(struct gw_json_writer *writer, const char *key)
{
    GW_ASSERT(!writer->after_key);
    begin_item(writer);
    put_char(writer, '"');
    put(writer, key, strlen(key));
    put(writer, "\":", 2);
    writer->after_key = true;
}

static void put_escaped(struct gw_json_writer *writer, uint8_t c)
{
    static const char special[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const char *found = c != '\0' ? strchr(special, c) : NULL;
    if (found != NULL) {
        const char text[2] = {'\\', letters[found - special]};
        put(writer, text, sizeof text);
        return;
    }
    char text[8];
    int length = snprintf(text, sizeof text, "\\u%04x", c);
    put(writer, text, (size_t)length);
}

void gw_json_write_string(struct gw_json_writer *writer, struct gw_slice text)
{
    begin_item(writer);
    put_char(writer, '"');
    size_t plain = 0; // start of the bytes that are copied as they are
    for (size_t at = 0; at < text.size;) {
        uint8_t c = text.data[at];
        size_t length = gw_utf8_length(text.data + at, text.size - at);
        if (length > 0 && c >= 0x20 && c != '"' && c != '\\') {
            at += length;
            continue;
        }
        if (at > plain) {
            put(writer, text.data + plain, at - plain);
        }
        if (length == 0) {
            put(writer, "\xef\xbf\xbd", 3); // U+FFFD for each byte that is not UTF-8
        } else {
            put_escaped(writer, c);
        }
        plain = ++at;
    }
    if (text.size > plain) {
        put(writer, text.data + plain, text.size - plain);
    }
    put_char(writer, '"');
}

void gw_json_write_text(struct gw_json_writer *writer, const char *text)
{
    gw_json_write_string(writer, gw_slice_text(text));
}

void gw_json_write_i64(struct gw_json_writer *writer, int64_t value)
{
    char text[24];
    begin_item(writer);
    put(writer, text, (size_t)snprintf(text, sizeof text, "%" PRId64, value));
}

void gw_json_write_u64(struct gw_json_writer *writer, uint64_t value)
{
    char text[24];
    begin_item(writer);
    put(writer, text, (size_t)snprintf(text, sizeof text, "%" PRIu64, value));
}

void gw_json_write_id(struct gw_json_writer *writer, int64_t id)
{
    char text[24];
    begin_item(writer);
    put(writer, text, (size_t)snprintf(text, sizeof text, "\"%" PRId64 "\"", id));
}

void gw_json_write_double(struct gw_json_writer *writer, double value)
{
    if (!isfinite(value)) {
        gw_json_write_null(writer);
        return;
    }
    char text[GW_NUMBER_FORMAT_BYTES];
    begin_item(writer);
    put(writer, text, gw_number_format_double(value, text));
}

void gw_json_write_float(struct gw_json_writer *writer, float value)
{
    if (!isfinite(value)) {
        gw_json_write_null(writer);
        return;
    }
    char text[GW_NUMBER_FORMAT_BYTES];
    begin_item(writer);
    put(writer, text, gw_number_format_float(value, text));
}

void gw_json_write_bool(struct gw_json_writer *writer, bool value)
{
    gw_json_write_raw(writer, gw_slice_text(value ? "true" : "false"));
}

void gw_json_write_null(struct gw_json_writer *writer)
{
    gw_json_write_raw(writer, gw_slice_text("null"));
}

void gw_json_write_raw(struct gw_json_writer *writer, struct gw_slice json_text)
{
    begin_item(writer);
    put(writer, json_text.data, json_text.size);
}

gw_status gw_json_writer_finish(struct gw_json_writer *writer, gw_err *err)
{
    if (writer->status != GW_OK) {
        return gw_fail(err, writer->status, "json: no memory for the text");
    }
    GW_ASSERT(writer->depth == 0 && !writer->after_key);
    return GW_OK;
}
