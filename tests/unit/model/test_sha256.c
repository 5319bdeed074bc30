// SPDX-License-Identifier: MIT
// Vectors: FIPS 180-2 appendix B, and NIST's SHA256ShortMsg for the empty message.
#include "model/sha256.h"
#include "support/testkit.h"

#include <string.h>

static void digests_equal_the_standards_examples(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        const char *digest;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        char hex[GW_SHA256_HEX_BYTES];
        gw_sha256_hex(cases[i].message, strlen(cases[i].message), hex);
        assert_string_equal(hex, cases[i].digest);
    }
}

static void a_million_letters_in_uneven_pieces(void **state)
{
    (void)state;
    char piece[997];
    memset(piece, 'a', sizeof piece);
    struct gw_sha256 sha;
    gw_sha256_init(&sha);
    size_t left = 1000000;
    for (size_t size = 1; left > 0; size = size % sizeof piece + 1) {
        size_t taken = GW_MIN(size, left);
        gw_sha256_update(&sha, piece, taken);
        left -= taken;
    }
    char hex[GW_SHA256_HEX_BYTES];
    gw_sha256_finish_hex(&sha, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void every_length_around_a_block_is_split_alike(void **state)
{
    (void)state;
    uint8_t message[200];
    for (size_t i = 0; i < sizeof message; i++) {
        message[i] = (uint8_t)i;
    }
    for (size_t size = 0; size <= sizeof message; size++) {
        char whole[GW_SHA256_HEX_BYTES];
        char split[GW_SHA256_HEX_BYTES];
        struct gw_sha256 sha;
        gw_sha256_hex(message, size, whole);
        gw_sha256_init(&sha);
        for (size_t i = 0; i < size; i++) {
            gw_sha256_update(&sha, message + i, 1);
        }
        gw_sha256_finish_hex(&sha, split);
        assert_string_equal(whole, split);
    }
}

GW_TESTS(digests_equal_the_standards_examples, a_million_letters_in_uneven_pieces,
         every_length_around_a_block_is_split_alike)
