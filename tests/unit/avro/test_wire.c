// SPDX-License-Identifier: MIT
#include "avro/framing.h"
#include "avro/wire.h"
#include "support/testkit.h"

#include <math.h>

#define BYTES(...) gw_slice_make((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void longs_survive_at_every_length(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 64; bits++) {
        const int64_t values[] = {(int64_t)(UINT64_C(1) << bits), (int64_t)((UINT64_C(1) << bits) - 1),
                                  (int64_t)(0 - (UINT64_C(1) << bits)), (int64_t) ~(UINT64_C(1) << bits)};
        for (size_t i = 0; i < GW_COUNT_OF(values); i++) {
            struct gw_buf out = {0};
            int64_t value = 0;
            assert_ok(gw_buf_reserve(&out, GW_AVRO_LONG_BYTES_MAX));
            gw_avro_put_long(&out, values[i]);
            assert_in_range(out.size, 1, GW_AVRO_LONG_BYTES_MAX);
            struct gw_avro_reader reader = gw_avro_reader_make(gw_buf_slice(&out));
            assert_ok(gw_avro_read_long(&reader, &value));
            assert_true(value == values[i] && gw_avro_left(&reader) == 0);
            for (size_t size = 0; size < out.size; size++) {
                reader = gw_avro_reader_make(gw_slice_make(out.data, size));
                assert_fails(gw_avro_read_long(&reader, &value), GW_E_MALFORMED);
            }
            gw_buf_deinit(&out);
        }
    }
}

// The table of the specification.
static void longs_are_zigzag(void **state)
{
    (void)state;
    const struct {
        struct gw_slice bytes;
        int64_t value;
    } cases[] = {{BYTES(0x00), 0},
                 {BYTES(0x01), -1},
                 {BYTES(0x02), 1},
                 {BYTES(0x7f), -64},
                 {BYTES(0x80, 0x01), 64},
                 {BYTES(0xff, 0x01), -128},
                 {BYTES(0x80, 0x80, 0x00), 0}};
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        int64_t value = 77;
        struct gw_avro_reader reader = gw_avro_reader_make(cases[i].bytes);
        assert_ok(gw_avro_read_long(&reader, &value));
        assert_int_equal(value, cases[i].value);
    }
}

static void long_over_64_bits_is_refused(void **state)
{
    (void)state;
    int64_t value = 77;
    struct gw_avro_reader reader =
        gw_avro_reader_make(BYTES(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01));
    assert_ok(gw_avro_read_long(&reader, &value));
    assert_true(value == INT64_MIN);
    reader = gw_avro_reader_make(BYTES(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02));
    assert_fails(gw_avro_read_long(&reader, &value), GW_E_MALFORMED);
    reader = gw_avro_reader_make(BYTES(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00));
    assert_fails(gw_avro_read_long(&reader, &value), GW_E_MALFORMED);
}

static void int_out_of_range_is_refused(void **state)
{
    (void)state;
    struct gw_buf out = {0};
    int32_t value = 77;
    assert_ok(gw_buf_reserve(&out, 4 * GW_AVRO_LONG_BYTES_MAX));
    gw_avro_put_long(&out, INT32_MIN);
    gw_avro_put_long(&out, INT32_MAX);
    gw_avro_put_long(&out, (int64_t)INT32_MAX + 1);
    struct gw_avro_reader reader = gw_avro_reader_make(gw_buf_slice(&out));
    assert_ok(gw_avro_read_int(&reader, &value));
    assert_int_equal(value, INT32_MIN);
    assert_ok(gw_avro_read_int(&reader, &value));
    assert_int_equal(value, INT32_MAX);
    assert_fails(gw_avro_read_int(&reader, &value), GW_E_MALFORMED);
    assert_int_equal(value, INT32_MAX);
    gw_buf_deinit(&out);
}

static void index_outside_its_range_is_refused(void **state)
{
    (void)state;
    uint32_t index = 77;
    struct gw_avro_reader reader = gw_avro_reader_make(BYTES(0x02, 0x04, 0x01));
    assert_ok(gw_avro_read_index(&reader, 2, &index));
    assert_int_equal(index, 1);
    assert_fails(gw_avro_read_index(&reader, 2, &index), GW_E_MALFORMED);
    assert_fails(gw_avro_read_index(&reader, 2, &index), GW_E_MALFORMED);
}

