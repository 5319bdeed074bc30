// SPDX-License-Identifier: MIT
#include "worker/supervisor.h"

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CHILDREN_MAX = 32,
    LINE_BYTES = 4096,
    STABLE_US = 30 * 1000 * 1000, // a child that lived so long starts its backoff anew
    EXIT_USAGE = 2,
    EXIT_NOT_READY = 3,
    EXIT_FENCED = 5,
    FENCED_MAX = 3, // so often within FENCED_WITHIN_US of a start is final: a rival has the same transactional id
    FENCED_WITHIN_US = 60 * 1000 * 1000,
};

struct child {
    const struct gw_supervised *what;
    pid_t pid;        // 0: not running
    int output;       // read end of its stdout and stderr; -1: none
    char line[LINE_BYTES];
    size_t line_size;
    uint64_t started_us;
    uint64_t restart_at_us; // 0: do not start
    struct gw_backoff backoff;
    uint32_t fenced_count; // in a row, soon after a start
    int exit_code;
};

struct supervisor {
    const struct gw_supervisor_options *options;
    struct child children[CHILDREN_MAX];
    size_t count;
    struct gw_rng rng;
    bool draining;
    uint64_t kill_at_us;
    sigset_t old_mask;
};

static void print_line(struct child *child)
{
    fprintf(stderr, "%-9s | %.*s\n", child->what->name, (int)child->line_size, child->line);
    child->line_size = 0;
}

static void copy_output(struct child *child)
{
    char chunk[4096];
    ssize_t got = read(child->output, chunk, sizeof chunk);
    if (got <= 0) {
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) {
            return;
        }
        if (child->line_size > 0) {
            print_line(child);
        }
        close(child->output);
        child->output = -1;
        return;
    }
    for (ssize_t i = 0; i < got; i++) {
        if (chunk[i] == '\n' || child->line_size == sizeof child->line) {
            print_line(child);
        }
        if (chunk[i] != '\n') {
            child->line[child->line_size++] = chunk[i];
        }
    }
}

static gw_status start(struct supervisor *self, struct child *child, gw_err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return gw_fail(err, GW_E_IO, "cannot make a pipe: %s", strerror(errno));
    }
    pid_t supervisor = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        close(ends[0]);
        close(ends[1]);
        return gw_fail(err, GW_E_IO, "cannot fork: %s", strerror(errno));
    }
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != supervisor) {
            _exit(1); // the supervisor died before the request took effect
        }
        setpgid(0, 0); // a terminal's ctrl-C reaches the supervisor only; it decides
        sigprocmask(SIG_SETMASK, &self->old_mask, NULL);
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        execv(child->what->argv[0], (char *const *)(void *)child->what->argv);
        _exit(127);
    }
    close(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    child->pid = pid;
    child->output = ends[0];
    child->started_us = gw_clock_mono_us();
    child->restart_at_us = 0;
    gw_log_info("child.started", "name=%s pid=%d", child->what->name, (int)pid);
    return GW_OK;
}

static void plan_restart(struct supervisor *self, struct child *child)
{
    if (self->draining || child->exit_code == 0 || child->exit_code == EXIT_USAGE ||
        child->exit_code == EXIT_NOT_READY) {
        return;
    }
    uint64_t now_us = gw_clock_mono_us();
    uint32_t delay_ms = 0;
    bool fenced = child->exit_code == EXIT_FENCED && now_us - child->started_us < FENCED_WITHIN_US;
    child->fenced_count = fenced ? child->fenced_count + 1 : 0;
    if (child->fenced_count >= FENCED_MAX) {
        gw_log_error("child.fenced", "name=%s times=%u action='another process uses the same transactional id: set "
                     "worker.instance'", child->what->name, child->fenced_count);
        return;
    }
    if (now_us - child->started_us > STABLE_US) {
        gw_backoff_reset(&child->backoff);
    }
    if (gw_backoff_next(&child->backoff, (uint32_t)gw_rng_next(&self->rng), &delay_ms, NULL) != GW_OK) {
        gw_backoff_reset(&child->backoff); // never give up: keep the cap
        delay_ms = child->backoff.cap_ms;
    }
    child->restart_at_us = now_us + (uint64_t)delay_ms * 1000 + 1;
    gw_log_warn("child.restart", "name=%s exit=%d after_ms=%u", child->what->name, child->exit_code, delay_ms);
}

