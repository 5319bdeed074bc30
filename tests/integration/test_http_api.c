// SPDX-License-Identifier: MIT
// The whole REST interface on real sockets, behind ports that pretend: every route, every refusal, stop with waiters.
#include "api/api.h"

#include "base/mem.h"
#include "http_raw.h"

#include <math.h>
#include <pthread.h>

#define TRACEPARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// What the ports pretend, and what they saw.
static struct {
    gw_status predict_status; // not GW_OK: refused at once
    enum gw_api_outcome outcome;
    bool hold; // keep the call for the test
    struct gw_api_call *held;
    struct gw_api_predict seen; // numbers and traceparent only
    uint32_t cache_hits;
    gw_status features_status;
    struct gw_api_health health;
    pthread_mutex_t lock;
    pthread_cond_t changed;
} fake = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static struct gw_metrics *metrics;
static struct gw_api *api;
static uint16_t port;
static struct raw_reply reply;

static const struct gw_api_ranked ranked[] = {
    {INT64_MAX, 13.5f, 0.5f}, {-7, 0.1234567f, 1.0f}, {3, 1e-9f, 0.0f},
    {4, -2.5f, 0.000123456f}, {5, 123456.7f, NAN},    {6, 9.9999999f, 0.33333334f},
};

static void finish(struct gw_api_call *call, enum gw_api_outcome outcome)
{
    struct gw_api_prediction prediction = {
        .outcome = outcome,
        .detail = "because",
        .request_join_id = 4242,
        .model = gw_slice_text("engage"),
        .version = 7,
        .variant = gw_slice_text("canary"),
        .cache_hits = fake.cache_hits,
        .ranked = ranked,
        .ranked_count = GW_COUNT_OF(ranked),
    };
    gw_api_predict_done(call, &prediction);
}

static void *finish_in_thread(void *call)
{
    finish(call, fake.outcome);
    return NULL;
}

static gw_status fake_predict(void *context, const struct gw_api_predict *predict, struct gw_api_call *call,
                              gw_err *err)
{
    (void)context;
    if (fake.predict_status != GW_OK) {
        return gw_fail(err, fake.predict_status, "no way");
    }
    fake.seen = *predict;
    if (fake.hold) {
        pthread_mutex_lock(&fake.lock);
        fake.held = call;
        pthread_cond_broadcast(&fake.changed);
        pthread_mutex_unlock(&fake.lock);
        return GW_OK;
    }
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int rc = pthread_create(&thread, &attributes, finish_in_thread, call);
    pthread_attr_destroy(&attributes);
    return rc == 0 ? GW_OK : gw_fail(err, GW_E_UNAVAILABLE, "no thread");
}

static gw_status fake_features(void *context, enum gw_api_entity entity, int64_t id, struct gw_api_feature_row *ret_row,
                               gw_err *err)
{
    (void)context;
    if (fake.features_status != GW_OK) {
        return gw_fail(err, fake.features_status, "features of %lld", (long long)id);
    }
    ret_row->values[0] = (struct gw_feature_value){"likes_1h", 2.5, 1500000, "row"};
    ret_row->values[1] = (struct gw_feature_value){"age_days", (double)NAN, -1, "derived"};
    ret_row->value_count = entity == GW_API_USER ? 2 : 1;
    ret_row->event_time_us = 1700000000123456;
    ret_row->source_partition = 3;
    ret_row->source_offset = 99;
    ret_row->layout = 0xabc;
    return GW_OK;
}

static void fake_health(void *context, struct gw_api_health *ret_health)
{
    (void)context;
    *ret_health = fake.health;
}

static void fake_overview(void *context, struct gw_api_overview *ret_overview)
{
    (void)context;
    ret_overview->time_ms = gw_clock_wall_ms();
    ret_overview->events_per_s = 12.5;
    ret_overview->feature_hit_ratio = (double)NAN;
    ret_overview->dead_letter_count = -1;
    ret_overview->lanes[0] = (struct gw_api_lane){"sync", 10, 1000, 1.5, 2.5, (double)NAN};
    ret_overview->lane_count = 1;
    ret_overview->groups[0] = (struct gw_api_group){"score", 5, 100};
    ret_overview->group_count = 1;
    ret_overview->workers[0] = (struct gw_api_worker){"score", GW_API_STATE_WARN, "restarted"};
    ret_overview->worker_count = 1;
}

