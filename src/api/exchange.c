// SPDX-License-Identifier: MIT
#include "api/exchange.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/rfc3339.h"

#include <inttypes.h>
#include <stdio.h>

#define FURTHER_HEADERS_MAX 4
#define RETRY_AFTER_S       1
#define RETRY_AFTER_TEXT    "1"

static void count_reply(const struct gw_api_exchange *exchange, uint32_t status)
{
    struct gw_api *api = exchange->api;
    size_t index = exchange->route != NULL ? (size_t)(exchange->route - gw_api_routes) : gw_api_route_count;
    const struct gw_api_route_metrics *metrics = &api->route_metrics[index];
    gw_metric_add(metrics->responses[status / 100], 1);
    gw_metric_observe_us(metrics->duration, gw_clock_mono_us() - exchange->start_us);
}

static void reply(struct gw_api_exchange *exchange, struct gw_http_response *response, const char *caching,
                  const struct gw_http_header *headers, size_t header_count)
{
    GW_ASSERT(header_count <= FURTHER_HEADERS_MAX && exchange->request != NULL);
    struct gw_http_header all[FURTHER_HEADERS_MAX + 2] = {
        {"X-Content-Type-Options", "nosniff"},
        {"Cache-Control", caching},
    };
    for (size_t i = 0; i < header_count; i++) {
        all[i + 2] = headers[i];
    }
    response->headers = all;
    response->header_count = header_count + 2;

    count_reply(exchange, response->status);
    struct gw_http_request *request = exchange->request;
    exchange->request = NULL;
    gw_http_respond(request, response);
}

void gw_api_reply(struct gw_api_exchange *exchange, uint32_t status, const char *content_type, struct gw_slice body,
                  const struct gw_http_header *headers, size_t header_count)
{
    struct gw_http_response response = {.status = status, .content_type = content_type, .body = body};
    reply(exchange, &response, "no-store", headers, header_count);
}

void gw_api_reply_static(struct gw_api_exchange *exchange, const char *content_type, struct gw_slice body,
                         const char *etag, const struct gw_http_header *headers, size_t header_count)
{
    GW_ASSERT(header_count < FURTHER_HEADERS_MAX);
    struct gw_http_header all[FURTHER_HEADERS_MAX] = {{"ETag", etag}};
    for (size_t i = 0; i < header_count; i++) {
        all[i + 1] = headers[i];
    }
    struct gw_http_response response = {
        .status = 200, .content_type = content_type, .body = body, .body_is_static = true};
    const char *known = gw_http_request_header(exchange->request, "If-None-Match");
    if (known != NULL && strstr(known, etag) != NULL) {
        response = (struct gw_http_response){.status = 304};
    }
    reply(exchange, &response, "no-cache", all, header_count + 1);
}

void gw_api_reply_json(struct gw_api_exchange *exchange, uint32_t status, struct gw_json_writer *writer)
{
    gw_api_reply_json_with(exchange, status, writer, NULL, 0);
}

void gw_api_reply_json_with(struct gw_api_exchange *exchange, uint32_t status, struct gw_json_writer *writer,
                            const struct gw_http_header *headers, size_t header_count)
{
    if (gw_json_writer_finish(writer, NULL) != GW_OK) {
        gw_api_reply_problem(exchange, GW_API_PROBLEM_INTERNAL, NULL, "no memory for the answer");
        return;
    }
    gw_api_reply(exchange, status, "application/json", gw_buf_slice(writer->out), headers, header_count);
}

static void reply_problem(struct gw_api_exchange *exchange, enum gw_api_problem_kind kind, const char *pointer,
                          const char *detail, struct gw_http_header header)
{
    uint32_t status = gw_api_problem_status(kind);
    struct gw_api_problem problem = {
        .kind = kind,
        .detail = detail,
        .instance = exchange->instance,
        .request_id = exchange->request_id,
        .pointer = pointer,
        .retry_after_s = status == 503 ? RETRY_AFTER_S : 0,
    };
    struct gw_buf text = {0};
    struct gw_slice body = gw_slice_text("{\"title\":\"The server failed\",\"status\":500}");
    if (gw_api_problem_write(&problem, &text) == GW_OK) {
        body = gw_buf_slice(&text);
    } else {
        status = 500;
    }
    gw_api_reply(exchange, status, "application/problem+json", body, &header, header.name != NULL ? 1 : 0);
    gw_buf_deinit(&text);
}

void gw_api_reply_problem(struct gw_api_exchange *exchange, enum gw_api_problem_kind kind, const char *pointer,
                          const char *detail)
{
    struct gw_http_header header = {0};
    switch (gw_api_problem_status(kind)) {
    case 401:
        header = (struct gw_http_header){"WWW-Authenticate", "Bearer realm=\"godwit\""};
        break;
    case 503:
        header = (struct gw_http_header){"Retry-After", RETRY_AFTER_TEXT};
        break;
    default:
        break;
    }
    reply_problem(exchange, kind, pointer, detail, header);
}

void gw_api_reply_not_allowed(struct gw_api_exchange *exchange, const char *allow)
{
    char detail[96];
    snprintf(detail, sizeof detail, "this path takes %s", allow);
    reply_problem(exchange, GW_API_PROBLEM_METHOD_NOT_ALLOWED, NULL, detail, (struct gw_http_header){"Allow", allow});
}

struct gw_api_call *gw_api_call_new(const struct gw_api_exchange *exchange)
{
    struct gw_api_call *call = gw_mem_calloc(1, sizeof *call);
    if (call != NULL) {
        call->exchange = *exchange;
        memset(call->exchange.params, 0, sizeof call->exchange.params); // they point into the request's path
        atomic_fetch_add_explicit(&exchange->api->pending_count, 1, memory_order_relaxed);
    }
    return call;
}

void gw_api_call_free(struct gw_api_call *call)
{
    struct gw_api *api = call->exchange.api;
    gw_mem_free(call->input);
    gw_mem_free(call);
    atomic_fetch_sub_explicit(&api->pending_count, 1, memory_order_release);
}

void gw_api_etag(struct gw_slice data, char ret_etag[20])
{
    snprintf(ret_etag, 20, "\"%016" PRIx64 "\"", gw_hash_fnv1a(GW_HASH_FNV_START, data.data, data.size));
}

bool gw_api_parse_id(struct gw_slice text, int64_t *ret_id)
{
    size_t at = text.size > 0 && text.data[0] == '-' ? 1 : 0;
    bool negative = at == 1;
    size_t digit_count = text.size - at;
    if (digit_count == 0 || digit_count > 19 || (text.data[at] == '0' && (digit_count > 1 || negative))) {
        return false;
    }
    uint64_t value = 0;
    for (; at < text.size; at++) {
        uint8_t digit = (uint8_t)(text.data[at] - '0');
        if (digit > 9) {
            return false;
        }
        value = value * 10 + digit; // 19 digits stay below 2^64
    }
    if (value > (uint64_t)INT64_MAX + (negative ? 1 : 0)) {
        return false;
    }
    *ret_id = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

void gw_api_write_time(struct gw_json_writer *writer, const char *key, int64_t time_ms)
{
    char text[GW_RFC3339_BYTES];
    gw_json_write_key(writer, key);
    if (gw_rfc3339_format(time_ms, text)) {
        gw_json_write_text(writer, text);
    } else {
        gw_json_write_null(writer);
    }
}
