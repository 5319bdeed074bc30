// SPDX-License-Identifier: MIT
// Topics and their configuration; the cluster's pulse. Groups are in admin_groups.c.
#include "kafka/admin_internal.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define SLACK_MS        500 // beyond librdkafka's own limit, so that its reason arrives first
#define VISIBLE_POLL_MS 20

gw_status gw_kafka_admin_new(const struct gw_kafka_options *options, struct gw_kafka_admin **ret_admin, gw_err *err)
{
    struct gw_kafka_admin *admin = gw_mem_calloc(1, sizeof *admin);
    if (admin == NULL) {
        return gw_fail(err, GW_E_MEMORY, "kafka admin: out of memory");
    }
    rd_kafka_conf_t *conf = gw_kafka_conf_new(&admin->handle, options);
    // A consumer that never consumes, because its isolation decides whether a watermark query sees the log's end. It
    // has a group, which it never joins, because librdkafka up to 2.10 asks the handle's own group to look for a moved
    // coordinator when any group's offsets are refused, and crashes where there is none (librdkafka#5040).
    const struct gw_kafka_property own[] = {{"isolation.level", "read_uncommitted"}, {"group.id", "godwit-unjoined"}};
    gw_status status = gw_kafka_conf_set_all(conf, own, GW_COUNT_OF(own), err);
    if (status != GW_OK) {
        rd_kafka_conf_destroy(conf);
    } else {
        status = gw_kafka_handle_open(&admin->handle, RD_KAFKA_CONSUMER, conf, options, err);
    }
    if (status != GW_OK) {
        gw_mem_free(admin);
        return status;
    }
    admin->queue = rd_kafka_queue_new(admin->handle.rk);
    *ret_admin = admin;
    return GW_OK;
}

void gw_kafka_admin_free(struct gw_kafka_admin *admin)
{
    if (admin == NULL) {
        return;
    }
    rd_kafka_queue_destroy(admin->queue);
    if (gw_kafka_handle_close(&admin->handle)) {
        gw_mem_free(admin);
    }
}

rd_kafka_AdminOptions_t *gw_kafka_admin_options(struct gw_kafka_admin *admin, rd_kafka_admin_op_t op,
                                                uint32_t timeout_ms)
{
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(admin->handle.rk, op);
    char reason[GW_ERR_MESSAGE_BYTES]; // refused only outside librdkafka's range: then its default holds
    (void)rd_kafka_AdminOptions_set_request_timeout(options, (int)timeout_ms, reason, sizeof reason);
    (void)rd_kafka_AdminOptions_set_operation_timeout(options, (int)timeout_ms, reason, sizeof reason);
    return options;
}

gw_status gw_kafka_admin_wait(struct gw_kafka_admin *admin, rd_kafka_event_type_t type, uint32_t timeout_ms,
                              const char *what, rd_kafka_event_t **ret_event, gw_err *err)
{
    uint64_t deadline_us = gw_clock_mono_us() + ((uint64_t)timeout_ms + SLACK_MS) * 1000;
    for (;;) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(admin->queue, (int)gw_kafka_left_ms(deadline_us));
        if (event == NULL) {
            return gw_fail(err, GW_E_TIMEOUT, "%s: no answer in %u ms", what, timeout_ms);
        }
        if (rd_kafka_event_type(event) == type) {
            rd_kafka_resp_err_t code = rd_kafka_event_error(event);
            if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
                *ret_event = event;
                return GW_OK;
            }
            gw_status status = gw_fail(err, gw_kafka_status_of(code), "%s: %s (%s)", what,
                                       rd_kafka_event_error_string(event), rd_kafka_err2name(code));
            rd_kafka_event_destroy(event);
            return status;
        }
        rd_kafka_event_destroy(event);
    }
}

// ---- topics
// ------------------------------------------------------------------------------------------------------------

