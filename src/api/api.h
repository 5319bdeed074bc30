// SPDX-License-Identifier: MIT
// The REST interface: listeners, one route table, bodies and problems. What it shows and does comes through ports, but
// for models: those are the registry's.
//
// The api folder knows no worker. Who runs it (the bridge) fills `struct gw_api_ports`; every function there says
// whether it may block. Life: gw_api_new, gw_api_listen for each listener, gw_api_stop, (the ports finish the calls
// they still hold), gw_api_free.
#pragma once

#include "api/drift.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/metrics.h"
#include "feature/plan.h"
#include "feature/set.h"
#include "registry/registry.h"

#include <stdbool.h>
#include <stdint.h>

struct gw_api;

// ---------------------------------------------------------------- predictions

struct gw_api_candidate {
    int64_t tweet_id;
    int64_t author_id; // 0: not given
};

// A checked POST /predict. All pointers are borrowed for the call.
struct gw_api_predict {
    int64_t user_id;
    const struct gw_api_candidate *candidates;
    uint32_t candidate_count;           // 1 to candidates_max
    const struct gw_slice *value_names; // names of the columns of `values`
    uint32_t value_name_count;          // 0: the request brings no values
    const float *values;                // candidate_count x value_name_count, row by row; NaN: missing
    const struct gw_slice *context_names;
    const double *context_values; // finite
    uint32_t context_count;
    struct gw_slice model; // empty: the default model
    int32_t version;       // 0: not asked for
    uint32_t timeout_ms;   // 1 to timeout_ms_max: how long the caller waits
    char traceparent[56];  // valid W3C value, or ""
};

// X(suffix): how a prediction ended. predict.c says which HTTP status and problem each becomes.
#define GW_API_OUTCOME_MAP(X)                                                                                          \
    X(OK)                                                                                                              \
    X(PARTIAL) /* scored, but stored features were missing */                                                          \
    X(NO_CANDIDATES)                                                                                                   \
    X(TOO_MANY_CANDIDATES)                                                                                             \
    X(INVALID)                                                                                                         \
    X(MODEL_NOT_FOUND)                                                                                                 \
    X(MODEL_NOT_READY)                                                                                                 \
    X(DEADLINE_EXCEEDED)                                                                                               \
    X(OVERLOADED)                                                                                                      \
    X(UNAVAILABLE) /* Kafka is away, or the service is stopping */                                                     \
    X(INTERNAL)

enum gw_api_outcome {
#define X(suffix) GW_API_##suffix,
    GW_API_OUTCOME_MAP(X)
#undef X
        GW_API_OUTCOME_COUNT
};

struct gw_api_ranked {
    int64_t tweet_id;
    float score;
    float confidence; // 0 to 1
};

struct gw_api_prediction {
    enum gw_api_outcome outcome;
    const char *detail;                 // for people, when the outcome is no 200; may be NULL
    int64_t request_join_id;            // shown as requestId; 0: none was given
    struct gw_slice model;              // name, when scored
    int32_t version;                    // modelVersion, when scored
    struct gw_slice variant;            // which part of the split served, when scored: champion, canary
    uint32_t cache_hits;                // of ranked_count: how many came from the prediction cache
    const struct gw_api_ranked *ranked; // best first
    uint32_t ranked_count;
};

// A deferred answer to one caller.
struct gw_api_call;

// Answers the caller. Takes `call`, borrows `prediction`. Any thread, exactly once per submitted call; also legal after
// gw_api_stop (the caller was told 503 then).
void gw_api_predict_done(struct gw_api_call *call, const struct gw_api_prediction *prediction);

// ---------------------------------------------------------------- features

enum gw_api_entity { GW_API_USER, GW_API_TWEET };

#define GW_API_FEATURES_MAX 512

struct gw_api_feature_row {
    struct gw_feature_value values[GW_API_FEATURES_MAX]; // names and sources live as long as the feature set
    uint32_t value_count;
    int64_t event_time_us;
    int32_t source_partition;
    int64_t source_offset;
    uint64_t layout; // fingerprint
};

// ---------------------------------------------------------------- what the service shows

// X(suffix, name)
#define GW_API_STATE_MAP(X)                                                                                            \
    X(UP, "OK")                                                                                                        \
    X(WARN, "WARN")                                                                                                    \
    X(DOWN, "DOWN")

