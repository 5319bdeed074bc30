// SPDX-License-Identifier: MIT
// Statuses and the class that says what a worker loop does about each of them.
//
// A function that can fail returns a gw_status and, when the caller passes one, fills a gw_err with the status and a
// message. The class is a property of the status: pick the status by asking what the loop should do.
#pragma once

#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

// What the worker loop does: RECORD dead-letters the record and goes on; RETRY rewinds and tries the batch again after
// a wait; ABORT aborts the transaction and rewinds; FATAL drains and exits non-zero.
enum gw_err_class { GW_CLASS_NONE, GW_CLASS_RECORD, GW_CLASS_RETRY, GW_CLASS_ABORT, GW_CLASS_FATAL };

// X(suffix, class, name)
#define GW_STATUS_MAP(X)                                                                                               \
    X(OK, NONE, "ok")                                                                                                  \
    X(E_MALFORMED, RECORD, "malformed")           /* bytes or text that do not parse */                               \
    X(E_INVALID, RECORD, "invalid")               /* parses, but a value breaks a rule */                             \
    X(E_TOO_LARGE, RECORD, "too-large")           /* over a configured or wire bound */                               \
    X(E_UNKNOWN_SCHEMA, RECORD, "unknown-schema") /* framing or schema id nobody registered */                        \
    X(E_NOT_FOUND, RECORD, "not-found")                                                                                \
    X(E_CONFLICT, RECORD, "conflict")                                                                                  \
    X(E_STALE, RECORD, "stale") /* decided on an older state of things than the one there is */                        \
    X(E_TIMEOUT, RETRY, "timeout")                                                                                     \
    X(E_UNAVAILABLE, RETRY, "unavailable") /* a dependency refuses or is away */                                      \
    X(E_BEHIND, RETRY, "behind")           /* a view has not yet reached the needed offset */                         \
    X(E_MEMORY, RETRY, "memory")                                                                                       \
    X(E_ABORTED, ABORT, "aborted") /* the transaction must be aborted */                                              \
    X(E_FENCED, FATAL, "fenced")                                                                                       \
    X(E_CONFIG, FATAL, "config")                                                                                       \
    X(E_EXHAUSTED, FATAL, "exhausted")                                                                                 \
    X(E_MISMATCH, FATAL, "mismatch") /* two parts that must agree do not: counts, fingerprints, log ids */            \
    X(E_IO, FATAL, "io")             /* local files and sockets */                                                    \
    X(E_INTERNAL, FATAL, "internal")

typedef enum {
#define X(suffix, class, name) GW_##suffix,
    GW_STATUS_MAP(X)
#undef X
        GW_STATUS_COUNT
} gw_status;

#define GW_ERR_MESSAGE_BYTES 256

typedef struct {
    gw_status status;
    char message[GW_ERR_MESSAGE_BYTES]; // lower case, no full stop, NUL-terminated, cut when longer
} gw_err;

// Returns the status's stable lower-case name, for logs, headers and metrics.
const char *gw_status_name(gw_status status);

enum gw_err_class gw_status_class(gw_status status);
const char *gw_err_class_name(enum gw_err_class class);

// Fills *err (which may be NULL) and returns `status`, so that a failure is one line at the place where it is found.
gw_status gw_fail(gw_err *err, gw_status status, const char *format, ...) GW_PRINTF(3, 4);

// Puts "context: " in front of the message already in *err (which may be NULL) and returns `status` unchanged.
gw_status gw_fail_context(gw_err *err, gw_status status, const char *format, ...) GW_PRINTF(3, 4);

// Returns from the calling function when `expression` is not GW_OK.
#define GW_TRY(expression)                                                                                             \
    do {                                                                                                               \
        gw_status gw_try_status = (expression);                                                                        \
        if (GW_UNLIKELY(gw_try_status != GW_OK)) {                                                                     \
            return gw_try_status;                                                                                      \
        }                                                                                                              \
    } while (0)
