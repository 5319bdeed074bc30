// SPDX-License-Identifier: MIT
#include "worker/retrain_guard_plan.h"

#include <stdio.h>
#include <string.h>

static bool leads_to(const struct gw_registry_event *event, enum gw_rollout_state state)
{
    return strcmp(event->to_state, gw_rollout_state_name(state)) == 0;
}

static bool comes_from(const struct gw_registry_event *event, enum gw_rollout_state state)
{
    return strcmp(event->from_state, gw_rollout_state_name(state)) == 0;
}

static bool is_of(const struct gw_registry_event *event, enum gw_rollout_verb verb)
{
    return strcmp(event->transition, gw_rollout_verb_name(verb)) == 0;
}

// The newest reign at or behind `from`; NULL: none was read.
static const struct gw_registry_event *find_reign(const struct gw_registry_event *events, size_t count, size_t from,
                                                  size_t *ret_index)
{
    for (size_t i = from; i < count; i++) {
        if (leads_to(&events[i], GW_ROLLOUT_CHAMPION)) {
            *ret_index = i;
            return &events[i];
        }
    }
    return NULL;
}

// As far as is written: its last event says what it is.
static bool may_return(const struct gw_registry_event *events, size_t count, int32_t version)
{
    for (size_t i = 0; i < count; i++) {
        if (events[i].version == version) {
            return !leads_to(&events[i], GW_ROLLOUT_REJECTED) && !is_of(&events[i], GW_ROLLOUT_VERB_ARCHIVE);
        }
    }
    return false;
}

static void set_duel(struct gw_retrain_duel *duel, const struct gw_registry_event *began, const char *digest,
                     int32_t former, const char *former_digest)
{
    *duel = (struct gw_retrain_duel){
        .version = began->version, .former = former, .sequence = began->sequence, .since_ms = began->at_ms};
    snprintf(duel->model, sizeof duel->model, "%s", began->model);
    snprintf(duel->digest, sizeof duel->digest, "%s", digest);
    snprintf(duel->former_digest, sizeof duel->former_digest, "%s", former_digest);
}

static bool plan_champion(const struct gw_registry_event *events, size_t count, struct gw_retrain_duel *duel)
{
    size_t at = 0;
    size_t before = 0;
    const struct gw_registry_event *reign = find_reign(events, count, 0, &at);
    if (reign == NULL || !is_of(reign, GW_ROLLOUT_VERB_PROMOTE)) {
        return false;
    }
    const struct gw_registry_event *former = find_reign(events, count, at + 1, &before);
    if (former == NULL || former->version == reign->version || !may_return(events, count, former->version)) {
        return false;
    }
    set_duel(duel, reign, reign->digest, former->version, former->digest);
    return true;
}

static bool plan_canary(const struct gw_registry_event *events, size_t count, const struct gw_route_version *champion,
                        const struct gw_route_version *canary, struct gw_retrain_duel *duel)
{
    for (size_t i = 0; i < count; i++) {
        if (events[i].version == canary->version && leads_to(&events[i], GW_ROLLOUT_CANARY) &&
            !comes_from(&events[i], GW_ROLLOUT_CANARY)) {
            set_duel(duel, &events[i], canary->digest, champion->version, champion->digest);
            duel->canary = true;
            return true;
        }
    }
    return false;
}

static const struct gw_route *find_route(const struct gw_registry_event *events, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (events[i].route != NULL) {
            return events[i].route;
        }
    }
    return NULL;
}

size_t gw_retrain_guard_plan(const struct gw_registry_event *events, size_t count,
                             struct gw_retrain_duel ret_duels[GW_RETRAIN_DUELS_MAX])
{
    const struct gw_route *route = find_route(events, count);
    size_t duels = 0;
    if (route == NULL || route->target_count == 0) {
        return 0;
    }
    if (plan_champion(events, count, &ret_duels[0]) && ret_duels[0].version == route->targets[0].version) {
        duels++;
    }
    for (uint32_t i = 1; i < route->target_count && duels < GW_RETRAIN_DUELS_MAX; i++) {
        duels += plan_canary(events, count, &route->targets[0], &route->targets[i], &ret_duels[duels]);
    }
    return duels;
}

bool gw_retrain_duel_is(const struct gw_retrain_duel *duel, const struct gw_retrain_duel *other)
{
    return strcmp(duel->model, other->model) == 0 && duel->sequence == other->sequence &&
           duel->canary == other->canary && duel->version == other->version && duel->former == other->former;
}
