// SPDX-License-Identifier: MIT
// Changes of the registry: create, promote, rollback, shadow, split, archive, reject. What a caller sends beside is in
// change.h; which change is legal, the registry knows.
#include "api/models.h"
#include "api/scratch.h"
#include "base/check.h"
#include "model/baseline.h"
#include "registry/documents.h"

#include <stdio.h>

#define NO_VERSION "a version is a number from 1, or 'latest'"

// ---------------------------------------------------------------- what all share

// Of several revisions the one that the model is at: the registry looks again when it has the lock. When it is at none,
// the registry says so, unless the request is one that was answered before.
static gw_status choose_revision(struct gw_api_models_work *work, int64_t *ret_revision)
{
    const struct gw_api_revisions *revisions = &work->input->if_revisions;
    struct gw_registry_model model = {0};
    int64_t chosen = revisions->count > 0 ? revisions->revision[0] : 0;
    if (revisions->count > 1) {
        GW_TRY(gw_api_models_look(work, &model));
    }
    for (uint32_t i = 1; i < revisions->count; i++) {
        chosen = revisions->revision[i] == model.revision ? model.revision : chosen;
    }
    *ret_revision = chosen;
    return GW_OK;
}

gw_status gw_api_models_condition(struct gw_api_models_work *work, const struct gw_api_change_body *body,
                                  struct gw_registry_change *ret_change)
{
    const struct gw_api_models_input *input = work->input;
    int64_t revision = 0;
    GW_TRY(choose_revision(work, &revision));
    *ret_change = (struct gw_registry_change){
        .actor = body->actor[0] != '\0' ? body->actor : input->actor,
        .reason = body->reason,
        .if_revision = revision,
        .idempotency_key = input->idempotency_key[0] != '\0' ? input->idempotency_key : NULL,
    };
    if (input->condition == GW_API_IF_NEVER) {
        return gw_fail(&work->err, GW_E_STALE, "no model has the entity tag that If-Match asks for");
    }
    return GW_OK;
}

void gw_api_models_write_outcome(struct gw_api_models_work *work, const struct gw_registry_outcome *outcome)
{
    const char *model = work->input->model;
    struct gw_json_writer *writer = &work->writer;
    struct gw_registry_version version = {0};
    // The change is made: when the version cannot be shown any more, the outcome still is.
    bool known = outcome->version > 0 && gw_registry_get_version(work->registry, model, outcome->version, &work->arena,
                                                                 &version, NULL) == GW_OK;
    gw_json_object_begin(writer);
    gw_json_write_key(writer, "outcome");
    gw_registry_write_outcome(writer, model, outcome);
    gw_json_write_key(writer, "version");
    if (known) {
        gw_registry_write_version(writer, &version, true);
    } else {
        gw_json_write_null(writer);
    }
    gw_json_object_end(writer);
    work->revision = outcome->revision;
    work->repeated = outcome->repeated;
}

static gw_status parse_body(struct gw_api_models_work *work, enum gw_api_change_kind kind,
                            struct gw_api_change_body *body)
{
    struct gw_slice text = gw_http_request_body(work->call->exchange.request);
    gw_status status = gw_api_change_body_parse(text, kind, body, &work->refusal);
    work->refused = status != GW_OK;
    return status;
}

// ---------------------------------------------------------------- verbs of one version

static gw_status apply(struct gw_api_models_work *work, const struct gw_registry_change *change,
                       struct gw_registry_outcome *outcome)
{
    struct gw_registry *registry = work->registry;
    const char *model = work->input->model;
    int32_t version = work->input->version;
    switch (work->input->verb) {
    case GW_ROLLOUT_VERB_PROMOTE:
        return gw_registry_promote(registry, model, version, change, outcome, &work->err);
    case GW_ROLLOUT_VERB_START_SHADOW:
        return gw_registry_shadow(registry, model, version, true, change, outcome, &work->err);
    case GW_ROLLOUT_VERB_UNSHADOW:
        return gw_registry_shadow(registry, model, version, false, change, outcome, &work->err);
    case GW_ROLLOUT_VERB_ARCHIVE:
        return gw_registry_archive(registry, model, version, change, outcome, &work->err);
    case GW_ROLLOUT_VERB_REJECT:
        return gw_registry_reject(registry, model, version, change, outcome, &work->err);
    default:
        break;
    }
    GW_ASSERT(false);
    return GW_E_INTERNAL;
}

static gw_status do_verb(struct gw_api_models_work *work)
{
    struct gw_api_change_body body;
    struct gw_registry_change change;
    struct gw_registry_outcome outcome = {0};
    GW_TRY(parse_body(work, GW_API_CHANGE_PLAIN, &body));
    GW_TRY(gw_api_models_condition(work, &body, &change));
    GW_TRY(apply(work, &change, &outcome));
    gw_api_models_write_outcome(work, &outcome);
    return GW_OK;
}

static void handle_verb(struct gw_api_exchange *exchange, enum gw_rollout_verb verb)
{
    struct gw_api_models_input *input = gw_api_models_input_new(exchange, true, do_verb);
    if (input == NULL) {
        return;
    }
    input->verb = verb;
    if (!gw_api_parse_version(exchange->params[1], &input->version)) {
        gw_api_models_refuse(exchange, input, NO_VERSION);
        return;
    }
    if (gw_api_models_take_change(exchange, input)) {
        gw_api_models_submit(exchange, input);
    }
}

void gw_api_handle_model_promote(struct gw_api_exchange *exchange)
{
    handle_verb(exchange, GW_ROLLOUT_VERB_PROMOTE);
}

