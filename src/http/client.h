// SPDX-License-Identifier: MIT
// A small blocking HTTP client for services beside us (schema registry, Kafka Connect): several equal base URLs tried
// in turn, basic authentication, a bound on time and on the answer's size. Not for hot paths. One owning thread.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct gw_http_client;

// Borrowed by _new.
struct gw_http_client_options {
    const char *urls;      // base URLs, separated by commas: http or https, without a trailing slash
    const char *user;      // NULL or "": no authentication
    const char *password;  // may be NULL
    const char *token;     // sent as a bearer token when there is no user; NULL or "": none
    const char *ca_file;   // PEM file that vouches for https; NULL or "": the system's
    uint32_t timeout_ms;   // of one try, connection included; 0 = 10,000
    size_t body_bytes_max; // of an answer; 0 = 4 MiB
};

// GW_E_CONFIG for an empty list, or a URL that is not http(s).
GW_CHECK gw_status gw_http_client_new(const struct gw_http_client_options *options, struct gw_http_client **ret_client,
                                      gw_err *err);
void gw_http_client_free(struct gw_http_client *client);

struct gw_http_call {
    const char *method;       // GET, POST, PUT, DELETE
    const char *path;         // appended to a base URL, begins with a slash, already escaped
    const char *content_type; // of the body; NULL: application/json
    struct gw_slice body;     // data NULL: none
};

// Makes the call at the base URL that answered last; when that cannot be reached or answers 502, 503 or 504, at the
// others. Replaces *body by the answer's body and sets *ret_code to the HTTP status, whatever it is. GW_E_UNAVAILABLE:
// no base URL gave an answer (the message says why the last did not; after such a code *body is what came with it).
// GW_E_TIMEOUT: the last one timed out.
// GW_E_TOO_LARGE: over body_bytes_max.
GW_CHECK gw_status gw_http_client_call(struct gw_http_client *client, const struct gw_http_call *call,
                                       struct gw_buf *body, int *ret_code, gw_err *err);

// Appends `text` to *out with everything but letters, digits and "-._~" as %XX: for parts of a path.
GW_CHECK gw_status gw_http_escape(const char *text, struct gw_buf *out);
