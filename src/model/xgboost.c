// SPDX-License-Identifier: MIT
// The file is one object, learner.{feature_names, gradient_booster.{model, name}, learner_model_param, objective}, its
// keys in this, alphabetic, order: trees come before what is needed to judge them. So there are two passes over the
// text: the first skips the trees and finds the feature count, the second takes the trees one by one; the booster's
// name and the objective are judged at the end.
// Structure: xgboost 1.7 to 3.2, src/learner.cc, src/gbm/gbtree_model.cc, src/tree/tree_model.cc.
#include "model/xgboost.h"

#include "base/json.h"
#include "base/mem.h"
#include "model/bundle.h"
#include "model/fields.h"

#include <math.h>
#include <string.h>

#define NAME_BYTES_MAX 256 // of a feature, booster or objective
#define FIELDS_MAX     8   // that are read of one object

// One array of a tree, kept between trees. Items are 4 bytes: int32_t or float.
struct column {
    uint32_t count;
    uint32_t capacity;
    union {
        int32_t *ints;
        float *floats;
        void *any;
    };
};

enum tree_column { LEFT, RIGHT, FEATURE, VALUE, DEFAULT_LEFT, SPLIT_TYPE, TREE_COLUMN_COUNT };

// What the file says, before it is judged.
struct import {
    struct gw_json json;
    gw_err *err;
    struct gw_forest *forest;
    char booster[NAME_BYTES_MAX];
    char objective[NAME_BYTES_MAX];
    char base_score[NAME_BYTES_MAX]; // raw text; its value is the probability, not the margin
    bool has_trees;
    int64_t tree_count; // gbtree_model_param.num_trees, -1 = not said
    int64_t class_count;
    int64_t target_count;
    int64_t feature_count;
    int64_t model_leaf_size;
    uint32_t name_count;
    int64_t tree_node_count; // of the tree being read, -1 = not said
    int64_t tree_leaf_size;
    bool tree_categorical;
    struct column columns[TREE_COLUMN_COUNT];
};

struct field {
    const char *key;
    gw_status (*read)(struct import *);
};

// Reads an object: known keys by their functions, others skipped.
static gw_status read_object(struct import *in, const struct field *fields, size_t count)
{
    const char *keys[FIELDS_MAX];
    for (size_t f = 0; f < count; f++) {
        keys[f] = fields[f].key;
    }
    struct gw_fields walk = {.keys = keys, .key_count = count};
    GW_TRY(gw_fields_enter(&walk, &in->json, in->err));
    for (;;) {
        size_t index = 0;
        bool more = false;
        GW_TRY(gw_fields_next(&walk, &in->json, &index, &more, in->err));
        if (!more) {
            return GW_OK;
        }
        GW_TRY(fields[index].read(in));
    }
}

static gw_status read_text(struct import *in, const char *what, char *to)
{
    struct gw_slice raw = {0};
    GW_TRY(gw_json_raw(&in->json, &raw, in->err));
    if (raw.size >= NAME_BYTES_MAX) {
        return gw_fail(in->err, GW_E_TOO_LARGE, "%s of %zu bytes, at most %d", what, raw.size, NAME_BYTES_MAX - 1);
    }
    memcpy(to, raw.data, raw.size);
    to[raw.size] = '\0';
    return GW_OK;
}

// An integer, bare or (as XGBoost writes parameters) in quotes.
static gw_status read_count(struct import *in, const char *what, int64_t *ret_value)
{
    struct gw_slice raw = {0};
    GW_TRY(gw_json_raw(&in->json, &raw, in->err));
    struct gw_json inner;
    gw_json_init(&inner, raw);
    int64_t value = 0;
    gw_status status = gw_json_i64(&inner, &value, in->err);
    status = status == GW_OK ? gw_json_end(&inner, in->err) : status;
    if (status != GW_OK) {
        return gw_fail_context(in->err, status, "%s", what);
    }
    if (value < 0 || value > INT32_MAX) {
        return gw_fail(in->err, GW_E_INVALID, "%s %lld out of range", what, (long long)value);
    }
    *ret_value = value;
    return GW_OK;
}

enum item { ITEM_INT, ITEM_FLOAT, ITEM_FLAG };

