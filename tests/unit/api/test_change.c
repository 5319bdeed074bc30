// SPDX-License-Identifier: MIT
#include "api/change.h"
#include "support/testkit.h"

#include "base/mem.h"

#include <stdio.h>

static struct gw_api_change_body body;
static struct gw_api_body_error error;

// ---------------------------------------------------------------- headers

static void if_match_names_a_revision(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        enum gw_api_condition condition;
    } cases[] = {
        {NULL, GW_API_IF_NOTHING},
        {"*", GW_API_IF_EXISTS},
        {"\"17\"", GW_API_IF_REVISION},
        {"\"999999999999999999\"", GW_API_IF_REVISION},
        {"\"0\"", GW_API_IF_NEVER},
        {"\"017\"", GW_API_IF_NEVER},
        {"\"-1\"", GW_API_IF_NEVER},
        {"\"abc\"", GW_API_IF_NEVER},
        {"\"\"", GW_API_IF_NEVER},
        {"W/\"17\"", GW_API_IF_NEVER},
        {"\"9999999999999999999\"", GW_API_IF_NEVER},
        {"17", GW_API_IF_MALFORMED},
        {"", GW_API_IF_MALFORMED},
        {"\"17", GW_API_IF_MALFORMED},
        {"\"", GW_API_IF_MALFORMED},
        {"\"17\" ", GW_API_IF_REVISION},
        {"\"17\" \"18\"", GW_API_IF_MALFORMED},
        {"\"17\", *", GW_API_IF_MALFORMED},
        {", ,", GW_API_IF_MALFORMED},
        {"\"abc\", W/\"18\"", GW_API_IF_NEVER},
        {"\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"", GW_API_IF_MALFORMED},
        {"\"1 7\"", GW_API_IF_MALFORMED},
        {"w/\"17\"", GW_API_IF_MALFORMED},
        {"**", GW_API_IF_MALFORMED},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        struct gw_api_revisions revisions;
        enum gw_api_condition condition = gw_api_parse_if_match(cases[i].value, &revisions);
        if (condition != cases[i].condition) {
            print_error("If-Match: %s\n", cases[i].value);
        }
        assert_int_equal(condition, cases[i].condition);
        assert_true(condition == GW_API_IF_MALFORMED || (revisions.count > 0) == (condition == GW_API_IF_REVISION));
    }
    struct gw_api_revisions revisions;
    assert_int_equal(gw_api_parse_if_match(" \"17\" ,, W/\"5\",\"x\",\t\"18\"", &revisions), GW_API_IF_REVISION);
    assert_int_equal(revisions.count, 2);
    assert_true(revisions.revision[0] == 17 && revisions.revision[1] == 18);
    char etag[GW_API_ETAG_BYTES];
    gw_api_revision_etag(INT64_C(123456789012345678), etag);
    assert_int_equal(gw_api_parse_if_match(etag, &revisions), GW_API_IF_REVISION);
    assert_true(revisions.revision[0] == INT64_C(123456789012345678));
}

static void idempotency_keys_are_visible_ascii(void **state)
{
    (void)state;
    char key[GW_API_KEY_BYTES];
    char longest[GW_API_KEY_BYTES + 1];
    memset(longest, 'k', sizeof longest);
    longest[GW_API_KEY_BYTES - 1] = '\0';
    assert_true(gw_api_parse_idempotency_key(longest, key));
    assert_string_equal(key, longest);
    assert_true(gw_api_parse_idempotency_key("\"8e03978e-40d5\"", key));
    assert_string_equal(key, "8e03978e-40d5");
    longest[GW_API_KEY_BYTES - 1] = 'k';
    longest[GW_API_KEY_BYTES] = '\0';
    const char *const bad[] = {"", "\"\"", "a b", "\"", "a\"b", "a\\b", "\xc3\xa4", "a\tb", longest};
    for (size_t i = 0; i < GW_COUNT_OF(bad); i++) {
        assert_false(gw_api_parse_idempotency_key(bad[i], key));
    }
}

