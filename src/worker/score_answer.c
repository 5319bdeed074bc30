// SPDX-License-Identifier: MIT
#include "worker/score_answer.h"

#include "avro/framing.h"
#include "base/hash.h"
#include "base/log.h"
#include "records/feature_sample.h"
#include "records/prediction_flat.h"
#include "records/served_candidate.h"

#include <stdio.h>
#include <string.h>

void gw_score_writer_deinit(struct gw_score_writer *writer)
{
    gw_buf_deinit(&writer->value);
}

// ---- sending --------------------------------------------------------------------------------------------------------

// Frames what `encode` has to say under the topic's schema.
#define ENCODE(writer, topic, encode, record)                                                                          \
    (gw_buf_clear(&(writer)->value),                                                                                   \
     gw_avro_frame_begin(&(writer)->value, gw_runtime_schema_id((writer)->runtime, (topic))) == GW_OK &&               \
         encode((record), &(writer)->value) == GW_OK)

// The encoded value, to the partition of the user. `key` has room for 8 bytes and holds the user's id.
static struct gw_kafka_output output_to(const struct gw_score_writer *writer, enum gw_topic topic, int64_t user_id,
                                        uint8_t *key)
{
    gw_store_be64(key, (uint64_t)user_id);
    return (struct gw_kafka_output){
        .topic = gw_runtime_topic(writer->runtime, topic),
        .partition = (int32_t)gw_hash_partition_of_id(user_id, gw_runtime_partitions(writer->runtime, topic)),
        .key = gw_slice_make(key, 8),
        .value = gw_buf_slice(&writer->value)};
}

// By the producer nobody waits for, when there is one.
static gw_status send_aside(struct gw_score_writer *writer, struct gw_loop *loop, const struct gw_kafka_output *output,
                            gw_err *err)
{
    if (writer->side == NULL) {
        return gw_loop_emit(loop, output, err);
    }
    gw_status status = gw_kafka_produce(writer->side, output, err); // the answer has left: what goes beside it may fail
    if (status != GW_OK && gw_status_class(status) != GW_CLASS_FATAL) {
        writer->side_lost++;
        status = GW_OK;
    }
    return status;
}

// ---- predictions ----------------------------------------------------------------------------------------------------

static gw_status send_reply(struct gw_loop *loop, struct gw_kafka_output *output, const struct gw_kafka_message *source,
                            gw_err *err)
{
    // Spring's names; the correlation goes back untouched. Replies go to our reply topic only: a caller that could name
    // any topic could write into any.
    struct gw_kafka_header headers[16];
    struct gw_kafka_header echoed[2];
    size_t count = gw_kafka_message_headers(source, headers, GW_COUNT_OF(headers));
    for (size_t i = 0; i < count; i++) {
        const struct gw_slice value = headers[i].value;
        if (strcmp(headers[i].name, "kafka_replyPartition") == 0 && value.size == 4) {
            output->partition = (int32_t)(gw_load_be32(value.data) & INT32_MAX); // a wrong one does not exist
        } else if ((strcmp(headers[i].name, "kafka_correlationId") == 0 ||
                    strcmp(headers[i].name, "traceparent") == 0) &&
                   output->header_count < GW_COUNT_OF(echoed)) {
            echoed[output->header_count++] = headers[i];
        }
    }
    output->headers = echoed;
    output->key = (struct gw_slice){0};
    gw_status status = gw_loop_emit(loop, output, err);
    // GW_E_MISMATCH: a partition that the caller named and the topic does not have.
    if (status != GW_OK && (status == GW_E_MISMATCH || gw_status_class(status) != GW_CLASS_FATAL)) {
        gw_log_warn("reply.undeliverable", "topic=%s partition=%d reason='%s'", output->topic, output->partition,
                    err->message);
        return GW_OK;
    }
    return status;
}

static struct gw_prediction prediction_of(const struct gw_score_answer *answer)
{
    struct gw_prediction prediction = {.request_join_id = answer->request->request_join_id,
                                       .user_id = answer->request->user_id,
                                       .model_name = gw_slice_text(answer->model != NULL ? answer->model->name : ""),
                                       .model_version = answer->model != NULL ? answer->model->version : 0,
                                       .variant = gw_slice_text(answer->variant),
                                       .status = answer->status,
                                       .has_message = answer->message[0] != '\0',
                                       .message = gw_slice_text(answer->message),
                                       .scored_at_ms = answer->now_ms};
    memcpy(prediction.request_id, answer->request->request_id, sizeof prediction.request_id);
    return prediction;
}

