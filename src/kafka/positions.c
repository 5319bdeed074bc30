// SPDX-License-Identifier: MIT
// Where a consumer stands and where partitions end: seeks, pauses, committed offsets, watermarks.
#include "kafka/consumer_internal.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static gw_status first_error(const rd_kafka_topic_partition_list_t *list, const char *what, gw_err *err)
{
    for (int i = 0; i < list->cnt; i++) {
        if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return gw_kafka_fail_code(err, list->elems[i].err, "%s [%d]: %s", list->elems[i].topic,
                                      list->elems[i].partition, what);
        }
    }
    return GW_OK;
}

// Checks that each position can be sought; *ret_stopped: one of them has no fetcher any more.
static gw_status check_seek(struct gw_kafka_consumer *consumer, const struct gw_kafka_position *positions, size_t count,
                            bool *ret_stopped, gw_err *err)
{
    bool stopped = false;
    for (size_t i = 0; i < count; i++) {
        const struct gw_kafka_slot *slot = gw_kafka_slot_find(consumer, positions[i].topic, positions[i].partition);
        if (slot == NULL || !slot->assigned) {
            return gw_fail(err, GW_E_UNAVAILABLE, "%s [%d]: seek: not assigned", positions[i].topic,
                           positions[i].partition);
        }
        if (positions[i].offset == GW_KAFKA_OFFSET_NONE) {
            return gw_fail(err, GW_E_MISMATCH, "%s [%d]: seek: no offset given", positions[i].topic,
                           positions[i].partition);
        }
        stopped = stopped || slot->stopped;
    }
    *ret_stopped = stopped;
    return GW_OK;
}

gw_status gw_kafka_consumer_seek(struct gw_kafka_consumer *consumer, const struct gw_kafka_position *positions,
                                 size_t count, gw_err *err)
{
    bool stopped = false;
    GW_TRY(check_seek(consumer, positions, count, &stopped, err));
    if (stopped) { // librdkafka has no fetcher there to move (_STATE): place everything once more
        return gw_kafka_reinstall(consumer, positions, count, err);
    }
    rd_kafka_topic_partition_list_t *list = gw_kafka_list_new(positions, count);
    // The seek is local; no timeout, because librdkafka 2.0 takes it a thousand times too short (3.5).
    rd_kafka_error_t *error = rd_kafka_seek_partitions(consumer->handle.rk, list, -1);
    gw_status status = error != NULL
                           ? gw_kafka_fail_error(err, consumer->handle.rk, error, "seek of %zu partitions", count)
                           : first_error(list, "seek", err);
    rd_kafka_topic_partition_list_destroy(list);
    for (size_t i = 0; i < count && status == GW_OK; i++) {
        struct gw_kafka_slot *slot = gw_kafka_slot_find(consumer, positions[i].topic, positions[i].partition);
        slot->start_offset = positions[i].offset;
        slot->next_offset = positions[i].offset >= 0 ? positions[i].offset : 0;
        slot->positionless = false;
    }
    return status;
}

// Remembers what was asked for, for a new assignment.
static void mark_paused(struct gw_kafka_consumer *consumer, const struct gw_kafka_position *positions, size_t count,
                        bool paused)
{
    for (size_t i = 0; i < count; i++) {
        struct gw_kafka_slot *slot = gw_kafka_slot_find(consumer, positions[i].topic, positions[i].partition);
        if (slot != NULL) {
            slot->paused = paused;
        }
    }
}

