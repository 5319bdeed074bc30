// SPDX-License-Identifier: MIT
#include "http/guard.h"
#include "support/testkit.h"

#include "base/macros.h"

static const char *const hosts[] = {"godwit.internal"};

static const struct gw_http_guard guard = {
    .port = 3000, .host_checked = true, .hosts = hosts, .host_count = 1, .body_bytes_max = 1000};

struct header {
    const char *name;
    const char *value;
};

static uint32_t check_with(const struct gw_http_guard *with, const char *method, const struct header *headers,
                           size_t count)
{
    struct gw_http_head head = {.method = method, .version = "HTTP/1.1"};
    for (size_t i = 0; i < count; i++) {
        gw_http_head_add(&head, headers[i].name, headers[i].value);
    }
    uint32_t status = 0;
    const char *detail = gw_http_guard_check(with, &head, &status);
    assert_true((detail == NULL) == (status == 0));
    return status;
}

// Status of a POST with a good Host and these headers; 0: fine.
#define CHECK(...)                                                                                                     \
    check_with(&guard, "POST", (const struct header[]){{"Host", "localhost:3000"}, __VA_ARGS__},                       \
               GW_COUNT_OF(((const struct header[]){{"Host", "localhost:3000"}, __VA_ARGS__})))

static uint32_t check_host(const char *host)
{
    const struct header header = {"Host", host};
    return check_with(&guard, "GET", &header, 1);
}

static uint32_t check_source(const char *method, const char *name, const char *value)
{
    const struct header headers[] = {{"host", "localhost:3000"}, {name, value}};
    return check_with(&guard, method, headers, 2);
}

