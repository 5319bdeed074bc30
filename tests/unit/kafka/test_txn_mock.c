// SPDX-License-Identifier: MIT
// Transaction errors that a real broker gives only in bad moments, injected through librdkafka's mock cluster.
#include "kafka/handle.h"
#include "kafka/producer.h"
#include "support/testkit.h"

#include <librdkafka/rdkafka_mock.h>

enum { KEY_END_TXN = 26 };

struct cluster {
    rd_kafka_t *rk;
    rd_kafka_mock_cluster_t *mock;
    struct gw_kafka_producer *producer; // transactional, initialised
};

static struct cluster start(void)
{
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "0", reason, sizeof reason);
    struct cluster cluster = {.rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason)};
    assert_non_null(cluster.rk);
    cluster.mock = rd_kafka_mock_cluster_new(cluster.rk, 1);
    assert_int_equal(rd_kafka_mock_topic_create(cluster.mock, "out", 1, 1), 0);
    const struct gw_kafka_property quiet = {"log_level", "0"};
    struct gw_kafka_options client = {.bootstrap_servers = rd_kafka_mock_cluster_bootstraps(cluster.mock),
                                      .client_id = "test",
                                      .properties = &quiet,
                                      .property_count = 1};
    struct gw_kafka_producer_options options = {.client = &client, .transactional_id = "id"};
    gw_err err = {0};
    assert_ok_err(gw_kafka_producer_new(&options, &cluster.producer, &err), &err);
    assert_ok_err(gw_kafka_txn_init(cluster.producer, 10000, &err), &err);
    assert_ok_err(gw_kafka_txn_begin(cluster.producer, &err), &err);
    struct gw_kafka_output output = {.topic = "out", .value = gw_slice_text("v")};
    assert_ok_err(gw_kafka_produce(cluster.producer, &output, &err), &err);
    return cluster;
}

static void stop(struct cluster *cluster)
{
    gw_kafka_producer_free(cluster->producer);
    rd_kafka_mock_cluster_destroy(cluster->mock);
    rd_kafka_destroy(cluster->rk);
}

static void commit_ends_as(rd_kafka_resp_err_t injected, gw_status expected)
{
    struct cluster cluster = start();
    gw_err err = {0};
    assert_ok_err(gw_kafka_producer_flush(cluster.producer, 5000, &err), &err);
    rd_kafka_mock_push_request_errors(cluster.mock, KEY_END_TXN, 1, injected);
    assert_fails(gw_kafka_txn_commit(cluster.producer, 8000, &err), expected);
    stop(&cluster);
}

static void coordinator_errors_are_retried_inside(void **state)
{
    (void)state;
    commit_ends_as(RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, GW_OK);
    commit_ends_as(RD_KAFKA_RESP_ERR_NOT_COORDINATOR, GW_OK);
}

static void fences_and_broken_state_are_final(void **state)
{
    (void)state;
    commit_ends_as(RD_KAFKA_RESP_ERR_PRODUCER_FENCED, GW_E_FENCED);
    commit_ends_as(RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, GW_E_FENCED);
    commit_ends_as(RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, GW_E_INTERNAL);
}

static void commit_that_gets_no_answer_times_out_and_can_be_made_again(void **state)
{
    (void)state;
    struct cluster cluster = start();
    gw_err err = {0};
    assert_ok_err(gw_kafka_producer_flush(cluster.producer, 5000, &err), &err);
    rd_kafka_mock_broker_set_down(cluster.mock, 1);
    assert_fails(gw_kafka_txn_commit(cluster.producer, 300, &err), GW_E_TIMEOUT);
    assert_int_equal(err.status, GW_E_TIMEOUT);
    rd_kafka_mock_broker_set_up(cluster.mock, 1);
    assert_ok_err(gw_kafka_txn_commit(cluster.producer, 10000, &err), &err);
    stop(&cluster);
}

GW_TESTS(coordinator_errors_are_retried_inside, fences_and_broken_state_are_final,
         commit_that_gets_no_answer_times_out_and_can_be_made_again)
