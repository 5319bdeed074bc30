// SPDX-License-Identifier: MIT
#include "kafka/errors.h"

#include <stdarg.h>
#include <stdio.h>

gw_status gw_kafka_status_of(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return GW_OK;

    // The cluster, or our view of it, is late or away: asking again later helps.
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR__WAIT_CACHE:
    case RD_KAFKA_RESP_ERR__IN_PROGRESS:
    case RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR__RETRY:
    case RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST:
    case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_NOT_CONTROLLER:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
    case RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
    case RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS:
    case RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
        return GW_E_UNAVAILABLE;

    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
        return GW_E_TIMEOUT;

    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
        return GW_E_FENCED;

    case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
    case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
        return GW_E_ABORTED;

    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR__NO_OFFSET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        return GW_E_MISMATCH;

    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE:
        return GW_E_TOO_LARGE;

    case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
    case RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP:
        return GW_E_CONFLICT;

    case RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND:
        return GW_E_NOT_FOUND;

    // What an operator has to set right: rights, versions, values that the cluster refuses.
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT:
    case RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
        return GW_E_CONFIG;

    default: // a code that we have no answer to stops the worker: it is restarted from the log
        return GW_E_INTERNAL;
    }
}

static gw_status fail_named(gw_err *err, gw_status status, const char *name, const char *reason, const char *format,
                            va_list args)
{
    char what[GW_ERR_MESSAGE_BYTES];
    vsnprintf(what, sizeof what, format, args);
    return gw_fail(err, status, "%s: %s (%s)", what, reason, name);
}

gw_status gw_kafka_fail_code(gw_err *err, rd_kafka_resp_err_t code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    gw_status status =
        fail_named(err, gw_kafka_status_of(code), rd_kafka_err2name(code), rd_kafka_err2str(code), format, args);
    va_end(args);
    return status;
}

gw_status gw_kafka_fail_error(gw_err *err, rd_kafka_t *rk, rd_kafka_error_t *error, const char *format, ...)
{
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    gw_status status = gw_kafka_status_of(code);
    if (rd_kafka_error_is_fatal(error)) {
        // The error may say no more than _FATAL; the handle keeps the code that made it so.
        char reason[GW_ERR_MESSAGE_BYTES];
        rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(rk, reason, sizeof reason);
        status = gw_kafka_status_of(fatal != RD_KAFKA_RESP_ERR_NO_ERROR ? fatal : code);
        if (gw_status_class(status) != GW_CLASS_FATAL) {
            status = GW_E_INTERNAL;
        }
    } else if (rd_kafka_error_txn_requires_abort(error)) {
        status = GW_E_ABORTED;
    } else if (rd_kafka_error_is_retriable(error) && gw_status_class(status) != GW_CLASS_RETRY) {
        status = GW_E_UNAVAILABLE;
    }

    va_list args;
    va_start(args, format);
    fail_named(err, status, rd_kafka_error_name(error), rd_kafka_error_string(error), format, args);
    va_end(args);
    rd_kafka_error_destroy(error);
    return status;
}

gw_status gw_kafka_fail_fatal(gw_err *err, rd_kafka_t *rk, const char *what)
{
    char reason[GW_ERR_MESSAGE_BYTES];
    rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(rk, reason, sizeof reason);
    if (fatal == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return GW_OK;
    }
    gw_status status = gw_kafka_status_of(fatal);
    return gw_fail(err, gw_status_class(status) == GW_CLASS_FATAL ? status : GW_E_INTERNAL, "%s: %s (%s)", what, reason,
                   rd_kafka_err2name(fatal));
}
