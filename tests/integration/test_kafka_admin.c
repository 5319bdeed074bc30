// SPDX-License-Identifier: MIT
// The operator's requests against a real broker.
#include "integration/kafka_fixture.h"

static const struct gw_kafka_config_entry *entry(const struct gw_kafka_topic_state *state, const char *name)
{
    for (size_t i = 0; i < state->entry_count; i++) {
        if (strcmp(state->entries[i].name, name) == 0) {
            return &state->entries[i];
        }
    }
    fail_msg("topic has no configuration '%s'", name);
    return NULL;
}

static void topic_is_created_described_configured_and_grown(void **state)
{
    (void)state;
    const char *topic = fixture_name("admin");
    struct gw_kafka_admin *admin = fixture_admin();
    struct gw_kafka_topic_state found = {0};
    gw_err err = {0};
    assert_ok_err(gw_kafka_admin_topic_describe(admin, topic, FIXTURE_MS, &found, &err), &err);
    assert_false(found.exists);

    const struct gw_kafka_property configs[] = {{"cleanup.policy", "compact"}, {"segment.bytes", "1048576"}};
    struct gw_kafka_topic_spec spec = {
        .name = topic, .partition_count = 2, .replication_factor = 1, .configs = configs, .config_count = 2};
    assert_ok_err(gw_kafka_admin_topic_create(admin, &spec, FIXTURE_MS, &err), &err);
    assert_fails(gw_kafka_admin_topic_create(admin, &spec, FIXTURE_MS, &err), GW_E_CONFLICT);
    assert_ok_err(gw_kafka_admin_topic_describe(admin, topic, FIXTURE_MS, &found, &err), &err);
    assert_true(found.exists);
    assert_int_equal(found.partition_count, 2);
    assert_int_equal(found.replication_factor, 1);
    assert_string_equal(entry(&found, "cleanup.policy")->value, "compact");
    assert_false(entry(&found, "cleanup.policy")->is_default);
    assert_true(entry(&found, "retention.ms")->is_default);
    gw_kafka_topic_state_deinit(&found);

    const struct gw_kafka_property changed[] = {{"cleanup.policy", "compact"}, {"retention.ms", "3600000"}};
    assert_ok_err(gw_kafka_admin_topic_configure(admin, topic, changed, 2, FIXTURE_MS, &err), &err);
    assert_ok_err(gw_kafka_admin_topic_grow(admin, topic, 5, FIXTURE_MS, &err), &err);
    assert_fails(gw_kafka_admin_topic_grow(admin, topic, 3, FIXTURE_MS, &err), GW_E_CONFIG);
    assert_ok_err(gw_kafka_admin_topic_describe(admin, topic, FIXTURE_MS, &found, &err), &err);
    assert_int_equal(found.partition_count, 5);
    assert_string_equal(entry(&found, "retention.ms")->value, "3600000");
    assert_true(entry(&found, "segment.bytes")->is_default); // the set was replaced
    gw_kafka_topic_state_deinit(&found);

    const struct gw_kafka_property wrong = {"retention.ms", "soon"};
    assert_fails(gw_kafka_admin_topic_configure(admin, topic, &wrong, 1, FIXTURE_MS, &err), GW_E_CONFIG);
    gw_kafka_admin_free(admin);
}

static void place_assigned(void *context, struct gw_kafka_position *positions, bool *paused, size_t count)
{
    (void)positions;
    (void)paused;
    *(size_t *)context = count;
}

static void place_revoked(void *context, const struct gw_kafka_position *positions, size_t count, bool lost)
{
    (void)context;
    (void)positions;
    (void)count;
    (void)lost;
}

