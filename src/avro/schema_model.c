// SPDX-License-Identifier: MIT
// One pass over an object notes where its attributes stand; they are then read in the order that makes sense, because
// JSON may give "fields" before "name". Reading again costs at most the nesting depth times the text.
#include "avro/schema_model.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/mem.h"

#include <string.h>

enum { ARENA_BLOCK_BYTES = 8192, ARENA_LIMIT_BYTES = 64 << 20 };

struct gw_avro_schema {
    struct gw_arena arena;
    struct gw_avro_type *root;
};

struct parser {
    struct gw_arena *arena;
    struct gw_avro_type *named; // newest first
    uint32_t named_count;
    gw_err *err;
};

// X(attribute): what is read of a schema's or a field's object.
#define ATTRIBUTES(X)                                                                                                  \
    X(type)                                                                                                            \
    X(name)                                                                                                            \
    X(namespace)                                                                                                       \
    X(doc)                                                                                                             \
    X(aliases)                                                                                                         \
    X(fields)                                                                                                          \
    X(symbols)                                                                                                         \
    X(default)                                                                                                         \
    X(items)                                                                                                           \
    X(values)                                                                                                          \
    X(size)

enum attribute {
#define X(name) AT_##name,
    ATTRIBUTES(X)
#undef X
        AT_COUNT
};

static const char *const attribute_names[AT_COUNT] = {
#define X(name) #name,
    ATTRIBUTES(X)
#undef X
};

// Where the values of an object's attributes stand.
struct object {
    struct gw_json at[AT_COUNT];
    bool has[AT_COUNT];
};

static const char *const kind_names[] = {
    [GW_AVRO_NULL] = "null",     [GW_AVRO_BOOLEAN] = "boolean", [GW_AVRO_INT] = "int",     [GW_AVRO_LONG] = "long",
    [GW_AVRO_FLOAT] = "float",   [GW_AVRO_DOUBLE] = "double",   [GW_AVRO_BYTES] = "bytes", [GW_AVRO_STRING] = "string",
    [GW_AVRO_RECORD] = "record", [GW_AVRO_ENUM] = "enum",       [GW_AVRO_FIXED] = "fixed", [GW_AVRO_ARRAY] = "array",
    [GW_AVRO_MAP] = "map",       [GW_AVRO_OPTIONAL] = "union",
};

static const uint8_t wire_minimums[] = {
    [GW_AVRO_NULL] = 0,  [GW_AVRO_BOOLEAN] = 1, [GW_AVRO_INT] = 1,   [GW_AVRO_LONG] = 1,
    [GW_AVRO_FLOAT] = 4, [GW_AVRO_DOUBLE] = 8,  [GW_AVRO_BYTES] = 1, [GW_AVRO_STRING] = 1,
    [GW_AVRO_ENUM] = 1,  [GW_AVRO_ARRAY] = 1,   [GW_AVRO_MAP] = 1,   [GW_AVRO_OPTIONAL] = 1,
};

static gw_status parse_type(struct parser *parser, struct gw_json *json, const char *space,
                            struct gw_avro_type **ret_type);

const char *gw_avro_kind_name(enum gw_avro_kind kind)
{
    return kind_names[kind];
}

static gw_status no_memory(struct parser *parser)
{
    return gw_fail(parser->err, GW_E_MEMORY, "schema: no memory");
}

static gw_status scan_object(struct parser *parser, struct gw_json *json, struct object *ret_object)
{
    memset(ret_object->has, 0, sizeof ret_object->has);
    GW_TRY(gw_json_enter(json, GW_JSON_OBJECT, parser->err));
    for (;;) {
        bool more = false;
        struct gw_slice key = {0};
        GW_TRY(gw_json_next(json, &more, parser->err));
        if (!more) {
            return GW_OK;
        }
        GW_TRY(gw_json_key(json, &key, parser->err));
        for (int i = 0; i < AT_COUNT; i++) {
            if (gw_slice_is(key, attribute_names[i])) {
                if (ret_object->has[i]) {
                    return gw_fail(parser->err, GW_E_INVALID, "schema: attribute '%s' twice", attribute_names[i]);
                }
                ret_object->has[i] = true;
                ret_object->at[i] = *json;
            }
        }
        GW_TRY(gw_json_skip(json, parser->err));
    }
}

