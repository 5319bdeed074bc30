// SPDX-License-Identifier: MIT
// Inside the api folder: one request with what is needed to answer it, now or later, and the api's own state.
#pragma once

#include "api/api.h"
#include "api/predict_body.h"
#include "api/problem.h"
#include "api/route.h"
#include "base/json.h"
#include "base/queue.h"
#include "http/server.h"

#include <pthread.h>
#include <stdatomic.h>

#define GW_API_LISTENERS       3
#define GW_API_COMPUTE_QUEUE   256
#define GW_API_COMPUTE_THREADS 16
#define GW_API_ASSETS_MAX      8

struct gw_api_call;

// A thread that does what may block, and what it keeps between calls. Each belongs to its thread.
struct gw_api_compute {
    struct gw_api *api;
    pthread_t thread;
    struct gw_api_feature_row *row;
    struct gw_registry *registry; // NULL: not needed yet
};

// Does a call on such a thread and answers it; the call is freed afterwards.
typedef void (*gw_api_run)(struct gw_api_compute *compute, struct gw_api_call *call);

// Counters of one route; the last set counts what no route took.
struct gw_api_route_metrics {
    struct gw_metric *responses[6]; // by hundreds of the status: [2] is 2xx
    struct gw_metric *duration;
};

struct gw_api_listening {
    struct gw_api *api;
    uint8_t bit; // of GW_API_ON_*
    struct gw_http_server *server;
};

struct gw_api {
    struct gw_api_options options; // with defaults filled in; its strings are in token, hosts and strings
    struct gw_api_ports ports;
    char *token; // NULL: none
    char **hosts;
    struct gw_api_predict_limits limits;
    struct gw_api_listening listening[GW_API_LISTENERS];
    struct gw_api_route_metrics *route_metrics; // route count + 1
    uint64_t id_seed;
    atomic_uint_fast64_t id_counter;
    atomic_uint pending_count; // calls in the hands of the ports
    atomic_uint upload_count;  // under way, by all listeners
    char openapi_etag[20];
    char asset_etags[GW_API_ASSETS_MAX][20];

    struct gw_registry_options registry; // uri NULL: there is none
    char *strings[5];                    // copies behind options and registry

    struct gw_queue *compute_queue; // of struct gw_api_call
    struct gw_api_compute computes[GW_API_COMPUTE_THREADS];
    uint32_t compute_count;
    atomic_bool compute_closed; // no call comes any more
    bool stopped;
};

// One request. Plain data: copied into a gw_api_call when the answer comes later.
struct gw_api_exchange {
    struct gw_api *api;
    struct gw_http_request *request;
    const struct gw_api_route *route;          // NULL: none matched
    struct gw_slice params[GW_API_PARAMS_MAX]; // during the handler call
    uint8_t listener;
    uint64_t start_us;
    char request_id[65];
    char instance[128];
};

struct gw_api_call {
    struct gw_api_exchange exchange;
    gw_api_run run;            // of a call for a compute thread
    enum gw_api_entity entity; // of a feature read
    int64_t id;
    void *input; // of a models call, on the heap; freed with the call
};

// Answers, and so ends the exchange; counts it. At most four further headers.
void gw_api_reply(struct gw_api_exchange *exchange, uint32_t status, const char *content_type, struct gw_slice body,
                  const struct gw_http_header *headers, size_t header_count);
// The same with bytes that live as long as the process, and their ETag; answers 304 when the caller has them.
void gw_api_reply_static(struct gw_api_exchange *exchange, const char *content_type, struct gw_slice body,
                         const char *etag, const struct gw_http_header *headers, size_t header_count);
// Answers with what a writer made, or with 500 when memory was short.
void gw_api_reply_json(struct gw_api_exchange *exchange, uint32_t status, struct gw_json_writer *writer);
void gw_api_reply_json_with(struct gw_api_exchange *exchange, uint32_t status, struct gw_json_writer *writer,
                            const struct gw_http_header *headers, size_t header_count);
// Answers with a problem. `pointer` names a field of the body, or is NULL. Waits of 503 are told by Retry-After.
void gw_api_reply_problem(struct gw_api_exchange *exchange, enum gw_api_problem_kind kind, const char *pointer,
                          const char *detail);

// Answers 405 with the methods that the path takes.
void gw_api_reply_not_allowed(struct gw_api_exchange *exchange, const char *allow);

// Gives a call that holds a copy of the exchange, or NULL. gw_api_call_free counts it off.
struct gw_api_call *gw_api_call_new(const struct gw_api_exchange *exchange);
void gw_api_call_free(struct gw_api_call *call);

// Gives a call to a compute thread. Takes it: a full queue is answered here, with `busy`.
void gw_api_compute_submit(struct gw_api_call *call, gw_api_run run, const char *busy);

// The thread's own registry, opened when first asked for. GW_E_MEMORY, GW_E_CONFIG.
GW_CHECK gw_status gw_api_compute_registry(struct gw_api_compute *compute, struct gw_registry **ret_registry,
                                           gw_err *err);

// Starts and stops the compute threads.
GW_CHECK gw_status gw_api_compute_start(struct gw_api *api, gw_err *err);
void gw_api_compute_stop(struct gw_api *api);

// Strong ETag of constant bytes, quotes included.
void gw_api_etag(struct gw_slice data, char ret_etag[20]);

// Fills the ETags of the embedded documents.
void gw_api_documents_init(struct gw_api *api);

// Decimal int64 in its only spelling: no sign but a minus, no leading zero. False otherwise.
bool gw_api_parse_id(struct gw_slice text, int64_t *ret_id);

// RFC 3339 in UTC with milliseconds.
void gw_api_write_time(struct gw_json_writer *writer, const char *key, int64_t time_ms);

// Parts of documents that several routes show.
void gw_api_write_health(struct gw_json_writer *writer, const struct gw_api_health *health);
bool gw_api_is_ready(const struct gw_api_health *health);

#define X(name, method, pattern, listeners, token) void gw_api_handle_##name(struct gw_api_exchange *exchange);
GW_API_ROUTE_MAP(X)
#undef X
