// SPDX-License-Identifier: MIT
#include "label/join_internal.h"

#include "base/check.h"
#include "base/mem.h"

#include <stddef.h>

#define WINDOW_MS     (INT64_C(3) * 3600 * 1000)
#define SETTLE_MS     INT64_C(60000)
#define FUTURE_MAX_MS INT64_C(300000)
#define WINDOWS_MAX   2000000u
#define ACTIONS_MAX   500000u
#define PAYLOAD_MAX   ((size_t)1 << 30)

enum { ITEMS_LIMIT = 1 << 30 }; // indices are 32 bits, and dead items take slots until the flush

const char *const gw_label_served_outcome_names[GW_LABEL_SERVED_OUTCOME_COUNT] = {
#define X(suffix, name) [GW_LABEL_SERVED_##suffix] = name,
    GW_LABEL_SERVED_OUTCOME_MAP(X)
#undef X
};

const char *const gw_label_action_outcome_names[GW_LABEL_ACTION_OUTCOME_COUNT] = {
#define X(suffix, name) [GW_LABEL_ACTION_OUTCOME_##suffix] = name,
    GW_LABEL_ACTION_OUTCOME_MAP(X)
#undef X
};

// ---- life -----------------------------------------------------------------------------------------------------------

static gw_status resolve_options(const struct gw_label_join_options *given, struct gw_label_join_options *ret_options,
                                 gw_err *err)
{
    struct gw_label_join_options o = *given;
    o.window_ms = o.window_ms != 0 ? o.window_ms : WINDOW_MS;
    o.settle_ms = o.settle_ms != 0 ? o.settle_ms : SETTLE_MS;
    o.future_max_ms = o.future_max_ms != 0 ? o.future_max_ms : FUTURE_MAX_MS;
    o.windows_max = o.windows_max != 0 ? o.windows_max : WINDOWS_MAX;
    o.actions_max = o.actions_max != 0 ? o.actions_max : ACTIONS_MAX;
    o.payload_bytes_max = o.payload_bytes_max != 0 ? o.payload_bytes_max : PAYLOAD_MAX;
    if (o.window_ms < 0 || o.window_ms > GW_LABEL_WINDOW_MAX_MS) {
        return gw_fail(err, GW_E_CONFIG, "label window of %lld ms, expected up to 7 days", (long long)o.window_ms);
    }
    if (o.settle_ms < 0 || o.settle_ms > o.window_ms) {
        return gw_fail(err, GW_E_CONFIG, "settle time of %lld ms, expected up to the label window",
                       (long long)o.settle_ms);
    }
    if (o.future_max_ms < 0 || o.future_max_ms > GW_LABEL_WINDOW_MAX_MS) {
        return gw_fail(err, GW_E_CONFIG, "future bound of %lld ms, expected up to 7 days", (long long)o.future_max_ms);
    }
    if (o.windows_max > ITEMS_LIMIT || o.actions_max > ITEMS_LIMIT ||
        gw_label_cells_for(o.payload_bytes_max) > ITEMS_LIMIT) {
        return gw_fail(err, GW_E_CONFIG, "more than 2^30 windows, actions or payload cells");
    }
    *ret_options = o;
    return GW_OK;
}

gw_status gw_label_join_new(const struct gw_label_join_options *options, struct gw_label_join **ret_join, gw_err *err)
{
    struct gw_label_join_options resolved;
    GW_TRY(resolve_options(options, &resolved, err));
    struct gw_label_join *join = gw_mem_calloc(1, sizeof *join);
    if (join == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a join");
    }
    join->options = resolved;
    gw_label_slab_init(&join->windows, sizeof(struct gw_label_window));
    gw_label_slab_init(&join->cells, sizeof(struct gw_label_cell));
    gw_label_slab_init(&join->held, sizeof(struct gw_label_held));
    gw_label_index_init(&join->exact, &join->windows, offsetof(struct gw_label_window, exact));
    gw_label_index_init(&join->groups, &join->windows, offsetof(struct gw_label_window, group));
    gw_label_index_init(&join->clicked, &join->windows, offsetof(struct gw_label_window, clicked));
    gw_label_index_init(&join->by_id, &join->held, offsetof(struct gw_label_held, by_id));
    gw_label_index_init(&join->pairs, &join->held, offsetof(struct gw_label_held, pair));
    join->dirty_windows.head = GW_LABEL_NONE;
    join->dirty_held.head = GW_LABEL_NONE;
    join->clock_ms = GW_LABEL_NEVER;
    join->progress_ms = GW_LABEL_NEVER;
    *ret_join = join;
    return GW_OK;
}

