// SPDX-License-Identifier: MIT
// avrogen OUTDIR SCHEMA...: writes the C codecs of the record in each schema file (see src/avro/README.md).
//
// OUTDIR/records/ then holds <record>.h and .c for each, types.h and types.c with the enums that records share, and
// all.h and all.c with a table of all records. The build runs it; it stops at the first error, with the file's name.
#include "avro/schema_model.h"
#include "base/bytes.h"
#include "base/ini.h"
#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SCHEMAS_MAX = 256, TYPES_MAX = 512, NAME_MAX_BYTES = 2 * GW_AVRO_NAME_BYTES_MAX };

struct source {
    const char *path;
    char *text;
    size_t size;
    struct gw_avro_schema *schema;
    const struct gw_avro_type *record;
};

struct known_type {
    const struct gw_avro_type *type;
    const struct source *source;
};

struct generator {
    const char *folder;
    struct source sources[SCHEMAS_MAX];
    size_t source_count;
    struct known_type types[TYPES_MAX]; // records and enums, each once
    size_t type_count;
};

// Names of a type in C: prediction_request and PREDICTION_REQUEST.
struct names {
    char lower[NAME_MAX_BYTES];
    char upper[NAME_MAX_BYTES];
};

static GW_PRINTF(1, 2) bool complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("avrogen: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return false;
}

static struct names names_of(const struct gw_avro_type *type)
{
    struct names names = {0};
    size_t size = 0;
    for (const char *c = type->name; *c != '\0'; c++) {
        if (isupper((unsigned char)*c) && c != type->name) {
            names.lower[size] = names.upper[size] = '_';
            size++;
        }
        names.lower[size] = (char)tolower((unsigned char)*c);
        names.upper[size] = (char)toupper((unsigned char)*c);
        size++;
    }
    return names;
}

static GW_PRINTF(2, 3) void say(struct gw_buf *out, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (size < 0 || (size_t)size >= sizeof text || gw_buf_append(out, text, (size_t)size) != GW_OK) {
        complain("no memory, or a line over %zu bytes", sizeof text);
        exit(1);
    }
}

// A schema's documentation as comment text: escapes become what they stand for, or a space.
static void say_doc(struct gw_buf *out, const char *indent, struct gw_slice doc)
{
    enum { WIDTH = 110 };
    char line[WIDTH + 1];
    size_t used = 0;
    size_t at = 0;
    while (at < doc.size) {
        size_t end = at;
        while (end < doc.size && doc.data[end] != ' ') {
            end++;
        }
        size_t size = GW_MIN(end - at, (size_t)WIDTH);
        if (used + size + 1 > WIDTH) {
            say(out, "%s// %.*s\n", indent, (int)used, line);
            used = 0;
        }
        if (used > 0) {
            line[used++] = ' ';
        }
        for (size_t i = 0; i < size; i++) {
            char c = (char)doc.data[at + i];
            if (c == '\\' && i + 1 < size) {
                char next = (char)doc.data[at + ++i];
                c = next == '"' || next == '\\' || next == '/' ? next : ' ';
            }
            line[used++] = c == '\\' ? '/' : c; // a backslash at the end of a line would join the next to the comment
        }
        at = end + 1;
    }
    if (used > 0) {
        say(out, "%s// %.*s\n", indent, (int)used, line);
    }
}

static bool is_composite(const struct gw_avro_type *type)
{
    return type->kind == GW_AVRO_RECORD;
}

// What the value's declaration starts with; fixed and arrays are written out by say_member.
static void value_type(const struct gw_avro_type *type, char *to, size_t size)
{
    static const char *const plain[] = {
        [GW_AVRO_BOOLEAN] = "bool",  [GW_AVRO_INT] = "int32_t",  [GW_AVRO_LONG] = "int64_t",
        [GW_AVRO_FLOAT] = "float",   [GW_AVRO_DOUBLE] = "double", [GW_AVRO_BYTES] = "struct gw_slice",
        [GW_AVRO_STRING] = "struct gw_slice",
    };
    if (type->kind == GW_AVRO_ENUM || type->kind == GW_AVRO_RECORD) {
        snprintf(to, size, "%s gw_%s", type->kind == GW_AVRO_ENUM ? "enum" : "struct", names_of(type).lower);
    } else {
        snprintf(to, size, "%s", plain[type->kind]);
    }
}