enum gw_api_state {
#define X(suffix, name) GW_API_STATE_##suffix,
    GW_API_STATE_MAP(X)
#undef X
};

#define GW_API_DEPENDENCIES_MAX 16
#define GW_API_LANES_MAX        4
#define GW_API_GROUPS_MAX       16
#define GW_API_WORKERS_MAX      32

struct gw_api_dependency {
    char name[32];
    enum gw_api_state state;
    bool required;     // DOWN makes the service unable to serve
    double latency_ms; // of the last probe; NaN: none yet
    char detail[160];  // why, when not OK; else ""
};

struct gw_api_health {
    struct gw_api_dependency dependencies[GW_API_DEPENDENCIES_MAX];
    uint32_t dependency_count;
    bool alive;    // the port's own loop has turned lately
    bool draining; // stopping: not ready
};

struct gw_api_lane {
    char name[16]; // bulk, sync
    double requests_per_s;
    double predictions_per_s;
    double p50_ms, p95_ms, p99_ms; // NaN: nothing measured yet
};

struct gw_api_group {
    char name[64];
    int64_t lag_records; // -1: unknown
    double records_per_s;
};

struct gw_api_worker {
    char name[32];
    enum gw_api_state state;
    char detail[96]; // such as "3 partitions", "restarted 2 s ago"; may be ""
};

// Measured values only: what is not known is NaN (null in JSON), never 0.
struct gw_api_overview {
    int64_t time_ms; // wall clock of the measurement: the page shows its age
    double events_per_s;
    double feature_hit_ratio;  // 0 to 1
    int64_t dead_letter_count; // -1: unknown
    struct gw_api_lane lanes[GW_API_LANES_MAX];
    uint32_t lane_count;
    struct gw_api_group groups[GW_API_GROUPS_MAX];
    uint32_t group_count;
    struct gw_api_worker workers[GW_API_WORKERS_MAX];
    uint32_t worker_count;
};

// ---------------------------------------------------------------- live quality

#define GW_API_QUALITY_WINDOWS_MAX 48 // of a version, variant and head

// A measure with its 95 % interval. NaN: not defined, null in JSON.
struct gw_api_measure {
    double value, low, high;
};

// Live quality of one head in one window of event time, as schemas/model_quality.avsc.
struct gw_api_quality_window {
    int32_t version;
    char variant[65];
    char head[65];
    int64_t start_ms, end_ms, computed_at_ms;
    double examples, positives; // weighted
    struct gw_api_measure log_loss, normalised_entropy, calibration, auc;
    double rce, maturity;
};

struct gw_api_quality {
    struct gw_api_quality_window *windows; // newest first
    uint32_t count;
};

// ---------------------------------------------------------------- ports

// `context` is handed to each. Functions that a listener's routes need must be set: an ops listener needs `health`
// only.
struct gw_api_ports {
    void *context;

    // Sends a prediction request on its way. GW_OK takes the call: answer it with gw_api_predict_done within
    // timeout_ms. Any other status leaves the call with the api, which answers: GW_E_EXHAUSTED overloaded,
    // GW_E_NOT_FOUND unknown model, GW_E_INVALID and GW_E_TOO_LARGE 422, GW_E_UNAVAILABLE and others 503. Must not
    // block; loop threads call it.
    gw_status (*predict)(void *context, const struct gw_api_predict *predict, struct gw_api_call *call, gw_err *err);

    // Fills the stored row of an entity, decayed to now, derived expressions evaluated. GW_E_NOT_FOUND: unknown entity.
    // GW_E_UNAVAILABLE, GW_E_TIMEOUT: the store is away. May block; the api's own threads call it, several at once.
    gw_status (*features)(void *context, enum gw_api_entity entity, int64_t id, struct gw_api_feature_row *ret_row,
                          gw_err *err);

    // Asks for a training of a model that exists, and gives the job's id. May block for some seconds; the api's own
    // threads call it, several at once. NULL: POST /retrain answers 503.
    gw_status (*retrain)(void *context, const char *model, const char *reason, const char *actor, char *ret_job,
                         size_t job_bytes, gw_err *err);

    // Fills snapshots (zeroed before the call). Must not block.
    void (*health)(void *context, struct gw_api_health *ret_health);
    void (*overview)(void *context, struct gw_api_overview *ret_overview);

