// SPDX-License-Identifier: MIT
// Exactly once: requests with known ids while score is killed with SIGKILL. The moments are drawn from a printed seed
// and named by what the log holds at that moment, so most of them fall into an open transaction.
#include "support/records.h"
#include "support/model.h"

#include "base/clock.h"
#include "base/rng.h"

#include <stdio.h>
#include <string.h>

enum { REQUESTS = 3000, ROUNDS = 6, CANDIDATES = 8, FAMILY = 77, ROLLING = 1200 };

static struct cluster cluster;

static int setup(void **state)
{
    (void)state;
    // Small batches and slow commits: a transaction is open most of the time, over several batches.
    static const char *const sets[] = {"worker.poll_records=40", "score.commit_interval=150ms",
                                       "score.sync_enabled=false", "score.bulk_threads=2", NULL};
    cluster_begin(&cluster, "kill", sets);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cluster_end(&cluster);
    return 0;
}

// What a request asks for follows from its number, and so does the answer's status.
static enum gw_prediction_status expected_status(uint64_t number)
{
    return number % 10 == 3   ? GW_PREDICTION_STATUS_NO_CANDIDATES
           : number % 10 == 7 ? GW_PREDICTION_STATUS_MODEL_NOT_FOUND
                              : GW_PREDICTION_STATUS_OK;
}

static void send_requests(uint64_t first, uint64_t end)
{
    for (uint64_t n = first; n < end; n++) {
        struct gw_candidate candidates[CANDIDATES];
        struct gw_prediction_request request = {
            .user_id = (int64_t)(1 + n % 97), .request_join_id = (int64_t)n + 1, .enqueued_at_ms = gw_clock_wall_ms()};
        records_id(request.request_id, FAMILY, n);
        for (size_t c = 0; c < CANDIDATES; c++) {
            candidates[c] = (struct gw_candidate){.tweet_id = (int64_t)(1000 + n + c), .author_id = 5};
        }
        request.candidates.items = candidates;
        request.candidates.count = expected_status(n) == GW_PREDICTION_STATUS_NO_CANDIDATES ? 0 : CANDIDATES;
        if (expected_status(n) == GW_PREDICTION_STATUS_MODEL_NOT_FOUND) {
            request.model_name = gw_slice_text("no-such-model");
        }
        RECORDS_SEND(&cluster, GW_TOPIC_PREDICTION_REQUESTS, gw_prediction_request_encode, &request, request.user_id);
    }
    records_flush(&cluster);
}

struct seen {
    uint32_t *counts; // by request number
    size_t size;
    uint64_t total;
    uint64_t by_status[GW_PREDICTION_STATUS_COUNT];
    struct gw_arena arena;
};

static void see(void *context, const struct gw_kafka_record *record)
{
    struct seen *seen = context;
    struct gw_prediction prediction;
    gw_err err = {0};
    gw_arena_clear(&seen->arena);
    assert_ok_err(
        gw_prediction_decode(records_body(&cluster, GW_TOPIC_PREDICTIONS, record), &seen->arena, &prediction, &err),
        &err);
    uint64_t number = gw_load_be64(prediction.request_id + 8);
    assert_true(number < seen->size);
    assert_int_equal(prediction.request_join_id, number + 1);
    assert_int_equal(prediction.status, expected_status(number));
    assert_int_equal(prediction.ranked.count, prediction.status == GW_PREDICTION_STATUS_OK ? CANDIDATES : 0);
    for (uint32_t i = 1; i < prediction.ranked.count; i++) {
        assert_true(prediction.ranked.items[i - 1].score >= prediction.ranked.items[i].score);
    }
    seen->counts[number]++;
    seen->total++;
    seen->by_status[prediction.status]++;
}

static void seen_init(struct seen *seen, size_t size)
{
    *seen = (struct seen){.counts = calloc(size, sizeof *seen->counts), .size = size};
    assert_non_null(seen->counts);
    gw_arena_init(&seen->arena, 1 << 20, 64 << 20);
}

static void seen_deinit(struct seen *seen)
{
    free(seen->counts);
    gw_arena_deinit(&seen->arena);
}

