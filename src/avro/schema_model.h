// SPDX-License-Identifier: MIT
// A tree of types read from an Avro schema's JSON. Used by avrogen at build time and by the resolver at run time.
// (Not named schema.h: avro-c has an avro/schema.h, and finds it by that name.)
//
// The subset: null, boolean, int, long, float, double, bytes, string, record, enum, fixed, array, map and the union
// ["null", T]. Other unions, recursive types and types whose values take no bytes (null alone, records without fields,
// fixed of size 0) are refused as GW_E_INVALID, so that the work on a value is bounded by its bytes times the depth.
// Logical types and unknown attributes are passed over, as the specification asks. Everything is bounded: text, names,
// fields, symbols, depth, and the number of types that a full walk of the tree visits.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GW_AVRO_SCHEMA_BYTES_MAX (1u << 20) // text of one schema
#define GW_AVRO_NAME_BYTES_MAX   256        // a full name
#define GW_AVRO_NAMED_MAX        1000       // named types of a schema, fields of a record, symbols of an enum
#define GW_AVRO_FIXED_BYTES_MAX  (1u << 20)
#define GW_AVRO_NODES_MAX        (1u << 16) // types visited when every reference is followed
#define GW_AVRO_DEPTH_MAX        64         // types inside types, likewise

enum gw_avro_kind {
    GW_AVRO_NULL,
    GW_AVRO_BOOLEAN,
    GW_AVRO_INT,
    GW_AVRO_LONG,
    GW_AVRO_FLOAT,
    GW_AVRO_DOUBLE,
    GW_AVRO_BYTES,
    GW_AVRO_STRING,
    GW_AVRO_RECORD,
    GW_AVRO_ENUM,
    GW_AVRO_FIXED,
    GW_AVRO_ARRAY,
    GW_AVRO_MAP,
    GW_AVRO_OPTIONAL, // the union ["null", T]
};

struct gw_avro_type;

struct gw_avro_names {
    const char **items;
    uint32_t count;
};

struct gw_avro_field {
    const char *name;
    struct gw_avro_names aliases;
    const struct gw_avro_type *type;
    struct gw_slice doc;           // between its quotes, escapes untouched; may be empty
    struct gw_slice default_value; // its JSON text, not yet held against the type; size 0: there is none
};

struct gw_avro_type {
    enum gw_avro_kind kind;
    const char *name;                // named types: without the namespace
    const char *full_name;           // named types: with it
    struct gw_slice doc;             // named types: as a field's
    struct gw_avro_names aliases;    // named types: full names
    struct gw_avro_field *fields;    // RECORD
    uint32_t field_count;            // RECORD
    struct gw_avro_names symbols;    // ENUM
    int32_t default_symbol;          // ENUM: index, -1 none
    uint32_t size;                   // FIXED: bytes
    const struct gw_avro_type *item; // ARRAY, MAP: of its values; OPTIONAL: T
    size_t wire_min;                 // least bytes of a value on the wire; 0 for null only
    uint32_t nodes;                  // types visited by a full walk from here, itself included
    uint32_t depth;                  // types on the longest path from here, itself included
    bool complete;                   // RECORD: false while its own fields are being read
    struct gw_avro_type *next_named; // named types of the schema, newest first
};

struct gw_avro_schema;

// Gives in *ret_schema the schema read from `json` (borrowed for the call); free with gw_avro_schema_free. Statuses:
// GW_E_MALFORMED not JSON, GW_E_INVALID not a schema or outside the subset, GW_E_TOO_LARGE over a bound, GW_E_MEMORY.
GW_CHECK gw_status gw_avro_schema_parse(struct gw_slice json, struct gw_avro_schema **ret_schema, gw_err *err);
void gw_avro_schema_free(struct gw_avro_schema *schema);

// The type of the whole schema; lives as long as the schema. Immutable, so any number of threads may read.
const struct gw_avro_type *gw_avro_schema_root(const struct gw_avro_schema *schema);

// The kind as the specification writes it; "union" for GW_AVRO_OPTIONAL.
const char *gw_avro_kind_name(enum gw_avro_kind kind);
