// SPDX-License-Identifier: MIT
#include "worker/score_route.h"

#include "records/model_route.h"

#include <string.h>

static gw_status copy_text(struct gw_slice text, const char *what, char *to, size_t size, gw_err *err)
{
    if (text.size >= size || (text.size > 0 && memchr(text.data, '\0', text.size) != NULL)) {
        return gw_fail(err, GW_E_INVALID, "route: %s of %zu bytes, at most %zu and no NUL", what, text.size, size - 1);
    }
    if (text.size > 0) {
        memcpy(to, text.data, text.size);
    }
    to[text.size] = '\0';
    return GW_OK;
}

static gw_status copy_versions(const struct gw_route_target *from, uint32_t count, const char *what,
                               struct gw_route_version *to, uint32_t capacity, uint32_t *ret_count, gw_err *err)
{
    if (count > capacity) {
        return gw_fail(err, GW_E_INVALID, "route: %u %s, at most %u", count, what, capacity);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (from[i].weight < 0) {
            return gw_fail(err, GW_E_INVALID, "route: weight %d of %s %u", from[i].weight, what, i);
        }
        to[i].version = from[i].version;
        to[i].weight = (uint32_t)from[i].weight;
        GW_TRY(copy_text(from[i].variant, "variant", to[i].variant, sizeof to[i].variant, err));
        GW_TRY(copy_text(from[i].digest, "digest", to[i].digest, sizeof to[i].digest, err));
    }
    *ret_count = count;
    return GW_OK;
}

gw_status gw_score_route_read(struct gw_slice body, struct gw_arena *arena, struct gw_route *ret_route, gw_err *err)
{
    struct gw_model_route record;
    struct gw_route route = {0};
    GW_TRY(gw_model_route_decode(body, arena, &record, err));
    route.sequence = record.sequence;
    route.at_ms = record.at_ms;
    GW_TRY(copy_text(record.model_name, "model name", route.model, sizeof route.model, err));
    GW_TRY(copy_text(record.salt, "salt", route.salt, sizeof route.salt, err));
    GW_TRY(copy_versions(record.targets.items, record.targets.count, "targets", route.targets, GW_ROUTE_TARGETS_MAX,
                         &route.target_count, err));
    GW_TRY(copy_versions(record.shadows.items, record.shadows.count, "shadows", route.shadows, GW_ROUTE_SHADOWS_MAX,
                         &route.shadow_count, err));
    GW_TRY(gw_route_check(&route, err));
    *ret_route = route;
    return GW_OK;
}
