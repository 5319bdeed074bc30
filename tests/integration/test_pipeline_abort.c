// SPDX-License-Identifier: MIT
// Records whose transaction aborts every time: the loop finds exactly them, on the real broker, and everything else is
// processed once. The worker of this test aborts whenever a certain record is in its batch, as a record would that the
// broker refuses.
#include "support/records.h"

#include "worker/loop.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { RECORDS = 240, BATCH = 64 };

static struct cluster cluster;

static int setup(void **state)
{
    (void)state;
    cluster_begin(&cluster, "abort", NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cluster_end(&cluster);
    return 0;
}

// ---- the worker -----------------------------------------------------------------------------------------------------

struct aborting {
    const char *poison; // value that aborts a batch; NULL: none
    int transient;      // abort so many batches whatever is in them
    struct gw_input inputs[BATCH];
    size_t count;
    uint64_t reported;
};

static gw_status decode(void *worker, struct gw_loop *loop, const struct gw_input *input, gw_err *err)
{
    struct aborting *self = worker;
    (void)loop;
    (void)err;
    assert_true(self->count < BATCH);
    self->inputs[self->count++] = *input;
    return GW_OK;
}

static gw_status process(void *worker, struct gw_loop *loop, gw_err *err)
{
    struct aborting *self = worker;
    for (size_t i = 0; i < self->count; i++) {
        const struct gw_kafka_output output = {.topic = gw_runtime_topic(&cluster.runtime, GW_TOPIC_PREDICTIONS),
                                               .partition = self->inputs[i].partition,
                                               .value = self->inputs[i].body};
        GW_TRY(gw_loop_emit(loop, &output, err)); // emitted before it is known that the batch aborts
        gw_loop_settle(loop, self->inputs[i].slot, GW_OUTCOME_OUTPUT);
        if (self->poison != NULL && strncmp((const char *)self->inputs[i].body.data, self->poison,
                                            GW_MIN(self->inputs[i].body.size, strlen(self->poison))) == 0) {
            return gw_fail(err, GW_E_ABORTED, "poison at %d/%lld", self->inputs[i].partition,
                           (long long)self->inputs[i].offset);
        }
    }
    if (self->transient > 0 && self->count > 0) {
        self->transient--;
        return gw_fail(err, GW_E_ABORTED, "a broker out of sorts");
    }
    self->count = 0;
    return GW_OK;
}

static void report(void *worker, struct gw_loop *loop)
{
    struct aborting *self = worker;
    (void)loop;
    self->reported++;
}

static void discard(void *worker, bool aborted)
{
    struct aborting *self = worker;
    (void)aborted;
    self->count = 0;
}

static const struct gw_loop_ops ops = {.decode = decode, .process = process, .report = report, .discard = discard};

// ---- running it -----------------------------------------------------------------------------------------------------

struct running {
    struct gw_loop *loop;
    struct gw_loop_status status;
    atomic_bool stop;
    pthread_t thread;
    gw_status result;
    gw_err err;
};

static void *run(void *argument)
{
    struct running *running = argument;
    running->result = gw_loop_run(running->loop, &running->err);
    return NULL;
}

static void start(struct running *running, struct aborting *worker, enum gw_topic topic)
{
    char id[96];
    gw_err err = {0};
    struct gw_commit *commit = NULL;
    snprintf(id, sizeof id, "%s.abort", cluster.name);
    const struct gw_commit_kafka_options kafka = {.client = &cluster.runtime.kafka, .transactional_id = id};
    assert_ok_err(gw_commit_kafka_new(&kafka, &commit, &err), &err);
    const struct gw_loop_input input = {.topic = gw_runtime_topic(&cluster.runtime, topic),
                                        .dlq_topic = gw_runtime_dlq(&cluster.runtime, topic)};
    const struct gw_loop_options options = {.name = "abort",
                                            .ops = &ops,
                                            .worker = worker,
                                            .commit = commit,
                                            .client = &cluster.runtime.kafka,
                                            .group = gw_runtime_group(&cluster.runtime, "rekey"),
                                            .inputs = &input,
                                            .input_count = 1,
                                            .poll_wait_ms = 20,
                                            .records_max = BATCH,
                                            .commit_interval_ms = 20,
                                            .retry_max = 10,
                                            .stop = &running->stop,
                                            .status = &running->status};
    *running = (struct running){0};
    assert_ok_err(gw_loop_new(&options, &running->loop, &err), &err);
    assert_int_equal(pthread_create(&running->thread, NULL, run, running), 0);
}

static void stop(struct running *running)
{
    atomic_store(&running->stop, true);
    pthread_join(running->thread, NULL);
    gw_loop_free(running->loop);
    assert_ok_err(running->result, &running->err);
}

static bool all_settled(void *context)
{
    struct running *running = context;
    return atomic_load(&running->status.records) >= RECORDS;
}

static void send(enum gw_topic topic, const char *const *poisons, size_t poison_count)
{
    for (int i = 0; i < RECORDS; i++) {
        char value[32];
        snprintf(value, sizeof value, "%s-%d", gw_runtime_topic(&cluster.runtime, topic) + strlen(cluster.name) + 1, i);
        bool poison = poison_count > 0 && i % (RECORDS / (int)poison_count) == 17;
        records_put(&cluster, topic, i % 2, 1,
                    gw_slice_text(poison ? poisons[(size_t)i / (RECORDS / poison_count)] : value), NULL, 0);
    }
    records_flush(&cluster);
}

// How often each value came out.
struct values {
    const char *stem;
    unsigned counts[RECORDS];
    unsigned poisons;
};

static void count_value(void *context, const struct gw_kafka_record *record)
{
    struct values *values = context;
    char value[64];
    int number = -1;
    snprintf(value, sizeof value, "%.*s", (int)record->value.size, (const char *)record->value.data);
    values->poisons += strncmp(value, "poison", 6) == 0;
    if (strncmp(value, values->stem, strlen(values->stem)) == 0 &&
        sscanf(value + strlen(values->stem), "-%d", &number) == 1) {
        assert_in_range(number, 0, RECORDS - 1);
        values->counts[number]++;
    }
}

static void assert_outputs(const char *stem, size_t poisons)
{
    struct values values = {.stem = stem};
    records_read(&cluster, gw_runtime_topic(&cluster.runtime, GW_TOPIC_PREDICTIONS), CLUSTER_PARTITIONS, count_value,
                 &values);
    assert_int_equal(values.poisons, 0);
    size_t missing = 0;
    for (size_t i = 0; i < RECORDS; i++) {
        assert_true(values.counts[i] <= 1);
        missing += values.counts[i] == 0;
    }
    assert_int_equal(missing, poisons);
}

static void check_poison(void *context, const struct gw_kafka_record *record)
{
    char text[128];
    assert_int_equal(memcmp(record->value.data, "poison", 6), 0);
    records_header(record, "__streams.errors.exception", text, sizeof text);
    assert_string_equal(text, "aborted");
    records_header(record, "__streams.errors.message", text, sizeof text);
    assert_non_null(strstr(text, "poison at"));
    ++*(size_t *)context;
}

static void exactly_the_guilty_records_are_condemned(void **state)
{
    (void)state;
    static const char *const poisons[] = {"poison-a", "poison-b"};
    static struct aborting worker = {.poison = "poison"};
    struct running running;
    size_t letters = 0;
    send(GW_TOPIC_TWEET_EVENTS, poisons, GW_COUNT_OF(poisons));
    start(&running, &worker, GW_TOPIC_TWEET_EVENTS);
    wait_until(all_settled, &running, CLUSTER_WAIT_MS, "every record settled");
    stop(&running);
    assert_outputs("tweet_events", GW_COUNT_OF(poisons));
    records_read(&cluster, gw_runtime_dlq(&cluster.runtime, GW_TOPIC_TWEET_EVENTS), 1, check_poison, &letters);
    assert_int_equal(letters, GW_COUNT_OF(poisons));
    struct gw_ledger ledger = cluster_ledger_sum(&cluster, "rekey", GW_TOPIC_TWEET_EVENTS);
    assert_int_equal(ledger.counts[GW_OUTCOME_DEAD_LETTER], GW_COUNT_OF(poisons));
    assert_int_equal(ledger.counts[GW_OUTCOME_OUTPUT], RECORDS - GW_COUNT_OF(poisons));
    assert_int_equal(atomic_load(&running.status.outcomes[GW_OUTCOME_OUTPUT]), RECORDS - GW_COUNT_OF(poisons));
}

static void aborts_that_pass_condemn_nobody(void **state)
{
    (void)state;
    static struct aborting worker = {.transient = 8};
    struct running running;
    send(GW_TOPIC_SOCIAL_WRITE_EVENT, NULL, 0);
    start(&running, &worker, GW_TOPIC_SOCIAL_WRITE_EVENT);
    wait_until(all_settled, &running, CLUSTER_WAIT_MS, "every record settled");
    stop(&running);
    assert_outputs("social_write_event", 0);
    assert_int_equal(records_count(&cluster, gw_runtime_dlq(&cluster.runtime, GW_TOPIC_SOCIAL_WRITE_EVENT), 1), 0);
    struct gw_ledger ledger = cluster_ledger_sum(&cluster, "rekey", GW_TOPIC_SOCIAL_WRITE_EVENT);
    assert_int_equal(ledger.counts[GW_OUTCOME_OUTPUT], RECORDS);
    assert_int_equal(gw_ledger_total(&ledger), RECORDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exactly_the_guilty_records_are_condemned),
        cmocka_unit_test(aborts_that_pass_condemn_nobody),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
