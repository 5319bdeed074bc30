// SPDX-License-Identifier: MIT
// What score samples for drift: of each request in either lane one candidate, the vector that was served, by the
// version that answered; no more than the rate, and once each whatever happens to the scorer.
//
// A sample does not name its request. It is matched by all that it says: what the test expects of a request follows
// from its id (which candidate), its answer (scores, version, time) and the served candidates (the vector).
#include "integration/rollout_fixture.h"

#include "base/hash.h"
#include "records/feature_sample.h"
#include "worker/score_sample.h"

#include <math.h>

enum {
    EACH = 40,         // requests a lane
    CAPPED = 12000,    // requests that are far more than the rate
    CAP_PER_S = 50,    // that rate
    KILL_ROUND = 300,  // requests
    KILL_ROUNDS = 3,   // at least
    KILLS_MAX = 12,    // until one has taken samples with it
    OTHER_USER = 1000, // who has no row
};

static int64_t since_ms; // of the test at hand: what was served before is another's
static uint64_t layout;
static float vectors[2][OFFLINE_TWEETS][TEST_MODEL_FEATURES_MAX]; // of who has a row, of others; by candidate
static bool known[2][OFFLINE_TWEETS];

// ---- the scorer -----------------------------------------------------------------------------------------------------

static void stop_score(void)
{
    cluster_stop(&rollout.score);
    rollout.score = (struct cluster_worker){0};
}

static void run_score(const char *const *sets)
{
    if (rollout.score.proc != NULL) {
        stop_score();
    }
    rollout.score = cluster_run_ready(&rollout.cluster, "score", sets);
    since_ms = gw_clock_wall_ms();
}

static int setup(void **state)
{
    (void)state;
    static const char *const sets[] = {"score.sync_deadline=5s",     "redis.timeout=5s",
                                       "score.commit_interval=50ms", "score.served_sample=0",
                                       "score.served_sample_sync=0", NULL};
    rollout_begin(sets);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rollout_end();
    return 0;
}

// ---- records --------------------------------------------------------------------------------------------------------

struct sample {
    struct gw_feature_sample record; // its slices are gone
    float vector[TEST_MODEL_FEATURES_MAX];
    float heads[OFFLINE_HEADS];
    char variant[GW_ROUTE_VARIANT_BYTES];
    bool matched;
};

struct samples {
    struct sample *items;
    size_t count;
    size_t capacity;
    struct gw_arena arena;
};

static void take_sample(void *context, const struct gw_kafka_record *record)
{
    struct samples *samples = context;
    struct gw_feature_sample read;
    gw_err err = {0};
    gw_arena_clear(&samples->arena);
    assert_ok_err(gw_feature_sample_decode(records_body(&rollout.cluster, GW_TOPIC_FEATURE_SAMPLES, record),
                                           &samples->arena, &read, &err),
                  &err);
    uint32_t partitions = gw_runtime_partitions(&rollout.cluster.runtime, GW_TOPIC_FEATURE_SAMPLES);
    assert_true(gw_slice_is(record->key, TEST_MODEL_NAME));
    assert_true(gw_slice_is(read.model_name, TEST_MODEL_NAME));
    assert_int_equal(record->partition, gw_hash_partition(TEST_MODEL_NAME, strlen(TEST_MODEL_NAME), partitions));
    assert_int_equal(read.features.size, test_model_feature_count * sizeof(float));
    assert_int_equal(read.heads.count, OFFLINE_HEADS);
    if (read.served_at_ms < since_ms) {
        return;
    }
    assert_true(samples->count < samples->capacity);
    struct sample *sample = &samples->items[samples->count++];
    *sample = (struct sample){.record = read};
    memcpy(sample->vector, read.features.data, read.features.size);
    memcpy(sample->heads, read.heads.items, sizeof sample->heads);
    snprintf(sample->variant, sizeof sample->variant, "%.*s", (int)read.variant.size, (const char *)read.variant.data);
}

