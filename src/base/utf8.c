// SPDX-License-Identifier: MIT
#include "base/utf8.h"

#include "base/check.h"

#include <string.h>

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

size_t gw_utf8_length(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    uint8_t lead = data[0];
    if (lead < 0x80) {
        return 1;
    }
    size_t length = 0;
    uint8_t second_min = 0x80; // the second byte carries what the lead byte cannot rule out
    uint8_t second_max = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) {
        length = 2;
    } else if (lead >= 0xe0 && lead <= 0xef) {
        length = 3;
        second_min = lead == 0xe0 ? 0xa0 : 0x80; // over-long forms
        second_max = lead == 0xed ? 0x9f : 0xbf; // surrogates
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        length = 4;
        second_min = lead == 0xf0 ? 0x90 : 0x80;
        second_max = lead == 0xf4 ? 0x8f : 0xbf; // above U+10FFFF
    }
    if (length == 0 || size < length || data[1] < second_min || data[1] > second_max) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if (!is_continuation(data[i])) {
            return 0;
        }
    }
    return length;
}

bool gw_utf8_valid(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t at = 0; at < size;) {
        size_t length = gw_utf8_length(bytes + at, size - at);
        if (length == 0) {
            return false;
        }
        at += length;
    }
    return true;
}

size_t gw_utf8_fit(const char *text, size_t bytes_max)
{
    size_t size = strnlen(text, bytes_max);
    while (size > 0 && is_continuation((uint8_t)text[size])) {
        size--;
    }
    return size;
}

size_t gw_utf8_encode(uint32_t code_point, uint8_t *to)
{
    GW_ASSERT(code_point <= 0x10ffff && (code_point < 0xd800 || code_point > 0xdfff));
    if (code_point < 0x80) {
        to[0] = (uint8_t)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        to[0] = (uint8_t)(0xc0 | (code_point >> 6));
        to[1] = (uint8_t)(0x80 | (code_point & 0x3f));
        return 2;
    }
    if (code_point < 0x10000) {
        to[0] = (uint8_t)(0xe0 | (code_point >> 12));
        to[1] = (uint8_t)(0x80 | ((code_point >> 6) & 0x3f));
        to[2] = (uint8_t)(0x80 | (code_point & 0x3f));
        return 3;
    }
    to[0] = (uint8_t)(0xf0 | (code_point >> 18));
    to[1] = (uint8_t)(0x80 | ((code_point >> 12) & 0x3f));
    to[2] = (uint8_t)(0x80 | ((code_point >> 6) & 0x3f));
    to[3] = (uint8_t)(0x80 | (code_point & 0x3f));
    return 4;
}