static gw_status read_item(struct import *in, enum item item, struct column *column)
{
    if (item == ITEM_FLOAT) {
        return gw_json_float(&in->json, &column->floats[column->count], in->err);
    }
    int64_t value = 0;
    enum gw_json_kind kind = GW_JSON_NULL;
    GW_TRY(gw_json_peek(&in->json, &kind, in->err));
    if (item == ITEM_FLAG && kind == GW_JSON_BOOL) {
        bool flag = false;
        GW_TRY(gw_json_bool(&in->json, &flag, in->err));
        value = flag;
    } else {
        GW_TRY(gw_json_i64(&in->json, &value, in->err));
    }
    if (value < INT32_MIN || value > INT32_MAX) {
        return gw_fail(in->err, GW_E_INVALID, "item %u out of range", column->count);
    }
    column->ints[column->count] = (int32_t)value;
    return GW_OK;
}

static gw_status read_column(struct import *in, enum tree_column index, const char *what, enum item item)
{
    struct column *column = &in->columns[index];
    column->count = 0;
    GW_TRY(gw_json_enter(&in->json, GW_JSON_ARRAY, in->err));
    for (;;) {
        bool more = false;
        GW_TRY(gw_json_next(&in->json, &more, in->err));
        if (!more) {
            return GW_OK;
        }
        if (column->count == GW_FOREST_TREE_NODES_MAX) {
            return gw_fail(in->err, GW_E_TOO_LARGE, "%s: more than %u nodes", what, GW_FOREST_TREE_NODES_MAX);
        }
        if (column->count == column->capacity) {
            uint32_t capacity = GW_MAX(256, 2 * column->capacity);
            void *items = gw_mem_realloc(column->any, capacity, sizeof(int32_t));
            if (items == NULL) {
                return gw_fail(in->err, GW_E_MEMORY, "no memory for %u nodes", capacity);
            }
            column->any = items;
            column->capacity = capacity;
        }
        gw_status status = read_item(in, item, column);
        if (status != GW_OK) {
            return gw_fail_context(in->err, status, "%s", what);
        }
        column->count++;
    }
}

static gw_status read_left(struct import *in)
{
    return read_column(in, LEFT, "left_children", ITEM_INT);
}

static gw_status read_right(struct import *in)
{
    return read_column(in, RIGHT, "right_children", ITEM_INT);
}

static gw_status read_feature(struct import *in)
{
    return read_column(in, FEATURE, "split_indices", ITEM_INT);
}

static gw_status read_value(struct import *in)
{
    return read_column(in, VALUE, "split_conditions", ITEM_FLOAT);
}

static gw_status read_default_left(struct import *in)
{
    return read_column(in, DEFAULT_LEFT, "default_left", ITEM_FLAG);
}

static gw_status read_split_type(struct import *in)
{
    return read_column(in, SPLIT_TYPE, "split_type", ITEM_INT);
}

// Only whether it is empty matters: these nodes split by category.
static gw_status read_category_nodes(struct import *in)
{
    GW_TRY(gw_json_enter(&in->json, GW_JSON_ARRAY, in->err));
    for (;;) {
        bool more = false;
        GW_TRY(gw_json_next(&in->json, &more, in->err));
        if (!more) {
            return GW_OK;
        }
        in->tree_categorical = true;
        GW_TRY(gw_json_skip(&in->json, in->err));
    }
}

static gw_status read_node_count(struct import *in)
{
    return read_count(in, "num_nodes", &in->tree_node_count);
}

static gw_status read_leaf_size(struct import *in)
{
    return read_count(in, "size_leaf_vector", &in->tree_leaf_size);
}

static gw_status read_tree_param(struct import *in)
{
    static const struct field fields[] = {{"num_nodes", read_node_count}, {"size_leaf_vector", read_leaf_size}};
    return read_object(in, fields, GW_COUNT_OF(fields));
}

