// SPDX-License-Identifier: MIT
// Byte ranges: a borrowed slice, a growable buffer, and big- and little-endian loads and stores.
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

// A borrowed range; data may be NULL only when size is 0.
struct gw_slice {
    const uint8_t *data;
    size_t size;
};

static inline struct gw_slice gw_slice_make(const void *data, size_t size)
{
    return (struct gw_slice){.data = (const uint8_t *)data, .size = size};
}

static inline struct gw_slice gw_slice_text(const char *text)
{
    return gw_slice_make(text, strlen(text));
}

static inline bool gw_slice_equal(struct gw_slice a, struct gw_slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool gw_slice_is(struct gw_slice slice, const char *text)
{
    return gw_slice_equal(slice, gw_slice_text(text));
}

// A growable byte buffer. Zero-initialised is empty and valid. The owner frees it with gw_buf_deinit.
struct gw_buf {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

void gw_buf_deinit(struct gw_buf *buf);

// Empties the buffer and keeps its memory.
static inline void gw_buf_clear(struct gw_buf *buf)
{
    buf->size = 0;
}

static inline struct gw_slice gw_buf_slice(const struct gw_buf *buf)
{
    return gw_slice_make(buf->data, buf->size);
}

// Makes room for `more` bytes behind the content. GW_E_MEMORY leaves the buffer as it was.
GW_CHECK gw_status gw_buf_reserve(struct gw_buf *buf, size_t more);

GW_CHECK gw_status gw_buf_append(struct gw_buf *buf, const void *data, size_t size);
GW_CHECK gw_status gw_buf_append_text(struct gw_buf *buf, const char *text);
GW_CHECK gw_status gw_buf_append_format(struct gw_buf *buf, const char *format, ...) GW_PRINTF(2, 3);

static inline void gw_store_be32(uint8_t *to, uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(to, &value, sizeof value);
}

static inline void gw_store_be64(uint8_t *to, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(to, &value, sizeof value);
}

static inline uint32_t gw_load_be32(const uint8_t *from)
{
    uint32_t value = 0;
    memcpy(&value, from, sizeof value);
    return __builtin_bswap32(value);
}

static inline uint64_t gw_load_be64(const uint8_t *from)
{
    uint64_t value = 0;
    memcpy(&value, from, sizeof value);
    return __builtin_bswap64(value);
}

// Little-endian is the order of the machines we support (x86-64, AArch64); macros.h users need no swap.
static inline uint64_t gw_load_le64(const uint8_t *from)
{
    uint64_t value = 0;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline void gw_store_le64(uint8_t *to, uint64_t value)
{
    memcpy(to, &value, sizeof value);
}

static inline uint32_t gw_load_le32(const uint8_t *from)
{
    uint32_t value = 0;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline void gw_store_le32(uint8_t *to, uint32_t value)
{
    memcpy(to, &value, sizeof value);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "row and vector bytes are little-endian in place");