static void group_offsets_are_set_while_empty_and_refused_while_it_has_members(void **state)
{
    (void)state;
    const char *topic = fixture_topic("group-offsets", 2);
    const char *group = fixture_name("offsets-group");
    struct gw_kafka_admin *admin = fixture_admin();
    gw_err err = {0};
    int32_t members = -1;
    assert_ok_err(gw_kafka_admin_group_members(admin, group, FIXTURE_MS, &members, &err), &err);
    assert_int_equal(members, 0);
    struct gw_kafka_position positions[] = {{.topic = topic, .partition = 1}, {.topic = topic, .partition = 0}};
    assert_ok_err(gw_kafka_admin_group_offsets(admin, group, positions, 2, FIXTURE_MS, &err), &err);
    assert_int_equal(positions[0].offset, GW_KAFKA_OFFSET_NONE);

    const struct gw_kafka_position set[] = {{.topic = topic, .partition = 0, .offset = 3},
                                            {.topic = topic, .partition = 1, .offset = 4}};
    assert_ok_err(gw_kafka_admin_group_offsets_set(admin, group, set, 2, FIXTURE_MS, &err), &err);
    assert_ok_err(gw_kafka_admin_group_offsets(admin, group, positions, 2, FIXTURE_MS, &err), &err);
    assert_int_equal(positions[0].offset, 4);
    assert_int_equal(positions[1].offset, 3);

    struct gw_kafka_options client = fixture_options();
    size_t held = 0;
    struct gw_kafka_consumer_options options = {
        .client = &client, .group = group, .assigned = place_assigned, .revoked = place_revoked, .context = &held};
    struct gw_kafka_consumer *consumer = NULL;
    struct gw_kafka_record record = {0};
    bool got = false;
    assert_ok_err(gw_kafka_consumer_new(&options, &consumer, &err), &err);
    assert_ok_err(gw_kafka_consumer_subscribe(consumer, &topic, 1, &err), &err);
    uint64_t deadline_us = gw_clock_mono_us() + (uint64_t)FIXTURE_MS * 1000;
    while (held == 0 && gw_clock_mono_us() < deadline_us) {
        assert_ok_err(gw_kafka_consumer_poll(consumer, 100, &record, &got, &err), &err);
    }
    assert_int_equal(held, 2);
    assert_ok_err(gw_kafka_admin_group_members(admin, group, FIXTURE_MS, &members, &err), &err);
    assert_int_equal(members, 1);
    assert_fails(gw_kafka_admin_group_offsets_set(admin, group, set, 2, FIXTURE_MS, &err), GW_E_CONFLICT);
    gw_kafka_consumer_free(consumer);

    assert_ok_err(gw_kafka_admin_group_members(admin, group, FIXTURE_MS, &members, &err), &err);
    assert_int_equal(members, 0); // it left, nobody has to wait for the session to end
    gw_kafka_admin_free(admin);
}

static void watermark_is_the_log_end_also_inside_a_transaction(void **state)
{
    (void)state;
    const char *topic = fixture_topic("log-end", 1);
    struct gw_kafka_producer *producer = fixture_producer(fixture_name("log-end-id"));
    gw_err err = {0};
    assert_ok_err(gw_kafka_txn_begin(producer, &err), &err);
    fixture_put(producer, topic, 0, "open");
    assert_ok_err(gw_kafka_producer_flush(producer, FIXTURE_MS, &err), &err);

    struct gw_kafka_admin *admin = fixture_admin();
    int64_t low = -1;
    int64_t high = -1;
    assert_ok_err(gw_kafka_admin_watermarks(admin, topic, 0, FIXTURE_MS, &low, &high, &err), &err);
    assert_int_equal(low, 0);
    assert_int_equal(high, 1);
    struct gw_kafka_consumer *committed = fixture_reader(topic, 0, 0, false);
    assert_ok_err(gw_kafka_consumer_watermarks(committed, topic, 0, FIXTURE_MS, &low, &high, &err), &err);
    assert_int_equal(high, 0); // the last stable offset
    gw_kafka_consumer_free(committed);

    uint64_t latency_us = 0;
    assert_ok_err(gw_kafka_admin_ping(admin, FIXTURE_MS, &latency_us, &err), &err);
    assert_in_range(latency_us, 1, FIXTURE_MS * 1000);
    gw_kafka_admin_free(admin);
    assert_ok_err(gw_kafka_txn_abort(producer, FIXTURE_MS, &err), &err);
    gw_kafka_producer_free(producer);
}

GW_TESTS(topic_is_created_described_configured_and_grown,
         group_offsets_are_set_while_empty_and_refused_while_it_has_members,
         watermark_is_the_log_end_also_inside_a_transaction)
