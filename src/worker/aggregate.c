// SPDX-License-Identifier: MIT
// aggregate: owns the feature rows of its partitions in memory, updates them in event time, and writes every changed row,
// whole, to the same partition of the changelog in the transaction that commits its offsets.
//
//   entity_events ──► feature_updates (changelog, compacted)
//
// Takeover of a partition: read the changelog from the offset that Redis holds to its end; other rows are read from Redis
// when first touched. Every such read brings the partition's stored offset with it: below `floor` Redis has lost data, the
// answer is thrown away and the partition waits until `online` has brought Redis back (STREAMS 7, 15).
#include "avro/framing.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "kafka/admin.h"
#include "records/feature_layout.h"
#include "records/feature_update.h"
#include "worker/entity.h"
#include "worker/lane.h"
#include "worker/row_table.h"
#include "worker/state.h"
#include "worker/worker.h"

enum {
    PARTITIONS_MAX = 1024,
    ARENA_LIMIT_BYTES = 512 << 20,
    TAKEOVER_BUDGET_MS = 20,
    ASK_TIMEOUT_MS = 5000,
    LOADS_AT_ONCE = 2000, // rows asked in one script
};

#define EVENT_TIME_MAX_MS 4102444800000 // the year 2100: what a well-behaved rekey can never pass on

struct pending {
    struct gw_entity_event event;
    int32_t partition;
    int64_t offset;
    uint32_t slot;
};

struct owned {
    struct gw_row_table *rows; // NULL: not held
    int64_t floor;             // Redis offset that loads must reach
    int64_t flushed_end;       // changelog offset after the last row delivered in this transaction; -1 none
};

struct aggregate {
    const struct gw_runtime *runtime;
    const struct gw_feature_set *set;
    struct gw_store *store;
    struct gw_state_reader *reader;
    struct gw_kafka_admin *admin;
    struct owned owned[PARTITIONS_MAX];
    struct gw_arena arena;
    struct pending *batch;
    uint32_t batch_count;
    uint32_t batch_capacity;
    struct gw_row_key *wanted; // rows to load for one partition
    struct gw_slice *loaded;
    struct gw_buf value;
    const char *output_topic;
    uint32_t output_schema;
    uint64_t memory_max;
    struct gw_metric *rows_written;
    struct gw_metric *rows_held;
    struct gw_metric *rows_reset;
    struct gw_metric *rows_loaded;
    uint64_t written_pending;
};

// ---- decode ---------------------------------------------------------------------------------------------------------

static gw_status decode(void *worker, struct gw_loop *loop, const struct gw_input *input, gw_err *err)
{
    struct aggregate *self = worker;
    struct gw_entity_event event;
    if (input->body.data == NULL) {
        return gw_fail(err, GW_E_INVALID, "a tombstone is no event");
    }
    GW_TRY(gw_entity_event_decode(input->body, &self->arena, &event, err));
    if (event.side == GW_ENTITY_SIDE_MARK) {
        gw_loop_settle(loop, input->slot, GW_OUTCOME_IGNORED);
        return GW_OK;
    }
    if (event.event_time_ms < 0 || event.event_time_ms > EVENT_TIME_MAX_MS || event.entity_id == 0) {
        return gw_fail(err, GW_E_INVALID, "entity %lld at event time %lld", (long long)event.entity_id,
                       (long long)event.event_time_ms);
    }
    if (self->batch_count == self->batch_capacity) {
        uint32_t capacity = self->batch_capacity > 0 ? self->batch_capacity * 2 : 4096;
        struct pending *batch = gw_mem_realloc(self->batch, capacity, sizeof *batch);
        if (batch == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for a batch of events");
        }
        self->batch = batch;
        self->batch_capacity = capacity;
    }
    self->batch[self->batch_count++] = (struct pending){
        .event = event, .partition = input->partition, .offset = input->offset, .slot = input->slot};
    return GW_OK;
}

static void discard(void *worker, bool aborted)
{
    struct aggregate *self = worker;
    self->batch_count = 0;
    self->written_pending = aborted ? 0 : self->written_pending;
    gw_arena_clear(&self->arena);
}

// ---- rows -----------------------------------------------------------------------------------------------------------

