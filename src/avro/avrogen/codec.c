// SPDX-License-Identifier: MIT
// The sources: for each record a reader, a bound of its encoded size and a writer; its schema as text; the tables.
#include "avro/avrogen/emit.h"

#include <ctype.h>
#include <stdio.h>

// The name of gw_avro_read_<name> and gw_avro_put_<name>.
static const char *codec_name(enum gw_avro_kind kind)
{
    static const char *const codecs[] = {
        [GW_AVRO_BOOLEAN] = "bool",  [GW_AVRO_INT] = "int",     [GW_AVRO_LONG] = "long",    [GW_AVRO_FLOAT] = "float",
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

// Reads one value that is no array, into to->name.
static void say_read_value(struct gw_buf *out, const char *indent, const char *where, const char *name,
                           const struct gw_avro_type *type)
{
    if (type->kind == GW_AVRO_FIXED) {
        gw_avrogen_say(out, "%sGW_AVRO_FIELD(gw_avro_read_raw(reader, to->%s, %u), \"%s\");\n", indent, name,
                       type->size, where);
    } else if (type->kind == GW_AVRO_ENUM) {
        const struct gw_avrogen_names names = gw_avrogen_names(type);
        gw_avrogen_say(out,
                       "%sGW_AVRO_FIELD(gw_avro_read_index(reader, GW_%s_COUNT, &index), \"%s\");\n"
                       "%sto->%s = (enum gw_%s)index;\n",
                       indent, names.upper, where, indent, name, names.lower);
    } else {
        gw_avrogen_say(out, "%sGW_AVRO_FIELD(gw_avro_read_%s(reader, &to->%s), \"%s\");\n", indent,
                       codec_name(type->kind), name, where);
    }
}

static void say_read_records(struct gw_buf *out, const char *where, const char *name, const struct gw_avro_type *item)
{
    const struct gw_avrogen_names names = gw_avrogen_names(item);
    gw_avrogen_say(out,
                   "    struct gw_avro_array %s_array = {0};\n"
                   "    do {\n"
                   "        GW_AVRO_FIELD(gw_avro_array_next(reader, arena, &%s_array, sizeof(struct gw_%s), %zu, "
                   "&first), \"%s\");\n"
                   "        struct gw_%s *items = %s_array.items;\n"
                   "        for (uint32_t i = first; i < %s_array.count; i++) {\n"
                   "            GW_TRY(read_%s(reader, arena, &items[i], err));\n"
                   "        }\n"
                   "    } while (first < %s_array.count);\n"
                   "    to->%s.items = %s_array.items;\n"
                   "    to->%s.count = %s_array.count;\n",
                   name, name, names.lower, item->wire_min, where, names.lower, name, name, names.lower, name, name,
                   name, name, name);
}

static void say_read_field(struct gw_buf *out, const struct gw_avro_type *record, const struct gw_avro_field *field)
{
    const struct gw_avro_type *type = field->type;
    char where[GW_AVROGEN_NAME_BYTES + 2];
    snprintf(where, sizeof where, "%s.%s", record->name, field->name);
    if (type->kind == GW_AVRO_OPTIONAL) {
        gw_avrogen_say(out,
                       "    GW_AVRO_FIELD(gw_avro_read_index(reader, 2, &index), \"%s\");\n    if (index == 1) {\n     "
                       "   to->has_%s = true;\n",
                       where, field->name);
        say_read_value(out, "        ", where, field->name, type->item);
        gw_avrogen_say(out, "    }\n");
    } else if (type->kind == GW_AVRO_ARRAY && type->item->kind == GW_AVRO_RECORD) {
        say_read_records(out, where, field->name, type->item);
    } else if (type->kind == GW_AVRO_ARRAY || type->kind == GW_AVRO_MAP) {
        gw_avrogen_say(out,
                       "    GW_AVRO_FIELD(gw_avro_read_%s(reader, arena, &to->%s.items, &to->%s.count), \"%s\");\n",
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
    const struct gw_avrogen_names names = gw_avrogen_names(record);
    gw_avrogen_say(out,
                   "\nstatic gw_status read_%s(struct gw_avro_reader *reader, struct gw_arena *arena, struct gw_%s "
                   "*to,\n    gw_err *err)\n{\n    (void)arena;\n"
                   "    *to = (struct gw_%s){0};\n",
                   names.lower, names.lower, names.lower);
    if (has_field(record, GW_AVRO_ENUM, false) || has_field(record, GW_AVRO_OPTIONAL, false)) {
        gw_avrogen_say(out, "    uint32_t index = 0;\n");
    }
    if (has_field(record, GW_AVRO_RECORD, true)) {
        gw_avrogen_say(out, "    uint32_t first = 0;\n");
    }
    for (uint32_t i = 0; i < record->field_count; i++) {
        say_read_field(out, record, &record->fields[i]);
    }
    gw_avrogen_say(out, "    return GW_OK;\n}\n");
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
            gw_avrogen_say(out, "    bound += from->has_%s ? from->%s.size : 0;\n", name, name);
            return true;
        }
    }
    if (type->kind == GW_AVRO_STRING || type->kind == GW_AVRO_BYTES) {
        *constant += 10;
        gw_avrogen_say(out, "    bound += from->%s.size;\n", name);
    } else if (type->kind == GW_AVRO_MAP || (type->kind == GW_AVRO_ARRAY && (type->item->kind == GW_AVRO_STRING ||
                                                                             type->item->kind == GW_AVRO_BYTES))) {
        gw_avrogen_say(out, "    bound += gw_avro_%s_bound(from->%s.items, from->%s.count);\n", array_codec_name(type),
                       name, name);
    } else if (type->kind == GW_AVRO_ARRAY && type->item->kind == GW_AVRO_RECORD) {
        gw_avrogen_say(out,
                       "    bound += gw_avro_array_bound(from->%s.count, 0);\n"
                       "    for (uint32_t i = 0; i < from->%s.count; i++) {\n"
                       "        bound += bound_%s(&from->%s.items[i]);\n    }\n",
                       name, name, gw_avrogen_names(type->item).lower, name);
    } else if (type->kind == GW_AVRO_ARRAY) {
        gw_avrogen_say(out, "    bound += gw_avro_array_bound(from->%s.count, %zu);\n", name,
                       constant_bound(type->item));
    } else {
        *constant += constant_bound(type);
        return false;
    }
    return true;
}

static void say_bound(struct gw_buf *out, const struct gw_avro_type *record)
{
    const struct gw_avrogen_names names = gw_avrogen_names(record);
    struct gw_buf body = {0};
    size_t constant = 0;
    bool variable = false;
    for (uint32_t i = 0; i < record->field_count; i++) {
        variable = say_bound_field(&body, &record->fields[i], &constant) || variable;
    }
    gw_avrogen_say(out, "\n// Most bytes that write_%s takes.\nstatic size_t bound_%s(const struct gw_%s *from)\n{\n",
                   names.lower, names.lower, names.lower);
    if (variable) {
        gw_avrogen_say(out, "    size_t bound = %zu;\n%.*s    return bound;\n}\n", constant, (int)body.size,
                       (const char *)body.data);
    } else {
        gw_avrogen_say(out, "    (void)from;\n    return %zu;\n}\n", constant);
    }
    gw_buf_deinit(&body);
}

static void say_write_value(struct gw_buf *out, const char *indent, const char *name, const struct gw_avro_type *type)
{
    if (type->kind == GW_AVRO_FIXED) {
        gw_avrogen_say(out, "%sgw_avro_put_raw(out, from->%s, %u);\n", indent, name, type->size);
    } else if (type->kind == GW_AVRO_ENUM) {
        gw_avrogen_say(out,
                       "%sGW_ASSERT((unsigned)from->%s < (unsigned)GW_%s_COUNT);\n%sgw_avro_put_long(out, from->%s);\n",
                       indent, name, gw_avrogen_names(type).upper, indent, name);
    } else if (type->kind == GW_AVRO_INT || type->kind == GW_AVRO_LONG) {
        gw_avrogen_say(out, "%sgw_avro_put_long(out, from->%s);\n", indent, name);
    } else if (type->kind == GW_AVRO_BYTES || type->kind == GW_AVRO_STRING) {
        gw_avrogen_say(out, "%sgw_avro_put_bytes(out, from->%s);\n", indent, name);
    } else {
        // A boolean, float or double is on the wire as it is in memory.
        gw_avrogen_say(out, "%sgw_avro_put_raw(out, &from->%s, sizeof from->%s);\n", indent, name, name);
    }
}

static void say_write_field(struct gw_buf *out, const struct gw_avro_field *field)
{
    const struct gw_avro_type *type = field->type;
    const char *name = field->name;
    if (type->kind == GW_AVRO_OPTIONAL) {
        gw_avrogen_say(out, "    gw_avro_put_long(out, from->has_%s ? 1 : 0);\n    if (from->has_%s) {\n", name, name);
        say_write_value(out, "        ", name, type->item);
        gw_avrogen_say(out, "    }\n");
    } else if (type->kind == GW_AVRO_ARRAY && type->item->kind == GW_AVRO_RECORD) {
        gw_avrogen_say(out,
                       "    if (from->%s.count > 0) {\n        gw_avro_put_long(out, from->%s.count);\n    }\n"
                       "    for (uint32_t i = 0; i < from->%s.count; i++) {\n"
                       "        write_%s(&from->%s.items[i], out);\n    }\n    gw_avro_put_long(out, 0);\n",
                       name, name, name, gw_avrogen_names(type->item).lower, name);
    } else if (type->kind == GW_AVRO_ARRAY || type->kind == GW_AVRO_MAP) {
        gw_avrogen_say(out, "    gw_avro_put_%s(out, from->%s.items, from->%s.count);\n", array_codec_name(type), name,
                       name);
    } else {
        say_write_value(out, "    ", name, type);
    }
}

static void say_writer(struct gw_buf *out, const struct gw_avro_type *record)
{
    const struct gw_avrogen_names names = gw_avrogen_names(record);
    gw_avrogen_say(out, "\nstatic void write_%s(const struct gw_%s *from, struct gw_buf *out)\n{\n", names.lower,
                   names.lower);
    for (uint32_t i = 0; i < record->field_count; i++) {
        say_write_field(out, &record->fields[i]);
    }
    gw_avrogen_say(out, "}\n");
}

// The schema as a C string, without the white space between its tokens, in lines.
static void say_schema(struct gw_buf *out, const struct gw_avrogen_source *source)
{
    gw_avrogen_say(out, "\nconst char gw_%s_schema[] =\n    \"", gw_avrogen_names(source->record).lower);
    bool quoted = false;
    size_t column = 0;
    for (size_t i = 0; i < source->size; i++) {
        char c = source->text[i];
        if (!quoted && isspace((unsigned char)c)) {
            continue;
        }
        if (column >= 100) {
            gw_avrogen_say(out, "\"\n    \"");
            column = 0;
        }
        if (c == '\\' && i + 1 < source->size) {
            gw_avrogen_say(out, "\\\\%s%c", source->text[i + 1] == '"' || source->text[i + 1] == '\\' ? "\\" : "",
                           source->text[i + 1]);
            i++;
        } else {
            quoted = c == '"' ? !quoted : quoted;
            gw_avrogen_say(out, "%s%c", c == '"' ? "\\" : "", c);
        }
        column++;
    }
    gw_avrogen_say(out, "\";\n");
}

void gw_avrogen_record_source(const struct gw_avrogen *gen, const struct gw_avrogen_source *source, struct gw_buf *out)
{
    const struct gw_avrogen_names names = gw_avrogen_names(source->record);
    gw_avrogen_say(out,
                   "// SPDX-License-Identifier: MIT\n// Generated by avrogen from %s.avsc; do not edit.\n"
                   "#include \"records/%s.h\"\n\n#include \"base/check.h\"\n",
                   names.lower, names.lower);
    say_schema(out, source);
    for (size_t i = 0; i < gen->type_count; i++) {
        if (gen->types[i].type->kind == GW_AVRO_RECORD && gen->types[i].source == source) {
            say_reader(out, gen->types[i].type);
            say_bound(out, gen->types[i].type);
            say_writer(out, gen->types[i].type);
        }
    }
    gw_avrogen_say(out,
                   "\ngw_status gw_%s_decode(struct gw_slice in, struct gw_arena *arena, struct gw_%s *ret_record, "
                   "gw_err *err)\n{\n"
                   "    struct gw_avro_reader reader = gw_avro_reader_make(in);\n    struct gw_%s record;\n"
                   "    GW_TRY(read_%s(&reader, arena, &record, err));\n    if (gw_avro_left(&reader) > 0) {\n"
                   "        return gw_fail(err, GW_E_MALFORMED, \"%s: bytes behind the record\");\n    }\n"
                   "    *ret_record = record;\n    return GW_OK;\n}\n",
                   names.lower, names.lower, names.lower, names.lower, source->record->name);
    gw_avrogen_say(out,
                   "\ngw_status gw_%s_encode(const struct gw_%s *record, struct gw_buf *out)\n{\n"
                   "    GW_TRY(gw_buf_reserve(out, bound_%s(record)));\n"
                   "    write_%s(record, out);\n    return GW_OK;\n}\n",
                   names.lower, names.lower, names.lower, names.lower);
}

void gw_avrogen_all_source(const struct gw_avrogen *gen, struct gw_buf *out)
{
    gw_avrogen_say(
        out, "// SPDX-License-Identifier: MIT\n// Generated by avrogen; do not edit.\n#include \"records/all.h\"\n");
    for (size_t i = 0; i < gen->source_count; i++) {
        const struct gw_avrogen_names names = gw_avrogen_names(gen->sources[i].record);
        gw_avrogen_say(out,
                       "\nstatic gw_status transcode_%s(struct gw_slice in, struct gw_arena *arena, struct gw_buf "
                       "*out, gw_err *err)\n"
                       "{\n    struct gw_%s record;\n    GW_TRY(gw_%s_decode(in, arena, &record, err));\n"
                       "    return gw_%s_encode(&record, out);\n}\n",
                       names.lower, names.lower, names.lower, names.lower);
    }
    gw_avrogen_say(out, "\nconst struct gw_record gw_records[GW_RECORDS_COUNT] = {\n");
    for (size_t i = 0; i < gen->source_count; i++) {
        const struct gw_avrogen_names names = gw_avrogen_names(gen->sources[i].record);
        gw_avrogen_say(out, "    {\"%s\", \"%s\", gw_%s_schema, transcode_%s},\n", gen->sources[i].record->name,
                       names.lower, names.lower, names.lower);
    }
    gw_avrogen_say(out, "};\n");
}
