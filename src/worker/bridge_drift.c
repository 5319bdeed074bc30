// SPDX-License-Identifier: MIT
#include "worker/bridge_drift.h"

#include "base/clock.h"
#include "base/mem.h"
#include "worker/alert_view.h"
#include "worker/drift_view.h"
#include "worker/topic_tail.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    LOOK_BACK_RECORDS = 20000,
    MODELS_MAX = 64,
    ALERTS_MAX = 256,
    UPDATES_MISSED = 3, // until an open alert is stale
    PICTURES = 8,       // kept
    PICTURE_AGE_US = 2000000,
    WAIT_MS = 1000,
};

struct picture {
    char model[256]; // as asked for; "" nothing is kept
    int32_t version; // as asked for
    double rate_per_s;
    uint64_t made_us;
    struct gw_api_drift drift;
};

struct gw_bridge_drift {
    const struct gw_runtime *runtime;
    struct gw_alert_view *view; // under the tail's lock
    struct gw_topic_tail *tail;

    pthread_mutex_t lock; // guards what follows
    pthread_cond_t free_now;
    bool busy; // a picture is being made
    struct picture pictures[PICTURES];
};

// ---- alerts ---------------------------------------------------------------------------------------------------------

static gw_status note(void *context, struct gw_slice body, struct gw_arena *arena, gw_err *err)
{
    struct gw_bridge_drift *drift = context;
    struct gw_drift_alert record;
    GW_TRY(gw_drift_alert_decode(body, arena, &record, err));
    return gw_alert_view_note(drift->view, &record, err);
}

gw_status gw_bridge_drift_wait(struct gw_bridge_drift *drift, uint32_t timeout_ms, gw_err *err)
{
    return gw_topic_tail_wait(drift->tail, timeout_ms, err);
}

gw_status gw_bridge_drift_alerts(struct gw_bridge_drift *drift, const struct gw_api_alerts_ask *ask,
                                 struct gw_api_alerts *ret_alerts, gw_err *err)
{
    const char *why = NULL;
    gw_topic_tail_lock(drift->tail);
    gw_status status = gw_alert_view_ask(drift->view, ask, ret_alerts, err);
    if (status == GW_OK) {
        ret_alerts->caught_up = gw_topic_tail_caught_up(drift->tail, &why);
    }
    gw_topic_tail_unlock(drift->tail);
    return status;
}

// ---- pictures -------------------------------------------------------------------------------------------------------

static gw_status copy(const struct gw_api_drift *from, struct gw_api_drift *to, gw_err *err)
{
    struct gw_api_drift_stream *streams = NULL;
    if (from->stream_count > 0) {
        streams = gw_mem_calloc(from->stream_count, sizeof *streams);
        if (streams == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for a picture of drift");
        }
        memcpy(streams, from->streams, from->stream_count * sizeof *streams);
    }
    *to = *from;
    to->streams = streams;
    return GW_OK;
}

static const struct picture *find(const struct gw_bridge_drift *drift, const struct gw_api_drift_ask *ask)
{
    uint64_t now_us = gw_clock_mono_us();
    for (int i = 0; i < PICTURES; i++) {
        const struct picture *picture = &drift->pictures[i];
        if (strcmp(picture->model, ask->model) == 0 && picture->version == ask->version &&
            picture->rate_per_s == ask->rate_per_s && now_us - picture->made_us < PICTURE_AGE_US) {
            return picture;
        }
    }
    return NULL;
}

// Keeps a copy in the place of the oldest; without memory nothing is kept.
static void keep(struct gw_bridge_drift *drift, const struct gw_api_drift_ask *ask, const struct gw_api_drift *made)
{
    struct picture *place = &drift->pictures[0];
    for (int i = 1; i < PICTURES; i++) {
        place = drift->pictures[i].made_us < place->made_us ? &drift->pictures[i] : place;
    }
    gw_mem_free(place->drift.streams);
    *place = (struct picture){.version = ask->version, .rate_per_s = ask->rate_per_s, .made_us = gw_clock_mono_us()};
    if (copy(made, &place->drift, NULL) == GW_OK) {
        snprintf(place->model, sizeof place->model, "%s", ask->model);
    }
}