// The name of gw_avro_read_<name> and gw_avro_put_<name>.
static const char *codec_name(enum gw_avro_kind kind)
{
    static const char *const codecs[] = {
        [GW_AVRO_BOOLEAN] = "bool",  [GW_AVRO_INT] = "int",     [GW_AVRO_LONG] = "long",   [GW_AVRO_FLOAT] = "float",
        [GW_AVRO_DOUBLE] = "double", [GW_AVRO_BYTES] = "bytes", [GW_AVRO_STRING] = "bytes",
    };
    return codecs[kind];
}

static const char *array_codec_name(const struct gw_avro_type *type)
{
    static const char *const codecs[] = {
        [GW_AVRO_FLOAT] = "floats",
        [GW_AVRO_DOUBLE] = "doubles",
        [GW_AVRO_BYTES] = "slices",
        [GW_AVRO_STRING] = "slices",
    };
    return type->kind == GW_AVRO_MAP ? "double_map" : codecs[type->item->kind];
}

// Most bytes of a value whose length does not depend on it; 0 when it does.
static size_t constant_bound(const struct gw_avro_type *type)
{
    switch ((int)type->kind) {
    case GW_AVRO_BOOLEAN:
        return 1;
    case GW_AVRO_INT:
    case GW_AVRO_ENUM:
        return 5;
    case GW_AVRO_LONG:
        return 10;
    case GW_AVRO_FLOAT:
        return 4;
    case GW_AVRO_DOUBLE:
        return 8;
    case GW_AVRO_FIXED:
        return type->size;
    default:
        return 0;
    }
}

// --- what we generate for -------------------------------------------------------------------------------------------

static bool field_is_supported(const struct source *source, const struct gw_avro_type *record,
                               const struct gw_avro_field *field)
{
    const struct gw_avro_type *type = field->type;
    bool ok = false;
    switch ((int)type->kind) {
    case GW_AVRO_ARRAY:
        ok = (type->item->kind >= GW_AVRO_FLOAT && type->item->kind <= GW_AVRO_STRING) ||
             type->item->kind == GW_AVRO_RECORD;
        break;
    case GW_AVRO_MAP:
        ok = type->item->kind == GW_AVRO_DOUBLE;
        break;
    case GW_AVRO_OPTIONAL:
        ok = (type->item->kind >= GW_AVRO_BOOLEAN && type->item->kind <= GW_AVRO_STRING) ||
             type->item->kind == GW_AVRO_ENUM || type->item->kind == GW_AVRO_FIXED;
        break;
    default:
        ok = type->kind != GW_AVRO_RECORD;
        break;
    }
    return ok || complain("%s: field '%s' of '%s': no code for this %s", source->path, field->name, record->name,
                          gw_avro_kind_name(type->kind));
}

static bool symbols_equal(const struct gw_avro_names *a, const struct gw_avro_names *b)
{
    bool equal = a->count == b->count;
    for (uint32_t i = 0; equal && i < a->count; i++) {
        equal = strcmp(a->items[i], b->items[i]) == 0;
    }
    return equal;
}

