// SPDX-License-Identifier: MIT
// label: joins what was served with what the viewer then did, into labelled examples.
//
//   served_candidates ─┐
//                      ├─► training_examples, label_samples        state: label_windows, at the same partition number
//   entity_events ─────┘
//
// The join itself is src/label/join.h, one for each partition of both inputs. Here it is fed in the order of the poll,
// its examples become records, and its state goes to the changelog, all in the transaction that commits the offsets.
// Windows close by rekey's marks: a stopped rekey stops the clock. label_internal.h says which file does what.
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "worker/label_internal.h"
#include "worker/worker.h"

enum {
    ARENA_LIMIT_BYTES = 512 << 20,
    CLOSINGS_PER_COMMIT = 20000, // of one partition: a transaction stays short after an outage of rekey
};

// ---- decode ---------------------------------------------------------------------------------------------------------

static gw_status next_input(struct gw_label_lane *lane, struct gw_label_input **ret_input, gw_err *err)
{
    if (lane->batch_count == lane->batch_capacity) {
        uint32_t capacity = lane->batch_capacity > 0 ? lane->batch_capacity * 2 : 4096;
        struct gw_label_input *batch = gw_mem_realloc(lane->batch, capacity, sizeof *batch);
        if (batch == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for a batch of %u records", capacity);
        }
        lane->batch = batch;
        lane->batch_capacity = capacity;
    }
    *ret_input = &lane->batch[lane->batch_count];
    return GW_OK;
}

static gw_status decode_event(struct gw_label_lane *lane, struct gw_loop *loop, const struct gw_input *input,
                              struct gw_label_input *to, gw_err *err)
{
    struct gw_entity_event event;
    GW_TRY(gw_entity_event_decode(input->body, &lane->arena, &event, err));
    if (event.side == GW_ENTITY_SIDE_MARK) {
        to->kind = GW_LABEL_INPUT_MARK;
        to->mark.topic = event.source_topic;
        to->mark.partition = event.source_partition;
        to->mark.time_ms = event.event_time_ms;
        lane->batch_count++;
    } else if (gw_label_read_action(&event, &to->action)) {
        to->kind = GW_LABEL_INPUT_ACTION;
        lane->batch_count++;
    } else { // another entity's side of it
        gw_loop_settle(loop, input->slot, GW_OUTCOME_IGNORED);
    }
    return GW_OK;
}

static gw_status decode(void *worker, struct gw_loop *loop, const struct gw_input *input, gw_err *err)
{
    struct gw_label_lane *lane = worker;
    struct gw_label_input *to = NULL;
    if (input->body.data == NULL) {
        return gw_fail(err, GW_E_INVALID, "a tombstone is neither served nor an event");
    }
    GW_ASSERT(lane->partitions[input->partition].ready); // read only after the takeover
    GW_TRY(next_input(lane, &to, err));
    to->partition = input->partition;
    to->slot = input->slot;
    to->append_time_ms = input->append_time_ms;
    if (input->source == GW_LABEL_ACTIONS) {
        return decode_event(lane, loop, input, to, err);
    }
    to->kind = GW_LABEL_INPUT_SERVED;
    GW_TRY(gw_label_read_served(input->body, gw_runtime_schema_id(lane->runtime, GW_TOPIC_SERVED_CANDIDATES),
                                input->append_time_ms, &lane->arena, &to->served, err));
    gw_loop_add_weight(loop, to->served.payload.size);
    lane->batch_count++;
    return GW_OK;
}

static void discard(void *worker, bool aborted)
{
    struct gw_label_lane *lane = worker;
    lane->batch_count = 0;
    gw_arena_clear(&lane->arena);
    if (aborted) {
        gw_label_drop_touched(lane);
        lane->delays_pending = (struct gw_label_delays){0};
        memset(lane->examples_pending, 0, sizeof lane->examples_pending);
        lane->samples_pending = 0;
    }
}

// ---- process --------------------------------------------------------------------------------------------------------

