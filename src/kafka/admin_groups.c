// SPDX-License-Identifier: MIT
// Consumer groups seen from outside: committed offsets, members.
#include "kafka/admin_internal.h"

#include "base/clock.h"

#define RETRY_MS 50u

// One question about a group, or one order.
struct group_ask {
    const char *group;
    struct gw_kafka_position *wanted;      // offsets to fill
    const struct gw_kafka_position *given; // offsets to write
    size_t count;
    int32_t *member_count; // to fill
};

// Checks the answer about one group and gives its partitions.
static gw_status group_result(const rd_kafka_group_result_t **groups, size_t count, const char *group,
                              const rd_kafka_topic_partition_list_t **ret_list, gw_err *err)
{
    if (count != 1) {
        return gw_fail(err, GW_E_INTERNAL, "group '%s': %zu answers to one question", group, count);
    }
    const rd_kafka_error_t *error = rd_kafka_group_result_error(groups[0]);
    if (error != NULL) {
        rd_kafka_resp_err_t code = rd_kafka_error_code(error);
        return gw_fail(err, gw_kafka_status_of(code), "group '%s': %s (%s)", group, rd_kafka_error_string(error),
                       rd_kafka_err2name(code));
    }
    *ret_list = rd_kafka_group_result_partitions(groups[0]);
    return GW_OK;
}

static gw_status copy_offsets(const rd_kafka_topic_partition_list_t *list, const char *group,
                              struct gw_kafka_position *positions, size_t count, gw_err *err)
{
    for (size_t i = 0; i < count; i++) {
        int at = -1; // the answer's order is not the question's
        for (int k = 0; k < list->cnt && at < 0; k++) {
            at = list->elems[k].partition == positions[i].partition &&
                         gw_slice_is(gw_slice_text(list->elems[k].topic), positions[i].topic)
                     ? k
                     : -1;
        }
        int64_t offset = GW_KAFKA_OFFSET_NONE;
        if (at >= 0) {
            rd_kafka_resp_err_t code = list->elems[at].err;
            if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
                return gw_kafka_fail_code(err, code, "group '%s': %s [%d]", group, positions[i].topic,
                                          positions[i].partition);
            }
            offset = list->elems[at].offset >= 0 ? list->elems[at].offset : GW_KAFKA_OFFSET_NONE;
        }
        positions[i].offset = offset;
        positions[i].metadata = NULL;
    }
    return GW_OK;
}

static gw_status ask_offsets(struct gw_kafka_admin *admin, const struct group_ask *ask, uint32_t timeout_ms,
                             gw_err *err)
{
    const char *group = ask->group;
    struct gw_kafka_position *positions = ask->wanted;
    size_t count = ask->count;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_list_add(list, positions[i].topic, positions[i].partition);
    }
    rd_kafka_ListConsumerGroupOffsets_t *request = rd_kafka_ListConsumerGroupOffsets_new(group, list);
    rd_kafka_AdminOptions_t *options =
        gw_kafka_admin_options(admin, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, timeout_ms);
    rd_kafka_ListConsumerGroupOffsets(admin->handle.rk, &request, 1, options, admin->queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ListConsumerGroupOffsets_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);

    rd_kafka_event_t *event = NULL;
    GW_TRY(gw_kafka_admin_wait(admin, RD_KAFKA_EVENT_LISTCONSUMERGROUPOFFSETS_RESULT, timeout_ms, "list group offsets",
                               &event, err));
    size_t answer_count = 0;
    const rd_kafka_group_result_t **groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
        rd_kafka_event_ListConsumerGroupOffsets_result(event), &answer_count);
    const rd_kafka_topic_partition_list_t *answer = NULL;
    gw_status status = group_result(groups, answer_count, group, &answer, err);
    if (status == GW_OK) {
        status = copy_offsets(answer, group, positions, count, err);
    }
    rd_kafka_event_destroy(event);
    return status;
}