static void versions_count_from_one(void **state)
{
    (void)state;
    int32_t version = -1;
    assert_true(gw_api_parse_version(gw_slice_text("latest"), &version));
    assert_int_equal(version, 0);
    assert_true(gw_api_parse_version(gw_slice_text("2147483647"), &version));
    assert_int_equal(version, INT32_MAX);
    const char *const bad[] = {"0",      "", "-1", "+1", "01", "1.0", "1 ", "2147483648", "99999999999999999999",
                               "Latest", "x"};
    for (size_t i = 0; i < GW_COUNT_OF(bad); i++) {
        assert_false(gw_api_parse_version(gw_slice_text(bad[i]), &version));
    }
}

static void counts_have_a_bound(void **state)
{
    (void)state;
    int64_t count = 0;
    assert_true(gw_api_parse_count("500", 500, &count));
    assert_int_equal(count, 500);
    assert_false(gw_api_parse_count("501", 500, &count));
    assert_false(gw_api_parse_count("0", 500, &count));
    assert_false(gw_api_parse_count("5x", 500, &count));
}

static void times_come_as_rfc_3339_or_milliseconds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t time_ms;
    } good[] = {
        {"0", 0},
        {"1700000000123", INT64_C(1700000000123)},
        {"2023-11-14T22:13:20Z", INT64_C(1700000000000)},
        {"2023-11-14t22:13:20.1z", INT64_C(1700000000100)},
        {"2023-11-14T22:13:20.1239Z", INT64_C(1700000000123)},
        {"2023-11-14T23:13:20+01:00", INT64_C(1700000000000)},
        {"2023-11-14T23:13:20 01:00", INT64_C(1700000000000)}, // a '+' in a query
        {"2023-11-14T20:43:20-01:30", INT64_C(1700000000000)},
        {"2024-02-29T00:00:00Z", INT64_C(1709164800000)},
        {"9999-12-31T23:59:59.999Z", GW_API_TIME_MAX_MS},
    };
    for (size_t i = 0; i < GW_COUNT_OF(good); i++) {
        int64_t time_ms = -1;
        if (!gw_api_parse_time(good[i].text, &time_ms) || time_ms != good[i].time_ms) {
            print_error("%s: %lld\n", good[i].text, (long long)time_ms);
        }
        assert_true(time_ms == good[i].time_ms);
    }
    const char *const bad[] = {
        "",
        "-1",
        "now",
        "253402300800000",
        "99999999999999999999",
        "2023-11-14",
        "2023-11-14T22:13:20",
        "2023-11-14T22:13:20.Z",
        "2023-11-14T22:13:20.1",
        "2023-11-14T22:13:60Z",
        "2023-11-14T24:00:00Z",
        "2023-02-29T00:00:00Z",
        "2023-13-01T00:00:00Z",
        "2023-00-10T00:00:00Z",
        "2023-11-14T22:13:20+24:00",
        "2023-11-14T22:13:20+1:00",
        "2023-11-14T22:13:20Zx",
        "1969-12-31T23:59:59Z",
    };
    for (size_t i = 0; i < GW_COUNT_OF(bad); i++) {
        int64_t time_ms = -1;
        if (gw_api_parse_time(bad[i], &time_ms)) {
            print_error("'%s' is no time\n", bad[i]);
        }
        assert_true(time_ms == -1);
    }
}

// ---------------------------------------------------------------- bodies

static void parse(const char *text, enum gw_api_change_kind kind)
{
    gw_status status = gw_api_change_body_parse(gw_slice_text(text), kind, &body, &error);
    if (status != GW_OK) {
        print_error("%s: %s %s: %s\n", text, gw_api_problem_slug(error.kind), error.pointer, error.detail);
    }
    assert_int_equal(status, GW_OK);
}