// Gives one record to the join. *ret_used: it changed something that can become a label.
static gw_status feed(struct gw_label_lane *lane, const struct gw_label_input *input, bool *ret_used, gw_err *err)
{
    struct gw_label_partition *owned = &lane->partitions[input->partition];
    const struct gw_label_sink sink = {.example = gw_label_emit_example, .context = lane};
    const struct gw_label_counts *counts = gw_label_join_counts(owned->join);
    enum gw_label_source source = input->kind == GW_LABEL_INPUT_SERVED ? GW_LABEL_SERVED : GW_LABEL_ACTIONS;
    struct gw_label_side *side = &owned->sides[source];
    owned->touched = true;
    side->read_to_ms = GW_MAX(side->read_to_ms, input->append_time_ms);
    *ret_used = false;
    if (input->kind == GW_LABEL_INPUT_MARK) {
        return gw_label_join_mark(owned->join, input->mark.topic, input->mark.partition, input->mark.time_ms, err);
    }
    if (input->kind == GW_LABEL_INPUT_SERVED) {
        uint64_t opened = counts->served[GW_LABEL_SERVED_OPENED];
        GW_TRY(gw_label_join_serve(owned->join, &input->served, err));
        *ret_used = counts->served[GW_LABEL_SERVED_OPENED] > opened;
        return GW_OK;
    }
    const uint64_t *row = counts->actions[input->action.join_id != 0];
    uint64_t used = row[GW_LABEL_ACTION_OUTCOME_JOINED] + row[GW_LABEL_ACTION_OUTCOME_WAITED];
    GW_TRY(gw_label_join_act(owned->join, &input->action, &sink, err));
    *ret_used = row[GW_LABEL_ACTION_OUTCOME_JOINED] + row[GW_LABEL_ACTION_OUTCOME_WAITED] > used;
    return GW_OK;
}

// What the join refuses without having changed is about the record: the serving side gives nothing to a sink, so there
// a size is the record's too. A full join is not about it, and the loop tries again.
static gw_status settle(struct gw_loop *loop, const struct gw_label_input *input, gw_status status, bool used,
                        const gw_err *cause, gw_err *err)
{
    if (status == GW_E_INVALID || (status == GW_E_TOO_LARGE && input->kind == GW_LABEL_INPUT_SERVED)) {
        return gw_loop_dead_letter(loop, input->slot, status, cause->message, err);
    }
    if (status != GW_OK) {
        return gw_fail(err, status == GW_E_EXHAUSTED ? GW_E_BEHIND : status, "%s", cause->message);
    }
    gw_loop_settle(loop, input->slot, used ? GW_OUTCOME_OUTPUT : GW_OUTCOME_IGNORED);
    return GW_OK;
}

static gw_status process(void *worker, struct gw_loop *loop, gw_err *err)
{
    struct gw_label_lane *lane = worker;
    lane->loop = loop;
    for (uint32_t i = 0; i < lane->batch_count; i++) {
        bool used = false;
        gw_err cause = {0};
        gw_status status = feed(lane, &lane->batch[i], &used, &cause);
        GW_TRY(settle(loop, &lane->batch[i], status, used, &cause, err));
    }
    gw_label_pace(lane);
    discard(lane, false);
    return GW_OK;
}

// ---- commit ---------------------------------------------------------------------------------------------------------