static void put_result(const struct gw_score_answer *answer, struct gw_ranked *ranked, struct gw_prediction *prediction)
{
    const struct gw_score_result *result = answer->result;
    for (uint32_t rank = 0; rank < result->count; rank++) {
        uint32_t i = answer->order[rank];
        ranked[rank] = (struct gw_ranked){
            .tweet_id = result->tweet_ids[i], .score = result->scores[i], .missing_rows = result->missing_rows[i]};
        ranked[rank].heads.items = (float *)(uintptr_t)(result->probabilities + (size_t)i * result->head_count);
        ranked[rank].heads.count = result->head_count;
    }
    prediction->ranked.items = ranked;
    prediction->ranked.count = result->count;
    prediction->batch_size = (int32_t)answer->batch_rows;
    prediction->hydrate_us = (int64_t)answer->hydrate_us;
    prediction->score_us = (int64_t)answer->score_us;
    prediction->cache_hits = (int32_t)result->cache_hits;
    prediction->primary_head = (int32_t)gw_bundle_info(answer->model->bundle)->primary_head;
    int64_t asked_ms = answer->request->enqueued_at_ms;
    prediction->queue_us = asked_ms > 0 ? GW_MAX(answer->now_ms - asked_ms, 0) * 1000 : 0;
}

gw_status gw_score_write_prediction(struct gw_score_writer *writer, struct gw_loop *loop,
                                    const struct gw_score_answer *answer, struct gw_arena *arena, gw_err *err)
{
    struct gw_prediction prediction = prediction_of(answer);
    if (answer->result != NULL) {
        struct gw_ranked *ranked = gw_arena_array(arena, answer->result->count, sizeof *ranked);
        if (ranked == NULL) {
            return gw_fail(err, GW_E_MEMORY, "answers of one batch exceed %zu bytes", arena->limit_bytes);
        }
        put_result(answer, ranked, &prediction);
    }
    enum gw_topic topic = writer->sync ? GW_TOPIC_PREDICTION_REPLIES : GW_TOPIC_PREDICTIONS;
    if (!ENCODE(writer, topic, gw_prediction_encode, &prediction)) {
        return gw_fail(err, GW_E_MEMORY, "no memory to encode a prediction");
    }
    uint8_t key[8];
    struct gw_kafka_output output = output_to(writer, topic, answer->request->user_id, key);
    return writer->sync ? send_reply(loop, &output, answer->source, err) : gw_loop_emit(loop, &output, err);
}

// ---- what is kept beside them ---------------------------------------------------------------------------------------

gw_status gw_score_write_served(struct gw_score_writer *writer, struct gw_loop *loop,
                                const struct gw_score_answer *answer, gw_err *err)
{
    const struct gw_score_model *model = answer->model;
    const struct gw_score_result *result = answer->result;
    const struct gw_bundle_info *info = gw_bundle_info(model->bundle);
    size_t feature_count = info->feature_count;
    struct gw_slice head_names[GW_BUNDLE_HEADS_MAX];
    for (size_t h = 0; h < info->head_count; h++) {
        head_names[h] = gw_slice_text(info->heads[h].name);
    }
    for (uint32_t rank = 0; rank < result->count; rank++) {
        uint32_t i = answer->order[rank];
        struct gw_served_candidate served = {
            .request_join_id = answer->request->request_join_id,
            .user_id = answer->request->user_id,
            .tweet_id = result->tweet_ids[i],
            .author_id = result->author_ids[i],
            .position = (int32_t)rank,
            .model_name = gw_slice_text(model->name),
            .model_version = model->version,
            .variant = gw_slice_text(answer->variant),
            .layout = (int64_t)model->layout,
            .features = gw_slice_make(result->vectors + (size_t)i * feature_count, feature_count * sizeof(float)),
            .score = result->scores[i],
            .served_at_ms = answer->now_ms,
            .sample_weight = writer->served_weight,
        };
        memcpy(served.request_id, answer->request->request_id, sizeof served.request_id);
        served.heads.items = (float *)(uintptr_t)(result->probabilities + (size_t)i * result->head_count);
        served.heads.count = result->head_count;
        served.head_names.items = head_names;
        served.head_names.count = info->head_count;
        if (!ENCODE(writer, GW_TOPIC_SERVED_CANDIDATES, gw_served_candidate_encode, &served)) {
            return gw_fail(err, GW_E_MEMORY, "no memory to encode a served candidate");
        }
        uint8_t key[8];
        const struct gw_kafka_output output =
            output_to(writer, GW_TOPIC_SERVED_CANDIDATES, answer->request->user_id, key);
        GW_TRY(send_aside(writer, loop, &output, err));
    }
    return GW_OK;
}

