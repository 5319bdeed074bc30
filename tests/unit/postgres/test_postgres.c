// SPDX-License-Identifier: MIT
// The connection without a server: what cannot be parsed, reached or heard.
#include "base/clock.h"
#include "base/mem.h"
#include "postgres/postgres.h"
#include "support/testkit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int listen_somewhere(char uri[static 64])
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof name) == 0 && listen(fd, 8) == 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &size), 0);
    snprintf(uri, 64, "postgresql://u:s3cret@127.0.0.1:%d/db", ntohs(name.sin_port));
    return fd;
}

static struct gw_postgres *new_postgres(const char *uri, uint32_t timeout_ms)
{
    struct gw_postgres *postgres = NULL;
    struct gw_postgres_options options = {.uri = uri, .application = "test", .timeout_ms = timeout_ms};
    assert_ok(gw_postgres_new(&options, &postgres, NULL));
    return postgres;
}

static bool fails_fast(struct gw_postgres *postgres)
{
    for (int i = 0; i < 50; i++) {
        uint64_t latency_us = 0;
        gw_err err = {0};
        if (gw_postgres_ping(postgres, &latency_us, &err) == GW_E_UNAVAILABLE &&
            strstr(err.message, "away, next try in") != NULL) {
            return true;
        }
    }
    return false;
}

static void bad_options_are_refused_without_telling_the_password(void **state)
{
    (void)state;
    static const struct gw_postgres_options cases[] = {
        {.uri = "postgresql://u:s3cret@[::1/db", .application = "test", .timeout_ms = 1},
        {.uri = "postgresql://u:s3cret@h/db?no_such=1", .application = "test", .timeout_ms = 1},
        {.uri = "host=h", .application = "test", .timeout_ms = 0},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        struct gw_postgres *postgres = NULL;
        gw_err err = {0};
        assert_fails(gw_postgres_new(&cases[i], &postgres, &err), GW_E_CONFIG);
        assert_null(postgres);
        assert_null(strstr(err.message, "s3cret"));
    }
}

static void refused_connection_is_unavailable_then_fails_fast(void **state)
{
    (void)state;
    char uri[64];
    close(listen_somewhere(uri));
    struct gw_postgres *postgres = new_postgres(uri, 2000);
    uint64_t latency_us = 7;
    gw_err err = {0};
    assert_fails(gw_postgres_ping(postgres, &latency_us, &err), GW_E_UNAVAILABLE);
    assert_int_equal(latency_us, 7);
    assert_null(strstr(err.message, "s3cret"));
    assert_true(fails_fast(postgres));
    gw_postgres_free(postgres);
}

static void silent_server_costs_one_timeout(void **state)
{
    (void)state;
    char uri[64];
    int fd = listen_somewhere(uri); // the kernel accepts, nobody answers
    struct gw_postgres *postgres = new_postgres(uri, 50);
    uint64_t latency_us = 0;
    uint64_t start_us = gw_clock_mono_us();
    assert_fails(gw_postgres_ping(postgres, &latency_us, NULL), GW_E_TIMEOUT);
    assert_true(gw_clock_mono_us() - start_us >= 50000);
    assert_true(fails_fast(postgres));
    gw_postgres_free(postgres);
    close(fd);
}

static void begin_that_finds_no_server_leaves_no_transaction(void **state)
{
    (void)state;
    char uri[64];
    close(listen_somewhere(uri));
    struct gw_postgres *postgres = new_postgres(uri, 2000);
    assert_fails(gw_postgres_begin(postgres, NULL), GW_E_UNAVAILABLE);
    gw_postgres_rollback(postgres);
    assert_fails(gw_postgres_begin(postgres, NULL), GW_E_UNAVAILABLE);
    gw_postgres_free(postgres);
}

static void every_failed_allocation_is_a_status(void **state)
{
    (void)state;
    struct gw_postgres_options options = {.uri = "host=h", .application = "test", .timeout_ms = 1};
    for (unsigned long n = 1; n < 4; n++) {
        struct gw_postgres *postgres = NULL;
        gw_mem_fail_nth(n);
        assert_fails(gw_postgres_new(&options, &postgres, NULL), GW_E_MEMORY);
        gw_mem_fail_nth(0);
    }
    gw_postgres_free(new_postgres("host=h", 1));
}

GW_TESTS(bad_options_are_refused_without_telling_the_password, refused_connection_is_unavailable_then_fails_fast,
         silent_server_costs_one_timeout, begin_that_finds_no_server_leaves_no_transaction,
         every_failed_allocation_is_a_status)