static gw_status fake_quality(void *context, struct gw_slice model, uint32_t windows,
                              struct gw_api_quality *ret_quality, gw_err *err)
{
    (void)context;
    if (!gw_slice_is(model, "engage")) {
        return gw_fail(err, gw_slice_is(model, "soon") ? GW_E_UNAVAILABLE : GW_E_NOT_FOUND, "not measured");
    }
    ret_quality->windows = gw_mem_calloc(windows, sizeof *ret_quality->windows);
    assert_non_null(ret_quality->windows);
    ret_quality->count = windows;
    for (uint32_t i = 0; i < windows; i++) {
        ret_quality->windows[i] = (struct gw_api_quality_window){.version = 7,
                                                                 .variant = "canary",
                                                                 .head = "is_replied",
                                                                 .start_ms = 1700000000000,
                                                                 .end_ms = 1700000300000,
                                                                 .computed_at_ms = 1700000400123,
                                                                 .examples = 12.5,
                                                                 .positives = 0,
                                                                 .log_loss = {0.25, 0.125, 0.5},
                                                                 .auc = {(double)NAN, (double)NAN, (double)NAN},
                                                                 .rce = -1.5,
                                                                 .maturity = 1};
    }
    return GW_OK;
}

static gw_status fake_alerts(void *context, const struct gw_api_alerts_ask *ask, struct gw_api_alerts *ret_alerts,
                             gw_err *err)
{
    (void)context;
    (void)err;
    uint32_t count = GW_MIN(ask->limit, ask->open_only ? 1U : 2U);
    ret_alerts->alerts = gw_mem_calloc(count, sizeof *ret_alerts->alerts);
    assert_non_null(ret_alerts->alerts);
    ret_alerts->count = count;
    ret_alerts->caught_up = true;
    for (uint32_t i = 0; i < count; i++) {
        struct gw_api_alert *alert = &ret_alerts->alerts[i];
        *alert = (struct gw_api_alert){
            .version = 3, .open = i == 0, .kind = "feature", .stream = "user.age", .harm = (double)NAN};
        snprintf(alert->model, sizeof alert->model, "%.*s", (int)ask->model.size, (const char *)ask->model.data);
    }
    return GW_OK;
}

static gw_status fake_drift(void *context, const struct gw_api_drift_ask *ask, struct gw_api_drift *ret_drift,
                            gw_err *err)
{
    (void)context;
    (void)ask;
    (void)ret_drift;
    return gw_fail(err, GW_E_INTERNAL, "not without a registry");
}

static void start_with(enum gw_api_listener kind, const char *token)
{
    gw_err err = {0};
    fake.predict_status = GW_OK;
    fake.outcome = GW_API_OK;
    fake.hold = false;
    fake.held = NULL;
    fake.cache_hits = 0;
    fake.features_status = GW_OK;
    fake.health = (struct gw_api_health){.dependency_count = 2, .alive = true};
    fake.health.dependencies[0] = (struct gw_api_dependency){"kafka", GW_API_STATE_UP, true, 0.5, ""};
    fake.health.dependencies[1] = (struct gw_api_dependency){"redis", GW_API_STATE_UP, false, (double)NAN, ""};

    const struct gw_api_ports ports = {
        .predict = fake_predict,
        .features = fake_features,
        .health = fake_health,
        .overview = fake_overview,
        .quality = fake_quality,
        .alerts = fake_alerts,
        .drift = fake_drift,
    };
    assert_ok(gw_metrics_new(&metrics, &err));
    const struct gw_api_options options = {.metrics = metrics, .token = token};
    assert_ok_err(gw_api_new(&options, &ports, &api, &err), &err);
    assert_ok_err(gw_api_listen(api, kind, "127.0.0.1", 0, 1, &port, &err), &err);
}

