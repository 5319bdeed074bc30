// SPDX-License-Identifier: MIT
#include "worker/loop.h"

#include "admin/topics_plan.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "worker/dead_letter.h"
#include "worker/loop_internal.h"
#include "worker/schema_gate.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    BODY_ARENA_BLOCK_BYTES = 1 << 20,
    BODY_ARENA_LIMIT_BYTES = 512 << 20,
    IDLE_COMMIT_US = 1000 * 1000,
    STATUS_INTERVAL_US = 500 * 1000,
    METADATA_WAIT_US = 60 * 1000 * 1000,
};

gw_status gw_loop_new(const struct gw_loop_options *options, struct gw_loop **ret_loop, gw_err *err)
{
    GW_ASSERT(options->input_count > 0 && options->input_count <= GW_LOOP_INPUTS_MAX);
    GW_ASSERT(options->records_max > 0 && options->commit != NULL && options->status != NULL);

    struct gw_loop *loop = gw_mem_calloc(1, sizeof *loop);
    struct gw_loop_slot *slots = gw_mem_calloc(options->records_max, sizeof *slots);
    if (loop == NULL || slots == NULL) {
        gw_mem_free(loop);
        gw_mem_free(slots);
        return gw_fail(err, GW_E_MEMORY, "no memory for a batch of %u records", options->records_max);
    }
    loop->options = *options;
    loop->weight_bound = options->weight_max;
    loop->slots = slots;
    memcpy(loop->inputs, options->inputs, options->input_count * sizeof loop->inputs[0]);
    loop->options.inputs = loop->inputs;
    gw_arena_init(&loop->bodies, BODY_ARENA_BLOCK_BYTES, BODY_ARENA_LIMIT_BYTES);
    gw_rng_init(&loop->rng, (uint64_t)gw_clock_wall_us() ^ (uint64_t)getpid());
    loop->backoff = (struct gw_backoff){.base_ms = 50, .cap_ms = 5000, .attempts_max = options->retry_max};
    *ret_loop = loop;
    return GW_OK;
}

void gw_loop_free(struct gw_loop *loop)
{
    if (loop == NULL) {
        return;
    }
    gw_loop_drop_batch(loop, true);
    if (loop->txn_dirty) { // after a failure: leaving the group must not commit what is half done
        gw_status status = loop->options.commit->ops->abort(loop->options.commit, NULL);
        (void)status; // else the successor aborts it
        loop->txn_dirty = false;
    }
    gw_kafka_consumer_free(loop->consumer);
    loop->options.commit->ops->free(loop->options.commit);
    gw_arena_deinit(&loop->bodies);
    gw_buf_deinit(&loop->transcoded);
    gw_mem_free(loop->slots);
    gw_mem_free(loop);
}

static void free_messages(struct gw_loop *loop)
{
    for (uint32_t i = 0; i < loop->slot_count; i++) {
        gw_kafka_message_free(loop->slots[i].record.message);
    }
    loop->slot_count = 0;
    loop->batch_weight = 0;
    gw_arena_clear(&loop->bodies);
}

void gw_loop_drop_batch(struct gw_loop *loop, bool aborted)
{
    loop->options.ops->discard(loop->options.worker, aborted);
    free_messages(loop);
}

void gw_loop_touch(struct gw_loop *loop)
{
    if (!loop->txn_dirty) {
        loop->txn_dirty = true;
        loop->txn_since_us = gw_clock_mono_us();
    }
}

gw_status gw_loop_emit(struct gw_loop *loop, const struct gw_kafka_output *output, gw_err *err)
{
    gw_loop_touch(loop);
    return loop->options.commit->ops->emit(loop->options.commit, output, err);
}

void gw_loop_settle(struct gw_loop *loop, uint32_t slot_index, enum gw_outcome outcome)
{
    GW_ASSERT(slot_index < loop->slot_count);
    struct gw_loop_slot *slot = &loop->slots[slot_index];
    GW_ASSERT(!slot->settled);
    slot->settled = true;
    slot->partition->at.ledger.counts[outcome]++;
    loop->txn_outcomes.counts[outcome]++;
}

