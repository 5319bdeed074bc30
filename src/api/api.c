// SPDX-License-Identifier: MIT
#include "api/api.h"

#include "api/exchange.h"
#include "api/scratch.h"
#include "api/upload.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>

// ---------------------------------------------------------------- one request

// The caller's X-Request-Id when it is harmless, else one of our own.
static void choose_request_id(struct gw_api_exchange *exchange)
{
    static const char allowed[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._-";
    const char *given = gw_http_request_header(exchange->request, "X-Request-Id");
    if (given != NULL && given[0] != '\0' && strlen(given) < sizeof exchange->request_id &&
        given[strspn(given, allowed)] == '\0') {
        snprintf(exchange->request_id, sizeof exchange->request_id, "%s", given);
        return;
    }
    struct gw_api *api = exchange->api;
    uint64_t counter = atomic_fetch_add_explicit(&api->id_counter, 1, memory_order_relaxed);
    snprintf(exchange->request_id, sizeof exchange->request_id, "%016" PRIx64, gw_hash_mix(api->id_seed + counter));
}

static void exchange_init(struct gw_api_exchange *exchange, struct gw_api_listening *listening,
                          struct gw_http_request *request)
{
    *exchange = (struct gw_api_exchange){
        .api = listening->api,
        .request = request,
        .listener = listening->bit,
        .start_us = gw_http_request_start_us(request),
    };
    snprintf(exchange->instance, sizeof exchange->instance, "%s", gw_http_request_path(request));
    choose_request_id(exchange);
}

static void on_refused(void *context, struct gw_http_request *request, uint32_t status, const char *detail)
{
    struct gw_api_exchange exchange;
    exchange_init(&exchange, context, request);
    gw_api_reply_problem(&exchange, gw_api_problem_of_status(status), NULL, detail);
}

static bool token_is_missing(const struct gw_api_exchange *exchange)
{
    const struct gw_api *api = exchange->api;
    return exchange->route->needs_token && api->token != NULL && exchange->listener != GW_API_ON_OPS &&
           !gw_http_request_has_token(exchange->request, api->token);
}

#define SEND_TOKEN "send 'Authorization: Bearer <token>'"

// Uploads go to a file, and what can be refused by their heads is, before a byte of them is read.
static void on_admit(void *context, struct gw_http_request *request, struct gw_http_admission *ret_admission)
{
    const struct gw_api_listening *listening = context;
    char allow[64];
    struct gw_api_exchange exchange = {.api = listening->api, .request = request, .listener = listening->bit};
    exchange.route = gw_api_route_find(exchange.listener, gw_http_request_method(request),
                                       gw_http_request_path(request), exchange.params, allow, sizeof allow);
    if (exchange.route == NULL || exchange.route->handler != gw_api_handle_model_register ||
        exchange.api->registry.uri == NULL) {
        return; // its body is small, or small enough to be refused by the handler
    }
    if (token_is_missing(&exchange)) {
        *ret_admission = (struct gw_http_admission){.refuse_status = 401, .detail = SEND_TOKEN};
        return;
    }
    bool is_archive = false;
    const char *detail = gw_api_upload_kind(gw_http_request_header(request, "Content-Type"),
                                            gw_http_request_header(request, "Content-Encoding"), &is_archive);
    if (detail != NULL) {
        *ret_admission = (struct gw_http_admission){.refuse_status = 415, .detail = detail};
        return;
    }
    ret_admission->to_file = true;
}

static void on_request(void *context, struct gw_http_request *request)
{
    struct gw_api_exchange exchange;
    exchange_init(&exchange, context, request);

    char allow[64];
    exchange.route = gw_api_route_find(exchange.listener, gw_http_request_method(request),
                                       gw_http_request_path(request), exchange.params, allow, sizeof allow);
    if (exchange.route == NULL && allow[0] == '\0') {
        gw_api_reply_problem(&exchange, GW_API_PROBLEM_NOT_FOUND, NULL, "see /openapi.json for what there is");
        return;
    }
    if (exchange.route == NULL) {
        gw_api_reply_not_allowed(&exchange, allow);
        return;
    }
    if (token_is_missing(&exchange)) {
        gw_api_reply_problem(&exchange, GW_API_PROBLEM_UNAUTHORIZED, NULL, SEND_TOKEN);
        return;
    }
    exchange.route->handler(&exchange);
}

// ---------------------------------------------------------------- life

static void fill_defaults(struct gw_api_options *options)
{
#define DEFAULT(field, value)                                                                                          \
    do {                                                                                                               \
        if (options->field == 0) {                                                                                     \
            options->field = value;                                                                                    \
        }                                                                                                              \
    } while (0)
    DEFAULT(candidates_max, 1500);
    DEFAULT(value_names_max, 256);
    DEFAULT(context_max, 64);
    DEFAULT(timeout_ms_default, 500);
    DEFAULT(timeout_ms_max, 10000);
    DEFAULT(body_bytes_max, 1024 * 1024);
    DEFAULT(connections_max, 1024);
    DEFAULT(idle_timeout_s, 30);
    DEFAULT(drain_ms, 2000);
    DEFAULT(compute_threads, 2);
    DEFAULT(upload_bytes_max, (size_t)256 * 1024 * 1024);
    DEFAULT(uploads_max, 1);
#undef DEFAULT
    options->compute_threads = GW_MIN(options->compute_threads, GW_API_COMPUTE_THREADS);
    // An upload has its thread for as long as its bundle takes: one thread is left to all others.
    options->uploads_max = GW_MIN(options->uploads_max, GW_MAX(options->compute_threads, 2) - 1);
    options->timeout_ms_default = GW_MIN(options->timeout_ms_default, options->timeout_ms_max);
}

// Copies a string of the options to a slot of api->strings; NULL and "" become NULL.
static gw_status copy_string(struct gw_api *api, size_t slot, const char *text, const char **ret_copy, gw_err *err)
{
    *ret_copy = NULL;
    if (text == NULL || text[0] == '\0') {
        return GW_OK;
    }
    GW_ASSERT(slot < GW_COUNT_OF(api->strings));
    api->strings[slot] = gw_mem_strdup(text);
    *ret_copy = api->strings[slot];
    return *ret_copy != NULL ? GW_OK : gw_fail(err, GW_E_MEMORY, "api options");
}

static gw_status copy_registry(struct gw_api *api, const struct gw_api_options *options, gw_err *err)
{
    api->options.registry = NULL; // the caller's
    GW_TRY(copy_string(api, 0, options->default_model, &api->options.default_model, err));
    GW_TRY(copy_string(api, 1, options->baseline_feature, &api->options.baseline_feature, err));
    GW_TRY(copy_string(api, 2, options->model_directory, &api->options.model_directory, err));
    if (options->registry == NULL) {
        return GW_OK;
    }
    GW_ASSERT(options->registry->uri != NULL && api->options.model_directory != NULL);
    api->registry.timeout_ms = options->registry->timeout_ms;
    GW_TRY(copy_string(api, 3, options->registry->application, &api->registry.application, err));
    GW_TRY(copy_string(api, 4, options->registry->uri, &api->registry.uri, err));
    return gw_api_scratch_sweep(api->options.model_directory, err);
}

static gw_status copy_strings(struct gw_api *api, const struct gw_api_options *options, gw_err *err)
{
    if (options->token != NULL && options->token[0] != '\0') {
        api->token = gw_mem_strdup(options->token);
        if (api->token == NULL) {
            return gw_fail(err, GW_E_MEMORY, "api token");
        }
    }
    api->options.token = NULL; // the caller's
    api->options.hosts = NULL;
    api->options.host_count = 0;
    api->hosts = gw_mem_calloc(options->host_count, sizeof *api->hosts);
    if (api->hosts == NULL) {
        return gw_fail(err, GW_E_MEMORY, "api host list");
    }
    for (size_t i = 0; i < options->host_count; i++) {
        api->hosts[i] = gw_mem_strdup(options->hosts[i]);
        if (api->hosts[i] == NULL) {
            return gw_fail(err, GW_E_MEMORY, "api host list");
        }
        api->options.host_count++;
    }
    return GW_OK;
}

static gw_status register_metrics(struct gw_api *api, gw_err *err)
{
    api->route_metrics = gw_mem_calloc(gw_api_route_count + 1, sizeof *api->route_metrics);
    if (api->route_metrics == NULL) {
        return gw_fail(err, GW_E_MEMORY, "api metrics");
    }
    for (size_t i = 0; i <= gw_api_route_count; i++) {
        const char *route = i < gw_api_route_count ? gw_api_routes[i].pattern : "other";
        struct gw_api_route_metrics *metrics = &api->route_metrics[i];
        char labels[128];
        for (uint32_t hundreds = 2; hundreds <= 5; hundreds++) {
            snprintf(labels, sizeof labels, "route=\"%s\",code=\"%uxx\"", route, hundreds);
            metrics->responses[hundreds] = gw_metrics_counter(api->options.metrics, "godwit_http_responses_total",
                                                              labels, "HTTP responses by route and class of status");
            if (metrics->responses[hundreds] == NULL) {
                return gw_fail(err, GW_E_MEMORY, "api metrics");
            }
        }
        snprintf(labels, sizeof labels, "route=\"%s\"", route);
        metrics->duration = gw_metrics_histogram(api->options.metrics, "godwit_http_request_duration_seconds", labels,
                                                 "Time from a request's headers to its answer");
        if (metrics->duration == NULL) {
            return gw_fail(err, GW_E_MEMORY, "api metrics");
        }
    }
    return GW_OK;
}

gw_status gw_api_new(const struct gw_api_options *options, const struct gw_api_ports *ports, struct gw_api **ret_api,
                     gw_err *err)
{
    GW_ASSERT(options->metrics != NULL && ports->health != NULL);
    struct gw_api *api = gw_mem_calloc(1, sizeof *api);
    if (api == NULL) {
        return gw_fail(err, GW_E_MEMORY, "api");
    }
    api->options = *options;
    fill_defaults(&api->options);
    api->ports = *ports;
    api->limits = (struct gw_api_predict_limits){
        .candidates_max = api->options.candidates_max,
        .value_names_max = api->options.value_names_max,
        .context_max = api->options.context_max,
        .timeout_ms_default = api->options.timeout_ms_default,
        .timeout_ms_max = api->options.timeout_ms_max,
    };
    api->id_seed = gw_hash_mix((uint64_t)gw_clock_wall_us() ^ (uint64_t)(uintptr_t)api);
    gw_api_documents_init(api);

    gw_status status = copy_strings(api, options, err);
    if (status == GW_OK) {
        status = copy_registry(api, options, err);
    }
    if (status == GW_OK) {
        status = register_metrics(api, err);
    }
    if (status == GW_OK && (ports->features != NULL || api->registry.uri != NULL)) {
        status = gw_api_compute_start(api, err);
    }
    if (status != GW_OK) {
        gw_api_free(api);
        return status;
    }
    *ret_api = api;
    return GW_OK;
}

gw_status gw_api_listen(struct gw_api *api, enum gw_api_listener kind, const char *address, uint16_t port,
                        uint32_t threads, uint16_t *ret_port, gw_err *err)
{
    static const uint8_t bits[GW_API_LISTENERS] = {
        [GW_API_LISTENER_API] = GW_API_ON_API,
        [GW_API_LISTENER_UI] = GW_API_ON_UI,
        [GW_API_LISTENER_OPS] = GW_API_ON_OPS,
    };
    const struct gw_api_ports *ports = &api->ports;
    GW_ASSERT(!api->stopped && api->listening[kind].server == NULL);
    GW_ASSERT(kind == GW_API_LISTENER_OPS ||
              (ports->predict != NULL && ports->features != NULL && ports->overview != NULL));

    if (api->token == NULL && !gw_http_address_is_loopback(address)) {
        return gw_fail(err, GW_E_CONFIG, "listen on '%s': an address that others can reach needs a token", address);
    }
    api->listening[kind].api = api;
    api->listening[kind].bit = bits[kind];
    threads = GW_MIN(GW_MAX(threads, 1), 64);
    struct gw_http_server_options options = {
        .address = address,
        .port = port,
        .threads = threads,
        .connections_max = GW_MAX(api->options.connections_max, threads),
        .connections_per_ip_max = api->options.connections_per_ip_max,
        .timeout_s = api->options.idle_timeout_s,
        .body_bytes_max = api->options.body_bytes_max,
        .drain_ms = api->options.drain_ms,
        .hosts = (const char *const *)api->hosts,
        .host_count = api->options.host_count,
        .handler = on_request,
        .refuse = on_refused,
        .context = &api->listening[kind],
        .admit = api->registry.uri != NULL ? on_admit : NULL,
        .file_directory = api->options.model_directory,
        .file_bytes_max = api->options.upload_bytes_max,
        .files_max = api->options.uploads_max,
        .file_count = &api->upload_count,
    };
    GW_TRY(gw_http_server_start(&options, &api->listening[kind].server, err));
    uint16_t taken = gw_http_server_port(api->listening[kind].server);
    gw_log_info("http.listening", "address='%s' port=%u", address, taken);
    if (ret_port != NULL) {
        *ret_port = taken;
    }
    return GW_OK;
}

void gw_api_stop(struct gw_api *api)
{
    if (api->stopped) {
        return;
    }
    api->stopped = true;
    for (size_t i = 0; i < GW_API_LISTENERS; i++) {
        gw_http_server_stop(api->listening[i].server);
        api->listening[i].server = NULL;
    }
    gw_api_compute_stop(api);
}

void gw_api_free(struct gw_api *api)
{
    if (api == NULL) {
        return;
    }
    gw_api_stop(api);
    GW_ASSERT(atomic_load_explicit(&api->pending_count, memory_order_acquire) == 0);
    gw_mem_free(api->route_metrics);
    for (size_t i = 0; i < api->options.host_count && api->hosts != NULL; i++) {
        gw_mem_free(api->hosts[i]);
    }
    gw_mem_free(api->hosts);
    for (size_t i = 0; i < GW_COUNT_OF(api->strings); i++) {
        gw_mem_free(api->strings[i]);
    }
    gw_mem_free(api->token);
    gw_mem_free(api);
}
