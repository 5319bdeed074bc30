// SPDX-License-Identifier: MIT
// Transactions on a real broker: what commit and abort make visible, offsets with metadata, fencing.
#include "integration/kafka_fixture.h"

// One member that holds every partition from the log's start.
static void assign_from_start(void *context, struct gw_kafka_position *positions, bool *paused, size_t count)
{
    (void)paused;
    for (size_t i = 0; i < count; i++) {
        positions[i].offset = 0;
    }
    *(bool *)context = count > 0;
}

static void ignore_revoked(void *context, const struct gw_kafka_position *positions, size_t count, bool lost)
{
    (void)positions;
    (void)count;
    (void)lost;
    *(bool *)context = false;
}

static struct gw_kafka_consumer *member(const char *group, const char *const *topic, bool *holds)
{
    struct gw_kafka_options client = fixture_options();
    struct gw_kafka_consumer_options options = {.client = &client,
                                                .group = group,
                                                .low_latency = true,
                                                .assigned = assign_from_start,
                                                .revoked = ignore_revoked,
                                                .context = holds};
    struct gw_kafka_consumer *consumer = NULL;
    gw_err err = {0};
    assert_ok_err(gw_kafka_consumer_new(&options, &consumer, &err), &err);
    assert_ok_err(gw_kafka_consumer_subscribe(consumer, topic, 1, &err), &err);
    return consumer;
}

static void commit_shows_records_and_offsets_and_abort_neither(void **state)
{
    (void)state;
    const char *in = fixture_topic("txn-in", 1);
    const char *out = fixture_topic("txn-out", 1);
    const char *group = fixture_name("txn-group");
    fixture_fill(in, 0, 3);
    bool holds = false;
    struct gw_kafka_consumer *consumer = member(group, &in, &holds);
    struct gw_kafka_producer *producer = fixture_producer(fixture_name("txn-id"));
    gw_err err = {0};
    struct gw_kafka_record record = fixture_next(consumer);
    gw_kafka_message_free(record.message);
    assert_true(holds);

    struct gw_kafka_position position = {.topic = in, .partition = 0, .offset = 1, .metadata = "counts=1"};
    assert_ok_err(gw_kafka_txn_begin(producer, &err), &err);
    fixture_put(producer, out, 0, "kept");
    assert_ok_err(gw_kafka_txn_send_offsets(producer, consumer, &position, 1, FIXTURE_MS, &err), &err);
    assert_ok_err(gw_kafka_txn_commit(producer, FIXTURE_MS, &err), &err);

    position.offset = 3;
    position.metadata = "counts=3";
    assert_ok_err(gw_kafka_txn_begin(producer, &err), &err);
    fixture_put(producer, out, 0, "dropped");
    assert_ok_err(gw_kafka_producer_flush(producer, FIXTURE_MS, &err), &err);
    fixture_put(producer, out, 0, "dropped while still queued");
    assert_ok_err(gw_kafka_txn_send_offsets(producer, consumer, &position, 1, FIXTURE_MS, &err), &err);
    assert_ok_err(gw_kafka_txn_abort(producer, FIXTURE_MS, &err), &err);
    assert_ok_err(gw_kafka_txn_abort(producer, FIXTURE_MS, &err), &err); // nothing left to abort
    assert_int_equal(gw_kafka_producer_failed(producer), 0);             // what we gave up did not fail

    char metadata[1][GW_KAFKA_METADATA_BYTES_MAX];
    struct gw_kafka_position committed = {.topic = in, .partition = 0};
    assert_ok_err(gw_kafka_consumer_committed(consumer, &committed, metadata, 1, FIXTURE_MS, &err), &err);
    assert_int_equal(committed.offset, 1);
    assert_string_equal(metadata[0], "counts=1");
    assert_int_equal(fixture_count(out, 0, false), 1);
    assert_true(fixture_count(out, 0, true) >= 2);

    assert_ok_err(gw_kafka_txn_begin(producer, &err), &err); // and it goes on
    fixture_put(producer, out, 0, "kept too");
    assert_ok_err(gw_kafka_txn_commit(producer, FIXTURE_MS, &err), &err);
    assert_int_equal(fixture_count(out, 0, false), 2);
    gw_kafka_producer_free(producer);
    gw_kafka_consumer_free(consumer);
}

