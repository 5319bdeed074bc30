// SPDX-License-Identifier: MIT
// The file is lines "key=value": a header, then a section "Tree=<index>" a tree, then "end of trees"; what follows
// (importances, parameters) is not read. A tree of L leaves has L-1 inner nodes, root 0; a child c < 0 is leaf ~c.
// Structure: LightGBM 3.3 to 4.7, src/boosting/gbdt_model_text.cpp, src/io/tree.cpp; decisions:
// include/LightGBM/tree.h.
#include "model/lightgbm.h"

#include "base/mem.h"
#include "base/number.h"
#include "model/bundle.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

#define NAME_BYTES_MAX    256 // of a feature
#define LEAVES_MAX        (GW_FOREST_TREE_NODES_MAX / 2)
#define ZERO_SIZE         1e-35f // LightGBM's kZeroThreshold
#define CATEGORICAL_BIT   1
#define DEFAULT_LEFT_BIT  2
#define MISSING_SHIFT     2
#define DECISION_TYPE_MAX 15

enum missing { MISSING_NONE, MISSING_ZERO, MISSING_NAN };

// One array of a tree, kept between trees.
struct column {
    uint32_t count;
    uint32_t capacity;
    double *items; // also of the integers, which are below 2^53
};

enum tree_column { SPLIT_FEATURE, THRESHOLD, DECISION_TYPE, LEFT, RIGHT, LEAF_VALUE, TREE_COLUMN_COUNT };

static const char *const column_names[TREE_COLUMN_COUNT] = {"split_feature", "threshold",   "decision_type",
                                                            "left_child",    "right_child", "leaf_value"};

// A tree as gw_forest_source has it.
struct tree {
    uint32_t capacity; // nodes
    int32_t *left;
    int32_t *right;
    int32_t *feature;
    float *value;
    uint8_t *default_left;
};

struct import {
    struct gw_slice rest; // what has not been read
    gw_err *err;
    struct gw_forest *forest;
    uint32_t name_count;
    uint32_t seen; // keys of the section, bit i: the section's key i
    double sigmoid;
    uint32_t size_count; // entries of tree_sizes
    uint32_t leaf_count; // of the tree being read
    struct column columns[TREE_COLUMN_COUNT];
    struct tree tree;
};

struct field {
    const char *key;
    gw_status (*read)(struct import *, struct gw_slice value);
};

static bool next_line(struct import *in, struct gw_slice *ret_line)
{
    if (in->rest.size == 0) {
        return false;
    }
    const uint8_t *end = memchr(in->rest.data, '\n', in->rest.size);
    size_t size = end != NULL ? (size_t)(end - in->rest.data) : in->rest.size;
    *ret_line = gw_slice_make(in->rest.data, size);
    size += end != NULL;
    in->rest = gw_slice_make(in->rest.data + size, in->rest.size - size);
    if (ret_line->size > 0 && ret_line->data[ret_line->size - 1] == '\r') {
        ret_line->size--;
    }
    return true;
}

// The next word of a list separated by blanks.
static bool next_word(struct gw_slice *list, struct gw_slice *ret_word)
{
    size_t start = 0;
    while (start < list->size && list->data[start] == ' ') {
        start++;
    }
    size_t end = start;
    while (end < list->size && list->data[end] != ' ') {
        end++;
    }
    *ret_word = gw_slice_make(list->data + start, end - start);
    *list = gw_slice_make(list->data + end, list->size - end);
    return end > start;
}

static int shown(struct gw_slice text)
{
    return (int)GW_MIN(text.size, (size_t)48);
}

static bool begins(struct gw_slice text, const char *with)
{
    size_t size = strlen(with);
    return text.size >= size && memcmp(text.data, with, size) == 0;
}

static gw_status parse_number(struct import *in, struct gw_slice word, double *ret_value)
{
    struct gw_number number;
    if (word.size > 0 && gw_number_scan(word.data, word.size, &number) == word.size) {
        return gw_number_double(&number, ret_value, in->err);
    }
    size_t sign = word.size > 0 && (word.data[0] == '-' || word.data[0] == '+');
    struct gw_slice size = gw_slice_make(word.data + sign, word.size - sign);
    bool infinite = begins(size, "inf") || begins(size, "nan");
    return gw_fail(in->err, infinite ? GW_E_INVALID : GW_E_MALFORMED, "'%.*s' is not a %snumber", shown(word),
                   (const char *)word.data, infinite ? "finite " : "");
}

