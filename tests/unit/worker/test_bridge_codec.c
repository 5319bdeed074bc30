// SPDX-License-Identifier: MIT
#include "worker/bridge_codec.h"

#include "avro/framing.h"
#include "base/hash.h"
#include "records/prediction_request.h"
#include "support/testkit.h"

#include <math.h>
#include <string.h>

static const struct gw_bridge_ids ids = {.request_id = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
                                         .request_join_id = 77};

static void a_request_carries_everything_the_caller_said(void **state)
{
    (void)state;
    const struct gw_api_candidate candidates[] = {{.tweet_id = 10, .author_id = 3}, {.tweet_id = -11}};
    const struct gw_slice names[] = {gw_slice_text("a"), gw_slice_text("b"), gw_slice_text("c")};
    const float values[] = {1, 2, 3, 4, NAN, 6};
    const struct gw_slice context_names[] = {gw_slice_text("hour")};
    const double context_values[] = {8.5};
    const struct gw_api_predict predict = {.user_id = 42,
                                           .candidates = candidates,
                                           .candidate_count = 2,
                                           .value_names = names,
                                           .value_name_count = 3,
                                           .values = values,
                                           .context_names = context_names,
                                           .context_values = context_values,
                                           .context_count = 1,
                                           .model = gw_slice_text("m"),
                                           .version = 9,
                                           .timeout_ms = 250};
    struct gw_buf out = {0};
    struct gw_arena arena;
    gw_arena_init(&arena, 4096, 1 << 20);

    assert_ok(gw_bridge_encode(&predict, &ids, 5, 1000000, &out, NULL));

    uint32_t schema_id = 0;
    struct gw_slice body;
    struct gw_prediction_request request;
    assert_ok(gw_avro_unframe(gw_buf_slice(&out), &schema_id, &body, NULL));
    assert_ok(gw_prediction_request_decode(body, &arena, &request, NULL));
    assert_int_equal(schema_id, 5);
    assert_memory_equal(request.request_id, ids.request_id, sizeof ids.request_id);
    assert_int_equal(request.request_join_id, 77);
    assert_int_equal(request.user_id, 42);
    assert_int_equal(request.enqueued_at_ms, 1000000);
    assert_int_equal(request.deadline_ms, 1000250);
    assert_true(gw_slice_is(request.model_name, "m"));
    assert_int_equal(request.model_version, 9);
    assert_int_equal(request.value_names.count, 3);
    assert_true(gw_slice_is(request.value_names.items[1], "b"));
    assert_int_equal(request.candidates.count, 2);
    assert_int_equal(request.candidates.items[0].author_id, 3);
    assert_int_equal(request.candidates.items[1].tweet_id, -11);
    assert_int_equal(request.candidates.items[1].values.count, 3);
    assert_true(request.candidates.items[1].values.items[0] == 4.0f);
    assert_true(isnan(request.candidates.items[1].values.items[1]));
    assert_int_equal(request.context.count, 1);
    assert_true(request.context.items[0].value == 8.5);
    gw_arena_deinit(&arena);
    gw_buf_deinit(&out);
}

static void every_status_has_the_outcome_of_its_name(void **state)
{
    (void)state;
    static const struct {
        enum gw_prediction_status status;
        enum gw_api_outcome outcome;
    } expected[] = {
        {GW_PREDICTION_STATUS_UNKNOWN, GW_API_INTERNAL},
        {GW_PREDICTION_STATUS_OK, GW_API_OK},
        {GW_PREDICTION_STATUS_PARTIAL, GW_API_PARTIAL},
        {GW_PREDICTION_STATUS_NO_CANDIDATES, GW_API_NO_CANDIDATES},
        {GW_PREDICTION_STATUS_TOO_MANY_CANDIDATES, GW_API_TOO_MANY_CANDIDATES},
        {GW_PREDICTION_STATUS_MODEL_NOT_FOUND, GW_API_MODEL_NOT_FOUND},
        {GW_PREDICTION_STATUS_MODEL_NOT_READY, GW_API_MODEL_NOT_READY},
        {GW_PREDICTION_STATUS_DEADLINE_EXCEEDED, GW_API_DEADLINE_EXCEEDED},
        {GW_PREDICTION_STATUS_DROP_DUE_TO_OVERLOAD, GW_API_OVERLOADED},
        {GW_PREDICTION_STATUS_INVALID_REQUEST, GW_API_INVALID},
    };
    assert_int_equal(GW_COUNT_OF(expected), GW_PREDICTION_STATUS_COUNT);
    for (size_t i = 0; i < GW_COUNT_OF(expected); i++) {
        assert_int_equal(expected[i].status, i);
        assert_int_equal(gw_bridge_outcome(expected[i].status), expected[i].outcome);
    }
}

