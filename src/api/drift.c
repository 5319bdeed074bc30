// SPDX-License-Identifier: MIT
// GET /drift: the alerts, which are at hand. GET /drift/:modelId: how the detectors of a version stand, which a port
// puts together; it may block, so a compute thread asks.
#include "api/drift.h"

#include "api/models.h"
#include "base/ini.h"
#include "base/mem.h"

enum { ALERTS_DEFAULT = 50 };

bool gw_api_parse_rate(const char *text, double *ret_rate_per_s)
{
    double rate = 0.0;
    if (gw_parse_double(text, &rate, NULL) != GW_OK || !(rate > 0.0 && rate <= GW_API_DRIFT_RATE_MAX)) {
        return false;
    }
    *ret_rate_per_s = rate;
    return true;
}

// ---------------------------------------------------------------- documents

static void write_text(struct gw_json_writer *writer, const char *key, const char *text)
{
    gw_json_write_key(writer, key);
    gw_json_write_text(writer, text);
}

static void write_i64(struct gw_json_writer *writer, const char *key, int64_t value)
{
    gw_json_write_key(writer, key);
    gw_json_write_i64(writer, value);
}

static void write_double(struct gw_json_writer *writer, const char *key, double value)
{
    gw_json_write_key(writer, key);
    gw_json_write_double(writer, value);
}

static void write_bool(struct gw_json_writer *writer, const char *key, bool value)
{
    gw_json_write_key(writer, key);
    gw_json_write_bool(writer, value);
}

static void write_promise(struct gw_json_writer *writer, const struct gw_api_promise *promise)
{
    gw_json_write_key(writer, "promise");
    gw_json_object_begin(writer);
    write_double(writer, "falseAlarmDays", promise->false_alarm_days);
    write_double(writer, "smallestShift10s", promise->smallest_shift_10s);
    write_double(writer, "smallestShift5min", promise->smallest_shift_5min);
    gw_json_object_end(writer);
}

const char *gw_api_alert_state(const struct gw_api_alert *alert)
{
    return alert->open ? "open" : alert->stale ? "stale" : "closed";
}

void gw_api_write_alert(struct gw_json_writer *writer, const struct gw_api_alert *alert)
{
    gw_json_object_begin(writer);
    write_text(writer, "id", alert->id);
    write_text(writer, "model", alert->model);
    write_i64(writer, "version", alert->version);
    write_text(writer, "state", gw_api_alert_state(alert));
    write_text(writer, "kind", alert->kind);
    write_text(writer, "stream", alert->stream);
    write_text(writer, "severity", alert->severity);
    write_double(writer, "evidence", alert->evidence);
    write_double(writer, "threshold", alert->threshold);
    write_double(writer, "effectSigma", alert->effect_sigma);
    write_double(writer, "harm", alert->harm);
    write_double(writer, "psi", alert->psi);
    write_double(writer, "psiByChance", alert->psi_by_chance);
    write_double(writer, "jensenShannon", alert->jensen_shannon);
    write_double(writer, "jensenShannonByChance", alert->jensen_shannon_by_chance);
    write_double(writer, "share", alert->share);
    write_double(writer, "referenceShare", alert->reference_share);
    write_double(writer, "ratePerS", alert->rate_per_s);
    write_promise(writer, &alert->promise);
    write_i64(writer, "samples", alert->samples);
    gw_api_write_time(writer, "since", alert->from_ms);
    gw_api_write_time(writer, "at", alert->at_ms);
    gw_json_object_end(writer);
}

static void write_list(struct gw_json_writer *writer, const struct gw_api_alerts *alerts)
{
    gw_json_write_key(writer, "alerts");
    gw_json_array_begin(writer);
    for (uint32_t i = 0; i < alerts->count; i++) {
        gw_api_write_alert(writer, &alerts->alerts[i]);
    }
    gw_json_array_end(writer);
    write_bool(writer, "caughtUp", alerts->caught_up);
}

void gw_api_write_alerts(struct gw_json_writer *writer, const struct gw_api_alerts *alerts)
{
    gw_json_object_begin(writer);
    write_list(writer, alerts);
    gw_json_object_end(writer);
}

static void write_stream(struct gw_json_writer *writer, const struct gw_api_drift_stream *stream)
{
    gw_json_object_begin(writer);
    write_text(writer, "name", stream->stream);
    write_text(writer, "kind", stream->kind);
    write_text(writer, "state", stream->state);
    write_double(writer, "evidence", stream->evidence);
    write_double(writer, "threshold", stream->threshold);
    write_double(writer, "effectSigma", stream->effect_sigma);
    write_double(writer, "psi", stream->psi);
    write_double(writer, "missingShare", stream->missing_share);
    write_i64(writer, "windowCount", (int64_t)stream->window_count);
    write_double(writer, "ratePerS", stream->rate_per_s);
    write_promise(writer, &stream->promise);
    gw_json_object_end(writer);
}

void gw_api_write_drift(struct gw_json_writer *writer, const struct gw_api_drift *drift,
                        const struct gw_api_alerts *alerts)
{
    gw_json_object_begin(writer);
    write_text(writer, "model", drift->model);
    write_i64(writer, "version", drift->version);
    write_bool(writer, "hasReference", drift->has_reference);
    gw_json_write_key(writer, "why");
    if (drift->has_reference) {
        gw_json_write_null(writer);
    } else {
        gw_json_write_text(writer, drift->why);
    }
    write_i64(writer, "sampleCount", (int64_t)drift->sample_count);
    gw_json_write_key(writer, "streams");
    gw_json_array_begin(writer);
    for (uint32_t i = 0; i < drift->stream_count; i++) {
        write_stream(writer, &drift->streams[i]);
    }
    gw_json_array_end(writer);
    if (alerts != NULL) {
        write_list(writer, alerts);
    }
    gw_json_object_end(writer);
}