static gw_status parse_integer(struct import *in, struct gw_slice word, int64_t *ret_value)
{
    struct gw_number number;
    if (word.size == 0 || gw_number_scan(word.data, word.size, &number) != word.size) {
        return gw_fail(in->err, GW_E_MALFORMED, "'%.*s' is not a number", shown(word), (const char *)word.data);
    }
    GW_TRY(gw_number_i64(&number, ret_value, in->err));
    if (*ret_value < INT32_MIN || *ret_value > INT32_MAX) {
        return gw_fail(in->err, GW_E_INVALID, "%lld is out of range", (long long)*ret_value);
    }
    return GW_OK;
}

static gw_status expect(struct import *in, struct gw_slice word, int64_t wanted, const char *otherwise)
{
    int64_t value = 0;
    GW_TRY(parse_integer(in, word, &value));
    return value == wanted ? GW_OK : gw_fail(in->err, GW_E_INVALID, "%lld: %s", (long long)value, otherwise);
}

// Reads a line by the section's keys; other keys are skipped. A failure names the key.
static gw_status read_line(struct import *in, const struct field *fields, size_t count, struct gw_slice line)
{
    const uint8_t *sign = memchr(line.data, '=', line.size);
    if (sign == NULL) {
        return GW_OK;
    }
    struct gw_slice key = gw_slice_make(line.data, (size_t)(sign - line.data));
    struct gw_slice value = gw_slice_make(sign + 1, line.size - key.size - 1);
    for (size_t f = 0; f < count; f++) {
        if (!gw_slice_is(key, fields[f].key)) {
            continue;
        }
        if ((in->seen >> f & 1) != 0) {
            return gw_fail(in->err, GW_E_MALFORMED, "key '%s' twice", fields[f].key);
        }
        in->seen |= 1u << f;
        gw_status status = fields[f].read(in, value);
        return status == GW_OK ? GW_OK : gw_fail_context(in->err, status, "%s", fields[f].key);
    }
    return GW_OK;
}

static gw_status require(struct import *in, const struct field *fields, size_t required)
{
    for (size_t f = 0; f < required; f++) {
        if ((in->seen >> f & 1) == 0) {
            return gw_fail(in->err, GW_E_MALFORMED, "key '%s' is missing", fields[f].key);
        }
    }
    return GW_OK;
}

// ---- the header -----------------------------------------------------------------------------------------------------

static gw_status read_version(struct import *in, struct gw_slice value)
{
    if (!gw_slice_is(value, "v3") && !gw_slice_is(value, "v4")) {
        return gw_fail(in->err, GW_E_INVALID, "'%.*s' is not supported, only v3 and v4", shown(value),
                       (const char *)value.data);
    }
    return GW_OK;
}

static gw_status read_class_count(struct import *in, struct gw_slice value)
{
    return expect(in, value, 1, "several classes are not supported");
}

static gw_status read_trees_an_iteration(struct import *in, struct gw_slice value)
{
    return expect(in, value, 1, "several outputs are not supported");
}

static gw_status read_feature_count(struct import *in, struct gw_slice value)
{
    int64_t last = 0;
    GW_TRY(parse_integer(in, value, &last));
    if (last < 0 || last >= GW_BUNDLE_FEATURES_MAX) {
        return gw_fail(in->err, GW_E_INVALID, "%lld, expected 0 to %d", (long long)last, GW_BUNDLE_FEATURES_MAX - 1);
    }
    in->forest->feature_count = (uint32_t)last + 1;
    return GW_OK;
}

static gw_status read_sigmoid(struct import *in, struct gw_slice parameter)
{
    static const char name[] = "sigmoid:";
    if (!begins(parameter, name)) {
        return gw_fail(in->err, GW_E_INVALID, "parameter '%.*s' is not supported", shown(parameter),
                       (const char *)parameter.data);
    }
    struct gw_slice number = gw_slice_make(parameter.data + strlen(name), parameter.size - strlen(name));
    GW_TRY(parse_number(in, number, &in->sigmoid));
    if (!(in->sigmoid > 0)) {
        return gw_fail(in->err, GW_E_INVALID, "sigmoid %g, expected over 0", in->sigmoid);
    }
    return GW_OK;
}