// All samples of this test; stops the scorer for it, so that nothing is on its way any more. Free with samples_deinit.
static void collect(struct samples *samples)
{
    *samples = (struct samples){.capacity = ROLLOUT_REQUESTS_MAX};
    samples->items = calloc(samples->capacity, sizeof *samples->items);
    assert_non_null(samples->items);
    gw_arena_init(&samples->arena, 1 << 16, 16 << 20);
    stop_score();
    records_read(&rollout.cluster, gw_runtime_topic(&rollout.cluster.runtime, GW_TOPIC_FEATURE_SAMPLES),
                 CLUSTER_PARTITIONS, take_sample, samples);
}

static void samples_deinit(struct samples *samples)
{
    free(samples->items);
    gw_arena_deinit(&samples->arena);
}

struct served {
    struct gw_arena arena;
    size_t count;
};

// Learns the vectors; one user's candidates have the same in all requests.
static void take_served(void *context, const struct gw_kafka_record *record)
{
    struct served *served = context;
    struct gw_served_candidate read;
    gw_err err = {0};
    gw_arena_clear(&served->arena);
    assert_ok_err(gw_served_candidate_decode(records_body(&rollout.cluster, GW_TOPIC_SERVED_CANDIDATES, record),
                                             &served->arena, &read, &err),
                  &err);
    if (read.served_at_ms < since_ms) {
        return;
    }
    size_t who = read.user_id == OFFLINE_USER ? 0 : 1;
    size_t which = (size_t)(read.tweet_id - OFFLINE_FIRST_TWEET);
    assert_true(which < OFFLINE_TWEETS);
    assert_int_equal(read.features.size, test_model_feature_count * sizeof(float));
    if (known[who][which]) {
        assert_memory_equal(read.features.data, vectors[who][which], read.features.size);
    }
    memcpy(vectors[who][which], read.features.data, read.features.size);
    known[who][which] = true;
    layout = (uint64_t)read.layout;
    served->count++;
}

static size_t read_served(void)
{
    struct served served = {0};
    gw_arena_init(&served.arena, 1 << 16, 16 << 20);
    records_read(&rollout.cluster, gw_runtime_topic(&rollout.cluster.runtime, GW_TOPIC_SERVED_CANDIDATES),
                 CLUSTER_ENTITIES, take_served, &served);
    gw_arena_deinit(&served.arena);
    return served.count;
}

// ---- what is expected -----------------------------------------------------------------------------------------------

static uint32_t candidate_of(size_t number)
{
    struct gw_sampler all = {.rate_per_s = 1};
    struct offline_request request;
    offline_request_init(&request, number, OFFLINE_USER, true);
    return gw_score_sample_choose(&all, &request.record, 1).candidate;
}

static bool matches(const struct sample *sample, const struct traffic_request *request, uint32_t candidate)
{
    const struct offline_answer *answer = &request->scores[candidate];
    const float *vector = vectors[request->user == OFFLINE_USER ? 0 : 1][candidate];
    return !sample->matched && sample->record.served_at_ms == request->scored_at_ms &&
           sample->record.model_version == request->version && strcmp(sample->variant, request->variant) == 0 &&
           memcmp(&sample->record.score, &answer->score, sizeof answer->score) == 0 &&
           memcmp(sample->heads, answer->heads, sizeof answer->heads) == 0 &&
           memcmp(sample->vector, vector, test_model_feature_count * sizeof *vector) == 0;
}

// The requests from `first` on gave these samples, one each when scored, and nobody else gave any.
static void assert_samples(struct samples *samples, size_t first)
{
    size_t scored = 0;
    for (size_t n = first; n < rollout.traffic.sent; n++) {
        const struct traffic_request *request = &rollout.traffic.requests[n];
        if (request->status != GW_PREDICTION_STATUS_OK) {
            continue;
        }
        uint32_t candidate = candidate_of(n);
        size_t i = 0;
        while (i < samples->count && !matches(&samples->items[i], request, candidate)) {
            i++;
        }
        if (i == samples->count) {
            fail_msg("request %zu gave no sample of its candidate %u", n, candidate);
        }
        samples->items[i].matched = true;
        assert_true(samples->items[i].record.weight == (float)OFFLINE_TWEETS);
        assert_int_equal(samples->items[i].record.layout, (int64_t)layout);
        scored++;
    }
    assert_int_equal(samples->count, scored);
}