static int start(void **state)
{
    (void)state;
    start_with(GW_API_LISTENER_UI, NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    gw_api_free(api);
    gw_metrics_free(metrics);
    return 0;
}

static int request(const char *method, const char *path, const char *headers, const char *body)
{
    static char text[16384];
    snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: localhost:%u\r\nContent-Length: %zu\r\n%s\r\n%s", method, path,
             port, strlen(body), headers, body);
    raw_exchange(port, text, &reply);
    return reply.status;
}

static int get(const char *path)
{
    return request("GET", path, "", "");
}

static int post(const char *path, const char *body)
{
    return request("POST", path, "", body);
}

static void assert_contains(const char *expected)
{
    if (strstr(reply.body, expected) == NULL) {
        print_error("'%s' is not in: %s\n", expected, reply.body);
    }
    assert_non_null(strstr(reply.body, expected));
}

static void assert_problem(const char *slug)
{
    char type[64];
    snprintf(type, sizeof type, "\"type\":\"/problems/%s\"", slug);
    assert_string_equal(raw_header(&reply, "Content-Type"), "application/problem+json");
    assert_contains(type);
    assert_contains("\"instance\":");
    assert_contains("\"requestId\":");
}

static void a_prediction_is_answered_from_another_thread(void **state)
{
    (void)state;
    assert_int_equal(request("POST", "/predict", "traceparent: " TRACEPARENT "\r\n",
                             "{\"userId\":\"12\",\"candidateTweets\":[\"1\",{\"tweetId\":2,\"authorId\":3}],"
                             "\"timeoutMs\":70}"),
                     200);
    assert_string_equal(raw_header(&reply, "Content-Type"), "application/json");
    static const char expected[] = "{\"rankings\":["
                                   "{\"tweetId\":\"9223372036854775807\",\"score\":13.5,\"confidence\":0.5},"
                                   "{\"tweetId\":\"-7\",\"score\":0.1234567,\"confidence\":1},"
                                   "{\"tweetId\":\"3\",\"score\":1e-09,\"confidence\":0},"
                                   "{\"tweetId\":\"4\",\"score\":-2.5,\"confidence\":0.000123456},"
                                   "{\"tweetId\":\"5\",\"score\":123456.7,\"confidence\":null},"
                                   "{\"tweetId\":\"6\",\"score\":10,\"confidence\":0.3333333}],"
                                   "\"requestId\":\"4242\",\"modelVersion\":7,\"status\":\"OK\",\"latency\":";
    assert_int_equal(strncmp(reply.body, expected, strlen(expected)), 0);
    assert_contains(",\"cache\":\"miss\",\"model\":\"engage\",\"variant\":\"canary\"}\n");
    assert_true(fake.seen.user_id == 12 && fake.seen.candidate_count == 2 && fake.seen.timeout_ms == 70);
    assert_string_equal(fake.seen.traceparent, TRACEPARENT);
}

static void a_malformed_traceparent_is_not_passed_on(void **state)
{
    (void)state;
    assert_int_equal(request("POST", "/predict", "traceparent: nonsense\r\n", "{\"userId\":1,\"candidateTweets\":[1]}"),
                     200);
    assert_string_equal(fake.seen.traceparent, "");
}

static void the_caches_part_is_told(void **state)
{
    (void)state;
    static const char body[] = "{\"userId\":1,\"candidateTweets\":[1]}";
    fake.cache_hits = 1;
    assert_int_equal(post("/predict", body), 200);
    assert_contains("\"cache\":\"partial\"");
    fake.cache_hits = GW_COUNT_OF(ranked);
    assert_int_equal(post("/predict", body), 200);
    assert_contains("\"cache\":\"hit\"");
}

