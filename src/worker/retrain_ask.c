// SPDX-License-Identifier: MIT
#include "worker/retrain_ask.h"

#include "avro/framing.h"
#include "base/clock.h"
#include "base/hash.h"
#include "kafka/producer.h"
#include "records/retrain_request.h"

enum { SEND_MS = 10000 };

struct receipt {
    bool delivered;
    int32_t partition;
    int64_t offset;
};

static void note(void *context, uint64_t tag, const char *topic, int32_t partition, int64_t offset)
{
    (void)tag;
    (void)topic;
    *(struct receipt *)context = (struct receipt){.delivered = true, .partition = partition, .offset = offset};
}

static gw_status encode(const struct gw_runtime *runtime, const struct gw_retrain_ask *ask, struct gw_buf *out,
                        gw_err *err)
{
    const struct gw_retrain_request request = {.model_name = gw_slice_text(ask->model),
                                               .reason = gw_slice_text(ask->reason),
                                               .actor = gw_slice_text(ask->actor),
                                               .at_ms = gw_clock_wall_ms(),
                                               .options = gw_slice_text("")};
    gw_status status = gw_avro_frame_begin(out, gw_runtime_schema_id(runtime, GW_TOPIC_RETRAIN_REQUESTS));
    status = status == GW_OK ? gw_retrain_request_encode(&request, out) : status;
    return status == GW_OK ? GW_OK : gw_fail(err, status, "no memory for a request");
}

gw_status gw_retrain_ask(const struct gw_runtime *runtime, const struct gw_retrain_ask *ask,
                         char ret_id[GW_RUN_ID_BYTES], gw_err *err)
{
    GW_CLEANUP(gw_buf_deinit) struct gw_buf value = {0};
    struct receipt receipt = {0};
    struct gw_kafka_producer *producer = NULL;
    const struct gw_kafka_producer_options options = {
        .client = &runtime->kafka, .kind = GW_KAFKA_PRODUCER_LATENCY, .delivered = note, .context = &receipt};
    const uint32_t partitions = gw_runtime_partitions(runtime, GW_TOPIC_RETRAIN_REQUESTS);
    GW_TRY(encode(runtime, ask, &value, err));
    GW_TRY(gw_kafka_producer_new(&options, &producer, err));
    const struct gw_kafka_output output = {.topic = gw_runtime_topic(runtime, GW_TOPIC_RETRAIN_REQUESTS),
                                           .partition =
                                               (int32_t)gw_hash_partition(ask->model, strlen(ask->model), partitions),
                                           .key = gw_slice_text(ask->model),
                                           .value = gw_buf_slice(&value),
                                           .tag = 1};
    gw_status status = gw_kafka_produce(producer, &output, err);
    if (status == GW_OK) {
        status = gw_kafka_producer_flush(producer, SEND_MS, err);
    }
    gw_kafka_producer_free(producer);
    if (status == GW_OK && !receipt.delivered) {
        status = gw_fail(err, GW_E_UNAVAILABLE, "the broker has not said where the request stands");
    }
    if (status == GW_OK) {
        gw_run_id(runtime->defs[GW_TOPIC_RETRAIN_REQUESTS]->name, receipt.partition, receipt.offset, ret_id);
    }
    return status;
}
