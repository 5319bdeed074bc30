// SPDX-License-Identifier: MIT
// The comparison of two versions: each stored document becomes a list of named items, and two lists sorted by name are
// walked together.
#include "registry/documents.h"

#include "base/arena.h"
#include "base/mem.h"

#include <stdlib.h>

enum {
    ITEMS_MAX = 8192,
    NAME_BYTES = 512,
    ARENA_BYTES = 8 << 20,
};

struct item {
    const char *name;
    double value; // a metric; a head's weight
    int64_t trees;
};

struct list {
    struct item *items;
    size_t count;
    size_t capacity;
};

struct side {
    const struct gw_registry_version *version;
    struct list features;
    struct list heads;
    struct list metrics;
    char layout[64];
};

struct compare {
    struct gw_arena names;
    struct gw_buf text; // scratch
    struct side left;
    struct side right;
};

static void free_compare(struct compare *compare)
{
    struct side *const sides[] = {&compare->left, &compare->right};
    for (size_t s = 0; s < GW_COUNT_OF(sides); s++) {
        gw_mem_free(sides[s]->features.items);
        gw_mem_free(sides[s]->heads.items);
        gw_mem_free(sides[s]->metrics.items);
    }
    gw_buf_deinit(&compare->text);
    gw_arena_deinit(&compare->names);
}

// ---- reading

static gw_status add(struct compare *compare, struct list *list, struct gw_slice name, struct item **ret_item,
                     gw_err *err)
{
    if (list->count == ITEMS_MAX) {
        return gw_fail(err, GW_E_MALFORMED, "more than %d items", ITEMS_MAX);
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity > 0 ? 2 * list->capacity : 64;
        struct item *items = gw_mem_realloc(list->items, capacity, sizeof *items);
        if (items == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for a comparison");
        }
        list->items = items;
        list->capacity = capacity;
    }
    char *copy = gw_arena_alloc(&compare->names, name.size + 1);
    if (copy == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a comparison");
    }
    memcpy(copy, name.data, name.size);
    copy[name.size] = '\0';
    *ret_item = &list->items[list->count++];
    **ret_item = (struct item){.name = copy};
    return GW_OK;
}

static gw_status read_features(struct compare *compare, struct gw_json *json, struct side *side, gw_err *err)
{
    GW_TRY(gw_json_enter(json, GW_JSON_ARRAY, err));
    for (bool more = true;;) {
        struct item *item = NULL;
        GW_TRY(gw_json_next(json, &more, err));
        if (!more) {
            return GW_OK;
        }
        GW_TRY(gw_json_string(json, &compare->text, NAME_BYTES, err));
        GW_TRY(add(compare, &side->features, gw_buf_slice(&compare->text), &item, err));
    }
}

static gw_status read_head(struct compare *compare, struct gw_json *json, struct side *side, gw_err *err)
{
    struct item *item = NULL;
    GW_TRY(add(compare, &side->heads, gw_slice_text(""), &item, err));
    GW_TRY(gw_json_enter(json, GW_JSON_OBJECT, err));
    for (bool more = true;;) {
        struct gw_slice key = {0};
        GW_TRY(gw_json_next(json, &more, err));
        if (!more) {
            return GW_OK;
        }
        GW_TRY(gw_json_key(json, &key, err));
        if (gw_slice_is(key, "name")) {
            GW_TRY(gw_json_string(json, &compare->text, NAME_BYTES, err));
            char *name = gw_arena_alloc(&compare->names, compare->text.size + 1);
            if (name == NULL) {
                return gw_fail(err, GW_E_MEMORY, "no memory for a comparison");
            }
            memcpy(name, compare->text.data, compare->text.size + 1);
            item->name = name;
        } else if (gw_slice_is(key, "weight")) {
            GW_TRY(gw_json_double(json, &item->value, err));
        } else if (gw_slice_is(key, "trees")) {
            GW_TRY(gw_json_i64(json, &item->trees, err));
        } else {
            GW_TRY(gw_json_skip(json, err));
        }
    }
}

static gw_status read_heads(struct compare *compare, struct gw_json *json, struct side *side, gw_err *err)
{
    GW_TRY(gw_json_enter(json, GW_JSON_ARRAY, err));
    for (bool more = true;;) {
        GW_TRY(gw_json_next(json, &more, err));
        if (!more) {
            return GW_OK;
        }
        GW_TRY(read_head(compare, json, side, err));
    }
}

static gw_status read_layout(struct compare *compare, struct gw_json *json, struct side *side, gw_err *err)
{
    GW_TRY(gw_json_string(json, &compare->text, sizeof side->layout - 1, err));
    memcpy(side->layout, compare->text.data, compare->text.size + 1);
    return GW_OK;
}

