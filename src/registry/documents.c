// SPDX-License-Identifier: MIT
#include "registry/documents.h"

#include "base/rfc3339.h"

// ---- fields

static void write_text(struct gw_json_writer *writer, const char *key, const char *text)
{
    gw_json_write_key(writer, key);
    gw_json_write_text(writer, text);
}

// "" is nothing.
static void write_optional_text(struct gw_json_writer *writer, const char *key, const char *text)
{
    gw_json_write_key(writer, key);
    if (text[0] != '\0') {
        gw_json_write_text(writer, text);
    } else {
        gw_json_write_null(writer);
    }
}

static void write_number(struct gw_json_writer *writer, const char *key, int64_t value)
{
    gw_json_write_key(writer, key);
    gw_json_write_i64(writer, value);
}

// Version 0 is none.
static void write_version(struct gw_json_writer *writer, const char *key, int32_t version)
{
    gw_json_write_key(writer, key);
    if (version > 0) {
        gw_json_write_i64(writer, version);
    } else {
        gw_json_write_null(writer);
    }
}

static void write_flag(struct gw_json_writer *writer, const char *key, bool value)
{
    gw_json_write_key(writer, key);
    gw_json_write_bool(writer, value);
}

static void write_share(struct gw_json_writer *writer, const char *key, uint32_t weight)
{
    gw_json_write_key(writer, key);
    gw_json_write_double(writer, weight / (double)GW_ROUTE_BUCKETS);
}

static void write_time(struct gw_json_writer *writer, const char *key, int64_t time_ms)
{
    char text[GW_RFC3339_BYTES];
    gw_json_write_key(writer, key);
    if (gw_rfc3339_format(time_ms, text)) {
        gw_json_write_text(writer, text);
    } else {
        gw_json_write_null(writer);
    }
}

static void write_raw(struct gw_json_writer *writer, const char *key, const char *json)
{
    gw_json_write_key(writer, key);
    gw_json_write_raw(writer, gw_slice_text(json));
}

// ---- documents

void gw_registry_write_model(struct gw_json_writer *writer, const struct gw_registry_model *model)
{
    gw_json_object_begin(writer);
    write_text(writer, "name", model->name);
    write_text(writer, "description", model->description);
    write_number(writer, "revision", model->revision);
    write_version(writer, "champion", model->champion);
    write_version(writer, "lastVersion", model->last_version);
    write_time(writer, "createdAt", model->created_ms);
    gw_json_object_end(writer);
}

void gw_registry_write_version(struct gw_json_writer *writer, const struct gw_registry_version *version, bool whole)
{
    gw_json_object_begin(writer);
    write_text(writer, "model", version->model);
    write_number(writer, "version", version->version);
    write_text(writer, "state", gw_rollout_state_name(version->state));
    write_text(writer, "digest", version->digest);
    write_flag(writer, "archived", version->archived);
    write_optional_text(writer, "variant", version->variant);
    write_share(writer, "weight", version->weight);
    write_version(writer, "parentVersion", version->parent_version);
    write_text(writer, "description", version->description);
    write_raw(writer, "tags", version->tags_json);
    write_time(writer, "createdAt", version->created_ms);
    write_text(writer, "createdBy", version->created_by);
    if (version->champion_since_ms != 0) {
        write_time(writer, "championSince", version->champion_since_ms);
    }
    if (version->rejected_because[0] != '\0') {
        write_text(writer, "rejectedBecause", version->rejected_because);
    }
    if (whole) {
        write_raw(writer, "signature", version->signature_json);
        write_raw(writer, "metrics", version->metrics_json);
        write_raw(writer, "lineage", version->lineage_json);
    }
    gw_json_object_end(writer);
}

// As people read it: weights as shares, time as text. A stored route is gw_registry_write_route's.
static void write_route_document(struct gw_json_writer *writer, const struct gw_route *route)
{
    gw_json_object_begin(writer);
    gw_json_write_key(writer, "targets");
    gw_json_array_begin(writer);
    for (uint32_t i = 0; i < route->target_count; i++) {
        gw_json_object_begin(writer);
        write_number(writer, "version", route->targets[i].version);
        write_text(writer, "variant", route->targets[i].variant);
        write_share(writer, "weight", route->targets[i].weight);
        write_text(writer, "digest", route->targets[i].digest);
        gw_json_object_end(writer);
    }
    gw_json_array_end(writer);
    gw_json_write_key(writer, "shadows");
    gw_json_array_begin(writer);
    for (uint32_t i = 0; i < route->shadow_count; i++) {
        gw_json_object_begin(writer);
        write_number(writer, "version", route->shadows[i].version);
        write_text(writer, "variant", route->shadows[i].variant);
        write_text(writer, "digest", route->shadows[i].digest);
        gw_json_object_end(writer);
    }
    gw_json_array_end(writer);
    gw_json_object_end(writer);
}

void gw_registry_write_event(struct gw_json_writer *writer, const struct gw_registry_event *event)
{
    gw_json_object_begin(writer);
    write_number(writer, "sequence", event->sequence);
    write_text(writer, "model", event->model);
    write_version(writer, "version", event->version);
    write_text(writer, "transition", event->transition);
    write_optional_text(writer, "fromState", event->from_state);
    write_optional_text(writer, "toState", event->to_state);
    write_optional_text(writer, "digest", event->digest);
    write_version(writer, "parentVersion", event->parent_version);
    write_text(writer, "actor", event->actor);
    write_text(writer, "reason", event->reason);
    write_time(writer, "at", event->at_ms);
    gw_json_write_key(writer, "route");
    if (event->route != NULL) {
        write_route_document(writer, event->route);
    } else {
        gw_json_write_null(writer);
    }
    gw_json_object_end(writer);
}

void gw_registry_write_outcome(struct gw_json_writer *writer, const char *model,
                               const struct gw_registry_outcome *outcome)
{
    gw_json_object_begin(writer);
    write_text(writer, "model", model);
    write_version(writer, "version", outcome->version);
    write_version(writer, "previousVersion", outcome->previous_version);
    write_number(writer, "sequence", outcome->sequence);
    write_number(writer, "revision", outcome->revision);
    write_flag(writer, "repeated", outcome->repeated);
    gw_json_object_end(writer);
}