static void outcomes_become_statuses(void **state)
{
    (void)state;
    static const struct {
        enum gw_api_outcome outcome;
        int status;
        const char *slug;
    } cases[] = {
        {GW_API_NO_CANDIDATES, 422, "no-candidates"},
        {GW_API_TOO_MANY_CANDIDATES, 422, "too-many-candidates"},
        {GW_API_INVALID, 422, "invalid-request"},
        {GW_API_MODEL_NOT_FOUND, 404, "model-not-found"},
        {GW_API_MODEL_NOT_READY, 503, "model-not-ready"},
        {GW_API_DEADLINE_EXCEEDED, 504, "deadline-exceeded"},
        {GW_API_OVERLOADED, 503, "overloaded"},
        {GW_API_UNAVAILABLE, 503, "unavailable"},
        {GW_API_INTERNAL, 500, "internal"},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        fake.outcome = cases[i].outcome;
        assert_int_equal(post("/predict", "{\"userId\":1,\"candidateTweets\":[1]}"), cases[i].status);
        assert_problem(cases[i].slug);
        assert_contains("\"detail\":\"because\"");
        assert_contains("\"requestId\":\"4242\"");
        assert_true((raw_header(&reply, "Retry-After") != NULL) == (cases[i].status == 503));
    }
    fake.outcome = GW_API_PARTIAL;
    assert_int_equal(post("/predict", "{\"userId\":1,\"candidateTweets\":[1]}"), 200);
    assert_contains("\"status\":\"PARTIAL\"");
}

static void submissions_that_fail_are_explained(void **state)
{
    (void)state;
    static const struct {
        gw_status submitted;
        int status;
        const char *slug;
    } cases[] = {
        {GW_E_EXHAUSTED, 503, "overloaded"},
        {GW_E_NOT_FOUND, 404, "model-not-found"},
        {GW_E_INVALID, 422, "invalid-request"},
        {GW_E_UNAVAILABLE, 503, "unavailable"},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        fake.predict_status = cases[i].submitted;
        assert_int_equal(post("/predict", "{\"userId\":1,\"candidateTweets\":[1]}"), cases[i].status);
        assert_problem(cases[i].slug);
        assert_contains("no way");
    }
}

static void bad_bodies_name_the_field(void **state)
{
    (void)state;
    assert_int_equal(post("/predict", "{\"userId\":1,\"candidateTweets\":[1]"), 400);
    assert_problem("malformed-body");
    assert_int_equal(post("/predict", "{\"userId\":1,\"candidateTweets\":[1],\"x\":1}"), 400);
    assert_problem("invalid-field");
    assert_contains("\"errors\":[{\"pointer\":\"/x\"");
    assert_int_equal(post("/predict", "{\"userId\":1,\"candidateTweets\":[]}"), 422);
    assert_problem("no-candidates");
    assert_int_equal(request("POST", "/predict", "X-Request-Id: abc-1\r\n", ""), 400);
    assert_contains("\"requestId\":\"abc-1\"");
}

static void stored_features_are_shown_with_age_and_source(void **state)
{
    (void)state;
    assert_int_equal(post("/features/user/42/compute", ""), 200);
    assert_string_equal(reply.body,
                        "{\"userId\":\"42\",\"features\":["
                        "{\"name\":\"likes_1h\",\"value\":2.5,\"ageSeconds\":1.5,\"source\":\"row\"},"
                        "{\"name\":\"age_days\",\"value\":null,\"ageSeconds\":null,\"source\":\"derived\"}],"
                        "\"row\":{\"eventTime\":\"2023-11-14T22:13:20.123Z\",\"sourcePartition\":3,"
                        "\"sourceOffset\":99,\"layout\":\"0000000000000abc\"}}");
    assert_int_equal(post("/features/tweet/-1/compute", "{}"), 200);
    assert_contains("{\"tweetId\":\"-1\"");
}

static void features_that_cannot_be_read_are_explained(void **state)
{
    (void)state;
    fake.features_status = GW_E_NOT_FOUND;
    assert_int_equal(post("/features/user/42/compute", ""), 404);
    assert_problem("unknown-entity");
    fake.features_status = GW_E_UNAVAILABLE;
    assert_int_equal(post("/features/user/42/compute", ""), 503);
    assert_problem("unavailable");
    fake.features_status = GW_E_MISMATCH;
    assert_int_equal(post("/features/user/42/compute", ""), 500);
    fake.features_status = GW_OK;
    assert_int_equal(post("/features/user/4x/compute", ""), 400);
    assert_problem("bad-request");
    assert_int_equal(post("/features/user/42/compute", "{\"a\":1}"), 400);
}

