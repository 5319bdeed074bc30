// SPDX-License-Identifier: MIT
#include "worker/runtime.h"

#include "admin/topics_plan.h"
#include "base/check.h"
#include "base/ini.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

_Static_assert(GW_LOG_ID_BYTES == GW_TOPICS_LOG_ID_BYTES, "one log id, one size");

enum { FEATURES_BYTES_MAX = 1 << 20, LOG_ID_TIMEOUT_MS = 5000, PROPERTIES_MAX = 128 };

static const char *const topic_names[GW_TOPIC_COUNT] = {
#define X(suffix, name) [GW_TOPIC_##suffix] = name,
    GW_TOPIC_MAP(X)
#undef X
};

// The groups that the code names. Full names are made once, so that a pointer to one is good for the process's life.
// X(name)
#define GROUP_NAMES(X) X("rekey") X("aggregate") X("online") X("score") X("score-sync") X("label") X("monitor") X("retrain")

static gw_status take_kafka(struct gw_runtime *runtime, gw_err *err)
{
    size_t count = 0;
    size_t cursor = 0;
    struct gw_kafka_property *properties = gw_mem_calloc(PROPERTIES_MAX, sizeof *properties);
    if (properties == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for kafka properties");
    }
    runtime->kafka_properties = properties;
    while (count < PROPERTIES_MAX && gw_config_kafka_next(runtime->config, &cursor, &properties[count].name,
                                                          &properties[count].value)) {
        count++;
    }
    runtime->kafka = (struct gw_kafka_options){
        .bootstrap_servers = gw_config_text(runtime->config, GW_OPT_KAFKA_BOOTSTRAP_SERVERS),
        .client_id = gw_config_text(runtime->config, GW_OPT_KAFKA_CLIENT_ID),
        .properties = properties,
        .property_count = count,
    };
    return GW_OK;
}

static gw_status take_topics(struct gw_runtime *runtime, gw_err *err)
{
    const struct gw_topics_options options = {.prefix = gw_config_text(runtime->config, GW_OPT_TOPICS_PREFIX)};
    GW_TRY(gw_topics_load(gw_config_text(runtime->config, GW_OPT_TOPICS_FILE), &options, &runtime->topics, err));
    for (int i = 0; i < GW_TOPIC_COUNT; i++) {
        runtime->defs[i] = gw_topics_find(runtime->topics, topic_names[i]);
        if (runtime->defs[i] == NULL) {
            return gw_fail(err, GW_E_CONFIG, "topic '%s' is missing in '%s'", topic_names[i],
                           gw_config_text(runtime->config, GW_OPT_TOPICS_FILE));
        }
    }
    return GW_OK;
}

static gw_status take_features(struct gw_runtime *runtime, gw_err *err)
{
    const char *path = gw_config_text(runtime->config, GW_OPT_FEATURES_FILE);
    char *text = NULL;
    size_t size = 0;
    runtime->vocabulary = gw_mem_calloc(1, sizeof *runtime->vocabulary);
    if (runtime->vocabulary == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for the vocabulary");
    }
    gw_entity_vocabulary_init(runtime->vocabulary);
    GW_TRY(gw_file_read(path, FEATURES_BYTES_MAX, &text, &size, err));
    gw_status status =
        gw_feature_set_compile(path, text, size, &runtime->vocabulary->vocabulary, &runtime->features, err);
    gw_mem_free(text);
    return status;
}

static gw_status make_groups(struct gw_runtime *runtime, gw_err *err)
{
    static const char *const names[] = {
#define X(name) name,
        GROUP_NAMES(X)
#undef X
    };
    _Static_assert(GW_COUNT_OF(names) <= GW_COUNT_OF(runtime->groups), "room for every group");
    const char *prefix = gw_config_text(runtime->config, GW_OPT_TOPICS_GROUP_PREFIX);
    for (size_t i = 0; i < GW_COUNT_OF(names); i++) {
        size_t size = strlen(prefix) + 1 + strlen(names[i]) + 1;
        runtime->groups[i].name = names[i];
        runtime->groups[i].full_name = gw_mem_calloc(size, 1);
        if (runtime->groups[i].full_name == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for group names");
        }
        snprintf(runtime->groups[i].full_name, size, "%s.%s", prefix, names[i]);
    }
    return GW_OK;
}

static gw_status make_state_directory(const struct gw_runtime *runtime, gw_err *err)
{
    const char *path = gw_config_text(runtime->config, GW_OPT_WORKER_STATE_DIRECTORY);
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return gw_fail(err, GW_E_CONFIG, "worker.state_directory '%s': %s", path, strerror(errno));
    }
    return GW_OK;
}

