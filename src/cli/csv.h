// SPDX-License-Identifier: MIT
// Reads CSV (RFC 4180) record by record from a stream: quotes, "" inside quotes, line feeds inside quotes, LF or CRLF,
// a byte order mark in front. Every record has as many fields as the first; empty lines are skipped when that is more
// than one. Bounded: GW_CSV_FIELDS_MAX fields and GW_CSV_RECORD_BYTES_MAX bytes a record. One owner.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdio.h>

#define GW_CSV_FIELDS_MAX       8192
#define GW_CSV_RECORD_BYTES_MAX ((size_t)4 << 20)

struct gw_csv_field {
    size_t offset; // in gw_csv.text
    size_t size;
    size_t line; // where it begins, both from 1; the column counts bytes
    size_t column;
};

struct gw_csv {
    const char *name; // borrowed: for messages
    FILE *stream;     // borrowed
    struct gw_buf text;
    struct gw_csv_field *fields; // of the record read last
    size_t field_count;
    size_t width; // fields of the first record; 0 before it
    size_t line;
    size_t column;
    int pushed; // a byte taken back, or EOF
};

// GW_E_MEMORY. Give back with gw_csv_deinit.
GW_CHECK gw_status gw_csv_init(struct gw_csv *csv, const char *name, FILE *stream, gw_err *err);
void gw_csv_deinit(struct gw_csv *csv);

// Reads the next record; *ret_more false at the end. GW_E_MALFORMED with "name:line:column" in front: a quote where
// none may be, an open quote at the end, a NUL byte, a lone carriage return, another number of fields. GW_E_TOO_LARGE,
// GW_E_IO, GW_E_MEMORY.
GW_CHECK gw_status gw_csv_next(struct gw_csv *csv, bool *ret_more, gw_err *err);

// A field of the last record, unquoted; valid until the next one is read.
struct gw_slice gw_csv_field(const struct gw_csv *csv, size_t index);

// Appends a value, in quotes when it needs them.
GW_CHECK gw_status gw_csv_append(struct gw_buf *out, struct gw_slice value);
