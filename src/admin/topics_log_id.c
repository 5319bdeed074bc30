// SPDX-License-Identifier: MIT
// The log id (STREAMS rule 2): a record with a reserved key at offset 0 of each partition of a changelog, that every
// store keeps beside its offset. A topic that was deleted and made again has another id, and its old stores refuse it
// instead of taking its offsets for their own. Value: the id's 16 bytes, then the topic's partition count, 4 bytes
// big-endian.
#include "admin/topics_internal.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/mem.h"
#include "kafka/consumer.h"
#include "kafka/producer.h"

#include <string.h>
#include <sys/random.h>

#define VALUE_BYTES (GW_TOPICS_LOG_ID_BYTES + 4)
#define POLL_MS     100u

static const uint8_t reserved_key[] = {0x00, 'l', 'o', 'g', '-', 'i', 'd'};

struct gw_slice gw_topics_log_id_key(void)
{
    return gw_slice_make(reserved_key, sizeof reserved_key);
}

static gw_status check_record(const struct gw_kafka_record *record, const struct gw_topic_def *topic,
                              uint8_t ret_id[GW_TOPICS_LOG_ID_BYTES], gw_err *err)
{
    if (record->offset != 0 || !gw_slice_equal(record->key, gw_topics_log_id_key()) ||
        record->value.size != VALUE_BYTES) {
        return gw_fail(err, GW_E_MISMATCH, "%s [%d]: its first record, at offset %lld, is not the log id",
                       topic->full_name, record->partition, (long long)record->offset);
    }
    uint32_t count = gw_load_be32(record->value.data + GW_TOPICS_LOG_ID_BYTES);
    if (count != (uint32_t)topic->partition_count) {
        return gw_fail(err, GW_E_MISMATCH, "%s was made with %u partitions, topics.ini says %d", topic->full_name,
                       count, topic->partition_count);
    }
    memcpy(ret_id, record->value.data, GW_TOPICS_LOG_ID_BYTES);
    return GW_OK;
}

// Waits for the first record of the partition.
static gw_status read_first(struct gw_kafka_consumer *consumer, const struct gw_topic_def *topic, int32_t partition,
                            uint32_t timeout_ms, uint8_t ret_id[GW_TOPICS_LOG_ID_BYTES], gw_err *err)
{
    const struct gw_kafka_position position = {
        .topic = topic->full_name, .partition = partition, .offset = GW_KAFKA_OFFSET_START};
    GW_TRY(gw_kafka_consumer_assign(consumer, &position, 1, err));
    uint64_t deadline_us = gw_clock_mono_us() + (uint64_t)timeout_ms * 1000;
    while (gw_clock_mono_us() < deadline_us) {
        struct gw_kafka_record record = {0};
        bool got = false;
        gw_status status = gw_kafka_consumer_poll(consumer, POLL_MS, &record, &got, err);
        if (status != GW_OK && gw_status_class(status) != GW_CLASS_RETRY) {
            return status;
        }
        if (status != GW_OK || !got) {
            continue;
        }
        if (record.partition_end) {
            break;
        }
        status = check_record(&record, topic, ret_id, err);
        gw_kafka_message_free(record.message);
        return status;
    }
    return gw_fail(err, GW_E_UNAVAILABLE, "%s [%d]: has no log id yet: run godwit topics apply", topic->full_name,
                   partition);
}

static gw_status reader_new(const struct gw_kafka_options *kafka, struct gw_kafka_consumer **ret_consumer, gw_err *err)
{
    const struct gw_kafka_consumer_options options = {
        .client = kafka, .end_events = true, .low_latency = true, .read_uncommitted = true};
    return gw_kafka_consumer_new(&options, ret_consumer, err);
}

gw_status gw_topics_log_id_read(const struct gw_kafka_options *kafka, const struct gw_topic_def *topic,
                                uint32_t timeout_ms, uint8_t ret_id[GW_TOPICS_LOG_ID_BYTES], gw_err *err)
{
    struct gw_kafka_consumer *consumer = NULL;
    uint8_t id[GW_TOPICS_LOG_ID_BYTES];
    GW_TRY(reader_new(kafka, &consumer, err));
    gw_status status = read_first(consumer, topic, 0, timeout_ms, id, err);
    gw_kafka_consumer_free(consumer);
    if (status == GW_OK) {
        memcpy(ret_id, id, sizeof id);
    }
    return status;
}

// ---- writing it
// ----------------------------------------------------------------------------------------------------------

// What the partitions of one topic have.
struct survey {
    bool *blank; // by partition: no record yet
    int32_t blank_count;
    bool known; // an id was found
    uint8_t id[GW_TOPICS_LOG_ID_BYTES];
    bool late; // a record of ours did not become the first one
};

static void on_written(void *context, uint64_t tag, const char *topic, int32_t partition, int64_t offset)
{
    (void)tag;
    (void)topic;
    (void)partition;
    struct survey *survey = context;
    survey->late = survey->late || offset != 0;
}