// The arrays must agree before the forest looks at them.
static gw_status check_tree(struct import *in)
{
    static const char *const names[TREE_COLUMN_COUNT] = {"left_children",    "right_children", "split_indices",
                                                         "split_conditions", "default_left",   "split_type"};
    for (uint32_t i = 0; i < in->columns[SPLIT_TYPE].count; i++) {
        in->tree_categorical |= in->columns[SPLIT_TYPE].ints[i] != 0;
    }
    if (in->tree_categorical) {
        return gw_fail(in->err, GW_E_INVALID, "categorical splits are not supported");
    }
    if (in->tree_leaf_size > 1) {
        return gw_fail(in->err, GW_E_INVALID, "vector leaves are not supported");
    }
    uint32_t count = in->columns[LEFT].count;
    for (size_t c = 0; c < TREE_COLUMN_COUNT; c++) {
        bool absent = c == SPLIT_TYPE && in->columns[c].count == 0; // files before 1.3
        if (!absent && in->columns[c].count != count) {
            return gw_fail(in->err, GW_E_MALFORMED, "%s has %u items, left_children has %u", names[c],
                           in->columns[c].count, count);
        }
    }
    if (in->tree_node_count >= 0 && in->tree_node_count != count) {
        return gw_fail(in->err, GW_E_MALFORMED, "num_nodes is %lld, left_children has %u items",
                       (long long)in->tree_node_count, count);
    }
    return GW_OK;
}

static gw_status read_tree(struct import *in)
{
    static const struct field fields[] = {
        {"categories_nodes", read_category_nodes},
        {"default_left", read_default_left},
        {"left_children", read_left},
        {"right_children", read_right},
        {"split_conditions", read_value},
        {"split_indices", read_feature},
        {"split_type", read_split_type},
        {"tree_param", read_tree_param},
    };
    for (size_t c = 0; c < TREE_COLUMN_COUNT; c++) {
        in->columns[c].count = 0;
    }
    in->tree_node_count = -1;
    in->tree_leaf_size = 0;
    in->tree_categorical = false;
    GW_TRY(read_object(in, fields, GW_COUNT_OF(fields)));
    GW_TRY(check_tree(in));

    uint32_t count = in->columns[LEFT].count;
    GW_CLEANUP(gw_mem_cleanup) uint8_t *default_left = gw_mem_calloc(GW_MAX(count, 1), 1);
    if (default_left == NULL) {
        return gw_fail(in->err, GW_E_MEMORY, "no memory for %u nodes", count);
    }
    for (uint32_t i = 0; i < count; i++) {
        default_left[i] = in->columns[DEFAULT_LEFT].ints[i] != 0;
    }
    const struct gw_forest_source source = {
        .node_count = count,
        .left = in->columns[LEFT].ints,
        .right = in->columns[RIGHT].ints,
        .feature = in->columns[FEATURE].ints,
        .value = in->columns[VALUE].floats,
        .default_left = default_left,
    };
    return gw_forest_add_tree(in->forest, &source, in->err);
}

static gw_status read_trees(struct import *in)
{
    in->has_trees = true;
    GW_TRY(gw_json_enter(&in->json, GW_JSON_ARRAY, in->err));
    for (;;) {
        bool more = false;
        GW_TRY(gw_json_next(&in->json, &more, in->err));
        if (!more) {
            return GW_OK;
        }
        gw_status status = read_tree(in);
        if (status != GW_OK) {
            return gw_fail_context(in->err, status, "tree %u", in->forest->tree_count);
        }
    }
}

static gw_status read_tree_count(struct import *in)
{
    return read_count(in, "num_trees", &in->tree_count);
}

// Versions before 2.0 say it here too.
static gw_status read_model_leaf_size(struct import *in)
{
    return read_count(in, "size_leaf_vector", &in->model_leaf_size);
}

static gw_status read_gbtree_param(struct import *in)
{
    static const struct field fields[] = {{"num_trees", read_tree_count}, {"size_leaf_vector", read_model_leaf_size}};
    return read_object(in, fields, GW_COUNT_OF(fields));
}

static gw_status read_gbtree(struct import *in)
{
    static const struct field fields[] = {{"gbtree_model_param", read_gbtree_param}, {"trees", read_trees}};
    return read_object(in, fields, GW_COUNT_OF(fields));
}

static gw_status read_booster_name(struct import *in)
{
    return read_text(in, "booster name", in->booster);
}

static gw_status read_booster(struct import *in)
{
    static const struct field fields[] = {{"model", read_gbtree}, {"name", read_booster_name}};
    return read_object(in, fields, GW_COUNT_OF(fields));
}

