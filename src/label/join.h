// SPDX-License-Identifier: MIT
// The join of what was served with what the viewer then did, for one partition: a state machine without I/O or clock.
//
// Two inputs, each in the order of its log. The served side gives served candidates and how far in append time it was
// read (progress). The action side gives actions and, per source partition, marks: the append time up to which that
// partition was read. The clock is the least mark of all partitions that must have one; it never runs backwards, and a
// partition without a mark holds it.
//
// A window opens when a candidate is served, at s, and covers W ms. An action at event time t belongs to it when
//   - s <= t < s + W (with a join id, t may be up to `settle` before s: clocks differ),
//   - the candidate's record was appended by t + settle,
//   - the clock, when the action was read, had not passed s + W.
// An action with a join id belongs to the window of (user, join id, tweet); one without to the user's latest window of
// that tweet. It is decided once its window is known, or when the served side has passed t + settle; until then it
// waits. A window closes when clock and served side have passed s + W and no action before s + W waits.
//
// Whether an action belongs to a window is thus a function of its record, of the window's record and of each side's own
// order, and what a window keeps of its actions does not depend on their order (bits.h): however the two inputs are
// interleaved, the closed windows are the same. INITIAL_NEGATIVE and POSITIVE_REPLAY come when something is known and
// may differ in time and number. The exception: a key served again after its window has closed opens a second window.
//
// Every change marks its key dirty; gw_label_join_flush gives each dirty key to the changelog, gw_label_join_restore
// takes it back. There is no undo: after an aborted transaction, or any error not said to leave the join as it was,
// drop the join and restore a new one. Flush even without a changelog: closed windows leave memory there.
//
// One owning thread. After its tables have grown to the size of the work nothing is allocated.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Times are event or append times in ms, in [0, 2^53]; others are GW_E_INVALID.
#define GW_LABEL_NEVER INT64_MIN

struct gw_label_join_options {
    int64_t window_ms;        // W; 0 is 3 h; at most GW_LABEL_WINDOW_MAX_MS
    int64_t settle_ms;        // 0 is 1 min
    int64_t future_max_ms;    // by how much an event may be ahead of its append time; 0 is 5 min
    uint32_t windows_max;     // open windows; 0 is 2,000,000
    uint32_t actions_max;     // waiting actions, and actions kept for bit 5; 0 is 500,000
    size_t payload_bytes_max; // of open windows, in cells of 128 bytes; 0 is 1 GiB
    bool sampled;             // not all that is served is recorded: actions without a join id are counted, not joined
};
#define GW_LABEL_WINDOW_MAX_MS (INT64_C(7) * 24 * 3600 * 1000)

struct gw_label_served {
    int64_t user_id;
    int64_t join_id;
    int64_t tweet_id;  // not 0
    int64_t author_id; // 0 unknown: then bit 5 sees only actions on the tweet itself
    int64_t served_at_ms;
    int64_t appended_ms; // append time of the record
    int32_t position;
    struct gw_slice payload; // opaque, copied, given back with each example
};

struct gw_label_action {
    uint8_t event_id[16];
    int64_t user_id;
    int64_t tweet_id;    // 0 none, as when following from a profile
    int64_t author_id;   // 0 unknown
    int64_t join_id;     // 0 none
    int32_t number;      // Twitter's number of the action (bits.h)
    int32_t surface;     // index of the symbol in ProductSurface; 0 unknown
    int64_t dwell_ms;    // negative unknown
    int64_t time_ms;     // event time
    int64_t appended_ms; // append time of the source record
};

enum gw_label_kind { GW_LABEL_INITIAL_NEGATIVE = 1, GW_LABEL_POSITIVE_REPLAY, GW_LABEL_WINDOW_CLOSED };

