// SPDX-License-Identifier: MIT
// Avro's binary encoding (Apache Avro 1.11 specification, "Binary Encoding"): a bounded reader and a writer.
//
// The reader never reads past its end and never trusts a length. Failures are GW_E_MALFORMED and leave the result as it
// was; callers put the field's name in front. Varints longer than they need to be are accepted, up to ten bytes.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <string.h>

// Lives on a decoder's stack; the bytes are borrowed.
struct gw_avro_reader {
    const uint8_t *at;
    const uint8_t *end;
};

static inline struct gw_avro_reader gw_avro_reader_make(struct gw_slice in)
{
    static const uint8_t nothing[1]; // an empty slice may have no address
    const uint8_t *at = in.size > 0 ? in.data : nothing;
    return (struct gw_avro_reader){.at = at, .end = at + in.size};
}

static inline size_t gw_avro_left(const struct gw_avro_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

// gw_avro_read_long for values of more than one byte.
GW_CHECK gw_status gw_avro_read_long_slow(struct gw_avro_reader *reader, int64_t *ret_value);

static inline int64_t gw_avro_unzigzag(uint64_t raw)
{
    return (int64_t)(raw >> 1 ^ -(raw & 1));
}

GW_CHECK static inline gw_status gw_avro_read_long(struct gw_avro_reader *reader, int64_t *ret_value)
{
    if (GW_LIKELY(reader->at < reader->end && *reader->at < 128)) {
        *ret_value = gw_avro_unzigzag(*reader->at++);
        return GW_OK;
    }
    return gw_avro_read_long_slow(reader, ret_value);
}

GW_CHECK static inline gw_status gw_avro_read_int(struct gw_avro_reader *reader, int32_t *ret_value)
{
    int64_t value = 0;
    if (gw_avro_read_long(reader, &value) != GW_OK || value < INT32_MIN || value > INT32_MAX) {
        return GW_E_MALFORMED;
    }
    *ret_value = (int32_t)value;
    return GW_OK;
}

// For enums and union branches: [0, count).
GW_CHECK static inline gw_status gw_avro_read_index(struct gw_avro_reader *reader, uint32_t count, uint32_t *ret_index)
{
    int64_t value = 0;
    if (gw_avro_read_long(reader, &value) != GW_OK || value < 0 || value >= (int64_t)count) {
        return GW_E_MALFORMED;
    }
    *ret_index = (uint32_t)value;
    return GW_OK;
}

GW_CHECK static inline gw_status gw_avro_read_raw(struct gw_avro_reader *reader, void *to, size_t size)
{
    if (gw_avro_left(reader) < size) {
        return GW_E_MALFORMED;
    }
    memcpy(to, reader->at, size);
    reader->at += size;
    return GW_OK;
}

GW_CHECK static inline gw_status gw_avro_read_float(struct gw_avro_reader *reader, float *ret_value)
{
    return gw_avro_read_raw(reader, ret_value, sizeof *ret_value);
}

GW_CHECK static inline gw_status gw_avro_read_double(struct gw_avro_reader *reader, double *ret_value)
{
    return gw_avro_read_raw(reader, ret_value, sizeof *ret_value);
}

GW_CHECK static inline gw_status gw_avro_read_bool(struct gw_avro_reader *reader, bool *ret_value)
{
    if (reader->at == reader->end || *reader->at > 1) {
        return GW_E_MALFORMED;
    }
    *ret_value = *reader->at++ == 1;
    return GW_OK;
}

// bytes and string: a slice of the input.
GW_CHECK static inline gw_status gw_avro_read_bytes(struct gw_avro_reader *reader, struct gw_slice *ret_bytes)
{
    int64_t size = 0;
    if (gw_avro_read_long(reader, &size) != GW_OK || size < 0 || (uint64_t)size > gw_avro_left(reader)) {
        return GW_E_MALFORMED;
    }
    *ret_bytes = gw_slice_make(reader->at, (size_t)size);
    reader->at += size;
    return GW_OK;
}

// ---- writing --------------------------------------------------------------------------------------------------------

enum { GW_AVRO_LONG_BYTES_MAX = 10 };

// The caller has reserved GW_AVRO_LONG_BYTES_MAX bytes.
static inline void gw_avro_put_long(struct gw_buf *out, int64_t value)
{
    uint64_t raw = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
    uint8_t *to = out->data + out->size;
    while (raw >= 128) {
        *to++ = (uint8_t)(raw | 128);
        raw >>= 7;
    }
    *to++ = (uint8_t)raw;
    out->size = (size_t)(to - out->data);
}

// The caller has reserved `size` bytes.
static inline void gw_avro_put_raw(struct gw_buf *out, const void *from, size_t size)
{
    if (size > 0) {
        memcpy(out->data + out->size, from, size);
        out->size += size;
    }
}

// The caller has reserved GW_AVRO_LONG_BYTES_MAX + bytes.size.
static inline void gw_avro_put_bytes(struct gw_buf *out, struct gw_slice bytes)
{
    gw_avro_put_long(out, (int64_t)bytes.size);
    gw_avro_put_raw(out, bytes.data, bytes.size);
}
