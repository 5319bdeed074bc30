// SPDX-License-Identifier: MIT
// Partitions in our hands: from assignment over position, takeover and seek to being read, and back.
//
// Nothing here blocks inside a rebalance callback except the commit that a revocation needs: an assigned partition is
// merely noted and paused, and each turn of the loop moves it one step on.
#include "worker/loop_internal.h"

#include "base/check.h"
#include "base/clock.h"

#include <string.h>

enum { STEP_RETRY_US = 200 * 1000, POSITIONS_ASKED_AT_ONCE = 64 };

static const char *const state_names[GW_PARTITION_STATE_COUNT] = {
#define X(suffix, name) [GW_PARTITION_##suffix] = name,
    GW_PARTITION_STATE_MAP(X)
#undef X
};

struct gw_loop_partition *gw_loop_find(struct gw_loop *loop, uint32_t source, int32_t partition)
{
    for (size_t i = 0; i < loop->partition_count; i++) {
        if (loop->partitions[i].at.partition == partition && loop->partitions[i].at.source == source) {
            return &loop->partitions[i];
        }
    }
    return NULL;
}

static int source_of(const struct gw_loop *loop, const char *topic)
{
    for (size_t i = 0; i < loop->options.input_count; i++) {
        if (strcmp(loop->inputs[i].topic, topic) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static void enter(struct gw_loop *loop, struct gw_loop_partition *partition, enum gw_partition_state state)
{
    if (state != GW_PARTITION_RUNNING && state != GW_PARTITION_SEEKING) {
        gw_log(GW_LOG_DEBUG, "partition.state", "loop=%s topic=%s partition=%d state=%s offset=%lld",
               loop->options.name, partition->at.topic, partition->at.partition, state_names[state],
               (long long)partition->at.committed_offset);
    }
    partition->state = state;
    partition->retry_at_us = 0;
}

void gw_loop_assigned(void *context, struct gw_kafka_position *positions, bool *paused, size_t count)
{
    struct gw_loop *loop = context;
    loop->epoch++;
    for (size_t i = 0; i < count; i++) {
        // Held until the seek. Not END: its lookup may be answered after the seek and would move the partition again.
        positions[i].offset = GW_KAFKA_OFFSET_NONE;
        paused[i] = true;
        int source = source_of(loop, positions[i].topic);
        if (source < 0 || loop->partition_count == GW_LOOP_PARTITIONS_MAX) {
            loop->fatal = gw_fail(&loop->fatal_err, GW_E_MISMATCH, "cannot own partition %d of '%s': %zu partitions held",
                                  positions[i].partition, positions[i].topic, loop->partition_count);
            continue;
        }
        loop->partitions[loop->partition_count++] = (struct gw_loop_partition){
            .state = GW_PARTITION_ASSIGNED,
            .at = {.source = (uint32_t)source,
                   .topic = loop->inputs[source].topic,
                   .partition = positions[i].partition,
                   .committed_offset = GW_KAFKA_OFFSET_NONE,
                   .next_offset = GW_KAFKA_OFFSET_NONE},
            .end_offset = -1,
            .lost_offset = -1,
        };
    }
    atomic_store(&loop->options.status->assigned, (unsigned)loop->partition_count);
    atomic_store(&loop->options.status->member, true);
    gw_log_info("partitions.assigned", "loop=%s count=%zu", loop->options.name, count);
}

// The eager protocol revokes everything at once. A batch in hand is finished first: what decode settled and emitted of it
// (dead letters) is part of the open transaction already, so the offsets must move past it or the transaction must go.
void gw_loop_revoked(void *context, const struct gw_kafka_position *positions, size_t count, bool lost)
{
    (void)positions;
    struct gw_loop *loop = context;
    gw_err err = {0};

    if (!lost && (loop->txn_dirty || loop->slot_count > 0)) {
        gw_status status = gw_loop_process(loop, &err);
        if (status == GW_OK) {
            status = gw_loop_commit_now(loop, &err);
        }
        if (status != GW_OK) {
            gw_log_warn("revoke.commit_failed", "loop=%s reason='%s' action='aborted; the next owner reads again'",
                        loop->options.name, err.message);
            lost = true;
        }
    }
    if (lost) {
        gw_loop_drop_batch(loop, true);
        gw_status status = loop->options.commit->ops->abort(loop->options.commit, &err);
        loop->abort_owed = status != GW_OK;
        if (status != GW_OK && gw_status_class(status) == GW_CLASS_FATAL) {
            loop->fatal = status;
            loop->fatal_err = err;
        }
        loop->txn_dirty = false;
        loop->txn_records = 0;
        loop->txn_outcomes = (struct gw_ledger){0};
    }
    if (loop->options.state != NULL) {
        for (size_t i = 0; i < loop->partition_count; i++) {
            loop->options.state->release(loop->options.worker, loop->partitions[i].at.source,
                                         loop->partitions[i].at.partition);
        }
    }
    loop->partition_count = 0;
    gw_loop_forget_suspicion(loop); // the next owner finds out by himself
    loop->epoch++;
    atomic_store(&loop->options.status->member, false);
    atomic_store(&loop->options.status->assigned, 0);
    atomic_store(&loop->options.status->ready, 0);
    gw_log_info("partitions.revoked", "loop=%s count=%zu lost=%d", loop->options.name, count, lost);
}

// Asks the strategy for the positions of all partitions that do not have one yet, in one call.
static gw_status find_positions(struct gw_loop *loop, uint64_t now_us, gw_err *err)
{
    struct gw_commit_position asked[POSITIONS_ASKED_AT_ONCE];
    struct gw_loop_partition *owners[POSITIONS_ASKED_AT_ONCE];
    size_t count = 0;

    for (size_t i = 0; i < loop->partition_count && count < POSITIONS_ASKED_AT_ONCE; i++) {
        struct gw_loop_partition *partition = &loop->partitions[i];
        bool due = partition->state == GW_PARTITION_ASSIGNED || partition->state == GW_PARTITION_HOMELESS;
        if (due && now_us >= partition->retry_at_us) {
            owners[count] = partition;
            asked[count++] = partition->at;
        }
    }
    if (count == 0) {
        return GW_OK;
    }

    gw_status status = loop->options.commit->ops->positions(loop->options.commit, loop->consumer, asked, count, err);
    for (size_t i = 0; i < count; i++) {
        struct gw_loop_partition *partition = owners[i];
        if (status != GW_OK) {
            partition->retry_at_us = now_us + STEP_RETRY_US;
            continue;
        }
        partition->at = asked[i];
        bool still_lost = partition->lost_offset >= 0 && partition->at.committed_offset == partition->lost_offset;
        if (partition->at.committed_offset == GW_KAFKA_OFFSET_NONE || still_lost) {
            if (partition->state != GW_PARTITION_HOMELESS) {
                gw_log_error("partition.without_position",
                             "loop=%s group=%s topic=%s partition=%d action='run: godwit topics apply'",
                             loop->options.name, loop->options.group, partition->at.topic, partition->at.partition);
            }
            enter(loop, partition, GW_PARTITION_HOMELESS);
            partition->retry_at_us = now_us + 5 * 1000 * 1000;
            continue;
        }
        partition->lost_offset = -1;
        partition->at.next_offset = partition->at.committed_offset;
        partition->at.ledger = partition->at.committed_ledger;
        enter(loop, partition, loop->options.state != NULL ? GW_PARTITION_TAKEOVER : GW_PARTITION_SEEKING);
    }
    return status;
}

static gw_status take_over(struct gw_loop *loop, struct gw_loop_partition *partition, uint64_t now_us, gw_err *err)
{
    bool done = false;
    gw_status status = loop->options.state->takeover(loop->options.worker, partition->at.source,
                                                     partition->at.partition, partition->at.committed_offset, &done,
                                                     err);
    if (status != GW_OK) {
        partition->retry_at_us = now_us + STEP_RETRY_US;
    } else if (done) {
        enter(loop, partition, GW_PARTITION_SEEKING);
    }
    return status;
}

static gw_status seek(struct gw_loop *loop, struct gw_loop_partition *partition, uint64_t now_us, gw_err *err)
{
    struct gw_kafka_position position = {.topic = partition->at.topic,
                                         .partition = partition->at.partition,
                                         .offset = partition->at.next_offset};
    gw_status status = gw_kafka_consumer_seek(loop->consumer, &position, 1, err);
    if (status == GW_OK && !partition->held) {
        status = gw_kafka_consumer_resume(loop->consumer, &position, 1, err);
    }
    if (status != GW_OK) {
        partition->retry_at_us = now_us + STEP_RETRY_US;
        return status;
    }
    enter(loop, partition, GW_PARTITION_RUNNING);
    return GW_OK;
}

gw_status gw_loop_advance_partitions(struct gw_loop *loop, gw_err *err)
{
    uint64_t now_us = gw_clock_mono_us();
    gw_status worst = find_positions(loop, now_us, err);
    unsigned ready = 0;
    unsigned homeless = 0;

    for (size_t i = 0; i < loop->partition_count; i++) {
        struct gw_loop_partition *partition = &loop->partitions[i];
        gw_status status = GW_OK;
        if (now_us >= partition->retry_at_us) {
            if (partition->state == GW_PARTITION_TAKEOVER) {
                status = take_over(loop, partition, now_us, err);
            }
            if (status == GW_OK && partition->state == GW_PARTITION_SEEKING) {
                status = seek(loop, partition, now_us, err);
            }
        }
        if (status != GW_OK && (worst == GW_OK || gw_status_class(status) == GW_CLASS_FATAL)) {
            worst = status;
        }
        ready += partition->state == GW_PARTITION_RUNNING;
        homeless += partition->state == GW_PARTITION_HOMELESS;
    }
    atomic_store(&loop->options.status->ready, ready);
    atomic_store(&loop->options.status->without_position, homeless);

    if (worst != GW_OK && gw_status_class(worst) != GW_CLASS_FATAL) {
        if (now_us - loop->health_logged_us > 2 * 1000 * 1000) {
            gw_log_warn("partitions.waiting", "loop=%s ready=%u of=%zu reason='%s'", loop->options.name, ready,
                        loop->partition_count, err != NULL ? err->message : "");
            loop->health_logged_us = now_us;
        }
        return GW_OK; // every step is tried again in a later turn
    }
    return worst;
}

bool gw_loop_takes_over(const struct gw_loop *loop)
{
    for (size_t i = 0; i < loop->partition_count; i++) {
        if (loop->partitions[i].state == GW_PARTITION_TAKEOVER) {
            return true;
        }
    }
    return false;
}

void gw_loop_rewind(struct gw_loop *loop, bool drop_state)
{
    struct gw_kafka_position positions[GW_LOOP_PARTITIONS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < loop->partition_count; i++) {
        struct gw_loop_partition *partition = &loop->partitions[i];
        if (partition->state != GW_PARTITION_RUNNING && partition->state != GW_PARTITION_SEEKING) {
            continue;
        }
        positions[count++] = (struct gw_kafka_position){.topic = partition->at.topic,
                                                        .partition = partition->at.partition};
        partition->at.next_offset = partition->at.committed_offset;
        partition->at.ledger = partition->at.committed_ledger;
        partition->last_append_time_ms = 0; // a mark must not speak of records that were rolled back
        partition->end_offset = -1;
        partition->held = false;
        if (loop->options.state != NULL && drop_state) {
            loop->options.state->release(loop->options.worker, partition->at.source, partition->at.partition);
            enter(loop, partition, GW_PARTITION_TAKEOVER);
        } else {
            enter(loop, partition, GW_PARTITION_SEEKING);
        }
    }
    gw_err err = {0};
    if (count > 0 && gw_kafka_consumer_pause(loop->consumer, positions, count, &err) != GW_OK) {
        gw_log_warn("rewind.pause_failed", "loop=%s reason='%s' action='records are dropped until the seek'",
                    loop->options.name, err.message);
    }
}

// The records at a position are gone (retention, or a store that was emptied): the partition stands still until the store
// of positions answers otherwise; the member stays, so that it does not pass the fault on (STREAMS 6). What is in hand of
// it was there and is finished first, as at a revocation: its state goes with it, and a transaction must not speak of
// records whose state is gone. When that fails, rolling back seeks the partition anew, and it is lost again.
gw_status gw_loop_position_lost(struct gw_loop *loop, const struct gw_kafka_record *where, const char *reason,
                                gw_err *err)
{
    if (loop->txn_dirty || loop->slot_count > 0) {
        GW_TRY(gw_loop_process(loop, err));
        GW_TRY(gw_loop_commit_now(loop, err));
    }
    int source = source_of(loop, where->topic);
    struct gw_loop_partition *partition = source < 0 ? NULL : gw_loop_find(loop, (uint32_t)source, where->partition);
    if (partition == NULL) {
        return GW_OK;
    }
    gw_log_error("partition.position_lost", "loop=%s group=%s reason='%s' action='set the group to an offset that exists'",
                 loop->options.name, loop->options.group, reason);
    if (loop->options.state != NULL) {
        loop->options.state->release(loop->options.worker, partition->at.source, partition->at.partition);
    }
    partition->lost_offset = partition->at.committed_offset;
    partition->end_offset = -1;
    partition->held = false;
    enter(loop, partition, GW_PARTITION_HOMELESS);
    return GW_OK;
}

void gw_loop_end_reached(struct gw_loop *loop, const struct gw_kafka_record *end)
{
    int source = source_of(loop, end->topic);
    struct gw_loop_partition *partition = source < 0 ? NULL : gw_loop_find(loop, (uint32_t)source, end->partition);
    if (partition != NULL && partition->state == GW_PARTITION_RUNNING) {
        partition->end_offset = end->offset;
    }
}

void gw_loop_hold(struct gw_loop *loop, uint32_t source, int32_t partition_number, bool hold)
{
    struct gw_loop_partition *partition = gw_loop_find(loop, source, partition_number);
    if (partition == NULL || partition->held == hold ||
        (partition->state != GW_PARTITION_RUNNING && partition->state != GW_PARTITION_SEEKING)) {
        return;
    }
    partition->held = hold;
    if (!hold) { // where the consumer stood when it was paused is not asked: the next turn moves it and lets it go on
        enter(loop, partition, GW_PARTITION_SEEKING);
        return;
    }
    struct gw_kafka_position position = {.topic = partition->at.topic, .partition = partition->at.partition};
    gw_err err = {0};
    if (gw_kafka_consumer_pause(loop->consumer, &position, 1, &err) != GW_OK) {
        partition->held = false;
        gw_log_warn("hold.pause_failed", "loop=%s reason='%s' action='asked again'", loop->options.name, err.message);
    }
}

void gw_loop_update_lag(struct gw_loop *loop)
{
    long long lag = 0;
    for (size_t i = 0; i < loop->partition_count; i++) {
        const struct gw_loop_partition *partition = &loop->partitions[i];
        int64_t end = gw_kafka_consumer_cached_high(loop->consumer, partition->at.topic, partition->at.partition);
        if (end > partition->at.next_offset && partition->at.next_offset >= 0) {
            lag += end - partition->at.next_offset;
        }
    }
    atomic_store(&loop->options.status->lag, lag);
}

bool gw_loop_owns(const struct gw_loop *loop, uint32_t source, int32_t partition)
{
    for (size_t i = 0; i < loop->partition_count; i++) {
        if (loop->partitions[i].at.partition == partition && loop->partitions[i].at.source == source) {
            return true;
        }
    }
    return false;
}

void gw_loop_each_partition(struct gw_loop *loop,
                            void (*visit)(void *context, uint32_t source, int32_t partition, int64_t next_offset,
                                          int64_t last_append_time_ms),
                            void *context)
{
    for (size_t i = 0; i < loop->partition_count; i++) {
        const struct gw_loop_partition *partition = &loop->partitions[i];
        if (partition->state == GW_PARTITION_RUNNING) {
            visit(context, partition->at.source, partition->at.partition,
                  GW_MAX(partition->at.next_offset, partition->end_offset), partition->last_append_time_ms);
        }
    }
}