static gw_status flush(void *worker, struct gw_loop *loop, gw_err *err)
{
    struct gw_label_lane *lane = worker;
    const struct gw_label_sink sink = {.example = gw_label_emit_example, .context = lane};
    lane->loop = loop;
    for (int32_t p = 0; p < lane->partition_count; p++) {
        if (lane->partitions[p].ready) { // time goes on for each of them
            lane->partitions[p].touched = true;
            gw_loop_touch(loop);
        }
    }
    gw_status counted = gw_label_count_sources(lane, err);
    if (counted != GW_OK && gw_status_class(counted) != GW_CLASS_RETRY) {
        return counted; // else the counts of half a minute ago do for now
    }
    GW_TRY(gw_label_note_progress(lane, err));
    gw_label_ask_ends(lane);
    for (int32_t p = 0; p < lane->partition_count; p++) {
        if (lane->partitions[p].ready) {
            bool more = false; // the next commit's
            GW_TRY(gw_label_join_advance(lane->partitions[p].join, CLOSINGS_PER_COMMIT, &sink, &more, err));
            GW_TRY(gw_label_flush_partition(lane, p, err));
        }
    }
    gw_label_pace(lane);
    return GW_OK;
}

static void committed(void *worker)
{
    struct gw_label_lane *lane = worker;
    for (int32_t p = 0; p < lane->partition_count; p++) {
        lane->partitions[p].touched = false;
    }
}

static void report(void *worker, struct gw_loop *loop)
{
    (void)loop;
    gw_label_report(worker);
}

static const struct gw_loop_ops ops = {.decode = decode, .process = process, .report = report, .discard = discard};
static const struct gw_loop_state_ops state_ops = {
    .takeover = gw_label_takeover, .flush = flush, .committed = committed, .release = gw_label_release};

// ---- life -----------------------------------------------------------------------------------------------------------

static void free_lane(void *worker)
{
    struct gw_label_lane *lane = worker;
    for (int32_t p = 0; p < GW_LABEL_PARTITIONS_MAX; p++) {
        gw_label_join_free(lane->partitions[p].join);
    }
    gw_state_reader_free(lane->reader);
    gw_kafka_admin_free(lane->admin);
    gw_arena_deinit(&lane->arena);
    gw_arena_deinit(&lane->output_arena);
    gw_buf_deinit(&lane->scratch);
    gw_buf_deinit(&lane->value);
    gw_mem_free(lane->batch);
    gw_mem_free(lane);
}

static gw_status check_counts(struct gw_label_lane *lane, gw_err *err)
{
    uint32_t served = gw_runtime_partitions(lane->runtime, GW_TOPIC_SERVED_CANDIDATES);
    uint32_t events = gw_runtime_partitions(lane->runtime, GW_TOPIC_ENTITY_EVENTS);
    uint32_t windows = gw_runtime_partitions(lane->runtime, GW_TOPIC_LABEL_WINDOWS);
    if (served != events || served != windows) {
        return gw_fail(err, GW_E_CONFIG, "'%s', '%s' and '%s' have %u, %u and %u partitions: give them one count_group",
                       gw_runtime_topic(lane->runtime, GW_TOPIC_SERVED_CANDIDATES),
                       gw_runtime_topic(lane->runtime, GW_TOPIC_ENTITY_EVENTS),
                       gw_runtime_topic(lane->runtime, GW_TOPIC_LABEL_WINDOWS), served, events, windows);
    }
    if (served > GW_LABEL_PARTITIONS_MAX) {
        return gw_fail(err, GW_E_CONFIG, "label holds at most %d partitions, topics.ini says %u",
                       GW_LABEL_PARTITIONS_MAX, served);
    }
    lane->partition_count = (int32_t)served;
    return GW_OK;
}

