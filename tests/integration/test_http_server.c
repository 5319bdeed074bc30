// SPDX-License-Identifier: MIT
// The listener on a real socket: framing, keep-alive, deferred answers, stop. The rules tested here were learned from
// libmicrohttpd 0.9.75 (src/http/README.md).
#include "http/server.h"

#include "http_raw.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#define BODY_BYTES_MAX 1000
#define FILE_BYTES_MAX 300000
#define HELD_MAX       128

// What the handler did not answer itself.
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct gw_http_request *requests[HELD_MAX];
    size_t count;
} held = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static char file_directory[64];
static struct gw_http_server *server;
static uint16_t port;
static struct raw_reply reply;

static void answer(struct gw_http_request *request, uint32_t status, struct gw_slice body)
{
    struct gw_http_response response = {.status = status, .content_type = "text/plain", .body = body};
    gw_http_respond(request, &response);
}

static void on_refused(void *context, struct gw_http_request *request, uint32_t status, const char *detail)
{
    (void)context;
    answer(request, status, gw_slice_text(detail));
}

static void *answer_in_thread(void *request)
{
    answer(request, 200, gw_slice_text("from a thread"));
    return NULL;
}

// Bodies of /file and /file-hold go to a file; /forbidden is refused by its head.
static void on_admit(void *context, struct gw_http_request *request, struct gw_http_admission *ret_admission)
{
    (void)context;
    const char *path = gw_http_request_path(request);
    ret_admission->to_file = strncmp(path, "/file", 5) == 0;
    if (strcmp(path, "/forbidden") == 0) {
        *ret_admission = (struct gw_http_admission){.refuse_status = 415, .detail = "not this"};
    }
}

// Answers with size and sum of the bytes that lie in the file.
static void answer_file(struct gw_http_request *request)
{
    static char content[FILE_BYTES_MAX];
    char text[64];
    uint64_t size = 0;
    unsigned long sum = 0;
    int fd = gw_http_request_file(request, &size);
    ssize_t count = fd >= 0 ? pread(fd, content, sizeof content, 0) : -1;
    for (ssize_t i = 0; i < count; i++) {
        sum += (unsigned char)content[i];
    }
    snprintf(text, sizeof text, "%lld of %llu, sum %lu, %zu in memory", (long long)count, (unsigned long long)size, sum,
             gw_http_request_body(request).size);
    answer(request, 200, gw_slice_text(text));
}

// /file answers what its file holds, /echo answers the body, /path the decoded path and query, /race from another
// thread before the handler returns, and /hold leaves the request to the test.
static void on_request(void *context, struct gw_http_request *request)
{
    (void)context;
    const char *path = gw_http_request_path(request);
    if (strcmp(path, "/file") == 0) {
        answer_file(request);
    } else if (strcmp(path, "/echo") == 0) {
        answer(request, 200, gw_http_request_body(request));
    } else if (strcmp(path, "/race") == 0) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, answer_in_thread, request), 0);
        pthread_join(thread, NULL);
    } else if (strcmp(path, "/hold") == 0 || strcmp(path, "/file-hold") == 0) {
        pthread_mutex_lock(&held.lock);
        held.requests[held.count++] = request;
        pthread_cond_broadcast(&held.changed);
        pthread_mutex_unlock(&held.lock);
    } else {
        char text[256];
        const char *query = gw_http_request_query(request, "q");
        int size =
            snprintf(text, sizeof text, "%s|%s|%s", gw_http_request_method(request), path, query != NULL ? query : "-");
        answer(request, 200, gw_slice_make(text, (size_t)size));
    }
}

static void wait_until_held(size_t count)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += RAW_DEADLINE_MS / 1000;
    pthread_mutex_lock(&held.lock);
    int rc = 0;
    while (held.count < count && rc == 0) {
        rc = pthread_cond_timedwait(&held.changed, &held.lock, &until);
    }
    pthread_mutex_unlock(&held.lock);
    assert_int_equal(rc, 0);
}

static void answer_held(void)
{
    for (size_t i = 0; i < held.count; i++) {
        answer(held.requests[i], 200, gw_slice_text("late"));
    }
    held.count = 0;
}

