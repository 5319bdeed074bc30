// SPDX-License-Identifier: MIT
#include "cli/csv.h"
#include "support/testkit.h"

#include <string.h>

// Reads all of `text` and gives it as fields behind one another: "a|b\n..."; stops at the first failure.
static gw_status read_all(const char *text, size_t size, struct gw_buf *out, gw_err *err)
{
    struct gw_csv csv;
    FILE *stream = size > 0 ? fmemopen((void *)(uintptr_t)text, size, "r") : fopen("/dev/null", "r");
    assert_non_null(stream);
    assert_ok(gw_csv_init(&csv, "x.csv", stream, err));
    gw_status status = GW_OK;
    for (bool more = true; more && status == GW_OK;) {
        status = gw_csv_next(&csv, &more, err);
        for (size_t i = 0; more && status == GW_OK && i < csv.field_count; i++) {
            struct gw_slice field = gw_csv_field(&csv, i);
            assert_ok(gw_buf_append(out, field.data, field.size));
            assert_ok(gw_buf_append(out, i + 1 < csv.field_count ? "|" : "\n", 1));
        }
    }
    gw_csv_deinit(&csv);
    fclose(stream);
    return status;
}

static void assert_reads(const char *text, const char *expected)
{
    struct gw_buf out = {0};
    gw_err err = {0};
    assert_ok_err(read_all(text, strlen(text), &out, &err), &err);
    assert_ok(gw_buf_append(&out, "", 1));
    assert_string_equal((const char *)out.data, expected);
    gw_buf_deinit(&out);
}

static void assert_refuses(const char *text, size_t size, const char *message)
{
    struct gw_buf out = {0};
    gw_err err = {0};
    assert_fails(read_all(text, size, &out, &err), GW_E_MALFORMED);
    assert_string_equal(err.message, message);
    gw_buf_deinit(&out);
}

static void fields_end_at_commas_and_records_at_line_ends(void **state)
{
    (void)state;
    assert_reads("a,b\n1,2\n", "a|b\n1|2\n");
    assert_reads("a,b\r\n1,2\r\n", "a|b\n1|2\n");
    assert_reads("a,b\n1,2", "a|b\n1|2\n");
    assert_reads("a,b\n,\n1,", "a|b\n|\n1|\n");
}

static void quotes_hold_commas_line_ends_and_quotes(void **state)
{
    (void)state;
    assert_reads("\"a\",\"b,c\"\n\"x\"\"y\",\"1\r\n2\"\n", "a|b,c\nx\"y|1\r\n2\n");
    assert_reads("\"\",\"\"\n", "|\n");
}

static void a_byte_order_mark_is_no_part_of_the_first_name(void **state)
{
    (void)state;
    assert_reads("\xef\xbb\xbf"
                 "a,b\n",
                 "a|b\n");
    assert_reads("\xef\xbb\xbf\"a\",b\n", "a|b\n");
    assert_refuses("\xef\xbbxa\n", 5, "x.csv:1:1: neither text nor a UTF-8 byte order mark");
}

static void empty_lines_are_skipped_unless_there_is_one_column(void **state)
{
    (void)state;
    assert_reads("a,b\n\n1,2\n\r\n\n", "a|b\n1|2\n");
    assert_reads("a\n\n1\n", "a\n\n1\n");
    assert_reads("", "");
}

static void errors_name_line_and_column(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"a,b\n1,x\"y\"\n", "x.csv:2:4: a quote inside a field without quotes"},
        {"a,b\n1,\"x\"y\n", "x.csv:2:6: text behind a closing quote"},
        {"a,b\n1,\"x\ny\n", "x.csv:2:3: the quote is never closed"},
        {"a,b\n1\r2\n", "x.csv:2:2: a carriage return without a line feed"},
        {"a,b\n\"1\n2\",3\n4\n", "x.csv:4:1: 1 fields, expected 2 as in the first line"},
        {"a,b\n1,2,3\n", "x.csv:2:1: 3 fields, expected 2 as in the first line"},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        assert_refuses(cases[i].text, strlen(cases[i].text), cases[i].message);
    }
    assert_refuses("a,b\n1,\0\n", 8, "x.csv:2:3: a NUL byte");
}

static void fields_and_bytes_of_a_record_are_bounded(void **state)
{
    (void)state;
    size_t size = GW_CSV_RECORD_BYTES_MAX + 2;
    char *text = malloc(size);
    assert_non_null(text);
    struct gw_buf out = {0};
    memset(text, 'x', size);
    assert_fails(read_all(text, size, &out, NULL), GW_E_TOO_LARGE);
    memset(text, ',', size);
    assert_fails(read_all(text, GW_CSV_FIELDS_MAX, &out, NULL), GW_E_TOO_LARGE);
    assert_ok(read_all(text, GW_CSV_FIELDS_MAX - 1, &out, NULL));
    gw_buf_deinit(&out);
    free(text);
}

static void values_are_quoted_when_they_need_it(void **state)
{
    (void)state;
    struct gw_buf out = {0};
    static const char *const values[] = {"plain", "a b", "a,b", "say \"x\"", "two\nlines", ""};
    for (size_t i = 0; i < GW_COUNT_OF(values); i++) {
        assert_ok(gw_csv_append(&out, gw_slice_text(values[i])));
        assert_ok(gw_buf_append(&out, ";", 1));
    }
    assert_ok(gw_buf_append(&out, "", 1));
    assert_string_equal((const char *)out.data, "plain;a b;\"a,b\";\"say \"\"x\"\"\";\"two\nlines\";;");
    gw_buf_deinit(&out);
}

GW_TESTS(fields_end_at_commas_and_records_at_line_ends, quotes_hold_commas_line_ends_and_quotes,
         a_byte_order_mark_is_no_part_of_the_first_name, empty_lines_are_skipped_unless_there_is_one_column,
         errors_name_line_and_column, fields_and_bytes_of_a_record_are_bounded, values_are_quoted_when_they_need_it)