static void boolean_is_0_or_1(void **state)
{
    (void)state;
    bool value = false;
    struct gw_avro_reader reader = gw_avro_reader_make(BYTES(1, 2));
    assert_ok(gw_avro_read_bool(&reader, &value));
    assert_true(value);
    assert_fails(gw_avro_read_bool(&reader, &value), GW_E_MALFORMED);
    reader = gw_avro_reader_make(gw_slice_make(NULL, 0));
    assert_fails(gw_avro_read_bool(&reader, &value), GW_E_MALFORMED);
}

static void floats_are_little_endian_and_not_cut(void **state)
{
    (void)state;
    float real = 0;
    double wide = 0;
    struct gw_avro_reader reader = gw_avro_reader_make(BYTES(0, 0, 0xc0, 0x3f, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f, 1, 2, 3));
    assert_ok(gw_avro_read_float(&reader, &real));
    assert_true(real == 1.5f);
    assert_ok(gw_avro_read_double(&reader, &wide));
    assert_true(isnan(wide));
    assert_fails(gw_avro_read_float(&reader, &real), GW_E_MALFORMED);
}

static void length_that_is_negative_or_too_large_is_refused(void **state)
{
    (void)state;
    const struct gw_slice cases[] = {BYTES(0x01), BYTES(0x06, 'a', 'b'),
                                     BYTES(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
                                     BYTES(0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 'a')};
    struct gw_slice text = {0};
    struct gw_avro_reader reader = gw_avro_reader_make(BYTES(0x04, 'a', 'b', 0x00));
    assert_ok(gw_avro_read_bytes(&reader, &text));
    assert_true(gw_slice_is(text, "ab"));
    assert_ok(gw_avro_read_bytes(&reader, &text));
    assert_int_equal(text.size, 0);
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        reader = gw_avro_reader_make(cases[i]);
        assert_fails(gw_avro_read_bytes(&reader, &text), GW_E_MALFORMED);
    }
}

static void frame_carries_the_schema_id(void **state)
{
    (void)state;
    struct gw_buf out = {0};
    uint32_t id = 0;
    struct gw_slice body = {0};
    assert_ok(gw_avro_frame_begin(&out, 0x01020304));
    assert_ok(gw_buf_append_text(&out, "body"));
    assert_memory_equal(out.data, "\0\1\2\3\4body", 9);
    assert_ok(gw_avro_unframe(gw_buf_slice(&out), &id, &body, NULL));
    assert_int_equal(id, 0x01020304);
    assert_true(gw_slice_is(body, "body"));
    gw_buf_deinit(&out);
}

static void value_without_a_frame_is_of_no_known_schema(void **state)
{
    (void)state;
    uint32_t id = 77;
    struct gw_slice body = {0};
    gw_err err = {0};
    assert_fails(gw_avro_unframe(gw_slice_make(NULL, 0), &id, &body, &err), GW_E_UNKNOWN_SCHEMA);
    assert_fails(gw_avro_unframe(BYTES(0, 0, 0, 1), &id, &body, &err), GW_E_UNKNOWN_SCHEMA);
    assert_fails(gw_avro_unframe(gw_slice_text("{\"a\":1}"), &id, &body, &err), GW_E_UNKNOWN_SCHEMA);
    assert_true(err.message[0] != '\0' && id == 77);
    assert_ok(gw_avro_unframe(BYTES(0, 0, 0, 0, 1), &id, &body, &err));
    assert_int_equal(body.size, 0);
}

GW_TESTS(longs_survive_at_every_length, longs_are_zigzag, long_over_64_bits_is_refused, int_out_of_range_is_refused,
         index_outside_its_range_is_refused, boolean_is_0_or_1, floats_are_little_endian_and_not_cut,
         length_that_is_negative_or_too_large_is_refused, frame_carries_the_schema_id,
         value_without_a_frame_is_of_no_known_schema)
