// SPDX-License-Identifier: MIT
#include "model/ubjson.h"

#include "base/mem.h"
#include "support/testkit.h"

static const char *const no_names[] = {"secret"};

// Converts bytes given as a string literal of `size` bytes.
static gw_status convert(const char *bytes, size_t size, size_t limit, struct gw_buf *out, gw_err *err)
{
    const struct gw_ubjson_options options = {.skipped = no_names, .skipped_count = 1, .limit_bytes = limit};
    return gw_ubjson_to_json(gw_slice_make(bytes, size), &options, out, err);
}

#define BYTES(literal) (literal), sizeof(literal) - 1

static void assert_json(const char *bytes, size_t size, const char *expected)
{
    GW_CLEANUP(gw_buf_deinit) struct gw_buf out = {0};
    gw_err err = {0};
    assert_ok_err(convert(bytes, size, 1000, &out, &err), &err);
    assert_ok(gw_buf_append(&out, "", 1));
    assert_string_equal((const char *)out.data, expected);
}

static void assert_refused(const char *bytes, size_t size, gw_status status, const char *message)
{
    GW_CLEANUP(gw_buf_deinit) struct gw_buf out = {0};
    gw_err err = {0};
    assert_fails(convert(bytes, size, 64, &out, &err), status);
    if (strstr(err.message, message) == NULL) {
        print_error("'%s', expected '%s'\n", err.message, message);
        fail();
    }
}

static void values_of_every_type_become_json(void **state)
{
    (void)state;
    assert_json(BYTES("Z"), "null");
    assert_json(BYTES("[TF]"), "[true,false]");
    assert_json(BYTES("[i\xffU\xff]"), "[-1,255]");
    assert_json(BYTES("[I\x80\0I\x7f\xff]"), "[-32768,32767]");
    assert_json(BYTES("l\xff\xff\xff\xfe"), "-2");
    assert_json(BYTES("L\0\0\0\1\0\0\0\0"), "4294967296");
    assert_json(BYTES("[d\x3e\x80\0\0d\x80\0\0\0]"), "[0.25,-0]");
    assert_json(BYTES("D\x3f\xd0\0\0\0\0\0\0"), "0.25");
    assert_json(BYTES("[d\x7f\xc0\0\0d\x7f\x80\0\0d\xff\x80\0\0]"), "[NaN,Infinity,-Infinity]");
    assert_json(BYTES("SU\3a\"\n"), "\"a\\\"\\n\"");
    assert_json(BYTES("{}"), "{}");
    assert_json(BYTES("{i\1ai\1L\0\0\0\0\0\0\0\1b[]}"), "{\"a\":1,\"b\":[]}");
}

static void arrays_may_be_counted_or_typed(void **state)
{
    (void)state;
    assert_json(BYTES("{U\1a[#i\2i\1i\2U\1bZ}"), "{\"a\":[1,2],\"b\":null}");
    assert_json(BYTES("{U\1a[#i\0U\1bZ}"), "{\"a\":[],\"b\":null}");
    assert_json(BYTES("[$U#i\3\1\2\xff"), "[1,2,255]");
    assert_json(BYTES("[$d#i\2\x3f\x80\0\0\xbf\x80\0\0"), "[1,-1]");
    assert_json(BYTES("[$L#i\0"), "[]");
}

static void skipped_members_are_checked_but_not_written(void **state)
{
    (void)state;
    assert_json(BYTES("{U\6secret[$U#i\3\1\2\3U\1ai\1}"), "{\"a\":1}");
    assert_json(BYTES("{U\6secret{U\6secret{}U\1\"SU\1x}U\1ai\1}"), "{\"a\":1}");
    assert_refused(BYTES("{U\6secretH}"), GW_E_MALFORMED, "ubjson byte 9: expected a value, found byte 0x48");
    assert_refused(BYTES("{U\6secret[$U#i\4\1\2\3"), GW_E_MALFORMED, "an array is longer than the file");
}

static void broken_bytes_are_refused_with_the_place(void **state)
{
    (void)state;
    assert_refused(BYTES(""), GW_E_MALFORMED, "expected 1 more bytes, 0 are left");
    assert_refused(BYTES("{"), GW_E_MALFORMED, "expected 1 more bytes");
    assert_refused(BYTES("Cx"), GW_E_MALFORMED, "ubjson byte 0: expected a value, found byte 0x43");
    assert_refused(BYTES("N"), GW_E_MALFORMED, "expected a value");
}

static void counts_beyond_the_bytes_are_refused(void **state)
{
    (void)state;
    assert_refused(BYTES("Si\xff"), GW_E_MALFORMED, "a length is negative");
    assert_refused(BYTES("SL\x7f\xff\xff\xff\xff\xff\xff\xff"), GW_E_MALFORMED, "more bytes, 0 are left");
    assert_refused(BYTES("Sd\0\0\0\0"), GW_E_MALFORMED, "expected a length");
    assert_refused(BYTES("[$L#L\x7f\xff\xff\xff\xff\xff\xff\xff"), GW_E_MALFORMED, "longer than the file");
    assert_refused(BYTES("[#L\x7f\xff\xff\xff\xff\xff\xff\xff"), GW_E_MALFORMED, "expected 1 more bytes");
    assert_refused(BYTES("[$Z#i\1"), GW_E_MALFORMED, "expected a type of numbers");
    assert_refused(BYTES("[$i$i\1"), GW_E_MALFORMED, "expected '#'");
    assert_refused(BYTES("ZZ"), GW_E_MALFORMED, "ubjson byte 1: expected the end");
}

static void texts_and_keys_are_checked(void **state)
{
    (void)state;
    assert_refused(BYTES("Si\1\xff"), GW_E_MALFORMED, "ubjson byte 3: text is not UTF-8");
    assert_refused(BYTES("{i\1\"Z}"), GW_E_MALFORMED, "a key has a quote");
    assert_refused(BYTES("{i\1\0Z}"), GW_E_MALFORMED, "control character");
    char key[2 + 3 + 256 + 2] = "{I\1\0";
    memset(key + 4, 'k', 256);
    memcpy(key + 260, "Z}", 2);
    assert_refused(key, 262, GW_E_MALFORMED, "a key is too long");
}

static void depth_and_size_are_bounded(void **state)
{
    (void)state;
    char deep[GW_UBJSON_DEPTH_MAX + 1];
    memset(deep, '[', sizeof deep);
    assert_refused(deep, sizeof deep, GW_E_TOO_LARGE, "deeper than 32");
    char wide[6 + 70] = "[$U#i\x46"; // seventy numbers of a digit and a comma, the limit is 64 bytes
    assert_refused(wide, sizeof wide, GW_E_TOO_LARGE, "over 64 bytes as text");
}

GW_TESTS(values_of_every_type_become_json, arrays_may_be_counted_or_typed, skipped_members_are_checked_but_not_written,
         broken_bytes_are_refused_with_the_place, counts_beyond_the_bytes_are_refused, texts_and_keys_are_checked,
         depth_and_size_are_bounded)