gw_status gw_loop_dead_letter(struct gw_loop *loop, uint32_t slot_index, gw_status status, const char *reason,
                              gw_err *err)
{
    GW_ASSERT(slot_index < loop->slot_count);
    struct gw_loop_slot *slot = &loop->slots[slot_index];
    const struct gw_loop_input *input = &loop->inputs[slot->source];
    if (input->dlq_topic != NULL) {
        GW_TRY(gw_dead_letter_emit(loop, input->dlq_topic, input->topic, &slot->record, status, reason, err));
    }
    gw_log_warn("record.dead_letter", "loop=%s topic=%s partition=%d offset=%lld status=%s reason='%s'",
                loop->options.name, input->topic, slot->record.partition, (long long)slot->record.offset,
                gw_status_name(status), reason);
    gw_loop_settle(loop, slot_index, GW_OUTCOME_DEAD_LETTER);
    return GW_OK;
}

void gw_loop_add_weight(struct gw_loop *loop, uint64_t weight)
{
    loop->batch_weight += weight;
}

void gw_loop_bound_weight(struct gw_loop *loop, uint64_t weight_max)
{
    loop->weight_bound = GW_MAX(GW_MIN(weight_max, loop->options.weight_max), 1);
}

void gw_loop_commit_soon(struct gw_loop *loop)
{
    loop->commit_wanted = true;
}

struct gw_commit *gw_loop_commit(struct gw_loop *loop)
{
    return loop->options.commit;
}

uint64_t gw_loop_polled_us(const struct gw_loop *loop)
{
    return loop->polled_us;
}

// ---- one record -----------------------------------------------------------------------------------------------------

static gw_status decode_slot(struct gw_loop *loop, uint32_t index, gw_err *err)
{
    struct gw_loop_slot *slot = &loop->slots[index];
    const struct gw_kafka_record *record = &slot->record;
    if (loop->inputs[slot->source].has_log_id && gw_slice_equal(record->key, gw_topics_log_id_key())) {
        gw_loop_settle(loop, index, GW_OUTCOME_IGNORED); // rule 2: the log's own id, not data
        return GW_OK;
    }
    if (gw_loop_is_condemned(loop, slot->source, record->partition, record->offset)) {
        char reason[GW_ERR_MESSAGE_BYTES + 64];
        snprintf(reason, sizeof reason, "its transaction aborts every time: %s", loop->last_abort.message);
        return gw_loop_dead_letter(loop, index, GW_E_ABORTED, reason, err);
    }

    struct gw_input input = {
        .source = slot->source,
        .partition = record->partition,
        .offset = record->offset,
        .append_time_ms = record->timestamp_ms,
        .key = record->key,
        .body = record->value,
        .slot = index,
        .message = record->message,
    };
    gw_err cause = {0};
    gw_status status = GW_OK;
    if (record->value.data != NULL && loop->inputs[slot->source].gate != NULL) {
        status = gw_schema_gate_open(loop->inputs[slot->source].gate, record->value, &loop->transcoded, &loop->bodies,
                                     &input.body, &cause);
    }
    if (status == GW_OK) {
        status = loop->options.ops->decode(loop->options.worker, loop, &input, &cause);
    }
    if (status != GW_OK && gw_status_class(status) == GW_CLASS_RECORD) {
        return slot->settled ? GW_OK : gw_loop_dead_letter(loop, index, status, cause.message, err);
    }
    if (status != GW_OK) {
        return gw_fail(err, status, "%s", cause.message);
    }
    return GW_OK;
}

// Takes a polled record into the batch unless its partition is not being read at the moment (rule 10).
static bool admit(struct gw_loop *loop, const struct gw_kafka_record *record)
{
    int source = -1;
    for (size_t i = 0; i < loop->options.input_count; i++) {
        if (record->topic == loop->inputs[i].topic || strcmp(record->topic, loop->inputs[i].topic) == 0) {
            source = (int)i;
            break;
        }
    }
    struct gw_loop_partition *partition = source < 0 ? NULL : gw_loop_find(loop, (uint32_t)source, record->partition);
    if (partition == NULL || partition->state != GW_PARTITION_RUNNING || record->offset < partition->at.next_offset) {
        gw_kafka_message_free(record->message);
        return false;
    }
    if (loop->slot_count == 0) {
        loop->polled_us = gw_clock_mono_us();
    }
    loop->slots[loop->slot_count++] =
        (struct gw_loop_slot){.record = *record, .partition = partition, .source = (uint32_t)source};
    loop->alone = (struct gw_loop_place){.set = loop->suspect_records == 1, // the only one of its transaction
                                         .source = (uint32_t)source,
                                         .partition = record->partition,
                                         .offset = record->offset};
    return true;
}

