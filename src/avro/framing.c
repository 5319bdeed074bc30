// SPDX-License-Identifier: MIT
#include "avro/framing.h"

gw_status gw_avro_frame_begin(struct gw_buf *out, uint32_t schema_id)
{
    uint8_t frame[GW_AVRO_FRAME_BYTES] = {0};
    gw_store_be32(frame + 1, schema_id);
    return gw_buf_append(out, frame, sizeof frame);
}

gw_status gw_avro_unframe(struct gw_slice value, uint32_t *ret_schema_id, struct gw_slice *ret_body, gw_err *err)
{
    if (value.size < GW_AVRO_FRAME_BYTES) {
        return gw_fail(err, GW_E_UNKNOWN_SCHEMA, "a value of %zu bytes carries no schema id", value.size);
    }
    if (value.data[0] != 0) {
        return gw_fail(err, GW_E_UNKNOWN_SCHEMA, "first byte 0x%02x, expected 0x00 before a schema id", value.data[0]);
    }
    *ret_schema_id = gw_load_be32(value.data + 1);
    *ret_body = gw_slice_make(value.data + GW_AVRO_FRAME_BYTES, value.size - GW_AVRO_FRAME_BYTES);
    return GW_OK;
}
