// SPDX-License-Identifier: MIT
// A client that sends bytes as they are, for tests of a listener: every wait has a deadline.
#pragma once

#include "support/testkit.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define RAW_DEADLINE_MS 10000

static inline int raw_connect(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static inline void raw_send(int fd, const char *text)
{
    for (size_t sent = 0, size = strlen(text); sent < size;) {
        ssize_t n = send(fd, text + sent, size - sent, MSG_NOSIGNAL);
        assert_true(n > 0);
        sent += (size_t)n;
    }
}

struct raw_reply {
    int status; // 0: the connection was closed before a whole reply
    char head[4096];
    char body[256 * 1024]; // /metrics is the longest
    size_t body_size;
};

// Waits for bytes. 0: closed (or reset), negative: deadline.
static inline ssize_t raw_read(int fd, char *to, size_t size, uint64_t until_us)
{
    for (;;) {
        uint64_t now_us = gw_clock_mono_us();
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int ready = now_us < until_us ? poll(&wait, 1, (int)((until_us - now_us) / 1000) + 1) : 0;
        if (ready == 0) {
            return -1;
        }
        ssize_t n = ready > 0 ? read(fd, to, size) : -1;
        if (n >= 0 || errno == ECONNRESET) {
            return n > 0 ? n : 0;
        }
        assert_int_equal(errno, EINTR);
    }
}

// Value of a header in the reply's head, up to the line's end; NULL: absent.
static inline const char *raw_header(const struct raw_reply *reply, const char *name)
{
    static char value[1024];
    size_t length = strlen(name);
    for (const char *line = strstr(reply->head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':') {
            const char *start = line + 3 + length + strspn(line + 3 + length, " ");
            snprintf(value, sizeof value, "%.*s", (int)strcspn(start, "\r\n"), start);
            return value;
        }
    }
    return NULL;
}

// Reads one reply; `has_body` is false after HEAD. The head is read byte by byte, so that nothing of the next is taken.
static inline void raw_receive(int fd, bool has_body, struct raw_reply *reply)
{
    uint64_t until_us = gw_clock_mono_us() + RAW_DEADLINE_MS * 1000u;
    size_t used = 0;
    memset(reply, 0, sizeof *reply);
    while (strstr(reply->head, "\r\n\r\n") == NULL) {
        assert_true(used + 1 < sizeof reply->head);
        ssize_t n = raw_read(fd, reply->head + used, 1, until_us);
        assert_true(n >= 0); // else: no reply before the deadline
        if (n == 0) {
            return;
        }
        used++;
    }
    int status = 0;
    assert_int_equal(sscanf(reply->head, "HTTP/1.1 %d", &status), 1);
    const char *length = raw_header(reply, "Content-Length");
    size_t expected = has_body && status >= 200 && length != NULL ? strtoul(length, NULL, 10) : 0;
    assert_true(expected < sizeof reply->body);
    while (reply->body_size < expected) {
        ssize_t n = raw_read(fd, reply->body + reply->body_size, expected - reply->body_size, until_us);
        assert_true(n >= 0);
        if (n == 0) {
            return;
        }
        reply->body_size += (size_t)n;
    }
    reply->status = status;
}

// Reads until the other side closes; `to` is then a string.
static inline void raw_receive_all(int fd, char *to, size_t size)
{
    uint64_t until_us = gw_clock_mono_us() + RAW_DEADLINE_MS * 1000u;
    ssize_t n = 1;
    for (size_t used = 0; n > 0; used += (size_t)n) {
        assert_true(used + 1 < size);
        n = raw_read(fd, to + used, size - used - 1, until_us);
        assert_true(n >= 0); // else: still open at the deadline
        to[used + (size_t)n] = '\0';
    }
}

// True when the other side closes without sending anything more.
static inline bool raw_is_closed(int fd)
{
    char byte = 0;
    return raw_read(fd, &byte, 1, gw_clock_mono_us() + RAW_DEADLINE_MS * 1000u) == 0;
}

// One request on a connection of its own.
static inline void raw_exchange(uint16_t port, const char *text, struct raw_reply *reply)
{
    int fd = raw_connect(port);
    raw_send(fd, text);
    raw_receive(fd, strncmp(text, "HEAD ", 5) != 0, reply);
    close(fd);
}
