// SPDX-License-Identifier: MIT
// Words of `drift` that are refused before anything is asked.
#include "component/cli_run.h"

static void wrong_words_are_usage_errors(void **state)
{
    (void)state;
    cli_assert_refused(cli_run("drift"), 2, "'drift' needs a verb");
    cli_assert_refused(cli_run("drift", "promises", "m"), 2, "promise");
    cli_assert_refused(cli_run("drift", "show"), 2, "arguments are missing: MODEL");
    cli_assert_refused(cli_run("drift", "show", "m", "2", "n"), 2, "'n' is one argument too many");
    cli_assert_refused(cli_run("drift", "show", "a/b"), 2, "'a/b' is a path, no model's name");
    cli_assert_refused(cli_run("drift", "show", "a b"), 2, "'a b' is no model's name");
    cli_assert_refused(cli_run("drift", "show", "m", "--rate", "850"), 2, "unknown option '--rate'");
    cli_assert_refused(cli_run("drift", "alerts", "a b"), 2, "'a b' is no model's name");
    cli_assert_refused(cli_run("drift", "alerts", "--open=yes"), 2, "option '--open' takes no value");
}

static void numbers_have_bounds(void **state)
{
    (void)state;
    static const char *const versions[] = {"0", "latest", "-1", "2147483648", "1.5", ""};
    static const char *const rates[] = {"0", "-1", "nan", "inf", "2e9", "x", ""};
    static const char *const limits[] = {"0", "501", "x", ""};
    for (size_t i = 0; i < GW_COUNT_OF(versions); i++) {
        cli_assert_refused(cli_run("drift", "show", "m", versions[i]), 2, "version");
    }
    for (size_t i = 0; i < GW_COUNT_OF(rates); i++) {
        cli_assert_refused(cli_run("drift", "promise", "m", "--rate", rates[i]), 2, "--rate");
    }
    for (size_t i = 0; i < GW_COUNT_OF(limits); i++) {
        cli_assert_refused(cli_run("drift", "alerts", "--limit", limits[i]), 2, "--limit");
    }
}

GW_TESTS(wrong_words_are_usage_errors, numbers_have_bounds)