static gw_status read_objective(struct import *in, struct gw_slice value)
{
    static const struct {
        const char *name;
        enum gw_objective objective;
    } known[] = {
        {"binary", GW_OBJECTIVE_BINARY_LOGISTIC},       {"cross_entropy", GW_OBJECTIVE_REG_LOGISTIC},
        {"regression", GW_OBJECTIVE_REG_SQUARED_ERROR}, {"regression_l1", GW_OBJECTIVE_REG_SQUARED_ERROR},
        {"huber", GW_OBJECTIVE_REG_SQUARED_ERROR},      {"fair", GW_OBJECTIVE_REG_SQUARED_ERROR},
        {"quantile", GW_OBJECTIVE_REG_SQUARED_ERROR},   {"mape", GW_OBJECTIVE_REG_SQUARED_ERROR},
    };
    struct gw_slice name = {0};
    struct gw_slice parameter = {0};
    next_word(&value, &name);
    size_t k = 0;
    while (k < GW_COUNT_OF(known) && !gw_slice_is(name, known[k].name)) {
        k++;
    }
    if (k == GW_COUNT_OF(known)) {
        return gw_fail(in->err, GW_E_INVALID, "'%.*s' is not supported", shown(name), (const char *)name.data);
    }
    in->forest->objective = known[k].objective;
    while (next_word(&value, &parameter)) {
        if (known[k].objective != GW_OBJECTIVE_BINARY_LOGISTIC) {
            return gw_fail(in->err, GW_E_INVALID, "'%.*s' with '%.*s' is not supported", shown(name),
                           (const char *)name.data, shown(parameter), (const char *)parameter.data);
        }
        GW_TRY(read_sigmoid(in, parameter));
    }
    return GW_OK;
}

// The names lie in the forest, but their number is name_count until check_names() has found it equal to feature_count.
static gw_status read_names(struct import *in, struct gw_slice value)
{
    struct gw_slice word = {0};
    in->forest->feature_names = gw_mem_calloc(GW_BUNDLE_FEATURES_MAX, sizeof(char *));
    if (in->forest->feature_names == NULL) {
        return gw_fail(in->err, GW_E_MEMORY, "no memory for feature names");
    }
    while (next_word(&value, &word)) {
        if (in->name_count == GW_BUNDLE_FEATURES_MAX) {
            return gw_fail(in->err, GW_E_TOO_LARGE, "more than %d names", GW_BUNDLE_FEATURES_MAX);
        }
        if (word.size >= NAME_BYTES_MAX) {
            return gw_fail(in->err, GW_E_TOO_LARGE, "name %u has %zu bytes, at most %d", in->name_count, word.size,
                           NAME_BYTES_MAX - 1);
        }
        if (memchr(word.data, '\0', word.size) != NULL) {
            return gw_fail(in->err, GW_E_INVALID, "name %u has a NUL", in->name_count);
        }
        char *copy = gw_mem_strndup((const char *)word.data, word.size);
        if (copy == NULL) {
            return gw_fail(in->err, GW_E_MEMORY, "no memory for feature names");
        }
        in->forest->feature_names[in->name_count++] = copy;
    }
    return GW_OK;
}

static gw_status read_tree_sizes(struct import *in, struct gw_slice value)
{
    struct gw_slice word = {0};
    while (next_word(&value, &word)) {
        in->size_count++;
    }
    return GW_OK;
}

static void drop_names(struct import *in)
{
    for (uint32_t n = 0; n < in->name_count; n++) {
        gw_mem_free(in->forest->feature_names[n]);
    }
    gw_mem_free(in->forest->feature_names);
    in->forest->feature_names = NULL;
    in->name_count = 0;
}

static gw_status check_names(struct import *in)
{
    if (in->name_count != in->forest->feature_count) {
        return gw_fail(in->err, GW_E_INVALID, "%u feature names, max_feature_idx is %u", in->name_count,
                       in->forest->feature_count - 1);
    }
    uint32_t n = 0;
    char placeholder[NAME_BYTES_MAX] = "";
    do {
        snprintf(placeholder, sizeof placeholder, "Column_%u", n);
    } while (strcmp(in->forest->feature_names[n], placeholder) == 0 && ++n < in->name_count);
    if (n == in->name_count) {
        drop_names(in);
    }
    return GW_OK;
}

