// SPDX-License-Identifier: MIT
// What score answers: values equal to an offline rescoring, statuses, replies where the caller waits for them, and both
// lanes' behaviour when Redis goes away. The Redis is this test's own, so that it can be stopped.
#include "support/records.h"
#include "support/model.h"

#include "base/clock.h"
#include "feature/plan.h"
#include "model/scorer.h"
#include "worker/entity.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { USER = 7, FIRST_TWEET = 100, TWEETS = 6, FIRST_AUTHOR = 50, AUTHORS = 3, VALUES = 2, DEADLINE_MS = 2000 };

static struct cluster cluster;
static struct proc *redis;
static struct cluster_worker score;
static struct gw_store *store;
static uint64_t next_request = 1;
static char redis_address[64];

// ---- rows -----------------------------------------------------------------------------------------------------------

static uint8_t row_memory[32][GW_FEATURE_ROW_BYTES_MAX];
static size_t row_count;
static int64_t store_offset;

static const struct gw_feature_view *view_named(const char *name, size_t *ret_index)
{
    *ret_index = (size_t)gw_feature_set_find_view(cluster.runtime.features, name);
    return gw_feature_set_view(cluster.runtime.features, *ret_index);
}

// Applies events to a fresh row and puts it into the store as online does.
static uint8_t *put_row(const char *view_name, int64_t id, const struct gw_entity_event *events, size_t count)
{
    size_t index = 0;
    const struct gw_feature_view *view = view_named(view_name, &index);
    double attributes[GW_ATTRIBUTE_COUNT];
    struct gw_feature_event event;
    struct gw_store_position position;
    bool applied = false;
    gw_err err = {0};
    assert_true(row_count < GW_COUNT_OF(row_memory));
    uint8_t *row = row_memory[row_count++];
    gw_row_init(view, row);
    for (size_t i = 0; i < count; i++) {
        gw_entity_to_feature_event(&events[i], 0, (int64_t)i, attributes, &event);
        gw_row_apply(cluster.runtime.features, index, row, &event);
    }
    const struct gw_store_write write = {.key = {.view = view->code, .id_count = 1, .id = {id, 0}},
                                         .row = gw_slice_make(row, view->row_bytes)};
    assert_ok_err(gw_store_apply(store, 0, store_offset, &write, 1, store_offset + 1, "", gw_clock_wall_ms(), &applied,
                                 &position, &err),
                  &err);
    assert_true(applied);
    store_offset++;
    return row;
}

static uint8_t *user_row;
static uint8_t *tweet_rows[TWEETS];
static uint8_t *author_rows[AUTHORS];

static int64_t author_of(int64_t tweet)
{
    return FIRST_AUTHOR + (tweet - FIRST_TWEET) % AUTHORS;
}

static uint8_t *put_profile_row(const char *view, int64_t id, int64_t followers)
{
    const struct gw_user_profile profile = {.event_time_ms = 1000000,
                                            .kind = GW_USER_PROFILE_KIND_UPDATE,
                                            .user_id = id,
                                            .follower_count = followers,
                                            .is_verified = followers > 1000,
                                            .user_state = GW_USER_STATE_LIGHT};
    const struct gw_entity_origin origin = {0};
    double statics[GW_STATIC_ATTRIBUTES];
    struct gw_entity_event events[GW_ENTITY_EVENTS_MAX];
    size_t count = 0;
    gw_err err = {0};
    assert_ok_err(gw_entity_from_profile(&profile, &origin, statics, events, &count, &err), &err);
    return put_row(view, id, events, 1);
}

static uint8_t *put_tweet_row(int64_t id)
{
    const struct gw_entity_origin origin = {0};
    double statics[GW_STATIC_ATTRIBUTES];
    struct gw_entity_event events[16];
    struct gw_entity_event sides[GW_ENTITY_EVENTS_MAX];
    size_t count = 0;
    gw_err err = {0};
    const struct gw_tweet_event tweet = {.event_time_ms = 1000000,
                                         .kind = GW_TWEET_EVENT_KIND_CREATE,
                                         .tweet_id = id,
                                         .author_id = author_of(id),
                                         .text_length = (int32_t)(30 * (id - FIRST_TWEET)),
                                         .has_image = id % 2 == 0};
    assert_ok_err(gw_entity_from_tweet(&tweet, &origin, statics, sides, &count, &err), &err);
    events[0] = sides[0];
    size_t actions = (size_t)(id - FIRST_TWEET) + 1;
    for (size_t i = 0; i < actions; i++) {
        const struct gw_user_action action = {.event_time_ms = 1000000 + (int64_t)i,
                                              .user_id = 1 + (int64_t)i,
                                              .action_type = i % 2 == 0 ? GW_ACTION_TYPE_CLIENT_TWEET_FAV
                                                                        : GW_ACTION_TYPE_CLIENT_TWEET_RENDER_IMPRESSION,
                                              .has_tweet_id = true,
                                              .tweet_id = id,
                                              .has_author_id = true,
                                              .author_id = author_of(id)};
        assert_ok_err(gw_entity_from_action(&action, &origin, sides, &count, &err), &err);
        events[1 + i] = sides[1]; // the tweet's side
    }
    return put_row("tweet", id, events, 1 + actions);
}

