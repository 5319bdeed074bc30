// SPDX-License-Identifier: MIT
#include "base/rfc3339.h"
#include "support/testkit.h"

static void times_have_milliseconds_and_are_utc(void **state)
{
    (void)state;
    static const struct {
        int64_t time_ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1764000000123, "2025-11-24T16:00:00.123Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {-1000, "1969-12-31T23:59:59.000Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        char text[GW_RFC3339_BYTES];
        assert_true(gw_rfc3339_format(cases[i].time_ms, text));
        assert_string_equal(text, cases[i].text);
    }
}

static void the_ends_of_time_fit(void **state)
{
    (void)state;
    char text[GW_RFC3339_BYTES];
    assert_true(gw_rfc3339_format(INT64_MAX, text));
    assert_string_equal(text, "292278994-08-17T07:12:55.807Z");
    assert_true(gw_rfc3339_format(INT64_MIN, text));
}

GW_TESTS(times_have_milliseconds_and_are_utc, the_ends_of_time_fit)
