// SPDX-License-Identifier: MIT
// Records on their way through a real broker: bytes, headers, tombstones, ends, seeks, positions that do not exist.
#include "integration/kafka_fixture.h"

static void record_comes_back_as_it_was_sent(void **state)
{
    (void)state;
    const char *topic = fixture_topic("records", 2);
    struct gw_kafka_producer *producer = fixture_producer(NULL);
    const struct gw_kafka_header headers[] = {{"first", gw_slice_text("1")}, {"second", {0}}};
    struct gw_kafka_output output = {.topic = topic,
                                     .partition = 1,
                                     .key = gw_slice_text("key"),
                                     .value = gw_slice_text("value"),
                                     .timestamp_ms = 1700000000123,
                                     .headers = headers,
                                     .header_count = 2};
    gw_err err = {0};
    assert_ok_err(gw_kafka_produce(producer, &output, &err), &err);
    output = (struct gw_kafka_output){.topic = topic, .partition = 1, .key = gw_slice_text("key")};
    assert_ok_err(gw_kafka_produce(producer, &output, &err), &err);
    output = (struct gw_kafka_output){.topic = topic, .partition = 1, .value = gw_slice_make("", 0)};
    assert_ok_err(gw_kafka_produce(producer, &output, &err), &err);
    assert_ok_err(gw_kafka_producer_flush(producer, FIXTURE_MS, &err), &err);
    assert_int_equal(gw_kafka_producer_queued(producer), 0);
    gw_kafka_producer_free(producer);

    struct gw_kafka_consumer *consumer = fixture_reader(topic, 1, GW_KAFKA_OFFSET_START, false);
    struct gw_kafka_record record = fixture_next(consumer);
    assert_ptr_equal(record.topic, topic);
    assert_int_equal(record.partition, 1);
    assert_int_equal(record.offset, 0);
    assert_int_equal(record.timestamp_ms, 1700000000123);
    assert_true(gw_slice_is(record.key, "key"));
    assert_true(gw_slice_is(record.value, "value"));
    struct gw_kafka_header got[3];
    assert_int_equal(gw_kafka_message_headers(record.message, got, GW_COUNT_OF(got)), 2);
    assert_string_equal(got[0].name, "first");
    assert_true(gw_slice_is(got[0].value, "1"));
    assert_string_equal(got[1].name, "second");
    assert_int_equal(gw_kafka_message_headers(record.message, got, 1), 1);
    gw_kafka_message_free(record.message);

    record = fixture_next(consumer); // tombstone
    assert_null(record.value.data);
    assert_true(gw_slice_is(record.key, "key"));
    assert_int_equal(gw_kafka_message_headers(record.message, got, 3), 0);
    gw_kafka_message_free(record.message);

    record = fixture_next(consumer); // an empty value is none
    assert_non_null(record.value.data);
    assert_int_equal(record.value.size, 0);
    assert_null(record.key.data);
    gw_kafka_message_free(record.message);

    record = fixture_next(consumer);
    assert_true(record.partition_end);
    assert_null(record.message);
    assert_int_equal(record.offset, 3);
    assert_int_equal(gw_kafka_consumer_cached_high(consumer, topic, 1), 3);
    gw_kafka_consumer_free(consumer);
}

struct receipt {
    uint64_t tags[4];
    int64_t offsets[4];
    unsigned count;
};

static void keep_receipt(void *context, uint64_t tag, const char *topic, int32_t partition, int64_t offset)
{
    struct receipt *receipt = context;
    (void)topic;
    assert_int_equal(partition, 0);
    assert_true(receipt->count < GW_COUNT_OF(receipt->tags));
    receipt->tags[receipt->count] = tag;
    receipt->offsets[receipt->count++] = offset;
}

static void only_tagged_records_are_reported(void **state)
{
    (void)state;
    const char *topic = fixture_topic("tags", 1);
    struct gw_kafka_options client = fixture_options();
    struct receipt receipt = {0};
    struct gw_kafka_producer_options options = {
        .client = &client, .kind = GW_KAFKA_PRODUCER_LATENCY, .delivered = keep_receipt, .context = &receipt};
    struct gw_kafka_producer *producer = NULL;
    gw_err err = {0};
    assert_ok_err(gw_kafka_producer_new(&options, &producer, &err), &err);
    for (uint64_t tag = 0; tag < 3; tag++) {
        struct gw_kafka_output output = {.topic = topic, .value = gw_slice_text("v"), .tag = tag};
        assert_ok_err(gw_kafka_produce(producer, &output, &err), &err);
    }
    assert_ok_err(gw_kafka_producer_flush(producer, FIXTURE_MS, &err), &err);
    assert_int_equal(receipt.count, 2);
    assert_int_equal(receipt.tags[0], 1);
    assert_int_equal(receipt.offsets[0], 1);
    assert_int_equal(receipt.tags[1], 2);
    gw_kafka_producer_free(producer);
}