static gw_status put_row(struct aggregate *self, struct owned *owned, size_t view, const int64_t id[2],
                         struct gw_slice bytes, int64_t changelog_end, gw_err *err)
{
    struct gw_row_entry *entry = NULL;
    bool reset = false;
    GW_TRY(gw_row_table_put(owned->rows, view, id, bytes, changelog_end, &reset, &entry, err));
    if (reset) { // written under other definitions: its columns start again
        gw_metric_add(self->rows_reset, 1);
    }
    return GW_OK;
}

static int find_view(const struct gw_feature_set *set, uint8_t code)
{
    for (size_t v = 0; v < gw_feature_set_view_count(set); v++) {
        if (gw_feature_set_view(set, v)->code == code) {
            return (int)v;
        }
    }
    return -1;
}

static gw_status load(struct aggregate *self, int32_t partition, size_t count, gw_err *err)
{
    struct owned *owned = &self->owned[partition];
    struct gw_store_position position;
    if (count == 0) {
        return GW_OK;
    }
    GW_TRY(gw_store_read_at(self->store, partition, self->wanted, count, self->loaded, &position, err));
    if (position.next_offset < owned->floor) {
        return gw_fail(err, GW_E_BEHIND, "redis holds partition %d up to %lld, rows need %lld", partition,
                       (long long)position.next_offset, (long long)owned->floor);
    }
    for (size_t i = 0; i < count; i++) {
        GW_TRY(put_row(self, owned, (size_t)find_view(self->set, self->wanted[i].view), self->wanted[i].id,
                       self->loaded[i], 0, err));
    }
    gw_metric_add(self->rows_loaded, count);
    return GW_OK;
}

// Asks for one row unless it is in memory or already asked for. An empty row stands in as a mark until the answer comes.
static gw_status want(struct aggregate *self, const struct pending *pending, size_t view_index, size_t *count,
                      gw_err *err)
{
    const struct gw_feature_view *view = gw_feature_set_view(self->set, view_index);
    int64_t id[2];
    if (!gw_entity_row_ids(&pending->event, view->key_count, id) ||
        gw_row_table_find(self->owned[pending->partition].rows, view_index, id) != NULL) {
        return GW_OK;
    }
    for (size_t i = *count; i > 0 && *count - i < 64; i--) { // neighbours in a batch often repeat; the rest is harmless
        const struct gw_row_key *other = &self->wanted[i - 1];
        if (other->view == view->code && other->id[0] == id[0] && other->id[1] == id[1]) {
            return GW_OK;
        }
    }
    self->wanted[(*count)++] =
        (struct gw_row_key){.view = view->code, .id_count = view->key_count, .id = {id[0], id[1]}};
    if (*count == LOADS_AT_ONCE) {
        GW_TRY(load(self, pending->partition, *count, err));
        *count = 0;
    }
    return GW_OK;
}

static bool updates(const struct aggregate *self, size_t view_index, const struct gw_feature_event *event)
{
    return (gw_feature_set_view(self->set, view_index)->side_mask >> event->side & 1) != 0 &&
           gw_row_wants(self->set, view_index, event);
}

static bool erases(const struct gw_entity_event *event)
{
    return event->kind == GW_ENTITY_EVENT_KIND_TWEET_DELETE || event->kind == GW_ENTITY_EVENT_KIND_PROFILE_ERASE;
}

static bool touches(const struct aggregate *self, size_t view_index, const struct pending *pending,
                    const struct gw_feature_event *event)
{
    if (erases(&pending->event)) { // the rows whose key is this entity alone
        const struct gw_feature_view *view = gw_feature_set_view(self->set, view_index);
        return (view->side_mask >> event->side & 1) != 0 && view->key_count == 1;
    }
    return updates(self, view_index, event);
}

// Brings every row that the batch touches into memory, partition by partition.
static gw_status load_rows(struct aggregate *self, gw_err *err)
{
    double attributes[GW_ATTRIBUTE_COUNT];
    struct gw_feature_event event;
    for (uint32_t first = 0; first < self->batch_count;) {
        int32_t partition = self->batch[first].partition;
        size_t count = 0;
        uint32_t i = first;
        for (; i < self->batch_count && self->batch[i].partition == partition; i++) {
            const struct pending *pending = &self->batch[i];
            gw_entity_to_feature_event(&pending->event, partition, pending->offset, attributes, &event);
            for (size_t v = 0; v < gw_feature_set_view_count(self->set); v++) {
                if (touches(self, v, pending, &event)) {
                    GW_TRY(want(self, pending, v, &count, err));
                }
            }
        }
        GW_TRY(load(self, partition, count, err));
        first = i;
    }
    return GW_OK;
}

