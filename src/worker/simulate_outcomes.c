// SPDX-License-Identifier: MIT
#include "worker/simulate_outcomes.h"

#include "base/check.h"
#include "base/map.h"
#include "base/mem.h"
#include "label/bits.h"
#include "worker/label_records.h"

#define NONE       UINT32_MAX
#define NO_REQUEST UINT64_MAX

// A shown tweet in a list of its request; freed ones are in a list of their own.
struct node {
    int64_t tweet_id;
    int64_t author_id;
    struct gw_label_facts facts;
    uint32_t next;
};

// A request whose window may still be open.
struct open_request {
    int64_t join_id;
    int64_t user_id;
    int64_t time_ms;
    uint64_t previous; // number of the same user's request before, or NO_REQUEST
    uint32_t first;
    uint32_t last;
    uint32_t count;
};

struct gw_simulate_outcomes {
    struct gw_simulator *ahead;
    struct gw_simulate_converter *converter;
    struct gw_sim_event event; // the next one, not taken yet
    int64_t window_ms;
    struct gw_map index;        // join id -> number of the request
    struct gw_map latest;       // user -> number of the latest request
    struct open_request *queue; // a ring by number
    uint64_t queue_first;       // number of the oldest
    uint64_t queue_end;
    uint64_t queue_capacity; // a power of two
    struct node *nodes;
    uint32_t node_count;
    uint32_t node_capacity;
    uint32_t free_head;
    struct gw_simulate_shown *shown; // what _next gave
    size_t shown_capacity;
};

gw_status gw_simulate_outcomes_new(const struct gw_simulator_options *world, int64_t window_ms,
                                   struct gw_simulate_outcomes **ret_outcomes, gw_err *err)
{
    struct gw_simulate_outcomes *outcomes = gw_mem_calloc(1, sizeof *outcomes);
    if (outcomes == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for outcomes");
    }
    outcomes->window_ms = window_ms;
    outcomes->free_head = NONE;
    gw_status status = gw_simulator_new(world, &outcomes->ahead, err);
    if (status == GW_OK) {
        status = gw_simulate_converter_new(&outcomes->converter, err);
    }
    if (status == GW_OK) {
        status = gw_simulator_next(outcomes->ahead, &outcomes->event, err);
    }
    if (status != GW_OK) {
        gw_simulate_outcomes_free(outcomes);
        return status;
    }
    *ret_outcomes = outcomes;
    return GW_OK;
}

void gw_simulate_outcomes_free(struct gw_simulate_outcomes *outcomes)
{
    if (outcomes != NULL) {
        gw_simulator_free(outcomes->ahead);
        gw_simulate_converter_free(outcomes->converter);
        gw_map_deinit(&outcomes->index);
        gw_map_deinit(&outcomes->latest);
        gw_mem_free(outcomes->queue);
        gw_mem_free(outcomes->nodes);
        gw_mem_free(outcomes->shown);
        gw_mem_free(outcomes);
    }
}

// ---- running ahead --------------------------------------------------------------------------------------------------

static struct open_request *request_at(const struct gw_simulate_outcomes *outcomes, uint64_t number)
{
    return &outcomes->queue[number & (outcomes->queue_capacity - 1)];
}

static gw_status grow_queue(struct gw_simulate_outcomes *outcomes, gw_err *err)
{
    uint64_t capacity = outcomes->queue_capacity > 0 ? outcomes->queue_capacity * 2 : 1024;
    struct open_request *queue = gw_mem_calloc(capacity, sizeof *queue);
    if (queue == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for %llu open requests", (unsigned long long)capacity);
    }
    for (uint64_t n = outcomes->queue_first; n < outcomes->queue_end; n++) {
        queue[n & (capacity - 1)] = *request_at(outcomes, n);
    }
    gw_mem_free(outcomes->queue);
    outcomes->queue = queue;
    outcomes->queue_capacity = capacity;
    return GW_OK;
}