static void wrong_partition_unknown_topic_and_big_record_are_refused(void **state)
{
    (void)state;
    const char *topic = fixture_topic("refused", 2);
    struct gw_kafka_producer *producer = fixture_producer(NULL);
    gw_err err = {0};
    const struct gw_kafka_header header = {"h", gw_slice_text("v")};
    struct gw_kafka_output output = {
        .topic = topic, .partition = 2, .value = gw_slice_text("v"), .headers = &header, .header_count = 1};
    assert_fails(gw_kafka_produce(producer, &output, &err), GW_E_MISMATCH);
    assert_non_null(strstr(err.message, "has 2 partitions"));

    output = (struct gw_kafka_output){.topic = fixture_name("never-made"), .value = gw_slice_text("v")};
    assert_fails(gw_kafka_produce(producer, &output, &err), GW_E_UNAVAILABLE);

    char *big = calloc(1, 2 << 20);
    output = (struct gw_kafka_output){.topic = topic, .value = gw_slice_make(big, 2 << 20)};
    assert_fails(gw_kafka_produce(producer, &output, &err), GW_E_TOO_LARGE);
    free(big);

    fixture_put(producer, topic, 1, "the producer still works");
    assert_ok_err(gw_kafka_producer_flush(producer, FIXTURE_MS, &err), &err);
    assert_int_equal(gw_kafka_producer_failed(producer), 0);
    gw_kafka_producer_free(producer);
}

static void new_partition_is_found_without_a_restart(void **state)
{
    (void)state;
    const char *topic = fixture_topic("grows", 1);
    struct gw_kafka_producer *producer = fixture_producer(NULL);
    fixture_put(producer, topic, 0, "a");
    struct gw_kafka_admin *admin = fixture_admin();
    gw_err err = {0};
    assert_ok_err(gw_kafka_admin_topic_grow(admin, topic, 3, FIXTURE_MS, &err), &err);
    gw_kafka_admin_free(admin);

    struct gw_kafka_output output = {.topic = topic, .partition = 2, .value = gw_slice_text("b")};
    gw_status status = GW_E_MISMATCH;
    uint64_t deadline_us = gw_clock_mono_us() + (uint64_t)FIXTURE_MS * 1000;
    while (status == GW_E_MISMATCH && gw_clock_mono_us() < deadline_us) {
        status = gw_kafka_produce(producer, &output, &err); // asks for metadata at most once a second
        gw_kafka_producer_poll(producer, 50);
    }
    assert_ok_err(status, &err);
    assert_ok_err(gw_kafka_producer_flush(producer, FIXTURE_MS, &err), &err);
    gw_kafka_producer_free(producer);
    assert_int_equal(fixture_count(topic, 2, false), 1);
}

static void seek_drops_what_was_already_fetched(void **state)
{
    (void)state;
    const char *topic = fixture_topic("seek", 1);
    fixture_fill(topic, 0, 1000);
    struct gw_kafka_consumer *consumer = fixture_reader(topic, 0, 10, false);
    gw_err err = {0};
    struct gw_kafka_record record = fixture_next(consumer); // the rest of the thousand is now queued locally
    assert_int_equal(record.offset, 10);
    gw_kafka_message_free(record.message);

    const int64_t places[] = {700, 3, 999, 0};
    for (size_t i = 0; i < GW_COUNT_OF(places); i++) {
        struct gw_kafka_position position = {.topic = topic, .partition = 0, .offset = places[i]};
        assert_ok_err(gw_kafka_consumer_seek(consumer, &position, 1, &err), &err);
        record = fixture_next(consumer);
        assert_false(record.partition_end);
        assert_int_equal(record.offset, places[i]);
        gw_kafka_message_free(record.message);
    }
    gw_kafka_consumer_free(consumer);
}

