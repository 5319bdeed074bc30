// SPDX-License-Identifier: MIT
#include "model/sha256.h"

#include "base/bytes.h"

#include <string.h>

// FIPS 180-4, 4.2.2: the fractional parts of the cube roots of the first 64 primes.
static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate_right(uint32_t x, unsigned count)
{
    return (x >> count) | (x << (32 - count));
}

// FIPS 180-4, 6.2.2.
static void compress(uint32_t state[8], const uint8_t block[64])
{
    uint32_t w[64];
    for (size_t t = 0; t < 16; t++) {
        w[t] = gw_load_be32(block + 4 * t);
    }
    for (size_t t = 16; t < 64; t++) {
        uint32_t s0 = rotate_right(w[t - 15], 7) ^ rotate_right(w[t - 15], 18) ^ (w[t - 15] >> 3);
        uint32_t s1 = rotate_right(w[t - 2], 17) ^ rotate_right(w[t - 2], 19) ^ (w[t - 2] >> 10);
        w[t] = s1 + w[t - 7] + s0 + w[t - 16];
    }

    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (size_t t = 0; t < 64; t++) {
        uint32_t sum1 = rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25);
        uint32_t t1 = h + sum1 + ((e & f) ^ (~e & g)) + round_constants[t] + w[t];
        uint32_t sum0 = rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22);
        uint32_t t2 = sum0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d + t1;
        d = c;
        c = b;
        b = a;
        a = t1 + t2;
    }

    const uint32_t sums[8] = {a, b, c, d, e, f, g, h};
    for (size_t i = 0; i < 8; i++) {
        state[i] += sums[i];
    }
}

void gw_sha256_init(struct gw_sha256 *sha)
{
    *sha = (struct gw_sha256){
        .state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void gw_sha256_update(struct gw_sha256 *sha, const void *data, size_t size)
{
    const uint8_t *from = data;
    size_t held = sha->byte_count % 64;
    sha->byte_count += size;

    if (held > 0) {
        size_t taken = GW_MIN(size, 64 - held);
        if (taken > 0) {
            memcpy(sha->block + held, from, taken);
        }
        if (held + taken < 64) {
            return;
        }
        compress(sha->state, sha->block);
        from += taken;
        size -= taken;
    }
    for (; size >= 64; from += 64, size -= 64) {
        compress(sha->state, from);
    }
    if (size > 0) {
        memcpy(sha->block, from, size);
    }
}

void gw_sha256_finish_hex(struct gw_sha256 *sha, char ret_hex[GW_SHA256_HEX_BYTES])
{
    static const uint8_t padding[64] = {0x80};
    uint8_t bit_count[8];
    gw_store_be64(bit_count, sha->byte_count * 8);
    size_t held = sha->byte_count % 64;
    gw_sha256_update(sha, padding, held < 56 ? 56 - held : 120 - held);
    gw_sha256_update(sha, bit_count, sizeof bit_count);

    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < 64; i++) {
        ret_hex[i] = digits[(sha->state[i / 8] >> (28 - 4 * (i % 8))) & 15];
    }
    ret_hex[64] = '\0';
}

void gw_sha256_hex(const void *data, size_t size, char ret_hex[GW_SHA256_HEX_BYTES])
{
    struct gw_sha256 sha;
    gw_sha256_init(&sha);
    gw_sha256_update(&sha, data, size);
    gw_sha256_finish_hex(&sha, ret_hex);
}
