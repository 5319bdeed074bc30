// SPDX-License-Identifier: MIT
// Carries out a plan on one value. Values are read in the writer's order. Where a record's common fields stand in
// another order, a first pass finds where each begins; the reader then jumps between them.
#include "avro/resolve_internal.h"

#include "avro/array.h"
#include "avro/wire.h"
#include "base/check.h"
#include "base/mem.h"

struct run {
    struct gw_avro_reader reader;
    struct gw_buf *out;
    const uint8_t **slots; // starts of fields, for records that are not ordered
    gw_err *err;
    bool named; // the error says which field
};

static gw_status convert(struct run *run, const struct gw_avro_plan *plan);

static gw_status put(struct run *run, const void *from, size_t size)
{
    return gw_buf_append(run->out, from, size);
}

static gw_status put_long(struct run *run, int64_t value)
{
    GW_TRY(gw_buf_reserve(run->out, GW_AVRO_LONG_BYTES_MAX));
    gw_avro_put_long(run->out, value);
    return GW_OK;
}

// Puts the name of the innermost field in front; outer ones add nothing.
static gw_status failed(struct run *run, gw_status status, const struct gw_avro_plan *plan, const char *field)
{
    if (!run->named) {
        run->named = true;
        const char *why = status == GW_E_INVALID ? "no counterpart in the reader's schema" : gw_status_name(status);
        gw_fail(run->err, status, "%s.%s: %s", plan->type->name, field, why);
    }
    return status;
}

// --- skipping -------------------------------------------------------------------------------------------------------

static gw_status skip(struct gw_avro_reader *reader, const struct gw_avro_type *type);

static gw_status skip_items(struct gw_avro_reader *reader, const struct gw_avro_type *type)
{
    struct gw_avro_blocks blocks = {0};
    const bool map = type->kind == GW_AVRO_MAP;
    do {
        GW_TRY(gw_avro_next_block(reader, &blocks, type->item->wire_min + (map ? 1 : 0)));
        for (uint32_t i = 0; i < blocks.count; i++) {
            struct gw_slice key = {0};
            if (map) {
                GW_TRY(gw_avro_read_bytes(reader, &key));
            }
            GW_TRY(skip(reader, type->item));
        }
    } while (blocks.count > 0);
    return GW_OK;
}

static gw_status skip_raw(struct gw_avro_reader *reader, size_t size)
{
    if (gw_avro_left(reader) < size) {
        return GW_E_MALFORMED;
    }
    reader->at += size;
    return GW_OK;
}

static gw_status skip(struct gw_avro_reader *reader, const struct gw_avro_type *type)
{
    int32_t small = 0;
    int64_t large = 0;
    uint32_t index = 0;
    bool flag = false;
    struct gw_slice bytes = {0};
    switch (type->kind) {
    case GW_AVRO_NULL:
        return GW_OK;
    case GW_AVRO_BOOLEAN:
        return gw_avro_read_bool(reader, &flag);
    case GW_AVRO_INT:
        return gw_avro_read_int(reader, &small);
    case GW_AVRO_LONG:
        return gw_avro_read_long(reader, &large);
    case GW_AVRO_FLOAT:
    case GW_AVRO_DOUBLE:
    case GW_AVRO_FIXED:
        return skip_raw(reader, type->wire_min);
    case GW_AVRO_BYTES:
    case GW_AVRO_STRING:
        return gw_avro_read_bytes(reader, &bytes);
    case GW_AVRO_ENUM:
        return gw_avro_read_index(reader, type->symbols.count, &index);
    case GW_AVRO_RECORD:
        for (uint32_t i = 0; i < type->field_count; i++) {
            GW_TRY(skip(reader, type->fields[i].type));
        }
        return GW_OK;
    case GW_AVRO_ARRAY:
    case GW_AVRO_MAP:
        return skip_items(reader, type);
    case GW_AVRO_OPTIONAL:
        GW_TRY(gw_avro_read_index(reader, 2, &index));
        return index == 1 ? skip(reader, type->item) : GW_OK;
    }
    return GW_E_INTERNAL;
}

// --- converting -----------------------------------------------------------------------------------------------------

// Notes where each of the writer's fields begins, and passes over the record.
static gw_status find_fields(struct run *run, const struct gw_avro_plan *plan)
{
    const struct gw_avro_type *type = plan->type;
    for (uint32_t i = 0; i < type->field_count; i++) {
        run->slots[plan->slots + i] = run->reader.at;
        gw_status status = skip(&run->reader, type->fields[i].type);
        if (status != GW_OK) {
            return failed(run, status, plan, type->fields[i].name);
        }
    }
    return GW_OK;
}

static gw_status convert_record(struct run *run, const struct gw_avro_plan *plan)
{
    const uint8_t *end = NULL;
    if (!plan->ordered) {
        GW_TRY(find_fields(run, plan));
        end = run->reader.at;
    }
    for (uint32_t i = 0; i < plan->step_count; i++) {
        const struct gw_avro_step *step = &plan->steps[i];
        gw_status status = GW_OK;
        if (step->plan != NULL) {
            if (!plan->ordered) {
                run->reader.at = run->slots[plan->slots + step->slot];
            }
            status = convert(run, step->plan);
        } else if (step->skip != NULL) {
            status = skip(&run->reader, step->skip);
        } else {
            status = put(run, step->fill.data, step->fill.size);
        }
        if (status != GW_OK) {
            return failed(run, status, plan, step->name);
        }
    }
    if (!plan->ordered) {
        run->reader.at = end;
    }
    return GW_OK;
}