void gw_label_join_free(struct gw_label_join *join)
{
    if (join == NULL) {
        return;
    }
    gw_label_index_deinit(&join->exact);
    gw_label_index_deinit(&join->groups);
    gw_label_index_deinit(&join->clicked);
    gw_label_index_deinit(&join->by_id);
    gw_label_index_deinit(&join->pairs);
    gw_label_heap_deinit(&join->closing);
    gw_label_heap_deinit(&join->waiting);
    gw_label_heap_deinit(&join->engaged);
    gw_label_slab_deinit(&join->windows);
    gw_label_slab_deinit(&join->cells);
    gw_label_slab_deinit(&join->held);
    gw_mem_free(join->marks);
    gw_map_deinit(&join->mark_index);
    gw_buf_deinit(&join->scratch);
    gw_mem_free(join);
}

// ---- inputs ---------------------------------------------------------------------------------------------------------

static gw_status refuse_when_full(struct gw_label_join *join, size_t payload_bytes, gw_err *err)
{
    size_t cells_max = join->options.payload_bytes_max / sizeof(struct gw_label_cell);
    size_t cells = gw_label_cells_for(payload_bytes);
    if (payload_bytes > UINT32_MAX || cells > cells_max) {
        return gw_fail(err, GW_E_TOO_LARGE, "served record of %zu bytes, bound for all windows %zu", payload_bytes,
                       join->options.payload_bytes_max);
    }
    if (join->window_count < join->options.windows_max && join->cells.used + cells <= cells_max) {
        return GW_OK;
    }
    if (join->window_count > 0 && join->closing.entries[0].time_ms + join->options.window_ms <= join->progress_ms) {
        return gw_fail(err, GW_E_BEHIND, "%u windows open, the action side is behind", join->window_count);
    }
    return gw_fail(err, GW_E_EXHAUSTED, "%u windows open, none of them over: raise the bounds of label windows",
                   join->window_count);
}

gw_status gw_label_join_serve(struct gw_label_join *join, const struct gw_label_served *served, gw_err *err)
{
    GW_TRY(gw_label_join_ready(join, err));
    if (!gw_label_time_ok(served->served_at_ms) || !gw_label_time_ok(served->appended_ms)) {
        return gw_fail(err, GW_E_INVALID, "served at %lld, appended at %lld", (long long)served->served_at_ms,
                       (long long)served->appended_ms);
    }
    if (served->tweet_id == 0) {
        return gw_fail(err, GW_E_INVALID, "tweet_id is 0");
    }
    gw_label_raise_progress(join, served->appended_ms);
    if (served->served_at_ms > served->appended_ms + join->options.future_max_ms) {
        join->counts.served[GW_LABEL_SERVED_FUTURE]++;
        return GW_OK;
    }
    if (gw_label_window_find(join, served->user_id, served->join_id, served->tweet_id) != GW_LABEL_NONE) {
        join->counts.served[GW_LABEL_SERVED_DUPLICATE]++;
        return GW_OK;
    }
    GW_TRY(refuse_when_full(join, served->payload.size, err));
    GW_TRY(gw_label_heap_reserve(&join->closing, err));
    struct gw_label_served placed = *served;
    placed.appended_ms = join->progress_ms;
    uint32_t index = GW_LABEL_NONE;
    GW_TRY(gw_label_window_open(join, &placed, &index, err));
    gw_label_heap_push(&join->closing,
                       (struct gw_label_heap_entry){.time_ms = served->served_at_ms,
                                                    .tie = gw_label_window_tie(gw_label_window_at(join, index)),
                                                    .item = index});
    gw_label_window_touch(join, index);
    join->counts.served[GW_LABEL_SERVED_OPENED]++;
    return GW_OK;
}

static bool is_passed(const struct gw_label_join *join, int64_t time_ms)
{
    return join->progress_ms > time_ms + join->options.settle_ms;
}

// Why the action must be kept: GW_LABEL_WAITING, GW_LABEL_ENGAGED, both or neither.
static uint32_t reasons_to_hold(const struct gw_label_join *join, const struct gw_label_action *action,
                                const struct gw_label_effect *effect)
{
    uint32_t reasons = 0;
    bool known = action->join_id != 0 &&
                 gw_label_window_find(join, action->user_id, action->join_id, action->tweet_id) != GW_LABEL_NONE;
    if (action->tweet_id != 0 && !known && !is_passed(join, action->time_ms)) {
        reasons |= GW_LABEL_WAITING;
    }
    if ((effect->roles & GW_LABEL_ROLE_ENGAGES_AUTHOR) && action->author_id != 0 &&
        join->clock_ms < action->time_ms + join->options.window_ms) { // else every window it could reach is over
        reasons |= GW_LABEL_ENGAGED;
    }
    return reasons;
}

