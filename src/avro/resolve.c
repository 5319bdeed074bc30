// SPDX-License-Identifier: MIT
// Compares the two schemas and makes the plan.
#include "avro/resolve_internal.h"

#include "base/mem.h"

#include <string.h>

enum { ARENA_BLOCK_BYTES = 8192, ARENA_LIMIT_BYTES = 64 << 20 };

static gw_status make_plan(struct gw_avro_resolver *resolver, const struct gw_avro_type *writer,
                           const struct gw_avro_type *reader, uint32_t slots, const struct gw_avro_plan **ret_plan,
                           gw_err *err);

static gw_status no_memory(gw_err *err)
{
    return gw_fail(err, GW_E_MEMORY, "resolver: no memory");
}

static const char *describe(const struct gw_avro_type *type)
{
    return type->name != NULL ? type->name : gw_avro_kind_name(type->kind);
}

static gw_status differ(const struct gw_avro_type *writer, const struct gw_avro_type *reader, gw_err *err)
{
    return gw_fail(err, GW_E_MISMATCH, "written as '%.60s', cannot be read as '%.60s'", describe(writer),
                   describe(reader));
}

static bool names_match(const struct gw_avro_type *writer, const struct gw_avro_type *reader)
{
    bool match = strcmp(writer->name, reader->name) == 0;
    for (uint32_t i = 0; i < reader->aliases.count && !match; i++) {
        const char *alias = reader->aliases.items[i];
        match = strcmp(alias, writer->full_name) == 0 || strcmp(alias, writer->name) == 0;
    }
    return match;
}

static gw_status plan_enum(struct gw_avro_resolver *resolver, const struct gw_avro_type *writer,
                           const struct gw_avro_type *reader, struct gw_avro_plan *plan, gw_err *err)
{
    int32_t *symbols = gw_arena_array(&resolver->arena, writer->symbols.count, sizeof *symbols);
    if (symbols == NULL) {
        return no_memory(err);
    }
    for (uint32_t i = 0; i < writer->symbols.count; i++) {
        symbols[i] = reader->default_symbol;
        for (uint32_t j = 0; j < reader->symbols.count; j++) {
            if (strcmp(writer->symbols.items[i], reader->symbols.items[j]) == 0) {
                symbols[i] = (int32_t)j;
            }
        }
    }
    plan->op = GW_AVRO_OP_ENUM;
    plan->symbols = symbols;
    return GW_OK;
}

static const struct gw_avro_field *find_field(const struct gw_avro_type *record, const char *name)
{
    for (uint32_t i = 0; i < record->field_count; i++) {
        if (strcmp(record->fields[i].name, name) == 0) {
            return &record->fields[i];
        }
    }
    return NULL;
}

// The writer's field that the reader's field takes: of the same name, else of one of its aliases.
static const struct gw_avro_field *match_field(const struct gw_avro_type *writer, const struct gw_avro_field *field)
{
    const struct gw_avro_field *match = find_field(writer, field->name);
    for (uint32_t i = 0; i < field->aliases.count && match == NULL; i++) {
        match = find_field(writer, field->aliases.items[i]);
    }
    return match;
}

static gw_status plan_default(struct gw_avro_resolver *resolver, const struct gw_avro_field *field,
                              struct gw_avro_step *step, gw_err *err)
{
    struct gw_buf bytes = {0};
    if (field->default_value.size == 0) {
        return gw_fail(err, GW_E_MISMATCH, "not written, and without default");
    }
    gw_status status = gw_avro_encode_default(field->type, field->default_value, &bytes, err);
    if (status == GW_OK) {
        uint8_t *copy = gw_arena_alloc(&resolver->arena, bytes.size);
        if (copy != NULL) {
            memcpy(copy, bytes.data, bytes.size);
            step->fill = gw_slice_make(copy, bytes.size);
        } else {
            status = no_memory(err);
        }
    }
    gw_buf_deinit(&bytes);
    return status;
}

// Plans the reader's fields, in their order. *ret_ordered: the writer's fields that they take ascend.
static gw_status plan_fields(struct gw_avro_resolver *resolver, const struct gw_avro_type *writer,
                             const struct gw_avro_type *reader, uint32_t slots, struct gw_avro_step *steps,
                             bool *ret_ordered, gw_err *err)
{
    int64_t last = -1;
    *ret_ordered = true;
    for (uint32_t i = 0; i < reader->field_count; i++) {
        const struct gw_avro_field *field = &reader->fields[i];
        const struct gw_avro_field *match = match_field(writer, field);
        struct gw_avro_step *step = &steps[i];
        *step = (struct gw_avro_step){.name = field->name};
        gw_status status = GW_OK;
        if (match != NULL) {
            step->slot = (uint32_t)(match - writer->fields);
            *ret_ordered = *ret_ordered && step->slot > last;
            last = step->slot;
            status = make_plan(resolver, match->type, field->type, slots, &step->plan, err);
        } else {
            status = plan_default(resolver, field, step, err);
        }
        if (status != GW_OK) {
            return gw_fail_context(err, status, "%.60s.%.60s", reader->name, field->name);
        }
    }
    return GW_OK;
}

