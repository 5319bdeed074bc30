// SPDX-License-Identifier: MIT
// Errors as `application/problem+json` (RFC 9457), each of a kind from one catalogue. GET /problems/<slug> explains a
// kind.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stdint.h>

// X(suffix, slug, HTTP status, title)
#define GW_API_PROBLEM_MAP(X)                                                                                          \
    X(BAD_REQUEST, "bad-request", 400, "The request is malformed")                                                     \
    X(MALFORMED_BODY, "malformed-body", 400, "The body is not valid JSON")                                             \
    X(INVALID_FIELD, "invalid-field", 400, "A field is unknown, repeated, missing or of the wrong type")               \
    X(UNAUTHORIZED, "unauthorized", 401, "A token is needed")                                                          \
    X(FORBIDDEN, "forbidden", 403, "The request is refused")                                                           \
    X(NOT_FOUND, "not-found", 404, "There is nothing under this path")                                                 \
    X(UNKNOWN_ENTITY, "unknown-entity", 404, "No features are stored for this id")                                     \
    X(MODEL_NOT_FOUND, "model-not-found", 404, "There is no such model, or no such version of it")                     \
    X(METHOD_NOT_ALLOWED, "method-not-allowed", 405, "The path does not take this method")                             \
    X(CONFLICT, "conflict", 409, "The present state does not allow this")                                              \
    X(PRECONDITION_FAILED, "precondition-failed", 412, "It has changed since the caller looked")                       \
    X(REQUEST_TIMEOUT, "request-timeout", 408, "The request took too long to arrive")                                  \
    X(BODY_TOO_LARGE, "body-too-large", 413, "The body is too large")                                                  \
    X(UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", 415, "The body is of a kind that this does not take")          \
    X(EXPECTATION_FAILED, "expectation-failed", 417, "The expectation cannot be met")                                  \
    X(INVALID_REQUEST, "invalid-request", 422, "A value breaks a rule")                                                \
    X(NO_CANDIDATES, "no-candidates", 422, "There is nothing to rank")                                                 \
    X(TOO_MANY_CANDIDATES, "too-many-candidates", 422, "There is too much to rank in one request")                     \
    X(INTERNAL, "internal", 500, "The server failed")                                                                  \
    X(NOT_IMPLEMENTED, "not-implemented", 501, "The server does not do this")                                          \
    X(MODEL_NOT_READY, "model-not-ready", 503, "The model is not loaded yet")                                          \
    X(OVERLOADED, "overloaded", 503, "Too much is waiting already")                                                    \
    X(UNAVAILABLE, "unavailable", 503, "A part that this needs is away")                                               \
    X(DEADLINE_EXCEEDED, "deadline-exceeded", 504, "There was no answer in time")

enum gw_api_problem_kind {
#define X(suffix, slug, status, title) GW_API_PROBLEM_##suffix,
    GW_API_PROBLEM_MAP(X)
#undef X
        GW_API_PROBLEM_COUNT
};

// Texts are borrowed; NULL or "" leaves a member out. They may hold any bytes: the writer escapes.
struct gw_api_problem {
    enum gw_api_problem_kind kind;
    const char *detail;   // what was wrong this time
    const char *instance; // the path asked for
    const char *request_id;
    const char *pointer;    // RFC 6901, into the body: the field that was wrong
    uint32_t retry_after_s; // 0: none
};

uint32_t gw_api_problem_status(enum gw_api_problem_kind kind);
const char *gw_api_problem_slug(enum gw_api_problem_kind kind);

// The first kind of the catalogue with this HTTP status; INTERNAL when there is none.
enum gw_api_problem_kind gw_api_problem_of_status(uint32_t status);

// Appends the document. GW_E_MEMORY.
GW_CHECK gw_status gw_api_problem_write(const struct gw_api_problem *problem, struct gw_buf *out);

// Appends what a kind means, for GET /problems/<slug>. GW_E_NOT_FOUND: no such slug.
GW_CHECK gw_status gw_api_problem_explain(struct gw_slice slug, struct gw_buf *out);
