// SPDX-License-Identifier: MIT
#include "worker/score_targets.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdio.h>

// A poll rarely sees more than a champion and a canary; one place for each that any table can name.
enum { TARGETS_MAX = GW_SCORE_ROUTES_MAX * (GW_ROUTE_TARGETS_MAX + GW_ROUTE_SHADOWS_MAX) };

struct gw_score_targets {
    struct gw_score_table *table; // NULL: no poll has begun
    const struct gw_score_batch *batch;
    size_t count;
    struct gw_score_target targets[TARGETS_MAX]; // passes and arrays stay from poll to poll
};

gw_status gw_score_targets_new(struct gw_score_targets **ret_targets, gw_err *err)
{
    struct gw_score_targets *targets = gw_mem_calloc(1, sizeof *targets);
    if (targets == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a lane's targets");
    }
    *ret_targets = targets;
    return GW_OK;
}

void gw_score_targets_free(struct gw_score_targets *targets)
{
    if (targets == NULL) {
        return;
    }
    gw_score_targets_end(targets);
    for (size_t i = 0; i < TARGETS_MAX; i++) {
        gw_score_pass_free(targets->targets[i].pass);
        gw_mem_free(targets->targets[i].requests);
    }
    gw_mem_free(targets);
}

bool gw_score_targets_begun(const struct gw_score_targets *targets)
{
    return targets->table != NULL;
}

void gw_score_targets_begin(struct gw_score_targets *targets, struct gw_score_table *table,
                            const struct gw_score_batch *batch)
{
    GW_ASSERT(targets->table == NULL);
    targets->table = table;
    targets->batch = batch;
}

void gw_score_targets_end(struct gw_score_targets *targets)
{
    for (size_t i = 0; i < targets->count; i++) {
        targets->targets[i].count = 0;
        targets->targets[i].model = NULL;
    }
    targets->count = 0;
    gw_score_table_unref(targets->table);
    targets->table = NULL;
}

// ---- choosing -------------------------------------------------------------------------------------------------------

// The target's requests are scored by its model and, unseen, by the route's shadows.
static gw_status find_reads(const struct gw_score_targets *targets, struct gw_score_target *target, gw_err *err)
{
    target->reads = 0;
    GW_TRY(gw_score_batch_reads(targets->batch, target->model, &target->reads, err));
    for (uint32_t i = 0; i < target->route->route.shadow_count; i++) {
        if (target->route->shadows[i] != NULL) {
            GW_TRY(gw_score_batch_reads(targets->batch, target->route->shadows[i], &target->reads, err));
        }
    }
    return GW_OK;
}

static gw_status find_or_add(struct gw_score_targets *targets, const struct gw_score_route *route, uint32_t index,
                             struct gw_score_target **ret_target, gw_err *err)
{
    bool shadow = index >= route->route.target_count;
    uint32_t at = shadow ? index - route->route.target_count : index;
    struct gw_score_model *model = shadow ? route->shadows[at] : route->targets[at];
    for (size_t i = 0; i < targets->count; i++) {
        if (targets->targets[i].model == model) {
            *ret_target = &targets->targets[i];
            return GW_OK;
        }
    }
    GW_ASSERT(targets->count < TARGETS_MAX);
    struct gw_score_target *target = &targets->targets[targets->count];
    if (target->pass == NULL) {
        GW_TRY(gw_score_pass_new(&target->pass, err));
    }
    target->model = model;
    target->variant = shadow ? route->route.shadows[at].variant : route->route.targets[at].variant;
    target->route = route;
    GW_TRY(find_reads(targets, target, err));
    targets->count++;
    *ret_target = target;
    return GW_OK;
}

static int name_size(struct gw_slice name)
{
    return (int)GW_MIN(name.size, 40);
}

