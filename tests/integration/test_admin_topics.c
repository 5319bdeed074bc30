// SPDX-License-Identifier: MIT
// Plan and apply against a real broker: what they create, repeat, refuse and leave alone.
#include "integration/kafka_fixture.h"

#include "admin/topics_plan.h"

static const char file[] = "[counts]\nentity = 3\n"
                           "[defaults]\nreplication = 1\nretention.bytes = 10485760\nsegment.bytes = 1048576\n"
                           "[dlq]\npartitions = 1\n"
                           "[src]\nsource = true\npartitions = 2\nschema = A\ndlq = true\n"
                           "[events]\ncount_group = entity\nschema = B\n"
                           "[updates]\ncount_group = entity\nschema = C\ncleanup.policy = compact\nlog_id = true\n"
                           "[flat]\npartitions = 2\nschema = D\nretention.ms = 1000000\n";
static const char changed[] = "[counts]\nentity = 4\n"
                              "[defaults]\nreplication = 1\nretention.bytes = 10485760\nsegment.bytes = 1048576\n"
                              "[dlq]\npartitions = 1\n"
                              "[src]\nsource = true\npartitions = 5\nschema = A\ndlq = true\nretention.ms = 77\n"
                              "[events]\ncount_group = entity\nschema = B\n"
                              "[flat]\npartitions = 4\nschema = D\nretention.ms = 2000000\n"
                              "[shrunk]\npartitions = 1\nschema = E\n";

struct setup {
    struct gw_kafka_options kafka;
    struct gw_kafka_admin *admin;
    const char *prefix;
};

static struct setup setup_new(void)
{
    struct setup setup = {.kafka = fixture_options(), .admin = fixture_admin(), .prefix = fixture_name("topics.")};
    return setup;
}

static struct gw_topics *table(const struct setup *setup, const char *text)
{
    struct gw_topics *topics = NULL;
    gw_err err = {0};
    assert_ok_err(gw_topics_parse("test.ini", text, strlen(text), &(struct gw_topics_options){.prefix = setup->prefix},
                                  &topics, &err),
                  &err);
    return topics;
}

static struct gw_topics_plan run(const struct setup *setup, const struct gw_topics *topics,
                                 const struct gw_topics_group *groups, size_t group_count, bool apply)
{
    const struct gw_topics_cluster cluster = {.topics = topics,
                                              .admin = setup->admin,
                                              .kafka = &setup->kafka,
                                              .groups = groups,
                                              .group_count = group_count,
                                              .timeout_ms = FIXTURE_MS};
    struct gw_topics_plan plan = {0};
    gw_err err = {0};
    if (apply) {
        assert_ok_err(gw_topics_apply(&cluster, &plan, &err), &err);
    } else {
        assert_ok_err(gw_topics_plan(&cluster, &plan, &err), &err);
    }
    return plan;
}

static unsigned count_of(const struct gw_topics_plan *plan, enum gw_topics_verb verb, const char *text)
{
    unsigned count = 0;
    for (size_t i = 0; i < plan->count; i++) {
        count += plan->steps[i].verb == verb && (text == NULL || strstr(plan->steps[i].text, text) != NULL) ? 1 : 0;
    }
    return count;
}

static void apply_makes_all_and_the_second_time_nothing(void **state)
{
    (void)state;
    struct setup setup = setup_new();
    struct gw_topics *topics = table(&setup, file);
    const char *const reads[] = {"src"};
    const char *const tail[] = {"events"};
    const struct gw_topics_group groups[] = {
        {.group = fixture_name("from-start"), .topics = reads, .topic_count = 1, .changelog = "updates"},
        {.group = fixture_name("from-end"), .topics = tail, .topic_count = 1, .start = GW_TOPICS_FROM_END}};

    struct gw_topics_plan plan = run(&setup, topics, groups, 2, false);
    assert_int_equal(count_of(&plan, GW_TOPICS_CREATE, NULL), 5);
    assert_int_equal(count_of(&plan, GW_TOPICS_LOG_ID, NULL), 1);
    assert_int_equal(count_of(&plan, GW_TOPICS_OFFSETS, NULL), 2);
    assert_int_equal(plan.refused_count, 0);
    assert_int_equal(plan.disk_bytes_max, (2 + 1 + 3 + 2) * 11534336u);
    assert_int_equal(plan.compacted_count, 1);
    gw_topics_plan_deinit(&plan);

    plan = run(&setup, topics, groups, 2, true);
    assert_int_equal(plan.change_count, 8);
    for (size_t i = 0; i < plan.count; i++) {
        assert_true(plan.steps[i].done);
    }
    gw_topics_plan_deinit(&plan);
    plan = run(&setup, topics, groups, 2, true);
    assert_int_equal(plan.count, 0);
    gw_topics_plan_deinit(&plan);

    struct gw_kafka_position positions[] = {{.topic = gw_topics_find(topics, "src")->full_name, .partition = 0},
                                            {.topic = gw_topics_find(topics, "src")->full_name, .partition = 1}};
    gw_err err = {0};
    assert_ok_err(gw_kafka_admin_group_offsets(setup.admin, groups[0].group, positions, 2, FIXTURE_MS, &err), &err);
    assert_int_equal(positions[0].offset, 0);
    assert_int_equal(positions[1].offset, 0);
    gw_topics_free(topics);
    gw_kafka_admin_free(setup.admin);
}

