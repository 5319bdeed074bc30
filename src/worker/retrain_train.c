// SPDX-License-Identifier: MIT
#include "worker/retrain_train.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "godwit-train"

enum {
    LINE_BYTES = 1 << 16, // of progress; the last line holds the metadata
    POLL_MS = 200,
    TERM_MS = 2000, // from SIGTERM to SIGKILL
    NICE = 10,
    EXIT_NO_PROGRAM = 127,
    ARGUMENTS_MAX = 32,
    NUMBER_BYTES = 32,
};

struct child {
    const struct gw_retrain_train_options *options;
    pid_t pid;
    int output;
    bool open;
    char *line;
    size_t line_size;
    char digest[GW_BUNDLE_DIGEST_BYTES];
};

// ---- starting -------------------------------------------------------------------------------------------------------

// Beside this program, as `godwit train` looks for it; else in PATH.
static void find_program(char ret_path[PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", ret_path, PATH_MAX - sizeof PROGRAM - 1);
    char *slash = NULL;
    if (length > 0) {
        ret_path[length] = '\0';
        slash = strrchr(ret_path, '/');
    }
    if (slash != NULL) {
        strcpy(slash + 1, PROGRAM);
    }
    if (slash == NULL || access(ret_path, X_OK) != 0) {
        snprintf(ret_path, PATH_MAX, "%s", PROGRAM);
    }
}

// Between fork and exec of a process with threads: system calls only.
GW_NORETURN static void become_trainer(const struct gw_retrain_train_options *options, char *const *argv, pid_t parent,
                                       int output, int log)
{
    sigset_t none;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(EXIT_NO_PROGRAM); // the parent died before the request took effect
    }
    setpgid(0, 0);
    setpriority(PRIO_PROCESS, 0, NICE);
    if (options->memory_bytes > 0) {
        const struct rlimit limit = {.rlim_cur = options->memory_bytes, .rlim_max = options->memory_bytes};
        setrlimit(RLIMIT_AS, &limit);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    dup2(output, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execvp(argv[0], argv);
    _exit(EXIT_NO_PROGRAM);
}

static gw_status spawn(struct child *child, char *const *argv, gw_err *err)
{
    const struct gw_retrain_train_options *options = child->options;
    int ends[2];
    int log = open(options->log_path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
    if (log < 0) {
        return gw_fail(err, GW_E_IO, "cannot open '%.200s': %s", options->log_path, strerror(errno));
    }
    if (pipe2(ends, O_CLOEXEC) != 0) {
        close(log);
        return gw_fail(err, GW_E_IO, "cannot make a pipe: %s", strerror(errno));
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        become_trainer(options, argv, parent, ends[1], log);
    }
    close(ends[1]);
    close(log);
    if (pid < 0) {
        close(ends[0]);
        return gw_fail(err, GW_E_UNAVAILABLE, "cannot fork: %s", strerror(errno));
    }
    setpgid(pid, pid); // whoever is first: the group must exist before it is signalled
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    child->pid = pid;
    child->output = ends[0];
    child->open = true;
    gw_log_info("retrain.trainer_started", "pid=%d program=%s", (int)pid, argv[0]);
    return GW_OK;
}

static gw_status start(struct child *child, gw_err *err)
{
    const struct gw_retrain_manifest *m = child->options->manifest;
    char program[PATH_MAX];
    char trees[NUMBER_BYTES];
    char depth[NUMBER_BYTES];
    char eta[NUMBER_BYTES];
    char seed[NUMBER_BYTES];
    char threads[NUMBER_BYTES];
    find_program(program);
    snprintf(trees, sizeof trees, "%" PRIu64, m->trees);
    snprintf(depth, sizeof depth, "%" PRIu64, m->depth);
    snprintf(eta, sizeof eta, "%.17g", m->eta);
    snprintf(seed, sizeof seed, "%" PRIu64, m->seed);
    snprintf(threads, sizeof threads, "%" PRIu64, m->threads);
    const char *argv[ARGUMENTS_MAX] = {program,
                                       "--rows",
                                       child->options->train_path,
                                       "--out",
                                       child->options->out_directory,
                                       "--model",
                                       m->model,
                                       "--heads",
                                       m->heads,
                                       "--trees",
                                       trees,
                                       "--depth",
                                       depth,
                                       "--eta",
                                       eta,
                                       "--seed",
                                       seed,
                                       "--threads",
                                       threads,
                                       "--baseline", // monitor's rows are sampled as these are
                                       "as-sampled",
                                       "--progress",
                                       "json"};
    if (child->options->reference_path != NULL) {
        size_t count = 0;
        while (argv[count] != NULL) {
            count++;
        }
        argv[count] = "--reference";
        argv[count + 1] = child->options->reference_path;
    }
    return spawn(child, (char *const *)(uintptr_t)argv, err);
}

// ---- listening ------------------------------------------------------------------------------------------------------

// What a line says, as far as it says it.
struct said {
    char event[16];
    char head[GW_RETRAIN_HEADS_BYTES];
    char digest[GW_BUNDLE_DIGEST_BYTES];
    int64_t round;
    double log_loss;
};

static gw_status read_text(struct gw_json *json, char *to, size_t size)
{
    GW_CLEANUP(gw_buf_deinit) struct gw_buf text = {0};
    GW_TRY(gw_json_string(json, &text, size - 1, NULL));
    memcpy(to, text.data, text.size);
    to[text.size] = '\0';
    return GW_OK;
}

static gw_status parse_line(struct gw_slice line, struct said *said)
{
    struct gw_json json;
    gw_json_init(&json, line);
    GW_TRY(gw_json_enter(&json, GW_JSON_OBJECT, NULL));
    for (;;) {
        bool more = false;
        struct gw_slice key = {0};
        GW_TRY(gw_json_next(&json, &more, NULL));
        if (!more) {
            return GW_OK;
        }
        GW_TRY(gw_json_key(&json, &key, NULL));
        if (gw_slice_is(key, "event")) {
            GW_TRY(read_text(&json, said->event, sizeof said->event));
        } else if (gw_slice_is(key, "head")) {
            GW_TRY(read_text(&json, said->head, sizeof said->head));
        } else if (gw_slice_is(key, "digest")) {
            GW_TRY(read_text(&json, said->digest, sizeof said->digest));
        } else if (gw_slice_is(key, "round")) {
            GW_TRY(gw_json_i64(&json, &said->round, NULL));
        } else if (gw_slice_is(key, "holdout_log_loss")) {
            GW_TRY(gw_json_double(&json, &said->log_loss, NULL));
        } else {
            GW_TRY(gw_json_skip(&json, NULL));
        }
    }
}

static gw_status take_line(struct child *child, gw_err *err)
{
    struct said said = {.event = ""};
    struct gw_slice line = gw_slice_make(child->line, child->line_size);
    child->line_size = 0;
    if (parse_line(line, &said) != GW_OK) {
        return GW_OK; // a round without a number, or somebody's printf: the digest decides in the end
    }
    if (strcmp(said.event, "done") == 0) {
        memcpy(child->digest, said.digest, sizeof child->digest);
        return GW_OK;
    }
    return strcmp(said.event, "round") == 0
               ? child->options->round(child->options->context, said.head, (int32_t)said.round, said.log_loss, err)
               : GW_OK;
}

static gw_status listen_once(struct child *child, gw_err *err)
{
    char chunk[4096];
    ssize_t got = read(child->output, chunk, sizeof chunk);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) {
        return GW_OK;
    }
    if (got <= 0) {
        child->open = false;
        return GW_OK;
    }
    for (ssize_t i = 0; i < got; i++) {
        if (chunk[i] == '\n') {
            GW_TRY(take_line(child, err));
        } else if (child->line_size < LINE_BYTES) {
            child->line[child->line_size++] = chunk[i];
        }
    }
    return GW_OK;
}

static gw_status listen(struct child *child, gw_err *err)
{
    const uint64_t begun_us = gw_clock_mono_us();
    uint64_t watched_us = begun_us;
    while (child->open) {
        struct pollfd ready = {.fd = child->output, .events = POLLIN};
        if (poll(&ready, 1, POLL_MS) > 0) {
            GW_TRY(listen_once(child, err));
        }
        uint64_t now_us = gw_clock_mono_us();
        if (now_us - begun_us > child->options->time_limit_ms * 1000) {
            return gw_fail(err, GW_E_EXHAUSTED, "the training took longer than %" PRIu64 " s (retrain.time_limit)",
                           child->options->time_limit_ms / 1000);
        }
        if (now_us - watched_us > (uint64_t)POLL_MS * 1000) {
            watched_us = now_us;
            GW_TRY(child->options->watch(child->options->context, err));
        }
    }
    return GW_OK;
}

// ---- ending ---------------------------------------------------------------------------------------------------------

static bool has_ended(struct child *child, int *ret_status)
{
    return waitpid(child->pid, ret_status, WNOHANG) == child->pid;
}

// SIGTERM, some time, SIGKILL, all to the group; then it is reaped.
static void end(struct child *child)
{
    uint64_t deadline_us = gw_clock_mono_us() + (uint64_t)TERM_MS * 1000;
    int status = 0;
    kill(-child->pid, SIGTERM);
    while (!has_ended(child, &status)) {
        if (gw_clock_mono_us() > deadline_us) {
            kill(-child->pid, SIGKILL);
            while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
            }
            return;
        }
        (void)poll(NULL, 0, 10);
    }
    kill(-child->pid, SIGKILL); // whatever it left in its group
}

static void last_words(const char *path, char *to, size_t size)
{
    char tail[512] = "";
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        off_t end_at = lseek(file, 0, SEEK_END);
        off_t from = end_at > (off_t)sizeof tail - 1 ? end_at - ((off_t)sizeof tail - 1) : 0;
        ssize_t got = pread(file, tail, sizeof tail - 1, from);
        tail[got > 0 ? got : 0] = '\0';
        close(file);
    }
    size_t length = strlen(tail);
    while (length > 0 && tail[length - 1] == '\n') {
        tail[--length] = '\0';
    }
    const char *line = strrchr(tail, '\n');
    snprintf(to, size, "%s", line != NULL ? line + 1 : tail);
}