void gw_kafka_topic_state_deinit(struct gw_kafka_topic_state *state)
{
    for (size_t i = 0; i < state->entry_count; i++) {
        gw_mem_free(state->entries[i].name);
        gw_mem_free(state->entries[i].value);
    }
    gw_mem_free(state->entries);
    *state = (struct gw_kafka_topic_state){0};
}

// Fills exists, counts; a topic without a leader for some partition is not there yet.
static gw_status describe_partitions(struct gw_kafka_admin *admin, const char *topic, uint32_t timeout_ms,
                                     struct gw_kafka_topic_state *state, gw_err *err)
{
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(admin->handle.rk, topic, NULL);
    if (rkt == NULL) {
        return gw_kafka_fail_code(err, rd_kafka_last_error(), "topic '%s'", topic);
    }
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(admin->handle.rk, 0, rkt, &metadata, (int)timeout_ms);
    rd_kafka_topic_destroy(rkt);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return gw_kafka_fail_code(err, code, "topic '%s': metadata", topic);
    }
    gw_status status = GW_OK;
    rd_kafka_resp_err_t topic_code =
        metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (topic_code == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topics[0].partition_cnt > 0) {
        state->exists = true;
        state->partition_count = metadata->topics[0].partition_cnt;
        state->replication_factor = metadata->topics[0].partitions[0].replica_cnt;
    } else if (topic_code != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART && topic_code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        status = gw_kafka_fail_code(err, topic_code, "topic '%s'", topic);
    }
    rd_kafka_metadata_destroy(metadata);
    return status;
}

static gw_status copy_entries(const rd_kafka_ConfigResource_t *resource, const char *topic,
                              struct gw_kafka_topic_state *state, gw_err *err)
{
    size_t count = 0;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
    state->entries = gw_mem_calloc(count, sizeof *state->entries);
    for (size_t i = 0; state->entries != NULL && i < count; i++) {
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        struct gw_kafka_config_entry *entry = &state->entries[state->entry_count++];
        entry->name = gw_mem_strdup(rd_kafka_ConfigEntry_name(entries[i]));
        entry->value = gw_mem_strdup(value != NULL ? value : "");
        entry->is_default = rd_kafka_ConfigEntry_source(entries[i]) != RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG;
        if (entry->name == NULL || entry->value == NULL) {
            return gw_fail(err, GW_E_MEMORY, "topic '%s': out of memory", topic);
        }
    }
    return state->entries != NULL ? GW_OK : gw_fail(err, GW_E_MEMORY, "topic '%s': out of memory", topic);
}

static gw_status describe_configs(struct gw_kafka_admin *admin, const char *topic, uint32_t timeout_ms,
                                  struct gw_kafka_topic_state *state, gw_err *err)
{
    rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_AdminOptions_t *options = gw_kafka_admin_options(admin, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout_ms);
    rd_kafka_DescribeConfigs(admin->handle.rk, &resource, 1, options, admin->queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(resource);

    rd_kafka_event_t *event = NULL;
    GW_TRY(
        gw_kafka_admin_wait(admin, RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT, timeout_ms, "describe configs", &event, err));
    size_t count = 0;
    const rd_kafka_ConfigResource_t **resources =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &count);
    gw_status status = GW_OK;
    if (count != 1) {
        status = gw_fail(err, GW_E_INTERNAL, "topic '%s': %zu answers to one question", topic, count);
    } else if (rd_kafka_ConfigResource_error(resources[0]) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        status =
            gw_kafka_fail_code(err, rd_kafka_ConfigResource_error(resources[0]), "topic '%s': configuration", topic);
    } else {
        status = copy_entries(resources[0], topic, state, err);
    }
    rd_kafka_event_destroy(event);
    return status;
}

gw_status gw_kafka_admin_topic_describe(struct gw_kafka_admin *admin, const char *topic, uint32_t timeout_ms,
                                        struct gw_kafka_topic_state *ret_state, gw_err *err)
{
    struct gw_kafka_topic_state state = {0};
    gw_status status = describe_partitions(admin, topic, timeout_ms, &state, err);
    if (status == GW_OK && state.exists) {
        status = describe_configs(admin, topic, timeout_ms, &state, err);
    }
    if (status != GW_OK) {
        gw_kafka_topic_state_deinit(&state);
        return status;
    }
    *ret_state = state;
    return GW_OK;
}

