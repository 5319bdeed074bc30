// SPDX-License-Identifier: MIT
// Bytes that are no record of ours, on every input of every worker: each goes to <topic>.dlq as it came, with reason
// and origin, is counted with the offset, and what stands behind it is processed as if nothing had been.
#include "support/records.h"
#include "support/model.h"

#include "admin/schemas.h"
#include "base/clock.h"
#include "base/hash.h"
#include "feature/row.h"

#include <stdio.h>
#include <string.h>

static struct cluster cluster;

static int setup(void **state)
{
    (void)state;
    cluster_begin(&cluster, "bad", NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cluster_end(&cluster);
    return 0;
}

// ---- what is sent ---------------------------------------------------------------------------------------------------

enum { LARGE_BYTES = 1048000, MANY_HEADERS = 16 };

struct bad {
    const char *reason; // status that the dead letter must name
    uint64_t hash;      // of the value, to find it again
    bool found;
};

struct batch {
    struct bad bad[16];
    size_t count;
    enum gw_topic topic;
};

static uint64_t hash_value(struct gw_slice value)
{
    return gw_hash_fnv1a(GW_HASH_FNV_START, value.data, value.size);
}

static void send_bad(struct batch *batch, const char *reason, struct gw_slice value,
                     const struct gw_kafka_header *headers, size_t header_count)
{
    records_put(&cluster, batch->topic, 0, 1, value, headers, header_count);
    assert_true(batch->count < GW_COUNT_OF(batch->bad));
    batch->bad[batch->count++] = (struct bad){.reason = reason, .hash = hash_value(value)};
}

// cluster.value holds a good framed record of the topic.
static void send_bad_bytes(struct batch *batch)
{
    static uint8_t large[LARGE_BYTES];
    struct gw_buf good = {0};
    assert_ok(gw_buf_append(&good, cluster.value.data, cluster.value.size));

    send_bad(batch, "unknown-schema", gw_slice_text("this is no framed record"), NULL, 0);
    send_bad(batch, "unknown-schema", gw_slice_text(""), NULL, 0);
    send_bad(batch, "malformed", gw_slice_make(good.data, good.size - 3), NULL, 0); // cut
    memset(large, 0xff, sizeof large);
    memcpy(large, good.data, GW_AVRO_FRAME_BYTES);
    send_bad(batch, "malformed", gw_slice_make(large, sizeof large), NULL, 0); // as large as the broker takes
    gw_store_be32(good.data + 1, 99999999);
    send_bad(batch, "unknown-schema", gw_buf_slice(&good), NULL, 0);

    struct gw_kafka_header headers[MANY_HEADERS];
    for (size_t i = 0; i < MANY_HEADERS; i++) {
        headers[i] = (struct gw_kafka_header){"trace", gw_slice_text("value of a header")};
    }
    send_bad(batch, "unknown-schema", gw_slice_text("many headers"), headers, MANY_HEADERS);
    gw_buf_deinit(&good);
}

// ---- what must come of it -------------------------------------------------------------------------------------------

static void check_letter(void *context, const struct gw_kafka_record *record)
{
    struct batch *batch = context;
    char text[512];
    uint64_t hash = hash_value(record->value);
    size_t i = 0;
    while (i < batch->count && (batch->bad[i].hash != hash || batch->bad[i].found)) {
        i++;
    }
    assert_true(i < batch->count); // nothing else, nothing twice
    batch->bad[i].found = true;
    records_header(record, "__streams.errors.exception", text, sizeof text);
    assert_string_equal(text, batch->bad[i].reason);
    records_header(record, "__streams.errors.topic", text, sizeof text);
    assert_string_equal(text, gw_runtime_topic(&cluster.runtime, batch->topic));
    records_header(record, "__streams.errors.partition", text, sizeof text);
    assert_string_equal(text, "0");
    records_header(record, "__streams.errors.offset", text, sizeof text);
    assert_int_equal(strtol(text, NULL, 10), (long)i + (batch->topic == GW_TOPIC_FEATURE_UPDATES)); // behind its log id
    records_header(record, "__streams.errors.message", text, sizeof text);
    assert_true(strlen(text) > 0);
    records_header(record, "x-attempt", text, sizeof text);
    assert_string_equal(text, "1");
}

static void assert_all_dead(struct batch *batch)
{
    records_read(&cluster, gw_runtime_dlq(&cluster.runtime, batch->topic), 1, check_letter, batch);
    for (size_t i = 0; i < batch->count; i++) {
        if (!batch->bad[i].found) {
            print_error("record %zu (%s) of '%s' is not in the dead-letter topic\n", i, batch->bad[i].reason,
                        gw_runtime_topic(&cluster.runtime, batch->topic));
        }
        assert_true(batch->bad[i].found);
    }
}

struct progress {
    const char *group;
    enum gw_topic topic;
    uint64_t wanted;
    struct gw_ledger ledger;
};

static bool got_there(void *context)
{
    struct progress *progress = context;
    progress->ledger = cluster_ledger_sum(&cluster, progress->group, progress->topic);
    return gw_ledger_total(&progress->ledger) >= progress->wanted;
}

static void assert_counted(const char *group, const struct batch *batch, uint64_t good)
{
    struct progress progress = {.group = group, .topic = batch->topic, .wanted = batch->count + good};
    wait_until(got_there, &progress, CLUSTER_WAIT_MS, "the record behind the bad ones");
    assert_int_equal(progress.ledger.counts[GW_OUTCOME_DEAD_LETTER], batch->count);
    assert_int_equal(gw_ledger_total(&progress.ledger), batch->count + good);
}

// ---- rekey ----------------------------------------------------------------------------------------------------------

static struct gw_user_action good_action(uint64_t number)
{
    struct gw_user_action action = {.event_time_ms = gw_clock_wall_ms(),
                                    .user_id = 1,
                                    .action_type = GW_ACTION_TYPE_CLIENT_TWEET_FAV,
                                    .has_tweet_id = true,
                                    .tweet_id = 9,
                                    .surface = GW_PRODUCT_SURFACE_HOME_TIMELINE};
    records_id(action.event_id, 1, number);
    return action;
}

// Registers UserAction with one more field, as a newer producer has it, and gives its id.
static uint32_t register_newer_action(void)
{
    static const char more[] = ", {\"name\": \"mood\", \"type\": \"long\", \"default\": 0, \"doc\": \"New.\"}";
    char text[8192];
    const char *schema = gw_user_action_schema;
    const char *end = strrchr(schema, ']'); // of the fields
    assert_non_null(end);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(end - schema), schema, more, end);
    const struct gw_schemas_options options = {.urls = gw_config_text(cluster.config, GW_OPT_SCHEMA_REGISTRY_URLS)};
    struct gw_schemas *schemas = NULL;
    gw_err err = {0};
    char subject[160];
    uint32_t id = 0;
    snprintf(subject, sizeof subject, "%s-value", gw_runtime_topic(&cluster.runtime, GW_TOPIC_UNIFIED_USER_ACTIONS));
    assert_ok_err(gw_schemas_new(&options, &schemas, &err), &err);
    assert_ok_err(gw_schemas_register(schemas, subject, gw_slice_text(text), &id, &err), &err);
    gw_schemas_free(schemas);
    return id;
}