// Puts steps for the fields that only the writer has between those of the reader.
static uint32_t interleave_skips(const struct gw_avro_type *writer, const struct gw_avro_step *steps, uint32_t count,
                                 struct gw_avro_step *to)
{
    uint32_t total = 0;
    uint32_t next = 0; // of the writer's fields
    for (uint32_t i = 0; i <= count; i++) {
        uint32_t until = i == count ? writer->field_count : steps[i].plan != NULL ? steps[i].slot : next;
        while (next < until) {
            to[total++] = (struct gw_avro_step){.name = writer->fields[next].name, .skip = writer->fields[next].type};
            next++;
        }
        if (i < count) {
            to[total++] = steps[i];
            next += steps[i].plan != NULL ? 1 : 0;
        }
    }
    return total;
}

static gw_status plan_record(struct gw_avro_resolver *resolver, const struct gw_avro_type *writer,
                             const struct gw_avro_type *reader, uint32_t slots, struct gw_avro_plan *plan, gw_err *err)
{
    // Places in the table are set aside for each record on the way down, whether or not it comes to need them.
    const uint32_t inner_slots = slots + writer->field_count;
    struct gw_avro_step *steps = gw_arena_array(&resolver->arena, reader->field_count, sizeof *steps);
    struct gw_avro_step *all =
        gw_arena_array(&resolver->arena, (size_t)reader->field_count + writer->field_count, sizeof *all);
    if (steps == NULL || all == NULL) {
        return no_memory(err);
    }
    GW_TRY(plan_fields(resolver, writer, reader, inner_slots, steps, &plan->ordered, err));
    plan->op = GW_AVRO_OP_RECORD;
    plan->slots = slots;
    plan->steps = steps;
    plan->step_count = reader->field_count;
    if (plan->ordered) {
        plan->steps = all;
        plan->step_count = interleave_skips(writer, steps, reader->field_count, all);
    } else {
        resolver->slot_count = GW_MAX(resolver->slot_count, inner_slots);
    }
    return GW_OK;
}

// The op between two types that are neither named nor hold others; false when there is none.
static bool plan_primitive(enum gw_avro_kind writer, enum gw_avro_kind reader, struct gw_avro_plan *plan)
{
    static const struct {
        uint8_t writer;
        uint8_t reader;
        uint8_t op;
        uint8_t size;
    } conversions[] = {
        {GW_AVRO_BOOLEAN, GW_AVRO_BOOLEAN, GW_AVRO_OP_COPY_BOOLEAN, 0},
        {GW_AVRO_INT, GW_AVRO_INT, GW_AVRO_OP_INT, 0},
        {GW_AVRO_INT, GW_AVRO_LONG, GW_AVRO_OP_INT, 0},
        {GW_AVRO_INT, GW_AVRO_FLOAT, GW_AVRO_OP_INT_TO_FLOAT, 0},
        {GW_AVRO_INT, GW_AVRO_DOUBLE, GW_AVRO_OP_INT_TO_DOUBLE, 0},
        {GW_AVRO_LONG, GW_AVRO_LONG, GW_AVRO_OP_LONG, 0},
        {GW_AVRO_LONG, GW_AVRO_FLOAT, GW_AVRO_OP_LONG_TO_FLOAT, 0},
        {GW_AVRO_LONG, GW_AVRO_DOUBLE, GW_AVRO_OP_LONG_TO_DOUBLE, 0},
        {GW_AVRO_FLOAT, GW_AVRO_FLOAT, GW_AVRO_OP_COPY, sizeof(float)},
        {GW_AVRO_FLOAT, GW_AVRO_DOUBLE, GW_AVRO_OP_FLOAT_TO_DOUBLE, 0},
        {GW_AVRO_DOUBLE, GW_AVRO_DOUBLE, GW_AVRO_OP_COPY, sizeof(double)},
        {GW_AVRO_BYTES, GW_AVRO_BYTES, GW_AVRO_OP_BYTES, 0},
        {GW_AVRO_BYTES, GW_AVRO_STRING, GW_AVRO_OP_BYTES, 0},
        {GW_AVRO_STRING, GW_AVRO_STRING, GW_AVRO_OP_BYTES, 0},
        {GW_AVRO_STRING, GW_AVRO_BYTES, GW_AVRO_OP_BYTES, 0},
    };
    for (size_t i = 0; i < GW_COUNT_OF(conversions); i++) {
        if (conversions[i].writer == writer && conversions[i].reader == reader) {
            plan->op = (enum gw_avro_op)conversions[i].op;
            plan->size = conversions[i].size;
            return true;
        }
    }
    return false;
}

