// SPDX-License-Identifier: MIT
// How the routes under /models work: a loop thread copies what it needs of the request's head into an input, a compute
// thread does the work with its registry and answers. Inside the api folder.
#pragma once

#include "api/change.h"
#include "api/exchange.h"
#include "base/arena.h"
#include "registry/runs.h"
#include "registry/views.h"

struct gw_api_models_work;

// Does the work: writes one JSON value with work->writer and fills the rest. On another status than GW_OK the caller is
// told work->refusal when `refused` is set, else what the status and work->err say.
typedef gw_status (*gw_api_models_do)(struct gw_api_models_work *work);

// An upload's query and headers.
struct gw_api_upload {
    bool is_archive;
    char head[65];
    char description[GW_API_DESCRIPTION_BYTES];
    char reason[GW_API_REASON_BYTES];
    char *features; // comma-separated; the input's, on the heap; NULL: none given
    char *tags;     // JSON object of strings; the same
};

// Everything a route under /models takes, checked. Plain data on the heap: the call's input.
struct gw_api_models_input {
    gw_api_models_do act;
    char model[GW_ROUTE_NAME_BYTES]; // "" none
    char job[GW_RUN_ID_BYTES];       // "" none
    int32_t version;                 // of the path, or the left one of a comparison; 0: latest
    int32_t right;
    int64_t before; // 0: from the newest
    int64_t limit;
    int64_t time_ms;
    double rate_per_s; // 0: none given

    enum gw_api_condition condition;        // of a change, as all that follows
    struct gw_api_revisions if_revisions;   // of GW_API_IF_REVISION
    char idempotency_key[GW_API_KEY_BYTES]; // "" none
    char actor[GW_API_ACTOR_BYTES];         // of the header, or the default one
    enum gw_rollout_verb verb;              // of those that take a version and nothing more
    struct gw_api_upload upload;
};

struct gw_api_models_work {
    struct gw_api_call *call;
    struct gw_api_models_input *input;
    struct gw_registry *registry;
    struct gw_arena arena;
    struct gw_json_writer writer;
    uint32_t status;        // of the answer; 200 unless set
    int64_t revision;       // becomes the ETag; 0: none
    char location[2 * 160 + GW_RUN_ID_BYTES]; // "" none
    bool repeated;          // by idempotency key
    bool refused;
    struct gw_api_body_error refusal;
    gw_err err;
};

// The input of a request whose path begins with the model's name (`has_model`). NULL: the request was answered.
struct gw_api_models_input *gw_api_models_input_new(struct gw_api_exchange *exchange, bool has_model,
                                                    gw_api_models_do act);
void gw_api_models_input_free(struct gw_api_models_input *input);

// Reads If-Match, Idempotency-Key and Godwit-Actor. False: the request was answered and the input is freed.
bool gw_api_models_take_change(struct gw_api_exchange *exchange, struct gw_api_models_input *input);

// Answers with 400 and frees the input.
void gw_api_models_refuse(struct gw_api_exchange *exchange, struct gw_api_models_input *input, const char *detail);

// Hands the request over to a compute thread. Takes the input.
void gw_api_models_submit(struct gw_api_exchange *exchange, struct gw_api_models_input *input);

// Fills work->refusal and returns a status that is not GW_OK.
gw_status gw_api_models_problem(struct gw_api_models_work *work, enum gw_api_problem_kind kind, const char *pointer,
                                const char *detail);

// Reads the model: 404 when there is none, and work->revision for the ETag.
GW_CHECK gw_status gw_api_models_look(struct gw_api_models_work *work, struct gw_registry_model *ret_model);

// The change as the registry takes it. GW_E_STALE when the condition can hold for no revision; what is borrowed is the
// work's and the body's.
GW_CHECK gw_status gw_api_models_condition(struct gw_api_models_work *work, const struct gw_api_change_body *body,
                                           struct gw_registry_change *ret_change);

// Writes {"outcome": ..., "version": ...} and fills the ETag. The version is null when the change was about the
// model.
void gw_api_models_write_outcome(struct gw_api_models_work *work, const struct gw_registry_outcome *outcome);
