// SPDX-License-Identifier: MIT
// Transactions. librdkafka's calls are resumable: one that ends with a retriable error is made again until the
// deadline, and after GW_E_TIMEOUT the caller may make the same call again. Its flags say the rest (errors.h).
#include "kafka/consumer_internal.h"
#include "kafka/producer_internal.h"

#include "base/check.h"
#include "base/clock.h"

#define AGAIN_POLL_MS 10 // between two tries; serves deliveries meanwhile
#define ABORT_FLUSH_MS 1000u

// One call of librdkafka with the time that is left.
typedef rd_kafka_error_t *(*attempt)(rd_kafka_t *rk, void *context, int timeout_ms);

static gw_status until_done(struct gw_kafka_producer *producer, attempt try_once, void *context, uint32_t timeout_ms,
                            const char *what, gw_err *err)
{
    GW_ASSERT(producer->transactional);
    rd_kafka_t *rk = producer->handle.rk;
    uint64_t deadline_us = gw_clock_mono_us() + (uint64_t)timeout_ms * 1000;
    for (;;) {
        uint32_t left_ms = gw_kafka_left_ms(deadline_us);
        rd_kafka_error_t *error = try_once(rk, context, (int)GW_MAX(left_ms, 1u));
        if (error == NULL) {
            return GW_OK;
        }
        if (!rd_kafka_error_is_retriable(error) || gw_kafka_left_ms(deadline_us) == 0) {
            gw_status status = gw_kafka_fail_error(err, rk, error, "%s", what);
            // Retriable to the end: whatever kept it, what came of it is a timeout, and the call can be made again.
            if (gw_status_class(status) == GW_CLASS_RETRY && err != NULL) {
                err->status = GW_E_TIMEOUT;
            }
            return gw_status_class(status) == GW_CLASS_RETRY ? GW_E_TIMEOUT : status;
        }
        rd_kafka_error_destroy(error);
        rd_kafka_poll(rk, AGAIN_POLL_MS);
    }
}

static rd_kafka_error_t *try_init(rd_kafka_t *rk, void *context, int timeout_ms)
{
    (void)context;
    return rd_kafka_init_transactions(rk, timeout_ms);
}

static rd_kafka_error_t *try_commit(rd_kafka_t *rk, void *context, int timeout_ms)
{
    (void)context;
    return rd_kafka_commit_transaction(rk, timeout_ms);
}

static rd_kafka_error_t *try_abort(rd_kafka_t *rk, void *context, int timeout_ms)
{
    (void)context;
    return rd_kafka_abort_transaction(rk, timeout_ms);
}

struct offsets {
    const rd_kafka_topic_partition_list_t *list;
    const rd_kafka_consumer_group_metadata_t *group;
};

static rd_kafka_error_t *try_send(rd_kafka_t *rk, void *context, int timeout_ms)
{
    const struct offsets *offsets = context;
    return rd_kafka_send_offsets_to_transaction(rk, offsets->list, offsets->group, timeout_ms);
}

static void forget_failures(struct gw_kafka_producer *producer)
{
    producer->failed_known = producer->failed;
    producer->first_failure = (gw_err){0};
}

gw_status gw_kafka_txn_init(struct gw_kafka_producer *producer, uint32_t timeout_ms, gw_err *err)
{
    return until_done(producer, try_init, NULL, timeout_ms, "init transactions", err);
}

gw_status gw_kafka_txn_begin(struct gw_kafka_producer *producer, gw_err *err)
{
    GW_ASSERT(producer->transactional);
    rd_kafka_error_t *error = rd_kafka_begin_transaction(producer->handle.rk);
    if (error != NULL) {
        return gw_kafka_fail_error(err, producer->handle.rk, error, "begin transaction");
    }
    forget_failures(producer);
    producer->in_transaction = true;
    return GW_OK;
}

gw_status gw_kafka_txn_send_offsets(struct gw_kafka_producer *producer, struct gw_kafka_consumer *consumer,
                                    const struct gw_kafka_position *positions, size_t count, uint32_t timeout_ms,
                                    gw_err *err)
{
    if (count == 0) {
        return GW_OK;
    }
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(gw_kafka_consumer_rk(consumer));
    if (group == NULL) {
        return gw_fail(err, GW_E_INTERNAL, "send offsets: the consumer has no group");
    }
    rd_kafka_topic_partition_list_t *list = gw_kafka_list_new(positions, count);
    struct offsets offsets = {.list = list, .group = group};
    gw_status status = until_done(producer, try_send, &offsets, timeout_ms, "send offsets", err);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_group_metadata_destroy(group);
    return status;
}

gw_status gw_kafka_txn_commit(struct gw_kafka_producer *producer, uint32_t timeout_ms, gw_err *err)
{
    gw_err reason = {0};
    gw_status status = GW_E_ABORTED;
    if (producer->failed == producer->failed_known) {
        status = until_done(producer, try_commit, NULL, timeout_ms, "commit transaction", &reason);
    }
    if (status == GW_E_ABORTED && producer->failed != producer->failed_known) {
        // What failed for want of a broker is no record's fault.
        gw_status blame = gw_status_class(producer->first_failure.status) == GW_CLASS_RETRY ? GW_E_UNAVAILABLE
                                                                                           : GW_E_ABORTED;
        return gw_fail(err, blame, "commit transaction: %llu deliveries failed, the first: %s",
                       (unsigned long long)(producer->failed - producer->failed_known),
                       producer->first_failure.message);
    }
    if (status != GW_OK) {
        return gw_fail(err, status, "%s", reason.message);
    }
    producer->in_transaction = false;
    return GW_OK;
}

gw_status gw_kafka_txn_abort(struct gw_kafka_producer *producer, uint32_t timeout_ms, gw_err *err)
{
    if (!producer->in_transaction) {
        return GW_OK;
    }
    producer->aborting = true;
    // Records under way go out first: they make the broker know the transaction. An abort that overtakes their
    // AddPartitionsToTxn meets the state of the transaction before, and after a commit that is fatal (INVALID_TXN_STATE).
    rd_kafka_flush(producer->handle.rk, (int)GW_MIN(timeout_ms, ABORT_FLUSH_MS));
    gw_status status = until_done(producer, try_abort, NULL, timeout_ms, "abort transaction", err);
    rd_kafka_poll(producer->handle.rk, 0); // what was purged reports while we know why
    producer->aborting = false;
    if (status == GW_OK) {
        forget_failures(producer);
        producer->in_transaction = false;
    }
    return status;
}
