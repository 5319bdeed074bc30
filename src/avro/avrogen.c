// SPDX-License-Identifier: MIT
// avrogen OUTDIR SCHEMA...: writes the C codecs of the record in each schema file (see src/avro/README.md).
//
// OUTDIR/records/ then holds <record>.h and .c for each, types.h and types.c with the enums that records share, and
// all.h and all.c with a table of all records. The build runs it; it stops at the first error, with the file's name.
#include "avro/avrogen/emit.h"
#include "base/ini.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool field_is_supported(const struct gw_avrogen_source *source, const struct gw_avro_type *record,
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
    return ok || gw_avrogen_complain("%s: field '%s' of '%s': no code for this %s", source->path, field->name,
                                     record->name, gw_avro_kind_name(type->kind));
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
static bool note_type(struct gw_avrogen *gen, const struct gw_avrogen_source *source, const struct gw_avro_type *type)
{
    for (size_t i = 0; i < gen->type_count; i++) {
        const struct gw_avrogen_type *known = &gen->types[i];
        if (known->type == type) {
            return true;
        }
        if (strcmp(known->type->name, type->name) == 0) {
            return (type->kind == GW_AVRO_ENUM && known->type->kind == GW_AVRO_ENUM &&
                    symbols_equal(&known->type->symbols, &type->symbols)) ||
                   gw_avrogen_complain("%s: type '%s' is another one in '%s'", source->path, type->name,
                                       known->source->path);
        }
    }
    if (gen->type_count == GW_AVROGEN_TYPES_MAX) {
        return gw_avrogen_complain("over %d types", GW_AVROGEN_TYPES_MAX);
    }
    if (type->kind == GW_AVRO_RECORD) {
        for (uint32_t i = 0; i < type->field_count; i++) {
            const struct gw_avro_type *part = type->fields[i].type;
            if (!field_is_supported(source, type, &type->fields[i])) {
                return false;
            }
            part = part->item != NULL ? part->item : part;
            if ((part->kind == GW_AVRO_RECORD || part->kind == GW_AVRO_ENUM) && !note_type(gen, source, part)) {
                return false;
            }
        }
    }
    // Behind its parts, so that the order of the table is one in which C declarations work.
    gen->types[gen->type_count++] = (struct gw_avrogen_type){.type = type, .source = source};
    return true;
}

static bool load_source(struct gw_avrogen *gen, const char *path)
{
    gw_err err = {0};
    struct gw_avrogen_source *source = &gen->sources[gen->source_count];
    source->path = path;
    if (gw_file_read(path, GW_AVRO_SCHEMA_BYTES_MAX, &source->text, &source->size, &err) != GW_OK ||
        gw_avro_schema_parse(gw_slice_make(source->text, source->size), &source->schema, &err) != GW_OK) {
        return gw_avrogen_complain("%s: %s", path, err.message);
    }
    gen->source_count++;
    source->record = gw_avro_schema_root(source->schema);
    if (source->record->kind != GW_AVRO_RECORD) {
        return gw_avrogen_complain("%s: not a record", path);
    }
    return note_type(gen, source, source->record);
}

// Writes and empties *out.
static bool save(const struct gw_avrogen *gen, const char *name, const char *suffix, struct gw_buf *out)
{
    char path[4096];
    int size = snprintf(path, sizeof path, "%s/records/%s%s", gen->folder, name, suffix);
    if (size < 0 || (size_t)size >= sizeof path) {
        return gw_avrogen_complain("path over %zu bytes", sizeof path);
    }
    FILE *file = fopen(path, "w");
    bool ok = file != NULL && fwrite(out->data, 1, out->size, file) == out->size;
    ok = (file == NULL || fclose(file) == 0) && ok;
    gw_buf_clear(out);
    return ok || gw_avrogen_complain("cannot write '%s': %s", path, strerror(errno));
}

static bool make_folder(const struct gw_avrogen *gen)
{
    char path[4096];
    int size = snprintf(path, sizeof path, "%s/records", gen->folder);
    bool ok = size > 0 && (size_t)size < sizeof path && (mkdir(gen->folder, 0777) == 0 || errno == EEXIST) &&
              (mkdir(path, 0777) == 0 || errno == EEXIST);
    return ok || gw_avrogen_complain("cannot make '%s/records': %s", gen->folder, strerror(errno));
}

static bool generate(const struct gw_avrogen *gen)
{
    struct gw_buf out = {0};
    bool ok = make_folder(gen);
    for (size_t i = 0; ok && i < gen->source_count; i++) {
        const struct gw_avrogen_source *source = &gen->sources[i];
        const struct gw_avrogen_names names = gw_avrogen_names(source->record);
        gw_avrogen_record_header(gen, source, &out);
        ok = save(gen, names.lower, ".h", &out);
        gw_avrogen_record_source(gen, source, &out);
        ok = ok && save(gen, names.lower, ".c", &out);
    }
    if (ok) {
        gw_avrogen_types_header(gen, &out);
        ok = save(gen, "types", ".h", &out);
        gw_avrogen_types_source(gen, &out);
        ok = ok && save(gen, "types", ".c", &out);
        gw_avrogen_all_header(gen, &out);
        ok = ok && save(gen, "all", ".h", &out);
        gw_avrogen_all_source(gen, &out);
        ok = ok && save(gen, "all", ".c", &out);
    }
    gw_buf_deinit(&out);
    return ok;
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc - 2 > GW_AVROGEN_SCHEMAS_MAX) {
        fprintf(stderr, "usage: avrogen OUTDIR SCHEMA... (at most %d)\n", GW_AVROGEN_SCHEMAS_MAX);
        return 2;
    }
    struct gw_avrogen *gen = gw_mem_calloc(1, sizeof *gen);
    if (gen == NULL) {
        return 1;
    }
    gen->folder = argv[1];
    bool ok = true;
    for (int i = 2; ok && i < argc; i++) {
        ok = load_source(gen, argv[i]);
    }
    ok = ok && generate(gen);
    for (size_t i = 0; i < GW_AVROGEN_SCHEMAS_MAX; i++) {
        gw_avro_schema_free(gen->sources[i].schema);
        gw_mem_free(gen->sources[i].text);
    }
    gw_mem_free(gen);
    return ok ? 0 : 1;
}