static int start_with(uint32_t threads, uint32_t timeout_s)
{
    struct gw_http_server_options options = {
        .address = "127.0.0.1",
        .threads = threads,
        .connections_max = 256,
        .timeout_s = timeout_s,
        .body_bytes_max = BODY_BYTES_MAX,
        .drain_ms = 2000,
        .handler = on_request,
        .refuse = on_refused,
        .admit = on_admit,
        .file_directory = file_directory,
        .file_bytes_max = FILE_BYTES_MAX,
        .files_max = 1,
    };
    gw_err err = {0};
    snprintf(file_directory, sizeof file_directory, "/tmp/godwit-http-XXXXXX");
    if (mkdtemp(file_directory) == NULL) {
        return -1;
    }
    if (gw_http_server_start(&options, &server, &err) != GW_OK) {
        print_error("%s\n", err.message);
        return -1;
    }
    port = gw_http_server_port(server);
    held.count = 0;
    return 0;
}

static int start(void **state)
{
    (void)state;
    return start_with(1, 30);
}

static int start_pool(void **state)
{
    (void)state;
    return start_with(2, 30);
}

static int start_impatient(void **state)
{
    (void)state;
    return start_with(1, 1);
}

static int stop(void **state)
{
    (void)state;
    gw_http_server_stop(server);
    server = NULL;
    return rmdir(file_directory); // fails when a body's file was left
}

// Fills in our Host after the request line.
static const char *with_host(const char *format)
{
    static char text[8192];
    char host[64];
    snprintf(host, sizeof host, "Host: 127.0.0.1:%u", port);
    const char *mark = strstr(format, "@");
    assert_non_null(mark);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(mark - format), format, host, mark + 1);
    return text;
}

static void connections_are_kept_alive(void **state)
{
    (void)state;
    int fd = raw_connect(port);
    for (int i = 0; i < 5; i++) {
        raw_send(fd, with_host(i % 2 == 0 ? "GET /x HTTP/1.1\r\n@\r\n\r\n"
                                          : "POST /echo HTTP/1.1\r\n@\r\nContent-Length: 2\r\n\r\nhi"));
        raw_receive(fd, true, &reply);
        assert_int_equal(reply.status, 200);
        assert_null(raw_header(&reply, "Connection"));
        assert_string_equal(reply.body, i % 2 == 0 ? "GET|/x|-" : "hi");
    }
    close(fd);
}

