// SPDX-License-Identifier: MIT
// JSON (RFC 8259) without allocation: a pull reader over borrowed bytes and a writer into a gw_buf.
//
// The reader is used on hot request bodies and on model files of many megabytes. It is strict: UTF-8 checked, depth
// bounded, no trailing text, numbers by the grammar; it reports the byte offset of an error. Duplicate keys are the
// caller's to see (gw_json_key gives keys in order).
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum gw_json_kind {
    GW_JSON_NULL,
    GW_JSON_BOOL,
    GW_JSON_NUMBER,
    GW_JSON_STRING,
    GW_JSON_ARRAY,
    GW_JSON_OBJECT,
};

#define GW_JSON_DEPTH_MAX 64

// Owned by the caller, on the stack. Input bytes are borrowed for the reader's life.
struct gw_json {
    const uint8_t *data;
    size_t size;
    size_t at;
    uint32_t depth;
    bool lenient_numbers;              // also accept NaN, Infinity, -Infinity (XGBoost writes them)
    uint8_t stack[GW_JSON_DEPTH_MAX];  // per level: container kind and whether a comma is due
};

void gw_json_init(struct gw_json *json, struct gw_slice text);

// Kind of the value that comes next (skips white space). GW_E_MALFORMED at the end or on a stray byte.
GW_CHECK gw_status gw_json_peek(struct gw_json *json, enum gw_json_kind *ret_kind, gw_err *err);

// Enters an object or array. Afterwards loop: `while (more)`:
//   GW_TRY(gw_json_next(json, &more, err)); if (!more) break;  [in objects: gw_json_key(...)]; read exactly one value.
// gw_json_next consumes the separating comma, and the closing bracket when it sets *ret_more to false.
GW_CHECK gw_status gw_json_enter(struct gw_json *json, enum gw_json_kind kind, gw_err *err);
GW_CHECK gw_status gw_json_next(struct gw_json *json, bool *ret_more, gw_err *err);

// Reads an object key and its colon. *ret_key points into the text when the key has no escapes; keys with escapes are
// refused as GW_E_INVALID (no API of ours has such keys).
GW_CHECK gw_status gw_json_key(struct gw_json *json, struct gw_slice *ret_key, gw_err *err);

// Scalars. A value of another kind is GW_E_INVALID naming both kinds.
GW_CHECK gw_status gw_json_null(struct gw_json *json, gw_err *err);
GW_CHECK gw_status gw_json_bool(struct gw_json *json, bool *ret_value, gw_err *err);
GW_CHECK gw_status gw_json_i64(struct gw_json *json, int64_t *ret_value, gw_err *err); // refuses fraction, exponent
GW_CHECK gw_status gw_json_double(struct gw_json *json, double *ret_value, gw_err *err);
GW_CHECK gw_status gw_json_float(struct gw_json *json, float *ret_value, gw_err *err); // rounds once, like strtof

// The raw text of a number or string between its quotes, escapes untouched.
GW_CHECK gw_status gw_json_raw(struct gw_json *json, struct gw_slice *ret_raw, gw_err *err);

// Decodes a string into *out (replaced; a NUL is put behind, not counted). Refuses over limit bytes: GW_E_TOO_LARGE, and
// U+0000: GW_E_INVALID, so that the text is also a C string. *out is empty after a failure.
GW_CHECK gw_status gw_json_string(struct gw_json *json, struct gw_buf *out, size_t limit, gw_err *err);

// Skips one value of any kind.
GW_CHECK gw_status gw_json_skip(struct gw_json *json, gw_err *err);

// After the top value: only white space may follow.
GW_CHECK gw_status gw_json_end(struct gw_json *json, gw_err *err);

// Writer: remembers the first failure (memory) and returns it from finish, so calls chain without checks.
struct gw_json_writer {
    struct gw_buf *out;                // borrowed; text is appended
    gw_status status;
    uint32_t depth;
    uint8_t comma_due[GW_JSON_DEPTH_MAX];
    bool after_key;
};

void gw_json_writer_init(struct gw_json_writer *writer, struct gw_buf *out);
void gw_json_object_begin(struct gw_json_writer *writer);
void gw_json_object_end(struct gw_json_writer *writer);
void gw_json_array_begin(struct gw_json_writer *writer);
void gw_json_array_end(struct gw_json_writer *writer);
void gw_json_write_key(struct gw_json_writer *writer, const char *key); // key needs no escape
void gw_json_write_string(struct gw_json_writer *writer, struct gw_slice text); // escapes; invalid UTF-8 -> U+FFFD
void gw_json_write_text(struct gw_json_writer *writer, const char *text);
void gw_json_write_i64(struct gw_json_writer *writer, int64_t value);
void gw_json_write_u64(struct gw_json_writer *writer, uint64_t value);
void gw_json_write_id(struct gw_json_writer *writer, int64_t id); // as a string: ids exceed 2^53
void gw_json_write_double(struct gw_json_writer *writer, double value); // shortest that reads back; NaN, inf -> null
void gw_json_write_float(struct gw_json_writer *writer, float value);   // shortest that reads back as float
void gw_json_write_bool(struct gw_json_writer *writer, bool value);
void gw_json_write_null(struct gw_json_writer *writer);
void gw_json_write_raw(struct gw_json_writer *writer, struct gw_slice json_text); // one whole value, trusted
GW_CHECK gw_status gw_json_writer_finish(struct gw_json_writer *writer, gw_err *err);