static void send_newer_action(uint32_t schema_id)
{
    static const uint8_t mood = 84; // 42, zig-zag
    struct gw_user_action action = good_action(100);
    gw_buf_clear(&cluster.value);
    assert_ok(gw_avro_frame_begin(&cluster.value, schema_id));
    assert_ok(gw_user_action_encode(&action, &cluster.value));
    assert_ok(gw_buf_append(&cluster.value, &mood, 1));
    records_put(&cluster, GW_TOPIC_UNIFIED_USER_ACTIONS, 0, 1, gw_buf_slice(&cluster.value), NULL, 0);
}

static void rekey_survives_bad_source_events(void **state)
{
    (void)state;
    struct batch actions = {.topic = GW_TOPIC_UNIFIED_USER_ACTIONS};
    struct batch tweets = {.topic = GW_TOPIC_TWEET_EVENTS};
    struct batch follows = {.topic = GW_TOPIC_SOCIAL_WRITE_EVENT};
    struct batch profiles = {.topic = GW_TOPIC_USER_MODIFICATIONS};
    uint32_t newer = register_newer_action();

    struct gw_user_action action = good_action(1);
    RECORDS_ENCODE(&cluster, actions.topic, gw_user_action_encode, &action);
    send_bad_bytes(&actions);
    action.user_id = 0;
    RECORDS_ENCODE(&cluster, actions.topic, gw_user_action_encode, &action);
    send_bad(&actions, "invalid", gw_buf_slice(&cluster.value), NULL, 0);
    action = good_action(2);
    action.has_tweet_id = false;
    RECORDS_ENCODE(&cluster, actions.topic, gw_user_action_encode, &action);
    send_bad(&actions, "invalid", gw_buf_slice(&cluster.value), NULL, 0);
    send_bad(&actions, "invalid", (struct gw_slice){0}, NULL, 0); // a tombstone is no event
    action = good_action(3);
    RECORDS_ENCODE(&cluster, actions.topic, gw_user_action_encode, &action);
    records_put(&cluster, actions.topic, 0, 1, gw_buf_slice(&cluster.value), NULL, 0);
    send_newer_action(newer);

    struct gw_tweet_event tweet = {
        .event_time_ms = gw_clock_wall_ms(), .kind = GW_TWEET_EVENT_KIND_CREATE, .tweet_id = 9, .author_id = 2};
    RECORDS_ENCODE(&cluster, tweets.topic, gw_tweet_event_encode, &tweet);
    send_bad_bytes(&tweets);
    tweet.author_id = 0;
    RECORDS_ENCODE(&cluster, tweets.topic, gw_tweet_event_encode, &tweet);
    send_bad(&tweets, "invalid", gw_buf_slice(&cluster.value), NULL, 0);
    tweet.author_id = 2;
    RECORDS_SEND(&cluster, tweets.topic, gw_tweet_event_encode, &tweet, 2);

    struct gw_social_graph_event follow = {
        .event_time_ms = gw_clock_wall_ms(), .op = GW_SOCIAL_OP_FOLLOW, .src_id = 1, .dst_id = 2};
    RECORDS_ENCODE(&cluster, follows.topic, gw_social_graph_event_encode, &follow);
    send_bad_bytes(&follows);
    follow.op = GW_SOCIAL_OP_UNKNOWN;
    RECORDS_ENCODE(&cluster, follows.topic, gw_social_graph_event_encode, &follow);
    send_bad(&follows, "invalid", gw_buf_slice(&cluster.value), NULL, 0);
    follow.op = GW_SOCIAL_OP_FOLLOW;
    RECORDS_SEND(&cluster, follows.topic, gw_social_graph_event_encode, &follow, 1);

    struct gw_user_profile profile = {
        .event_time_ms = gw_clock_wall_ms(), .kind = GW_USER_PROFILE_KIND_UPDATE, .user_id = 1};
    RECORDS_ENCODE(&cluster, profiles.topic, gw_user_profile_encode, &profile);
    send_bad_bytes(&profiles);
    profile.event_time_ms = -5;
    RECORDS_ENCODE(&cluster, profiles.topic, gw_user_profile_encode, &profile);
    send_bad(&profiles, "invalid", gw_buf_slice(&cluster.value), NULL, 0);
    profile.event_time_ms = gw_clock_wall_ms();
    RECORDS_SEND(&cluster, profiles.topic, gw_user_profile_encode, &profile, 1);
    records_flush(&cluster);

    struct cluster_worker rekey = cluster_run_ready(&cluster, "rekey", NULL);
    assert_counted("rekey", &actions, 2);
    assert_counted("rekey", &tweets, 1);
    assert_counted("rekey", &follows, 1);
    assert_counted("rekey", &profiles, 1);
    cluster_stop(&rekey);
    assert_all_dead(&actions);
    assert_all_dead(&tweets);
    assert_all_dead(&follows);
    assert_all_dead(&profiles);
}