static void count_record(void *context, const struct gw_kafka_record *record)
{
    (void)record;
    ++*(uint64_t *)context;
}

struct moment {
    struct tail *tail;
    uint64_t count;
    uint64_t target;
};

static bool reached(void *context)
{
    struct moment *moment = context;
    tail_drain(moment->tail, count_record, &moment->count);
    return moment->count >= moment->target;
}

struct completion {
    struct tail *tail;
    struct seen *seen;
    uint64_t wanted;
};

static bool complete(void *context)
{
    struct completion *completion = context;
    tail_drain(completion->tail, see, completion->seen);
    return completion->seen->total >= completion->wanted;
}

static void assert_exactly_once(size_t requests)
{
    struct seen seen;
    seen_init(&seen, requests);
    records_read(&cluster, gw_runtime_topic(&cluster.runtime, GW_TOPIC_PREDICTIONS), CLUSTER_PARTITIONS, see, &seen);
    uint64_t lost = 0;
    uint64_t doubled = 0;
    for (size_t n = 0; n < requests; n++) {
        lost += seen.counts[n] == 0;
        doubled += seen.counts[n] > 1;
    }
    if (lost > 0 || doubled > 0) {
        print_error("of %zu requests %llu are lost and %llu answered more than once\n", requests,
                    (unsigned long long)lost, (unsigned long long)doubled);
    }
    assert_int_equal(lost, 0);
    assert_int_equal(doubled, 0);
    assert_int_equal(seen.total, requests);

    // The counts that are stored with the offsets say the same.
    struct gw_ledger ledger = cluster_ledger_sum(&cluster, "score", GW_TOPIC_PREDICTION_REQUESTS);
    assert_int_equal(ledger.counts[GW_OUTCOME_OUTPUT], seen.by_status[GW_PREDICTION_STATUS_OK]);
    assert_int_equal(ledger.counts[GW_OUTCOME_ERROR_OUTPUT], requests - seen.by_status[GW_PREDICTION_STATUS_OK]);
    assert_int_equal(ledger.counts[GW_OUTCOME_DEAD_LETTER], 0);
    assert_int_equal(ledger.counts[GW_OUTCOME_IGNORED], 0);
    assert_int_equal(gw_ledger_total(&ledger), requests);
    for (int32_t p = 0; p < CLUSTER_PARTITIONS; p++) { // each partition's counts are its records
        const char *topic = gw_runtime_topic(&cluster.runtime, GW_TOPIC_PREDICTION_REQUESTS);
        int64_t low = 0;
        int64_t high = 0;
        int64_t offset = 0;
        gw_err err = {0};
        assert_ok_err(gw_kafka_admin_watermarks(cluster.admin, topic, p, CLUSTER_WAIT_MS, &low, &high, &err), &err);
        cluster_ledger(&cluster, "score", topic, p, &offset, &ledger);
        assert_int_equal(offset, high);
        assert_int_equal(gw_ledger_total(&ledger), high);
    }
    assert_int_equal(records_count(&cluster, gw_runtime_dlq(&cluster.runtime, GW_TOPIC_PREDICTION_REQUESTS), 1), 0);
    seen_deinit(&seen);
}

