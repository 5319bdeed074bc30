// SPDX-License-Identifier: MIT
// What score answers: values equal to an offline rescoring, statuses, replies where the caller waits for them, and both
// lanes' behaviour when Redis goes away. The Redis is this test's own, so that it can be stopped.
#include "support/model.h"
#include "support/offline.h"
#include "support/records.h"

#include "base/clock.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { DEADLINE_MS = 2000 };

static struct cluster cluster;
static struct proc *redis;
static struct cluster_worker score;
static struct gw_store *store;
static struct offline_rows rows;
static struct offline_model offline;
static uint64_t next_request = 1;
static char redis_address[64];
static size_t answers_ok;
static size_t answers_partial;

// ---- requests and answers -------------------------------------------------------------------------------------------

// All tweets, with request values; without authors when asked so.
static void make_request(struct offline_request *request, bool with_authors)
{
    offline_request_init(request, next_request++, OFFLINE_USER, with_authors);
}

static void send(const struct offline_request *request, enum gw_topic topic, const struct gw_kafka_header *headers,
                 size_t count)
{
    RECORDS_ENCODE(&cluster, topic, gw_prediction_request_encode, &request->record);
    records_put(&cluster, topic, -1, OFFLINE_USER, gw_buf_slice(&cluster.value), headers, count);
    records_flush(&cluster);
}

struct got {
    enum gw_topic topic;
    uint64_t number; // wanted
    struct gw_arena arena;
    struct gw_prediction prediction;
    uint8_t memory[8192]; // of its body
    size_t count;
    int32_t partition;
    char correlation[64];
    int64_t seen_ms;
};

static void take(void *context, const struct gw_kafka_record *record)
{
    struct got *got = context;
    struct gw_prediction prediction;
    gw_err err = {0};
    struct gw_slice body = records_body(&cluster, got->topic, record);
    assert_ok_err(gw_prediction_decode(body, &got->arena, &prediction, &err), &err);
    if (gw_load_be64(prediction.request_id + 8) != got->number) {
        return;
    }
    assert_true(body.size <= sizeof got->memory);
    memcpy(got->memory, body.data, body.size);
    assert_ok_err(gw_prediction_decode(gw_slice_make(got->memory, body.size), &got->arena, &got->prediction, &err),
                  &err);
    got->count++;
    got->partition = record->partition;
    got->seen_ms = gw_clock_wall_ms();
    records_header(record, "kafka_correlationId", got->correlation, sizeof got->correlation);
}

struct waiting {
    struct tail *tail;
    struct got *got;
};

static bool has_come(void *context)
{
    struct waiting *waiting = context;
    tail_drain(waiting->tail, take, waiting->got);
    return waiting->got->count > 0;
}

static struct tail *bulk_tail;
static struct tail *sync_tail;

// Waits for the answer to one request; give back with got_done.
static void await(struct got *got, const struct offline_request *request, bool sync)
{
    *got = (struct got){.topic = sync ? GW_TOPIC_PREDICTION_REPLIES : GW_TOPIC_PREDICTIONS, .number = request->number};
    gw_arena_init(&got->arena, 1 << 16, 16 << 20);
    struct waiting waiting = {.tail = sync ? sync_tail : bulk_tail, .got = got};
    wait_until(has_come, &waiting, CLUSTER_WAIT_MS, "an answer");
    assert_int_equal(got->count, 1);
    assert_int_equal(got->prediction.request_join_id, request->number);
    answers_ok += got->prediction.status == GW_PREDICTION_STATUS_OK;
    answers_partial += got->prediction.status == GW_PREDICTION_STATUS_PARTIAL;
}

static void got_done(struct got *got)
{
    gw_arena_deinit(&got->arena);
}

static void assert_scores(const struct got *got, const struct offline_request *request, bool stored)
{
    const struct gw_prediction *prediction = &got->prediction;
    assert_int_equal(prediction->ranked.count, request->record.candidates.count);
    assert_true(gw_slice_is(prediction->model_name, TEST_MODEL_NAME));
    assert_int_equal(prediction->model_version, TEST_MODEL_VERSION);
    for (uint32_t i = 0; i < prediction->ranked.count; i++) {
        const struct gw_ranked *ranked = &prediction->ranked.items[i];
        struct offline_answer answer = offline_score(&offline, stored ? &rows : NULL, OFFLINE_USER, ranked->tweet_id,
                                                     request->values[ranked->tweet_id - OFFLINE_FIRST_TWEET]);
        assert_same_float(ranked->score, answer.score);
        assert_int_equal(ranked->heads.count, 2);
        assert_same_float(ranked->heads.items[0], answer.heads[0]);
        assert_same_float(ranked->heads.items[1], answer.heads[1]);
        if (i > 0) {
            assert_true(prediction->ranked.items[i - 1].score >= ranked->score);
        }
    }
}