static void each_partition_begins_with_the_same_log_id(void **state)
{
    (void)state;
    struct setup setup = setup_new();
    struct gw_topics *topics = table(&setup, file);
    const struct gw_topic_def *updates = gw_topics_find(topics, "updates");
    gw_err err = {0};
    uint8_t id[GW_TOPICS_LOG_ID_BYTES];
    assert_fails(gw_topics_log_id_read(&setup.kafka, updates, 300, id, &err), GW_E_UNAVAILABLE);

    struct gw_topics_plan plan = run(&setup, topics, NULL, 0, true);
    gw_topics_plan_deinit(&plan);
    assert_ok_err(gw_topics_log_id_read(&setup.kafka, updates, FIXTURE_MS, id, &err), &err);
    for (int32_t i = 0; i < 3; i++) {
        struct gw_kafka_consumer *reader = fixture_reader(updates->full_name, i, GW_KAFKA_OFFSET_START, false);
        struct gw_kafka_record record = fixture_next(reader);
        assert_int_equal(record.offset, 0);
        assert_true(gw_slice_equal(record.key, gw_topics_log_id_key()));
        assert_int_equal(record.value.size, GW_TOPICS_LOG_ID_BYTES + 4);
        assert_memory_equal(record.value.data, id, sizeof id);
        assert_int_equal(gw_load_be32(record.value.data + GW_TOPICS_LOG_ID_BYTES), 3);
        gw_kafka_message_free(record.message);
        gw_kafka_consumer_free(reader);
    }
    gw_topics_free(topics);
    gw_kafka_admin_free(setup.admin);
}

static void log_id_is_refused_where_something_else_came_first(void **state)
{
    (void)state;
    struct setup setup = setup_new();
    struct gw_topics *topics = table(&setup, file);
    const struct gw_topic_def *updates = gw_topics_find(topics, "updates");
    struct gw_kafka_topic_spec spec = {.name = updates->full_name,
                                       .partition_count = 3,
                                       .replication_factor = 1,
                                       .configs = updates->configs,
                                       .config_count = updates->config_count};
    gw_err err = {0};
    assert_ok_err(gw_kafka_admin_topic_create(setup.admin, &spec, FIXTURE_MS, &err), &err);
    struct gw_kafka_producer *producer = fixture_producer(NULL);
    struct gw_kafka_output output = {
        .topic = updates->full_name, .partition = 1, .key = gw_slice_text("row"), .value = gw_slice_text("too early")};
    assert_ok_err(gw_kafka_produce(producer, &output, &err), &err);
    assert_ok_err(gw_kafka_producer_flush(producer, FIXTURE_MS, &err), &err);
    gw_kafka_producer_free(producer);

    struct gw_topics_plan plan = run(&setup, topics, NULL, 0, true);
    assert_int_equal(count_of(&plan, GW_TOPICS_REFUSE, "is not the log id"), 1);
    assert_int_equal(count_of(&plan, GW_TOPICS_LOG_ID, NULL), 0);
    gw_topics_plan_deinit(&plan);
    gw_topics_free(topics);
    gw_kafka_admin_free(setup.admin);
}

static void shared_counts_and_shrinking_are_refused_growth_and_settings_done(void **state)
{
    (void)state;
    struct setup setup = setup_new();
    struct gw_topics *topics = table(&setup, file);
    struct gw_topics_plan plan = run(&setup, topics, NULL, 0, true);
    gw_topics_plan_deinit(&plan);
    gw_topics_free(topics);
    topics = table(&setup, changed);
    gw_err err = {0};
    struct gw_kafka_topic_spec spec = {
        .name = gw_topics_find(topics, "shrunk")->full_name, .partition_count = 3, .replication_factor = 1};
    assert_ok_err(gw_kafka_admin_topic_create(setup.admin, &spec, FIXTURE_MS, &err), &err);
    const struct gw_kafka_property own[] = {{"retention.ms", "1000000"}, {"segment.ms", "600000"}};
    const char *flat = gw_topics_find(topics, "flat")->full_name;
    assert_ok_err(gw_kafka_admin_topic_configure(setup.admin, flat, own, 2, FIXTURE_MS, &err), &err);

    plan = run(&setup, topics, NULL, 0, true);
    assert_int_equal(count_of(&plan, GW_TOPICS_REFUSE, "counts of 'entity' are fixed"), 1);
    assert_int_equal(count_of(&plan, GW_TOPICS_REFUSE, "topics do not shrink"), 1);
    assert_int_equal(count_of(&plan, GW_TOPICS_GROW, "from 2 to 4"), 1);
    assert_int_equal(count_of(&plan, GW_TOPICS_CONFIGURE, "retention.ms: 1000000 -> 2000000"), 1);
    assert_int_equal(count_of(&plan, GW_TOPICS_NOTE, "belongs to its producers"), 1);
    gw_topics_plan_deinit(&plan);

    struct gw_kafka_topic_state found = {0};
    assert_ok_err(gw_kafka_admin_topic_describe(setup.admin, flat, FIXTURE_MS, &found, &err), &err);
    assert_int_equal(found.partition_count, 4);
    bool kept = false;
    for (size_t i = 0; i < found.entry_count; i++) {
        kept =
            kept || (strcmp(found.entries[i].name, "segment.ms") == 0 && strcmp(found.entries[i].value, "600000") == 0);
    }
    assert_true(kept); // an operator's own setting outlives ours
    gw_kafka_topic_state_deinit(&found);
    gw_topics_free(topics);
    gw_kafka_admin_free(setup.admin);
}