static void check_attempt(void *context, const struct gw_kafka_record *record)
{
    char text[64];
    if (gw_slice_is(record->value, "comes again")) {
        records_header(record, "x-attempt", text, sizeof text);
        assert_string_equal(text, "3");
        records_header(record, "__streams.errors.offset", text, sizeof text);
        assert_string_not_equal(text, "12345");
        records_header(record, "mine", text, sizeof text);
        assert_string_equal(text, "kept");
        ++*(int *)context;
    }
}

static void a_replayed_dead_letter_counts_its_attempts(void **state)
{
    (void)state;
    const struct gw_kafka_header headers[] = {{"x-attempt", gw_slice_text("2")},
                                              {"__streams.errors.offset", gw_slice_text("12345")},
                                              {"mine", gw_slice_text("kept")}};
    struct gw_ledger before = cluster_ledger_sum(&cluster, "rekey", GW_TOPIC_TWEET_EVENTS);
    struct progress progress = {
        .group = "rekey", .topic = GW_TOPIC_TWEET_EVENTS, .wanted = gw_ledger_total(&before) + 1};
    records_put(&cluster, GW_TOPIC_TWEET_EVENTS, 1, 1, gw_slice_text("comes again"), headers, GW_COUNT_OF(headers));
    records_flush(&cluster);
    struct cluster_worker rekey = cluster_run(&cluster, "rekey", NULL);
    wait_until(got_there, &progress, CLUSTER_WAIT_MS, "the replayed record");
    cluster_stop(&rekey);
    int found = 0;
    records_read(&cluster, gw_runtime_dlq(&cluster.runtime, GW_TOPIC_TWEET_EVENTS), 1, check_attempt, &found);
    assert_int_equal(found, 1);
}

