// SPDX-License-Identifier: MIT
// Help, unknown words and exit codes of the built program.
#include "component/cli_run.h"

#include "cli/cli.h"

static void help_of_every_command_names_it_and_its_options(void **state)
{
    (void)state;
    for (size_t i = 0; i < gw_cli_command_count; i++) {
        const struct gw_cli_command *command = &gw_cli_commands[i];
        char usage[128];
        snprintf(usage, sizeof usage, "usage: godwit %s%s%s", command->noun, command->verb != NULL ? " " : "",
                 command->verb != NULL ? command->verb : "");
        const struct cli_result *result =
            command->verb != NULL ? cli_run("help", command->noun, command->verb) : cli_run("help", command->noun);
        cli_assert_exit(result, 0);
        cli_assert_contains(result->out, usage);
        cli_assert_contains(result->out, command->help);
        assert_string_equal(result->err, "");
        for (const struct gw_cli_option *o = command->options; o != NULL && o->name != NULL; o++) {
            cli_assert_contains(result->out, o->name);
            cli_assert_contains(result->out, o->help);
        }
    }
}

static void the_help_option_says_the_same_as_the_help_command(void **state)
{
    (void)state;
    char expected[CLI_OUTPUT_MAX];
    snprintf(expected, sizeof expected, "%s", cli_run("help", "topics", "plan")->out);
    assert_string_equal(cli_run("topics", "plan", "--help")->out, expected);
    assert_string_equal(cli_run("topics", "--help", "plan", "--whatever")->out, cli_run("help", "topics")->out);
    assert_string_equal(cli_run("-h")->out, cli_run("help")->out);
    cli_assert_contains(cli_run("help", "run")->out, "rekey");
}

static void the_overview_lists_every_command(void **state)
{
    (void)state;
    const struct cli_result *result = cli_run("--help");
    cli_assert_exit(result, 0);
    for (size_t i = 0; i < gw_cli_command_count; i++) {
        cli_assert_contains(result->out, gw_cli_commands[i].help);
    }
}

static void version_is_printed_by_word_and_by_option(void **state)
{
    (void)state;
    cli_assert_exit(cli_run("version"), 0);
    assert_string_equal(cli_run("version")->out, "godwit " GW_VERSION "\n");
    assert_string_equal(cli_run("--version")->out, "godwit " GW_VERSION "\n");
    assert_string_equal(cli_run("version", "--json")->out, "{\"version\":\"" GW_VERSION "\"}\n");
}

static void unknown_words_are_usage_errors_that_suggest(void **state)
{
    (void)state;
    cli_assert_refused(cli_run("topcs", "plan"), 2, "unknown command 'topcs'; the nearest is 'topics'");
    cli_assert_refused(cli_run("topics", "aply"), 2, "'topics' has no 'aply'; the nearest is 'apply'");
    cli_assert_refused(cli_run("topics", "plan", "--profil", "x"), 2, "the nearest is '--profile'");
    cli_assert_refused(cli_run("version", "--jsn"), 2, "the nearest is '--json'");
    cli_assert_refused(cli_run("help", "modles"), 2, "the nearest is 'models'");
    cli_assert_refused(cli_run("run", "scoer"), 2, "there are: rekey, aggregate, online, score, label");
    cli_assert_refused(cli_run("config", "show", "--set", "redis.timout=1s"), 2, "the nearest is 'redis.timeout'");
    cli_assert_refused(cli_run("features", "show", "usr", "1"), 2, "the nearest is 'user'");
}