static gw_status require(struct parser *parser, const struct object *object, enum attribute attribute)
{
    return object->has[attribute]
               ? GW_OK
               : gw_fail(parser->err, GW_E_INVALID, "schema: attribute '%s' is missing", attribute_names[attribute]);
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// A name, or names with dots between when `dotted`.
static bool name_is_valid(struct gw_slice text, bool dotted)
{
    bool first = true;
    if (text.size == 0 || text.size >= GW_AVRO_NAME_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '.' && dotted && !first) {
            first = true;
            continue;
        }
        if (!is_letter(c) && (first || c < '0' || c > '9')) {
            return false;
        }
        first = false;
    }
    return !first;
}

// Reads a name and gives a copy with a NUL.
static gw_status read_name(struct parser *parser, struct gw_json *json, bool dotted, const char **ret_name)
{
    struct gw_slice raw = {0};
    enum gw_json_kind kind = GW_JSON_NULL;
    GW_TRY(gw_json_peek(json, &kind, parser->err));
    if (kind != GW_JSON_STRING) {
        return gw_fail(parser->err, GW_E_INVALID, "schema: a name is not a string");
    }
    GW_TRY(gw_json_raw(json, &raw, parser->err));
    if (!name_is_valid(raw, dotted)) {
        return gw_fail(parser->err, GW_E_INVALID, "schema: bad name '%.*s'", (int)GW_MIN(raw.size, (size_t)60),
                       (const char *)raw.data);
    }
    char *name = gw_arena_alloc(parser->arena, raw.size + 1);
    if (name == NULL) {
        return no_memory(parser);
    }
    memcpy(name, raw.data, raw.size);
    name[raw.size] = '\0';
    *ret_name = name;
    return GW_OK;
}

// Puts the namespace in front of a name that has none.
static gw_status full_name(struct parser *parser, const char *name, const char *space, const char **ret_full)
{
    if (strchr(name, '.') != NULL || space[0] == '\0') {
        *ret_full = name;
        return GW_OK;
    }
    size_t space_size = strlen(space);
    size_t name_size = strlen(name);
    char *full = gw_arena_alloc(parser->arena, space_size + name_size + 2);
    if (full == NULL) {
        return no_memory(parser);
    }
    memcpy(full, space, space_size);
    full[space_size] = '.';
    memcpy(full + space_size + 1, name, name_size + 1);
    *ret_full = full;
    return GW_OK;
}

static bool names_hold(const struct gw_avro_names *names, const char *name)
{
    for (uint32_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i], name) == 0) {
            return true;
        }
    }
    return false;
}

// Reads an array of distinct names: symbols or aliases.
static gw_status read_names(struct parser *parser, struct gw_json *json, bool dotted, struct gw_avro_names *ret_names)
{
    struct gw_avro_names names = {0};
    uint32_t capacity = 0;
    GW_TRY(gw_json_enter(json, GW_JSON_ARRAY, parser->err));
    for (;;) {
        bool more = false;
        const char *name = NULL;
        GW_TRY(gw_json_next(json, &more, parser->err));
        if (!more) {
            *ret_names = names;
            return GW_OK;
        }
        GW_TRY(read_name(parser, json, dotted, &name));
        if (names_hold(&names, name)) {
            return gw_fail(parser->err, GW_E_INVALID, "schema: '%s' twice", name);
        }
        if (names.count == GW_AVRO_NAMED_MAX) {
            return gw_fail(parser->err, GW_E_TOO_LARGE, "schema: over %d names", GW_AVRO_NAMED_MAX);
        }
        if (names.count == capacity) {
            capacity = capacity == 0 ? 8 : capacity * 2;
            const char **items = gw_arena_array(parser->arena, capacity, sizeof *items);
            if (items == NULL) {
                return no_memory(parser);
            }
            if (names.count > 0) {
                memcpy(items, names.items, names.count * sizeof *items);
            }
            names.items = items;
        }
        names.items[names.count++] = name;
    }
}