// The controller has made it, but a broker's metadata follows a little later: a caller that goes on must find it.
static gw_status wait_visible(struct gw_kafka_admin *admin, const char *topic, int32_t partition_count,
                              uint64_t deadline_us, gw_err *err)
{
    for (;;) {
        struct gw_kafka_topic_state state = {0};
        GW_TRY(describe_partitions(admin, topic, GW_MAX(gw_kafka_left_ms(deadline_us), 1u), &state, err));
        if (state.exists && state.partition_count >= partition_count) {
            return GW_OK;
        }
        if (gw_kafka_left_ms(deadline_us) == 0) {
            return gw_fail(err, GW_E_TIMEOUT, "topic '%s' was made but is not visible yet", topic);
        }
        rd_kafka_poll(admin->handle.rk, VISIBLE_POLL_MS);
    }
}

static gw_status topic_result(const rd_kafka_topic_result_t **topics, size_t count, const char *topic, gw_err *err)
{
    if (count != 1) {
        return gw_fail(err, GW_E_INTERNAL, "topic '%s': %zu answers to one question", topic, count);
    }
    rd_kafka_resp_err_t code = rd_kafka_topic_result_error(topics[0]);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return GW_OK;
    }
    const char *reason = rd_kafka_topic_result_error_string(topics[0]);
    return gw_fail(err, gw_kafka_status_of(code), "topic '%s': %s (%s)", topic,
                   reason != NULL ? reason : rd_kafka_err2str(code), rd_kafka_err2name(code));
}

gw_status gw_kafka_admin_topic_create(struct gw_kafka_admin *admin, const struct gw_kafka_topic_spec *spec,
                                      uint32_t timeout_ms, gw_err *err)
{
    uint64_t deadline_us = gw_clock_mono_us() + (uint64_t)timeout_ms * 1000;
    char reason[GW_ERR_MESSAGE_BYTES];
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(spec->name, spec->partition_count, spec->replication_factor, reason, sizeof reason);
    if (topic == NULL) {
        return gw_fail(err, GW_E_CONFIG, "topic '%s': %s", spec->name, reason);
    }
    for (size_t i = 0; i < spec->config_count; i++) {
        rd_kafka_resp_err_t code = rd_kafka_NewTopic_set_config(topic, spec->configs[i].name, spec->configs[i].value);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_NewTopic_destroy(topic);
            return gw_kafka_fail_code(err, code, "topic '%s': %s", spec->name, spec->configs[i].name);
        }
    }
    rd_kafka_AdminOptions_t *options = gw_kafka_admin_options(admin, RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout_ms);
    rd_kafka_CreateTopics(admin->handle.rk, &topic, 1, options, admin->queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewTopic_destroy(topic);

    rd_kafka_event_t *event = NULL;
    GW_TRY(gw_kafka_admin_wait(admin, RD_KAFKA_EVENT_CREATETOPICS_RESULT, timeout_ms, "create topic", &event, err));
    size_t count = 0;
    const rd_kafka_topic_result_t **topics =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    gw_status status = topic_result(topics, count, spec->name, err);
    rd_kafka_event_destroy(event);
    return status != GW_OK ? status : wait_visible(admin, spec->name, spec->partition_count, deadline_us, err);
}

