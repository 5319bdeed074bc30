// SPDX-License-Identifier: MIT
#include "base/ini.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "support/testkit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

// Writes what it is shown as "line|section|key|value\n".
static gw_status record(void *context, const char *section, const char *key, const char *value, int line, gw_err *err)
{
    if (value != NULL && strcmp(value, "refuse") == 0) {
        return gw_fail(err, GW_E_INVALID, "no");
    }
    return gw_buf_append_format(context, "%d|%s|%s|%s\n", line, section, key != NULL ? key : "-",
                                value != NULL ? value : "-");
}

static gw_status parse(const char *text, struct gw_buf *out, gw_err *err)
{
    return gw_ini_parse("x.ini", text, strlen(text), record, out, err);
}

static void visits_sections_and_pairs_in_order(void **state)
{
    (void)state;
    struct gw_buf out = {0};
    gw_err err = {0};
    assert_ok_err(parse("top = 1\n"
                        "# comment\n"
                        "; comment\n"
                        "[ one ]\r\n"
                        "a =  x = y ; z  \r\n"
                        "b=\n"
                        "list = p,\n"
                        "  q,\n"
                        "  # inside\n"
                        "\tr\n"
                        "\n"
                        "[two]\n"
                        "c = last",
                        &out, &err),
                  &err);
    assert_ok(gw_buf_append(&out, "", 1));
    assert_string_equal((char *)out.data, "1||top|1\n4|one|-|-\n5|one|a|x = y ; z\n6|one|b|\n7|one|list|p, q, r\n"
                                          "12|two|-|-\n13|two|c|last\n");
    gw_buf_deinit(&out);
}

static void malformed_lines_name_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"[a]\nword\n", "x.ini:2: expected 'key = value' or '[section]'"},
        {"[a\n", "x.ini:1: section header without ']' at its end"},
        {"[]\n", "x.ini:1: section without a name"},
        {"[\n", "x.ini:1: section header without ']' at its end"},
        {" a = 1\n", "x.ini:1: indented line continues nothing"},
        {"a = 1\n\n  2\n", "x.ini:3: indented line continues nothing"},
        {"= 1\n", "x.ini:1: value without a key"},
        {"a = \xff\n", "x.ini:1: not UTF-8 text"},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        struct gw_buf out = {0};
        gw_err err = {0};
        assert_fails(parse(cases[i].text, &out, &err), GW_E_MALFORMED);
        assert_string_equal(err.message, cases[i].message);
        gw_buf_deinit(&out);
    }
}

static void visitor_failure_stops_with_the_line_of_the_pair(void **state)
{
    (void)state;
    struct gw_buf out = {0};
    gw_err err = {0};
    assert_fails(parse("a = 1\nb = refuse\n\n\nc = 3\n", &out, &err), GW_E_INVALID);
    assert_string_equal(err.message, "x.ini:2: no");
    gw_buf_deinit(&out);
}

static void long_lines_and_values_are_refused(void **state)
{
    (void)state;
    static char text[80 * 1024];
    struct gw_buf out = {0};
    memset(text, 'a', 5000);
    assert_fails(parse(text, &out, NULL), GW_E_MALFORMED);

    size_t used = (size_t)snprintf(text, sizeof text, "k = v\n");
    while (used < 70 * 1024) {
        used += (size_t)snprintf(text + used, sizeof text - used, " %01000d\n", 0);
    }
    assert_fails(parse(text, &out, NULL), GW_E_MALFORMED);
    gw_buf_deinit(&out);
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    gw_status status = GW_E_MEMORY;
    unsigned long n = 1;
    for (; status != GW_OK; n++) {
        struct gw_buf out = {0};
        gw_mem_fail_nth(n);
        status = parse("[s]\nkey = value\n  more\n", &out, NULL);
        gw_mem_fail_nth(0);
        assert_true(status == GW_OK || status == GW_E_MEMORY);
        gw_buf_deinit(&out);
        assert_true(n < 20);
    }
    assert_true(n > 4);
}