static gw_status judge(struct child *child, int status, gw_err *err)
{
    char words[160];
    if (WIFSIGNALED(status)) {
        return gw_fail(err, GW_E_BEHIND, "the trainer was ended by signal %d", WTERMSIG(status));
    }
    if (WEXITSTATUS(status) == EXIT_NO_PROGRAM) {
        return gw_fail(err, GW_E_NOT_FOUND,
                       "cannot start " PROGRAM ", which is neither beside this program nor in PATH");
    }
    if (WEXITSTATUS(status) != 0) {
        last_words(child->options->log_path, words, sizeof words);
        return gw_fail(err, GW_E_INVALID, "the trainer failed with exit code %d: %s", WEXITSTATUS(status), words);
    }
    if (child->digest[0] == '\0') {
        return gw_fail(err, GW_E_INVALID, "the trainer ended well without naming a bundle");
    }
    return GW_OK;
}

gw_status gw_retrain_train(const struct gw_retrain_train_options *options, char ret_digest[GW_BUNDLE_DIGEST_BYTES],
                           gw_err *err)
{
    static _Thread_local char line[LINE_BYTES];
    struct child child = {.options = options, .line = line};
    int status = 0;
    GW_TRY(start(&child, err));
    gw_status result = listen(&child, err);
    if (result != GW_OK) {
        end(&child);
    } else {
        while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
        }
        result = judge(&child, status, err);
    }
    close(child.output);
    if (result == GW_OK) {
        memcpy(ret_digest, child.digest, GW_BUNDLE_DIGEST_BYTES);
    }
    return result;
}
