// SPDX-License-Identifier: MIT
// `config show` and `config check` over file, environment and --set.
#include "component/cli_run.h"

#include <stdlib.h>

// Gives the path of a file with that text; removed by the caller.
static const char *write_file(const char *text)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/godwit-cli-XXXXXX");
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), (ssize_t)strlen(text));
    close(file);
    return path;
}

static void origin_names_the_layer_that_won(void **state)
{
    (void)state;
    const char *path = write_file("[redis]\naddress = 10.0.0.1:1\nprefix = file:\n[log]\nlevel = warn\n");
    char from_file[96];
    snprintf(from_file, sizeof from_file, "%s:3", path);
    const struct cli_result *result = cli_run_with(
        (const char *const[]){"GODWIT_REDIS_ADDRESS=10.0.0.2:2", "GODWIT_LOG_LEVEL=error", NULL}, NULL,
        (const char *const[]){"config", "show", "--origin", "--config", path, "--set", "log.level=debug", NULL});
    unlink(path);
    cli_assert_exit(result, 0);
    static const struct {
        const char *name;
        const char *origin;
        const char *value;
    } expected[] = {{"redis.address", "GODWIT_REDIS_ADDRESS", "10.0.0.2:2"},
                    {"redis.prefix", NULL, "file:"},
                    {"log.level", "--set", "debug"},
                    {"redis.timeout", "default", "2s"}};
    for (size_t i = 0; i < GW_COUNT_OF(expected); i++) {
        char start[64];
        snprintf(start, sizeof start, "\n%s ", expected[i].name);
        const char *line = strstr(result->out, start);
        assert_non_null(line);
        char origin[128] = "";
        char value[128] = "";
        assert_int_equal(sscanf(line + strlen(start), "%127s %127s", origin, value), 2);
        assert_string_equal(origin, expected[i].origin != NULL ? expected[i].origin : from_file);
        assert_string_equal(value, expected[i].value);
    }
}

static void what_is_shown_loads_again_and_gives_the_same(void **state)
{
    (void)state;
    char first[CLI_OUTPUT_MAX];
    snprintf(
        first, sizeof first, "%s",
        cli_run("config", "show", "--set", "score.max_candidates=77", "--set", "kafka.security.protocol=ssl")->out);
    cli_assert_contains(first, "max_candidates = 77\n");
    cli_assert_contains(first, "security.protocol = ssl\n");
    const char *path = write_file(first);
    const struct cli_result *result = cli_run("config", "show", "--config", path);
    unlink(path);
    cli_assert_exit(result, 0);
    assert_string_equal(result->out, first);
}

static void the_variable_names_the_file_and_the_option_wins_over_it(void **state)
{
    (void)state;
    char by_variable[64];
    snprintf(by_variable, sizeof by_variable, "%s", write_file("[log]\nlevel = warn\n"));
    char variable[96];
    snprintf(variable, sizeof variable, "GODWIT_CONFIG=%s", by_variable);
    const char *const variables[] = {variable, NULL};
    const char *const show[] = {"config", "show", NULL};
    cli_assert_contains(cli_run_with(variables, NULL, show)->out, "level = warn\n");
    const char *by_option = write_file("[log]\nlevel = error\n");
    const char *const show_other[] = {"config", "show", "--config", by_option, NULL};
    cli_assert_contains(cli_run_with(variables, NULL, show_other)->out, "level = error\n");
    unlink(by_option);
    unlink(by_variable);
}

static void secrets_are_masked(void **state)
{
    (void)state;
    const char *uri = "postgres.uri=postgresql://me:hush-hush@db/x";
    assert_null(strstr(cli_run("config", "show", "--set", uri)->out, "hush-hush"));
    assert_null(strstr(cli_run("config", "show", "--origin", "--set", uri)->out, "hush-hush"));
    assert_null(strstr(cli_run("config", "show", "--json", "--set", uri)->out, "hush-hush"));
    cli_assert_contains(cli_run("config", "show", "--json", "--set", uri)->out, "\"masked\":true");
}

static void json_carries_type_range_and_help(void **state)
{
    (void)state;
    const struct cli_result *result = cli_run("config", "show", "--json");
    cli_assert_exit(result, 0);
    cli_assert_contains(result->out, "{\"name\":\"redis.timeout\",\"value\":\"2s\",\"default\":\"2s\","
                                     "\"origin\":\"default\",\"masked\":false,\"type\":\"duration\",\"min\":\"10ms\"");
}

static void bad_configuration_exits_with_2_and_names_the_line(void **state)
{
    (void)state;
    const char *path = write_file("[log]\n\nlevle = warn\n");
    const struct cli_result *result = cli_run("config", "show", "--config", path);
    unlink(path);
    cli_assert_refused(result, 2, ":3: ");
    cli_assert_contains(result->err, "the nearest is 'log.level'");
    cli_assert_refused(cli_run("config", "show", "--config", "/no/such.ini"), 2, "/no/such.ini");
    const char *const variables[] = {"GODWIT_LOG_LEVLE=warn", NULL};
    cli_assert_refused(cli_run_with(variables, NULL, (const char *const[]){"config", "show", NULL}), 2,
                       "GODWIT_LOG_LEVLE");
    // Commands that need none still refuse one that is given and wrong.
    cli_assert_refused(cli_run("version", "--set", "log.level=loud"), 2, "loud");
}

static void check_looks_into_the_files_that_are_named(void **state)
{
    (void)state;
    const struct cli_result *result = cli_run("config", "check");
    cli_assert_exit(result, 0);
    cli_assert_contains(result->out, "ok: ");
    const char *path = write_file("[feature x]\nview = nowhere\n");
    char set[96];
    snprintf(set, sizeof set, "features.file=%s", path);
    result = cli_run("config", "check", "--set", set);
    unlink(path);
    cli_assert_refused(result, 2, path);
    cli_assert_refused(cli_run("config", "check", "--set", "redis.password_file=/no/such"), 2, "/no/such");
}

GW_TESTS(origin_names_the_layer_that_won, what_is_shown_loads_again_and_gives_the_same,
         the_variable_names_the_file_and_the_option_wins_over_it, secrets_are_masked, json_carries_type_range_and_help,
         bad_configuration_exits_with_2_and_names_the_line, check_looks_into_the_files_that_are_named)
