// SPDX-License-Identifier: MIT
// Which window an action belongs to, what it does there, and what the sink hears of it.
#include "label/join_internal.h"

// ---- examples -------------------------------------------------------------------------------------------------------

gw_status gw_label_send(struct gw_label_join *join, const struct gw_label_window *window, enum gw_label_kind kind,
                        uint32_t bits, int64_t engaged_at_ms, const struct gw_label_sink *sink, gw_err *err)
{
    gw_buf_clear(&join->scratch);
    if (gw_label_window_payload(join, window, &join->scratch) != GW_OK) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a payload of %u bytes", window->payload_bytes);
    }
    const struct gw_label_example example = {.kind = kind,
                                             .user_id = window->user_id,
                                             .join_id = window->join_id,
                                             .tweet_id = window->tweet_id,
                                             .author_id = window->author_id,
                                             .position = window->position,
                                             .bits = bits,
                                             .served_at_ms = window->served_at_ms,
                                             .impressed_at_ms =
                                                 window->served_at_ms + gw_label_moment_after_ms(window->impressed),
                                             .engaged_at_ms = engaged_at_ms,
                                             .payload = gw_buf_slice(&join->scratch)};
    return sink->example(sink->context, &example, err);
}

int64_t gw_label_first_engaged_ms(const struct gw_label_window *window)
{
    return window->engaged == 0 ? GW_LABEL_NEVER : window->served_at_ms + gw_label_moment_after_ms(window->engaged);
}

// After the window's facts have grown: what the sink has not heard yet. acted_at_ms: the engagement, NEVER for none.
static gw_status send_news(struct gw_label_join *join, uint32_t index, int64_t acted_at_ms,
                           const struct gw_label_sink *sink, gw_err *err)
{
    struct gw_label_window *window = gw_label_window_at(join, index);
    if (window->impressed == 0) {
        return GW_OK;
    }
    if (!(window->flags & GW_LABEL_INITIAL_SENT)) {
        window->flags |= GW_LABEL_INITIAL_SENT;
        gw_label_window_touch(join, index);
        GW_TRY(gw_label_send(join, window, GW_LABEL_INITIAL_NEGATIVE, 0, GW_LABEL_NEVER, sink, err));
    }
    uint32_t news = gw_label_facts_bits(&window->facts) & ~window->replayed;
    if (news == 0) {
        return GW_OK;
    }
    window->replayed |= news;
    gw_label_window_touch(join, index);
    int64_t engaged_at_ms = acted_at_ms != GW_LABEL_NEVER ? acted_at_ms : gw_label_first_engaged_ms(window);
    return gw_label_send(join, window, GW_LABEL_POSITIVE_REPLAY, news, engaged_at_ms, sink, err);
}

// ---- matching -------------------------------------------------------------------------------------------------------

// A window is over for an action that happened after it, or that was read when the clock had passed it.
static bool is_over(const struct gw_label_join *join, const struct gw_label_window *window, int64_t time_ms,
                    int64_t arrival_ms)
{
    int64_t end_ms = window->served_at_ms + join->options.window_ms;
    return time_ms >= end_ms || arrival_ms >= end_ms;
}

// The rules of join.h.  tolerance_ms: how much before the window's begin the action may be.
static bool belongs(const struct gw_label_join *join, const struct gw_label_window *window, int64_t time_ms,
                    int64_t arrival_ms, int64_t tolerance_ms)
{
    return time_ms >= window->served_at_ms - tolerance_ms && !is_over(join, window, time_ms, arrival_ms) &&
           window->appended_ms <= time_ms + join->options.settle_ms;
}

// A favourite, reply or follow of an author, for a window with a click on that author's profile.
static bool add_author(struct gw_label_join *join, uint32_t index, const struct gw_label_action *action,
                       int64_t arrival_ms)
{
    struct gw_label_window *window = gw_label_window_at(join, index);
    if (window->user_id != action->user_id || window->author_id != action->author_id ||
        !belongs(join, window, action->time_ms, arrival_ms, 0)) {
        return false;
    }
    if (gw_label_facts_add_author(&window->facts, gw_label_moment(action->time_ms - window->served_at_ms))) {
        gw_label_window_touch(join, index);
    }
    return true;
}