static float first_confidence(uint32_t head_count, int32_t primary_head)
{
    float heads[] = {0.25f, 0.5f, 0.75f};
    struct gw_ranked ranked = {.tweet_id = 1, .score = 2.0f};
    ranked.heads.items = heads;
    ranked.heads.count = head_count;
    struct gw_prediction prediction = {.status = GW_PREDICTION_STATUS_OK, .primary_head = primary_head};
    prediction.ranked.items = &ranked;
    prediction.ranked.count = 1;
    struct gw_api_prediction answer;
    struct gw_arena arena;
    gw_arena_init(&arena, 4096, 1 << 20);
    assert_ok(gw_bridge_answer(&prediction, &arena, &answer, NULL));
    assert_int_equal(answer.ranked_count, 1);
    assert_int_equal(answer.ranked[0].tweet_id, 1);
    assert_true(answer.ranked[0].score == 2.0f);
    float confidence = answer.ranked[0].confidence;
    gw_arena_deinit(&arena);
    return confidence;
}

static void confidence_is_the_primary_heads_probability(void **state)
{
    (void)state;
    assert_true(first_confidence(3, 2) == 0.75f);
    assert_true(first_confidence(1, 0) == 0.25f);
}

static void without_a_probability_of_the_primary_head_there_is_no_confidence(void **state)
{
    (void)state;
    assert_true(isnan(first_confidence(2, -1)));
    assert_true(isnan(first_confidence(2, 2)));
    assert_true(isnan(first_confidence(0, -1)));
}

static void a_refusal_carries_its_reason(void **state)
{
    (void)state;
    const struct gw_prediction prediction = {.status = GW_PREDICTION_STATUS_MODEL_NOT_FOUND,
                                             .has_message = true,
                                             .message = gw_slice_text("model 'x' is not served"),
                                             .request_join_id = 5};
    struct gw_api_prediction answer;
    struct gw_arena arena;
    gw_arena_init(&arena, 4096, 1 << 20);

    assert_ok(gw_bridge_answer(&prediction, &arena, &answer, NULL));

    assert_int_equal(answer.outcome, GW_API_MODEL_NOT_FOUND);
    assert_string_equal(answer.detail, "model 'x' is not served");
    assert_int_equal(answer.request_join_id, 5);
    gw_arena_deinit(&arena);
}

static int32_t partition_of(int64_t configured, const char *instance, uint32_t count)
{
    int32_t partition = -1;
    assert_ok(gw_bridge_reply_partition(configured, instance, count, &partition, NULL));
    return partition;
}

static void reply_partition_follows_the_instance(void **state)
{
    (void)state;
    assert_int_equal(partition_of(3, "0", 8), 3);
    assert_int_equal(partition_of(-1, "0", 8), 0);
    assert_int_equal(partition_of(-1, "9", 8), 1);
    assert_int_equal(partition_of(-1, "18446744073709551617", 8), 1); // past 64 bits
    assert_int_equal(partition_of(-1, "host-a", 8), gw_hash_partition("host-a", 6, 8));
    assert_int_equal(partition_of(-1, "", 8), gw_hash_partition("", 0, 8));
}

static void a_reply_partition_that_does_not_exist_is_refused(void **state)
{
    (void)state;
    int32_t partition = -1;
    gw_err err = {0};

    assert_fails(gw_bridge_reply_partition(8, "0", 8, &partition, &err), GW_E_CONFIG);

    assert_string_equal(err.message, "bridge.reply_partition: 8, but the reply topic has 8 partitions");
    assert_int_equal(partition, -1);
}

GW_TESTS(a_request_carries_everything_the_caller_said, every_status_has_the_outcome_of_its_name,
         confidence_is_the_primary_heads_probability, without_a_probability_of_the_primary_head_there_is_no_confidence,
         a_refusal_carries_its_reason, reply_partition_follows_the_instance,
         a_reply_partition_that_does_not_exist_is_refused)
