// SPDX-License-Identifier: MIT
// What the loop does about each class of failure.
//
//   RECORD  handled where it is found: the record goes to its dead-letter topic (loop.c)
//   RETRY   abort, rewind, stand still outside any transaction for a while, try the same records again; bounded
//   ABORT   abort and rewind; after three in a row look for the guilty record by halving the transaction. One that aborted
//           alone is the suspect: an empty transaction over the same offsets must pass, and it must abort alone once more,
//           before it is condemned. Others may pass in between; suspicion ends when the offsets move past the suspect
//   FATAL   returned to the caller: the process drains and exits non-zero
#include "worker/loop_internal.h"

#include "base/check.h"
#include "base/clock.h"

enum { ABORTS_BEFORE_SUSPICION = 3, CONDEMNED_ABORTS_MAX = 10, FORGET_FAILURES_US = 60 * 1000 * 1000 };

static gw_status roll_back(struct gw_loop *loop, gw_err *err)
{
    bool touched = loop->txn_dirty || loop->slot_count > 0;
    gw_loop_drop_batch(loop, true);
    gw_status status = loop->options.commit->ops->abort(loop->options.commit, err);
    loop->abort_owed = status != GW_OK;
    loop->txn_dirty = false;
    loop->txn_records = 0;
    loop->txn_outcomes = (struct gw_ledger){0};
    if (touched) { // else everything stands where it was committed
        gw_loop_rewind(loop, true);
    }
    return status;
}

static gw_status wait_a_while(struct gw_loop *loop, const gw_err *cause, gw_err *err)
{
    uint32_t delay_ms = 0;
    gw_status status = gw_backoff_next(&loop->backoff, (uint32_t)gw_rng_next(&loop->rng), &delay_ms, err);
    if (status != GW_OK) {
        return gw_fail_context(err, status, "gave up after: %s", cause->message);
    }
    delay_ms += 20;
    atomic_fetch_add(&loop->options.status->retries, 1);
    gw_log_warn("batch.retry", "loop=%s attempt=%u wait_ms=%u reason='%s'", loop->options.name, loop->backoff.attempt,
                delay_ms, cause->message);
    loop->waiting = true;
    loop->wait_until_us = gw_clock_mono_us() + (uint64_t)delay_ms * 1000;
    return GW_OK;
}

void gw_loop_forget_suspicion(struct gw_loop *loop)
{
    loop->alone.set = false;
    loop->suspect.set = false;
    loop->condemned = false;
    loop->condemned_aborts = 0;
    loop->probe_due = false;
    loop->probe_passed = false;
    loop->abort_streak = 0;
}

static bool same_place(const struct gw_loop_place *a, const struct gw_loop_place *b)
{
    return a->set && b->set && a->source == b->source && a->partition == b->partition && a->offset == b->offset;
}

static void suspect(struct gw_loop *loop, uint64_t records)
{
    if (loop->abort_streak < ABORTS_BEFORE_SUSPICION || records == 0) { // 0: nothing of the input was in it
        return;
    }
    if (records > 1) {
        loop->suspect_records = (uint32_t)GW_MIN(records / 2, loop->options.records_max);
    } else if (!loop->alone.set) {
        loop->suspect_records = 1; // it came alone by chance: look again
    } else if (!same_place(&loop->alone, &loop->suspect)) {
        loop->suspect = loop->alone;
        loop->condemned = false;
        loop->probe_passed = false;
        loop->probe_due = true;
    } else if (loop->probe_passed) {
        loop->condemned = true;
    } else {
        loop->probe_due = true;
    }
    gw_log_warn("transaction.suspect", "loop=%s aborts=%u records=%u probe_due=%d condemned=%d", loop->options.name,
                loop->abort_streak, loop->suspect_records, loop->probe_due, loop->condemned);
}

