// SPDX-License-Identifier: MIT
// A group on a real broker: two members share and hand over, positions are explicit, partitions without one wait.
#include "integration/kafka_fixture.h"

enum { PARTITIONS = 4, RECORDS = 50 };

struct member {
    struct gw_kafka_consumer *consumer;
    const char *topic;
    int64_t *positions; // by partition, shared by the members: stands for committed offsets
    bool held[PARTITIONS];
    bool pause[PARTITIONS]; // what `assigned` asks for
    int assigned_count;
    int revoked_count;
    int lost_count;
    unsigned held_count;
};

static void on_assigned(void *context, struct gw_kafka_position *positions, bool *paused, size_t count)
{
    struct member *member = context;
    member->assigned_count++;
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(positions[i].topic, member->topic);
        assert_int_equal(positions[i].offset, GW_KAFKA_OFFSET_NONE);
        assert_false(member->held[positions[i].partition]);
        member->held[positions[i].partition] = true;
        positions[i].offset = member->positions[positions[i].partition];
        paused[i] = member->pause[positions[i].partition];
    }
    member->held_count = (unsigned)count;
}

static void on_revoked(void *context, const struct gw_kafka_position *positions, size_t count, bool lost)
{
    struct member *member = context;
    member->revoked_count++;
    member->lost_count += lost ? 1 : 0;
    assert_int_equal(count, member->held_count); // eager: all of them
    for (size_t i = 0; i < count; i++) {
        assert_true(member->held[positions[i].partition]);
        assert_int_equal(positions[i].offset, member->positions[positions[i].partition]);
        member->held[positions[i].partition] = false;
    }
    member->held_count = 0;
}

static void join(struct member *member, const char *group, uint32_t max_poll_interval_ms)
{
    struct gw_kafka_options client = fixture_options();
    struct gw_kafka_consumer_options options = {.client = &client,
                                                .group = group,
                                                .low_latency = true,
                                                .session_timeout_ms = 6000,
                                                .max_poll_interval_ms = max_poll_interval_ms,
                                                .assigned = on_assigned,
                                                .revoked = on_revoked,
                                                .context = member};
    gw_err err = {0};
    assert_ok_err(gw_kafka_consumer_new(&options, &member->consumer, &err), &err);
    assert_ok_err(gw_kafka_consumer_subscribe(member->consumer, &member->topic, 1, &err), &err);
}

// One poll: a record must be of a held partition and the next one in order.
static bool poll_once(struct member *member, uint32_t timeout_ms)
{
    struct gw_kafka_record record = {0};
    bool got = false;
    gw_err err = {0};
    assert_ok_err(gw_kafka_consumer_poll(member->consumer, timeout_ms, &record, &got, &err), &err);
    if (got) {
        assert_ptr_equal(record.topic, member->topic);
        assert_true(member->held[record.partition]);
        assert_int_equal(record.offset, member->positions[record.partition]);
        member->positions[record.partition]++;
        gw_kafka_message_free(record.message);
    }
    return got;
}

static bool all_read(const int64_t *positions)
{
    bool all = true;
    for (int i = 0; i < PARTITIONS; i++) {
        all = all && positions[i] == RECORDS;
    }
    return all;
}

static uint64_t deadline(void)
{
    return gw_clock_mono_us() + (uint64_t)2 * FIXTURE_MS * 1000;
}

static void fill_all(const char *topic)
{
    for (int32_t i = 0; i < PARTITIONS; i++) {
        fixture_fill(topic, i, RECORDS);
    }
}

