// SPDX-License-Identifier: MIT
// A revocation in the middle of a batch, without a broker: what the loop tells its commit strategy. The batch is put
// into the loop's hands as polling does it; the strategy only notes what it was asked for.
#include "support/testkit.h"

#include "worker/loop_internal.h"

#include <string.h>

enum { FIRST_OFFSET = 10 };

// ---- a strategy that notes ------------------------------------------------------------------------------------------

struct noting_commit {
    struct gw_commit base;
    int commits;
    int aborts;
    int emitted; // in the open transaction
    int visible; // committed
    struct gw_commit_position position;
    gw_status commit_status;
};

static gw_status noting_positions(struct gw_commit *commit, struct gw_kafka_consumer *consumer,
                                  struct gw_commit_position *positions, size_t count, gw_err *err)
{
    (void)commit;
    (void)consumer;
    (void)positions;
    (void)count;
    (void)err;
    return GW_OK;
}

static gw_status noting_emit(struct gw_commit *commit, const struct gw_kafka_output *output, gw_err *err)
{
    (void)output;
    (void)err;
    ((struct noting_commit *)commit)->emitted++;
    return GW_OK;
}

static gw_status noting_commit(struct gw_commit *commit, struct gw_kafka_consumer *consumer,
                               struct gw_commit_position *positions, size_t count, gw_err *err)
{
    struct noting_commit *self = (struct noting_commit *)commit;
    (void)consumer;
    if (self->commit_status != GW_OK) {
        return gw_fail(err, self->commit_status, "told to fail");
    }
    assert_int_equal(count, 1);
    self->commits++;
    self->visible += self->emitted;
    self->emitted = 0;
    self->position = positions[0];
    return GW_OK;
}

static gw_status noting_abort(struct gw_commit *commit, gw_err *err)
{
    struct noting_commit *self = (struct noting_commit *)commit;
    (void)err;
    self->aborts++;
    self->emitted = 0;
    return GW_OK;
}

static void noting_free(struct gw_commit *commit)
{
    (void)commit;
}

static const struct gw_commit_ops noting_ops = {.positions = noting_positions,
                                                .emit = noting_emit,
                                                .commit = noting_commit,
                                                .abort = noting_abort,
                                                .free = noting_free};

// ---- a worker that settles ------------------------------------------------------------------------------------------

struct settling_worker {
    gw_status process_status;
    int discarded;
};

static gw_status decode(void *worker, struct gw_loop *loop, const struct gw_input *input, gw_err *err)
{
    (void)worker;
    (void)loop;
    (void)input;
    (void)err;
    return GW_OK;
}

static gw_status process(void *worker, struct gw_loop *loop, gw_err *err)
{
    const struct settling_worker *self = worker;
    if (self->process_status != GW_OK) {
        return gw_fail(err, self->process_status, "told to fail");
    }
    const struct gw_kafka_output output = {.topic = "out"};
    for (uint32_t i = 0; i < loop->slot_count; i++) {
        if (!loop->slots[i].settled) {
            GW_TRY(gw_loop_emit(loop, &output, err));
            gw_loop_settle(loop, i, GW_OUTCOME_OUTPUT);
        }
    }
    return GW_OK;
}

static void report(void *worker, struct gw_loop *loop)
{
    (void)worker;
    (void)loop;
}

static void discard(void *worker, bool aborted)
{
    struct settling_worker *self = worker;
    self->discarded += aborted;
}

static const struct gw_loop_ops worker_ops = {
    .decode = decode, .process = process, .report = report, .discard = discard};

// ---- the loop, two records into a batch whose first one was dead-lettered at decode ---------------------------------

struct fixture {
    struct noting_commit commit;
    struct settling_worker worker;
    struct gw_loop_status status;
    atomic_bool stop;
    struct gw_loop *loop;
};

static void begin(struct fixture *fixture)
{
    static const struct gw_loop_input input = {.topic = "in", .dlq_topic = "in.dlq", .partition_count = 1};
    *fixture = (struct fixture){.commit = {.base = {.ops = &noting_ops}}};
    const struct gw_loop_options options = {.name = "test",
                                            .ops = &worker_ops,
                                            .worker = &fixture->worker,
                                            .commit = &fixture->commit.base,
                                            .group = "test",
                                            .inputs = &input,
                                            .input_count = 1,
                                            .records_max = 8,
                                            .retry_max = 3,
                                            .stop = &fixture->stop,
                                            .status = &fixture->status};
    gw_err err = {0};
    assert_ok_err(gw_loop_new(&options, &fixture->loop, &err), &err);
    struct gw_loop *loop = fixture->loop;
    struct gw_kafka_position position = {.topic = "in"};
    bool paused = false;
    gw_loop_assigned(loop, &position, &paused, 1);
    assert_true(paused);
    assert_int_equal(position.offset, GW_KAFKA_OFFSET_NONE); // nothing that a look-up could move later
    assert_true(atomic_load(&fixture->status.member));

    struct gw_loop_partition *partition = &loop->partitions[0];
    partition->state = GW_PARTITION_RUNNING;
    partition->at.committed_offset = FIRST_OFFSET;
    partition->at.next_offset = FIRST_OFFSET;
    for (uint32_t i = 0; i < 2; i++) {
        loop->slots[loop->slot_count++] =
            (struct gw_loop_slot){.record = {.topic = "in", .offset = FIRST_OFFSET + i}, .partition = partition};
    }
    const struct gw_kafka_output letter = {.topic = "in.dlq"};
    assert_ok(gw_loop_emit(loop, &letter, NULL));
    gw_loop_settle(loop, 0, GW_OUTCOME_DEAD_LETTER);
}

