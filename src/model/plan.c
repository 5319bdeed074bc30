// SPDX-License-Identifier: MIT
#include "model/plan.h"

#include "base/check.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

#define LANES       8      // rows that descend together
#define VIEW_FLOATS 16384u // of a block's views, on the stack: 64 KiB
#define VIEWS_MAX   (VIEW_FLOATS / LANES)
#define BLOCK_LANES 8 // LANES groups in a block, at most
#define NO_VIEW     UINT32_MAX

struct heap_node {
    float threshold;
    uint32_t view; // index of the view times LANES: where its lanes begin in a lane group
};

// A run of consecutive trees, all heaps of one depth, or one tree to be walked.
struct group {
    uint32_t tree_count;
    uint32_t depth; // of the heaps
    bool walked;
    size_t first_node; // in heap_nodes or walk_nodes
    size_t first_leaf; // in leaves; heaps only
};

struct view {
    uint32_t column;
    float missing; // what NaN becomes: -inf or +inf
};

struct plan_forest {
    float base_margin;
    size_t first_group;
    size_t group_count;
};

struct gw_plan {
    size_t forest_count;
    uint32_t view_count;
    uint32_t block_lanes; // lane groups in a block
    struct plan_forest *forests;
    struct group *groups;
    struct heap_node *heap_nodes;
    float *leaves;
    struct gw_forest_node *walk_nodes; // `feature` is the column
    struct view *views;
};

// While a plan is compiled.
struct compile {
    const struct gw_forest *const *forests;
    const uint32_t *columns;
    struct gw_plan *plan;
    uint32_t *view_of; // [2 * column + default_left] -> view index or NO_VIEW
    bool walk_all;
    size_t group_count;
    size_t heap_node_count;
    size_t leaf_count;
    size_t walk_node_count;
};

static const struct gw_forest_node *tree_nodes(const struct gw_forest *forest, uint32_t tree)
{
    return forest->nodes + forest->trees[tree].first_node;
}

static bool is_walked(const struct compile *c, const struct gw_forest *forest, uint32_t tree)
{
    if (c->walk_all || forest->trees[tree].depth > GW_PLAN_HEAP_DEPTH_MAX) {
        return true;
    }
    const struct gw_forest_node *nodes = tree_nodes(forest, tree);
    for (uint32_t n = 0; n < forest->trees[tree].node_count; n++) {
        if (nodes[n].left != 0 && nodes[n].value == -INFINITY) {
            return true;
        }
    }
    return false;
}

// Numbers the (column, side) pairs of all inner nodes. More than VIEWS_MAX: all trees are walked, without views.
static void number_views(struct compile *c)
{
    uint32_t count = 0;
    for (size_t f = 0; f < c->plan->forest_count; f++) {
        const struct gw_forest *forest = c->forests[f];
        for (uint32_t n = 0; n < forest->node_count; n++) {
            const struct gw_forest_node *node = &forest->nodes[n];
            uint32_t *view = &c->view_of[2 * (size_t)c->columns[node->feature] + node->default_left];
            if (node->left == 0 || *view != NO_VIEW) {
                continue;
            }
            if (count == VIEWS_MAX) {
                c->walk_all = true;
                return;
            }
            *view = count++;
        }
    }
    c->plan->view_count = count;
}

// One step through the trees of a forest: the next group, without its places in the arrays.
static struct group next_group(const struct compile *c, const struct gw_forest *forest, uint32_t first)
{
    if (is_walked(c, forest, first)) {
        return (struct group){.tree_count = 1, .walked = true};
    }
    struct group group = {.depth = forest->trees[first].depth, .tree_count = 1};
    while (group.tree_count < GW_PLAN_GROUP_TREES && first + group.tree_count < forest->tree_count &&
           !is_walked(c, forest, first + group.tree_count)) {
        group.depth = GW_MAX(group.depth, forest->trees[first + group.tree_count].depth);
        group.tree_count++;
    }
    return group;
}