static void send(size_t count, enum traffic_lane lane, int64_t user)
{
    for (size_t i = 0; i < count; i++) {
        traffic_send(&rollout.traffic, lane, &(struct traffic_ask){.user = user});
    }
}

// ---- tests ----------------------------------------------------------------------------------------------------------

static void each_scored_request_gives_one_sample_with_the_vector_that_was_served(void **state)
{
    (void)state;
    static const char *const sets[] = {"score.served_sample=1", "score.served_sample_sync=1", NULL};
    struct samples samples;
    size_t first = rollout.traffic.sent;
    run_score(sets);
    for (int lane = 0; lane < TRAFFIC_LANES; lane++) {
        send(EACH, (enum traffic_lane)lane, OFFLINE_USER);
        send(EACH, (enum traffic_lane)lane, OTHER_USER);
        traffic_send(&rollout.traffic, (enum traffic_lane)lane,
                     &(struct traffic_ask){.user = OFFLINE_USER, .model = "no-such-model"});
    }
    traffic_complete(&rollout.traffic);
    collect(&samples);
    assert_int_equal(read_served(), 4 * EACH * OFFLINE_TWEETS);
    assert_samples(&samples, first);
    assert_int_equal(samples.count, 4 * EACH);
    samples_deinit(&samples);
}

// By now answers of the synchronous lane come from its cache, and so do the vectors.
static void a_request_that_gives_a_sample_only_is_not_kept_for_labels(void **state)
{
    (void)state;
    struct samples samples;
    size_t first = rollout.traffic.sent;
    size_t hits = 0;
    run_score(NULL);
    for (int i = 0; i < 5; i++) {
        hits += (size_t)traffic_ask(&rollout.traffic, TRAFFIC_SYNC, &rollout_anybody)->cache_hits;
    }
    send(EACH, TRAFFIC_SYNC, OFFLINE_USER);
    send(EACH, TRAFFIC_BULK, OTHER_USER);
    traffic_complete(&rollout.traffic);
    collect(&samples);
    assert_true(hits > 0);
    assert_int_equal(read_served(), 0);
    assert_samples(&samples, first);
    assert_int_equal(samples.count, 5 + 2 * EACH);
    samples_deinit(&samples);
}

static void a_canarys_samples_name_the_canary(void **state)
{
    (void)state;
    struct samples samples;
    size_t first = rollout.traffic.sent;
    int32_t canary = rollout_add_version(TEST_MODEL_NAME, 2);
    size_t of_canary = 0;
    run_score(NULL);
    rollout_split(canary, 5000);
    rollout_shadow(rollout_add_version(TEST_MODEL_NAME, 3), true); // gives none
    for (int64_t user = OTHER_USER; user < OTHER_USER + 2 * EACH; user++) {
        send(1, TRAFFIC_BULK, user);
        send(1, TRAFFIC_SYNC, user);
    }
    traffic_complete(&rollout.traffic);
    collect(&samples);
    assert_samples(&samples, first);
    for (size_t i = 0; i < samples.count; i++) {
        bool is_canary = samples.items[i].record.model_version == canary;
        assert_true(is_canary || samples.items[i].record.model_version == rollout.champion);
        assert_int_equal(is_canary, strcmp(samples.items[i].variant, "champion") != 0);
        of_canary += is_canary;
    }
    assert_int_equal(samples.count, 4 * EACH);
    assert_in_range(of_canary, EACH, 3 * EACH); // about half; buckets of users are what they are
    samples_deinit(&samples);
}

