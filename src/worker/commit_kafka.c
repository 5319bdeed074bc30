// SPDX-License-Identifier: MIT
// One Kafka transaction per commit: outputs, changelog and offsets become visible together or not at all.
#include "base/check.h"
#include "base/clock.h"
#include "base/faults.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/commit.h"

enum {
    INIT_TIMEOUT_MS = 30000,
    COMMIT_TIMEOUT_MS = 14000, // below the transaction's own timeout of 15 s
    COMMIT_ATTEMPTS = 4,
    ASK_TIMEOUT_MS = 5000,
    POSITIONS_TIMEOUT_MS = 20000, // an open transaction on the offsets is waited for
    POSITIONS_MAX = 512,
};

struct commit_kafka {
    struct gw_commit base;
    struct gw_kafka_producer *producer;
    bool open;
};

static gw_status open_transaction(struct commit_kafka *self, gw_err *err)
{
    if (!self->open) {
        GW_TRY(gw_kafka_txn_begin(self->producer, err));
        self->open = true;
    }
    return GW_OK;
}

// A partition that was added after the group had started: it lies above every partition with an offset, so nothing of
// it was ever read and its start is the truth (STREAMS 5).
static gw_status find_start_of_new(struct gw_kafka_consumer *consumer, struct gw_commit_position *wanted, gw_err *err)
{
    struct gw_kafka_position all[POSITIONS_MAX];
    int32_t count = 0;
    int64_t high = 0;
    GW_TRY(gw_kafka_consumer_partition_count(consumer, wanted->topic, ASK_TIMEOUT_MS, &count, err));
    if (count > POSITIONS_MAX) {
        return GW_OK;
    }
    for (int32_t p = 0; p < count; p++) {
        all[p] = (struct gw_kafka_position){.topic = wanted->topic, .partition = p};
    }
    GW_TRY(gw_kafka_consumer_committed(consumer, all, NULL, (size_t)count, POSITIONS_TIMEOUT_MS, err));
    int32_t highest = -1;
    for (int32_t p = 0; p < count; p++) {
        highest = all[p].offset != GW_KAFKA_OFFSET_NONE ? p : highest;
    }
    if (highest >= 0 && wanted->partition > highest) {
        return gw_kafka_consumer_watermarks(consumer, wanted->topic, wanted->partition, ASK_TIMEOUT_MS,
                                            &wanted->committed_offset, &high, err);
    }
    return GW_OK;
}

static gw_status positions(struct gw_commit *commit, struct gw_kafka_consumer *consumer,
                           struct gw_commit_position *wanted, size_t count, gw_err *err)
{
    (void)commit;
    GW_ASSERT(count <= POSITIONS_MAX);
    struct gw_kafka_position asked[POSITIONS_MAX];
    char(*metadata)[GW_KAFKA_METADATA_BYTES_MAX] = gw_mem_calloc(count, sizeof *metadata);
    if (metadata == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for %zu positions", count);
    }
    for (size_t i = 0; i < count; i++) {
        asked[i] = (struct gw_kafka_position){.topic = wanted[i].topic, .partition = wanted[i].partition};
    }
    gw_status status = gw_kafka_consumer_committed(consumer, asked, metadata, count, POSITIONS_TIMEOUT_MS, err);
    for (size_t i = 0; status == GW_OK && i < count; i++) {
        wanted[i].committed_offset = asked[i].offset;
        if (asked[i].offset != GW_KAFKA_OFFSET_NONE && metadata[i][0] != '\0' &&
            !gw_ledger_parse(metadata[i], &wanted[i].committed_ledger)) {
            gw_log_warn("ledger.unreadable", "topic=%s partition=%d metadata='%.60s' action='counts start at zero'",
                        wanted[i].topic, wanted[i].partition, metadata[i]);
        }
    }
    gw_mem_free(metadata);
    for (size_t i = 0; status == GW_OK && i < count; i++) {
        if (wanted[i].committed_offset == GW_KAFKA_OFFSET_NONE) {
            status = find_start_of_new(consumer, &wanted[i], err);
        }
    }
    return status;
}

