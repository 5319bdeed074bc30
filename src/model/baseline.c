// SPDX-License-Identifier: MIT
// One balanced tree in XGBoost's JSON, whole enough for XGBoost to load it too. A missing count goes left at every
// node.
#include "model/baseline.h"

#include "base/json.h"
#include "base/number.h"
#include "model/bundle_import.h"

#include <math.h>
#include <stdio.h>

#define LEAF_COUNT (GW_BASELINE_STEPS + 1)
#define NODE_COUNT (2 * LEAF_COUNT - 1)
#define NO_PARENT  INT32_MAX // as XGBoost writes the root's

struct tree {
    uint32_t node_count;
    int32_t left[NODE_COUNT];
    int32_t right[NODE_COUNT];
    int32_t parent[NODE_COUNT];
    float value[NODE_COUNT];
};

static float threshold_of(uint32_t step)
{
    return (float)pow(10, (double)step / 9);
}

static float leaf_of(double prior, uint32_t leaf)
{
    double probability = prior + (1 - prior) / 2 * leaf / GW_BASELINE_STEPS;
    return (float)log(probability / (1 - probability));
}

// Appends the subtree over leaves first to end - 1. Leaf l holds the counts from threshold l - 1 to below threshold l.
// Recursion is as deep as the tree: 7.
static int32_t grow(struct tree *tree, double prior, uint32_t first, uint32_t end, int32_t parent)
{
    uint32_t node = tree->node_count++;
    tree->parent[node] = parent;
    if (end - first == 1) {
        tree->left[node] = tree->right[node] = -1;
        tree->value[node] = leaf_of(prior, first);
        return (int32_t)node;
    }
    uint32_t middle = first + (end - first) / 2;
    tree->value[node] = threshold_of(middle - 1);
    tree->left[node] = grow(tree, prior, first, middle, (int32_t)node);
    tree->right[node] = grow(tree, prior, middle, end, (int32_t)node);
    return (int32_t)node;
}

static void write_member(struct gw_json_writer *to, const char *key, const char *value)
{
    gw_json_write_key(to, key);
    gw_json_write_text(to, value);
}

static void write_integers(struct gw_json_writer *to, const char *key, const int32_t *items, size_t count)
{
    gw_json_write_key(to, key);
    gw_json_array_begin(to);
    for (size_t i = 0; i < count; i++) {
        gw_json_write_i64(to, items[i]);
    }
    gw_json_array_end(to);
}

// XGBoost takes a number without point and exponent for an integer, which it refuses here. Nine digits carry a float32.
static void write_floats(struct gw_json_writer *to, const char *key, const float *items, size_t count)
{
    gw_json_write_key(to, key);
    gw_json_array_begin(to);
    for (size_t i = 0; i < count; i++) {
        char text[GW_NUMBER_FORMAT_BYTES];
        int length = snprintf(text, sizeof text, "%.8E", (double)items[i]);
        gw_json_write_raw(to, gw_slice_make(text, (size_t)length));
    }
    gw_json_array_end(to);
}

static void write_tree(struct gw_json_writer *to, const struct tree *tree)
{
    static const int32_t zeros[NODE_COUNT];
    static const float no_floats[NODE_COUNT];
    int32_t default_left[NODE_COUNT];
    char node_count[16];
    for (size_t n = 0; n < NODE_COUNT; n++) {
        default_left[n] = tree->left[n] != -1;
    }
    snprintf(node_count, sizeof node_count, "%d", NODE_COUNT);
    gw_json_object_begin(to);
    write_floats(to, "base_weights", no_floats, NODE_COUNT);
    write_integers(to, "categories", zeros, 0);
    write_integers(to, "categories_nodes", zeros, 0);
    write_integers(to, "categories_segments", zeros, 0);
    write_integers(to, "categories_sizes", zeros, 0);
    write_integers(to, "default_left", default_left, NODE_COUNT);
    gw_json_write_key(to, "id");
    gw_json_write_i64(to, 0);
    write_integers(to, "left_children", tree->left, NODE_COUNT);
    write_floats(to, "loss_changes", no_floats, NODE_COUNT);
    write_integers(to, "parents", tree->parent, NODE_COUNT);
    write_integers(to, "right_children", tree->right, NODE_COUNT);
    write_floats(to, "split_conditions", tree->value, NODE_COUNT);
    write_integers(to, "split_indices", zeros, NODE_COUNT);
    write_integers(to, "split_type", zeros, NODE_COUNT);
    write_floats(to, "sum_hessian", no_floats, NODE_COUNT);
    gw_json_write_key(to, "tree_param");
    gw_json_object_begin(to);
    write_member(to, "num_deleted", "0");
    write_member(to, "num_feature", "1");
    write_member(to, "num_nodes", node_count);
    write_member(to, "size_leaf_vector", "1");
    gw_json_object_end(to);
    gw_json_object_end(to);
}