static void the_rate_bounds_samples_and_weights_say_what_was_left_out(void **state)
{
    (void)state;
    char set[64];
    snprintf(set, sizeof set, "score.feature_samples=%d", CAP_PER_S);
    const char *const sets[] = {set, NULL};
    struct samples samples;
    double weight = 0;
    run_score(sets);
    uint64_t started_us = gw_clock_mono_us();
    send(CAPPED, TRAFFIC_BULK, OFFLINE_USER);
    traffic_complete(&rollout.traffic);
    double seconds = (double)(gw_clock_mono_us() - started_us) / 1e6 + 2;
    collect(&samples);
    for (size_t i = 0; i < samples.count; i++) {
        weight += (double)samples.items[i].record.weight;
        assert_true(samples.items[i].record.weight >= (float)OFFLINE_TWEETS);
    }
    assert_true((double)samples.count <= seconds * CAP_PER_S * (1 + log2((double)CAPPED / CAP_PER_S)));
    assert_in_range(samples.count, CAP_PER_S, CAPPED / 2);
    assert_true(fabs(weight / ((double)CAPPED * OFFLINE_TWEETS) - 1) < 0.3);
    samples_deinit(&samples);
}

static void a_rate_of_zero_gives_none(void **state)
{
    (void)state;
    static const char *const sets[] = {"score.feature_samples=0", NULL};
    struct samples samples;
    run_score(sets);
    send(EACH, TRAFFIC_BULK, OFFLINE_USER);
    send(EACH, TRAFFIC_SYNC, OFFLINE_USER);
    traffic_complete(&rollout.traffic);
    collect(&samples);
    assert_int_equal(samples.count, 0);
    samples_deinit(&samples);
}

struct moment {
    struct tail *tail;
    uint64_t count;
    uint64_t target;
};

static void count_record(void *context, const struct gw_kafka_record *record)
{
    (void)record;
    ++*(uint64_t *)context;
}

static bool reached(void *context)
{
    struct moment *moment = context;
    tail_drain(moment->tail, count_record, &moment->count);
    traffic_drain(&rollout.traffic);
    return moment->count >= moment->target;
}

static void samples_of_a_killed_scorer_are_there_once(void **state)
{
    (void)state;
    // Small batches and slow commits: a transaction with samples is open most of the time.
    static const char *const sets[] = {"worker.poll_records=40", "score.commit_interval=150ms",
                                       "score.feature_samples=1000000", NULL};
    struct moment uncommitted = {.tail = tail_open(&rollout.cluster, GW_TOPIC_FEATURE_SAMPLES, true)};
    struct samples samples;
    size_t first = rollout.traffic.sent;
    run_score(sets);
    reached(&uncommitted);
    uint64_t before = uncommitted.count;
    // Samples that were cut short with their transaction are seen by this reader only.
    uint32_t round = 0;
    while (round < KILLS_MAX && (round < KILL_ROUNDS || uncommitted.count - before <= rollout.traffic.sent - first)) {
        send(KILL_ROUND, TRAFFIC_BULK, OFFLINE_USER);
        records_flush(&rollout.cluster);
        uncommitted.target = uncommitted.count + KILL_ROUND / 4;
        wait_until(reached, &uncommitted, CLUSTER_WAIT_MS, "samples in an open transaction");
        proc_kill(rollout.score.proc);
        rollout.score = cluster_run(&rollout.cluster, "score", sets);
        traffic_complete(&rollout.traffic);
        reached(&uncommitted);
        round++;
    }
    collect(&samples);
    reached(&uncommitted);
    assert_samples(&samples, first);
    assert_int_equal(samples.count, rollout.traffic.sent - first);
    assert_true(uncommitted.count - before > samples.count); // a kill did take some away
    tail_close(uncommitted.tail);
    samples_deinit(&samples);
    run_score(NULL); // for the teardown
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_scored_request_gives_one_sample_with_the_vector_that_was_served),
        cmocka_unit_test(a_request_that_gives_a_sample_only_is_not_kept_for_labels),
        cmocka_unit_test(a_canarys_samples_name_the_canary),
        cmocka_unit_test(the_rate_bounds_samples_and_weights_say_what_was_left_out),
        cmocka_unit_test(a_rate_of_zero_gives_none),
        cmocka_unit_test(samples_of_a_killed_scorer_are_there_once),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
