// SPDX-License-Identifier: MIT
// Little-endian fields one after the other, for profiles and states. A failure is remembered until the end.
#pragma once

#include "base/bytes.h"

#include <string.h>

struct gw_drift_writer {
    struct gw_buf *out;
    gw_status status;
};

static inline void gw_drift_put(struct gw_drift_writer *writer, const void *data, size_t size)
{
    if (writer->status == GW_OK) {
        writer->status = gw_buf_append(writer->out, data, size);
    }
}

static inline void gw_drift_put_u32(struct gw_drift_writer *writer, uint32_t value)
{
    gw_drift_put(writer, &value, sizeof value);
}

static inline void gw_drift_put_u64(struct gw_drift_writer *writer, uint64_t value)
{
    gw_drift_put(writer, &value, sizeof value);
}

static inline void gw_drift_put_f64(struct gw_drift_writer *writer, double value)
{
    gw_drift_put(writer, &value, sizeof value);
}

// Reads behind the end give zeros and remember it; whoever reads checks `ok` before using a length.
struct gw_drift_reader {
    struct gw_slice bytes;
    size_t at;
    bool ok;
};

static inline void gw_drift_take(struct gw_drift_reader *reader, void *to, size_t size)
{
    if (!reader->ok || size > reader->bytes.size - reader->at) {
        reader->ok = false;
        memset(to, 0, size);
        return;
    }
    if (size > 0) {
        memcpy(to, reader->bytes.data + reader->at, size);
    }
    reader->at += size;
}

static inline uint32_t gw_drift_take_u32(struct gw_drift_reader *reader)
{
    uint32_t value = 0;
    gw_drift_take(reader, &value, sizeof value);
    return value;
}

static inline uint64_t gw_drift_take_u64(struct gw_drift_reader *reader)
{
    uint64_t value = 0;
    gw_drift_take(reader, &value, sizeof value);
    return value;
}

static inline double gw_drift_take_f64(struct gw_drift_reader *reader)
{
    double value = 0.0;
    gw_drift_take(reader, &value, sizeof value);
    return value;
}
