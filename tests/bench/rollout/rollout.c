// SPDX-License-Identifier: MIT
#include "rollout/rollout.h"

#include "base/clock.h"
#include "http/client.h"
#include "kafka/admin.h"
#include "support/report.h"
#include "support/schedule.h"
#include "worker/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEP_US = 20000, CALL_MS = 5000, BUNDLE_JSON_BYTES = 4 << 20, PATH_BYTES = 1024 };

const char rollout_name[] = "rollout";

static const char actor[] = "bench";

// ---- life -----------------------------------------------------------------------------------------------------------

gw_status rollout_init(struct rollout *rollout, gw_err *err)
{
    GW_TRY(gw_registry_settings_init(&rollout->options, rollout->session->config, "godwit bench", err));
    return gw_registry_new(&rollout->options.options, &rollout->registry, err);
}

void rollout_deinit(struct rollout *rollout)
{
    rollout_stop_scorers(rollout);
    bench_child_stop(&rollout->bridge);
    gw_registry_free(rollout->registry);
    gw_registry_settings_deinit(&rollout->options);
}

void rollout_stop_scorers(struct rollout *rollout)
{
    for (size_t i = 0; i < rollout->scorer_count; i++) {
        bench_child_stop(&rollout->scorers[i]);
    }
}

gw_status rollout_check(struct rollout *rollout, gw_err *err)
{
    for (size_t i = 0; i < rollout->scorer_count; i++) {
        GW_TRY(bench_child_check(&rollout->scorers[i], err));
    }
    return bench_child_check(&rollout->bridge, err);
}

static gw_status start_scorer(struct rollout *rollout, size_t index, gw_err *err)
{
    const struct rollout_settings *s = rollout->settings;
    char model[160];
    char cache[PATH_BYTES];
    char instance[64];
    char ops_port[64];
    char log[PATH_BYTES];
    int position = gw_worker_find("score"); // its place in the table of workers is added to the base
    snprintf(model, sizeof model, "score.default_model=%s", s->model);
    snprintf(cache, sizeof cache, "score.model_directory=%s/%zu", s->caches, index);
    snprintf(instance, sizeof instance, "worker.instance=rollout-%zu", index);
    snprintf(ops_port, sizeof ops_port, "worker.ops_port_base=%d", (int)s->ops_port + (int)index - position);
    snprintf(log, sizeof log, "%s.%zu", s->log, index);
    const char *const sets[] = {model, cache, instance, ops_port, "score.bulk_threads=1", "log.level=info", NULL};
    return bench_child_start(s->program, "score", sets, log, &rollout->scorers[index], err);
}

static gw_status get(const struct rollout *rollout, size_t scorer, const char *path, struct gw_buf *body, int *ret_code,
                     gw_err *err)
{
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", (int)rollout->settings->ops_port + (int)scorer);
    const struct gw_http_client_options options = {.urls = url, .timeout_ms = CALL_MS};
    const struct gw_http_call call = {.method = "GET", .path = path};
    struct gw_http_client *client = NULL;
    GW_TRY(gw_http_client_new(&options, &client, err));
    gw_status status = gw_http_client_call(client, &call, body, ret_code, err);
    gw_http_client_free(client);
    return status;
}

static gw_status is_ready(const struct rollout *rollout, struct gw_kafka_admin *admin, bool *ret_ready, gw_err *err)
{
    struct gw_buf body = {0};
    int32_t members = 0;
    bool ready = true;
    for (size_t i = 0; i < rollout->scorer_count && ready; i++) {
        int code = 0;
        gw_err ignored = {0};
        ready = get(rollout, i, "/readyz", &body, &code, &ignored) == GW_OK && code == 200;
    }
    gw_buf_deinit(&body);
    if (ready) {
        GW_TRY(gw_kafka_admin_group_members(admin, gw_runtime_group(&rollout->session->runtime, "score"), CALL_MS,
                                            &members, err));
    }
    *ret_ready = ready && members == (int32_t)rollout->scorer_count;
    return GW_OK;
}

static gw_status wait_until_ready(struct rollout *rollout, struct gw_kafka_admin *admin, gw_err *err)
{
    uint64_t until_us = gw_clock_mono_us() + ROLLOUT_PATIENCE_S * 1000000ULL;
    bool ready = false;
    while (!ready) {
        if (gw_clock_mono_us() > until_us) {
            return gw_fail(err, GW_E_TIMEOUT, "scorers are not ready, see '%s'", rollout->scorers[0].log);
        }
        GW_TRY(rollout_check(rollout, err));
        GW_TRY(is_ready(rollout, admin, &ready, err));
        bench_sleep_until(gw_clock_mono_us() + STEP_US);
    }
    return GW_OK;
}

gw_status rollout_start(struct rollout *rollout, size_t scorer_count, gw_err *err)
{
    const struct rollout_settings *s = rollout->settings;
    char log[PATH_BYTES];
    char model[160];
    snprintf(log, sizeof log, "%s.bridge", s->log);
    snprintf(model, sizeof model, "score.default_model=%s", s->model);
    const char *const sets[] = {model, NULL};
    GW_TRY(bench_child_start(s->program, "bridge", sets, log, &rollout->bridge, err));
    rollout->scorer_count = scorer_count;
    for (size_t i = 0; i < scorer_count; i++) {
        GW_TRY(start_scorer(rollout, i, err));
    }
    struct gw_kafka_admin *admin = NULL;
    GW_TRY(gw_kafka_admin_new(&rollout->session->runtime.kafka, &admin, err));
    gw_status status = wait_until_ready(rollout, admin, err);
    gw_kafka_admin_free(admin);
    return status;
}

// ---- versions -------------------------------------------------------------------------------------------------------