// Notes a record or enum; an enum may be in many files, when it is the same in all.
static bool note_type(struct generator *generator, const struct source *source, const struct gw_avro_type *type)
{
    for (size_t i = 0; i < generator->type_count; i++) {
        const struct known_type *known = &generator->types[i];
        if (known->type == type) {
            return true;
        }
        if (strcmp(known->type->name, type->name) == 0) {
            return (type->kind == GW_AVRO_ENUM && known->type->kind == GW_AVRO_ENUM &&
                    symbols_equal(&known->type->symbols, &type->symbols)) ||
                   complain("%s: type '%s' is another one in '%s'", source->path, type->name, known->source->path);
        }
    }
    if (generator->type_count == TYPES_MAX) {
        return complain("over %d types", TYPES_MAX);
    }
    if (is_composite(type)) {
        for (uint32_t i = 0; i < type->field_count; i++) {
            const struct gw_avro_type *part = type->fields[i].type;
            if (!field_is_supported(source, type, &type->fields[i])) {
                return false;
            }
            part = part->item != NULL ? part->item : part;
            if ((part->kind == GW_AVRO_RECORD || part->kind == GW_AVRO_ENUM) && !note_type(generator, source, part)) {
                return false;
            }
        }
    }
    // Behind its parts, so that the order of the table is one in which C declarations work.
    generator->types[generator->type_count++] = (struct known_type){.type = type, .source = source};
    return true;
}

static bool load_source(struct generator *generator, const char *path)
{
    gw_err err = {0};
    struct source *source = &generator->sources[generator->source_count];
    source->path = path;
    if (gw_file_read(path, GW_AVRO_SCHEMA_BYTES_MAX, &source->text, &source->size, &err) != GW_OK ||
        gw_avro_schema_parse(gw_slice_make(source->text, source->size), &source->schema, &err) != GW_OK) {
        return complain("%s: %s", path, err.message);
    }
    generator->source_count++;
    source->record = gw_avro_schema_root(source->schema);
    if (source->record->kind != GW_AVRO_RECORD) {
        return complain("%s: not a record", path);
    }
    return note_type(generator, source, source->record);
}

// --- headers --------------------------------------------------------------------------------------------------------

static void say_member(struct gw_buf *out, const struct gw_avro_field *field)
{
    const struct gw_avro_type *type = field->type;
    char text[NAME_MAX_BYTES + 16];
    say_doc(out, "    ", field->doc);
    if (type->kind == GW_AVRO_OPTIONAL) {
        say(out, "    bool has_%s;\n", field->name);
        type = type->item;
    }
    if (type->kind == GW_AVRO_FIXED) {
        say(out, "    uint8_t %s[%u];\n", field->name, type->size);
    } else if (type->kind == GW_AVRO_MAP) {
        say(out, "    struct {\n        struct gw_avro_double_entry *items;\n        uint32_t count;\n    } %s;\n",
            field->name);
    } else if (type->kind == GW_AVRO_ARRAY) {
        value_type(type->item, text, sizeof text);
        say(out, "    struct {\n        %s *items;\n        uint32_t count;\n    } %s;\n", text, field->name);
    } else {
        value_type(type, text, sizeof text);
        say(out, "    %s %s;\n", text, field->name);
    }
}

static void say_header(const struct generator *generator, const struct source *source, struct gw_buf *out)
{
    const struct names names = names_of(source->record);
    say(out,
        "// SPDX-License-Identifier: MIT\n// Generated by avrogen from %s.avsc; do not edit.\n#pragma once\n\n"
        "#include \"records/types.h\"\n\n#include <stdbool.h>\n#include <stdint.h>\n",
        names.lower);
    for (size_t i = 0; i < generator->type_count; i++) {
        const struct gw_avro_type *type = generator->types[i].type;
        if (type->kind != GW_AVRO_RECORD || generator->types[i].source != source) {
            continue;
        }
        say(out, "\n");
        say_doc(out, "", type->doc);
        say(out, "struct gw_%s {\n", names_of(type).lower);
        for (uint32_t j = 0; j < type->field_count; j++) {
            say_member(out, &type->fields[j]);
        }
        say(out, "};\n");
    }
    say(out,
        "\n// The schema, as registered: JSON without white space, NUL-terminated.\nextern const char gw_%s_schema[];\n\n"
        "// Decodes one record from all of `in` (borrowed; slices of *ret_record point into it). Arrays and maps live in\n"
        "// `arena`. GW_E_MALFORMED names the field; GW_E_TOO_LARGE when the arena has no room.\n"
        "GW_CHECK gw_status gw_%s_decode(struct gw_slice in, struct gw_arena *arena, struct gw_%s *ret_record,\n"
        "    gw_err *err);\n\n"
        "// Appends the record (borrowed) to *out. GW_E_MEMORY leaves *out as it was. Asserts that enums are in range.\n"
        "GW_CHECK gw_status gw_%s_encode(const struct gw_%s *record, struct gw_buf *out);\n",
        names.lower, names.lower, names.lower, names.lower, names.lower);
}

