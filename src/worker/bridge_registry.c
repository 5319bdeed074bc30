// SPDX-License-Identifier: MIT
#include "worker/bridge_registry.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "registry/relay.h"
#include "registry/views.h"
#include "worker/relay_options.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    TICK_MS = 20,
    RETRY_MS = 500, // the adapters' own pauses grow
    CHAMPION_EVERY_US = 1000000,
    FOLLOW_US = 10000000, // scorers that do not serve a new champion by then are worth a warning
};

struct gw_bridge_registry {
    const struct gw_runtime *runtime;
    const char *model; // the default one
    struct gw_relay_settings settings;
    struct gw_relay *relay;       // the thread's
    struct gw_registry *registry; // the thread's
    struct gw_metric *published;
    struct gw_metric *relaying;
    struct gw_metric *failures;

    pthread_mutex_t lock; // guards what follows
    bool waiting;         // another bridge relays
    char relay_why[160];  // the last attempt failed; "" when it did not
    struct gw_route route; // of the default model, sequence 0: none is known
    uint64_t route_us;     // monotonic time since which it is known
    char route_why[160];   // why it is not

    atomic_bool closing;
    pthread_t thread;
    bool started;
};

static void pause_ms(struct gw_bridge_registry *self, uint64_t ms)
{
    for (uint64_t waited = 0; waited < ms && !atomic_load(&self->closing); waited += TICK_MS) {
        const struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
        nanosleep(&tick, NULL);
    }
}

static void note_relay(struct gw_bridge_registry *self, gw_status status, enum gw_relay_state state, const char *why)
{
    pthread_mutex_lock(&self->lock);
    bool was_waiting = self->waiting;
    bool news = strcmp(self->relay_why, why) != 0;
    self->waiting = status == GW_OK && state == GW_RELAY_WAITING;
    bool waits = self->waiting;
    snprintf(self->relay_why, sizeof self->relay_why, "%s", why);
    pthread_mutex_unlock(&self->lock);
    gw_metric_set(self->relaying, status == GW_OK && state != GW_RELAY_WAITING ? 1 : 0);
    if (status != GW_OK) {
        gw_metric_add(self->failures, 1);
        if (news) {
            gw_log_warn("registry.not_published", "reason='%s'", why);
        }
    } else if (news || was_waiting != waits) {
        gw_log_info("registry.relay", "state=%s", waits ? "waiting" : "publishing");
    }
}

static gw_status relay(struct gw_bridge_registry *self, gw_err *err)
{
    enum gw_relay_state state = GW_RELAY_WAITING;
    int64_t published = 0;
    gw_status status = gw_relay_run(self->relay, &state, &published, err);
    if (status == GW_OK && state == GW_RELAY_CAUGHT_UP) {
        gw_metric_set(self->published, (double)published);
    }
    note_relay(self, status, state, status == GW_OK ? "" : err->message);
    return status;
}

static void look_at_champion(struct gw_bridge_registry *self)
{
    gw_err err = {0};
    struct gw_route route = {0};
    gw_status status = gw_registry_route(self->registry, self->model, &route, &err);
    pthread_mutex_lock(&self->lock);
    if (status == GW_OK && route.sequence != self->route.sequence) {
        self->route_us = gw_clock_mono_us();
    }
    if (status == GW_OK || status == GW_E_NOT_FOUND) {
        self->route = status == GW_OK ? route : (struct gw_route){0};
    }
    snprintf(self->route_why, sizeof self->route_why, "%s", status == GW_OK ? "" : err.message);
    pthread_mutex_unlock(&self->lock);
}

static void *run(void *argument)
{
    struct gw_bridge_registry *self = argument;
    uint64_t next_us = 0;
    while (!atomic_load(&self->closing)) {
        gw_err err = {0};
        gw_status status = relay(self, &err);
        if (gw_clock_mono_us() >= next_us) {
            look_at_champion(self);
            next_us = gw_clock_mono_us() + CHAMPION_EVERY_US;
        }
        pause_ms(self, status == GW_OK ? TICK_MS : RETRY_MS);
    }
    return NULL;
}

// ---- health ---------------------------------------------------------------------------------------------------------

void gw_bridge_registry_health(struct gw_bridge_registry *self, struct gw_api_dependency *ret_health)
{
    pthread_mutex_lock(&self->lock);
    *ret_health = (struct gw_api_dependency){.name = "registry", .state = GW_API_STATE_UP, .latency_ms = NAN};
    if (self->relay_why[0] != '\0') {
        ret_health->state = GW_API_STATE_WARN;
        snprintf(ret_health->detail, sizeof ret_health->detail, "changes are not published: %.120s", self->relay_why);
    }
    pthread_mutex_unlock(&self->lock);
}