static void offsets_are_refused_when_the_changelog_shows_earlier_work(void **state)
{
    (void)state;
    struct setup setup = setup_new();
    struct gw_topics *topics = table(&setup, file);
    struct gw_topics_plan plan = run(&setup, topics, NULL, 0, true);
    gw_topics_plan_deinit(&plan);
    const char *const reads[] = {"src", "events"};
    const struct gw_topics_group group = {
        .group = fixture_name("expired"), .topics = reads, .topic_count = 2, .changelog = "flat"};
    fixture_fill(gw_topics_find(topics, "flat")->full_name, 1, 1);
    plan = run(&setup, topics, &group, 1, true);
    assert_int_equal(count_of(&plan, GW_TOPICS_REFUSE, "count everything twice"), 1);
    gw_topics_plan_deinit(&plan);
    gw_topics_free(topics);
    gw_kafka_admin_free(setup.admin);
}

static void lost_offset_among_others_is_refused_a_new_partition_is_not(void **state)
{
    (void)state;
    struct setup setup = setup_new();
    struct gw_topics *topics = table(&setup, file);
    struct gw_topics_plan plan = run(&setup, topics, NULL, 0, true);
    gw_topics_plan_deinit(&plan);
    const char *const reads[] = {"events"};
    const char *events = gw_topics_find(topics, "events")->full_name;
    const struct gw_topics_group group = {.group = fixture_name("holes"), .topics = reads, .topic_count = 1};
    gw_err err = {0};
    struct gw_kafka_position position = {.topic = events, .partition = 1, .offset = 0};
    assert_ok_err(gw_kafka_admin_group_offsets_set(setup.admin, group.group, &position, 1, FIXTURE_MS, &err), &err);
    plan = run(&setup, topics, &group, 1, true); // 0 is lost, 2 is new
    assert_int_equal(count_of(&plan, GW_TOPICS_REFUSE, "[0]"), 1);
    gw_topics_plan_deinit(&plan);
    position.partition = 0;
    assert_ok_err(gw_kafka_admin_group_offsets_set(setup.admin, group.group, &position, 1, FIXTURE_MS, &err), &err);
    plan = run(&setup, topics, &group, 1, true);
    assert_int_equal(plan.count, 0);
    gw_topics_plan_deinit(&plan);
    gw_topics_free(topics);
    gw_kafka_admin_free(setup.admin);
}

static void our_own_file_is_taken_by_the_broker_word_for_word(void **state)
{
    (void)state;
    static const char *const profiles[] = {"", "quickstart"};
    for (size_t i = 0; i < GW_COUNT_OF(profiles); i++) {
        struct setup setup = setup_new();
        struct gw_topics *topics = NULL;
        gw_err err = {0};
        const struct gw_topics_options options = {.prefix = setup.prefix, .profile = profiles[i]};
        assert_ok_err(gw_topics_load(GW_SOURCE_DIR "/topics/topics.ini", &options, &topics, &err), &err);
        struct gw_topics_plan plan = run(&setup, topics, NULL, 0, true);
        assert_int_equal(count_of(&plan, GW_TOPICS_CREATE, NULL), gw_topics_count(topics));
        gw_topics_plan_deinit(&plan);
        plan = run(&setup, topics, NULL, 0, false);
        assert_int_equal(plan.count, 0); // no setting comes back in other words
        gw_topics_plan_deinit(&plan);
        gw_topics_free(topics);
        gw_kafka_admin_free(setup.admin);
    }
}

GW_TESTS(apply_makes_all_and_the_second_time_nothing, each_partition_begins_with_the_same_log_id,
         log_id_is_refused_where_something_else_came_first,
         shared_counts_and_shrinking_are_refused_growth_and_settings_done,
         offsets_are_refused_when_the_changelog_shows_earlier_work,
         lost_offset_among_others_is_refused_a_new_partition_is_not,
         our_own_file_is_taken_by_the_broker_word_for_word)
