// SPDX-License-Identifier: MIT
#include "support/backlog.h"

#include "avro/framing.h"
#include "base/clock.h"
#include "base/hash.h"
#include "kafka/admin.h"
#include "kafka/producer.h"
#include "support/report.h"
#include "support/scorer.h"

enum { CALL_MS = 20000, FLUSH_MS = 120000, FILL_SEED = 11 };

static gw_status ends(const struct bench_session *session, struct gw_kafka_position *positions, size_t *count,
                      gw_err *err)
{
    GW_TRY(bench_positions(session, GW_TOPIC_PREDICTION_REQUESTS, 0, positions, BENCH_PARTITIONS_MAX, count, err));
    struct gw_kafka_admin *admin = NULL;
    GW_TRY(gw_kafka_admin_new(&session->runtime.kafka, &admin, err));
    gw_status status = GW_OK;
    for (size_t i = 0; i < *count && status == GW_OK; i++) {
        int64_t low = 0;
        status = gw_kafka_admin_watermarks(admin, positions[i].topic, positions[i].partition, CALL_MS, &low,
                                           &positions[i].offset, err);
    }
    gw_kafka_admin_free(admin);
    return status;
}

static gw_status produce(const struct bench_session *session, struct gw_kafka_producer *producer,
                         struct bench_requests *maker, struct gw_buf *value, gw_err *err)
{
    const struct gw_runtime *runtime = &session->runtime;
    struct gw_prediction_request request;
    bench_requests_next(maker, gw_clock_wall_ms(), &request);
    gw_buf_clear(value);
    GW_TRY(gw_avro_frame_begin(value, gw_runtime_schema_id(runtime, GW_TOPIC_PREDICTION_REQUESTS)));
    GW_TRY(gw_prediction_request_encode(&request, value));
    uint8_t key[8];
    gw_store_be64(key, (uint64_t)request.user_id);
    uint32_t partitions = gw_runtime_partitions(runtime, GW_TOPIC_PREDICTION_REQUESTS);
    // Evenly over the partitions, whoever the user is: the backlog must last equally long in each.
    const struct gw_kafka_output output = {.topic = gw_runtime_topic(runtime, GW_TOPIC_PREDICTION_REQUESTS),
                                           .partition = (int32_t)(maker->made % partitions),
                                           .key = gw_slice_make(key, sizeof key),
                                           .value = gw_buf_slice(value)};
    return gw_kafka_produce(producer, &output, err);
}

gw_status bench_backlog_fill(const struct bench_session *session, const struct bench_world *world, uint32_t candidates,
                             uint64_t requests, struct bench_backlog *ret_backlog, gw_err *err)
{
    *ret_backlog = (struct bench_backlog){.requests = requests, .predictions = requests * candidates};
    GW_TRY(ends(session, ret_backlog->start, &ret_backlog->count, err));
    const struct gw_kafka_producer_options options = {.client = &session->runtime.kafka,
                                                      .kind = GW_KAFKA_PRODUCER_BULK};
    struct gw_kafka_producer *producer = NULL;
    struct bench_requests maker = {0};
    struct gw_buf value = {0};
    gw_status status = bench_requests_init(&maker, world, candidates, FILL_SEED, err);
    if (status == GW_OK) {
        status = gw_kafka_producer_new(&options, &producer, err);
    }
    for (uint64_t i = 0; i < requests && status == GW_OK; i++) {
        status = produce(session, producer, &maker, &value, err);
    }
    if (status == GW_OK) {
        status = gw_kafka_producer_flush(producer, FLUSH_MS, err);
    }
    gw_kafka_producer_free(producer);
    bench_requests_deinit(&maker);
    gw_buf_deinit(&value);
    if (status == GW_OK) {
        bench_note("backlog of %llu requests with %u candidates", (unsigned long long)requests, candidates);
    }
    return status;
}

gw_status bench_backlog_skip(const struct bench_session *session, gw_err *err)
{
    struct gw_kafka_position positions[BENCH_PARTITIONS_MAX];
    size_t count = 0;
    GW_TRY(ends(session, positions, &count, err));
    return bench_rewind(session, positions, count, err);
}