static void say_types_header(const struct generator *generator, struct gw_buf *out)
{
    say(out, "// SPDX-License-Identifier: MIT\n// Generated by avrogen: the enums of all records; do not edit.\n"
             "#pragma once\n\n#include \"avro/array.h\"\n");
    for (size_t i = 0; i < generator->type_count; i++) {
        const struct gw_avro_type *type = generator->types[i].type;
        if (type->kind != GW_AVRO_ENUM) {
            continue;
        }
        const struct names names = names_of(type);
        say(out, "\n");
        say_doc(out, "", type->doc);
        say(out, "enum gw_%s {\n", names.lower);
        for (uint32_t j = 0; j < type->symbols.count; j++) {
            say(out, "    GW_%s_%s,\n", names.upper, type->symbols.items[j]);
        }
        say(out,
            "    GW_%s_COUNT\n};\n\n// The symbol; that of 0 when `value` is out of range.\n"
            "const char *gw_%s_name(int value);\n",
            names.upper, names.lower);
    }
}

static void say_types_source(const struct generator *generator, struct gw_buf *out)
{
    say(out, "// SPDX-License-Identifier: MIT\n// Generated by avrogen; do not edit.\n#include \"records/types.h\"\n");
    for (size_t i = 0; i < generator->type_count; i++) {
        const struct gw_avro_type *type = generator->types[i].type;
        if (type->kind != GW_AVRO_ENUM) {
            continue;
        }
        const struct names names = names_of(type);
        say(out, "\nconst char *gw_%s_name(int value)\n{\n    static const char *const names[] = {\n", names.lower);
        for (uint32_t j = 0; j < type->symbols.count; j++) {
            say(out, "        \"%s\",\n", type->symbols.items[j]);
        }
        say(out, "    };\n    return names[value >= 0 && value < GW_%s_COUNT ? value : 0];\n}\n", names.upper);
    }
}

// --- codecs ---------------------------------------------------------------------------------------------------------

// Reads one value that is no array, into to->name.
static void say_read_value(struct gw_buf *out, const char *indent, const char *where, const char *name,
                           const struct gw_avro_type *type)
{
    if (type->kind == GW_AVRO_FIXED) {
        say(out, "%sGW_AVRO_FIELD(gw_avro_read_raw(reader, to->%s, %u), \"%s\");\n", indent, name, type->size, where);
    } else if (type->kind == GW_AVRO_ENUM) {
        const struct names names = names_of(type);
        say(out,
            "%sGW_AVRO_FIELD(gw_avro_read_index(reader, GW_%s_COUNT, &index), \"%s\");\n"
            "%sto->%s = (enum gw_%s)index;\n",
            indent, names.upper, where, indent, name, names.lower);
    } else {
        say(out, "%sGW_AVRO_FIELD(gw_avro_read_%s(reader, &to->%s), \"%s\");\n", indent, codec_name(type->kind), name,
            where);
    }
}

static void say_read_records(struct gw_buf *out, const char *where, const char *name, const struct gw_avro_type *item)
{
    const struct names names = names_of(item);
    say(out,
        "    struct gw_avro_array %s = {0};\n"
        "    do {\n"
        "        GW_AVRO_FIELD(gw_avro_array_next(reader, arena, &%s, sizeof(struct gw_%s), %zu, &first), \"%s\");\n"
        "        struct gw_%s *items = %s.items;\n"
        "        for (uint32_t i = first; i < %s.count; i++) {\n"
        "            GW_TRY(read_%s(reader, arena, &items[i], err));\n"
        "        }\n"
        "    } while (first < %s.count);\n"
        "    to->%s.items = %s.items;\n"
        "    to->%s.count = %s.count;\n",
        name, name, names.lower, item->wire_min, where, names.lower, name, name, names.lower, name, name, name, name,
        name);
}

