// SPDX-License-Identifier: MIT
#include "kafka/consumer_internal.h"

#include "base/mem.h"

#include <string.h>

// ---- the table
// -------------------------------------------------------------------------------------------------------

struct gw_kafka_held_topic *gw_kafka_topic_find(struct gw_kafka_consumer *consumer, const char *name)
{
    for (size_t i = 0; i < consumer->topic_count; i++) {
        if (strcmp(consumer->topics[i].name, name) == 0) {
            return &consumer->topics[i];
        }
    }
    return NULL;
}

struct gw_kafka_held_topic *gw_kafka_topic_put(struct gw_kafka_consumer *consumer, const char *name)
{
    struct gw_kafka_held_topic *topic = gw_kafka_topic_find(consumer, name);
    if (topic != NULL) {
        return topic;
    }
    struct gw_kafka_held_topic *grown = gw_mem_realloc(consumer->topics, consumer->topic_count + 1, sizeof *grown);
    if (grown == NULL) {
        return NULL;
    }
    consumer->topics = grown;
    consumer->last_topic = NULL; // the array has moved
    topic = &grown[consumer->topic_count++];
    *topic = (struct gw_kafka_held_topic){.name = name};
    return topic;
}

struct gw_kafka_slot *gw_kafka_slot_find(struct gw_kafka_consumer *consumer, const char *name, int32_t partition)
{
    struct gw_kafka_held_topic *topic = gw_kafka_topic_find(consumer, name);
    return topic != NULL && partition >= 0 && partition < topic->slot_count ? &topic->slots[partition] : NULL;
}

static struct gw_kafka_slot *slot_put(struct gw_kafka_held_topic *topic, int32_t partition)
{
    if (partition >= topic->slot_count) {
        struct gw_kafka_slot *grown = gw_mem_realloc(topic->slots, (size_t)partition + 1, sizeof *grown);
        if (grown == NULL) {
            return NULL;
        }
        memset(grown + topic->slot_count, 0, (size_t)(partition + 1 - topic->slot_count) * sizeof *grown);
        topic->slots = grown;
        topic->slot_count = partition + 1;
    }
    return &topic->slots[partition];
}

void gw_kafka_table_deinit(struct gw_kafka_consumer *consumer)
{
    for (size_t i = 0; i < consumer->topic_count; i++) {
        gw_mem_free(consumer->topics[i].slots);
    }
    gw_mem_free(consumer->topics);
}

static void slots_clear(struct gw_kafka_consumer *consumer)
{
    for (size_t i = 0; i < consumer->topic_count; i++) {
        struct gw_kafka_held_topic *topic = &consumer->topics[i];
        topic->rkt = NULL;
        if (topic->slot_count > 0) {
            memset(topic->slots, 0, (size_t)topic->slot_count * sizeof *topic->slots);
        }
    }
    consumer->last_topic = NULL;
}

static gw_status slot_assign(struct gw_kafka_consumer *consumer, const struct gw_kafka_position *position)
{
    struct gw_kafka_held_topic *topic = gw_kafka_topic_put(consumer, position->topic);
    struct gw_kafka_slot *slot = topic != NULL ? slot_put(topic, position->partition) : NULL;
    if (slot == NULL) {
        return GW_E_MEMORY;
    }
    // END and START are looked up by librdkafka: whatever comes then is at or past the position.
    *slot = (struct gw_kafka_slot){.assigned = true,
                                   .positionless = position->offset == GW_KAFKA_OFFSET_NONE,
                                   .start_offset = position->offset,
                                   .next_offset = position->offset >= 0 ? position->offset : 0};
    return GW_OK;
}

// A partition without a position is given offset 0 for form: it is paused before librdkafka's next turn, resume refuses
// it, and what might still arrive is dropped by the table.
gw_status gw_kafka_install(struct gw_kafka_consumer *consumer, const struct gw_kafka_position *positions,
                           const bool *paused, size_t count, gw_err *err)
{
    slots_clear(consumer);
    rd_kafka_topic_partition_list_t *all = gw_kafka_list_new(positions, count);
    rd_kafka_topic_partition_list_t *held = rd_kafka_topic_partition_list_new((int)count);
    gw_status status = GW_OK;
    for (size_t i = 0; i < count && status == GW_OK; i++) {
        status = slot_assign(consumer, &positions[i]);
        bool positionless = positions[i].offset == GW_KAFKA_OFFSET_NONE;
        if (positionless) {
            all->elems[i].offset = 0;
        }
        if (positionless || (paused != NULL && paused[i])) {
            rd_kafka_topic_partition_list_add(held, positions[i].topic, positions[i].partition);
            struct gw_kafka_slot *slot = gw_kafka_slot_find(consumer, positions[i].topic, positions[i].partition);
            if (slot != NULL) {
                slot->paused = true;
            }
        }
    }
    if (status != GW_OK) {
        gw_fail(err, status, "assignment of %zu partitions: out of memory", count);
    } else {
        rd_kafka_resp_err_t code = rd_kafka_assign(consumer->handle.rk, all);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR && held->cnt > 0) {
            code = rd_kafka_pause_partitions(consumer->handle.rk, held);
        }
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            status = gw_kafka_fail_code(err, code, "assignment of %zu partitions", count);
        }
    }
    if (status != GW_OK) { // what is not installed must not be read
        slots_clear(consumer);
        rd_kafka_assign(consumer->handle.rk, NULL);
    }
    rd_kafka_topic_partition_list_destroy(held);
    rd_kafka_topic_partition_list_destroy(all);
    return status;
}