static void members_hand_over_without_losing_or_doubling_a_record(void **state)
{
    (void)state;
    const char *topic = fixture_topic("handover", PARTITIONS);
    const char *group = fixture_name("handover-group");
    fill_all(topic);
    int64_t positions[PARTITIONS] = {0, 7, 0, 0}; // explicit: partition 1 begins at its eighth record
    struct member first = {.topic = topic, .positions = positions};
    struct member second = {.topic = topic, .positions = positions};

    join(&first, group, 0);
    uint64_t until_us = deadline();
    for (int read = 0; read < 30 && gw_clock_mono_us() < until_us;) { // the rest is queued locally
        read += poll_once(&first, 100) ? 1 : 0;
    }
    assert_int_equal(first.held_count, PARTITIONS);

    join(&second, group, 0);
    while ((first.held_count != 2 || second.held_count != 2) && gw_clock_mono_us() < until_us) {
        poll_once(&first, 10);
        poll_once(&second, 10);
    }
    assert_int_equal(first.held_count, 2);
    assert_int_equal(second.held_count, 2);
    assert_int_equal(first.revoked_count, 1);
    assert_int_equal(first.lost_count, 0);

    gw_kafka_consumer_free(second.consumer); // leaves: its revoke callback runs, the first takes all again
    assert_int_equal(second.revoked_count, 1);
    assert_int_equal(second.lost_count, 0);
    assert_int_equal(second.held_count, 0);
    while ((first.held_count != PARTITIONS || !all_read(positions)) && gw_clock_mono_us() < until_us) {
        poll_once(&first, 100);
    }
    assert_int_equal(first.held_count, PARTITIONS);
    assert_true(all_read(positions));
    gw_kafka_consumer_free(first.consumer);
    assert_int_equal(first.held_count, 0);
}

static void member_that_stops_polling_is_told_its_partitions_are_lost(void **state)
{
    (void)state;
    const char *topic = fixture_topic("lost", PARTITIONS);
    const char *group = fixture_name("lost-group");
    fill_all(topic);
    int64_t of_slow[PARTITIONS] = {0};
    int64_t of_other[PARTITIONS] = {0};
    struct member slow = {.topic = topic, .positions = of_slow};
    struct member other = {.topic = topic, .positions = of_other};
    join(&slow, group, 6000);
    uint64_t until_us = deadline();
    while (slow.held_count == 0 && gw_clock_mono_us() < until_us) {
        poll_once(&slow, 100);
    }
    assert_int_equal(slow.held_count, PARTITIONS);

    join(&other, group, 0);
    while (!all_read(of_other) && gw_clock_mono_us() < until_us) { // `slow` does not poll
        poll_once(&other, 100);
    }
    assert_true(all_read(of_other));

    // Records that `slow` had queued may still come before it learns of the loss, but none after.
    while (slow.revoked_count == 0 && gw_clock_mono_us() < until_us) {
        poll_once(&slow, 100);
    }
    assert_int_equal(slow.lost_count, 1);
    gw_kafka_consumer_free(slow.consumer);
    gw_kafka_consumer_free(other.consumer);
}

static void partition_without_position_or_flagged_waits_while_others_flow(void **state)
{
    (void)state;
    const char *topic = fixture_topic("waits", PARTITIONS);
    fill_all(topic);
    int64_t positions[PARTITIONS] = {0, GW_KAFKA_OFFSET_NONE, 0, 0};
    struct member member = {.topic = topic, .positions = positions, .pause = {[2] = true}};
    join(&member, fixture_name("waits-group"), 0);
    uint64_t until_us = deadline();
    while ((positions[0] < RECORDS || positions[3] < RECORDS) && gw_clock_mono_us() < until_us) {
        poll_once(&member, 100);
    }
    assert_int_equal(member.held_count, PARTITIONS);
    assert_int_equal(positions[0], RECORDS);
    assert_int_equal(positions[3], RECORDS);
    assert_int_equal(positions[1], GW_KAFKA_OFFSET_NONE);
    assert_int_equal(positions[2], 0);
    assert_false(poll_once(&member, 300)); // both still hold

    gw_err err = {0};
    struct gw_kafka_position flagged = {.topic = topic, .partition = 2};
    struct gw_kafka_position missing = {.topic = topic, .partition = 1, .offset = 40};
    assert_fails(gw_kafka_consumer_resume(member.consumer, &missing, 1, &err), GW_E_MISMATCH);
    assert_ok_err(gw_kafka_consumer_resume(member.consumer, &flagged, 1, &err), &err);
    while (positions[2] < RECORDS && gw_clock_mono_us() < until_us) {
        poll_once(&member, 100);
    }
    assert_int_equal(positions[2], RECORDS);

    positions[1] = 40;
    assert_ok_err(gw_kafka_consumer_seek(member.consumer, &missing, 1, &err), &err);
    assert_false(poll_once(&member, 300)); // a seek does not end the pause
    assert_ok_err(gw_kafka_consumer_resume(member.consumer, &missing, 1, &err), &err);
    while (positions[1] < RECORDS && gw_clock_mono_us() < until_us) {
        poll_once(&member, 100);
    }
    assert_int_equal(positions[1], RECORDS);
    gw_kafka_consumer_free(member.consumer);
}

