// SPDX-License-Identifier: MIT
// One model's routing table: which version serves which user, and which ones score unseen beside it.
//
// A plain value, immutable once made. Names are bounded and inside, so that a route can be copied and compared.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GW_ROUTE_BUCKETS       10000u
#define GW_ROUTE_TARGETS_MAX   8
#define GW_ROUTE_SHADOWS_MAX   4
#define GW_ROUTE_NAME_BYTES    129 // of a model, with its NUL
#define GW_ROUTE_VARIANT_BYTES 33
#define GW_ROUTE_SALT_BYTES    33
#define GW_ROUTE_DIGEST_BYTES  65 // SHA-256 in lower-case hex, with its NUL

// A version in a route. (`gw_route_target` is the codec's of schemas/model_route.avsc.)
struct gw_route_version {
    int32_t version;                      // > 0
    char variant[GW_ROUTE_VARIANT_BYTES]; // name in predictions: champion, canary, shadow
    uint32_t weight;                      // buckets of GW_ROUTE_BUCKETS; 0 for a shadow
    char digest[GW_ROUTE_DIGEST_BYTES];   // of the bundle
};

struct gw_route {
    char model[GW_ROUTE_NAME_BYTES];
    int64_t sequence;               // of the registry's event that made it
    char salt[GW_ROUTE_SALT_BYTES]; // of the bucket hash
    uint32_t target_count;          // 0: nothing serves (its only version was rejected)
    struct gw_route_version targets[GW_ROUTE_TARGETS_MAX]; // champion first, canaries by version
    uint32_t shadow_count;
    struct gw_route_version shadows[GW_ROUTE_SHADOWS_MAX]; // by version
    int64_t at_ms;
};

// Checks the rules: names not empty and of the alphabet [A-Za-z0-9._-], versions positive and distinct, weights that add
// up to GW_ROUTE_BUCKETS (when there are targets), shadows of weight 0, digests of 64 hex digits. GW_E_INVALID names the
// culprit.
GW_CHECK gw_status gw_route_check(const struct gw_route *route, gw_err *err);

// True for a legal model name or variant of at most `bytes_max` - 1 bytes: of the alphabet, and not "." or "..".
bool gw_route_name_is_valid(const char *name, size_t bytes_max);

// The bucket of a user, 0 to GW_ROUTE_BUCKETS - 1: gw_hash_mix(FNV-1a(salt) XOR user id) mod GW_ROUTE_BUCKETS, where
// FNV-1a is over the salt's bytes without the NUL and the user id is taken as 64 bits, all unsigned. It never changes:
// replays and other programs' analyses of a split depend on it.
uint32_t gw_route_bucket(const char *salt, int64_t user_id);

// Index of the target that serves the bucket: canaries own the lowest buckets in their order, the champion (index 0) the
// rest. target_count must not be 0.
uint32_t gw_route_target_of_bucket(const struct gw_route *route, uint32_t bucket);

// Index of the target of this version; shadows follow behind the targets; -1: not in the route.
int gw_route_find(const struct gw_route *route, int32_t version);