static gw_status hold(struct gw_label_join *join, const struct gw_label_action *action, uint32_t reasons, gw_err *err)
{
    uint32_t index = GW_LABEL_NONE;
    GW_TRY(gw_label_heap_reserve(&join->waiting, err));
    GW_TRY(gw_label_heap_reserve(&join->engaged, err));
    GW_TRY(gw_label_held_add(join, action, join->clock_ms, reasons, &index, err));
    gw_label_held_touch(join, index);
    struct gw_label_heap_entry entry = {
        .time_ms = action->time_ms, .tie = gw_label_held_tie(gw_label_held_at(join, index)), .item = index};
    if (reasons & GW_LABEL_WAITING) {
        gw_label_heap_push(&join->waiting, entry);
        gw_label_count_action(join, action, GW_LABEL_ACTION_OUTCOME_WAITED);
    }
    if (reasons & GW_LABEL_ENGAGED) {
        gw_label_heap_push(&join->engaged, entry);
    }
    return GW_OK;
}

static gw_status check_action(const struct gw_label_action *action, gw_err *err)
{
    if (!gw_label_time_ok(action->time_ms) || !gw_label_time_ok(action->appended_ms)) {
        return gw_fail(err, GW_E_INVALID, "action at %lld, appended at %lld", (long long)action->time_ms,
                       (long long)action->appended_ms);
    }
    if (action->user_id == 0) {
        return gw_fail(err, GW_E_INVALID, "user_id is 0");
    }
    return GW_OK;
}

gw_status gw_label_join_act(struct gw_label_join *join, const struct gw_label_action *action,
                            const struct gw_label_sink *sink, gw_err *err)
{
    GW_TRY(gw_label_join_ready(join, err));
    GW_TRY(check_action(action, err));
    const struct gw_label_effect effect = gw_label_effect_of(action->number, action->surface, action->dwell_ms);
    bool acts_on_author = (effect.roles & GW_LABEL_ROLE_ENGAGES_AUTHOR) && action->author_id != 0;
    if (gw_label_effect_is_none(&effect) || (action->tweet_id == 0 && !acts_on_author)) {
        gw_label_count_action(join, action, GW_LABEL_ACTION_OUTCOME_IRRELEVANT);
        return GW_OK;
    }
    if (action->time_ms > action->appended_ms + join->options.future_max_ms) {
        gw_label_count_action(join, action, GW_LABEL_ACTION_OUTCOME_FUTURE);
        return GW_OK;
    }
    if (action->join_id == 0 && join->options.sampled) {
        gw_label_count_action(join, action, GW_LABEL_ACTION_OUTCOME_UNSAMPLED);
        return GW_OK;
    }
    uint32_t reasons = reasons_to_hold(join, action, &effect);
    if (reasons != 0) {
        if (gw_label_held_find(join, action->event_id) != GW_LABEL_NONE) {
            gw_label_count_action(join, action, GW_LABEL_ACTION_OUTCOME_DUPLICATE);
            return GW_OK;
        }
        if (join->held_count >= join->options.actions_max) {
            return gw_fail(err, GW_E_BEHIND, "%u actions held, the served side is behind", join->held_count);
        }
        GW_TRY(hold(join, action, reasons, err));
    }
    bool reached = false;
    if (reasons & GW_LABEL_ENGAGED) {
        GW_TRY(gw_label_engage_author(join, action, join->clock_ms, sink, &reached, err));
    }
    if (action->tweet_id == 0) {
        gw_label_count_action(join, action,
                              reached ? GW_LABEL_ACTION_OUTCOME_JOINED : GW_LABEL_ACTION_OUTCOME_IRRELEVANT);
        return GW_OK;
    }
    return reasons & GW_LABEL_WAITING ? GW_OK : gw_label_decide(join, action, &effect, join->clock_ms, sink, err);
}

// ---- output ---------------------------------------------------------------------------------------------------------