static gw_status read_doc(struct parser *parser, const struct object *object, struct gw_slice *ret_doc)
{
    if (!object->has[AT_doc]) {
        return GW_OK;
    }
    struct gw_json at = object->at[AT_doc];
    enum gw_json_kind kind = GW_JSON_NULL;
    GW_TRY(gw_json_peek(&at, &kind, parser->err));
    // Some writers put null here; it says nothing either way.
    return kind == GW_JSON_STRING ? gw_json_raw(&at, ret_doc, parser->err) : GW_OK;
}

static gw_status new_type(struct parser *parser, enum gw_avro_kind kind, struct gw_avro_type **ret_type)
{
    struct gw_avro_type *type = gw_arena_alloc(parser->arena, sizeof *type);
    if (type == NULL) {
        return no_memory(parser);
    }
    *type = (struct gw_avro_type){.kind = kind, .default_symbol = -1, .nodes = 1, .depth = 1};
    type->wire_min = kind == GW_AVRO_RECORD || kind == GW_AVRO_FIXED ? 0 : wire_minimums[kind];
    *ret_type = type;
    return GW_OK;
}

// Whatever is part of another type: a field's type, an item, a branch; and the whole.
static gw_status require_bytes(struct parser *parser, const struct gw_avro_type *part)
{
    return part->wire_min > 0 ? GW_OK
                              : gw_fail(parser->err, GW_E_INVALID, "schema: values of a %s would take no bytes",
                                        kind_names[part->kind]);
}

static gw_status add_part(struct parser *parser, struct gw_avro_type *type, const struct gw_avro_type *part)
{
    GW_TRY(require_bytes(parser, part));
    type->nodes += part->nodes; // both are at most GW_AVRO_NODES_MAX
    type->depth = GW_MAX(type->depth, part->depth + 1);
    if (type->nodes > GW_AVRO_NODES_MAX) {
        return gw_fail(parser->err, GW_E_TOO_LARGE, "schema: over %u types when references are followed",
                       GW_AVRO_NODES_MAX);
    }
    if (type->depth > GW_AVRO_DEPTH_MAX) {
        return gw_fail(parser->err, GW_E_TOO_LARGE, "schema: nested deeper than %d types", GW_AVRO_DEPTH_MAX);
    }
    return GW_OK;
}

static const struct gw_avro_type *find_named(const struct parser *parser, const char *full)
{
    for (const struct gw_avro_type *type = parser->named; type != NULL; type = type->next_named) {
        if (strcmp(type->full_name, full) == 0) {
            return type;
        }
    }
    return NULL;
}

static bool find_primitive(const char *name, enum gw_avro_kind *ret_kind)
{
    for (int kind = GW_AVRO_NULL; kind <= GW_AVRO_STRING; kind++) {
        if (strcmp(name, kind_names[kind]) == 0) {
            *ret_kind = (enum gw_avro_kind)kind;
            return true;
        }
    }
    return false;
}

// A primitive's name or a reference to a type defined before.
static gw_status parse_reference(struct parser *parser, struct gw_json *json, const char *space,
                                 struct gw_avro_type **ret_type)
{
    const char *name = NULL;
    const char *full = NULL;
    enum gw_avro_kind kind = GW_AVRO_NULL;
    GW_TRY(read_name(parser, json, true, &name));
    if (find_primitive(name, &kind)) {
        return new_type(parser, kind, ret_type);
    }
    GW_TRY(full_name(parser, name, space, &full));
    const struct gw_avro_type *type = find_named(parser, full);
    if (type == NULL) {
        return gw_fail(parser->err, GW_E_INVALID, "schema: unknown type '%s'", name);
    }
    if (!type->complete) {
        return gw_fail(parser->err, GW_E_INVALID, "schema: type '%s' is recursive", name);
    }
    *ret_type = (struct gw_avro_type *)type;
    return GW_OK;
}

