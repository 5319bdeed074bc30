// SPDX-License-Identifier: MIT
#include "base/bytes.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

void gw_buf_deinit(struct gw_buf *buf)
{
    gw_mem_free(buf->data);
    *buf = (struct gw_buf){0};
}

gw_status gw_buf_reserve(struct gw_buf *buf, size_t more)
{
    size_t needed = 0;
    if (__builtin_add_overflow(buf->size, more, &needed)) {
        return GW_E_MEMORY;
    }
    if (needed <= buf->capacity) {
        return GW_OK;
    }
    size_t capacity = buf->capacity < 64 ? 64 : buf->capacity;
    while (capacity < needed) {
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    }
    uint8_t *data = gw_mem_realloc(buf->data, capacity, 1);
    if (data == NULL) {
        return GW_E_MEMORY;
    }
    buf->data = data;
    buf->capacity = capacity;
    return GW_OK;
}

gw_status gw_buf_append(struct gw_buf *buf, const void *data, size_t size)
{
    GW_TRY(gw_buf_reserve(buf, size));
    if (size > 0) {
        memcpy(buf->data + buf->size, data, size);
    }
    buf->size += size;
    return GW_OK;
}

gw_status gw_buf_append_text(struct gw_buf *buf, const char *text)
{
    return gw_buf_append(buf, text, strlen(text));
}

gw_status gw_buf_append_format(struct gw_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0) {
        return GW_E_INTERNAL;
    }
    GW_TRY(gw_buf_reserve(buf, (size_t)length + 1));
    va_start(args, format);
    vsnprintf((char *)buf->data + buf->size, (size_t)length + 1, format, args);
    va_end(args);
    buf->size += (size_t)length;
    return GW_OK;
}
