// SPDX-License-Identifier: MIT
#include "support/testkit.h"

#include "worker/ledger.h"

#include <string.h>

static void ledger_is_read_as_it_was_written(void **state)
{
    (void)state;
    const struct gw_ledger ledger = {.counts = {UINT64_MAX, 0, 1, 1234567890123456789u}};
    struct gw_ledger parsed;
    char text[128];
    gw_ledger_format(&ledger, text, sizeof text);
    assert_string_equal(text, "o=18446744073709551615 e=0 d=1 i=1234567890123456789");
    assert_true(gw_ledger_parse(text, &parsed));
    assert_memory_equal(&parsed, &ledger, sizeof ledger);
}

static void largest_ledger_fits_in_128_bytes(void **state)
{
    (void)state;
    struct gw_ledger ledger;
    struct gw_ledger parsed;
    char text[128];
    memset(&ledger, 0xff, sizeof ledger);
    gw_ledger_format(&ledger, text, sizeof text);
    assert_true(gw_ledger_parse(text, &parsed));
    assert_memory_equal(&parsed, &ledger, sizeof ledger);
}

static void what_another_tool_wrote_is_no_ledger(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "o",
                                        "o=",
                                        "o=1",
                                        "o=1 e=2 d=3",
                                        "o=1 e=2 d=3 i=4 ",
                                        "o=1 e=2 d=3 i=4x",
                                        "e=1 o=2 d=3 i=4",
                                        "o=-1 e=2 d=3 i=4",
                                        "o= 1 e=2 d=3 i=4",
                                        "o=1  e=2 d=3 i=4",
                                        "{\"o\":1}",
                                        "o=+1 e=2 d=3 i=4"};
    for (size_t i = 0; i < GW_COUNT_OF(texts); i++) {
        struct gw_ledger parsed = {.counts = {9, 9, 9, 9}};
        assert_false(gw_ledger_parse(texts[i], &parsed));
        assert_int_equal(gw_ledger_total(&parsed), 0);
    }
}

static void total_is_the_sum_of_all_outcomes(void **state)
{
    (void)state;
    const struct gw_ledger ledger = {.counts = {1, 20, 300, 4000}};
    assert_int_equal(gw_ledger_total(&ledger), 4321);
    assert_string_equal(gw_outcome_name(GW_OUTCOME_DEAD_LETTER), "dead_letter");
}

GW_TESTS(ledger_is_read_as_it_was_written, largest_ledger_fits_in_128_bytes, what_another_tool_wrote_is_no_ledger,
         total_is_the_sum_of_all_outcomes)
