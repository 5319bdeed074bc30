// SPDX-License-Identifier: MIT
#include "http/listen.h"

#include "http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 511

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static bool parse(const char *text, union address *ret_address, socklen_t *ret_size)
{
    if (strcasecmp(text, "localhost") == 0) {
        text = "127.0.0.1";
    }
    memset(ret_address, 0, sizeof *ret_address);
    if (inet_pton(AF_INET, text, &ret_address->v4.sin_addr) == 1) {
        ret_address->v4.sin_family = AF_INET;
        *ret_size = sizeof ret_address->v4;
        return true;
    }
    if (inet_pton(AF_INET6, text, &ret_address->v6.sin6_addr) == 1) {
        ret_address->v6.sin6_family = AF_INET6;
        *ret_size = sizeof ret_address->v6;
        return true;
    }
    return false;
}

bool gw_http_address_is_loopback(const char *address)
{
    union address parsed;
    socklen_t size = 0;
    if (!parse(address, &parsed, &size)) {
        return false;
    }
    return parsed.any.sa_family == AF_INET ? ntohl(parsed.v4.sin_addr.s_addr) >> 24 == 127
                                           : IN6_IS_ADDR_LOOPBACK(&parsed.v6.sin6_addr);
}

static gw_status set_up(int fd, const union address *address, socklen_t size, uint16_t *ret_port, gw_err *err)
{
    int on = 1;
    union address taken;
    socklen_t taken_size = sizeof taken;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 || bind(fd, &address->any, size) != 0 ||
        listen(fd, BACKLOG) != 0 || getsockname(fd, &taken.any, &taken_size) != 0) {
        return gw_fail(err, GW_E_IO, "%s", strerror(errno));
    }
    *ret_port = ntohs(taken.any.sa_family == AF_INET ? taken.v4.sin_port : taken.v6.sin6_port);
    return GW_OK;
}

gw_status gw_http_listen_open(const char *address, uint16_t port, int *ret_socket, uint16_t *ret_port, gw_err *err)
{
    union address parsed;
    socklen_t size = 0;
    if (!parse(address, &parsed, &size)) {
        return gw_fail(err, GW_E_CONFIG, "listen: '%s' is no IPv4 or IPv6 address", address);
    }
    if (parsed.any.sa_family == AF_INET) {
        parsed.v4.sin_port = htons(port);
    } else {
        parsed.v6.sin6_port = htons(port);
    }
    int fd = socket(parsed.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return gw_fail(err, GW_E_IO, "listen on '%s' port %u: %s", address, port, strerror(errno));
    }
    gw_status status = set_up(fd, &parsed, size, ret_port, err);
    if (status != GW_OK) {
        close(fd);
        return gw_fail_context(err, status, "listen on '%s' port %u", address, port);
    }
    *ret_socket = fd;
    return GW_OK;
}
