// SPDX-License-Identifier: MIT
#include "kafka/errors.h"
#include "support/testkit.h"

#include <string.h>

static void each_kind_of_code_has_the_class_that_the_loop_needs(void **state)
{
    (void)state;
    static const struct {
        rd_kafka_resp_err_t code;
        gw_status status;
    } cases[] = {
        {RD_KAFKA_RESP_ERR_NO_ERROR, GW_OK},
        {RD_KAFKA_RESP_ERR__TRANSPORT, GW_E_UNAVAILABLE},
        {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, GW_E_UNAVAILABLE},
        {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, GW_E_UNAVAILABLE},
        {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, GW_E_UNAVAILABLE},
        {RD_KAFKA_RESP_ERR_NOT_COORDINATOR, GW_E_UNAVAILABLE},
        {RD_KAFKA_RESP_ERR__TIMED_OUT, GW_E_TIMEOUT},
        {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, GW_E_TIMEOUT},
        {RD_KAFKA_RESP_ERR__FENCED, GW_E_FENCED},
        {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, GW_E_FENCED},
        {RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, GW_E_MISMATCH},
        {RD_KAFKA_RESP_ERR__NO_OFFSET, GW_E_MISMATCH},
        {RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, GW_E_MISMATCH},
        {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, GW_E_TOO_LARGE},
        {RD_KAFKA_RESP_ERR__PURGE_QUEUE, GW_E_ABORTED},
        {RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, GW_E_CONFLICT},
        {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, GW_E_CONFIG},
        {RD_KAFKA_RESP_ERR_UNKNOWN, GW_E_INTERNAL}, // no answer known: stop
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        assert_int_equal(gw_kafka_status_of(cases[i].code), cases[i].status);
    }
}

static void message_says_what_why_and_the_name(void **state)
{
    (void)state;
    gw_err err = {0};
    assert_fails(gw_kafka_fail_code(&err, RD_KAFKA_RESP_ERR__TIMED_OUT, "topic '%s'", "t"), GW_E_TIMEOUT);
    assert_int_equal(err.status, GW_E_TIMEOUT);
    assert_string_equal(err.message, "topic 't': Local: Timed out (_TIMED_OUT)");
}

GW_TESTS(each_kind_of_code_has_the_class_that_the_loop_needs, message_says_what_why_and_the_name)