// ---- a batch --------------------------------------------------------------------------------------------------------

// Polls until the batch is full, nothing more is at hand, or a rebalance has emptied it.
static gw_status gather(struct gw_loop *loop, gw_err *err)
{
    uint32_t limit = gw_loop_batch_limit(loop);
    uint32_t wait_ms = gw_loop_takes_over(loop) ? 0 : loop->options.poll_wait_ms;
    if (loop->txn_dirty) {
        uint64_t age_ms = (gw_clock_mono_us() - loop->txn_since_us) / 1000;
        uint64_t left_ms = age_ms < loop->options.commit_interval_ms ? loop->options.commit_interval_ms - age_ms : 0;
        wait_ms = (uint32_t)GW_MIN(wait_ms, left_ms);
    }
    while (loop->slot_count < limit &&
           (loop->weight_bound == 0 || loop->batch_weight < loop->weight_bound)) {
        struct gw_kafka_record record;
        bool got = false;
        gw_err cause = {0};
        gw_status status =
            gw_kafka_consumer_poll(loop->consumer, loop->slot_count == 0 ? wait_ms : 0, &record, &got, &cause);
        if (status == GW_E_MISMATCH) {
            GW_TRY(gw_loop_position_lost(loop, &record, cause.message, err));
            continue;
        }
        if (status != GW_OK) {
            return gw_fail(err, status, "%s", cause.message);
        }
        if (!got) {
            break;
        }
        if (record.partition_end) {
            gw_loop_end_reached(loop, &record);
            wait_ms = 0;
            continue;
        }
        if (!admit(loop, &record)) {
            wait_ms = 0;
            continue;
        }
        GW_TRY(decode_slot(loop, loop->slot_count - 1, err));
    }
    return loop->fatal != GW_OK ? gw_fail(err, loop->fatal, "%s", loop->fatal_err.message) : GW_OK;
}

gw_status gw_loop_process(struct gw_loop *loop, gw_err *err)
{
    if (loop->slot_count == 0) {
        return GW_OK;
    }
    if (!loop->txn_dirty) {
        loop->txn_dirty = true;
        loop->txn_since_us = loop->polled_us;
    }
    GW_TRY(loop->options.ops->process(loop->options.worker, loop, err));

    int64_t now_ms = gw_clock_wall_ms();
    for (uint32_t i = 0; i < loop->slot_count; i++) {
        struct gw_loop_slot *slot = &loop->slots[i];
        GW_ASSERT(slot->settled);
        slot->partition->at.next_offset = slot->record.offset + 1;
        slot->partition->last_append_time_ms = slot->record.timestamp_ms;
        if (slot->record.timestamp_ms > 0) {
            atomic_store_explicit(&loop->options.status->time_lag_ms, now_ms - slot->record.timestamp_ms,
                                  memory_order_relaxed);
        }
    }
    loop->txn_records += loop->slot_count;
    free_messages(loop);
    return GW_OK;
}

// ---- committing -----------------------------------------------------------------------------------------------------

// A sink's store may answer that it stands elsewhere (rule 13): go there.
static void follow_store(struct gw_loop *loop, struct gw_loop_partition *partition)
{
    gw_log_warn("sink.moved", "loop=%s topic=%s partition=%d from=%lld to=%lld", loop->options.name,
                partition->at.topic, partition->at.partition, (long long)partition->at.next_offset,
                (long long)partition->at.committed_offset);
    partition->at.moved = false;
    partition->at.next_offset = partition->at.committed_offset;
    partition->at.ledger = partition->at.committed_ledger;
    struct gw_kafka_position position = {.topic = partition->at.topic, .partition = partition->at.partition};
    gw_err err = {0};
    if (gw_kafka_consumer_pause(loop->consumer, &position, 1, &err) != GW_OK) {
        gw_log_warn("sink.pause_failed", "loop=%s reason='%s'", loop->options.name, err.message);
    }
    partition->state = GW_PARTITION_SEEKING;
    partition->retry_at_us = 0;
}