static gw_status set_offsets(struct gw_kafka_admin *admin, const struct group_ask *ask, uint32_t timeout_ms,
                             gw_err *err)
{
    const char *group = ask->group;
    rd_kafka_topic_partition_list_t *list = gw_kafka_list_new(ask->given, ask->count);
    rd_kafka_AlterConsumerGroupOffsets_t *request = rd_kafka_AlterConsumerGroupOffsets_new(group, list);
    rd_kafka_AdminOptions_t *options =
        gw_kafka_admin_options(admin, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS, timeout_ms);
    rd_kafka_AlterConsumerGroupOffsets(admin->handle.rk, &request, 1, options, admin->queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_AlterConsumerGroupOffsets_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);

    rd_kafka_event_t *event = NULL;
    GW_TRY(gw_kafka_admin_wait(admin, RD_KAFKA_EVENT_ALTERCONSUMERGROUPOFFSETS_RESULT, timeout_ms,
                               "alter group offsets", &event, err));
    size_t answer_count = 0;
    const rd_kafka_group_result_t **groups = rd_kafka_AlterConsumerGroupOffsets_result_groups(
        rd_kafka_event_AlterConsumerGroupOffsets_result(event), &answer_count);
    const rd_kafka_topic_partition_list_t *answer = NULL;
    gw_status status = group_result(groups, answer_count, group, &answer, err);
    for (int i = 0; status == GW_OK && i < answer->cnt; i++) {
        rd_kafka_resp_err_t code = answer->elems[i].err;
        // A commit without membership is refused by that name while somebody is a member.
        if (code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID || code == RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP ||
            code == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS) {
            status = gw_fail(err, GW_E_CONFLICT, "group '%s' has members: stop them before offsets are set", group);
        } else if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            status = gw_kafka_fail_code(err, code, "group '%s': %s [%d]", group, answer->elems[i].topic,
                                        answer->elems[i].partition);
        }
    }
    rd_kafka_event_destroy(event);
    return status;
}

static gw_status ask_members(struct gw_kafka_admin *admin, const struct group_ask *ask, uint32_t timeout_ms,
                             gw_err *err)
{
    const char *group = ask->group;
    rd_kafka_AdminOptions_t *options =
        gw_kafka_admin_options(admin, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, timeout_ms);
    rd_kafka_DescribeConsumerGroups(admin->handle.rk, &group, 1, options, admin->queue);
    rd_kafka_AdminOptions_destroy(options);

    rd_kafka_event_t *event = NULL;
    GW_TRY(gw_kafka_admin_wait(admin, RD_KAFKA_EVENT_DESCRIBECONSUMERGROUPS_RESULT, timeout_ms, "describe group",
                               &event, err));
    size_t count = 0;
    const rd_kafka_ConsumerGroupDescription_t **groups =
        rd_kafka_DescribeConsumerGroups_result_groups(rd_kafka_event_DescribeConsumerGroups_result(event), &count);
    gw_status status = GW_OK;
    if (count != 1) {
        status = gw_fail(err, GW_E_INTERNAL, "group '%s': %zu answers to one question", group, count);
    } else {
        const rd_kafka_error_t *error = rd_kafka_ConsumerGroupDescription_error(groups[0]);
        rd_kafka_resp_err_t code = error != NULL ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            *ask->member_count = (int32_t)rd_kafka_ConsumerGroupDescription_member_count(groups[0]);
        } else if (code == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND) { // newer protocols say so; older ones, zero members
            *ask->member_count = 0;
        } else {
            status = gw_kafka_fail_code(err, code, "group '%s'", group);
        }
    }
    rd_kafka_event_destroy(event);
    return status;
}

// A young cluster's coordinator is still loading, and librdkafka passes that on instead of asking again.
static gw_status until_loaded(struct gw_kafka_admin *admin, const struct group_ask *ask, uint32_t timeout_ms,
                              gw_status (*once)(struct gw_kafka_admin *admin, const struct group_ask *ask,
                                                uint32_t timeout_ms, gw_err *err),
                              gw_err *err)
{
    uint64_t deadline_us = gw_clock_mono_us() + (uint64_t)timeout_ms * 1000;
    for (;;) {
        uint32_t left_ms = gw_kafka_left_ms(deadline_us);
        gw_status status = once(admin, ask, GW_MAX(left_ms, 1u), err);
        if (gw_status_class(status) != GW_CLASS_RETRY || gw_kafka_left_ms(deadline_us) <= RETRY_MS) {
            return status;
        }
        rd_kafka_poll(admin->handle.rk, RETRY_MS);
    }
}

gw_status gw_kafka_admin_group_offsets(struct gw_kafka_admin *admin, const char *group,
                                       struct gw_kafka_position *positions, size_t count, uint32_t timeout_ms,
                                       gw_err *err)
{
    const struct group_ask ask = {.group = group, .wanted = positions, .count = count};
    return count > 0 ? until_loaded(admin, &ask, timeout_ms, ask_offsets, err) : GW_OK;
}

gw_status gw_kafka_admin_group_offsets_set(struct gw_kafka_admin *admin, const char *group,
                                           const struct gw_kafka_position *positions, size_t count, uint32_t timeout_ms,
                                           gw_err *err)
{
    const struct group_ask ask = {.group = group, .given = positions, .count = count};
    return count > 0 ? until_loaded(admin, &ask, timeout_ms, set_offsets, err) : GW_OK;
}

gw_status gw_kafka_admin_group_members(struct gw_kafka_admin *admin, const char *group, uint32_t timeout_ms,
                                       int32_t *ret_count, gw_err *err)
{
    const struct group_ask ask = {.group = group, .member_count = ret_count};
    return until_loaded(admin, &ask, timeout_ms, ask_members, err);
}
