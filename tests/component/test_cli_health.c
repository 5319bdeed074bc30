// SPDX-License-Identifier: MIT
// `health` against a bridge that gives one prepared answer and keeps the question.
#include "component/cli_run.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

struct bridge {
    int listener;
    const char *answer;
    char question[4096];
    char url[64];
    pthread_t thread;
};

static void *answer_once(void *context)
{
    struct bridge *bridge = context;
    int caller = accept(bridge->listener, NULL, NULL);
    size_t size = 0;
    while (caller >= 0 && size + 1 < sizeof bridge->question && strstr(bridge->question, "\r\n\r\n") == NULL) {
        ssize_t got = read(caller, bridge->question + size, sizeof bridge->question - 1 - size);
        if (got <= 0) {
            break;
        }
        size += (size_t)got;
        bridge->question[size] = '\0';
    }
    ssize_t written = write(caller, bridge->answer, strlen(bridge->answer));
    close(caller);
    return written > 0 ? bridge : NULL;
}

static void bridge_start(struct bridge *bridge, const char *answer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    *bridge = (struct bridge){.answer = answer, .listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_true(bridge->listener >= 0);
    assert_int_equal(bind(bridge->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(bridge->listener, 1), 0);
    assert_int_equal(getsockname(bridge->listener, (struct sockaddr *)&address, &size), 0);
    snprintf(bridge->url, sizeof bridge->url, "http://127.0.0.1:%u", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&bridge->thread, NULL, answer_once, bridge), 0);
}

static void bridge_stop(struct bridge *bridge)
{
    void *answered = NULL;
    pthread_join(bridge->thread, &answered);
    close(bridge->listener);
    assert_non_null(answered);
}

#define BODY                                                                                                           \
    "{\"status\":\"WARN\",\"ready\":true,\"dependencies\":[{\"name\":\"kafka\",\"state\":\"OK\",\"latencyMs\":1.25,"   \
    "\"required\":true,\"detail\":\"\"},{\"name\":\"redis\",\"state\":\"DOWN\",\"latencyMs\":null,\"required\":false," \
    "\"detail\":\"connection refused\"}],\"version\":\"1\"}"
#define ANSWER(status, body) "HTTP/1.1 " status "\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n" body

static void dependencies_are_listed_with_state_and_latency(void **state)
{
    (void)state;
    struct bridge bridge;
    bridge_start(&bridge, ANSWER("200 OK", BODY));
    const struct cli_result *result = cli_run("health", "--url", bridge.url);
    bridge_stop(&bridge);
    cli_assert_exit(result, 0);
    assert_string_equal(result->out, "WARN\n"
                                     "DEPENDENCY  STATE  LATENCY_MS  DETAIL\n"
                                     "kafka       OK     1.25        -\n"
                                     "redis       DOWN   -           connection refused\n");
    cli_assert_contains(bridge.question, "GET /health HTTP/1.1\r\n");
    assert_null(strstr(bridge.question, "Authorization"));
}

static void a_bridge_that_cannot_serve_is_not_ready(void **state)
{
    (void)state;
    struct bridge bridge;
    bridge_start(&bridge, ANSWER("503 Service Unavailable", BODY));
    const struct cli_result *result = cli_run("health", "--json", "--url", bridge.url);
    bridge_stop(&bridge);
    cli_assert_exit(result, 3);
    assert_string_equal(result->out, BODY "\n");
}

static void the_token_is_shown(void **state)
{
    (void)state;
    struct bridge bridge;
    char path[] = "/tmp/godwit-cli-XXXXXX";
    char set[64];
    int file = mkstemp(path);
    assert_int_equal(write(file, "s3cret\n", 7), 7);
    close(file);
    snprintf(set, sizeof set, "bridge.token_file=%s", path);
    bridge_start(&bridge, ANSWER("401 Unauthorized", "{}"));
    const struct cli_result *result = cli_run("health", "--url", bridge.url, "--set", set);
    bridge_stop(&bridge);
    unlink(path);
    cli_assert_refused(result, 3, "answers 401: bridge.token_file must hold its token");
    cli_assert_contains(bridge.question, "Authorization: Bearer s3cret\r\n");
}

static void something_else_on_the_port_is_told_from_a_bridge(void **state)
{
    (void)state;
    static const char *const answers[] = {ANSWER("200 OK", "<html>hello"), ANSWER("404 Not Found", "{}"),
                                          ANSWER("200 OK", "{\"dependencies\":[{\"name\":7}]}")};
    for (size_t i = 0; i < GW_COUNT_OF(answers); i++) {
        struct bridge bridge;
        bridge_start(&bridge, answers[i]);
        cli_assert_refused(cli_run("health", "--url", bridge.url), 3, i == 1 ? "answers 404" : "no health of a bridge");
        bridge_stop(&bridge);
    }
}

GW_TESTS(dependencies_are_listed_with_state_and_latency, a_bridge_that_cannot_serve_is_not_ready, the_token_is_shown,
         something_else_on_the_port_is_told_from_a_bridge)
