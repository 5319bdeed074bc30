// SPDX-License-Identifier: MIT
#include "worker/bridge_health.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/client.h"
#include "kafka/admin.h"
#include "postgres/postgres.h"
#include "worker/database.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    TICK_MS = 50,
    PROBE_EVERY_US = 2000000,
    PROBE_MS = 1000,
    STALE_US = 15000000,
    KAFKA_DOWN_PROBES = 2, // one slow answer does not turn callers away
    ANSWER_BYTES_MAX = 64 << 10,
};

// X(suffix, name, required)
#define PROBES(X)                                                                                                      \
    X(KAFKA, "kafka", true)                                                                                            \
    X(REDIS, "redis", false)                                                                                           \
    X(POSTGRES, "postgres", false)                                                                                     \
    X(REGISTRY, "schema_registry", false)

enum probe {
#define X(suffix, name, required) PROBE_##suffix,
    PROBES(X)
#undef X
        PROBE_COUNT
};

static const struct {
    const char *name;
    bool required;
} probes[] = {
#define X(suffix, name, required) {name, required},
    PROBES(X)
#undef X
};

struct gw_bridge_health {
    struct gw_bridge_health_options options;
    struct gw_kafka_admin *admin;
    struct gw_store *store;
    struct gw_postgres *postgres;
    struct gw_http_client *registry;
    uint32_t kafka_failures; // in a row

    pthread_mutex_t lock; // guards what follows
    struct gw_api_dependency results[PROBE_COUNT];
    uint64_t probed_us; // monotonic end of the last round; 0: none yet

    atomic_bool closing;
    pthread_t thread;
    bool started;
};

// ---- probes ---------------------------------------------------------------------------------------------------------

static gw_status ask_registry(struct gw_bridge_health *health, uint64_t *ret_latency_us, gw_err *err)
{
    struct gw_buf body = {0};
    int code = 0;
    const struct gw_http_call call = {.method = "GET", .path = "/schemas/types"};
    uint64_t start_us = gw_clock_mono_us();
    gw_status status = gw_http_client_call(health->registry, &call, &body, &code, err);
    *ret_latency_us = gw_clock_mono_us() - start_us;
    gw_buf_deinit(&body);
    if (status == GW_OK && code != 200) {
        status = gw_fail(err, GW_E_UNAVAILABLE, "answers %d to GET %s", code, call.path);
    }
    return status;
}

static gw_status ask(struct gw_bridge_health *health, enum probe probe, uint64_t *ret_latency_us, gw_err *err)
{
    switch (probe) {
    case PROBE_KAFKA:
        return gw_kafka_admin_ping(health->admin, PROBE_MS, ret_latency_us, err);
    case PROBE_REDIS:
        return gw_store_ping(health->store, ret_latency_us, err);
    case PROBE_POSTGRES:
        return gw_postgres_ping(health->postgres, ret_latency_us, err);
    case PROBE_REGISTRY:
        return ask_registry(health, ret_latency_us, err);
    case PROBE_COUNT:
        break;
    }
    return gw_fail(err, GW_E_INTERNAL, "no such probe");
}

static void probe(struct gw_bridge_health *health, enum probe probe)
{
    gw_err err = {0};
    uint64_t latency_us = 0;
    gw_status status = ask(health, probe, &latency_us, &err);
    struct gw_api_dependency result = {.state = status == GW_OK ? GW_API_STATE_UP : GW_API_STATE_DOWN,
                                       .required = probes[probe].required,
                                       .latency_ms = status == GW_OK ? (double)latency_us / 1e3 : (double)NAN};
    snprintf(result.name, sizeof result.name, "%s", probes[probe].name);
    snprintf(result.detail, sizeof result.detail, "%.*s", (int)sizeof result.detail - 1, err.message);
    if (status == GW_OK) {
        result.detail[0] = '\0';
    }
    pthread_mutex_lock(&health->lock);
    bool news = health->probed_us > 0 ? health->results[probe].state != result.state : status != GW_OK;
    health->results[probe] = result;
    pthread_mutex_unlock(&health->lock);
    if (news && status == GW_OK) {
        gw_log_info("dependency.up", "name=%s", probes[probe].name);
    } else if (news) {
        gw_log_warn("dependency.down", "name=%s reason='%s'", probes[probe].name, err.message);
    }
    if (probe == PROBE_KAFKA) {
        health->kafka_failures = status == GW_OK ? 0 : health->kafka_failures + 1;
        gw_bridge_predict_set_kafka(health->options.predict, health->kafka_failures < KAFKA_DOWN_PROBES);
    }
}

static void *run(void *argument)
{
    struct gw_bridge_health *health = argument;
    uint64_t next_us = 0;
    while (!atomic_load(&health->closing)) {
        uint64_t now_us = gw_clock_mono_us();
        if (now_us >= next_us) {
            next_us = now_us + PROBE_EVERY_US;
            for (int i = 0; i < PROBE_COUNT && !atomic_load(&health->closing); i++) {
                probe(health, (enum probe)i);
            }
            pthread_mutex_lock(&health->lock);
            health->probed_us = gw_clock_mono_us();
            pthread_mutex_unlock(&health->lock);
        }
        const struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
        nanosleep(&tick, NULL);
    }
    return NULL;
}

// ---- the port -------------------------------------------------------------------------------------------------------

