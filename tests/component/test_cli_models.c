// SPDX-License-Identifier: MIT
// `models`: what is refused before any service is asked, and what is said when there is none.
#include "component/cli_run.h"

#define NOWHERE "--set", "postgres.uri=postgresql://godwit@127.0.0.1:1/godwit"

static void names_and_versions_are_checked(void **state)
{
    (void)state;
    static const char *const verbs[] = {"promote", "rollback", "shadow", "archive", "show", "export"};
    for (size_t i = 0; i < GW_COUNT_OF(verbs); i++) {
        bool exports = strcmp(verbs[i], "export") == 0;
        const char *more = exports ? "--out=/no/where" : "--json";
        cli_assert_refused(cli_run("models", verbs[i], "a b", "1", more), 2, "'a b' is no model's name");
        cli_assert_refused(cli_run("models", verbs[i], "m", "0", more), 2, "'0' is no version");
        cli_assert_refused(cli_run("models", verbs[i], "m", "2x", more), 2, "'2x' is no version");
        cli_assert_refused(cli_run("models", verbs[i], "m", "2147483648", more), 2, "is no version");
    }
    cli_assert_refused(cli_run("models", "show", "build/my-model"), 2, "'godwit models inspect FILE|DIR'");
    cli_assert_refused(cli_run("models", "create", "production"), 2, "cannot be called 'production'");
    cli_assert_refused(cli_run("models", "compare", "m", "1", "first"), 2, "'first' is no version");
    cli_assert_refused(cli_run("models", "list", "a/b"), 2, "is a path");
}

static void missing_words_and_wrong_options_are_usage_errors(void **state)
{
    (void)state;
    cli_assert_refused(cli_run("models"), 2, "'models' needs a verb");
    cli_assert_refused(cli_run("models", "promte"), 2, "the nearest is 'promote'");
    cli_assert_refused(cli_run("models", "promote", "m"), 2, "arguments are missing: NAME VERSION");
    cli_assert_refused(cli_run("models", "reject", "m", "1"), 2, "option '--reason TEXT' is required");
    cli_assert_refused(cli_run("models", "export", "m", "1"), 2, "option '--out DIR' is required");
    cli_assert_refused(cli_run("models", "promote", "m", "1", "--if-revision", "0"), 2, "--if-revision '0'");
    cli_assert_refused(cli_run("models", "promote", "m", "1", "--off"), 2, "unknown option '--off'");
    cli_assert_refused(cli_run("models", "gc", "--older-than", "soon"), 2, "--older-than 'soon'");
}

static void shares_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        const char *message;
    } cases[] = {
        {"2", "has no '='"},
        {"0=5%", "'0' is no version"},
        {"2=0", "multiple of 0.0001"},
        {"2=-0.1", "multiple of 0.0001"},
        {"2=1.5", "multiple of 0.0001"},
        {"2=101%", "multiple of 0.0001"},
        {"2=0.00001", "multiple of 0.0001"},
        {"2=nan", "multiple of 0.0001"},
        {"2=5%:", "a variant is made of"},
        {"2=5%:a b", "a variant is made of"},
        {"2=0.0000000000000000000000000000000000000000000000000000000000005", "is too long"},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        cli_assert_refused(cli_run("models", "split", "m", cases[i].word), 2, cases[i].message);
    }
    cli_assert_refused(cli_run("models", "split", "m"), 2, "or --off");
    cli_assert_refused(cli_run("models", "split", "m", "2=5%", "--off"), 2, "or --off");
}

static void times_are_checked(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "yesterday", "-2", "-2 hours", "2026-13-01T00:00:00Z", "2026-11-24", "1e3"};
    static const char *const good[] = {"-2h", "-90s", "1795500000000", "2026-11-24T12:00:00Z",
                                       "2026-11-24T12:00:00.5+02:00"};
    for (size_t i = 0; i < GW_COUNT_OF(bad); i++) {
        cli_assert_refused(cli_run("models", "history", "m", "--at", bad[i]), 2, "expected RFC 3339");
    }
    for (size_t i = 0; i < GW_COUNT_OF(good); i++) {
        cli_assert_refused(cli_run("models", "history", "m", "--at", good[i], NOWHERE), 1, "127.0.0.1");
    }
    cli_assert_refused(cli_run("models", "history", "m", "--at", "-1h", "--limit", "3"), 2, "--at about one moment");
    cli_assert_refused(cli_run("models", "history", "m", "--limit", "0"), 2, "--limit '0'");
}

