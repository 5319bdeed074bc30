// SPDX-License-Identifier: MIT
// Compares the table of topics with the cluster and brings the cluster up to it: creates, grows and configures, writes
// log ids and the starting offsets of new groups (STREAMS rules 2 and 5). Never shrinks, never deletes, never changes a
// count that topics share. Doing it twice changes nothing the second time. Blocking; one run at a time on a cluster.
#pragma once

#include "admin/topics.h"
#include "kafka/admin.h"

#define GW_TOPICS_LOG_ID_BYTES 16

// X(suffix, name): what a step does
#define GW_TOPICS_VERB_MAP(X)                                                                                          \
    X(CREATE, "create")                                                                                                \
    X(GROW, "grow")                                                                                                    \
    X(CONFIGURE, "configure")                                                                                          \
    X(LOG_ID, "log-id")                                                                                                \
    X(OFFSETS, "offsets")                                                                                              \
    X(NOTE, "note")     /* differs, and is left alone */                                                               \
    X(REFUSE, "refuse") /* has to be settled by a person */

enum gw_topics_verb {
#define X(suffix, name) GW_TOPICS_##suffix,
    GW_TOPICS_VERB_MAP(X)
#undef X
        GW_TOPICS_VERB_COUNT
};

const char *gw_topics_verb_name(enum gw_topics_verb verb);

struct gw_topics_step {
    enum gw_topics_verb verb;
    char subject[256]; // full name of the topic, or the group
    char text[320];    // what, and why
    bool done;         // by gw_topics_apply
};

// Give back with gw_topics_plan_deinit. Zero-initialised is empty and valid.
struct gw_topics_plan {
    struct gw_topics_step *steps;
    size_t count;
    size_t refused_count;     // steps that are REFUSE
    size_t change_count;      // steps that change something
    uint64_t disk_bytes_max;  // all topics with a bound together, on all brokers
    uint32_t compacted_count; // topics whose size follows their keys instead
};
void gw_topics_plan_deinit(struct gw_topics_plan *plan);

// Where a group without any offset starts.
enum gw_topics_start { GW_TOPICS_FROM_START, GW_TOPICS_FROM_END };

// A consumer group and what it reads; names of topics without prefix.
struct gw_topics_group {
    const char *group; // full name
    const char *const *topics;
    size_t topic_count;
    enum gw_topics_start start;
    const char
        *changelog; // its state or output: when not empty, offsets were lost and must not be invented. NULL: none
};

// Everything is borrowed for the call.
struct gw_topics_cluster {
    const struct gw_topics *topics;
    struct gw_kafka_admin *admin;
    const struct gw_kafka_options *kafka; // for the log id's producer and reader
    const struct gw_topics_group *groups;
    size_t group_count;
    uint32_t timeout_ms; // of each request
};

// Fills the plan and changes nothing.
GW_CHECK gw_status gw_topics_plan(const struct gw_topics_cluster *cluster, struct gw_topics_plan *ret_plan,
                                  gw_err *err);

// Carries out what is not refused and gives the steps with what became of them. Refusals do not fail the call: look at
// refused_count. After a failure, the same call goes on where it stopped.
GW_CHECK gw_status gw_topics_apply(const struct gw_topics_cluster *cluster, struct gw_topics_plan *ret_plan,
                                   gw_err *err);

// The reserved key of the record at offset 0 of each partition of a topic with a log id.
struct gw_slice gw_topics_log_id_key(void);

// Reads the log id of such a topic from partition 0. GW_E_UNAVAILABLE: topic or record is not there yet (`topics apply`
// writes it). GW_E_MISMATCH: the first record is something else, or was written for another number of partitions.
GW_CHECK gw_status gw_topics_log_id_read(const struct gw_kafka_options *kafka, const struct gw_topic_def *topic,
                                         uint32_t timeout_ms, uint8_t ret_id[GW_TOPICS_LOG_ID_BYTES], gw_err *err);
