// SPDX-License-Identifier: MIT
// Callers of POST /predict: threads with a kept-alive connection each take the next request that is due. With enough of
// them one is always free; when none is, the wait counts, because latency starts when a request was due.
#include "latency/drive_rest.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/mem.h"
#include "support/world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    CALLERS = 48,
    POOL = 2000, // bodies made beforehand, used in turn
    REPLY_BYTES = 1 << 20,
    CALL_TIMEOUT_S = 2,
    STACK_BYTES = 256 << 10,
};

struct pool {
    struct gw_buf text; // whole HTTP requests, one behind the other
    size_t at[POOL + 1];
};

struct drive {
    uint16_t port;
    struct bench_schedule *schedule;
    const struct pool *pool;
    atomic_uint_least64_t next;
};

static gw_status append_body(struct gw_buf *body, const struct gw_prediction_request *request)
{
    GW_TRY(gw_buf_append_format(body, "{\"userId\":\"%" PRId64 "\",\"valueNames\":[\"in_network\",\"source_score\"],",
                                request->user_id));
    GW_TRY(gw_buf_append_text(body, "\"candidateTweets\":["));
    for (uint32_t i = 0; i < request->candidates.count; i++) {
        const struct gw_candidate *c = &request->candidates.items[i];
        GW_TRY(gw_buf_append_format(
            body, "%s{\"tweetId\":\"%" PRId64 "\",\"authorId\":\"%" PRId64 "\",\"values\":[%.0f,%.6f]}",
            i > 0 ? "," : "", c->tweet_id, c->author_id, (double)c->values.items[0], (double)c->values.items[1]));
    }
    return gw_buf_append_text(body, "]}");
}

static gw_status pool_fill(struct pool *pool, struct bench_requests *requests, uint16_t port)
{
    struct gw_buf body = {0};
    gw_status status = GW_OK;
    for (size_t i = 0; i < POOL && status == GW_OK; i++) {
        struct gw_prediction_request request;
        bench_requests_next(requests, 0, &request);
        gw_buf_clear(&body);
        pool->at[i] = pool->text.size;
        status = append_body(&body, &request);
        if (status == GW_OK) {
            status = gw_buf_append_format(&pool->text,
                                          "POST /predict HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Type: "
                                          "application/json\r\nContent-Length: %zu\r\n\r\n",
                                          port, body.size);
        }
        if (status == GW_OK) {
            status = gw_buf_append(&pool->text, body.data, body.size);
        }
    }
    pool->at[POOL] = pool->text.size;
    gw_buf_deinit(&body);
    return status;
}

// Socket calls with a time-out; -1 when it cannot be reached.
static int dial(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const struct timeval timeout = {.tv_sec = CALL_TIMEOUT_S};
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool send_whole(int fd, const uint8_t *data, size_t size)
{
    for (size_t sent = 0; sent < size;) {
        ssize_t n = send(fd, data + sent, size - sent, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        sent += (size_t)n;
    }
    return true;
}

// Size of the whole reply once its head is there; 0: not yet, SIZE_MAX: no reply that we understand.
static size_t reply_size(char *reply, size_t have)
{
    reply[have] = '\0';
    const char *head_end = strstr(reply, "\r\n\r\n");
    if (head_end == NULL) {
        return 0;
    }
    const char *length = strcasestr(reply, "\r\nContent-Length:");
    if (length == NULL || length > head_end) {
        return SIZE_MAX;
    }
    unsigned long body = 0;
    if (sscanf(length + strlen("\r\nContent-Length:"), "%lu", &body) != 1 || body > REPLY_BYTES) {
        return SIZE_MAX;
    }
    return (size_t)(head_end + 4 - reply) + body;
}

// HTTP status of the answer, 0 when the connection is of no more use.
static int call(int fd, const uint8_t *request, size_t size, char *reply)
{
    if (fd < 0 || !send_whole(fd, request, size)) {
        return 0;
    }
    size_t have = 0;
    for (;;) {
        ssize_t n = have < REPLY_BYTES ? recv(fd, reply + have, REPLY_BYTES - have, 0) : -1;
        if (n <= 0) {
            return 0;
        }
        have += (size_t)n;
        size_t whole = reply_size(reply, have);
        if (whole == SIZE_MAX) {
            return 0;
        }
        if (whole > 0 && have >= whole) {
            int status = 0;
            return sscanf(reply, "HTTP/1.1 %d", &status) == 1 ? status : 0;
        }
    }
}

static void *call_all(void *argument)
{
    struct drive *drive = argument;
    char *reply = gw_mem_calloc(REPLY_BYTES + 1, 1);
    int fd = dial(drive->port);
    for (;;) {
        uint64_t i = atomic_fetch_add(&drive->next, 1);
        if (i >= drive->schedule->count || reply == NULL) {
            break;
        }
        struct bench_due *due = &drive->schedule->items[i];
        size_t at = drive->pool->at[i % POOL];
        size_t size = drive->pool->at[i % POOL + 1] - at;
        bench_sleep_until(due->due_us);
        due->sent_us = gw_clock_mono_us();
        int status = call(fd, drive->pool->text.data + at, size, reply);
        due->done_us = gw_clock_mono_us();
        due->outcome = status == 200 ? BENCH_OK : BENCH_FAILED;
        if (status == 0) {
            close(fd);
            fd = dial(drive->port);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    gw_mem_free(reply);
    return NULL;
}

gw_status bench_drive_rest(uint16_t port, struct bench_requests *requests, struct bench_schedule *schedule, gw_err *err)
{
    struct pool *pool = gw_mem_calloc(1, sizeof *pool);
    if (pool == NULL || pool_fill(pool, requests, port) != GW_OK) {
        gw_mem_free(pool);
        return gw_fail(err, GW_E_MEMORY, "no memory for requests");
    }
    struct drive drive = {.port = port, .schedule = schedule, .pool = pool};
    pthread_t threads[CALLERS];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    size_t started = 0;
    int error = 0;
    while (started < CALLERS && error == 0) {
        error = pthread_create(&threads[started], &attributes, call_all, &drive);
        started += error == 0;
    }
    pthread_attr_destroy(&attributes);
    if (error != 0) {
        atomic_store(&drive.next, schedule->count);
    }
    for (size_t i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    gw_buf_deinit(&pool->text);
    gw_mem_free(pool);
    return error == 0 ? GW_OK : gw_fail(err, GW_E_INTERNAL, "cannot start a thread: %s", strerror(error));
}