static void models_need_a_registry(void **state)
{
    (void)state;
    assert_int_equal(get("/models"), 503);
    assert_problem("unavailable");
    assert_int_equal(post("/models/engage/2/promote", "{}"), 503);
    assert_int_equal(post("/models/engage/versions", "x"), 503);
}

static void health_follows_the_required_dependencies(void **state)
{
    (void)state;
    assert_int_equal(get("/health"), 200);
    assert_contains("{\"status\":\"OK\",\"ready\":true,\"dependencies\":[{\"name\":\"kafka\",\"state\":\"OK\","
                    "\"latencyMs\":0.5,\"required\":true,\"detail\":\"\"},{\"name\":\"redis\",\"state\":\"OK\","
                    "\"latencyMs\":null");
    fake.health.dependencies[1].state = GW_API_STATE_DOWN;
    assert_int_equal(get("/health"), 200);
    assert_contains("{\"status\":\"WARN\",\"ready\":true");
    assert_int_equal(get("/readyz"), 200);

    fake.health.dependencies[0].state = GW_API_STATE_DOWN;
    snprintf(fake.health.dependencies[0].detail, sizeof fake.health.dependencies[0].detail, "no broker");
    assert_int_equal(get("/health"), 503);
    assert_contains("{\"status\":\"DOWN\",\"ready\":false");
    assert_int_equal(get("/readyz"), 503);
    assert_contains("\"detail\":\"kafka: no broker\"");
    assert_int_equal(get("/livez"), 200);
    fake.health.alive = false;
    assert_int_equal(get("/livez"), 503);
}

static void a_stopping_service_is_not_ready(void **state)
{
    (void)state;
    fake.health.draining = true;
    assert_int_equal(get("/readyz"), 503);
    assert_contains("\"detail\":\"stopping\"");
}

static void the_overview_shows_null_for_what_is_unknown(void **state)
{
    (void)state;
    assert_int_equal(get("/api/overview"), 200);
    assert_contains("\"eventsPerSecond\":12.5,\"featureHitRatio\":null,\"deadLetters\":null");
    assert_contains("\"lanes\":[{\"name\":\"sync\",\"requestsPerSecond\":10,\"predictionsPerSecond\":1000,"
                    "\"p50Ms\":1.5,\"p95Ms\":2.5,\"p99Ms\":null}]");
    assert_contains("\"groups\":[{\"name\":\"score\",\"lagRecords\":5,\"recordsPerSecond\":100}]");
    assert_contains("\"workers\":[{\"name\":\"score\",\"state\":\"WARN\",\"detail\":\"restarted\"}]");
}

static void live_quality_shows_intervals_and_null_for_what_is_undefined(void **state)
{
    (void)state;
    assert_int_equal(get("/metrics/performance/engage?windows=1"), 200);
    assert_contains("{\"metrics\":{\"modelId\":\"engage\",\"windows\":[{\"version\":7,\"variant\":\"canary\","
                    "\"head\":\"is_replied\",\"start\":\"2023-11-14T22:13:20.000Z\","
                    "\"end\":\"2023-11-14T22:18:20.000Z\",\"examples\":12.5,\"positives\":0,"
                    "\"logLoss\":{\"value\":0.25,\"low\":0.125,\"high\":0.5}");
    assert_contains("\"auc\":{\"value\":null,\"low\":null,\"high\":null}");
    assert_contains("\"maturity\":1,\"computedAt\":\"2023-11-14T22:20:00.123Z\"}]}}");
    assert_int_equal(get("/metrics/performance/engage?windows=48"), 200);
    assert_int_equal(get("/metrics/performance/engage?windows=49"), 400);
    assert_int_equal(get("/metrics/performance/engage?windows=x"), 400);
    assert_int_equal(get("/metrics/performance/soon"), 503);
    assert_int_equal(get("/metrics/performance/never"), 503); // there is no registry to ask
}

