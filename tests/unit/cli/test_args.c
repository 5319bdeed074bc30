// SPDX-License-Identifier: MIT
// How words become a command: pure, over the real table.
#include "cli/cli.h"

#include "base/clock.h"
#include "support/testkit.h"

#include <string.h>

static struct gw_cli cli;
static gw_err err;

static gw_status parse_words(const char *const *words)
{
    static char *argv[64];
    int argc = 1;
    static char program[] = "godwit";
    argv[0] = program;
    for (; words[argc - 1] != NULL; argc++) {
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    }
    argv[argc] = NULL;
    cli = (struct gw_cli){0};
    err = (gw_err){0};
    return gw_cli_parse(argc, argv, &cli, &err);
}

#define parse(...) parse_words((const char *const[]){__VA_ARGS__, NULL})

static void every_row_of_the_table_is_whole_and_unique(void **state)
{
    (void)state;
    for (size_t i = 0; i < gw_cli_command_count; i++) {
        const struct gw_cli_command *command = &gw_cli_commands[i];
        assert_true(command->run != NULL && command->help != NULL && command->arguments != NULL);
        assert_true(command->argument_count_min <= command->argument_count_max);
        assert_int_equal(command->arguments[0] != '\0', command->argument_count_max > 0 || command->passes_through);
        assert_ptr_equal(gw_cli_find(command->noun, command->verb), command);
        // A noun stands alone or has verbs, not both.
        assert_int_equal(gw_cli_find_noun(command->noun)->verb == NULL, command->verb == NULL);
        size_t count = 0;
        for (const struct gw_cli_option *o = command->options; o != NULL && o->name != NULL; o++, count++) {
            assert_memory_equal(o->name, "--", 2);
            for (const struct gw_cli_option *g = gw_cli_globals; g->name != NULL; g++) {
                assert_string_not_equal(o->name, g->name);
            }
        }
        assert_true(count <= GW_CLI_OPTIONS_MAX);
    }
}

static void options_may_stand_anywhere_and_take_values_both_ways(void **state)
{
    (void)state;
    assert_ok(parse("--json", "topics", "--set=a.b=c", "plan", "--profile", "quickstart", "--config", "x.ini"));
    assert_string_equal(cli.command->verb, "plan");
    assert_true(cli.json);
    assert_int_equal(cli.set_count, 1);
    assert_string_equal(cli.sets[0], "a.b=c");
    assert_string_equal(cli.config_path, "x.ini");
    assert_string_equal(gw_cli_value(&cli, "--profile"), "quickstart");
}

static void an_option_that_may_be_repeated_keeps_its_values_in_order(void **state)
{
    (void)state;
    size_t cursor = 0;
    assert_ok(parse("models", "register", "--tag", "a=1", "m", "--head", "h", "--tag=b=2", "dir"));
    assert_string_equal(gw_cli_value(&cli, "--tag"), "a=1");
    assert_string_equal(gw_cli_next_value(&cli, "--tag", &cursor), "a=1");
    assert_string_equal(gw_cli_next_value(&cli, "--tag", &cursor), "b=2");
    assert_null(gw_cli_next_value(&cli, "--tag", &cursor));
    assert_int_equal(cli.argument_count, 2);
    assert_fails(parse("models", "register", "m", "dir", "--head", "a", "--head", "b"), GW_E_CONFIG);
}

static void negative_numbers_and_words_behind_two_dashes_are_arguments(void **state)
{
    (void)state;
    assert_ok(parse("features", "show", "user", "-17"));
    assert_string_equal(cli.arguments[1], "-17");
    assert_ok(parse("models", "inspect", "--", "--strange"));
    assert_string_equal(cli.arguments[0], "--strange");
}

static void words_behind_a_command_that_passes_through_are_left_alone(void **state)
{
    (void)state;
    assert_ok(parse("--json", "train", "--help", "--set", "x"));
    assert_false(cli.help);
    assert_string_equal(cli.rest[0], "--help");
    assert_string_equal(cli.rest[2], "x");
    assert_null(cli.rest[3]);
}