gw_status gw_kafka_admin_topic_grow(struct gw_kafka_admin *admin, const char *topic, int32_t partition_count,
                                    uint32_t timeout_ms, gw_err *err)
{
    uint64_t deadline_us = gw_clock_mono_us() + (uint64_t)timeout_ms * 1000;
    char reason[GW_ERR_MESSAGE_BYTES];
    rd_kafka_NewPartitions_t *partitions =
        rd_kafka_NewPartitions_new(topic, (size_t)partition_count, reason, sizeof reason);
    if (partitions == NULL) {
        return gw_fail(err, GW_E_CONFIG, "topic '%s': %s", topic, reason);
    }
    rd_kafka_AdminOptions_t *options = gw_kafka_admin_options(admin, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, timeout_ms);
    rd_kafka_CreatePartitions(admin->handle.rk, &partitions, 1, options, admin->queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewPartitions_destroy(partitions);

    rd_kafka_event_t *event = NULL;
    GW_TRY(gw_kafka_admin_wait(admin, RD_KAFKA_EVENT_CREATEPARTITIONS_RESULT, timeout_ms, "create partitions", &event,
                               err));
    size_t count = 0;
    const rd_kafka_topic_result_t **topics =
        rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(event), &count);
    gw_status status = topic_result(topics, count, topic, err);
    rd_kafka_event_destroy(event);
    return status != GW_OK ? status : wait_visible(admin, topic, partition_count, deadline_us, err);
}

gw_status gw_kafka_admin_topic_configure(struct gw_kafka_admin *admin, const char *topic,
                                         const struct gw_kafka_property *configs, size_t count, uint32_t timeout_ms,
                                         gw_err *err)
{
    rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_resp_err_t code = rd_kafka_ConfigResource_set_config(resource, configs[i].name, configs[i].value);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_ConfigResource_destroy(resource);
            return gw_kafka_fail_code(err, code, "topic '%s': %s", topic, configs[i].name);
        }
    }
    rd_kafka_AdminOptions_t *options = gw_kafka_admin_options(admin, RD_KAFKA_ADMIN_OP_ALTERCONFIGS, timeout_ms);
    rd_kafka_AlterConfigs(admin->handle.rk, &resource, 1, options, admin->queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(resource);

    rd_kafka_event_t *event = NULL;
    GW_TRY(gw_kafka_admin_wait(admin, RD_KAFKA_EVENT_ALTERCONFIGS_RESULT, timeout_ms, "alter configs", &event, err));
    size_t answer_count = 0;
    const rd_kafka_ConfigResource_t **answers =
        rd_kafka_AlterConfigs_result_resources(rd_kafka_event_AlterConfigs_result(event), &answer_count);
    gw_status status = GW_OK;
    if (answer_count != 1) {
        status = gw_fail(err, GW_E_INTERNAL, "topic '%s': %zu answers to one question", topic, answer_count);
    } else if (rd_kafka_ConfigResource_error(answers[0]) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char *reason = rd_kafka_ConfigResource_error_string(answers[0]);
        rd_kafka_resp_err_t code = rd_kafka_ConfigResource_error(answers[0]);
        status = gw_fail(err, gw_kafka_status_of(code), "topic '%s': %s (%s)", topic,
                         reason != NULL ? reason : rd_kafka_err2str(code), rd_kafka_err2name(code));
    }
    rd_kafka_event_destroy(event);
    return status;
}

// ---- the cluster
// -------------------------------------------------------------------------------------------------------

gw_status gw_kafka_admin_watermarks(struct gw_kafka_admin *admin, const char *topic, int32_t partition,
                                    uint32_t timeout_ms, int64_t *ret_low, int64_t *ret_high, gw_err *err)
{
    return gw_kafka_watermarks(admin->handle.rk, topic, partition, timeout_ms, ret_low, ret_high, err);
}

gw_status gw_kafka_admin_ping(struct gw_kafka_admin *admin, uint32_t timeout_ms, uint64_t *ret_latency_us, gw_err *err)
{
    uint64_t start_us = gw_clock_mono_us();
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(admin->handle.rk, 0, NULL, &metadata, (int)timeout_ms);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return gw_kafka_fail_code(err, code, "kafka: ping");
    }
    rd_kafka_metadata_destroy(metadata);
    *ret_latency_us = gw_clock_mono_us() - start_us;
    return GW_OK;
}
