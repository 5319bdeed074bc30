// SPDX-License-Identifier: MIT
#include "worker/bridge_model.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { RETRY_US = 5000000 };

struct gw_bridge_model {
    const char *directory;
    uint64_t retry_at_us; // monotonic; the loading thread's own
    pthread_mutex_t lock; // guards what follows
    struct gw_bundle *bundle;
    int64_t loaded_ms;
    char why[GW_ERR_MESSAGE_BYTES]; // the last load failed; "" when it did not
};

gw_status gw_bridge_model_new(const char *directory, struct gw_bridge_model **ret_model, gw_err *err)
{
    struct gw_bridge_model *model = gw_mem_calloc(1, sizeof *model);
    if (model == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for the model shown");
    }
    model->directory = directory;
    snprintf(model->why, sizeof model->why, "not loaded yet");
    pthread_mutex_init(&model->lock, NULL);
    *ret_model = model;
    return GW_OK;
}

void gw_bridge_model_free(struct gw_bridge_model *model)
{
    if (model == NULL) {
        return;
    }
    gw_bundle_unref(model->bundle);
    pthread_mutex_destroy(&model->lock);
    gw_mem_free(model);
}

static bool is_current(struct gw_bridge_model *model, const char *scorers_digest)
{
    pthread_mutex_lock(&model->lock);
    bool current = model->bundle != NULL &&
                   (scorers_digest[0] == '\0' || strcmp(gw_bundle_info(model->bundle)->digest, scorers_digest) == 0);
    pthread_mutex_unlock(&model->lock);
    return current;
}

static void note_failure(struct gw_bridge_model *model, const char *why)
{
    pthread_mutex_lock(&model->lock);
    bool news = strcmp(model->why, why) != 0;
    snprintf(model->why, sizeof model->why, "%s", why);
    pthread_mutex_unlock(&model->lock);
    if (news) {
        gw_log_warn("model.not_loaded", "directory='%s' reason='%s'", model->directory, why);
    }
}

// Takes the bundle.
static void install(struct gw_bridge_model *model, struct gw_bundle *bundle)
{
    const struct gw_bundle_info *info = gw_bundle_info(bundle);
    pthread_mutex_lock(&model->lock);
    struct gw_bundle *old = model->bundle;
    bool news = old == NULL || strcmp(gw_bundle_info(old)->digest, info->digest) != 0;
    if (news) {
        model->bundle = bundle;
        model->loaded_ms = gw_clock_wall_ms();
    }
    model->why[0] = '\0';
    pthread_mutex_unlock(&model->lock);
    gw_bundle_unref(news ? old : bundle);
    if (news) {
        gw_log_info("model.loaded", "name='%s' version=%d digest=%s", info->model_name, info->version, info->digest);
    }
}

void gw_bridge_model_refresh(struct gw_bridge_model *model, const char *scorers_digest)
{
    uint64_t now_us = gw_clock_mono_us();
    if (now_us < model->retry_at_us || is_current(model, scorers_digest)) {
        return;
    }
    model->retry_at_us = now_us + RETRY_US;
    struct gw_bundle *bundle = NULL;
    gw_err err = {0};
    if (gw_bundle_load(model->directory, &bundle, &err) != GW_OK) {
        note_failure(model, err.message);
        return;
    }
    install(model, bundle);
}

int gw_bridge_model_primary_head(struct gw_bridge_model *model, struct gw_slice name, int32_t version)
{
    int head = -1;
    pthread_mutex_lock(&model->lock);
    if (model->bundle != NULL) {
        const struct gw_bundle_info *info = gw_bundle_info(model->bundle);
        if (info->version == version && gw_slice_is(name, info->model_name)) {
            head = (int)info->primary_head;
        }
    }
    pthread_mutex_unlock(&model->lock);
    return head;
}

void gw_bridge_model_show(struct gw_bridge_model *model, gw_api_model_sink each, void *sink)
{
    pthread_mutex_lock(&model->lock);
    struct gw_bundle *bundle = model->bundle != NULL ? gw_bundle_ref(model->bundle) : NULL;
    int64_t loaded_ms = model->loaded_ms;
    pthread_mutex_unlock(&model->lock);
    if (bundle != NULL) {
        const struct gw_api_model shown = {
            .info = gw_bundle_info(bundle), .state = "CHAMPION", .production = true, .loaded_ms = loaded_ms};
        each(sink, &shown);
        gw_bundle_unref(bundle);
    }
}

void gw_bridge_model_health(struct gw_bridge_model *model, const char *scorers_digest,
                            struct gw_api_dependency *ret_health)
{
    pthread_mutex_lock(&model->lock);
    *ret_health = (struct gw_api_dependency){.name = "model", .required = true, .latency_ms = NAN};
    if (model->bundle == NULL) {
        ret_health->state = GW_API_STATE_DOWN;
        snprintf(ret_health->detail, sizeof ret_health->detail, "%s", model->why);
    } else if (scorers_digest[0] != '\0' && strcmp(gw_bundle_info(model->bundle)->digest, scorers_digest) != 0) {
        ret_health->state = GW_API_STATE_WARN;
        snprintf(ret_health->detail, sizeof ret_health->detail, "scorers use bundle %.12s, the directory holds %.12s",
                 scorers_digest, gw_bundle_info(model->bundle)->digest);
    } else {
        ret_health->state = GW_API_STATE_UP;
    }
    pthread_mutex_unlock(&model->lock);
}
