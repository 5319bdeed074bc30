// SPDX-License-Identifier: MIT
// Confluent's wire format: 0x00, the schema's id as 4 bytes big-endian, the Avro body.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define GW_AVRO_FRAME_BYTES 5

// Appends the frame; the body is encoded behind it.
GW_CHECK gw_status gw_avro_frame_begin(struct gw_buf *out, uint32_t schema_id);

// GW_E_UNKNOWN_SCHEMA when `value` is not framed so.
GW_CHECK gw_status gw_avro_unframe(struct gw_slice value, uint32_t *ret_schema_id, struct gw_slice *ret_body,
                                   gw_err *err);