static gw_status read_signature(struct compare *compare, struct side *side, gw_err *err)
{
    struct gw_json json;
    gw_json_init(&json, gw_slice_text(side->version->signature_json));
    GW_TRY(gw_json_enter(&json, GW_JSON_OBJECT, err));
    for (bool more = true;;) {
        struct gw_slice key = {0};
        enum gw_json_kind kind = GW_JSON_NULL;
        GW_TRY(gw_json_next(&json, &more, err));
        if (!more) {
            return gw_json_end(&json, err);
        }
        GW_TRY(gw_json_key(&json, &key, err));
        GW_TRY(gw_json_peek(&json, &kind, err));
        if (gw_slice_is(key, "features")) {
            GW_TRY(read_features(compare, &json, side, err));
        } else if (gw_slice_is(key, "heads")) {
            GW_TRY(read_heads(compare, &json, side, err));
        } else if (gw_slice_is(key, "layout") && kind == GW_JSON_STRING) {
            GW_TRY(read_layout(compare, &json, side, err));
        } else {
            GW_TRY(gw_json_skip(&json, err));
        }
    }
}

// Every number in the document by its path, such as "heads.is_favorited.auc"; what is in arrays is no metric. Recursion
// ends at the reader's depth.
static gw_status read_metrics(struct compare *compare, struct gw_json *json, struct list *metrics, char *path,
                              size_t used, gw_err *err)
{
    GW_TRY(gw_json_enter(json, GW_JSON_OBJECT, err));
    for (bool more = true;;) {
        struct gw_slice key = {0};
        enum gw_json_kind kind = GW_JSON_NULL;
        GW_TRY(gw_json_next(json, &more, err));
        if (!more) {
            return GW_OK;
        }
        GW_TRY(gw_json_key(json, &key, err));
        GW_TRY(gw_json_peek(json, &kind, err));
        size_t length = used + (used > 0) + key.size;
        if (length >= NAME_BYTES) {
            return gw_fail(err, GW_E_MALFORMED, "the name of a metric has %zu bytes, at most %d", length,
                           NAME_BYTES - 1);
        }
        if (used > 0) {
            path[used] = '.';
        }
        memcpy(path + length - key.size, key.data, key.size);
        if (kind == GW_JSON_OBJECT) {
            GW_TRY(read_metrics(compare, json, metrics, path, length, err));
        } else if (kind == GW_JSON_NUMBER) {
            struct item *item = NULL;
            GW_TRY(add(compare, metrics, gw_slice_make(path, length), &item, err));
            GW_TRY(gw_json_double(json, &item->value, err));
        } else {
            GW_TRY(gw_json_skip(json, err));
        }
    }
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(((const struct item *)left)->name, ((const struct item *)right)->name);
}

static void sort(struct list *list)
{
    if (list->count > 1) {
        qsort(list->items, list->count, sizeof *list->items, compare_names);
    }
}

static gw_status read_side(struct compare *compare, struct side *side, gw_err *err)
{
    char path[NAME_BYTES];
    struct gw_json json;
    gw_json_init(&json, gw_slice_text(side->version->metrics_json));
    const char *what = "signature";
    gw_status status = read_signature(compare, side, err);
    if (status == GW_OK) {
        what = "metrics";
        status = read_metrics(compare, &json, &side->metrics, path, 0, err);
    }
    if (status == GW_OK) {
        status = gw_json_end(&json, err);
    }
    if (status != GW_OK) {
        return gw_fail_context(err, status == GW_E_MEMORY ? status : GW_E_MALFORMED, "version %d of '%.64s': stored %s",
                               side->version->version, side->version->model, what);
    }
    sort(&side->features);
    sort(&side->heads);
    sort(&side->metrics);
    return GW_OK;
}

// ---- writing

// Takes the next name of two sorted lists; an item that one of them lacks is NULL there. False at their end.
static bool next_pair(const struct list *left, const struct list *right, size_t *l, size_t *r,
                      const struct item **ret_left, const struct item **ret_right)
{
    *ret_left = *l < left->count ? &left->items[*l] : NULL;
    *ret_right = *r < right->count ? &right->items[*r] : NULL;
    if (*ret_left == NULL && *ret_right == NULL) {
        return false;
    }
    if (*ret_left != NULL && *ret_right != NULL) {
        int order = compare_names(*ret_left, *ret_right);
        *ret_left = order <= 0 ? *ret_left : NULL;
        *ret_right = order >= 0 ? *ret_right : NULL;
    }
    *l += *ret_left != NULL;
    *r += *ret_right != NULL;
    return true;
}

// Names that only `more` has.
static void write_only_in(struct gw_json_writer *writer, const char *key, const struct list *less,
                          const struct list *more)
{
    const struct item *a = NULL;
    const struct item *b = NULL;
    gw_json_write_key(writer, key);
    gw_json_array_begin(writer);
    for (size_t l = 0, r = 0; next_pair(less, more, &l, &r, &a, &b);) {
        if (a == NULL) {
            gw_json_write_text(writer, b->name);
        }
    }
    gw_json_array_end(writer);
}