gw_status gw_score_write_sample(struct gw_score_writer *writer, struct gw_loop *loop,
                                const struct gw_score_answer *answer, const struct gw_score_sample *sample, gw_err *err)
{
    const struct gw_score_model *model = answer->model;
    const struct gw_score_result *result = answer->result;
    struct gw_feature_sample record = {
        .model_name = gw_slice_text(model->name),
        .model_version = model->version,
        .variant = gw_slice_text(answer->variant),
        .layout = (int64_t)model->layout,
        .features = gw_slice_make(result->sample_vector,
                                  gw_bundle_info(model->bundle)->feature_count * sizeof *result->sample_vector),
        .score = result->scores[sample->candidate],
        .served_at_ms = answer->now_ms,
        .weight = sample->weight,
    };
    record.heads.items = (float *)(uintptr_t)(result->probabilities + (size_t)sample->candidate * result->head_count);
    record.heads.count = result->head_count;
    if (!ENCODE(writer, GW_TOPIC_FEATURE_SAMPLES, gw_feature_sample_encode, &record)) {
        return gw_fail(err, GW_E_MEMORY, "no memory to encode a feature sample");
    }
    const struct gw_slice key = record.model_name;
    uint32_t partitions = gw_runtime_partitions(writer->runtime, GW_TOPIC_FEATURE_SAMPLES);
    const struct gw_kafka_output output = {.topic = gw_runtime_topic(writer->runtime, GW_TOPIC_FEATURE_SAMPLES),
                                           .partition = (int32_t)gw_hash_partition(key.data, key.size, partitions),
                                           .key = key,
                                           .value = gw_buf_slice(&writer->value)};
    return send_aside(writer, loop, &output, err);
}

gw_status gw_score_write_flat(struct gw_score_writer *writer, struct gw_loop *loop,
                              const struct gw_score_answer *answer, gw_err *err)
{
    const struct gw_score_result *result = answer->result;
    size_t primary = gw_bundle_info(answer->model->bundle)->primary_head;
    char id[33];
    for (size_t i = 0; i < sizeof answer->request->request_id; i++) {
        snprintf(id + 2 * i, 3, "%02x", answer->request->request_id[i]);
    }
    for (uint32_t rank = 0; rank < result->count; rank++) {
        uint32_t i = answer->order[rank];
        const struct gw_prediction_flat flat = {
            .request_id = gw_slice_text(id),
            .request_join_id = answer->request->request_join_id,
            .user_id = answer->request->user_id,
            .tweet_id = result->tweet_ids[i],
            .position = (int32_t)rank,
            .model_name = gw_slice_text(answer->model->name),
            .model_version = answer->model->version,
            .score = (double)result->scores[i],
            .confidence = (double)result->probabilities[(size_t)i * result->head_count + primary],
            .status = gw_slice_text(result->hydration_failed ? "PARTIAL" : "OK"),
            .scored_at_ms = answer->now_ms};
        if (!ENCODE(writer, GW_TOPIC_PREDICTIONS_FLAT, gw_prediction_flat_encode, &flat)) {
            return gw_fail(err, GW_E_MEMORY, "no memory to encode a flat prediction");
        }
        uint8_t key[8];
        const struct gw_kafka_output output =
            output_to(writer, GW_TOPIC_PREDICTIONS_FLAT, answer->request->user_id, key);
        GW_TRY(send_aside(writer, loop, &output, err));
    }
    return GW_OK;
}