// Up to the first tree, whose line is *ret_line.
static gw_status read_header(struct import *in, struct gw_slice *ret_line)
{
    static const struct field fields[] = {
        {"version", read_version},
        {"num_class", read_class_count},
        {"num_tree_per_iteration", read_trees_an_iteration},
        {"max_feature_idx", read_feature_count},
        {"feature_names", read_names},
        {"tree_sizes", read_tree_sizes},
        {"objective", read_objective},
    };
    const size_t always = GW_COUNT_OF(fields) - 1;
    if (!next_line(in, ret_line) || !gw_slice_is(*ret_line, "tree")) {
        return gw_fail(in->err, GW_E_MALFORMED, "does not begin with 'tree'");
    }
    in->seen = 0;
    for (;;) {
        if (!next_line(in, ret_line)) {
            return gw_fail(in->err, GW_E_MALFORMED, "ends in the header");
        }
        if (begins(*ret_line, "Tree=") || gw_slice_is(*ret_line, "end of trees")) {
            break;
        }
        if (gw_slice_is(*ret_line, "average_output")) {
            return gw_fail(in->err, GW_E_INVALID, "average_output (boosting rf) is not supported");
        }
        GW_TRY(read_line(in, fields, GW_COUNT_OF(fields), *ret_line));
    }
    GW_TRY(require(in, fields, always));
    if ((in->seen >> always & 1) == 0) {
        return gw_fail(in->err, GW_E_INVALID, "no objective: custom objectives are not supported");
    }
    return check_names(in);
}

// ---- a tree ---------------------------------------------------------------------------------------------------------

static gw_status read_leaf_count(struct import *in, struct gw_slice value)
{
    int64_t count = 0;
    GW_TRY(parse_integer(in, value, &count));
    if (count < 1) {
        return gw_fail(in->err, GW_E_INVALID, "%lld, expected at least 1", (long long)count);
    }
    if (count > LEAVES_MAX) {
        return gw_fail(in->err, GW_E_TOO_LARGE, "%lld, at most %u", (long long)count, LEAVES_MAX);
    }
    in->leaf_count = (uint32_t)count;
    return GW_OK;
}

static gw_status read_category_count(struct import *in, struct gw_slice value)
{
    return expect(in, value, 0, "categorical splits are not supported");
}

static gw_status read_linear(struct import *in, struct gw_slice value)
{
    return expect(in, value, 0, "linear trees are not supported");
}

static gw_status read_item(struct import *in, enum tree_column index, struct gw_slice word, double *ret_item)
{
    if (index == THRESHOLD || index == LEAF_VALUE) {
        return parse_number(in, word, ret_item);
    }
    int64_t value = 0;
    GW_TRY(parse_integer(in, word, &value));
    *ret_item = (double)value;
    return GW_OK;
}

static gw_status read_column(struct import *in, enum tree_column index, struct gw_slice value)
{
    struct column *column = &in->columns[index];
    struct gw_slice word = {0};
    column->count = 0;
    while (next_word(&value, &word)) {
        if (column->count == LEAVES_MAX) {
            return gw_fail(in->err, GW_E_TOO_LARGE, "more than %u items", LEAVES_MAX);
        }
        if (column->count == column->capacity) {
            uint32_t capacity = GW_MAX(256, 2 * column->capacity);
            double *items = gw_mem_realloc(column->items, capacity, sizeof *items);
            if (items == NULL) {
                return gw_fail(in->err, GW_E_MEMORY, "no memory for %u items", capacity);
            }
            column->items = items;
            column->capacity = capacity;
        }
        gw_status status = read_item(in, index, word, &column->items[column->count]);
        if (status != GW_OK) {
            return gw_fail_context(in->err, status, "item %u", column->count);
        }
        column->count++;
    }
    return GW_OK;
}

static gw_status read_split_feature(struct import *in, struct gw_slice value)
{
    return read_column(in, SPLIT_FEATURE, value);
}

static gw_status read_threshold(struct import *in, struct gw_slice value)
{
    return read_column(in, THRESHOLD, value);
}

static gw_status read_decision_type(struct import *in, struct gw_slice value)
{
    return read_column(in, DECISION_TYPE, value);
}

static gw_status read_left(struct import *in, struct gw_slice value)
{
    return read_column(in, LEFT, value);
}

static gw_status read_right(struct import *in, struct gw_slice value)
{
    return read_column(in, RIGHT, value);
}

static gw_status read_leaf_value(struct import *in, struct gw_slice value)
{
    return read_column(in, LEAF_VALUE, value);
}