static void write_pair(struct gw_json_writer *writer, const char *key, const struct item *item)
{
    gw_json_write_key(writer, key);
    if (item != NULL) {
        gw_json_write_double(writer, item->value);
    } else {
        gw_json_write_null(writer);
    }
}

static void write_difference(struct gw_json_writer *writer, const struct item *left, const struct item *right)
{
    gw_json_write_key(writer, "difference");
    if (left != NULL && right != NULL) {
        gw_json_write_double(writer, right->value - left->value);
    } else {
        gw_json_write_null(writer);
    }
}

static void write_metrics(struct gw_json_writer *writer, const struct list *left, const struct list *right)
{
    const struct item *a = NULL;
    const struct item *b = NULL;
    gw_json_write_key(writer, "metrics");
    gw_json_array_begin(writer);
    for (size_t l = 0, r = 0; next_pair(left, right, &l, &r, &a, &b);) {
        gw_json_object_begin(writer);
        gw_json_write_key(writer, "name");
        gw_json_write_text(writer, a != NULL ? a->name : b->name);
        write_pair(writer, "left", a);
        write_pair(writer, "right", b);
        write_difference(writer, a, b);
        gw_json_object_end(writer);
    }
    gw_json_array_end(writer);
}

static void write_head(struct gw_json_writer *writer, const char *key, const struct item *head)
{
    gw_json_write_key(writer, key);
    if (head == NULL) {
        gw_json_write_null(writer);
        return;
    }
    gw_json_object_begin(writer);
    gw_json_write_key(writer, "weight");
    gw_json_write_double(writer, head->value);
    gw_json_write_key(writer, "trees");
    gw_json_write_i64(writer, head->trees);
    gw_json_object_end(writer);
}

static void write_heads(struct gw_json_writer *writer, const struct list *left, const struct list *right)
{
    const struct item *a = NULL;
    const struct item *b = NULL;
    gw_json_write_key(writer, "heads");
    gw_json_array_begin(writer);
    for (size_t l = 0, r = 0; next_pair(left, right, &l, &r, &a, &b);) {
        gw_json_object_begin(writer);
        gw_json_write_key(writer, "name");
        gw_json_write_text(writer, a != NULL ? a->name : b->name);
        write_head(writer, "left", a);
        write_head(writer, "right", b);
        gw_json_object_end(writer);
    }
    gw_json_array_end(writer);
}

static void write_side(struct gw_json_writer *writer, const char *key, const struct side *side)
{
    const struct gw_registry_version *version = side->version;
    gw_json_write_key(writer, key);
    gw_json_object_begin(writer);
    gw_json_write_key(writer, "model");
    gw_json_write_text(writer, version->model);
    gw_json_write_key(writer, "version");
    gw_json_write_i64(writer, version->version);
    gw_json_write_key(writer, "state");
    gw_json_write_text(writer, gw_rollout_state_name(version->state));
    gw_json_write_key(writer, "digest");
    gw_json_write_text(writer, version->digest);
    gw_json_write_key(writer, "layout");
    gw_json_write_text(writer, side->layout);
    gw_json_write_key(writer, "lineage");
    gw_json_write_raw(writer, gw_slice_text(version->lineage_json));
    gw_json_object_end(writer);
}

static void write_comparison(struct gw_json_writer *writer, const struct side *left, const struct side *right)
{
    gw_json_object_begin(writer);
    write_side(writer, "left", left);
    write_side(writer, "right", right);
    gw_json_write_key(writer, "sameArtefact");
    gw_json_write_bool(writer, strcmp(left->version->digest, right->version->digest) == 0);
    gw_json_write_key(writer, "features");
    gw_json_object_begin(writer);
    write_only_in(writer, "added", &left->features, &right->features);
    write_only_in(writer, "removed", &right->features, &left->features);
    gw_json_object_end(writer);
    write_heads(writer, &left->heads, &right->heads);
    write_metrics(writer, &left->metrics, &right->metrics);
    gw_json_object_end(writer);
}

gw_status gw_registry_write_comparison(struct gw_json_writer *writer, const struct gw_registry_version *left,
                                       const struct gw_registry_version *right, gw_err *err)
{
    GW_CLEANUP(free_compare)
    struct compare compare = {.left = {.version = left}, .right = {.version = right}};
    gw_arena_init(&compare.names, 64 << 10, ARENA_BYTES);
    GW_TRY(read_side(&compare, &compare.left, err));
    GW_TRY(read_side(&compare, &compare.right, err));
    write_comparison(writer, &compare.left, &compare.right);
    return GW_OK;
}
