// SPDX-License-Identifier: MIT
#include "feature/segment.h"

#include "base/check.h"
#include "base/mem.h"
#include "feature/decay.h"
#include "feature/internal.h"
#include "feature/row.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define NO_SLOT UINT32_MAX

// What is known while a segment is built; heap, because it is larger than a stack frame should be.
struct builder {
    uint32_t slots[GW_FEATURE_COUNT_MAX]; // by feature; NO_SLOT: not needed
    uint32_t order[GW_FEATURE_COUNT_MAX]; // needed features, dependencies first: order[slot] is the feature
    uint32_t needed_count;
};

// Depth is bounded at compilation of the set.
static void need(const struct gw_feature_set *set, struct builder *builder, uint32_t index)
{
    if (builder->slots[index] != NO_SLOT) {
        return;
    }
    const struct gw_feature *feature = &set->features[index];
    if (feature->kind == GW_FEATURE_DERIVED) {
        for (uint32_t i = 0; i < feature->expr.op_count; i++) {
            if (feature->expr.ops[i].code == GW_EXPR_LOAD) {
                need(set, builder, feature->expr.ops[i].index);
            }
        }
    }
    builder->slots[index] = builder->needed_count;
    builder->order[builder->needed_count++] = index;
}

static gw_status out_of_memory(gw_err *err)
{
    return gw_fail(err, GW_E_MEMORY, "no memory for a feature plan");
}

static gw_status build_loads(const struct gw_feature_set *set, const struct builder *builder, uint32_t view_index,
                             struct gw_arena *arena, struct gw_segment_view *ret_view, gw_err *err)
{
    struct gw_segment_load loads[GW_FEATURE_COLUMNS_MAX];
    struct gw_segment_view built = {.view = view_index};
    for (uint32_t slot = 0; slot < builder->needed_count; slot++) {
        const struct gw_feature *feature = &set->features[builder->order[slot]];
        if (feature->kind != GW_FEATURE_ROW || feature->view != view_index) {
            continue;
        }
        const struct gw_column *column = &set->views[view_index].columns[feature->column];
        if (column->half_life_us > 0) {
            built.half_life_mask |= 1u << column->half_life_index;
        }
        GW_ASSERT(built.load_count < GW_FEATURE_COLUMNS_MAX);
        loads[built.load_count++] =
            (struct gw_segment_load){.slot = slot, .column = feature->column, .missing_zero = feature->missing_zero};
    }
    struct gw_segment_load *kept = gw_arena_array(arena, built.load_count + 1, sizeof *kept);
    if (kept == NULL) {
        return out_of_memory(err);
    }
    memcpy(kept, loads, built.load_count * sizeof *kept);
    built.loads = kept;
    *ret_view = built;
    return GW_OK;
}

static gw_status build_views(const struct gw_feature_set *set, const struct builder *builder, struct gw_arena *arena,
                             struct gw_segment *segment, gw_err *err)
{
    struct gw_segment_view *views = gw_arena_array(arena, set->view_count + 1, sizeof *views);
    if (views == NULL) {
        return out_of_memory(err);
    }
    for (uint32_t view = 0; view < set->view_count; view++) {
        struct gw_segment_view built = {0};
        GW_TRY(build_loads(set, builder, view, arena, &built, err));
        if (built.load_count > 0) {
            views[segment->view_count++] = built;
        }
    }
    segment->views = views;
    return GW_OK;
}

static gw_status build_program(const struct gw_feature_set *set, const struct builder *builder, struct gw_arena *arena,
                               struct gw_segment *segment, gw_err *err)
{
    uint32_t op_count = 0;
    for (uint32_t slot = 0; slot < builder->needed_count; slot++) {
        const struct gw_feature *feature = &set->features[builder->order[slot]];
        op_count += feature->kind == GW_FEATURE_DERIVED ? feature->expr.op_count + 1 : 0;
    }
    struct gw_expr_op *ops = gw_arena_array(arena, op_count + 1, sizeof *ops);
    struct gw_segment_request *requests = gw_arena_array(arena, builder->needed_count + 1, sizeof *requests);
    if (ops == NULL || requests == NULL) {
        return out_of_memory(err);
    }

    for (uint32_t slot = 0; slot < builder->needed_count; slot++) {
        const struct gw_feature *feature = &set->features[builder->order[slot]];
        if (feature->kind == GW_FEATURE_REQUEST) {
            requests[segment->request_count++] =
                (struct gw_segment_request){.slot = slot, .feature = builder->order[slot]};
        }
        if (feature->kind != GW_FEATURE_DERIVED) {
            continue;
        }
        for (uint32_t i = 0; i < feature->expr.op_count; i++) {
            struct gw_expr_op op = feature->expr.ops[i];
            if (op.code == GW_EXPR_LOAD) {
                op.index = builder->slots[op.index];
            }
            ops[segment->op_count++] = op;
        }
        ops[segment->op_count++] =
            (struct gw_expr_op){.code = feature->missing_zero ? GW_EXPR_STORE_ZERO : GW_EXPR_STORE, .index = slot};
    }
    segment->ops = ops;
    segment->requests = requests;
    return GW_OK;
}

