// SPDX-License-Identifier: MIT
#include "api/problem.h"
#include "support/testkit.h"

static struct gw_buf text;

static void assert_text(const char *expected)
{
    assert_ok(gw_buf_append(&text, "", 1));
    assert_string_equal((const char *)text.data, expected);
    gw_buf_deinit(&text);
    text = (struct gw_buf){0};
}

static void a_problem_has_all_members(void **state)
{
    (void)state;
    struct gw_api_problem problem = {
        .kind = GW_API_PROBLEM_INVALID_FIELD,
        .detail = "unknown field 'x'",
        .instance = "/predict",
        .request_id = "r-1",
        .pointer = "/x",
    };
    assert_ok(gw_api_problem_write(&problem, &text));
    assert_text("{\"type\":\"/problems/invalid-field\","
                "\"title\":\"A field is unknown, repeated, missing or of the wrong type\",\"status\":400,"
                "\"detail\":\"unknown field 'x'\",\"instance\":\"/predict\",\"requestId\":\"r-1\","
                "\"errors\":[{\"pointer\":\"/x\",\"detail\":\"unknown field 'x'\"}]}");
}

static void absent_members_are_left_out(void **state)
{
    (void)state;
    struct gw_api_problem problem = {.kind = GW_API_PROBLEM_OVERLOADED, .detail = "", .retry_after_s = 2};
    assert_ok(gw_api_problem_write(&problem, &text));
    assert_text("{\"type\":\"/problems/overloaded\",\"title\":\"Too much is waiting already\",\"status\":503,"
                "\"retryAfterSeconds\":2}");
}

static void hostile_texts_are_escaped(void **state)
{
    (void)state;
    struct gw_api_problem problem = {.kind = GW_API_PROBLEM_NOT_FOUND, .instance = "/\"\n\xff<"};
    assert_ok(gw_api_problem_write(&problem, &text));
    assert_text("{\"type\":\"/problems/not-found\",\"title\":\"There is nothing under this path\",\"status\":404,"
                "\"instance\":\"/\\\"\\n\xef\xbf\xbd<\"}");
}

static void kinds_are_found_by_status_and_slug(void **state)
{
    (void)state;
    assert_int_equal(gw_api_problem_of_status(400), GW_API_PROBLEM_BAD_REQUEST);
    assert_int_equal(gw_api_problem_of_status(403), GW_API_PROBLEM_FORBIDDEN);
    assert_int_equal(gw_api_problem_of_status(413), GW_API_PROBLEM_BODY_TOO_LARGE);
    assert_int_equal(gw_api_problem_of_status(599), GW_API_PROBLEM_INTERNAL);
    assert_ok(gw_api_problem_explain(gw_slice_text("forbidden"), &text));
    assert_text("{\"type\":\"/problems/forbidden\",\"title\":\"The request is refused\",\"status\":403}");
    assert_fails(gw_api_problem_explain(gw_slice_text("forbid"), &text), GW_E_NOT_FOUND);
}

// The refusals of http/server each have a kind of their own status.
static void every_status_of_the_listener_has_a_kind(void **state)
{
    (void)state;
    const uint32_t statuses[] = {400, 403, 408, 413, 417, 501, 503};
    for (size_t i = 0; i < GW_COUNT_OF(statuses); i++) {
        assert_int_equal(gw_api_problem_status(gw_api_problem_of_status(statuses[i])), statuses[i]);
    }
}

GW_TESTS(a_problem_has_all_members, absent_members_are_left_out, hostile_texts_are_escaped,
         kinds_are_found_by_status_and_slug, every_status_of_the_listener_has_a_kind)
