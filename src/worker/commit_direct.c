// SPDX-License-Identifier: MIT
// At-least-once, for the lane on which a caller waits: answers leave at once, nothing is held back for a commit. Offsets
// are committed without waiting. A lane goes on where the group stood, but not further back than a caller may still wait;
// a group without offsets starts at the end.
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "worker/commit.h"

enum { POSITIONS_MAX = 512, ASK_TIMEOUT_MS = 5000, CALLER_WAITS_MS = 10000 };

struct commit_direct {
    struct gw_commit base;
    struct gw_kafka_producer *producer;
};

static gw_status positions(struct gw_commit *commit, struct gw_kafka_consumer *consumer,
                           struct gw_commit_position *wanted, size_t count, gw_err *err)
{
    (void)commit;
    GW_ASSERT(count <= POSITIONS_MAX);
    struct gw_kafka_position committed[POSITIONS_MAX];
    for (size_t i = 0; i < count; i++) {
        committed[i] = (struct gw_kafka_position){.topic = wanted[i].topic, .partition = wanted[i].partition};
    }
    GW_TRY(gw_kafka_consumer_committed(consumer, committed, NULL, count, ASK_TIMEOUT_MS, err));
    for (size_t i = 0; i < count; i++) {
        int64_t low = 0;
        int64_t end = 0;
        GW_TRY(gw_kafka_consumer_watermarks(consumer, wanted[i].topic, wanted[i].partition, ASK_TIMEOUT_MS, &low, &end,
                                            err));
        if (committed[i].offset == GW_KAFKA_OFFSET_NONE || committed[i].offset >= end) {
            wanted[i].committed_offset = end;
            continue;
        }
        int64_t oldest = 0;
        GW_TRY(gw_kafka_consumer_offset_at(consumer, wanted[i].topic, wanted[i].partition,
                                           gw_clock_wall_ms() - CALLER_WAITS_MS, ASK_TIMEOUT_MS, &oldest, err));
        wanted[i].committed_offset = GW_MAX(GW_MAX(committed[i].offset, oldest), low);
    }
    return GW_OK;
}

static gw_status emit(struct gw_commit *commit, const struct gw_kafka_output *output, gw_err *err)
{
    struct commit_direct *self = (struct commit_direct *)commit;
    return gw_kafka_produce(self->producer, output, err);
}

static gw_status commit_all(struct gw_commit *commit, struct gw_kafka_consumer *consumer,
                            struct gw_commit_position *wanted, size_t count, gw_err *err)
{
    struct commit_direct *self = (struct commit_direct *)commit;
    struct gw_kafka_position offsets[POSITIONS_MAX];
    gw_kafka_producer_poll(self->producer, 0);
    for (size_t i = 0; i < count; i++) {
        offsets[i] = (struct gw_kafka_position){
            .topic = wanted[i].topic, .partition = wanted[i].partition, .offset = wanted[i].next_offset};
    }
    return count > 0 ? gw_kafka_consumer_commit_async(consumer, offsets, count, err) : GW_OK;
}

static gw_status abort_all(struct gw_commit *commit, gw_err *err)
{
    (void)commit;
    (void)err;
    return GW_OK; // what was answered is answered
}

static void free_all(struct gw_commit *commit)
{
    struct commit_direct *self = (struct commit_direct *)commit;
    gw_kafka_producer_free(self->producer);
    gw_mem_free(self);
}

static const struct gw_commit_ops ops = {
    .positions = positions, .emit = emit, .commit = commit_all, .abort = abort_all, .free = free_all};

gw_status gw_commit_direct_new(const struct gw_kafka_options *client, struct gw_commit **ret_commit, gw_err *err)
{
    struct commit_direct *self = gw_mem_calloc(1, sizeof *self);
    if (self == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a commit strategy");
    }
    self->base.ops = &ops;
    const struct gw_kafka_producer_options producer = {.client = client, .kind = GW_KAFKA_PRODUCER_LATENCY};
    gw_status status = gw_kafka_producer_new(&producer, &self->producer, err);
    if (status != GW_OK) {
        gw_mem_free(self);
        return status;
    }
    *ret_commit = &self->base;
    return GW_OK;
}