static gw_status convert_items(struct run *run, const struct gw_avro_plan *plan)
{
    struct gw_avro_blocks blocks = {0};
    const bool map = plan->op == GW_AVRO_OP_MAP;
    do {
        GW_TRY(gw_avro_next_block(&run->reader, &blocks, plan->item->type->wire_min + (map ? 1 : 0)));
        GW_TRY(put_long(run, blocks.count)); // 0 is the end for both sides
        for (uint32_t i = 0; i < blocks.count; i++) {
            struct gw_slice key = {0};
            if (map) {
                GW_TRY(gw_avro_read_bytes(&run->reader, &key));
                GW_TRY(put_long(run, (int64_t)key.size));
                GW_TRY(put(run, key.data, key.size));
            }
            GW_TRY(convert(run, plan->item));
        }
    } while (blocks.count > 0);
    return GW_OK;
}

static gw_status convert_number(struct run *run, const struct gw_avro_plan *plan)
{
    struct gw_avro_reader *reader = &run->reader;
    int32_t small = 0;
    int64_t large = 0;
    float real = 0;
    double wide = 0;
    switch ((int)plan->op) {
    case GW_AVRO_OP_LONG:
    case GW_AVRO_OP_LONG_TO_FLOAT:
    case GW_AVRO_OP_LONG_TO_DOUBLE:
        GW_TRY(gw_avro_read_long(reader, &large));
        break;
    case GW_AVRO_OP_FLOAT_TO_DOUBLE:
        GW_TRY(gw_avro_read_float(reader, &real));
        break;
    default:
        GW_TRY(gw_avro_read_int(reader, &small));
        large = small;
        break;
    }
    switch ((int)plan->op) {
    case GW_AVRO_OP_INT_TO_FLOAT:
    case GW_AVRO_OP_LONG_TO_FLOAT:
        real = (float)large;
        return put(run, &real, sizeof real);
    case GW_AVRO_OP_INT_TO_DOUBLE:
    case GW_AVRO_OP_LONG_TO_DOUBLE:
        wide = (double)large;
        return put(run, &wide, sizeof wide);
    case GW_AVRO_OP_FLOAT_TO_DOUBLE:
        wide = (double)real;
        return put(run, &wide, sizeof wide);
    default:
        return put_long(run, large);
    }
}

static gw_status convert_copy(struct run *run, size_t size)
{
    const uint8_t *from = run->reader.at;
    GW_TRY(skip_raw(&run->reader, size));
    return put(run, from, size);
}

static gw_status convert_optional(struct run *run, const struct gw_avro_plan *plan)
{
    uint32_t branch = 0;
    GW_TRY(gw_avro_read_index(&run->reader, 2, &branch));
    if (plan->op == GW_AVRO_OP_OPTIONAL) {
        GW_TRY(put_long(run, branch));
        return branch == 1 ? convert(run, plan->item) : GW_OK;
    }
    return branch == 1 ? convert(run, plan->item) : GW_E_INVALID;
}

static gw_status convert(struct run *run, const struct gw_avro_plan *plan)
{
    bool flag = false;
    uint32_t index = 0;
    struct gw_slice bytes = {0};
    switch (plan->op) {
    case GW_AVRO_OP_COPY:
        return convert_copy(run, plan->size);
    case GW_AVRO_OP_COPY_BOOLEAN:
        GW_TRY(gw_avro_read_bool(&run->reader, &flag));
        return put(run, flag ? "\1" : "\0", 1);
    case GW_AVRO_OP_INT:
    case GW_AVRO_OP_LONG:
    case GW_AVRO_OP_INT_TO_FLOAT:
    case GW_AVRO_OP_INT_TO_DOUBLE:
    case GW_AVRO_OP_LONG_TO_FLOAT:
    case GW_AVRO_OP_LONG_TO_DOUBLE:
    case GW_AVRO_OP_FLOAT_TO_DOUBLE:
        return convert_number(run, plan);
    case GW_AVRO_OP_BYTES:
        GW_TRY(gw_avro_read_bytes(&run->reader, &bytes));
        GW_TRY(put_long(run, (int64_t)bytes.size));
        return put(run, bytes.data, bytes.size);
    case GW_AVRO_OP_ENUM:
        GW_TRY(gw_avro_read_index(&run->reader, plan->type->symbols.count, &index));
        return plan->symbols[index] >= 0 ? put_long(run, plan->symbols[index]) : GW_E_INVALID;
    case GW_AVRO_OP_RECORD:
        return convert_record(run, plan);
    case GW_AVRO_OP_ARRAY:
    case GW_AVRO_OP_MAP:
        return convert_items(run, plan);
    case GW_AVRO_OP_OPTIONAL:
    case GW_AVRO_OP_UNWRAP:
        return convert_optional(run, plan);
    case GW_AVRO_OP_WRAP:
        GW_TRY(put_long(run, 1));
        return convert(run, plan->item);
    }
    return GW_E_INTERNAL;
}

gw_status gw_avro_resolver_transcode(const struct gw_avro_resolver *resolver, struct gw_slice in, struct gw_buf *out,
                                     gw_err *err)
{
    const size_t size_before = out->size;
    struct run run = {.reader = gw_avro_reader_make(in), .out = out, .err = err};
    if (resolver->slot_count > 0) {
        run.slots = gw_mem_calloc(resolver->slot_count, sizeof *run.slots);
        if (run.slots == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for %u fields", resolver->slot_count);
        }
    }
    gw_status status = convert(&run, resolver->plan);
    gw_mem_free(run.slots);
    if (status == GW_OK && gw_avro_left(&run.reader) > 0) {
        status = gw_fail(err, GW_E_MALFORMED, "%s: bytes behind the record", resolver->plan->type->name);
    }
    if (status != GW_OK) {
        out->size = size_before;
    }
    return status;
}