static void head_has_the_length_of_get_and_no_body(void **state)
{
    (void)state;
    int fd = raw_connect(port);
    raw_send(fd, with_host("HEAD /abc HTTP/1.1\r\n@\r\n\r\n"));
    raw_receive(fd, false, &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal(raw_header(&reply, "Content-Length"), "11"); // HEAD|/abc|-
    raw_send(fd, with_host("GET /y HTTP/1.1\r\n@\r\n\r\n"));
    raw_receive(fd, true, &reply);
    assert_string_equal(reply.body, "GET|/y|-");
    close(fd);
}

static void paths_are_decoded_but_never_cut_short(void **state)
{
    (void)state;
    raw_exchange(port, with_host("GET /a%20b%2Fc%00d%zz?q=1%2B1 HTTP/1.1\r\n@\r\n\r\n"), &reply);
    assert_string_equal(reply.body, "GET|/a b/c%00d%zz|1+1");
}

static void chunked_bodies_and_continue_are_understood(void **state)
{
    (void)state;
    raw_exchange(
        port,
        with_host("POST /echo HTTP/1.1\r\n@\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
        &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "abcde");

    int fd = raw_connect(port);
    raw_send(fd, with_host("POST /echo HTTP/1.1\r\n@\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
    raw_receive(fd, false, &reply);
    assert_int_equal(reply.status, 100);
    raw_send(fd, "ok");
    raw_receive(fd, true, &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "ok");
    close(fd);
}

static void smuggled_requests_are_not_answered(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *head;
    } cases[] = {
        {400, "POST /echo HTTP/1.1\r\n@\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n"},
        {400, "POST /echo HTTP/1.1\r\n@\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n"},
        {400, "POST /echo HTTP/1.1\r\n@\r\nContent-Length: 44\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {400, "POST /echo HTTP/1.1\r\n@\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"},
        {501, "POST /echo HTTP/1.1\r\n@\r\nTransfer-Encoding: xchunked\r\n\r\n"},
        {400, "POST /echo HTTP/1.1\r\n@\r\nContent-Length: +0\r\n\r\n"},
        {400, "POST /echo HTTP/1.1\r\n@\r\nContent-Length : 0\r\n\r\n"},
        {400, "POST /echo HTTP/1.1\r\n@\r\nTransfer-Encoding : chunked\r\nContent-Length: 1\r\n\r\n0"},
        {400, "GET /x HTTP/1.1\r\n@\r\nHost: elsewhere\r\n\r\n"},
        {400, "GET /x HTTP/1.1\r\nX-Nothing: @\r\n\r\n"},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        char text[4096];
        size_t used = (size_t)snprintf(text, sizeof text, "%s", with_host(cases[i].head));
        snprintf(text + used, sizeof text - used, "%s", with_host("GET /smuggled HTTP/1.1\r\n@\r\n\r\n"));
        int fd = raw_connect(port);
        raw_send(fd, text);
        char received[4096];
        raw_receive_all(fd, received, sizeof received);
        close(fd);
        char expected[32];
        snprintf(expected, sizeof expected, "HTTP/1.1 %d ", cases[i].status);
        if (strncmp(received, expected, strlen(expected)) != 0 || strstr(received, "smuggled") != NULL) {
            print_error("case %zu: %s\n", i, received);
            fail();
        }
    }
}

static void pages_of_other_sites_are_refused(void **state)
{
    (void)state;
    raw_exchange(port, "GET /x HTTP/1.1\r\nHost: evil.example\r\n\r\n", &reply);
    assert_int_equal(reply.status, 403);
    raw_exchange(port,
                 with_host("POST /echo HTTP/1.1\r\n@\r\nOrigin: http://evil.example\r\nContent-Length: 0\r\n\r\n"),
                 &reply);
    assert_int_equal(reply.status, 403);
}

static void large_bodies_are_refused_by_length_and_by_bytes_seen(void **state)
{
    (void)state;
    raw_exchange(port, with_host("POST /echo HTTP/1.1\r\n@\r\nContent-Length: 1001\r\n\r\n"), &reply);
    assert_int_equal(reply.status, 413);

    int fd = raw_connect(port);
    raw_send(fd, with_host("POST /echo HTTP/1.1\r\n@\r\nTransfer-Encoding: chunked\r\n\r\n"));
    char chunk[256];
    snprintf(chunk, sizeof chunk, "c8\r\n%0200d\r\n", 0); // 200 bytes, five are the limit
    for (int i = 0; i < 5; i++) {
        raw_send(fd, chunk);
    }
    raw_send(fd, "1\r\nx\r\n");
    raw_receive(fd, true, &reply);
    assert_int_equal(reply.status, 413);
    assert_string_equal(raw_header(&reply, "Connection"), "close");
    assert_true(raw_is_closed(fd));
    close(fd);
}

static void other_expectations_and_huge_heads_are_refused(void **state)
{
    (void)state;
    raw_exchange(port, with_host("POST /echo HTTP/1.1\r\n@\r\nExpect: magic\r\nContent-Length: 1\r\n\r\n"), &reply);
    assert_int_equal(reply.status, 417);

    static char head[80 * 1024];
    size_t used = (size_t)snprintf(head, sizeof head, "GET /x HTTP/1.1\r\nX-Long: ");
    memset(head + used, 'a', 70 * 1024);
    memcpy(head + used + 70 * 1024, "\r\n\r\n", 5);
    int fd = raw_connect(port);
    (void)!send(fd, head, strlen(head), MSG_NOSIGNAL);
    raw_receive(fd, true, &reply);
    assert_true(reply.status == 431 || reply.status == 0);
    close(fd);
}

static void a_silent_client_is_closed(void **state)
{
    (void)state;
    int fd = raw_connect(port);
    raw_send(fd, with_host("POST /echo HTTP/1.1\r\n@\r\nContent-Length: 5\r\n\r\nab"));
    assert_true(raw_is_closed(fd));
    close(fd);
}

static void a_dripping_client_is_told_and_closed(void **state)
{
    (void)state;
    int fd = raw_connect(port);
    raw_send(fd, with_host("POST /echo HTTP/1.1\r\n@\r\nContent-Length: 1000\r\n\r\n"));
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    int drops = 0;
    while (poll(&wait, 1, 50) == 0) { // one byte each 50 ms: never silent, never done
        assert_true(drops++ < 200);
        (void)!send(fd, "x", 1, MSG_NOSIGNAL);
    }
    raw_receive(fd, true, &reply);
    assert_int_equal(reply.status, 408);
    assert_true(raw_is_closed(fd));
    close(fd);
}

static void an_answer_may_come_from_another_thread_later(void **state)
{
    (void)state;
    int fd = raw_connect(port);
    for (int i = 0; i < 3; i++) {
        raw_send(fd, with_host("POST /hold HTTP/1.1\r\n@\r\nContent-Length: 3\r\n\r\nabc"));
        wait_until_held(1);
        assert_true(gw_slice_is(gw_http_request_body(held.requests[0]), "abc"));
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, answer_in_thread, held.requests[0]), 0);
        pthread_join(thread, NULL);
        held.count = 0;
        raw_receive(fd, true, &reply);
        assert_int_equal(reply.status, 200);
        assert_string_equal(reply.body, "from a thread");
        assert_null(raw_header(&reply, "Connection"));
    }
    close(fd);
}

static void an_answer_may_come_before_the_handler_returns(void **state)
{
    (void)state;
    raw_exchange(port, with_host("GET /race HTTP/1.1\r\n@\r\n\r\n"), &reply);
    assert_string_equal(reply.body, "from a thread");
}

static void a_client_may_leave_while_it_waits(void **state)
{
    (void)state;
    int fd = raw_connect(port);
    raw_send(fd, with_host("GET /hold HTTP/1.1\r\n@\r\n\r\n"));
    wait_until_held(1);
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    close(fd);
    answer_held();
    raw_exchange(port, with_host("GET /x HTTP/1.1\r\n@\r\n\r\n"), &reply);
    assert_int_equal(reply.status, 200);
}

static void stop_answers_who_waits_and_late_answers_do_no_harm(void **state)
{
    (void)state;
    int clients[8];
    for (size_t i = 0; i < GW_COUNT_OF(clients); i++) {
        clients[i] = raw_connect(port);
        raw_send(clients[i], with_host("GET /hold HTTP/1.1\r\n@\r\n\r\n"));
    }
    int idle = raw_connect(port);
    wait_until_held(GW_COUNT_OF(clients));
    gw_http_server_stop(server);
    server = NULL;
    for (size_t i = 0; i < GW_COUNT_OF(clients); i++) {
        raw_receive(clients[i], true, &reply);
        assert_int_equal(reply.status, 503);
        assert_string_equal(reply.body, "the server is stopping");
        close(clients[i]);
    }
    assert_true(raw_is_closed(idle));
    close(idle);
    answer_held();
}

static void many_clients_wait_at_once(void **state)
{
    (void)state;
    int clients[64];
    for (size_t i = 0; i < GW_COUNT_OF(clients); i++) {
        clients[i] = raw_connect(port);
        raw_send(clients[i], with_host("GET /hold HTTP/1.1\r\n@\r\n\r\n"));
    }
    wait_until_held(GW_COUNT_OF(clients));
    answer_held();
    for (size_t i = 0; i < GW_COUNT_OF(clients); i++) {
        raw_receive(clients[i], true, &reply);
        assert_int_equal(reply.status, 200);
        close(clients[i]);
    }
}

static void a_taken_port_and_a_bad_address_are_explained(void **state)
{
    (void)state;
    struct gw_http_server_options options = {.address = "127.0.0.1",
                                             .port = port,
                                             .threads = 1,
                                             .connections_max = 1,
                                             .timeout_s = 1,
                                             .handler = on_request,
                                             .refuse = on_refused};
    struct gw_http_server *other = NULL;
    gw_err err = {0};
    assert_fails(gw_http_server_start(&options, &other, &err), GW_E_IO);
    assert_non_null(strstr(err.message, "Address already in use"));
    options.address = "example.org";
    assert_fails(gw_http_server_start(&options, &other, &err), GW_E_CONFIG);
    assert_null(other);
}

static void loopback_addresses_are_recognised(void **state)
{
    (void)state;
    assert_true(gw_http_address_is_loopback("127.0.0.1"));
    assert_true(gw_http_address_is_loopback("127.8.9.1"));
    assert_true(gw_http_address_is_loopback("::1"));
    assert_true(gw_http_address_is_loopback("localhost"));
    assert_false(gw_http_address_is_loopback("0.0.0.0"));
    assert_false(gw_http_address_is_loopback("::"));
    assert_false(gw_http_address_is_loopback("192.168.0.1"));
    assert_false(gw_http_address_is_loopback("nonsense"));
}

// ---------------------------------------------------------------- bodies in files

// Sends as much of `count` bytes as the other side takes.
static void send_bytes(int fd, size_t count)
{
    static char bytes[4096];
    memset(bytes, 'm', sizeof bytes);
    while (count > 0) {
        ssize_t sent = send(fd, bytes, count < sizeof bytes ? count : sizeof bytes, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        count -= (size_t)sent;
    }
}

static void a_body_may_go_to_a_file(void **state)
{
    (void)state;
    int fd = raw_connect(port);
    for (int i = 0; i < 3; i++) { // and the connection is kept
        raw_send(fd, with_host("POST /file HTTP/1.1\r\n@\r\nContent-Length: 300000\r\n\r\n"));
        send_bytes(fd, 300000);
        raw_receive(fd, true, &reply);
        assert_int_equal(reply.status, 200);
        assert_string_equal(reply.body, "300000 of 300000, sum 32700000, 0 in memory");
    }
    close(fd);
    raw_exchange(port, with_host("POST /file HTTP/1.1\r\n@\r\nContent-Length: 0\r\n\r\n"), &reply);
    assert_string_equal(reply.body, "0 of 0, sum 0, 0 in memory");
}

static void heads_decide_before_a_byte_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        int status;
    } cases[] = {
        {"POST /file HTTP/1.1\r\n@\r\nContent-Length: 300001\r\n\r\n", 413},
        {"POST /file HTTP/1.1\r\n@\r\nContent-Length: 10737418240\r\n\r\n", 413},
        {"POST /file HTTP/1.1\r\n@\r\nExpect: 100-continue\r\nContent-Length: 10737418240\r\n\r\n", 413},
        {"POST /echo HTTP/1.1\r\n@\r\nContent-Length: 1001\r\n\r\n", 413},
        {"POST /forbidden HTTP/1.1\r\n@\r\nContent-Length: 5\r\n\r\n", 415},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        int fd = raw_connect(port);
        raw_send(fd, with_host(cases[i].head));
        raw_receive(fd, true, &reply);
        assert_int_equal(reply.status, cases[i].status);
        assert_true(raw_is_closed(fd));
        close(fd);
    }
}

static void an_endless_body_is_cut(void **state)
{
    (void)state;
    char chunk[4096 + 16];
    int size = snprintf(chunk, sizeof chunk, "1000\r\n%04096d\r\n", 0);
    int fd = raw_connect(port);
    raw_send(fd, with_host("POST /file HTTP/1.1\r\n@\r\nTransfer-Encoding: chunked\r\n\r\n"));
    int sent = 0;
    while (send(fd, chunk, (size_t)size, MSG_NOSIGNAL) == size) {
        assert_true(sent++ < 10000); // 40 MB
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, 0) > 0) {
            break;
        }
    }
    raw_receive(fd, true, &reply);
    assert_int_equal(reply.status, 413);
    close(fd);
}

