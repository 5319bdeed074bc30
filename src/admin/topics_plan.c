// SPDX-License-Identifier: MIT
#include "admin/topics_internal.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const verb_names[] = {
#define X(suffix, name) [GW_TOPICS_##suffix] = name,
    GW_TOPICS_VERB_MAP(X)
#undef X
};

const char *gw_topics_verb_name(enum gw_topics_verb verb)
{
    GW_ASSERT((unsigned)verb < GW_TOPICS_VERB_COUNT);
    return verb_names[verb];
}

void gw_topics_plan_deinit(struct gw_topics_plan *plan)
{
    gw_mem_free(plan->steps);
    *plan = (struct gw_topics_plan){0};
}

gw_status gw_topics_step_add(struct gw_topics_plan *plan, enum gw_topics_verb verb, const char *subject,
                             struct gw_topics_step **ret_step, gw_err *err, const char *format, ...)
{
    struct gw_topics_step *grown = gw_mem_realloc(plan->steps, plan->count + 1, sizeof *grown);
    if (grown == NULL) {
        return gw_fail(err, GW_E_MEMORY, "topics plan: out of memory");
    }
    plan->steps = grown;
    struct gw_topics_step *step = &grown[plan->count++];
    *step = (struct gw_topics_step){.verb = verb};
    snprintf(step->subject, sizeof step->subject, "%s", subject);
    va_list args;
    va_start(args, format);
    vsnprintf(step->text, sizeof step->text, format, args);
    va_end(args);
    plan->refused_count += verb == GW_TOPICS_REFUSE ? 1 : 0;
    plan->change_count += verb != GW_TOPICS_REFUSE && verb != GW_TOPICS_NOTE ? 1 : 0;
    if (ret_step != NULL) {
        *ret_step = step;
    }
    return GW_OK;
}

// ---- one topic
// ---------------------------------------------------------------------------------------------------------

static gw_status create(const struct gw_topics_cluster *cluster, const struct gw_topic_def *topic, bool apply,
                        struct gw_topics_plan *plan, gw_err *err)
{
    struct gw_topics_step *step = NULL;
    GW_TRY(gw_topics_step_add(plan, GW_TOPICS_CREATE, topic->full_name, &step, err, "%d partitions x %d, %zu settings",
                              topic->partition_count, topic->replication_factor, topic->config_count));
    if (apply) {
        const struct gw_kafka_topic_spec spec = {.name = topic->full_name,
                                                 .partition_count = topic->partition_count,
                                                 .replication_factor = topic->replication_factor,
                                                 .configs = topic->configs,
                                                 .config_count = topic->config_count};
        gw_status status = gw_kafka_admin_topic_create(cluster->admin, &spec, cluster->timeout_ms, err);
        if (status != GW_OK && status != GW_E_CONFLICT) { // made by somebody else meanwhile: the next run looks at it
            return status;
        }
        step->done = true;
    }
    return GW_OK;
}

static gw_status settle_count(const struct gw_topics_cluster *cluster, const struct gw_topic_def *topic,
                              const struct gw_kafka_topic_state *state, bool apply, struct gw_topics_plan *plan,
                              gw_err *err)
{
    if (topic->source || state->partition_count == topic->partition_count) {
        return GW_OK;
    }
    if (topic->count_group != NULL) {
        return gw_topics_step_add(plan, GW_TOPICS_REFUSE, topic->full_name, NULL, err,
                                  "has %d partitions, topics.ini says %d: counts of '%s' are fixed once topics exist, "
                                  "because state and joins follow them; set it back to %d",
                                  state->partition_count, topic->partition_count, topic->count_group,
                                  state->partition_count);
    }
    if (state->partition_count > topic->partition_count) {
        return gw_topics_step_add(plan, GW_TOPICS_REFUSE, topic->full_name, NULL, err,
                                  "has %d partitions, topics.ini says %d: topics do not shrink; set it to %d",
                                  state->partition_count, topic->partition_count, state->partition_count);
    }
    struct gw_topics_step *step = NULL;
    GW_TRY(gw_topics_step_add(plan, GW_TOPICS_GROW, topic->full_name, &step, err,
                              "from %d to %d partitions; keys move, so order within a key breaks once",
                              state->partition_count, topic->partition_count));
    if (apply) {
        GW_TRY(gw_kafka_admin_topic_grow(cluster->admin, topic->full_name, topic->partition_count, cluster->timeout_ms,
                                         err));
        step->done = true;
    }
    return GW_OK;
}

