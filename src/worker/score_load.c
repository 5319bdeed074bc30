// SPDX-License-Identifier: MIT
#include "worker/score_load.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "registry/artefacts.h"
#include "worker/database.h"
#include "worker/score_follow.h"
#include "worker/score_warm.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    PATH_BYTES = 4096,
    ACTOR_BYTES = 129,
    CACHED_ARTEFACTS = 32, // kept on disk, the last used: a rollback needs no database
};

// How a load ended.  X(suffix, name)
#define RESULT_MAP(X)                                                                                                  \
    X(OK, "ok")                                                                                                        \
    X(REFUSED, "refused") /* it can never serve */                                                                     \
    X(RETRY, "retry")     /* something it needs is away */

enum result {
#define X(suffix, name) RESULT_##suffix,
    RESULT_MAP(X)
#undef X
        RESULT_COUNT
};

struct gw_score_loader {
    const struct gw_runtime *runtime;
    const char *cache; // directory
    struct gw_registry *registry;
    struct gw_score_warm *warm;
    char actor[ACTOR_BYTES];
    struct gw_metric *loads[RESULT_COUNT];
    struct gw_metric *seconds;
};

static gw_status make_metrics(struct gw_score_loader *loader, gw_err *err)
{
    static const char *const labels[RESULT_COUNT] = {
#define X(suffix, name) "result=\"" name "\"",
        RESULT_MAP(X)
#undef X
    };
    struct gw_metrics *metrics = loader->runtime->metrics;
    loader->seconds = gw_metrics_histogram(metrics, "godwit_score_model_load_seconds", "",
                                           "Time to fetch, verify and warm up a model that could be loaded.");
    bool made = loader->seconds != NULL;
    for (int i = 0; i < RESULT_COUNT; i++) {
        loader->loads[i] = gw_metrics_counter(metrics, "godwit_score_model_loads_total", labels[i],
                                              "Loads of a model version: ok, refused for good, to be tried again.");
        made = made && loader->loads[i] != NULL;
    }
    return made ? GW_OK : gw_fail(err, GW_E_MEMORY, "no memory for metrics");
}

static gw_status open_registry(struct gw_score_loader *loader, gw_err *err)
{
    const struct gw_config *config = loader->runtime->config;
    char *uri = NULL;
    GW_TRY(gw_database_uri(config, &uri, err));
    const struct gw_registry_options options = {
        .uri = uri,
        .application = "godwit score",
        .timeout_ms = (uint32_t)(gw_config_duration_us(config, GW_OPT_POSTGRES_TIMEOUT) / 1000)};
    gw_status status = gw_registry_new(&options, &loader->registry, err);
    gw_mem_free(uri);
    return status;
}

static gw_status init(struct gw_score_loader *loader, struct gw_score_recent *recent, gw_err *err)
{
    GW_TRY(make_metrics(loader, err));
    GW_TRY(open_registry(loader, err));
    return gw_score_warm_new(loader->runtime, recent, &loader->warm, err);
}

gw_status gw_score_loader_new(const struct gw_runtime *runtime, struct gw_score_recent *recent,
                              struct gw_score_loader **ret_loader, gw_err *err)
{
    struct gw_score_loader *loader = gw_mem_calloc(1, sizeof *loader);
    if (loader == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory to load models");
    }
    loader->runtime = runtime;
    loader->cache = gw_config_text(runtime->config, GW_OPT_SCORE_MODEL_DIRECTORY);
    snprintf(loader->actor, sizeof loader->actor, "score@%s", runtime->instance);
    gw_status status = init(loader, recent, err);
    if (status != GW_OK) {
        gw_score_loader_free(loader);
        return status;
    }
    *ret_loader = loader;
    return GW_OK;
}

void gw_score_loader_free(struct gw_score_loader *loader)
{
    if (loader == NULL) {
        return;
    }
    gw_score_warm_free(loader->warm);
    gw_registry_free(loader->registry);
    gw_mem_free(loader);
}

// ---- load -----------------------------------------------------------------------------------------------------------

static gw_status fetch(struct gw_score_loader *loader, const char *digest, char path[PATH_BYTES], gw_err *err)
{
    gw_status status = gw_artefacts_fetch(loader->registry, loader->cache, digest, path, PATH_BYTES, err);
    if (status == GW_E_CONFIG) { // of the connection, not of the model: somebody will set it right
        return gw_fail_context(err, GW_E_UNAVAILABLE, "artefacts");
    }
    return status;
}

