// SPDX-License-Identifier: MIT
// Decimal text to binary and back, correctly rounded, whatever locale a library may have set.
//
// Reading takes the fast path of Clinger, "How to Read Floating Point Numbers Accurately", PLDI 1990: a mantissa below
// 2^53 times or over a power of ten up to 10^22 is one exact operand each, so one division or multiplication rounds
// once. Everything else goes to the C library.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A number's text, taken apart: value = (-1)^negative * mantissa * 10^exponent when `exact`.
struct gw_number {
    const uint8_t *text; // borrowed
    size_t size;         // bytes of text
    uint64_t mantissa;
    int32_t exponent;
    bool negative;
    bool exact;    // false: more digits than the mantissa holds
    bool integral; // neither fraction nor exponent was written
};

// Longest text that is not taken by the fast path; correct rounding never needs more than 768 digits.
#define GW_NUMBER_TEXT_MAX 1100

// Scans the longest number by JSON's grammar at the start of data. Returns its size in bytes, 0 when there is none.
size_t gw_number_scan(const uint8_t *data, size_t size, struct gw_number *ret_number);

// GW_E_INVALID when the value is out of the type's range, GW_E_TOO_LARGE when its text is over GW_NUMBER_TEXT_MAX.
// Underflow gives the nearest value, possibly 0. gw_number_i64 also refuses a fraction or an exponent.
GW_CHECK gw_status gw_number_i64(const struct gw_number *number, int64_t *ret_value, gw_err *err);
GW_CHECK gw_status gw_number_double(const struct gw_number *number, double *ret_value, gw_err *err);
GW_CHECK gw_status gw_number_float(const struct gw_number *number, float *ret_value, gw_err *err); // rounds once

// Writes the shortest decimal text (of %g's forms) that reads back as the same value; `to` has room for
// GW_NUMBER_FORMAT_BYTES. The value is finite. Returns the length without the NUL.
#define GW_NUMBER_FORMAT_BYTES 32
size_t gw_number_format_double(double value, char *to);
size_t gw_number_format_float(float value, char *to);
