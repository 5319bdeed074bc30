// SPDX-License-Identifier: MIT
#include "support/traffic.h"

#include <stdio.h>

static const enum gw_topic asked[TRAFFIC_LANES] = {GW_TOPIC_PREDICTION_REQUESTS, GW_TOPIC_PREDICTION_REQUESTS_SYNC};
static const enum gw_topic answers[TRAFFIC_LANES] = {GW_TOPIC_PREDICTIONS, GW_TOPIC_PREDICTION_REPLIES};

void traffic_open(struct traffic *traffic, struct cluster *cluster, size_t capacity)
{
    *traffic = (struct traffic){
        .cluster = cluster, .capacity = capacity, .requests = calloc(capacity, sizeof *traffic->requests)};
    assert_non_null(traffic->requests);
    gw_arena_init(&traffic->arena, 1 << 16, 16 << 20);
    for (int lane = 0; lane < TRAFFIC_LANES; lane++) {
        traffic->tails[lane] = tail_open(cluster, answers[lane], false);
    }
}

void traffic_close(struct traffic *traffic)
{
    for (int lane = 0; lane < TRAFFIC_LANES; lane++) {
        tail_close(traffic->tails[lane]);
    }
    gw_arena_deinit(&traffic->arena);
    free(traffic->requests);
}

size_t traffic_send(struct traffic *traffic, enum traffic_lane lane, const struct traffic_ask *ask)
{
    struct offline_request request;
    assert_true(traffic->sent < traffic->capacity);
    size_t number = traffic->sent++;
    traffic->asked[lane]++;
    traffic->requests[number] = (struct traffic_request){.lane = lane, .user = ask->user};
    offline_request_init(&request, number, ask->user, true);
    request.record.model_name = ask->model != NULL ? gw_slice_text(ask->model) : (struct gw_slice){0};
    request.record.model_version = ask->version;
    RECORDS_SEND(traffic->cluster, asked[lane], gw_prediction_request_encode, &request.record, ask->user);
    return number;
}

static void copy_text(struct gw_slice from, char *to, size_t size)
{
    assert_true(from.size < size);
    snprintf(to, size, "%.*s", (int)from.size, (const char *)from.data);
}

static void note(struct traffic *traffic, const struct gw_kafka_record *record, const struct gw_prediction *prediction)
{
    uint64_t number = gw_load_be64(prediction->request_id + 8);
    if ((uint64_t)prediction->request_join_id != number || number >= traffic->sent) {
        return; // the bridge's own
    }
    struct traffic_request *request = &traffic->requests[number];
    assert_int_equal(request->lane, traffic->draining);
    if (request->answers++ > 0) {
        traffic->repeated[request->lane]++;
        return;
    }
    traffic->answered[request->lane]++;
    assert_int_equal(request->user, prediction->user_id);
    request->status = prediction->status;
    request->version = prediction->model_version;
    request->cache_hits = prediction->cache_hits;
    request->scored_at_ms = prediction->scored_at_ms;
    request->partition = record->partition;
    request->order = traffic->arrivals++;
    copy_text(prediction->model_name, request->model, sizeof request->model);
    copy_text(prediction->variant, request->variant, sizeof request->variant);
    for (uint32_t i = 0; i < prediction->ranked.count; i++) {
        const struct gw_ranked *ranked = &prediction->ranked.items[i];
        assert_in_range(ranked->tweet_id, OFFLINE_FIRST_TWEET, OFFLINE_FIRST_TWEET + OFFLINE_TWEETS - 1);
        assert_int_equal(ranked->heads.count, OFFLINE_HEADS);
        struct offline_answer *answer = &request->scores[ranked->tweet_id - OFFLINE_FIRST_TWEET];
        *answer =
            (struct offline_answer){.score = ranked->score, .heads = {ranked->heads.items[0], ranked->heads.items[1]}};
    }
    assert_true(prediction->ranked.count == OFFLINE_TWEETS || request->status != GW_PREDICTION_STATUS_OK);
}

static void take(void *context, const struct gw_kafka_record *record)
{
    struct traffic *traffic = context;
    struct gw_prediction prediction;
    gw_err err = {0};
    gw_arena_clear(&traffic->arena);
    assert_ok_err(gw_prediction_decode(records_body(traffic->cluster, answers[traffic->draining], record),
                                       &traffic->arena, &prediction, &err),
                  &err);
    note(traffic, record, &prediction);
}

void traffic_drain(struct traffic *traffic)
{
    for (int lane = 0; lane < TRAFFIC_LANES; lane++) {
        traffic->draining = (enum traffic_lane)lane;
        tail_drain(traffic->tails[lane], take, traffic);
    }
}

size_t traffic_unanswered(const struct traffic *traffic, enum traffic_lane lane)
{
    return traffic->asked[lane] - traffic->answered[lane];
}

struct completion {
    struct traffic *traffic;
    enum traffic_lane lane;
};

static bool is_complete(void *context)
{
    const struct completion *completion = context;
    traffic_drain(completion->traffic);
    return traffic_unanswered(completion->traffic, completion->lane) == 0;
}

void traffic_complete_lane(struct traffic *traffic, enum traffic_lane lane)
{
    struct completion completion = {traffic, lane};
    records_flush(traffic->cluster);
    wait_until(is_complete, &completion, CLUSTER_WAIT_MS, "an answer to every request");
    assert_int_equal(traffic->repeated[lane], 0);
}

void traffic_complete(struct traffic *traffic)
{
    for (int lane = 0; lane < TRAFFIC_LANES; lane++) {
        traffic_complete_lane(traffic, (enum traffic_lane)lane);
    }
}

const struct traffic_request *traffic_ask(struct traffic *traffic, enum traffic_lane lane,
                                          const struct traffic_ask *ask)
{
    size_t number = traffic_send(traffic, lane, ask);
    traffic_complete(traffic);
    return &traffic->requests[number];
}

void traffic_assert_scores(const struct traffic_request *request, const struct offline_model *model,
                           const struct offline_rows *rows)
{
    struct offline_request asked_for;
    assert_int_equal(request->status, GW_PREDICTION_STATUS_OK);
    offline_request_init(&asked_for, 0, request->user, true);
    for (int i = 0; i < OFFLINE_TWEETS; i++) {
        struct offline_answer expected =
            offline_score(model, rows, request->user, OFFLINE_FIRST_TWEET + i, asked_for.values[i]);
        assert_same_float(request->scores[i].score, expected.score);
        assert_same_float(request->scores[i].heads[0], expected.heads[0]);
        assert_same_float(request->scores[i].heads[1], expected.heads[1]);
    }
}
