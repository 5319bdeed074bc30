// SPDX-License-Identifier: MIT
#include "base/json.h"
#include "base/mem.h"
#include "support/testkit.h"

#include <math.h>

static struct gw_json reader(const char *text)
{
    struct gw_json json;
    gw_json_init(&json, gw_slice_text(text));
    return json;
}

// Status of skipping the one value that `text` must be.
static gw_status check_text(const char *text, gw_err *err)
{
    struct gw_json json = reader(text);
    GW_TRY(gw_json_skip(&json, err));
    return gw_json_end(&json, err);
}

static void reads_an_object_with_the_documented_loop(void **state)
{
    (void)state;
    struct gw_json json =
        reader(" {\"id\": 12, \"tags\" : [true, null,-1.5e2 ] , \"name\":\"a\\u00e9\\ud83d\\ude00\\n\"} ");
    struct gw_buf name = {0};
    int64_t id = 0;
    double value = 0;
    bool flag = false;
    bool more = false;
    int keys = 0;

    assert_ok(gw_json_enter(&json, GW_JSON_OBJECT, NULL));
    for (;;) {
        struct gw_slice key = {0};
        assert_ok(gw_json_next(&json, &more, NULL));
        if (!more) {
            break;
        }
        keys++;
        assert_ok(gw_json_key(&json, &key, NULL));
        if (gw_slice_is(key, "id")) {
            assert_ok(gw_json_i64(&json, &id, NULL));
        } else if (gw_slice_is(key, "name")) {
            assert_ok(gw_json_string(&json, &name, 64, NULL));
        } else {
            assert_ok(gw_json_enter(&json, GW_JSON_ARRAY, NULL));
            assert_ok(gw_json_next(&json, &more, NULL));
            assert_ok(gw_json_bool(&json, &flag, NULL));
            assert_ok(gw_json_next(&json, &more, NULL));
            assert_ok(gw_json_null(&json, NULL));
            assert_ok(gw_json_next(&json, &more, NULL));
            assert_ok(gw_json_double(&json, &value, NULL));
            assert_ok(gw_json_next(&json, &more, NULL));
            assert_false(more);
        }
    }
    assert_ok(gw_json_end(&json, NULL));

    assert_int_equal(keys, 3);
    assert_int_equal(id, 12);
    assert_true(flag);
    assert_true(value == -150.0);
    assert_string_equal((char *)name.data, "a\xc3\xa9\xf0\x9f\x98\x80\n");
    gw_buf_deinit(&name);
}

static void accepts_what_the_grammar_allows(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "0",
        "-0",
        "1E+2",
        "0.5e-3",
        "[]",
        "{}",
        "[[],{}]",
        "{\"a\":{\"b\":[1,2]}}",
        "\"\"",
        " null ",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"a long plain text of more than eight bytes\"",
        "{\"\\u0041\":1}",
    };
    for (size_t i = 0; i < GW_COUNT_OF(texts); i++) {
        gw_err err = {0};
        assert_ok_err(check_text(texts[i], &err), &err);
    }
}

static void refuses_what_the_grammar_forbids(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        "nul",
        "tru",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{a:1}",
        "{1:2}",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "+1",
        "0x1",
        "NaN",
        "[1",
        "{\"a\":",
        "\"a",
        "\"\t\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "1 1",
        "]",
        "[}",
        "{]",
        "\"\xff\"",
        "\"\xc0\x80\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "Infinity",
        "\"\xed\xa0\x80\"",
        "-Infinity",
        "\"0123456789\x01\"",
        "\"0123456789\\\"",
    };
    for (size_t i = 0; i < GW_COUNT_OF(texts); i++) {
        gw_err err = {0};
        if (check_text(texts[i], &err) != GW_E_MALFORMED) {
            fail_msg("not refused as malformed: %s", texts[i]);
        }
        assert_non_null(strstr(err.message, "json byte "));
    }
}

static void error_names_byte_and_both_kinds(void **state)
{
    (void)state;
    struct gw_json json = reader("  \"x\"");
    int64_t value = 7;
    gw_err err = {0};

    assert_fails(gw_json_i64(&json, &value, &err), GW_E_INVALID);
    assert_string_equal(err.message, "json byte 2: expected number, found string");
    assert_int_equal(value, 7);
}

static void refuses_deeper_nesting_than_the_bound(void **state)
{
    (void)state;
    char text[2 * GW_JSON_DEPTH_MAX + 3] = {0};
    memset(text, '[', GW_JSON_DEPTH_MAX);
    memset(text + GW_JSON_DEPTH_MAX, ']', GW_JSON_DEPTH_MAX);
    assert_ok(check_text(text, NULL));

    memset(text, '[', GW_JSON_DEPTH_MAX + 1);
    memset(text + GW_JSON_DEPTH_MAX + 1, ']', GW_JSON_DEPTH_MAX + 1);
    assert_fails(check_text(text, NULL), GW_E_TOO_LARGE);
}

static void integers_are_exact_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        gw_status status;
        int64_t value;
    } cases[] = {
        {"9223372036854775807", GW_OK, INT64_MAX},
        {"-9223372036854775808", GW_OK, INT64_MIN},
        {"9223372036854775808", GW_E_INVALID, 0},
        {"-9223372036854775809", GW_E_INVALID, 0},
        {"92233720368547758070", GW_E_INVALID, 0},
        {"1.0", GW_E_INVALID, 0},
        {"1e2", GW_E_INVALID, 0},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        struct gw_json json = reader(cases[i].text);
        int64_t value = 0;
        assert_fails(gw_json_i64(&json, &value, NULL), cases[i].status);
        assert_true(value == cases[i].value);
    }
}

