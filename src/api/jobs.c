// SPDX-License-Identifier: MIT
// Trainings as jobs: POST /retrain asks for one, /jobs shows what became of it. A job is a run of the registry; asking
// goes through a port, because it is a record on a topic.
#include "api/models.h"
#include "registry/runs.h"

#include <stdio.h>

#define NOT_YET "no such job; one that was just asked for appears when the retrain worker has read it"

// ---------------------------------------------------------------- GET /jobs

static gw_status do_jobs(struct gw_api_models_work *work)
{
    const struct gw_run *runs = NULL;
    size_t count = 0;
    const char *model = work->input->model[0] != '\0' ? work->input->model : NULL;
    GW_TRY(gw_runs_list(work->registry, model, (size_t)work->input->limit, &work->arena, &runs, &count, &work->err));
    gw_json_object_begin(&work->writer);
    gw_json_write_key(&work->writer, "jobs");
    gw_json_array_begin(&work->writer);
    for (size_t i = 0; i < count; i++) {
        gw_run_write(&work->writer, &runs[i], false, NULL, 0);
    }
    gw_json_array_end(&work->writer);
    gw_json_object_end(&work->writer);
    return GW_OK;
}

void gw_api_handle_jobs(struct gw_api_exchange *exchange)
{
    enum { LIMIT = 50, LIMIT_MAX = 500 };
    struct gw_api_models_input *input = gw_api_models_input_new(exchange, false, do_jobs);
    const char *limit = gw_http_request_query(exchange->request, "limit");
    const char *model = gw_http_request_query(exchange->request, "model");
    if (input == NULL) {
        return;
    }
    input->limit = LIMIT;
    if (limit != NULL && !gw_api_parse_count(limit, LIMIT_MAX, &input->limit)) {
        gw_api_models_refuse(exchange, input, "'limit' is not between 1 and 500");
        return;
    }
    if (model != NULL && !gw_route_name_is_valid(model, sizeof input->model)) {
        gw_api_models_refuse(exchange, input, "'model' is no model's name");
        return;
    }
    snprintf(input->model, sizeof input->model, "%s", model != NULL ? model : "");
    gw_api_models_submit(exchange, input);
}

// ---------------------------------------------------------------- GET /jobs/:id

static gw_status write_job(struct gw_api_models_work *work)
{
    struct gw_run run;
    const struct gw_run_point *points = NULL;
    size_t count = 0;
    gw_status status = gw_runs_get(work->registry, work->input->job, &work->arena, &run, &work->err);
    if (status == GW_E_NOT_FOUND) {
        return gw_api_models_problem(work, GW_API_PROBLEM_NOT_FOUND, "", NOT_YET);
    }
    GW_TRY(status);
    GW_TRY(gw_runs_curve(work->registry, run.id, &work->arena, &points, &count, &work->err));
    gw_run_write(&work->writer, &run, true, points, count);
    return GW_OK;
}

static void handle_job(struct gw_api_exchange *exchange, gw_api_models_do act, bool changes)
{
    struct gw_api_models_input *input = gw_api_models_input_new(exchange, false, act);
    struct gw_slice id = exchange->params[0];
    if (input == NULL || (changes && !gw_api_models_take_change(exchange, input))) {
        return;
    }
    if (id.size >= sizeof input->job || memchr(id.data, '\0', id.size) != NULL) {
        gw_api_models_input_free(input);
        gw_api_reply_problem(exchange, GW_API_PROBLEM_NOT_FOUND, NULL, NOT_YET);
        return;
    }
    memcpy(input->job, id.data, id.size);
    gw_api_models_submit(exchange, input);
}

void gw_api_handle_job(struct gw_api_exchange *exchange)
{
    handle_job(exchange, write_job, false);
}

// ---------------------------------------------------------------- POST /jobs/:id/cancel

static gw_status do_cancel(struct gw_api_models_work *work)
{
    struct gw_api_change_body body;
    struct gw_slice text = gw_http_request_body(work->call->exchange.request);
    gw_status status = gw_api_change_body_parse(text, GW_API_CHANGE_PLAIN, &body, &work->refusal);
    work->refused = status != GW_OK;
    GW_TRY(status);
    const char *actor = body.actor[0] != '\0' ? body.actor : work->input->actor;
    status = gw_runs_cancel(work->registry, work->input->job, actor, &work->err);
    if (status == GW_E_NOT_FOUND) {
        return gw_api_models_problem(work, GW_API_PROBLEM_NOT_FOUND, "", NOT_YET);
    }
    GW_TRY(status);
    work->status = 202;
    return write_job(work);
}

void gw_api_handle_job_cancel(struct gw_api_exchange *exchange)
{
    handle_job(exchange, do_cancel, true);
}

// ---------------------------------------------------------------- POST /retrain

static gw_status do_retrain(struct gw_api_models_work *work)
{
    const struct gw_api_ports *ports = &work->call->exchange.api->ports;
    struct gw_api_change_body body;
    struct gw_registry_model model;
    struct gw_slice text = gw_http_request_body(work->call->exchange.request);
    gw_status status = gw_api_change_body_parse(text, GW_API_CHANGE_RETRAIN, &body, &work->refusal);
    work->refused = status != GW_OK;
    GW_TRY(status);
    if (!gw_route_name_is_valid(body.name, sizeof body.name)) {
        return gw_api_models_problem(work, GW_API_PROBLEM_INVALID_REQUEST, "/model", "no model can have this name");
    }
    GW_TRY(gw_registry_get_model(work->registry, body.name, &work->arena, &model, &work->err));
    const char *actor = body.actor[0] != '\0' ? body.actor : work->input->actor;
    GW_TRY(ports->retrain(ports->context, body.name, body.reason, actor, work->input->job, sizeof work->input->job,
                          &work->err));
    snprintf(work->location, sizeof work->location, "/jobs/%s", work->input->job);
    work->status = 202;
    gw_json_object_begin(&work->writer);
    gw_json_write_key(&work->writer, "id");
    gw_json_write_text(&work->writer, work->input->job);
    gw_json_write_key(&work->writer, "model");
    gw_json_write_text(&work->writer, body.name);
    gw_json_object_end(&work->writer);
    return GW_OK;
}

void gw_api_handle_retrain(struct gw_api_exchange *exchange)
{
    if (exchange->api->ports.retrain == NULL) {
        gw_api_reply_problem(exchange, GW_API_PROBLEM_UNAVAILABLE, NULL, "this service cannot ask for trainings");
        return;
    }
    struct gw_api_models_input *input = gw_api_models_input_new(exchange, false, do_retrain);
    if (input != NULL && gw_api_models_take_change(exchange, input)) {
        gw_api_models_submit(exchange, input);
    }
}
