// SPDX-License-Identifier: MIT
#include "cli/table.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/number.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#define COLUMNS_MAX 24

struct gw_table_cell {
    size_t text; // offset: as people see it
    size_t json; // offset: a JSON value; SIZE_MAX: the text as a string
};

static const size_t as_text = SIZE_MAX;

void gw_table_init(struct gw_table *table, const char *const *columns, size_t column_count)
{
    GW_ASSERT(column_count > 0 && column_count <= COLUMNS_MAX);
    *table = (struct gw_table){.columns = columns, .column_count = column_count};
}

void gw_table_deinit(struct gw_table *table)
{
    gw_buf_deinit(&table->text);
    gw_mem_free(table->cells);
    *table = (struct gw_table){0};
}

static const char *text_at(const struct gw_table *table, size_t offset)
{
    return (const char *)table->text.data + offset;
}

// `json` NULL: the text is a string.
static void add_cell(struct gw_table *table, const char *text, const char *json)
{
    if (table->status == GW_OK && table->cell_count == table->cell_capacity) {
        size_t capacity = table->cell_capacity > 0 ? table->cell_capacity * 2 : 64;
        struct gw_table_cell *cells = gw_mem_realloc(table->cells, capacity, sizeof *cells);
        table->status = cells != NULL ? GW_OK : GW_E_MEMORY;
        table->cells = cells != NULL ? cells : table->cells;
        table->cell_capacity = cells != NULL ? capacity : table->cell_capacity;
    }
    struct gw_table_cell cell = {.text = table->text.size, .json = as_text};
    if (table->status == GW_OK) {
        table->status = gw_buf_append(&table->text, text, strlen(text) + 1);
    }
    if (table->status == GW_OK && json != NULL) {
        cell.json = table->text.size;
        table->status = gw_buf_append(&table->text, json, strlen(json) + 1);
    }
    if (table->status == GW_OK) {
        table->cells[table->cell_count++] = cell;
    }
}

void gw_table_text(struct gw_table *table, const char *text)
{
    add_cell(table, text != NULL ? text : "-", text != NULL ? NULL : "null");
}

void gw_table_format(struct gw_table *table, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    add_cell(table, text, NULL);
}

void gw_table_i64(struct gw_table *table, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    add_cell(table, text, text);
}

void gw_table_double(struct gw_table *table, double value)
{
    if (!isfinite(value)) {
        add_cell(table, isnan(value) ? "-" : value > 0 ? "inf" : "-inf", "null");
        return;
    }
    char text[32];
    char json[GW_NUMBER_FORMAT_BYTES];
    snprintf(text, sizeof text, "%.9g", value);
    gw_number_format_double(value, json);
    add_cell(table, text, json);
}

void gw_table_bool(struct gw_table *table, bool value)
{
    add_cell(table, value ? "yes" : "no", value ? "true" : "false");
}

size_t gw_table_row_count(const struct gw_table *table)
{
    return table->cell_count / table->column_count;
}

static gw_status check(const struct gw_table *table, gw_err *err)
{
    if (table->status != GW_OK) {
        return gw_fail(err, table->status, "no memory for a table");
    }
    GW_ASSERT(table->cell_count % table->column_count == 0);
    return GW_OK;
}

static void print_cell(const struct gw_table *table, const size_t *widths, size_t column, const char *text, FILE *to)
{
    bool last = column + 1 == table->column_count;
    fprintf(to, "%-*s%s", last ? 0 : (int)widths[column], text, last ? "\n" : "  ");
}

gw_status gw_table_print(const struct gw_table *table, FILE *to, gw_err *err)
{
    GW_TRY(check(table, err));
    size_t widths[COLUMNS_MAX] = {0};
    for (size_t c = 0; c < table->column_count; c++) {
        widths[c] = strlen(table->columns[c]);
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        size_t c = i % table->column_count;
        widths[c] = GW_MAX(widths[c], strlen(text_at(table, table->cells[i].text)));
    }
    for (size_t c = 0; c < table->column_count; c++) {
        char name[64];
        size_t length = 0;
        for (; table->columns[c][length] != '\0' && length + 1 < sizeof name; length++) {
            name[length] = (char)toupper((unsigned char)table->columns[c][length]);
        }
        name[length] = '\0';
        print_cell(table, widths, c, name, to);
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        print_cell(table, widths, i % table->column_count, text_at(table, table->cells[i].text), to);
    }
    return GW_OK;
}

gw_status gw_table_write_json(const struct gw_table *table, struct gw_json_writer *writer, gw_err *err)
{
    GW_TRY(check(table, err));
    gw_json_array_begin(writer);
    for (size_t i = 0; i < table->cell_count; i++) {
        const struct gw_table_cell *cell = &table->cells[i];
        size_t c = i % table->column_count;
        if (c == 0) {
            gw_json_object_begin(writer);
        }
        gw_json_write_key(writer, table->columns[c]);
        if (cell->json == as_text) {
            gw_json_write_text(writer, text_at(table, cell->text));
        } else {
            gw_json_write_raw(writer, gw_slice_text(text_at(table, cell->json)));
        }
        if (c + 1 == table->column_count) {
            gw_json_object_end(writer);
        }
    }
    gw_json_array_end(writer);
    return GW_OK;
}

static gw_status show_json(const struct gw_table *table, struct gw_buf *out, gw_err *err)
{
    struct gw_json_writer writer;
    gw_json_writer_init(&writer, out);
    GW_TRY(gw_table_write_json(table, &writer, err));
    GW_TRY(gw_json_writer_finish(&writer, err));
    fwrite(out->data, 1, out->size, stdout);
    putchar('\n');
    return GW_OK;
}

gw_status gw_table_show(const struct gw_table *table, bool json, gw_err *err)
{
    struct gw_buf out = {0};
    gw_status status = json ? show_json(table, &out, err) : gw_table_print(table, stdout, err);
    gw_buf_deinit(&out);
    return status;
}
