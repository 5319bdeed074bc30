// SPDX-License-Identifier: MIT
#include "rollout/answers.h"

#include "base/clock.h"
#include "base/mem.h"
#include "kafka/admin.h"
#include "records/prediction.h"

enum {
    POLL_MS = 100,
    CALL_MS = 20000,
    ARENA_BYTES = 4 << 20,
    ARENA_LIMIT_BYTES = 256 << 20,
    SETTLE_S = 30,
    QUIET_US = 2000000, // nothing more comes
};

gw_status rollout_answers_open(struct rollout_answers *answers, const struct bench_session *session,
                               const struct bench_backlog *backlog, gw_err *err)
{
    *answers = (struct rollout_answers){.session = session, .backlog = backlog};
    gw_arena_init(&answers->arena, ARENA_BYTES, ARENA_LIMIT_BYTES);
    answers->counts = gw_mem_calloc(backlog->requests, 1);
    if (answers->counts == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory to count answers");
    }
    const struct gw_kafka_consumer_options options = {.client = &session->runtime.kafka, .low_latency = true};
    struct gw_kafka_position positions[BENCH_PARTITIONS_MAX];
    size_t count = 0;
    GW_TRY(bench_positions(session, GW_TOPIC_PREDICTIONS, 0, positions, BENCH_PARTITIONS_MAX, &count, err));
    GW_TRY(gw_kafka_consumer_new(&options, &answers->consumer, err));
    for (size_t i = 0; i < count; i++) {
        int64_t low = 0;
        GW_TRY(gw_kafka_consumer_watermarks(answers->consumer, positions[i].topic, positions[i].partition, CALL_MS,
                                            &low, &positions[i].offset, err));
    }
    return gw_kafka_consumer_assign(answers->consumer, positions, count, err);
}

void rollout_answers_close(struct rollout_answers *answers)
{
    gw_kafka_consumer_free(answers->consumer);
    gw_arena_deinit(&answers->arena);
    gw_buf_deinit(&answers->scratch);
    gw_mem_free(answers->counts);
    *answers = (struct rollout_answers){0};
}

// The backlog's partition p holds the numbers n with (n + 1) mod count = p, in order.
static size_t partition_of(const struct rollout_answers *answers, uint64_t number)
{
    return (size_t)((number + 1) % answers->backlog->count);
}

static gw_status take(struct rollout_answers *answers, const struct gw_kafka_record *record,
                      struct rollout_answer *ret_answer, gw_err *err)
{
    struct gw_slice body;
    struct gw_prediction prediction;
    uint64_t now_us = gw_clock_mono_us();
    gw_arena_clear(&answers->arena);
    GW_TRY(gw_schema_gate_open(gw_runtime_gate(&answers->session->runtime, GW_TOPIC_PREDICTIONS), record->value,
                               &answers->scratch, &answers->arena, &body, err));
    GW_TRY(gw_prediction_decode(body, &answers->arena, &prediction, err));
    uint64_t number = bench_request_number(prediction.request_id);
    if (number >= answers->backlog->requests) {
        return gw_fail(err, GW_E_INVALID, "an answer to request %llu, which was not asked", (unsigned long long)number);
    }
    uint8_t *count = &answers->counts[number];
    answers->answered += *count == 0;
    *count = (uint8_t)GW_MIN(*count + 1, UINT8_MAX);
    answers->not_ok +=
        prediction.status != GW_PREDICTION_STATUS_OK && prediction.status != GW_PREDICTION_STATUS_PARTIAL;
    answers->predictions += prediction.ranked.count;
    *ret_answer = (struct rollout_answer){.scorer = partition_of(answers, number) * 2 / answers->backlog->count,
                                          .version = prediction.model_version,
                                          .scored_at_ms = prediction.scored_at_ms,
                                          .seen_us = now_us};
    return GW_OK;
}

gw_status rollout_answers_next(struct rollout_answers *answers, struct rollout_answer *ret_answer, bool *ret_got,
                               gw_err *err)
{
    struct gw_kafka_record record;
    GW_TRY(gw_kafka_consumer_poll(answers->consumer, POLL_MS, &record, ret_got, err));
    if (!*ret_got) {
        return GW_OK;
    }
    gw_status status = take(answers, &record, ret_answer, err);
    gw_kafka_message_free(record.message);
    return status;
}

static gw_status committed(const struct rollout_answers *answers, struct gw_kafka_position *positions, gw_err *err)
{
    struct gw_kafka_admin *admin = NULL;
    GW_TRY(gw_kafka_admin_new(&answers->session->runtime.kafka, &admin, err));
    gw_status status = gw_kafka_admin_group_offsets(admin, gw_runtime_group(&answers->session->runtime, "score"),
                                                    positions, answers->backlog->count, CALL_MS, err);
    gw_kafka_admin_free(admin);
    return status;
}

static gw_status read_rest(struct rollout_answers *answers, gw_err *err)
{
    uint64_t began_us = gw_clock_mono_us();
    uint64_t last_us = began_us;
    while (gw_clock_mono_us() - last_us < QUIET_US && gw_clock_mono_us() - began_us < SETTLE_S * 1000000ULL) {
        struct rollout_answer answer;
        bool got = false;
        GW_TRY(rollout_answers_next(answers, &answer, &got, err));
        last_us = got ? answer.seen_us : last_us;
    }
    return GW_OK;
}

gw_status rollout_answers_settle(struct rollout_answers *answers, uint64_t *ret_dropped, gw_err *err)
{
    const struct bench_backlog *backlog = answers->backlog;
    struct gw_kafka_position ends[BENCH_PARTITIONS_MAX];
    uint64_t dropped = 0;
    uint64_t done = 0;
    memcpy(ends, backlog->start, backlog->count * sizeof ends[0]);
    GW_TRY(committed(answers, ends, err));
    GW_TRY(read_rest(answers, err));
    for (uint64_t number = 0; number < backlog->requests; number++) {
        size_t p = partition_of(answers, number);
        int64_t offset = backlog->start[p].offset + (int64_t)(number / backlog->count);
        bool expected = offset < ends[p].offset;
        dropped += answers->counts[number] != (expected ? 1 : 0);
        done += expected;
    }
    if (done == backlog->requests) {
        return gw_fail(err, GW_E_EXHAUSTED, "the backlog of %llu requests does not outlast the case",
                       (unsigned long long)backlog->requests);
    }
    *ret_dropped = dropped;
    return GW_OK;
}