static enum gw_outcome apply(struct aggregate *self, const struct pending *pending)
{
    double attributes[GW_ATTRIBUTE_COUNT];
    struct gw_feature_event event;
    struct owned *owned = &self->owned[pending->partition];
    enum gw_outcome outcome = GW_OUTCOME_IGNORED;
    gw_entity_to_feature_event(&pending->event, pending->partition, pending->offset, attributes, &event);
    for (size_t v = 0; v < gw_feature_set_view_count(self->set); v++) {
        const struct gw_feature_view *view = gw_feature_set_view(self->set, v);
        int64_t id[2];
        if (!touches(self, v, pending, &event) || !gw_entity_row_ids(&pending->event, view->key_count, id)) {
            continue;
        }
        struct gw_row_entry *entry = gw_row_table_find(owned->rows, v, id);
        if (gw_row_is_deleted(entry->bytes)) {
            continue; // what comes after the end is ignored and counted
        }
        bool changed = true;
        if (erases(&pending->event)) {
            gw_row_mark_deleted(view, entry->bytes, event.time_us);
        } else {
            changed = gw_row_apply(self->set, v, entry->bytes, &event);
        }
        if (changed) {
            gw_row_table_mark_dirty(owned->rows, entry);
            outcome = GW_OUTCOME_OUTPUT;
        }
    }
    return outcome;
}

// Frees memory by letting go of rows that Redis holds. A full memory stops the input.
static gw_status make_room(struct aggregate *self, gw_err *err)
{
    uint64_t held = 0;
    for (int32_t p = 0; p < PARTITIONS_MAX; p++) {
        held += self->owned[p].rows != NULL ? gw_row_table_bytes(self->owned[p].rows) : 0;
    }
    for (int32_t p = 0; p < PARTITIONS_MAX && held > self->memory_max; p++) {
        struct owned *owned = &self->owned[p];
        if (owned->rows == NULL) {
            continue;
        }
        struct gw_store_position position;
        GW_TRY(gw_store_position(self->store, p, &position, err));
        if (position.next_offset < owned->floor) {
            continue;
        }
        size_t freed = gw_row_table_evict(owned->rows, position.next_offset, gw_row_table_bytes(owned->rows) / 4);
        owned->floor = freed > 0 ? position.next_offset : owned->floor;
        held -= freed;
    }
    return held <= self->memory_max
               ? GW_OK
               : gw_fail(err, GW_E_BEHIND, "rows fill %llu bytes and redis has not yet passed enough of them",
                         (unsigned long long)held);
}

static gw_status process(void *worker, struct gw_loop *loop, gw_err *err)
{
    struct aggregate *self = worker;
    GW_TRY(make_room(self, err));
    GW_TRY(load_rows(self, err));
    for (uint32_t i = 0; i < self->batch_count; i++) {
        gw_loop_settle(loop, self->batch[i].slot, apply(self, &self->batch[i]));
    }
    discard(self, false);
    return GW_OK;
}

// ---- the changelog --------------------------------------------------------------------------------------------------

static gw_status emit_row(struct aggregate *self, struct gw_loop *loop, int32_t partition,
                          const struct gw_row_entry *entry, size_t row_size, gw_err *err)
{
    const struct gw_feature_view *view = gw_feature_set_view(self->set, entry->view_index);
    const struct gw_feature_update update = {
        .view = view->code,
        .id1 = entry->id[0],
        .id2 = entry->id[1],
        .row = gw_slice_make(entry->bytes, row_size),
        .layout = (int64_t)view->fingerprint,
        .event_time_us = gw_row_event_time_us(entry->bytes),
        .source_partition = (int32_t)gw_row_source_partition(entry->bytes),
        .source_offset = gw_row_source_offset(entry->bytes),
    };
    uint8_t key[GW_ROW_KEY_BYTES_MAX];
    size_t key_size = gw_row_key_bytes(
        &(struct gw_row_key){.view = view->code, .id_count = view->key_count, .id = {entry->id[0], entry->id[1]}},
        key);
    gw_buf_clear(&self->value);
    if (gw_avro_frame_begin(&self->value, self->output_schema) != GW_OK ||
        gw_feature_update_encode(&update, &self->value) != GW_OK) {
        return gw_fail(err, GW_E_MEMORY, "no memory to encode a row");
    }
    const struct gw_kafka_output output = {.topic = self->output_topic,
                                           .partition = partition,
                                           .key = gw_slice_make(key, key_size),
                                           .value = gw_buf_slice(&self->value),
                                           .tag = (uint64_t)partition + 1};
    return gw_loop_emit(loop, &output, err);
}

