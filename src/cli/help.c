// SPDX-License-Identifier: MIT
// Help texts, all from the table of commands.
#include "cli/cli.h"

#include <string.h>

enum { NAME_WIDTH = 34 };

static void print_entry(FILE *to, const char *left, const char *help)
{
    if (strlen(left) < NAME_WIDTH) {
        fprintf(to, "  %-*s%s\n", NAME_WIDTH, left, help);
    } else {
        fprintf(to, "  %s\n  %-*s%s\n", left, NAME_WIDTH, "", help);
    }
}

static void print_options(FILE *to, const char *title, const struct gw_cli_option *options)
{
    if (options == NULL || options->name == NULL) {
        return;
    }
    fprintf(to, "\n%s:\n", title);
    for (; options->name != NULL; options++) {
        char left[96];
        snprintf(left, sizeof left, "%s%s%s", options->name, options->value != NULL ? " " : "",
                 options->value != NULL ? options->value : "");
        print_entry(to, left, options->help);
    }
}

static void print_command(FILE *to, const struct gw_cli_command *command)
{
    char left[96];
    snprintf(left, sizeof left, "%s%s%s%s%s", command->noun, command->verb != NULL ? " " : "",
             command->verb != NULL ? command->verb : "", command->arguments[0] != '\0' ? " " : "", command->arguments);
    print_entry(to, left, command->help);
}

void gw_cli_help_all(FILE *to)
{
    fprintf(to,
            "godwit %s: streams predictions through Kafka\n"
            "usage: godwit COMMAND [ARGUMENT...] [OPTION...]\n\ncommands:\n",
            GW_VERSION);
    for (size_t i = 0; i < gw_cli_command_count; i++) {
        print_command(to, &gw_cli_commands[i]);
    }
    print_options(to, "options of every command", gw_cli_globals);
    fprintf(to, "\nData goes to stdout, messages to stderr.\n"
                "Exit codes: 0 ok, 1 failure, 2 usage or configuration, 3 not ready, 4 conflict.\n"
                "'godwit COMMAND --help' says more about one.\n");
}

void gw_cli_help_noun(FILE *to, const char *noun)
{
    fprintf(to, "usage: godwit %s VERB [ARGUMENT...] [OPTION...]\n\ncommands:\n", noun);
    for (size_t i = 0; i < gw_cli_command_count; i++) {
        if (strcmp(gw_cli_commands[i].noun, noun) == 0) {
            print_command(to, &gw_cli_commands[i]);
        }
    }
    print_options(to, "options of every command", gw_cli_globals);
}

void gw_cli_help_command(FILE *to, const struct gw_cli_command *command)
{
    fprintf(to, "usage: godwit %s%s%s", command->noun, command->verb != NULL ? " " : "",
            command->verb != NULL ? command->verb : "");
    for (const struct gw_cli_option *o = command->options; o != NULL && o->name != NULL; o++) {
        if (o->required) {
            fprintf(to, " %s %s", o->name, o->value);
        }
    }
    fprintf(to, "%s%s%s\n%s\n", command->arguments[0] != '\0' ? " " : "", command->arguments,
            command->passes_through ? "" : " [OPTION...]", command->help);
    if (command->details != NULL) {
        command->details(to);
    }
    print_options(to, "options", command->options);
    print_options(to, "options of every command", gw_cli_globals);
}
