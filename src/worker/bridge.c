// SPDX-License-Identifier: MIT
// bridge: REST over the pipeline. Callers' requests become records, replies become answers, and what is measured of the
// pipeline becomes a page.
//
//   POST /predict ──► prediction_requests_sync ... prediction_replies ──► caller      bridge_predict
//   POST /features/... ──► Redis ──► caller                                          bridge_features
//   POST /retrain ──► retrain_requests; /jobs ──► PostgreSQL                         retrain_ask, src/api
//   GET /health, /readyz ──► the last probes                                         bridge_health
//   /models ──► PostgreSQL (src/api), and from its history ──► model_events, model_routes  bridge_registry
//   GET /metrics/performance/... ──► model_quality                                   bridge_quality
//   GET /drift/... ──► drift_alerts; references (PostgreSQL) and monitor_state       bridge_drift
//   the page, /metrics ──► serving_metrics, offsets                                  bridge_watch, bridge_lag
//
// Start: receivers first, listeners last. Stop: new calls are refused, answers under way get their time, then the
// listeners close and everything goes in reverse order.
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/bridge_drift.h"
#include "worker/bridge_features.h"
#include "worker/bridge_health.h"
#include "worker/bridge_quality.h"
#include "worker/relay_options.h"
#include "worker/retrain_ask.h"
#include "worker/worker.h"

#include <stdio.h>
#include <time.h>

enum { POLL_MS = 20, COMPUTE_THREADS = 2, DRAIN_MS_MAX = 10000 };

struct bridge {
    const struct gw_runtime *runtime;
    struct gw_bridge_registry *registry;
    struct gw_bridge_predict *predict;
    struct gw_bridge_watch *watch;
    struct gw_bridge_quality *quality;
    struct gw_bridge_drift *drift;
    struct gw_bridge_health *health;
    struct gw_bridge_features *features;
    struct gw_api *api;
};

// ---- ports ----------------------------------------------------------------------------------------------------------

static gw_status port_predict(void *context, const struct gw_api_predict *predict, struct gw_api_call *call,
                              gw_err *err)
{
    struct bridge *bridge = context;
    return gw_bridge_predict_submit(bridge->predict, predict, call, err);
}

static gw_status port_features(void *context, enum gw_api_entity entity, int64_t id, struct gw_api_feature_row *ret_row,
                               gw_err *err)
{
    struct bridge *bridge = context;
    return gw_bridge_features_read(bridge->features, entity, id, ret_row, err);
}

static gw_status port_retrain(void *context, const char *model, const char *reason, const char *actor, char *ret_job,
                              size_t job_bytes, gw_err *err)
{
    const struct bridge *bridge = context;
    const struct gw_retrain_ask ask = {.model = model, .reason = reason, .actor = actor};
    char id[GW_RUN_ID_BYTES];
    GW_TRY(gw_retrain_ask(bridge->runtime, &ask, id, err));
    snprintf(ret_job, job_bytes, "%s", id);
    return GW_OK;
}

static void port_health(void *context, struct gw_api_health *ret_health)
{
    struct bridge *bridge = context;
    gw_bridge_health_show(bridge->health, ret_health);
}

static void port_overview(void *context, struct gw_api_overview *ret_overview)
{
    struct bridge *bridge = context;
    gw_bridge_watch_overview(bridge->watch, ret_overview);
}

static gw_status port_quality(void *context, struct gw_slice model, uint32_t windows,
                              struct gw_api_quality *ret_quality, gw_err *err)
{
    struct bridge *bridge = context;
    return gw_bridge_quality_ask(bridge->quality, model, windows, ret_quality, err);
}

static gw_status port_alerts(void *context, const struct gw_api_alerts_ask *ask, struct gw_api_alerts *ret_alerts,
                             gw_err *err)
{
    struct bridge *bridge = context;
    return gw_bridge_drift_alerts(bridge->drift, ask, ret_alerts, err);
}

static gw_status port_drift(void *context, const struct gw_api_drift_ask *ask, struct gw_api_drift *ret_drift,
                            gw_err *err)
{
    struct bridge *bridge = context;
    return gw_bridge_drift_picture(bridge->drift, ask, ret_drift, err);
}

// ---- listeners ------------------------------------------------------------------------------------------------------

