// SPDX-License-Identifier: MIT
// The feature store when its Redis freezes, dies, restarts, is emptied or is configured wrongly. Each test starts a
// redis-server of its own on a free port, without persistence.
#include "base/clock.h"
#include "store/rows.h"
#include "support/testkit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMEOUT_MS  200
#define PATIENCE_US 20000000

struct server {
    pid_t pid;
    int port;
    char address[32];
};

static int free_port(void)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof name) == 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &size), 0);
    close(fd);
    return ntohs(name.sin_port);
}

static struct gw_store *open_store(const struct server *server, const char *password, uint32_t timeout_ms)
{
    struct gw_store *store = NULL;
    struct gw_store_options options = {
        .address = server->address, .password = password, .prefix = "faults:", .timeout_ms = timeout_ms};
    assert_ok(gw_store_new(&options, &store, NULL));
    return store;
}

// Pings until Redis answers.
static void wait_for(struct gw_store *store)
{
    uint64_t end_us = gw_clock_mono_us() + PATIENCE_US;
    uint64_t latency_us = 0;
    gw_err err = {0};
    while (gw_store_ping(store, &latency_us, &err) != GW_OK) {
        if (gw_clock_mono_us() > end_us) {
            print_error("redis does not answer: %s\n", err.message);
            fail();
        }
    }
}

// Starts (again) on the server's port and returns when it answers.
static void start_server(struct server *server, const char *option, const char *value)
{
    char port[16];
    if (server->port == 0) {
        server->port = free_port();
    }
    snprintf(port, sizeof port, "%d", server->port);
    snprintf(server->address, sizeof server->address, "127.0.0.1:%d", server->port);
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDOUT_FILENO);
        execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly",
               "no", option, value, (char *)NULL);
        _exit(127);
    }
    struct gw_store *store = open_store(server, strcmp(option, "--requirepass") == 0 ? value : NULL, 1000);
    wait_for(store);
    gw_store_free(store);
}

static void stop_server(struct server *server)
{
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
}

static const struct gw_row_key key = {.view = 1, .id_count = 1, .id = {42}};

static gw_status apply(struct gw_store *store, int64_t expected, int64_t next, bool *ret_applied,
                       struct gw_store_position *ret_position)
{
    struct gw_store_write write = {.key = key, .row = gw_slice_text("row")};
    return gw_store_apply(store, 0, expected, &write, 1, next, "c", 0, ret_applied, ret_position, NULL);
}

static void frozen_server_costs_the_deadline_once_and_comes_back(void **state)
{
    (void)state;
    struct server server = {0};
    start_server(&server, "--loglevel", "warning");
    struct gw_store *store = open_store(&server, NULL, TIMEOUT_MS);
    struct gw_store_position position;
    struct gw_slice row = {0};
    bool applied = false;
    assert_ok(apply(store, 0, 1, &applied, &position));

    kill(server.pid, SIGSTOP);
    uint64_t start_us = gw_clock_mono_us();
    assert_fails(gw_store_read(store, &key, 1, start_us + 50000, &row, NULL), GW_E_TIMEOUT);
    uint64_t waited_us = gw_clock_mono_us() - start_us;
    assert_true(waited_us >= 50000 && waited_us < 5000000);

    // Most calls fail at once while it is away: each wait of TIMEOUT_MS is followed by a pause of calls that cost
    // nothing.
    unsigned timeouts = 0;
    unsigned refused = 0;
    while (timeouts < 3) {
        gw_status status = gw_store_read(store, &key, 1, UINT64_MAX, &row, NULL);
        timeouts += status == GW_E_TIMEOUT ? 1 : 0;
        refused += status == GW_E_UNAVAILABLE ? 1 : 0;
        assert_true(status == GW_E_TIMEOUT || status == GW_E_UNAVAILABLE);
    }
    assert_true(refused > 10);

    kill(server.pid, SIGCONT);
    wait_for(store);
    assert_ok(gw_store_read(store, &key, 1, UINT64_MAX, &row, NULL));
    assert_true(gw_slice_is(row, "row"));
    gw_store_free(store);
    stop_server(&server);
}

static void apply_that_timed_out_is_found_applied_later(void **state)
{
    (void)state;
    struct server server = {0};
    start_server(&server, "--loglevel", "warning");
    struct gw_store *store = open_store(&server, NULL, TIMEOUT_MS);
    struct gw_store_position position;
    bool applied = false;
    assert_ok(apply(store, 0, 1, &applied, &position));
    assert_true(applied);

    kill(server.pid, SIGSTOP); // the request waits in the server's socket and is executed when it thaws
    assert_fails(apply(store, 1, 2, &applied, &position), GW_E_TIMEOUT);
    kill(server.pid, SIGCONT);
    wait_for(store);
    // The thawed server serves its old connection at some moment before it sees that it is closed.
    uint64_t end_us = gw_clock_mono_us() + PATIENCE_US;
    do {
        assert_ok(gw_store_position(store, 0, &position, NULL));
        assert_true(gw_clock_mono_us() < end_us);
    } while (position.next_offset != 2);
    assert_ok(apply(store, 1, 2, &applied, &position));
    assert_false(applied);
    assert_int_equal(position.next_offset, 2);
    gw_store_free(store);
    stop_server(&server);
}