static void assert_refused(const char *text, enum gw_api_change_kind kind, enum gw_api_problem_kind problem,
                           const char *pointer)
{
    memset(&error, 0, sizeof error);
    gw_status status = gw_api_change_body_parse(gw_slice_text(text), kind, &body, &error);
    if (status == GW_OK || error.kind != problem || strcmp(error.pointer, pointer) != 0) {
        print_error("%s: %s %s: %s\n", text, gw_api_problem_slug(error.kind), error.pointer, error.detail);
    }
    assert_int_not_equal(status, GW_OK);
    assert_int_equal(error.kind, problem);
    assert_string_equal(error.pointer, pointer);
    assert_true(error.detail[0] != '\0');
}

static void an_empty_body_says_nothing(void **state)
{
    (void)state;
    parse("", GW_API_CHANGE_PLAIN);
    assert_string_equal(body.actor, "");
    parse("{}", GW_API_CHANGE_ROLLBACK);
    assert_int_equal(body.version, 0);
}

static void bodies_say_who_and_why(void **state)
{
    (void)state;
    parse("{\"actor\":\"ann\",\"reason\":\"better \\u00e4nd faster\"}", GW_API_CHANGE_PLAIN);
    assert_string_equal(body.actor, "ann");
    assert_string_equal(body.reason, "better \xc3\xa4nd faster");
    parse("{\"version\":3}", GW_API_CHANGE_ROLLBACK);
    assert_int_equal(body.version, 3);
    parse("{\"name\":\"engage\",\"description\":\"d\"}", GW_API_CHANGE_CREATE);
    assert_true(body.baseline);
    parse("{\"name\":\"engage\",\"baseline\":false}", GW_API_CHANGE_CREATE);
    assert_false(body.baseline);
}

static void shares_are_of_one(void **state)
{
    (void)state;
    parse("{\"shares\":[]}", GW_API_CHANGE_SPLIT);
    assert_int_equal(body.share_count, 0);
    parse("{\"shares\":[{\"version\":3,\"weight\":0.05,\"variant\":\"canary\"},{\"weight\":1e-4,\"version\":4},"
          "{\"version\":5,\"weight\":0.2999}]}",
          GW_API_CHANGE_SPLIT);
    assert_int_equal(body.share_count, 3);
    assert_int_equal(body.shares[0].version, 3);
    assert_int_equal(body.shares[0].weight, 500);
    assert_string_equal(body.shares[0].variant, "canary");
    assert_int_equal(body.shares[1].weight, 1);
    assert_null(body.shares[1].variant);
    assert_int_equal(body.shares[2].weight, 2999);
    const char *const bad[] = {"0", "1", "-0.1", "1.5", "0.00001", "0.12345", "1e300"};
    for (size_t i = 0; i < GW_COUNT_OF(bad); i++) {
        char text[96];
        snprintf(text, sizeof text, "{\"shares\":[{\"version\":3,\"weight\":%s}]}", bad[i]);
        assert_refused(text, GW_API_CHANGE_SPLIT, GW_API_PROBLEM_INVALID_REQUEST, "/shares/0/weight");
    }
}

