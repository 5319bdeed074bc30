// SPDX-License-Identifier: MIT
#include "base/ini.h"

#include "base/bytes.h"
#include "base/utf8.h"

#define LINE_BYTES_MAX  4096
#define VALUE_BYTES_MAX (64 * 1024) // of a value with all its continuation lines
#define TEXT_BYTES_MAX  (4 * 1024 * 1024)

struct parser {
    const char *name;
    gw_ini_visit visit;
    void *context;
    int line;      // of the line that is being read
    int pair_line; // where the open pair began
    bool open;     // a pair waits for continuation lines
    struct gw_buf section;
    struct gw_buf key;
    struct gw_buf value;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct gw_slice trim(const char *text, size_t size)
{
    while (size > 0 && is_space(text[size - 1])) {
        size--;
    }
    while (size > 0 && is_space(text[0])) {
        text++;
        size--;
    }
    return gw_slice_make(text, size);
}

static gw_status no_memory(gw_err *err)
{
    return gw_fail(err, GW_E_MEMORY, "no memory");
}

// Replaces the buffer's content by a C string.
static gw_status set_text(struct gw_buf *buf, struct gw_slice text, gw_err *err)
{
    gw_buf_clear(buf);
    if (gw_buf_append(buf, text.data, text.size) != GW_OK || gw_buf_append(buf, "", 1) != GW_OK) {
        return no_memory(err);
    }
    return GW_OK;
}

static const char *text_of(const struct gw_buf *buf)
{
    return buf->size > 0 ? (const char *)buf->data : "";
}

// Hands the open pair, if there is one, to the visitor.
static gw_status close_pair(struct parser *parser, gw_err *err)
{
    if (!parser->open) {
        return GW_OK;
    }
    parser->open = false;
    if (gw_buf_append(&parser->value, "", 1) != GW_OK) {
        return no_memory(err);
    }
    gw_status status = parser->visit(parser->context, text_of(&parser->section), text_of(&parser->key),
                                     text_of(&parser->value), parser->pair_line, err);
    if (status != GW_OK) {
        parser->line = parser->pair_line; // for the message
    }
    return status;
}

static gw_status read_continuation(struct parser *parser, struct gw_slice content, gw_err *err)
{
    if (!parser->open) {
        return gw_fail(err, GW_E_MALFORMED, "indented line continues nothing");
    }
    if (parser->value.size + content.size + 1 > VALUE_BYTES_MAX) {
        return gw_fail(err, GW_E_MALFORMED, "value of '%s' is over %d bytes", text_of(&parser->key), VALUE_BYTES_MAX);
    }
    bool separate = parser->value.size > 0;
    if ((separate && gw_buf_append(&parser->value, " ", 1) != GW_OK) ||
        gw_buf_append(&parser->value, content.data, content.size) != GW_OK) {
        return no_memory(err);
    }
    return GW_OK;
}

static gw_status read_section(struct parser *parser, struct gw_slice content, gw_err *err)
{
    if (content.data[content.size - 1] != ']') {
        return gw_fail(err, GW_E_MALFORMED, "section header without ']' at its end");
    }
    struct gw_slice name = trim((const char *)content.data + 1, content.size - 2);
    if (name.size == 0) {
        return gw_fail(err, GW_E_MALFORMED, "section without a name");
    }
    GW_TRY(set_text(&parser->section, name, err));
    return parser->visit(parser->context, text_of(&parser->section), NULL, NULL, parser->line, err);
}

static gw_status read_pair(struct parser *parser, struct gw_slice content, gw_err *err)
{
    const char *text = (const char *)content.data;
    const char *equals = memchr(text, '=', content.size);
    if (equals == NULL) {
        return gw_fail(err, GW_E_MALFORMED, "expected 'key = value' or '[section]'");
    }
    struct gw_slice key = trim(text, (size_t)(equals - text));
    if (key.size == 0) {
        return gw_fail(err, GW_E_MALFORMED, "value without a key");
    }
    struct gw_slice value = trim(equals + 1, content.size - (size_t)(equals + 1 - text));
    GW_TRY(set_text(&parser->key, key, err));
    gw_buf_clear(&parser->value);
    if (gw_buf_append(&parser->value, value.data, value.size) != GW_OK) {
        return no_memory(err);
    }
    parser->open = true;
    parser->pair_line = parser->line;
    return GW_OK;
}

static gw_status read_line(struct parser *parser, const char *line, size_t size, gw_err *err)
{
    if (size > LINE_BYTES_MAX) {
        return gw_fail(err, GW_E_MALFORMED, "line over %d bytes", LINE_BYTES_MAX);
    }
    if (memchr(line, '\0', size) != NULL || !gw_utf8_valid(line, size)) {
        return gw_fail(err, GW_E_MALFORMED, "not UTF-8 text");
    }
    struct gw_slice content = trim(line, size);
    if (content.size > 0 && (content.data[0] == '#' || content.data[0] == ';')) {
        return GW_OK; // also inside a continued value
    }
    if (content.size > 0 && is_space(line[0])) {
        return read_continuation(parser, content, err);
    }
    GW_TRY(close_pair(parser, err));
    if (content.size == 0) {
        return GW_OK;
    }
    return content.data[0] == '[' ? read_section(parser, content, err) : read_pair(parser, content, err);
}

static gw_status read_lines(struct parser *parser, const char *text, size_t size, gw_err *err)
{
    if (size > TEXT_BYTES_MAX) {
        return gw_fail(err, GW_E_MALFORMED, "text over %d bytes", TEXT_BYTES_MAX);
    }
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t length = end != NULL ? (size_t)(end - text) - at : size - at;
        parser->line++;
        GW_TRY(read_line(parser, text + at, length, err));
        at += length + 1;
    }
    return close_pair(parser, err);
}

gw_status gw_ini_parse(const char *name, const char *text, size_t size, gw_ini_visit visit, void *context, gw_err *err)
{
    struct parser parser = {.name = name, .visit = visit, .context = context};
    gw_status status = read_lines(&parser, text, size, err);
    gw_buf_deinit(&parser.value);
    gw_buf_deinit(&parser.key);
    gw_buf_deinit(&parser.section);
    return status == GW_OK ? GW_OK : gw_fail_context(err, status, "%s:%d", name, parser.line);
}