gw_status gw_loop_commit_now(struct gw_loop *loop, gw_err *err)
{
    struct gw_commit_position positions[GW_LOOP_PARTITIONS_MAX];
    struct gw_loop_partition *owners[GW_LOOP_PARTITIONS_MAX];
    size_t count = 0;

    if (loop->options.state != NULL) {
        GW_TRY(loop->options.state->flush(loop->options.worker, loop, err));
    }
    for (size_t i = 0; i < loop->partition_count; i++) { // rule 11: also the unchanged ones, for the fence
        struct gw_loop_partition *partition = &loop->partitions[i];
        if (partition->at.next_offset >= 0) {
            owners[count] = partition;
            positions[count++] = partition->at;
        }
    }
    GW_TRY(loop->options.commit->ops->commit(loop->options.commit, loop->consumer, positions, count, err));

    for (size_t i = 0; i < count; i++) {
        owners[i]->at = positions[i];
        if (positions[i].moved) {
            follow_store(loop, owners[i]);
        } else {
            owners[i]->at.committed_offset = positions[i].next_offset;
            owners[i]->at.committed_ledger = positions[i].ledger;
        }
    }
    struct gw_loop_status *status = loop->options.status;
    atomic_fetch_add(&status->records, loop->txn_records);
    for (int i = 0; i < GW_OUTCOME_COUNT; i++) {
        atomic_fetch_add(&status->outcomes[i], loop->txn_outcomes.counts[i]);
    }
    atomic_fetch_add(&status->commits, 1);
    atomic_store(&status->last_commit_us, gw_clock_mono_us());
    loop->txn_dirty = false;
    loop->txn_records = 0;
    loop->commit_wanted = false;
    loop->txn_outcomes = (struct gw_ledger){0};
    if (loop->options.state != NULL) {
        loop->options.state->committed(loop->options.worker);
    }
    gw_loop_note_commit(loop);
    loop->options.ops->report(loop->options.worker, loop);
    return GW_OK;
}

static bool commit_due(const struct gw_loop *loop, uint64_t now_us)
{
    if (!loop->txn_dirty) {
        return (loop->options.commits_when_idle || loop->options.commit->ops->commits_when_idle) &&
               loop->partition_count > 0 &&
               now_us - atomic_load(&loop->options.status->last_commit_us) >= IDLE_COMMIT_US;
    }
    return loop->suspect_records > 0 || loop->commit_wanted ||
           now_us - loop->txn_since_us >= (uint64_t)loop->options.commit_interval_ms * 1000 ||
           (loop->options.commit_records > 0 && loop->txn_records >= loop->options.commit_records);
}

// ---- the loop -------------------------------------------------------------------------------------------------------

static gw_status check_inputs(struct gw_loop *loop, gw_err *err)
{
    for (size_t i = 0; i < loop->options.input_count; i++) {
        const struct gw_loop_input *input = &loop->inputs[i];
        int32_t count = 0;
        GW_TRY(gw_kafka_consumer_partition_count(loop->consumer, input->topic, 5000, &count, err));
        if (input->partition_count > 0 && count != input->partition_count) {
            return gw_fail(err, GW_E_MISMATCH, "topic '%s' has %d partitions, topics.ini says %d", input->topic, count,
                           input->partition_count);
        }
    }
    return GW_OK;
}

