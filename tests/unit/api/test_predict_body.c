// SPDX-License-Identifier: MIT
#include "api/predict_body.h"
#include "support/testkit.h"

#include "base/mem.h"

#include <math.h>

static const struct gw_api_predict_limits limits = {
    .candidates_max = 4, .value_names_max = 3, .context_max = 2, .timeout_ms_default = 500, .timeout_ms_max = 2000};

static struct gw_api_predict_body body;
static struct gw_api_body_error error;

static const struct gw_api_predict *parsed(const char *text)
{
    memset(&error, 0, sizeof error);
    gw_status status = gw_api_predict_body_parse(gw_slice_text(text), &limits, &body, &error);
    if (status != GW_OK) {
        print_error("%s: %s %s: %s\n", text, gw_api_problem_slug(error.kind), error.pointer, error.detail);
    }
    assert_int_equal(status, GW_OK);
    return &body.predict;
}

static void assert_refused(const char *text, enum gw_api_problem_kind kind, const char *pointer)
{
    memset(&error, 0, sizeof error);
    gw_status status = gw_api_predict_body_parse(gw_slice_text(text), &limits, &body, &error);
    if (status == GW_OK || error.kind != kind || strcmp(error.pointer, pointer) != 0) {
        print_error("%s: %s %s: %s\n", text, gw_api_problem_slug(error.kind), error.pointer, error.detail);
    }
    assert_int_not_equal(status, GW_OK);
    assert_int_equal(error.kind, kind);
    assert_string_equal(error.pointer, pointer);
    assert_true(error.detail[0] != '\0');
}

static int free_body(void **state)
{
    (void)state;
    gw_api_predict_body_deinit(&body);
    return 0;
}

static void ids_come_as_strings_or_integers(void **state)
{
    (void)state;
    const struct gw_api_predict *predict =
        parsed("{\"userId\":\"-9223372036854775808\",\"candidateTweets\":[\"9223372036854775807\", 2, "
               "{\"tweetId\":\"3\",\"authorId\":4}, {\"authorId\":\"0\",\"tweetId\":0}]}");

    assert_true(predict->user_id == INT64_MIN);
    assert_int_equal(predict->candidate_count, 4);
    assert_true(predict->candidates[0].tweet_id == INT64_MAX && predict->candidates[0].author_id == 0);
    assert_true(predict->candidates[1].tweet_id == 2);
    assert_true(predict->candidates[2].tweet_id == 3 && predict->candidates[2].author_id == 4);
    assert_true(predict->candidates[3].tweet_id == 0);
    assert_int_equal(predict->value_name_count, 0);
    assert_int_equal(predict->timeout_ms, 500);
    assert_int_equal(predict->version, 0);
    assert_int_equal(predict->model.size, 0);
}

static void values_context_model_and_timeout_are_read(void **state)
{
    (void)state;
    const struct gw_api_predict *predict =
        parsed("{\"candidateTweets\":[{\"tweetId\":1,\"values\":[0.5,null]},{\"values\":[-2e3,7],\"tweetId\":2}],"
               "\"valueNames\":[\"a\",\"b\"],\"context\":{\"hour\":14,\"load\":0.25},\"model\":\"engage\","
               "\"version\":3,\"timeoutMs\":2000,\"userId\":7}");

    assert_int_equal(predict->value_name_count, 2);
    assert_true(gw_slice_is(predict->value_names[1], "b"));
    assert_true(predict->values[0] == 0.5f && isnan(predict->values[1]));
    assert_true(predict->values[2] == -2000.0f && predict->values[3] == 7.0f);
    assert_int_equal(predict->context_count, 2);
    assert_true(gw_slice_is(predict->context_names[0], "hour") && predict->context_values[1] == 0.25);
    assert_true(gw_slice_is(predict->model, "engage"));
    assert_int_equal(predict->version, 3);
    assert_int_equal(predict->timeout_ms, 2000);
}

static void a_body_can_be_reused(void **state)
{
    (void)state;
    (void)parsed("{\"userId\":1,\"candidateTweets\":[1,2,3],\"model\":\"m\",\"context\":{\"x\":1}}");
    const struct gw_api_predict *predict = parsed("{\"userId\":2,\"candidateTweets\":[9]}");
    assert_int_equal(predict->candidate_count, 1);
    assert_true(predict->candidates[0].tweet_id == 9);
    assert_int_equal(predict->context_count, 0);
    assert_int_equal(predict->model.size, 0);
}