static gw_status parse_union(struct parser *parser, struct gw_json *json, const char *space,
                             struct gw_avro_type **ret_type)
{
    struct gw_avro_type *branches[2] = {0};
    uint32_t count = 0;
    GW_TRY(gw_json_enter(json, GW_JSON_ARRAY, parser->err));
    for (;;) {
        bool more = false;
        GW_TRY(gw_json_next(json, &more, parser->err));
        if (!more) {
            break;
        }
        if (count == GW_COUNT_OF(branches)) {
            return gw_fail(parser->err, GW_E_INVALID, "schema: union of more than null and one type");
        }
        GW_TRY(parse_type(parser, json, space, &branches[count++]));
    }
    if (count != 2 || branches[0]->kind != GW_AVRO_NULL || branches[1]->kind == GW_AVRO_OPTIONAL) {
        return gw_fail(parser->err, GW_E_INVALID, "schema: union is not of null and one type, in this order");
    }
    GW_TRY(new_type(parser, GW_AVRO_OPTIONAL, ret_type));
    (*ret_type)->item = branches[1];
    return add_part(parser, *ret_type, branches[1]);
}

// Name, namespace, aliases and doc; makes the type known under its name. *ret_space is the namespace inside.
static gw_status parse_named(struct parser *parser, struct object *object, const char *space, struct gw_avro_type *type,
                             const char **ret_space)
{
    const char *name = NULL;
    enum gw_avro_kind primitive = GW_AVRO_NULL;
    GW_TRY(require(parser, object, AT_name));
    GW_TRY(read_name(parser, &object->at[AT_name], true, &name));
    const char *dot = strrchr(name, '.');
    if (dot == NULL && object->has[AT_namespace]) {
        struct gw_json at = object->at[AT_namespace];
        struct gw_slice raw = {0};
        GW_TRY(gw_json_raw(&at, &raw, parser->err));
        space = "";
        if (raw.size > 0) {
            GW_TRY(read_name(parser, &object->at[AT_namespace], true, &space));
        }
    } else if (dot != NULL) {
        char *copy = gw_arena_alloc(parser->arena, (size_t)(dot - name) + 1);
        if (copy == NULL) {
            return no_memory(parser);
        }
        memcpy(copy, name, (size_t)(dot - name));
        copy[dot - name] = '\0';
        space = copy;
    }
    type->name = dot != NULL ? dot + 1 : name;
    GW_TRY(full_name(parser, name, space, &type->full_name));
    GW_TRY(read_doc(parser, object, &type->doc));
    if (object->has[AT_aliases]) {
        GW_TRY(read_names(parser, &object->at[AT_aliases], true, &type->aliases));
    }
    if (find_primitive(type->name, &primitive) || find_named(parser, type->full_name) != NULL) {
        return gw_fail(parser->err, GW_E_INVALID, "schema: type '%s' is already defined", type->full_name);
    }
    if (parser->named_count == GW_AVRO_NAMED_MAX) {
        return gw_fail(parser->err, GW_E_TOO_LARGE, "schema: over %d named types", GW_AVRO_NAMED_MAX);
    }
    parser->named_count++;
    type->next_named = parser->named;
    parser->named = type;
    *ret_space = space;
    return GW_OK;
}

static gw_status parse_field(struct parser *parser, struct gw_json *json, const char *space,
                             struct gw_avro_field *ret_field)
{
    struct object object;
    struct gw_avro_type *type = NULL;
    struct gw_avro_field field = {0};
    GW_TRY(scan_object(parser, json, &object));
    GW_TRY(require(parser, &object, AT_name));
    GW_TRY(read_name(parser, &object.at[AT_name], false, &field.name));
    GW_TRY(require(parser, &object, AT_type));
    gw_status status = parse_type(parser, &object.at[AT_type], space, &type);
    if (status != GW_OK) {
        return gw_fail_context(parser->err, status, "field '%.60s'", field.name);
    }
    field.type = type;
    GW_TRY(read_doc(parser, &object, &field.doc));
    if (object.has[AT_aliases]) {
        GW_TRY(read_names(parser, &object.at[AT_aliases], false, &field.aliases));
    }
    if (object.has[AT_default]) {
        struct gw_json at = object.at[AT_default];
        enum gw_json_kind kind = GW_JSON_NULL;
        GW_TRY(gw_json_peek(&at, &kind, parser->err)); // passes white space
        const size_t start = at.at;
        GW_TRY(gw_json_skip(&at, parser->err));
        field.default_value = gw_slice_make(at.data + start, at.at - start);
    }
    *ret_field = field;
    return GW_OK;
}