static void reap(struct supervisor *self)
{
    for (size_t i = 0; i < self->count; i++) {
        struct child *child = &self->children[i];
        int status = 0;
        if (child->pid == 0 || waitpid(child->pid, &status, WNOHANG) != child->pid) {
            continue;
        }
        child->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        gw_log_info("child.ended", "name=%s pid=%d exit=%d", child->what->name, (int)child->pid, child->exit_code);
        child->pid = 0;
        plan_restart(self, child);
    }
}

static void signal_children(struct supervisor *self, int signal_number)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->children[i].pid > 0) {
            kill(self->children[i].pid, signal_number);
        }
        self->children[i].restart_at_us = 0;
    }
}

static void on_stop_signal(struct supervisor *self, int signal_number)
{
    if (self->draining) {
        gw_log_warn("supervisor.kill", "signal=%d", signal_number);
        signal_children(self, SIGKILL);
        return;
    }
    gw_log_info("supervisor.drain", "signal=%d drain_ms=%u", signal_number, self->options->drain_ms);
    self->draining = true;
    self->kill_at_us = gw_clock_mono_us() + (uint64_t)self->options->drain_ms * 1000;
    signal_children(self, SIGTERM);
}

static bool anyone_left(const struct supervisor *self)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->children[i].pid > 0 || self->children[i].restart_at_us > 0 || self->children[i].output >= 0) {
            return true;
        }
    }
    return false;
}

static void start_due(struct supervisor *self, uint64_t now_us)
{
    for (size_t i = 0; i < self->count; i++) {
        struct child *child = &self->children[i];
        gw_err err = {0};
        if (child->pid == 0 && child->output < 0 && child->restart_at_us > 0 && now_us >= child->restart_at_us &&
            start(self, child, &err) != GW_OK) {
            gw_log_error("child.start_failed", "name=%s reason='%s'", child->what->name, err.message);
            child->restart_at_us = now_us + 1000 * 1000;
        }
    }
}

static void watch(struct supervisor *self, int signals)
{
    struct pollfd files[CHILDREN_MAX + 1];
    struct child *owners[CHILDREN_MAX + 1];
    nfds_t count = 1;
    files[0] = (struct pollfd){.fd = signals, .events = POLLIN};
    for (size_t i = 0; i < self->count; i++) {
        if (self->children[i].output >= 0) {
            owners[count] = &self->children[i];
            files[count++] = (struct pollfd){.fd = self->children[i].output, .events = POLLIN};
        }
    }
    if (poll(files, count, 100) <= 0) {
        return;
    }
    for (nfds_t i = 1; i < count; i++) {
        if (files[i].revents != 0) {
            copy_output(owners[i]);
        }
    }
    struct signalfd_siginfo info;
    while (read(signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo != SIGCHLD) {
            on_stop_signal(self, (int)info.ssi_signo);
        }
    }
}

gw_status gw_supervisor_run(const struct gw_supervisor_options *options, int *ret_exit, gw_err *err)
{
    if (options->child_count == 0 || options->child_count > CHILDREN_MAX) {
        return gw_fail(err, GW_E_INVALID, "cannot supervise %zu children, at most %d", options->child_count,
                       CHILDREN_MAX);
    }
    struct supervisor *self = gw_mem_calloc(1, sizeof *self);
    if (self == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for the supervisor");
    }
    self->options = options;
    self->count = options->child_count;
    gw_rng_init(&self->rng, (uint64_t)gw_clock_wall_us() ^ (uint64_t)getpid());

    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGCHLD);
    sigprocmask(SIG_BLOCK, &wanted, &self->old_mask);
    int signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    gw_status status = signals >= 0 ? GW_OK : gw_fail(err, GW_E_IO, "cannot watch signals: %s", strerror(errno));

    for (size_t i = 0; i < self->count; i++) {
        self->children[i] = (struct child){.what = &options->children[i],
                                           .output = -1,
                                           .restart_at_us = 1,
                                           .backoff = {.base_ms = 200, .cap_ms = 10000, .attempts_max = 1000}};
    }
    while (status == GW_OK && anyone_left(self)) {
        uint64_t now_us = gw_clock_mono_us();
        start_due(self, now_us);
        watch(self, signals);
        reap(self);
        if (self->draining && now_us >= self->kill_at_us) {
            gw_log_warn("supervisor.drain_expired", "drain_ms=%u", options->drain_ms);
            signal_children(self, SIGKILL);
            self->kill_at_us = UINT64_MAX;
        }
    }
    *ret_exit = 0;
    for (size_t i = 0; i < self->count && *ret_exit == 0; i++) {
        *ret_exit = self->children[i].exit_code;
    }
    if (signals >= 0) {
        close(signals);
    }
    sigprocmask(SIG_SETMASK, &self->old_mask, NULL);
    gw_mem_free(self);
    return status;
}
