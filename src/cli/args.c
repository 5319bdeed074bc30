// SPDX-License-Identifier: MIT
#include "cli/cli.h"

#include "api/change.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/ini.h"
#include "base/suggest.h"

#include <string.h>

enum global { GLOBAL_CONFIG, GLOBAL_SET, GLOBAL_JSON, GLOBAL_HELP, GLOBAL_VERSION };

const struct gw_cli_option gw_cli_globals[] = {
    [GLOBAL_CONFIG] = {"--config", "FILE", "configuration file; else the one that GODWIT_CONFIG names", false},
    [GLOBAL_SET] = {"--set", "SECTION.KEY=VALUE", "one option, over file and environment; may be repeated", false},
    [GLOBAL_JSON] = {"--json", NULL, "data as JSON", false},
    [GLOBAL_HELP] = {"--help", NULL, "this text", false},
    [GLOBAL_VERSION] = {"--version", NULL, "the version", false},
    {NULL, NULL, NULL, false},
};

const struct gw_cli_command *gw_cli_find_noun(const char *noun)
{
    for (size_t i = 0; i < gw_cli_command_count; i++) {
        if (strcmp(gw_cli_commands[i].noun, noun) == 0) {
            return &gw_cli_commands[i];
        }
    }
    return NULL;
}

const struct gw_cli_command *gw_cli_find(const char *noun, const char *verb)
{
    for (size_t i = 0; i < gw_cli_command_count; i++) {
        const struct gw_cli_command *command = &gw_cli_commands[i];
        bool same_verb =
            verb == NULL || command->verb == NULL ? verb == command->verb : strcmp(command->verb, verb) == 0;
        if (same_verb && strcmp(command->noun, noun) == 0) {
            return command;
        }
    }
    return NULL;
}

// Index of the row whose name is the first `length` bytes of `word`, or -1.
static int find_option(const struct gw_cli_option *options, const char *word, size_t length)
{
    for (int i = 0; options != NULL && options[i].name != NULL; i++) {
        if (strlen(options[i].name) == length && memcmp(options[i].name, word, length) == 0) {
            return i;
        }
    }
    return -1;
}

static gw_status unknown_option(const struct gw_cli *cli, const char *word, size_t length, gw_err *err)
{
    struct gw_suggestion suggestion;
    gw_suggestion_start(&suggestion, word, length);
    const struct gw_cli_option *lists[] = {cli->command != NULL ? cli->command->options : NULL, gw_cli_globals};
    for (size_t l = 0; l < GW_COUNT_OF(lists); l++) {
        for (const struct gw_cli_option *o = lists[l]; o != NULL && o->name != NULL; o++) {
            gw_suggestion_offer(&suggestion, o->name);
        }
    }
    return gw_fail(err, GW_E_CONFIG, "unknown option '%.*s'%s", (int)GW_MIN(length, 60), word,
                   gw_suggestion_text(&suggestion));
}

static gw_status unknown_noun(const char *word, gw_err *err)
{
    struct gw_suggestion suggestion;
    gw_suggestion_start(&suggestion, word, strlen(word));
    for (size_t i = 0; i < gw_cli_command_count; i++) {
        gw_suggestion_offer(&suggestion, gw_cli_commands[i].noun);
    }
    return gw_fail(err, GW_E_CONFIG, "unknown command '%.60s'%s", word, gw_suggestion_text(&suggestion));
}

static gw_status unknown_verb(const char *noun, const char *word, gw_err *err)
{
    struct gw_suggestion suggestion;
    gw_suggestion_start(&suggestion, word, strlen(word));
    for (size_t i = 0; i < gw_cli_command_count; i++) {
        if (strcmp(gw_cli_commands[i].noun, noun) == 0) {
            gw_suggestion_offer(&suggestion, gw_cli_commands[i].verb);
        }
    }
    return gw_fail(err, GW_E_CONFIG, "'%s' has no '%.60s'%s", noun, word, gw_suggestion_text(&suggestion));
}

static gw_status take_global(struct gw_cli *cli, int global, const char *value, gw_err *err)
{
    switch ((enum global)global) {
    case GLOBAL_CONFIG:
        cli->config_path = value;
        break;
    case GLOBAL_SET:
        if (cli->set_count == GW_CLI_SETS_MAX) {
            return gw_fail(err, GW_E_CONFIG, "more than %d times --set", GW_CLI_SETS_MAX);
        }
        cli->sets[cli->set_count++] = value;
        break;
    case GLOBAL_JSON:
        cli->json = true;
        break;
    case GLOBAL_HELP:
        cli->help = true;
        break;
    case GLOBAL_VERSION:
        cli->version = true;
        break;
    }
    return GW_OK;
}