// ---------------------------------------------------------------- GET /drift

// False: answered.
static bool take_alerts_ask(struct gw_api_exchange *exchange, struct gw_api_alerts_ask *ret_ask)
{
    const char *model = gw_http_request_query(exchange->request, "model");
    const char *state = gw_http_request_query(exchange->request, "state");
    const char *limit = gw_http_request_query(exchange->request, "limit");
    int64_t count = ALERTS_DEFAULT;
    const char *detail = NULL;
    if (model != NULL && !gw_route_name_is_valid(model, GW_ROUTE_NAME_BYTES)) {
        detail = "'model' is no model's name";
    } else if (state != NULL && strcmp(state, "open") != 0) {
        detail = "'state' takes 'open'";
    } else if (limit != NULL && !gw_api_parse_count(limit, GW_API_ALERTS_MAX, &count)) {
        detail = "'limit' is not between 1 and 500";
    }
    if (detail != NULL) {
        gw_api_reply_problem(exchange, GW_API_PROBLEM_BAD_REQUEST, NULL, detail);
        return false;
    }
    *ret_ask = (struct gw_api_alerts_ask){
        .model = gw_slice_text(model != NULL ? model : ""), .open_only = state != NULL, .limit = (uint32_t)count};
    return true;
}

void gw_api_handle_drift(struct gw_api_exchange *exchange)
{
    const struct gw_api_ports *ports = &exchange->api->ports;
    struct gw_api_alerts_ask ask;
    struct gw_api_alerts alerts = {0};
    gw_err err = {0};
    if (ports->alerts == NULL) {
        gw_api_reply_problem(exchange, GW_API_PROBLEM_UNAVAILABLE, NULL, "this service does not follow drift");
        return;
    }
    if (!take_alerts_ask(exchange, &ask)) {
        return;
    }
    if (ports->alerts(ports->context, &ask, &alerts, &err) != GW_OK) {
        gw_api_reply_problem(exchange, GW_API_PROBLEM_INTERNAL, NULL, err.message);
        return;
    }
    struct gw_buf text = {0};
    struct gw_json_writer writer;
    gw_json_writer_init(&writer, &text);
    gw_api_write_alerts(&writer, &alerts);
    gw_api_reply_json(exchange, 200, &writer);
    gw_buf_deinit(&text);
    gw_mem_free(alerts.alerts);
}

// ---------------------------------------------------------------- GET /drift/:modelId

static gw_status do_drift(struct gw_api_models_work *work)
{
    const struct gw_api_ports *ports = &work->call->exchange.api->ports;
    const struct gw_api_models_input *input = work->input;
    const struct gw_api_drift_ask ask = {
        .model = input->model, .version = input->version, .rate_per_s = input->rate_per_s};
    const struct gw_api_alerts_ask of_model = {.model = gw_slice_text(input->model), .limit = ALERTS_DEFAULT};
    struct gw_api_drift drift = {0};
    struct gw_api_alerts alerts = {0};
    gw_status status = ports->drift(ports->context, &ask, &drift, &work->err);
    if (status == GW_E_EXHAUSTED) {
        return gw_api_models_problem(work, GW_API_PROBLEM_OVERLOADED, "", work->err.message);
    }
    if (status == GW_E_BEHIND || status == GW_E_MALFORMED) { // what is stored, not what was sent
        return gw_api_models_problem(work, GW_API_PROBLEM_UNAVAILABLE, "", work->err.message);
    }
    GW_TRY(status);
    status = ports->alerts(ports->context, &of_model, &alerts, &work->err);
    if (status == GW_OK) {
        gw_api_write_drift(&work->writer, &drift, &alerts);
    }
    gw_mem_free(alerts.alerts);
    gw_mem_free(drift.streams);
    return status;
}

void gw_api_handle_drift_model(struct gw_api_exchange *exchange)
{
    const struct gw_api_ports *ports = &exchange->api->ports;
    const char *version = gw_http_request_query(exchange->request, "version");
    const char *rate = gw_http_request_query(exchange->request, "rate");
    int64_t number = 0;
    if (ports->drift == NULL || ports->alerts == NULL) {
        gw_api_reply_problem(exchange, GW_API_PROBLEM_UNAVAILABLE, NULL, "this service does not follow drift");
        return;
    }
    struct gw_api_models_input *input = gw_api_models_input_new(exchange, true, do_drift);
    if (input == NULL) {
        return;
    }
    if (version != NULL && !gw_api_parse_count(version, INT32_MAX, &number)) {
        gw_api_models_refuse(exchange, input, "'version' is no number from 1; without it the champion is meant");
        return;
    }
    if (rate != NULL && !gw_api_parse_rate(rate, &input->rate_per_s)) {
        gw_api_models_refuse(exchange, input, "'rate' is no number of samples a second over 0, at most 1e9");
        return;
    }
    input->version = (int32_t)number;
    gw_api_models_submit(exchange, input);
}
