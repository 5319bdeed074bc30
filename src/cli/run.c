// SPDX-License-Identifier: MIT
// `run`, and the other programs that it and `train` start.
#include "cli/commands.h"

#include "base/log.h"
#include "base/mem.h"
#include "worker/supervisor.h"
#include "worker/worker.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS_MAX = GW_CLI_ARGUMENTS_MAX, KILL_GRACE_MS = 5000 };

#define TRAIN_PROGRAM "godwit-train"

void gw_cli_run_details(FILE *to)
{
    fprintf(to, "\nworkers:\n");
    for (size_t i = 0; i < gw_worker_count; i++) {
        fprintf(to, "  %-10s %s\n", gw_workers[i].name, gw_workers[i].help);
    }
}

static gw_status unknown_worker(const char *name, gw_err *err)
{
    char known[160] = "";
    size_t used = 0;
    for (size_t i = 0; i < gw_worker_count && used < sizeof known; i++) {
        int length = snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "", gw_workers[i].name);
        used += length > 0 ? (size_t)length : 0;
    }
    return gw_fail(err, GW_E_CONFIG, "unknown worker '%.40s', there are: %s", name, known);
}

static gw_status check_workers(const struct gw_cli *cli, gw_err *err)
{
    for (size_t i = 0; i < cli->argument_count; i++) {
        if (gw_worker_find(cli->arguments[i]) < 0) {
            return unknown_worker(cli->arguments[i], err);
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(cli->arguments[i], cli->arguments[j]) == 0) {
                return gw_fail(err, GW_E_CONFIG, "worker '%s' twice", cli->arguments[i]);
            }
        }
    }
    return GW_OK;
}

static gw_status own_path(char *to, size_t size, gw_err *err)
{
    ssize_t length = readlink("/proc/self/exe", to, size - 1);
    if (length <= 0 || (size_t)length >= size - 1) {
        return gw_fail(err, GW_E_IO, "cannot find the path of this program: %s", strerror(errno));
    }
    to[length] = '\0';
    return GW_OK;
}

// Fills argv of a child: PROGRAM run WORKER and the sources of the configuration as they were given to us.
static void fill_child(const struct gw_cli *cli, const char *program, const char *worker, const char **argv)
{
    size_t count = 0;
    argv[count++] = program;
    argv[count++] = "run";
    argv[count++] = worker;
    if (cli->config_path != NULL) {
        argv[count++] = "--config";
        argv[count++] = cli->config_path;
    }
    for (size_t i = 0; i < cli->set_count; i++) {
        argv[count++] = "--set";
        argv[count++] = cli->sets[i];
    }
    argv[count] = NULL;
}

static gw_status supervise(struct gw_cli *cli, const char *const *names, size_t count, gw_err *err)
{
    char program[PATH_MAX];
    GW_TRY(own_path(program, sizeof program, err));
    size_t words = 6 + 2 * cli->set_count;
    const char **argv = gw_mem_calloc(count * words, sizeof *argv);
    if (argv == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for the children's arguments");
    }
    struct gw_supervised children[WORKERS_MAX];
    for (size_t i = 0; i < count; i++) {
        fill_child(cli, program, names[i], argv + i * words);
        children[i] = (struct gw_supervised){.name = names[i], .argv = argv + i * words};
    }
    int64_t drain_us = gw_config_duration_us(cli->config, GW_OPT_WORKER_DRAIN_TIMEOUT);
    const struct gw_supervisor_options options = {
        .children = children, .child_count = count, .drain_ms = (uint32_t)(drain_us / 1000) + KILL_GRACE_MS};
    gw_log_configure((enum gw_log_level)gw_config_choice(cli->config, GW_OPT_LOG_LEVEL), NULL);
    gw_status status = gw_supervisor_run(&options, &cli->exit_code, err);
    gw_mem_free(argv);
    return status;
}

gw_status gw_cli_run(struct gw_cli *cli, gw_err *err)
{
    GW_TRY(check_workers(cli, err));
    if (cli->argument_count == 1) {
        return gw_worker_run(gw_worker_find(cli->arguments[0]), cli->config, err);
    }
    if (cli->argument_count > 1) {
        return supervise(cli, cli->arguments, cli->argument_count, err);
    }
    const char *all[WORKERS_MAX];
    size_t count = GW_MIN(gw_worker_count, (size_t)WORKERS_MAX);
    for (size_t i = 0; i < count; i++) {
        all[i] = gw_workers[i].name;
    }
    return supervise(cli, all, count, err);
}

// Replaces this process, so that signals and exit code are the other program's own.
gw_status gw_cli_train(struct gw_cli *cli, gw_err *err)
{
    char program[PATH_MAX + sizeof TRAIN_PROGRAM];
    size_t count = 0;
    while (cli->rest[count] != NULL) {
        count++;
    }
    char **argv = gw_mem_calloc(count + 2, sizeof *argv);
    if (argv == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for the arguments");
    }
    gw_status status = own_path(program, PATH_MAX, err);
    if (status == GW_OK) {
        char name[] = TRAIN_PROGRAM;
        strcpy(strrchr(program, '/') + 1, TRAIN_PROGRAM);
        memcpy(argv + 1, cli->rest, count * sizeof *argv);
        argv[0] = program;
        execv(program, argv);
        argv[0] = name;
        execvp(TRAIN_PROGRAM, argv);
        status = gw_fail(err, GW_E_NOT_FOUND, "cannot start %s, which is neither '%s' nor in PATH: %s", TRAIN_PROGRAM,
                         program, strerror(errno));
    }
    gw_mem_free(argv);
    return status;
}