static bool may_repeat(const struct gw_cli_option *option)
{
    size_t length = option->value != NULL ? strlen(option->value) : 0;
    return length > 3 && strcmp(option->value + length - 3, "...") == 0;
}

static gw_status take_repeat(struct gw_cli *cli, int own, const char *value, gw_err *err)
{
    if (cli->repeat_count == GW_CLI_REPEATS_MAX) {
        return gw_fail(err, GW_E_CONFIG, "more than %d times %s", GW_CLI_REPEATS_MAX, cli->command->options[own].name);
    }
    cli->repeats[cli->repeat_count].option = &cli->command->options[own];
    cli->repeats[cli->repeat_count++].value = value;
    cli->values[own] = cli->values[own] != NULL ? cli->values[own] : value;
    return GW_OK;
}

// Takes the option in argv[*at] and, when it has one, its value; leaves *at on the last word taken.
static gw_status take_option(struct gw_cli *cli, int argc, char **argv, int *at, gw_err *err)
{
    const char *word = argv[*at];
    const char *equals = strchr(word, '=');
    size_t length = equals != NULL ? (size_t)(equals - word) : strlen(word);
    int own = cli->command != NULL ? find_option(cli->command->options, word, length) : -1;
    int global = own >= 0 ? -1 : find_option(gw_cli_globals, word, length);
    if (own < 0 && global < 0) {
        return unknown_option(cli, word, length, err);
    }
    const struct gw_cli_option *option = own >= 0 ? &cli->command->options[own] : &gw_cli_globals[global];
    const char *value = "";
    if (option->value == NULL && equals != NULL) {
        return gw_fail(err, GW_E_CONFIG, "option '%s' takes no value", option->name);
    }
    if (option->value != NULL && equals != NULL) {
        value = equals + 1;
    } else if (option->value != NULL) {
        if (*at + 1 >= argc) {
            return gw_fail(err, GW_E_CONFIG, "option '%s' needs a value: %s %s", option->name, option->name,
                           option->value);
        }
        value = argv[++*at];
    }
    if (own < 0) {
        return take_global(cli, global, value, err);
    }
    GW_ASSERT(own < GW_CLI_OPTIONS_MAX);
    if (may_repeat(option)) {
        return take_repeat(cli, own, value, err);
    }
    if (cli->values[own] != NULL) {
        return gw_fail(err, GW_E_CONFIG, "option '%s' twice", option->name);
    }
    cli->values[own] = value;
    return GW_OK;
}

static gw_status take_argument(struct gw_cli *cli, const char *word, gw_err *err)
{
    if (cli->command == NULL && cli->noun == NULL) {
        const struct gw_cli_command *first = gw_cli_find_noun(word);
        if (first == NULL) {
            return unknown_noun(word, err);
        }
        cli->noun = first->noun;
        cli->command = first->verb == NULL ? first : NULL;
        return GW_OK;
    }
    if (cli->command == NULL) {
        cli->command = gw_cli_find(cli->noun, word);
        return cli->command != NULL ? GW_OK : unknown_verb(cli->noun, word, err);
    }
    if (cli->argument_count >= GW_MIN(cli->command->argument_count_max, GW_CLI_ARGUMENTS_MAX)) {
        return gw_fail(err, GW_E_CONFIG, "'%.60s' is one argument too many", word);
    }
    cli->arguments[cli->argument_count++] = word;
    return GW_OK;
}

static gw_status check_complete(const struct gw_cli *cli, gw_err *err)
{
    if (cli->help || cli->version) {
        return GW_OK;
    }
    if (cli->noun == NULL) {
        return gw_fail(err, GW_E_CONFIG, "no command");
    }
    const struct gw_cli_command *command = cli->command;
    if (command == NULL) {
        return gw_fail(err, GW_E_CONFIG, "'%s' needs a verb", cli->noun);
    }
    for (int i = 0; command->options != NULL && command->options[i].name != NULL; i++) {
        if (command->options[i].required && cli->values[i] == NULL) {
            return gw_fail(err, GW_E_CONFIG, "option '%s %s' is required", command->options[i].name,
                           command->options[i].value);
        }
    }
    if (cli->argument_count < command->argument_count_min) {
        return gw_fail(err, GW_E_CONFIG, "arguments are missing: %s", command->arguments);
    }
    return GW_OK;
}