static gw_status count_items(struct parser *parser, struct gw_json json, uint32_t *ret_count)
{
    uint32_t count = 0;
    GW_TRY(gw_json_enter(&json, GW_JSON_ARRAY, parser->err));
    for (;;) {
        bool more = false;
        GW_TRY(gw_json_next(&json, &more, parser->err));
        if (!more) {
            *ret_count = count;
            return GW_OK;
        }
        if (++count > GW_AVRO_NAMED_MAX) {
            return gw_fail(parser->err, GW_E_TOO_LARGE, "schema: over %d fields", GW_AVRO_NAMED_MAX);
        }
        GW_TRY(gw_json_skip(&json, parser->err));
    }
}

static gw_status parse_record(struct parser *parser, struct object *object, const char *space,
                              struct gw_avro_type *type)
{
    uint32_t count = 0;
    struct gw_json *json = &object->at[AT_fields];
    GW_TRY(require(parser, object, AT_fields));
    GW_TRY(count_items(parser, *json, &count));
    type->fields = gw_arena_array(parser->arena, count, sizeof *type->fields);
    if (type->fields == NULL) {
        return no_memory(parser);
    }
    GW_TRY(gw_json_enter(json, GW_JSON_ARRAY, parser->err));
    for (uint32_t i = 0; i < count; i++) {
        bool more = false;
        struct gw_avro_field *field = &type->fields[i];
        GW_TRY(gw_json_next(json, &more, parser->err));
        GW_TRY(parse_field(parser, json, space, field));
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(type->fields[j].name, field->name) == 0) {
                return gw_fail(parser->err, GW_E_INVALID, "schema: field '%s' twice in '%s'", field->name, type->name);
            }
        }
        GW_TRY(add_part(parser, type, field->type));
        type->wire_min += field->type->wire_min; // nodes bound the sum below 2^37
    }
    type->field_count = count;
    return GW_OK;
}

static gw_status parse_enum(struct parser *parser, struct object *object, struct gw_avro_type *type)
{
    GW_TRY(require(parser, object, AT_symbols));
    GW_TRY(read_names(parser, &object->at[AT_symbols], false, &type->symbols));
    if (type->symbols.count == 0) {
        return gw_fail(parser->err, GW_E_INVALID, "schema: enum '%s' has no symbols", type->name);
    }
    if (object->has[AT_default]) {
        const char *symbol = NULL;
        GW_TRY(read_name(parser, &object->at[AT_default], false, &symbol));
        for (uint32_t i = 0; i < type->symbols.count; i++) {
            if (strcmp(type->symbols.items[i], symbol) == 0) {
                type->default_symbol = (int32_t)i;
            }
        }
        if (type->default_symbol < 0) {
            return gw_fail(parser->err, GW_E_INVALID, "schema: default '%s' is no symbol of '%s'", symbol, type->name);
        }
    }
    return GW_OK;
}

static gw_status parse_fixed(struct parser *parser, struct object *object, struct gw_avro_type *type)
{
    int64_t size = 0;
    GW_TRY(require(parser, object, AT_size));
    GW_TRY(gw_json_i64(&object->at[AT_size], &size, parser->err));
    if (size < 0 || size > GW_AVRO_FIXED_BYTES_MAX) {
        return gw_fail(parser->err, GW_E_TOO_LARGE, "schema: fixed '%s' of %lld bytes", type->name, (long long)size);
    }
    type->size = (uint32_t)size;
    type->wire_min = (size_t)size;
    return GW_OK;
}

