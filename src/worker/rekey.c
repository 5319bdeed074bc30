// SPDX-License-Identifier: MIT
// rekey: one source event in, one entity event out for each entity whose rows it changes, keyed by that entity.
//
//   unified_user_actions, tweet_events, social_write_event, user_modifications ──► entity_events
//
// Two checks need the broker's append time, which is the log's own clock: an event whose time lies more than a limit
// after its append time is dead-lettered (one wild clock must not poison decayed rows or watermarks), and an event
// whose id occurred at a lower offset of the same partition within the window is ignored. The ids seen are state: on
// takeover the window before the committed offset is read again, so the decision is a function of the log.
//
// Once a second every entity_events partition gets a mark for each source partition held: how far in time it was read.
#include "avro/framing.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "kafka/admin.h"
#include "worker/entity.h"
#include "worker/lane.h"
#include "worker/loop.h"
#include "worker/runtime.h"
#include "worker/seen_ids.h"
#include "worker/state.h"
#include "worker/worker.h"

enum {
    SOURCES = 4,
    PARTITIONS_MAX = 256, // of one source topic
    ARENA_LIMIT_BYTES = 256 << 20,
    TAKEOVER_BUDGET_MS = 20,
    IDLE_ASKS_PER_MARK = 8, // watermarks of idle partitions asked in one second
    IDLE_ASK_TURN_MS = 1000,
    IDLE_MARK_MARGIN_MS = 5000,
};

static const enum gw_topic source_topics[SOURCES] = {GW_TOPIC_UNIFIED_USER_ACTIONS, GW_TOPIC_TWEET_EVENTS,
                                                     GW_TOPIC_SOCIAL_WRITE_EVENT, GW_TOPIC_USER_MODIFICATIONS};

struct pending {
    struct gw_entity_event events[GW_ENTITY_EVENTS_MAX];
    size_t count;
    uint32_t slot;
    bool duplicate;
};

struct source_partition {
    struct gw_seen_ids *seen; // NULL: not held
    int64_t idle_asked_ms;    // when the watermark below was asked
    int64_t idle_high;        // log end at that time; -1: not asked
};

struct rekey {
    const struct gw_runtime *runtime;
    struct gw_kafka_admin *admin; // log ends for the marks of idle partitions
    struct gw_state_reader *readers[SOURCES];
    struct source_partition partitions[SOURCES][PARTITIONS_MAX];
    struct gw_arena arena;
    struct pending *batch;
    uint32_t batch_count;
    uint32_t batch_capacity;
    struct gw_buf value;
    const char *output_topic;
    uint32_t output_schema;
    uint32_t output_partitions;
    int64_t future_limit_ms;
    int64_t window_ms;
    uint64_t mark_interval_us;
    uint64_t marked_us;
    uint32_t idle_asks_left;
    uint32_t held_count; // partitions marked in the last round
    struct gw_metric *events_total;
    uint64_t events_pending;
};

// ---- decode ---------------------------------------------------------------------------------------------------------

static gw_status check_time(const struct rekey *self, int64_t event_time_ms, int64_t append_time_ms, gw_err *err)
{
    if (event_time_ms < 0) {
        return gw_fail(err, GW_E_INVALID, "event_time_ms %lld is before 1970", (long long)event_time_ms);
    }
    if (event_time_ms > append_time_ms + self->future_limit_ms) {
        return gw_fail(err, GW_E_INVALID, "event_time_ms %lld is %lld ms after its append time",
                       (long long)event_time_ms, (long long)(event_time_ms - append_time_ms));
    }
    return GW_OK;
}

