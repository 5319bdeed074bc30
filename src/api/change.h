// SPDX-License-Identifier: MIT
// What a caller says about a change of the registry beside the change itself: who, why, on which condition, and how to
// know it again. Pure parsing, no request and no registry, so that every rule has a test.
#pragma once

#include "api/predict_body.h"
#include "base/bytes.h"
#include "base/err.h"
#include "registry/registry.h"

#include <stdbool.h>
#include <stdint.h>

#define GW_API_ACTOR_BYTES       129
#define GW_API_REASON_BYTES      1001
#define GW_API_DESCRIPTION_BYTES 1001
#define GW_API_KEY_BYTES         201
#define GW_API_SHARES_MAX        8
#define GW_API_REVISIONS_MAX     8

// ---------------------------------------------------------------- headers

enum gw_api_condition {
    GW_API_IF_NOTHING,   // no If-Match
    GW_API_IF_EXISTS,    // *
    GW_API_IF_REVISION,  // "17", or one of "17", "18"
    GW_API_IF_NEVER,     // entity tags that no model has: weak, or not ours
    GW_API_IF_MALFORMED, // no entity tags, or more than GW_API_REVISIONS_MAX that could match
};

struct gw_api_revisions {
    uint32_t count;
    int64_t revision[GW_API_REVISIONS_MAX];
};

// `value` is the If-Match header (NULL: absent). The revisions are those that GW_API_IF_REVISION allows.
enum gw_api_condition gw_api_parse_if_match(const char *value, struct gw_api_revisions *ret_revisions);

// The entity tag of a revision, quotes included.
#define GW_API_ETAG_BYTES 24
void gw_api_revision_etag(int64_t revision, char ret_etag[GW_API_ETAG_BYTES]);

// `value` is the Idempotency-Key header (not NULL): 1 to 200 visible ASCII characters, between quotes (a structured
// field's string without escapes) or bare. False otherwise.
bool gw_api_parse_idempotency_key(const char *value, char ret_key[GW_API_KEY_BYTES]);

// A version in a path or query: a positive decimal 32-bit integer in its only spelling, or "latest" (0).
bool gw_api_parse_version(struct gw_slice text, int32_t *ret_version);

#define GW_API_TIME_MAX_MS INT64_C(253402300799999) // the end of the year 9999

// A time in a query: RFC 3339, or milliseconds since the epoch (digits only). From 1970 to GW_API_TIME_MAX_MS.
bool gw_api_parse_time(const char *text, int64_t *ret_time_ms);

// A decimal count of 1 to `max`.
bool gw_api_parse_count(const char *text, int64_t max, int64_t *ret_count);

// ---------------------------------------------------------------- bodies

// Which members a body may have, beside actor and reason.
enum gw_api_change_kind {
    GW_API_CHANGE_CREATE,   // name (needed), description, baseline
    GW_API_CHANGE_RETRAIN,  // model (needed), as the body's name
    GW_API_CHANGE_ROLLBACK, // version
    GW_API_CHANGE_SPLIT,    // shares (needed)
    GW_API_CHANGE_PLAIN,    // nothing more
};

struct gw_api_change_body {
    char actor[GW_API_ACTOR_BYTES];   // "" not given
    char reason[GW_API_REASON_BYTES]; // "" not given
    char name[GW_ROUTE_NAME_BYTES];
    char description[GW_API_DESCRIPTION_BYTES];
    bool baseline;   // true unless said otherwise
    int32_t version; // 0 not given
    uint32_t share_count;
    struct gw_registry_share shares[GW_API_SHARES_MAX]; // their variants point into `variants`
    char variants[GW_API_SHARES_MAX][GW_ROUTE_VARIANT_BYTES];
};

// Parses a body; an empty one is {}. Unknown and repeated members are refused. GW_E_MALFORMED, GW_E_INVALID,
// GW_E_MEMORY with *ret_error filled; *body is to be thrown away then.
GW_CHECK gw_status gw_api_change_body_parse(struct gw_slice text, enum gw_api_change_kind kind,
                                            struct gw_api_change_body *body, struct gw_api_body_error *ret_error);