static void pause_holds_and_resume_goes_on_at_the_next_record(void **state)
{
    (void)state;
    const char *topic = fixture_topic("pause", 2);
    fixture_fill(topic, 0, 500);
    fixture_fill(topic, 1, 500);
    struct gw_kafka_options client = fixture_options();
    struct gw_kafka_consumer_options options = {.client = &client, .low_latency = true};
    struct gw_kafka_consumer *consumer = NULL;
    gw_err err = {0};
    assert_ok_err(gw_kafka_consumer_new(&options, &consumer, &err), &err);
    const struct gw_kafka_position both[] = {{.topic = topic, .partition = 0}, {.topic = topic, .partition = 1}};
    assert_ok_err(gw_kafka_consumer_assign(consumer, both, 2, &err), &err);

    // Pause and resume partition 0 after every 50 records of partition 1; nothing may be lost or come twice.
    int64_t next[2] = {0, 0};
    bool paused = false;
    while (next[0] < 500 || next[1] < 500) {
        struct gw_kafka_record record = fixture_next(consumer);
        assert_int_equal(record.offset, next[record.partition]);
        assert_false(paused && record.partition == 0);
        next[record.partition]++;
        gw_kafka_message_free(record.message);
        if (next[1] % 50 == 0 || next[1] == 500) {
            bool pause = !paused && next[1] < 500;
            if (pause) {
                assert_ok_err(gw_kafka_consumer_pause(consumer, both, 1, &err), &err);
            } else if (paused) {
                assert_ok_err(gw_kafka_consumer_resume(consumer, both, 1, &err), &err);
            }
            paused = pause;
        }
    }
    gw_kafka_consumer_free(consumer);
}

static void offset_out_of_range_is_a_mismatch_once_and_a_seek_heals_it(void **state)
{
    (void)state;
    const char *topic = fixture_topic("range", 1);
    fixture_fill(topic, 0, 5);
    struct gw_kafka_consumer *consumer = fixture_reader(topic, 0, 77, false);
    gw_err err = {0};
    struct gw_kafka_record record = {0};
    bool got = false;
    gw_status status = GW_OK;
    uint64_t deadline_us = gw_clock_mono_us() + (uint64_t)FIXTURE_MS * 1000;
    while (status == GW_OK && !got && gw_clock_mono_us() < deadline_us) {
        status = gw_kafka_consumer_poll(consumer, 100, &record, &got, &err);
    }
    assert_fails(status, GW_E_MISMATCH);
    assert_non_null(strstr(err.message, topic));
    assert_non_null(strstr(err.message, "77"));

    struct gw_kafka_position position = {.topic = topic, .partition = 0};
    assert_fails(gw_kafka_consumer_resume(consumer, &position, 1, &err), GW_E_MISMATCH);
    assert_ok_err(gw_kafka_consumer_poll(consumer, 300, &record, &got, &err), &err); // said once
    assert_false(got);

    position.offset = 2;
    assert_ok_err(gw_kafka_consumer_seek(consumer, &position, 1, &err), &err);
    assert_ok_err(gw_kafka_consumer_resume(consumer, &position, 1, &err), &err);
    record = fixture_next(consumer);
    assert_int_equal(record.offset, 2);
    gw_kafka_message_free(record.message);
    gw_kafka_consumer_free(consumer);
}

static void watermarks_and_counts_come_from_the_broker(void **state)
{
    (void)state;
    const char *topic = fixture_topic("marks", 3);
    fixture_fill(topic, 2, 7);
    struct gw_kafka_consumer *consumer = fixture_reader(topic, 2, GW_KAFKA_OFFSET_END, false);
    gw_err err = {0};
    int64_t low = -1;
    int64_t high = -1;
    int32_t count = 0;
    assert_int_equal(gw_kafka_consumer_cached_high(consumer, topic, 1), -1);
    assert_ok_err(gw_kafka_consumer_watermarks(consumer, topic, 2, FIXTURE_MS, &low, &high, &err), &err);
    assert_int_equal(low, 0);
    assert_int_equal(high, 7);
    assert_ok_err(gw_kafka_consumer_partition_count(consumer, topic, FIXTURE_MS, &count, &err), &err);
    assert_int_equal(count, 3);
    assert_fails(gw_kafka_consumer_partition_count(consumer, fixture_name("no-topic"), FIXTURE_MS, &count, &err),
                 GW_E_UNAVAILABLE);
    struct gw_kafka_record record = fixture_next(consumer); // hand-assigned at the end
    assert_true(record.partition_end);
    assert_int_equal(record.offset, 7);
    gw_kafka_consumer_free(consumer);
}

GW_TESTS(record_comes_back_as_it_was_sent, only_tagged_records_are_reported,
         wrong_partition_unknown_topic_and_big_record_are_refused, new_partition_is_found_without_a_restart,
         seek_drops_what_was_already_fetched, pause_holds_and_resume_goes_on_at_the_next_record,
         offset_out_of_range_is_a_mismatch_once_and_a_seek_heals_it, watermarks_and_counts_come_from_the_broker)
