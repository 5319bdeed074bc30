// SPDX-License-Identifier: MIT
// Rows for people and for programs from one description: aligned columns, or a JSON array of objects.
//
// Fill it cell by cell, row after row; the first failure (memory) is remembered and returned when it is shown, so that
// calls chain without checks. One owner.
#pragma once

#include "base/bytes.h"
#include "base/json.h"

#include <stdbool.h>
#include <stdio.h>

struct gw_table_cell;

struct gw_table {
    const char *const *columns; // borrowed: names, keys of the JSON objects
    size_t column_count;
    struct gw_buf text; // of all cells, each with a NUL
    struct gw_table_cell *cells;
    size_t cell_count;
    size_t cell_capacity;
    gw_status status;
};

void gw_table_init(struct gw_table *table, const char *const *columns, size_t column_count);
void gw_table_deinit(struct gw_table *table);

// The next cell. NULL and NaN are "-" for people and null for programs.
void gw_table_text(struct gw_table *table, const char *text);
void gw_table_format(struct gw_table *table, const char *format, ...) GW_PRINTF(2, 3);
void gw_table_i64(struct gw_table *table, int64_t value);
void gw_table_double(struct gw_table *table, double value); // nine digits for people
void gw_table_bool(struct gw_table *table, bool value);

size_t gw_table_row_count(const struct gw_table *table);

// Aligned under a line of names. GW_E_MEMORY.
GW_CHECK gw_status gw_table_print(const struct gw_table *table, FILE *to, gw_err *err);

// As one value into a writer. GW_E_MEMORY.
GW_CHECK gw_status gw_table_write_json(const struct gw_table *table, struct gw_json_writer *writer, gw_err *err);

// On stdout: as JSON when asked for, else for people.
GW_CHECK gw_status gw_table_show(const struct gw_table *table, bool json, gw_err *err);
