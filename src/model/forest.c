// SPDX-License-Identifier: MIT
#include "model/forest.h"

#include "base/check.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

const char *gw_objective_name(enum gw_objective objective)
{
    static const char *const names[] = {
#define X(suffix, name) name,
        GW_OBJECTIVE_MAP(X)
#undef X
    };
    GW_ASSERT((size_t)objective < GW_COUNT_OF(names));
    return names[objective];
}

struct gw_forest *gw_forest_new(void)
{
    return gw_mem_calloc(1, sizeof(struct gw_forest));
}

void gw_forest_free(struct gw_forest *forest)
{
    if (forest == NULL) {
        return;
    }
    if (forest->feature_names != NULL) {
        for (uint32_t f = 0; f < forest->feature_count; f++) {
            gw_mem_free(forest->feature_names[f]);
        }
    }
    gw_mem_free(forest->feature_names);
    gw_mem_free(forest->nodes);
    gw_mem_free(forest->trees);
    gw_mem_free(forest);
}

static gw_status reserve(struct gw_forest *forest, uint32_t more_nodes, gw_err *err)
{
    if (forest->tree_count == GW_FOREST_TREES_MAX) {
        return gw_fail(err, GW_E_TOO_LARGE, "more than %u trees", GW_FOREST_TREES_MAX);
    }
    if (more_nodes > GW_FOREST_NODES_MAX - forest->node_count) {
        return gw_fail(err, GW_E_TOO_LARGE, "more than %u nodes in all trees", GW_FOREST_NODES_MAX);
    }
    if (forest->tree_count == forest->tree_capacity) {
        uint32_t capacity = GW_MAX(64, 2 * forest->tree_capacity);
        struct gw_forest_tree *trees = gw_mem_realloc(forest->trees, capacity, sizeof *trees);
        if (trees == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for %u trees", capacity);
        }
        forest->trees = trees;
        forest->tree_capacity = capacity;
    }
    if (more_nodes > forest->node_capacity - forest->node_count) {
        uint32_t capacity = GW_MAX(forest->node_count + more_nodes, 2 * forest->node_capacity);
        struct gw_forest_node *nodes = gw_mem_realloc(forest->nodes, capacity, sizeof *nodes);
        if (nodes == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for %u nodes", capacity);
        }
        forest->nodes = nodes;
        forest->node_capacity = capacity;
    }
    return GW_OK;
}

static gw_status check_child(const struct gw_forest_source *source, int32_t node, int32_t child, uint8_t *seen,
                             gw_err *err)
{
    if (child <= 0 || (uint32_t)child >= source->node_count) {
        return gw_fail(err, GW_E_INVALID, "node %d: child %d, expected 1 to %u", node, child, source->node_count - 1);
    }
    if (seen[child]) {
        return gw_fail(err, GW_E_INVALID, "node %d: child %d is reached twice", node, child);
    }
    seen[child] = 1;
    return GW_OK;
}

// Checks source node `at` and writes it to *node; *ret_leaf says whether it has no children.
static gw_status take_node(const struct gw_forest *forest, const struct gw_forest_source *source, int32_t at,
                           uint8_t *seen, struct gw_forest_node *node, gw_err *err)
{
    *node = (struct gw_forest_node){.value = source->value[at]};
    if (source->left[at] == -1 && source->right[at] == -1) {
        if (!isfinite(node->value)) {
            return gw_fail(err, GW_E_INVALID, "node %d: leaf value is not finite", at);
        }
        return GW_OK;
    }
    GW_TRY(check_child(source, at, source->left[at], seen, err));
    GW_TRY(check_child(source, at, source->right[at], seen, err));
    if (source->feature[at] < 0 || (uint32_t)source->feature[at] >= forest->feature_count) {
        return gw_fail(err, GW_E_INVALID, "node %d: split feature %d, expected below %u", at, source->feature[at],
                       forest->feature_count);
    }
    if (isnan(node->value)) {
        return gw_fail(err, GW_E_INVALID, "node %d: threshold is NaN", at);
    }
    node->feature = (uint32_t)source->feature[at];
    node->default_left = source->default_left[at] != 0;
    return GW_OK;
}