static const struct gw_kafka_config_entry *find_entry(const struct gw_kafka_topic_state *state, const char *name)
{
    for (size_t i = 0; i < state->entry_count; i++) {
        if (strcmp(state->entries[i].name, name) == 0) {
            return &state->entries[i];
        }
    }
    return NULL;
}

// The settings as they shall be: ours, and those of the topic's own that the file does not name, because the request
// replaces the whole set. Values are borrowed.
static size_t merge_configs(const struct gw_topic_def *topic, const struct gw_kafka_topic_state *state,
                            struct gw_kafka_property *merged)
{
    size_t count = 0;
    for (size_t i = 0; i < topic->config_count; i++) {
        merged[count++] = topic->configs[i];
    }
    for (size_t i = 0; i < state->entry_count; i++) {
        const struct gw_kafka_config_entry *entry = &state->entries[i];
        if (!entry->is_default && gw_topic_config(topic, entry->name) == NULL) {
            merged[count++] = (struct gw_kafka_property){.name = entry->name, .value = entry->value};
        }
    }
    return count;
}

// "a: 1 -> 2, b: 3 -> 4" of what differs; empty when nothing does.
static gw_status describe_difference(const struct gw_topic_def *topic, const struct gw_kafka_topic_state *state,
                                     struct gw_buf *text)
{
    for (size_t i = 0; i < topic->config_count; i++) {
        const struct gw_kafka_property *wanted = &topic->configs[i];
        const struct gw_kafka_config_entry *entry = find_entry(state, wanted->name);
        if (entry == NULL || strcmp(entry->value, wanted->value) != 0) {
            GW_TRY(gw_buf_append_format(text, "%s%s: %s -> %s", text->size > 0 ? ", " : "", wanted->name,
                                        entry != NULL ? entry->value : "unset", wanted->value));
        }
    }
    return GW_OK;
}

static gw_status configure(const struct gw_topics_cluster *cluster, const struct gw_topic_def *topic,
                           const struct gw_kafka_topic_state *state, const char *difference, bool apply,
                           struct gw_topics_plan *plan, gw_err *err)
{
    struct gw_topics_step *step = NULL;
    GW_TRY(gw_topics_step_add(plan, GW_TOPICS_CONFIGURE, topic->full_name, &step, err, "%s", difference));
    if (!apply) {
        return GW_OK;
    }
    struct gw_kafka_property *merged = gw_mem_calloc(topic->config_count + state->entry_count, sizeof *merged);
    if (merged == NULL) {
        return gw_fail(err, GW_E_MEMORY, "topics apply: out of memory");
    }
    size_t count = merge_configs(topic, state, merged);
    gw_status status =
        gw_kafka_admin_topic_configure(cluster->admin, topic->full_name, merged, count, cluster->timeout_ms, err);
    gw_mem_free(merged);
    step->done = status == GW_OK;
    return status;
}