void gw_api_handle_model_shadow(struct gw_api_exchange *exchange)
{
    handle_verb(exchange, GW_ROLLOUT_VERB_START_SHADOW);
}

void gw_api_handle_model_unshadow(struct gw_api_exchange *exchange)
{
    handle_verb(exchange, GW_ROLLOUT_VERB_UNSHADOW);
}

void gw_api_handle_model_archive(struct gw_api_exchange *exchange)
{
    handle_verb(exchange, GW_ROLLOUT_VERB_ARCHIVE);
}

void gw_api_handle_model_reject(struct gw_api_exchange *exchange)
{
    handle_verb(exchange, GW_ROLLOUT_VERB_REJECT);
}

// ---------------------------------------------------------------- verbs of the model

static gw_status do_rollback(struct gw_api_models_work *work)
{
    struct gw_api_change_body body;
    struct gw_registry_change change;
    struct gw_registry_outcome outcome = {0};
    GW_TRY(parse_body(work, GW_API_CHANGE_ROLLBACK, &body));
    GW_TRY(gw_api_models_condition(work, &body, &change));
    GW_TRY(gw_registry_rollback(work->registry, work->input->model, body.version, &change, &outcome, &work->err));
    gw_api_models_write_outcome(work, &outcome);
    return GW_OK;
}

static gw_status do_split(struct gw_api_models_work *work)
{
    struct gw_api_change_body body;
    struct gw_registry_change change;
    struct gw_registry_outcome outcome = {0};
    GW_TRY(parse_body(work, GW_API_CHANGE_SPLIT, &body));
    GW_TRY(gw_api_models_condition(work, &body, &change));
    GW_TRY(gw_registry_split(work->registry, work->input->model, body.shares, body.share_count, &change, &outcome,
                             &work->err));
    gw_api_models_write_outcome(work, &outcome);
    return GW_OK;
}

static void handle_model_verb(struct gw_api_exchange *exchange, bool has_model, gw_api_models_do act)
{
    struct gw_api_models_input *input = gw_api_models_input_new(exchange, has_model, act);
    if (input != NULL && gw_api_models_take_change(exchange, input)) {
        gw_api_models_submit(exchange, input);
    }
}

void gw_api_handle_model_rollback(struct gw_api_exchange *exchange)
{
    handle_model_verb(exchange, true, do_rollback);
}

void gw_api_handle_model_split(struct gw_api_exchange *exchange)
{
    handle_model_verb(exchange, true, do_split);
}

// ---------------------------------------------------------------- POST /models

// A model of this name would be hidden behind GET /models/production.
#define RESERVED_NAME "production"

static gw_status create(struct gw_api_models_work *work, const struct gw_api_change_body *body, const char *baseline,
                        const struct gw_registry_change *change, struct gw_registry_outcome *outcome)
{
    const struct gw_registry_create request = {
        .model = body->name, .description = body->description, .baseline = baseline};
    if (baseline != NULL) {
        const struct gw_baseline popularity = {
            .model_name = body->name,
            .feature_name = work->call->exchange.api->options.baseline_feature,
            .head_name = GW_BASELINE_HEAD,
            .prior_rate = GW_BASELINE_PRIOR,
        };
        GW_TRY(gw_baseline_write(&popularity, baseline, NULL, &work->err));
    }
    return gw_registry_create(work->registry, &request, change, outcome, &work->err);
}

static gw_status check_create(struct gw_api_models_work *work, const struct gw_api_change_body *body)
{
    if (!gw_route_name_is_valid(body->name, sizeof body->name) || strcmp(body->name, RESERVED_NAME) == 0) {
        return gw_api_models_problem(work, GW_API_PROBLEM_INVALID_REQUEST, "/name",
                                     "a name has 1 to 128 of A-Z a-z 0-9 . _ - and is not '.', '..' or 'production'");
    }
    if (work->input->condition != GW_API_IF_NOTHING) {
        return gw_fail(&work->err, GW_E_STALE, "a model that is to be made has no entity tag that If-Match could name");
    }
    if (body->baseline && work->call->exchange.api->options.baseline_feature == NULL) {
        return gw_api_models_problem(work, GW_API_PROBLEM_INVALID_REQUEST, "/baseline",
                                     "no feature is configured for a baseline: say false");
    }
    return GW_OK;
}

static gw_status do_create(struct gw_api_models_work *work)
{
    struct gw_api_change_body body;
    struct gw_registry_change change;
    struct gw_registry_outcome outcome = {0};
    struct gw_api_scratch scratch = {.lock = -1};
    char directory[GW_API_SCRATCH_BYTES + 16];
    GW_TRY(parse_body(work, GW_API_CHANGE_CREATE, &body));
    GW_TRY(check_create(work, &body));
    GW_TRY(gw_api_models_condition(work, &body, &change));
    if (body.baseline) {
        GW_TRY(gw_api_scratch_make(work->call->exchange.api->options.model_directory, &scratch, &work->err));
        snprintf(directory, sizeof directory, "%s/baseline", scratch.path);
    }
    gw_status status = create(work, &body, body.baseline ? directory : NULL, &change, &outcome);
    gw_api_scratch_hide(&scratch, &work->err);
    gw_api_scratch_remove(&scratch);
    GW_TRY(status);
    snprintf(work->input->model, sizeof work->input->model, "%s", body.name);
    snprintf(work->location, sizeof work->location, "/models/%s", body.name);
    work->status = 201;
    gw_api_models_write_outcome(work, &outcome);
    return GW_OK;
}

void gw_api_handle_model_create(struct gw_api_exchange *exchange)
{
    handle_model_verb(exchange, false, do_create);
}