static void put_rows(void)
{
    user_row = put_profile_row("user", USER, 700);
    for (int i = 0; i < TWEETS; i++) {
        tweet_rows[i] = put_tweet_row(FIRST_TWEET + i);
    }
    for (int i = 0; i < AUTHORS; i++) {
        author_rows[i] = put_profile_row("author", FIRST_AUTHOR + i, 600 + 400 * i);
    }
}

// ---- the offline answer ---------------------------------------------------------------------------------------------

struct offline {
    struct gw_bundle *bundle;
    struct gw_feature_plan *plan;
    struct gw_scorer *scorer;      // of whole vectors
    struct gw_scorer *of_features; // of vectors in the model's order
};
static struct offline offline;

static void offline_open(void)
{
    gw_err err = {0};
    assert_ok_err(gw_bundle_load(cluster.bundle, &offline.bundle, &err), &err);
    assert_ok_err(gw_feature_plan_new(cluster.runtime.features, test_model_features, test_model_feature_count,
                                      &offline.plan, &err),
                  &err);
    assert_ok_err(gw_scorer_new(offline.bundle, gw_feature_plan_columns(offline.plan),
                                gw_feature_plan_width(offline.plan), &offline.scorer, &err),
                  &err);
    assert_ok_err(gw_scorer_new(offline.bundle, NULL, test_model_feature_count, &offline.of_features, &err), &err);
}

static void offline_close(void)
{
    gw_scorer_free(offline.of_features);
    gw_scorer_free(offline.scorer);
    gw_feature_plan_free(offline.plan);
    gw_bundle_unref(offline.bundle);
}

struct answer {
    float score;
    float heads[2];
};

static struct answer finish(const struct gw_scorer *scorer, const float *vector, size_t width)
{
    struct answer answer;
    float margins[2];
    gw_scorer_margins(scorer, vector, width, 1, margins);
    gw_scorer_finish(scorer, margins, 1, answer.heads, &answer.score, NULL);
    return answer;
}

// The score of one candidate from the rows of this test (`stored` false: from no rows) and its request values.
static struct answer expected(int64_t tweet, bool stored, const float values[VALUES])
{
    static const char *const value_names[VALUES] = {"in_network", "source_score"};
    const struct gw_feature_set *set = cluster.runtime.features;
    size_t width = gw_feature_plan_width(offline.plan);
    float vector[256];
    const uint8_t *rows[GW_FEATURE_VIEWS_MAX] = {NULL};
    int64_t now_us = gw_clock_wall_us();
    size_t index = 0;
    assert_true(width <= GW_COUNT_OF(vector));
    for (size_t i = 0; i < width; i++) {
        vector[i] = NAN;
    }
    if (stored) {
        view_named("user", &index);
        rows[index] = user_row;
        view_named("tweet", &index);
        rows[index] = tweet_rows[tweet - FIRST_TWEET];
        view_named("author", &index);
        rows[index] = author_rows[author_of(tweet) - FIRST_AUTHOR];
    }
    for (size_t v = 0; v < gw_feature_set_view_count(set); v++) {
        uint32_t start = 0;
        uint32_t count = 0;
        gw_feature_plan_view_segment(offline.plan, v, &start, &count);
        if (count > 0) {
            gw_feature_plan_eval_view(offline.plan, v, rows[v], now_us, vector + start);
        }
    }
    const char *const *names = NULL;
    uint32_t start = 0;
    size_t wanted = gw_feature_plan_request_names(offline.plan, &names, &start);
    for (size_t i = 0; i < wanted; i++) {
        for (size_t k = 0; k < VALUES; k++) {
            if (strcmp(names[i], value_names[k]) == 0) {
                vector[start + i] = values[k];
            }
        }
    }
    if (gw_feature_plan_has_cross(offline.plan)) {
        gw_feature_plan_eval_cross(offline.plan, rows, now_us, vector);
    }
    return finish(offline.scorer, vector, width);
}

// ---- requests and answers -------------------------------------------------------------------------------------------

struct request {
    struct gw_prediction_request record;
    struct gw_candidate candidates[TWEETS];
    float values[TWEETS][VALUES];
    struct gw_slice names[VALUES];
    uint64_t number;
};

