// SPDX-License-Identifier: MIT
// POST /predict: the body goes to the ports, the prediction comes back as JSON.
#include "api/exchange.h"
#include "api/traceparent.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/number.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

// ---------------------------------------------------------------- the answer

#define RANKING_BYTES_MAX (64 + 2 * GW_NUMBER_FORMAT_BYTES + 20)

static char *put_text(char *to, const char *text, size_t size)
{
    memcpy(to, text, size);
    return to + size;
}

#define PUT_LITERAL(to, text) put_text(to, text, sizeof(text) - 1)

static char *put_u64(char *to, uint64_t value)
{
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    while (count > 0) {
        *to++ = digits[--count];
    }
    return to;
}

static char *put_i64(char *to, int64_t value)
{
    if (value < 0) {
        *to++ = '-';
        return put_u64(to, 0 - (uint64_t)value);
    }
    return put_u64(to, (uint64_t)value);
}

// Seven significant digits, trailing zeros dropped. Scores and probabilities of usual size take the integer path: a
// reply has hundreds of them, and finding the shortest text of each, as base/number does, means trying several lengths.
static char *put_float(char *to, float value)
{
    static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11};
    if (!isfinite(value)) {
        return PUT_LITERAL(to, "null");
    }
    double magnitude = fabs((double)value);
    if (magnitude < 1e-4 || magnitude >= 1e6) {
        return to + gw_number_format_float(value, to);
    }
    uint32_t decimals = 6; // for values in [1, 10)
    for (double low = 1; magnitude >= low * 10; low *= 10) {
        decimals--;
    }
    for (double low = 1; magnitude < low; low /= 10) {
        decimals++;
    }
    uint64_t scaled = (uint64_t)(magnitude * powers[decimals] + 0.5);
    while (decimals > 0 && scaled % 10 == 0) {
        scaled /= 10;
        decimals--;
    }
    if (value < 0) {
        *to++ = '-';
    }
    uint64_t unit = (uint64_t)powers[decimals];
    to = put_u64(to, scaled / unit);
    if (decimals > 0) {
        *to++ = '.';
        uint64_t fraction = scaled % unit;
        for (unit /= 10; unit > 0; unit /= 10) {
            *to++ = (char)('0' + fraction / unit % 10);
        }
    }
    return to;
}

static char *put_rankings(char *to, const struct gw_api_prediction *prediction)
{
    for (uint32_t i = 0; i < prediction->ranked_count; i++) {
        const struct gw_api_ranked *ranked = &prediction->ranked[i];
        to = i > 0 ? PUT_LITERAL(to, ",{\"tweetId\":\"") : PUT_LITERAL(to, "{\"tweetId\":\"");
        to = put_i64(to, ranked->tweet_id);
        to = PUT_LITERAL(to, "\",\"score\":");
        to = put_float(to, ranked->score);
        to = PUT_LITERAL(to, ",\"confidence\":");
        to = put_float(to, ranked->confidence);
        *to++ = '}';
    }
    return to;
}

enum cache_use { CACHE_MISS, CACHE_PARTIAL, CACHE_HIT };

#define CACHE_TEXT(word)                                                                                               \
    {                                                                                                                  \
        ",\"cache\":\"" word "\"", sizeof(",\"cache\":\"" word "\"") - 1                                               \
    }
static const struct {
    const char *text;
    size_t size;
} cache_texts[] = {
    [CACHE_MISS] = CACHE_TEXT("miss"), [CACHE_PARTIAL] = CACHE_TEXT("partial"), [CACHE_HIT] = CACHE_TEXT("hit")};

// How much of the answer came from the prediction cache.
static enum cache_use cache_use(const struct gw_api_prediction *prediction)
{
    if (prediction->cache_hits == 0) {
        return CACHE_MISS;
    }
    return prediction->cache_hits < prediction->ranked_count ? CACHE_PARTIAL : CACHE_HIT;
}

static gw_status write_prediction(const struct gw_api_prediction *prediction, uint64_t latency_us, struct gw_buf *out)
{
    GW_TRY(gw_buf_reserve(out, (size_t)prediction->ranked_count * RANKING_BYTES_MAX + 256));
    char *start = (char *)out->data;
    char *to = PUT_LITERAL(start, "{\"rankings\":[");
    to = put_rankings(to, prediction);
    to = PUT_LITERAL(to, "],\"requestId\":\"");
    to = put_i64(to, prediction->request_join_id);
    to = PUT_LITERAL(to, "\",\"modelVersion\":");
    to = put_i64(to, prediction->version);
    to = prediction->outcome == GW_API_PARTIAL ? PUT_LITERAL(to, ",\"status\":\"PARTIAL\"")
                                               : PUT_LITERAL(to, ",\"status\":\"OK\"");
    to = PUT_LITERAL(to, ",\"latency\":");
    to = put_u64(to, latency_us / 1000);
    *to++ = '.';
    for (uint64_t unit = 100; unit > 0; unit /= 10) {
        *to++ = (char)('0' + latency_us % 1000 / unit % 10);
    }
    to = put_text(to, cache_texts[cache_use(prediction)].text, cache_texts[cache_use(prediction)].size);
    to = PUT_LITERAL(to, ",\"model\":");
    out->size = (size_t)(to - start);

    struct gw_json_writer writer;
    gw_json_writer_init(&writer, out);
    gw_json_write_string(&writer, prediction->model);
    GW_TRY(gw_json_writer_finish(&writer, NULL));
    GW_TRY(gw_buf_append(out, ",\"variant\":", 11));
    gw_json_writer_init(&writer, out);
    gw_json_write_string(&writer, prediction->variant);
    GW_TRY(gw_json_writer_finish(&writer, NULL));
    return gw_buf_append(out, "}\n", 2);
}

