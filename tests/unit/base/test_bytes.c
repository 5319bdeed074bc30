// SPDX-License-Identifier: MIT
#include "base/bytes.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "support/testkit.h"

static void buffer_grows_and_keeps_its_content(void **state)
{
    (void)state;
    struct gw_buf buf = {0};
    for (int i = 0; i < 1000; i++) {
        assert_ok(gw_buf_append_format(&buf, "%03d,", i));
    }
    assert_int_equal(buf.size, 4000);
    assert_memory_equal(buf.data + 3996, "999,", 4);
    gw_buf_clear(&buf);
    assert_ok(gw_buf_append_text(&buf, "x"));
    assert_ok(gw_buf_append(&buf, NULL, 0));
    assert_true(gw_slice_is(gw_buf_slice(&buf), "x"));
    gw_buf_deinit(&buf);
    assert_null(buf.data);
}

static void failed_growth_leaves_the_buffer_as_it_was(void **state)
{
    (void)state;
    struct gw_buf buf = {0};
    assert_ok(gw_buf_append_text(&buf, "keep"));
    char large[1000] = {0};
    gw_mem_fail_nth(1);
    assert_fails(gw_buf_append(&buf, large, sizeof large), GW_E_MEMORY);
    gw_mem_fail_nth(0);
    assert_fails(gw_buf_reserve(&buf, SIZE_MAX), GW_E_MEMORY);
    assert_true(gw_slice_is(gw_buf_slice(&buf), "keep"));
    gw_buf_deinit(&buf);
}

static void slices_compare_by_content(void **state)
{
    (void)state;
    assert_true(gw_slice_equal(gw_slice_make(NULL, 0), gw_slice_text("")));
    assert_true(gw_slice_is(gw_slice_make("abcd", 3), "abc"));
    assert_false(gw_slice_is(gw_slice_make("abcd", 3), "abd"));
    assert_false(gw_slice_is(gw_slice_make("abcd", 3), "ab"));
}

static void loads_and_stores_name_their_byte_order(void **state)
{
    (void)state;
    uint8_t bytes[8];
    gw_store_be64(bytes, 0x0102030405060708u);
    assert_memory_equal(bytes, "\1\2\3\4\5\6\7\10", 8);
    assert_true(gw_load_be64(bytes) == 0x0102030405060708u);
    assert_int_equal(gw_load_be32(bytes), 0x01020304);
    assert_int_equal(gw_load_le32(bytes), 0x04030201);
    assert_true(gw_load_le64(bytes) == 0x0807060504030201u);
    gw_store_be32(bytes, 7);
    assert_memory_equal(bytes, "\0\0\0\7", 4);
    gw_store_le32(bytes, 7);
    assert_memory_equal(bytes, "\7\0\0\0", 4);
    gw_store_le64(bytes, 7);
    assert_memory_equal(bytes, "\7\0\0\0\0\0\0\0", 8);
}

static void utf8_accepts_exactly_the_scalar_values(void **state)
{
    (void)state;
    for (uint32_t point = 0; point <= 0x10ffff; point++) {
        uint8_t bytes[4];
        if (point >= 0xd800 && point <= 0xdfff) {
            continue;
        }
        size_t length = gw_utf8_encode(point, bytes);
        if (gw_utf8_length(bytes, 4) != length || gw_utf8_length(bytes, length) != length ||
            (length > 1 && gw_utf8_length(bytes, length - 1) != 0)) {
            fail_msg("U+%04X", point);
        }
    }
    static const char *const refused[] = {
        "\x80",         "\xbf",         "\xc0\x80",         "\xc1\xbf",         "\xe0\x9f\xbf",
        "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xff",         "\xe2\x28\xa1", "\xe2\x82\x28",
    };
    for (size_t i = 0; i < GW_COUNT_OF(refused); i++) {
        assert_false(gw_utf8_valid(refused[i], strlen(refused[i])));
    }
    assert_true(gw_utf8_valid("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10));
    assert_false(gw_utf8_valid("a\xc3\xa9\xe2\x82", 5));
}

static void utf8_is_cut_between_characters(void **state)
{
    (void)state;
    static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"; // of 1 to 4 bytes
    static const size_t fits[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10, 10};
    for (size_t i = 0; i < GW_COUNT_OF(fits); i++) {
        assert_int_equal(gw_utf8_fit(text, i), fits[i]);
    }
    assert_int_equal(gw_utf8_fit("", 5), 0);
}

GW_TESTS(buffer_grows_and_keeps_its_content, failed_growth_leaves_the_buffer_as_it_was, slices_compare_by_content,
         loads_and_stores_name_their_byte_order, utf8_accepts_exactly_the_scalar_values, utf8_is_cut_between_characters)
