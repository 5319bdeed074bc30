// SPDX-License-Identifier: MIT
// GET /metrics/performance/:modelId: live quality, measured or not yet.
//
// What was measured is at hand. Of a model of which nothing was, the registry is asked whether there is one: an answer
// without windows says that it exists, a name that nobody has is not found.
#include "api/models.h"
#include "base/mem.h"

enum { WINDOWS_DEFAULT = 12 };

static void write_count(struct gw_json_writer *writer, const char *key, double value)
{
    gw_json_write_key(writer, key);
    gw_json_write_double(writer, value);
}

static void write_measure(struct gw_json_writer *writer, const char *key, const struct gw_api_measure *measure)
{
    gw_json_write_key(writer, key);
    gw_json_object_begin(writer);
    write_count(writer, "value", measure->value);
    write_count(writer, "low", measure->low);
    write_count(writer, "high", measure->high);
    gw_json_object_end(writer);
}

static void write_window(struct gw_json_writer *writer, const struct gw_api_quality_window *window)
{
    gw_json_object_begin(writer);
    gw_json_write_key(writer, "version");
    gw_json_write_i64(writer, window->version);
    gw_json_write_key(writer, "variant");
    gw_json_write_text(writer, window->variant);
    gw_json_write_key(writer, "head");
    gw_json_write_text(writer, window->head);
    gw_api_write_time(writer, "start", window->start_ms);
    gw_api_write_time(writer, "end", window->end_ms);
    write_count(writer, "examples", window->examples);
    write_count(writer, "positives", window->positives);
    write_measure(writer, "logLoss", &window->log_loss);
    write_measure(writer, "normalisedEntropy", &window->normalised_entropy);
    write_count(writer, "rce", window->rce);
    write_measure(writer, "calibration", &window->calibration);
    write_measure(writer, "auc", &window->auc);
    write_count(writer, "maturity", window->maturity);
    gw_api_write_time(writer, "computedAt", window->computed_at_ms);
    gw_json_object_end(writer);
}

static void write_quality(struct gw_json_writer *writer, struct gw_slice model, const struct gw_api_quality *quality)
{
    gw_json_object_begin(writer);
    gw_json_write_key(writer, "metrics");
    gw_json_object_begin(writer);
    gw_json_write_key(writer, "modelId");
    gw_json_write_string(writer, model);
    gw_json_write_key(writer, "windows");
    gw_json_array_begin(writer);
    for (uint32_t i = 0; i < quality->count; i++) {
        write_window(writer, &quality->windows[i]);
    }
    gw_json_array_end(writer);
    gw_json_object_end(writer);
    gw_json_object_end(writer);
}

static gw_status do_know(struct gw_api_models_work *work)
{
    struct gw_registry_model model = {0};
    const struct gw_api_quality none = {0};
    GW_TRY(gw_api_models_look(work, &model));
    work->revision = 0; // of the model, not of what was measured
    write_quality(&work->writer, gw_slice_text(work->input->model), &none);
    return GW_OK;
}

static void reply_quality(struct gw_api_exchange *exchange, const struct gw_api_quality *quality)
{
    struct gw_buf text = {0};
    struct gw_json_writer writer;
    gw_json_writer_init(&writer, &text);
    write_quality(&writer, exchange->params[0], quality);
    gw_api_reply_json(exchange, 200, &writer);
    gw_buf_deinit(&text);
}

void gw_api_handle_performance(struct gw_api_exchange *exchange)
{
    const struct gw_api_ports *ports = &exchange->api->ports;
    const char *asked = gw_http_request_query(exchange->request, "windows");
    struct gw_api_quality quality = {0};
    int64_t windows = WINDOWS_DEFAULT;
    gw_err err = {0};
    if (asked != NULL && !gw_api_parse_count(asked, GW_API_QUALITY_WINDOWS_MAX, &windows)) {
        gw_api_reply_problem(exchange, GW_API_PROBLEM_BAD_REQUEST, NULL, "'windows' is not between 1 and 48");
        return;
    }
    gw_status status = ports->quality(ports->context, exchange->params[0], (uint32_t)windows, &quality, &err);
    if (status == GW_OK) {
        reply_quality(exchange, &quality);
        gw_mem_free(quality.windows);
        return;
    }
    if (status != GW_E_NOT_FOUND) {
        gw_api_reply_problem(exchange,
                             status == GW_E_UNAVAILABLE ? GW_API_PROBLEM_UNAVAILABLE : GW_API_PROBLEM_INTERNAL, NULL,
                             err.message);
        return;
    }
    struct gw_api_models_input *input = gw_api_models_input_new(exchange, true, do_know);
    if (input != NULL) {
        gw_api_models_submit(exchange, input);
    }
}
