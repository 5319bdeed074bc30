// SPDX-License-Identifier: MIT
// The connection against servers that misbehave: sockets of this process that nobody, or only the kernel, answers.
#include "base/clock.h"
#include "base/mem.h"
#include "redis/redis.h"
#include "support/testkit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static int listen_somewhere(char address[static 32])
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &size), 0);
    snprintf(address, 32, "127.0.0.1:%d", ntohs(name.sin_port));
    return fd;
}

static struct gw_redis *new_redis(const char *address, uint32_t timeout_ms)
{
    struct gw_redis *redis = NULL;
    struct gw_redis_options options = {.address = address, .timeout_ms = timeout_ms};
    assert_ok(gw_redis_new(&options, &redis, NULL));
    return redis;
}

static gw_status ping(struct gw_redis *redis, gw_err *err)
{
    gw_redis_begin(redis);
    gw_redis_command(redis, 1);
    gw_redis_arg_text(redis, "PING");
    return gw_redis_exchange(redis, gw_redis_deadline(redis), err);
}

// Whether a call is refused without a try. On a machine that stalls, the pause may be over by the time of a call; the
// pause grows, so some call falls into one.
static bool fails_fast(struct gw_redis *redis)
{
    for (int i = 0; i < 50; i++) {
        gw_err err = {0};
        if (ping(redis, &err) == GW_E_UNAVAILABLE && strstr(err.message, "away, next try in") != NULL) {
            return true;
        }
    }
    return false;
}

static void refuses_addresses_that_do_not_parse(void **state)
{
    (void)state;
    static const char *const addresses[] = {"",         "localhost", "localhost:", "localhost:0", "localhost:65536",
                                            "host:12x", ":6379",     "::1:6379",   "[]:6379",     "host:-1"};
    for (size_t i = 0; i < GW_COUNT_OF(addresses); i++) {
        struct gw_redis *redis = NULL;
        struct gw_redis_options options = {.address = addresses[i], .timeout_ms = 1};
        assert_fails(gw_redis_new(&options, &redis, NULL), GW_E_CONFIG);
        assert_null(redis);
    }
    gw_redis_free(new_redis("[::1]:6379", 1));
    gw_redis_free(new_redis("some.host:65535", 1));
}

static void refused_connection_fails_fast_until_the_next_try(void **state)
{
    (void)state;
    char address[32];
    close(listen_somewhere(address));
    struct gw_redis *redis = new_redis(address, 500);
    gw_err err = {0};

    assert_fails(ping(redis, &err), GW_E_UNAVAILABLE);
    assert_non_null(strstr(err.message, "cannot connect"));
    assert_true(fails_fast(redis));
    gw_redis_free(redis);
}

static void silent_server_costs_one_timeout_then_nothing(void **state)
{
    (void)state;
    char address[32];
    int fd = listen_somewhere(address); // the kernel accepts, nobody answers
    struct gw_redis *redis = new_redis(address, 50);

    uint64_t start_us = gw_clock_mono_us();
    assert_fails(ping(redis, NULL), GW_E_TIMEOUT);
    uint64_t waited_us = gw_clock_mono_us() - start_us;
    assert_true(waited_us >= 50000);
    assert_true(fails_fast(redis));
    gw_redis_free(redis);
    close(fd);
}

static void past_deadline_is_a_timeout_without_a_connect(void **state)
{
    (void)state;
    char address[32];
    int fd = listen_somewhere(address);
    struct gw_redis *redis = new_redis(address, 50);

    gw_redis_begin(redis);
    gw_redis_command(redis, 1);
    gw_redis_arg_text(redis, "PING");
    assert_fails(gw_redis_exchange(redis, gw_clock_mono_us() - 1, NULL), GW_E_TIMEOUT);
    gw_redis_free(redis);
    close(fd);
}

// A server that answers whatever it is told to whatever comes first, then closes.
struct canned {
    int listener;
    const char *answer;
};

static void *serve_canned(void *argument)
{
    struct canned *canned = argument;
    char request[256];
    int fd = accept(canned->listener, NULL, NULL);
    if (fd >= 0 && recv(fd, request, sizeof request, 0) > 0) {
        (void)!send(fd, canned->answer, strlen(canned->answer), MSG_NOSIGNAL);
    }
    close(fd);
    return NULL;
}

static gw_status ping_canned(const char *answer, gw_err *err)
{
    char address[32];
    struct canned canned = {.listener = listen_somewhere(address), .answer = answer};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, serve_canned, &canned), 0);
    struct gw_redis *redis = new_redis(address, 2000);
    gw_status status = ping(redis, err);
    if (status == GW_OK) {
        status = gw_redis_expect(redis, gw_redis_reply(redis, 0), GW_RESP_TEXT, err);
    }
    gw_redis_free(redis);
    pthread_join(thread, NULL);
    close(canned.listener);
    return status;
}

static void answers_map_to_what_the_loop_should_do(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        gw_status status;
    } cases[] = {
        {"+PONG\r\n", GW_OK},
        {"-LOADING Redis is loading the dataset in memory\r\n", GW_E_UNAVAILABLE},
        {"-OOM command not allowed\r\n", GW_E_UNAVAILABLE},
        {"-ERR max number of clients reached\r\n", GW_E_UNAVAILABLE},
        {"-NOAUTH Authentication required.\r\n", GW_E_CONFIG},
        {"-ERR unknown command\r\n", GW_E_INTERNAL},
        {":1\r\n", GW_E_MISMATCH},
        {"HTTP/1.1 400 Bad Request\r\n", GW_E_UNAVAILABLE},
        {"+PONG\r\n+PONG\r\n", GW_E_UNAVAILABLE},
        {"+PO", GW_E_UNAVAILABLE},
        {"", GW_E_UNAVAILABLE},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        gw_err err = {0};
        gw_status status = ping_canned(cases[i].answer, &err);
        if (status != cases[i].status) {
            print_error("answer %zu: %s\n", i, err.message);
        }
        assert_fails(status, cases[i].status);
    }
}

static void every_failed_allocation_is_a_status(void **state)
{
    (void)state;
    struct gw_redis_options options = {.address = "host:1", .password = "secret", .timeout_ms = 1};
    for (unsigned long n = 1;; n++) {
        struct gw_redis *redis = NULL;
        gw_mem_fail_nth(n);
        gw_status status = gw_redis_new(&options, &redis, NULL);
        gw_mem_fail_nth(0);
        if (status == GW_OK) {
            assert_true(n > 3);
            gw_redis_free(redis);
            return;
        }
        assert_fails(status, GW_E_MEMORY);
    }
}

static void failed_allocation_of_a_command_is_reported_by_the_exchange(void **state)
{
    (void)state;
    struct gw_redis *redis = new_redis("127.0.0.1:1", 50);
    for (unsigned long n = 1; n <= 2; n++) {
        gw_redis_begin(redis);
        gw_mem_fail_nth(n);
        gw_redis_command(redis, 2);
        gw_redis_arg_text(redis, "GET");
        gw_redis_arg_number(redis, -5);
        gw_mem_fail_nth(0);
        assert_fails(gw_redis_exchange(redis, gw_redis_deadline(redis), NULL), GW_E_MEMORY);
    }
    gw_redis_free(redis);
}

GW_TESTS(refuses_addresses_that_do_not_parse, refused_connection_fails_fast_until_the_next_try,
         silent_server_costs_one_timeout_then_nothing, past_deadline_is_a_timeout_without_a_connect,
         answers_map_to_what_the_loop_should_do, every_failed_allocation_is_a_status,
         failed_allocation_of_a_command_is_reported_by_the_exchange)
