// SPDX-License-Identifier: MIT
// Handles without a cluster: what configuration they refuse, what they say while nobody answers, how they end.
#include "base/clock.h"
#include "kafka/admin.h"
#include "kafka/consumer.h"
#include "kafka/producer.h"
#include "support/testkit.h"

#include <string.h>

// Nobody listens on port 1.
static const struct gw_kafka_options nobody = {.bootstrap_servers = "127.0.0.1:1", .client_id = "test"};

static void wrong_property_is_named(void **state)
{
    (void)state;
    const struct gw_kafka_property unknown = {"no.such.thing", "1"};
    const struct gw_kafka_property bad_value = {"socket.timeout.ms", "soon"};
    const struct gw_kafka_property ours = {"enable.auto.commit", "true"};
    const struct {
        const struct gw_kafka_property *property;
        const char *name;
    } cases[] = {{&unknown, "kafka.no.such.thing"},
                 {&bad_value, "kafka.socket.timeout.ms"},
                 {&ours, "kafka.enable.auto.commit"}};
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        struct gw_kafka_options client = nobody;
        client.properties = cases[i].property;
        client.property_count = 1;
        gw_err err = {0};
        struct gw_kafka_consumer_options reader = {.client = &client};
        struct gw_kafka_consumer *consumer = NULL;
        assert_fails(gw_kafka_consumer_new(&reader, &consumer, &err), GW_E_CONFIG);
        assert_non_null(strstr(err.message, cases[i].name));
        struct gw_kafka_producer_options writer = {.client = &client};
        struct gw_kafka_producer *producer = NULL;
        assert_fails(gw_kafka_producer_new(&writer, &producer, &err), GW_E_CONFIG);
        struct gw_kafka_admin *admin = NULL;
        assert_fails(gw_kafka_admin_new(&client, &admin, &err), GW_E_CONFIG);
        assert_non_null(strstr(err.message, cases[i].name));
    }
}

static void operators_properties_win_where_they_may(void **state)
{
    (void)state;
    const struct gw_kafka_property properties[] = {{"linger.ms", "50"}, {"message.max.bytes", "2000000"}};
    struct gw_kafka_options client = nobody;
    client.properties = properties;
    client.property_count = 2;
    struct gw_kafka_producer_options options = {.client = &client};
    struct gw_kafka_producer *producer = NULL;
    gw_err err = {0};
    assert_ok_err(gw_kafka_producer_new(&options, &producer, &err), &err);
    gw_kafka_producer_free(producer);
}

static void low_latency_producer_has_no_transactions(void **state)
{
    (void)state;
    struct gw_kafka_producer_options options = {
        .client = &nobody, .kind = GW_KAFKA_PRODUCER_LATENCY, .transactional_id = "id"};
    struct gw_kafka_producer *producer = NULL;
    gw_err err = {0};
    assert_fails(gw_kafka_producer_new(&options, &producer, &err), GW_E_CONFIG);
}

static void absent_servers_and_no_servers_differ(void **state)
{
    (void)state;
    const struct gw_kafka_options empty = {.bootstrap_servers = ""};
    struct gw_kafka_admin *admin = NULL;
    gw_err err = {0};
    uint64_t latency_us = 0;
    assert_fails(gw_kafka_admin_new(&empty, &admin, &err), GW_E_CONFIG);
    assert_ok_err(gw_kafka_admin_new(&nobody, &admin, &err), &err);
    gw_status status = gw_kafka_admin_ping(admin, 200, &latency_us, &err);
    assert_int_equal(gw_status_class(status), GW_CLASS_RETRY);
    gw_kafka_admin_free(admin);
}

static void poll_complains_about_absent_brokers_once_a_second(void **state)
{
    (void)state;
    struct gw_kafka_consumer_options options = {.client = &nobody};
    struct gw_kafka_consumer *consumer = NULL;
    gw_err err = {0};
    assert_ok_err(gw_kafka_consumer_new(&options, &consumer, &err), &err);
    const struct gw_kafka_position position = {.topic = "t", .partition = 0};
    assert_ok_err(gw_kafka_consumer_assign(consumer, &position, 1, &err), &err);
    struct gw_kafka_record record = {0};
    bool got = false;
    unsigned complaints = 0;
    uint64_t start_us = gw_clock_mono_us();
    uint64_t until_us = start_us + 2500000;
    while (gw_clock_mono_us() < until_us) {
        gw_status status = gw_kafka_consumer_poll(consumer, 20, &record, &got, &err);
        if (status != GW_OK) {
            assert_int_equal(status, GW_E_UNAVAILABLE);
            complaints++;
        } else {
            assert_false(got);
        }
    }
    assert_in_range(complaints, 1, 3);
    gw_kafka_consumer_free(consumer);
    assert_true(gw_clock_mono_us() - until_us < 12000000); // bounded, although nobody answered
}

static void producing_without_brokers_fails_in_bounded_time(void **state)
{
    (void)state;
    struct gw_kafka_producer_options options = {.client = &nobody};
    struct gw_kafka_producer *producer = NULL;
    gw_err err = {0};
    assert_ok_err(gw_kafka_producer_new(&options, &producer, &err), &err);
    struct gw_kafka_output output = {.topic = "t", .value = gw_slice_text("v")};
    uint64_t start_us = gw_clock_mono_us();
    gw_status status = gw_kafka_produce(producer, &output, &err);
    assert_int_equal(gw_status_class(status), GW_CLASS_RETRY);
    assert_true(gw_clock_mono_us() - start_us < 8000000);
    gw_kafka_producer_free(producer);
}

static void null_is_a_legal_handle_to_free(void **state)
{
    (void)state;
    gw_kafka_consumer_free(NULL);
    gw_kafka_producer_free(NULL);
    gw_kafka_admin_free(NULL);
    gw_kafka_message_free(NULL);
}

GW_TESTS(wrong_property_is_named, operators_properties_win_where_they_may, low_latency_producer_has_no_transactions,
         absent_servers_and_no_servers_differ, poll_complains_about_absent_brokers_once_a_second,
         producing_without_brokers_fails_in_bounded_time, null_is_a_legal_handle_to_free)
