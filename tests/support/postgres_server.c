// SPDX-License-Identifier: MIT
#include "support/postgres_server.h"

#include "support/testkit.h"

#include "base/macros.h"
#include "postgres/postgres.h"

#include <dirent.h>
#include <ftw.h>
#include <glob.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { START_MS = 40000, CHILDREN_MAX = 256, WORDS_MAX = 48 };

// The newest installed one.
static void find_program(const char *name, char *ret_path, size_t size)
{
    char pattern[128];
    glob_t found = {0};
    snprintf(pattern, sizeof pattern, "/usr/lib/postgresql/*/bin/%s", name);
    if (glob(pattern, 0, NULL, &found) != 0) {
        fail_msg("no '%s': run deploy/packages", pattern);
    }
    snprintf(ret_path, size, "%s", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
}

// It refuses to run as root. It dies with the test also as another user.
static struct proc *run(const struct postgres_server *server, const char *name, const char *const *arguments)
{
    static const char *const become[] = {"setpriv",       "--reuid=postgres", "--regid=postgres",
                                         "--init-groups", "--pdeathsig=KILL", "--"};
    const char *argv[WORDS_MAX];
    size_t count = 0;
    char program[300];
    char log[128];
    find_program(name, program, sizeof program);
    snprintf(log, sizeof log, "%s/log", server->directory);
    for (size_t i = 0; geteuid() == 0 && i < GW_COUNT_OF(become); i++) {
        argv[count++] = become[i];
    }
    argv[count++] = program;
    for (; *arguments != NULL; arguments++) {
        assert_true(count + 1 < WORDS_MAX);
        argv[count++] = *arguments;
    }
    argv[count] = NULL;
    return proc_start(name, argv, log);
}

void postgres_server_start(struct postgres_server *server)
{
    char data[80];
    char port[16];
    snprintf(data, sizeof data, "%s/data", server->directory);
    snprintf(port, sizeof port, "%u", server->port);
    const char *const arguments[] = {"-D", data,
                                     "-p", port,
                                     "-c", "listen_addresses=127.0.0.1",
                                     "-c", "unix_socket_directories=",
                                     "-c", "fsync=off",
                                     "-c", "synchronous_commit=on",
                                     "-c", "timezone=UTC",
                                     "-c", "shared_buffers=16MB",
                                     NULL};
    server->proc = run(server, "postgres", arguments);
}

bool postgres_server_answers(struct postgres_server *server)
{
    struct gw_postgres *postgres = NULL;
    const struct gw_postgres_options options = {.uri = server->uri, .application = "godwit-test", .timeout_ms = 2000};
    assert_ok(gw_postgres_new(&options, &postgres, NULL));
    gw_status status = gw_postgres_exec(postgres, "SELECT 1", NULL, 0, NULL, NULL);
    gw_postgres_free(postgres);
    if (!proc_running(server->proc)) {
        proc_print_log(server->proc);
        fail_msg("postgres has ended");
    }
    return status == GW_OK;
}

static bool answers(void *context)
{
    return postgres_server_answers(context);
}

void postgres_server_begin(struct postgres_server *server)
{
    char data[80];
    *server = (struct postgres_server){.directory = "/tmp/godwit-postgres-XXXXXX", .port = free_port()};
    assert_non_null(mkdtemp(server->directory));
    if (geteuid() == 0) {
        const struct passwd *user = getpwnam("postgres");
        assert_non_null(user);
        assert_int_equal(chown(server->directory, user->pw_uid, user->pw_gid), 0);
    }
    snprintf(data, sizeof data, "%s/data", server->directory);
    snprintf(server->uri, sizeof server->uri, "postgresql://postgres@127.0.0.1:%u/postgres", server->port);
    const char *const arguments[] = {"-D",         data,        "-U", "postgres", "--auth=trust", "--encoding=UTF8",
                                     "--locale=C", "--no-sync", NULL};
    struct proc *initdb = run(server, "initdb", arguments);
    if (proc_wait(initdb, START_MS) != 0) {
        proc_print_log(initdb);
        fail_msg("initdb failed");
    }
    postgres_server_start(server);
    wait_until(answers, server, START_MS, "a PostgreSQL of the test's own");
}

// ---- killing --------------------------------------------------------------------------------------------------------

// Parent and state of a process; false: there is none.
static bool look_at(long pid, long *ret_parent, char *ret_state)
{
    char path[64];
    char text[512];
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = '\0';
    const char *behind_name = strrchr(text, ')');
    return behind_name != NULL && sscanf(behind_name + 1, " %c %ld", ret_state, ret_parent) == 2;
}

struct children {
    long pids[CHILDREN_MAX];
    size_t count;
};

// Its backends are sessions of their own, so they are known by their parent.
static void find_children(long parent, struct children *children)
{
    DIR *processes = opendir("/proc");
    assert_non_null(processes);
    children->count = 0;
    for (const struct dirent *entry = readdir(processes); entry != NULL; entry = readdir(processes)) {
        long of = 0;
        char state = 0;
        long pid = strtol(entry->d_name, NULL, 10);
        if (pid > 0 && look_at(pid, &of, &state) && of == parent && children->count < CHILDREN_MAX) {
            children->pids[children->count++] = pid;
        }
    }
    closedir(processes);
}

static bool are_gone(void *context)
{
    const struct children *children = context;
    bool gone = true;
    for (size_t i = 0; i < children->count && gone; i++) {
        long parent = 0;
        char state = 0;
        gone = !look_at(children->pids[i], &parent, &state) || state == 'Z';
    }
    return gone;
}

void postgres_server_kill(struct postgres_server *server)
{
    struct children children;
    proc_signal(server->proc, SIGSTOP); // it makes no more of them
    find_children(proc_pid(server->proc), &children);
    proc_kill(server->proc);
    for (size_t i = 0; i < children.count; i++) {
        kill((pid_t)children.pids[i], SIGKILL);
    }
    wait_until(are_gone, &children, START_MS, "the end of PostgreSQL's processes");
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

void postgres_server_end(struct postgres_server *server)
{
    if (server->proc != NULL && proc_running(server->proc)) {
        postgres_server_kill(server);
    }
    nftw(server->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
