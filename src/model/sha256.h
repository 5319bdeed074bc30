// SPDX-License-Identifier: MIT
// SHA-256 (FIPS 180-4): the digests by which bundles and their files are named.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define GW_SHA256_BYTES     32
#define GW_SHA256_HEX_BYTES 65 // 64 lower-case digits and a NUL

// On the owner's stack; gw_sha256_init makes it valid.
struct gw_sha256 {
    uint32_t state[8];
    uint64_t byte_count; // taken so far
    uint8_t block[64];   // the last byte_count mod 64 bytes
};

void gw_sha256_init(struct gw_sha256 *sha);
void gw_sha256_update(struct gw_sha256 *sha, const void *data, size_t size);

// Writes the digest as lower-case hex. The state is used up: call gw_sha256_init before the next message.
void gw_sha256_finish_hex(struct gw_sha256 *sha, char ret_hex[GW_SHA256_HEX_BYTES]);

// The whole message at once.
void gw_sha256_hex(const void *data, size_t size, char ret_hex[GW_SHA256_HEX_BYTES]);