static void partition_without_a_committed_offset_says_none(void **state)
{
    (void)state;
    const char *in = fixture_topic("none", 2);
    struct gw_kafka_options client = fixture_options();
    struct gw_kafka_consumer_options options = {.client = &client,
                                                .group = fixture_name("none-group"),
                                                .assigned = assign_from_start,
                                                .revoked = ignore_revoked};
    struct gw_kafka_consumer *consumer = NULL;
    gw_err err = {0};
    assert_ok_err(gw_kafka_consumer_new(&options, &consumer, &err), &err);
    struct gw_kafka_position positions[2] = {{.topic = in, .partition = 1}, {.topic = in, .partition = 0}};
    char metadata[2][GW_KAFKA_METADATA_BYTES_MAX];
    assert_ok_err(gw_kafka_consumer_committed(consumer, positions, metadata, 2, FIXTURE_MS, &err), &err);
    assert_int_equal(positions[0].offset, GW_KAFKA_OFFSET_NONE);
    assert_int_equal(positions[1].offset, GW_KAFKA_OFFSET_NONE);
    assert_string_equal(metadata[0], "");
    gw_kafka_consumer_free(consumer);
}

static void second_producer_of_the_id_fences_the_first(void **state)
{
    (void)state;
    const char *out = fixture_topic("fence", 1);
    const char *id = fixture_name("fence-id");
    struct gw_kafka_producer *old = fixture_producer(id);
    gw_err err = {0};
    assert_ok_err(gw_kafka_txn_begin(old, &err), &err);
    fixture_put(old, out, 0, "of the old one");
    assert_ok_err(gw_kafka_producer_flush(old, FIXTURE_MS, &err), &err);

    struct gw_kafka_producer *new = fixture_producer(id); // aborts what the old one left open
    assert_ok_err(gw_kafka_txn_begin(new, &err), &err);
    fixture_put(new, out, 0, "of the new one");
    assert_ok_err(gw_kafka_txn_commit(new, FIXTURE_MS, &err), &err);

    assert_fails(gw_kafka_txn_commit(old, FIXTURE_MS, &err), GW_E_FENCED);
    struct gw_kafka_output output = {.topic = out, .value = gw_slice_text("late")};
    assert_fails(gw_kafka_produce(old, &output, &err), GW_E_FENCED);
    assert_int_equal(gw_status_class(err.status), GW_CLASS_FATAL);

    struct gw_kafka_consumer *reader = fixture_reader(out, 0, 0, false);
    struct gw_kafka_record record = fixture_next(reader);
    assert_true(gw_slice_is(record.value, "of the new one"));
    gw_kafka_message_free(record.message);
    gw_kafka_consumer_free(reader);
    gw_kafka_producer_free(old);
    gw_kafka_producer_free(new);
}

// A member that does not poll for max.poll.interval leaves its group; what it still sends is of an old generation.
static void offsets_of_an_old_generation_need_an_abort(void **state)
{
    (void)state;
    const char *in = fixture_topic("generation", 1);
    const char *out = fixture_topic("generation-out", 1);
    const char *group = fixture_name("generation-group");
    bool holds[2] = {false, false};
    struct gw_kafka_options client = fixture_options();
    struct gw_kafka_consumer_options options = {.client = &client,
                                                .group = group,
                                                .session_timeout_ms = 6000,
                                                .max_poll_interval_ms = 6000,
                                                .assigned = assign_from_start,
                                                .revoked = ignore_revoked};
    struct gw_kafka_consumer *consumers[2] = {NULL, NULL};
    struct gw_kafka_record record = {0};
    bool got = false;
    gw_err err = {0};
    uint64_t deadline_us = gw_clock_mono_us() + (uint64_t)2 * FIXTURE_MS * 1000;
    for (size_t i = 0; i < 2; i++) { // the second waits until the first has lapsed
        options.context = &holds[i];
        assert_ok_err(gw_kafka_consumer_new(&options, &consumers[i], &err), &err);
        assert_ok_err(gw_kafka_consumer_subscribe(consumers[i], &in, 1, &err), &err);
        while (!holds[i] && gw_clock_mono_us() < deadline_us) {
            assert_ok_err(gw_kafka_consumer_poll(consumers[i], 100, &record, &got, &err), &err);
        }
        assert_true(holds[i]);
    }
    struct gw_kafka_producer *producer = fixture_producer(fixture_name("generation-id"));
    struct gw_kafka_position position = {.topic = in, .partition = 0, .offset = 0};
    assert_ok_err(gw_kafka_txn_begin(producer, &err), &err);
    fixture_put(producer, out, 0, "from the past");
    assert_fails(gw_kafka_txn_send_offsets(producer, consumers[0], &position, 1, FIXTURE_MS, &err), GW_E_ABORTED);
    assert_ok_err(gw_kafka_txn_abort(producer, FIXTURE_MS, &err), &err);
    assert_ok_err(gw_kafka_txn_begin(producer, &err), &err);
    assert_ok_err(gw_kafka_txn_send_offsets(producer, consumers[1], &position, 1, FIXTURE_MS, &err), &err);
    assert_ok_err(gw_kafka_txn_commit(producer, FIXTURE_MS, &err), &err);
    gw_kafka_producer_free(producer);
    gw_kafka_consumer_free(consumers[0]);
    gw_kafka_consumer_free(consumers[1]);
}

