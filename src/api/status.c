// SPDX-License-Identifier: MIT
// What the service says about itself: health, readiness, version, metrics and the page's overview.
#include "api/exchange.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>

static const char *const state_names[] = {
#define X(suffix, name) [GW_API_STATE_##suffix] = name,
    GW_API_STATE_MAP(X)
#undef X
};

static void write_state(struct gw_json_writer *writer, enum gw_api_state state)
{
    gw_json_write_key(writer, "state");
    gw_json_write_text(writer, state_names[state]);
}

static void write_number(struct gw_json_writer *writer, const char *key, double value)
{
    gw_json_write_key(writer, key);
    gw_json_write_double(writer, value);
}

static void write_count(struct gw_json_writer *writer, const char *key, int64_t count)
{
    gw_json_write_key(writer, key);
    if (count >= 0) {
        gw_json_write_i64(writer, count);
    } else {
        gw_json_write_null(writer);
    }
}

static void write_text(struct gw_json_writer *writer, const char *key, const char *text)
{
    gw_json_write_key(writer, key);
    gw_json_write_text(writer, text);
}

// ---------------------------------------------------------------- health

bool gw_api_is_ready(const struct gw_api_health *health)
{
    for (uint32_t i = 0; i < health->dependency_count; i++) {
        if (health->dependencies[i].required && health->dependencies[i].state == GW_API_STATE_DOWN) {
            return false;
        }
    }
    return health->alive && !health->draining;
}

static enum gw_api_state worst_state(const struct gw_api_health *health)
{
    enum gw_api_state worst = GW_API_STATE_UP;
    for (uint32_t i = 0; i < health->dependency_count; i++) {
        if (health->dependencies[i].state != GW_API_STATE_UP) {
            worst = GW_API_STATE_WARN;
        }
    }
    return gw_api_is_ready(health) ? worst : GW_API_STATE_DOWN;
}

void gw_api_write_health(struct gw_json_writer *writer, const struct gw_api_health *health)
{
    gw_json_write_key(writer, "status");
    gw_json_write_text(writer, state_names[worst_state(health)]);
    gw_json_write_key(writer, "ready");
    gw_json_write_bool(writer, gw_api_is_ready(health));
    gw_json_write_key(writer, "dependencies");
    gw_json_array_begin(writer);
    for (uint32_t i = 0; i < health->dependency_count; i++) {
        const struct gw_api_dependency *dependency = &health->dependencies[i];
        gw_json_object_begin(writer);
        write_text(writer, "name", dependency->name);
        write_state(writer, dependency->state);
        write_number(writer, "latencyMs", dependency->latency_ms);
        gw_json_write_key(writer, "required");
        gw_json_write_bool(writer, dependency->required);
        write_text(writer, "detail", dependency->detail);
        gw_json_object_end(writer);
    }
    gw_json_array_end(writer);
}

static void read_health(const struct gw_api *api, struct gw_api_health *ret_health)
{
    *ret_health = (struct gw_api_health){0};
    api->ports.health(api->ports.context, ret_health);
    GW_ASSERT(ret_health->dependency_count <= GW_API_DEPENDENCIES_MAX);
}

void gw_api_handle_health(struct gw_api_exchange *exchange)
{
    struct gw_api_health health;
    struct gw_buf text = {0};
    struct gw_json_writer writer;
    read_health(exchange->api, &health);
    gw_json_writer_init(&writer, &text);
    gw_json_object_begin(&writer);
    gw_api_write_health(&writer, &health);
    write_text(&writer, "version", GW_VERSION);
    gw_json_object_end(&writer);
    gw_api_reply_json(exchange, gw_api_is_ready(&health) ? 200 : 503, &writer);
    gw_buf_deinit(&text);
}

void gw_api_handle_livez(struct gw_api_exchange *exchange)
{
    struct gw_api_health health;
    read_health(exchange->api, &health);
    if (!health.alive) {
        gw_api_reply_problem(exchange, GW_API_PROBLEM_UNAVAILABLE, NULL, "the event loop has not turned lately");
        return;
    }
    gw_api_reply(exchange, 200, "text/plain; charset=utf-8", gw_slice_text("ok\n"), NULL, 0);
}

void gw_api_handle_readyz(struct gw_api_exchange *exchange)
{
    struct gw_api_health health;
    read_health(exchange->api, &health);
    if (gw_api_is_ready(&health)) {
        gw_api_reply(exchange, 200, "text/plain; charset=utf-8", gw_slice_text("ok\n"), NULL, 0);
        return;
    }
    char detail[512] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < health.dependency_count && used < sizeof detail; i++) {
        const struct gw_api_dependency *dependency = &health.dependencies[i];
        if (dependency->required && dependency->state == GW_API_STATE_DOWN) {
            int length = snprintf(detail + used, sizeof detail - used, "%s%s: %s", used > 0 ? "; " : "",
                                  dependency->name, dependency->detail);
            used += length > 0 ? (size_t)length : 0;
        }
    }
    if (used == 0) {
        snprintf(detail, sizeof detail, "%s", health.draining ? "stopping" : "the event loop has not turned lately");
    }
    gw_api_reply_problem(exchange, GW_API_PROBLEM_UNAVAILABLE, NULL, detail);
}

