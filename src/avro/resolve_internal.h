// SPDX-License-Identifier: MIT
// The plan that resolve.c makes of two schemas and resolve_run.c carries out.
#pragma once

#include "avro/resolve.h"
#include "avro/schema_model.h"
#include "base/arena.h"

enum gw_avro_op {
    GW_AVRO_OP_COPY,           // a boolean, float, double or fixed: `size` bytes as they stand
    GW_AVRO_OP_COPY_BOOLEAN,   // one byte, held against 0 and 1
    GW_AVRO_OP_INT,            // to int or long
    GW_AVRO_OP_LONG,           // to long
    GW_AVRO_OP_INT_TO_FLOAT,   // from int
    GW_AVRO_OP_INT_TO_DOUBLE,  //
    GW_AVRO_OP_LONG_TO_FLOAT,  // from long
    GW_AVRO_OP_LONG_TO_DOUBLE, //
    GW_AVRO_OP_FLOAT_TO_DOUBLE,
    GW_AVRO_OP_BYTES,    // string or bytes
    GW_AVRO_OP_ENUM,     // by `symbols`
    GW_AVRO_OP_RECORD,   // by `steps`
    GW_AVRO_OP_ARRAY,    // of `item`
    GW_AVRO_OP_MAP,      // of `item`
    GW_AVRO_OP_OPTIONAL, // ["null", T] to the same of `item`
    GW_AVRO_OP_WRAP,     // T to ["null", T]
    GW_AVRO_OP_UNWRAP,   // ["null", T] to T, null refused
};

struct gw_avro_plan;

// One field of a record. In an ordered record the steps follow the writer's fields, with defaults between; otherwise
// they follow the reader's fields and `slot` says where the writer's field begins.
struct gw_avro_step {
    const char *name;                // of the field, for messages
    const struct gw_avro_plan *plan; // of a field that both have; else NULL
    const struct gw_avro_type *skip; // of a field that only the writer has; else NULL
    struct gw_slice fill;            // of a field that only the reader has: its default, encoded
    uint32_t slot;                   // unordered: index of the writer's field
};

struct gw_avro_plan {
    enum gw_avro_op op;
    uint32_t size;                   // COPY
    const struct gw_avro_type *type; // the writer's
    const struct gw_avro_plan *item; // ARRAY, MAP, OPTIONAL, WRAP, UNWRAP
    const int32_t *symbols;          // ENUM: reader's index of each writer's symbol, -1 refused
    struct gw_avro_step *steps;      // RECORD
    uint32_t step_count;             // RECORD
    bool ordered;                    // RECORD: the fields that both have stand in the same order
    uint32_t slots;                  // RECORD: first of its places in the table of field starts, when not ordered
};

struct gw_avro_resolver {
    struct gw_arena arena; // of the plan
    struct gw_avro_schema *writer;
    struct gw_avro_schema *reader;
    const struct gw_avro_plan *plan;
    uint32_t slot_count; // size of the table of field starts
};

// Encodes the JSON text of a default by its type, appending to *out. GW_E_INVALID when it does not fit the type.
GW_CHECK gw_status gw_avro_encode_default(const struct gw_avro_type *type, struct gw_slice json, struct gw_buf *out,
                                          gw_err *err);