static void incomplete_and_superfluous_words_are_usage_errors(void **state)
{
    (void)state;
    cli_assert_refused(cli_run("--json"), 2, "no command");
    cli_assert_refused(cli_run("topics"), 2, "'topics' needs a verb");
    cli_assert_refused(cli_run("topics", "plan", "more"), 2, "'more' is one argument too many");
    cli_assert_refused(cli_run("topics", "plan", "--profile"), 2, "needs a value");
    cli_assert_refused(cli_run("predict", "--rows", "x"), 2, "--model FILE|DIR");
    cli_assert_refused(cli_run("models", "inspect"), 2, "arguments are missing: FILE|DIR");
    cli_assert_refused(cli_run("version", "--json=yes"), 2, "takes no value");
    cli_assert_refused(cli_run("run", "score", "score"), 2, "twice");
    cli_assert_refused(cli_run("simulate", "--rate", "fast"), 2, "--rate 'fast'");
    cli_assert_refused(cli_run("simulate", "--users", "0"), 2, "--users '0'");
    cli_assert_refused(cli_run("simulate", "--users", "5", "--authors", "6"), 2, "--authors 6 is above --users 5");
    cli_assert_refused(cli_run("simulate", "--examples", "x", "--flat-out"), 2, "--flat-out is about live traffic");
    cli_assert_refused(cli_run("simulate", "--examples", "x"), 2, "--examples needs --history");
    cli_assert_refused(cli_run("simulate", "--reference", "x"), 2, "--reference goes with --examples");
    cli_assert_refused(cli_run("simulate", "--examples", "x", "--history", "9h", "--reference", "x"), 2,
                       "--reference and --examples are two files");
    cli_assert_refused(cli_run("examples", "export"), 2, "--out FILE");
    cli_assert_refused(cli_run("examples", "export", "--out", "x", "--layout", "12"), 2, "16 hexadecimal digits");
    cli_assert_refused(cli_run("examples", "export", "--out", "x", "--since", "-1h", "--until", "-2h"), 2,
                       "--since is not before --until");
    cli_assert_refused(cli_run("features", "show", "pair", "1"), 2, "has 2 ids in its key, 1 are given");
    cli_assert_refused(cli_run("features", "show", "user", "1x"), 2, "'1x' is no id");
}

static void services_that_are_away_are_failures_not_usage(void **state)
{
    (void)state;
    // Port 1 of loopback refuses at once.
    const char *redis = "redis.address=127.0.0.1:1";
    cli_assert_refused(cli_run("features", "show", "user", "-7", "--set", redis), 1, "127.0.0.1:1");
    cli_assert_refused(cli_run("schemas", "list", "--set", "schema.registry_urls=http://127.0.0.1:1"), 1, "127.0.0.1");
}

static void health_without_a_bridge_is_not_ready(void **state)
{
    (void)state;
    cli_assert_refused(cli_run("health", "--url", "http://127.0.0.1:1"), 3, "127.0.0.1");
    cli_assert_refused(cli_run("health", "--url", "ftp://127.0.0.1"), 2, "not an http or https URL");
}

static void output_that_cannot_be_written_is_a_failure(void **state)
{
    (void)state;
    int result = system("'" GW_BINARY_DIR "/godwit' version >/dev/full 2>/dev/null");
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 1);
}

static void listings_need_no_service(void **state)
{
    (void)state;
    const struct cli_result *result = cli_run("topics", "list", "--set", "topics.prefix=my.");
    cli_assert_exit(result, 0);
    cli_assert_contains(result->out, "my.predictions ");
    cli_assert_contains(result->out, "my.prediction_requests.dlq ");
    result = cli_run("features", "list", "--json");
    cli_assert_exit(result, 0);
    cli_assert_contains(result->out, "{\"name\":\"user.state\",\"visible\":true,");
}

GW_TESTS(help_of_every_command_names_it_and_its_options, the_help_option_says_the_same_as_the_help_command,
         the_overview_lists_every_command, version_is_printed_by_word_and_by_option,
         unknown_words_are_usage_errors_that_suggest, incomplete_and_superfluous_words_are_usage_errors,
         services_that_are_away_are_failures_not_usage, health_without_a_bridge_is_not_ready,
         output_that_cannot_be_written_is_a_failure, listings_need_no_service)