static gw_status plan_optional(struct gw_avro_resolver *resolver, const struct gw_avro_type *writer,
                               const struct gw_avro_type *reader, uint32_t slots, struct gw_avro_plan *plan,
                               gw_err *err)
{
    bool from = writer->kind == GW_AVRO_OPTIONAL;
    bool to = reader->kind == GW_AVRO_OPTIONAL;
    plan->op = from && to ? GW_AVRO_OP_OPTIONAL : from ? GW_AVRO_OP_UNWRAP : GW_AVRO_OP_WRAP;
    return make_plan(resolver, from ? writer->item : writer, to ? reader->item : reader, slots, &plan->item, err);
}

// Depth is bounded by the schemas'. `slots` is the first free place in the table of field starts.
static gw_status make_plan(struct gw_avro_resolver *resolver, const struct gw_avro_type *writer,
                           const struct gw_avro_type *reader, uint32_t slots, const struct gw_avro_plan **ret_plan,
                           gw_err *err)
{
    struct gw_avro_plan *plan = gw_arena_alloc(&resolver->arena, sizeof *plan);
    if (plan == NULL) {
        return no_memory(err);
    }
    *plan = (struct gw_avro_plan){.type = writer};
    *ret_plan = plan;
    if (writer->kind == GW_AVRO_OPTIONAL || reader->kind == GW_AVRO_OPTIONAL) {
        return plan_optional(resolver, writer, reader, slots, plan, err);
    }
    if (writer->kind != reader->kind || writer->kind <= GW_AVRO_STRING) {
        return plan_primitive(writer->kind, reader->kind, plan) ? GW_OK : differ(writer, reader, err);
    }
    if (writer->kind == GW_AVRO_ARRAY || writer->kind == GW_AVRO_MAP) {
        plan->op = writer->kind == GW_AVRO_ARRAY ? GW_AVRO_OP_ARRAY : GW_AVRO_OP_MAP;
        return make_plan(resolver, writer->item, reader->item, slots, &plan->item, err);
    }
    if (!names_match(writer, reader) || writer->size != reader->size) {
        return differ(writer, reader, err);
    }
    if (writer->kind == GW_AVRO_ENUM) {
        return plan_enum(resolver, writer, reader, plan, err);
    }
    if (writer->kind == GW_AVRO_RECORD) {
        return plan_record(resolver, writer, reader, slots, plan, err);
    }
    plan->op = GW_AVRO_OP_COPY; // fixed
    plan->size = writer->size;
    return GW_OK;
}

static gw_status build(struct gw_avro_resolver *resolver, struct gw_slice writer_json, struct gw_slice reader_json,
                       gw_err *err)
{
    gw_status status = gw_avro_schema_parse(writer_json, &resolver->writer, err);
    if (status != GW_OK) {
        return gw_fail_context(err, status, "writer");
    }
    status = gw_avro_schema_parse(reader_json, &resolver->reader, err);
    if (status != GW_OK) {
        return gw_fail_context(err, status, "reader");
    }
    const struct gw_avro_type *writer = gw_avro_schema_root(resolver->writer);
    const struct gw_avro_type *reader = gw_avro_schema_root(resolver->reader);
    if (writer->kind != GW_AVRO_RECORD || reader->kind != GW_AVRO_RECORD) {
        return gw_fail(err, GW_E_MISMATCH, "a schema is not of a record");
    }
    return make_plan(resolver, writer, reader, 0, &resolver->plan, err);
}

gw_status gw_avro_resolver_new(const char *writer_json, size_t writer_size, const char *reader_json, size_t reader_size,
                               struct gw_avro_resolver **ret_resolver, gw_err *err)
{
    struct gw_avro_resolver *resolver = gw_mem_calloc(1, sizeof *resolver);
    if (resolver == NULL) {
        return no_memory(err);
    }
    gw_arena_init(&resolver->arena, ARENA_BLOCK_BYTES, ARENA_LIMIT_BYTES);
    gw_status status =
        build(resolver, gw_slice_make(writer_json, writer_size), gw_slice_make(reader_json, reader_size), err);
    if (status != GW_OK) {
        gw_avro_resolver_free(resolver);
        return status;
    }
    *ret_resolver = resolver;
    return GW_OK;
}

void gw_avro_resolver_free(struct gw_avro_resolver *resolver)
{
    if (resolver != NULL) {
        gw_avro_schema_free(resolver->writer);
        gw_avro_schema_free(resolver->reader);
        gw_arena_deinit(&resolver->arena);
        gw_mem_free(resolver);
    }
}
