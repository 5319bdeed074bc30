// SPDX-License-Identifier: MIT
// Between avrogen's files: what is generated for, and how text is written. A failure to write text ends the program:
// it is a tool of the build, not part of godwit.
#pragma once

#include "avro/schema_model.h"
#include "base/bytes.h"

#define GW_AVROGEN_SCHEMAS_MAX 256
#define GW_AVROGEN_TYPES_MAX   512
#define GW_AVROGEN_NAME_BYTES  (2 * GW_AVRO_NAME_BYTES_MAX)

// A schema file and the record it defines.
struct gw_avrogen_source {
    const char *path;
    char *text;
    size_t size;
    struct gw_avro_schema *schema;
    const struct gw_avro_type *record;
};

struct gw_avrogen_type {
    const struct gw_avro_type *type;
    const struct gw_avrogen_source *source;
};

struct gw_avrogen {
    const char *folder;
    struct gw_avrogen_source sources[GW_AVROGEN_SCHEMAS_MAX];
    size_t source_count;
    // Records and enums, each once, behind the types they are made of: an order in which C declarations work.
    struct gw_avrogen_type types[GW_AVROGEN_TYPES_MAX];
    size_t type_count;
};

// Names of a type in C: prediction_request and PREDICTION_REQUEST.
struct gw_avrogen_names {
    char lower[GW_AVROGEN_NAME_BYTES];
    char upper[GW_AVROGEN_NAME_BYTES];
};

struct gw_avrogen_names gw_avrogen_names(const struct gw_avro_type *type);

// Prints the message to standard error and returns false.
bool gw_avrogen_complain(const char *format, ...) GW_PRINTF(1, 2);

// Appends formatted text.
void gw_avrogen_say(struct gw_buf *out, const char *format, ...) GW_PRINTF(2, 3);

// Appends a schema's documentation as // comments.
void gw_avrogen_say_doc(struct gw_buf *out, const char *indent, struct gw_slice doc);

// Each appends the whole text of one generated file.
void gw_avrogen_record_header(const struct gw_avrogen *gen, const struct gw_avrogen_source *source, struct gw_buf *out);
void gw_avrogen_record_source(const struct gw_avrogen *gen, const struct gw_avrogen_source *source, struct gw_buf *out);
void gw_avrogen_types_header(const struct gw_avrogen *gen, struct gw_buf *out);
void gw_avrogen_types_source(const struct gw_avrogen *gen, struct gw_buf *out);
void gw_avrogen_all_header(const struct gw_avrogen *gen, struct gw_buf *out);
void gw_avrogen_all_source(const struct gw_avrogen *gen, struct gw_buf *out);