static gw_status add_request(struct gw_simulate_outcomes *outcomes, const struct gw_sim_event *event, gw_err *err)
{
    if (outcomes->queue_end - outcomes->queue_first == outcomes->queue_capacity) {
        GW_TRY(grow_queue(outcomes, err));
    }
    uint64_t *number = NULL;
    uint64_t *latest = NULL;
    bool first = false;
    if (gw_map_put(&outcomes->index, (uint64_t)event->request.join_id, 0, &number, NULL) != GW_OK ||
        gw_map_put(&outcomes->latest, (uint64_t)event->request.user_id, 0, &latest, &first) != GW_OK) {
        return gw_fail(err, GW_E_MEMORY, "no memory for the index of open requests");
    }
    *request_at(outcomes, outcomes->queue_end) = (struct open_request){.join_id = event->request.join_id,
                                                                       .user_id = event->request.user_id,
                                                                       .time_ms = event->time_ms,
                                                                       .previous = first ? NO_REQUEST : *latest,
                                                                       .first = NONE,
                                                                       .last = NONE};
    *number = outcomes->queue_end;
    *latest = outcomes->queue_end++;
    return GW_OK;
}

static void forget_request(struct gw_simulate_outcomes *outcomes, const struct open_request *request)
{
    const uint64_t *latest = gw_map_find(&outcomes->latest, (uint64_t)request->user_id, 0);
    gw_map_remove(&outcomes->index, (uint64_t)request->join_id, 0);
    if (latest != NULL && *latest == outcomes->queue_first) {
        gw_map_remove(&outcomes->latest, (uint64_t)request->user_id, 0);
    }
    outcomes->queue_first++;
}

static gw_status take_node(struct gw_simulate_outcomes *outcomes, uint32_t *ret_node, gw_err *err)
{
    if (outcomes->free_head != NONE) {
        *ret_node = outcomes->free_head;
        outcomes->free_head = outcomes->nodes[outcomes->free_head].next;
        return GW_OK;
    }
    if (outcomes->node_count == outcomes->node_capacity) {
        uint32_t capacity = outcomes->node_capacity > 0 ? outcomes->node_capacity * 2 : 4096;
        struct node *nodes = gw_mem_realloc(outcomes->nodes, capacity, sizeof *nodes);
        if (nodes == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for %u shown tweets", capacity);
        }
        outcomes->nodes = nodes;
        outcomes->node_capacity = capacity;
    }
    *ret_node = outcomes->node_count++;
    return GW_OK;
}

static gw_status add_shown(struct gw_simulate_outcomes *outcomes, struct open_request *request,
                           const struct gw_user_action *impression, gw_err *err)
{
    uint32_t node = NONE;
    GW_TRY(take_node(outcomes, &node, err));
    outcomes->nodes[node] =
        (struct node){.tweet_id = impression->tweet_id, .author_id = impression->author_id, .next = NONE};
    if (request->last == NONE) {
        request->first = node;
    } else {
        outcomes->nodes[request->last].next = node;
    }
    request->last = node;
    request->count++;
    return GW_OK;
}

// An act towards an author counts for every open window of the viewer on that author's tweets.
static void engage_author(struct gw_simulate_outcomes *outcomes, const struct gw_user_action *action)
{
    const uint64_t *latest = gw_map_find(&outcomes->latest, (uint64_t)action->user_id, 0);
    uint64_t number = latest != NULL ? *latest : NO_REQUEST;
    while (number != NO_REQUEST && number >= outcomes->queue_first) {
        const struct open_request *request = request_at(outcomes, number);
        int64_t after_ms = action->event_time_ms - request->time_ms;
        if (after_ms >= outcomes->window_ms) {
            return; // and so it is for all before
        }
        for (uint32_t n = request->first; n != NONE; n = outcomes->nodes[n].next) {
            if (outcomes->nodes[n].author_id == action->author_id) {
                gw_label_facts_add_author(&outcomes->nodes[n].facts, gw_label_moment(after_ms));
            }
        }
        number = request->previous;
    }
}