static gw_status reserve(struct import *in, uint32_t node_count)
{
    struct tree *tree = &in->tree;
    if (node_count <= tree->capacity) {
        return GW_OK;
    }
    uint32_t capacity = GW_MAX(node_count, GW_MIN(2 * tree->capacity, GW_FOREST_TREE_NODES_MAX));
    int32_t *left = gw_mem_realloc(tree->left, capacity, sizeof *left);
    tree->left = left != NULL ? left : tree->left;
    int32_t *right = gw_mem_realloc(tree->right, capacity, sizeof *right);
    tree->right = right != NULL ? right : tree->right;
    int32_t *feature = gw_mem_realloc(tree->feature, capacity, sizeof *feature);
    tree->feature = feature != NULL ? feature : tree->feature;
    float *value = gw_mem_realloc(tree->value, capacity, sizeof *value);
    tree->value = value != NULL ? value : tree->value;
    uint8_t *default_left = gw_mem_realloc(tree->default_left, capacity, sizeof *default_left);
    tree->default_left = default_left != NULL ? default_left : tree->default_left;
    if (left == NULL || right == NULL || feature == NULL || value == NULL || default_left == NULL) {
        return gw_fail(in->err, GW_E_MEMORY, "no memory for %u nodes", node_count);
    }
    tree->capacity = capacity;
    return GW_OK;
}

// The t for which a float32 x is below t exactly when LightGBM finds x <= threshold.
static float strict_threshold(double threshold)
{
    if (threshold >= 0 && threshold < (double)ZERO_SIZE) {
        return nextafterf(ZERO_SIZE, INFINITY); // with 0 all that counts as 0 goes left
    }
    if (threshold < 0 && threshold >= -(double)ZERO_SIZE) {
        return -ZERO_SIZE; // and here right
    }
    if (threshold >= (double)FLT_MAX) {
        return INFINITY;
    }
    if (threshold < -(double)FLT_MAX) {
        return -FLT_MAX;
    }
    float nearest = (float)threshold;
    return (double)nearest > threshold ? nearest : nextafterf(nearest, INFINITY);
}

static gw_status take_decision(struct import *in, uint32_t node)
{
    double threshold = in->columns[THRESHOLD].items[node];
    int64_t type = (int64_t)in->columns[DECISION_TYPE].items[node];
    if (type < 0 || type > DECISION_TYPE_MAX || type >> MISSING_SHIFT > MISSING_NAN) {
        return gw_fail(in->err, GW_E_INVALID, "node %u: decision_type %lld is unknown", node, (long long)type);
    }
    if ((type & CATEGORICAL_BIT) != 0) {
        return gw_fail(in->err, GW_E_INVALID, "node %u: categorical splits are not supported", node);
    }
    bool zero_left = threshold >= 0;
    bool default_left = (type & DEFAULT_LEFT_BIT) != 0;
    if (type >> MISSING_SHIFT == MISSING_NONE) {
        default_left = zero_left;
    }
    if (type >> MISSING_SHIFT == MISSING_ZERO && default_left != zero_left) {
        return gw_fail(in->err, GW_E_INVALID,
                       "node %u: missing type zero that sends zeros %s at threshold %g is not supported: train with "
                       "zero_as_missing=false",
                       node, default_left ? "left" : "right", threshold);
    }
    in->tree.value[node] = strict_threshold(threshold);
    in->tree.default_left[node] = default_left;
    in->tree.feature[node] = (int32_t)in->columns[SPLIT_FEATURE].items[node];
    return GW_OK;
}

// Leaves stand behind the inner nodes.
static gw_status take_child(struct import *in, enum tree_column side, uint32_t node, int32_t *ret_child)
{
    int64_t inner_count = (int64_t)in->leaf_count - 1;
    int64_t child = (int64_t)in->columns[side].items[node];
    if (child >= inner_count || child < -(int64_t)in->leaf_count) {
        return gw_fail(in->err, GW_E_INVALID, "node %u: %s %lld, expected %lld to %lld", node, column_names[side],
                       (long long)child, -(long long)in->leaf_count, (long long)inner_count - 1);
    }
    *ret_child = (int32_t)(child >= 0 ? child : inner_count + ~child);
    return GW_OK;
}

static gw_status take_leaf(struct import *in, uint32_t leaf)
{
    double value = in->columns[LEAF_VALUE].items[leaf] * in->sigmoid;
    if (!(fabs(value) <= (double)FLT_MAX)) {
        return gw_fail(in->err, GW_E_INVALID, "leaf %u: value %g is not finite as a float32", leaf, value);
    }
    uint32_t node = in->leaf_count - 1 + leaf;
    in->tree.left[node] = in->tree.right[node] = -1;
    in->tree.feature[node] = 0;
    in->tree.value[node] = (float)value;
    in->tree.default_left[node] = 0;
    return GW_OK;
}