// Under the lock: waits until no other picture is being made.
static gw_status wait_for_turn(struct gw_bridge_drift *drift, gw_err *err)
{
    uint64_t until_us = gw_clock_mono_us() + (uint64_t)WAIT_MS * 1000;
    const struct timespec until = {.tv_sec = (time_t)(until_us / 1000000),
                                   .tv_nsec = (long)(until_us % 1000000) * 1000};
    int error = 0;
    while (drift->busy && error == 0) {
        error = pthread_cond_timedwait(&drift->free_now, &drift->lock, &until);
    }
    return drift->busy ? gw_fail(err, GW_E_EXHAUSTED, "another picture of drift is being made: ask again") : GW_OK;
}

gw_status gw_bridge_drift_picture(struct gw_bridge_drift *drift, const struct gw_api_drift_ask *ask,
                                  struct gw_api_drift *ret_drift, gw_err *err)
{
    pthread_mutex_lock(&drift->lock);
    gw_status status = wait_for_turn(drift, err);
    const struct picture *kept = status == GW_OK ? find(drift, ask) : NULL;
    if (kept != NULL) {
        status = copy(&kept->drift, ret_drift, err);
    }
    if (status != GW_OK || kept != NULL) {
        pthread_mutex_unlock(&drift->lock);
        return status;
    }
    drift->busy = true;
    pthread_mutex_unlock(&drift->lock);
    status = gw_drift_view_ask(drift->runtime, ask, ret_drift, err);
    pthread_mutex_lock(&drift->lock);
    drift->busy = false;
    if (status == GW_OK) {
        keep(drift, ask, ret_drift);
    }
    pthread_cond_broadcast(&drift->free_now);
    pthread_mutex_unlock(&drift->lock);
    return status;
}

// ---- life -----------------------------------------------------------------------------------------------------------

static gw_status start(struct gw_bridge_drift *drift, gw_err *err)
{
    const struct gw_alert_view_options view = {
        .models_max = MODELS_MAX,
        .alerts_max = ALERTS_MAX,
        .stale_ms =
            UPDATES_MISSED * (gw_config_duration_us(drift->runtime->config, GW_OPT_MONITOR_DRIFT_UPDATE) / 1000)};
    const struct gw_topic_tail_options tail = {.runtime = drift->runtime,
                                               .topic = GW_TOPIC_DRIFT_ALERTS,
                                               .records_max = LOOK_BACK_RECORDS,
                                               .visit = note,
                                               .context = drift};
    drift->view = gw_alert_view_new(&view);
    if (drift->view == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for alerts");
    }
    return gw_topic_tail_start(&tail, &drift->tail, err);
}

gw_status gw_bridge_drift_start(const struct gw_runtime *runtime, struct gw_bridge_drift **ret_drift, gw_err *err)
{
    pthread_condattr_t monotonic;
    struct gw_bridge_drift *drift = gw_mem_calloc(1, sizeof *drift);
    if (drift == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for alerts");
    }
    drift->runtime = runtime;
    pthread_mutex_init(&drift->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&drift->free_now, &monotonic);
    pthread_condattr_destroy(&monotonic);
    gw_status status = start(drift, err);
    if (status != GW_OK) {
        gw_bridge_drift_stop(drift);
        return status;
    }
    *ret_drift = drift;
    return GW_OK;
}

void gw_bridge_drift_stop(struct gw_bridge_drift *drift)
{
    if (drift == NULL) {
        return;
    }
    gw_topic_tail_stop(drift->tail);
    gw_alert_view_free(drift->view);
    for (int i = 0; i < PICTURES; i++) {
        gw_mem_free(drift->pictures[i].drift.streams);
    }
    pthread_cond_destroy(&drift->free_now);
    pthread_mutex_destroy(&drift->lock);
    gw_mem_free(drift);
}