static gw_status take_action(struct gw_simulate_outcomes *outcomes, const struct gw_user_action *action, gw_err *err)
{
    const struct gw_label_effect effect =
        gw_label_effect_of(gw_label_action_number(action->action_type), (int32_t)action->surface,
                           action->has_dwell_time_ms ? action->dwell_time_ms : -1);
    if ((effect.roles & GW_LABEL_ROLE_ENGAGES_AUTHOR) && action->has_author_id) {
        engage_author(outcomes, action);
    }
    const uint64_t *number = gw_map_find(&outcomes->index, (uint64_t)action->request_join_id, 0);
    struct open_request *request = number != NULL ? request_at(outcomes, *number) : NULL;
    if (request == NULL || action->event_time_ms - request->time_ms >= outcomes->window_ms) {
        return GW_OK; // after the window
    }
    if (action->action_type == GW_ACTION_TYPE_CLIENT_TWEET_RENDER_IMPRESSION) {
        return add_shown(outcomes, request, action, err);
    }
    for (uint32_t n = request->first; n != NONE; n = outcomes->nodes[n].next) {
        if (outcomes->nodes[n].tweet_id == action->tweet_id) {
            gw_label_facts_add(&outcomes->nodes[n].facts, &effect,
                               gw_label_moment(action->event_time_ms - request->time_ms));
        }
    }
    return GW_OK;
}

static gw_status run_ahead(struct gw_simulate_outcomes *outcomes, int64_t until_ms, gw_err *err)
{
    while (outcomes->event.kind != GW_SIM_END && outcomes->event.time_ms < until_ms) {
        const struct gw_sim_event *event = &outcomes->event;
        if (event->kind == GW_SIM_REQUEST) {
            GW_TRY(add_request(outcomes, event, err));
        } else if (event->kind == GW_SIM_ACTION) {
            struct gw_simulate_record record;
            gw_simulate_convert(outcomes->converter, event, 0, &record);
            GW_TRY(take_action(outcomes, &record.action, err));
        }
        GW_TRY(gw_simulator_next(outcomes->ahead, &outcomes->event, err));
    }
    return GW_OK;
}

// ---- answers --------------------------------------------------------------------------------------------------------

gw_status gw_simulate_outcomes_next(struct gw_simulate_outcomes *outcomes, const struct gw_sim_event *event,
                                    const struct gw_simulate_shown **ret_shown, size_t *ret_count, gw_err *err)
{
    GW_ASSERT(event->kind == GW_SIM_REQUEST);
    GW_TRY(run_ahead(outcomes, event->time_ms + outcomes->window_ms, err));
    GW_ASSERT(outcomes->queue_first < outcomes->queue_end); // two simulators of one world say the same
    const struct open_request *request = request_at(outcomes, outcomes->queue_first);
    GW_ASSERT(request->join_id == event->request.join_id);
    if (request->count > outcomes->shown_capacity) {
        struct gw_simulate_shown *shown = gw_mem_realloc(outcomes->shown, request->count, sizeof *shown);
        if (shown == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for %u shown tweets", request->count);
        }
        outcomes->shown = shown;
        outcomes->shown_capacity = request->count;
    }
    size_t count = 0;
    for (uint32_t n = request->first; n != NONE; n = outcomes->nodes[n].next) {
        outcomes->shown[count++] = (struct gw_simulate_shown){.tweet_id = outcomes->nodes[n].tweet_id,
                                                              .bits = gw_label_facts_bits(&outcomes->nodes[n].facts)};
    }
    if (request->first != NONE) {
        outcomes->nodes[request->last].next = outcomes->free_head;
        outcomes->free_head = request->first;
    }
    forget_request(outcomes, request);
    *ret_shown = outcomes->shown;
    *ret_count = count;
    return GW_OK;
}