static void end(struct fixture *fixture)
{
    gw_loop_free(fixture->loop);
}

static void revoke(struct fixture *fixture, bool lost)
{
    const struct gw_kafka_position position = {.topic = "in", .offset = FIRST_OFFSET + 2};
    gw_loop_revoked(fixture->loop, &position, 1, lost);
    assert_int_equal(fixture->loop->slot_count, 0);
    assert_int_equal(fixture->loop->partition_count, 0);
    assert_int_equal(atomic_load(&fixture->status.assigned), 0);
    assert_false(atomic_load(&fixture->status.member));
}

static void a_revoked_batch_is_finished_and_committed_with_its_dead_letters(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    revoke(&fixture, false);
    assert_int_equal(fixture.commit.commits, 1);
    assert_int_equal(fixture.commit.aborts, 0);
    assert_int_equal(fixture.commit.visible, 2);
    assert_int_equal(fixture.commit.position.next_offset, FIRST_OFFSET + 2);
    assert_int_equal(fixture.commit.position.ledger.counts[GW_OUTCOME_DEAD_LETTER], 1);
    assert_int_equal(fixture.commit.position.ledger.counts[GW_OUTCOME_OUTPUT], 1);
    assert_int_equal(atomic_load(&fixture.status.outcomes[GW_OUTCOME_DEAD_LETTER]), 1);
    end(&fixture);
}

static void a_revoked_batch_that_fails_takes_its_dead_letters_with_it(void **state)
{
    (void)state;
    static const gw_status failures[] = {GW_E_UNAVAILABLE, GW_E_ABORTED, GW_E_TOO_LARGE};
    for (size_t i = 0; i < GW_COUNT_OF(failures); i++) {
        struct fixture fixture;
        begin(&fixture);
        fixture.worker.process_status = failures[i];
        revoke(&fixture, false);
        assert_int_equal(fixture.commit.commits, 0);
        assert_int_equal(fixture.commit.aborts, 1);
        assert_int_equal(fixture.commit.visible, 0);
        assert_true(fixture.worker.discarded > 0);
        assert_int_equal(atomic_load(&fixture.status.outcomes[GW_OUTCOME_DEAD_LETTER]), 0);
        end(&fixture);
    }
}

static void a_commit_that_fails_at_revocation_is_aborted(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    fixture.commit.commit_status = GW_E_ABORTED;
    revoke(&fixture, false);
    assert_int_equal(fixture.commit.aborts, 1);
    assert_int_equal(fixture.commit.visible, 0);
    assert_false(fixture.loop->txn_dirty);
    end(&fixture);
}

static void lost_partitions_commit_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    revoke(&fixture, true);
    assert_int_equal(fixture.commit.commits, 0);
    assert_int_equal(fixture.commit.aborts, 1);
    assert_int_equal(fixture.commit.visible, 0);
    end(&fixture);
}

static void a_revocation_with_nothing_under_way_asks_for_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    revoke(&fixture, false);
    gw_loop_revoked(fixture.loop, NULL, 0, false);
    assert_int_equal(fixture.commit.commits, 1);
    assert_int_equal(fixture.commit.aborts, 0);
    end(&fixture);
}

static void what_is_in_hand_of_a_lost_position_is_committed_first(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    const struct gw_kafka_record where = {.topic = "in", .offset = FIRST_OFFSET + 2};
    assert_ok(gw_loop_position_lost(fixture.loop, &where, "out of range", NULL));
    assert_int_equal(fixture.commit.commits, 1);
    assert_int_equal(fixture.commit.visible, 2);
    assert_int_equal(fixture.commit.position.next_offset, FIRST_OFFSET + 2);
    assert_int_equal(fixture.loop->slot_count, 0);
    assert_int_equal(fixture.loop->partitions[0].state, GW_PARTITION_HOMELESS);
    assert_int_equal(fixture.loop->partitions[0].lost_offset, FIRST_OFFSET + 2);
    end(&fixture);
}

static void a_position_is_not_given_up_while_what_is_in_hand_fails(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    const struct gw_kafka_record where = {.topic = "in", .offset = FIRST_OFFSET + 2};
    fixture.worker.process_status = GW_E_UNAVAILABLE;
    assert_fails(gw_loop_position_lost(fixture.loop, &where, "out of range", NULL), GW_E_UNAVAILABLE);
    assert_int_equal(fixture.commit.commits, 0);
    assert_int_equal(fixture.loop->partitions[0].state, GW_PARTITION_RUNNING); // so that rolling back seeks it
    end(&fixture);
}

static void a_loop_that_failed_does_not_commit_when_it_is_freed(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    end(&fixture);
    assert_int_equal(fixture.commit.commits, 0);
    assert_int_equal(fixture.commit.aborts, 1);
    assert_int_equal(fixture.commit.visible, 0);
}

GW_TESTS(a_revoked_batch_is_finished_and_committed_with_its_dead_letters,
         a_revoked_batch_that_fails_takes_its_dead_letters_with_it, a_commit_that_fails_at_revocation_is_aborted,
         lost_partitions_commit_nothing, what_is_in_hand_of_a_lost_position_is_committed_first,
         a_position_is_not_given_up_while_what_is_in_hand_fails, a_revocation_with_nothing_under_way_asks_for_nothing,
         a_loop_that_failed_does_not_commit_when_it_is_freed)