static void write_booster(struct gw_json_writer *to, const struct tree *tree)
{
    static const int32_t indptr[] = {0, 1};
    gw_json_write_key(to, "gradient_booster");
    gw_json_object_begin(to);
    gw_json_write_key(to, "model");
    gw_json_object_begin(to);
    gw_json_write_key(to, "gbtree_model_param");
    gw_json_object_begin(to);
    write_member(to, "num_parallel_tree", "1");
    write_member(to, "num_trees", "1");
    gw_json_object_end(to);
    write_integers(to, "iteration_indptr", indptr, 2);
    write_integers(to, "tree_info", indptr, 1);
    gw_json_write_key(to, "trees");
    gw_json_array_begin(to);
    write_tree(to, tree);
    gw_json_array_end(to);
    gw_json_object_end(to);
    write_member(to, "name", "gbtree");
    gw_json_object_end(to);
}

static void write_model(struct gw_json_writer *to, const struct tree *tree, const char *feature_name)
{
    static const int32_t version[] = {3, 0, 0};
    gw_json_object_begin(to);
    gw_json_write_key(to, "learner");
    gw_json_object_begin(to);
    gw_json_write_key(to, "attributes");
    gw_json_object_begin(to);
    gw_json_object_end(to);
    gw_json_write_key(to, "feature_names");
    gw_json_array_begin(to);
    gw_json_write_text(to, feature_name);
    gw_json_array_end(to);
    gw_json_write_key(to, "feature_types");
    gw_json_array_begin(to);
    gw_json_array_end(to);
    write_booster(to, tree);
    gw_json_write_key(to, "learner_model_param");
    gw_json_object_begin(to);
    write_member(to, "base_score", "5E-1");
    write_member(to, "boost_from_average", "0");
    write_member(to, "num_class", "0");
    write_member(to, "num_feature", "1");
    write_member(to, "num_target", "1");
    gw_json_object_end(to);
    gw_json_write_key(to, "objective");
    gw_json_object_begin(to);
    write_member(to, "name", "binary:logistic");
    gw_json_write_key(to, "reg_loss_param");
    gw_json_object_begin(to);
    write_member(to, "scale_pos_weight", "1");
    gw_json_object_end(to);
    gw_json_object_end(to);
    gw_json_object_end(to);
    write_integers(to, "version", version, 3);
    gw_json_object_end(to);
}

gw_status gw_baseline_write(const struct gw_baseline *baseline, const char *directory,
                            char ret_digest[GW_BUNDLE_DIGEST_BYTES], gw_err *err)
{
    if (!(baseline->prior_rate > 0 && baseline->prior_rate < 1)) {
        return gw_fail(err, GW_E_INVALID, "prior rate %g, expected between 0 and 1", baseline->prior_rate);
    }
    GW_CLEANUP(gw_buf_deinit) struct gw_buf text = {0};
    struct gw_json_writer writer;
    struct tree tree = {0};
    grow(&tree, baseline->prior_rate, 0, LEAF_COUNT, NO_PARENT);
    gw_json_writer_init(&writer, &text);
    write_model(&writer, &tree, baseline->feature_name);
    GW_TRY(gw_json_writer_finish(&writer, err));
    const struct gw_bundle_import import = {.content = gw_buf_slice(&text),
                                            .model_name = baseline->model_name,
                                            .head_name = baseline->head_name,
                                            .weight = 1,
                                            .metadata_json = "{\"baseline\":\"popularity\"}"};
    return gw_bundle_from_file(&import, directory, ret_digest, err);
}
