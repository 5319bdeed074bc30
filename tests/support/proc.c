// SPDX-License-Identifier: MIT
#include "support/proc.h"

#include "support/testkit.h"

#include "base/clock.h"
#include "base/macros.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROCS_MAX = 256, LOG_TAIL_BYTES = 6000 };

struct proc {
    char name[64];
    char log_path[512];
    long log_start;
    pid_t pid; // 0: reaped
    int wait_status;
};

static struct proc procs[PROCS_MAX];
static size_t proc_count;

// ---- waiting --------------------------------------------------------------------------------------------------------

// The pause between two looks at a condition.
static void breathe(void)
{
    const struct timespec pause = {.tv_nsec = 3 * 1000 * 1000};
    nanosleep(&pause, NULL);
}

void wait_until(wait_condition condition, void *context, uint32_t deadline_ms, const char *what)
{
    uint64_t deadline_us = gw_clock_mono_us() + (uint64_t)deadline_ms * 1000;
    while (!condition(context)) {
        if (gw_clock_mono_us() > deadline_us) {
            for (size_t i = 0; i < proc_count; i++) {
                proc_print_log(&procs[i]);
            }
            fail_msg("waited %u ms in vain: %s", deadline_ms, what);
        }
        breathe();
    }
}

uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

// ---- processes ------------------------------------------------------------------------------------------------------

static void become_child(const char *const *argv, const char *log_path)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    int null = open("/dev/null", O_RDONLY);
    if (log < 0 || null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0) {
        _exit(126);
    }
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    dprintf(2, "cannot run '%s': %s\n", argv[0], strerror(errno));
    _exit(127);
}

struct proc *proc_start(const char *name, const char *const *argv, const char *log_path)
{
    static bool registered;
    if (!registered) {
        assert_int_equal(atexit(proc_forget_all), 0);
        registered = true;
    }
    assert_true(proc_count < PROCS_MAX);
    struct proc *proc = &procs[proc_count++];
    *proc = (struct proc){0};
    snprintf(proc->name, sizeof proc->name, "%s", name);
    snprintf(proc->log_path, sizeof proc->log_path, "%s", log_path);
    struct stat info;
    proc->log_start = stat(log_path, &info) == 0 ? (long)info.st_size : 0;
    proc->pid = fork();
    assert_true(proc->pid >= 0);
    if (proc->pid == 0) {
        become_child(argv, log_path);
    }
    return proc;
}

bool proc_running(struct proc *proc)
{
    if (proc->pid > 0 && waitpid(proc->pid, &proc->wait_status, WNOHANG) == proc->pid) {
        proc->pid = 0;
    }
    return proc->pid > 0;
}

long proc_pid(const struct proc *proc)
{
    assert_true(proc->pid > 0);
    return (long)proc->pid;
}

long proc_child(const struct proc *proc)
{
    char path[64];
    long pid = 0;
    snprintf(path, sizeof path, "/proc/%ld/task", proc_pid(proc));
    DIR *tasks = opendir(path);
    for (const struct dirent *task = tasks != NULL ? readdir(tasks) : NULL; task != NULL && pid == 0;
         task = readdir(tasks)) {
        char children[512];
        snprintf(children, sizeof children, "%s/%s/children", path, task->d_name);
        FILE *file = fopen(children, "r");
        if (file != NULL) {
            if (fscanf(file, "%ld", &pid) != 1) {
                pid = 0;
            }
            fclose(file);
        }
    }
    if (tasks != NULL) {
        closedir(tasks);
    }
    return pid;
}

void proc_signal(struct proc *proc, int signal_number)
{
    if (!proc_running(proc)) {
        proc_print_log(proc);
        fail_msg("'%s' has ended by itself", proc->name);
    }
    assert_int_equal(kill(proc->pid, signal_number), 0);
}

void proc_kill(struct proc *proc)
{
    proc_signal(proc, SIGKILL);
    assert_int_equal(waitpid(proc->pid, &proc->wait_status, 0), proc->pid);
    proc->pid = 0;
}