// Adds a group's needs to the totals and writes its places.
static void place_group(struct compile *c, const struct gw_forest *forest, uint32_t first, struct group *group)
{
    c->group_count++;
    if (group->walked) {
        group->first_node = c->walk_node_count;
        c->walk_node_count += forest->trees[first].node_count;
        return;
    }
    group->first_node = c->heap_node_count;
    group->first_leaf = c->leaf_count;
    c->heap_node_count += (size_t)group->tree_count * (((size_t)1 << group->depth) - 1);
    c->leaf_count += (size_t)group->tree_count << group->depth;
}

static void count_groups(struct compile *c)
{
    c->group_count = c->heap_node_count = c->leaf_count = c->walk_node_count = 0;
    for (size_t f = 0; f < c->plan->forest_count; f++) {
        const struct gw_forest *forest = c->forests[f];
        for (uint32_t tree = 0; tree < forest->tree_count;) {
            struct group group = next_group(c, forest, tree);
            place_group(c, forest, tree, &group);
            tree += group.tree_count;
        }
    }
}

// Fills heap slot by slot: `at[slot]` is the tree's node that stands there. Children of a leaf are the leaf again,
// below a node that sends everything one way or the other to the same value.
static void fill_heap(const struct compile *c, const struct gw_forest_node *nodes, uint32_t depth,
                      struct heap_node *heap, float *leaves)
{
    uint32_t at[(2u << GW_PLAN_HEAP_DEPTH_MAX) - 1];
    const uint32_t inner_count = (1u << depth) - 1;
    at[0] = 0;
    for (uint32_t slot = 0; slot < inner_count; slot++) {
        const struct gw_forest_node *node = &nodes[at[slot]];
        bool leaf = node->left == 0;
        at[2 * slot + 1] = leaf ? at[slot] : node->left;
        at[2 * slot + 2] = leaf ? at[slot] : node->left + 1;
        heap[slot] = (struct heap_node){0};
        if (!leaf) {
            uint32_t view = c->view_of[2 * (size_t)c->columns[node->feature] + node->default_left];
            heap[slot] = (struct heap_node){.threshold = node->value, .view = view * LANES};
        }
    }
    for (uint32_t leaf = 0; leaf <= inner_count; leaf++) {
        leaves[leaf] = nodes[at[inner_count + leaf]].value;
    }
}

static void fill_group(const struct compile *c, const struct gw_forest *forest, uint32_t first,
                       const struct group *group)
{
    if (group->walked) {
        struct gw_forest_node *to = c->plan->walk_nodes + group->first_node;
        const struct gw_forest_node *from = tree_nodes(forest, first);
        for (uint32_t n = 0; n < forest->trees[first].node_count; n++) {
            to[n] = from[n];
            to[n].feature = c->columns[from[n].feature];
        }
        return;
    }
    for (uint32_t t = 0; t < group->tree_count; t++) {
        fill_heap(c, tree_nodes(forest, first + t), group->depth,
                  c->plan->heap_nodes + group->first_node + (size_t)t * ((1u << group->depth) - 1),
                  c->plan->leaves + group->first_leaf + ((size_t)t << group->depth));
    }
}

static void fill_plan(struct compile *c, size_t width)
{
    struct gw_plan *plan = c->plan;
    for (size_t i = 0; i < 2 * width; i++) {
        if (plan->view_count > 0 && c->view_of[i] != NO_VIEW) {
            plan->views[c->view_of[i]] =
                (struct view){.column = (uint32_t)(i / 2), .missing = i % 2 == 1 ? -INFINITY : INFINITY};
        }
    }
    c->group_count = c->heap_node_count = c->leaf_count = c->walk_node_count = 0;
    for (size_t f = 0; f < plan->forest_count; f++) {
        const struct gw_forest *forest = c->forests[f];
        plan->forests[f] = (struct plan_forest){.base_margin = forest->base_margin, .first_group = c->group_count};
        for (uint32_t tree = 0; tree < forest->tree_count;) {
            struct group group = next_group(c, forest, tree);
            size_t index = c->group_count;
            place_group(c, forest, tree, &group);
            plan->groups[index] = group;
            fill_group(c, forest, tree, &group);
            tree += group.tree_count;
        }
        plan->forests[f].group_count = c->group_count - plan->forests[f].first_group;
    }
}