static gw_status read_text(const char *path, struct gw_buf *text, gw_err *err)
{
    FILE *file = fopen(path, "re");
    char piece[4096];
    size_t size = 0;
    gw_status status = file != NULL ? GW_OK : gw_fail(err, GW_E_IO, "cannot read '%s'", path);
    while (status == GW_OK && (size = fread(piece, 1, sizeof piece, file)) > 0) {
        status = text->size + size <= BUNDLE_JSON_BYTES ? gw_buf_append(text, piece, size)
                                                        : gw_fail(err, GW_E_TOO_LARGE, "'%s' is too large", path);
    }
    if (file != NULL) {
        fclose(file);
    }
    return status == GW_OK ? gw_buf_append(text, "", 1) : status;
}

// Another bundle with the same models: a word in the metadata makes another digest.
static gw_status write_marked(const char *path, const char *text, const char *mark, gw_err *err)
{
    static const char metadata[] = "\"metadata\":{\"";
    const char *at = strstr(text, metadata);
    FILE *file = at != NULL ? fopen(path, "we") : NULL;
    if (file == NULL) {
        return gw_fail(err, GW_E_IO, "cannot write '%s', or it has no metadata", path);
    }
    at += strlen(metadata) - 1;
    bool written = fprintf(file, "%.*s\"rollout\":\"%s\",%s", (int)(at - text), text, mark, at) > 0;
    return fclose(file) == 0 && written ? GW_OK : gw_fail(err, GW_E_IO, "cannot write '%s'", path);
}

static gw_status register_from(struct rollout *rollout, const char *directory, const char *text, const char *mark,
                               int32_t *ret_version, gw_err *err)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/bundle.json", directory);
    GW_TRY(write_marked(path, text, mark, err));
    const struct gw_registry_register request = {.model = rollout->settings->model,
                                                 .directory = directory,
                                                 .description = "",
                                                 .features = rollout->session->runtime.features};
    const struct gw_registry_change change = {.actor = actor, .reason = "rollout"};
    struct gw_registry_outcome outcome;
    GW_TRY(gw_registry_register(rollout->registry, &request, &change, &outcome, err));
    *ret_version = outcome.version;
    return GW_OK;
}

gw_status rollout_register(struct rollout *rollout, size_t count, int32_t *versions, gw_err *err)
{
    struct gw_buf texts[ROLLOUT_BUNDLES] = {0};
    char directories[ROLLOUT_BUNDLES][PATH_BYTES - 16];
    gw_status status = GW_OK;
    for (size_t b = 0; b < ROLLOUT_BUNDLES && status == GW_OK; b++) {
        char path[PATH_BYTES];
        snprintf(directories[b], sizeof directories[b], "%s/%zu", rollout->settings->bundles, b);
        snprintf(path, sizeof path, "%s/bundle.json", directories[b]);
        status = read_text(path, &texts[b], err);
    }
    for (size_t i = 0; i < count && status == GW_OK; i++) {
        char mark[64];
        snprintf(mark, sizeof mark, "%lld-%zu", (long long)gw_clock_wall_us(), i);
        size_t b = i % ROLLOUT_BUNDLES;
        status = register_from(rollout, directories[b], (const char *)texts[b].data, mark, &versions[i], err);
    }
    for (size_t b = 0; b < ROLLOUT_BUNDLES; b++) {
        gw_buf_deinit(&texts[b]);
    }
    if (status == GW_OK) {
        bench_note("%zu versions registered", count);
    }
    return status;
}

gw_status rollout_promote(struct rollout *rollout, int32_t version, int64_t *ret_sequence, gw_err *err)
{
    const struct gw_registry_change change = {.actor = actor, .reason = "rollout"};
    struct gw_registry_outcome outcome;
    GW_TRY(gw_registry_promote(rollout->registry, rollout->settings->model, version, &change, &outcome, err));
    *ret_sequence = outcome.sequence;
    return GW_OK;
}

// ---- what scorers say -----------------------------------------------------------------------------------------------

gw_status rollout_metric(const struct rollout *rollout, size_t scorer, const char *prefix, double *ret_value,
                         gw_err *err)
{
    struct gw_buf body = {0};
    int code = 0;
    gw_status status = get(rollout, scorer, "/metrics", &body, &code, err);
    if (status == GW_OK) {
        status = code == 200 ? gw_buf_append(&body, "", 1) : gw_fail(err, GW_E_UNAVAILABLE, "/metrics says %d", code);
    }
    double sum = 0;
    for (const char *line = (const char *)body.data; status == GW_OK && line != NULL;) {
        const char *end = strchr(line, '\n');
        if (strncmp(line, prefix, strlen(prefix)) == 0) {
            const char *value = strchr(line, ' ');
            sum += value != NULL ? strtod(value, NULL) : 0;
        }
        line = end != NULL ? end + 1 : NULL;
    }
    gw_buf_deinit(&body);
    if (status == GW_OK) {
        *ret_value = sum;
    }
    return status;
}

gw_status rollout_report_loads(const struct rollout *rollout, gw_err *err)
{
    double count = 0;
    double seconds = 0;
    for (size_t i = 0; i < rollout->scorer_count; i++) {
        double more = 0;
        GW_TRY(rollout_metric(rollout, i, "godwit_score_model_load_seconds_count", &more, err));
        count += more;
        GW_TRY(rollout_metric(rollout, i, "godwit_score_model_load_seconds_sum", &more, err));
        seconds += more;
    }
    rollout_report(rollout, "loads", count, "loads");
    rollout_report(rollout, "load_mean_ms", seconds * 1e3 / GW_MAX(count, 1), "ms");
    return GW_OK;
}

void rollout_report(const struct rollout *rollout, const char *metric, double value, const char *unit)
{
    bench_report(rollout_name, rollout->settings->case_name, metric, value, unit);
}