static bool has_ended(void *context)
{
    return !proc_running(context);
}

int proc_wait(struct proc *proc, uint32_t deadline_ms)
{
    char what[128];
    snprintf(what, sizeof what, "the end of '%s'", proc->name);
    wait_until(has_ended, proc, deadline_ms, what);
    return WIFEXITED(proc->wait_status) ? WEXITSTATUS(proc->wait_status) : -1;
}

void proc_stop(struct proc *proc, int exit_code, uint32_t deadline_ms)
{
    proc_signal(proc, SIGTERM);
    int code = proc_wait(proc, deadline_ms);
    if (code != exit_code) {
        proc_print_log(proc);
    }
    assert_int_equal(code, exit_code);
}

void proc_forget_all(void)
{
    for (size_t i = 0; i < proc_count; i++) {
        if (proc_running(&procs[i])) {
            kill(procs[i].pid, SIGKILL);
            kill(procs[i].pid, SIGCONT);
            waitpid(procs[i].pid, &procs[i].wait_status, 0);
            procs[i].pid = 0;
        }
    }
    proc_count = 0;
}

// ---- logs -----------------------------------------------------------------------------------------------------------

bool proc_logged(const struct proc *proc, const char *text)
{
    FILE *log = fopen(proc->log_path, "r");
    if (log == NULL) {
        return false;
    }
    bool found = false;
    char *line = NULL;
    size_t size = 0;
    fseek(log, proc->log_start, SEEK_SET);
    while (!found && getline(&line, &size, log) > 0) {
        found = strstr(line, text) != NULL;
    }
    free(line);
    fclose(log);
    return found;
}

void proc_print_log(const struct proc *proc)
{
    FILE *log = fopen(proc->log_path, "r");
    if (log == NULL) {
        return;
    }
    char tail[LOG_TAIL_BYTES + 1];
    fseek(log, 0, SEEK_END);
    long from = GW_MAX(proc->log_start, ftell(log) - LOG_TAIL_BYTES);
    fseek(log, from, SEEK_SET);
    tail[fread(tail, 1, LOG_TAIL_BYTES, log)] = '\0';
    fclose(log);
    fprintf(stderr, "---- end of the log of '%s':\n%s\n", proc->name, tail); // cmocka's own call cuts long texts
}

// ---- http -----------------------------------------------------------------------------------------------------------

int http_get(uint16_t port, const char *path, char *body, unsigned size)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {.tv_sec = 5};
    static char answer[1 << 20]; // /metrics is the longest
    size_t used = 0;
    int status = -1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        int asked = snprintf(answer, sizeof answer,
                             "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\n\r\n", path, port);
        if (send(fd, answer, (size_t)asked, MSG_NOSIGNAL) == asked) {
            ssize_t got = 0;
            while (used + 1 < sizeof answer && (got = recv(fd, answer + used, sizeof answer - 1 - used, 0)) > 0) {
                used += (size_t)got;
            }
            answer[used] = '\0';
            if (sscanf(answer, "HTTP/1.1 %d", &status) != 1) {
                status = -1;
            }
            const char *content = strstr(answer, "\r\n\r\n");
            if (body != NULL && size > 0) {
                snprintf(body, size, "%s", content != NULL ? content + 4 : "");
            }
        }
    }
    close(fd);
    return status;
}

struct http_wait {
    struct proc *proc;
    uint16_t port;
    const char *path;
};

static bool answers_ok(void *context)
{
    const struct http_wait *wait = context;
    if (!proc_running(wait->proc)) {
        proc_print_log(wait->proc);
        fail_msg("'%s' ended before it was ready", wait->proc->name);
    }
    return http_get(wait->port, wait->path, NULL, 0) == 200;
}

void proc_wait_http_ok(struct proc *proc, uint16_t port, const char *path, uint32_t deadline_ms)
{
    struct http_wait wait = {.proc = proc, .port = port, .path = path};
    char what[128];
    snprintf(what, sizeof what, "200 from %s of '%s'", path, proc->name);
    wait_until(answers_ok, &wait, deadline_ms, what);
}
