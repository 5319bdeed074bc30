// SPDX-License-Identifier: MIT
#include "rollout/route.h"

#include "base/check.h"
#include "base/hash.h"

#include <string.h>

bool gw_route_name_is_valid(const char *name, size_t bytes_max)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t length = strnlen(name, bytes_max);
    // Clients take the segments "." and ".." out of a path before they send it (RFC 3986, 5.2.4).
    return length > 0 && length < bytes_max && strspn(name, alphabet) == length && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

static bool is_digest(const char *digest)
{
    return strnlen(digest, GW_ROUTE_DIGEST_BYTES) == GW_ROUTE_DIGEST_BYTES - 1 &&
           strspn(digest, "0123456789abcdef") == GW_ROUTE_DIGEST_BYTES - 1;
}

static gw_status check_target(const struct gw_route *route, const struct gw_route_version *target, bool shadow,
                              gw_err *err)
{
    if (target->version <= 0) {
        return gw_fail(err, GW_E_INVALID, "route of '%s': version %d, at least 1", route->model, target->version);
    }
    if (!gw_route_name_is_valid(target->variant, sizeof target->variant)) {
        return gw_fail(err, GW_E_INVALID, "route of '%s': version %d: variant '%.*s' is no name", route->model,
                       target->version, (int)sizeof target->variant, target->variant);
    }
    if (!is_digest(target->digest)) {
        return gw_fail(err, GW_E_INVALID, "route of '%s': version %d: digest '%.*s' is not 64 hex digits", route->model,
                       target->version, (int)sizeof target->digest, target->digest);
    }
    if (shadow && target->weight != 0) {
        return gw_fail(err, GW_E_INVALID, "route of '%s': version %d: a shadow of weight %u serves nobody, must be 0",
                       route->model, target->version, target->weight);
    }
    if (target->weight > GW_ROUTE_BUCKETS) {
        return gw_fail(err, GW_E_INVALID, "route of '%s': version %d: weight %u, at most %u", route->model,
                       target->version, target->weight, GW_ROUTE_BUCKETS);
    }
    return GW_OK;
}

// The target at an index of gw_route_find.
static const struct gw_route_version *target_at(const struct gw_route *route, uint32_t index)
{
    return index < route->target_count ? &route->targets[index] : &route->shadows[index - route->target_count];
}

gw_status gw_route_check(const struct gw_route *route, gw_err *err)
{
    if (!gw_route_name_is_valid(route->model, sizeof route->model)) {
        return gw_fail(err, GW_E_INVALID, "route: model '%.*s' is no name", (int)sizeof route->model, route->model);
    }
    if (!gw_route_name_is_valid(route->salt, sizeof route->salt)) {
        return gw_fail(err, GW_E_INVALID, "route of '%s': salt '%.*s' is no name", route->model,
                       (int)sizeof route->salt, route->salt);
    }
    if (route->target_count > GW_ROUTE_TARGETS_MAX || route->shadow_count > GW_ROUTE_SHADOWS_MAX) {
        return gw_fail(err, GW_E_INVALID, "route of '%s': %u targets and %u shadows, at most %d and %d", route->model,
                       route->target_count, route->shadow_count, GW_ROUTE_TARGETS_MAX, GW_ROUTE_SHADOWS_MAX);
    }
    uint32_t weight = 0;
    for (uint32_t i = 0; i < route->target_count + route->shadow_count; i++) {
        const struct gw_route_version *target = target_at(route, i);
        GW_TRY(check_target(route, target, i >= route->target_count, err));
        for (uint32_t j = 0; j < i; j++) {
            if (target_at(route, j)->version == target->version) {
                return gw_fail(err, GW_E_INVALID, "route of '%s': version %d twice", route->model, target->version);
            }
        }
        weight += target->weight;
    }
    if (route->target_count > 0 && weight != GW_ROUTE_BUCKETS) {
        return gw_fail(err, GW_E_INVALID, "route of '%s': weights add up to %u, must be %u", route->model, weight,
                       GW_ROUTE_BUCKETS);
    }
    return GW_OK;
}

uint32_t gw_route_bucket(const char *salt, int64_t user_id)
{
    uint64_t salted = gw_hash_fnv1a(GW_HASH_FNV_START, salt, strlen(salt));
    return (uint32_t)(gw_hash_mix(salted ^ (uint64_t)user_id) % GW_ROUTE_BUCKETS);
}

uint32_t gw_route_target_of_bucket(const struct gw_route *route, uint32_t bucket)
{
    GW_ASSERT(route->target_count > 0 && bucket < GW_ROUTE_BUCKETS);
    uint32_t end = 0;
    for (uint32_t i = 1; i < route->target_count; i++) {
        end += route->targets[i].weight;
        if (bucket < end) {
            return i;
        }
    }
    return 0;
}

int gw_route_find(const struct gw_route *route, int32_t version)
{
    for (uint32_t i = 0; i < route->target_count + route->shadow_count; i++) {
        if (target_at(route, i)->version == version) {
            return (int)i;
        }
    }
    return -1;
}