static gw_status compile(struct compile *c, size_t width, gw_err *err)
{
    struct gw_plan *plan = c->plan;
    c->view_of = gw_mem_calloc(2 * width, sizeof *c->view_of);
    if (c->view_of == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a scoring plan");
    }
    memset(c->view_of, 0xff, 2 * width * sizeof *c->view_of);
    number_views(c);
    plan->block_lanes =
        plan->view_count == 0 ? BLOCK_LANES : GW_MIN(BLOCK_LANES, VIEW_FLOATS / (plan->view_count * LANES));
    count_groups(c);

    // A heap of depth 0 has no node; nothing here may ask for zero bytes.
    plan->forests = gw_mem_calloc(plan->forest_count, sizeof *plan->forests);
    plan->groups = gw_mem_calloc(c->group_count + 1, sizeof *plan->groups);
    plan->heap_nodes = gw_mem_aligned(GW_CACHE_LINE_BYTES, (c->heap_node_count + 1) * sizeof *plan->heap_nodes);
    plan->leaves = gw_mem_aligned(GW_CACHE_LINE_BYTES, (c->leaf_count + 1) * sizeof *plan->leaves);
    plan->walk_nodes = gw_mem_aligned(GW_CACHE_LINE_BYTES, (c->walk_node_count + 1) * sizeof *plan->walk_nodes);
    plan->views = gw_mem_calloc(plan->view_count + 1, sizeof *plan->views);
    if (plan->forests == NULL || plan->groups == NULL || plan->heap_nodes == NULL || plan->leaves == NULL ||
        plan->walk_nodes == NULL || plan->views == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a scoring plan");
    }
    fill_plan(c, width);
    return GW_OK;
}

gw_status gw_plan_new(struct gw_forest *const *forests, size_t forest_count, const uint32_t *columns, size_t width,
                      struct gw_plan **ret_plan, gw_err *err)
{
    GW_ASSERT(forest_count > 0 && width > 0);
    struct compile c = {.forests = (const struct gw_forest *const *)forests, .columns = columns};
    c.plan = gw_mem_calloc(1, sizeof *c.plan);
    if (c.plan == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a scoring plan");
    }
    c.plan->forest_count = forest_count;
    gw_status status = compile(&c, width, err);
    gw_mem_free(c.view_of);
    if (status != GW_OK) {
        gw_plan_free(c.plan);
        return status;
    }
    *ret_plan = c.plan;
    return GW_OK;
}

void gw_plan_free(struct gw_plan *plan)
{
    if (plan == NULL) {
        return;
    }
    gw_mem_free(plan->views);
    gw_mem_free(plan->walk_nodes);
    gw_mem_free(plan->leaves);
    gw_mem_free(plan->heap_nodes);
    gw_mem_free(plan->groups);
    gw_mem_free(plan->forests);
    gw_mem_free(plan);
}

// The views of up to LANES rows: views[v * LANES + lane]. Lanes without a row hold the last row again.
static void fill_views(const struct gw_plan *plan, const float *rows, size_t stride, size_t row_count, float *views)
{
    const float *row[LANES];
    for (size_t lane = 0; lane < LANES; lane++) {
        row[lane] = rows + GW_MIN(lane, row_count - 1) * stride;
    }
    for (uint32_t v = 0; v < plan->view_count; v++) {
        const struct view view = plan->views[v];
        for (size_t lane = 0; lane < LANES; lane++) {
            float x = row[lane][view.column];
            views[v * LANES + lane] = isnan(x) ? view.missing : x;
        }
    }
}

// LANES rows down one tree.
static inline void descend_rows(const struct heap_node *heap, uint32_t depth, const float *leaves, const float *views,
                                float *sums)
{
    uint32_t at[LANES] = {0};
    for (uint32_t level = 0; level < depth; level++) {
        for (uint32_t lane = 0; lane < LANES; lane++) {
            const struct heap_node node = heap[at[lane]];
            at[lane] = 2 * at[lane] + 2 - (views[node.view + lane] < node.threshold);
        }
    }
    const uint32_t inner_count = (1u << depth) - 1;
    for (uint32_t lane = 0; lane < LANES; lane++) {
        sums[lane] += leaves[at[lane] - inner_count];
    }
}