static void say_read_field(struct gw_buf *out, const struct gw_avro_type *record, const struct gw_avro_field *field)
{
    const struct gw_avro_type *type = field->type;
    char where[NAME_MAX_BYTES + 2];
    snprintf(where, sizeof where, "%s.%s", record->name, field->name);
    if (type->kind == GW_AVRO_OPTIONAL) {
        say(out, "    GW_AVRO_FIELD(gw_avro_read_index(reader, 2, &index), \"%s\");\n    if (index == 1) {\n        to->has_%s = true;\n",
            where, field->name);
        say_read_value(out, "        ", where, field->name, type->item);
        say(out, "    }\n");
    } else if (type->kind == GW_AVRO_ARRAY && type->item->kind == GW_AVRO_RECORD) {
        say_read_records(out, where, field->name, type->item);
    } else if (type->kind == GW_AVRO_ARRAY || type->kind == GW_AVRO_MAP) {
        say(out, "    GW_AVRO_FIELD(gw_avro_read_%s(reader, arena, &to->%s.items, &to->%s.count), \"%s\");\n",
            array_codec_name(type), field->name, field->name, where);
    } else {
        say_read_value(out, "    ", where, field->name, type);
    }
}

static bool has_field(const struct gw_avro_type *record, enum gw_avro_kind kind, bool record_items)
{
    for (uint32_t i = 0; i < record->field_count; i++) {
        const struct gw_avro_type *type = record->fields[i].type;
        if (record_items ? type->kind == GW_AVRO_ARRAY && type->item->kind == kind
                         : type->kind == kind || (type->kind == GW_AVRO_OPTIONAL && type->item->kind == kind)) {
            return true;
        }
    }
    return false;
}

static void say_reader(struct gw_buf *out, const struct gw_avro_type *record)
{
    const struct names names = names_of(record);
    say(out,
        "\nstatic gw_status read_%s(struct gw_avro_reader *reader, struct gw_arena *arena, struct gw_%s *to,\n    gw_err *err)\n{\n    (void)arena;\n"
        "    *to = (struct gw_%s){0};\n",
        names.lower, names.lower, names.lower);
    if (has_field(record, GW_AVRO_ENUM, false) || has_field(record, GW_AVRO_OPTIONAL, false)) {
        say(out, "    uint32_t index = 0;\n");
    }
    if (has_field(record, GW_AVRO_RECORD, true)) {
        say(out, "    uint32_t first = 0;\n");
    }
    for (uint32_t i = 0; i < record->field_count; i++) {
        say_read_field(out, record, &record->fields[i]);
    }
    say(out, "    return GW_OK;\n}\n");
}

// The expression for the variable part of a field's bound; false when the field has none.
static bool say_bound_field(struct gw_buf *out, const struct gw_avro_field *field, size_t *constant)
{
    const struct gw_avro_type *type = field->type;
    const char *name = field->name;
    if (type->kind == GW_AVRO_OPTIONAL) {
        *constant += 1;
        type = type->item;
        if (constant_bound(type) == 0) {
            *constant += 10;
            say(out, "    bound += from->has_%s ? from->%s.size : 0;\n", name, name);
            return true;
        }
    }
    if (type->kind == GW_AVRO_STRING || type->kind == GW_AVRO_BYTES) {
        *constant += 10;
        say(out, "    bound += from->%s.size;\n", name);
    } else if (type->kind == GW_AVRO_MAP || (type->kind == GW_AVRO_ARRAY && (type->item->kind == GW_AVRO_STRING ||
                                                                           type->item->kind == GW_AVRO_BYTES))) {
        say(out, "    bound += gw_avro_%s_bound(from->%s.items, from->%s.count);\n", array_codec_name(type), name, name);
    } else if (type->kind == GW_AVRO_ARRAY && type->item->kind == GW_AVRO_RECORD) {
        say(out,
            "    bound += gw_avro_array_bound(from->%s.count, 0);\n"
            "    for (uint32_t i = 0; i < from->%s.count; i++) {\n"
            "        bound += bound_%s(&from->%s.items[i]);\n    }\n",
            name, name, names_of(type->item).lower, name);
    } else if (type->kind == GW_AVRO_ARRAY) {
        say(out, "    bound += gw_avro_array_bound(from->%s.count, %zu);\n", name, constant_bound(type->item));
    } else {
        *constant += constant_bound(type);
        return false;
    }
    return true;
}

