// SPDX-License-Identifier: MIT
// Cluster administration: topics, their configuration, group offsets. Blocking calls with deadlines; operator verbs and
// start-up only, never a hot path. One owning thread.
#pragma once

#include "kafka/client.h"

#include <stdbool.h>

struct gw_kafka_admin;

GW_CHECK gw_status gw_kafka_admin_new(const struct gw_kafka_options *options, struct gw_kafka_admin **ret_admin,
                                      gw_err *err);
void gw_kafka_admin_free(struct gw_kafka_admin *admin);

// One `name = value` of a topic's configuration.
struct gw_kafka_config_entry {
    char *name;
    char *value;
    bool is_default; // inherited, not set on the topic
};

// A topic as the cluster has it; give back with gw_kafka_topic_state_deinit.
struct gw_kafka_topic_state {
    bool exists;
    int32_t partition_count;
    int32_t replication_factor;
    struct gw_kafka_config_entry *entries;
    size_t entry_count;
};
void gw_kafka_topic_state_deinit(struct gw_kafka_topic_state *state);

GW_CHECK gw_status gw_kafka_admin_topic_describe(struct gw_kafka_admin *admin, const char *topic, uint32_t timeout_ms,
                                                 struct gw_kafka_topic_state *ret_state, gw_err *err);

struct gw_kafka_topic_spec {
    const char *name;
    int32_t partition_count;
    int32_t replication_factor;
    const struct gw_kafka_property *configs;
    size_t config_count;
};

// GW_E_CONFLICT when the topic exists.
GW_CHECK gw_status gw_kafka_admin_topic_create(struct gw_kafka_admin *admin, const struct gw_kafka_topic_spec *spec,
                                               uint32_t timeout_ms, gw_err *err);

// Grows a topic to partition_count in total.
GW_CHECK gw_status gw_kafka_admin_topic_grow(struct gw_kafka_admin *admin, const char *topic, int32_t partition_count,
                                             uint32_t timeout_ms, gw_err *err);

// Sets the given entries; AlterConfigs replaces the whole set, so pass all entries that shall be set on the topic.
GW_CHECK gw_status gw_kafka_admin_topic_configure(struct gw_kafka_admin *admin, const char *topic,
                                                  const struct gw_kafka_property *configs, size_t count,
                                                  uint32_t timeout_ms, gw_err *err);

// Committed offsets of any group (NONE where absent), without joining it.
GW_CHECK gw_status gw_kafka_admin_group_offsets(struct gw_kafka_admin *admin, const char *group,
                                                struct gw_kafka_position *positions, size_t count, uint32_t timeout_ms,
                                                gw_err *err);

// Writes offsets of a group without members. GW_E_CONFLICT while it has members.
GW_CHECK gw_status gw_kafka_admin_group_offsets_set(struct gw_kafka_admin *admin, const char *group,
                                                    const struct gw_kafka_position *positions, size_t count,
                                                    uint32_t timeout_ms, gw_err *err);

GW_CHECK gw_status gw_kafka_admin_group_members(struct gw_kafka_admin *admin, const char *group, uint32_t timeout_ms,
                                                int32_t *ret_count, gw_err *err);

// Low and high watermarks of a partition (log end).
GW_CHECK gw_status gw_kafka_admin_watermarks(struct gw_kafka_admin *admin, const char *topic, int32_t partition,
                                             uint32_t timeout_ms, int64_t *ret_low, int64_t *ret_high, gw_err *err);

// The same for many partitions with one request a broker: replaces each position's offset, GW_KAFKA_OFFSET_END or
// GW_KAFKA_OFFSET_START, by what it is now; GW_KAFKA_OFFSET_NONE where it is not known. Each partition at most once.
GW_CHECK gw_status gw_kafka_admin_log_offsets(struct gw_kafka_admin *admin, struct gw_kafka_position *positions,
                                              size_t count, uint32_t timeout_ms, gw_err *err);

// Answers with the time that one metadata round trip took. For /health.
GW_CHECK gw_status gw_kafka_admin_ping(struct gw_kafka_admin *admin, uint32_t timeout_ms, uint64_t *ret_latency_us,
                                       gw_err *err);