static gw_status make_api(struct bridge *bridge, gw_err *err)
{
    const struct gw_config *config = bridge->runtime->config;
    struct gw_registry_settings registry = {0};
    char *token = NULL;
    GW_TRY(gw_registry_settings_init(&registry, config, "godwit api", err));
    gw_status status = gw_config_secret(config, GW_OPT_BRIDGE_TOKEN_FILE, &token, err);
    if (status != GW_OK) {
        gw_registry_settings_deinit(&registry);
        return status;
    }
    const char *baseline = gw_config_text(config, GW_OPT_REGISTRY_BASELINE_FEATURE);
    const struct gw_api_options options = {
        .metrics = bridge->runtime->metrics,
        .token = token,
        .candidates_max = (uint32_t)gw_config_u64(config, GW_OPT_SCORE_MAX_CANDIDATES),
        .timeout_ms_default = (uint32_t)(gw_config_duration_us(config, GW_OPT_BRIDGE_PREDICT_TIMEOUT) / 1000),
        .body_bytes_max = gw_config_u64(config, GW_OPT_BRIDGE_MAX_BODY),
        .compute_threads = COMPUTE_THREADS,
        .registry = &registry.options,
        .features = bridge->runtime->features,
        .default_model = gw_config_text(config, GW_OPT_SCORE_DEFAULT_MODEL),
        .baseline_feature = baseline[0] != '\0' ? baseline : GW_API_BASELINE_FEATURE,
        .model_directory = gw_config_text(config, GW_OPT_SCORE_MODEL_DIRECTORY),
    };
    const struct gw_api_ports ports = {.context = bridge,
                                       .predict = port_predict,
                                       .features = port_features,
                                       .retrain = port_retrain,
                                       .health = port_health,
                                       .overview = port_overview,
                                       .quality = port_quality,
                                       .alerts = port_alerts,
                                       .drift = port_drift};
    status = gw_api_new(&options, &ports, &bridge->api, err);
    gw_mem_free(token);
    gw_registry_settings_deinit(&registry);
    return status;
}

static gw_status open_listeners(struct bridge *bridge, gw_err *err)
{
    const struct gw_config *config = bridge->runtime->config;
    const char *address = gw_config_text(config, GW_OPT_BRIDGE_ADDRESS);
    const char *ops_address = gw_config_text(config, GW_OPT_WORKER_OPS_ADDRESS);
    uint32_t threads = (uint32_t)gw_config_u64(config, GW_OPT_BRIDGE_THREADS);
    uint64_t ops_base = gw_config_u64(config, GW_OPT_WORKER_OPS_PORT_BASE);
    uint64_t ops_port = ops_base > 0 ? ops_base + (uint64_t)gw_worker_find("bridge") : 0;
    uint16_t api_port = (uint16_t)gw_config_u64(config, GW_OPT_BRIDGE_API_PORT);
    uint16_t ui_port = (uint16_t)gw_config_u64(config, GW_OPT_BRIDGE_PORT);
    GW_TRY(gw_api_listen(bridge->api, GW_API_LISTENER_OPS, ops_address, (uint16_t)ops_port, 1, NULL, err));
    GW_TRY(gw_api_listen(bridge->api, GW_API_LISTENER_API, address, api_port, threads, NULL, err));
    return gw_api_listen(bridge->api, GW_API_LISTENER_UI, address, ui_port, threads, NULL, err);
}

// ---- life -----------------------------------------------------------------------------------------------------------

static gw_status start(struct bridge *bridge, gw_err *err)
{
    const struct gw_runtime *runtime = bridge->runtime;
    GW_TRY(gw_bridge_registry_start(runtime, &bridge->registry, err));
    GW_TRY(gw_bridge_predict_start(runtime, &bridge->predict, err));
    GW_TRY(gw_bridge_watch_start(runtime, &bridge->watch, err));
    GW_TRY(gw_bridge_quality_start(runtime, &bridge->quality, err));
    GW_TRY(gw_bridge_drift_start(runtime, &bridge->drift, err));
    const struct gw_bridge_health_options health = {
        .runtime = runtime, .registry = bridge->registry, .predict = bridge->predict, .watch = bridge->watch};
    GW_TRY(gw_bridge_health_start(&health, &bridge->health, err));
    GW_TRY(gw_bridge_features_new(runtime, COMPUTE_THREADS, &bridge->features, err));
    GW_TRY(make_api(bridge, err));
    return open_listeners(bridge, err);
}

static gw_status wait_for_stop(const struct bridge *bridge, gw_err *err)
{
    while (!atomic_load_explicit(bridge->runtime->stop, memory_order_relaxed)) {
        GW_TRY(gw_bridge_predict_failure(bridge->predict, err));
        const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
        nanosleep(&pause, NULL);
    }
    return GW_OK;
}

static void stop(struct bridge *bridge)
{
    if (bridge->api != NULL) {
        int64_t drain_us = gw_config_duration_us(bridge->runtime->config, GW_OPT_WORKER_DRAIN_TIMEOUT);
        gw_bridge_predict_drain(bridge->predict, (uint32_t)GW_MIN(drain_us / 1000, DRAIN_MS_MAX));
        gw_api_stop(bridge->api);
    }
    gw_bridge_health_stop(bridge->health); // it tells predict about Kafka
    gw_bridge_watch_stop(bridge->watch);
    gw_bridge_quality_stop(bridge->quality);
    gw_bridge_drift_stop(bridge->drift);
    gw_bridge_predict_stop(bridge->predict); // the last calls come back here
    gw_api_free(bridge->api);
    gw_bridge_features_free(bridge->features);
    gw_bridge_registry_stop(bridge->registry);
}

gw_status gw_bridge_run(const struct gw_runtime *runtime, gw_err *err)
{
    struct bridge bridge = {.runtime = runtime};
    gw_status status = start(&bridge, err);
    if (status == GW_OK) {
        gw_log_info("bridge.started", "reply_partition=%d", gw_bridge_predict_partition(bridge.predict));
        status = wait_for_stop(&bridge, err);
    }
    stop(&bridge);
    return status;
}
