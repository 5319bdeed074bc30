// SPDX-License-Identifier: MIT
#include "worker/database.h"

#include "base/mem.h"
#include "support/testkit.h"

static void assert_uri(const char *uri, const char *password, const char *expected)
{
    struct gw_buf out = {0};
    assert_ok(gw_database_add_password(uri, password, &out));
    assert_string_equal((const char *)out.data, expected);
    gw_buf_deinit(&out);
}

static void a_password_is_escaped_for_a_uri(void **state)
{
    (void)state;
    assert_uri("postgresql://u@h/d", "a&b=c", "postgresql://u@h/d?password=a%26b%3Dc");
    assert_uri("postgres://h/d?x=1", "p", "postgres://h/d?x=1&password=p");
}

static void a_password_is_quoted_for_keywords(void **state)
{
    (void)state;
    assert_uri("host=h dbname=d", "it's \\ ok", "host=h dbname=d password='it\\'s \\\\ ok'");
}

GW_TESTS(a_password_is_escaped_for_a_uri, a_password_is_quoted_for_keywords)
