// SPDX-License-Identifier: MIT
// A feature's segment follows from what it depends on: one view, one request value, or anything else, which is computed
// per vector. Expressions always start from rows in double precision, never from floats of another segment: the value
// of a feature does not depend on which other features the model has.
#include "feature/plan.h"

#include "base/check.h"
#include "base/mem.h"
#include "feature/internal.h"

#include <string.h>

struct gw_feature_plan {
    const struct gw_feature_set *set;
    struct gw_arena arena; // segments and arrays
    uint32_t width;
    uint32_t request_start;
    uint32_t request_count;
    uint32_t cross_start;
    const char **request_names;
    uint32_t *columns; // by the model's order
    uint32_t view_starts[GW_FEATURE_VIEWS_MAX];
    struct gw_segment views[GW_FEATURE_VIEWS_MAX];
    struct gw_segment cross;
};

// Where a feature is computed: 0 .. views - 1, or one of these.
#define PLACE_REQUEST GW_FEATURE_VIEWS_MAX
#define PLACE_CROSS   (GW_FEATURE_VIEWS_MAX + 1)

static uint32_t place_of(const struct gw_feature *feature)
{
    if (feature->kind == GW_FEATURE_REQUEST) {
        return PLACE_REQUEST;
    }
    bool one_view = feature->view_mask != 0 && (feature->view_mask & (feature->view_mask - 1)) == 0;
    return one_view && !feature->uses_request ? (uint32_t)__builtin_ctz(feature->view_mask) : PLACE_CROSS;
}

static gw_status out_of_memory(gw_err *err)
{
    return gw_fail(err, GW_E_MEMORY, "no memory for a feature plan");
}

// What is known while a plan is built.
struct planner {
    struct gw_feature_plan *plan;
    uint32_t *features; // by the model's order
    size_t count;
    bool chosen[GW_FEATURE_COUNT_MAX];        // the model has the feature
    uint32_t column_of[GW_FEATURE_COUNT_MAX]; // of chosen features
};

static gw_status choose(struct planner *planner, const char *const *names, gw_err *err)
{
    const struct gw_feature_set *set = planner->plan->set;
    for (size_t i = 0; i < planner->count; i++) {
        uint32_t index = 0;
        GW_TRY(gw_feature_find(set, names[i], strlen(names[i]), &index, err));
        if (set->features[index].hidden) {
            return gw_fail(err, GW_E_CONFIG, "feature '%s' is hidden: it only serves others", names[i]);
        }
        planner->chosen[index] = true;
        planner->features[i] = index;
    }
    return GW_OK;
}

// Chosen features of a place become the outputs of its segment, from float `start`.
static gw_status plan_segment(struct planner *planner, uint32_t place, uint32_t start, struct gw_segment *segment,
                              gw_err *err)
{
    const struct gw_feature_set *set = planner->plan->set;
    bool wanted[GW_FEATURE_COUNT_MAX];
    for (size_t i = 0; i < set->feature_count; i++) {
        wanted[i] = planner->chosen[i] && place_of(&set->features[i]) == place;
    }
    GW_TRY(gw_segment_build(set, wanted, &planner->plan->arena, segment, err));
    for (uint32_t i = 0; i < segment->output_count; i++) {
        planner->column_of[segment->output_features[i]] = start + i;
    }
    return GW_OK;
}

// The value's index among the names asked of the caller; features that bind to one name share it.
static uint32_t request_index(struct gw_feature_plan *plan, const char *name)
{
    uint32_t i = 0;
    while (i < plan->request_count && strcmp(plan->request_names[i], name) != 0) {
        i++;
    }
    if (i == plan->request_count) {
        plan->request_names[plan->request_count++] = name;
    }
    return i;
}

static void plan_requests(struct planner *planner)
{
    struct gw_feature_plan *plan = planner->plan;
    const struct gw_feature_set *set = plan->set;
    for (uint32_t i = 0; i < set->feature_count; i++) {
        if (planner->chosen[i] && set->features[i].kind == GW_FEATURE_REQUEST) {
            planner->column_of[i] = plan->request_start + request_index(plan, set->features[i].request_name);
        }
    }
    for (uint32_t i = 0; i < plan->cross.request_count; i++) {
        struct gw_segment_request *request = &plan->cross.requests[i];
        request->value_index = request_index(plan, set->features[request->feature].request_name);
    }
}

