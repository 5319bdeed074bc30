// SPDX-License-Identifier: MIT
#include "feature/define.h"

#include "base/ini.h"
#include "base/mem.h"
#include "feature/internal.h"
#include "base/suggest.h"

#include <string.h>

static const struct {
    const char *text;
    enum gw_definition_kind kind;
} keys[GW_KEY_COUNT] = {
#define X(code, text, kind) {text, GW_DEFINITION_##kind},
    GW_DEFINITION_KEYS(X)
#undef X
};

struct reader {
    struct gw_arena *arena;
    struct gw_definitions *definitions;
    size_t feature_count;
    size_t view_count;
};

const char *gw_definition_key_text(enum gw_definition_key key)
{
    return keys[key].text;
}

void gw_definitions_deinit(struct gw_definitions *definitions)
{
    gw_mem_free(definitions->items);
    *definitions = (struct gw_definitions){0};
}

static const char *kind_name(enum gw_definition_kind kind)
{
    return kind == GW_DEFINITION_VIEW ? "view" : "feature";
}

// A letter, then letters, digits, '_' and '.': what an expression can name and JSON need not escape.
static bool is_name(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char others[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";
    size_t length = strlen(text);
    return length > 0 && length <= GW_FEATURE_NAME_BYTES_MAX && strspn(text, letters) > 0 &&
           strspn(text, others) == length;
}

static gw_status add(struct gw_definitions *definitions, const struct gw_definition *definition, gw_err *err)
{
    if (definitions->count == definitions->capacity) {
        size_t capacity = definitions->capacity * 2 + 64;
        struct gw_definition *items = gw_mem_realloc(definitions->items, capacity, sizeof *items);
        if (items == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for definitions");
        }
        definitions->items = items;
        definitions->capacity = capacity;
    }
    definitions->items[definitions->count++] = *definition;
    return GW_OK;
}

static gw_status begin_section(struct reader *reader, const char *section, int line, gw_err *err)
{
    size_t length = strcspn(section, " \t");
    const char *name = section + length + strspn(section + length, " \t");
    struct gw_definition definition = {.line = line};
    if (length == 4 && memcmp(section, "view", 4) == 0) {
        definition.kind = GW_DEFINITION_VIEW;
        reader->view_count++;
    } else if (length == 7 && memcmp(section, "feature", 7) == 0) {
        definition.kind = GW_DEFINITION_FEATURE;
        reader->feature_count++;
    } else {
        return gw_fail(err, GW_E_CONFIG, "section '%.64s': expected [view NAME] or [feature NAME]", section);
    }
    if (!is_name(name)) {
        return gw_fail(err, GW_E_CONFIG,
                       "'%.64s' is not a name: a letter, then letters, digits, '_' and '.', at most %d", name,
                       GW_FEATURE_NAME_BYTES_MAX);
    }
    if (reader->view_count > GW_FEATURE_VIEWS_MAX || reader->feature_count > GW_FEATURE_COUNT_MAX) {
        return gw_fail(err, GW_E_CONFIG, "more than %d views or %d features", GW_FEATURE_VIEWS_MAX,
                       GW_FEATURE_COUNT_MAX);
    }
    for (size_t i = 0; i < reader->definitions->count; i++) {
        const struct gw_definition *other = &reader->definitions->items[i];
        if (other->kind == definition.kind && strcmp(other->name, name) == 0) {
            return gw_fail(err, GW_E_CONFIG, "%s '%s' is already defined at line %d", kind_name(definition.kind), name,
                           other->line);
        }
    }
    definition.name = gw_feature_strdup(reader->arena, name);
    if (definition.name == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for definitions");
    }
    return add(reader->definitions, &definition, err);
}

static gw_status set_key(struct reader *reader, struct gw_definition *definition, const char *key, const char *value,
                         int line, gw_err *err)
{
    struct gw_suggestion suggestion;
    gw_suggestion_start(&suggestion, key, strlen(key));
    for (size_t i = 0; i < GW_KEY_COUNT; i++) {
        if (keys[i].kind != definition->kind) {
            continue;
        }
        gw_suggestion_offer(&suggestion, keys[i].text);
        if (strcmp(keys[i].text, key) != 0) {
            continue;
        }
        if (definition->values[i].text != NULL) {
            return gw_fail(err, GW_E_CONFIG, "%s '%s': '%s' is given twice", kind_name(definition->kind),
                           definition->name, key);
        }
        if (value[0] == '\0') {
            return gw_fail(err, GW_E_CONFIG, "%s '%s': '%s' is empty", kind_name(definition->kind), definition->name,
                           key);
        }
        definition->values[i] =
            (struct gw_definition_value){.text = gw_feature_strdup(reader->arena, value), .line = line};
        return definition->values[i].text != NULL ? GW_OK : gw_fail(err, GW_E_MEMORY, "no memory for definitions");
    }
    return gw_fail(err, GW_E_CONFIG, "%s '%s': unknown key '%.64s'%s", kind_name(definition->kind), definition->name,
                   key, gw_suggestion_text(&suggestion));
}

static gw_status visit(void *context, const char *section, const char *key, const char *value, int line, gw_err *err)
{
    struct reader *reader = context;
    if (key == NULL) {
        return begin_section(reader, section, line, err);
    }
    if (reader->definitions->count == 0) {
        return gw_fail(err, GW_E_CONFIG, "'%.64s' stands before the first section", key);
    }
    return set_key(reader, &reader->definitions->items[reader->definitions->count - 1], key, value, line, err);
}

gw_status gw_definitions_read(const char *name, const char *text, size_t size, struct gw_arena *arena,
                              struct gw_definitions *definitions, gw_err *err)
{
    struct reader reader = {.arena = arena, .definitions = definitions};
    gw_status status = gw_ini_parse(name, text, size, visit, &reader, err);
    if (status == GW_E_MALFORMED || status == GW_E_TOO_LARGE || status == GW_E_INVALID) {
        // Definitions come from the operator: whatever is wrong with them, the process cannot go on.
        status = GW_E_CONFIG;
        if (err != NULL) {
            err->status = status;
        }
    }
    return status;
}