struct gw_label_example {
    enum gw_label_kind kind; // as ExampleKind of schemas/labeled_example.avsc
    int64_t user_id;
    int64_t join_id;
    int64_t tweet_id;
    int64_t author_id;
    int32_t position;
    uint32_t bits; // INITIAL_NEGATIVE: 0. POSITIVE_REPLAY: bits that no earlier one of this window had. Else the label
    int64_t served_at_ms;
    int64_t impressed_at_ms; // first impression known
    int64_t engaged_at_ms;   // first engagement known; of a POSITIVE_REPLAY the action that made it; or GW_LABEL_NEVER
    struct gw_slice payload; // borrowed for the call
};

struct gw_label_sink {
    gw_status (*example)(void *context, const struct gw_label_example *example, gw_err *err);
    void *context;
};

// What became of served records.  X(suffix, name)
#define GW_LABEL_SERVED_OUTCOME_MAP(X)                                                                                 \
    X(OPENED, "opened")                                                                                                \
    X(DUPLICATE, "duplicate") /* its window is open: the first counts */                                               \
    X(FUTURE, "future")       /* served more than future_max after it was appended: not joined */                      \
    X(CLOSED, "closed")       /* gave a WINDOW_CLOSED */                                                               \
    X(NEVER_SHOWN, "never_shown")

enum gw_label_served_outcome {
#define X(suffix, name) GW_LABEL_SERVED_##suffix,
    GW_LABEL_SERVED_OUTCOME_MAP(X)
#undef X
        GW_LABEL_SERVED_OUTCOME_COUNT
};

// What became of actions: each ends in one of these, WAITED is counted besides.  X(suffix, name)
// LATE and NO_SERVED part where a window can still be seen: an action after a window that has closed finds none.
#define GW_LABEL_ACTION_OUTCOME_MAP(X)                                                                                 \
    X(JOINED, "joined")                                                                                                \
    X(NO_SERVED, "no_served")   /* the served side has passed it, and no window is there for it */                     \
    X(LATE, "late")             /* its window was over when it happened or when it was read */                         \
    X(UNSAMPLED, "unsampled")   /* no join id where not all that is served is recorded */                              \
    X(FUTURE, "future")         /* happened more than future_max after it was appended */                              \
    X(DUPLICATE, "duplicate")   /* an action with this event id is still held */                                       \
    X(IRRELEVANT, "irrelevant") /* says nothing about a label, or follows an author without a window to show for it */ \
    X(WAITED, "waited")

enum gw_label_action_outcome {
#define X(suffix, name) GW_LABEL_ACTION_OUTCOME_##suffix,
    GW_LABEL_ACTION_OUTCOME_MAP(X)
#undef X
        GW_LABEL_ACTION_OUTCOME_COUNT
};

extern const char *const gw_label_served_outcome_names[GW_LABEL_SERVED_OUTCOME_COUNT];
extern const char *const gw_label_action_outcome_names[GW_LABEL_ACTION_OUTCOME_COUNT];

// Since the join was made; not part of its state.
struct gw_label_counts {
    uint64_t served[GW_LABEL_SERVED_OUTCOME_COUNT];
    uint64_t actions[2][GW_LABEL_ACTION_OUTCOME_COUNT]; // [0] without, [1] with a join id
};

struct gw_label_join_stats {
    uint32_t windows;     // open
    uint32_t waiting;     // actions not yet decided
    uint32_t actions;     // actions held: waiting, or kept for bit 5
    size_t payload_bytes; // in cells
    size_t memory_bytes;  // all that the join holds
    int64_t clock_ms;     // GW_LABEL_NEVER while it was held from the start
    int64_t progress_ms;  // of the served side, or GW_LABEL_NEVER
    int64_t oldest_ms;    // served_at of the oldest open window, or GW_LABEL_NEVER
};

struct gw_label_join;

// ---- life -----------------------------------------------------------------------------------------------------------

// GW_E_CONFIG names the option out of range.
GW_CHECK gw_status gw_label_join_new(const struct gw_label_join_options *options, struct gw_label_join **ret_join,
                                     gw_err *err);
void gw_label_join_free(struct gw_label_join *join);

// ---- served side ----------------------------------------------------------------------------------------------------