static enum gw_api_problem_kind problem_of(enum gw_api_outcome outcome)
{
    switch (outcome) {
    case GW_API_NO_CANDIDATES:
        return GW_API_PROBLEM_NO_CANDIDATES;
    case GW_API_TOO_MANY_CANDIDATES:
        return GW_API_PROBLEM_TOO_MANY_CANDIDATES;
    case GW_API_INVALID:
        return GW_API_PROBLEM_INVALID_REQUEST;
    case GW_API_MODEL_NOT_FOUND:
        return GW_API_PROBLEM_MODEL_NOT_FOUND;
    case GW_API_MODEL_NOT_READY:
        return GW_API_PROBLEM_MODEL_NOT_READY;
    case GW_API_DEADLINE_EXCEEDED:
        return GW_API_PROBLEM_DEADLINE_EXCEEDED;
    case GW_API_OVERLOADED:
        return GW_API_PROBLEM_OVERLOADED;
    case GW_API_UNAVAILABLE:
        return GW_API_PROBLEM_UNAVAILABLE;
    case GW_API_OK:
    case GW_API_PARTIAL:
    case GW_API_INTERNAL:
    case GW_API_OUTCOME_COUNT:
        break;
    }
    return GW_API_PROBLEM_INTERNAL;
}

void gw_api_predict_done(struct gw_api_call *call, const struct gw_api_prediction *prediction)
{
    struct gw_api_exchange *exchange = &call->exchange;
    if (prediction->outcome != GW_API_OK && prediction->outcome != GW_API_PARTIAL) {
        if (prediction->request_join_id != 0) {
            snprintf(exchange->request_id, sizeof exchange->request_id, "%" PRId64, prediction->request_join_id);
        }
        gw_api_reply_problem(exchange, problem_of(prediction->outcome), NULL, prediction->detail);
        gw_api_call_free(call);
        return;
    }
    struct gw_buf text = {0};
    if (write_prediction(prediction, gw_clock_mono_us() - exchange->start_us, &text) == GW_OK) {
        gw_api_reply(exchange, 200, "application/json", gw_buf_slice(&text), NULL, 0);
    } else {
        gw_api_reply_problem(exchange, GW_API_PROBLEM_INTERNAL, NULL, "no memory for the answer");
    }
    gw_buf_deinit(&text);
    gw_api_call_free(call);
}

// ---------------------------------------------------------------- the question

static enum gw_api_problem_kind problem_of_status(gw_status status)
{
    switch (status) {
    case GW_E_EXHAUSTED:
        return GW_API_PROBLEM_OVERLOADED;
    case GW_E_NOT_FOUND:
        return GW_API_PROBLEM_MODEL_NOT_FOUND;
    case GW_E_INVALID:
    case GW_E_TOO_LARGE:
        return GW_API_PROBLEM_INVALID_REQUEST;
    default:
        return GW_API_PROBLEM_UNAVAILABLE;
    }
}

static void submit(struct gw_api_exchange *exchange, struct gw_api_predict *predict)
{
    struct gw_api *api = exchange->api;
    const char *traceparent = gw_http_request_header(exchange->request, "traceparent");
    if (traceparent != NULL && gw_api_traceparent_is_valid(traceparent)) {
        snprintf(predict->traceparent, sizeof predict->traceparent, "%s", traceparent);
    }
    struct gw_api_call *call = gw_api_call_new(exchange);
    if (call == NULL) {
        gw_api_reply_problem(exchange, GW_API_PROBLEM_INTERNAL, NULL, "no memory for the request");
        return;
    }
    gw_err err = {0};
    gw_status status = api->ports.predict(api->ports.context, predict, call, &err);
    if (status != GW_OK) {
        gw_api_reply_problem(&call->exchange, problem_of_status(status), NULL, err.message);
        gw_api_call_free(call);
    }
}

void gw_api_handle_predict(struct gw_api_exchange *exchange)
{
    struct gw_api_predict_body body = {0};
    struct gw_api_body_error error = {0};
    gw_status status =
        gw_api_predict_body_parse(gw_http_request_body(exchange->request), &exchange->api->limits, &body, &error);
    if (status == GW_OK) {
        submit(exchange, &body.predict);
    } else {
        gw_api_reply_problem(exchange, error.kind, error.pointer, error.detail);
    }
    gw_api_predict_body_deinit(&body);
}