static void ambiguous_framing_is_refused(void **state)
{
    (void)state;
    assert_int_equal(CHECK({"Content-Length", "5"}), 0);
    assert_int_equal(CHECK({"Transfer-Encoding", "Chunked"}), 0);
    assert_int_equal(CHECK({"Content-Length", "5"}, {"content-length", "5"}), 400);
    assert_int_equal(CHECK({"Content-Length", "5"}, {"Transfer-Encoding", "chunked"}), 400);
    assert_int_equal(CHECK({"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}), 400);
    assert_int_equal(CHECK({"Host", "localhost:3000"}), 400);
    assert_int_equal(CHECK({"Content-Length ", "5"}), 400);
    assert_int_equal(CHECK({"Transfer-Encoding\t", "chunked"}), 400);
    assert_int_equal(CHECK({"", "5"}), 400);
    assert_int_equal(check_with(&guard, "GET", NULL, 0), 400);
}

static void transfer_codings_other_than_chunked_are_not_implemented(void **state)
{
    (void)state;
    assert_int_equal(CHECK({"Transfer-Encoding", "gzip, chunked"}), 501);
    assert_int_equal(CHECK({"Transfer-Encoding", "chunked, identity"}), 501);
    assert_int_equal(CHECK({"Transfer-Encoding", "\vchunked"}), 501);
    assert_int_equal(CHECK({"Transfer-Encoding", ""}), 501);
}

static void transfer_encoding_needs_http_1_1(void **state)
{
    (void)state;
    struct gw_http_head head = {.method = "POST", .version = "HTTP/1.0"};
    uint32_t status = 0;
    gw_http_head_add(&head, "Host", "localhost:3000");
    gw_http_head_add(&head, "Transfer-Encoding", "chunked");
    assert_non_null(gw_http_guard_check(&guard, &head, &status));
    assert_int_equal(status, 400);
}

static void content_length_is_a_plain_number_within_the_limit(void **state)
{
    (void)state;
    assert_int_equal(CHECK({"Content-Length", "1000"}), 0);
    assert_int_equal(CHECK({"Content-Length", "1001"}), 413);
    assert_int_equal(CHECK({"Content-Length", "99999999999999999999999"}), 413);
    assert_int_equal(CHECK({"Content-Length", "+5"}), 400);
    assert_int_equal(CHECK({"Content-Length", "5, 5"}), 400);
    assert_int_equal(CHECK({"Content-Length", ""}), 400);
    assert_int_equal(CHECK({"Content-Length", "0x5"}), 400);
}

static void unknown_expectations_are_refused(void **state)
{
    (void)state;
    assert_int_equal(CHECK({"Expect", "100-Continue"}), 0);
    assert_int_equal(CHECK({"Expect", "a-miracle"}), 417);
}

static void loopback_names_with_our_port_pass(void **state)
{
    (void)state;
    assert_int_equal(check_host("localhost:3000"), 0);
    assert_int_equal(check_host("LOCALHOST:3000"), 0);
    assert_int_equal(check_host("127.0.0.1:3000"), 0);
    assert_int_equal(check_host("[::1]:3000"), 0);
    assert_int_equal(check_host("godwit.internal"), 0);
    assert_int_equal(check_host("godwit.internal:443"), 0);
}

static void hosts_of_others_are_refused(void **state)
{
    (void)state;
    assert_int_equal(check_host("localhost"), 403);
    assert_int_equal(check_host("localhost:3001"), 403);
    assert_int_equal(check_host("localhost:03000 "), 403);
    assert_int_equal(check_host("localhost:"), 403);
    assert_int_equal(check_host("evil.example:3000"), 403);
    assert_int_equal(check_host("localhost.evil.example:3000"), 403);
    assert_int_equal(check_host("[::1"), 403);
    assert_int_equal(check_host("[::1]x:3000"), 403);
    assert_int_equal(check_host(""), 400);
}

static void any_host_passes_when_hosts_are_not_checked(void **state)
{
    (void)state;
    struct gw_http_guard open = guard;
    const struct header header = {"Host", "anything.example"};
    open.host_checked = false;
    assert_int_equal(check_with(&open, "GET", &header, 1), 0);
}

static void pages_of_other_sites_may_not_change_anything(void **state)
{
    (void)state;
    assert_int_equal(check_source("POST", "Origin", "http://localhost:3000"), 0);
    assert_int_equal(check_source("POST", "Origin", "https://localhost:3000"), 0);
    assert_int_equal(check_source("POST", "Origin", "http://evil.example"), 403);
    assert_int_equal(check_source("POST", "Origin", "http://localhost:3001"), 403);
    assert_int_equal(check_source("DELETE", "Origin", "null"), 403);
    assert_int_equal(check_source("POST", "Sec-Fetch-Site", "cross-site"), 403);
    assert_int_equal(check_source("POST", "Sec-Fetch-Site", "same-origin"), 0);
    assert_int_equal(check_source("GET", "Origin", "http://evil.example"), 0);
}

static void bearer_tokens_are_compared_whole(void **state)
{
    (void)state;
    assert_true(gw_http_bearer_equal("Bearer secret", "secret"));
    assert_true(gw_http_bearer_equal("bearer secret", "secret"));
    assert_false(gw_http_bearer_equal("Bearer secre", "secret"));
    assert_false(gw_http_bearer_equal("Bearer secretsecret", "secret"));
    assert_false(gw_http_bearer_equal("Bearer Secret", "secret"));
    assert_false(gw_http_bearer_equal("Bearer ", "secret"));
    assert_false(gw_http_bearer_equal("Basic secret", "secret"));
    assert_false(gw_http_bearer_equal("Bearer ", ""));
    assert_false(gw_http_bearer_equal(NULL, "secret"));
}

GW_TESTS(ambiguous_framing_is_refused, transfer_codings_other_than_chunked_are_not_implemented,
         transfer_encoding_needs_http_1_1, content_length_is_a_plain_number_within_the_limit,
         unknown_expectations_are_refused, loopback_names_with_our_port_pass, hosts_of_others_are_refused,
         any_host_passes_when_hosts_are_not_checked, pages_of_other_sites_may_not_change_anything,
         bearer_tokens_are_compared_whole)