static void alerts_of_drift_are_chosen_by_the_query(void **state)
{
    (void)state;
    assert_int_equal(get("/drift"), 200);
    assert_contains("{\"alerts\":[{\"id\":\"\",\"model\":\"\",\"version\":3,\"state\":\"open\",\"kind\":\"feature\",");
    assert_contains("\"state\":\"closed\"");
    assert_contains("\"harm\":null");
    assert_contains("],\"caughtUp\":true}");
    assert_int_equal(get("/drift?model=engage&state=open&limit=500"), 200);
    assert_contains("\"model\":\"engage\"");
    assert_null(strstr(reply.body, "closed"));
    static const char *const wrong[] = {"limit=0",
                                        "limit=501",
                                        "limit=1x",
                                        "limit=-1",
                                        "limit=",
                                        "state=all",
                                        "state=",
                                        "model=a%2fb",
                                        "model=",
                                        "model=%00",
                                        "limit=99999999999999999999",
                                        "model=a%20b"};
    for (size_t i = 0; i < GW_COUNT_OF(wrong); i++) {
        char path[128];
        snprintf(path, sizeof path, "/drift?%s", wrong[i]);
        assert_int_equal(get(path), 400);
        assert_problem("bad-request");
    }
    assert_int_equal(get("/drift/engage"), 503); // there is no registry to ask
}

static void constant_documents_have_etags(void **state)
{
    (void)state;
    assert_int_equal(get("/openapi.json"), 200);
    assert_contains("\"openapi\": \"3.1.0\"");
    char header[128];
    snprintf(header, sizeof header, "If-None-Match: %s\r\n", raw_header(&reply, "ETag"));
    assert_int_equal(request("GET", "/openapi.json", header, ""), 304);
    assert_int_equal(get("/problems/forbidden"), 200);
    assert_int_equal(get("/problems/none"), 404);
    assert_int_equal(get("/version"), 200);
    assert_contains("\"version\":\"" GW_VERSION "\"");
}

static void the_page_runs_nothing_from_elsewhere(void **state)
{
    (void)state;
    assert_int_equal(get("/"), 200);
    assert_string_equal(raw_header(&reply, "Content-Type"), "text/html; charset=utf-8");
    assert_non_null(strstr(raw_header(&reply, "Content-Security-Policy"), "default-src 'none'; script-src 'self'"));
    assert_null(strstr(reply.body, "http://"));
    assert_null(strstr(reply.body, "https://"));
    assert_null(strstr(reply.body, "style="));
    assert_null(strstr(reply.body, "onclick"));
    assert_int_equal(get("/ui/app.js"), 200);
    assert_int_equal(get("/ui/models.js"), 200);
    assert_int_equal(get("/ui/drift.js"), 200);
    assert_int_equal(get("/ui/style.css"), 200);
    assert_int_equal(get("/ui/secret"), 404);
    assert_int_equal(get("/ui/..%2fapp.js"), 404);
}

static void unknown_paths_and_methods_are_refused(void **state)
{
    (void)state;
    assert_int_equal(get("/nothing"), 404);
    assert_problem("not-found");
    assert_int_equal(get("/predict"), 405);
    assert_problem("method-not-allowed");
    assert_string_equal(raw_header(&reply, "Allow"), "POST");
    assert_int_equal(request("DELETE", "/health", "", ""), 405);
    assert_string_equal(raw_header(&reply, "Allow"), "GET, HEAD");
    assert_int_equal(request("BREW", "/health", "", ""), 405);
    assert_int_equal(request("HEAD", "/health", "", ""), 200);
    assert_int_equal(reply.body_size, 0);
    assert_true(strtoul(raw_header(&reply, "Content-Length"), NULL, 10) > 0);
}

static void refusals_of_the_listener_are_problems_too(void **state)
{
    (void)state;
    assert_int_equal(request("POST", "/predict", "Origin: http://evil.example\r\n", "{}"), 403);
    assert_problem("forbidden");
    assert_int_equal(request("POST", "/predict", "Content-Length: 3\r\n", "{}"), 400);
    assert_problem("bad-request");
}

