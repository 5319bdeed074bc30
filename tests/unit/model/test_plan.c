// SPDX-License-Identifier: MIT
// The plan against the plain walk of the same forest, on random forests of every shape the plan treats differently.
#include "base/mem.h"
#include "base/rng.h"
#include "model/forest.h"
#include "model/plan.h"
#include "support/testkit.h"

#include <math.h>
#include <string.h>

#define SEED      99u
#define NODES_MAX 4095
#define ROWS      150

static const float values[] = {-INFINITY, -2.0f, -0.0f, 0.0f, 0.5f, 0.50000006f, 1e-42f, 3.0f, INFINITY};

struct shape {
    uint32_t features;
    uint32_t trees;
    uint32_t depth;     // nodes of the last level are leaves
    uint32_t leaf_odds; // of ten, that a node above the last level is a leaf
};

// Grows a random tree breadth-first.
static void add_tree(struct gw_forest *forest, struct gw_rng *rng, const struct shape *shape)
{
    static int32_t left[NODES_MAX];
    static int32_t right[NODES_MAX];
    static int32_t feature[NODES_MAX];
    static float value[NODES_MAX];
    static uint8_t default_left[NODES_MAX];
    static uint32_t depth[NODES_MAX];
    uint32_t count = 1;
    depth[0] = 0;
    for (uint32_t n = 0; n < count; n++) {
        bool leaf =
            depth[n] == shape->depth || count + 2 > NODES_MAX || (n > 0 && gw_rng_below(rng, 10) < shape->leaf_odds);
        left[n] = leaf ? -1 : (int32_t)count;
        right[n] = leaf ? -1 : (int32_t)count + 1;
        feature[n] = (int32_t)gw_rng_below(rng, shape->features);
        value[n] = leaf ? (float)gw_rng_normal(rng) : values[gw_rng_below(rng, GW_COUNT_OF(values))];
        default_left[n] = (uint8_t)gw_rng_below(rng, 2);
        if (!leaf) {
            depth[count] = depth[count + 1] = depth[n] + 1;
            count += 2;
        }
    }
    const struct gw_forest_source source = {count, left, right, feature, value, default_left};
    gw_err err = {0};
    assert_ok_err(gw_forest_add_tree(forest, &source, &err), &err);
}

static struct gw_forest *grow(struct gw_rng *rng, const struct shape *shape)
{
    struct gw_forest *forest = gw_forest_new();
    assert_non_null(forest);
    forest->feature_count = shape->features;
    forest->base_margin = (float)gw_rng_normal(rng);
    for (uint32_t t = 0; t < shape->trees; t++) {
        add_tree(forest, rng, shape);
    }
    return forest;
}

// Two forests over the same columns; feature f stands in column width - 1 - f; rows are one float further apart.
static void compare(const struct shape *shape)
{
    struct gw_rng rng;
    gw_rng_init(&rng, SEED + shape->depth + shape->trees);
    struct gw_forest *forests[2] = {grow(&rng, shape), grow(&rng, shape)};
    const size_t width = shape->features + 2;
    const size_t stride = width + 1;
    uint32_t *columns = gw_mem_calloc(shape->features, sizeof *columns);
    float *rows = gw_mem_calloc(ROWS * stride, sizeof *rows);
    float *vector = gw_mem_calloc(shape->features, sizeof *vector);
    float margins[2 * ROWS];
    assert_true(columns != NULL && rows != NULL && vector != NULL);
    for (uint32_t f = 0; f < shape->features; f++) {
        columns[f] = (uint32_t)width - 1 - f;
    }
    for (size_t i = 0; i < ROWS * stride; i++) {
        uint64_t pick = gw_rng_below(&rng, GW_COUNT_OF(values) + 2);
        rows[i] = pick < GW_COUNT_OF(values) ? values[pick] : NAN;
    }
    struct gw_plan *plan = NULL;
    gw_err err = {0};
    assert_ok_err(gw_plan_new(forests, 2, columns, width, &plan, &err), &err);
    for (size_t count = 0; count <= ROWS; count += count < 20 ? 1 : 13) {
        gw_plan_margins(plan, rows, stride, count, margins);
        for (size_t i = 0; i < 2 * count; i++) {
            for (uint32_t f = 0; f < shape->features; f++) {
                vector[f] = rows[i % count * stride + columns[f]];
            }
            float expected = gw_forest_margin(forests[i / count], vector);
            assert_memory_equal(&margins[i], &expected, sizeof expected);
        }
    }
    gw_plan_free(plan);
    gw_mem_free(vector);
    gw_mem_free(rows);
    gw_mem_free(columns);
    gw_forest_free(forests[0]);
    gw_forest_free(forests[1]);
}

static void heaps_equal_the_walk_at_every_depth(void **state)
{
    (void)state;
    for (uint32_t depth = 0; depth <= GW_PLAN_HEAP_DEPTH_MAX; depth++) {
        compare(&(struct shape){.features = 7, .trees = 19, .depth = depth, .leaf_odds = 2});
    }
}

static void deep_trees_are_walked_in_their_place(void **state)
{
    (void)state;
    compare(&(struct shape){.features = 5, .trees = 12, .depth = 10, .leaf_odds = 3});
    compare(&(struct shape){.features = 5, .trees = 12, .depth = 300, .leaf_odds = 5});
}

static void many_columns_shrink_the_block(void **state)
{
    (void)state;
    compare(&(struct shape){.features = 900, .trees = 40, .depth = 6, .leaf_odds = 0});
}

static void too_many_views_are_walked(void **state)
{
    (void)state;
    compare(&(struct shape){.features = 4000, .trees = 90, .depth = 7, .leaf_odds = 0});
}

static void an_empty_forest_gives_its_base_margin(void **state)
{
    (void)state;
    compare(&(struct shape){.features = 3, .trees = 0, .depth = 3, .leaf_odds = 0});
}

static void compilation_survives_every_failed_allocation(void **state)
{
    (void)state;
    struct gw_rng rng;
    gw_rng_init(&rng, SEED);
    const struct shape shape = {.features = 4, .trees = 9, .depth = 4, .leaf_odds = 2};
    struct gw_forest *forest = grow(&rng, &shape);
    const uint32_t columns[] = {0, 1, 2, 3};
    struct gw_plan *plan = NULL;
    gw_status status = GW_E_MEMORY;
    for (unsigned long n = 1; status != GW_OK; n++) {
        gw_mem_fail_nth(n);
        status = gw_plan_new(&forest, 1, columns, 4, &plan, NULL);
        gw_mem_fail_nth(0);
        assert_true(status == GW_OK || status == GW_E_MEMORY);
        assert_true(n < 100);
    }
    gw_plan_free(plan);
    gw_forest_free(forest);
}

GW_TESTS(heaps_equal_the_walk_at_every_depth, deep_trees_are_walked_in_their_place, many_columns_shrink_the_block,
         too_many_views_are_walked, an_empty_forest_gives_its_base_margin, compilation_survives_every_failed_allocation)