static void lenient_numbers_accept_what_xgboost_writes(void **state)
{
    (void)state;
    struct gw_json json = reader("[NaN,Infinity,-Infinity,1E-1]");
    json.lenient_numbers = true;
    double values[4] = {0};
    bool more = false;

    assert_ok(gw_json_enter(&json, GW_JSON_ARRAY, NULL));
    for (int i = 0; i < 4; i++) {
        assert_ok(gw_json_next(&json, &more, NULL));
        assert_ok(gw_json_double(&json, &values[i], NULL));
    }
    assert_true(isnan(values[0]));
    assert_true(isinf(values[1]) && values[1] > 0);
    assert_true(isinf(values[2]) && values[2] < 0);
    assert_true(values[3] == 0.1);

    static const char *const refused[] = {"-", "-NaN", "N", "-I", "Inf", "Nan"};
    for (size_t i = 0; i < GW_COUNT_OF(refused); i++) {
        struct gw_json other = reader(refused[i]);
        other.lenient_numbers = true;
        assert_fails(gw_json_double(&other, &values[0], NULL), GW_E_MALFORMED);
    }
}

static void string_over_the_limit_or_with_nul_is_refused(void **state)
{
    (void)state;
    struct gw_buf out = {0};
    struct gw_json json = reader("\"abc\\u00e9\"");
    assert_ok(gw_json_string(&json, &out, 5, NULL));
    assert_int_equal(out.size, 5);

    json = reader("\"abc\\u00e9\"");
    assert_fails(gw_json_string(&json, &out, 4, NULL), GW_E_TOO_LARGE);
    assert_int_equal(out.size, 0);

    json = reader("\"a\\u0000b\"");
    assert_fails(gw_json_string(&json, &out, 64, NULL), GW_E_INVALID);
    gw_buf_deinit(&out);
}

static void raw_gives_text_untouched(void **state)
{
    (void)state;
    struct gw_json json = reader("\"a\\n\"");
    struct gw_slice raw = {0};
    assert_ok(gw_json_raw(&json, &raw, NULL));
    assert_true(gw_slice_is(raw, "a\\n"));

    json = reader("-1.50e3 ");
    assert_ok(gw_json_raw(&json, &raw, NULL));
    assert_true(gw_slice_is(raw, "-1.50e3"));
}

static void key_with_an_escape_is_invalid(void **state)
{
    (void)state;
    struct gw_json json = reader("{\"\\u0041\":1}");
    struct gw_slice key = {0};
    bool more = false;
    assert_ok(gw_json_enter(&json, GW_JSON_OBJECT, NULL));
    assert_ok(gw_json_next(&json, &more, NULL));
    assert_fails(gw_json_key(&json, &key, NULL), GW_E_INVALID);
}

static void writer_separates_and_escapes(void **state)
{
    (void)state;
    struct gw_buf out = {0};
    struct gw_json_writer writer;

    gw_json_writer_init(&writer, &out);
    gw_json_object_begin(&writer);
    gw_json_write_key(&writer, "list");
    gw_json_array_begin(&writer);
    gw_json_write_i64(&writer, -1);
    gw_json_write_u64(&writer, UINT64_MAX);
    gw_json_write_id(&writer, INT64_MIN);
    gw_json_write_bool(&writer, true);
    gw_json_write_null(&writer);
    gw_json_array_begin(&writer);
    gw_json_array_end(&writer);
    gw_json_array_end(&writer);
    gw_json_write_key(&writer, "text");
    gw_json_write_text(&writer, "q\" b\\ \n\x01 \xc3\xa9 \xff.");
    gw_json_write_key(&writer, "numbers");
    gw_json_array_begin(&writer);
    gw_json_write_double(&writer, 0.1);
    gw_json_write_double(&writer, (double)NAN);
    gw_json_write_float(&writer, 0.1f);
    gw_json_write_double(&writer, 100);
    gw_json_write_raw(&writer, gw_slice_text("{\"x\":1}"));
    gw_json_array_end(&writer);
    gw_json_object_end(&writer);
    assert_ok(gw_json_writer_finish(&writer, NULL));
    assert_ok(gw_buf_append(&out, "", 1));

    assert_string_equal((char *)out.data, "{\"list\":[-1,18446744073709551615,\"-9223372036854775808\",true,null,[]],"
                                          "\"text\":\"q\\\" b\\\\ \\n\\u0001 \xc3\xa9 \xef\xbf\xbd.\","
                                          "\"numbers\":[0.1,null,0.1,100,{\"x\":1}]}");
    gw_buf_deinit(&out);
}

static void writer_keeps_the_first_failed_allocation(void **state)
{
    (void)state;
    for (unsigned long n = 1; n <= 3; n++) {
        struct gw_buf out = {0};
        struct gw_json_writer writer;
        gw_mem_fail_nth(n);
        gw_json_writer_init(&writer, &out);
        gw_json_array_begin(&writer);
        for (int i = 0; i < 100; i++) {
            gw_json_write_text(&writer, "some text");
        }
        gw_json_array_end(&writer);
        gw_status status = gw_json_writer_finish(&writer, NULL);
        gw_mem_fail_nth(0);
        assert_fails(status, GW_E_MEMORY);
        gw_buf_deinit(&out);
    }
}

GW_TESTS(reads_an_object_with_the_documented_loop, accepts_what_the_grammar_allows, refuses_what_the_grammar_forbids,
         error_names_byte_and_both_kinds, refuses_deeper_nesting_than_the_bound, integers_are_exact_or_refused,
         lenient_numbers_accept_what_xgboost_writes, string_over_the_limit_or_with_nul_is_refused,
         raw_gives_text_untouched, key_with_an_escape_is_invalid, writer_separates_and_escapes,
         writer_keeps_the_first_failed_allocation)