static void say_bound(struct gw_buf *out, const struct gw_avro_type *record)
{
    const struct names names = names_of(record);
    struct gw_buf body = {0};
    size_t constant = 0;
    bool variable = false;
    for (uint32_t i = 0; i < record->field_count; i++) {
        variable = say_bound_field(&body, &record->fields[i], &constant) || variable;
    }
    say(out, "\n// Most bytes that write_%s takes.\nstatic size_t bound_%s(const struct gw_%s *from)\n{\n", names.lower,
        names.lower, names.lower);
    if (variable) {
        say(out, "    size_t bound = %zu;\n%.*s    return bound;\n}\n", constant, (int)body.size,
            (const char *)body.data);
    } else {
        say(out, "    (void)from;\n    return %zu;\n}\n", constant);
    }
    gw_buf_deinit(&body);
}

static void say_write_value(struct gw_buf *out, const char *indent, const char *name, const struct gw_avro_type *type)
{
    if (type->kind == GW_AVRO_FIXED) {
        say(out, "%sgw_avro_put_raw(out, from->%s, %u);\n", indent, name, type->size);
    } else if (type->kind == GW_AVRO_ENUM) {
        say(out,
            "%sGW_ASSERT((unsigned)from->%s < (unsigned)GW_%s_COUNT);\n%sgw_avro_put_long(out, from->%s);\n",
            indent, name, names_of(type).upper, indent, name);
    } else if (type->kind == GW_AVRO_INT || type->kind == GW_AVRO_LONG) {
        say(out, "%sgw_avro_put_long(out, from->%s);\n", indent, name);
    } else if (type->kind == GW_AVRO_BYTES || type->kind == GW_AVRO_STRING) {
        say(out, "%sgw_avro_put_bytes(out, from->%s);\n", indent, name);
    } else {
        // A boolean, float or double is on the wire as it is in memory.
        say(out, "%sgw_avro_put_raw(out, &from->%s, sizeof from->%s);\n", indent, name, name);
    }
}

static void say_write_field(struct gw_buf *out, const struct gw_avro_field *field)
{
    const struct gw_avro_type *type = field->type;
    const char *name = field->name;
    if (type->kind == GW_AVRO_OPTIONAL) {
        say(out, "    gw_avro_put_long(out, from->has_%s ? 1 : 0);\n    if (from->has_%s) {\n", name, name);
        say_write_value(out, "        ", name, type->item);
        say(out, "    }\n");
    } else if (type->kind == GW_AVRO_ARRAY && type->item->kind == GW_AVRO_RECORD) {
        say(out,
            "    if (from->%s.count > 0) {\n        gw_avro_put_long(out, from->%s.count);\n    }\n"
            "    for (uint32_t i = 0; i < from->%s.count; i++) {\n"
            "        write_%s(&from->%s.items[i], out);\n    }\n    gw_avro_put_long(out, 0);\n",
            name, name, name, names_of(type->item).lower, name);
    } else if (type->kind == GW_AVRO_ARRAY || type->kind == GW_AVRO_MAP) {
        say(out, "    gw_avro_put_%s(out, from->%s.items, from->%s.count);\n", array_codec_name(type), name, name);
    } else {
        say_write_value(out, "    ", name, type);
    }
}

