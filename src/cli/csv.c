// SPDX-License-Identifier: MIT
#include "cli/csv.h"

#include "base/check.h"
#include "base/mem.h"

#include <errno.h>

// How a field ended.
enum end { END_FIELD, END_RECORD, END_FILE };

gw_status gw_csv_init(struct gw_csv *csv, const char *name, FILE *stream, gw_err *err)
{
    *csv = (struct gw_csv){.name = name, .stream = stream, .line = 1, .column = 1, .pushed = EOF};
    csv->fields = gw_mem_calloc(GW_CSV_FIELDS_MAX, sizeof *csv->fields);
    return csv->fields != NULL ? GW_OK : gw_fail(err, GW_E_MEMORY, "no memory to read '%s'", name);
}

void gw_csv_deinit(struct gw_csv *csv)
{
    gw_mem_free(csv->fields);
    gw_buf_deinit(&csv->text);
}

static gw_status fail_at(const struct gw_csv *csv, size_t line, size_t column, gw_status status, const char *what,
                         gw_err *err)
{
    return gw_fail(err, status, "%s:%zu:%zu: %s", csv->name, line, column, what);
}

// The next byte, or EOF. Line and column are those of the byte behind it.
static int take(struct gw_csv *csv)
{
    int c = csv->pushed;
    csv->pushed = EOF;
    if (c == EOF) {
        c = getc_unlocked(csv->stream);
    }
    if (c == '\n') {
        csv->line++;
        csv->column = 1;
    } else if (c != EOF) {
        csv->column++;
    }
    return c;
}

static int peek(struct gw_csv *csv)
{
    if (csv->pushed == EOF) {
        csv->pushed = getc_unlocked(csv->stream);
    }
    return csv->pushed;
}

static gw_status keep(struct gw_csv *csv, int c, gw_err *err)
{
    if (c == '\0') {
        return fail_at(csv, csv->line, csv->column - 1, GW_E_MALFORMED, "a NUL byte", err);
    }
    if (csv->text.size >= GW_CSV_RECORD_BYTES_MAX) {
        return fail_at(csv, csv->line, csv->column, GW_E_TOO_LARGE, "the record is too long", err);
    }
    uint8_t byte = (uint8_t)c;
    return gw_buf_append(&csv->text, &byte, 1) == GW_OK ? GW_OK : gw_fail(err, GW_E_MEMORY, "%s: no memory", csv->name);
}

// Decides what a separator means; `c` was taken.
static gw_status end_field(struct gw_csv *csv, int c, enum end *ret_end, gw_err *err)
{
    if (c == '\r' && peek(csv) != '\n') {
        return fail_at(csv, csv->line, csv->column - 1, GW_E_MALFORMED, "a carriage return without a line feed", err);
    }
    if (c == '\r') {
        (void)take(csv);
    }
    *ret_end = c == EOF ? END_FILE : c == ',' ? END_FIELD : END_RECORD;
    return GW_OK;
}

static bool is_separator(int c)
{
    return c == EOF || c == ',' || c == '\n' || c == '\r';
}

static gw_status read_quoted(struct gw_csv *csv, const struct gw_csv_field *field, enum end *ret_end, gw_err *err)
{
    for (;;) {
        int c = take(csv);
        if (c == EOF) {
            return fail_at(csv, field->line, field->column, GW_E_MALFORMED, "the quote is never closed", err);
        }
        if (c == '"' && peek(csv) == '"') {
            (void)take(csv);
        } else if (c == '"') {
            break;
        }
        GW_TRY(keep(csv, c, err));
    }
    if (!is_separator(peek(csv))) {
        return fail_at(csv, csv->line, csv->column, GW_E_MALFORMED, "text behind a closing quote", err);
    }
    return end_field(csv, take(csv), ret_end, err);
}