static gw_status translate(struct rekey *self, const struct gw_input *input, struct pending *pending, gw_err *err)
{
    const struct gw_entity_origin origin = {.topic = (int32_t)input->source,
                                            .partition = input->partition,
                                            .offset = input->offset,
                                            .append_time_ms = input->append_time_ms};
    double *statics = gw_arena_array(&self->arena, GW_STATIC_ATTRIBUTES, sizeof *statics);
    if (statics == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a batch of events");
    }
    switch (source_topics[input->source]) {
    case GW_TOPIC_UNIFIED_USER_ACTIONS: {
        struct gw_user_action action;
        GW_TRY(gw_user_action_decode(input->body, &self->arena, &action, err));
        return gw_entity_from_action(&action, &origin, pending->events, &pending->count, err);
    }
    case GW_TOPIC_TWEET_EVENTS: {
        struct gw_tweet_event tweet;
        GW_TRY(gw_tweet_event_decode(input->body, &self->arena, &tweet, err));
        return gw_entity_from_tweet(&tweet, &origin, statics, pending->events, &pending->count, err);
    }
    case GW_TOPIC_SOCIAL_WRITE_EVENT: {
        struct gw_social_graph_event social;
        GW_TRY(gw_social_graph_event_decode(input->body, &self->arena, &social, err));
        return gw_entity_from_social(&social, &origin, pending->events, &pending->count, err);
    }
    default: {
        struct gw_user_profile profile;
        GW_TRY(gw_user_profile_decode(input->body, &self->arena, &profile, err));
        return gw_entity_from_profile(&profile, &origin, statics, pending->events, &pending->count, err);
    }
    }
}

// The whole judgement of one source event except the duplicate check; the same live and when read again at takeover.
static gw_status split(struct rekey *self, const struct gw_input *input, struct pending *pending, gw_err *err)
{
    GW_TRY(translate(self, input, pending, err));
    return check_time(self, pending->events[0].event_time_ms, input->append_time_ms, err);
}

static gw_status decode(void *worker, struct gw_loop *loop, const struct gw_input *input, gw_err *err)
{
    struct rekey *self = worker;
    (void)loop;
    if (input->body.data == NULL) {
        return gw_fail(err, GW_E_INVALID, "a tombstone is no event");
    }
    if (self->batch_count == self->batch_capacity) {
        uint32_t capacity = self->batch_capacity > 0 ? self->batch_capacity * 2 : 1024;
        struct pending *batch = gw_mem_realloc(self->batch, capacity, sizeof *batch);
        if (batch == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for a batch of events");
        }
        self->batch = batch;
        self->batch_capacity = capacity;
    }
    struct pending *pending = &self->batch[self->batch_count];
    *pending = (struct pending){.slot = input->slot};
    GW_TRY(split(self, input, pending, err));
    GW_TRY(gw_seen_ids_add(self->partitions[input->source][input->partition].seen, pending->events[0].event_id,
                           input->append_time_ms, &pending->duplicate, err));
    self->batch_count++;
    return GW_OK;
}

static void discard(void *worker, bool aborted)
{
    struct rekey *self = worker;
    self->batch_count = 0;
    self->events_pending = aborted ? 0 : self->events_pending;
    gw_arena_clear(&self->arena);
}

// ---- process --------------------------------------------------------------------------------------------------------

static gw_status emit(struct rekey *self, struct gw_loop *loop, const struct gw_entity_event *event, int32_t partition,
                      gw_err *err)
{
    uint8_t key[8];
    gw_store_be64(key, (uint64_t)event->entity_id);
    gw_buf_clear(&self->value);
    if (gw_avro_frame_begin(&self->value, self->output_schema) != GW_OK ||
        gw_entity_event_encode(event, &self->value) != GW_OK) {
        return gw_fail(err, GW_E_MEMORY, "no memory to encode an entity event");
    }
    const struct gw_kafka_output output = {
        .topic = self->output_topic,
        .partition = partition,
        .key = event->side == GW_ENTITY_SIDE_MARK ? (struct gw_slice){0} : gw_slice_make(key, sizeof key),
        .value = gw_buf_slice(&self->value),
    };
    return gw_loop_emit(loop, &output, err);
}

