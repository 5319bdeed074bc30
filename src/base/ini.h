// SPDX-License-Identifier: MIT
// INI text: `[section]`, `key = value`, comments from `#` or `;` at the start of a line. Values keep inner spaces; a line
// that starts with white space continues the value above, joined by one space; an empty line ends it. Pairs before the
// first header are in section "". Repeated keys and sections are the visitor's to refuse. Bounded: line 4 KiB, value
// 64 KiB, text 4 MiB. Text is UTF-8, no NUL.
#pragma once

#include "base/err.h"

#include <stddef.h>

// Called for each section header (key NULL, value NULL) and each pair, in file order. Strings are borrowed for the call.
// A status other than GW_OK stops the parse and is returned, with "name:line" put in front of the message.
typedef gw_status (*gw_ini_visit)(void *context, const char *section, const char *key, const char *value, int line,
                                  gw_err *err);

// `name` is used in messages ("schemas/features.ini:12: ..."). GW_E_MALFORMED with the line otherwise.
GW_CHECK gw_status gw_ini_parse(const char *name, const char *text, size_t size, gw_ini_visit visit, void *context,
                                gw_err *err);

// Reads a file whole (at most limit_bytes). Gives a NUL-terminated buffer in *ret_text; free with gw_mem_free.
// GW_E_NOT_FOUND, GW_E_TOO_LARGE or GW_E_IO.
GW_CHECK gw_status gw_file_read(const char *path, size_t limit_bytes, char **ret_text, size_t *ret_size, gw_err *err);

// Parses "500us", "250ms", "30s", "15m", "2h", "50d" into microseconds; GW_E_MALFORMED otherwise. No sign, no fraction.
GW_CHECK gw_status gw_parse_duration_us(const char *text, int64_t *ret_us, gw_err *err);

// Parses "64", "64k", "16MiB", "1GB" (powers of 1024, any case) into bytes; GW_E_MALFORMED otherwise.
GW_CHECK gw_status gw_parse_bytes(const char *text, uint64_t *ret_bytes, gw_err *err);

// Whole-string parses by JSON's number grammar: GW_E_MALFORMED, or GW_E_INVALID when out of range. No NaN, no infinity.
GW_CHECK gw_status gw_parse_i64(const char *text, int64_t *ret_value, gw_err *err);
GW_CHECK gw_status gw_parse_double(const char *text, double *ret_value, gw_err *err);