static gw_status read_plain(struct gw_csv *csv, enum end *ret_end, gw_err *err)
{
    for (;;) {
        int c = take(csv);
        if (is_separator(c)) {
            return end_field(csv, c, ret_end, err);
        }
        if (c == '"') {
            return fail_at(csv, csv->line, csv->column - 1, GW_E_MALFORMED, "a quote inside a field without quotes",
                           err);
        }
        GW_TRY(keep(csv, c, err));
    }
}

static gw_status read_field(struct gw_csv *csv, enum end *ret_end, gw_err *err)
{
    struct gw_csv_field field = {.offset = csv->text.size, .line = csv->line, .column = csv->column};
    if (csv->field_count == GW_CSV_FIELDS_MAX) {
        return fail_at(csv, csv->line, csv->column, GW_E_TOO_LARGE, "too many fields", err);
    }
    if (peek(csv) == '"') {
        (void)take(csv);
        GW_TRY(read_quoted(csv, &field, ret_end, err));
    } else {
        GW_TRY(read_plain(csv, ret_end, err));
    }
    field.size = csv->text.size - field.offset;
    csv->fields[csv->field_count++] = field;
    return GW_OK;
}

static gw_status read_record(struct gw_csv *csv, enum end *ret_end, gw_err *err)
{
    gw_buf_clear(&csv->text);
    csv->field_count = 0;
    do {
        GW_TRY(read_field(csv, ret_end, err));
    } while (*ret_end == END_FIELD);
    if (ferror(csv->stream)) {
        return gw_fail(err, GW_E_IO, "%s: %s", csv->name, strerror(errno));
    }
    return GW_OK;
}

static gw_status skip_mark(struct gw_csv *csv, gw_err *err)
{
    if (peek(csv) != 0xef) {
        return GW_OK;
    }
    bool whole = take(csv) == 0xef && take(csv) == 0xbb && take(csv) == 0xbf;
    csv->column = 1;
    return whole ? GW_OK : fail_at(csv, 1, 1, GW_E_MALFORMED, "neither text nor a UTF-8 byte order mark", err);
}

gw_status gw_csv_next(struct gw_csv *csv, bool *ret_more, gw_err *err)
{
    if (csv->width == 0 && csv->line == 1 && csv->column == 1) {
        GW_TRY(skip_mark(csv, err));
    }
    for (;;) {
        if (peek(csv) == EOF) {
            *ret_more = false;
            return ferror(csv->stream) ? gw_fail(err, GW_E_IO, "%s: %s", csv->name, strerror(errno)) : GW_OK;
        }
        enum end end = END_FILE;
        GW_TRY(read_record(csv, &end, err));
        bool empty = csv->field_count == 1 && csv->fields[0].size == 0;
        if (!(empty && csv->width > 1)) {
            break;
        }
    }
    if (csv->width == 0) {
        csv->width = csv->field_count;
    }
    if (csv->field_count != csv->width) {
        return gw_fail(err, GW_E_MALFORMED, "%s:%zu:1: %zu fields, expected %zu as in the first line", csv->name,
                       csv->fields[0].line, csv->field_count, csv->width);
    }
    *ret_more = true;
    return GW_OK;
}

struct gw_slice gw_csv_field(const struct gw_csv *csv, size_t index)
{
    GW_ASSERT(index < csv->field_count);
    const struct gw_csv_field *field = &csv->fields[index];
    return gw_slice_make(field->size > 0 ? csv->text.data + field->offset : NULL, field->size);
}

gw_status gw_csv_append(struct gw_buf *out, struct gw_slice value)
{
    bool quoted = false;
    for (size_t i = 0; i < value.size; i++) {
        uint8_t c = value.data[i];
        quoted = quoted || c == '"' || c == ',' || c == '\n' || c == '\r';
    }
    if (!quoted) {
        return gw_buf_append(out, value.data, value.size);
    }
    GW_TRY(gw_buf_append(out, "\"", 1));
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] == '"') {
            GW_TRY(gw_buf_append(out, "\"", 1));
        }
        GW_TRY(gw_buf_append(out, &value.data[i], 1));
    }
    return gw_buf_append(out, "\"", 1);
}