static gw_status settle_configs(const struct gw_topics_cluster *cluster, const struct gw_topic_def *topic,
                                const struct gw_kafka_topic_state *state, bool apply, struct gw_topics_plan *plan,
                                gw_err *err)
{
    struct gw_buf text = {0};
    gw_status status = describe_difference(topic, state, &text);
    if (status == GW_OK && text.size > 0) {
        status = gw_buf_append(&text, "", 1);
        if (status == GW_OK && topic->source) {
            status = gw_topics_step_add(plan, GW_TOPICS_NOTE, topic->full_name, NULL, err,
                                        "belongs to its producers and is left as it is: %s", (const char *)text.data);
        } else if (status == GW_OK) {
            status = configure(cluster, topic, state, (const char *)text.data, apply, plan, err);
        }
    } else if (status != GW_OK) {
        gw_fail(err, status, "topics plan: out of memory");
    }
    gw_buf_deinit(&text);
    return status;
}

static gw_status settle_existing(const struct gw_topics_cluster *cluster, const struct gw_topic_def *topic,
                                 const struct gw_kafka_topic_state *state, bool apply, struct gw_topics_plan *plan,
                                 gw_err *err)
{
    GW_TRY(settle_count(cluster, topic, state, apply, plan, err));
    if (state->replication_factor != topic->replication_factor && !topic->source) {
        GW_TRY(gw_topics_step_add(plan, GW_TOPICS_NOTE, topic->full_name, NULL, err,
                                  "has %d replicas, topics.ini says %d: move replicas with Kafka's own tools",
                                  state->replication_factor, topic->replication_factor));
    }
    return settle_configs(cluster, topic, state, apply, plan, err);
}

static gw_status settle_topic(const struct gw_topics_cluster *cluster, const struct gw_topic_def *topic, bool apply,
                              struct gw_topics_plan *plan, gw_err *err)
{
    struct gw_kafka_topic_state state = {0};
    GW_TRY(gw_kafka_admin_topic_describe(cluster->admin, topic->full_name, cluster->timeout_ms, &state, err));
    gw_status status = state.exists ? settle_existing(cluster, topic, &state, apply, plan, err)
                                    : create(cluster, topic, apply, plan, err);
    gw_kafka_topic_state_deinit(&state);
    return status;
}

// ---- all of them
// ---------------------------------------------------------------------------------------------------------

static gw_status settle_all(const struct gw_topics_cluster *cluster, bool apply, struct gw_topics_plan *plan,
                            gw_err *err)
{
    size_t count = gw_topics_count(cluster->topics);
    for (size_t i = 0; i < count; i++) {
        const struct gw_topic_def *topic = gw_topics_at(cluster->topics, i);
        plan->disk_bytes_max += gw_topic_disk_bytes(topic);
        plan->compacted_count += topic->compacted ? 1 : 0;
        GW_TRY(settle_topic(cluster, topic, apply, plan, err));
    }
    // Log ids before offsets: a changelog is empty or begins with its id.
    for (size_t i = 0; i < count; i++) {
        const struct gw_topic_def *topic = gw_topics_at(cluster->topics, i);
        if (topic->log_id) {
            GW_TRY(gw_topics_log_id_step(cluster, topic, apply, plan, err));
        }
    }
    for (size_t i = 0; i < cluster->group_count; i++) {
        GW_TRY(gw_topics_group_step(cluster, &cluster->groups[i], apply, plan, err));
    }
    return GW_OK;
}

static gw_status run(const struct gw_topics_cluster *cluster, bool apply, struct gw_topics_plan *ret_plan, gw_err *err)
{
    struct gw_topics_plan plan = {0};
    gw_status status = settle_all(cluster, apply, &plan, err);
    if (status != GW_OK) {
        gw_topics_plan_deinit(&plan);
        return status;
    }
    *ret_plan = plan;
    return GW_OK;
}

gw_status gw_topics_plan(const struct gw_topics_cluster *cluster, struct gw_topics_plan *ret_plan, gw_err *err)
{
    return run(cluster, false, ret_plan, err);
}

gw_status gw_topics_apply(const struct gw_topics_cluster *cluster, struct gw_topics_plan *ret_plan, gw_err *err)
{
    return run(cluster, true, ret_plan, err);
}