static gw_status process(void *worker, struct gw_loop *loop, gw_err *err)
{
    struct rekey *self = worker;
    for (uint32_t i = 0; i < self->batch_count; i++) {
        const struct pending *pending = &self->batch[i];
        if (pending->duplicate) {
            gw_loop_settle(loop, pending->slot, GW_OUTCOME_IGNORED);
            continue;
        }
        for (size_t e = 0; e < pending->count; e++) {
            int32_t partition = (int32_t)gw_hash_partition_of_id(pending->events[e].entity_id, self->output_partitions);
            GW_TRY(emit(self, loop, &pending->events[e], partition, err));
        }
        self->events_pending += pending->count;
        gw_loop_settle(loop, pending->slot, GW_OUTCOME_OUTPUT);
    }
    discard(self, false);
    return GW_OK;
}

static void report(void *worker, struct gw_loop *loop)
{
    struct rekey *self = worker;
    (void)loop;
    gw_metric_add(self->events_total, self->events_pending);
    self->events_pending = 0;
}

// ---- marks ----------------------------------------------------------------------------------------------------------

struct mark_pass {
    struct rekey *self;
    struct gw_loop *loop;
    gw_status status;
    gw_err *err;
    uint32_t count;
};

// The time up to which a partition was read: the append time of its last record; when idle, the time at which a log end
// was asked that has since been reached, less a margin (STREAMS 19). 0: nothing can be said yet.
static int64_t mark_time_ms(struct rekey *self, uint32_t source, int32_t partition, int64_t next_offset,
                            int64_t last_append_time_ms)
{
    struct source_partition *held = &self->partitions[source][partition];
    int64_t time_ms = last_append_time_ms;
    if (held->idle_high >= 0 && next_offset >= held->idle_high) {
        time_ms = GW_MAX(time_ms, held->idle_asked_ms - IDLE_MARK_MARGIN_MS);
        held->idle_high = -1;
    }
    int64_t asked_ms = gw_clock_wall_ms();
    int64_t turn_ms = IDLE_ASK_TURN_MS * (1 + (int64_t)self->held_count / IDLE_ASKS_PER_MARK); // so that all come round
    if (held->idle_high < 0 && self->idle_asks_left > 0 && asked_ms - held->idle_asked_ms >= turn_ms) {
        int64_t low = 0;
        self->idle_asks_left--;
        if (gw_kafka_admin_watermarks(self->admin, gw_runtime_topic(self->runtime, source_topics[source]), partition,
                                      1000, &low, &held->idle_high, NULL) == GW_OK) {
            held->idle_asked_ms = asked_ms;
        } else {
            held->idle_high = -1;
        }
    }
    return time_ms;
}

static void mark_partition(void *context, uint32_t source, int32_t partition, int64_t next_offset,
                           int64_t last_append_time_ms)
{
    struct mark_pass *pass = context;
    struct rekey *self = pass->self;
    pass->count++;
    int64_t time_ms = mark_time_ms(self, source, partition, next_offset, last_append_time_ms);
    const struct gw_entity_event mark = {.side = GW_ENTITY_SIDE_MARK,
                                         .kind = GW_ENTITY_EVENT_KIND_MARK,
                                         .event_time_ms = time_ms,
                                         .source_topic = (int32_t)source,
                                         .source_partition = partition,
                                         .source_offset = next_offset,
                                         .source_append_time_ms = time_ms,
                                         .position = -1,
                                         .dwell_time_ms = -1};
    for (uint32_t p = 0; time_ms > 0 && pass->status == GW_OK && p < self->output_partitions; p++) {
        pass->status = emit(self, pass->loop, &mark, (int32_t)p, pass->err);
    }
}

static gw_status flush(void *worker, struct gw_loop *loop, gw_err *err)
{
    struct rekey *self = worker;
    uint64_t now_us = gw_clock_mono_us();
    if (now_us - self->marked_us < self->mark_interval_us) {
        return GW_OK;
    }
    self->marked_us = now_us;
    self->idle_asks_left = IDLE_ASKS_PER_MARK;
    struct mark_pass pass = {.self = self, .loop = loop, .status = GW_OK, .err = err};
    gw_loop_each_partition(loop, mark_partition, &pass);
    self->held_count = pass.count;
    return pass.status;
}