static void refusals_name_the_member(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum gw_api_change_kind kind;
        enum gw_api_problem_kind problem;
        const char *pointer;
    } cases[] = {
        {"{", GW_API_CHANGE_PLAIN, GW_API_PROBLEM_MALFORMED_BODY, ""},
        {"{} {}", GW_API_CHANGE_PLAIN, GW_API_PROBLEM_MALFORMED_BODY, ""},
        {"[]", GW_API_CHANGE_PLAIN, GW_API_PROBLEM_INVALID_FIELD, ""},
        {"{\"version\":3}", GW_API_CHANGE_PLAIN, GW_API_PROBLEM_INVALID_FIELD, "/version"},
        {"{\"actor\":1}", GW_API_CHANGE_PLAIN, GW_API_PROBLEM_INVALID_FIELD, "/actor"},
        {"{\"actor\":\"a\",\"actor\":\"b\"}", GW_API_CHANGE_PLAIN, GW_API_PROBLEM_INVALID_FIELD, "/actor"},
        {"{\"version\":0}", GW_API_CHANGE_ROLLBACK, GW_API_PROBLEM_INVALID_REQUEST, "/version"},
        {"{\"version\":2147483648}", GW_API_CHANGE_ROLLBACK, GW_API_PROBLEM_INVALID_REQUEST, "/version"},
        {"{\"version\":\"3\"}", GW_API_CHANGE_ROLLBACK, GW_API_PROBLEM_INVALID_FIELD, "/version"},
        {"{}", GW_API_CHANGE_SPLIT, GW_API_PROBLEM_INVALID_FIELD, "/shares"},
        {"", GW_API_CHANGE_SPLIT, GW_API_PROBLEM_INVALID_FIELD, "/shares"},
        {"{}", GW_API_CHANGE_CREATE, GW_API_PROBLEM_INVALID_FIELD, "/name"},
        {"{\"name\":\"a\",\"baseline\":1}", GW_API_CHANGE_CREATE, GW_API_PROBLEM_INVALID_FIELD, "/baseline"},
        {"{\"shares\":{}}", GW_API_CHANGE_SPLIT, GW_API_PROBLEM_INVALID_FIELD, "/shares"},
        {"{\"shares\":[{\"version\":1}]}", GW_API_CHANGE_SPLIT, GW_API_PROBLEM_INVALID_FIELD, "/shares/0/weight"},
        {"{\"shares\":[{\"weight\":0.1}]}", GW_API_CHANGE_SPLIT, GW_API_PROBLEM_INVALID_FIELD, "/shares/0/version"},
        {"{\"shares\":[{\"x\":1}]}", GW_API_CHANGE_SPLIT, GW_API_PROBLEM_INVALID_FIELD, "/shares/0/x"},
        {"{\"shares\":[{\"variant\":\"123456789012345678901234567890123\"}]}", GW_API_CHANGE_SPLIT,
         GW_API_PROBLEM_INVALID_REQUEST, "/shares/0/variant"},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        assert_refused(cases[i].text, cases[i].kind, cases[i].problem, cases[i].pointer);
    }
}

static void texts_have_a_length(void **state)
{
    (void)state;
    char text[GW_API_REASON_BYTES + 64];
    for (int over = 0; over < 2; over++) {
        int length = snprintf(text, sizeof text, "{\"reason\":\"%0*d\"}", GW_API_REASON_BYTES - 1 + over, 0);
        assert_true(length > 0 && (size_t)length < sizeof text);
        if (over == 0) {
            parse(text, GW_API_CHANGE_PLAIN);
            assert_int_equal(strlen(body.reason), GW_API_REASON_BYTES - 1);
        } else {
            assert_refused(text, GW_API_CHANGE_PLAIN, GW_API_PROBLEM_INVALID_REQUEST, "/reason");
        }
    }
}

static void a_short_memory_is_the_servers_fault(void **state)
{
    (void)state;
    gw_mem_fail_nth(1);
    gw_status status =
        gw_api_change_body_parse(gw_slice_text("{\"actor\":\"ann\"}"), GW_API_CHANGE_PLAIN, &body, &error);
    gw_mem_fail_nth(0);
    assert_int_equal(status, GW_E_MEMORY);
    assert_int_equal(error.kind, GW_API_PROBLEM_INTERNAL);
}

GW_TESTS(if_match_names_a_revision, idempotency_keys_are_visible_ascii, versions_count_from_one, counts_have_a_bound,
         times_come_as_rfc_3339_or_milliseconds, an_empty_body_says_nothing, bodies_say_who_and_why, shares_are_of_one,
         refusals_name_the_member, texts_have_a_length, a_short_memory_is_the_servers_fault)
