// SPDX-License-Identifier: MIT
// Starting offsets of consumer groups (STREAMS rule 5). A worker never invents a position; here one is written once,
// for a group that has none at all, while nobody is a member, and only when nothing shows that it has worked before.
#include "admin/topics_internal.h"

#include "base/mem.h"

#include <string.h>

struct inputs {
    struct gw_kafka_position *positions; // all partitions of all topics of the group
    size_t count;
    bool complete; // all topics exist
};

static gw_status add_topic(const struct gw_topics_cluster *cluster, const struct gw_topic_def *topic,
                           struct inputs *inputs, gw_err *err)
{
    struct gw_kafka_topic_state state = {0};
    GW_TRY(gw_kafka_admin_topic_describe(cluster->admin, topic->full_name, cluster->timeout_ms, &state, err));
    bool exists = state.exists;
    size_t count = exists ? (size_t)state.partition_count : 0;
    gw_kafka_topic_state_deinit(&state);
    inputs->complete = inputs->complete && exists;
    struct gw_kafka_position *grown = gw_mem_realloc(inputs->positions, inputs->count + count, sizeof *grown);
    if (grown == NULL) {
        return gw_fail(err, GW_E_MEMORY, "topics: out of memory");
    }
    inputs->positions = grown;
    for (size_t i = 0; i < count; i++) {
        grown[inputs->count++] = (struct gw_kafka_position){
            .topic = topic->full_name, .partition = (int32_t)i, .offset = GW_KAFKA_OFFSET_NONE};
    }
    return GW_OK;
}

static gw_status collect(const struct gw_topics_cluster *cluster, const struct gw_topics_group *group,
                         struct inputs *inputs, gw_err *err)
{
    for (size_t i = 0; i < group->topic_count; i++) {
        const struct gw_topic_def *topic = gw_topics_find(cluster->topics, group->topics[i]);
        if (topic == NULL) {
            return gw_fail(err, GW_E_CONFIG, "group '%s' reads topic '%s', which topics.ini does not have",
                           group->group, group->topics[i]);
        }
        GW_TRY(add_topic(cluster, topic, inputs, err));
    }
    return GW_OK;
}

// Whether the changelog was ever written to; a log id alone does not count.
static gw_status was_used(const struct gw_topics_cluster *cluster, const char *changelog, bool *ret_used, gw_err *err)
{
    *ret_used = false;
    const struct gw_topic_def *topic = changelog != NULL ? gw_topics_find(cluster->topics, changelog) : NULL;
    if (changelog != NULL && topic == NULL) {
        return gw_fail(err, GW_E_CONFIG, "changelog '%s' is not in topics.ini", changelog);
    }
    if (topic == NULL) {
        return GW_OK;
    }
    struct gw_kafka_topic_state state = {0};
    GW_TRY(gw_kafka_admin_topic_describe(cluster->admin, topic->full_name, cluster->timeout_ms, &state, err));
    int32_t count = state.exists ? state.partition_count : 0;
    gw_kafka_topic_state_deinit(&state);
    for (int32_t i = 0; i < count && !*ret_used; i++) {
        int64_t low = 0;
        int64_t high = 0;
        GW_TRY(gw_kafka_admin_watermarks(cluster->admin, topic->full_name, i, cluster->timeout_ms, &low, &high, err));
        *ret_used = high > (topic->log_id ? 1 : 0);
    }
    return GW_OK;
}

// A partition above every committed one of its topic was added later; its worker starts it at the log's start.
static bool is_new_partition(const struct inputs *inputs, size_t index)
{
    for (size_t i = 0; i < inputs->count; i++) {
        const struct gw_kafka_position *other = &inputs->positions[i];
        if (strcmp(other->topic, inputs->positions[index].topic) == 0 && other->offset >= 0 &&
            other->partition > inputs->positions[index].partition) {
            return false;
        }
    }
    return true;
}

static bool topic_has_offset(const struct inputs *inputs, const char *topic)
{
    for (size_t i = 0; i < inputs->count; i++) {
        if (strcmp(inputs->positions[i].topic, topic) == 0 && inputs->positions[i].offset >= 0) {
            return true;
        }
    }
    return false;
}

