// SPDX-License-Identifier: MIT
#include "quality/number_codec.h"

#include <math.h>

gw_status gw_numbers_encode(uint8_t format, const uint64_t *counts, size_t count_count, const double *numbers,
                            size_t number_count, struct gw_buf *buf)
{
    GW_TRY(gw_buf_reserve(buf, 1 + 8 * (count_count + number_count)));
    GW_TRY(gw_buf_append(buf, &format, 1));
    for (size_t i = 0; i < count_count; i++) {
        uint8_t bytes[8];
        gw_store_le64(bytes, counts[i]);
        GW_TRY(gw_buf_append(buf, bytes, sizeof bytes));
    }
    for (size_t i = 0; i < number_count; i++) {
        GW_TRY(gw_buf_append(buf, &numbers[i], sizeof numbers[i])); // little-endian machines only, see base/bytes.h
    }
    return GW_OK;
}

gw_status gw_numbers_decode(struct gw_slice bytes, uint8_t format, uint64_t *ret_counts, size_t count_count,
                            double *ret_numbers, size_t number_count, gw_err *err)
{
    if (bytes.size != 1 + 8 * (count_count + number_count) || bytes.data[0] != format) {
        return gw_fail(err, GW_E_MALFORMED, "not a state of kind '%c': %zu bytes", format, bytes.size);
    }
    const uint8_t *from = bytes.data + 1;
    for (size_t i = 0; i < count_count; i++, from += 8) {
        ret_counts[i] = gw_load_le64(from);
    }
    for (size_t i = 0; i < number_count; i++, from += 8) {
        memcpy(&ret_numbers[i], from, sizeof ret_numbers[i]);
        if (!isfinite(ret_numbers[i])) {
            return gw_fail(err, GW_E_MALFORMED, "number %zu of a state of kind '%c' is not finite", i, format);
        }
    }
    return GW_OK;
}