static void one_body_too_many_is_told_to_come_again(void **state)
{
    (void)state;
    int fd = raw_connect(port);
    raw_send(fd, with_host("POST /file-hold HTTP/1.1\r\n@\r\nContent-Length: 3\r\n\r\nabc"));
    wait_until_held(1);
    raw_exchange(port, with_host("POST /file HTTP/1.1\r\n@\r\nContent-Length: 3\r\n\r\n"), &reply);
    assert_int_equal(reply.status, 503);
    raw_exchange(port, with_host("POST /echo HTTP/1.1\r\n@\r\nContent-Length: 3\r\n\r\nabc"), &reply);
    assert_int_equal(reply.status, 200); // other bodies are not concerned
    answer_held();
    raw_receive(fd, true, &reply);
    assert_int_equal(reply.status, 200);
    close(fd);

    int attempts = 0; // the place is free when the answer has left
    do {
        raw_exchange(port, with_host("POST /file HTTP/1.1\r\n@\r\nContent-Length: 3\r\n\r\nabc"), &reply);
    } while (reply.status == 503 && attempts++ < 1000);
    assert_int_equal(reply.status, 200);
}

static void a_client_that_leaves_frees_its_place(void **state)
{
    (void)state;
    int admitted = 0;
    for (int i = 0; i < 20; i++) {
        int fd = raw_connect(port);
        raw_send(fd, with_host("POST /file HTTP/1.1\r\n@\r\nContent-Length: 300000\r\nExpect: 100-continue\r\n\r\n"));
        raw_receive(fd, false, &reply);
        admitted += reply.status == 100 ? 1 : 0;
        close(fd);
    }
    assert_true(admitted > 0);
    int attempts = 0;
    do {
        raw_exchange(port, with_host("POST /file HTTP/1.1\r\n@\r\nContent-Length: 3\r\n\r\nabc"), &reply);
    } while (reply.status == 503 && attempts++ < 1000);
    assert_int_equal(reply.status, 200);
}

