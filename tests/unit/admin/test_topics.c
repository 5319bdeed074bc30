// SPDX-License-Identifier: MIT
#include "admin/topics.h"
#include "support/testkit.h"

#include <string.h>

static const char small[] =
    "[counts]\nentity = 4\n"
    "[defaults]\nreplication = 2\nretention.ms = 1000\nretention.bytes = 100\nsegment.bytes = 10\n"
    "[dlq]\npartitions = 1\nretention.bytes = 50\n"
    "[events]\ncount_group = entity\nschema = Event\ndlq = true\nretention.ms = 5\n"
    "[state]\npartitions = 3\nschema = State\ncleanup.policy = compact\nlog_id = true\n"
    "[defaults@tiny]\nretention.bytes = 7\n"
    "[counts@tiny]\nentity = 2\n"
    "[events@tiny]\nretention.ms = 6\n";

static struct gw_topics *parse(const char *text, const struct gw_topics_options *options)
{
    struct gw_topics *topics = NULL;
    gw_err err = {0};
    assert_ok_err(gw_topics_parse("topics.ini", text, strlen(text), options, &topics, &err), &err);
    return topics;
}

static void layers_fold_into_one_topic(void **state)
{
    (void)state;
    struct gw_topics *topics = parse(small, &(struct gw_topics_options){.prefix = "dev."});
    assert_int_equal(gw_topics_count(topics), 3);
    const struct gw_topic_def *events = gw_topics_find(topics, "events");
    assert_string_equal(events->full_name, "dev.events");
    assert_string_equal(events->dlq_name, "dev.events.dlq");
    assert_string_equal(events->schema, "Event");
    assert_string_equal(events->count_group, "entity");
    assert_int_equal(events->partition_count, 4);
    assert_int_equal(events->replication_factor, 2);
    assert_false(events->compacted);
    assert_string_equal(gw_topic_config(events, "retention.ms"), "5");
    assert_int_equal(gw_topic_disk_bytes(events), 4 * 2 * (100 + 10));

    const struct gw_topic_def *dead = gw_topics_find(topics, "events.dlq");
    assert_string_equal(dead->full_name, "dev.events.dlq");
    assert_null(dead->dlq_name);
    assert_null(dead->schema);
    assert_int_equal(dead->partition_count, 1);
    assert_string_equal(gw_topic_config(dead, "retention.bytes"), "50");
    assert_string_equal(gw_topic_config(dead, "retention.ms"), "1000");

    const struct gw_topic_def *kept = gw_topics_find(topics, "state");
    assert_true(kept->compacted);
    assert_true(kept->log_id);
    assert_null(gw_topic_config(kept, "retention.bytes")); // would mean nothing
    assert_int_equal(gw_topic_disk_bytes(kept), 0);
    assert_null(gw_topics_find(topics, "nothing"));
    gw_topics_free(topics);
}

static void profile_wins_over_the_topic(void **state)
{
    (void)state;
    struct gw_topics *topics = parse(small, &(struct gw_topics_options){.profile = "tiny"});
    const struct gw_topic_def *events = gw_topics_find(topics, "events");
    assert_int_equal(events->partition_count, 2);
    assert_string_equal(gw_topic_config(events, "retention.ms"), "6");
    assert_string_equal(gw_topic_config(events, "retention.bytes"), "7");
    gw_topics_free(topics);
}

