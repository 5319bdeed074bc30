// SPDX-License-Identifier: MIT
// UTF-8 by RFC 3629: shortest forms only, no surrogates, nothing above U+10FFFF.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Length (1 to 4) of the well-formed sequence at the start of data, or 0 when there is none.
size_t gw_utf8_length(const uint8_t *data, size_t size);

// True when all bytes are well-formed UTF-8.
bool gw_utf8_valid(const void *data, size_t size);

// Bytes of the longest start of the text, of bytes_max at most, that cuts no character in two.
size_t gw_utf8_fit(const char *text, size_t bytes_max);

// Writes the code point, a scalar value <= 0x10FFFF, to `to` (room for 4 bytes) and returns the bytes used.
size_t gw_utf8_encode(uint32_t code_point, uint8_t *to);