// librdkafka 2.0 aborts one more transaction ("skipped sequence numbers") before it asks for a new epoch.
static void failed_delivery_makes_commit_an_abort_and_later_transactions_work(void **state)
{
    (void)state;
    const char *out = fixture_name("refusing");
    struct gw_kafka_admin *admin = fixture_admin();
    const struct gw_kafka_property small = {"max.message.bytes", "1000"};
    struct gw_kafka_topic_spec spec = {
        .name = out, .partition_count = 1, .replication_factor = 1, .configs = &small, .config_count = 1};
    gw_err err = {0};
    assert_ok_err(gw_kafka_admin_topic_create(admin, &spec, FIXTURE_MS, &err), &err);
    gw_kafka_admin_free(admin);

    struct gw_kafka_producer *producer = fixture_producer(fixture_name("refusing-id"));
    assert_ok_err(gw_kafka_txn_begin(producer, &err), &err);
    uint8_t noise[5000]; // does not compress below the topic's limit
    uint64_t seed = 1;
    for (size_t i = 0; i < sizeof noise; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        noise[i] = (uint8_t)(seed >> 56);
    }
    struct gw_kafka_output output = {.topic = out, .value = gw_slice_make(noise, sizeof noise)};
    assert_ok_err(gw_kafka_produce(producer, &output, &err), &err);
    assert_fails(gw_kafka_txn_commit(producer, FIXTURE_MS, &err), GW_E_ABORTED);
    assert_non_null(strstr(err.message, "MSG_SIZE_TOO_LARGE"));
    assert_int_equal(gw_kafka_producer_failed(producer), 1);
    assert_fails(gw_kafka_produce(producer, &output, &err), GW_E_ABORTED);
    assert_non_null(strstr(err.message, "MSG_SIZE_TOO_LARGE"));
    assert_ok_err(gw_kafka_txn_abort(producer, FIXTURE_MS, &err), &err);

    gw_status status = GW_E_ABORTED;
    for (int tries = 0; tries < 2 && status == GW_E_ABORTED; tries++) {
        assert_ok_err(gw_kafka_txn_begin(producer, &err), &err);
        fixture_put(producer, out, 0, "fits");
        status = gw_kafka_txn_commit(producer, FIXTURE_MS, &err);
        if (status == GW_E_ABORTED) {
            assert_ok_err(gw_kafka_txn_abort(producer, FIXTURE_MS, &err), &err);
        }
    }
    assert_ok_err(status, &err);
    assert_int_equal(fixture_count(out, 0, false), 1);
    gw_kafka_producer_free(producer);
}

// A takeover waits for the end at or past a high watermark whose last records are markers, or were aborted.
static void end_of_a_partition_lies_behind_markers_and_aborted_records(void **state)
{
    (void)state;
    const char *out = fixture_topic("ends", 1);
    struct gw_kafka_producer *producer = fixture_producer(fixture_name("ends-id"));
    gw_err err = {0};
    assert_ok_err(gw_kafka_txn_begin(producer, &err), &err);
    fixture_put(producer, out, 0, "0");
    assert_ok_err(gw_kafka_txn_commit(producer, FIXTURE_MS, &err), &err); // 0, marker 1
    struct gw_kafka_consumer *reader = fixture_reader(out, 0, 0, false);
    struct gw_kafka_record record = fixture_next(reader);
    assert_int_equal(record.offset, 0);
    gw_kafka_message_free(record.message);
    record = fixture_next(reader);
    assert_true(record.partition_end);
    assert_int_equal(record.offset, 2);

    assert_ok_err(gw_kafka_txn_begin(producer, &err), &err);
    fixture_put(producer, out, 0, "2");
    assert_ok_err(gw_kafka_producer_flush(producer, FIXTURE_MS, &err), &err);
    assert_ok_err(gw_kafka_txn_abort(producer, FIXTURE_MS, &err), &err); // 2 aborted, marker 3
    record = fixture_next(reader);
    assert_true(record.partition_end);
    assert_int_equal(record.offset, 4);
    gw_kafka_consumer_free(reader);

    reader = fixture_reader(out, 0, 0, false); // and for one who comes later
    record = fixture_next(reader);
    gw_kafka_message_free(record.message);
    record = fixture_next(reader);
    assert_true(record.partition_end);
    assert_int_equal(record.offset, 4);
    gw_kafka_consumer_free(reader);
    gw_kafka_producer_free(producer);
}

GW_TESTS(commit_shows_records_and_offsets_and_abort_neither, partition_without_a_committed_offset_says_none,
         second_producer_of_the_id_fences_the_first, offsets_of_an_old_generation_need_an_abort,
         failed_delivery_makes_commit_an_abort_and_later_transactions_work,
         end_of_a_partition_lies_behind_markers_and_aborted_records)
