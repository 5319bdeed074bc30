// SPDX-License-Identifier: MIT
#include "cli/facts.h"
#include "support/testkit.h"

#include <stdio.h>
#include <string.h>

static gw_status note(void *context, const char *path, const char *value, gw_err *err)
{
    (void)err;
    assert_ok(gw_buf_append_format(context, "%s=%s;", path, value));
    return GW_OK;
}

static void expect(const char *json, const char *expected)
{
    struct gw_buf seen = {0};
    gw_err err = {0};
    assert_ok_err(gw_facts_walk(gw_slice_text(json), note, &seen, &err), &err);
    assert_ok(gw_buf_append(&seen, "", 1));
    assert_string_equal((const char *)seen.data, expected);
    gw_buf_deinit(&seen);
}

static void leaves_come_in_order_with_their_paths(void **state)
{
    (void)state;
    expect("{\"a\":{\"b\":[1.50,\"x\\n\",{\"c\":null}],\"d\":true},\"e\":-2e3,\"f\":false}",
           "a.b.0=1.50;a.b.1=x\n;a.b.2.c=-;a.d=yes;e=-2e3;f=no;");
    expect("7", "=7;");
}

static void empty_containers_have_no_leaves(void **state)
{
    (void)state;
    expect("{\"a\":{},\"b\":[],\"c\":\"\"}", "c=;");
}

static void what_is_not_json_or_too_long_is_refused(void **state)
{
    (void)state;
    char text[1200];
    struct gw_buf seen = {0};
    assert_fails(gw_facts_walk(gw_slice_text("{\"a\":1"), note, &seen, NULL), GW_E_MALFORMED);
    assert_fails(gw_facts_walk(gw_slice_text("1 2"), note, &seen, NULL), GW_E_MALFORMED);
    snprintf(text, sizeof text, "{\"%01100d\":1}", 0);
    assert_fails(gw_facts_walk(gw_slice_text(text), note, &seen, NULL), GW_E_TOO_LARGE);
    snprintf(text, sizeof text, "\"%01100d\"", 0);
    assert_fails(gw_facts_walk(gw_slice_text(text), note, &seen, NULL), GW_E_TOO_LARGE);
    gw_buf_deinit(&seen);
}

static gw_status refuse(void *context, const char *path, const char *value, gw_err *err)
{
    (void)value;
    ++*(int *)context;
    return strcmp(path, "b") == 0 ? gw_fail(err, GW_E_CONFLICT, "enough") : GW_OK;
}

static void a_visitor_that_fails_ends_the_walk(void **state)
{
    (void)state;
    int visits = 0;
    assert_fails(gw_facts_walk(gw_slice_text("{\"a\":1,\"b\":2,\"c\":3}"), refuse, &visits, NULL), GW_E_CONFLICT);
    assert_int_equal(visits, 2);
}

GW_TESTS(leaves_come_in_order_with_their_paths, empty_containers_have_no_leaves,
         what_is_not_json_or_too_long_is_refused, a_visitor_that_fails_ends_the_walk)