// The registry is told why, and everybody reads it there: where the copy lies on this machine says nothing to them.
static void drop_path(gw_err *err, const char *path)
{
    const char *at = err != NULL ? strstr(err->message, path) : NULL;
    const char *behind = at != NULL ? strstr(at + strlen(path), ": ") : NULL;
    if (behind != NULL) {
        memmove(err->message, behind + 2, strlen(behind + 2) + 1);
    }
}

static gw_status bind(struct gw_score_loader *loader, const char *path, const char *model,
                      const struct gw_route_version *version, struct gw_score_model **ret_model, gw_err *err)
{
    int held = gw_artefacts_hold(loader->cache, version->digest);
    gw_status status =
        gw_score_model_load(path, model, version->version, version->digest, loader->runtime->features, ret_model, err);
    if (status != GW_OK) {
        drop_path(err, path);
    }
    if (status != GW_E_CONFIG && gw_score_failure_is_final(status)) {
        gw_artefacts_forget_held(loader->cache, version->digest, held);
    }
    if (held >= 0) {
        close(held);
    }
    return status;
}

// A cached copy that does not load may have been damaged on this disk: it is made anew once before the version is
// blamed. One that was made anew and is gone was taken away by another process that shares the cache, and no fault of
// the version's.
static gw_status fetch_and_bind(struct gw_score_loader *loader, const char *model,
                                const struct gw_route_version *version, struct gw_score_model **ret_model,
                                uint64_t *ret_fetch_us, gw_err *err)
{
    char path[PATH_BYTES];
    gw_status status = GW_OK;
    *ret_fetch_us = 0;
    for (int attempt = 0; attempt < 2; attempt++) {
        uint64_t began_us = gw_clock_mono_us();
        status = fetch(loader, version->digest, path, err);
        *ret_fetch_us += gw_clock_mono_us() - began_us;
        if (status != GW_OK) {
            return status;
        }
        status = bind(loader, path, model, version, ret_model, err);
        if (status == GW_E_CONFIG || !gw_score_failure_is_final(status)) {
            return status;
        }
    }
    return status == GW_E_NOT_FOUND ? gw_fail_context(err, GW_E_UNAVAILABLE, "the cached copy went away") : status;
}

static gw_status load(struct gw_score_loader *loader, const char *model, const struct gw_route_version *version,
                      struct gw_score_model **ret_model, gw_err *err)
{
    struct gw_score_model *loaded = NULL;
    uint64_t fetch_us = 0;
    uint64_t candidates = 0;
    uint64_t began_us = gw_clock_mono_us();
    GW_TRY(fetch_and_bind(loader, model, version, &loaded, &fetch_us, err));
    uint64_t bound_us = gw_clock_mono_us();
    gw_status status = gw_score_warm_up(loader->warm, loaded, &candidates, err);
    if (status != GW_OK) {
        gw_score_model_unref(loaded);
        return status;
    }
    uint64_t end_us = gw_clock_mono_us();
    gw_metric_observe_us(loader->seconds, end_us - began_us);
    gw_log_info("model.loaded",
                "model='%s' version=%d digest=%.12s fetch_ms=%.1f load_ms=%.1f warm_ms=%.1f warm_candidates=%llu",
                model, version->version, version->digest, (double)fetch_us / 1e3,
                (double)(bound_us - began_us - fetch_us) / 1e3, (double)(end_us - bound_us) / 1e3,
                (unsigned long long)candidates);
    *ret_model = loaded;
    return GW_OK;
}

gw_status gw_score_loader_load(void *context, const char *model, const struct gw_route_version *version,
                               struct gw_score_model **ret_model, gw_err *err)
{
    struct gw_score_loader *loader = context;
    gw_status status = load(loader, model, version, ret_model, err);
    enum result result = status == GW_OK                     ? RESULT_OK
                         : gw_score_failure_is_final(status) ? RESULT_REFUSED
                                                             : RESULT_RETRY;
    gw_metric_add(loader->loads[result], 1);
    gw_err trim = {0};
    if (status == GW_OK && gw_artefacts_trim(loader->cache, CACHED_ARTEFACTS, &trim) != GW_OK) {
        gw_log_warn("models.not_trimmed", "reason='%s'", trim.message);
    }
    return status;
}

gw_status gw_score_loader_reject(void *context, const char *model, int32_t version, const char *reason, gw_err *err)
{
    struct gw_score_loader *loader = context;
    const struct gw_registry_change change = {.actor = loader->actor, .reason = reason};
    struct gw_registry_outcome outcome;
    return gw_registry_reject(loader->registry, model, version, &change, &outcome, err);
}