static gw_status read_objective_name(struct import *in)
{
    return read_text(in, "objective name", in->objective);
}

static gw_status read_objective(struct import *in)
{
    static const struct field fields[] = {{"name", read_objective_name}};
    return read_object(in, fields, GW_COUNT_OF(fields));
}

static gw_status read_base_score(struct import *in)
{
    return read_text(in, "base_score", in->base_score);
}

static gw_status read_class_count(struct import *in)
{
    return read_count(in, "num_class", &in->class_count);
}

static gw_status read_target_count(struct import *in)
{
    return read_count(in, "num_target", &in->target_count);
}

static gw_status read_feature_count(struct import *in)
{
    return read_count(in, "num_feature", &in->feature_count);
}

static gw_status read_learner_param(struct import *in)
{
    static const struct field fields[] = {{"base_score", read_base_score},
                                          {"num_class", read_class_count},
                                          {"num_feature", read_feature_count},
                                          {"num_target", read_target_count}};
    return read_object(in, fields, GW_COUNT_OF(fields));
}

// The names lie in the forest, but their number is name_count until judge() has found it equal to feature_count.
static gw_status read_feature_names(struct import *in)
{
    GW_CLEANUP(gw_buf_deinit) struct gw_buf name = {0};
    GW_TRY(gw_json_enter(&in->json, GW_JSON_ARRAY, in->err));
    for (;;) {
        bool more = false;
        GW_TRY(gw_json_next(&in->json, &more, in->err));
        if (!more) {
            return GW_OK;
        }
        if (in->name_count == GW_BUNDLE_FEATURES_MAX) {
            return gw_fail(in->err, GW_E_TOO_LARGE, "more than %d feature names", GW_BUNDLE_FEATURES_MAX);
        }
        if (in->forest->feature_names == NULL) {
            in->forest->feature_names = gw_mem_calloc(GW_BUNDLE_FEATURES_MAX, sizeof(char *));
            if (in->forest->feature_names == NULL) {
                return gw_fail(in->err, GW_E_MEMORY, "no memory for feature names");
            }
        }
        gw_status status = gw_json_string(&in->json, &name, NAME_BYTES_MAX - 1, in->err);
        if (status != GW_OK) {
            return gw_fail_context(in->err, status, "feature name %u", in->name_count);
        }
        char *copy = gw_mem_strndup((const char *)name.data, name.size);
        if (copy == NULL) {
            return gw_fail(in->err, GW_E_MEMORY, "no memory for feature names");
        }
        in->forest->feature_names[in->name_count++] = copy;
    }
}

static gw_status skip_value(struct import *in)
{
    return gw_json_skip(&in->json, in->err);
}

static gw_status read_learner(struct import *in)
{
    static const struct field fields[] = {
        {"feature_names", read_feature_names},
        {"gradient_booster", read_booster},
        {"learner_model_param", read_learner_param},
        {"objective", read_objective},
    };
    return read_object(in, fields, GW_COUNT_OF(fields));
}

// The first pass.
static gw_status read_learner_head(struct import *in)
{
    static const struct field fields[] = {{"learner_model_param", read_learner_param},
                                          {"gradient_booster", skip_value}};
    return read_object(in, fields, GW_COUNT_OF(fields));
}

static gw_status read_base_value(struct import *in, float *ret_value)
{
    struct gw_json json;
    gw_json_init(&json, gw_slice_text(in->base_score));
    enum gw_json_kind kind = GW_JSON_NULL;
    GW_TRY(gw_json_peek(&json, &kind, in->err));
    bool more = true;
    if (kind == GW_JSON_ARRAY) {
        GW_TRY(gw_json_enter(&json, GW_JSON_ARRAY, in->err));
        GW_TRY(gw_json_next(&json, &more, in->err));
    }
    if (!more) {
        return gw_fail(in->err, GW_E_INVALID, "no value");
    }
    float value = 0;
    GW_TRY(gw_json_float(&json, &value, in->err));
    if (kind == GW_JSON_ARRAY) {
        GW_TRY(gw_json_next(&json, &more, in->err));
        if (more) {
            return gw_fail(in->err, GW_E_INVALID, "several values are not supported");
        }
    }
    GW_TRY(gw_json_end(&json, in->err));
    *ret_value = value;
    return GW_OK;
}