// ---- aggregate, online ----------------------------------------------------------------------------------------------

static void aggregate_survives_bad_entity_events(void **state)
{
    (void)state;
    struct batch batch = {.topic = GW_TOPIC_ENTITY_EVENTS};
    struct gw_entity_event event = {.side = GW_ENTITY_SIDE_ACTOR,
                                    .kind = GW_ENTITY_EVENT_KIND_ACTION,
                                    .entity_id = 1,
                                    .event_time_ms = gw_clock_wall_ms(),
                                    .action_type = GW_ACTION_TYPE_CLIENT_TWEET_FAV,
                                    .user_id = 1,
                                    .tweet_id = 9,
                                    .position = -1,
                                    .dwell_time_ms = -1};
    // rekey's events of the tests before stand here, too: this test has a cluster of its own.
    cluster_end(&cluster);
    cluster_begin(&cluster, "bad", NULL);
    RECORDS_ENCODE(&cluster, batch.topic, gw_entity_event_encode, &event);
    send_bad_bytes(&batch);
    event.entity_id = 0;
    RECORDS_ENCODE(&cluster, batch.topic, gw_entity_event_encode, &event);
    send_bad(&batch, "invalid", gw_buf_slice(&cluster.value), NULL, 0);
    event.entity_id = 1;
    event.event_time_ms = INT64_MAX / 1000;
    RECORDS_ENCODE(&cluster, batch.topic, gw_entity_event_encode, &event);
    send_bad(&batch, "invalid", gw_buf_slice(&cluster.value), NULL, 0);
    event.event_time_ms = gw_clock_wall_ms();
    RECORDS_SEND(&cluster, batch.topic, gw_entity_event_encode, &event, 1);
    records_flush(&cluster);

    struct cluster_worker aggregate = cluster_run_ready(&cluster, "aggregate", NULL);
    assert_counted("aggregate", &batch, 1);
    cluster_stop(&aggregate);
    assert_all_dead(&batch);
    // A user's row, and nothing of the bad ones; one record on each partition is the log id.
    assert_int_equal(
        records_count(&cluster, gw_runtime_topic(&cluster.runtime, GW_TOPIC_FEATURE_UPDATES), CLUSTER_ENTITIES),
        CLUSTER_ENTITIES + 1);
}

struct sink {
    struct gw_store *store;
    int64_t wanted; // next offset
    struct gw_store_position position;
};

static bool sink_got_there(void *context)
{
    struct sink *sink = context;
    gw_err err = {0};
    assert_ok_err(gw_store_position(sink->store, 0, &sink->position, &err), &err);
    return sink->position.next_offset >= sink->wanted;
}

static void online_survives_bad_rows(void **state)
{
    (void)state;
    struct batch batch = {.topic = GW_TOPIC_FEATURE_UPDATES};
    uint8_t row[GW_FEATURE_ROW_BYTES_MAX];
    uint8_t key[GW_ROW_KEY_BYTES_MAX];
    gw_err err = {0};
    cluster_end(&cluster);
    cluster_begin(&cluster, "bad", NULL);
    const struct gw_feature_view *view = gw_feature_set_view(cluster.runtime.features, 0);
    const struct gw_row_key row_key = {.view = view->code, .id_count = 1, .id = {1, 0}};
    gw_row_init(view, row);
    struct gw_feature_update update = {.view = view->code, .id1 = 1, .row = gw_slice_make(row, view->row_bytes)};
    RECORDS_ENCODE(&cluster, batch.topic, gw_feature_update_encode, &update);
    send_bad_bytes(&batch); // keys of eight bytes: not a row's, but the value is judged first
    struct gw_kafka_output good = {.topic = gw_runtime_topic(&cluster.runtime, batch.topic),
                                   .key = gw_slice_make(key, gw_row_key_bytes(&row_key, key)),
                                   .value = gw_buf_slice(&cluster.value)};
    update.row.size = 0;
    struct gw_buf empty = {0};
    assert_ok(gw_avro_frame_begin(&empty, gw_runtime_schema_id(&cluster.runtime, batch.topic)));
    assert_ok(gw_feature_update_encode(&update, &empty));
    good.value = gw_buf_slice(&empty);
    assert_ok_err(gw_kafka_produce(cluster.producer, &good, &err), &err);
    batch.bad[batch.count++] = (struct bad){.reason = "invalid", .hash = hash_value(good.value)};
    good.value = gw_buf_slice(&cluster.value);
    assert_ok_err(gw_kafka_produce(cluster.producer, &good, &err), &err);
    records_flush(&cluster);

    struct sink sink = {.store = cluster_store(&cluster), .wanted = 1 + (int64_t)batch.count + 1};
    struct cluster_worker online = cluster_run_ready(&cluster, "online", NULL);
    wait_until(sink_got_there, &sink, CLUSTER_WAIT_MS, "the row behind the bad ones");
    struct gw_ledger ledger;
    struct gw_slice stored;
    assert_true(gw_ledger_parse(sink.position.counts, &ledger));
    assert_int_equal(ledger.counts[GW_OUTCOME_DEAD_LETTER], batch.count);
    assert_int_equal(ledger.counts[GW_OUTCOME_OUTPUT], 1);
    assert_int_equal(ledger.counts[GW_OUTCOME_IGNORED], 1); // the log id
    assert_ok_err(gw_store_read(sink.store, &row_key, 1, gw_clock_mono_us() + 5000000, &stored, &err), &err);
    assert_int_equal(stored.size, view->row_bytes);
    cluster_stop(&online);
    gw_store_free(sink.store);
    gw_buf_deinit(&empty);
    assert_all_dead(&batch);
}