static void text_that_is_not_json_is_malformed(void **state)
{
    (void)state;
    const char *const texts[] = {
        "",
        "{",
        "{\"userId\":1,\"candidateTweets\":[1,2",
        "{\"userId\":1,\"candidateTweets\":[1,]}",
        "{\"userId\":01,\"candidateTweets\":[1]}",
        "{\"userId\":NaN,\"candidateTweets\":[1]}",
        "{\"userId\":1,\"candidateTweets\":[1]} x",
        "{\"userId\":\"\xff\",\"candidateTweets\":[1]}",
        "{\"userId\":1,\"candidateTweets\":[{\"tweetId\":1,\"values\":[Infinity]}]}",
        "{\"userId\":1 \"candidateTweets\":[1]}",
    };
    for (size_t i = 0; i < GW_COUNT_OF(texts); i++) {
        assert_refused(texts[i], GW_API_PROBLEM_MALFORMED_BODY, "");
    }
}

static void wrong_types_name_the_field(void **state)
{
    (void)state;
    const enum gw_api_problem_kind kind = GW_API_PROBLEM_INVALID_FIELD;
    assert_refused("[]", kind, "");
    assert_refused("{\"userId\":true,\"candidateTweets\":[1]}", kind, "/userId");
    assert_refused("{\"userId\":1.5,\"candidateTweets\":[1]}", kind, "/userId");
    assert_refused("{\"userId\":\"1.5\",\"candidateTweets\":[1]}", kind, "/userId");
    assert_refused("{\"userId\":\"\",\"candidateTweets\":[1]}", kind, "/userId");
    assert_refused("{\"userId\":\"007\",\"candidateTweets\":[1]}", kind, "/userId");
    assert_refused("{\"userId\":\"-0\",\"candidateTweets\":[1]}", kind, "/userId");
    assert_refused("{\"userId\":\"9223372036854775808\",\"candidateTweets\":[1]}", kind, "/userId");
    assert_refused("{\"userId\":9223372036854775808,\"candidateTweets\":[1]}", kind, "/userId");
    assert_refused("{\"userId\":1,\"candidateTweets\":{}}", kind, "/candidateTweets");
    assert_refused("{\"userId\":1,\"candidateTweets\":[1,null]}", kind, "/candidateTweets/1");
    assert_refused("{\"userId\":1,\"candidateTweets\":[1,[2]]}", kind, "/candidateTweets/1");
    assert_refused("{\"userId\":1,\"candidateTweets\":[{\"tweetId\":{}}]}", kind, "/candidateTweets/0/tweetId");
    assert_refused("{\"userId\":1,\"candidateTweets\":[{\"tweetId\":1,\"values\":[\"x\"]}]}", kind,
                   "/candidateTweets/0/values");
    assert_refused("{\"userId\":1,\"candidateTweets\":[{\"tweetId\":1,\"values\":[1e999]}]}", kind,
                   "/candidateTweets/0/values");
    assert_refused("{\"userId\":1,\"candidateTweets\":[1],\"context\":{\"x\":\"y\"}}", kind, "/context/x");
    assert_refused("{\"userId\":1,\"candidateTweets\":[1],\"model\":7}", kind, "/model");
    assert_refused("{\"userId\":1,\"candidateTweets\":[1],\"timeoutMs\":1.5}", kind, "/timeoutMs");
}

static void unknown_repeated_and_missing_fields_are_refused(void **state)
{
    (void)state;
    const enum gw_api_problem_kind kind = GW_API_PROBLEM_INVALID_FIELD;
    assert_refused("{\"userId\":1,\"candidateTweets\":[1],\"user\":2}", kind, "/user");
    assert_refused("{\"userId\":1,\"userId\":1,\"candidateTweets\":[1]}", kind, "/userId");
    assert_refused("{\"userId\":1,\"candidateTweets\":[{\"tweetId\":1,\"id\":2}]}", kind, "/candidateTweets/0/id");
    assert_refused("{\"userId\":1,\"candidateTweets\":[{\"tweetId\":1,\"tweetId\":1}]}", kind,
                   "/candidateTweets/0/tweetId");
    assert_refused("{\"userId\":1,\"candidateTweets\":[1,{\"authorId\":1}]}", kind, "/candidateTweets/1/tweetId");
    assert_refused("{\"candidateTweets\":[1]}", kind, "/userId");
    assert_refused("{\"userId\":1}", kind, "/candidateTweets");
    assert_refused("{\"userId\":1,\"candidateTweets\":[1],\"context\":{\"x\":1,\"x\":1}}", kind, "/context/x");
}