static void killed_server_is_unavailable_and_its_successor_is_empty(void **state)
{
    (void)state;
    struct server server = {0};
    start_server(&server, "--loglevel", "warning");
    struct gw_store *store = open_store(&server, NULL, TIMEOUT_MS);
    struct gw_store_position position = {.next_offset = -1};
    bool applied = false;
    assert_ok(apply(store, 0, 1, &applied, &position));

    stop_server(&server);
    assert_fails(apply(store, 1, 2, &applied, &position), GW_E_UNAVAILABLE);
    start_server(&server, "--loglevel", "warning");
    wait_for(store);
    assert_ok(apply(store, 1, 2, &applied, &position)); // by EVAL: the new server does not know the script
    assert_false(applied);
    assert_false(position.present);
    assert_int_equal(position.next_offset, 0);
    assert_ok(apply(store, 0, 2, &applied, &position));
    assert_true(applied);
    gw_store_free(store);
    stop_server(&server);
}

static void emptied_store_fails_the_compare(void **state)
{
    (void)state;
    struct server server = {0};
    start_server(&server, "--loglevel", "warning");
    struct gw_store *store = open_store(&server, NULL, 2000);
    struct gw_store_position position;
    struct gw_slice row = {0};
    bool applied = false;
    char command[128];
    assert_ok(apply(store, 0, 7, &applied, &position));

    snprintf(command, sizeof command, "redis-cli -p %d flushall > /dev/null", server.port);
    assert_int_equal(system(command), 0);
    assert_ok(gw_store_read_at(store, 0, &key, 1, &row, &position, NULL));
    assert_null(row.data);
    assert_false(position.present);
    assert_ok(apply(store, 7, 8, &applied, &position));
    assert_false(applied);
    assert_int_equal(position.next_offset, 0);
    gw_store_free(store);
    stop_server(&server);
}

static void eviction_policy_that_loses_rows_is_refused(void **state)
{
    (void)state;
    struct server server = {0};
    start_server(&server, "--maxmemory-policy", "allkeys-lru");
    struct gw_store *store = open_store(&server, NULL, 2000);
    gw_err err = {0};
    assert_fails(gw_store_check(store, NULL, &err), GW_E_CONFIG);
    assert_non_null(strstr(err.message, "'allkeys-lru'"));
    assert_non_null(strstr(err.message, "noeviction"));
    gw_store_free(store);
    stop_server(&server);
}

static void full_server_refuses_an_apply_as_a_whole(void **state)
{
    (void)state;
    struct server server = {0};
    start_server(&server, "--maxmemory", "64kb"); // less than an empty server takes
    struct gw_store *store = open_store(&server, NULL, 2000);
    struct gw_store_position position;
    bool applied = false;
    assert_fails(apply(store, 0, 1, &applied, &position), GW_E_UNAVAILABLE);
    assert_ok(gw_store_position(store, 0, &position, NULL));
    assert_false(position.present);
    gw_store_free(store);
    stop_server(&server);
}

static void password_is_sent_and_a_wrong_one_is_a_configuration_error(void **state)
{
    (void)state;
    struct server server = {0};
    start_server(&server, "--requirepass", "s3cret");
    struct gw_store *right = open_store(&server, "s3cret", 2000);
    struct gw_store *wrong = open_store(&server, "guess", 2000);
    struct gw_store *none = open_store(&server, NULL, 2000);
    uint64_t latency_us = 0;
    gw_err err = {0};
    assert_ok(gw_store_ping(right, &latency_us, NULL));
    assert_fails(gw_store_ping(wrong, &latency_us, &err), GW_E_CONFIG);
    assert_null(strstr(err.message, "guess"));
    assert_fails(gw_store_ping(none, &latency_us, NULL), GW_E_CONFIG);
    gw_store_free(none);
    gw_store_free(wrong);
    gw_store_free(right);
    stop_server(&server);
}

static void connection_closed_while_idle_is_reopened_unseen(void **state)
{
    (void)state;
    struct server server = {0};
    start_server(&server, "--timeout", "1");
    struct gw_store *store = open_store(&server, NULL, 2000);
    struct gw_store *watcher = open_store(&server, NULL, 2000);
    uint64_t latency_us = 0;
    char command[160];
    assert_ok(gw_store_ping(store, &latency_us, NULL));

    // Until the server has closed it: then the only clients are the watcher, kept awake here, and redis-cli.
    snprintf(command, sizeof command,
             "test $(redis-cli -p %d info clients | sed -n 's/^connected_clients:\\([0-9]*\\).*/\\1/p') = 2",
             server.port);
    uint64_t end_us = gw_clock_mono_us() + PATIENCE_US;
    do {
        assert_ok(gw_store_ping(watcher, &latency_us, NULL));
        assert_true(gw_clock_mono_us() < end_us);
    } while (system(command) != 0);
    assert_ok(gw_store_ping(store, &latency_us, NULL));
    gw_store_free(watcher);
    gw_store_free(store);
    stop_server(&server);
}

GW_TESTS(frozen_server_costs_the_deadline_once_and_comes_back, apply_that_timed_out_is_found_applied_later,
         killed_server_is_unavailable_and_its_successor_is_empty, emptied_store_fails_the_compare,
         eviction_policy_that_loses_rows_is_refused, full_server_refuses_an_apply_as_a_whole,
         password_is_sent_and_a_wrong_one_is_a_configuration_error, connection_closed_while_idle_is_reopened_unseen)