    // Gives (gw_mem_free(ret_quality->windows)) up to `windows` newest windows of each version, variant and head of the
    // model. GW_E_NOT_FOUND: nothing was measured of it. GW_E_UNAVAILABLE: not known yet. Must not block.
    gw_status (*quality)(void *context, struct gw_slice model, uint32_t windows, struct gw_api_quality *ret_quality,
                         gw_err *err);

    // Gives (gw_mem_free(ret_alerts->alerts)) the alerts of drift asked for, as far as they have been read. Must not
    // block. NULL, as the one that follows: /drift answers 503.
    gw_status (*alerts)(void *context, const struct gw_api_alerts_ask *ask, struct gw_api_alerts *ret_alerts,
                        gw_err *err);
    // Gives (gw_mem_free(ret_drift->streams)) how the detectors of a version stand. GW_E_NOT_FOUND: no such model or
    // version; GW_E_EXHAUSTED: too much is asked at once. May block for some seconds; the api's own threads call it,
    // several at once.
    gw_status (*drift)(void *context, const struct gw_api_drift_ask *ask, struct gw_api_drift *ret_drift, gw_err *err);
};

// The feature that a model's baseline ranks by, unless another one is configured.
#define GW_API_BASELINE_FEATURE "tweet.favs_total"

// ---------------------------------------------------------------- life

struct gw_api_options {
    struct gw_metrics *metrics; // borrowed: what /metrics writes, and where the api counts
    const char *token;          // NULL or "": none asked for
    const char *const *hosts;   // further Host names, see http/server.h
    size_t host_count;
    uint32_t candidates_max;         // 0: 1500
    uint32_t value_names_max;        // 0: 256
    uint32_t context_max;            // 0: 64
    uint32_t timeout_ms_default;     // 0: 500
    uint32_t timeout_ms_max;         // 0: 10000
    size_t body_bytes_max;           // 0: 1 MiB
    uint32_t connections_max;        // 0: 1024
    uint32_t connections_per_ip_max; // 0: no limit
    uint32_t idle_timeout_s;         // 0: 30
    uint32_t drain_ms;               // 0: 2000
    uint32_t compute_threads;        // 0: 2; each opens a connection to the registry when it first needs one

    // The registry, behind /models. Strings are copied; `features` is borrowed until gw_api_free.
    const struct gw_registry_options *registry; // NULL: /models answers 503
    const struct gw_feature_set *features;      // what a registered bundle's features must be in; NULL: not checked
    const char *default_model;                  // what GET /models/production shows; NULL or "": every model's champion
    const char *baseline_feature;               // of a new model's version 1; NULL or "": no baseline can be made
    const char *model_directory;                // where uploads are while they are taken in; needed with `registry`
    size_t upload_bytes_max;                    // 0: 256 MiB
    uint32_t uploads_max;                       // at once, 0: 1; more are told to come again
};

// The routes a listener offers.
enum gw_api_listener { GW_API_LISTENER_API, GW_API_LISTENER_UI, GW_API_LISTENER_OPS };

// Strings are copied, `ports` is copied; its context is borrowed until gw_api_free. Makes options->model_directory when
// it is missing, and removes there what uploads of a killed process have left: GW_E_IO when it cannot.
GW_CHECK gw_status gw_api_new(const struct gw_api_options *options, const struct gw_api_ports *ports,
                              struct gw_api **ret_api, gw_err *err);

// Opens a listener (at most one of each kind). UI: page and everything; API: everything but the page; OPS: /livez,
// /readyz and /metrics, no token asked. `threads` is the number of loop threads, 0: 1. `port` 0 takes a free one;
// *ret_port (may be NULL) is the one taken. An address that is not loopback without a token is GW_E_CONFIG.
GW_CHECK gw_status gw_api_listen(struct gw_api *api, enum gw_api_listener kind, const char *address, uint16_t port,
                                 uint32_t threads, uint16_t *ret_port, gw_err *err);

// Closes the listeners; callers that still wait get 503. Calls handed out may still be done afterwards.
void gw_api_stop(struct gw_api *api);

// Stops if need be. Every call handed to the ports must be done. NULL is legal.
void gw_api_free(struct gw_api *api);
