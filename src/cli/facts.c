// SPDX-License-Identifier: MIT
#include "cli/facts.h"

#include "base/json.h"

#include <stdio.h>

enum { PATH_BYTES = 1001, VALUE_BYTES_MAX = 1000 };

struct walk {
    struct gw_json json;
    gw_facts_visit visit;
    void *context;
    struct gw_buf value;
    char path[PATH_BYTES];
};

// Appends one step to the path of `length` bytes; gives the new length.
static gw_status enter_step(struct walk *walk, size_t length, struct gw_slice step, size_t *ret_length, gw_err *err)
{
    size_t dot = length > 0;
    if (length + dot + step.size >= sizeof walk->path) {
        return gw_fail(err, GW_E_TOO_LARGE, "a path of more than %d bytes", PATH_BYTES - 1);
    }
    walk->path[length] = '.';
    memcpy(walk->path + length + dot, step.data, step.size);
    walk->path[length + dot + step.size] = '\0';
    *ret_length = length + dot + step.size;
    return GW_OK;
}

static gw_status walk_value(struct walk *walk, size_t length, gw_err *err);

static gw_status walk_container(struct walk *walk, enum gw_json_kind kind, size_t length, gw_err *err)
{
    bool more = true;
    GW_TRY(gw_json_enter(&walk->json, kind, err));
    for (size_t i = 0;; i++) {
        char index[24];
        struct gw_slice step;
        size_t inner = 0;
        GW_TRY(gw_json_next(&walk->json, &more, err));
        if (!more) {
            return GW_OK;
        }
        snprintf(index, sizeof index, "%zu", i);
        step = gw_slice_text(index);
        if (kind == GW_JSON_OBJECT) {
            GW_TRY(gw_json_key(&walk->json, &step, err));
        }
        GW_TRY(enter_step(walk, length, step, &inner, err));
        GW_TRY(walk_value(walk, inner, err));
        walk->path[length] = '\0';
    }
}

static gw_status read_leaf(struct walk *walk, enum gw_json_kind kind, gw_err *err)
{
    struct gw_slice raw = {0};
    bool flag = false;
    if (kind == GW_JSON_STRING) {
        return gw_json_string(&walk->json, &walk->value, VALUE_BYTES_MAX, err);
    }
    if (kind == GW_JSON_NULL) {
        GW_TRY(gw_json_null(&walk->json, err));
        raw = gw_slice_text("-");
    } else if (kind == GW_JSON_BOOL) {
        GW_TRY(gw_json_bool(&walk->json, &flag, err));
        raw = gw_slice_text(flag ? "yes" : "no");
    } else {
        GW_TRY(gw_json_raw(&walk->json, &raw, err));
    }
    gw_buf_clear(&walk->value);
    if (gw_buf_append(&walk->value, raw.data, raw.size) != GW_OK || gw_buf_append(&walk->value, "", 1) != GW_OK) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a value");
    }
    return GW_OK;
}

// Depth is bounded by the reader.
static gw_status walk_value(struct walk *walk, size_t length, gw_err *err)
{
    enum gw_json_kind kind = GW_JSON_NULL;
    GW_TRY(gw_json_peek(&walk->json, &kind, err));
    if (kind == GW_JSON_OBJECT || kind == GW_JSON_ARRAY) {
        return walk_container(walk, kind, length, err);
    }
    GW_TRY(read_leaf(walk, kind, err));
    return walk->visit(walk->context, walk->path, (const char *)walk->value.data, err);
}

gw_status gw_facts_walk(struct gw_slice text, gw_facts_visit visit, void *context, gw_err *err)
{
    struct walk walk = {.visit = visit, .context = context};
    gw_json_init(&walk.json, text);
    gw_status status = walk_value(&walk, 0, err);
    if (status == GW_OK) {
        status = gw_json_end(&walk.json, err);
    }
    gw_buf_deinit(&walk.value);
    return status;
}