static void mistakes_are_refused_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
        const char *profile;
    } cases[] = {
        {"[defaults]\nreplication = 1\nretention.bytes = 1\nsegment.bytes = 1\n[t]\npartitions = 1\nschema = T\n"
         "retension.ms = 1\n",
         "t.ini:8: [t] unknown key 'retension.ms'; the nearest is 'retention.ms'", NULL},
        {"[t]\npartitions = 0\n", "t.ini:2: [t] partitions = 0: not a number in range", NULL},
        {"[t]\ndlq = yes\n", "neither true nor false", NULL},
        {"[t]\npartitions = 1\nreplication = 1\nschema = T\nsegment.bytes = 1\n", "needs retention.bytes", NULL},
        {"[t]\npartitions = 1\nreplication = 1\nschema = T\nsegment.bytes = 1\nretention.bytes = -1\n",
         "needs retention.bytes", NULL},
        {"[t]\ncount_group = g\nreplication = 1\nschema = T\n", "[counts] has no 'g'", NULL},
        {"[counts]\ng = 1\n[t]\ncount_group = g\npartitions = 2\n", "both partitions and count_group", NULL},
        {"[t]\npartitions = 1\n", "[t] needs partitions", NULL},
        {"[x@tiny]\npartitions = 1\n", "[x@tiny] changes a section that does not exist", NULL},
        {"[t]\npartitions = 1\n[t@tiny]\npartitions = 2\n", "no section of a profile 'huge'", "huge"},
        {"[counts]\ng = 1\n", "names no topic", NULL},
        {"[a b]\npartitions = 1\nreplication = 1\nschema = T\nsegment.bytes = 1\nretention.bytes = 1\n", "only letters",
         NULL},
        {"x = 1\n", "stands in no section", NULL},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        struct gw_topics *topics = NULL;
        gw_err err = {0};
        assert_fails(gw_topics_parse("t.ini", cases[i].text, strlen(cases[i].text),
                                     &(struct gw_topics_options){.profile = cases[i].profile}, &topics, &err),
                     GW_E_CONFIG);
        if (strstr(err.message, cases[i].message) == NULL) {
            fail_msg("case %zu: '%s' does not contain '%s'", i, err.message, cases[i].message);
        }
    }
}

static const struct gw_topic_def *ours(const struct gw_topics *topics, const char *name)
{
    const struct gw_topic_def *topic = gw_topics_find(topics, name);
    if (topic == NULL) {
        fail_msg("topics.ini has no '%s'", name);
    }
    return topic;
}

static struct gw_topics *load_ours(const char *profile)
{
    struct gw_topics *topics = NULL;
    gw_err err = {0};
    assert_ok_err(gw_topics_load(GW_SOURCE_DIR "/topics/topics.ini", &(struct gw_topics_options){.profile = profile},
                                 &topics, &err),
                  &err);
    return topics;
}

static void our_coupled_topics_share_their_counts(void **state)
{
    (void)state;
    static const char *const entity[] = {"entity_events", "feature_updates", "served_candidates", "label_windows"};
    static const char *const monitor[] = {"feature_samples", "label_samples", "monitor_state"};
    struct gw_topics *topics = load_ours(NULL);
    for (size_t i = 0; i < GW_COUNT_OF(entity); i++) {
        assert_string_equal(ours(topics, entity[i])->count_group, "entity");
        assert_int_equal(ours(topics, entity[i])->partition_count, 16);
    }
    for (size_t i = 0; i < GW_COUNT_OF(monitor); i++) {
        assert_string_equal(ours(topics, monitor[i])->count_group, "monitor");
    }
    gw_topics_free(topics);
}

static void our_changelog_keeps_versions_and_tombstones_long_enough(void **state)
{
    (void)state;
    struct gw_topics *topics = load_ours(NULL);
    const struct gw_topic_def *updates = ours(topics, "feature_updates");
    assert_true(updates->compacted && updates->log_id);
    assert_string_equal(gw_topic_config(updates, "min.compaction.lag.ms"), "604800000");
    assert_string_equal(gw_topic_config(updates, "max.compaction.lag.ms"), "691200000");
    assert_string_equal(gw_topic_config(updates, "delete.retention.ms"), "7776000000");
    for (size_t i = 0; i < gw_topics_count(topics); i++) {
        assert_string_equal(gw_topic_config(gw_topics_at(topics, i), "message.timestamp.type"), "LogAppendTime");
    }
    gw_topics_free(topics);
}

static void our_quickstart_fits_into_five_gigabytes(void **state)
{
    (void)state;
    struct gw_topics *topics = load_ours("quickstart");
    uint64_t bytes = 0;
    for (size_t i = 0; i < gw_topics_count(topics); i++) {
        bytes += gw_topic_disk_bytes(gw_topics_at(topics, i));
    }
    assert_in_range(bytes, 1, 4000000000); // a gigabyte is left for the compacted ones
    assert_string_equal(gw_topic_config(ours(topics, "feature_updates"), "min.compaction.lag.ms"), "3600000");
    gw_topics_free(topics);
}

GW_TESTS(layers_fold_into_one_topic, profile_wins_over_the_topic, mistakes_are_refused_with_their_place,
         our_coupled_topics_share_their_counts, our_changelog_keeps_versions_and_tombstones_long_enough,
         our_quickstart_fits_into_five_gigabytes)