static void killed_score_answers_each_request_exactly_once(void **state)
{
    (void)state;
    const char *chosen = getenv("GODWIT_TEST_SEED");
    uint64_t seed = chosen != NULL ? strtoull(chosen, NULL, 10) : (uint64_t)gw_clock_wall_us();
    struct gw_rng rng;
    struct seen seen;
    print_message("GODWIT_TEST_SEED=%llu\n", (unsigned long long)seed);
    gw_rng_init(&rng, seed);
    seen_init(&seen, REQUESTS);
    struct moment uncommitted = {.tail = tail_open(&cluster, GW_TOPIC_PREDICTIONS, true)};
    struct completion committed = {.tail = tail_open(&cluster, GW_TOPIC_PREDICTIONS, false), .seen = &seen};
    struct cluster_worker score = cluster_run(&cluster, "score", NULL);

    for (uint64_t round = 0; round < ROUNDS; round++) {
        send_requests(round * REQUESTS / ROUNDS, (round + 1) * REQUESTS / ROUNDS);
        // Transactions that were cut short left records behind that only this reader sees.
        complete(&committed);
        uncommitted.target = uncommitted.count + 1 + gw_rng_below(&rng, REQUESTS / ROUNDS / 2);
        wait_until(reached, &uncommitted, CLUSTER_WAIT_MS, "answers in an open transaction");
        if (round % 3 == 2) { // once they are committed: the next transaction may have begun
            complete(&committed);
            committed.wanted = seen.total + 1;
            wait_until(complete, &committed, CLUSTER_WAIT_MS, "committed answers");
        }
        proc_kill(score.proc);
        score = cluster_run(&cluster, "score", NULL);
    }
    committed.wanted = REQUESTS;
    wait_until(complete, &committed, CLUSTER_WAIT_MS, "an answer to every request");
    cluster_stop(&score);
    tail_close(uncommitted.tail);
    tail_close(committed.tail);
    seen_deinit(&seen);
    assert_exactly_once(REQUESTS);
}

// Members that come and go by SIGTERM hand partitions over in the middle of batches.
static void score_members_that_come_and_go_answer_exactly_once(void **state)
{
    (void)state;
    static const char *const other[] = {"worker.instance=other", NULL};
    const size_t all = REQUESTS + ROLLING;
    struct seen seen;
    seen_init(&seen, all);
    struct completion committed = {.tail = tail_open(&cluster, GW_TOPIC_PREDICTIONS, false), .seen = &seen};
    struct cluster_worker first = cluster_run_ready(&cluster, "score", NULL);
    struct cluster_worker second = cluster_run(&cluster, "score", other);
    uint64_t sent = REQUESTS;
    for (int round = 0; round < 4; round++, sent += ROLLING / 4) {
        send_requests(sent, sent + ROLLING / 4);
        committed.wanted = sent + 1;
        wait_until(complete, &committed, CLUSTER_WAIT_MS, "the first answers of a round");
        if (round == 1) {
            cluster_stop(&first);
        } else if (round == 2) {
            first = cluster_run(&cluster, "score", NULL);
        }
    }
    committed.wanted = all;
    wait_until(complete, &committed, CLUSTER_WAIT_MS, "an answer to every request");
    cluster_stop(&first);
    cluster_stop(&second);
    tail_close(committed.tail);
    seen_deinit(&seen);
    assert_exactly_once(all);
}

// The two worst moments: everything is sent and the commit is not asked for; it is done and nobody was told.
static void death_and_failure_at_a_commit_change_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *fault;
        bool dies;
    } moments[] = {{"commit.before:kill", true}, {"commit.after:kill", true}, {"commit.before:fail", false}};
    const size_t before = REQUESTS + ROLLING;
    const size_t each = 200;
    const size_t all = before + each * GW_COUNT_OF(moments);
    struct seen seen;
    seen_init(&seen, all);
    struct completion committed = {.tail = tail_open(&cluster, GW_TOPIC_PREDICTIONS, false), .seen = &seen};
    for (size_t i = 0; i < GW_COUNT_OF(moments); i++) {
        assert_int_equal(setenv("GODWIT_FAULTS", moments[i].fault, 1), 0);
        struct cluster_worker score = cluster_run(&cluster, "score", NULL);
        assert_int_equal(unsetenv("GODWIT_FAULTS"), 0);
        send_requests(before + each * i, before + each * (i + 1));
        if (moments[i].dies) {
            assert_int_equal(proc_wait(score.proc, CLUSTER_WAIT_MS), -1);
            score = cluster_run(&cluster, "score", NULL);
        }
        committed.wanted = before + each * (i + 1);
        wait_until(complete, &committed, CLUSTER_WAIT_MS, "an answer to every request");
        cluster_stop(&score);
    }
    tail_close(committed.tail);
    seen_deinit(&seen);
    assert_exactly_once(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_score_answers_each_request_exactly_once),
        cmocka_unit_test(score_members_that_come_and_go_answer_exactly_once),
        cmocka_unit_test(death_and_failure_at_a_commit_change_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