// ---- life -----------------------------------------------------------------------------------------------------------

static void start_redis(void)
{
    char port[16];
    char log[512];
    snprintf(port, sizeof port, "%s", strrchr(redis_address, ':') + 1);
    const char *const argv[] = {"redis-server", "--port", port,           "--bind", "127.0.0.1",
                                "--save",       "",       "--appendonly", "no",     "--maxmemory-policy",
                                "noeviction",   NULL};
    snprintf(log, sizeof log, "%s/redis.log", cluster.directory);
    redis = proc_start("redis", argv, log);
}

static bool redis_answers(void *context)
{
    (void)context;
    uint64_t latency_us = 0;
    return gw_store_ping(store, &latency_us, NULL) == GW_OK;
}

static int setup(void **state)
{
    (void)state;
    char address_set[128];
    snprintf(redis_address, sizeof redis_address, "127.0.0.1:%u", free_port());
    snprintf(address_set, sizeof address_set, "redis.address=%s", redis_address);
    const char *const sets[] = {address_set,
                                "redis.timeout=500ms",
                                "score.served_sample=1",
                                "score.served_sample_sync=1",
                                "score.max_candidates=5000",
                                "score.sync_deadline=400ms",
                                NULL};
    cluster_begin(&cluster, "score", sets);
    start_redis();
    store = cluster_store(&cluster);
    wait_until(redis_answers, NULL, CLUSTER_WAIT_MS, "an own Redis");
    offline_rows_put(&rows, &cluster, store);
    offline_model_open(&offline, &cluster, cluster.bundle);
    score = cluster_run_ready(&cluster, "score", NULL);
    bulk_tail = tail_open(&cluster, GW_TOPIC_PREDICTIONS, false);
    sync_tail = tail_open(&cluster, GW_TOPIC_PREDICTION_REPLIES, false);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tail_close(bulk_tail);
    tail_close(sync_tail);
    offline_model_close(&offline);
    gw_store_free(store);
    cluster_end(&cluster);
    return 0;
}

// ---- tests ----------------------------------------------------------------------------------------------------------

static void predictions_equal_an_offline_rescoring_bit_for_bit(void **state)
{
    (void)state;
    for (int sync = 0; sync < 2; sync++) {
        struct offline_request request;
        struct got got;
        make_request(&request, true);
        send(&request, sync ? GW_TOPIC_PREDICTION_REQUESTS_SYNC : GW_TOPIC_PREDICTION_REQUESTS, NULL, 0);
        await(&got, &request, sync);
        assert_int_equal(got.prediction.status, GW_PREDICTION_STATUS_OK);
        assert_scores(&got, &request, true);
        got_done(&got);
    }
}

static void an_author_not_named_is_found_in_the_tweets_row(void **state)
{
    (void)state;
    struct offline_request request;
    struct got got;
    make_request(&request, false);
    send(&request, GW_TOPIC_PREDICTION_REQUESTS, NULL, 0);
    await(&got, &request, false);
    assert_int_equal(got.prediction.status, GW_PREDICTION_STATUS_OK);
    assert_scores(&got, &request, true);
    got_done(&got);
}

static void a_reply_goes_to_the_callers_partition_with_his_correlation(void **state)
{
    (void)state;
    for (int32_t partition = 0; partition < CLUSTER_PARTITIONS; partition++) {
        struct offline_request request;
        struct got got;
        uint8_t bytes[4];
        gw_store_be32(bytes, (uint32_t)partition);
        const struct gw_kafka_header headers[] = {
            {"kafka_correlationId", gw_slice_text("abc-123")},
            {"kafka_replyPartition", gw_slice_make(bytes, sizeof bytes)},
            {"kafka_replyTopic", gw_slice_text(gw_runtime_topic(&cluster.runtime, GW_TOPIC_PREDICTION_REPLIES))}};
        make_request(&request, true);
        send(&request, GW_TOPIC_PREDICTION_REQUESTS_SYNC, headers, GW_COUNT_OF(headers));
        await(&got, &request, true);
        assert_int_equal(got.partition, partition);
        assert_string_equal(got.correlation, "abc-123");
        got_done(&got);
    }
}

static void assert_refused(struct offline_request *request, enum gw_prediction_status status)
{
    for (int sync = 0; sync < 2; sync++) {
        struct got got;
        if (sync) {
            request->number = next_request++;
            request->record.request_join_id = (int64_t)request->number;
            records_id(request->record.request_id, 99, request->number);
        }
        send(request, sync ? GW_TOPIC_PREDICTION_REQUESTS_SYNC : GW_TOPIC_PREDICTION_REQUESTS, NULL, 0);
        await(&got, request, sync);
        assert_int_equal(got.prediction.status, status);
        assert_true(got.prediction.has_message);
        assert_int_equal(got.prediction.ranked.count, 0);
        got_done(&got);
    }
}