static gw_status flush(void *worker, struct gw_loop *loop, gw_err *err)
{
    struct aggregate *self = worker;
    for (int32_t p = 0; p < PARTITIONS_MAX; p++) {
        struct owned *owned = &self->owned[p];
        owned->flushed_end = -1;
        if (owned->rows == NULL) {
            continue;
        }
        for (struct gw_row_entry *entry = gw_row_table_first_dirty(owned->rows); entry != NULL;
             entry = gw_row_table_next_dirty(owned->rows, entry)) {
            GW_TRY(emit_row(self, loop, p, entry, gw_row_table_row_size(owned->rows, entry), err));
            self->written_pending++;
        }
    }
    return GW_OK;
}

static void delivered(void *context, uint64_t tag, const char *topic, int32_t partition, int64_t offset)
{
    struct aggregate *self = context;
    (void)topic;
    (void)tag;
    if (partition >= 0 && partition < PARTITIONS_MAX) {
        self->owned[partition].flushed_end = GW_MAX(self->owned[partition].flushed_end, offset + 1);
    }
}

static void committed(void *worker)
{
    struct aggregate *self = worker;
    uint64_t held = 0;
    for (int32_t p = 0; p < PARTITIONS_MAX; p++) {
        struct owned *owned = &self->owned[p];
        if (owned->rows != NULL) {
            if (owned->flushed_end >= 0) {
                gw_row_table_clean(owned->rows, owned->flushed_end);
            }
            held += gw_row_table_count(owned->rows);
        }
    }
    gw_metric_set(self->rows_held, (double)held);
}

static void report(void *worker, struct gw_loop *loop)
{
    struct aggregate *self = worker;
    (void)loop;
    gw_metric_add(self->rows_written, self->written_pending);
    self->written_pending = 0;
}

// ---- takeover -------------------------------------------------------------------------------------------------------

struct restore {
    struct aggregate *self;
    struct owned *owned;
};

static gw_status restore_row(void *context, const struct gw_kafka_record *record, gw_err *err)
{
    struct restore *restore = context;
    struct aggregate *self = restore->self;
    struct gw_row_key key;
    if (record->value.data == NULL || gw_row_key_parse(record->key, &key) != GW_OK) {
        return GW_OK; // a tombstone's row is not in Redis either; the log id is not a row
    }
    int view = find_view(self->set, key.view);
    if (view < 0) {
        return GW_OK; // a view that the definitions no longer have
    }
    struct gw_feature_update update;
    struct gw_slice body;
    struct gw_buf scratch = {0};
    gw_status status = gw_schema_gate_open(gw_runtime_gate(self->runtime, GW_TOPIC_FEATURE_UPDATES), record->value,
                                           &scratch, &self->arena, &body, err);
    if (status == GW_OK) {
        status = gw_feature_update_decode(body, &self->arena, &update, err);
    }
    if (status == GW_OK) {
        status = put_row(self, restore->owned, (size_t)view, key.id, update.row, record->offset + 1, err);
    }
    gw_buf_deinit(&scratch);
    gw_arena_clear(&self->arena);
    if (status == GW_OK) {
        return GW_OK;
    }
    gw_status blame = gw_status_class(status) == GW_CLASS_RECORD ? GW_E_MISMATCH : status;
    return gw_fail_context(err, blame, "changelog partition %d offset %lld", record->partition,
                           (long long)record->offset);
}

// A store that is ahead of the log belongs to another log.
static gw_status check_within_log(struct aggregate *self, int32_t partition, int64_t store_offset, gw_err *err)
{
    int64_t low = 0;
    int64_t end = 0;
    GW_TRY(gw_kafka_admin_watermarks(self->admin, self->output_topic, partition, ASK_TIMEOUT_MS, &low, &end, err));
    if (store_offset > end) {
        return gw_fail(err, GW_E_MISMATCH,
                       "redis is at offset %lld of '%s' %d, which ends at %lld: run godwit features clear",
                       (long long)store_offset, self->output_topic, partition, (long long)end);
    }
    return GW_OK;
}

