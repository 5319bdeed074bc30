// SPDX-License-Identifier: MIT
// POST /features/.../compute: reads a stored row and shows its values. Reading may wait for Redis, so a compute thread
// does it.
#include "api/exchange.h"
#include "base/check.h"
#include "base/mem.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static void write_row(struct gw_json_writer *writer, const struct gw_api_call *call,
                      const struct gw_api_feature_row *row)
{
    char layout[20];
    snprintf(layout, sizeof layout, "%016" PRIx64, row->layout);
    gw_json_object_begin(writer);
    gw_json_write_key(writer, call->entity == GW_API_USER ? "userId" : "tweetId");
    gw_json_write_id(writer, call->id);
    gw_json_write_key(writer, "features");
    gw_json_array_begin(writer);
    for (uint32_t i = 0; i < row->value_count; i++) {
        const struct gw_feature_value *value = &row->values[i];
        gw_json_object_begin(writer);
        gw_json_write_key(writer, "name");
        gw_json_write_text(writer, value->name);
        gw_json_write_key(writer, "value");
        gw_json_write_double(writer, value->value);
        gw_json_write_key(writer, "ageSeconds");
        gw_json_write_double(writer, value->age_us >= 0 ? (double)value->age_us / 1e6 : (double)NAN);
        gw_json_write_key(writer, "source");
        gw_json_write_text(writer, value->source);
        gw_json_object_end(writer);
    }
    gw_json_array_end(writer);
    gw_json_write_key(writer, "row");
    gw_json_object_begin(writer);
    gw_api_write_time(writer, "eventTime", row->event_time_us / 1000);
    gw_json_write_key(writer, "sourcePartition");
    gw_json_write_i64(writer, row->source_partition);
    gw_json_write_key(writer, "sourceOffset");
    gw_json_write_i64(writer, row->source_offset);
    gw_json_write_key(writer, "layout");
    gw_json_write_text(writer, layout);
    gw_json_object_end(writer);
    gw_json_object_end(writer);
}

static void compute_row(struct gw_api_compute *compute, struct gw_api_call *call)
{
    struct gw_api *api = compute->api;
    gw_err err = {0};
    if (compute->row == NULL) {
        compute->row = gw_mem_calloc(1, sizeof *compute->row);
    }
    struct gw_api_feature_row *row = compute->row;
    if (row == NULL) {
        gw_api_reply_problem(&call->exchange, GW_API_PROBLEM_INTERNAL, NULL, "no memory for the row");
        return;
    }
    *row = (struct gw_api_feature_row){0};
    gw_status status = api->ports.features(api->ports.context, call->entity, call->id, row, &err);
    if (status != GW_OK) {
        enum gw_api_problem_kind kind = status == GW_E_NOT_FOUND                    ? GW_API_PROBLEM_UNKNOWN_ENTITY
                                        : gw_status_class(status) == GW_CLASS_RETRY ? GW_API_PROBLEM_UNAVAILABLE
                                                                                    : GW_API_PROBLEM_INTERNAL;
        gw_api_reply_problem(&call->exchange, kind, NULL, err.message);
        return;
    }
    GW_ASSERT(row->value_count <= GW_API_FEATURES_MAX);
    struct gw_buf text = {0};
    struct gw_json_writer writer;
    gw_json_writer_init(&writer, &text);
    write_row(&writer, call, row);
    gw_api_reply_json(&call->exchange, 200, &writer);
    gw_buf_deinit(&text);
}

// The endpoints take no parameters: no body, or an empty object.
static bool body_is_empty(struct gw_slice body)
{
    struct gw_json json;
    bool more = true;
    if (body.size == 0) {
        return true;
    }
    gw_json_init(&json, body);
    return gw_json_enter(&json, GW_JSON_OBJECT, NULL) == GW_OK && gw_json_next(&json, &more, NULL) == GW_OK && !more &&
           gw_json_end(&json, NULL) == GW_OK;
}

static void queue_compute(struct gw_api_exchange *exchange, enum gw_api_entity entity)
{
    int64_t id = 0;
    if (!gw_api_parse_id(exchange->params[0], &id)) {
        gw_api_reply_problem(exchange, GW_API_PROBLEM_BAD_REQUEST, NULL,
                             "the id in the path is no decimal 64-bit integer");
        return;
    }
    if (!body_is_empty(gw_http_request_body(exchange->request))) {
        gw_api_reply_problem(exchange, GW_API_PROBLEM_BAD_REQUEST, NULL, "this takes no body, or {}");
        return;
    }
    struct gw_api_call *call = gw_api_call_new(exchange);
    if (call == NULL) {
        gw_api_reply_problem(exchange, GW_API_PROBLEM_INTERNAL, NULL, "no memory for the request");
        return;
    }
    call->entity = entity;
    call->id = id;
    gw_api_compute_submit(call, compute_row, "too many feature reads are waiting");
}

void gw_api_handle_compute_user(struct gw_api_exchange *exchange)
{
    queue_compute(exchange, GW_API_USER);
}

void gw_api_handle_compute_tweet(struct gw_api_exchange *exchange)
{
    queue_compute(exchange, GW_API_TWEET);
}