static void requests_that_cannot_be_scored_are_answered_with_a_status(void **state)
{
    (void)state;
    static struct gw_candidate many[5001];
    struct offline_request request;
    make_request(&request, true);
    request.record.deadline_ms = gw_clock_wall_ms() - 1000;
    assert_refused(&request, GW_PREDICTION_STATUS_DEADLINE_EXCEEDED);

    make_request(&request, true);
    for (size_t i = 0; i < GW_COUNT_OF(many); i++) {
        many[i] = (struct gw_candidate){.tweet_id = OFFLINE_FIRST_TWEET};
    }
    request.record.candidates.items = many;
    request.record.candidates.count = GW_COUNT_OF(many);
    assert_refused(&request, GW_PREDICTION_STATUS_TOO_MANY_CANDIDATES);

    make_request(&request, true);
    request.record.candidates.count = 0;
    assert_refused(&request, GW_PREDICTION_STATUS_NO_CANDIDATES);

    make_request(&request, true);
    request.record.model_name = gw_slice_text("another");
    assert_refused(&request, GW_PREDICTION_STATUS_MODEL_NOT_FOUND);

    make_request(&request, true);
    request.record.model_version = TEST_MODEL_VERSION + 1;
    assert_refused(&request, GW_PREDICTION_STATUS_MODEL_NOT_FOUND);

    make_request(&request, true);
    request.candidates[2].values.count = 1;
    assert_refused(&request, GW_PREDICTION_STATUS_INVALID_REQUEST);
}

struct served {
    uint64_t number;
    struct gw_arena arena;
    uint32_t positions; // bits
    size_t count;
};

static void check_served(void *context, const struct gw_kafka_record *record)
{
    struct served *served = context;
    struct gw_served_candidate one;
    gw_err err = {0};
    gw_arena_clear(&served->arena);
    assert_ok_err(gw_served_candidate_decode(records_body(&cluster, GW_TOPIC_SERVED_CANDIDATES, record), &served->arena,
                                             &one, &err),
                  &err);
    float vector[64];
    assert_int_equal(one.features.size, test_model_feature_count * sizeof(float));
    memcpy(vector, one.features.data, one.features.size);
    struct offline_answer answer = offline_score_vector(&offline, vector);
    assert_same_float(one.score, answer.score); // the vector is what was scored
    assert_same_float(one.heads.items[0], answer.heads[0]);
    assert_int_equal(one.head_names.count, one.heads.count);
    assert_true(gw_slice_is(one.head_names.items[0], "is_favorited"));
    if (gw_load_be64(one.request_id + 8) == served->number) {
        assert_int_equal(one.author_id, offline_author_of(one.tweet_id));
        assert_int_equal(one.request_join_id, served->number);
        assert_true(one.sample_weight == 1.0f);
        served->positions |= 1u << one.position;
        served->count++;
    }
}

struct served_wait {
    struct tail *tail;
    struct served *served;
};

static bool all_served(void *context)
{
    struct served_wait *wait = context;
    tail_drain(wait->tail, check_served, wait->served);
    return wait->served->count >= OFFLINE_TWEETS;
}

static void served_candidates_hold_the_request_id_and_the_vector_that_was_scored(void **state)
{
    (void)state;
    for (int sync = 0; sync < 2; sync++) {
        struct offline_request request;
        struct got got;
        struct served served = {0};
        struct served_wait wait = {.tail = tail_open(&cluster, GW_TOPIC_SERVED_CANDIDATES, false), .served = &served};
        gw_arena_init(&served.arena, 1 << 16, 16 << 20);
        make_request(&request, false);
        served.number = request.number;
        send(&request, sync ? GW_TOPIC_PREDICTION_REQUESTS_SYNC : GW_TOPIC_PREDICTION_REQUESTS, NULL, 0);
        wait_until(all_served, &wait, CLUSTER_WAIT_MS, "served candidates");
        assert_int_equal(served.count, OFFLINE_TWEETS);
        assert_int_equal(served.positions, (1u << OFFLINE_TWEETS) - 1);
        gw_arena_deinit(&served.arena);
        tail_close(wait.tail);
        await(&got, &request, sync);
        got_done(&got);
    }
}

static bool bulk_retries(void *context)
{
    (void)context;
    return proc_logged(score.proc, "batch.retry");
}

