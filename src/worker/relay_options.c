// SPDX-License-Identifier: MIT
#include "worker/relay_options.h"

#include "base/mem.h"
#include "worker/database.h"

#include <stdio.h>
#include <string.h>

gw_status gw_registry_settings_init(struct gw_registry_settings *settings, const struct gw_config *config,
                                    const char *application, gw_err *err)
{
    *settings = (struct gw_registry_settings){0};
    GW_TRY(gw_database_uri(config, &settings->uri, err));
    settings->options = (struct gw_registry_options){
        .uri = settings->uri,
        .application = application,
        .timeout_ms = (uint32_t)(gw_config_duration_us(config, GW_OPT_POSTGRES_TIMEOUT) / 1000),
    };
    return GW_OK;
}

void gw_registry_settings_deinit(struct gw_registry_settings *settings)
{
    gw_mem_free(settings->uri);
    *settings = (struct gw_registry_settings){0};
}

gw_status gw_relay_settings_init(struct gw_relay_settings *settings, const struct gw_runtime *runtime,
                                 const char *application, gw_err *err)
{
    const char *prefix = gw_config_text(runtime->config, GW_OPT_TOPICS_TRANSACTIONAL_PREFIX);
    size_t size = strlen(prefix) + sizeof ".registry.relay";
    *settings = (struct gw_relay_settings){0};
    GW_TRY(gw_registry_settings_init(&settings->registry, runtime->config, application, err));
    settings->transactional_id = gw_mem_calloc(size, 1);
    if (settings->transactional_id == NULL) {
        gw_relay_settings_deinit(settings);
        return gw_fail(err, GW_E_MEMORY, "no memory for the relay's transactional id");
    }
    snprintf(settings->transactional_id, size, "%s.registry.relay", prefix);
    settings->options = (struct gw_relay_options){
        .registry = &settings->registry.options,
        .kafka = &runtime->kafka,
        .events_topic = gw_runtime_topic(runtime, GW_TOPIC_MODEL_EVENTS),
        .routes_topic = gw_runtime_topic(runtime, GW_TOPIC_MODEL_ROUTES),
        .events_schema_id = gw_runtime_schema_id(runtime, GW_TOPIC_MODEL_EVENTS),
        .routes_schema_id = gw_runtime_schema_id(runtime, GW_TOPIC_MODEL_ROUTES),
        .transactional_id = settings->transactional_id,
    };
    return GW_OK;
}

void gw_relay_settings_deinit(struct gw_relay_settings *settings)
{
    gw_registry_settings_deinit(&settings->registry);
    gw_mem_free(settings->transactional_id);
    *settings = (struct gw_relay_settings){0};
}