static void a_body_without_room_is_refused(void **state)
{
    (void)state;
    assert_int_equal(rmdir(file_directory), 0);
    raw_exchange(port, with_host("POST /file HTTP/1.1\r\n@\r\nContent-Length: 3\r\n\r\nabc"), &reply);
    assert_int_equal(reply.status, 503);
    assert_string_equal(reply.body, "the body cannot be kept on the disk");
    assert_int_equal(mkdir(file_directory, 0700), 0);
}

static void a_dripping_upload_is_told_and_closed(void **state)
{
    (void)state;
    int fd = raw_connect(port);
    raw_send(fd, with_host("POST /file HTTP/1.1\r\n@\r\nContent-Length: 300000\r\n\r\n"));
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    int drops = 0;
    while (poll(&wait, 1, 50) == 0) {
        assert_true(drops++ < 200);
        (void)!send(fd, "x", 1, MSG_NOSIGNAL);
    }
    raw_receive(fd, true, &reply);
    assert_int_equal(reply.status, 408);
    close(fd);
}

#define TEST(name)      cmocka_unit_test_setup_teardown(name, start, stop)
#define TEST_POOL(name) cmocka_unit_test_setup_teardown(name, start_pool, stop)
#define TEST_SLOW(name) cmocka_unit_test_setup_teardown(name, start_impatient, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connections_are_kept_alive),
        TEST(head_has_the_length_of_get_and_no_body),
        TEST(paths_are_decoded_but_never_cut_short),
        TEST(chunked_bodies_and_continue_are_understood),
        TEST(smuggled_requests_are_not_answered),
        TEST(pages_of_other_sites_are_refused),
        TEST(large_bodies_are_refused_by_length_and_by_bytes_seen),
        TEST(other_expectations_and_huge_heads_are_refused),
        TEST_SLOW(a_silent_client_is_closed),
        TEST_SLOW(a_dripping_client_is_told_and_closed),
        TEST(a_body_may_go_to_a_file),
        TEST(heads_decide_before_a_byte_is_read),
        TEST(an_endless_body_is_cut),
        TEST(one_body_too_many_is_told_to_come_again),
        TEST_POOL(a_client_that_leaves_frees_its_place),
        TEST(a_body_without_room_is_refused),
        TEST_SLOW(a_dripping_upload_is_told_and_closed),
        TEST(an_answer_may_come_from_another_thread_later),
        TEST(an_answer_may_come_before_the_handler_returns),
        TEST_POOL(a_client_may_leave_while_it_waits),
        TEST(stop_answers_who_waits_and_late_answers_do_no_harm),
        TEST_POOL(stop_answers_who_waits_and_late_answers_do_no_harm),
        TEST_POOL(many_clients_wait_at_once),
        TEST(a_taken_port_and_a_bad_address_are_explained),
        cmocka_unit_test(loopback_addresses_are_recognised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
