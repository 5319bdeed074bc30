// SPDX-License-Identifier: MIT
// GET /models and /models/production.
#include "api/exchange.h"

static void write_heads(struct gw_json_writer *writer, const struct gw_bundle_info *info)
{
    gw_json_write_key(writer, "heads");
    gw_json_array_begin(writer);
    for (size_t i = 0; i < info->head_count; i++) {
        const struct gw_bundle_head *head = &info->heads[i];
        gw_json_object_begin(writer);
        gw_json_write_key(writer, "name");
        gw_json_write_text(writer, head->name);
        gw_json_write_key(writer, "weight");
        gw_json_write_double(writer, head->weight);
        gw_json_write_key(writer, "primary");
        gw_json_write_bool(writer, i == info->primary_head);
        gw_json_write_key(writer, "trees");
        gw_json_write_i64(writer, head->tree_count);
        gw_json_write_key(writer, "depth");
        gw_json_write_i64(writer, head->depth_max);
        gw_json_write_key(writer, "objective");
        gw_json_write_text(writer, head->objective != NULL ? head->objective : "");
        gw_json_object_end(writer);
    }
    gw_json_array_end(writer);
}

// The trainer wrote the metadata; what is no JSON must not break the document around it.
static void write_metadata(struct gw_json_writer *writer, const char *metadata)
{
    struct gw_slice text = gw_slice_text(metadata != NULL ? metadata : "{}");
    struct gw_json json;
    gw_json_init(&json, text);
    bool valid = gw_json_skip(&json, NULL) == GW_OK && gw_json_end(&json, NULL) == GW_OK;
    gw_json_write_key(writer, "metadata");
    if (valid) {
        gw_json_write_raw(writer, text);
    } else {
        gw_json_write_null(writer);
    }
}

void gw_api_write_model(struct gw_json_writer *writer, const struct gw_api_model *model, bool with_features)
{
    const struct gw_bundle_info *info = model->info;
    gw_json_object_begin(writer);
    gw_json_write_key(writer, "name");
    gw_json_write_text(writer, info->model_name);
    gw_json_write_key(writer, "version");
    gw_json_write_i64(writer, info->version);
    gw_json_write_key(writer, "state");
    gw_json_write_text(writer, model->state);
    gw_json_write_key(writer, "production");
    gw_json_write_bool(writer, model->production);
    gw_json_write_key(writer, "digest");
    gw_json_write_text(writer, info->digest);
    gw_api_write_time(writer, "loadedAt", model->loaded_ms);
    gw_json_write_key(writer, "featureCount");
    gw_json_write_i64(writer, (int64_t)info->feature_count);
    gw_json_write_key(writer, "goldenRows");
    gw_json_write_i64(writer, (int64_t)info->golden_row_count);
    write_heads(writer, info);
    if (with_features) {
        gw_json_write_key(writer, "features");
        gw_json_array_begin(writer);
        for (size_t i = 0; i < info->feature_count; i++) {
            gw_json_write_text(writer, info->feature_names[i]);
        }
        gw_json_array_end(writer);
        write_metadata(writer, info->metadata_json);
    }
    gw_json_object_end(writer);
}

static void write_summary(void *sink, const struct gw_api_model *model)
{
    gw_api_write_model(sink, model, false);
}

void gw_api_handle_models(struct gw_api_exchange *exchange)
{
    struct gw_buf text = {0};
    struct gw_json_writer writer;
    gw_json_writer_init(&writer, &text);
    gw_json_object_begin(&writer);
    gw_json_write_key(&writer, "models");
    gw_json_array_begin(&writer);
    exchange->api->ports.models(exchange->api->ports.context, write_summary, &writer);
    gw_json_array_end(&writer);
    gw_json_object_end(&writer);
    gw_api_reply_json(exchange, 200, &writer);
    gw_buf_deinit(&text);
}

// Writes the first model in production.
struct production {
    struct gw_json_writer writer;
    bool found;
};

static void write_production(void *sink, const struct gw_api_model *model)
{
    struct production *production = sink;
    if (model->production && !production->found) {
        production->found = true;
        gw_api_write_model(&production->writer, model, true);
    }
}

void gw_api_handle_models_production(struct gw_api_exchange *exchange)
{
    struct gw_buf text = {0};
    struct production production = {0};
    gw_json_writer_init(&production.writer, &text);
    exchange->api->ports.models(exchange->api->ports.context, write_production, &production);
    if (production.found) {
        gw_api_reply_json(exchange, 200, &production.writer);
    } else {
        gw_api_reply_problem(exchange, GW_API_PROBLEM_MODEL_NOT_FOUND, NULL, "no model is in production");
    }
    gw_buf_deinit(&text);
}
