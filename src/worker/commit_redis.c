// SPDX-License-Identifier: MIT
// Rows and the offset they stand for go to Redis in one script that first compares the stored offset with the one we
// expect. A failed compare is not an error: the store says where it stands and the loop goes there (STREAMS 13).
//
// Writes queue in the order of their records. A commit is cut into scripts of at most WRITES_PER_SCRIPT, so that
// readers never wait long; only the last one moves the offset. A crash between two leaves rows that are newer than the
// offset says, which the next owner writes again: rows are absolute values.
#include "base/check.h"
#include "base/clock.h"
#include "base/faults.h"
#include "base/mem.h"
#include "worker/commit.h"

enum {
    WRITES_PER_SCRIPT = 200,
    DEAD_LETTER_FLUSH_MS = 10000,
    ARENA_LIMIT_BYTES = 256 << 20,
    IDLE_ASK_US = 1000 * 1000
};

struct queued_write {
    struct gw_store_write write;
    int32_t partition;
    int64_t offset;
};

struct commit_redis {
    struct gw_commit base;
    struct gw_store *store; // borrowed
    struct gw_kafka_producer *dead_letters;
    struct gw_arena rows;
    struct queued_write *queue; // all partitions, in arrival order
    size_t count;
    size_t capacity;
    bool dead_letters_due;
    uint64_t asked_us; // when idle partitions were compared last
};

static void clear_queue(struct commit_redis *self)
{
    self->count = 0;
    gw_arena_clear(&self->rows);
}

static gw_status positions(struct gw_commit *commit, struct gw_kafka_consumer *consumer,
                           struct gw_commit_position *wanted, size_t count, gw_err *err)
{
    struct commit_redis *self = (struct commit_redis *)commit;
    for (size_t i = 0; i < count; i++) {
        struct gw_store_position stored;
        int64_t low = 0;
        int64_t high = 0;
        GW_TRY(gw_store_position(self->store, wanted[i].partition, &stored, err));
        GW_TRY(gw_kafka_consumer_watermarks(consumer, wanted[i].topic, wanted[i].partition, 5000, &low, &high, err));
        if (stored.next_offset > high) {
            return gw_fail(err, GW_E_MISMATCH,
                           "the store is at offset %lld of '%s' %d, which ends at %lld: run godwit features clear",
                           (long long)stored.next_offset, wanted[i].topic, wanted[i].partition, (long long)high);
        }
        wanted[i].committed_offset = GW_MAX(stored.next_offset, low); // compaction may have moved the start
        (void)gw_ledger_parse(stored.counts, &wanted[i].committed_ledger);
        if (stored.next_offset < low) { // make the store say so, or the compare would fail for ever
            bool applied = false;
            char counts[128];
            gw_ledger_format(&wanted[i].committed_ledger, counts, sizeof counts);
            GW_TRY(gw_store_apply(self->store, wanted[i].partition, stored.next_offset, NULL, 0, low, counts,
                                  gw_clock_wall_ms(), &applied, &stored, err));
            if (!applied) {
                return gw_fail(err, GW_E_UNAVAILABLE, "the store moved while its start was looked up");
            }
        }
    }
    return GW_OK;
}

static gw_status emit(struct gw_commit *commit, const struct gw_kafka_output *output, gw_err *err)
{
    struct commit_redis *self = (struct commit_redis *)commit;
    self->dead_letters_due = true;
    return gw_kafka_produce(self->dead_letters, output, err);
}

gw_status gw_commit_redis_write(struct gw_commit *commit, int32_t partition, int64_t offset,
                                const struct gw_store_write *write, gw_err *err)
{
    struct commit_redis *self = (struct commit_redis *)commit;
    if (self->count == self->capacity) {
        size_t capacity = self->capacity > 0 ? self->capacity * 2 : 1024;
        struct queued_write *queue = gw_mem_realloc(self->queue, capacity, sizeof *queue);
        if (queue == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for %zu queued rows", capacity);
        }
        self->queue = queue;
        self->capacity = capacity;
    }
    struct queued_write *queued = &self->queue[self->count];
    *queued = (struct queued_write){.write = *write, .partition = partition, .offset = offset};
    if (write->row.data != NULL) {
        uint8_t *copy = gw_arena_alloc(&self->rows, write->row.size);
        if (copy == NULL) {
            return gw_fail(err, GW_E_MEMORY, "rows of one commit exceed %d bytes", ARENA_LIMIT_BYTES);
        }
        memcpy(copy, write->row.data, write->row.size);
        queued->write.row.data = copy;
    }
    self->count++;
    return GW_OK;
}

static void note_moved(struct gw_commit_position *position, const struct gw_store_position *stored)
{
    position->moved = true;
    position->committed_offset = stored->next_offset;
    (void)gw_ledger_parse(stored->counts, &position->committed_ledger);
}