// The window's first profile click: from now on acts towards the author reach it, those before are looked up.
static gw_status start_profile_visit(struct gw_label_join *join, uint32_t index, gw_err *err)
{
    struct gw_label_window *window = gw_label_window_at(join, index);
    if (window->author_id == 0 || (window->flags & GW_LABEL_CLICKED_LINKED)) {
        return GW_OK;
    }
    GW_TRY(gw_label_index_reserve(&join->clicked, err));
    gw_label_window_link_clicked(join, index);
    uint32_t hash = gw_label_hash3(window->user_id, window->author_id, 0);
    for (uint32_t i = gw_label_index_first(&join->pairs, hash); i != GW_LABEL_NONE;
         i = gw_label_index_next(&join->pairs, i)) {
        const struct gw_label_held *held = gw_label_held_at(join, i);
        add_author(join, index, &held->action, held->arrival_ms);
    }
    return GW_OK;
}

static void note_first(uint32_t *first, uint32_t moment, bool *changed)
{
    if (*first == 0 || moment < *first) {
        *first = moment;
        *changed = true;
    }
}

static gw_status take(struct gw_label_join *join, uint32_t index, const struct gw_label_action *action,
                      const struct gw_label_effect *effect, const struct gw_label_sink *sink, gw_err *err)
{
    struct gw_label_window *window = gw_label_window_at(join, index);
    uint32_t moment = gw_label_moment(action->time_ms - window->served_at_ms);
    bool changed = gw_label_facts_add(&window->facts, effect, moment);
    if (effect->roles & GW_LABEL_ROLE_IMPRESSION) {
        note_first(&window->impressed, moment, &changed);
    }
    if (effect->engagement) {
        note_first(&window->engaged, moment, &changed);
    }
    if (changed) {
        gw_label_window_touch(join, index);
    }
    if (effect->roles & GW_LABEL_ROLE_PROFILE_CLICK) {
        GW_TRY(start_profile_visit(join, index, err));
    }
    return send_news(join, index, effect->engagement ? action->time_ms : GW_LABEL_NEVER, sink, err);
}

// *ret_index is the window, or GW_LABEL_NONE, and then the outcome says why.
static enum gw_label_action_outcome match(const struct gw_label_join *join, const struct gw_label_action *action,
                                          int64_t arrival_ms, uint32_t *ret_index)
{
    bool late = arrival_ms >= action->time_ms + join->options.window_ms; // whatever it belonged to
    bool by_id = action->join_id != 0;
    int64_t tolerance_ms = by_id ? join->options.settle_ms : 0;
    uint32_t i = by_id ? gw_label_window_find(join, action->user_id, action->join_id, action->tweet_id)
                       : gw_label_window_find_latest(join, action->user_id, action->tweet_id);
    for (; i != GW_LABEL_NONE; i = by_id ? GW_LABEL_NONE : gw_label_window_at(join, i)->older) {
        const struct gw_label_window *window = gw_label_window_at(join, i);
        if (belongs(join, window, action->time_ms, arrival_ms, tolerance_ms)) {
            *ret_index = i;
            return GW_LABEL_ACTION_OUTCOME_JOINED;
        }
        late |= is_over(join, window, action->time_ms, arrival_ms);
        if (window->served_at_ms <= action->time_ms - join->options.window_ms) {
            break; // and so are all older ones
        }
    }
    *ret_index = GW_LABEL_NONE;
    return late ? GW_LABEL_ACTION_OUTCOME_LATE : GW_LABEL_ACTION_OUTCOME_NO_SERVED;
}

void gw_label_count_action(struct gw_label_join *join, const struct gw_label_action *action,
                           enum gw_label_action_outcome outcome)
{
    join->counts.actions[action->join_id != 0][outcome]++;
}

gw_status gw_label_decide(struct gw_label_join *join, const struct gw_label_action *action,
                          const struct gw_label_effect *effect, int64_t arrival_ms, const struct gw_label_sink *sink,
                          gw_err *err)
{
    uint32_t index = GW_LABEL_NONE;
    gw_label_count_action(join, action, match(join, action, arrival_ms, &index));
    return index != GW_LABEL_NONE ? take(join, index, action, effect, sink, err) : GW_OK;
}

gw_status gw_label_engage_author(struct gw_label_join *join, const struct gw_label_action *action, int64_t arrival_ms,
                                 const struct gw_label_sink *sink, bool *ret_reached, gw_err *err)
{
    *ret_reached = false;
    uint32_t hash = gw_label_hash3(action->user_id, action->author_id, 0);
    for (uint32_t i = gw_label_index_first(&join->clicked, hash); i != GW_LABEL_NONE;
         i = gw_label_index_next(&join->clicked, i)) {
        if (add_author(join, i, action, arrival_ms)) {
            *ret_reached = true;
            GW_TRY(send_news(join, i, action->time_ms, sink, err));
        }
    }
    return GW_OK;
}
