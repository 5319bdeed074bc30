// SPDX-License-Identifier: MIT
#include "avro/wire.h"

gw_status gw_avro_read_long_slow(struct gw_avro_reader *reader, int64_t *ret_value)
{
    uint64_t raw = 0;
    const uint8_t *at = reader->at;
    for (uint32_t shift = 0; shift < 70; shift += 7) { // ten bytes: a constant, so that the loop is unrolled
        if (at == reader->end) {
            return GW_E_MALFORMED;
        }
        uint8_t byte = *at++;
        if (shift == 63 && byte > 1) { // the tenth byte has room for one bit
            return GW_E_MALFORMED;
        }
        raw |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) {
            reader->at = at;
            *ret_value = gw_avro_unzigzag(raw);
            return GW_OK;
        }
    }
    return GW_E_MALFORMED;
}
