// SPDX-License-Identifier: MIT
#include "base/suggest.h"
#include "support/testkit.h"

#include <string.h>

static const char *nearest(const char *wanted)
{
    static struct gw_suggestion suggestion;
    gw_suggestion_start(&suggestion, wanted, strlen(wanted));
    gw_suggestion_offer(&suggestion, "redis.address");
    gw_suggestion_offer(&suggestion, "redis.prefix");
    gw_suggestion_offer(&suggestion, "bridge.address");
    return gw_suggestion_text(&suggestion);
}

static void typing_errors_find_the_name(void **state)
{
    (void)state;
    assert_string_equal(nearest("redis.adress"), "; the nearest is 'redis.address'");
    assert_string_equal(nearest("redis.prefxi"), "; the nearest is 'redis.prefix'");
}

static void far_names_find_nothing(void **state)
{
    (void)state;
    assert_string_equal(nearest("x"), "");
    assert_string_equal(nearest("completely.different"), "");
}

GW_TESTS(typing_errors_find_the_name, far_names_find_nothing)
