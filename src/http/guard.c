// SPDX-License-Identifier: MIT
#include "http/guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// RFC 9110, 5.6.2.
static bool is_token(const char *text)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    return text[0] != '\0' && text[strspn(text, token)] == '\0';
}

void gw_http_head_add(struct gw_http_head *head, const char *name, const char *value)
{
    head->bad_name = head->bad_name || !is_token(name);
    if (strcasecmp(name, "Host") == 0) {
        head->host_count++;
        head->host = value;
    } else if (strcasecmp(name, "Content-Length") == 0) {
        head->content_length_count++;
        head->content_length = value;
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        head->transfer_encoding_count++;
        head->transfer_encoding = value;
    } else if (strcasecmp(name, "Origin") == 0) {
        head->origin_count++;
        head->origin = value;
    } else if (strcasecmp(name, "Expect") == 0) {
        head->expect = value;
    } else if (strcasecmp(name, "Sec-Fetch-Site") == 0) {
        head->fetch_site = value;
    }
}

static const char *refuse(uint32_t *ret_status, uint32_t status, const char *detail)
{
    *ret_status = status;
    return detail;
}

static const char *check_framing(const struct gw_http_guard *guard, const struct gw_http_head *head,
                                 uint32_t *ret_status)
{
    if (head->bad_name) {
        return refuse(ret_status, 400, "a header's name is no token");
    }
    if (head->content_length_count > 1) {
        return refuse(ret_status, 400, "more than one Content-Length header");
    }
    if (head->transfer_encoding_count > 1) {
        return refuse(ret_status, 400, "more than one Transfer-Encoding header");
    }
    if (head->transfer_encoding_count > 0 && head->content_length_count > 0) {
        return refuse(ret_status, 400, "both Content-Length and Transfer-Encoding");
    }
    if (head->transfer_encoding != NULL) {
        if (strcmp(head->version, "HTTP/1.1") != 0) {
            return refuse(ret_status, 400, "Transfer-Encoding needs HTTP/1.1");
        }
        if (strcasecmp(head->transfer_encoding, "chunked") != 0) {
            return refuse(ret_status, 501, "only the transfer coding 'chunked' is understood");
        }
    }
    if (head->content_length != NULL) {
        const char *digits = head->content_length;
        if (digits[0] == '\0' || digits[strspn(digits, "0123456789")] != '\0') {
            return refuse(ret_status, 400, "Content-Length is no number");
        }
        errno = 0;
        unsigned long long length = strtoull(digits, NULL, 10);
        if (errno != 0 || length > guard->body_bytes_max) {
            return refuse(ret_status, 413, "the body is larger than this server reads");
        }
    }
    if (head->expect != NULL && strcasecmp(head->expect, "100-continue") != 0) {
        return refuse(ret_status, 417, "only the expectation '100-continue' is understood");
    }
    return NULL;
}

// Splits "name:port", "[v6]:port" or a bare name. False when the text is neither.
static bool split_host(const char *host, size_t *ret_name_length, const char **ret_port)
{
    size_t length = 0;
    if (host[0] == '[') {
        const char *close = strchr(host, ']');
        if (close == NULL) {
            return false;
        }
        length = (size_t)(close - host) + 1;
    } else {
        length = strcspn(host, ":");
    }
    if (length == 0 || (host[length] != '\0' && host[length] != ':')) {
        return false;
    }
    *ret_name_length = length;
    *ret_port = host[length] == ':' ? host + length + 1 : NULL;
    return true;
}

static bool name_is(const char *name, size_t length, const char *text)
{
    return strlen(text) == length && strncasecmp(name, text, length) == 0;
}

static bool port_is(const char *port, uint16_t ours)
{
    if (port == NULL) {
        return ours == 80;
    }
    size_t digits = strspn(port, "0123456789");
    return digits > 0 && digits <= 5 && port[digits] == '\0' && strtoul(port, NULL, 10) == ours;
}

static bool host_is_ours(const struct gw_http_guard *guard, const char *host)
{
    size_t length = 0;
    const char *port = NULL;
    if (!split_host(host, &length, &port)) {
        return false;
    }
    for (size_t i = 0; i < guard->host_count; i++) {
        if (name_is(host, length, guard->hosts[i])) {
            return true;
        }
    }
    return (name_is(host, length, "localhost") || name_is(host, length, "127.0.0.1") ||
            name_is(host, length, "[::1]")) &&
           port_is(port, guard->port);
}

static bool method_is_safe(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 || strcmp(method, "OPTIONS") == 0;
}

// An origin is ours when it is scheme://<the Host that the same browser sent>: our page, also behind a TLS proxy.
static bool origin_is_host(const char *origin, const char *host)
{
    if (strncasecmp(origin, "http://", 7) == 0) {
        return strcasecmp(origin + 7, host) == 0;
    }
    return strncasecmp(origin, "https://", 8) == 0 && strcasecmp(origin + 8, host) == 0;
}

static const char *check_source(const struct gw_http_guard *guard, const struct gw_http_head *head,
                                uint32_t *ret_status)
{
    if (head->host_count > 1) {
        return refuse(ret_status, 400, "more than one Host header");
    }
    if (head->host == NULL || head->host[0] == '\0') {
        return refuse(ret_status, 400, "no Host header");
    }
    if (guard->host_checked && !host_is_ours(guard, head->host)) {
        return refuse(ret_status, 403, "the Host header names another server");
    }
    if (!method_is_safe(head->method)) {
        if (head->origin_count > 1 || (head->origin != NULL && !origin_is_host(head->origin, head->host))) {
            return refuse(ret_status, 403, "requests from other sites' pages are refused");
        }
        if (head->fetch_site != NULL && strcasecmp(head->fetch_site, "cross-site") == 0) {
            return refuse(ret_status, 403, "requests from other sites' pages are refused");
        }
    }
    return NULL;
}

const char *gw_http_guard_check(const struct gw_http_guard *guard, const struct gw_http_head *head,
                                uint32_t *ret_status)
{
    const char *detail = check_framing(guard, head, ret_status);
    return detail != NULL ? detail : check_source(guard, head, ret_status);
}

bool gw_http_bearer_equal(const char *authorization, const char *token)
{
    if (authorization == NULL || strncasecmp(authorization, "Bearer ", 7) != 0) {
        return false;
    }
    const char *given = authorization + 7;
    size_t given_length = strlen(given);
    size_t token_length = strlen(token);
    if (token_length == 0) {
        return false;
    }
    // The loop runs over what the caller sent, so its length says nothing about the token.
    volatile unsigned difference = given_length == token_length ? 0 : 1;
    for (size_t i = 0; i < given_length; i++) {
        difference |= (unsigned char)given[i] ^ (unsigned char)token[i % token_length];
    }
    return difference == 0;
}