// All tweets, with request values; without authors when asked so.
static void make_request(struct request *request, bool with_authors)
{
    *request = (struct request){.number = next_request++,
                                .names = {gw_slice_text("in_network"), gw_slice_text("source_score")}};
    for (int i = 0; i < TWEETS; i++) {
        request->values[i][0] = (float)(i % 2);
        request->values[i][1] = 0.1f * (float)i;
        request->candidates[i] = (struct gw_candidate){.tweet_id = FIRST_TWEET + i,
                                                       .author_id = with_authors ? author_of(FIRST_TWEET + i) : 0};
        request->candidates[i].values.items = request->values[i];
        request->candidates[i].values.count = VALUES;
    }
    request->record = (struct gw_prediction_request){
        .user_id = USER, .request_join_id = (int64_t)request->number, .enqueued_at_ms = gw_clock_wall_ms()};
    records_id(request->record.request_id, 99, request->number);
    request->record.value_names.items = request->names;
    request->record.value_names.count = VALUES;
    request->record.candidates.items = request->candidates;
    request->record.candidates.count = TWEETS;
}

static void send(const struct request *request, enum gw_topic topic, const struct gw_kafka_header *headers,
                 size_t count)
{
    RECORDS_ENCODE(&cluster, topic, gw_prediction_request_encode, &request->record);
    records_put(&cluster, topic, -1, USER, gw_buf_slice(&cluster.value), headers, count);
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
static void await(struct got *got, const struct request *request, bool sync)
{
    *got = (struct got){.topic = sync ? GW_TOPIC_PREDICTION_REPLIES : GW_TOPIC_PREDICTIONS, .number = request->number};
    gw_arena_init(&got->arena, 1 << 16, 16 << 20);
    struct waiting waiting = {.tail = sync ? sync_tail : bulk_tail, .got = got};
    wait_until(has_come, &waiting, CLUSTER_WAIT_MS, "an answer");
    assert_int_equal(got->count, 1);
    assert_int_equal(got->prediction.request_join_id, request->number);
}

static void got_done(struct got *got)
{
    gw_arena_deinit(&got->arena);
}

static void assert_same_float(float a, float b)
{
    assert_memory_equal(&a, &b, sizeof a);
}

static void assert_scores(const struct got *got, const struct request *request, bool stored)
{
    const struct gw_prediction *prediction = &got->prediction;
    assert_int_equal(prediction->ranked.count, request->record.candidates.count);
    assert_true(gw_slice_is(prediction->model_name, TEST_MODEL_NAME));
    assert_int_equal(prediction->model_version, TEST_MODEL_VERSION);
    for (uint32_t i = 0; i < prediction->ranked.count; i++) {
        const struct gw_ranked *ranked = &prediction->ranked.items[i];
        struct answer answer = expected(ranked->tweet_id, stored, request->values[ranked->tweet_id - FIRST_TWEET]);
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
    put_rows();
    offline_open();
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
    offline_close();
    gw_store_free(store);
    cluster_end(&cluster);
    return 0;
}

// ---- tests ----------------------------------------------------------------------------------------------------------

static void predictions_equal_an_offline_rescoring_bit_for_bit(void **state)
{
    (void)state;
    for (int sync = 0; sync < 2; sync++) {
        struct request request;
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
    struct request request;
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
        struct request request;
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

static void assert_refused(struct request *request, enum gw_prediction_status status)
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
    struct request request;
    make_request(&request, true);
    request.record.deadline_ms = gw_clock_wall_ms() - 1000;
    assert_refused(&request, GW_PREDICTION_STATUS_DEADLINE_EXCEEDED);

    make_request(&request, true);
    for (size_t i = 0; i < GW_COUNT_OF(many); i++) {
        many[i] = (struct gw_candidate){.tweet_id = FIRST_TWEET};
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
    struct answer answer = finish(offline.of_features, vector, test_model_feature_count);
    assert_same_float(one.score, answer.score); // the vector is what was scored
    assert_same_float(one.heads.items[0], answer.heads[0]);
    if (gw_load_be64(one.request_id + 8) == served->number) {
        assert_int_equal(one.author_id, author_of(one.tweet_id));
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
    return wait->served->count >= TWEETS;
}

static void served_candidates_hold_the_request_id_and_the_vector_that_was_scored(void **state)
{
    (void)state;
    for (int sync = 0; sync < 2; sync++) {
        struct request request;
        struct served served = {0};
        struct served_wait wait = {.tail = tail_open(&cluster, GW_TOPIC_SERVED_CANDIDATES, false), .served = &served};
        gw_arena_init(&served.arena, 1 << 16, 16 << 20);
        make_request(&request, false);
        served.number = request.number;
        send(&request, sync ? GW_TOPIC_PREDICTION_REQUESTS_SYNC : GW_TOPIC_PREDICTION_REQUESTS, NULL, 0);
        wait_until(all_served, &wait, CLUSTER_WAIT_MS, "served candidates");
        assert_int_equal(served.count, TWEETS);
        assert_int_equal(served.positions, (1u << TWEETS) - 1);
        gw_arena_deinit(&served.arena);
        tail_close(wait.tail);
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
        struct request bulk;
        struct request sync;
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
            store_offset = 0;
            row_count = 0;
            put_rows(); // what online would bring back
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
    struct request request;
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

static void score_drains_on_sigterm(void **state)
{
    (void)state;
    cluster_stop(&score);
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
        cmocka_unit_test(score_drains_on_sigterm),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
