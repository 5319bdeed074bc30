// SPDX-License-Identifier: MIT
#include "store/rows.h"

size_t gw_row_key_bytes(const struct gw_row_key *key, uint8_t *bytes)
{
    bytes[0] = key->view;
    gw_store_be64(bytes + 1, (uint64_t)key->id[0]);
    gw_store_be64(bytes + 9, (uint64_t)key->id[1]);
    return 1 + (size_t)key->id_count * 8;
}

gw_status gw_row_key_parse(struct gw_slice bytes, struct gw_row_key *ret_key)
{
    if (bytes.size != 9 && bytes.size != 17) {
        return GW_E_MALFORMED;
    }
    *ret_key = (struct gw_row_key){.view = bytes.data[0],
                                   .id_count = bytes.size == 17 ? 2 : 1,
                                   .id = {(int64_t)gw_load_be64(bytes.data + 1), 0}};
    if (bytes.size == 17) {
        ret_key->id[1] = (int64_t)gw_load_be64(bytes.data + 9);
    }
    return GW_OK;
}