// Sends one script, the last of its commit or not; on a failed compare notes where the store stands.
static gw_status apply(struct commit_redis *self, struct gw_commit_position *position,
                       const struct gw_store_write *writes, size_t count, bool last, gw_err *err)
{
    char counts[128];
    struct gw_store_position stored;
    bool applied = false;
    gw_ledger_format(last ? &position->ledger : &position->committed_ledger, counts, sizeof counts);
    GW_TRY(gw_store_apply(self->store, position->partition, position->committed_offset, writes, count,
                          last ? position->next_offset : position->committed_offset, counts, gw_clock_wall_ms(),
                          &applied, &stored, err));
    if (!applied) {
        note_moved(position, &stored);
    } else if (last) {
        position->committed_offset = position->next_offset;
        position->committed_ledger = position->ledger;
    }
    return GW_OK;
}

static gw_status commit_partition(struct commit_redis *self, struct gw_commit_position *position, bool ask_idle,
                                  gw_err *err)
{
    struct gw_store_write writes[WRITES_PER_SCRIPT];
    size_t count = 0;
    for (size_t i = 0; i < self->count; i++) {
        if (self->queue[i].partition != position->partition) {
            continue;
        }
        if (count == WRITES_PER_SCRIPT) {
            GW_TRY(apply(self, position, writes, count, false, err));
            (void)gw_fault_hit("rows.between"); // for a death between two scripts of one commit
            if (position->moved) {
                return GW_OK;
            }
            count = 0;
        }
        writes[count++] = self->queue[i].write;
    }
    if (count == 0 && position->committed_offset == position->next_offset) { // idle: only ask, now and then
        if (!ask_idle) {
            return GW_OK;
        }
        struct gw_store_position stored;
        GW_TRY(gw_store_position(self->store, position->partition, &stored, err));
        if (stored.next_offset != position->committed_offset) {
            note_moved(position, &stored);
        }
        return GW_OK;
    }
    return apply(self, position, writes, count, true, err);
}

static gw_status commit_all(struct gw_commit *commit, struct gw_kafka_consumer *consumer,
                            struct gw_commit_position *wanted, size_t count, gw_err *err)
{
    struct commit_redis *self = (struct commit_redis *)commit;
    if (self->dead_letters_due) { // acknowledged before the offset is stored; may repeat after a crash
        GW_TRY(gw_kafka_producer_flush(self->dead_letters, DEAD_LETTER_FLUSH_MS, err));
        self->dead_letters_due = false;
    }
    struct gw_kafka_position offsets[512];
    GW_ASSERT(count <= GW_COUNT_OF(offsets));
    uint64_t now_us = gw_clock_mono_us();
    bool ask_idle = now_us - self->asked_us >= IDLE_ASK_US;
    self->asked_us = ask_idle ? now_us : self->asked_us;
    for (size_t i = 0; i < count; i++) {
        GW_TRY(commit_partition(self, &wanted[i], ask_idle, err));
        offsets[i] = (struct gw_kafka_position){
            .topic = wanted[i].topic, .partition = wanted[i].partition, .offset = wanted[i].committed_offset};
    }
    clear_queue(self);
    // For lag displays only, so not oftener than somebody looks.
    return count > 0 && ask_idle ? gw_kafka_consumer_commit_async(consumer, offsets, count, err) : GW_OK;
}

static gw_status abort_all(struct gw_commit *commit, gw_err *err)
{
    (void)err;
    clear_queue((struct commit_redis *)commit);
    return GW_OK;
}

static void free_all(struct gw_commit *commit)
{
    struct commit_redis *self = (struct commit_redis *)commit;
    gw_kafka_producer_free(self->dead_letters);
    gw_arena_deinit(&self->rows);
    gw_mem_free(self->queue);
    gw_mem_free(self);
}

static const struct gw_commit_ops ops = {.positions = positions,
                                         .emit = emit,
                                         .commit = commit_all,
                                         .abort = abort_all,
                                         .free = free_all,
                                         .commits_when_idle = true};

gw_status gw_commit_redis_new(const struct gw_kafka_options *client, struct gw_store *store,
                              struct gw_commit **ret_commit, gw_err *err)
{
    struct commit_redis *self = gw_mem_calloc(1, sizeof *self);
    if (self == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a commit strategy");
    }
    self->base.ops = &ops;
    self->store = store;
    gw_arena_init(&self->rows, 1 << 20, ARENA_LIMIT_BYTES);
    const struct gw_kafka_producer_options producer = {.client = client, .kind = GW_KAFKA_PRODUCER_BULK};
    gw_status status = gw_kafka_producer_new(&producer, &self->dead_letters, err);
    if (status != GW_OK) {
        free_all(&self->base);
        return status;
    }
    *ret_commit = &self->base;
    return GW_OK;
}