// One row down `tree_count` trees of a group; `views` points at the row's lane.
static inline void descend_trees(const struct heap_node *heaps, uint32_t depth, const float *leaves,
                                 uint32_t tree_count, const float *views, float *sum)
{
    const uint32_t inner_count = (1u << depth) - 1;
    uint32_t at[GW_PLAN_GROUP_TREES] = {0};
    for (uint32_t level = 0; level < depth; level++) {
        for (uint32_t t = 0; t < tree_count; t++) {
            const struct heap_node node = heaps[(size_t)t * inner_count + at[t]];
            at[t] = 2 * at[t] + 2 - (views[node.view] < node.threshold);
        }
    }
    for (uint32_t t = 0; t < tree_count; t++) {
        *sum += leaves[((size_t)t << depth) + at[t] - inner_count];
    }
}

static float walk(const struct gw_forest_node *nodes, const float *row)
{
    uint32_t at = 0;
    while (nodes[at].left != 0) {
        float x = row[nodes[at].feature];
        bool left = isnan(x) ? nodes[at].default_left != 0 : x < nodes[at].value;
        at = nodes[at].left + (left ? 0 : 1);
    }
    return nodes[at].value;
}

struct block {
    const float *rows;
    size_t stride;
    uint32_t row_count;
    const float *views; // lane group g begins at g * view_count * LANES
    float sums[BLOCK_LANES * LANES];
};

static void add_heaps(const struct gw_plan *plan, const struct group *group, struct block *block)
{
    const struct heap_node *heaps = plan->heap_nodes + group->first_node;
    const float *leaves = plan->leaves + group->first_leaf;
    const size_t view_floats = (size_t)plan->view_count * LANES;
    const uint32_t inner_count = (1u << group->depth) - 1;

    // A last lane group that is at most half full goes row by row: eight lanes cost about as much as four rows.
    uint32_t full = (block->row_count + LANES / 2 - 1) / LANES;
    for (uint32_t t = 0; t < group->tree_count; t++) {
        for (uint32_t g = 0; g < full; g++) {
            descend_rows(heaps + (size_t)t * inner_count, group->depth, leaves + ((size_t)t << group->depth),
                         block->views + g * view_floats, block->sums + g * LANES);
        }
    }
    for (uint32_t r = full * LANES; r < block->row_count; r++) {
        const float *views = block->views + full * view_floats + r % LANES;
        if (group->tree_count == GW_PLAN_GROUP_TREES) { // a constant count lets the compiler unroll
            descend_trees(heaps, group->depth, leaves, GW_PLAN_GROUP_TREES, views, &block->sums[r]);
        } else {
            descend_trees(heaps, group->depth, leaves, group->tree_count, views, &block->sums[r]);
        }
    }
}

static void add_walked(const struct gw_plan *plan, const struct group *group, struct block *block)
{
    for (uint32_t r = 0; r < block->row_count; r++) {
        block->sums[r] += walk(plan->walk_nodes + group->first_node, block->rows + r * block->stride);
    }
}

void gw_plan_margins(const struct gw_plan *plan, const float *rows, size_t stride, size_t row_count, float *margins)
{
    _Alignas(GW_CACHE_LINE_BYTES) float views[VIEW_FLOATS];
    const size_t block_rows = (size_t)plan->block_lanes * LANES;
    for (size_t first = 0; first < row_count; first += block_rows) {
        struct block block = {.rows = rows + first * stride,
                              .stride = stride,
                              .row_count = (uint32_t)GW_MIN(block_rows, row_count - first),
                              .views = views};
        for (uint32_t r = 0; r < block.row_count; r += LANES) {
            fill_views(plan, block.rows + r * stride, stride, GW_MIN(LANES, block.row_count - r),
                       views + (size_t)r * plan->view_count);
        }
        for (size_t f = 0; f < plan->forest_count; f++) {
            const struct plan_forest *forest = &plan->forests[f];
            for (uint32_t r = 0; r < GW_COUNT_OF(block.sums); r++) {
                block.sums[r] = forest->base_margin;
            }
            for (size_t g = 0; g < forest->group_count; g++) {
                const struct group *group = &plan->groups[forest->first_group + g];
                if (group->walked) {
                    add_walked(plan, group, &block);
                } else {
                    add_heaps(plan, group, &block);
                }
            }
            memcpy(margins + f * row_count + first, block.sums, block.row_count * sizeof(float));
        }
    }
}
