// SPDX-License-Identifier: MIT
#include "api/traceparent.h"
#include "support/testkit.h"

#include "base/macros.h"

static void well_formed_values_pass(void **state)
{
    (void)state;
    assert_true(gw_api_traceparent_is_valid("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
}

static void malformed_values_are_dropped(void **state)
{
    (void)state;
    const char *const texts[] = {
        "",
        "00",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0\n",
    };
    for (size_t i = 0; i < GW_COUNT_OF(texts); i++) {
        assert_false(gw_api_traceparent_is_valid(texts[i]));
    }
}

GW_TESTS(well_formed_values_pass, malformed_values_are_dropped)
