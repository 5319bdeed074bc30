// SPDX-License-Identifier: MIT
// A tree ensemble as every importer leaves it: checked, flat, immutable. Scoring plans are compiled from it.
//
// Rule of a node: a missing value (NaN) goes to the default child; else left iff value < threshold, in float32. The
// margin of a row is base_margin + leaf of tree 0 + leaf of tree 1 ..., added in float32 in this order.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GW_FOREST_TREES_MAX      10000u
#define GW_FOREST_TREE_NODES_MAX (1u << 20)
#define GW_FOREST_NODES_MAX      (1u << 23) // all trees together: 128 MiB
#define GW_FOREST_DEPTH_MAX      512u

// X(suffix, name): what a margin becomes; the names are XGBoost's.
#define GW_OBJECTIVE_MAP(X)                                                                                            \
    X(BINARY_LOGISTIC, "binary:logistic")    /* probability = sigmoid(margin) */                                       \
    X(REG_LOGISTIC, "reg:logistic")          /* the same, labels in [0, 1] */                                          \
    X(REG_SQUARED_ERROR, "reg:squarederror") /* prediction = margin */

enum gw_objective {
#define X(suffix, name) GW_OBJECTIVE_##suffix,
    GW_OBJECTIVE_MAP(X)
#undef X
        GW_OBJECTIVE_COUNT
};

struct gw_forest_node {
    float value;           // threshold of an inner node, output of a leaf
    uint32_t feature;      // index below feature_count; 0 in a leaf
    uint32_t left;         // index within the tree, > own index; right child is left + 1; 0 = leaf
    uint32_t default_left; // 1 when a missing value goes left, else 0
};

struct gw_forest_tree {
    uint32_t first_node; // in gw_forest.nodes; the tree's root, its nodes follow breadth-first
    uint32_t node_count;
    uint32_t depth; // edges on the longest path, 0 = a single leaf
};

struct gw_forest {
    enum gw_objective objective;
    float base_margin;
    uint32_t feature_count;
    char **feature_names; // feature_count of them, or NULL when the file has none
    uint32_t tree_count;
    uint32_t node_count;
    uint32_t depth_max;
    struct gw_forest_tree *trees;
    struct gw_forest_node *nodes;
    uint32_t tree_capacity;
    uint32_t node_capacity;
};

// A tree as files have it: parallel arrays of node_count, children by index, -1 in both = leaf, root 0.
struct gw_forest_source {
    uint32_t node_count;
    const int32_t *left;
    const int32_t *right;
    const int32_t *feature;
    const float *value;
    const uint8_t *default_left;
};

// Gives an empty forest, or NULL when memory is short. Free with gw_forest_free.
GW_CHECK struct gw_forest *gw_forest_new(void);
void gw_forest_free(struct gw_forest *forest);

// Checks a tree and appends it. Nodes that the root does not reach are dropped (files keep pruned ones).
// GW_E_INVALID names the node: children out of range, reached twice (cycle or shared), half a leaf, feature not below
// feature_count, NaN threshold, leaf not finite. GW_E_TOO_LARGE over the bounds above. Importer's thread only.
GW_CHECK gw_status gw_forest_add_tree(struct gw_forest *forest, const struct gw_forest_source *source, gw_err *err);

// Margin of one vector by walking node to node: the plain statement of the rule, the reference for every kernel.
float gw_forest_margin(const struct gw_forest *forest, const float *features);

// No margin is further from 0 than this, but for rounding: |base_margin| + the largest |leaf| of every tree.
double gw_forest_margin_bound(const struct gw_forest *forest);

const char *gw_objective_name(enum gw_objective objective);