static void lost_position_of_a_member_heals_by_seek_while_others_keep_theirs(void **state)
{
    (void)state;
    const char *topic = fixture_topic("heals", PARTITIONS);
    fill_all(topic);
    int64_t positions[PARTITIONS] = {0, 999, 0, 0};
    struct member member = {.topic = topic, .positions = positions, .pause = {[2] = true}};
    join(&member, fixture_name("heals-group"), 0);
    struct gw_kafka_record record = {0};
    bool got = false;
    gw_err err = {0};
    gw_status status = GW_OK;
    uint64_t until_us = deadline();
    while ((status == GW_OK || positions[0] < 20) && gw_clock_mono_us() < until_us) {
        gw_status now = gw_kafka_consumer_poll(member.consumer, 100, &record, &got, &err);
        status = now != GW_OK ? now : status;
        if (now == GW_OK && got) {
            assert_int_equal(record.offset, positions[record.partition]);
            positions[record.partition]++;
            gw_kafka_message_free(record.message);
        }
    }
    assert_int_equal(status, GW_E_MISMATCH);

    struct gw_kafka_position missing = {.topic = topic, .partition = 1, .offset = 5};
    positions[1] = 5;
    assert_ok_err(gw_kafka_consumer_seek(member.consumer, &missing, 1, &err), &err);
    assert_ok_err(gw_kafka_consumer_resume(member.consumer, &missing, 1, &err), &err);
    while ((positions[0] < RECORDS || positions[1] < RECORDS || positions[3] < RECORDS) &&
           gw_clock_mono_us() < until_us) {
        poll_once(&member, 100); // in order, none twice
    }
    assert_int_equal(positions[0] + positions[1] + positions[3], 3 * RECORDS);
    assert_int_equal(positions[2], 0); // the flag outlived the healing
    assert_int_equal(member.revoked_count, 0);
    gw_kafka_consumer_free(member.consumer);
}

static void topic_that_comes_later_is_assigned_then(void **state)
{
    (void)state;
    const char *topic = fixture_name("later");
    int64_t positions[PARTITIONS] = {0};
    struct member member = {.topic = topic, .positions = positions};
    join(&member, fixture_name("later-group"), 0);
    struct gw_kafka_record record = {0};
    bool got = false;
    gw_err err = {0};
    gw_status status = GW_OK;
    uint64_t until_us = deadline();
    while (status == GW_OK && gw_clock_mono_us() < until_us) {
        status = gw_kafka_consumer_poll(member.consumer, 100, &record, &got, &err);
    }
    assert_int_equal(status, GW_E_UNAVAILABLE);
    struct gw_kafka_admin *admin = fixture_admin();
    struct gw_kafka_topic_spec spec = {.name = topic, .partition_count = PARTITIONS, .replication_factor = 1};
    assert_ok_err(gw_kafka_admin_topic_create(admin, &spec, FIXTURE_MS, &err), &err);
    gw_kafka_admin_free(admin);
    while (member.held_count != PARTITIONS && gw_clock_mono_us() < until_us) {
        status = gw_kafka_consumer_poll(member.consumer, 100, &record, &got, &err);
        assert_true(status == GW_OK || status == GW_E_UNAVAILABLE);
    }
    assert_int_equal(member.held_count, PARTITIONS);
    gw_kafka_consumer_free(member.consumer);
}

GW_TESTS(members_hand_over_without_losing_or_doubling_a_record,
         member_that_stops_polling_is_told_its_partitions_are_lost,
         partition_without_position_or_flagged_waits_while_others_flow,
         lost_position_of_a_member_heals_by_seek_while_others_keep_theirs, topic_that_comes_later_is_assigned_then)