// No route: a name that nobody knows, or the default model before its first route.
static enum gw_prediction_status no_route(const struct gw_prediction_request *request, char *why, size_t size)
{
    if (request->model_name.size == 0) {
        snprintf(why, size, "no version of the default model serves yet");
        return GW_PREDICTION_STATUS_MODEL_NOT_READY;
    }
    snprintf(why, size, "no model '%.*s'", name_size(request->model_name), (const char *)request->model_name.data);
    return GW_PREDICTION_STATUS_MODEL_NOT_FOUND;
}

// Index of the route's target (or, behind those, shadow) for this request; -1 with status and reason.
static int pick(const struct gw_score_route *route, const struct gw_prediction_request *request,
                enum gw_prediction_status *ret_status, char *why, size_t size)
{
    if (request->model_version == 0) {
        if (route->route.target_count == 0) {
            snprintf(why, size, "no version of model '%.40s' serves: all were rejected", route->route.model);
            *ret_status = GW_PREDICTION_STATUS_MODEL_NOT_READY;
            return -1;
        }
        uint32_t bucket = gw_route_bucket(route->route.salt, request->user_id);
        return (int)gw_route_target_of_bucket(&route->route, bucket);
    }
    int index = gw_route_find(&route->route, request->model_version);
    if (index < 0) {
        snprintf(why, size, "model '%.40s' version %d is not loaded: neither serving nor in the shadow",
                 route->route.model, request->model_version);
        *ret_status = GW_PREDICTION_STATUS_MODEL_NOT_FOUND;
    } else if ((uint32_t)index >= route->route.target_count &&
               route->shadows[(uint32_t)index - route->route.target_count] == NULL) {
        snprintf(why, size, "model '%.40s' version %d is not loaded yet", route->route.model, request->model_version);
        *ret_status = GW_PREDICTION_STATUS_MODEL_NOT_READY;
        return -1;
    }
    return index;
}

gw_status gw_score_targets_choose(struct gw_score_targets *targets, const struct gw_prediction_request *request,
                                  struct gw_score_target **ret_target, enum gw_prediction_status *ret_status, char *why,
                                  size_t size, gw_err *err)
{
    const struct gw_score_route *route = gw_score_table_find(targets->table, request->model_name);
    *ret_target = NULL;
    if (route == NULL) {
        *ret_status = no_route(request, why, size);
        return GW_OK;
    }
    int index = pick(route, request, ret_status, why, size);
    if (index < 0) {
        return GW_OK;
    }
    *ret_status = GW_PREDICTION_STATUS_OK;
    return find_or_add(targets, route, (uint32_t)index, ret_target, err);
}

gw_status gw_score_target_add(struct gw_score_target *target, uint32_t batch_index, uint32_t *ret_index, gw_err *err)
{
    if (target->count == target->capacity) {
        uint32_t capacity = target->capacity > 0 ? target->capacity * 2 : 256;
        uint32_t *requests = gw_mem_realloc(target->requests, capacity, sizeof *requests);
        if (requests == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for a batch of requests");
        }
        target->requests = requests;
        target->capacity = capacity;
    }
    target->requests[target->count] = batch_index;
    *ret_index = target->count++;
    return GW_OK;
}

// ---- scoring --------------------------------------------------------------------------------------------------------

gw_status gw_score_targets_run(struct gw_score_targets *targets, const struct gw_score_batch *batch,
                               struct gw_score_cache *cache, uint64_t *ret_us, gw_err *err)
{
    uint64_t us = 0;
    for (size_t i = 0; i < targets->count; i++) {
        struct gw_score_target *target = &targets->targets[i];
        if (target->count > 0) {
            GW_TRY(gw_score_pass_run(target->pass, batch, target->model, target->requests, target->count, cache, err));
            us += gw_score_pass_us(target->pass);
        }
    }
    *ret_us = us;
    return GW_OK;
}

size_t gw_score_targets_count(const struct gw_score_targets *targets)
{
    return targets->count;
}

const struct gw_score_target *gw_score_targets_at(const struct gw_score_targets *targets, size_t index)
{
    GW_ASSERT(index < targets->count);
    return &targets->targets[index];
}