// Takes the next served candidate. Full leaves the record untaken, to be offered again: GW_E_BEHIND when windows can
// close once the action side goes on (pause this input), GW_E_EXHAUSTED when more was served within one window than
// the bounds allow (no waiting helps). GW_E_INVALID: a time out of range, tweet 0.
GW_CHECK gw_status gw_label_join_serve(struct gw_label_join *join, const struct gw_label_served *served, gw_err *err);

// All served records appended before time_ms have been given, as when the log's end was reached at that time.
GW_CHECK gw_status gw_label_join_progress(struct gw_label_join *join, int64_t time_ms, gw_err *err);

// ---- action side ----------------------------------------------------------------------------------------------------

// Takes the next action. GW_E_BEHIND: actions_max are held; untaken, offer it again once the served side has gone on
// and gw_label_join_advance has run. GW_E_INVALID: a time out of range, user 0.
GW_CHECK gw_status gw_label_join_act(struct gw_label_join *join, const struct gw_label_action *action,
                                     const struct gw_label_sink *sink, gw_err *err);

// A source partition that must have a mark. Also done by its first mark. GW_E_EXHAUSTED past 65,536 of them.
GW_CHECK gw_status gw_label_join_require(struct gw_label_join *join, int32_t topic, int32_t partition, gw_err *err);

// Everything appended to this source partition up to time_ms has been given. An older mark than the last changes
// nothing.
GW_CHECK gw_status gw_label_join_mark(struct gw_label_join *join, int32_t topic, int32_t partition, int64_t time_ms,
                                      gw_err *err);

// ---- output ---------------------------------------------------------------------------------------------------------

// Decides waiting actions and closes windows that are due, `budget` of them at most; *ret_more when some are left.
// Call it after each poll of an input. An error of the sink is returned.
GW_CHECK gw_status gw_label_join_advance(struct gw_label_join *join, uint32_t budget, const struct gw_label_sink *sink,
                                         bool *ret_more, gw_err *err);

const struct gw_label_counts *gw_label_join_counts(const struct gw_label_join *join);
// After a restore: complete from the next input or advance on.
void gw_label_join_stats(const struct gw_label_join *join, struct gw_label_join_stats *ret_stats);

// ---- state ----------------------------------------------------------------------------------------------------------

// As `kind` of schemas/label_window.avsc. A mark's topic is a source topic, or -1: progress of the served side, -2:
// clock.
enum gw_label_entry_kind { GW_LABEL_ENTRY_WINDOW, GW_LABEL_ENTRY_ACTION, GW_LABEL_ENTRY_MARK };
#define GW_LABEL_KEY_BYTES_MAX 25

// One key of the changelog. Restoring needs key and payload; the other fields say the same to people.
struct gw_label_entry {
    enum gw_label_entry_kind kind;
    uint8_t
        key[GW_LABEL_KEY_BYTES_MAX]; // kind, then big-endian: user, join id, tweet; or event id; or topic, partition
    uint8_t key_bytes;
    bool tombstone; // the key is gone: only kind and key are set
    int64_t user_id;
    int64_t join_id;
    int64_t tweet_id;
    uint32_t bits;
    int64_t served_at_ms;
    int64_t impressed_at_ms; // 0 not yet
    struct gw_slice payload; // state in the layout of join_state.c, then the served payload; borrowed for the call
};

struct gw_label_state_sink {
    gw_status (*entry)(void *context, const struct gw_label_entry *entry, gw_err *err);
    void *context;
};

// Gives every dirty key. A key that was closed and served again since the last flush comes twice, tombstone first.
GW_CHECK gw_status gw_label_join_flush(struct gw_label_join *join, const struct gw_label_state_sink *sink, gw_err *err);

// Takes an entry of the changelog, before any input; a later one of the same key replaces an earlier one, and the order
// of different keys does not matter. Bounds are not asked: the state was taken before. GW_E_MISMATCH: not written by
// this version.
GW_CHECK gw_status gw_label_join_restore(struct gw_label_join *join, const struct gw_label_entry *entry, gw_err *err);
