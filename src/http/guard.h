// SPDX-License-Identifier: MIT
// What a request's head must satisfy before anything else looks at it: one unambiguous framing, and no sign of a
// hostile web page. Pure functions over header values, so that every rule has a test without a socket.
//
// libmicrohttpd 0.9.75 accepts duplicate Content-Length and Host headers and Content-Length beside Transfer-Encoding
// (request smuggling, CWE-444), and takes "Content-Length :" for a header of another name; refusing them on the first
// call makes it close the connection, so that nothing behind the head is read as a second request.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Header values are borrowed; NULL: absent. Of a header that came several times, the last one.
struct gw_http_head {
    const char *method;
    const char *version; // "HTTP/1.1"
    uint32_t content_length_count;
    uint32_t transfer_encoding_count;
    uint32_t host_count;
    uint32_t origin_count;
    const char *content_length;
    const char *transfer_encoding;
    const char *host;
    const char *origin;
    const char *expect;
    const char *fetch_site; // Sec-Fetch-Site
    bool bad_name;          // a header's name is no token, such as "Content-Length " before a colon
};

struct gw_http_guard {
    uint16_t port;            // ours: the one a loopback Host must name
    bool host_checked;        // false: any Host
    const char *const *hosts; // further names
    size_t host_count;
    size_t body_bytes_max;
};

// Counts and keeps one header.
void gw_http_head_add(struct gw_http_head *head, const char *name, const char *value);

// Returns NULL when the head is fine, else static text that says what is wrong, and *ret_status (400, 403, 413, 417,
// 501).
const char *gw_http_guard_check(const struct gw_http_guard *guard, const struct gw_http_head *head,
                                uint32_t *ret_status);

// True when `authorization` is "Bearer <token>"; the time does not depend on where the texts differ.
bool gw_http_bearer_equal(const char *authorization, const char *token);