static void options_are_refused_twice_and_globals_repeat(void **state)
{
    (void)state;
    assert_fails(parse("predict", "--model", "a", "--model", "b", "--rows", "c"), GW_E_CONFIG);
    assert_string_equal(err.message, "option '--model' twice");
    assert_ok(parse("version", "--set", "a.b=1", "--set", "a.b=2", "--json", "--json"));
    assert_int_equal(cli.set_count, 2);
}

static void numbers_and_durations_name_their_option_when_wrong(void **state)
{
    (void)state;
    uint64_t number = 0;
    int64_t duration_us = 0;
    double real = 0;
    assert_ok(parse("simulate", "--users", "12", "--history", "2h", "--rate", "2.5"));
    assert_ok(gw_cli_u64(&cli, "--users", 1, 1, 100, &number, &err));
    assert_int_equal(number, 12);
    assert_ok(gw_cli_u64(&cli, "--authors", 7, 1, 100, &number, &err));
    assert_int_equal(number, 7);
    assert_ok(gw_cli_duration(&cli, "--history", 0, &duration_us, &err));
    assert_int_equal(duration_us, 7200000000);
    assert_ok(gw_cli_double(&cli, "--rate", 1, 0, 10, &real, &err));
    assert_true(real == 2.5);
    assert_fails(gw_cli_u64(&cli, "--users", 1, 13, 100, &number, &err), GW_E_CONFIG);
    assert_string_equal(err.message, "--users '12', expected a whole number from 13 to 100");
    assert_fails(gw_cli_u64(&cli, "--rate", 1, 0, 100, &number, &err), GW_E_CONFIG);
    assert_fails(gw_cli_duration(&cli, "--users", 0, &duration_us, &err), GW_E_CONFIG);
    assert_fails(gw_cli_double(&cli, "--rate", 1, 3, 10, &real, &err), GW_E_CONFIG);
}

static void moments_are_absolute_or_ago(void **state)
{
    (void)state;
    int64_t time_ms = 0;
    assert_ok(parse("examples", "export", "--out", "x", "--since", "-2h", "--until", "2026-11-24T12:00:00Z"));
    assert_ok(gw_cli_time(&cli, "--until", 0, &time_ms, &err));
    assert_int_equal(time_ms, 1795521600000);
    int64_t before_ms = gw_clock_wall_ms();
    assert_ok(gw_cli_time(&cli, "--since", 0, &time_ms, &err));
    assert_in_range(time_ms, before_ms - 7200000, gw_clock_wall_ms() - 7200000);
    assert_ok(gw_cli_time(&cli, "--layout", 7, &time_ms, &err));
    assert_int_equal(time_ms, 7);
    assert_fails(gw_cli_time(&cli, "--out", 0, &time_ms, &err), GW_E_CONFIG);
}

static void too_many_words_are_refused(void **state)
{
    (void)state;
    const char *words[2 + 2 * (GW_CLI_SETS_MAX + 1)] = {"version"};
    char *argv[GW_COUNT_OF(words) + 1] = {0};
    for (size_t i = 1; i < GW_COUNT_OF(words) - 1; i += 2) {
        words[i] = "--set";
        words[i + 1] = "a.b=c";
    }
    for (size_t i = 0; i < GW_COUNT_OF(words) - 1; i++) {
        argv[i + 1] = (char *)(uintptr_t)words[i];
    }
    cli = (struct gw_cli){0};
    assert_fails(gw_cli_parse((int)GW_COUNT_OF(words), argv, &cli, &err), GW_E_CONFIG);
}

GW_TESTS(an_option_that_may_be_repeated_keeps_its_values_in_order, every_row_of_the_table_is_whole_and_unique,
         options_may_stand_anywhere_and_take_values_both_ways,
         negative_numbers_and_words_behind_two_dashes_are_arguments,
         words_behind_a_command_that_passes_through_are_left_alone, options_are_refused_twice_and_globals_repeat,
         numbers_and_durations_name_their_option_when_wrong, moments_are_absolute_or_ago, too_many_words_are_refused)