// A dash and a digit begin a number, not an option: ids may be negative.
static bool is_option(const char *word)
{
    return word[0] == '-' && word[1] != '\0' && !(word[1] >= '0' && word[1] <= '9');
}

gw_status gw_cli_parse(int argc, char **argv, struct gw_cli *cli, gw_err *err)
{
    bool options_end = false;
    for (int i = 1; i < argc && !cli->help; i++) {
        if (!options_end && strcmp(argv[i], "--") == 0) {
            options_end = true;
        } else if (!options_end && strcmp(argv[i], "-h") == 0) {
            cli->help = true;
        } else if (!options_end && is_option(argv[i])) {
            GW_TRY(take_option(cli, argc, argv, &i, err));
        } else {
            GW_TRY(take_argument(cli, argv[i], err));
            if (cli->command != NULL && cli->command->passes_through) {
                cli->rest = &argv[i + 1];
                break;
            }
        }
    }
    return check_complete(cli, err);
}

const char *gw_cli_value(const struct gw_cli *cli, const char *name)
{
    int index = find_option(cli->command->options, name, strlen(name));
    GW_ASSERT(index >= 0);
    return cli->values[index];
}

const char *gw_cli_next_value(const struct gw_cli *cli, const char *name, size_t *cursor)
{
    int index = find_option(cli->command->options, name, strlen(name));
    GW_ASSERT(index >= 0);
    while (*cursor < cli->repeat_count) {
        size_t i = (*cursor)++;
        if (cli->repeats[i].option == &cli->command->options[index]) {
            return cli->repeats[i].value;
        }
    }
    return NULL;
}

gw_status gw_cli_double(const struct gw_cli *cli, const char *name, double preset, double min, double max,
                        double *ret_value, gw_err *err)
{
    const char *text = gw_cli_value(cli, name);
    double value = preset;
    if (text != NULL && (gw_parse_double(text, &value, NULL) != GW_OK || !(value >= min && value <= max))) {
        return gw_fail(err, GW_E_CONFIG, "%s '%.40s', expected a number from %.15g to %.15g", name, text, min, max);
    }
    *ret_value = value;
    return GW_OK;
}

gw_status gw_cli_u64(const struct gw_cli *cli, const char *name, uint64_t preset, uint64_t min, uint64_t max,
                     uint64_t *ret_value, gw_err *err)
{
    const char *text = gw_cli_value(cli, name);
    int64_t value = 0;
    if (text == NULL) {
        *ret_value = preset;
        return GW_OK;
    }
    if (gw_parse_i64(text, &value, NULL) != GW_OK || value < 0 || (uint64_t)value < min || (uint64_t)value > max) {
        return gw_fail(err, GW_E_CONFIG, "%s '%.40s', expected a whole number from %llu to %llu", name, text,
                       (unsigned long long)min, (unsigned long long)max);
    }
    *ret_value = (uint64_t)value;
    return GW_OK;
}

gw_status gw_cli_duration(const struct gw_cli *cli, const char *name, int64_t preset_us, int64_t *ret_us, gw_err *err)
{
    const char *text = gw_cli_value(cli, name);
    int64_t value = preset_us;
    if (text != NULL && gw_parse_duration_us(text, &value, NULL) != GW_OK) {
        return gw_fail(err, GW_E_CONFIG, "%s '%.40s', expected a duration such as 90s, 15m or 2d", name, text);
    }
    *ret_us = value;
    return GW_OK;
}

gw_status gw_cli_time(const struct gw_cli *cli, const char *name, int64_t preset_ms, int64_t *ret_ms, gw_err *err)
{
    const char *text = gw_cli_value(cli, name);
    int64_t ago_us = 0;
    if (text == NULL) {
        *ret_ms = preset_ms;
        return GW_OK;
    }
    if (text[0] == '-' && gw_parse_duration_us(text + 1, &ago_us, NULL) == GW_OK) {
        *ret_ms = gw_clock_wall_ms() - ago_us / 1000;
        return GW_OK;
    }
    if (!gw_api_parse_time(text, ret_ms)) {
        return gw_fail(err, GW_E_CONFIG,
                       "%s '%.40s', expected RFC 3339 such as 2026-11-24T12:00:00Z, milliseconds since 1970, or how"
                       " long ago such as -2h",
                       name, text);
    }
    return GW_OK;
}
