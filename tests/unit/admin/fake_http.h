// SPDX-License-Identifier: MIT
// An HTTP server of a few fixed answers on a free loopback port, for tests of clients. One request a connection.
#pragma once

#include "support/testkit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct fake_route {
    const char *request; // "GET /path", compared up to its length; the first that fits answers
    int code;
    const char *body; // NULL: never answers, the connection stays open
};

struct fake_http {
    int listener;
    int silent; // a connection that is never answered
    pthread_t thread;
    const struct fake_route *routes;
    size_t route_count;
    atomic_uint requests;
    char last[16384]; // the last request; read it only after the client has its answer
    char url[64];
};

static inline void fake_answer(struct fake_http *fake, int connection)
{
    size_t used = 0;
    size_t wanted = sizeof fake->last - 1;
    while (used < wanted) { // head, then as much body as it announces
        ssize_t got = recv(connection, fake->last + used, sizeof fake->last - 1 - used, 0);
        if (got <= 0) {
            break;
        }
        used += (size_t)got;
        fake->last[used] = '\0';
        const char *head_end = strstr(fake->last, "\r\n\r\n");
        const char *length = strstr(fake->last, "Content-Length: ");
        if (head_end != NULL) {
            wanted = (size_t)(head_end + 4 - fake->last) + (length != NULL ? strtoul(length + 16, NULL, 10) : 0);
        }
    }
    const struct fake_route *route = NULL;
    for (size_t i = 0; i < fake->route_count && route == NULL; i++) {
        size_t size = strlen(fake->routes[i].request);
        route = strncmp(fake->last, fake->routes[i].request, size) == 0 && fake->last[size] == ' ' ? &fake->routes[i]
                                                                                                   : NULL;
    }
    if (route != NULL && route->body == NULL) {
        fake->silent = connection;
        return;
    }
    const char *body = route != NULL ? route->body : "{\"error_code\":404,\"message\":\"no such route\"}";
    dprintf(connection,
            "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
            route != NULL ? route->code : 404, strlen(body), body);
    close(connection);
}

static inline void *fake_main(void *argument)
{
    struct fake_http *fake = argument;
    for (;;) {
        int connection = accept(fake->listener, NULL, NULL);
        if (connection < 0) {
            return NULL; // shut down
        }
        atomic_fetch_add(&fake->requests, 1);
        fake_answer(fake, connection);
    }
}

static inline void fake_start(struct fake_http *fake, const struct fake_route *routes, size_t count)
{
    *fake = (struct fake_http){.routes = routes, .route_count = count, .silent = -1};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    fake->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fake->listener >= 0);
    assert_int_equal(bind(fake->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fake->listener, 16), 0);
    assert_int_equal(getsockname(fake->listener, (struct sockaddr *)&address, &size), 0);
    snprintf(fake->url, sizeof fake->url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&fake->thread, NULL, fake_main, fake), 0);
}

static inline void fake_stop(struct fake_http *fake)
{
    shutdown(fake->listener, SHUT_RDWR);
    pthread_join(fake->thread, NULL);
    close(fake->listener);
    if (fake->silent >= 0) {
        close(fake->silent);
    }
}
