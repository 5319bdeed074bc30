// SPDX-License-Identifier: MIT
#include "base/number.h"

#include "base/check.h"

#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(FLT_EVAL_METHOD == 0, "the fast path needs arithmetic that rounds to its own type");

enum {
    EXPONENT_MAX = 100000,     // far outside every range; more digits of exponent change nothing
    MANTISSA_DIGITS = 19,      // always fit 64 bits
    POWER_MAX = 22,            // 10^22 is the largest power of ten that a double holds exactly
    FLOAT_TAIL_BITS = 53 - 24, // bits of a double that a float has not
};

static const double powers[POWER_MAX + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                             1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    GW_ASSERT(c_locale != (locale_t)0); // "C" is built in: it needs neither files nor memory
}

static locale_t get_c_locale(void)
{
    pthread_once(&c_locale_once, make_c_locale);
    return c_locale;
}

static bool is_digit(const uint8_t *data, size_t size, size_t at)
{
    return at < size && (unsigned)(data[at] - '0') < 10;
}

// Appends the digits at `at` to the mantissa; returns the place behind them.
static size_t scan_digits(const uint8_t *data, size_t size, size_t at, struct gw_number *number, int *digits)
{
    for (; is_digit(data, size, at); at++) {
        if (*digits >= MANTISSA_DIGITS) {
            number->exact = false;
            continue;
        }
        number->mantissa = number->mantissa * 10 + (uint64_t)(data[at] - '0');
        *digits += number->mantissa > 0; // leading zeros are no digits
    }
    return at;
}

size_t gw_number_scan(const uint8_t *data, size_t size, struct gw_number *ret_number)
{
    struct gw_number number = {.text = data, .exact = true, .integral = true};
    int digits = 0;
    size_t at = 0;

    if (size > 0 && data[0] == '-') {
        number.negative = true;
        at++;
    }
    if (!is_digit(data, size, at)) {
        return 0;
    }
    at = data[at] == '0' ? at + 1 : scan_digits(data, size, at, &number, &digits);

    if (at < size && data[at] == '.') {
        if (!is_digit(data, size, at + 1)) {
            return 0;
        }
        size_t fraction = at + 1;
        at = scan_digits(data, size, fraction, &number, &digits);
        size_t length = at - fraction;
        number.exponent = length < EXPONENT_MAX ? -(int32_t)length : -EXPONENT_MAX;
        number.integral = false;
    }
    if (at < size && (data[at] == 'e' || data[at] == 'E')) {
        at++;
        bool minus = at < size && data[at] == '-';
        if (at < size && (data[at] == '-' || data[at] == '+')) {
            at++;
        }
        if (!is_digit(data, size, at)) {
            return 0;
        }
        int32_t exponent = 0;
        for (; is_digit(data, size, at); at++) {
            exponent = exponent < EXPONENT_MAX ? exponent * 10 + (data[at] - '0') : exponent;
        }
        number.exponent += minus ? -exponent : exponent;
        number.integral = false;
    }
    number.size = at;
    *ret_number = number;
    return at;
}

// False when the number is not for the fast path.
static bool fast_double(const struct gw_number *number, double *ret_value)
{
    if (!number->exact || number->mantissa > (UINT64_C(1) << 53) || number->exponent < -POWER_MAX ||
        number->exponent > POWER_MAX) {
        return false;
    }
    double value = (double)number->mantissa;
    value = number->exponent < 0 ? value / powers[-number->exponent] : value * powers[number->exponent];
    *ret_value = number->negative ? -value : value;
    return true;
}

// Copies the text so that it ends with a NUL.
static gw_status copy_text(const struct gw_number *number, char *to, gw_err *err)
{
    if (number->size > GW_NUMBER_TEXT_MAX) {
        return gw_fail(err, GW_E_TOO_LARGE, "number of %zu bytes, at most %d", number->size, GW_NUMBER_TEXT_MAX);
    }
    memcpy(to, number->text, number->size);
    to[number->size] = '\0';
    return GW_OK;
}

static gw_status out_of_range(const struct gw_number *number, const char *type, gw_err *err)
{
    return gw_fail(err, GW_E_INVALID, "number '%.*s' is out of the range of %s", (int)GW_MIN(number->size, 40),
                   (const char *)number->text, type);
}

