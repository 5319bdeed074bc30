// SPDX-License-Identifier: MIT
// What all workers of a process share: configuration, names, schemas, features, metrics. Made once at start, read-only
// afterwards, so that any thread may use it; only `stop` changes.
#pragma once

#include "admin/topics.h"
#include "base/metrics.h"
#include "config/config.h"
#include "feature/set.h"
#include "kafka/client.h"
#include "store/rows.h"
#include "worker/entity.h"
#include "worker/schema_gate.h"

#include <stdatomic.h>

// Every topic that code names. The words stand here and in topics/topics.ini, nowhere else.  X(suffix, name)
#define GW_TOPIC_MAP(X)                                                                                                \
    X(UNIFIED_USER_ACTIONS, "unified_user_actions")                                                                    \
    X(TWEET_EVENTS, "tweet_events")                                                                                    \
    X(SOCIAL_WRITE_EVENT, "social_write_event")                                                                        \
    X(USER_MODIFICATIONS, "user_modifications")                                                                        \
    X(ENTITY_EVENTS, "entity_events")                                                                                  \
    X(FEATURE_UPDATES, "feature_updates")                                                                              \
    X(FEATURE_LAYOUTS, "feature_layouts")                                                                              \
    X(PREDICTION_REQUESTS, "prediction_requests")                                                                      \
    X(PREDICTION_REQUESTS_SYNC, "prediction_requests_sync")                                                            \
    X(PREDICTIONS, "predictions")                                                                                      \
    X(PREDICTION_REPLIES, "prediction_replies")                                                                        \
    X(PREDICTIONS_FLAT, "predictions_flat")                                                                            \
    X(SERVED_CANDIDATES, "served_candidates")                                                                          \
    X(TRAINING_EXAMPLES, "training_examples")                                                                          \
    X(FEATURE_SAMPLES, "feature_samples")                                                                              \
    X(LABEL_SAMPLES, "label_samples")                                                                                  \
    X(LABEL_WINDOWS, "label_windows")                                                                                  \
    X(MONITOR_STATE, "monitor_state")                                                                                  \
    X(MODEL_QUALITY, "model_quality")                                                                                  \
    X(SERVING_METRICS, "serving_metrics")                                                                              \
    X(DRIFT_ALERTS, "drift_alerts")                                                                                    \
    X(RETRAIN_REQUESTS, "retrain_requests")                                                                            \
    X(MODEL_EVENTS, "model_events")                                                                                    \
    X(MODEL_ROUTES, "model_routes")

enum gw_topic {
#define X(suffix, name) GW_TOPIC_##suffix,
    GW_TOPIC_MAP(X)
#undef X
        GW_TOPIC_COUNT
};

// Consumer groups, what they read, and where a group that has no offsets starts (STREAMS 5).  X(name, topic, at)
#define GW_GROUP_MAP(X)                                                                                                \
    X("rekey", UNIFIED_USER_ACTIONS, START)                                                                            \
    X("rekey", TWEET_EVENTS, START)                                                                                    \
    X("rekey", SOCIAL_WRITE_EVENT, START)                                                                              \
    X("rekey", USER_MODIFICATIONS, START)                                                                              \
    X("aggregate", ENTITY_EVENTS, START)                                                                               \
    X("score", PREDICTION_REQUESTS, START)                                                                             \
    X("label", SERVED_CANDIDATES, START)                                                                               \
    X("label", ENTITY_EVENTS, START)                                                                                   \
    X("monitor", LABEL_SAMPLES, START)                                                                                 \
    X("monitor", FEATURE_SAMPLES, START)                                                                               \
    X("retrain", RETRAIN_REQUESTS, START)                                                                              \
    X("retrain", DRIFT_ALERTS, START)                                                                                  \
    X("retrain", MODEL_QUALITY, START)

#define GW_LOG_ID_BYTES 16

struct gw_runtime_group {
    const char *name;
    char *full_name; // with topics.group_prefix
};

struct gw_runtime {
    const struct gw_config *config; // borrowed
    const char *instance;           // worker.instance
    struct gw_kafka_options kafka;
    struct gw_kafka_property *kafka_properties;
    struct gw_topics *topics;
    const struct gw_topic_def *defs[GW_TOPIC_COUNT];
    struct gw_schema_gates *gates;
    struct gw_entity_vocabulary *vocabulary;
    struct gw_feature_set *features;
    struct gw_metrics *metrics;
    struct gw_runtime_group groups[16];
    char *redis_password;
    atomic_bool *stop;
};

// How far a process needs the outside world at start.
enum gw_runtime_needs {
    GW_RUNTIME_NAMES = 0,    // topics.ini only
    GW_RUNTIME_FEATURES = 1, // and features.ini
    GW_RUNTIME_SCHEMAS = 2,  // and the registry: ids of all topics' schemas (cached on disk)
};

GW_CHECK gw_status gw_runtime_init(struct gw_runtime *runtime, const struct gw_config *config, unsigned needs,
                                   atomic_bool *stop, gw_err *err);
void gw_runtime_deinit(struct gw_runtime *runtime);

const char *gw_runtime_topic(const struct gw_runtime *runtime, enum gw_topic topic); // full name
const char *gw_runtime_dlq(const struct gw_runtime *runtime, enum gw_topic topic);   // full name, or NULL
uint32_t gw_runtime_partitions(const struct gw_runtime *runtime, enum gw_topic topic);
bool gw_runtime_count_is_fixed(const struct gw_runtime *runtime, enum gw_topic topic); // not a source topic
const struct gw_schema_gate *gw_runtime_gate(const struct gw_runtime *runtime, enum gw_topic topic);
uint32_t gw_runtime_schema_id(const struct gw_runtime *runtime, enum gw_topic topic); // under which we write

// Full group name; the string lives as long as the process's runtime.
const char *gw_runtime_group(const struct gw_runtime *runtime, const char *group);

// A new connection to the row store, as configured.
GW_CHECK gw_status gw_runtime_store(const struct gw_runtime *runtime, struct gw_store **ret_store, gw_err *err);

// The id of the feature_updates log, read from its partition 0. GW_E_UNAVAILABLE: topics apply has not written it yet.
GW_CHECK gw_status gw_runtime_log_id(const struct gw_runtime *runtime, uint8_t ret_log_id[GW_LOG_ID_BYTES], gw_err *err);