static gw_status begin_takeover(struct aggregate *self, struct owned *owned, int32_t partition, gw_err *err)
{
    struct gw_store_position position;
    GW_TRY(gw_store_position(self->store, partition, &position, err));
    GW_TRY(check_within_log(self, partition, position.next_offset, err));
    GW_TRY(gw_row_table_new(self->set, &owned->rows, err));
    owned->floor = position.next_offset;
    owned->flushed_end = -1;
    return gw_state_reader_begin(self->reader, partition, position.next_offset, err);
}

static void release(void *worker, uint32_t source, int32_t partition)
{
    struct aggregate *self = worker;
    (void)source;
    if (partition < PARTITIONS_MAX) {
        if (gw_state_reader_partition(self->reader) == partition) {
            gw_state_reader_cancel(self->reader);
        }
        gw_row_table_free(self->owned[partition].rows);
        self->owned[partition] = (struct owned){.flushed_end = -1};
    }
}

static gw_status takeover(void *worker, uint32_t source, int32_t partition, int64_t offset, bool *ret_done,
                          gw_err *err)
{
    struct aggregate *self = worker;
    (void)offset;
    *ret_done = false;
    if (partition >= PARTITIONS_MAX) {
        return gw_fail(err, GW_E_CONFIG, "aggregate holds at most %d partitions", PARTITIONS_MAX);
    }
    struct owned *owned = &self->owned[partition];
    if (owned->rows == NULL) {
        if (gw_state_reader_partition(self->reader) >= 0) {
            return GW_OK; // one at a time
        }
        gw_status status = begin_takeover(self, owned, partition, err);
        if (status != GW_OK) {
            gw_row_table_free(owned->rows);
            owned->rows = NULL;
            return status;
        }
    }
    if (gw_state_reader_partition(self->reader) != partition) {
        return GW_OK;
    }
    struct restore restore = {.self = self, .owned = owned};
    gw_status status = gw_state_reader_step(self->reader, TAKEOVER_BUDGET_MS, restore_row, &restore, ret_done, err);
    if (status != GW_OK) { // from the start again: a row may be missing now
        release(self, source, partition);
    }
    return status;
}

static const struct gw_loop_ops ops = {.decode = decode, .process = process, .report = report, .discard = discard};
static const struct gw_loop_state_ops state_ops = {
    .takeover = takeover, .flush = flush, .committed = committed, .release = release};

// ---- life -----------------------------------------------------------------------------------------------------------

static void free_aggregate(void *worker)
{
    struct aggregate *self = worker;
    for (int32_t p = 0; p < PARTITIONS_MAX; p++) {
        gw_row_table_free(self->owned[p].rows);
    }
    gw_state_reader_free(self->reader);
    gw_kafka_admin_free(self->admin);
    gw_store_free(self->store);
    gw_arena_deinit(&self->arena);
    gw_buf_deinit(&self->value);
    gw_mem_free(self->batch);
    gw_mem_free(self->wanted);
    gw_mem_free(self->loaded);
    gw_mem_free(self);
}

// The layouts go out before the first row of them (key: fingerprint).
static gw_status publish_layouts(const struct aggregate *self, gw_err *err)
{
    const struct gw_runtime *runtime = self->runtime;
    const struct gw_kafka_producer_options options = {.client = &runtime->kafka, .kind = GW_KAFKA_PRODUCER_BULK};
    struct gw_kafka_producer *producer = NULL;
    GW_TRY(gw_kafka_producer_new(&options, &producer, err));
    gw_status status = GW_OK;
    struct gw_buf value = {0};
    for (size_t v = 0; status == GW_OK && v < gw_feature_set_view_count(self->set); v++) {
        const struct gw_feature_view *view = gw_feature_set_view(self->set, v);
        const struct gw_feature_layout layout = {.fingerprint = (int64_t)view->fingerprint,
                                                 .view = view->code,
                                                 .name = gw_slice_text(view->name),
                                                 .row_bytes = (int32_t)view->row_bytes,
                                                 .layout = gw_slice_text(view->layout_json)};
        uint8_t key[8];
        gw_store_be64(key, view->fingerprint);
        gw_buf_clear(&value);
        if (gw_avro_frame_begin(&value, gw_runtime_schema_id(runtime, GW_TOPIC_FEATURE_LAYOUTS)) != GW_OK ||
            gw_feature_layout_encode(&layout, &value) != GW_OK) {
            status = gw_fail(err, GW_E_MEMORY, "no memory to encode a layout");
            break;
        }
        const struct gw_kafka_output output = {
            .topic = gw_runtime_topic(runtime, GW_TOPIC_FEATURE_LAYOUTS),
            .partition = (int32_t)gw_hash_partition(key, sizeof key,
                                                    gw_runtime_partitions(runtime, GW_TOPIC_FEATURE_LAYOUTS)),
            .key = gw_slice_make(key, sizeof key),
            .value = gw_buf_slice(&value)};
        status = gw_kafka_produce(producer, &output, err);
    }
    if (status == GW_OK) {
        status = gw_kafka_producer_flush(producer, 30000, err);
    }
    gw_buf_deinit(&value);
    gw_kafka_producer_free(producer);
    return status;
}

