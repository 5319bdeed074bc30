// SPDX-License-Identifier: MIT
// The value parsers of ini.h.
#include "base/ini.h"

#include "base/number.h"

#include <string.h>
#include <strings.h>

struct unit {
    const char *name;
    uint64_t factor;
};

// Parses digits and one of the units; an empty unit name stands for none.
static gw_status parse_with_unit(const char *text, const struct unit *units, size_t unit_count, const char *expected,
                                 uint64_t *ret_value, gw_err *err)
{
    uint64_t value = 0;
    size_t digits = 0;
    bool overflow = false;
    for (; text[digits] >= '0' && text[digits] <= '9'; digits++) {
        overflow |= __builtin_mul_overflow(value, UINT64_C(10), &value);
        overflow |= __builtin_add_overflow(value, (uint64_t)(text[digits] - '0'), &value);
    }
    for (size_t i = 0; digits > 0 && i < unit_count; i++) {
        if (strcasecmp(text + digits, units[i].name) == 0) {
            overflow |= __builtin_mul_overflow(value, units[i].factor, &value);
            if (overflow || value > INT64_MAX) {
                return gw_fail(err, GW_E_MALFORMED, "'%s' is too large", text);
            }
            *ret_value = value;
            return GW_OK;
        }
    }
    return gw_fail(err, GW_E_MALFORMED, "'%s' is no %s", text, expected);
}

gw_status gw_parse_duration_us(const char *text, int64_t *ret_us, gw_err *err)
{
    static const struct unit units[] = {
        {"us", 1},
        {"ms", 1000},
        {"s", UINT64_C(1000000)},
        {"m", UINT64_C(60000000)},
        {"h", UINT64_C(3600000000)},
        {"d", UINT64_C(86400000000)},
    };
    uint64_t us = 0;
    GW_TRY(parse_with_unit(text, units, GW_COUNT_OF(units), "duration such as 250ms, 30s, 15m, 2h, 50d", &us, err));
    *ret_us = (int64_t)us;
    return GW_OK;
}

gw_status gw_parse_bytes(const char *text, uint64_t *ret_bytes, gw_err *err)
{
    static const struct unit units[] = {
        {"", 1},
        {"b", 1},
        {"k", UINT64_C(1) << 10},
        {"kb", UINT64_C(1) << 10},
        {"kib", UINT64_C(1) << 10},
        {"m", UINT64_C(1) << 20},
        {"mb", UINT64_C(1) << 20},
        {"mib", UINT64_C(1) << 20},
        {"g", UINT64_C(1) << 30},
        {"gb", UINT64_C(1) << 30},
        {"gib", UINT64_C(1) << 30},
        {"t", UINT64_C(1) << 40},
        {"tb", UINT64_C(1) << 40},
        {"tib", UINT64_C(1) << 40},
    };
    return parse_with_unit(text, units, GW_COUNT_OF(units), "size such as 64k, 16MiB, 1GB", ret_bytes, err);
}

// Scans the whole of `text` as one number.
static gw_status scan_whole(const char *text, const char *expected, struct gw_number *ret_number, gw_err *err)
{
    size_t size = strlen(text);
    if (size == 0 || gw_number_scan((const uint8_t *)text, size, ret_number) != size) {
        return gw_fail(err, GW_E_MALFORMED, "'%s' is no %s", text, expected);
    }
    return GW_OK;
}

gw_status gw_parse_i64(const char *text, int64_t *ret_value, gw_err *err)
{
    struct gw_number number = {0};
    GW_TRY(scan_whole(text, "integer", &number, err));
    if (!number.integral) {
        return gw_fail(err, GW_E_MALFORMED, "'%s' is no integer", text);
    }
    return gw_number_i64(&number, ret_value, err);
}

gw_status gw_parse_double(const char *text, double *ret_value, gw_err *err)
{
    struct gw_number number = {0};
    GW_TRY(scan_whole(text, "number", &number, err));
    return gw_number_double(&number, ret_value, err);
}
