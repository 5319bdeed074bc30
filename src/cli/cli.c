// SPDX-License-Identifier: MIT
#include "cli/cli.h"

#include "worker/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

gw_status gw_cli_print_json(struct gw_json_writer *writer, gw_err *err)
{
    GW_TRY(gw_json_writer_finish(writer, err));
    fwrite(writer->out->data, 1, writer->out->size, stdout);
    putchar('\n');
    return GW_OK;
}

static gw_status load_config(struct gw_cli *cli, gw_err *err)
{
    GW_TRY(gw_config_new(&cli->config, err));
    const char *path = cli->config_path != NULL ? cli->config_path : getenv("GODWIT_CONFIG");
    if (path != NULL && path[0] != '\0') {
        gw_status status = gw_config_load_file(cli->config, path, err);
        if (status != GW_OK) {
            // A file that is not there is a wrong configuration, whatever it would have said.
            return status == GW_E_NOT_FOUND && err != NULL ? (err->status = GW_E_CONFIG) : status;
        }
    }
    GW_TRY(gw_config_apply_environment(cli->config, environ, err));
    for (size_t i = 0; i < cli->set_count; i++) {
        GW_TRY(gw_config_apply_set(cli->config, cli->sets[i], err));
    }
    return GW_OK;
}

static gw_status run_command(struct gw_cli *cli, gw_err *err)
{
    if (cli->command->uses_config || cli->config_path != NULL || cli->set_count > 0) {
        GW_TRY(load_config(cli, err));
    }
    GW_TRY(cli->command->run(cli, err));
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return gw_fail(err, GW_E_IO, "cannot write to stdout: %s", strerror(errno));
    }
    return GW_OK;
}

static void show_help(const struct gw_cli *cli, FILE *to)
{
    if (cli->command != NULL) {
        gw_cli_help_command(to, cli->command);
    } else if (cli->noun != NULL) {
        gw_cli_help_noun(to, cli->noun);
    } else {
        gw_cli_help_all(to);
    }
}

static void show_hint(const struct gw_cli *cli)
{
    const struct gw_cli_command *command = cli->command;
    const char *verb = command != NULL && command->verb != NULL ? command->verb : "";
    fprintf(stderr, "see: godwit%s%s%s%s --help\n", cli->noun != NULL ? " " : "", cli->noun != NULL ? cli->noun : "",
            verb[0] != '\0' ? " " : "", verb);
}

int gw_cli_main(int argc, char **argv)
{
    struct gw_cli cli = {0};
    gw_err err = {0};
    gw_status status = gw_cli_parse(argc, argv, &cli, &err);
    if (status != GW_OK) {
        fprintf(stderr, "godwit: %s\n", err.message);
        show_hint(&cli);
        return gw_exit_code(status);
    }
    if (cli.version) {
        cli.command = gw_cli_find("version", NULL);
    } else if (cli.help) {
        show_help(&cli, stdout);
        return 0;
    }
    status = run_command(&cli, &err);
    gw_config_free(cli.config);
    if (status != GW_OK) {
        fflush(stdout);
        fprintf(stderr, "godwit: %s\n", err.message);
        return gw_exit_code(status);
    }
    return cli.exit_code;
}
