// SPDX-License-Identifier: MIT
// An HTTP/1.1 listener over libmicrohttpd: whole requests in, one answer each out, now or later, from any thread.
//
// The handler is called on a loop thread once the whole body is there. It must not block. It owes every request exactly
// one gw_http_respond: in the call, or later from any thread (the connection is suspended meanwhile, and a client that
// goes away, or a server that stops, does no harm to the handle). What the server refuses by itself (framing, size,
// hostile Host or Origin) goes to the `refuse` function, so that all errors have one look.
//
// Path, query, headers and remote are valid during the handler call only; the body, in memory or in a file, until the
// answer.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gw_http_server;
struct gw_http_request;

#define GW_HTTP_FILE_RATE_MIN (64u * 1024) // bytes a second

struct gw_http_header {
    const char *name;
    const char *value;
};

struct gw_http_response {
    uint32_t status;                      // 200 to 599
    const char *content_type;             // NULL: none
    struct gw_slice body;                 // copied, unless body_is_static
    bool body_is_static;                  // the body lives as long as the process: not copied
    const struct gw_http_header *headers; // further headers, copied; may be NULL
    size_t header_count;
};

// What is to happen to a request's body.
struct gw_http_admission {
    bool to_file;           // it goes to a file (options: file_directory), not into memory
    uint32_t refuse_status; // not 0: `refuse` is called with it and `detail` (static text), and no body is read
    const char *detail;
};
// Decides, on a loop thread, once a head has passed the server's own rules and before any body is read. Must not block.
typedef void (*gw_http_admit)(void *context, struct gw_http_request *request, struct gw_http_admission *ret_admission);
typedef void (*gw_http_handler)(void *context, struct gw_http_request *request);
// Must answer in the call, with `status` (400, 403, 408, 413, 417, 501, 503, or what `admit` said). `detail` is static
// text. In the middle of an upload (408, 413, 503) the response's extra headers are dropped.
typedef void (*gw_http_refuse)(void *context, struct gw_http_request *request, uint32_t status, const char *detail);

struct gw_http_server_options {
    const char *address;             // numeric IPv4 or IPv6, or "localhost" (127.0.0.1)
    uint16_t port;                   // 0: any free one, see gw_http_server_port
    uint32_t threads;                // loop threads, 1 to 64; connections are divided among them
    uint32_t connections_max;        // > 0
    uint32_t connections_per_ip_max; // 0: no limit
    uint32_t timeout_s;      // > 0: silence after which a connection is closed; also the bound on a whole upload
    size_t connection_bytes; // header and buffer memory of one connection; 0: 64 KiB
    size_t body_bytes_max;   // larger bodies are refused with 413
    uint32_t drain_ms;       // how long stop waits for answers to leave
    // Host names (without port) that requests may name besides localhost, 127.0.0.1 and [::1]. On a loopback address
    // any other Host is refused, which defeats DNS rebinding. On other addresses an empty list admits every Host.
    const char *const *hosts;
    size_t host_count;
    gw_http_handler handler;
    gw_http_refuse refuse;
    void *context; // borrowed until stop
    // Bodies that go to files, for the requests that `admit` picks. `timeout_s` then bounds silence, and the whole
    // upload by that and a rate of GW_HTTP_FILE_RATE_MIN. At most files_max at once, from the head to the answer's end;
    // more are refused with 503.
    gw_http_admit admit;        // NULL: every body goes into memory
    const char *file_directory; // must exist; a file there has no name and is gone with its request
    uint64_t file_bytes_max;    // larger ones are refused with 413
    uint32_t files_max;
    atomic_uint *file_count; // servers that share it share the places, too; outlives them. NULL: its own
};

// True for 127.0.0.0/8, ::1 and "localhost".
bool gw_http_address_is_loopback(const char *address);

// Listens and serves. Strings in the options are copied. GW_E_CONFIG: not a numeric address. GW_E_IO: cannot listen.
GW_CHECK gw_status gw_http_server_start(const struct gw_http_server_options *options,
                                        struct gw_http_server **ret_server, gw_err *err);
uint16_t gw_http_server_port(const struct gw_http_server *server);

// Stops accepting, answers deferred requests through `refuse` with 503, lets answers leave for at most drain_ms, joins
// the threads and frees the server. Later gw_http_respond on a handle from it is legal and does nothing but free the
// handle. NULL is legal. Not from a handler.
void gw_http_server_stop(struct gw_http_server *server);

// --- in the handler call ---
const char *gw_http_request_method(const struct gw_http_request *request);
const char *gw_http_request_path(const struct gw_http_request *request);                    // percent-decoded, no query
const char *gw_http_request_query(const struct gw_http_request *request, const char *name); // NULL: absent
const char *gw_http_request_header(const struct gw_http_request *request, const char *name); // NULL: absent
struct gw_slice gw_http_request_body(const struct gw_http_request *request);
// The file of a body that went there, else -1, and its size. Borrowed until the answer; read it with pread.
int gw_http_request_file(const struct gw_http_request *request, uint64_t *ret_size);
uint64_t gw_http_request_start_us(const struct gw_http_request *request); // monotonic, when the headers had arrived
// True when the request carries `Authorization: Bearer <token>`. Takes the same time wherever the texts differ.
bool gw_http_request_has_token(const struct gw_http_request *request, const char *token);

// Answers. Takes the request: it is no longer the caller's. Never blocks. A short memory drops the connection.
void gw_http_respond(struct gw_http_request *request, const struct gw_http_response *response);