static void committed(void *worker)
{
    struct rekey *self = worker;
    for (int s = 0; s < SOURCES; s++) {
        for (int p = 0; p < PARTITIONS_MAX; p++) {
            if (self->partitions[s][p].seen != NULL) {
                gw_seen_ids_trim(self->partitions[s][p].seen);
            }
        }
    }
}

// ---- takeover -------------------------------------------------------------------------------------------------------

struct reread {
    struct rekey *self;
    uint32_t source;
    struct gw_seen_ids *seen;
};

static gw_status see_again(void *context, const struct gw_kafka_record *record, gw_err *err)
{
    struct reread *reread = context;
    struct rekey *self = reread->self;
    struct gw_input opened = {.source = reread->source, .append_time_ms = record->timestamp_ms};
    struct gw_buf scratch = {0};
    struct pending pending = {0};
    bool duplicate = false;
    gw_status status = record->value.data == NULL
                           ? GW_E_INVALID
                           : gw_schema_gate_open(gw_runtime_gate(self->runtime, source_topics[reread->source]),
                                                 record->value, &scratch, &self->arena, &opened.body, NULL);
    if (status == GW_OK) {
        status = split(self, &opened, &pending, NULL);
    }
    if (status == GW_OK) { // what was dead-lettered then is skipped now
        status = gw_seen_ids_add(reread->seen, pending.events[0].event_id, record->timestamp_ms, &duplicate, err);
    } else if (gw_status_class(status) == GW_CLASS_RECORD) {
        status = GW_OK;
    }
    gw_buf_deinit(&scratch);
    gw_arena_clear(&self->arena);
    return status;
}

static gw_status begin_takeover(struct rekey *self, struct gw_state_reader *reader, struct source_partition *held,
                                int32_t partition, int64_t offset, gw_err *err)
{
    int64_t from = 0;
    GW_TRY(gw_state_reader_offset_before(reader, partition, offset, self->window_ms, &from, err));
    GW_TRY(gw_seen_ids_new(self->window_ms, &held->seen, err));
    held->idle_high = -1;
    return gw_state_reader_begin_until(reader, partition, from, offset, err);
}

static void release(void *worker, uint32_t source, int32_t partition)
{
    struct rekey *self = worker;
    if (partition < PARTITIONS_MAX) {
        struct source_partition *held = &self->partitions[source][partition];
        if (gw_state_reader_partition(self->readers[source]) == partition) {
            gw_state_reader_cancel(self->readers[source]);
        }
        gw_seen_ids_free(held->seen);
        *held = (struct source_partition){.idle_high = -1};
    }
}

static gw_status takeover(void *worker, uint32_t source, int32_t partition, int64_t offset, bool *ret_done, gw_err *err)
{
    struct rekey *self = worker;
    if (partition >= PARTITIONS_MAX) {
        return gw_fail(err, GW_E_CONFIG, "partition %d of '%s': rekey holds at most %d", partition,
                       gw_runtime_topic(self->runtime, source_topics[source]), PARTITIONS_MAX);
    }
    struct source_partition *held = &self->partitions[source][partition];
    struct gw_state_reader *reader = self->readers[source];
    gw_status status = GW_OK;
    *ret_done = false;
    if (held->seen == NULL) {
        if (gw_state_reader_partition(reader) >= 0) {
            return GW_OK; // busy with another partition of this topic
        }
        status = begin_takeover(self, reader, held, partition, offset, err);
    }
    if (status == GW_OK && gw_state_reader_partition(reader) == partition) {
        struct reread reread = {.self = self, .source = source, .seen = held->seen};
        status = gw_state_reader_step(reader, TAKEOVER_BUDGET_MS, see_again, &reread, ret_done, err);
    }
    if (status != GW_OK) { // from the start again: an id may be missing now
        release(self, source, partition);
    } else if (*ret_done) {
        gw_seen_ids_trim(held->seen);
    }
    return status;
}

