// SPDX-License-Identifier: MIT
// `help` and `version`.
#include "cli/commands.h"

#include <stdint.h>

gw_status gw_cli_version(struct gw_cli *cli, gw_err *err)
{
    (void)err;
    printf(cli->json ? "{\"version\":\"%s\"}\n" : "godwit %s\n", GW_VERSION);
    return GW_OK;
}

// `help NOUN VERB` is `NOUN VERB --help`: the same parse finds the command, or says what is wrong.
gw_status gw_cli_help(struct gw_cli *cli, gw_err *err)
{
    char program[] = "godwit";
    char help[] = "--help";
    char *argv[4] = {program};
    for (size_t i = 0; i < cli->argument_count; i++) {
        argv[1 + i] = (char *)(uintptr_t)cli->arguments[i];
    }
    struct gw_cli wanted = {0};
    size_t count = 1 + cli->argument_count;
    argv[count] = help;
    GW_TRY(gw_cli_parse((int)count + 1, argv, &wanted, err));
    if (wanted.command != NULL) {
        gw_cli_help_command(stdout, wanted.command);
    } else if (wanted.noun != NULL) {
        gw_cli_help_noun(stdout, wanted.noun);
    } else {
        gw_cli_help_all(stdout);
    }
    return GW_OK;
}
