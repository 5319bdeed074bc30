// SPDX-License-Identifier: MIT
#include "avro/wire.h"

gw_status gw_avro_read_long_slow(struct gw_avro_reader *reader, int64_t *ret_value)
{
    uint64_t raw = 0;
    const uint8_t *at = reader->at;
    for (uint32_t shift = 0; shift < 70; shift += 7) {
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

gw_status gw_avro_read_block(struct gw_avro_reader *reader, size_t item_bytes_min, uint32_t have, uint32_t *ret_count)
{
    int64_t count = 0;
    int64_t bytes = 0;
    if (gw_avro_read_long(reader, &count) != GW_OK || count == INT64_MIN) {
        return GW_E_MALFORMED;
    }
    if (count < 0) {
        count = -count;
        if (gw_avro_read_long(reader, &bytes) != GW_OK || bytes < 0 || (uint64_t)bytes > gw_avro_left(reader)) {
            return GW_E_MALFORMED;
        }
    }
    if ((uint64_t)count > GW_AVRO_ITEMS_MAX - have ||
        (item_bytes_min > 0 && (uint64_t)count > gw_avro_left(reader) / item_bytes_min)) {
        return GW_E_MALFORMED;
    }
    *ret_count = (uint32_t)count;
    return GW_OK;
}

void *gw_avro_grow(struct gw_arena *arena, void *items, uint32_t have, uint32_t more, size_t size)
{
    void *grown = gw_arena_array(arena, (size_t)have + more, size);
    if (grown != NULL && have > 0) {
        memcpy(grown, items, have * size);
    }
    return grown;
}