static gw_status init(struct aggregate *self, gw_err *err)
{
    const struct gw_runtime *runtime = self->runtime;
    gw_arena_init(&self->arena, 1 << 20, ARENA_LIMIT_BYTES);
    for (int32_t p = 0; p < PARTITIONS_MAX; p++) {
        self->owned[p].flushed_end = -1;
    }
    self->set = runtime->features;
    self->output_topic = gw_runtime_topic(runtime, GW_TOPIC_FEATURE_UPDATES);
    self->output_schema = gw_runtime_schema_id(runtime, GW_TOPIC_FEATURE_UPDATES);
    self->memory_max = gw_config_u64(runtime->config, GW_OPT_AGGREGATE_MEMORY);
    self->wanted = gw_mem_calloc(LOADS_AT_ONCE, sizeof *self->wanted);
    self->loaded = gw_mem_calloc(LOADS_AT_ONCE, sizeof *self->loaded);
    self->rows_written = gw_metrics_counter(runtime->metrics, "godwit_aggregate_rows_written_total", "",
                                            "Rows written to the changelog and committed.");
    self->rows_loaded = gw_metrics_counter(runtime->metrics, "godwit_aggregate_rows_loaded_total", "",
                                           "Rows read from Redis when first touched.");
    self->rows_reset = gw_metrics_counter(runtime->metrics, "godwit_aggregate_rows_reset_total", "",
                                          "Rows that started over because they were written under other definitions.");
    self->rows_held = gw_metrics_gauge(runtime->metrics, "godwit_aggregate_rows_held", "", "Rows in memory.");
    if (self->wanted == NULL || self->loaded == NULL || self->rows_written == NULL || self->rows_loaded == NULL ||
        self->rows_reset == NULL || self->rows_held == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for aggregate");
    }
    GW_TRY(gw_runtime_store(runtime, &self->store, err));
    uint8_t log_id[GW_LOG_ID_BYTES];
    GW_TRY(gw_runtime_log_id(runtime, log_id, err));
    GW_TRY(gw_store_check(self->store, log_id, err));
    GW_TRY(gw_kafka_admin_new(&runtime->kafka, &self->admin, err));
    GW_TRY(gw_state_reader_new(&runtime->kafka, self->output_topic, &self->reader, err));
    return publish_layouts(self, err);
}

static gw_status make_lane(const struct gw_runtime *runtime, uint32_t slot, struct gw_lane *lane, gw_err *err)
{
    static const enum gw_topic inputs[] = {GW_TOPIC_ENTITY_EVENTS};
    struct aggregate *self = gw_mem_calloc(1, sizeof *self);
    if (self == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for aggregate");
    }
    self->runtime = runtime;
    gw_status status = init(self, err);
    if (status != GW_OK) {
        free_aggregate(self);
        return status;
    }
    const struct gw_lane_options options = {
        .worker = "aggregate",
        .slot = slot,
        .group = "aggregate",
        .commit = GW_LANE_TRANSACTIONS,
        .inputs = inputs,
        .input_count = GW_COUNT_OF(inputs),
        .ops = &ops,
        .state = &state_ops,
        .context = self,
        .free_context = free_aggregate,
        .commit_interval_us = gw_config_duration_us(runtime->config, GW_OPT_AGGREGATE_COMMIT_INTERVAL),
        .delivered = delivered,
    };
    return gw_lane_init(lane, runtime, &options, err);
}

gw_status gw_aggregate_lanes(const struct gw_runtime *runtime, struct gw_lanes *lanes, struct gw_worker_state *ret_state,
                             gw_err *err)
{
    (void)ret_state;
    return gw_lanes_add(lanes, runtime, (uint32_t)gw_config_u64(runtime->config, GW_OPT_AGGREGATE_THREADS), make_lane,
                        err);
}