gw_status gw_kafka_consumer_pause(struct gw_kafka_consumer *consumer, const struct gw_kafka_position *positions,
                                  size_t count, gw_err *err)
{
    rd_kafka_topic_partition_list_t *list = gw_kafka_list_new(positions, count);
    rd_kafka_pause_partitions(consumer->handle.rk, list); // its answer is the elements' errors
    gw_status status = first_error(list, "pause", err);
    mark_paused(consumer, positions, count, true);
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

gw_status gw_kafka_consumer_resume(struct gw_kafka_consumer *consumer, const struct gw_kafka_position *positions,
                                   size_t count, gw_err *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct gw_kafka_slot *slot = gw_kafka_slot_find(consumer, positions[i].topic, positions[i].partition);
        if (slot != NULL && slot->positionless) {
            return gw_fail(err, GW_E_MISMATCH, "%s [%d]: resume: has no position, seek first", positions[i].topic,
                           positions[i].partition);
        }
    }
    rd_kafka_topic_partition_list_t *list = gw_kafka_list_new(positions, count);
    rd_kafka_resume_partitions(consumer->handle.rk, list);
    gw_status status = first_error(list, "resume", err);
    mark_paused(consumer, positions, count, false);
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

gw_status gw_kafka_consumer_committed(struct gw_kafka_consumer *consumer, struct gw_kafka_position *positions,
                                      char (*metadata)[GW_KAFKA_METADATA_BYTES_MAX], size_t count, uint32_t timeout_ms,
                                      gw_err *err)
{
    if (count == 0) {
        return GW_OK;
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_list_add(list, positions[i].topic, positions[i].partition);
    }
    rd_kafka_resp_err_t code = rd_kafka_committed(consumer->handle.rk, list, (int)timeout_ms);
    gw_status status = code != RD_KAFKA_RESP_ERR_NO_ERROR
                           ? gw_kafka_fail_code(err, code, "committed offsets of %zu partitions", count)
                           : first_error(list, "committed offset", err);
    for (size_t i = 0; i < count && status == GW_OK; i++) {
        const rd_kafka_topic_partition_t *element = &list->elems[i];
        if (element->metadata_size >= GW_KAFKA_METADATA_BYTES_MAX) {
            status = gw_fail(err, GW_E_MISMATCH, "%s [%d]: offset metadata of %zu bytes is not ours", element->topic,
                             element->partition, element->metadata_size);
        }
    }
    for (size_t i = 0; i < count && status == GW_OK; i++) {
        const rd_kafka_topic_partition_t *element = &list->elems[i];
        positions[i].offset = element->offset >= 0 ? element->offset : GW_KAFKA_OFFSET_NONE;
        positions[i].metadata = NULL;
        if (metadata != NULL) {
            if (element->metadata_size > 0) {
                memcpy(metadata[i], element->metadata, element->metadata_size);
            }
            metadata[i][element->metadata_size] = '\0';
            positions[i].metadata = element->metadata_size > 0 ? metadata[i] : NULL;
        }
    }
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

gw_status gw_kafka_consumer_offset_at(struct gw_kafka_consumer *consumer, const char *topic, int32_t partition,
                                      int64_t time_ms, uint32_t timeout_ms, int64_t *ret_offset, gw_err *err)
{
    rd_kafka_t *rk = gw_kafka_consumer_rk(consumer);
    int64_t low = 0;
    int64_t end = 0; // asked first: what is appended while we ask for the time lies behind it, not before
    GW_TRY(gw_kafka_consumer_watermarks(consumer, topic, partition, timeout_ms, &low, &end, err));
    rd_kafka_topic_partition_list_t *times = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(times, topic, partition)->offset = time_ms;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(rk, times, (int)timeout_ms);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        code = times->elems[0].err;
    }
    int64_t offset = times->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(times);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return gw_kafka_fail_code(err, code, "%s [%d]: offset at time %lld", topic, partition, (long long)time_ms);
    }
    *ret_offset = offset >= 0 ? offset : end;
    return GW_OK;
}

gw_status gw_kafka_consumer_watermarks(struct gw_kafka_consumer *consumer, const char *topic, int32_t partition,
                                       uint32_t timeout_ms, int64_t *ret_low, int64_t *ret_high, gw_err *err)
{
    return gw_kafka_watermarks(consumer->handle.rk, topic, partition, timeout_ms, ret_low, ret_high, err);
}

int64_t gw_kafka_consumer_cached_high(struct gw_kafka_consumer *consumer, const char *topic, int32_t partition)
{
    int64_t low = -1;
    int64_t high = -1;
    if (rd_kafka_get_watermark_offsets(consumer->handle.rk, topic, partition, &low, &high) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        return -1;
    }
    return high >= 0 ? high : -1;
}

gw_status gw_kafka_consumer_commit_async(struct gw_kafka_consumer *consumer, const struct gw_kafka_position *positions,
                                         size_t count, gw_err *err)
{
    rd_kafka_topic_partition_list_t *list = gw_kafka_list_new(positions, count);
    rd_kafka_resp_err_t code = rd_kafka_commit(consumer->handle.rk, list, 1);
    rd_kafka_topic_partition_list_destroy(list);
    return code != RD_KAFKA_RESP_ERR_NO_ERROR ? gw_kafka_fail_code(err, code, "commit of %zu partitions", count)
                                              : GW_OK;
}

gw_status gw_kafka_consumer_partition_count(struct gw_kafka_consumer *consumer, const char *topic, uint32_t timeout_ms,
                                            int32_t *ret_count, gw_err *err)
{
    return gw_kafka_partition_count(consumer->handle.rk, topic, timeout_ms, ret_count, err);
}