// ---- score ----------------------------------------------------------------------------------------------------------

static bool are_answered(void *context)
{
    const size_t *wanted = context;
    return records_count(&cluster, gw_runtime_topic(&cluster.runtime, GW_TOPIC_PREDICTION_REPLIES),
                         CLUSTER_PARTITIONS) >= *wanted;
}

static void score_survives_bad_requests(void **state)
{
    (void)state;
    struct batch bulk = {.topic = GW_TOPIC_PREDICTION_REQUESTS};
    struct batch sync = {.topic = GW_TOPIC_PREDICTION_REQUESTS_SYNC};
    struct gw_candidate candidate = {.tweet_id = 9, .author_id = 2};
    struct gw_prediction_request request = {.request_join_id = 1, .user_id = 1};
    records_id(request.request_id, 3, 1);
    request.candidates.items = &candidate;
    request.candidates.count = 1;

    struct cluster_worker score = cluster_run_ready(&cluster, "score", NULL); // the synchronous lane reads from here on
    RECORDS_ENCODE(&cluster, bulk.topic, gw_prediction_request_encode, &request);
    send_bad_bytes(&bulk);
    RECORDS_ENCODE(&cluster, bulk.topic, gw_prediction_request_encode, &request);
    records_put(&cluster, bulk.topic, 0, 1, gw_buf_slice(&cluster.value), NULL, 0);
    RECORDS_ENCODE(&cluster, sync.topic, gw_prediction_request_encode, &request);
    send_bad_bytes(&sync);
    RECORDS_ENCODE(&cluster, sync.topic, gw_prediction_request_encode, &request);
    records_put(&cluster, sync.topic, 0, 1, gw_buf_slice(&cluster.value), NULL, 0);
    // A caller who names a reply partition or topic that does not exist hurts nobody but himself.
    uint8_t partition[4];
    gw_store_be32(partition, 9999);
    const struct gw_kafka_header wrong_partition = {"kafka_replyPartition", gw_slice_make(partition, sizeof partition)};
    const struct gw_kafka_header wrong_topic = {"kafka_replyTopic", gw_slice_text("no-such-topic")};
    records_put(&cluster, sync.topic, 0, 1, gw_buf_slice(&cluster.value), &wrong_partition, 1);
    gw_store_be32(partition, 0xfffffff0u);
    records_put(&cluster, sync.topic, 0, 1, gw_buf_slice(&cluster.value), &wrong_partition, 1);
    records_put(&cluster, sync.topic, 0, 1, gw_buf_slice(&cluster.value), &wrong_topic, 1);
    records_put(&cluster, sync.topic, 0, 1, gw_buf_slice(&cluster.value), NULL, 0);
    records_flush(&cluster);

    assert_counted("score", &bulk, 1);
    size_t wanted = 2; // the ones that may be answered
    wait_until(are_answered, &wanted, CLUSTER_WAIT_MS, "answers around the undeliverable ones");
    cluster_stop(&score);
    assert_all_dead(&bulk);
    assert_all_dead(&sync);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rekey_survives_bad_source_events),
        cmocka_unit_test(a_replayed_dead_letter_counts_its_attempts),
        cmocka_unit_test(aggregate_survives_bad_entity_events),
        cmocka_unit_test(online_survives_bad_rows),
        cmocka_unit_test(score_survives_bad_requests),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
