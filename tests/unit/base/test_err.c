// SPDX-License-Identifier: MIT
#include "base/err.h"
#include "support/testkit.h"

#include <string.h>

static void every_status_has_a_name_and_a_class(void **state)
{
    (void)state;
    for (int i = 0; i < GW_STATUS_COUNT; i++) {
        enum gw_err_class class = gw_status_class((gw_status)i);
        assert_true(strlen(gw_status_name((gw_status)i)) > 0);
        assert_true(strlen(gw_err_class_name(class)) > 0);
        assert_int_equal(class == GW_CLASS_NONE, i == GW_OK);
    }
    assert_int_equal(gw_status_class(GW_E_FENCED), GW_CLASS_FATAL);
    assert_int_equal(gw_status_class(GW_E_MALFORMED), GW_CLASS_RECORD);
}

static void fail_fills_status_and_message(void **state)
{
    (void)state;
    gw_err err = {0};
    assert_int_equal(gw_fail(&err, GW_E_INVALID, "count %d", 3), GW_E_INVALID);
    assert_int_equal(err.status, GW_E_INVALID);
    assert_string_equal(err.message, "count 3");
    assert_int_equal(gw_fail(NULL, GW_E_INVALID, "nobody listens"), GW_E_INVALID);
}

static void context_goes_in_front(void **state)
{
    (void)state;
    gw_err err = {0};
    assert_int_equal(gw_fail(&err, GW_E_IO, "inner"), GW_E_IO);
    assert_int_equal(gw_fail_context(&err, GW_E_CONFIG, "file %s", "x"), GW_E_CONFIG);
    assert_string_equal(err.message, "file x: inner");
    assert_int_equal(err.status, GW_E_CONFIG);
    assert_int_equal(gw_fail_context(NULL, GW_E_CONFIG, "nobody listens"), GW_E_CONFIG);
}

static void long_messages_are_cut(void **state)
{
    (void)state;
    gw_err err = {0};
    assert_int_equal(gw_fail(&err, GW_E_IO, "%0*d", 2 * GW_ERR_MESSAGE_BYTES, 0), GW_E_IO);
    assert_int_equal(strlen(err.message), GW_ERR_MESSAGE_BYTES - 1);
    assert_int_equal(gw_fail_context(&err, GW_E_IO, "context"), GW_E_IO);
    assert_int_equal(strlen(err.message), GW_ERR_MESSAGE_BYTES - 1);
    assert_memory_equal(err.message, "context: 0", 10);
}

GW_TESTS(every_status_has_a_name_and_a_class, fail_fills_status_and_message, context_goes_in_front,
         long_messages_are_cut)