static gw_status decide_earliest(struct gw_label_join *join, const struct gw_label_sink *sink, gw_err *err)
{
    uint32_t index = join->waiting.entries[0].item;
    const struct gw_label_held *held = gw_label_held_at(join, index);
    const struct gw_label_action action = held->action;
    int64_t arrival_ms = held->arrival_ms;
    gw_label_heap_pop(&join->waiting);
    gw_label_held_drop(join, index, GW_LABEL_WAITING);
    const struct gw_label_effect effect = gw_label_effect_of(action.number, action.surface, action.dwell_ms);
    return gw_label_decide(join, &action, &effect, arrival_ms, sink, err);
}

static bool can_close(const struct gw_label_join *join)
{
    if (join->closing.count == 0) {
        return false;
    }
    int64_t end_ms = join->closing.entries[0].time_ms + join->options.window_ms;
    return join->clock_ms >= end_ms && join->progress_ms >= end_ms &&
           (join->waiting.count == 0 || join->waiting.entries[0].time_ms >= end_ms);
}

static gw_status close_oldest(struct gw_label_join *join, const struct gw_label_sink *sink, gw_err *err)
{
    uint32_t index = join->closing.entries[0].item;
    struct gw_label_window *window = gw_label_window_at(join, index);
    if (window->impressed != 0) {
        uint32_t bits = gw_label_facts_bits(&window->facts);
        GW_TRY(gw_label_send(join, window, GW_LABEL_WINDOW_CLOSED, bits,
                             bits != 0 ? gw_label_first_engaged_ms(window) : GW_LABEL_NEVER, sink, err));
        join->counts.served[GW_LABEL_SERVED_CLOSED]++;
    } else {
        join->counts.served[GW_LABEL_SERVED_NEVER_SHOWN]++;
    }
    gw_label_heap_pop(&join->closing);
    gw_label_window_unlink(join, index);
    window->flags = (window->flags & ~(uint32_t)GW_LABEL_LIVE) | GW_LABEL_DEAD;
    gw_label_window_touch(join, index);
    return GW_OK;
}

// An act towards an author is of no more use when every window that began before it has closed and none can come.
static bool can_forget(const struct gw_label_join *join)
{
    if (join->engaged.count == 0 || !is_passed(join, join->engaged.entries[0].time_ms)) {
        return false;
    }
    return join->closing.count == 0 || join->closing.entries[0].time_ms > join->engaged.entries[0].time_ms;
}

gw_status gw_label_join_advance(struct gw_label_join *join, uint32_t budget, const struct gw_label_sink *sink,
                                bool *ret_more, gw_err *err)
{
    GW_TRY(gw_label_join_ready(join, err));
    for (uint32_t done = 0;; done++) {
        bool due = join->waiting.count > 0 && is_passed(join, join->waiting.entries[0].time_ms);
        bool closing = !due && can_close(join);
        bool forgetting = !due && !closing && can_forget(join);
        if (done == budget || !(due || closing || forgetting)) {
            *ret_more = due || closing || forgetting;
            return GW_OK;
        }
        if (due) {
            GW_TRY(decide_earliest(join, sink, err));
        } else if (closing) {
            GW_TRY(close_oldest(join, sink, err));
        } else {
            uint32_t index = join->engaged.entries[0].item;
            gw_label_heap_pop(&join->engaged);
            gw_label_held_drop(join, index, GW_LABEL_ENGAGED);
        }
    }
}

const struct gw_label_counts *gw_label_join_counts(const struct gw_label_join *join)
{
    return &join->counts;
}

void gw_label_join_stats(const struct gw_label_join *join, struct gw_label_join_stats *ret_stats)
{
    size_t heap_entries = (size_t)join->closing.capacity + join->waiting.capacity + join->engaged.capacity;
    *ret_stats = (struct gw_label_join_stats){
        .windows = join->window_count,
        .waiting = join->waiting.count,
        .actions = join->held_count,
        .payload_bytes = (size_t)join->cells.used * sizeof(struct gw_label_cell),
        .memory_bytes = sizeof *join + gw_label_slab_bytes(&join->windows) + gw_label_slab_bytes(&join->cells) +
                        gw_label_slab_bytes(&join->held) + gw_label_index_bytes(&join->exact) +
                        gw_label_index_bytes(&join->groups) + gw_label_index_bytes(&join->clicked) +
                        gw_label_index_bytes(&join->by_id) + gw_label_index_bytes(&join->pairs) +
                        heap_entries * sizeof(struct gw_label_heap_entry) + join->mark_capacity * sizeof *join->marks +
                        join->scratch.capacity,
        .clock_ms = join->clock_ms,
        .progress_ms = join->progress_ms,
        .oldest_ms = join->closing.count > 0 ? join->closing.entries[0].time_ms : GW_LABEL_NEVER};
}