static gw_status write_ids(const struct gw_topics_cluster *cluster, const struct gw_topic_def *topic,
                           struct survey *survey, gw_err *err)
{
    uint8_t value[VALUE_BYTES];
    if (!survey->known && getrandom(survey->id, sizeof survey->id, 0) != (ssize_t)sizeof survey->id) {
        return gw_fail(err, GW_E_IO, "no random bytes for a log id");
    }
    memcpy(value, survey->id, sizeof survey->id);
    gw_store_be32(value + GW_TOPICS_LOG_ID_BYTES, (uint32_t)topic->partition_count);

    struct gw_kafka_producer *producer = NULL;
    const struct gw_kafka_producer_options options = {
        .client = cluster->kafka, .delivered = on_written, .context = survey};
    GW_TRY(gw_kafka_producer_new(&options, &producer, err));
    gw_status status = GW_OK;
    for (int32_t i = 0; status == GW_OK && i < topic->partition_count; i++) {
        const struct gw_kafka_output output = {.topic = topic->full_name,
                                               .partition = i,
                                               .key = gw_topics_log_id_key(),
                                               .value = gw_slice_make(value, sizeof value),
                                               .tag = 1};
        if (survey->blank[i]) {
            status = gw_kafka_produce(producer, &output, err);
        }
    }
    if (status == GW_OK) {
        status = gw_kafka_producer_flush(producer, cluster->timeout_ms, err);
    }
    gw_kafka_producer_free(producer);
    if (status == GW_OK && survey->late) {
        return gw_fail(err, GW_E_CONFLICT,
                       "%s: somebody wrote while the log id was written: delete the topic and apply again",
                       topic->full_name);
    }
    return status;
}

// Reads the ids that are there; all must be the same.
static gw_status read_ids(const struct gw_topics_cluster *cluster, const struct gw_topic_def *topic,
                          struct survey *survey, gw_err *err)
{
    struct gw_kafka_consumer *consumer = NULL;
    GW_TRY(reader_new(cluster->kafka, &consumer, err));
    gw_status status = GW_OK;
    for (int32_t i = 0; status == GW_OK && i < topic->partition_count; i++) {
        uint8_t id[GW_TOPICS_LOG_ID_BYTES];
        if (survey->blank[i]) {
            continue;
        }
        status = read_first(consumer, topic, i, cluster->timeout_ms, id, err);
        if (status == GW_OK && survey->known && memcmp(id, survey->id, sizeof id) != 0) {
            status = gw_fail(err, GW_E_MISMATCH, "%s [%d]: has another log id than the partitions before it",
                             topic->full_name, i);
        }
        if (status == GW_OK) {
            memcpy(survey->id, id, sizeof id);
            survey->known = true;
        }
    }
    gw_kafka_consumer_free(consumer);
    return status;
}

static gw_status settle(const struct gw_topics_cluster *cluster, const struct gw_topic_def *topic, bool apply,
                        struct survey *survey, struct gw_topics_plan *plan, gw_err *err)
{
    for (int32_t i = 0; i < topic->partition_count; i++) {
        int64_t low = 0;
        int64_t high = 0;
        GW_TRY(gw_kafka_admin_watermarks(cluster->admin, topic->full_name, i, cluster->timeout_ms, &low, &high, err));
        survey->blank[i] = high == 0;
        survey->blank_count += high == 0 ? 1 : 0;
    }
    if (survey->blank_count < topic->partition_count) {
        gw_err reason = {0};
        gw_status status = read_ids(cluster, topic, survey, &reason);
        if (status == GW_E_MISMATCH) {
            return gw_topics_step_add(plan, GW_TOPICS_REFUSE, topic->full_name, NULL, err, "%s", reason.message);
        }
        if (status != GW_OK) {
            return gw_fail(err, status, "%s", reason.message);
        }
    }
    if (survey->blank_count == 0) {
        return GW_OK;
    }
    struct gw_topics_step *step = NULL;
    GW_TRY(gw_topics_step_add(plan, GW_TOPICS_LOG_ID, topic->full_name, &step, err, "for %d partitions",
                              survey->blank_count));
    if (apply) {
        GW_TRY(write_ids(cluster, topic, survey, err));
        step->done = true;
    }
    return GW_OK;
}

gw_status gw_topics_log_id_step(const struct gw_topics_cluster *cluster, const struct gw_topic_def *topic, bool apply,
                                struct gw_topics_plan *plan, gw_err *err)
{
    struct gw_kafka_topic_state state = {0};
    GW_TRY(gw_kafka_admin_topic_describe(cluster->admin, topic->full_name, cluster->timeout_ms, &state, err));
    bool exists = state.exists;
    bool counts_agree = state.partition_count == topic->partition_count;
    gw_kafka_topic_state_deinit(&state);
    if (!exists) { // planned only
        return gw_topics_step_add(plan, GW_TOPICS_LOG_ID, topic->full_name, NULL, err, "for %d partitions",
                                  topic->partition_count);
    }
    if (!counts_agree) {
        return GW_OK; // refused already, by its count
    }
    struct survey survey = {.blank = gw_mem_calloc((size_t)topic->partition_count, sizeof(bool))};
    if (survey.blank == NULL) {
        return gw_fail(err, GW_E_MEMORY, "topics: out of memory");
    }
    gw_status status = settle(cluster, topic, apply, &survey, plan, err);
    gw_mem_free(survey.blank);
    return status;
}