static void say_writer(struct gw_buf *out, const struct gw_avro_type *record)
{
    const struct names names = names_of(record);
    say(out, "\nstatic void write_%s(const struct gw_%s *from, struct gw_buf *out)\n{\n", names.lower, names.lower);
    for (uint32_t i = 0; i < record->field_count; i++) {
        say_write_field(out, &record->fields[i]);
    }
    say(out, "}\n");
}

// The schema as a C string, without the white space between its tokens, in lines.
static void say_schema(struct gw_buf *out, const struct source *source)
{
    say(out, "\nconst char gw_%s_schema[] =\n    \"", names_of(source->record).lower);
    bool quoted = false;
    size_t column = 0;
    for (size_t i = 0; i < source->size; i++) {
        char c = source->text[i];
        if (!quoted && isspace((unsigned char)c)) {
            continue;
        }
        if (column >= 100) {
            say(out, "\"\n    \"");
            column = 0;
        }
        if (c == '\\' && i + 1 < source->size) {
            say(out, "\\\\%s%c", source->text[i + 1] == '"' || source->text[i + 1] == '\\' ? "\\" : "",
                source->text[i + 1]);
            i++;
        } else {
            quoted = c == '"' ? !quoted : quoted;
            say(out, "%s%c", c == '"' ? "\\" : "", c);
        }
        column++;
    }
    say(out, "\";\n");
}

static void say_source(const struct generator *generator, const struct source *source, struct gw_buf *out)
{
    const struct names names = names_of(source->record);
    say(out,
        "// SPDX-License-Identifier: MIT\n// Generated by avrogen from %s.avsc; do not edit.\n"
        "#include \"records/%s.h\"\n\n#include \"base/check.h\"\n",
        names.lower, names.lower);
    say_schema(out, source);
    for (size_t i = 0; i < generator->type_count; i++) {
        if (generator->types[i].type->kind == GW_AVRO_RECORD && generator->types[i].source == source) {
            say_reader(out, generator->types[i].type);
            say_bound(out, generator->types[i].type);
            say_writer(out, generator->types[i].type);
        }
    }
    say(out,
        "\ngw_status gw_%s_decode(struct gw_slice in, struct gw_arena *arena, struct gw_%s *ret_record, gw_err *err)\n{\n"
        "    struct gw_avro_reader reader = gw_avro_reader_make(in);\n    struct gw_%s record;\n"
        "    GW_TRY(read_%s(&reader, arena, &record, err));\n    if (gw_avro_left(&reader) > 0) {\n"
        "        return gw_fail(err, GW_E_MALFORMED, \"%s: bytes behind the record\");\n    }\n"
        "    *ret_record = record;\n    return GW_OK;\n}\n",
        names.lower, names.lower, names.lower, names.lower, source->record->name);
    say(out,
        "\ngw_status gw_%s_encode(const struct gw_%s *record, struct gw_buf *out)\n{\n"
        "    GW_TRY(gw_buf_reserve(out, bound_%s(record)));\n"
        "    write_%s(record, out);\n    return GW_OK;\n}\n",
        names.lower, names.lower, names.lower, names.lower);
}

static void say_all_header(const struct generator *generator, struct gw_buf *out)
{
    say(out, "// SPDX-License-Identifier: MIT\n// Generated by avrogen: the table of all records; do not edit.\n"
             "#pragma once\n\n");
    for (size_t i = 0; i < generator->source_count; i++) {
        say(out, "#include \"records/%s.h\"\n", names_of(generator->sources[i].record).lower);
    }
    say(out,
        "\nstruct gw_record {\n    const char *name;   // as in the schema, without the namespace\n"
        "    const char *file;   // of the schema, without .avsc\n    const char *schema; // JSON\n"
        "    // Decodes `in` and appends the encoded result to *out.\n"
        "    gw_status (*transcode)(struct gw_slice in, struct gw_arena *arena, struct gw_buf *out, gw_err *err);\n};\n\n"
        "#define GW_RECORDS_COUNT %zu\n\nextern const struct gw_record gw_records[GW_RECORDS_COUNT];\n",
        generator->source_count);
}