gw_status gw_loop_handle_failure(struct gw_loop *loop, gw_status status, const gw_err *cause, gw_err *err)
{
    GW_ASSERT(status != GW_OK);
    uint64_t records = loop->txn_records + loop->slot_count;
    uint64_t now_us = gw_clock_mono_us();
    if (now_us - loop->failed_us > FORGET_FAILURES_US) { // an old trouble that passed without a commit to show it
        gw_backoff_reset(&loop->backoff);
    }
    loop->failed_us = now_us;
    enum gw_err_class class = gw_status_class(status);
    if (class == GW_CLASS_FATAL) {
        return gw_fail(err, status, "%s", cause->message);
    }

    gw_status aborted = roll_back(loop, err);
    if (aborted != GW_OK && gw_status_class(aborted) == GW_CLASS_FATAL) {
        return aborted;
    }
    if (status == GW_E_MEMORY) { // a batch that does not fit does not fit next time either
        loop->suspect_records = (uint32_t)GW_MAX(1, GW_MIN(records / 2, loop->options.records_max));
    }
    if (class == GW_CLASS_RETRY) {
        return wait_a_while(loop, cause, err);
    }
    // ABORT, and a RECORD status that escaped a worker's process: both are about what the batch holds.
    loop->abort_streak++;
    loop->last_abort = *cause;
    atomic_fetch_add(&loop->options.status->aborts, 1);
    gw_log_warn("transaction.aborted", "loop=%s streak=%u records=%llu reason='%s'", loop->options.name,
                loop->abort_streak, (unsigned long long)records, cause->message);
    if (loop->condemned && same_place(&loop->alone, &loop->suspect) &&
        ++loop->condemned_aborts > CONDEMNED_ABORTS_MAX) {
        return gw_fail(err, GW_E_EXHAUSTED, "record %lld of partition %d can be neither processed nor dead-lettered: %s",
                       (long long)loop->suspect.offset, loop->suspect.partition, cause->message);
    }
    suspect(loop, records);
    return GW_OK;
}

void gw_loop_note_commit(struct gw_loop *loop)
{
    gw_backoff_reset(&loop->backoff);
    if (loop->suspect.set) {
        const struct gw_loop_partition *partition = gw_loop_find(loop, loop->suspect.source, loop->suspect.partition);
        if (partition != NULL && partition->at.committed_offset <= loop->suspect.offset) {
            return; // others passed, one by one; the suspect's turn is still to come
        }
    }
    gw_loop_forget_suspicion(loop);
    if (loop->suspect_records > 0) { // the innocent pass in growing steps
        loop->suspect_records = loop->suspect_records >= loop->options.records_max / 2 ? 0 : loop->suspect_records * 2;
    }
}

uint32_t gw_loop_batch_limit(const struct gw_loop *loop)
{
    return loop->suspect_records > 0 ? GW_MIN(loop->suspect_records, loop->options.records_max)
                                     : loop->options.records_max;
}

bool gw_loop_is_condemned(const struct gw_loop *loop, uint32_t source, int32_t partition, int64_t offset)
{
    const struct gw_loop_place place = {.set = true, .source = source, .partition = partition, .offset = offset};
    return loop->condemned && same_place(&place, &loop->suspect);
}

// Commits the unchanged offsets in a transaction of their own: passes when the broker and we are well.
gw_status gw_loop_run_probe(struct gw_loop *loop, gw_err *err)
{
    loop->probe_due = false;
    loop->txn_dirty = true;
    gw_err cause = {0};
    gw_status status = gw_loop_commit_now(loop, &cause);
    if (status == GW_OK) {
        loop->probe_passed = loop->suspect.set;
        return GW_OK;
    }
    gw_loop_forget_suspicion(loop); // not the record's fault: start over, slowly
    loop->suspect_records = 0;
    if (gw_status_class(status) == GW_CLASS_FATAL) {
        return gw_fail(err, status, "%s", cause.message);
    }
    return gw_loop_handle_failure(loop, GW_E_UNAVAILABLE, &cause, err);
}