static const struct gw_loop_ops ops = {.decode = decode, .process = process, .report = report, .discard = discard};
static const struct gw_loop_state_ops state_ops = {
    .takeover = takeover, .flush = flush, .committed = committed, .release = release};

// ---- life -----------------------------------------------------------------------------------------------------------

static void free_rekey(void *worker)
{
    struct rekey *self = worker;
    for (int s = 0; s < SOURCES; s++) {
        for (int p = 0; p < PARTITIONS_MAX; p++) {
            gw_seen_ids_free(self->partitions[s][p].seen);
        }
        gw_state_reader_free(self->readers[s]);
    }
    gw_kafka_admin_free(self->admin);
    gw_arena_deinit(&self->arena);
    gw_buf_deinit(&self->value);
    gw_mem_free(self->batch);
    gw_mem_free(self);
}

static gw_status init(struct rekey *self, gw_err *err)
{
    const struct gw_runtime *runtime = self->runtime;
    gw_arena_init(&self->arena, 1 << 20, ARENA_LIMIT_BYTES);
    self->output_topic = gw_runtime_topic(runtime, GW_TOPIC_ENTITY_EVENTS);
    self->output_partitions = gw_runtime_partitions(runtime, GW_TOPIC_ENTITY_EVENTS);
    self->output_schema = gw_runtime_schema_id(runtime, GW_TOPIC_ENTITY_EVENTS);
    self->future_limit_ms = gw_config_duration_us(runtime->config, GW_OPT_REKEY_FUTURE_LIMIT) / 1000;
    self->window_ms = gw_config_duration_us(runtime->config, GW_OPT_REKEY_DUPLICATE_WINDOW) / 1000;
    self->mark_interval_us = (uint64_t)gw_config_duration_us(runtime->config, GW_OPT_REKEY_MARK_INTERVAL);
    self->events_total = gw_metrics_counter(runtime->metrics, "godwit_rekey_entity_events_total", "",
                                            "Entity events written and committed.");
    if (self->events_total == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for metrics");
    }
    for (int s = 0; s < SOURCES; s++) {
        GW_TRY(
            gw_state_reader_new(&runtime->kafka, gw_runtime_topic(runtime, source_topics[s]), &self->readers[s], err));
    }
    return gw_kafka_admin_new(&runtime->kafka, &self->admin, err);
}

static gw_status make_lane(const struct gw_runtime *runtime, uint32_t slot, struct gw_lane *lane, gw_err *err)
{
    struct rekey *self = gw_mem_calloc(1, sizeof *self);
    if (self == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for rekey");
    }
    self->runtime = runtime;
    gw_status status = init(self, err);
    if (status != GW_OK) {
        free_rekey(self);
        return status;
    }
    const struct gw_lane_options options = {
        .worker = "rekey",
        .slot = slot,
        .group = "rekey",
        .commit = GW_LANE_TRANSACTIONS,
        .inputs = source_topics,
        .input_count = SOURCES,
        .ops = &ops,
        .state = &state_ops,
        .context = self,
        .free_context = free_rekey,
        .commit_interval_us = gw_config_duration_us(runtime->config, GW_OPT_REKEY_COMMIT_INTERVAL),
        .commits_when_idle = true, // time goes on where nothing happens
    };
    return gw_lane_init(lane, runtime, &options, err);
}

gw_status gw_rekey_lanes(const struct gw_runtime *runtime, struct gw_lanes *lanes, struct gw_worker_state *ret_state,
                         gw_err *err)
{
    (void)ret_state;
    return gw_lanes_add(lanes, runtime, (uint32_t)gw_config_u64(runtime->config, GW_OPT_REKEY_THREADS), make_lane, err);
}