static void values_that_break_a_rule_are_unprocessable(void **state)
{
    (void)state;
    const enum gw_api_problem_kind kind = GW_API_PROBLEM_INVALID_REQUEST;
    assert_refused("{\"userId\":1,\"candidateTweets\":[]}", GW_API_PROBLEM_NO_CANDIDATES, "/candidateTweets");
    assert_refused("{\"userId\":1,\"candidateTweets\":[1,2,3,4,5]}", GW_API_PROBLEM_TOO_MANY_CANDIDATES,
                   "/candidateTweets");
    assert_refused("{\"userId\":1,\"candidateTweets\":[1],\"timeoutMs\":0}", kind, "/timeoutMs");
    assert_refused("{\"userId\":1,\"candidateTweets\":[1],\"timeoutMs\":2001}", kind, "/timeoutMs");
    assert_refused("{\"userId\":1,\"candidateTweets\":[1],\"version\":2147483648}", kind, "/version");
    assert_refused("{\"userId\":1,\"candidateTweets\":[1],\"model\":\"\"}", kind, "/model");
    assert_refused("{\"userId\":1,\"candidateTweets\":[1],\"model\":\"a\\n\"}", kind, "/model");
    assert_refused("{\"userId\":1,\"candidateTweets\":[1],\"context\":{\"\":1}}", kind, "/context/");
    assert_refused("{\"userId\":1,\"candidateTweets\":[1],\"context\":{\"a\":1,\"b\":1,\"c\":1}}", kind, "/context");
}

static void values_and_names_must_agree(void **state)
{
    (void)state;
    const enum gw_api_problem_kind kind = GW_API_PROBLEM_INVALID_REQUEST;
    assert_refused("{\"userId\":1,\"candidateTweets\":[{\"tweetId\":1,\"values\":[1]}]}", kind, "/valueNames");
    assert_refused("{\"userId\":1,\"candidateTweets\":[1],\"valueNames\":[\"a\"]}", kind, "/valueNames");
    assert_refused("{\"userId\":1,\"valueNames\":[\"a\"],\"candidateTweets\":[{\"tweetId\":1,\"values\":[1]},2]}", kind,
                   "/candidateTweets/1/values");
    assert_refused("{\"userId\":1,\"candidateTweets\":[{\"tweetId\":1,\"values\":[1,2,3,4]}]}", kind,
                   "/candidateTweets/0/values");
    assert_refused("{\"userId\":1,\"candidateTweets\":[1],\"valueNames\":[\"a\",\"a\"]}", kind, "/valueNames/1");
    assert_refused("{\"userId\":1,\"candidateTweets\":[1],\"valueNames\":[\"a\",\"b\",\"c\",\"d\"]}", kind,
                   "/valueNames/3");
}

static void every_failed_allocation_is_survived(void **state)
{
    (void)state;
    const char *text = "{\"userId\":1,\"valueNames\":[\"a\"],\"context\":{\"x\":1},"
                       "\"candidateTweets\":[{\"tweetId\":1,\"values\":[1]}]}";
    gw_status status = GW_E_MEMORY;
    for (unsigned long n = 1; status != GW_OK; n++) {
        gw_api_predict_body_deinit(&body);
        body = (struct gw_api_predict_body){0};
        gw_mem_fail_nth(n);
        status = gw_api_predict_body_parse(gw_slice_text(text), &limits, &body, &error);
        gw_mem_fail_nth(0);
        assert_true(status == GW_OK || (status == GW_E_MEMORY && error.kind == GW_API_PROBLEM_INTERNAL));
        assert_true(n < 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_come_as_strings_or_integers),
        cmocka_unit_test(values_context_model_and_timeout_are_read),
        cmocka_unit_test(a_body_can_be_reused),
        cmocka_unit_test(text_that_is_not_json_is_malformed),
        cmocka_unit_test(wrong_types_name_the_field),
        cmocka_unit_test(unknown_repeated_and_missing_fields_are_refused),
        cmocka_unit_test(values_that_break_a_rule_are_unprocessable),
        cmocka_unit_test(values_and_names_must_agree),
        cmocka_unit_test(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, free_body);
}