static void show_probes(struct gw_bridge_health *health, struct gw_api_health *ret_health)
{
    pthread_mutex_lock(&health->lock);
    uint64_t probed_us = health->probed_us;
    for (int i = 0; i < PROBE_COUNT; i++) {
        struct gw_api_dependency *shown = &ret_health->dependencies[ret_health->dependency_count++];
        *shown = health->results[i];
        uint64_t age_us = gw_clock_mono_us() - probed_us;
        if (probed_us > 0 && age_us > STALE_US && shown->state == GW_API_STATE_UP) {
            shown->state = GW_API_STATE_WARN;
            snprintf(shown->detail, sizeof shown->detail, "not probed for %llu s",
                     (unsigned long long)(age_us / 1000000));
        }
    }
    pthread_mutex_unlock(&health->lock);
}

void gw_bridge_health_show(struct gw_bridge_health *health, struct gw_api_health *ret_health)
{
    char digest[GW_BRIDGE_DIGEST_BYTES];
    show_probes(health, ret_health);
    gw_bridge_predict_health(health->options.predict, &ret_health->dependencies[ret_health->dependency_count++]);
    gw_bridge_watch_health(health->options.watch, &ret_health->dependencies[ret_health->dependency_count++]);
    gw_bridge_watch_digest(health->options.watch, digest);
    gw_bridge_registry_model_health(health->options.registry, digest,
                                    &ret_health->dependencies[ret_health->dependency_count++]);
    gw_bridge_registry_health(health->options.registry, &ret_health->dependencies[ret_health->dependency_count++]);
    ret_health->alive = gw_bridge_predict_alive(health->options.predict);
    ret_health->draining = atomic_load(health->options.runtime->stop);
}

// ---- life -----------------------------------------------------------------------------------------------------------

static gw_status open_postgres(struct gw_bridge_health *health, const struct gw_config *config, gw_err *err)
{
    char *uri = NULL;
    GW_TRY(gw_database_uri(config, &uri, err));
    const struct gw_postgres_options options = {.uri = uri, .application = "godwit bridge", .timeout_ms = PROBE_MS};
    gw_status status = gw_postgres_new(&options, &health->postgres, err);
    gw_mem_free(uri);
    return status;
}

static gw_status open_registry(struct gw_bridge_health *health, const struct gw_config *config, gw_err *err)
{
    char *password = NULL;
    GW_TRY(gw_config_secret(config, GW_OPT_SCHEMA_PASSWORD_FILE, &password, err));
    const struct gw_http_client_options options = {.urls = gw_config_text(config, GW_OPT_SCHEMA_REGISTRY_URLS),
                                                   .user = gw_config_text(config, GW_OPT_SCHEMA_USER),
                                                   .password = password,
                                                   .ca_file = gw_config_text(config, GW_OPT_SCHEMA_CA_FILE),
                                                   .timeout_ms = PROBE_MS,
                                                   .body_bytes_max = ANSWER_BYTES_MAX};
    gw_status status = gw_http_client_new(&options, &health->registry, err);
    gw_mem_free(password);
    return status;
}

static gw_status init(struct gw_bridge_health *health, gw_err *err)
{
    const struct gw_runtime *runtime = health->options.runtime;
    const struct gw_config *config = runtime->config;
    for (int i = 0; i < PROBE_COUNT; i++) {
        struct gw_api_dependency *result = &health->results[i];
        *result = (struct gw_api_dependency){
            .state = GW_API_STATE_DOWN, .required = probes[i].required, .latency_ms = NAN, .detail = "not probed yet"};
        snprintf(result->name, sizeof result->name, "%s", probes[i].name);
    }
    const struct gw_store_options store = {.address = gw_config_text(config, GW_OPT_REDIS_ADDRESS),
                                           .password = runtime->redis_password,
                                           .prefix = gw_config_text(config, GW_OPT_REDIS_PREFIX),
                                           .timeout_ms = PROBE_MS};
    GW_TRY(gw_store_new(&store, &health->store, err));
    GW_TRY(gw_kafka_admin_new(&runtime->kafka, &health->admin, err));
    GW_TRY(open_postgres(health, config, err));
    GW_TRY(open_registry(health, config, err));
    int error = pthread_create(&health->thread, NULL, run, health);
    if (error != 0) {
        return gw_fail(err, GW_E_INTERNAL, "cannot start a thread: %s", strerror(error));
    }
    health->started = true;
    return GW_OK;
}

gw_status gw_bridge_health_start(const struct gw_bridge_health_options *options, struct gw_bridge_health **ret_health,
                                 gw_err *err)
{
    struct gw_bridge_health *health = gw_mem_calloc(1, sizeof *health);
    if (health == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for probes");
    }
    health->options = *options;
    pthread_mutex_init(&health->lock, NULL);
    gw_status status = init(health, err);
    if (status != GW_OK) {
        gw_bridge_health_stop(health);
        return status;
    }
    *ret_health = health;
    return GW_OK;
}

void gw_bridge_health_stop(struct gw_bridge_health *health)
{
    if (health == NULL) {
        return;
    }
    atomic_store(&health->closing, true);
    if (health->started) {
        pthread_join(health->thread, NULL);
    }
    gw_http_client_free(health->registry);
    gw_postgres_free(health->postgres);
    gw_store_free(health->store);
    gw_kafka_admin_free(health->admin);
    pthread_mutex_destroy(&health->lock);
    gw_mem_free(health);
}