static gw_status emit(struct gw_commit *commit, const struct gw_kafka_output *output, gw_err *err)
{
    struct commit_kafka *self = (struct commit_kafka *)commit;
    GW_TRY(open_transaction(self, err));
    return gw_kafka_produce(self->producer, output, err);
}

static gw_status commit_all(struct gw_commit *commit, struct gw_kafka_consumer *consumer,
                            struct gw_commit_position *wanted, size_t count, gw_err *err)
{
    struct commit_kafka *self = (struct commit_kafka *)commit;
    GW_ASSERT(count <= POSITIONS_MAX);
    struct gw_kafka_position offsets[POSITIONS_MAX];
    char ledgers[POSITIONS_MAX][128];

    GW_TRY(open_transaction(self, err));
    for (size_t i = 0; i < count; i++) {
        gw_ledger_format(&wanted[i].ledger, ledgers[i], sizeof ledgers[i]);
        offsets[i] = (struct gw_kafka_position){.topic = wanted[i].topic,
                                                .partition = wanted[i].partition,
                                                .offset = wanted[i].next_offset,
                                                .metadata = ledgers[i]};
    }
    if (count > 0) {
        GW_TRY(gw_kafka_txn_send_offsets(self->producer, consumer, offsets, count, COMMIT_TIMEOUT_MS, err));
    }
    if (gw_fault_hit("commit.before")) {
        return gw_fail(err, GW_E_ABORTED, "fault point commit.before");
    }
    // A commit that timed out is still under way: it can only be asked for again, not aborted.
    gw_status status = gw_kafka_txn_commit(self->producer, COMMIT_TIMEOUT_MS, err);
    for (int attempt = 1; status == GW_E_TIMEOUT && attempt < COMMIT_ATTEMPTS; attempt++) {
        gw_log_warn("commit.slow", "attempt=%d reason='%s'", attempt, err != NULL ? err->message : "");
        status = gw_kafka_txn_commit(self->producer, COMMIT_TIMEOUT_MS, err);
    }
    if (status == GW_E_TIMEOUT) { // the next start of this transactional id settles it
        return gw_fail_context(err, GW_E_EXHAUSTED, "commit unanswered after %d attempts", COMMIT_ATTEMPTS);
    }
    if (status == GW_OK) {
        self->open = false;
        (void)gw_fault_hit("commit.after"); // for a death between the commit and all that follows it
    }
    return status;
}

static gw_status abort_all(struct gw_commit *commit, gw_err *err)
{
    struct commit_kafka *self = (struct commit_kafka *)commit;
    if (!self->open) {
        return GW_OK;
    }
    GW_TRY(gw_kafka_txn_abort(self->producer, COMMIT_TIMEOUT_MS, err));
    self->open = false;
    return GW_OK;
}

static void free_all(struct gw_commit *commit)
{
    struct commit_kafka *self = (struct commit_kafka *)commit;
    gw_kafka_producer_free(self->producer);
    gw_mem_free(self);
}

static const struct gw_commit_ops ops = {
    .positions = positions, .emit = emit, .commit = commit_all, .abort = abort_all, .free = free_all};

gw_status gw_commit_kafka_new(const struct gw_commit_kafka_options *options, struct gw_commit **ret_commit, gw_err *err)
{
    struct commit_kafka *self = gw_mem_calloc(1, sizeof *self);
    if (self == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a commit strategy");
    }
    self->base.ops = &ops;
    const struct gw_kafka_producer_options producer = {
        .client = options->client,
        .kind = GW_KAFKA_PRODUCER_BULK,
        .transactional_id = options->transactional_id,
        .delivered = options->delivered,
        .context = options->context,
    };
    gw_status status = gw_kafka_producer_new(&producer, &self->producer, err);
    if (status == GW_OK) {
        status = gw_kafka_txn_init(self->producer, INIT_TIMEOUT_MS, err);
    }
    if (status != GW_OK) {
        free_all(&self->base);
        return gw_fail_context(err, status, "transactional id '%s'", options->transactional_id);
    }
    *ret_commit = &self->base;
    return GW_OK;
}