// What a group with some offsets lacks.
static gw_status check_holes(const struct gw_topics_group *group, const struct inputs *inputs,
                             struct gw_topics_plan *plan, gw_err *err)
{
    for (size_t i = 0; i < inputs->count; i++) {
        const struct gw_kafka_position *position = &inputs->positions[i];
        bool hole =
            position->offset < 0 && (!topic_has_offset(inputs, position->topic) || !is_new_partition(inputs, i));
        if (hole) {
            return gw_topics_step_add(plan, GW_TOPICS_REFUSE, group->group, NULL, err,
                                      "has offsets, but none for %s [%d]: it expired or was deleted; set it by hand "
                                      "(kafka-consumer-groups --reset-offsets), knowing that records may count twice",
                                      position->topic, position->partition);
        }
    }
    return GW_OK;
}

static gw_status write_offsets(const struct gw_topics_cluster *cluster, const struct gw_topics_group *group,
                               struct inputs *inputs, gw_err *err)
{
    for (size_t i = 0; i < inputs->count; i++) {
        int64_t low = 0;
        int64_t high = 0;
        GW_TRY(gw_kafka_admin_watermarks(cluster->admin, inputs->positions[i].topic, inputs->positions[i].partition,
                                         cluster->timeout_ms, &low, &high, err));
        inputs->positions[i].offset = group->start == GW_TOPICS_FROM_START ? low : high;
    }
    return gw_kafka_admin_group_offsets_set(cluster->admin, group->group, inputs->positions, inputs->count,
                                            cluster->timeout_ms, err);
}

// A group without any offset.
static gw_status start_group(const struct gw_topics_cluster *cluster, const struct gw_topics_group *group,
                             struct inputs *inputs, bool apply, struct gw_topics_plan *plan, gw_err *err)
{
    bool used = false;
    GW_TRY(was_used(cluster, group->changelog, &used, err));
    if (used) {
        return gw_topics_step_add(plan, GW_TOPICS_REFUSE, group->group, NULL, err,
                                  "has no offsets, but '%s' is not empty: they expired or were deleted, and starting "
                                  "over would count everything twice",
                                  group->changelog);
    }
    int32_t member_count = 0;
    GW_TRY(gw_kafka_admin_group_members(cluster->admin, group->group, cluster->timeout_ms, &member_count, err));
    if (member_count > 0) {
        return gw_topics_step_add(plan, GW_TOPICS_REFUSE, group->group, NULL, err,
                                  "has no offsets and %d members: stop them, apply again, start them", member_count);
    }
    struct gw_topics_step *step = NULL;
    GW_TRY(gw_topics_step_add(plan, GW_TOPICS_OFFSETS, group->group, &step, err, "starts at the %s of %zu topics",
                              group->start == GW_TOPICS_FROM_START ? "log start" : "end", group->topic_count));
    if (apply) {
        GW_TRY(write_offsets(cluster, group, inputs, err));
        step->done = true;
    }
    return GW_OK;
}

static gw_status settle_group(const struct gw_topics_cluster *cluster, const struct gw_topics_group *group,
                              struct inputs *inputs, bool apply, struct gw_topics_plan *plan, gw_err *err)
{
    GW_TRY(collect(cluster, group, inputs, err));
    if (apply && !inputs->complete) {
        return gw_fail(err, GW_E_UNAVAILABLE, "group '%s': not all of its topics are visible yet", group->group);
    }
    GW_TRY(gw_kafka_admin_group_offsets(cluster->admin, group->group, inputs->positions, inputs->count,
                                        cluster->timeout_ms, err));
    for (size_t i = 0; i < inputs->count; i++) {
        if (inputs->positions[i].offset >= 0) {
            return check_holes(group, inputs, plan, err);
        }
    }
    return start_group(cluster, group, inputs, apply, plan, err);
}

gw_status gw_topics_group_step(const struct gw_topics_cluster *cluster, const struct gw_topics_group *group, bool apply,
                               struct gw_topics_plan *plan, gw_err *err)
{
    struct inputs inputs = {.complete = true};
    gw_status status = settle_group(cluster, group, &inputs, apply, plan, err);
    gw_mem_free(inputs.positions);
    return status;
}