gw_status gw_kafka_reinstall(struct gw_kafka_consumer *consumer, const struct gw_kafka_position *moved, size_t count,
                             gw_err *err)
{
    size_t held = 0;
    for (size_t i = 0; i < consumer->topic_count; i++) {
        held += (size_t)consumer->topics[i].slot_count;
    }
    struct gw_kafka_position *positions GW_CLEANUP(gw_mem_cleanup) = gw_mem_calloc(held, sizeof *positions);
    bool *paused GW_CLEANUP(gw_mem_cleanup) = gw_mem_calloc(held, sizeof *paused);
    if (positions == NULL || paused == NULL) {
        return gw_fail(err, GW_E_MEMORY, "assignment of %zu partitions: out of memory", held);
    }
    held = 0;
    for (size_t i = 0; i < consumer->topic_count; i++) {
        struct gw_kafka_held_topic *topic = &consumer->topics[i];
        for (int32_t k = 0; k < topic->slot_count; k++) {
            struct gw_kafka_slot *slot = &topic->slots[k];
            if (!slot->assigned) {
                continue;
            }
            // Nothing came since it was placed at START or END: it is still there.
            int64_t offset = slot->next_offset > 0 ? slot->next_offset : slot->start_offset;
            positions[held] = (struct gw_kafka_position){
                .topic = topic->name, .partition = k, .offset = slot->positionless ? GW_KAFKA_OFFSET_NONE : offset};
            paused[held] = slot->paused;
            for (size_t m = 0; m < count; m++) {
                if (moved[m].partition == k && strcmp(moved[m].topic, topic->name) == 0) {
                    positions[held].offset = moved[m].offset;
                }
            }
            held++;
        }
    }
    return gw_kafka_install(consumer, positions, paused, held, err);
}

// ---- rebalances, inside poll or close
// ----------------------------------------------------------------------------------

// Gives positions for a list of librdkafka, with the caller's topic strings; offsets are those of the table, or NONE.
static struct gw_kafka_position *positions_of(struct gw_kafka_consumer *consumer,
                                              const rd_kafka_topic_partition_list_t *list, gw_status *ret_status)
{
    struct gw_kafka_position *positions = gw_mem_calloc((size_t)list->cnt, sizeof *positions);
    *ret_status = positions != NULL ? GW_OK : GW_E_MEMORY;
    for (int i = 0; positions != NULL && i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *element = &list->elems[i];
        struct gw_kafka_held_topic *topic = gw_kafka_topic_find(consumer, element->topic);
        struct gw_kafka_slot *slot = gw_kafka_slot_find(consumer, element->topic, element->partition);
        if (topic == NULL) { // a group assigns only what was subscribed
            *ret_status = GW_E_INTERNAL;
            continue;
        }
        positions[i] = (struct gw_kafka_position){
            .topic = topic->name,
            .partition = element->partition,
            .offset = slot != NULL && slot->assigned && !slot->positionless ? slot->next_offset : GW_KAFKA_OFFSET_NONE,
        };
    }
    return positions;
}

static gw_status on_assigned(struct gw_kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *list,
                             gw_err *err)
{
    gw_status status = GW_OK;
    struct gw_kafka_position *positions GW_CLEANUP(gw_mem_cleanup) = positions_of(consumer, list, &status);
    bool *paused GW_CLEANUP(gw_mem_cleanup) = gw_mem_calloc((size_t)list->cnt, sizeof *paused);
    if (status != GW_OK || paused == NULL) {
        return gw_fail(err, status != GW_OK ? status : GW_E_MEMORY, "assignment of %d partitions refused", list->cnt);
    }
    for (int i = 0; i < list->cnt; i++) {
        positions[i].offset = GW_KAFKA_OFFSET_NONE;
    }
    consumer->assigned(consumer->context, positions, paused, (size_t)list->cnt);
    return gw_kafka_install(consumer, positions, paused, (size_t)list->cnt, err);
}

// librdkafka's own flag is clear when the loss came while an ordinary revocation was already waiting to be polled; that
// the member has no id any more tells then (it was reset when the poll interval or the session had passed).
static bool is_lost(rd_kafka_t *rk)
{
    if (rd_kafka_assignment_lost(rk) != 0) {
        return true;
    }
    char *member = rd_kafka_memberid(rk);
    bool lost = member == NULL || member[0] == '\0';
    rd_kafka_mem_free(rk, member);
    return lost;
}

static gw_status on_revoked(struct gw_kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *list,
                            gw_err *err)
{
    bool lost = is_lost(consumer->handle.rk);
    gw_status status = GW_OK;
    struct gw_kafka_position *positions GW_CLEANUP(gw_mem_cleanup) = positions_of(consumer, list, &status);
    if (status == GW_OK) {
        consumer->revoked(consumer->context, positions, (size_t)list->cnt, lost);
    } else {
        gw_fail(err, status, "revocation of %d partitions", list->cnt);
    }
    slots_clear(consumer);
    rd_kafka_assign(consumer->handle.rk, NULL);
    return status;
}

void gw_kafka_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list,
                           void *opaque)
{
    struct gw_kafka_consumer *consumer = opaque;
    gw_status status = GW_OK;
    gw_err err = {0};
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
        status = on_assigned(consumer, list, &err);
        if (status != GW_OK) {
            rd_kafka_assign(rk, NULL);
        }
        break;
    case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
        status = on_revoked(consumer, list, &err);
        break;
    default:
        status = gw_kafka_fail_code(&err, code, "rebalance");
        slots_clear(consumer);
        rd_kafka_assign(rk, NULL);
    }
    if (status != GW_OK && consumer->deferred.status == GW_OK) {
        consumer->deferred = err;
    }
}