// The lane's bounds stop an input; what a batch may still bring on top is the join's room.
static gw_status take_options(struct gw_label_lane *lane, gw_err *err)
{
    const struct gw_config *config = lane->runtime->config;
    uint32_t batch = (uint32_t)gw_config_u64(config, GW_OPT_WORKER_POLL_RECORDS);
    lane->windows_max = (uint32_t)gw_config_u64(config, GW_OPT_LABEL_WINDOWS_MAX);
    lane->actions_max = (uint32_t)gw_config_u64(config, GW_OPT_LABEL_ACTIONS_MAX);
    lane->memory_max = (size_t)gw_config_u64(config, GW_OPT_LABEL_MEMORY);
    lane->sampler.rate_per_s = gw_config_u64(config, GW_OPT_LABEL_SAMPLE_RATE);
    lane->join_options = (struct gw_label_join_options){
        .window_ms = gw_config_duration_us(config, GW_OPT_LABEL_WINDOW) / 1000,
        .settle_ms = gw_config_duration_us(config, GW_OPT_LABEL_SETTLE) / 1000,
        .windows_max = lane->windows_max + batch,
        .actions_max = lane->actions_max + batch,
        .payload_bytes_max = GW_MIN(lane->memory_max + 4 * (size_t)GW_LABEL_BATCH_PAYLOAD_BYTES, (size_t)100 << 30),
        .sampled = gw_config_double(config, GW_OPT_SCORE_SERVED_SAMPLE) < 1 ||
                   gw_config_double(config, GW_OPT_SCORE_SERVED_SAMPLE_SYNC) < 1,
    };
    struct gw_label_join *join = NULL;
    GW_TRY(gw_label_join_new(&lane->join_options, &join, err)); // says what is wrong at the start
    gw_label_join_free(join);
    return GW_OK;
}

static gw_status init(struct gw_label_lane *lane, gw_err *err)
{
    const struct gw_runtime *runtime = lane->runtime;
    gw_arena_init(&lane->arena, 1 << 20, ARENA_LIMIT_BYTES);
    gw_arena_init(&lane->output_arena, 1 << 16, ARENA_LIMIT_BYTES);
    for (int32_t p = 0; p < GW_LABEL_PARTITIONS_MAX; p++) {
        for (int s = 0; s < GW_LABEL_SOURCES; s++) {
            lane->partitions[p].sides[s] = (struct gw_label_side){.read_to_ms = GW_LABEL_NEVER, .asked_end = -1};
        }
    }
    GW_TRY(check_counts(lane, err));
    GW_TRY(take_options(lane, err));
    GW_TRY(gw_label_metrics_init(lane, err));
    GW_TRY(gw_kafka_admin_new(&runtime->kafka, &lane->admin, err));
    return gw_state_reader_new(&runtime->kafka, gw_runtime_topic(runtime, GW_TOPIC_LABEL_WINDOWS), &lane->reader, err);
}

static gw_status make_lane(const struct gw_runtime *runtime, uint32_t slot, struct gw_lane *to, gw_err *err)
{
    static const enum gw_topic inputs[GW_LABEL_SOURCES] = {
        [GW_LABEL_SERVED] = GW_TOPIC_SERVED_CANDIDATES, [GW_LABEL_ACTIONS] = GW_TOPIC_ENTITY_EVENTS};
    struct gw_label_lane *lane = gw_mem_calloc(1, sizeof *lane);
    if (lane == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for label");
    }
    lane->runtime = runtime;
    lane->slot = slot;
    gw_status status = init(lane, err);
    if (status != GW_OK) {
        free_lane(lane);
        return status;
    }
    const struct gw_lane_options options = {
        .worker = "label",
        .slot = slot,
        .group = "label",
        .commit = GW_LANE_TRANSACTIONS,
        .inputs = inputs,
        .input_count = GW_COUNT_OF(inputs),
        .ops = &ops,
        .state = &state_ops,
        .context = lane,
        .free_context = free_lane,
        .commit_interval_us = gw_config_duration_us(runtime->config, GW_OPT_LABEL_COMMIT_INTERVAL),
        .weight_max = GW_LABEL_BATCH_PAYLOAD_BYTES,
        .commits_when_idle = true, // windows close while nothing comes
        .end_events = true,        // the inputs are transactional: their ends are markers
    };
    return gw_lane_init(to, runtime, &options, err);
}

gw_status gw_label_lanes(const struct gw_runtime *runtime, struct gw_lanes *lanes, struct gw_worker_state *ret_state,
                         gw_err *err)
{
    (void)ret_state;
    return gw_lanes_add(lanes, runtime, (uint32_t)gw_config_u64(runtime->config, GW_OPT_LABEL_THREADS), make_lane, err);
}