static gw_status start(struct gw_loop *loop, gw_err *err)
{
    struct gw_kafka_consumer_options consumer = {
        .client = loop->options.client,
        .group = loop->options.group,
        .end_events = loop->options.end_events,
        .low_latency = loop->options.low_latency,
        .assigned = gw_loop_assigned,
        .revoked = gw_loop_revoked,
        .context = loop,
    };
    GW_TRY(gw_kafka_consumer_new(&consumer, &loop->consumer, err));

    gw_status status = check_inputs(loop, err); // metadata may be late (rule 4)
    uint64_t give_up_us = gw_clock_mono_us() + METADATA_WAIT_US;
    while (status != GW_OK && gw_status_class(status) == GW_CLASS_RETRY && gw_clock_mono_us() < give_up_us &&
           !atomic_load(loop->options.stop)) {
        struct timespec pause = {.tv_nsec = 200 * 1000 * 1000};
        nanosleep(&pause, NULL);
        status = check_inputs(loop, err);
    }
    if (status != GW_OK && gw_status_class(status) != GW_CLASS_RETRY) {
        return status;
    }
    if (status != GW_OK) {
        return atomic_load(loop->options.stop) ? GW_OK : gw_fail_context(err, GW_E_EXHAUSTED, "waited for its topics");
    }
    const char *topics[GW_LOOP_INPUTS_MAX];
    for (size_t i = 0; i < loop->options.input_count; i++) {
        topics[i] = loop->inputs[i].topic;
    }
    return gw_kafka_consumer_subscribe(loop->consumer, topics, loop->options.input_count, err);
}

// One turn: partitions one step on, a batch, and a commit when it is due.
static gw_status turn(struct gw_loop *loop, gw_err *err)
{
    if (loop->abort_owed) {
        GW_TRY(loop->options.commit->ops->abort(loop->options.commit, err));
        loop->abort_owed = false;
    }
    GW_TRY(gw_loop_advance_partitions(loop, err));
    if (loop->probe_due) {
        GW_TRY(gw_loop_run_probe(loop, err));
    }
    GW_TRY(gather(loop, err));
    GW_TRY(gw_loop_process(loop, err));
    return commit_due(loop, gw_clock_mono_us()) ? gw_loop_commit_now(loop, err) : GW_OK;
}

// RETRY: nothing is processed, the group is kept alive.
static gw_status stand_still(struct gw_loop *loop, gw_err *err)
{
    struct gw_kafka_record record;
    bool got = false;
    gw_err cause = {0};
    gw_status status = gw_kafka_consumer_poll(loop->consumer, 20, &record, &got, &cause);
    if (status == GW_OK && got) {
        gw_kafka_message_free(record.message); // its partition is being rewound
    }
    status = status == GW_E_MISMATCH ? gw_loop_position_lost(loop, &record, cause.message, err)
             : status != GW_OK       ? gw_fail(err, status, "%s", cause.message)
                                     : GW_OK;
    loop->waiting = gw_clock_mono_us() < loop->wait_until_us;
    return status != GW_OK && gw_status_class(status) == GW_CLASS_FATAL ? status : GW_OK;
}

static gw_status drain(struct gw_loop *loop, gw_err *err)
{
    gw_loop_drop_batch(loop, false);
    gw_status status = loop->txn_dirty ? gw_loop_commit_now(loop, err) : GW_OK;
    if (status != GW_OK) {
        gw_log_warn("drain.commit_failed", "loop=%s reason='%s' action='read again after the next start'",
                    loop->options.name, err->message);
        status = loop->options.commit->ops->abort(loop->options.commit, err);
        loop->txn_dirty = false;
    }
    gw_kafka_consumer_free(loop->consumer); // leaves the group
    loop->consumer = NULL;
    return status != GW_OK && gw_status_class(status) == GW_CLASS_FATAL ? status : GW_OK;
}

gw_status gw_loop_run(struct gw_loop *loop, gw_err *err)
{
    gw_err cause = {0};
    atomic_store(&loop->options.status->running, true);
    gw_status status = start(loop, err);
    uint64_t status_us = 0;

    while (status == GW_OK && !atomic_load_explicit(loop->options.stop, memory_order_relaxed)) {
        gw_status failed = loop->waiting ? stand_still(loop, &cause) : turn(loop, &cause);
        if (failed != GW_OK) {
            status = gw_loop_handle_failure(loop, failed, &cause, err);
        }
        uint64_t now_us = gw_clock_mono_us();
        if (now_us - status_us >= STATUS_INTERVAL_US) {
            gw_loop_update_lag(loop);
            status_us = now_us;
        }
    }
    if (status == GW_OK) {
        status = drain(loop, err);
    } else {
        gw_log_error("loop.failed", "loop=%s status=%s reason='%s'", loop->options.name, gw_status_name(status),
                     err->message);
    }
    atomic_store(&loop->options.status->running, false);
    return status;
}