static void describe_lag(const struct gw_bridge_registry *self, const char *scorers_digest,
                         struct gw_api_dependency *ret_health)
{
    const struct gw_route_version *champion = &self->route.targets[0];
    if (self->route.sequence == 0 || self->route.target_count == 0 || strcmp(champion->digest, scorers_digest) == 0 ||
        gw_clock_mono_us() - self->route_us < FOLLOW_US) {
        return;
    }
    ret_health->state = GW_API_STATE_WARN;
    snprintf(ret_health->detail, sizeof ret_health->detail, "scorers serve bundle %.12s, champion is version %d (%.12s)",
             scorers_digest, champion->version, champion->digest);
}

void gw_bridge_registry_model_health(struct gw_bridge_registry *self, const char *scorers_digest,
                                     struct gw_api_dependency *ret_health)
{
    pthread_mutex_lock(&self->lock);
    *ret_health = (struct gw_api_dependency){
        .name = "model", .state = GW_API_STATE_UP, .required = true, .latency_ms = NAN};
    if (scorers_digest[0] == '\0') {
        ret_health->state = GW_API_STATE_DOWN;
        snprintf(ret_health->detail, sizeof ret_health->detail, "no scorer has a model '%.40s' loaded%s%.60s", self->model,
                 self->route_why[0] != '\0' ? ": " : "", self->route_why);
    } else {
        describe_lag(self, scorers_digest, ret_health);
    }
    pthread_mutex_unlock(&self->lock);
}

// ---- life -----------------------------------------------------------------------------------------------------------

static gw_status make_metrics(struct gw_bridge_registry *self, gw_err *err)
{
    struct gw_metrics *metrics = self->runtime->metrics;
    self->published = gw_metrics_gauge(metrics, "godwit_registry_published_sequence", "",
                                       "Last event of the registry that this bridge knows to be in the topic.");
    self->relaying = gw_metrics_gauge(metrics, "godwit_registry_relay_active", "",
                                      "1 while this bridge publishes the registry's events.");
    self->failures = gw_metrics_counter(metrics, "godwit_registry_relay_failures_total", "",
                                        "Attempts to publish that failed.");
    if (self->published == NULL || self->relaying == NULL || self->failures == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for metrics");
    }
    return GW_OK;
}

static gw_status start(struct gw_bridge_registry *self, gw_err *err)
{
    GW_TRY(make_metrics(self, err));
    GW_TRY(gw_relay_settings_init(&self->settings, self->runtime, "godwit bridge", err));
    self->settings.options.stop = &self->closing;
    GW_TRY(gw_relay_new(&self->settings.options, &self->relay, err));
    GW_TRY(gw_registry_new(&self->settings.registry.options, &self->registry, err));
    int error = pthread_create(&self->thread, NULL, run, self);
    if (error != 0) {
        return gw_fail(err, GW_E_INTERNAL, "cannot start a thread: %s", strerror(error));
    }
    self->started = true;
    return GW_OK;
}

gw_status gw_bridge_registry_start(const struct gw_runtime *runtime, struct gw_bridge_registry **ret_registry,
                                   gw_err *err)
{
    struct gw_bridge_registry *self = gw_mem_calloc(1, sizeof *self);
    if (self == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for the registry's relay");
    }
    self->runtime = runtime;
    self->model = gw_config_text(runtime->config, GW_OPT_SCORE_DEFAULT_MODEL);
    snprintf(self->route_why, sizeof self->route_why, "not asked yet");
    pthread_mutex_init(&self->lock, NULL);
    gw_status status = start(self, err);
    if (status != GW_OK) {
        gw_bridge_registry_stop(self);
        return status;
    }
    *ret_registry = self;
    return GW_OK;
}

void gw_bridge_registry_stop(struct gw_bridge_registry *self)
{
    if (self == NULL) {
        return;
    }
    atomic_store(&self->closing, true);
    if (self->started) {
        pthread_join(self->thread, NULL);
    }
    gw_relay_free(self->relay);
    gw_registry_free(self->registry);
    gw_relay_settings_deinit(&self->settings);
    pthread_mutex_destroy(&self->lock);
    gw_mem_free(self);
}
