// SPDX-License-Identifier: MIT
// The table of all topics, read from topics/topics.ini: names, counts, schemas, settings. Immutable once loaded, so any
// thread may read it.
#pragma once

#include "base/err.h"
#include "kafka/client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gw_topics;

// One topic. Strings live as long as the table.
struct gw_topic_def {
    const char *name;        // as in topics.ini, such as "predictions" or "predictions.dlq"
    const char *full_name;   // with topics.prefix: the name in the cluster
    const char *dlq_name;    // full name of its dead-letter topic; NULL: none
    const char *schema;      // record name, such as "Prediction"; NULL for dead-letter topics
    const char *count_group; // topics with the same one share their count for good; NULL: none
    int32_t partition_count;
    int32_t replication_factor;
    bool source;                             // written by others, who may have made it with another count
    bool compacted;                          // cleanup.policy contains compact
    bool log_id;                             // offset 0 of each partition holds the log id
    const struct gw_kafka_property *configs; // settings of the topic, in the order of their names
    size_t config_count;
};

struct gw_topics_options {
    const char *prefix;  // NULL or "": none
    const char *profile; // sections [x@profile] apply; NULL or "": none
};

// Reads the table. GW_E_CONFIG names the line: unknown keys, wrong numbers, a topic without a bound on its disk.
GW_CHECK gw_status gw_topics_load(const char *path, const struct gw_topics_options *options,
                                  struct gw_topics **ret_topics, gw_err *err);
GW_CHECK gw_status gw_topics_parse(const char *name, const char *text, size_t size,
                                   const struct gw_topics_options *options, struct gw_topics **ret_topics, gw_err *err);
void gw_topics_free(struct gw_topics *topics);

// All topics in the order of the file, dead-letter topics behind them.
size_t gw_topics_count(const struct gw_topics *topics);
const struct gw_topic_def *gw_topics_at(const struct gw_topics *topics, size_t index);

// By the name without prefix; NULL when there is none.
const struct gw_topic_def *gw_topics_find(const struct gw_topics *topics, const char *name);

// A setting of the topic's, or NULL.
const char *gw_topic_config(const struct gw_topic_def *topic, const char *name);

// Disk that the topic may take on all brokers together: count x replication x (retention.bytes + one segment). 0 for a
// compacted topic, whose size follows its keys.
uint64_t gw_topic_disk_bytes(const struct gw_topic_def *topic);
