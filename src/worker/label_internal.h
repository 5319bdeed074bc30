// SPDX-License-Identifier: MIT
// What the files of label share: a lane, its partitions, its batch. Nobody else includes this.
//
//   label.c          the loop's hooks: decode, process, flush, report
//   label_owned.c    whose partition: takeover of both sides' state at once, release
//   label_pace.c     how far each side was read in time, and which side has to wait (STREAMS 20)
//   label_output.c   examples, samples and state entries as records
//   label_metrics.c  what operators see
#pragma once

#include "kafka/admin.h"
#include "label/coverage.h"
#include "label/join.h"
#include "worker/label_records.h"
#include "worker/lane.h"
#include "worker/loop.h"
#include "worker/runtime.h"
#include "worker/sampler.h"
#include "worker/state.h"

enum gw_label_source { GW_LABEL_SERVED, GW_LABEL_ACTIONS, GW_LABEL_SOURCES };

enum {
    GW_LABEL_PARTITIONS_MAX = 256,
    GW_LABEL_EVENT_TOPICS = 4,               // what rekey reads: marks name them by number
    GW_LABEL_BATCH_PAYLOAD_BYTES = 32 << 20, // a poll ends with the record that passes it
};

// Why an input stands still.
enum { GW_LABEL_HOLD_AHEAD = 1, GW_LABEL_HOLD_FULL = 2 };

struct gw_label_side {
    bool claimed;       // assigned, and its position is known
    uint8_t hold;       // GW_LABEL_HOLD_*
    int64_t read_to_ms; // everything appended before was read; GW_LABEL_NEVER: not known
    int64_t asked_ms;   // when the end below was asked
    int64_t asked_end;  // -1: not asked, or reached
};

struct gw_label_partition {
    struct gw_label_side sides[GW_LABEL_SOURCES];
    struct gw_label_join *join;      // NULL: not ours, or not yet
    bool ready;                      // its state is taken over
    bool touched;                    // changed since the last commit
    struct gw_label_counts reported; // what metrics have of the join's counts
};

// A record between decode and process.
struct gw_label_input {
    enum { GW_LABEL_INPUT_SERVED, GW_LABEL_INPUT_ACTION, GW_LABEL_INPUT_MARK } kind;
    int32_t partition;
    uint32_t slot;
    int64_t append_time_ms;
    union {
        struct gw_label_served served;
        struct gw_label_action action;
        struct {
            int32_t topic;
            int32_t partition;
            int64_t time_ms;
        } mark;
    };
};

struct gw_label_metrics {
    struct gw_metric *served[GW_LABEL_SERVED_OUTCOME_COUNT];
    struct gw_metric *actions[2][GW_LABEL_ACTION_OUTCOME_COUNT];
    struct gw_metric *examples[GW_EXAMPLE_KIND_COUNT];
    struct gw_metric *samples;
    struct gw_metric *coverage;
    struct gw_metric *coverage_with_id;
    struct gw_metric *delay[3];
    struct gw_metric *windows;
    struct gw_metric *waiting;
    struct gw_metric *memory;
    struct gw_metric *clock_lag;
    struct gw_metric *held;
};

struct gw_label_lane {
    const struct gw_runtime *runtime;
    uint32_t slot;
    struct gw_label_join_options join_options;
    uint32_t windows_max; // of all partitions of the lane: at these inputs stand still
    uint32_t actions_max;
    size_t memory_max;

    struct gw_kafka_admin *admin;
    struct gw_state_reader *reader;
    int32_t event_partitions[GW_LABEL_EVENT_TOPICS]; // of the source topics; 0: not known yet
    uint64_t counted_us;                             // when they were asked last, monotonic
    uint64_t asked_us;                               // when log ends were asked last
    struct gw_label_partition partitions[GW_LABEL_PARTITIONS_MAX];
    int32_t partition_count; // of each input

    struct gw_arena arena; // one batch
    struct gw_label_input *batch;
    uint32_t batch_count;
    uint32_t batch_capacity;

    struct gw_loop *loop; // while a hook runs, for the sinks
    struct gw_arena output_arena;
    struct gw_buf scratch;
    struct gw_buf value;
    struct gw_sampler sampler;

    struct gw_label_metrics metrics;
    struct gw_label_counts totals; // committed, since the start
    struct gw_label_delays delays;
    struct gw_label_delays delays_pending;
    uint64_t examples_pending[GW_EXAMPLE_KIND_COUNT];
    uint64_t samples_pending;
    uint64_t full_since_us[GW_LABEL_SOURCES]; // 0: not full
    uint64_t full_logged_us;
};

// label_owned.c: hooks of gw_loop_state_ops.
gw_status gw_label_takeover(void *worker, uint32_t source, int32_t partition, int64_t offset, bool *ret_done,
                            gw_err *err);
void gw_label_release(void *worker, uint32_t source, int32_t partition);
// After an abort: states that the aborted transaction has changed are gone; the loop asks for them again.
void gw_label_drop_touched(struct gw_label_lane *lane);
// Asks now and then how many partitions the source topics have; each must have a mark.
GW_CHECK gw_status gw_label_count_sources(struct gw_label_lane *lane, gw_err *err);

// label_pace.c
// A batch was fed, or time has passed: notes what was reached, and which inputs must wait.
GW_CHECK gw_status gw_label_note_progress(struct gw_label_lane *lane, gw_err *err);
void gw_label_ask_ends(struct gw_label_lane *lane);
void gw_label_pace(struct gw_label_lane *lane);

// label_output.c: sinks of the join; context is the lane.
gw_status gw_label_emit_example(void *context, const struct gw_label_example *example, gw_err *err);
GW_CHECK gw_status gw_label_flush_partition(struct gw_label_lane *lane, int32_t partition, gw_err *err);

// label_metrics.c
GW_CHECK gw_status gw_label_metrics_init(struct gw_label_lane *lane, gw_err *err);
void gw_label_report(struct gw_label_lane *lane);