// Breadth-first from the root: every child stands behind its parent and next to its sibling. `order[i]` is the source
// node that becomes node i; it holds at most node_count entries because no node is entered twice.
static gw_status take_tree(struct gw_forest *forest, const struct gw_forest_source *source, int32_t *order,
                           uint8_t *seen, gw_err *err)
{
    struct gw_forest_node *nodes = forest->nodes + forest->node_count;
    uint32_t taken = 0;
    uint32_t known = 1;
    uint32_t level_end = 1;
    uint32_t depth = 0;
    order[0] = 0;
    seen[0] = 1;
    while (taken < known) {
        if (taken == level_end) {
            level_end = known;
            depth++;
            if (depth > GW_FOREST_DEPTH_MAX) {
                return gw_fail(err, GW_E_TOO_LARGE, "deeper than %u", GW_FOREST_DEPTH_MAX);
            }
        }
        int32_t at = order[taken];
        GW_TRY(take_node(forest, source, at, seen, &nodes[taken], err));
        if (source->left[at] != -1) {
            nodes[taken].left = known;
            order[known] = source->left[at];
            order[known + 1] = source->right[at];
            known += 2;
        }
        taken++;
    }
    forest->trees[forest->tree_count++] =
        (struct gw_forest_tree){.first_node = forest->node_count, .node_count = taken, .depth = depth};
    forest->node_count += taken;
    forest->depth_max = GW_MAX(forest->depth_max, depth);
    return GW_OK;
}

gw_status gw_forest_add_tree(struct gw_forest *forest, const struct gw_forest_source *source, gw_err *err)
{
    if (source->node_count == 0) {
        return gw_fail(err, GW_E_INVALID, "no nodes");
    }
    if (source->node_count > GW_FOREST_TREE_NODES_MAX) {
        return gw_fail(err, GW_E_TOO_LARGE, "%u nodes, at most %u", source->node_count, GW_FOREST_TREE_NODES_MAX);
    }
    GW_TRY(reserve(forest, source->node_count, err));
    GW_CLEANUP(gw_mem_cleanup) int32_t *order = gw_mem_calloc(source->node_count, sizeof *order);
    GW_CLEANUP(gw_mem_cleanup) uint8_t *seen = gw_mem_calloc(source->node_count, sizeof *seen);
    if (order == NULL || seen == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for %u nodes", source->node_count);
    }
    return take_tree(forest, source, order, seen, err);
}

float gw_forest_margin(const struct gw_forest *forest, const float *features)
{
    float margin = forest->base_margin;
    for (uint32_t t = 0; t < forest->tree_count; t++) {
        const struct gw_forest_node *nodes = forest->nodes + forest->trees[t].first_node;
        uint32_t at = 0;
        while (nodes[at].left != 0) {
            float x = features[nodes[at].feature];
            bool left = isnan(x) ? nodes[at].default_left != 0 : x < nodes[at].value;
            at = nodes[at].left + (left ? 0 : 1);
        }
        margin += nodes[at].value;
    }
    return margin;
}

double gw_forest_margin_bound(const struct gw_forest *forest)
{
    double bound = fabs((double)forest->base_margin);
    for (uint32_t t = 0; t < forest->tree_count; t++) {
        const struct gw_forest_tree *tree = &forest->trees[t];
        float largest = 0;
        for (uint32_t n = tree->first_node; n < tree->first_node + tree->node_count; n++) {
            if (forest->nodes[n].left == 0) {
                largest = fmaxf(largest, fabsf(forest->nodes[n].value));
            }
        }
        bound += (double)largest;
    }
    return bound;
}