static gw_status init(struct gw_runtime *runtime, unsigned needs, gw_err *err)
{
    GW_TRY(take_kafka(runtime, err));
    GW_TRY(take_topics(runtime, err));
    GW_TRY(make_groups(runtime, err));
    GW_TRY(gw_metrics_new(&runtime->metrics, err));
    GW_TRY(gw_config_secret(runtime->config, GW_OPT_REDIS_PASSWORD_FILE, &runtime->redis_password, err));
    if ((needs & GW_RUNTIME_FEATURES) != 0) {
        GW_TRY(take_features(runtime, err));
    }
    if ((needs & GW_RUNTIME_SCHEMAS) != 0) {
        GW_TRY(make_state_directory(runtime, err));
        GW_TRY(gw_schema_gates_new(runtime->config, runtime->defs, GW_TOPIC_COUNT, &runtime->gates, err));
    }
    return GW_OK;
}

gw_status gw_runtime_init(struct gw_runtime *runtime, const struct gw_config *config, unsigned needs,
                          atomic_bool *stop, gw_err *err)
{
    *runtime = (struct gw_runtime){
        .config = config, .instance = gw_config_text(config, GW_OPT_WORKER_INSTANCE), .stop = stop};
    gw_status status = init(runtime, needs, err);
    if (status != GW_OK) {
        gw_runtime_deinit(runtime);
    }
    return status;
}

void gw_runtime_deinit(struct gw_runtime *runtime)
{
    gw_schema_gates_free(runtime->gates);
    gw_feature_set_free(runtime->features);
    gw_mem_free(runtime->vocabulary);
    gw_topics_free(runtime->topics);
    gw_metrics_free(runtime->metrics);
    gw_mem_free(runtime->redis_password);
    gw_mem_free(runtime->kafka_properties);
    for (size_t i = 0; i < GW_COUNT_OF(runtime->groups); i++) {
        gw_mem_free(runtime->groups[i].full_name);
    }
    *runtime = (struct gw_runtime){0};
}

const char *gw_runtime_topic(const struct gw_runtime *runtime, enum gw_topic topic)
{
    return runtime->defs[topic]->full_name;
}

const char *gw_runtime_dlq(const struct gw_runtime *runtime, enum gw_topic topic)
{
    return runtime->defs[topic]->dlq_name;
}

uint32_t gw_runtime_partitions(const struct gw_runtime *runtime, enum gw_topic topic)
{
    return (uint32_t)runtime->defs[topic]->partition_count;
}

bool gw_runtime_count_is_fixed(const struct gw_runtime *runtime, enum gw_topic topic)
{
    return !runtime->defs[topic]->source;
}

const struct gw_schema_gate *gw_runtime_gate(const struct gw_runtime *runtime, enum gw_topic topic)
{
    return gw_schema_gates_at(runtime->gates, topic);
}

uint32_t gw_runtime_schema_id(const struct gw_runtime *runtime, enum gw_topic topic)
{
    return gw_schema_gate_id(gw_schema_gates_at(runtime->gates, topic));
}

const char *gw_runtime_group(const struct gw_runtime *runtime, const char *group)
{
    for (size_t i = 0; i < GW_COUNT_OF(runtime->groups); i++) {
        if (runtime->groups[i].name != NULL && strcmp(runtime->groups[i].name, group) == 0) {
            return runtime->groups[i].full_name;
        }
    }
    GW_ASSERT(!"a group that runtime.c does not name");
    return NULL;
}

gw_status gw_runtime_store(const struct gw_runtime *runtime, struct gw_store **ret_store, gw_err *err)
{
    const struct gw_store_options options = {
        .address = gw_config_text(runtime->config, GW_OPT_REDIS_ADDRESS),
        .password = runtime->redis_password,
        .prefix = gw_config_text(runtime->config, GW_OPT_REDIS_PREFIX),
        .timeout_ms = (uint32_t)(gw_config_duration_us(runtime->config, GW_OPT_REDIS_TIMEOUT) / 1000),
    };
    return gw_store_new(&options, ret_store, err);
}

gw_status gw_runtime_log_id(const struct gw_runtime *runtime, uint8_t ret_log_id[GW_LOG_ID_BYTES], gw_err *err)
{
    return gw_topics_log_id_read(&runtime->kafka, runtime->defs[GW_TOPIC_FEATURE_UPDATES], LOG_ID_TIMEOUT_MS,
                                 ret_log_id, err);
}