static void registrations_are_checked(void **state)
{
    (void)state;
    cli_assert_refused(cli_run("models", "register", "m", "/no/bundle"), 1, "/no/bundle");
    cli_assert_refused(cli_run("models", "register", "m", "src", "--features", "a,b"), 2,
                       "--features is about a bare file");
    cli_assert_refused(cli_run("models", "register", "m", "src", "--head", "h"), 2, "--head is about a bare file");
    cli_assert_refused(cli_run("models", "register", "m", "README.md", "--features", "a", "--features-file", "b"), 2,
                       "say the same");
    cli_assert_refused(cli_run("models", "register", "m", "README.md", "--features", " ,"), 2, "no feature name");
    cli_assert_refused(cli_run("models", "register", "m", "README.md", "--features-file", "/no/names"), 1, "/no/names");
    cli_assert_refused(cli_run("models", "register", "m", "src", "--tag", "a"), 2, "expected KEY=VALUE");
    cli_assert_refused(cli_run("models", "register", "m", "src", "--tag", "=a"), 2, "expected KEY=VALUE");
    cli_assert_refused(cli_run("models", "register", "m", "src", "--tag", "a=1", "--tag", "a=2"), 2, "'a' twice");
}

static void a_registry_that_is_away_is_a_failure(void **state)
{
    (void)state;
    cli_assert_refused(cli_run("models", "list", NOWHERE), 1, "127.0.0.1");
    cli_assert_refused(cli_run("models", "list", "m", NOWHERE), 1, "127.0.0.1");
    cli_assert_refused(cli_run("models", "show", "m", "latest", NOWHERE), 1, "127.0.0.1");
    cli_assert_refused(cli_run("models", "compare", "m", "1", "2", NOWHERE), 1, "127.0.0.1");
    cli_assert_refused(cli_run("models", "promote", "m", "1", NOWHERE), 1, "127.0.0.1");
    cli_assert_refused(cli_run("models", "split", "m", "2=5%", "3=0.1:blue", NOWHERE), 1, "127.0.0.1");
    cli_assert_refused(cli_run("models", "reject", "m", "1", "--reason", "no", NOWHERE), 1, "127.0.0.1");
    cli_assert_refused(cli_run("models", "gc", "--dry-run", NOWHERE), 1, "127.0.0.1");
    cli_assert_refused(cli_run("models", "history", "m", NOWHERE), 1, "127.0.0.1");
    cli_assert_refused(cli_run("models", "create", "m", "--no-baseline", NOWHERE), 1, "127.0.0.1");
}

static void a_file_that_is_no_model_is_said_before_the_registry_is_asked(void **state)
{
    (void)state;
    char directory[] = "/tmp/godwit-cli-XXXXXX";
    char setting[128];
    assert_non_null(mkdtemp(directory));
    snprintf(setting, sizeof setting, "score.model_directory=%s/models", directory);
    cli_assert_refused(cli_run("models", "register", "m", "README.md", "--set", setting, NOWHERE), 2,
                       "not a model file");
    snprintf(setting, sizeof setting, "%s/models", directory);
    assert_int_equal(rmdir(setting), 0); // nothing is left in it
    assert_int_equal(rmdir(directory), 0);
}

GW_TESTS(names_and_versions_are_checked, missing_words_and_wrong_options_are_usage_errors, shares_are_checked,
         times_are_checked, registrations_are_checked, a_registry_that_is_away_is_a_failure,
         a_file_that_is_no_model_is_said_before_the_registry_is_asked)