static gw_status take_tree(struct import *in)
{
    for (size_t c = 0; c < TREE_COLUMN_COUNT; c++) {
        uint32_t expected = c == LEAF_VALUE ? in->leaf_count : in->leaf_count - 1;
        if (in->columns[c].count != expected) {
            return gw_fail(in->err, GW_E_MALFORMED, "%s has %u items, num_leaves is %u", column_names[c],
                           in->columns[c].count, in->leaf_count);
        }
    }
    uint32_t node_count = 2 * in->leaf_count - 1;
    GW_TRY(reserve(in, node_count));
    for (uint32_t n = 0; n + 1 < in->leaf_count; n++) {
        GW_TRY(take_decision(in, n));
        GW_TRY(take_child(in, LEFT, n, &in->tree.left[n]));
        GW_TRY(take_child(in, RIGHT, n, &in->tree.right[n]));
    }
    for (uint32_t leaf = 0; leaf < in->leaf_count; leaf++) {
        GW_TRY(take_leaf(in, leaf));
    }
    const struct gw_forest_source source = {
        .node_count = node_count,
        .left = in->tree.left,
        .right = in->tree.right,
        .feature = in->tree.feature,
        .value = in->tree.value,
        .default_left = in->tree.default_left,
    };
    return gw_forest_add_tree(in->forest, &source, in->err);
}

// *line is "Tree=<index>", afterwards the line behind the tree.
static gw_status read_tree(struct import *in, struct gw_slice *line)
{
    static const struct field fields[] = {
        {"num_leaves", read_leaf_count},  {"leaf_value", read_leaf_value},
        {"num_cat", read_category_count}, {"split_feature", read_split_feature},
        {"threshold", read_threshold},    {"decision_type", read_decision_type},
        {"left_child", read_left},        {"right_child", read_right},
        {"is_linear", read_linear},
    };
    const size_t always = 2;
    struct gw_slice index = gw_slice_make(line->data + strlen("Tree="), line->size - strlen("Tree="));
    int64_t number = 0;
    GW_TRY(parse_integer(in, index, &number));
    if (number != in->forest->tree_count) {
        return gw_fail(in->err, GW_E_MALFORMED, "'%.*s' stands here", shown(*line), (const char *)line->data);
    }
    in->seen = 0;
    for (size_t c = 0; c < TREE_COLUMN_COUNT; c++) {
        in->columns[c].count = 0;
    }
    for (;;) {
        if (!next_line(in, line)) {
            return gw_fail(in->err, GW_E_MALFORMED, "the file ends here, before 'end of trees'");
        }
        if (begins(*line, "Tree=") || gw_slice_is(*line, "end of trees")) {
            break;
        }
        GW_TRY(read_line(in, fields, GW_COUNT_OF(fields), *line));
    }
    GW_TRY(require(in, fields, always));
    return take_tree(in);
}

// ---- the whole ------------------------------------------------------------------------------------------------------

static gw_status read_file(struct import *in)
{
    struct gw_slice line = {0};
    GW_TRY(read_header(in, &line));
    while (begins(line, "Tree=")) {
        gw_status status = read_tree(in, &line);
        if (status != GW_OK) {
            return gw_fail_context(in->err, status, "tree %u", in->forest->tree_count);
        }
    }
    if (in->forest->tree_count != in->size_count) {
        return gw_fail(in->err, GW_E_MALFORMED, "tree_sizes has %u items, the file has %u trees", in->size_count,
                       in->forest->tree_count);
    }
    return in->forest->tree_count > 0 ? GW_OK : gw_fail(in->err, GW_E_INVALID, "no trees");
}

static void deinit(struct import *in)
{
    for (size_t c = 0; c < TREE_COLUMN_COUNT; c++) {
        gw_mem_free(in->columns[c].items);
    }
    gw_mem_free(in->tree.left);
    gw_mem_free(in->tree.right);
    gw_mem_free(in->tree.feature);
    gw_mem_free(in->tree.value);
    gw_mem_free(in->tree.default_left);
}

gw_status gw_lightgbm_parse(struct gw_slice text, struct gw_forest **ret_forest, gw_err *err)
{
    struct import in = {.rest = text, .err = err, .sigmoid = 1, .forest = gw_forest_new()};
    if (in.forest == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a model");
    }
    gw_status status = read_file(&in);
    deinit(&in);
    if (status != GW_OK) {
        drop_names(&in);
        gw_forest_free(in.forest);
        return status;
    }
    *ret_forest = in.forest;
    return GW_OK;
}