static void say_all_source(const struct generator *generator, struct gw_buf *out)
{
    say(out, "// SPDX-License-Identifier: MIT\n// Generated by avrogen; do not edit.\n#include \"records/all.h\"\n");
    for (size_t i = 0; i < generator->source_count; i++) {
        const struct names names = names_of(generator->sources[i].record);
        say(out,
            "\nstatic gw_status transcode_%s(struct gw_slice in, struct gw_arena *arena, struct gw_buf *out, gw_err *err)\n"
            "{\n    struct gw_%s record;\n    GW_TRY(gw_%s_decode(in, arena, &record, err));\n"
            "    return gw_%s_encode(&record, out);\n}\n",
            names.lower, names.lower, names.lower, names.lower);
    }
    say(out, "\nconst struct gw_record gw_records[GW_RECORDS_COUNT] = {\n");
    for (size_t i = 0; i < generator->source_count; i++) {
        const struct names names = names_of(generator->sources[i].record);
        say(out, "    {\"%s\", \"%s\", gw_%s_schema, transcode_%s},\n", generator->sources[i].record->name, names.lower,
            names.lower, names.lower);
    }
    say(out, "};\n");
}

// --- files ----------------------------------------------------------------------------------------------------------

// Writes and empties *out.
static bool save(const struct generator *generator, const char *name, const char *suffix, struct gw_buf *out)
{
    char path[4096];
    int size = snprintf(path, sizeof path, "%s/records/%s%s", generator->folder, name, suffix);
    if (size < 0 || (size_t)size >= sizeof path) {
        return complain("path over %zu bytes", sizeof path);
    }
    FILE *file = fopen(path, "w");
    bool ok = file != NULL && fwrite(out->data, 1, out->size, file) == out->size;
    ok = (file == NULL || fclose(file) == 0) && ok;
    gw_buf_clear(out);
    return ok || complain("cannot write '%s': %s", path, strerror(errno));
}

static bool make_folder(const struct generator *generator)
{
    char path[4096];
    int size = snprintf(path, sizeof path, "%s/records", generator->folder);
    bool ok = size > 0 && (size_t)size < sizeof path && (mkdir(generator->folder, 0777) == 0 || errno == EEXIST) &&
              (mkdir(path, 0777) == 0 || errno == EEXIST);
    return ok || complain("cannot make '%s/records': %s", generator->folder, strerror(errno));
}

static bool generate(const struct generator *generator)
{
    struct gw_buf out = {0};
    bool ok = make_folder(generator);
    for (size_t i = 0; ok && i < generator->source_count; i++) {
        const struct source *source = &generator->sources[i];
        const struct names names = names_of(source->record);
        say_header(generator, source, &out);
        ok = save(generator, names.lower, ".h", &out);
        say_source(generator, source, &out);
        ok = ok && save(generator, names.lower, ".c", &out);
    }
    if (ok) {
        say_types_header(generator, &out);
        ok = save(generator, "types", ".h", &out);
        say_types_source(generator, &out);
        ok = ok && save(generator, "types", ".c", &out);
        say_all_header(generator, &out);
        ok = ok && save(generator, "all", ".h", &out);
        say_all_source(generator, &out);
        ok = ok && save(generator, "all", ".c", &out);
    }
    gw_buf_deinit(&out);
    return ok;
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc - 2 > SCHEMAS_MAX) {
        fprintf(stderr, "usage: avrogen OUTDIR SCHEMA... (at most %d)\n", SCHEMAS_MAX);
        return 2;
    }
    struct generator *generator = gw_mem_calloc(1, sizeof *generator);
    if (generator == NULL) {
        return 1;
    }
    generator->folder = argv[1];
    bool ok = true;
    for (int i = 2; ok && i < argc; i++) {
        ok = load_source(generator, argv[i]);
    }
    ok = ok && generate(generator);
    for (size_t i = 0; i < SCHEMAS_MAX; i++) {
        gw_avro_schema_free(generator->sources[i].schema);
        gw_mem_free(generator->sources[i].text);
    }
    gw_mem_free(generator);
    return ok ? 0 : 1;
}