static gw_status build(struct planner *planner, const char *const *names, gw_err *err)
{
    struct gw_feature_plan *plan = planner->plan;
    const struct gw_feature_set *set = plan->set;
    plan->columns = gw_arena_array(&plan->arena, planner->count + 1, sizeof *plan->columns);
    planner->features = gw_arena_array(&plan->arena, planner->count + 1, sizeof *planner->features);
    plan->request_names = gw_arena_array(&plan->arena, set->feature_count + 1, sizeof(const char *));
    if (plan->columns == NULL || planner->features == NULL || plan->request_names == NULL) {
        return out_of_memory(err);
    }
    GW_TRY(choose(planner, names, err));

    for (uint32_t view = 0; view < set->view_count; view++) {
        plan->view_starts[view] = plan->width;
        GW_TRY(plan_segment(planner, view, plan->width, &plan->views[view], err));
        plan->width += plan->views[view].output_count;
    }
    // Which request values are wanted is known only when the cross segment is, and that one starts behind them.
    plan->request_start = plan->width;
    GW_TRY(plan_segment(planner, PLACE_CROSS, 0, &plan->cross, err));
    plan_requests(planner);
    plan->cross_start = plan->request_start + plan->request_count;
    plan->width = plan->cross_start + plan->cross.output_count;
    for (uint32_t i = 0; i < plan->cross.output_count; i++) {
        planner->column_of[plan->cross.output_features[i]] += plan->cross_start;
    }
    for (size_t i = 0; i < planner->count; i++) {
        plan->columns[i] = planner->column_of[planner->features[i]];
    }
    return GW_OK;
}

gw_status gw_feature_plan_new(const struct gw_feature_set *set, const char *const *names, size_t count,
                              struct gw_feature_plan **ret_plan, gw_err *err)
{
    struct gw_feature_plan *plan = gw_mem_calloc(1, sizeof *plan);
    struct planner *planner = gw_mem_calloc(1, sizeof *planner);
    if (plan == NULL || planner == NULL) {
        gw_mem_free(planner);
        gw_mem_free(plan);
        return out_of_memory(err);
    }
    plan->set = set;
    gw_arena_init(&plan->arena, (size_t)16 * 1024, (size_t)64 * 1024 * 1024);
    *planner = (struct planner){.plan = plan, .count = count};
    gw_status status = build(planner, names, err);
    gw_mem_free(planner);
    if (status != GW_OK) {
        gw_feature_plan_free(plan);
        return status;
    }
    *ret_plan = plan;
    return GW_OK;
}

void gw_feature_plan_free(struct gw_feature_plan *plan)
{
    if (plan == NULL) {
        return;
    }
    gw_arena_deinit(&plan->arena);
    gw_mem_free(plan);
}

size_t gw_feature_plan_width(const struct gw_feature_plan *plan)
{
    return plan->width;
}

const uint32_t *gw_feature_plan_columns(const struct gw_feature_plan *plan)
{
    return plan->columns;
}

void gw_feature_plan_view_segment(const struct gw_feature_plan *plan, size_t view_index, uint32_t *ret_start,
                                  uint32_t *ret_width)
{
    GW_ASSERT(view_index < plan->set->view_count);
    *ret_start = plan->view_starts[view_index];
    *ret_width = plan->views[view_index].output_count;
}

uint32_t gw_feature_plan_row_mask(const struct gw_feature_plan *plan)
{
    uint32_t mask = 0;
    for (uint32_t view = 0; view < plan->set->view_count; view++) {
        mask |= plan->views[view].output_count > 0 ? 1u << view : 0;
    }
    for (uint32_t i = 0; i < plan->cross.view_count; i++) {
        mask |= 1u << plan->cross.views[i].view;
    }
    return mask;
}

static void run(const struct gw_segment *segment, const struct gw_feature_set *set, const uint8_t *const *rows,
                const float *request_values, int64_t now_us, float *outputs)
{
    double slots[GW_FEATURE_COUNT_MAX];
    gw_segment_run(segment, set, rows, request_values, now_us, slots);
    for (uint32_t i = 0; i < segment->output_count; i++) {
        outputs[i] = gw_segment_float(slots[segment->output_slots[i]]);
    }
}

void gw_feature_plan_eval_view(const struct gw_feature_plan *plan, size_t view_index, const uint8_t *row,
                               int64_t now_us, float *segment)
{
    GW_ASSERT(view_index < plan->set->view_count);
    const uint8_t *rows[GW_FEATURE_VIEWS_MAX];
    rows[view_index] = row; // the only view that the segment reads
    run(&plan->views[view_index], plan->set, rows, NULL, now_us, segment);
}

size_t gw_feature_plan_request_names(const struct gw_feature_plan *plan, const char *const **ret_names,
                                     uint32_t *ret_start)
{
    *ret_names = plan->request_names;
    *ret_start = plan->request_start;
    return plan->request_count;
}

void gw_feature_plan_eval_cross(const struct gw_feature_plan *plan, const uint8_t *const *rows, int64_t now_us,
                                float *vector)
{
    run(&plan->cross, plan->set, rows, vector + plan->request_start, now_us, vector + plan->cross_start);
}

bool gw_feature_plan_has_cross(const struct gw_feature_plan *plan)
{
    return plan->cross.output_count > 0;
}