static void requests_are_counted_by_route(void **state)
{
    (void)state;
    (void)get("/version");
    (void)get("/nothing");
    (void)post("/features/user/1/compute", "");
    assert_int_equal(get("/metrics"), 200);
    assert_string_equal(raw_header(&reply, "Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    assert_contains("godwit_http_responses_total{route=\"/version\",code=\"2xx\"} 1");
    assert_contains("godwit_http_responses_total{route=\"other\",code=\"4xx\"} 1");
    assert_contains("godwit_http_responses_total{route=\"/features/user/:userId/compute\",code=\"2xx\"} 1");
}

static void a_token_is_asked_for_where_data_is_shown(void **state)
{
    (void)state;
    start_with(GW_API_LISTENER_UI, "s3cret");
    assert_int_equal(get("/models"), 401); // before it is told that there is no registry
    assert_problem("unauthorized");
    assert_non_null(raw_header(&reply, "WWW-Authenticate"));
    assert_int_equal(request("GET", "/models", "Authorization: Bearer wrong\r\n", ""), 401);
    assert_int_equal(request("GET", "/health", "Authorization: Bearer s3cret\r\n", ""), 200);
    assert_int_equal(post("/predict", "{\"userId\":1,\"candidateTweets\":[1]}"), 401);
    assert_int_equal(get("/metrics"), 401);
    assert_int_equal(get("/livez"), 200);
    assert_int_equal(get("/readyz"), 200);
    assert_int_equal(get("/"), 200);
    (void)stop(state);
}

static void the_ops_listener_asks_no_token_and_offers_little(void **state)
{
    (void)state;
    start_with(GW_API_LISTENER_OPS, "s3cret");
    assert_int_equal(get("/metrics"), 200);
    assert_int_equal(get("/livez"), 200);
    assert_int_equal(get("/models"), 404);
    assert_int_equal(get("/"), 404);
    (void)stop(state);
}

static void an_open_address_needs_a_token(void **state)
{
    (void)state;
    gw_err err = {0};
    assert_fails(gw_api_listen(api, GW_API_LISTENER_API, "0.0.0.0", 0, 1, NULL, &err), GW_E_CONFIG);
    assert_non_null(strstr(err.message, "needs a token"));
}

static void stop_answers_waiting_callers(void **state)
{
    (void)state;
    char text[512];
    const char *body = "{\"userId\":1,\"candidateTweets\":[1]}";
    fake.hold = true;
    snprintf(text, sizeof text, "POST /predict HTTP/1.1\r\nHost: localhost:%u\r\nContent-Length: %zu\r\n\r\n%s", port,
             strlen(body), body);
    int fd = raw_connect(port);
    raw_send(fd, text);

    pthread_mutex_lock(&fake.lock);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += RAW_DEADLINE_MS / 1000;
    int rc = 0;
    while (fake.held == NULL && rc == 0) {
        rc = pthread_cond_timedwait(&fake.changed, &fake.lock, &until);
    }
    pthread_mutex_unlock(&fake.lock);
    assert_int_equal(rc, 0);

    gw_api_stop(api);
    raw_receive(fd, true, &reply);
    assert_int_equal(reply.status, 503);
    assert_contains("the server is stopping");
    close(fd);
    finish(fake.held, GW_API_OK); // too late, and harmless
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_prediction_is_answered_from_another_thread),
        TEST(a_malformed_traceparent_is_not_passed_on),
        TEST(the_caches_part_is_told),
        TEST(outcomes_become_statuses),
        TEST(submissions_that_fail_are_explained),
        TEST(bad_bodies_name_the_field),
        TEST(stored_features_are_shown_with_age_and_source),
        TEST(features_that_cannot_be_read_are_explained),
        TEST(models_need_a_registry),
        TEST(health_follows_the_required_dependencies),
        TEST(a_stopping_service_is_not_ready),
        TEST(the_overview_shows_null_for_what_is_unknown),
        TEST(live_quality_shows_intervals_and_null_for_what_is_undefined),
        TEST(alerts_of_drift_are_chosen_by_the_query),
        TEST(constant_documents_have_etags),
        TEST(the_page_runs_nothing_from_elsewhere),
        TEST(unknown_paths_and_methods_are_refused),
        TEST(refusals_of_the_listener_are_problems_too),
        TEST(requests_are_counted_by_route),
        TEST(an_open_address_needs_a_token),
        TEST(stop_answers_waiting_callers),
        cmocka_unit_test(a_token_is_asked_for_where_data_is_shown),
        cmocka_unit_test(the_ops_listener_asks_no_token_and_offers_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