static void durations_and_sizes_carry_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } durations[] = {{"250ms", 250000},      {"30s", 30000000}, {"15m", 900000000}, {"2h", 7200000000},
                     {"50d", 4320000000000}, {"7us", 7},        {"0s", 0}};
    for (size_t i = 0; i < GW_COUNT_OF(durations); i++) {
        int64_t us = -1;
        assert_ok(gw_parse_duration_us(durations[i].text, &us, NULL));
        assert_true(us == durations[i].us);
    }
    static const struct {
        const char *text;
        uint64_t bytes;
    } sizes[] = {{"64", 64}, {"64k", 65536}, {"16MiB", 16777216}, {"1GB", 1073741824}, {"2t", UINT64_C(2) << 40}};
    for (size_t i = 0; i < GW_COUNT_OF(sizes); i++) {
        uint64_t bytes = 0;
        assert_ok(gw_parse_bytes(sizes[i].text, &bytes, NULL));
        assert_true(bytes == sizes[i].bytes);
    }
    static const char *const refused[] = {"",          "s", "5", "-5s", "1.5s", "5 s", "5sec", "99999999999999999999s",
                                          "999999999d"};
    for (size_t i = 0; i < GW_COUNT_OF(refused); i++) {
        int64_t us = -1;
        assert_fails(gw_parse_duration_us(refused[i], &us, NULL), GW_E_MALFORMED);
        assert_int_equal(us, -1);
    }
    uint64_t bytes = 0;
    assert_fails(gw_parse_bytes("9999999999g", &bytes, NULL), GW_E_MALFORMED);
    assert_fails(gw_parse_bytes("k", &bytes, NULL), GW_E_MALFORMED);
    assert_fails(gw_parse_bytes("12kk", &bytes, NULL), GW_E_MALFORMED);
}

static void numbers_are_whole_strings_in_range(void **state)
{
    (void)state;
    int64_t integer = 0;
    double real = 0;
    assert_ok(gw_parse_i64("-12", &integer, NULL));
    assert_int_equal(integer, -12);
    assert_ok(gw_parse_double("2.5e-3", &real, NULL));
    assert_true(real == 2.5e-3);

    static const char *const malformed[] = {"", " 1", "1 ", "1x", "0x10", "--1", "+1"};
    for (size_t i = 0; i < GW_COUNT_OF(malformed); i++) {
        assert_fails(gw_parse_i64(malformed[i], &integer, NULL), GW_E_MALFORMED);
        assert_fails(gw_parse_double(malformed[i], &real, NULL), GW_E_MALFORMED);
    }
    assert_fails(gw_parse_i64("1.5", &integer, NULL), GW_E_MALFORMED);
    assert_fails(gw_parse_double("nan", &real, NULL), GW_E_MALFORMED);
    assert_fails(gw_parse_i64("9223372036854775808", &integer, NULL), GW_E_INVALID);
    assert_fails(gw_parse_double("1e999", &real, NULL), GW_E_INVALID);
}

static void file_is_read_whole_or_refused(void **state)
{
    (void)state;
    char path[] = "/tmp/gw-test-ini-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "abc\n", 4), 4);
    close(fd);

    char *text = NULL;
    size_t size = 0;
    gw_err err = {0};
    assert_ok_err(gw_file_read(path, 4, &text, &size, &err), &err);
    assert_int_equal(size, 4);
    assert_string_equal(text, "abc\n");
    gw_mem_free(text);
    assert_fails(gw_file_read(path, 3, &text, &size, &err), GW_E_TOO_LARGE);
    unlink(path);
    assert_fails(gw_file_read(path, 4, &text, &size, &err), GW_E_NOT_FOUND);
    assert_fails(gw_file_read("/", 4096, &text, &size, &err), GW_E_IO);
    assert_string_equal(err.message, "cannot read '/': Is a directory");
}

GW_TESTS(visits_sections_and_pairs_in_order, malformed_lines_name_their_place,
         visitor_failure_stops_with_the_line_of_the_pair, long_lines_and_values_are_refused,
         every_failed_allocation_is_reported, durations_and_sizes_carry_units, numbers_are_whole_strings_in_range,
         file_is_read_whole_or_refused)