static gw_status parse_object(struct parser *parser, struct gw_json *json, const char *space,
                              struct gw_avro_type **ret_type)
{
    struct object object;
    const char *word = NULL;
    struct gw_avro_type *type = NULL;
    struct gw_avro_type *item = NULL;
    enum gw_avro_kind kind = GW_AVRO_NULL;
    GW_TRY(scan_object(parser, json, &object));
    GW_TRY(require(parser, &object, AT_type));
    GW_TRY(read_name(parser, &object.at[AT_type], false, &word));
    while (kind < GW_AVRO_OPTIONAL && strcmp(word, kind_names[kind]) != 0) {
        kind++;
    }
    if (kind == GW_AVRO_OPTIONAL) {
        return gw_fail(parser->err, GW_E_INVALID, "schema: unknown type '%s'", word);
    }
    GW_TRY(new_type(parser, kind, &type));
    if (kind == GW_AVRO_ARRAY || kind == GW_AVRO_MAP) {
        enum attribute attribute = kind == GW_AVRO_ARRAY ? AT_items : AT_values;
        GW_TRY(require(parser, &object, attribute));
        GW_TRY(parse_type(parser, &object.at[attribute], space, &item));
        type->item = item;
        GW_TRY(add_part(parser, type, item));
    } else if (kind >= GW_AVRO_RECORD) {
        GW_TRY(parse_named(parser, &object, space, type, &space));
        GW_TRY(kind == GW_AVRO_RECORD ? parse_record(parser, &object, space, type)
               : kind == GW_AVRO_ENUM ? parse_enum(parser, &object, type)
                                      : parse_fixed(parser, &object, type));
        type->complete = true;
    }
    *ret_type = type;
    return GW_OK;
}

// Recursion is as deep as the JSON, which the reader bounds.
static gw_status parse_type(struct parser *parser, struct gw_json *json, const char *space,
                            struct gw_avro_type **ret_type)
{
    enum gw_json_kind kind = GW_JSON_NULL;
    GW_TRY(gw_json_peek(json, &kind, parser->err));
    switch ((int)kind) {
    case GW_JSON_STRING:
        return parse_reference(parser, json, space, ret_type);
    case GW_JSON_ARRAY:
        return parse_union(parser, json, space, ret_type);
    case GW_JSON_OBJECT:
        return parse_object(parser, json, space, ret_type);
    default:
        return gw_fail(parser->err, GW_E_INVALID, "schema: a type is a name, an array or an object");
    }
}

static gw_status parse_schema(struct gw_avro_schema *schema, struct gw_slice json, gw_err *err)
{
    uint8_t *copy = gw_arena_alloc(&schema->arena, json.size); // documentation and defaults point into it
    struct parser parser = {.arena = &schema->arena, .err = err};
    if (copy == NULL) {
        return no_memory(&parser);
    }
    memcpy(copy, json.data, json.size);
    struct gw_json reader;
    gw_json_init(&reader, gw_slice_make(copy, json.size));
    GW_TRY(parse_type(&parser, &reader, "", &schema->root));
    GW_TRY(gw_json_end(&reader, err));
    return require_bytes(&parser, schema->root);
}

gw_status gw_avro_schema_parse(struct gw_slice json, struct gw_avro_schema **ret_schema, gw_err *err)
{
    if (json.size == 0 || json.size > GW_AVRO_SCHEMA_BYTES_MAX) {
        return gw_fail(err, json.size == 0 ? GW_E_MALFORMED : GW_E_TOO_LARGE, "schema of %zu bytes", json.size);
    }
    struct gw_avro_schema *schema = gw_mem_calloc(1, sizeof *schema);
    if (schema == NULL) {
        return gw_fail(err, GW_E_MEMORY, "schema: no memory");
    }
    gw_arena_init(&schema->arena, ARENA_BLOCK_BYTES, ARENA_LIMIT_BYTES);
    gw_status status = parse_schema(schema, json, err);
    if (status != GW_OK) {
        gw_avro_schema_free(schema);
        return status;
    }
    *ret_schema = schema;
    return GW_OK;
}

void gw_avro_schema_free(struct gw_avro_schema *schema)
{
    if (schema != NULL) {
        gw_arena_deinit(&schema->arena);
        gw_mem_free(schema);
    }
}

const struct gw_avro_type *gw_avro_schema_root(const struct gw_avro_schema *schema)
{
    return schema->root;
}
