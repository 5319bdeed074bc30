// SPDX-License-Identifier: MIT
#include "cli/table.h"
#include "base/mem.h"
#include "support/testkit.h"

#include <math.h>
#include <string.h>

static const char *const columns[] = {"name", "count", "share", "on"};

static void fill(struct gw_table *table)
{
    gw_table_init(table, columns, GW_COUNT_OF(columns));
    gw_table_format(table, "%s-%d", "first", 1);
    gw_table_i64(table, -12345);
    gw_table_double(table, 0.25);
    gw_table_bool(table, true);
    gw_table_text(table, NULL);
    gw_table_i64(table, 7);
    gw_table_double(table, (double)NAN);
    gw_table_bool(table, false);
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
    (void)state;
    struct gw_table table;
    char text[256] = "";
    FILE *to = fmemopen(text, sizeof text, "w");
    assert_non_null(to);
    fill(&table);
    assert_int_equal(gw_table_row_count(&table), 2);
    assert_ok(gw_table_print(&table, to, NULL));
    fclose(to);
    assert_string_equal(text, "NAME     COUNT   SHARE  ON\n"
                              "first-1  -12345  0.25   yes\n"
                              "-        7       -      no\n");
    gw_table_deinit(&table);
}

static void json_keeps_types_and_writes_what_is_missing_as_null(void **state)
{
    (void)state;
    struct gw_table table;
    struct gw_buf out = {0};
    struct gw_json_writer writer;
    fill(&table);
    gw_json_writer_init(&writer, &out);
    assert_ok(gw_table_write_json(&table, &writer, NULL));
    assert_ok(gw_json_writer_finish(&writer, NULL));
    assert_true(gw_slice_is(gw_buf_slice(&out), "[{\"name\":\"first-1\",\"count\":-12345,\"share\":0.25,\"on\":true},"
                                                "{\"name\":null,\"count\":7,\"share\":null,\"on\":false}]"));
    gw_buf_deinit(&out);
    gw_table_deinit(&table);
}

static void short_memory_is_reported_when_the_table_is_shown(void **state)
{
    (void)state;
    for (unsigned long n = 1; n <= 2; n++) {
        struct gw_table table;
        gw_mem_fail_nth(n);
        fill(&table);
        gw_mem_fail_nth(0);
        assert_fails(gw_table_print(&table, stdout, NULL), GW_E_MEMORY);
        gw_table_deinit(&table);
    }
}

GW_TESTS(columns_are_as_wide_as_their_widest_cell, json_keeps_types_and_writes_what_is_missing_as_null,
         short_memory_is_reported_when_the_table_is_shown)
