// SPDX-License-Identifier: MIT
// A route as it stands in registry_events.route: exact, so weights in buckets and times in milliseconds.
#include "registry/documents.h"

#include <stdio.h>

static void write_versions(struct gw_json_writer *writer, const char *key, const struct gw_route_version *versions,
                           uint32_t count)
{
    gw_json_write_key(writer, key);
    gw_json_array_begin(writer);
    for (uint32_t i = 0; i < count; i++) {
        gw_json_object_begin(writer);
        gw_json_write_key(writer, "version");
        gw_json_write_i64(writer, versions[i].version);
        gw_json_write_key(writer, "variant");
        gw_json_write_text(writer, versions[i].variant);
        gw_json_write_key(writer, "weight");
        gw_json_write_u64(writer, versions[i].weight);
        gw_json_write_key(writer, "digest");
        gw_json_write_text(writer, versions[i].digest);
        gw_json_object_end(writer);
    }
    gw_json_array_end(writer);
}

void gw_registry_write_route(struct gw_json_writer *writer, const struct gw_route *route)
{
    gw_json_object_begin(writer);
    gw_json_write_key(writer, "model");
    gw_json_write_text(writer, route->model);
    gw_json_write_key(writer, "sequence");
    gw_json_write_i64(writer, route->sequence);
    gw_json_write_key(writer, "salt");
    gw_json_write_text(writer, route->salt);
    write_versions(writer, "targets", route->targets, route->target_count);
    write_versions(writer, "shadows", route->shadows, route->shadow_count);
    gw_json_write_key(writer, "atMs");
    gw_json_write_i64(writer, route->at_ms);
    gw_json_object_end(writer);
}

// Names need no escapes (gw_route_check), so one that has any is refused there by its backslash.
static gw_status read_name(struct gw_json *json, const char *key, char *to, size_t size, gw_err *err)
{
    struct gw_slice raw = {0};
    enum gw_json_kind kind = GW_JSON_NULL;
    GW_TRY(gw_json_peek(json, &kind, err));
    if (kind != GW_JSON_STRING) {
        return gw_fail(err, GW_E_INVALID, "route: '%s' is no string", key);
    }
    GW_TRY(gw_json_raw(json, &raw, err));
    if (raw.size >= size) {
        return gw_fail(err, GW_E_INVALID, "route: '%s' of %zu bytes, at most %zu", key, raw.size, size - 1);
    }
    memcpy(to, raw.data, raw.size);
    to[raw.size] = '\0';
    return GW_OK;
}

static gw_status read_number(struct gw_json *json, const char *key, int64_t min, int64_t max, int64_t *ret_value,
                             gw_err *err)
{
    int64_t value = 0;
    GW_TRY(gw_json_i64(json, &value, err));
    if (value < min || value > max) {
        return gw_fail(err, GW_E_INVALID, "route: '%s' is %lld", key, (long long)value);
    }
    *ret_value = value;
    return GW_OK;
}

static gw_status read_version(struct gw_json *json, struct gw_route_version *version, gw_err *err)
{
    GW_TRY(gw_json_enter(json, GW_JSON_OBJECT, err));
    for (bool more = true;;) {
        struct gw_slice key = {0};
        int64_t number = 0;
        GW_TRY(gw_json_next(json, &more, err));
        if (!more) {
            return GW_OK;
        }
        GW_TRY(gw_json_key(json, &key, err));
        if (gw_slice_is(key, "version")) {
            GW_TRY(read_number(json, "version", 1, INT32_MAX, &number, err));
            version->version = (int32_t)number;
        } else if (gw_slice_is(key, "weight")) {
            GW_TRY(read_number(json, "weight", 0, GW_ROUTE_BUCKETS, &number, err));
            version->weight = (uint32_t)number;
        } else if (gw_slice_is(key, "variant")) {
            GW_TRY(read_name(json, "variant", version->variant, sizeof version->variant, err));
        } else if (gw_slice_is(key, "digest")) {
            GW_TRY(read_name(json, "digest", version->digest, sizeof version->digest, err));
        } else {
            GW_TRY(gw_json_skip(json, err));
        }
    }
}

static gw_status read_versions(struct gw_json *json, const char *key, struct gw_route_version *versions, uint32_t max,
                               uint32_t *ret_count, gw_err *err)
{
    GW_TRY(gw_json_enter(json, GW_JSON_ARRAY, err));
    uint32_t count = 0;
    for (bool more = true;; count++) {
        GW_TRY(gw_json_next(json, &more, err));
        if (!more) {
            *ret_count = count;
            return GW_OK;
        }
        if (count == max) {
            return gw_fail(err, GW_E_INVALID, "route: more than %u '%s'", max, key);
        }
        versions[count] = (struct gw_route_version){0};
        GW_TRY(read_version(json, &versions[count], err));
    }
}

static gw_status read_field(struct gw_json *json, struct gw_slice key, struct gw_route *route, gw_err *err)
{
    if (gw_slice_is(key, "model")) {
        return read_name(json, "model", route->model, sizeof route->model, err);
    }
    if (gw_slice_is(key, "sequence")) {
        return read_number(json, "sequence", 0, INT64_MAX, &route->sequence, err);
    }
    if (gw_slice_is(key, "salt")) {
        return read_name(json, "salt", route->salt, sizeof route->salt, err);
    }
    if (gw_slice_is(key, "targets")) {
        return read_versions(json, "targets", route->targets, GW_ROUTE_TARGETS_MAX, &route->target_count, err);
    }
    if (gw_slice_is(key, "shadows")) {
        return read_versions(json, "shadows", route->shadows, GW_ROUTE_SHADOWS_MAX, &route->shadow_count, err);
    }
    if (gw_slice_is(key, "atMs")) {
        return read_number(json, "atMs", INT64_MIN, INT64_MAX, &route->at_ms, err);
    }
    return gw_json_skip(json, err);
}

gw_status gw_registry_parse_route(struct gw_slice text, struct gw_route *ret_route, gw_err *err)
{
    struct gw_route route = {0};
    struct gw_json json;
    gw_json_init(&json, text);
    GW_TRY(gw_json_enter(&json, GW_JSON_OBJECT, err));
    for (bool more = true;;) {
        struct gw_slice key = {0};
        GW_TRY(gw_json_next(&json, &more, err));
        if (!more) {
            break;
        }
        GW_TRY(gw_json_key(&json, &key, err));
        GW_TRY(read_field(&json, key, &route, err));
    }
    GW_TRY(gw_json_end(&json, err));
    GW_TRY(gw_route_check(&route, err));
    *ret_route = route;
    return GW_OK;
}