// The objective's ProbToMargin (xgboost, src/objective/regression_loss.h), in float as there.
static gw_status set_base_margin(struct import *in)
{
    float base = 0;
    gw_status status = read_base_value(in, &base);
    if (status != GW_OK) {
        return gw_fail_context(in->err, status, "base_score '%.32s'", in->base_score);
    }
    if (in->forest->objective == GW_OBJECTIVE_REG_SQUARED_ERROR) {
        in->forest->base_margin = base;
        return GW_OK;
    }
    if (!(base > 0.0f && base < 1.0f)) {
        return gw_fail(in->err, GW_E_INVALID, "base_score '%.32s': expected between 0 and 1", in->base_score);
    }
    in->forest->base_margin = -logf(1.0f / base - 1.0f);
    return GW_OK;
}

static gw_status judge(struct import *in)
{
    if (strcmp(in->booster, "gbtree") != 0) {
        return gw_fail(in->err, GW_E_INVALID, "booster '%.64s' is not supported, only gbtree", in->booster);
    }
    if (in->class_count > 1 || in->target_count > 1 || in->model_leaf_size > 1) {
        return gw_fail(in->err, GW_E_INVALID, "objective '%.64s': several outputs are not supported", in->objective);
    }
    size_t objective = 0;
    while (objective < GW_OBJECTIVE_COUNT &&
           strcmp(in->objective, gw_objective_name((enum gw_objective)objective)) != 0) {
        objective++;
    }
    if (objective == GW_OBJECTIVE_COUNT) {
        return gw_fail(in->err, GW_E_INVALID, "objective '%.64s' is not supported", in->objective);
    }
    in->forest->objective = (enum gw_objective)objective;
    if (!in->has_trees) {
        return gw_fail(in->err, GW_E_INVALID, "no trees");
    }
    if (in->tree_count >= 0 && in->tree_count != in->forest->tree_count) {
        return gw_fail(in->err, GW_E_MALFORMED, "num_trees is %lld, the file has %u", (long long)in->tree_count,
                       in->forest->tree_count);
    }
    if (in->name_count > 0 && in->name_count != in->forest->feature_count) {
        return gw_fail(in->err, GW_E_INVALID, "%u feature names, num_feature is %u", in->name_count,
                       in->forest->feature_count);
    }
    return set_base_margin(in);
}

static void start(struct import *in, struct gw_slice text)
{
    gw_json_init(&in->json, text);
    in->json.lenient_numbers = true;
}

static gw_status read_file(struct import *in, struct gw_slice text)
{
    static const struct field head[] = {{"learner", read_learner_head}};
    static const struct field whole[] = {{"learner", read_learner}};
    start(in, text);
    GW_TRY(read_object(in, head, GW_COUNT_OF(head)));
    GW_TRY(gw_json_end(&in->json, in->err));
    if (in->feature_count < 1 || in->feature_count > GW_BUNDLE_FEATURES_MAX) {
        return gw_fail(in->err, GW_E_INVALID, "num_feature is %lld, expected 1 to %d", (long long)in->feature_count,
                       GW_BUNDLE_FEATURES_MAX);
    }
    in->forest->feature_count = (uint32_t)in->feature_count;
    start(in, text);
    GW_TRY(read_object(in, whole, GW_COUNT_OF(whole)));
    return judge(in);
}

// Names beyond the forest's feature_count would not be freed by it.
static void drop_names(struct import *in)
{
    for (uint32_t n = 0; n < in->name_count; n++) {
        gw_mem_free(in->forest->feature_names[n]);
    }
    gw_mem_free(in->forest->feature_names);
    in->forest->feature_names = NULL;
}

gw_status gw_xgboost_parse(struct gw_slice text, struct gw_forest **ret_forest, gw_err *err)
{
    struct import in = {.err = err, .tree_count = -1};
    in.forest = gw_forest_new();
    if (in.forest == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a model");
    }
    gw_status status = read_file(&in, text);
    for (size_t c = 0; c < TREE_COLUMN_COUNT; c++) {
        gw_mem_free(in.columns[c].any);
    }
    if (status != GW_OK) {
        drop_names(&in);
        gw_forest_free(in.forest);
        return status;
    }
    *ret_forest = in.forest;
    return GW_OK;
}