static gw_status build(const struct gw_feature_set *set, const bool *wanted, struct builder *builder,
                       struct gw_arena *arena, struct gw_segment *ret_segment, gw_err *err)
{
    struct gw_segment segment = {0};
    uint32_t *slots = gw_arena_array(arena, set->feature_count + 1, sizeof *slots);
    uint32_t *features = gw_arena_array(arena, set->feature_count + 1, sizeof *features);
    if (slots == NULL || features == NULL) {
        return out_of_memory(err);
    }
    for (uint32_t i = 0; i < GW_FEATURE_COUNT_MAX; i++) {
        builder->slots[i] = NO_SLOT;
    }
    for (uint32_t i = 0; i < set->feature_count; i++) {
        if (wanted[i]) {
            need(set, builder, i);
            slots[segment.output_count] = builder->slots[i];
            features[segment.output_count++] = i;
        }
    }
    segment.output_slots = slots;
    segment.output_features = features;
    segment.slot_count = builder->needed_count;
    GW_TRY(build_views(set, builder, arena, &segment, err));
    GW_TRY(build_program(set, builder, arena, &segment, err));
    *ret_segment = segment;
    return GW_OK;
}

gw_status gw_segment_build(const struct gw_feature_set *set, const bool *wanted, struct gw_arena *arena,
                           struct gw_segment *ret_segment, gw_err *err)
{
    GW_CLEANUP(gw_mem_cleanup) struct builder *builder = gw_mem_calloc(1, sizeof *builder);
    if (builder == NULL) {
        return out_of_memory(err);
    }
    return build(set, wanted, builder, arena, ret_segment, err);
}

static void load_missing(const struct gw_segment_view *loads, double *slots)
{
    for (uint32_t i = 0; i < loads->load_count; i++) {
        slots[loads->loads[i].slot] = loads->loads[i].missing_zero ? 0 : NAN;
    }
}

static void load_row(const struct gw_segment_view *loads, const struct gw_view *view, const uint8_t *row,
                     int64_t now_us, double *slots)
{
    double factors[GW_FEATURE_HALF_LIVES_MAX];
    uint64_t elapsed_us = gw_elapsed_us(gw_row_event_time_us(row), now_us);
    for (uint32_t mask = loads->half_life_mask; mask != 0; mask &= mask - 1) {
        uint32_t index = (uint32_t)__builtin_ctz(mask);
        factors[index] = gw_decay(elapsed_us, view->half_lives_us[index]);
    }

    uint64_t nulls = gw_load_le64(row + GW_ROW_NULLS_OFFSET);
    for (uint32_t i = 0; i < loads->load_count; i++) {
        const struct gw_segment_load *load = &loads->loads[i];
        const struct gw_column *column = &view->columns[load->column];
        double value = NAN;
        if ((nulls >> load->column & 1) == 0) {
            struct gw_cell_now now = {.factor = column->half_life_us > 0 ? factors[column->half_life_index] : 1};
            value = column->aggregate->read(column, row + column->offset, &now);
        } else if (column->aggregate->counts) {
            value = 0;
        }
        if (!isfinite(value)) {
            value = load->missing_zero ? 0 : NAN;
        }
        slots[load->slot] = value;
    }
}

void gw_segment_run(const struct gw_segment *segment, const struct gw_feature_set *set, const uint8_t *const *rows,
                    const float *request_values, int64_t now_us, double *slots)
{
    for (uint32_t i = 0; i < segment->view_count; i++) {
        const struct gw_segment_view *loads = &segment->views[i];
        const uint8_t *row = rows[loads->view];
        if (row == NULL || gw_row_is_deleted(row)) {
            load_missing(loads, slots);
        } else {
            load_row(loads, &set->views[loads->view], row, now_us, slots);
        }
    }
    for (uint32_t i = 0; i < segment->request_count; i++) {
        double value = (double)request_values[segment->requests[i].value_index];
        slots[segment->requests[i].slot] = isfinite(value) ? value : NAN;
    }
    gw_expr_run(segment->ops, segment->op_count, now_us, slots);
}

float gw_segment_float(double value)
{
    return fabs(value) <= (double)FLT_MAX ? (float)value + 0.0f : NAN;
}