// ---------------------------------------------------------------- version and metrics

void gw_api_handle_version(struct gw_api_exchange *exchange)
{
    struct gw_buf text = {0};
    struct gw_json_writer writer;
    gw_json_writer_init(&writer, &text);
    gw_json_object_begin(&writer);
    write_text(&writer, "name", "godwit");
    write_text(&writer, "version", GW_VERSION);
    write_text(&writer, "compiler", __VERSION__);
    gw_json_object_end(&writer);
    gw_api_reply_json(exchange, 200, &writer);
    gw_buf_deinit(&text);
}

void gw_api_handle_metrics(struct gw_api_exchange *exchange)
{
    struct gw_buf text = {0};
    if (gw_metrics_write(exchange->api->options.metrics, &text) == GW_OK) {
        gw_api_reply(exchange, 200, "text/plain; version=0.0.4; charset=utf-8", gw_buf_slice(&text), NULL, 0);
    } else {
        gw_api_reply_problem(exchange, GW_API_PROBLEM_INTERNAL, NULL, "no memory for the metrics");
    }
    gw_buf_deinit(&text);
}

// ---------------------------------------------------------------- overview

static void write_lanes(struct gw_json_writer *writer, const struct gw_api_overview *overview)
{
    gw_json_write_key(writer, "lanes");
    gw_json_array_begin(writer);
    for (uint32_t i = 0; i < overview->lane_count; i++) {
        const struct gw_api_lane *lane = &overview->lanes[i];
        gw_json_object_begin(writer);
        write_text(writer, "name", lane->name);
        write_number(writer, "requestsPerSecond", lane->requests_per_s);
        write_number(writer, "predictionsPerSecond", lane->predictions_per_s);
        write_number(writer, "p50Ms", lane->p50_ms);
        write_number(writer, "p95Ms", lane->p95_ms);
        write_number(writer, "p99Ms", lane->p99_ms);
        gw_json_object_end(writer);
    }
    gw_json_array_end(writer);
}

static void write_groups(struct gw_json_writer *writer, const struct gw_api_overview *overview)
{
    gw_json_write_key(writer, "groups");
    gw_json_array_begin(writer);
    for (uint32_t i = 0; i < overview->group_count; i++) {
        const struct gw_api_group *group = &overview->groups[i];
        gw_json_object_begin(writer);
        write_text(writer, "name", group->name);
        write_count(writer, "lagRecords", group->lag_records);
        write_number(writer, "recordsPerSecond", group->records_per_s);
        gw_json_object_end(writer);
    }
    gw_json_array_end(writer);
}

static void write_workers(struct gw_json_writer *writer, const struct gw_api_overview *overview)
{
    gw_json_write_key(writer, "workers");
    gw_json_array_begin(writer);
    for (uint32_t i = 0; i < overview->worker_count; i++) {
        const struct gw_api_worker *worker = &overview->workers[i];
        gw_json_object_begin(writer);
        write_text(writer, "name", worker->name);
        write_state(writer, worker->state);
        write_text(writer, "detail", worker->detail);
        gw_json_object_end(writer);
    }
    gw_json_array_end(writer);
}

void gw_api_handle_overview(struct gw_api_exchange *exchange)
{
    const struct gw_api_ports *ports = &exchange->api->ports;
    struct gw_api_overview *overview = gw_mem_calloc(1, sizeof *overview);
    if (overview == NULL) {
        gw_api_reply_problem(exchange, GW_API_PROBLEM_INTERNAL, NULL, "no memory for the overview");
        return;
    }
    struct gw_api_health health;
    read_health(exchange->api, &health);
    ports->overview(ports->context, overview);

    struct gw_buf text = {0};
    struct gw_json_writer writer;
    gw_json_writer_init(&writer, &text);
    gw_json_object_begin(&writer);
    write_count(&writer, "timeMs", overview->time_ms);
    write_count(&writer, "ageMs", GW_MAX(gw_clock_wall_ms() - overview->time_ms, 0)); // the page's clock may be another
    write_text(&writer, "version", GW_VERSION);
    gw_api_write_health(&writer, &health);
    write_number(&writer, "eventsPerSecond", overview->events_per_s);
    write_number(&writer, "featureHitRatio", overview->feature_hit_ratio);
    write_count(&writer, "deadLetters", overview->dead_letter_count);
    write_lanes(&writer, overview);
    write_groups(&writer, overview);
    write_workers(&writer, overview);
    gw_json_object_end(&writer);
    gw_api_reply_json(exchange, 200, &writer);
    gw_buf_deinit(&text);
    gw_mem_free(overview);
}