// Stopped: connections stay open and nobody answers. Killed: connections are refused.
static void without_redis_callers_get_partial_answers_and_bulk_waits(void **state)
{
    (void)state;
    for (int killed = 0; killed < 2; killed++) {
        struct offline_request bulk;
        struct offline_request sync;
        struct got got;
        if (killed) {
            proc_kill(redis);
        } else {
            proc_signal(redis, SIGSTOP);
        }
        make_request(&bulk, true);
        send(&bulk, GW_TOPIC_PREDICTION_REQUESTS, NULL, 0);
        make_request(&sync, true);
        sync.record.deadline_ms = gw_clock_wall_ms() + DEADLINE_MS;
        send(&sync, GW_TOPIC_PREDICTION_REQUESTS_SYNC, NULL, 0);

        await(&got, &sync, true);
        assert_int_equal(got.prediction.status, GW_PREDICTION_STATUS_PARTIAL);
        assert_true(got.seen_ms <= sync.record.deadline_ms);
        assert_scores(&got, &sync, false); // request values only
        got_done(&got);

        wait_until(bulk_retries, NULL, CLUSTER_WAIT_MS, "the bulk lane to wait");
        if (killed) {
            start_redis();
            wait_until(redis_answers, NULL, CLUSTER_WAIT_MS, "Redis again");
            offline_rows_put(&rows, &cluster, store); // what online would bring back
        } else {
            proc_signal(redis, SIGCONT);
        }
        await(&got, &bulk, false);
        assert_true(got.prediction.status == GW_PREDICTION_STATUS_OK); // never PARTIAL
        if (!killed) {
            assert_scores(&got, &bulk, true); // else the rows may have come a moment later
        }
        got_done(&got);
    }
    struct offline_request request;
    struct got got;
    make_request(&request, true);
    send(&request, GW_TOPIC_PREDICTION_REQUESTS_SYNC, NULL, 0);
    await(&got, &request, true);
    assert_int_equal(got.prediction.status, GW_PREDICTION_STATUS_OK);
    assert_scores(&got, &request, true);
    got_done(&got);
}

static void a_model_with_an_unknown_feature_stops_the_start_and_is_named(void **state)
{
    (void)state;
    char set[512];
    char path[512];
    snprintf(path, sizeof path, "%s/features.ini", cluster.directory);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("[view user]\ncode = U\nkeys = 1\nsides = actor, profile\n"
          "[feature user.follower_count]\nview = user\naggregate = last\nvalue = follower_count\n"
          "where = kind = PROFILE_UPDATE\n",
          file);
    assert_int_equal(fclose(file), 0);
    snprintf(set, sizeof set, "features.file=%s", path);
    const char *const sets[] = {set, "worker.instance=wrong", NULL};
    struct cluster_worker wrong = cluster_run(&cluster, "score", sets);
    assert_int_equal(proc_wait(wrong.proc, CLUSTER_WAIT_MS), 2);
    assert_true(proc_logged(wrong.proc, "user.state")); // the first one that is missing
}

static bool samples_left_out(void *context)
{
    (void)context;
    return cluster_metric(&score, "godwit_score_feature_samples_partial_total") >= (double)answers_partial;
}

static void requests_without_their_stored_features_give_no_sample_and_are_counted(void **state)
{
    (void)state;
    struct offline_request request;
    struct got got;
    make_request(&request, true);
    send(&request, GW_TOPIC_PREDICTION_REQUESTS_SYNC, NULL, 0); // after everything else of this lane
    await(&got, &request, true);
    got_done(&got);
    assert_true(answers_partial >= 2);
    wait_until(samples_left_out, NULL, CLUSTER_WAIT_MS, "the count of samples left out");
    assert_true(cluster_metric(&score, "godwit_score_feature_samples_partial_total") == (double)answers_partial);
}

static void score_drains_on_sigterm(void **state)
{
    (void)state;
    cluster_stop(&score); // and what goes beside the answers is written
    const char *samples = gw_runtime_topic(&cluster.runtime, GW_TOPIC_FEATURE_SAMPLES);
    assert_int_equal(records_count(&cluster, samples, CLUSTER_PARTITIONS), answers_ok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predictions_equal_an_offline_rescoring_bit_for_bit),
        cmocka_unit_test(an_author_not_named_is_found_in_the_tweets_row),
        cmocka_unit_test(a_reply_goes_to_the_callers_partition_with_his_correlation),
        cmocka_unit_test(requests_that_cannot_be_scored_are_answered_with_a_status),
        cmocka_unit_test(served_candidates_hold_the_request_id_and_the_vector_that_was_scored),
        cmocka_unit_test(without_redis_callers_get_partial_answers_and_bulk_waits),
        cmocka_unit_test(a_model_with_an_unknown_feature_stops_the_start_and_is_named),
        cmocka_unit_test(requests_without_their_stored_features_give_no_sample_and_are_counted),
        cmocka_unit_test(score_drains_on_sigterm),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