gw_status gw_number_double(const struct gw_number *number, double *ret_value, gw_err *err)
{
    if (GW_LIKELY(fast_double(number, ret_value))) {
        return GW_OK;
    }
    char text[GW_NUMBER_TEXT_MAX + 1];
    GW_TRY(copy_text(number, text, err));
    double value = strtod_l(text, NULL, get_c_locale());
    if (isinf(value)) {
        return out_of_range(number, "a double", err);
    }
    *ret_value = value;
    return GW_OK;
}

gw_status gw_number_float(const struct gw_number *number, float *ret_value, gw_err *err)
{
    // Rounding to double and then to float rounds twice, which matters only when the double is exactly half way between
    // two floats: rounding is monotone, so otherwise number and double lie on the same side of every half-way point.
    double wide = 0;
    if (GW_LIKELY(fast_double(number, &wide))) {
        uint64_t bits = 0;
        memcpy(&bits, &wide, sizeof bits);
        uint64_t tail = bits & ((UINT64_C(1) << FLOAT_TAIL_BITS) - 1);
        bool half_way = tail == UINT64_C(1) << (FLOAT_TAIL_BITS - 1);
        double magnitude = fabs(wide);
        if (magnitude == 0 || (!half_way && magnitude >= (double)FLT_MIN && magnitude <= (double)FLT_MAX)) {
            *ret_value = (float)wide;
            return GW_OK;
        }
    }
    char text[GW_NUMBER_TEXT_MAX + 1];
    GW_TRY(copy_text(number, text, err));
    float value = strtof_l(text, NULL, get_c_locale());
    if (isinf(value)) {
        return out_of_range(number, "a float", err);
    }
    *ret_value = value;
    return GW_OK;
}

gw_status gw_number_i64(const struct gw_number *number, int64_t *ret_value, gw_err *err)
{
    if (!number->integral) {
        return gw_fail(err, GW_E_INVALID, "expected an integer, found '%.*s'", (int)GW_MIN(number->size, 40),
                       (const char *)number->text);
    }
    // 19 digits hold every int64, so an inexact mantissa is out of range.
    uint64_t bound = (uint64_t)INT64_MAX + (number->negative ? 1 : 0);
    if (!number->exact || number->mantissa > bound) {
        return out_of_range(number, "a 64-bit integer", err);
    }
    *ret_value = (int64_t)(number->negative ? -number->mantissa : number->mantissa);
    return GW_OK;
}

// Whole numbers below 2^53 need no search for digits.
static bool format_whole(double value, char *to, size_t *ret_length)
{
    if (fabs(value) >= 0x1p53 || value != trunc(value) || (value == 0 && signbit(value))) {
        return false;
    }
    *ret_length = (size_t)snprintf(to, GW_NUMBER_FORMAT_BYTES, "%" PRId64, (int64_t)value);
    return true;
}

size_t gw_number_format_double(double value, char *to)
{
    GW_ASSERT(isfinite(value));
    size_t length = 0;
    if (format_whole(value, to, &length)) {
        return length;
    }
    locale_t before = uselocale(get_c_locale());
    for (int digits = DBL_DIG; digits <= DBL_DECIMAL_DIG; digits++) {
        length = (size_t)snprintf(to, GW_NUMBER_FORMAT_BYTES, "%.*g", digits, value);
        if (strtod(to, NULL) == value) {
            break;
        }
    }
    uselocale(before);
    return length;
}

size_t gw_number_format_float(float value, char *to)
{
    GW_ASSERT(isfinite(value));
    size_t length = 0;
    if (fabsf(value) < 0x1p24f && format_whole((double)value, to, &length)) {
        return length;
    }
    locale_t before = uselocale(get_c_locale());
    for (int digits = FLT_DIG; digits <= FLT_DECIMAL_DIG; digits++) {
        length = (size_t)snprintf(to, GW_NUMBER_FORMAT_BYTES, "%.*g", digits, (double)value);
        if (strtof(to, NULL) == value) {
            break;
        }
    }
    uselocale(before);
    return length;
}
