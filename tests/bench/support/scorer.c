// SPDX-License-Identifier: MIT
#include "support/scorer.h"

#include "base/clock.h"
#include "kafka/admin.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 64, STOP_MS = 30000, STEP_MS = 20, CALL_MS = 20000 };

gw_status bench_child_start(const char *program, const char *worker, const char *const *sets, const char *log,
                            struct bench_child *ret_child, gw_err *err)
{
    const char *argv[ARGUMENTS_MAX] = {program, "run", worker};
    size_t count = 3;
    for (size_t i = 0; sets[i] != NULL; i++) {
        if (count + 3 > ARGUMENTS_MAX) {
            return gw_fail(err, GW_E_CONFIG, "too many --set options");
        }
        argv[count++] = "--set";
        argv[count++] = sets[i];
    }
    struct bench_child child = {0};
    snprintf(child.log, sizeof child.log, "%s", log);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    int error = posix_spawn(&child.pid, program, &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        return gw_fail(err, GW_E_IO, "cannot start '%s': %s", program, strerror(error));
    }
    *ret_child = child;
    return GW_OK;
}

gw_status bench_child_check(struct bench_child *child, gw_err *err)
{
    int status = 0;
    if (child->pid != 0 && waitpid(child->pid, &status, WNOHANG) == child->pid) {
        child->pid = 0;
        return gw_fail(err, GW_E_UNAVAILABLE, "the worker ended with status %d, see '%s'",
                       WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), child->log);
    }
    return GW_OK;
}

void bench_child_stop(struct bench_child *child)
{
    if (child->pid == 0) {
        return;
    }
    kill(child->pid, SIGTERM);
    uint64_t until_us = gw_clock_mono_us() + STOP_MS * 1000ULL;
    while (waitpid(child->pid, NULL, WNOHANG) == 0) {
        if (gw_clock_mono_us() > until_us) {
            kill(child->pid, SIGKILL);
        }
        nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
    }
    child->pid = 0;
}

gw_status bench_cpu_ns(pid_t pid, double *ret_ns, gw_err *err)
{
    *ret_ns = 0;
    if (pid == 0) {
        return GW_OK;
    }
    char path[64];
    char text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    size_t size = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file != NULL) {
        fclose(file);
    }
    text[size] = '\0';
    // utime and stime are fields 14 and 15; the name in field 2 may contain anything, so count from its bracket.
    const char *name_end = strrchr(text, ')');
    unsigned long user = 0;
    unsigned long system = 0;
    if (name_end == NULL ||
        sscanf(name_end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) {
        return gw_fail(err, GW_E_IO, "cannot read '%s'", path);
    }
    *ret_ns = (double)(user + system) * 1e9 / (double)sysconf(_SC_CLK_TCK);
    return GW_OK;
}

gw_status bench_machine_cpu(struct bench_machine *ret_machine, gw_err *err)
{
    unsigned long user = 0;
    unsigned long nice = 0;
    unsigned long system = 0;
    unsigned long irq = 0;
    unsigned long soft = 0;
    unsigned long stolen = 0;
    FILE *file = fopen("/proc/stat", "re");
    int got = file != NULL
                  ? fscanf(file, "cpu %lu %lu %lu %*u %*u %lu %lu %lu", &user, &nice, &system, &irq, &soft, &stolen)
                  : 0;
    if (file != NULL) {
        fclose(file);
    }
    if (got != 6) {
        return gw_fail(err, GW_E_IO, "cannot read '/proc/stat'");
    }
    double tick_ns = 1e9 / (double)sysconf(_SC_CLK_TCK);
    *ret_machine = (struct bench_machine){.busy_ns = (double)(user + nice + system + irq + soft) * tick_ns,
                                          .stolen_ns = (double)stolen * tick_ns};
    return GW_OK;
}

gw_status bench_rewind(const struct bench_session *session, const struct gw_kafka_position *positions, size_t count,
                       gw_err *err)
{
    struct gw_kafka_admin *admin = NULL;
    GW_TRY(gw_kafka_admin_new(&session->runtime.kafka, &admin, err));
    gw_status status = gw_kafka_admin_group_offsets_set(admin, gw_runtime_group(&session->runtime, "score"), positions,
                                                        count, CALL_MS, err);
    gw_kafka_admin_free(admin);
    return status;
}
